//! A person merges the pull request by GitHub's button, in each of its ways: that lands it, and revertd watches the recovery.

use revertd::demo::forge::{MergeMethod, PullState};
use revertd::engine::fact::LandedBy;
use revertd::engine::incident::Phase;

use crate::support::{Health, World};

fn merged_by_hand(method: MergeMethod) {
    let mut world = World::with_pull_request();
    let number = world.pull().number;
    world.github().merge("dana", number, method).unwrap();
    world.seconds(2);
    assert_eq!(world.incident().landed.unwrap().by, LandedBy::Person, "{method:?}");
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
    world.seconds(2);
    assert!(matches!(world.pull().state, PullState::Merged { .. }));
    assert!(world.written()[0].contains("### Recovered"), "{:#?}", world.written());
    assert_eq!((world.written().len(), world.reverts(), world.branches().len()), (1, 1, 0), "{method:?}");
    assert_eq!(world.asked("PUT", "/merge"), 0, "revertd merged nothing itself");
}

#[test]
fn with_a_merge_commit() {
    merged_by_hand(MergeMethod::Merge);
}

#[test]
fn squashed() {
    merged_by_hand(MergeMethod::Squash);
}

#[test]
fn rebased() {
    merged_by_hand(MergeMethod::Rebase);
}

/// Both at once: the person is faster, and the merge call finds that it has landed.
#[test]
fn while_it_was_approved() {
    let mut world = World::with_pull_request();
    world.approve_on_github();
    world.github().merge("dana", world.pull().number, MergeMethod::Merge).unwrap();
    world.seconds(3);
    assert_eq!(world.reverts(), 1);
}
