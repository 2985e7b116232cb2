use std::collections::BTreeMap;

use super::*;
use crate::agent::passing::{Opened, opened_at};
use crate::config::judge_file::CaseReader;
use crate::engine::decision::{DecisionRecord, decide, decide_attributed};
use crate::engine::id::{SituationDigest, sha256_hex};
use crate::engine::recorded::{ReadError, Recorded};
use crate::engine::situation::{MergedRevert, Situation};
use crate::engine::together::Findings;

mod again;

const POLICY: &str = r#"{"apiVersion":"revertd.dev/v1alpha1","kind":"RevertPolicy","metadata":{"name":"a"},"spec":{"repository":"m","paths":["a/**"],"slos":[{"name":"up","indicator":{"http":{"url":"http://a/","unreachable":"unknown"}}}],"revert":{"mode":"merge"}}}"#;
const SUSPECT: &str = "1111111111111111111111111111111111111111";
const REVERT: &str = "2222222222222222222222222222222222222222";

/// Rounds of ten seconds: good up to `bad_from`, bad from there to `to`.
fn rounds(bad_from: i64, to: i64) -> String {
    let round = |end: i64| {
        format!(
            r#"{{"policy":"a","slo":"up","start":{},"end":{},"good":{}}}"#,
            (end - 1) * 1000,
            end * 1000,
            if end < bad_from { "true" } else { "false" }
        )
    };
    (1..=to / 10).map(|number| round(number * 10)).collect::<Vec<_>>().join(",")
}

fn landing(commit: &str, at: i64, more: &str, applied: &str) -> String {
    format!(
        r#"{{"branch":"main","earliest":{},"latest":{},"applied":{applied},"changes":[{{"commit":"{commit}","author":"Robin","subject":"Change","paths":["a/deployment.yaml"]{more}}}]}}"#,
        (at - 5) * 1000,
        at * 1000
    )
}

fn applied(at: i64) -> String {
    format!(r#"{{"a/default":{{"earliest":{},"latest":{}}}}}"#, (at - 5) * 1000, at * 1000)
}

fn decide_case(landings: &str, rounds: &str, rest: &str, now: i64, at: DecideAt) -> Answer {
    let line = format!(r#"{{"id":"x","now":{},"policies":[{POLICY}],"landings":[{landings}],"rounds":[{rounds}]{rest}}}"#, now * 1000);
    judge(&CaseReader::default().read(&line).unwrap(), at)
}

#[test]
fn a_bad_change_is_merged_away_and_the_time_from_which_is_said() {
    let landings = landing(SUSPECT, 300, "", &applied(330));
    let each = decide_case(&landings, &rounds(340, 600), "", 600, DecideAt::Each);
    assert_eq!((each.action, each.suspects.len()), (JudgedAction::Merge, 1), "{}", each.why);
    let now = decide_case(&landings, &rounds(340, 600), "", 600, DecideAt::Now);
    assert_eq!((now.action, now.since), (JudgedAction::Merge, each.since));
}

#[test]
fn what_was_not_applied_is_not_to_blame() {
    let answer = decide_case(&landing(SUSPECT, 300, "", "{}"), &rounds(340, 600), "", 600, DecideAt::Each);
    assert_eq!((answer.action, answer.refusal.as_deref()), (JudgedAction::None, Some("noSuspect")), "{}", answer.why);
    let failed = r#"{"a/default":{"earliest":310000,"latest":330000,"state":"failed"}}"#;
    assert_eq!(decide_case(&landing(SUSPECT, 300, "", failed), &rounds(340, 600), "", 600, DecideAt::Now).action, JudgedAction::None);
}

#[test]
fn what_a_person_undid_is_left_alone() {
    let landings = format!(
        "{},{}",
        landing(SUSPECT, 300, "", &applied(330)),
        landing(REVERT, 345, &format!(r#","reverts":"{SUSPECT}""#), &applied(400))
    );
    let answer = decide_case(&landings, &rounds(340, 600), "", 600, DecideAt::Each);
    assert_eq!((answer.action, answer.refusal.as_deref()), (JudgedAction::None, Some("alreadyUndone")), "{}", answer.why);
}

#[test]
fn a_grade_a_veto_and_a_silent_control_are_heard() {
    let case =
        |more: &str, rest: &str| decide_case(&landing(SUSPECT, 300, more, &applied(330)), &rounds(340, 600), rest, 600, DecideAt::Each);
    assert_eq!(case(r#","inverse":{"grade":"human"}"#, "").action, JudgedAction::Propose);
    let conflict = case(r#","inverse":{"status":"conflict"}"#, "");
    assert_eq!((conflict.action, conflict.refusal.as_deref()), (JudgedAction::Propose, Some("notAPlainRevert")));
    let refused = case(r#","inverse":{"grade":"refuse"}"#, "");
    assert_eq!((refused.action, refused.refusal.as_deref()), (JudgedAction::Propose, Some("tooDangerous")));
    let large = case(r#","inverse":{"objects":21}"#, "");
    assert_eq!((large.action, large.refusal.as_deref()), (JudgedAction::Propose, Some("maxObjects")));
    let veto = format!(r#","history":[{{"at":1000,"kind":"vetoed","policies":["a"],"suspects":["{SUSPECT}"]}}]"#);
    assert_eq!(case("", &veto).refusal.as_deref(), Some("vetoed"));
    let silent = r#","controls":[{"start":330000,"end":331000,"good":null}]"#;
    assert_eq!(case("", silent).refusal.as_deref(), Some("controlsFailing"));
}

#[test]
fn nothing_that_came_later_is_seen() {
    let landings = landing(SUSPECT, 300, "", &applied(330));
    let early = decide_case(&landings, &rounds(340, 600), "", 340, DecideAt::Now);
    assert_eq!((early.action, early.decisions.len()), (JudgedAction::None, 0));
    let unknown_yet = landing(SUSPECT, 300, "", &applied(900));
    assert_eq!(decide_case(&unknown_yet, &rounds(340, 600), "", 600, DecideAt::Each).action, JudgedAction::None);
}

#[test]
fn the_order_of_lines_of_the_same_time_says_nothing() {
    let (one, two) = (landing(SUSPECT, 300, "", &applied(330)), landing(REVERT, 300, "", &applied(330)));
    let (ahead, behind) = (format!("{one},{two}"), format!("{two},{one}"));
    let answers = [ahead, behind].map(|landings| decide_case(&landings, &rounds(340, 600), "", 600, DecideAt::Each));
    assert_eq!(answers[0], answers[1]);
}

/// `a` needs `b`, whose change breaks `b` at once and `a` some minutes later: neither waits for the other, and only the merge of `b` may undo it.
#[test]
fn a_change_of_a_dependency_is_not_merged_for_the_service_that_needs_it() {
    let policy = |name: &str, every: i64, more: &str| {
        format!(
            r#"{{"apiVersion":"revertd.dev/v1alpha1","kind":"RevertPolicy","metadata":{{"name":"{name}"}},"spec":{{"repository":"m","paths":["{name}/**"]{more},"slos":[{{"name":"up","indicator":{{"http":{{"url":"http://{name}/","every":"{every}s","unreachable":"unknown"}}}}}}],"revert":{{"mode":"merge"}}}}}}"#
        )
    };
    let policies = format!("{},{}", policy("a", 60, r#","dependsOn":["b"]"#), policy("b", 30, ""));
    let rounds = |name: &str, every: i64, bad_from: i64| {
        let round = |end: i64| {
            let good = if end < bad_from { "true" } else { "false" };
            format!(r#"{{"policy":"{name}","slo":"up","start":{},"end":{},"good":{good}}}"#, (end - 1) * 1000, end * 1000)
        };
        (1..=3600 / every).map(|number| round(number * every)).collect::<Vec<_>>().join(",")
    };
    let landing =
        landing(SUSPECT, 2400, "", r#"{"b/default":{"earliest":2405000,"latest":2410000}}"#).replace("a/deployment", "b/deployment");
    let rounds = format!("{},{}", rounds("a", 60, 2700), rounds("b", 30, 2430));
    let line =
        |now: i64| format!(r#"{{"id":"x","now":{},"policies":[{policies}],"landings":[{landing}],"rounds":[{rounds}]}}"#, now * 1000);
    let answer = judge(&CaseReader::default().read(&line(3300)).unwrap(), DecideAt::Now);
    let of = |name: &str| answer.decisions.iter().find(|decision| decision.policies == [PolicyName::new(name)]).unwrap();
    assert_eq!((of("a").action, of("a").refusal.as_deref()), (JudgedAction::Propose, Some("ofDependency")), "{answer:?}");
    assert_eq!(of("b").action, JudgedAction::Merge, "the incident of what needs it does not stand against the merge: {answer:?}");
}

/// A crash loop: rounds without data while the targets of the service are down, and another service that is measured by the same server.
fn vanished(targets: &str, scraped: &str, server_of_b: &str) -> Answer {
    let policy = |name: &str, server: &str, targets: &str| {
        format!(
            r#"{{"apiVersion":"revertd.dev/v1alpha1","kind":"RevertPolicy","metadata":{{"name":"{name}"}},"spec":{{"repository":"m","paths":["{name}/**"],"slos":[{{"name":"p95","indicator":{{"prometheus":{{"server":"{server}","every":"60s","query":"p95","freshness":"p95"{targets}}}}},"objective":{{"max":1}}}}],"revert":{{"mode":"merge"}}}}}}"#
        )
    };
    let round = |name: &str, number: i64, what: &str| {
        format!(r#"{{"policy":"{name}","slo":"p95","start":{},"end":{},{what}}}"#, (number - 1) * 60_000, number * 60_000)
    };
    let gone = format!(r#""value":null,"why":"empty"{scraped}"#);
    let of_a = (1..=50).map(|number| round("a", number, if number < 41 { r#""value":0.2"# } else { &gone }));
    let of_b = (1..=50).map(|number| round("b", number, r#""value":0.2"#));
    let rounds: Vec<String> = of_a.chain(of_b).collect();
    let policies = format!("{},{}", policy("a", "main", targets), policy("b", server_of_b, ""));
    let landings = landing(SUSPECT, 2400, "", &applied(2410));
    let line = format!(r#"{{"id":"x","now":3000000,"policies":[{policies}],"landings":[{landings}],"rounds":[{}]}}"#, rounds.join(","));
    judge(&CaseReader::default().read(&line).unwrap(), DecideAt::Each)
}

const TARGETS: &str = r#","targets":"up{app=\"a\"}""#;

#[test]
fn evidence_that_is_lost_with_its_targets_is_proposed_and_never_merged() {
    let down = r#","targetsScraped":false"#;
    let answer = vanished(TARGETS, down, "main");
    assert_eq!((answer.action, answer.refusal.as_deref()), (JudgedAction::Propose, Some("evidenceLost")), "{answer:?}");
    assert_eq!(vanished("", down, "main").action, JudgedAction::None, "nobody says which targets are its own");
    assert_eq!(vanished(TARGETS, "", "main").action, JudgedAction::None, "its targets are up: what is missing is only missing");
    let blind = vanished(TARGETS, down, "second");
    assert_eq!((blind.action, blind.refusal.as_deref()), (JudgedAction::None, Some("evidenceLost")), "nobody else is measured: {blind:?}");
}

/// Two changes of the service, both with the assumed lag. Between the first one's `latest` and the second one's, the second may be there already.
#[test]
fn a_change_that_may_be_applied_already_is_not_ruled_out_in_favour_of_an_earlier_one() {
    let second = "3333333333333333333333333333333333333333";
    let lag = |at: i64| format!(r#"{{"a/default":{{"earliest":{},"latest":{}}}}}"#, (at - 5) * 1000, (at + 180) * 1000);
    let landings = format!("{},{}", landing(SUSPECT, 300, "", &lag(300)), landing(second, 340, "", &lag(340)));
    let between = decide_case(&landings, &rounds(390, 900), "", 490, DecideAt::Now);
    assert_eq!((between.action, between.suspects.len()), (JudgedAction::None, 0), "{}", between.why);
    let each = decide_case(&landings, &rounds(390, 900), "", 900, DecideAt::Each);
    assert_eq!((each.action, each.suspects[0].to_string().as_str()), (JudgedAction::Propose, second), "{}", each.why);
    // Of what is known not to have been there, the earlier one is to blame at once.
    let later = landing(second, 400, "", &lag(400)).replace("a/deployment.yaml", "a/service.yaml");
    let alone = decide_case(&format!("{},{later}", landing(SUSPECT, 300, "", &lag(300))), &rounds(340, 900), "", 485, DecideAt::Now);
    assert_eq!(alone.suspects.iter().map(ToString::to_string).collect::<Vec<_>>(), [SUSPECT], "{}", alone.why);
}

#[test]
fn a_revert_that_is_the_merge_commit_of_a_pull_request_is_a_revert() {
    let undoing = landing(REVERT, 345, &format!(r#","parents":2,"reverts":"{SUSPECT}""#), &applied(400));
    let answer =
        decide_case(&format!("{},{undoing}", landing(SUSPECT, 300, "", &applied(330))), &rounds(340, 600), "", 600, DecideAt::Each);
    assert_eq!((answer.action, answer.refusal.as_deref()), (JudgedAction::None, Some("alreadyUndone")), "{}", answer.why);
}

#[test]
fn what_was_applied_some_time_in_half_an_hour_is_not_merged_away() {
    let wide = r#"{"a/default":{"earliest":295000,"latest":1495000}}"#;
    let answer = |bad_from| decide_case(&landing(SUSPECT, 300, "", wide), &rounds(bad_from, 2400), "", 2400, DecideAt::Now);
    assert_eq!(
        (answer(900).action, answer(900).refusal.as_deref()),
        (JudgedAction::Propose, Some("appliedUnknown")),
        "{}",
        answer(900).why
    );
    assert_eq!(answer(1520).action, JudgedAction::Merge, "it began after: {}", answer(1520).why);
}

#[test]
fn a_merge_of_three_lines_is_for_people() {
    let of = |parents: u32| {
        let landings = landing(SUSPECT, 300, &format!(r#","parents":{parents}"#), &applied(330));
        decide_case(&landings, &rounds(340, 600), "", 600, DecideAt::Each)
    };
    assert_eq!(of(2).action, JudgedAction::Merge, "{}", of(2).why);
    assert_eq!((of(3).action, of(3).refusal.as_deref()), (JudgedAction::Propose, Some("uncertainLanding")), "{}", of(3).why);
}

/// The revert is young enough to be a suspect, what it undid is not.
#[test]
fn what_brings_a_change_back_is_suspected_however_old_the_first_one_is() {
    let again = "3333333333333333333333333333333333333333";
    let landings = [
        landing(SUSPECT, 100, "", &applied(110)),
        landing(REVERT, 400, &format!(r#","reverts":"{SUSPECT}""#), &applied(410)),
        landing(again, 2000, &format!(r#","reverts":"{REVERT}""#), &applied(2010)),
    ];
    let bad = |end: i64| (120..405).contains(&end) || end >= 2020;
    let round = |end: i64| format!(r#"{{"policy":"a","slo":"up","start":{},"end":{},"good":{}}}"#, (end - 1) * 1000, end * 1000, !bad(end));
    let rounds = (1..=240).map(|number| round(number * 10)).collect::<Vec<_>>().join(",");
    let answer = decide_case(&landings.join(","), &rounds, "", 2400, DecideAt::Now);
    assert_eq!((answer.action, answer.suspects[0].to_string().as_str()), (JudgedAction::Propose, again), "{}", answer.why);
}

#[test]
fn two_rounds_of_one_instance_do_not_end_together() {
    let round = r#"{"policy":"a","slo":"up","start":0,"end":10,"good":true}"#;
    let line = format!(r#"{{"id":"x","now":20,"policies":[{POLICY}],"rounds":[{round},{round}]}}"#);
    let error = CaseReader::default().read(&line).unwrap_err().to_string();
    assert_eq!(error, "rounds[1]: another round of `a` `up` ends at 10 as well");
}

/// A policy that runs in `eu` and `us`; each round names its instance.
fn decide_in_two(landings: &str, eu: &str, us: &str, now: i64) -> Answer {
    let policy = POLICY.replace(
        r#""paths""#,
        r#""sync":{"source":"x"},"instances":[{"cluster":"eu","sync":"argo","application":"a"},{"name":"us","cluster":"us-1"}],"paths""#,
    );
    let of = |rounds: &str, instance: &str| rounds.replace(r#""slo":"up""#, &format!(r#""slo":"up","instance":"{instance}""#));
    let rounds = [of(eu, "eu"), of(us, "us")].join(",");
    let line = format!(r#"{{"id":"x","now":{},"policies":[{policy}],"landings":[{landings}],"rounds":[{rounds}]}}"#, now * 1000);
    judge(&CaseReader::default().read(&line).unwrap(), DecideAt::Each)
}

fn applied_in(instances: &[(&str, i64)]) -> String {
    let of = |(instance, at): &(&str, i64)| format!(r#""a/{instance}":{{"earliest":{},"latest":{}}}"#, (at - 5) * 1000, at * 1000);
    format!("{{{}}}", instances.iter().map(of).collect::<Vec<_>>().join(","))
}

#[test]
fn an_instance_without_the_change_clears_it_or_stands_beside_it() {
    let landing = landing(SUSPECT, 300, "", &applied_in(&[("eu", 330)]));
    let control = decide_in_two(&landing, &rounds(340, 600), &rounds(9999, 600), 600);
    assert_eq!((control.action, control.suspects.len()), (JudgedAction::Merge, 1), "{}", control.why);
    let both = decide_in_two(&landing, &rounds(340, 600), &rounds(340, 600), 600);
    assert_eq!(both.action, JudgedAction::None, "{}", both.why);
    assert!(both.decisions.iter().any(|decision| decision.refusal.as_deref() == Some("failsWithoutIt")), "{both:?}");
    assert!(both.decisions.iter().any(|decision| decision.refusal.as_deref() == Some("noSuspect")), "{both:?}");
    let unknown = rounds(340, 600).replace("false", "null");
    assert_eq!(decide_in_two(&landing, &rounds(340, 600), &unknown, 600).refusal.as_deref(), Some("failsWithoutIt"));
}

#[test]
fn a_change_that_broke_every_instance_is_one_decision_for_the_policy() {
    let landing = landing(SUSPECT, 300, "", &applied_in(&[("eu", 330), ("us", 330)]));
    let answer = decide_in_two(&landing, &rounds(340, 600), &rounds(340, 600), 600);
    assert_eq!((answer.action, answer.decisions.len()), (JudgedAction::Merge, 1), "{answer:?}");
    assert_eq!(answer.decisions[0].policies, [PolicyName::new("a")]);
}

#[test]
fn an_instance_that_runs_the_change_well_leaves_it_to_people() {
    let landing = landing(SUSPECT, 300, "", &applied_in(&[("eu", 390), ("us", 330)]));
    for us in [rounds(9999, 600), rounds(400, 600).replace("false", "null")] {
        let answer = decide_in_two(&landing, &rounds(400, 600), &us, 600);
        assert_eq!((answer.action, answer.refusal.as_deref()), (JudgedAction::Propose, Some("runsWellElsewhere")), "{}", answer.why);
    }
}

/// Rounds of ten seconds of one policy, each bad where `is_bad` says so of its number.
fn rounds_of(name: &str, count: i64, is_bad: impl Fn(i64) -> bool) -> String {
    let round = |number: i64| {
        let (start, end, good) = ((number * 10 - 1) * 1000, number * 10_000, !is_bad(number));
        format!(r#"{{"policy":"{name}","slo":"up","start":{start},"end":{end},"good":{good}}}"#)
    };
    (1..=count).map(round).collect::<Vec<_>>().join(",")
}

#[test]
fn a_service_that_is_bad_now_and_then_is_not_merged_back_by_chance() {
    // One round in six is bad, and never two of three; the last five before the change are good.
    let decided = |is_bad: &dyn Fn(i64) -> bool| {
        decide_case(&landing(SUSPECT, 3640, "", &applied(3652)), &rounds_of("a", 400, is_bad), "", 4000, DecideAt::Each)
    };
    let noisy = decided(&|number| number >= 366 || number % 6 == 5);
    assert_eq!((noisy.action, noisy.refusal.as_deref()), (JudgedAction::Propose, Some("unstable")), "{}", noisy.why);
    let steady = decided(&|number| number >= 366 || number % 120 == 60);
    assert_eq!(steady.action, JudgedAction::Merge, "{}", steady.why);
}

#[test]
fn one_lost_answer_of_a_control_leaves_a_proposal_and_two_leave_nothing() {
    let decided = |lost: &[i64]| {
        let answer = |number: i64| {
            let good = if lost.contains(&number) { "null" } else { "true" };
            format!(r#"{{"start":{},"end":{},"good":{good}}}"#, number * 10_000 - 200, number * 10_000)
        };
        let controls = (1..=60).map(answer).collect::<Vec<_>>().join(",");
        let rest = format!(r#","controls":[{controls}]"#);
        decide_case(&landing(SUSPECT, 300, "", &applied(330)), &rounds(340, 600), &rest, 600, DecideAt::Each)
    };
    assert_eq!(decided(&[]).action, JudgedAction::Merge);
    let one = decided(&[34]);
    assert_eq!((one.action, one.refusal.as_deref()), (JudgedAction::Propose, Some("controlsFailing")), "{}", one.why);
    assert_eq!(decided(&[34, 36]).action, JudgedAction::None);
}

#[test]
fn services_that_are_lucky_once_they_began_to_fail_share_the_fate() {
    let names = ["a", "b", "c", "d"];
    let policies: Vec<String> =
        names.iter().map(|name| POLICY.replace(r#""a""#, &format!(r#""{name}""#)).replace("a/**", &format!("{name}/**"))).collect();
    let rounds: Vec<String> =
        names.iter().map(|name| rounds_of(name, 60, |number| number >= 34 && (*name == "a" || !matches!(number, 35 | 36)))).collect();
    let line = format!(
        r#"{{"id":"x","now":600000,"policies":[{}],"landings":[{}],"rounds":[{}]}}"#,
        policies.join(","),
        landing(SUSPECT, 300, "", &applied(330)),
        rounds.join(",")
    );
    let answer = judge(&CaseReader::default().read(&line).unwrap(), DecideAt::Now);
    assert_eq!((answer.action, answer.refusal.as_deref()), (JudgedAction::None, Some("sharedFate")), "{}", answer.why);
}

#[test]
fn one_event_of_few_in_the_newest_round_is_no_reason_to_merge() {
    let policy = r#"{"apiVersion":"revertd.dev/v1alpha1","kind":"RevertPolicy","metadata":{"name":"a"},"spec":{"repository":"m","paths":["a/**"],"slos":[{"name":"errors","indicator":{"prometheus":{"server":"main","every":"60s","good":"sum(increase(good[$window]))","total":"sum(increase(total[$window]))","freshness":"total"}},"objective":{"target":0.999},"alerts":[{"burnRate":{"factor":14.4,"long":"1h","short":"5m","sinceChange":true},"minEvents":100}]}],"revert":{"mode":"merge"}}}"#;
    let decided = |newest: i64| {
        let bad = |number: i64| match number {
            0..=82 => 0,
            86 => newest,
            _ => 40,
        };
        let round = |number: i64| {
            let (start, end, good) = ((number - 1) * 60_000, number * 60_000, 400 - bad(number));
            format!(r#"{{"policy":"a","slo":"errors","start":{start},"end":{end},"good":{good},"total":400}}"#)
        };
        let rounds = (1..=86).map(round).collect::<Vec<_>>().join(",");
        let landings = landing(SUSPECT, 4900, "", &applied(4930));
        let line = format!(r#"{{"id":"x","now":5160000,"policies":[{policy}],"landings":[{landings}],"rounds":[{rounds}]}}"#);
        judge(&CaseReader::default().read(&line).unwrap(), DecideAt::Now)
    };
    assert_eq!(decided(40).action, JudgedAction::Merge, "{:?}", decided(40));
    let over = decided(6);
    assert!(over.action < JudgedAction::Merge, "6 of 400 are over the limit of 1.44 %, and not by more than chance: {over:?}");
}

/// Everything that is decided about four policies, three of which breach after one change of all of them.
fn opened_together() -> Vec<Opened> {
    let names = ["a", "b", "c", "d"];
    let of = |text: &str, name: &str| text.replace("\"a\"", &format!("\"{name}\"")).replace("a/", &format!("{name}/"));
    let policies: Vec<String> = names.iter().map(|name| of(POLICY, name)).collect();
    let all: Vec<String> = names.iter().map(|name| of(&rounds(if *name == "d" { 900 } else { 340 }, 600), name)).collect();
    let paths = r#""a/deployment.yaml","b/deployment.yaml","c/deployment.yaml","d/deployment.yaml""#;
    let applied = names.map(|name| format!(r#""{name}/default":{{"earliest":325000,"latest":330000}}"#)).join(",");
    let landing = landing(SUSPECT, 300, "", &format!("{{{applied}}}")).replace(r#""a/deployment.yaml""#, paths);
    let line =
        format!(r#"{{"id":"x","now":600000,"policies":[{}],"landings":[{landing}],"rounds":[{}]}}"#, policies.join(","), all.join(","));
    let case = CaseReader::default().read(&line).unwrap();
    let evidence = CaseEvidence::of(&case);
    opened_at(&evidence, Timestamp(case.now), &mut Incidents::forgetful(evidence.services()))
}

fn alone(situation: &Situation) -> DecisionRecord {
    decide(&Situation { findings: Findings::default(), ..situation.clone() }).record
}

#[test]
fn what_is_found_once_for_all_is_what_each_finds_alone() {
    for turned in [false, true] {
        let mut opened = opened_together();
        if turned {
            opened.reverse();
        }
        assert_eq!(opened.len(), 3);
        for Opened { situation, attribution, .. } in opened {
            assert_eq!(situation.joint.len(), 2);
            let record = decide_attributed(&situation, attribution).record;
            assert!(record.refusals.iter().any(|refusal| refusal.sentence.contains("`d`")), "{:?}", record.refusals);
            assert_eq!(record, alone(&situation));
        }
    }
}

/// Situations and their pieces, each once, by their digests.
fn kept(recorded: &[Recorded]) -> BTreeMap<SituationDigest, String> {
    let pieces = recorded.iter().flat_map(|recorded| std::iter::once(&recorded.whole).chain(&recorded.pieces));
    pieces.map(|piece| (piece.digest.clone(), piece.json.to_string())).collect()
}

fn read_from(kept: &BTreeMap<SituationDigest, String>, whole: &SituationDigest) -> Result<Situation, ReadError> {
    Situation::read_recorded(&kept[whole], |piece| Ok(kept.get(piece).cloned()))
}

#[test]
fn what_is_recorded_is_read_back_and_decided_the_same() {
    for Opened { situation, attribution, .. } in opened_together() {
        let recorded = situation.recorded().unwrap();
        let kept = kept(std::slice::from_ref(&recorded));
        for (digest, json) in &kept {
            assert_eq!(digest.as_str(), sha256_hex(json.as_bytes()));
        }
        let read = read_from(&kept, &recorded.whole.digest).unwrap();
        assert_eq!(read, situation);
        assert_eq!(decide_attributed(&read, attribution).record, alone(&situation));
        let older = serde_json::to_string(&situation).unwrap();
        // It names no pieces.
        let find = |piece: &SituationDigest| Err(ReadError::Missing(piece.clone()));
        assert_eq!(Situation::read_recorded(&older, find).unwrap(), read, "as an older version wrote it");
        let (piece, rest) = (&recorded.pieces[0].digest, kept.iter().filter(|(digest, _)| **digest != recorded.pieces[0].digest));
        let rest = rest.map(|(digest, json)| (digest.clone(), json.clone())).collect();
        assert!(matches!(read_from(&rest, &recorded.whole.digest), Err(ReadError::Missing(missing)) if missing == *piece));
    }
}

/// A hundred services that breach at once wrote some 25 MB for each of them, and the rounds of all of them a hundred times.
#[test]
fn what_decisions_share_is_recorded_once() {
    let recorded: Vec<Recorded> = opened_together().iter().map(|opened| opened.situation.recorded().unwrap()).collect();
    let rounds = |json: &str| json.matches("\"outcome\"").count();
    assert!(recorded.iter().all(|recorded| rounds(&recorded.whole.json) == 0), "rounds are in pieces");
    let kept = kept(&recorded);
    let measured: usize = kept.values().map(|json| rounds(json)).sum();
    // Four services of sixty rounds; the breaching three look back further than what is beside them does.
    assert!(measured <= 2 * 4 * 60, "{measured} rounds");
}

#[test]
fn what_was_found_in_another_world_does_not_count() {
    let opened = opened_together();
    let (first, before) = (&opened[0].situation, alone(&opened[0].situation));
    assert_eq!(decide(first).record, before);
    let policy = first.joint[0].service.policy.clone();
    let mut later = first.clone();
    later.history.merged.push(MergedRevert {
        repository: policy.repository,
        commit: later.head,
        policies: vec![policy.name],
        at: later.now,
    });
    let cooldown = |record: &DecisionRecord| record.refusals.iter().any(|refusal| refusal.sentence.contains("The last revert for `b`"));
    assert!(!cooldown(&before));
    assert!(cooldown(&decide(&later).record), "the other service was reverted just now");
}
