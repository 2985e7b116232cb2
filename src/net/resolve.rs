//! Resolves a host once and judges every address before a connection may use any of them (catalogue of failures N3).
//!
//! The addresses that were judged are the ones that are connected to: there is no second look-up between the judgement and the
//! connection that a rebinding name server could answer differently. One refused address refuses the host, because a name that
//! points both outside and at a metadata service has no good reason to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use super::address::AddressRules;

/// The addresses of a host, or why there are none.
pub type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks up the addresses of a host name.
pub trait Lookup: Send + Sync {
    /// All addresses of `host`. An error and an empty list both mean that the name does not resolve.
    fn addresses(&self, host: String) -> Addresses;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

/// Hands judged addresses to the connector.
pub(super) struct GuardedResolver {
    lookup: Arc<dyn Lookup>,
    rules: AddressRules,
}

impl Lookup for SystemLookup {
    fn addresses(&self, host: String) -> Addresses {
        Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.map(|address| address.ip()).collect()) })
    }
}

impl GuardedResolver {
    pub(super) fn new(lookup: Arc<dyn Lookup>, rules: AddressRules) -> Self {
        Self { lookup, rules }
    }
}

impl reqwest::dns::Resolve for GuardedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let found = self.lookup.addresses(name.as_str().to_owned());
        let rules = self.rules.clone();
        Box::pin(async move {
            let found = found.await?;
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            for address in &found {
                rules.check_address(*address)?;
            }
            // Port 0 stands for the port of the URL.
            let addresses: reqwest::dns::Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
