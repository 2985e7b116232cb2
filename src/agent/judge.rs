//! Decides incidents that come from a file: the same questions in the same order as a pass asks them, over evidence that was written down.
//!
//! No rule is here. `evidence` turns a case into what the engine is given at a time, and `passing` asks the engine, as a live agent does.

mod evidence;

use serde::Serialize;

use self::evidence::CaseEvidence;
use super::passing::{Evidence as _, Incidents, decided_at};
use crate::config::judge_file::Case;
use crate::engine::decision::{Action, Decision};
use crate::engine::id::{CommitId, PolicyName};
use crate::engine::time::Timestamp;

/// When a case is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecideAt {
    /// At its `now`.
    #[default]
    Now,
    /// At the end of every round and control up to its `now`, until something would be done.
    Each,
}

/// What is to be done. The order is the order of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum JudgedAction {
    /// Nothing.
    None,
    /// Open a proposal.
    Propose,
    /// Land it.
    Merge,
}

/// What was decided about one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The case's name.
    pub id: String,
    /// The highest action of all decisions.
    pub action: JudgedAction,
    /// What its plan undoes, newest first.
    pub suspects: Vec<CommitId>,
    /// The guardrail that stands first against more.
    pub refusal: Option<String>,
    /// From when on it was decided so, in Unix milliseconds; `None` where nothing was measured.
    pub since: Option<i64>,
    /// One sentence.
    pub why: String,
    /// The decisions, one for each plan or reason.
    pub decisions: Vec<JudgedDecision>,
    /// The last moment at which no breach that was decided about had begun, in Unix milliseconds.
    #[serde(skip)]
    pub onset: Option<i64>,
}

/// One decision, for every policy that it holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JudgedDecision {
    /// The breaching policies.
    pub policies: Vec<PolicyName>,
    /// What.
    pub action: JudgedAction,
    /// What the plan undoes; for `none`, what is suspected.
    pub suspects: Vec<CommitId>,
    /// The guardrail that stands first against more.
    pub refusal: Option<String>,
    #[serde(skip)]
    why: String,
    #[serde(skip)]
    onset: Option<Timestamp>,
}

/// Decides a case.
pub fn judge(case: &Case, at: DecideAt) -> Answer {
    let evidence = CaseEvidence::of(case);
    match at {
        DecideAt::Now => at_now(case, &evidence),
        DecideAt::Each => at_each(case, &evidence),
    }
}

fn at_now(case: &Case, evidence: &CaseEvidence<'_>) -> Answer {
    let mut answer =
        answer(case, decisions_at(evidence, Timestamp(case.now), &mut Incidents::forgetful(evidence.services())), Some(case.now));
    // From when on the same was decided: back over the earlier rounds as long as it was.
    for end in evidence.ends(Timestamp(case.now)).into_iter().rev() {
        let before = self::answer(case, decisions_at(evidence, end, &mut Incidents::forgetful(evidence.services())), Some(end.millis()));
        if (before.action, &before.suspects) != (answer.action, &answer.suspects) {
            break;
        }
        answer.since = before.since;
    }
    answer
}

fn at_each(case: &Case, evidence: &CaseEvidence<'_>) -> Answer {
    let mut incidents = Incidents::remembering(evidence.services());
    let mut last: Option<Answer> = None;
    for end in evidence.ends(Timestamp(case.now)) {
        let mut decided = answer(case, decisions_at(evidence, end, &mut incidents), Some(end.millis()));
        if decided.action > JudgedAction::None {
            return decided;
        }
        // A pass without an open incident decides nothing, and does not take back what was decided before.
        if decided.decisions.is_empty() && last.is_some() {
            continue;
        }
        if let Some(before) = last.filter(|before| before.refusal == decided.refusal && before.decisions.len() == decided.decisions.len()) {
            decided.since = before.since;
        }
        last = Some(decided);
    }
    last.unwrap_or_else(|| answer(case, Vec::new(), None))
}

fn answer(case: &Case, decisions: Vec<JudgedDecision>, since: Option<i64>) -> Answer {
    let highest = decisions.iter().map(|decision| decision.action).max().unwrap_or(JudgedAction::None);
    let leading = decisions.iter().find(|decision| decision.action == highest);
    Answer {
        id: case.id.clone(),
        action: highest,
        suspects: leading.filter(|_| highest > JudgedAction::None).map(|decision| decision.suspects.clone()).unwrap_or_default(),
        refusal: leading.and_then(|decision| decision.refusal.clone()),
        since,
        why: leading.map_or_else(|| "No service breaches.".to_owned(), |decision| decision.why.clone()),
        onset: decisions.iter().filter_map(|decision| decision.onset).min().map(Timestamp::millis),
        decisions,
    }
}

/// What a pass decided, the same decisions of several policies as one.
fn decisions_at(evidence: &CaseEvidence<'_>, now: Timestamp, incidents: &mut Incidents) -> Vec<JudgedDecision> {
    let mut decided: Vec<JudgedDecision> = Vec::new();
    for (index, decision) in decided_at(evidence, now, incidents) {
        let decision = judged(&evidence.policy(index).name, decision);
        let same = |known: &&mut JudgedDecision| {
            (known.action, &known.suspects, &known.refusal) == (decision.action, &decision.suspects, &decision.refusal)
        };
        match decided.iter_mut().find(same) {
            // Two instances of one policy are one policy.
            Some(known) => decision.policies.into_iter().for_each(|policy| {
                if !known.policies.contains(&policy) {
                    known.policies.push(policy);
                }
            }),
            None => decided.push(decision),
        }
    }
    decided
}

fn judged(policy: &PolicyName, decision: Decision) -> JudgedDecision {
    let action = match decision.action {
        Action::Nothing => JudgedAction::None,
        Action::Propose { .. } => JudgedAction::Propose,
        Action::Merge { .. } => JudgedAction::Merge,
    };
    JudgedDecision {
        policies: vec![policy.clone()],
        action,
        onset: decision.attribution.as_ref().map(|attribution| attribution.onset.earliest()),
        suspects: decision.attribution.map(|attribution| attribution.suspects).unwrap_or_default(),
        refusal: decision.record.refusals.first().map(|refusal| refusal.code.label()),
        why: decision.record.sentence,
    }
}

#[cfg(test)]
mod tests;
