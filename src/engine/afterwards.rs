//! What comes after an incident (design §13): how its breach ended, which reverts were wrong, and who asked for a change to be brought back.
//!
//! An incident may be over while its breach goes on, as after a veto or a revert that did not help. So the end of a breach is a fact of its own
//! where the incident's own end does not tell it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::decision::DecisionRecord;
use super::fact::{Ending, LandedBy, ProposalClosing};
use super::id::{BranchName, CommitId, IncidentId, PolicyName, ProposalKey, SituationDigest};
use super::incident::{Incident, Proposal, State};
use super::plan::{Plan, PlanKind, proposal_key};
use super::spread::Spreading;
use super::time::Timestamp;

/// One thing that happened after an incident, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Afterwards {
    /// The breach of an incident that was over before it has ended.
    BreachEnded {
        /// Whose.
        incident: IncidentId,
        /// How.
        ending: BreachEnding,
        /// The commit that ended it, where one did.
        by: Option<CommitId>,
        /// One sentence.
        sentence: String,
    },
    /// A revert was effective everywhere and changed nothing for any of its services: it counts against their policies.
    FalseRevert {
        /// The proposal whose revert it was.
        proposal: ProposalKey,
        /// The policies that it was for.
        policies: Vec<PolicyName>,
        /// One sentence, with the arithmetic.
        sentence: String,
    },
    /// A person asked for a reverted change to be brought back.
    RelandAsked {
        /// The proposal whose revert had landed.
        proposal: ProposalKey,
        /// Who asked, by name at that time.
        by: String,
        /// Why. Untrusted text.
        reason: String,
    },
    /// What was decided about bringing a change back.
    Decided {
        /// The proposal that brings it back.
        proposal: ProposalKey,
        /// What, and why.
        decision: DecisionRecord,
        /// Everything that it was decided from, stored under this digest.
        situation: SituationDigest,
    },
    /// What was reverted, or stands under a revert that is not decided yet, is on its way to somewhere, or has come there.
    Spreading {
        /// The proposal of the incident.
        proposal: ProposalKey,
        /// What, and where.
        what: Spreading,
    },
}

/// How a breach ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BreachEnding {
    /// A revert of revertd's, whoever merged it.
    Revertd,
    /// Somebody's own revert.
    HumanRevert,
    /// Somebody changed what the suspect, or the revert that did not help, had left.
    FixForward,
    /// Nothing that revertd knows of was done about it.
    ByItself,
    /// The service has been healthy since, and nobody saw when that began: the agent did not run, or measured nothing.
    Unseen,
}

/// The end of a breach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreachEnd {
    /// How.
    pub ending: BreachEnding,
    /// The commit that ended it, where one did.
    pub by: Option<CommitId>,
    /// When that was recorded.
    pub at: Timestamp,
}

/// A revert that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FalseRevert {
    /// The policies that it was for.
    pub policies: Vec<PolicyName>,
    /// One sentence.
    pub sentence: String,
    /// When it was judged.
    pub at: Timestamp,
}

/// Somebody's wish to have a change back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reland {
    /// Who.
    pub by: String,
    /// Why. Untrusted text.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What the facts about the time after incidents add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aftermath {
    breaches: BTreeMap<IncidentId, BreachEnd>,
    false_reverts: BTreeMap<ProposalKey, FalseRevert>,
    relands: BTreeMap<ProposalKey, Reland>,
    decisions: BTreeMap<ProposalKey, DecisionRecord>,
    spreading: BTreeMap<ProposalKey, Vec<(Spreading, Timestamp)>>,
}

/// How often a policy was right, by the proposals that it had a part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackRecord {
    /// Proposals that were opened or merged at once.
    pub proposals: usize,
    /// Those whose revert landed.
    pub landed: usize,
    /// Those of them after which the service recovered.
    pub recovered: usize,
    /// Those of them that changed nothing.
    pub false_reverts: usize,
    /// Those of them of which it is not known, or not yet.
    pub unknown: usize,
    /// Proposals that people closed.
    pub closed_by_people: usize,
}

// === impl Aftermath ===

impl Aftermath {
    /// Folds one fact in. The first word stays, but for decisions: the same may be found by two passes.
    pub(super) fn apply(&mut self, at: Timestamp, what: &Afterwards) {
        match what {
            Afterwards::BreachEnded { incident, ending, by, .. } => {
                self.breaches.entry(incident.clone()).or_insert(BreachEnd { ending: *ending, by: *by, at });
            }
            Afterwards::FalseRevert { proposal, policies, sentence } => {
                let new = FalseRevert { policies: policies.clone(), sentence: sentence.clone(), at };
                self.false_reverts.entry(proposal.clone()).or_insert(new);
            }
            Afterwards::RelandAsked { proposal, by, reason } => {
                let new = Reland { by: by.clone(), reason: reason.clone(), at };
                self.relands.entry(proposal.clone()).or_insert(new);
            }
            Afterwards::Decided { proposal, decision, .. } => {
                self.decisions.insert(proposal.clone(), decision.clone());
            }
            Afterwards::Spreading { proposal, what } => self.spreading.entry(proposal.clone()).or_default().push((what.clone(), at)),
        }
    }

    /// Whether a proposal's revert changed nothing.
    pub fn false_revert(&self, proposal: &ProposalKey) -> Option<&FalseRevert> {
        self.false_reverts.get(proposal)
    }

    /// Every revert that changed nothing.
    pub fn false_reverts(&self) -> impl Iterator<Item = (&ProposalKey, &FalseRevert)> {
        self.false_reverts.iter()
    }

    /// Who asked for the change behind a proposal to be brought back.
    pub fn reland(&self, proposal: &ProposalKey) -> Option<&Reland> {
        self.relands.get(proposal)
    }

    /// The newest decision about a proposal that brings a change back.
    pub fn decision(&self, proposal: &ProposalKey) -> Option<&DecisionRecord> {
        self.decisions.get(proposal)
    }

    /// What was seen to spread of what a proposal is about, oldest first.
    pub fn spreading(&self, proposal: &ProposalKey) -> &[(Spreading, Timestamp)] {
        self.spreading.get(proposal).map_or(&[], Vec::as_slice)
    }
}

// === impl BreachEnding ===

impl BreachEnding {
    /// Every one, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Revertd, Self::HumanRevert, Self::FixForward, Self::ByItself, Self::Unseen];

    /// As it stands in metrics (`human_revert`).
    pub fn label(self) -> &'static str {
        match self {
            Self::Revertd => "revertd",
            Self::HumanRevert => "human_revert",
            Self::FixForward => "fix_forward",
            Self::ByItself => "by_itself",
            Self::Unseen => "unseen",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Revertd => "by revertd",
            Self::HumanRevert => "by a person's revert",
            Self::FixForward => "by a fix forward",
            Self::ByItself => "by itself",
            Self::Unseen => "unseen",
        }
    }
}

/// How the breach of an incident ended; `None` while it goes on, or as far as is known.
pub fn breach_end(state: &State, incident: &Incident) -> Option<BreachEnd> {
    let at = incident.ended_at?;
    let landed = incident.landed.as_ref();
    let end = |ending, by| Some(BreachEnd { ending, by, at });
    match incident.ending.as_ref()? {
        Ending::Recovered => end(BreachEnding::Revertd, landed.map(|landed| landed.commit)),
        Ending::Superseded { by } if landed.is_some_and(|landed| landed.by == LandedBy::HumanRevert) => end(BreachEnding::HumanRevert, *by),
        Ending::Superseded { by } => end(BreachEnding::FixForward, *by),
        Ending::Withdrawn => end(BreachEnding::ByItself, None),
        Ending::NotRecovered | Ending::NotEffective | Ending::Unverified | Ending::Refused { .. } => {
            state.aftermath.breaches.get(&incident.id).cloned()
        }
    }
}

/// How many breaches of each policy ended how.
pub fn breaches_ended(state: &State) -> BTreeMap<(PolicyName, BreachEnding), u64> {
    let mut counts = BTreeMap::new();
    for incident in state.incidents.values() {
        if let Some(end) = breach_end(state, incident) {
            *counts.entry((incident.policy.clone(), end.ending)).or_insert(0) += 1;
        }
    }
    counts
}

/// How many reverts of each policy changed nothing.
pub fn false_reverts(state: &State) -> BTreeMap<PolicyName, u64> {
    let mut counts = BTreeMap::new();
    for policy in state.aftermath.false_reverts().flat_map(|(_, known)| &known.policies) {
        *counts.entry(policy.clone()).or_insert(0) += 1;
    }
    counts
}

/// The reverts that changed nothing for any of the services that they were for and that are not recorded yet.
///
/// Every incident of the proposal must have ended so: where one service recovered, the revert was right, and where one is not judged yet, or
/// too little is known of it, nothing is held against it.
pub fn newly_false(state: &State) -> Vec<Afterwards> {
    let ours = |proposal: &&Proposal| {
        proposal.landed.is_some() && !proposal.brings_back() && state.aftermath.false_revert(&proposal.key).is_none()
    };
    let judged = state.proposals.values().filter(ours).filter_map(|proposal| {
        let incidents: Vec<&Incident> = proposal.incidents.iter().filter_map(|id| state.incidents.get(id)).collect();
        let unchanged = |incident: &&Incident| {
            let by_a_proposal = incident.landed.as_ref().is_some_and(|landed| landed.by != LandedBy::HumanRevert);
            incident.ending == Some(Ending::NotRecovered) && by_a_proposal
        };
        if incidents.is_empty() || !incidents.iter().all(unchanged) {
            return None;
        }
        let policies: BTreeSet<PolicyName> = incidents.iter().map(|incident| incident.policy.clone()).collect();
        let sentences: Vec<String> = incidents
            .iter()
            .map(|incident| format!("`{}`: {}", incident.policy, incident.sentence.as_deref().unwrap_or("it did not recover")))
            .collect();
        Some(Afterwards::FalseRevert {
            proposal: proposal.key.clone(),
            policies: policies.into_iter().collect(),
            sentence: sentences.join("; "),
        })
    });
    judged.collect()
}

/// The key of the proposal that brings back what another one's plan undid.
pub fn key_of_return(plan: &Plan) -> ProposalKey {
    proposal_key(&plan.branch, PlanKind::Reapply, &plan.suspects)
}

/// The key of the proposal whose revert a plan that brings back takes away.
pub fn key_of_original(branch: &BranchName, suspects: &[CommitId]) -> ProposalKey {
    proposal_key(branch, PlanKind::Revert, suspects)
}

/// How often a policy was right so far, without the proposal `but`.
pub fn track_record(state: &State, policy: &PolicyName, but: Option<&ProposalKey>) -> TrackRecord {
    let mut record = TrackRecord::default();
    let was_tried = |proposal: &&Proposal| proposal.head.is_some() || proposal.landed.is_some() || proposal.closing.is_some();
    for proposal in state.proposals.values().filter(was_tried).filter(|proposal| Some(&proposal.key) != but && !proposal.brings_back()) {
        let mut incidents =
            proposal.incidents.iter().filter_map(|id| state.incidents.get(id)).filter(|incident| incident.policy == *policy).peekable();
        if incidents.peek().is_none() {
            continue;
        }
        record.proposals += 1;
        record.closed_by_people += usize::from(proposal.landed.is_none() && proposal.closing == Some(ProposalClosing::Vetoed));
        let ours = |incident: &&Incident| incident.landed.as_ref().is_some_and(|landed| landed.by != LandedBy::HumanRevert);
        let mut ours = incidents.filter(ours).peekable();
        if ours.peek().is_none() {
            continue;
        }
        record.landed += 1;
        if ours.any(|incident| incident.ending == Some(Ending::Recovered)) {
            record.recovered += 1;
        } else if state.aftermath.false_revert(&proposal.key).is_some() {
            record.false_reverts += 1;
        } else {
            record.unknown += 1;
        }
    }
    record
}

impl TrackRecord {
    /// In one sentence about the policy, without a full stop.
    pub fn sentence(self, policy: &PolicyName) -> String {
        if self.proposals == 0 {
            return format!("this is the first revert for `{policy}` here; how often they are right is not known yet");
        }
        let mut said = vec![format!(
            "of {} for `{policy}` before this one, {} landed and the service recovered after {}",
            counted(self.proposals, "proposal"),
            self.landed,
            self.recovered
        )];
        said.extend((self.false_reverts > 0).then(|| format!("{} changed nothing", self.false_reverts)));
        said.extend((self.unknown > 0).then(|| format!("of {} it is not known", self.unknown)));
        said.extend((self.closed_by_people > 0).then(|| format!("people closed {}", self.closed_by_people)));
        said.join("; ")
    }
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("one {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests;
