//! Carries effects out, each in five steps (design §10): write the intent down, look whether the world shows it already, act, look, and
//! write down how it ended.
//!
//! An intent fixes the commit's id, so acting twice makes one commit. Every push names the object that it replaces; a refused lease
//! closes the effect, and the next pass decides again.

use anyhow::{Context, Result};
use tracing::{info, warn};

use super::signing::bench_of;
use super::{Reconciler, Repository};
use crate::engine::afterwards::key_of_original;
use crate::engine::approval::{Approval, MergeGrant};
use crate::engine::change::Reverted;
use crate::engine::decision::DecisionRecord;
use crate::engine::fact::{CommitText, EffectAction, Event, Intent, Obstacle};
use crate::engine::id::{CommitId, EffectId, IncidentId, ProposalKey, canonical_json, sha256_hex};
use crate::engine::incident::Incident;
use crate::engine::plan::{CleanInverse, Plan, PlanKind, proposal_key};
use crate::engine::policy::Policy;
use crate::engine::situation::Signing;
use crate::engine::time::Timestamp;
use crate::git::{CommitDraft, GitError, Identity, Listing, PushOutcome};
use crate::render;

/// Why a merge that was decided is not carried out after all.
pub(super) const STOPPED: &str = "it was stopped meanwhile; it is decided again";

impl Reconciler {
    /// Has the proposal's branch hold the plan, built on the present head.
    pub(super) fn propose(
        &mut self,
        incident: &Incident,
        policy: &Policy,
        plan: Plan,
        inverse: &CleanInverse,
        record: &DecisionRecord,
        now: Timestamp,
    ) -> Result<()> {
        let key = plan.key();
        let incidents = self.incidents_of(&plan, incident);
        let known = self.state.proposals.get(&key);
        let listed = self.listing(&incident.repository).and_then(|listing| listing.proposals.get(&key).copied());
        let ours = known.and_then(|proposal| proposal.head);
        if let Some(head) = ours
            && listed == Some(head)
            && self.is_proposal(&incident.repository, head, &plan, inverse)
            && known.is_some_and(|proposal| incidents.iter().all(|incident| proposal.incidents.contains(incident)))
        {
            return Ok(());
        }
        if ours.is_some() && listed.is_none() {
            // Its branch is missing; whether that is a veto is decided by `follow_proposals`, never by pushing it again.
            return Ok(());
        }
        let commit = self.commit_text((incident, &incidents), policy, &plan, inverse, &record.sentence, None, now)?;
        let id = match self.signing(&incident.repository) {
            Signing::Own => self.build(incident, &commit)?,
            Signing::Forge | Signing::ForgeOrPassed => self.sign_on_forge(incident, incidents.clone(), &plan, &commit, now)?,
        };
        let Some(id) = id else { return Ok(()) };
        let action = if ours.is_some() { EffectAction::UpdateProposal } else { EffectAction::OpenProposal };
        let intent = Intent {
            repository: incident.repository.clone(),
            proposal: key,
            incidents,
            action,
            expected: ours,
            new: Some(id),
            plan: Some(plan),
            commit: Some(commit),
            account: inverse.account.clone(),
        };
        self.carry_out(intent, None, now)
    }

    /// Lands the plan on the head that it was decided on.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, and a struct would only repeat the names")]
    pub(super) fn merge(
        &mut self,
        incident: &Incident,
        policy: &Policy,
        plan: Plan,
        inverse: &CleanInverse,
        grant: MergeGrant,
        approval: Option<&Approval>,
        now: Timestamp,
    ) -> Result<()> {
        if let Some(approval) = approval {
            if !self.still_approved(incident, approval, now)? {
                return Ok(());
            }
            if self.conversation(&incident.repository).is_some() {
                return self.merge_on_forge(incident, policy, plan, inverse, grant, now);
            }
        } else if !self.nobody_objects(incident, now)? {
            return Ok(());
        }
        let key = plan.key();
        let incidents = self.incidents_of(&plan, incident);
        // The commit of the proposal itself is what people read; where it stands on this head, that very commit lands.
        let proposed = self
            .state
            .proposals
            .get(&key)
            .filter(|proposal| incidents.iter().all(|incident| proposal.incidents.contains(incident)))
            .and_then(|proposal| proposal.latest_commit.clone())
            .filter(|commit| commit.base == grant.onto());
        let commit = match proposed {
            Some(commit) if commit.tree == inverse.tree => commit,
            _ => self.commit_text((incident, &incidents), policy, &plan, inverse, "", approval, now)?,
        };
        let Some(id) = self.build(incident, &commit)? else { return Ok(()) };
        let repository = self.repository(&incident.repository).context("the repository is not configured any more")?;
        let changed = repository.mirror.changed_paths(grant.onto(), id).context("cannot read back the revert that was built")?;
        let mut planned = plan.paths.clone();
        planned.sort_unstable();
        if changed != *planned {
            // P5, before anything is pushed: the commit that was built is not the plan.
            warn!(incident = %incident.id, "the revert that was built is not the plan; nothing is pushed");
            return Ok(());
        }
        let intent = Intent {
            repository: incident.repository.clone(),
            proposal: key,
            incidents,
            action: EffectAction::Merge,
            expected: Some(grant.onto()),
            new: Some(id),
            plan: Some(plan),
            commit: Some(commit),
            account: inverse.account.clone(),
        };
        self.carry_out(intent, Some(grant), now)
    }

    /// Deletes a proposal's branch, if it is still ours.
    pub(super) fn delete_branch(&mut self, key: &ProposalKey, now: Timestamp) -> Result<()> {
        let Some(proposal) = self.state.proposals.get(key).cloned() else { return Ok(()) };
        let (Some(head), Some(repository)) = (proposal.head, proposal.repository) else { return Ok(()) };
        if self.listing(&repository).and_then(|listing| listing.proposals.get(key).copied()) != Some(head) {
            return Ok(());
        }
        let intent = Intent {
            repository,
            proposal: key.clone(),
            incidents: proposal.incidents,
            action: EffectAction::DeleteProposal,
            expected: Some(head),
            new: None,
            plan: None,
            commit: None,
            account: None,
        };
        self.carry_out(intent, None, now)
    }

    /// Steps 1 to 5. As long as it is not known how an earlier push for the same proposal ended, nothing more is pushed for it: a remote that
    /// is down for an hour leaves one intent behind, and its commit stays the one that people were told of.
    fn carry_out(&mut self, intent: Intent, grant: Option<MergeGrant>, now: Timestamp) -> Result<()> {
        if self.state.open_effects().iter().any(|(_, open, _)| open.proposal == intent.proposal && open.action.is_push()) {
            return Ok(());
        }
        let effect = EffectId::new(&sha256_hex(format!("{}\n{now}", canonical_json(&intent)?).as_bytes())[..16]);
        self.record(now, vec![Event::Intended { effect: effect.clone(), intent: intent.clone() }])?;
        self.look_again(&intent.repository, now)?;
        let listing = self.listing(&intent.repository);
        if let Some(listing) = &listing
            && self.shows(&intent, listing)
        {
            return self.record(now, vec![Event::Done { effect }]);
        }
        // A person who stops it now means this merge as well.
        if intent.action == EffectAction::Merge && self.stopped_meanwhile(&intent.repository, now)? {
            return self.refuse_effect(effect, Obstacle::Moved, STOPPED.to_owned(), now);
        }
        let outcome = self.act(&intent, grant)?;
        // The push took its time: what follows is recorded with the time that it is then.
        let now = self.clock.now().max(now);
        self.metrics.effect(intent.action, outcome_label(&outcome));
        match outcome {
            Ok(PushOutcome::Pushed) => {
                info!(repository = %intent.repository, proposal = %intent.proposal, action = ?intent.action, new = %intent.new.map_or_else(|| "nothing".to_owned(), |id| id.to_string()), "pushed");
                self.record(now, vec![Event::Done { effect }])?;
                self.look_again(&intent.repository, now)?;
                self.follow_proposals(now)
            }
            Ok(PushOutcome::StaleLease) => {
                self.refuse_effect(effect, Obstacle::Moved, "the reference had moved; it is decided again".to_owned(), now)
            }
            Ok(PushOutcome::Rejected { reason }) => self.refuse_effect(effect, Obstacle::Rejected, reason, now),
            // The answer was lost: the effect stays open, and the next pass looks before anything else.
            Err(error) => {
                warn!(repository = %intent.repository, "the push has an unknown outcome: {error}");
                Ok(())
            }
        }
    }

    /// Effects that a crash or a lost answer left open: look; what the world does not show was not carried out, and is decided again.
    pub(super) fn close_open_effects(&mut self, now: Timestamp) -> Result<()> {
        for (effect, intent, at) in self.state.open_effects() {
            if matches!(intent.action, EffectAction::Publish | EffectAction::WriteSticky | EffectAction::Enqueue | EffectAction::Support) {
                self.look_on_forge(&effect, &intent, at, now)?;
                continue;
            }
            self.look_again(&intent.repository, now)?;
            let Some(listing) = self.fresh_listing(&intent.repository, now) else { continue };
            if self.shows(&intent, &listing) {
                self.record(now, vec![Event::Done { effect }])?;
            } else {
                self.refuse_effect(effect, Obstacle::NotShown, "the remote does not show it; it is decided again".to_owned(), now)?;
            }
        }
        Ok(())
    }

    /// Whether the remote shows an effect already: for the watched branch by ancestry, for a proposal's branch by its head.
    fn shows(&self, intent: &Intent, listing: &Listing) -> bool {
        match (intent.action, intent.new) {
            (EffectAction::Merge, Some(new)) => {
                let mirror = self.repository(&intent.repository).map(|repository| &repository.mirror);
                listing.head.is_some_and(|head| mirror.is_some_and(|mirror| mirror.is_ancestor(new, head).unwrap_or(false)))
            }
            (EffectAction::MergeOnForge, Some(new)) => self.has_landed(intent, new, listing),
            (EffectAction::Sign, _) => self.signed_by_forge(intent, listing).is_some(),
            (_, new) => listing.proposals.get(&intent.proposal).copied() == new,
        }
    }

    fn act(&self, intent: &Intent, grant: Option<MergeGrant>) -> Result<Result<PushOutcome, GitError>> {
        let repository = self.repository(&intent.repository).context("the repository is not configured any more")?;
        Ok(match (intent.action, grant, intent.new) {
            (EffectAction::Merge, Some(grant), Some(new)) => repository.mirror.push_watched(new, grant),
            (EffectAction::Merge | EffectAction::MergeOnForge, _, _) => {
                Ok(PushOutcome::Rejected { reason: "there is no grant".to_owned() })
            }
            (_, _, new) => {
                let bench = bench_of(&intent.proposal);
                match repository.listing.as_ref().and_then(|(_, listing)| listing.proposals.get(&bench)) {
                    Some(seen) => repository.mirror.push_proposal_without(&intent.proposal, new, intent.expected, (&bench, *seen)),
                    None => repository.mirror.push_proposal(&intent.proposal, new, intent.expected),
                }
            }
        })
    }

    pub(super) fn refuse_effect(&mut self, effect: EffectId, cause: Obstacle, why: String, now: Timestamp) -> Result<()> {
        info!(%effect, ?cause, "effect not carried out: {why}");
        self.record(now, vec![Event::EffectRefused { effect, cause, why }])
    }

    /// Everything that makes the commit's id. Dates are whole seconds of `now`, and stand in the intent.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, and a struct would only repeat the names")]
    fn commit_text(
        &self,
        (incident, incidents): (&Incident, &[IncidentId]),
        policy: &Policy,
        plan: &Plan,
        inverse: &CleanInverse,
        why_proposed: &str,
        approval: Option<&Approval>,
        now: Timestamp,
    ) -> Result<CommitText> {
        let repository = self.repository(&incident.repository).context("the repository is not configured any more")?;
        let reverted = self.reverted_by(repository, incident, plan)?;
        let head = self.journal.head()?.map(|(_, hash)| hash);
        let also: Vec<&Incident> =
            incidents.iter().filter(|id| **id != incident.id).filter_map(|id| self.state.incidents.get(id)).collect();
        let message = render::commit::revert_message(
            &self.templates,
            &render::commit::RevertMessage {
                reverted: &reverted,
                policy,
                incident,
                also: &also,
                plan,
                account: inverse.account.as_deref(),
                why_proposed,
                approval,
                audit: head.as_ref(),
            },
        )
        .context("cannot write the revert's message")?;
        Ok(CommitText {
            base: inverse.base,
            tree: inverse.tree,
            message,
            name: repository.config.commit.name.clone(),
            email: repository.config.commit.email.clone(),
            seconds: now.secs(),
        })
    }

    /// What a plan's commit undoes, as its message names it: the suspects, or the revert that took them away.
    fn reverted_by(&self, repository: &Repository, incident: &Incident, plan: &Plan) -> Result<Vec<Reverted>> {
        let before = |id: CommitId| {
            let known = self.state.landings().iter().flat_map(|landing| &landing.changes).find(|change| change.id == id);
            known.and_then(|change| change.before)
        };
        if plan.kind == PlanKind::Reapply {
            let original = self.state.proposals.get(&key_of_original(&plan.branch, &plan.suspects));
            let (original, revert) =
                original.and_then(|known| Some((known, known.landed?))).context("the revert that is to be taken away is not known")?;
            let mut reverted = repository.mirror.reverted(revert, before(revert)).context("cannot read the revert")?;
            // A merge or a squash may have given it another subject; Git's own says what comes back.
            if let Some(subject) = original.latest_commit.as_ref().and_then(|commit| commit.message.lines().next()) {
                reverted.subject = subject.to_owned();
            }
            return Ok(vec![reverted]);
        }
        let suspects = incident.attribution.as_ref().map_or(&plan.suspects, |attribution| &attribution.suspects);
        let read = |id: &CommitId| repository.mirror.reverted(*id, before(*id)).with_context(|| format!("cannot read the suspect {id}"));
        suspects.iter().map(read).collect()
    }

    /// Writes the commit object into the mirror and gives its id.
    fn build(&self, incident: &Incident, text: &CommitText) -> Result<Option<CommitId>> {
        let Some(repository) = self.repository(&incident.repository) else { return Ok(None) };
        let identity = Identity { name: text.name.clone(), email: text.email.clone(), seconds: text.seconds, offset: "+0000".to_owned() };
        let draft = CommitDraft {
            tree: text.tree,
            parents: vec![text.base],
            message: text.message.clone(),
            author: identity.clone(),
            committer: identity,
        };
        repository.mirror.build(&draft, repository.signer.as_ref()).map(Some).context("cannot write the revert's commit")
    }

    /// The incidents that a plan is for: this one, those that its proposal was for before, and every open one with the same suspects.
    pub(super) fn incidents_of(&self, plan: &Plan, incident: &Incident) -> Vec<IncidentId> {
        if plan.kind == PlanKind::Reapply {
            let original = self.state.proposals.get(&key_of_original(&plan.branch, &plan.suspects));
            return original.map_or_else(|| vec![incident.id.clone()], |original| original.incidents.clone());
        }
        let mut incidents = self.state.proposals.get(&plan.key()).map(|proposal| proposal.incidents.clone()).unwrap_or_default();
        let same_suspects = |other: &Incident| {
            let suspects = other.attribution.as_ref().map(|attribution| attribution.suspects.as_slice()).unwrap_or_default();
            other.repository == incident.repository && proposal_key(&plan.branch, plan.kind, suspects) == plan.key()
        };
        let open = self.state.incidents.values().filter(|other| other.ending.is_none() && other.landed.is_none());
        for id in std::iter::once(&incident.id).chain(open.filter(|other| same_suspects(other)).map(|other| &other.id)) {
            if !incidents.contains(id) {
                incidents.push(id.clone());
            }
        }
        incidents
    }

    pub(super) fn listing(&self, repository: &crate::engine::id::RepositoryName) -> Option<Listing> {
        self.repository(repository).and_then(|known: &Repository| known.listing.as_ref()).map(|(_, listing)| listing.clone())
    }

    fn fresh_listing(&self, repository: &crate::engine::id::RepositoryName, now: Timestamp) -> Option<Listing> {
        self.repository(repository)
            .and_then(|known| known.listing.as_ref())
            .filter(|(at, _)| *at >= now)
            .map(|(_, listing)| listing.clone())
    }
}

fn outcome_label(outcome: &Result<PushOutcome, GitError>) -> &'static str {
    match outcome {
        Ok(PushOutcome::Pushed) => "pushed",
        Ok(PushOutcome::StaleLease) => "stale_lease",
        Ok(PushOutcome::Rejected { .. }) => "rejected",
        Err(_) => "unknown",
    }
}
