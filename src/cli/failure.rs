//! Errors as people see them: `error:`, then each cause once, then a hint where one is known.

use std::io::{ErrorKind, Write};

use super::Exit;
use crate::config::diagnostic::{Cause, Diagnostic, Diagnostics};
use crate::journal::JournalError;

/// Longer texts are found in a database's answer; these are the ones that have a remedy of their own.
const DAMAGED: [&str; 3] = ["not a database", "malformed", "damaged"];

/// An error that the command line itself finds, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    sentence: String,
    hint: String,
    exit: Exit,
    #[source]
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// Something that could not be done; ends with 1.
    pub fn new(sentence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), hint: hint.into(), exit: Exit::Error, cause: None }
    }

    /// The same with the error that it comes from.
    #[must_use]
    pub fn because(self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// A command line that cannot be meant; ends with 2.
    pub fn usage(sentence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(sentence, hint) }
    }
}

/// How findings about configuration files end a command: with 1 where a file cannot be read, with 5 where one is wrong.
pub fn exit_of(found: &[Diagnostic]) -> Exit {
    let errors = || found.iter().filter(|diagnostic| diagnostic.is_error());
    if errors().any(|diagnostic| diagnostic.cause == Cause::Unreadable) {
        Exit::Error
    } else if errors().next().is_some() {
        Exit::InvalidConfiguration
    } else {
        Exit::Done
    }
}

/// Prints an error to `err` and says with which code to end.
///
/// # Errors
/// When `err` cannot be written to.
pub fn print(error: &anyhow::Error, err: &mut dyn Write) -> std::io::Result<Exit> {
    if let Some(diagnostics) = error.downcast_ref::<Diagnostics>() {
        // Each diagnostic has its own `error:` line, position and hint.
        write!(err, "{diagnostics}")?;
        return Ok(exit_of(&diagnostics.0));
    }
    writeln!(err, "error: {}", without_number(&error.to_string()))?;
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Some errors repeat their source in their own text.
        if !said.contains(&text) {
            writeln!(err, "caused by: {}", without_number(&text))?;
        }
        said = text;
    }
    if let Some(hint) = hint(error) {
        writeln!(err, "hint: {hint}")?;
    }
    Ok(error.downcast_ref::<Failure>().map_or(Exit::Error, |failure| failure.exit))
}

/// The operating system's reason without its number, which says nothing to people.
fn without_number(text: &str) -> &str {
    text.split_once(" (os error ").filter(|(_, rest)| rest.ends_with(')')).map_or(text, |(reason, _)| reason)
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(failure) = error.chain().find_map(|cause| cause.downcast_ref::<Failure>()) {
        return Some(failure.hint.clone());
    }
    let of_journal = error.chain().find_map(|cause| cause.downcast_ref::<JournalError>()).and_then(journal_hint);
    let kind = || error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    of_journal.or_else(|| kind().and_then(file_hint)).map(str::to_owned)
}

fn journal_hint(error: &JournalError) -> Option<&'static str> {
    const BACKUP: &str =
        "restore the journal from a backup; while it is damaged nothing is decided from it, and nothing is repaired by guessing";
    const WRITABLE: &str =
        "the journal's directory must be writable for the user that runs this, and on a file system that is not read-only";
    match error {
        JournalError::Missing(_) => Some("if the agent runs already, name its agent file with --config FILE"),
        JournalError::Held { .. } => Some("a journal has one agent: end that process first, or give this agent a journal of its own"),
        JournalError::Newer { .. } => Some("run the newer revertd, or restore the journal from a backup made before it was upgraded"),
        JournalError::Broken { .. } => Some(BACKUP),
        JournalError::Database { detail, .. } if DAMAGED.iter().any(|word| detail.contains(word)) => Some(BACKUP),
        JournalError::Database { detail, .. } if detail.contains("readonly") || detail.contains("unable to open") => Some(WRITABLE),
        JournalError::Database { detail, .. } if detail.contains("full") => Some("make room on the disk that holds the journal"),
        JournalError::Database { detail, .. } if detail.contains("I/O error") => {
            Some("look at the disk that holds the journal: it is full, gone or failing")
        }
        JournalError::Database { detail, .. } if detail.contains("locked") => Some("another process is writing to the journal: try again"),
        JournalError::Database { .. } | JournalError::File { .. } => None,
    }
}

fn file_hint(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::PermissionDenied => Some("run it as the user that the agent runs as"),
        ErrorKind::AddrInUse => Some("another process listens there: name another address under `listen` in the agent file, or end it"),
        ErrorKind::AddrNotAvailable => Some("`listen` in the agent file names an address that this machine does not have"),
        ErrorKind::StorageFull => Some("make room on the disk"),
        ErrorKind::ReadOnlyFilesystem => Some("name a journal on a file system that can be written to"),
        ErrorKind::IsADirectory => Some("a directory stands where a file is needed"),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => Some("a file stands where a directory is needed"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(error: &anyhow::Error) -> (String, Exit) {
        let mut text = Vec::new();
        let exit = print(error, &mut text).unwrap();
        (String::from_utf8(text).unwrap(), exit)
    }

    #[test]
    fn a_cause_that_is_said_already_is_not_said_again() {
        let error = anyhow::anyhow!("disk gone").context("cannot write: disk gone").context("cannot append");
        assert_eq!(printed(&error).0, "error: cannot append\ncaused by: cannot write: disk gone\n");
    }

    #[test]
    fn numbers_of_the_operating_system_are_left_out_and_a_remedy_is_named() {
        let error = anyhow::Error::new(std::io::Error::from_raw_os_error(98)).context("cannot listen on 127.0.0.1:9464");
        let (text, exit) = printed(&error);
        assert!(
            text.starts_with("error: cannot listen on 127.0.0.1:9464\ncaused by: Address already in use\nhint: another process"),
            "{text}"
        );
        assert_eq!(exit, Exit::Error);
    }

    #[test]
    fn wrong_usage_ends_with_two() {
        let (text, exit) = printed(&Failure::usage("no such day", "say another").into());
        assert_eq!((text.as_str(), exit), ("error: no such day\nhint: say another\n", Exit::Usage));
    }

    #[test]
    fn every_trouble_of_a_journal_has_its_remedy() {
        let database = |detail: &str| JournalError::Database { path: "j".into(), detail: detail.into() };
        for (error, remedy) in [
            (JournalError::Missing("j".into()), "--config FILE"),
            (JournalError::Held { path: "j".into(), process: "7".into() }, "one agent"),
            (JournalError::Newer { path: "j".into(), found: 2, known: 1 }, "newer revertd"),
            (JournalError::Broken { sequence: 1, why: "it is missing".into() }, "backup"),
            (database("file is not a database"), "backup"),
            (database("attempt to write a readonly database"), "writable"),
            (database("database or disk is full"), "make room"),
            (database("disk I/O error"), "look at the disk"),
            (database("database is locked"), "try again"),
        ] {
            let text = printed(&anyhow::Error::new(error).context("cannot open the journal")).0;
            assert!(text.lines().last().unwrap().starts_with("hint: ") && text.contains(remedy), "{text}");
        }
    }
}
