//! A Flux `Kustomization` and the `GitRepository` behind it, read.
//!
//! The kustomize controller writes `lastAttemptedRevision` when it begins to build, and `lastAppliedRevision` only after the health checks
//! have passed. In between, the revision that was attempted is in the cluster already; the reason of `Ready` and the message of
//! `Reconciling` tell.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::engine::id::CommitId;
use crate::engine::sync::{AttemptShows, FailureCause, ReportedRevision, Rollout, SyncReport, SyncState, commit_of, one_line};
use crate::engine::time::Timestamp;

/// Words of the kustomize controller for objects that the cluster refuses.
const REFUSED: &[&str] = &["dry-run failed", "apply failed", "is invalid", "is immutable", "validation failed", "strict decoding error"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) generation: i64,
    pub(super) labels: BTreeMap<String, String>,
}

/// An object of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// `status.conditions`, by type.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Conditions(Vec<Condition>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    kind: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) message: String,
    observed_generation: Option<i64>,
}

/// How `Ready` stands.
pub(super) enum Ready<'a> {
    Yes,
    No(&'a Condition),
    /// Unknown, or not there yet: a reconciliation is under way or was never begun.
    NotYet,
}

#[derive(Debug, Deserialize)]
pub(super) struct Kustomization {
    #[serde(default)]
    metadata: Metadata,
    spec: KustomizationSpec,
    #[serde(default)]
    status: KustomizationStatus,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KustomizationSpec {
    #[serde(default)]
    suspend: bool,
    #[serde(default)]
    wait: bool,
    health_checks: Option<Vec<IgnoredAny>>,
    source_ref: SourceRef,
}

#[derive(Debug, Deserialize)]
pub(super) struct SourceRef {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KustomizationStatus {
    observed_generation: i64,
    conditions: Conditions,
    last_applied_revision: String,
    last_applied_origin_revision: String,
    last_attempted_revision: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct GitRepository {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: GitRepositorySpec,
    #[serde(default)]
    status: GitRepositoryStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GitRepositorySpec {
    suspend: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GitRepositoryStatus {
    conditions: Conditions,
}

// === impl Conditions ===

impl Conditions {
    pub(super) fn get(&self, kind: &str) -> Option<&Condition> {
        self.0.iter().find(|condition| condition.kind == kind)
    }

    pub(super) fn is_true(&self, kind: &str) -> bool {
        self.get(kind).is_some_and(|condition| condition.status == "True")
    }

    /// How `Ready` stands for that generation: what is said of an earlier one is not about this one.
    pub(super) fn ready(&self, generation: i64) -> Ready<'_> {
        match self.get("Ready").filter(|ready| ready.observed_generation.is_none_or(|observed| observed >= generation)) {
            Some(ready) if ready.status == "True" => Ready::Yes,
            Some(ready) if ready.status == "False" => Ready::No(ready),
            _ => Ready::NotYet,
        }
    }
}

impl Condition {
    pub(super) fn failed(&self, cause: FailureCause) -> SyncState {
        SyncState::Failed { why: one_line(&format!("{}: {}", self.reason, self.message)), cause }
    }

    pub(super) fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.message.contains(word))
    }
}

// === impl Kustomization, GitRepository ===

impl Kustomization {
    /// The GitRepository that it is made from, if that is its source.
    pub(super) fn git_repository(&self, own_namespace: &str) -> Option<Reference> {
        let source = Some(&self.spec.source_ref).filter(|source| source.kind == "GitRepository")?;
        let namespace = source.namespace.clone().unwrap_or_else(|| own_namespace.to_owned());
        Some(Reference { namespace, name: source.name.clone() })
    }

    pub(super) fn report(&self, now: Timestamp) -> SyncReport {
        let status = &self.status;
        if let Some(unreadable) = self.unreadable() {
            return SyncReport::unknown(now, format!("Flux: its revision `{}` is no commit", one_line(unreadable)));
        }
        let tried = self.commit(&status.last_attempted_revision);
        let applied = self.commit(&status.last_applied_revision);
        let (mut state, stage) = self.state();
        let (applied, rollout) = match stage {
            Stage::Before => (applied, Rollout::Unknown),
            Stage::InCluster(rollout) => (tried.or(applied), rollout),
            Stage::Through if self.spec.wait || self.spec.health_checks.as_ref().is_some_and(|checks| !checks.is_empty()) => {
                (applied, Rollout::Complete)
            }
            Stage::Through => (applied, Rollout::Unwatched),
        };
        // The specification of the Kustomization itself has changed, and nobody has looked at it yet.
        if matches!(state, SyncState::Applied) && status.observed_generation < self.metadata.generation {
            state = SyncState::Progressing;
        }
        let tried = tried.filter(|_| !matches!(&state, SyncState::Failed { .. } if self.failed_before_its_name()));
        SyncReport {
            at: now,
            state,
            shows: AttemptShows::AtBegin,
            attempted: tried.map(ReportedRevision::of),
            applied: applied.map(ReportedRevision::of).into_iter().collect(),
            rollout,
        }
    }

    fn state(&self) -> (SyncState, Stage) {
        use FailureCause::{Elsewhere, Revision, Unclear};
        if self.spec.suspend {
            return (SyncState::Suspended, if matches!(self.ready(), Ready::Yes) { Stage::Through } else { Stage::Before });
        }
        let ready = match self.ready() {
            Ready::Yes => return (SyncState::Applied, Stage::Through),
            Ready::NotYet if self.checks_health() => return (SyncState::Progressing, Stage::InCluster(Rollout::Progressing)),
            Ready::NotYet => return (SyncState::Progressing, Stage::Before),
            Ready::No(ready) => ready,
        };
        let degraded = || Stage::InCluster(Rollout::Degraded { why: one_line(&ready.message) });
        match ready.reason.as_str() {
            // It was applied; what it became is not healthy. That is for the roll-out to say.
            "HealthCheckFailed" => (SyncState::Applied, degraded()),
            "HealthCheckCanceled" => (SyncState::Progressing, Stage::InCluster(Rollout::Progressing)),
            "PruneFailed" => (ready.failed(Unclear), degraded()),
            "BuildFailed" => (ready.failed(Revision), Stage::Before),
            "ReconciliationFailed" if ready.says(REFUSED) => (ready.failed(Revision), Stage::Before),
            "ArtifactFailed" if ready.says(&["path not found"]) => (ready.failed(Revision), Stage::Before),
            "ArtifactFailed" | "DependencyNotReady" | "AccessDenied" => (ready.failed(Elsewhere), Stage::Before),
            _ => (ready.failed(Unclear), Stage::Before),
        }
    }

    fn ready(&self) -> Ready<'_> {
        self.status.conditions.ready(self.metadata.generation)
    }

    /// Whether the revision that was attempted last is in the cluster, and its health is being checked.
    fn checks_health(&self) -> bool {
        let tried = &self.status.last_attempted_revision;
        let reconciling = self.status.conditions.get("Reconciling").filter(|condition| condition.status == "True");
        !tried.is_empty() && reconciling.is_some_and(|it| it.says(&["health checks"]) && it.message.contains(tried.as_str()))
    }

    /// Whether it failed before the revision got into `lastAttemptedRevision`, so that what stands there is an earlier one.
    fn failed_before_its_name(&self) -> bool {
        let reason = self.status.conditions.get("Ready").map(|ready| ready.reason.as_str());
        matches!(reason, Some("ArtifactFailed" | "DependencyNotReady" | "AccessDenied"))
    }

    /// A revision of the status. One of an OCI artifact is a digest; the commit that it was made from stands beside the applied one.
    fn commit(&self, revision: &str) -> Option<CommitId> {
        let status = &self.status;
        commit_of(revision).or_else(|| {
            let same = !revision.is_empty() && revision == status.last_applied_revision;
            commit_of(&status.last_applied_origin_revision).filter(|_| same)
        })
    }

    fn unreadable(&self) -> Option<&str> {
        let applied = &self.status.last_applied_revision;
        (!applied.is_empty() && self.commit(applied).is_none()).then_some(applied)
    }
}

/// How far the attempted revision has come.
enum Stage {
    /// Not into the cluster, as far as is known.
    Before,
    /// Into the cluster.
    InCluster(Rollout),
    /// Everything that was asked for has succeeded.
    Through,
}

impl GitRepository {
    /// Why nothing new comes from it, where that is so.
    pub(super) fn trouble(&self, name: &str) -> Option<SyncState> {
        if self.spec.suspend {
            return Some(SyncState::Suspended);
        }
        let Ready::No(ready) = self.status.conditions.ready(self.metadata.generation) else { return None };
        let why = one_line(&format!("the GitRepository `{name}`: {}: {}", ready.reason, ready.message));
        Some(SyncState::Failed { why, cause: FailureCause::Elsewhere })
    }
}
