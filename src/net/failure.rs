//! Why there is no complete answer, in a few words for people.
//!
//! The HTTP library's own text names the phase and the address and hides the cause, so the chain of sources is walked here. The
//! words never hold the URL: it may carry credentials.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::address::AddressRefused;
use crate::engine::time::spoken;

/// The most characters that a detail of foreign text has.
const LONGEST_DETAIL: usize = 160;

/// Why there is no complete answer. The text is a few words: `connection refused`, `timed out after 2s`, `DNS: …`, `TLS: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The request was not sent: its address may not be asked, or it is no request that can be sent.
    #[error("{detail}")]
    Refused {
        /// Why.
        detail: String,
    },
    /// The answer was not complete in time.
    #[error("timed out after {}", spoken(*after))]
    TimedOut {
        /// The time that it had.
        after: Duration,
    },
    /// The name was not resolved.
    #[error("DNS: {detail}")]
    Dns {
        /// What the resolver said.
        detail: String,
    },
    /// There was no connection.
    #[error("{detail}")]
    Connect {
        /// What happened.
        detail: String,
    },
    /// There was a connection, but none that can be trusted.
    #[error("TLS: {detail}")]
    Tls {
        /// What is wrong with it.
        detail: String,
    },
    /// An answer began, or should have, and did not end as HTTP.
    #[error("{detail}")]
    Broken {
        /// What happened.
        detail: String,
    },
}

/// Whether the request was to be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Plain,
    Encrypted,
}

impl NoAnswer {
    /// What an error of the HTTP library means. `connect_limit` is the time that a connection had.
    pub(super) fn from_library(error: &reqwest::Error, scheme: Scheme, connect_limit: Duration) -> Self {
        let causes: Vec<&(dyn Error + 'static)> = std::iter::successors(error.source(), |&cause| cause.source()).collect();
        if let Some(refused) = causes.iter().find_map(|cause| cause.downcast_ref::<AddressRefused>()) {
            return Self::Refused { detail: refused.to_string() };
        }
        let root = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
        if error.is_builder() {
            return Self::Refused { detail: format!("the request cannot be sent: {}", tidy(&root)) };
        }
        let known = causes.iter().rev().filter_map(|cause| cause.downcast_ref::<io::Error>()).find_map(|io| words_of(io.kind()));
        if error.is_dns() {
            let detail = root.strip_prefix("failed to lookup address information: ").unwrap_or(&root);
            return Self::Dns { detail: tidy(detail) };
        }
        if error.is_timeout() && known.is_none() {
            return Self::Connect { detail: format!("no connection within {}", spoken(connect_limit)) };
        }
        match known {
            Some(words) if error.is_connect() => Self::Connect { detail: words.to_owned() },
            Some(words) => Self::Broken { detail: words.to_owned() },
            None if error.is_connect() && scheme == Scheme::Encrypted => Self::Tls { detail: tidy(&root) },
            None if error.is_connect() => Self::Connect { detail: tidy(&root) },
            None => Self::Broken { detail: tidy(&root) },
        }
    }
}

/// Common kinds in the words that people search for, without the error number.
fn words_of(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "connection reset",
        io::ErrorKind::ConnectionAborted => "connection aborted",
        io::ErrorKind::BrokenPipe => "connection closed while the request was sent",
        io::ErrorKind::HostUnreachable => "no route to host",
        io::ErrorKind::NetworkUnreachable => "network unreachable",
        io::ErrorKind::NetworkDown => "network down",
        io::ErrorKind::AddrNotAvailable => "no local address left to connect from",
        io::ErrorKind::TimedOut => "connection timed out",
        _ => return None,
    })
}

/// Foreign text on one line, without control characters, and short.
pub(super) fn tidy(text: &str) -> String {
    let clean: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match clean.char_indices().nth(LONGEST_DETAIL) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_one_short_line() {
        assert_eq!(tidy("a\n\u{1b}[31mb\t c "), "a [31mb c");
        assert_eq!(tidy(&"é".repeat(500)).chars().count(), LONGEST_DETAIL + 1);
    }
}
