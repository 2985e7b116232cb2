//! Whose fault (design §7): changes × onset in, every candidate with its evidence out, "none of them" included.

use serde::{Deserialize, Serialize};

use super::id::{CommitId, PolicyName};
use super::time::Interval;

/// Every candidate with its evidence, and which of them are suspected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    /// When the breach began.
    pub onset: Interval,
    /// Every change in the window, newest first.
    pub candidates: Vec<Candidate>,
    /// The suspects whose undoing the plan is: those of one landing, newest first. Empty: none of them.
    pub suspects: Vec<CommitId>,
}

/// One change in the window, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The commit.
    pub commit: CommitId,
    /// Its subject.
    pub subject: String,
    /// When it landed.
    pub landed: Interval,
    /// When it was applied.
    pub applied: Interval,
    /// The policies whose paths it touches.
    pub touches: Vec<PolicyName>,
    /// What the evidence says.
    pub standing: Standing,
    /// Why, in one sentence.
    pub because: String,
}

/// What the evidence says about a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Touches the service, can have done it, and is of the most likely landing.
    Suspect,
    /// Touches the service and can have done it, but is of another landing than the suspects.
    AlsoPossible,
    /// Cannot have done it, or does not touch the service.
    RuledOut,
    /// No policy owns its paths: named, never reverted, stops a force-merge.
    Unmapped,
}
