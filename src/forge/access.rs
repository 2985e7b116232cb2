//! What the credentials may do and what the forge says about itself, as far as it tells without being asked to change anything.

use std::collections::BTreeMap;

use super::model::Role;
use crate::engine::time::Timestamp;

/// What the credentials may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What was granted.
    pub grants: Grants,
    /// The role of the account that the token belongs to; `None` for an App, or where the forge does not say.
    pub role: Option<Role>,
    /// When the token ends for good; `None` where it does not, or the forge does not say.
    pub ends: Option<Timestamp>,
    /// The forge's clock at its answer, in whole seconds; `None` where the answer has no date.
    pub clock: Option<Timestamp>,
}

/// What was granted, in the forge's own names of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// Each permission with its access (`read`, `write`, `admin`), as an App's installation lists them. This is all of it.
    Listed(BTreeMap<String, String>),
    /// The scopes of a token of the older kind, each of which opens many things in every repository of its owner.
    Scopes(Vec<String>),
    /// The forge lists nothing, as for a fine-grained token: what reading showed. Whether it may write cannot be seen by reading.
    Read(BTreeMap<String, Readable>),
}

/// What a read showed about a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// It was answered.
    Yes,
    /// It was refused.
    No,
}

/// What is seen of a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamSight {
    /// It is there.
    There,
    /// It is not there, or these credentials may not see it: forges answer both alike.
    NotSeen,
}

/// A `CODEOWNERS` file as the forge reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnersFile {
    /// The branch has none.
    Absent,
    /// It has one, with these mistakes in it, a sentence each.
    Present {
        /// The mistakes; the forge skips the lines that they are in.
        mistakes: Vec<String>,
    },
}
