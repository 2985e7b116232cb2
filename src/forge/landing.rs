//! What lands and what stands on a commit: merging and its outcomes, the queue, checks and statuses, commits that the forge makes. Plain
//! values without a forge's own names.

use super::model::User;
use crate::engine::id::{BranchName, CommitId, ProposalKey, TreeId};
use crate::engine::plan::PlannedPath;
use crate::engine::time::Timestamp;

/// A way to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeMethod {
    /// A merge commit.
    Merge,
    /// One squashed commit.
    Squash,
    /// The commits replayed.
    Rebase,
}

/// A merge to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeCall {
    /// The head that the proposal must have.
    pub head: CommitId,
    /// The branch that it lands on. Its head must be the one that the grant names.
    pub base: BranchName,
    /// The landing commit's first line.
    pub title: String,
    /// The landing commit's text below it.
    pub message: String,
    /// How.
    pub method: MergeMethod,
}

/// What became of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeOutcome {
    /// It landed; also when it had landed already with the head that was asked for. What landed is still to be compared with the plan.
    Merged {
        /// As this commit.
        commit: CommitId,
    },
    /// The base is not, or was during the call no longer, the one that the grant names. Decide again.
    BaseModified,
    /// The proposal's head is another.
    HeadModified,
    /// It conflicts, or a required check or review is missing and nobody said which.
    NotMergeable {
        /// The forge's words.
        sentence: String,
    },
    /// A rule of the branch forbids it, and the credentials may not pass it.
    Blocked {
        /// The forge's words.
        sentence: String,
    },
    /// The credentials may not push to the branch.
    NotAuthorized {
        /// The forge's words.
        sentence: String,
    },
    /// The repository or the branch does not allow this way to merge.
    MethodNotAllowed {
        /// The forge's words.
        sentence: String,
    },
    /// Only the merge queue may land something.
    MergeQueueRequired,
    /// The request was not valid.
    Invalid {
        /// The forge's words.
        sentence: String,
    },
    /// The credentials may not do it.
    Forbidden {
        /// The forge's words.
        sentence: String,
    },
    /// For a reason that is not known here. Stop; do not try again.
    Refused {
        /// The forge's words.
        sentence: String,
    },
}

/// What became of entering the merge queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// It waits there; also if it did already.
    Enqueued,
    /// The proposal's head is another.
    HeadModified,
    /// The forge does not take it.
    Refused {
        /// The forge's words.
        sentence: String,
    },
}

/// The state of something that must pass before a merge, on one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name as rules name it.
    pub context: String,
    /// Whether it has passed.
    pub state: CheckState,
    /// The App that wrote it, for check runs.
    pub app: Option<u64>,
}

/// Whether a check has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// It runs or waits.
    Pending,
    /// It has; also neutral and skipped ones.
    Passed,
    /// It has not.
    Failed,
}

/// A commit status to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStatus {
    /// Its name: `revertd`.
    pub context: String,
    /// What it says.
    pub state: StatusState,
    /// In words. What is longer than 140 characters is cut, since GitHub refuses it.
    pub description: String,
    /// Where it leads.
    pub target: Option<String>,
}

/// A commit status, or a check run, that stands on a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusOnCommit {
    /// The commit.
    pub commit: CommitId,
    /// Its name.
    pub context: String,
    /// What it says.
    pub state: StatusState,
    /// In words; the title of a check run.
    pub description: String,
    /// When it was written last, by the forge's clock.
    pub at: Timestamp,
    /// The login of who wrote it, where that was asked for and is told; of a check run, that of its App.
    pub creator: Option<String>,
}

/// Which statuses of a commit are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusReading {
    /// Of each context the newest, whoever wrote it.
    Newest,
    /// All, with who wrote each: a newer one by somebody else does not hide one.
    WithCreators,
}

/// What a commit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusState {
    /// Not known yet.
    Pending,
    /// Good.
    Success,
    /// Bad.
    Failure,
    /// It could not be found out.
    Error,
}

/// A check run to write, finished already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCheckRun {
    /// Its name.
    pub name: String,
    /// What it says.
    pub conclusion: Conclusion,
    /// In one line.
    pub title: String,
    /// In Markdown.
    pub summary: String,
}

/// What a check run says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Good.
    Success,
    /// Bad.
    Failure,
    /// Neither.
    Neutral,
    /// Somebody has to do something.
    ActionRequired,
}

/// What the forge knows of a commit beyond Git: whose it takes it to be, by the addresses in it (for four eyes). The addresses are what the
/// committer wrote, so this names somebody who must not approve, and never somebody who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgeCommit {
    /// The author's account; none where the address belongs to nobody.
    pub author: Option<User>,
    /// The committer's; the forge's own for what was made on its pages.
    pub committer: Option<User>,
    /// Whether it is shown as verified.
    pub signature: Signature,
}

/// A proposal's place in the merge queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// The first is 1.
    pub position: u64,
    /// How it stands.
    pub state: QueueState,
}

/// How a proposal in the merge queue stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueState {
    /// It waits for its turn or for checks, or is about to land.
    Waiting,
    /// It cannot be merged, and will be taken out.
    Unmergeable,
    /// A word that is not known.
    Other(String),
}

/// A commit that the forge is to make, and sign, on a proposal's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCommit {
    /// The proposal. Its branch is there already: no other branch can be named.
    pub proposal: ProposalKey,
    /// What the branch must point to, and the parent.
    pub parent: CommitId,
    /// The first line of the message.
    pub headline: String,
    /// The message below it.
    pub body: String,
    /// What it changes.
    pub changes: Vec<FileChange>,
}

/// One path of a commit that the forge is to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The path with what stands there and what shall.
    pub path: PlannedPath,
    /// The file that shall stand there; none where none shall.
    pub content: Option<Vec<u8>>,
}

/// What became of a commit that the forge was to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It is on the branch. Its tree is still to be compared with the plan's.
    Made(MadeCommit),
    /// The branch points elsewhere: by this call when its answer was lost before, or by somebody else's. Look.
    HeadModified,
    /// The plan cannot be carried out like this, since the forge writes regular files only. Nothing was asked.
    Unsuitable {
        /// Why, naming the path.
        sentence: String,
    },
    /// The forge does not make it.
    Refused {
        /// The forge's words.
        sentence: String,
    },
}

/// A commit that the forge has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeCommit {
    /// Its id, which nobody knows beforehand: the forge sets the dates.
    pub id: CommitId,
    /// Its tree.
    pub tree: TreeId,
    /// Whether the forge shows it as verified.
    pub signature: Signature,
}

/// Whether a commit is shown as verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// It is.
    Verified,
    /// It is not.
    Unverified,
}
