//! Why a message was not delivered, in a sentence, and what can change that.

use std::time::Duration;

use crate::engine::time::spoken;
use crate::net::secret::SecretFileError;

/// Why a message was not delivered, or why nobody can say whether it was. No text of it holds a token or a webhook's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    /// The chat cannot be reached.
    #[error("cannot be reached: {detail}")]
    Unreachable {
        /// A few words: `connection refused`.
        detail: String,
    },
    /// The answer was not complete in time. The message may have arrived.
    #[error("no answer within {}", spoken(*after))]
    TimedOut {
        /// The time that it had.
        after: Duration,
    },
    /// Too many messages.
    #[error("asked to send less{}", .retry_after.map(|after| format!(", and to try again in {}", spoken(after))).unwrap_or_default())]
    RateLimited {
        /// How long to wait, where the chat said so.
        retry_after: Option<Duration>,
    },
    /// The chat said no.
    #[error("{sentence}")]
    Refused {
        /// The chat's own code (`channel_not_found`), or the status code of HTTP (`404`).
        code: String,
        /// What that means and what to do about it.
        sentence: String,
    },
    /// An answer that its API does not describe, or that the server failed. The message may have arrived.
    #[error("{detail}")]
    Answer {
        /// What is wrong with it.
        detail: String,
    },
    /// The file with the token or the webhook's address cannot be used.
    #[error("{sentence}")]
    Credentials {
        /// Which file, and why.
        sentence: String,
    },
}

/// What can make a message that was not delivered go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Time alone.
    Time,
    /// A person, who invites the app, replaces the token or corrects the file. The message waits for that.
    Person,
    /// Nothing: it is this message that was refused.
    Nothing,
}

/// Codes that are about the message and not about who sends it, or where: Slack's, and the status codes of HTTP.
const ABOUT_THE_MESSAGE: [&str; 16] = [
    "400",
    "413",
    "422",
    "no_text",
    "msg_too_long",
    "msg_blocks_too_long",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "metadata_too_large",
    "invalid_payload",
    "invalid_json",
    "json_not_object",
    "invalid_arguments",
    "invalid_arg_name",
];

// === impl NotifyError ===

impl NotifyError {
    /// What can make the same message go through.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::RateLimited { .. } | Self::Answer { .. } => Remedy::Time,
            Self::Credentials { .. } => Remedy::Person,
            Self::Refused { code, .. } if ABOUT_THE_MESSAGE.contains(&code.as_str()) => Remedy::Nothing,
            Self::Refused { .. } => Remedy::Person,
        }
    }

    /// Whether it passes by itself.
    pub fn is_temporary(&self) -> bool {
        self.remedy() == Remedy::Time
    }

    /// Whether the chat refused with one of these codes.
    pub(super) fn is_refusal(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Refused { code, .. } if codes.contains(&code.as_str()))
    }
}

impl From<SecretFileError> for NotifyError {
    fn from(error: SecretFileError) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::Credentials { sentence: format!("{error}{cause}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_depends_on_who_was_refused() {
        let refused = |code: &str| NotifyError::Refused { code: code.into(), sentence: String::new() };
        for (error, remedy) in [
            (NotifyError::Unreachable { detail: "connection refused".into() }, Remedy::Time),
            (NotifyError::TimedOut { after: Duration::from_secs(10) }, Remedy::Time),
            (NotifyError::RateLimited { retry_after: None }, Remedy::Time),
            (NotifyError::Answer { detail: "503".into() }, Remedy::Time),
            (refused("invalid_auth"), Remedy::Person),
            (refused("404"), Remedy::Person),
            (refused("invalid_blocks"), Remedy::Nothing),
            (refused("400"), Remedy::Nothing),
        ] {
            assert_eq!((error.remedy(), error.is_temporary()), (remedy, remedy == Remedy::Time), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_a_sentence() {
        let missing = crate::net::secret::read_secret_file(std::path::Path::new("/nonexistent/slack")).unwrap_err();
        let error = NotifyError::from(missing);
        assert_eq!(error.to_string(), "cannot read the secret file /nonexistent/slack: No such file or directory (os error 2)");
        assert_eq!(error.remedy(), Remedy::Person);
    }

    #[test]
    fn a_limit_says_how_long() {
        let limited = |retry_after| NotifyError::RateLimited { retry_after }.to_string();
        assert_eq!(limited(Some(Duration::from_secs(30))), "asked to send less, and to try again in 30s");
        assert_eq!(limited(None), "asked to send less");
    }
}
