//! Everything that leaves over HTTP: the guarded client, the address rules, secrets and their redaction, the Prometheus
//! query client, and requests to a cluster's or a sync tool's API.
//!
//! The only place that names reqwest (rule 2 of the architecture), so that no request can go around the guard. Ports use the types
//! here; none of reqwest's shows in a public signature. Time comes as an argument; only durations are measured here.

pub mod address;
pub mod client;
mod failure;
pub mod kubernetes;
pub mod prometheus;
pub mod redact;
pub mod resolve;
pub mod secret;
pub mod server;
#[cfg(test)]
pub(crate) mod testing;
pub mod transport;
pub mod trust;
