//! What was not measured, or is missing, where it could hide that a commit is innocent (promise P2).
//!
//! Each case is decided with the round in question known, and again without it: the second answer is never more than the first.

use revertd::agent::{Answer, DecideAt, JudgedAction};
use serde_json::{Value, json};

use crate::decide;

/// All times are in seconds from here.
pub const BEGIN: i64 = 1_760_000_000;
const DAY: i64 = 24 * 3600;

pub fn moment(second: i64) -> i64 {
    (BEGIN + second) * 1000
}

pub fn probe(name: &str) -> Value {
    json!({
        "name": name, "alerts": [{"failing": {"count": 3, "of": 5}}],
        "indicator": {"http": {"url": "https://service.example/", "every": "10s", "timeout": "2s", "unreachable": "unknown"}},
    })
}

pub fn events(every: &str) -> Value {
    json!({
        "name": "errors", "objective": {"target": "90%"}, "alerts": [{"failing": {"count": 3, "of": 5}}],
        "indicator": {"prometheus": {"server": "main", "every": every, "freshness": "total",
            "good": "sum(increase(good[$window]))", "total": "sum(increase(total[$window]))"}},
    })
}

pub fn policy(name: &str, slos: &[Value], revert: &Value) -> Value {
    json!({
        "apiVersion": "revertd.dev/v1alpha1", "kind": "RevertPolicy", "metadata": {"name": name},
        "spec": {"repository": "manifests", "paths": [format!("apps/{name}/**")], "slos": slos, "revert": revert, "sync": {"lag": "0s"}},
    })
}

/// Rounds from one second to another, each `every` long; what was found is `null` where nothing was.
pub fn rounds(policy: &str, slo: &str, times: (i64, i64), every: i64, found: impl Fn(i64) -> Value) -> Vec<Value> {
    let seconds = (times.0..times.1).step_by(usize::try_from(every).unwrap());
    seconds
        .map(|second| {
            let mut round = json!({"policy": policy, "slo": slo, "start": moment(second), "end": moment(second + every)});
            match found(second) {
                Value::Array(counts) => (round["good"], round["total"]) = (counts[0].clone(), counts[1].clone()),
                other => round["good"] = other,
            }
            round
        })
        .collect()
}

/// A change of `apps/{touched}` that was applied between two moments in the named services.
pub fn landing(commit: &str, touched: &str, applied: (i64, i64), services: &[&str]) -> Value {
    let times = json!({"earliest": moment(applied.0), "latest": moment(applied.1)});
    let applied_in: serde_json::Map<String, Value> = services.iter().map(|name| (format!("{name}/default"), times.clone())).collect();
    json!({
        "branch": "main", "earliest": moment(applied.0 - 2), "latest": moment(applied.0), "applied": applied_in,
        "changes": [{"commit": commit.repeat(40), "author": "Robin", "subject": "Change", "paths": [format!("apps/{touched}/deployment.yaml")]}],
    })
}

pub fn answer(now: i64, policies: &[Value], landings: &[Value], rounds: &[Vec<Value>]) -> Answer {
    let case = json!({
        "id": "not-measured", "now": moment(now), "policies": policies, "landings": landings, "rounds": rounds.concat(),
    });
    decide(&case, DecideAt::Now)
}

pub fn refused(answer: &Answer) -> (JudgedAction, &str) {
    (answer.action, answer.refusal.as_deref().unwrap_or_default())
}

pub fn merging() -> Value {
    json!({"mode": "merge"})
}

/// Of a probe that fails since a change, with rounds before it only where `is_kept` says so.
fn after_a_gap(from: i64, is_kept: impl Fn(i64) -> bool) -> Answer {
    let mut all = rounds("checkout", "up", (from, 150), 10, |second| (second < 0).into());
    all.retain(|round| is_kept(round["start"].as_i64().unwrap() / 1000 - BEGIN));
    let policies = [policy("checkout", &[probe("up")], &merging())];
    answer(150, &policies, &[landing("a", "checkout", (0, 2), &["checkout"])], &[all])
}

/// Regression: an hour before the change in which nothing was measured was skipped, and rounds of before it were the baseline.
#[test]
fn rounds_of_before_a_gap_are_no_baseline() {
    let whole = after_a_gap(-7200, |_| true);
    assert_eq!(whole.action, JudgedAction::Merge, "{}", whole.why);
    for since in [-20, -30, -40] {
        let hour = after_a_gap(-7200, |second| !(-3600..since).contains(&second));
        assert_eq!(refused(&hour), (JudgedAction::None, "noBaseline"), "{}", hour.why);
    }
    let right_before = after_a_gap(-7200, |second| !(-20..0).contains(&second));
    assert_eq!(refused(&right_before), (JudgedAction::None, "noBaseline"), "{}", right_before.why);
    let one = after_a_gap(-7200, |second| second != -30);
    assert_eq!(refused(&one), (JudgedAction::None, "noBaseline"), "{}", one.why);
}

/// Regression: rounds of the same hour of the day before filled up a baseline.
#[test]
fn rounds_of_the_day_before_are_no_baseline() {
    let day_before = after_a_gap(-DAY - 4000, |second| !(-DAY + 700..-30).contains(&second));
    assert_eq!(refused(&day_before), (JudgedAction::None, "noBaseline"), "{}", day_before.why);
}

/// A service that is asked for more than twice as much when it fails; its round at `unknown` was not measured.
fn loaded(unknown: Option<i64>) -> Answer {
    let found = |second: i64| match second {
        _ if unknown == Some(second) => Value::Null,
        ..0 => json!([1000, 1000]),
        0.. => json!([500, 2500]),
    };
    let policies = [policy("checkout", &[events("5m")], &json!({"mode": "merge", "attributeWithin": "30m"}))];
    let all = rounds("checkout", "errors", (-14 * 300, 1500), 300, found);
    answer(1500, &policies, &[landing("a", "checkout", (0, 2), &["checkout"])], &[all])
}

/// Regression: ten known rounds say what load is usual, and one of them that was not measured ended the comparison.
#[test]
fn an_unknown_round_does_not_make_the_usual_load_unknown() {
    let known = loaded(None);
    assert_eq!(refused(&known), (JudgedAction::None, "loadChanged"), "{}", known.why);
    for unknown in [-14 * 300, -9 * 300] {
        let without = loaded(Some(unknown));
        assert_eq!(refused(&without), (JudgedAction::None, "loadChanged"), "{}", without.why);
    }
}

/// A probe and counted events, all of which fail since the change; in the first round since, `first` was counted.
fn counted(first: Value) -> Answer {
    let up = rounds("checkout", "up", (-7200, 420), 10, |second| (second < 0).into());
    let found = |second: i64| match second {
        0 => first.clone(),
        ..0 => json!([600, 600]),
        _ => json!([0, 600]),
    };
    let mut errors = rounds("checkout", "errors", (-7200, 420), 60, found);
    errors.retain(|round| round["good"] != "missing");
    let policies = [policy("checkout", &[probe("up"), events("1m")], &json!({"mode": "merge", "settle": "10s"}))];
    answer(420, &policies, &[landing("a", "checkout", (-5, -1), &["checkout"])], &[up, errors])
}

/// Regression: a round that was not measured had no load.
#[test]
fn a_load_that_was_not_measured_when_the_breach_began_is_not_merged_away() {
    let usual = counted(json!([0, 600]));
    assert_eq!(usual.action, JudgedAction::Merge, "{}", usual.why);
    let more = counted(json!([0, 2000]));
    assert_eq!(refused(&more), (JudgedAction::None, "loadChanged"), "{}", more.why);
    for gone in [Value::Null, "missing".into()] {
        let unknown = counted(gone);
        assert_eq!(refused(&unknown), (JudgedAction::Propose, "loadChanged"), "{}", unknown.why);
    }
}

/// A probe that was bad at some seconds before the change, bad in the first round since, good in the next and bad from there on, beside counted
/// events that all fail since.
fn again(from: i64, first: Value, is_bad_before: impl Fn(i64) -> bool) -> Answer {
    let found = |second: i64| match second {
        0 => first.clone(),
        10 => true.into(),
        ..0 => (!is_bad_before(second)).into(),
        _ => false.into(),
    };
    let mut up = rounds("checkout", "up", (from, 420), 10, found);
    up.retain(|round| {
        let second = round["start"].as_i64().unwrap() / 1000 - BEGIN;
        !(-DAY + 1200..-7200).contains(&second)
    });
    let errors = rounds("checkout", "errors", (-7200, 420), 60, |second| json!([if second < 0 { 600 } else { 0 }, 600]));
    let policies = [policy("checkout", &[probe("up"), events("1m")], &json!({"mode": "merge", "settle": "10s"}))];
    answer(420, &policies, &[landing("a", "checkout", (-5, -1), &["checkout"])], &[up, errors])
}

/// Regression: how often it was bad was counted from the onset, which an unknown round moved behind the first time.
#[test]
fn an_unknown_round_hides_no_time_that_a_service_was_bad() {
    let twice = |second: i64| matches!(second, -3000 | -1500);
    for first in [false.into(), Value::Null] {
        let found = again(-7200, first, twice);
        assert_eq!(refused(&found), (JudgedAction::Propose, "unstable"), "{}", found.why);
    }
}

/// Regression: the same hour of the day before was looked for from the onset on, which an unknown round moved behind the trouble of that day.
#[test]
fn an_unknown_round_moves_no_hour_of_the_day_before() {
    let day_before = |second: i64| matches!(second + DAY, -610 | -600 | -590 | 400);
    for first in [false.into(), Value::Null] {
        let found = again(-DAY - 7200, first, day_before);
        assert_eq!(refused(&found), (JudgedAction::None, "sameHourBefore"), "{}", found.why);
    }
    let good = again(-DAY - 7200, true.into(), |_| false);
    assert_ne!(refused(&good).1, "sameHourBefore", "{}", good.why);
}

/// Two services with a change each: `payments` fails by two SLOs as told, `checkout` from second 20 on, and six others are well.
fn beside_own_rollout(slos: [&str; 2], found: impl Fn(&str, i64) -> Value) -> Answer {
    let well: Vec<String> = (0..6).map(|number| format!("well-{number}")).collect();
    let slos = slos.map(probe);
    let mut policies =
        vec![policy("checkout", &[probe("up")], &merging()), policy("payments", &slos, &json!({"mode": "observe", "settle": "29s"}))];
    policies.extend(well.iter().map(|name| policy(name, &[probe("up")], &merging())));
    let times = (-7200, 120);
    let mut all = vec![rounds("checkout", "up", times, 10, |second| (second < 20).into())];
    all.extend(["x", "y"].map(|slo| rounds("payments", slo, times, 10, |second| found(slo, second))));
    all.extend(well.iter().map(|name| rounds(name, "up", times, 10, |_| true.into())));
    let both = ["checkout", "payments"];
    answer(120, &policies, &[landing("b", "payments", (-30, -28), &both), landing("a", "checkout", (15, 17), &both)], &all)
}

/// Regression: an unknown round in the service's own rollout was its beginning, and the trouble that began after it no outage.
#[test]
fn an_unknown_round_makes_no_trouble_one_of_the_services_own_rollout() {
    // The rollout of `payments` is over, with `settle`, at second 1.
    let fails = |from: i64, unknown: Option<i64>| {
        beside_own_rollout(["x", "y"], move |_, second| if unknown == Some(second) { Value::Null } else { (second < from).into() })
    };
    let known = fails(0, None);
    assert_eq!(refused(&known), (JudgedAction::None, "sharedFate"), "{}", known.why);
    let unknown = fails(0, Some(-10));
    assert_eq!(refused(&unknown), (JudgedAction::None, "sharedFate"), "{}", unknown.why);
    let own = fails(-10, None);
    assert_eq!(refused(&own), (JudgedAction::Propose, "othersFail"), "{}", own.why);
    let own = fails(-20, Some(-20));
    assert_eq!(refused(&own), (JudgedAction::Propose, "othersFail"), "not known, and in the rollout either way: {}", own.why);
}

/// Regression: of two SLOs in trouble the first one that is written said when it began.
#[test]
fn the_order_of_slos_says_nothing_about_a_rollout() {
    for slos in [["x", "y"], ["y", "x"]] {
        let found = beside_own_rollout(slos, |slo, second| (second < if slo == "x" { -10 } else { 30 }).into());
        assert_eq!(refused(&found), (JudgedAction::None, "sharedFate"), "{slos:?}: {}", found.why);
    }
}

/// A service whose every request fails since a change, beside four that are well up to second `until`, and then as told or, with nothing told,
/// without rounds.
fn beside_silent(needs: &[&str], until: i64, then: Option<&Value>) -> Answer {
    let others = ["a", "b", "c", "d"];
    let mut policies = vec![policy("checkout", &[probe("up")], &merging())];
    policies[0]["spec"]["dependsOn"] = needs.into();
    policies.extend(others.map(|name| policy(name, &[probe("up")], &merging())));
    let mut all = vec![rounds("checkout", "up", (-7200, 420), 10, |second| (second < 0).into())];
    for name in others {
        let stays = |second: i64| if second < until { true.into() } else { then.cloned().unwrap_or(true.into()) };
        let mut found = rounds(name, "up", (-7200, 420), 10, stays);
        let is_silent = then.is_none() && (needs.is_empty() || needs.contains(&name));
        found.retain(|round| !is_silent || round["start"].as_i64().unwrap() < moment(until));
        all.push(found);
    }
    answer(420, &policies, &[landing("a", "checkout", (-4, -2), &["checkout"])], &all)
}

/// Regression: services without rounds since the breach were well, where the same ones with unknown rounds were not.
#[test]
fn others_without_rounds_are_cleared_no_more_than_with_unknown_ones() {
    let well = beside_silent(&[], 420, Some(&true.into()));
    assert_eq!(well.action, JudgedAction::Merge, "{}", well.why);
    for until in [-120, -20, 0] {
        for then in [Some(&Value::Null), None] {
            let silent = beside_silent(&[], until, then);
            assert_eq!(refused(&silent), (JudgedAction::None, "sharedFate"), "{until}, {then:?}: {}", silent.why);
        }
    }
    let needed = beside_silent(&["b"], -20, None);
    assert_eq!(refused(&needed).0, JudgedAction::None, "{}", needed.why);
}

/// Regression: where too few rounds said what load is usual, nothing was compared.
#[test]
fn a_load_without_an_hour_to_compare_it_with_is_not_merged_away() {
    let counts = |from: i64, every: &'static str, seconds: i64, found: &dyn Fn(i64) -> i64| {
        let up = rounds("checkout", "up", (-7200, 420), 10, |second| (second < 0).into());
        let errors =
            rounds("checkout", "errors", (from, 420), seconds, |second| json!([if second < 0 { found(second) } else { 0 }, found(second)]));
        let policies = [policy("checkout", &[probe("up"), events(every)], &json!({"mode": "merge", "settle": "10s"}))];
        answer(420, &policies, &[landing("a", "checkout", (-5, -1), &["checkout"])], &[up, errors])
    };
    let few = counts(-8 * 60, "1m", 60, &|_| 600);
    assert_eq!(refused(&few), (JudgedAction::Propose, "loadChanged"), "{}", few.why);
    assert!(few.why.contains("in the hour before the breach is not known, 10 rounds are needed"), "{}", few.why);
    let enough = counts(-20 * 60, "1m", 60, &|_| 600);
    assert_eq!(enough.action, JudgedAction::Merge, "{}", enough.why);
    // A surge of five minutes before was a part of what was usual.
    let surge = counts(-3600, "1m", 60, &|second| if second < -300 { 600 } else { 2400 });
    assert_eq!(refused(&surge), (JudgedAction::Propose, "loadChanged"), "{}", surge.why);
    let words = "The last 5 rounds of `errors` before the breach began had 2400 events in the middle, and those of the hour before 600 (limit 1.5 times as many)";
    assert!(surge.why.contains(words), "{}", surge.why);
}

/// Two probes, one of which is bad from before the change on, with so many of its first bad rounds unknown or missing; the other one fails since
/// the change.
fn two_probes(known_from: i64, hole: Option<Value>) -> Answer {
    let up = rounds("checkout", "up", (-7200, 120), 10, |second| (second < 0).into());
    let found = |second: i64| match second {
        ..-20 => true.into(),
        second if second < known_from => hole.clone().unwrap_or("missing".into()),
        _ => false.into(),
    };
    let mut journey = rounds("checkout", "journey", (-7200, 120), 10, found);
    journey.retain(|round| round["good"] != "missing");
    let policies = [policy("checkout", &[probe("up"), probe("journey")], &merging())];
    answer(120, &policies, &[landing("a", "checkout", (-4, -2), &["checkout"])], &[up, journey])
}

/// Regression: trouble that began before the change was one of the change where the rounds that showed it were not measured.
#[test]
fn rounds_of_another_objective_that_are_not_known_make_no_suspect() {
    let known = two_probes(-20, None);
    assert_eq!(refused(&known), (JudgedAction::None, "breachBeforeChange"), "{}", known.why);
    for hole in [Some(Value::Null), None] {
        for known_from in [-10, 0, 10, 20, 30] {
            let unknown = two_probes(known_from, hole.clone());
            assert_eq!(unknown.action, JudgedAction::None, "{known_from}, {hole:?}: {}", unknown.why);
        }
    }
}
