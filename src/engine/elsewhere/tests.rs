//! What another instance says, by when it applied the change and how it fares.

use std::collections::BTreeMap;

use super::*;
use crate::engine::id::{BranchName, CommitId, InstanceName, RepositoryName, SloName};
use crate::engine::landing::LandingShape;
use crate::engine::policy::{Policy, sample};
use crate::engine::round::{Outcome, Round, Unknown};
use crate::engine::situation::SloSeries;

/// The breach begins in the round from here to ten seconds later.
const ONSET: i64 = 1000;
const NOW: i64 = 1100;

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

fn policy() -> Policy {
    sample::policy(&["eu", "us"])
}

/// What is known of the change in the other instance, and its rounds of ten seconds: good up to `from`, then as `then` says, up to `NOW`.
fn other(fact: Option<AppliedFact>, from: i64, then: &Outcome) -> ServiceEvidence {
    let round = |end: i64| {
        let outcome = if end <= from { Outcome::Good("200".into()) } else { then.clone() };
        Round { start: at(end - 10), end: at(end), outcome }
    };
    let rounds = (1..=NOW / 10).map(|number| round(number * 10)).collect();
    let series = vec![SloSeries { slo: SloName::new("up"), rounds }];
    let applied = Some(fact.into_iter().map(|fact| (CommitId([1; 20]), fact)).collect::<BTreeMap<_, _>>());
    ServiceEvidence { applied, ..ServiceEvidence::measured(policy(), InstanceName::new("us"), series) }
}

fn asked(other: &ServiceEvidence) -> Says {
    asked_at(other, at(NOW))
}

fn asked_at(other: &ServiceEvidence, now: Timestamp) -> Says {
    let landing = Landing {
        repository: RepositoryName::new("manifests"),
        branch: BranchName::new("main"),
        from: None,
        to: CommitId([1; 20]),
        landed: Interval::new(at(900), at(910)),
        shape: LandingShape::Line,
        changes: Vec::new(),
    };
    says(other, &[&landing], Interval::new(at(ONSET), at(ONSET + 10)), now)
}

fn applied(after: i64, by: i64) -> Option<AppliedFact> {
    Some(AppliedFact::at(Interval::new(at(after), at(by))))
}

fn not_yet(until: i64) -> Option<AppliedFact> {
    Some(AppliedFact::NotYet { until: at(until) })
}

fn bad() -> Outcome {
    Outcome::Bad("500".into())
}

fn unknown() -> Outcome {
    Outcome::Unknown(Unknown::NoData)
}

#[test]
fn one_without_the_change_is_a_control() {
    assert_eq!(asked(&other(not_yet(NOW), NOW, &bad())), Says::HealthyWithout { at: None });
    assert_eq!(asked(&other(None, NOW, &bad())), Says::HealthyWithout { at: None }, "never applied");
    assert_eq!(asked(&other(not_yet(NOW), ONSET, &bad())), Says::FailsWithout);
    assert_eq!(asked(&other(not_yet(NOW), ONSET, &unknown())), Says::FailsWithout, "unknown clears nobody");
    assert_eq!(asked(&other(not_yet(NOW), ONSET - 300, &bad())), Says::FailedBefore, "it had failed long before");
    assert_eq!(asked(&other(applied(ONSET - 60, ONSET - 50), ONSET - 300, &bad())), Says::FailedBefore, "also where it has the change now");
}

#[test]
fn whether_it_lacked_the_change_counts_at_the_time_of_its_trouble() {
    assert_eq!(asked(&other(applied(1000, 1005), ONSET, &bad())), Says::Nothing, "it failed after it had applied it");
    assert_eq!(asked(&other(applied(1050, 1055), ONSET, &bad())), Says::FailsWithout, "and here before");
    let not_said_since = Says::NotHeardYet { at: at(ONSET - 20) };
    assert_eq!(asked(&other(not_yet(ONSET - 20), ONSET, &bad())), not_said_since, "what it runs since then was not said");
    assert_eq!(asked(&other(not_yet(ONSET - 20), ONSET, &unknown())), not_said_since);
    assert_eq!(asked(&other(not_yet(ONSET - 20), NOW, &bad())), Says::HealthyWithout { at: Some(at(ONSET - 20)) });
    let silent = Some(AppliedFact::Unknown { after: None, why: "down".into() });
    assert_eq!(asked(&other(silent.clone(), ONSET, &bad())), Says::Nothing);
    assert_eq!(asked(&other(silent, NOW, &bad())), Says::Nothing, "not known to lack it: no control");
}

#[test]
fn one_that_runs_the_change_well_is_told_from_one_that_has_just_got_it() {
    assert_eq!(asked(&other(applied(930, 940), NOW, &bad())), Says::RunsWellWith { since: at(940) });
    assert_eq!(asked(&other(applied(930, 940), ONSET, &unknown())), Says::RunsWellWith { since: at(940) }, "not known to fail");
    assert_eq!(asked(&other(applied(930, 940), ONSET, &bad())), Says::Nothing, "it fails as well");
    assert_eq!(asked(&other(applied(1005, 1060), NOW, &bad())), Says::Nothing, "for a baseline it may still begin");
    let left = Interval::new(at(970), at(975));
    let rolled_back = Some(AppliedFact::At { applied: Interval::new(at(930), at(940)), left: Some(left), gaps: Vec::new() });
    assert_eq!(asked(&other(rolled_back, NOW, &bad())), Says::Nothing);
}

#[test]
fn one_bad_round_is_waited_for() {
    let mut young = other(not_yet(NOW), ONSET, &bad());
    young.series[0].rounds.retain(|round| round.end <= at(ONSET + 10));
    assert_eq!(asked_at(&young, at(ONSET + 12)), Says::UndecidedWithout);
}
