//! What stands between a service that is well again and its recovery.

use std::collections::BTreeMap;

use super::*;
use crate::engine::id::{InstanceName, SloName};
use crate::engine::policy::sample;
use crate::engine::round::{Outcome, Unknown};
use crate::engine::situation::SloSeries;

/// The breach began at 1000 s, and the revert was effective at 1100 s.
const NOW: i64 = 1160;
/// Four times `recoverWithin` after that, nothing is waited for any more.
const LAST: i64 = 1340;

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

/// Rounds of ten seconds up to a time: bad from 1000 s to 1100 s, good else, and `newest` from 1100 s on.
fn rounds(until: i64, newest: &Outcome) -> Vec<Round> {
    let round = |end: i64| {
        let outcome = match end {
            1101.. => newest.clone(),
            1001..=1100 => Outcome::Bad("503".into()),
            _ => Outcome::Good("200".into()),
        };
        Round { start: at(end - 10), end: at(end), outcome }
    };
    (1..=until / 10).map(|number| round(number * 10)).collect()
}

/// `up` is well again, and `backlog`, which is only reported, has these rounds.
fn judged(backlog: Option<Vec<Round>>, now: i64) -> Recovery {
    let mut policy = sample::policy(&["default"]);
    let mut slo = policy.slos[0].clone();
    slo.name = SloName::new("backlog");
    policy.reported.push(slo);
    policy.verify.checks = vec![SloName::new("up"), SloName::new("backlog")];
    let up = SloSeries { slo: SloName::new("up"), rounds: rounds(now, &Outcome::Good("200".into())) };
    let backlog = backlog.map(|rounds| SloSeries { slo: SloName::new("backlog"), rounds });
    let series = [up].into_iter().chain(backlog).collect();
    let service =
        ServiceEvidence { applied: Some(BTreeMap::new()), ..ServiceEvidence::measured(policy, InstanceName::new("default"), series) };
    let between = |from: i64, to: i64| Interval::new(at(from), at(to));
    judge(&service, between(990, 1010), between(1090, 1100), at(now))
}

#[test]
fn a_revert_has_recovered_once_its_checks_have_passed() {
    let good = rounds(NOW, &Outcome::Good("200".into()));
    assert_eq!(judged(Some(good), NOW).standing, RecoveryStanding::Recovered);
    let found = judged(Some(rounds(NOW - 10, &Outcome::Bad("120 s".into()))), NOW - 10);
    assert_eq!(found.standing, RecoveryStanding::Improving);
    assert_eq!(
        found.sentence,
        "healthy for 50s (needs 10s): the last 5 rounds were good; the check `backlog` has not passed: 0 good rounds in a row (needs 5), the \
         newest: 120 s"
    );
}

#[test]
fn what_is_not_known_has_not_passed() {
    let unknown = Outcome::Unknown(Unknown::NoData);
    // Good rounds of before the revert say nothing of after it.
    for backlog in [None, Some(rounds(NOW, &unknown)), Some(rounds(1000, &unknown)), Some(rounds(1120, &Outcome::Good("200".into())))] {
        let found = judged(backlog.clone(), LAST - 10);
        assert_eq!(found.standing, RecoveryStanding::Improving, "{backlog:?}");
        let found = judged(backlog.clone(), LAST);
        assert_eq!(found.standing, RecoveryStanding::Unverified, "{backlog:?}");
        assert!(found.sentence.contains("the check `backlog` has not passed: "), "{}", found.sentence);
    }
    let nothing_happened = Outcome::Counts { good: crate::engine::round::Decimal(0.0), total: crate::engine::round::Decimal(0.0) };
    assert_eq!(judged(Some(rounds(LAST, &nothing_happened)), LAST).standing, RecoveryStanding::Unverified, "no event is no evidence");
}
