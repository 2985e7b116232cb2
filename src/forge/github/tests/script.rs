//! A GitHub that answers from a script and records what it is asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::super::*;

pub const TOKEN: &str = "canary-7f3a9b";
pub const NOW: Timestamp = Timestamp::from_secs(1_795_230_000);
pub const HEAD: &str = "1111111111111111111111111111111111111111";
pub const BASE: &str = "2222222222222222222222222222222222222222";
pub const LANDED: &str = "3333333333333333333333333333333333333333";

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `POST /repos/acme/manifests/pulls`, with the query, without `/api/v3`.
    pub line: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// One answer to give.
#[derive(Clone)]
pub enum Give {
    Answer { status: u16, headers: Vec<(String, String)>, body: String },
    Hang,
}

#[derive(Default)]
struct Inner {
    seen: Vec<Seen>,
    script: HashMap<String, VecDeque<Give>>,
}

/// The server, its runtime and what it has seen.
pub struct Script {
    inner: Arc<Mutex<Inner>>,
    pub url: String,
    pub runtime: Runtime,
}

pub fn give(status: u16, body: Value) -> Give {
    Give::Answer { status, headers: Vec::new(), body: body.to_string() }
}

impl Give {
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.into()));
        }
        self
    }
}

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let target = parts.uri.path_and_query().unwrap().as_str();
    let line = format!("{} {}", parts.method, target.strip_prefix("/api/v3").unwrap_or(target));
    let given = {
        let mut inner = inner.lock().unwrap();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        inner.seen.push(Seen { line: line.clone(), headers: parts.headers.clone(), body });
        match inner.script.get_mut(&line) {
            // The last answer stays.
            Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
            Some(answers) => answers.front().cloned().unwrap(),
            None => give(404, json!({ "message": "Not Found" })),
        }
    };
    let Give::Answer { status, headers, body } = given else {
        return std::future::pending().await;
    };
    let etag = headers.iter().find(|(name, _)| name == "etag").map(|(_, value)| value.clone());
    let confirmed = etag.is_some() && parts.headers.get("if-none-match").and_then(|value| value.to_str().ok()) == etag.as_deref();
    let mut response = Response::builder().status(if confirmed { 304 } else { status });
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(if confirmed { Body::empty() } else { Body::from(body) }).unwrap()
}

impl Script {
    /// A server that knows the repository, number 7, and the token's user, number 99.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let inner = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        let script = Self { inner, url, runtime };
        script.on("GET /repos/acme/manifests", [give(200, repository(7, "manifests"))]);
        script.on("GET /user", [give(200, user("revertd-bot", 99, "User"))]);
        script
    }

    /// Answers a request line with these in turn, the last for ever.
    pub fn on(&self, line: &str, answers: impl IntoIterator<Item = Give>) {
        self.inner.lock().unwrap().script.insert(line.to_owned(), answers.into_iter().collect());
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner.lock().unwrap().seen.clone()
    }

    /// The request lines so far, without those that tell which repository it is.
    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).filter(|line| line != "GET /repos/acme/manifests").collect()
    }

    /// How often a request came.
    pub fn count(&self, line: &str) -> usize {
        self.seen().iter().filter(|seen| seen.line == line).count()
    }

    pub fn settings(&self) -> GithubSettings {
        GithubSettings {
            url: self.url.clone(),
            owner: "acme".to_owned(),
            name: "manifests".to_owned(),
            expected: None,
            auth: GithubAuth::Token(Secret::new(TOKEN)),
            ca_file: None,
            proxy: None,
            timeout: Duration::from_secs(20),
            spacing: Duration::ZERO,
        }
    }

    pub fn github(&self) -> Github {
        self.with(&self.settings())
    }

    pub fn with(&self, settings: &GithubSettings) -> Github {
        Github::new(settings, self.runtime.handle().clone()).unwrap()
    }

    /// A client that gives up soon.
    pub fn impatient(&self) -> Github {
        self.with(&GithubSettings { timeout: Duration::from_millis(300), ..self.settings() })
    }
}

pub fn act() -> Call {
    Call::act(NOW)
}

pub fn commit(id: &str) -> CommitId {
    id.parse().unwrap()
}

pub fn branch() -> BranchName {
    BranchName::new("revertd/0123456789ab")
}

pub fn user(login: &str, id: u64, kind: &str) -> Value {
    json!({ "login": login, "id": id, "type": kind })
}

pub fn repository(id: u64, name: &str) -> Value {
    json!({
        "id": id, "name": name, "full_name": format!("acme/{name}"), "owner": user("acme", 1, "Organization"),
        "allow_merge_commit": false, "allow_squash_merge": true,
    })
}

/// An open pull request from the branch of this repository.
pub fn pull(number: u64) -> Value {
    json!({
        "number": number, "node_id": format!("PR_{number}"), "html_url": format!("https://github.example/acme/manifests/pull/{number}"),
        "state": "open", "merged_at": null, "merge_commit_sha": null,
        "head": { "ref": branch().as_str(), "sha": HEAD, "repo": { "id": 7 } },
        "base": { "ref": "main", "sha": BASE, "repo": { "id": 7 } },
        "user": user("revertd-bot", 99, "User"), "title": "Revert \"x\"", "body": null, "labels": [{ "name": "revertd" }], "mergeable": null,
    })
}

pub fn changed(mut value: Value, changes: Value) -> Value {
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    value
}

pub fn comment(id: u64, updated: &str) -> Value {
    json!({
        "id": id, "node_id": format!("IC_{id}"), "html_url": format!("https://github.example/acme/manifests/pull/12#issuecomment-{id}"),
        "issue_url": "https://github.example/api/v3/repos/acme/manifests/issues/12", "user": user("ada", 5, "User"),
        "performed_via_github_app": null, "body": "/revertd approve", "created_at": "2026-11-21T03:00:00Z", "updated_at": updated,
    })
}
