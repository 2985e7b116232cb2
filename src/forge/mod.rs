//! The port to a forge: finding and writing proposals, comments and statuses, asking who may do what, and merging by the forge's own call.
//!
//! A forge never pushes; that is `git`. It decides nothing: who may approve, what a command means and whether a merge is allowed is the
//! engine's, and what is told here is told as the forge said it, with every doubt as a value or an error of its own. Every call blocks
//! until its answer is there or its time is over, since a pass runs on a thread of its own; the time comes as an argument.

pub mod access;
pub mod failure;
pub mod github;
pub mod landing;
pub mod model;
pub mod rules;

use crate::engine::approval::MergeGrant;
use crate::engine::id::{BranchName, CommitId};
use crate::engine::time::Timestamp;

pub use crate::engine::id::{CommentId, ProposalNumber, RepositoryId, UserId};
pub use access::{Access, Grants, OwnersFile, Readable, TeamSight};
pub use failure::ForgeError;
pub use landing::{
    Check, CheckState, CommitOutcome, Conclusion, EnqueueOutcome, FileChange, ForgeCommit, MadeCommit, MergeCall, MergeMethod,
    MergeOutcome, NewCheckRun, NewCommit, NewStatus, QueueEntry, QueueState, Signature, StatusOnCommit, StatusReading, StatusState,
};
pub use model::{
    Account, AccountKind, Allowance, Bypassing, Capabilities, CasBase, CasHead, ChangedPaths, CheckRuns, Comment, CommentCursor,
    CommentNow, CommentState, EditSignal, Edited, ForgeProposal, GitCredentials, Identity, LabelledIssue, Listing, Membership,
    MergeMethods, MergeQueues, Mergeable, NewProposal, Opened, OpenedBy, Permission, ProposalState, Rate, Reaction, Review, ReviewState,
    Role, Team, User, UserKind, Visibility,
};
pub use rules::{BranchRules, Bypass, ClassicProtection, Demand, PatternOn, PatternOperator, PatternRule, PatternSense, RequiredCheck};

/// When a call is made and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The time now.
    pub now: Timestamp,
    /// What for.
    pub purpose: Purpose,
}

/// What a call is for. Polls are shed first when the budget of requests runs low (catalogue of failures F7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Looking for news. Not sent when less than a fifth of the hourly budget is left.
    Poll,
    /// What a decision waits for, and every effect.
    Act,
}

impl Call {
    /// A look for news.
    pub const fn poll(now: Timestamp) -> Self {
        Self { now, purpose: Purpose::Poll }
    }

    /// Something that a decision or an effect needs.
    pub const fn act(now: Timestamp) -> Self {
        Self { now, purpose: Purpose::Act }
    }
}

/// What a call gives.
pub type Answered<T> = Result<T, ForgeError>;

/// One repository on a forge.
///
/// Every method that takes a [`Call`] can fail with any [`ForgeError`]. After an error whose [`ForgeError::may_have_acted`] is true the
/// effect may be there: look before acting again. No method sends a request that changes something twice, with one exception that the
/// forge has not acted on: its token was refused, or the repository's name had changed.
pub trait Forge: Send + Sync {
    /// What the forge can do. Asks nothing.
    fn capabilities(&self) -> Capabilities;

    /// What was left of the hourly budget at the last answer. Asks nothing; `None` before the first answer.
    fn rate(&self) -> Option<Rate>;

    /// The credentials for Git, good for at least five more minutes where they expire.
    ///
    /// # Errors
    /// A new token was needed and could not be had.
    fn git_credentials(&self, now: Timestamp) -> Answered<GitCredentials>;

    /// Which repository it is and who asks. A repository that was renamed is followed; another one under the old name is
    /// [`ForgeError::Replaced`]. Every other method checks this too, at most once a minute.
    fn identity(&self, call: Call) -> Answered<Identity>;

    /// Every open issue (no proposal) with this label, and who put it on last.
    fn labelled_issues(&self, call: Call, label: &str) -> Answered<Vec<LabelledIssue>>;

    /// The proposals that come from this branch of this repository, open or not, newest first. An empty list is no proof that there is
    /// none: forges' lists are late (F8).
    fn find(&self, call: Call, head: &BranchName) -> Answered<Vec<ForgeProposal>>;

    /// One proposal.
    fn get(&self, call: Call, number: ProposalNumber) -> Answered<ForgeProposal>;

    /// Opens a proposal, once. If the forge says that it exists, or gives no good answer, the open one from that branch is looked for; only
    /// if none is found the error comes back.
    fn open(&self, call: Call, new: &NewProposal) -> Answered<Opened>;

    /// Sets a proposal's title and text.
    fn edit(&self, call: Call, number: ProposalNumber, title: &str, body: &str) -> Answered<()>;

    /// Closes a proposal without landing it.
    fn close(&self, call: Call, number: ProposalNumber) -> Answered<()>;

    /// Opens a proposal again that was closed, for a new breach after our own withdrawal; [`ForgeError::Invalid`] where its branch is gone or it
    /// has landed.
    fn reopen(&self, call: Call, number: ProposalNumber) -> Answered<()>;

    /// Every open proposal of the repository, also of others, newest first: somebody may be reverting or fixing by hand.
    fn open_proposals(&self, call: Call) -> Answered<Vec<ForgeProposal>>;

    /// The paths that a proposal changes.
    fn changed_paths(&self, call: Call, number: ProposalNumber) -> Answered<ChangedPaths>;

    /// Adds labels. Those that are there already stay.
    fn add_labels(&self, call: Call, number: ProposalNumber, labels: &[String]) -> Answered<()>;

    /// Asks people and teams (by slug) of the owner's organisation for a review.
    fn request_reviewers(&self, call: Call, number: ProposalNumber, users: &[String], teams: &[String]) -> Answered<()>;

    /// The repository's comments that are new or changed since `cursor`, the last touched first, and the cursor that knows them. While
    /// nothing has changed this is one request, which costs nothing.
    fn comments(&self, call: Call, cursor: &CommentCursor) -> Answered<(Vec<Comment>, CommentCursor)>;

    /// A comment as it stands now, never from a cache.
    fn comment_state(&self, call: Call, id: CommentId) -> Answered<CommentState>;

    /// The comments on a proposal that these credentials have written, oldest first. For finding a hidden mark again before writing.
    fn own_comments(&self, call: Call, number: ProposalNumber) -> Answered<Vec<Comment>>;

    /// Writes a comment, once. After an error look with [`Forge::own_comments`].
    fn write_comment(&self, call: Call, number: ProposalNumber, body: &str) -> Answered<Comment>;

    /// Replaces a comment's text.
    fn edit_comment(&self, call: Call, id: CommentId, body: &str) -> Answered<()>;

    /// Puts a reaction on a comment. Doing it twice is doing it once.
    fn react(&self, call: Call, id: CommentId, reaction: Reaction) -> Answered<()>;

    /// The reviews of a proposal, oldest first.
    fn reviews(&self, call: Call, number: ProposalNumber) -> Answered<Vec<Review>>;

    /// What the person with this name may do now, never from a cache. Every error is a no; so is a user id other than expected.
    fn permission(&self, call: Call, login: &str) -> Answered<Permission>;

    /// Whether the person with this name is in a team now, never from a cache.
    fn team_member(&self, call: Call, team: &Team, login: &str) -> Answered<Membership>;

    /// The head of a branch now, never from a cache; `None` if there is no such branch.
    fn branch_head(&self, call: Call, branch: &BranchName) -> Answered<Option<CommitId>>;

    /// What a branch asks of what lands on it; `None` where the forge is too old to say.
    fn branch_rules(&self, call: Call, branch: &BranchName) -> Answered<Option<BranchRules>>;

    /// The state of every check and status on a commit, each context once. Which of them must pass, [`Forge::branch_rules`] says.
    fn checks(&self, call: Call, commit: CommitId) -> Answered<Vec<Check>>;

    /// What other tools wrote on the newest commits of a branch, at most so many of its first-parent line, in any order. Check runs are left out
    /// where the credentials may not read them.
    fn branch_statuses(&self, call: Call, branch: &BranchName, most: usize, reading: StatusReading) -> Answered<Vec<StatusOnCommit>>;

    /// Merges a proposal, once. The head is pinned by the call; the base is read right before it and must be the one that the grant names.
    /// After an answer that did not come the proposal is read again, and one that has landed is [`MergeOutcome::Merged`].
    fn merge(&self, call: Call, number: ProposalNumber, merge: &MergeCall, grant: MergeGrant) -> Answered<MergeOutcome>;

    /// Enters a proposal with this head into the merge queue, which lands it when its rules are met: that is proposing, not forcing.
    fn enqueue(&self, call: Call, number: ProposalNumber, head: CommitId) -> Answered<EnqueueOutcome>;

    /// Where a proposal stands in the merge queue; `None` where it is not in it, or not any more.
    fn queue_entry(&self, call: Call, number: ProposalNumber) -> Answered<Option<QueueEntry>>;

    /// Has the forge make a commit on a proposal's branch, once: it signs it, where only a verified commit may land. The branch must point to
    /// the commit's parent, so a second call after a lost answer gives [`CommitOutcome::HeadModified`].
    fn create_commit(&self, call: Call, new: &NewCommit) -> Answered<CommitOutcome>;

    /// Whose accounts stand behind a commit, and whether it is verified.
    fn commit(&self, call: Call, commit: CommitId) -> Answered<ForgeCommit>;

    /// Writes a commit status. The newest of a context counts, so writing it twice does no harm.
    fn set_status(&self, call: Call, commit: CommitId, status: &NewStatus) -> Answered<()>;

    /// Writes a finished check run; [`ForgeError::Forbidden`] where [`Capabilities::check_runs`] says that it cannot.
    fn check_run(&self, call: Call, commit: CommitId, run: &NewCheckRun) -> Answered<()>;

    /// What the credentials may do, as far as reading shows it, never from a cache. `branch` is one that is there.
    fn access(&self, call: Call, branch: &BranchName) -> Answered<Access>;

    /// Whether a team is seen.
    fn team(&self, call: Call, team: &Team) -> Answered<TeamSight>;

    /// How the forge itself reads the `CODEOWNERS` of a branch.
    fn owners_file(&self, call: Call, branch: &BranchName) -> Answered<OwnersFile>;
}
