//! What a delivery leaves behind, as plain values that the agent stores.

use serde::{Deserialize, Serialize};

use super::{Link, Message};

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
    /// A story at PagerDuty that was escalated: it has a second alert.
    PagerDuty {
        /// The second alert's deduplication key.
        escalated: String,
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

// === impl Opening ===

impl Opening {
    /// What the first message of a thread keeps of itself.
    pub fn of(message: &Message) -> Self {
        Self { key: message.key.clone(), title: message.title.clone(), lines: message.lines.clone(), link: message.link.clone() }
    }
}
