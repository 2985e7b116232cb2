//! What the agent tells about itself, shared with the web server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::id::RepositoryName;
use crate::engine::time::Timestamp;

/// A snapshot that the agent writes and the web server reads.
#[derive(Clone, Debug, Default)]
pub struct AgentStatus(Arc<Mutex<Snapshot>>);

#[derive(Debug, Default)]
struct Snapshot {
    last_pass: Option<Timestamp>,
    failed_pass: Option<String>,
    unread: BTreeMap<RepositoryName, String>,
    deaf: BTreeMap<RepositoryName, String>,
}

impl AgentStatus {
    fn locked(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pass ended well.
    pub fn pass_ended(&self, now: Timestamp) {
        let mut snapshot = self.locked();
        snapshot.last_pass = Some(now);
        snapshot.failed_pass = None;
    }

    /// A pass failed.
    pub fn pass_failed(&self, sentence: &str) {
        self.locked().failed_pass = Some(sentence.to_owned());
    }

    /// A repository was read.
    pub fn poll_succeeded(&self, repository: &RepositoryName) {
        self.locked().unread.remove(repository);
    }

    /// A repository could not be read. Says whether that, or its reason, is new.
    pub fn poll_failed(&self, repository: &RepositoryName, sentence: &str) -> Change {
        let before = self.locked().unread.insert(repository.clone(), sentence.to_owned());
        if before.as_deref() == Some(sentence) { Change::Known } else { Change::New }
    }

    /// A repository's forge answered.
    pub fn forge_answered(&self, repository: &RepositoryName) {
        self.locked().deaf.remove(repository);
    }

    /// A repository's forge could not be asked. Says whether that, or its reason, is new.
    pub fn forge_failed(&self, repository: &RepositoryName, sentence: &str) -> Change {
        let before = self.locked().deaf.insert(repository.clone(), sentence.to_owned());
        if before.as_deref() == Some(sentence) { Change::Known } else { Change::New }
    }

    /// When the last pass ended well.
    pub fn last_pass(&self) -> Option<Timestamp> {
        self.locked().last_pass
    }

    /// What keeps the agent from being ready, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let snapshot = self.locked();
        let unread =
            snapshot.unread.iter().map(|(repository, sentence)| format!("the repository `{repository}` cannot be read: {sentence}"));
        let deaf = snapshot.deaf.iter().map(|(repository, sentence)| format!("the forge of `{repository}` cannot be asked: {sentence}"));
        snapshot.failed_pass.iter().map(|sentence| format!("the last pass failed: {sentence}")).chain(unread).chain(deaf).collect()
    }
}

/// Whether something is said for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is.
    New,
    /// It was said before.
    Known,
}
