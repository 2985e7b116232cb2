//! One thing that is told in chats and to pagers, as a plain value: the agent makes it, the journal keeps it, a notifier brings it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::PolicyName;

/// One thing to say. It holds no value of env, arguments or ConfigMaps: a chat has other readers than the repository. Its texts are plain: whatever markup a chat knows is taken out of effect when it is sent.
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
    /// Nobody has answered for as long as the policy waits: it is told again, louder.
    Escalated,
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
    /// What Git says is not what runs, and a person has something to do.
    OutOfStep,
    /// The agent itself cannot work as it should.
    AgentImpaired,
    /// A person ended it, and nothing is left to do here.
    Closed,
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

// === impl MessageEvent ===

impl MessageEvent {
    /// In words: `not recovered`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Waiting => "waiting for an approval",
            Self::Escalated => "not answered",
            Self::Approved => "approved",
            Self::Merged => "merged",
            Self::Recovered => "recovered",
            Self::NotRecovered => "not recovered",
            Self::Refused => "refused",
            Self::OutOfStep => "out of step with Git",
            Self::AgentImpaired => "agent impaired",
            Self::Closed => "closed",
        }
    }

    /// Whether those are told too who do not follow the thread: the story ends here, or nobody has answered.
    pub fn is_for_everybody(self) -> bool {
        matches!(self, Self::Recovered | Self::NotRecovered | Self::Refused | Self::Closed | Self::Escalated)
    }
}
