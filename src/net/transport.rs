//! The HTTP transport of a library that speaks a forge's protocol itself.
//!
//! Such a library wants the HTTP client as its own type. It gets one that is set up here, because only this module may say how requests
//! leave: the name is resolved and judged by the same guard as everywhere, no redirect is followed, nothing is sent twice, and no proxy
//! comes from the environment. Unlike [`super::client`], connections are kept, because a forge is one host that is asked all day.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::address::AddressRules;
use super::failure::{NoAnswer, Scheme, tidy};
use super::redact::without_user_information;
use super::resolve::{GuardedResolver, SystemLookup};
use super::secret::{LONGEST_SECRET_FILE, Secret};

/// The time that a connection has, as in [`super::client`].
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How a transport reaches its host.
#[derive(Clone, Debug)]
pub struct TransportSettings {
    /// Where the host is, `https://github.example`. Its host is judged by the operator's rules before anything is sent.
    pub url: String,
    /// A file of certificate authorities in PEM, trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy's address. It may carry user information, so it is a secret.
    pub proxy: Option<Secret>,
    /// The time that a whole exchange has.
    pub timeout: Duration,
}

/// A client that is set up, to be handed to the library.
#[derive(Clone, Debug)]
pub struct Transport {
    client: reqwest::Client,
}

/// The transport could not be set up. Says why in one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(String);

// === impl Transport ===

impl Transport {
    /// Sets the client up. Nothing is sent.
    ///
    /// # Errors
    /// The address may not be asked, the file of certificate authorities or the proxy's address cannot be used, or TLS cannot be set up.
    pub fn new(settings: &TransportSettings) -> Result<Self, TransportError> {
        let rules = AddressRules::for_operator();
        let url = reqwest::Url::parse(&settings.url).map_err(|error| TransportError(format!("not an address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TransportError(format!("the scheme `{}` is neither http nor https", tidy(url.scheme()))));
        }
        rules.check_host(url.host_str().unwrap_or_default()).map_err(|error| TransportError(error.to_string()))?;
        let mut builder = reqwest::Client::builder()
            .dns_resolver(GuardedResolver::new(Arc::new(SystemLookup), rules))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(settings.timeout);
        if let Some(proxy) = &settings.proxy {
            // The library's own error may quote the address.
            let proxy = reqwest::Proxy::all(proxy.expose()).map_err(|_| TransportError("the proxy's address cannot be used".to_owned()))?;
            builder = builder.proxy(proxy);
        }
        if let Some(path) = &settings.ca_file {
            let unusable = |error: String| TransportError(format!("cannot use the certificate authorities in {}: {error}", path.display()));
            let length = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?.len();
            // The system's whole bundle has some 200 KiB.
            if length > 16 * LONGEST_SECRET_FILE {
                return Err(unusable("the file is longer than 1 MiB".to_owned()));
            }
            let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(tidy(&error.to_string())))?;
            if certificates.is_empty() {
                return Err(unusable("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| {
            let cause = Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            TransportError(format!("cannot set up the HTTP client: {}", without_user_information(&tidy(&cause))))
        })?;
        Ok(Self { client })
    }

    /// The client itself, for the library that it is set up for.
    pub(crate) fn library(&self) -> reqwest::Client {
        self.client.clone()
    }
}

/// The failure of the transport that is among the causes of an error, if one is. `timeout` is the time that the exchange had.
pub fn transport_failure(error: &(dyn Error + 'static), timeout: Duration) -> Option<NoAnswer> {
    std::iter::successors(Some(error), |&cause| cause.source()).find_map(|cause| cause.downcast_ref::<reqwest::Error>()).map(|found| {
        if found.is_timeout() && !found.is_connect() {
            return NoAnswer::TimedOut { after: timeout };
        }
        let scheme = match found.url().map(reqwest::Url::scheme) {
            Some("http") => Scheme::Plain,
            _ => Scheme::Encrypted,
        };
        NoAnswer::from_library(found, scheme, CONNECT_LIMIT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> TransportSettings {
        TransportSettings { url: url.to_owned(), ca_file: None, proxy: None, timeout: Duration::from_secs(1) }
    }

    #[test]
    fn an_address_that_may_not_be_asked_is_refused_before_anything_is_sent() {
        let refused = |url: &str| Transport::new(&settings(url)).unwrap_err().to_string();
        assert!(refused("http://169.254.169.254").contains("link-local"));
        assert!(refused("ftp://github.example").contains("neither http nor https"));
        assert!(refused("github").contains("not an address"));
        assert!(Transport::new(&settings("http://127.0.0.1:9")).is_ok());
    }

    #[test]
    fn a_certificate_file_that_holds_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "no certificate").unwrap();
        let error = Transport::new(&TransportSettings { ca_file: Some(path), ..settings("https://github.example") }).unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }

    #[test]
    fn a_proxy_with_a_password_is_shown_nowhere() {
        let proxied = |proxy: &str| TransportSettings { proxy: Some(Secret::new(proxy)), ..settings("https://github.example") };
        let settings = proxied("http://user:canary-7f3a@proxy.example:3128");
        let shown = format!("{settings:?} {:?}", Transport::new(&settings).unwrap());
        assert!(!shown.contains("canary-7f3a"), "{shown}");
        let bad = Transport::new(&proxied("http://user:canary-7f3a@[")).unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("canary"), "{bad}");
    }
}
