//! While a merge waits for rounds, one that was not measured never turns that into a proposal (promise P2).
//!
//! What the generated incidents lack is added to them: an SLO that corroborates, another service that the same change broke, another instance
//! that fails with it. Each says of its own rounds something that stands against a merge once one of them is missing.

use std::collections::BTreeSet;

use revertd::agent::{Answer, DecideAt, JudgedAction};
use serde_json::{Value, json};

use super::archetypes;
use super::random::Random;
use super::ranges::{Draw, Half};
use super::world::World;
use super::{decide, make_unknown, rounds};

/// What is added to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    Corroborating,
    AnotherService,
    AnotherInstance,
    AnotherAlert,
}

fn rounds_of(case: &Value, policy: &str) -> Vec<Value> {
    case["rounds"].as_array().unwrap().iter().filter(|round| round["policy"] == policy).cloned().collect()
}

fn push_all(case: &mut Value, rounds: impl IntoIterator<Item = Value>) {
    case["rounds"].as_array_mut().unwrap().extend(rounds);
}

fn policy<'a>(case: &'a mut Value, name: &str) -> &'a mut Value {
    case["policies"].as_array_mut().unwrap().iter_mut().find(|policy| policy["metadata"]["name"] == name).unwrap()
}

/// The landings that touch `checkout` are said to touch what is beside it too.
fn landings_of_checkout(case: &mut Value, change: impl Fn(&mut Value)) {
    for landing in case["landings"].as_array_mut().unwrap() {
        if landing["applied"].get("checkout/default").is_some() {
            change(landing);
        }
    }
}

fn add(beside: Beside, case: &mut Value, onset: i64, random: &mut Random) {
    match beside {
        Beside::Nothing => {}
        Beside::Corroborating => corroborating(case, onset, random),
        Beside::AnotherService => another_service(case),
        Beside::AnotherInstance => another_instance(case, onset),
        Beside::AnotherAlert => another_alert(case),
    }
}

/// A probe that fails most of the time since the onset, and has to be well for two rounds only to be well again.
fn corroborating(case: &mut Value, onset: i64, random: &mut Random) {
    let now = case["now"].as_i64().unwrap();
    let slos = policy(case, "checkout")["spec"]["slos"].as_array_mut().unwrap();
    slos.push(json!({
        "name": "more", "role": "corroborate",
        "indicator": {"http": {"url": "https://more.shop.example/", "every": "30s", "unreachable": "unknown"}},
        "alerts": [{"failing": {"count": 2, "of": 5}, "recover": {"good": 2}}, {"failing": {"count": 2, "of": 3}, "upTo": "propose"}],
    }));
    let fails = random.between(0.4, 1.0);
    let rounds = (0..200).map(|number| {
        let end = now - number * 30_000;
        let good = end <= onset || !random.chance(fails);
        json!({"policy": "checkout", "slo": "more", "start": end - 100, "end": end, "good": good})
    });
    let rounds: Vec<Value> = rounds.collect();
    push_all(case, rounds);
}

/// A service that is measured and does as `checkout` does, and that the same commits touch.
fn another_service(case: &mut Value) {
    let mut twin = policy(case, "checkout").clone();
    twin["metadata"]["name"] = "twin".into();
    twin["spec"]["paths"] = json!(["apps/twin/**"]);
    for document in [policy(case, "checkout"), &mut twin] {
        document["spec"]["guardrails"] = json!({"maxServices": 5});
    }
    case["policies"].as_array_mut().unwrap().push(twin);
    landings_of_checkout(case, |landing| {
        landing["applied"]["twin/default"] = landing["applied"]["checkout/default"].clone();
        for change in landing["changes"].as_array_mut().unwrap() {
            let paths = change["paths"].as_array_mut().unwrap();
            if paths.iter().any(|path| path.as_str().unwrap().starts_with("apps/checkout/")) {
                paths.push("apps/twin/deployment.yaml".into());
            }
        }
    });
    let rounds = rounds_of(case, "checkout").into_iter().map(|mut round| {
        round["policy"] = "twin".into();
        round
    });
    let rounds: Vec<Value> = rounds.collect();
    push_all(case, rounds);
}

/// A second instance that fails in two rounds of a probe or latency: that is too often to run well with the change, and too seldom to breach.
fn another_instance(case: &mut Value, onset: i64) {
    policy(case, "checkout")["spec"]["instances"] = json!([{"name": "default", "cluster": "eu"}, {"name": "second", "cluster": "us"}]);
    landings_of_checkout(case, |landing| landing["applied"]["checkout/second"] = landing["applied"]["checkout/default"].clone());
    let mut rounds = rounds_of(case, "checkout");
    for slo in ["probe", "errors", "latency"] {
        let mut of_slo: Vec<&mut Value> = rounds.iter_mut().filter(|round| round["slo"] == slo).collect();
        let Some(well) = of_slo.first().map(|round| (**round).clone()) else { continue };
        let since = of_slo.iter().position(|round| round["end"].as_i64().unwrap() > onset + 60_000).unwrap();
        for (place, round) in of_slo.iter_mut().enumerate() {
            round["instance"] = "second".into();
            if slo == "errors" || !(since..since + 2).contains(&place) {
                for key in ["good", "total", "value"].into_iter().filter(|key| well.get(key).is_some()) {
                    round[key] = well[key].clone();
                }
            }
        }
    }
    push_all(case, rounds);
}

/// Every SLO fires sooner by an alert that goes no further than a proposal.
fn another_alert(case: &mut Value) {
    for slo in policy(case, "checkout")["spec"]["slos"].as_array_mut().unwrap() {
        let sooner = match slo["name"].as_str().unwrap() {
            "errors" => {
                json!({"burnRate": {"factor": 6, "long": "1h", "short": "5m", "sinceChange": true}, "minEvents": 100, "upTo": "propose"})
            }
            _ => json!({"failing": {"count": 2, "of": 5}, "upTo": "propose"}),
        };
        slo["alerts"].as_array_mut().unwrap().push(sooner);
    }
}

/// Kinds of incidents whose merge waits for rounds more often than not.
const KINDS: [&str; 8] =
    ["errors", "cascade", "totalFailure", "partialRollout", "latency", "configOnly", "guiltyThenInnocent", "innocentThenGuilty"];

/// An incident of a kind with something beside it, and the moments just before the first thing is done about it.
fn incident(number: u64, beside: Beside) -> Option<(Random, Value, Vec<i64>)> {
    let kind = KINDS[number as usize % KINDS.len()];
    let archetype = archetypes::all().into_iter().find(|known| known.name == kind).unwrap();
    let mut random = Random::new(5, number);
    let mut world = World::new(random.clone(), Draw { half: Half::Tuned, archetype: archetype.name });
    let truth = (archetype.build)(&mut world);
    let onset = world.moment(world.onset);
    let mut case = world.observe(archetype.name, &truth.guilty, truth.right.label());
    add(beside, &mut case, onset, &mut random);
    let acted = decide(&case, DecideAt::Each);
    let acted_at = acted.since.filter(|_| acted.action > JudgedAction::None)?;
    let ends = case["rounds"].as_array().unwrap().iter().map(|round| round["end"].as_i64().unwrap());
    let ends: BTreeSet<i64> = ends.filter(|end| *end < acted_at).collect();
    Some((random, case, ends.into_iter().rev().take(4).collect()))
}

fn waits(answer: &Answer) -> bool {
    answer.action == JudgedAction::None && answer.why.starts_with("It is waited for more rounds")
}

/// Whether a round is of what was added, or of the breaching service where nothing with rounds of its own was.
fn is_of(beside: Beside, round: &Value) -> bool {
    match beside {
        Beside::Corroborating => round["slo"] == "more",
        Beside::AnotherService => round["policy"] == "twin",
        Beside::AnotherInstance => round["instance"] == "second",
        Beside::Nothing | Beside::AnotherAlert => round["policy"] == "checkout",
    }
}

/// How many moments of waiting were found, each tried with some rounds taken away: those since the breach began, and of others since two
/// minutes before.
fn tried(incidents: u64, beside: Beside) -> usize {
    let mut found = 0;
    for (mut random, mut case, moments) in (0..incidents).filter_map(|number| incident(number, beside)) {
        for now in moments {
            case["now"] = now.into();
            let before = decide(&case, DecideAt::Now);
            if !waits(&before) {
                continue;
            }
            found += 1;
            let since = before.onset.unwrap() - 120_000;
            let every = rounds(&case, |_| true, since);
            let near: Vec<usize> = every.iter().copied().filter(|place| is_of(beside, &case["rounds"][*place])).collect();
            let places = [near, every];
            for places in [&places[0], &places[0], &places[0], &places[0], &places[1]].into_iter().filter(|places| !places.is_empty()) {
                let mut changed = case.clone();
                let place = places[random.below(places.len())];
                make_unknown(&mut changed["rounds"][place]);
                let after = decide(&changed, DecideAt::Now);
                let round = &case["rounds"][place];
                assert!(
                    after.action == JudgedAction::None,
                    "{} {beside:?}: without {round}: {} became {}",
                    case["id"],
                    before.why,
                    after.why
                );
            }
        }
    }
    found
}

#[test]
fn a_missing_round_ends_no_wait() {
    assert!(tried(8, Beside::Nothing) > 8);
}

#[test]
fn a_missing_round_of_what_corroborates_ends_no_wait() {
    assert!(tried(8, Beside::Corroborating) > 8);
}

#[test]
fn a_missing_round_of_another_service_on_the_same_change_ends_no_wait() {
    assert!(tried(8, Beside::AnotherService) > 8);
}

#[test]
fn a_missing_round_of_another_instance_ends_no_wait() {
    assert!(tried(8, Beside::AnotherInstance) >= 4);
}

#[test]
fn a_missing_round_that_leaves_another_alert_ends_no_wait() {
    assert!(tried(8, Beside::AnotherAlert) >= 4);
}
