//! What to undo: the plan, its digest, and the key of the proposal that it belongs to (design §2).
//!
//! The digest covers the paths with modes and ids, not the base: drift of the base that does not touch them keeps an approval.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::assurance::Rendered;
use super::change::Entry;
use super::grade::Grade;
use super::id::{BranchName, CommitId, PlanDigest, PolicyName, ProposalKey, TreeId, canonical_json, sha256_hex};
use super::shared::{Last, Memo, Remembers, Shared};

/// Version of the canonical form that the digest is made over.
pub const PLAN_VERSION: u32 = 1;

/// Whether a plan undoes changes or brings them back, and by which way it undoes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PlanKind {
    /// Undo, as `git revert` would.
    #[default]
    Revert,
    /// Bring back.
    Reapply,
    /// Undo where Git conflicts: each value that the change set and that still stands gets its old value back.
    Values,
    /// Undo where Git conflicts and values do not help: the service's paths as of the last revision that was seen healthy.
    LastKnownGood,
    /// Undo only what the change did to the service's own paths.
    Paths,
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
    pub paths: Shared<Vec<PlannedPath>>,
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
        /// Why the other ways to undo it did not work either, a sentence each; empty where none was tried.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tried: Vec<String>,
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
    pub paths: Shared<Vec<PlannedPath>>,
    /// By which way; what was recorded before there were several is Git's own.
    #[serde(default)]
    pub kind: PlanKind,
    /// What another way than Git's own restores and leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<Account>>,
    /// How dangerous it is. `None`: it was not graded, and nothing vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Shared<Grade>>,
    /// Whether the state that it leads to ran before, and how well.
    #[serde(default)]
    pub earlier: EarlierState,
    /// What it would bring back that the policies forbid, a sentence each ([`super::irrevertible::brought_back`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brings_back: Vec<String>,
    /// The paths of it that the operator keeps from being merged without an approval (`protect` of the repository).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protected: Vec<String>,
    /// What the operator's render commands made of its result, by policy; empty where none was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rendered: BTreeMap<PolicyName, Rendered>,
}

/// Whether the files that an inverse leads to were applied before, as they are then, and healthy for long enough (design §8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EarlierState {
    /// They were.
    Healthy,
    /// They were not, or it is not known; why, without a full stop.
    NotKnown(String),
    /// The service's files are those that stood, by object ids, at these heads of the watched branch. What was applied then, and how well it
    /// ran, say the landings and the rounds.
    Stood {
        /// The heads; none where no known head had them.
        heads: Vec<CommitId>,
    },
    /// Nobody looked.
    #[default]
    NotLooked,
}

/// What a way that is not Git's own restores, and what it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    /// The paths in which `git revert` conflicts.
    pub conflicts: Vec<String>,
    /// What it restores, a path or a field of one each.
    pub restored: Vec<String>,
    /// What the change did and this does not undo, a sentence each.
    pub left: Vec<String>,
    /// The revision whose content it puts back, where it is one.
    pub good: Option<CommitId>,
    /// Later commits that it undoes as well, newest first.
    pub also_undone: Vec<AlsoUndone>,
}

/// A commit that a plan undoes besides its suspects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlsoUndone {
    /// The commit.
    pub commit: CommitId,
    /// The first line of its message. Untrusted.
    pub subject: String,
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

/// What was found in the paths of a plan, of which there may be very many.
#[derive(Default)]
pub struct FoundOfPaths {
    /// The digests of the plans that have these paths.
    digests: Memo<(u32, BranchName, PlanKind, Vec<CommitId>), PlanDigest>,
    is_sorted: OnceLock<bool>,
    /// Those that are policy files.
    pub(super) policy_files: OnceLock<Vec<String>>,
    /// Those that the repository's own automation follows.
    pub(super) automation: OnceLock<Vec<String>>,
    /// The first that a grade did not look at.
    pub(super) not_looked_at: Last<Option<Shared<Grade>>, Option<String>>,
}

// === impl Plan, PlannedPath ===

impl Remembers for Vec<PlannedPath> {
    type Found = FoundOfPaths;
}

impl Remembers for Grade {
    type Found = ();
}

impl Plan {
    /// The plan that a clean inverse carries out.
    pub fn new(branch: BranchName, kind: PlanKind, suspects: &[CommitId], paths: &Shared<Vec<PlannedPath>>) -> Self {
        let mut suspects = suspects.to_vec();
        suspects.sort_unstable();
        suspects.dedup();
        let mut paths = paths.clone();
        if !*paths.found().is_sorted.get_or_init(|| paths.is_sorted()) {
            paths.sort_unstable();
        }
        Self { version: PLAN_VERSION, branch, kind, suspects, paths }
    }

    /// SHA-256 over the canonical JSON of the plan.
    pub fn digest(&self) -> PlanDigest {
        let besides_paths = (self.version, self.branch.clone(), self.kind, self.suspects.clone());
        // A plan holds strings and integers, which JSON can always express.
        let digest = || PlanDigest::new(sha256_hex(canonical_json(self).unwrap_or_default().as_bytes()));
        self.paths.found().digests.answer(&besides_paths, digest)
    }

    /// The key of the proposal that it belongs to.
    pub fn key(&self) -> ProposalKey {
        proposal_key(&self.branch, self.kind, &self.suspects)
    }
}

impl PlannedPath {
    /// Whether a forge that makes the commit itself writes the path as it is planned; the sentence says why not, without a full stop. It writes
    /// regular files that nobody executes, whatever stood there before.
    ///
    /// # Errors
    /// Another mode, or a change of the mode.
    pub fn as_regular_file(&self) -> Result<(), String> {
        const REGULAR: u32 = 0o100_644;
        const EXECUTABLE: u32 = 0o100_755;
        let path = &self.path;
        match (self.from.map(|entry| entry.mode), self.to.map(|entry| entry.mode)) {
            (None | Some(REGULAR), Some(REGULAR)) | (Some(REGULAR | EXECUTABLE), None) => Ok(()),
            (Some(from), Some(to)) if from != to => Err(format!("`{path}` changes its mode from {from:o} to {to:o}")),
            (_, Some(mode)) => Err(format!("`{path}` has the mode {mode:o}, and only regular files can be written")),
            (Some(mode), None) => Err(format!("`{path}` has the mode {mode:o}, and only regular files can be removed")),
            (None, None) => Err(format!("nothing is to happen to `{path}`")),
        }
    }
}

// === impl PlanKind, Account ===

impl PlanKind {
    /// The kind as it stands in trailers and facts (`lastKnownGood`).
    pub fn label(self) -> &'static str {
        match self {
            Self::Revert => "revert",
            Self::Reapply => "reapply",
            Self::Values => "values",
            Self::LastKnownGood => "lastKnownGood",
            Self::Paths => "paths",
        }
    }
}

impl Account {
    /// What is restored instead of what `git revert` would have written, in one sentence; empty for Git's own way.
    pub fn sentence(&self, kind: PlanKind) -> String {
        let conflicts =
            if self.conflicts.is_empty() { String::new() } else { format!("`git revert` conflicts in {}. ", quoted(&self.conflicts)) };
        match (kind, self.good) {
            (PlanKind::Revert | PlanKind::Reapply, _) => String::new(),
            (PlanKind::Values, _) => format!("{conflicts}This gives the values that it set, and that still stand, their old values back."),
            (PlanKind::LastKnownGood, Some(good)) => {
                format!("{conflicts}This puts the service's paths back to what they were at {good}, the last revision seen healthy.")
            }
            (PlanKind::LastKnownGood, None) => format!("{conflicts}This puts the service's paths back to the last state seen healthy."),
            (PlanKind::Paths, _) => format!("{conflicts}This undoes only what it did to the paths of the service; the rest stays."),
        }
    }
}

/// At most five, in backquotes.
fn quoted(paths: &[String]) -> String {
    const MOST: usize = 5;
    let mut named: Vec<String> = paths.iter().take(MOST).map(|path| format!("`{path}`")).collect();
    named.extend((paths.len() > MOST).then(|| format!("{} more", paths.len() - MOST)));
    named.join(", ")
}

/// The key of the proposal for a set of suspects: twelve hexadecimal digits of SHA-256 over branch, sorted ids and kind, a line each.
pub fn proposal_key(branch: &BranchName, kind: PlanKind, suspects: &[CommitId]) -> ProposalKey {
    let mut ids: Vec<String> = suspects.iter().map(ToString::to_string).collect();
    ids.sort_unstable();
    ids.dedup();
    // Whatever way they are undone, the same suspects are one proposal.
    let kind = match kind {
        PlanKind::Revert | PlanKind::Values | PlanKind::LastKnownGood | PlanKind::Paths => "revert",
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
        let one = Plan::new(main.clone(), PlanKind::Revert, &[commit(2), commit(1)], &vec![path("b"), path("a")].into());
        let two = Plan::new(main.clone(), PlanKind::Revert, &[commit(1), commit(2)], &vec![path("a"), path("b")].into());
        assert_eq!(one.digest(), two.digest());
        assert_eq!(one.key(), two.key());
        assert_ne!(one.key(), proposal_key(&main, PlanKind::Reapply, &[commit(1), commit(2)]));
        assert_eq!(one.key().as_str().len(), 12);
    }

    #[test]
    fn another_way_is_another_plan_of_the_same_proposal() {
        let plan = |kind| Plan::new(BranchName::new("main"), kind, &[commit(1)], &Vec::new().into());
        let (git, values) = (plan(PlanKind::Revert), plan(PlanKind::Values));
        assert_eq!(git.key(), values.key());
        assert_ne!(git.digest(), values.digest());
    }

    #[test]
    fn what_was_recorded_before_there_were_grades_is_read_as_not_graded() {
        let old = r#"{"base":"0101010101010101010101010101010101010101","tree":"0101010101010101010101010101010101010101",
            "method":"exact","paths":[],"manifests":[{"path":"a.yaml","before":"absent","after":{"kinds":["Deployment"]}}]}"#;
        let read: CleanInverse = serde_json::from_str(old).unwrap();
        assert_eq!((read.kind, read.grade, read.account), (PlanKind::Revert, None, None));
        let conflict: Inverse = serde_json::from_str(r#"{"conflict":{"paths":["a"]}}"#).unwrap();
        assert_eq!(conflict, Inverse::Conflict { paths: vec!["a".to_owned()], tried: Vec::new() });
    }
}
