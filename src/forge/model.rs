//! What a forge is told and what it says: proposals, comments, people. Plain values without a forge's own names.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{CommentId, ProposalNumber, RepositoryId, UserId};
use crate::engine::id::{BranchName, CommitId};
use crate::engine::time::Timestamp;
use crate::net::secret::Secret;

/// What a forge can do, as far as force-merge and approvals depend on it (design §10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// How the watched branch's head can be pinned when something lands.
    pub cas_base: CasBase,
    /// How the proposal's head can be pinned when it is merged.
    pub cas_head: CasHead,
    /// How branch rules can be passed by who is allowed to.
    pub bypass: Bypassing,
    /// How an edited comment shows.
    pub edit_signal: EditSignal,
    /// Who can write check runs.
    pub check_runs: CheckRuns,
    /// Whether there can be a merge queue.
    pub merge_queue: MergeQueues,
}

/// How the base is compared and swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CasBase {
    /// By a leased push only. The merge call cannot name the base, so it is read just before and what landed is checked afterwards (P4).
    ByPushOnly,
    /// The merge call names it.
    InMergeCall,
}

/// How the head is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CasHead {
    /// The merge call names it.
    InMergeCall,
    /// It cannot be named.
    Missing,
}

/// What honours a bypass of branch rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypassing {
    /// Merge calls and pushes by an actor that every rule set lists. The merge queue never does.
    MergeCallAndPush,
    /// Nothing.
    Missing,
}

/// How an edit of a comment shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditSignal {
    /// The forge says when the text was last edited.
    LastEdited,
    /// It does not say.
    Missing,
}

/// Whether the credentials can write check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckRuns {
    /// They can.
    Offered,
    /// They cannot; a commit status says it instead.
    StatusOnly,
}

/// Whether the forge knows merge queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeQueues {
    /// A branch may have one.
    Offered,
    /// There is no such thing.
    Missing,
}

/// Which repository it is, and who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The number that stays when the repository is renamed.
    pub id: RepositoryId,
    /// The owner's name now.
    pub owner: String,
    /// The repository's name now.
    pub name: String,
    /// The ways to merge that the repository's settings allow. Rules of a branch may allow fewer.
    pub methods: MergeMethods,
    /// Who the credentials belong to.
    pub own: Account,
}

/// Which ways to merge a repository's settings allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeMethods {
    /// A merge commit.
    pub merge: Allowance,
    /// One squashed commit.
    pub squash: Allowance,
    /// The commits replayed.
    pub rebase: Allowance,
}

/// Whether a setting allows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// It does.
    Allowed,
    /// It does not.
    Forbidden,
    /// The forge does not say, as to a token that may not write.
    Unknown,
}

/// Who the credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who writes with them.
    pub user: User,
    /// What they are.
    pub kind: AccountKind,
}

/// What kind of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// An App's installation.
    App {
        /// The App's number. Comments that it writes name it.
        id: u64,
    },
    /// A person's or a machine user's token.
    Token,
}

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name now. Names can change hands: compare ids.
    pub login: String,
    /// The number that stays.
    pub id: UserId,
    /// What it is.
    pub kind: UserKind,
}

/// What an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserKind {
    /// A person, or a machine user.
    User,
    /// An App.
    Bot,
    /// Something else, in the forge's word.
    Other(String),
}

/// A user name and password for Git over HTTPS.
#[derive(Clone, Debug)]
pub struct GitCredentials {
    /// The user name that goes with the token.
    pub username: String,
    /// The token.
    pub password: Secret,
    /// When it stops working, where that is known.
    pub expires: Option<Timestamp>,
}

/// An open issue with a label that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledIssue {
    /// Its number.
    pub number: u64,
    /// Who put the label on last; `None` where the forge does not tell.
    pub labelled_by: Option<User>,
}

/// What is left of the hourly budget of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests left.
    pub remaining: u64,
    /// Requests in an hour.
    pub limit: u64,
    /// When it is full again.
    pub reset: Timestamp,
}

/// A proposal to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProposal {
    /// The branch with the commit. It has been pushed already.
    pub head: BranchName,
    /// The branch that it is for.
    pub base: BranchName,
    /// Its title.
    pub title: String,
    /// Its text, in Markdown.
    pub body: String,
}

/// A proposal that was to be opened, and how it came to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The proposal.
    pub proposal: ForgeProposal,
    /// Whether this call made it.
    pub how: OpenedBy,
}

/// How a proposal came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenedBy {
    /// This call, as its answer says.
    ThisCall,
    /// It was found, after the forge said that it exists or gave no good answer. Its title and text may be others than asked for.
    Found,
}

/// A pull request as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgeProposal {
    /// Its number within the repository.
    pub number: ProposalNumber,
    /// Its page.
    pub url: String,
    /// Whether it is open.
    pub state: ProposalState,
    /// Who closed or merged it. Only told for one that was read alone.
    pub closed_by: Option<User>,
    /// The branch that it comes from.
    pub head_branch: BranchName,
    /// That branch's commit now, or when it was closed.
    pub head: CommitId,
    /// The branch that it is for.
    pub base: BranchName,
    /// Who opened it; nobody if the account is gone.
    pub author: Option<User>,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it can be merged without conflicts. `None` while the forge is still computing it, and in lists; that is no "no" (F9).
    pub mergeable: Option<Mergeable>,
}

/// Whether a proposal is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalState {
    /// It waits.
    Open,
    /// It was closed and nothing landed.
    Closed,
    /// It landed.
    Merged {
        /// As this commit.
        commit: CommitId,
    },
}

/// Whether a proposal can be merged without conflicts. Says nothing about rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mergeable {
    /// It can.
    Clean,
    /// It conflicts with the base.
    Conflicting,
}

/// The paths that a proposal changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedPaths {
    /// Each once, the old name of a renamed file as well.
    pub paths: Vec<String>,
    /// Whether these are all.
    pub listing: Listing,
}

/// Whether a list is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It is.
    Whole,
    /// The forge does not tell more, and there may be more: GitHub ends at 3,000 files.
    Cut,
}

/// A comment on a proposal or an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its number within the forge.
    pub id: CommentId,
    /// What it was written on.
    pub on: ProposalNumber,
    /// Its page.
    pub url: String,
    /// Who wrote it; nobody if the account is gone.
    pub author: Option<User>,
    /// The App that wrote it on somebody's behalf, by its number.
    pub through_app: Option<u64>,
    /// Its text.
    pub body: String,
    /// When it was written.
    pub created: Timestamp,
    /// When the forge last touched it. No sign of an edit of the text.
    pub updated: Timestamp,
}

/// What is known of a repository's comments, so that the next look reads only what is new. An empty one knows none and reads them all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommentCursor {
    /// Comments that were last touched by then are known.
    floor: Option<Timestamp>,
    /// Those above the floor, with when they were last touched.
    known: BTreeMap<CommentId, Timestamp>,
}

/// How many comments a cursor names singly. Two pages, so that one more comment does not push one of the same page out.
const NAMED_COMMENTS: usize = 200;

/// A comment as it stands now, for the moment at which it is acted on (catalogue of failures A2 to A4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommentState {
    /// It was deleted, or cannot be seen any more.
    Gone,
    /// It is there.
    There(Box<CommentNow>),
}

/// What a comment that is there says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentNow {
    /// The comment.
    pub comment: Comment,
    /// When its text was last edited, if ever.
    pub last_edited: Option<Timestamp>,
    /// Whether it was edited right after it was written, which sets no time.
    pub created_edit: Edited,
    /// Whether somebody has hidden it.
    pub visibility: Visibility,
}

/// Whether a text was edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    /// Never.
    Never,
    /// It was.
    Edited,
}

/// Whether a comment is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// It is.
    Shown,
    /// Somebody has minimised it.
    Minimised,
}

/// What a comment is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// 👀: it was read.
    Eyes,
    /// 👍: it was done.
    ThumbsUp,
    /// 🚀: it is being done.
    Rocket,
    /// 😕: it was refused.
    Confused,
}

/// A review of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Its number.
    pub id: u64,
    /// Who gave it; nobody if the account is gone.
    pub user: Option<User>,
    /// What it says.
    pub state: ReviewState,
    /// The head that it was given for; none if that commit is gone.
    pub commit: Option<CommitId>,
    /// When; none for one that is not submitted yet.
    pub submitted: Option<Timestamp>,
}

/// What a review says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReviewState {
    /// Yes.
    Approved,
    /// No.
    ChangesRequested,
    /// Neither.
    Commented,
    /// It was taken back by somebody.
    Dismissed,
    /// Not submitted yet.
    Pending,
    /// A word that is not known.
    Other(String),
}

/// What somebody may do in the repository now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Who the name belongs to now. Compare it with who wrote.
    pub user: UserId,
    /// The highest role over repository, teams and organisation.
    pub role: Role,
}

/// A role in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Settings, but not the dangerous ones.
    Maintain,
    /// Pushing.
    Write,
    /// Labels and closing.
    Triage,
    /// Looking.
    Read,
    /// None.
    None,
    /// An organisation's own role. It counts as none unless the operator says what it may do.
    Unknown(String),
}

/// A team of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// The organisation's name.
    pub organization: String,
    /// The team's name as in addresses.
    pub slug: String,
}

/// Whether somebody is in a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Yes.
    Active,
    /// Invited only, which is a no.
    Pending,
    /// No; also where the token may not see the team.
    No,
}

// === impl CommentCursor ===

impl CommentCursor {
    /// Takes everything that was last touched by `time` as known: reading starts there and not at the repository's first comment.
    pub fn starting_after(time: Timestamp) -> Self {
        Self { floor: Some(time), known: BTreeMap::new() }
    }

    /// Whether this comment, as last touched then, was told before.
    pub fn knows(&self, id: CommentId, updated: Timestamp) -> bool {
        self.floor.is_some_and(|floor| updated <= floor) || self.known.get(&id).is_some_and(|known| updated <= *known)
    }

    /// The cursor after these comments were told.
    #[must_use]
    pub fn after<'a>(&self, told: impl IntoIterator<Item = &'a Comment>) -> Self {
        let mut next = self.clone();
        next.known.extend(told.into_iter().map(|comment| (comment.id, comment.updated)));
        while next.known.len() > NAMED_COMMENTS {
            let Some((oldest, updated)) = next.known.iter().min_by_key(|(_, updated)| **updated).map(|(id, updated)| (*id, *updated))
            else {
                break;
            };
            next.known.remove(&oldest);
            next.floor = next.floor.max(Some(updated));
        }
        next
    }
}
