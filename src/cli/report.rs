//! `revertd report`: one incident for the postmortem, as Markdown.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use super::incidents::as_json;
use super::{Exit, Output, store};
use crate::agent::templates;
use crate::config::Loaded;
use crate::engine::afterwards::breach_end;
use crate::engine::budget::Spending;
use crate::engine::incident::{Incident, State};
use crate::journal::SqliteJournal;
use crate::render::postmortem::{ReportView, text, timeline};
use crate::render::report;

/// Write the report of an incident for the postmortem, as Markdown
///
/// With the timeline in UTC, what was measured, the suspects and those ruled out, the plan, who approved it, and what was spent of the error
/// budgets as long as the rounds are kept. Its words come from the template `report.md`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The incident, or the beginning of its id
    incident: String,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
pub(super) fn run(args: &ReportArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let facts = store::facts(&loaded)?;
    let state = store::fold(&facts);
    let id = store::find_incident(&state, &args.incident)?;
    let Some(incident) = state.incidents.get(&id) else { bail!("there is no incident `{id}`") };
    let policy = loaded.policies.iter().find(|policy| policy.name == incident.policy);
    let spent = spent(&loaded, incident, &state)?;
    let view = ReportView { incident, state: &state, facts: &facts, policy, spent };
    match args.output {
        Output::Json => {
            let proposal = incident.proposal.as_ref().and_then(|key| state.proposals.get(key));
            let told = json!({
                "incident": as_json(&state, incident)?, "timeline": timeline(&view), "durations": incident.durations(),
                "timing": report::timing(&incident.durations()), "proposal": proposal, "errorBudgets": view.spent,
                "links": policy.map(|policy| &policy.links),
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
        }
        Output::Text => {
            let templates = templates(loaded.agent.templates.as_deref())?;
            write!(out, "{}", text(&templates, &view).context("cannot write the report")?)?;
        }
    }
    Ok(Exit::Done)
}

/// What the incident spent of each error budget: as it was written down when it ended, else as the kept hours and rounds tell.
fn spent(loaded: &Loaded, incident: &Incident, state: &State) -> Result<Vec<Spending>> {
    if !incident.spending.is_empty() {
        return Ok(incident.spending.clone());
    }
    let journal = SqliteJournal::open_read_only(&loaded.agent.journal).context("cannot read the journal")?;
    let end = breach_end(state, incident).map_or_else(store::now, |end| end.at);
    let measured = store::measured(&journal, &loaded.policies, end)?;
    Ok(store::spent(&loaded.policies, &measured, incident, end))
}
