//! Mattermost, through an incoming webhook (<https://developers.mattermost.com/integrate/webhooks/incoming/>). It posts; it can neither
//! edit nor reply.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::card::Card;
use super::text::{address, command, fitted, harmless, lines, markdown};
use super::transport::Destination;
use super::{Delivered, Message, Notifier, NotifyError, Thread, Transport};
use crate::engine::channel::Channel;
use crate::engine::time::Timestamp;
use crate::net::client::Method;

/// The most characters of all lines. Old servers split a message at 4,000 characters.
const LONGEST_LINES: usize = 3000;

/// The most characters of a title or a link's text.
const LONGEST_TITLE: usize = 300;

/// An incoming webhook.
#[derive(Debug)]
pub struct Mattermost {
    transport: Transport,
    url_file: PathBuf,
    channel: Option<Channel>,
}

// === impl Mattermost ===

impl Mattermost {
    /// The webhook whose address is the first line of a file, read for each message. It posts to its own channel, or to `channel` where
    /// it is not locked to one.
    pub fn new(transport: Transport, url_file: PathBuf, channel: Option<Channel>) -> Self {
        Self { transport, url_file, channel }
    }

    fn body(&self, message: &Message) -> Result<Value, NotifyError> {
        let mut body = json!({"text": text(&Card::first(message))});
        if let Some(channel) = &self.channel {
            let name = channel
                .resolve(&message.labels)
                .map_err(|error| NotifyError::Refused { code: "channel".to_owned(), sentence: error.to_string() })?;
            body["channel"] = json!(name);
        }
        Ok(body)
    }
}

impl Notifier for Mattermost {
    fn deliver(&self, message: &Message, _thread: Option<&Thread>, now: Timestamp) -> Result<Delivered, NotifyError> {
        let to = Destination::Webhook(Transport::secret(&self.url_file)?);
        let answer = self.transport.json(Method::Post, &to, &self.body(message)?, now)?;
        match answer.status {
            200 => Ok(Delivered { thread: None }),
            _ => Err(to.refusal("Mattermost", &answer)),
        }
    }
}

/// The message in Markdown. Each line is a paragraph, because one that follows another could change what that means.
fn text(card: &Card<'_>) -> String {
    let short = |text: &str| fitted(&harmless(text), markdown, LONGEST_TITLE);
    let title = format!("**{}**", short(card.title));
    let command = card.command.map(command).filter(|typed| !typed.is_empty()).map(|typed| format!("```\n{typed}\n```"));
    let link = card.link.and_then(|link| Some(format!("[{}]({})", short(&link.text), address(link)?)));
    let middle = lines(card.lines, markdown, LONGEST_LINES);
    [title].into_iter().chain(middle).chain(command).chain(link).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests;
