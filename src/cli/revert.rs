//! `revertd revert`: what undoing a commit would be, on any local clone, without an agent file.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{Exit, Output};
use crate::engine::id::{CommitId, TreeId};
use crate::engine::plan::{Inverse, InverseMethod};
use crate::git::LocalRepository;
use crate::render;

/// Show the exact inverse of a commit on a local clone
///
/// Nothing is written into the clone. With `--output json` it prints `base`, `commit`, `tree`, `status` (`clean`, `conflict`,
/// `alreadyUndone`, `error`), `conflicts` and `message`; `commit` is the id that the revert would have with Git's own author, committer
/// and dates. Ends with 0 when the inverse is clean or the commit already undone, 3 when it conflicts, 1 on an error; with --stdin with 0
/// when every line was answered.
#[derive(Debug, Args)]
pub struct RevertArgs {
    /// The commit to undo: an id, a branch, a tag, or what else git understands
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin")]
    commit: Option<String>,
    /// The clone: bare, a worktree or a linked worktree
    #[arg(long, value_name = "PATH")]
    repo: PathBuf,
    /// What to build the revert on
    #[arg(long, value_name = "REVISION", default_value = "HEAD", conflicts_with = "stdin")]
    onto: String,
    /// Only show it; the one form that there is
    #[arg(long)]
    dry_run: bool,
    /// Read lines of `<commit> <onto>` and answer each with a line of JSON
    #[arg(long)]
    stdin: bool,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// One answer.
#[derive(Debug, Serialize)]
struct Answer {
    base: Option<CommitId>,
    commit: Option<CommitId>,
    tree: Option<TreeId>,
    status: Status,
    /// How a clean inverse was found.
    method: Option<InverseMethod>,
    conflicts: Vec<String>,
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Status {
    Clean,
    Conflict,
    AlreadyUndone,
    Error,
}

/// Runs the command, reading lines from `input` where `--stdin` is given.
///
/// # Errors
/// The clone cannot be opened, or `out` cannot be written to.
pub fn run(args: &RevertArgs, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<Exit> {
    if !args.dry_run {
        return Err(Failure::usage("`revertd revert` shows what a revert would be and makes none", "add --dry-run").into());
    }
    let repository = LocalRepository::open(&args.repo).with_context(|| format!("cannot open the clone {}", args.repo.display()))?;
    if args.stdin {
        return answer_lines(&repository, input, out);
    }
    let answer = answer(&repository, args.commit.as_deref().unwrap_or_default(), &args.onto);
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?,
        Output::Text => show(&answer, out)?,
    }
    Ok(match answer.status {
        Status::Clean | Status::AlreadyUndone => Exit::Done,
        Status::Conflict => Exit::Act,
        Status::Error => Exit::Error,
    })
}

fn answer_lines(repository: &LocalRepository, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<Exit> {
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line).context("cannot read standard input")? > 0 {
        let text = String::from_utf8_lossy(&line).into_owned();
        let mut words = text.split_whitespace();
        let answer = match (words.next(), words.next(), words.next()) {
            (Some(commit), Some(onto), None) => answer(repository, commit, onto),
            _ => failed(None, "a line is a commit and what to build its revert on, with a space between".to_owned()),
        };
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
        line.clear();
    }
    Ok(Exit::Done)
}

fn answer(repository: &LocalRepository, commit: &str, onto: &str) -> Answer {
    match repository.resolve(onto) {
        Ok(base) => invert(repository, commit, base).unwrap_or_else(|error| failed(Some(base), format!("{error:#}"))),
        Err(error) => failed(None, error.to_string()),
    }
}

fn invert(repository: &LocalRepository, commit: &str, base: CommitId) -> Result<Answer> {
    let commit = repository.resolve(commit)?;
    let message = render::commit::git_message(&repository.reverted(commit)?);
    let empty = Answer {
        base: Some(base),
        commit: None,
        tree: None,
        status: Status::Error,
        method: None,
        conflicts: Vec::new(),
        message: None,
        error: None,
    };
    Ok(match repository.inverse(commit, base)? {
        Inverse::Clean(clean) => Answer {
            commit: Some(repository.revert_id(base, clean.tree, &message)?),
            tree: Some(clean.tree),
            status: Status::Clean,
            method: Some(clean.method),
            message: Some(message),
            ..empty
        },
        Inverse::AlreadyUndone => Answer { status: Status::AlreadyUndone, message: Some(message), ..empty },
        Inverse::Conflict { paths, .. } => Answer { status: Status::Conflict, conflicts: paths, message: Some(message), ..empty },
    })
}

fn failed(base: Option<CommitId>, error: String) -> Answer {
    Answer { base, commit: None, tree: None, status: Status::Error, method: None, conflicts: Vec::new(), message: None, error: Some(error) }
}

fn show(answer: &Answer, out: &mut dyn Write) -> Result<()> {
    match (answer.status, answer.base) {
        (Status::Clean, Some(base)) => {
            writeln!(out, "clean on {base}")?;
            if let (Some(commit), Some(tree)) = (answer.commit, answer.tree) {
                writeln!(out, "commit {commit}\ntree {tree}")?;
            }
            writeln!(out, "\n{}", answer.message.as_deref().unwrap_or_default().trim_end())?;
        }
        (Status::AlreadyUndone, _) => writeln!(out, "already undone: reverting it would change nothing")?,
        (Status::Conflict, _) => {
            let paths = if answer.conflicts.len() == 1 { "one path" } else { "these paths" };
            writeln!(out, "conflict in {paths}:")?;
            for path in &answer.conflicts {
                writeln!(out, "  {path}")?;
            }
        }
        _ => bail!("{}", answer.error.as_deref().unwrap_or_default()),
    }
    Ok(())
}
