//! What Slack answered, and what its error codes mean for the person who set it up. Pure.

use serde::Deserialize;

use super::METADATA_TYPE;
use crate::net::client::Answer;
use crate::notify::NotifyError;
use crate::notify::transport::Destination;

/// The fields that are used of the answers of all methods.
#[derive(Debug, Default, Deserialize)]
pub struct Reply {
    ok: bool,
    error: Option<String>,
    needed: Option<String>,
    /// The id of the channel.
    #[serde(default, deserialize_with = "text_only")]
    pub channel: Option<String>,
    /// The time that names the message.
    pub ts: Option<String>,
    /// Of a history.
    #[serde(default)]
    pub messages: Vec<Posted>,
    /// Of a list.
    #[serde(default)]
    pub channels: Vec<Listed>,
    #[serde(default)]
    response_metadata: ResponseMetadata,
}

/// A message of a history.
#[derive(Debug, Deserialize)]
pub struct Posted {
    /// The time that names it.
    #[serde(default)]
    pub ts: String,
    metadata: Option<Metadata>,
}

/// A channel of a list.
#[derive(Debug, Deserialize)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its name without `#`.
    #[serde(default)]
    pub name: String,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    event_payload: serde_json::Value,
}

#[derive(Debug, Default, Deserialize)]
struct ResponseMetadata {
    #[serde(default)]
    next_cursor: String,
}

// === impl Reply ===

impl Reply {
    /// Where the next page begins; empty after the last.
    pub fn next_cursor(&self) -> String {
        self.response_metadata.next_cursor.clone()
    }
}

// === impl Posted ===

impl Posted {
    /// The key that revertd gave it.
    pub fn key(&self) -> Option<&str> {
        let metadata = self.metadata.as_ref().filter(|metadata| metadata.event_type == METADATA_TYPE)?;
        metadata.event_payload.get("key")?.as_str()
    }
}

/// Reads the answer of a method of the API.
///
/// # Errors
/// Slack refused, failed, or answered something else than its API describes.
pub fn read(answer: &Answer, to: &Destination) -> Result<Reply, NotifyError> {
    if answer.status != 200 {
        return Err(to.refusal("Slack", answer));
    }
    let reply: Reply = serde_json::from_slice(&answer.body).map_err(|error| NotifyError::Answer {
        detail: format!("Slack's answer is not readable: {}", to.without_secrets(&error.to_string())),
    })?;
    if reply.ok {
        return Ok(reply);
    }
    let code = reply.error.as_deref().map_or_else(|| "no error code".to_owned(), |code| to.without_secrets(code));
    Err(refused(code, reply.needed.map(|needed| to.without_secrets(&needed))))
}

/// Reads the answer of an incoming webhook: `ok`, or a code as text.
///
/// # Errors
/// As [`read`].
pub fn read_webhook(answer: &Answer, to: &Destination) -> Result<(), NotifyError> {
    let said = to.without_secrets(&String::from_utf8_lossy(&answer.body));
    match answer.status {
        200 if said == "ok" => Ok(()),
        200 => Err(NotifyError::Answer { detail: format!("the webhook answered {said:?} instead of ok") }),
        500..=599 => Err(to.refusal("Slack", answer)),
        _ if !said.is_empty() && said.chars().all(|character| character.is_ascii_lowercase() || character == '_') => {
            Err(refused(said, None))
        }
        _ => Err(to.refusal("Slack", answer)),
    }
}

fn refused(code: String, needed: Option<String>) -> NotifyError {
    let sentence = match code.as_str() {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => return NotifyError::RateLimited { retry_after: None },
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" | "team_added_to_org" => {
            return NotifyError::Answer { detail: format!("Slack failed: {code}") };
        }
        "not_authed" | "invalid_auth" | "token_revoked" | "token_expired" | "account_inactive" => {
            "Slack does not accept the token; put a new bot token (xoxb-…) into its file"
        }
        "missing_scope" => "the app lacks a permission; add it and install the app again",
        "channel_not_found" => "there is no such channel, or it is private and the app is not in it; invite the app",
        "not_in_channel" => "the app is not in the channel; invite it there, or give it chat:write.public",
        "is_archived" | "channel_is_archived" => "the channel is archived",
        "no_service" | "invalid_token" | "action_prohibited" | "team_disabled" => {
            "the webhook was removed or may not post any more; make a new one"
        }
        "restricted_action" | "restricted_action_read_only_channel" => "the workspace does not let the app post in this channel",
        _ => "Slack refused",
    };
    let needed = needed.map(|scopes| format!(", needed: {scopes}")).unwrap_or_default();
    NotifyError::Refused { sentence: format!("{sentence} ({code}{needed})"), code }
}

/// `channel` is an id in most answers and an object in some.
fn text_only<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(serde_json::Value::deserialize(deserializer)?.as_str().map(str::to_owned))
}
