//! What is said, as plain values that the agent makes, stores and hands over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::id::PolicyName;

/// One thing to say. Its texts are plain: whatever markup a chat knows is taken out of effect when it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Names this message, the same over all retries: what has this key is said once.
    pub key: String,
    /// What it belongs to: the key of the proposal, or the id of the incident where there is none.
    pub thread: String,
    /// What happened.
    pub event: MessageEvent,
    /// The policy, which is the service; absent where the message is about the agent.
    pub service: Option<PolicyName>,
    /// The policy's labels, for channels that are named by them.
    pub labels: BTreeMap<String, String>,
    /// One line.
    pub title: String,
    /// The rest, a sentence each.
    pub lines: Vec<String>,
    /// Where to go on: the proposal's sticky comment.
    pub link: Option<Link>,
    /// What to type there, on a line of its own.
    pub command: Option<String>,
}

/// The transitions that are worth a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageEvent {
    /// A revert stands as a proposal.
    Proposed,
    /// It has waited for an approval for so long that somebody should look.
    Waiting,
    /// Somebody allowed it.
    Approved,
    /// It is on the watched branch.
    Merged,
    /// The service is well again.
    Recovered,
    /// The revert is effective, and the service is not well.
    NotRecovered,
    /// Nothing was done, and a person has something to do.
    Refused,
    /// The agent itself cannot work as it should.
    AgentImpaired,
}

/// A link that was made by revertd. Only `http` and `https` addresses become one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// What it says.
    pub text: String,
    /// Where it leads.
    pub url: String,
}

/// What a delivery leaves behind for the next message of the same thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    /// What continues the thread; absent where the chat has no threads that a webhook can continue.
    pub thread: Option<Thread>,
}

/// What is needed to continue a thread. The agent stores it, per notifier and [`Message::thread`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Thread {
    /// A message in Slack.
    Slack {
        /// The channel's id, not its name: only that can be edited in.
        channel: String,
        /// The time that names the first message.
        ts: String,
        /// What the first message said; it is shown again on each edit.
        opening: Opening,
    },
    /// A message of a Discord webhook.
    Discord {
        /// The id of the first message.
        message: String,
        /// What it said.
        opening: Opening,
    },
}

/// What the first message of a thread said, so that an edit of it keeps the story's beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// Its key.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Its lines.
    pub lines: Vec<String>,
    /// Its link.
    pub link: Option<Link>,
}

// === impl Message ===

impl Message {
    /// What the first message of a thread keeps of itself.
    pub fn opening(&self) -> Opening {
        Opening { key: self.key.clone(), title: self.title.clone(), lines: self.lines.clone(), link: self.link.clone() }
    }
}

// === impl MessageEvent ===

impl MessageEvent {
    /// In words: `not recovered`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Waiting => "waiting for an approval",
            Self::Approved => "approved",
            Self::Merged => "merged",
            Self::Recovered => "recovered",
            Self::NotRecovered => "not recovered",
            Self::Refused => "refused",
            Self::AgentImpaired => "agent impaired",
        }
    }

    /// Whether the story ends here, so that its end is told to those too who do not follow the thread.
    pub fn is_last(self) -> bool {
        matches!(self, Self::Recovered | Self::NotRecovered | Self::Refused)
    }
}
