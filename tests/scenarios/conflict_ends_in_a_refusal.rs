//! Undoing conflicts, and no other way leads out: that is said with the paths, the reasons and the commands.

use revertd::engine::decision::DecisionVerdict;
use revertd::engine::fact::Ending;
use revertd::engine::guardrail::RefusalCode;

use crate::support::{Health, World, deployment, policy};

const WORKER: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec: {template: {spec: {containers: [{name: worker, image: \"shop/worker:1\", envFrom: [{configMapRef: {name: settings}}]}]}}}
";

#[test]
fn conflict_ends_in_a_refusal() {
    let shares = |name: &str| policy(name, "merge", "").replace("/**\"]", "/**\", \"shared/**\"]");
    let mut world = World::new(&["checkout", "payments"], &[shares("checkout"), shares("payments")]);
    world.seconds(8);
    world.write("shared/settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: x}\n");
    let bad = world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(2);
    // A second change of the same line, in the same pass as the third bad round: too late to be the cause, and in the way. With it the
    // other service begins to use what came with the bump: going back to the last state seen healthy would take that away.
    world.write("apps/payments/worker.yaml", WORKER);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0").replace("1.5.0", "1.5.0-retry"));
    let head = world.commit("checkout: again");
    // It may be the fix, and gets its time.
    world.seconds(8);
    let incident = world.incident();
    let decision = incident.decision.clone().unwrap();
    assert_eq!((decision.verdict, decision.refusals[0].code), (DecisionVerdict::Refuse, RefusalCode::Conflict), "{incident:#?}");
    let sentence = decision.sentence;
    assert!(sentence.contains("`apps/checkout/deployment.yaml`"), "{sentence}");
    assert!(sentence.contains("Giving the old values back: `shared/settings.yaml` was added or removed"), "{sentence}");
    assert!(sentence.contains("Deployment worker refers to the ConfigMap settings, which the result no longer has."), "{sentence}");
    assert!(sentence.contains(&format!("`git switch -c revert-by-hand {head}`, then `git revert {bad}`.")), "{sentence}");
    // The later change may be the fix: the incident stays open until the service's health says so.
    assert_eq!(incident.ending, None);
    world.set_health("checkout", Health::Good);
    world.seconds(12);
    assert!(matches!(world.incident().ending, Some(Ending::Superseded { by: Some(by) }) if by.to_string() == head));
    assert_eq!(world.reverts(), 0);
}
