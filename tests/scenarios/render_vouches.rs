//! The operator's render command vouches for a state that was not seen healthy for long; a policy can name it and never say what it is.

use crate::support::{World, policy};

/// A world in which a bad change has just broken checkout, and no state ran for long enough.
fn broken(command: &str) -> World {
    let policy = policy("checkout", "merge", "  guardrails: {healthyFor: 1h, render: lint}\n");
    let render = format!("  render: [{{name: lint, command: {command}, timeout: 2s}}]\n");
    let mut world = World::with_agent(&["checkout"], &[policy], &render);
    world.break_checkout();
    world.seconds(6);
    world
}

#[test]
fn what_it_passes_is_merged() {
    let world = broken(r#"[grep, -q, "shop/checkout:1.0.0", "apps/$policy/deployment.yaml"]"#);
    assert_eq!(world.reverts(), 1, "it reads the files as the revert leaves them: {:?}", world.incident().decision);
}

#[test]
fn what_it_does_not_pass_is_proposed_with_its_last_line() {
    let mut world = broken(r#"[sh, -c, "echo one >&2; echo 'no such field @team/all' >&2; exit 7"]"#);
    assert_eq!((world.reverts(), world.branches().len()), (0, 1));
    assert_eq!(world.refusals(), ["renderFailed"]);
    let sentence = world.incident().decision.unwrap().sentence;
    assert!(
        sentence.ends_with("the render command `lint` does not vouch for it: it ended with 7: `no such field @team/all`."),
        "{sentence}"
    );
    world.approve();
    world.seconds(1);
    assert_eq!(world.reverts(), 1, "an approval stands in for it, as for the state that ran healthy");
}

#[test]
fn one_that_is_not_there_or_does_not_end_does_not_pass() {
    for (command, why) in [("[revertd-no-such-program]", "could not be run"), ("[sleep, \"600\"]", "did not end within 2s")] {
        let world = broken(command);
        assert_eq!(world.reverts(), 0);
        assert_eq!(world.refusals(), ["renderFailed"]);
        let sentence = world.incident().decision.unwrap().sentence;
        assert!(sentence.contains(why), "{sentence}");
    }
}
