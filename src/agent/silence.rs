//! When nobody answers a proposal for as long as its policies say: it is told again or taken back. Merging because of silence is the merge
//! gate's to decide; here it is only made sure that the silence is real.
//!
//! Silence is evidence only where the forge was heard lately: one that cannot be asked may hold an answer (P2).

use std::time::Duration;

use anyhow::Result;
use tracing::{info, warn};

use super::Reconciler;
use crate::engine::consent::{IfSilent, Silence};
use crate::engine::fact::Event;
use crate::engine::id::{ProposalKey, RepositoryName};
use crate::engine::incident::{Incident, Proposal};
use crate::engine::time::{Timestamp, spoken};
use crate::forge::Call;

/// What was heard longer ago than this many polls is not the present.
const POLLS: u32 = 3;

impl Reconciler {
    /// Since when nobody has answered a proposal, as far as the forge was heard lately; later by the time that it was not heard.
    pub(super) fn silent_since(&self, name: &RepositoryName, proposal: &Proposal, now: Timestamp) -> Option<Timestamp> {
        let since = proposal.silent_since()?;
        let repository = self.repository(name)?;
        let Some(conversation) = &repository.conversation else { return Some(since) };
        proposal.published.as_ref()?;
        let heard = conversation.heard_at(&proposal.key)?;
        let lately = (repository.config.poll * POLLS).max(Duration::from_secs(10));
        let silent = now.since(heard) <= lately && conversation.approval(&proposal.key).is_none();
        // What was not heard is not counted as silence.
        silent.then(|| since + now.since(heard))
    }

    /// Does what the policies say about proposals that nobody answers, once each.
    pub(super) fn end_silences(&mut self, now: Timestamp) -> Result<()> {
        let quiet: Vec<Proposal> =
            self.state.proposals.values().filter(|proposal| proposal.silence.is_none() && !proposal.brings_back()).cloned().collect();
        for proposal in quiet {
            let Some(name) = proposal.repository.clone() else { continue };
            let Some(since) = self.silent_since(&name, &proposal, now) else { continue };
            let due: Vec<IfSilent> = self.silence_rules(&proposal).into_iter().filter(|rule| now.since(since) >= rule.after).collect();
            // Of several policies the mildest rule holds; merging is decided elsewhere.
            let Some(then) = due.iter().map(|rule| rule.then).min().filter(|then| *then != Silence::Merge) else { continue };
            self.record(now, vec![Event::SilenceEnded { proposal: proposal.key.clone(), since, then }])?;
            self.end_silence(&proposal.key, then, since, now)?;
        }
        Ok(())
    }

    fn end_silence(&mut self, key: &ProposalKey, then: Silence, since: Timestamp, now: Timestamp) -> Result<()> {
        let waited = spoken(now.since(since));
        if then == Silence::Escalate {
            // It is told to the chats and pagers by the last step of the pass.
            warn!(proposal = %key, "nobody has answered the proposal for {waited}");
            return Ok(());
        }
        let incidents: Vec<Incident> =
            self.state.proposals.get(key).map(|proposal| self.stories(proposal).into_iter().cloned().collect()).unwrap_or_default();
        for incident in incidents.iter().filter(|incident| incident.ending.is_none()) {
            self.withdraw(incident, format!("nobody answered for {waited}, and the policy takes the proposal back then"), now)?;
        }
        Ok(())
    }

    fn silence_rules(&self, proposal: &Proposal) -> Vec<IfSilent> {
        proposal.incidents.iter().filter_map(|incident| self.policy_of(incident)).filter_map(|policy| policy.approval.if_silent).collect()
    }

    /// Right before a merge that nobody approved: whether still nobody has said anything against it, asked of the forge anew.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(super) fn nobody_objects(&mut self, incident: &Incident, now: Timestamp) -> Result<bool> {
        let (name, Some(key)) = (incident.repository.clone(), incident.proposal.clone()) else { return Ok(true) };
        let known = self.state.proposals.get(&key);
        if self.conversation(&name).is_none() || known.is_none_or(|proposal| proposal.published.is_none()) {
            return Ok(true);
        }
        let position = self.repositories.iter().position(|known| known.config.name == name);
        let open = self.published(&name);
        if let Some(Err(error)) = position.map(|index| self.read_comments(index, &open, now)) {
            self.note_forge_failure(&name, &error, now)?;
            return Ok(false);
        }
        self.hear(&name, &key, Call::act(now))?;
        let heard = self.conversation(&name).and_then(|conversation| conversation.heard_at(&key)) == Some(now);
        let free = heard && self.state.proposals.get(&key).is_some_and(|proposal| proposal.holds.is_empty() && proposal.closing.is_none());
        if !free {
            info!(proposal = %key, "it could not be made sure that nobody objects; it is decided again");
        }
        Ok(free)
    }
}
