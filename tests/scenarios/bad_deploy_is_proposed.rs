//! The default: the revert is a branch that a person may merge.

use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

#[test]
fn bad_deploy_is_proposed() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.seconds(8);
    let bad = world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(world.phase(), Phase::Proposed);
    let branches = world.branches();
    assert_eq!(branches, [format!("revertd/{}", world.proposal().key)]);
    assert_eq!(world.remote_head().unwrap(), bad, "nothing was merged");
    assert_eq!(world.remote(&["log", "-1", "--format=%s", &branches[0]]), "Revert \"checkout: 1.5.0\"");
    let trailers = world.remote(&["log", "-1", "--format=%(trailers:only,unfold)", &branches[0]]);
    assert!(trailers.contains(&format!("Reverts: {bad}")) && trailers.contains("Revertd-Policy: checkout"), "{trailers}");
    assert_eq!(world.refusals(), ["modePropose"]);
    world.seconds(10);
    assert_eq!(world.branches().len(), 1, "one proposal, however long the breach goes on");
}

#[test]
fn a_ceiling_holds_over_the_mode_of_a_policy() {
    let mut world = World::with_agent(&["checkout"], &[policy("checkout", "merge", "")], "      maxMode: propose\n");
    world.break_checkout();
    world.seconds(6);
    assert_eq!((world.phase(), world.reverts()), (Phase::Proposed, 0));
    let sentence = world.incident().decision.unwrap().sentence;
    assert!(sentence.contains("The mode is `propose`, by `maxMode` of the repository `manifests`."), "{sentence}");
}

#[test]
fn observing_only_records() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "observe", "")]);
    world.break_checkout();
    world.seconds(6);
    assert_eq!(world.refusals(), ["modeObserve"]);
    assert!(world.branches().is_empty() && world.reverts() == 0);
}

#[test]
fn a_service_that_recovers_by_itself_withdraws_its_proposal() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    assert_eq!(world.branches().len(), 1);
    world.set_health("checkout", Health::Good);
    world.seconds(8);
    assert_eq!(world.phase(), Phase::Withdrawn);
    assert!(world.branches().is_empty(), "its branch is taken back");
}
