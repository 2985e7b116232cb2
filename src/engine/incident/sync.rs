//! What sync sources said, and what of it stands out about an incident, as facts add up to it.

use serde::Serialize;

use crate::engine::id::{CommitId, InstanceName};
use crate::engine::policy::Sync;
use crate::engine::sync::follow::Finding;
use crate::engine::sync::{ReportRun, SyncReport};
use crate::engine::time::Timestamp;

/// What stands out about a commit where the service runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncNote {
    /// The revert that landed, or the suspect.
    pub commit: CommitId,
    /// Where, if not in the instance of the incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
    /// What.
    pub finding: Finding,
    /// When it was noted.
    pub at: Timestamp,
}

/// What a sync source has said of what one instance of a policy follows, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncHistory {
    /// What is followed.
    pub follows: Option<Sync>,
    /// Its reports.
    pub runs: Vec<ReportRun>,
}

/// So many different reports are kept of one instance: more than a month of changes.
const REPORTS_KEPT: usize = 1000;

// === impl SyncHistory ===

impl SyncHistory {
    pub(super) fn add(&mut self, follows: &Sync, before: Option<Timestamp>, report: &SyncReport) {
        if self.follows.as_ref() != Some(follows) {
            *self = Self { follows: Some(follows.clone()), runs: Vec::new() };
        }
        if let (Some(newest), Some(before)) = (self.runs.last_mut(), before) {
            newest.last = newest.last.max(before);
        }
        ReportRun::record(&mut self.runs, report.clone());
        let surplus = self.runs.len().saturating_sub(REPORTS_KEPT);
        self.runs.drain(..surplus);
    }
}

// === impl SyncNote ===

impl SyncNote {
    /// One sentence for people, with what to do where there is something. `instance` is that of the incident.
    pub fn sentence(&self, instance: &InstanceName) -> String {
        self.finding.sentence(self.commit, self.instance.as_ref().unwrap_or(instance))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_another_source_said_is_of_no_use() {
        let at = Timestamp::from_secs;
        let (one, other) = (Sync::Lag(Duration::from_secs(1)), Sync::Lag(Duration::from_secs(2)));
        let mut history = SyncHistory::default();
        history.add(&one, None, &SyncReport::unknown(at(1), "a"));
        history.add(&one, Some(at(8)), &SyncReport::unknown(at(9), "b"));
        let runs: Vec<(i64, i64)> = history.runs.iter().map(|run| (run.report.at.secs(), run.last.secs())).collect();
        assert_eq!(runs, [(1, 8), (9, 9)], "the time at which the one before was said for the last time counts");
        history.add(&other, Some(at(10)), &SyncReport::unknown(at(11), "c"));
        assert_eq!(history.runs.len(), 1);
        assert_eq!(history.follows, Some(other));
    }
}
