//! The same service elsewhere: what the other instances of a policy say about its suspects (design §7).
//!
//! An instance that has not applied a change is the best negative control that there is: the same code under the same kind of load, without
//! the change. Where it is healthy, that is named beside the suspect. Where it begins to fail in the same minutes, what both share is the
//! likelier cause, and nothing is done. One that failed before it had the change, or runs the change and is well, leaves open what it was; people
//! look at that.
//! Rounds that were not measured speak against acting in each of these roles (promise P2).

use std::time::Duration;

use super::attribution::{Attribution, applied_fact};
use super::fate::{self, Trouble};
use super::id::CommitId;
use super::landing::{self, Landing};
use super::policy::Slo;
use super::situation::{ServiceEvidence, Situation};
use super::slo::{Quality, quality};
use super::sync::applied::AppliedFact;
use super::time::{Interval, Timestamp};

/// So many bad rounds since a change was applied tell that it does not run well: one is chance.
const TELLING_BAD: usize = 2;

/// What one other instance says about the suspects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// It had not applied them, and is healthy.
    HealthyWithout {
        /// When it said so for the last time; `None`: after the breach had begun.
        at: Option<Timestamp>,
    },
    /// It is in trouble since around the onset, and said before that it had not applied them: its next answer tells more.
    NotHeardYet {
        /// When it said so for the last time.
        at: Timestamp,
    },
    /// It began to fail around the onset, and had not applied them by then.
    FailsWithout,
    /// It is in trouble since around the onset without them, or was not measured since, and it is too early to tell what it comes to.
    UndecidedWithout,
    /// It was in trouble before it had them.
    FailedBefore,
    /// It has run them for longer than a baseline and does not fail, as far as is known.
    RunsWellWith {
        /// When it had applied the last of them.
        since: Timestamp,
    },
    /// Nothing.
    Nothing,
}

/// What every other instance of the breaching policy says about the suspects, in the order of the policy.
pub fn elsewhere<'a>(situation: &'a Situation, attribution: &Attribution) -> Vec<(&'a ServiceEvidence, Says)> {
    let landings: Vec<&Landing> = situation.suspected_landings(attribution).collect();
    if landings.is_empty() {
        return Vec::new();
    }
    situation.elsewhere.iter().map(|other| (&**other, says(other, &landings, attribution.onset, situation.now))).collect()
}

fn says(other: &ServiceEvidence, landings: &[&Landing], onset: Interval, now: Timestamp) -> Says {
    let lacks = |at: Timestamp| landings.iter().all(|landing| was_absent(other, landing, at));
    let (trouble, began) = if fate::known_before(other, onset) { fate::trouble(other, onset, now) } else { (Trouble::None, None) };
    match (trouble, began) {
        (Trouble::Failing, Some(began)) if lacks(began) => return Says::FailsWithout,
        (Trouble::Undecided, Some(began)) if lacks(began) => return Says::UndecidedWithout,
        // Its rounds since then are not there yet.
        (Trouble::Undecided, None) if lacks(onset.by) => return Says::UndecidedWithout,
        _ if failed_before(other, landings, onset) => return Says::FailedBefore,
        (Trouble::None, _) if lacks(onset.by) && is_healthy(other, onset) => return Says::HealthyWithout { at: None },
        _ => {}
    }
    if let Some(at) = landings.iter().filter_map(|landing| lacked_at(other, landing)).min() {
        return match trouble {
            Trouble::None if is_healthy(other, onset) => Says::HealthyWithout { at: Some(at) },
            Trouble::None => Says::Nothing,
            Trouble::Undecided | Trouble::Failing => Says::NotHeardYet { at },
        };
    }
    match landings.iter().map(|landing| runs_since(other, landing)).collect::<Option<Vec<Timestamp>>>() {
        Some(since) => runs_well(other, since, now),
        None => Says::Nothing,
    }
}

/// Whether a commit is not in the cluster of another instance, as far as is known.
pub(super) fn lacks(other: &ServiceEvidence, landings: &[Landing], commit: CommitId) -> bool {
    landing::landing_of(landings, &other.policy.repository, commit)
        .is_some_and(|landing| matches!(applied_fact(other, landing), None | Some(AppliedFact::NotYet { .. })))
}

/// Whether it is known that a landing was not in the cluster at a time.
fn was_absent(other: &ServiceEvidence, landing: &Landing, at: Timestamp) -> bool {
    match applied_fact(other, landing) {
        None => true,
        Some(AppliedFact::NotYet { until }) => at <= until,
        Some(AppliedFact::At { applied, .. }) => applied.after.is_some_and(|after| at <= after),
        Some(AppliedFact::Unknown { after, .. } | AppliedFact::Broke { after, .. }) => after.is_some_and(|after| at <= after),
    }
}

/// When the sync source said for the last time that a landing is not there, where that is the newest that it said.
fn lacked_at(other: &ServiceEvidence, landing: &Landing) -> Option<Timestamp> {
    match applied_fact(other, landing)? {
        AppliedFact::NotYet { until } => Some(until),
        AppliedFact::At { .. } | AppliedFact::Unknown { .. } | AppliedFact::Broke { .. } => None,
    }
}

/// Whether every SLO was measured before the breach and since, and every round since then was good.
fn is_healthy(other: &ServiceEvidence, onset: Interval) -> bool {
    let is_good = |slo: &Slo| {
        let rounds = other.rounds(&slo.name).iter().filter(|round| round.end > onset.by);
        let mut qualities = rounds.map(|round| quality(slo, round)).filter(|quality| *quality != Quality::Neither).peekable();
        qualities.peek().is_some() && qualities.all(|quality| quality == Quality::Good)
    };
    fate::known_before(other, onset) && other.policy.slos.iter().all(is_good)
}

/// Whether it was in trouble when the breach began, or when the first of the landings came to it if that was earlier.
fn failed_before(other: &ServiceEvidence, landings: &[&Landing], onset: Interval) -> bool {
    let came = landings.iter().filter_map(|landing| match applied_fact(other, landing)? {
        AppliedFact::At { applied, .. } => Some(applied.earliest()),
        AppliedFact::NotYet { .. } | AppliedFact::Unknown { .. } | AppliedFact::Broke { .. } => None,
    });
    let until = came.chain([onset.earliest()]).min().unwrap_or(onset.earliest());
    fate::known_before(other, onset) && fate::was_in_trouble(other, until)
}

/// Since when a landing is in the cluster, where it is known to be.
fn runs_since(other: &ServiceEvidence, landing: &Landing) -> Option<Timestamp> {
    match applied_fact(other, landing)? {
        AppliedFact::At { applied, left: None, gaps } => Some(gaps.last().map_or(applied, |gap| gap.again).by),
        AppliedFact::At { left: Some(_), .. } | AppliedFact::NotYet { .. } | AppliedFact::Unknown { .. } | AppliedFact::Broke { .. } => {
            None
        }
    }
}

fn runs_well(other: &ServiceEvidence, since: Vec<Timestamp>, now: Timestamp) -> Says {
    let Some(since) = since.into_iter().max() else { return Says::Nothing };
    let baseline = other.policy.slos.iter().map(Slo::baseline_length).max().unwrap_or(Duration::MAX);
    let bad = |slo: &Slo| {
        let rounds = other.rounds(&slo.name).iter().filter(|round| round.end > since);
        rounds.filter(|round| quality(slo, round) == Quality::Bad).count()
    };
    let is_well = other.policy.slos.iter().all(|slo| bad(slo) < TELLING_BAD);
    if is_well && now.since(since) > baseline { Says::RunsWellWith { since } } else { Says::Nothing }
}

/// What is said beside a suspect; empty where the policy has one instance, or the others say nothing.
pub fn remarks(situation: &Situation, attribution: &Attribution) -> String {
    let remark = |(other, says): (&ServiceEvidence, Says)| {
        let place = other.place()?.words();
        Some(match says {
            Says::HealthyWithout { at: None } => format!("; {place} had not applied it when the breach began and is healthy"),
            Says::HealthyWithout { at: Some(at) } => format!("; {place} had not applied it at {at} and is healthy"),
            Says::NotHeardYet { at } => format!("; {place} had not applied it at {at}, and is in trouble as well"),
            Says::FailsWithout => format!("; {place} had not applied it and fails as well"),
            Says::UndecidedWithout => format!("; {place} had not applied it, and whether it fails as well cannot be told yet"),
            Says::RunsWellWith { since } => format!("; {place} runs it since {since} and does not fail"),
            Says::FailedBefore => format!("; {place} was in trouble before it had it"),
            Says::Nothing => return None,
        })
    };
    elsewhere(situation, attribution).into_iter().filter_map(remark).collect()
}

/// Why to wait: an instance without the suspects is in trouble as well, and nobody can tell yet whether that is chance.
pub fn too_early(situation: &Situation, attribution: &Attribution) -> Option<String> {
    let early = |(other, says): (&ServiceEvidence, Says)| {
        let place = other.place()?.words();
        match says {
            Says::UndecidedWithout => Some(format!(
                "{place} has not applied it, and had a bad round as well or was not measured since; it is too early to tell whether it is the change."
            )),
            Says::NotHeardYet { at } => Some(format!(
                "{place} is in trouble as well and had not applied it at {at}; it is waited for what its sync source says since."
            )),
            Says::HealthyWithout { .. } | Says::FailsWithout | Says::FailedBefore | Says::RunsWellWith { .. } | Says::Nothing => None,
        }
    };
    elsewhere(situation, attribution).into_iter().find_map(early)
}

#[cfg(test)]
mod tests;
