//! Whether the breach may be something that grows slowly (E8): a leak, a queue, a cache that fills up. Its onset is where it crosses the limit,
//! and says little about what began it, so that people look first.
//!
//! The hypothesis is growth in proportion to the time since the change was applied. It is excluded when the rounds since the onset rose by
//! clearly less than it would have them rise. What cannot be told counts as growth.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::{Attribution, breaching};
use crate::engine::policy::Slo;
use crate::engine::reading;
use crate::engine::round::{Outcome, Round};
use crate::engine::situation::Situation;
use crate::engine::slo::percent;
use crate::engine::time::{Interval, Timestamp};
use crate::engine::window::{self, Sum};

/// So many standard errors less than growth would have it: it is looked at in every pass, and one false answer is one wrong merge.
const STANDARD_ERRORS: f64 = 3.0;

/// Refuses where growth is not excluded for an SLO that breaches. Rounds that are only good or bad have no size and are not looked at.
pub(super) fn may_grow_slowly(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let service = &situation.service;
    let applied = attribution
        .candidates
        .iter()
        .find(|candidate| attribution.suspects.contains(&candidate.commit))
        .and_then(|candidate| candidate.applied)?;
    breaching(service, &situation.landings, situation.now).find_map(|slo| {
        let why = growth(slo, service.rounds(&slo.name), attribution.onset, applied)?;
        Some(refuse(
            RefusalCode::MayGrowSlowly,
            format!("`{}` cannot be told from something that grows since the change: {why}.", slo.name),
        ))
    })
}

/// Why growth is not excluded; `None` where it is, or where rounds have no size.
fn growth(slo: &Slo, rounds: &[Round], onset: Interval, applied: Interval) -> Option<String> {
    // The first bad round is bad only from somewhere inside it on.
    let since = &rounds[rounds.partition_point(|round| round.start < onset.by)..];
    if rounds.last().is_some_and(|round| matches!(round.outcome, Outcome::Good(_) | Outcome::Bad(_))) {
        return None;
    }
    let known: Vec<&Round> = since.iter().filter(|round| round.is_known()).collect();
    if known.len() < 2 {
        return Some(format!("{} whole rounds since it began (at least 2)", known.len()));
    }
    let (first, last) = known.split_at(known.len() / 2);
    let age = |rounds: &[&Round]| {
        let middle = |round: &Round| {
            let middle = round.start + round.end.since(round.start) / 2;
            middle.since(applied.earliest()).as_secs_f64()
        };
        rounds.iter().map(|round| middle(round)).sum::<f64>() / rounds.len() as f64
    };
    let (young, old) = (age(first), age(last));
    if young <= 0.0 {
        return Some("it began before the change was applied".to_owned());
    }
    let factor = old / young;
    match known[0].outcome {
        Outcome::Counts { .. } => counts_grow(&sum(first), &sum(last), factor),
        _ => values_grow(slo, rounds, [first, last], factor, applied.earliest()),
    }
}

fn sum(rounds: &[&Round]) -> Sum {
    let mut all = Sum::default();
    for round in rounds {
        if let Outcome::Counts { good, total } = &round.outcome {
            let counts = window::counts(good.0, total.0);
            (all.bad, all.total) = (all.bad + counts.bad, all.total + counts.total);
        }
    }
    all
}

fn counts_grow(first: &Sum, last: &Sum, factor: f64) -> Option<String> {
    // Half an event is added, so that a share of nothing or all has an error too.
    let share = |sum: &Sum| (sum.bad + 0.5) / (sum.total + 1.0);
    let error = |sum: &Sum| share(sum) * (1.0 - share(sum)) / (sum.total + 1.0);
    let lead = factor * share(first) - share(last);
    let spread = (factor * factor * error(first) + error(last)).sqrt();
    (lead <= STANDARD_ERRORS * spread).then(|| {
        format!(
            "{} failed at first and {} since; growth would have it at {}",
            percent(first.ratio()),
            percent(last.ratio()),
            percent((factor * first.ratio()).min(1.0))
        )
    })
}

/// Values have no error of their own: less than half of the growth over what was usual before the change excludes it.
fn values_grow(slo: &Slo, rounds: &[Round], halves: [&[&Round]; 2], factor: f64, applied: Timestamp) -> Option<String> {
    let mean = |rounds: &[&Round]| {
        let values: Vec<f64> =
            rounds.iter().filter_map(|round| reading::readings(slo, std::slice::from_ref(round)).first()?.badness).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let before: Vec<&Round> = rounds.iter().filter(|round| round.end <= applied && round.is_known()).collect();
    let usual = mean(&before[before.len().saturating_sub(60)..]);
    let [first, last] = halves.map(|half| mean(half) - usual);
    // Not a number is no answer, and counts as growth.
    let excluded = last - first < (factor - 1.0) * first / 2.0;
    (!excluded).then(|| "its values still rise".to_owned())
}
