//! The agent's own metrics, by the Prometheus conventions: base units, `_total` for counters, few and bounded labels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::afterwards::BreachEnding;
use crate::engine::decision::DecisionVerdict;
use crate::engine::fact::EffectAction;
use crate::engine::guardrail::Refusal;
use crate::engine::id::{InstanceName, NotifierName, PolicyName, RepositoryName, SloName};
use crate::engine::slo::Verdict;
use crate::engine::time::Timestamp;

type Labels = Vec<(&'static str, String)>;
type FloatGauge = Gauge<f64, AtomicU64>;

/// Every metric, shared by all who count.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    passes: Counter,
    pass_duration: Histogram,
    decisions: Family<Labels, Counter>,
    refusals: Family<Labels, Counter>,
    effects: Family<Labels, Counter>,
    rounds: Family<Labels, Counter>,
    notifications: Family<Labels, Counter>,
    polls: Family<Labels, FloatGauge>,
    stopped: Family<Labels, Gauge>,
    paused: Gauge,
    incidents_open: Gauge,
    breaches_ended: Family<Labels, Counter>,
    false_reverts: Family<Labels, Counter>,
    slo_state: Family<Labels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with every metric at its beginning.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("revertd");
        let passes = Counter::default();
        let pass_duration = Histogram::new([0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0]);
        let decisions = Family::<Labels, Counter>::default();
        let refusals = Family::<Labels, Counter>::default();
        let effects = Family::<Labels, Counter>::default();
        let rounds = Family::<Labels, Counter>::default();
        let notifications = Family::<Labels, Counter>::default();
        let polls = Family::<Labels, FloatGauge>::default();
        let stopped = Family::<Labels, Gauge>::default();
        let (paused, incidents_open) = (Gauge::default(), Gauge::default());
        let slo_state = Family::<Labels, Gauge>::default();
        let breaches_ended = Family::<Labels, Counter>::default();
        let false_reverts = Family::<Labels, Counter>::default();
        registry.register("build", "The version that runs", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("passes", "Passes that ended", passes.clone());
        registry.register_with_unit("pass_duration", "How long passes took", Unit::Seconds, pass_duration.clone());
        registry.register("decisions", "Decisions that changed, by verdict", decisions.clone());
        registry.register("refusals", "Guardrails that said no in a decision, by code", refusals.clone());
        registry.register("effects", "Effects, by action and outcome", effects.clone());
        registry.register("rounds", "Probe rounds, by policy, SLO and outcome", rounds.clone());
        registry.register("notifications", "Deliveries to chats and pagers, by notifier and outcome", notifications.clone());
        registry.register_with_unit("repository_last_poll_timestamp", "When a repository was last read", Unit::Seconds, polls.clone());
        registry.register("repository_stopped", "1 while a repository's automation stands still", stopped.clone());
        registry.register("paused", "Pauses that hold", paused.clone());
        registry.register("incidents_open", "Incidents that have not ended", incidents_open.clone());
        registry.register("breaches_ended", "Breaches that ended, by policy and by what ended them", breaches_ended.clone());
        registry.register("false_reverts", "Reverts that were effective everywhere and changed nothing, by policy", false_reverts.clone());
        registry.register("slo_state", "1 for the verdict that an SLO has", slo_state.clone());
        Self(Arc::new(Inner {
            registry,
            passes,
            pass_duration,
            decisions,
            refusals,
            effects,
            rounds,
            notifications,
            polls,
            stopped,
            paused,
            incidents_open,
            breaches_ended,
            false_reverts,
            slo_state,
        }))
    }

    /// The exposition in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }

    /// A pass ended.
    pub fn pass(&self, took: Duration) {
        self.0.passes.inc();
        self.0.pass_duration.observe(took.as_secs_f64());
    }

    /// A decision changed.
    pub fn decision(&self, verdict: DecisionVerdict, refusals: &[Refusal]) {
        let verdict = match verdict {
            DecisionVerdict::Wait => "wait",
            DecisionVerdict::Refuse => "refuse",
            DecisionVerdict::Propose => "propose",
            DecisionVerdict::Merge => "merge",
        };
        self.0.decisions.get_or_create(&vec![("verdict", verdict.to_owned())]).inc();
        for refusal in refusals {
            self.0.refusals.get_or_create(&vec![("code", refusal.code.label())]).inc();
        }
    }

    /// An effect was tried.
    pub fn effect(&self, action: EffectAction, outcome: &str) {
        let action = match action {
            EffectAction::OpenProposal => "open_proposal",
            EffectAction::UpdateProposal => "update_proposal",
            EffectAction::DeleteProposal => "delete_proposal",
            EffectAction::Merge => "merge",
            EffectAction::Sign => "sign",
            EffectAction::Publish => "publish",
            EffectAction::MergeOnForge => "merge_on_forge",
            EffectAction::Enqueue => "enqueue",
            EffectAction::WriteSticky => "write_sticky",
            EffectAction::Support => "support",
        };
        self.0.effects.get_or_create(&vec![("action", action.to_owned()), ("outcome", outcome.to_owned())]).inc();
    }

    /// A round was measured.
    pub fn round(&self, policy: Option<&PolicyName>, slo: &SloName, outcome: &str) {
        let policy = policy.map_or_else(String::new, ToString::to_string);
        self.0.rounds.get_or_create(&vec![("policy", policy), ("slo", slo.to_string()), ("outcome", outcome.to_owned())]).inc();
    }

    /// A delivery to a chat or a pager came to an end.
    pub fn notification(&self, notifier: &NotifierName, outcome: Delivery) {
        let outcome = match outcome {
            Delivery::Delivered => "delivered",
            Delivery::Failed => "failed",
            Delivery::Dropped => "dropped",
        };
        self.0.notifications.get_or_create(&vec![("notifier", notifier.to_string()), ("outcome", outcome.to_owned())]).inc();
    }

    /// A repository was read.
    pub fn polled(&self, repository: &RepositoryName, at: Timestamp) {
        self.0.polls.get_or_create(&vec![("repository", repository.to_string())]).set(at.millis() as f64 / 1000.0);
    }

    /// Which repositories stand still, how many pauses hold, and how many incidents are open.
    pub fn standing(&self, stopped: &[(RepositoryName, Standing)], paused: usize, incidents_open: usize) {
        for (repository, standing) in stopped {
            self.0.stopped.get_or_create(&vec![("repository", repository.to_string())]).set(i64::from(*standing == Standing::Stopped));
        }
        self.0.paused.set(i64::try_from(paused).unwrap_or(i64::MAX));
        self.0.incidents_open.set(i64::try_from(incidents_open).unwrap_or(i64::MAX));
    }

    /// How many breaches ended how, and how many reverts changed nothing, by everything that the journal holds: over a restart they go on.
    pub fn afterwards(&self, breaches: &BTreeMap<(PolicyName, BreachEnding), u64>, false_reverts: &BTreeMap<PolicyName, u64>) {
        let raise = |counter: &Counter, to: u64| counter.inc_by(to.saturating_sub(counter.get()));
        for ((policy, ending), count) in breaches {
            let labels = vec![("policy", policy.to_string()), ("ending", ending.label().to_owned())];
            raise(&self.0.breaches_ended.get_or_create(&labels), *count);
        }
        for (policy, count) in false_reverts {
            raise(&self.0.false_reverts.get_or_create(&vec![("policy", policy.to_string())]), *count);
        }
    }

    /// The verdict that an SLO has.
    pub fn slo_state(&self, policy: &PolicyName, slo: &SloName, verdict: Verdict) {
        self.slo_state_in(policy, &InstanceName::default_instance(), slo, verdict);
    }

    /// The same in one instance of the policy. The label is not called `instance`: Prometheus puts the address of the agent there.
    pub fn slo_state_in(&self, policy: &PolicyName, instance: &InstanceName, slo: &SloName, verdict: Verdict) {
        for (candidate, label) in [
            (Verdict::Pending, "pending"),
            (Verdict::Healthy, "healthy"),
            (Verdict::Breaching, "breaching"),
            (Verdict::Inconclusive, "inconclusive"),
            (Verdict::Unknown, "unknown"),
        ] {
            let mut labels = vec![("policy", policy.to_string()), ("slo", slo.to_string()), ("verdict", label.to_owned())];
            labels.extend((!instance.is_default()).then(|| ("service_instance", instance.to_string())));
            self.0.slo_state.get_or_create(&labels).set(i64::from(candidate == verdict));
        }
    }
}

/// Whether a repository's automation stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It goes on.
    Going,
    /// It stands still.
    Stopped,
}

/// How a delivery to a chat or a pager ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It arrived.
    Delivered,
    /// It did not, and is tried again.
    Failed,
    /// It did not, and is not tried again.
    Dropped,
}
