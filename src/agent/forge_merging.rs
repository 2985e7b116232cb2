//! Merging an approved proposal by the forge's own call.
//!
//! The call pins the head; the base is read again in the same pass, and what landed is compared with the plan afterwards (P4, P5). Which way to
//! merge is chosen so that the commit that people reviewed lands as it is, where the repository allows it.

use anyhow::{Context, Result};
use tracing::{info, warn};

use super::Reconciler;
use super::branch_rules::Way;
use super::execute::STOPPED;
use crate::engine::approval::MergeGrant;
use crate::engine::decision::{DecisionRecord, DecisionVerdict};
use crate::engine::fact::{EffectAction, Event, Intent, Obstacle};
use crate::engine::id::{CommitId, EffectId, ProposalKey, canonical_json, sha256_hex};
use crate::engine::incident::{Incident, Proposal};
use crate::engine::plan::{CleanInverse, Plan};
use crate::engine::policy::Policy;
use crate::engine::time::Timestamp;
use crate::forge::{Answered, Call, EnqueueOutcome, Forge, MergeCall, MergeOutcome, ProposalNumber, QueueState};
use crate::git::Listing;

impl Reconciler {
    /// Has the forge merge the proposal, once its head is the plan on the present base and the forge has shown it.
    pub(super) fn merge_on_forge(
        &mut self,
        incident: &Incident,
        policy: &Policy,
        plan: Plan,
        inverse: &CleanInverse,
        grant: MergeGrant,
        now: Timestamp,
    ) -> Result<()> {
        let key = plan.key();
        if self.waits_in_queue(&key, now)? {
            return Ok(());
        }
        let listed = self.listing(&incident.repository).and_then(|listing| listing.proposals.get(&key).copied());
        let is_built = |head| self.is_proposal(&incident.repository, head, &plan, inverse);
        let known = self.state.proposals.get(&key).cloned();
        let ready = known.filter(|proposal| is_ready(proposal, listed) && proposal.head.is_some_and(is_built));
        let (Some(proposal), Some(forge)) = (ready, self.conversation(&incident.repository).map(|known| known.forge.clone())) else {
            // The base has moved, and the plan has not: the branch is built anew, and the next pass merges it.
            return self.propose(incident, policy, plan, inverse, &rebuilding(), now);
        };
        let (Some(head), Some(published), Some(commit)) = (proposal.head, &proposal.published, proposal.latest_commit.clone()) else {
            return Ok(());
        };
        let repository = self.repository(&incident.repository).context("the repository is not configured any more")?;
        let base = repository.config.branch.clone();
        let changed = repository.mirror.changed_paths(grant.onto(), head).context("cannot read back the proposal's head")?;
        if changed != *plan.paths {
            warn!(incident = %incident.id, "the proposal's head is not the plan; nothing is merged");
            return Ok(());
        }
        let number = ProposalNumber(published.number);
        let method = match self.way_to_land(&*forge, &proposal, &base, (number, head), now)? {
            Way::Merge(method) => method,
            Way::Queue => return self.enqueue(&*forge, &proposal, number, head, now),
            Way::Wait => return Ok(()),
        };
        let intent = Intent {
            repository: incident.repository.clone(),
            proposal: key,
            incidents: self.incidents_of(&plan, incident),
            action: EffectAction::MergeOnForge,
            expected: Some(grant.onto()),
            new: Some(head),
            plan: Some(plan),
            commit: Some(commit.clone()),
            account: inverse.account.clone(),
        };
        let effect = EffectId::new(&sha256_hex(format!("{}\n{now}", canonical_json(&intent)?).as_bytes())[..16]);
        self.record(now, vec![Event::Intended { effect: effect.clone(), intent: intent.clone() }])?;
        self.look_again(&intent.repository, now)?;
        if self.listing(&intent.repository).and_then(|listing| listing.head) != Some(grant.onto()) {
            return self.refuse_effect(effect, Obstacle::Moved, "the base has moved; it is decided again".to_owned(), now);
        }
        if self.stopped_meanwhile(&intent.repository, now)? {
            return self.refuse_effect(effect, Obstacle::Moved, STOPPED.to_owned(), now);
        }
        let (title, message) = commit.message.split_once("\n\n").unwrap_or((&commit.message, ""));
        let call = MergeCall { head, base, title: title.to_owned(), message: message.to_owned(), method };
        let outcome = forge.merge(Call::act(now), number, &call, grant);
        self.take_outcome(&*forge, effect, &proposal, number, head, outcome, now)
    }

    /// Writes down what the forge made of a merge.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, and a struct would only repeat the names")]
    fn take_outcome(
        &mut self,
        forge: &dyn Forge,
        effect: EffectId,
        proposal: &Proposal,
        number: ProposalNumber,
        head: CommitId,
        outcome: Answered<MergeOutcome>,
        now: Timestamp,
    ) -> Result<()> {
        let key = &proposal.key;
        let now = self.clock.now().max(now);
        self.metrics.effect(EffectAction::MergeOnForge, merge_label(&outcome));
        match outcome {
            Ok(MergeOutcome::Merged { commit }) => {
                info!(proposal = %key, %commit, "the forge merged the proposal");
                self.record(now, vec![Event::Done { effect }])?;
                if let Some(repository) = &proposal.repository {
                    self.look_again(repository, now)?;
                }
                self.follow_proposals(now)
            }
            Ok(MergeOutcome::MergeQueueRequired) => {
                self.refuse_effect(effect, Obstacle::Moved, "the branch has a merge queue; the proposal enters it".to_owned(), now)?;
                self.enqueue(forge, proposal, number, head, now)
            }
            Ok(outcome) => {
                let (cause, why) = obstacle(outcome);
                self.refuse_effect(effect, cause, why, now)
            }
            Err(error) if error.may_have_acted() => {
                warn!(proposal = %key, "the merge has an unknown outcome: {error}");
                Ok(())
            }
            Err(error) => self.refuse_effect(effect, Obstacle::NotShown, error.to_string(), now),
        }
    }

    /// Whether the proposal waits in the merge queue with the head that it entered with. It is left alone there: a push would take it out.
    fn waits_in_queue(&mut self, key: &ProposalKey, now: Timestamp) -> Result<bool> {
        let Some(proposal) = self.state.proposals.get(key).cloned() else { return Ok(false) };
        let (Some(name), Some(published)) = (&proposal.repository, &proposal.published) else { return Ok(false) };
        if proposal.enqueued.is_none() || proposal.enqueued != proposal.head {
            return Ok(false);
        }
        let poll = self.repository(name).map(|repository| repository.config.poll).unwrap_or_default();
        let Some(conversation) = self.conversation_mut(name) else { return Ok(false) };
        if conversation.is_quiet(now) || conversation.asked_rules.is_some_and(|asked| now.since(asked) < poll) {
            return Ok(true);
        }
        conversation.asked_rules = Some(now);
        match conversation.forge.clone().queue_entry(Call::act(now), ProposalNumber(published.number)) {
            Ok(Some(entry)) if entry.state != QueueState::Unmergeable => Ok(true),
            Ok(_) => {
                // It may have landed a moment ago.
                self.look_again(name, now)?;
                self.follow_proposals(now)?;
                if self.state.proposals.get(key).is_none_or(|proposal| proposal.landed.is_some()) {
                    return Ok(true);
                }
                info!(proposal = %key, "the merge queue has let the proposal go");
                let why = "the merge queue let it go without landing it".to_owned();
                self.record(now, vec![Event::LeftQueue { proposal: key.clone(), why }])?;
                Ok(true)
            }
            Err(error) => {
                self.note_forge_failure(name, &error, now)?;
                Ok(true)
            }
        }
    }

    fn enqueue(&mut self, forge: &dyn Forge, proposal: &Proposal, number: ProposalNumber, head: CommitId, now: Timestamp) -> Result<()> {
        // What waits in a queue lands by itself.
        if let Some(repository) = &proposal.repository
            && self.stopped_meanwhile(repository, now)?
        {
            return Ok(());
        }
        let effect = self.intend(proposal, EffectAction::Enqueue, Some(head), now)?;
        let outcome = forge.enqueue(Call::act(now), number, head);
        self.metrics.effect(EffectAction::Enqueue, enqueue_label(&outcome));
        match outcome {
            Ok(EnqueueOutcome::Enqueued) => {
                info!(proposal = %proposal.key, "the proposal waits in the merge queue");
                self.record(now, vec![Event::Done { effect }])
            }
            Ok(EnqueueOutcome::HeadModified) => self.refuse_effect(effect, Obstacle::Moved, "the head has moved".to_owned(), now),
            Ok(EnqueueOutcome::Refused { sentence }) => self.refuse_effect(effect, Obstacle::Rejected, sentence, now),
            Err(error) => self.refuse_effect(effect, Obstacle::NotShown, error.to_string(), now),
        }
    }

    /// Whether the head is on the watched branch, as it is or as a commit that carries its plan.
    pub(super) fn has_landed(&self, intent: &Intent, head: CommitId, listing: &Listing) -> bool {
        let (Some(known), Some(watched)) = (self.repository(&intent.repository), listing.head) else { return false };
        let plan = intent.plan.as_ref().map(Plan::digest);
        let since = self.state.proposals.get(&intent.proposal).map_or(Timestamp(0), |proposal| proposal.opened_at);
        known.mirror.is_ancestor(head, watched).unwrap_or(false)
            || known.mirror.landed_plans(watched, since).is_ok_and(|landed| landed.iter().any(|landed| Some(&landed.plan) == plan.as_ref()))
    }
}

/// Whether the branch holds our newest commit, and the forge has shown exactly it.
fn is_ready(proposal: &Proposal, listed: Option<CommitId>) -> bool {
    let shown = proposal.shown.iter().any(|shown| Some(shown.head) == proposal.head);
    proposal.published.is_some() && proposal.head.is_some() && listed == proposal.head && shown
}

fn rebuilding() -> DecisionRecord {
    DecisionRecord {
        verdict: DecisionVerdict::Propose,
        proposal: None,
        plan: None,
        refusals: Vec::new(),
        sentence: "It is approved; the branch is built anew on the present head.".to_owned(),
    }
}

fn obstacle(outcome: MergeOutcome) -> (Obstacle, String) {
    match outcome {
        MergeOutcome::Merged { .. } | MergeOutcome::BaseModified => (Obstacle::Moved, "the base has moved; it is decided again".to_owned()),
        MergeOutcome::HeadModified => (Obstacle::Moved, "the proposal's head has moved; it is decided again".to_owned()),
        MergeOutcome::MergeQueueRequired => (Obstacle::Moved, "the branch has a merge queue".to_owned()),
        MergeOutcome::NotMergeable { sentence }
        | MergeOutcome::Blocked { sentence }
        | MergeOutcome::NotAuthorized { sentence }
        | MergeOutcome::MethodNotAllowed { sentence }
        | MergeOutcome::Invalid { sentence }
        | MergeOutcome::Forbidden { sentence }
        | MergeOutcome::Refused { sentence } => (Obstacle::Rejected, sentence),
    }
}

fn merge_label(outcome: &Answered<MergeOutcome>) -> &'static str {
    match outcome {
        Ok(MergeOutcome::Merged { .. }) => "merged",
        Ok(MergeOutcome::BaseModified | MergeOutcome::HeadModified | MergeOutcome::MergeQueueRequired) => "moved",
        Ok(_) => "rejected",
        Err(error) if error.may_have_acted() => "unknown",
        Err(_) => "failed",
    }
}

fn enqueue_label(outcome: &Answered<EnqueueOutcome>) -> &'static str {
    match outcome {
        Ok(EnqueueOutcome::Enqueued) => "enqueued",
        Ok(EnqueueOutcome::HeadModified) => "moved",
        Ok(EnqueueOutcome::Refused { .. }) => "rejected",
        Err(error) if error.may_have_acted() => "unknown",
        Err(_) => "failed",
    }
}
