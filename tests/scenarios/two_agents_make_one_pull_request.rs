//! Two agents with a journal each work on one repository: GitHub and the branch are the lock (failure F11, promise P3).

use crate::support::{World, policy};

/// What both know is the same to the second, so they build the very same commit.
#[test]
fn two_agents_make_one_pull_request() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.add_twin();
    one_pull_request(world);
}

/// The second one knows less, so that its journal, and with it its commit, is another.
#[test]
fn two_agents_that_know_different_things_make_one_pull_request() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.seconds(3);
    world.add_twin();
    one_pull_request(world);
}

fn one_pull_request(mut world: World) {
    world.break_checkout();
    world.seconds(45);
    assert_eq!((world.github().pulls().unwrap().len(), world.branches().len(), world.written().len()), (1, 1, 1));
    world.approve_on_github();
    world.until(20, |world| world.landings() == 1);
    world.seconds(10);
    assert_eq!((world.github().pulls().unwrap().len(), world.landings(), world.written().len()), (1, 1, 1));
}

#[test]
fn two_agents_merge_once() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "merge", "")]);
    world.add_twin();
    world.break_checkout();
    world.seconds(20);
    assert_eq!((world.landings(), world.reverts()), (1, 1));
}
