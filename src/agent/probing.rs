//! Runs the probes when they are due and hands their rounds over. Probes run on tasks of their own: a slow one delays no other.
//!
//! HTTP rounds start every `every` from the start of the agent. Rounds of a metrics server end on multiples of `every` since the epoch,
//! so that a live round, one that was asked again and one that filled a gap cover the same windows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::mpsc;

use super::syncing::in_cluster;
use super::{Rounds, control_series, series_in};
use crate::config;
use crate::config::agent::MetricsKind;
use crate::engine::alert_source::AlertSelector;
use crate::engine::policy::{AlertIndicator, Indicator, Policy, PrometheusIndicator, Slo, WorkloadIndicator};
use crate::engine::round::Round;
use crate::engine::slo::{self, Quality};
use crate::engine::time::Timestamp;
use crate::engine::variables::Variables;
use crate::engine::versions::ToldVersions;
use crate::journal::Series;
use crate::net::address::AddressRules;
use crate::net::client::Client;
use crate::net::kubernetes::KubernetesAccess;
use crate::net::prometheus::PrometheusClient;
use crate::net::secret::Secret;
use crate::probe::Probe;
use crate::probe::alert::{AlertApi, AlertProbe, AlertServer};
use crate::probe::http::HttpProbe;
use crate::probe::prometheus::{PrometheusProbe, last_end};
use crate::probe::workload::WorkloadProbe;

/// The limit for one answer of a metrics server.
const QUERY_LIMIT: Duration = Duration::from_secs(10);

/// Controls are asked as often as the quickest probe, and at least this often: a breach is decided as soon as they have answered.
const SLOWEST_CONTROL: Duration = Duration::from_secs(10);

/// Time from one control round to the next.
pub(super) fn control_every(agent: &config::agent::Agent, policies: &[Policy]) -> Duration {
    let probes = policies.iter().flat_map(Policy::measured).map(Slo::every);
    let controls = agent.controls.iter().map(|control| control.http.every);
    probes.chain(controls).min().unwrap_or(SLOWEST_CONTROL).min(SLOWEST_CONTROL)
}

/// A finished round.
#[derive(Debug)]
pub struct Measured {
    /// Of which series.
    pub series: Series,
    /// The round.
    pub round: Round,
    /// What each version of the service did; asked where the round is not good and the SLO tells versions apart.
    pub versions: Option<ToldVersions>,
}

/// One series and how its rounds are made.
struct Scheduled {
    series: Series,
    /// What judges the rounds; none for a control.
    slo: Option<Arc<Slo>>,
    every: Duration,
    kind: Kind,
    due: Timestamp,
}

#[derive(Clone)]
enum Kind {
    /// Rounds start when they are due.
    Http(Arc<dyn Probe>),
    /// Rounds end on multiples of `every`, this long before now.
    Prometheus { probe: Arc<dyn Probe>, delay: Duration },
}

/// Every probe with its next due time.
pub struct Probing {
    scheduled: Vec<Scheduled>,
    sender: mpsc::UnboundedSender<Measured>,
    receiver: mpsc::UnboundedReceiver<Measured>,
    running: usize,
}

impl Probing {
    /// The probes of a configuration; the first rounds are due at once.
    ///
    /// # Errors
    /// A metrics server whose token file cannot be read, or that a policy names and the agent file does not.
    pub fn new(agent: &config::agent::Agent, policies: &[Policy], now: Timestamp) -> Result<Self> {
        let client = Client::new(AddressRules::for_policies(agent.network_allow.clone())).context("cannot set up the HTTP client")?;
        let operator = Client::new(AddressRules::for_operator()).context("cannot set up the HTTP client")?;
        let servers = servers(agent)?;
        let controls: Arc<[HttpProbe]> =
            agent.controls.iter().map(|control| HttpProbe::new(operator.clone(), control.http.clone(), Arc::new([]))).collect();
        let mut scheduled = Vec::new();
        for (control, probe) in agent.controls.iter().zip(controls.iter()) {
            let kind = Kind::Http(Arc::new(probe.clone()));
            scheduled.push(Scheduled {
                series: control_series(&control.name),
                slo: None,
                every: control_every(agent, policies),
                kind,
                due: now,
            });
        }
        for policy in policies {
            for (instance, slo) in policy.instances.iter().flat_map(|instance| policy.measured().map(move |slo| (instance, slo))) {
                let indicator = Variables::of(policy, instance)
                    .in_indicator(&slo.indicator)
                    .with_context(|| format!("cannot measure the SLO `{}` of the policy `{}`", slo.name, policy.name))?;
                let kind = match &indicator {
                    Indicator::Http(http) => Kind::Http(Arc::new(HttpProbe::new(client.clone(), http.clone(), controls.clone()))),
                    Indicator::Prometheus(indicator) => prometheus(indicator, &servers)
                        .with_context(|| format!("cannot measure the SLO `{}` of the policy `{}`", slo.name, policy.name))?,
                    Indicator::Alert(indicator) => Kind::Http(Arc::new(
                        alert_probe(indicator, agent, &operator)
                            .with_context(|| format!("cannot measure the SLO `{}` of the policy `{}`", slo.name, policy.name))?,
                    )),
                    Indicator::Workload(indicator) => Kind::Http(Arc::new(
                        workload_probe(indicator, agent)
                            .with_context(|| format!("cannot measure the SLO `{}` of the policy `{}`", slo.name, policy.name))?,
                    )),
                };
                let series = series_in(&policy.name, &instance.name, &slo.name);
                scheduled.push(Scheduled { series, slo: Some(Arc::new(slo.clone())), every: slo.every(), kind, due: now });
            }
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        Ok(Self { scheduled, sender, receiver, running: 0 })
    }

    /// Starts every probe that is due at `now`.
    pub fn start_due(&mut self, now: Timestamp) {
        for scheduled in &mut self.scheduled {
            if scheduled.due > now {
                continue;
            }
            // A pause of the machine drops the rounds that were missed: a gap is a gap.
            scheduled.due = match &scheduled.kind {
                Kind::Http(_) => (scheduled.due + scheduled.every).max(now),
                Kind::Prometheus { delay, .. } => last_end(now, scheduled.every, *delay) + scheduled.every + *delay,
            };
            let (kind, series, sender) = (scheduled.kind.clone(), scheduled.series.clone(), self.sender.clone());
            let slo = scheduled.slo.clone();
            let end = match &kind {
                Kind::Http(_) => now,
                Kind::Prometheus { delay, .. } => last_end(now, scheduled.every, *delay),
            };
            self.running += 1;
            tokio::spawn(async move {
                let (Kind::Http(probe) | Kind::Prometheus { probe, .. }) = kind;
                let round = probe.round(end).await;
                let is_bad = slo.is_some_and(|slo| slo::quality(&slo, &round) == Quality::Bad);
                let versions = if is_bad { probe.versions(round.end).await } else { None };
                // The receiver is gone only when the agent is ending.
                let _ = sender.send(Measured { series, round, versions });
            });
        }
    }

    /// When the next probe is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.scheduled.iter().map(|scheduled| scheduled.due).min()
    }

    /// The next finished round.
    pub async fn next(&mut self) -> Option<Measured> {
        let finished = self.receiver.recv().await;
        self.running = self.running.saturating_sub(usize::from(finished.is_some()));
        finished
    }

    /// A round that is already finished, without waiting.
    pub fn try_next(&mut self) -> Option<Measured> {
        let finished = self.receiver.try_recv().ok();
        self.running = self.running.saturating_sub(usize::from(finished.is_some()));
        finished
    }

    /// Waits for every probe that was started.
    pub async fn finish(&mut self) -> Vec<Measured> {
        let mut rounds = Vec::new();
        while self.running > 0 {
            rounds.extend(self.next().await);
        }
        rounds
    }

    /// Rounds of metrics servers that should be there and are not, or that a server did not answer for, asked by one range query each.
    pub async fn fill(&self, rounds: &Rounds, windows: &BTreeMap<Series, Duration>, now: Timestamp) -> Vec<(Series, Round)> {
        let mut filled = Vec::new();
        for scheduled in &self.scheduled {
            let Kind::Prometheus { probe, delay } = &scheduled.kind else { continue };
            let window = windows.get(&scheduled.series).copied().unwrap_or(scheduled.every * 10);
            let to = last_end(now, scheduled.every, *delay);
            let from = to - window;
            let known = rounds.since(&scheduled.series, from);
            let unanswered: Vec<Timestamp> = rounds.unanswered(&scheduled.series).into_iter().filter(|end| *end > from).collect();
            let earliest_missing = if known.is_empty() { Some(from) } else { unanswered.first().map(|end| *end - scheduled.every) };
            let Some(start) = earliest_missing else { continue };
            for round in probe.backfill(start, to).await {
                if round.is_known() && (unanswered.contains(&round.end) || !known.iter().any(|other| other.end == round.end)) {
                    filled.push((scheduled.series.clone(), round));
                }
            }
        }
        filled
    }
}

pub(super) fn servers(agent: &config::agent::Agent) -> Result<BTreeMap<String, (PrometheusClient, Duration)>> {
    agent
        .metrics
        .iter()
        .filter(|server| server.kind == MetricsKind::Prometheus)
        .map(|server| {
            let client = PrometheusClient::new(
                &server.url,
                server.headers.clone(),
                server.bearer_token_file.clone(),
                AddressRules::for_operator(),
                QUERY_LIMIT,
            )
            .with_context(|| format!("cannot use the metrics server `{}`", server.name))?;
            Ok((server.name.to_string(), (client, server.ingest_delay)))
        })
        .collect()
}

/// The probe of an alert. Servers are the operator's, so their addresses are not limited to those that policies may probe.
fn alert_probe(indicator: &AlertIndicator, agent: &config::agent::Agent, operator: &Client) -> Result<AlertProbe> {
    let server = agent
        .metrics
        .iter()
        .find(|server| server.name == indicator.server)
        .ok_or_else(|| anyhow!("there is no metrics server `{}` in the agent file", indicator.server))?;
    let api = match &server.kind {
        MetricsKind::Prometheus => AlertApi::Prometheus,
        MetricsKind::Kubernetes { .. } => bail!("`{}` is a cluster, which knows no alerts", indicator.server),
        MetricsKind::Alertmanager { watchdog } => {
            AlertApi::Alertmanager { watchdog: Some(AlertSelector { name: watchdog.clone(), labels: BTreeMap::new() }) }
        }
    };
    let headers = server.headers.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone()))).collect();
    let server = AlertServer { url: server.url.clone(), api, headers, bearer_token_file: server.bearer_token_file.clone() };
    Ok(AlertProbe::new(operator.clone(), server, indicator.selector.clone(), indicator.max_staleness, QUERY_LIMIT))
}

/// The probe of a workload.
fn workload_probe(indicator: &WorkloadIndicator, agent: &config::agent::Agent) -> Result<WorkloadProbe> {
    let known = agent.metrics.iter().find(|server| server.name == indicator.server);
    let access = match known.map(|server| &server.kind) {
        Some(MetricsKind::Kubernetes { kubeconfig: Some(path), context }) => {
            KubernetesAccess::Kubeconfig { path: path.clone(), context: context.clone() }
        }
        Some(MetricsKind::Kubernetes { kubeconfig: None, .. }) => in_cluster()?,
        Some(_) | None => bail!("there is no cluster `{}` in the agent file", indicator.server),
    };
    Ok(WorkloadProbe::new(access, indicator))
}

fn prometheus(indicator: &PrometheusIndicator, servers: &BTreeMap<String, (PrometheusClient, Duration)>) -> Result<Kind> {
    let (client, delay) = servers
        .get(indicator.server.as_str())
        .ok_or_else(|| anyhow!("there is no metrics server `{}` in the agent file", indicator.server))?;
    Ok(Kind::Prometheus { probe: Arc::new(PrometheusProbe::new(client.clone(), indicator)), delay: *delay })
}
