//! Afterwards (design §13): windows that start at the revert in, how the recovery stands out.

use serde::{Deserialize, Serialize};

use super::time::Interval;

/// How a recovery stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// The verdict so far.
    pub standing: RecoveryStanding,
    /// When the revert was effective.
    pub effective: Interval,
    /// The arithmetic, in one sentence.
    pub sentence: String,
}

/// The verdict on a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryStanding {
    /// Landed; not known to be effective yet.
    Landed,
    /// Effective; too early to say.
    Watching,
    /// Clearly better, not yet good.
    Improving,
    /// Fresh evidence, healthy for `holdFor`.
    Recovered,
    /// Effective everywhere and not better for `recoverWithin`.
    NotRecovered,
    /// Too little evidence within `recoverWithin`.
    Unverified,
}
