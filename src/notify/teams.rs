//! Microsoft Teams, through a workflow's webhook that posts an Adaptive Card (version 1.4, <https://adaptivecards.io/explorer/>).
//!
//! Text goes into text runs: they are literal, where text blocks read Markdown. A mention would need entities that are never sent.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::card::Card;
use super::text::{address, command, fitted, harmless, lines, literal};
use super::transport::Destination;
use super::{Delivered, Message, Notifier, NotifyError, Thread, Transport};
use crate::engine::time::Timestamp;
use crate::net::client::Method;

/// The most characters of all lines. A whole message may have 28 KB.
const LONGEST_LINES: usize = 4000;

/// The most characters of a title or a button's text.
const LONGEST_TITLE: usize = 300;

/// A workflow's webhook.
#[derive(Debug)]
pub struct Teams {
    transport: Transport,
    url_file: PathBuf,
}

// === impl Teams ===

impl Teams {
    /// The webhook whose address is the first line of a file, read for each message.
    pub fn new(transport: Transport, url_file: PathBuf) -> Self {
        Self { transport, url_file }
    }
}

impl Notifier for Teams {
    fn deliver(&self, message: &Message, _thread: Option<&Thread>, now: Timestamp) -> Result<Delivered, NotifyError> {
        let to = Destination::Webhook(Transport::secret(&self.url_file)?);
        let answer = self.transport.json(Method::Post, &to, &envelope(&Card::first(message)), now)?;
        match answer.status {
            // A workflow takes the message with 202 and runs afterwards.
            200 | 202 => Ok(Delivered { thread: None }),
            _ => Err(to.refusal("the Teams workflow", &answer)),
        }
    }
}

fn envelope(card: &Card<'_>) -> Value {
    let block = |run: Value| json!({"type": "RichTextBlock", "inlines": [run]});
    let title = fitted(&harmless(card.title), literal, LONGEST_TITLE);
    let mut body = vec![block(json!({"type": "TextRun", "text": title, "weight": "Bolder", "size": "Medium"}))];
    for line in lines(card.lines, literal, LONGEST_LINES).into_iter().filter(|line| !line.is_empty()) {
        body.push(block(json!({"type": "TextRun", "text": line})));
    }
    if let Some(typed) = card.command.map(command).filter(|typed| !typed.is_empty()) {
        body.push(block(json!({"type": "TextRun", "text": typed, "fontType": "Monospace"})));
    }
    let actions: Vec<Value> = card
        .link
        .and_then(|link| {
            Some(json!({"type": "Action.OpenUrl", "title": fitted(&harmless(&link.text), literal, LONGEST_TITLE), "url": address(link)?}))
        })
        .into_iter()
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "body": body,
                "actions": actions,
            },
        }],
    })
}

#[cfg(test)]
mod tests;
