//! What git answers a scratch repository, read into values and errors.

use std::process::Output;

use crate::engine::change::Person;
use crate::engine::id::{CommitId, TreeId};
use crate::engine::time::Timestamp;

use super::{LogLine, ScratchError};

pub(super) fn subcommand(arguments: &[&str]) -> String {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match *word {
            "-c" => drop(words.next()),
            name => return name.to_owned(),
        }
    }
    String::new()
}

pub(super) fn failed(arguments: &[&str], output: &Output) -> ScratchError {
    let mut stderr = String::from_utf8_lossy(&output.stderr).trim().chars().take(2000).collect::<String>();
    if stderr.is_empty() {
        stderr = output.status.to_string();
    }
    ScratchError::Failed { command: subcommand(arguments), stderr }
}

pub(super) fn unexpected(arguments: &[&str], answer: &str) -> ScratchError {
    ScratchError::Answer { command: subcommand(arguments), answer: answer.chars().take(80).collect() }
}

pub(super) fn commit_id(arguments: &[&str], text: &str) -> Result<CommitId, ScratchError> {
    text.trim().parse().map_err(|_| unexpected(arguments, text))
}

pub(super) fn tree_id(arguments: &[&str], text: &str) -> Result<TreeId, ScratchError> {
    text.trim().parse().map_err(|_| unexpected(arguments, text))
}

pub(super) fn log_line(arguments: &[&str], record: &str) -> Result<LogLine, ScratchError> {
    let [id, parents, name, email, at, subject] = record.splitn(6, '\u{1f}').collect::<Vec<_>>()[..] else {
        return Err(unexpected(arguments, record));
    };
    Ok(LogLine {
        id: commit_id(arguments, id)?,
        parents: parents.split_whitespace().map(|parent| commit_id(arguments, parent)).collect::<Result<_, _>>()?,
        author: Person { name: name.to_owned(), email: email.to_owned() },
        at: Timestamp::from_secs(at.parse().map_err(|_| unexpected(arguments, record))?),
        subject: subject.to_owned(),
    })
}

/// Reads the answer of `git cat-file --batch`: a line `<id> blob <size>`, the content, a line feed, again and again.
pub(super) fn batch(answer: &[u8]) -> Result<Vec<Vec<u8>>, ScratchError> {
    let nonsense = || unexpected(&["cat-file"], "a cut off batch");
    let mut contents = Vec::new();
    let mut rest = answer;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(nonsense)?;
        let header = String::from_utf8_lossy(&rest[..end]);
        let size: usize = header.rsplit(' ').next().and_then(|size| size.parse().ok()).ok_or_else(nonsense)?;
        let content = rest.get(end + 1..).and_then(|after| after.get(..size)).ok_or_else(nonsense)?;
        contents.push(content.to_vec());
        rest = rest.get(end + size + 2..).ok_or_else(nonsense)?;
    }
    Ok(contents)
}
