use super::*;
use crate::config::judge_file::CaseReader;

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
