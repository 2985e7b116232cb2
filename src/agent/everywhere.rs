//! What became of a revert in every instance of a policy: asked of the sync sources, judged by the engine.

use anyhow::Result;

use super::following::{STUCK_AFTER, is_followed};
use super::{Reconciler, looked_back, series_in};
use crate::engine::attribution;
use crate::engine::broken_sync::{self, Broke};
use crate::engine::id::InstanceName;
use crate::engine::incident::{Incident, LandedRevert};
use crate::engine::landing;
use crate::engine::policy::{Instance, Policy};
use crate::engine::situation::{ServiceEvidence, SloSeries};
use crate::engine::sync::applied::AppliedFact;
use crate::engine::sync::follow::Finding;
use crate::engine::time::Timestamp;
use crate::engine::verification::{self, Elsewhere, Recovery, everywhere};

impl Reconciler {
    /// How the recovery of an incident stands, with what stands in the way of its revert in any instance written down.
    pub(super) fn recovery_everywhere(
        &mut self,
        policy: &Policy,
        incident: &Incident,
        landed: &LandedRevert,
        now: Timestamp,
    ) -> Result<Recovery> {
        let (own, followed) = self.recovery_in(policy, &incident.instance, incident, landed, now);
        let mut noted = (incident.instance.clone(), followed);
        let mut others = Vec::new();
        for instance in policy.instances.iter().filter(|instance| instance.name != incident.instance) {
            if self.never_ran(policy, instance, incident) {
                continue;
            }
            let (recovery, told) = self.recovery_in(policy, &instance.name, incident, landed, now);
            let finding = told.filter(Finding::is_news);
            let hindrance = finding.as_ref().map(|finding| finding.sentence(landed.commit, &instance.name));
            others.push(Elsewhere { place: instance.words(), recovery, hindrance });
            if finding.is_some() && !noted.1.as_ref().is_some_and(Finding::is_news) {
                noted = (instance.name.clone(), finding);
            }
        }
        let (instance, finding) = noted;
        if policy.instances.iter().any(is_followed) {
            self.note_sync(incident, &instance, landed.commit, finding, now)?;
        }
        Ok(everywhere(own, &others))
    }

    fn recovery_in(
        &self,
        policy: &Policy,
        instance: &InstanceName,
        incident: &Incident,
        landed: &LandedRevert,
        now: Timestamp,
    ) -> (Recovery, Option<Finding>) {
        let service = self.evidence_of_recovery(policy, instance, now);
        match self.followed(policy, instance, landed.commit, landed.landed, now) {
            Some(followed) => match incident.broke() {
                Broke::Sync => (broken_sync::judge(&service, &followed, now), broken_sync::told(&followed, STUCK_AFTER, now)),
                Broke::Objectives => {
                    let recovery = verification::judge_followed(&service, incident.onset, landed.commit, &followed, now);
                    (recovery, followed.told(STUCK_AFTER, now))
                }
            },
            None => {
                let effective = landed.landed.stretched(attribution::lag_of(&service));
                (verification::judge(&service, incident.onset, effective, now), None)
            }
        }
    }

    /// The evidence of a decision, and what `verify.checks` names beside it.
    fn evidence_of_recovery(&self, policy: &Policy, instance: &InstanceName, now: Timestamp) -> ServiceEvidence {
        let mut service = self.evidence(policy, instance, now);
        let from = now - looked_back(&self.policies);
        for slo in policy.reported.iter().filter(|slo| policy.verify.checks.contains(&slo.name)) {
            let rounds = self.rounds.since(&series_in(&policy.name, instance, &slo.name), from).to_vec();
            service.series.push(SloSeries { slo: slo.name.clone(), rounds });
        }
        service
    }

    /// Whether it is known that an instance never applied a suspect: then it does not run the other version, and need not get the revert.
    fn never_ran(&self, policy: &Policy, instance: &Instance, incident: &Incident) -> bool {
        let Some(applied) = self.applied_of(policy, &instance.name) else { return false };
        let suspects = incident.attribution.iter().flat_map(|attribution| &attribution.suspects);
        let mut landings = suspects.map(|suspect| landing::landing_of(self.state.landings(), &policy.repository, *suspect)).peekable();
        landings.peek().is_some()
            && landings.all(|landing| landing.is_some_and(|landing| matches!(applied.get(&landing.to), Some(AppliedFact::NotYet { .. }))))
    }
}
