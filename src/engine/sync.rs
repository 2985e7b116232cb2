//! What a sync tool says about one instance, as plain values: which revision it tried, which it applied, and how the roll-out stands.
//!
//! The words are those of design §2: *attempted* is tried by the sync tool, *applied* is put into the cluster, *effective* is rolled out
//! completely. The sources in `sync/` make [`SyncReport`]s; [`follow`] makes intervals of successive ones. A report holds commits of the
//! watched repository only: what a source cannot bring back to one is unknown, and unknown is never applied (promise P2).

pub mod applied;
pub mod follow;
pub mod running;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::CommitId;
use super::time::{Interval, Timestamp};

pub use words::one_line;

/// What the sync tool of one instance says at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncReport {
    /// When it was asked, by our clock.
    pub at: Timestamp,
    /// How its last attempt stands, or why it makes none.
    pub state: SyncState,
    /// From when on an attempt shows.
    pub shows: AttemptShows,
    /// The revision of its last attempt.
    pub attempted: Option<ReportedRevision>,
    /// The revisions that are in the cluster: one as a rule, several while a revision metric still sees both sides of a roll-out.
    pub applied: Vec<ReportedRevision>,
    /// How far the roll-out of what is applied has come.
    pub rollout: Rollout,
}

/// A revision in a sync tool's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedRevision {
    /// The commit of the watched repository. Where a hydrator renders, that is the dry commit.
    pub commit: CommitId,
    /// The rendered commit that the tool itself names, where a hydrator renders.
    pub rendered: Option<CommitId>,
    /// When, by the tool's clock: the begin of an attempt, or the end of applying. Believed only where it fits our own observations.
    pub at: Option<Timestamp>,
}

/// How the last attempt of a sync tool stands, or why it makes none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncState {
    /// The last attempt succeeded.
    Applied,
    /// An attempt is under way.
    Progressing,
    /// The last attempt failed.
    Failed {
        /// What the tool says, on one line.
        why: String,
        /// What it failed of.
        cause: FailureCause,
    },
    /// Nothing is applied by itself: automatic sync is off.
    Paused,
    /// Nothing is reconciled at all until somebody resumes it.
    Suspended,
    /// It cannot be told.
    Unknown {
        /// Why not, in a few words.
        why: String,
    },
}

/// From when on an attempt shows. One that shows at its end may have put things into the cluster before anything was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttemptShows {
    /// From its begin: what is not named has not been tried.
    AtBegin,
    /// From its end: what is not named may have been tried.
    AtEnd,
}

/// What an attempt failed of (E6: only a failure of the revision makes a change a suspect).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureCause {
    /// What the revision says: it cannot be built, or the cluster refuses it.
    Revision,
    /// Something else: a source or a cluster that cannot be reached, a dependency that is not ready.
    Elsewhere,
    /// The tool's words do not tell.
    Unclear,
}

/// How far a roll-out has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Rollout {
    /// Everything runs and is healthy as far as the tool judges.
    Complete,
    /// It is under way.
    Progressing,
    /// It came to a halt.
    Degraded {
        /// What the tool says, on one line.
        why: String,
    },
    /// The tool was not told to watch it.
    Unwatched,
    /// It cannot be told.
    Unknown,
}

/// Equal reports in a row, from the first to the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportRun {
    /// The first of them.
    pub report: SyncReport,
    /// When the last of them was made.
    pub last: Timestamp,
}

// === impl SyncReport, ReportedRevision, ReportRun, Rollout ===

impl SyncReport {
    /// A report that says nothing, and why.
    pub fn unknown(at: Timestamp, why: impl Into<String>) -> Self {
        let state = SyncState::Unknown { why: why.into() };
        Self { at, state, shows: AttemptShows::AtEnd, attempted: None, applied: Vec::new(), rollout: Rollout::Unknown }
    }

    /// Whether it says anything.
    pub fn is_known(&self) -> bool {
        !matches!(self.state, SyncState::Unknown { .. })
    }

    /// Whether a hydrator renders what the tool applies.
    pub fn is_rendered(&self) -> bool {
        self.attempted.iter().chain(&self.applied).any(|revision| revision.rendered.is_some())
    }

    /// Whether another report, made at another time, says the same.
    pub fn says_the_same(&self, other: &Self) -> bool {
        Self { at: other.at, ..self.clone() } == *other
    }
}

impl ReportedRevision {
    /// A commit of the watched repository at a time that the tool does not tell.
    pub fn of(commit: CommitId) -> Self {
        Self { commit, rendered: None, at: None }
    }

    /// The same with the tool's time.
    #[must_use]
    pub fn at(mut self, at: Option<Timestamp>) -> Self {
        self.at = at;
        self
    }
}

impl ReportRun {
    /// Adds a report to a history, oldest first. A report that says what the newest one says only makes its run longer, so that a history
    /// grows with what happens and not with time. A report that is older than the newest is left out.
    pub fn record(history: &mut Vec<Self>, report: SyncReport) {
        match history.last_mut() {
            Some(newest) if report.at < newest.last => {}
            Some(newest) if newest.report.says_the_same(&report) => newest.last = report.at,
            _ => history.push(Self { last: report.at, report }),
        }
    }
}

/// The commit of a revision as sync tools write it: `main@sha1:<oid>` (Flux since 0.41), `main/<oid>` (before), `sha1:<oid>`, or the
/// bare object id (Argo CD). `None` for anything else: a chart's version, a shortened id, a SHA-256 id.
pub fn commit_of(revision: &str) -> Option<CommitId> {
    let id = match revision.rsplit_once('@') {
        Some((_, digest)) => digest.strip_prefix("sha1:")?,
        None => match revision.strip_prefix("sha1:") {
            Some(id) => id,
            // A branch may hold slashes; the id is what follows the last one.
            None => revision.rsplit('/').next()?,
        },
    };
    id.parse().ok()
}

/// When a change that landed is assumed to be applied, without a source that says: from the earliest moment at which it can have landed
/// to the latest plus `lag` (design §7).
pub fn assumed(landed: Interval, lag: Duration) -> Interval {
    landed.stretched(lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_revision_is_read_in_every_form_that_tools_write() {
        let commit: CommitId = OID.parse().unwrap();
        for form in ["main@sha1:", "feature/a@b@sha1:", "sha1:", "main/", "feature/a/", ""] {
            assert_eq!(commit_of(&format!("{form}{OID}")), Some(commit), "{form}");
        }
        let other = format!("main@sha256:{OID}{}", &OID[..24]);
        for text in ["", "1.4.2", "1.4.2+0123456789ab", "main", "main/", "main@sha1:", "main@sha1:0123456", other.as_str()] {
            assert_eq!(commit_of(text), None, "{text}");
        }
    }

    #[test]
    fn equal_reports_make_one_run() {
        let at = Timestamp::from_secs;
        let mut history = Vec::new();
        for (second, why) in [(1, "a"), (2, "a"), (3, "b"), (2, "late"), (4, "a")] {
            ReportRun::record(&mut history, SyncReport::unknown(at(second), why));
        }
        let runs: Vec<(i64, i64)> = history.iter().map(|run| (run.report.at.secs(), run.last.secs())).collect();
        assert_eq!(runs, [(1, 2), (3, 3), (4, 4)]);
    }

    #[test]
    fn a_lag_ends_after_the_latest_landing() {
        let landed = Interval::new(Timestamp::from_secs(10), Timestamp::from_secs(20));
        assert_eq!(assumed(landed, Duration::from_secs(5)), Interval::new(Timestamp::from_secs(10), Timestamp::from_secs(25)));
    }
}
