//! Stop the spread (design §13): what was reverted must not come back by another way while nobody has said that it may.

use serde::{Deserialize, Serialize};

use super::id::CommitId;

/// What was seen on its way, or there, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Spreading {
    /// Somebody's open proposal would bring it; its head was given a failing status.
    Marked {
        /// The number of theirs.
        number: u64,
        /// Its head.
        head: CommitId,
        /// What it would bring, in one sentence.
        why: String,
    },
    /// The failing status on such a head was taken back.
    Released {
        /// The number of theirs.
        number: u64,
        /// Its head.
        head: CommitId,
    },
    /// A commit of the watched branch brought it; that was said in the thread of the proposal.
    Pushed {
        /// The commit.
        commit: CommitId,
        /// What it brought, in one sentence.
        why: String,
    },
}
