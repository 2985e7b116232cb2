//! Discord, through a webhook of a channel (<https://docs.discord.com/developers/resources/webhook>).
//!
//! A webhook cannot reply, so each message is one of its own, and the first one of a thread is edited to show where the story stands. An
//! edit tells nobody, which is why it is not all. A webhook's address may name a thread of the channel (`?thread_id=…`).

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::card::Card;
use super::text::{address, command, fitted, harmless, lines, markdown, units};
use super::transport::Destination;
use super::{Delivered, Message, Notifier, NotifyError, Opening, Thread, Transport};
use crate::engine::time::Timestamp;
use crate::net::client::{Answer, Method};
use crate::net::secret::Secret;

/// The most characters of a message.
const LONGEST_CONTENT: usize = 2000;

/// The most characters of a title or a link's text, escaped.
const LONGEST_TITLE: usize = 256;

/// No preview of what is linked.
const SUPPRESS_EMBEDS: u32 = 1 << 2;

/// The webhook of a channel.
#[derive(Debug)]
pub struct Discord {
    transport: Transport,
    url_file: PathBuf,
}

#[derive(Deserialize)]
struct Posted {
    id: String,
}

// === impl Discord ===

impl Discord {
    /// The webhook whose address is the first line of a file, read for each message.
    pub fn new(transport: Transport, url_file: PathBuf) -> Self {
        Self { transport, url_file }
    }

    fn send(&self, method: Method, url: String, card: &Card<'_>, now: Timestamp) -> Result<Answer, NotifyError> {
        let to = Destination::Webhook(Secret::new(url));
        let answer = self.transport.json(method, &to, &body(card), now)?;
        if answer.status == 200 { Ok(answer) } else { Err(to.refusal("Discord", &answer)) }
    }
}

impl Notifier for Discord {
    fn deliver(&self, message: &Message, thread: Option<&Thread>, now: Timestamp) -> Result<Delivered, NotifyError> {
        let url = Transport::secret(&self.url_file)?;
        let (base, query) = url.expose().split_once('?').unwrap_or((url.expose(), ""));
        let base = base.trim_end_matches('/');
        let continued = match thread {
            Some(Thread::Discord { message: id, opening }) => Some((id, opening)),
            Some(Thread::Slack { .. } | Thread::PagerDuty { .. }) | None => None,
        };
        if let Some((id, opening)) = continued {
            let first = joined(&format!("{base}/messages/{id}"), &[query]);
            match self.send(Method::Patch, first, &Card::edited(message, opening), now) {
                // A person deleted it. Where it is the webhook that is gone, posting says so.
                Err(error) if !error.is_refusal(&["404"]) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        // Without `wait` the answer comes before the message is stored, and does not name it.
        let answer = self.send(Method::Post, joined(base, &[query, "wait=true"]), &Card::first(message), now)?;
        if let Some((id, opening)) = continued {
            return Ok(Delivered { thread: Some(Thread::Discord { message: id.clone(), opening: opening.clone() }) });
        }
        let posted: Posted = serde_json::from_slice(&answer.body)
            .map_err(|_| NotifyError::Answer { detail: "Discord took the message and did not say which it is".to_owned() })?;
        if posted.id.is_empty() || !posted.id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotifyError::Answer { detail: "Discord named the message by what is no id".to_owned() });
        }
        Ok(Delivered { thread: Some(Thread::Discord { message: posted.id, opening: Opening::of(message) }) })
    }
}

fn joined(base: &str, queries: &[&str]) -> String {
    let query = queries.iter().filter(|query| !query.is_empty()).copied().collect::<Vec<_>>().join("&");
    if query.is_empty() { base.to_owned() } else { format!("{base}?{query}") }
}

fn body(card: &Card<'_>) -> Value {
    json!({"content": content(card), "allowed_mentions": {"parse": []}, "flags": SUPPRESS_EMBEDS})
}

/// The message in Markdown. What must be whole has its room first; the lines get the rest.
fn content(card: &Card<'_>) -> String {
    let short = |text: &str| fitted(&harmless(text), markdown, LONGEST_TITLE);
    let head = [Some(format!("**{}**", short(card.title))), card.status.as_deref().map(|status| format!("*{}*", short(status)))];
    let command = card.command.map(command).filter(|typed| !typed.is_empty()).map(|typed| format!("```\n{typed}\n```"));
    let link = card.link.and_then(|link| Some(format!("[{}](<{}>)", short(&link.text), address(link)?)));
    let tail = [command, link];
    let taken: usize = head.iter().chain(&tail).flatten().map(|part| units(part) + 1).sum();
    let middle = lines(card.lines, markdown, LONGEST_CONTENT.saturating_sub(taken));
    head.into_iter().flatten().chain(middle).chain(tail.into_iter().flatten()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
