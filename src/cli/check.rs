//! `revertd check`: are the agent file and the policies right?

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::agent;
use crate::config;
use crate::config::diagnostic::{Cause, Diagnostic};

use super::exit::Exit;
use super::failure;
use super::output::Output;

/// Check agent files and policies
///
/// Prints every mistake with its place and what to write instead, and warns about what would not do what it seems to. Policies are
/// checked against the agent file that names them, or against the only one that is given. Ends with 0 where there are only warnings, with
/// 5 where something is wrong, and with 1 where a file cannot be read.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Agent files, policy files, and directories whose *.yaml and *.yml files are either
    #[arg(value_name = "PATH", default_value = ".")]
    pub paths: Vec<PathBuf>,

    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Checks the files and prints what was found.
///
/// # Errors
/// When `out` cannot be written to.
pub fn run(args: &CheckArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let mut found = config::check_paths(&args.paths);
    found.extend(args.paths.iter().filter_map(|path| wrong_templates(path)));
    match args.output {
        Output::Text => text(&found, out),
        Output::Json => json(&found, out),
    }
    .context("cannot write the result")?;
    Ok(failure::exit_of(&found))
}

/// What is wrong with the templates that an agent file names, if it is a valid one.
fn wrong_templates(path: &Path) -> Option<Diagnostic> {
    let loaded = config::load_agent(path).ok()?;
    let error = agent::templates(loaded.agent.templates.as_deref()).err()?;
    let hint = "mend it, or remove it: the one that is built in stands in its place".to_owned();
    Some(Diagnostic::whole_file(Cause::Content, &path.display().to_string(), format!("{error:#}"), Some(hint)))
}

fn text(found: &[Diagnostic], out: &mut dyn Write) -> std::io::Result<()> {
    for diagnostic in found {
        writeln!(out, "{diagnostic}")?;
    }
    let errors = found.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    writeln!(out, "{}, {}", count(errors, "error"), count(found.len() - errors, "warning"))
}

fn json(found: &[Diagnostic], out: &mut dyn Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &serde_json::json!({"diagnostics": found}))?;
    writeln!(out)
}
