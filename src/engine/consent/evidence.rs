//! What is known about a proposal and about everything that was said on it, as values. The agent reads it from the forge at the moment of
//! execution; what could not be read is [`Lookup::Unknown`], which never counts for acting (promises P2 and P6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::id::{CommitId, PlanDigest, ProposalNumber, RepositoryId, UserId};
use crate::engine::time::{Timestamp, millis};

/// Who may approve, and how; `approval:` of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsentRules {
    /// Any of these makes an approver.
    pub from: Vec<ApprovalSource>,
    /// How many distinct people; zero counts as one.
    pub count: u32,
    /// Whether the author of the change may approve its revert. A `force` never may come from them.
    pub four_eyes: FourEyes,
    /// Any of these may force; empty: nobody.
    pub force: Vec<ApprovalSource>,
    /// What happens when nobody answers; nothing without it.
    #[serde(default)]
    pub if_silent: Option<IfSilent>,
    /// How long an approval counts, from the moment it was written.
    #[serde(with = "millis")]
    pub expires: Duration,
}

/// What makes a person an approver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApprovalSource {
    /// At least this role in the watched repository. A role under `triage` counts as `triage`: on a public repository anybody can read.
    Role(Role),
    /// An active member of this team, `organisation/team`, who can at least read the repository.
    Team(String),
    /// The account with this login, who can at least read the repository.
    User(String),
    /// An owner, by CODEOWNERS, of every path of the plan, who can write to the repository (as the forge itself asks).
    Codeowners,
}

/// `notAuthorOfChange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FourEyes {
    /// Anybody who may approve; at night the author is the one on call.
    NotNeeded,
    /// Anybody where the plan is safe, else somebody else than the authors.
    UnlessSafe,
    /// Somebody else than the authors of the change.
    Needed,
}

/// How dangerous a plan is by its own content: an exact inverse of ordinary manifests, or something that a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// It is such an inverse.
    Safe,
    /// It is not, or that is not known.
    NotSafe,
}

/// `ifSilent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IfSilent {
    /// How long nobody answers, from the moment at which the proposal could be seen.
    #[serde(with = "millis")]
    pub after: Duration,
    /// What then.
    pub then: Silence,
}

/// What silence does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Silence {
    /// It is told again, more loudly.
    Escalate,
    /// The proposal is taken back.
    Withdraw,
    /// The policy's own mode counts as `merge`; every ceiling and every other guardrail of the merge gate holds.
    Merge,
}

/// A role in a repository. The order is the order of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// No access.
    None,
    /// Read; everybody has it on a public repository.
    Read,
    /// Manage issues and pull requests without writing.
    Triage,
    /// Push.
    Write,
    /// Manage the repository.
    Maintain,
    /// Everything.
    Admin,
}

/// The answer to a question that was asked of the forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lookup<T> {
    /// It answered.
    Known(T),
    /// It did not, or with something that is not understood; why, for people.
    Unknown(String),
}

/// What is known of the proposal now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalNow {
    /// The repository's numeric id.
    pub repository: RepositoryId,
    /// Its number.
    pub number: ProposalNumber,
    /// Whether it is open.
    pub state: ProposalState,
    /// What its branch holds, and who wrote that.
    pub head: Lookup<Head>,
    /// The plan that would land now.
    pub plan: PlanDigest,
    /// Every plan that its sticky comment showed, oldest first, with times of the forge's own clock.
    pub published: Vec<Publication>,
    /// The accounts that wrote the changes that the plan undoes.
    pub change_authors: Lookup<BTreeSet<UserId>>,
    /// The account that revertd acts as.
    pub own: UserId,
    /// What was answered before, also by an earlier process.
    pub answered: BTreeMap<SaidId, Answer>,
    /// Holds that were accepted before and not lifted since. They outlive the comment that they were made with.
    pub holds: Vec<Hold>,
    /// How many more replies may be written this hour (failure A11).
    pub replies_left: usize,
}

/// Whether a proposal is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProposalState {
    /// Open.
    Open,
    /// Closed without a merge.
    Closed,
    /// Merged.
    Merged,
}

/// What a proposal's branch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub commit: CommitId,
    /// Whose it is.
    pub writer: HeadWriter,
}

/// Who wrote the head of a proposal's branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HeadWriter {
    /// revertd, by the intents in its journal.
    Revertd,
    /// Somebody else: nothing said about it counts.
    SomebodyElse,
}

/// A plan that was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// When, by the forge's clock.
    pub at: Timestamp,
    /// Which.
    pub plan: PlanDigest,
    /// The head that carried it.
    pub head: CommitId,
}

/// Names something that was said. Comments and reviews are numbered apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SaidId {
    /// A comment in the conversation, or what is no comment and no review but looks like one.
    Comment(u64),
    /// A review.
    Review(u64),
}

/// What was answered to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// It was accepted.
    Accepted,
    /// It was refused, and stays refused.
    Refused,
}

/// Somebody said: land nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Where.
    pub said: SaidId,
    /// Who.
    pub by: UserId,
    /// Their login then.
    pub login: String,
    /// When.
    pub at: Timestamp,
}

/// Something that was said, with what was looked up about it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its id.
    pub id: SaidId,
    /// The repository that it was said in.
    pub repository: RepositoryId,
    /// The proposal that it was said on.
    pub proposal: ProposalNumber,
    /// What it is.
    pub form: Form,
    /// Who.
    pub author: Author,
    /// The text.
    pub body: String,
    /// When it was written, by the forge's clock, which counts whole seconds.
    pub at: Timestamp,
    /// Whether it was changed since it was written, by whomever; also `Edited` where it differs from what was read before.
    pub edit: Lookup<Edit>,
    /// Whether it can be seen.
    pub visibility: Lookup<Visibility>,
    /// What its author may do now.
    pub permission: Lookup<Permission>,
    /// Whether its author is an active member now, for every team of the rules.
    pub teams: BTreeMap<String, Lookup<Membership>>,
    /// Whether its author owns every path of the plan now.
    pub codeowner: Lookup<Ownership>,
}

/// What something that was said is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A comment in the conversation: the only place for commands (failure A10).
    Comment,
    /// A review; its text is not read.
    Review {
        /// Its verdict.
        state: ReviewState,
        /// The head that it was written on.
        head: CommitId,
    },
    /// Anything else: a title, a body, a comment on a line, a commit's message, another issue.
    Other,
}

/// The verdict of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReviewState {
    /// Approved.
    Approved,
    /// Changes requested: holds until it is dismissed or its author approves.
    ChangesRequested,
    /// A comment only.
    Commented,
    /// Dismissed.
    Dismissed,
}

/// Who said something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The account.
    pub id: UserId,
    /// Its login then. Untrusted text.
    pub login: String,
    /// What the account is.
    pub kind: AuthorKind,
}

/// What kind of account said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AuthorKind {
    /// A person.
    Person,
    /// A bot.
    Bot,
    /// An app in the name of a person.
    ThroughApp,
}

/// Whether a text was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Edit {
    /// It is as it was written.
    Never,
    /// It was changed, by its author or by anybody who can write to the repository.
    Edited,
}

/// Whether a text can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Visibility {
    /// Shown.
    Shown,
    /// Folded away by somebody.
    Minimised,
    /// Deleted.
    Gone,
}

/// The forge's answer to what an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The account that the answer is about. The question names a login, which may be somebody else's by now.
    pub user: UserId,
    /// What it may do.
    pub role: Role,
}

/// Whether an account is in a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Membership {
    /// An active member.
    Active,
    /// Invited.
    Pending,
    /// No member.
    No,
}

/// Whether an account owns the paths of a plan by CODEOWNERS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ownership {
    /// Every one of them.
    Owner,
    /// Not every one.
    NotOwner,
}

impl ConsentRules {
    /// The rules for a plan of this grade.
    #[must_use]
    pub fn for_grade(&self, grade: Grade) -> Self {
        let four_eyes = match (self.four_eyes, grade) {
            (FourEyes::UnlessSafe, Grade::Safe) => FourEyes::NotNeeded,
            (FourEyes::UnlessSafe, Grade::NotSafe) => FourEyes::Needed,
            (other, _) => other,
        };
        Self { four_eyes, ..self.clone() }
    }

    /// Whether its sources name the owners of the touched paths.
    pub fn asks_owners(&self) -> bool {
        self.from.iter().chain(&self.force).any(|source| *source == ApprovalSource::Codeowners)
    }

    /// The teams that its sources name, `organisation/team`.
    pub fn teams(&self) -> impl Iterator<Item = String> {
        self.from.iter().chain(&self.force).filter_map(|source| match source {
            ApprovalSource::Team(team) => Some(team.clone()),
            _ => None,
        })
    }
}

impl<T> Lookup<T> {
    /// The answer to a question about an answer.
    pub fn and_then<U>(self, next: impl FnOnce(T) -> Lookup<U>) -> Lookup<U> {
        match self {
            Self::Known(value) => next(value),
            Self::Unknown(why) => Lookup::Unknown(why),
        }
    }
}

impl Default for ConsentRules {
    /// One person who can write to the repository, for four hours; nobody may force.
    fn default() -> Self {
        Self {
            from: vec![ApprovalSource::Role(Role::Write)],
            count: 1,
            four_eyes: FourEyes::NotNeeded,
            force: Vec::new(),
            if_silent: None,
            expires: Duration::from_secs(4 * 3600),
        }
    }
}
