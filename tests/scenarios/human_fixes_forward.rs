//! A person fixes forward, and the service is healthy again: their change beats the proposal.

use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

#[test]
fn human_fixes_forward() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    assert_eq!(world.branches().len(), 1);
    let fix = world.bump("checkout", "1.5.1");
    world.seconds(2);
    world.set_health("checkout", Health::Good);
    world.seconds(10);
    assert_eq!(world.phase(), Phase::Superseded, "{:#?}", world.incident());
    assert!(world.incident().sentence.unwrap().contains(&fix[..10]));
    assert!(world.branches().is_empty());
    assert_eq!(world.reverts(), 0);
}
