//! `revertd backtest`: what the policies would have done over the real history, against what people did. Reads only.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::failure::Failure;
use super::{Exit, Output, store};
use crate::agent::{Backtest, BacktestError, Progress, backtest};
use crate::config;
use crate::config::diagnostic::Cause;
use crate::engine::policy::Policy;
use crate::engine::time::Timestamp;
use crate::net::address::AddressRules;
use crate::net::prometheus::PrometheusClient;
use crate::render;

/// For one answer: a range of days is more work for a server than a single time.
const QUERY_LIMIT: Duration = Duration::from_secs(60);
/// Nobody keeps so much, and it would take hours.
const LONGEST: Duration = Duration::from_secs(2 * 366 * 24 * 3600);
/// The characters of the progress bar.
const BAR: usize = 30;

/// Show what the policies would have done over the real history
///
/// Runs the engine over the history of a Prometheus and of a branch, and compares its reverts with those that people made, which it knows by
/// their messages. Commit dates stand in for landing times, and probes that nothing recorded are left out. Needs no journal and no token that
/// can write; writes nothing. Ends with 0, whatever it finds.
#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// A local clone of the watched repository
    #[arg(long, value_name = "PATH")]
    repo: PathBuf,
    /// The address of the Prometheus that has the history, for whatever servers the policies name
    #[arg(long, value_name = "URL")]
    prometheus: String,
    /// A file with the bearer token that the Prometheus wants
    #[arg(long, value_name = "FILE")]
    bearer_token_file: Option<PathBuf>,
    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = since)]
    since: Duration,
    /// Policy files, or directories of them; those of the agent file without it
    #[arg(long, value_name = "FILE", num_args = 1..)]
    policy: Vec<PathBuf>,
    /// The repository as the policies name it; needed where they name several
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// The branch whose first-parent line is looked at
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    branch: String,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
pub(super) fn run(args: &BacktestArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let policies = of_one_repository(policies(args, config)?, args.repository.as_deref())?;
    let metrics =
        PrometheusClient::new(&args.prometheus, Vec::new(), args.bearer_token_file.clone(), AddressRules::for_operator(), QUERY_LIMIT)
            .context("cannot set up the HTTP client")?;
    let now = Timestamp::from_secs(store::now().secs());
    let asked = Backtest { repository: args.repo.clone(), revision: args.branch.clone(), policies, metrics, since: now - args.since, now };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let shows = std::io::stderr().is_terminal();
    let tell = move |progress| {
        if shows {
            // A bar that cannot be shown is no reason to end.
            let _ = write!(std::io::stderr(), "\r\x1b[K{}", bar(progress));
        }
    };
    let answer = runtime.block_on(backtest(asked, tell));
    if shows {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    let report = answer.map_err(|error| explained(error, args))?;
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        Output::Text => write!(out, "{}", render::backtest::backtest(&report))?,
    }
    Ok(Exit::Done)
}

fn policies(args: &BacktestArgs, config: &Path) -> Result<Vec<Policy>> {
    if !args.policy.is_empty() {
        return Ok(config::load_policies(&args.policy)?);
    }
    let loaded = config::load_agent(config).map_err(|mut found| {
        let name = config.display().to_string();
        for diagnostic in found.0.iter_mut().filter(|diagnostic| diagnostic.cause == Cause::Unreadable && diagnostic.file == name) {
            diagnostic.hint.get_or_insert("name policy files with --policy FILE, or the agent file with --config FILE".to_owned());
        }
        found
    })?;
    Ok(loaded.policies)
}

/// The policies of the one repository that the clone is of.
fn of_one_repository(mut policies: Vec<Policy>, name: Option<&str>) -> Result<Vec<Policy>> {
    let mut names: Vec<String> = policies.iter().map(|policy| policy.repository.to_string()).collect();
    names.sort_unstable();
    names.dedup();
    let quoted = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (name, names.as_slice()) {
        (_, []) => Err(Failure::new("there are no policies", "name files with `kind: RevertPolicy` in them: --policy FILE").into()),
        (None, [_]) => Ok(policies),
        (None, _) => {
            let hint = format!("a clone is of one; name it with --repository: {}", quoted());
            Err(Failure::usage("the policies are of several repositories", hint).into())
        }
        (Some(name), _) => {
            policies.retain(|policy| policy.repository.as_str() == name);
            if policies.is_empty() {
                return Err(Failure::usage(format!("no policy is of the repository `{name}`"), format!("they are of {}", quoted())).into());
            }
            Ok(policies)
        }
    }
}

/// The error with what to do about it.
fn explained(error: BacktestError, args: &BacktestArgs) -> anyhow::Error {
    let hint = match &error {
        BacktestError::Clone(_) => "name a whole clone with --repo, and a branch of it with --branch",
        BacktestError::History(_) => "`git fsck` in the clone says what is missing",
        BacktestError::NothingRecorded => "a `prometheus` indicator in a policy is measured backwards; an `http` probe is not",
        BacktestError::Unreachable(_) => {
            "--prometheus is its address without `/api/v1`, as http://prometheus:9090; --bearer-token-file where it wants a token"
        }
        BacktestError::NotPrometheus { .. } => {
            "--prometheus is the address without `/api/v1` of a Prometheus, or of what speaks its HTTP API"
        }
        BacktestError::Measure { .. } => "try the query of that SLO on the server; --since makes the range shorter",
        BacktestError::NoValues => "its retention may be shorter, or the queries of the policies name other series: try one there",
        BacktestError::BrokenOff => "this is a mistake in revertd: please report it",
    };
    let sentence = match &error {
        BacktestError::Clone(_) => format!("cannot read the clone {}", args.repo.display()),
        other => other.to_string(),
    };
    let failure = Failure::new(sentence, hint);
    match error {
        BacktestError::Clone(cause) | BacktestError::History(cause) => failure.because(cause),
        BacktestError::Unreachable(cause) => failure.because(cause),
        _ => failure,
    }
    .into()
}

fn since(text: &str) -> Result<Duration, String> {
    let words = || "write a duration such as `90d`, `2w` or `36h`, of at most two years".to_owned();
    humantime::parse_duration(text).ok().filter(|since| !since.is_zero() && *since <= LONGEST).ok_or_else(words)
}

fn bar(progress: Progress) -> String {
    let full = (progress.done * BAR).checked_div(progress.of).unwrap_or(BAR).min(BAR);
    let percent = (progress.done * 100).checked_div(progress.of).unwrap_or(100);
    let mut text = String::with_capacity(2 * BAR);
    // Writing into a string does not fail.
    let _ = write!(text, "[{}{}] {percent:>3} %  {}", "=".repeat(full), " ".repeat(BAR - full), progress.doing);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_cannot_be_meant_is_told_what_to_write() {
        assert_eq!(since("90d"), Ok(Duration::from_secs(90 * 24 * 3600)));
        for wrong in ["", "90", "-3d", "0s", "yesterday", "9999d"] {
            assert!(since(wrong).unwrap_err().contains("`90d`"), "{wrong}");
        }
    }

    #[test]
    fn the_bar_is_as_long_as_what_is_done() {
        let at = |done, of| bar(Progress { doing: "deciding", done, of });
        assert_eq!(at(0, 4), format!("[{}]   0 %  deciding", " ".repeat(30)));
        assert_eq!(at(2, 4), format!("[{}{}]  50 %  deciding", "=".repeat(15), " ".repeat(15)));
        assert_eq!(at(4, 4), at(0, 0));
    }
}
