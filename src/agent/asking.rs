//! Asks who may refuse a merge, once nothing else stands against it (`guardrails.ask`, design §8). The answer is evidence, and the engine decides.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use tracing::info;

use super::Reconciler;
use crate::config;
use crate::engine::assurance::{AskAnswer, Asked};
use crate::engine::decision::{Decision, DecisionVerdict};
use crate::engine::guardrail::RefusalCode;
use crate::engine::id::{CommitId, IncidentId, PlanDigest, PolicyName};
use crate::engine::incident::Incident;
use crate::engine::plan::Inverse;
use crate::engine::policy::Policy;
use crate::engine::situation::{InverseResult, Situation};
use crate::engine::time::Timestamp;
use crate::notify::Transport;
use crate::notify::ask::{Asker, Question};

/// A yes counts for so long: a merge that takes several passes, as on a forge, asks anew after it.
const YES_COUNTS: Duration = Duration::from_secs(10);
/// After a no it is asked again, since what stood against it may be over.
const NO_COUNTS: Duration = Duration::from_secs(30);

type About = (PolicyName, PlanDigest, CommitId);

/// Who asks, and what was said lately.
#[derive(Debug, Default)]
pub(super) struct Asking {
    asker: Option<Asker>,
    said: BTreeMap<About, (AskAnswer, Timestamp)>,
}

impl Asking {
    /// Nothing is asked and no secret is read yet.
    ///
    /// # Errors
    /// There is no runtime for the requests, or no HTTP client.
    pub(super) fn new(agent: &config::agent::Agent) -> Result<Self> {
        let Some(secret_file) = &agent.ask_secret_file else { return Ok(Self::default()) };
        let doing = "cannot set up the questions before a merge";
        let runtime = tokio::runtime::Handle::try_current().context(doing)?;
        let transport = Transport::for_policies(runtime, agent.network_allow.clone()).context(doing)?;
        Ok(Self { asker: Some(Asker::new(transport, secret_file.clone())), said: BTreeMap::new() })
    }

    fn answer(&mut self, policy: &Policy, question: &Question, now: Timestamp) -> AskAnswer {
        self.said.retain(|_, (answer, at)| now.since(*at) < if *answer == AskAnswer::Allowed { YES_COUNTS } else { NO_COUNTS });
        let about = (question.policy.clone(), question.plan.clone(), question.head);
        if let Some((known, _)) = self.said.get(&about) {
            return known.clone();
        }
        let answer = match (&self.asker, &policy.guardrails.assurance.ask) {
            (Some(asker), Some(ask)) => asker.ask(&ask.url, ask.timeout, question, now),
            // The files were checked together; a policy that an incident opened with may ask where the agent no longer can.
            _ => AskAnswer::Refused { why: "the agent file has no `ask` that could sign the question".to_owned() },
        };
        info!(policy = %question.policy, plan = %question.plan, "asked before a merge: {answer:?}");
        self.said.insert(about, (answer.clone(), now));
        answer
    }
}

impl Reconciler {
    /// Asks for every policy of the plan, where that is all that stands against a merge; whether it is to be decided again.
    pub(super) fn ask_before_merge(&mut self, situation: &mut Situation, incident: &Incident, decision: &Decision) -> bool {
        let record = &decision.record;
        let only = record.refusals.iter().all(|refusal| refusal.code == RefusalCode::NotAsked);
        let (Some(plan), DecisionVerdict::Propose, true) = (&record.plan, record.verdict, only && !record.refusals.is_empty()) else {
            return false;
        };
        let policies: Vec<(IncidentId, Policy)> = std::iter::once((incident.id.clone(), situation.service.policy.clone()))
            .chain(situation.joint.iter().map(|joint| (joint.incident.clone(), joint.service.policy.clone())))
            .filter(|(_, policy)| policy.guardrails.assurance.ask.is_some())
            .collect();
        let approvals = situation.proposal.iter().flat_map(|proposal| &proposal.approvals);
        let approved_by = approvals.rev().find(|approval| approval.counts_for(plan, situation.now)).map(|approval| approval.by.clone());
        let suspects = decision.attribution.as_ref().map(|attribution| attribution.suspects.clone()).unwrap_or_default();
        let paths: Vec<String> = match &situation.inverse {
            Some(InverseResult::Built(Inverse::Clean(inverse))) => inverse.paths.iter().map(|path| path.path.clone()).collect(),
            _ => Vec::new(),
        };
        for (incident, policy) in policies {
            let question = Question {
                repository: policy.repository.clone(),
                branch: situation.branch.clone(),
                head: situation.head,
                policy: policy.name.clone(),
                incident,
                plan: plan.clone(),
                suspects: suspects.clone(),
                paths: paths.clone(),
                approved_by: approved_by.clone(),
            };
            let answer = self.asking.answer(&policy, &question, situation.now);
            situation.asked.push(Asked { policy: policy.name, plan: plan.clone(), head: situation.head, answer });
        }
        true
    }
}
