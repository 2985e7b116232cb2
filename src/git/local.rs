//! Any local clone, read only: what a revert would be, without writing anything into it. New objects go to a temporary store that has the
//! clone's as its alternate.

use std::path::{Path, PathBuf};

use git2::Repository;

use super::commit::id_of;
use super::executable::GitExecutable;
use super::inverse::Workshop;
use super::owners::{self, Owners, ServicePaths};
use super::{CommitDraft, GitError, Identity, Undo, commit_id, history, inverse, io, mirror, objects, oid};
use crate::engine::change::Reverted;
use crate::engine::id::{CommitId, TreeId};
use crate::engine::ownership::Ownership;
use crate::engine::plan::Inverse;

/// A local clone, and a temporary store for new objects that goes away with it.
pub struct LocalRepository {
    git: GitExecutable,
    clone: PathBuf,
    scratch: tempfile::TempDir,
    repository: Repository,
    author: Identity,
    committer: Identity,
}

impl LocalRepository {
    /// Opens a clone: a bare repository, a worktree or a linked worktree.
    ///
    /// # Errors
    /// No repository there; a shallow, SHA-256 or reftable one; no identity to commit with.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let Store { git, scratch, directory: store } = Store::over(path)?;
        let asked = |args: &[&str]| ask(&git, path, args);
        let repository = Repository::open_bare(&store).map_err(objects("cannot open a temporary object store"))?;
        let (author, committer) = (identity(&asked(&["var", "GIT_AUTHOR_IDENT"])?)?, identity(&asked(&["var", "GIT_COMMITTER_IDENT"])?)?);
        Ok(Self { clone: path.to_owned(), scratch, repository, author, committer, git })
    }

    /// The commit that a revision names in the clone.
    ///
    /// # Errors
    /// It names none.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, GitError> {
        if let Ok(id) = revision.parse::<CommitId>()
            && self.repository.find_commit(oid(id)).is_ok()
        {
            return Ok(id);
        }
        resolve(&self.git, &self.clone, revision)
    }

    /// What undoing one commit on another comes to; a merge against its first parent.
    ///
    /// # Errors
    /// Objects that are missing, or a git that fails.
    pub fn inverse(&self, commit: CommitId, onto: CommitId) -> Result<Inverse, GitError> {
        let parent =
            self.repository.find_commit(oid(commit)).map_err(objects(format!("cannot read the commit {commit}")))?.parent_id(0).ok();
        let undo = Undo { commit, before: parent.map(commit_id) };
        let directory = self.scratch.path().join("scratch.git");
        inverse::invert(Workshop { repository: &self.repository, git: &self.git, directory: &directory }, onto, &[undo])
    }

    /// What services own at a commit.
    ///
    /// # Errors
    /// Objects that are missing, or a glob that does not parse.
    pub fn ownership(&self, at: CommitId, services: &[ServicePaths]) -> Result<Ownership, GitError> {
        owners::ownership(&self.repository, &mut Owners::default(), &[], (Some(at), at), services)
    }

    /// A commit as its revert's message names it.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn reverted(&self, commit: CommitId) -> Result<Reverted, GitError> {
        history::reverted(&self.repository, commit)
    }

    /// The id that a revert would have with Git's own author, committer and dates.
    ///
    /// # Errors
    /// None in practice: hashing needs nothing from outside.
    pub fn revert_id(&self, onto: CommitId, tree: TreeId, message: &str) -> Result<CommitId, GitError> {
        id_of(&CommitDraft {
            tree,
            parents: vec![onto],
            message: message.to_owned(),
            author: self.author.clone(),
            committer: self.committer.clone(),
        })
    }
}

/// A temporary store for new objects over those of a clone.
pub(super) struct Store {
    pub(super) git: GitExecutable,
    pub(super) scratch: tempfile::TempDir,
    /// The bare repository in `scratch`.
    pub(super) directory: PathBuf,
}

impl Store {
    /// A store over the clone at `path`, which is only read.
    pub(super) fn over(path: &Path) -> Result<Self, GitError> {
        let git = GitExecutable::find()?;
        let common = ask(&git, path, &["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
        drop(mirror::open_objects(Path::new(&common), &git)?);
        let scratch = tempfile::tempdir().map_err(io("make a temporary object store"))?;
        let directory = scratch.path().join("scratch.git");
        let mut command = git.objects(&directory);
        command.args(["init", "--quiet", "--bare", "--ref-format=files", "--object-format=sha1"]).arg(&directory);
        git.run_objects(command, "init")?.success("init")?;
        let own_objects = ask(&git, path, &["rev-parse", "--path-format=absolute", "--git-path", "objects"])?;
        std::fs::write(directory.join("objects/info/alternates"), format!("{own_objects}\n"))
            .map_err(io("write the alternates of a temporary object store"))?;
        Ok(Self { git, scratch, directory })
    }
}

fn ask(git: &GitExecutable, path: &Path, args: &[&str]) -> Result<String, GitError> {
    let mut command = git.local(path);
    command.args(args);
    let output = git.run_objects(command, args[0])?.success(args[0])?;
    Ok(String::from_utf8_lossy(&output).trim_end_matches('\n').to_owned())
}

/// The commit that a revision names in a clone.
pub(super) fn resolve(git: &GitExecutable, clone: &Path, revision: &str) -> Result<CommitId, GitError> {
    let mut command = git.local(clone);
    command.args(["rev-parse", "--verify", "--quiet", "--end-of-options"]).arg(format!("{revision}^{{commit}}"));
    let output = git.run_objects(command, "rev-parse")?;
    let named = String::from_utf8_lossy(&output.stdout).trim().parse::<CommitId>();
    match (output.code, named) {
        (Some(0), Ok(id)) => Ok(id),
        _ => Err(GitError::Unsupported(format!("`{}` names no commit", revision.escape_default()))),
    }
}

/// Reads `Name <address> seconds offset`, as `git var` prints it.
fn identity(text: &str) -> Result<Identity, GitError> {
    let parsed = (|| {
        let (name, rest) = text.split_once(" <")?;
        let (email, rest) = rest.rsplit_once("> ")?;
        let (seconds, offset) = rest.split_once(' ')?;
        Some(Identity { name: name.to_owned(), email: email.to_owned(), seconds: seconds.parse().ok()?, offset: offset.to_owned() })
    })();
    parsed.ok_or_else(|| GitError::Credentials(format!("git names no usable identity: `{text}`")))
}
