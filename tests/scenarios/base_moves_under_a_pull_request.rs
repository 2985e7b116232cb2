//! The base moves while the pull request waits (failure F3): the branch follows it. What was approved is a plan, so the approval stays where
//! the plan is the same, and is void where it is another.

use revertd::engine::incident::Phase;

use crate::support::{World, deployment};

#[test]
fn another_file_leaves_the_approval_standing() {
    let mut world = World::with_pull_request();
    let plan = world.proposal().plan_digest();
    world.approve_on_github();
    world.write("README.md", "Shop\n");
    let moved = world.commit("Say what this is");
    world.until(8, |world| world.landings() == 1);
    assert_eq!(world.proposal().plan_digest(), plan);
    assert_eq!(world.remote(&["merge-base", "main", &moved]), moved, "nothing was lost");
}

/// Another line of the same file is another plan: what would be written is not what was approved. It is no exact inverse any more either, so
/// that somebody other than its author has to approve it.
#[test]
fn another_line_of_the_file_asks_for_a_new_approval() {
    let mut world = World::with_pull_request_by("", |world| world.github().set_email("robin", "robin@shop.example"));
    let command = world.approve_command();
    let plan = world.proposal().plan_digest();
    world.write(
        "apps/checkout/deployment.yaml",
        &deployment("checkout", "1.5.0").replace("kind: Deployment", "kind: Deployment # the shop's"),
    );
    world.commit("Say whose it is");
    world.comment("robin", &command);
    world.seconds(8);
    assert_ne!(world.proposal().plan_digest(), plan);
    assert_eq!((world.phase(), world.landings()), (Phase::Proposed, 0), "{:#?}", world.written());
    let command = world.approve_command();
    world.comment("dana", &command);
    world.until(8, |world| world.landings() == 1);
    assert!(world.remote(&["show", "main:apps/checkout/deployment.yaml"]).contains("the shop's"));
}

/// Somebody's push lands between the making of the merge and the move of the base: GitHub says so, and it is decided again.
#[test]
fn a_push_in_the_middle_of_the_merge_is_decided_again() {
    let mut world = World::with_pull_request();
    let root = world.root.clone();
    world.write("README.md", "Shop\n");
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", "Say what this is"]);
    world.github().race(move |_| {
        let pushed =
            std::process::Command::new("git").current_dir(root.join("person")).args(["push", "--quiet", "origin", "HEAD:main"]).status();
        assert!(pushed.unwrap().success());
    });
    world.approve_on_github();
    world.until(10, |world| world.landings() == 1);
    assert!(world.remote(&["show", "main:README.md"]).contains("Shop"));
}
