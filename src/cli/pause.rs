//! `revertd pause` and `revertd resume`: people stop and start the automation.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{Exit, store};
use crate::config::Loaded;
use crate::engine::fact::Event;
use crate::engine::id::{CommitId, RepositoryName};
use crate::journal::{Journal, SqliteJournal};

/// The longest pause: a forgotten one must not disarm revertd for good.
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Pause reverting for a time, with a reason
///
/// Health is measured and incidents are recorded all the same; nothing is proposed or merged. The pause ends by itself.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// One repository; all of them without it
    repository: Option<String>,
    /// For how long, such as `2h` (at most 30 days)
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Why; it is shown wherever the pause refuses something
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// End a pause, or a stop of a repository
///
/// A repository stops when its branch was rewritten or deleted, or when what landed was not the plan. After a rewritten or deleted branch,
/// `--accept` names the head that is to be believed.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// One repository; all pauses without it
    repository: Option<String>,
    /// The head to believe after a rewritten or deleted branch, all 40 digits
    #[arg(long, value_name = "OID")]
    accept: Option<CommitId>,
}

/// Runs `pause`.
pub(super) fn pause(args: &PauseArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    if args.duration.is_zero() || args.duration > LONGEST_PAUSE {
        bail!("a pause lasts between a moment and 30 days");
    }
    if args.reason.trim().is_empty() {
        bail!("a pause needs a reason");
    }
    let loaded = store::load(config)?;
    let repository = known_repository(&loaded, args.repository.as_deref())?;
    let now = store::now();
    let until = now + args.duration;
    let reason: String = args.reason.chars().map(|character| if character.is_control() { ' ' } else { character }).take(300).collect();
    append(&loaded, Event::Paused { repository: repository.clone(), until, reason, by: store::operating_system_user() })?;
    writeln!(out, "Reverting is paused in {} until {until}.", scope(repository.as_ref()))?;
    announce_absence(&loaded, out)?;
    Ok(Exit::Done)
}

/// Runs `resume`.
pub(super) fn resume(args: &ResumeArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let repository = known_repository(&loaded, args.repository.as_deref())?;
    let state = store::fold(&store::facts(&loaded)?);
    let by = store::operating_system_user();
    let stop = repository.as_ref().and_then(|name| state.stops.get(name));
    let paused = state.pauses.iter().any(|pause| pause.repository == repository && pause.until > store::now());
    match (&repository, stop, args.accept) {
        (Some(name), Some(stop), accept) => {
            if stop.needs_accept() && accept.is_none() {
                bail!("the repository `{name}` needs to be told which head to believe: `revertd resume {name} --accept <oid>`");
            }
            append(&loaded, Event::RepositoryResumed { repository: name.clone(), accept, by: by.clone() })?;
            writeln!(out, "The automation of `{name}` goes on.")?;
        }
        (_, None, Some(_)) => bail!("nothing is stopped there, so there is no head to accept"),
        (_, None, None) if !paused => {
            writeln!(out, "Nothing is paused or stopped in {}.", scope(repository.as_ref()))?;
            return Ok(Exit::Done);
        }
        _ => {}
    }
    if paused {
        append(&loaded, Event::Unpaused { repository: repository.clone(), by })?;
        writeln!(out, "The pause in {} is over.", scope(repository.as_ref()))?;
    }
    announce_absence(&loaded, out)?;
    Ok(Exit::Done)
}

fn known_repository(loaded: &Loaded, name: Option<&str>) -> Result<Option<RepositoryName>> {
    let Some(name) = name else { return Ok(None) };
    match loaded.agent.repositories.iter().find(|repository| repository.name.as_str() == name) {
        Some(repository) => Ok(Some(repository.name.clone())),
        None => bail!("the agent file has no repository `{name}`"),
    }
}

fn scope(repository: Option<&RepositoryName>) -> String {
    repository.map_or_else(|| "all repositories".to_owned(), |name| format!("`{name}`"))
}

fn append(loaded: &Loaded, event: Event) -> Result<()> {
    let journal = SqliteJournal::open_shared(&loaded.agent.journal).context("cannot write to the journal")?;
    journal.append(store::now(), vec![event]).context("cannot write to the journal")?;
    Ok(())
}

fn announce_absence(loaded: &Loaded, out: &mut dyn Write) -> Result<()> {
    if !SqliteJournal::agent_is_running(&loaded.agent.journal) {
        writeln!(out, "No agent runs on this journal: it takes effect when one is started.")?;
    }
    Ok(())
}
