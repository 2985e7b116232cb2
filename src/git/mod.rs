//! Everything that touches Git: the bare mirror of a watched repository, its history, the inverse of changes, commits and pushes.
//!
//! Objects are read and written through libgit2; the network, merges and everything that a user's configuration decides go through the
//! `git` executable. This module is the only one that names git2 and the only one that runs git. Its calls block.

mod commit;
mod executable;
mod history;
mod inverse;
mod local;
mod mirror;
mod owners;
mod past;
mod push;
mod reading;
mod sameness;
pub mod scratch;
pub mod survey;
mod trees;
mod undo;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::change::Change;
use crate::engine::id::{BranchName, CommitId, PlanDigest, PolicyName, ProposalKey};
use crate::engine::time::Timestamp;
use crate::net::secret::Secret;

pub use self::commit::{CommitDraft, Identity, Signer};
pub use self::executable::GitExecutable;
pub use self::history::read_message;
pub use self::local::LocalRepository;
pub use self::mirror::Mirror;
pub use self::owners::ServicePaths;
pub use self::past::{PastCommit, PastRepository};
pub use self::push::PushOutcome;
pub use self::reading::{Brought, FileAt};
pub use self::sameness::ServiceFile;
pub use self::undo::{LaterChange, UndoQuestion};

/// Where a mirror fetches from and pushes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// `file://`, `http(s)://`, `ssh://` or `user@host:path`, without a password.
    pub url: String,
    /// The watched branch.
    pub branch: BranchName,
    /// How to authenticate; the user's own Git configuration without it.
    pub credentials: Option<Credentials>,
}

/// How Git authenticates. Files are read at each use, so that a rotated secret is picked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// HTTP basic authentication.
    Password {
        /// The user.
        username: String,
        /// The file that holds the password on its first line.
        password_file: PathBuf,
    },
    /// SSH with a key of our own.
    SshKey {
        /// The private key.
        key_file: PathBuf,
        /// The trusted host keys; the user's own without it.
        known_hosts_file: Option<PathBuf>,
    },
    /// HTTP basic authentication with what somebody else renews, as a forge's token.
    Supplied(Supplier),
}

/// Gives a user name and a password that are good now; asked at each use.
#[derive(Clone)]
pub struct Supplier(Arc<Supply>);

type Supply = dyn Fn() -> Result<(String, Secret), String> + Send + Sync;

impl Supplier {
    /// `supply` gives a user name and a password, or says in a sentence why there are none.
    pub fn new(supply: impl Fn() -> Result<(String, Secret), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(supply))
    }

    /// What is good now.
    fn supply(&self) -> Result<(String, Secret), GitError> {
        (self.0)().map_err(GitError::Credentials)
    }
}

impl fmt::Debug for Supplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Supplier")
    }
}

impl PartialEq for Supplier {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Supplier {}

/// What one reference listing shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The head of the watched branch; `None` where there is no such branch.
    pub head: Option<CommitId>,
    /// The heads of `revertd/<key>`.
    pub proposals: std::collections::BTreeMap<ProposalKey, CommitId>,
}

/// How a branch moved (design §2, Landing).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Along the first-parent line; the changes between, oldest first.
    Line(Vec<Change>),
    /// The old head is an ancestor, but not on that line.
    Foxtrot(Box<Change>),
    /// The old head is no ancestor.
    Rewritten,
    /// There is no old head: the newest changes on the line, oldest first.
    First(Vec<Change>),
}

/// A change to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undo {
    /// The commit.
    pub commit: CommitId,
    /// What it was before; `None` for a root commit.
    pub before: Option<CommitId>,
}

/// A commit that carries a `Revertd-Plan` trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandedPlan {
    /// The commit.
    pub commit: CommitId,
    /// The plan that it carries out.
    pub plan: PlanDigest,
    /// The policies that it names.
    pub policies: Vec<PolicyName>,
    /// Its committer date.
    pub committed: Timestamp,
}

/// What Git could not do.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No usable git executable.
    #[error("{0}")]
    Executable(String),
    /// A repository that revertd does not work with: shallow, SHA-256, reftable.
    #[error("{0}")]
    Unsupported(String),
    /// A git command failed; secrets have been taken out of its words.
    #[error("`git {command}` failed: {detail}")]
    Command {
        /// The subcommand.
        command: String,
        /// What it said.
        detail: String,
    },
    /// A git command did not end in time. A push may have been carried out.
    #[error("`git {command}` did not end within {seconds} seconds; what it did is not known")]
    TimedOut {
        /// The subcommand.
        command: String,
        /// The limit.
        seconds: u64,
    },
    /// A secret or key could not be read.
    #[error("{0}")]
    Credentials(String),
    /// An object or reference could not be read or written.
    #[error("{doing}: {detail}")]
    Objects {
        /// What was being done.
        doing: String,
        /// What libgit2 said.
        detail: String,
    },
    /// A file or process could not be used.
    #[error("cannot {doing}")]
    Io {
        /// What was being done, after "cannot".
        doing: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// Turns a libgit2 error into ours, with what was being done.
fn objects(doing: impl Into<String>) -> impl FnOnce(git2::Error) -> GitError {
    move |error| GitError::Objects { doing: doing.into(), detail: error.message().to_owned() }
}

fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> GitError {
    move |source| GitError::Io { doing: doing.into(), source }
}

fn oid(id: CommitId) -> git2::Oid {
    raw_oid(id.0)
}

fn raw_oid(bytes: [u8; 20]) -> git2::Oid {
    // Twenty bytes are always an id; the zero id names nothing and is refused by every look-up.
    git2::Oid::from_bytes(&bytes).unwrap_or(git2::Oid::ZERO_SHA1)
}

fn raw_id(oid: git2::Oid) -> [u8; 20] {
    let mut bytes = [0; 20];
    let known = oid.as_bytes();
    let length = known.len().min(20);
    bytes[..length].copy_from_slice(&known[..length]);
    bytes
}

fn commit_id(oid: git2::Oid) -> CommitId {
    CommitId(raw_id(oid))
}
