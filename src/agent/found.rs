//! What the decisions of one pass have in common, gathered once.
//!
//! Incidents of one change are decided one after the other, each with all the others beside it. They are judged from one world only where
//! they look back to the same time and hold the same values, so both are settled here, for a pass. Nothing of it outlives the pass: every
//! answer is one for the time that it was asked at.

use std::sync::Arc;

use super::probing::control_every;
use super::situations::LANDINGS_KEPT;
use super::{Reconciler, control_series};
use crate::engine::id::{CommitId, IncidentId, InstanceName, PolicyName, RepositoryName};
use crate::engine::incident::Incident;
use crate::engine::landing::Landing;
use crate::engine::policy::Policy;
use crate::engine::shared::{Memo, Shared};
use crate::engine::situation::{ControlEvidence, ServiceEvidence};
use crate::engine::time::Timestamp;
use crate::engine::together::{Findings, common_beginning};

/// What was gathered in a pass, and what was found in it.
#[derive(Default)]
pub(super) struct Found {
    /// What the decisions found.
    pub(super) findings: Findings,
    beginnings: Memo<(RepositoryName, Timestamp), Vec<Timestamp>>,
    of_incidents: Memo<(IncidentId, Known), (Arc<Policy>, Shared<ServiceEvidence>)>,
    others: Memo<(PolicyName, InstanceName, Timestamp, Known), Shared<ServiceEvidence>>,
    controls: Memo<(Timestamp, Timestamp), Shared<Vec<ControlEvidence>>>,
    landings: Memo<Known, Shared<Vec<Landing>>>,
}

/// The time of the pass and the newest landing: with another one, other things are said of the same rounds.
type Known = (Timestamp, Option<CommitId>);

fn known(reconciler: &Reconciler, now: Timestamp) -> Known {
    (now, reconciler.state.landings().last().map(|landing| landing.to))
}

impl Found {
    /// When the incidents began that an incident is looked at together with. Those that were undecided when the pass began count, also when one
    /// of them was decided since.
    pub(super) fn beginning(&self, reconciler: &Reconciler, incident: &Incident, now: Timestamp) -> Timestamp {
        let onsets = self.beginnings.answer(&(incident.repository.clone(), now), || {
            let of_repository = reconciler.state.incidents.values().filter(|other| other.repository == incident.repository);
            let undecided = of_repository.filter(|other| other.ending.is_none() && other.landed.is_none());
            undecided.map(|other| other.onset.earliest()).collect()
        });
        common_beginning(incident.onset.earliest(), onsets)
    }

    /// The breaching service of an incident, with the policy that it is judged by.
    pub(super) fn of_incident(
        &self,
        reconciler: &Reconciler,
        policy: &Policy,
        incident: &Incident,
        now: Timestamp,
    ) -> Shared<ServiceEvidence> {
        let find = || reconciler.evidence_of(policy, &incident.instance, incident.onset, now);
        let (by, found) = self.of_incidents.answer(&(incident.id.clone(), known(reconciler, now)), || (Arc::new(policy.clone()), find()));
        // A plan asks with the policy in force, and with the one that the incident opened with.
        if *by == *policy { found } else { find() }
    }

    /// Another service, by the policy in force, with its rounds since a time.
    pub(super) fn other(
        &self,
        reconciler: &Reconciler,
        policy: &Policy,
        instance: &InstanceName,
        from: Timestamp,
        now: Timestamp,
    ) -> Shared<ServiceEvidence> {
        let which = (policy.name.clone(), instance.clone(), from, known(reconciler, now));
        self.others.answer(&which, || reconciler.evidence_since(policy, instance, from, now).into())
    }

    /// The controls with their rounds since a time.
    pub(super) fn controls(&self, reconciler: &Reconciler, from: Timestamp, now: Timestamp) -> Shared<Vec<ControlEvidence>> {
        self.controls.answer(&(from, now), || {
            let every = control_every(&reconciler.config, &reconciler.policies);
            let rounds = |name: &str| reconciler.rounds.since(&control_series(name), from).to_vec();
            let controls = reconciler.config.controls.iter();
            controls.map(|control| ControlEvidence { name: control.name.clone(), every, rounds: rounds(&control.name) }).collect()
        })
    }

    /// The landings that may be in a window.
    pub(super) fn landings(&self, reconciler: &Reconciler, now: Timestamp) -> Shared<Vec<Landing>> {
        let find = || reconciler.state.landings_since(now - LANDINGS_KEPT).cloned().collect();
        self.landings.answer(&known(reconciler, now), find)
    }
}
