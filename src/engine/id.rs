//! Names and ids as types of their own, so that one is never passed where another is meant.
//!
//! Object ids are SHA-1 only: a repository of SHA-256 ids is refused with a sentence before one reaches this.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A text that is no 40-digit hexadecimal object id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an object id of 40 hexadecimal digits")]
pub struct InvalidObjectId(pub String);

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 20]);

        impl $name {
            /// The first ten hexadecimal digits, for people.
            pub fn short(&self) -> String {
                hex::encode(&self.0[..5])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidObjectId;

            fn from_str(text: &str) -> Result<Self, InvalidObjectId> {
                let mut bytes = [0; 20];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidObjectId(text.chars().take(80).collect()))?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes a text that the caller has validated or made itself.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

object_id!(
    /// The id of a commit.
    CommitId
);
object_id!(
    /// The id of a tree.
    TreeId
);
object_id!(
    /// The id of what a path points to: a blob, a symbolic link's blob or a submodule's commit.
    EntryId
);

text_id!(
    /// `metadata.name` of a policy. A policy is one service, so this names the service too.
    PolicyName
);
text_id!(
    /// The operator's name for a notifier.
    NotifierName
);
text_id!(
    /// The name of an SLO within its policy.
    SloName
);
text_id!(
    /// Where a service runs. A policy without `instances` has one, `default`.
    InstanceName
);
text_id!(
    /// The operator's name for a watched repository.
    RepositoryName
);
text_id!(
    /// The operator's name for an environment with a ceiling of its own.
    EnvironmentName
);
text_id!(
    /// The operator's name for a metrics server.
    MetricsName
);
text_id!(
    /// The operator's name for a sync source.
    SyncName
);
text_id!(
    /// The operator's name for a render command.
    RenderName
);
text_id!(
    /// A branch without `refs/heads/`.
    BranchName
);
text_id!(
    /// `<policy>-<ten hexadecimal digits>`; fixed when the incident is detected.
    IncidentId
);
text_id!(
    /// The first twelve hexadecimal digits of SHA-256 over branch, sorted suspect ids and `revert` or `reapply` (design §2).
    ProposalKey
);
text_id!(
    /// SHA-256 in hexadecimal digits of the canonical JSON of a plan.
    PlanDigest
);
text_id!(
    /// SHA-256 in hexadecimal digits of the canonical JSON of a situation.
    SituationDigest
);
text_id!(
    /// SHA-256 in hexadecimal digits of the canonical JSON of a policy.
    PolicyDigest
);
text_id!(
    /// SHA-256 in hexadecimal digits over a fact and the hash of the fact before it.
    FactHash
);
text_id!(
    /// Names one effect, so that an intent and its end find each other.
    EffectId
);

/// A number that a forge gives.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// The number of a proposal within its repository.
    ProposalNumber
);
number!(
    /// The number of a comment within its forge.
    CommentId
);
number!(
    /// The number of an account within its forge. It stays when the account is renamed, and is not given out again; a login is.
    UserId
);
number!(
    /// The number of a repository within its forge. It stays when the repository is renamed or moved.
    RepositoryId
);

impl InstanceName {
    /// The one instance of a policy that names none.
    pub fn default_instance() -> Self {
        Self::new("default")
    }

    /// Whether it is that one, which nobody named.
    pub fn is_default(&self) -> bool {
        self.as_str() == "default"
    }
}

/// SHA-256 of some bytes in hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Canonical JSON: object keys sorted, no white space. Values hold integers and strings only, so that one value has one text.
///
/// # Errors
/// Only for a value that JSON cannot express, such as a map whose keys are no strings.
pub fn canonical_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    // `serde_json::Value` keeps objects in a BTreeMap, which is what sorts the keys.
    serde_json::to_value(value).map(|value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_id_reads_back_what_it_shows() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        let id: CommitId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(id.short(), "0123456789");
        assert!("0123".parse::<CommitId>().is_err());
    }

    #[test]
    fn canonical_json_sorts_keys() {
        #[derive(Serialize)]
        struct Unsorted {
            b: u8,
            a: &'static str,
        }
        assert_eq!(canonical_json(&Unsorted { b: 1, a: "x" }).unwrap(), r#"{"a":"x","b":1}"#);
    }
}
