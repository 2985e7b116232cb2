//! Somebody approves the proposal: exactly that plan lands, and the approval stands in for the mode.

use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

#[test]
fn approval_lands_the_proposal() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    let proposed = world.remote(&["rev-parse", &world.branches()[0]]);
    world.approve();
    world.seconds(1);
    assert_eq!(world.remote_head().unwrap(), proposed, "the commit that people read is the one that landed");
    assert!(world.branches().is_empty(), "its branch is gone");
    world.set_health("checkout", Health::Good);
    world.seconds(12);
    assert_eq!(world.phase(), Phase::Recovered);
    assert_eq!(world.reverts(), 1);
}

#[test]
fn an_expired_approval_lands_nothing() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    world.approve();
    let late = world.now() + std::time::Duration::from_secs(3601);
    world.clock.set(late);
    world.seconds(6);
    assert_eq!(world.reverts(), 0);
}
