//! The bare mirror of one watched repository. No worktree, no filters, no hooks: what the repository holds is never run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::executable::GitExecutable;
use super::history::PlanWalk;
use super::owners::Owners;
use super::sameness::Sameness;
use super::undo::UndoQuestion;
use super::{GitError, Listing, Remote, commit_id, io, objects};
use crate::engine::id::{CommitId, ProposalKey};
use crate::engine::plan::Inverse;

/// Where the mirror keeps the watched head.
const WATCHED: &str = "refs/revertd/watched";
/// Where the mirror keeps the heads of proposals.
const PROPOSALS: &str = "refs/revertd/proposals/";

/// A bare mirror with its remote.
pub struct Mirror {
    pub(super) path: PathBuf,
    pub(super) remote: Remote,
    pub(super) git: GitExecutable,
    /// Kept open: trees and packs stay warm from pass to pass.
    pub(super) repository: Mutex<git2::Repository>,
    /// The last walk for our own reverts.
    pub(super) plans: Mutex<Option<PlanWalk>>,
    /// What services own, by tree.
    pub(super) owners: Mutex<Owners>,
    /// The last answers of [`Mirror::undo`]: an open incident asks in every pass.
    pub(super) undone: Mutex<Vec<(UndoQuestion, Inverse)>>,
    /// What the files of services come to, by tree.
    pub(super) sameness: Mutex<Sameness>,
}

impl Mirror {
    /// Opens the mirror at `path`, making it first where there is none.
    ///
    /// # Errors
    /// [`GitError::Unsupported`] for a shallow, SHA-256 or reftable repository; a path that cannot be written.
    pub fn open(path: &Path, remote: Remote, git: GitExecutable) -> Result<Self, GitError> {
        if !path.join("HEAD").exists() {
            std::fs::create_dir_all(path).map_err(io(format!("make the mirror {}", path.display())))?;
            let mut command = git.objects(path);
            command.args(["init", "--quiet", "--bare", "--ref-format=files", "--object-format=sha1"]).arg(path);
            git.run_objects(command, "init")?.success("init")?;
        }
        let repository = open_objects(path, &git)?;
        Ok(Self {
            path: path.to_owned(),
            remote,
            git,
            repository: Mutex::new(repository),
            plans: Mutex::new(None),
            owners: Mutex::default(),
            undone: Mutex::default(),
            sameness: Mutex::default(),
        })
    }

    /// One reference listing: the watched branch and the proposals.
    ///
    /// # Errors
    /// A remote that does not answer, refuses, or uses SHA-256.
    pub fn list(&self) -> Result<Listing, GitError> {
        let watched = format!("refs/heads/{}", self.remote.branch);
        let args = ["--refs", "--quiet", &self.remote.url, &watched, "refs/heads/revertd/*"];
        let output = self.git.network(&self.path, &self.remote, "ls-remote", &args)?.success("ls-remote")?;
        let mut listing = Listing::default();
        for line in String::from_utf8_lossy(&output).lines() {
            let Some((id, name)) = line.split_once('\t') else { continue };
            if id.len() == 64 {
                return Err(GitError::Unsupported("the remote uses SHA-256 object ids, which revertd does not work with".to_owned()));
            }
            let Ok(id) = id.parse::<CommitId>() else { continue };
            if name == watched {
                listing.head = Some(id);
            } else if let Some(key) = name.strip_prefix("refs/heads/revertd/") {
                listing.proposals.insert(ProposalKey::new(key), id);
            }
        }
        Ok(listing)
    }

    /// Fetches what a listing showed.
    ///
    /// # Errors
    /// A remote that does not answer or refuses; a shallow remote.
    pub fn fetch(&self, listing: &Listing) -> Result<(), GitError> {
        let watched = format!("+refs/heads/{}:{WATCHED}", self.remote.branch);
        let proposals = format!("+refs/heads/revertd/*:{PROPOSALS}*");
        let mut args = vec!["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--prune", &self.remote.url];
        if listing.head.is_some() {
            args.push(&watched);
        }
        args.push(&proposals);
        self.run_fetch(&args)
    }

    /// Fetches the objects of a listing without writing a reference.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub fn fetch_objects(&self, listing: &Listing) -> Result<(), GitError> {
        let wanted: Vec<String> = listing.head.iter().chain(listing.proposals.values()).map(ToString::to_string).collect();
        let mut args = vec!["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--refmap=", &self.remote.url];
        args.extend(wanted.iter().map(String::as_str));
        self.run_fetch(&args)
    }

    /// Fetches the objects of commits that some reference of the remote holds, without writing a reference.
    ///
    /// # Errors
    /// As [`Self::fetch`]; a commit that the remote does not have, or does not give away by its id.
    pub fn fetch_commits(&self, commits: &[CommitId]) -> Result<(), GitError> {
        let wanted: Vec<String> = commits.iter().map(ToString::to_string).collect();
        let mut args = vec!["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--refmap=", &self.remote.url];
        args.extend(wanted.iter().map(String::as_str));
        self.run_fetch(&args)
    }

    /// The watched head that was fetched last; `None` before the first fetch.
    pub fn watched(&self) -> Option<CommitId> {
        self.repository().refname_to_id(WATCHED).ok().map(commit_id)
    }

    fn run_fetch(&self, args: &[&str]) -> Result<(), GitError> {
        let output = self.git.network(&self.path, &self.remote, "fetch", args)?;
        // Git 2.47 only warns, ends with 0, and has not written the reference.
        if output.stderr.contains("shallow") {
            return Err(GitError::Unsupported("the remote is a shallow clone, and reverts need the whole history".to_owned()));
        }
        output.success("fetch")?;
        Ok(())
    }

    /// The open repository; a panic elsewhere while it was held leaves nothing half-done in it.
    pub(super) fn repository(&self) -> std::sync::MutexGuard<'_, git2::Repository> {
        self.repository.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Opens the objects of a bare repository, refusing what revertd does not work with.
pub(super) fn open_objects(path: &Path, git: &GitExecutable) -> Result<git2::Repository, GitError> {
    let asked = |args: &[&str]| -> Result<String, GitError> {
        let mut command: Command = git.objects(path);
        command.arg("rev-parse").args(args);
        let output = git.run_objects(command, "rev-parse")?.success("rev-parse")?;
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    };
    let place = path.display();
    if asked(&["--is-shallow-repository"])? == "true" {
        return Err(GitError::Unsupported(format!(
            "{place} is a shallow clone, and reverts need the whole history: run `git fetch --unshallow`"
        )));
    }
    if asked(&["--show-object-format"])? != "sha1" {
        return Err(GitError::Unsupported(format!("{place} uses SHA-256 object ids, which revertd does not work with")));
    }
    if asked(&["--show-ref-format"])? != "files" {
        return Err(GitError::Unsupported(format!("{place} keeps its references as a reftable, which revertd does not work with")));
    }
    git2::Repository::open_bare(path).map_err(objects(format!("cannot open {place}")))
}
