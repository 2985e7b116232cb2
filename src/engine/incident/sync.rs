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
    /// One sentence for people, with what to do where there is something.
    pub fn sentence(&self, instance: &InstanceName) -> String {
        self.finding.sentence(self.commit, instance)
    }
}
