//! A landing with `state: failed` is not applied, so that no breach is blamed on it; a change that broke the sync is a suspect of that.

use revertd::agent::{Answer, DecideAt, JudgedAction, judge};
use revertd::config::judge_file::CaseReader;
use serde_json::{Value, json};

const BEFORE: &str = "1111111111111111111111111111111111111111";
const SUSPECT: &str = "2222222222222222222222222222222222222222";
const LATER: &str = "3333333333333333333333333333333333333333";

/// What was done with a landing of the service at a second, seen five seconds later at the latest.
fn tried(commit: &str, at: i64, state: &str) -> Value {
    let (tried, seen) = ((at + 20) * 1000, (at + 25) * 1000);
    json!({
        "branch": "main", "earliest": (at - 5) * 1000, "latest": at * 1000,
        "applied": {"a/default": {"earliest": tried, "latest": seen, "attempted": tried, "state": state}},
        "changes": [{"commit": commit, "author": "Robin", "subject": "Change", "paths": [format!("a/{}.yaml", &commit[..1])]}],
    })
}

/// The service breaches from a second on, or never.
fn decide(landings: &[Value], bad_from: i64, now: i64, at: DecideAt) -> Answer {
    decide_with(landings, bad_from, now, at, "propose")
}

fn decide_with(landings: &[Value], bad_from: i64, now: i64, at: DecideAt, on_failure: &str) -> Answer {
    let policy = json!({
        "apiVersion": "revertd.dev/v1alpha1", "kind": "RevertPolicy", "metadata": {"name": "a"},
        "spec": {
            "repository": "m", "paths": ["a/**"], "revert": {"mode": "merge", "onSyncFailure": on_failure},
            "slos": [{"name": "up", "indicator": {"http": {"url": "http://a/", "unreachable": "unknown"}}}],
        },
    });
    let round = |number: i64| {
        let end = number * 10;
        json!({"policy": "a", "slo": "up", "start": (end - 1) * 1000, "end": end * 1000, "good": end < bad_from})
    };
    let rounds: Vec<Value> = (1..=now / 10).map(round).collect();
    let case = json!({"id": "x", "now": now * 1000, "policies": [policy], "landings": landings, "rounds": rounds});
    judge(&CaseReader::default().read(&case.to_string()).unwrap(), at)
}

const NEVER: i64 = i64::MAX;

fn said(answer: &Answer) -> (JudgedAction, Option<&str>) {
    (answer.action, answer.refusal.as_deref())
}

#[test]
fn a_breach_is_not_blamed_on_what_the_sync_failed_of() {
    let with = |state: &str| decide(&[tried(SUSPECT, 1300, state)], 1335, 1600, DecideAt::Now);
    assert_eq!(said(&with("applied")), (JudgedAction::Merge, None), "{:?}", with("applied"));
    for state in ["failed", "paused"] {
        assert_eq!(said(&with(state)), (JudgedAction::None, Some("noSuspect")), "{state}: {:?}", with(state));
    }
    let before = decide(&[tried(SUSPECT, 1300, "failed")], 1315, 1324, DecideAt::Now);
    assert_eq!(before.action, JudgedAction::None, "how it went is not known yet: {before:?}");
}

#[test]
fn a_breach_beside_a_broken_sync_is_two_stories() {
    // So long before the breach that it is no candidate of it.
    let landings = [tried(BEFORE, 100, "applied"), tried(SUSPECT, 2600, "failed")];
    let answer = decide(&landings, 2635, 2900, DecideAt::Now);
    assert_eq!(said(&answer), (JudgedAction::Propose, Some("onlyTheSync")), "{answer:?}");
    assert_eq!(
        answer.decisions.iter().map(|decision| decision.refusal.as_deref()).collect::<Vec<_>>(),
        [Some("noSuspect"), Some("onlyTheSync")]
    );
}

#[test]
fn what_failed_is_there_once_a_later_landing_is() {
    let landings = [tried(SUSPECT, 1300, "failed"), tried(LATER, 1400, "applied")];
    let both = decide(&landings, 1435, 1700, DecideAt::Now);
    assert_eq!(said(&both), (JudgedAction::Propose, Some("severalSuspects")), "either can have done it: {both:?}");
    let alone = decide(&[landings[1].clone()], 1435, 1700, DecideAt::Now);
    assert_eq!(alone.action, JudgedAction::Merge, "{alone:?}");
}

#[test]
fn a_change_that_broke_the_sync_is_proposed_once_that_has_lasted_and_never_merged() {
    let landings = [tried(BEFORE, 100, "applied"), tried(SUSPECT, 1300, "failed")];
    let broken = decide(&landings, NEVER, 1600, DecideAt::Each);
    assert_eq!(said(&broken), (JudgedAction::Propose, Some("onlyTheSync")), "{broken:?}");
    assert_eq!((broken.suspects[0].to_string().as_str(), broken.since), (SUSPECT, Some(1_390_000)), "a minute after 1325: {broken:?}");
    assert!(broken.why.contains("people decide whether that is undone"), "{}", broken.why);
    assert_eq!(decide(&landings, NEVER, 1600, DecideAt::Now).since, broken.since);
    assert_eq!(decide_with(&landings, NEVER, 1600, DecideAt::Each, "ignore").action, JudgedAction::None);
}

#[test]
fn a_sync_that_failed_before_or_succeeds_again_accuses_nobody() {
    let decided = |landings: &[Value]| decide(landings, NEVER, 1600, DecideAt::Now);
    let first = decided(&[tried(SUSPECT, 1300, "failed")]);
    assert_eq!(first.action, JudgedAction::None, "nothing is known of the time before: {first:?}");
    let also = decided(&[tried(BEFORE, 100, "failed"), tried(SUSPECT, 1300, "failed")]);
    assert_eq!(also.action, JudgedAction::None, "{also:?}");
    let again = decided(&[tried(BEFORE, 100, "applied"), tried(SUSPECT, 1300, "failed"), tried(LATER, 1450, "applied")]);
    assert_eq!(again.action, JudgedAction::None, "the sync goes again with it: {again:?}");
    let along = decided(&[tried(BEFORE, 100, "applied"), tried(SUSPECT, 1300, "failed"), tried(LATER, 1450, "failed")]);
    assert_eq!(along.suspects.iter().map(ToString::to_string).collect::<Vec<_>>(), [SUSPECT], "the other came along: {along:?}");
}

#[test]
fn of_two_that_were_first_tried_together_the_newer_one_is_suspected() {
    let mut together = tried(LATER, 1310, "failed");
    let second = tried(SUSPECT, 1300, "failed");
    together["applied"] = second["applied"].clone();
    let answer = decide(&[tried(BEFORE, 100, "applied"), second, together], NEVER, 1600, DecideAt::Now);
    assert_eq!(answer.suspects.iter().map(ToString::to_string).collect::<Vec<_>>(), [LATER], "{answer:?}");
}
