//! Both histories as the engine sees them at a time: rounds that had ended, commits that had landed, and what the backtest itself would have
//! done by then.

use std::time::Duration;

use crate::agent::day_before::with_day_before;
use crate::agent::looked_back;
use crate::agent::passing::Evidence;
use crate::agent::situations::{self, LANDINGS_KEPT, OTHERS_BEFORE};
use crate::engine::attribution::{Attribution, attribute};
use crate::engine::change::Change;
use crate::engine::decision::{Action, Decision};
use crate::engine::id::{BranchName, CommitId, IncidentId};
use crate::engine::landing::{Landing, LandingShape};
use crate::engine::plan::{PlanKind, proposal_key};
use crate::engine::policy::Policy;
use crate::engine::round::Round;
use crate::engine::shared::Shared;
use crate::engine::situation::{
    History, MergedRevert, OpenedProposal, ProposalBranch, ProposalEvidence, ServiceEvidence, Signing, Situation, SloSeries,
};
use crate::engine::time::{Interval, Timestamp};
use crate::engine::together::Findings;
use crate::git::{GitError, PastCommit, PastRepository, ServicePaths};

/// Git's dates are whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// Both histories.
pub(super) struct Past<'a> {
    /// Those that are measured come first.
    policies: &'a [Policy],
    services: Vec<Vec<SloSeries>>,
    landings: Vec<Landing>,
    branch: BranchName,
    repository: &'a PastRepository,
    paths: Vec<ServicePaths>,
    /// Older rounds are not looked at.
    kept: Duration,
    /// For each policy, what its open proposal was made from.
    proposed: Vec<Option<Attribution>>,
    history: History,
}

impl<'a> Past<'a> {
    /// `services` holds the rounds of each policy, `commits` the line, oldest first. A commit lands at its date; those of one second, as a
    /// forge rebases them, land together.
    ///
    /// # Errors
    /// Objects that are missing.
    pub(super) fn new(
        policies: &'a [Policy],
        services: Vec<Vec<SloSeries>>,
        commits: Vec<PastCommit>,
        branch: BranchName,
        repository: &'a PastRepository,
    ) -> Result<Self, GitError> {
        let mut paths: Vec<ServicePaths> =
            policies.iter().map(|policy| ServicePaths { name: policy.name.clone(), paths: policy.paths.clone() }).collect();
        // Each instance stands for a policy of its own here.
        paths.sort_by(|one, other| one.name.cmp(&other.name));
        paths.dedup_by(|one, other| one.name == other.name);
        let mut landings: Vec<Landing> = Vec::new();
        for PastCommit { change, committed, .. } in commits {
            let mut changes = [change];
            repository.mirror().mark_owners(&mut changes, &paths)?;
            let [change] = changes;
            match landings.last_mut().filter(|landing| landing.landed.after == Some(committed)) {
                Some(landing) => {
                    landing.to = change.id;
                    landing.changes.push(change);
                }
                None => landings.extend(policies.first().map(|policy| landing(policy, &branch, change, committed))),
            }
        }
        let proposed = vec![None; policies.len()];
        let kept = looked_back(policies);
        Ok(Self { policies, services, landings, branch, repository, paths, kept, proposed, history: History::default() })
    }

    /// Remembers what would have been done.
    pub(super) fn carry_out(&mut self, index: usize, decision: &Decision, now: Timestamp) {
        let Some(attribution) = &decision.attribution else { return };
        let policy = &self.policies[index];
        if matches!(decision.action, Action::Nothing) {
            return;
        }
        if self.proposed[index].is_none() {
            self.proposed[index] = Some(attribution.clone());
            let key = proposal_key(&self.branch, PlanKind::Revert, &attribution.suspects);
            match self.history.proposed.iter_mut().find(|proposed| proposed.key == key) {
                Some(proposed) => proposed.policies.push(policy.name.clone()),
                None => {
                    let (repository, policies) = (policy.repository.clone(), vec![policy.name.clone()]);
                    self.history.proposed.push(OpenedProposal { repository, key, policies, at: now });
                }
            }
        }
        if let Action::Merge { inverse, .. } = &decision.action {
            // No such commit was made; its base tells it from others.
            let (repository, policies) = (policy.repository.clone(), vec![policy.name.clone()]);
            self.history.merged.push(MergedRevert { repository, commit: inverse.base, policies, at: now });
        }
    }

    /// The incident of a policy is over, and with it its proposal.
    pub(super) fn forget_proposal(&mut self, index: usize) {
        self.proposed[index] = None;
    }

    fn service_since(&self, index: usize, from: Timestamp, now: Timestamp) -> Shared<ServiceEvidence> {
        let policy = &self.policies[index];
        let series = self.services[index]
            .iter()
            .map(|series| SloSeries { slo: series.slo.clone(), rounds: between(&series.rounds, from, now).to_vec() })
            .collect();
        // Nothing recorded what was applied when: the lag of the policy is assumed, as for a live agent.
        ServiceEvidence::measured(policy.clone(), policy.instances[0].name.clone(), series)
            .by_foremost_alerts(self.landings(now), now)
            .into()
    }

    /// What stands on the forge for the suspects, if it was proposed before.
    fn proposal(&self, index: usize) -> Option<ProposalEvidence> {
        let attribution = self.proposed[index].as_ref()?;
        Some(ProposalEvidence {
            key: proposal_key(&self.branch, PlanKind::Revert, &attribution.suspects),
            closing: None,
            branch: ProposalBranch::Present,
            approvals: Vec::new(),
            holds: Vec::new(),
            // Whether somebody would have answered is not known.
            silent_since: None,
            failed: None,
            merge_rejected: None,
        })
    }
}

impl Evidence for Past<'_> {
    fn services(&self) -> usize {
        self.policies.iter().take_while(|policy| !policy.slos.is_empty()).count()
    }

    fn known_facts(&self, index: usize, now: Timestamp) -> usize {
        let ended = |series: &SloSeries| series.rounds.partition_point(|round| round.end <= now);
        self.services[index].iter().map(ended).sum::<usize>() + self.landings.partition_point(|landing| landing.landed.by <= now)
    }

    fn landings(&self, now: Timestamp) -> &[Landing] {
        let at = |time: Timestamp| self.landings.partition_point(|landing| landing.landed.by <= time);
        &self.landings[at(now - LANDINGS_KEPT)..at(now)]
    }

    fn service(&self, index: usize, now: Timestamp) -> Shared<ServiceEvidence> {
        self.service_since(index, now - self.kept, now)
    }

    fn situation(&self, index: usize, onset: Interval, now: Timestamp) -> (Situation, Option<Attribution>) {
        let from = onset.earliest().max(now - self.kept) - OTHERS_BEFORE;
        let same = |other: &usize| self.policies[*other].name == self.policies[index].name;
        let elsewhere = (0..self.services()).filter(|other| *other != index && same(other));
        let others = (0..self.services()).filter(|other| !same(other));
        let landings: Shared<Vec<Landing>> = self.landings(now).to_vec().into();
        let mut situation = Situation {
            now,
            incident: IncidentId::new(format!("{}-backtest", self.policies[index].name)),
            service: with_day_before(self.service(index, now), onset, now, |slo, from, to| {
                let series = self.services[index].iter().find(|series| series.slo == *slo);
                series.map(|series| between(&series.rounds, from, to).to_vec()).unwrap_or_default()
            }),
            elsewhere: elsewhere.map(|other| self.service(other, now)).collect(),
            others: others.map(|other| self.service_since(other, from - self.policies[other].longest_window(), now)).collect(),
            controls: Shared::default(),
            ceilings: Vec::new(),
            repository_limits: Default::default(),
            branch: self.branch.clone(),
            head: landings.last().map_or(CommitId([0; 20]), |landing| landing.to),
            stop: None,
            pauses: Vec::new(),
            kill_switches: Vec::new(),
            landings,
            attribution: self.proposed[index].clone(),
            inverse: None,
            proposal: self.proposal(index),
            history: self.history.clone(),
            joint: Vec::new(),
            open_work: Vec::new(),
            signing: Signing::Own,
            asked: Vec::new(),
            findings: Findings::default(),
        };
        let attribution = situation.attribution.clone().or_else(|| attribute(&situation));
        if let Some(attribution) = attribution.as_ref().filter(|attribution| !attribution.suspects.is_empty()) {
            situation.inverse = Some(situations::inverse(self.repository.mirror(), self.paths.clone(), &[], &situation, attribution));
        }
        (situation, attribution)
    }
}

fn landing(policy: &Policy, branch: &BranchName, change: Change, committed: Timestamp) -> Landing {
    Landing {
        repository: policy.repository.clone(),
        branch: branch.clone(),
        from: change.before,
        to: change.id,
        landed: Interval::new(committed, committed + SECOND),
        shape: LandingShape::Line,
        changes: vec![change],
    }
}

/// The rounds that ended after `from` and by `to`.
fn between(rounds: &[Round], from: Timestamp, to: Timestamp) -> &[Round] {
    let after = |time: Timestamp| rounds.partition_point(|round| round.end <= time);
    &rounds[after(from).min(after(to))..after(to)]
}
