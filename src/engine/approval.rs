//! Who allowed which plan, and the grant without which nothing is merged.
//!
//! A [`MergeGrant`] is made here and nowhere else (rule 4 of the architecture); pushing to a watched branch takes it by value.

use serde::{Deserialize, Serialize};

use super::id::{CommitId, IncidentId, PlanDigest, ProposalKey};
use super::time::Timestamp;

/// Somebody allowed one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The incident that it was given for.
    pub incident: IncidentId,
    /// The proposal that was open then.
    pub proposal: ProposalKey,
    /// The plan that was published when it was given.
    pub plan: PlanDigest,
    /// Who: the operating system's user for an approval from the command line.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// It counts until then.
    pub expires: Timestamp,
}

/// Proof that the merge gate, or an approval of exactly this plan, allows one commit onto one head.
#[derive(Debug)]
#[must_use = "a grant that is not used allows nothing"]
pub struct MergeGrant {
    plan: PlanDigest,
    onto: CommitId,
    _made_here: (),
}

impl Approval {
    /// Whether it still counts at `now` for `plan`.
    pub fn counts_for(&self, plan: &PlanDigest, now: Timestamp) -> bool {
        self.plan == *plan && self.at <= now && now < self.expires
    }
}

impl MergeGrant {
    /// Made where both gates have been passed; `engine::decision` calls it.
    pub(in crate::engine) fn new(plan: PlanDigest, onto: CommitId) -> Self {
        Self { plan, onto, _made_here: () }
    }

    /// The plan that may land.
    pub fn plan(&self) -> &PlanDigest {
        &self.plan
    }

    /// The head that it may land on.
    pub fn onto(&self) -> CommitId {
        self.onto
    }
}
