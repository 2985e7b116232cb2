//! `RevertPolicy`: which paths, which SLOs, which mode, which guardrails, who approves. Made by `config/`, which validates it.
//!
//! A policy is one service. An incident keeps the policy that it opened with, so policies are stored in situations as they are here.

mod alert;
mod indicator;
mod limits;
mod paths;
#[cfg(test)]
pub mod sample;
mod tighten;
mod workload;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::indicator::{ALERT_ANSWERS, AlertIndicator, HttpIndicator, Indicator, PrometheusIndicator, PrometheusQuery, Unreachable};
pub use self::limits::{Guardrails, Limit, Limits, MAX_OBJECTS, MAX_SERVICES};
pub use self::paths::{PathMatcher, PathSet};
pub use self::workload::{WORKLOAD_ANSWERS, WorkloadIndicator, WorkloadKind};
use super::broken_sync::OnSyncFailure;
use super::consent::ConsentRules;
use super::id::{
    EnvironmentName, InstanceName, NotifierName, PolicyDigest, PolicyName, RepositoryName, SloName, SyncName, canonical_json, sha256_hex,
};
use super::round::Decimal;
use super::time::{millis, optional_millis};

/// One service's rules, valid by construction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// `metadata.name`.
    pub name: PolicyName,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// The repository that the paths are in.
    pub repository: RepositoryName,
    /// The environment whose ceiling holds, where one is named.
    pub environment: Option<EnvironmentName>,
    /// The paths that the service owns.
    pub paths: PathSet,
    /// Where it runs; at least one.
    pub instances: Vec<Instance>,
    /// Services that this one needs.
    pub depends_on: Vec<PolicyName>,
    /// How its health is measured: the SLOs of the role `trigger`, which can breach; at least one.
    pub slos: Vec<Slo>,
    /// Those of the role `corroborate`: they never open an incident, and a merge without an approval needs that none of them is Healthy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corroborating: Vec<Slo>,
    /// Those of the role `report`: measured and shown, and nothing more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reported: Vec<Slo>,
    /// How many of them make a breach.
    pub breach_when: BreachWhen,
    /// What may be done about it.
    pub revert: RevertRules,
    /// What limits it.
    pub guardrails: Guardrails,
    /// How approvals work.
    pub approval: ConsentRules,
    /// How the recovery is judged.
    pub verify: VerifyRules,
    /// Names and addresses to show (`runbook: https://…`).
    pub links: BTreeMap<String, String>,
    /// The notifiers that are told of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<NotifierName>,
}

/// Where a service runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name; `default` for a policy that names none.
    pub name: InstanceName,
    /// Its cluster: `$cluster` in queries. Absent in policies that were recorded before there were any, so that their digest stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Its labels: each is a variable in queries.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How it is known what runs there.
    pub sync: Sync,
}

/// How it is known which revision runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sync {
    /// Nothing says; a change is assumed to be applied at the latest this long after it landed.
    Lag(#[serde(with = "millis")] Duration),
    /// A sync source says.
    Source {
        /// The operator's name for it.
        source: SyncName,
        /// What of it is followed.
        follows: SyncTarget,
    },
}

/// What of a sync source an instance follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncTarget {
    /// An Argo CD application.
    Application {
        /// Its name.
        name: String,
        /// Its namespace, where Argo CD has applications in any.
        namespace: Option<String>,
        /// Its project, where the token is a project's.
        project: Option<String>,
    },
    /// A Flux Kustomization.
    Kustomization {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A Flux HelmRelease.
    HelmRelease {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The series of a Prometheus query.
    Query(String),
    /// The commit statuses of this context, or of every one that begins with what stands before a `*` at its end.
    Context(String),
}

/// An indicator, its objective and its alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slo {
    /// Its name within the policy.
    pub name: SloName,
    /// How it is measured.
    pub indicator: Indicator,
    /// The target.
    pub objective: Objective,
    /// When it breaches. Where a decision is made, [the foremost](super::slo::alerts) of several.
    pub alert: Alert,
    /// Its other alerts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<Alert>,
}

/// The target of an SLO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objective {
    /// The share of good events or rounds that is aimed at.
    pub target: Option<Ratio>,
    /// A value over this is bad.
    pub max: Option<Decimal>,
    /// A value under this is bad.
    pub min: Option<Decimal>,
    /// The window of the error budget. Absent in policies that were recorded before there were any, so that their digest stays.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_millis")]
    pub time_window: Option<Duration>,
}

/// A share between 0 and 1, held as parts per thousand million so that facts hold integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratio(pub u64);

/// When an SLO breaches and when it has recovered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// The rule.
    pub rule: AlertRule,
    /// `recover: {good: n}`: this many good rounds in a row end the breach, instead of the rule's own way.
    pub recover_good: Option<u32>,
    /// The highest mode that this alert alone can reach. Absent in policies that were recorded before there was a choice, so that their
    /// digest stays.
    #[serde(default = "Mode::highest", skip_serializing_if = "Mode::is_highest")]
    pub up_to: Mode,
}

/// The rule of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AlertRule {
    /// At least `count` of the last `of` rounds were bad.
    Failing {
        /// At least 1, at most `of`.
        count: u32,
        /// At least 1.
        of: u32,
    },
    /// The error ratio is over `factor × (1 − target)` in both windows (Google SRE workbook, chapter 5).
    #[serde(rename_all = "camelCase")]
    BurnRate {
        /// How many times faster than sustainable.
        factor: Decimal,
        /// The long window.
        #[serde(with = "millis")]
        long: Duration,
        /// The short window.
        #[serde(with = "millis")]
        short: Duration,
        /// Whether the long window is cut at the newest change.
        since_change: SinceChange,
        /// The fewest events in the (cut) long window that say anything.
        min_events: u64,
    },
}

/// Whether the long window of a burn rate is cut at the newest change that touches the service's paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SinceChange {
    /// Cut, never below the short window.
    Cut,
    /// Always whole.
    Whole,
}

/// How many of a policy's SLOs make a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BreachWhen {
    /// One.
    Any,
    /// Every one.
    All,
    /// This many; at least one, at most as many as there are.
    AtLeast(u32),
}

/// What may be done about a breach. The order is the order of rights: `observe < propose < merge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Record only.
    Observe,
    /// Open a proposal.
    Propose,
    /// Force-merge when every gate allows it, else propose.
    Merge,
}

/// What of a change is reverted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// The whole commit.
    #[default]
    Commit,
    /// What it did to the paths that the service owns.
    Paths,
}

impl Scope {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `revert:` of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevertRules {
    /// The policy's own mode.
    pub mode: Mode,
    /// What of a change is reverted. Absent in policies that were recorded before there was a choice, so that their digest stays.
    #[serde(default, skip_serializing_if = "Scope::is_default")]
    pub scope: Scope,
    /// What is done about a change that broke the sync itself. Absent like the scope.
    #[serde(default, skip_serializing_if = "OnSyncFailure::is_default")]
    pub on_sync_failure: OnSyncFailure,
    /// Bad rounds that start during a rollout or this long after it count once they have lasted this long.
    #[serde(with = "millis")]
    pub settle: Duration,
    /// A change applied longer than this before the onset is never force-merged.
    #[serde(with = "millis")]
    pub attribute_within: Duration,
    /// The oldest change that may be force-merged away, from landing to now.
    #[serde(with = "millis")]
    pub max_age_merge: Duration,
    /// The oldest change that may be proposed, from landing to now.
    #[serde(with = "millis")]
    pub max_age_propose: Duration,
}

/// `verify:` of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyRules {
    /// Not recovered when it has not by then, from the moment the revert is effective.
    #[serde(with = "millis")]
    pub recover_within: Duration,
    /// Recovered once healthy for this long.
    #[serde(with = "millis")]
    pub hold_for: Duration,
    /// SLOs of the policy, of any role, that must be healthy too before a revert counts as recovered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<SloName>,
}

// === impl Policy ===

impl Policy {
    /// SHA-256 over the canonical JSON of the policy.
    pub fn digest(&self) -> PolicyDigest {
        // A policy holds strings, integers and maps with string keys, which JSON can always express.
        PolicyDigest::new(sha256_hex(canonical_json(self).unwrap_or_default().as_bytes()))
    }

    /// One of its instances.
    pub fn instance(&self, name: &InstanceName) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.name == *name)
    }

    /// How many of its SLOs have to breach for the service to breach.
    pub fn breaching_slos(&self) -> usize {
        let needed = match self.breach_when {
            BreachWhen::Any => 1,
            BreachWhen::All => self.slos.len(),
            BreachWhen::AtLeast(count) => count as usize,
        };
        needed.max(1)
    }

    /// The longest time that its alerts look back, with the rounds that a baseline needs: how long rounds must be kept.
    pub fn longest_window(&self) -> Duration {
        self.measured().map(Slo::longest_window).max().unwrap_or_default()
    }
}

impl Slo {
    /// Time from one round to the next.
    pub fn every(&self) -> Duration {
        match &self.indicator {
            Indicator::Http(http) => http.every,
            Indicator::Prometheus(prometheus) => prometheus.every,
            Indicator::Alert(alert) => alert.every,
            Indicator::Workload(workload) => workload.every,
        }
    }

    /// Whether its rounds count events.
    pub fn counts_events(&self) -> bool {
        matches!(&self.indicator, Indicator::Prometheus(PrometheusIndicator { query: PrometheusQuery::Ratio { .. }, .. }))
    }

    /// The longest time that may lie between the ends of two rounds in a row: one `every`, and what an answer may take.
    pub fn longest_gap(&self) -> Duration {
        match &self.indicator {
            Indicator::Http(http) => http.every + http.timeout,
            Indicator::Prometheus(prometheus) => prometheus.every,
            Indicator::Alert(alert) => alert.every + ALERT_ANSWERS,
            Indicator::Workload(workload) => workload.every + WORKLOAD_ANSWERS,
        }
    }

    /// How many rounds a baseline has: `of` where the alert has one, else 5 (design §7).
    pub fn baseline_rounds(&self) -> usize {
        self.alert.baseline_rounds()
    }

    /// How long a baseline is: its rounds, one `every` each.
    pub fn baseline_length(&self) -> Duration {
        self.every() * u32::try_from(self.baseline_rounds()).unwrap_or(u32::MAX)
    }

    /// The longest time that an alert looks back.
    pub fn longest_window(&self) -> Duration {
        self.alerts().map(|alert| alert.window(self.every())).max().unwrap_or_default()
    }
}

// === impl Instance ===

impl Instance {
    /// For a sentence: `` `eu` `` or `` `eu` (cluster `eu-1`) ``.
    pub fn words(&self) -> String {
        place(&self.name, self.cluster.as_deref())
    }
}

/// A service as people name it, and where: `checkout`, `checkout in eu`, `checkout in eu (cluster eu-1)`.
pub fn service_name(policy: &PolicyName, instance: &InstanceName, cluster: Option<&str>) -> String {
    match cluster.filter(|cluster| *cluster != instance.as_str()) {
        Some(cluster) => format!("{policy} in {instance} (cluster {cluster})"),
        None if instance.is_default() => policy.to_string(),
        None => format!("{policy} in {instance}"),
    }
}

/// Where, for a sentence: `` `eu` `` or `` `eu` (cluster `eu-1`) ``.
pub fn place(instance: &InstanceName, cluster: Option<&str>) -> String {
    match cluster.filter(|cluster| *cluster != instance.as_str()) {
        Some(cluster) => format!("`{instance}` (cluster `{cluster}`)"),
        None => format!("`{instance}`"),
    }
}

// === impl Ratio ===

impl Ratio {
    /// One, as parts.
    pub const ONE: u64 = 1_000_000_000;

    /// As a number between 0 and 1.
    pub fn as_f64(self) -> f64 {
        // Exact: the parts are below 2^53.
        self.0 as f64 / Self::ONE as f64
    }

    /// `1 − ratio` as a number between 0 and 1, without the rounding of a subtraction.
    pub fn complement(self) -> f64 {
        Self::ONE.saturating_sub(self.0) as f64 / Self::ONE as f64
    }
}

impl fmt::Display for Ratio {
    /// As a percentage: `99.5%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / 10_000_000;
        let rest = format!("{:07}", self.0 % 10_000_000);
        match rest.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            digits => write!(f, "{whole}.{digits}%"),
        }
    }
}

// === impl Mode ===

impl Mode {
    fn highest() -> Self {
        Self::Merge
    }

    fn is_highest(&self) -> bool {
        *self == Self::highest()
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "observe",
            Self::Propose => "propose",
            Self::Merge => "merge",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_shown_as_a_percentage() {
        assert_eq!(Ratio(995_000_000).to_string(), "99.5%");
        assert_eq!(Ratio(Ratio::ONE).to_string(), "100%");
        assert_eq!(Ratio(999_999_000).to_string(), "99.9999%");
    }
}
