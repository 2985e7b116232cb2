//! `revertd incidents`: every incident, newest first.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use clap::Args;

use super::{Exit, Output, store};
use crate::render::report;

/// List the incidents, newest first
#[derive(Debug, Args)]
pub struct IncidentsArgs {
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
pub(super) fn run(args: &IncidentsArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let state = store::fold(&store::facts(&loaded)?);
    let mut incidents: Vec<_> = state.incidents.values().collect();
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.detected_at));
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&incidents)?)?,
        Output::Text if incidents.is_empty() => writeln!(out, "There are no incidents.")?,
        Output::Text => {
            for incident in incidents {
                let timing = report::timing(&incident.durations());
                writeln!(out, "{}  {:<13} {}  {timing}", incident.detected_at, incident.phase.words(), incident.id)?;
            }
        }
    }
    Ok(Exit::Done)
}
