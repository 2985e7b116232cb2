//! `revertd run`: the agent, with the signals that end and reload it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::{Exit, store};
use crate::agent::{Options, SystemClock, run as run_agent};
use crate::config::Loaded;
use crate::engine::time::spoken;

/// How long a pass may take to end after a signal; a supervisor's own patience is longer (systemd 90 s, Kubernetes 30 s).
const GRACE: Duration = Duration::from_secs(3);

/// Run the agent
///
/// SIGTERM and SIGINT end it cleanly. SIGHUP reads the agent file and the policies again: valid ones are swapped in, others are refused in
/// the log and the old ones stay in force; a change of `journal` or `listen` needs a restart.
#[derive(Debug, Args)]
pub struct RunArgs {}

/// Runs the command until a signal ends it.
pub(super) fn run(_args: &RunArgs, config: &Path) -> Result<Exit> {
    let loaded = store::load(config)?;
    for warning in &loaded.warnings {
        warn!("{}:{}: {}", warning.file, warning.line, warning.message);
    }
    if loaded.agent.journal.is_file() {
        // Before anything is appended to it: a chain that is broken gets no new facts.
        store::facts(&loaded)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let ended = runtime.block_on(until_a_signal(loaded, config));
    // A pass that hangs on a remote is not waited for: the next start takes up what it left, as after a crash.
    runtime.shutdown_background();
    ended?;
    Ok(Exit::Done)
}

async fn until_a_signal(loaded: Loaded, config: &Path) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let (ask, reload) = mpsc::unbounded_channel();
    tokio::spawn(async move { while hangup.recv().await.is_some() && ask.send(()).is_ok() {} });
    let (ending, asked) = oneshot::channel::<()>();
    let grace = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // The agent may have ended by itself in this moment.
        let _ = ending.send(());
        tokio::time::sleep(GRACE).await;
    };
    let shutdown = async move {
        // The other end is never dropped before it has sent.
        let _ = asked.await;
    };
    let options = Options { config_file: Some(config.to_owned()), reload, clock: Arc::new(SystemClock) };
    tokio::select! {
        ended = run_agent(loaded, options, shutdown) => ended,
        () = grace => {
            warn!("revertd ends in the middle of a pass that lasts longer than {}", spoken(GRACE));
            Ok(())
        }
    }
}
