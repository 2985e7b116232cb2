//! A policy may merge at night only, or expects breaches in a maintenance window. Every story begins on a Saturday at 03:00 in UTC.

use crate::support::{World, policy};

/// A world in which a bad change of `checkout` has just broken it.
fn broken(guardrails: &str) -> World {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", &format!("  guardrails: {guardrails}\n"))]);
    world.break_checkout();
    world.seconds(6);
    world
}

fn codes(world: &World) -> Vec<String> {
    let decision = world.incidents().into_values().next().unwrap().decision.unwrap();
    decision.refusals.iter().map(|refusal| refusal.code.label()).collect()
}

#[test]
fn outside_the_hours_of_merging_it_is_proposed_and_an_approval_lands_it() {
    let mut world = broken("{hours: {merge: [{schedule: \"0 9 * * SAT\", timeZone: Etc/UTC, for: 8h}]}}");
    assert_eq!(world.reverts(), 0, "it is three in the morning");
    assert_eq!(world.branches().len(), 1);
    assert_eq!(codes(&world), ["outsideHours"]);
    world.approve();
    world.seconds(1);
    assert_eq!(world.reverts(), 1);
}

#[test]
fn within_the_hours_of_merging_it_is_merged() {
    let world = broken("{hours: {merge: [{schedule: \"0 22 * * FRI\", timeZone: Etc/UTC, for: 8h}]}}");
    assert_eq!(world.reverts(), 1, "Friday's night lasts until six in the morning");
}

#[test]
fn in_a_maintenance_window_nothing_is_proposed() {
    let mut world = broken("{maintenance: [{schedule: \"0 3 * * *\", for: 10m}]}");
    assert_eq!((world.reverts(), world.branches().len()), (0, 0));
    assert_eq!(codes(&world), ["maintenance"]);
    // When the window has closed and the service is still bad, it is decided again.
    world.seconds(600);
    assert_eq!(world.reverts(), 1);
}
