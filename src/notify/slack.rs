//! Slack, as an app with a bot token ([`Slack`]) or through an incoming webhook ([`SlackWebhook`]).
//!
//! With a token a thread is one message, the card, whose edits show where the story stands, and the story as its replies; the last one
//! is shown in the channel too. The card is edited before the reply is posted: an edit can be made twice, so that only the reply's own
//! answer can be lost.
//!
//! Slack documents no key by which it would drop a second post, so each message carries its key in its metadata, and a retry searches
//! for it: in the thread, or in the channel's last day. That takes `channels:history` and, for a channel that is given by name,
//! `channels:read` (`groups:…` for private ones) beside `chat:write`. An app without them may say a thing twice after a lost answer.
//!
//! Errors come with status 200 and `ok: false` (<https://docs.slack.dev/apis/web-api/>).

mod answer;
mod blocks;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use self::answer::{Reply, read, read_webhook};
use self::blocks::{blocks, fallback};
use super::card::Card;
use super::transport::Destination;
use super::{Delivered, Found, Message, Notifier, NotifyError, Opening, Thread, Transport};
use crate::engine::channel::Channel;
use crate::engine::time::Timestamp;
use crate::net::client::Method;

/// Slack's own address. GovSlack has another.
pub const SLACK_API: &str = "https://slack.com/api";

/// What names our metadata among that of other apps.
const METADATA_TYPE: &str = "revertd_message";

/// How far back a retry searches a channel: as long as a message is retried ([`super::outbox::PATIENCE`]), and an hour for the clocks.
const SEARCHED: Duration = Duration::from_secs(25 * 3600);

/// The most pages of 200 messages, or of 1000 channels, that a search reads.
const MOST_PAGES: usize = 20;

/// The thread's first message is gone, or cannot be replied to.
const THREAD_IS_GONE: [&str; 4] = ["thread_not_found", "message_not_found", "invalid_thread_ts", "cannot_reply_to_message"];

/// The card can stay as it is: a person deleted it, or another app or the workspace's rules keep it from being edited.
const CARD_STAYS: [&str; 4] = ["message_not_found", "cant_update_message", "edit_window_closed", "update_failed"];

/// The app may not read what a search needs.
const CANNOT_SEARCH: [&str; 4] = ["missing_scope", "not_allowed_token_type", "no_permission", "access_denied"];

/// An app with a bot token.
#[derive(Debug)]
pub struct Slack {
    transport: Transport,
    api: String,
    token_file: PathBuf,
    channel: Channel,
    /// Ids of channels that were given by name, learnt from answers. Only saves requests.
    ids: Mutex<BTreeMap<String, String>>,
}

/// An incoming webhook: it posts, and can neither edit nor reply.
#[derive(Debug)]
pub struct SlackWebhook {
    transport: Transport,
    url_file: PathBuf,
}

// === impl Slack ===

impl Slack {
    /// An app at `api` ([`SLACK_API`]) whose bot token is the first line of a file, read for each message.
    pub fn new(transport: Transport, api: &str, token_file: PathBuf, channel: Channel) -> Self {
        Self { transport, api: api.trim_end_matches('/').to_owned(), token_file, channel, ids: Mutex::default() }
    }

    fn method(&self, name: &str) -> Result<Destination, NotifyError> {
        Ok(Destination::Api { url: format!("{}/{name}", self.api), token: Transport::secret(&self.token_file)? })
    }

    fn write(&self, method: &str, body: &Value, now: Timestamp) -> Result<Reply, NotifyError> {
        let to = self.method(method)?;
        read(&self.transport.json(Method::Post, &to, body, now)?, &to)
    }

    /// Methods that read take no JSON.
    fn ask(&self, method: &str, form: Vec<(&'static str, String)>, now: Timestamp) -> Result<Reply, NotifyError> {
        let to = self.method(method)?;
        read(&self.transport.form(&to, form, now)?, &to)
    }

    /// The channel as `chat.postMessage` takes it: an id, or a name with `#`.
    fn channel(&self, message: &Message) -> Result<String, NotifyError> {
        let name = self
            .channel
            .resolve(&message.labels)
            .map_err(|error| NotifyError::Refused { code: "channel".to_owned(), sentence: error.to_string() })?;
        Ok(if is_id(&name) { name } else { format!("#{name}") })
    }

    /// Posts the first message of a thread.
    fn open(&self, message: &Message, now: Timestamp) -> Result<Delivered, NotifyError> {
        let channel = self.channel(message)?;
        let opening = Opening::of(message);
        let mut body = content(&Card::first(message), &opening.key);
        body["channel"] = json!(channel);
        let reply = match self.write("chat.postMessage", &body, now) {
            Err(error) if error.is_refusal(&["channel_not_found"]) => {
                // `#name` is documented for public channels only; an id is good for all.
                let Ok(Some(id)) = self.id(&channel, now) else { return Err(error) };
                body["channel"] = json!(id);
                self.write("chat.postMessage", &body, now)?
            }
            other => other?,
        };
        let (Some(id), Some(ts)) = (reply.channel, reply.ts) else {
            return Err(NotifyError::Answer { detail: "Slack took the message and did not say where it stands".to_owned() });
        };
        self.learn(&channel, &id);
        Ok(Delivered { thread: Some(Thread::Slack { channel: id, ts, opening }) })
    }

    /// Edits the card and replies to it.
    fn go_on(&self, message: &Message, channel: &str, ts: &str, opening: &Opening, now: Timestamp) -> Result<Delivered, NotifyError> {
        let mut card = content(&Card::edited(message, opening), &opening.key);
        card["channel"] = json!(channel);
        card["ts"] = json!(ts);
        match self.write("chat.update", &card, now) {
            Err(error) if !error.is_refusal(&CARD_STAYS) => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let mut reply = content(&Card::first(message), &message.key);
        reply["channel"] = json!(channel);
        reply["thread_ts"] = json!(ts);
        if message.event.is_for_everybody() {
            reply["reply_broadcast"] = json!(true);
        }
        match self.write("chat.postMessage", &reply, now) {
            Ok(_) => Ok(delivered(channel, ts, opening.clone())),
            Err(error) if error.is_refusal(&THREAD_IS_GONE) => self.open(message, now),
            Err(error) => Err(error),
        }
    }

    fn learn(&self, name: &str, id: &str) {
        if !is_id(name) {
            self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), id.to_owned());
        }
    }

    /// The id of a channel, which is what can be searched.
    fn id(&self, channel: &str, now: Timestamp) -> Result<Option<String>, NotifyError> {
        if is_id(channel) {
            return Ok(Some(channel.to_owned()));
        }
        if let Some(id) = self.ids.lock().unwrap_or_else(PoisonError::into_inner).get(channel) {
            return Ok(Some(id.clone()));
        }
        // Apart, because an app may be allowed to list the public ones only.
        for types in ["public_channel", "private_channel"] {
            let form = vec![("types", types.to_owned()), ("exclude_archived", "true".to_owned()), ("limit", "1000".to_owned())];
            let id = self.search("conversations.list", &form, now, |reply| {
                reply.channels.iter().find(|found| channel.strip_prefix('#') == Some(found.name.as_str())).map(|found| found.id.clone())
            })?;
            if let Some(id) = id {
                self.learn(channel, &id);
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Reads pages until something is found in one. A search that was not finished finds nothing.
    fn search<T>(
        &self,
        method: &str,
        form: &[(&'static str, String)],
        now: Timestamp,
        find: impl Fn(&Reply) -> Option<T>,
    ) -> Result<Option<T>, NotifyError> {
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let mut form = form.to_vec();
            if !cursor.is_empty() {
                form.push(("cursor", cursor));
            }
            let reply = self.ask(method, form, now)?;
            if let Some(found) = find(&reply) {
                return Ok(Some(found));
            }
            cursor = reply.next_cursor();
            if cursor.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    fn look(&self, message: &Message, thread: Option<&Thread>, now: Timestamp) -> Result<Found, NotifyError> {
        let with_key = |reply: &Reply| reply.messages.iter().find(|found| found.key() == Some(&message.key)).map(|found| found.ts.clone());
        let page = |channel: &str| vec![("channel", channel.to_owned()), ("include_all_metadata", "true".into()), ("limit", "200".into())];
        if let Some(Thread::Slack { channel, ts, opening }) = thread {
            let form = [page(channel), vec![("ts", ts.clone())]].concat();
            match self.search("conversations.replies", &form, now, with_key) {
                Ok(Some(_)) => return Ok(Found::Delivered(delivered(channel, ts, opening.clone()))),
                Ok(None) => return Ok(Found::Absent),
                // The earlier attempt found the thread gone too, and began another.
                Err(error) if error.is_refusal(&THREAD_IS_GONE) => {}
                Err(error) => return Err(error),
            }
        }
        let Some(channel) = self.id(&self.channel(message)?, now)? else {
            return Ok(Found::CannotTell);
        };
        let form = [page(&channel), vec![("oldest", (now - SEARCHED).secs().to_string())]].concat();
        Ok(match self.search("conversations.history", &form, now, with_key)? {
            Some(ts) => Found::Delivered(delivered(&channel, &ts, Opening::of(message))),
            None => Found::Absent,
        })
    }
}

impl Notifier for Slack {
    fn deliver(&self, message: &Message, thread: Option<&Thread>, now: Timestamp) -> Result<Delivered, NotifyError> {
        match thread {
            Some(Thread::Slack { channel, ts, opening }) => self.go_on(message, channel, ts, opening, now),
            Some(Thread::Discord { .. } | Thread::PagerDuty { .. }) | None => self.open(message, now),
        }
    }

    fn find(&self, message: &Message, thread: Option<&Thread>, now: Timestamp) -> Result<Found, NotifyError> {
        match self.look(message, thread, now) {
            Err(error) if error.is_refusal(&CANNOT_SEARCH) => Ok(Found::CannotTell),
            other => other,
        }
    }
}

// === impl SlackWebhook ===

impl SlackWebhook {
    /// The webhook whose address is the first line of a file, read for each message.
    pub fn new(transport: Transport, url_file: PathBuf) -> Self {
        Self { transport, url_file }
    }
}

impl Notifier for SlackWebhook {
    fn deliver(&self, message: &Message, _thread: Option<&Thread>, now: Timestamp) -> Result<Delivered, NotifyError> {
        let to = Destination::Webhook(Transport::secret(&self.url_file)?);
        let card = Card::first(message);
        let body = json!({"text": fallback(&card), "blocks": blocks(&card), "unfurl_links": false, "unfurl_media": false});
        read_webhook(&self.transport.json(Method::Post, &to, &body, now)?, &to)?;
        Ok(Delivered { thread: None })
    }
}

/// What posts and edits have in common. `parse` is set because an edit without it would look for links in the text.
fn content(card: &Card<'_>, key: &str) -> Value {
    json!({
        "text": fallback(card),
        "blocks": blocks(card),
        "metadata": {"event_type": METADATA_TYPE, "event_payload": {"key": key}},
        "parse": "none",
        "link_names": false,
        "mrkdwn": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn delivered(channel: &str, ts: &str, opening: Opening) -> Delivered {
    Delivered { thread: Some(Thread::Slack { channel: channel.to_owned(), ts: ts.to_owned(), opening }) }
}

/// Whether a channel is given by its id, such as `C024BE91L`. Names have no upper case letters.
fn is_id(channel: &str) -> bool {
    channel.len() >= 8 && channel.starts_with(['C', 'G', 'D']) && channel.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests;
