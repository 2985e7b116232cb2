//! What to undo: the plan, its digest, and the key of the proposal that it belongs to (design §2).
//!
//! The digest covers the paths with modes and ids, not the base: drift of the base that does not touch them keeps an approval.

use serde::{Deserialize, Serialize};

use super::change::Entry;
use super::id::{BranchName, CommitId, PlanDigest, ProposalKey, TreeId, canonical_json, sha256_hex};

/// Version of the canonical form that the digest is made over.
pub const PLAN_VERSION: u32 = 1;

/// Whether a plan undoes changes or brings them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PlanKind {
    /// Undo.
    Revert,
    /// Bring back.
    Reapply,
}

/// What to undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// The watched branch.
    pub branch: BranchName,
    /// Undo or bring back.
    pub kind: PlanKind,
    /// The commits, sorted by id.
    pub suspects: Vec<CommitId>,
    /// Every path that it changes, sorted by path.
    pub paths: Vec<PlannedPath>,
}

/// One path of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlannedPath {
    /// The path, with `/`.
    pub path: String,
    /// What stands there on the base.
    pub from: Option<Entry>,
    /// What shall stand there.
    pub to: Option<Entry>,
}

/// What undoing some changes on a base comes to; found by `git/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Inverse {
    /// It applies.
    Clean(CleanInverse),
    /// The base already stands where undoing would bring it (G5).
    AlreadyUndone,
    /// It does not apply.
    Conflict {
        /// The paths in conflict, sorted.
        paths: Vec<String>,
    },
}

/// An inverse that applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanInverse {
    /// The base that it was made on.
    pub base: CommitId,
    /// The tree that the revert commit would have.
    pub tree: TreeId,
    /// How it was found.
    pub method: InverseMethod,
    /// What differs between the base's tree and that tree, sorted by path.
    pub paths: Vec<PlannedPath>,
    /// What the touched manifests are, before and after (for the gates).
    pub manifests: Vec<TouchedManifest>,
}

/// How an inverse was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InverseMethod {
    /// By putting entries back (design §9, the exact path).
    Exact,
    /// By `git merge-tree`.
    Merged,
}

/// What the two sides of a touched file hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TouchedManifest {
    /// The path.
    pub path: String,
    /// What stands there on the base.
    pub before: ManifestContent,
    /// What the inverse puts there.
    pub after: ManifestContent,
}

/// What one side of a touched file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ManifestContent {
    /// There is no file.
    Absent,
    /// It parses; the `kind` of each document, `-` where it has none.
    Kinds(Vec<String>),
    /// It does not parse as YAML or JSON, is no regular file, or is over the size that is read.
    Unreadable(String),
}

// === impl Plan ===

impl Plan {
    /// The plan that a clean inverse carries out.
    pub fn new(branch: BranchName, kind: PlanKind, suspects: &[CommitId], paths: &[PlannedPath]) -> Self {
        let mut suspects = suspects.to_vec();
        suspects.sort_unstable();
        suspects.dedup();
        let mut paths = paths.to_vec();
        paths.sort_unstable();
        Self { version: PLAN_VERSION, branch, kind, suspects, paths }
    }

    /// SHA-256 over the canonical JSON of the plan.
    pub fn digest(&self) -> PlanDigest {
        // A plan holds strings and integers, which JSON can always express.
        PlanDigest::new(sha256_hex(canonical_json(self).unwrap_or_default().as_bytes()))
    }

    /// The key of the proposal that it belongs to.
    pub fn key(&self) -> ProposalKey {
        proposal_key(&self.branch, self.kind, &self.suspects)
    }
}

/// The key of the proposal for a set of suspects: twelve hexadecimal digits of SHA-256 over branch, sorted ids and kind, a line each.
pub fn proposal_key(branch: &BranchName, kind: PlanKind, suspects: &[CommitId]) -> ProposalKey {
    let mut ids: Vec<String> = suspects.iter().map(ToString::to_string).collect();
    ids.sort_unstable();
    ids.dedup();
    let kind = match kind {
        PlanKind::Revert => "revert",
        PlanKind::Reapply => "reapply",
    };
    let digest = sha256_hex(format!("{branch}\n{}\n{kind}\n", ids.join("\n")).as_bytes());
    ProposalKey::new(&digest[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(byte: u8) -> CommitId {
        CommitId([byte; 20])
    }

    #[test]
    fn the_order_of_suspects_and_paths_is_no_part_of_a_plan() {
        let path = |name: &str| PlannedPath { path: name.into(), from: None, to: None };
        let main = BranchName::new("main");
        let one = Plan::new(main.clone(), PlanKind::Revert, &[commit(2), commit(1)], &[path("b"), path("a")]);
        let two = Plan::new(main.clone(), PlanKind::Revert, &[commit(1), commit(2)], &[path("a"), path("b")]);
        assert_eq!(one.digest(), two.digest());
        assert_eq!(one.key(), two.key());
        assert_ne!(one.key(), proposal_key(&main, PlanKind::Reapply, &[commit(1), commit(2)]));
        assert_eq!(one.key().as_str().len(), 12);
    }
}
