//! PagerDuty, through its Events API v2 (<https://developer.pagerduty.com/docs/events-api-v2-overview>).
//!
//! A story is one alert, found by its deduplication key, which PagerDuty keeps: sending an event twice does nothing new. It is triggered
//! when somebody has something to do, acknowledged when somebody did, and resolved when the service is well. What was merged is a change
//! event, which wakes nobody; that API does not deduplicate, so a lost answer may list a change twice. PagerDuty does not notify again of an
//! alert that is open, so a proposal that nobody answered is a second alert; what quiets the first one quiets both.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::card::Card;
use super::text::{address, command, fitted, lines, literal, plain};
use super::transport::Destination;
use super::{Delivered, Message, MessageEvent, Notifier, NotifyError, Thread, Transport};
use crate::engine::id::sha256_hex;
use crate::engine::time::Timestamp;
use crate::net::client::Method;

/// PagerDuty's own address. Accounts in the European region have `https://events.eu.pagerduty.com`.
pub const PAGERDUTY_EVENTS: &str = "https://events.pagerduty.com";

/// The most characters of a summary.
const LONGEST_SUMMARY: usize = 1024;

/// The most characters of a deduplication key.
const LONGEST_KEY: usize = 255;

/// The most characters of all lines. An event may have 512 KB.
const LONGEST_LINES: usize = 8000;

/// An integration of a service at PagerDuty.
#[derive(Debug)]
pub struct PagerDuty {
    transport: Transport,
    api: String,
    routing_key_file: PathBuf,
}

/// What to tell PagerDuty.
enum Action {
    Trigger { severity: &'static str },
    Acknowledge,
    Resolve,
    Change,
}

// === impl PagerDuty ===

impl PagerDuty {
    /// The integration at `api` ([`PAGERDUTY_EVENTS`]) whose key is the first line of a file, read for each message.
    pub fn new(transport: Transport, api: &str, routing_key_file: PathBuf) -> Self {
        Self { transport, api: api.trim_end_matches('/').to_owned(), routing_key_file }
    }

    fn send(&self, path: &str, mut body: Value, now: Timestamp) -> Result<(), NotifyError> {
        let secret = Transport::secret(&self.routing_key_file)?;
        body["routing_key"] = json!(secret.expose());
        let to = Destination::Open { url: format!("{}{path}", self.api), secret };
        let answer = self.transport.json(Method::Post, &to, &body, now)?;
        match answer.status {
            202 => Ok(()),
            _ => Err(to.refusal("PagerDuty", &answer)),
        }
    }
}

impl Notifier for PagerDuty {
    fn deliver(&self, message: &Message, thread: Option<&Thread>, now: Timestamp) -> Result<Delivered, NotifyError> {
        let (path, body) = event(message, now);
        self.send(path, body.clone(), now)?;
        if let (Action::Acknowledge | Action::Resolve, Some(Thread::PagerDuty { escalated })) = (action(message.event), thread) {
            self.send(path, json!({"event_action": body["event_action"], "dedup_key": escalated}), now)?;
        }
        let is_escalated = message.event == MessageEvent::Escalated;
        Ok(Delivered { thread: is_escalated.then(|| Thread::PagerDuty { escalated: dedup_key(message) }) })
    }
}

fn action(event: MessageEvent) -> Action {
    match event {
        MessageEvent::Proposed | MessageEvent::Waiting | MessageEvent::OutOfStep => Action::Trigger { severity: "warning" },
        MessageEvent::Refused => Action::Trigger { severity: "error" },
        MessageEvent::NotRecovered | MessageEvent::AgentImpaired | MessageEvent::Escalated => Action::Trigger { severity: "critical" },
        MessageEvent::Approved => Action::Acknowledge,
        MessageEvent::Recovered | MessageEvent::Closed => Action::Resolve,
        MessageEvent::Merged => Action::Change,
    }
}

/// The alert of a story; what is escalated is another one.
fn dedup_key(message: &Message) -> String {
    let thread = match message.event {
        MessageEvent::Escalated => format!("{}/escalated", message.thread),
        _ => message.thread.clone(),
    };
    if thread.chars().count() > LONGEST_KEY { sha256_hex(thread.as_bytes()) } else { thread }
}

/// The path and the body without the routing key.
fn event(message: &Message, now: Timestamp) -> (&'static str, Value) {
    let key = dedup_key(message);
    let card = Card::first(message);
    let summary = fitted(&plain(card.title), literal, LONGEST_SUMMARY);
    let source = message.service.as_ref().map_or("revertd", |service| service.as_str());
    let links: Vec<Value> =
        card.link.and_then(|link| Some(json!({"href": address(link)?, "text": plain(&link.text)}))).into_iter().collect();
    let details = json!({
        "event": message.event.words(),
        "details": lines(card.lines, literal, LONGEST_LINES),
        "command": card.command.map(command),
    });
    let body = match action(message.event) {
        Action::Trigger { severity } => json!({
            "event_action": "trigger",
            "dedup_key": key,
            "client": "revertd",
            "payload": {
                "summary": summary,
                "source": source,
                "severity": severity,
                "timestamp": now.to_string(),
                "component": source,
                "custom_details": details,
            },
            "links": links,
        }),
        Action::Acknowledge => json!({"event_action": "acknowledge", "dedup_key": key}),
        Action::Resolve => json!({"event_action": "resolve", "dedup_key": key}),
        Action::Change => json!({
            "payload": {"summary": summary, "source": source, "timestamp": now.to_string(), "custom_details": details},
            "links": links,
        }),
    };
    (if matches!(action(message.event), Action::Change) { "/v2/change/enqueue" } else { "/v2/enqueue" }, body)
}

#[cfg(test)]
mod tests;
