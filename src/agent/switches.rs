//! Looks at the kill switches, in each pass and for each decision anew. What cannot be read counts as "stop" (promise P9).

use std::io::ErrorKind;
use std::path::Path;

use super::{Reconciler, Repository};
use crate::engine::id::CommitId;
use crate::engine::switch::{KillSwitch, Look, STOP_PATH};

impl Reconciler {
    /// The kill switches that are on for a repository whose branch stands at `head`.
    pub(super) fn kill_switches(&self, repository: &Repository, head: CommitId) -> Vec<KillSwitch> {
        let file = self.config.stop_file.as_deref().and_then(|path| KillSwitch::file(&path.display().to_string(), look_at_file(path)));
        let stands = match repository.mirror.stands(head, STOP_PATH) {
            Ok(true) => Look::On,
            Ok(false) => Look::Off,
            Err(error) => Look::Unreadable(format!("{:#}", anyhow::Error::new(error))),
        };
        file.into_iter().chain(KillSwitch::branch(&repository.config.branch, head, stands)).collect()
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
