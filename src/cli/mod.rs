//! The command line: one file per subcommand, whose argument's doc comment is its help. Data goes to standard output, the rest to
//! standard error; every command ends with one of the codes in `exit`.

mod approve;
mod backtest;
pub mod check;
mod completions;
mod demo;
pub mod doctor;
pub mod exit;
mod explain;
mod failure;
pub mod import;
mod incidents;
mod judge;
pub mod output;
mod owners;
mod pause;
mod plan;
mod report;
pub mod revert;
mod run;
mod schema;
mod status;
mod store;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

pub use self::exit::Exit;
pub use self::failure::print as print_failure;
pub use self::output::Output;

/// The commands that read no agent file, with what to do instead of naming one.
const WITHOUT_AGENT_FILE: [(&str, &str); 7] = [
    ("demo", "the demo writes its own"),
    ("check", "name the files as arguments: `revertd check FILE…`"),
    ("import", "name the document as an argument: `revertd import sloth FILE`"),
    ("judge", "name the lines as an argument: `revertd judge FILE.jsonl`"),
    ("revert", "name the clone: `revertd revert SHA --repo PATH --dry-run`"),
    ("schema", "leave it out"),
    ("completions", "leave it out"),
];

const EXIT_CODES: &str = "Exit codes: 0 done or nothing to do, 1 error, 2 wrong usage, 3 it would act (`plan`) or a conflict (`revert`), \
                          4 a breach and acting is refused (`plan`), 5 invalid configuration.";

/// Watches a Git repository of Kubernetes manifests and the health of the services, and reverts the commit that broke one.
#[derive(Debug, Parser)]
#[command(name = "revertd", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// The agent file
    #[arg(
        long,
        short,
        global = true,
        env = "REVERTD_CONFIG",
        default_value = "/etc/revertd/agent.yaml",
        value_name = "FILE",
        display_order = 900
    )]
    config: PathBuf,
    /// What to log: `error`, `warn`, `info`, `debug`, or a tracing filter
    #[arg(long, global = true, env = "REVERTD_LOG", default_value = "info", value_name = "FILTER", value_parser = log_filter, display_order = 901)]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Demo(demo::DemoArgs),
    Check(check::CheckArgs),
    Import(import::ImportArgs),
    Doctor(doctor::DoctorArgs),
    Plan(plan::PlanArgs),
    Judge(judge::JudgeArgs),
    Backtest(backtest::BacktestArgs),
    Status(status::StatusArgs),
    Incidents(incidents::IncidentsArgs),
    Explain(explain::ExplainArgs),
    Report(report::ReportArgs),
    Owners(owners::OwnersArgs),
    Revert(revert::RevertArgs),
    Approve(approve::ApproveArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
}

impl Cli {
    /// Reads the command line. Prints the help or what is wrong, and ends the process, where there is no command to run.
    pub fn from_command_line() -> Self {
        let mut command = Self::described();
        let matches = command.get_matches_mut();
        let given = matches.subcommand().filter(|(_, own)| own.value_source("config") == Some(ValueSource::CommandLine));
        if let Some((name, instead)) = given.and_then(|(name, _)| WITHOUT_AGENT_FILE.iter().find(|(other, _)| *other == name)) {
            command.error(ErrorKind::ArgumentConflict, format!("`revertd {name}` takes no --config; {instead}")).exit();
        }
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The command line as its help and completions show it: an agent file only where one is read.
    fn described() -> clap::Command {
        let command = Self::command();
        let Some(config) = command.get_arguments().find(|argument| argument.get_id() == "config") else { return command };
        // A subcommand that has the argument already is not given the global one.
        let hidden = config.clone().hide(true);
        WITHOUT_AGENT_FILE.iter().fold(command, |command, (name, _)| command.mut_subcommand(*name, |own| own.arg(hidden.clone())))
    }

    /// The tracing filter that was asked for.
    pub fn log_filter(&self) -> &str {
        &self.log
    }

    /// Runs the command, printing data to `out`.
    ///
    /// # Errors
    /// What the command could not do, with its causes.
    pub fn run(&self, out: &mut dyn Write) -> Result<Exit> {
        match &self.command {
            Command::Run(args) => run::run(args, &self.config),
            Command::Demo(args) => demo::run(args, out),
            Command::Check(args) => check::run(args, out),
            Command::Import(args) => import::run(args, out, &mut std::io::stderr().lock()),
            Command::Doctor(args) => doctor::run(args, &self.config, out),
            Command::Plan(args) => plan::run(args, &self.config, out),
            Command::Judge(args) => judge::run(args, out),
            Command::Backtest(args) => backtest::run(args, &self.config, out),
            Command::Status(args) => status::run(args, &self.config, out),
            Command::Incidents(args) => incidents::run(args, &self.config, out),
            Command::Explain(args) => explain::run(args, &self.config, out),
            Command::Report(args) => report::run(args, &self.config, out),
            Command::Owners(args) => owners::run(args, &self.config, out, &mut std::io::stderr().lock()),
            Command::Revert(args) => revert::run(args, &mut std::io::stdin().lock(), out),
            Command::Approve(args) => approve::run(args, &self.config, out),
            Command::Pause(args) => pause::pause(args, &self.config, out),
            Command::Resume(args) => pause::resume(args, &self.config, out),
            Command::Schema(args) => schema::run(args, out),
            Command::Completions(args) => completions::run(args, out),
        }
    }
}

fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("write `error`, `warn`, `info` or `debug`, or `info,revertd::agent=debug` for one part".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::described().debug_assert();
    }

    #[test]
    fn an_agent_file_is_in_the_help_only_where_it_is_read() {
        let mut command = Cli::described();
        command.build();
        for own in command.get_subcommands_mut() {
            let (name, help) = (own.get_name().to_owned(), own.render_long_help().to_string());
            let without = name == "help" || WITHOUT_AGENT_FILE.iter().any(|(other, _)| *other == name);
            assert_eq!(help.contains("--config"), !without, "{name}\n{help}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        assert!(log_filter("info,revertd::agent=debug").is_ok());
        assert!(log_filter("revertd=loud").unwrap_err().contains("`warn`"));
    }
}
