//! Deleting the proposal's branch is a veto for good; another commit on it makes it somebody else's.

use revertd::engine::fact::Ending;

use crate::support::{World, policy};

fn proposed() -> World {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    world
}

#[test]
fn deleting_the_branch_is_a_veto() {
    let mut world = proposed();
    let branch = world.branches()[0].clone();
    world.remote(&["update-ref", "-d", &format!("refs/heads/{branch}")]);
    world.seconds(1);
    assert_eq!(world.incident().ending, None, "one read is not enough");
    world.seconds(2);
    assert_eq!(world.incident().ending, Some(Ending::Refused { code: "vetoed".into() }));
    world.seconds(20);
    assert!(world.branches().is_empty(), "it is not proposed again");
    assert_eq!(world.incidents().len(), 1, "the breach that goes on is the same incident");
}

#[test]
fn another_head_on_the_branch_disowns_it() {
    let mut world = proposed();
    let branch = world.branches()[0].clone();
    let other = world.remote(&["commit-tree", "-m", "mine", "main^{tree}"]);
    world.remote(&["update-ref", &format!("refs/heads/{branch}"), &other]);
    world.seconds(2);
    assert_eq!(world.incident().ending, Some(Ending::Refused { code: "disowned".into() }));
    world.seconds(5);
    assert_eq!(world.remote(&["rev-parse", &branch]), other, "what somebody pushed stays");
}
