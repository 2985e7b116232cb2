//! What people say on a proposal whose revert has landed: `/revertd reland` lets the change come back, questions are answered, and everything
//! else is past.
//!
//! The forge is asked about such a proposal only when somebody wrote a command there that was not answered yet.

use std::time::Duration;

use anyhow::Result;

use super::Reconciler;
use crate::engine::afterwards::{Afterwards, key_of_return};
use crate::engine::command::{Command, Parsed, parse};
use crate::engine::consent::{ProposalState, SaidId};
use crate::engine::fact::Event;
use crate::engine::id::RepositoryName;
use crate::engine::incident::Proposal;
use crate::engine::time::Timestamp;
use crate::forge::{Call, UserKind};
use crate::render;
use crate::render::neutral::Markdown;

/// Comments on a landed proposal are read for this long: what is brought back later is a change like any other.
const READ_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

impl Reconciler {
    /// The proposals of a repository that landed lately, and that the forge knows.
    pub(super) fn landed_lately(&self, name: &RepositoryName, now: Timestamp) -> Vec<Proposal> {
        let of_repository = self.state.proposals.values().filter(|proposal| proposal.repository.as_ref() == Some(name));
        of_repository
            .filter(|proposal| proposal.published.is_some() && proposal.landed.is_some())
            .filter(|proposal| proposal.over_since.is_some_and(|over| now.since(over) < READ_FOR))
            .cloned()
            .collect()
    }

    /// Judges and answers what was said on a landed proposal, where there is something new.
    pub(super) fn hear_landed(&mut self, name: &RepositoryName, proposal: &Proposal, call: Call) -> Result<()> {
        let Some(number) = proposal.published.as_ref().map(|published| published.number) else { return Ok(()) };
        // What was said before it landed was said about landing it, and another agent may have answered it.
        let about_now = |body: &str, at: Timestamp| match parse(body) {
            Parsed::None => false,
            Parsed::One(Command::Reland { .. }) => true,
            Parsed::One(_) | Parsed::Refused(_) => proposal.over_since.is_some_and(|over| at > over),
        };
        let is_new = |conversation: &super::Conversation| {
            let commands =
                conversation.heard.values().filter(|comment| comment.on.0 == number && about_now(&comment.body, comment.created));
            let people = commands.filter(|comment| comment.author.as_ref().is_some_and(|author| author.kind == UserKind::User));
            people.into_iter().any(|comment| !proposal.answered.contains_key(&SaidId::Comment(comment.id.0)))
        };
        if !self.conversation(name).is_some_and(is_new) {
            return Ok(());
        }
        let mut hearing = match self.gather(name, proposal, call) {
            Ok(Some(hearing)) => hearing,
            Ok(None) => return Ok(()),
            Err(error) => return self.note_forge_failure(name, &error, call.now),
        };
        // The forge calls one closed whose commit was pushed.
        hearing.now.state = ProposalState::Merged;
        let (judged, _, _) = self.judge(proposal, &hearing, call.now);
        for (said, judged) in hearing.said.iter().zip(judged) {
            // What was reviewed is past.
            if matches!(said.id, SaidId::Comment(_)) && about_now(&said.body, said.at) {
                self.answer(name, proposal, said, &judged, call)?;
            }
        }
        Ok(())
    }

    /// What an accepted `/revertd reland` is answered.
    pub(super) fn answer_to_reland(&self, proposal: &Proposal) -> Markdown {
        let back = proposal.plan.as_ref().and_then(|plan| self.state.proposals.get(&key_of_return(plan)));
        let address = back.filter(|back| back.is_open()).and_then(|back| back.published.as_ref()).map(|published| published.url.as_str());
        render::reply::relanded(address)
    }

    /// Writes down that a change may come back.
    pub(super) fn note_reland(&mut self, proposal: &Proposal, by: &str, reason: &str, now: Timestamp) -> Result<()> {
        let what = Afterwards::RelandAsked { proposal: proposal.key.clone(), by: by.to_owned(), reason: reason.to_owned() };
        self.record(now, vec![Event::Afterwards { what }])
    }
}
