//! A merge leads back to files that were applied and healthy for long enough, by what the agent saw itself; else people decide.

use crate::support::{Health, World, policy};

fn world(healthy_for: &str) -> World {
    World::new(&["checkout"], &[policy("checkout", "merge", &format!("  guardrails: {{healthyFor: {healthy_for}}}\n"))])
}

/// A bad change, which is proposed or merged after it.
fn breaks(world: &mut World) {
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
}

#[test]
fn a_state_that_ran_too_shortly_is_left_to_people() {
    let mut world = world("30s");
    world.seconds(15);
    breaks(&mut world);
    assert_eq!((world.reverts(), world.branches().len()), (0, 1));
    assert_eq!(world.refusals(), ["neverRanHealthy"]);
    let sentence = world.incident().decision.unwrap().sentence;
    assert!(sentence.contains("seen applied and healthy for 11") && sentence.contains("(needs 30s)"), "{sentence}");
    world.approve();
    world.seconds(1);
    assert_eq!(world.reverts(), 1, "an approval stands in for it");
}

#[test]
fn a_state_that_ran_long_enough_is_merged_back_to() {
    let mut world = world("30s");
    world.seconds(40);
    breaks(&mut world);
    assert_eq!(world.reverts(), 1, "{:?}", world.incident().decision);
}

#[test]
fn a_round_that_is_not_known_breaks_the_run() {
    let mut world = world("30s");
    world.seconds(20);
    world.set_health("checkout", Health::Unknown);
    world.seconds(1);
    world.set_health("checkout", Health::Good);
    world.seconds(20);
    breaks(&mut world);
    assert_eq!(world.reverts(), 0);
    assert_eq!(world.refusals(), ["neverRanHealthy"]);
}

#[test]
fn the_time_of_other_files_of_the_service_does_not_count() {
    let mut world = world("30s");
    world.seconds(40);
    world.bump("checkout", "1.4.0");
    world.seconds(12);
    breaks(&mut world);
    assert_eq!(world.reverts(), 0, "1.4.0 ran for seconds only");
    assert_eq!(world.refusals(), ["neverRanHealthy"]);
}

#[test]
fn changes_of_other_services_do_not_interrupt_it() {
    let both = [policy("checkout", "merge", "  guardrails: {healthyFor: 30s}\n"), policy("payments", "merge", "")];
    let mut world = World::new(&["checkout", "payments"], &both);
    world.seconds(20);
    world.bump("payments", "1.1.0");
    world.seconds(25);
    breaks(&mut world);
    assert_eq!(world.reverts(), 1, "{:?}", world.incident().decision);
}

#[test]
fn it_is_known_after_a_restart() {
    let mut world = world("30s");
    world.seconds(40);
    world.restart();
    world.seconds(5);
    breaks(&mut world);
    assert_eq!(world.reverts(), 1, "{:?}", world.incident().decision);
}
