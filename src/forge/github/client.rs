//! One request and its answer: limits, credentials, redirects and refusals, the same for every call.
//!
//! octocrab carries the requests; what they may cost and what their answers mean is decided here, because its own defaults send a POST
//! again, wait for ever and say "GitHub" for every error. Nothing that changes something is sent twice, but for two answers that prove
//! that GitHub has not acted: 401, and a redirect of a renamed repository.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use octocrab::Octocrab;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior};

use super::auth::Authority;
use super::budget::{Bucket, Budget};
use super::cache::Cache;
use super::wire::{WireFault, WireRefusal, WireRepository};
use crate::engine::time::Timestamp;
use crate::forge::{Account, Answered, Call, ForgeError, RepositoryId};
use crate::net::client::NoAnswer;
use crate::net::transport::transport_failure;

/// The longest body that is read, in bytes. A page of a hundred comments of 65,536 characters has up to 26 MB before JSON escapes it, and
/// a page that were too long to read would let anybody who may comment stop the reading of all approvals.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// How long a repository's identity is believed. Another repository can take over a name within that time at most.
const IDENTITY_AGE: Duration = Duration::from_secs(60);

/// How many redirects are followed to a renamed repository.
const MOST_REDIRECTS: usize = 3;

/// The most characters of GitHub's words that are passed on.
const LONGEST_SENTENCE: usize = 400;

/// How many pages of a hundred are read of one list.
const MOST_PAGES: usize = 50;

/// The connections to GitHub and what is known from their answers.
pub(super) struct Api {
    pub(super) authority: Authority,
    pub(super) reads: Octocrab,
    pub(super) writes: Octocrab,
    pub(super) graph: Octocrab,
    pub(super) cache: Cache,
    pub(super) budget: Mutex<Budget>,
    pub(super) place: Mutex<Place>,
    pub(super) own: Mutex<Option<Account>>,
    pub(super) spacing: Duration,
    pub(super) spacer: tokio::sync::Mutex<Option<Interval>>,
    pub(super) root: String,
    pub(super) timeout: Duration,
}

/// Where the repository is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) id: Option<RepositoryId>,
    pub(super) checked: Option<Timestamp>,
}

/// A request to be sent.
pub(super) struct Ask {
    what: String,
    method: Method,
    path: Path,
    body: Option<Value>,
    reading: Reading,
}

/// Where a request goes.
enum Path {
    /// Below the repository, which is found under its name of the moment.
    Repository(String),
    /// Below the API's root.
    Root(String),
}

/// Whether a kept answer may be confirmed instead of sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It may.
    Conditional,
    /// Not for what an approval or a merge is decided from.
    Fresh,
}

/// A complete answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
}

// === impl Ask ===

impl Ask {
    /// Reads something below the repository. `what` ends the sentence "cannot …".
    pub(super) fn get(what: impl Into<String>, suffix: impl Into<String>) -> Self {
        Self { what: what.into(), method: Method::GET, path: Path::Repository(suffix.into()), body: None, reading: Reading::Conditional }
    }

    /// Sends a body to something below the repository.
    pub(super) fn send(what: impl Into<String>, method: Method, suffix: impl Into<String>, body: Value) -> Self {
        Self { method, body: Some(body), ..Self::get(what, suffix) }
    }

    /// Below the API's root instead of the repository.
    pub(super) fn at_root(mut self) -> Self {
        if let Path::Repository(suffix) = self.path {
            self.path = Path::Root(suffix);
        }
        self
    }

    /// Never from the cache.
    pub(super) fn fresh(mut self) -> Self {
        self.reading = Reading::Fresh;
        self
    }
}

// === impl Reply ===

impl Reply {
    /// Whether a list goes on after this page.
    pub(super) fn goes_on(&self) -> bool {
        self.headers.get_all(http::header::LINK).iter().filter_map(|link| link.to_str().ok()).any(|link| link.contains("rel=\"next\""))
    }

    /// The body of a refusal, empty where it is none.
    fn refusal(&self) -> WireRefusal {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

// === impl Api ===

impl Api {
    /// Sends a request below the repository or the root and gives its answer, good or not. What is no answer to the question itself (a
    /// limit, refused credentials, an outage) is an error.
    pub(super) async fn exchange(&self, call: Call, ask: &Ask) -> Answered<Reply> {
        let Path::Repository(suffix) = &ask.path else {
            let Path::Root(path) = &ask.path else { return Err(broken("no path")) };
            return self.deliver(call, ask, path).await;
        };
        let place = self.place_now(call).await?;
        let reply = self.deliver(call, ask, &place.path(suffix)).await?;
        if !reply.status.is_redirection() {
            return Ok(reply);
        }
        // GitHub has not acted: it says that the repository has another name now.
        self.identify(call).await?;
        let moved = self.place();
        if moved.path(suffix) == place.path(suffix) {
            return Err(broken(format!("a redirect that leads nowhere, to {}", ask.what)));
        }
        self.deliver(call, ask, &moved.path(suffix)).await
    }

    /// Sends a request and reads the good answer.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: Call, ask: &Ask) -> Answered<T> {
        self.parsed(ask, &self.exchange(call, ask).await?)
    }

    /// Sends a request of which only the status matters.
    pub(super) async fn tell(&self, call: Call, ask: &Ask) -> Answered<()> {
        let reply = self.exchange(call, ask).await?;
        if reply.status.is_success() { Ok(()) } else { Err(self.refused(ask, &reply)) }
    }

    /// Reads all pages of a list and joins them.
    pub(super) async fn all<T: DeserializeOwned>(&self, call: Call, what: &str, suffix: &str, reading: Reading) -> Answered<Vec<T>> {
        let pages: Vec<Vec<T>> = self.pages(call, what, suffix, reading).await?;
        Ok(pages.into_iter().flatten().collect())
    }

    /// Reads all pages of something. `suffix` has a query that asks for a hundred at a time. A list that does not end is an error: its
    /// beginning would be taken for the whole.
    pub(super) async fn pages<T: DeserializeOwned>(&self, call: Call, what: &str, suffix: &str, reading: Reading) -> Answered<Vec<T>> {
        let mut found = Vec::new();
        for page in 1..=MOST_PAGES {
            let (items, goes_on) = self.page(call, what, suffix, page, reading).await?;
            found.push(items);
            if !goes_on {
                return Ok(found);
            }
        }
        Err(broken(format!("more than {MOST_PAGES} pages to {what}")))
    }

    /// Reads one page, and whether there is another. The first page's address has no page number, so that it is always the same.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        call: Call,
        what: &str,
        suffix: &str,
        page: usize,
        reading: Reading,
    ) -> Answered<(T, bool)> {
        let suffix = if page == 1 { suffix.to_owned() } else { format!("{suffix}&page={page}") };
        let mut ask = Ask::get(what, suffix);
        ask.reading = reading;
        let reply = self.exchange(call, &ask).await?;
        Ok((self.parsed(&ask, &reply)?, reply.goes_on()))
    }

    /// Reads a good answer's body.
    pub(super) fn parsed<T: DeserializeOwned>(&self, ask: &Ask, reply: &Reply) -> Answered<T> {
        if !reply.status.is_success() {
            return Err(self.refused(ask, reply));
        }
        serde_json::from_slice(&reply.body).map_err(|error| broken(format!("{}: {}", ask.what, self.clean(&error.to_string()))))
    }

    /// What an answer that is not good means.
    pub(super) fn refused(&self, ask: &Ask, reply: &Reply) -> ForgeError {
        let sentence = self.sentence(reply);
        match reply.status {
            StatusCode::UNAUTHORIZED => ForgeError::Unauthorized { sentence },
            StatusCode::FORBIDDEN | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => ForgeError::Forbidden { sentence },
            StatusCode::NOT_FOUND | StatusCode::GONE => ForgeError::NotFound { what: ask.what.clone() },
            StatusCode::CONFLICT => ForgeError::Conflict { sentence },
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => ForgeError::Invalid { sentence },
            status => broken(format!("{}: {status}: {sentence}", ask.what)),
        }
    }

    /// GitHub's own words of a refusal on one line: the message, and what the list of errors adds.
    pub(super) fn sentence(&self, reply: &Reply) -> String {
        let refusal = reply.refusal();
        let faults = refusal.errors.into_iter().map(|fault| match fault {
            WireFault::Text(text) => text,
            WireFault::Object { message: Some(message), .. } => message,
            WireFault::Object { field, code, .. } => [field, code].into_iter().flatten().collect::<Vec<_>>().join(" "),
        });
        let words: Vec<String> = [refusal.message].into_iter().chain(faults).filter(|words| !words.trim().is_empty()).collect();
        match words.is_empty() {
            true => reply.status.to_string(),
            false => self.clean(&words.join(": ")),
        }
    }

    /// Foreign text on one line, short, and without the token.
    pub(super) fn clean(&self, text: &str) -> String {
        let spaced: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        let line = self.authority.redact(&spaced.split_whitespace().collect::<Vec<_>>().join(" "));
        match line.char_indices().nth(LONGEST_SENTENCE) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }

    /// Asks GraphQL. The data comes back only if there is no error.
    pub(super) async fn query(&self, call: Call, what: &str, query: &str, variables: Value) -> Answered<Result<Value, Vec<GraphError>>> {
        let body = serde_json::json!({ "query": query, "variables": variables });
        let ask = Ask::send(what, Method::POST, "/graphql", body).at_root();
        let reply = self.deliver(call, &ask, "/graphql").await?;
        let answer: GraphAnswer = self.parsed(&ask, &reply)?;
        if !answer.errors.is_empty() {
            let errors: Vec<GraphError> =
                answer.errors.into_iter().map(|error| GraphError { message: self.clean(&error.message), ..error }).collect();
            return Ok(Err(errors));
        }
        answer.data.map(Ok).ok_or_else(|| broken(format!("{what}: neither data nor errors")))
    }

    /// Reads which repository it is, follows a rename, and stops at another repository.
    pub(super) async fn identify(&self, call: Call) -> Answered<WireRepository> {
        let mut path = self.place().path("");
        let mut ask = Ask::get("read the repository", "").at_root();
        for _ in 0..=MOST_REDIRECTS {
            let reply = self.deliver(call, &ask, &path).await?;
            if reply.status.is_redirection() {
                path = self.redirected(&reply)?;
                ask.reading = Reading::Fresh;
                continue;
            }
            let found: WireRepository = self.parsed(&ask, &reply)?;
            let mut place = self.place_guard();
            let id = RepositoryId(found.id);
            if let Some(expected) = place.id.filter(|expected| *expected != id) {
                return Err(ForgeError::Replaced { expected, found: id });
            }
            *place = Place { owner: found.owner.login.clone(), name: found.name.clone(), id: Some(id), checked: Some(call.now) };
            return Ok(found);
        }
        Err(broken("too many redirects to read the repository"))
    }

    /// Where the repository is, asked again when that was last done too long ago.
    pub(super) async fn place_now(&self, call: Call) -> Answered<Place> {
        let place = self.place();
        let age = place.checked.map(|checked| if call.now < checked { IDENTITY_AGE } else { call.now.since(checked) });
        if age.is_none_or(|age| age >= IDENTITY_AGE) {
            self.identify(call).await?;
        }
        Ok(self.place())
    }

    pub(super) fn place(&self) -> Place {
        self.place_guard().clone()
    }

    fn place_guard(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path that a redirect names, if it stays within this API: credentials go nowhere else.
    pub(super) fn redirected(&self, reply: &Reply) -> Answered<String> {
        let location = reply.headers.get(http::header::LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
        let path = location.strip_prefix(&self.root).unwrap_or(location);
        let stays = path.starts_with('/') && !path.starts_with("//");
        if stays { Ok(path.to_owned()) } else { Err(broken("a redirect that leads away from the forge")) }
    }

    /// Sends one request with credentials within the limits.
    async fn deliver(&self, call: Call, ask: &Ask, path: &str) -> Answered<Reply> {
        let bucket = if path == "/graphql" { Bucket::Graph } else { Bucket::Core };
        self.budget().admit(bucket, call)?;
        // A GraphQL query is a POST that changes nothing.
        let changes = ask.method != Method::GET && !ask.body.as_ref().is_some_and(is_query);
        if changes {
            self.space().await;
        }
        let crab = match (bucket, ask.reading, &ask.method) {
            (Bucket::Graph, ..) => &self.graph,
            (Bucket::Core, Reading::Conditional, &Method::GET) => &self.reads,
            (Bucket::Core, ..) => &self.writes,
        };
        let token = self.authority.token(self, call.now).await?;
        let mut reply = self.carry(&token.on(crab)?, ask.method.clone(), path, ask.body.as_ref()).await?;
        if reply.status == StatusCode::UNAUTHORIZED
            && let Some(token) = self.authority.renewed(self, call.now, &token).await?
        {
            reply = self.carry(&token.on(crab)?, ask.method.clone(), path, ask.body.as_ref()).await?;
        }
        if reply.status == StatusCode::UNAUTHORIZED {
            return Err(self.refused(ask, &reply));
        }
        let message = if reply.status.is_success() { self.graph_message(bucket, &reply) } else { self.sentence(&reply) };
        let mut budget = self.budget();
        budget.note(bucket, &reply.headers);
        if let Some(until) = budget.limited(bucket, reply.status, &reply.headers, &message, call.now) {
            return Err(ForgeError::RateLimited { until });
        }
        drop(budget);
        self.standing(reply)
    }

    /// An answer that is one: an outage is an error.
    pub(super) fn standing(&self, reply: Reply) -> Answered<Reply> {
        if reply.status.is_server_error() {
            return Err(ForgeError::Unreachable { detail: format!("{}: {}", reply.status.as_u16(), self.sentence(&reply)) });
        }
        self.budget().passed();
        Ok(reply)
    }

    /// What GraphQL says about limits, which it answers with status 200.
    fn graph_message(&self, bucket: Bucket, reply: &Reply) -> String {
        if bucket == Bucket::Core {
            return String::new();
        }
        let answer: GraphAnswer = serde_json::from_slice(&reply.body).unwrap_or_default();
        let limited = answer.errors.into_iter().find(|error| {
            error.kind.as_deref() == Some("RATE_LIMITED") || error.message.to_ascii_lowercase().contains("secondary rate limit")
        });
        if limited.is_some() { "rate limit".to_owned() } else { String::new() }
    }

    /// Sends one request and reads its whole answer.
    pub(super) async fn carry(&self, crab: &Octocrab, method: Method, path: &str, body: Option<&Value>) -> Answered<Reply> {
        let uri: Uri = path.parse().map_err(|_| ForgeError::Invalid { sentence: "a name that no address can hold".to_owned() })?;
        let request =
            crab.build_request(http::request::Builder::new().method(method).uri(uri.clone()), body).map_err(|error| self.failed(&error))?;
        let exchange = async {
            let (parts, body) = crab.execute(request).await.map_err(|error| self.failed(&error))?.into_parts();
            let read = Limited::new(body, BODY_LIMIT).collect().await;
            Ok((parts, read.map_err(|error| self.failed(&*error))?.to_bytes()))
        };
        // The transport has a limit of its own; this one holds whatever is between.
        let answered = tokio::time::timeout(self.timeout, exchange).await;
        let (parts, body) = match answered.unwrap_or(Err(ForgeError::TimedOut { after: self.timeout })) {
            Ok(answer) => answer,
            Err(error) => {
                self.cache.forget(&uri);
                return Err(error);
            }
        };
        if parts.status == StatusCode::OK {
            self.cache.keep(&uri);
        } else {
            self.cache.forget(&uri);
        }
        Ok(Reply { status: parts.status, headers: parts.headers, body: body.to_vec() })
    }

    /// What a failure of the library means.
    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> ForgeError {
        match transport_failure(error, self.timeout) {
            Some(NoAnswer::TimedOut { after }) => ForgeError::TimedOut { after },
            Some(no_answer) => ForgeError::Unreachable { detail: self.clean(&no_answer.to_string()) },
            None => {
                let last = std::iter::successors(Some(error), |&cause| cause.source()).last();
                ForgeError::Unreachable { detail: self.clean(&last.map(ToString::to_string).unwrap_or_default()) }
            }
        }
    }

    /// Waits until the last change is long enough ago.
    async fn space(&self) {
        if self.spacing.is_zero() {
            return;
        }
        let mut spacer = self.spacer.lock().await;
        let interval = spacer.get_or_insert_with(|| {
            let mut interval = tokio::time::interval(self.spacing);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        interval.tick().await;
    }
}

// === impl Place ===

impl Place {
    fn path(&self, suffix: &str) -> String {
        format!("/repos/{}/{}{suffix}", segment(&self.owner), segment(&self.name))
    }
}

/// What GraphQL answers.
#[derive(Default, serde::Deserialize)]
struct GraphAnswer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<GraphError>,
}

/// One error of GraphQL's.
#[derive(serde::Deserialize)]
pub(super) struct GraphError {
    /// Its kind: `NOT_FOUND`, `FORBIDDEN`, `UNPROCESSABLE` …
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// In words.
    #[serde(default)]
    pub(super) message: String,
}

fn is_query(body: &Value) -> bool {
    body.get("query").and_then(Value::as_str).is_some_and(|query| query.trim_start().starts_with("query"))
}

/// An answer that cannot be read.
pub(super) fn broken(detail: impl Into<String>) -> ForgeError {
    ForgeError::Answer { detail: detail.into() }
}

/// A name as one segment of a path or one value of a query: everything but letters, digits and `-._~` is percent-encoded. `.` and `..`
/// alone would lead to another path, and no name of GitHub's is one of them.
pub(super) fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || (b"-_~".contains(&byte)) || (byte == b'.' && !matches!(name, "." | ".."));
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
