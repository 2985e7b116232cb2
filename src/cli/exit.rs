//! The exit codes, the same for all commands (design §15).

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// An error.
    Error = 1,
    /// The command line is wrong.
    Usage = 2,
    /// It would act (`plan`), or there is a conflict (`revert`).
    Act = 3,
    /// There is a breach, and the gates refuse.
    Refused = 4,
    /// The configuration is invalid.
    InvalidConfiguration = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
