//! What no change of the evidence may do to a verdict, over incidents that the benchmark of decisions generates.
//!
//! Each incident is decided at the moment at which something is first done about it, then again with one thing changed.
#![expect(clippy::unwrap_used, reason = "a generated line that cannot be read is a failure")]

#[path = "../benches/decisions/archetypes/mod.rs"]
#[expect(dead_code, reason = "only what makes incidents is needed here")]
mod archetypes;
#[path = "judge/budgets.rs"]
mod budgets;
#[path = "judge/failed_before.rs"]
mod failed_before;
#[path = "judge/failed_syncs.rs"]
mod failed_syncs;
#[path = "judge/not_measured.rs"]
mod not_measured;
#[path = "../benches/decisions/observe.rs"]
mod observe;
#[path = "../benches/decisions/random.rs"]
mod random;
#[path = "../benches/decisions/ranges.rs"]
#[expect(dead_code, reason = "only one half is needed here")]
mod ranges;
#[path = "judge/usual_trouble.rs"]
mod usual_trouble;
#[path = "judge/waiting.rs"]
mod waiting;
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
fn incidents(count: u64, check: impl FnMut(&mut Random, &Value, &Answer)) {
    let all = archetypes::all();
    incidents_of(count, |number| &all[(number as usize * 7) % all.len()], check);
}

fn incidents_of<'a>(count: u64, which: impl Fn(u64) -> &'a archetypes::Archetype, mut check: impl FnMut(&mut Random, &Value, &Answer)) {
    for number in 0..count {
        let archetype = which(number);
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
        // Of others, what ended since two minutes before the onset. Where several breach, each is another service to the rest.
        let since_onset = answer.onset.map_or(0, |onset| onset.saturating_sub(120_000));
        let since = if of_breach.len() == 1 { 0 } else { since_onset };
        let places = [rounds(case, |policy| of_breach.iter().any(|name| name == policy), since), rounds(case, |_| true, since_onset)];
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

/// The same for rounds that are missing, of the hour before the onset: a restart of the agent leaves such a gap.
#[test]
fn a_gap_before_the_onset_never_raises_the_action() {
    incidents(INCIDENTS, |random, case, answer| {
        let (of_breach, Some(onset)) = (breaching(answer), answer.onset) else { return };
        for _ in 0..4 {
            let from = onset - (random.between(0.0, 1.0) * 3_600_000.0) as i64;
            let to = from + (random.between(30.0, 1800.0) * 1000.0) as i64;
            let is_missing = |round: &Value| {
                let end = round["end"].as_i64().unwrap();
                (from..to.min(onset)).contains(&end) && of_breach.iter().any(|name| round["policy"] == **name)
            };
            let mut changed = case.clone();
            changed["rounds"].as_array_mut().unwrap().retain(|round| !is_missing(round));
            let after = decide(&changed, DecideAt::Now);
            assert!(after.action <= answer.action, "{}: without {from} to {to}: {} became {}", case["id"], answer.why, after.why);
        }
    });
}

/// As long as a merge waits for rounds that would tell, nothing is done; a round that was not measured does not end that with a proposal.
#[test]
fn an_unknown_round_never_ends_the_waiting() {
    incidents(INCIDENTS, |random, case, answer| {
        let (Some(onset), now) = (answer.onset, case["now"].as_i64().unwrap()) else { return };
        let mut early = case.clone();
        early["now"] = (onset + (random.between(0.3, 1.0) * (now - onset) as f64) as i64).into();
        let before = decide(&early, DecideAt::Now);
        let since = onset.saturating_sub(120_000);
        let places = rounds(&early, |_| true, since);
        for _ in 0..if places.is_empty() || before.onset != answer.onset { 0 } else { 4 } {
            let mut changed = early.clone();
            let place = places[random.below(places.len())];
            make_unknown(&mut changed["rounds"][place]);
            let after = decide(&changed, DecideAt::Now);
            assert!(
                after.action <= before.action,
                "{}: without {}: {} became {}",
                case["id"],
                early["rounds"][place],
                before.why,
                after.why
            );
        }
    });
}

/// Regression: a burn rate needs a whole window, so that one round of another service that was not measured took it out of an outage, and the
/// service with the newest commit was reverted.
#[test]
fn an_unknown_round_of_another_service_never_hides_an_outage() {
    let all = archetypes::all();
    let outage = all.iter().find(|archetype| archetype.name == "outageAfterDeploy").unwrap();
    incidents_of(
        12,
        |_| outage,
        |random, case, answer| {
            let since = answer.onset.map_or(0, |onset| onset.saturating_sub(120_000));
            let places = rounds(case, |policy| policy != "checkout", since);
            for _ in 0..if places.is_empty() { 0 } else { 3 } {
                let mut changed = case.clone();
                make_unknown(&mut changed["rounds"][places[random.below(places.len())]]);
                let after = decide(&changed, DecideAt::Now);
                assert!(after.action <= answer.action, "{}: {} became {}", case["id"], answer.why, after.why);
            }
        },
    );
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

/// How a service that nobody knew of before does.
#[derive(Clone, Copy, Debug)]
enum Newcomer {
    Well,
    FailsSinceTheOnset,
    NotMeasured,
}

#[test]
fn another_service_never_changes_whose_fault_it_is() {
    incidents(INCIDENTS, |_, case, answer| {
        let of_breach = breaching(answer);
        let policies = case["policies"].as_array().unwrap();
        let Some(model) = policies.iter().find(|policy| !of_breach.iter().any(|name| policy["metadata"]["name"] == **name)) else { return };
        let onset = answer.onset.unwrap_or(i64::MAX);
        for newcomer in [Newcomer::Well, Newcomer::FailsSinceTheOnset, Newcomer::NotMeasured] {
            let mut changed = case.clone();
            let mut policy = model.clone();
            policy["metadata"]["name"] = "newcomer".into();
            policy["spec"]["paths"] = json!(["apps/newcomer/**"]);
            policy["spec"]["dependsOn"] = json!([]);
            changed["policies"].as_array_mut().unwrap().push(policy);
            let first = changed["rounds"].as_array().unwrap().len();
            let of_model = |round: &&Value| round["policy"] == model["metadata"]["name"];
            let rounds: Vec<Value> = case["rounds"].as_array().unwrap().iter().filter(of_model).cloned().collect();
            for mut round in rounds {
                round["policy"] = "newcomer".into();
                changed["rounds"].as_array_mut().unwrap().push(round);
            }
            for place in first..changed["rounds"].as_array().unwrap().len() {
                make_good(&mut changed, place);
                let round = &mut changed["rounds"][place];
                match newcomer {
                    Newcomer::NotMeasured => make_unknown(round),
                    Newcomer::FailsSinceTheOnset if round["end"].as_i64().unwrap() > onset => make_bad(round),
                    Newcomer::Well | Newcomer::FailsSinceTheOnset => {}
                }
            }
            let after = decide(&changed, DecideAt::Now);
            let old = |answer: &Answer| {
                let known = answer.decisions.iter().filter(|decision| !decision.policies.iter().all(|name| name.as_str() == "newcomer"));
                known.map(|decision| (decision.action, decision.suspects.clone())).max()
            };
            let (before, now) = (old(answer), old(&after));
            assert!(now.as_ref().map(|now| now.0) <= before.as_ref().map(|before| before.0), "{} {newcomer:?}: {}", case["id"], after.why);
            if now.as_ref().is_some_and(|now| now.0 > revertd::agent::JudgedAction::None) {
                assert_eq!(now.map(|now| now.1), before.map(|before| before.1), "{} {newcomer:?}: {}", case["id"], after.why);
            }
        }
    });
}

fn make_bad(round: &mut Value) {
    if round.get("value").is_some() {
        round["value"] = 1e6.into();
    } else if round.get("total").is_some() {
        round["good"] = 0.into();
    } else {
        round["good"] = false.into();
    }
}

/// Decides some incidents of an archetype from their first round on; none of them may end in more than `most`.
fn these_at_most(archetype: &str, numbers: &[u64], most: revertd::agent::JudgedAction) {
    these_of_at_most(7, archetype, numbers, most);
}

/// The same of another seed of the benchmark: `--seed SEED --archetype NAME --from NUMBER --incidents 1` decides one of them there.
fn these_of_at_most(seed: u64, archetype: &str, numbers: &[u64], most: revertd::agent::JudgedAction) {
    let all = archetypes::all();
    let archetype = all.iter().find(|known| known.name == archetype).unwrap();
    for number in numbers {
        let mut world = World::new(Random::new(seed, *number), Draw { half: Half::Tuned, archetype: archetype.name });
        let truth = (archetype.build)(&mut world);
        let case = world.observe(archetype.name, &truth.guilty, truth.right.label());
        let answer = decide(&case, DecideAt::Each);
        assert!(answer.action <= most, "{} {number}: {}", archetype.name, answer.why);
    }
}

/// Decides incidents of an archetype from their first round on; none of them may end in more than `most`, and some must come to it.
fn at_most(archetype: &str, most: revertd::agent::JudgedAction) {
    let all = archetypes::all();
    let archetype = all.iter().find(|known| known.name == archetype).unwrap();
    let highest = (0..12).map(|number| {
        let mut world = World::new(Random::new(7, number), Draw { half: Half::Tuned, archetype: archetype.name });
        let truth = (archetype.build)(&mut world);
        let case = world.observe(archetype.name, &truth.guilty, truth.right.label());
        decide(&case, DecideAt::Each).action
    });
    assert_eq!(highest.max(), Some(most), "{}", archetype.name);
}

mod never_more_than {
    use super::{at_most, these_at_most, these_of_at_most};
    use revertd::agent::JudgedAction::{None, Propose};

    /// Counts that were worse before the change, and still good by their limit.
    #[test]
    fn a_proposal_for_a_fault_that_led_a_change_by_minutes() {
        these_at_most("ledByBreach", &[1407, 2064, 2083, 2417], Propose);
    }

    /// Probes that had a few lucky rounds before the change.
    #[test]
    fn a_proposal_for_a_fault_that_was_missed_by_luck() {
        these_at_most("ledByBreach", &[351, 659], Propose);
    }

    #[test]
    fn nothing_while_a_fix_is_applied() {
        these_at_most("fixForward", &[4], None);
    }

    #[test]
    fn a_proposal_for_a_late_effect() {
        at_most("lateEffect", Propose);
    }

    #[test]
    fn a_proposal_for_what_grows_slowly() {
        at_most("slowLeak", Propose);
    }

    #[test]
    fn a_proposal_for_a_security_change() {
        at_most("guiltySecurityFix", Propose);
    }

    #[test]
    fn a_proposal_for_a_changed_definition_of_health() {
        at_most("definitionChanged", Propose);
    }

    #[test]
    fn a_proposal_for_what_was_brought_back() {
        at_most("reapplied", Propose);
    }

    #[test]
    fn a_proposal_for_many_objects() {
        at_most("manyObjects", Propose);
    }

    #[test]
    fn a_proposal_for_a_base_of_several_services() {
        at_most("sharedBase", Propose);
    }

    #[test]
    fn a_proposal_where_the_earlier_state_never_ran() {
        at_most("neverHealthyThere", Propose);
    }

    #[test]
    fn a_proposal_of_a_dependencys_change() {
        at_most("guiltyDependency", Propose);
    }

    #[test]
    fn nothing_for_a_blip_of_a_rollout() {
        at_most("deployBlip", None);
    }

    #[test]
    fn nothing_for_a_spike_of_traffic() {
        at_most("trafficSpike", None);
    }

    #[test]
    fn a_proposal_where_another_service_fails_at_once() {
        at_most("sharedDependency", Propose);
    }

    /// A probe of another service that failed, was lucky for some rounds and failed again.
    #[test]
    fn a_proposal_where_another_service_fails_with_lucky_rounds() {
        these_of_at_most(3, "sharedDependency", &[7842], Propose);
        these_of_at_most(4, "sharedDependency", &[2298], Propose);
    }

    /// A probe of another service that failed once and was lucky since.
    #[test]
    fn a_proposal_where_one_round_of_another_service_tells() {
        these_of_at_most(21, "sharedDependency", &[2699, 3887], Propose);
    }

    /// Another service had one bad round so far, and a change of its own.
    #[test]
    fn a_proposal_where_another_changed_service_has_begun_to_fail() {
        these_of_at_most(3, "partialOutage", &[2693], Propose);
    }

    /// Eight failures in a round of which three seconds lie behind the change, after which one in six fails.
    #[test]
    fn a_proposal_where_failures_do_not_fit_behind_the_change() {
        these_of_at_most(21, "ledByBreach", &[1184], Propose);
    }

    #[test]
    fn a_proposal_where_the_service_is_not_measured_any_more() {
        at_most("vanishing", Propose);
    }
}

/// What the policy itself says about how far a breach may go, on an incident that is merged away.
mod ceilings {
    use revertd::agent::JudgedAction::{self, Merge, None, Propose};
    use serde_json::{Value, json};

    use super::{DecideAt, Draw, Half, Random, World, archetypes, decide};

    /// An incident that is merged away, at that moment.
    fn merged() -> Value {
        let all = archetypes::all();
        let archetype = all.iter().find(|known| known.name == "errors").unwrap();
        let mut cases = (0..40).map(|number| {
            let mut world = World::new(Random::new(7, number), Draw { half: Half::Tuned, archetype: archetype.name });
            let truth = (archetype.build)(&mut world);
            world.observe(archetype.name, &truth.guilty, truth.right.label())
        });
        let at_its_merge = |mut case: Value| {
            let answer = decide(&case, DecideAt::Each);
            case["now"] = answer.since.into();
            (answer.action == Merge && decide(&case, DecideAt::Now).action == Merge).then_some(case)
        };
        cases.find_map(at_its_merge).unwrap()
    }

    /// The same with every policy's SLOs changed.
    fn with(change: impl Fn(&mut Vec<Value>)) -> JudgedAction {
        let mut case = merged();
        for policy in case["policies"].as_array_mut().unwrap() {
            change(policy["spec"]["slos"].as_array_mut().unwrap());
        }
        decide(&case, DecideAt::Now).action
    }

    #[test]
    fn no_alert_goes_further_than_its_up_to() {
        let up_to = |mode: &'static str| with(move |slos| slos.iter_mut().for_each(|slo| slo["alerts"][0]["upTo"] = mode.into()));
        assert_eq!((up_to("merge"), up_to("propose"), up_to("observe")), (Merge, Propose, None));
    }

    /// The same with one more SLO, whose rounds are all good or all bad.
    fn with_one_more(role: &str, good: bool) -> JudgedAction {
        let mut case = merged();
        let names: Vec<Value> = case["policies"].as_array().unwrap().iter().map(|policy| policy["metadata"]["name"].clone()).collect();
        // Late enough for nothing to be waited for any more.
        case["now"] = (case["now"].as_i64().unwrap() + 300_000).into();
        for policy in case["policies"].as_array_mut().unwrap() {
            policy["spec"]["slos"].as_array_mut().unwrap().push(json!({
                "name": "more", "role": role, "indicator": {"http": {"url": "https://more.shop.example/", "every": "30s", "unreachable": "unknown"}},
            }));
        }
        let now = case["now"].as_i64().unwrap();
        for name in names {
            for number in 0..200 {
                let end = now - number * 30_000;
                // It began to fail with the rest; a fault that is older would be no evidence.
                let good = good || number > 18;
                case["rounds"].as_array_mut().unwrap().push(json!({
                    "policy": name, "slo": "more", "instance": "default", "start": end - 100, "end": end, "good": good,
                }));
            }
        }
        decide(&case, DecideAt::Now).action
    }

    #[test]
    fn a_healthy_slo_that_corroborates_leaves_the_merge_to_people() {
        assert_eq!(with_one_more("corroborate", true), Propose);
        assert_eq!(with_one_more("corroborate", false), Merge);
    }

    #[test]
    fn what_is_only_reported_changes_nothing() {
        assert_eq!((with_one_more("report", true), with_one_more("report", false)), (Merge, Merge));
    }
}
