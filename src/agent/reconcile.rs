//! One pass, from what is there to what is done about it. It reads like the product:
//!
//! observe → assess → attribute → decide → execute → record → verify → tell.
//!
//! Level-triggered: a pass starts from the journal and from what the remote shows, never from what an earlier pass meant to do. All
//! rules are in `engine/`; this file only says in what order they are asked and which port is given the answer.

use anyhow::{Context, Result};
use tracing::info;

use super::found::Found;
use super::{Reconciler, series_in, situations};
use crate::engine::attribution::{self, Attribution};
use crate::engine::broken_sync::Broke;
use crate::engine::decision::DecisionRecord;
use crate::engine::decision::{Action, Decision, DecisionVerdict, decide};
use crate::engine::fact::{Ending, Event, LandedBy, ProposalClosing};
use crate::engine::guardrail::RefusalCode;
use crate::engine::id::{CommitId, IncidentId, PlanDigest, ProposalKey, sha256_hex};
use crate::engine::incident::{Incident, Proposal, State};
use crate::engine::plan::{self, PlanKind};
use crate::engine::policy::{Instance, Policy, Slo};
use crate::engine::slo::{self, Verdict};
use crate::engine::time::Timestamp;
use crate::engine::together::joint_situations;
use crate::engine::verification::{self, Recovery};

impl Reconciler {
    /// One pass at `now`.
    ///
    /// # Errors
    /// When the journal cannot be read or written: then nothing more is done, because what cannot be recorded is not done. A repository
    /// that cannot be reached is no error; it is noted in the status and tried again.
    pub fn pass(&mut self, now: Timestamp) -> Result<()> {
        let ended = self.steps(now);
        self.worlds = self.found.findings.worlds();
        // However it ended: what it was decided from is much where many services breach.
        self.found = Found::default();
        if let Err(error) = &ended {
            self.note_failed_pass(format!("{error:#}"), now);
        }
        ended
    }

    fn steps(&mut self, now: Timestamp) -> Result<()> {
        self.read_journal().context("cannot read the journal")?;
        self.save_rounds(now).context("cannot save the rounds")?;
        self.observe_repositories(now)?;
        self.follow_syncs(now)?;
        self.identify(now)?;
        self.close_open_effects(now)?;
        self.follow_proposals(now)?;
        self.listen(now)?;
        self.look_at_issues(now)?;
        self.end_silences(now)?;
        for policy in self.policies.clone() {
            self.detect(&policy, now)?;
            self.detect_broken_sync(&policy, now)?;
        }
        self.look_around(now)?;
        self.ask_who_signs(now)?;
        for incident in self.open_incidents() {
            self.decide_and_act(&incident, now)?;
        }
        for incident in self.landed_incidents() {
            self.verify(&incident, now)?;
        }
        self.after_incidents(now)?;
        self.publish_proposals(now)?;
        self.note_good_pass(now)?;
        self.tell(now)?;
        self.publish(now);
        Ok(())
    }

    /// Opens an incident in each instance in which the policy breaches and has none for this breach.
    pub(super) fn detect(&mut self, policy: &Policy, now: Timestamp) -> Result<()> {
        policy.instances.iter().try_for_each(|instance| self.detect_in(policy, instance, now))
    }

    fn detect_in(&mut self, policy: &Policy, instance: &Instance, now: Timestamp) -> Result<()> {
        let service = self.evidence(policy, &instance.name, now);
        let landings = self.state.landings();
        let cut = attribution::newest_change(&service, landings);
        let rounds = |slo: &Slo| self.rounds.since(&series_in(&policy.name, &instance.name, &slo.name), Timestamp(i64::MIN));
        let assessments: Vec<_> = policy.measured().map(|slo| slo::assess(slo, rounds(slo), cut, now)).collect();
        self.note_health(policy, &instance.name, &assessments);
        if slo::assess_policy(policy, &assessments) != Verdict::Breaching {
            return Ok(());
        }
        let Some(beginning) = attribution::beginning(&service, cut, now) else { return Ok(()) };
        let is_here = |incident: &&Incident| incident.policy == policy.name && incident.instance == instance.name;
        let known = self.state.incidents.values().filter(is_here).filter(|incident| incident.broke() == Broke::Objectives);
        // A breach that has not been Healthy since an incident began is that incident's breach, over or not.
        if known.into_iter().any(|incident| incident.ending.is_none() || beginning.is_of(incident.onset, incident.recovered_at())) {
            return Ok(());
        }
        let arithmetic: Vec<String> = assessments
            .iter()
            .filter(|assessment| assessment.verdict == Verdict::Breaching && policy.slos.iter().any(|slo| slo.name == assessment.slo))
            .map(|assessment| format!("`{}` {}", assessment.slo, assessment.arithmetic))
            .collect();
        let digest = sha256_hex(format!("{}\n{}\n{}", service.named(), beginning.onset.by, now).as_bytes());
        let incident = IncidentId::new(format!("{}-{}", policy.name, &digest[..10]));
        info!(%incident, policy = %policy.name, instance = %instance.name, onset = %beginning.onset, "breach detected: {}", arithmetic.join("; "));
        self.pinned.insert(incident.clone(), policy.clone());
        self.record(
            now,
            vec![Event::Detected {
                incident,
                policy: policy.name.clone(),
                instance: instance.name.clone(),
                cluster: instance.cluster.clone(),
                repository: policy.repository.clone(),
                onset: beginning.onset,
                arithmetic,
            }],
        )
    }

    /// Decides one incident that has not landed, and carries the decision out.
    fn decide_and_act(&mut self, incident: &IncidentId, now: Timestamp) -> Result<()> {
        let Some(policy) = self.policy_of(incident) else { return Ok(()) };
        // The revert for an incident that was decided before it in this pass may have been for this one as well.
        let Some(current) = self.state.incidents.get(incident).filter(|current| current.ending.is_none() && current.landed.is_none())
        else {
            return Ok(());
        };
        let current = current.clone();
        let rolled_back = self.rolled_back_by_hand(&policy, &current, now)?;
        // Without the proposal, the next sync would bring the suspect back.
        if !rolled_back
            && let Some(sentence) = self.recovered_by_itself(&policy, &current, now)
            && !self.may_be_rolled_back(&policy, &current, now)?
        {
            return self.withdraw(&current, self.with_doubt(&policy, &current, sentence), now);
        }
        let Some(mut situation) = self.situation(&policy, &current, now)? else { return Ok(()) };
        self.render(&mut situation);
        let mut decision = decide(&situation);
        if self.ask_before_merge(&mut situation, &current, &decision) {
            decision = decide(&situation);
        }
        self.record_decision(&current, &situation, &decision, now)?;
        // With the attribution that was just written down: the revert's message names the suspect.
        let current = self.state.incidents.get(incident).cloned().unwrap_or(current);
        match decision.action {
            Action::Propose { plan, inverse } => self.propose(&current, &policy, plan, &inverse, &decision.record, now),
            Action::Merge { plan, inverse, grant, approval } => {
                self.merge(&current, &policy, plan, &inverse, grant, approval.as_deref(), now)
            }
            Action::Nothing => {
                self.support(&current, &situation, &decision.record, now)?;
                self.end_if_final(&current, &decision.record, now)
            }
        }
    }

    /// Writes down the attribution and the decision where they changed in kind, not in wording.
    fn record_decision(
        &mut self,
        incident: &Incident,
        situation: &crate::engine::situation::Situation,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<()> {
        let mut events = Vec::new();
        let is_new = incident.decision.as_ref().is_none_or(|before| differs(before, &decision.record));
        // What is said beside a candidate has ages in it; what a new decision was made from is kept whole.
        let moved = |before: &Attribution, now: &Attribution| {
            before.suspects != now.suspects || before.candidates.len() != now.candidates.len() || (is_new && before != now)
        };
        if let Some(attribution) = &decision.attribution
            && incident.attribution.as_ref().is_none_or(|before| moved(before, attribution))
        {
            events.push(Event::Attributed { incident: incident.id.clone(), attribution: attribution.clone() });
        }
        for theirs in joint_situations(situation) {
            let incident = &theirs.situation.incident;
            // Before anything is done: the effect is for these incidents as well.
            if self.state.incidents.get(incident).is_some_and(|known| known.attribution.is_none()) {
                events.push(Event::Attributed { incident: incident.clone(), attribution: theirs.attribution.clone() });
            }
        }
        if is_new {
            let recorded = situation.recorded().context("cannot write down the situation")?;
            self.journal.store_situation(&recorded).context("cannot store the situation")?;
            info!(incident = %incident.id, verdict = ?decision.record.verdict, "{}", decision.record.sentence);
            self.metrics.decision(decision.record.verdict, &decision.record.refusals);
            events.push(Event::Decided {
                incident: incident.id.clone(),
                decision: decision.record.clone(),
                situation: recorded.whole.digest,
            });
        }
        self.record(now, events)
    }

    /// Ends an incident whose refusal is for good; one that somebody undid first is watched on.
    fn end_if_final(&mut self, incident: &Incident, record: &DecisionRecord, now: Timestamp) -> Result<()> {
        let Some(refusal) = record.refusals.iter().find(|refusal| refusal.code.is_final()) else { return Ok(()) };
        if record.verdict != DecisionVerdict::Refuse {
            return Ok(());
        }
        if refusal.code == RefusalCode::AlreadyUndone {
            return self.superseded(incident, now);
        }
        if refusal.code == RefusalCode::Conflict && self.fixed_forward(incident).is_some() {
            // Somebody is working on the same files; whether that is the fix shows in the service's health.
            return Ok(());
        }
        self.end(incident, Ending::Refused { code: refusal.code.label() }, refusal.sentence.clone(), now)
    }

    /// Judges the recovery of one incident whose revert has landed.
    fn verify(&mut self, incident: &IncidentId, now: Timestamp) -> Result<()> {
        let (Some(policy), Some(current)) = (self.policy_of(incident), self.state.incidents.get(incident).cloned()) else { return Ok(()) };
        let Some(landed) = &current.landed else { return Ok(()) };
        let mut recovery = self.recovery_everywhere(&policy, &current, landed, now)?;
        if let Some(remark) = current.proposal.as_ref().and_then(|key| self.state.proposals.get(key)?.remark()) {
            recovery.sentence = format!("{}; {remark}", recovery.sentence);
        }
        let news = |before: &Recovery| (before.standing, &before.unpassed) != (recovery.standing, &recovery.unpassed);
        if current.recovery.as_ref().is_none_or(news) {
            info!(%incident, standing = ?recovery.standing, "{}", recovery.sentence);
            self.record(now, vec![Event::Verified { incident: incident.clone(), recovery: recovery.clone() }])?;
        }
        let Some(ending) = verification::ending(&recovery, landed, now) else { return Ok(()) };
        self.end(&current, ending, recovery.sentence, now)
    }

    /// Says that the service recovered by itself, and takes an open proposal back.
    pub(super) fn withdraw(&mut self, incident: &Incident, sentence: String, now: Timestamp) -> Result<()> {
        let waits = |other: &&Incident| other.id != incident.id && other.landed.is_none() && other.proposal == incident.proposal;
        // The same change may have broken the service elsewhere, or another one: those still need it.
        let is_needed = open(&self.state).any(|other| waits(&other));
        if let Some(key) = incident.proposal.as_ref().filter(|_| !is_needed) {
            self.close_proposal(key, ProposalClosing::Withdrawn, now)?;
        }
        let (ending, sentence) = match self.fixed_forward(incident) {
            Some(Ending::Superseded { by: Some(fix) }) => (
                Ending::Superseded { by: Some(fix) },
                format!("{} changed what the suspect changed, and the service is healthy since: {sentence}", fix.short()),
            ),
            _ => (Ending::Withdrawn, sentence),
        };
        self.end(incident, ending, sentence, now)
    }

    /// A person undid it first: their commit beats ours. The recovery is still watched, and ends the incident as superseded.
    fn superseded(&mut self, incident: &Incident, now: Timestamp) -> Result<()> {
        let Some(attribution) = &incident.attribution else { return Ok(()) };
        let Some((commit, landed)) = self.who_undid(incident, attribution)? else { return Ok(()) };
        let repository = self.repository(&incident.repository).context("the repository of the incident is not configured any more")?;
        let key = plan::proposal_key(&repository.config.branch, PlanKind::Revert, &attribution.suspects);
        if let Some((by, approved_by)) = self.landed_by(&key, commit) {
            // The revert for another incident with the same suspects, which landed before this one was detected.
            let plan = self.state.proposals.get(&key).and_then(Proposal::plan_digest).unwrap_or_else(|| PlanDigest::new(""));
            let not_the_plan = Vec::new();
            return self.record(now, vec![Event::RevertLanded { proposal: key, commit, plan, landed, by, approved_by, not_the_plan }]);
        }
        info!(incident = %incident.id, %commit, "somebody undid it first; revertd leaves it alone and watches the recovery");
        self.close_proposal(&key, ProposalClosing::Superseded, now)?;
        let (plan, not_the_plan) = (PlanDigest::new(""), Vec::new());
        let (by, approved_by) = (LandedBy::HumanRevert, Vec::new());
        self.record(now, vec![Event::RevertLanded { proposal: key, commit, plan, landed, by, approved_by, not_the_plan }])
    }

    /// Who brought a commit that landed for a proposal, and who allowed it.
    fn landed_by(&self, key: &ProposalKey, commit: CommitId) -> Option<(LandedBy, Vec<String>)> {
        self.state
            .incidents
            .values()
            .filter(|other| other.proposal.as_ref() == Some(key))
            .filter_map(|other| other.landed.as_ref())
            .find(|landed| landed.commit == commit)
            .map(|landed| (landed.by, landed.approved_by.clone()))
    }

    pub(super) fn end(&mut self, incident: &Incident, ending: Ending, sentence: String, now: Timestamp) -> Result<()> {
        info!(incident = %incident.id, ?ending, "incident ended: {sentence}");
        let spending = self.spending(incident, now);
        let mut events = Vec::new();
        if !spending.is_empty() {
            events.push(Event::BudgetSpent { incident: incident.id.clone(), spending });
        }
        events.push(Event::Ended { incident: incident.id.clone(), ending, sentence });
        self.record(now, events)
    }

    fn open_incidents(&self) -> Vec<IncidentId> {
        open(&self.state).filter(|incident| incident.landed.is_none()).map(|incident| incident.id.clone()).collect()
    }

    fn landed_incidents(&self) -> Vec<IncidentId> {
        open(&self.state).filter(|incident| incident.landed.is_some()).map(|incident| incident.id.clone()).collect()
    }

    /// Whether what broke is well without a revert, in a sentence.
    pub(super) fn recovered_by_itself(&self, policy: &Policy, incident: &Incident, now: Timestamp) -> Option<String> {
        if incident.broke() == Broke::Sync {
            return self.syncs_again(policy, incident, now);
        }
        verification::recovered_by_itself(&self.evidence(policy, &incident.instance, now), incident.onset, now)
    }

    fn situation(&self, policy: &Policy, incident: &Incident, now: Timestamp) -> Result<Option<crate::engine::situation::Situation>> {
        situations::gather(self, policy, incident, now)
    }
}

fn open(state: &State) -> impl Iterator<Item = &Incident> {
    state.incidents.values().filter(|incident| incident.ending.is_none())
}

/// Whether two decisions differ in verdict, guardrails or plan; ages in a sentence change with every pass.
pub(super) fn differs(before: &DecisionRecord, after: &DecisionRecord) -> bool {
    let codes = |record: &DecisionRecord| record.refusals.iter().map(|refusal| refusal.code).collect::<Vec<_>>();
    // How many services share the fate is news, and holds no age.
    let fates = |record: &DecisionRecord| {
        record
            .refusals
            .iter()
            .filter(|refusal| refusal.code == RefusalCode::SharedFate)
            .map(|refusal| refusal.sentence.clone())
            .collect::<Vec<_>>()
    };
    before.verdict != after.verdict || before.plan != after.plan || codes(before) != codes(after) || fates(before) != fates(after)
}
