//! Versions of a service that run side by side: what the one from before a change says about it (design §7).
//!
//! While a change rolls out, or beside a canary, the metric has both versions. The earlier one gets the same load at the same time, without
//! the change: where it stays well, that is named beside the suspect, and where it fails as well, a person merges. It is no reason against a
//! proposal: both share their database, and a bad version can take the other one with it.
//!
//! A version is earlier when it was there before the change was applied. It says nothing where no other has come since, as after a change of
//! configuration only, or where it is gone. What was not measured speaks against a merge (promise P2), and so does a server that did not tell.

use serde::{Deserialize, Serialize};

use super::attribution::{Attribution, Standing};
use super::before_after::Span;
use super::id::SloName;
use super::policy::{Indicator, Slo};
use super::round::Round;
use super::situation::{ServiceEvidence, Situation};
use super::slo::{self, Quality};
use super::time::Timestamp;

/// So many bad rounds of the earlier version tell that it fails: one is chance.
const TELLING_BAD: usize = 2;

/// What the versions of a service did, by one SLO, as it was asked with a round that was not good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SloVersions {
    /// Which SLO.
    pub slo: SloName,
    /// The end of the newest round that was asked for.
    pub until: Timestamp,
    /// What was said.
    pub told: ToldVersions,
}

/// What the metrics server says about the versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ToldVersions {
    /// Every version that was there, in no order.
    Known(Vec<VersionRounds>),
    /// It did not tell.
    Unknown {
        /// Why, for a sentence.
        why: String,
    },
}

/// One version's rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRounds {
    /// The value of the label.
    pub version: String,
    /// The rounds in which it was there, oldest first.
    pub rounds: Vec<Round>,
}

/// A version from before the change that fails as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingVersion<'a> {
    /// By which SLO.
    pub slo: &'a SloName,
    /// The value of the label.
    pub version: &'a str,
    /// Rounds since the change was applied that were bad or not measured.
    pub bad_since: usize,
    /// Rounds since then.
    pub since: usize,
    /// Bad rounds in the hour before.
    pub bad_before: usize,
    /// Rounds in that hour.
    pub before: usize,
}

/// The label that tells the versions apart, where an SLO has one.
pub fn label(slo: &Slo) -> Option<&str> {
    match &slo.indicator {
        Indicator::Prometheus(prometheus) => prometheus.version_label.as_deref(),
        Indicator::Http(_) | Indicator::Alert(_) | Indicator::Workload(_) => None,
    }
}

/// The versions that were there before the change was applied and still are, beside one that came since; none where that is not known.
pub(super) fn earlier<'a>(service: &'a ServiceEvidence, slo: &Slo, span: Span) -> Vec<&'a VersionRounds> {
    let told = service.versions.iter().find(|versions| versions.slo == slo.name).map(|versions| &versions.told);
    let Some(ToldVersions::Known(versions)) = told else { return Vec::new() };
    let was_there = |version: &&VersionRounds| version.rounds.first().is_some_and(|round| round.end <= span.applied);
    let is_there = |version: &&VersionRounds| version.rounds.last().is_some_and(|round| round.start >= span.effective);
    if versions.iter().all(|version| was_there(&version)) {
        return Vec::new();
    }
    versions.iter().filter(was_there).filter(is_there).collect()
}

/// The earlier version that fails since the suspects were applied, and more than twice as often as in the hour before. What was not measured
/// since counts as bad, and before as good.
pub fn earlier_fails<'a>(situation: &'a Situation, attribution: &Attribution) -> Option<FailingVersion<'a>> {
    let span = of_suspects(situation, attribution)?;
    situation.service.policy.slos.iter().find_map(|slo| {
        let failing = |version: &'a VersionRounds| failing(slo, version, span);
        earlier(&situation.service, slo, span).into_iter().find_map(failing)
    })
}

fn failing<'a>(slo: &'a Slo, version: &'a VersionRounds, span: Span) -> Option<FailingVersion<'a>> {
    let (before, since) = span.rounds(&version.rounds);
    let qualities = |rounds: &[Round]| -> Vec<Quality> {
        rounds.iter().map(|round| slo::quality(slo, round)).filter(|quality| *quality != Quality::Neither).collect()
    };
    let (before, since) = (qualities(before), qualities(since));
    let bad_before = before.iter().filter(|quality| **quality == Quality::Bad).count();
    let bad_since = since.iter().filter(|quality| **quality != Quality::Good).count();
    let more_often = bad_before == 0 || bad_since * before.len() > 2 * bad_before * since.len();
    (bad_since >= TELLING_BAD && more_often).then(|| FailingVersion {
        slo: &slo.name,
        version: &version.version,
        bad_since,
        since: since.len(),
        bad_before,
        before: before.len(),
    })
}

/// The SLO whose versions are not known, with its label and why; `None` where all are, or where no SLO tells any apart.
pub fn not_known<'a>(situation: &'a Situation, attribution: &Attribution) -> Option<(&'a Slo, &'a str, String)> {
    let service = &situation.service;
    let told_apart = service.policy.slos.iter().filter_map(|slo| Some((slo, label(slo)?)));
    told_apart.into_iter().find_map(|(slo, label)| {
        let why = match service.versions.iter().find(|versions| versions.slo == slo.name) {
            None => Some("they were not asked for yet".to_owned()),
            Some(versions) if newest_bad(service, slo).is_some_and(|bad| bad > versions.until) => {
                Some(format!("they were asked for at {} for the last time, before the newest bad round", versions.until))
            }
            Some(SloVersions { told: ToldVersions::Unknown { why }, .. }) => Some(why.clone()),
            Some(SloVersions { told: ToldVersions::Known(versions), .. }) => none_before(situation, attribution, versions),
        };
        why.map(|why| (slo, label, why))
    })
}

fn newest_bad(service: &ServiceEvidence, slo: &Slo) -> Option<Timestamp> {
    service.rounds(&slo.name).iter().rev().find(|round| slo::quality(slo, round) == Quality::Bad).map(|round| round.end)
}

/// Where no version is known to have been there before, none can be told from those that came since.
fn none_before(situation: &Situation, attribution: &Attribution, versions: &[VersionRounds]) -> Option<String> {
    let span = of_suspects(situation, attribution)?;
    let was_there = |version: &VersionRounds| version.rounds.first().is_some_and(|round| round.end <= span.applied);
    (!versions.iter().any(was_there)).then(|| format!("none was seen before {}, when the change was not applied yet", span.applied))
}

/// Before and since all suspects; `None` where it is not known when they were applied, which is refused elsewhere.
fn of_suspects(situation: &Situation, attribution: &Attribution) -> Option<Span> {
    let suspects = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let applied = suspects.filter_map(|candidate| candidate.applied).min_by_key(|applied| applied.earliest())?;
    Span::of(applied, attribution.onset, situation.now)
}

#[cfg(test)]
mod tests;
