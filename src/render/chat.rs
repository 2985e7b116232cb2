//! What a chat is told: a title and a few lines per event. Plain text; each notifier takes its own chat's markup out of effect.
//!
//! A chat has other readers than the repository, so no value of env, arguments or ConfigMaps is in it, and no arithmetic of a probe's answer
//! beyond the figures that the engine made.

use super::neutral::harmless;
use super::proposal::{ProposalView, approve_command};
use super::report;
use crate::engine::incident::Incident;
use crate::engine::object::{Place, sentences};

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

/// A revert stands as a proposal.
pub fn proposed(view: &ProposalView<'_>) -> ChatText {
    let mut lines: Vec<String> = view.services.iter().flat_map(|service| breach(service.incident)).collect();
    lines.extend(suspects(view));
    let changes = sentences(&view.objects, Place::Chat);
    lines.extend(changes.iter().take(MOST_CHANGES).map(|sentence| format!("Merging it: {sentence}.")));
    if changes.len() > MOST_CHANGES {
        lines.push(format!("Merging it changes {} more; the proposal says what.", changes.len() - MOST_CHANGES));
    }
    said(format!("A revert is proposed for {}", services(view)), lines, approve_command(view.proposal))
}

/// It has waited for an approval for long.
pub fn waiting(view: &ProposalView<'_>) -> ChatText {
    let lines = vec![format!("It was proposed at {}, and nobody has approved or closed it.", view.proposal.opened_at)];
    said(format!("The revert for {} waits for an approval", services(view)), lines, approve_command(view.proposal))
}

/// Somebody allowed it.
pub fn approved(view: &ProposalView<'_>, by: &str) -> ChatText {
    said(format!("The revert for {} is approved", services(view)), vec![format!("{by} approved it.")], None)
}

/// It is on the watched branch.
pub fn merged(view: &ProposalView<'_>) -> ChatText {
    let lines = view.proposal.landed.iter().map(|commit| format!("It landed as {}; the recovery is watched.", commit.short())).collect();
    said(format!("The revert for {} is merged", services(view)), lines, None)
}

/// The service is well again.
pub fn recovered(incident: &Incident) -> ChatText {
    said(format!("{} has recovered", incident.policy), outcome(incident), None)
}

/// The revert is effective, and the service is not well.
pub fn not_recovered(incident: &Incident) -> ChatText {
    let mut lines = outcome(incident);
    lines.push("The reverted change is probably not the cause. Somebody has to look.".to_owned());
    said(format!("{} has not recovered after the revert", incident.policy), lines, None)
}

/// Nothing was done, and a person has something to do.
pub fn refused(incident: &Incident) -> ChatText {
    let mut lines = breach(incident);
    lines.extend(incident.decision.iter().flat_map(|decision| &decision.refusals).take(3).map(|refusal| refusal.sentence.clone()));
    said(format!("No revert for {}: somebody has to look", incident.policy), lines, None)
}

/// The agent cannot work as it should; `why` is one sentence.
pub fn agent_impaired(why: &str) -> ChatText {
    said("revertd cannot work as it should".to_owned(), vec![why.to_owned()], None)
}

fn services(view: &ProposalView<'_>) -> String {
    view.services.iter().map(|service| service.policy.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn breach(incident: &Incident) -> Vec<String> {
    incident.arithmetic.iter().take(3).map(|sentence| format!("{}: {sentence}.", incident.policy)).collect()
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
                "The mode of `checkout` is propose.",
            ],
            command: None,
        }
        "#);
    }
}
