//! The command line: one file per subcommand, whose argument's doc comment is its help. Data goes to standard output, the rest to
//! standard error; every command ends with one of the codes in `exit`.

mod approve;
pub mod check;
mod completions;
mod demo;
pub mod exit;
mod explain;
mod failure;
mod incidents;
pub mod output;
mod pause;
mod plan;
pub mod revert;
mod run;
mod schema;
mod status;
mod store;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

pub use self::exit::Exit;
pub use self::failure::print as print_failure;
pub use self::output::Output;

/// Watches a Git repository of Kubernetes manifests and the health of the services, and reverts the commit that broke one.
#[derive(Debug, Parser)]
#[command(name = "revertd", version, max_term_width = 100)]
pub struct Cli {
    /// The agent file
    #[arg(long, short, global = true, env = "REVERTD_CONFIG", default_value = "/etc/revertd/agent.yaml", value_name = "FILE")]
    config: PathBuf,
    /// What to log: `error`, `warn`, `info`, `debug`, or a tracing filter
    #[arg(long, global = true, env = "REVERTD_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Demo(demo::DemoArgs),
    Check(check::CheckArgs),
    Plan(plan::PlanArgs),
    Status(status::StatusArgs),
    Incidents(incidents::IncidentsArgs),
    Explain(explain::ExplainArgs),
    Revert(revert::RevertArgs),
    Approve(approve::ApproveArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
}

impl Cli {
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
            Command::Plan(args) => plan::run(args, &self.config, out),
            Command::Status(args) => status::run(args, &self.config, out),
            Command::Incidents(args) => incidents::run(args, &self.config, out),
            Command::Explain(args) => explain::run(args, &self.config, out),
            Command::Revert(args) => revert::run(args, &mut std::io::stdin().lock(), out),
            Command::Approve(args) => approve::run(args, &self.config, out),
            Command::Pause(args) => pause::pause(args, &self.config, out),
            Command::Resume(args) => pause::resume(args, &self.config, out),
            Command::Schema(args) => schema::run(args, out),
            Command::Completions(args) => completions::run(args, out),
        }
    }
}
