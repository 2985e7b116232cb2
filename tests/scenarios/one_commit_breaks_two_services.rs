//! One commit breaks two services with a policy each: one proposal for both incidents, and what either policy forbids is not done.

use std::time::Duration;

use revertd::engine::fact::{Event, LandedBy};
use revertd::engine::incident::{Incident, Phase};

use crate::support::{self, Health, World, deployment};

/// A policy that lets a revert touch both services.
fn policy(name: &str, mode: &str, more: &str) -> String {
    support::policy(name, mode, &format!("  guardrails: {{maxServices: 2{more}}}\n"))
}

/// Both services break because of one commit.
fn broken(policies: &[String], repository: &str) -> World {
    let mut world = World::with_agent(&["checkout", "payments"], policies, repository);
    world.seconds(8);
    let both = breaks(&mut world);
    world.seconds(6);
    assert!(world.remote(&["log", "--format=%H", "main"]).contains(&both));
    world
}

fn breaks(world: &mut World) -> String {
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["reset", "--quiet", "--hard", "origin/main"]);
    for service in ["checkout", "payments"] {
        world.write(&format!("apps/{service}/deployment.yaml"), &deployment(service, "1.5.0"));
    }
    let both = world.commit("All services: 1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.set_health("payments", Health::Bad);
    both
}

fn of(world: &World, policy: &str) -> Incident {
    world.incidents().into_values().find(|incident| incident.policy.as_str() == policy).unwrap()
}

fn codes(incident: &Incident) -> Vec<String> {
    incident.decision.as_ref().unwrap().refusals.iter().map(|refusal| refusal.code.label()).collect()
}

fn recover(world: &mut World) {
    world.set_health("checkout", Health::Good);
    world.set_health("payments", Health::Good);
    world.seconds(14);
}

fn both_recovered(world: &World) {
    assert_eq!(world.reverts(), 1, "{:?}", world.subjects());
    assert!(world.branches().is_empty());
    for policy in ["checkout", "payments"] {
        let incident = of(world, policy);
        assert_eq!(incident.phase, Phase::Recovered, "{incident:#?}");
        assert_ne!(incident.landed.unwrap().by, LandedBy::HumanRevert);
    }
    let landings = world.facts().iter().filter(|fact| matches!(fact.event, Event::RevertLanded { .. })).count();
    assert_eq!(landings, 1);
}

/// The message names both, so that the budgets of both are counted from Git alone.
fn names_both(world: &World, revision: &str) {
    let mut expected: Vec<String> = ["checkout", "payments"]
        .iter()
        .flat_map(|policy| [format!("Revertd-Policy: {policy}"), format!("Revertd-Incident: {}", of(world, policy).id)])
        .collect();
    expected.sort();
    let trailers = world.remote(&["log", "-1", "--format=%(trailers:only)", revision]);
    let mut found: Vec<&str> =
        trailers.lines().filter(|line| line.starts_with("Revertd-Policy: ") || line.starts_with("Revertd-Incident: ")).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn both_may_merge() {
    let mut world = broken(&[policy("checkout", "merge", ""), policy("payments", "merge", "")], "");
    names_both(&world, "main");
    recover(&mut world);
    both_recovered(&world);
}

/// Without a word about it, a revert that touches two services needs a person.
#[test]
fn one_service_is_the_default() {
    let policies = ["checkout", "payments"].map(|name| support::policy(name, "merge", ""));
    let world = broken(&policies, "");
    assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{:?}", world.subjects());
    let decision = of(&world, "checkout").decision.unwrap();
    assert_eq!(codes(&of(&world, "checkout")), ["maxServices"]);
    assert_eq!(decision.refusals[0].sentence, "It touches 2 services (checkout, payments); the limit is 1.");
}

#[test]
fn the_lower_mode_holds_for_both() {
    for modes in [["merge", "propose"], ["propose", "merge"]] {
        let mut world = broken(&[policy("checkout", modes[0], ""), policy("payments", modes[1], "")], "");
        assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{:?}", world.subjects());
        let proposal = world.proposal();
        assert_eq!(proposal.incidents.len(), 2, "one proposal for both incidents");
        names_both(&world, &world.branches()[0]);
        for policy in ["checkout", "payments"] {
            assert!(codes(&of(&world, policy)).contains(&"modePropose".to_owned()), "{:#?}", of(&world, policy).decision);
            assert_eq!(of(&world, policy).proposal, Some(proposal.key.clone()));
        }
        world.seconds(5);
        let pushed = world.facts().iter().filter(|fact| matches!(fact.event, Event::Done { .. })).count();
        assert!(pushed <= 2, "the branch is not pushed again and again");
        // One approval of the one plan.
        world.approve_proposal();
        world.seconds(1);
        recover(&mut world);
        both_recovered(&world);
    }
}

#[test]
fn a_policy_that_only_observes_keeps_the_other_from_merging() {
    let world = broken(&[policy("checkout", "merge", ""), policy("payments", "observe", "")], "");
    assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{:?}", world.subjects());
    let sentence = of(&world, "checkout").decision.unwrap().sentence;
    assert!(sentence.contains("The mode is `observe`, by the policy `payments`."), "{sentence}");
}

/// `payments` had a revert a moment ago: its cooldown and its budget hold for the commit that broke both.
#[test]
fn the_budget_of_either_holds() {
    let limited = |more: &str| policy("payments", "merge", &format!(", {more}"));
    for (more, code) in [("limits: {merge: {count: 1, per: 24h}}, cooldown: 0s", "mergeBudget"), ("cooldown: 1h", "cooldown")] {
        let unlimited = "      limits: {merge: {count: 9, per: 1h}}\n";
        let mut world = World::with_agent(&["checkout", "payments"], &[policy("checkout", "merge", ""), limited(more)], unlimited);
        world.seconds(8);
        world.bump("payments", "1.4.0");
        world.seconds(1);
        world.set_health("payments", Health::Bad);
        world.seconds(6);
        world.set_health("payments", Health::Good);
        world.seconds(20);
        assert_eq!(world.reverts(), 1);
        breaks(&mut world);
        world.seconds(6);
        assert_eq!((world.reverts(), world.branches().len()), (1, 1), "{:?}", world.subjects());
        let checkout = of(&world, "checkout");
        assert!(codes(&checkout).contains(&code.to_owned()), "{:#?}", checkout.decision);
    }
}

/// The other service breaches a second later: until then the commit touches a healthy service, which its next rounds may change, and then its
/// policy is asked as well.
#[test]
fn the_second_breach_joins_the_first() {
    for (mode, reverts) in [("propose", 0), ("merge", 1)] {
        let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", mode, "")]);
        world.seconds(8);
        breaks(&mut world);
        world.set_health("payments", Health::Good);
        world.seconds(1);
        world.set_health("payments", Health::Bad);
        world.seconds(2);
        assert_eq!((world.reverts(), world.branches().len()), (0, 0), "{:?}", world.subjects());
        let waits = of(&world, "checkout").decision.unwrap().sentence;
        assert_eq!(waits, "It is waited for more rounds: It also touches `payments`, which does not breach.");
        world.seconds(3);
        assert_eq!(world.reverts(), reverts, "{mode}: {:?} {:#?}", world.subjects(), of(&world, "checkout").decision);
        let revision = if reverts == 1 { "main".to_owned() } else { world.branches()[0].clone() };
        names_both(&world, &revision);
    }
}

/// The other service ran well with the commit for longer than a baseline, and breaches later: it may be for a reason of its own, so that the
/// commit, which was applied a moment ago, is not undone in it without a person.
#[test]
fn a_breach_for_another_reason_is_not_merged_away() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
    world.seconds(8);
    breaks(&mut world);
    world.set_health("payments", Health::Good);
    world.seconds(10);
    world.set_health("payments", Health::Bad);
    world.seconds(8);
    assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{:?}", world.subjects());
    assert!(codes(&of(&world, "checkout")).contains(&"ranWellWithIt".to_owned()), "{:?}", codes(&of(&world, "checkout")));
}

/// A service whose rounds take longer breaches when the revert has landed already: its recovery is watched, and nobody is said to have been first.
#[test]
fn a_breach_that_shows_after_the_revert_is_part_of_the_story() {
    let slow = policy("payments", "merge", "").replace("failing: {count: 3, of: 5}", "failing: {count: 5, of: 8}");
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "propose", ""), slow]);
    world.seconds(10);
    breaks(&mut world);
    world.seconds(3);
    world.approve_proposal();
    world.seconds(1);
    assert_eq!((world.reverts(), world.incidents().len()), (1, 1));
    world.seconds(3);
    assert_eq!(world.incidents().len(), 2);
    recover(&mut world);
    for policy in ["checkout", "payments"] {
        let incident = of(&world, policy);
        assert_eq!(incident.phase, Phase::Recovered, "{incident:#?}");
        assert_eq!(incident.landed.unwrap().by, LandedBy::Revertd);
    }
    assert_eq!(world.reverts(), 1);
}

#[test]
fn a_restart_between_changes_nothing() {
    for crash_at in 0..8 {
        let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
        world.seconds(8);
        breaks(&mut world);
        for second in 0..8 {
            if second == crash_at {
                world.restart();
            }
            world.seconds(1);
        }
        recover(&mut world);
        both_recovered(&world);
    }
}

/// The breaches begin seconds apart, and rounds of the control and of a third service go back to two hours before either: both are judged from
/// the same of them, so that what is found for one is found for the other.
#[test]
fn both_are_judged_from_one_world() {
    let policies = ["checkout", "payments", "search"].map(|name| policy(name, "observe", ""));
    let mut world = World::new(&["checkout", "payments", "search"], &policies);
    world.seconds(20);
    world.pass_after(Duration::from_secs(2 * 3600 - 30)).unwrap();
    world.seconds(18);
    breaks(&mut world);
    world.set_health("payments", Health::Good);
    world.seconds(3);
    world.set_health("payments", Health::Bad);
    world.seconds(8);
    let onsets = ["checkout", "payments"].map(|policy| of(&world, policy).onset.earliest());
    assert!(onsets[0] < onsets[1], "{onsets:?}");
    let suspects = ["checkout", "payments"].map(|policy| of(&world, policy).attribution.unwrap().suspects);
    assert!(!suspects[0].is_empty() && suspects[0] == suspects[1], "{suspects:?}");
    assert_eq!(world.worlds(), 1);
}
