//! The journal in one SQLite file (design §12): WAL, `synchronous=FULL`, `BEGIN IMMEDIATE` for appends, so that a fact is on the disk
//! before the effect that it announces. A lock file is held by the one agent of a journal; commands append without it.

mod hours;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{Journal, JournalError, Series, StoredHour, StoredRound};
use crate::engine::fact::{Event, FACT_VERSION, Fact};
use crate::engine::id::{CommitId, FactHash, InstanceName, PolicyName, RepositoryName, SituationDigest, SloName, canonical_json};
use crate::engine::recorded::Recorded;
use crate::engine::round::Round;
use crate::engine::time::Timestamp;

/// The schema's version, in `PRAGMA user_version`.
const SCHEMA_VERSION: i64 = 1;
/// How long an append waits for another process's append.
const BUSY: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
CREATE TABLE facts (
    sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, version INTEGER NOT NULL,
    event TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TABLE situations (digest TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE rounds (
    policy TEXT NOT NULL, instance TEXT NOT NULL, slo TEXT NOT NULL, ended INTEGER NOT NULL, started INTEGER NOT NULL, outcome TEXT NOT NULL,
    PRIMARY KEY (policy, instance, slo, ended)
) STRICT, WITHOUT ROWID;
CREATE TABLE listings (repository TEXT PRIMARY KEY, head TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX rounds_by_end ON rounds (ended);
PRAGMA application_id = 1920365172;
PRAGMA user_version = 1;
";

/// A journal in a SQLite file.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Held for as long as the agent lives.
    _lock: Option<File>,
}

impl SqliteJournal {
    /// Opens the journal for the one agent, making it where there is none.
    ///
    /// # Errors
    /// [`JournalError::Held`] when another agent runs on it; a file that cannot be made; a database that is corrupt or newer.
    pub fn open_for_agent(path: &Path) -> Result<Self, JournalError> {
        let lock = lock(path)?;
        let journal = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE, Some(lock))?;
        let checked: String =
            journal.locked().query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| journal.said(&error))?;
        if checked != "ok" {
            return Err(JournalError::Database { path: journal.path.display().to_string(), detail: format!("it is damaged: {checked}") });
        }
        Ok(journal)
    }

    /// Opens the journal beside an agent, to append what a person says.
    ///
    /// # Errors
    /// [`JournalError::Missing`], or a database that cannot be opened.
    pub fn open_shared(path: &Path) -> Result<Self, JournalError> {
        existing(path)?;
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, None)
    }

    /// Opens the journal to read it; an agent may write meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Missing`], or a database that cannot be opened.
    pub fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        existing(path)?;
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|error| database(path, &error))?;
        connection.busy_timeout(BUSY).map_err(|error| database(path, &error))?;
        let journal = Self { path: path.to_owned(), connection: Mutex::new(connection), _lock: None };
        journal.known_schema()?;
        Ok(journal)
    }

    /// Whether an agent runs on the journal now.
    pub fn agent_is_running(path: &Path) -> bool {
        let Ok(file) = File::open(lock_path(path)) else { return false };
        match file.try_lock_shared() {
            Ok(()) => false,
            Err(error) => matches!(error, TryLockError::WouldBlock),
        }
    }

    fn connect(path: &Path, flags: OpenFlags, lock: Option<File>) -> Result<Self, JournalError> {
        let said = |error: rusqlite::Error| database(path, &error);
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(said)?;
        connection.busy_timeout(BUSY).map_err(said)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(said)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(said)?;
        let mut journal = Self { path: path.to_owned(), connection: Mutex::new(connection), _lock: lock };
        if journal.schema()? == 0 {
            journal.create()?;
        }
        journal.known_schema()?;
        if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
            hours::create(&journal.locked()).map_err(|error| journal.said(&error))?;
        }
        Ok(journal)
    }

    fn create(&mut self) -> Result<(), JournalError> {
        let path = self.path.clone();
        let connection = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        let make = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have been first.
            if transaction.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? == 0 {
                transaction.execute_batch(SCHEMA)?;
            }
            transaction.commit()
        };
        make(connection).map_err(|error| database(&path, &error))
    }

    fn schema(&self) -> Result<i64, JournalError> {
        self.locked().query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(|error| self.said(&error))
    }

    fn known_schema(&self) -> Result<(), JournalError> {
        match self.schema()? {
            SCHEMA_VERSION => Ok(()),
            found => Err(JournalError::Newer { path: self.path.display().to_string(), found, known: SCHEMA_VERSION }),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn said(&self, error: &rusqlite::Error) -> JournalError {
        database(&self.path, error)
    }

    /// Runs a write transaction that holds the write lock from its first statement.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let mut connection = self.locked();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| self.said(&error))?;
        let done = work(&transaction)?;
        transaction.commit().map_err(|error| self.said(&error))?;
        Ok(done)
    }

    fn read_facts(&self, connection: &Connection, condition: &str, sequence: u64) -> Result<Vec<Fact>, JournalError> {
        let sql = format!("SELECT sequence, at, version, event, previous, hash FROM facts WHERE {condition}");
        let mut statement = connection.prepare_cached(&sql).map_err(|error| self.said(&error))?;
        let rows = statement
            .query_map([i64::try_from(sequence).unwrap_or(i64::MAX)], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, u32>(2)?,
                    row.get::<_, String>(3)?,
                    row.get::<_, String>(4)?,
                    row.get::<_, String>(5)?,
                ))
            })
            .map_err(|error| self.said(&error))?;
        rows.map(|row| {
            let (sequence, at, version, event, previous, hash) = row.map_err(|error| self.said(&error))?;
            let sequence = u64::try_from(sequence).unwrap_or(0);
            if version > FACT_VERSION {
                return Err(JournalError::Broken { sequence, why: format!("its version {version} is newer than {FACT_VERSION}") });
            }
            let event: Event = serde_json::from_str(&event)
                .map_err(|error| JournalError::Broken { sequence, why: format!("its event cannot be read: {error}") })?;
            let fact = Fact { sequence, at: Timestamp(at), version, event, previous: FactHash::new(previous), hash: FactHash::new(hash) };
            if fact.is_intact() {
                Ok(fact)
            } else {
                Err(JournalError::Broken { sequence, why: "its hash is not that of its content".to_owned() })
            }
        })
        .collect()
    }
}

impl Journal for SqliteJournal {
    fn append(&self, at: Timestamp, events: Vec<Event>) -> Result<Vec<Fact>, JournalError> {
        self.write(|transaction| {
            let mut last = self.read_facts(transaction, "sequence > ?1 ORDER BY sequence DESC LIMIT 1", 0)?.pop();
            let mut facts = Vec::new();
            for event in events {
                let written =
                    |error: serde_json::Error| JournalError::Database { path: self.path.display().to_string(), detail: error.to_string() };
                let fact = Fact::after(last.as_ref(), at, event).map_err(written)?;
                transaction
                    .execute(
                        "INSERT INTO facts (sequence, at, version, event, previous, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        params![
                            i64::try_from(fact.sequence).unwrap_or(i64::MAX),
                            fact.at.millis(),
                            fact.version,
                            canonical_json(&fact.event).map_err(written)?,
                            fact.previous.as_str(),
                            fact.hash.as_str()
                        ],
                    )
                    .map_err(|error| self.said(&error))?;
                last = Some(fact.clone());
                facts.push(fact);
            }
            Ok(facts)
        })
    }

    fn facts_after(&self, sequence: u64) -> Result<Vec<Fact>, JournalError> {
        self.read_facts(&self.locked(), "sequence > ?1 ORDER BY sequence", sequence)
    }

    fn head(&self) -> Result<Option<(u64, FactHash)>, JournalError> {
        let newest = self.read_facts(&self.locked(), "sequence > ?1 ORDER BY sequence DESC LIMIT 1", 0)?.pop();
        Ok(newest.map(|fact| (fact.sequence, fact.hash)))
    }

    fn store_situation(&self, recorded: &Recorded) -> Result<(), JournalError> {
        self.write(|transaction| {
            let said = |error| self.said(&error);
            let mut known = transaction.prepare_cached("SELECT 1 FROM situations WHERE digest = ?1").map_err(said)?;
            let mut keep = transaction.prepare_cached("INSERT INTO situations (digest, json) VALUES (?1, ?2)").map_err(said)?;
            for piece in std::iter::once(&recorded.whole).chain(&recorded.pieces) {
                if !known.exists([piece.digest.as_str()]).map_err(said)? {
                    keep.execute(params![piece.digest.as_str(), &*piece.json]).map_err(said)?;
                }
            }
            Ok(())
        })
    }

    fn situation(&self, digest: &SituationDigest) -> Result<Option<String>, JournalError> {
        self.locked()
            .query_row("SELECT json FROM situations WHERE digest = ?1", [digest.as_str()], |row| row.get(0))
            .optional()
            .map_err(|error| self.said(&error))
    }

    fn note_listing(&self, repository: &RepositoryName, head: CommitId, at: Timestamp) -> Result<(), JournalError> {
        self.write(|transaction| {
            transaction
                .execute(
                    "INSERT OR REPLACE INTO listings (repository, head, at) VALUES (?1, ?2, ?3)",
                    params![repository.as_str(), head.to_string(), at.millis()],
                )
                .map_err(|error| self.said(&error))?;
            Ok(())
        })
    }

    fn last_listing(&self, repository: &RepositoryName) -> Result<Option<(CommitId, Timestamp)>, JournalError> {
        let noted: Option<(String, i64)> = self
            .locked()
            .query_row("SELECT head, at FROM listings WHERE repository = ?1", [repository.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(|error| self.said(&error))?;
        Ok(noted.and_then(|(head, at)| Some((head.parse().ok()?, Timestamp(at)))))
    }

    fn append_rounds(&self, rounds: &[StoredRound]) -> Result<(), JournalError> {
        self.write(|transaction| {
            let mut statement = transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO rounds (policy, instance, slo, ended, started, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .map_err(|error| self.said(&error))?;
            for StoredRound { series, round } in rounds {
                let outcome = canonical_json(&round.outcome)
                    .map_err(|error| JournalError::Database { path: self.path.display().to_string(), detail: error.to_string() })?;
                let policy = series.policy.as_ref().map_or("", PolicyName::as_str);
                statement
                    .execute(params![
                        policy,
                        series.instance.as_str(),
                        series.slo.as_str(),
                        round.end.millis(),
                        round.start.millis(),
                        outcome
                    ])
                    .map_err(|error| self.said(&error))?;
            }
            Ok(())
        })
    }

    fn rounds_since(&self, at: Timestamp) -> Result<Vec<StoredRound>, JournalError> {
        let connection = self.locked();
        let mut statement = connection
            .prepare_cached("SELECT policy, instance, slo, started, ended, outcome FROM rounds WHERE ended > ?1 ORDER BY ended")
            .map_err(|error| self.said(&error))?;
        let rows = statement
            .query_map([at.millis()], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, i64>(3)?,
                    row.get::<_, i64>(4)?,
                    row.get::<_, String>(5)?,
                ))
            })
            .map_err(|error| self.said(&error))?;
        let mut rounds = Vec::new();
        for row in rows {
            let (policy, instance, slo, start, end, outcome) = row.map_err(|error| self.said(&error))?;
            // A round that cannot be read any more is a gap, never a guess.
            if let Ok(outcome) = serde_json::from_str(&outcome) {
                let policy = (!policy.is_empty()).then(|| PolicyName::new(policy));
                let series = Series { policy, instance: InstanceName::new(instance), slo: SloName::new(slo) };
                rounds.push(StoredRound { series, round: Round { start: Timestamp(start), end: Timestamp(end), outcome } });
            }
        }
        Ok(rounds)
    }

    fn prune_rounds(&self, before: Timestamp) -> Result<(), JournalError> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM rounds WHERE ended < ?1", [before.millis()]).map_err(|error| self.said(&error))?;
            Ok(())
        })
    }

    fn prune_rounds_of(&self, series: &[Series], before: Timestamp) -> Result<(), JournalError> {
        if series.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            // By the key and not by `rounds_by_end`, which has all that is kept longer before what is sought.
            let sought = "DELETE FROM rounds WHERE policy = ?1 AND instance = ?2 AND slo = ?3 AND ended < ?4";
            let mut delete = transaction.prepare_cached(sought).map_err(|error| self.said(&error))?;
            for Series { policy, instance, slo } in series {
                let policy = policy.as_ref().map_or("", |policy| policy.as_str());
                delete.execute((policy, instance.as_str(), slo.as_str(), before.millis())).map_err(|error| self.said(&error))?;
            }
            Ok(())
        })
    }

    fn append_hours(&self, hours: &[StoredHour]) -> Result<(), JournalError> {
        self.write(|transaction| hours::append(transaction, hours).map_err(|error| self.said(&error)))
    }

    fn hours_since(&self, at: Timestamp) -> Result<Vec<StoredHour>, JournalError> {
        hours::since(&self.locked(), at).map_err(|error| self.said(&error))
    }

    fn prune_hours(&self, before: Timestamp) -> Result<(), JournalError> {
        self.write(|transaction| hours::prune(transaction, before).map_err(|error| self.said(&error)))
    }

    fn verify(&self) -> Result<(), JournalError> {
        let mut previous: Option<Fact> = None;
        for fact in self.facts_after(0)? {
            let expected = previous.as_ref().map_or((1, "0".repeat(64)), |before| (before.sequence + 1, before.hash.to_string()));
            if fact.sequence != expected.0 {
                return Err(JournalError::Broken { sequence: expected.0, why: "it is missing".to_owned() });
            }
            if fact.previous.as_str() != expected.1 {
                return Err(JournalError::Broken { sequence: fact.sequence, why: "it does not follow the fact before it".to_owned() });
            }
            previous = Some(fact);
        }
        Ok(())
    }
}

fn existing(path: &Path) -> Result<(), JournalError> {
    if path.is_file() { Ok(()) } else { Err(JournalError::Missing(path.display().to_string())) }
}

fn database(path: &Path, error: &rusqlite::Error) -> JournalError {
    JournalError::Database { path: path.display().to_string(), detail: error.to_string() }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn lock(path: &Path) -> Result<File, JournalError> {
    let lock = lock_path(path);
    let failed = |source| JournalError::File { path: lock.display().to_string(), source };
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        make_private_directory(directory).map_err(failed)?;
    }
    let mut file = private_file().read(true).open(&lock).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            file.read_to_string(&mut process).map_err(failed)?;
            return Err(JournalError::Held { path: path.display().to_string(), process: process.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    // The database is made private before SQLite opens it.
    private_file().open(path).map_err(|source| JournalError::File { path: path.display().to_string(), source })?;
    Ok(file)
}

fn private_file() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

fn make_private_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Whether something comes true while others run. Between fork and exec a child that another test starts holds every open file of the process,
/// and with it a lock that was just given up.
#[cfg(test)]
pub(super) fn soon(condition: impl Fn() -> bool) -> bool {
    (0..100_000).any(|_| {
        std::thread::yield_now();
        condition()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::sha256_hex;
    use crate::engine::recorded::Piece;
    use crate::engine::round::{Outcome, Unknown};

    fn started(version: &str) -> Event {
        Event::AgentStarted { version: version.into() }
    }

    fn journal() -> (tempfile::TempDir, PathBuf, SqliteJournal) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/journal.db");
        let journal = SqliteJournal::open_for_agent(&path).unwrap();
        (directory, path, journal)
    }

    #[test]
    fn a_piece_of_two_situations_is_kept_once() {
        let (_directory, _, journal) = journal();
        let piece = |text: &str| Piece { digest: SituationDigest::new(sha256_hex(text.as_bytes())), json: text.into() };
        let of = |whole: &str| Recorded { whole: piece(whole), pieces: vec![piece("\"rounds\""), piece("\"rounds\"")] };
        for whole in ["1", "2", "2"] {
            journal.store_situation(&of(whole)).unwrap();
        }
        for kept in ["1", "2", "\"rounds\""] {
            assert_eq!(journal.situation(&piece(kept).digest).unwrap().as_deref(), Some(kept));
        }
        let rows: i64 = journal.locked().query_row("SELECT count(*) FROM situations", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 3);
    }

    #[test]
    fn facts_come_back_in_a_chain_that_verifies() {
        let (_directory, path, journal) = journal();
        journal.append(Timestamp(1), vec![started("1"), started("2")]).unwrap();
        let shared = SqliteJournal::open_shared(&path).unwrap();
        shared.append(Timestamp(2), vec![started("3")]).unwrap();
        let facts = journal.facts_after(1).unwrap();
        assert_eq!(facts.iter().map(|fact| fact.sequence).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(facts[1].previous, facts[0].hash);
        journal.verify().unwrap();
    }

    #[test]
    fn an_edited_a_missing_and_a_reordered_fact_are_found() {
        for (damage, expected) in [
            ("UPDATE facts SET event = replace(event, '\"2\"', '\"9\"') WHERE sequence = 2", "fact 2: its hash"),
            ("DELETE FROM facts WHERE sequence = 2", "fact 2: it is missing"),
            ("UPDATE facts SET at = 7 WHERE sequence = 1", "fact 1: its hash"),
        ] {
            let (_directory, _path, journal) = journal();
            journal.append(Timestamp(1), vec![started("1"), started("2"), started("3")]).unwrap();
            journal.locked().execute(damage, []).unwrap();
            let error = journal.verify().unwrap_err().to_string();
            assert!(error.contains(expected), "{damage}: {error}");
        }
    }

    #[test]
    fn one_agent_holds_a_journal_and_commands_append_beside_it() {
        let (_directory, path, journal) = journal();
        assert!(SqliteJournal::agent_is_running(&path));
        let error = SqliteJournal::open_for_agent(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
        drop(journal);
        assert!(soon(|| !SqliteJournal::agent_is_running(&path)));
        assert!(soon(|| SqliteJournal::open_for_agent(&path).is_ok()));
    }

    #[test]
    fn appends_of_two_writers_lose_nothing() {
        let (_directory, path, journal) = journal();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let writer = SqliteJournal::open_shared(&path).unwrap();
                    for number in 0..25 {
                        writer.append(Timestamp(number), vec![started("x")]).unwrap();
                    }
                });
            }
        });
        assert_eq!(journal.head().unwrap().unwrap().0, 100);
        journal.verify().unwrap();
    }

    #[test]
    fn a_round_with_the_same_end_is_replaced() {
        let (_directory, _path, journal) = journal();
        let series = Series { policy: None, instance: InstanceName::default_instance(), slo: SloName::new("control-1") };
        let round = |outcome| StoredRound { series: series.clone(), round: Round { start: Timestamp(0), end: Timestamp(60), outcome } };
        journal.append_rounds(&[round(Outcome::Unknown(Unknown::NoData))]).unwrap();
        journal.append_rounds(&[round(Outcome::Good("200".into()))]).unwrap();
        assert_eq!(journal.rounds_since(Timestamp(59)).unwrap(), [round(Outcome::Good("200".into()))]);
        assert_eq!(journal.rounds_since(Timestamp(60)).unwrap(), []);
        journal.prune_rounds(Timestamp(61)).unwrap();
        assert_eq!(journal.rounds_since(Timestamp(0)).unwrap(), []);
    }

    #[test]
    fn one_series_is_pruned_and_the_others_stay() {
        let (_directory, _path, journal) = journal();
        let stored = |name: &str, end: i64| StoredRound {
            series: Series { policy: None, instance: InstanceName::default_instance(), slo: SloName::new(name) },
            round: Round { start: Timestamp(end), end: Timestamp(end), outcome: Outcome::Good("200".into()) },
        };
        journal.append_rounds(&[stored("control-1", 60), stored("control-2", 60), stored("control-1", 61)]).unwrap();
        journal.prune_rounds_of(&[stored("control-1", 0).series], Timestamp(61)).unwrap();
        assert_eq!(journal.rounds_since(Timestamp(0)).unwrap(), [stored("control-2", 60), stored("control-1", 61)]);
    }

    #[test]
    fn a_newer_schema_and_a_missing_journal_are_refused() {
        let (directory, path, journal) = journal();
        journal.locked().pragma_update(None, "user_version", 2).unwrap();
        assert!(matches!(SqliteJournal::open_shared(&path), Err(JournalError::Newer { found: 2, .. })));
        let missing = SqliteJournal::open_read_only(&directory.path().join("none.db")).unwrap_err().to_string();
        assert!(missing.contains("`revertd run` makes it"), "{missing}");
        assert!(!directory.path().join("none.db").exists());
    }
}
