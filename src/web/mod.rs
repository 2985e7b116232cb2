//! `/healthz`, `/readyz` and `/metrics` on the listen address. Reads only: nothing that is asked here has an effect.

mod metrics;
mod status;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::engine::time::{Timestamp, spoken};

pub use self::metrics::{Delivery, Metrics, Standing};
pub use self::status::{AgentStatus, Change};

/// The loop is taken for dead when the last pass that succeeded is older.
const PASS_LIMIT: Duration = Duration::from_secs(300);
/// The agent is not ready when it is older than this: passes follow each other within a second or two, and a slow remote delays them.
const READY_LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Shared {
    status: AgentStatus,
    metrics: Metrics,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Serves until the future is dropped.
///
/// # Errors
/// The listener failed.
pub fn serve(
    listener: TcpListener,
    status: AgentStatus,
    metrics: Metrics,
    now: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> impl Future<Output = std::io::Result<()>> {
    let shared = Shared { status, metrics, now: Arc::new(now) };
    let router =
        Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(exposition)).with_state(shared);
    async move { axum::serve(listener, router).await }
}

/// 200 as long as the loop turns.
async fn healthz(State(shared): State<Shared>) -> (StatusCode, String) {
    health(&shared.status, (shared.now)())
}

/// 200 once every repository was read and as long as passes succeed.
async fn readyz(State(shared): State<Shared>) -> (StatusCode, String) {
    readiness(&shared.status, (shared.now)())
}

fn health(status: &AgentStatus, now: Timestamp) -> (StatusCode, String) {
    let Some(last) = status.last_pass() else { return unavailable("no pass has ended yet") };
    let age = now.since(last);
    let sentence = age_sentence(age, PASS_LIMIT);
    if age <= PASS_LIMIT { (StatusCode::OK, format!("{sentence}\n")) } else { unavailable(&sentence) }
}

fn readiness(status: &AgentStatus, now: Timestamp) -> (StatusCode, String) {
    let Some(last) = status.last_pass() else { return unavailable("no pass has ended yet") };
    let age = now.since(last);
    let late = (age > READY_LIMIT).then(|| age_sentence(age, READY_LIMIT));
    let problems: Vec<String> = status.problems().into_iter().chain(late).collect();
    if problems.is_empty() { (StatusCode::OK, "ready\n".to_owned()) } else { unavailable(&problems.join("\n")) }
}

fn age_sentence(age: Duration, limit: Duration) -> String {
    format!("the last pass that succeeded ended {} ago (limit {})", spoken(age), spoken(limit))
}

fn unavailable(sentence: &str) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{sentence}\n"))
}

async fn exposition(State(shared): State<Shared>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], shared.metrics.encode()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::RepositoryName;

    const AT: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn nothing_is_well_before_the_first_pass() {
        let status = AgentStatus::default();
        assert_eq!(health(&status, AT).0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(readiness(&status, AT).1, "no pass has ended yet\n");
    }

    #[test]
    fn a_loop_that_stands_still_is_not_ready_and_then_dead() {
        let status = AgentStatus::default();
        status.pass_ended(AT);
        for (seconds, ready, alive) in [(1, true, true), (60, true, true), (61, false, true), (300, false, true), (301, false, false)] {
            let now = AT + Duration::from_secs(seconds);
            assert_eq!(readiness(&status, now).0.is_success(), ready, "{seconds}");
            assert_eq!(health(&status, now).0.is_success(), alive, "{seconds}");
        }
        let late = readiness(&status, AT + Duration::from_secs(90)).1;
        assert_eq!(late, "the last pass that succeeded ended 1m 30s ago (limit 1m)\n");
    }

    #[test]
    fn what_keeps_it_from_being_ready_is_said_until_it_is_over() {
        let (status, manifests) = (AgentStatus::default(), RepositoryName::new("manifests"));
        status.pass_ended(AT);
        assert_eq!(status.poll_failed(&manifests, "no route"), Change::New);
        assert_eq!(status.poll_failed(&manifests, "no route"), Change::Known);
        status.pass_failed("disk full");
        let (code, said) = readiness(&status, AT);
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(said, "the last pass failed: disk full\nthe repository `manifests` cannot be read: no route\n");
        assert_eq!(health(&status, AT).0, StatusCode::OK);
        status.poll_succeeded(&manifests);
        status.pass_ended(AT);
        assert_eq!(readiness(&status, AT), (StatusCode::OK, "ready\n".to_owned()));
    }
}
