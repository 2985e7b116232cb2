//! What people do to proposals: merge them, delete them (a veto), push onto them (then they are disowned), or revert by hand first.
//!
//! What people did first wins (promise P8).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use tracing::info;

use super::Reconciler;
use crate::engine::attribution::Attribution;
use crate::engine::change::Change;
use crate::engine::fact::{EffectAction, Ending, Event, LandedBy, ProposalClosing};
use crate::engine::id::{CommitId, PlanDigest, ProposalKey};
use crate::engine::incident::{Incident, Proposal};
use crate::engine::plan::Inverse;
use crate::engine::time::{Interval, Timestamp};
use crate::git::Undo;

/// How often taking the branch of a spent proposal away is tried.
const DELETIONS_TRIED: u32 = 3;
/// How many paths that differ from the plan are recorded; one is enough to stop.
const PATHS_NAMED: usize = 20;

impl Reconciler {
    /// Compares every open proposal with what the newest listing of its repository shows, and takes the branches of spent ones away.
    pub(super) fn follow_proposals(&mut self, now: Timestamp) -> Result<()> {
        let spent: Vec<ProposalKey> = self
            .state
            .proposals
            .values()
            // A remote that refuses is not asked for ever; the branch harms nobody.
            .filter(|proposal| proposal.is_spent() && proposal.head.is_some() && proposal.deletions_refused < DELETIONS_TRIED)
            .map(|proposal| proposal.key.clone())
            .collect();
        for key in spent {
            self.delete_branch(&key, now)?;
        }
        let open: Vec<Proposal> =
            self.state.proposals.values().filter(|proposal| proposal.landed.is_none() && !proposal.commits.is_empty()).cloned().collect();
        for proposal in open {
            self.follow(&proposal, now)?;
        }
        Ok(())
    }

    fn follow(&mut self, proposal: &Proposal, now: Timestamp) -> Result<()> {
        let Some(name) = proposal.repository.clone() else { return Ok(()) };
        let Some(known) = self.repository(&name) else { return Ok(()) };
        let Some((listed_at, listing)) = known.listing.clone() else { return Ok(()) };
        let (Some(head), mirror) = (listing.head, known.mirror.clone()) else { return Ok(()) };
        for (_, commit) in &proposal.commits {
            if mirror.is_ancestor(*commit, head).unwrap_or(false) {
                // A merge may land the very commit that was proposed.
                let pushed = proposal.commits.contains(&(EffectAction::Merge, *commit));
                let by = if pushed { LandedBy::Revertd } else { proposal.landed_by_call() };
                return match self.brought_by(proposal, *commit) {
                    Some(change) if change.id != *commit => self.landed_otherwise(proposal, &change, by, now),
                    _ => self.landed(proposal, *commit, by, Vec::new(), now),
                };
            }
        }
        if let Some(landed) =
            mirror.landed_plans(head, proposal.opened_at)?.into_iter().find(|landed| Some(&landed.plan) == proposal.plan_digest().as_ref())
        {
            let change = mirror.change(landed.commit)?;
            return self.landed_otherwise(proposal, &change, proposal.landed_by_call(), now);
        }
        if proposal.closing.is_some() {
            return Ok(());
        }
        match (proposal.head, listing.proposals.get(&proposal.key)) {
            (Some(_), None) if proposal.missing_since.is_none() => {
                self.record(listed_at, vec![Event::ProposalMissing { proposal: proposal.key.clone() }])
            }
            (Some(_), None) if proposal.missing_since.is_some_and(|since| listed_at > since) => {
                info!(proposal = %proposal.key, "somebody deleted the proposal's branch: vetoed");
                self.record(now, vec![Event::ProposalClosed { proposal: proposal.key.clone(), how: ProposalClosing::Vetoed }])
            }
            (Some(_), Some(other)) if !proposal.commits.iter().any(|(_, commit)| commit == other) => {
                info!(proposal = %proposal.key, head = %other, "somebody pushed onto the proposal's branch: disowned");
                self.record(
                    now,
                    vec![Event::ProposalClosed { proposal: proposal.key.clone(), how: ProposalClosing::Disowned { head: *other } }],
                )
            }
            _ => Ok(()),
        }
    }

    /// The plan is on the watched branch.
    fn landed(&mut self, proposal: &Proposal, commit: CommitId, by: LandedBy, not_the_plan: Vec<String>, now: Timestamp) -> Result<()> {
        let plan = proposal.plan_digest().unwrap_or_else(|| PlanDigest::new(""));
        let landed = self.landed_when(proposal, commit, now);
        info!(proposal = %proposal.key, %commit, ?by, "the revert landed");
        let approved_by = approvers(proposal, by);
        self.record(
            now,
            vec![Event::RevertLanded { proposal: proposal.key.clone(), commit, plan, landed, by, approved_by, not_the_plan }],
        )?;
        self.delete_branch(&proposal.key, now)
    }

    /// The change of the watched line that brought our commit: the commit itself, or the merge that a person made of it.
    fn brought_by(&self, proposal: &Proposal, commit: CommitId) -> Option<Change> {
        let name = proposal.repository.as_ref()?;
        let mirror = self.repository(name)?.mirror.clone();
        let since = self.state.landings().iter().filter(|landing| landing.repository == *name && landing.landed.by >= proposal.opened_at);
        since.flat_map(|landing| &landing.changes).find(|change| mirror.is_ancestor(commit, change.id).unwrap_or(false)).cloned()
    }

    /// Another commit brought our plan, as after a squash or a merge: it must be the plan to the letter (P5).
    fn landed_otherwise(&mut self, proposal: &Proposal, change: &Change, by: LandedBy, now: Timestamp) -> Result<()> {
        let (Some(name), Some(plan)) = (&proposal.repository, &proposal.plan) else { return Ok(()) };
        let planned: BTreeMap<_, _> = plan.paths.iter().map(|path| (path.path.as_str(), path.to)).collect();
        let landed: BTreeMap<_, _> = change.paths.iter().map(|path| (path.path.as_str(), path.to)).collect();
        let all: BTreeSet<&str> = planned.keys().chain(landed.keys()).copied().collect();
        let mut different: Vec<String> = all.into_iter().filter(|path| planned.get(path) != landed.get(path)).map(str::to_owned).collect();
        different.truncate(PATHS_NAMED);
        if !different.is_empty() {
            self.stop_not_the_plan(&name.clone(), change.id, different.clone(), now)?;
        }
        self.landed(proposal, change.id, by, different, now)
    }

    /// When a commit came onto the watched branch, by the landing that brought it.
    fn landed_when(&self, proposal: &Proposal, commit: CommitId, now: Timestamp) -> Interval {
        let Some(name) = &proposal.repository else { return Interval::unbounded(now) };
        let mirror = self.repository(name).map(|known| known.mirror.clone());
        let of_repository = self.state.landings().iter().filter(|landing| landing.repository == *name);
        of_repository
            .filter(|landing| landing.landed.by >= proposal.opened_at)
            .find(|landing| mirror.as_ref().is_some_and(|mirror| mirror.is_ancestor(commit, landing.to).unwrap_or(false)))
            .map_or(Interval::unbounded(now), |landing| landing.landed)
    }

    /// Ends the automation of a proposal and takes its branch away, if it is ours.
    pub(super) fn close_proposal(&mut self, key: &ProposalKey, how: ProposalClosing, now: Timestamp) -> Result<()> {
        if self.state.proposals.get(key).is_none_or(|proposal| proposal.closing.is_some() || proposal.landed.is_some()) {
            return Ok(());
        }
        self.record(now, vec![Event::ProposalClosed { proposal: key.clone(), how }])?;
        self.delete_branch(key, now)
    }

    /// The change that undid the suspects: the first landing after them on whose head nothing of them is left to undo.
    pub(super) fn who_undid(&self, incident: &Incident, attribution: &Attribution) -> Result<Option<(CommitId, Interval)>> {
        let Some(repository) = self.repository(&incident.repository) else { return Ok(None) };
        let landings: Vec<_> = self.state.landings().iter().filter(|landing| landing.repository == incident.repository).collect();
        let changes = |id: &CommitId| landings.iter().flat_map(|landing| &landing.changes).find(|change| change.id == *id);
        let undo: Vec<Undo> =
            attribution.suspects.iter().filter_map(changes).map(|change| Undo { commit: change.id, before: change.before }).collect();
        let Some(position) =
            landings.iter().position(|landing| landing.changes.iter().any(|change| attribution.suspects.contains(&change.id)))
        else {
            return Ok(None);
        };
        for landing in &landings[position..] {
            for change in &landing.changes {
                if !attribution.suspects.contains(&change.id) && repository.mirror.inverse(change.id, &undo)? == Inverse::AlreadyUndone {
                    return Ok(Some((change.id, landing.landed)));
                }
            }
        }
        Ok(None)
    }

    /// The ending of an incident whose service is healthy again: a fix where somebody changed what the suspect changed since.
    pub(super) fn fixed_forward(&self, incident: &Incident) -> Option<Ending> {
        let attribution = incident.attribution.as_ref()?;
        let landings: Vec<_> = self.state.landings().iter().filter(|landing| landing.repository == incident.repository).collect();
        let position =
            landings.iter().position(|landing| landing.changes.iter().any(|change| attribution.suspects.contains(&change.id)))?;
        let suspected: Vec<&str> = landings[position]
            .changes
            .iter()
            .filter(|change| attribution.suspects.contains(&change.id))
            .flat_map(|change| change.paths.iter().map(|path| path.path.as_str()))
            .collect();
        let fix = landings[position + 1..]
            .iter()
            .flat_map(|landing| &landing.changes)
            .find(|change| change.paths.iter().any(|path| suspected.contains(&path.path.as_str())))?;
        Some(Ending::Superseded { by: Some(fix.id) })
    }
}

/// Who allowed what revertd brought, each once.
fn approvers(proposal: &Proposal, by: LandedBy) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in proposal.allowed_by().into_iter().filter(|_| by == LandedBy::Revertd) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}
