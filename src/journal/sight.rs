//! What can be said of a journal's file without opening it as a database, which would write beside it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::SqliteJournal;

/// The beginning of every SQLite file.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Where the header keeps the number that `PRAGMA application_id` sets.
const APPLICATION_ID: std::ops::Range<usize> = 68..72;
/// revertd's number; 0 in a file whose first pages are still in the write-ahead log.
const OURS: [u32; 2] = [1_920_365_172, 0];

/// What a journal's file looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalSight {
    /// It is there and can be written.
    Ready(Holder),
    /// There is none yet, and its directory can be written.
    NotMade,
    /// There is none yet, nor its directory, which the agent makes.
    NoDirectory,
    /// It is there and is something else.
    Foreign,
    /// It, or its directory, cannot be used.
    Unusable {
        /// Why, in one sentence without a full stop.
        why: String,
    },
}

/// Who holds a journal's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// No agent runs on it.
    Nobody,
    /// An agent does.
    Agent,
}

/// Looks at the journal at `path`. Nothing is written, and no file is made: whether a directory can be written is read from its mode, which
/// does not tell of a file system that is mounted read-only.
pub fn look(path: &Path) -> JournalSight {
    let unusable = |doing: String, error: &std::io::Error| JournalSight::Unusable { why: format!("{doing}: {error}") };
    // Opened for writing and not written: the one way to ask that knows users, groups and mounts alike.
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => match begins_as_ours(file) {
            Ok(true) if SqliteJournal::agent_is_running(path) => JournalSight::Ready(Holder::Agent),
            Ok(true) => JournalSight::Ready(Holder::Nobody),
            Ok(false) => JournalSight::Foreign,
            Err(error) => unusable(format!("cannot read {}", path.display()), &error),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => directory(path.parent().unwrap_or(Path::new("."))),
        Err(error) => unusable(format!("cannot open {} for writing", path.display()), &error),
    }
}

fn begins_as_ours(mut file: File) -> std::io::Result<bool> {
    let mut header = [0_u8; 100];
    let mut length = 0;
    while length < header.len() {
        match file.read(&mut header[length..])? {
            0 => break,
            read => length += read,
        }
    }
    // A file of no bytes is a database that nothing was written to yet.
    let id = header.get(APPLICATION_ID).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    Ok(length == 0 || (header.starts_with(MAGIC) && OURS.contains(&id)))
}

fn directory(directory: &Path) -> JournalSight {
    match std::fs::metadata(directory) {
        Ok(found) if !found.is_dir() => JournalSight::Unusable { why: format!("{} is no directory", directory.display()) },
        Ok(found) if found.permissions().readonly() => {
            JournalSight::Unusable { why: format!("the directory {} cannot be written", directory.display()) }
        }
        Ok(_) => JournalSight::NotMade,
        Err(error) if error.kind() == ErrorKind::NotFound => JournalSight::NoDirectory,
        Err(error) => JournalSight::Unusable { why: format!("cannot look at {}: {error}", directory.display()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_told_from_what_is_none_and_nothing_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        assert_eq!(look(&path), JournalSight::NotMade);
        assert_eq!(look(&directory.path().join("none/journal.db")), JournalSight::NoDirectory);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let journal = SqliteJournal::open_for_agent(&path).unwrap();
        assert_eq!(look(&path), JournalSight::Ready(Holder::Agent));
        drop(journal);
        assert!(super::super::sqlite::soon(|| look(&path) == JournalSight::Ready(Holder::Nobody)), "{:?}", look(&path));
        let other = directory.path().join("other.db");
        std::fs::write(&other, "a text that is longer than nothing").unwrap();
        assert_eq!(look(&other), JournalSight::Foreign);
        assert!(matches!(look(directory.path()), JournalSight::Unusable { .. }));
    }
}
