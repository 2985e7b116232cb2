//! The past of a local clone: the first-parent line of a branch with its dates and messages, and what is asked about it as of any of its
//! commits. Nothing is written into the clone: new objects go to a temporary store that has the clone's as its alternate.

use std::path::{Path, PathBuf};

use super::executable::GitExecutable;
use super::history::message_at;
use super::local::{Store, resolve};
use super::{Brought, GitError, Mirror, Remote, commit_id, objects, oid};
use crate::engine::change::Change;
use crate::engine::id::{BranchName, CommitId};
use crate::engine::time::Timestamp;

/// Of a merge, the messages of at most so many commits are read.
const MOST_MESSAGES: usize = 100;

/// A line ends before so many commits in a row that are too old: a single one may bear a date that it was given.
const OLDER_IN_A_ROW: usize = 10;

/// A clone whose past is asked about.
pub struct PastRepository {
    clone: PathBuf,
    git: GitExecutable,
    mirror: Mirror,
    // Dropped last: the mirror stands in it.
    _scratch: tempfile::TempDir,
}

/// One commit of a first-parent line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCommit {
    /// What it changed against its first parent.
    pub change: Change,
    /// Its committer date.
    pub committed: Timestamp,
    /// Its message and, for a merge, those of the commits that it brought.
    pub messages: Vec<String>,
    /// For a merge, the commits that it brought, itself left out.
    pub brought: Vec<CommitId>,
}

impl PastRepository {
    /// Opens a clone: a bare repository, a worktree or a linked worktree.
    ///
    /// # Errors
    /// No repository there; a shallow, SHA-256 or reftable one.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let Store { git, scratch, directory } = Store::over(path)?;
        let mut command = git.local(path);
        command.args(["config", "--get", "remote.origin.url"]);
        // A clone without a remote has no address: then no manifest can refer to it by one.
        let url = git.run_objects(command, "config").map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())?;
        let remote = Remote { url, branch: BranchName::new("HEAD"), credentials: None };
        let mirror = Mirror::open(&directory, remote, git.clone())?;
        Ok(Self { clone: path.to_owned(), git, mirror, _scratch: scratch })
    }

    /// The commit that a revision names in the clone.
    ///
    /// # Errors
    /// It names none.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, GitError> {
        resolve(&self.git, &self.clone, revision)
    }

    /// The branch that a revision names, as people write it; the revision itself where it names none.
    ///
    /// # Errors
    /// A git that cannot be run.
    pub fn branch(&self, revision: &str) -> Result<BranchName, GitError> {
        let mut command = self.git.local(&self.clone);
        command.args(["rev-parse", "--verify", "--quiet", "--abbrev-ref", "--end-of-options", revision]);
        let output = self.git.run_objects(command, "rev-parse")?;
        let named = String::from_utf8_lossy(&output.stdout).lines().next_back().unwrap_or_default().trim().to_owned();
        Ok(BranchName::new(if named.is_empty() || named.starts_with("--") { revision.to_owned() } else { named }))
    }

    /// The clone's objects as a mirror that is never fetched.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// The ids of the first-parent line from `head` back to `since`, oldest first, with a few that are older.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn line(&self, head: CommitId, since: Timestamp) -> Result<Vec<CommitId>, GitError> {
        let repository = self.mirror.repository();
        let mut ids = Vec::new();
        let mut next = Some(oid(head));
        let mut older = 0;
        while let Some(id) = next {
            let commit = repository.find_commit(id).map_err(objects(format!("cannot read the commit {id}")))?;
            ids.push(commit_id(id));
            older = if Timestamp::from_secs(commit.time().seconds()) < since { older + 1 } else { 0 };
            if older == OLDER_IN_A_ROW {
                break;
            }
            next = commit.parent_id(0).ok();
        }
        ids.reverse();
        Ok(ids)
    }

    /// One commit of the line.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn commit(&self, id: CommitId) -> Result<PastCommit, GitError> {
        let change = self.mirror.change(id)?;
        let brought = match self.mirror.brought(id)? {
            Brought::All(ids) => ids.into_iter().filter(|other| *other != id).collect(),
            Brought::TooMany => Vec::new(),
        };
        let repository = self.mirror.repository();
        let committed = repository.find_commit(oid(id)).map_err(objects(format!("cannot read the commit {id}")))?.time().seconds();
        let of = std::iter::once(&id).chain(brought.iter().take(MOST_MESSAGES));
        let messages = of.map(|id| message_at(&repository, *id)).collect::<Result<_, _>>()?;
        Ok(PastCommit { change, committed: Timestamp::from_secs(committed), messages, brought })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::change::Person;
    use crate::git::scratch::{FileEdit, ScratchRepository, Signed};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_secs(1_795_230_000 + 60 * minute)
    }

    #[test]
    fn a_line_has_its_dates_and_what_its_merges_brought_and_the_clone_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let repository = ScratchRepository::init(&directory.path().join("clone.git"), "main").unwrap();
        let person = Person { name: "Robin".to_owned(), email: "robin@shop.example".to_owned() };
        let signed = |minute, message| Signed { person: &person, at: at(minute), message };
        let edit = |text: &str| [FileEdit::Write { path: "a".to_owned(), content: text.as_bytes().to_vec() }];
        let mut made = vec![repository.commit("main", signed(0, "First"), &edit("0")).unwrap()];
        for minute in 1..30 {
            made.push(repository.commit("main", signed(minute, "Next"), &edit(&minute.to_string())).unwrap());
        }
        repository.create_branch("side", made[29]).unwrap();
        let aside = repository.commit("side", signed(30, "Revert \"Next\""), &edit("28")).unwrap();
        let merge = repository.merge("side", "main", signed(40, "Merge side")).unwrap();

        let past = PastRepository::open(repository.directory()).unwrap();
        assert_eq!((past.resolve("main").unwrap(), past.branch("HEAD").unwrap().as_str()), (merge, "main"));
        let line = past.line(merge, at(20)).unwrap();
        assert_eq!(line, [&made[10..], &[merge]].concat());
        let found = past.commit(merge).unwrap();
        assert_eq!((found.committed, found.brought), (at(40), vec![aside]));
        assert_eq!(found.messages.iter().map(|message| message.trim()).collect::<Vec<_>>(), ["Merge side", "Revert \"Next\""]);
        assert_eq!(found.change.before, Some(made[29]));
        assert!(past.resolve("nowhere").is_err() && PastRepository::open(directory.path()).is_err());
    }
}
