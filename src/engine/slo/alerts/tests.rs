use std::time::Duration;

use super::super::{Quality, Verdict, assess, quality};
use super::*;
use crate::engine::id::{InstanceName, MetricsName, SloName};
use crate::engine::policy::{AlertRule, Indicator, Objective, PrometheusIndicator, PrometheusQuery, Ratio, SinceChange, sample};
use crate::engine::round::{Decimal, Outcome, Unknown};
use crate::engine::situation::SloSeries;

const MINUTE: Duration = Duration::from_secs(60);

fn alert(factor: f64, long: u32, short: u32, up_to: Mode) -> Alert {
    let rule = AlertRule::BurnRate {
        factor: Decimal(factor),
        long: MINUTE * long,
        short: MINUTE * short,
        since_change: SinceChange::Whole,
        min_events: 100,
    };
    Alert { rule, recover_good: None, up_to }
}

/// 99.9 %, with a fast alert that may merge, and a slow one, written first, that may propose.
fn slo() -> Slo {
    Slo {
        name: SloName::new("errors"),
        indicator: Indicator::Prometheus(PrometheusIndicator {
            server: MetricsName::new("main"),
            every: MINUTE,
            query: PrometheusQuery::Ratio { good: "good".into(), total: "total".into() },
            freshness: None,
            targets: None,
            version_label: None,
            max_staleness: MINUTE,
        }),
        objective: Objective { target: Some(Ratio(999_000_000)), max: None, min: None, time_window: None },
        alert: alert(6.0, 120, 30, Mode::Propose),
        further: vec![alert(14.4, 60, 5, Mode::Merge)],
    }
}

/// Three hours of minutes with 10,000 events each, of which so many of every 1,000 fail.
fn minutes(failed: impl Fn(i64) -> Option<f64>) -> Vec<Round> {
    (0..180)
        .map(|minute| {
            let outcome = failed(minute).map_or(Outcome::Unknown(Unknown::NoData), |failed| Outcome::Counts {
                good: Decimal(10_000.0 - failed * 10.0),
                total: Decimal(10_000.0),
            });
            Round { start: Timestamp::from_secs(60 * minute), end: Timestamp::from_secs(60 * (minute + 1)), outcome }
        })
        .collect()
}

fn foremost_of(rounds: &[Round]) -> (Verdict, Mode) {
    let (slo, now) = (slo(), rounds.last().unwrap().end);
    (assess(&slo, rounds, None, now).verdict, foremost(&slo, rounds, None, now).up_to)
}

#[test]
fn of_the_alerts_that_fire_the_one_that_may_reach_the_most_leads() {
    assert_eq!(foremost_of(&minutes(|_| Some(0.0))), (Verdict::Healthy, Mode::Merge));
    assert_eq!(foremost_of(&minutes(|_| Some(9.0))), (Verdict::Breaching, Mode::Propose), "9 times: only the slow one");
    assert_eq!(foremost_of(&minutes(|_| Some(20.0))), (Verdict::Breaching, Mode::Merge), "both");
    // What the slow one remembers is no reason for what only the fast one may do.
    let over = minutes(|minute| Some(if minute < 165 { 60.0 } else { 0.0 }));
    assert_eq!(foremost_of(&over), (Verdict::Breaching, Mode::Propose));
}

#[test]
fn a_round_that_is_not_known_never_raises_the_ceiling() {
    let rounds = minutes(|_| Some(20.0));
    for place in [0, 70, 130, 160, 178, 179] {
        let mut rounds = rounds.clone();
        rounds[place].outcome = Outcome::Unknown(Unknown::NoData);
        let (verdict, mode) = foremost_of(&rounds);
        assert!(verdict != Verdict::Breaching || place < 120, "{place}");
        assert!(mode == Mode::Merge || verdict == Verdict::Breaching, "{place}");
    }
}

fn evidence(rounds: Vec<Round>) -> ServiceEvidence {
    let policy = crate::engine::policy::Policy { slos: vec![slo()], ..sample::policy(&["default"]) };
    let series = vec![SloSeries { slo: SloName::new("errors"), rounds }];
    ServiceEvidence::measured(policy, InstanceName::default_instance(), series)
}

#[test]
fn evidence_is_judged_by_the_leading_alert_and_keeps_the_others() {
    let rounds = minutes(|_| Some(20.0));
    let now = rounds.last().unwrap().end;
    let judged = evidence(rounds.clone()).by_foremost_alerts(&[], now);
    let leading = &judged.policy.slos[0];
    assert_eq!((leading.alert.up_to, leading.further.len()), (Mode::Merge, 1));
    let round = Round { outcome: Outcome::Counts { good: Decimal(9_900.0), total: Decimal(10_000.0) }, ..rounds[0].clone() };
    assert_eq!((quality(leading, &round), quality(&slo(), &round)), (Quality::Good, Quality::Bad), "10 times: by its own limit");
    assert_eq!(judged.clone().by_foremost_alerts(&[], now), judged, "the same again");
    assert_eq!(ceiling(&judged, &[], now), Some((Mode::Merge, "`upTo` of the alert of `errors` that fires".to_owned())));
    let slow = evidence(minutes(|_| Some(9.0))).by_foremost_alerts(&[], now);
    assert_eq!(ceiling(&slow, &[], now).map(|(mode, _)| mode), Some(Mode::Propose));
    assert_eq!(ceiling(&evidence(minutes(|_| Some(0.0))), &[], now), None);
}
