//! Commit statuses for the sync sources that follow them: read from the forge and passed in as values, because ports do not know one another.
//!
//! All policies of a repository share one look, which is taken at most once per poll: two hundred of them ask no more of the forge than one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::observe::forge_of;
use crate::config::agent::{Agent, SyncKind, SyncSource};
use crate::engine::id::{BranchName, CommitId, RepositoryName};
use crate::engine::time::Timestamp;
use crate::forge::{self, Call, Forge, StatusOnCommit, StatusReading};
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
    reading: StatusReading,
    newest: Mutex<Option<Result<Seen, Failed>>>,
}

/// A look.
#[derive(Clone)]
struct Seen {
    at: Timestamp,
    statuses: Arc<Vec<StatusOnCommit>>,
}

/// A look that failed.
#[derive(Clone)]
struct Failed {
    at: Timestamp,
    why: String,
}

/// One policy's view of a board: what certain people wrote, or everybody where nobody is named.
struct Reader {
    board: Arc<Board>,
    creators: Arc<[String]>,
}

// === impl Boards ===

impl Boards {
    /// What reads the statuses of a repository's branch that these logins wrote; without any, everybody's.
    ///
    /// # Errors
    /// The repository has no forge, or its client cannot be made.
    pub(super) fn reader(&mut self, agent: &Agent, repository: &RepositoryName, creators: &[String]) -> Result<Box<dyn CommitStatuses>> {
        Ok(Box::new(Reader { board: self.board(agent, repository)?, creators: creators.into() }))
    }

    fn board(&mut self, agent: &Agent, repository: &RepositoryName) -> Result<Arc<Board>> {
        if let Some(board) = self.0.get(repository) {
            return Ok(board.clone());
        }
        let config = agent.repositories.iter().find(|known| known.name == *repository);
        let config = config.with_context(|| format!("there is no repository `{repository}` in the agent file"))?;
        let Some(forge) = forge_of(config, None)? else {
            bail!("the repository `{repository}` is plain Git, which has no commit statuses")
        };
        let names_creators = |source: &SyncSource| matches!(&source.kind, SyncKind::CommitStatus { creators } if !creators.is_empty());
        let reading = if agent.syncs.iter().any(names_creators) { StatusReading::WithCreators } else { StatusReading::Newest };
        let (branch, every) = (config.branch.clone(), config.poll.min(LONGEST_BETWEEN));
        let board = Arc::new(Board { forge, branch, every, reading, newest: Mutex::new(None) });
        self.0.insert(repository.clone(), board.clone());
        Ok(board)
    }
}

// === impl Board ===

impl Board {
    /// The newest look, taken now where the last one is older than a poll. Whoever comes during a look waits for it.
    fn look(&self, now: Timestamp) -> Result<Seen, String> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |at: Timestamp| at <= now && now.since(at) < self.every;
        let known = newest.clone().filter(|look| is_fresh(look.as_ref().map_or_else(|failed| failed.at, |seen| seen.at)));
        let look = known.unwrap_or_else(|| match self.forge.branch_statuses(Call::poll(now), &self.branch, MOST_COMMITS, self.reading) {
            Ok(statuses) => Ok(Seen { at: now, statuses: Arc::new(statuses) }),
            Err(error) => Err(Failed { at: now, why: error.to_string() }),
        });
        *newest = Some(look.clone());
        look.map_err(|failed| failed.why)
    }
}

impl CommitStatuses for Reader {
    fn recent(&self, now: Timestamp) -> StatusesFuture<'_> {
        let (board, creators) = (self.board.clone(), self.creators.clone());
        Box::pin(async move {
            // The forge's client blocks.
            let look = tokio::task::spawn_blocking(move || board.look(now));
            let seen = look.await.unwrap_or_else(|_| Err("the look at them ended unexpectedly".to_owned()))?;
            Ok(Statuses { at: seen.at, statuses: newest_of(&creators, &seen.statuses).into_iter().map(told).collect() })
        })
    }
}

/// Of each commit and context, the newest status that counts. One that nobody who is named wrote is no answer (promise P2).
fn newest_of<'a>(creators: &[String], statuses: &'a [StatusOnCommit]) -> Vec<&'a StatusOnCommit> {
    let is_named = |creator: &String| creators.iter().any(|named| named.eq_ignore_ascii_case(creator));
    let counts = |status: &&StatusOnCommit| creators.is_empty() || status.creator.as_ref().is_some_and(is_named);
    let mut newest: BTreeMap<(CommitId, &str), Timestamp> = BTreeMap::new();
    for status in statuses.iter().filter(counts) {
        let at = newest.entry((status.commit, &status.context)).or_insert(status.at);
        *at = status.at.max(*at);
    }
    statuses.iter().filter(counts).filter(|status| newest.get(&(status.commit, status.context.as_str())) == Some(&status.at)).collect()
}

fn told(status: &StatusOnCommit) -> CommitStatus {
    let state = match status.state {
        forge::StatusState::Pending => StatusState::Pending,
        forge::StatusState::Success => StatusState::Success,
        forge::StatusState::Failure => StatusState::Failure,
        forge::StatusState::Error => StatusState::Error,
    };
    let (context, description) = (status.context.clone(), status.description.clone());
    CommitStatus { commit: status.commit, context, state, description, at: status.at }
}
