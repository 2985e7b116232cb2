//! What the fake reads and answers: one request taken apart, one answer, GitHub's error bodies and its paging.
//!
//! Nothing here knows about repositories or people.

use serde_json::{Value, json};

use crate::git::scratch::ScratchError;

use super::auth::Caller;

/// Where every error body points.
const DOCUMENTATION: &str = "https://docs.github.com/rest";
/// How many entries a page has where the request does not say.
const PAGE: usize = 30;
/// How many it has at most.
const LARGEST_PAGE: usize = 100;

/// A request whose caller is known.
pub(super) struct Call {
    pub(super) method: String,
    /// Below the API root, with a leading slash and without a query.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// `Null` where there is none.
    pub(super) body: Value,
    pub(super) caller: Caller,
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

/// What an answer carries.
pub(super) enum Body {
    Json(Value),
    Html(String),
    Empty,
}

/// An answer, or the error answer that ends the handling.
pub(super) type Handled = Result<Reply, Reply>;

// === impl Call ===

impl Call {
    /// The value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A text in the body.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }

    /// A text in the body that must be there.
    pub(super) fn required(&self, resource: &str, name: &str) -> Result<&str, Reply> {
        self.text(name).ok_or_else(|| Reply::invalid(resource, name, "missing_field"))
    }

    /// A list of texts in the body; `None` where it is not there.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.body.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

// === impl Reply ===

impl Reply {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(body) }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub(super) fn created(body: Value) -> Self {
        Self::json(201, body)
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    pub(super) fn html(text: String) -> Self {
        Self { status: 200, headers: Vec::new(), body: Body::Html(text) }
    }

    /// GitHub's error body.
    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::json(status, json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.to_string()}))
    }

    pub(super) fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    /// 422 with one entry in `errors`.
    pub(super) fn invalid(resource: &str, field: &str, code: &str) -> Self {
        Self::validation(&json!({"resource": resource, "field": field, "code": code}))
    }

    /// 422 with an entry of code `custom`, which has a sentence.
    pub(super) fn invalid_because(resource: &str, message: &str) -> Self {
        Self::validation(&json!({"resource": resource, "code": "custom", "message": message}))
    }

    fn validation(entry: &Value) -> Self {
        Self::json(422, json!({"message": "Validation Failed", "errors": [entry], "documentation_url": DOCUMENTATION, "status": "422"}))
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl From<ScratchError> for Reply {
    fn from(error: ScratchError) -> Self {
        Self::error(500, &format!("the repository behind this server: {error}"))
    }
}

// === paging ===

/// Which part of a list a request asks for, and the `Link` header that leads to the others.
pub(super) fn paged<T>(root: &str, call: &Call, items: Vec<T>) -> (Vec<T>, Option<String>) {
    let number = |name: &str| call.parameter(name).and_then(|text| text.parse::<usize>().ok()).filter(|number| *number > 0);
    let size = number("per_page").unwrap_or(PAGE).min(LARGEST_PAGE);
    let page = number("page").unwrap_or(1);
    let last = items.len().div_ceil(size).max(1);
    let address = |page: usize| {
        let rest: String = call
            .query
            .iter()
            .filter(|(name, _)| name != "page")
            .map(|(name, value)| format!("{}={}&", encoded(name), encoded(value)))
            .collect();
        format!("<{root}{}?{rest}page={page}>", call.path)
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(format!("{}; rel=\"prev\"", address((page - 1).min(last))));
    }
    if page < last {
        links.push(format!("{}; rel=\"next\"", address(page + 1)));
        links.push(format!("{}; rel=\"last\"", address(last)));
    }
    if page > 1 {
        links.push(format!("{}; rel=\"first\"", address(1)));
    }
    let entries = items.into_iter().skip((page - 1).saturating_mul(size)).take(size).collect();
    (entries, (!links.is_empty()).then(|| links.join(", ")))
}

/// The answer with one page of a list.
pub(super) fn listed(root: &str, call: &Call, items: Vec<Value>) -> Reply {
    let (entries, link) = paged(root, call, items);
    let reply = Reply::ok(Value::Array(entries));
    match link {
        Some(link) => reply.with("link", link),
        None => reply,
    }
}

// === percent signs ===

/// Escapes what a query or path segment cannot hold.
pub(super) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Undoes the escapes of a path segment; what is no escape stays.
pub(super) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        let escape = (byte == b'%').then(|| text.get(position + 1..position + 3)).flatten();
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                plain.push(value);
                position += 3;
            }
            None => {
                plain.push(byte);
                position += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}
