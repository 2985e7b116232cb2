//! One proposal, as facts add up to it: its branch, its page on the forge, who said what there, and how it ended.
//!
//! What a proposal means for its incidents, and the effects that several of them share, are the state's.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::approval::Approval;
use crate::engine::consent::{Answer, Hold, Publication, SaidId, Silence};
use crate::engine::fact::{CommandAnswer, CommitText, Decoration, EffectAction, Event, LandedBy, ProposalClosing};
use crate::engine::id::{CommitId, IncidentId, PlanDigest, ProposalKey, RepositoryName};
use crate::engine::plan::{Account, Plan, PlanKind};
use crate::engine::situation::FailedPushes;
use crate::engine::time::Timestamp;

/// One proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Its key.
    pub key: ProposalKey,
    /// The repository.
    pub repository: Option<RepositoryName>,
    /// The incidents that it is for.
    pub incidents: Vec<IncidentId>,
    /// When its first effect was intended.
    pub opened_at: Timestamp,
    /// What its branch holds, as far as effects were carried out.
    pub head: Option<CommitId>,
    /// The newest plan that was intended.
    pub plan: Option<Plan>,
    /// What the newest plan restores and leaves, where it is not Git's own inverse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<Account>>,
    /// The newest commit that was intended.
    pub latest_commit: Option<CommitText>,
    /// Every commit that was intended for it, with the reference that it was for.
    pub commits: Vec<(EffectAction, CommitId)>,
    /// Every approval.
    pub approvals: Vec<Approval>,
    /// The first listing in which its branch was missing.
    pub missing_since: Option<Timestamp>,
    /// How it ended without a landing.
    pub closing: Option<ProposalClosing>,
    /// The commit that landed.
    pub landed: Option<CommitId>,
    /// When it landed or was closed.
    #[serde(skip)]
    pub over_since: Option<Timestamp>,
    /// How often taking its branch away was given up.
    pub deletions_refused: u32,
    /// Pushes for it that failed since the last one that did not.
    pub failed: Option<FailedPushes>,
    /// What the remote said when a merge without an approval was pushed.
    pub merge_rejected: Option<String>,
    /// The paths in which what landed differs from the plan (P5).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_the_plan: Vec<String>,
    /// The forge's proposal.
    pub published: Option<Published>,
    /// The one comment that is edited as the story goes on.
    pub sticky: Option<Sticky>,
    /// The head that waits in the forge's merge queue.
    pub enqueued: Option<CommitId>,
    /// The head that the forge merged on revertd's own call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_by_call: Option<CommitId>,
    /// What it waits for on the forge after it was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
    /// The number of somebody's own revert that was supported instead of opening this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<u64>,
    /// The holds that stand, oldest first.
    pub holds: Vec<Hold>,
    /// Commands and reviews that were answered.
    #[serde(skip)]
    pub answered: BTreeMap<SaidId, Answer>,
    /// What people asked for and what became of it, oldest first.
    #[serde(skip)]
    pub told: Vec<Told>,
    /// When replies were written, oldest first.
    #[serde(skip)]
    pub replies: Vec<Timestamp>,
    /// Every plan that the sticky comment showed, oldest first: what an approval can have meant.
    #[serde(skip)]
    pub shown: Vec<Publication>,
    /// What was tried to adorn it, oldest first.
    #[serde(skip)]
    pub decorated: Vec<Decoration>,
    /// What was done when nobody had answered for as long as a policy says.
    pub silence: Option<EndedSilence>,
}

/// Nobody had answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EndedSilence {
    /// When that was noticed.
    pub at: Timestamp,
    /// Since when.
    pub since: Timestamp,
    /// What was done about it.
    pub then: Silence,
}

/// Something that a person asked for on the forge, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it was answered.
    pub at: Timestamp,
    /// Who asked, by name at that time.
    pub by: String,
    /// The verb; `review` for a review.
    pub command: String,
    /// What became of it.
    pub answer: CommandAnswer,
}

/// The forge's proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Published {
    /// Its number in the repository of the forge.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// The plan that its text tells.
    pub plan: PlanDigest,
}

/// The one comment that is edited as the story goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sticky {
    /// Its number.
    pub comment: u64,
    /// Its page.
    pub url: String,
    /// SHA-256 of its text.
    pub digest: String,
}

/// What an approved proposal waits for on the forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// Since when it waits for something.
    pub since: Timestamp,
    /// For what, in one sentence.
    pub why: String,
}

// === impl Proposal ===

impl Proposal {
    pub(super) fn new(key: ProposalKey, at: Timestamp) -> Self {
        Self {
            key,
            repository: None,
            incidents: Vec::new(),
            opened_at: at,
            head: None,
            plan: None,
            account: None,
            latest_commit: None,
            commits: Vec::new(),
            approvals: Vec::new(),
            missing_since: None,
            closing: None,
            landed: None,
            over_since: None,
            deletions_refused: 0,
            failed: None,
            merge_rejected: None,
            published: None,
            sticky: None,
            decorated: Vec::new(),
            silence: None,
            enqueued: None,
            merged_by_call: None,
            waits: None,
            theirs: None,
            holds: Vec::new(),
            answered: BTreeMap::new(),
            told: Vec::new(),
            replies: Vec::new(),
            shown: Vec::new(),
            not_the_plan: Vec::new(),
        }
    }

    /// Folds in what happened to it on the forge; anything else changes nothing.
    pub(super) fn apply(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::ProposalPublished { number, url, plan, .. } => {
                self.published = Some(Published { number: *number, url: url.clone(), plan: plan.clone() });
            }
            Event::StickyWritten { comment, url, digest, shown, .. } => {
                self.sticky = Some(Sticky { comment: *comment, url: url.clone(), digest: digest.clone() });
                self.shown.extend(shown.clone());
            }
            Event::CommandAnswered { said, by, command, answer, .. } => {
                self.told.push(Told { at, by: by.clone(), command: command.clone(), answer: answer.clone() });
                let refused = matches!(answer, CommandAnswer::Refused { .. });
                self.answered.insert(*said, if refused { Answer::Refused } else { Answer::Accepted });
                if refused {
                    self.replies.push(at);
                }
            }
            Event::HoldsChanged { holds, .. } => self.holds.clone_from(holds),
            Event::Decorated { what, .. } => self.decorated.push(*what),
            Event::SilenceEnded { since, then, .. } => self.silence = Some(EndedSilence { at, since: *since, then: *then }),
            Event::TheirsSupported { number, .. } => self.theirs = Some(*number),
            Event::Waits { why, .. } => {
                let since = self.waits.as_ref().map_or(at, |waits| waits.since);
                self.waits = why.clone().map(|why| Waits { since, why });
            }
            Event::LeftQueue { why, .. } => {
                self.enqueued = None;
                self.fail(at, why);
            }
            Event::ProposalMissing { .. } => self.missing_since = self.missing_since.or(Some(at)),
            Event::ProposalClosed { how, .. } => {
                self.closing = Some(how.clone());
                self.over_since = self.over_since.or(Some(at));
            }
            _ => {}
        }
    }

    /// Counts a try that failed, and gives how many there were in a row.
    pub(super) fn fail(&mut self, at: Timestamp, why: &str) -> u32 {
        let count = self.failed.as_ref().map_or(0, |failed| failed.count) + 1;
        self.failed = Some(FailedPushes { count, last: at, why: why.to_owned() });
        count
    }

    /// Whether its branch is revertd's to take away: the revert has landed, or revertd itself ended the proposal.
    pub fn is_spent(&self) -> bool {
        self.landed.is_some() || matches!(self.closing, Some(ProposalClosing::Withdrawn | ProposalClosing::Superseded))
    }

    /// Whether its branch is there and it has neither landed nor been closed.
    pub fn is_open(&self) -> bool {
        self.head.is_some() && self.landed.is_none() && self.closing.is_none()
    }

    /// Whether it brings back what an earlier proposal took away.
    pub fn brings_back(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.kind == PlanKind::Reapply)
    }

    /// What must be said with every verdict on the recovery: that what landed is not the plan. Words that follow a semicolon.
    pub fn remark(&self) -> Option<String> {
        let paths: Vec<String> = self.not_the_plan.iter().map(|path| format!("`{path}`")).collect();
        (!paths.is_empty()).then(|| format!("what landed is not what was planned: {} differ", paths.join(", ")))
    }

    /// Since when it could be seen and nobody has answered it; `None` where somebody approved, holds or has been answered with a yes, or where
    /// it is over.
    pub fn silent_since(&self) -> Option<Timestamp> {
        let answered = self.told.iter().any(|told| told.answer == CommandAnswer::Accepted);
        let quiet = self.approvals.is_empty() && self.holds.is_empty() && !answered;
        let open = self.closing.is_none() && self.landed.is_none() && self.enqueued.is_none();
        let seen = match &self.published {
            Some(_) => self.shown.first().map(|shown| shown.at.max(self.opened_at)),
            None => Some(self.opened_at),
        };
        seen.filter(|_| quiet && open && self.head.is_some())
    }

    /// Who has allowed the newest plan, with when; by the command line first. An approval of an older plan is history.
    pub fn allowed_by(&self) -> Vec<(&str, Timestamp)> {
        let plan = self.plan_digest();
        let typed = self.approvals.iter().filter(|approval| Some(&approval.plan) == plan.as_ref());
        let since = self.shown.iter().find(|shown| Some(&shown.plan) == plan.as_ref()).map(|shown| shown.at);
        let said = self.told.iter().filter(|told| told.allows() && since.is_some_and(|since| told.at >= since));
        typed.map(|approval| (approval.by.as_str(), approval.at)).chain(said.map(|told| (told.by.as_str(), told.at))).collect()
    }

    /// Who brought what landed of it, if not a push: revertd, where it had the forge merge this or take it into the queue.
    pub fn landed_by_call(&self) -> LandedBy {
        if self.merged_by_call.is_some() || self.enqueued.is_some() { LandedBy::Revertd } else { LandedBy::Person }
    }

    /// The digest of the newest plan.
    pub fn plan_digest(&self) -> Option<PlanDigest> {
        self.plan.as_ref().map(Plan::digest)
    }
}

// === impl Told ===

impl Told {
    /// Whether it counts as an approval.
    pub fn allows(&self) -> bool {
        self.answer == CommandAnswer::Accepted && matches!(self.command.as_str(), "approve" | "force" | "review")
    }
}
