//! Who allowed which plan, and the grant without which nothing is merged.
//!
//! A [`MergeGrant`] is made here and nowhere else (rule 4 of the architecture); pushing to a watched branch takes it by value.

use serde::{Deserialize, Serialize};

use super::consent::SaidId;
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
    /// Who: the operating system's user for an approval from the command line, the names on the forge for one from comments.
    pub by: String,
    /// Where it was given.
    #[serde(default)]
    pub source: ApprovalSource,
    /// When.
    pub at: Timestamp,
    /// It counts until then.
    pub expires: Timestamp,
    /// The reason of a `/revertd force`, which lifts the budgets too.
    #[serde(default)]
    pub force: Option<String>,
}

/// Where an approval was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApprovalSource {
    /// `revertd approve`: who can write to the journal may.
    #[default]
    CommandLine,
    /// Comments and reviews on the forge's proposal. They are judged again before anything is merged.
    Forge {
        /// Which.
        said: Vec<SaidId>,
    },
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

    /// A grant for a test of what takes one.
    #[cfg(test)]
    pub(crate) fn for_a_test(plan: PlanDigest, onto: CommitId) -> Self {
        Self::new(plan, onto)
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
