//! `revertd doctor`: is everything that the agent needs in order?

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;

use super::{Exit, Output, store};
use crate::agent::SystemClock;
use crate::agent::doctor::{self, Report, Verdict};

/// Look at everything that the agent needs, without acting
///
/// Reads the agent file and its policies, this machine, each repository and its forge (permissions, rules of the branch, whether a
/// force-merge would work), each metrics server, control and indicator. Writes nothing anywhere. Every line has a verdict, and what to do
/// where something can be done. Ends with 0 where nothing is a problem, else with 1, and with 5 where the configuration is invalid.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
pub(super) fn run(args: &DoctorArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("cannot start the runtime")?;
    let report = runtime.block_on(doctor::examine(loaded, Arc::new(SystemClock)))?;
    match args.output {
        Output::Text => text(&report, out),
        Output::Json => json(&report, out),
    }
    .context("cannot write the result")?;
    Ok(if report.count(Verdict::Problem) == 0 { Exit::Done } else { Exit::Error })
}

/// What people read.
pub fn text(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    for section in &report.sections {
        writeln!(out, "{}", section.about)?;
        for finding in &section.findings {
            writeln!(out, "  {:<8}  {}: {}", finding.verdict.word(), line(&finding.subject), line(&finding.sentence))?;
            if let Some(fix) = &finding.fix {
                writeln!(out, "            → {}", line(fix))?;
            }
        }
        writeln!(out)?;
    }
    let count = |verdict, one: &str, many: &str| {
        let count = report.count(verdict);
        format!("{count} {}", if count == 1 { one } else { many })
    };
    let (problems, warnings) = (count(Verdict::Problem, "problem", "problems"), count(Verdict::Warning, "warning", "warnings"));
    writeln!(out, "{problems}, {warnings}, {} not seen, {} ok", report.count(Verdict::NotSeen), report.count(Verdict::Ok))
}

/// Servers' own words on one line, without anything that a terminal would obey.
fn line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn json(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}
