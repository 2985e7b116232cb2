//! The message of a revert: Git's own format to the byte, then the reason, then the trailers.
//!
//! Text from commits is untrusted: tools act on mentions, closing keywords and skip marks in messages, so those are made harmless in the
//! subject, and nothing of the original body is repeated. The lines that tools parse stay exact.

use serde::Serialize;

use super::neutral::harmless;
use super::templates::{TemplateError, Templates};
use crate::engine::approval::Approval;
use crate::engine::broken_sync::Broke;
use crate::engine::change::Reverted;
use crate::engine::id::FactHash;
use crate::engine::incident::Incident;
use crate::engine::plan::{Account, Plan, PlanKind};
use crate::engine::policy::Policy;

/// The template's file.
pub(super) const TEMPLATE: &str = "commit.txt";
/// Lines of the reason are wrapped at this many characters, as Git's own documentation advises.
const WIDTH: usize = 72;

/// What a revert's message is made from.
#[derive(Clone, Copy)]
pub struct RevertMessage<'a> {
    /// The commits that it undoes, newest first; at least one.
    pub reverted: &'a [Reverted],
    /// The policy that breached.
    pub policy: &'a Policy,
    /// The incident that it is for.
    pub incident: &'a Incident,
    /// Other incidents that it is for.
    pub also: &'a [&'a Incident],
    /// The plan that it carries out.
    pub plan: &'a Plan,
    /// What it restores and leaves, where it is not Git's own inverse.
    pub account: Option<&'a Account>,
    /// Why it is proposed and not merged; empty for a merge.
    pub why_proposed: &'a str,
    /// The approval that allowed it, where one did.
    pub approval: Option<&'a Approval>,
    /// The head of the journal's chain.
    pub audit: Option<&'a FactHash>,
}

/// Exactly what `git revert` writes for one commit (sequencer.c of Git 2.47).
pub fn git_message(reverted: &Reverted) -> String {
    format!("{}\n\n{}\n", git_subject(&reverted.subject), reverts_line(reverted))
}

/// What the template is given. The lines that tools parse are made here and stay exact.
#[derive(Debug, Serialize)]
pub(super) struct CommitContext {
    /// The first line.
    pub(super) subject: String,
    /// `This reverts commit …`, a line for each.
    pub(super) reverts: String,
    /// Why, in paragraphs.
    pub(super) reason: String,
    /// The last paragraph.
    pub(super) trailers: String,
}

impl CommitContext {
    /// For trying a template out.
    pub(super) fn samples() -> Vec<Self> {
        vec![Self {
            subject: "Revert \"checkout: 1.5.0\"".to_owned(),
            reverts: format!("This reverts commit {}.", "ab".repeat(20)),
            reason: "checkout breaches its objectives.".to_owned(),
            trailers: format!("Reverts: {}\nRevertd-Plan: {}", "ab".repeat(20), "cd".repeat(32)),
        }]
    }
}

/// Git's message with reason and trailers.
///
/// # Errors
/// The template does not fit the values, which is excluded when it is loaded.
pub fn revert_message(templates: &Templates, message: &RevertMessage<'_>) -> Result<String, TemplateError> {
    let reverts: Vec<String> = message.reverted.iter().map(reverts_line).collect();
    let context = CommitContext {
        subject: subject(message.reverted),
        reverts: reverts.join("\n"),
        reason: reason(message),
        trailers: trailers(message),
    };
    let text = templates.render(TEMPLATE, &context)?;
    Ok(format!("{}\n", text.trim_end()))
}

/// The message of a revert of a commit with this subject, for trying rules for messages out: everything that a rule may look at is as in a
/// real one, and the rest is made up.
///
/// # Errors
/// As [`revert_message`].
pub fn specimen(templates: &Templates, commit_subject: &str) -> Result<String, TemplateError> {
    let mut message = String::new();
    for sample in CommitContext::samples() {
        let context = CommitContext { subject: harmless(&git_subject(commit_subject)), ..sample };
        message = templates.render(TEMPLATE, &context)?;
    }
    Ok(format!("{}\n", message.trim_end()))
}

fn git_subject(subject: &str) -> String {
    match subject.strip_prefix("Revert \"") {
        // Git leaves deeper nesting alone.
        Some(original) if !original.starts_with("Revert \"") => format!("Reapply \"{original}"),
        _ => format!("Revert \"{subject}\""),
    }
}

fn subject(reverted: &[Reverted]) -> String {
    match reverted {
        [] => "Revert nothing".to_owned(),
        [one] => harmless(&git_subject(&one.subject)),
        [newest, ..] => harmless(&format!("Revert {} changes up to \"{}\"", reverted.len(), newest.subject)),
    }
}

fn reverts_line(reverted: &Reverted) -> String {
    match reverted.merge_parent {
        Some(parent) => format!("This reverts commit {}, reversing\nchanges made to {parent}.", reverted.id),
        None => format!("This reverts commit {}.", reverted.id),
    }
}

fn reason(message: &RevertMessage<'_>) -> String {
    let incident = message.incident;
    if message.plan.kind == PlanKind::Reapply {
        return reason_of_return(message);
    }
    let mut paragraphs: Vec<String> = message.account.map(|account| told(account, message.plan.kind)).unwrap_or_default();
    paragraphs.push(match incident.broke() {
        Broke::Objectives => {
            let service = incident.service();
            format!("{service} breaches its objectives: {}. The breach began {}.", incident.arithmetic.join("; "), incident.onset)
        }
        Broke::Sync => format!("{} is not synced any more: {}.", incident.service(), incident.arithmetic.join("; ")),
    });
    for other in message.also {
        paragraphs.push(match other.broke() {
            Broke::Objectives => {
                format!("{} breaches as well: {}. The breach began {}.", other.service(), other.arithmetic.join("; "), other.onset)
            }
            Broke::Sync => format!("{} is not synced any more either: {}.", other.service(), other.arithmetic.join("; ")),
        });
    }
    if let Some(attribution) = &incident.attribution {
        for suspect in attribution.candidates.iter().filter(|candidate| attribution.suspects.contains(&candidate.commit)) {
            paragraphs.push(format!("{} is suspected: {}.", suspect.commit.short(), suspect.because));
        }
    }
    if let Some(approval) = message.approval {
        paragraphs.push(format!("{} approved it at {}.", approval.by, approval.at));
    } else if !message.why_proposed.is_empty() {
        paragraphs.push(message.why_proposed.to_owned());
    }
    paragraphs.iter().map(|paragraph| wrapped(&harmless(paragraph))).collect::<Vec<_>>().join("\n\n")
}

/// Why a change is brought back: what is recorded of its revert.
fn reason_of_return(message: &RevertMessage<'_>) -> String {
    let incidents = std::iter::once(&message.incident).chain(message.also);
    let mut paragraphs: Vec<String> = incidents
        .map(|incident| {
            let outcome = incident.sentence.as_deref().unwrap_or("its recovery is not known").trim_end_matches('.');
            format!("After the revert, {} was {}: {outcome}.", incident.policy, incident.phase.words())
        })
        .collect();
    match message.approval {
        Some(approval) => paragraphs.push(format!("{} approved bringing the change back at {}.", approval.by, approval.at)),
        None => paragraphs.push(message.why_proposed.to_owned()),
    }
    paragraphs.iter().map(|paragraph| wrapped(&harmless(paragraph))).collect::<Vec<_>>().join("\n\n")
}

/// What another way than Git's own restores, leaves and undoes besides.
fn told(account: &Account, kind: PlanKind) -> Vec<String> {
    let mut paragraphs = vec![account.sentence(kind)];
    if !account.restored.is_empty() {
        paragraphs.push(format!("It restores {}.", account.restored.join(", ")));
    }
    paragraphs.extend((!account.left.is_empty()).then(|| account.left.join(" ")));
    let also: Vec<String> = account.also_undone.iter().map(|also| format!("{} (\"{}\")", also.commit, also.subject)).collect();
    paragraphs.extend((!also.is_empty()).then(|| format!("It undoes what these did to the same paths as well: {}.", also.join(", "))));
    paragraphs
}

fn trailers(message: &RevertMessage<'_>) -> String {
    let mut lines: Vec<String> = message.reverted.iter().map(|reverted| format!("Reverts: {}", reverted.id)).collect();
    let mut policies = Vec::new();
    for incident in std::iter::once(&message.incident).chain(message.also) {
        if !policies.contains(&&incident.policy) {
            lines.push(format!("Revertd-Policy: {}", incident.policy));
            policies.push(&incident.policy);
        }
        lines.push(format!("Revertd-Incident: {}", incident.id));
    }
    if message.plan.kind != PlanKind::Revert {
        lines.push(format!("Revertd-Way: {}", message.plan.kind.label()));
    }
    lines.push(format!("Revertd-Plan: {}", message.plan.digest()));
    lines.extend(message.audit.map(|hash| format!("Revertd-Audit: {hash}")));
    lines.join("\n")
}

fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { continue };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    // A line that looks like a trailer would be read as one if it came last in a paragraph.
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::CommitId;

    fn reverted(subject: &str) -> Reverted {
        Reverted { id: CommitId([0xab; 20]), subject: subject.into(), merge_parent: None }
    }

    #[test]
    fn subjects_nest_the_way_git_nests_them() {
        assert_eq!(git_subject("feat: bump web"), "Revert \"feat: bump web\"");
        assert_eq!(git_subject("Revert \"x\""), "Reapply \"x\"");
        assert_eq!(git_subject("Reapply \"x\""), "Revert \"Reapply \"x\"\"");
        assert_eq!(git_subject("Revert \"Revert \"x\"\""), "Revert \"Revert \"Revert \"x\"\"\"");
    }

    #[test]
    fn the_lines_that_tools_parse_are_exact() {
        let id = "ab".repeat(20);
        assert_eq!(git_message(&reverted("x")), format!("Revert \"x\"\n\nThis reverts commit {id}.\n"));
        let merge = Reverted { merge_parent: Some(CommitId([0xcd; 20])), ..reverted("x") };
        assert_eq!(
            git_message(&merge),
            format!("Revert \"x\"\n\nThis reverts commit {id}, reversing\nchanges made to {}.\n", "cd".repeat(20))
        );
    }
}
