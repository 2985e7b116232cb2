//! What no change of the evidence may do to a verdict, over incidents that the benchmark of decisions generates.
//!
//! Each incident is decided at the moment at which something is first done about it, then again with one thing changed.
#![expect(clippy::unwrap_used, reason = "a generated line that cannot be read is a failure")]

#[path = "../benches/decisions/archetypes/mod.rs"]
#[expect(dead_code, reason = "only what makes incidents is needed here")]
mod archetypes;
#[path = "../benches/decisions/observe.rs"]
mod observe;
#[path = "../benches/decisions/random.rs"]
mod random;
#[path = "../benches/decisions/ranges.rs"]
#[expect(dead_code, reason = "only one half is needed here")]
mod ranges;
#[path = "../benches/decisions/world.rs"]
mod world;

use random::Random;
use ranges::{Draw, Half};
use revertd::agent::{Answer, DecideAt, judge};
use revertd::config::judge_file::CaseReader;
use serde_json::{Value, json};
use world::World;

/// As many for each property.
const INCIDENTS: u64 = 32;

fn decide(case: &Value, at: DecideAt) -> Answer {
    judge(&CaseReader::default().read(&case.to_string()).unwrap(), at)
}

/// Incidents, each decided at the moment at which the engine first does something about it, or a while after the onset.
fn incidents(count: u64, mut check: impl FnMut(&mut Random, &Value, &Answer)) {
    let all = archetypes::all();
    for number in 0..count {
        let archetype = &all[(number as usize * 7) % all.len()];
        let mut random = Random::new(99, number);
        let mut world = World::new(random.clone(), Draw { half: Half::Tuned, archetype: archetype.name });
        let truth = (archetype.build)(&mut world);
        let later = world.moment(world.onset + random.between(60.0, 600.0));
        let mut case = world.observe(archetype.name, &truth.guilty, truth.right.label());
        let acted = decide(&case, DecideAt::Each);
        case["now"] = if acted.action > revertd::agent::JudgedAction::None { acted.since.into() } else { later.into() };
        let answer = decide(&case, DecideAt::Now);
        check(&mut random, &case, &answer);
    }
}

fn breaching(answer: &Answer) -> Vec<String> {
    answer.decisions.iter().flat_map(|decision| decision.policies.iter().map(ToString::to_string)).collect()
}

/// The places of the rounds of some policies that had ended by `now`.
fn rounds(case: &Value, wanted: impl Fn(&str) -> bool, after: i64) -> Vec<usize> {
    let now = case["now"].as_i64().unwrap();
    let list = case["rounds"].as_array().unwrap();
    let ended = |round: &Value| (after..=now).contains(&round["end"].as_i64().unwrap());
    (0..list.len()).filter(|place| ended(&list[*place]) && wanted(list[*place]["policy"].as_str().unwrap())).collect()
}

fn make_unknown(round: &mut Value) {
    let keys = round.as_object_mut().unwrap();
    keys.remove("total");
    if keys.contains_key("value") {
        keys.insert("value".to_owned(), Value::Null);
    } else {
        keys.insert("good".to_owned(), Value::Null);
    }
}

fn make_good(case: &mut Value, place: usize) {
    let (policy, slo) = (case["rounds"][place]["policy"].clone(), case["rounds"][place]["slo"].clone());
    let max = case["policies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|document| document["metadata"]["name"] == policy)
        .flat_map(|document| document["spec"]["slos"].as_array().unwrap())
        .find(|document| document["name"] == slo)
        .and_then(|document| document["objective"]["max"].as_f64());
    let round = &mut case["rounds"][place];
    if round.get("value").is_some() {
        round["value"] = (max.unwrap() / 2.0).into();
    } else if round.get("total").is_some() {
        round["good"] = round["total"].clone();
    } else {
        round["good"] = true.into();
    }
    round.as_object_mut().unwrap().remove("why");
}

#[test]
fn an_unknown_round_never_raises_the_action() {
    incidents(INCIDENTS, |random, case, answer| {
        let of_breach = breaching(answer);
        // Of others, what ended lately: that is after two minutes before any onset. Where several breach, each is another service to the rest.
        let lately = case["now"].as_i64().unwrap() - 60_000;
        let since = if of_breach.len() == 1 { 0 } else { lately };
        let places = [rounds(case, |policy| of_breach.iter().any(|name| name == policy), since), rounds(case, |_| true, lately)];
        for places in places.iter().filter(|places| !places.is_empty()) {
            for _ in 0..3 {
                let mut changed = case.clone();
                let newest = places.len().saturating_sub(20);
                let place = if random.chance(0.7) { newest + random.below(places.len() - newest) } else { random.below(places.len()) };
                make_unknown(&mut changed["rounds"][places[place]]);
                let after = decide(&changed, DecideAt::Now);
                let round = &case["rounds"][places[place]];
                assert!(after.action <= answer.action, "{}: without {round}: {} became {}", case["id"], answer.why, after.why);
            }
        }
    });
}

#[test]
fn a_silent_control_never_raises_the_action() {
    incidents(INCIDENTS, |random, case, answer| {
        let controls = case["controls"].as_array().unwrap().len();
        for _ in 0..if controls == 0 { 0 } else { 3 } {
            let mut changed = case.clone();
            changed["controls"][random.below(controls)]["good"] = Value::Null;
            let after = decide(&changed, DecideAt::Now);
            assert!(after.action <= answer.action, "{}: {} became {}", case["id"], answer.why, after.why);
        }
    });
}

#[test]
fn a_good_newest_round_never_raises_the_action() {
    incidents(INCIDENTS, |_, case, answer| {
        for policy in breaching(answer) {
            let places = rounds(case, |name| name == policy, 0);
            let newest = places.iter().copied().max_by_key(|place| case["rounds"][*place]["end"].as_i64()).unwrap();
            let mut changed = case.clone();
            make_good(&mut changed, newest);
            let after = decide(&changed, DecideAt::Now);
            assert!(after.action <= answer.action, "{}: {} became {}", case["id"], answer.why, after.why);
        }
    });
}

#[test]
fn the_order_of_the_lines_says_nothing() {
    incidents(INCIDENTS, |random, case, answer| {
        let mut changed = case.clone();
        for key in ["rounds", "controls", "landings", "history"] {
            let list = changed[key].as_array_mut().unwrap();
            for place in (1..list.len()).rev() {
                list.swap(place, random.below(place + 1));
            }
        }
        assert_eq!(decide(&changed, DecideAt::Now), *answer, "{}", case["id"]);
    });
}

#[test]
fn what_came_later_says_nothing() {
    incidents(INCIDENTS, |_, case, answer| {
        let now = case["now"].as_i64().unwrap();
        let mut changed = case.clone();
        for key in ["rounds", "controls"] {
            changed[key].as_array_mut().unwrap().retain(|round| round["end"].as_i64().unwrap() <= now);
        }
        changed["landings"].as_array_mut().unwrap().retain(|landing| landing["latest"].as_i64().unwrap() <= now);
        changed["expected"] = json!({"action": "none"});
        assert_eq!(decide(&changed, DecideAt::Now), *answer, "{}", case["id"]);
    });
}

#[test]
fn a_commit_of_another_service_never_changes_whose_fault_it_is() {
    incidents(INCIDENTS, |random, case, answer| {
        let of_breach = breaching(answer);
        let names: Vec<String> =
            case["policies"].as_array().unwrap().iter().map(|policy| policy["metadata"]["name"].as_str().unwrap().to_owned()).collect();
        let others: Vec<&String> = names.iter().filter(|name| !of_breach.contains(name)).collect();
        if others.is_empty() || answer.action == revertd::agent::JudgedAction::None {
            return;
        }
        let other = others[random.below(others.len())];
        let at = case["now"].as_i64().unwrap() - random.between(1.0, 900.0) as i64 * 1000;
        let mut changed = case.clone();
        changed["landings"].as_array_mut().unwrap().push(json!({
            "branch": "main", "earliest": at - 5000, "latest": at,
            "applied": {format!("{other}/default"): {"earliest": at, "latest": at}},
            "changes": [{"commit": random.object_id(), "author": "Robin", "subject": "Change", "paths": [format!("apps/{other}/deployment.yaml")]}],
        }));
        let after = decide(&changed, DecideAt::Now);
        assert!(after.action <= answer.action, "{}: {} became {}", case["id"], answer.why, after.why);
        if after.action > revertd::agent::JudgedAction::None {
            assert_eq!((after.action, &after.suspects), (answer.action, &answer.suspects), "{}: {}", case["id"], after.why);
        }
    });
}
