//! The rounds of the same hours of the day before, beside those that a decision looks at anyway.
//!
//! They are kept for that alone: a pass assesses with the recent ones, so that its cost does not grow with what is kept, and so that a good day
//! before is no baseline of a change that landed long ago.

use crate::engine::before_after::day_before;
use crate::engine::id::SloName;
use crate::engine::round::Round;
use crate::engine::shared::Shared;
use crate::engine::situation::{ServiceEvidence, SloSeries};
use crate::engine::time::{Interval, Timestamp};

/// Adds what `between` finds of the day before to each SLO that can open an incident; nothing where the recent rounds go back as far.
#[must_use]
pub(super) fn with_day_before(
    mut service: Shared<ServiceEvidence>,
    onset: Interval,
    now: Timestamp,
    between: impl Fn(&SloName, Timestamp, Timestamp) -> Vec<Round>,
) -> Shared<ServiceEvidence> {
    let (from, to) = day_before(onset, now);
    let triggers = |slo: &SloName| service.policy.slos.iter().any(|trigger| trigger.name == *slo);
    let of_series = |series: &SloSeries| {
        let to = series.rounds.first().map_or(to, |first| to.min(Timestamp(first.end.0 - 1)));
        if triggers(&series.slo) { between(&series.slo, from, to) } else { Vec::new() }
    };
    let before: Vec<SloSeries> =
        service.series.iter().map(|series| SloSeries { slo: series.slo.clone(), rounds: of_series(series) }).collect();
    // What is held by others is only copied where there is something to add.
    if before.iter().any(|series| !series.rounds.is_empty()) {
        service.day_before = before;
    }
    service
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::id::InstanceName;
    use crate::engine::policy::sample;
    use crate::engine::round::Outcome;
    use crate::engine::slo::{self, Baseline};

    /// Rounds of ten seconds.
    fn rounds(from: Timestamp, to: Timestamp, outcome: &Outcome) -> Vec<Round> {
        let round = |second: i64| {
            let start = Timestamp::from_secs(second);
            Round { start, end: start + Duration::from_secs(10), outcome: outcome.clone() }
        };
        (from.0 / 1000..to.0 / 1000).step_by(10).map(round).collect()
    }

    /// Regression: once the rounds from before a change were not looked at any more, those of the day before were its baseline.
    #[test]
    fn a_good_day_before_is_no_baseline() {
        let onset = Timestamp::from_secs(1_800_000_000);
        let now = onset + Duration::from_secs(600);
        let policy = sample::policy(&["default"]);
        let slo = policy.slos[0].clone();
        let series = vec![SloSeries { slo: slo.name.clone(), rounds: rounds(onset, now, &Outcome::Bad("503".into())) }];
        let instance = InstanceName::default_instance();
        let service = ServiceEvidence::measured(policy, instance, series);
        let of_the_day_before = |_: &SloName, from, to| rounds(from, to, &Outcome::Good("200".into()));
        let service = with_day_before(service.into(), Interval::new(onset, onset), now, of_the_day_before);
        assert!(service.rounds_of_two_days(&slo.name).len() > 500, "it is there to be laid beside");
        assert_eq!(service.rounds(&slo.name).len(), 60);
        assert!(matches!(slo::baseline(&slo, service.rounds(&slo.name), onset), Baseline::NotGood { .. }));
    }
}
