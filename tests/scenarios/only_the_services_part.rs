//! A change of two services, and a policy that asks for its own part alone; and what a service pulls in from elsewhere is its own as well.

use revertd::engine::plan::PlanKind;

use crate::support::{Health, World, deployment, policy};

fn of_its_own(name: &str) -> String {
    policy(name, "merge", "").replace("revert: {", "revert: {scope: paths, ")
}

#[test]
fn only_the_services_own_paths_go_back() {
    let mut world = World::new(&["checkout", "payments"], &[of_its_own("checkout"), of_its_own("payments")]);
    world.seconds(8);
    for service in ["checkout", "payments"] {
        world.write(&format!("apps/{service}/deployment.yaml"), &deployment(service, "1.5.0"));
    }
    world.commit("All services: 1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{:?}", world.subjects());
    assert_eq!(world.refusals(), ["notAPlainRevert"]);
    let plan = world.proposal().plan.unwrap();
    let paths: Vec<&str> = plan.paths.iter().map(|path| path.path.as_str()).collect();
    assert_eq!((plan.kind, paths), (PlanKind::Paths, vec!["apps/checkout/deployment.yaml"]));
    let message = world.remote(&["log", "-1", "--format=%B", &world.branches()[0]]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(message.contains("did to `apps/payments/deployment.yaml` stays.") && message.contains("Revertd-Way: paths"), "{message}");
    world.approve();
    world.seconds(1);
    world.set_health("checkout", Health::Good);
    world.seconds(14);
    assert_eq!(world.remote(&["show", "main:apps/payments/deployment.yaml"]), deployment("payments", "1.5.0").trim());
    assert_eq!(world.remote(&["show", "main:apps/checkout/deployment.yaml"]), deployment("checkout", "1.0.0").trim());
}

/// When both break, both parts go back: the plan does not depend on which service is decided first.
#[test]
fn both_parts_go_back_when_both_break() {
    let mut world = World::new(&["checkout", "payments"], &[of_its_own("checkout"), of_its_own("payments")]);
    world.seconds(8);
    for service in ["checkout", "payments"] {
        world.write(&format!("apps/{service}/deployment.yaml"), &deployment(service, "1.5.0"));
        world.set_health(service, Health::Good);
    }
    world.commit("All services: 1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.set_health("payments", Health::Bad);
    world.seconds(6);
    let proposal = world.proposal();
    assert_eq!((proposal.incidents.len(), proposal.plan.unwrap().paths.len()), (2, 2));
    assert_eq!(world.refusals_of("checkout"), ["maxServices"]);
}

/// The base is nobody's by paths; the service whose kustomization lists it owns it.
#[test]
fn a_base_is_owned_by_whoever_pulls_it_in() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
    world.write("apps/checkout/kustomization.yaml", "resources: [../../base]\n");
    world.write("base/kustomization.yaml", "resources: [web.yaml]\n");
    world.write("base/web.yaml", &deployment("web", "1.0.0"));
    world.commit("Add a base");
    world.seconds(60);
    world.write("base/web.yaml", &deployment("web", "1.5.0"));
    let bad = world.commit("web: 1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    let incident = world.incident();
    let attribution = incident.attribution.unwrap();
    assert_eq!(attribution.suspects.iter().map(ToString::to_string).collect::<Vec<_>>(), [bad], "{attribution:#?}");
    assert_eq!(world.reverts(), 1, "{:?} {:#?}", world.subjects(), incident.decision);
}

/// A comment in a file that goes into a ConfigMap as it is restarts pods.
#[test]
fn a_comment_in_a_file_that_is_taken_as_it_is_counts() {
    for (generator, suspects) in [("configMapGenerator: [{name: settings, files: [settings.yaml]}]\n", 1), ("resources: []\n", 0)] {
        let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
        world.write("apps/checkout/kustomization.yaml", generator);
        world.write("apps/checkout/settings.yaml", "a: 1\n");
        world.commit("Add settings");
        world.seconds(60);
        world.write("apps/checkout/settings.yaml", "a: 1 # one\n");
        world.commit("A comment");
        world.seconds(1);
        world.set_health("checkout", Health::Bad);
        world.seconds(6);
        assert_eq!(world.incident().attribution.unwrap().suspects.len(), suspects, "{generator}");
    }
}
