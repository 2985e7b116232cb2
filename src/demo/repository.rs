//! The demo's manifests repository, and what people do in it.
//!
//! It plays the forge: a commit that a person pushes is a move of the branch here, whichever way it was made. Dates come from the caller.

use std::path::Path;

use crate::engine::change::Person;
use crate::engine::id::CommitId;
use crate::engine::time::Timestamp;
use crate::git::scratch::{FileEdit, LogLine, ScratchError, ScratchRepository, Signed};

use super::catalogue::Blueprint;
use super::history;

/// The branch that everything happens on.
pub const BRANCH: &str = "main";

/// How often a person tries again when somebody else was faster.
const TRIES: u32 = 50;

/// Why a person could not do something in the repository.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// git said no.
    #[error(transparent)]
    Git(#[from] ScratchError),
    /// The text to be replaced is not in the file exactly once.
    #[error("`{old}` is not exactly once in {path}")]
    NotOnce {
        /// Which file.
        path: String,
        /// Which text.
        old: String,
    },
    /// There is no such file, or it is no text.
    #[error("there is no text file {0}")]
    NoFile(String),
    /// The branch has no commit.
    #[error("the branch has no commit")]
    Empty,
}

/// What a person changes in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Replaces the one place where `old` stands.
    Replace {
        /// The path.
        path: String,
        /// The text that is there, exactly once.
        old: String,
        /// The text to put in its place.
        new: String,
    },
    /// Puts a whole file there.
    Write {
        /// The path.
        path: String,
        /// The content.
        content: String,
    },
    /// Takes a file away.
    Remove {
        /// The path.
        path: String,
    },
}

/// The manifests repository.
#[derive(Clone, Debug)]
pub struct DemoRepository {
    scratch: ScratchRepository,
}

// === impl Edit ===

impl Edit {
    /// Replaces the one place where `old` stands.
    pub fn replace(path: impl Into<String>, old: impl Into<String>, new: impl Into<String>) -> Self {
        Self::Replace { path: path.into(), old: old.into(), new: new.into() }
    }
}

// === impl DemoRepository ===

impl DemoRepository {
    /// Makes the repository with two weeks of history for these services (see [`history::stream`]). Blocks for some tens of milliseconds.
    ///
    /// # Errors
    /// git cannot be run or fails.
    pub fn create(directory: &Path, blueprints: &[Blueprint], now: Timestamp) -> Result<Self, RepositoryError> {
        let scratch = ScratchRepository::init(directory, BRANCH)?;
        scratch.fast_import(&history::stream(blueprints, now))?;
        Ok(Self { scratch })
    }

    /// The bare repository.
    pub fn scratch(&self) -> &ScratchRepository {
        &self.scratch
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        self.scratch.directory()
    }

    /// Its `file://` address.
    pub fn url(&self) -> String {
        self.scratch.url()
    }

    /// The head of the branch.
    ///
    /// # Errors
    /// git fails, or the branch is gone.
    pub fn head(&self) -> Result<CommitId, RepositoryError> {
        self.scratch.head(BRANCH)?.ok_or(RepositoryError::Empty)
    }

    /// The newest `limit` commits of the branch, newest first, with everything that merges bring.
    ///
    /// # Errors
    /// git fails.
    pub fn log(&self, limit: usize) -> Result<Vec<LogLine>, RepositoryError> {
        Ok(self.scratch.log(BRANCH, limit)?)
    }

    /// The newest `limit` commits of the branch's own line, newest first: of a merge not what it brings.
    ///
    /// # Errors
    /// git fails.
    pub fn first_parents(&self, limit: usize) -> Result<Vec<CommitId>, RepositoryError> {
        let listing = self.scratch.text(&["rev-list", "--first-parent", &format!("--max-count={limit}"), BRANCH, "--"])?;
        Ok(listing.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// The text of a file at a revision.
    ///
    /// # Errors
    /// The revision does not exist, or the path is no text file there.
    pub fn show_file(&self, revision: &str, path: &str) -> Result<String, RepositoryError> {
        let content = self.scratch.show_file(revision, path)?;
        content.and_then(|content| String::from_utf8(content).ok()).ok_or_else(|| RepositoryError::NoFile(path.to_owned()))
    }

    /// A person edits files and pushes the commit.
    ///
    /// # Errors
    /// An edit does not fit the files, or git fails.
    pub fn commit_and_push(&self, person: &Person, message: &str, edits: &[Edit], now: Timestamp) -> Result<CommitId, RepositoryError> {
        again(|| {
            let files = edits.iter().map(|edit| self.file_edit(BRANCH, edit)).collect::<Result<Vec<_>, _>>()?;
            Ok(self.scratch.commit(BRANCH, Signed { person, at: now, message }, &files)?)
        })
    }

    /// A person commits to a branch of its own, which starts at the head when it is not there.
    ///
    /// # Errors
    /// An edit does not fit the files, or git fails.
    pub fn commit_on_branch(
        &self,
        branch: &str,
        person: &Person,
        message: &str,
        edits: &[Edit],
        now: Timestamp,
    ) -> Result<CommitId, RepositoryError> {
        if self.scratch.head(branch)?.is_none() {
            self.scratch.create_branch(branch, self.head()?)?;
        }
        let files = edits.iter().map(|edit| self.file_edit(branch, edit)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.scratch.commit(branch, Signed { person, at: now, message }, &files)?)
    }

    /// A person merges a branch, as the button of a forge does.
    ///
    /// # Errors
    /// There is no such branch, or it conflicts.
    pub fn merge_branch(&self, person: &Person, branch: &str, now: Timestamp) -> Result<CommitId, RepositoryError> {
        let message = format!("Merge branch '{branch}'");
        again(|| Ok(self.scratch.merge(branch, BRANCH, Signed { person, at: now, message: &message })?))
    }

    /// A person reverts a commit and pushes, with the message that `git revert` writes and a reason.
    ///
    /// # Errors
    /// There is no such commit, or it conflicts.
    pub fn revert_by_hand(&self, person: &Person, commit: CommitId, reason: &str, now: Timestamp) -> Result<CommitId, RepositoryError> {
        let line = self.scratch.log(&commit.to_string(), 1)?.into_iter().next().ok_or(RepositoryError::Empty)?;
        let which = match line.parents[..] {
            [first, _, ..] => format!("{commit}, reversing\nchanges made to {first}"),
            _ => commit.to_string(),
        };
        let message = format!("Revert \"{}\"\n\nThis reverts commit {which}.\n\n{reason}", line.subject);
        again(|| Ok(self.scratch.revert(BRANCH, commit, Signed { person, at: now, message: message.trim_end() })?))
    }

    fn file_edit(&self, revision: &str, edit: &Edit) -> Result<FileEdit, RepositoryError> {
        match edit {
            Edit::Replace { path, old, new } => {
                let text = self.show_file(revision, path)?;
                if text.matches(old.as_str()).count() != 1 {
                    return Err(RepositoryError::NotOnce { path: path.clone(), old: old.clone() });
                }
                Ok(FileEdit::Write { path: path.clone(), content: text.replacen(old.as_str(), new, 1).into_bytes() })
            }
            Edit::Write { path, content } => Ok(FileEdit::Write { path: path.clone(), content: content.clone().into_bytes() }),
            Edit::Remove { path } => Ok(FileEdit::Remove { path: path.clone() }),
        }
    }
}

/// People whose push is rejected pull and push again; the demo's never need more than a few tries.
fn again<T>(act: impl Fn() -> Result<T, RepositoryError>) -> Result<T, RepositoryError> {
    for _ in 0..TRIES {
        match act() {
            Err(RepositoryError::Git(ScratchError::Moved(_))) => {}
            done => return done,
        }
    }
    act()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::catalogue::SHOP;
    use super::super::history::person;
    use super::super::workload::{Behaviour, desired};
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_230_245);

    fn repository() -> (tempfile::TempDir, DemoRepository) {
        let directory = tempfile::tempdir().unwrap();
        let repository = DemoRepository::create(&directory.path().join("shop.git"), &SHOP, NOW).unwrap();
        (directory, repository)
    }

    #[test]
    fn the_history_is_two_weeks_of_several_people_with_merges() {
        let (_directory, repository) = repository();
        repository.scratch().fsck().unwrap();
        let log = repository.log(100).unwrap();
        assert_eq!(log.len(), 1 + 7 * SHOP.len());
        assert_eq!(log.iter().filter(|line| line.parents.len() == 2).count(), SHOP.len());
        assert_eq!(repository.scratch().branches().unwrap().len(), 1);
        assert!(log.iter().map(|line| &line.author.name).collect::<BTreeSet<_>>().len() >= 5);
        let (newest, oldest) = (log.iter().map(|line| line.at).max().unwrap(), log.iter().map(|line| line.at).min().unwrap());
        assert!(newest < NOW);
        assert!(newest.since(oldest) > Duration::from_secs(12 * 86_400), "{oldest} to {newest}");
        let dates: Vec<Timestamp> = log.iter().rev().map(|line| line.at).collect();
        assert!(dates.is_sorted(), "{dates:?}");
        assert!(log.iter().all(|line| (8..20).contains(&(line.at.secs() / 3600 % 24))));
    }

    #[test]
    fn no_commit_of_the_history_is_empty() {
        let (_directory, repository) = repository();
        for line in repository.log(100).unwrap().iter().filter(|line| !line.parents.is_empty()) {
            assert!(!repository.scratch().patch(line.id).unwrap().is_empty(), "{}", line.subject);
        }
    }

    #[test]
    fn the_history_ends_where_the_blueprints_say_and_everything_is_healthy() {
        let (_directory, repository) = repository();
        let files = repository.scratch().files(BRANCH, "apps").unwrap();
        for blueprint in &SHOP {
            let desired = desired(blueprint.name, &files).unwrap();
            assert_eq!((desired.tag.as_str(), desired.replicas), (blueprint.tag, u64::from(blueprint.replicas)));
            assert!(blueprint.settings.iter().all(|setting| desired.settings[setting.key] == setting.is));
            assert_eq!(desired.behaviour(blueprint), Behaviour::Healthy);
        }
    }

    #[test]
    fn the_same_time_gives_the_same_history() {
        assert_eq!(repository().1.head().unwrap(), repository().1.head().unwrap());
    }

    #[test]
    fn people_commit_revert_and_merge() {
        let (_directory, repository) = repository();
        let path = SHOP[0].path("deployment.yaml");
        let before = repository.show_file(BRANCH, &path).unwrap();
        let edit = [Edit::replace(&path, "checkout:1.4.2", "checkout:1.5.0")];
        let bad = repository.commit_and_push(&person(0), "checkout: bump image to 1.5.0", &edit, NOW).unwrap();
        assert!(repository.show_file(BRANCH, &path).unwrap().contains("checkout:1.5.0"));
        assert!(matches!(
            repository.commit_and_push(&person(0), "again", &edit, NOW),
            Err(RepositoryError::NotOnce { path: at, .. }) if at == path
        ));
        let revert = repository.revert_by_hand(&person(1), bad, "It fails.", NOW).unwrap();
        assert_eq!(repository.show_file(BRANCH, &path).unwrap(), before);
        assert_eq!(
            repository.scratch().message(revert).unwrap(),
            format!("Revert \"checkout: bump image to 1.5.0\"\n\nThis reverts commit {bad}.\n\nIt fails.")
        );
        let edit = [Edit::replace(SHOP[1].path("deployment.yaml"), "payments:3.2.0", "payments:3.2.1")];
        repository.commit_on_branch("payments-3.2.1", &person(2), "payments: bump image to 3.2.1", &edit, NOW).unwrap();
        let merge = repository.merge_branch(&person(3), "payments-3.2.1", NOW).unwrap();
        assert_eq!(repository.log(1).unwrap()[0].parents[0], revert);
        let undone = repository.revert_by_hand(&person(3), merge, "", NOW).unwrap();
        assert!(repository.scratch().message(undone).unwrap().ends_with(&format!("reversing\nchanges made to {revert}.")));
        repository.scratch().fsck().unwrap();
    }

    #[test]
    fn people_who_push_at_the_same_time_lose_nothing() {
        let (_directory, repository) = repository();
        let before = repository.log(100).unwrap().len();
        std::thread::scope(|scope| {
            for author in 0..3 {
                let repository = &repository;
                scope.spawn(move || {
                    for number in 0..5 {
                        let edit = [Edit::Write { path: format!("notes/{author}-{number}.md"), content: "x\n".into() }];
                        repository.commit_and_push(&person(author), "note", &edit, NOW).unwrap();
                    }
                });
            }
        });
        assert_eq!(repository.log(100).unwrap().len(), before + 15);
        assert_eq!(repository.scratch().files(BRANCH, "notes").unwrap().len(), 15);
    }
}
