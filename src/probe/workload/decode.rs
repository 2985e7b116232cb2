//! The objects of `apps/v1` and their pods, read: absent numbers are 0, as Kubernetes leaves them out, and defaults are those of its
//! documentation.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::sync::one_line;
use crate::engine::time::Timestamp;
use crate::engine::workload::{Pods, Rollout, TIME_TO_START, TroubledPod, WorkloadReport};
use crate::net::server::end_of_second;

/// So many restarts of a container that is not ready are a crash loop, also in the moments in which it runs.
const CRASH_LOOP: u64 = 3;

/// Words of a waiting container that does not start by itself.
const CANNOT_START: &[&str] = &[
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// A workload, with the selector of its pods, or why none can be written.
pub(super) struct Reported {
    pub(super) report: WorkloadReport,
    pub(super) selector: Result<String, String>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    generation: u64,
    #[serde(rename = "creationTimestamp")]
    creation_timestamp: Option<String>,
    #[serde(rename = "deletionTimestamp")]
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Deployment {
    metadata: Metadata,
    spec: DeploymentSpec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct DeploymentSpec {
    replicas: Option<u64>,
    #[serde(default)]
    strategy: Strategy,
    #[serde(default)]
    selector: Selector,
}

#[derive(Deserialize)]
pub(super) struct StatefulSet {
    metadata: Metadata,
    spec: SetSpec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
pub(super) struct DaemonSet {
    metadata: Metadata,
    spec: SetSpec,
    #[serde(default)]
    status: DaemonStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetSpec {
    replicas: Option<u64>,
    #[serde(default)]
    update_strategy: Strategy,
    #[serde(default)]
    selector: Selector,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Strategy {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    rolling_update: RollingUpdate,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RollingUpdate {
    max_unavailable: Option<Share>,
    max_surge: Option<Share>,
    partition: Option<u64>,
}

/// A number of pods, or a percentage of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Share {
    Pods(u64),
    Percentage(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selector {
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
    #[serde(default)]
    match_expressions: Vec<Expression>,
}

#[derive(Deserialize)]
struct Expression {
    key: String,
    operator: String,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: u64,
    replicas: u64,
    updated_replicas: u64,
    ready_replicas: u64,
    current_revision: String,
    update_revision: String,
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DaemonStatus {
    observed_generation: u64,
    desired_number_scheduled: u64,
    updated_number_scheduled: u64,
    number_ready: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
}

#[derive(Deserialize)]
pub(super) struct PodList {
    #[serde(default)]
    metadata: ListMetadata,
    items: Vec<Pod>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// What the pods of a workload come to.
#[derive(Default)]
pub(super) struct Seen {
    /// Those that crash again and again or cannot start.
    pub(super) troubled: Vec<TroubledPod>,
    /// How many are not ready although they had their time to start.
    pub(super) late: u64,
}

#[derive(Deserialize)]
struct Pod {
    metadata: Metadata,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    conditions: Vec<Condition>,
    container_statuses: Vec<Container>,
    init_container_statuses: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    ready: bool,
    restart_count: u64,
    state: ContainerState,
    last_state: ContainerState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    waiting: Option<Waiting>,
    terminated: Option<Terminated>,
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminated {
    exit_code: i64,
    #[serde(default)]
    reason: String,
}

// === impl Deployment, StatefulSet, DaemonSet ===

impl Deployment {
    pub(super) fn report(self) -> Reported {
        let desired = self.spec.replicas.unwrap_or(1);
        let Status { updated_replicas: updated, replicas, .. } = self.status;
        let progressing = self.status.conditions.iter().find(|condition| condition.kind == "Progressing");
        let reason = progressing.map_or("", |condition| condition.reason.as_str());
        let replaced = matches!(reason, "ReplicaSetUpdated" | "NewReplicaSetCreated" | "FoundNewReplicaSet");
        let rollout = if reason == "ProgressDeadlineExceeded" {
            Rollout::Stuck(progressing.map_or_else(String::new, |condition| one_line(&condition.message)))
        } else if updated < desired || replicas > updated || replaced {
            Rollout::Underway { max_unavailable: self.spec.strategy.of_deployment(desired) }
        } else {
            Rollout::Complete
        };
        self.status.report(self.metadata.generation, desired, rollout, &self.spec.selector)
    }
}

impl StatefulSet {
    pub(super) fn report(self) -> Reported {
        let desired = self.spec.replicas.unwrap_or(1);
        let strategy = &self.spec.update_strategy;
        // Those below the partition keep the old version on purpose.
        let to_update = desired.saturating_sub(strategy.rolling_update.partition.unwrap_or(0));
        let differs = self.status.current_revision != self.status.update_revision;
        // The controller lets the revisions differ until the last pod is ready.
        let rollout = if differs && (self.status.updated_replicas < to_update || self.status.ready_replicas < desired) {
            Rollout::Underway { max_unavailable: strategy.of_set(desired) }
        } else {
            Rollout::Complete
        };
        self.status.report(self.metadata.generation, desired, rollout, &self.spec.selector)
    }
}

impl DaemonSet {
    pub(super) fn report(self) -> Reported {
        let DaemonStatus { observed_generation, desired_number_scheduled: desired, updated_number_scheduled: updated, number_ready } =
            self.status;
        // Nothing tells a rollout whose last pods start from pods that are not ready any more, but their age.
        let rollout = if updated < desired || number_ready < desired {
            Rollout::Underway { max_unavailable: self.spec.update_strategy.of_set(desired) }
        } else {
            Rollout::Complete
        };
        let generation = self.metadata.generation;
        let (late, pods) = (0, Pods::NotAsked);
        let report = WorkloadReport { generation, observed_generation, desired, ready: number_ready, updated, rollout, late, pods };
        Reported { report, selector: self.spec.selector.text() }
    }
}

impl Status {
    fn report(&self, generation: u64, desired: u64, rollout: Rollout, selector: &Selector) -> Reported {
        let report = WorkloadReport {
            generation,
            observed_generation: self.observed_generation,
            desired,
            ready: self.ready_replicas,
            updated: self.updated_replicas,
            rollout,
            late: 0,
            pods: Pods::NotAsked,
        };
        Reported { report, selector: selector.text() }
    }
}

// === impl Strategy, Share ===

impl Strategy {
    /// A quarter, rounded down, where nothing is said; one, where neither a missing pod nor one more is allowed. `Recreate` leaves none, and that
    /// is an outage, planned or not: `settle` is for it.
    fn of_deployment(&self, desired: u64) -> u64 {
        if self.kind == "Recreate" {
            return 0;
        }
        let quarter = Share::Percentage("25%".to_owned());
        let unavailable = self.rolling_update.max_unavailable.as_ref().unwrap_or(&quarter).of(desired, Rounding::Down);
        let surge = self.rolling_update.max_surge.as_ref().unwrap_or(&quarter).of(desired, Rounding::Up);
        if unavailable == 0 && surge == 0 { 1 } else { unavailable }
    }

    /// One where nothing is said. With `OnDelete` people take the pods away, and nothing says how many at a time.
    fn of_set(&self, desired: u64) -> u64 {
        if self.kind == "OnDelete" {
            return 0;
        }
        match (&self.rolling_update.max_unavailable, &self.rolling_update.max_surge) {
            (Some(share), _) => share.of(desired, Rounding::Up),
            (None, Some(surge)) if surge.of(desired, Rounding::Up) > 0 => 0,
            (None, _) => 1,
        }
    }
}

#[derive(Clone, Copy)]
enum Rounding {
    Down,
    Up,
}

impl Share {
    /// Of so many pods. What is no percentage is none of them.
    fn of(&self, desired: u64, rounding: Rounding) -> u64 {
        match self {
            Self::Pods(count) => *count,
            Self::Percentage(text) => {
                let percent: u64 = text.trim_end_matches('%').parse().unwrap_or(0);
                let hundredths = desired.saturating_mul(percent);
                match rounding {
                    Rounding::Down => hundredths / 100,
                    Rounding::Up => hundredths.div_ceil(100),
                }
            }
        }
    }
}

// === impl Selector, PodList, Pod, Container ===

impl Selector {
    /// As the API takes it. An empty one would select every pod of the namespace.
    fn text(&self) -> Result<String, String> {
        let mut parts: Vec<String> = self.match_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        for Expression { key, operator, values } in &self.match_expressions {
            let values = values.join(",");
            parts.push(match operator.as_str() {
                "In" => format!("{key} in ({values})"),
                "NotIn" => format!("{key} notin ({values})"),
                "Exists" => key.clone(),
                "DoesNotExist" => format!("!{key}"),
                other => return Err(format!("its selector has the operator `{}`", one_line(other))),
            });
        }
        if parts.is_empty() { Err("it has no selector".to_owned()) } else { Ok(parts.join(",")) }
    }
}

impl PodList {
    /// Adds these pods to what was seen at `now`, but for those that are being deleted. Gives where the list goes on, if it does.
    pub(super) fn add_to(self, seen: &mut Seen, now: Timestamp) -> Option<String> {
        let standing: Vec<Pod> = self.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
        seen.troubled.extend(standing.iter().filter_map(Pod::trouble));
        seen.late += standing.iter().map(|pod| u64::from(pod.is_late(now))).sum::<u64>();
        self.metadata.next.filter(|next| !next.is_empty())
    }
}

impl Pod {
    fn trouble(&self) -> Option<TroubledPod> {
        let containers = self.status.init_container_statuses.iter().chain(&self.status.container_statuses);
        let why = containers.filter_map(Container::trouble).next()?;
        Some(TroubledPod { name: one_line(&self.metadata.name), why })
    }

    /// One that does not tell when it was made is not late.
    fn is_late(&self, now: Timestamp) -> bool {
        let is_ready = self.status.conditions.iter().any(|condition| condition.kind == "Ready" && condition.status == "True");
        let made = self.metadata.creation_timestamp.as_deref().and_then(end_of_second);
        !is_ready && made.is_some_and(|made| now.since(made) >= TIME_TO_START)
    }
}

impl Container {
    fn trouble(&self) -> Option<String> {
        let last = self.last_state.terminated.as_ref().or(self.state.terminated.as_ref()).filter(|ended| ended.exit_code != 0);
        let ended = last.map(|ended| match ended.reason.as_str() {
            "" | "Error" => format!("exit code {}", ended.exit_code),
            reason => format!("exit code {}, {}", ended.exit_code, one_line(reason)),
        });
        let waiting = self.state.waiting.as_ref().map(|waiting| waiting.reason.as_str()).filter(|reason| CANNOT_START.contains(reason));
        match (waiting, ended) {
            (Some(reason), Some(ended)) => Some(format!("{reason}, {ended}")),
            (Some(reason), None) => Some(reason.to_owned()),
            (None, Some(ended)) if !self.ready && self.restart_count >= CRASH_LOOP => {
                Some(format!("restarted {} times, {ended}", self.restart_count))
            }
            (None, _) => None,
        }
    }
}
