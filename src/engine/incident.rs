//! The story of one breach, and the state of everything else that facts add up to. Folded, never stored: a restart cannot leave a stale
//! phase behind.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::afterwards::Aftermath;
use super::approval::{Approval, ApprovalSource};
use super::attribution::Attribution;
use super::budget::Spending;
use super::decision::{DecisionRecord, DecisionVerdict};
use super::fact::{EffectAction, Ending, Event, Fact, Intent, LandedBy, Obstacle};
use super::id::{CommitId, EffectId, IncidentId, InstanceName, PolicyName, ProposalKey, RepositoryName, SituationDigest};
use super::landing::{Landing, Stop};
use super::policy::service_name;
use super::situation::{MergedRevert, OpenedProposal, Pause};
use super::telling::Notifications;
use super::time::{Interval, Timestamp};
use super::verification::{Recovery, RecoveryStanding};

mod proposal;
mod sync;

pub use proposal::{EndedSilence, Proposal, Published, Sticky, Told, Waits};
pub use sync::{SyncHistory, SyncNote};

/// Where an incident stands (design §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// A breach was seen.
    Detected,
    /// Its suspects are known.
    Attributed,
    /// A proposal is open.
    Proposed,
    /// The proposal was approved.
    Approved,
    /// The revert landed.
    Merged,
    /// The revert is effective as far as is known, and its effect is watched.
    Verifying,
    /// Healthy again after the revert.
    Recovered,
    /// Effective and not better in time.
    NotRecovered,
    /// It landed, and something still runs the other version.
    NotEffective,
    /// Too little evidence to say.
    Unverified,
    /// It recovered by itself.
    Withdrawn,
    /// Refused for good.
    Refused,
    /// A person was first.
    Superseded,
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// The policy that breached.
    pub policy: PolicyName,
    /// Where.
    pub instance: InstanceName,
    /// The cluster of that instance, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The repository.
    pub repository: RepositoryName,
    /// When the breach was seen.
    pub detected_at: Timestamp,
    /// When it began.
    pub onset: Interval,
    /// The arithmetic, a sentence for each breaching SLO.
    pub arithmetic: Vec<String>,
    /// Every candidate with its evidence.
    pub attribution: Option<Attribution>,
    /// The newest decision.
    pub decision: Option<DecisionRecord>,
    /// What it was made from.
    pub situation: Option<SituationDigest>,
    /// When that was recorded.
    #[serde(skip)]
    pub decision_at: Option<Timestamp>,
    /// When the first decision to propose or merge was made.
    pub decided_at: Option<Timestamp>,
    /// The proposal for its suspects.
    pub proposal: Option<ProposalKey>,
    /// The revert, once landed.
    pub landed: Option<LandedRevert>,
    /// How the recovery stands.
    pub recovery: Option<Recovery>,
    /// What stands out about its revert, or its suspect, where the service runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncNote>,
    /// What it spent of the error budgets, once it is over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spending: Vec<Spending>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// The sentence that it ended with.
    pub sentence: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Where it stands.
    pub phase: Phase,
}

/// A revert on the watched branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LandedRevert {
    /// The commit.
    pub commit: CommitId,
    /// When it landed.
    pub landed: Interval,
    /// Who brought it.
    pub by: LandedBy,
    /// Who allowed it, where revertd brought it with an approval.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<String>,
    /// When that was recorded.
    pub at: Timestamp,
}

/// How long each part took (`detect + decide + act + verify`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Durations {
    /// From the onset's latest moment to the breach.
    pub detect: Option<Duration>,
    /// From the breach to the first decision to propose or merge.
    pub decide: Option<Duration>,
    /// From that decision to the landing.
    pub act: Option<Duration>,
    /// From the landing to the recovery.
    pub verify: Option<Duration>,
}

/// A repository as its forge knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgeRepository {
    /// Its numeric id, which no renaming changes.
    pub id: u64,
    /// Its full name when it was last asked.
    pub name: String,
}

/// Everything that the facts add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Every incident.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Every proposal.
    pub proposals: BTreeMap<ProposalKey, Proposal>,
    /// The last known head of every watched branch.
    pub heads: BTreeMap<RepositoryName, CommitId>,
    /// Repositories whose automation stands still.
    pub stops: BTreeMap<RepositoryName, Stop>,
    /// The repositories of the forge, by their configured names.
    pub forges: BTreeMap<RepositoryName, ForgeRepository>,
    /// Every pause that was not ended by a person; those past their time hold no more.
    pub pauses: Vec<Pause>,
    /// What was told and what waits to be.
    pub notifications: Notifications,
    /// What came after the incidents.
    pub aftermath: Aftermath,
    /// What the sync sources said.
    pub syncs: BTreeMap<(PolicyName, InstanceName), SyncHistory>,
    landings: Vec<Landing>,
    intents: BTreeMap<EffectId, (Intent, Timestamp)>,
    merged: Vec<MergedRevert>,
    opened: Vec<OpenedProposal>,
}

// === impl State ===

impl State {
    /// Folds one fact in. A fact about something unknown changes nothing: a journal is read, never trusted to be complete.
    pub fn apply(&mut self, fact: &Fact) {
        let at = fact.at;
        match &fact.event {
            Event::AgentStarted { .. } => {}
            Event::Landed { .. }
            | Event::RepositoryStopped { .. }
            | Event::RepositoryResumed { .. }
            | Event::ForgeIdentified { .. }
            | Event::Paused { .. }
            | Event::Unpaused { .. } => self.apply_to_repository(&fact.event),
            Event::Intended { effect, intent } => self.intended(effect, intent, at),
            Event::Done { effect } => self.done(effect, at),
            Event::EffectRefused { effect, cause, why } => self.effect_refused(effect, *cause, why, at),
            Event::Approved { approval } => self.approved(approval),
            Event::ProposalPublished { proposal, .. }
            | Event::StickyWritten { proposal, .. }
            | Event::CommandAnswered { proposal, .. }
            | Event::HoldsChanged { proposal, .. }
            | Event::Decorated { proposal, .. }
            | Event::SilenceEnded { proposal, .. }
            | Event::TheirsSupported { proposal, .. }
            | Event::Waits { proposal, .. }
            | Event::LeftQueue { proposal, .. }
            | Event::ProposalMissing { proposal }
            | Event::ProposalClosed { proposal, .. } => {
                if let Some(proposal) = self.proposals.get_mut(proposal) {
                    proposal.apply(at, &fact.event);
                }
            }
            Event::RevertLanded { proposal, commit, landed, by, approved_by, not_the_plan, .. } => {
                let approved_by = approved_by.clone();
                self.landed(proposal, &LandedRevert { commit: *commit, landed: *landed, by: *by, approved_by, at }, not_the_plan);
            }
            Event::Detected { .. }
            | Event::Attributed { .. }
            | Event::Decided { .. }
            | Event::Verified { .. }
            | Event::SyncNoted { .. }
            | Event::BudgetSpent { .. }
            | Event::Ended { .. } => self.apply_to_incident(at, &fact.event),
            Event::Afterwards { what } => self.aftermath.apply(at, what),
            Event::SyncReported { policy, instance, follows, before, report } => {
                let place = (policy.clone(), instance.clone());
                self.syncs.entry(place).or_default().add(follows, *before, report);
            }
            Event::NotifierAdded { .. }
            | Event::Impaired { .. }
            | Event::Restored { .. }
            | Event::NotificationQueued { .. }
            | Event::NotificationTried { .. }
            | Event::Notified { .. }
            | Event::NotificationDropped { .. } => self.notifications.apply(fact.sequence, at, &fact.event),
        }
    }

    fn apply_to_repository(&mut self, event: &Event) {
        match event {
            Event::Landed { landing } => {
                self.heads.insert(landing.repository.clone(), landing.to);
                self.landings.push(landing.clone());
            }
            Event::RepositoryStopped { repository, stop, .. } => {
                self.stops.insert(repository.clone(), stop.clone());
            }
            Event::RepositoryResumed { repository, accept, .. } => {
                if let Some(Stop::Replaced { .. }) = self.stops.remove(repository) {
                    // Whichever repository is there now is the one from here on.
                    self.forges.remove(repository);
                }
                if let Some(accept) = accept {
                    self.heads.insert(repository.clone(), *accept);
                }
            }
            Event::ForgeIdentified { repository, id, name } => {
                self.forges.insert(repository.clone(), ForgeRepository { id: *id, name: name.clone() });
            }
            Event::Paused { repository, until, reason, by } => {
                self.pauses.retain(|pause| pause.repository != *repository);
                self.pauses.push(Pause { repository: repository.clone(), until: *until, reason: reason.clone(), by: by.clone() });
            }
            Event::Unpaused { repository, .. } => self.pauses.retain(|pause| pause.repository != *repository),
            _ => {}
        }
    }

    fn apply_to_incident(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Detected { incident, policy, instance, cluster, repository, onset, arithmetic } => {
                let mut new = Incident::new(incident, policy, instance, repository, at, *onset, arithmetic);
                new.cluster.clone_from(cluster);
                self.incidents.entry(incident.clone()).or_insert(new);
            }
            Event::Attributed { incident, attribution } => self.with(incident, |incident| {
                incident.attribution = Some(attribution.clone());
                if !attribution.suspects.is_empty() {
                    incident.advance(Phase::Attributed);
                }
            }),
            Event::Decided { incident, decision, situation } => self.with(incident, |incident| {
                if matches!(decision.verdict, DecisionVerdict::Propose | DecisionVerdict::Merge) {
                    incident.decided_at = incident.decided_at.or(Some(at));
                }
                incident.proposal = decision.proposal.clone().or_else(|| incident.proposal.clone());
                incident.decision_at = Some(at);
                incident.decision = Some(decision.clone());
                incident.situation = Some(situation.clone());
            }),
            Event::Verified { incident, recovery } => self.with(incident, |incident| {
                if !matches!(recovery.standing, RecoveryStanding::Landed | RecoveryStanding::NotEffective) {
                    incident.advance(Phase::Verifying);
                }
                incident.recovery = Some(recovery.clone());
            }),
            Event::SyncNoted { incident, commit, instance, finding } => self.with(incident, |incident| {
                incident.sync = finding.clone().map(|finding| SyncNote { commit: *commit, instance: instance.clone(), finding, at });
            }),
            Event::BudgetSpent { incident, spending } => self.with(incident, |incident| incident.spending.clone_from(spending)),
            Event::Ended { incident, ending, sentence } => self.with(incident, |incident| {
                incident.phase = match ending {
                    Ending::Recovered => Phase::Recovered,
                    Ending::NotRecovered => Phase::NotRecovered,
                    Ending::NotEffective => Phase::NotEffective,
                    Ending::Unverified => Phase::Unverified,
                    Ending::Withdrawn => Phase::Withdrawn,
                    Ending::Refused { .. } => Phase::Refused,
                    Ending::Superseded { .. } => Phase::Superseded,
                };
                incident.ending = Some(ending.clone());
                incident.sentence = Some(sentence.clone());
                incident.ended_at = Some(at);
            }),
            _ => {}
        }
    }

    fn with(&mut self, incident: &IncidentId, change: impl FnOnce(&mut Incident)) {
        // What comes after the end changes nothing: people and the agent may write at the same time.
        if let Some(incident) = self.incidents.get_mut(incident).filter(|incident| incident.ending.is_none()) {
            change(incident);
        }
    }

    fn intended(&mut self, effect: &EffectId, intent: &Intent, at: Timestamp) {
        self.intents.insert(effect.clone(), (intent.clone(), at));
        let proposal = self.proposals.entry(intent.proposal.clone()).or_insert_with(|| Proposal::new(intent.proposal.clone(), at));
        proposal.repository = Some(intent.repository.clone());
        for incident in &intent.incidents {
            if !proposal.incidents.contains(incident) {
                proposal.incidents.push(incident.clone());
            }
        }
        if let Some(new) = intent.new {
            proposal.commits.push((intent.action, new));
        }
        if matches!(
            intent.action,
            EffectAction::DeleteProposal
                // The branch of the proposal does not hold it yet.
                | EffectAction::Sign
                | EffectAction::Publish
                | EffectAction::WriteSticky
                | EffectAction::Enqueue
                | EffectAction::Support
        ) {
            return;
        }
        if intent.plan.is_some() {
            proposal.account.clone_from(&intent.account);
        }
        proposal.plan = intent.plan.clone().or_else(|| proposal.plan.clone());
        proposal.latest_commit = intent.commit.clone().or_else(|| proposal.latest_commit.clone());
        for incident in &intent.incidents {
            let key = intent.proposal.clone();
            self.with(incident, |incident| incident.proposal = Some(key));
        }
    }

    fn effect_refused(&mut self, effect: &EffectId, cause: Obstacle, why: &str, at: Timestamp) {
        let Some((intent, _)) = self.intents.remove(effect) else { return };
        let Some(proposal) = self.proposals.get_mut(&intent.proposal) else { return };
        if intent.action == EffectAction::DeleteProposal {
            proposal.deletions_refused += 1;
            return;
        }
        if cause == Obstacle::Moved {
            return;
        }
        let count = proposal.fail(at, why);
        // Once may be a mishap of the remote; the second time in a row it means it.
        if intent.action == EffectAction::Merge && cause == Obstacle::Rejected && count > 1 {
            proposal.merge_rejected = Some(why.to_owned());
        }
    }

    fn done(&mut self, effect: &EffectId, at: Timestamp) {
        let Some((intent, _)) = self.intents.remove(effect) else { return };
        let Some(proposal) = self.proposals.get_mut(&intent.proposal) else { return };
        proposal.failed = None;
        match intent.action {
            EffectAction::OpenProposal | EffectAction::UpdateProposal => {
                proposal.head = intent.new;
                proposal.missing_since = None;
            }
            EffectAction::DeleteProposal => proposal.head = None,
            EffectAction::Enqueue => proposal.enqueued = intent.expected,
            EffectAction::MergeOnForge => proposal.merged_by_call = intent.new,
            EffectAction::Merge | EffectAction::Sign | EffectAction::Publish | EffectAction::WriteSticky | EffectAction::Support => {}
        }
        if intent.action == EffectAction::OpenProposal {
            let policies = policies(&self.incidents, &intent.incidents);
            self.opened.push(OpenedProposal { repository: intent.repository.clone(), key: intent.proposal.clone(), policies, at });
            for incident in &intent.incidents {
                self.with(incident, |incident| incident.advance(Phase::Proposed));
            }
        }
    }

    fn approved(&mut self, approval: &Approval) {
        // One from the forge is only remembered: it is asked for again whenever it would count.
        let counts = approval.source == ApprovalSource::CommandLine;
        if let Some(proposal) = self.proposals.get_mut(&approval.proposal).filter(|_| counts) {
            proposal.approvals.push(approval.clone());
        }
        self.with(&approval.incident, |incident| incident.advance(Phase::Approved));
    }

    fn landed(&mut self, key: &ProposalKey, revert: &LandedRevert, not_the_plan: &[String]) {
        let known = self.proposals.get(key).map(|proposal| (proposal.repository.clone(), proposal.incidents.clone()));
        let mut incidents = known.as_ref().map(|(_, incidents)| incidents.clone()).unwrap_or_default();
        for incident in self.incidents.values().filter(|incident| incident.proposal.as_ref() == Some(key) && incident.ending.is_none()) {
            if !incidents.contains(&incident.id) {
                incidents.push(incident.id.clone());
            }
        }
        if let Some(proposal) = self.proposals.get_mut(key) {
            proposal.landed = Some(revert.commit);
            proposal.over_since = proposal.over_since.or(Some(revert.at));
            proposal.not_the_plan = not_the_plan.to_vec();
        }
        if let (Some((Some(repository), _)), true) = (known, revert.by != LandedBy::HumanRevert) {
            let policies = policies(&self.incidents, &incidents);
            self.merged.push(MergedRevert { repository, commit: revert.commit, policies, at: revert.at });
        }
        for incident in &incidents {
            self.with(incident, |incident| {
                // The first stays: the same revert may be recorded again for an incident that was detected later.
                incident.landed.get_or_insert_with(|| revert.clone());
                incident.advance(Phase::Merged);
            });
        }
    }

    /// Every landing, oldest first.
    pub fn landings(&self) -> &[Landing] {
        &self.landings
    }

    /// Landings that were seen after `at`, oldest first.
    pub fn landings_since(&self, at: Timestamp) -> impl Iterator<Item = &Landing> {
        self.landings.iter().filter(move |landing| landing.landed.by > at)
    }

    /// The pauses that hold for a repository at `now`.
    pub fn pauses_for(&self, repository: &RepositoryName, now: Timestamp) -> Vec<Pause> {
        self.pauses
            .iter()
            .filter(|pause| pause.until > now && pause.repository.as_ref().is_none_or(|paused| paused == repository))
            .cloned()
            .collect()
    }

    /// Effects whose end is not known, with when they were intended.
    pub fn open_effects(&self) -> Vec<(EffectId, Intent, Timestamp)> {
        self.intents.iter().map(|(effect, (intent, at))| (effect.clone(), intent.clone(), *at)).collect()
    }

    /// Reverts that were merged through a proposal or a force-merge of revertd.
    pub fn merged_reverts(&self) -> &[MergedRevert] {
        &self.merged
    }

    /// Proposals that were opened.
    pub fn opened_proposals(&self) -> &[OpenedProposal] {
        &self.opened
    }
}

fn policies(known: &BTreeMap<IncidentId, Incident>, incidents: &[IncidentId]) -> Vec<PolicyName> {
    let mut policies: Vec<PolicyName> = incidents.iter().filter_map(|id| known.get(id)).map(|incident| incident.policy.clone()).collect();
    policies.sort_unstable();
    policies.dedup();
    policies
}

// === impl Incident, Phase ===

impl Incident {
    fn new(
        id: &IncidentId,
        policy: &PolicyName,
        instance: &InstanceName,
        repository: &RepositoryName,
        at: Timestamp,
        onset: Interval,
        arithmetic: &[String],
    ) -> Self {
        Self {
            id: id.clone(),
            policy: policy.clone(),
            instance: instance.clone(),
            cluster: None,
            repository: repository.clone(),
            detected_at: at,
            onset,
            arithmetic: arithmetic.to_vec(),
            attribution: None,
            decision: None,
            situation: None,
            decision_at: None,
            decided_at: None,
            proposal: None,
            landed: None,
            recovery: None,
            sync: None,
            spending: Vec::new(),
            ending: None,
            sentence: None,
            ended_at: None,
            phase: Phase::Detected,
        }
    }

    /// When the service had recovered, by the revert or by itself.
    pub fn recovered_at(&self) -> Option<Timestamp> {
        self.ended_at.filter(|_| matches!(self.phase, Phase::Recovered | Phase::Withdrawn))
    }

    /// Its service and where it runs, as people name it: `checkout`, `checkout in eu (cluster eu-1)`.
    pub fn service(&self) -> String {
        service_name(&self.policy, &self.instance, self.cluster.as_deref())
    }

    /// Where alone, to go on with: nothing, or ` in eu (cluster eu-1)`.
    pub fn place(&self) -> String {
        self.service().strip_prefix(self.policy.as_str()).unwrap_or_default().to_owned()
    }

    /// Moves on, never back.
    fn advance(&mut self, phase: Phase) {
        if phase as u8 > self.phase as u8 {
            self.phase = phase;
        }
    }

    /// How long each part took, as far as it got.
    pub fn durations(&self) -> Durations {
        let landed = self.landed.as_ref().map(|landed| landed.at);
        let recovered = self.ended_at.filter(|_| matches!(self.phase, Phase::Recovered));
        Durations {
            detect: Some(self.detected_at.since(self.onset.by)),
            decide: self.decided_at.map(|at| at.since(self.detected_at)),
            act: landed.and_then(|landed| Some(landed.since(self.decided_at?))),
            verify: recovered.and_then(|recovered| Some(recovered.since(landed?))),
        }
    }
}

impl Phase {
    /// The phase in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Detected => "detected",
            Self::Attributed => "attributed",
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Merged => "merged",
            Self::Verifying => "verifying",
            Self::Recovered => "recovered",
            Self::NotRecovered => "not recovered",
            Self::NotEffective => "not effective",
            Self::Unverified => "unverified",
            Self::Withdrawn => "withdrawn",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
        }
    }
}
