//! A small sync tool: what Argo CD or Flux is to a cluster, this is to the demo's services.
//!
//! It polls the branch, and a moment after a new head it hands every service what the manifests of that head ask for, all or nothing. It
//! knows nothing of revertd, and revertd writes to it through Git only.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::engine::id::CommitId;

use super::catalogue::Blueprint;
use super::repository::{BRANCH, DemoRepository, RepositoryError};
use super::services::Running;
use super::workload::{Desired, ManifestError, desired};

/// How fast the sync tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Time from one look at the branch to the next.
    pub poll: Duration,
    /// From seeing a new head to applying it.
    pub lag: Duration,
}

/// What the sync tool last did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncStatus {
    /// The revision that runs.
    pub applied: Option<CommitId>,
    /// The newest revision that could not be applied, with why; gone once something was applied.
    pub failed: Option<(CommitId, String)>,
}

/// Why a revision was not applied.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The repository could not be read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The manifests make no sense.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    /// The reading was given up because the world ends.
    #[error("the world is being shut down")]
    ShuttingDown,
}

/// A service to keep in step.
#[derive(Debug)]
pub struct Target {
    /// What it is.
    pub blueprint: Blueprint,
    /// Where its rollouts go.
    pub rollout: watch::Sender<Running>,
}

// === impl Pace ===

impl Default for Pace {
    /// A look every 200 ms and 400 ms to apply: within the second of lag that the demo's policies assume.
    fn default() -> Self {
        Self { poll: Duration::from_millis(200), lag: Duration::from_millis(400) }
    }
}

/// What every service shall run at a commit, in the order of `blueprints`. Blocks while git reads.
///
/// # Errors
/// The commit cannot be read or its manifests make no sense.
pub fn read(repository: &DemoRepository, commit: CommitId, blueprints: &[Blueprint]) -> Result<Vec<Desired>, SyncError> {
    let files = repository.scratch().files(&commit.to_string(), "apps").map_err(RepositoryError::from)?;
    Ok(blueprints.iter().map(|blueprint| desired(blueprint.name, &files)).collect::<Result<_, _>>()?)
}

/// Keeps services in step with the branch for ever. `status` says at the start what runs already.
pub async fn run(repository: DemoRepository, targets: Vec<Target>, pace: Pace, status: watch::Sender<SyncStatus>) {
    let mut ticks = interval(pace.poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = status.borrow().applied;
    loop {
        ticks.tick().await;
        // A head that cannot be read this time is read next time.
        let Ok(head) = head(&repository).await else { continue };
        if Some(head) == seen {
            continue;
        }
        sleep(pace.lag).await;
        match apply(&repository, &targets, head).await {
            Ok(()) => status.send_replace(SyncStatus { applied: Some(head), failed: None }),
            Err(error) => {
                let applied = status.borrow().applied;
                status.send_replace(SyncStatus { applied, failed: Some((head, error.to_string())) })
            }
        };
        seen = Some(head);
    }
}

async fn head(repository: &DemoRepository) -> Result<CommitId, SyncError> {
    let repository = repository.clone();
    let head = tokio::task::spawn_blocking(move || repository.scratch().head(BRANCH)).await.map_err(|_| SyncError::ShuttingDown)?;
    Ok(head.map_err(RepositoryError::from)?.ok_or(RepositoryError::Empty)?)
}

async fn apply(repository: &DemoRepository, targets: &[Target], commit: CommitId) -> Result<(), SyncError> {
    let repository = repository.clone();
    let blueprints: Vec<Blueprint> = targets.iter().map(|target| target.blueprint).collect();
    let all = tokio::task::spawn_blocking(move || read(&repository, commit, &blueprints)).await.map_err(|_| SyncError::ShuttingDown)??;
    for (target, desired) in targets.iter().zip(all) {
        let warm_at = Instant::now() + desired.warm_up();
        let behaviour = desired.behaviour(&target.blueprint);
        target.rollout.send_if_modified(|running| {
            // Like a cluster: what has not changed is not restarted.
            if running.tag == desired.tag && running.behaviour == behaviour {
                return false;
            }
            *running = Running { tag: desired.tag, behaviour, warm_at: Some(warm_at) };
            true
        });
    }
    Ok(())
}
