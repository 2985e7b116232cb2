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

pub use self::metrics::{Metrics, Standing};
pub use self::status::{AgentStatus, Change};

/// The loop is taken for dead when its last pass is older.
const PASS_LIMIT: Duration = Duration::from_secs(300);

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
    match shared.status.last_pass() {
        None => (StatusCode::SERVICE_UNAVAILABLE, "no pass has ended yet\n".to_owned()),
        Some(last) => {
            let age = (shared.now)().since(last);
            let code = if age <= PASS_LIMIT { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (code, format!("the last pass ended {} ago (limit {})\n", spoken(age), spoken(PASS_LIMIT)))
        }
    }
}

/// 200 once every repository was read and nothing keeps the last pass from succeeding.
async fn readyz(State(shared): State<Shared>) -> (StatusCode, String) {
    let problems = shared.status.problems();
    match (shared.status.last_pass(), problems.as_slice()) {
        (None, _) => (StatusCode::SERVICE_UNAVAILABLE, "no pass has ended yet\n".to_owned()),
        (Some(_), []) => (StatusCode::OK, "ready\n".to_owned()),
        (Some(_), problems) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", problems.join("\n"))),
    }
}

async fn exposition(State(shared): State<Shared>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], shared.metrics.encode()).into_response()
}
