//! While a change rolls out, the version from before runs beside the new one, and the metric tells them apart.

use crate::support::{Health, World, policy};

/// Checkout at 1.0.0, whose SLO is of a metric that has the version.
fn world() -> World {
    let metric = "requests{app=\"checkout\",version=~\"$version\"}";
    let told_apart = policy("checkout", "merge", "").replace(
        "indicator: {http: {url: \"http://127.0.0.1:1/checkout\", every: 1s, timeout: 500ms, unreachable: unknown}}",
        &format!(
            "indicator: {{prometheus: {{server: main, every: 1s, query: 'max({metric})', freshness: '{metric}', versionLabel: version}}}}\n      \
             objective: {{max: 1}}"
        ),
    );
    let mut world =
        World::with_agent(&["checkout"], &[told_apart], "  metrics: [{name: main, prometheus: {url: \"http://127.0.0.1:1\"}}]\n");
    world.set_version("checkout", "1.0.0", Some(Health::Good));
    world.seconds(10);
    world
}

/// The change to 1.5.0 rolls out, and what is asked of the service fails since.
fn breaks(world: &mut World) {
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_version("checkout", "1.5.0", Some(Health::Bad));
    world.set_health("checkout", Health::Bad);
}

fn evidence(world: &World) -> String {
    let attribution = world.incident().attribution.unwrap();
    attribution.candidates[0].evidence.clone().unwrap().sentence
}

/// It is proposed, and what stands against a merge is this alone.
fn assert_proposed(world: &World, refusal: &str) {
    assert_eq!((world.reverts(), world.branches().len()), (0, 1));
    assert_eq!(world.refusals(), [refusal]);
}

#[test]
fn the_earlier_version_is_well_and_the_change_is_merged_away() {
    let mut world = world();
    breaks(&mut world);
    world.until(12, |world| world.reverts() == 1);
    assert!(evidence(&world).contains("stood still: version `1.0.0`"), "{}", evidence(&world));
}

#[test]
fn the_earlier_version_fails_as_well_and_a_person_merges() {
    let mut world = world();
    breaks(&mut world);
    world.set_version("checkout", "1.0.0", Some(Health::Bad));
    world.seconds(12);
    assert_proposed(&world, "earlierVersionFails");
    assert!(evidence(&world).contains("got worse as well: version `1.0.0`"), "{}", evidence(&world));
    world.approve();
    world.until(5, |world| world.reverts() == 1);
}

/// Promise P2: it may fail as well.
#[test]
fn the_earlier_version_is_not_measured_and_a_person_merges() {
    let mut world = world();
    breaks(&mut world);
    world.set_version("checkout", "1.0.0", Some(Health::Unknown));
    world.seconds(12);
    assert_proposed(&world, "earlierVersionFails");
}

/// Promise P2: the metrics server says how the service is, and not how its versions are.
#[test]
fn what_is_not_told_is_no_reason_to_merge() {
    let mut world = world();
    world.silence_versions("checkout", "the metrics server did not tell them within 5 s");
    breaks(&mut world);
    world.seconds(12);
    assert_proposed(&world, "versionsUnknown");
    let sentence = &world.incident().decision.unwrap().refusals[0].sentence;
    assert_eq!(
        sentence,
        "`up` tells versions by the label `version`, and what they did is not known: the metrics server did not tell them within 5 s."
    );
}

/// A change of its configuration, or one that has rolled out at once.
#[test]
fn without_an_earlier_version_beside_it_the_rest_decides() {
    for (gone, come) in [("1.0.0", Some("1.5.0")), ("1.5.0", None)] {
        let mut world = world();
        breaks(&mut world);
        world.set_version("checkout", gone, None);
        if come.is_none() {
            world.set_version("checkout", "1.0.0", Some(Health::Bad));
        }
        world.until(12, |world| world.reverts() == 1);
        assert!(evidence(&world).contains("0 of 1 that the change does not reach") || !evidence(&world).contains("version"));
    }
}

/// What was told is held in memory: after a restart it is asked again with the next bad round, and then decided.
#[test]
fn a_restart_asks_again() {
    let mut world = world();
    breaks(&mut world);
    world.seconds(2);
    world.restart();
    world.until(12, |world| world.reverts() == 1);
}
