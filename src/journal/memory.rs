//! A journal that is thrown away, for `plan`: it begins as a copy of the real one, and what is decided on it leaves no trace.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Journal, JournalError, Series, StoredHour, StoredRound};
use crate::engine::fact::{Event, Fact};
use crate::engine::id::{CommitId, FactHash, RepositoryName, SituationDigest};
use crate::engine::recorded::Recorded;
use crate::engine::time::Timestamp;

/// A journal in memory.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    facts: Vec<Fact>,
    situations: BTreeMap<SituationDigest, String>,
    rounds: Vec<StoredRound>,
    hours: Vec<StoredHour>,
    listings: BTreeMap<RepositoryName, (CommitId, Timestamp)>,
}

impl MemoryJournal {
    /// Takes over every fact of another journal, its rounds that ended after `rounds_since`, and the newest listings of `repositories`.
    ///
    /// # Errors
    /// The other journal cannot be read.
    pub fn copy_from(&self, other: &dyn Journal, rounds_since: Timestamp, repositories: &[RepositoryName]) -> Result<(), JournalError> {
        let (facts, rounds) = (other.facts_after(0)?, other.rounds_since(rounds_since)?);
        let mut contents = self.locked();
        contents.facts = facts;
        contents.rounds = rounds;
        for repository in repositories {
            if let Some(listing) = other.last_listing(repository)? {
                contents.listings.insert(repository.clone(), listing);
            }
        }
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn append(&self, at: Timestamp, events: Vec<Event>) -> Result<Vec<Fact>, JournalError> {
        let mut contents = self.locked();
        let mut added = Vec::new();
        for event in events {
            let fact = Fact::after(added.last().or(contents.facts.last()), at, event)
                .map_err(|error| JournalError::Database { path: "in memory".to_owned(), detail: error.to_string() })?;
            added.push(fact);
        }
        contents.facts.extend(added.iter().cloned());
        Ok(added)
    }

    fn facts_after(&self, sequence: u64) -> Result<Vec<Fact>, JournalError> {
        Ok(self.locked().facts.iter().filter(|fact| fact.sequence > sequence).cloned().collect())
    }

    fn head(&self) -> Result<Option<(u64, FactHash)>, JournalError> {
        Ok(self.locked().facts.last().map(|fact| (fact.sequence, fact.hash.clone())))
    }

    fn store_situation(&self, recorded: &Recorded) -> Result<(), JournalError> {
        let mut held = self.locked();
        for piece in std::iter::once(&recorded.whole).chain(&recorded.pieces) {
            held.situations.entry(piece.digest.clone()).or_insert_with(|| piece.json.to_string());
        }
        Ok(())
    }

    fn situation(&self, digest: &SituationDigest) -> Result<Option<String>, JournalError> {
        Ok(self.locked().situations.get(digest).cloned())
    }

    fn note_listing(&self, repository: &RepositoryName, head: CommitId, at: Timestamp) -> Result<(), JournalError> {
        self.locked().listings.insert(repository.clone(), (head, at));
        Ok(())
    }

    fn last_listing(&self, repository: &RepositoryName) -> Result<Option<(CommitId, Timestamp)>, JournalError> {
        Ok(self.locked().listings.get(repository).copied())
    }

    fn append_rounds(&self, rounds: &[StoredRound]) -> Result<(), JournalError> {
        self.locked().rounds.extend_from_slice(rounds);
        Ok(())
    }

    fn rounds_since(&self, at: Timestamp) -> Result<Vec<StoredRound>, JournalError> {
        Ok(self.locked().rounds.iter().filter(|stored| stored.round.end > at).cloned().collect())
    }

    fn append_hours(&self, hours: &[StoredHour]) -> Result<(), JournalError> {
        let mut contents = self.locked();
        let is_new = |stored: &StoredHour| hours.iter().any(|new| new.series == stored.series && new.hour.start == stored.hour.start);
        contents.hours.retain(|stored| !is_new(stored));
        contents.hours.extend_from_slice(hours);
        contents.hours.sort_by_key(|stored| stored.hour.start);
        Ok(())
    }

    fn hours_since(&self, at: Timestamp) -> Result<Vec<StoredHour>, JournalError> {
        Ok(self.locked().hours.iter().filter(|stored| stored.hour.start > at).cloned().collect())
    }

    fn prune_hours(&self, before: Timestamp) -> Result<(), JournalError> {
        self.locked().hours.retain(|stored| stored.hour.start >= before);
        Ok(())
    }

    fn prune_rounds(&self, before: Timestamp) -> Result<(), JournalError> {
        self.locked().rounds.retain(|stored| stored.round.end >= before);
        Ok(())
    }

    fn prune_rounds_of(&self, series: &[Series], before: Timestamp) -> Result<(), JournalError> {
        self.locked().rounds.retain(|stored| stored.round.end >= before || !series.contains(&stored.series));
        Ok(())
    }

    fn verify(&self) -> Result<(), JournalError> {
        match self.locked().facts.iter().find(|fact| !fact.is_intact()) {
            Some(fact) => Err(JournalError::Broken { sequence: fact.sequence, why: "its hash is not that of its content".to_owned() }),
            None => Ok(()),
        }
    }
}
