use std::time::Duration;

use super::*;
use crate::engine::fact::{Event, Fact};
use crate::engine::id::{InstanceName, PlanDigest, RepositoryName};
use crate::engine::time::Interval;

const BEGIN: Timestamp = Timestamp::from_secs(1_795_230_000);
const REVERT: CommitId = CommitId([7; 20]);

fn at(seconds: u64) -> Timestamp {
    BEGIN + Duration::from_secs(seconds)
}

#[derive(Default)]
struct Story {
    state: State,
    facts: u64,
}

impl Story {
    fn tell(&mut self, seconds: u64, event: Event) {
        let mut fact = Fact::after(None, at(seconds), event).unwrap();
        // As it is read back from a journal.
        fact = serde_json::from_str(&serde_json::to_string(&fact).unwrap()).unwrap();
        self.facts += 1;
        fact.sequence = self.facts;
        self.state.apply(&fact);
    }

    fn breaches(&mut self, seconds: u64, id: &str, policy: &str) -> IncidentId {
        let incident = IncidentId::new(id);
        let event = Event::Detected {
            incident: incident.clone(),
            policy: PolicyName::new(policy),
            instance: InstanceName::default_instance(),
            cluster: None,
            repository: RepositoryName::new("manifests"),
            onset: Interval::new(at(seconds), at(seconds)),
            arithmetic: Vec::new(),
        };
        self.tell(seconds, event);
        incident
    }

    /// The revert for some incidents lands, through one proposal.
    fn lands(&mut self, seconds: u64, incidents: &[&IncidentId], by: LandedBy) -> ProposalKey {
        use crate::engine::fact::{EffectAction, Intent};
        use crate::engine::id::EffectId;
        let plan =
            Plan::new(BranchName::new("main"), PlanKind::Revert, &[CommitId([u8::try_from(seconds).unwrap(); 20])], &Vec::new().into());
        let intent = Intent {
            repository: RepositoryName::new("manifests"),
            proposal: plan.key(),
            incidents: incidents.iter().map(|id| (*id).clone()).collect(),
            action: EffectAction::Merge,
            expected: None,
            new: Some(REVERT),
            plan: Some(plan.clone()),
            commit: None,
            account: None,
        };
        self.tell(seconds, Event::Intended { effect: EffectId::new(seconds.to_string()), intent });
        let (commit, landed, proposal) = (REVERT, Interval::new(at(seconds), at(seconds)), plan.key());
        let (approved_by, not_the_plan, plan) = (Vec::new(), Vec::new(), PlanDigest::new(""));
        self.tell(seconds, Event::RevertLanded { proposal: proposal.clone(), commit, plan, landed, by, approved_by, not_the_plan });
        proposal
    }

    fn ends(&mut self, seconds: u64, incident: &IncidentId, ending: Ending) {
        self.tell(seconds, Event::Ended { incident: incident.clone(), ending, sentence: "9 of 9 rounds were bad".to_owned() });
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        breaches_ended(&self.state).into_iter().map(|((_, ending), count)| (ending.label(), count)).collect()
    }
}

#[test]
fn a_breach_is_counted_by_what_ended_it_also_where_nothing_was_proposed() {
    let mut story = Story::default();
    let by_us = story.breaches(1, "a", "checkout");
    story.lands(2, &[&by_us], LandedBy::Person);
    story.ends(3, &by_us, Ending::Recovered);
    let by_them = story.breaches(11, "b", "checkout");
    story.lands(12, &[&by_them], LandedBy::HumanRevert);
    story.ends(13, &by_them, Ending::Superseded { by: Some(REVERT) });
    let fixed = story.breaches(21, "c", "checkout");
    story.ends(23, &fixed, Ending::Superseded { by: None });
    let alone = story.breaches(31, "d", "checkout");
    story.ends(33, &alone, Ending::Withdrawn);
    let refused = story.breaches(41, "e", "checkout");
    story.ends(43, &refused, Ending::Refused { code: "vetoed".to_owned() });
    assert_eq!(story.counts(), [("revertd", 1), ("human_revert", 1), ("fix_forward", 1), ("by_itself", 1)], "the last one goes on");
    let what = Afterwards::BreachEnded { incident: refused, ending: BreachEnding::ByItself, by: None, sentence: String::new() };
    story.tell(50, Event::Afterwards { what: what.clone() });
    story.tell(60, Event::Afterwards { what });
    assert_eq!(story.counts().last(), Some(&("by_itself", 2)), "and is counted once");
}

#[test]
fn a_revert_is_false_only_where_it_changed_nothing_for_every_service() {
    let mut story = Story::default();
    let (one, two) = (story.breaches(1, "a", "checkout"), story.breaches(1, "b", "payments"));
    story.lands(2, &[&one, &two], LandedBy::Revertd);
    story.ends(9, &one, Ending::NotRecovered);
    assert_eq!(newly_false(&story.state), [], "the other is not judged yet");
    let mut other = Story { state: story.state.clone(), facts: story.facts };
    story.ends(9, &two, Ending::NotRecovered);
    let found = newly_false(&story.state);
    assert!(matches!(&found[..], [Afterwards::FalseRevert { policies, .. }] if policies.len() == 2), "{found:?}");
    story.tell(10, Event::Afterwards { what: found[0].clone() });
    assert_eq!(newly_false(&story.state), [], "it is recorded");
    assert_eq!(false_reverts(&story.state).into_values().collect::<Vec<_>>(), [1, 1]);
    for right in [Ending::Recovered, Ending::Unverified, Ending::NotEffective] {
        let mut story = Story { state: other.state.clone(), facts: other.facts };
        story.ends(9, &two, right);
        assert_eq!(newly_false(&story.state), []);
    }
    other.ends(9, &two, Ending::Recovered);
    let record = |policy: &str| track_record(&other.state, &PolicyName::new(policy), None);
    assert_eq!((record("payments").recovered, record("checkout").recovered, record("checkout").unknown), (1, 0, 1));
}

#[test]
fn a_persons_own_revert_is_never_held_against_a_policy() {
    let mut story = Story::default();
    let one = story.breaches(1, "a", "checkout");
    story.lands(2, &[&one], LandedBy::HumanRevert);
    story.ends(9, &one, Ending::NotRecovered);
    assert_eq!(newly_false(&story.state), []);
    assert_eq!(track_record(&story.state, &PolicyName::new("checkout"), None).landed, 0);
}

#[test]
fn how_often_a_policy_was_right_is_said_in_a_sentence() {
    let name = PolicyName::new("checkout");
    assert!(TrackRecord::default().sentence(&name).starts_with("this is the first revert for `checkout` here"));
    let record = TrackRecord { proposals: 4, landed: 3, recovered: 1, false_reverts: 1, unknown: 1, closed_by_people: 1 };
    insta::assert_snapshot!(record.sentence(&name), @"of 4 proposals for `checkout` before this one, 3 landed and the service recovered after 1; 1 changed nothing; of 1 it is not known; people closed 1");
}
