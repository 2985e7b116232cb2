//! A later commit changed the same lines: undoing conflicts, and that is said with the paths and the commands.

use revertd::engine::fact::Ending;

use crate::support::{Health, World, deployment, policy};

#[test]
fn conflict_ends_in_a_refusal() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(2);
    // A second change of the same line, in the same pass as the third bad round: too late to be the cause, and in the way.
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0").replace("1.5.0", "1.5.0-retry"));
    world.commit("checkout: again");
    world.seconds(3);
    let incident = world.incident();
    let refused = incident.ending == Some(Ending::Refused { code: "conflict".into() });
    let suspects = incident.attribution.clone().unwrap().suspects.len();
    assert!(refused || suspects == 1, "{incident:#?}");
    if refused {
        let sentence = incident.sentence.unwrap();
        assert!(sentence.contains("`apps/checkout/deployment.yaml`") && sentence.contains("git revert"), "{sentence}");
    }
    assert_eq!(world.reverts(), 0);
}
