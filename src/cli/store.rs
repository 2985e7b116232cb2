//! What the commands beside a running agent share: the agent file, its journal, and the state that the facts add up to.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::config::{self, Loaded};
use crate::engine::fact::Fact;
use crate::engine::id::IncidentId;
use crate::engine::incident::State;
use crate::engine::time::Timestamp;
use crate::journal::{Journal, SqliteJournal};

/// The time now; commands have no agent's clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Reads the agent file and its policies.
pub(super) fn load(config: &Path) -> Result<Loaded> {
    Ok(config::load_agent(config)?)
}

/// Every fact of the journal, read without writing anything.
pub(super) fn facts(loaded: &Loaded) -> Result<Vec<Fact>> {
    let journal = SqliteJournal::open_read_only(&loaded.agent.journal).context("cannot read the journal")?;
    journal.facts_after(0).context("cannot read the journal")
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
        [] => bail!("there is no incident `{text}`; `revertd incidents` lists them"),
        several => {
            if let Some(exact) = several.iter().find(|id| id.as_str() == text) {
                return Ok((**exact).clone());
            }
            bail!("{} incidents begin with `{text}`; name one of them in full", several.len())
        }
    }
}

/// Who runs this command, by the operating system.
pub(super) fn operating_system_user() -> String {
    let output = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
    output.chars().filter(|character| !character.is_control()).take(64).collect()
}
