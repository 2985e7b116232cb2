//! The loop of `revertd run`: probes and polls when they are due, a pass whenever something may have changed, signals in between.
//!
//! A pass is synchronous and runs on a blocking thread, one at a time; the loop hands the reconciler over and takes it back.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::{Clock, Measured, Place, Probing, Reconciler, Syncing, series_in};
use crate::config;
use crate::engine::fact::Event;
use crate::engine::policy::{Policy, Slo};
use crate::engine::sync::SyncReport;
use crate::engine::time::Timestamp;
use crate::journal::{Journal, Series, SqliteJournal};
use crate::web::{self, AgentStatus, Metrics};

/// The longest time between two passes: people's commands in the journal are seen within it.
const LONGEST_IDLE: Duration = Duration::from_secs(1);
/// How often missing rounds of metrics servers are asked for again.
const FILL_EVERY: Duration = Duration::from_secs(15);

/// How long the end waits for messages that are on their way, so that the next start does not have to look whether they arrived.
const LAST_DELIVERIES: Duration = Duration::from_secs(3);

/// What the loop needs besides the configuration.
pub struct Options {
    /// The agent file, to be read again on a reload; `None` where the configuration came from memory.
    pub config_file: Option<PathBuf>,
    /// A message asks for a reload (SIGHUP).
    pub reload: mpsc::UnboundedReceiver<()>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

/// Runs until `shutdown` resolves.
///
/// # Errors
/// A journal that another agent holds or that cannot be written, a mirror that cannot be opened, a listen address that is taken.
pub async fn run(loaded: config::Loaded, mut options: Options, shutdown: impl Future<Output = ()>) -> Result<()> {
    let clock = options.clock.clone();
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open_for_agent(&loaded.agent.journal).context("cannot open the journal")?);
    journal
        .append(clock.now(), vec![Event::AgentStarted { version: env!("CARGO_PKG_VERSION").to_owned() }])
        .context("cannot write to the journal")?;
    let (metrics, status) = (Metrics::new(), AgentStatus::default());
    let server = listen(&loaded, &status, &metrics, &clock).await?;
    let mut probing = Probing::new(&loaded.agent, &loaded.policies, clock.now())?;
    let mut syncing = Syncing::new(&loaded.agent, &loaded.policies, clock.now())?;
    let mut windows = windows(&loaded);
    info!(policies = loaded.policies.len(), repositories = loaded.agent.repositories.len(), journal = %loaded.agent.journal.display(), "revertd runs");
    let (counted, own_clock) = (metrics.clone(), clock.clone());
    let mut reconciler = tokio::task::spawn_blocking(move || Reconciler::new(loaded, journal, counted, status, own_clock)).await??;
    let mut shutdown = pin!(shutdown);
    let mut fill_due = clock.now();
    loop {
        let now = clock.now();
        probing.start_due(now);
        syncing.start_due(now);
        if fill_due <= now {
            fill_due = now + FILL_EVERY;
            for (series, round) in probing.fill(&reconciler.rounds, &windows, now).await {
                reconciler.rounds.add(series, round);
            }
        }
        let due = probing.next_due().into_iter().chain(syncing.next_due()).min();
        let wait = due.map_or(LONGEST_IDLE, |due| due.since(now)).min(LONGEST_IDLE);
        tokio::select! {
            () = &mut shutdown => break,
            Some(()) = options.reload.recv() => {
                if let Some((probes, sources, kept)) = reload(&mut reconciler, &options, clock.now()) {
                    (probing, syncing, windows) = (probes, sources, kept);
                }
            }
            Some(first) = probing.next() => take_rounds(&mut reconciler, &mut probing, first),
            Some(first) = syncing.next() => take_reports(&mut reconciler, &mut syncing, first),
            () = tokio::time::sleep(wait) => {}
        }
        let started = Instant::now();
        reconciler = pass(reconciler, clock.now()).await?;
        metrics.pass(started.elapsed());
    }
    if let Some(server) = server {
        server.abort();
    }
    deliver_last(reconciler).await?;
    info!("revertd ends");
    Ok(())
}

/// What chats are told already is waited for, for a while.
async fn deliver_last(mut reconciler: Reconciler) -> Result<()> {
    let told = tokio::task::spawn_blocking(move || reconciler.await_deliveries(LAST_DELIVERIES)).await?;
    if let Err(error) = told {
        warn!("what was told last is not written down, and is looked for at the next start: {error:#}");
    }
    Ok(())
}

/// Takes up a round, and all others that have finished with it.
fn take_rounds(reconciler: &mut Reconciler, probing: &mut Probing, first: Measured) {
    let mut finished = Some(first);
    while let Some(measured) = finished {
        reconciler.note_round(&measured.series, &measured.round);
        reconciler.rounds.take(measured);
        finished = probing.try_next();
    }
}

/// The same for what sync sources said.
fn take_reports(reconciler: &mut Reconciler, syncing: &mut Syncing, first: (Place, SyncReport)) {
    let mut said = Some(first);
    while let Some((place, report)) = said {
        reconciler.reports.add(place, report);
        said = syncing.try_next();
    }
}

/// One pass on a blocking thread. A pass that fails is tried again: nothing is done that could not be recorded.
async fn pass(mut reconciler: Reconciler, now: Timestamp) -> Result<Reconciler> {
    let (reconciler, result) = tokio::task::spawn_blocking(move || {
        let result = reconciler.pass(now);
        (reconciler, result)
    })
    .await
    .context("a pass ended unexpectedly")?;
    if let Err(error) = result {
        warn!("the pass failed and is tried again: {error:#}");
        tokio::time::sleep(LONGEST_IDLE).await;
    }
    Ok(reconciler)
}

fn reload(reconciler: &mut Reconciler, options: &Options, now: Timestamp) -> Option<(Probing, Syncing, BTreeMap<Series, Duration>)> {
    let file = options.config_file.as_ref()?;
    let swapped = config::load_agent(file).map_err(anyhow::Error::new).and_then(|loaded| {
        let probing = Probing::new(&loaded.agent, &loaded.policies, now)?;
        let syncing = Syncing::new(&loaded.agent, &loaded.policies, now)?;
        let windows = windows(&loaded);
        reconciler.swap(loaded, now)?;
        Ok((probing, syncing, windows))
    });
    match swapped {
        Ok(swapped) => {
            info!("the new configuration is in force");
            Some(swapped)
        }
        Err(error) => {
            warn!("the new configuration is refused and the old one stays in force: {error:#}");
            None
        }
    }
}

fn windows(loaded: &config::Loaded) -> BTreeMap<Series, Duration> {
    let of = |policy: &Policy| -> Vec<(Series, Duration)> {
        let places = policy.instances.iter().flat_map(|instance| policy.measured().map(move |slo| (instance, slo)));
        let window = |slo: &Slo| slo.longest_window() + slo.every() * 10;
        places.map(|(instance, slo)| (series_in(&policy.name, &instance.name, &slo.name), window(slo))).collect()
    };
    loaded.policies.iter().flat_map(of).collect()
}

async fn listen(
    loaded: &config::Loaded,
    status: &AgentStatus,
    metrics: &Metrics,
    clock: &Arc<dyn Clock>,
) -> Result<Option<tokio::task::JoinHandle<()>>> {
    let Some(address) = loaded.agent.listen else { return Ok(None) };
    let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let (status, metrics, clock) = (status.clone(), metrics.clone(), clock.clone());
    Ok(Some(tokio::spawn(async move {
        if let Err(error) = web::serve(listener, status, metrics, move || clock.now()).await {
            warn!("the web server ended: {error}");
        }
    })))
}
