//! One candidate of an attribution, as the proposal and the report show it.

use serde::Serialize;

use super::neutral::{self, Markdown};
use crate::engine::attribution::{Candidate, Standing};

/// What a template sees of a candidate.
#[derive(Debug, Serialize)]
pub(super) struct CandidateContext {
    commit: Markdown,
    subject: Markdown,
    landed: Markdown,
    standing: Markdown,
    because: Markdown,
}

impl CandidateContext {
    /// For trying a template out.
    pub(super) fn sample() -> Self {
        let word = || Markdown::trusted("x");
        Self { commit: word(), subject: word(), landed: word(), standing: word(), because: word() }
    }

    /// `because`: why, as far as it fits where it stands.
    pub(super) fn new(candidate: &Candidate, because: &str) -> Self {
        Self {
            commit: Markdown::trusted(candidate.commit.to_string()),
            subject: neutral::code(&candidate.subject),
            landed: Markdown::trusted(candidate.landed.to_string()),
            standing: Markdown::trusted(match candidate.standing {
                Standing::Suspect => "suspected",
                Standing::AlsoPossible => "possible too",
                Standing::RuledOut => "ruled out",
                Standing::Unmapped => "owned by no policy",
            }),
            because: neutral::sentence(because),
        }
    }
}
