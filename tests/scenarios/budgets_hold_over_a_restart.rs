//! One merged revert an hour in the repository: the second one is proposed, also by an agent that was restarted or lost its journal.

use crate::support::{Health, World, policy};

#[test]
fn budgets_hold_over_a_restart() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
    world.break_checkout();
    world.seconds(5);
    assert_eq!(world.reverts(), 1);
    world.set_health("checkout", Health::Good);
    world.seconds(12);
    world.restart();
    world.bump("payments", "2.0.0");
    world.seconds(1);
    world.set_health("payments", Health::Bad);
    world.seconds(6);
    assert_eq!(world.reverts(), 1, "the budget of the repository is used up");
    assert_eq!(world.branches().len(), 1);
    let payments = world.incidents().into_values().find(|incident| incident.policy.as_str() == "payments").unwrap();
    let sentence = payments.decision.unwrap().sentence;
    assert!(sentence.contains("1 reverts were merged in the repository in the last 1h (limit 1)"), "{sentence}");
}
