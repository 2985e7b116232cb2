//! A person reverts before revertd does: it leaves it alone, watches the recovery, and ends the incident as superseded.

use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

#[test]
fn human_reverts_first() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(2);
    world.person(&["revert", "--no-edit", "HEAD"]);
    let human = world.person(&["rev-parse", "HEAD"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(3);
    assert_eq!(world.reverts(), 0, "{:?}", world.subjects());
    world.set_health("checkout", Health::Good);
    world.seconds(14);
    assert_eq!(world.phase(), Phase::Superseded, "{:#?}", world.incident());
    assert_eq!(world.remote_head().unwrap(), human);
    assert!(world.branches().is_empty());
}

#[test]
fn a_human_revert_while_a_proposal_is_open_takes_the_proposal_back() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(world.branches().len(), 1);
    world.person(&["revert", "--no-edit", "HEAD"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(2);
    assert!(world.branches().is_empty(), "the proposal is not needed any more");
    world.set_health("checkout", Health::Good);
    world.seconds(14);
    assert_eq!(world.phase(), Phase::Superseded, "{:#?}", world.incident());
    assert_eq!(world.reverts(), 0);
}

/// Regression: the person's revert landed before the first bad round ended, and was itself the newest suspect.
#[test]
fn a_revert_of_a_suspect_is_no_suspect() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.person(&["revert", "--no-edit", "HEAD"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert!(world.reverts() == 0 && world.branches().is_empty(), "{:?}", world.subjects());
    world.set_health("checkout", Health::Good);
    world.seconds(14);
    assert_eq!(world.phase(), Phase::Superseded, "{:#?}", world.incident());
}
