//! What the operator protects, and what the repository's own automation follows, is merged by people only.

use crate::support::{Health, World, deployment, policy};

/// The guardrails that kept it a proposal after a change that also wrote this file, which a policy owns.
fn refused_for(path: &str, protect: &str) -> Vec<String> {
    let policy = policy("checkout", "merge", "").replace("[\"apps/checkout/**\"]", "[\"apps/checkout/**\", \"agent/**\", \".github/**\"]");
    let mut world = World::with_agent(&["checkout"], &[policy], &format!("      protect: {protect}\n"));
    world.write(path, "a: 1\n");
    world.commit("A file");
    world.seconds(12);
    world.write(path, "a: 2\n");
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.commit("A change");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{:?}", world.subjects());
    let codes = world.refusals();
    world.approve();
    world.seconds(1);
    assert_eq!(world.reverts(), 1, "an approval stands in for it");
    codes
}

#[test]
fn what_the_operator_protects_needs_a_person() {
    assert!(refused_for("agent/deployment.yaml", "[\"agent/**\"]").contains(&"protectedPath".to_owned()));
}

#[test]
fn continuous_integration_needs_a_person_in_any_case() {
    assert!(refused_for(".github/workflows/deploy.yaml", "[]").contains(&"protectedPath".to_owned()));
}
