//! What a followed revert is judged to have done, with a real policy.

use std::time::Duration;

use super::*;
use crate::config::load_texts;
use crate::engine::id::{InstanceName, SloName};
use crate::engine::round::{Outcome, Round};
use crate::engine::situation::{ServiceEvidence, SloSeries};
use crate::engine::sync::follow::{Direction, Followed, Stay};
use crate::engine::time::Interval;
use crate::engine::verification::{RecoveryStanding, judge_followed};

const AGENT: &str = "apiVersion: revertd.dev/v1alpha1
kind: Agent
spec:
  journal: {sqlite: journal.db}
  repositories: [{name: manifests, url: https://git.example/a/b.git, branch: main}]
  controls: [{http: {url: https://status.example/}}]
  policies: []
";

const POLICY: &str = "apiVersion: revertd.dev/v1alpha1
kind: RevertPolicy
metadata: {name: checkout}
spec:
  repository: manifests
  paths: [\"apps/checkout/**\"]
  slos: [{name: up, indicator: {http: {url: https://checkout.example/journey, every: 10s}}}]
  verify: {recoverWithin: 10m, holdFor: 1m}
";

/// The breach began between 0 and 10; the revert landed between 100 and 110.
const ONSET: (i64, i64) = (0, 10);

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

fn between((after, by): (i64, i64)) -> Interval {
    Interval::new(at(after), at(by))
}

/// Bad rounds every ten seconds, and good ones from `well` on.
fn service(well: i64, until: i64) -> ServiceEvidence {
    let policy = load_texts(("agent.yaml", AGENT), &[("policy.yaml".to_owned(), POLICY.to_owned())]).unwrap().policies.remove(0);
    let round = |second: i64| Round {
        start: at(second),
        end: at(second + 1),
        outcome: if second >= well { Outcome::Good("200".into()) } else { Outcome::Bad("500".into()) },
    };
    let rounds = (0..until / 10).map(|number| round(number * 10)).collect();
    let series = vec![SloSeries { slo: SloName::new("up"), rounds }];
    ServiceEvidence::measured(policy, InstanceName::default_instance(), series)
}

fn followed(stays: &[Stay], finding: Option<Finding>) -> Followed {
    Followed {
        landed: between((100, 110)),
        attempted: None,
        stays: stays.to_vec(),
        absent_until: None,
        heard_until: Some(at(110)),
        broke: None,
        finding,
    }
}

fn stay(applied: (i64, i64), effective: Option<(i64, i64)>) -> Stay {
    Stay { applied: between(applied), effective: effective.map(between), left: None }
}

fn judged(well: i64, followed: &Followed, now: i64) -> (RecoveryStanding, String) {
    let recovery = judge_followed(&service(well, now), between(ONSET), CommitId([7; 20]), followed, at(now));
    (recovery.standing, recovery.sentence)
}

#[test]
fn windows_begin_when_the_revert_is_effective() {
    use RecoveryStanding::{Landed, NotRecovered, Recovered};
    let effective = followed(&[stay((120, 130), Some((200, 210)))], None);
    assert_eq!(judged(220, &effective, 300).0, Recovered);
    // Ten minutes of bad rounds count from there, and not from the landing.
    assert_ne!(judged(9000, &effective, 800).0, NotRecovered);
    assert_eq!(judged(9000, &effective, 820).0, NotRecovered);
    let rolling = followed(&[stay((120, 130), None)], None);
    let (standing, sentence) = judged(9000, &rolling, 300);
    assert_eq!(standing, Landed);
    assert!(sentence.ends_with("and its roll-out is not complete"), "{sentence}");
}

#[test]
fn a_roll_out_that_comes_to_no_end_is_taken_for_what_it_is() {
    let rolling = followed(&[stay((120, 130), None)], None);
    assert_eq!(judged(9000, &rolling, 729).0, RecoveryStanding::Landed);
    assert_ne!(judged(9000, &rolling, 740).0, RecoveryStanding::Landed);
}

#[test]
fn what_is_not_applied_is_judged_by_nothing() {
    for finding in [
        Finding::Paused,
        Finding::Suspended,
        Finding::SyncFailed { why: "no".into() },
        Finding::Stuck { waited: Duration::from_secs(700) },
        Finding::NotRendered { waited: Duration::from_secs(700) },
    ] {
        let (standing, sentence) = judged(90_000, &followed(&[], Some(finding.clone())), 90_000);
        assert_eq!(standing, RecoveryStanding::NotEffective, "{finding:?}");
        assert!(sentence.starts_with("`default` still runs the other version: "), "{sentence}");
        // Also not as a recovery: it is not the revert that it recovered by.
        assert_eq!(judged(200, &followed(&[], Some(finding)), 1000).0, RecoveryStanding::NotEffective);
    }
    let (standing, sentence) = judged(9000, &followed(&[], Some(Finding::Waiting)), 200);
    assert_eq!((standing, sentence.as_str()), (RecoveryStanding::Landed, "the revert is on its way to the cluster"));
}

#[test]
fn what_cannot_be_told_ends_in_no_verdict_but_that_it_is_well() {
    let silent = followed(&[], Some(Finding::Unknown { why: "down".into() }));
    let (standing, sentence) = judged(90_000, &silent, 90_000);
    assert_eq!((standing, sentence.as_str()), (RecoveryStanding::Landed, "whether the revert is effective cannot be told: down"));
    assert_eq!(judged(300, &silent, 1000).0, RecoveryStanding::Recovered);
}

#[test]
fn a_revert_that_somebody_took_out_again_is_no_false_revert() {
    let finding =
        Finding::RolledBack { from: CommitId([6; 20]), to: CommitId([5; 20]), direction: Direction::Older, at: between((300, 310)) };
    let out = followed(&[Stay { left: Some(between((300, 310))), ..stay((120, 130), Some((200, 210))) }], Some(finding));
    let (standing, sentence) = judged(90_000, &out, 90_000);
    assert_eq!(
        (standing, sentence.as_str()),
        (RecoveryStanding::Landed, "the revert was applied, and somebody put 0505050505 in its place")
    );
}

#[test]
fn a_sync_is_well_once_the_revert_is_applied_and_left_to_people_where_it_is_not() {
    let judged = |followed: &Followed, now| {
        let recovery = broken_sync::judge(&service(0, now), followed, at(now));
        (recovery.standing, recovery.sentence)
    };
    let (standing, sentence) = judged(&followed(&[stay((120, 130), None)], None), 140);
    assert_eq!(standing, RecoveryStanding::Recovered);
    assert!(sentence.starts_with("the sync succeeds again: the revert was applied between"), "{sentence}");
    let waits = followed(&[], Some(Finding::SyncFailed { why: "no".into() }));
    assert_eq!(judged(&waits, 200), (RecoveryStanding::Landed, "the revert is not applied yet".into()));
    let patience = Duration::from_secs(600);
    assert_eq!(broken_sync::told(&waits, patience, at(710)), None, "what fails is what was there before");
    assert_eq!(broken_sync::told(&waits, patience, at(711)), waits.finding);
    let fails = Followed { attempted: Some(between((120, 130))), ..waits };
    assert_eq!(broken_sync::told(&fails, patience, at(200)), fails.finding);
    assert_eq!(judged(&fails, 710), (RecoveryStanding::Landed, "the sync fails with the revert as well (no)".into()));
    let late = "the sync fails with the revert as well (no); it landed more than 10m ago";
    assert_eq!(judged(&fails, 711), (RecoveryStanding::Unverified, late.into()));
}
