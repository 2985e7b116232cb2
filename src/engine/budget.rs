//! Error budgets: how much of an SLO's is left, how fast it burns, and what an incident spent of it.
//!
//! A budget is the share 1 − target of the events of a window (Google SRE workbook, chapter 2), an event being one of a round of counts, or
//! one round that is good or bad by the objective. What was not measured counts neither way, and how long that was is said beside every
//! figure: a budget over a window with holes is that of the time that was measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::SloName;
use super::policy::{Ratio, Slo};
use super::round::{Decimal, Outcome, Round, count};
use super::slo::{Quality, percent, quality};
use super::time::{Timestamp, spoken};
use super::window::{self, Sum};

/// The events of a window and what of it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Failed events.
    pub bad: Decimal,
    /// All events.
    pub total: Decimal,
    /// The length of the window.
    #[serde(with = "super::time::millis")]
    pub window: Duration,
    /// How much of it no known round covers.
    #[serde(with = "super::time::millis")]
    pub missing: Duration,
}

/// An error budget at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Whose.
    pub slo: SloName,
    /// The target.
    pub target: Ratio,
    /// What was counted.
    pub tally: Tally,
    /// The failures that the target allows among the events that there were.
    pub allowed: Decimal,
    /// The share that is left: 1 at first, 0 when it is spent, negative when it is overspent. `None` without any event.
    pub left: Option<Decimal>,
    /// One sentence.
    pub sentence: String,
}

/// How fast a budget burns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Burn {
    /// What was counted.
    pub tally: Tally,
    /// How many times as fast as the target allows; 1 spends the budget exactly by the end of its window. `None` without any event.
    pub rate: Option<Decimal>,
    /// One sentence.
    pub sentence: String,
}

/// What an incident spent of a budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    /// What was counted from its onset to its end.
    pub tally: Tally,
    /// Its failures as a share of those that the budget's window allows. `None` without any event in that window.
    pub share: Option<Decimal>,
    /// One sentence.
    pub sentence: String,
}

/// What is left of the SLO's budget at `now`; `None` where it has no target, one of 100 %, or no window. `rounds` are ordered by their end.
pub fn left(slo: &Slo, rounds: &[Round], now: Timestamp) -> Option<Budget> {
    let (target, window) = (target(slo)?, slo.objective.time_window?);
    let tally = tally(slo, rounds, now - window, now);
    let allowed = tally.total.0 * target.complement();
    let left = share_of(tally.bad.0, allowed).map(|spent| 1.0 - spent);
    let spoken_window = spoken(window);
    let figures = format!(
        "{} failures in the last {spoken_window}, where {target} of {} events allows {}",
        count(tally.bad.0),
        count(tally.total.0),
        count(allowed)
    );
    let sentence = match left {
        None => {
            format!("The error budget of `{}` is not known: no event was measured in the last {spoken_window}{}.", slo.name, tally.holes())
        }
        Some(left) if left < 0.0 => format!("The error budget of `{}` is overspent: {figures}{}.", slo.name, tally.holes()),
        Some(left) => format!("{} of the error budget of `{}` is left: {figures}{}.", percent(left), slo.name, tally.holes()),
    };
    Some(Budget { slo: slo.name.clone(), target, tally, allowed: Decimal(allowed), left: left.map(Decimal), sentence })
}

/// How fast the SLO's budget burned over the last `window`; `None` where it has no target, or one of 100 %.
pub fn burn(slo: &Slo, rounds: &[Round], window: Duration, now: Timestamp) -> Option<Burn> {
    let target = target(slo)?;
    let tally = tally(slo, rounds, now - window, now);
    let rate = share_of(tally.bad.0, tally.total.0 * target.complement());
    let sentence = match rate {
        None => format!(
            "How fast `{}` burns its error budget is not known: no event was measured in the last {}{}.",
            slo.name,
            spoken(window),
            tally.holes()
        ),
        Some(rate) => format!(
            "`{}` burned its error budget {} times as fast as {target} allows over the last {}: {} of {} events failed{}.",
            slo.name,
            tenths(rate),
            spoken(window),
            count(tally.bad.0),
            count(tally.total.0),
            tally.holes()
        ),
    };
    Some(Burn { tally, rate: rate.map(Decimal), sentence })
}

/// What an incident from `onset` to `end` spent of the budget of the window that ends with it; `None` where the SLO has no target, one of 100 %, or no window.
pub fn spent(slo: &Slo, rounds: &[Round], onset: Timestamp, end: Timestamp) -> Option<Spent> {
    let (target, window) = (target(slo)?, slo.objective.time_window?);
    let during = tally(slo, rounds, onset, end);
    let whole = tally(slo, rounds, end - window, end);
    let allowed = whole.total.0 * target.complement();
    let share = share_of(during.bad.0, allowed);
    let sentence = match share {
        None => format!("What it spent of the error budget of `{}` is not known: no event was measured{}.", slo.name, whole.holes()),
        Some(share) => format!(
            "It spent {} of the error budget of `{}`: {} failures in {}, where {target} allows {} in {}{}.",
            percent(share),
            slo.name,
            count(during.bad.0),
            spoken(during.window),
            count(allowed),
            spoken(window),
            whole.holes()
        ),
    };
    Some(Spent { tally: during, share: share.map(Decimal), sentence })
}

/// Counts the events of the rounds that end in (`from`, `to`], and what of that time no known round covers.
pub fn tally(slo: &Slo, rounds: &[Round], from: Timestamp, to: Timestamp) -> Tally {
    let first = rounds.partition_point(|round| round.end <= from);
    let inside = &rounds[first..rounds.partition_point(|round| round.end <= to).max(first)];
    let mut sum = Sum::default();
    let mut missing = Duration::ZERO;
    let mut covered_to = from;
    for round in inside.iter().filter(|round| round.is_known()) {
        let events = events(slo, round);
        sum.bad += events.bad;
        sum.total += events.total;
        // A probe's round is short, and stands for the time since the round before it.
        let covers_from = round.start.min(round.end - slo.longest_gap());
        missing += covers_from.since(covered_to);
        covered_to = covered_to.max(round.end);
    }
    // A round that is not over yet is not missing.
    let tail = to.since(covered_to);
    if tail > slo.longest_gap() {
        missing += tail;
    }
    Tally { bad: Decimal(sum.bad), total: Decimal(sum.total), window: to.since(from), missing }
}

fn events(slo: &Slo, round: &Round) -> Sum {
    if let Outcome::Counts { good, total } = &round.outcome {
        return window::counts(good.0, total.0);
    }
    match quality(slo, round) {
        Quality::Good => Sum { bad: 0.0, total: 1.0 },
        Quality::Bad => Sum { bad: 1.0, total: 1.0 },
        Quality::Neither | Quality::Unknown => Sum::default(),
    }
}

/// Failures as a share of those that are allowed; `None` where none are, because there were no events.
fn share_of(bad: f64, allowed: f64) -> Option<f64> {
    (allowed > 0.0).then(|| bad / allowed)
}

/// The target, where it leaves a budget: 100 % leaves none.
fn target(slo: &Slo) -> Option<Ratio> {
    slo.objective.target.filter(|target| target.complement() > 0.0)
}

/// A number with at most one digit after the point.
fn tenths(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

impl Tally {
    /// What was not measured, as the end of a sentence; nothing where all was.
    fn holes(&self) -> String {
        if self.missing.is_zero() {
            String::new()
        } else {
            format!(" ({} of {} were not measured)", spoken(self.missing), spoken(self.window))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::id::MetricsName;
    use crate::engine::policy::{Alert, AlertRule, HttpIndicator, Indicator, Objective, PrometheusIndicator, PrometheusQuery, Unreachable};
    use crate::engine::round::Unknown;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    fn slo(indicator: Indicator) -> Slo {
        Slo {
            name: SloName::new("errors"),
            indicator,
            objective: Objective { target: Some(Ratio(999_000_000)), max: None, min: None, time_window: Some(DAY) },
            alert: Alert { rule: AlertRule::Failing { count: 3, of: 5 }, recover_good: None },
        }
    }

    fn counts_slo() -> Slo {
        slo(Indicator::Prometheus(PrometheusIndicator {
            server: MetricsName::new("main"),
            every: MINUTE,
            query: PrometheusQuery::Ratio { good: "good".to_owned(), total: "total".to_owned() },
            freshness: None,
            max_staleness: MINUTE,
        }))
    }

    fn probe_slo() -> Slo {
        slo(Indicator::Http(HttpIndicator {
            url: "http://checkout".to_owned(),
            every: MINUTE,
            timeout: Duration::from_secs(2),
            expect_status: vec![200],
            unreachable: Unreachable::Bad,
        }))
    }

    /// A round of 1,000 events for each minute of the day before [`NOW`].
    fn day(bad: impl Fn(u32) -> Option<f64>) -> Vec<Round> {
        (0..1440)
            .map(|minute| {
                let end = NOW - MINUTE * (1439 - minute);
                let outcome = match bad(minute) {
                    Some(bad) => Outcome::Counts { good: Decimal(1000.0 - bad), total: Decimal(1000.0) },
                    None => Outcome::Unknown(Unknown::NoData),
                };
                Round { start: end - MINUTE, end, outcome }
            })
            .collect()
    }

    #[test]
    fn half_of_it_is_left() {
        let rounds = day(|minute| Some(if minute % 2 == 0 { 1.0 } else { 0.0 }));
        let budget = left(&counts_slo(), &rounds, NOW).unwrap();
        assert!((budget.left.unwrap().0 - 0.5).abs() < 1e-9);
        assert_eq!(
            budget.sentence,
            "50% of the error budget of `errors` is left: 720 failures in the last 1d, where 99.9% of 1440000 events allows 1440."
        );
    }

    #[test]
    fn what_was_not_measured_counts_neither_way_and_is_said() {
        let rounds = day(|minute| (minute >= 90).then_some(0.0));
        let budget = left(&counts_slo(), &rounds, NOW).unwrap();
        assert_eq!((budget.left, budget.tally.missing), (Some(Decimal(1.0)), MINUTE * 90));
        assert!(budget.sentence.ends_with("allows 1350 (1h 30m of 1d were not measured)."), "{}", budget.sentence);
        let nothing = left(&counts_slo(), &[], NOW).unwrap();
        assert_eq!(nothing.left, None);
        assert_eq!(
            nothing.sentence,
            "The error budget of `errors` is not known: no event was measured in the last 1d (1d of 1d were not measured)."
        );
    }

    #[test]
    fn an_incident_overspends_it_and_burns_fast() {
        let rounds = day(|minute| Some(if minute >= 1430 { 500.0 } else { 0.0 }));
        let budget = left(&counts_slo(), &rounds, NOW).unwrap();
        assert!(budget.left.unwrap().0 < -2.0);
        assert!(budget.sentence.starts_with("The error budget of `errors` is overspent: 5000 failures"), "{}", budget.sentence);
        assert_eq!(
            burn(&counts_slo(), &rounds, MINUTE * 60, NOW).unwrap().sentence,
            "`errors` burned its error budget 83.3 times as fast as 99.9% allows over the last 1h: 5000 of 60000 events failed."
        );
        let incident = spent(&counts_slo(), &rounds, NOW - MINUTE * 10, NOW).unwrap();
        assert_eq!(
            incident.sentence,
            "It spent 347.2% of the error budget of `errors`: 5000 failures in 10m, where 99.9% allows 1440 in 1d."
        );
    }

    #[test]
    fn rounds_of_a_probe_are_counted_and_cover_the_time_between_them() {
        let rounds: Vec<Round> = (0..1440)
            .map(|minute| {
                let start = NOW - MINUTE * (1439 - minute) - Duration::from_millis(30);
                let outcome = if minute == 700 { Outcome::Bad("503".to_owned()) } else { Outcome::Good("200".to_owned()) };
                Round { start, end: start + Duration::from_millis(30), outcome }
            })
            .collect();
        let budget = left(&probe_slo(), &rounds, NOW).unwrap();
        assert_eq!((budget.tally.total, budget.tally.bad, budget.tally.missing), (Decimal(1440.0), Decimal(1.0), Duration::ZERO));
    }

    #[test]
    fn without_a_target_or_a_window_there_is_no_budget() {
        let mut slo = counts_slo();
        slo.objective.time_window = None;
        assert!(left(&slo, &[], NOW).is_none() && burn(&slo, &[], MINUTE, NOW).is_some());
        slo.objective.target = None;
        assert!(burn(&slo, &[], MINUTE, NOW).is_none() && spent(&slo, &[], NOW, NOW).is_none());
    }

    proptest! {
        #[test]
        fn a_failure_more_never_leaves_more(bad in proptest::collection::vec(0..1000_u32, 1..50), at in 0..50_usize) {
            let rounds = |bad: &[u32]| day(|minute| Some(f64::from(bad[minute as usize % bad.len()])));
            let mut bad = bad;
            let first = left(&counts_slo(), &rounds(&bad), NOW).unwrap().left.unwrap();
            let at = at % bad.len();
            bad[at] += 1;
            prop_assert!(left(&counts_slo(), &rounds(&bad), NOW).unwrap().left.unwrap() <= first);
        }
    }
}
