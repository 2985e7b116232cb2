//! Says what happened where people read it: one [`Notifier`] per chat or pager.
//!
//! Its boundary: it gets a [`Message`], a plain value, and puts it into the form of its chat. It knows neither incidents nor proposals,
//! keeps nothing between two messages that matters (what continues a thread is a value that the agent stores), and decides nothing about
//! when to try again: that is [`outbox`], which does no I/O.
//!
//! * **A chat that is down never delays a revert.** Calls block, so they are made from a thread of their own; each request has ten
//!   seconds, and no call waits longer for the runtime either.
//! * **At least once.** A retry whose earlier answer was lost goes through [`Notifier::deliver_again`], which looks first where the chat
//!   can be asked: Slack by the key in the message's metadata; PagerDuty deduplicates by itself. Mattermost, Discord, Teams and incoming
//!   webhooks of Slack cannot tell, so a lost answer may say a thing twice there. The generic webhook sends the key, for its receiver
//!   to deduplicate.
//! * **Text is untrusted.** Commit subjects and names may hold mentions, links and markup of any chat (catalogue of failures N1).
//!   `text` takes the effect out of all of them; only [`Link`] makes a link.
//! * **Tokens and webhook addresses are secrets**, read from their files for each message, and shown by no error.

pub mod ask;
mod card;
pub mod discord;
mod error;
pub mod mattermost;
mod message;
pub mod outbox;
pub mod pagerduty;
pub mod slack;
pub mod teams;
mod text;
mod transport;
pub mod webhook;

pub use crate::engine::channel;
pub use crate::engine::message::{Link, Message, MessageEvent};
pub use error::{NotifyError, Remedy};
pub use message::{Delivered, Opening, Thread};
pub use transport::{REQUEST_LIMIT, Transport};

use crate::engine::time::Timestamp;

/// Whether a message has arrived already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It has; this is what its delivery would have returned.
    Delivered(Delivered),
    /// It has not.
    Absent,
    /// This chat cannot be asked.
    CannotTell,
}

/// Brings messages to one place. Calls block for as long as their requests take (at most ten seconds each), so they are made from a
/// thread that may block and never from a task of the runtime.
pub trait Notifier: Send + Sync {
    /// Delivers a message that was not tried before. `thread` is what the newest delivery of the same [`Message::thread`] returned here;
    /// `now` dates the message where its chat has a field for that.
    ///
    /// # Errors
    /// It was not delivered, or nobody can say whether it was.
    fn deliver(&self, message: &Message, thread: Option<&Thread>, now: Timestamp) -> Result<Delivered, NotifyError>;

    /// Looks for a message with this key.
    ///
    /// # Errors
    /// The chat can be asked in principle, and did not answer now.
    fn find(&self, _message: &Message, _thread: Option<&Thread>, _now: Timestamp) -> Result<Found, NotifyError> {
        Ok(Found::CannotTell)
    }

    /// Delivers a message of which an earlier attempt may have arrived: looks first where the chat can be asked.
    ///
    /// # Errors
    /// As [`Self::deliver`] and [`Self::find`].
    fn deliver_again(&self, message: &Message, thread: Option<&Thread>, now: Timestamp) -> Result<Delivered, NotifyError> {
        match self.find(message, thread, now)? {
            Found::Delivered(delivered) => Ok(delivered),
            Found::Absent | Found::CannotTell => self.deliver(message, thread, now),
        }
    }
}

#[cfg(test)]
mod server_for_tests;
