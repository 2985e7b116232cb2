//! What a chat is told: a title and a few lines per event. Plain text; each notifier takes its own chat's markup out of effect.
//!
//! A chat has other readers than the repository, so no value of env, arguments or ConfigMaps is in it, and no arithmetic of a probe's answer
//! beyond the figures that the engine made.

use super::neutral::harmless;
use super::proposal::{ProposalView, approve_command};
use super::report;
use crate::engine::broken_sync::Broke;
use crate::engine::fact::{EffectAction, Ending};
use crate::engine::id::CommitId;
use crate::engine::incident::{Incident, SyncNote};
use crate::engine::object::{Place, sentences};
use crate::engine::sync::follow::Finding;
use crate::engine::time::spoken;

/// The most lines about what changes.
const MOST_CHANGES: usize = 5;

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatText {
    /// One line.
    pub title: String,
    /// The rest, a sentence each.
    pub lines: Vec<String>,
    /// What to type at the proposal's comment.
    pub command: Option<String>,
}

/// A revert that is built and cannot be brought to the remote: where it is, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Ready<'a> {
    /// The commit.
    pub commit: CommitId,
    /// The bare repository that holds it.
    pub mirror: &'a str,
    /// The remote's address, without a password.
    pub remote: &'a str,
    /// The watched branch.
    pub branch: &'a str,
}

/// A revert stands as a proposal.
pub fn proposed(view: &ProposalView<'_>) -> ChatText {
    if let Some(back) = &view.back {
        let mut lines = vec![back.why.sentence()];
        lines.extend(suspects(view).iter().map(|line| line.replacen("Suspected", "It would bring back", 1)));
        lines.push("Only people bring a change back.".to_owned());
        return said(format!("Bringing a change back is proposed for {}", services(view)), lines, command(view));
    }
    said(format!("A revert is proposed for {}", services(view)), case(view), command(view))
}

/// A revert is ready, and the remote or its forge does not take it; `why` is one sentence. The command lands it, once the remote answers.
pub fn stranded(view: &ProposalView<'_>, why: &str, ready: Ready<'_>) -> ChatText {
    let Ready { commit, mirror, remote, branch } = ready;
    let mut lines = vec![format!("It cannot be brought to where people read it: {}.", why.trim_end_matches('.'))];
    lines.extend(case(view));
    lines.push(format!("The revert is ready: commit {commit} in {mirror}, on {}.", base(view)));
    let read = format!("git -C {mirror} show {commit}");
    lines.push("It is proposed by itself when the remote answers.".to_owned());
    // A code block of a chat holds no `@`, which an address of SSH needs.
    let command = if remote.contains('@') {
        lines.push(format!("To land it by hand before that, push that commit to refs/heads/{branch} of {remote}. To read it:"));
        read
    } else {
        lines.push(format!("To read it: {read}. To land it on {branch} by hand, without waiting for that:"));
        format!("git -C {mirror} push {remote} {commit}:refs/heads/{branch}")
    };
    said(format!("The revert for {} is ready and cannot be proposed", services(view)), lines, Some(command))
}

fn base(view: &ProposalView<'_>) -> String {
    view.proposal.latest_commit.as_ref().map_or_else(|| "an unknown base".to_owned(), |commit| format!("top of {}", commit.base.short()))
}

/// What to type: at the comment where there is one, else in a shell beside the agent.
fn command(view: &ProposalView<'_>) -> Option<String> {
    match view.proposal.published {
        Some(_) => approve_command(view.proposal),
        None => view.proposal.incidents.first().map(|incident| format!("revertd approve {incident}")),
    }
}

/// What broke, what is suspected, and what merging changes.
fn case(view: &ProposalView<'_>) -> Vec<String> {
    let mut lines: Vec<String> = view.services.iter().flat_map(|service| breach(service.incident)).collect();
    lines.extend(suspects(view));
    let changes = sentences(&view.objects, Place::Chat);
    lines.extend(changes.iter().take(MOST_CHANGES).map(|sentence| format!("Merging it: {sentence}.")));
    if changes.len() > MOST_CHANGES {
        lines.push(format!("Merging it changes {} more; the proposal says what.", changes.len() - MOST_CHANGES));
    }
    lines
}

/// It has waited for an approval for long.
pub fn waiting(view: &ProposalView<'_>) -> ChatText {
    let lines = vec![format!("It was proposed at {}, and nobody has approved or closed it.", view.proposal.opened_at)];
    said(format!("The revert for {} waits for an approval", services(view)), lines, command(view))
}

/// Nobody has answered for as long as a policy waits. Whoever reads it may not have read what came before.
pub fn escalated(view: &ProposalView<'_>) -> ChatText {
    let waited = view.proposal.silence.map_or_else(|| "long".to_owned(), |ended| spoken(ended.at.since(ended.since)));
    let mut lines = vec![format!(
        "Nobody has answered for {waited}, and the service is still failing. Somebody has to approve it, hold it or close it."
    )];
    lines.extend(case(view));
    said(format!("Nobody answers: the revert for {} still waits", services(view)), lines, command(view))
}

/// Somebody allowed it.
pub fn approved(view: &ProposalView<'_>, by: &str) -> ChatText {
    said(format!("{} for {} is approved", what(view), services(view)), vec![format!("{by} approved it.")], None)
}

/// It is on the watched branch. One that was never proposed is told from its beginning.
pub fn merged(view: &ProposalView<'_>) -> ChatText {
    if view.back.is_some() {
        let landed = view.proposal.landed.map(|commit| format!("It landed as {}.", commit.short()));
        return said(format!("The change that was reverted for {} is back", services(view)), landed.into_iter().collect(), None);
    }
    let proposed = view.proposal.commits.iter().any(|(action, _)| *action == EffectAction::OpenProposal);
    let mut lines = if proposed { Vec::new() } else { case(view) };
    let landed = view.services.iter().find_map(|service| service.incident.landed.as_ref());
    lines.extend(
        landed.map(|landed| format!("It landed as {}, {}. Now the recovery is watched.", landed.commit.short(), report::landed_by(landed))),
    );
    lines.extend(view.proposal.remark().map(|remark| format!("Look at it: {remark}.")));
    said(format!("The revert for {} is merged", services(view)), lines, None)
}

/// An incident is over.
pub fn ended(incident: &Incident) -> ChatText {
    let policy = incident.service();
    let mut lines = outcome(incident);
    let title = match &incident.ending {
        Some(Ending::NotRecovered) => {
            lines.push("The reverted change is probably not the cause. Somebody has to look.".to_owned());
            format!("{policy} has not recovered after the revert")
        }
        Some(Ending::NotEffective) => {
            lines.push("The revert is merged and does not run. Somebody has to look at the sync.".to_owned());
            format!("The revert for {policy} never became effective")
        }
        Some(Ending::Unverified) => {
            lines.push("Whether the revert helped is not known. Somebody has to look.".to_owned());
            format!("The recovery of {policy} cannot be verified")
        }
        Some(Ending::Withdrawn) => {
            lines.push("The revert is not needed any more and was taken back.".to_owned());
            match incident.broke() {
                Broke::Objectives => format!("{policy} has recovered by itself"),
                Broke::Sync => format!("The sync of {policy} succeeds again"),
            }
        }
        Some(Ending::Superseded { .. }) => format!("{policy} has recovered after somebody's own commit"),
        Some(Ending::Refused { code }) if code == "vetoed" => format!("The revert for {policy} was closed by a person"),
        Some(Ending::Refused { code }) if code == "disowned" => format!("The revert for {policy} was taken over by a person"),
        Some(Ending::Refused { .. }) => return refused(incident),
        Some(Ending::Recovered) if incident.broke() == Broke::Sync => format!("The sync of {policy} succeeds again after the revert"),
        Some(Ending::Recovered) | None => format!("{policy} has recovered"),
    };
    said(title, lines, None)
}

/// Nothing was done, and a person has something to do.
pub fn refused(incident: &Incident) -> ChatText {
    let mut lines = breach(incident);
    for refusal in incident.decision.iter().flat_map(|decision| &decision.refusals).take(3) {
        if !lines.contains(&refusal.sentence) {
            lines.push(refusal.sentence.clone());
        }
    }
    said(format!("No revert for {}: somebody has to look", incident.service()), lines, None)
}

/// What Git says is not what runs, and a person has something to do.
pub fn out_of_step(incident: &Incident) -> ChatText {
    let policy = incident.service();
    let title = match (&incident.sync, &incident.landed) {
        (Some(SyncNote { finding: Finding::RolledBack { .. }, .. }), None) => {
            format!("{policy} was rolled back by hand, and Git still has the suspect")
        }
        (Some(SyncNote { finding: Finding::MayBeRolledBack { .. }, .. }), None) => {
            format!("{policy} is well again, perhaps because it was rolled back by hand")
        }
        (Some(SyncNote { finding: Finding::Silent { .. }, .. }), _) => format!("Whether the revert for {policy} is applied is not told"),
        (_, Some(_)) => format!("The revert for {policy} is not applied"),
        (_, None) => format!("What runs of {policy} is not what Git says"),
    };
    said(title, incident.sync.iter().map(|note| format!("{}.", note.sentence(&incident.instance))).collect(), None)
}

/// The agent cannot work as it should; `why` is one sentence.
pub fn agent_impaired(why: &str) -> ChatText {
    said("revertd cannot work as it should".to_owned(), vec![why.to_owned()], None)
}

/// The agent can work again.
pub fn agent_restored(what: &str) -> ChatText {
    said("revertd works as it should again".to_owned(), vec![format!("It is over: {}.", what.trim_end_matches('.'))], None)
}

/// Somebody stopped it; `why` is one sentence.
pub fn switched_off(why: &str) -> ChatText {
    said("revertd is stopped".to_owned(), vec![why.to_owned()], None)
}

/// It goes on.
pub fn switched_on(what: &str) -> ChatText {
    said("revertd goes on".to_owned(), vec![format!("It is over: {}.", what.trim_end_matches('.'))], None)
}

fn what(view: &ProposalView<'_>) -> &'static str {
    if view.back.is_some() { "Bringing the change back" } else { "The revert" }
}

fn services(view: &ProposalView<'_>) -> String {
    view.services.iter().map(|service| service.incident.service()).collect::<Vec<_>>().join(", ")
}

fn breach(incident: &Incident) -> Vec<String> {
    incident.arithmetic.iter().take(3).map(|sentence| format!("{}: {sentence}.", incident.service())).collect()
}

fn suspects(view: &ProposalView<'_>) -> Vec<String> {
    let Some(attribution) = view.services.iter().find_map(|service| service.incident.attribution.as_ref()) else { return Vec::new() };
    attribution
        .candidates
        .iter()
        .filter(|candidate| attribution.suspects.contains(&candidate.commit))
        .take(3)
        .map(|candidate| format!("Suspected: {} \"{}\".", candidate.commit.short(), candidate.subject))
        .collect()
}

fn outcome(incident: &Incident) -> Vec<String> {
    let sentence = incident.sentence.as_ref().or_else(|| incident.recovery.as_ref().map(|recovery| &recovery.sentence));
    let timing = report::timing(&incident.durations());
    sentence.cloned().into_iter().chain((!timing.is_empty()).then_some(timing)).collect()
}

fn said(title: String, lines: Vec<String>, command: Option<String>) -> ChatText {
    ChatText { title: harmless(&title), lines: lines.iter().map(|line| harmless(line)).collect(), command }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Story, Words};
    use super::*;

    #[test]
    fn a_chat_is_told_what_broke_who_is_suspected_and_what_to_type() {
        let story = Story::proposed(Words::honest());
        insta::assert_debug_snapshot!(proposed(&story.view()), @r#"
        ChatText {
            title: "A revert is proposed for checkout",
            lines: [
                "checkout: `up` 5 of 5 rounds failed (HTTP 500).",
                "Suspected: ababababab \"checkout: 1.5.0\".",
                "Merging it: Deployment apps/checkout/deployment.yaml: env LEVEL changes (value not shown).",
                "Merging it: Deployment apps/checkout/deployment.yaml: image shop/checkout 1.5.0 → 1.4.2.",
            ],
            command: Some(
                "/revertd approve 5df0fac76b93",
            ),
        }
        "#);
    }

    #[test]
    fn a_refusal_says_what_stands_against_it() {
        let story = Story::proposed(Words::honest());
        insta::assert_debug_snapshot!(refused(&story.state.incidents[&story.incident()]), @r#"
        ChatText {
            title: "No revert for checkout: somebody has to look",
            lines: [
                "checkout: `up` 5 of 5 rounds failed (HTTP 500).",
                "The mode of `checkout` is propose.",
            ],
            command: None,
        }
        "#);
    }
}
