//! A branch of numbered commits on one line, each containing those with smaller numbers; 200 and up are of another line.

use proptest::prelude::*;

use super::*;
use crate::engine::id::InstanceName;
use crate::engine::sync::FailureCause;

const PATIENCE: Patience = Patience { stuck_after: Duration::from_secs(600), unwatched_rollout: Duration::from_secs(60) };
const CHANGE: u8 = 5;

fn commit(number: u8) -> CommitId {
    CommitId([number; 20])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

fn contains(revision: CommitId, change: CommitId) -> Contains {
    match (revision.0[0], change.0[0]) {
        (255, _) => Contains::Unknown,
        (revision, change) if revision == change => Contains::Yes,
        (200.., _) => Contains::No,
        (revision, change) if revision > change => Contains::Yes,
        _ => Contains::No,
    }
}

fn report(second: i64, state: SyncState, attempted: u8, applied: u8) -> SyncReport {
    SyncReport {
        at: at(second),
        state,
        shows: AttemptShows::AtBegin,
        attempted: Some(ReportedRevision::of(commit(attempted))),
        applied: vec![ReportedRevision::of(commit(applied))],
        rollout: Rollout::Complete,
    }
}

fn good(second: i64, revision: u8) -> SyncReport {
    report(second, SyncState::Applied, revision, revision)
}

fn failed(second: i64, attempted: u8, applied: u8, cause: FailureCause) -> SyncReport {
    report(second, SyncState::Failed { why: "no".into(), cause }, attempted, applied)
}

fn followed_at(change: u8, reports: impl IntoIterator<Item = SyncReport>, now: i64) -> Followed {
    let mut history = Vec::new();
    for report in reports {
        ReportRun::record(&mut history, report);
    }
    follow(commit(change), Interval::new(at(100), at(110)), &history, contains, PATIENCE, at(now))
}

fn followed(reports: impl IntoIterator<Item = SyncReport>) -> Followed {
    followed_at(CHANGE, reports, 300)
}

fn between_seconds(after: i64, by: i64) -> Interval {
    Interval::new(at(after), at(by))
}

/// Whether a change was in the cluster at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// It was.
    Present,
    /// It was not: such an instance is a negative control.
    Absent,
    /// It cannot be told.
    Unknown,
}

/// Whether it was in the cluster at `at`.
fn presence(followed: &Followed, at: Timestamp) -> Presence {
    // Before it can have been tried, nothing of it is there.
    if followed.attempted.and_then(|attempted| attempted.after).is_some_and(|after| at <= after)
        || (followed.stays.is_empty() && followed.attempted.is_none() && followed.absent_until.is_some_and(|until| at <= until))
    {
        return Presence::Absent;
    }
    for (index, stay) in followed.stays.iter().enumerate() {
        if at < stay.applied.by {
            return Presence::Unknown;
        }
        match stay.left {
            None => return if followed.heard_until.is_some_and(|until| at <= until) { Presence::Present } else { Presence::Unknown },
            Some(left) if left.after.is_some_and(|after| at <= after) => return Presence::Present,
            Some(left) if at < left.by => return Presence::Unknown,
            Some(_) => {}
        }
        let until = match followed.stays.get(index + 1) {
            Some(next) => next.applied.after,
            None => followed.heard_until,
        };
        if until.is_some_and(|until| at <= until) {
            return Presence::Absent;
        }
    }
    Presence::Unknown
}

#[test]
fn every_step_is_an_interval_between_two_reports() {
    let mut rolling = good(150, 7);
    rolling.rollout = Rollout::Progressing;
    let trying = report(130, SyncState::Progressing, 6, 4);
    let followed = followed([good(90, 4), good(120, 4), trying, rolling, good(180, 7)]);
    assert_eq!(followed.attempted, Some(between_seconds(120, 130)));
    // Half of a failing attempt may be in the cluster, so applying begins with the attempt.
    assert_eq!(followed.applied(), Some(between_seconds(120, 150)));
    assert_eq!(followed.effective(), Some(between_seconds(150, 180)));
    assert_eq!(followed.finding, None);
    let presence = [110, 120, 125, 150, 180, 181].map(|second| presence(&followed, at(second)));
    use Presence::{Absent, Present, Unknown};
    assert_eq!(presence, [Absent, Absent, Unknown, Present, Present, Unknown]);
}

#[test]
fn nothing_is_tried_before_it_can_have_landed() {
    let followed = followed([good(120, 5)]);
    assert_eq!(followed.attempted, Some(between_seconds(100, 120)));
    assert_eq!(followed.applied(), Some(between_seconds(100, 120)));
    assert_eq!(presence(&followed, at(100)), Presence::Absent);
}

#[test]
fn the_tools_own_time_counts_where_it_fits_ours() {
    let told = |second, begun, ended| {
        let mut report = good(second, 5);
        report.attempted = Some(ReportedRevision::of(commit(5)).at(Some(at(begun))));
        report.applied = vec![ReportedRevision::of(commit(5)).at(Some(at(ended)))];
        report
    };
    let exact = followed([good(120, 4), told(150, 131, 139)]);
    assert_eq!(exact.attempted, Some(between_seconds(120, 131)));
    assert_eq!(exact.applied(), Some(between_seconds(120, 139)));
    for (begun, ended) in [(20, 30), (160, 170), (120, 120)] {
        let skewed = followed([good(120, 4), told(150, begun, ended)]);
        assert_eq!((skewed.attempted, skewed.applied()), (Some(between_seconds(120, 150)), Some(between_seconds(120, 150))));
    }
}

#[test]
fn a_tool_that_does_not_watch_the_roll_out_is_given_time() {
    let mut unwatched = good(120, 5);
    unwatched.rollout = Rollout::Unwatched;
    assert_eq!(followed([unwatched.clone()]).effective(), Some(between_seconds(100, 180)));
    unwatched.rollout = Rollout::Unknown;
    assert_eq!(followed([unwatched]).effective(), None);
}

#[test]
fn while_both_sides_of_a_roll_out_run_it_is_applied_and_not_effective() {
    let mut both = good(130, 5);
    both.applied.push(ReportedRevision::of(commit(4)));
    let followed = followed([good(120, 4), both, good(140, 5)]);
    assert_eq!(followed.applied(), Some(between_seconds(120, 130)));
    assert_eq!(followed.effective(), Some(between_seconds(120, 140)));
}

#[test]
fn an_older_revision_that_is_applied_again_is_a_rollback_by_hand() {
    let back = |to| report(140, SyncState::Paused, to, to);
    let older = followed([good(90, 4), good(120, 6), back(3)]);
    let expected = Finding::RolledBack { from: commit(6), to: commit(3), direction: Direction::Older, at: between_seconds(120, 140) };
    assert_eq!(older.finding, Some(expected));
    assert_eq!(presence(&older, at(140)), Presence::Absent);
    assert_eq!(older.stays[0].left, Some(between_seconds(120, 140)));
    let elsewhere = followed([good(120, 6), back(200)]);
    assert!(matches!(elsewhere.finding, Some(Finding::RolledBack { direction: Direction::Elsewhere, .. })));
    let again = followed([good(90, 4), good(120, 6), back(3), good(160, 6)]);
    assert_eq!(again.finding, None);
    assert_eq!(again.stays.iter().map(|stay| stay.applied).collect::<Vec<_>>(), [between_seconds(100, 120), between_seconds(140, 160)]);
    assert_eq!(presence(&again, at(150)), Presence::Unknown);
}

#[test]
fn a_change_that_breaks_the_sync_is_told_from_one_that_comes_along() {
    use FailureCause::{Elsewhere, Revision, Unclear};
    let broke = |change, reports: &[SyncReport]| match followed_at(change, reports.to_vec(), 300).finding {
        Some(Finding::BrokeTheSync { tried, before, .. }) => Some((tried, before)),
        other => {
            assert!(matches!(other, Some(Finding::SyncFailed { .. })), "{other:?}");
            None
        }
    };
    let named = Some((Some(commit(5)), commit(4)));
    for cause in [Revision, Unclear] {
        assert_eq!(broke(5, &[good(90, 4), failed(120, 5, 4, cause)]), named);
    }
    assert_eq!(broke(5, &[good(90, 4), failed(120, 5, 4, Elsewhere)]), None);
    // The first look finds it failing: only the tool's word that the revision is at fault counts.
    assert_eq!(broke(5, &[failed(120, 5, 4, Revision)]), named);
    assert_eq!(broke(5, &[failed(120, 5, 4, Unclear)]), None);
    // 6 was tried after 5 failed already.
    let both = [good(90, 4), failed(120, 5, 4, Revision), failed(130, 6, 4, Revision)];
    assert_eq!(broke(6, &both), None);
    assert_eq!(broke(5, &both), Some((Some(commit(6)), commit(4))));
    // The failure is of an attempt without the change.
    assert_eq!(broke(5, &[good(90, 3), failed(120, 4, 3, Revision)]), None);
}

#[test]
fn since_when_a_change_breaks_the_sync_is_an_interval_over_repeated_tries() {
    use FailureCause::{Elsewhere, Revision, Unclear};
    let again = |second| report(second, SyncState::Progressing, 5, 4);
    let since = |reports: &[SyncReport]| followed(reports.to_vec()).broke;
    assert_eq!(since(&[good(90, 4), failed(120, 5, 4, Unclear)]), Some(between_seconds(100, 120)), "not before it can have landed");
    assert_eq!(since(&[good(90, 4), good(115, 4), failed(120, 5, 4, Unclear)]), Some(between_seconds(115, 120)));
    let tried = [good(90, 4), failed(120, 5, 4, Unclear), again(130), failed(140, 5, 4, Unclear), again(150), failed(160, 6, 4, Unclear)];
    assert_eq!(since(&tried), Some(between_seconds(100, 120)), "a new try, also of a later revision, ends nothing");
    assert_eq!(since(&tried[..5]), None, "while it is tried again it does not fail");
    assert_eq!(since(&[failed(90, 4, 3, Elsewhere), failed(120, 5, 3, Revision)]), Some(between_seconds(100, 120)));
    // It was failing at the first look.
    let broke = since(&[failed(120, 5, 4, Revision), failed(130, 5, 4, Revision)]).unwrap();
    assert_eq!((broke.after, broke.by), (None, at(120)));
    assert_eq!(since(&[good(90, 4), failed(120, 5, 4, Elsewhere)]), None);
    assert_eq!(since(&[failed(90, 4, 3, Unclear), failed(120, 5, 3, Unclear)]), None);
}

#[test]
fn a_revert_that_nothing_is_heard_of_is_told() {
    let down = |second| SyncReport::unknown(at(second), "down");
    let told = |reports: &[SyncReport], now| followed_at(CHANGE, reports.to_vec(), now).told(Duration::from_secs(600), at(now));
    assert_eq!(told(&[good(90, 4), down(120)], 700), Some(Finding::Unknown { why: "down".into() }));
    let silent = Finding::Silent { waited: Duration::from_secs(601), why: "down".into() };
    assert_eq!(told(&[good(90, 4), down(120)], 711), Some(silent.clone()));
    assert!(silent.is_news());
    assert_eq!(told(&[good(200, 4), down(220)], 711), Some(Finding::Unknown { why: "down".into() }), "it was heard of later");
    assert_eq!(told(&[good(120, 5), down(220)], 9000), Some(Finding::Unknown { why: "down".into() }), "it is known to be there");
    assert_eq!(told(&[good(120, 5)], 9000), None);
}

#[test]
fn what_a_hydrator_has_not_rendered_is_told_as_that() {
    let rendered = |second| {
        let mut report = good(second, 4);
        report.applied[0].rendered = Some(commit(204));
        report
    };
    let finding = |now| followed_at(CHANGE, [rendered(120)], now).finding;
    assert_eq!(finding(300), Some(Finding::Waiting));
    let waited = Duration::from_secs(601);
    assert_eq!(finding(711), Some(Finding::NotRendered { waited }));
    assert!(Finding::NotRendered { waited }.sentence(commit(5), &InstanceName::new("prod")).contains("look at the hydrator"));
}

#[test]
fn a_revision_that_cannot_be_built_has_no_name() {
    let nameless = |second| SyncReport { attempted: None, ..failed(second, 0, 4, FailureCause::Revision) };
    let broke = followed([good(90, 4), nameless(120)]);
    assert_eq!(broke.finding, Some(Finding::BrokeTheSync { tried: None, before: commit(4), why: "no".into() }));
    assert_eq!(broke.attempted, None);
    // It failed before the change can have landed.
    assert_eq!(followed([nameless(90), nameless(120)]).finding, Some(Finding::SyncFailed { why: "no".into() }));
    assert_eq!(followed([nameless(120)]).finding, Some(Finding::SyncFailed { why: "no".into() }));
}

#[test]
fn what_is_not_applied_says_why() {
    let finding = |reports: &[SyncReport], now| followed_at(CHANGE, reports.to_vec(), now).finding;
    let still = |state| report(120, state, 4, 4);
    assert_eq!(finding(&[still(SyncState::Paused)], 9000), Some(Finding::Paused));
    assert_eq!(finding(&[still(SyncState::Suspended)], 9000), Some(Finding::Suspended));
    assert_eq!(finding(&[good(700, 4)], 710), Some(Finding::Waiting));
    assert_eq!(finding(&[good(700, 4)], 711), Some(Finding::Stuck { waited: Duration::from_secs(601) }));
    // A tool that goes on trying an older revision does not pick up the newer one.
    assert_eq!(finding(&[still(SyncState::Progressing)], 711), Some(Finding::Stuck { waited: Duration::from_secs(601) }));
    assert_eq!(finding(&[report(700, SyncState::Progressing, 5, 4)], 9000), Some(Finding::Waiting));
    let not_asked = Some(Finding::Unknown { why: "the sync source has not been asked yet".into() });
    assert_eq!(finding(&[], 9000), not_asked);
    let cut_off = [good(120, 5), SyncReport::unknown(at(130), "connection refused")];
    assert_eq!(finding(&cut_off, 9000), Some(Finding::Unknown { why: "connection refused".into() }));
    let not_there = Some(Finding::Unknown { why: "the repository cannot say whether ffffffffff contains it".into() });
    assert_eq!(finding(&[good(120, 255)], 9000), not_there);
}

#[test]
fn an_attempt_that_shows_at_its_end_may_have_begun_before() {
    let late = |second, revision| SyncReport { shows: AttemptShows::AtEnd, ..good(second, revision) };
    let applied = followed([late(120, 4), late(140, 5)]);
    assert_eq!((applied.attempted, applied.applied()), (Some(between_seconds(100, 140)), Some(between_seconds(100, 140))));
    assert_eq!(presence(&followed([late(120, 4)]), at(120)), Presence::Unknown);
    assert_eq!(followed_at(CHANGE, [late(120, 4)], 711).finding, Some(Finding::Stuck { waited: Duration::from_secs(601) }));
}

#[test]
fn a_source_that_knows_nothing_of_attempts_bounds_nothing_from_below() {
    let running = |second, revision| SyncReport { attempted: None, ..good(second, revision) };
    let applied = followed([running(120, 4), running(140, 5)]);
    // A pod that starts is not seen at once: what the old one said at 120 is no proof that nothing had begun.
    assert_eq!(applied.applied(), Some(between_seconds(100, 140)));
    assert_eq!(presence(&applied, at(120)), Presence::Unknown);
    let not_there = |now| followed_at(CHANGE, [running(120, 4)], now);
    assert_eq!(not_there(700).finding, Some(Finding::Waiting));
    assert_eq!(not_there(711).finding, Some(Finding::Stuck { waited: Duration::from_secs(601) }));
    assert_eq!(presence(&not_there(700), at(120)), Presence::Unknown);
}

#[test]
fn each_finding_is_a_sentence_that_names_change_and_instance() {
    let (from, to, before) = (commit(6), commit(3), commit(4));
    let findings = [
        Finding::BrokeTheSync { tried: Some(commit(5)), before, why: "no".into() },
        Finding::BrokeTheSync { tried: None, before, why: "no".into() },
        Finding::RolledBack { from, to, direction: Direction::Older, at: between_seconds(1, 2) },
        Finding::RolledBack { from, to, direction: Direction::Elsewhere, at: between_seconds(1, 2) },
        Finding::SyncFailed { why: "no".into() },
        Finding::Paused,
        Finding::Suspended,
        Finding::Stuck { waited: Duration::from_secs(700) },
        Finding::NotRendered { waited: Duration::from_secs(700) },
        Finding::Silent { waited: Duration::from_secs(700), why: "no".into() },
        Finding::MayBeRolledBack { why: "no".into() },
        Finding::Waiting,
    ];
    for finding in findings {
        let sentence = finding.sentence(commit(5), &InstanceName::new("prod-eu"));
        assert!(sentence.contains("0505050505") && sentence.contains("`prod-eu`"), "{sentence}");
        assert_eq!(finding.is_news(), finding != Finding::Waiting);
    }
    let unknown = Finding::Unknown { why: "timed out".into() };
    assert_eq!(unknown.sentence(commit(5), &InstanceName::new("prod-eu")), "what `prod-eu` runs cannot be told: timed out");
    assert!(!unknown.is_news());
}

/// A world in which revisions only go up: at each time one is tried, and a little later applied.
fn world() -> impl Strategy<Value = Vec<(i64, u8, i64)>> {
    proptest::collection::vec((20_i64..60, 0_u8..3, 1_i64..15), 1..12).prop_map(|steps| {
        let (mut now, mut revision, mut world) = (0, 2, Vec::new());
        for (wait, up, takes) in steps {
            now += wait;
            revision += up;
            world.push((now, revision, now + takes));
        }
        world
    })
}

/// The report of that world at a time: what was last tried, and what was last applied.
fn seen(world: &[(i64, u8, i64)], second: i64) -> SyncReport {
    let tried = world.iter().rfind(|(begun, ..)| *begun <= second).map_or(1, |(_, revision, _)| *revision);
    let applied = world.iter().rfind(|(.., ended)| *ended <= second).map_or(1, |(_, revision, _)| *revision);
    report(second, if tried == applied { SyncState::Applied } else { SyncState::Progressing }, tried, applied)
}

fn looks() -> impl Strategy<Value = Vec<(i64, bool)>> {
    proptest::collection::vec((1_i64..40, proptest::bool::weighted(0.7)), 1..40).prop_map(|steps| {
        let mut now = 0;
        steps
            .into_iter()
            .map(|(wait, answered)| {
                now += wait;
                (now, answered)
            })
            .collect()
    })
}

fn reports(world: &[(i64, u8, i64)], looks: &[(i64, bool)]) -> Vec<SyncReport> {
    let report = |(second, answered): &(i64, bool)| match answered {
        true => seen(world, *second),
        false => SyncReport::unknown(at(*second), "cut off"),
    };
    looks.iter().map(report).collect()
}

fn within(inner: Interval, outer: Interval) -> bool {
    inner.earliest() >= outer.earliest() && inner.by <= outer.by
}

fn follow_all(reports: &[SyncReport]) -> Followed {
    let mut history = Vec::new();
    reports.iter().for_each(|report| ReportRun::record(&mut history, report.clone()));
    follow(commit(CHANGE), Interval::unbounded(at(0)), &history, contains, PATIENCE, at(10_000))
}

proptest! {
    #[test]
    fn what_happened_lies_within_what_is_said(world in world(), looks in looks()) {
        let followed = follow_all(&reports(&world, &looks));
        let begun = world.iter().find(|(_, revision, _)| *revision >= CHANGE).map(|(begun, ..)| at(*begun));
        let ended = world.iter().find(|(_, revision, _)| *revision >= CHANGE).map(|(.., ended)| at(*ended));
        if let Some(attempted) = followed.attempted {
            let begun = begun.unwrap();
            prop_assert!(attempted.earliest() < begun && begun <= attempted.by, "{attempted} {begun}");
        }
        if let Some(applied) = followed.applied() {
            let ended = ended.unwrap();
            prop_assert!(applied.earliest() < ended && ended <= applied.by, "{applied} {ended}");
        }
        for second in 0..700 {
            let there = ended.is_some_and(|ended| ended <= at(second));
            let touched = begun.is_some_and(|begun| begun <= at(second));
            match presence(&followed, at(second)) {
                Presence::Present => prop_assert!(there, "{second}"),
                Presence::Absent => prop_assert!(!touched, "{second}"),
                Presence::Unknown => {}
            }
        }
    }

    #[test]
    fn intervals_only_narrow(world in world(), looks in looks()) {
        let reports = reports(&world, &looks);
        let mut before = follow_all(&[]);
        for length in 1..=reports.len() {
            let after = follow_all(&reports[..length]);
            if let Some(old) = before.attempted {
                prop_assert!(after.attempted.is_some_and(|new| within(new, old)));
            }
            if let Some(old) = before.applied() {
                prop_assert!(after.applied().is_some_and(|new| within(new, old)));
            }
            if let Some(old) = before.effective() {
                prop_assert!(after.effective().is_some_and(|new| within(new, old)));
            }
            before = after;
        }
    }

    #[test]
    fn more_answers_only_narrow_and_silence_never_makes_anything_applied(world in world(), looks in looks(), hidden in 0_usize..40) {
        let whole = reports(&world, &looks);
        let mut less = whole.clone();
        if let Some(report) = less.get_mut(hidden) {
            *report = SyncReport::unknown(report.at, "cut off");
        }
        let (whole, less) = (follow_all(&whole), follow_all(&less));
        if let Some(wide) = less.attempted {
            prop_assert!(whole.attempted.is_some_and(|narrow| within(narrow, wide)));
        }
        if let Some(wide) = less.applied() {
            prop_assert!(whole.applied().is_some_and(|narrow| within(narrow, wide)));
        }
        prop_assert!(less.stays.len() <= whole.stays.len());
        let silence: Vec<SyncReport> = looks.iter().map(|(second, _)| SyncReport::unknown(at(*second), "cut off")).collect();
        let nothing = follow_all(&silence);
        prop_assert!(nothing.attempted.is_none() && nothing.stays.is_empty());
        prop_assert_eq!(presence(&nothing, at(5)), Presence::Unknown);
    }
}
