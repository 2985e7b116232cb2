//! Whether the load explains the breach (E9): a service that is asked for much more than before may fail without any change.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::policy::Slo;
use crate::engine::round::{Outcome, Round, count};
use crate::engine::situation::Situation;
use crate::engine::slo;
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
        let [Some(most), Some(now)] = around(slo, service.rounds(&slo.name), attribution.onset)? else { return None };
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
        let most = around(slo, rounds, attribution.onset)?[0]?;
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

/// For a merge the load around the onset is known: one that was not measured may have been any.
pub(super) fn load_not_known(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let service = &situation.service;
    service.policy.slos.iter().find_map(|slo| {
        let rounds = service.rounds(&slo.name);
        let [before, _] = around(slo, rounds, attribution.onset)?;
        let (quiet, late) = limits(slo, attribution.onset);
        let first = rounds.partition_point(|round| round.end <= quiet);
        // The round before them as well: one may be missing after it.
        let spanned = &rounds[first.saturating_sub(1)..rounds.partition_point(|round| round.end <= late).max(first)];
        let unknown =
            spanned.iter().find(|round| round.end > quiet && !round.is_known()).map(|round| Interval::new(round.start, round.end));
        let none_before = before.is_none().then(|| Interval::new(quiet - BEFORE, quiet));
        let stretch = none_before.or(unknown).or_else(|| slo::gap(slo, rounds, spanned))?;
        Some(refuse(
            RefusalCode::LoadChanged,
            format!(
                "The load of `{}` about when the breach began is not known, nothing was measured {stretch}: it may be the cause.",
                slo.name
            ),
        ))
    })
}

/// The time around the onset in which the load may have risen: a spike may have begun a little before it is felt.
fn limits(slo: &Slo, onset: Interval) -> (Timestamp, Timestamp) {
    let begin = onset.earliest().max(onset.by - slo.every() * 2);
    (begin - slo.every() * 3, onset.by + slo.every() * 2)
}

/// The most events of a round in the hour before the onset, and around it, where any was measured; `None` where too few rounds were made in
/// that hour, measured or not.
fn around(slo: &Slo, rounds: &[Round], onset: Interval) -> Option<[Option<f64>; 2]> {
    let within = |from: Timestamp, to: Timestamp| {
        let first = rounds.partition_point(|round| round.end <= from);
        &rounds[first..rounds.partition_point(|round| round.end <= to).max(first)]
    };
    let (quiet, late) = limits(slo, onset);
    let before = within(quiet - BEFORE, quiet);
    (slo.counts_events() && before.len() >= LEAST_ROUNDS).then(|| [before, within(quiet, late)].map(most))
}

/// The most events of a round.
fn most(rounds: &[Round]) -> Option<f64> {
    let totals = rounds.iter().filter_map(|round| match &round.outcome {
        Outcome::Counts { total, .. } => Some(total.0),
        _ => None,
    });
    totals.reduce(f64::max)
}
