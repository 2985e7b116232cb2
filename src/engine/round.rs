//! One probe result. A probe never returns an error: what could not be measured is a round too, and it is `Unknown` (promise P2).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::time::Timestamp;

/// A decimal number that is written as a string in JSON, so that facts and situations hold integers and strings only.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Decimal(pub f64);

/// One probe result with its start and end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// For `http`, when the request was sent; for a metrics round, the start of the window that it covers.
    pub start: Timestamp,
    /// For `http`, when the answer was complete or given up; for a metrics round, the end of the window that it covers.
    pub end: Timestamp,
    /// What was found.
    pub outcome: Outcome,
}

/// What a round says that is bad because nothing is measured and the targets are down; rounds are kept as they are said.
const TARGETS_DOWN: &str = "no data, and its targets are down";

/// What a round found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// A complete answer that is as expected; the text says what it was (`200`).
    Good(String),
    /// A complete answer that is not as expected; the text says what it was (`503`).
    Bad(String),
    /// Events over one `every`. `good` may exceed `total` by extrapolation; it is capped when summed.
    Counts {
        /// Good events.
        good: Decimal,
        /// All events.
        total: Decimal,
    },
    /// A measured value, in the query's own unit.
    Value(Decimal),
    /// Not measured.
    Unknown(Unknown),
}

/// Why a round is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "camelCase")]
pub enum Unknown {
    /// No complete answer: refused, reset, timed out, DNS, TLS.
    Unreachable {
        /// What happened, for people.
        detail: String,
    },
    /// The metrics server did not answer, answered with an error, or only in part. Such a round may be asked again.
    ServerError {
        /// What happened, for people.
        detail: String,
    },
    /// The query returned nothing.
    NoData,
    /// The newest sample is older than `maxStaleness`.
    Stale {
        /// Its age when the round ended, in milliseconds.
        #[serde(with = "super::time::millis")]
        age: Duration,
    },
    /// Not a number, infinite, negative where a count is meant, or more than one series.
    NotANumber {
        /// What was returned.
        detail: String,
    },
    /// A cluster's API did not answer, or has no such workload.
    Cluster {
        /// What happened, for people.
        detail: String,
    },
    /// The address is one that may not be probed.
    Refused {
        /// Why.
        detail: String,
    },
    /// An alert that does not count now: silenced, inhibited, muted or pending, or from a server that alerts do not reach. Or a workload
    /// whose status is about something else: an earlier version of it, or no pods at all.
    Undecided {
        /// Which, and why.
        detail: String,
    },
}

// === impl Decimal ===

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Self(number)),
            _ => Err(serde::de::Error::custom(format!("`{text}` is no finite decimal number"))),
        }
    }
}

// === impl Round, Outcome, Unknown ===

impl Round {
    /// Whether anything was measured.
    pub fn is_known(&self) -> bool {
        !matches!(self.outcome, Outcome::Unknown(_))
    }
}

impl Outcome {
    /// No data, while the metrics server says that it reaches none of the service's targets: known, and not good (`EvidenceLost`).
    pub fn targets_down() -> Self {
        Self::Bad(TARGETS_DOWN.to_owned())
    }

    /// Whether it is that.
    pub fn is_targets_down(&self) -> bool {
        matches!(self, Self::Bad(text) if text == TARGETS_DOWN)
    }

    /// A few words for a list of rounds: `503`, `17 of 1200 failed`, `0.42`, `unknown: no data`.
    pub fn words(&self) -> String {
        match self {
            Self::Good(text) | Self::Bad(text) => text.clone(),
            Self::Counts { good, total } => format!("{} of {} failed", count(total.0 - good.0.min(total.0)), count(total.0)),
            Self::Value(value) => format!("{}", (value.0 * 1e6).round() / 1e6),
            Self::Unknown(unknown) => format!("unknown: {unknown}"),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { detail } => write!(f, "unreachable ({detail})"),
            Self::ServerError { detail } => write!(f, "metrics server ({detail})"),
            Self::NoData => f.write_str("no data"),
            Self::Stale { age } => write!(f, "newest sample is {} old", super::time::spoken(*age)),
            Self::NotANumber { detail } => write!(f, "not a number ({detail})"),
            Self::Cluster { detail } => write!(f, "cluster ({detail})"),
            Self::Refused { detail } => write!(f, "address refused ({detail})"),
            Self::Undecided { detail } => f.write_str(detail),
        }
    }
}

/// An event count for people: whole, because `increase` extrapolates and nobody counts 16.7 failures.
pub fn count(events: f64) -> String {
    format!("{}", events.round())
}
