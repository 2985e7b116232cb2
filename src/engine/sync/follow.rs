//! From successive reports of one instance and the repository's ancestry to what became of one change there.
//!
//! Everything is compared by ancestry and never by equality: a tool passes over commits, and unrelated ones move its revision. A report
//! that is unknown adds nothing to either side. The earliest moment of *applied* is that of *attempted*, because an attempt that fails
//! half way has put a part of the change into the cluster.

mod breaking;
mod finding;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::breaking::{Asked, Broken, breaks_the_sync};
pub use self::finding::{Direction, Finding};
use super::{AttemptShows, ReportRun, ReportedRevision, Rollout, SyncReport, SyncState};
use crate::engine::id::CommitId;
use crate::engine::time::{Interval, Timestamp};

/// Whether one commit contains another, which is itself or an ancestor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contains {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The repository has no such commit, or could not be asked.
    Unknown,
}

/// How patient the rules here are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A change that landed this long ago and was not tried is stuck.
    pub stuck_after: Duration,
    /// A tool that does not watch the roll-out is taken to have finished it this long after it applied.
    pub unwatched_rollout: Duration,
}

/// What became of one change in one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Followed {
    /// When it landed on the watched branch.
    pub landed: Interval,
    /// When a revision with it was first tried.
    pub attempted: Option<Interval>,
    /// The times in which it was in the cluster, oldest first; more than one where it was rolled back and applied again.
    pub stays: Vec<Stay>,
    /// The last moment before its first stay at which the tool said that it was not in the cluster.
    pub absent_until: Option<Timestamp>,
    /// The newest moment at which the tool said anything.
    pub heard_until: Option<Timestamp>,
    /// Since when the sync fails because of it, where it does. Without a beginning where it was never seen to go before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke: Option<Interval>,
    /// What stands out, where something does.
    pub finding: Option<Finding>,
}

/// A time in which a change was in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stay {
    /// When it was applied.
    pub applied: Interval,
    /// When it was rolled out completely, where that is known.
    pub effective: Option<Interval>,
    /// When a revision without it took its place, where one did.
    pub left: Option<Interval>,
}

/// What one report says about one change.
struct Said {
    attempted: Contains,
    applied: Contains,
    effective: Contains,
}

/// What is known half way through a history.
struct Fold {
    followed: Followed,
    /// The last moment at which no revision with the change had been tried.
    not_tried: Option<Timestamp>,
    /// The last moment at which the change was not in the cluster.
    absent: Option<Timestamp>,
    /// The last moment at which it was.
    there: Option<Timestamp>,
    /// The last moment at which its roll-out was not complete.
    rolling: Option<Timestamp>,
}

/// Follows one change through the reports of one instance, oldest first. `contains(revision, change)` answers from the repository.
/// `landed` bounds everything from below: nothing is tried before it can have landed.
pub fn follow(
    change: CommitId,
    landed: Interval,
    history: &[ReportRun],
    contains: impl Fn(CommitId, CommitId) -> Contains,
    patience: Patience,
    now: Timestamp,
) -> Followed {
    let followed =
        Followed { landed, attempted: None, stays: Vec::new(), absent_until: None, heard_until: None, broke: None, finding: None };
    let mut fold = Fold { followed, not_tried: landed.after, absent: None, there: None, rolling: None };
    for run in history.iter().filter(|run| run.report.is_known()) {
        fold.add(run, &Said::of(&run.report, change, &contains), patience);
    }
    let (finding, broke) = fold.followed.find(change, history, &contains, patience, now);
    Followed { finding, broke, ..fold.followed }
}

// === impl Said ===

impl Said {
    fn of(report: &SyncReport, change: CommitId, contains: &impl Fn(CommitId, CommitId) -> Contains) -> Self {
        let answers: Vec<Contains> = report.applied.iter().map(|revision| contains(revision.commit, change)).collect();
        let all = |answer| !answers.is_empty() && answers.iter().all(|other| *other == answer);
        // While both sides of a roll-out run, the change is in the cluster, but not everywhere.
        let applied = match answers.contains(&Contains::Yes) {
            true => Contains::Yes,
            false if all(Contains::No) => Contains::No,
            false => Contains::Unknown,
        };
        let attempted = match &report.attempted {
            _ if applied == Contains::Yes => Contains::Yes,
            Some(revision) => contains(revision.commit, change),
            None => Contains::Unknown,
        };
        let effective = match report.rollout {
            Rollout::Complete if all(Contains::Yes) => Contains::Yes,
            Rollout::Progressing | Rollout::Degraded { .. } => Contains::No,
            Rollout::Complete | Rollout::Unwatched | Rollout::Unknown => Contains::Unknown,
        };
        Self { attempted, applied, effective }
    }

    /// Whether the report proves that no revision with the change had been tried.
    fn not_tried(&self, report: &SyncReport) -> bool {
        self.attempted == Contains::No && report.shows == AttemptShows::AtBegin
    }
}

// === impl Followed ===

impl Followed {
    /// When it was first put into the cluster.
    pub fn applied(&self) -> Option<Interval> {
        self.stays.first().map(|stay| stay.applied)
    }

    /// When its first roll-out was complete.
    pub fn effective(&self) -> Option<Interval> {
        self.stays.first().and_then(|stay| stay.effective)
    }

    /// Whether its newest report cannot tell what runs.
    pub fn says_nothing(&self) -> bool {
        matches!(self.finding, Some(Finding::Unknown { .. }))
    }

    /// What stands out, for people who wait for it: a source that has told nothing for `patience` is news, where it is not known to be there.
    pub fn told(&self, patience: Duration, now: Timestamp) -> Option<Finding> {
        let heard = self.heard_until.unwrap_or(self.landed.by).max(self.landed.by);
        match &self.finding {
            Some(Finding::Unknown { why }) if self.stays.is_empty() && now.since(heard) > patience => {
                Some(Finding::Silent { waited: now.since(self.landed.by), why: why.clone() })
            }
            finding => finding.clone(),
        }
    }

    /// What stands out at the newest report, and since when the sync fails of it, where it does.
    fn find(
        &self,
        change: CommitId,
        history: &[ReportRun],
        contains: &impl Fn(CommitId, CommitId) -> Contains,
        patience: Patience,
        now: Timestamp,
    ) -> (Option<Finding>, Option<Interval>) {
        let unknown = |why: String| (Some(Finding::Unknown { why }), None);
        let Some(newest) = history.last().map(|run| &run.report) else {
            return unknown("the sync source has not been asked yet".into());
        };
        if let SyncState::Unknown { why } = &newest.state {
            return unknown(why.clone());
        }
        let said = Said::of(newest, change, contains);
        if said.applied == Contains::Yes {
            return (None, None);
        }
        if let SyncState::Failed { why, cause } = &newest.state {
            let asked = Asked { change, landed: self.landed, history, contains };
            return match breaks_the_sync(&asked, newest, &said, *cause) {
                Some(Broken { before, since }) => {
                    let tried = newest.attempted.as_ref().map(|revision| revision.commit);
                    (Some(Finding::BrokeTheSync { tried, before, why: why.clone() }), Some(since))
                }
                None => (Some(Finding::SyncFailed { why: why.clone() }), None),
            };
        }
        if let (Contains::No, Some(at)) = (said.applied, self.stays.last().and_then(|stay| stay.left)) {
            return (rolled_back(change, history, contains, at), None);
        }
        (Some(self.not_there(newest, &said, patience, now)), None)
    }

    /// Why a change is not applied, where the sync does not fail and nobody rolled it back.
    fn not_there(&self, newest: &SyncReport, said: &Said, patience: Patience, now: Timestamp) -> Finding {
        match newest.state {
            SyncState::Paused => return Finding::Paused,
            SyncState::Suspended => return Finding::Suspended,
            _ => {}
        }
        let waited = now.since(self.landed.by);
        match said.attempted {
            Contains::Yes => Finding::Waiting,
            Contains::Unknown if said.applied == Contains::Unknown || newest.attempted.is_some() => {
                Finding::Unknown { why: unknown_revision(newest) }
            }
            Contains::No | Contains::Unknown if waited <= patience.stuck_after => Finding::Waiting,
            // Where a hydrator renders, the sync tool has nothing to try before that is done.
            Contains::No | Contains::Unknown if newest.is_rendered() => Finding::NotRendered { waited },
            // A source that knows nothing of attempts says at least that it is not there.
            Contains::No | Contains::Unknown => Finding::Stuck { waited },
        }
    }
}

// === impl Fold ===

impl Fold {
    fn add(&mut self, run: &ReportRun, said: &Said, patience: Patience) {
        self.followed.heard_until = Some(run.last);
        self.attempt(run, said);
        match said.applied {
            Contains::Yes => {
                self.arrive(&run.report);
                self.there = Some(run.last);
                self.roll_out(run, said, patience);
            }
            Contains::No => {
                if let Some(stay) = self.followed.stays.last_mut().filter(|stay| stay.left.is_none()) {
                    stay.left = Some(between(self.there, None, run.report.at));
                }
                self.absent = Some(run.last);
                self.rolling = None;
                if self.followed.stays.is_empty() && said.not_tried(&run.report) {
                    self.followed.absent_until = self.absent;
                }
            }
            Contains::Unknown => {}
        }
    }

    fn attempt(&mut self, run: &ReportRun, said: &Said) {
        if self.followed.attempted.is_some() {
            return;
        }
        match said.attempted {
            Contains::Yes => {
                let told = run.report.attempted.as_ref().and_then(|revision| revision.at);
                self.followed.attempted = Some(between(self.not_tried, told, run.report.at));
            }
            Contains::No if said.not_tried(&run.report) => self.not_tried = self.not_tried.max(Some(run.last)),
            Contains::No | Contains::Unknown => {}
        }
    }

    fn arrive(&mut self, report: &SyncReport) {
        let after = match self.followed.stays.last() {
            Some(stay) if stay.left.is_none() => return,
            Some(_) => self.absent,
            None => self.followed.attempted.and_then(|attempted| attempted.after),
        };
        let told = match report.applied.as_slice() {
            [only] => only.at,
            _ => None,
        };
        self.followed.stays.push(Stay { applied: between(after, told, report.at), effective: None, left: None });
    }

    fn roll_out(&mut self, run: &ReportRun, said: &Said, patience: Patience) {
        let Some(stay) = self.followed.stays.last_mut().filter(|stay| stay.effective.is_none()) else { return };
        match said.effective {
            Contains::Yes => {
                let after = self.rolling.max(stay.applied.after);
                stay.effective = Some(between(after, None, run.report.at.max(stay.applied.by)));
            }
            Contains::No => self.rolling = Some(run.last),
            Contains::Unknown if run.report.rollout == Rollout::Unwatched => {
                stay.effective = Some(stay.applied.stretched(patience.unwatched_rollout));
            }
            Contains::Unknown => {}
        }
    }
}

/// From the last moment at which it was not so to the first at which it was. `told` is the tool's own time for that: it narrows the end
/// where it lies between the two, and is the time of a clock that differs from ours where it does not.
fn between(after: Option<Timestamp>, told: Option<Timestamp>, seen: Timestamp) -> Interval {
    let seen = after.map_or(seen, |after| seen.max(after));
    let by = told.filter(|told| *told < seen && after.is_none_or(|after| after < *told)).unwrap_or(seen);
    Interval { after, by }
}

fn rolled_back(
    change: CommitId,
    history: &[ReportRun],
    contains: &impl Fn(CommitId, CommitId) -> Contains,
    at: Interval,
) -> Option<Finding> {
    let known = || history.iter().rev().flat_map(|run| &run.report.applied).map(|revision| revision.commit);
    let to = known().next()?;
    let from = known().find(|commit| contains(*commit, change) == Contains::Yes)?;
    let direction = if contains(from, to) == Contains::Yes { Direction::Older } else { Direction::Elsewhere };
    Some(Finding::RolledBack { from, to, direction, at })
}

fn unknown_revision(report: &SyncReport) -> String {
    let named = |revision: &ReportedRevision| format!("the repository cannot say whether {} contains it", revision.commit.short());
    report.attempted.as_ref().or(report.applied.first()).map_or_else(|| "the sync tool names no revision".into(), named)
}

#[cfg(test)]
mod tests;
