//! What is told of a proposal that brings a change back, in the thread of the revert that it takes away. Its incidents are over.

use super::{Matter, News, Setting, approvers, is_readable, readable_since};
use crate::engine::afterwards::key_of_original;
use crate::engine::decision::DecisionVerdict;
use crate::engine::incident::{Proposal, State};
use crate::engine::message::MessageEvent;

pub(super) fn of_return(state: &State, proposal: &Proposal, setting: Setting<'_>) -> Vec<News> {
    let Some(plan) = &proposal.plan else { return Vec::new() };
    let (key, digest) = (&proposal.key, plan.digest());
    let thread = key_of_original(&plan.branch, &plan.suspects).to_string();
    let mut found = Vec::new();
    let mut say =
        |name: String, event, matter, at| found.push(News { key: format!("{key}/{name}"), thread: thread.clone(), event, matter, at });
    if proposal.is_open() && is_readable(proposal, setting) {
        say(format!("proposed/{digest}"), MessageEvent::Proposed, Matter::Proposed(key.clone()), readable_since(proposal));
    }
    let merging = state.aftermath.decision(key).is_some_and(|decision| decision.verdict == DecisionVerdict::Merge);
    let by = approvers(proposal);
    if merging && !by.is_empty() {
        let at = proposal.allowed_by().iter().map(|(_, at)| *at).max().unwrap_or(proposal.opened_at);
        let matter = Matter::Approved { proposal: key.clone(), by: by.into_iter().collect::<Vec<_>>().join(" and ") };
        say(format!("approved/{digest}"), MessageEvent::Approved, matter, at);
    }
    if let (Some(_), Some(at)) = (proposal.landed, proposal.over_since) {
        say("merged".to_owned(), MessageEvent::Merged, Matter::Merged(key.clone()), at);
    }
    found
}
