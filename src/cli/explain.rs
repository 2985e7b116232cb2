//! `revertd explain`: the story of an incident, or of what was made of a commit.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;

use super::{Exit, Output, store};
use crate::engine::incident::{Incident, State};
use crate::engine::landing::Landing;
use crate::render::report;

/// Tell the story of an incident, with the arithmetic and the gates that said no
///
/// For a commit, the stories of all incidents that name it as a candidate or as their revert.
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
    let incidents = match find(&state, &args.incident_or_commit) {
        Ok(incidents) => incidents,
        Err(error) => return innocent(&state, args, out)?.ok_or(error),
    };
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&incidents)?)?,
        Output::Text => {
            for (number, incident) in incidents.iter().enumerate() {
                if number > 0 {
                    writeln!(out)?;
                }
                writeln!(out, "{}", report::story(incident))?;
                for line in report::aftermath(&state, incident) {
                    writeln!(out, "{line}")?;
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// A commit that was seen and that no incident names: what there is to say of it. `None` where no such commit was seen.
fn innocent(state: &State, args: &ExplainArgs, out: &mut dyn Write) -> Result<Option<Exit>> {
    let Some(text) = commit_digits(&args.incident_or_commit) else { return Ok(None) };
    let seen = |landing: &&Landing| landing.changes.iter().any(|change| change.id.to_string().starts_with(&text));
    let Some(landing) = state.landings().iter().find(seen) else { return Ok(None) };
    match args.output {
        Output::Json => writeln!(out, "[]")?,
        Output::Text => {
            for change in landing.changes.iter().filter(|change| change.id.to_string().starts_with(&text)) {
                let (branch, repository, landed) = (&landing.branch, &landing.repository, landing.landed);
                writeln!(
                    out,
                    "{} \"{}\" landed on `{branch}` of `{repository}` {landed}. No incident names it.",
                    change.id, change.subject
                )?;
            }
        }
    }
    Ok(Some(Exit::Done))
}

/// What may be the beginning of a commit's id.
fn commit_digits(text: &str) -> Option<String> {
    (text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

fn find<'a>(state: &'a State, text: &str) -> Result<Vec<&'a Incident>> {
    let by_commit: Vec<&Incident> = if let Some(text) = commit_digits(text) {
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
