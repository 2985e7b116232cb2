//! The HTTP side: takes a request apart, records it, lets faults befall it, finds the caller, counts it, and answers with the headers that
//! GitHub sends.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::engine::time::Timestamp;

use super::faults::{FaultKind, secondary_limit, used_up};
use super::reply::{Body, Call, Reply};
use super::state::{GithubState, World};
use super::{graphql, page, routes};

/// No request is larger.
const BODY_LIMIT: usize = 4 << 20;
const REST: &str = "/api/v3";
const GRAPHQL: &str = "/api/graphql";

/// A request as it came, for checks against GitHub's own description of its API.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// When.
    pub at: Timestamp,
    /// The method.
    pub method: String,
    /// The path below the API root, escapes and all; `/graphql` for GraphQL.
    pub path: String,
    /// The query's parameters, in order.
    pub query: Vec<(String, String)>,
    /// The body, if it was JSON.
    pub body: Option<Value>,
    /// The tag that the client has an answer for.
    pub if_none_match: Option<String>,
    /// The headers, by their names in small letters. Of `authorization` only the scheme is kept: `Bearer …`.
    pub headers: BTreeMap<String, String>,
    /// What was answered; `None` where nothing was.
    pub status: Option<u16>,
    /// The body of that; `None` where there was none.
    pub answer: Option<Value>,
}

/// One request, taken apart.
struct Incoming {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    bytes: Vec<u8>,
    authorization: Option<String>,
    if_none_match: Option<String>,
    headers: BTreeMap<String, String>,
}

/// What comes of a request.
enum Outcome {
    Answer(Reply),
    /// Nothing, ever.
    Silence,
}

#[derive(Clone)]
struct Shared {
    state: GithubState,
    stopped: watch::Receiver<bool>,
}

/// Everything that is served.
pub(super) fn router(state: GithubState, stopped: watch::Receiver<bool>) -> Router {
    Router::new().fallback(serve).with_state(Shared { state, stopped })
}

async fn serve(State(mut shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, BODY_LIMIT).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let incoming = Incoming::new(&parts.method, &parts.uri, &parts.headers, bytes.to_vec());
    let state = shared.state.clone();
    // Git processes block.
    let outcome = tokio::task::spawn_blocking(move || answer(&state, &incoming)).await;
    match outcome {
        Ok(Outcome::Answer(reply)) => response(reply),
        Ok(Outcome::Silence) => {
            // Ends with the server; the error is that the server is gone already.
            let _ = shared.stopped.wait_for(|stopped| *stopped).await;
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn response(reply: Reply) -> Response {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let built = match reply.body {
        Body::Json(value) => {
            response.header(header::CONTENT_TYPE, "application/json; charset=utf-8").body(HttpBody::from(value.to_string()))
        }
        // Nothing on a page may load or run anything: what it shows was written by others.
        Body::Html(text) => response
            .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'")
            .body(HttpBody::from(text)),
        Body::Empty => response.body(HttpBody::empty()),
    };
    built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

// === impl Incoming ===

impl Incoming {
    fn new(method: &Method, uri: &Uri, headers: &HeaderMap, bytes: Vec<u8>) -> Self {
        let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: pairs(uri),
            bytes,
            authorization: text(header::AUTHORIZATION),
            if_none_match: text(header::IF_NONE_MATCH),
            headers: headers.iter().filter_map(|(name, value)| Some((name.to_string(), shown(name, value.to_str().ok()?)))).collect(),
        }
    }

    /// The path below the API root; `None` for the pages.
    fn api_path(&self) -> Option<&str> {
        if self.path == GRAPHQL { Some("/graphql") } else { self.path.strip_prefix(REST).filter(|path| path.starts_with('/')) }
    }

    fn resource(&self) -> &'static str {
        if self.path == GRAPHQL { "graphql" } else { "core" }
    }

    /// The fields of a form.
    fn form(&self) -> Vec<(String, String)> {
        let query = String::from_utf8_lossy(&self.bytes);
        format!("/?{query}").parse::<Uri>().map(|uri| pairs(&uri)).unwrap_or_default()
    }
}

/// A header's value as it may be kept: of a credential only what kind it is.
fn shown(name: &header::HeaderName, value: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, _)) if name == header::AUTHORIZATION => format!("{scheme} …"),
        None if name == header::AUTHORIZATION => "…".to_owned(),
        _ => value.to_owned(),
    }
}

fn pairs(uri: &Uri) -> Vec<(String, String)> {
    Query::<Vec<(String, String)>>::try_from_uri(uri).map(|query| query.0).unwrap_or_default()
}

// === answering ===

fn answer(state: &GithubState, incoming: &Incoming) -> Outcome {
    let mut world = state.locked();
    if let Err(error) = world.observe() {
        return Outcome::Answer(error.into());
    }
    let Some(path) = incoming.api_path() else {
        let reply = page::handle(&mut world, &incoming.method, &incoming.path, &incoming.form());
        return Outcome::Answer(reply.unwrap_or_else(|error| error));
    };
    let index = world.requests.len();
    let body = serde_json::from_slice::<Value>(&incoming.bytes).ok();
    let record = RecordedRequest {
        at: world.now(),
        method: incoming.method.clone(),
        path: path.to_owned(),
        query: incoming.query.clone(),
        body: body.clone(),
        if_none_match: incoming.if_none_match.clone(),
        headers: incoming.headers.clone(),
        status: None,
        answer: None,
    };
    world.requests.push(record);
    let outcome = befallen(&mut world, incoming, path, body.unwrap_or_default());
    if let (Outcome::Answer(reply), Some(record)) = (&outcome, world.requests.get_mut(index)) {
        record.status = Some(reply.status);
        record.answer = match &reply.body {
            Body::Json(answer) => Some(without_token(path, answer)),
            Body::Html(_) | Body::Empty => None,
        };
    }
    outcome
}

/// An answer as it may be kept.
fn without_token(path: &str, answer: &Value) -> Value {
    let mut kept = answer.clone();
    if path.ends_with("/access_tokens") && kept["token"].is_string() {
        kept["token"] = Value::from("…");
    }
    kept
}

/// Lets a fault happen before or after the effect.
fn befallen(world: &mut World, incoming: &Incoming, path: &str, body: Value) -> Outcome {
    let fault = world.faults.take(&incoming.method, path);
    match fault {
        Some(FaultKind::Before(status)) => return Outcome::Answer(Reply::error(status, "Server Error")),
        Some(FaultKind::HangBefore) => return Outcome::Silence,
        Some(FaultKind::SecondaryLimit(seconds)) => return Outcome::Answer(secondary_limit(seconds)),
        Some(FaultKind::After(_) | FaultKind::HangAfter) | None => {}
    }
    let reply = counted(world, incoming, path, body);
    match fault {
        Some(FaultKind::After(status)) => Outcome::Answer(Reply::error(status, "Server Error")),
        Some(FaultKind::HangAfter) => Outcome::Silence,
        _ => Outcome::Answer(reply),
    }
}

/// Finds the caller, counts the request, answers it, and puts on the headers.
fn counted(world: &mut World, incoming: &Incoming, path: &str, body: Value) -> Reply {
    let caller = match world.authenticate(incoming.authorization.as_deref()) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let resource = incoming.resource();
    let payer = if resource == "graphql" { format!("{} graphql", caller.budget()) } else { caller.budget().to_owned() };
    let now = world.now();
    let budget = *world.faults.budget(&payer, now);
    let free = path == "/rate_limit";
    if budget.remaining == 0 && !free {
        let id = world.account(caller.login()).map_or(0, |account| account.id);
        return with_headers(used_up(id), &budget.headers(resource));
    }
    let call = Call { method: incoming.method.clone(), path: path.to_owned(), query: incoming.query.clone(), body, caller };
    let handled = if resource == "graphql" { graphql::handle(world, &call) } else { routes::handle(world, &call) };
    let reply = conditional(handled.unwrap_or_else(|error| error), incoming);
    if !free && reply.status != 304 {
        let budget = world.faults.budget(&payer, now);
        budget.remaining = budget.remaining.saturating_sub(1);
    }
    let budget = *world.faults.budget(&payer, now);
    with_headers(reply, &budget.headers(resource)).with("date", http_date(now))
}

/// A moment in the form of RFC 9110, so that the fake's clock shows.
fn http_date(moment: Timestamp) -> String {
    chrono::DateTime::from_timestamp(moment.secs(), 0).map(|time| time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).unwrap_or_default()
}

/// Tags an answer by its content, and leaves out what the client has already.
fn conditional(reply: Reply, incoming: &Incoming) -> Reply {
    let Body::Json(body) = &reply.body else { return reply };
    if incoming.method != "GET" || reply.status != 200 {
        return reply;
    }
    // The links lead elsewhere when a page was added behind this one.
    let links = reply.headers.iter().find(|(name, _)| *name == "link").map(|(_, value)| value.as_str()).unwrap_or_default();
    let tag = format!("W/\"{}\"", hex::encode(Sha256::digest(format!("{body}{links}"))));
    let opaque = tag.trim_start_matches("W/");
    let known = incoming.if_none_match.as_deref().unwrap_or_default();
    let same = known.split(',').any(|known| known.trim().trim_start_matches("W/") == opaque);
    let reply = if same { Reply::empty(304) } else { reply };
    reply.with("etag", tag).with("cache-control", "private, max-age=60, s-maxage=60".to_owned())
}

fn with_headers(mut reply: Reply, headers: &[(&'static str, String)]) -> Reply {
    reply.headers.extend_from_slice(headers);
    reply.with("x-github-media-type", "github.v3; format=json".to_owned()).with("x-github-enterprise-version", "3.19.0".to_owned())
}
