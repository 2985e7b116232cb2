//! Whether the breach may have begun before the change was applied, and was not seen (E5).
//!
//! An objective has a limit, and rounds under it are good that are already far worse than any before: for a merge the last rounds before the
//! change are no worse than those of the hour before them, and do not climb to the limit by themselves (`climb`).
//!
//! A fault that fails every request is seen in the first round. One that fails some of them is not: a probe can be lucky for a few rounds, and
//! a change that is applied in that time looks guilty. So for a merge every SLO has a good baseline, and by at least one of them the fault
//! cannot have been there already in the last round before the change was applied.
//!
//! That is the likelihood-ratio test of two shares (Wilks 1938): the rounds from that one up to the onset beside those since the onset, with
//! one share for both against one for each. A round that is only good or bad is one event, and one of counts has as many as it counts. An
//! all-or-nothing failure so needs six bad rounds of a probe after one good one, a failure with a good round since the onset far more, and
//! counts of busy services hardly any. A nearer beginning, inside the last round, cannot be told from the change's own by any rounds.

use super::{Refusal, RefusalCode, climb, refuse};
use std::time::Duration;

use crate::engine::attribution::{Attribution, Standing, newest_change};
use crate::engine::likelihood::{CHI_SQUARED_98, likelihood_ratio};
use crate::engine::policy::Slo;
use crate::engine::rank;
use crate::engine::reading;
use crate::engine::round::{Outcome, Round, count};
use crate::engine::situation::Situation;
use crate::engine::slo::{self, Baseline, Quality};
use crate::engine::time::{Interval, Timestamp};
use crate::engine::window::{self, Sum};

/// The rounds before the change are compared with those of so long before them.
pub(super) const USUAL: Duration = Duration::from_secs(3600);

/// The 99 % quantile of the normal distribution.
pub(super) const NORMAL_99: f64 = 2.326_347_874_040_841;

/// Why it may have begun before the change was applied.
pub(super) fn began_before(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    not_good_before(situation, attribution).or_else(|| may_have_been_missed(situation, attribution))
}

/// For a merge every SLO has a good baseline, not only the one that breached first: they are different eyes on the same service.
fn not_good_before(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let service = &situation.service;
    service.policy.judged().find_map(|slo| match slo::baseline(slo, service.rounds(&slo.name), earliest_apply(attribution)?) {
        Baseline::Good { .. } => worse_before(slo, service.rounds(&slo.name), earliest_apply(attribution)?, attribution.onset.by),
        Baseline::NotGood { sentence } => Some(refuse(
            RefusalCode::MayHaveBegunBefore,
            format!("`{}` was not good for long enough before the change was applied: {sentence}.", slo.name),
        )),
    })
}

/// Refuses where the rounds just before the change was applied were worse than usual, although they were good.
fn worse_before(slo: &Slo, rounds: &[Round], applied: Timestamp, onset: Timestamp) -> Option<Refusal> {
    let ended = rounds.partition_point(|round| round.end < applied);
    let (earlier, last) = rounds.get(..ended)?.split_at(ended.saturating_sub(slo.baseline_rounds()));
    let from = applied - USUAL;
    let usual = &earlier[earlier.partition_point(|round| round.start < from)..];
    let straddling = rounds.get(ended).filter(|round| round.start < applied);
    // Not by the newest round: one that was not measured is of no kind.
    let worse = if slo.counts_events() {
        let share = share_since(slo, &rounds[(ended + 1).min(rounds.len())..]);
        counts_worse(slo, usual, last, straddling.map(|round| (round, applied, share)))
    } else {
        values_worse(slo, usual, last).or_else(|| climb::reaches_limit(slo, rounds, applied, onset))
    }?;
    Some(refuse(RefusalCode::MayHaveBegunBefore, format!("`{}` was worse than usual before the change was applied: {worse}.", slo.name)))
}

/// Of the last rounds, any number up to the change.
fn counts_worse(slo: &Slo, usual: &[Round], last: &[Round], straddling: Option<(&Round, Timestamp, f64)>) -> Option<String> {
    // What was not measured counts as the best round there can have been.
    let most = usual.iter().filter_map(|round| events(slo, round)).map(|sum| sum.total).fold(1.0, f64::max);
    let mut before = Sum::default();
    for round in usual {
        add(&mut before, events(slo, round).unwrap_or(Sum { bad: 0.0, total: most }));
    }
    let mut since = Sum::default();
    if let Some((round, applied, share)) = straddling {
        let Some(sum) = events(slo, round) else { return Some("the round in which it was applied was not measured".to_owned()) };
        add(&mut since, before_within(sum, round, applied, share));
    }
    let mut worst = Sides { before, since };
    for round in last.iter().rev() {
        let sides = Sides { before, since };
        if sides.likelihood_ratio() > worst.likelihood_ratio() {
            worst = sides;
        }
        add(&mut since, events(slo, round).unwrap_or_default());
    }
    let whole = Sides { before, since };
    let worst = if whole.likelihood_ratio() > worst.likelihood_ratio() { whole } else { worst };
    (worst.likelihood_ratio() > CHI_SQUARED_98).then(|| {
        let Sides { before, since } = worst;
        format!(
            "{} of {} failed just before it and {} of {} in the hour before",
            count(since.bad),
            count(since.total),
            count(before.bad),
            count(before.total)
        )
    })
}

/// The highest share of failures that the change may have had in the round in which it was applied: that of the whole rounds after it, at 95 %
/// (Wilson). A change does no more harm in its first seconds than it does later. What was not measured counts as good.
fn share_since(slo: &Slo, after: &[Round]) -> f64 {
    let known: Vec<Option<Sum>> = after.iter().map(|round| events(slo, round)).collect();
    let most = known.iter().flatten().map(|sum| sum.total).fold(1.0, f64::max);
    let mut all = Sum::default();
    for sum in known {
        add(&mut all, sum.unwrap_or(Sum { bad: 0.0, total: most }));
    }
    all.wilson_upper()
}

/// What of a round must have been before a moment inside it: failures that are too many for the part after it, of which at most `share` fail.
fn before_within(sum: Sum, round: &Round, moment: Timestamp, share: f64) -> Sum {
    let length = round.end.since(round.start).as_secs_f64().max(f64::EPSILON);
    let after = sum.total * round.end.since(moment).as_secs_f64() / length;
    // As many failures as there can be in that part, at 99 % (Poisson, by the normal distribution).
    let failures = after * share;
    let most_after = failures + NORMAL_99 * failures.sqrt() + 1.0;
    Sum { bad: (sum.bad - most_after).max(0.0), total: (sum.total - after).max(0.0) }
}

/// The last round up to the change worse than any of the hour before: with sixty of those that is a chance of 1 in 60. Or the middle one of the
/// last rounds worse than that of any as long stretch of the hour: a slow climb hides in the noise of single rounds, and not in their middle.
fn values_worse(slo: &Slo, usual: &[Round], last: &[Round]) -> Option<String> {
    let badness = |round: &Round| reading::readings(slo, std::slice::from_ref(round)).first().and_then(|reading| reading.badness);
    // Rounds that are only good or bad are no worse than good.
    if !matches!(last.last()?.outcome, Outcome::Value(_)) {
        return None;
    }
    let worst = usual.iter().filter_map(badness).fold(f64::NEG_INFINITY, f64::max);
    if last.iter().rev().find_map(badness)? > worst {
        return Some("the last round was worse than any in the hour before".to_owned());
    }
    // A stretch that was not wholly measured says nothing: without it the others have a lower worst.
    let middle = |rounds: &[Round]| rank::median(&rounds.iter().map(badness).map(|known| known.map(Some)).collect::<Option<Vec<_>>>()?);
    let worst = usual.windows(last.len()).filter_map(middle).fold(f64::NEG_INFINITY, f64::max);
    (middle(last)? > worst).then(|| format!("the last {} rounds were worse than any {0} in a row in the hour before", last.len()))
}

/// Refuses where no SLO excludes that the fault was there already, unseen, in the last round before the change was applied.
fn may_have_been_missed(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let service = &situation.service;
    let applied = earliest_apply(attribution)?;
    let cut = newest_change(service, &situation.landings);
    let mut best: Option<(f64, &Slo, Sides)> = None;
    for slo in &service.policy.slos {
        let rounds = service.rounds(&slo.name);
        let Some(onset) = slo::onset(slo, rounds, slo::last_healthy(slo, rounds, cut)) else { continue };
        let Some(sides) = sides(slo, rounds, onset.interval, applied) else { continue };
        let ratio = sides.likelihood_ratio();
        if best.as_ref().is_none_or(|(known, ..)| ratio > *known) {
            best = Some((ratio, slo, sides));
        }
    }
    let why = match best {
        Some((ratio, ..)) if ratio > CHI_SQUARED_98 => return None,
        Some((_, slo, Sides { before, since })) => format!(
            "`{}` failed {} of {} since it began, and {} of {} from the last round before the change on",
            slo.name,
            count(since.bad),
            count(since.total),
            count(before.bad),
            count(before.total)
        ),
        None => "no round says otherwise".to_owned(),
    };
    Some(refuse(
        RefusalCode::MayHaveBegunUnseen,
        format!("The trouble may have begun before the change was applied and not have been seen: {why}."),
    ))
}

pub(super) fn earliest_apply(attribution: &Attribution) -> Option<Timestamp> {
    let suspects = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    suspects.filter_map(|candidate| candidate.applied).map(Interval::earliest).min()
}

/// What failed before and since the onset.
struct Sides {
    before: Sum,
    since: Sum,
}

/// From the last round that ended before the change can have been applied up to the onset, and since; `None` where one of the former was not
/// measured.
fn sides(slo: &Slo, rounds: &[Round], onset: Interval, applied: Timestamp) -> Option<Sides> {
    let last_before = rounds.partition_point(|round| round.end < applied).checked_sub(1)?;
    // What lies between the last good round and the first bad one was not measured: it is of those since, as if it had been good.
    let first_since = rounds.partition_point(|round| round.start <= onset.earliest());
    let mut before = Sum::default();
    for round in rounds.get(last_before..first_since)? {
        add(&mut before, events(slo, round)?);
    }
    let since: Vec<Option<Sum>> = rounds.get(first_since..)?.iter().map(|round| events(slo, round)).collect();
    let most = since.iter().flatten().map(|sum| sum.total).fold(1.0, f64::max);
    let since = since.into_iter().map(|sum| sum.unwrap_or(Sum { bad: 0.0, total: most }));
    Some(Sides {
        before,
        since: since.fold(Sum::default(), |mut all, sum| {
            add(&mut all, sum);
            all
        }),
    })
}

fn add(all: &mut Sum, sum: Sum) {
    (all.bad, all.total) = (all.bad + sum.bad, all.total + sum.total);
}

/// The events of a round; `None` where it was not measured.
fn events(slo: &Slo, round: &Round) -> Option<Sum> {
    if let Outcome::Counts { good, total } = &round.outcome {
        return Some(window::counts(good.0, total.0));
    }
    match slo::quality(slo, round) {
        Quality::Bad => Some(Sum { bad: 1.0, total: 1.0 }),
        Quality::Good => Some(Sum { bad: 0.0, total: 1.0 }),
        Quality::Neither => Some(Sum::default()),
        Quality::Unknown => None,
    }
}

impl Sides {
    fn likelihood_ratio(&self) -> f64 {
        likelihood_ratio(self.before, self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::{Indicator, Objective, PrometheusQuery, Ratio, sample};
    use crate::engine::round::{Decimal, Unknown};

    const MINUTE: i64 = 60;
    /// The change is applied in the middle of the round after so many.
    const ROUNDS: i64 = 60;

    fn slo() -> Slo {
        let objective = Objective { target: Some(Ratio(900_000_000)), max: None, min: None, time_window: None };
        let query = PrometheusQuery::Ratio { good: "good".to_owned(), total: "total".to_owned() };
        sample::measured("errors", Duration::from_secs(60), query, objective)
    }

    fn round(number: i64, outcome: Outcome) -> Round {
        Round { start: Timestamp::from_secs(number * MINUTE), end: Timestamp::from_secs((number + 1) * MINUTE), outcome }
    }

    fn failed(number: i64, bad: f64) -> Round {
        round(number, Outcome::Counts { good: Decimal(600.0 - bad), total: Decimal(600.0) })
    }

    /// An hour in which hardly anything fails, and then these.
    fn counts(then: &[f64]) -> Vec<Round> {
        let usual = (0..ROUNDS).map(|number| failed(number, f64::from(u8::from(number % 4 == 0))));
        usual.chain(then.iter().zip(ROUNDS..).map(|(bad, number)| failed(number, *bad))).collect()
    }

    fn applied() -> Timestamp {
        Timestamp::from_secs(ROUNDS * MINUTE + MINUTE / 2)
    }

    fn is_worse(rounds: &[Round]) -> bool {
        worse_before(&slo(), rounds, applied(), applied()).is_some()
    }

    #[test]
    fn rounds_under_the_limit_that_are_worse_than_usual_may_be_the_beginning() {
        let mut rounds = counts(&[0.0, 200.0]);
        assert!(!is_worse(&rounds), "as always");
        rounds[ROUNDS as usize - 1] = failed(ROUNDS - 1, 12.0);
        let refusal = worse_before(&slo(), &rounds, applied(), applied()).unwrap();
        assert_eq!(refusal.code, RefusalCode::MayHaveBegunBefore);
        assert_eq!(
            refusal.sentence,
            "`errors` was worse than usual before the change was applied: 12 of 900 failed just before it and 13 of 32400 in the hour before."
        );
    }

    /// Regression: the newest round said by which rule the others were compared, and one that was not measured chose that of values.
    #[test]
    fn a_newest_round_that_was_not_measured_hides_no_beginning() {
        let mut rounds = counts(&[0.0, 200.0]);
        rounds[ROUNDS as usize - 1] = failed(ROUNDS - 1, 12.0);
        assert!(is_worse(&rounds));
        rounds[ROUNDS as usize + 1] = round(ROUNDS + 1, Outcome::Unknown(Unknown::NoData));
        assert!(is_worse(&rounds));
    }

    #[test]
    fn failures_that_do_not_fit_behind_the_change_were_before_it() {
        assert!(!is_worse(&counts(&[300.0, 600.0])), "everything fails since the middle of the round");
        assert!(is_worse(&counts(&[400.0, 600.0])), "more than the half");
        assert!(is_worse(&counts(&[60.0, 60.0, 60.0])), "a tenth fails since, so that half of the failures were before the middle");
        let mut rounds = counts(&[0.0, 600.0]);
        rounds[ROUNDS as usize] = round(ROUNDS, Outcome::Unknown(Unknown::NoData));
        assert!(is_worse(&rounds), "what was not measured is no evidence");
    }

    #[test]
    fn a_value_that_was_never_so_high_may_be_the_beginning() {
        let value = |number: i64, value: f64| round(number, Outcome::Value(Decimal(value)));
        let mut slo = slo();
        if let Indicator::Prometheus(indicator) = &mut slo.indicator {
            indicator.query = PrometheusQuery::Value("latency".to_owned());
        }
        slo.objective = Objective { target: None, max: Some(Decimal(0.3)), min: None, time_window: None };
        let mut rounds: Vec<Round> = (0..=ROUNDS).map(|number| value(number, 0.1 + 0.001 * (number % 7) as f64)).collect();
        assert_eq!(worse_before(&slo, &rounds, applied(), applied()), None);
        rounds[ROUNDS as usize - 1] = value(ROUNDS - 1, 0.2);
        assert!(worse_before(&slo, &rounds, applied(), applied()).is_some());
        // A climb of twenty minutes, with one high round half an hour ago that hides its end.
        let mut rounds: Vec<Round> = (0..=ROUNDS).map(|number| value(number, 0.1 + 0.005 * (number - 40).max(0) as f64)).collect();
        rounds[30] = value(30, 0.25);
        assert!(worse_before(&slo, &rounds, applied(), applied()).unwrap().sentence.contains("the last 5 rounds were worse"), "{rounds:?}");
    }

    /// How likely it is that a probe was only lucky before the change.
    fn ratio(since: &[Outcome]) -> f64 {
        let before = (0..ROUNDS).map(|number| round(number, Outcome::Good("200".to_owned())));
        let rounds: Vec<Round> = before.chain(since.iter().zip(ROUNDS..).map(|(outcome, number)| round(number, outcome.clone()))).collect();
        let onset = Interval { after: Some(Timestamp::from_secs((ROUNDS - 1) * MINUTE)), by: Timestamp::from_secs((ROUNDS + 1) * MINUTE) };
        sides(&slo(), &rounds, onset, applied()).unwrap().likelihood_ratio()
    }

    #[test]
    fn a_probe_must_fail_often_enough_to_tell_that_it_was_not_lucky_before() {
        let bad = || Outcome::Bad("503".to_owned());
        assert!(ratio(&vec![bad(); 5]) < CHI_SQUARED_98);
        assert!(ratio(&vec![bad(); 6]) > CHI_SQUARED_98);
        let mut rounds = vec![bad(); 6];
        rounds[3] = Outcome::Good("200".to_owned());
        assert!(ratio(&rounds) < CHI_SQUARED_98, "one that fails now and then may have failed before");
        rounds[3] = Outcome::Unknown(Unknown::NoData);
        assert!(ratio(&rounds) < CHI_SQUARED_98, "what was not measured counts as good");
    }
}
