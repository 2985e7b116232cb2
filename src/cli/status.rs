//! `revertd status`: how the services, repositories and incidents stand, by the journal.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::store::Measured;
use super::{Exit, Output, store};
use crate::agent::budgets;
use crate::agent::switches::look_at_file;
use crate::agent::{Rounds, series_in};
use crate::config::Loaded;
use crate::engine::afterwards::{self, BreachEnding};
use crate::engine::attribution::newest_change;
use crate::engine::budget::{Budget, Burn};
use crate::engine::id::PolicyName;
use crate::engine::incident::State;
use crate::engine::policy::{Instance, Policy, service_name};
use crate::engine::situation::ServiceEvidence;
use crate::engine::slo::{self, Assessment};
use crate::engine::switch::KillSwitch;
use crate::engine::sync::running::running;
use crate::engine::telling::Impairment;
use crate::engine::time::Timestamp;
use crate::journal::{Journal, SqliteJournal};
use crate::render;

/// The pace of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// Show how services, repositories and open incidents stand
///
/// Reads the journal beside a running agent; without one, it shows how things stood when the last one ended.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Show it again every two seconds, until interrupted; with `--output json` one line each time
    #[arg(long)]
    watch: bool,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
pub(super) fn run(args: &StatusArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    if !args.watch {
        once(args, &loaded, out)?;
        return Ok(Exit::Done);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        loop {
            once(args, &loaded, out)?;
            tokio::select! {
                _ = interrupt.recv() => return Ok(Exit::Done),
                _ = terminate.recv() => return Ok(Exit::Done),
                () = tokio::time::sleep(WATCH_EVERY) => {}
            }
        }
    })
}

fn once(args: &StatusArgs, loaded: &Loaded, out: &mut dyn Write) -> Result<()> {
    let journal = SqliteJournal::open_read_only(&loaded.agent.journal).context("cannot read the journal")?;
    let now = store::now();
    let state = store::fold(&journal.facts_after(0).context("cannot read the journal")?);
    let known = store::measured(&journal, &loaded.policies, now)?;
    if args.watch && std::io::stdout().is_terminal() {
        // Clears the screen, as `watch` does.
        write!(out, "\u{1b}[H\u{1b}[2J")?;
    }
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string(&as_json(loaded, &state, &known, now))?)?,
        Output::Text => show(loaded, &state, &known, now, out)?,
    }
    out.flush()?;
    Ok(())
}

/// How every service stands, in each instance.
fn assessments<'a>(loaded: &'a Loaded, state: &State, rounds: &Rounds, now: Timestamp) -> Vec<(&'a Policy, &'a Instance, Vec<Assessment>)> {
    let places = loaded.policies.iter().flat_map(|policy| policy.instances.iter().map(move |instance| (policy, instance)));
    places
        .map(|(policy, instance)| {
            let service = ServiceEvidence::measured(policy.clone(), instance.name.clone(), Vec::new());
            let cut = newest_change(&service, state.landings());
            let of = |slo: &crate::engine::policy::Slo| {
                let series = series_in(&policy.name, &instance.name, &slo.name);
                slo::assess(slo, rounds.since(&series, Timestamp(i64::MIN)), cut, now)
            };
            (policy, instance, policy.measured().map(of).collect())
        })
        .collect()
}

/// The error budgets of a policy's SLOs that have one: how each stands in an instance, and how fast it burned over each window.
fn standing(policy: &Policy, instance: &Instance, known: &Measured, now: Timestamp) -> Vec<(Budget, Vec<Burn>)> {
    policy.measured().filter_map(|slo| known.budgets.standing(&known.rounds, policy, &instance.name, slo, now)).collect()
}

fn as_json(loaded: &Loaded, state: &State, known: &Measured, now: Timestamp) -> Value {
    let service = |(policy, instance, slos): (&Policy, &Instance, Vec<Assessment>)| {
        let budgets = standing(policy, instance, known, now).into_iter();
        let budgets: Vec<Value> = budgets.map(|(budget, burns)| json!({"budget": budget, "burns": burns})).collect();
        json!({
            "policy": policy.name, "instance": instance.name, "cluster": instance.cluster, "slos": slos, "errorBudgets": budgets,
        })
    };
    let services: Vec<Value> = assessments(loaded, state, &known.rounds, now).into_iter().map(service).collect();
    let repositories: Vec<Value> = loaded
        .agent
        .repositories
        .iter()
        .map(|repository| json!({"name": repository.name, "head": state.heads.get(&repository.name), "stop": state.stops.get(&repository.name)}))
        .collect();
    let open: Vec<_> = state.incidents.values().filter(|incident| incident.ending.is_none()).collect();
    let pauses: Vec<_> = state.pauses.iter().filter(|pause| pause.until > now).collect();
    let runs: Vec<Value> =
        loaded.policies.iter().map(|policy| json!({"policy": policy.name, "instances": running(policy, state)})).collect();
    json!({
        "running": runs,
        "agentRuns": SqliteJournal::agent_is_running(&loaded.agent.journal), "services": services, "repositories": repositories,
        "outcomes": loaded.policies.iter().map(|policy| outcome_json(state, &policy.name)).collect::<Vec<_>>(), "pauses": pauses,
        "killSwitch": stop_file(loaded), "switches": switches_on(state), "openIncidents": open,
    })
}

/// How the breaches of a policy ended, and how often its reverts were right.
fn outcome_json(state: &State, policy: &PolicyName) -> Value {
    let counts = afterwards::breaches_ended(state);
    let ended: serde_json::Map<String, Value> = BreachEnding::ALL
        .into_iter()
        .map(|ending| (ending.label().to_owned(), json!(counts.get(&(policy.clone(), ending)).copied().unwrap_or_default())))
        .collect();
    json!({"policy": policy, "breachesEnded": ended, "record": afterwards::track_record(state, policy, None)})
}

fn outcomes(loaded: &Loaded, state: &State, out: &mut dyn Write) -> Result<()> {
    let counts = afterwards::breaches_ended(state);
    let mut is_first = true;
    for policy in &loaded.policies {
        let mut said: Vec<String> = BreachEnding::ALL
            .into_iter()
            .filter_map(|ending| Some(format!("{} {}", counts.get(&(policy.name.clone(), ending))?, ending.words())))
            .collect();
        let record = afterwards::track_record(state, &policy.name, None);
        said.extend((record.landed > 0).then(|| format!("reverts {}, false {}", record.landed, record.false_reverts)));
        if said.is_empty() {
            continue;
        }
        if is_first {
            writeln!(out, "\nbreaches that ended:")?;
            is_first = false;
        }
        writeln!(out, "  {}: {}", policy.name, said.join(", "))?;
    }
    Ok(())
}

/// The operator's kill switch, where it is on or cannot be read.
fn stop_file(loaded: &Loaded) -> Option<KillSwitch> {
    let path = loaded.agent.stop_file.as_deref()?;
    KillSwitch::file(&path.display().to_string(), look_at_file(path))
}

/// What is landed, attempted, applied and effective of each service.
fn show_running(loaded: &Loaded, state: &State, now: Timestamp, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nWhat runs:")?;
    for policy in &loaded.policies {
        for running in running(policy, state) {
            for (number, line) in render::running::lines(&running, now).iter().enumerate() {
                if number == 0 { writeln!(out, "  {} in {line}", policy.name)? } else { writeln!(out, "    {line}")? }
            }
        }
    }
    Ok(())
}

/// What the agent wrote down of the switches on branches and forges that are on, or cannot be read.
fn switches_on(state: &State) -> Vec<String> {
    let standing = state.notifications.impairments().filter(|(_, impaired)| impaired.restored.is_none());
    let of_repositories = standing.filter(|(what, _)| matches!(what, Impairment::Switched { repository: Some(_), .. }));
    of_repositories.map(|(_, impaired)| impaired.sentence.clone()).collect()
}

fn show(loaded: &Loaded, state: &State, known: &Measured, now: Timestamp, out: &mut dyn Write) -> Result<()> {
    let runs = if SqliteJournal::agent_is_running(&loaded.agent.journal) { "runs" } else { "does not run" };
    writeln!(out, "The agent {runs} ({now}).\n")?;
    for (policy, instance, slos) in assessments(loaded, state, &known.rounds, now) {
        let name = service_name(&policy.name, &instance.name, instance.cluster.as_deref());
        for assessment in slos {
            writeln!(out, "{name}  {}  {}: {}", assessment.slo, format!("{:?}", assessment.verdict).to_lowercase(), assessment.arithmetic)?;
        }
        for (budget, burns) in standing(policy, instance, known, now) {
            writeln!(out, "{name}  {}  {}", budget.slo, budgets::line(&budget, &burns))?;
        }
    }
    show_running(loaded, state, now, out)?;
    writeln!(out)?;
    for repository in &loaded.agent.repositories {
        let head = state.heads.get(&repository.name).map_or("not seen yet".to_owned(), |head| format!("at {head}"));
        writeln!(out, "{}  {} {head}", repository.name, repository.branch)?;
        if let Some(stop) = state.stops.get(&repository.name) {
            writeln!(out, "  stopped: {}", stop.sentence(&repository.name, &repository.branch))?;
        }
    }
    if let Some(switch) = stop_file(loaded) {
        writeln!(out, "stopped: {}", switch.sentence)?;
    }
    for sentence in switches_on(state) {
        writeln!(out, "stopped: {sentence}")?;
    }
    for pause in state.pauses.iter().filter(|pause| pause.until > now) {
        let scope = pause.repository.as_ref().map_or("all repositories".to_owned(), |name| format!("`{name}`"));
        writeln!(out, "paused in {scope} until {} by {}: {}", pause.until, pause.by, pause.reason)?;
    }
    let mut opted_out =
        state.landings().iter().rev().flat_map(|landing| &landing.changes).filter(|change| change.opt_out.is_some()).take(5).peekable();
    if opted_out.peek().is_some() {
        writeln!(out, "\nopted out of automatic reverts:")?;
        for change in opted_out {
            writeln!(out, "  {} {}: {}", change.id.short(), change.subject, change.opt_out.as_deref().unwrap_or_default())?;
        }
    }
    outcomes(loaded, state, out)?;
    show_open(loaded, state, known, now, out)
}

/// The open incidents, with what each has spent of its error budgets.
fn show_open(loaded: &Loaded, state: &State, known: &Measured, now: Timestamp, out: &mut dyn Write) -> Result<()> {
    let open: Vec<_> = state.incidents.values().filter(|incident| incident.ending.is_none()).collect();
    match open.len() {
        0 => writeln!(out, "\nNo incident is open.")?,
        1 => writeln!(out, "\nOne incident is open:")?,
        many => writeln!(out, "\n{many} incidents are open:")?,
    }
    for incident in open {
        writeln!(
            out,
            "  {} {}{}: {}",
            incident.id,
            incident.phase.words(),
            incident.place(),
            incident.decision.as_ref().map_or("not decided yet", |decision| &decision.sentence)
        )?;
        for spending in store::spent(&loaded.policies, known, incident, now) {
            writeln!(out, "    {}", spending.sentence)?;
        }
    }
    Ok(())
}
