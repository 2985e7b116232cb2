//! Afterwards (design §13): windows that start at the revert in, how the recovery stands out.

mod everywhere;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::everywhere::{Elsewhere, everywhere};

use super::attribution::lag_of;
use super::fact::{Ending, LandedBy};
use super::id::{CommitId, SloName};
use super::incident::LandedRevert;
use super::policy::{Policy, Slo};
use super::round::Round;
use super::situation::ServiceEvidence;
use super::slo::{Quality, quality};
use super::sync::assumed;
use super::sync::follow::{Finding, Followed};
use super::time::{Interval, Timestamp, spoken};
use super::window::Sum;

/// How a recovery stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// The verdict so far.
    pub standing: RecoveryStanding,
    /// When the revert was effective.
    pub effective: Interval,
    /// The arithmetic, in one sentence.
    pub sentence: String,
    /// The check that has not passed, where nothing else is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpassed: Option<SloName>,
}

/// The verdict on a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryStanding {
    /// Landed; not known to be effective yet.
    Landed,
    /// Effective; too early to say.
    Watching,
    /// Clearly better, not yet good.
    Improving,
    /// Fresh evidence, healthy for `holdFor`, and `verify.checks` passed.
    Recovered,
    /// Landed, and something still runs the other version.
    NotEffective,
    /// Effective everywhere and statistically unchanged for `recoverWithin`.
    NotRecovered,
    /// Too little evidence within `recoverWithin`.
    Unverified,
}

/// An improving service, and one whose checks have not passed, is watched at most this many times `recoverWithin` before the verdict.
pub const IMPROVING_FACTOR: u32 = 4;
/// Fewer known rounds than this since the revert, or during the breach, say too little for a verdict other than recovered.
const ENOUGH_ROUNDS: usize = 3;
/// A share of bad rounds that fell below this part of what it was during the breach is not unchanged, also where too few rounds are known to
/// call it better: a revert is held to have been wrong only where that is the plain reading.
const UNCHANGED: f64 = 0.5;
/// A revert that something still does not run is watched this long. It is the time in which an on-call engineer of the next day sees it.
const EFFECTIVE_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Judges the recovery of a service after a revert that was effective at `effective`. `onset` is when the breach had begun.
pub fn judge(service: &ServiceEvidence, onset: Interval, effective: Interval, now: Timestamp) -> Recovery {
    let policy = &service.policy;
    let recovery = |standing, sentence| Recovery { standing, effective, sentence, unpassed: None };
    let since = effective.by.max(onset.by);
    if let Some(sentence) = healthy_for(service, since, now) {
        let Some((check, why)) = unpassed(service, since, now) else { return recovery(RecoveryStanding::Recovered, sentence) };
        // What broke is well again, so that the revert was not in vain: what the checks leave open is no reason to bring the change back.
        let over = now.since(effective.by) >= policy.verify.recover_within * IMPROVING_FACTOR;
        let standing = if over { RecoveryStanding::Unverified } else { RecoveryStanding::Improving };
        let sentence = format!("{sentence}; the check `{check}` has not passed: {why}");
        return Recovery { unpassed: Some(check), ..recovery(standing, sentence) };
    }
    if now < effective.by {
        return recovery(RecoveryStanding::Landed, format!("the revert is assumed to be effective by {}", effective.by));
    }
    let waited = now.since(effective.by);
    let (before, after, known) = shares(service, onset, effective);
    let better = known >= ENOUGH_ROUNDS && after.wilson_upper() < before.wilson_lower();
    let words = compared(before, after, effective);
    if better && waited < policy.verify.recover_within * IMPROVING_FACTOR {
        return recovery(RecoveryStanding::Improving, words);
    }
    if waited < policy.verify.recover_within {
        return recovery(RecoveryStanding::Watching, words);
    }
    if better && after.bad > 0.0 {
        let watched = spoken(policy.verify.recover_within * IMPROVING_FACTOR);
        return recovery(RecoveryStanding::Unverified, format!("{words}; that is better, and not good within {watched}"));
    }
    let unchanged = before.total >= ENOUGH_ROUNDS as f64 && known >= ENOUGH_ROUNDS && after.ratio() >= before.ratio() * UNCHANGED;
    if !unchanged || after.bad == 0.0 {
        return recovery(
            RecoveryStanding::Unverified,
            format!("{words}; that is too little to say whether the revert helped within {}", spoken(policy.verify.recover_within)),
        );
    }
    recovery(RecoveryStanding::NotRecovered, format!("{words}; it did not recover within {}", spoken(policy.verify.recover_within)))
}

/// The same where a sync source tells when the revert, `commit`, was effective. As long as it is not, nothing is judged; what cannot be told for long
/// ends in no verdict but that the service is healthy, which its own rounds say.
pub fn judge_followed(service: &ServiceEvidence, onset: Interval, commit: CommitId, followed: &Followed, now: Timestamp) -> Recovery {
    let within = service.policy.verify.recover_within;
    // A roll-out that comes to no end is taken for what it is once the service had the time that it has to recover.
    let overdue = || followed.applied().map(|applied| applied.stretched(within)).filter(|effective| effective.by <= now);
    let landed = |sentence: String| Recovery {
        standing: RecoveryStanding::Landed,
        effective: Interval { by: now, ..followed.landed },
        sentence,
        unpassed: None,
    };
    if let Some(Finding::RolledBack { to, .. }) = &followed.finding {
        return landed(format!("the revert was applied, and somebody put {} in its place", to.short()));
    }
    if let Some(effective) = followed.effective().or_else(overdue) {
        return judge(service, onset, effective, now);
    }
    if let Some(Finding::Unknown { why }) = &followed.finding {
        let assumed = judge(service, onset, assumed(followed.landed, lag_of(service)), now);
        let is_healthy = assumed.standing == RecoveryStanding::Recovered;
        return if is_healthy { assumed } else { landed(format!("whether the revert is effective cannot be told: {why}")) };
    }
    if let Some(finding) = followed.finding.as_ref().filter(|finding| finding.is_news()) {
        let sentence = format!("`{}` still runs the other version: {}", service.instance, finding.sentence(commit, &service.instance));
        return Recovery { standing: RecoveryStanding::NotEffective, ..landed(sentence) };
    }
    landed(match (&followed.finding, followed.applied()) {
        (_, Some(applied)) => format!("the revert was applied {applied}, and its roll-out is not complete"),
        (_, None) => "the revert is on its way to the cluster".to_owned(),
    })
}

/// How an incident ends with what is known of its recovery; `None` as long as it is watched on.
pub fn ending(recovery: &Recovery, landed: &LandedRevert, now: Timestamp) -> Option<Ending> {
    match recovery.standing {
        RecoveryStanding::Recovered if landed.by == LandedBy::HumanRevert => Some(Ending::Superseded { by: Some(landed.commit) }),
        RecoveryStanding::Recovered => Some(Ending::Recovered),
        RecoveryStanding::NotRecovered => Some(Ending::NotRecovered),
        RecoveryStanding::Unverified => Some(Ending::Unverified),
        RecoveryStanding::NotEffective if now.since(landed.landed.by) >= EFFECTIVE_WITHIN => Some(Ending::NotEffective),
        RecoveryStanding::NotEffective | RecoveryStanding::Landed | RecoveryStanding::Watching | RecoveryStanding::Improving => None,
    }
}

/// What was measured since the revert is effective, beside the breach. With the time and no age: it is read later than it is written.
fn compared(before: Sum, after: Sum, effective: Interval) -> String {
    let since = format!("since the revert became effective at {}", effective.by);
    if after.total == 0.0 {
        return format!("nothing was measured yet {since}");
    }
    let before = if before.total == 0.0 {
        "of the breach no round is known".to_owned()
    } else {
        format!("during the breach it was {} of {}", before.bad, before.total)
    };
    format!("{} of {} rounds {since} were bad; {before}", after.bad, after.total)
}

/// Whether a service that nothing was reverted for has been healthy for `verify.holdFor` since its onset; the sentence says so.
pub fn recovered_by_itself(service: &ServiceEvidence, onset: Interval, now: Timestamp) -> Option<String> {
    healthy_for(service, onset.by, now)
}

/// Whether every SLO has had nothing but good rounds for at least `holdFor` until now, all of them begun after `after`.
fn healthy_for(service: &ServiceEvidence, after: Timestamp, now: Timestamp) -> Option<String> {
    let Policy { slos, verify, .. } = &service.policy;
    let mut shortest = None;
    let mut rounds_seen = 0;
    for slo in slos {
        let rounds = service.rounds(&slo.name);
        let good = good_run(slo, rounds, after);
        let (first, last) = (good.first()?, good.last()?);
        if now.since(last.end) > slo.every() * 3 || good.len() < slo.baseline_rounds() {
            return None;
        }
        let held = last.end.since(first.start);
        shortest = Some(shortest.map_or(held, |shortest: Duration| shortest.min(held)));
        rounds_seen += good.len();
    }
    let held = shortest.filter(|held| *held >= verify.hold_for)?;
    Some(format!("healthy for {} (needs {}): the last {rounds_seen} rounds were good", spoken(held), spoken(verify.hold_for)))
}

/// The first of `verify.checks` that has not passed since `after`, with what is missing; `None` where all have. One that is not known has not.
fn unpassed(service: &ServiceEvidence, after: Timestamp, now: Timestamp) -> Option<(SloName, String)> {
    service.policy.verify.checks.iter().find_map(|name| {
        let why = match service.policy.measured().find(|slo| slo.name == *name) {
            Some(slo) => not_passed(slo, service.rounds(name), after, now)?,
            None => "the policy has no such SLO".to_owned(),
        };
        Some((name.clone(), why))
    })
}

fn not_passed(slo: &Slo, rounds: &[Round], after: Timestamp, now: Timestamp) -> Option<String> {
    let Some(newest) = rounds.last() else { return Some("nothing was measured".to_owned()) };
    if now.since(newest.end) > slo.every() * 3 {
        return Some(format!("nothing was measured since {}", newest.end));
    }
    let (run, needed) = (good_run(slo, rounds, after), slo.baseline_rounds());
    // Rounds without events break no run, and alone they say nothing.
    let is_good = run.iter().any(|round| quality(slo, round) == Quality::Good);
    (run.len() < needed || !is_good).then(|| {
        let good = run.iter().filter(|round| quality(slo, round) == Quality::Good).count();
        format!("{good} good rounds in a row (needs {needed}), the newest: {}", newest.outcome.words())
    })
}

/// The unbroken run of good rounds at the end of a series, of those that began after `after`. Rounds without events break nothing.
fn good_run<'a>(slo: &Slo, rounds: &'a [Round], after: Timestamp) -> &'a [Round] {
    let broken = rounds.iter().rposition(|round| round.start < after || matches!(quality(slo, round), Quality::Bad | Quality::Unknown));
    &rounds[broken.map_or(0, |position| position + 1)..]
}

/// Bad and known rounds of all SLOs during the breach and since the revert is effective.
fn shares(service: &ServiceEvidence, onset: Interval, effective: Interval) -> (Sum, Sum, usize) {
    let (mut before, mut after) = (Sum::default(), Sum::default());
    for slo in &service.policy.slos {
        for round in service.rounds(&slo.name) {
            let sum = if round.start >= effective.by {
                &mut after
            } else if round.end >= onset.by && round.end <= effective.earliest() {
                &mut before
            } else {
                continue;
            };
            match quality(slo, round) {
                Quality::Bad => (sum.bad, sum.total) = (sum.bad + 1.0, sum.total + 1.0),
                Quality::Good => sum.total += 1.0,
                Quality::Neither | Quality::Unknown => {}
            }
        }
    }
    let known = after.total as usize;
    (before, after, known)
}

#[cfg(test)]
mod tests;
