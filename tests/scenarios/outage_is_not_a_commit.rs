//! Everything fails at once, just after a commit: that is an outage, not the commit's fault.

use crate::support::{Health, World, policy};

const SERVICES: [&str; 5] = ["checkout", "payments", "search", "catalog", "cart"];

#[test]
fn outage_is_not_a_commit() {
    let policies: Vec<String> = SERVICES.iter().map(|name| policy(name, "merge", "")).collect();
    let mut world = World::new(&SERVICES, &policies);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    for service in SERVICES {
        world.set_health(service, Health::Bad);
    }
    world.seconds(10);
    assert!(world.reverts() == 0 && world.branches().is_empty(), "{:?}", world.subjects());
    let incidents = world.incidents();
    let checkout = incidents.values().find(|incident| incident.policy.as_str() == "checkout").unwrap();
    let sentence = &checkout.decision.as_ref().unwrap().sentence;
    assert!(sentence.contains("5 of 5 services") && sentence.contains("4 of them untouched"), "{sentence}");
}

#[test]
fn unknown_rounds_of_the_others_are_read_as_bad_here() {
    let policies: Vec<String> = SERVICES.iter().map(|name| policy(name, "merge", "")).collect();
    let mut world = World::new(&SERVICES, &policies);
    world.break_checkout();
    for service in &SERVICES[1..] {
        world.set_health(service, Health::Unknown);
    }
    world.seconds(10);
    assert!(world.reverts() == 0 && world.branches().is_empty());
}

/// Regression: when the zone came back, the service with the newest commit was the last one to be seen healthy, and was reverted.
#[test]
fn the_last_service_to_recover_from_an_outage_is_not_to_blame() {
    let policies: Vec<String> = SERVICES.iter().map(|name| policy(name, "merge", "")).collect();
    let mut world = World::new(&SERVICES, &policies);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    for service in SERVICES {
        world.set_health(service, Health::Bad);
    }
    world.seconds(6);
    for service in &SERVICES[1..] {
        world.set_health(service, Health::Good);
    }
    world.seconds(8);
    assert!(world.reverts() == 0 && world.branches().is_empty(), "{:?}", world.subjects());
}
