//! The base moves while a proposal is open: it is rebuilt on the new head, and an approval of the same plan still counts.

use crate::support::{World, policy};

#[test]
fn an_unrelated_change_keeps_the_approval() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "propose", ""), policy("payments", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    let plan = world.proposal().plan_digest();
    world.approve();
    let unrelated = world.bump("payments", "2.0.0");
    world.seconds(2);
    assert_eq!(world.reverts(), 1);
    assert_eq!(world.proposal().plan_digest(), plan);
    assert_eq!(world.remote(&["rev-parse", "main^"]), unrelated, "the revert stands on the new head");
    assert!(world.remote(&["show", "main:apps/payments/deployment.yaml"]).contains("2.0.0"), "the other change is still there");
}

#[test]
fn the_branch_follows_the_base() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "propose", ""), policy("payments", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    let moved = world.bump("payments", "2.0.0");
    world.seconds(2);
    let branch = world.branches()[0].clone();
    assert_eq!(world.remote(&["rev-parse", &format!("{branch}^")]), moved);
    assert_eq!(world.incident().ending, None, "our own push disowns nothing");
}
