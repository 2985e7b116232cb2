//! Figures by hand, and what must hold of any figures.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::engine::time::Timestamp;

fn readings(values: &[Option<f64>]) -> Vec<Reading> {
    let mut end = Timestamp::from_secs(1_800_000_000);
    values
        .iter()
        .map(|badness| {
            end = end + Duration::from_secs(60);
            Reading { start: end - Duration::from_secs(60), end, badness: *badness }
        })
        .collect()
}

fn of(values: &[f64]) -> Vec<Reading> {
    readings(&values.iter().copied().map(Some).collect::<Vec<_>>())
}

/// Small differences in no order.
fn quiet(count: usize, level: f64) -> Vec<Reading> {
    of(&(0..count).map(|index| level + ((index * 7) % 11) as f64 / 1000.0).collect::<Vec<f64>>())
}

fn control<'a>(name: &str, before: &'a [Reading], after: &'a [Reading]) -> Control<'a> {
    Control { name: format!("`{name}`"), kind: ControlKind::OtherService, before, after }
}

#[test]
fn the_arithmetic_of_a_perfect_separation() {
    // Every one of the 25 pairs is worse: the sum is 25 with a variance of 25 · 11 ⁄ 3, so z = 24 ⁄ 9.574 and p = 0.0122.
    let comparison = compare(&of(&[3.0, 1.0, 5.0, 2.0, 4.0]), &of(&[8.0, 6.0, 10.0, 7.0, 9.0]));
    assert_eq!(comparison.effect, Decimal(1.0));
    assert!((comparison.probability.0 - 0.012_18).abs() < 1e-4, "{comparison:?}");
    assert_eq!(comparison.shift, Shift::Worse);
    assert_eq!(comparison.to_string(), "bad in 5 of 5 rounds since and in 5 of 5 before; effect 1, p 0.012");
}

#[test]
fn a_shift_needs_significance_and_an_effect_and_enough_rounds() {
    assert_eq!(compare(&quiet(10, 1.0), &quiet(10, 2.0)).shift, Shift::Worse);
    assert_eq!(compare(&quiet(10, 2.0), &quiet(10, 1.0)).shift, Shift::Better);
    assert_eq!(compare(&quiet(10, 1.0), &quiet(10, 1.0)).shift, Shift::None);
    assert_eq!(compare(&quiet(40, 1.0), &quiet(2, 9.0)).shift, Shift::TooFew);
    assert_eq!(compare(&quiet(40, 1.0), &quiet(3, 9.0)).shift, Shift::Worse);
    assert_eq!(compare(&quiet(4, 1.0), &quiet(4, 9.0)).shift, Shift::TooFew, "2 of 70 such orders");
    // 300 rounds on each side make a shift by a tenth of the spread significant; it is too small to matter.
    let wide = |by: f64| of(&(0..300).map(|index| ((index * 37) % 101) as f64 + by).collect::<Vec<f64>>());
    let small = compare(&wide(0.0), &wide(12.0));
    assert!(small.probability.0 < SIGNIFICANCE, "{small:?}");
    assert_eq!(small.shift, Shift::None);
}

#[test]
fn good_and_bad_rounds_have_ties() {
    let rounds = |bad: usize, of_all: usize| of(&(0..of_all).map(|index| f64::from(u8::from(index < bad))).collect::<Vec<f64>>());
    assert_eq!(compare(&rounds(0, 20), &rounds(5, 5)).shift, Shift::Worse);
    assert_eq!(compare(&rounds(0, 20), &rounds(0, 20)).shift, Shift::None);
    assert_eq!(compare(&rounds(0, 20), &rounds(0, 20)).probability, Decimal(1.0));
}

#[test]
fn rounds_that_echo_one_another_count_for_less() {
    let slow: Vec<f64> = (0..40).map(|index| f64::from(index) / 40.0).collect();
    let mixed: Vec<f64> = (0..40).map(|index| f64::from((index * 17) % 40) / 40.0).collect();
    let lifted = |values: &[f64]| values.iter().map(|value| value + 0.4).collect::<Vec<f64>>();
    let echo = compare(&of(&slow), &of(&lifted(&slow)));
    let independent = compare(&of(&mixed), &of(&lifted(&mixed)));
    assert_eq!(echo.effect, independent.effect);
    assert_eq!((independent.shift, echo.shift), (Shift::Worse, Shift::None));
}

#[test]
fn a_service_that_moves_alone_is_told_from_one_that_moves_with_all() {
    let (low, high) = (quiet(20, 1.0), quiet(10, 2.0));
    let same = quiet(10, 1.0);
    let alone = evidence("checkout", &low, &high, &[]);
    assert_eq!(alone.weight, Weight::Alone);
    let specific = evidence("checkout", &low, &high, &[control("payments", &low, &same), control("search", &low, &same)]);
    assert_eq!(specific.weight, Weight::Specific);
    assert_eq!(
        specific.sentence,
        "`checkout` got worse (bad in 10 of 10 rounds since and in 20 of 20 before; effect 1, p under 0.001); 2 of 2 that the change does not reach stood \
         still: `payments`, `search`."
    );
    let shared = evidence("checkout", &low, &high, &[control("payments", &low, &high), control("search", &low, &same)]);
    assert_eq!(shared.weight, Weight::Shared);
    assert!(shared.sentence.ends_with("stood still: `search`; got worse as well: `payments`."), "{}", shared.sentence);
    assert_eq!(evidence("checkout", &high, &low, &[]).weight, Weight::Nothing);
}

#[test]
fn every_kind_of_control_has_its_say() {
    let (low, high) = (quiet(20, 1.0), quiet(10, 2.0));
    let same = quiet(10, 1.0);
    let daily = Control { name: "checkout the day before".to_owned(), kind: ControlKind::DayBefore, before: &low, after: &high };
    let others = [control("a", &low, &same), control("b", &low, &same), control("c", &low, &same)];
    assert_eq!(evidence("checkout", &low, &high, &others).weight, Weight::Specific);
    let with_daily = [others.to_vec(), vec![daily]].concat();
    assert_eq!(evidence("checkout", &low, &high, &with_daily).weight, Weight::Shared, "it gets worse at this hour every day");
}

#[test]
fn a_control_of_which_nothing_is_known_does_not_speak_for_the_change() {
    let (low, high) = (quiet(20, 1.0), quiet(10, 2.0));
    let missing = readings(&[None; 10]);
    let found = evidence("checkout", &low, &high, &[control("payments", &low, &missing)]);
    assert_eq!((found.weight, found.controls[0].stance), (Weight::Shared, Stance::Unclear));
    assert!(found.sentence.ends_with("cannot be told: `payments`."), "{}", found.sentence);
    assert_eq!(evidence("checkout", &low, &high, &[control("new", &[], &[])]).weight, Weight::Shared);
}

/// Values on few levels, some of them missing.
fn series(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Option<f64>>> {
    proptest::collection::vec(proptest::option::weighted(0.92, (0..6_i32).prop_map(f64::from)), length)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_monotone_transformation_changes_nothing(before in series(0..25), after in series(0..25)) {
        let bend = |values: &[Option<f64>]| values.iter().map(|value| value.map(|value| value.exp() - 7.0)).collect::<Vec<_>>();
        let plain = compare(&readings(&before), &readings(&after));
        let bent = compare(&readings(&bend(&before)), &readings(&bend(&after)));
        // What is bad is a matter of the limit, which is not bent with them.
        prop_assert_eq!(&plain, &Comparison { bad_before: plain.bad_before, bad_after: plain.bad_after, ..bent });
    }

    #[test]
    fn swapping_before_and_after_flips_the_sign(before in series(0..25), after in series(0..25)) {
        let one = compare(&readings(&before), &readings(&after));
        let other = compare(&readings(&after), &readings(&before));
        prop_assert_eq!(one.effect.0, -other.effect.0);
        prop_assert!((one.probability.0 - other.probability.0).abs() < 1e-12);
        let flipped = match one.shift { Shift::Worse => Shift::Better, Shift::Better => Shift::Worse, same => same };
        prop_assert_eq!(other.shift, flipped);
    }

    #[test]
    fn what_goes_missing_never_strengthens(
        before in series(5..20), after in series(5..12), lift in 0..6_i32, others in proptest::collection::vec((series(5..20), series(5..12)), 0..4),
        which in 0..10_usize, at in 0..20_usize,
    ) {
        let after: Vec<Option<f64>> = after.iter().map(|value| value.map(|value| value + f64::from(lift))).collect();
        let mut all = vec![before, after];
        all.extend(others.into_iter().flat_map(|(before, after)| [before, after]));
        let weigh = |all: &[Vec<Option<f64>>]| {
            let read: Vec<Vec<Reading>> = all.iter().map(|values| readings(values)).collect();
            let controls: Vec<Control<'_>> = read[2..].chunks(2).map(|pair| control("other", &pair[0], &pair[1])).collect();
            evidence("service", &read[0], &read[1], &controls)
        };
        let first = weigh(&all);
        let which = which % all.len();
        let at = at % all[which].len();
        all[which][at] = None;
        let second = weigh(&all);
        prop_assert!(second.weight <= first.weight, "{} {}", first.sentence, second.sentence);
        let (one, other) = (&first.comparison, &second.comparison);
        prop_assert!(other.probability.0 >= one.probability.0 - 1e-12);
        prop_assert!(other.effect.0.abs() - other.open.0 <= one.effect.0.abs() - one.open.0 + 1e-12);
    }
}
