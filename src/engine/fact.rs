//! What happened: the events that the journal keeps, each a fact with sequence, time, version and the hash of the fact before it.
//!
//! Facts are the truth after a restart; every state (incident, proposal, stop, pause) is folded from them and stored nowhere else.
//! They hold integers and strings only, so that their canonical JSON, and with it the chain, is the same everywhere.

use serde::{Deserialize, Serialize};

use super::afterwards::Afterwards;
use super::approval::Approval;
use super::attribution::Attribution;
use super::budget::Spending;
use super::consent::{Hold, Publication, SaidId, Silence};
use super::decision::DecisionRecord;
use super::id::{
    BranchName, CommitId, EffectId, FactHash, IncidentId, InstanceName, NotifierName, PlanDigest, PolicyName, ProposalKey, RepositoryName,
    SituationDigest, TreeId, canonical_json, sha256_hex,
};
use super::landing::{Landing, Stop};
use super::message::Message;
use super::plan::{Account, Plan};
use super::policy::Sync;
use super::sync::SyncReport;
use super::sync::follow::Finding;
use super::telling::Impairment;
use super::time::{Interval, Timestamp};
use super::verification::Recovery;

/// Version of the events' form. A reader refuses a newer one.
pub const FACT_VERSION: u32 = 1;

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Counted from 1, without gaps.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// [`FACT_VERSION`] of the writer.
    pub version: u32,
    /// What happened.
    pub event: Event,
    /// The hash of the fact before; 64 zeros for the first.
    pub previous: FactHash,
    /// SHA-256 over the canonical JSON of everything above.
    pub hash: FactHash,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// The agent took the journal.
    AgentStarted {
        /// Its version.
        version: String,
    },
    /// The watched branch moved.
    Landed {
        /// How.
        landing: Landing,
    },
    /// A repository's automation stands still.
    RepositoryStopped {
        /// Which.
        repository: RepositoryName,
        /// Its branch.
        branch: BranchName,
        /// Why.
        stop: Stop,
    },
    /// A person ended a stop.
    RepositoryResumed {
        /// Which.
        repository: RepositoryName,
        /// The head that was accepted; needed after a rewritten or deleted branch.
        accept: Option<CommitId>,
        /// Who.
        by: String,
    },
    /// The forge said for the first time which repository it is, or under which name it stands now.
    ForgeIdentified {
        /// Which.
        repository: RepositoryName,
        /// Its numeric id on the forge, which no renaming changes.
        id: u64,
        /// Its full name there.
        name: String,
    },
    /// A person paused reverting.
    Paused {
        /// One repository, or all of them.
        repository: Option<RepositoryName>,
        /// It ends by itself then.
        until: Timestamp,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// A person ended a pause.
    Unpaused {
        /// One repository, or all of them.
        repository: Option<RepositoryName>,
        /// Who.
        by: String,
    },
    /// A breach opened an incident.
    Detected {
        /// The new incident.
        incident: IncidentId,
        /// The policy that breaches.
        policy: PolicyName,
        /// Where.
        instance: InstanceName,
        /// The cluster of that instance, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<String>,
        /// The repository of the policy.
        repository: RepositoryName,
        /// When it began, as far as is known.
        onset: Interval,
        /// The arithmetic of every breaching SLO, a sentence each.
        arithmetic: Vec<String>,
    },
    /// The suspects of an incident were found, or changed.
    Attributed {
        /// The incident.
        incident: IncidentId,
        /// Every candidate with its evidence.
        attribution: Attribution,
    },
    /// The decision about an incident changed.
    Decided {
        /// The incident.
        incident: IncidentId,
        /// What was decided and why.
        decision: DecisionRecord,
        /// Everything that it was decided from, stored under this digest.
        situation: SituationDigest,
    },
    /// An effect is about to be carried out. Written before it, and enough to carry it out again to the same commit id.
    Intended {
        /// Names the effect.
        effect: EffectId,
        /// What.
        intent: Intent,
    },
    /// The world shows the effect.
    Done {
        /// The effect.
        effect: EffectId,
    },
    /// The effect was not carried out and will not be; a new decision makes a new one.
    EffectRefused {
        /// The effect.
        effect: EffectId,
        /// What stood against it.
        cause: Obstacle,
        /// One sentence.
        why: String,
    },
    /// Somebody allowed a plan.
    Approved {
        /// Who and which.
        approval: Approval,
    },
    /// The forge has a proposal for the branch, and its text tells this plan.
    ProposalPublished {
        /// Of which proposal.
        proposal: ProposalKey,
        /// Its number in the repository of the forge.
        number: u64,
        /// Its page.
        url: String,
        /// The plan that its text tells.
        plan: PlanDigest,
    },
    /// The one comment that is edited as the story goes on says something else now.
    StickyWritten {
        /// Of which proposal.
        proposal: ProposalKey,
        /// The comment's number.
        comment: u64,
        /// Its page.
        url: String,
        /// SHA-256 of its text, in hexadecimal digits.
        digest: String,
        /// The plan that it shows and the head that carries it, where both are new, with the time of the forge's clock.
        shown: Option<Publication>,
    },
    /// A command in a comment, or a review, was judged and answered; each once.
    CommandAnswered {
        /// On which proposal.
        proposal: ProposalKey,
        /// Where it was said.
        said: SaidId,
        /// Who said it, by name at that time.
        by: String,
        /// The verb; `review` for a review, and `unreadable` for what is refused before it can be read.
        command: String,
        /// What became of it.
        answer: CommandAnswer,
    },
    /// The holds of a proposal changed: nothing is merged while there is one.
    HoldsChanged {
        /// Of which proposal.
        proposal: ProposalKey,
        /// Those that stand now, oldest first.
        holds: Vec<Hold>,
    },
    /// Something that adorns a proposal was tried: labels, reviewers, statuses. Written whatever came of it, so that it is tried once.
    Decorated {
        /// Which proposal.
        proposal: ProposalKey,
        /// What was tried.
        what: Decoration,
    },
    /// Nobody had answered a proposal for as long as a policy says.
    SilenceEnded {
        /// Which proposal.
        proposal: ProposalKey,
        /// Since when nobody had.
        since: Timestamp,
        /// What was done about it.
        then: Silence,
    },
    /// Somebody's own revert is open on the forge and was supported with one comment; none is opened beside it.
    TheirsSupported {
        /// The proposal that is not opened.
        proposal: ProposalKey,
        /// The number of theirs.
        number: u64,
        /// Whose it is.
        by: String,
    },
    /// What an approved proposal waits for on the forge changed.
    Waits {
        /// Which.
        proposal: ProposalKey,
        /// One sentence; `None`: for nothing any more.
        why: Option<String>,
    },
    /// The forge's merge queue has let a proposal go without landing it.
    LeftQueue {
        /// Which.
        proposal: ProposalKey,
        /// One sentence.
        why: String,
    },
    /// A proposal's branch was absent from a listing for the first time; two reads and no landing make a veto (F8).
    ProposalMissing {
        /// Which.
        proposal: ProposalKey,
    },
    /// The automation of a proposal ended without a landing.
    ProposalClosed {
        /// Which.
        proposal: ProposalKey,
        /// How.
        how: ProposalClosing,
    },
    /// The revert of a proposal is on the watched branch.
    RevertLanded {
        /// Which proposal.
        proposal: ProposalKey,
        /// The commit that brought it.
        commit: CommitId,
        /// The plan that it carries out.
        plan: PlanDigest,
        /// When.
        landed: Interval,
        /// By whom.
        by: LandedBy,
        /// Who allowed it, where revertd brought it with an approval.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approved_by: Vec<String>,
        /// The paths in which what landed differs from the plan, at most twenty; the repository was stopped for them (P5).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_the_plan: Vec<String>,
    },
    /// What is known of the recovery after a revert changed.
    Verified {
        /// The incident.
        incident: IncidentId,
        /// How it stands.
        recovery: Recovery,
    },
    /// A sync source says something else than before of what a policy follows.
    SyncReported {
        /// Of which policy.
        policy: PolicyName,
        /// Where.
        instance: InstanceName,
        /// What is followed; what another source said before is of no use.
        follows: Sync,
        /// When the report before it was made for the last time.
        before: Option<Timestamp>,
        /// What it says.
        report: SyncReport,
    },
    /// What stands out about a commit of an incident where the service runs.
    SyncNoted {
        /// Of which incident.
        incident: IncidentId,
        /// The revert that landed, or the suspect.
        commit: CommitId,
        /// Where, if not in the instance of the incident.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<InstanceName>,
        /// What; `None`: nothing any more.
        finding: Option<Finding>,
    },
    /// What the incident spent of the error budgets of its SLOs, written down just before its end.
    BudgetSpent {
        /// Which.
        incident: IncidentId,
        /// One for each SLO that has a budget.
        spending: Vec<Spending>,
    },
    /// The incident is over.
    Ended {
        /// Which.
        incident: IncidentId,
        /// How.
        ending: Ending,
        /// One sentence, with the arithmetic.
        sentence: String,
    },
    /// Something that came after an incident.
    Afterwards {
        /// What.
        what: Afterwards,
    },
    /// A notifier stands in the agent file for the first time. What happened before is not told to it.
    NotifierAdded {
        /// Which.
        notifier: NotifierName,
    },
    /// The agent cannot work as it should.
    Impaired {
        /// In what.
        what: Impairment,
        /// Why, in one sentence.
        sentence: String,
    },
    /// It can again.
    Restored {
        /// In what.
        what: Impairment,
    },
    /// Something is to be told. It waits until every notifier has taken it or it is dropped.
    NotificationQueued {
        /// What.
        message: Message,
        /// To whom; at least one.
        notifiers: Vec<NotifierName>,
    },
    /// Its first attempt begins. Written before it, so that after a crash it counts as one that may have arrived.
    NotificationTried {
        /// The message.
        key: String,
        /// To whom.
        notifier: NotifierName,
    },
    /// It was delivered.
    Notified {
        /// The message.
        key: String,
        /// To whom.
        notifier: NotifierName,
        /// What continues the thread there, as the notifier wrote it; absent where the chat has none.
        thread: Option<String>,
    },
    /// It is not tried any more.
    NotificationDropped {
        /// The message.
        key: String,
        /// To whom.
        notifier: NotifierName,
        /// Why, in one sentence.
        why: String,
    },
}

/// What adorns a proposal on the forge. Without it the proposal is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decoration {
    /// Its labels and reviewers.
    Asked,
    /// The status on the suspected commits, and the plan's digest on this head.
    Proposed {
        /// The head.
        head: CommitId,
    },
    /// The status on the suspected commits after the revert landed.
    Landed,
    /// The status on them after it ended without.
    Closed,
}

/// What an effect does, with everything that fixes its commit id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The repository.
    pub repository: RepositoryName,
    /// The proposal that it belongs to.
    pub proposal: ProposalKey,
    /// The incidents that it is for; at least one.
    pub incidents: Vec<IncidentId>,
    /// The reference that it moves.
    pub action: EffectAction,
    /// What the reference is expected to hold; `None`: it must not exist.
    pub expected: Option<CommitId>,
    /// What it shall hold; `None`: it shall not exist.
    pub new: Option<CommitId>,
    /// The plan; `None` where nothing is planned, as when a branch is deleted.
    pub plan: Option<Plan>,
    /// The commit, where one is made.
    pub commit: Option<CommitText>,
    /// What the plan restores and leaves, where it is not Git's own inverse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<Account>>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CommandAnswer {
    /// It counts.
    Accepted,
    /// It does not.
    Refused {
        /// Why, in one sentence.
        sentence: String,
    },
}

/// What an effect does; for a push, which reference it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EffectAction {
    /// Push the proposal's branch for the first time.
    OpenProposal,
    /// Push it anew, because the base moved.
    UpdateProposal,
    /// Have the forge make the commit of `plan` on `expected`, because the branch asks for signatures and revertd has no key. What id it gets
    /// is not known beforehand.
    Sign,
    /// Delete it.
    DeleteProposal,
    /// Push the watched branch.
    Merge,
    /// Open the forge's proposal for the branch.
    Publish,
    /// Have the forge merge its proposal, whose head is `new`.
    MergeOnForge,
    /// Enter the forge's merge queue with the head that is `expected`.
    Enqueue,
    /// Write the one comment that is edited as the story goes on.
    WriteSticky,
    /// Support somebody's own revert with one comment.
    Support,
}

/// What stood against an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Obstacle {
    /// The reference did not hold what was expected any more.
    Moved,
    /// The remote said no.
    Rejected,
    /// The answer was lost or never came, and the remote does not show the effect.
    NotShown,
}

/// Everything that makes a commit's id, but the signature, which repeats for the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommitText {
    /// Its one parent.
    pub base: CommitId,
    /// Its tree.
    pub tree: TreeId,
    /// The whole message.
    pub message: String,
    /// Author's and committer's name.
    pub name: String,
    /// Author's and committer's address.
    pub email: String,
    /// Author's and committer's date, in whole seconds, UTC.
    pub seconds: i64,
}

/// How a proposal ended without a landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProposalClosing {
    /// Somebody deleted its branch: a veto for good.
    Vetoed,
    /// Somebody else's commit is on it.
    Disowned {
        /// That commit.
        head: CommitId,
    },
    /// revertd took it back, because the service recovered by itself.
    Withdrawn,
    /// It is not needed any more: undone by a person, or fixed.
    Superseded,
}

/// Who brought a revert onto the watched branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LandedBy {
    /// revertd pushed it, or had the forge merge it or take it into its merge queue.
    Revertd,
    /// A person merged revertd's proposal.
    Person,
    /// A person wrote a revert of their own.
    HumanRevert,
}

/// How an incident ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// Healthy again after the revert.
    Recovered,
    /// Effective everywhere and still not healthy in time.
    NotRecovered,
    /// The revert landed, and something still runs the other version.
    NotEffective,
    /// Too little evidence to say.
    Unverified,
    /// The service recovered by itself.
    Withdrawn,
    /// Refused for good; the refusal's code (`vetoed`, `conflict`, …).
    Refused {
        /// The code.
        code: String,
    },
    /// A person reverted or fixed it first.
    Superseded {
        /// The commit, where one is known.
        by: Option<CommitId>,
    },
}

// === impl EffectAction ===

impl EffectAction {
    /// Whether Git carries it out.
    pub fn is_push(self) -> bool {
        matches!(self, Self::OpenProposal | Self::UpdateProposal | Self::DeleteProposal | Self::Merge)
    }
}

// === impl Fact ===

impl Fact {
    /// The fact that follows `previous` (`None`: the first of a journal).
    ///
    /// # Errors
    /// Only for an event that JSON cannot express.
    pub fn after(previous: Option<&Self>, at: Timestamp, event: Event) -> Result<Self, serde_json::Error> {
        let (sequence, previous) = match previous {
            Some(fact) => (fact.sequence + 1, fact.hash.clone()),
            None => (1, FactHash::new("0".repeat(64))),
        };
        let hash = fact_hash(sequence, at, FACT_VERSION, &event, &previous)?;
        Ok(Self { sequence, at, version: FACT_VERSION, event, previous, hash })
    }

    /// Whether the hash is the one of the content.
    pub fn is_intact(&self) -> bool {
        fact_hash(self.sequence, self.at, self.version, &self.event, &self.previous).is_ok_and(|hash| hash == self.hash)
    }
}

fn fact_hash(sequence: u64, at: Timestamp, version: u32, event: &Event, previous: &FactHash) -> Result<FactHash, serde_json::Error> {
    let text = canonical_json(&serde_json::json!({
        "sequence": sequence, "at": at, "version": version, "event": serde_json::to_value(event)?, "previous": previous,
    }))?;
    Ok(FactHash::new(sha256_hex(text.as_bytes())))
}
