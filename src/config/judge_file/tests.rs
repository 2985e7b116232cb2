//! Lines as people write them, right and wrong.

use super::*;

fn read(line: &str) -> Result<Case, InvalidCase> {
    CaseReader::default().read(line)
}

const POLICY: &str = r#"{"apiVersion":"revertd.dev/v1alpha1","kind":"RevertPolicy","metadata":{"name":"a"},"spec":{"repository":"m","paths":["a/**"],"sync":{"source":"none of yours"},"slos":[{"name":"up","indicator":{"http":{"url":"http://a/","unreachable":"unknown"}},"objective":{"target":"99%"}},{"name":"bare","indicator":{"http":{"url":"http://a/","unreachable":"unknown"}}}]}}"#;

fn case(rest: &str) -> Result<Case, InvalidCase> {
    read(&format!(r#"{{"id":"x","now":1000,"policies":[{POLICY}]{rest}}}"#))
}

#[test]
fn a_policy_is_read_as_an_agent_reads_it_and_its_sync_is_ignored() {
    let case = case("").unwrap();
    assert_eq!(case.policies.len(), 1);
    assert_eq!(case.policies[0].name, PolicyName::new("a"));
}

#[test]
fn an_openslo_document_stands_beside_the_policy_that_takes_it() {
    let taken =
        r#"{"apiVersion":"revertd.dev/v1alpha1","kind":"RevertPolicy","metadata":{"name":"a"},"spec":{"repository":"m","paths":["a/**"]}}"#;
    let slo = r#"{"apiVersion":"openslo/v1","kind":"SLO","metadata":{"name":"p95"},"spec":{"service":"a","indicator":{"spec":{"thresholdMetric":{"metricSource":{"spec":{"query":"x{}"}}}}},"objectives":[{"op":"lt","value":1}]}}"#;
    let line = |policies: &str| read(&format!(r#"{{"id":"x","now":1000,"policies":[{policies}]}}"#));
    let case = line(&format!("{taken},{slo}")).unwrap();
    assert_eq!(case.policies.len(), 1);
    assert_eq!(case.policies[0].slos[0].name.as_str(), "p95");
    assert!(line(taken).unwrap_err().to_string().contains("lacks the key `slos`"));
}

#[test]
fn a_null_is_unknown_and_an_absent_key_is_a_mistake() {
    let round = |rest: &str| case(&format!(r#","rounds":[{{"policy":"a","slo":"up","start":0,"end":10{rest}}}]"#));
    assert_eq!(round(r#","good":null"#).unwrap().observed.rounds[0].good, Some(None));
    assert_eq!(round(r#","good":3,"total":4"#).unwrap().observed.rounds[0].good, Some(Some(Good::Events(3.0))));
    for wrong in
        ["", r#","good":3"#, r#","good":true,"total":1"#, r#","good":true,"value":1"#, r#","good":true,"why":"stale""#, r#","god":1"#]
    {
        assert!(round(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_not_there_is_said() {
    let message = |rest: &str| case(rest).unwrap_err().to_string();
    assert!(message(r#","rounds":[{"policy":"b","slo":"up","start":0,"end":1,"good":true}]"#).contains("no policy `b`"));
    assert!(message(r#","rounds":[{"policy":"a","slo":"down","start":0,"end":1,"good":true}]"#).contains("no SLO `down`"));
    assert!(message(r#","rounds":[{"policy":"a","slo":"up","instance":"eu","start":0,"end":1,"good":true}]"#).contains("no instance `eu`"));
    assert!(message(r#","controls":[{"start":2,"end":1,"good":true}]"#).contains("ends before it starts"));
    assert!(read(r#"{"id":"x","now":1,"policies":[{"kind":"Agent"}]}"#).is_err());
    assert!(read("nonsense").is_err());
}

#[test]
fn a_mistake_is_named_with_its_place_and_in_words() {
    let message = |rest: &str| case(rest).unwrap_err().to_string();
    let begins = |rest: &str, sentence: &str| assert!(message(rest).starts_with(sentence), "{}", message(rest));
    let landing = |rest: &str| format!(r#","landings":[{{"branch":"main","earliest":1,"latest":2,"changes":[]{rest}}}]"#);
    begins(
        r#","rounds":[{"policy":"a","slo":"up","start":"5","end":1,"good":true}]"#,
        "`rounds[0].start`: invalid type: string \"5\", expected a time in whole Unix milliseconds",
    );
    begins(
        r#","rounds":[{"policy":"a","slo":"up","start":0,"end":1,"good":"yes"}]"#,
        "`rounds[0].good`: it is true, false, null or a number",
    );
    begins(r#","rounds":[5]"#, "`rounds[0]`: invalid type: integer `5`, expected a round, which is an object");
    begins(
        r#","rounds":[{"policy":"a","slo":"up","start":0,"end":1,"good":10,"total":5}]"#,
        "rounds[0]: the round of `a` `up` that ends at 1 has more good",
    );
    begins(&landing(r#","kind":"odd""#), "`landings[0].kind`: unknown value `odd`, expected one of `normal`");
    begins(
        &landing(r#","applied":{"a/default":{"earliest":9,"latest":3}}"#),
        "landings[0]: `applied` of `a/default`: `earliest` 9 is after",
    );
    begins(
        &landing(r#","applied":{"a/mars":{"earliest":1,"latest":3}}"#),
        "landings[0]: `applied` is by `policy/instance`, and there is no `a/mars`",
    );
    assert_eq!(read(r#"["x",5,[],[],[]]"#).unwrap_err().to_string(), "a line is an object, and this is a list");
    assert!(read("5").unwrap_err().to_string().contains("expected an incident, which is an object"));
    assert!(read(r#"{"id":"x""#).unwrap_err().to_string().starts_with("the JSON ends too early"));
}

#[test]
fn a_time_is_whole_milliseconds_of_years_that_there_are() {
    let now = |text: &str| read(&format!(r#"{{"id":"x","now":{text},"policies":[{POLICY}]}}"#)).map(|case| case.now);
    assert_eq!(now("1760000900000.0"), Ok(1_760_000_900_000), "an integer for JSON Schema");
    for wrong in ["-1", "1.5", "253402300800000", "18446744073709551616", "1e300", "null", "\"5\""] {
        assert!(now(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn prometheus_may_count_a_little_more_good_ones_than_all() {
    assert!(case(r#","rounds":[{"policy":"a","slo":"up","start":0,"end":1,"good":1001.7,"total":1000}]"#).is_ok());
}

#[test]
fn a_round_that_the_objective_cannot_judge_is_refused() {
    let round = |slo: &str, rest: &str| case(&format!(r#","rounds":[{{"policy":"a","slo":"{slo}","start":0,"end":10,{rest}}}]"#));
    let message = |slo: &str, rest: &str| round(slo, rest).unwrap_err().to_string();
    assert!(message("up", r#""value":0.0"#).ends_with("that ends at 10 has a `value`, and the objective has neither `max` nor `min`"));
    assert!(message("bare", r#""good":3,"total":4"#).ends_with("has counts, and the objective has no `target`"));
    for judged in [r#""good":true"#, r#""good":null"#, r#""value":null"#] {
        assert!(round("up", judged).is_ok() && round("bare", judged).is_ok(), "{judged}");
    }
    assert!(round("up", r#""good":3,"total":4"#).is_ok());
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let policy = POLICY.replace(r#""paths""#, r#""revert":{"mode":"merge"},"revert":{"mode":"observe"},"paths""#);
    let message = read(&format!(r#"{{"id":"x","now":1000,"policies":[{policy}]}}"#)).unwrap_err().to_string();
    assert!(message.starts_with("`policies[0].spec") && message.contains("twice the key `revert`"), "{message}");
    let applied = r#""a/default":{"earliest":1,"latest":3}"#;
    let landing = format!(r#","landings":[{{"branch":"main","earliest":1,"latest":2,"changes":[],"applied":{{{applied},{applied}}}}}]"#);
    let message = case(&landing).unwrap_err().to_string();
    assert!(message.starts_with("`landings[0].applied") && message.contains("twice the key `a/default`"), "{message}");
}

#[test]
fn a_list_is_no_landing_and_no_round() {
    let message = |rest: &str| case(rest).unwrap_err().to_string();
    let sentence = message(r#","landings":[["main",1,2,"normal",{},[]]]"#);
    assert!(sentence.starts_with("`landings[0]`: invalid type: list, expected a landing, which is an object"), "{sentence}");
    assert!(message(r#","controls":[["control",1,2,true]]"#).contains("expected a round of a control"));
    assert!(message(r#","expected":["none",[]]"#).contains("expected what should be decided"));
}

#[test]
fn a_commit_stands_once_on_a_branch_that_was_not_rewritten() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let change = format!(r#"{{"commit":"{commit}","author":"Robin","subject":"Change","paths":[]}}"#);
    let landings = |kind: &str| {
        let landing = |kind: &str| format!(r#"{{"branch":"main","earliest":1,"latest":2,"kind":"{kind}","changes":[{change}]}}"#);
        case(&format!(r#","landings":[{},{}]"#, landing("normal"), landing(kind)))
    };
    let message = landings("normal").unwrap_err().to_string();
    assert_eq!(message, format!("landings[1]: another change of `main` is the commit {commit} as well"));
    assert!(landings("rewritten").is_ok());
    let twice = format!(r#","landings":[{{"branch":"main","latest":2,"changes":[{change},{change}]}}]"#);
    assert!(case(&twice).unwrap_err().to_string().starts_with("landings[0]: another change"));
}
