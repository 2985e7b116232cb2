//! The parts of GitHub's answers that are read, and nothing else of them.
//!
//! octocrab's own models refuse an answer that lacks a field nobody asks for, as those of Enterprise servers do. These have what decides,
//! and turn into the port's values here, where what cannot be understood becomes an error and never a default that allows something.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::id::{BranchName, CommitId};
use crate::engine::time::Timestamp;
use crate::forge::{
    Allowance, Comment, CommentId, ForgeError, ForgeProposal, MergeMethods, Mergeable, ProposalNumber, ProposalState, Review, ReviewState,
    User, UserId, UserKind,
};

#[derive(Deserialize)]
pub(super) struct WireUser {
    pub(super) login: String,
    pub(super) id: u64,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Deserialize)]
pub(super) struct WireRepository {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) owner: WireUser,
    allow_merge_commit: Option<bool>,
    allow_squash_merge: Option<bool>,
    allow_rebase_merge: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct WireInstallation {
    pub(super) id: u64,
    pub(super) app_id: u64,
    pub(super) app_slug: String,
    #[serde(default)]
    pub(super) permissions: BTreeMap<String, String>,
    pub(super) suspended_at: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct WireToken {
    pub(super) token: String,
    pub(super) expires_at: String,
}

#[derive(Deserialize)]
pub(super) struct WireLabel {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct WireEnd {
    #[serde(rename = "ref")]
    name: String,
    sha: CommitId,
    /// None for a head whose fork is gone.
    repo: Option<WireId>,
}

#[derive(Deserialize)]
pub(super) struct WireId {
    id: u64,
}

#[derive(Deserialize)]
pub(super) struct WirePull {
    pub(super) number: u64,
    pub(super) node_id: String,
    html_url: String,
    state: String,
    merged_at: Option<String>,
    merge_commit_sha: Option<CommitId>,
    merged_by: Option<WireUser>,
    head: WireEnd,
    base: WireEnd,
    user: Option<WireUser>,
    title: String,
    body: Option<String>,
    #[serde(default)]
    labels: Vec<WireLabel>,
    mergeable: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct WireFile {
    pub(super) filename: String,
    pub(super) previous_filename: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct WireClosed {
    pub(super) closed_by: Option<WireUser>,
}

#[derive(Deserialize)]
pub(super) struct WireApp {
    id: u64,
}

#[derive(Deserialize)]
pub(super) struct WireComment {
    id: u64,
    pub(super) node_id: String,
    html_url: String,
    issue_url: String,
    user: Option<WireUser>,
    performed_via_github_app: Option<WireApp>,
    #[serde(default)]
    body: Option<String>,
    created_at: String,
    updated_at: String,
}

#[derive(Deserialize)]
pub(super) struct WireReview {
    id: u64,
    user: Option<WireUser>,
    state: String,
    commit_id: Option<CommitId>,
    submitted_at: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct WirePermission {
    pub(super) permission: String,
    pub(super) role_name: Option<String>,
    pub(super) user: Option<WireUser>,
}

#[derive(Deserialize)]
pub(super) struct WireMembership {
    pub(super) state: String,
}

#[derive(Deserialize)]
pub(super) struct WireReference {
    pub(super) object: WireObject,
}

#[derive(Deserialize)]
pub(super) struct WireObject {
    pub(super) sha: CommitId,
}

#[derive(Deserialize)]
pub(super) struct WireMerged {
    pub(super) sha: CommitId,
    pub(super) merged: bool,
}

#[derive(Deserialize)]
pub(super) struct WireCheckRuns {
    pub(super) check_runs: Vec<WireCheckRun>,
}

#[derive(Deserialize)]
pub(super) struct WireCheckRun {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    app: Option<WireApp>,
}

#[derive(Deserialize)]
pub(super) struct WireCombined {
    pub(super) statuses: Vec<WireStatus>,
}

#[derive(Deserialize)]
pub(super) struct WireStatus {
    pub(super) context: String,
    pub(super) state: String,
}

/// One error of an answer's list: an object with a message or with a field and a code, or a text.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum WireFault {
    Text(String),
    Object { message: Option<String>, field: Option<String>, code: Option<String> },
}

/// The body of a refusal.
#[derive(Default, Deserialize)]
pub(super) struct WireRefusal {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default, deserialize_with = "faults")]
    pub(super) errors: Vec<WireFault>,
}

/// The list is an array in most answers, and one text in some.
fn faults<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<WireFault>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Many(Vec<WireFault>),
        One(WireFault),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Many(many) => many,
        Either::One(one) => vec![one],
        Either::Other(_) => Vec::new(),
    })
}

// === from wire to port ===

fn unreadable(detail: impl Into<String>) -> ForgeError {
    ForgeError::Answer { detail: detail.into() }
}

/// A moment as GitHub writes it.
pub(super) fn moment(text: &str) -> Result<Timestamp, ForgeError> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|time| Timestamp(time.timestamp_millis()))
        .map_err(|_| unreadable(format!("`{}` is no time", text.chars().take(40).collect::<String>())))
}

impl From<WireUser> for User {
    fn from(wire: WireUser) -> Self {
        let kind = match wire.kind.as_str() {
            "User" => UserKind::User,
            "Bot" => UserKind::Bot,
            _ => UserKind::Other(wire.kind),
        };
        Self { login: wire.login, id: UserId(wire.id), kind }
    }
}

impl WireRepository {
    pub(super) fn methods(&self) -> MergeMethods {
        let allowance = |setting| match setting {
            Some(true) => Allowance::Allowed,
            Some(false) => Allowance::Forbidden,
            None => Allowance::Unknown,
        };
        MergeMethods {
            merge: allowance(self.allow_merge_commit),
            squash: allowance(self.allow_squash_merge),
            rebase: allowance(self.allow_rebase_merge),
        }
    }
}

impl WirePull {
    /// Whether it comes from this branch of this repository, and not from a fork's branch of the same name.
    pub(super) fn comes_from(&self, branch: &BranchName, repository: u64) -> bool {
        self.head.name == branch.as_str() && self.head.repo.as_ref().is_some_and(|repo| repo.id == repository)
    }

    pub(super) fn proposal(self) -> Result<ForgeProposal, ForgeError> {
        let state = match (self.state.as_str(), self.merged_at) {
            ("open", None) => ProposalState::Open,
            ("closed", None) => ProposalState::Closed,
            ("closed", Some(_)) => {
                let commit =
                    self.merge_commit_sha.ok_or_else(|| unreadable(format!("pull request {} merged as no commit", self.number)))?;
                ProposalState::Merged { commit }
            }
            (state, _) => {
                return Err(unreadable(format!("pull request {} is `{}`", self.number, state.chars().take(40).collect::<String>())));
            }
        };
        Ok(ForgeProposal {
            number: ProposalNumber(self.number),
            url: self.html_url,
            state,
            closed_by: self.merged_by.map(User::from),
            head_branch: BranchName::new(self.head.name),
            head: self.head.sha,
            base: BranchName::new(self.base.name),
            author: self.user.map(User::from),
            title: self.title,
            body: self.body.unwrap_or_default(),
            labels: self.labels.into_iter().map(|label| label.name).collect(),
            mergeable: self.mergeable.map(|clean| if clean { Mergeable::Clean } else { Mergeable::Conflicting }),
        })
    }
}

impl WireComment {
    pub(super) fn comment(self) -> Result<Comment, ForgeError> {
        let number = self.issue_url.rsplit('/').next().and_then(|last| last.parse().ok());
        Ok(Comment {
            id: CommentId(self.id),
            on: ProposalNumber(number.ok_or_else(|| unreadable(format!("comment {} names no issue", self.id)))?),
            url: self.html_url,
            author: self.user.map(User::from),
            through_app: self.performed_via_github_app.map(|app| app.id),
            body: self.body.unwrap_or_default(),
            created: moment(&self.created_at)?,
            updated: moment(&self.updated_at)?,
        })
    }
}

impl WireReview {
    pub(super) fn review(self) -> Result<Review, ForgeError> {
        let state = match self.state.as_str() {
            "APPROVED" => ReviewState::Approved,
            "CHANGES_REQUESTED" => ReviewState::ChangesRequested,
            "COMMENTED" => ReviewState::Commented,
            "DISMISSED" => ReviewState::Dismissed,
            "PENDING" => ReviewState::Pending,
            _ => ReviewState::Other(self.state),
        };
        let submitted = self.submitted_at.as_deref().map(moment).transpose()?;
        Ok(Review { id: self.id, user: self.user.map(User::from), state, commit: self.commit_id, submitted })
    }
}

impl WireCheckRun {
    pub(super) fn app(&self) -> Option<u64> {
        self.app.as_ref().map(|app| app.id)
    }
}
