//! Looks at the kill switches, in each pass, for each decision and right before each merge anew. What cannot be read counts as "stop" (promise P9).

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Result;
use tracing::{info, warn};

use super::{Reconciler, Repository};
use crate::engine::fact::Event;
use crate::engine::id::{CommitId, RepositoryName};
use crate::engine::switch::{KillSwitch, Look, STOP_PATH, SwitchKind};
use crate::engine::telling::Impairment;
use crate::engine::time::Timestamp;

impl Reconciler {
    /// The kill switches that are on for a repository whose branch stands at `head`.
    pub(super) fn kill_switches(&self, repository: &Repository, head: CommitId) -> Vec<KillSwitch> {
        let file = self.config.stop_file.as_deref().and_then(|path| KillSwitch::file(&path.display().to_string(), look_at_file(path)));
        let stands = match repository.mirror.stands(head, STOP_PATH) {
            Ok(true) => Look::On,
            Ok(false) => Look::Off,
            Err(error) => Look::Unreadable(format!("{:#}", anyhow::Error::new(error))),
        };
        let branch = KillSwitch::branch(&repository.config.branch, head, stands);
        file.into_iter().chain(branch).chain(self.issue_switch(repository)).collect()
    }

    /// Whether a switch is on now, whatever this pass has seen before: what a decision is made from was gathered before commands were run and
    /// questions were asked, which may have taken minutes. On the branch it is read as of the newest look, which the lease of a merge names.
    pub(super) fn stopped_meanwhile(&mut self, name: &RepositoryName, now: Timestamp) -> Result<bool> {
        self.look_at_issues_of(name, now)?;
        let head = self.listing(name).and_then(|listing| listing.head);
        let (Some(repository), Some(head)) = (self.repository(name), head) else { return Ok(true) };
        let on = self.kill_switches(repository, head);
        if let Some(first) = on.first() {
            info!(repository = %name, "nothing is merged: {}", first.sentence);
        }
        Ok(!on.is_empty())
    }

    /// The switches that people are told of, each with its sentence: on, or not to be read for long.
    fn told_switches(&self, now: Timestamp) -> BTreeMap<Impairment, String> {
        let mut told = BTreeMap::new();
        for repository in &self.repositories {
            let name = &repository.config.name;
            let head = repository.listing.as_ref().and_then(|(_, listing)| listing.head);
            let mut on = head.map(|head| self.kill_switches(repository, head)).unwrap_or_default();
            on.retain(|switch| switch.kind != SwitchKind::Issue);
            for switch in on.into_iter().chain(self.told_issue_switch(repository, now)) {
                let of = (switch.kind != SwitchKind::File).then(|| name.clone());
                told.insert(Impairment::Switched { repository: of, switch: switch.kind }, switch.sentence);
            }
        }
        told
    }

    /// Writes down which switches went on and which went off, so that people are told once and `revertd status` shows it.
    pub(super) fn note_switches(&mut self, now: Timestamp) -> Result<()> {
        let told = self.told_switches(now);
        let known = &self.state.notifications;
        let on = told.iter().filter(|(what, _)| known.impaired(what).is_none());
        let mut events: Vec<Event> =
            on.map(|(what, sentence)| Event::Impaired { what: what.clone(), sentence: sentence.clone() }).collect();
        let off = known.impairments().filter(|(what, impaired)| {
            matches!(what, Impairment::Switched { .. }) && impaired.restored.is_none() && !told.contains_key(what) && self.is_off(what)
        });
        events.extend(off.map(|(what, _)| Event::Restored { what: what.clone() }));
        for event in &events {
            match event {
                Event::Impaired { sentence, .. } => warn!("a kill switch is on: {sentence}"),
                Event::Restored { what } => info!(what = what.label(), "a kill switch is off again"),
                _ => {}
            }
        }
        self.record(now, events)
    }

    /// Whether a switch was looked at and is off. One that is not told of because nothing was looked at is not off.
    fn is_off(&self, what: &Impairment) -> bool {
        let Impairment::Switched { repository: Some(name), switch } = what else { return true };
        let Some(repository) = self.repository(name) else { return true };
        match switch {
            SwitchKind::Issue => self.issue_switch(repository).is_none(),
            SwitchKind::File | SwitchKind::Branch => repository.listing.as_ref().is_some_and(|(_, listing)| listing.head.is_some()),
        }
    }
}

/// Looks at the file of the agent's machine. One whose directory is not there, as when a volume is not mounted, was not looked at.
pub fn look_at_file(path: &Path) -> Look {
    match path.symlink_metadata() {
        Ok(_) => Look::On,
        Err(error) if error.kind() == ErrorKind::NotFound => match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) if !parent.is_dir() => Look::Unreadable(format!("`{}` is no directory", parent.display())),
            _ => Look::Off,
        },
        Err(error) => Look::Unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_off_only_where_its_directory_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("STOP");
        assert_eq!(look_at_file(&path), Look::Off);
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert_eq!(look_at_file(&path), Look::On, "also a link that leads nowhere");
        assert!(matches!(look_at_file(&directory.path().join("none/STOP")), Look::Unreadable(_)));
        std::fs::write(directory.path().join("file"), "").unwrap();
        assert!(matches!(look_at_file(&directory.path().join("file/STOP")), Look::Unreadable(_)));
    }
}
