//! Single things that are read from a mirror: a file of a commit, and what a merge commit brought.

use super::{GitError, Mirror, commit_id, objects, oid};
use crate::engine::id::CommitId;

/// The most commits that are looked for behind a merge.
const MOST_BROUGHT: usize = 100;

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileAt {
    /// There is none of that name, or it is no regular file.
    Absent,
    /// It is larger than asked for.
    TooLarge,
    /// Its content.
    Content(Vec<u8>),
}

/// What a commit brought onto its first parent's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// The commit, and those that it merged.
    All(Vec<CommitId>),
    /// Too many to name.
    TooMany,
}

impl Mirror {
    /// A file of a commit, of at most `largest` bytes.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn file(&self, commit: CommitId, path: &str, largest: usize) -> Result<FileAt, GitError> {
        let doing = || format!("cannot read {path} of {commit}");
        let repository = self.repository();
        let tree = repository.find_commit(oid(commit)).and_then(|commit| commit.tree()).map_err(objects(doing()))?;
        let entry = match tree.get_path(std::path::Path::new(path)) {
            Ok(entry) => entry,
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(FileAt::Absent),
            Err(error) => return Err(objects(doing())(error)),
        };
        // A symlink is no file here, as for the forges.
        if entry.kind() != Some(git2::ObjectType::Blob) || entry.filemode() == 0o120_000 {
            return Ok(FileAt::Absent);
        }
        let blob = repository.find_blob(entry.id()).map_err(objects(doing()))?;
        Ok(if blob.size() > largest { FileAt::TooLarge } else { FileAt::Content(blob.content().to_vec()) })
    }

    /// Whether anything stands at a path of a commit: a file, a link, a directory or a submodule.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn stands(&self, commit: CommitId, path: &str) -> Result<bool, GitError> {
        let doing = || format!("cannot look for {path} at {commit}");
        let repository = self.repository();
        let tree = repository.find_commit(oid(commit)).and_then(|commit| commit.tree()).map_err(objects(doing()))?;
        match tree.get_path(std::path::Path::new(path)) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == git2::ErrorCode::NotFound && error.class() == git2::ErrorClass::Tree => Ok(false),
            Err(error) => Err(objects(doing())(error)),
        }
    }

    /// The commits that somebody has to have written for this change to be there: itself, and what it merged.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn brought(&self, commit: CommitId) -> Result<Brought, GitError> {
        let doing = "cannot walk what a merge brought";
        let repository = self.repository();
        let found = repository.find_commit(oid(commit)).map_err(objects(doing))?;
        let mut walk = repository.revwalk().map_err(objects(doing))?;
        walk.push(found.id()).map_err(objects(doing))?;
        match found.parent_id(0) {
            Ok(first) if found.parent_count() > 1 => walk.hide(first).map_err(objects(doing))?,
            _ => return Ok(Brought::All(vec![commit])),
        }
        let mut ids = Vec::new();
        for id in walk.take(MOST_BROUGHT + 1) {
            ids.push(commit_id(id.map_err(objects(doing))?));
        }
        Ok(if ids.len() > MOST_BROUGHT { Brought::TooMany } else { Brought::All(ids) })
    }
}
