//! What an incident spends of an error budget stands in its proposal and in its story, also when the agent was restarted meanwhile.

use revertd::engine::incident::Phase;
use revertd::render::report;

use crate::support::{Health, World, policy};

fn with_budget() -> String {
    policy("checkout", "propose", "").replace("      alerts:", "      objective: {target: 99%, timeWindow: 1h}\n      alerts:")
}

#[test]
fn a_proposal_and_the_story_say_what_was_spent() {
    let mut world = World::on_github(&["checkout"], &[with_budget()]);
    world.break_checkout();
    world.until(20, |world| !world.branches().is_empty());
    world.seconds(3);
    assert_eq!(world.phase(), Phase::Proposed);
    let body = world.pull().body;
    // 99 % of some dozen rounds allows less than one failure.
    assert!(body.contains("% of the 1h error budget of `up`; nothing is left"), "{body}");
    world.restart();
    world.set_health("checkout", Health::Good);
    world.until(30, |world| world.phase() == Phase::Withdrawn);
    let incident = world.incident();
    assert_eq!(incident.spending.len(), 1);
    let spending = &incident.spending[0];
    assert!(spending.spent.unwrap() > 1_000_000 && spending.left.unwrap() < 0, "{spending:?}");
    let story = report::story(&incident);
    assert!(story.contains("budget     This incident has spent "), "{story}");
}

#[test]
fn without_a_window_there_is_nothing_to_say() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    world.set_health("checkout", Health::Good);
    world.until(30, |world| world.phase() == Phase::Withdrawn);
    assert!(world.incident().spending.is_empty());
}
