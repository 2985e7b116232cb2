//! Trouble that a service has anyway: by chance, now and then, or at the same hour every day. A commit that lands beside it is not merged away.

use revertd::agent::{Answer, DecideAt, JudgedAction};
use serde_json::{Value, json};

use crate::decide;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60;
/// The change is applied in the minute after this one; every round after it may be bad.
const APPLIED: i64 = 82;

/// One service whose events are counted each minute: 40 of 400 fail where `is_bad` says so of the minute. Minutes before 0 are of the day
/// before.
fn case(minutes: impl Iterator<Item = i64>, is_bad: impl Fn(i64) -> bool) -> Value {
    let begin = 1_760_000_000_000;
    let rounds: Vec<Value> = minutes
        .map(|minute| {
            let (start, end) = (begin + (minute - 1) * MINUTE, begin + minute * MINUTE);
            json!({"policy": "checkout", "slo": "errors", "start": start, "end": end, "good": if is_bad(minute) { 360 } else { 400 }, "total": 400})
        })
        .collect();
    let now = rounds.last().unwrap()["end"].clone();
    let at = |seconds: i64| begin + APPLIED * MINUTE + seconds * 1000;
    json!({
        "id": "usual-trouble", "now": now, "rounds": rounds,
        "policies": [{
            "apiVersion": "revertd.dev/v1alpha1", "kind": "RevertPolicy", "metadata": {"name": "checkout"},
            "spec": {
                "repository": "manifests", "paths": ["apps/checkout/**"], "revert": {"mode": "merge"},
                "slos": [{
                    "name": "errors", "objective": {"target": 0.999},
                    "indicator": {"prometheus": {"server": "main", "every": "60s", "freshness": "total",
                        "good": "sum(increase(good[$window]))", "total": "sum(increase(total[$window]))"}},
                    "alerts": [{"burnRate": {"factor": 14.4, "long": "1h", "short": "5m", "sinceChange": true}, "minEvents": 100}],
                }],
            },
        }],
        "landings": [{
            "branch": "main", "earliest": at(-20), "latest": at(-10), "applied": {"checkout/default": {"earliest": at(5), "latest": at(10)}},
            "changes": [{"commit": "1".repeat(40), "author": "Robin", "subject": "Change", "paths": ["apps/checkout/deployment.yaml"]}],
        }],
    })
}

fn first(minutes: impl Iterator<Item = i64>, is_bad: impl Fn(i64) -> bool) -> Answer {
    decide(&case(minutes, is_bad), DecideAt::Each)
}

fn refused(answer: &Answer) -> (JudgedAction, &str) {
    (answer.action, answer.refusal.as_deref().unwrap_or_default())
}

#[test]
fn bad_rounds_that_chance_explains_are_not_merged_away() {
    // Two of three since, after 24 of 60 in one long trouble of the hour before.
    let since = |minute: i64| minute > APPLIED + 1 && minute % 3 != 2;
    let answer = first(1..=110, |minute| since(minute) || (25..=48).contains(&minute));
    assert_eq!(refused(&answer), (JudgedAction::Propose, "notWorse"), "{}", answer.why);
    let answer = first(1..=110, since);
    assert_eq!(answer.action, JudgedAction::Merge, "after a good hour: {}", answer.why);
}

#[test]
fn trouble_that_comes_and_goes_as_before_is_not_merged_away() {
    let before = |minute: i64| matches!(minute, 35 | 60);
    let answer = first(1..=110, |minute| before(minute) || (minute > APPLIED + 1 && minute % 6 != 3));
    assert_eq!(refused(&answer), (JudgedAction::Propose, "unstable"), "{}", answer.why);
    let answer = first(1..=110, |minute| before(minute) || minute > APPLIED + 1);
    assert_eq!(answer.action, JudgedAction::Merge, "what stays broken is another trouble: {}", answer.why);
}

/// A latency of at most 0.3 s with noise of ±0.02 s, and five minutes of an hour before the change in which it was higher than ever up to it.
fn latency(of: impl Fn(i64) -> f64) -> Answer {
    let mut case = case(1..=110, |_| false);
    case["policies"][0]["spec"]["slos"][0] = json!({
        "name": "errors", "objective": {"max": 0.3}, "alerts": [{"failing": {"count": 3, "of": 5}}],
        "indicator": {"prometheus": {"server": "main", "every": "60s", "freshness": "total", "query": "p95"}},
    });
    for (round, minute) in case["rounds"].as_array_mut().unwrap().iter_mut().zip(1..) {
        let noise = 0.02 * ((minute * 7 % 11) as f64 / 5.0 - 1.0);
        let value = if (30..35).contains(&minute) { 0.299 } else { of(minute) + noise };
        *round = json!({"policy": "checkout", "slo": "errors", "start": round["start"], "end": round["end"], "value": value});
    }
    decide(&case, DecideAt::Each)
}

/// Regression: a latency that had climbed for half an hour crossed its limit right after an innocent change, which was merged away where noise
/// hid that it had climbed.
#[test]
fn what_climbed_to_its_limit_by_itself_is_not_merged_away() {
    let climbs = |minute: i64| 0.15 + 0.004 * (minute - 50).max(0) as f64;
    let answer = latency(climbs);
    assert_eq!(refused(&answer), (JudgedAction::Propose, "mayHaveBegunBefore"), "{}", answer.why);
    assert!(answer.why.contains("before it climb, and at that pace one in ten reaches the limit by the onset (0.3"), "{}", answer.why);
    let answer = latency(|minute| if minute > APPLIED + 1 { 0.35 } else { 0.2 });
    assert_eq!(answer.action, JudgedAction::Merge, "it did not climb: {}", answer.why);
}

/// The same minutes of two days, with trouble in the second of them.
fn two_days(of_the_day_before: impl Fn(i64) -> bool) -> Value {
    let minutes = (1 - DAY..=110 - DAY).chain(1..=110);
    case(minutes, |minute| minute > APPLIED + 1 || (minute < 0 && of_the_day_before(minute + DAY)))
}

#[test]
fn trouble_of_the_same_hour_of_the_day_before_is_no_commit() {
    let minutes = |from: i64, to: i64| move |minute: i64| (from..=to).contains(&minute);
    let answer = decide(&two_days(minutes(APPLIED + 3, 110)), DecideAt::Each);
    assert_eq!(refused(&answer), (JudgedAction::None, "sameHourBefore"), "{}", answer.why);
    let answer = decide(&two_days(|_| false), DecideAt::Each);
    assert_eq!(answer.action, JudgedAction::Merge, "a good day before: {}", answer.why);
    let answer = decide(&two_days(minutes(20, 45)), DecideAt::Each);
    assert_eq!(answer.action, JudgedAction::Merge, "another hour: {}", answer.why);
    // It lasted six minutes the day before; ten minutes after that it is something else.
    let case = two_days(minutes(APPLIED + 2, APPLIED + 8));
    let answer = decide(&case, DecideAt::Each);
    assert!(answer.action > JudgedAction::None, "{}", answer.why);
    let at = (answer.since.unwrap() - case["landings"][0]["latest"].as_i64().unwrap()) / MINUTE;
    assert!((18..=20).contains(&at), "{at} minutes after the landing");
}

/// Promise P2, for rounds of the day before.
#[test]
fn no_unknown_round_of_the_day_before_takes_it_away() {
    let case = two_days(|minute| (APPLIED + 2..=APPLIED + 20).contains(&minute) && minute % 4 != 0);
    assert_eq!(decide(&case, DecideAt::Now).action, JudgedAction::None);
    for place in (60..110).step_by(3) {
        let mut case = case.clone();
        case["rounds"][place]["good"] = Value::Null;
        case["rounds"][place].as_object_mut().unwrap().remove("total");
        let answer = decide(&case, DecideAt::Now);
        assert_eq!(refused(&answer), (JudgedAction::None, "sameHourBefore"), "without round {place}: {}", answer.why);
    }
}

/// The same with a second SLO beside the first.
fn with_another(mut case: Value, is_bad: impl Fn(i64) -> bool) -> Value {
    let begin = 1_760_000_000_000;
    let mut rounds = case["rounds"].as_array().unwrap().clone();
    for round in &mut rounds {
        let minute = (round["end"].as_i64().unwrap() - begin) / MINUTE;
        (round["slo"], round["good"]) = ("writes".into(), if is_bad(minute) { 360.into() } else { 400.into() });
    }
    let slos = case["policies"][0]["spec"]["slos"].as_array_mut().unwrap();
    let mut another = slos[0].clone();
    another["name"] = "writes".into();
    slos.push(another);
    case["rounds"].as_array_mut().unwrap().extend(rounds);
    case
}

/// Promise P2, for rounds of today: which SLO was in trouble the day before does not hang on what is bad now.
#[test]
fn no_round_of_today_takes_it_away() {
    let yesterday = |minute: i64| (APPLIED + 2..=110).contains(&minute);
    let both = with_another(two_days(yesterday), |minute| minute > APPLIED + 1);
    assert_eq!(refused(&decide(&both, DecideAt::Now)), (JudgedAction::None, "sameHourBefore"));
    for minute in [APPLIED + 3, 108, 110] {
        for found in [json!(400), Value::Null] {
            let mut case = both.clone();
            let end = 1_760_000_000_000 + minute * MINUTE;
            let round = case["rounds"].as_array_mut().unwrap().iter_mut().find(|round| round["end"] == end && round["slo"] == "errors");
            let round = round.unwrap().as_object_mut().unwrap();
            round.insert("good".to_owned(), found.clone());
            if found.is_null() {
                round.remove("total");
            }
            let answer = decide(&case, DecideAt::Now);
            assert_eq!(answer.action, JudgedAction::None, "minute {minute}, {found}: {}", answer.why);
        }
    }
    let only_another = with_another(case((1 - DAY..=110 - DAY).chain(1..=110), |minute| minute < 0 && yesterday(minute + DAY)), |minute| {
        minute > APPLIED + 1
    });
    let answer = decide(&only_another, DecideAt::Now);
    assert_eq!(refused(&answer), (JudgedAction::None, "sameHourBefore"), "{}", answer.why);
}

/// A commit did it the day before, and was reverted; it may be one again, and a person looks.
#[test]
fn trouble_of_the_day_before_that_a_revert_ended_is_proposed() {
    let mut case = two_days(|minute| (APPLIED + 2..=110).contains(&minute));
    let at = 1_760_000_000_000 - 20 * 60 * MINUTE;
    case["history"] = json!([{"at": at, "kind": "merged", "policies": ["checkout"], "suspects": ["2".repeat(40)]}]);
    let answer = decide(&case, DecideAt::Each);
    assert_eq!(refused(&answer), (JudgedAction::Propose, "sameHourBefore"), "{}", answer.why);
}

/// Promise P2: a service that only needs the touched one, and fails with it, has no say that a missing round could take away.
#[test]
fn a_service_that_needs_the_touched_one_neither_stops_the_merge_nor_lets_it_in() {
    let mut case = case(1..=110, |minute| minute > APPLIED + 1);
    let mut cart = case["policies"][0].clone();
    cart["metadata"]["name"] = "cart".into();
    (cart["spec"]["paths"], cart["spec"]["dependsOn"]) = (json!(["apps/cart/**"]), json!(["checkout"]));
    cart["spec"]["revert"]["mode"] = "propose".into();
    case["policies"].as_array_mut().unwrap().push(cart);
    let mut rounds = case["rounds"].as_array().unwrap().clone();
    rounds.iter_mut().for_each(|round| round["policy"] = "cart".into());
    case["rounds"].as_array_mut().unwrap().extend(rounds);
    let applied = case["landings"][0]["applied"]["checkout/default"].clone();
    case["landings"][0]["applied"]["cart/default"] = applied;
    let of_checkout = |case: &Value| {
        let answer = decide(case, DecideAt::Now);
        let decision = answer.decisions.iter().find(|decision| decision.policies.iter().any(|policy| policy.as_str() == "checkout"));
        (decision.unwrap().action, answer.why)
    };
    let with_cart = of_checkout(&case);
    assert_eq!(with_cart.0, JudgedAction::Merge, "{}", with_cart.1);
    for back in 0..6 {
        let mut case = case.clone();
        let place = case["rounds"].as_array().unwrap().len() - 1 - back;
        case["rounds"][place]["good"] = Value::Null;
        case["rounds"][place].as_object_mut().unwrap().remove("total");
        let without = of_checkout(&case);
        assert!(without.0 <= with_cart.0, "round {place}: {}", without.1);
    }
}
