//! From what the sync sources said to what became of each landing where its service runs.
//!
//! What a source says is written down when it says something else than before, so that a restart knows when a change was applied; that it
//! said the same again is known to this process alone. What it could not say is not written down: it adds nothing (promise P2).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Result;
use tracing::info;

use super::Reconciler;
use super::syncing::ASK_EVERY;
use crate::engine::fact::Event;
use crate::engine::id::{CommitId, InstanceName, PolicyName};
use crate::engine::incident::{Incident, SyncHistory};
use crate::engine::policy::{Instance, Policy, Sync};
use crate::engine::sync::applied::AppliedFact;
use crate::engine::sync::follow::{Contains, Finding, Followed, Patience, follow};
use crate::engine::sync::{ReportRun, SyncReport};
use crate::engine::time::{Interval, Timestamp, spoken};
use crate::git::Mirror;

/// A change that landed so long ago and was not tried is stuck. Argo CD looks every three minutes and Flux, as people set it, at most
/// every ten.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(600);
/// A source that has not answered for so long says nothing any more: a few questions in a row, each with its time limit.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(60);
/// So many answers of a mirror are remembered.
const ANCESTRY_KEPT: usize = 200_000;

/// A policy and one of its instances.
pub type Place = (PolicyName, InstanceName);

/// What the sync sources said and the journal does not hold yet.
#[derive(Debug, Default)]
pub struct Reports {
    unread: Vec<(Place, SyncReport)>,
    newest: BTreeMap<Place, SyncReport>,
    /// When each said for the last time what the journal holds as its newest report.
    confirmed: BTreeMap<Place, Timestamp>,
}

/// What became of the landings in each instance of a policy, and from how much that was found.
#[derive(Debug, Default)]
pub(super) struct Following {
    facts: BTreeMap<Place, (Basis, BTreeMap<CommitId, AppliedFact>)>,
    ancestry: RefCell<HashMap<(CommitId, CommitId), Contains>>,
}

/// What facts were found from. `voice` is what the source says of itself: a change of it may change every fact.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Basis {
    runs: usize,
    voice: Option<String>,
    until: Option<Timestamp>,
    landings: usize,
}

// === impl Reports ===

impl Reports {
    /// Takes an answer up; the next pass reads it.
    pub fn add(&mut self, place: Place, report: SyncReport) {
        self.unread.push((place, report));
    }
}

// === impl Following ===

impl Following {
    fn contains(&self, mirror: &Mirror, revision: CommitId, change: CommitId) -> Contains {
        if let Some(known) = self.ancestry.borrow().get(&(revision, change)) {
            return *known;
        }
        let answer = match mirror.is_ancestor(change, revision) {
            Ok(true) => Contains::Yes,
            Ok(false) => Contains::No,
            // The revision may be fetched by the next pass.
            Err(_) => return Contains::Unknown,
        };
        let mut known = self.ancestry.borrow_mut();
        if known.len() >= ANCESTRY_KEPT {
            known.clear();
        }
        known.insert((revision, change), answer);
        answer
    }
}

impl Reconciler {
    /// Writes down what the sync sources say anew, and finds out what it means for every landing.
    pub(super) fn follow_syncs(&mut self, now: Timestamp) -> Result<()> {
        let events = self.new_reports();
        self.record(now, events)?;
        for (policy, instance) in self.policies.iter().flat_map(followed) {
            let history = self.history_of(policy, instance, now);
            let landings = self.state.landings();
            let basis = Basis {
                runs: history.iter().filter(|run| run.report.is_known()).count(),
                voice: history.last().map(|run| format!("{:?}", run.report.state)),
                until: history.last().map(|run| run.last),
                landings: landings.len(),
            };
            let place = place(policy, instance);
            let before = self.following.facts.get(&place);
            if before.is_some_and(|(known, _)| *known == basis) {
                continue;
            }
            // Saying the same again moves only what is not there yet.
            let same = before.filter(|(known, _)| known.runs == basis.runs).map(|(_, facts)| facts);
            let of_repository = landings.iter().filter(|landing| landing.repository == policy.repository);
            let facts = of_repository.map(|landing| {
                let settled = same.and_then(|facts| facts.get(&landing.to)).filter(|fact| matches!(fact, AppliedFact::At { .. }));
                let fact = settled.cloned().unwrap_or_else(|| self.follow_in(policy, &history, landing.to, landing.landed, now).fact());
                (landing.to, fact)
            });
            let facts = facts.collect();
            self.following.facts.insert(place, (basis, facts));
        }
        Ok(())
    }

    /// When the landings were applied in an instance; `None` where nothing says and a lag is assumed.
    pub(super) fn applied_of(&self, policy: &Policy, instance: &InstanceName) -> Option<BTreeMap<CommitId, AppliedFact>> {
        let instance = policy.instance(instance).filter(|instance| is_followed(instance))?;
        self.following.facts.get(&place(policy, instance)).map(|(_, facts)| facts.clone())
    }

    /// What became of one commit in an instance; `None` where a lag is assumed.
    pub(super) fn followed(
        &self,
        policy: &Policy,
        instance: &InstanceName,
        commit: CommitId,
        landed: Interval,
        now: Timestamp,
    ) -> Option<Followed> {
        let instance = policy.instance(instance).filter(|instance| is_followed(instance))?;
        Some(self.follow_in(policy, &self.history_of(policy, instance, now), commit, landed, now))
    }

    /// Whether a suspect of an open proposal was taken out of the cluster by hand; notes it, or that it is so no more.
    pub(super) fn rolled_back_by_hand(&mut self, policy: &Policy, incident: &Incident, now: Timestamp) -> Result<bool> {
        let is_open = |key| self.state.proposals.get(key).is_some_and(|known| known.head.is_some() && known.closing.is_none());
        let (Some(attribution), true) = (&incident.attribution, incident.proposal.as_ref().is_some_and(is_open)) else { return Ok(false) };
        let suspects = attribution.candidates.iter().filter(|candidate| attribution.suspects.contains(&candidate.commit));
        let found = suspects
            .filter_map(|suspect| Some((suspect.commit, self.followed(policy, &incident.instance, suspect.commit, suspect.landed, now)?)));
        let rolled_back = |followed: &Followed| matches!(followed.finding, Some(Finding::RolledBack { .. }));
        let found: Vec<(CommitId, Followed)> = found.collect();
        let Some((commit, followed)) = found.iter().find(|(_, followed)| rolled_back(followed)).or(found.first()) else { return Ok(false) };
        let finding = followed.finding.clone().filter(|_| rolled_back(followed) || followed.says_nothing());
        self.note_sync(incident, &incident.instance, *commit, finding, now)?;
        let noted = self.state.incidents.get(&incident.id).and_then(|incident| incident.sync.as_ref());
        Ok(noted.is_some_and(|note| matches!(note.finding, Finding::RolledBack { .. })))
    }

    /// Writes down what stands out in an instance, where it is something else than before. What cannot be told changes nothing.
    pub(super) fn note_sync(
        &mut self,
        incident: &Incident,
        instance: &InstanceName,
        commit: CommitId,
        finding: Option<Finding>,
        now: Timestamp,
    ) -> Result<()> {
        if matches!(finding, Some(Finding::Unknown { .. })) {
            return Ok(());
        }
        let finding = finding.filter(Finding::is_news);
        let instance = Some(instance.clone()).filter(|instance| *instance != incident.instance);
        let known = incident.sync.as_ref().map(|note| (note.commit, &note.instance, note.finding.label()));
        if known == finding.as_ref().map(|finding| (commit, &instance, finding.label())) {
            return Ok(());
        }
        if let Some(finding) = &finding {
            info!(incident = %incident.id, "{}", finding.sentence(commit, instance.as_ref().unwrap_or(&incident.instance)));
        }
        self.record(now, vec![Event::SyncNoted { incident: incident.id.clone(), commit, instance, finding }])
    }

    fn new_reports(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut written: BTreeMap<Place, SyncReport> = BTreeMap::new();
        for (place, report) in std::mem::take(&mut self.reports.unread) {
            let Some(policy) = self.policies.iter().find(|policy| policy.name == place.0) else { continue };
            let Some(instance) = policy.instance(&place.1).filter(|instance| is_followed(instance)) else { continue };
            self.reports.newest.insert(place.clone(), report.clone());
            if !report.is_known() {
                continue;
            }
            let stored = self.recorded(policy, instance).and_then(|history| history.runs.last()).map(|run| &run.report);
            if written.get(&place).or(stored).is_some_and(|newest| newest.says_the_same(&report)) {
                self.reports.confirmed.insert(place, report.at);
                continue;
            }
            let before = self.reports.confirmed.insert(place.clone(), report.at);
            written.insert(place.clone(), report.clone());
            events.push(Event::SyncReported { policy: place.0, instance: place.1, follows: instance.sync.clone(), before, report });
        }
        events
    }

    /// What the journal holds of what an instance follows now.
    fn recorded(&self, policy: &Policy, instance: &Instance) -> Option<&SyncHistory> {
        self.state.syncs.get(&place(policy, instance)).filter(|history| history.follows.as_ref() == Some(&instance.sync))
    }

    /// Everything that the source of an instance said, oldest first; at its end, that it says nothing, where it does not.
    fn history_of(&self, policy: &Policy, instance: &Instance, now: Timestamp) -> Vec<ReportRun> {
        let place = place(policy, instance);
        let mut history = self.recorded(policy, instance).map(|known| known.runs.clone()).unwrap_or_default();
        if let (Some(newest), Some(confirmed)) = (history.last_mut(), self.reports.confirmed.get(&place)) {
            newest.last = newest.last.max(*confirmed);
        }
        let silence = match self.reports.newest.get(&place) {
            None => Some(SyncReport::unknown(now, "the sync source has not answered yet")),
            Some(newest) if !newest.is_known() => Some(newest.clone()),
            Some(newest) if now.since(newest.at) > SILENT_AFTER.max(ASK_EVERY * 3) => {
                Some(SyncReport::unknown(now, format!("the sync source has not answered for {}", spoken(SILENT_AFTER))))
            }
            Some(_) => None,
        };
        history.extend(silence.map(|report| ReportRun { last: report.at, report }));
        history
    }

    fn follow_in(&self, policy: &Policy, history: &[ReportRun], commit: CommitId, landed: Interval, now: Timestamp) -> Followed {
        let contains = |revision, change| match self.repository(&policy.repository) {
            Some(repository) => self.following.contains(&repository.mirror, revision, change),
            None => Contains::Unknown,
        };
        let patience = Patience { stuck_after: STUCK_AFTER, unwatched_rollout: policy.revert.settle };
        follow(commit, landed, history, contains, patience, now)
    }
}

/// The instances of a policy that follow a sync source.
fn followed(policy: &Policy) -> impl Iterator<Item = (&Policy, &Instance)> {
    policy.instances.iter().filter(|instance| is_followed(instance)).map(move |instance| (policy, instance))
}

/// Whether a sync source says what runs in an instance.
pub(super) fn is_followed(instance: &Instance) -> bool {
    matches!(instance.sync, Sync::Source { .. })
}

fn place(policy: &Policy, instance: &Instance) -> Place {
    (policy.name.clone(), instance.name.clone())
}
