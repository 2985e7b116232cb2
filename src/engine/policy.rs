//! `RevertPolicy`: which paths, which SLOs, which mode, which guardrails, who approves. Made by `config/`, which validates it.
//!
//! A policy is one service. An incident keeps the policy that it opened with, so policies are stored in situations as they are here.

mod alert;
mod workload;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

pub use self::workload::{WORKLOAD_ANSWERS, WorkloadIndicator, WorkloadKind};
use super::alert_source::AlertSelector;
use super::assurance::Assurance;
use super::broken_sync::OnSyncFailure;
use super::consent::ConsentRules;
use super::id::{
    EnvironmentName, InstanceName, MetricsName, NotifierName, PolicyDigest, PolicyName, RepositoryName, SloName, SyncName, canonical_json,
    sha256_hex,
};
use super::irrevertible::{self, Never};
use super::round::Decimal;
use super::schedule::RecurringWindow;
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

/// Globs for the paths of a service: `include` less `exclude`, separators literal, matched against the old and the new path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PathSet {
    /// At least one glob.
    pub include: Vec<String>,
    /// Globs that take paths out again.
    pub exclude: Vec<String>,
}

thread_local! {
    /// Compiling globs takes a thousand times as long as matching them, and every pass asks for those of every policy.
    static COMPILED: RefCell<HashMap<PathSet, Rc<PathMatcher>>> = RefCell::new(HashMap::new());
}

/// So many compiled sets are kept by a thread.
const COMPILED_KEPT: usize = 4096;

/// A compiled `PathSet`.
pub struct PathMatcher {
    include: GlobSet,
    exclude: GlobSet,
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

/// How health is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Indicator {
    /// An HTTP request.
    Http(HttpIndicator),
    /// A Prometheus query.
    Prometheus(PrometheusIndicator),
    /// Whether an alert fires.
    Alert(AlertIndicator),
    /// Whether a workload of a cluster is ready.
    Workload(WorkloadIndicator),
}

/// Whether an alert of a monitoring system fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertIndicator {
    /// Which server.
    pub server: MetricsName,
    /// Time from the start of one round to the start of the next.
    #[serde(with = "millis")]
    pub every: Duration,
    /// Which alerts.
    pub selector: AlertSelector,
    /// A rule that was last evaluated longer ago says nothing.
    #[serde(with = "millis")]
    pub max_staleness: Duration,
}

/// What the answers of one round of an alert may take together: at most two are asked for.
pub const ALERT_ANSWERS: Duration = Duration::from_secs(20);

/// An HTTP request per round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpIndicator {
    /// `http://` or `https://`, without credentials.
    pub url: String,
    /// Time from the start of one round to the start of the next.
    #[serde(with = "millis")]
    pub every: Duration,
    /// Limit for the whole answer.
    #[serde(with = "millis")]
    pub timeout: Duration,
    /// Status codes of a good answer.
    pub expect_status: Vec<u16>,
    /// What no complete answer means.
    pub unreachable: Unreachable,
}

/// What no complete answer of an `http` indicator means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unreachable {
    /// Not measured.
    Unknown,
    /// Bad, if every control answered in the same round; else not measured.
    Bad,
}

/// A Prometheus query per round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusIndicator {
    /// Which server.
    pub server: MetricsName,
    /// Time from the end of one round to the end of the next; `$window` in queries.
    #[serde(with = "millis")]
    pub every: Duration,
    /// What is asked.
    pub query: PrometheusQuery,
    /// The selector whose newest sample says how fresh the data is.
    pub freshness: Option<String>,
    /// Older samples are no data.
    #[serde(with = "millis")]
    pub max_staleness: Duration,
    /// The selector whose highest sample is 0 where the server scrapes none of the service's targets (`up{…}`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<String>,
}

/// What a Prometheus indicator asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PrometheusQuery {
    /// One value, judged by `max` and `min`.
    Value(String),
    /// Two counts over `$window`.
    Ratio {
        /// Good events.
        good: String,
        /// All events.
        total: String,
    },
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

/// `guardrails:` of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guardrails {
    /// No force-merge sooner than this after the last merged revert of the policy.
    #[serde(with = "millis")]
    pub cooldown: Duration,
    /// The policy's own budgets.
    pub limits: Limits,
    /// The windows in which a revert may be merged without an approval; always, where there is none. Absent in policies that were
    /// recorded before there were any, so that their digest stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merge_hours: Vec<RecurringWindow>,
    /// The windows in which breaches are expected, and neither proposed nor merged without an approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<RecurringWindow>,
    /// A revert that touches more services than this is not merged without an approval.
    #[serde(default = "default_max_services", skip_serializing_if = "is_default_max_services")]
    pub max_services: u32,
    /// A revert that changes more objects than this is not merged without an approval.
    #[serde(default = "default_max_objects", skip_serializing_if = "is_default_max_objects")]
    pub max_objects: u32,
    /// Digests, tags or images (`repository:tag`) that no revert goes back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_back_to: Vec<String>,
    /// Changes that are never reverted.
    #[serde(default, skip_serializing_if = "Never::is_empty")]
    pub never: Never,
    /// What vouches for the state that a merge leads to, and who is asked before it.
    #[serde(default, skip_serializing_if = "Assurance::is_default")]
    pub assurance: Assurance,
}

/// The most services that a revert touches, where the policy says nothing (design §8).
pub const MAX_SERVICES: u32 = 1;
/// The most objects that a revert changes, where the policy says nothing (design §8).
pub const MAX_OBJECTS: u32 = 20;

fn default_max_services() -> u32 {
    MAX_SERVICES
}

fn default_max_objects() -> u32 {
    MAX_OBJECTS
}

fn is_default_max_services(limit: &u32) -> bool {
    *limit == MAX_SERVICES
}

fn is_default_max_objects(limit: &u32) -> bool {
    *limit == MAX_OBJECTS
}

/// Budgets: at most so many in so long. Every entry holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// For proposals.
    pub propose: Vec<Limit>,
    /// For merged reverts.
    pub merge: Vec<Limit>,
}

/// At most `count` in any `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// How many; zero forbids.
    pub count: u32,
    /// In how long.
    #[serde(with = "millis")]
    pub per: Duration,
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

// === impl Guardrails ===

impl Guardrails {
    /// Adds what a newer version of the policy keeps from being reverted, or brought back: tightening holds for open incidents too.
    pub fn tighten(&mut self, newer: &Self) {
        irrevertible::add(&mut self.never_back_to, &newer.never_back_to);
        self.never.tighten(&newer.never);
        self.assurance.tighten(&newer.assurance);
    }
}

// === impl PathSet, PathMatcher ===

impl PathSet {
    /// Compiles the globs.
    ///
    /// # Errors
    /// A glob that does not parse; `config/` has refused those, so this happens for hand-made values only.
    pub fn matcher(&self) -> Result<Rc<PathMatcher>, globset::Error> {
        COMPILED.with_borrow_mut(|compiled| {
            if let Some(matcher) = compiled.get(self) {
                return Ok(matcher.clone());
            }
            if compiled.len() >= COMPILED_KEPT {
                compiled.clear();
            }
            let matcher = Rc::new(PathMatcher { include: glob_set(&self.include)?, exclude: glob_set(&self.exclude)? });
            compiled.insert(self.clone(), matcher.clone());
            Ok(matcher)
        })
    }
}

impl PathMatcher {
    /// Whether the service owns the path.
    pub fn owns(&self, path: &str) -> bool {
        self.include.is_match(path) && !self.exclude.is_match(path)
    }
}

fn glob_set(globs: &[String]) -> Result<GlobSet, globset::Error> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(GlobBuilder::new(glob).literal_separator(true).build()?);
    }
    builder.build()
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
    fn a_star_does_not_cross_a_separator_and_exclude_wins() {
        let paths =
            PathSet { include: vec!["apps/*/deployment.yaml".into(), "apps/checkout/**".into()], exclude: vec!["**/README.md".into()] };
        let matcher = paths.matcher().unwrap();
        assert!(matcher.owns("apps/payments/deployment.yaml"));
        assert!(!matcher.owns("apps/payments/base/deployment.yaml"));
        assert!(matcher.owns("apps/checkout/base/deployment.yaml"));
        assert!(!matcher.owns("apps/checkout/README.md"));
    }

    #[test]
    fn a_ratio_is_shown_as_a_percentage() {
        assert_eq!(Ratio(995_000_000).to_string(), "99.5%");
        assert_eq!(Ratio(Ratio::ONE).to_string(), "100%");
        assert_eq!(Ratio(999_999_000).to_string(), "99.9999%");
    }
}
