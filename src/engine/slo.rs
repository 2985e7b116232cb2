//! SLO assessment: rounds in, verdict and arithmetic out (design §6).
//!
//! All windows are sums made here, so that a live agent, a stored situation and a test see the same numbers. `Unknown` is read against
//! acting in every role: not bad in a count, not good in a baseline, never "healthy".

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::SloName;
use super::policy::{ALERT_ANSWERS, Alert, AlertRule, Indicator, Objective, Policy, SinceChange, Slo, WORKLOAD_ANSWERS};
use super::round::{Outcome, Round, count};
use super::time::{Interval, Timestamp, spoken};
use super::window::{self, Coverage, Sum};

pub mod alerts;

/// A series whose newest round ended longer ago than this many `every` says nothing about now.
const FRESH_ROUNDS: u32 = 3;

/// What the rounds of one SLO say at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    /// Which SLO.
    pub slo: SloName,
    /// The verdict.
    pub verdict: Verdict,
    /// The arithmetic in words: `failed 3 of the last 5 (limit 3): 503, 503, 200, 200, 503`.
    pub arithmetic: String,
}

/// The verdict of an assessment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Too few rounds yet.
    Pending,
    /// Good, by the recovery rule of the alert.
    Healthy,
    /// Over the alert's limit.
    Breaching,
    /// Neither over the limit nor good again.
    Inconclusive,
    /// Not enough of it is known.
    Unknown,
}

/// Whether one round is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// It meets the objective.
    Good,
    /// It does not.
    Bad,
    /// There was nothing to judge (0 of 0 events).
    Neither,
    /// It was not measured.
    Unknown,
}

/// What stood before a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// Every round was good.
    Good {
        /// When the last of them ended.
        last_good_end: Timestamp,
    },
    /// Not every round was known and good, or there were too few.
    NotGood {
        /// Why, without a full stop.
        sentence: String,
    },
}

/// Where a run of trouble began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onset {
    /// (start of the last good round, end of the first bad one].
    pub interval: Interval,
}

// === one round ===

/// Judges one round by the SLO's objective and alert.
pub fn quality(slo: &Slo, round: &Round) -> Quality {
    match &round.outcome {
        Outcome::Good(_) => Quality::Good,
        Outcome::Bad(_) => Quality::Bad,
        Outcome::Unknown(_) => Quality::Unknown,
        Outcome::Value(value) => {
            let Objective { max, min, .. } = &slo.objective;
            let over = max.is_some_and(|max| value.0 > max.0) || min.is_some_and(|min| value.0 < min.0);
            if over { Quality::Bad } else { Quality::Good }
        }
        Outcome::Counts { good, total } => match window::counts(good.0, total.0) {
            Sum { total, .. } if total <= 0.0 => Quality::Neither,
            Sum { bad, total } if bad / total > round_limit(slo) => Quality::Bad,
            Sum { .. } => Quality::Good,
        },
    }
}

/// Whether a round of a metrics server is bad because the server reaches none of the service's targets any more (`EvidenceLost`).
pub fn is_lost(slo: &Slo, round: &Round) -> bool {
    matches!(slo.indicator, Indicator::Prometheus(_)) && round.outcome.is_targets_down()
}

/// The error ratio over which one round of counts is bad.
fn round_limit(slo: &Slo) -> f64 {
    let allowed = slo.objective.target.map_or(0.0, super::policy::Ratio::complement);
    match &slo.alert.rule {
        AlertRule::Failing { .. } => allowed,
        AlertRule::BurnRate { factor, .. } => factor.0 * allowed,
    }
}

// === one SLO ===

/// Assesses one SLO over its rounds, oldest first.
///
/// `cut` is the earliest possible apply time of the newest change that touches the service: where `sinceChange` cuts the long window.
pub fn assess(slo: &Slo, rounds: &[Round], cut: Option<Timestamp>, now: Timestamp) -> Assessment {
    let (verdict, arithmetic) = match rounds.last() {
        None => (Verdict::Pending, "nothing was measured yet".to_owned()),
        Some(newest) if now.since(newest.end) > stale_after(slo) => {
            (Verdict::Unknown, format!("the newest round ended {} ago", spoken(now.since(newest.end))))
        }
        Some(_) if slo.further.is_empty() => assess_fresh(slo, rounds, cut, Words::Said),
        Some(_) => alerts::assess(slo, rounds, cut),
    };
    Assessment { slo: slo.name.clone(), verdict, arithmetic }
}

/// Whether the arithmetic is put into words, which takes longer than the arithmetic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    Said,
    LeftOut,
}

impl Words {
    fn of(self, say: impl FnOnce() -> String) -> String {
        if self == Self::Said { say() } else { String::new() }
    }
}

/// The same without a look at the clock: as of the end of the newest round.
fn assess_fresh(slo: &Slo, rounds: &[Round], cut: Option<Timestamp>, words: Words) -> (Verdict, String) {
    match &slo.alert.rule {
        AlertRule::Failing { count, of } => failing(slo, rounds, *count as usize, *of as usize, words),
        AlertRule::BurnRate { .. } => burn_rate(slo, rounds, cut, words),
    }
}

/// Whether nothing of `rounds` says how the SLO stands at `now`.
fn is_stale(slo: &Slo, rounds: &[Round], now: Timestamp) -> bool {
    rounds.last().is_none_or(|newest| now.since(newest.end) > stale_after(slo))
}

fn stale_after(slo: &Slo) -> Duration {
    let answer = match &slo.indicator {
        Indicator::Http(http) => http.timeout,
        Indicator::Prometheus(_) => slo.every(),
        Indicator::Alert(_) => ALERT_ANSWERS,
        Indicator::Workload(_) => WORKLOAD_ANSWERS,
    };
    slo.every() * FRESH_ROUNDS + answer
}

fn failing(slo: &Slo, rounds: &[Round], limit: usize, of: usize, words: Words) -> (Verdict, String) {
    let last = &rounds[rounds.len().saturating_sub(of)..];
    let with = |quality_sought: Quality| last.iter().filter(|round| quality(slo, round) == quality_sought).count();
    let (bad, unknown) = (with(Quality::Bad), with(Quality::Unknown));
    let words = words.of(|| {
        let listed = last.iter().map(|round| round.outcome.words()).collect::<Vec<_>>().join(", ");
        let bounds = bounds_words(&slo.objective);
        format!("failed {bad} of the last {of} (limit {limit}{bounds}): {listed}")
    });
    let verdict = if bad >= limit {
        Verdict::Breaching
    } else if recovered(slo, rounds, of) {
        Verdict::Healthy
    } else if bad + unknown >= limit {
        Verdict::Unknown
    } else if last.len() < of {
        Verdict::Pending
    } else {
        Verdict::Inconclusive
    };
    (verdict, words)
}

fn bounds_words(objective: &Objective) -> String {
    match (objective.max, objective.min) {
        (Some(max), Some(min)) => format!(", good from {min} to {max}"),
        (Some(max), None) => format!(", good up to {max}"),
        (None, Some(min)) => format!(", good from {min}"),
        (None, None) => String::new(),
    }
}

/// Whether the newest `recover.good` rounds, or else `of`, are all good.
fn recovered(slo: &Slo, rounds: &[Round], of: usize) -> bool {
    let needed = slo.alert.recover_good.map_or(of, |good| good as usize);
    rounds.len() >= needed && rounds[rounds.len() - needed..].iter().all(|round| quality(slo, round) == Quality::Good)
}

fn burn_rate(slo: &Slo, rounds: &[Round], cut: Option<Timestamp>, words: Words) -> (Verdict, String) {
    let Alert { rule: AlertRule::BurnRate { factor, long, short, since_change, min_events }, recover_good, .. } = &slo.alert else {
        return (Verdict::Unknown, "no burn rate".to_owned());
    };
    let end = rounds.last().map_or(Timestamp(0), |round| round.end);
    let length = match (since_change, cut) {
        (SinceChange::Cut, Some(cut)) => end.since(cut).clamp((*short).min(*long), *long),
        _ => *long,
    };
    let allowed = slo.objective.target.map_or(0.0, super::policy::Ratio::complement);
    let limit = factor.0 * allowed;
    let (short_sum, short_coverage) = window::sum(rounds, end - *short, end);
    let (long_sum, long_coverage) = window::sum(rounds, end - length, end);
    let words = words.of(|| {
        let cut_words = if length < *long { format!("{} cut to {}", spoken(*long), spoken(length)) } else { spoken(*long) };
        format!(
            "error ratio {} over {} and {} over {cut_words}; at least {} and {} with 95% confidence; limit {factor} × {} = {}{}",
            ratio_words(short_sum),
            spoken(*short),
            ratio_words(long_sum),
            percent(short_sum.wilson_lower()),
            percent(long_sum.wilson_lower()),
            percent(allowed),
            percent(limit),
            coverage_words(&short_coverage, &long_coverage),
        )
    });
    if let Some(words) = lost_throughout(slo, rounds, end - *short) {
        return (Verdict::Breaching, words);
    }
    let covered = short_coverage == Coverage::Whole && long_coverage == Coverage::Whole;
    if covered && long_sum.total < *min_events as f64 {
        return (Verdict::Inconclusive, format!("{words}; {} events are too few (at least {min_events})", count(long_sum.total)));
    }
    let over = covered && short_sum.wilson_lower() > limit && long_sum.wilson_lower() > limit;
    let under = covered && short_sum.ratio() < limit / 2.0 && long_sum.ratio() < limit / 2.0;
    let good_again = recover_good.map_or(under, |_| recovered(slo, rounds, 0));
    let verdict = if over {
        Verdict::Breaching
    } else if good_again {
        Verdict::Healthy
    } else if covered {
        Verdict::Inconclusive
    } else if rounds.first().is_some_and(|first| first.start > end - *short) && rounds.iter().all(Round::is_known) {
        Verdict::Pending
    } else {
        Verdict::Unknown
    };
    (verdict, words)
}

/// There are no counts to sum of a service whose targets are down. That it was so in every round of the short window is a breach of its own
/// kind; it is at most proposed.
fn lost_throughout(slo: &Slo, rounds: &[Round], from: Timestamp) -> Option<String> {
    let short = &rounds[rounds.partition_point(|round| round.start < from)..];
    let covers = short.first()?.start < from + slo.every();
    (covers && short.iter().all(|round| is_lost(slo, round)))
        .then(|| format!("no data in {} rounds, and its targets are down", short.len()))
}

fn coverage_words(short: &Coverage, long: &Coverage) -> String {
    match (short, long) {
        (Coverage::Whole, Coverage::Whole) => String::new(),
        (Coverage::Partial(why), _) | (Coverage::Whole, Coverage::Partial(why)) => format!("; not wholly known: {why}"),
    }
}

fn ratio_words(sum: Sum) -> String {
    format!("{} ({} of {} failed)", percent(sum.ratio()), count(sum.bad), count(sum.total))
}

/// A share as a percentage with at most three significant digits after the point.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent >= 10.0 {
        1
    } else if percent >= 1.0 {
        2
    } else {
        3
    };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}%")
}

// === the history of one SLO ===

/// The end of the newest round as of which the SLO was Healthy; `None` where it never was.
pub fn last_healthy(slo: &Slo, rounds: &[Round], cut: Option<Timestamp>) -> Option<Timestamp> {
    (1..=rounds.len())
        .rev()
        .find(|length| assess_fresh(slo, &rounds[..*length], cut, Words::LeftOut).0 == Verdict::Healthy)
        .map(|length| rounds[length - 1].end)
}

/// Where the trouble after `after` began: from the start of the last good round to the end of the first bad one.
///
/// `None` where no round after it was bad. Unknown rounds before the first bad one widen the interval.
pub fn onset(slo: &Slo, rounds: &[Round], after: Option<Timestamp>) -> Option<Onset> {
    let first_bad = rounds.iter().position(|round| after.is_none_or(|after| round.end > after) && quality(slo, round) == Quality::Bad)?;
    let last_good = rounds[..first_bad].iter().rev().find(|round| quality(slo, round) == Quality::Good);
    Some(Onset { interval: Interval { after: last_good.map(|round| round.start), by: rounds[first_bad].end } })
}

/// The last rounds that ended before `before`: as many as the alert's `of` (5 where it has none), and no older one replaces one of them, nor one
/// that is missing.
pub fn baseline(slo: &Slo, rounds: &[Round], before: Timestamp) -> Baseline {
    let needed = slo.baseline_rounds();
    let earlier = &rounds[..rounds.partition_point(|round| round.end < before)];
    let last = &earlier[earlier.len().saturating_sub(needed)..];
    if last.len() < needed {
        return Baseline::NotGood { sentence: format!("only {} of the {needed} rounds that it needs were measured", last.len()) };
    }
    if let Some(gap) = gap(slo, earlier, last).or_else(|| gap_up_to(slo, rounds, before)) {
        return Baseline::NotGood { sentence: format!("nothing was measured {gap}") };
    }
    match last.iter().find(|round| quality(slo, round) != Quality::Good) {
        Some(round) => {
            Baseline::NotGood { sentence: format!("the round that ended at {} was not good ({})", round.end, round.outcome.words()) }
        }
        None => Baseline::Good { last_good_end: last.last().map_or(before, |round| round.end) },
    }
}

/// So many rounds tell how far apart they are made.
const TELL_THE_SPACING: usize = 100;

/// The first stretch in which some of the rounds, oldest first, have one missing between them: from the end of one to the start of the next. One
/// that starts up to three quarters of a round's time after it was due is late and not missing.
///
/// A round's time is `every`; where no two of the rounds are as close, as where somebody else measured them, the least that two are apart.
pub fn gap(slo: &Slo, rounds: &[Round], some: &[Round]) -> Option<Interval> {
    let time = spacing(slo, rounds);
    some.windows(2).find(|pair| apart(pair) > time * 7 / 4).map(|pair| Interval::new(pair[0].end, pair[1].start))
}

/// The stretch in which a round is missing between the last one that ended before a time and the next, where one would have ended before it.
fn gap_up_to(slo: &Slo, rounds: &[Round], before: Timestamp) -> Option<Interval> {
    let ended = rounds.partition_point(|round| round.end < before);
    let around = rounds.get(ended.checked_sub(1)?..ended + 1)?;
    gap(slo, &rounds[..ended], around).filter(|_| before.since(around[0].end) > spacing(slo, &rounds[..ended]))
}

/// Whether nothing was measured of it right before a time: the newest round up to then is unknown or missing.
pub fn is_silent_before(slo: &Slo, rounds: &[Round], before: Timestamp) -> bool {
    let newest = rounds[..rounds.partition_point(|round| round.end < before)].last();
    newest.is_none_or(|round| !round.is_known()) || gap_up_to(slo, rounds, before).is_some()
}

fn apart(pair: &[Round]) -> Duration {
    pair[1].start.since(pair[0].start)
}

fn spacing(slo: &Slo, rounds: &[Round]) -> Duration {
    let newest = &rounds[rounds.len().saturating_sub(TELL_THE_SPACING)..];
    newest.windows(2).map(apart).min().map_or(slo.every(), |least| least.max(slo.every()))
}

/// Whether the newest round is bad. An alert looks back, and breaches for minutes after its cause is gone (E10).
pub fn is_bad_now(slo: &Slo, rounds: &[Round]) -> bool {
    rounds.last().is_some_and(|round| quality(slo, round) == Quality::Bad)
}

/// Whether the newest round is bad beyond chance: of counts, by Wilson's bound and not by one event of few (E11).
pub fn is_clearly_bad_now(slo: &Slo, rounds: &[Round]) -> bool {
    let Some(newest) = rounds.last() else { return false };
    match &newest.outcome {
        Outcome::Counts { good, total } => window::counts(good.0, total.0).wilson_lower() > round_limit(slo),
        _ => quality(slo, newest) == Quality::Bad,
    }
}

// === one policy ===

/// The verdict on a service: `Breaching` by `breachWhen`, `Healthy` when every SLO is, else the worst of what is not known. Only SLOs of
/// the role `trigger` count.
pub fn assess_policy(policy: &Policy, assessments: &[Assessment]) -> Verdict {
    let triggers = || assessments.iter().filter(|assessment| policy.slos.iter().any(|slo| slo.name == assessment.slo));
    let breaching = triggers().filter(|assessment| assessment.verdict == Verdict::Breaching).count();
    if breaching >= policy.breaching_slos() {
        return Verdict::Breaching;
    }
    [Verdict::Breaching, Verdict::Unknown, Verdict::Pending, Verdict::Inconclusive]
        .into_iter()
        .find(|verdict| triggers().any(|assessment| assessment.verdict == *verdict))
        .map_or(Verdict::Healthy, |verdict| if verdict == Verdict::Breaching { Verdict::Inconclusive } else { verdict })
}

#[cfg(test)]
mod tests;
