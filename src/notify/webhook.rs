//! Any receiver: a POST of JSON, signed.
//!
//! ```text
//! POST <url>
//! content-type: application/json; charset=utf-8
//! x-revertd-timestamp: 1795230245
//! x-revertd-signature-256: sha256=<HMAC-SHA256 in hexadecimal digits>
//! idempotency-key: <key>
//!
//! {"version": 1,
//!  "key": "…",              the same over all retries: what has this key was said before
//!  "time": "2026-11-21T03:04:05Z",
//!  "thread": "3f1c9a7b2d44", the proposal's key, or the incident's id
//!  "event": "proposed",     waiting, approved, merged, recovered, notRecovered, refused, outOfStep, agentImpaired
//!  "service": "checkout",   null where it is about the agent
//!  "labels": {"team": "shop"},
//!  "title": "…",
//!  "lines": ["…"],
//!  "link": {"text": "…", "url": "…"},  or null
//!  "command": "/revertd approve 1a2b3c4d"}  or null
//! ```
//!
//! What is signed is the timestamp, a full stop, and the body as it was sent: `1795230245.{"command":…}`. A receiver compares in constant
//! time and refuses a timestamp that is more than five minutes off, or an old request could be sent again. Any answer from 200 to 299 is
//! success. New fields may come; `version` changes when one goes or means something else. Texts are untrusted, and here they are as they
//! came: no markup is taken out.

use std::path::PathBuf;

use hmac::{Hmac, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::transport::Destination;
use super::{Delivered, Message, Notifier, NotifyError, Thread, Transport};
use crate::engine::time::Timestamp;
use crate::net::client::Method;
use crate::net::secret::Secret;

/// A receiver of signed JSON.
#[derive(Debug)]
pub struct Webhook {
    transport: Transport,
    url_file: PathBuf,
    secret_file: PathBuf,
}

#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    time: String,
    #[serde(flatten)]
    message: &'a Message,
}

// === impl Webhook ===

impl Webhook {
    /// The receiver whose address is the first line of one file, and the secret to sign with that of another; both are read for each
    /// message.
    pub fn new(transport: Transport, url_file: PathBuf, secret_file: PathBuf) -> Self {
        Self { transport, url_file, secret_file }
    }
}

impl Notifier for Webhook {
    fn deliver(&self, message: &Message, _thread: Option<&Thread>, now: Timestamp) -> Result<Delivered, NotifyError> {
        let to = Destination::Webhook(Transport::secret(&self.url_file)?);
        let secret = Transport::secret(&self.secret_file)?;
        let body = serde_json::to_vec(&Body { version: 1, time: now.to_string(), message })
            .map_err(|error| NotifyError::Answer { detail: format!("the message cannot be written: {error}") })?;
        let timestamp = now.secs().to_string();
        let headers = vec![
            ("x-revertd-signature-256", Secret::new(format!("sha256={}", signature(&secret, &timestamp, &body)?))),
            ("x-revertd-timestamp", Secret::new(timestamp)),
            ("idempotency-key", Secret::new(message.key.clone())),
        ];
        let answer = self.transport.bytes(Method::Post, &to, body, headers, now)?;
        match answer.status {
            200..=299 => Ok(Delivered { thread: None }),
            _ => Err(to.refusal("the webhook", &answer)),
        }
    }
}

pub(super) fn signature(secret: &Secret, timestamp: &str, body: &[u8]) -> Result<String, NotifyError> {
    // HMAC takes keys of any length; the library says so by a result.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|error| NotifyError::Credentials { sentence: format!("the webhook's secret cannot sign: {error}") })?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    Ok(hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests;
