//! The guardrails that need no whole situation.

use std::time::Duration;

use super::merge::outside_hours;
use super::propose::maintenance;
use super::*;
use crate::engine::policy::{Guardrails, Limits};
use crate::engine::schedule::RecurringWindow;

/// Monday 2026-11-23, 12:00 UTC: 13:00 in Berlin.
const MONDAY_NOON: Timestamp = Timestamp::from_secs(1_795_435_200);

fn guardrails(schedule: &str) -> Guardrails {
    let window =
        RecurringWindow { schedule: schedule.to_owned(), time_zone: "Europe/Berlin".to_owned(), length: Duration::from_secs(15 * 3600) };
    Guardrails { cooldown: Duration::ZERO, limits: Limits::default(), merge_hours: vec![window.clone()], maintenance: vec![window] }
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
