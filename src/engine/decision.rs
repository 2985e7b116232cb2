//! The decision: one situation in, one of wait, refuse, propose or merge out, with the sentence that says why.
//!
//! The order of the questions is the product: switches first, then whether the evidence can be trusted, then what the plan is, then
//! whether it may be proposed, then whether it may be merged.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval::{Approval, MergeGrant};
use super::attribution::{Attribution, applied_fact, attribute, breaching};
use super::breach;
use super::broken_sync::{self, Broke};
use super::change::ChangeKind;
use super::elsewhere;
use super::fate::shared_fate;
use super::guardrail::{
    Refusal, RefusalCode, asked, fix_under_way, held, is_up_to_rounds, may_merge, may_propose, open_fix, open_revert, push_failed,
    switches, unsignable, waits_for_rounds,
};
use super::id::{BranchName, CommitId, PlanDigest, ProposalKey};
use super::plan::{CleanInverse, Inverse, Plan, PlanKind, proposal_key};
use super::situation::{InverseResult, ProposalBranch, Situation};
use super::slo;
use super::sync::applied::AppliedFact;
use super::time::{Timestamp, spoken};
use super::together::{Theirs, joint_situations};

/// A decision, with what is needed to carry it out.
#[derive(Debug)]
pub struct Decision {
    /// What the journal keeps.
    pub record: DecisionRecord,
    /// Every candidate with its evidence; `None` where the service does not breach any more.
    pub attribution: Option<Attribution>,
    /// What to carry out.
    pub action: Action,
}

/// What to carry out.
#[derive(Debug)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Have the proposal's branch hold this plan.
    Propose {
        /// The plan.
        plan: Plan,
        /// Its inverse, on the head of the situation.
        inverse: CleanInverse,
    },
    /// Land this plan on the head of the situation.
    Merge {
        /// The plan.
        plan: Plan,
        /// Its inverse.
        inverse: CleanInverse,
        /// The proof that it may.
        grant: MergeGrant,
        /// The approval that stood in for guardrails, where one did.
        approval: Option<Box<Approval>>,
    },
}

/// A decision as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// What.
    pub verdict: DecisionVerdict,
    /// The proposal and the plan, where there is one.
    pub proposal: Option<ProposalKey>,
    /// The plan's digest, where there is one.
    pub plan: Option<PlanDigest>,
    /// Why it is not merged (for `Propose`), or nothing done (for `Refuse`); every refusal that holds, most important first.
    pub refusals: Vec<Refusal>,
    /// One sentence.
    pub sentence: String,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DecisionVerdict {
    /// Not yet; decided again in the next pass.
    Wait,
    /// No.
    Refuse,
    /// Open a proposal.
    Propose,
    /// Land it.
    Merge,
}

/// Decides. Pure: the same situation gives the same decision.
pub fn decide(situation: &Situation) -> Decision {
    decide_attributed(situation, situation.attribution.clone().or_else(|| attribute(situation)))
}

/// The same for who has the attribution already: the one that the situation holds, or else what [`attribute`] makes of it.
pub fn decide_attributed(situation: &Situation, attribution: Option<Attribution>) -> Decision {
    let open = is_open(situation);
    let Some(attribution) = attribution else {
        return nothing(
            &situation.branch,
            DecisionVerdict::Wait,
            None,
            Vec::new(),
            "The service does not breach any more; its recovery is watched.".to_owned(),
        );
    };
    // Once proposed, the evidence has done its work: only switches can take the proposal's merge away, and people decide the rest.
    let mut refusals = if open { switches(situation) } else { may_propose(situation, &attribution) };
    if !open {
        refusals.extend(open_revert(situation));
    }
    if let Some(first) = refusals.first() {
        let sentence = first.sentence.clone();
        return nothing(&situation.branch, DecisionVerdict::Refuse, Some(attribution), refusals, sentence);
    }
    if !open && let Some(sentence) = not_yet(situation, &attribution) {
        return nothing(&situation.branch, DecisionVerdict::Wait, Some(attribution), Vec::new(), sentence);
    }
    match clean_inverse(situation, &attribution) {
        Ok(inverse) => gate(situation, attribution, inverse),
        Err(refusal) => {
            let sentence = refusal.sentence.clone();
            nothing(&situation.branch, DecisionVerdict::Refuse, Some(attribution), vec![refusal], sentence)
        }
    }
}

/// Whether a proposal is open.
fn is_open(situation: &Situation) -> bool {
    situation.proposal.as_ref().is_some_and(|proposal| proposal.branch == ProposalBranch::Present)
}

/// Why to wait: too few of the SLOs breach, the rollout is not over, or it is too early to tell an outage from a change.
pub(super) fn not_yet(situation: &Situation, attribution: &Attribution) -> Option<String> {
    if attribution.broke == Broke::Sync {
        return broken_sync::not_yet(situation, attribution).or_else(|| fix_under_way(situation, attribution));
    }
    if let Some(sentence) = breach::too_few(situation) {
        return Some(sentence);
    }
    let policy = &situation.service.policy;
    let rolling_out = attribution
        .candidates
        .iter()
        .filter(|candidate| attribution.suspects.contains(&candidate.commit))
        // As early as it can have begun: a first bad round that was not measured makes it no later.
        .any(|candidate| candidate.applied.is_some_and(|applied| attribution.onset.earliest() <= applied.by + policy.revert.settle));
    let lasted = newest_round(situation).map_or_else(Default::default, |end| end.since(attribution.onset.by));
    if rolling_out && lasted < policy.revert.settle {
        return Some(format!(
            "The breach began during the rollout and has lasted {}; it counts once it has lasted {}.",
            spoken(lasted),
            spoken(policy.revert.settle)
        ));
    }
    if let Some(sentence) = not_heard_yet(situation, attribution) {
        return Some(sentence);
    }
    if let Some(sentence) = good_now(situation).or_else(|| fix_under_way(situation, attribution)) {
        return Some(sentence);
    }
    if let Some(sentence) = elsewhere::too_early(situation, attribution) {
        return Some(sentence);
    }
    let fate = shared_fate(situation, attribution);
    fate.may_become_outage().then(|| {
        format!(
            "{} of {} untouched services began to fail with it and {} more are not decided yet; it is too early to tell a bad change from an outage.",
            fate.untouched_breaching.len(),
            fate.untouched,
            fate.untouched_undecided.len()
        )
    })
}

/// A suspect that was not applied when its sync source was last heard, before the breach: the next answer tells whether it can have done it.
/// A source that goes silent makes it unknown, which waits for nothing.
fn not_heard_yet(situation: &Situation, attribution: &Attribution) -> Option<String> {
    situation.suspected_landings(attribution).find_map(|landing| match applied_fact(&situation.service, landing)? {
        AppliedFact::NotYet { until } => {
            let id = landing.to.short();
            Some(format!(
                "{id} was not applied yet at {until}; it is waited for what the sync source says of the time when the breach began."
            ))
        }
        AppliedFact::At { .. } | AppliedFact::Unknown { .. } | AppliedFact::Broke { .. } => None,
    })
}

/// No SLO that breaches is bad in its newest round: what an alert remembers is no reason to act (E10), and a rollout's blip, a fix by hand or
/// an absurd round is over before anybody could undo anything.
fn good_now(situation: &Situation) -> Option<String> {
    let service = &situation.service;
    let mut breaching = breaching(service, &situation.landings, situation.now).peekable();
    breaching.peek()?;
    let newest: Vec<&str> = breaching.clone().map(|slo| slo.name.as_str()).collect();
    (!breaching.any(|slo| slo::is_bad_now(slo, service.rounds(&slo.name))))
        .then(|| format!("The newest round of `{}` is not bad; it is waited for a bad one before anything is done.", newest.join("`, `")))
}

fn newest_round(situation: &Situation) -> Option<Timestamp> {
    situation.service.series.iter().filter_map(|series| series.rounds.last()).map(|round| round.end).max()
}

fn clean_inverse(situation: &Situation, attribution: &Attribution) -> Result<CleanInverse, Refusal> {
    let refusal = |code, sentence: String| Err(Refusal { code, sentence });
    match &situation.inverse {
        Some(InverseResult::Built(Inverse::Clean(inverse))) => unsignable(situation, inverse).map_or_else(|| Ok(inverse.clone()), Err),
        Some(InverseResult::Built(Inverse::AlreadyUndone)) => {
            refusal(RefusalCode::AlreadyUndone, "It is undone already: reverting it would change nothing.".to_owned())
        }
        Some(InverseResult::Built(Inverse::Conflict { paths, tried })) => refusal(
            RefusalCode::Conflict,
            format!(
                "Undoing it conflicts {}. {}By hand: `git switch -c revert-by-hand {}`, then {}.",
                conflicting(paths),
                tried.iter().map(|sentence| format!("{sentence} ")).collect::<String>(),
                situation.head,
                by_hand(situation, attribution)
            ),
        ),
        Some(InverseResult::Failed(why)) => refusal(RefusalCode::InverseFailed, format!("The inverse could not be built: {why}.")),
        None => refusal(RefusalCode::InverseFailed, "The inverse was not built.".to_owned()),
    }
}

fn conflicting(paths: &[String]) -> String {
    if paths.is_empty() {
        // Git leaves no path unmerged when it does not know where a file of a moved directory belongs.
        return "with how directories were moved since".to_owned();
    }
    format!("in {}", paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", "))
}

/// The commands that undo the suspects, newest first; a merge is undone against its first parent.
fn by_hand(situation: &Situation, attribution: &Attribution) -> String {
    let is_merge = |id: &CommitId| {
        situation.landings.iter().flat_map(|landing| &landing.changes).any(|change| change.id == *id && change.kind == ChangeKind::Merge)
    };
    let command = |id: &CommitId| if is_merge(id) { format!("`git revert -m 1 {id}`") } else { format!("`git revert {id}`") };
    attribution.suspects.iter().map(command).collect::<Vec<_>>().join(", ")
}

fn gate(situation: &Situation, attribution: Attribution, inverse: CleanInverse) -> Decision {
    let plan = Plan::new(situation.branch.clone(), inverse.kind, &attribution.suspects, &inverse.paths);
    let digest = plan.digest();
    let approval = approval(situation, &digest);
    let joint: Vec<Arc<Theirs>> = joint_situations(situation).into_iter().filter(|theirs| theirs.is_touched()).collect();
    let mut blocking = against_merging(situation, &attribution, &inverse, &joint, approval.as_ref());
    if approval.is_none() && blocking.is_empty() {
        // A merge without an approval needs the evidence of the propose gate now, also when a proposal is open.
        let own = may_propose(situation, &attribution);
        let of_joint = joint.iter().flat_map(|theirs| theirs.may_propose()).filter(|refusal| is_about_the_plan(refusal));
        blocking = each_once(own.iter().chain(of_joint));
    }
    // Also where only rounds stand against it: else one that was not measured, and that made such a refusal, would end this waiting.
    let may_wait = blocking.is_empty() || (!is_open(situation) && is_up_to_rounds(situation, &attribution, &blocking));
    // One that is not open was asked before its plan was.
    let own = || is_open(situation).then(|| not_yet(situation, &attribution)).flatten();
    if approval.is_none()
        && may_wait
        && let Some(sentence) = own().or_else(|| joint.iter().find_map(|theirs| theirs.not_yet()).cloned())
    {
        return nothing(&situation.branch, DecisionVerdict::Wait, Some(attribution), Vec::new(), sentence);
    }
    if !is_open(situation)
        && let Some(sentence) = waits_for_rounds(situation, &attribution, &blocking)
    {
        return nothing(&situation.branch, DecisionVerdict::Wait, Some(attribution), Vec::new(), sentence);
    }
    let record = |verdict, refusals: Vec<Refusal>, sentence| DecisionRecord {
        verdict,
        proposal: Some(plan.key()),
        plan: Some(digest.clone()),
        refusals,
        sentence,
    };
    if blocking.is_empty() {
        // Last, so that nobody is asked about what is not merged anyway; an approval does not stand in for it.
        let all = std::iter::once(situation).chain(joint.iter().map(|theirs| &theirs.situation));
        blocking.extend(all.filter_map(|situation| asked(situation, &digest)));
    }
    if blocking.is_empty() {
        let sentence = match &approval {
            Some(approval) => format!("{} approved this plan at {}; it is merged.", approval.by, approval.at),
            None => "Every gate allows it; it is merged.".to_owned(),
        };
        let record = record(DecisionVerdict::Merge, Vec::new(), sentence);
        let grant = MergeGrant::new(digest, situation.head);
        return Decision {
            record,
            attribution: Some(attribution),
            action: Action::Merge { plan, inverse, grant, approval: approval.map(Box::new) },
        };
    }
    let reason = blocking.first().map(|refusal| refusal.sentence.clone()).unwrap_or_default();
    let record = record(DecisionVerdict::Propose, blocking, format!("It is proposed, not merged: {reason}"));
    Decision { record, attribution: Some(attribution), action: Action::Propose { plan, inverse } }
}

/// What stands against merging, by every incident that the plan is for, beyond what an approval stands in for.
fn against_merging(
    situation: &Situation,
    attribution: &Attribution,
    inverse: &CleanInverse,
    joint: &[Arc<Theirs>],
    approval: Option<&Approval>,
) -> Vec<Refusal> {
    let lifted = |refusal: &Refusal| approval.is_some_and(|approval| lifts(approval, refusal));
    let (own, others) = (may_merge(situation, attribution, inverse), joint.iter().map(|theirs| theirs.may_merge(inverse)));
    let others: Vec<Arc<[Refusal]>> = others.collect();
    let of_others = others.iter().flat_map(|refusals| &**refusals).filter(|refusal| is_about_the_plan(refusal));
    let mut blocking = each_once(own.iter().chain(of_others).filter(|refusal| !lifted(refusal)));
    blocking.extend(held(situation));
    blocking.extend(open_fix(situation).filter(|refusal| !lifted(refusal)));
    if approval.is_some() {
        blocking.extend(push_failed(situation));
    }
    blocking
}

/// Whether what stands against the incident of a joint service stands against the plan too. That such a service only needs what the plan
/// touches, and fails with it, says nothing against the plan: else the plan would be merged as soon as that service was not measured any more.
fn is_about_the_plan(of_joint: &Refusal) -> bool {
    !matches!(of_joint.code, RefusalCode::OfDependency | RefusalCode::DependencyFails)
}

/// Each refusal where it comes first.
fn each_once<'a>(refusals: impl Iterator<Item = &'a Refusal>) -> Vec<Refusal> {
    let mut seen: HashSet<(RefusalCode, &str)> = HashSet::new();
    refusals.filter(|refusal| seen.insert((refusal.code, &refusal.sentence))).cloned().collect()
}

/// The newest approval that counts for a plan.
fn approval(situation: &Situation, plan: &PlanDigest) -> Option<Approval> {
    let approvals = &situation.proposal.as_ref()?.approvals;
    approvals.iter().rev().find(|approval| approval.counts_for(plan, situation.now)).cloned()
}

fn lifts(approval: &Approval, refusal: &Refusal) -> bool {
    refusal.code.is_lifted_by_approval() || (approval.force.is_some() && refusal.code.is_lifted_by_force())
}

fn nothing(
    branch: &BranchName,
    verdict: DecisionVerdict,
    attribution: Option<Attribution>,
    refusals: Vec<Refusal>,
    sentence: String,
) -> Decision {
    let proposal = attribution
        .as_ref()
        .filter(|attribution| !attribution.suspects.is_empty())
        .map(|attribution| proposal_key(branch, PlanKind::Revert, &attribution.suspects));
    let record = DecisionRecord { verdict, proposal, plan: None, refusals, sentence };
    Decision { record, attribution, action: Action::Nothing }
}
