//! Commit statuses for the sync sources that follow them: read from the forge and passed in as values, because ports do not know one another.
//!
//! All policies of a repository share one look, which is taken at most once per poll: two hundred of them ask no more of the forge than one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::observe::forge_of;
use crate::config::agent::Agent;
use crate::engine::id::{BranchName, RepositoryName};
use crate::engine::time::Timestamp;
use crate::forge::{self, Call, Forge, StatusOnCommit};
use crate::sync::commit_status::{CommitStatus, CommitStatuses, StatusState, Statuses, StatusesFuture};

/// So many of a branch's newest commits are read. What was applied before them is not known; a tool that lags behind by more is in trouble.
const MOST_COMMITS: usize = 10;

/// The longest time from one look to the next: a source that says nothing for a minute counts as silent.
const LONGEST_BETWEEN: Duration = Duration::from_secs(20);

/// The statuses of each repository's branch, made when a policy follows them.
#[derive(Default)]
pub(super) struct Boards(BTreeMap<RepositoryName, Arc<Board>>);

/// The newest look at a branch's statuses.
struct Board {
    forge: Arc<dyn Forge>,
    branch: BranchName,
    every: Duration,
    newest: Mutex<Option<Result<Statuses, Failed>>>,
}

/// A look that failed.
#[derive(Clone)]
struct Failed {
    at: Timestamp,
    why: String,
}

/// One policy's view of a board.
struct Reader(Arc<Board>);

// === impl Boards ===

impl Boards {
    /// What reads the statuses of a repository's branch.
    ///
    /// # Errors
    /// The repository has no forge, or its client cannot be made.
    pub(super) fn reader(&mut self, agent: &Agent, repository: &RepositoryName) -> Result<Box<dyn CommitStatuses>> {
        if let Some(board) = self.0.get(repository) {
            return Ok(Box::new(Reader(board.clone())));
        }
        let config = agent.repositories.iter().find(|known| known.name == *repository);
        let config = config.with_context(|| format!("there is no repository `{repository}` in the agent file"))?;
        let Some(forge) = forge_of(config, None)? else {
            bail!("the repository `{repository}` is plain Git, which has no commit statuses")
        };
        let board =
            Arc::new(Board { forge, branch: config.branch.clone(), every: config.poll.min(LONGEST_BETWEEN), newest: Mutex::new(None) });
        self.0.insert(repository.clone(), board.clone());
        Ok(Box::new(Reader(board)))
    }
}

// === impl Board ===

impl Board {
    /// The newest look, taken now where the last one is older than a poll. Whoever comes during a look waits for it.
    fn look(&self, now: Timestamp) -> Result<Statuses, String> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |at: Timestamp| at <= now && now.since(at) < self.every;
        let known = newest.clone().filter(|look| is_fresh(look.as_ref().map_or_else(|failed| failed.at, |statuses| statuses.at)));
        let look = known.unwrap_or_else(|| match self.forge.branch_statuses(Call::poll(now), &self.branch, MOST_COMMITS) {
            Ok(statuses) => Ok(Statuses { at: now, statuses: statuses.into_iter().map(told).collect() }),
            Err(error) => Err(Failed { at: now, why: error.to_string() }),
        });
        *newest = Some(look.clone());
        look.map_err(|failed| failed.why)
    }
}

impl CommitStatuses for Reader {
    fn recent(&self, now: Timestamp) -> StatusesFuture<'_> {
        let board = self.0.clone();
        Box::pin(async move {
            // The forge's client blocks.
            let look = tokio::task::spawn_blocking(move || board.look(now));
            look.await.unwrap_or_else(|_| Err("the look at them ended unexpectedly".to_owned()))
        })
    }
}

fn told(status: StatusOnCommit) -> CommitStatus {
    let state = match status.state {
        forge::StatusState::Pending => StatusState::Pending,
        forge::StatusState::Success => StatusState::Success,
        forge::StatusState::Failure => StatusState::Failure,
        forge::StatusState::Error => StatusState::Error,
    };
    CommitStatus { commit: status.commit, context: status.context, state, description: status.description, at: status.at }
}
