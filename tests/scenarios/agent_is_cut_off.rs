//! The controls do not answer: the agent is the one that is cut off, and it does nothing.

use crate::support::{Health, World, policy};

#[test]
fn agent_is_cut_off() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.break_checkout();
    world.set_control(Health::Unknown);
    world.seconds(8);
    assert!(world.reverts() == 0 && world.branches().is_empty());
    assert_eq!(world.refusals()[0], "controlsFailing");
}
