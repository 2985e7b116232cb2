//! Bringing a change back that a revert took away in vain: the same plan, approvals and effects as a revert, and never without people.
//!
//! The evidence of the breach has no say here: that was judged when the revert was found to have changed nothing, or a person asked for it.

use super::attribution::Attribution;
use super::decision::{Action, Decision, DecisionRecord, DecisionVerdict};
use super::guardrail::{Refusal, RefusalCode, effective_mode, held, may_merge, propose_budget, push_failed, switches, unsignable};
use super::id::{CommitId, PlanDigest, ProposalKey};
use super::plan::{CleanInverse, Inverse, Plan, PlanKind, proposal_key};
use super::policy::Mode;
use super::situation::{InverseResult, ProposalBranch, Situation};

/// Decides about bringing back what `reverts` took away. The situation's proposal is the one that brings it back, its inverse that of the revert, and
/// `attribution` the one that the revert was made from. Pure.
pub fn decide(situation: &Situation, attribution: &Attribution, reverted: CommitId) -> Decision {
    let key = proposal_key(&situation.branch, PlanKind::Reapply, &attribution.suspects);
    let mut refusals = switches(situation);
    let (mode, whose) = effective_mode(situation);
    if mode == Mode::Observe {
        let sentence = format!("The mode is `observe`, by {whose}: nothing is proposed.");
        refusals.push(Refusal { code: RefusalCode::ModeObserve, sentence });
    }
    if !situation.proposal.as_ref().is_some_and(|proposal| proposal.branch == ProposalBranch::Present) {
        refusals.extend(propose_budget(situation));
        refusals.extend(push_failed(situation));
    }
    let inverse = match clean(situation, reverted) {
        Ok(inverse) => inverse,
        Err(refusal) => {
            refusals.push(refusal);
            return nothing(key, attribution, refusals);
        }
    };
    if !refusals.is_empty() {
        return nothing(key, attribution, refusals);
    }
    gate(situation, attribution, inverse)
}

fn gate(situation: &Situation, attribution: &Attribution, inverse: CleanInverse) -> Decision {
    let plan = Plan::new(situation.branch.clone(), PlanKind::Reapply, &attribution.suspects, &inverse.paths);
    let digest = plan.digest();
    let approvals = situation.proposal.iter().flat_map(|proposal| proposal.approvals.iter().rev());
    let approval = approvals.into_iter().find(|approval| approval.counts_for(&digest, situation.now)).cloned();
    let mut blocking = Vec::new();
    if approval.is_none() {
        blocking.push(by_people());
    } else {
        blocking.extend(push_failed(situation));
    }
    // What no approval lifts holds here too. The merge budgets count reverts: this gives one back.
    let stands = |refusal: &Refusal| !refusal.code.is_lifted_by_approval() && refusal.code != RefusalCode::MergeBudget;
    blocking.extend(may_merge(situation, attribution, &inverse).into_iter().filter(stands));
    blocking.extend(held(situation));
    let record = |verdict, refusals, sentence| DecisionRecord {
        verdict,
        proposal: Some(plan.key()),
        plan: Some(digest.clone()),
        refusals,
        sentence,
    };
    match (blocking.first().cloned(), approval) {
        (None, Some(approval)) => {
            let sentence = format!("{} approved bringing it back at {}; it is merged.", approval.by, approval.at);
            let record = record(DecisionVerdict::Merge, Vec::new(), sentence);
            let grant = super::approval::MergeGrant::new(digest.clone(), situation.head);
            let action = Action::Merge { plan, inverse, grant, approval: Some(Box::new(approval)) };
            Decision { record, attribution: Some(attribution.clone()), action }
        }
        (first, _) => {
            let reason = first.map_or_else(|| by_people().sentence, |refusal| refusal.sentence);
            let record = record(DecisionVerdict::Propose, blocking, format!("Bringing it back is proposed, not merged: {reason}"));
            Decision { record, attribution: Some(attribution.clone()), action: Action::Propose { plan, inverse } }
        }
    }
}

fn by_people() -> Refusal {
    let sentence = "A change that was reverted is brought back by people only: it waits for an approval.".to_owned();
    Refusal { code: RefusalCode::ReapplyIsForPeople, sentence }
}

/// What takes the revert away, if that is what `git revert` would write: no other way is tried, because what else changed since is people's.
fn clean(situation: &Situation, reverted: CommitId) -> Result<CleanInverse, Refusal> {
    let conflict = |paths: &[String]| {
        let named: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
        let sentence = format!("Taking the revert {reverted} back conflicts in {}. By hand: `git revert {reverted}`.", named.join(", "));
        Refusal { code: RefusalCode::Conflict, sentence }
    };
    match &situation.inverse {
        Some(InverseResult::Built(Inverse::Clean(inverse))) if inverse.account.is_none() => {
            let inverse = CleanInverse { kind: PlanKind::Reapply, ..inverse.clone() };
            unsignable(situation, &inverse).map_or(Ok(inverse), Err)
        }
        Some(InverseResult::Built(Inverse::Clean(inverse))) => {
            Err(conflict(inverse.account.as_ref().map_or(&[], |account| account.conflicts.as_slice())))
        }
        Some(InverseResult::Built(Inverse::Conflict { paths, .. })) => Err(conflict(paths)),
        Some(InverseResult::Built(Inverse::AlreadyUndone)) => {
            let sentence = "The change is back already: taking the revert away would change nothing.".to_owned();
            Err(Refusal { code: RefusalCode::AlreadyUndone, sentence })
        }
        Some(InverseResult::Failed(why)) => {
            Err(Refusal { code: RefusalCode::InverseFailed, sentence: format!("Taking the revert away could not be built: {why}.") })
        }
        None => Err(Refusal { code: RefusalCode::InverseFailed, sentence: "Taking the revert away was not built.".to_owned() }),
    }
}

fn nothing(key: ProposalKey, attribution: &Attribution, refusals: Vec<Refusal>) -> Decision {
    let sentence = refusals.first().map(|refusal| refusal.sentence.clone()).unwrap_or_default();
    let plan: Option<PlanDigest> = None;
    let record = DecisionRecord { verdict: DecisionVerdict::Refuse, proposal: Some(key), plan, refusals, sentence };
    Decision { record, attribution: Some(attribution.clone()), action: Action::Nothing }
}
