//! The watched branch is deleted: nothing is done until it is there again and a person accepts its head.

use std::time::Duration;

use revertd::engine::fact::Event;
use revertd::engine::id::RepositoryName;

use crate::support::{Health, World, policy};

fn resume(world: &World, accept: Option<&str>) {
    let accept = accept.map(|id| id.parse().unwrap());
    world.say(Event::RepositoryResumed { repository: RepositoryName::new("manifests"), accept, by: "dana".into() });
}

fn stops(world: &World) -> usize {
    world.facts().iter().filter(|fact| matches!(fact.event, Event::RepositoryStopped { .. })).count()
}

/// The branch is gone, and then there again with one more commit.
fn deleted_and_back() -> (World, String) {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "  guardrails: {healthyFor: 0s}\n")]);
    world.seconds(8);
    let head = world.bump("checkout", "1.4.0");
    world.seconds(6);
    world.remote(&["update-ref", "-d", "refs/heads/main"]);
    world.seconds(3);
    assert_eq!(stops(&world), 1, "it is said once");
    (world, head)
}

#[test]
fn a_deleted_branch_stops_the_repository_until_its_head_is_accepted() {
    let (mut world, head) = deleted_and_back();
    world.person(&["push", "--quiet", "origin", &format!("{head}:refs/heads/main")]);
    let bad = world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(8);
    assert_eq!(world.reverts(), 0);
    assert_eq!(world.refusals()[0], "repositoryStopped");
    let sentence = world.incident().decision.unwrap().sentence;
    assert!(sentence.contains("The branch `main` is gone") && sentence.contains("revertd resume manifests --accept <oid>"), "{sentence}");
    world.set_health("checkout", Health::Good);
    world.seconds(8);
    resume(&world, Some(&bad));
    // An hour later that breach says nothing of the next one any more.
    world.pass_after(Duration::from_secs(3600)).unwrap();
    world.seconds(8);
    world.bump("checkout", "1.6.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!((world.reverts(), stops(&world)), (1, 1), "{:?}", world.incidents());
    assert_eq!(world.subjects()[0], "Revert \"checkout: 1.6.0\"");
}

#[test]
fn a_head_that_the_branch_does_not_hold_is_not_accepted() {
    let (mut world, head) = deleted_and_back();
    world.person(&["push", "--quiet", "origin", &format!("{head}:refs/heads/main")]);
    let bad = world.bump("checkout", "1.5.0");
    let elsewhere = world.remote(&["commit-tree", "-p", "main", "-m", "elsewhere", "main^{tree}"]);
    world.remote(&["update-ref", "refs/heads/revertd/elsewhere", &elsewhere]);
    world.seconds(1);
    let nothing = "1".repeat(40);
    for (number, wrong) in [Some(nothing.as_str()), Some(elsewhere.as_str()), None].into_iter().enumerate() {
        resume(&world, wrong);
        world.seconds(2);
        assert_eq!(stops(&world), number + 2, "{wrong:?} is refused, and it stops again");
    }
    world.set_health("checkout", Health::Bad);
    world.seconds(8);
    assert_eq!((world.reverts(), world.refusals()[0].as_str()), (0, "repositoryStopped"));
    resume(&world, Some(&bad));
    world.seconds(2);
    assert_eq!(stops(&world), 4, "the head that is there is accepted");
    assert!(!world.refusals().contains(&"repositoryStopped".to_owned()), "{:?}", world.refusals());
}

/// Regression: the last listing bounded when a change landed, also when it had shown that change already.
#[test]
fn what_came_during_the_stop_did_not_land_at_its_end() {
    let (mut world, head) = deleted_and_back();
    world.person(&["push", "--quiet", "origin", &format!("{head}:refs/heads/main")]);
    let deleted_by = world.now();
    world.bump("checkout", "1.5.0");
    world.seconds(60);
    // Only the head before is accepted, so the commit is taken up now.
    resume(&world, Some(&head));
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(8);
    let attribution = world.incident().attribution.unwrap();
    let candidate = &attribution.candidates[0];
    assert_eq!(candidate.subject, "checkout: 1.5.0");
    assert!(candidate.landed.after.is_none_or(|after| after <= deleted_by), "{}", candidate.landed);
}

#[test]
fn a_repository_without_the_branch_waits_for_it() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "  guardrails: {healthyFor: 0s}\n")]);
    let head = world.remote_head().unwrap();
    world.remote(&["update-ref", "-d", "refs/heads/main"]);
    world.seconds(3);
    assert_eq!(stops(&world), 0, "what was never seen was not deleted");
    world.remote(&["update-ref", "refs/heads/main", &head]);
    world.break_checkout();
    world.seconds(6);
    assert_eq!(world.reverts(), 1, "{:?}", world.refusals());
}
