//! Gathers everything that one decision is made from. What is gathered here is what is stored, so nothing may be left out that decides.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use tracing::warn;

use super::{Reconciler, Repository};
use crate::engine::assurance::heads_to_compare;
use crate::engine::attribution::{Attribution, attribute};
use crate::engine::broken_sync::Broke;
use crate::engine::change::Change;
use crate::engine::id::{CommitId, IncidentId, ProposalKey};
use crate::engine::incident::Incident;
use crate::engine::plan::{CleanInverse, EarlierState, Inverse, PlanKind, proposal_key};
use crate::engine::policy::{Policy, Scope};
use crate::engine::shared::Shared;
use crate::engine::situation::{
    Ceiling, History, InverseResult, Joint, MergedRevert, ProposalBranch, ProposalEvidence, ServiceEvidence, Situation,
};
use crate::engine::time::Timestamp;
use crate::engine::together::joint_situations;
use crate::git::{LaterChange, Mirror, ServicePaths, Undo, UndoQuestion};

/// Landings this old are in no window any more.
pub(super) const LANDINGS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Merged reverts are counted over at most this long: the longest `per` that a limit may have.
const HISTORY_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Rounds of other services are needed this long before the onset (design §7: a known round in the hour before).
pub(super) const OTHERS_BEFORE: Duration = Duration::from_secs(2 * 3600);

/// Gathers the situation of an incident; `None` as long as the repository has not been listed.
pub(super) fn gather(reconciler: &Reconciler, policy: &Policy, incident: &Incident, now: Timestamp) -> Result<Option<Situation>> {
    let from = reconciler.found.beginning(reconciler, incident, now) - OTHERS_BEFORE;
    let Some((repository, mut situation)) = observed(reconciler, policy, incident, from, now)? else { return Ok(None) };
    if let Some(attribution) = situation.attribution.clone().or_else(|| attribute(&situation))
        && !attribution.suspects.is_empty()
    {
        // Before the joint incidents are found: it is part of the world that they are judged from.
        situation.proposal =
            proposal(reconciler, repository, &proposal_key(&situation.branch, PlanKind::Revert, &attribution.suspects), now);
        situation.joint = joint(reconciler, repository, &mut situation, &attribution);
        let services = reconciler.service_paths(&repository.config.name);
        situation.inverse = Some(inverse(&repository.mirror, services, &repository.config.protect, &situation, &attribution));
        let paths = situation.inverse.as_ref().map(planned_paths).unwrap_or_default();
        let work = repository.conversation.as_ref().map(|heard| heard.open_work(&situation.landings, &attribution.suspects, &paths));
        situation.open_work = work.unwrap_or_default();
    }
    Ok(Some(situation))
}

/// What was observed, without what undoing the suspects comes to; other services with their rounds since `from`, and longer where their alerts
/// look back.
fn observed<'a>(
    reconciler: &'a Reconciler,
    policy: &Policy,
    incident: &Incident,
    from: Timestamp,
    now: Timestamp,
) -> Result<Option<(&'a Repository, Situation)>> {
    let Some(repository) = reconciler.repository(&policy.repository) else { return Ok(None) };
    let Some(head) = repository.listing.as_ref().and_then(|(_, listing)| listing.head) else { return Ok(None) };
    let situation = Situation {
        now,
        incident: incident.id.clone(),
        service: reconciler.found.of_incident(reconciler, policy, incident, now),
        elsewhere: elsewhere(reconciler, policy, incident, now),
        others: others(reconciler, policy, from, now),
        controls: reconciler.found.controls(reconciler, from, now),
        ceilings: ceilings(reconciler, policy, repository),
        repository_limits: repository.config.limits.clone(),
        branch: repository.config.branch.clone(),
        head,
        stop: reconciler.state.stops.get(&policy.repository).cloned(),
        pauses: reconciler.state.pauses_for(&policy.repository, now),
        kill_switches: reconciler.kill_switches(repository, head),
        landings: reconciler.found.landings(reconciler, now),
        attribution: proposed_attribution(reconciler, incident),
        inverse: None,
        proposal: None,
        history: history(reconciler, repository, head, now)?,
        joint: Vec::new(),
        open_work: Vec::new(),
        signing: reconciler.signing(&policy.repository),
        asked: Vec::new(),
        findings: reconciler.found.findings.clone(),
    };
    Ok(Some((repository, situation)))
}

/// The suspects of an incident that was not decided yet.
pub(super) fn suspects(reconciler: &Reconciler, policy: &Policy, incident: &Incident, now: Timestamp) -> Result<Vec<CommitId>> {
    let observed = observed(reconciler, policy, incident, incident.onset.earliest() - OTHERS_BEFORE, now)?;
    let attribution = observed.and_then(|(_, situation)| situation.attribution.clone().or_else(|| attribute(&situation)));
    Ok(attribution.map(|attribution| attribution.suspects).unwrap_or_default())
}

/// The same service in the other instances of its policy.
fn elsewhere(reconciler: &Reconciler, policy: &Policy, incident: &Incident, now: Timestamp) -> Vec<Shared<ServiceEvidence>> {
    let others = policy.instances.iter().filter(|instance| instance.name != incident.instance);
    others.map(|instance| reconciler.evidence(policy, &instance.name, now).into()).collect()
}

/// Every other service, once for each of its instances.
fn others(reconciler: &Reconciler, policy: &Policy, from: Timestamp, now: Timestamp) -> Vec<Shared<ServiceEvidence>> {
    let others = reconciler.policies.iter().filter(|other| other.name != policy.name);
    let places = others.flat_map(|other| other.instances.iter().map(move |instance| (other, instance)));
    places.map(|(other, instance)| reconciler.found.other(reconciler, other, &instance.name, from - other.longest_window(), now)).collect()
}

/// The attribution that an open proposal was made from.
fn proposed_attribution(reconciler: &Reconciler, incident: &Incident) -> Option<Attribution> {
    if incident.broke() == Broke::Sync {
        // No round tells it anew: it is what was found when the sync was seen to fail.
        return incident.attribution.clone();
    }
    let proposal = reconciler.state.proposals.get(incident.proposal.as_ref()?)?;
    proposal.head.and(incident.attribution.clone())
}

/// Other open incidents of the repository that share a suspect.
fn joint(reconciler: &Reconciler, repository: &Repository, situation: &mut Situation, attribution: &Attribution) -> Vec<Shared<Joint>> {
    let open = reconciler.state.incidents.values().filter(|other| {
        other.id != situation.incident && other.repository == repository.config.name && other.ending.is_none() && other.landed.is_none()
    });
    let open = open.filter_map(|other| {
        let policy = reconciler.policy_of(&other.id)?;
        let joint = Joint {
            incident: other.id.clone(),
            service: reconciler.found.of_incident(reconciler, &policy, other, situation.now),
            ceilings: ceilings(reconciler, &policy, repository),
            attribution: proposed_attribution(reconciler, other),
        };
        Some(Shared::new(joint))
    });
    // What each of them is attributed to is found as if all belonged together; then those stay that do.
    situation.joint = open.collect();
    let shares = |theirs: &Attribution| theirs.suspects.iter().any(|suspect| attribution.suspects.contains(suspect));
    let sharing = joint_situations(situation).into_iter().filter(|theirs| shares(&theirs.attribution));
    let sharing: BTreeSet<IncidentId> = sharing.map(|theirs| theirs.situation.incident.clone()).collect();
    std::mem::take(&mut situation.joint).into_iter().filter(|joint| sharing.contains(&joint.incident)).collect()
}

fn ceilings(reconciler: &Reconciler, policy: &Policy, repository: &Repository) -> Vec<Ceiling> {
    let mut ceilings = vec![Ceiling { of: "the agent's `maxMode`".to_owned(), max_mode: reconciler.config.max_mode }];
    if let Some(max_mode) = repository.config.max_mode {
        ceilings.push(Ceiling { of: format!("`maxMode` of the repository `{}`", repository.config.name), max_mode });
    }
    for environment in &reconciler.config.environments {
        if let (Some(max_mode), true) = (environment.max_mode, policy.environment.as_ref() == Some(&environment.name)) {
            ceilings.push(Ceiling { of: format!("`maxMode` of the environment `{}`", environment.name), max_mode });
        }
    }
    ceilings
}

/// What was merged, counted from the trailers on this very head, so that the lease makes the count atomic, and from the journal.
fn history(reconciler: &Reconciler, repository: &Repository, head: CommitId, now: Timestamp) -> Result<History> {
    let name = &repository.config.name;
    let mut merged: Vec<MergedRevert> = repository
        .mirror
        .landed_plans(head, now - HISTORY_KEPT)
        .with_context(|| format!("cannot count the merged reverts of `{name}`"))?
        .into_iter()
        .map(|landed| MergedRevert { repository: name.clone(), commit: landed.commit, policies: landed.policies, at: landed.committed })
        .collect();
    for known in reconciler.state.merged_reverts() {
        match merged.iter_mut().find(|counted| counted.commit == known.commit) {
            Some(counted) => {
                counted.policies.extend(known.policies.iter().cloned());
                counted.policies.sort_unstable();
                counted.policies.dedup();
            }
            None => merged.push(known.clone()),
        }
    }
    merged.sort_by_key(|revert| (revert.at, revert.commit));
    Ok(History { merged, proposed: reconciler.state.opened_proposals().to_vec() })
}

/// Builds the inverse of the suspects, newest first, on the head. `protect`: what the operator keeps from being merged without a person.
pub(super) fn inverse(
    mirror: &Mirror,
    services: Vec<ServicePaths>,
    protect: &[String],
    situation: &Situation,
    attribution: &Attribution,
) -> InverseResult {
    let changes = |id: &CommitId| situation.landings.iter().flat_map(|landing| &landing.changes).find(|change| change.id == *id);
    let undo: Vec<Undo> =
        attribution.suspects.iter().filter_map(changes).map(|change| Undo { commit: change.id, before: change.before }).collect();
    let joint = joint_situations(situation);
    let all = || std::iter::once((situation, attribution)).chain(joint.iter().map(|theirs| (&theirs.situation, &theirs.attribution)));
    // One proposal for all of them: its plan must not depend on which is decided first.
    let mut of: Vec<_> = all().map(|(theirs, _)| theirs.service.policy.name.clone()).collect();
    of.sort_unstable();
    of.dedup();
    let in_part = all().all(|(theirs, _)| theirs.service.policy.revert.scope == Scope::Paths);
    let since = all().filter_map(|(_, attribution)| first_candidate(situation, attribution)).min();
    let question = UndoQuestion {
        onto: situation.head,
        changes: undo,
        scope: if in_part { Scope::Paths } else { Scope::Commit },
        of,
        services,
        // A healthy baseline stood before the first landing that came since, or there would be no suspects.
        good: since.and_then(|position| situation.landings[position].from),
        later: since.map(|position| later(situation, position, attribution)).unwrap_or_default(),
        never_back_to: all().flat_map(|(theirs, _)| theirs.service.policy.guardrails.never_back_to.clone()).collect(),
        protect: protect.to_vec(),
    };
    match mirror.undo(&question) {
        Ok(Inverse::Clean(clean)) => {
            let heads = heads_to_compare(&situation.service, &situation.landings);
            let own: Vec<ServicePaths> = question.services.into_iter().filter(|service| question.of.contains(&service.name)).collect();
            let earlier = match mirror.same_files(clean.tree, &heads, &own) {
                Ok(heads) => EarlierState::Stood { heads },
                Err(error) => EarlierState::NotKnown(format!("{:#}", anyhow::Error::new(error))),
            };
            InverseResult::Built(Inverse::Clean(CleanInverse { earlier, ..clean }))
        }
        Ok(inverse) => InverseResult::Built(inverse),
        Err(error) => {
            let why = format!("{:#}", anyhow::Error::new(error));
            warn!(incident = %situation.incident, "the inverse could not be built: {why}");
            InverseResult::Failed(why)
        }
    }
}

fn planned_paths(inverse: &InverseResult) -> Vec<&str> {
    match inverse {
        InverseResult::Built(Inverse::Clean(inverse)) => inverse.paths.iter().map(|path| path.path.as_str()).collect(),
        InverseResult::Built(Inverse::AlreadyUndone | Inverse::Conflict { .. }) | InverseResult::Failed(_) => Vec::new(),
    }
}

/// The earliest landing of the repository that came since the service was last seen healthy.
fn first_candidate(situation: &Situation, attribution: &Attribution) -> Option<usize> {
    let is_candidate = |change: &Change| attribution.candidates.iter().any(|candidate| candidate.commit == change.id);
    situation
        .landings
        .iter()
        .position(|landing| landing.repository == situation.service.policy.repository && landing.changes.iter().any(is_candidate))
}

/// What landed from a position on, besides the suspects; newest first.
fn later(situation: &Situation, position: usize, attribution: &Attribution) -> Vec<LaterChange> {
    let landings = situation.landings[position..].iter().filter(|landing| landing.repository == situation.service.policy.repository);
    let mut later: Vec<LaterChange> = landings
        .flat_map(|landing| &landing.changes)
        .filter(|change| !attribution.suspects.contains(&change.id))
        .map(|change| LaterChange {
            commit: change.id,
            subject: change.subject.clone(),
            paths: change.paths.iter().map(|path| path.path.clone()).collect(),
        })
        .collect();
    later.reverse();
    later
}

pub(super) fn proposal(reconciler: &Reconciler, repository: &Repository, key: &ProposalKey, now: Timestamp) -> Option<ProposalEvidence> {
    let known = reconciler.state.proposals.get(key)?;
    let listed = repository.listing.as_ref().is_some_and(|(_, listing)| listing.proposals.contains_key(key));
    Some(ProposalEvidence {
        key: key.clone(),
        closing: known.closing.clone(),
        branch: if listed { ProposalBranch::Present } else { ProposalBranch::Absent },
        approvals: known.approvals.iter().cloned().chain(repository.conversation.as_ref().and_then(|heard| heard.approval(key))).collect(),
        holds: known.holds.clone(),
        silent_since: reconciler.silent_since(&repository.config.name, known, now),
        failed: known.failed.clone(),
        merge_rejected: known.merge_rejected.clone(),
    })
}
