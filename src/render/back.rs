//! The text of a proposal that brings a change back: what would come back and why, what merging does, and that only people do it.

use super::neutral::{self, Markdown};
use super::proposal::{self, ProposalContext, ProposalView};
use super::templates::{TemplateError, Templates};
use crate::engine::decision::DecisionRecord;
use crate::engine::id::CommitId;

/// The template.
pub(super) const TEMPLATE: &str = "reapply.md";

/// What a proposal brings back, and why.
#[derive(Clone, Debug)]
pub struct BackView<'a> {
    /// The revert that it takes away.
    pub reverted: CommitId,
    /// Why.
    pub why: BackWhy<'a>,
    /// What was decided about it last.
    pub decision: Option<&'a DecisionRecord>,
}

/// Why a change is to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackWhy<'a> {
    /// The revert changed nothing; the arithmetic.
    ChangedNothing(&'a str),
    /// A person asked for it.
    Asked {
        /// Who.
        by: &'a str,
        /// The reason. Untrusted.
        reason: &'a str,
    },
}

// === impl BackWhy ===

impl BackWhy<'_> {
    /// In plain words.
    pub fn sentence(&self) -> String {
        match self {
            Self::ChangedNothing(arithmetic) => {
                format!("The revert was effective everywhere and changed nothing: {}.", arithmetic.trim_end_matches('.'))
            }
            Self::Asked { by, reason } => format!("{by} asked for it: {}", reason.trim_end_matches('.')),
        }
    }
}

/// The text, at most 65,536 characters.
///
/// # Errors
/// The template does not fit, which is excluded when it is loaded.
pub fn body(templates: &Templates, view: &ProposalView<'_>) -> Result<String, TemplateError> {
    let context = ProposalContext::new(view);
    Ok(super::within_limit(&templates.render(TEMPLATE, &context)?, ""))
}

/// Which revert is taken away; empty for a proposal that brings nothing back.
pub(super) fn reverted(view: &ProposalView<'_>) -> Markdown {
    let sentence = view.back.as_ref().map(|back| format!("revertd took it away with {}.", back.reverted));
    Markdown::trusted(sentence.unwrap_or_default())
}

/// Why it is to come back; empty for a proposal that brings nothing back.
pub(super) fn why(view: &ProposalView<'_>) -> Markdown {
    view.back.as_ref().map(|back| neutral::sentence(&back.why.sentence())).unwrap_or_default()
}

/// The lines about how often the policies were right.
pub(super) fn record(view: &ProposalView<'_>) -> Vec<Markdown> {
    view.record.iter().map(|line| neutral::sentence(&proposal::as_sentence(line))).collect()
}
