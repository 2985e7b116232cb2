//! Asks a Prometheus server (or one that speaks its HTTP API) for the value of an expression, at one time or at evenly spaced ones.
//!
//! Its boundary: it knows the API, not what a value means for a service; `probe/` judges. It lives here and not in `probe/` because
//! more than one port asks a metrics server.
//!
//! The server is the operator's, so private ranges in its address are open; metadata services stay refused and redirects are not
//! followed. Everything that is not a complete answer is an error: a partial one counts events that were not asked for.

mod decode;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use self::decode::{Decoded, decode, decode_ranges, decode_series};
use super::address::AddressRules;
use super::client::{BodyLength, Client, ClientError, NoAnswer, Request};
use super::failure::tidy;
use super::redact::Redactor;
use super::secret::{Secret, SecretFileError, read_secret_file};
use crate::engine::time::Timestamp;

/// How much of an answer is read, in bytes (catalogue of failures N5).
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// The most points of one range query. Prometheus refuses more than 11,000 per series.
const LONGEST_RANGE: usize = 5_000;

/// Asks one metrics server.
#[derive(Clone, Debug)]
pub struct PrometheusClient {
    client: Client,
    url: String,
    headers: Vec<(String, Secret)>,
    bearer_token_file: Option<PathBuf>,
    timeout: Duration,
}

/// What an expression evaluated to at one time.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluated {
    /// Nothing: no series.
    Nothing,
    /// One series or a scalar. May be NaN or infinite.
    Number(f64),
    /// An answer that is no one number, such as two series; the text says what.
    Unusable(String),
}

/// One series of an expression at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value. May be NaN or infinite.
    pub value: f64,
}

/// The values of an expression at evenly spaced times; a time at which it evaluated to nothing is absent.
pub type Evaluations = BTreeMap<Timestamp, Evaluated>;

/// When one series of an expression had a value.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledEvaluations {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The times at which it was there, of those that were asked for.
    pub times: Vec<Timestamp>,
}

/// Why there is no complete answer to a query.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No complete HTTP answer.
    #[error("{0}")]
    NoAnswer(#[from] NoAnswer),
    /// The bearer token cannot be read.
    #[error("{0}")]
    Token(#[from] SecretFileError),
    /// The server said no.
    #[error("{detail}")]
    Rejected {
        /// The status code and what the server said.
        detail: String,
    },
    /// The server answered from a part of its data, or warned about the answer.
    #[error("partial answer: {detail}")]
    Partial {
        /// What it warned of.
        detail: String,
    },
    /// The answer is not what the API describes.
    #[error("unreadable answer: {detail}")]
    Unreadable {
        /// What is wrong with it.
        detail: String,
    },
    /// The answer is longer than 8 MiB.
    #[error("the answer is longer than 8 MiB")]
    TooLong,
}

impl PrometheusClient {
    /// A client for the server at `url`, its address without `/api/v1`. `headers` go with every request; the bearer token is read
    /// from its file at each request, so that a rotated one is picked up. `rules` are [`AddressRules::for_operator`] unless a test
    /// narrows them. `timeout` is for one whole answer; the server is told it too.
    ///
    /// # Errors
    /// The TLS library cannot be set up.
    pub fn new(
        url: &str,
        headers: Vec<(String, String)>,
        bearer_token_file: Option<PathBuf>,
        rules: AddressRules,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let headers = headers.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        Ok(Self { client: Client::new(rules)?, url: url.trim_end_matches('/').to_owned(), headers, bearer_token_file, timeout })
    }

    /// What `query` evaluates to at `time`.
    ///
    /// # Errors
    /// There is no complete answer.
    pub async fn instant(&self, query: &str, time: Timestamp) -> Result<Evaluated, QueryError> {
        match self.ask("query", vec![("query", query.to_owned()), ("time", seconds(time.millis()))]).await? {
            Decoded::Instant(value) => Ok(value),
            Decoded::Range(_) => Ok(Evaluated::Unusable("a range vector".into())),
        }
    }

    /// What `query` evaluates to at `start` and every `step` after it, up to `end`. Long ranges are asked in parts. Each value is what
    /// [`Self::instant`] gives for the same time, unless the query refers to the range itself (`@ start()`, `@ end()`).
    ///
    /// # Errors
    /// There is no complete answer to one of the parts.
    pub async fn range(&self, query: &str, start: Timestamp, end: Timestamp, step: Duration) -> Result<Evaluations, QueryError> {
        let step_millis = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
        let part = step_millis.saturating_mul(LONGEST_RANGE as i64 - 1);
        let mut evaluations = Evaluations::new();
        let mut from = start.millis();
        while from <= end.millis() {
            let to = from.saturating_add(part).min(end.millis());
            let parameters =
                vec![("query", query.to_owned()), ("start", seconds(from)), ("end", seconds(to)), ("step", seconds(step_millis))];
            match self.ask("query_range", parameters).await? {
                Decoded::Range(part) => evaluations.extend(part),
                Decoded::Instant(_) => {
                    return Err(QueryError::Unreadable { detail: "a range query was not answered with a matrix".into() });
                }
            }
            from = to - (to - from) % step_millis + step_millis;
        }
        Ok(evaluations)
    }

    /// Every series that `query` evaluates to at `time`, with its labels.
    ///
    /// # Errors
    /// There is no complete answer, or it is no vector of numbers.
    pub async fn series(&self, query: &str, time: Timestamp) -> Result<Vec<Series>, QueryError> {
        self.fetch("query", vec![("query", query.to_owned()), ("time", seconds(time.millis()))], decode_series).await
    }

    /// Every series that `query` evaluates to between `start` and `end`, with its labels. At most 5,000 times are asked for.
    ///
    /// # Errors
    /// There is no complete answer, or it is no matrix.
    pub async fn range_by_labels(
        &self,
        query: &str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    ) -> Result<Vec<LabelledEvaluations>, QueryError> {
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
        // The newest, so that the last one is at the end.
        let steps = end.millis().saturating_sub(start.millis()).div_euclid(step).clamp(0, LONGEST_RANGE as i64 - 1);
        let start = end.millis().saturating_sub(steps.saturating_mul(step));
        let parameters =
            vec![("query", query.to_owned()), ("start", seconds(start)), ("end", seconds(end.millis())), ("step", seconds(step))];
        self.fetch("query_range", parameters, decode_ranges).await
    }

    async fn ask(&self, endpoint: &str, parameters: Vec<(&'static str, String)>) -> Result<Decoded, QueryError> {
        self.fetch(endpoint, parameters, decode).await
    }

    /// Sends the parameters as a form, which has no length limit as an address has.
    async fn fetch<T>(
        &self,
        endpoint: &str,
        mut parameters: Vec<(&'static str, String)>,
        read: impl FnOnce(u16, &[u8]) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        parameters.push(("timeout", seconds(i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX))));
        // Thanos and VictoriaMetrics answer in part unless told otherwise; Prometheus does not know these and ignores them.
        parameters.push(("partial_response", "false".into()));
        parameters.push(("deny_partial_response", "1".into()));
        let mut request =
            Request::post_form(format!("{}/api/v1/{endpoint}", self.url), parameters, self.timeout).with_body_limit(ANSWER_LIMIT);
        let mut secrets = Vec::new();
        for (name, value) in &self.headers {
            request = request.with_header(name, value.clone());
            secrets.push(value.clone());
        }
        if let Some(path) = &self.bearer_token_file {
            let token = read_secret_file(path)?;
            request = request.with_header("authorization", Secret::new(format!("Bearer {}", token.expose())));
            secrets.push(token);
        }
        let answer = self.client.send(&request).await?;
        if answer.length == BodyLength::Cut {
            return Err(QueryError::TooLong);
        }
        // A server or a proxy before it may quote the request in what it says.
        read(answer.status, &answer.body).map_err(|error| error.map_detail(|detail| tidy(&Redactor::new(secrets).redact(&detail))))
    }
}

impl QueryError {
    fn map_detail(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Rejected { detail } => Self::Rejected { detail: change(detail) },
            Self::Partial { detail } => Self::Partial { detail: change(detail) },
            Self::Unreadable { detail } => Self::Unreadable { detail: change(detail) },
            Self::NoAnswer(_) | Self::Token(_) | Self::TooLong => self,
        }
    }
}

/// Milliseconds as seconds with three decimals, which is as exact as the API is.
fn seconds(millis: i64) -> String {
    format!("{}{}.{:03}", if millis < 0 { "-" } else { "" }, millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000)
}

#[cfg(test)]
mod tests;
