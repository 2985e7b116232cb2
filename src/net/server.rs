//! One request to a sync tool's or a cluster's API, and the sentence for everything that is no answer.
//!
//! Files are read at each request, so that a rotated token or certificate is picked up. The server is the operator's, so private ranges
//! are open; metadata services stay refused and redirects are not followed. What a server says is cut short, and the token is taken out of it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::address::AddressRules;
use super::client::{BodyLength, Client, Request};
use super::redact::Redactor;
use super::secret::{Secret, read_secret_file};
use super::trust::Trust;
use crate::engine::sync::one_line;

/// How much of an answer is read, in bytes. A Kustomization with its inventory is smaller than an object can be in etcd, 1.5 MiB; an
/// Application with the state of a thousand resources is about 1 MiB.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// The longest certificate file that is read, in bytes. The bundle of all public authorities has about 220 KiB.
const LONGEST_CERTIFICATES: u64 = 1024 * 1024;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A token or certificate, or the file that holds it.
#[derive(Clone, Debug)]
pub enum Material {
    /// The file. A token is its first line.
    File(PathBuf),
    /// The text itself.
    Text(Secret),
}

/// An API, and what a request to it needs.
#[derive(Clone, Debug)]
pub struct Server {
    url: String,
    token: Option<Material>,
    authorities: Option<Material>,
    identity: Option<(Material, Material)>,
}

/// Why there is no answer that can be used, in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such object.
    Absent,
    /// Anything else.
    Other(String),
}

/// What an API says beside an error status: `message` in Kubernetes and in Argo CD.
#[derive(Deserialize)]
struct Complaint {
    message: String,
}

// === impl Server ===

impl Server {
    /// The API at a base address, asked without a token.
    pub fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), token: None, authorities: None, identity: None }
    }

    /// With a bearer token.
    #[must_use]
    pub fn with_token(mut self, token: Option<Material>) -> Self {
        self.token = token;
        self
    }

    /// With these certificate authorities in place of the machine's.
    #[must_use]
    pub fn with_authorities(mut self, authorities: Option<Material>) -> Self {
        self.authorities = authorities;
        self
    }

    /// With a client certificate.
    #[must_use]
    pub fn with_identity(mut self, certificate: Material, key: Material) -> Self {
        self.identity = Some((certificate, key));
        self
    }

    /// The JSON behind `path`, which begins with a slash.
    ///
    /// # Errors
    /// [`Refusal`]: no such object, or anything else that is no answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        let other = Refusal::Other;
        let client = self.client().map_err(other)?;
        let mut request = Request::get(format!("{}{path}", self.url), PATIENCE).with_body_limit(ANSWER_LIMIT);
        let mut secrets = Vec::new();
        if let Some(token) = &self.token {
            let token = token.first_line().map_err(other)?;
            request = request.with_header("authorization", Secret::new(format!("Bearer {}", token.expose())));
            secrets.push(token);
        }
        let request = request.with_header("accept", Secret::new("application/json"));
        let answer = client.send(&request).await.map_err(|error| Refusal::Other(error.to_string()))?;
        // A server or a proxy before it may quote the request in what it says.
        let redactor = Redactor::new(secrets);
        let complaint = |body: &[u8]| {
            serde_json::from_slice::<Complaint>(body)
                .map_or_else(|_| String::new(), |complaint| format!(": {}", one_line(&redactor.redact(&complaint.message))))
        };
        match (answer.status, answer.length) {
            (200, BodyLength::Cut) => Err(Refusal::Other("the answer is longer than 8 MiB".into())),
            (200, BodyLength::Whole) => serde_json::from_slice(&answer.body)
                .map_err(|error| Refusal::Other(format!("unreadable answer: {}", one_line(&redactor.redact(&error.to_string()))))),
            (404, _) => Err(Refusal::Absent),
            (401, _) => Err(Refusal::Other(format!("HTTP status 401, the token is not accepted{}", complaint(&answer.body)))),
            (403, _) => Err(Refusal::Other(format!("HTTP status 403, the token may not read it{}", complaint(&answer.body)))),
            (status, _) => Err(Refusal::Other(format!("HTTP status {status}{}", complaint(&answer.body)))),
        }
    }

    fn client(&self) -> Result<Client, String> {
        let mut trust = Trust::default();
        if let Some(authorities) = &self.authorities {
            trust = trust.with_authorities(authorities.whole()?.expose().as_bytes().to_vec());
        }
        if let Some((certificate, key)) = &self.identity {
            trust = trust.with_identity(Secret::new(format!("{}\n{}", certificate.whole()?.expose(), key.whole()?.expose())));
        }
        let rules = AddressRules::for_operator();
        match (&self.authorities, &self.identity) {
            // Only this way does a machine without certificate authorities get a client at all.
            (None, None) => Client::new(rules),
            _ => Client::with_trust(rules, &trust),
        }
        .map_err(|error| error.to_string())
    }
}

// === impl Material ===

impl Material {
    fn first_line(&self) -> Result<Secret, String> {
        match self {
            Self::File(path) => read_secret_file(path).map_err(|error| error.to_string()),
            Self::Text(text) => Ok(text.clone()),
        }
    }

    fn whole(&self) -> Result<Secret, String> {
        match self {
            Self::File(path) => certificates(path),
            Self::Text(text) => Ok(text.clone()),
        }
    }
}

fn certificates(path: &Path) -> Result<Secret, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_CERTIFICATES + 1).read_to_string(&mut text));
    match read {
        Ok(length) if length as u64 > LONGEST_CERTIFICATES => Err(format!("the certificate file {} is longer than 1 MiB", path.display())),
        Ok(_) => Ok(Secret::new(text)),
        Err(error) => Err(format!("cannot read the certificate file {}: {error}", path.display())),
    }
}

/// A name as one segment of a path or one value of a query: everything but letters, digits, `-`, `.` and `_` is encoded.
pub fn segment(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// A time in RFC 3339, as Kubernetes writes it. It has whole seconds, cut off, so that the end of its second is what surely came after.
pub fn end_of_second(text: &str) -> Option<crate::engine::time::Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(crate::engine::time::Timestamp(time.timestamp().checked_mul(1000)?.checked_add(1000)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("checkout-prod.eu_1"), "checkout-prod.eu_1");
        assert_eq!(segment("../a?b#c d/ü"), "..%2Fa%3Fb%23c%20d%2F%C3%BC");
    }

    #[test]
    fn a_time_is_the_end_of_its_second() {
        let second = |text| end_of_second(text).map(|time| time.millis());
        assert_eq!(second("2026-11-21T03:04:05Z"), Some(1_795_230_246_000));
        assert_eq!(second("2026-11-21T04:04:05.999999+01:00"), Some(1_795_230_246_000));
        assert_eq!(second("yesterday"), None);
    }
}
