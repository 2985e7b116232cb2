//! After an incident: the end of a breach that outlived it, reverts that changed nothing, and changes that are brought back.
//!
//! What was wrong, and what it counts as, is `engine::afterwards`'; how a change may come back, `engine::reapply`'s.

use anyhow::{Context, Result};
use tracing::info;

use super::reconcile::differs;
use super::{Reconciler, situations};
use crate::engine::afterwards::{self, Afterwards, BreachEnding};
use crate::engine::broken_sync::Broke;
use crate::engine::change::ChangeKind;
use crate::engine::decision::{Action, Decision};
use crate::engine::fact::{Ending, Event, LandedBy, ProposalClosing};
use crate::engine::guardrail::RefusalCode;
use crate::engine::id::{CommitId, PolicyName, ProposalKey};
use crate::engine::incident::{Incident, Proposal};
use crate::engine::plan::Plan;
use crate::engine::policy::{Policy, Scope};
use crate::engine::reapply;
use crate::engine::situation::{InverseResult, Situation};
use crate::engine::time::Timestamp;
use crate::git::{Undo, UndoQuestion};
use crate::render::back::{BackView, BackWhy};

impl Reconciler {
    /// Looks at everything that is over and not done with.
    pub(super) fn after_incidents(&mut self, now: Timestamp) -> Result<()> {
        self.end_breaches(now)?;
        for what in afterwards::newly_false(&self.state) {
            if let Afterwards::FalseRevert { proposal, sentence, .. } = &what {
                info!(%proposal, "the revert changed nothing: {sentence}");
            }
            self.record(now, vec![Event::Afterwards { what }])?;
        }
        for key in self.to_bring_back() {
            self.bring_back(&key, now)?;
        }
        self.stop_the_spread(now)?;
        self.metrics.afterwards(&afterwards::breaches_ended(&self.state), &afterwards::false_reverts(&self.state));
        Ok(())
    }

    /// The ends of breaches that went on when their incidents were over.
    fn end_breaches(&mut self, now: Timestamp) -> Result<()> {
        let goes_on = |incident: &&Incident| {
            let outlived =
                matches!(incident.ending, Some(Ending::NotRecovered | Ending::NotEffective | Ending::Unverified | Ending::Refused { .. }));
            outlived && afterwards::breach_end(&self.state, incident).is_none()
        };
        let going: Vec<Incident> = self.state.incidents.values().filter(goes_on).cloned().collect();
        for incident in going {
            let (ending, by, sentence) = if let Some(sentence) = self.broke_again(&incident) {
                (BreachEnding::Unseen, None, sentence.to_owned())
            } else {
                let Some(policy) = self.policy_of(&incident.id) else { continue };
                let Some(healthy) = self.recovered_by_itself(&policy, &incident, now) else { continue };
                let (ending, by) = self.what_ended(&incident, &policy)?;
                (ending, by, healthy)
            };
            info!(incident = %incident.id, ?ending, "the breach is over: {sentence}");
            let what = Afterwards::BreachEnded { incident: incident.id.clone(), ending, by, sentence };
            self.record(now, vec![Event::Afterwards { what }])?;
        }
        Ok(())
    }

    /// Whether the same broke once more in between, of which it follows that it was well.
    fn broke_again(&self, incident: &Incident) -> Option<&'static str> {
        let here = |other: &&Incident| other.policy == incident.policy && other.instance == incident.instance;
        let mut later = self.state.incidents.values().filter(here).filter(|other| other.broke() == incident.broke());
        match incident.broke() {
            // A new incident begins only after the service was healthy.
            Broke::Objectives => {
                later.any(|other| other.detected_at > incident.detected_at).then_some("the service was healthy before it breached again")
            }
            // A sync that fails of one change may fail of the next one too.
            Broke::Sync => later
                .any(|other| other.onset.after.is_some_and(|went| went > incident.detected_at))
                .then_some("the sync succeeded before it failed again"),
        }
    }

    /// What brought a service back whose incident was over before.
    fn what_ended(&self, incident: &Incident, policy: &Policy) -> Result<(BreachEnding, Option<CommitId>)> {
        if let Some(landed) = &incident.landed {
            let reverted = match landed.by {
                LandedBy::HumanRevert => BreachEnding::HumanRevert,
                LandedBy::Revertd | LandedBy::Person => BreachEnding::Revertd,
            };
            if incident.broke() == Broke::Sync {
                // The incident ends with the revert's being applied, so that it was not.
                let fix = self.later_change(incident, policy, landed.commit);
                return Ok(fix.map_or((reverted, Some(landed.commit)), |fix| (BreachEnding::FixForward, Some(fix))));
            }
            if incident.ending != Some(Ending::NotRecovered) {
                return Ok((reverted, Some(landed.commit)));
            }
            // The revert had changed nothing: what came after it did, if anything did.
            let fix = self.later_change(incident, policy, landed.commit);
            return Ok(fix.map_or((BreachEnding::ByItself, None), |fix| (BreachEnding::FixForward, Some(fix))));
        }
        let undone = incident.attribution.as_ref().map(|attribution| self.who_undid(incident, attribution)).transpose()?.flatten();
        if let Some((commit, _)) = undone {
            let ours = self
                .state
                .landings()
                .iter()
                .flat_map(|landing| &landing.changes)
                .any(|change| change.id == commit && change.is_by_revertd());
            return Ok((if ours { BreachEnding::Revertd } else { BreachEnding::HumanRevert }, Some(commit)));
        }
        Ok(match self.fixed_forward(incident) {
            Some(Ending::Superseded { by }) => (BreachEnding::FixForward, by),
            _ => (BreachEnding::ByItself, None),
        })
    }

    /// The first change of the service's own paths after a commit, that does not just bring back what it took away.
    fn later_change(&self, incident: &Incident, policy: &Policy, after: CommitId) -> Option<CommitId> {
        let matcher = policy.paths.matcher().ok()?;
        let of_repository = self.state.landings().iter().filter(|landing| landing.repository == incident.repository);
        let mut later = of_repository.flat_map(|landing| &landing.changes).skip_while(|change| change.id != after).skip(1);
        let touches = |paths: &[crate::engine::change::PathChange]| paths.iter().any(|path| matcher.owns(&path.path));
        later.find(|change| touches(&change.paths) && !matches!(change.kind, ChangeKind::Reapply { .. })).map(|change| change.id)
    }

    /// The proposals whose revert is to be taken away: those that changed nothing, and those that a person asked about.
    fn to_bring_back(&self) -> Vec<ProposalKey> {
        let wanted = |proposal: &&Proposal| {
            let aftermath = &self.state.aftermath;
            let asked = aftermath.false_revert(&proposal.key).is_some() || aftermath.reland(&proposal.key).is_some();
            let back = proposal.plan.as_ref().and_then(|plan| self.state.proposals.get(&afterwards::key_of_return(plan)));
            let over = back.is_some_and(|back| back.landed.is_some() || back.closing.is_some());
            asked && !over && proposal.landed.is_some() && !proposal.brings_back()
        };
        self.state.proposals.values().filter(wanted).map(|proposal| proposal.key.clone()).collect()
    }

    fn bring_back(&mut self, original: &ProposalKey, now: Timestamp) -> Result<()> {
        let Some(original) = self.state.proposals.get(original).cloned() else { return Ok(()) };
        let Some(incident) = self.stories(&original).into_iter().find(|incident| incident.attribution.is_some()).cloned() else {
            return Ok(());
        };
        let (Some(policy), Some(plan), Some(reverted)) = (self.policy_of(&incident.id), &original.plan, original.landed) else {
            return Ok(());
        };
        let key = afterwards::key_of_return(plan);
        let Some(situation) = self.situation_of_return(&policy, &incident, plan, reverted, now)? else { return Ok(()) };
        let Some(attribution) = situation.attribution.clone() else { return Ok(()) };
        let decision = reapply::decide(&situation, &attribution, reverted);
        self.record_return(&key, &situation, &decision, now)?;
        match decision.action {
            Action::Propose { plan, inverse } => self.propose(&incident, &policy, plan, &inverse, &decision.record, now),
            Action::Merge { plan, inverse, grant, approval } => {
                self.merge(&incident, &policy, plan, &inverse, grant, approval.as_deref(), now)
            }
            Action::Nothing if decision.record.refusals.iter().any(|refusal| refusal.code == RefusalCode::AlreadyUndone) => {
                self.close_proposal(&key, ProposalClosing::Superseded, now)
            }
            Action::Nothing => Ok(()),
        }
    }

    /// What is decided from: the present switches, limits and head, the evidence that the revert was made from, and what takes it away.
    fn situation_of_return(
        &self,
        policy: &Policy,
        incident: &Incident,
        plan: &Plan,
        reverted: CommitId,
        now: Timestamp,
    ) -> Result<Option<Situation>> {
        let Some(mut situation) = situations::gather(self, policy, incident, now)? else { return Ok(None) };
        let Some(repository) = self.repository(&incident.repository) else { return Ok(None) };
        let known = self.state.landings().iter().flat_map(|landing| &landing.changes).find(|change| change.id == reverted);
        let before = match known {
            Some(change) => change.before,
            None => repository.mirror.change(reverted).context("cannot read the revert")?.before,
        };
        let question = UndoQuestion {
            onto: situation.head,
            changes: vec![Undo { commit: reverted, before }],
            scope: Scope::Commit,
            of: vec![policy.name.clone()],
            services: self.service_paths(&repository.config.name),
            good: None,
            later: Vec::new(),
            never_back_to: policy.guardrails.never_back_to.clone(),
            protect: repository.config.protect.clone(),
        };
        situation.inverse = Some(match repository.mirror.undo(&question) {
            Ok(inverse) => InverseResult::Built(inverse),
            Err(error) => InverseResult::Failed(format!("{:#}", anyhow::Error::new(error))),
        });
        situation.attribution = incident
            .attribution
            .clone()
            .map(|attribution| crate::engine::attribution::Attribution { suspects: plan.suspects.clone(), ..attribution });
        situation.joint = Vec::new();
        situation.open_work = Vec::new();
        situation.proposal = situations::proposal(self, repository, &afterwards::key_of_return(plan), now);
        Ok(Some(situation))
    }

    /// How often the policies of a proposal were right before it, a sentence each.
    pub(super) fn track_records(&self, proposal: &Proposal, stories: &[(&Incident, Policy)]) -> Vec<String> {
        let mut names: Vec<&PolicyName> = stories.iter().map(|(_, policy)| &policy.name).collect();
        names.sort_unstable();
        names.dedup();
        // A revert that is to be taken back counts in what is said of it.
        names.iter().map(|name| afterwards::track_record(&self.state, name, Some(&proposal.key)).sentence(name)).collect()
    }

    /// What a proposal brings back, and why; `None` for a revert.
    pub(super) fn back_view(&self, proposal: &Proposal) -> Option<BackView<'_>> {
        let plan = proposal.plan.as_ref().filter(|_| proposal.brings_back())?;
        let key = afterwards::key_of_original(&plan.branch, &plan.suspects);
        let aftermath = &self.state.aftermath;
        let asked = aftermath.reland(&key).map(|reland| BackWhy::Asked { by: &reland.by, reason: &reland.reason });
        let found = aftermath.false_revert(&key).map(|found| BackWhy::ChangedNothing(&found.sentence));
        let reverted = self.state.proposals.get(&key)?.landed?;
        Some(BackView { reverted, why: found.or(asked)?, decision: aftermath.decision(&proposal.key) })
    }

    fn record_return(&mut self, key: &ProposalKey, situation: &Situation, decision: &Decision, now: Timestamp) -> Result<()> {
        if self.state.aftermath.decision(key).is_some_and(|before| !differs(before, &decision.record)) {
            return Ok(());
        }
        let recorded = situation.recorded().context("cannot write down the situation")?;
        self.journal.store_situation(&recorded).context("cannot store the situation")?;
        info!(proposal = %key, verdict = ?decision.record.verdict, "{}", decision.record.sentence);
        self.metrics.decision(decision.record.verdict, &decision.record.refusals);
        let what = Afterwards::Decided { proposal: key.clone(), decision: decision.record.clone(), situation: recorded.whole.digest };
        self.record(now, vec![Event::Afterwards { what }])
    }
}
