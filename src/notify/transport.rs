//! One request to a chat and its answer, with the rules that are the same for all: time limit, retry-after, and no secret in an error.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;
use tokio::runtime::Handle;

use super::NotifyError;
use super::text::{fitted, literal, plain};
use crate::engine::time::Timestamp;
use crate::net::address::AddressRules;
use crate::net::client::{Answer, Client, ClientError, Method, NoAnswer, Request};
use crate::net::redact::Redactor;
use crate::net::secret::{Secret, read_secret_file};

/// The time that one request to a chat has, with its answer.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The most characters of a chat's own words in an error.
const LONGEST_DETAIL: usize = 160;

/// The longest wait that is believed. A chat that asks for more is asked again after this.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A part of a webhook's address shorter than this is an ordinary word, as `services`, and taken out of no text.
const SHORTEST_SECRET_PART: usize = 16;

/// Sends requests from threads that may block. Cloning it is cheap; all notifiers share one.
#[derive(Clone, Debug)]
pub struct Transport {
    client: Client,
    runtime: Handle,
    limit: Duration,
}

/// Where a request goes and what it proves itself with.
pub(super) enum Destination {
    /// An address that is a secret.
    Webhook(Secret),
    /// An open address with a bearer token.
    Api {
        /// The address.
        url: String,
        /// The token.
        token: Secret,
    },
    /// An open address; what proves the sender is in the body.
    Open {
        /// The address.
        url: String,
        /// What no error may show.
        secret: Secret,
    },
}

// === impl Transport ===

impl Transport {
    /// A transport whose requests run on this runtime, under the address rules for the operator's own hosts.
    ///
    /// # Errors
    /// The TLS library cannot be set up.
    pub fn new(runtime: Handle) -> Result<Self, ClientError> {
        Ok(Self { client: Client::new(AddressRules::for_operator())?, runtime, limit: REQUEST_LIMIT })
    }

    /// The same under the address rules for what a policy names.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn for_policies(runtime: Handle, allow: Vec<IpNet>) -> Result<Self, ClientError> {
        Ok(Self { client: Client::new(AddressRules::for_policies(allow))?, runtime, limit: REQUEST_LIMIT })
    }

    /// The same with another limit for a whole answer.
    #[must_use]
    pub(super) fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The secret in a file.
    pub(super) fn secret(path: &Path) -> Result<Secret, NotifyError> {
        Ok(read_secret_file(path)?)
    }

    /// Sends JSON. `now` is for a `retry-after` that is a date.
    pub(super) fn json(&self, method: Method, to: &Destination, body: &Value, now: Timestamp) -> Result<Answer, NotifyError> {
        self.bytes(method, to, body.to_string().into_bytes(), Vec::new(), now)
    }

    /// Sends JSON as exactly these bytes, with headers.
    pub(super) fn bytes(
        &self,
        method: Method,
        to: &Destination,
        body: Vec<u8>,
        headers: Vec<(&'static str, Secret)>,
        now: Timestamp,
    ) -> Result<Answer, NotifyError> {
        let request = match to {
            Destination::Webhook(url) => Request::with_json_to_secret(method, url.clone(), body, self.limit),
            Destination::Api { url, .. } | Destination::Open { url, .. } => Request::with_json(method, url, body, self.limit),
        };
        self.send(headers.into_iter().fold(request, |request, (name, value)| request.with_header(name, value)), to, now)
    }

    /// Sends a form, for APIs that read nothing else.
    pub(super) fn form(&self, to: &Destination, form: Vec<(&'static str, String)>, now: Timestamp) -> Result<Answer, NotifyError> {
        let url = match to {
            Destination::Webhook(url) => url.expose(),
            Destination::Api { url, .. } | Destination::Open { url, .. } => url,
        };
        self.send(Request::post_form(url, form, self.limit), to, now)
    }

    /// Waits on a channel and not on the runtime: blocking on a runtime panics where a task of it does so, and its end would be waited
    /// for for ever.
    fn send(&self, request: Request, to: &Destination, now: Timestamp) -> Result<Answer, NotifyError> {
        let request = match to {
            Destination::Api { token, .. } => request.with_header("authorization", Secret::new(format!("Bearer {}", token.expose()))),
            Destination::Webhook(_) | Destination::Open { .. } => request,
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let _ = sender.send(client.send(&request).await);
        });
        // The client's own limit ends it before; this is for a runtime that does not get to it.
        let answer = match receiver.recv_timeout(self.limit + Duration::from_secs(1)) {
            Ok(answer) => answer,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                sending.abort();
                Err(NoAnswer::TimedOut { after: self.limit })
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(NoAnswer::Broken { detail: "the agent is stopping".to_owned() }),
        };
        match answer {
            Ok(answer) if answer.status == 429 => Err(NotifyError::RateLimited { retry_after: retry_after(&answer, now) }),
            Ok(answer) => Ok(answer),
            Err(NoAnswer::TimedOut { after }) => Err(NotifyError::TimedOut { after }),
            Err(NoAnswer::Refused { detail }) => {
                Err(NotifyError::Refused { code: "address".to_owned(), sentence: to.without_secrets(&detail) })
            }
            Err(other) => Err(NotifyError::Unreachable { detail: to.without_secrets(&other.to_string()) }),
        }
    }
}

// === impl Destination ===

impl Destination {
    /// A chat's own words as a short line without the secrets of the request: a server may quote what it was sent.
    pub fn without_secrets(&self, text: &str) -> String {
        let secrets = match self {
            Self::Webhook(url) => parts(url),
            Self::Api { token: secret, .. } | Self::Open { secret, .. } => vec![secret.clone()],
        };
        fitted(&plain(&Redactor::new(secrets).redact(text)), literal, LONGEST_DETAIL)
    }

    /// What an answer other than success means. `chat` begins the sentence.
    pub fn refusal(&self, chat: &str, answer: &Answer) -> NotifyError {
        let status = answer.status;
        let said = self.without_secrets(&words(&answer.body));
        let sentence = if said.is_empty() { format!("{chat} answered {status}") } else { format!("{chat} answered {status}: {said}") };
        match status {
            408 | 500..=599 => NotifyError::Answer { detail: sentence },
            _ => NotifyError::Refused { code: status.to_string(), sentence },
        }
    }
}

/// What a body says to people: the `message` and `errors` of an object, as most APIs write them, else all of it.
fn words(body: &[u8]) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return String::from_utf8_lossy(body).into_owned();
    };
    let errors = fields.get("errors").and_then(Value::as_array).into_iter().flatten();
    let said: Vec<&str> = fields.get("message").into_iter().chain(errors).filter_map(Value::as_str).collect();
    if said.is_empty() { String::from_utf8_lossy(body).into_owned() } else { said.join(": ") }
}

/// The address, and each part of it that may be quoted alone.
fn parts(url: &Secret) -> Vec<Secret> {
    let text = url.expose();
    let path = text.split_once("://").and_then(|(_, rest)| rest.find('/').map(|start| &rest[start..]));
    let pieces = path.into_iter().flat_map(|path| path.split(['/', '?', '&', '=']).chain([path]));
    pieces.filter(|piece| piece.len() >= SHORTEST_SECRET_PART).chain([text]).map(Secret::new).collect()
}

/// The wait that a `retry-after` asks for: seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => Timestamp::from_secs(chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp()).since(now),
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::client::BodyLength;

    fn answer(status: u16, retry_after: &str, body: &str) -> Answer {
        let headers = vec![("retry-after".to_owned(), retry_after.to_owned())];
        Answer { status, headers, body: body.into(), length: BodyLength::Whole }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = Timestamp::from_secs(1_795_230_245);
        for (text, wait) in [
            ("30", Some(30_000)),
            ("0.5", Some(500)),
            ("Sat, 21 Nov 2026 03:05:05 GMT", Some(60_000)),
            ("Sat, 21 Nov 2026 03:00:00 GMT", Some(0)),
            ("999999999", Some(3_600_000)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(&answer(429, text, ""), now), wait.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn what_a_server_quotes_of_the_address_is_taken_out() {
        let url = "https://hooks.example/services/T000/B000/canary7f3acanary7f3a?sig=canary9c1dcanary9c1d";
        let to = Destination::Webhook(Secret::new(url));
        for quoted in
            [url, "/services/T000/B000/canary7f3acanary7f3a?sig=canary9c1dcanary9c1d", "canary7f3acanary7f3a", "canary9c1dcanary9c1d"]
        {
            let error = to.refusal("Slack", &answer(404, "", &format!("no service {quoted}\r\n")));
            assert_eq!(error, NotifyError::Refused { code: "404".into(), sentence: "Slack answered 404: no service [redacted]".into() });
        }
        assert_eq!(to.refusal("Slack", &answer(503, "", "")), NotifyError::Answer { detail: "Slack answered 503".into() });
    }
}
