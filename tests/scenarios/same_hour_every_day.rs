//! A service is in trouble at the same hour every day. A commit that lands just before that is not to blame, as long as the trouble of the day
//! before lasted.

use std::time::Duration;

use crate::support::{Health, World, policy};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the newest decision about the newest incident names.
fn refusals(world: &World) -> Vec<String> {
    let newest = world.incidents().into_values().max_by_key(|incident| incident.detected_at).unwrap();
    newest.decision.unwrap().refusals.iter().map(|refusal| refusal.code.label()).collect()
}

/// A day with trouble of ten seconds, then the same hour of the next day with a commit just before it.
fn next_day() -> World {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(20);
    let began = world.now();
    world.set_health("checkout", Health::Bad);
    world.seconds(10);
    world.set_health("checkout", Health::Good);
    world.seconds(20);
    let before = Duration::from_secs(20);
    let passed = world.now().since(began);
    world.pass_after(DAY - passed - before).unwrap();
    world.seconds(18);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(10);
    world
}

#[test]
fn the_commit_just_before_is_not_to_blame() {
    let world = next_day();
    assert!(world.reverts() == 0 && world.branches().is_empty());
    assert_eq!(refusals(&world), ["sameHourBefore"]);
}

#[test]
fn what_lasts_longer_than_the_day_before_is_decided_then() {
    let mut world = next_day();
    world.pass_after(Duration::from_secs(660)).unwrap();
    world.seconds(8);
    assert_eq!(world.branches().len() + world.reverts(), 1, "{:?}", refusals(&world));
}

/// A restart in between forgets nothing of the day before.
#[test]
fn the_day_before_is_kept_over_a_restart() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(20);
    world.set_health("checkout", Health::Bad);
    world.seconds(10);
    world.set_health("checkout", Health::Good);
    world.seconds(20);
    world.pass_after(DAY - Duration::from_secs(50)).unwrap();
    world.restart();
    world.seconds(18);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(10);
    assert!(world.reverts() == 0 && world.branches().is_empty());
    assert_eq!(refusals(&world), ["sameHourBefore"]);
}

/// What cannot open an incident is never looked up a day back, in memory and in the journal.
#[test]
fn only_what_opens_incidents_is_kept_for_a_day() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.set_health("checkout/default/backlog", Health::Good);
    world.seconds(5);
    world.pass_after(DAY / 2).unwrap();
    world.seconds(1);
    assert_eq!(world.rounds_kept("up"), (6, 6));
    assert_eq!(world.rounds_kept("backlog"), (1, 1));
    assert_eq!(world.rounds_kept("control-1"), (1, 1));
    world.pass_after(DAY).unwrap();
    assert_eq!(world.rounds_kept("up"), (1, 1));
}
