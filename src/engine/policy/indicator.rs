//! How the health of a service is measured: the kinds of indicators, each with what it asks and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::WorkloadIndicator;
use crate::engine::alert_source::AlertSelector;
use crate::engine::id::MetricsName;
use crate::engine::time::millis;

/// How health is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Indicator {
    /// An HTTP request.
    Http(HttpIndicator),
    /// A Prometheus query.
    Prometheus(PrometheusIndicator),
    /// Whether an alert fires.
    Alert(AlertIndicator),
    /// Whether a workload of a cluster is ready.
    Workload(WorkloadIndicator),
}

impl Indicator {
    /// The same without telling versions apart, for what has no history of each.
    #[must_use]
    pub fn of_all_versions(self) -> Self {
        match self {
            Self::Prometheus(prometheus) => Self::Prometheus(PrometheusIndicator { version_label: None, ..prometheus }),
            other => other,
        }
    }
}

/// Whether an alert of a monitoring system fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertIndicator {
    /// Which server.
    pub server: MetricsName,
    /// Time from the start of one round to the start of the next.
    #[serde(with = "millis")]
    pub every: Duration,
    /// Which alerts.
    pub selector: AlertSelector,
    /// A rule that was last evaluated longer ago says nothing.
    #[serde(with = "millis")]
    pub max_staleness: Duration,
}

/// What the answers of one round of an alert may take together: at most two are asked for.
pub const ALERT_ANSWERS: Duration = Duration::from_secs(20);

/// An HTTP request per round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpIndicator {
    /// `http://` or `https://`, without credentials.
    pub url: String,
    /// Time from the start of one round to the start of the next.
    #[serde(with = "millis")]
    pub every: Duration,
    /// Limit for the whole answer.
    #[serde(with = "millis")]
    pub timeout: Duration,
    /// Status codes of a good answer.
    pub expect_status: Vec<u16>,
    /// What no complete answer means.
    pub unreachable: Unreachable,
}

/// What no complete answer of an `http` indicator means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unreachable {
    /// Not measured.
    Unknown,
    /// Bad, if every control answered in the same round; else not measured.
    Bad,
}

/// A Prometheus query per round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusIndicator {
    /// Which server.
    pub server: MetricsName,
    /// Time from the end of one round to the end of the next; `$window` in queries.
    #[serde(with = "millis")]
    pub every: Duration,
    /// What is asked.
    pub query: PrometheusQuery,
    /// The selector whose newest sample says how fresh the data is.
    pub freshness: Option<String>,
    /// Older samples are no data.
    #[serde(with = "millis")]
    pub max_staleness: Duration,
    /// The selector whose highest sample is 0 where the server scrapes none of the service's targets (`up{…}`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<String>,
    /// The label that tells the versions of the service apart; `$version` in queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_label: Option<String>,
}

/// What a Prometheus indicator asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PrometheusQuery {
    /// One value, judged by `max` and `min`.
    Value(String),
    /// Two counts over `$window`.
    Ratio {
        /// Good events.
        good: String,
        /// All events.
        total: String,
    },
}
