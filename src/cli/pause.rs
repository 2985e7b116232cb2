//! `revertd pause` and `revertd resume`: people stop and start the automation.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::failure::Failure;
use super::{Exit, Output, store};
use crate::config::Loaded;
use crate::engine::fact::Event;
use crate::engine::id::{CommitId, RepositoryName};
use crate::engine::incident::State;
use crate::engine::situation::Pause;
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
    #[arg(long = "for", value_name = "DURATION", value_parser = pause_length)]
    duration: Duration,
    /// Why; it is shown wherever the pause refuses something
    #[arg(long, value_name = "TEXT", value_parser = pause_reason)]
    reason: String,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// End a pause, or a stop of a repository
///
/// A repository stops when its branch was rewritten or deleted, or when what landed was not the plan. After a rewritten or deleted branch,
/// `--accept` names the head that is to be believed.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// One repository; without it, every pause ends, and no stop
    repository: Option<String>,
    /// The head to believe after a rewritten or deleted branch, all 40 digits
    #[arg(long, value_name = "OID")]
    accept: Option<CommitId>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `resume` ended, and what still holds.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Resumed {
    /// Repositories whose stop is over.
    resumed: Vec<RepositoryName>,
    /// The scopes of the pauses that are over; `null` for the one over all repositories.
    unpaused: Vec<Option<RepositoryName>>,
    /// Pauses that go on.
    still_paused: Vec<Pause>,
    /// Repositories that stand still and need a person.
    still_stopped: Vec<RepositoryName>,
    agent_runs: bool,
}

/// Runs `pause`.
pub(super) fn pause(args: &PauseArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let repository = known_repository(&loaded, args.repository.as_deref())?;
    // A journal that no agent could go on with is no place for a promise.
    store::facts(&loaded)?;
    let (now, by, reason) = (store::now(), store::operating_system_user(), args.reason.clone());
    let pause = Pause { repository, until: now + args.duration, reason, by };
    let Pause { repository, until, reason, by } = pause.clone();
    append(&loaded, vec![Event::Paused { repository, until, reason, by }])?;
    let agent_runs = store::agent_runs(&loaded);
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&json!({"pause": pause, "agentRuns": agent_runs}))?)?,
        Output::Text => {
            writeln!(out, "Reverting is paused in {} until {until}.", scope(pause.repository.as_ref()))?;
            announce_absence(agent_runs, out)?;
        }
    }
    Ok(Exit::Done)
}

/// Runs `resume`.
pub(super) fn resume(args: &ResumeArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let repository = known_repository(&loaded, args.repository.as_deref())?;
    let state = store::fold(&store::facts(&loaded)?);
    let by = store::operating_system_user();
    let mut done = Resumed { agent_runs: store::agent_runs(&loaded), ..Resumed::default() };
    let mut events = Vec::new();
    if let Some(event) = end_stop(&state, repository.as_ref(), args.accept, &by)? {
        done.resumed.extend(repository.clone());
        events.push(event);
    }
    let now = store::now();
    for pause in state.pauses.iter().filter(|pause| pause.until > now) {
        if repository.is_none() || pause.repository == repository {
            events.push(Event::Unpaused { repository: pause.repository.clone(), by: by.clone() });
            done.unpaused.push(pause.repository.clone());
        } else if pause.repository.is_none() {
            done.still_paused.push(pause.clone());
        }
    }
    done.still_stopped = state.stops.keys().filter(|name| repository.is_none() && !done.resumed.contains(name)).cloned().collect();
    if !events.is_empty() {
        append(&loaded, events)?;
    }
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&done)?)?,
        Output::Text => show_resumed(&done, repository.as_ref(), out)?,
    }
    Ok(Exit::Done)
}

/// The end of a repository's stop, where it has one.
fn end_stop(state: &State, repository: Option<&RepositoryName>, accept: Option<CommitId>, by: &str) -> Result<Option<Event>> {
    let stop = repository.and_then(|name| Some((name, state.stops.get(name)?)));
    match (stop, accept) {
        (Some((name, stop)), None) if stop.needs_accept() => {
            let hint = format!("look at the branch, and name the head to believe: `revertd resume {name} --accept <oid>`");
            Err(Failure::new(format!("the branch of `{name}` was rewritten or deleted, and nobody has said what to believe"), hint).into())
        }
        (Some((name, _)), accept) => Ok(Some(Event::RepositoryResumed { repository: name.clone(), accept, by: by.to_owned() })),
        (None, Some(_)) if repository.is_none() => {
            Err(Failure::usage("--accept is for one repository", "name it: `revertd resume REPOSITORY --accept <oid>`").into())
        }
        (None, Some(_)) => {
            Err(Failure::new("nothing is stopped there, so there is no head to accept", "`revertd status` shows stops").into())
        }
        (None, None) => Ok(None),
    }
}

fn show_resumed(done: &Resumed, repository: Option<&RepositoryName>, out: &mut dyn Write) -> Result<()> {
    for name in &done.resumed {
        writeln!(out, "The automation of `{name}` goes on.")?;
    }
    for paused in &done.unpaused {
        writeln!(out, "The pause in {} is over.", scope(paused.as_ref()))?;
    }
    if done.resumed.is_empty() && done.unpaused.is_empty() {
        let place = repository.map_or_else(String::new, |name| format!(" in `{name}` alone"));
        writeln!(out, "Nothing is paused{place}.")?;
    } else {
        announce_absence(done.agent_runs, out)?;
    }
    for pause in &done.still_paused {
        writeln!(out, "The pause in all repositories goes on until {}: `revertd resume` ends it.", pause.until)?;
    }
    for name in &done.still_stopped {
        writeln!(out, "`{name}` stands still all the same: `revertd status` says why, and `revertd resume {name}` ends it.")?;
    }
    Ok(())
}

fn pause_length(text: &str) -> Result<Duration, String> {
    match store::duration(text)? {
        length if length.is_zero() || length > LONGEST_PAUSE => Err("a pause lasts between a moment and 30 days".to_owned()),
        length => Ok(length),
    }
}

/// One line of at most 300 characters: it stands in refusals.
fn pause_reason(text: &str) -> Result<String, String> {
    let reason: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let reason: String = reason.trim().chars().take(300).collect();
    if reason.is_empty() { Err("a pause needs a reason that others understand".to_owned()) } else { Ok(reason) }
}

fn known_repository(loaded: &Loaded, name: Option<&str>) -> Result<Option<RepositoryName>> {
    let Some(name) = name else { return Ok(None) };
    let names: Vec<&RepositoryName> = loaded.agent.repositories.iter().map(|repository| &repository.name).collect();
    if let Some(known) = names.iter().find(|known| known.as_str() == name) {
        return Ok(Some((*known).clone()));
    }
    let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Err(Failure::new(format!("the agent file has no repository `{name}`"), format!("it has {known}")).into())
}

fn scope(repository: Option<&RepositoryName>) -> String {
    repository.map_or_else(|| "all repositories".to_owned(), |name| format!("`{name}`"))
}

fn append(loaded: &Loaded, events: Vec<Event>) -> Result<()> {
    let journal = SqliteJournal::open_shared(&loaded.agent.journal).context("cannot write to the journal")?;
    journal.append(store::now(), events).context("cannot write to the journal")?;
    Ok(())
}

fn announce_absence(agent_runs: bool, out: &mut dyn Write) -> Result<()> {
    if !agent_runs {
        writeln!(out, "No agent runs on this journal: it takes effect when one is started.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_and_says_why() {
        assert_eq!(pause_length("30d"), Ok(LONGEST_PAUSE));
        assert!(pause_length("0s").is_err() && pause_length("31d").is_err() && pause_length("soon").is_err());
        assert_eq!(pause_reason(" a\nb\u{1b}[2J "), Ok("a b [2J".to_owned()));
        assert!(pause_reason(" \n").is_err());
        assert_eq!(pause_reason(&"x".repeat(500)).map(|reason| reason.len()), Ok(300));
    }
}
