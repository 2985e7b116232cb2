//! A bad image breaks a service whose policy allows merging: the revert lands by itself, and the service recovers.

use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

#[test]
fn bad_deploy_is_merged_away() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "merge", ""), policy("payments", "merge", "")]);
    world.seconds(8);
    let bad = world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(5);
    assert_eq!(world.subjects()[..2], ["Revert \"checkout: 1.5.0\"", "checkout: 1.5.0"]);
    assert_eq!(world.remote(&["rev-parse", "main^"]), bad, "the revert stands directly on the head that was decided on");
    assert_eq!(world.remote(&["rev-parse", "main^{tree}"]), world.remote(&["rev-parse", "main~2^{tree}"]), "it is the exact inverse");
    world.set_health("checkout", Health::Good);
    world.seconds(12);
    assert_eq!(world.phase(), Phase::Recovered);
    let durations = world.incident().durations();
    assert!(durations.detect.is_some() && durations.act.is_some() && durations.verify.is_some(), "{durations:?}");
    assert_eq!(world.reverts(), 1);
    assert!(world.branches().is_empty());
}

/// What the rounds say stands beside the suspect, with what it cannot have reached.
#[test]
fn the_suspect_is_laid_beside_a_service_that_it_does_not_touch() {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", "propose", ""), policy("payments", "propose", "")]);
    world.seconds(8);
    world.break_checkout();
    world.seconds(6);
    let attribution = world.incident().attribution.unwrap();
    let suspect = attribution.candidates.iter().find(|candidate| attribution.suspects.contains(&candidate.commit)).unwrap();
    let said = "; `up` got worse (bad in 3 of 4 rounds since and in 0 of 16 before; effect 0.75, p under 0.001); 1 of 1 that the change does not \
                reach stood still: `payments`";
    assert!(suspect.words().ends_with(said), "{}", suspect.words());
}

#[test]
fn a_recovered_service_that_breaks_again_is_a_new_incident_and_the_cooldown_holds() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.break_checkout();
    world.seconds(5);
    world.set_health("checkout", Health::Good);
    world.seconds(12);
    world.bump("checkout", "1.6.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(world.incidents().len(), 2);
    assert_eq!(world.reverts(), 1, "the second one is proposed");
    assert_eq!(world.branches().len(), 1);
    let second = world.incidents().into_values().find(|incident| incident.ending.is_none()).unwrap();
    let codes: Vec<String> = second.decision.unwrap().refusals.iter().map(|refusal| refusal.code.label()).collect();
    assert!(codes.contains(&"cooldown".to_owned()) && codes.contains(&"mergeBudget".to_owned()), "{codes:?}");
}
