use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::engine::id::MetricsName;
use crate::engine::policy::{HttpIndicator, Mode, PrometheusIndicator, PrometheusQuery, Ratio, Unreachable};
use crate::engine::round::{Decimal, Unknown};

fn http(count: u32, of: u32) -> Slo {
    Slo {
        name: SloName::new("up"),
        indicator: Indicator::Http(HttpIndicator {
            url: "http://checkout.example/journey".into(),
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            expect_status: vec![200],
            unreachable: Unreachable::Unknown,
        }),
        objective: Objective { target: None, max: None, min: None, time_window: None },
        alert: Alert { rule: AlertRule::Failing { count, of }, recover_good: None, up_to: Mode::Merge },
        further: Vec::new(),
    }
}

fn burn() -> Slo {
    Slo {
        indicator: Indicator::Prometheus(PrometheusIndicator {
            server: MetricsName::new("main"),
            every: Duration::from_secs(60),
            query: PrometheusQuery::Ratio { good: "good".into(), total: "total".into() },
            freshness: None,
            max_staleness: Duration::from_secs(60),
            targets: None,
            version_label: None,
        }),
        objective: Objective { target: Some(Ratio(999_000_000)), max: None, min: None, time_window: None },
        alert: Alert {
            rule: AlertRule::BurnRate {
                factor: Decimal(14.4),
                long: Duration::from_secs(3600),
                short: Duration::from_secs(300),
                since_change: SinceChange::Cut,
                min_events: 100,
            },
            recover_good: None,
            up_to: Mode::Merge,
        },
        ..http(3, 5)
    }
}

fn probes(statuses: &[u16]) -> Vec<Round> {
    statuses
        .iter()
        .enumerate()
        .map(|(index, status)| {
            let start = Timestamp::from_secs(10 * i64::try_from(index).unwrap());
            let outcome = match status {
                200 => Outcome::Good("200".into()),
                0 => Outcome::Unknown(Unknown::Unreachable { detail: "timed out".into() }),
                other => Outcome::Bad(other.to_string()),
            };
            Round { start, end: start + Duration::from_secs(1), outcome }
        })
        .collect()
}

fn minutes(failed_of_thousand: &[Option<f64>]) -> Vec<Round> {
    failed_of_thousand
        .iter()
        .enumerate()
        .map(|(index, failed)| {
            let start = Timestamp::from_secs(60 * i64::try_from(index).unwrap());
            let outcome = failed.map_or(Outcome::Unknown(Unknown::NoData), |failed| Outcome::Counts {
                good: Decimal(1000.0 - failed),
                total: Decimal(1000.0),
            });
            Round { start, end: start + Duration::from_secs(60), outcome }
        })
        .collect()
}

fn verdict(slo: &Slo, rounds: &[Round], cut: Option<Timestamp>) -> Verdict {
    assess(slo, rounds, cut, rounds.last().unwrap().end).verdict
}

#[test]
fn failing_says_its_arithmetic() {
    let rounds = probes(&[200, 200, 503, 503, 200, 500]);
    let assessment = assess(&http(3, 5), &rounds, None, rounds[5].end);
    assert_eq!(assessment.verdict, Verdict::Breaching);
    assert_eq!(assessment.arithmetic, "failed 3 of the last 5 (limit 3): 200, 503, 503, 200, 500");
}

#[test]
fn failing_is_healthy_only_after_a_full_run_of_good_rounds() {
    let slo = http(3, 5);
    assert_eq!(verdict(&slo, &probes(&[200, 200, 200, 200]), None), Verdict::Pending);
    assert_eq!(verdict(&slo, &probes(&[200, 200, 200, 200, 200]), None), Verdict::Healthy);
    assert_eq!(verdict(&slo, &probes(&[503, 200, 200, 200, 200]), None), Verdict::Inconclusive);
}

#[test]
fn an_unknown_round_is_not_bad_and_no_older_one_replaces_it() {
    let slo = http(3, 5);
    assert_eq!(verdict(&slo, &probes(&[503, 200, 503, 0, 0, 503]), None), Verdict::Unknown);
    assert_eq!(verdict(&slo, &probes(&[503, 503, 200, 200, 200, 0, 503]), None), Verdict::Inconclusive);
}

#[test]
fn rounds_that_are_too_old_say_nothing_about_now() {
    let rounds = probes(&[503, 503, 503, 503, 503]);
    let late = rounds[4].end + Duration::from_secs(33);
    assert_eq!(assess(&http(3, 5), &rounds, None, late).verdict, Verdict::Unknown);
    assert_eq!(assess(&http(3, 5), &rounds, None, late - Duration::from_secs(2)).verdict, Verdict::Breaching);
}

#[test]
fn a_burn_rate_needs_both_windows_and_says_so() {
    let slo = burn();
    let mut rounds = minutes(&[Some(0.0); 60]);
    assert_eq!(verdict(&slo, &rounds, None), Verdict::Healthy);
    rounds.extend(minutes(&[Some(50.0); 65])[60..].iter().cloned());
    // 5 bad minutes in an hour of good ones: 5 % over the short window, 0.42 % over the long one, limit 1.44 %.
    assert_eq!(verdict(&slo, &rounds, None), Verdict::Inconclusive);
    // Cut at the change, the long window is the short one.
    let assessment = assess(&slo, &rounds, Some(Timestamp::from_secs(3600)), rounds[64].end);
    assert_eq!(assessment.verdict, Verdict::Breaching);
    assert_eq!(
        assessment.arithmetic,
        "error ratio 5% (250 of 5000 failed) over 5m and 5% (250 of 5000 failed) over 1h cut to 5m; at least 4.52% and 4.52% with 95% confidence; \
         limit 14.4 × 0.1% = 1.44%"
    );
}

#[test]
fn a_window_that_is_not_wholly_known_is_never_over_its_factor() {
    let slo = burn();
    let mut figures = vec![Some(50.0); 60];
    assert_eq!(verdict(&slo, &minutes(&figures), None), Verdict::Breaching);
    figures[58] = None;
    assert_eq!(verdict(&slo, &minutes(&figures), None), Verdict::Unknown);
    let mut gap = minutes(&[Some(50.0); 60]);
    gap.remove(57);
    assert_eq!(verdict(&slo, &gap, None), Verdict::Unknown);
}

#[test]
fn few_events_are_inconclusive() {
    let mut slo = burn();
    if let AlertRule::BurnRate { min_events, .. } = &mut slo.alert.rule {
        *min_events = 60_001;
    }
    assert_eq!(verdict(&slo, &minutes(&[Some(50.0); 60]), None), Verdict::Inconclusive);
}

#[test]
fn hysteresis_keeps_a_burn_that_is_over_half_its_factor_from_being_healthy() {
    let slo = burn();
    assert_eq!(verdict(&slo, &minutes(&[Some(8.0); 60]), None), Verdict::Inconclusive, "0.8 % is over half of 1.44 %");
    assert_eq!(verdict(&slo, &minutes(&[Some(7.0); 60]), None), Verdict::Healthy, "0.7 % is under half of 1.44 %");
}

#[test]
fn the_onset_lies_between_the_last_good_round_and_the_first_bad_one() {
    let slo = http(3, 5);
    let rounds = probes(&[200, 200, 200, 200, 200, 0, 503, 503, 503]);
    let healthy = last_healthy(&slo, &rounds, None);
    assert_eq!(healthy, Some(rounds[4].end));
    let onset = onset(&slo, &rounds, healthy).unwrap();
    assert_eq!(onset.interval, Interval::new(rounds[4].start, rounds[6].end));
}

#[test]
fn a_baseline_is_good_only_when_every_round_of_it_is() {
    let slo = http(3, 5);
    let rounds = probes(&[200, 200, 200, 200, 200, 503]);
    assert_eq!(baseline(&slo, &rounds, rounds[5].start), Baseline::Good { last_good_end: rounds[4].end });
    let unknown = probes(&[200, 200, 200, 200, 0, 200, 503]);
    assert!(matches!(baseline(&slo, &unknown, unknown[6].start), Baseline::NotGood { .. }));
    let few = probes(&[200, 200, 503]);
    assert!(matches!(baseline(&slo, &few, few[2].start), Baseline::NotGood { .. }));
}

/// Regression: after an hour in which the agent did not run, two rounds before the change and three of before that hour were a baseline.
#[test]
fn a_round_of_before_a_gap_is_no_part_of_a_baseline() {
    let slo = http(3, 5);
    let rounds = probes(&[200; 12]);
    for removed in 7..11 {
        let mut rounds = rounds.clone();
        let gap = rounds.remove(removed).start;
        let between = Interval::new(gap - Duration::from_secs(9), gap + Duration::from_secs(10));
        let sentence = format!("nothing was measured {between}");
        assert_eq!(baseline(&slo, &rounds, Timestamp::from_secs(120)), Baseline::NotGood { sentence }, "without round {removed}");
    }
    let sparse: Vec<Round> = rounds.iter().step_by(3).cloned().collect();
    let sparse = [sparse, probes(&[200; 40])[12..].iter().step_by(3).cloned().collect()].concat();
    assert!(
        matches!(baseline(&slo, &sparse, Timestamp::from_secs(400)), Baseline::Good { .. }),
        "somebody else measured every half a minute: none is missing"
    );
    let mut late = rounds;
    late[9].start = late[9].start + Duration::from_secs(7);
    assert!(matches!(baseline(&slo, &late, Timestamp::from_secs(120)), Baseline::Good { .. }), "late is not missing");
}

fn statuses() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(prop_oneof![Just(200), Just(503), Just(0)], 1..20)
}

proptest! {
    #[test]
    fn replacing_a_round_by_unknown_never_makes_a_breach_nor_health(statuses in statuses(), at in 0usize..20) {
        let at = at % statuses.len();
        let mut with = statuses.clone();
        with[at] = 0;
        let (before, after) = (verdict(&http(3, 5), &probes(&statuses), None), verdict(&http(3, 5), &probes(&with), None));
        prop_assert!(after != Verdict::Breaching || before == Verdict::Breaching);
        prop_assert!(after != Verdict::Healthy || before == Verdict::Healthy);
        let good = |statuses: &[u16]| matches!(baseline(&http(3, 5), &probes(statuses), Timestamp::from_secs(1000)), Baseline::Good { .. });
        prop_assert!(!good(&with) || good(&statuses));
    }

    #[test]
    fn replacing_a_count_by_unknown_never_makes_a_burn(figures in proptest::collection::vec(proptest::option::of(0.0f64..40.0), 60..70), at in 0usize..60) {
        let mut with = figures.clone();
        with[at] = None;
        let (before, after) = (verdict(&burn(), &minutes(&figures), None), verdict(&burn(), &minutes(&with), None));
        prop_assert!(after != Verdict::Breaching || before == Verdict::Breaching);
        prop_assert!(after != Verdict::Healthy || before == Verdict::Healthy);
    }
}
