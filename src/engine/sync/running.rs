//! What runs of a service now, as its newest report and the landings tell: landed, attempted, applied and effective (design §2), for people who
//! look. Nothing is decided from it.

use serde::Serialize;

use super::{ReportRun, ReportedRevision, Rollout, SyncState};
use crate::engine::id::{CommitId, InstanceName};
use crate::engine::incident::State;
use crate::engine::landing::Landing;
use crate::engine::policy::{Instance, Policy, Sync, SyncTarget};
use crate::engine::time::{Interval, Timestamp, millis};

/// What runs of one instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Where.
    pub instance: InstanceName,
    /// Who says so.
    pub source: Source,
    /// The newest change of the service.
    pub landed: Option<Landed>,
    /// What was tried last.
    pub attempted: Option<Revision>,
    /// What is in the cluster; several while both sides of a roll-out run.
    pub applied: Vec<Revision>,
    /// What is rolled out completely; nothing while a roll-out goes on, or where it is not watched.
    pub effective: Option<Revision>,
    /// How the sync stands, where a source says.
    pub state: Option<SyncState>,
    /// How the roll-out stands, where a source says.
    pub rollout: Option<Rollout>,
}

/// Who says what runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Source {
    /// Nobody: so long after it landed a change is assumed to be applied, in milliseconds.
    Lag(#[serde(with = "millis")] std::time::Duration),
    /// A source, by its name and what of it is followed.
    Named {
        /// Its name.
        name: String,
        /// What is followed.
        follows: SyncTarget,
        /// When it began to say what it says; `None` where it has said nothing yet.
        since: Option<Timestamp>,
    },
}

/// The newest change of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Landed {
    /// The commit.
    pub commit: CommitId,
    /// Its subject.
    pub subject: String,
    /// When it landed.
    pub at: Interval,
}

/// A revision that a source names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// The commit.
    pub commit: CommitId,
    /// Since when it is known to be so: the first report of it in a row.
    pub since: Timestamp,
    /// Whether the newest change of the service is in it, as far as the landings that are known tell.
    pub has_landed: Option<bool>,
}

/// What runs of every instance of a policy.
pub fn running(policy: &Policy, state: &State) -> Vec<Running> {
    let landings: Vec<&Landing> = state.landings().iter().filter(|landing| landing.repository == policy.repository).collect();
    policy.instances.iter().map(|instance| of_instance(policy, instance, &landings, state)).collect()
}

fn of_instance(policy: &Policy, instance: &Instance, landings: &[&Landing], state: &State) -> Running {
    let newest = landings.iter().enumerate().rev().find_map(|(place, landing)| {
        let change = landing.changes.iter().rev().find(|change| change.touches(policy))?;
        Some((place, Landed { commit: change.id, subject: change.subject.clone(), at: landing.landed }))
    });
    let (place, landed) = newest.unzip();
    let known = state.syncs.get(&(policy.name.clone(), instance.name.clone()));
    let runs = known.filter(|history| history.follows.as_ref() == Some(&instance.sync)).map_or(&[][..], |history| &history.runs);
    let source = match &instance.sync {
        Sync::Lag(lag) => Source::Lag(*lag),
        Sync::Source { source, follows } => {
            Source::Named { name: source.to_string(), follows: follows.clone(), since: runs.last().map(|run| run.report.at) }
        }
    };
    let report = runs.last().map(|run| &run.report);
    let revision = |revision: &ReportedRevision, holds: &dyn Fn(&ReportRun) -> bool| Revision {
        commit: revision.commit,
        since: since(runs, holds),
        has_landed: place.and_then(|place| contains(landings, revision.commit, place)),
    };
    let applied = |commit: CommitId| move |run: &ReportRun| run.report.applied.iter().any(|other| other.commit == commit);
    let is_whole = report.is_some_and(|report| report.rollout == Rollout::Complete && report.applied.len() == 1);
    Running {
        instance: instance.name.clone(),
        source,
        landed,
        attempted: report
            .and_then(|report| report.attempted.as_ref())
            .map(|tried| revision(tried, &|run| run.report.attempted.as_ref().is_some_and(|other| other.commit == tried.commit))),
        applied: report.iter().flat_map(|report| &report.applied).map(|known| revision(known, &applied(known.commit))).collect(),
        effective: report
            .filter(|_| is_whole)
            .and_then(|report| report.applied.first())
            .map(|known| revision(known, &|run| applied(known.commit)(run) && run.report.rollout == Rollout::Complete)),
        state: report.map(|report| report.state.clone()),
        rollout: report.map(|report| report.rollout.clone()),
    }
}

/// The begin of the unbroken row of reports up to the newest of which something holds.
fn since(runs: &[ReportRun], holds: &dyn Fn(&ReportRun) -> bool) -> Timestamp {
    let row = runs.iter().rev().take_while(|run| holds(run));
    row.last().or(runs.last()).map_or(Timestamp(i64::MIN), |run| run.report.at)
}

/// Whether a revision contains the landing at `place`, by the order in which heads were seen; `None` for one that was never a head.
fn contains(landings: &[&Landing], revision: CommitId, place: usize) -> Option<bool> {
    let seen = landings.iter().rposition(|landing| landing.to == revision)?;
    Some(seen >= place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fact::{Event, Fact};
    use crate::engine::id::{BranchName, RepositoryName, SyncName};
    use crate::engine::landing::LandingShape;
    use crate::engine::sync::{AttemptShows, SyncReport};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    fn commit(number: u8) -> CommitId {
        CommitId([number; 20])
    }

    fn follows() -> Sync {
        Sync::Source { source: SyncName::new("argo"), follows: SyncTarget::Query("up".into()) }
    }

    fn landing(number: u8, second: i64) -> Event {
        let (repository, branch) = (RepositoryName::new("manifests"), BranchName::new("main"));
        let landed = Interval::new(at(second - 1), at(second));
        let from = Some(commit(number - 1));
        Event::Landed {
            landing: Landing { repository, branch, from, to: commit(number), landed, shape: LandingShape::Line, changes: Vec::new() },
        }
    }

    fn said(second: i64, applied: u8, attempted: u8, rollout: Rollout) -> Event {
        let report = SyncReport {
            at: at(second),
            state: SyncState::Applied,
            shows: AttemptShows::AtBegin,
            attempted: Some(ReportedRevision::of(commit(attempted))),
            applied: vec![ReportedRevision::of(commit(applied))],
            rollout,
        };
        Event::SyncReported {
            policy: crate::engine::id::PolicyName::new("checkout"),
            instance: InstanceName::default_instance(),
            follows: follows(),
            before: None,
            report,
        }
    }

    fn state(events: Vec<Event>) -> State {
        let (mut state, mut last) = (State::default(), None);
        for event in events {
            let fact = Fact::after(last.as_ref(), at(0), event).unwrap();
            state.apply(&fact);
            last = Some(fact);
        }
        state
    }

    fn history(state: &State) -> &[ReportRun] {
        state.syncs.values().next().map_or(&[], |history| &history.runs)
    }

    #[test]
    fn since_when_it_is_so_is_the_begin_of_the_row() {
        use Rollout::{Complete, Progressing};
        let state = state(vec![said(10, 1, 1, Complete), said(20, 1, 2, Complete), said(30, 2, 2, Progressing), said(40, 2, 2, Complete)]);
        let runs = history(&state);
        assert_eq!(since(runs, &|run| run.report.applied[0].commit == commit(2)), at(30));
        assert_eq!(since(runs, &|run| run.report.attempted.as_ref().is_some_and(|tried| tried.commit == commit(2))), at(20));
        assert_eq!(since(runs, &|run| run.report.rollout == Complete), at(40), "and not of a row before");
    }

    #[test]
    fn what_is_in_a_revision_is_told_by_the_order_of_heads() {
        let state = state(vec![landing(2, 10), landing(3, 20), landing(4, 30)]);
        let landings: Vec<&Landing> = state.landings().iter().collect();
        assert_eq!([2, 3, 4, 9].map(|revision| contains(&landings, commit(revision), 1)), [Some(false), Some(true), Some(true), None]);
    }
}
