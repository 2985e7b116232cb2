//! What was attempted, applied and effective, asked of the sync tools (design §2 and §7). A source never gives an error: what it cannot
//! tell is a report that says so (promise P2).
//!
//! Its boundary: it words one tool's answer as an [`engine::sync`](crate::engine::sync) report and judges nothing; what successive
//! reports mean for a change is [`follow`](crate::engine::sync::follow)'s to say. Nothing here asks a tool to do anything, not even to
//! look again. The assumed lag needs no source: it is [`assumed`](crate::engine::sync::assumed).

pub mod argocd;
pub mod commit_status;
pub mod flux;
mod repository;
pub mod revision_metric;
#[cfg(test)]
mod testing;

use std::future::Future;
use std::pin::Pin;

use crate::engine::sync::SyncReport;
use crate::engine::time::Timestamp;

/// A report to wait for.
pub type ReportFuture<'a> = Pin<Box<dyn Future<Output = SyncReport> + Send + 'a>>;

/// Tells what one instance runs.
pub trait SyncSource: Send + Sync {
    /// What the tool says. `now` is when it is asked, and becomes the report's time.
    fn observe(&self, now: Timestamp) -> ReportFuture<'_>;
}
