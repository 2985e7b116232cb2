//! What adorns a proposal on the forge: labels, reviewers, the status on the suspected commits and the plan's digest on the head.
//!
//! Each is tried once, at its transition, and that it was tried is recorded whatever came of it: without it the proposal is the same, so a
//! failure stops nothing, and a restart does not begin anew.

use std::collections::BTreeSet;

use anyhow::Result;
use tracing::warn;

use super::Reconciler;
use crate::engine::consent::Lookup;
use crate::engine::fact::{Decoration, Event, ProposalClosing};
use crate::engine::id::{CommitId, PlanDigest};
use crate::engine::incident::Proposal;
use crate::engine::owners::Owner;
use crate::engine::time::Timestamp;
use crate::forge::{Answered, Call, CheckRuns, Conclusion, Forge, ForgeError, NewCheckRun, NewStatus, ProposalNumber, StatusState};

/// The label that every proposal gets.
const LABEL: &str = "revertd";
/// The most labels of policies; GitHub takes a hundred, and a page shows a few.
const MOST_LABELS: usize = 10;
/// The longest label that GitHub takes, in characters.
const LONGEST_LABEL: usize = 50;
/// The most reviewers that are asked: more than a few is nobody. GitHub takes fifteen.
const MOST_REVIEWERS: usize = 4;
/// The name of the status on a suspected commit.
const STATUS: &str = "revertd";
/// The name of the status or check run that carries the plan's digest.
const PLAN: &str = "revertd/plan";

impl Reconciler {
    /// Tries what was not tried yet, for a proposal that the forge shows.
    pub(super) fn decorate(&mut self, forge: &dyn Forge, proposal: &Proposal, now: Timestamp) -> Result<()> {
        let Some(published) = &proposal.published else { return Ok(()) };
        let (number, target) = (ProposalNumber(published.number), Some(published.url.clone()));
        for what in wanted(proposal) {
            if proposal.decorated.contains(&what) {
                continue;
            }
            match what {
                // The suspected commits keep the status that the revert gave them.
                Decoration::Landed | Decoration::Closed if proposal.brings_back() => continue,
                Decoration::Asked => self.ask(forge, proposal, number, now),
                Decoration::Proposed { head } => {
                    if !proposal.brings_back() {
                        mark_suspects(forge, proposal, StatusState::Failure, "A revert of this commit is proposed.", &target, now);
                    }
                    if let Some(plan) = proposal.plan_digest() {
                        note(proposal, "the plan's digest could not be written", mark_head(forge, head, &plan, &target, now));
                    }
                }
                Decoration::Landed => mark_suspects(forge, proposal, StatusState::Failure, "This commit was reverted.", &target, now),
                Decoration::Closed => {
                    let (state, sentence) = ending(proposal.closing.as_ref());
                    mark_suspects(forge, proposal, state, sentence, &target, now);
                }
            }
            self.record(now, vec![Event::Decorated { proposal: proposal.key.clone(), what }])?;
        }
        Ok(())
    }

    /// Labels and reviewers.
    fn ask(&self, forge: &dyn Forge, proposal: &Proposal, number: ProposalNumber, now: Timestamp) {
        let call = Call::act(now);
        note(proposal, "the labels could not be put on the proposal", forge.add_labels(call, number, &self.labels(proposal)));
        let (users, teams) = self.reviewers(forge, proposal, call);
        if users.is_empty() && teams.is_empty() {
            return;
        }
        match forge.request_reviewers(call, number, &users, &teams) {
            // One who may not review spoils the request for all: then each alone.
            Err(ForgeError::Invalid { .. }) if users.len() + teams.len() > 1 => {
                for user in users {
                    note(proposal, "a reviewer could not be asked", forge.request_reviewers(call, number, &[user], &[]));
                }
                for team in teams {
                    note(proposal, "a team could not be asked", forge.request_reviewers(call, number, &[], &[team]));
                }
            }
            answer => note(proposal, "the reviewers could not be asked", answer),
        }
    }

    /// revertd's own label, and the labels of every policy, as `team:shop`.
    fn labels(&self, proposal: &Proposal) -> Vec<String> {
        let policies = proposal.incidents.iter().filter_map(|incident| self.policy_of(incident));
        let of_policies: BTreeSet<String> = policies
            .flat_map(|policy| policy.labels)
            .map(|(key, value)| if value.is_empty() { key } else { format!("{key}:{value}") })
            .filter(|label| label.chars().count() <= LONGEST_LABEL && !label.contains(','))
            .collect();
        std::iter::once(LABEL.to_owned()).chain(of_policies.into_iter().take(MOST_LABELS)).collect()
    }

    /// A few owners of the touched paths: logins, and slugs of teams of the repository's own organisation. Those who wrote the change are
    /// told by its author line already, and the account that opened the proposal cannot review it.
    fn reviewers(&self, forge: &dyn Forge, proposal: &Proposal, call: Call) -> (Vec<String>, Vec<String>) {
        let (Some(name), Some(plan)) = (&proposal.repository, &proposal.plan) else { return Default::default() };
        let Lookup::Known(paths) = self.path_owners(name, proposal) else { return Default::default() };
        let owners: BTreeSet<Owner> = paths.into_iter().flatten().collect();
        if owners.is_empty() {
            return Default::default();
        }
        let Ok(identity) = forge.identity(call) else { return Default::default() };
        let mut left_out = vec![identity.own.user.login];
        for suspect in &plan.suspects {
            left_out.extend(forge.commit(call, *suspect).ok().and_then(|commit| commit.author).map(|author| author.login));
        }
        let (mut users, mut teams) = (Vec::new(), Vec::new());
        // Teams first: somebody of them is awake.
        for owner in &owners {
            if let Owner::Team(team) = owner
                && let Some((organization, slug)) = team.split_once('/')
                && organization.eq_ignore_ascii_case(&identity.owner)
            {
                teams.push(slug.to_owned());
            }
        }
        teams.truncate(MOST_REVIEWERS);
        for owner in &owners {
            if let Owner::User(login) = owner
                && !left_out.iter().any(|other| other.eq_ignore_ascii_case(login))
            {
                users.push(login.clone());
            }
        }
        users.truncate(MOST_REVIEWERS - teams.len());
        (users, teams)
    }
}

/// What a proposal should have been adorned with by now.
fn wanted(proposal: &Proposal) -> Vec<Decoration> {
    let mut wanted = vec![Decoration::Asked];
    match (proposal.landed, &proposal.closing, proposal.head) {
        (Some(_), ..) => wanted.push(Decoration::Landed),
        // What somebody else works on is theirs to tell.
        (None, Some(ProposalClosing::Disowned { .. }), _) => {}
        (None, Some(_), _) => wanted.push(Decoration::Closed),
        (None, None, Some(head)) => wanted.push(Decoration::Proposed { head }),
        (None, None, None) => {}
    }
    // Nobody is asked about what is over.
    if proposal.landed.is_some() || proposal.closing.is_some() {
        wanted.remove(0);
    }
    wanted
}

fn ending(closing: Option<&ProposalClosing>) -> (StatusState, &'static str) {
    match closing {
        Some(ProposalClosing::Withdrawn) => (StatusState::Success, "The revert of this commit was taken back."),
        Some(ProposalClosing::Superseded) => (StatusState::Failure, "A person undid or fixed this commit."),
        Some(ProposalClosing::Vetoed | ProposalClosing::Disowned { .. }) | None => {
            (StatusState::Success, "A person decided against reverting this commit.")
        }
    }
}

fn mark_suspects(forge: &dyn Forge, proposal: &Proposal, state: StatusState, sentence: &str, target: &Option<String>, now: Timestamp) {
    for suspect in proposal.plan.iter().flat_map(|plan| &plan.suspects) {
        let status = NewStatus { context: STATUS.to_owned(), state, description: sentence.to_owned(), target: target.clone() };
        note(proposal, "a commit status could not be written", forge.set_status(Call::act(now), *suspect, &status));
    }
}

/// The plan's digest on the proposal's head: a check run for an App, a commit status for a token, which cannot write check runs.
fn mark_head(forge: &dyn Forge, head: CommitId, plan: &PlanDigest, target: &Option<String>, now: Timestamp) -> Answered<()> {
    let call = Call::act(now);
    if forge.capabilities().check_runs == CheckRuns::Offered {
        let run = NewCheckRun {
            name: PLAN.to_owned(),
            conclusion: Conclusion::Success,
            title: format!("Plan {}", plan.as_str().get(..12).unwrap_or_default()),
            summary: format!("This head carries out the plan `{plan}`. An approval counts for this plan and for no other."),
        };
        return forge.check_run(call, head, &run);
    }
    let status =
        NewStatus { context: PLAN.to_owned(), state: StatusState::Success, description: format!("Plan {plan}"), target: target.clone() };
    forge.set_status(call, head, &status)
}

fn note(proposal: &Proposal, what: &str, answer: Answered<()>) {
    if let Err(error) = answer {
        warn!(proposal = %proposal.key, "{what}: {error}");
    }
}
