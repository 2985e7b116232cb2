//! A person merges the proposal's branch by hand: that lands it.

use revertd::engine::fact::{Event, LandedBy};
use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

fn proposed() -> World {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    let branch = world.branches()[0].clone();
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["checkout", "--quiet", "-B", "main", "origin/main"]);
    world.write("README.md", "unrelated\n");
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", "Add a page"]);
    world.write("branch", &branch);
    world
}

fn ends_recovered(mut world: World) {
    world.seconds(2);
    assert_eq!(world.incident().landed.unwrap().by, LandedBy::Person);
    world.set_health("checkout", Health::Good);
    world.seconds(12);
    assert_eq!(world.phase(), Phase::Recovered);
    assert!(world.branches().is_empty());
}

#[test]
fn with_a_merge_commit() {
    let world = proposed();
    let branch = format!("origin/{}", world.branches()[0]);
    world.person(&["merge", "--quiet", "--no-ff", "--message", "Merge the revert", &branch]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    ends_recovered(world);
}

#[test]
fn squashed_with_our_trailers() {
    let world = proposed();
    let branch = format!("origin/{}", world.branches()[0]);
    let message = world.remote(&["log", "-1", "--format=%B", &world.branches()[0]]);
    world.person(&["cherry-pick", "--no-commit", &branch]);
    world.person(&["commit", "--quiet", "--message", &message]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    ends_recovered(world);
}

#[test]
fn a_squash_that_is_not_the_plan_stops_the_repository() {
    let mut world = proposed();
    let branch = format!("origin/{}", world.branches()[0]);
    let message = world.remote(&["log", "-1", "--format=%B", &world.branches()[0]]);
    world.person(&["cherry-pick", "--no-commit", &branch]);
    world.write("apps/checkout/extra.yaml", "kind: ConfigMap\n");
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", &message]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(2);
    let stopped = world.facts().into_iter().filter(|fact| format!("{:?}", fact.event).contains("NotThePlan")).count();
    assert_eq!(stopped, 1);
}

/// A remote that refuses to delete branches is asked again, but not for ever.
#[test]
fn a_branch_that_could_not_be_taken_away_is_taken_away_later() {
    let mut world = proposed();
    let branch = format!("origin/{}", world.branches()[0]);
    world.remote(&["config", "receive.denyDeletes", "true"]);
    world.person(&["merge", "--quiet", "--no-ff", "--message", "Merge the revert", &branch]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(1);
    assert_eq!(world.branches().len(), 1);
    world.remote(&["config", "receive.denyDeletes", "false"]);
    ends_recovered(world);
}

#[test]
fn a_remote_that_never_deletes_is_asked_three_times() {
    let mut world = proposed();
    let branch = format!("origin/{}", world.branches()[0]);
    world.remote(&["config", "receive.denyDeletes", "true"]);
    world.person(&["merge", "--quiet", "--no-ff", "--message", "Merge the revert", &branch]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(10);
    let asked = world.facts().iter().filter(|fact| matches!(&fact.event, Event::EffectRefused { .. })).count();
    assert_eq!((asked, world.branches().len()), (3, 1));
}
