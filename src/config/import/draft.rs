//! Policies that are being written: what the importers fill in, and its text as YAML with comments.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A policy to print.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// What could not be carried over and concerns the policy.
    pub comments: Vec<String>,
    /// Its SLOs.
    pub slos: Vec<SloDraft>,
    /// `links.runbook`.
    pub runbook: Option<String>,
}

/// An SLO to print.
#[derive(Clone, Debug, PartialEq)]
pub struct SloDraft {
    /// Its name.
    pub name: String,
    /// Its description and what could not be carried over.
    pub comments: Vec<String>,
    /// The metrics server; that of [`Options`](super::Options) without one.
    pub server: Option<String>,
    /// What is asked.
    pub query: QueryDraft,
    /// The selector for freshness.
    pub freshness: String,
    /// `objective` as it is written, in braces.
    pub objective: String,
    /// The alerts as they are written, each in braces.
    pub alerts: Vec<String>,
}

/// What an SLO asks.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryDraft {
    /// Good and all events over `$window`.
    Ratio {
        /// Good events.
        good: String,
        /// All events.
        total: String,
    },
    /// A value.
    Value(String),
}

/// What SLO documents do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The repository of the policies.
    pub repository: String,
    /// Their paths; `{service}` stands for the name of the policy.
    pub paths: Vec<String>,
    /// The metrics server of their indicators.
    pub server: String,
}

impl Draft {
    /// The policy as YAML, from its `---` line on.
    pub fn to_yaml(&self, options: &Options) -> String {
        let mut text = String::from("---\n");
        self.comments.iter().for_each(|line| comment(&mut text, "", line));
        text.push_str("apiVersion: revertd.dev/v1alpha1\nkind: RevertPolicy\nmetadata:\n");
        line(&mut text, format_args!("  name: {}", quoted(&self.name)));
        if !self.labels.is_empty() {
            text.push_str("  labels:\n");
            for (key, value) in &self.labels {
                line(&mut text, format_args!("    {}: {}", quoted(key), quoted(value)));
            }
        }
        let paths: Vec<String> = options.paths.iter().map(|path| quoted(&path.replace("{service}", &self.name))).collect();
        text.push_str("spec:\n  # Which repository and which paths make the service, the source does not say.\n");
        line(&mut text, format_args!("  repository: {}\n  paths: [{}]\n  slos:", quoted(&options.repository), paths.join(", ")));
        self.slos.iter().for_each(|slo| slo.write(&mut text, &options.server));
        if let Some(runbook) = &self.runbook {
            line(&mut text, format_args!("  links: {{runbook: {}}}", quoted(runbook)));
        }
        text
    }
}

impl SloDraft {
    /// The SLO as the only item of `slos`. `server` is the metrics server where the source names none.
    pub fn to_yaml(&self, server: &str) -> String {
        let mut text = String::from("slos:\n");
        self.write(&mut text, server);
        text
    }

    fn write(&self, text: &mut String, server: &str) {
        self.comments.iter().for_each(|line| comment(text, "    ", line));
        line(text, format_args!("    - name: {}\n      indicator:\n        prometheus:", quoted(&self.name)));
        line(text, format_args!("          server: {}", quoted(self.server.as_deref().unwrap_or(server))));
        match &self.query {
            QueryDraft::Ratio { good, total } => {
                line(text, format_args!("          good: {}\n          total: {}", quoted(good), quoted(total)));
            }
            QueryDraft::Value(query) => line(text, format_args!("          query: {}", quoted(query))),
        }
        line(text, format_args!("          freshness: {}", quoted(&self.freshness)));
        line(text, format_args!("      objective: {}", self.objective));
        match self.alerts.as_slice() {
            [only] => line(text, format_args!("      alerts: [{only}]")),
            several => {
                text.push_str("      alerts:\n");
                several.iter().for_each(|alert| line(text, format_args!("        - {alert}")));
            }
        }
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a text does not fail.
    let _ = writeln!(text, "{content}");
}

fn comment(text: &mut String, indent: &str, content: &str) {
    for piece in content.lines().map(str::trim).filter(|piece| !piece.is_empty()) {
        let clean: String = piece.chars().filter(|char| !char.is_control()).collect();
        line(text, format_args!("{indent}# {clean}"));
    }
}

/// A text in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
