//! Everything that one decision is made from. Stored by digest, so that the decision can be made again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::approval::Approval;
use super::assurance::Asked;
use super::attribution::Attribution;
use super::consent::Hold;
use super::fact::ProposalClosing;
use super::fate::Around;
use super::id::{BranchName, CommitId, IncidentId, InstanceName, PolicyName, ProposalKey, RepositoryName, SloName};
use super::landing::{self, Landing, Stop};
use super::plan::Inverse;
use super::policy::{Instance, Limits, Mode, Policy};
use super::round::Round;
use super::shared::{Memo, Remembers, Shared};
use super::switch::KillSwitch;
use super::sync::applied::AppliedFact;
use super::time::{Interval, Timestamp};
use super::together::Findings;
use super::versions::SloVersions;

/// Everything that one decision is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Situation {
    /// The time of the pass.
    pub now: Timestamp,
    /// The incident that is decided.
    pub incident: IncidentId,
    /// The breaching service, with the policy that its incident opened with.
    pub service: Shared<ServiceEvidence>,
    /// The same service in the other instances of its policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Shared<ServiceEvidence>>,
    /// Every other service that the agent knows, once for each of its instances.
    pub others: Vec<Shared<ServiceEvidence>>,
    /// The controls.
    pub controls: Shared<Vec<ControlEvidence>>,
    /// The ceilings on the mode, each with whose it is.
    pub ceilings: Vec<Ceiling>,
    /// The budgets of the repository.
    pub repository_limits: Limits,
    /// The watched branch.
    pub branch: BranchName,
    /// Its head: what the inverse was built on and a lease would name.
    pub head: CommitId,
    /// Why the repository's automation stands still, where it does.
    pub stop: Option<Stop>,
    /// The pauses that hold for the repository.
    pub pauses: Vec<Pause>,
    /// The kill switches that are on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kill_switches: Vec<KillSwitch>,
    /// Recent landings of all watched repositories, oldest first.
    pub landings: Shared<Vec<Landing>>,
    /// The attribution that the open proposal was made from; found anew as long as there is no proposal.
    pub attribution: Option<Attribution>,
    /// What undoing the suspects comes to on the head, where there are suspects.
    pub inverse: Option<InverseResult>,
    /// The proposal for the suspects, where there is or was one.
    pub proposal: Option<ProposalEvidence>,
    /// What was proposed and merged before.
    pub history: History,
    /// Other open incidents that share a suspect with this one: what their policies forbid is not merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joint: Vec<Shared<Joint>>,
    /// What people have open on the forge that changes the paths of the plan, oldest first; empty also where the forge was not heard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_work: Vec<OpenWork>,
    /// Who signs what revertd writes there.
    #[serde(default, skip_serializing_if = "Signing::is_own")]
    pub signing: Signing,
    /// What the receivers said that may refuse a merge; empty as long as nothing else stands against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// What was found for all incidents of a pass; no part of what a decision is made from.
    #[serde(skip)]
    pub findings: Findings,
}

/// Who signs the commits of a proposal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Signing {
    /// revertd, with its key; or nobody, where the branch does not ask for it.
    #[default]
    Own,
    /// The branch asks for signatures and revertd has no key: the forge makes the commit, on a branch of the proposal. Nothing can be pushed
    /// to the watched branch.
    Forge,
    /// The same, and these credentials may pass the rule: what they push to the watched branch need not be signed.
    ForgeOrPassed,
}

/// A proposal of somebody who may write to the repository, open on the forge, that changes paths of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenWork {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Whose it is.
    pub by: String,
    /// What it does.
    pub kind: WorkKind,
    /// When revertd saw it first.
    pub seen: Timestamp,
}

/// What somebody's open proposal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WorkKind {
    /// It says that it reverts a suspect, and changes the paths of the plan and no others.
    Revert,
    /// It changes some of the same paths: perhaps a fix.
    SamePaths,
}

/// Another open incident of the same repository that shares a suspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joint {
    /// The incident.
    pub incident: IncidentId,
    /// Its service, with the policy that it opened with.
    pub service: Shared<ServiceEvidence>,
    /// The ceilings on its mode.
    pub ceilings: Vec<Ceiling>,
    /// The attribution that its open proposal was made from; found anew as long as there is no proposal.
    pub attribution: Option<Attribution>,
}

/// What undoing the suspects comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InverseResult {
    /// It was tried.
    Built(Inverse),
    /// It could not be tried.
    Failed(String),
}

/// One service's policy and rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceEvidence {
    /// Its policy.
    pub policy: Policy,
    /// Where.
    pub instance: InstanceName,
    /// Its rounds, one series for each SLO.
    pub series: Vec<SloSeries>,
    /// When the landings were applied where it runs, by their new head; a landing without an entry was not. `None` where nothing says, and
    /// the lag of the policy is assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<BTreeMap<CommitId, AppliedFact>>,
    /// What its versions did; of the breaching service only, and of SLOs that tell them apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<SloVersions>,
    /// The rounds of the same hours of the day before, where `series` does not go back as far; of the breaching service only. They say what it
    /// does at that hour, and nothing of how it was before a change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub day_before: Vec<SloSeries>,
}

/// The rounds of one SLO, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SloSeries {
    /// Which SLO.
    pub slo: SloName,
    /// Its rounds.
    pub rounds: Vec<Round>,
}

/// The rounds of one control, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlEvidence {
    /// Its name.
    pub name: String,
    /// Time from one round to the next, in milliseconds.
    #[serde(with = "super::time::millis")]
    pub every: Duration,
    /// Its rounds.
    pub rounds: Vec<Round>,
}

/// A ceiling on the mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ceiling {
    /// Whose, for a sentence: ``the agent``, ``the repository `manifests` ``.
    pub of: String,
    /// The highest mode that it allows.
    pub max_mode: Mode,
}

/// A pause that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// One repository, or all.
    pub repository: Option<RepositoryName>,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// A proposal as a decision sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalEvidence {
    /// Its key.
    pub key: ProposalKey,
    /// How it ended without a landing, where it did.
    pub closing: Option<ProposalClosing>,
    /// Whether its branch is on the remote.
    pub branch: ProposalBranch,
    /// Every approval that was given for it.
    pub approvals: Vec<Approval>,
    /// Who holds it.
    pub holds: Vec<Hold>,
    /// Since when nobody has answered it, where that is known; `None` once somebody has, and where the forge cannot be asked.
    #[serde(default)]
    pub silent_since: Option<Timestamp>,
    /// Pushes for it that failed since the last one that did not.
    pub failed: Option<FailedPushes>,
    /// What the remote said when a merge without an approval was pushed.
    pub merge_rejected: Option<String>,
}

/// Pushes that failed in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedPushes {
    /// How many.
    pub count: u32,
    /// When the last one did.
    pub last: Timestamp,
    /// What was said of it.
    pub why: String,
}

/// Whether a proposal's branch is on the remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProposalBranch {
    /// Not yet, or not any more.
    Absent,
    /// It is.
    Present,
}

/// What was proposed and merged before, newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Merged reverts, from the trailers on the head and from the journal, each commit once.
    pub merged: Vec<MergedRevert>,
    /// Proposals that were opened.
    pub proposed: Vec<OpenedProposal>,
}

/// A revert that was merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedRevert {
    /// The repository.
    pub repository: RepositoryName,
    /// The commit.
    pub commit: CommitId,
    /// The policies that it was for.
    pub policies: Vec<PolicyName>,
    /// When.
    pub at: Timestamp,
}

/// A proposal that was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedProposal {
    /// The repository.
    pub repository: RepositoryName,
    /// Its key.
    pub key: ProposalKey,
    /// The policies that it was for.
    pub policies: Vec<PolicyName>,
    /// When.
    pub at: Timestamp,
}

// === impl Signing, ServiceEvidence, FailedPushes ===

impl Remembers for ServiceEvidence {
    type Found = FoundOfService;
}

/// What was found in the rounds of a service.
#[derive(Default)]
pub struct FoundOfService {
    /// How it stands around an onset, at a time.
    pub(super) around: Memo<(Interval, Timestamp), Around>,
    /// Whether it got worse about when a breach began.
    pub(super) got_worse: Memo<Interval, bool>,
    /// How often it began to fail before a time.
    pub(super) usual_starts: Memo<Timestamp, usize>,
    /// Whether it breaches, with the long windows cut at a time, at a time.
    pub(super) breaches: Memo<(Option<Timestamp>, Timestamp), bool>,
}

impl Remembers for Vec<Landing> {
    type Found = ();
}

impl Remembers for Vec<ControlEvidence> {
    type Found = ();
}

impl Remembers for Joint {
    type Found = ();
}

impl Signing {
    /// Whether the forge has no part in it.
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

impl Situation {
    /// The landings of the service's own repository, oldest first.
    pub fn own_landings(&self) -> impl Iterator<Item = &Landing> {
        self.landings.iter().filter(|landing| landing.repository == self.service.policy.repository)
    }

    /// Those of them that brought a suspect, oldest first.
    pub fn suspected_landings<'a>(&'a self, attribution: &'a Attribution) -> impl Iterator<Item = &'a Landing> {
        self.own_landings().filter(|landing| brought_any(landing, &attribution.suspects))
    }

    /// The same with everything that landed there after the first of them.
    pub fn landings_since_suspected<'a>(&'a self, attribution: &'a Attribution) -> impl Iterator<Item = &'a Landing> {
        self.own_landings().skip_while(|landing| !brought_any(landing, &attribution.suspects))
    }

    /// The landing that brought a commit to the service's own repository.
    pub fn landing_of(&self, commit: CommitId) -> Option<&Landing> {
        landing::landing_of(&self.landings, &self.service.policy.repository, commit)
    }
}

fn brought_any(landing: &Landing, commits: &[CommitId]) -> bool {
    landing.changes.iter().any(|change| commits.contains(&change.id))
}

impl FailedPushes {
    /// When the next push may be tried: at once after the first failure (a crash looks like one), then after 5 s, twice as long each time,
    /// and at most ten minutes.
    pub fn retry_at(&self) -> Timestamp {
        let seconds = match self.count {
            0 | 1 => 0,
            count => 5 * 2_u64.pow((count - 2).min(7)),
        };
        self.last + Duration::from_secs(seconds.min(600))
    }
}

impl ServiceEvidence {
    /// What was measured of a service where nothing says what runs, but for the lag of the policy.
    pub fn measured(policy: Policy, instance: InstanceName, series: Vec<SloSeries>) -> Self {
        Self { policy, instance, series, applied: None, versions: Vec::new(), day_before: Vec::new() }
    }

    /// The instance of the policy that this is about; `None` where the policy has no such instance any more.
    pub fn place(&self) -> Option<&Instance> {
        self.policy.instance(&self.instance)
    }

    /// For a sentence: `` `checkout` `` or `` `checkout` in `eu` (cluster `eu-1`) ``.
    pub fn words(&self) -> String {
        match self.place() {
            Some(instance) if !instance.name.is_default() => format!("`{}` in {}", self.policy.name, instance.words()),
            _ => format!("`{}`", self.policy.name),
        }
    }

    /// A name of its own: `checkout`, `checkout/eu`.
    pub fn named(&self) -> String {
        if self.instance.is_default() { self.policy.name.to_string() } else { format!("{}/{}", self.policy.name, self.instance) }
    }

    /// Whether both are the same service in the same instance.
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.policy.name == other.policy.name && self.instance == other.instance
    }

    /// The rounds of one SLO, oldest first; none where nothing was measured.
    pub fn rounds(&self, slo: &SloName) -> &[Round] {
        rounds_of(&self.series, slo)
    }

    /// The same with those of the day before.
    pub fn rounds_of_two_days(&self, slo: &SloName) -> Cow<'_, [Round]> {
        match (rounds_of(&self.day_before, slo), self.rounds(slo)) {
            ([], today) => Cow::Borrowed(today),
            (before, today) => [before, today].concat().into(),
        }
    }
}

fn rounds_of<'a>(series: &'a [SloSeries], slo: &SloName) -> &'a [Round] {
    series.iter().find(|series| series.slo == *slo).map_or(&[], |series| &series.rounds)
}
