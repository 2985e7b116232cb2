//! What the agent would do now, with the writer unplugged: the same observation, the same engine, a journal in memory that is thrown away.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Clock, Fetching, Probing, Reconciler, Syncing, situations};
use crate::config::Loaded;
use crate::engine::attribution::{self, Attribution};
use crate::engine::broken_sync::Broke;
use crate::engine::decision::{DecisionRecord, decide};
use crate::engine::id::{InstanceName, PolicyName};
use crate::engine::incident::Incident;
use crate::engine::policy::{Instance, Policy};
use crate::engine::slo::{self, Assessment};
use crate::engine::time::Timestamp;
use crate::journal::{MemoryJournal, SqliteJournal};
use crate::web::{AgentStatus, Metrics};

/// What would be done about one service.
#[derive(Debug)]
pub struct Planned {
    /// Its policy.
    pub policy: PolicyName,
    /// Where.
    pub instance: InstanceName,
    /// The cluster of that instance.
    pub cluster: Option<String>,
    /// How its SLOs stand.
    pub assessments: Vec<Assessment>,
    /// The decision, where it breaches.
    pub decision: Option<DecisionRecord>,
    /// Every candidate with its evidence, where it breaches.
    pub attribution: Option<Attribution>,
}

/// Measures for `duration` (at least one round), fetches objects, and decides for every service.
///
/// # Errors
/// No journal and no `duration`; a journal or repository that cannot be read.
pub async fn plan(loaded: Loaded, duration: Duration, clock: Arc<dyn Clock>) -> Result<Vec<Planned>> {
    let journal = MemoryJournal::default();
    let repositories: Vec<_> = loaded.agent.repositories.iter().map(|repository| repository.name.clone()).collect();
    match SqliteJournal::open_read_only(&loaded.agent.journal) {
        Ok(recorded) => {
            journal.copy_from(&recorded, clock.now() - Duration::from_secs(24 * 3600), &repositories).context("cannot read the journal")?;
        }
        Err(error) if duration.is_zero() => bail!("{error}; without it, `revertd plan --for 2m` measures first"),
        Err(_) => {}
    }
    let mut probing = Probing::new(&loaded.agent, &loaded.policies, clock.now())?;
    let mut syncing = Syncing::new(&loaded.agent, &loaded.policies, clock.now())?;
    let (now, own_clock) = (clock.now(), clock.clone());
    let mut reconciler = tokio::task::spawn_blocking(move || {
        Reconciler::new(loaded, Arc::new(journal), Metrics::new(), AgentStatus::default(), own_clock)
            .map(|reconciler| reconciler.fetching(Fetching::ObjectsOnly))
    })
    .await??;
    let end = now + duration;
    loop {
        probing.start_due(clock.now());
        syncing.start_due(clock.now());
        for measured in probing.finish().await {
            reconciler.rounds.take(measured);
        }
        for (place, report) in syncing.finish().await {
            reconciler.reports.add(place, report);
        }
        let now = clock.now();
        let (kept, planned) = tokio::task::spawn_blocking(move || {
            let planned = reconciler.planned(now);
            (reconciler, planned)
        })
        .await?;
        let planned = planned?;
        if now >= end {
            return Ok(planned);
        }
        reconciler = kept;
        let next = probing.next_due().map_or(end, |due| due.min(end));
        tokio::time::sleep(next.since(clock.now())).await;
    }
}

impl Reconciler {
    /// Observes, and decides for every service, carrying nothing out. The journal must be one in memory.
    fn planned(&mut self, now: Timestamp) -> Result<Vec<Planned>> {
        self.observe_repositories(now)?;
        self.follow_syncs(now)?;
        for policy in self.policies.clone() {
            self.detect(&policy, now)?;
            self.detect_broken_sync(&policy, now)?;
        }
        let policies = self.policies.clone();
        let places = policies.iter().flat_map(|policy| policy.instances.iter().map(move |instance| (policy, instance)));
        places.map(|(policy, instance)| self.planned_for(policy, instance, now)).collect()
    }

    fn planned_for(&self, policy: &Policy, instance: &Instance, now: Timestamp) -> Result<Planned> {
        let service = self.evidence(policy, &instance.name, now);
        let cut = attribution::newest_change(&service, self.state.landings());
        let assessments = policy.judged().map(|slo| slo::assess(slo, service.rounds(&slo.name), cut, now)).collect();
        let (name, cluster) = (instance.name.clone(), instance.cluster.clone());
        let mut planned = Planned { policy: policy.name.clone(), instance: name, cluster, assessments, decision: None, attribution: None };
        let is_here = |incident: &&Incident| incident.policy == policy.name && incident.instance == instance.name;
        let open = self
            .state
            .incidents
            .values()
            .filter(|incident| is_here(incident) && incident.ending.is_none() && incident.landed.is_none())
            // What is bad comes before what is only not synced.
            .min_by_key(|incident| incident.broke() == Broke::Sync);
        if let Some(incident) = open
            && let Some(situation) = situations::gather(self, policy, incident, now)?
        {
            let decision = decide(&situation);
            planned.attribution = decision.attribution;
            planned.decision = Some(decision.record);
        }
        Ok(planned)
    }
}
