//! The agent: it owns the product's tasks and its clock, asks the ports, and gives their answers to the engine.
//!
//! `reconcile` says in what order. `observe` reads repositories, `situations` gathers what a decision is made from, `proposals` follows
//! what people do to proposals, `execute` carries effects out, `wording` gathers what is told about them on the forge, `telling` tells chats and
//! pagers through the threads of `courier`, `judge` decides what comes from a file and `backtest` what history holds, both pass by pass with
//! `passing`; `schedule` says when, `probing` runs the probes, `syncing` asks the sync sources, `following` says what their answers mean for a
//! landing, and `sync_breaks` opens incidents of the sync itself.

mod afterwards;
mod asking;
mod backtest;
mod branch_rules;
pub mod budgets;
mod clock;
mod conversation;
mod courier;
mod day_before;
mod decorating;
pub mod doctor;
mod everywhere;
mod execute;
mod following;
mod forge_merging;
mod found;
mod hearing;
mod identity;
mod impairment;
mod issue_stop;
mod judge;
mod observe;
mod open_work;
mod owners;
mod passing;
mod plan;
mod probing;
mod proposals;
mod publishing;
mod reconcile;
mod relanding;
mod rendering;
mod rounds;
mod run;
mod signing;
mod silence;
mod situations;
mod spreading;
mod statuses;
pub mod switches;
mod sync_breaks;
mod syncing;
mod telling;
mod wording;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use self::asking::Asking;
pub use self::backtest::{Backtest, BacktestError, Progress, backtest};
use self::budgets::Budgets;
pub use self::clock::{Clock, ManualClock, SystemClock};
use self::conversation::Conversation;
use self::courier::Courier;
use self::following::Following;
pub use self::following::{Place, Reports};
use self::found::Found;
use self::impairment::Trouble;
pub use self::judge::{Answer, DecideAt, JudgedAction, JudgedDecision, judge};
pub use self::plan::{Planned, plan};
pub use self::probing::{Measured, Probing};
use self::rendering::Renders;
pub use self::rounds::Rounds;
pub use self::run::{Options, run};
pub use self::syncing::Syncing;
use self::telling::Teller;
pub use self::wording::templates;
use crate::config;
use crate::engine::fact::{Event, Fact};
use crate::engine::id::{IncidentId, InstanceName, PolicyName, RepositoryName, SloName};
use crate::engine::incident::State;
use crate::engine::policy::{Policy, Slo};
use crate::engine::round::{Outcome, Round};
use crate::engine::shared::Shared;
use crate::engine::situation::{ServiceEvidence, Situation, SloSeries};
use crate::engine::slo::Assessment;
use crate::engine::time::{Interval, Timestamp};
use crate::engine::versions::SloVersions;
use crate::git::{Listing, Mirror, Signer};
use crate::journal::{Journal, Series};
use crate::render::templates::Templates;
use crate::web::{AgentStatus, Metrics, Standing};

/// Decisions look back at least this far, so that a proposal of the night can be explained in the morning.
const LOOKED_BACK: Duration = Duration::from_secs(7 * 3600);

/// The day before, with the hour before an onset and the hours that an incident may last. Only what opens incidents is kept so long.
const DAY_BEFORE_KEPT: Duration = Duration::from_secs(28 * 3600);

/// A watched repository with its mirror and what its last listing showed.
pub struct Repository {
    /// What the operator wrote.
    pub config: config::agent::Repository,
    mirror: Arc<Mirror>,
    signer: Option<Signer>,
    /// The newest listing and when it was taken.
    listing: Option<(Timestamp, Listing)>,
    /// When the next listing is due.
    due: Timestamp,
    /// The forge that shows proposals, with what was heard there; none with plain Git.
    conversation: Option<Conversation>,
}

/// The one writer: state folded from the journal, the ports, and the passes over them. Synchronous; the loop around it is in `run`.
pub struct Reconciler {
    config: config::agent::Agent,
    policies: Vec<Policy>,
    repositories: Vec<Repository>,
    journal: Arc<dyn Journal>,
    state: State,
    last_sequence: u64,
    /// The rounds in memory.
    pub rounds: Rounds,
    budgets: Budgets,
    /// What the sync sources said since the last pass.
    pub reports: Reports,
    following: Following,
    /// The policy that each open incident opened with.
    pinned: BTreeMap<IncidentId, Policy>,
    metrics: Metrics,
    status: AgentStatus,
    fetching: Fetching,
    templates: Templates,
    teller: Teller,
    trouble: Trouble,
    renders: Renders,
    asking: Asking,
    spread: spreading::Seen,
    /// What the decisions of a pass have in common.
    found: Found,
    worlds: usize,
    clock: Arc<dyn Clock>,
}

/// Whether a fetch writes references into the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetching {
    /// It does.
    References,
    /// Objects only, as for `plan`.
    ObjectsOnly,
}

impl Reconciler {
    /// Opens every mirror and reads the journal.
    ///
    /// # Errors
    /// A mirror that cannot be opened, a key that cannot be read, a journal that cannot be read.
    pub fn new(
        loaded: config::Loaded,
        journal: Arc<dyn Journal>,
        metrics: Metrics,
        status: AgentStatus,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let now = clock.now();
        let config::Loaded { agent, policies, .. } = loaded;
        let templates = templates(agent.templates.as_deref())?;
        let teller = Teller::new(Courier::new(&agent.notifiers)?);
        let asking = Asking::new(&agent)?;
        let mut reconciler = Self {
            config: agent,
            policies,
            repositories: Vec::new(),
            journal,
            state: State::default(),
            last_sequence: 0,
            rounds: Rounds::default(),
            budgets: Budgets::default(),
            reports: Reports::default(),
            following: Following::default(),
            pinned: BTreeMap::new(),
            metrics,
            status,
            fetching: Fetching::References,
            templates,
            teller,
            trouble: Trouble::default(),
            renders: Renders::default(),
            found: Found::default(),
            worlds: 0,
            asking,
            spread: spreading::Seen::default(),
            clock,
        };
        reconciler.read_journal()?;
        // With what is remembered of each forge: another repository under the old name is noticed before anything is asked of it.
        reconciler.repositories = observe::open_repositories(&reconciler.config, &reconciler.state.forges, &reconciler.clock, now)?;
        let stored = reconciler.journal.rounds_since(now - rounds_kept(&reconciler.policies)).context("cannot read the rounds")?;
        reconciler.rounds.restore(stored);
        let hours = reconciler.journal.hours_since(now - budgets::longest(&reconciler.policies)).context("cannot read the hours")?;
        reconciler.budgets.restore(hours);
        reconciler.restore_pinned()?;
        Ok(reconciler)
    }

    /// The same with another way to fetch.
    #[must_use]
    pub fn fetching(mut self, fetching: Fetching) -> Self {
        self.fetching = fetching;
        self
    }

    /// The state that the facts add up to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The policies in force.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// In how many worlds the newest pass judged incidents of one plan: one, where they share all that is found for them.
    pub fn worlds(&self) -> usize {
        self.worlds
    }

    /// Swaps configuration and policies for newly validated ones; open incidents keep the policy that they opened with.
    ///
    /// # Errors
    /// A new mirror that cannot be opened; then everything stays as it was.
    pub(super) fn swap(&mut self, loaded: config::Loaded, now: Timestamp) -> Result<()> {
        let repositories = observe::open_repositories(&loaded.agent, &self.state.forges, &self.clock, now)?;
        let templates = templates(loaded.agent.templates.as_deref())?;
        let asking = Asking::new(&loaded.agent)?;
        self.teller.courier.replace(&loaded.agent.notifiers)?;
        (self.asking, self.renders) = (asking, Renders::default());
        self.templates = templates;
        self.config = loaded.agent;
        self.policies = loaded.policies;
        self.repositories = repositories;
        // What was said of what the old policies follow is not what the new ones follow.
        (self.reports, self.following) = (Reports::default(), Following::default());
        Ok(())
    }

    /// Reads facts that other processes appended since the last time, such as approvals.
    fn read_journal(&mut self) -> Result<()> {
        for fact in self.journal.facts_after(self.last_sequence)? {
            self.apply(&fact);
        }
        Ok(())
    }

    /// Appends facts and folds them in, together with those of other processes that came between.
    fn record(&mut self, now: Timestamp, events: Vec<Event>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.journal.append(now, events).context("cannot write to the journal")?;
        self.read_journal()
    }

    fn apply(&mut self, fact: &Fact) {
        self.last_sequence = fact.sequence;
        self.state.apply(fact);
    }

    fn save_rounds(&mut self, now: Timestamp) -> Result<()> {
        let unsaved = self.rounds.take_unsaved();
        if !unsaved.is_empty() {
            self.journal.append_rounds(&unsaved)?;
        }
        let counted = self.budgets.count(&self.policies, &self.rounds, now);
        if !counted.is_empty() {
            self.journal.append_hours(&counted)?;
            self.journal.prune_hours(now - budgets::longest(&self.policies))?;
        }
        self.prune_rounds(now)
    }

    /// Forgets the rounds that nothing looks back to: a day back it is only looked for what opens incidents.
    fn prune_rounds(&mut self, now: Timestamp) -> Result<()> {
        let triggers = self.triggers();
        let (longest, usual) = (now - rounds_kept(&self.policies), now - looked_back(&self.policies));
        let others: Vec<Series> = self.rounds.series().filter(|series| !triggers.contains(series)).cloned().collect();
        self.rounds.prune(|series| if triggers.contains(series) { longest } else { usual });
        self.journal.prune_rounds(longest)?;
        self.journal.prune_rounds_of(&others, usual)?;
        Ok(())
    }

    /// The series that can open an incident, by the policies in force and by those that open incidents opened with.
    fn triggers(&self) -> BTreeSet<Series> {
        let is_open = |id: &IncidentId| self.state.incidents.get(id).is_some_and(|incident| incident.ending.is_none());
        let pinned = self.pinned.iter().filter(|(id, _)| is_open(id)).map(|(_, policy)| policy);
        let of = |policy: &Policy| {
            let places = policy.instances.iter().flat_map(|instance| policy.slos.iter().map(move |slo| (instance, slo)));
            places.map(|(instance, slo)| series_in(&policy.name, &instance.name, &slo.name)).collect::<Vec<_>>()
        };
        self.policies.iter().chain(pinned).flat_map(of).collect()
    }

    /// The policy that an incident opened with; the current one of that name where it is not known any more.
    fn policy_of(&self, incident: &IncidentId) -> Option<Policy> {
        let name = &self.state.incidents.get(incident)?.policy;
        let current = self.policies.iter().find(|policy| policy.name == *name);
        match (self.pinned.get(incident), current) {
            // Tightening applies at once.
            (Some(pinned), Some(current)) => {
                let mut policy = pinned.clone();
                policy.tighten(current);
                Some(policy)
            }
            (pinned, current) => pinned.or(current).cloned(),
        }
    }

    /// After a restart, open incidents get back the policy that their stored situation holds.
    fn restore_pinned(&mut self) -> Result<()> {
        for incident in self.state.incidents.values().filter(|incident| incident.ending.is_none()) {
            let Some(digest) = &incident.situation else { continue };
            let Some(text) = self.journal.situation(digest)? else { continue };
            let situation = Situation::read_recorded(&text, |piece| self.journal.situation(piece).map_err(anyhow::Error::new))
                .with_context(|| format!("cannot read the situation {digest} of the incident {}", incident.id))?;
            self.pinned.insert(incident.id.clone(), situation.service.policy.clone());
        }
        Ok(())
    }

    fn repository(&self, name: &RepositoryName) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.config.name == *name)
    }

    /// A policy with its recent rounds in one instance, as it is judged at `now`.
    fn evidence(&self, policy: &Policy, instance: &InstanceName, now: Timestamp) -> ServiceEvidence {
        self.evidence_since(policy, instance, now - looked_back(&self.policies), now)
    }

    /// The same for a breach that began with `onset`, with the same hours of the day before.
    fn evidence_of(&self, policy: &Policy, instance: &InstanceName, onset: Interval, now: Timestamp) -> Shared<ServiceEvidence> {
        let between = |slo: &SloName, from, to| self.rounds.between(&series_in(&policy.name, instance, slo), from, to).to_vec();
        let mut service = self.evidence(policy, instance, now);
        service.versions = self.versions_of(policy, instance);
        day_before::with_day_before(service.into(), onset, now, between)
    }

    /// What was told of its versions, of every SLO that can breach and tells them apart.
    fn versions_of(&self, policy: &Policy, instance: &InstanceName) -> Vec<SloVersions> {
        let of_slo = |slo: &Slo| {
            let (until, told) = self.rounds.versions(&series_in(&policy.name, instance, &slo.name))?;
            Some(SloVersions { slo: slo.name.clone(), until: *until, told: told.clone() })
        };
        policy.slos.iter().filter_map(of_slo).collect()
    }

    fn evidence_since(&self, policy: &Policy, instance: &InstanceName, from: Timestamp, now: Timestamp) -> ServiceEvidence {
        let rounds = |slo: &SloName| self.rounds.since(&series_in(&policy.name, instance, slo), from).to_vec();
        let series = policy.judged().map(|slo| SloSeries { slo: slo.name.clone(), rounds: rounds(&slo.name) }).collect();
        let measured = ServiceEvidence::measured(policy.clone(), instance.clone(), series);
        ServiceEvidence { applied: self.applied_of(policy, instance), ..measured }.by_foremost_alerts(self.state.landings(), now)
    }

    /// Counts a round.
    pub fn note_round(&self, series: &Series, round: &Round) {
        let outcome = match &round.outcome {
            Outcome::Good(_) => "good",
            Outcome::Bad(_) => "bad",
            Outcome::Counts { .. } => "counts",
            Outcome::Value(_) => "value",
            Outcome::Unknown(_) => "unknown",
        };
        self.metrics.round(series.policy.as_ref(), &series.slo, outcome);
    }

    /// Shows where things stand after a pass.
    fn publish(&self, now: Timestamp) {
        let stopped: Vec<_> = self
            .repositories
            .iter()
            .map(|repository| {
                let name = &repository.config.name;
                let head = repository.listing.as_ref().and_then(|(_, listing)| listing.head);
                let switched = head.is_some_and(|head| !self.kill_switches(repository, head).is_empty());
                (name.clone(), if switched || self.state.stops.contains_key(name) { Standing::Stopped } else { Standing::Going })
            })
            .collect();
        let paused = self.state.pauses.iter().filter(|pause| pause.until > now).count();
        let open = self.state.incidents.values().filter(|incident| incident.ending.is_none()).count();
        self.metrics.standing(&stopped, paused, open);
        self.status.pass_ended(now);
    }

    fn note_health(&self, policy: &Policy, instance: &InstanceName, assessments: &[Assessment]) {
        for assessment in assessments {
            self.metrics.slo_state_in(&policy.name, instance, &assessment.slo, assessment.verdict);
        }
    }
}

/// How long the rounds of what opens incidents are kept: as long as what decides looks back, and for the same hours of the day before.
fn rounds_kept(policies: &[Policy]) -> Duration {
    DAY_BEFORE_KEPT.max(looked_back(policies))
}

/// How far back what decides looks, beside the day before.
fn looked_back(policies: &[Policy]) -> Duration {
    let longest = policies.iter().map(Policy::longest_window).max().unwrap_or_default();
    LOOKED_BACK.max(longest * 2)
}

/// The series of a policy's SLO in its one instance, where it names none.
pub fn series_of(policy: &PolicyName, slo: &SloName) -> Series {
    series_in(policy, &InstanceName::default_instance(), slo)
}

/// The series of a policy's SLO in one of its instances.
pub fn series_in(policy: &PolicyName, instance: &InstanceName, slo: &SloName) -> Series {
    Series { policy: Some(policy.clone()), instance: instance.clone(), slo: slo.clone() }
}

/// The series of a control.
pub fn control_series(name: &str) -> Series {
    Series { policy: None, instance: InstanceName::default_instance(), slo: SloName::new(name) }
}
