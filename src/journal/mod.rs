//! The record: facts that are appended and never changed, the situations that decisions were made from, and the rounds.
//!
//! A trait, so that the agent does not know where the record is; [`SqliteJournal`] is the one that is built. Calls block.

mod memory;
pub mod sight;
mod sqlite;

use crate::engine::budget::Hour;
use crate::engine::fact::{Event, Fact};
use crate::engine::id::{CommitId, FactHash, InstanceName, PolicyName, RepositoryName, SituationDigest, SloName};
use crate::engine::recorded::Recorded;
use crate::engine::round::Round;
use crate::engine::time::Timestamp;

pub use self::memory::MemoryJournal;
pub use self::sqlite::SqliteJournal;

/// Which series a round belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    /// The policy; `None` for a control.
    pub policy: Option<PolicyName>,
    /// Where.
    pub instance: InstanceName,
    /// The SLO, or the control's name.
    pub slo: SloName,
}

/// A round with its series.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRound {
    /// Its series.
    pub series: Series,
    /// The round.
    pub round: Round,
}

/// A counted hour with its series.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredHour {
    /// Its series.
    pub series: Series,
    /// The hour.
    pub hour: Hour,
}

/// What a journal could not do.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is none where one is needed.
    #[error("there is no journal at {0}; `revertd run` makes it")]
    Missing(String),
    /// Another agent holds it.
    #[error("another revertd runs on the journal {path} (process {process})")]
    Held {
        /// The journal.
        path: String,
        /// The other's process id, as it wrote it down.
        process: String,
    },
    /// A newer revertd wrote it.
    #[error("the journal {path} has the schema {found}, and this revertd knows {known}: a newer revertd wrote it")]
    Newer {
        /// The journal.
        path: String,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Its chain is broken.
    #[error("the journal's chain is broken at fact {sequence}: {why}")]
    Broken {
        /// The first fact that is wrong.
        sequence: u64,
        /// What is wrong.
        why: String,
    },
    /// The database said no: locked, full, read-only, corrupt.
    #[error("the journal {path}: {detail}")]
    Database {
        /// The journal.
        path: String,
        /// What SQLite said.
        detail: String,
    },
    /// A file could not be made or locked.
    #[error("the journal's file {path}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// The append-only record. One agent writes; commands append beside it.
pub trait Journal: Send + Sync {
    /// Appends events as facts, all or none, durably; gives the facts.
    ///
    /// # Errors
    /// Nothing was appended.
    fn append(&self, at: Timestamp, events: Vec<Event>) -> Result<Vec<Fact>, JournalError>;

    /// The facts after a sequence number, in order.
    ///
    /// # Errors
    /// A journal that cannot be read, or a fact that is not intact.
    fn facts_after(&self, sequence: u64) -> Result<Vec<Fact>, JournalError>;

    /// Sequence and hash of the newest fact.
    ///
    /// # Errors
    /// A journal that cannot be read.
    fn head(&self) -> Result<Option<(u64, FactHash)>, JournalError>;

    /// Keeps a situation with its pieces, each of which is kept once.
    ///
    /// # Errors
    /// A journal that cannot be written.
    fn store_situation(&self, recorded: &Recorded) -> Result<(), JournalError>;

    /// The JSON of a situation, or of a piece of one, that was kept.
    ///
    /// # Errors
    /// A journal that cannot be read.
    fn situation(&self, digest: &SituationDigest) -> Result<Option<String>, JournalError>;

    /// Notes that a listing at `at` showed `head` on a repository's branch. No fact: only the newest is kept.
    ///
    /// # Errors
    /// A journal that cannot be written.
    fn note_listing(&self, repository: &RepositoryName, head: CommitId, at: Timestamp) -> Result<(), JournalError>;

    /// The newest listing that was noted for a repository.
    ///
    /// # Errors
    /// A journal that cannot be read.
    fn last_listing(&self, repository: &RepositoryName) -> Result<Option<(CommitId, Timestamp)>, JournalError>;

    /// Keeps rounds; one with the same series and end is replaced.
    ///
    /// # Errors
    /// A journal that cannot be written.
    fn append_rounds(&self, rounds: &[StoredRound]) -> Result<(), JournalError>;

    /// The rounds that ended after a time, by their end.
    ///
    /// # Errors
    /// A journal that cannot be read.
    fn rounds_since(&self, at: Timestamp) -> Result<Vec<StoredRound>, JournalError>;

    /// Forgets the rounds that ended before a time.
    ///
    /// # Errors
    /// A journal that cannot be written.
    fn prune_rounds(&self, before: Timestamp) -> Result<(), JournalError>;

    /// Forgets the rounds of these series that ended before a time.
    ///
    /// # Errors
    /// A journal that cannot be written.
    fn prune_rounds_of(&self, series: &[Series], before: Timestamp) -> Result<(), JournalError>;

    /// Keeps counted hours; one with the same series and beginning is replaced.
    ///
    /// # Errors
    /// A journal that cannot be written.
    fn append_hours(&self, hours: &[StoredHour]) -> Result<(), JournalError>;

    /// The counted hours that began after a time, by their beginning.
    ///
    /// # Errors
    /// A journal that cannot be read.
    fn hours_since(&self, at: Timestamp) -> Result<Vec<StoredHour>, JournalError>;

    /// Forgets the hours that began before a time.
    ///
    /// # Errors
    /// A journal that cannot be written.
    fn prune_hours(&self, before: Timestamp) -> Result<(), JournalError>;

    /// Checks the whole chain of facts.
    ///
    /// # Errors
    /// [`JournalError::Broken`] with the first fact that is wrong.
    fn verify(&self) -> Result<(), JournalError>;
}
