//! One push brings several commits to the service: they cannot be told apart by time, and are proposed together as one commit.

use revertd::engine::incident::Phase;

use crate::support::{Health, World, deployment, policy};

#[test]
fn several_suspects_are_proposed() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.person(&["commit", "--quiet", "--all", "--message", "checkout: 1.5.0"]);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0").replace("replicas: 2", "replicas: 3"));
    world.commit("checkout: three replicas");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!((world.phase(), world.reverts()), (Phase::Proposed, 0));
    assert!(world.refusals().contains(&"severalSuspects".to_owned()), "{:?}", world.refusals());
    let branch = world.branches()[0].clone();
    assert_eq!(world.remote(&["rev-parse", &format!("{branch}^{{tree}}")]), world.remote(&["rev-parse", "main~2^{tree}"]));
    let body = world.remote(&["log", "-1", "--format=%B", &branch]);
    assert_eq!(body.matches("This reverts commit ").count(), 2, "{body}");
}

#[test]
fn a_commit_that_asks_for_no_revert_gets_none() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.commit("checkout: 1.5.0\n\nRevertd: never");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert!(world.branches().is_empty() && world.reverts() == 0);
    assert_eq!(world.refusals(), ["optedOut"]);
}

#[test]
fn a_comment_is_no_suspect() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.write("apps/checkout/deployment.yaml", &format!("# a comment\n{}", deployment("checkout", "1.0.0")));
    world.commit("checkout: say why");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(world.refusals(), ["noSuspect"]);
}
