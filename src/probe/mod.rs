//! Measures services: each probe gives rounds, and never an error (promise P2: what could not be measured is a round as well).
//!
//! A probe asks and words what it found; whether a value is good is the engine's to say. The time comes as an argument, so that a
//! scripted probe in a test and a real one are used in the same way; only how long a request took is measured here.

pub mod alert;
pub mod http;
pub mod prometheus;
mod versions;
pub mod workload;

use std::future::Future;
use std::pin::Pin;

use crate::engine::round::Round;
use crate::engine::time::Timestamp;
use crate::engine::versions::ToldVersions;

/// A round to wait for.
pub type RoundFuture<'a> = Pin<Box<dyn Future<Output = Round> + Send + 'a>>;

/// Rounds to wait for.
pub type RoundsFuture<'a> = Pin<Box<dyn Future<Output = Vec<Round>> + Send + 'a>>;

/// What is told of versions, to wait for.
pub type VersionsFuture<'a> = Pin<Box<dyn Future<Output = Option<ToldVersions>> + Send + 'a>>;

/// Measures one indicator.
pub trait Probe: Send + Sync {
    /// One round. For an HTTP indicator `at` is now, when the round starts; for a metrics indicator it is the end of the window that
    /// the round covers ([`prometheus::last_end`]).
    fn round(&self, at: Timestamp) -> RoundFuture<'_>;

    /// The rounds that lie whole between `from` and `to`, oldest first, of a source that keeps a history; none of one that keeps none:
    /// a request that was not sent then cannot be sent now.
    fn backfill(&self, from: Timestamp, to: Timestamp) -> RoundsFuture<'_> {
        let _ = (from, to);
        Box::pin(async { Vec::new() })
    }

    /// What each version of the service did, up to the round that ended at `end`; `None` of an indicator that tells none apart.
    fn versions(&self, end: Timestamp) -> VersionsFuture<'_> {
        let _ = end;
        Box::pin(async { None })
    }
}
