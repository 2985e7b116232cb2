//! Several alerts of one SLO: a slow one that may only be proposed for, and a fast one that may merge.

use revertd::engine::incident::{Incident, Phase};

use crate::support::{Health, World, policy};

fn with_alerts(alerts: &str) -> String {
    policy("checkout", "merge", "").replace("[{failing: {count: 3, of: 5}}]", alerts)
}

#[test]
fn what_only_the_slow_alert_says_is_proposed_and_the_fast_one_merges() {
    let slow_first = "[{failing: {count: 2, of: 5}, upTo: propose}, {failing: {count: 7, of: 7}}]";
    let mut world = World::new(&["checkout"], &[with_alerts(slow_first)]);
    world.break_checkout();
    // The next rounds may make the other one fire: a round that was not measured, and kept it from that, must end in no proposal.
    let waits = "It is waited for more rounds: The mode is `propose`, by `upTo` of the alert of `up` that fires.";
    let says_so = |incident: &Incident| incident.decision.as_ref().is_some_and(|decision| decision.sentence == waits);
    world.until(10, |world| world.incidents().values().any(says_so));
    world.until(20, |world| !world.branches().is_empty());
    assert_eq!((world.phase(), world.reverts()), (Phase::Proposed, 0));
    let sentence = world.incident().decision.unwrap().sentence;
    assert!(sentence.contains("The mode is `propose`, by `upTo` of the alert of `up` that fires."), "{sentence}");
    world.until(20, |world| world.reverts() == 1);
    world.set_health("checkout", Health::Good);
    world.until(30, |world| world.phase() == Phase::Recovered);
    world.seconds(10);
    assert_eq!((world.incidents().len(), world.reverts()), (1, 1), "what an alert remembers is no new incident");
}

#[test]
fn what_may_only_be_observed_is_recorded() {
    let mut world = World::new(&["checkout"], &[with_alerts("[{failing: {count: 3, of: 5}, upTo: observe}]")]);
    world.break_checkout();
    world.seconds(8);
    assert_eq!(world.refusals(), ["modeObserve"]);
    assert!(world.branches().is_empty() && world.reverts() == 0);
}

#[test]
fn a_restart_forgets_no_alert_of_an_open_incident() {
    let slow_first = "[{failing: {count: 2, of: 5}, upTo: propose}, {failing: {count: 7, of: 7}}]";
    let mut world = World::new(&["checkout"], &[with_alerts(slow_first)]);
    world.break_checkout();
    world.until(20, |world| !world.branches().is_empty());
    assert_eq!((world.phase(), world.reverts()), (Phase::Proposed, 0));
    world.restart();
    world.until(20, |world| world.reverts() == 1);
}
