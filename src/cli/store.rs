//! What the commands beside a running agent share: the agent file, its journal, and the state that the facts add up to.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::failure::Failure;
use crate::agent::budgets::{self, Budgets};
use crate::agent::{Clock as _, Rounds, SystemClock};
use crate::config::diagnostic::Cause;
use crate::config::{self, Loaded};
use crate::engine::budget::Spending;
use crate::engine::fact::Fact;
use crate::engine::id::IncidentId;
use crate::engine::incident::{Incident, State};
use crate::engine::policy::Policy;
use crate::engine::time::Timestamp;
use crate::journal::{Journal, SqliteJournal};

/// The time now.
pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

/// Reads the agent file and its policies.
pub(super) fn load(config: &Path) -> Result<Loaded> {
    let loaded = config::load_agent(config).map_err(|mut found| {
        let name = config.display().to_string();
        for diagnostic in found.0.iter_mut().filter(|diagnostic| diagnostic.cause == Cause::Unreadable && diagnostic.file == name) {
            let hint = "name the agent file with --config FILE or in REVERTD_CONFIG; `revertd demo` needs none";
            diagnostic.hint.get_or_insert(hint.to_owned());
        }
        found
    });
    Ok(loaded?)
}

/// A duration such as `90s`, `2h` or `1h 30m`, with our own words for what is none.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a duration such as `90s`, `30m` or `2h`".to_owned())
}

/// Whether an agent runs on the journal now.
pub(super) fn agent_runs(loaded: &Loaded) -> bool {
    SqliteJournal::agent_is_running(&loaded.agent.journal)
}

/// Every fact of the journal, read without writing anything.
pub(super) fn facts(loaded: &Loaded) -> Result<Vec<Fact>> {
    let journal = SqliteJournal::open_read_only(&loaded.agent.journal).context("cannot read the journal")?;
    journal.facts_after(0).context("cannot read the journal")
}

/// What an agent measured, as far as its journal keeps it.
pub(super) struct Measured {
    /// The rounds.
    pub rounds: Rounds,
    /// The hours of error budgets.
    pub budgets: Budgets,
}

/// Reads what was measured of the agent's policies.
pub(super) fn measured(journal: &SqliteJournal, policies: &[Policy], now: Timestamp) -> Result<Measured> {
    let longest = policies.iter().map(Policy::longest_window).max().unwrap_or_default();
    let (mut rounds, mut budgets) = (Rounds::default(), Budgets::default());
    rounds.restore(journal.rounds_since(now - longest * 2 - Duration::from_secs(24 * 3600)).context("cannot read the rounds")?);
    budgets.restore(journal.hours_since(now - budgets::longest(policies)).context("cannot read the hours")?);
    Ok(Measured { rounds, budgets })
}

/// What an incident has spent of the error budgets until `now`; nothing where its policy is gone.
pub(super) fn spent(policies: &[Policy], measured: &Measured, incident: &Incident, now: Timestamp) -> Vec<Spending> {
    let policy = policies.iter().find(|policy| policy.name == incident.policy);
    policy.map_or_else(Vec::new, |policy| measured.budgets.spending(&measured.rounds, policy, incident, now))
}

/// Folds facts into the present state.
pub(super) fn fold(facts: &[Fact]) -> State {
    let mut state = State::default();
    for fact in facts {
        state.apply(fact);
    }
    state
}

/// The incident that `text` names: its id, or the beginning of exactly one id.
pub(super) fn find_incident(state: &State, text: &str) -> Result<IncidentId> {
    let matching: Vec<&IncidentId> = state.incidents.keys().filter(|id| id.as_str().starts_with(text)).collect();
    match matching.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::new(format!("there is no incident `{text}`"), "`revertd incidents` lists them").into()),
        several => {
            if let Some(exact) = several.iter().find(|id| id.as_str() == text) {
                return Ok((**exact).clone());
            }
            let sentence = format!("{} incidents begin with `{text}`", several.len());
            Err(Failure::new(sentence, "name one of them in full; `revertd incidents` lists them").into())
        }
    }
}

/// Who runs this command, by the operating system: the name of the user's id, not what the environment says.
pub(super) fn operating_system_user() -> String {
    let name = user_id().map(|id| {
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        user_name(&users, id).unwrap_or_else(|| format!("user {id}"))
    });
    // Where there is no /proc, the environment is all there is.
    let name = name.or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "unknown".to_owned());
    name.chars().filter(|character| !character.is_control()).take(64).collect()
}

fn user_id() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}

/// The name of a user in the text of `/etc/passwd`.
fn user_name(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_by_their_id() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken line\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(user_name(users, 1000).as_deref(), Some("ada"));
        assert_eq!(user_name(users, 7), None);
    }

    #[test]
    fn what_is_no_duration_is_told_what_to_write() {
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "x", "5", "-1h", "99999999999999999999h"] {
            assert!(duration(wrong).unwrap_err().contains("`30m`"), "{wrong}");
        }
    }
}
