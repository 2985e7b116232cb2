//! Incidents of the sync itself: a change that the sync tool tries and fails of. `following` says what the reports mean, `engine::broken_sync` who
//! is suspected; here such an incident is opened and, where nothing was reverted, ended. And what a source that tells nothing means for a service that
//! is well again.

use anyhow::Result;
use tracing::info;

use super::following::{SILENT_AFTER, is_followed};
use super::{Reconciler, situations};
use crate::engine::broken_sync::{self, OnSyncFailure};
use crate::engine::fact::Event;
use crate::engine::id::{CommitId, IncidentId, PolicyName, sha256_hex};
use crate::engine::incident::Incident;
use crate::engine::policy::{Instance, Policy};
use crate::engine::sync::follow::Finding;
use crate::engine::time::Timestamp;

impl Reconciler {
    /// Opens an incident where a change of the service broke its sync. One change has one story: a suspect of an earlier incident of the
    /// policy opens none.
    pub(super) fn detect_broken_sync(&mut self, policy: &Policy, now: Timestamp) -> Result<()> {
        policy.instances.iter().try_for_each(|instance| self.detect_broken_sync_in(policy, instance, now))
    }

    fn detect_broken_sync_in(&mut self, policy: &Policy, instance: &Instance, now: Timestamp) -> Result<()> {
        if policy.revert.on_sync_failure == OnSyncFailure::Ignore || !is_followed(instance) {
            return Ok(());
        }
        let service = self.evidence_since(policy, &instance.name, now, now);
        let Some(found) = broken_sync::find(&service, self.state.landings(), self.policies.iter()) else { return Ok(()) };
        let is_known = |suspect: &CommitId| {
            let of_policy = self.state.incidents.values().filter(|incident| incident.policy == policy.name);
            of_policy.filter_map(|incident| incident.attribution.as_ref()).any(|known| known.suspects.contains(suspect))
        };
        let suspects = &found.attribution.suspects;
        if suspects.iter().any(is_known) || self.newly_suspected(&policy.name, now)?.iter().any(|known| suspects.contains(known)) {
            return Ok(());
        }
        let onset = found.attribution.onset;
        let digest = sha256_hex(format!("{}\nsync\n{}\n{now}", service.named(), onset.by).as_bytes());
        let incident = IncidentId::new(format!("{}-{}", policy.name, &digest[..10]));
        info!(%incident, policy = %policy.name, "a change broke the sync: {}", found.sentence);
        self.pinned.insert(incident.clone(), policy.clone());
        let detected = Event::Detected {
            incident: incident.clone(),
            policy: policy.name.clone(),
            instance: service.instance,
            cluster: instance.cluster.clone(),
            repository: policy.repository.clone(),
            onset,
            arithmetic: vec![found.sentence],
        };
        self.record(now, vec![detected, Event::Attributed { incident, attribution: found.attribution }])
    }

    /// The suspects of breaches of a policy that were not decided yet: one that was just detected is attributed later in the pass.
    fn newly_suspected(&self, policy: &PolicyName, now: Timestamp) -> Result<Vec<CommitId>> {
        let of_policy = self.state.incidents.values().filter(|incident| incident.policy == *policy);
        let undecided = of_policy.filter(|incident| incident.ending.is_none() && incident.attribution.is_none());
        let mut suspects = Vec::new();
        for incident in undecided {
            if let Some(policy) = self.policy_of(&incident.id) {
                suspects.extend(situations::suspects(self, &policy, incident, now)?);
            }
        }
        Ok(suspects)
    }

    /// Whether the sync succeeds again although nothing was reverted, in a sentence.
    pub(super) fn syncs_again(&self, policy: &Policy, incident: &Incident, now: Timestamp) -> Option<String> {
        broken_sync::succeeds_again(
            &self.evidence_since(policy, &incident.instance, now, now),
            self.state.landings(),
            incident.attribution.as_ref()?,
        )
    }

    /// Whether a proposal stays although the service is well, because what runs is not told: somebody may have rolled back by hand, while Git
    /// still has the suspect. Says so once the source has been silent for long; one that is asked again in a moment is no news.
    pub(super) fn may_be_rolled_back(&mut self, policy: &Policy, incident: &Incident, now: Timestamp) -> Result<bool> {
        let (Some(attribution), true) = (&incident.attribution, self.is_proposed(incident)) else { return Ok(false) };
        let mut suspects = attribution.candidates.iter().filter(|candidate| attribution.suspects.contains(&candidate.commit));
        let Some(suspect) = suspects.next() else { return Ok(false) };
        let Some(followed) = self.followed(policy, &incident.instance, suspect.commit, suspect.landed, now) else { return Ok(false) };
        let Some(Finding::Unknown { why }) = &followed.finding else { return Ok(false) };
        if followed.heard_until.is_none_or(|heard| now.since(heard) > SILENT_AFTER) {
            self.note_sync(incident, &incident.instance, suspect.commit, Some(Finding::MayBeRolledBack { why: why.clone() }), now)?;
        }
        Ok(true)
    }

    /// What is said of a recovery by itself where nothing tells what runs: somebody may have rolled back by hand.
    pub(super) fn with_doubt(&self, policy: &Policy, incident: &Incident, sentence: String) -> String {
        let suspects = incident.attribution.as_ref().map_or(&[][..], |attribution| &attribution.suspects);
        match suspects.first() {
            Some(suspect) if self.is_proposed(incident) && !policy.instance(&incident.instance).is_some_and(is_followed) => format!(
                "{sentence}; nothing tells what runs: if somebody rolled it back by hand, Git still has {}, and the next sync brings it back",
                suspect.short()
            ),
            _ => sentence,
        }
    }

    fn is_proposed(&self, incident: &Incident) -> bool {
        let proposal = incident.proposal.as_ref().and_then(|key| self.state.proposals.get(key));
        proposal.is_some_and(|known| known.head.is_some() && known.closing.is_none())
    }
}

#[cfg(test)]
mod tests;
