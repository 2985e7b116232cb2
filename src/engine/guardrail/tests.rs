//! The guardrails that need no whole situation.

use std::time::Duration;

use super::merge::{self, outside_hours};
use super::propose::maintenance;
use super::*;
use crate::engine::grade::{Grade, Level, Reason, ReasonCode};
use crate::engine::id::{CommitId, PolicyName, TreeId};
use crate::engine::plan::{CleanInverse, EarlierState, InverseMethod, PlanKind, PlannedPath};
use crate::engine::policy::{Guardrails, Limits};
use crate::engine::schedule::RecurringWindow;

/// Monday 2026-11-23, 12:00 UTC: 13:00 in Berlin.
const MONDAY_NOON: Timestamp = Timestamp::from_secs(1_795_435_200);

fn guardrails(schedule: &str) -> Guardrails {
    let window =
        RecurringWindow { schedule: schedule.to_owned(), time_zone: "Europe/Berlin".to_owned(), length: Duration::from_secs(15 * 3600) };
    Guardrails {
        cooldown: Duration::ZERO,
        limits: Limits::default(),
        merge_hours: vec![window.clone()],
        further_hours: Vec::new(),
        maintenance: vec![window],
        max_services: 1,
        max_objects: 20,
        never_back_to: Vec::new(),
        never: crate::engine::irrevertible::Never::default(),
        assurance: crate::engine::assurance::Assurance::default(),
    }
}

#[test]
fn outside_its_hours_nothing_is_merged_without_an_approval() {
    let nights = guardrails("0 18 * * MON-FRI");
    let refusal = outside_hours(&nights, MONDAY_NOON).unwrap();
    assert_eq!(refusal.code, RefusalCode::OutsideHours);
    assert_eq!(
        refusal.sentence,
        "This is outside the hours of merging: `0 18 * * MON-FRI` (Europe/Berlin) for 15h opens next at 2026-11-23T17:00:00Z, in 5h."
    );
    assert!(refusal.code.is_lifted_by_approval() && !refusal.code.is_final());
    assert_eq!(outside_hours(&nights, MONDAY_NOON + Duration::from_secs(6 * 3600)), None);
    assert!(outside_hours(&guardrails("0 99 * * *"), MONDAY_NOON).is_some(), "hours that cannot be read are closed");
    let newer = Guardrails { further_hours: vec![nights.merge_hours], ..guardrails("0 9 * * MON-FRI") };
    assert_eq!(outside_hours(&guardrails("0 9 * * MON-FRI"), MONDAY_NOON), None);
    assert!(outside_hours(&newer, MONDAY_NOON).is_some(), "the hours of a newer version hold as well");
}

#[test]
fn in_a_maintenance_window_breaches_are_expected() {
    let nights = guardrails("0 18 * * MON-FRI");
    assert_eq!(maintenance(&nights, MONDAY_NOON), None);
    let refusal = maintenance(&nights, MONDAY_NOON + Duration::from_secs(6 * 3600)).unwrap();
    assert_eq!(refusal.code, RefusalCode::Maintenance);
    assert_eq!(
        refusal.sentence,
        "A maintenance window is open: `0 18 * * MON-FRI` (Europe/Berlin) for 15h, until 2026-11-24T08:00:00Z; breaches are expected in it."
    );
    assert!(!refusal.code.is_final());
    assert!(maintenance(&guardrails("0 99 * * *"), MONDAY_NOON).is_some(), "a window that cannot be read counts as open");
}

fn planned(kind: PlanKind, grade: Option<Grade>) -> CleanInverse {
    let path = |path: &str| PlannedPath { path: path.to_owned(), from: None, to: None };
    CleanInverse {
        base: CommitId([1; 20]),
        tree: TreeId([2; 20]),
        method: InverseMethod::Exact,
        paths: vec![path("a.yaml"), path("b.yaml")].into(),
        kind,
        account: None,
        grade: grade.map(Grade::into),
        earlier: EarlierState::NotLooked,
        brings_back: Vec::new(),
        protected: Vec::new(),
        rendered: std::collections::BTreeMap::new(),
    }
}

fn graded(paths: &[&str]) -> Grade {
    Grade {
        level: Level::Safe,
        reasons: Vec::new(),
        more: 0,
        objects: 20,
        services: [PolicyName::new("checkout")].into(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}

fn codes_of(inverse: &CleanInverse) -> Vec<RefusalCode> {
    merge::files(&guardrails("0 18 * * MON-FRI"), inverse).iter().map(|refusal| refusal.code).collect()
}

#[test]
fn what_was_not_looked_at_is_not_merged() {
    assert_eq!(codes_of(&planned(PlanKind::Revert, None)), [RefusalCode::NotGraded]);
    assert_eq!(codes_of(&planned(PlanKind::Revert, Some(graded(&["a.yaml"])))), [RefusalCode::NotGraded]);
    assert_eq!(codes_of(&planned(PlanKind::Revert, Some(graded(&["a.yaml", "b.yaml"])))), []);
}

#[test]
fn only_gits_own_inverse_is_merged_without_a_person() {
    for kind in [PlanKind::Values, PlanKind::LastKnownGood, PlanKind::Paths] {
        assert_eq!(codes_of(&planned(kind, Some(graded(&["a.yaml", "b.yaml"])))), [RefusalCode::NotAPlainRevert], "{kind:?}");
    }
}

#[test]
fn an_approval_lifts_the_grade_but_not_the_gravest() {
    let both = ["a.yaml", "b.yaml"];
    let reason = |level| Reason {
        code: ReasonCode::DeletesData,
        level,
        object: "PersistentVolumeClaim data".to_owned(),
        field: String::new(),
        sentence: "PersistentVolumeClaim data goes.".to_owned(),
    };
    let of = |level| Grade { level, reasons: vec![reason(level)], ..graded(&both) };
    let human = merge::files(&guardrails("0 18 * * MON-FRI"), &planned(PlanKind::Revert, Some(of(Level::Human))));
    assert_eq!(human[0].sentence, "A person has to look at it: PersistentVolumeClaim data goes.");
    assert!(human[0].code.is_lifted_by_approval());
    let refuse = codes_of(&planned(PlanKind::Revert, Some(of(Level::Refuse))));
    assert_eq!(refuse, [RefusalCode::TooDangerous]);
    assert!(!refuse[0].is_lifted_by_approval() && !refuse[0].is_lifted_by_force());
    let many = Grade { objects: 21, services: ["a", "b"].map(PolicyName::new).into(), ..graded(&both) };
    assert_eq!(codes_of(&planned(PlanKind::Revert, Some(many))), [RefusalCode::MaxServices, RefusalCode::MaxObjects]);
}

#[test]
fn codes_of_older_journals_are_read() {
    for old in ["deletesFile", "dangerousKind"] {
        assert_eq!(serde_json::from_value::<RefusalCode>(old.into()).unwrap(), RefusalCode::NeedsHuman);
    }
}
