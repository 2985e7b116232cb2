//! Incidents of the sync itself: a change that the sync tool tries and fails of. `following` says what the reports mean, `engine::broken_sync` who
//! is suspected; here such an incident is opened and, where nothing was reverted, ended.

use anyhow::Result;
use tracing::info;

use super::Reconciler;
use crate::engine::broken_sync::{self, OnSyncFailure};
use crate::engine::fact::Event;
use crate::engine::id::{CommitId, IncidentId, sha256_hex};
use crate::engine::incident::Incident;
use crate::engine::policy::Policy;
use crate::engine::time::Timestamp;

impl Reconciler {
    /// Opens an incident where a change of the service broke its sync. One change has one story: a suspect of an earlier incident of the
    /// policy opens none.
    pub(super) fn detect_broken_sync(&mut self, policy: &Policy, now: Timestamp) -> Result<()> {
        if policy.revert.on_sync_failure == OnSyncFailure::Off || !self.is_followed(policy) {
            return Ok(());
        }
        let service = self.evidence_since(policy, now, now);
        let Some(found) = broken_sync::find(&service, self.state.landings(), self.policies.iter()) else { return Ok(()) };
        let is_known = |suspect: &CommitId| {
            let of_policy = self.state.incidents.values().filter(|incident| incident.policy == policy.name);
            of_policy.filter_map(|incident| incident.attribution.as_ref()).any(|known| known.suspects.contains(suspect))
        };
        if found.attribution.suspects.iter().any(is_known) {
            return Ok(());
        }
        let onset = found.attribution.onset;
        let digest = sha256_hex(format!("{}\nsync\n{}\n{now}", policy.name, onset.by).as_bytes());
        let incident = IncidentId::new(format!("{}-{}", policy.name, &digest[..10]));
        info!(%incident, policy = %policy.name, "a change broke the sync: {}", found.sentence);
        self.pinned.insert(incident.clone(), policy.clone());
        let detected = Event::Detected {
            incident: incident.clone(),
            policy: policy.name.clone(),
            instance: service.instance,
            repository: policy.repository.clone(),
            onset,
            arithmetic: vec![found.sentence],
        };
        self.record(now, vec![detected, Event::Attributed { incident, attribution: found.attribution }])
    }

    /// Whether the sync succeeds again although nothing was reverted, in a sentence.
    pub(super) fn syncs_again(&self, policy: &Policy, incident: &Incident, now: Timestamp) -> Option<String> {
        broken_sync::succeeds_again(&self.evidence_since(policy, now, now), self.state.landings(), incident.attribution.as_ref()?)
    }
}
