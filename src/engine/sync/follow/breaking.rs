//! Whether a change is what a sync fails of, and since when: the attempts with it fail, and the last one without it did not (E6).

use super::{Contains, Said};
use crate::engine::id::CommitId;
use crate::engine::sync::{FailureCause, ReportRun, SyncReport, SyncState};
use crate::engine::time::Interval;

/// What is asked of a history.
pub(super) struct Asked<'a, F> {
    /// The change.
    pub change: CommitId,
    /// When it landed.
    pub landed: Interval,
    /// Everything that was said, oldest first.
    pub history: &'a [ReportRun],
    /// Whether a revision contains a change.
    pub contains: &'a F,
}

/// A sync that a change broke.
pub(super) struct Broken {
    /// The revision that is applied instead.
    pub before: CommitId,
    /// From the last moment at which it was not seen to fail of it to the first at which it was; without a beginning where it failed from
    /// the first look on.
    pub since: Interval,
}

/// The sync that the change itself broke: the attempt with it fails, and the last one without it did not. A later change that only came along
/// fails too, but so did the attempt before it.
pub(super) fn breaks_the_sync<F: Fn(CommitId, CommitId) -> Contains>(
    asked: &Asked<'_, F>,
    newest: &SyncReport,
    said: &Said,
    cause: FailureCause,
) -> Option<Broken> {
    let before = newest.applied.first()?.commit;
    if said.applied != Contains::No || cause == FailureCause::Elsewhere {
        return None;
    }
    if newest.attempted.is_some() && said.attempted != Contains::Yes {
        return None;
    }
    let earlier = asked.history.iter().rev().map(|run| &run.report).filter(|report| asked.tried_without(report));
    let verdict = earlier.map(|report| &report.state).find_map(|state| match state {
        SyncState::Applied => Some(true),
        SyncState::Failed { cause, .. } => Some(*cause == FailureCause::Elsewhere),
        _ => None,
    });
    // Without an attempt before it, only the tool's own word that the revision is at fault counts, and only for a revision with a name.
    let guilty = verdict.unwrap_or(cause == FailureCause::Revision && newest.attempted.is_some());
    guilty.then(|| Broken { before, since: asked.since() })
}

// === impl Asked ===

impl<F: Fn(CommitId, CommitId) -> Contains> Asked<'_, F> {
    fn tried_without(&self, report: &SyncReport) -> bool {
        match &report.attempted {
            Some(revision) => (self.contains)(revision.commit, self.change) == Contains::No,
            // A revision that cannot be built has no name: only what was said before the change can have landed is surely without it.
            None => self.landed.after.is_some_and(|after| report.at <= after),
        }
    }

    /// Since when it fails: from the first failure after the last attempt without the change. Tries in between are under way or unknown, and
    /// end nothing.
    fn since(&self) -> Interval {
        let without = self.history.iter().rposition(|run| run.report.is_known() && self.tried_without(&run.report));
        let first = without.map_or(0, |position| position + 1);
        let failed = |run: &&ReportRun| matches!(run.report.state, SyncState::Failed { .. });
        let by = self.history[first..].iter().find(failed).or(self.history.last()).map_or(self.landed.by, |run| run.report.at);
        let after = without.map(|position| self.history[position].last).max(self.landed.after.filter(|_| without.is_some()));
        Interval { after: after.map(|after| after.min(by)), by }
    }
}
