//! SLO documents of other tools to policies: Sloth, Pyrra and OpenSLO.
//!
//! Texts in, texts out: what each document says is carried over as far as a policy can say it, and what cannot is a finding with its place
//! and a comment in the printed policy. Nothing is guessed: the repository, the paths and the metrics server come from the caller, because
//! no such document knows them. What is printed passes `revertd check`.

mod draft;
pub(super) mod openslo;
mod promql;
mod pyrra;
mod sloth;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::check_texts;
use super::diagnostic::{Cause, Diagnostic, Findings, Span};
use super::load::{decode, trees};
use super::measure;
use super::node::{Node, Scalar, Value};

use draft::{Draft, QueryDraft, SloDraft};

pub use draft::Options;

/// Whose documents they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Sloth: `PrometheusServiceLevel`, or `version: prometheus/v1`.
    Sloth,
    /// Pyrra: `ServiceLevelObjective`.
    Pyrra,
    /// OpenSLO v1: `SLO` with `SLI`, `AlertPolicy` and `AlertCondition`.
    OpenSlo,
}

/// What an import gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The policies as YAML documents; empty where there is none.
    pub text: String,
    /// How many policies there are.
    pub policies: usize,
    /// What could not be carried over (warnings), and what cannot be read at all (errors).
    pub findings: Vec<Diagnostic>,
}

/// The factor, long and short window of the alert that pages first (Google SRE workbook, chapter 5): 2 % of 30 days' budget in an hour.
const PAGE_FACTOR: f64 = 14.4;

/// The alert of what has no burn rate.
const FAILING: &str = "{failing: {count: 3, of: 5}}";

/// What to do about an SLO that is left out.
const BY_HAND: &str = "write it by hand";

/// One burn rate of a source: the factor, both windows in minutes, and the highest mode that it may reach.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Burn {
    factor: f64,
    long_minutes: u64,
    short_minutes: u64,
    up_to: UpTo,
}

impl Burn {
    /// The quicker first: by the factor, and of equal ones by the window.
    fn quicker(&self, other: &Self) -> Ordering {
        other.factor.total_cmp(&self.factor).then_with(|| self.long_minutes.cmp(&other.long_minutes))
    }
}

/// How far an alert of a source may go. What pages at once may do everything that the policy allows; a slower one is for people to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UpTo {
    Merge,
    Propose,
    Observe,
}

/// What an importer writes to.
struct Importer<'a, 'b> {
    options: &'a Options,
    findings: &'a mut Findings<'b>,
    drafts: Vec<Draft>,
}

/// Reads SLO documents and writes the policies that say the same.
pub fn import(format: Format, name: &str, bytes: &[u8], options: &Options) -> Imported {
    let mut list = Vec::new();
    let text = match decode(name, bytes) {
        Ok(text) => text,
        Err(diagnostic) => return Imported { text: String::new(), policies: 0, findings: vec![*diagnostic] },
    };
    let (source, roots) = trees(name, &text, &mut list);
    let mut findings = Findings::new(&source, &mut list);
    let mut importer = Importer { options, findings: &mut findings, drafts: Vec::new() };
    match format {
        Format::Sloth => sloth::import(&roots, &mut importer),
        Format::Pyrra => pyrra::import(&roots, &mut importer),
        Format::OpenSlo => openslo::import(&roots, &mut importer),
    }
    let mut drafts = importer.drafts;
    drafts.retain(|draft| !draft.slos.is_empty());
    if drafts.is_empty() && !list.iter().any(Diagnostic::is_error) {
        let message = "the file holds nothing that a policy can be made of".to_owned();
        list.push(Diagnostic::whole_file(Cause::Content, name, message, None));
    }
    Imported { text: drafts.iter().map(|draft| draft.to_yaml(options)).collect(), policies: drafts.len(), findings: list }
}

/// Why no policy could have these options; `None` where one can.
pub fn refused(options: &Options) -> Option<String> {
    let slo = SloDraft {
        name: "up".to_owned(),
        comments: Vec::new(),
        server: None,
        query: QueryDraft::Value("up".to_owned()),
        freshness: "up".to_owned(),
        objective: "{min: 1}".to_owned(),
        alerts: vec![FAILING.to_owned()],
    };
    let trial = Draft { name: "service".to_owned(), slos: vec![slo], ..Draft::default() };
    check_texts(&[(String::new(), trial.to_yaml(options).into_bytes())]).into_iter().find(Diagnostic::is_error).map(|found| found.message)
}

// === what the importers share ===

impl Importer<'_, '_> {
    /// Says that something could not be carried over, on the terminal and in the policy.
    fn note(&mut self, comments: &mut Vec<String>, span: Span, sentence: impl Into<String>) {
        let sentence = sentence.into();
        comments.push(format!("Not carried over: {sentence}."));
        self.findings.warning(span, sentence, None);
    }

    /// Says that an SLO is left out.
    fn skip(&mut self, span: Span, sentence: impl Into<String>) {
        self.findings.warning(span, sentence, BY_HAND.to_owned());
    }

    /// The policy of a service, made where it is not there yet.
    fn policy(&mut self, service: &str, labels: Option<&Node>) -> &mut Draft {
        let name = name_of(service);
        let at = self.drafts.iter().position(|draft| draft.name == name).unwrap_or_else(|| {
            let mut draft = Draft { name: name.clone(), ..Draft::default() };
            if name != service {
                draft.comments.push(format!("The source calls the service \"{}\".", one_line(service)));
            }
            self.drafts.push(draft);
            self.drafts.len() - 1
        });
        add_labels(&mut self.drafts[at].labels, labels);
        &mut self.drafts[at]
    }

    /// Adds an SLO to the policy of a service, under a name that no other one has. What a policy would not take is left out: a query can
    /// be wrong in the source already.
    fn add(&mut self, service: &str, labels: Option<&Node>, span: Span, mut slo: SloDraft) {
        let options = self.options;
        let trial = Draft { name: name_of(service), slos: vec![slo.clone()], ..Draft::default() };
        let refused = check_texts(&[(String::new(), trial.to_yaml(options).into_bytes())]).into_iter().find(Diagnostic::is_error);
        if let Some(refused) = refused {
            return self.skip(span, format!("the SLO `{}` is left out: {}", slo.name, refused.message));
        }
        let draft = self.policy(service, labels);
        slo.name = free_name(&slo.name, |name| draft.slos.iter().any(|other| other.name == name));
        draft.slos.push(slo);
    }

    /// A required text; says what is missing where it is not there.
    fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        text(node, key, self.findings)
    }
}

/// A required text; says what is missing where it is not there.
fn text(node: &Node, key: &str, findings: &mut Findings<'_>) -> Option<String> {
    let value = node.get(key);
    let found = value.and_then(scalar_text);
    if found.is_none() {
        findings.error(value.map_or(node.span, |value| value.span), format!("it lacks the key `{key}`, or that is no text"), None);
    }
    found
}

/// A scalar as it was written.
fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar { text, .. } if node.scalar() != Some(Scalar::Null) => Some(text.clone()),
        _ => None,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name that policies can have: small letters, digits, `-` and `.`.
pub(super) fn name_of(text: &str) -> String {
    let name: String = text
        .trim()
        .to_ascii_lowercase()
        .chars()
        .map(|char| if char.is_ascii_lowercase() || char.is_ascii_digit() || char == '.' { char } else { '-' })
        .take(63)
        .collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "unnamed".to_owned() } else { name.to_owned() }
}

/// The name of an SLO, with a number where it is taken.
pub(super) fn free_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let base: String = name.chars().take(58).collect();
    let mut free = name.to_owned();
    let mut number = 2;
    while is_taken(&free) {
        free = format!("{}-{number}", base.trim_end_matches(['-', '.']));
        number += 1;
    }
    free
}

/// Carries labels over: those whose values are texts on one line.
fn add_labels(labels: &mut BTreeMap<String, String>, node: Option<&Node>) {
    for entry in node.map_or(&[][..], Node::entries) {
        if let Some(value) = scalar_text(&entry.value).map(|value| one_line(&value)).filter(|value| !value.is_empty())
            && !entry.key.is_empty()
            && entry.key.len() <= 253
        {
            labels.entry(entry.key.clone()).or_insert(value);
        }
    }
}

/// A percentage as a policy writes it (`99.9%`), with the share of failures that it allows.
fn percentage(text: &str) -> Option<(String, f64)> {
    let percent: f64 = text.trim().parse().ok()?;
    if !(percent > 0.0 && percent < 100.0) {
        return None;
    }
    let digits = format!("{percent:.7}");
    Some((format!("{}%", digits.trim_end_matches('0').trim_end_matches('.')), 1.0 - percent / 100.0))
}

/// The alerts of a source, the quickest first, with what a policy needs of each: a factor that the target lets fire, whole minutes, and a short
/// window that is shorter. With them a sentence for each that has another factor than the source says, or is left out.
fn burn_rates(mut burns: Vec<Burn>, allowed: f64) -> (Vec<String>, Vec<String>) {
    burns.sort_by(Burn::quicker);
    let (mut alerts, mut changes) = (Vec::new(), Vec::new());
    let mut last = f64::INFINITY;
    for burn in burns {
        // No error ratio is over 1: every other failed event is far enough from the target.
        let is_reachable = burn.factor * allowed < 1.0;
        let factor = if is_reachable { burn.factor } else { 0.5 / allowed };
        if factor >= last {
            let long = burn.long_minutes;
            changes.push(format!(
                "a burn rate of {} over {long}m: a quicker alert fires at a factor of {} already",
                burn.factor,
                plain(last)
            ));
            continue;
        }
        last = factor;
        let written = if is_reachable { factor.to_string() } else { plain(factor) };
        if !is_reachable {
            changes.push(format!(
                "a burn rate of {}: with its target none is over {}, so that {written} stands for it",
                burn.factor,
                plain(1.0 / allowed)
            ));
        }
        let long = burn.long_minutes.max(2);
        let short = burn.short_minutes.clamp(1, long - 1);
        let (since_change, up_to) = match burn.up_to {
            UpTo::Merge => (", sinceChange: true", ""),
            UpTo::Propose => ("", ", upTo: propose"),
            UpTo::Observe => ("", ", upTo: observe"),
        };
        alerts.push(format!("{{burnRate: {{factor: {written}, long: {long}m, short: {short}m{since_change}}}{up_to}}}"));
    }
    (alerts, changes)
}

/// The alert of what has no burn rate. It may go as far as the furthest of the burn rates that it stands for.
fn failing(burns: &[Burn]) -> String {
    let up_to = if burns.iter().any(|burn| burn.up_to == UpTo::Merge) {
        return FAILING.to_owned();
    } else if burns.iter().any(|burn| burn.up_to == UpTo::Propose) {
        "propose"
    } else {
        "observe"
    };
    format!("{{failing: {{count: 3, of: 5}}, upTo: {up_to}}}")
}

/// A number without needless digits.
fn plain(number: f64) -> String {
    let text = format!("{number:.6}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The most that an error ratio may be where only the ratio is known: what would page, by the factor of the quick alert, at most one half.
fn highest_ratio(allowed: f64) -> String {
    plain((PAGE_FACTOR * allowed).clamp(0.000_001, 0.5))
}

/// A duration of another tool as a policy writes it: `4w` as it is, a month as 30 days, a quarter as 90, a year as 365.
fn time_window(text: &str) -> Option<String> {
    let text = text.trim();
    if measure::duration(text).is_some_and(|window| window.as_secs() >= 60 && window.as_secs() <= 366 * 86_400) {
        return Some(text.to_owned());
    }
    let (digits, unit) = text.split_at(text.len().checked_sub(1).filter(|at| text.is_char_boundary(*at))?);
    let count: u32 = digits.parse().ok()?;
    let days = match unit {
        "M" => 30,
        "Q" => 90,
        "Y" | "y" => 365,
        _ => return None,
    };
    let days = count.checked_mul(days)?;
    (1..=366).contains(&days).then(|| format!("{days}d"))
}

/// Good events as all events less the failed ones, of which there may be none at all: then the query for them answers nothing, not 0.
fn good_from_bad(bad: &str, total: &str) -> String {
    format!("{total} - ({bad} or vector(0))")
}

#[cfg(test)]
mod tests;
