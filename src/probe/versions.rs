//! What each version of a service did, from the history of a metrics server: asked when a round is not good, and not with every one.
//!
//! Which versions there were, and when, says the label in the series of `freshness`. The rounds of one are those of the indicator with
//! `$version` put in, so that they are judged as those of the service are. Whatever is not whole is not told (promise P2).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Probe;
use super::prometheus::PrometheusProbe;
use crate::engine::policy::PrometheusIndicator;
use crate::engine::round::{Outcome, Round, Unknown};
use crate::engine::time::Timestamp;
use crate::engine::versions::{ToldVersions, VersionRounds};
use crate::net::prometheus::{LabelledEvaluations, PrometheusClient};

/// So far back it is asked: an hour before a change and the time since.
const LOOKS_BACK: Duration = Duration::from_secs(2 * 3600);
/// Rounds of a second look back as far as this many allow, so that one answer holds them.
const MOST_ROUNDS: u32 = 4_000;
/// More values than a rolling update beside a canary has are no versions, and each costs a query.
const MOST_VERSIONS: usize = 8;
/// All of it may take so long: the round waits for it.
const ANSWERS: Duration = Duration::from_secs(5);

/// How the versions of one service are told.
#[derive(Clone, Debug)]
pub(super) struct VersionQueries {
    client: PrometheusClient,
    indicator: PrometheusIndicator,
    label: String,
    /// Which there are.
    all: String,
}

impl VersionQueries {
    /// `None` for an indicator that tells no versions apart.
    pub(super) fn new(client: PrometheusClient, indicator: &PrometheusIndicator) -> Option<Self> {
        let label = indicator.version_label.clone()?;
        let selector = indicator.freshness.as_deref()?.replace("$version", ".*");
        let all = format!("count by ({label}) ({selector})");
        // Whether targets are down is asked for the service as a whole.
        let indicator = PrometheusIndicator { targets: None, version_label: None, ..indicator.clone() };
        Some(Self { client, indicator, label, all })
    }

    /// What each version did up to the round that ended at `end`.
    pub(super) async fn told(&self, end: Timestamp) -> ToldVersions {
        let unknown = |why: String| ToldVersions::Unknown { why };
        match tokio::time::timeout(ANSWERS, self.ask(end)).await {
            Ok(Ok(versions)) => ToldVersions::Known(versions),
            Ok(Err(why)) => unknown(why),
            Err(_) => unknown(format!("the metrics server did not tell them within {} s", ANSWERS.as_secs())),
        }
    }

    async fn ask(&self, end: Timestamp) -> Result<Vec<VersionRounds>, String> {
        let every = self.indicator.every;
        let first = end - LOOKS_BACK.min(every * MOST_ROUNDS).max(every);
        let series = self.client.range_by_labels(&self.all, first, end, every).await.map_err(|error| error.to_string())?;
        let mut told = Vec::new();
        for (version, ends) in self.versions(series)? {
            let probe = PrometheusProbe::of_versions(self.client.clone(), &self.indicator, &exactly(&version)?);
            let rounds = probe.backfill(first, end).await;
            let rounds: Vec<Round> = rounds.into_iter().filter(|round| ends.contains(&round.end)).collect();
            if let Some(detail) = rounds.iter().find_map(unanswered) {
                return Err(detail);
            }
            told.push(VersionRounds { version, rounds });
        }
        Ok(told)
    }

    /// When each version was there.
    fn versions(&self, series: Vec<LabelledEvaluations>) -> Result<BTreeMap<String, BTreeSet<Timestamp>>, String> {
        let mut versions: BTreeMap<String, BTreeSet<Timestamp>> = BTreeMap::new();
        for mut one in series {
            if let Some(version) = one.labels.remove(&self.label).filter(|version| !version.is_empty()) {
                versions.entry(version).or_default().extend(one.times);
            }
        }
        match versions.len() {
            0 => Err(format!("no series of `freshness` has the label `{}`", self.label)),
            count if count > MOST_VERSIONS => {
                Err(format!("`{}` has {count} values lately, and at most {MOST_VERSIONS} are told apart", self.label))
            }
            _ => Ok(versions),
        }
    }
}

/// The regular expression of one version, without a backslash: in some strings of PromQL it escapes, in others not.
fn exactly(version: &str) -> Result<String, String> {
    let mut expression = String::new();
    for char in version.chars() {
        match char {
            '.' | '+' => expression.extend(['[', char, ']']),
            char if char.is_ascii_alphanumeric() || "-_:/".contains(char) => expression.push(char),
            _ => return Err(format!("a version is called {version:?}, and only letters, digits and `-_.+:/` can be asked for")),
        }
    }
    Ok(expression)
}

fn unanswered(round: &Round) -> Option<String> {
    match &round.outcome {
        Outcome::Unknown(Unknown::ServerError { detail } | Unknown::Refused { detail }) => Some(detail.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_matched_as_it_is_in_every_kind_of_string() {
        assert_eq!(exactly("v1.4.2+build_7-rc"), Ok("v1[.]4[.]2[+]build_7-rc".to_owned()));
        for evil in ["1.4\"} or up{a=\"", "a|b", "a\\b", "$window", "a`b", "ü", ".*\n"] {
            assert!(exactly(evil).is_err(), "{evil}");
        }
    }
}
