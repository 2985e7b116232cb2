//! What the operator keeps: images that nothing goes back to, and authors and paths whose changes are never reverted.

use crate::support::{Health, World, policy};

/// A world in which a bad change of `checkout` has just broken it.
fn broken(guardrails: &str) -> World {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", &format!("  guardrails: {guardrails}\n"))]);
    world.break_checkout();
    world.seconds(6);
    world
}

#[test]
fn a_revert_to_a_forbidden_image_is_proposed_and_no_approval_merges_it() {
    for forbidden in ["\"1.0.0\"", "\"shop/checkout:1.0.0\""] {
        let mut world = broken(&format!("{{neverBackTo: [{forbidden}]}}"));
        assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{forbidden}");
        assert_eq!(world.refusals(), ["neverBackTo"]);
        let sentence = world.incident().decision.unwrap().sentence;
        assert!(
            sentence.contains("would go back to `") && sentence.contains("1.0.0`, which `guardrails.neverBackTo` forbids."),
            "{sentence}"
        );
        world.approve();
        world.seconds(3);
        assert_eq!(world.reverts(), 0, "an approval does not lift it");
    }
}

#[test]
fn another_image_that_is_forbidden_changes_nothing() {
    assert_eq!(broken("{neverBackTo: [\"1.0.1\", \"shop/payments:1.0.0\"]}").reverts(), 1);
}

#[test]
fn a_change_by_an_author_or_of_a_path_that_is_kept_is_not_proposed() {
    for never in ["authors: [ROBIN@shop.example]", "authors: [Robin]", "paths: [\"apps/*/deployment.yaml\"]"] {
        let world = broken(&format!("{{never: {{{never}}}}}"));
        assert_eq!((world.reverts(), world.branches().len()), (0, 0), "{never}");
        assert_eq!(world.refusals(), ["irrevertible"]);
        let sentence = world.incident().decision.unwrap().sentence;
        assert!(sentence.contains("is never reverted: it ") && sentence.contains("`guardrails.never` keeps"), "{sentence}");
    }
    let mut world =
        World::new(&["checkout"], &[policy("checkout", "merge", "  guardrails: {never: {authors: [dana], paths: [\"db/**\"]}}\n")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(world.reverts(), 1);
}
