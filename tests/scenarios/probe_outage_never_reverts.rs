//! Probes that say nothing never revert anything, and a baseline with a gap is no baseline.

use crate::support::{Health, World, policy};

#[test]
fn probe_outage_never_reverts() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Unknown);
    world.seconds(20);
    assert!(world.incidents().is_empty());
    assert_eq!(world.reverts(), 0);
}

#[test]
fn an_unknown_round_in_the_baseline_refuses() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.set_health("checkout", Health::Unknown);
    world.seconds(1);
    world.set_health("checkout", Health::Good);
    world.seconds(1);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(8);
    assert_eq!(world.reverts(), 0);
    assert!(world.refusals().contains(&"noBaseline".to_owned()), "{:?}", world.refusals());
}

#[test]
fn silence_after_the_revert_is_no_recovery() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.break_checkout();
    world.seconds(5);
    assert_eq!(world.reverts(), 1);
    world.set_health("checkout", Health::Unknown);
    world.seconds(40);
    assert_eq!(world.phase(), revertd::engine::incident::Phase::Unverified);
}
