//! The decision: breach × attribution × policy × history in, one of wait, refuse, propose or merge out.

use serde::{Deserialize, Serialize};

use super::guardrail::Refusal;
use super::id::{PlanDigest, ProposalKey};

/// A decision as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// What.
    pub verdict: DecisionVerdict,
    /// The proposal and the plan, where there is one.
    pub proposal: Option<ProposalKey>,
    /// The plan's digest, where there is one.
    pub plan: Option<PlanDigest>,
    /// Why it is not merged (for `Propose`), or nothing done (for `Refuse`); every refusal that holds, most important first.
    pub refusals: Vec<Refusal>,
    /// One sentence.
    pub sentence: String,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DecisionVerdict {
    /// Not yet; decided again in the next pass.
    Wait,
    /// No.
    Refuse,
    /// Open a proposal.
    Propose,
    /// Land it.
    Merge,
}
