//! Undoing conflicts, and people are still offered a revert: the old values, else the last state that was seen healthy. Neither is merged
//! without a person.

use revertd::engine::decision::DecisionVerdict;
use revertd::engine::fact::{Ending, LandedBy};
use revertd::engine::guardrail::RefusalCode;
use revertd::engine::incident::Phase;
use revertd::engine::plan::PlanKind;

use crate::support::{Health, World, deployment, policy};

const TAGS: &str = "environments/tags.yaml";

/// One line for each of thirty services.
fn tags(tag: impl Fn(usize) -> String) -> String {
    (0..30).map(|number| format!("service-{number:02}: {}\n", tag(number))).collect()
}

/// The policy of a service whose image stands in the file of all.
fn owns_the_tags(name: &str, mode: &str) -> String {
    policy(name, mode, "").replace(&format!("[\"apps/{name}/**\"]"), &format!("[\"apps/{name}/**\", \"environments/**\"]"))
}

/// Service 7 is broken by a bump, and the ten services around it are bumped afterwards.
fn neighbours_bumped(mode: &str) -> (World, String) {
    let mut world = World::new(&["checkout"], &[owns_the_tags("checkout", mode)]);
    world.write(TAGS, &tags(|_| "1.0.0".to_owned()));
    world.commit("Add the tags");
    world.seconds(60);
    let bumped = |number: usize, last: usize| match number {
        7 => "1.5.0",
        2..=12 if number <= last => "1.1.0",
        _ => "1.0.0",
    };
    world.write(TAGS, &tags(|number| bumped(number, 0).to_owned()));
    let bad = world.commit("checkout: 1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(2);
    for last in 2..=12 {
        world.write(TAGS, &tags(|number| bumped(number, last).to_owned()));
        if last != 7 {
            world.commit(&format!("service-{last:02}: 1.1.0"));
        }
    }
    world.seconds(4);
    (world, bad)
}

#[test]
fn ten_neighbours_do_not_keep_a_line_from_going_back() {
    for mode in ["propose", "merge"] {
        let (mut world, bad) = neighbours_bumped(mode);
        assert_eq!((world.reverts(), world.branches().len()), (0, 1), "{:?} {:#?}", world.subjects(), world.incidents());
        let proposal = world.proposal();
        assert_eq!(proposal.plan.as_ref().unwrap().kind, PlanKind::Values);
        let refusals = world.refusals();
        assert!(refusals.contains(&"notAPlainRevert".to_owned()), "{refusals:?}");
        let branch = world.branches()[0].clone();
        let expected = world.remote(&["show", "main:environments/tags.yaml"]).replace("service-07: 1.5.0", "service-07: 1.0.0");
        assert_eq!(world.remote(&["show", &format!("{branch}:environments/tags.yaml")]), expected);
        let message = world.remote(&["log", "-1", "--format=%B", &branch]);
        assert!(message.contains(&format!("This reverts commit {bad}.")), "{message}");
        assert!(message.contains("\nRevertd-Way: values\n"), "{message}");
        let said = message.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("It restores `service-07` in `environments/tags.yaml`."), "{said}");
        // A person allows it, and it lands as what was shown.
        world.approve();
        world.seconds(1);
        assert_eq!(world.reverts(), 1, "{:?}", world.subjects());
        world.set_health("checkout", Health::Good);
        world.seconds(14);
        let incident = world.incident();
        assert_eq!((incident.phase, incident.landed.map(|landed| landed.by)), (Phase::Recovered, Some(LandedBy::Revertd)));
    }
}

/// What a person merges by hand is recognised as the plan.
#[test]
fn a_person_merges_the_restored_values() {
    let (mut world, _) = neighbours_bumped("propose");
    let branch = world.branches()[0].clone();
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["reset", "--quiet", "--hard", "origin/main"]);
    world.person(&["merge", "--quiet", "--squash", &format!("origin/{branch}")]);
    let message = world.remote(&["log", "-1", "--format=%B", &branch]);
    world.person(&["commit", "--quiet", "--message", &message]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.set_health("checkout", Health::Good);
    world.seconds(14);
    let incident = world.incident();
    assert_eq!((incident.phase, incident.landed.map(|landed| landed.by)), (Phase::Recovered, Some(LandedBy::Person)));
}

/// A later bump of the same line while the breach goes on: no value of the change stands any more.
#[test]
fn the_last_state_seen_healthy_is_offered() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(2);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0").replace("1.5.0", "1.5.0-retry"));
    let later = world.commit("checkout: again");
    // It may be the fix, and gets its time.
    world.seconds(8);
    let incident = world.incident();
    let decision = incident.decision.clone().unwrap();
    assert_eq!((decision.verdict, decision.refusals[0].code), (DecisionVerdict::Propose, RefusalCode::NotAPlainRevert), "{incident:#?}");
    assert_eq!(world.proposal().plan.as_ref().unwrap().kind, PlanKind::LastKnownGood);
    assert_eq!((world.reverts(), world.branches().len()), (0, 1));
    let branch = world.branches()[0].clone();
    let shown = world.remote(&["show", &format!("{branch}:apps/checkout/deployment.yaml")]);
    assert_eq!(shown, deployment("checkout", "1.0.0").trim());
    // The later commit that goes as well is named.
    let message = world.remote(&["log", "-1", "--format=%B", &branch]);
    assert!(
        message.contains(&later) && message.contains("\"checkout: again\"") && message.contains("\nRevertd-Way: lastKnownGood\n"),
        "{message}"
    );
    // It was the fix: the proposal is taken back, and the person's commit is credited.
    world.set_health("checkout", Health::Good);
    world.seconds(12);
    assert!(matches!(world.incident().ending, Some(Ending::Superseded { by: Some(by) }) if by.to_string() == later));
    assert_eq!((world.reverts(), world.branches().len()), (0, 0));
}
