//! The guarded HTTP client: one request, one answer, nothing that the other side can stretch (catalogue of failures N3 to N5).
//!
//! * The host is resolved once, refused if any of its addresses is, and connected to at exactly those addresses ([`super::resolve`]).
//! * A redirect is an answer. Following it would let the other side choose the next address.
//! * No proxy from the environment, no cookies, no retries, no decompression, no connection kept: a request is on its own. Ten thousand
//!   idle connections cost ten times the memory that opening them anew costs.
//! * The whole exchange has one time limit, and a body is read up to a limit and then dropped with its connection.
//! * Headers are bounded by the HTTP library: 100 of them and about 400 KiB in HTTP/1, 64 KiB in HTTP/2.
//! * Certificates are always verified, against the system's certificate authorities. On a machine that has none the client still
//!   works, and every encrypted request says that its certificate cannot be trusted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::address::AddressRules;
use super::failure::{Scheme, tidy};
use super::redact::without_user_information;
use super::resolve::{GuardedResolver, Lookup, SystemLookup};
use super::secret::Secret;
use super::trust::Trust;

pub use super::failure::NoAnswer;

/// How much of a body is read unless the request says otherwise, in bytes (design §6).
pub const BODY_LIMIT: usize = 64 * 1024;

/// The time that a connection has, with the look-up of the name and the TLS handshake. Five seconds, because that is how long a
/// resolver waits for a name server before it asks the next.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How much of header lists HTTP/2 takes, in bytes.
const HTTP2_HEADER_LIMIT: u32 = 64 * 1024;

/// Sends requests under address rules. Cloning it is cheap; building one reads the system's certificate authorities.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    rules: AddressRules,
}

/// The client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct ClientError(String);

/// One request. Its `Debug` shows the address without user information, and neither header values nor the body.
#[derive(Clone)]
pub struct Request {
    method: Method,
    address: Address,
    headers: Vec<(String, Secret)>,
    body: Body,
    timeout: Duration,
    body_limit: usize,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// To read.
    Get,
    /// To make.
    Post,
    /// To replace.
    Put,
    /// To change in part.
    Patch,
    /// To take away.
    Delete,
}

/// Where a request goes. A chat's webhook is addressed by a secret: who knows it may post.
#[derive(Clone)]
enum Address {
    Open(String),
    Secret(Secret),
}

#[derive(Clone)]
enum Body {
    Nothing,
    Form(Vec<(&'static str, String)>),
    Json(Vec<u8>),
}

/// A complete answer: a status, its headers, and a body that ended or went over the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers in the order of the answer, names in lower case. One whose value is no visible ASCII text is left out.
    pub headers: Vec<(String, String)>,
    /// The body as sent (never decompressed), up to the limit.
    pub body: Vec<u8>,
    /// Whether there was more.
    pub length: BodyLength,
}

/// Whether a body was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// It ended.
    Whole,
    /// It went on after the limit, and was not read further.
    Cut,
}

// === impl Request ===

impl Request {
    /// A GET request. `timeout` is for the whole answer, from the look-up of the name to the last byte.
    pub fn get(url: impl Into<String>, timeout: Duration) -> Self {
        Self::to(Address::Open(url.into()), Method::Get, Body::Nothing, timeout)
    }

    /// A POST request with a form as its body.
    pub fn post_form(url: impl Into<String>, form: Vec<(&'static str, String)>, timeout: Duration) -> Self {
        Self::to(Address::Open(url.into()), Method::Post, Body::Form(form), timeout)
    }

    /// A request whose body is `json`: bytes, so that what is signed is what is sent.
    pub fn with_json(method: Method, url: impl Into<String>, json: Vec<u8>, timeout: Duration) -> Self {
        Self::to(Address::Open(url.into()), method, Body::Json(json), timeout)
    }

    /// The same to an address that is a secret: no `Debug` and no error shows it.
    pub fn with_json_to_secret(method: Method, url: Secret, json: Vec<u8>, timeout: Duration) -> Self {
        Self::to(Address::Secret(url), method, Body::Json(json), timeout)
    }

    fn to(address: Address, method: Method, body: Body, timeout: Duration) -> Self {
        Self { method, address, headers: Vec::new(), body, timeout, body_limit: BODY_LIMIT }
    }

    /// Adds a header. The value is a secret, since it may authenticate.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// Reads up to so many bytes of the body.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.address)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

// === impl Address ===

impl Address {
    fn text(&self) -> &str {
        match self {
            Self::Open(url) => url,
            Self::Secret(url) => url.expose(),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(url) => fmt::Debug::fmt(&without_user_information(url), f),
            Self::Secret(url) => fmt::Debug::fmt(url, f),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// The first header of that name, written in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

// === impl ClientError, Client ===

impl ClientError {
    fn from_library(error: &reqwest::Error) -> Self {
        Self(std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| tidy(&cause.to_string())))
    }

    pub(super) fn of(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl Client {
    /// A client under these rules, with the operating system's resolver.
    ///
    /// # Errors
    /// The TLS library cannot be set up.
    pub fn new(rules: AddressRules) -> Result<Self, ClientError> {
        Self::with_lookup(rules, Arc::new(SystemLookup))
    }

    /// A client that looks names up in another way.
    ///
    /// # Errors
    /// The TLS library cannot be set up.
    pub fn with_lookup(rules: AddressRules, lookup: Arc<dyn Lookup>) -> Result<Self, ClientError> {
        Self::build(rules, lookup, None)
    }

    /// A client that trusts other certificate authorities than the system's, or shows a certificate of its own.
    ///
    /// # Errors
    /// The certificates cannot be read, or the TLS library cannot be set up.
    pub fn with_trust(rules: AddressRules, trust: &Trust) -> Result<Self, ClientError> {
        Self::build(rules, Arc::new(SystemLookup), Some(trust))
    }

    fn build(rules: AddressRules, lookup: Arc<dyn Lookup>, trust: Option<&Trust>) -> Result<Self, ClientError> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("revertd/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(GuardedResolver::new(Arc::clone(&lookup), rules.clone()))
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_proxy()
                .pool_max_idle_per_host(0)
                .connect_timeout(CONNECT_LIMIT)
                .http2_max_header_list_size(HTTP2_HEADER_LIMIT)
        };
        if let Some(trust) = trust {
            let inner = trust.apply(builder())?.build().map_err(|error| ClientError::from_library(&error))?;
            return Ok(Self { inner, rules });
        }
        let inner = builder()
            .build()
            // A machine without certificate authorities can still ask plain addresses; nothing encrypted is trusted then.
            .or_else(|_| builder().tls_certs_only([]).build())
            .map_err(|error| ClientError::from_library(&error))?;
        Ok(Self { inner, rules })
    }

    /// Sends a request and reads its answer, up to the body limit.
    ///
    /// # Errors
    /// There is no complete answer: the address is refused, or the exchange failed or took longer than the request's timeout.
    pub async fn send(&self, request: &Request) -> Result<Answer, NoAnswer> {
        let url = self.permitted(&request.address)?;
        match tokio::time::timeout(request.timeout, self.exchange(url, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::TimedOut { after: request.timeout }),
        }
    }

    /// The parsed address, if its scheme and host may be asked. The connector does not resolve IP addresses, so they are judged here.
    fn permitted(&self, address: &Address) -> Result<reqwest::Url, NoAnswer> {
        let refused = |detail: String| NoAnswer::Refused { detail };
        let url = reqwest::Url::parse(address.text()).map_err(|error| refused(format!("not an address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(match address {
                Address::Open(_) => format!("the scheme `{}` is neither http nor https", tidy(url.scheme())),
                // The file may hold something else than an address, and then the part before a colon is part of that.
                Address::Secret(_) => "the address begins with neither http:// nor https://".to_owned(),
            }));
        }
        self.rules.check_host(url.host_str().unwrap_or_default()).map_err(|error| refused(error.to_string()))?;
        Ok(url)
    }

    async fn exchange(&self, url: reqwest::Url, request: &Request) -> Result<Answer, NoAnswer> {
        let scheme = if url.scheme() == "https" { Scheme::Encrypted } else { Scheme::Plain };
        let failed = |error: reqwest::Error| NoAnswer::from_library(&error, scheme, CONNECT_LIMIT);
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let sending = self.inner.request(method, url);
        let mut sending = match &request.body {
            Body::Nothing => sending,
            Body::Form(form) => sending.form(form),
            Body::Json(json) => sending.header("content-type", "application/json; charset=utf-8").body(json.clone()),
        };
        for (name, value) in &request.headers {
            sending = sending.header(name, sensitive(name, value)?);
        }
        let mut response = sending.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let headers = readable(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            let room = request.body_limit - body.len();
            if chunk.len() > room {
                body.extend_from_slice(&chunk[..room]);
                return Ok(Answer { status, headers, body, length: BodyLength::Cut });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body, length: BodyLength::Whole })
    }
}

fn readable(headers: &reqwest::header::HeaderMap) -> Vec<(String, String)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect()
}

/// A header value that the HTTP library shows in no log.
fn sensitive(name: &str, value: &Secret) -> Result<reqwest::header::HeaderValue, NoAnswer> {
    let mut value = reqwest::header::HeaderValue::from_str(value.expose()).map_err(|_| NoAnswer::Refused {
        detail: format!("the value of the header `{}` holds characters that headers cannot", tidy(name)),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
