//! SLO assessment: rounds in, verdict and arithmetic out (design §6).

use serde::{Deserialize, Serialize};

use super::id::SloName;

/// What the rounds of one SLO say at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    /// Which SLO.
    pub slo: SloName,
    /// The verdict.
    pub verdict: Verdict,
    /// The arithmetic in words: `failed 3 of the last 5 (limit 3): 503, 503, 200, 200, 503`.
    pub arithmetic: String,
}

/// The verdict of an assessment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Too few rounds yet.
    Pending,
    /// Good, by the recovery rule of the alert.
    Healthy,
    /// Over the alert's limit.
    Breaching,
    /// Neither over the limit nor good again.
    Inconclusive,
    /// Not enough of it is known.
    Unknown,
}
