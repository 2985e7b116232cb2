//! The rounds of the same hours of the day before, set before those that a decision looks at anyway.
//!
//! They are kept for that alone: a pass assesses with the recent ones, so that its cost does not grow with what is kept.

use crate::engine::before_after::day_before;
use crate::engine::id::SloName;
use crate::engine::round::Round;
use crate::engine::situation::ServiceEvidence;
use crate::engine::time::{Interval, Timestamp};

/// Adds what `between` finds of the day before to each SLO that can open an incident; nothing where the recent rounds go back as far.
#[must_use]
pub(super) fn with_day_before(
    mut service: ServiceEvidence,
    onset: Interval,
    now: Timestamp,
    between: impl Fn(&SloName, Timestamp, Timestamp) -> Vec<Round>,
) -> ServiceEvidence {
    let (from, to) = day_before(onset, now);
    for series in &mut service.series {
        if !service.policy.slos.iter().any(|slo| slo.name == series.slo) {
            continue;
        }
        let to = series.rounds.first().map_or(to, |first| to.min(Timestamp(first.end.0 - 1)));
        let mut rounds = between(&series.slo, from, to);
        rounds.append(&mut series.rounds);
        series.rounds = rounds;
    }
    service
}
