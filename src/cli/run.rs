//! `revertd run`: the agent, with the signals that end and reload it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::warn;

use super::{Exit, store};
use crate::agent::{Options, SystemClock, run as run_agent};

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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        let (ask, reload) = mpsc::unbounded_channel();
        tokio::spawn(async move { while hangup.recv().await.is_some() && ask.send(()).is_ok() {} });
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let options = Options { config_file: Some(config.to_owned()), reload, clock: Arc::new(SystemClock) };
        run_agent(loaded, options, shutdown).await
    })?;
    Ok(Exit::Done)
}
