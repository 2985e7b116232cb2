//! The rounds of the same hours of the day before, set before those that a decision looks at anyway.
//!
//! They are kept for that alone: a pass assesses with the recent ones, so that its cost does not grow with what is kept.

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
    let before: Vec<Vec<Round>> = service.series.iter().map(of_series).collect();
    // What is held by others is only copied where there is something to add.
    if before.iter().any(|rounds| !rounds.is_empty()) {
        for (series, mut rounds) in service.series.iter_mut().zip(before) {
            rounds.append(&mut series.rounds);
            series.rounds = rounds;
        }
    }
    service
}
