//! An Argo CD `Application`, read: lenient about what is absent, because most of its status is until the first sync, and strict about what
//! a word means.

use serde::Deserialize;

use super::super::repository::same_repository;
use super::Rendered;
use crate::engine::id::CommitId;
use crate::engine::sync::{AttemptShows, FailureCause, ReportedRevision, Rollout, SyncReport, SyncState, commit_of, one_line};
use crate::engine::time::Timestamp;
use crate::net::server::end_of_second;

/// Words of Argo CD for a revision that cannot be built: its repository server says so, or quotes the tool that it ran.
const NOT_BUILT: &[&str] =
    &["Manifest generation error", "` failed exit status", "error unmarshaling JSON", "error converting YAML to JSON"];

/// Words for a repository or cluster that could not be reached.
const NOT_REACHED: &[&str] = &[
    "connection refused",
    "connection reset",
    "context deadline exceeded",
    "i/o timeout",
    "no such host",
    "code = Unavailable",
    "code = DeadlineExceeded",
    "authentication required",
    "failed to list refs",
];

#[derive(Debug, Deserialize)]
pub(super) struct Application {
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    source: Option<Source>,
    sources: Option<Vec<Source>>,
    sync_policy: Option<SyncPolicy>,
    source_hydrator: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    #[serde(default, rename = "repoURL")]
    repo_url: String,
}

#[derive(Debug, Deserialize)]
struct SyncPolicy {
    automated: Option<Automated>,
}

#[derive(Debug, Deserialize)]
struct Automated {
    enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    sync: Compared,
    health: Health,
    history: Option<Vec<Deployed>>,
    conditions: Option<Vec<Condition>>,
    operation_state: Option<OperationState>,
    source_hydrator: Option<Hydrator>,
}

/// What was compared with the cluster: the newest revision, whether it is applied or not.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Compared {
    status: String,
    #[serde(flatten)]
    named: Named,
}

/// `revision` of an application with one source, `revisions` of one with several, in the order of `spec.sources`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    revision: Option<String>,
    revisions: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Health {
    status: String,
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deployed {
    #[serde(default)]
    id: i64,
    deployed_at: Option<String>,
    #[serde(flatten)]
    named: Named,
}

#[derive(Debug, Deserialize)]
struct Condition {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OperationState {
    phase: String,
    message: String,
    operation: Operation,
    sync_result: Option<Named>,
    started_at: Option<String>,
    finished_at: Option<String>,
    retry_count: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Operation {
    sync: Option<SyncOperation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SyncOperation {
    dry_run: bool,
    resources: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(flatten)]
    named: Named,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Hydrator {
    last_successful_operation: Option<Hydration>,
    current_operation: Option<Hydration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hydration {
    phase: String,
    message: String,
    #[serde(rename = "drySHA")]
    dry: String,
    #[serde(rename = "hydratedSHA")]
    hydrated: String,
}

/// Which of an application's revisions are those of the watched repository.
enum Sources {
    /// One source.
    One,
    /// Of several, those at these places.
    Several(Vec<usize>),
}

/// What names no commit that can be compared, as a sentence's end.
struct NoCommit(String);

// === impl Application ===

impl Application {
    /// Rendered and dry commits that the hydrator tells.
    pub(super) fn rendered(&self) -> Vec<(CommitId, CommitId)> {
        let hydrator = self.status.source_hydrator.iter();
        hydrator
            .flat_map(|hydrator| [&hydrator.last_successful_operation, &hydrator.current_operation])
            .flatten()
            .filter_map(|hydration| Some((hydration.hydrated.parse().ok()?, hydration.dry.parse().ok()?)))
            .collect()
    }

    pub(super) fn report(&self, now: Timestamp, repository: &str, rendered: &Rendered) -> SyncReport {
        match self.read(now, repository, rendered) {
            Ok(report) => report,
            Err(NoCommit(why)) => SyncReport::unknown(now, format!("Argo CD: {why}")),
        }
    }

    fn read(&self, now: Timestamp, repository: &str, rendered: &Rendered) -> Result<SyncReport, NoCommit> {
        let reader = Reader { sources: self.sources(repository)?, rendered: self.spec.source_hydrator.as_ref().map(|_| rendered) };
        let applied = self.applied(&reader)?;
        let (state, attempted) = match self.failed_hydration() {
            Some(failed) => {
                let why = one_line(&format!("the hydrator: {}", failed.message));
                (SyncState::Failed { cause: cause_of(&failed.message), why }, failed.dry.parse().ok().map(ReportedRevision::of))
            }
            None => match self.state() {
                // What could not be compared was not tried under its name; the last operation was of an earlier revision.
                state @ SyncState::Failed { .. } if self.comparison_error().is_some() => (state, None),
                state => (state, self.attempted(&reader)),
            },
        };
        Ok(SyncReport { at: now, state, shows: AttemptShows::AtBegin, attempted, applied, rollout: self.rollout() })
    }

    fn sources(&self, repository: &str) -> Result<Sources, NoCommit> {
        let Some(sources) = self.spec.sources.as_ref().filter(|sources| !sources.is_empty()) else {
            return match (&self.spec.source, &self.spec.source_hydrator) {
                (None, None) => Err(NoCommit("the application has no source".into())),
                _ => Ok(Sources::One),
            };
        };
        let ours: Vec<usize> = sources
            .iter()
            .enumerate()
            .filter(|(_, source)| same_repository(&source.repo_url, repository))
            .map(|(place, _)| place)
            .collect();
        if ours.is_empty() {
            return Err(NoCommit("none of the application's sources is the watched repository".into()));
        }
        Ok(Sources::Several(ours))
    }

    fn state(&self) -> SyncState {
        let synced = self.status.sync.status == "Synced";
        let operation = self.status.operation_state.as_ref();
        let phase = operation.map_or("", |operation| operation.phase.as_str());
        if matches!(phase, "Running" | "Terminating") {
            return SyncState::Progressing;
        }
        if let Some(message) = self.comparison_error() {
            return SyncState::Failed { why: one_line(message), cause: cause_of(message) };
        }
        // After a failure, what is synced has been put right in another way.
        if let Some(operation) = operation.filter(|_| !synced) {
            let why = one_line(&operation.message);
            match phase {
                "Failed" if cause_of(&operation.message) == FailureCause::Elsewhere => {
                    return SyncState::Failed { why, cause: FailureCause::Elsewhere };
                }
                "Failed" => return SyncState::Failed { why, cause: FailureCause::Revision },
                "Error" => return SyncState::Failed { why, cause: cause_of(&operation.message) },
                _ => {}
            }
        }
        let automated = self.spec.sync_policy.as_ref().and_then(|policy| policy.automated.as_ref());
        match automated {
            Some(automated) if automated.enabled != Some(false) => SyncState::Applied,
            _ => SyncState::Paused,
        }
    }

    fn comparison_error(&self) -> Option<&str> {
        let conditions = self.status.conditions.as_deref().unwrap_or_default();
        let error = conditions.iter().find(|condition| matches!(condition.kind.as_str(), "ComparisonError" | "InvalidSpecError"));
        error.map(|condition| condition.message.as_str())
    }

    fn failed_hydration(&self) -> Option<&Hydration> {
        let hydrator = self.status.source_hydrator.as_ref()?;
        hydrator.current_operation.as_ref().filter(|operation| operation.phase == "Failed")
    }

    fn attempted(&self, reader: &Reader<'_>) -> Option<ReportedRevision> {
        let operation = self.status.operation_state.as_ref()?;
        let sync = operation.operation.sync.as_ref();
        if sync.is_some_and(|sync| sync.dry_run) {
            return None;
        }
        let result = operation.sync_result.as_ref().map(|named| reader.commits(named));
        let asked = || sync.map(|sync| reader.commits(&sync.named));
        let commits = match result {
            Some(Ok(commits)) if !commits.is_empty() => commits,
            _ => asked()?.ok()?,
        };
        // A retry keeps the time at which the first attempt began, and may be of a newer revision.
        let begun = operation.started_at.as_deref().filter(|_| operation.retry_count == 0).and_then(end_of_second);
        match commits.as_slice() {
            [only] => Some(only.clone().at(begun)),
            _ => None,
        }
    }

    /// What is in the cluster. Where the compared revision is in sync that is it, even where no operation was needed: most commits of
    /// a large repository change nothing for an application. Otherwise it is the last whole sync that succeeded.
    fn applied(&self, reader: &Reader<'_>) -> Result<Vec<ReportedRevision>, NoCommit> {
        let succeeded = self.status.operation_state.as_ref().filter(|operation| operation.succeeded());
        let ended = succeeded.and_then(|operation| operation.finished_at.as_deref()).and_then(end_of_second);
        let last = succeeded.and_then(|operation| operation.sync_result.as_ref());
        if self.status.sync.status == "Synced" {
            let commits = reader.commits(&self.status.sync.named)?;
            let same = last.and_then(|named| reader.commits(named).ok()).is_some_and(|last| last == commits);
            return Ok(commits.into_iter().map(|commit| commit.at(ended.filter(|_| same))).collect());
        }
        if let Some(named) = last {
            return Ok(reader.commits(named)?.into_iter().map(|commit| commit.at(ended)).collect());
        }
        let history = self.status.history.as_deref().unwrap_or_default();
        let Some(newest) = history.iter().max_by_key(|deployed| deployed.id) else { return Ok(Vec::new()) };
        let at = newest.deployed_at.as_deref().and_then(end_of_second);
        Ok(reader.commits(&newest.named)?.into_iter().map(|commit| commit.at(at)).collect())
    }

    fn rollout(&self) -> Rollout {
        let operation = self.status.operation_state.as_ref();
        if operation.is_some_and(|operation| matches!(operation.phase.as_str(), "Running" | "Terminating")) {
            return Rollout::Progressing;
        }
        let Health { status, message } = &self.status.health;
        match status.as_str() {
            "Healthy" => Rollout::Complete,
            "Progressing" | "Suspended" => Rollout::Progressing,
            "Degraded" | "Missing" => Rollout::Degraded { why: one_line(if message.is_empty() { status } else { message }) },
            _ => Rollout::Unknown,
        }
    }
}

impl OperationState {
    /// Whether everything of a revision was applied: Argo CD itself puts only such an operation into its history.
    fn succeeded(&self) -> bool {
        let whole = |sync: &SyncOperation| !sync.dry_run && sync.resources.as_ref().is_none_or(Vec::is_empty);
        self.phase == "Succeeded" && self.operation.sync.as_ref().is_none_or(whole)
    }
}

/// Reads revisions of the watched repository.
struct Reader<'a> {
    sources: Sources,
    rendered: Option<&'a Rendered>,
}

impl Reader<'_> {
    /// The commits of the watched repository, each once; none where no revision is named.
    fn commits(&self, named: &Named) -> Result<Vec<ReportedRevision>, NoCommit> {
        let texts: Vec<&String> = match (&self.sources, &named.revision, &named.revisions) {
            (Sources::Several(places), _, Some(revisions)) => {
                let ours: Vec<&String> = places.iter().filter_map(|place| revisions.get(*place)).collect();
                if ours.len() != places.len() && !revisions.is_empty() {
                    return Err(NoCommit("the application has other sources now than when it was synced".into()));
                }
                ours
            }
            (Sources::One, Some(revision), _) => vec![revision],
            _ => Vec::new(),
        };
        let mut commits: Vec<ReportedRevision> = Vec::new();
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            let commit = self.commit(text)?;
            if !commits.contains(&commit) {
                commits.push(commit);
            }
        }
        Ok(commits)
    }

    fn commit(&self, text: &str) -> Result<ReportedRevision, NoCommit> {
        let commit = commit_of(text).ok_or_else(|| NoCommit(format!("its revision `{}` is no commit", one_line(text))))?;
        let Some(rendered) = self.rendered else { return Ok(ReportedRevision::of(commit)) };
        match rendered.dry(commit) {
            Some(dry) => Ok(ReportedRevision { rendered: Some(commit), ..ReportedRevision::of(dry) }),
            None => Err(NoCommit(format!("the hydrator no longer tells from which commit it rendered {}", commit.short()))),
        }
    }
}

fn cause_of(message: &str) -> FailureCause {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match (says(NOT_REACHED), says(NOT_BUILT)) {
        (true, _) => FailureCause::Elsewhere,
        (false, true) => FailureCause::Revision,
        (false, false) => FailureCause::Unclear,
    }
}
