//! Whether the load explains the breach (E9): a service that is asked for much more than before may fail without any change.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::policy::Slo;
use crate::engine::round::{Outcome, Round, count};
use crate::engine::situation::Situation;
use crate::engine::time::{Interval, Timestamp};

/// The load before is that of so long a time.
const BEFORE: std::time::Duration = std::time::Duration::from_secs(3600);
/// So many rounds of load say what is usual.
const LEAST_ROUNDS: usize = 10;
/// Half as much again as the most of the hour before is another load. A service whose load moves that much within an hour has shown it.
const OTHER_LOAD: f64 = 1.5;

/// Refuses where the events of the rounds around the onset are far more than in any round of the hour before.
///
/// Only the rounds up to two after the onset are looked at: what fails is tried again, and that load follows the breach.
pub(super) fn load_changed(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let service = &situation.service;
    service.policy.slos.iter().find_map(|slo| {
        let (most, now) = around(slo, service.rounds(&slo.name), attribution.onset)?;
        (now > most * OTHER_LOAD).then(|| {
            refuse(
                RefusalCode::LoadChanged,
                format!(
                    "A round of `{}` had {} events when the breach began, and at most {} in the hour before (limit 1.5 times as many): the load may be \
                     the cause.",
                    slo.name,
                    count(now),
                    count(most)
                ),
            )
        })
    })
}

/// For a merge less is enough: every whole round since the onset, and at least two, had more events than any of the hour before.
pub(super) fn more_load_than_ever(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let service = &situation.service;
    service.policy.slos.iter().find_map(|slo| {
        let rounds = service.rounds(&slo.name);
        let (most, _) = around(slo, rounds, attribution.onset)?;
        let since = rounds.iter().filter(|round| round.start >= attribution.onset.by).filter_map(|round| match &round.outcome {
            Outcome::Counts { total, .. } => Some(total.0),
            _ => None,
        });
        let (rounds_since, least) = since.fold((0, f64::INFINITY), |(rounds, least), total| (rounds + 1, least.min(total)));
        (rounds_since >= 2 && least > most).then(|| {
            refuse(
                RefusalCode::LoadChanged,
                format!(
                    "Every round of `{}` since the breach began had at least {} events, and none in the hour before more than {}: the load may be the cause.",
                    slo.name,
                    count(least),
                    count(most)
                ),
            )
        })
    })
}

/// The most events of a round in the hour before the onset, and around it.
fn around(slo: &Slo, rounds: &[Round], onset: Interval) -> Option<(f64, f64)> {
    let begin = onset.earliest().max(onset.by - slo.every() * 2);
    let totals = |from: Timestamp, to: Timestamp| {
        rounds.iter().filter(move |round| round.end > from && round.end <= to).filter_map(|round| match &round.outcome {
            Outcome::Counts { total, .. } => Some(total.0),
            _ => None,
        })
    };
    // A spike may have begun a little before it is felt.
    let quiet = begin - slo.every() * 3;
    let before: Vec<f64> = totals(quiet - BEFORE, quiet).collect();
    if before.len() < LEAST_ROUNDS {
        return None;
    }
    let most = before.into_iter().fold(0.0, f64::max);
    let now = totals(quiet, onset.by + slo.every() * 2).fold(0.0, f64::max);
    Some((most, now))
}
