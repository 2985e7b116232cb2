//! What a case says of landings that the sync tool tried and failed of, turned into the reports that a sync source would have made.
//!
//! `engine::sync::follow` judges them, as for a live agent: whether the change itself broke the sync is told by the attempt before it. Only one
//! thing a case says that no source does: nothing of what failed is there, until a later landing is applied.

use std::collections::BTreeMap;
use std::time::Duration;

use super::CaseEvidence;
use crate::agent::passing::Evidence as _;
use crate::config::judge_file::{AppliedLine, AppliedState, LandingLine};
use crate::engine::broken_sync::{self, OnSyncFailure};
use crate::engine::id::{CommitId, IncidentId, InstanceName};
use crate::engine::landing::Landing;
use crate::engine::policy::Policy;
use crate::engine::situation::{InverseResult, ServiceEvidence, Situation};
use crate::engine::sync::applied::AppliedFact;
use crate::engine::sync::follow::{Contains, Patience, follow};
use crate::engine::sync::{AttemptShows, FailureCause, ReportRun, ReportedRevision, Rollout, SyncReport, SyncState};
use crate::engine::time::{Interval, Timestamp};

/// How patient one is decides only what is told of a landing that was not tried.
const PATIENCE: Patience = Patience { stuck_after: Duration::MAX, unwatched_rollout: Duration::ZERO };

/// What was tried in one instance, in the order of the landings; nothing where no attempt failed.
pub(super) struct Tries {
    lines: Vec<Try>,
}

#[derive(Clone, Copy)]
struct Try {
    to: CommitId,
    landed: Interval,
    line: AppliedLine,
}

impl CaseEvidence<'_> {
    /// When each landing was applied in a place, as far as was known. What failed is there with a later landing that is, and not known to be
    /// absent while nothing was heard of it.
    pub(super) fn facts(&self, index: usize, now: Timestamp) -> BTreeMap<CommitId, AppliedFact> {
        let mut facts: BTreeMap<CommitId, AppliedFact> = self.tries[index].facts(now).collect();
        facts.retain(|_, fact| matches!(fact, AppliedFact::At { .. } | AppliedFact::NotYet { .. }));
        facts.extend(self.applied[index].iter().map(|applied| (applied.to, applied.fact(now))));
        facts
    }

    /// Everything that a decision about a sync is made from, where a change broke it.
    pub(super) fn accused_of_the_sync(&self, index: usize, now: Timestamp) -> Option<Situation> {
        if self.tries[index].known(now) == 0 || self.policy(index).revert.on_sync_failure == OnSyncFailure::Ignore {
            return None;
        }
        let mut service = self.service_since(index, now, now);
        self.tell_failures(index, &mut service, now);
        let attribution = broken_sync::find(&service, self.landings(now), self.case.policies.iter())?.attribution;
        let (mut situation, _) = self.situation(index, attribution.onset, now);
        situation.incident = IncidentId::new(format!("{}-sync", service.named().replace('/', "-")));
        self.tell_failures(index, &mut situation.service, now);
        let others = (0..self.places.len()).filter(|other| self.places[*other].0 != self.places[index].0);
        others.zip(&mut situation.others).for_each(|(other, service)| self.tell_failures(other, service, now));
        situation.inverse = Some(InverseResult::Built(self.inverse(&situation, &attribution)));
        situation.proposal = self.proposal(&attribution, now);
        situation.attribution = Some(attribution);
        Some(situation)
    }

    fn tell_failures(&self, index: usize, service: &mut ServiceEvidence, now: Timestamp) {
        if let Some(applied) = &mut service.applied {
            applied.extend(self.tries[index].facts(now));
        }
    }
}

impl Tries {
    /// What a case says of an instance.
    pub(super) fn of(policy: &Policy, instance: &InstanceName, lines: &[&LandingLine], landings: &[Landing]) -> Self {
        let key = format!("{}/{instance}", policy.name);
        let tried = |(line, landing): (&&LandingLine, &Landing)| {
            let line = *line.applied.get(&key).filter(|line| line.state != AppliedState::Paused)?;
            Some(Try { to: landing.to, landed: landing.landed, line })
        };
        let lines: Vec<Try> = lines.iter().zip(landings).filter_map(tried).collect();
        let fails = lines.iter().any(|tried| tried.line.state == AppliedState::Failed);
        Self { lines: if fails { lines } else { Vec::new() } }
    }

    /// How many failures were known at a time.
    pub(super) fn known(&self, now: Timestamp) -> usize {
        self.failed().filter(|tried| tried.is_known(now)).count()
    }

    /// What was known of each landing that failed.
    pub(super) fn facts(&self, now: Timestamp) -> impl Iterator<Item = (CommitId, AppliedFact)> {
        let history = if self.lines.is_empty() { Vec::new() } else { self.history(now) };
        self.failed().map(move |tried| (tried.to, self.fact(tried, &history, now)))
    }

    fn failed(&self) -> impl Iterator<Item = &Try> {
        self.lines.iter().filter(|tried| tried.line.state == AppliedState::Failed)
    }

    fn fact(&self, tried: &Try, history: &[ReportRun], now: Timestamp) -> AppliedFact {
        let absent = Timestamp(tried.line.earliest);
        if !tried.is_known(now) {
            return AppliedFact::NotYet { until: absent.min(now) };
        }
        let contains = |revision: CommitId, change: CommitId| {
            let place = |id: CommitId| self.lines.iter().position(|tried| tried.to == id);
            if place(revision) >= place(change) { Contains::Yes } else { Contains::No }
        };
        // What the line says of the time before counts also where nothing was tried before it.
        match follow(tried.to, tried.landed, history, contains, PATIENCE, now).fact() {
            AppliedFact::Broke { after, since, tried, before, why } => {
                AppliedFact::Broke { after: after.max(Some(absent)), since, tried, before, why }
            }
            AppliedFact::Unknown { after, why } => AppliedFact::Unknown { after: after.max(Some(absent)), why },
            fact => fact,
        }
    }

    /// What a source would have said up to a time: of what was tried together, only the newest has a name.
    fn history(&self, now: Timestamp) -> Vec<ReportRun> {
        let mut known: Vec<&Try> = self.lines.iter().filter(|tried| tried.is_known(now)).collect();
        known.sort_by_key(|tried| tried.line.latest);
        let together = |tried: &Try| (tried.line.latest, tried.line.attempted, tried.line.state);
        let mut history: Vec<ReportRun> = Vec::new();
        for (place, tried) in known.iter().enumerate() {
            if known.get(place + 1).is_some_and(|next| together(next) == together(tried)) {
                continue;
            }
            if let Some(before) = history.last_mut() {
                before.last = before.last.max(Timestamp(tried.line.earliest));
            }
            let runs = history.last().map(|run| run.report.applied.clone()).unwrap_or_default();
            let report = tried.report(runs);
            history.push(ReportRun { last: report.at, report });
        }
        history
    }
}

impl Try {
    fn is_known(&self, now: Timestamp) -> bool {
        self.line.latest <= now.millis()
    }

    fn report(&self, runs: Vec<ReportedRevision>) -> SyncReport {
        let revision = ReportedRevision::of(self.to).at(self.line.attempted.map(Timestamp));
        let (state, applied) = match self.line.state {
            AppliedState::Failed => (SyncState::Failed { why: "as the file says".to_owned(), cause: FailureCause::Unclear }, runs),
            AppliedState::Applied | AppliedState::Paused => (SyncState::Applied, vec![ReportedRevision::of(self.to)]),
        };
        SyncReport {
            at: Timestamp(self.line.latest),
            state,
            shows: AttemptShows::AtBegin,
            attempted: Some(revision),
            applied,
            rollout: Rollout::Unknown,
        }
    }
}
