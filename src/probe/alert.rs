//! The `alert` indicator: asks an Alertmanager, or a Prometheus or Mimir, which alerts are active (design §6; catalogue of failures E9, E15).
//!
//! Each round asks anew, so that what a notification said is never evidence: an alert that has been resolved meanwhile is gone. An
//! Alertmanager is asked for `GET /api/v2/alerts` and knows silences and inhibitions; a Prometheus for `GET /api/v1/alerts` and, because no
//! alert is only good news where the rule exists and is evaluated, `GET /api/v1/rules`. For Mimir the address ends with its prefix
//! (`/prometheus`). Whatever is not a complete answer is unknown. What an answer means is [`crate::engine::alert_source`]'s to say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Probe, RoundFuture};
use crate::engine::alert_source::{ActiveAlert, AlertReport, AlertSelector, AlertState, RuleKnowledge, outcome};
use crate::engine::round::{Outcome, Round, Unknown};
use crate::engine::time::Timestamp;
use crate::net::client::{BodyLength, Client, NoAnswer, Request};
use crate::net::redact::Redactor;
use crate::net::secret::{Secret, read_secret_file};

/// How much of an answer is read, in bytes (catalogue of failures N5).
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// How many characters of an answer that says no are repeated.
const SHOWN: usize = 200;

/// The time of a resolved or unset moment in Go's JSON.
const GO_ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// What kind of server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertApi {
    /// An Alertmanager. The alert, where one is named, must fire always: its absence says that alerts do not reach this server.
    Alertmanager {
        /// The alert that always fires.
        watchdog: Option<AlertSelector>,
    },
    /// A Prometheus, or a ruler with its HTTP API.
    Prometheus,
}

/// A server that is asked for alerts.
#[derive(Clone, Debug)]
pub struct AlertServer {
    /// Its base address, without `/api/…`.
    pub url: String,
    /// What it is.
    pub api: AlertApi,
    /// Headers of every request. Their values are shown nowhere.
    pub headers: Vec<(String, Secret)>,
    /// The file that holds a bearer token; it is read at each request.
    pub bearer_token_file: Option<PathBuf>,
}

/// Asks one server for one alert.
#[derive(Clone, Debug)]
pub struct AlertProbe {
    client: Client,
    server: AlertServer,
    selector: AlertSelector,
    max_staleness: Duration,
    timeout: Duration,
}

#[derive(Deserialize)]
struct ManagerAlert {
    labels: BTreeMap<String, String>,
    status: ManagerStatus,
    #[serde(rename = "startsAt")]
    starts_at: Option<String>,
    #[serde(rename = "endsAt")]
    ends_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManagerStatus {
    state: String,
    #[serde(default)]
    silenced_by: Vec<String>,
    #[serde(default)]
    inhibited_by: Vec<String>,
    #[serde(default)]
    muted_by: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct RulerAlerts {
    alerts: Vec<RulerAlert>,
}

#[derive(Deserialize)]
struct RulerAlert {
    labels: BTreeMap<String, String>,
    state: String,
    #[serde(rename = "activeAt")]
    active_at: Option<String>,
}

#[derive(Deserialize)]
struct RulerGroups {
    groups: Vec<RulerGroup>,
}

#[derive(Deserialize)]
struct RulerGroup {
    rules: Vec<RulerRule>,
}

#[derive(Deserialize)]
struct RulerRule {
    name: String,
    #[serde(default)]
    health: String,
    #[serde(rename = "lastEvaluation")]
    last_evaluation: Option<String>,
    #[serde(rename = "lastError")]
    last_error: Option<String>,
}

impl AlertProbe {
    /// A probe of the alerts that `selector` means, through `client`, which holds the address rules. A rule that was evaluated longer ago than
    /// `max_staleness` says nothing; `timeout` is for each whole answer.
    pub fn new(client: Client, server: AlertServer, selector: AlertSelector, max_staleness: Duration, timeout: Duration) -> Self {
        Self { client, server, selector, max_staleness, timeout }
    }

    async fn measure(&self, start: Timestamp) -> Round {
        let begun = Instant::now();
        let report = self.report().await;
        let end = start + begun.elapsed();
        let outcome = match report {
            Ok(report) => outcome(&self.selector, &report, end, self.max_staleness),
            Err(unknown) => Outcome::Unknown(unknown),
        };
        Round { start, end, outcome }
    }

    async fn report(&self) -> Result<AlertReport, Unknown> {
        match &self.server.api {
            AlertApi::Alertmanager { watchdog } => {
                let alerts = self.manager_alerts(&self.selector.name).await?;
                let rule = match watchdog {
                    None => RuleKnowledge::NotKept,
                    Some(watchdog) => {
                        let present = self.manager_alerts(&watchdog.name).await?;
                        if present.iter().any(|alert| watchdog.selects(&alert.labels)) {
                            RuleKnowledge::WatchdogFires
                        } else {
                            RuleKnowledge::WatchdogAbsent(watchdog.clone())
                        }
                    }
                };
                Ok(AlertReport { alerts, rule })
            }
            AlertApi::Prometheus => {
                let rule = self.rule().await?;
                let answer: RulerAlerts = self.ruler("/api/v1/alerts").await?;
                let alerts = answer.alerts.into_iter().map(ruler_alert).collect();
                Ok(AlertReport { alerts, rule })
            }
        }
    }

    async fn manager_alerts(&self, name: &str) -> Result<Vec<ActiveAlert>, Unknown> {
        let matcher = format!("alertname=\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        let path = format!("/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true&filter={}", percent_encoded(&matcher));
        let alerts: Vec<ManagerAlert> = self.ask(&path).await?;
        Ok(alerts.into_iter().map(manager_alert).collect())
    }

    /// What is known of the rule; of several with the name, the worst.
    async fn rule(&self) -> Result<RuleKnowledge, Unknown> {
        let path = format!("/api/v1/rules?type=alert&rule_name[]={}", percent_encoded(&self.selector.name));
        let answer: RulerGroups = self.ruler(&path).await?;
        // Older servers do not know `rule_name[]` and answer with every rule.
        let rules: Vec<RulerRule> =
            answer.groups.into_iter().flat_map(|group| group.rules).filter(|rule| rule.name == self.selector.name).collect();
        if let Some(failing) = rules.iter().find(|rule| rule.health != "ok") {
            let detail = failing.last_error.as_deref().filter(|error| !error.is_empty()).unwrap_or("it was not evaluated yet");
            return Ok(RuleKnowledge::Failing(self.shown(detail)));
        }
        let evaluations: Option<Vec<Timestamp>> = rules.iter().map(|rule| time(rule.last_evaluation.as_deref())).collect();
        Ok(match evaluations {
            None => RuleKnowledge::Failing("it was not evaluated yet".to_owned()),
            Some(times) => times.into_iter().min().map_or(RuleKnowledge::Missing, RuleKnowledge::Evaluated),
        })
    }

    async fn ruler<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Unknown> {
        let envelope: Envelope<T> = self.ask(path).await?;
        match envelope.data {
            Some(data) if envelope.status == "success" => Ok(data),
            _ => Err(Unknown::ServerError { detail: self.shown(&envelope.error.unwrap_or(envelope.status)) }),
        }
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Unknown> {
        let failed = |detail: String| Unknown::ServerError { detail };
        let url = format!("{}{path}", self.server.url.trim_end_matches('/'));
        let mut request = Request::get(url, self.timeout).with_body_limit(ANSWER_LIMIT);
        for (name, value) in &self.server.headers {
            request = request.with_header(name, value.clone());
        }
        if let Some(path) = &self.server.bearer_token_file {
            let token = read_secret_file(path).map_err(|error| failed(error.to_string()))?;
            request = request.with_header("authorization", Secret::new(format!("Bearer {}", token.expose())));
        }
        let answer = self.client.send(&request).await.map_err(|error| match error {
            NoAnswer::Refused { detail } => Unknown::Refused { detail },
            error => failed(error.to_string()),
        })?;
        if answer.length == BodyLength::Cut {
            return Err(failed("the answer is longer than 8 MiB".to_owned()));
        }
        if answer.status != 200 {
            return Err(failed(format!("{}: {}", answer.status, self.shown(&String::from_utf8_lossy(&answer.body)))));
        }
        serde_json::from_slice(&answer.body).map_err(|error| failed(format!("unreadable answer: {}", self.shown(&error.to_string()))))
    }

    /// What a server said, on one line, short and without a secret that it may have quoted.
    fn shown(&self, text: &str) -> String {
        let token = self.server.bearer_token_file.as_ref().and_then(|path| read_secret_file(path).ok());
        let secrets = self.server.headers.iter().map(|(_, value)| value.clone()).chain(token);
        let text = Redactor::new(secrets).redact(text);
        let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().filter(|char| !char.is_control()).take(SHOWN).collect()
    }
}

impl Probe for AlertProbe {
    /// One round. A server keeps no history of its alerts, so there is no backfill.
    fn round(&self, at: Timestamp) -> RoundFuture<'_> {
        Box::pin(self.measure(at))
    }
}

fn manager_alert(alert: ManagerAlert) -> ActiveAlert {
    let by = |what: &str, ids: &[String]| format!("{what} by {}", ids.iter().take(3).cloned().collect::<Vec<_>>().join(", "));
    let status = &alert.status;
    let state = if !status.silenced_by.is_empty() {
        AlertState::Suppressed(by("silenced", &status.silenced_by))
    } else if !status.inhibited_by.is_empty() {
        AlertState::Suppressed(by("inhibited", &status.inhibited_by))
    } else if !status.muted_by.is_empty() {
        AlertState::Suppressed(by("muted", &status.muted_by))
    } else if status.state == "active" {
        AlertState::Firing
    } else {
        // `unprocessed`: whether a silence covers it, the server has not looked yet.
        AlertState::Suppressed(status.state.chars().filter(|char| char.is_ascii_lowercase()).take(20).collect())
    };
    ActiveAlert { since: time(alert.starts_at.as_deref()), until: time(alert.ends_at.as_deref()), labels: alert.labels, state }
}

fn ruler_alert(alert: RulerAlert) -> ActiveAlert {
    let state = if alert.state == "firing" {
        AlertState::Firing
    } else {
        AlertState::Suppressed(alert.state.chars().filter(|char| char.is_ascii_lowercase()).take(20).collect())
    };
    ActiveAlert { since: time(alert.active_at.as_deref()), until: None, labels: alert.labels, state }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    let text = text.filter(|text| *text != GO_ZERO_TIME)?;
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| Timestamp(time.timestamp_millis()))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
