//! Kill switches: what stops the automation from outside of the journal, at once and without a command. Pure; `agent/` looks at them.
//!
//! They fail closed (promise P9): what cannot be read counts as "stop", and the sentence says that this is why.

use serde::{Deserialize, Serialize};

use super::id::{BranchName, CommitId};

/// The path on a watched branch whose presence stops everything in that repository, whatever it holds.
pub const STOP_PATH: &str = ".revertd/STOP";

/// A kill switch that is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KillSwitch {
    /// Which one.
    pub kind: SwitchKind,
    /// One full sentence: what is on, or what could not be read, and how it is ended.
    pub sentence: String,
}

/// Which kill switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SwitchKind {
    /// The operator's file on the agent's machine (`stop.file`).
    File,
    /// [`STOP_PATH`] on the watched branch.
    Branch,
    /// An open issue with the operator's label (`stop.issueLabel`).
    Issue,
}

/// What a look at a switch found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is off: its place was read, and nothing is there.
    Off,
    /// It is on.
    On,
    /// Its place could not be read; why, without a full stop.
    Unreadable(String),
}

/// What a look at the open issues of a repository found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueLook {
    /// None has the label, or only such as somebody labelled who may not write to the repository.
    Off,
    /// One has it, from somebody who may.
    On {
        /// Its number.
        number: u64,
        /// Who put the label on.
        by: String,
    },
    /// It could not be read; why, in one sentence.
    Unreadable(String),
}

// === impl KillSwitch ===

impl KillSwitch {
    /// The switch of the agent's machine, after a look.
    pub fn file(path: &str, look: Look) -> Option<Self> {
        let sentence = match look {
            Look::Off => return None,
            Look::On => format!("The file `{path}` is there: nothing is proposed or merged until somebody removes it."),
            Look::Unreadable(why) => {
                format!("Whether the stop file `{path}` is there cannot be read, which counts as a stop: {why}.")
            }
        };
        Some(Self { kind: SwitchKind::File, sentence })
    }

    /// The switch on a watched branch, after a look at its head.
    pub fn branch(branch: &BranchName, head: CommitId, look: Look) -> Option<Self> {
        let sentence = match look {
            Look::Off => return None,
            Look::On => {
                format!("`{STOP_PATH}` stands on `{branch}`: nothing is proposed or merged in this repository until a commit removes it.")
            }
            Look::Unreadable(why) => {
                format!("Whether `{STOP_PATH}` stands on `{branch}` at {} cannot be read, which counts as a stop: {why}.", head.short())
            }
        };
        Some(Self { kind: SwitchKind::Branch, sentence })
    }

    /// The switch on the forge, after a look at its issues.
    pub fn issue(label: &str, look: &IssueLook) -> Option<Self> {
        let sentence = match look {
            IssueLook::Off => return None,
            IssueLook::On { number, by } => format!(
                "{by} put the label `{label}` on the issue #{number}: nothing is proposed or merged in this repository until it is taken off or \
                 the issue is closed."
            ),
            IssueLook::Unreadable(why) => format!(
                "Whether an open issue has the label `{label}` cannot be read, which counts as a stop: {}.",
                why.trim_end_matches('.')
            ),
        };
        Some(Self { kind: SwitchKind::Issue, sentence })
    }
}

// === impl SwitchKind ===

impl SwitchKind {
    /// As it stands in keys and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Branch => "branch",
            Self::Issue => "issue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_counts_as_a_stop() {
        let unreadable = || Look::Unreadable("permission denied".to_owned());
        assert_eq!(
            KillSwitch::file("/etc/revertd/STOP", unreadable()).unwrap().sentence,
            "Whether the stop file `/etc/revertd/STOP` is there cannot be read, which counts as a stop: permission denied."
        );
        let (main, head) = (BranchName::new("main"), CommitId([0xab; 20]));
        assert!(KillSwitch::branch(&main, head, unreadable()).unwrap().sentence.contains("counts as a stop: permission denied."));
        assert_eq!(KillSwitch::branch(&main, head, Look::Off), None);
        assert_eq!(KillSwitch::file("STOP", Look::Off), None);
    }
}
