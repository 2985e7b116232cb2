//! Incidents that one plan is for, judged together: each from the same world, whichever of them is decided.
//!
//! A plan for a hundred incidents is decided a hundred times, and each time all hundred have their say. What each says depends on the world
//! and not on whose turn it is, so it is found once in a pass and remembered with the world that it was found in. Another world, of a later
//! pass or with another head, is compared and found to be another one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::attribution::{Attribution, Standing, attribute};
use super::decision::not_yet;
use super::guardrail::{Refusal, may_merge, may_propose};
use super::id::{IncidentId, InstanceName, PolicyName};
use super::plan::CleanInverse;
use super::shared::{Last, Shared, locked};
use super::situation::{Joint, ServiceEvidence, Situation};
use super::time::Timestamp;

/// What was found for the incidents of a pass; a copy is the same notebook. It is no part of a situation's value.
#[derive(Clone, Default)]
pub struct Findings(Arc<Mutex<Vec<Arc<Together>>>>);

/// Incidents that share a suspect, and the world that all of them are judged from.
struct Together {
    /// All of them, the decided one included, by their ids.
    members: Vec<Shared<Joint>>,
    /// Every service once for each of its instances, in the order of their names. Those of the members have all of their rounds.
    world: Vec<Shared<ServiceEvidence>>,
    /// Everything else; its services, its ceilings and what is of one incident only are not.
    rest: Situation,
    found: Mutex<FoundByPlace>,
}

/// What was found for each; `None` for one whose service does not breach any more.
type FoundByPlace = BTreeMap<(IncidentId, InstanceName), Option<Arc<Theirs>>>;

/// What a joint incident is judged from, and what it says.
pub struct Theirs {
    /// The same world with its own service, ceilings and attribution, and the proposal of the one that is decided.
    pub situation: Situation,
    /// The attribution of its open proposal, or what was found anew.
    pub attribution: Attribution,
    against_merging: Last<CleanInverse, Arc<[Refusal]>>,
    against_proposing: OnceLock<Vec<Refusal>>,
    waits: OnceLock<Option<String>>,
}

/// What each joint incident is judged from, with its attribution; those that do not breach any more have none.
pub fn joint_situations(situation: &Situation) -> Vec<Arc<Theirs>> {
    if situation.joint.is_empty() {
        return Vec::new();
    }
    let together = situation.findings.of(Together::of(situation));
    situation.joint.iter().filter_map(|joint| together.theirs(joint)).collect()
}

/// Incidents that began so close together may be of one change.
const OF_ONE_CHANGE: Duration = Duration::from_secs(3600);

/// The earliest of the onsets that lead to one of them in steps of at most an hour. From there on the same is known to all of them, so that
/// they are judged from the same world; an incident that is open for days does not have the others look back for days.
pub fn common_beginning(onset: Timestamp, mut all: Vec<Timestamp>) -> Timestamp {
    all.sort_unstable_by(|one, other| other.cmp(one));
    let earlier = |begin: Timestamp, other: Timestamp| if other < begin && begin.since(other) <= OF_ONE_CHANGE { other } else { begin };
    all.into_iter().fold(onset, earlier)
}

// === impl Findings ===

impl Findings {
    /// In how many worlds something was found.
    pub fn worlds(&self) -> usize {
        locked(&self.0).len()
    }

    /// The same incidents in the same world, with what was found for them, where there are.
    fn of(&self, together: Together) -> Arc<Together> {
        let mut known = locked(&self.0);
        if let Some(known) = known.iter().find(|known| known.is_the_same(&together)) {
            return known.clone();
        }
        let together = Arc::new(together);
        known.push(together.clone());
        together
    }
}

impl PartialEq for Findings {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Findings")
    }
}

// === impl Together ===

impl Together {
    fn of(situation: &Situation) -> Self {
        let own = Joint {
            incident: situation.incident.clone(),
            service: situation.service.clone(),
            ceilings: situation.ceilings.clone(),
            attribution: situation.attribution.clone(),
        };
        let mut members: Vec<Shared<Joint>> = situation.joint.iter().cloned().chain([own.into()]).collect();
        members.sort_by(|one, other| one.incident.cmp(&other.incident));
        let all = situation.others.iter().chain(&situation.elsewhere).chain([&situation.service]);
        let mut world: BTreeMap<(&PolicyName, &InstanceName), &Shared<ServiceEvidence>> =
            all.map(|service| (place(service), service)).collect();
        world.extend(members.iter().map(|member| (place(&member.service), &member.service)));
        let world = world.into_values().cloned().collect();
        let service = members.first().map_or_else(|| situation.service.clone(), |first| first.service.clone());
        let incident = members.first().map_or_else(|| situation.incident.clone(), |first| first.incident.clone());
        let rest = Situation {
            now: situation.now,
            incident,
            service,
            elsewhere: Vec::new(),
            others: Vec::new(),
            controls: situation.controls.clone(),
            ceilings: Vec::new(),
            repository_limits: situation.repository_limits.clone(),
            branch: situation.branch.clone(),
            head: situation.head,
            stop: situation.stop.clone(),
            pauses: situation.pauses.clone(),
            kill_switches: situation.kill_switches.clone(),
            landings: situation.landings.clone(),
            attribution: None,
            inverse: None,
            proposal: situation.proposal.clone(),
            history: situation.history.clone(),
            joint: Vec::new(),
            open_work: situation.open_work.clone(),
            signing: situation.signing,
            asked: situation.asked.clone(),
            findings: Findings::default(),
        };
        Self { members, world, rest, found: Mutex::default() }
    }

    /// Whether it is about the same incidents in the same world. The attributions that were given are compared with what was found by them.
    fn is_the_same(&self, other: &Self) -> bool {
        let same = |(one, other): (&Shared<Joint>, &Shared<Joint>)| {
            (&one.incident, &one.service, &one.ceilings) == (&other.incident, &other.service, &other.ceilings)
        };
        // The rounds last: there are most of them.
        self.rest == other.rest
            && self.members.len() == other.members.len()
            && self.members.iter().zip(&other.members).all(same)
            && self.world == other.world
    }

    fn theirs(&self, joint: &Shared<Joint>) -> Option<Arc<Theirs>> {
        let which = (joint.incident.clone(), joint.service.instance.clone());
        if let Some(known) = locked(&self.found).get(&which)
            && known.as_ref().map_or(joint.attribution.is_none(), |known| known.situation.attribution == joint.attribution)
        {
            return known.clone();
        }
        let found = self.find(joint).map(Arc::new);
        locked(&self.found).insert(which, found.clone());
        found
    }

    fn find(&self, joint: &Shared<Joint>) -> Option<Theirs> {
        let besides = self.world.iter().filter(|other| !other.is_same_place(&joint.service)).cloned();
        let (elsewhere, others) = besides.partition(|other| other.policy.name == joint.service.policy.name);
        let situation = Situation {
            incident: joint.incident.clone(),
            service: joint.service.clone(),
            elsewhere,
            others,
            ceilings: joint.ceilings.clone(),
            attribution: joint.attribution.clone(),
            joint: self.members.iter().filter(|other| other.incident != joint.incident).cloned().collect(),
            ..self.rest.clone()
        };
        let attribution = situation.attribution.clone().or_else(|| attribute(&situation))?;
        Some(Theirs {
            situation,
            attribution,
            against_merging: Last::default(),
            against_proposing: OnceLock::new(),
            waits: OnceLock::new(),
        })
    }
}

fn place(service: &ServiceEvidence) -> (&PolicyName, &InstanceName) {
    (&service.policy.name, &service.instance)
}

// === impl Theirs ===

impl Theirs {
    /// Whether the suspects touch its own service. One that only needs what they touch, and fails with it, has no say about the plan: what stands
    /// against a merge there would be gone as soon as its rounds are not measured any more (promise P2).
    pub(super) fn is_touched(&self) -> bool {
        let own = &self.situation.service.policy.name;
        let mut suspects = self.attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
        suspects.any(|suspect| suspect.touches.contains(own))
    }

    /// Why a clean inverse may not be force-merged, by what it sees.
    pub(super) fn may_merge(&self, inverse: &CleanInverse) -> Arc<[Refusal]> {
        self.against_merging.answer(inverse, || may_merge(&self.situation, &self.attribution, inverse).into())
    }

    /// Why it may not be proposed, by what it sees.
    pub(super) fn may_propose(&self) -> &[Refusal] {
        self.against_proposing.get_or_init(|| may_propose(&self.situation, &self.attribution))
    }

    /// Why to wait, by what it sees.
    pub(super) fn not_yet(&self) -> Option<&String> {
        self.waits.get_or_init(|| not_yet(&self.situation, &self.attribution)).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incidents_of_one_change_begin_together_and_an_old_one_is_not_of_it() {
        let minutes = |minute: i64| Timestamp::from_secs(minute * 60);
        let all = || [600, 0, 601, 660, 720].map(minutes).to_vec();
        for of_change in [600, 601, 660, 720] {
            assert_eq!(common_beginning(minutes(of_change), all()), minutes(600));
        }
        assert_eq!(common_beginning(minutes(0), all()), minutes(0));
        assert_eq!(common_beginning(minutes(800), all()), minutes(800), "nor is one that begins later");
    }
}
