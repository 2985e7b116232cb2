//! One commit of a landing: who, what it says, which paths it changed, and whether it is a merge, a revert or a re-land.
//!
//! Values only: `git/` reads them from the repository, the rules elsewhere in `engine/` judge them.

use serde::{Deserialize, Serialize};

use super::id::{CommitId, EntryId, PlanDigest, PolicyName};
use super::policy::{PathSet, Policy};
use super::shared::{Memo, Remembers, Shared};

/// A path's mode and id in one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// Git's file mode: `0o100644`, `0o100755`, `0o120000` (symbolic link) or `0o160000` (submodule).
    pub mode: u32,
    /// What it points to.
    pub id: EntryId,
}

/// What a commit did to one path. A rename is a removal and an addition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathChange {
    /// The path from the repository's root, with `/`; bytes that are no UTF-8 are replaced for showing and matching.
    pub path: String,
    /// Before; `None` when it was added.
    pub from: Option<Entry>,
    /// After; `None` when it was removed.
    pub to: Option<Entry>,
    /// Whether it changed what the file says or only how it is written.
    pub meaning: Meaning,
}

/// Whether an edit changed the documents of a manifest (design §7: comment-only and white-space-only edits are no suspects).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Meaning {
    /// The parsed documents differ, or could not be compared.
    Changed,
    /// Both sides parse to equal documents.
    Same,
}

/// Who wrote a commit. Untrusted text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name as written.
    pub name: String,
    /// The address as written.
    pub email: String,
}

/// One commit of a landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The commit.
    pub id: CommitId,
    /// Its parents, in order. For a foxtrot landing the "before" is the landing's old head, not a parent.
    pub parents: Vec<CommitId>,
    /// What it was before: the tree-bearing commit that the inverse goes back to. `None` for a root commit.
    pub before: Option<CommitId>,
    /// Who wrote it.
    pub author: Person,
    /// The first line of the message, cut at 200 characters.
    pub subject: String,
    /// What kind of commit it is.
    pub kind: ChangeKind,
    /// Everything that it changed against `before`.
    pub paths: Shared<Vec<PathChange>>,
    /// The line of the message that asks for no automatic revert, where there is one (`Revertd: never`, `NOAUTOREVERT=true`).
    pub opt_out: Option<String>,
    /// The `Revertd-Plan` trailer, where the commit carries one.
    pub plan: Option<PlanDigest>,
    /// Services that pull one of its paths in from elsewhere (a base, a patch, a values file), besides those whose `paths` it matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pulled_in_by: Vec<PolicyName>,
    /// What is known of it that only a person should undo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concerns: Vec<Concern>,
}

/// Why only a person should undo a change, whatever it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Concern {
    /// It is a security fix: an attacker could gain from its revert (E12).
    Security,
    /// It changes how the health of its service is defined (E13).
    HealthDefinition,
}

/// What kind of commit a change is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// A commit with at most one parent.
    Ordinary,
    /// A merge: undone against its first parent.
    Merge,
    /// A commit whose message says `This reverts commit <id>.`.
    Revert {
        /// The commits it says it undoes.
        of: Vec<CommitId>,
    },
    /// A commit that brings a reverted change back (`Reapply "…"`).
    Reapply {
        /// The reverts it says it undoes.
        of: Vec<CommitId>,
    },
}

/// Of fewer paths, looking at them costs no more than remembering what was seen.
const MANY_PATHS: usize = 16;

impl Remembers for Vec<PathChange> {
    type Found = Memo<PathSet, bool>;
}

impl Change {
    /// Whether it touches what a policy owns.
    pub fn touches(&self, policy: &Policy) -> bool {
        let owns = || policy.paths.matcher().is_ok_and(|matcher| self.paths.iter().any(|path| matcher.owns(&path.path)));
        if self.pulled_in_by.contains(&policy.name) {
            return policy.paths.matcher().is_ok();
        }
        if self.paths.len() < MANY_PATHS { owns() } else { self.paths.found().answer(&policy.paths, owns) }
    }

    /// Whether revertd wrote it, by its own trailer.
    pub fn is_by_revertd(&self) -> bool {
        self.plan.is_some()
    }

    /// Whether every edit left the documents as they were.
    pub fn only_rewrites(&self) -> bool {
        self.paths.iter().all(|path| path.meaning == Meaning::Same)
    }
}

/// A commit that is to be undone, as its revert's message names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverted {
    /// The commit.
    pub id: CommitId,
    /// The first line of its message.
    pub subject: String,
    /// For a merge, the commit that the revert goes back to: its first parent, or for a foxtrot merge the branch's old head.
    pub merge_parent: Option<CommitId>,
}
