//! Where the branch asks for signed commits and revertd has no key: the forge makes the proposal's commit, and signs it.
//!
//! The forge sets the dates, so the id is not known beforehand: the intent fixes parent, tree and plan, and design §2's same-proposal rule
//! recognises the commit. It is made on a branch beside the proposal's (the bench) and brought over by the same leased push as every other:
//! the forge writes on top of what a branch holds, and a pull request whose branch falls back to its base, if only for a moment, is closed.

use std::time::Duration;

use anyhow::{Context, Result};
use tracing::{info, warn};

use super::Reconciler;
use crate::engine::fact::{CommitText, EffectAction, Event, Intent, Obstacle};
use crate::engine::id::{CommitId, EffectId, IncidentId, ProposalKey, RepositoryName, canonical_json, sha256_hex};
use crate::engine::incident::Incident;
use crate::engine::plan::{CleanInverse, Plan};
use crate::engine::situation::Signing;
use crate::engine::time::Timestamp;
use crate::forge::{Answered, BranchRules, Bypass, Call, CommitOutcome, Demand, FileChange, Forge, ForgeError, NewCommit, Signature};
use crate::git::{Listing, PushOutcome};

/// The rules of a branch are asked for again after this long, while there is something to decide.
const RULES_KEPT: Duration = Duration::from_secs(300);

/// The branch beside a proposal's on which the forge makes the commit.
pub(super) fn bench_of(key: &ProposalKey) -> ProposalKey {
    ProposalKey::new(format!("{key}-signing"))
}

impl Reconciler {
    /// Who signs what revertd proposes in a repository, as far as the forge was heard.
    pub(super) fn signing(&self, name: &RepositoryName) -> Signing {
        let known = self.repository(name).filter(|repository| repository.signer.is_none());
        known.and_then(|repository| repository.conversation.as_ref()?.signing).map(|(_, signing)| signing).unwrap_or_default()
    }

    /// Asks for the rules of branches where something is to be decided and revertd has no key.
    pub(super) fn ask_who_signs(&mut self, now: Timestamp) -> Result<()> {
        for index in 0..self.repositories.len() {
            let repository = &self.repositories[index];
            let (name, base) = (repository.config.name.clone(), repository.config.branch.clone());
            let is_busy = self
                .state
                .incidents
                .values()
                .any(|incident| incident.repository == name && incident.ending.is_none() && incident.landed.is_none());
            let has_key = repository.signer.is_some();
            let Some(conversation) = self.repositories[index].conversation.as_mut() else { continue };
            let is_known = conversation.signing.is_some_and(|(asked, _)| now.since(asked) < RULES_KEPT);
            if has_key || !is_busy || is_known || conversation.is_quiet(now) {
                continue;
            }
            match asks_for_signatures(&*conversation.forge, &base, now) {
                Ok(signing) => conversation.signing = Some((now, signing)),
                Err(error) => self.note_forge_failure(&name, &error, now)?,
            }
        }
        Ok(())
    }

    /// Whether a commit is the one that the plan comes to on this base, whoever made it.
    pub(super) fn is_proposal(&self, name: &RepositoryName, commit: CommitId, plan: &Plan, inverse: &CleanInverse) -> bool {
        self.repository(name).is_some_and(|known| known.mirror.is_proposal(commit, inverse.base, inverse.tree, &plan.digest()))
    }

    /// Has the forge make the commit; `None` where that did not work, or it is not known whether it did.
    pub(super) fn sign_on_forge(
        &mut self,
        incident: &Incident,
        incidents: Vec<IncidentId>,
        plan: &Plan,
        commit: &CommitText,
        now: Timestamp,
    ) -> Result<Option<CommitId>> {
        let key = plan.key();
        if self.has_open_effect(&key) {
            return Ok(None);
        }
        let intent = Intent {
            repository: incident.repository.clone(),
            proposal: key,
            incidents,
            action: EffectAction::Sign,
            expected: Some(commit.base),
            new: None,
            plan: Some(plan.clone()),
            commit: Some(commit.clone()),
            account: None,
        };
        if let Some(there) = self.listing(&intent.repository).and_then(|listing| self.signed_by_forge(&intent, &listing)) {
            return Ok(Some(there));
        }
        let effect = EffectId::new(&sha256_hex(format!("{}\n{now}", canonical_json(&intent)?).as_bytes())[..16]);
        self.record(now, vec![Event::Intended { effect: effect.clone(), intent: intent.clone() }])?;
        let outcome = self.make_on_forge(&intent, commit, now);
        let now = self.clock.now().max(now);
        self.metrics.effect(EffectAction::Sign, label(&outcome));
        match outcome {
            // Also where another head was found: it may be this very commit, whose answer was lost.
            Ok(CommitOutcome::Made(_) | CommitOutcome::HeadModified) => self.take_signed(effect, &intent, now),
            Ok(CommitOutcome::Unsuitable { sentence } | CommitOutcome::Refused { sentence }) => {
                self.refuse_effect(effect, Obstacle::Rejected, sentence, now)?;
                Ok(None)
            }
            // The effect stays open, and the next pass looks for it.
            Err(error) if error.may_have_acted() => {
                warn!(repository = %intent.repository, "the forge may have made the commit: {error}");
                self.note_forge_failure(&intent.repository, &error, now)?;
                Ok(None)
            }
            Err(error) => {
                self.refuse_effect(effect, Obstacle::NotShown, error.to_string(), now)?;
                self.note_forge_failure(&intent.repository, &error, now)?;
                Ok(None)
            }
        }
    }

    /// Puts the bench onto the base and asks the forge for the commit there.
    fn make_on_forge(&self, intent: &Intent, commit: &CommitText, now: Timestamp) -> Answered<CommitOutcome> {
        let refused = |sentence: String| Ok(CommitOutcome::Refused { sentence });
        let (Some(repository), Some(plan)) = (self.repository(&intent.repository), &intent.plan) else {
            return refused("the repository is not configured any more".to_owned());
        };
        let (Some(conversation), Some((_, listing))) = (&repository.conversation, &repository.listing) else {
            return refused("the repository has no forge any more".to_owned());
        };
        let (bench, mirror) = (bench_of(&intent.proposal), &repository.mirror);
        let held = listing.proposals.get(&bench).copied();
        let is_ours = |id| mirror.carries_plan(id) || listing.head.is_some_and(|head| mirror.is_ancestor(id, head).unwrap_or(false));
        if let Some(foreign) = held.filter(|id| !is_ours(*id)) {
            return refused(format!("the branch `revertd/{bench}` holds {foreign}, which revertd did not write"));
        }
        if held != Some(commit.base) {
            match mirror.push_proposal(&bench, Some(commit.base), held) {
                Ok(PushOutcome::Pushed) => {}
                Ok(PushOutcome::StaleLease) => return Ok(CommitOutcome::HeadModified),
                Ok(PushOutcome::Rejected { reason }) => return refused(reason),
                Err(error) => return Err(ForgeError::Unreachable { detail: format!("the remote: {error}") }),
            }
        }
        let change = |path: &crate::engine::plan::PlannedPath| FileChange {
            path: path.clone(),
            content: path.to.and_then(|entry| mirror.content(entry)),
        };
        let (headline, body) = commit.message.split_once("\n\n").unwrap_or((&commit.message, ""));
        let new = NewCommit {
            proposal: bench,
            parent: commit.base,
            headline: headline.to_owned(),
            body: body.trim_end().to_owned(),
            changes: plan.paths.iter().map(change).collect(),
        };
        let outcome = conversation.forge.create_commit(Call::act(now), &new)?;
        if let CommitOutcome::Made(made) = &outcome
            && made.signature == Signature::Unverified
        {
            warn!(repository = %intent.repository, commit = %made.id, "the forge does not show the commit that it made as verified");
        }
        Ok(outcome)
    }

    /// Looks for the commit, and takes nothing else for it: what would land must be the plan (P5).
    fn take_signed(&mut self, effect: EffectId, intent: &Intent, now: Timestamp) -> Result<Option<CommitId>> {
        self.look_again(&intent.repository, now)?;
        let listing = self.listing(&intent.repository).context("the repository was not listed")?;
        let Some(id) = self.signed_by_forge(intent, &listing) else {
            let why = "the forge does not show a commit with this parent, tree and plan; it is decided again".to_owned();
            self.refuse_effect(effect, Obstacle::NotShown, why, now)?;
            return Ok(None);
        };
        info!(repository = %intent.repository, proposal = %intent.proposal, commit = %id, "the forge made and signed the commit");
        self.record(now, vec![Event::Done { effect }])?;
        Ok(Some(id))
    }

    /// The commit on the bench, if it is what an intent fixes.
    pub(super) fn signed_by_forge(&self, intent: &Intent, listing: &Listing) -> Option<CommitId> {
        let (plan, text) = (intent.plan.as_ref()?, intent.commit.as_ref()?);
        let there = *listing.proposals.get(&bench_of(&intent.proposal))?;
        self.repository(&intent.repository)?.mirror.is_proposal(there, text.base, text.tree, &plan.digest()).then_some(there)
    }
}

fn label(outcome: &Answered<CommitOutcome>) -> &'static str {
    match outcome {
        Ok(CommitOutcome::Made(_)) => "made",
        Ok(CommitOutcome::HeadModified) => "moved",
        Ok(CommitOutcome::Unsuitable { .. } | CommitOutcome::Refused { .. }) => "rejected",
        Err(error) if error.may_have_acted() => "unknown",
        Err(_) => "failed",
    }
}

/// Whether the branch asks for signatures, and whether these credentials may do without.
fn asks_for_signatures(forge: &dyn Forge, base: &crate::engine::id::BranchName, now: Timestamp) -> Answered<Signing> {
    let rules = match forge.branch_rules(Call::act(now), base) {
        Ok(rules) => rules.unwrap_or_default(),
        Err(ForgeError::Forbidden { .. } | ForgeError::NotFound { .. }) => BranchRules::default(),
        Err(error) => return Err(error),
    };
    Ok(match (rules.signatures, rules.bypass) {
        (Demand::No, _) => Signing::Own,
        (Demand::Yes, Bypass::Always) => Signing::ForgeOrPassed,
        (Demand::Yes, _) => Signing::Forge,
    })
}
