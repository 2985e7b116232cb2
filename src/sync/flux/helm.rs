//! A Flux `HelmRelease` and the `HelmChart` that Flux makes for it, read together with the Kustomization that applied it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::decode::{Conditions, Metadata, Ready, Reference, SourceRef};
use crate::engine::sync::{AttemptShows, FailureCause, ReportedRevision, Rollout, SyncReport, SyncState, commit_of, one_line};
use crate::engine::time::Timestamp;

/// The labels that the kustomize controller writes on everything that it applies.
const OWNER_NAME: &str = "kustomize.toolkit.fluxcd.io/name";
const OWNER_NAMESPACE: &str = "kustomize.toolkit.fluxcd.io/namespace";

/// Words for an upgrade that put its objects into the cluster and waited for them in vain.
const WAITED: &[&str] = &["timed out waiting", "context deadline exceeded", "timeout waiting"];

/// How many digits of a commit the source controller writes into the version of a chart with `reconcileStrategy: Revision`.
const VERSION_DIGITS: usize = 12;

#[derive(Debug, Deserialize)]
pub(super) struct HelmRelease {
    #[serde(default)]
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    suspend: bool,
    chart: Option<Template>,
    values_from: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    install: Action,
    #[serde(default)]
    upgrade: Action,
}

#[derive(Debug, Deserialize)]
struct Template {
    spec: TemplateSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateSpec {
    source_ref: SourceRef,
    reconcile_strategy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Action {
    disable_wait: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    last_attempted_generation: i64,
    last_attempted_revision: String,
    conditions: Conditions,
    helm_chart: String,
    history: Vec<Snapshot>,
}

/// One release that Helm made, the newest first.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Snapshot {
    status: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct HelmChart {
    #[serde(default)]
    status: ChartStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ChartStatus {
    observed_source_artifact_revision: String,
}

/// Where a release's chart comes from.
pub(super) enum Chart {
    /// From Git, through this HelmChart: the chart is part of what a commit changes.
    OfGit(Reference),
    /// From a registry or a chart repository.
    Elsewhere,
}

// === impl HelmRelease ===

impl HelmRelease {
    /// The Kustomization that applied it.
    pub(super) fn owner(&self) -> Option<Reference> {
        let label = |name| self.metadata.labels.get(name).cloned();
        Some(Reference { name: label(OWNER_NAME)?, namespace: label(OWNER_NAMESPACE)? })
    }

    /// Where its chart comes from, or why that cannot be followed.
    pub(super) fn chart(&self) -> Result<Chart, String> {
        let Some(template) = self.spec.chart.as_ref().filter(|template| template.spec.source_ref.kind == "GitRepository") else {
            return Ok(Chart::Elsewhere);
        };
        // Otherwise a commit reaches the cluster only if it also changes the version in Chart.yaml, which nothing here can see.
        if template.spec.reconcile_strategy.as_deref() != Some("Revision") {
            return Err(
                "its chart comes from Git without `reconcileStrategy: Revision`, so it does not name the commit that it runs".into()
            );
        }
        let (namespace, name) = self.status.helm_chart.split_once('/').ok_or("its HelmChart has not been made yet")?;
        Ok(Chart::OfGit(Reference { namespace: namespace.to_owned(), name: name.to_owned() }))
    }

    /// `above` is the report of the Kustomization that applied it, `chart` its chart if that comes from Git, and `released` what it is
    /// known to have released last.
    pub(super) fn report(
        &self,
        now: Timestamp,
        above: &SyncReport,
        chart: Option<&HelmChart>,
        released: &[ReportedRevision],
    ) -> SyncReport {
        if !above.is_known() {
            return SyncReport { at: now, ..above.clone() };
        }
        let commits = self.made_of(above, chart);
        let seen = self.status.last_attempted_generation == self.metadata.generation;
        let (state, stage) = self.state();
        let (applied, rollout) = match stage {
            Stage::Before => (released.to_vec(), Rollout::Unknown),
            Stage::InCluster(rollout) => (commits.clone(), rollout),
            Stage::Through => (commits.clone(), self.rollout()),
        };
        let mut report = SyncReport { at: now, state, shows: AttemptShows::AtBegin, attempted: None, applied, rollout };
        if let ([only], true) = (commits.as_slice(), seen) {
            report.attempted = Some(only.clone());
        }
        // While the Kustomization applies a newer revision, the release may be at that one already.
        if matches!(above.state, SyncState::Progressing) && seen {
            report.attempted.clone_from(&above.attempted);
        }
        // A Kustomization that fails or stands still keeps everything newer from the release.
        if matches!(above.state, SyncState::Failed { .. } | SyncState::Suspended) {
            report.state = above.state.clone();
            report.attempted.clone_from(&above.attempted);
        }
        report
    }

    fn state(&self) -> (SyncState, Stage) {
        use FailureCause::{Elsewhere, Revision, Unclear};
        let observed = self.status.observed_generation == self.metadata.generation;
        let conditions = &self.status.conditions;
        if self.spec.suspend {
            return (SyncState::Suspended, if observed && conditions.is_true("Ready") { Stage::Through } else { Stage::Before });
        }
        let ready = match conditions.ready(self.metadata.generation) {
            Ready::Yes if observed => return (SyncState::Applied, Stage::Through),
            Ready::Yes | Ready::NotYet => return (SyncState::Progressing, Stage::Before),
            Ready::No(ready) => ready,
        };
        let remediated = conditions.is_true("Remediated");
        let degraded = || Stage::InCluster(Rollout::Degraded { why: one_line(&ready.message) });
        let deployed = self.status.history.first().is_some_and(|newest| newest.status == "failed");
        match ready.reason.as_str() {
            "InstallFailed" | "UpgradeFailed" if deployed && !remediated && ready.says(WAITED) => (ready.failed(Revision), degraded()),
            "TestFailed" if !remediated => (ready.failed(Revision), degraded()),
            "InstallFailed" | "UpgradeFailed" | "TestFailed" | "RollbackSucceeded" | "UninstallSucceeded" | "ValuesError"
            | "ChartMutateError" | "RetriesExceeded" => (ready.failed(Revision), Stage::Before),
            "ArtifactFailed" | "SourceNotReady" | "DependencyNotReady" | "AccessDenied" | "RESTClientError" => {
                (ready.failed(Elsewhere), Stage::Before)
            }
            _ => (ready.failed(Unclear), Stage::Before),
        }
    }

    /// The commits that the newest release is made of: that of its own object, and that of a chart out of Git. Where they are of two
    /// commits either may have brought a part of a change, and both must contain it before it is rolled out.
    fn made_of(&self, above: &SyncReport, chart: Option<&HelmChart>) -> Vec<ReportedRevision> {
        let mut commits: Vec<ReportedRevision> = above.applied.iter().map(|revision| ReportedRevision::of(revision.commit)).collect();
        let Some(chart) = chart else { return commits };
        let built = commit_of(&chart.status.observed_source_artifact_revision);
        let version = self.status.last_attempted_revision.split_once('+').map(|(_, build)| build);
        match (built, version) {
            (Some(built), Some(version)) if version.starts_with(&built.to_string()[..VERSION_DIGITS]) => {
                if commits.iter().all(|revision| revision.commit != built) {
                    commits.push(ReportedRevision::of(built));
                }
            }
            // The release was made with another chart than the newest, and a shortened id is no commit.
            _ => commits.clear(),
        }
        commits
    }

    fn rollout(&self) -> Rollout {
        // Values out of ConfigMaps and Secrets are taken up at some later look, without a new generation.
        let from_elsewhere = self.spec.values_from.as_ref().is_some_and(|values| !values.is_empty());
        if self.spec.install.disable_wait || self.spec.upgrade.disable_wait || from_elsewhere {
            return Rollout::Unwatched;
        }
        Rollout::Complete
    }
}

/// How far the newest generation has come.
enum Stage {
    /// Not into the cluster, as far as is known: what was released before runs.
    Before,
    /// Into the cluster.
    InCluster(Rollout),
    /// Everything that was asked for has succeeded.
    Through,
}
