//! A policy names SLOs that must be healthy too before a revert counts as recovered.

use revertd::engine::afterwards::{BreachEnding, breach_end};
use revertd::engine::incident::Phase;
use revertd::engine::verification::RecoveryStanding;

use crate::support::{Health, World, policy};

/// Checkout broke and its revert was merged; the probe is good again, and its backlog is not. Nothing opens an incident for the backlog.
fn reverted_with_a_backlog(backlog: Health) -> World {
    let backlogged = policy("checkout", "merge", "")
        .replace(
            "      alerts: [{failing: {count: 3, of: 5}}]\n",
            "      alerts: [{failing: {count: 3, of: 5}}]\n    - {name: backlog, role: report, indicator: {http: {url: \"http://127.0.0.1:1/backlog\", every: 1s, timeout: 500ms, \
             unreachable: unknown}}}\n",
        )
        .replace("holdFor: 4s}", "holdFor: 4s, checks: [backlog]}");
    let mut world = World::new(&["checkout"], &[backlogged]);
    world.set_health("checkout/default/backlog", Health::Good);
    world.break_checkout();
    world.set_health("checkout/default/backlog", backlog);
    world.until(10, |world| world.reverts() == 1);
    world.set_health("checkout", Health::Good);
    world.seconds(20);
    world
}

fn standing(world: &World) -> (RecoveryStanding, String) {
    let recovery = world.incident().recovery.unwrap();
    (recovery.standing, recovery.sentence)
}

#[test]
fn it_is_recovered_once_the_check_has_passed() {
    let mut world = reverted_with_a_backlog(Health::Bad);
    let (standing, sentence) = standing(&world);
    assert_eq!(standing, RecoveryStanding::Improving, "{sentence}");
    assert!(sentence.contains("the check `backlog` has not passed"), "{sentence}");
    assert_eq!(world.phase(), Phase::Verifying);
    world.set_health("checkout/default/backlog", Health::Good);
    world.until(6, |world| world.phase() == Phase::Recovered);
}

#[test]
fn a_check_that_does_not_pass_leaves_it_unverified_and_brings_nothing_back() {
    let mut world = reverted_with_a_backlog(Health::Bad);
    world.until(130, |world| world.phase() == Phase::Unverified);
    let sentence = world.incident().recovery.unwrap().sentence;
    assert!(sentence.contains("the check `backlog` has not passed: 0 good rounds in a row (needs 5)"), "{sentence}");
    world.seconds(10);
    assert_eq!(world.proposals().iter().filter(|proposal| proposal.brings_back()).count(), 0, "the revert was no false one");
    assert_ne!(breach_end(&world.state(), &world.incident()).map(|end| end.ending), Some(BreachEnding::ByItself));
}

#[test]
fn a_check_that_is_not_known_has_not_passed() {
    let mut world = reverted_with_a_backlog(Health::Unknown);
    assert_eq!(world.phase(), Phase::Verifying, "{:?}", standing(&world));
    world.until(130, |world| world.phase() == Phase::Unverified);
}
