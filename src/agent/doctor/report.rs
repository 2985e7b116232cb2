//! What an examination comes to: findings in sections, each with a verdict and, where something can be done, what to do.

use serde::Serialize;

/// How something stands. The order is the order of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// In order.
    Ok,
    /// It cannot be seen from here.
    NotSeen,
    /// It works, and less well or less safely than it could.
    Warning,
    /// Something that the configuration asks for does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How it stands.
    pub verdict: Verdict,
    /// What was looked at, in a word or two.
    pub subject: String,
    /// What was found, in one sentence without a full stop. May quote what servers said.
    pub sentence: String,
    /// What to do about it; always there but for [`Verdict::Ok`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// What belongs to one thing: this machine, a repository, a metrics server, a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// What, by kind and name.
    pub about: String,
    /// What was found, in the order of looking.
    pub findings: Vec<Finding>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// By what it is about.
    pub sections: Vec<Section>,
}

// === impl Verdict ===

impl Verdict {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotSeen => "not seen",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

// === impl Finding ===

impl Finding {
    pub(super) fn ok(subject: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, subject: subject.into(), sentence: sentence.into(), fix: None }
    }

    pub(super) fn not_seen(subject: impl Into<String>, sentence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotSeen, subject: subject.into(), sentence: sentence.into(), fix: Some(fix.into()) }
    }

    pub(super) fn warning(subject: impl Into<String>, sentence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, subject: subject.into(), sentence: sentence.into(), fix: Some(fix.into()) }
    }

    pub(super) fn problem(subject: impl Into<String>, sentence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Problem, subject: subject.into(), sentence: sentence.into(), fix: Some(fix.into()) }
    }
}

// === impl Section ===

impl Section {
    pub(super) fn new(about: impl Into<String>) -> Self {
        Self { about: about.into(), findings: Vec::new() }
    }
}

// === impl Report ===

impl Report {
    /// How many findings have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.sections.iter().flat_map(|section| &section.findings).filter(|finding| finding.verdict == verdict).count()
    }
}

/// Names in backticks, with a word before the last one.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {word} {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
