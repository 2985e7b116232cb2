//! Chats on this host: each keeps what it was told and behaves as a story says.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// The part of every secret of a chat that must appear nowhere.
pub const CANARY: &str = "canary-9e4b7a21c3d8";
/// The channel of every message to Slack that names none.
pub const CHANNEL: &str = "C0ONCALL01";

/// What a chat does with the next requests that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It takes them.
    Well,
    /// It answers 503.
    Down,
    /// It takes them, and the connection ends without an answer.
    LosesAnswers,
    /// It answers with `ok: false` and this code.
    Refuses(&'static str),
    /// It refuses with everything that it was sent.
    Quotes,
    /// It takes nothing and answers nothing until its mood changes.
    Silent,
}

/// One message in a channel.
#[derive(Clone, Debug)]
pub struct Post {
    pub channel: String,
    pub ts: String,
    pub thread: Option<String>,
    pub body: Value,
    pub edited: bool,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub authorization: String,
    pub body: String,
}

#[derive(Default)]
struct Told {
    posts: Vec<Post>,
    seen: Vec<Seen>,
    next: VecDeque<Mood>,
}

/// A server that is Slack, PagerDuty and any webhook at once.
pub struct Chat {
    pub url: String,
    told: Arc<Mutex<Told>>,
    mood: watch::Sender<Mood>,
    folder: tempfile::TempDir,
    _runtime: Runtime,
}

impl Chat {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let told = Arc::new(Mutex::new(Told::default()));
        let (mood, moods) = watch::channel(Mood::Well);
        let shared = told.clone();
        let handler = move |request: Request| answer(request, shared.clone(), moods.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self { url, told, mood, folder: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    pub fn set(&self, mood: Mood) {
        self.mood.send(mood).unwrap();
    }

    /// What it does with the next request that writes, before its mood counts again.
    pub fn once(&self, mood: Mood) {
        self.told.lock().unwrap().next.push_back(mood);
    }

    fn file(&self, name: &str, line: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("{line}\n")).unwrap();
        path
    }

    /// The notifier in the agent file: Slack, as an app.
    pub fn slack(&self, name: &str, channel: &str) -> String {
        let token = self.file("slack", &format!("xoxb-{CANARY}"));
        format!("{{name: {name}, slack: {{url: '{}/api', channel: '{channel}', tokenFile: '{}'}}}}", self.url, token.display())
    }

    /// The notifier in the agent file: PagerDuty.
    pub fn pagerduty(&self, name: &str) -> String {
        let key = self.file("pagerduty", &format!("R0{CANARY}"));
        format!("{{name: {name}, pagerduty: {{url: '{}', routingKeyFile: '{}'}}}}", self.url, key.display())
    }

    /// The notifier in the agent file: a webhook of one's own.
    pub fn webhook(&self, name: &str) -> String {
        let (url, secret) = (self.file("url", &format!("{}/hook/{CANARY}", self.url)), self.file("secret", CANARY));
        format!("{{name: {name}, webhook: {{urlFile: '{}', secretFile: '{}'}}}}", url.display(), secret.display())
    }

    /// All posts, as they stand now.
    pub fn posts(&self) -> Vec<Post> {
        self.told.lock().unwrap().posts.clone()
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.told.lock().unwrap().seen.clone()
    }

    /// The JSON bodies that were sent to a path that begins so.
    pub fn bodies(&self, path: &str) -> Vec<Value> {
        let seen = self.seen();
        seen.iter().filter(|seen| seen.path.starts_with(path)).map(|seen| serde_json::from_str(&seen.body).unwrap()).collect()
    }

    /// The keys of all posts, without the names of what they are about.
    pub fn told(&self) -> Vec<String> {
        self.posts().iter().map(|post| event_of(post.body["metadata"]["event_payload"]["key"].as_str().unwrap())).collect()
    }
}

/// The part of a message's key that says what happened.
fn event_of(key: &str) -> String {
    let parts: Vec<&str> = key.split(['/', '@']).collect();
    let named = ["proposed", "stranded", "waiting", "escalated", "approved", "merged", "refused", "ended", "impaired", "restored"];
    parts.into_iter().find(|part| named.contains(part)).unwrap().to_owned()
}

async fn answer(request: Request, told: Arc<Mutex<Told>>, mut moods: watch::Receiver<Mood>) -> Response {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    let path = parts.uri.path().to_owned();
    let reads = path.starts_with("/api/conversations");
    let authorization = parts.headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
    told.lock().unwrap().seen.push(Seen { path: path.clone(), authorization: authorization.clone(), body: body.clone() });
    let mood = if reads { None } else { told.lock().unwrap().next.pop_front() };
    let mut mood = mood.unwrap_or(*moods.borrow());
    if mood == Mood::Silent {
        let changed = moods.wait_for(|mood| *mood != Mood::Silent).await;
        mood = changed.map_or(Mood::Down, |mood| *mood);
    }
    match mood {
        Mood::Down => (StatusCode::SERVICE_UNAVAILABLE, "down").into_response(),
        Mood::Refuses(code) => json!({"ok": false, "error": code}).to_string().into_response(),
        Mood::Quotes => (StatusCode::FORBIDDEN, format!("no: {path} {authorization} {body}")).into_response(),
        Mood::LosesAnswers if !reads => {
            take(&path, &body, &told);
            // Ends the connection's task without the noise of a panic.
            std::panic::resume_unwind(Box::new("lost"))
        }
        Mood::Well | Mood::LosesAnswers | Mood::Silent => take(&path, &body, &told),
    }
}

fn take(path: &str, body: &str, told: &Mutex<Told>) -> Response {
    let told = &mut *told.lock().unwrap();
    match path {
        "/v2/enqueue" | "/v2/change/enqueue" => (StatusCode::ACCEPTED, json!({"status": "success"}).to_string()).into_response(),
        "/api/chat.postMessage" => {
            let body: Value = serde_json::from_str(body).unwrap();
            let ts = format!("{}.0", told.posts.len() + 1);
            let named = body["channel"].as_str().unwrap().to_owned();
            let id = |name: &str| format!("C0{}", name.to_uppercase().replace('-', "0"));
            let channel = named.strip_prefix('#').map_or(named.clone(), id);
            let thread = body["thread_ts"].as_str().map(str::to_owned);
            told.posts.push(Post { channel: channel.clone(), ts: ts.clone(), thread, body, edited: false });
            json!({"ok": true, "channel": channel, "ts": ts}).to_string().into_response()
        }
        "/api/chat.update" => {
            let body: Value = serde_json::from_str(body).unwrap();
            let post = told.posts.iter_mut().find(|post| body["ts"] == post.ts.as_str()).unwrap();
            (post.body, post.edited) = (body, true);
            json!({"ok": true, "channel": post.channel, "ts": post.ts}).to_string().into_response()
        }
        "/api/conversations.replies" | "/api/conversations.history" => {
            let messages: Vec<Value> = told
                .posts
                .iter()
                .rev()
                .map(|post| json!({"ts": post.ts, "text": post.body["text"], "metadata": post.body["metadata"]}))
                .collect();
            json!({"ok": true, "messages": messages}).to_string().into_response()
        }
        _ => "ok".into_response(),
    }
}
