//! What the forge's rules ask of an approved proposal before it is merged: which way, and what it has to wait for (failures F4 and F5).
//!
//! The merge call asks the rules again, and says no itself where they changed; what is read here only keeps from calling in vain.

use std::time::Duration;

use anyhow::Result;
use tracing::info;

use super::Reconciler;
use crate::engine::fact::Event;
use crate::engine::id::{BranchName, CommitId};
use crate::engine::incident::Proposal;
use crate::engine::time::{Timestamp, spoken};
use crate::forge::{
    Allowance, Answered, BranchRules, Call, CheckState, ClassicProtection, Demand, Forge, ForgeError, MergeMethod, MergeMethods,
    ProposalNumber,
};

/// After so long a wait for required checks somebody is told to see to them; revertd goes on looking.
const CHECKS_AWAITED: Duration = Duration::from_secs(1800);

/// Whether a proposal merges is asked for again after so long at most, while the forge does not say (F9).
const MERGEABILITY_ASKED: Duration = Duration::from_secs(3);
/// What is told meanwhile. That the forge does not say is no "no", and no "yes" either.
const NOT_WORKED_OUT: &str = "It is approved, and the forge has not worked out yet whether it merges without a conflict.";

/// How an approved proposal goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is merged like this.
    Merge(MergeMethod),
    /// It enters the merge queue.
    Queue,
    /// Not yet.
    Wait,
}

impl Reconciler {
    /// Which way the rules leave to land an approved proposal; what it waits for is written down, and told.
    pub(super) fn way_to_land(
        &mut self,
        forge: &dyn Forge,
        proposal: &Proposal,
        base: &BranchName,
        (number, head): (ProposalNumber, CommitId),
        now: Timestamp,
    ) -> Result<Way> {
        let Some(name) = proposal.repository.clone() else { return Ok(Way::Wait) };
        let poll = self.repository(&name).map(|repository| repository.config.poll).unwrap_or_default();
        if let Some(conversation) = self.conversation_mut(&name) {
            if proposal.waits.is_some() && conversation.asked_rules.is_some_and(|asked| now.since(asked) < poll) {
                return Ok(Way::Wait);
            }
            conversation.asked_rules = Some(now);
        }
        let asked = ask(forge, base, head, now).and_then(|(methods, rules, missing)| {
            let may_merge = missing.is_empty() && rules.merge_queue == Demand::No;
            let is_known = !may_merge || forge.get(Call::act(now), number)?.mergeable.is_some();
            Ok((methods, rules, missing, is_known))
        });
        match asked {
            Ok((_, _, _, false)) => {
                // It is worked out in a moment: asking is what makes the forge do it.
                if let Some(conversation) = self.conversation_mut(&name) {
                    conversation.asked_rules = Some(now - poll.saturating_sub(MERGEABILITY_ASKED));
                }
                self.waits(proposal, Some(NOT_WORKED_OUT.to_owned()), now)?;
                Ok(Way::Wait)
            }
            Ok((methods, rules, missing, true)) => {
                let since = proposal.waits.as_ref().map_or(now, |waits| waits.since);
                let why = (!missing.is_empty()).then(|| waiting(base, &missing, since, now));
                self.waits(proposal, why.clone(), now)?;
                Ok(match (why, rules.merge_queue) {
                    (Some(_), _) => Way::Wait,
                    (None, Demand::Yes) => Way::Queue,
                    (None, Demand::No) => Way::Merge(method(methods, &rules)),
                })
            }
            Err(error) => {
                self.note_forge_failure(&name, &error, now)?;
                Ok(Way::Wait)
            }
        }
    }

    fn waits(&mut self, proposal: &Proposal, why: Option<String>, now: Timestamp) -> Result<()> {
        if proposal.waits.as_ref().map(|waits| &waits.why) == why.as_ref() {
            return Ok(());
        }
        info!(proposal = %proposal.key, "{}", why.as_deref().unwrap_or("nothing is waited for any more"));
        self.record(now, vec![Event::Waits { proposal: proposal.key.clone(), why }])
    }
}

/// The ways to merge, the rules of the branch, and the required checks that have not passed on the head, each with how it stands.
fn ask(forge: &dyn Forge, base: &BranchName, head: CommitId, now: Timestamp) -> Answered<(MergeMethods, BranchRules, Vec<String>)> {
    let call = Call::act(now);
    let methods = forge.identity(call)?.methods;
    let rules = match forge.branch_rules(call, base) {
        Ok(rules) => rules.unwrap_or_default(),
        // Whoever may not read the rules may merge all the same, if they allow it.
        Err(ForgeError::Forbidden { .. } | ForgeError::NotFound { .. }) => BranchRules::default(),
        Err(error) => return Err(error),
    };
    let mut required: Vec<(&str, Option<u64>)> = rules.required_checks.iter().map(|check| (check.context.as_str(), check.app)).collect();
    if let ClassicProtection::Present { checks } = &rules.classic {
        required.extend(checks.iter().map(|context| (context.as_str(), None)));
    }
    if required.is_empty() {
        return Ok((methods, rules, Vec::new()));
    }
    let checks = forge.checks(call, head)?;
    let mut missing: Vec<String> = required
        .into_iter()
        .filter_map(|(context, app)| {
            let mut reported = checks.iter().filter(|check| check.context == context && (app.is_none() || check.app == app));
            match reported.next().map(|check| check.state) {
                Some(CheckState::Passed) => None,
                Some(CheckState::Pending) => Some(format!("`{context}` (pending)")),
                Some(CheckState::Failed) => Some(format!("`{context}` (failed)")),
                None => Some(format!("`{context}` (not reported yet)")),
            }
        })
        .collect();
    missing.sort_unstable();
    missing.dedup();
    Ok((methods, rules, missing))
}

fn waiting(base: &BranchName, missing: &[String], since: Timestamp, now: Timestamp) -> String {
    let what = format!("the checks that `{base}` requires: {}", missing.join(", "));
    if now.since(since) < CHECKS_AWAITED {
        return format!("It is approved and waits for {what}.");
    }
    format!(
        "It is approved and has waited since {since}, longer than {}, for {what}. Somebody has to see to them, or merge it by hand.",
        spoken(CHECKS_AWAITED)
    )
}

/// A merge commit keeps the commit that was reviewed; a squash keeps its text; a rebase neither its id nor its dates.
fn method(methods: MergeMethods, rules: &BranchRules) -> MergeMethod {
    let by_rules = |word: &str| rules.merge_methods.as_ref().is_none_or(|allowed| allowed.iter().any(|allowed| allowed == word));
    let allowed = |allowance: Allowance, word: &str| allowance == Allowance::Allowed && by_rules(word);
    match () {
        () if allowed(methods.merge, "merge") && rules.linear_history == Demand::No => MergeMethod::Merge,
        () if allowed(methods.squash, "squash") => MergeMethod::Squash,
        () if allowed(methods.rebase, "rebase") => MergeMethod::Rebase,
        // The forge does not say; it says no itself if it must.
        () => MergeMethod::Squash,
    }
}
