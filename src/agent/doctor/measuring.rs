//! Asks every metrics server, control, indicator and sync source once, as the agent itself does.

use std::time::Duration;

use super::report::{Finding, Section};
use crate::agent::probing::{Probing, servers};
use crate::agent::{Clock, Measured, Place, Syncing, control_series, series_in};
use crate::config::Loaded;
use crate::config::agent::SyncKind;
use crate::engine::policy::{Indicator, Instance, Policy, Slo, Sync};
use crate::engine::round::{Outcome, Unknown};
use crate::engine::sync::{SyncReport, SyncState};
use crate::engine::time::{Timestamp, spoken};
use crate::engine::variables::Variables;
use crate::engine::versions::{self, ToldVersions};
use crate::net::prometheus::Evaluated;
use crate::probe::Probe;
use crate::probe::prometheus::{PrometheusProbe, last_end};

/// Looks at everything that measures.
pub(super) async fn examine(loaded: &Loaded, clock: &dyn Clock) -> Vec<Section> {
    let mut sections = metrics(loaded, clock).await;
    let mut probing = match Probing::new(&loaded.agent, &loaded.policies, clock.now()) {
        Ok(probing) => probing,
        Err(error) => {
            let mut section = Section::new("measurements");
            section.findings.push(Finding::problem("probes", format!("{error:#}"), "put the file where the agent file says"));
            sections.push(section);
            return sections;
        }
    };
    probing.start_due(clock.now());
    let rounds = probing.finish().await;
    sections.extend(controls(loaded, &rounds));
    sections.extend(syncs(loaded, clock).await);
    let places = loaded.policies.iter().flat_map(|policy| policy.instances.iter().map(move |instance| (policy, instance)));
    for (policy, instance) in places {
        let mut section = of_policy(policy, instance, &rounds);
        section.findings.extend(versions(loaded, policy, instance, clock.now()).await);
        sections.push(section);
    }
    sections
}

/// Whether the metric tells the versions of the service apart, where a policy asks for it: else nothing is merged without a person.
async fn versions(loaded: &Loaded, policy: &Policy, instance: &Instance, now: Timestamp) -> Vec<Finding> {
    // Without them the probes could not be set up, which was said.
    let Ok(servers) = servers(&loaded.agent) else { return Vec::new() };
    let variables = Variables::of(policy, instance);
    let mut findings = Vec::new();
    for slo in policy.slos.iter().filter(|slo| versions::label(slo).is_some()) {
        let Ok(Indicator::Prometheus(indicator)) = variables.in_indicator(&slo.indicator) else { continue };
        let Some((client, delay)) = servers.get(indicator.server.as_str()) else { continue };
        let probe = PrometheusProbe::new(client.clone(), &indicator);
        let subject = format!("versions of slo {}", slo.name);
        findings.push(match probe.versions(last_end(now, indicator.every, *delay)).await {
            Some(ToldVersions::Known(versions)) => {
                let names: Vec<&str> = versions.iter().map(|version| version.version.as_str()).collect();
                Finding::ok(subject, format!("told apart in the last two hours: {}", names.join(", ")))
            }
            Some(ToldVersions::Unknown { why }) => {
                let fix =
                    "name under `versionLabel` a label that `freshness` and the queries have; while versions are not known, people merge";
                Finding::warning(subject, why, fix)
            }
            None => continue,
        });
    }
    findings
}

async fn metrics(loaded: &Loaded, clock: &dyn Clock) -> Vec<Section> {
    let servers = match servers(&loaded.agent) {
        Ok(servers) => servers,
        Err(error) => {
            let mut section = Section::new("metrics servers");
            section.findings.push(Finding::problem("client", format!("{error:#}"), "mend `metrics` in the agent file"));
            return vec![section];
        }
    };
    let mut sections = Vec::new();
    for (name, (client, _)) in servers {
        let mut section = Section::new(format!("metrics server {name}"));
        let fix = "check `url`, `headers` and `bearerTokenFile`, and that this machine reaches the server";
        section.findings.push(match client.instant("vector(1)", clock.now()).await {
            Ok(Evaluated::Number(_)) => Finding::ok("answers", "it answers queries"),
            Ok(other) => {
                Finding::problem("answers", format!("`vector(1)` gave {other:?}"), "set `url` to the server's address without `/api/v1`")
            }
            Err(error) => Finding::problem("answers", error.to_string(), fix),
        });
        sections.push(section);
    }
    sections
}

fn controls(loaded: &Loaded, rounds: &[Measured]) -> Option<Section> {
    let mut section = Section::new("controls");
    for control in &loaded.agent.controls {
        let round = rounds.iter().find(|measured| measured.series == control_series(&control.name)).map(|measured| &measured.round);
        let url = &control.http.url;
        let fix = "name an address that always answers, as of a status page; while a control does not, nothing is reverted";
        section.findings.push(match round.map(|round| &round.outcome) {
            Some(Outcome::Good(said)) => Finding::ok(control.name.clone(), format!("{url} answers: {said}")),
            Some(Outcome::Bad(said)) => Finding::problem(control.name.clone(), format!("{url} answers {said}"), fix),
            Some(Outcome::Unknown(why)) => Finding::problem(control.name.clone(), format!("{url}: {}", spoken_unknown(why)), fix),
            Some(Outcome::Counts { .. } | Outcome::Value(_)) | None => {
                Finding::not_seen(control.name.clone(), format!("{url}: no round came"), "run this again")
            }
        });
    }
    if section.findings.is_empty() {
        let sentence = "there are none: an agent that is cut off takes every service for broken";
        section.findings.push(Finding::warning("controls", sentence, "name under `controls` what always answers"));
    }
    Some(section)
}

/// What runs, as the sync source of each policy says; none where every policy assumes a lag.
async fn syncs(loaded: &Loaded, clock: &dyn Clock) -> Option<Section> {
    let mut section = Section::new("sync sources");
    match Syncing::new(&loaded.agent, &loaded.policies, clock.now()) {
        Ok(mut syncing) => {
            syncing.start_due(clock.now());
            let mut reports = syncing.finish().await;
            reports.sort_by(|(one, _), (other, _)| one.cmp(other));
            let name =
                |(policy, instance): &Place| if instance.is_default() { policy.to_string() } else { format!("{policy} in {instance}") };
            section.findings.extend(reports.iter().map(|(place, report)| of_report(&name(place), report, fix_of(loaded, place))));
        }
        Err(error) => section.findings.push(Finding::problem("sources", format!("{error:#}"), "mend `sync` in the agent file")),
    }
    (!section.findings.is_empty()).then_some(section)
}

/// What to look at where the source of a policy does not tell what runs. As long as it does not, nothing is merged.
fn fix_of(loaded: &Loaded, (policy, instance): &Place) -> &'static str {
    let policy = loaded.policies.iter().find(|known| known.name == *policy);
    let source = policy.and_then(|policy| policy.instance(instance)).and_then(|instance| match &instance.sync {
        Sync::Source { source, .. } => Some(source),
        Sync::Lag(_) => None,
    });
    match loaded.agent.syncs.iter().find(|known| Some(&known.name) == source).map(|known| &known.kind) {
        Some(SyncKind::ArgoCd { .. }) => "check `url`, that the token may `get` the application, and its name in the policy",
        Some(SyncKind::FluxInCluster) => {
            "give the agent's service account `get` on Flux's objects and the pod its token, as deploy/kustomize/flux does, and check the policy's names"
        }
        Some(SyncKind::FluxKubeconfig { .. }) => "check the kubeconfig, that its user may `get` Flux's objects, and the policy's names",
        Some(SyncKind::CommitStatus { .. }) => {
            "check `context` and `creator`, and that the tool's notification controller writes statuses on this repository's commits"
        }
        Some(SyncKind::RevisionMetric { .. }) => "check the policy's query, and that its label holds whole commit ids",
        Some(SyncKind::Lag(_)) | None => "mend `sync` in the policy",
    }
}

/// Judges one answer of a sync source. That a sync is off or fails is nothing that the configuration can mend, but a revert would wait for it.
fn of_report(policy: &str, report: &SyncReport, fix: &str) -> Finding {
    let runs = report.applied.iter().map(|revision| revision.commit.short()).collect::<Vec<_>>().join(" and ");
    let runs = if runs.is_empty() { "it runs nothing yet".to_owned() } else { format!("it runs {runs}") };
    let waits = "switch it on again: a revert that is merged is not applied before";
    match &report.state {
        SyncState::Unknown { why } => Finding::problem(policy, format!("what runs is not told: {why}"), fix),
        SyncState::Applied | SyncState::Progressing => Finding::ok(policy, runs),
        SyncState::Paused => Finding::warning(policy, format!("{runs}; automatic sync is off"), waits),
        SyncState::Suspended => Finding::warning(policy, format!("{runs}; reconciling is suspended"), waits),
        SyncState::Failed { why, .. } => {
            Finding::warning(policy, format!("{runs}; the sync fails: {why}"), "look at the sync tool: a revert may not be applied either")
        }
    }
}

fn of_policy(policy: &Policy, instance: &Instance, rounds: &[Measured]) -> Section {
    let place = if instance.name.is_default() { String::new() } else { format!(" in {}", instance.name) };
    let mut section = Section::new(format!("policy {}{place}", policy.name));
    for slo in policy.measured() {
        let series = series_in(&policy.name, &instance.name, &slo.name);
        let round = rounds.iter().find(|measured| measured.series == series).map(|measured| &measured.round);
        section.findings.push(match round {
            Some(round) => judge(slo, &round.outcome),
            None => Finding::not_seen(format!("slo {}", slo.name), "no round came", "run this again"),
        });
        if let Indicator::Prometheus(indicator) = &slo.indicator
            && indicator.freshness.is_none()
        {
            let sentence = "has no `freshness`: how old the data is cannot be told, and an aggregate hides it";
            let fix = "name the selector whose newest sample says how fresh the data is";
            section.findings.push(Finding::warning(format!("slo {}", slo.name), sentence, fix));
        }
    }
    section
}

/// Judges one round. That a service is not well is no fault of the configuration.
fn judge(slo: &Slo, outcome: &Outcome) -> Finding {
    let subject = format!("slo {}", slo.name);
    match outcome {
        Outcome::Good(said) => Finding::ok(subject, format!("measured: good ({said})")),
        Outcome::Bad(said) => Finding::warning(subject, format!("measured: bad ({said})"), "look at the service"),
        Outcome::Value(value) => Finding::ok(subject, format!("measured: {value}")),
        Outcome::Counts { good, total } => Finding::ok(subject, format!("measured: {good} good of {total}")),
        Outcome::Unknown(why) => {
            let fix = match why {
                Unknown::Unreachable { .. } => "check the address, and that this machine reaches it",
                Unknown::ServerError { .. } => "try the query on the server's own page",
                Unknown::NoData => "check the query's names and labels: it matches no series",
                Unknown::Stale { .. } => "see whether the target is still scraped, or raise `maxStaleness`",
                Unknown::NotANumber { .. } => "have the query give one number: aggregate over every label",
                Unknown::Undecided { .. } => {
                    "look at the alert and its silences, or at the workload; while it does not count, nothing follows from it"
                }
                Unknown::Cluster { .. } => "check the address, and that the account may `get` the workload and `list` pods",
                Unknown::Refused { .. } => "allow the range under `network.allow` in the agent file",
            };
            Finding::problem(subject, spoken_unknown(why), fix)
        }
    }
}

fn spoken_unknown(why: &Unknown) -> String {
    match why {
        Unknown::Unreachable { detail } => format!("no complete answer: {detail}"),
        Unknown::ServerError { detail } => format!("the metrics server gave no answer: {detail}"),
        Unknown::NoData => "the query returned nothing".to_owned(),
        Unknown::Stale { age } => format!("the newest sample is {} old", spoken((*age).max(Duration::from_millis(1)))),
        Unknown::NotANumber { detail } => format!("no one number: {detail}"),
        Unknown::Undecided { detail } => format!("it does not count now: {detail}"),
        Unknown::Cluster { detail } => format!("the cluster gave no answer: {detail}"),
        Unknown::Refused { detail } => format!("it may not be asked: {detail}"),
    }
}
