//! What a change point must find, and what it must never do: move with the scale, or profit from what was not measured.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const BEGIN: Timestamp = Timestamp::from_secs(1_800_000_000);

fn readings(values: &[Option<f64>]) -> Vec<Reading> {
    let mut end = BEGIN;
    values
        .iter()
        .map(|badness| {
            end = end + MINUTE;
            Reading { start: end - MINUTE, end, badness: *badness }
        })
        .collect()
}

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

/// The interval in rounds: the index of the last that can be old and of the first that must be new.
fn found(values: &[Option<f64>]) -> Option<(usize, usize)> {
    let point = change_point(&readings(values))?;
    let index = |at: Timestamp| usize::try_from(at.since(BEGIN).as_secs() / 60).unwrap();
    Some((index(point.interval.after.unwrap()), index(point.interval.by) - 1))
}

/// A sequence that looks random and is the same everywhere (a multiplicative congruence).
fn noise(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31)
        })
        .collect()
}

#[test]
fn good_rounds_that_turn_bad_are_dated() {
    let values = some(&[[0.0; 12].as_slice(), &[1.0; 5]].concat());
    let point = change_point(&readings(&values)).unwrap();
    assert_eq!(point.likeliest, BEGIN + MINUTE * 13);
    let (after, by) = found(&values).unwrap();
    assert!(after <= 11 && by >= 12, "it holds the truth: {after} to {by}");
    assert!(by - after <= 4, "and little else: {after} to {by}");
    assert!(point.probability.0 < 0.01);
}

#[test]
fn a_step_in_noise_is_dated_and_noise_alone_is_none() {
    for seed in 1..40 {
        let mut values = noise(60, seed);
        let quiet = some(&values);
        values[40..].iter_mut().for_each(|value| *value += 2.0);
        let (after, by) = found(&some(&values)).unwrap();
        assert!(after <= 39 && by >= 40 && by - after <= 8, "seed {seed}: {after} to {by}");
        if let Some(point) = change_point(&readings(&quiet)) {
            assert!(point.probability.0 > 0.001, "seed {seed}: {point:?}");
        }
    }
    let alarms = (1..400).filter(|seed| change_point(&readings(&some(&noise(60, *seed)))).is_some()).count();
    assert!(alarms <= 28, "{alarms} of 399, and 20 are expected at 5 %");
}

#[test]
fn a_stray_bad_round_does_not_date_the_onset() {
    let mut values = [[0.0; 25].as_slice(), &[1.0; 8]].concat();
    values[5] = 1.0;
    let (after, by) = found(&some(&values)).unwrap();
    assert!((20..=24).contains(&after) && by >= 25, "{after} to {by}");
}

#[test]
fn a_slow_decline_begins_before_the_threshold_is_crossed() {
    // It grows from round 30 on; a limit of 0.3 is crossed at round 50.
    let values: Vec<f64> =
        noise(60, 7).iter().enumerate().map(|(at, noise)| 0.1 + 0.02 * noise + 0.01 * at.saturating_sub(30) as f64).collect();
    if let Some((after, _)) = found(&some(&values)) {
        assert!(after < 45, "{after}");
    }
}

#[test]
fn getting_better_is_no_onset_and_few_rounds_say_nothing() {
    assert_eq!(change_point(&readings(&some(&[[1.0; 12].as_slice(), &[0.0; 12]].concat()))), None);
    assert_eq!(change_point(&readings(&some(&[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]))), None);
    assert_eq!(change_point(&readings(&some(&[0.0; 40]))), None);
    assert_eq!(change_point(&[]), None);
}

#[test]
fn an_echo_makes_a_wandering_series_no_step() {
    // Each round keeps 0.7 of the one before. Taken for independent, one in three of these has a significant step.
    let wander = |seed| {
        let mut level = 0.0;
        noise(60, seed)
            .iter()
            .map(|step| {
                level = 0.7 * level + step - 0.5;
                level
            })
            .collect::<Vec<f64>>()
    };
    let alarms = (1..200).filter(|seed| change_point(&readings(&some(&wander(*seed)))).is_some()).count();
    assert!(alarms <= 16, "{alarms} of 199, and 10 are expected at 5 %");
}

#[test]
fn what_was_not_measured_around_the_step_is_in_the_interval() {
    let mut values = some(&[[0.0; 30].as_slice(), &[1.0; 20]].concat());
    let (after, by) = found(&values).unwrap();
    values[29] = None;
    values[30] = None;
    let (wider_after, wider_by) = found(&values).unwrap();
    assert!(wider_after <= after && wider_by >= by && wider_after <= 28 && wider_by >= 31, "{wider_after} to {wider_by}");
    assert!(change_point(&readings(&values)).unwrap().sentence.ends_with("; 2 were not measured)"));
}

#[test]
fn of_many_series_each_missing_round_widens_the_interval_or_ends_it() {
    let mut narrower_without_the_rule = 0;
    for seed in 1..60_u64 {
        let mut values = noise(26, seed);
        values[17..].iter_mut().for_each(|value| *value += 0.4 + (seed % 5) as f64 / 10.0);
        let whole = some(&values);
        let one = change_point(&readings(&whole));
        for at in 0..values.len() {
            let mut holed = whole.clone();
            holed[at] = None;
            let Some(other) = change_point(&readings(&holed)) else { continue };
            let one = one.as_ref().unwrap_or_else(|| unreachable!("seed {seed}: a change point appeared without round {at}"));
            assert!(other.probability >= one.probability, "seed {seed} without round {at}");
            assert!(
                other.interval.earliest() <= one.interval.earliest() && other.interval.by >= one.interval.by,
                "seed {seed}, round {at}"
            );
            // A round that is left out altogether can make it narrower: that is what the rule is for.
            let mut shorter = readings(&whole);
            shorter.remove(at);
            narrower_without_the_rule += usize::from(change_point(&shorter).is_some_and(|short| short.probability < one.probability));
        }
    }
    assert!(narrower_without_the_rule > 50, "the rule was tried on {narrower_without_the_rule} cases only");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_monotone_transformation_changes_nothing(values in proptest::collection::vec(proptest::option::weighted(0.9, 0..9_i32), 8..40)) {
        let plain: Vec<Option<f64>> = values.iter().map(|value| value.map(f64::from)).collect();
        let bent: Vec<Option<f64>> = plain.iter().map(|value| value.map(|value| value.powi(3).exp_m1().min(1e300) + 3.0 * value)).collect();
        let (one, other) = (change_point(&readings(&plain)), change_point(&readings(&bent)));
        prop_assert_eq!(one.as_ref().map(|point| point.interval), other.as_ref().map(|point| point.interval));
        prop_assert_eq!(one.map(|point| point.probability), other.map(|point| point.probability));
    }

    #[test]
    fn a_round_that_goes_missing_widens_the_interval_or_ends_it(
        before in 4..30_usize, after in 3..20_usize, seed in 1..5000_u64, step in 0..3_u32, levels in 1..6_u32,
        missing in proptest::collection::vec(0..50_usize, 0..4), at in 0..50_usize,
    ) {
        let mut values: Vec<f64> = noise(before + after, seed).iter().map(|value| (value * f64::from(levels)).floor()).collect();
        values[before..].iter_mut().for_each(|value| *value += f64::from(step));
        let mut first = some(&values);
        missing.iter().for_each(|at| { let at = at % first.len(); first[at] = None; });
        let mut second = first.clone();
        let at = at % second.len();
        second[at] = None;
        let (one, other) = (change_point(&readings(&first)), change_point(&readings(&second)));
        if let Some(other) = other {
            prop_assert!(one.is_some(), "a change point appeared");
            let one = one.unwrap();
            prop_assert!(other.interval.earliest() <= one.interval.earliest(), "{:?} {:?}", one, other);
            prop_assert!(other.interval.by >= one.interval.by, "{:?} {:?}", one, other);
            prop_assert!(other.probability >= one.probability);
        }
    }
}
