//! A later commit changed the same lines: undoing conflicts, and that is said with the paths and the commands.

use revertd::engine::decision::DecisionVerdict;
use revertd::engine::fact::Ending;
use revertd::engine::guardrail::RefusalCode;

use crate::support::{Health, World, deployment, policy};

#[test]
fn conflict_ends_in_a_refusal() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
    world.seconds(8);
    let bad = world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(2);
    // A second change of the same line, in the same pass as the third bad round: too late to be the cause, and in the way.
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0").replace("1.5.0", "1.5.0-retry"));
    let head = world.commit("checkout: again");
    world.seconds(3);
    let incident = world.incident();
    let decision = incident.decision.clone().unwrap();
    assert_eq!((decision.verdict, decision.refusals[0].code), (DecisionVerdict::Refuse, RefusalCode::Conflict), "{incident:#?}");
    let sentence = decision.sentence;
    assert!(sentence.contains("`apps/checkout/deployment.yaml`"), "{sentence}");
    assert!(sentence.contains(&format!("`git switch -c revert-by-hand {head}`, then `git revert {bad}`.")), "{sentence}");
    // The later change may be the fix: the incident stays open until the service's health says so.
    assert_eq!(incident.ending, None);
    world.set_health("checkout", Health::Good);
    world.seconds(12);
    assert!(matches!(world.incident().ending, Some(Ending::Superseded { by: Some(by) }) if by.to_string() == head));
    assert_eq!(world.reverts(), 0);
}
