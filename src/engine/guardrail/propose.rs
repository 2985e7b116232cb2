//! May it be proposed: the mode, the controls, shared fate, the suspects and the propose budget (design §8, first gate).

use std::time::Duration;

use super::beginning::earliest_apply;
use super::instances::fails_without_it;
use super::load::load_changed;
use super::lost;
use super::usual::same_hour_before_alone;
use super::{Refusal, RefusalCode, over, push_failed, refuse, suspects, switches};
use crate::engine::attribution::{Attribution, Candidate, Standing, applied_fact, baseline, newest_change};
use crate::engine::consent::Silence;
use crate::engine::fate::{SHARED_FATE_SERVICES, SHARED_FATE_WINDOW, SIGNIFICANCE, shared_fate, usual_starts};
use crate::engine::policy::{AlertRule, Guardrails, Mode, Slo};
use crate::engine::round::{Outcome, Round};
use crate::engine::situation::{ProposalBranch, Situation};
use crate::engine::slo::{self, Baseline, Quality};
use crate::engine::sync::applied::AppliedFact;
use crate::engine::time::{Timestamp, spoken};

/// Why it may not be proposed; empty when it may.
pub fn may_propose(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let mut refusals = switches(situation);
    refusals.extend(mode_observe(situation));
    refusals.extend(maintenance(&situation.service.policy.guardrails, situation.now));
    refusals.extend(controls(situation, attribution));
    refusals.extend(outage(situation, attribution));
    refusals.extend(no_suspect(situation, attribution));
    if !attribution.suspects.is_empty() {
        refusals.extend(healthy_before(situation, attribution));
        refusals.extend(suspects_may_be_undone(situation, attribution));
        refusals.extend(propose_budget(situation));
        refusals.extend(push_failed(situation));
        refusals.extend(dependency_fails(situation, attribution));
        refusals.extend(load_changed(situation, attribution));
        refusals.extend(same_hour_before_alone(situation, attribution));
        refusals.extend(lost::not_told(situation, attribution));
        refusals.extend(unstable(situation, attribution, UNSTABLE_STARTS));
        refusals.extend(fails_without_it(situation, attribution));
    }
    refusals
}

/// The lowest of the policy's mode and every ceiling, with whose it is.
pub fn effective_mode(situation: &Situation) -> (Mode, String) {
    let written = written_mode(situation);
    let of_alerts = slo::alerts::ceiling(&situation.service, &situation.landings, situation.now);
    of_alerts.filter(|of_alerts| of_alerts.0 < written.0).unwrap_or(written)
}

/// The same without the alerts that happen to fire.
fn written_mode(situation: &Situation) -> (Mode, String) {
    let policy = &situation.service.policy;
    let own = match policy.revert.mode {
        Mode::Propose if silence_merges(situation) => (Mode::Merge, format!("`ifSilent` of the policy `{}`", policy.name)),
        mode => (mode, format!("the policy `{}`", policy.name)),
    };
    let ceilings = situation.ceilings.iter().map(|ceiling| (ceiling.max_mode, ceiling.of.clone()));
    ceilings.fold(own, |lowest, ceiling| if ceiling.0 < lowest.0 { ceiling } else { lowest })
}

/// Which code says that the mode is below `wanted`: `written`, or the alert's where one that does not fire now may go that far.
pub(super) fn mode_code(situation: &Situation, wanted: Mode, written: RefusalCode) -> RefusalCode {
    let highest = situation.service.policy.slos.iter().flat_map(Slo::alerts).map(|alert| alert.up_to).max();
    let may_reach_it = written_mode(situation).0 >= wanted && highest.is_some_and(|highest| highest >= wanted);
    if may_reach_it { RefusalCode::AlertUpTo } else { written }
}

/// Whether nobody has answered for so long that the policy's own mode counts as `merge`. Every ceiling still holds.
fn silence_merges(situation: &Situation) -> bool {
    let rule = situation.service.policy.approval.if_silent.filter(|rule| rule.then == Silence::Merge);
    let since = situation.proposal.as_ref().and_then(|proposal| proposal.silent_since);
    matches!((rule, since), (Some(rule), Some(since)) if situation.now.since(since) >= rule.after)
}

fn mode_observe(situation: &Situation) -> Option<Refusal> {
    let (mode, whose) = effective_mode(situation);
    (mode == Mode::Observe).then(|| {
        let code = mode_code(situation, Mode::Propose, RefusalCode::ModeObserve);
        refuse(code, format!("The mode is `observe`, by {whose}: incidents are only recorded."))
    })
}

/// A maintenance window is open, or cannot be read: what breaches in it says nothing about a change (catalogue of failures E9).
pub(super) fn maintenance(guardrails: &Guardrails, now: Timestamp) -> Option<Refusal> {
    guardrails.maintenance.iter().find_map(|window| {
        let sentence = match window.open_until(now) {
            Ok(None) => return None,
            Ok(Some(until)) => format!("A maintenance window is open: {window}, until {until}; breaches are expected in it."),
            Err(error) => format!("The maintenance window {window} cannot be read, which counts as open: {error}."),
        };
        Some(refuse(RefusalCode::Maintenance, sentence))
    })
}

/// Every control must have answered since shortly before the onset, and lately (E3). One answer that was lost and followed by two good ones
/// cut nobody off; for a merge every one of them must be there.
fn controls(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    controls_failing(situation, attribution, LostAnswers::One)
}

/// The same for a merge.
pub(super) fn every_control(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    controls_failing(situation, attribution, LostAnswers::None)
}

/// How many answers a control may have lost since the breach began.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LostAnswers {
    None,
    One,
}

/// So many good answers after one that was lost say that the agent is not cut off.
const ANSWERS_SINCE: usize = 2;

fn controls_failing(situation: &Situation, attribution: &Attribution, lost: LostAnswers) -> Option<Refusal> {
    let from = attribution.onset.earliest();
    let failing: Vec<String> = situation
        .controls
        .iter()
        .filter_map(|control| {
            let recent: Vec<_> = control.rounds.iter().filter(|round| round.end > from).collect();
            let is_bad = |round: &&&Round| !matches!(round.outcome, Outcome::Good(_));
            let bad: Vec<_> = recent.iter().filter(is_bad).collect();
            let lately = recent.iter().rev().take(ANSWERS_SINCE).any(|round| is_bad(&round));
            let is_failing = if lost == LostAnswers::One { bad.len() > 1 || lately } else { !bad.is_empty() };
            let stale = recent.last().is_none_or(|round| situation.now.since(round.end) > control.every * 3);
            match (bad.last().filter(|_| is_failing), stale) {
                (Some(round), _) => Some(format!("{} ({})", control.name, round.outcome.words())),
                (None, true) => Some(format!("{} (no recent answer)", control.name)),
                (None, false) => None,
            }
        })
        .collect();
    (!failing.is_empty()).then(|| {
        refuse(
            RefusalCode::ControlsFailing,
            format!(
                "{} of {} controls did not answer as they should since the breach began: {}. The agent itself may be cut off.",
                failing.len(),
                situation.controls.len(),
                failing.join(", ")
            ),
        )
    })
}

fn outage(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let fate = shared_fate(situation, attribution);
    fate.is_outage().then(|| {
        let failing = fate.untouched_breaching.len();
        let limit = if fate.are_many(failing) {
            format!("limit {SHARED_FATE_SERVICES}, and a quarter of the {} untouched", fate.untouched)
        } else {
            format!(
                "of the {} untouched {:.2} begin to fail in so long a time as a rule; {failing} of them by chance: p = {:.3}, limit {SIGNIFICANCE}",
                fate.untouched,
                fate.usual,
                fate.chance(failing)
            )
        };
        refuse(
            RefusalCode::SharedFate,
            format!(
                "{} of {} services breach within {} of each other, {failing} of them untouched by any change in the window ({limit}): this looks \
                 like an outage of something that they share, not like a commit.",
                fate.breaching,
                fate.services,
                spoken(SHARED_FATE_WINDOW),
            ),
        )
    })
}

/// A service that it needs began to fail with it: that one's incident tells who did it.
fn dependency_fails(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let fate = shared_fate(situation, attribution);
    let needed = fate.needed_failing.first()?;
    Some(refuse(
        RefusalCode::DependencyFails,
        format!(
            "`{}` needs `{needed}`, which is in trouble since the same minutes; what is wrong is decided there.",
            situation.service.policy.name
        ),
    ))
}

fn no_suspect(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    if !attribution.suspects.is_empty() {
        return None;
    }
    if let Some(waiting) = not_applied_yet(situation, attribution) {
        let id = waiting.commit.short();
        let sentence = format!("The breach began {}, and {id} was not in the cluster yet: {}.", attribution.onset, waiting.because);
        return Some(refuse(RefusalCode::BreachBeforeChange, sentence));
    }
    let name = &situation.service.policy.name;
    let early = attribution.candidates.iter().find(|candidate| {
        candidate.standing == Standing::RuledOut
            && candidate.touches.contains(name)
            && candidate.applied.is_some_and(|applied| attribution.onset.by < applied.earliest())
    });
    Some(match early {
        Some(candidate) => refuse(
            RefusalCode::BreachBeforeChange,
            format!(
                "The breach began {}, before {} can have been applied ({}).",
                attribution.onset,
                candidate.commit.short(),
                candidate.applied.unwrap_or(candidate.landed)
            ),
        ),
        None => refuse(
            RefusalCode::NoSuspect,
            format!(
                "None of the {} changes since {} before the breach touches `{name}` and can have done it.",
                attribution.candidates.len(),
                spoken(situation.service.policy.revert.attribute_within)
            ),
        ),
    })
}

/// A change of the service that a sync source rules out, because it was not applied yet.
fn not_applied_yet<'a>(situation: &Situation, attribution: &'a Attribution) -> Option<&'a Candidate> {
    let service = &situation.service;
    let waits = |candidate: &&Candidate| {
        let fact = situation.landing_of(candidate.commit).and_then(|landing| applied_fact(service, landing));
        candidate.touches.contains(&service.policy.name) && matches!(fact, Some(AppliedFact::NotYet { .. }))
    };
    attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::RuledOut).find(waits)
}

/// A service that began to fail more often than this in the two hours before says nothing by failing again: once in half an hour.
const UNSTABLE_STARTS: usize = 4;

/// The service began to fail more than `most` times in the two hours before the suspects were applied (E1). Rounds that were not measured
/// count as bad.
pub(super) fn unstable(situation: &Situation, attribution: &Attribution, most: usize) -> Option<Refusal> {
    let suspects = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let applied = suspects.map(|candidate| candidate.applied.unwrap_or(candidate.landed).earliest()).min()?;
    let starts = usual_starts(&situation.service, applied);
    (starts > most).then(|| {
        refuse(
            RefusalCode::Unstable,
            format!(
                "`{}` began to fail {starts} times in the two hours before the change (limit {most}); that it fails says little.",
                situation.service.policy.name
            ),
        )
    })
}

/// For a merge: the alert of an SLO would be expected to fire by chance at the rate of bad rounds in the hour before the suspects were applied
/// (E1). Where one round of four is bad, three of five soon are. Rounds that were not measured count as bad.
pub(super) fn bad_by_chance(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let service = &situation.service;
    let suspects = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let applied = suspects.map(|candidate| candidate.applied.unwrap_or(candidate.landed).earliest()).min()?;
    service.policy.slos.iter().find_map(|slo| {
        let AlertRule::Failing { count, of } = slo.alert.rule else { return None };
        let rounds = service.rounds(&slo.name);
        let ended = &rounds[..rounds.partition_point(|round| round.end < applied)];
        let hour = &ended[ended.partition_point(|round| round.end < applied - CHANCE_BEFORE)..];
        let is_bad = |round: &Round| matches!(slo::quality(slo, round), Quality::Bad | Quality::Unknown);
        // One incident lately says little: the worst quarter of an hour is left out.
        let mut bad_before = vec![0];
        for round in hour {
            bad_before.push(bad_before[bad_before.len() - 1] + usize::from(is_bad(round)));
        }
        let until = |from: usize| hour.partition_point(|round| round.end <= hour[from].end + FORGIVEN);
        let worst = (0..hour.len()).map(|from| bad_before[until(from)] - bad_before[from]).max().unwrap_or_default();
        let bad = bad_before[hour.len()] - worst;
        let share = (bad as f64 + 0.5) / (hour.len() as f64 + 1.0);
        let expected = hour.len() as f64 * at_least(count, of, share);
        (bad >= count.max(2) as usize && expected > CHANCE).then(|| {
            refuse(
                RefusalCode::Unstable,
                format!(
                    "{bad} of {} rounds of `{}` were bad in the hour before the change, beside the worst quarter of it; so {count} of {of} are by chance.",
                    hour.len(),
                    slo.name
                ),
            )
        })
    })
}

/// The rate of bad rounds is that of so long a time.
const CHANCE_BEFORE: Duration = Duration::from_secs(3600);
/// So long a stretch of it is left out.
const FORGIVEN: Duration = Duration::from_secs(900);
/// As many false alarms in that time are too many.
const CHANCE: f64 = 0.05;

/// The probability that at least `count` of `of` rounds are bad, where each is with the probability `share` (binomial).
fn at_least(count: u32, of: u32, share: f64) -> f64 {
    let mut term = (1.0 - share).powi(i32::try_from(of).unwrap_or(i32::MAX));
    let mut fewer = 0.0;
    for bad in 0..count.min(of) {
        fewer += term;
        term *= f64::from(of - bad) / f64::from(bad + 1) * share / (1.0 - share);
    }
    (1.0 - fewer).max(0.0)
}

/// A healthy baseline stood before the earliest landing in the window (E5).
fn healthy_before(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    match baseline(situation, attribution) {
        Some((_, Baseline::Good { .. })) => began_unmeasured(situation, attribution),
        Some((slo, Baseline::NotGood { sentence })) => {
            Some(refuse(RefusalCode::NoBaseline, format!("No healthy baseline of `{}` stands before the change: {sentence}.", slo.name)))
        }
        None => Some(refuse(RefusalCode::NoBaseline, "No healthy baseline stands before the change.")),
    }
}

/// Another objective that was not measured right before the change, and was bad when it was measured again: it may have begun in between. One
/// that was never good before says nothing: it may always have been bad, and a merge has its own rule for that.
fn began_unmeasured(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let service = &situation.service;
    let applied = earliest_apply(attribution)?;
    let cut = newest_change(service, &situation.landings);
    let may_have = |slo: &&Slo| {
        let rounds = service.rounds(&slo.name);
        let onset = slo::onset(slo, rounds, slo::last_healthy(slo, rounds, cut));
        let begins_before = |onset: slo::Onset| onset.interval.after.is_some_and(|good| good + slo.every() * 2 < applied);
        let mut since = rounds[rounds.partition_point(|round| round.end < applied)..].iter().map(|round| slo::quality(slo, round));
        let is_bad_again = since.find(|quality| matches!(quality, Quality::Good | Quality::Bad)) == Some(Quality::Bad);
        onset.is_some_and(begins_before) && is_bad_again && slo::is_silent_before(slo, rounds, applied)
    };
    let slo = service.policy.judged().find(may_have)?;
    let sentence = format!(
        "`{}` was not measured right before the change, and was bad when it was measured again: it may have begun before.",
        slo.name
    );
    Some(refuse(RefusalCode::NoBaseline, sentence))
}

fn suspects_may_be_undone(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let policy = &situation.service.policy;
    let mut refusals = Vec::new();
    for (landing, change) in suspects(situation, attribution) {
        let id = change.id.short();
        if change.is_by_revertd() {
            refusals.push(refuse(RefusalCode::OwnRevert, format!("{id} is a revert by revertd; it is never reverted by revertd.")));
        }
        if let Some(line) = &change.opt_out {
            refusals.push(refuse(RefusalCode::OptedOut, format!("{id} asks for no automatic revert: `{line}`.")));
        }
        if let Some(why) = policy.guardrails.never.forbids(change) {
            refusals.push(refuse(RefusalCode::Irrevertible, format!("{id} is never reverted: {why}.")));
        }
        let age = situation.now.since(landing.landed.by);
        if age > policy.revert.max_age_propose {
            refusals.push(refuse(
                RefusalCode::TooOldToPropose,
                format!("{id} landed {} ago (limit {} to propose).", spoken(age), spoken(policy.revert.max_age_propose)),
            ));
        }
    }
    refusals
}

/// The propose budgets of the policy and of the repository, for a proposal that is not open yet.
pub fn propose_budget(situation: &Situation) -> Vec<Refusal> {
    // A proposal that is open has been counted when it was opened.
    if situation.proposal.as_ref().is_some_and(|proposal| proposal.branch == ProposalBranch::Present) {
        return Vec::new();
    }
    let policy = &situation.service.policy;
    let opened = |of_policy: bool| {
        situation
            .history
            .proposed
            .iter()
            .filter(move |proposal| proposal.repository == policy.repository && (!of_policy || proposal.policies.contains(&policy.name)))
            .map(|proposal| proposal.at)
            .collect::<Vec<_>>()
    };
    let mut refusals = over(
        RefusalCode::ProposeBudget,
        "proposals in the repository",
        &situation.repository_limits.propose,
        &opened(false),
        situation.now,
    );
    refusals.extend(over(
        RefusalCode::ProposeBudget,
        "proposals for the policy",
        &policy.guardrails.limits.propose,
        &opened(true),
        situation.now,
    ));
    refusals
}
