//! Why a forge did not do or say what it was asked, in the kinds that callers branch on.
//!
//! The sentences may quote the forge's own words; they never hold a token.

use std::time::Duration;

use super::RepositoryId;
use crate::engine::time::{Timestamp, spoken};

/// The forge gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// No connection, a broken answer, or the forge says that it is out of order (a 5xx status).
    #[error("the forge cannot be reached: {detail}")]
    Unreachable {
        /// What happened.
        detail: String,
    },
    /// No complete answer in time.
    #[error("the forge did not answer within {}", spoken(*after))]
    TimedOut {
        /// The time that it had.
        after: Duration,
    },
    /// There is no such thing, or none that the token may see: forges answer both alike.
    #[error("the forge has found nothing to {what}, or does not show it to this token")]
    NotFound {
        /// What was to be done: `read pull request 12`.
        what: String,
    },
    /// The token, or the App's key, is not accepted.
    #[error("the forge does not accept the credentials: {sentence}")]
    Unauthorized {
        /// The forge's words.
        sentence: String,
    },
    /// The token may not do this.
    #[error("the forge does not allow it: {sentence}")]
    Forbidden {
        /// The forge's words.
        sentence: String,
    },
    /// No request of this purpose may be sent before then: a limit is reached, or the rest of the budget is kept for acting.
    #[error("the forge's rate limit holds until {until}")]
    RateLimited {
        /// When to ask again.
        until: Timestamp,
    },
    /// The state of things forbids it (a 409 status).
    #[error("the forge reports a conflict: {sentence}")]
    Conflict {
        /// The forge's words.
        sentence: String,
    },
    /// The request is not valid as it stands (a 422 status). Sending it again gives the same answer.
    #[error("the forge refuses the request: {sentence}")]
    Invalid {
        /// The forge's words.
        sentence: String,
    },
    /// Under the repository's name there is another repository now.
    #[error("the name belongs to repository {} now, not to {}", found.0, expected.0)]
    Replaced {
        /// The repository that is watched.
        expected: RepositoryId,
        /// The one that answers to its name.
        found: RepositoryId,
    },
    /// The answer is not what was asked for.
    #[error("cannot read the forge's answer: {detail}")]
    Answer {
        /// What did not parse.
        detail: String,
    },
}

impl ForgeError {
    /// Whether the forge may have done what it was asked although no good answer came (catalogue of failures F6). Then look before
    /// acting again.
    pub fn may_have_acted(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Answer { .. })
    }
}
