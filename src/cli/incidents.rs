//! `revertd incidents`: every incident, newest first.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::{Exit, Output, store};
use crate::engine::afterwards::breach_end;
use crate::engine::incident::{Incident, State};
use crate::render::report;

/// List the incidents, newest first, with how each breach ended
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
        Output::Json => {
            let told: Vec<Value> = incidents.iter().map(|incident| as_json(&state, incident)).collect::<Result<_, _>>()?;
            writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
        }
        Output::Text if incidents.is_empty() => writeln!(out, "There are no incidents.")?,
        Output::Text => {
            for incident in incidents {
                let timing = report::timing(&incident.durations());
                let ended = breach_end(&state, incident).map_or("goes on", |end| end.ending.words());
                let (at, phase, id, place) = (incident.detected_at, incident.phase.words(), &incident.id, incident.place());
                writeln!(out, "{at}  {phase:<13} {ended:<20}  {id}{place}  {timing}")?;
            }
        }
    }
    Ok(Exit::Done)
}

/// An incident with how its breach ended, and whether its revert was one that changed nothing.
pub(super) fn as_json(state: &State, incident: &Incident) -> Result<Value, serde_json::Error> {
    let mut told = serde_json::to_value(incident)?;
    if let Some(fields) = told.as_object_mut() {
        fields.insert("breachEnded".to_owned(), serde_json::to_value(breach_end(state, incident))?);
        let found = incident.proposal.as_ref().and_then(|key| state.aftermath.false_revert(key));
        fields.insert("falseRevert".to_owned(), serde_json::to_value(found)?);
    }
    Ok(told)
}
