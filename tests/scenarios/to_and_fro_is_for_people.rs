//! A state that was left comes back under a message that says nothing of it: taking it away again is for people (G6).

use crate::support::{Health, World, policy};

/// The limits of the world do not stand in the way of a second merge.
const OFTEN: &str = "  guardrails: {cooldown: 0s, limits: {merge: {count: 5, per: 24h}}}\n";
const REPOSITORY: &str = "      limits: {merge: {count: 5, per: 24h}}\n";

#[test]
fn what_revertd_took_away_comes_back_and_is_not_merged_away_again() {
    let mut world = World::with_agent(&["checkout"], &[policy("checkout", "merge", OFTEN)], REPOSITORY);
    world.break_checkout();
    world.until(8, |world| world.reverts() == 1);
    world.set_health("checkout", Health::Good);
    world.seconds(30);
    // The very same files under another message.
    let again = world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(
        (world.reverts(), world.branches().len()),
        (1, 1),
        "{:?}",
        world.incidents().into_values().map(|incident| incident.decision).collect::<Vec<_>>()
    );
    let decision = world.incidents().into_values().find(|incident| incident.ending.is_none()).unwrap().decision.unwrap();
    let codes: Vec<String> = decision.refusals.iter().map(|refusal| refusal.code.label()).collect();
    assert!(codes.contains(&"oscillation".to_owned()), "{codes:?}");
    let sentence = &decision.refusals.iter().find(|refusal| refusal.code.label() == "oscillation").unwrap().sentence;
    assert!(sentence.starts_with(&again[..10]) && sentence.contains("brings back the very files that"), "{sentence}");
}

#[test]
fn another_version_is_merged_away_as_before() {
    let mut world = World::with_agent(&["checkout"], &[policy("checkout", "merge", OFTEN)], REPOSITORY);
    world.break_checkout();
    world.until(8, |world| world.reverts() == 1);
    world.set_health("checkout", Health::Good);
    world.seconds(30);
    world.bump("checkout", "1.5.1");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(world.reverts(), 2, "{:?}", world.incidents().into_values().map(|incident| incident.decision).collect::<Vec<_>>());
}
