//! What a remote shows, and whether it would take a push, asked without a mirror and without writing anything there.

use super::mirror::Mirror;
use super::{GitError, GitExecutable, Listing, Remote, io};

/// A branch that nobody has: only a push that is not carried out names it.
const NOWHERE: &str = ":refs/heads/revertd/000000000000";

/// What a remote shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The watched branch and the proposals.
    pub listing: Listing,
    /// Whether the remote talks to these credentials about a push; the words of its refusal where it does not. Rules and hooks, which
    /// judge the push itself, are not asked.
    pub push: Result<(), String>,
}

/// Asks the remote. The mirror that Git needs for a push is made in a temporary directory, and is gone afterwards; `--dry-run` sends nothing.
///
/// # Errors
/// A remote that does not answer or refuses to list; no temporary directory.
pub fn survey(git: &GitExecutable, remote: &Remote) -> Result<Survey, GitError> {
    let directory = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let mirror = Mirror::open(&directory.path().join("survey.git"), remote.clone(), git.clone())?;
    let listing = mirror.list()?;
    let pushed = git.network(&mirror.path, &mirror.remote, "push", &["--quiet", "--dry-run", "--no-verify", &mirror.remote.url, NOWHERE]);
    let push = pushed.and_then(|output| output.success("push")).map(drop).map_err(|error| error.to_string());
    Ok(Survey { listing, push })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::BranchName;
    use crate::git::scratch::ScratchRepository;

    fn remote(url: String) -> Remote {
        Remote { url, branch: BranchName::new("main"), credentials: None }
    }

    #[test]
    fn a_remote_that_is_there_is_listed_and_one_that_is_not_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let git = GitExecutable::find().unwrap();
        let scratch = ScratchRepository::init(&directory.path().join("remote.git"), "main").unwrap();
        let found = survey(&git, &remote(scratch.url())).unwrap();
        assert_eq!(found, Survey { listing: Listing::default(), push: Ok(()) });
        let missing = survey(&git, &remote(format!("file://{}/none.git", directory.path().display())));
        assert!(missing.unwrap_err().to_string().contains("Could not read from remote repository"));
    }
}
