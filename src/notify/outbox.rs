//! What is due to be sent: the pending messages and the time in, what to do out. Pure; the agent stores the messages and sends them.
//!
//! * The agent writes down an attempt *before* it makes it, so that after a crash the attempt counts as one whose answer was lost, and
//!   the message goes through [`super::Notifier::deliver_again`].
//! * Within a thread of one notifier messages go in their order, one at a time: a message that waits holds back those after it, and one
//!   that is given up lets them pass. Threads do not wait for each other.
//! * Between two attempts the wait doubles from five seconds to five minutes. A chat that asked to send less is asked nothing at all
//!   until the time it named, whatever the thread.
//! * What was not delivered within a day is given up with a sentence, and so is at once what the chat refuses for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{NotifyError, Remedy};
use crate::engine::time::{Timestamp, millis, spoken};

/// How long a message is tried. Who reads it later than this has long learnt it elsewhere.
pub const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The wait after the first failure.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A message that has not been delivered to one notifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The order in which messages came to be; unique within the notifier.
    pub sequence: u64,
    /// The notifier's name in the agent file.
    pub notifier: String,
    /// [`super::Message::key`].
    pub key: String,
    /// [`super::Message::thread`].
    pub thread: String,
    /// Since when it waits.
    pub since: Timestamp,
    /// How many attempts were begun.
    pub attempts: u32,
    /// When the newest attempt was begun.
    pub tried_at: Option<Timestamp>,
    /// How the newest attempt failed; absent while nobody knows, as after a crash.
    pub failure: Option<Failure>,
}

/// How an attempt failed, as far as it matters for the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// Whether another attempt can help.
    pub retry: Retry,
    /// How long the chat asked to wait, in milliseconds.
    #[serde(default, with = "optional_millis")]
    pub retry_after: Option<Duration>,
    /// Why.
    pub sentence: String,
}

/// Whether another attempt can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Retry {
    /// It can, with time or once a person has repaired the setup.
    Later,
    /// The message itself was refused.
    Never,
}

/// What to do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// To be sent now, in order. No two belong to the same thread of a notifier.
    pub send: Vec<Send>,
    /// Given up, each with a sentence that is to be recorded.
    pub given_up: Vec<GivenUp>,
    /// When to ask again at the latest, if anything waits; not before something is due then.
    pub next: Option<Timestamp>,
}

/// One message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// The notifier.
    pub notifier: String,
    /// The message.
    pub key: String,
    /// Whether it may have arrived already.
    pub attempt: Attempt,
}

/// Whether a message was tried before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was not: [`super::Notifier::deliver`].
    First,
    /// It was, and may have arrived: [`super::Notifier::deliver_again`].
    Again,
}

/// A message that is not tried any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The notifier.
    pub notifier: String,
    /// The message.
    pub key: String,
    /// Why.
    pub sentence: String,
}

// === impl Failure ===

impl Failure {
    /// What to keep of an error.
    pub fn of(error: &NotifyError, at: Timestamp) -> Self {
        let retry_after = match error {
            NotifyError::RateLimited { retry_after } => *retry_after,
            _ => None,
        };
        let retry = if error.remedy() == Remedy::Nothing { Retry::Never } else { Retry::Later };
        Self { at, retry, retry_after, sentence: error.to_string() }
    }
}

// === impl Pending ===

impl Pending {
    /// Why it is given up, if it is.
    fn given_up(&self, now: Timestamp) -> Option<String> {
        let last = self.failure.as_ref().map_or("no attempt came to an end", |failure| failure.sentence.as_str());
        let refused = self.failure.as_ref().is_some_and(|failure| failure.retry == Retry::Never);
        if refused {
            return Some(format!("`{}` refused the message: {last}", self.notifier));
        }
        (now.since(self.since) >= PATIENCE).then(|| {
            let attempts = if self.attempts == 1 { "one attempt".to_owned() } else { format!("{} attempts", self.attempts) };
            format!("`{}` did not take the message within {} and {attempts}: {last}", self.notifier, spoken(PATIENCE))
        })
    }

    /// When it may be tried by its own count.
    fn due_at(&self) -> Timestamp {
        match (self.tried_at, self.attempts) {
            (None, _) | (_, 0) => self.since,
            (Some(tried_at), attempts) => {
                let doubled = FIRST_WAIT.saturating_mul(1 << (attempts - 1).min(10));
                self.failure.as_ref().map_or(tried_at, |failure| failure.at) + doubled.min(LONGEST_WAIT)
            }
        }
    }

    /// Until when its notifier asked for silence.
    fn silent_until(&self) -> Option<Timestamp> {
        let failure = self.failure.as_ref()?;
        Some(failure.at + failure.retry_after?)
    }
}

/// What to do with these messages now. Messages that are being sent at this moment are left out of `pending` together with what follows
/// them in their thread, or are not asked for until they have ended.
pub fn due(pending: &[Pending], now: Timestamp) -> Due {
    let mut ordered: Vec<&Pending> = pending.iter().collect();
    ordered.sort_by_key(|message| (message.sequence, &message.notifier));
    let mut due = Due::default();
    let mut waiting = Vec::new();
    let mut silent: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for message in ordered {
        if let Some(until) = message.silent_until() {
            let known = silent.entry(&message.notifier).or_insert(until);
            *known = until.max(*known);
        }
        match message.given_up(now) {
            Some(sentence) => due.given_up.push(GivenUp { notifier: message.notifier.clone(), key: message.key.clone(), sentence }),
            None => waiting.push(message),
        }
    }
    let mut threads = BTreeSet::new();
    for message in waiting {
        if !threads.insert((&message.notifier, &message.thread)) {
            continue;
        }
        let at = silent.get(message.notifier.as_str()).map_or(message.due_at(), |until| message.due_at().max(*until));
        if at <= now {
            let attempt = if message.attempts == 0 { Attempt::First } else { Attempt::Again };
            due.send.push(Send { notifier: message.notifier.clone(), key: message.key.clone(), attempt });
        } else {
            // It may be given up before it is due.
            let event = at.min(message.since + PATIENCE);
            due.next = Some(due.next.map_or(event, |next| next.min(event)));
        }
    }
    due
}

/// Serde for an optional duration as whole milliseconds.
mod optional_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Millis(#[serde(with = "super::millis")] Duration);

    #[expect(clippy::ref_option, reason = "serde gives it so")]
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(Millis).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Millis>::deserialize(deserializer)?.map(|millis| millis.0))
    }
}

#[cfg(test)]
mod tests;
