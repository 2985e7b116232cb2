//! One pass over evidence that was written down: which services breach, and what the engine decides about each.
//!
//! `judge` drives it over cases from files and `backtest` over the history of a metrics server and a branch. No rule is here: `slo`,
//! `attribution`, `verification` and `decision` of the engine do the rest, as they do for a live agent.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::attribution::{self, Attribution};
use crate::engine::breach;
use crate::engine::broken_sync::Broke;
use crate::engine::decision::{Decision, DecisionVerdict, decide_attributed};
use crate::engine::id::{CommitId, PolicyName};
use crate::engine::landing::Landing;
use crate::engine::shared::Shared;
use crate::engine::situation::{Joint, ServiceEvidence, Situation};
use crate::engine::slo::Verdict;
use crate::engine::time::{Interval, Timestamp};
use crate::engine::together::Findings;
use crate::engine::verification;

/// What was observed, as it was known at a time.
pub(super) trait Evidence {
    /// How many services there are: each policy, once for each of its instances.
    fn services(&self) -> usize;

    /// How much is known about a policy at a time. Where it has not grown, nothing new can be said of the policy.
    fn known_facts(&self, index: usize, now: Timestamp) -> usize;

    /// The landings that were known at a time, oldest first.
    fn landings(&self, now: Timestamp) -> &[Landing];

    /// What was known of a service at a time.
    fn service(&self, index: usize, now: Timestamp) -> Shared<ServiceEvidence>;

    /// Everything that a decision about a policy is made from, and the attribution that it holds, or that is found in it.
    fn situation(&self, index: usize, onset: Interval, now: Timestamp) -> (Situation, Option<Attribution>);

    /// The same, with its attribution, where a change of the service broke its sync. Evidence without a sync tool has none.
    fn broken_sync(&self, _index: usize, _now: Timestamp) -> Option<Situation> {
        None
    }
}

/// What an agent remembers between passes: one breach of each policy, and whether its incident is over; and whom it suspected.
pub(super) struct Incidents {
    of: Vec<Option<Known>>,
    /// Of each service, the suspects of the incident of its sync that is open.
    syncs: Vec<Vec<CommitId>>,
    /// The suspects that each policy has an incident of. One change has one story.
    suspected: BTreeMap<PolicyName, BTreeSet<CommitId>>,
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
    recovered: Option<Timestamp>,
}

/// Whether an incident is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is not.
    Open,
    /// It is: the service recovered, or nothing more will be done about it.
    Over,
}

impl Incidents {
    /// Nothing is known of any of so many services; what is learned is kept.
    pub(super) fn remembering(services: usize) -> Self {
        let (syncs, suspected) = (vec![Vec::new(); services], BTreeMap::new());
        Self { of: vec![None; services], syncs, suspected, memory: Memory::Kept, seen: vec![(Verdict::Pending, 0); services] }
    }

    /// The same for one pass, after which nothing is kept.
    pub(super) fn forgetful(services: usize) -> Self {
        Self { memory: Memory::None, ..Self::remembering(services) }
    }

    /// The newest incident of a policy, where it had one: when its breach began, and whether it is open.
    pub(super) fn newest(&self, index: usize) -> Option<(Interval, Standing)> {
        self.of[index].map(|known| (known.onset, known.standing))
    }

    /// Whether the policy breached when it was last looked at.
    pub(super) fn breaches(&self, index: usize) -> bool {
        self.seen[index].0 == Verdict::Breaching
    }

    fn suspect(&mut self, policy: &PolicyName, attribution: Option<&Attribution>) {
        let Some(attribution) = attribution else { return };
        let known = self.suspected.entry(policy.clone()).or_default();
        known.extend(attribution.suspects.iter().copied());
    }

    /// Ends the incident of a policy, as a merge does.
    pub(super) fn end(&mut self, index: usize) {
        if let Some(known) = &mut self.of[index] {
            known.standing = Standing::Over;
        }
    }
}

/// An incident that is open, with everything that it is decided from.
pub(super) struct Opened {
    index: usize,
    onset: Interval,
    pub(super) situation: Situation,
    /// The attribution that the situation holds, or that was found in it.
    pub(super) attribution: Option<Attribution>,
}

/// Detects for every policy, as one pass does, and gathers what is known of each incident that is open.
pub(super) fn opened_at(evidence: &dyn Evidence, now: Timestamp, incidents: &mut Incidents) -> Vec<Opened> {
    let open: Vec<usize> = (0..evidence.services()).filter(|index| detect(evidence, *index, now, incidents)).collect();
    let onset = |index: usize| Some((index, incidents.of[index]?.onset));
    let gather = |(index, onset): (usize, Interval)| {
        let (situation, attribution) = evidence.situation(index, onset, now);
        Opened { index, onset, situation, attribution }
    };
    let mut opened: Vec<Opened> = open.into_iter().filter_map(onset).map(gather).collect();
    for index in 0..evidence.services() {
        let found = detect_broken_sync(evidence, index, now, &opened, incidents);
        opened.extend(found);
    }
    join(&mut opened);
    opened
}

/// Detects and decides for every policy, as one pass does: the position of each policy whose incident is open, with its decision.
pub(super) fn decided_at(evidence: &dyn Evidence, now: Timestamp, incidents: &mut Incidents) -> Vec<(usize, Decision)> {
    let mut decided = Vec::new();
    for Opened { index, onset, situation, attribution } in opened_at(evidence, now, incidents) {
        let decision = decide_attributed(&situation, attribution);
        let over =
            decision.record.verdict == DecisionVerdict::Refuse && decision.record.refusals.iter().any(|refusal| refusal.code.is_final());
        incidents.suspect(&situation.service.policy.name, decision.attribution.as_ref());
        if is_of_sync(&situation) {
            if over {
                incidents.syncs[index].clear();
            }
        } else if over && incidents.memory == Memory::Kept {
            incidents.of[index] = Some(Known { onset, standing: Standing::Over, recovered: None });
        }
        decided.push((index, decision));
    }
    decided
}

/// Opens an incident where a change broke the sync of a service, unless the policy has an incident of that change already.
fn detect_broken_sync(
    evidence: &dyn Evidence,
    index: usize,
    now: Timestamp,
    breaches: &[Opened],
    incidents: &mut Incidents,
) -> Option<Opened> {
    let situation = evidence.broken_sync(index, now)?;
    let (found, policy) = (situation.attribution.clone()?, &situation.service.policy.name);
    if incidents.syncs[index] != found.suspects {
        let of_policy = breaches.iter().filter(|breach| breach.situation.service.policy.name == *policy);
        of_policy.for_each(|breach| incidents.suspect(policy, breach.attribution.as_ref()));
        let known = incidents.suspected.get(policy);
        if known.is_some_and(|known| found.suspects.iter().any(|suspect| known.contains(suspect))) {
            return None;
        }
        incidents.syncs[index].clone_from(&found.suspects);
        incidents.suspect(policy, Some(&found));
    }
    Some(Opened { index, onset: found.onset, situation, attribution: Some(found) })
}

fn is_of_sync(situation: &Situation) -> bool {
    situation.attribution.as_ref().is_some_and(|attribution| attribution.broke == Broke::Sync)
}

/// Has each know of the others that share a suspect with it.
fn join(opened: &mut [Opened]) {
    if opened.len() < 2 {
        return;
    }
    let joints: Vec<Option<Shared<Joint>>> = opened.iter().map(|one| joint(&one.situation, one.attribution.as_ref())).collect();
    let suspects = |one: &Opened| one.attribution.as_ref().map(|attribution| attribution.suspects.clone()).unwrap_or_default();
    let suspects: Vec<Vec<CommitId>> = opened.iter().map(suspects).collect();
    let share = |one: usize, other: usize| suspects[one].iter().any(|suspect| suspects[other].contains(suspect));
    let findings = Findings::default();
    for (position, one) in opened.iter_mut().enumerate() {
        let others = (0..joints.len()).filter(|other| *other != position && share(position, *other));
        one.situation.joint = others.filter_map(|other| joints[other].clone()).collect();
        one.situation.findings = findings.clone();
    }
}

fn joint(situation: &Situation, attribution: Option<&Attribution>) -> Option<Shared<Joint>> {
    let joint = Joint {
        incident: situation.incident.clone(),
        service: situation.service.clone(),
        ceilings: situation.ceilings.clone(),
        attribution: Some(attribution?.clone()),
    };
    Some(joint.into())
}

/// Whether the policy breaches now with an incident that is not over; opens and ends incidents as a pass does.
fn detect(evidence: &dyn Evidence, index: usize, now: Timestamp, incidents: &mut Incidents) -> bool {
    let known_facts = evidence.known_facts(index, now);
    let (before, seen) = incidents.seen[index];
    // Without new evidence a service cannot begin to breach.
    if known_facts == seen && before != Verdict::Breaching && incidents.of[index].is_none() {
        return false;
    }
    let service = evidence.service(index, now);
    let verdict = breach::verdict(&service, evidence.landings(now), now);
    incidents.seen[index] = (verdict, known_facts);
    if let Some(known) = incidents.of[index].filter(|known| known.standing == Standing::Open)
        && verification::recovered_by_itself(&service, known.onset, now).is_some()
    {
        incidents.of[index] = Some(Known { standing: Standing::Over, recovered: Some(now), ..known });
    }
    if verdict != Verdict::Breaching {
        return false;
    }
    let cut = attribution::newest_change(&service, evidence.landings(now));
    let Some(beginning) = attribution::beginning(&service, cut, now) else { return false };
    match incidents.of[index] {
        Some(known) if known.standing == Standing::Open => true,
        // A breach that has not been Healthy since an incident began is that incident's breach, over or not.
        Some(known) if beginning.is_of(known.onset, known.recovered) => false,
        _ => {
            incidents.of[index] = Some(Known { onset: beginning.onset, standing: Standing::Open, recovered: None });
            true
        }
    }
}
