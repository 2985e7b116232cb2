//! Has the forge show what was proposed: one pull request for each branch, whose text tells the plan, and one comment that is edited as the
//! story goes on.
//!
//! A create whose answer was lost is looked for before it is tried again; the forge's list may be late, so not finding a comment counts only
//! after a while.

use std::time::Duration;

use anyhow::{Context, Result};
use tracing::info;

use super::Reconciler;
use super::impairment::Part;
use crate::engine::consent::Publication;
use crate::engine::fact::{EffectAction, Event, Intent, Obstacle, ProposalClosing};
use crate::engine::id::{BranchName, CommitId, EffectId, ProposalKey, canonical_json, sha256_hex};
use crate::engine::incident::{Incident, Proposal};
use crate::engine::time::Timestamp;
use crate::forge::{
    Answered, Call, CommentId, CommentState, Forge, ForgeError, ForgeProposal, Identity, NewProposal, ProposalNumber, ProposalState,
};
use crate::render;

/// What the forge's lists do not show after this long is not there (catalogue of failures F8).
pub(super) const LISTS_ARE_LATE: Duration = Duration::from_secs(30);
/// The story of an incident is kept up to date this long after its end.
const TOLD_AFTER_THE_END: Duration = Duration::from_secs(600);

impl Reconciler {
    /// Has every forge show its open proposals as they stand.
    pub(super) fn publish_proposals(&mut self, now: Timestamp) -> Result<()> {
        let keys: Vec<ProposalKey> =
            self.state.proposals.values().filter(|proposal| self.is_told(proposal, now)).map(|known| known.key.clone()).collect();
        for key in keys {
            self.publish_proposal(&key, now)?;
        }
        Ok(())
    }

    fn publish_proposal(&mut self, key: &ProposalKey, now: Timestamp) -> Result<()> {
        let Some(proposal) = self.state.proposals.get(key).cloned() else { return Ok(()) };
        let Some(name) = proposal.repository.clone() else { return Ok(()) };
        let Some(conversation) = self.conversation(&name).filter(|conversation| !conversation.is_quiet(now)) else { return Ok(()) };
        let forge = conversation.forge.clone();
        if proposal.failed.as_ref().is_some_and(|failed| now < failed.retry_at()) || self.has_open_effect(key) {
            return Ok(());
        }
        let told = match &proposal.published {
            None if proposal.head.is_some() && proposal.closing.is_none() && proposal.landed.is_none() => {
                self.open_on_forge(&*forge, &proposal, now)
            }
            None => return Ok(()),
            Some(published) if proposal.plan_digest().as_ref() != Some(&published.plan) => {
                let number = ProposalNumber(published.number);
                self.edit_on_forge(&*forge, &proposal, number, published.url.clone(), now)
            }
            Some(published) => self.write_sticky(&*forge, &proposal, ProposalNumber(published.number), now),
        };
        match told {
            Ok(Ok(())) => {
                self.status.forge_answered(&name);
                match self.state.proposals.get(key).cloned() {
                    // With the comment there, everything that has to be there is.
                    Some(proposal) if proposal.sticky.is_some() => self.decorate(&*forge, &proposal, now),
                    _ => Ok(()),
                }
            }
            Ok(Err(error)) => self.note_forge_failure(&name, &error, now),
            Err(error) => Err(error),
        }
    }

    /// Whether there may be something to tell about a proposal.
    fn is_told(&self, proposal: &Proposal, now: Timestamp) -> bool {
        if proposal.brings_back() {
            // Its incidents are over.
            return proposal.over_since.is_none_or(|over| now.since(over) < TOLD_AFTER_THE_END);
        }
        proposal
            .incidents
            .iter()
            .filter_map(|id| self.state.incidents.get(id))
            .any(|incident| incident.ended_at.is_none_or(|ended| now.since(ended) < TOLD_AFTER_THE_END))
    }

    pub(super) fn has_open_effect(&self, key: &ProposalKey) -> bool {
        self.state.open_effects().iter().any(|(_, intent, _)| intent.proposal == *key)
    }

    fn open_on_forge(&mut self, forge: &dyn Forge, proposal: &Proposal, now: Timestamp) -> Result<Answered<()>> {
        let Some(base) = self.base_of(proposal) else { return Ok(Ok(())) };
        let effect = self.intend(proposal, EffectAction::Publish, None, now)?;
        match find(forge, proposal, now) {
            Ok(Some(there)) => return self.take_over(&effect, proposal, &there, now).map(Ok),
            Ok(None) => {}
            Err(error) => {
                self.refuse_effect(effect, Obstacle::NotShown, error.to_string(), now)?;
                return Ok(Err(error));
            }
        }
        let (title, body) = self.text_of(proposal, now)?;
        let new = NewProposal { head: branch_of(&proposal.key), base, title, body };
        match forge.open(Call::act(now), &new) {
            Ok(opened) => {
                self.take_over(&effect, proposal, &opened.proposal, now)?;
                Ok(Ok(()))
            }
            // The effect stays open, and the next pass looks for it.
            Err(error) if error.may_have_acted() => Ok(Err(error)),
            Err(error) => {
                self.refuse_effect(effect, Obstacle::Rejected, error.to_string(), now)?;
                Ok(Err(error))
            }
        }
    }

    /// Takes a proposal that the forge shows as ours; one that somebody closed is a veto.
    fn take_over(&mut self, effect: &EffectId, proposal: &Proposal, there: &ForgeProposal, now: Timestamp) -> Result<()> {
        let Some(plan) = proposal.plan_digest() else { return Ok(()) };
        info!(proposal = %proposal.key, url = %there.url, "the forge shows the proposal");
        if let Some(repository) = &proposal.repository {
            self.note_answer(repository, Part::Forge);
        }
        let mut events = vec![
            Event::Done { effect: effect.clone() },
            Event::ProposalPublished { proposal: proposal.key.clone(), number: there.number.0, url: there.url.clone(), plan },
        ];
        if there.state == ProposalState::Closed {
            events.push(Event::ProposalClosed { proposal: proposal.key.clone(), how: ProposalClosing::Vetoed });
        }
        self.record(now, events)
    }

    fn edit_on_forge(
        &mut self,
        forge: &dyn Forge,
        proposal: &Proposal,
        number: ProposalNumber,
        url: String,
        now: Timestamp,
    ) -> Result<Answered<()>> {
        let Some(plan) = proposal.plan_digest() else { return Ok(Ok(())) };
        let (title, body) = self.text_of(proposal, now)?;
        if let Err(error) = forge.edit(Call::act(now), number, &title, &body) {
            return Ok(Err(error));
        }
        self.record(now, vec![Event::ProposalPublished { proposal: proposal.key.clone(), number: number.0, url, plan }])?;
        Ok(Ok(()))
    }

    /// Writes or edits the one comment, where its text has changed.
    fn write_sticky(&mut self, forge: &dyn Forge, proposal: &Proposal, number: ProposalNumber, now: Timestamp) -> Result<Answered<()>> {
        let text = self.sticky_of(proposal)?;
        let digest = sha256_hex(text.as_bytes());
        let (comment, effect) = match &proposal.sticky {
            // A new head is shown with the same text: without that nobody could have approved it.
            Some(sticky) if sticky.digest == digest && !self.is_unshown(proposal) => return Ok(Ok(())),
            Some(sticky) => (Some(CommentId(sticky.comment)), None),
            None => {
                let effect = self.intend(proposal, EffectAction::WriteSticky, None, now)?;
                match own_sticky(forge, number, &proposal.key, now) {
                    Ok(found) => (found, Some(effect)),
                    Err(error) => {
                        self.refuse_effect(effect, Obstacle::NotShown, error.to_string(), now)?;
                        return Ok(Err(error));
                    }
                }
            }
        };
        let written = match comment {
            Some(comment) => forge.edit_comment(Call::act(now), comment, &text).and_then(|()| read_back(forge, comment, now)),
            None => forge.write_comment(Call::act(now), number, &text).map(|comment| (comment.id, comment.url, comment.created)),
        };
        match (written, effect) {
            (Ok((comment, url, at)), effect) => {
                if let Some(repository) = &proposal.repository {
                    self.note_answer(repository, Part::Forge);
                }
                let shown = self.newly_shown(proposal, at);
                let mut events: Vec<Event> = effect.into_iter().map(|effect| Event::Done { effect }).collect();
                events.push(Event::StickyWritten { proposal: proposal.key.clone(), comment: comment.0, url, digest, shown });
                self.record(now, events)?;
                Ok(Ok(()))
            }
            (Err(error), Some(effect)) if !error.may_have_acted() => {
                self.refuse_effect(effect, Obstacle::Rejected, error.to_string(), now)?;
                Ok(Err(error))
            }
            (Err(error), _) => Ok(Err(error)),
        }
    }

    /// Whether the proposal waits with a plan and a head that its comment has not shown.
    fn is_unshown(&self, proposal: &Proposal) -> bool {
        proposal.closing.is_none() && proposal.landed.is_none() && self.newly_shown(proposal, proposal.opened_at).is_some()
    }

    /// What the comment shows that no text before it has shown.
    fn newly_shown(&self, proposal: &Proposal, at: Timestamp) -> Option<Publication> {
        let (plan, head) = (proposal.plan_digest()?, proposal.head?);
        let known = proposal.shown.iter().any(|shown| shown.plan == plan && shown.head == head);
        (!known).then_some(Publication { at, plan, head })
    }

    /// What a crash or a lost answer left open on the forge. `None`: it is not known yet.
    pub(super) fn look_on_forge(&mut self, effect: &EffectId, intent: &Intent, at: Timestamp, now: Timestamp) -> Result<()> {
        let Some(proposal) = self.state.proposals.get(&intent.proposal).cloned() else { return Ok(()) };
        let Some(forge) = self.conversation(&intent.repository).map(|conversation| conversation.forge.clone()) else { return Ok(()) };
        let found = match intent.action {
            EffectAction::Publish => match find(&*forge, &proposal, now) {
                Ok(Some(there)) => return self.take_over(effect, &proposal, &there, now),
                Ok(None) => Ok(false),
                Err(error) => Err(error),
            },
            EffectAction::WriteSticky => match (&proposal.published, &proposal.sticky) {
                (Some(published), None) => {
                    own_sticky(&*forge, ProposalNumber(published.number), &proposal.key, now).map(|found| found.is_some())
                }
                _ => Ok(true),
            },
            // What waits in a queue cannot be seen; entering it twice is entering it once.
            _ => Ok(false),
        };
        match found {
            // Its text is compared and edited by the next pass.
            Ok(true) => {
                self.refuse_effect(effect.clone(), Obstacle::Moved, "the comment is there; its text is compared anew".to_owned(), now)
            }
            Ok(false) if intent.action != EffectAction::Enqueue && now.since(at) < LISTS_ARE_LATE => Ok(()),
            Ok(false) => {
                self.refuse_effect(effect.clone(), Obstacle::NotShown, "the forge does not show it; it is decided again".to_owned(), now)
            }
            Err(error) => self.note_forge_failure(&intent.repository, &error, now),
        }
    }

    pub(super) fn intend(
        &mut self,
        proposal: &Proposal,
        action: EffectAction,
        expected: Option<CommitId>,
        now: Timestamp,
    ) -> Result<EffectId> {
        let repository = proposal.repository.clone().context("the proposal is in no repository")?;
        let intent = Intent {
            repository,
            proposal: proposal.key.clone(),
            incidents: proposal.incidents.clone(),
            action,
            expected,
            new: None,
            plan: None,
            commit: None,
            account: None,
        };
        let effect = EffectId::new(&sha256_hex(format!("{}\n{now}", canonical_json(&intent)?).as_bytes())[..16]);
        self.record(now, vec![Event::Intended { effect: effect.clone(), intent }])?;
        Ok(effect)
    }

    fn base_of(&self, proposal: &Proposal) -> Option<BranchName> {
        Some(self.repository(proposal.repository.as_ref()?)?.config.branch.clone())
    }

    /// The incidents that a proposal is for, in the order in which they joined it.
    pub(super) fn stories(&self, proposal: &Proposal) -> Vec<&Incident> {
        proposal.incidents.iter().filter_map(|id| self.state.incidents.get(id)).collect()
    }
}

/// The branch of a proposal.
fn branch_of(key: &ProposalKey) -> BranchName {
    BranchName::new(format!("revertd/{key}"))
}

/// The proposal that the forge has for a branch: the open one, or the newest that a person has closed.
fn find(forge: &dyn Forge, proposal: &Proposal, now: Timestamp) -> Answered<Option<ForgeProposal>> {
    let call = Call::act(now);
    let identity: Identity = forge.identity(call)?;
    let there = forge.find(call, &branch_of(&proposal.key))?;
    if let Some(open) = there.iter().find(|known| known.state == ProposalState::Open) {
        return Ok(Some(open.clone()));
    }
    for known in there.iter().filter(|known| known.state == ProposalState::Closed) {
        let known = forge.get(call, known.number)?;
        // What revertd closed itself, by taking a branch away, is no veto.
        if known.closed_by.as_ref().is_some_and(|user| user.id != identity.own.user.id) {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

/// Our sticky comment, by its hidden mark.
fn own_sticky(forge: &dyn Forge, number: ProposalNumber, key: &ProposalKey, now: Timestamp) -> Answered<Option<CommentId>> {
    with_mark(forge, number, &render::sticky::mark(key), now)
}

/// Our comment with a hidden mark.
pub(super) fn with_mark(forge: &dyn Forge, number: ProposalNumber, mark: &str, now: Timestamp) -> Answered<Option<CommentId>> {
    Ok(forge.own_comments(Call::act(now), number)?.into_iter().find(|comment| comment.body.contains(mark)).map(|comment| comment.id))
}

/// An edited comment's page, and when the forge's clock says that it was edited.
fn read_back(forge: &dyn Forge, comment: CommentId, now: Timestamp) -> Answered<(CommentId, String, Timestamp)> {
    match forge.comment_state(Call::act(now), comment)? {
        CommentState::There(there) => {
            let edited = there.last_edited.unwrap_or(there.comment.updated);
            Ok((comment, there.comment.url, edited))
        }
        CommentState::Gone => Err(ForgeError::NotFound { what: format!("read comment {comment}") }),
    }
}
