//! What could do harm is proposed, never merged without a person: deleted files, dangerous kinds, policy files, other services' paths.

use crate::support::{Health, World, deployment, policy};

fn refused_for(change: impl Fn(&World)) -> Vec<String> {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
    world.seconds(8);
    change(&world);
    world.commit("A change");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{:?}", world.subjects());
    world.refusals()
}

#[test]
fn a_new_file_would_be_deleted() {
    assert_eq!(refused_for(|world| world.write("apps/checkout/extra.yaml", "kind: ConfigMap\n")), ["needsHuman"]);
}

#[test]
fn a_dangerous_kind_and_what_does_not_parse() {
    let with = |more: &str| deployment("checkout", "1.5.0") + more;
    assert_eq!(refused_for(|world| world.write("apps/checkout/deployment.yaml", &with("---\nkind: StatefulSet\n"))), ["needsHuman"]);
    assert_eq!(refused_for(|world| world.write("apps/checkout/deployment.yaml", &with("---\n{{ .Values.x }}: [\n"))), ["needsHuman"]);
}

#[test]
fn a_policy_file() {
    let codes = refused_for(|world| world.write("apps/checkout/revertd.yaml", "kind: RevertPolicy\n"));
    assert!(codes.contains(&"policyFile".to_owned()), "{codes:?}");
}

#[test]
fn a_change_of_a_healthy_service_as_well() {
    let codes = refused_for(|world| {
        world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
        world.write("apps/payments/deployment.yaml", &deployment("payments", "1.5.0"));
    });
    assert_eq!(codes, ["maxServices", "touchesHealthyService"]);
}
