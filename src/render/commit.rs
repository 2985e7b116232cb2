//! The message of a revert: Git's own format to the byte, then the reason, then the trailers.
//!
//! Text from commits is untrusted: tools act on mentions, closing keywords and skip marks in messages, so those are made harmless in the
//! subject, and nothing of the original body is repeated. The lines that tools parse stay exact.

use minijinja::{Environment, UndefinedBehavior, context};

use crate::engine::approval::Approval;
use crate::engine::change::Reverted;
use crate::engine::id::{FactHash, PlanDigest};
use crate::engine::incident::Incident;
use crate::engine::policy::Policy;

const TEMPLATE: &str = include_str!("../../templates/commit.txt");
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
    pub plan: &'a PlanDigest,
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

/// Git's message with reason and trailers.
///
/// # Errors
/// The template does not fit the values, which a test excludes for the one that is built in.
pub fn revert_message(message: &RevertMessage<'_>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let reverts: Vec<String> = message.reverted.iter().map(reverts_line).collect();
    let text = environment.render_str(
        TEMPLATE,
        context! {
            subject => subject(message.reverted),
            reverts => reverts.join("\n"),
            reason => reason(message),
            trailers => trailers(message),
        },
    )?;
    Ok(format!("{}\n", text.trim_end()))
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
    let RevertMessage { policy, incident, .. } = message;
    let mut paragraphs =
        vec![format!("{} breaches its objectives: {}. The breach began {}.", policy.name, incident.arithmetic.join("; "), incident.onset)];
    for other in message.also {
        paragraphs.push(format!("{} breaches as well: {}. The breach began {}.", other.policy, other.arithmetic.join("; "), other.onset));
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

fn trailers(message: &RevertMessage<'_>) -> String {
    let mut lines: Vec<String> = message.reverted.iter().map(|reverted| format!("Reverts: {}", reverted.id)).collect();
    for incident in std::iter::once(&message.incident).chain(message.also) {
        lines.push(format!("Revertd-Policy: {}", incident.policy));
        lines.push(format!("Revertd-Incident: {}", incident.id));
    }
    lines.push(format!("Revertd-Plan: {}", message.plan));
    lines.extend(message.audit.map(|hash| format!("Revertd-Audit: {hash}")));
    lines.join("\n")
}

/// Takes the effect out of text that somebody else wrote: no mention, no reference that closes an issue, no mark that skips CI, no control
/// character. A zero-width space after `@` and `#`, and inside skip marks, keeps it readable.
pub fn harmless(text: &str) -> String {
    const BREAK: char = '\u{200b}';
    let flat: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let mut safe = String::with_capacity(flat.len());
    let mut rest = flat.as_str();
    const MARKS: [&str; 7] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]", "***no_ci***", "skip-checks:"];
    while let Some(first) = rest.chars().next() {
        safe.push(first);
        let lower: String = rest.chars().take(20).collect::<String>().to_ascii_lowercase();
        if first == '@' || first == '#' || MARKS.iter().any(|mark| lower.starts_with(mark)) {
            safe.push(BREAK);
        }
        rest = &rest[first.len_utf8()..];
    }
    safe
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

    #[test]
    fn mentions_closing_keywords_and_skip_marks_lose_their_effect() {
        let safe = harmless("Fixes #12 for @org/team [skip ci]\u{1b}[31m\nSigned-off-by: x");
        assert!(
            !safe.contains("#12")
                && !safe.contains("@org")
                && !safe.contains("[skip ci]")
                && !safe.contains('\n')
                && !safe.contains('\u{1b}')
        );
    }
}
