//! The `http` indicator: one request per round (design §6).
//!
//! * A complete answer whose status is expected is good; any other complete answer is bad, a redirect among them. An answer is
//!   complete when its body ended or went over the 64 KiB that are read: the service has answered, and what follows changes nothing.
//! * No complete answer (refused, reset, timed out, DNS, TLS, a body that does not end in time) is unknown, because the agent may be
//!   the one that is cut off. With `unreachable: bad` it is bad when every control answers right after; without controls it stays
//!   unknown.
//! * An address that may not be asked is unknown, whatever `unreachable` says.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::{Probe, RoundFuture};
use crate::engine::policy::{HttpIndicator, Unreachable};
use crate::engine::round::{Outcome, Round, Unknown};
use crate::engine::time::Timestamp;
use crate::net::client::{Client, NoAnswer, Request};

/// Asks one address.
#[derive(Clone, Debug)]
pub struct HttpProbe {
    client: Client,
    indicator: HttpIndicator,
    controls: Arc<[HttpProbe]>,
}

impl HttpProbe {
    /// A probe of `indicator` through `client`, which holds the address rules. `controls` are asked when an answer is missing and the
    /// indicator says `unreachable: bad`; they are probes of the operator's file and have no controls of their own.
    pub fn new(client: Client, indicator: HttpIndicator, controls: Arc<[HttpProbe]>) -> Self {
        Self { client, indicator, controls }
    }

    /// The status of a complete answer.
    async fn status(&self) -> Result<u16, NoAnswer> {
        let request = Request::get(self.indicator.url.as_str(), self.indicator.timeout);
        Ok(self.client.send(&request).await?.status)
    }

    fn expects(&self, status: u16) -> bool {
        self.indicator.expect_status.contains(&status)
    }

    /// Whether there are controls and every one gives a complete answer that is as expected, asked now and all at once.
    async fn every_control_answers(&self) -> bool {
        let mut asked = JoinSet::new();
        for control in self.controls.iter() {
            let control = control.clone();
            asked.spawn(async move { control.status().await.is_ok_and(|status| control.expects(status)) });
        }
        let mut answered = !asked.is_empty();
        while let Some(control) = asked.join_next().await {
            answered &= matches!(control, Ok(true));
        }
        answered
    }

    async fn measure(&self, start: Timestamp) -> Round {
        let begun = Instant::now();
        let status = self.status().await;
        // When it was answered or given up; the controls that are asked afterwards do not make the failure last longer.
        let end = start + begun.elapsed();
        let outcome = match status {
            Ok(status) if self.expects(status) => Outcome::Good(status.to_string()),
            Ok(status) => Outcome::Bad(status.to_string()),
            Err(NoAnswer::Refused { detail }) => Outcome::Unknown(Unknown::Refused { detail }),
            Err(failure) => match self.indicator.unreachable {
                Unreachable::Bad if self.every_control_answers().await => Outcome::Bad(failure.to_string()),
                Unreachable::Bad | Unreachable::Unknown => Outcome::Unknown(Unknown::Unreachable { detail: failure.to_string() }),
            },
        };
        Round { start, end, outcome }
    }
}

impl Probe for HttpProbe {
    fn round(&self, at: Timestamp) -> RoundFuture<'_> {
        Box::pin(self.measure(at))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;
    use crate::net::address::AddressRules;

    const START: Timestamp = Timestamp(1_000_000);

    async fn serve() -> SocketAddr {
        let router = Router::new()
            .route("/ok", get(|| async { "fine" }))
            .route("/down", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
            .route("/moved", get(|| async { (StatusCode::FOUND, [("location", "/ok")]) }))
            .route("/long", get(|| async { "x".repeat(1_000_000) }))
            .route("/never", get(std::future::pending::<String>));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// A socket that is bound but does not listen, so that its port stays closed.
    fn closed() -> TcpSocket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        socket
    }

    fn probe(url: String, unreachable: Unreachable, controls: &[HttpProbe]) -> HttpProbe {
        let indicator =
            HttpIndicator { url, every: Duration::from_secs(60), timeout: Duration::from_secs(20), expect_status: vec![200], unreachable };
        HttpProbe::new(Client::new(AddressRules::for_operator()).unwrap(), indicator, controls.into())
    }

    fn unreachable(detail: &str) -> Outcome {
        Outcome::Unknown(Unknown::Unreachable { detail: detail.into() })
    }

    #[tokio::test]
    async fn a_complete_answer_is_good_or_bad_by_its_status() {
        let server = serve().await;
        let cases = [
            ("ok", Outcome::Good("200".into())),
            ("down", Outcome::Bad("503".into())),
            ("moved", Outcome::Bad("302".into())),
            ("none", Outcome::Bad("404".into())),
            ("long", Outcome::Good("200".into())),
        ];
        for (path, outcome) in cases {
            let round = probe(format!("http://{server}/{path}"), Unreachable::Unknown, &[]).round(START).await;
            assert_eq!((round.start, round.outcome), (START, outcome), "{path}");
            assert!(round.end >= START);
        }
    }

    #[tokio::test]
    async fn a_round_ends_when_it_is_given_up() {
        let mut slow = probe(format!("http://{}/never", serve().await), Unreachable::Unknown, &[]);
        slow.indicator.timeout = Duration::from_millis(50);
        let round = slow.round(START).await;
        assert_eq!(round.outcome, unreachable("timed out after 50ms"));
        assert!(round.end >= START + Duration::from_millis(50));
    }

    #[tokio::test]
    async fn no_answer_is_unknown_unless_the_controls_answer() {
        let (server, socket) = (serve().await, closed());
        let closed = socket.local_addr().unwrap();
        let control = |path: &str| probe(format!("http://{server}/{path}"), Unreachable::Unknown, &[]);
        let silent = probe(format!("http://{closed}/"), Unreachable::Unknown, &[]);
        let refused = || unreachable("connection refused");
        let cases: [(Unreachable, Vec<HttpProbe>, Outcome); 6] = [
            (Unreachable::Bad, vec![control("ok")], Outcome::Bad("connection refused".into())),
            (Unreachable::Bad, vec![control("ok"), control("ok")], Outcome::Bad("connection refused".into())),
            (Unreachable::Bad, vec![control("ok"), control("down")], refused()),
            (Unreachable::Bad, vec![silent, control("ok")], refused()),
            (Unreachable::Bad, Vec::new(), refused()),
            (Unreachable::Unknown, vec![control("ok")], refused()),
        ];
        for (number, (unreachable, controls, outcome)) in cases.into_iter().enumerate() {
            let round = probe(format!("http://{closed}/"), unreachable, &controls).round(START).await;
            assert_eq!(round.outcome, outcome, "case {number}");
        }
    }

    #[tokio::test]
    async fn a_refused_address_is_unknown_even_if_silence_is_bad() {
        let control = probe(format!("http://{}/ok", serve().await), Unreachable::Unknown, &[]);
        for url in ["http://169.254.169.254/latest", "gopher://host/", ""] {
            let round = probe(url.into(), Unreachable::Bad, std::slice::from_ref(&control)).round(START).await;
            assert!(matches!(round.outcome, Outcome::Unknown(Unknown::Refused { .. })), "{url}: {round:?}");
        }
    }
}
