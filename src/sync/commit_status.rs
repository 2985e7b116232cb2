//! Commit statuses that the notification controllers of Flux and Argo CD write on the forge: what can be known without access to a cluster.
//!
//! Only `forge/` asks a forge, so the statuses come through [`CommitStatuses`], which the agent implements over it. A status tells less
//! than the tool does: Flux does not write one again that the commit already has, so a rollback by hand and a pause do not show, and
//! neither tool's status tells whether the roll-out was watched.
//!
//! Source of contexts and states: the notification controller's `docs/spec/v1beta3/providers.md`, "Git Commit Status Updates"
//! (`kustomization/<name>/<first part of the provider's uid>`, `success` for events of severity info and `failure` for errors, the reason in
//! lower-case words as description), and Argo CD's operator manual, "Notifications", service GitHub (`continuous-delivery/<name>`).

use std::future::Future;
use std::pin::Pin;

use super::{ReportFuture, SyncSource};
use crate::engine::id::CommitId;
use crate::engine::sync::{AttemptShows, FailureCause, ReportedRevision, Rollout, SyncReport, SyncState, one_line};
use crate::engine::time::Timestamp;

/// One status of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// The commit.
    pub commit: CommitId,
    /// Who says it: `kustomization/checkout/0c9c2e41`, `continuous-delivery/checkout-prod`.
    pub context: String,
    /// What it says.
    pub state: StatusState,
    /// In words.
    pub description: String,
    /// When, by the forge's clock.
    pub at: Timestamp,
}

/// The states of a commit status; ordered by which one counts among several of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusState {
    /// It is in the cluster.
    Success,
    /// It is being applied.
    Pending,
    /// It was refused.
    Failure,
    /// It could not be tried.
    Error,
}

/// A look at statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    /// When it was taken, by our clock; not after it was asked for.
    pub at: Timestamp,
    /// What was seen, in any order.
    pub statuses: Vec<CommitStatus>,
}

/// Statuses to wait for, or why there are none, in a few words.
pub type StatusesFuture<'a> = Pin<Box<dyn Future<Output = Result<Statuses, String>> + Send + 'a>>;

/// Where the statuses come from.
pub trait CommitStatuses: Send + Sync {
    /// All statuses of the newest commits of the watched branch, as they were seen at `now` or shortly before. It must reach back to a commit
    /// that was applied.
    fn recent(&self, now: Timestamp) -> StatusesFuture<'_>;
}

/// Follows the statuses of one context.
pub struct CommitStatusSource {
    statuses: Box<dyn CommitStatuses>,
    context: String,
}

// === impl CommitStatusSource ===

impl CommitStatusSource {
    /// `context` is one context, or the begin of one with a `*` at its end, for the part that Flux takes from its provider's uid.
    pub fn new(statuses: Box<dyn CommitStatuses>, context: impl Into<String>) -> Self {
        Self { statuses, context: context.into() }
    }

    async fn ask(&self, now: Timestamp) -> SyncReport {
        match self.statuses.recent(now).await {
            Ok(seen) => interpret(seen.at, &seen.statuses, &self.context),
            Err(why) => SyncReport::unknown(now, format!("commit statuses: {why}")),
        }
    }
}

impl SyncSource for CommitStatusSource {
    fn observe(&self, now: Timestamp) -> ReportFuture<'_> {
        Box::pin(self.ask(now))
    }
}

impl std::fmt::Debug for CommitStatusSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitStatusSource").field("context", &self.context).finish_non_exhaustive()
    }
}

/// What the statuses of a context come to. Pure.
pub fn interpret(now: Timestamp, statuses: &[CommitStatus], context: &str) -> SyncReport {
    let mut ours: Vec<&CommitStatus> = statuses.iter().filter(|status| matches_context(context, &status.context)).collect();
    ours.sort_by_key(|status| (status.at, status.state));
    let Some(newest) = ours.last() else {
        return SyncReport::unknown(now, format!("commit statuses: none has the context `{}`", one_line(context)));
    };
    let mut state = state(newest);
    if ours.iter().any(|status| status.context != newest.context) {
        // Two Kustomizations of one name in two namespaces, or two clusters that write on one repository.
        let why = format!("commit statuses: more than one context matches `{}`", one_line(context));
        return SyncReport::unknown(now, why);
    }
    let applied = ours.iter().rev().find(|status| in_cluster(status));
    let rollout = match applied {
        Some(status) if status.state != StatusState::Success => Rollout::Degraded { why: one_line(&status.description) },
        Some(_) => Rollout::Unwatched,
        None => Rollout::Unknown,
    };
    // Who had to wait for something else was not tried.
    let attempted = ours.iter().rev().find(|status| cause(status) != FailureCause::Elsewhere || status.state < StatusState::Failure);
    if in_cluster(newest) {
        state = SyncState::Applied;
    }
    SyncReport {
        at: now,
        state,
        // Flux writes a status only once a reconciliation has ended.
        shows: AttemptShows::AtEnd,
        attempted: attempted.map(|status| ReportedRevision::of(status.commit).at(Some(status.at))),
        applied: applied.map(|status| ReportedRevision::of(status.commit).at(Some(status.at))).into_iter().collect(),
        rollout,
    }
}

fn matches_context(wanted: &str, context: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(begin) => context.starts_with(begin),
        None => context == wanted,
    }
}

fn state(status: &CommitStatus) -> SyncState {
    match status.state {
        StatusState::Success | StatusState::Pending => SyncState::Progressing,
        StatusState::Failure | StatusState::Error => SyncState::Failed { why: one_line(&status.description), cause: cause(status) },
    }
}

/// Whether the status says that its commit is in the cluster. Flux writes `success` for every event that is no error, such as the begin of
/// a wait; only the reason tells. A failed health check comes after everything was applied.
fn in_cluster(status: &CommitStatus) -> bool {
    match (status.state, of_flux(status)) {
        (StatusState::Success, true) => {
            ["reconciliation succeeded", "health check succeeded", "succeeded"].contains(&reason(status).as_str())
        }
        (StatusState::Success, false) => true,
        (StatusState::Failure, true) => reason(status) == "health check failed",
        _ => false,
    }
}

fn cause(status: &CommitStatus) -> FailureCause {
    match (of_flux(status), reason(status).as_str()) {
        (true, "build failed") => FailureCause::Revision,
        (true, "artifact failed" | "dependency not ready" | "access denied") => FailureCause::Elsewhere,
        _ => FailureCause::Unclear,
    }
}

fn of_flux(status: &CommitStatus) -> bool {
    status.context.starts_with("kustomization/")
}

fn reason(status: &CommitStatus) -> String {
    status.description.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, commit};
    use super::*;
    use StatusState::{Error, Failure, Pending, Success};

    const FLUX: &str = "kustomization/checkout/0c9c2e41";
    const ARGO: &str = "continuous-delivery/checkout-prod";

    fn status(context: &str, digit: char, second: i64, state: StatusState, description: &str) -> CommitStatus {
        let at = Timestamp::from_secs(second);
        CommitStatus { commit: commit(digit), context: context.into(), state, description: description.into(), at }
    }

    fn read(statuses: &[CommitStatus], context: &str) -> (SyncState, Option<CommitId>, Option<CommitId>) {
        let report = interpret(NOW, statuses, context);
        assert!(report.applied.len() < 2);
        (report.state, report.attempted.map(|revision| revision.commit), report.applied.first().map(|revision| revision.commit))
    }

    fn failed(why: &str, cause: FailureCause) -> SyncState {
        SyncState::Failed { why: why.into(), cause }
    }

    #[test]
    fn the_newest_status_is_the_state_and_the_newest_success_is_applied() {
        let history =
            [status(ARGO, 'b', 20, Pending, "syncing"), status(ARGO, 'a', 10, Success, ""), status("ci/build", 'c', 40, Success, "")];
        let (a, b) = (Some(commit('a')), Some(commit('b')));
        assert_eq!(read(&history, ARGO), (SyncState::Progressing, b, a));
        let with = |state, words: &str| read(&[&history[..], &[status(ARGO, 'b', 30, state, words)]].concat(), ARGO);
        assert_eq!(with(Success, "is now running"), (SyncState::Applied, b, b));
        assert_eq!(with(Failure, "sync failed"), (failed("sync failed", FailureCause::Unclear), b, a));
        assert_eq!(with(Error, "sync failed"), (failed("sync failed", FailureCause::Unclear), b, a));
        // An older commit that is applied again is what runs.
        let back = [&history[..], &[status(ARGO, 'b', 30, Success, ""), status(ARGO, 'a', 50, Success, "")]].concat();
        assert_eq!(read(&back, ARGO), (SyncState::Applied, a, a));
    }

    #[test]
    fn the_time_is_that_of_the_status() {
        let report = interpret(NOW, &[status(ARGO, 'a', 10, Success, "")], ARGO);
        assert_eq!(report.applied, [ReportedRevision::of(commit('a')).at(Some(Timestamp::from_secs(10)))]);
        assert_eq!((report.at, report.rollout), (NOW, Rollout::Unwatched));
    }

    #[test]
    fn fluxs_success_counts_only_with_its_reason() {
        let (a, b) = (Some(commit('a')), Some(commit('b')));
        let after = |state, words: &str| {
            let before = status(FLUX, 'a', 10, Success, "reconciliation succeeded");
            read(&[before, status(FLUX, 'b', 20, state, words)], "kustomization/checkout/*")
        };
        assert_eq!(after(Success, "reconciliation succeeded"), (SyncState::Applied, b, b));
        assert_eq!(after(Success, "dependencies do not meet ready condition"), (SyncState::Progressing, b, a));
        assert_eq!(after(Failure, "build failed"), (failed("build failed", FailureCause::Revision), b, a));
        assert_eq!(after(Failure, "reconciliation failed"), (failed("reconciliation failed", FailureCause::Unclear), b, a));
        // Who had to wait was not tried.
        assert_eq!(after(Failure, "dependency not ready"), (failed("dependency not ready", FailureCause::Elsewhere), a, a));
        assert_eq!(after(Failure, "health check failed"), (SyncState::Applied, b, b));
        let degraded = interpret(NOW, &[status(FLUX, 'b', 20, Failure, "health check failed")], FLUX);
        assert_eq!(degraded.rollout, Rollout::Degraded { why: "health check failed".into() });
    }

    #[test]
    fn of_one_moment_the_worse_status_counts() {
        let both = [status(ARGO, 'b', 20, Failure, "no"), status(ARGO, 'b', 20, Success, "")];
        assert_eq!(read(&both, ARGO).0, failed("no", FailureCause::Unclear));
    }

    #[test]
    fn what_cannot_be_told_is_unknown() {
        let unknown = |why: &str| (SyncState::Unknown { why: why.into() }, None, None);
        let statuses = [status(FLUX, 'a', 10, Success, "reconciliation succeeded")];
        assert_eq!(read(&statuses, "kustomization/cart/*"), unknown("commit statuses: none has the context `kustomization/cart/*`"));
        assert_eq!(read(&[], ARGO), unknown("commit statuses: none has the context `continuous-delivery/checkout-prod`"));
        let two = [&statuses[..], &[status("kustomization/checkout/ffffffff", 'b', 20, Success, "")]].concat();
        assert_eq!(
            read(&two, "kustomization/checkout/*"),
            unknown("commit statuses: more than one context matches `kustomization/checkout/*`")
        );
    }

    struct Script(Result<Statuses, String>);

    impl CommitStatuses for Script {
        fn recent(&self, _: Timestamp) -> StatusesFuture<'_> {
            Box::pin(async { self.0.clone() })
        }
    }

    #[tokio::test]
    async fn the_source_asks_its_port() {
        let source = |answer| CommitStatusSource::new(Box::new(Script(answer)), ARGO);
        let seen = Statuses { at: Timestamp::from_secs(11), statuses: vec![status(ARGO, 'a', 10, Success, "")] };
        let good = source(Ok(seen)).observe(NOW).await;
        assert_eq!((good.state, good.at), (SyncState::Applied, Timestamp::from_secs(11)), "as it was when they were read");
        let cut_off = source(Err("timed out after 10s".into())).observe(NOW).await;
        assert_eq!(cut_off, SyncReport::unknown(NOW, "commit statuses: timed out after 10s"));
    }
}
