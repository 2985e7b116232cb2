//! GitHub is down, limits requests, or does not accept the token any more; nothing is lost when it is back (failures F7 and F13).

use std::time::Duration;

use revertd::demo::forge::{Budget, FaultKind};

use crate::support::{TOKEN, World, policy};

#[test]
fn from_the_breach_on() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.fault("*", "/**", 10_000, FaultKind::Before(503));
    world.break_checkout();
    world.seconds(30);
    assert!(!world.problems().is_empty(), "it is said that the forge does not answer");
    assert_eq!((world.github().pulls().unwrap().len(), world.branches().len()), (0, 1), "the commit is ready");
    world.github().disarm();
    world.until(30, |world| world.github().pulls().unwrap().len() == 1 && world.proposal().sticky.is_some());
    world.approve_on_github();
    world.until(15, |world| world.landings() == 1);
    world.seconds(2);
    assert!(world.problems().is_empty(), "{:?}", world.problems());
}

/// An approval whose giver cannot be looked up lands nothing; once GitHub answers, it does.
#[test]
fn between_the_approval_and_the_merge() {
    let mut world = World::with_pull_request();
    world.fault("*", "/collaborators/**", 10_000, FaultKind::Before(503));
    world.approve_on_github();
    world.seconds(15);
    assert_eq!(world.landings(), 0);
    world.github().disarm();
    world.comment("dana", &world.approve_command());
    world.until(15, |world| world.landings() == 1);
}

/// A token that was taken away: no storm of requests, and the pull request comes when there is a token again (F13).
#[test]
fn the_token_is_taken_away() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.github().set_token(TOKEN, None);
    world.break_checkout();
    world.github().clear_requests();
    world.seconds(60);
    let asked = world.github().requests().len();
    assert!(asked <= 20, "{asked} requests in a minute with a token that is not accepted");
    assert!(world.problems().iter().any(|problem| problem.contains("credentials")), "{:?}", world.problems());
    world.github().set_token(TOKEN, Some("revertd"));
    world.until(60, |world| world.github().pulls().unwrap().len() == 1);
}

/// Less than a fifth of the hour's requests is left: looking for news stops, a merge does not (F7).
#[test]
fn polls_are_shed_first() {
    let mut world = World::with_pull_request();
    let reset = world.now() + Duration::from_secs(600);
    world.seconds(2);
    world.github().set_budget("revertd", Budget { limit: 5000, remaining: 900, reset });
    world.seconds(2);
    world.github().clear_requests();
    world.seconds(60);
    let asked = world.github().requests().len();
    assert!(asked <= 12, "{asked} requests in a minute from a budget that is kept for acting");
    world.approve_on_github();
    world.until(700, |world| world.landings() == 1);
}

/// The secondary limit names a time to wait, and revertd waits that long.
#[test]
fn the_secondary_limit_is_waited_for() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.fault("POST", "/pulls", 1, FaultKind::SecondaryLimit(90));
    world.break_checkout();
    world.seconds(20);
    world.github().clear_requests();
    world.seconds(50);
    assert_eq!(world.asked("POST", "/pulls"), 0, "not before the time that GitHub has named");
    world.until(120, |world| world.github().pulls().unwrap().len() == 1);
}
