//! Whether the load explains the breach (E9): a service that is asked for much more than before may fail without any change.

use super::beginning::NORMAL_99;
use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::policy::Slo;
use crate::engine::rank;
use crate::engine::round::{Outcome, Round, count};
use crate::engine::situation::Situation;
use crate::engine::slo;
use crate::engine::time::{Interval, Timestamp};

/// The load before is that of so long a time.
const BEFORE: std::time::Duration = std::time::Duration::from_secs(3600);
/// So many rounds of load say what is usual, or all of the hour where those are fewer.
const LEAST_ROUNDS: usize = 10;
/// So many rounds before the onset are laid beside the hour before them.
const NEWEST_ROUNDS: usize = 5;
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
        let since = rounds.iter().filter(|round| round.start >= attribution.onset.by).filter_map(total);
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

/// For a merge the load had not risen before: what began minutes ago is itself a round of the hour before. By the middle ones, and by more events
/// than chance makes of those of the hour (Poisson, at 99 %).
pub(super) fn load_rose_before(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let service = &situation.service;
    service.policy.slos.iter().filter(|slo| slo.counts_events()).find_map(|slo| {
        let before = within(service.rounds(&slo.name), attribution.onset.earliest() - BEFORE, attribution.onset.earliest());
        let (usual, newest) = before.split_at(before.len().saturating_sub(NEWEST_ROUNDS));
        // What was not measured was any load: the most of the newest rounds, and the least of those before.
        let (usual, now) = (middle(usual, 0.0)?, middle(newest, f64::INFINITY)?);
        let (expected, counted) = (sum(before) / before.len() as f64 * newest.len() as f64 * OTHER_LOAD, sum(newest));
        let is_more = now.is_infinite() || counted > expected + NORMAL_99 * expected.sqrt();
        (now > usual * OTHER_LOAD && is_more).then(|| {
            let words = if now.is_finite() { format!("{} events", count(now)) } else { "a number of events that is not known".to_owned() };
            refuse(
                RefusalCode::LoadChanged,
                format!(
                    "The last {} rounds of `{}` before the breach began had {words} in the middle, and those of the hour before {} (limit 1.5 times \
                     as many): the load may be the cause.",
                    newest.len(),
                    slo.name,
                    count(usual)
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
        if before.is_none() {
            let sentence = format!(
                "The load of `{}` in the hour before the breach is not known, {} rounds are needed: it may be the cause.",
                slo.name,
                least_rounds(slo)
            );
            return Some(refuse(RefusalCode::LoadChanged, sentence));
        }
        let (quiet, late) = limits(slo, attribution.onset);
        let first = rounds.partition_point(|round| round.end <= quiet);
        // The round before them as well: one may be missing after it.
        let spanned = &rounds[first.saturating_sub(1)..rounds.partition_point(|round| round.end <= late).max(first)];
        let unknown =
            spanned.iter().find(|round| round.end > quiet && !round.is_known()).map(|round| Interval::new(round.start, round.end));
        let stretch = unknown.or_else(|| slo::gap(slo, rounds, spanned))?;
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

/// The most events of a round in the hour before the onset, and around it, where any was measured and, for that hour, enough rounds were made,
/// measured or not; `None` where the rounds count nothing.
fn around(slo: &Slo, rounds: &[Round], onset: Interval) -> Option<[Option<f64>; 2]> {
    let (quiet, late) = limits(slo, onset);
    let before = within(rounds, quiet - BEFORE, quiet);
    let usual = if before.len() >= least_rounds(slo) { most(before) } else { None };
    slo.counts_events().then(|| [usual, most(within(rounds, quiet, late))])
}

fn within(rounds: &[Round], from: Timestamp, to: Timestamp) -> &[Round] {
    let first = rounds.partition_point(|round| round.end <= from);
    &rounds[first..rounds.partition_point(|round| round.end <= to).max(first)]
}

fn least_rounds(slo: &Slo) -> usize {
    let of_an_hour = BEFORE.as_millis() / slo.every().as_millis().max(1);
    usize::try_from(of_an_hour).unwrap_or(usize::MAX).clamp(1, LEAST_ROUNDS)
}

/// The events of a round that counts them.
fn total(round: &Round) -> Option<f64> {
    if let Outcome::Counts { total, .. } = &round.outcome { Some(total.0) } else { None }
}

fn sum(rounds: &[Round]) -> f64 {
    rounds.iter().filter_map(total).sum()
}

/// The events of the middle round; what was not measured had so many.
fn middle(rounds: &[Round], unknown: f64) -> Option<f64> {
    let totals: Vec<Option<f64>> = rounds.iter().map(|round| total(round).or(Some(unknown))).collect();
    rank::median(&totals)
}

/// The most events of a round.
fn most(rounds: &[Round]) -> Option<f64> {
    rounds.iter().filter_map(total).reduce(f64::max)
}
