//! One observed move of the watched branch, and what it means (design §2).

use serde::{Deserialize, Serialize};

use super::change::Change;
use super::id::{BranchName, CommitId, RepositoryName};
use super::time::Interval;

/// One observed move of the watched branch, old head → new head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Landing {
    /// Which repository.
    pub repository: RepositoryName,
    /// Which branch.
    pub branch: BranchName,
    /// The old head; `None` at the first start.
    pub from: Option<CommitId>,
    /// The new head.
    pub to: CommitId,
    /// When: after the last listing that still showed the old head, by the first that showed the new one. Never a commit date.
    pub landed: Interval,
    /// How the move looks in the history.
    pub shape: LandingShape,
    /// The changes, oldest first.
    pub changes: Vec<Change>,
}

/// How a move of the branch looks in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LandingShape {
    /// The old head is on the new head's first-parent line: the changes are the commits between on that line.
    Line,
    /// The old head is an ancestor but not on that line: the landing is one change whose "before" is the old head's tree; proposal only.
    Foxtrot,
    /// What was already there at the first start: it landed at an unknown time and is never force-merged.
    First,
}

/// Why the automation of a repository stands still until a person resumes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stop {
    /// The branch's old head is no ancestor of its new head (G8).
    Rewritten {
        /// The old head.
        from: CommitId,
        /// The new head.
        to: CommitId,
    },
    /// The branch is gone.
    Deleted {
        /// Its last head.
        last: CommitId,
    },
    /// What landed differs from the plan (P5).
    NotThePlan {
        /// The commit that landed.
        commit: CommitId,
        /// The paths that differ, at most twenty.
        paths: Vec<String>,
    },
    /// Another repository stands on the forge under the configured name.
    Replaced {
        /// The numeric id of the one that was watched.
        expected: u64,
        /// The numeric id of the one that is there now.
        found: u64,
    },
}

/// The landing that brought a commit to a repository. The same commit may have landed in another one as well: two branches of one remote are
/// two repositories, and a promotion that is a fast-forward has the same id on both.
pub fn landing_of<'a>(landings: &'a [Landing], repository: &RepositoryName, commit: CommitId) -> Option<&'a Landing> {
    landings.iter().find(|landing| landing.repository == *repository && landing.changes.iter().any(|change| change.id == commit))
}

impl Stop {
    /// Whether a person must say which head is to be believed.
    pub fn needs_accept(&self) -> bool {
        matches!(self, Self::Rewritten { .. } | Self::Deleted { .. })
    }

    /// One sentence for people, with what to do.
    pub fn sentence(&self, repository: &RepositoryName, branch: &BranchName) -> String {
        match self {
            Self::Rewritten { from, to } => format!(
                "The branch `{branch}` was rewritten: its old head {from} is not an ancestor of its new head {to}. \
                 Nothing is reverted in `{repository}` until a person runs `revertd resume {repository} --accept {to}`."
            ),
            Self::Deleted { last } => format!(
                "The branch `{branch}` is gone; its last head was {last}. Nothing is reverted in `{repository}` until the branch is there \
                 again and a person runs `revertd resume {repository} --accept <oid>`."
            ),
            Self::NotThePlan { commit, paths } => format!(
                "What landed as {commit} is not what was planned: {} differ. Nothing is merged in `{repository}` until a person has looked \
                 and runs `revertd resume {repository}`.",
                paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
            ),
            Self::Replaced { expected, found } => format!(
                "Another repository stands on the forge under the name of `{repository}`: its id is {found}, and the one that was watched had \
                 {expected}. Nothing is done in `{repository}` until a person has looked and runs `revertd resume {repository}`."
            ),
        }
    }
}
