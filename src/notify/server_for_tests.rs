//! A chat on this host for the tests of all notifiers: it records what it is sent and answers by a function.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::*;
use crate::engine::id::PolicyName;

/// 2026-11-21T03:04:05Z.
pub const NOW: Timestamp = Timestamp::from_secs(1_795_230_245);

/// The part of every secret that must appear nowhere.
pub const CANARY: &str = "canary-7f3a9c1d5e2b";

/// Text with an effect in one chat or another.
pub const HOSTILE: &str = "<!channel> <@U1> @everyone @here &commat;all **b** [x](http://evil.example) <https://evil.example|y> www.evil.example #general `c` <at>z</at>";

/// One request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// With the query.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// How a request is answered.
pub enum Reply {
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection ends without an answer.
    Lost,
    /// No answer ever comes.
    Silence,
}

/// A running server with the runtime of the client.
pub struct Server {
    pub url: String,
    pub transport: Transport,
    seen: Arc<Mutex<Vec<Seen>>>,
    folder: tempfile::TempDir,
    _runtime: Runtime,
}

pub fn ok(body: impl Into<String>) -> Reply {
    Reply::Answer(200, vec![], body.into())
}

pub fn status(status: u16, body: impl Into<String>) -> Reply {
    Reply::Answer(status, vec![], body.into())
}

impl Server {
    pub fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (recorder, answer) = (Arc::clone(&seen), Arc::new(answer));
        let handler = move |request: Request| {
            let (recorder, answer) = (Arc::clone(&recorder), Arc::clone(&answer));
            async move { answered(request, &recorder, &*answer).await }
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, axum::Router::new().fallback(handler)).await });
        let transport = Transport::new(runtime.handle().clone()).unwrap();
        Self { url, transport, seen, folder: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// A file with this line.
    pub fn file(&self, line: &str) -> PathBuf {
        let path = self.folder.path().join(crate::engine::id::sha256_hex(line.as_bytes()));
        std::fs::write(&path, format!("{line}\n")).unwrap();
        path
    }

    /// A file with the address of a webhook on this server.
    pub fn webhook(&self, path: &str) -> PathBuf {
        self.file(&format!("{}{path}", self.url))
    }

    /// The transport with hardly any patience.
    pub fn impatient(&self) -> Transport {
        self.transport.clone().with_limit(Duration::from_millis(50))
    }
}

async fn answered(request: Request, recorder: &Mutex<Vec<Seen>>, answer: &(dyn Fn(&Seen) -> Reply + Send + Sync)) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let seen = Seen { method: parts.method.to_string(), path: parts.uri.to_string(), headers, body };
    recorder.lock().unwrap().push(seen.clone());
    match answer(&seen) {
        Reply::Answer(status, headers, body) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        // Ends the connection's task without the noise of a panic.
        Reply::Lost => std::panic::resume_unwind(Box::new("lost")),
        Reply::Silence => std::future::pending().await,
    }
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The fields of a form.
    pub fn form(&self) -> BTreeMap<String, String> {
        axum::extract::Query::try_from_uri(&format!("/?{}", self.body).parse().unwrap()).unwrap().0
    }
}

/// What is said first of the story of `checkout`.
pub fn proposed() -> Message {
    Message {
        key: "3f1c/proposed".into(),
        thread: "3f1c".into(),
        event: MessageEvent::Proposed,
        service: Some(PolicyName::new("checkout")),
        labels: [("team".to_owned(), "shop".to_owned())].into(),
        title: "checkout: revert of image 1.4.2 proposed".into(),
        lines: vec!["failed 3 of the last 5 (limit 3): 503, 503, 500".into(), "commit 0a1b2c3d4e by ann: bump & ship".into()],
        link: Some(Link { text: "Read and approve".into(), url: "https://git.example/x/pull/7#issuecomment-1".into() }),
        command: Some("/revertd approve 1a2b3c4d".into()),
    }
}

/// What is said last of it.
pub fn recovered() -> Message {
    Message {
        key: "3f1c/recovered".into(),
        event: MessageEvent::Recovered,
        title: "checkout recovered".into(),
        lines: vec!["detect 6s, decide 100ms, act 2m, verify 3m".into()],
        link: None,
        command: None,
        ..proposed()
    }
}

/// A message of which every text is hostile.
pub fn hostile() -> Message {
    Message {
        title: HOSTILE.into(),
        lines: vec![HOSTILE.into(), "- x\u{202e}\n# y".into()],
        link: Some(Link { text: HOSTILE.into(), url: "https://git.example/a>b)c|<!here>".into() }),
        command: Some("/revertd approve 1a2b\n```\n@everyone".into()),
        ..proposed()
    }
}

/// Every way in which a delivery fails is told as it should be, and shows no secret.
pub fn check_failures(notifier: impl Fn(&Server, Transport) -> Box<dyn Notifier>) {
    let server = Server::start(|seen| match seen.headers.get("user-agent") {
        Some(_) => Reply::Answer(429, vec![("retry-after", "7".into())], "slow down".into()),
        None => Reply::Lost,
    });
    let deliver = |server: &Server| notifier(server, server.transport.clone()).deliver(&proposed(), None, NOW).unwrap_err();
    assert_eq!(deliver(&server), NotifyError::RateLimited { retry_after: Some(Duration::from_secs(7)) });

    let silent = Server::start(|_| Reply::Silence);
    let error = notifier(&silent, silent.impatient()).deliver(&proposed(), None, NOW).unwrap_err();
    assert_eq!(error, NotifyError::TimedOut { after: Duration::from_millis(50) });

    let lost = deliver(&Server::start(|_| Reply::Lost));
    assert!(matches!(lost, NotifyError::Unreachable { .. }), "{lost:?}");

    let quoting = |status_code: u16| {
        deliver(&Server::start(move |seen| {
            let authorization = seen.headers.get("authorization").cloned().unwrap_or_default();
            status(status_code, format!("no: {} {authorization} {}", seen.path, seen.body))
        }))
    };
    let down = quoting(503);
    assert!(matches!(&down, NotifyError::Answer { detail } if detail.contains("503")) && down.is_temporary(), "{down:?}");
    let refused = quoting(403);
    assert!(matches!(&refused, NotifyError::Refused { code, .. } if code == "403") && !refused.is_temporary(), "{refused:?}");
    for error in [lost, down, refused] {
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
    }
}
