//! `revertd explain`: the story of an incident, or of what was made of a commit.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;

use super::{Exit, Output, store};
use crate::engine::incident::{Incident, State};
use crate::render::report;

/// Tell the story of an incident, with the arithmetic and the gates that said no
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// An incident, the beginning of its id, or a commit (at least seven digits)
    incident_or_commit: String,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
pub(super) fn run(args: &ExplainArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let state = store::fold(&store::facts(&loaded)?);
    let incidents = find(&state, &args.incident_or_commit)?;
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&incidents)?)?,
        Output::Text => {
            for (number, incident) in incidents.iter().enumerate() {
                if number > 0 {
                    writeln!(out)?;
                }
                writeln!(out, "{}", report::story(incident))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn find<'a>(state: &'a State, text: &str) -> Result<Vec<&'a Incident>> {
    let by_commit: Vec<&Incident> = if text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = text.to_ascii_lowercase();
        let names = |id: &crate::engine::id::CommitId| id.to_string().starts_with(&text);
        let mentions = |incident: &&Incident| {
            incident.attribution.as_ref().is_some_and(|attribution| attribution.candidates.iter().any(|candidate| names(&candidate.commit)))
                || incident.landed.as_ref().is_some_and(|landed| names(&landed.commit))
        };
        state.incidents.values().filter(mentions).collect()
    } else {
        Vec::new()
    };
    if !by_commit.is_empty() {
        return Ok(by_commit);
    }
    let id = store::find_incident(state, text)?;
    match state.incidents.get(&id) {
        Some(incident) => Ok(vec![incident]),
        None => bail!("there is no incident `{id}`"),
    }
}
