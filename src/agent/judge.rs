//! Decides incidents that come from a file: the same questions in the same order as a pass asks them, over evidence that was written down.
//!
//! No rule is here. `evidence` turns a case into what the engine is given at a time; `slo`, `attribution` and `decision` of the engine do
//! the rest, as they do for a live agent.

mod evidence;

use serde::Serialize;

use self::evidence::Evidence;
use crate::config::judge_file::Case;
use crate::engine::attribution::{self, Attribution};
use crate::engine::decision::{Action, Decision, DecisionVerdict, decide};
use crate::engine::id::{CommitId, PolicyName};
use crate::engine::situation::{Joint, Situation};
use crate::engine::slo::{self, Verdict};
use crate::engine::time::{Interval, Timestamp};
use crate::engine::verification;

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
    let evidence = Evidence::of(case);
    match at {
        DecideAt::Now => at_now(case, &evidence),
        DecideAt::Each => at_each(case, &evidence),
    }
}

fn at_now(case: &Case, evidence: &Evidence) -> Answer {
    let mut answer = answer(case, decisions_at(evidence, Timestamp(case.now), &mut Incidents::forgetful(evidence)), Some(case.now));
    // From when on the same was decided: back over the earlier rounds as long as it was.
    for end in evidence.ends(Timestamp(case.now)).into_iter().rev() {
        let before = self::answer(case, decisions_at(evidence, end, &mut Incidents::forgetful(evidence)), Some(end.millis()));
        if (before.action, &before.suspects) != (answer.action, &answer.suspects) {
            break;
        }
        answer.since = before.since;
    }
    answer
}

fn at_each(case: &Case, evidence: &Evidence) -> Answer {
    let mut incidents = Incidents::remembering(evidence);
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

/// What an agent remembers between passes: one breach of each policy, and whether its incident is over.
struct Incidents {
    of: Vec<Option<Known>>,
    memory: Memory,
    /// Whether the policy breached when it was last looked at, and how much of its evidence had been seen then.
    seen: Vec<(Verdict, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Kept,
    None,
}

#[derive(Clone, Copy)]
struct Known {
    onset: Interval,
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Open,
    Over,
}

impl Incidents {
    fn remembering(evidence: &Evidence) -> Self {
        Self { of: vec![None; evidence.services()], memory: Memory::Kept, seen: vec![(Verdict::Pending, 0); evidence.services()] }
    }

    fn forgetful(evidence: &Evidence) -> Self {
        Self { memory: Memory::None, ..Self::remembering(evidence) }
    }
}

/// Detects and decides for every policy, as one pass does.
fn decisions_at(evidence: &Evidence, now: Timestamp, incidents: &mut Incidents) -> Vec<JudgedDecision> {
    let open: Vec<usize> = (0..evidence.services()).filter(|index| detect(evidence, *index, now, incidents)).collect();
    let mut decided: Vec<JudgedDecision> = Vec::new();
    let onset = |index: &usize| Some((*index, incidents.of[*index]?.onset));
    let situations: Vec<(usize, Interval, Situation)> =
        open.iter().filter_map(onset).map(|(index, onset)| (index, onset, evidence.situation(index, onset, now))).collect();
    for (index, onset, situation) in joined(situations) {
        let decision = decide(&situation);
        let over =
            decision.record.verdict == DecisionVerdict::Refuse && decision.record.refusals.iter().any(|refusal| refusal.code.is_final());
        if over && incidents.memory == Memory::Kept {
            incidents.of[index] = Some(Known { onset, standing: Standing::Over });
        }
        let decision = judged(&situation.service.policy.name, decision);
        let same = |known: &&mut JudgedDecision| {
            (known.action, &known.suspects, &known.refusal) == (decision.action, &decision.suspects, &decision.refusal)
        };
        match decided.iter_mut().find(same) {
            Some(known) => known.policies.extend(decision.policies),
            None => decided.push(decision),
        }
    }
    decided
}

/// The same, where each knows of the others that share a suspect with it.
fn joined(mut situations: Vec<(usize, Interval, Situation)>) -> Vec<(usize, Interval, Situation)> {
    if situations.len() < 2 {
        return situations;
    }
    let attributions: Vec<_> = situations.iter().map(|(_, _, situation)| attribution::attribute(situation)).collect();
    let joints: Vec<Option<Joint>> = situations
        .iter()
        .zip(&attributions)
        .map(|((_, _, situation), attribution)| {
            Some(Joint {
                incident: situation.incident.clone(),
                service: situation.service.clone(),
                ceilings: situation.ceilings.clone(),
                attribution: Some(attribution.clone()?),
            })
        })
        .collect();
    let share = |one: &Option<Attribution>, other: &Option<Attribution>| match (one, other) {
        (Some(one), Some(other)) => one.suspects.iter().any(|suspect| other.suspects.contains(suspect)),
        _ => false,
    };
    for (position, (_, _, situation)) in situations.iter_mut().enumerate() {
        let others = (0..attributions.len()).filter(|other| *other != position);
        situation.joint = others
            .filter(|other| share(&attributions[position], &attributions[*other]))
            .filter_map(|other| joints[other].clone())
            .collect();
    }
    situations
}

/// Whether the policy breaches now with an incident that is not over; opens and ends incidents as a pass does.
fn detect(evidence: &Evidence, index: usize, now: Timestamp, incidents: &mut Incidents) -> bool {
    let known_facts = evidence.known_facts(index, now);
    let (before, seen) = incidents.seen[index];
    // Without new evidence a service cannot begin to breach.
    if known_facts == seen && before != Verdict::Breaching && incidents.of[index].is_none() {
        return false;
    }
    let service = evidence.service(index, now);
    let cut = attribution::newest_change(&service, evidence.landings(now));
    let assessments: Vec<_> = service.policy.slos.iter().map(|slo| slo::assess(slo, service.rounds(&slo.name), cut, now)).collect();
    let verdict = slo::assess_policy(&service.policy, &assessments);
    incidents.seen[index] = (verdict, known_facts);
    if let Some(known) = incidents.of[index].filter(|known| known.standing == Standing::Open)
        && verification::recovered_by_itself(&service, known.onset, now).is_some()
    {
        incidents.of[index] = Some(Known { standing: Standing::Over, ..known });
    }
    if verdict != Verdict::Breaching {
        return false;
    }
    let Some(beginning) = attribution::beginning(&service, cut, now) else { return false };
    match incidents.of[index] {
        Some(known) if known.standing == Standing::Open => true,
        // A breach that has not been Healthy since an incident began is that incident's breach, over or not.
        Some(known) if beginning.last_healthy.is_none_or(|healthy| healthy <= known.onset.by) => false,
        _ => {
            incidents.of[index] = Some(Known { onset: beginning.onset, standing: Standing::Open });
            true
        }
    }
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
