//! Versions by rounds that are spelt out: one a minute, `.` good, `x` bad, `?` not measured and ` ` not there. The change was applied at minute 6.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::engine::id::InstanceName;
use crate::engine::policy::sample;
use crate::engine::round::{Outcome, Unknown};
use crate::engine::time::Interval;

const MINUTE: Duration = Duration::from_secs(60);

fn minute(number: u32) -> Timestamp {
    Timestamp::from_secs(1_800_000_000) + MINUTE * number
}

fn rounds(signs: &str) -> Vec<Round> {
    let outcome = |sign| match sign {
        'x' => Some(Outcome::Bad("503".into())),
        '?' => Some(Outcome::Unknown(Unknown::NoData)),
        '.' => Some(Outcome::Good("200".into())),
        _ => None,
    };
    let round = |(number, sign)| Some(Round { start: minute(number), end: minute(number + 1), outcome: outcome(sign)? });
    (0..).zip(signs.chars()).filter_map(round).collect()
}

fn service(versions: &[(&str, &str)]) -> ServiceEvidence {
    let told = versions.iter().map(|(version, signs)| VersionRounds { version: (*version).to_owned(), rounds: rounds(signs) });
    let policy = sample::policy(&["default"]);
    let versions = vec![SloVersions { slo: policy.slos[0].name.clone(), until: minute(12), told: ToldVersions::Known(told.collect()) }];
    ServiceEvidence {
        policy,
        instance: InstanceName::default_instance(),
        series: Vec::new(),
        applied: Some(BTreeMap::new()),
        versions,
        day_before: Vec::new(),
    }
}

fn span() -> Span {
    Span::of(Interval::new(minute(6), minute(7)), Interval::new(minute(7), minute(8)), minute(12)).unwrap()
}

fn earlier_of(versions: &[(&str, &str)]) -> Vec<String> {
    let service = service(versions);
    earlier(&service, &service.policy.slos[0], span()).into_iter().map(|version| version.version.clone()).collect()
}

#[test]
fn the_version_from_before_is_the_earlier_one_as_long_as_it_runs_beside_another() {
    assert_eq!(earlier_of(&[("1.4", "............"), ("1.5", "      .xxxxx")]), ["1.4"]);
    assert_eq!(
        earlier_of(&[("1.3", "............"), ("1.4", "............"), ("1.5", "       xxxxx")]),
        ["1.3", "1.4"],
        "a canary was there"
    );
    assert!(earlier_of(&[("1.4", "......."), ("1.5", "      .xxxxx")]).is_empty(), "it is gone");
    assert!(earlier_of(&[("1.4", "......xxxxxx")]).is_empty(), "no other has come: it is the service itself");
    assert!(earlier_of(&[]).is_empty());
}

/// The figures of the failing version: bad and all since, bad and all before.
fn fails(signs: &str) -> Option<[usize; 4]> {
    let service = service(&[("1.4", signs), ("1.5", "      .xxxxx")]);
    let slo = &service.policy.slos[0];
    let found = earlier(&service, slo, span()).into_iter().find_map(|version| failing(slo, version, span()))?;
    Some([found.bad_since, found.since, found.bad_before, found.before])
}

#[test]
fn an_earlier_version_fails_when_it_is_bad_more_than_twice_as_often_as_before() {
    assert_eq!(fails("............"), None);
    assert_eq!(fails("........x..."), None, "one is chance");
    assert_eq!(fails("........xx.."), Some([2, 5, 0, 6]));
    assert_eq!(fails("xx.x...xx..."), None, "as often as before");
    assert_eq!(fails("x......xx..."), Some([2, 5, 1, 6]));
    assert_eq!(fails("......xxx..."), Some([2, 5, 0, 6]), "what was measured while the change may have been applied is left out");
}

/// Promise P2: no round of the earlier version that goes missing makes a merge likelier, before the change or since.
#[test]
fn what_was_not_measured_never_takes_it_away() {
    for signs in ["........xx..", "x......xx...", "x......xxx..", ".......xxxxx"] {
        for place in (0..12).filter(|place| !(6..7).contains(place)) {
            let mut signs: Vec<char> = signs.chars().collect();
            signs[place] = '?';
            let signs: String = signs.into_iter().collect();
            assert!(fails(&signs).is_some(), "{signs}");
        }
    }
    assert_eq!(fails("........??.."), Some([2, 5, 0, 6]));
}
