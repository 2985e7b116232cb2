//! The service was bad before the commit landed: the commit is not to blame.

use crate::support::{Health, World, policy};

#[test]
fn breach_before_the_change() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.set_health("checkout", Health::Bad);
    world.seconds(2);
    world.bump("checkout", "1.5.0");
    world.seconds(8);
    assert!(world.reverts() == 0 && world.branches().is_empty());
    assert_eq!(world.refusals(), ["breachBeforeChange"]);
}

#[test]
fn a_commit_to_another_service_is_not_to_blame() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
    world.seconds(8);
    world.bump("payments", "2.0.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(8);
    assert!(world.reverts() == 0 && world.branches().is_empty());
    assert_eq!(world.refusals(), ["noSuspect"]);
}

#[test]
fn what_was_there_at_the_first_start_is_never_merged_away() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.set_health("checkout", Health::Bad);
    world.seconds(10);
    assert!(world.reverts() == 0 && world.branches().is_empty());
}
