//! `revertd plan`: what the agent would do now. Reads the journal, fetches objects only and takes one fresh round of every probe; writes
//! no fact and no reference.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::{Exit, Output, store};
use crate::agent::{Clock, Planned, SystemClock, plan};
use crate::engine::decision::DecisionVerdict;
use crate::engine::policy::service_name;
use crate::journal::{JournalError, SqliteJournal};

/// Show what the agent would do now, without doing it
///
/// Reads the journal, fetches objects and measures once; records nothing and pushes nothing. Ends with 0 when nothing is to be done, 3
/// when it would act, 4 when there is a breach and acting is refused.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Measure for this long first; needed where there is no journal yet
    #[arg(long = "for", value_name = "DURATION", value_parser = store::duration)]
    duration: Option<Duration>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
pub(super) fn run(args: &PlanArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let duration = args.duration.unwrap_or_default();
    match SqliteJournal::open_read_only(&loaded.agent.journal) {
        Err(JournalError::Missing(path)) if duration.is_zero() => {
            let hint = "measure first: `revertd plan --for 2m`; a running agent leaves a journal to plan from";
            return Err(Failure::new(format!("there is no journal at {path}, so nothing is known yet"), hint).into());
        }
        // A journal that cannot be read is not the same as none: what it says would be missing from the plan.
        Err(error) if !matches!(error, JournalError::Missing(_)) => return Err(error).context("cannot read the journal"),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let planned = runtime.block_on(plan(loaded, duration, clock))?;
    match args.output {
        Output::Json => {
            let all: Vec<_> = planned
                .iter()
                .map(|planned| json!({"policy": planned.policy, "instance": planned.instance, "cluster": planned.cluster, "assessments": planned.assessments, "decision": planned.decision, "attribution": planned.attribution}))
                .collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        }
        Output::Text => show(&planned, out)?,
    }
    let verdicts: Vec<DecisionVerdict> =
        planned.iter().filter_map(|planned| planned.decision.as_ref()).map(|decision| decision.verdict).collect();
    Ok(if verdicts.iter().any(|verdict| matches!(verdict, DecisionVerdict::Propose | DecisionVerdict::Merge)) {
        Exit::Act
    } else if verdicts.contains(&DecisionVerdict::Refuse) {
        Exit::Refused
    } else {
        Exit::Done
    })
}

fn show(planned: &[Planned], out: &mut dyn Write) -> Result<()> {
    for service in planned {
        let name = service_name(&service.policy, &service.instance, service.cluster.as_deref());
        for assessment in &service.assessments {
            writeln!(
                out,
                "{}  {}  {}: {}",
                name,
                assessment.slo,
                format!("{:?}", assessment.verdict).to_lowercase(),
                assessment.arithmetic
            )?;
        }
        let Some(decision) = &service.decision else {
            writeln!(out, "  nothing is to be done")?;
            continue;
        };
        writeln!(out, "  {}: {}", format!("{:?}", decision.verdict).to_lowercase(), decision.sentence)?;
        for refusal in &decision.refusals {
            writeln!(out, "    {}: {}", refusal.code.label(), refusal.sentence)?;
        }
        for candidate in service.attribution.iter().flat_map(|attribution| &attribution.candidates) {
            writeln!(out, "    {} \"{}\": {}", candidate.commit.short(), candidate.subject, candidate.because)?;
        }
    }
    Ok(())
}
