//! A person lands the proposal with something else in it: nothing more is merged in the repository until a person has looked.

use revertd::engine::fact::Event;
use revertd::engine::id::RepositoryName;
use revertd::engine::incident::Phase;
use revertd::engine::landing::Stop;

use crate::support::{Health, World, policy};

/// Checkout has an open proposal, and the person's clone stands on main.
fn proposed() -> (World, String) {
    let unlimited = "      limits: {merge: {count: 9, per: 1h}}\n";
    let policies = [policy("checkout", "propose", ""), policy("payments", "merge", "")];
    let mut world = World::with_agent(&["checkout", "payments"], &policies, unlimited);
    world.break_checkout();
    world.seconds(6);
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["checkout", "--quiet", "-B", "main", "origin/main"]);
    let branch = format!("origin/{}", world.branches()[0]);
    (world, branch)
}

fn squash(world: &World, branch: &str) {
    let message = world.person(&["log", "-1", "--format=%B", branch]);
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", &message]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
}

fn stopped_for(world: &World) -> Vec<Vec<String>> {
    let stops = world.facts().into_iter().filter_map(|fact| match fact.event {
        Event::RepositoryStopped { stop: Stop::NotThePlan { paths, .. }, .. } => Some(paths),
        _ => None,
    });
    stops.collect()
}

fn checkout(world: &World) -> revertd::engine::incident::Incident {
    world.incidents().into_values().find(|incident| incident.policy.as_str() == "checkout").unwrap()
}

#[test]
fn the_repository_stops_until_a_person_resumes_it() {
    let (mut world, branch) = proposed();
    world.person(&["cherry-pick", "--no-commit", &branch]);
    world.write("apps/checkout/extra.yaml", "kind: ConfigMap\n");
    squash(&world, &branch);
    world.seconds(2);
    assert_eq!(stopped_for(&world), [["apps/checkout/extra.yaml"]]);
    world.set_health("checkout", Health::Good);
    world.seconds(14);
    let incident = checkout(&world);
    assert_eq!(incident.phase, Phase::Recovered);
    let said = "what landed is not what was planned: `apps/checkout/extra.yaml` differ";
    assert!(incident.recovery.as_ref().unwrap().sentence.contains(said), "{incident:#?}");
    assert!(incident.sentence.as_ref().unwrap().contains(said), "{incident:#?}");

    // Another service breaks while it is stopped, also for an agent that was restarted.
    world.restart();
    world.bump("payments", "2.0.0");
    world.seconds(1);
    world.set_health("payments", Health::Bad);
    world.seconds(8);
    assert_eq!((world.reverts(), world.branches().len()), (1, 0), "{:?}", world.subjects());
    let payments = || world.incidents().into_values().find(|incident| incident.policy.as_str() == "payments").unwrap();
    let decision = payments().decision.unwrap();
    assert_eq!(decision.refusals[0].code.label(), "repositoryStopped");
    assert!(decision.sentence.contains("`apps/checkout/extra.yaml`") && decision.sentence.contains("`revertd resume manifests`"));
    world.set_health("payments", Health::Good);
    world.seconds(8);

    world.say(Event::RepositoryResumed { repository: RepositoryName::new("manifests"), accept: None, by: "dana".into() });
    world.seconds(8);
    world.bump("payments", "2.1.0");
    world.seconds(1);
    world.set_health("payments", Health::Bad);
    world.seconds(8);
    assert_eq!(world.subjects()[0], "Revert \"payments: 2.1.0\"", "{:#?}", world.incidents());
    assert_eq!(stopped_for(&world).len(), 1, "the same landing does not stop it again");
}

#[test]
fn other_content_on_a_path_of_the_plan() {
    let (mut world, branch) = proposed();
    world.person(&["cherry-pick", "--no-commit", &branch]);
    let restored = std::fs::read_to_string(world.root.join("person/apps/checkout/deployment.yaml")).unwrap();
    world.write("apps/checkout/deployment.yaml", &restored.replace("replicas: 2", "replicas: 3"));
    squash(&world, &branch);
    world.seconds(2);
    assert_eq!(stopped_for(&world), [["apps/checkout/deployment.yaml"]]);
}

#[test]
fn another_mode_on_a_path_of_the_plan() {
    let (mut world, branch) = proposed();
    world.person(&["cherry-pick", "--no-commit", &branch]);
    world.person(&["update-index", "--chmod=+x", "apps/checkout/deployment.yaml"]);
    let message = world.person(&["log", "-1", "--format=%B", &branch]);
    world.person(&["commit", "--quiet", "--message", &message]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(2);
    assert_eq!(stopped_for(&world), [["apps/checkout/deployment.yaml"]]);
}

/// The commit of the proposal is in it, and so is something that nobody reviewed.
#[test]
fn a_merge_that_brings_something_else() {
    let (mut world, branch) = proposed();
    world.person(&["merge", "--quiet", "--no-ff", "--no-commit", &branch]);
    world.write("apps/payments/deployment.yaml", "kind: Deployment\n");
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", "Merge the revert"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(2);
    assert_eq!(stopped_for(&world), [["apps/payments/deployment.yaml"]]);
    assert_eq!(checkout(&world).phase, Phase::Merged);
}

#[test]
fn what_landed_as_planned_stops_nothing() {
    for how in [["merge", "--no-ff"].as_slice(), &["merge", "--ff-only"], &["cherry-pick"]] {
        let (mut world, branch) = proposed();
        if how == ["merge", "--no-ff"] {
            world.write("README.md", "unrelated\n");
            world.person(&["add", "--all"]);
            world.person(&["commit", "--quiet", "--message", "Add a page"]);
        }
        world.person(&[how, &[&branch]].concat());
        world.person(&["push", "--quiet", "origin", "HEAD:main"]);
        world.seconds(2);
        assert!(stopped_for(&world).is_empty(), "{how:?}");
        world.set_health("checkout", Health::Good);
        world.seconds(14);
        assert_eq!(checkout(&world).phase, Phase::Recovered, "{how:?}");
        assert!(!checkout(&world).sentence.unwrap().contains("planned"));
    }
}
