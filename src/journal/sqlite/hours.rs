//! The table of counted hours, which error budgets of weeks are made of.
//!
//! It was added without a new version of the schema: a revertd that does not know it is not harmed by it, and a journal without it has no hours.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::{Series, StoredHour};
use crate::engine::budget::Hour;
use crate::engine::id::{InstanceName, PolicyName, SloName};
use crate::engine::round::Decimal;
use crate::engine::time::Timestamp;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS hours (
    policy TEXT NOT NULL, instance TEXT NOT NULL, slo TEXT NOT NULL, began INTEGER NOT NULL, bad REAL NOT NULL, total REAL NOT NULL,
    missing INTEGER NOT NULL, PRIMARY KEY (policy, instance, slo, began)
) STRICT, WITHOUT ROWID;";

/// Makes the table where there is none.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    // Looking first: making it would wait for whoever writes.
    if exists(connection)? { Ok(()) } else { connection.execute_batch(TABLE) }
}

fn exists(connection: &Connection) -> rusqlite::Result<bool> {
    let found = connection.query_row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'hours'", [], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

pub(super) fn append(transaction: &Transaction<'_>, hours: &[StoredHour]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("INSERT OR REPLACE INTO hours VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for StoredHour { series, hour } in hours {
        let policy = series.policy.as_ref().map_or("", PolicyName::as_str);
        let missing = i64::try_from(hour.missing.as_millis()).unwrap_or(i64::MAX);
        let (instance, slo) = (series.instance.as_str(), series.slo.as_str());
        statement.execute(params![policy, instance, slo, hour.start.millis(), hour.bad.0, hour.total.0, missing])?;
    }
    Ok(())
}

pub(super) fn since(connection: &Connection, at: Timestamp) -> rusqlite::Result<Vec<StoredHour>> {
    if !exists(connection)? {
        return Ok(Vec::new());
    }
    let mut statement =
        connection.prepare_cached("SELECT policy, instance, slo, began, bad, total, missing FROM hours WHERE began > ?1 ORDER BY began")?;
    let rows = statement.query_map([at.millis()], |row| {
        let policy: String = row.get(0)?;
        let series = Series {
            policy: (!policy.is_empty()).then(|| PolicyName::new(policy)),
            instance: InstanceName::new(row.get::<_, String>(1)?),
            slo: SloName::new(row.get::<_, String>(2)?),
        };
        let missing = Duration::from_millis(u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0));
        let hour = Hour { start: Timestamp(row.get(3)?), bad: Decimal(row.get(4)?), total: Decimal(row.get(5)?), missing };
        Ok(StoredHour { series, hour })
    })?;
    rows.collect()
}

pub(super) fn prune(transaction: &Transaction<'_>, before: Timestamp) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM hours WHERE began < ?1", [before.millis()]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Journal, SqliteJournal};
    use super::super::soon;
    use super::*;

    #[test]
    fn hours_are_kept_and_a_journal_of_before_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let journal = SqliteJournal::open_for_agent(&path).unwrap();
        let series =
            Series { policy: Some(PolicyName::new("checkout")), instance: InstanceName::default_instance(), slo: SloName::new("up") };
        let stored = |start: i64, bad: f64| {
            let hour = Hour {
                start: Timestamp::from_secs(start),
                bad: Decimal(bad),
                total: Decimal(60.5),
                missing: Duration::from_millis(start.unsigned_abs() * 1000),
            };
            StoredHour { series: series.clone(), hour }
        };
        journal.append_hours(&[stored(3600, 1.0), stored(7200, 0.0)]).unwrap();
        journal.append_hours(&[stored(3600, 2.5)]).unwrap();
        assert_eq!(journal.hours_since(Timestamp(0)).unwrap(), [stored(3600, 2.5), stored(7200, 0.0)]);
        journal.prune_hours(Timestamp::from_secs(7200)).unwrap();
        assert_eq!(journal.hours_since(Timestamp(0)).unwrap(), [stored(7200, 0.0)]);
        journal.locked().execute_batch("DROP TABLE hours").unwrap();
        drop(journal);
        let reader = SqliteJournal::open_read_only(&path).unwrap();
        assert_eq!(reader.hours_since(Timestamp(0)).unwrap(), []);
        drop(reader);
        let journal = std::cell::OnceCell::new();
        assert!(soon(|| SqliteJournal::open_for_agent(&path).is_ok_and(|opened| journal.set(opened).is_ok())), "it was given up");
        let journal = journal.into_inner().unwrap();
        journal.append_hours(&[stored(3600, 1.0)]).unwrap();
        assert_eq!(journal.hours_since(Timestamp(0)).unwrap(), [stored(3600, 1.0)]);
    }
}
