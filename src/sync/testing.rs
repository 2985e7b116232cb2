//! A small API for the tests of sources: fixed answers by address, and a record of what was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::engine::id::CommitId;
use crate::engine::time::Timestamp;

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_795_230_300);

/// What is answered to each path with its query, and what was asked with which authorization.
#[derive(Clone, Default)]
pub(super) struct Api {
    answers: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Api {
    pub(super) fn answer(&self, path: &str, status: u16, body: impl Into<String>) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, body.into()));
    }

    pub(super) fn object(&self, path: &str, object: &Value) {
        self.answer(path, 200, object.to_string());
    }

    /// Each request: method, path with query, and authorization.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Serves until the test ends; gives the address.
    pub(super) async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(respond).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

async fn respond(State(api): State<Api>, request: Request) -> (StatusCode, String) {
    let path = request.uri().to_string();
    let authorization = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
    api.asked.lock().unwrap().push(format!("{} {path} {authorization}", request.method()));
    let (status, body) = api.answers.lock().unwrap().get(&path).cloned().unwrap_or((404, String::new()));
    (StatusCode::from_u16(status).unwrap(), body)
}

/// A commit of forty times the same digit.
pub(super) fn oid(digit: char) -> String {
    String::from(digit).repeat(40)
}

pub(super) fn commit(digit: char) -> CommitId {
    oid(digit).parse().unwrap()
}

/// A file with a token.
pub(super) fn token(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("token");
    std::fs::write(&path, "canary-7f3a\n").unwrap();
    path
}
