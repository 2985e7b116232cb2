//! What is decided once something in a situation is changed, and what is said of it.

use super::*;
use crate::engine::attribution::attribute;
use crate::engine::decision::DecisionVerdict;
use crate::engine::guardrail::RefusalCode;
use crate::engine::id::{CommitId, RepositoryName};
use crate::engine::landing::Landing;
use crate::engine::round::{Outcome, Unknown};
use crate::engine::situation::ServiceEvidence;
use crate::engine::sync::applied::{AppliedFact, Gap};
use crate::engine::time::Interval;

/// The first situation of a case at its `now`.
fn situation(line: &str) -> Situation {
    let case = CaseReader::default().read(line).unwrap();
    let evidence = CaseEvidence::of(&case);
    opened_at(&evidence, Timestamp(case.now), &mut Incidents::forgetful(evidence.services())).remove(0).situation
}

/// One suspect, applied between 325 and 330; the breach begins between 329 and 340.
fn merged() -> Situation {
    let landings = landing(SUSPECT, 300, "", &applied(330));
    let rounds = rounds(340, 600);
    situation(&format!(r#"{{"id":"x","now":600000,"policies":[{POLICY}],"landings":[{landings}],"rounds":[{rounds}]}}"#))
}

fn between(after: i64, by: i64) -> Interval {
    Interval::new(Timestamp::from_secs(after), Timestamp::from_secs(by))
}

/// The same where this is known of the suspect.
fn with_fact(fact: AppliedFact) -> Situation {
    let situation = merged();
    let applied = Some([(situation.landings[0].to, fact)].into());
    Situation { service: ServiceEvidence { applied, ..(*situation.service).clone() }.into(), ..situation }
}

/// The same where the commits came to another branch before, which is watched as a repository of its own.
fn promoted(situation: Situation) -> Situation {
    let elsewhere = |landing: &Landing| Landing { repository: RepositoryName::new("staging"), to: CommitId([9; 20]), ..landing.clone() };
    let landings: Vec<Landing> = situation.landings.iter().map(elsewhere).chain(situation.landings.iter().cloned()).collect();
    Situation { landings: landings.into(), ..situation }
}

fn codes(situation: &Situation) -> (DecisionVerdict, Vec<RefusalCode>) {
    let record = alone(situation);
    (record.verdict, record.refusals.into_iter().map(|refusal| refusal.code).collect())
}

#[test]
fn the_same_commit_on_another_branch_says_nothing_of_when_it_was_applied_here() {
    assert_eq!(codes(&promoted(merged())), (DecisionVerdict::Merge, vec![]));
    let unknown = with_fact(AppliedFact::Unknown { after: None, why: "down".into() });
    let left = Some(between(400, 410));
    let rolled_back = with_fact(AppliedFact::At { applied: between(325, 330), left, gaps: Vec::new() });
    for (situation, code) in [(unknown, RefusalCode::AppliedUnknown), (rolled_back, RefusalCode::RolledBackByHand)] {
        let (verdict, refusals) = codes(&promoted(situation));
        assert!(verdict == DecisionVerdict::Propose && refusals.contains(&code), "{verdict:?} {refusals:?}");
    }
}

#[test]
fn what_was_out_of_the_cluster_when_the_breach_began_is_no_suspect() {
    let fact = |applied, left, again| AppliedFact::At { applied, left: None, gaps: vec![Gap { left, again }] };
    let absent = with_fact(fact(between(100, 110), between(300, 310), between(345, 350)));
    assert_eq!(attribute(&absent).unwrap().suspects, []);
    // Also where it was there for long before it was taken out.
    let again = with_fact(fact(between(-4000, -3990), between(100, 110), between(325, 330)));
    assert_eq!(codes(&again), (DecisionVerdict::Merge, vec![]));
}

#[test]
fn an_undone_change_of_a_dependency_is_not_brought_back() {
    let needs = POLICY.replace(r#""paths""#, r#""dependsOn":["b"],"paths""#);
    let of_b = |text: &str| text.replace("\"a\"", "\"b\"").replace("a/", "b/");
    let decided = |more: &str| {
        let at = |from: i64| {
            let times = format!(r#"{{"earliest":{},"latest":{}}}"#, (from - 5) * 1000, from * 1000);
            format!(r#"{{"a/default":{times},"b/default":{times}}}"#)
        };
        let change = |commit: &str, from: i64, more: &str| {
            landing(commit, from, more, &at(from)).replace("a/deployment", "b/deployment").replace("deployment", &commit[..1])
        };
        let landings = [change(SUSPECT, 735, ""), change(REVERT, 1330, more)].join(",");
        let rounds = [rounds(1340, 1600), of_b(&rounds(9000, 1600))].join(",");
        let policies = [needs.as_str(), &of_b(POLICY)].join(",");
        let line = format!(r#"{{"id":"x","now":1600000,"policies":[{policies}],"landings":[{landings}],"rounds":[{rounds}]}}"#);
        judge(&CaseReader::default().read(&line).unwrap(), DecideAt::Now)
    };
    assert_eq!(decided("").action, JudgedAction::Propose, "{:?}", decided(""));
    let undone = decided(&format!(r#","reverts":"{SUSPECT}""#));
    assert_eq!((undone.action, undone.refusal.as_deref()), (JudgedAction::None, Some("noSuspect")), "{undone:?}");
}

#[test]
fn what_was_reverted_again_after_it_was_brought_back_is_undone() {
    let ids: Vec<String> = (1..=4).map(|number: u8| number.to_string().repeat(40)).collect();
    let decided = |reverts: &[(usize, usize)]| {
        let revert = |(place, (of, by)): (usize, &(usize, usize))| {
            let at = 345 + 5 * place as i64;
            landing(&ids[*by], at, &format!(r#","reverts":"{}""#, ids[*of]), &applied(at + 55))
        };
        let first = std::iter::once(landing(&ids[0], 300, "", &applied(330)));
        let landings: Vec<String> = first.chain(reverts.iter().enumerate().map(revert)).collect();
        let answer = decide_case(&landings.join(","), &rounds(340, 600), "", 600, DecideAt::Now);
        (answer.action, answer.refusal)
    };
    let undone = (JudgedAction::None, Some("alreadyUndone".to_owned()));
    assert_eq!(decided(&[(0, 1)]), undone);
    assert_ne!(decided(&[(0, 1), (1, 2)]), undone, "it is there again");
    assert_eq!(decided(&[(0, 1), (1, 2), (0, 3)]), undone);
    assert_eq!(decided(&[(0, 1), (1, 2), (2, 3)]), undone, "the first revert stands again");
}

#[test]
fn where_no_change_can_have_done_it_the_window_is_named() {
    let answer = decide_case(&landing(SUSPECT, 300, "", "{}"), &rounds(340, 600), "", 600, DecideAt::Now);
    assert_eq!(answer.why, "None of the 1 changes since 30m before the breach touches `a` and can have done it.");
}

/// A breach from 2340 on after a change at 2300, beside other services with these rounds, each every so many seconds.
fn among(others: &[(&str, &str, String)]) -> Answer {
    let named = |text: &str, name: &str| text.replace("\"a\"", &format!("\"{name}\"")).replace("a/", &format!("{name}/"));
    let every = |every: &str| POLICY.replace(r#""unreachable""#, &format!(r#""every":"{every}","unreachable""#));
    let of_others = others.iter().map(|(name, seconds, _)| named(&every(seconds), name));
    let policies: Vec<String> = std::iter::once(POLICY.to_owned()).chain(of_others).collect();
    let all: Vec<String> = std::iter::once(rounds(2340, 2480)).chain(others.iter().map(|(name, _, rounds)| named(rounds, name))).collect();
    let landing = landing(SUSPECT, 2300, "", &applied(2330));
    let line =
        format!(r#"{{"id":"x","now":2480000,"policies":[{}],"landings":[{landing}],"rounds":[{}]}}"#, policies.join(","), all.join(","));
    judge(&CaseReader::default().read(&line).unwrap(), DecideAt::Now)
}

#[test]
fn an_outage_of_few_names_what_is_usual() {
    let failing = |name| (name, "10s", rounds(2340, 2480));
    let few = among(&[failing("b"), failing("c")]).why;
    let limit = "2 of them untouched by any change in the window (of the 2 untouched 0.06 begin to fail in so long a time as a rule; 2 of them by chance: p = 0.002, limit 0.05)";
    assert!(few.contains(limit), "{few}");
    let many = among(&[failing("b"), failing("c"), failing("d")]).why;
    assert!(many.contains("3 of them untouched by any change in the window (limit 3, and a quarter of the 3 untouched)"), "{many}");
}

#[test]
fn a_service_that_was_not_measured_since_is_not_said_to_fail() {
    let round = |end: i64| format!(r#"{{"policy":"a","slo":"up","start":{},"end":{},"good":true}}"#, (end - 1) * 1000, end * 1000);
    let slow = (1..8).map(|number| round(number * 300)).collect::<Vec<_>>().join(",");
    let why = among(&[("b", "5m", slow)]).why;
    let silent = "1 of 2 services that no suspect touches were not measured for long enough since the breach began (limit 0): `b`.";
    assert!(why.ends_with(silent) && !why.contains("began to fail"), "{why}");
}

/// Two SLOs that both have to breach, and do; then the newest rounds of the second one become these.
fn with_second(outcome: &Outcome) -> Situation {
    let slo = |name: &str| format!(r#"{{"name":"{name}","indicator":{{"http":{{"url":"http://a/","unreachable":"unknown"}}}}}}"#);
    let policy = POLICY.replace(&slo("up"), &format!("{},{}", slo("up"), slo("more"))).replace(r#""slos""#, r#""breachWhen":"all","slos""#);
    let rounds = [rounds(340, 600), rounds(340, 600).replace("\"up\"", "\"more\"")].join(",");
    let landings = landing(SUSPECT, 300, "", &applied(330));
    let situation = situation(&format!(r#"{{"id":"x","now":600000,"policies":[{policy}],"landings":[{landings}],"rounds":[{rounds}]}}"#));
    let mut service = (*situation.service).clone();
    for round in service.series[1].rounds.iter_mut().rev().take(5) {
        round.outcome = outcome.clone();
    }
    Situation { service: service.into(), ..situation }
}

#[test]
fn nothing_is_done_once_fewer_slos_breach_than_have_to() {
    let bad = alone(&with_second(&Outcome::Bad("500".into())));
    assert_eq!(bad.verdict, DecisionVerdict::Merge, "{bad:?}");
    for outcome in [Outcome::Good("200".into()), Outcome::Unknown(Unknown::NoData)] {
        let record = alone(&with_second(&outcome));
        let sentence =
            "1 of 2 SLOs breach now, `up`, and `breachWhen` asks for 2; it is waited until so many do, or the service is healthy.";
        assert_eq!((record.verdict, record.sentence.as_str()), (DecisionVerdict::Wait, sentence), "{record:?}");
    }
}
