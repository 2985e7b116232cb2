//! A change that broke the sync itself (design §7; E6): the sync tool tries it and fails, what ran before runs on, and nothing that is merged
//! after it reaches the cluster.
//!
//! No round is bad of it, so what is judged here is what the sync source said and nothing that was measured. It is told by
//! [`AppliedFact::Broke`], which holds only while the newest answer of the source says so: a source that is silent, a try that is under way and
//! a failure that was there before the change accuse nobody.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attribution::{Attribution, Candidate, Standing, names};
use super::change::Change;
use super::id::{CommitId, PolicyName};
use super::incident::Incident;
use super::landing::Landing;
use super::policy::Policy;
use super::shared::Shared;
use super::situation::{ServiceEvidence, Situation};
use super::sync::applied::AppliedFact;
use super::sync::follow::{Finding, Followed};
use super::time::{Interval, Timestamp, spoken};
use super::verification::{Recovery, RecoveryStanding};

/// What broke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Broke {
    /// The service misses its objectives.
    #[default]
    Objectives,
    /// The sync fails; the service runs on with what was applied before.
    Sync,
}

/// What is done about a change that broke the sync itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnSyncFailure {
    /// Its revert is proposed, where the mode allows it. The default: until it is gone nothing that is merged is applied, a fix as little as a
    /// revert of something worse, and a proposal costs a look.
    #[default]
    Propose,
    /// Nothing; a sync that fails is only told. (No `off`: half of the tools that write YAML make a boolean of it.)
    Ignore,
}

/// A sync that a change of a service broke, as it is found.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokenSync {
    /// What the source said, in one sentence.
    pub sentence: String,
    /// Who is suspected.
    pub attribution: Attribution,
}

/// What the source says of one landing that it fails of.
struct Failure<'a> {
    landing: &'a Landing,
    since: Interval,
    tried: Option<CommitId>,
    before: CommitId,
    why: &'a str,
}

/// Finds the change of a service that its sync fails of. `policies` are all that may own something. `None` where the sync does not fail, fails
/// for another reason, was never seen to go before, or fails of changes that do not touch the service.
///
/// Of several landings that were first tried together, the newest that touches the service is suspected; the others are named.
pub fn find<'a>(
    service: &ServiceEvidence,
    landings: impl IntoIterator<Item = &'a Landing>,
    policies: impl Iterator<Item = &'a Policy>,
) -> Option<BrokenSync> {
    let repository = &service.policy.repository;
    let ours = landings.into_iter().filter(|landing| landing.repository == *repository);
    let failures: Vec<Failure<'_>> = ours.filter_map(|landing| failure(service, landing)).collect();
    let others: Vec<&Policy> = policies.filter(|policy| policy.repository == *repository && policy.name != service.policy.name).collect();
    let touched = |change: &Change| -> Vec<PolicyName> {
        let all = std::iter::once(&service.policy).chain(others.iter().copied());
        all.filter(|policy| change.touches(policy)).map(|policy| policy.name.clone()).collect()
    };
    let can_have_done_it = |change: &Change| !change.only_rewrites() && change.touches(&service.policy);
    let guilty = failures.iter().rposition(|failure| failure.landing.changes.iter().any(&can_have_done_it))?;
    let mut candidates = Vec::new();
    for (place, failure) in failures.iter().enumerate().rev() {
        candidates.extend(failure.landing.changes.iter().rev().map(|change| {
            let touches = touched(change);
            let (standing, because) = match (can_have_done_it(change), place == guilty) {
                (true, true) => (Standing::Suspect, format!("it touches {}, and {}", names(&touches), failure.words())),
                (true, false) => (Standing::AlsoPossible, format!("it touches {}, and was first tried with it", names(&touches))),
                (false, _) if change.only_rewrites() => (Standing::RuledOut, "it changes only comments or white space".to_owned()),
                (false, _) if touches.is_empty() => (Standing::Unmapped, "no policy owns its paths".to_owned()),
                (false, _) => (Standing::RuledOut, format!("it touches only {}", names(&touches))),
            };
            let landed = failure.landing.landed;
            Candidate {
                commit: change.id,
                subject: change.subject.clone(),
                landed,
                applied: None,
                touches,
                standing,
                because,
                evidence: None,
            }
        }));
    }
    let suspected = candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let suspects = suspected.map(|candidate| candidate.commit).collect();
    let failure = &failures[guilty];
    let attribution = Attribution { onset: failure.since, candidates, suspects, broke: Broke::Sync };
    Some(BrokenSync { sentence: format!("the sync fails since {}: {}", failure.since.by, failure.words()), attribution })
}

/// Why it is waited: the sync does not fail of the suspects now, or not for long enough to be more than a try that is repeated.
pub fn not_yet(situation: &Situation, attribution: &Attribution) -> Option<String> {
    let settle = situation.service.policy.revert.settle;
    let Some(failure) = failure_of(&situation.service, &situation.landings, attribution) else {
        return Some("The sync does not fail of it now: it is tried again, or the source does not tell.".to_owned());
    };
    let lasted = situation.now.since(failure.since.by);
    (lasted < settle).then(|| format!("The sync has failed for {}; that counts once it has lasted {}.", spoken(lasted), spoken(settle)))
}

/// Services whose sync of something else fails since the same time although no suspect touches them: then it is not the change that the
/// syncs fail of. `within` is how far apart they may have begun.
pub fn other_failures<'a>(situation: &'a Situation, attribution: &Attribution, within: Duration) -> Vec<&'a PolicyName> {
    let touched: Vec<&PolicyName> = attribution
        .candidates
        .iter()
        .filter(|candidate| attribution.suspects.contains(&candidate.commit))
        .flat_map(|candidate| &candidate.touches)
        .collect();
    let since = attribution.onset;
    let follows = |service: &ServiceEvidence| service.place().map(|instance| instance.sync.clone());
    let together = |other: Interval| other.earliest() <= since.by + within && since.earliest() <= other.by + within;
    let fails = |other: &&Shared<ServiceEvidence>| {
        let facts = other.applied.iter().flat_map(|facts| facts.values());
        facts.into_iter().any(|fact| matches!(fact, AppliedFact::Broke { since, .. } if together(*since)))
    };
    let mut others: Vec<&PolicyName> = situation
        .others
        .iter()
        .filter(|other| !touched.contains(&&other.policy.name) && follows(other) != follows(&situation.service))
        .filter(fails)
        .map(|other| &other.policy.name)
        .collect();
    others.sort_unstable();
    others.dedup();
    others
}

/// Whether the sync succeeds again with the suspects in it, as after a fix that somebody landed; the sentence says so.
pub fn succeeds_again(service: &ServiceEvidence, landings: &[Landing], attribution: &Attribution) -> Option<String> {
    let facts = service.applied.as_ref()?;
    let applied = landings_of(service, landings, attribution).map(|landing| match facts.get(&landing.to) {
        Some(AppliedFact::At { applied, left: None, gaps }) => Some(gaps.last().map_or(*applied, |gap| gap.again)),
        _ => None,
    });
    let applied: Vec<Interval> = applied.collect::<Option<_>>()?;
    let newest = applied.into_iter().max_by_key(|applied| applied.by)?;
    Some(format!("the sync succeeds again: what it failed of was applied {newest}"))
}

/// Judges what became of the sync after a revert landed: it is over once something with the revert is applied. What is not applied for long is
/// left to people, and is no verdict on the change.
pub fn judge(service: &ServiceEvidence, followed: &Followed, now: Timestamp) -> Recovery {
    let within = service.policy.verify.recover_within;
    if let Some(applied) = followed.applied() {
        let effective = followed.effective().unwrap_or(applied);
        let sentence = format!("the sync succeeds again: the revert was applied {applied}");
        return Recovery { standing: RecoveryStanding::Recovered, effective, sentence, unpassed: None };
    }
    let effective = Interval { by: now, ..followed.landed };
    let why = match &followed.finding {
        Some(Finding::SyncFailed { why } | Finding::BrokeTheSync { why, .. }) if followed.attempted.is_some() => {
            format!("the sync fails with the revert as well ({why})")
        }
        Some(Finding::Unknown { why }) => format!("whether the revert is applied cannot be told: {why}"),
        _ => "the revert is not applied yet".to_owned(),
    };
    match now.since(followed.landed.by) > within {
        true => Recovery {
            standing: RecoveryStanding::Unverified,
            effective,
            sentence: format!("{why}; it landed more than {} ago", spoken(within)),
            unpassed: None,
        },
        false => Recovery { standing: RecoveryStanding::Landed, effective, sentence: why, unpassed: None },
    }
}

/// What stands out of a revert for people who wait for it. That the sync still fails is none before the revert was tried, or should have been.
pub fn told(followed: &Followed, patience: Duration, now: Timestamp) -> Option<Finding> {
    let is_early = followed.attempted.is_none() && now.since(followed.landed.by) <= patience;
    followed.told(patience, now).filter(|finding| !(is_early && matches!(finding, Finding::SyncFailed { .. })))
}

fn failure<'a>(service: &'a ServiceEvidence, landing: &'a Landing) -> Option<Failure<'a>> {
    match service.applied.as_ref()?.get(&landing.to)? {
        // What was failing when it was first looked at may have failed for long, of something else (E5).
        AppliedFact::Broke { since, tried, before, why, .. } if since.after.is_some() => {
            Some(Failure { landing, since: *since, tried: *tried, before: *before, why })
        }
        _ => None,
    }
}

fn failure_of<'a>(service: &'a ServiceEvidence, landings: &'a [Landing], attribution: &'a Attribution) -> Option<Failure<'a>> {
    landings_of(service, landings, attribution).find_map(|landing| failure(service, landing))
}

/// The landings that brought the suspects to the service's repository.
fn landings_of<'a>(service: &ServiceEvidence, landings: &'a [Landing], attribution: &Attribution) -> impl Iterator<Item = &'a Landing> {
    landings
        .iter()
        .filter(|landing| landing.repository == service.policy.repository)
        .filter(|landing| landing.changes.iter().any(|change| attribution.suspects.contains(&change.id)))
}

// === impl Incident, Broke, OnSyncFailure, Failure ===

impl Incident {
    /// What broke.
    pub fn broke(&self) -> Broke {
        self.attribution.as_ref().map(|attribution| attribution.broke).unwrap_or_default()
    }
}

impl Broke {
    /// Whether it is what is not written down.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl OnSyncFailure {
    /// Whether it is what is not written down.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Failure<'_> {
    fn words(&self) -> String {
        let tried = match self.tried {
            Some(tried) => format!("{} fails", tried.short()),
            None => "the new revision cannot be built".to_owned(),
        };
        format!("{tried} ({}), while {}, without it, was applied before", self.why, self.before.short())
    }
}
