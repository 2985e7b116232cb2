//! OpenSLO v1: `SLO` documents with what they refer to (`SLI`, `AlertPolicy`, `AlertCondition`, `DataSource`), inline or by name.
//!
//! One translation for both who print policies and who read such documents beside policies: it says what each objective becomes, what of
//! it cannot be said and where. `Service` has labels for a printed policy; `AlertNotificationTarget` has no counterpart.

mod alerts;
mod form;

use super::promql::{self, Ranges};
use super::{
    BY_HAND, Importer, QueryDraft, SloDraft, burn_rates, failing, highest_ratio, name_of, one_line, percentage, scalar_text, time_window,
};
use crate::config::check::nearest;
use crate::config::diagnostic::{Span, quoted};
use crate::config::node::{Node, Scalar, Value};

pub use form::form;

/// The second is the group under which the operator OSKO keeps the same documents in Kubernetes.
pub const API_VERSIONS: &[&str] = &["openslo/v1", "openslo.com/v1"];

/// The kinds of OpenSLO 1.
pub const KINDS: &[&str] = &["SLO", "SLI", "AlertPolicy", "AlertCondition", "Service", "DataSource", "AlertNotificationTarget"];

/// An objective of an SLO as an SLO of a policy.
pub struct Translated {
    /// The SLO.
    pub draft: SloDraft,
    /// Where its parts are.
    pub places: Places,
    /// What is not carried over, and where.
    pub notes: Vec<(Span, String)>,
}

/// Where the parts of a translated SLO are.
#[derive(Clone, Copy)]
pub struct Places {
    /// The name of the SLO.
    pub name: Span,
    /// The objective.
    pub objective: Span,
    /// The query for good events; the only one, where there is one.
    pub good: Span,
    /// The query for all events; the only one, where there is one.
    pub total: Span,
    /// The name of the data source; the metric source, where it has none.
    pub server: Span,
}

/// Why an SLO cannot be translated.
#[derive(Debug)]
pub struct Unfit {
    /// Where.
    pub span: Span,
    /// The end of a sentence.
    pub why: String,
    /// What sort of reason it is.
    pub reason: Reason,
    /// What was meant, if that can be guessed.
    pub hint: Option<String>,
}

/// Why an SLO cannot be translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The document is wrong.
    Wrong,
    /// The document is right, and says what no policy can say.
    Beyond,
    /// How old the data is cannot be seen from its query.
    NoFreshness,
}

/// Reads every SLO for printing.
pub(super) fn import(roots: &[Node], importer: &mut Importer<'_, '_>) {
    for root in roots {
        let before = importer.findings.errors();
        form(root, importer.findings);
        if importer.findings.errors() == before && is_slo(root) {
            print(root, roots, importer);
        }
    }
}

/// Adds what an SLO becomes to the policies to print.
fn print(root: &Node, roots: &[Node], importer: &mut Importer<'_, '_>) {
    let (Some(name), Some(service)) = (name(root), service(root)) else { return };
    for (objective, span) in translate(root, roots, None) {
        match objective {
            Ok(translated) => {
                for (span, sentence) in translated.notes {
                    importer.findings.warning(span, sentence, None);
                }
                importer.add(&service, root.get("metadata").and_then(|metadata| metadata.get("labels")), span, translated.draft);
                let labels = named(roots, "Service", &service).and_then(|service| service.get("metadata")?.get("labels"));
                importer.policy(&service, labels);
            }
            Err(unfit) => {
                let hint = unfit.hint.unwrap_or_else(|| BY_HAND.to_owned());
                importer.findings.warning(unfit.span, format!("the SLO `{}` is left out: {}", one_line(&name), unfit.why), hint);
            }
        }
    }
}

/// Whether a document is an SLO.
pub fn is_slo(root: &Node) -> bool {
    root.get("kind").and_then(Node::text) == Some("SLO")
}

/// `metadata.name`.
pub fn name(root: &Node) -> Option<String> {
    scalar_text(root.get("metadata")?.get("name")?)
}

/// The service of an SLO.
pub fn service(root: &Node) -> Option<String> {
    scalar_text(root.get("spec")?.get("service")?)
}

/// The document of a kind and name.
fn named<'a>(roots: &'a [Node], kind: &str, wanted: &str) -> Option<&'a Node> {
    roots.iter().find(|root| root.get("kind").and_then(Node::text) == Some(kind) && name(root).as_deref() == Some(wanted))
}

/// The `spec` of the document of a kind that a reference names.
fn referred<'a>(roots: &'a [Node], kind: &str, reference: &Node) -> Result<&'a Node, Unfit> {
    let wanted = scalar_text(reference).unwrap_or_default();
    named(roots, kind, &wanted).and_then(|root| root.get("spec")).ok_or_else(|| {
        let of_kind = roots.iter().filter(|root| root.get("kind").and_then(Node::text) == Some(kind));
        let known: Vec<String> = of_kind.filter_map(name).collect();
        let near = nearest(&wanted, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        let hint = near.unwrap_or_else(|| format!("put the document of the kind `{kind}` beside this one"));
        Unfit { hint: Some(hint), ..wrong(reference.span, format!("there is no {kind} {}", quoted(&one_line(&wanted)))) }
    })
}

/// The objects of a list; none where the key is not there or has no value.
fn list<'a>(node: &'a Node, key: &str) -> Result<&'a [Node], Unfit> {
    let Some(found) = node.get(key).filter(|found| found.scalar() != Some(Scalar::Null)) else { return Ok(&[]) };
    let Value::List(items) = &found.value else {
        return Err(wrong(found.span, format!("its `{key}` is a list, and this is {}", found.what())));
    };
    match items.iter().find(|item| !matches!(item.value, Value::Map(_))) {
        Some(item) => Err(wrong(item.span, format!("an item of its `{key}` is an object, and this is {}", item.what()))),
        None => Ok(items),
    }
}

/// What each objective of an SLO becomes, with its place. `freshness` stands in for what a query does not show.
pub fn translate(root: &Node, roots: &[Node], freshness: Option<&str>) -> Vec<(Result<Translated, Unfit>, Span)> {
    let (Some(spec), Some(metadata)) = (root.get("spec"), root.get("metadata")) else { return Vec::new() };
    let slo = Slo { name: metadata.get("name").unwrap_or(metadata), spec, roots, freshness };
    let span = spec.get("objectives").map_or(spec.span, |node| node.span);
    match list(spec, "objectives") {
        Err(unfit) => vec![(Err(unfit), span)],
        Ok([]) => vec![(Err(wrong(span, "it has no `objectives`")), span)],
        Ok(objectives) => objectives.iter().map(|objective| (slo.objective(objective), objective.span)).collect(),
    }
}

fn wrong(span: Span, why: impl Into<String>) -> Unfit {
    Unfit { span, why: why.into(), reason: Reason::Wrong, hint: None }
}

fn beyond(span: Span, why: impl Into<String>) -> Unfit {
    Unfit { span, why: why.into(), reason: Reason::Beyond, hint: None }
}

/// An SLO with what it may refer to.
struct Slo<'a> {
    name: &'a Node,
    spec: &'a Node,
    roots: &'a [Node],
    freshness: Option<&'a str>,
}

/// What is not carried over: as comments of a printed policy, and with places.
#[derive(Default)]
struct Notes {
    comments: Vec<String>,
    placed: Vec<(Span, String)>,
}

impl Notes {
    fn add(&mut self, span: Span, sentence: impl Into<String>) {
        let sentence = sentence.into();
        self.comments.push(format!("Not carried over: {sentence}."));
        self.placed.push((span, sentence));
    }
}

impl Slo<'_> {
    fn objective(&self, objective: &Node) -> Result<Translated, Unfit> {
        let spec = self.spec;
        let mut notes = Notes::default();
        notes.comments.extend(spec.get("description").and_then(scalar_text).map(|text| one_line(&text)));
        // An objective of a composite SLO has its own indicator.
        let indicator = self.indicator(objective).or_else(|| self.indicator(spec));
        let indicator = indicator.ok_or_else(|| wrong(spec.span, "it has neither an `indicator` nor an `indicatorRef`"))??;
        let measured = self.measured(indicator)?;
        if let Some(span) = measured.fixed {
            notes.add(span, "a fixed range of its queries became `$window`");
        }
        if let Some(method) = spec.get("budgetingMethod").filter(|method| method.text().is_some_and(|method| method != "Occurrences")) {
            notes.add(method.span, "its budgeting by time slices: events are counted");
        }
        let window = window(spec, &mut notes)?;
        let (objective_text, alerts) = self.judged(objective, measured.sort, &window, &mut notes)?;
        let name = scalar_text(self.name).unwrap_or_default();
        let places = Places { name: self.name.span, objective: objective.span, ..measured.places };
        let draft = SloDraft {
            name: name_of(&name),
            comments: notes.comments,
            server: measured.server,
            query: measured.query,
            freshness: measured.freshness,
            objective: objective_text,
            alerts,
        };
        Ok(Translated { draft, places, notes: notes.placed })
    }

    /// The objective and the alerts of what is measured.
    fn judged(&self, objective: &Node, sort: Sort, window: &str, notes: &mut Notes) -> Result<(String, Vec<String>), Unfit> {
        let target = target(objective);
        let no_target = || wrong(objective.span, "it has no target between 0 and 100 %");
        match sort {
            Sort::Counts => {
                let (target, allowed) = target.ok_or_else(no_target)?;
                let (alerts, changes) = burn_rates(alerts::burns(self.spec, self.roots, notes)?, allowed);
                changes.into_iter().for_each(|sentence| notes.add(objective.span, sentence));
                Ok((format!("{{target: {target}{window}}}"), alerts))
            }
            Sort::FailureRatio => {
                let (target, allowed) = target.ok_or_else(no_target)?;
                let sentence =
                    format!("its target of {target}: a ratio without its events has no burn rate, so that a fixed `max` stands for it");
                notes.add(objective.span, sentence);
                let alert = self.rounds_alert("a ratio without its events", notes)?;
                Ok((format!("{{max: {}}}", highest_ratio(allowed)), vec![alert]))
            }
            Sort::Threshold => {
                let bound = threshold(objective).ok_or_else(|| wrong(objective.span, "its objective has no `op` with a `value`"))?;
                if let Some((target, _)) = target {
                    let sentence = format!("its target of {target}: of a value, rounds are counted and not events");
                    notes.add(objective.span, sentence);
                }
                let alert = self.rounds_alert("a value", notes)?;
                Ok((format!("{{{bound}}}"), vec![alert]))
            }
        }
    }

    /// The alert of what has no events. Notes that its alert policies are not carried over; one that is not there is wrong all the same.
    fn rounds_alert(&self, what: &str, notes: &mut Notes) -> Result<String, Unfit> {
        let burns = alerts::burns(self.spec, self.roots, &mut Notes::default())?;
        if let Some(policies) = self.spec.get("alertPolicies").filter(|policies| !policies.items().is_empty()) {
            notes.add(policies.span, format!("its alert policies: {what} has no burn rate, so that 3 bad rounds of 5 alert"));
        }
        Ok(failing(&burns))
    }

    /// The `spec` of the indicator that an SLO or an objective has or names.
    fn indicator<'n>(&'n self, holder: &'n Node) -> Option<Result<&'n Node, Unfit>> {
        if let Some(reference) = holder.get("indicatorRef") {
            return Some(referred(self.roots, "SLI", reference));
        }
        let indicator = holder.get("indicator")?;
        Some(indicator.get("spec").ok_or_else(|| wrong(indicator.span, "its `indicator` has no `spec`")))
    }

    fn measured(&self, indicator: &Node) -> Result<Measured, Unfit> {
        if let Some(threshold) = indicator.get("thresholdMetric") {
            let source = self.source(threshold)?;
            let query = source.query.clone();
            return self.valued(Sort::Threshold, &source, query);
        }
        let no_metric = || wrong(indicator.span, "it has neither `thresholdMetric` nor `ratioMetric`");
        let ratio = indicator.get("ratioMetric").ok_or_else(no_metric)?;
        if let Some(raw) = ratio.get("raw") {
            let source = self.source(raw)?;
            let query = match ratio.get("rawType").and_then(Node::text) {
                Some("success") => format!("1 - ({})", source.query),
                Some("failure") => source.query.clone(),
                _ => return Err(wrong(ratio.span, "its `rawType` is neither `success` nor `failure`")),
            };
            return self.valued(Sort::FailureRatio, &source, query);
        }
        let all = self.source(ratio.get("total").ok_or_else(|| wrong(ratio.span, "it has no `total`"))?)?;
        let freshness = self.freshness_of(&all)?;
        let (total, ranges) = counted(&all, ratio)?;
        let part = ratio.get("good").or_else(|| ratio.get("bad")).ok_or_else(|| wrong(ratio.span, "it has neither `good` nor `bad`"))?;
        let part = self.source(part)?;
        if let (Some(one), Some(other)) = (&part.server, &all.server)
            && one != other
        {
            let why = format!("its events are at the data source {}, and all of them at {}", quoted(one), quoted(other));
            return Err(beyond(part.server_span, why));
        }
        let (events, part_ranges) = counted(&part, ratio)?;
        let good = if ratio.get("good").is_some() { events } else { super::good_from_bad(&events, &total) };
        let is_fixed = |(_, ranges): &(Span, Ranges)| *ranges == Ranges::Fixed;
        let fixed = [(part.span, part_ranges), (all.span, ranges)].into_iter().find(is_fixed).map(|(span, _)| span);
        let server_span = if all.server.is_some() { all.server_span } else { part.server_span };
        let places = Places { good: part.span, server: server_span, ..all.places() };
        Ok(Measured {
            sort: Sort::Counts,
            query: QueryDraft::Ratio { good, total },
            freshness,
            fixed,
            server: all.server.or(part.server),
            places,
        })
    }

    fn valued(&self, sort: Sort, source: &MetricSource, query: String) -> Result<Measured, Unfit> {
        let (freshness, server) = (self.freshness_of(source)?, source.server.clone());
        Ok(Measured { sort, query: QueryDraft::Value(query), freshness, fixed: None, server, places: source.places() })
    }

    fn freshness_of(&self, source: &MetricSource) -> Result<String, Unfit> {
        let found = self.freshness.map(str::to_owned).or_else(|| promql::selector(&source.query));
        found.ok_or_else(|| Unfit { reason: Reason::NoFreshness, ..beyond(source.span, "no metric is found in its query") })
    }

    /// The query of a metric and the name of its data source, where it has one.
    fn source(&self, metric: &Node) -> Result<MetricSource, Unfit> {
        let source = metric.get("metricSource").ok_or_else(|| wrong(metric.span, "a metric has no `metricSource`"))?;
        let reference = source.get("metricSourceRef");
        let server = reference.and_then(scalar_text);
        let data_source = server.as_ref().and_then(|name| named(self.roots, "DataSource", name)).and_then(|source| source.get("spec"));
        let kind = source.get("type").or_else(|| data_source?.get("type"));
        if let Some((node, kind)) = kind.and_then(|node| Some((node, node.text()?))).filter(|(_, kind)| !speaks_promql(kind)) {
            let why = format!("its metric source is `{}`, and only servers with the API of Prometheus are asked", one_line(kind));
            return Err(beyond(node.span, why));
        }
        let spec = source.get("spec").ok_or_else(|| wrong(source.span, "a metric source has no `spec`"))?;
        let node = ["query", "promql", "expr"].into_iter().find_map(|key| spec.get(key));
        let query = node.and_then(scalar_text).map(|query| promql::tidy(&query)).filter(|query| !query.is_empty());
        Ok(MetricSource {
            query: query.ok_or_else(|| wrong(spec.span, "a metric source has no `query`"))?,
            span: node.map_or(spec.span, |node| node.span),
            server: server.map(|name| name_of(&name)),
            server_span: reference.map_or(source.span, |node| node.span),
        })
    }
}

/// A query of an indicator.
struct MetricSource {
    query: String,
    span: Span,
    server: Option<String>,
    server_span: Span,
}

impl MetricSource {
    fn places(&self) -> Places {
        Places { name: self.span, objective: self.span, good: self.span, total: self.span, server: self.server_span }
    }
}

/// What an SLI gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Counts,
    FailureRatio,
    Threshold,
}

struct Measured {
    sort: Sort,
    query: QueryDraft,
    freshness: String,
    /// The query whose range was a fixed one.
    fixed: Option<Span>,
    server: Option<String>,
    places: Places,
}

fn speaks_promql(kind: &str) -> bool {
    ["prometheus", "mimir", "cortex", "thanos", "victoriametrics"].iter().any(|known| kind.eq_ignore_ascii_case(known))
}

/// Whether the values are counters: what the document says, and else what Prometheus' conventions for names say.
fn counts_up(ratio: &Node, query: &str) -> bool {
    match ratio.get("counter").and_then(scalar_text).as_deref() {
        Some(said) => said == "true",
        None => {
            let name = promql::selector(query).unwrap_or_default();
            let name = name.split('{').next().unwrap_or_default().trim_end();
            ["_total", "_count", "_bucket", "_sum"].iter().any(|ending| name.ends_with(ending))
        }
    }
}

/// A query of events as their number over `$window`. Without a range it is a counter's own value: then its increase is meant.
fn counted(source: &MetricSource, ratio: &Node) -> Result<(String, Ranges), Unfit> {
    let query = &source.query;
    match promql::over_window(query) {
        Ok((query, ranges)) => Ok((promql::single(&query), ranges)),
        Err(why) => {
            let selector = promql::selector(query).filter(|selector| *query == *selector || *query == format!("sum({selector})"));
            match selector {
                Some(selector) if counts_up(ratio, query) => Ok((format!("sum(increase({selector}[$window]))"), Ranges::Templates)),
                Some(_) => Err(beyond(source.span, "its events are no counters, and cannot be counted over a window")),
                None => Err(beyond(source.span, format!("its query cannot be counted over a window: {why}"))),
            }
        }
    }
}

fn target(objective: &Node) -> Option<(String, f64)> {
    if let Some(percent) = objective.get("targetPercent").and_then(scalar_text) {
        return percentage(&percent);
    }
    let share: f64 = objective.get("target").and_then(scalar_text)?.trim().parse().ok()?;
    percentage(&format!("{:.9}", share * 100.0))
}

/// `max: 0.3` or `min: 5`.
fn threshold(objective: &Node) -> Option<String> {
    let value: f64 = objective.get("value").and_then(scalar_text)?.trim().parse().ok().filter(|value: &f64| value.is_finite())?;
    match objective.get("op").and_then(Node::text)? {
        "lt" | "lte" => Some(format!("max: {value}")),
        "gt" | "gte" => Some(format!("min: {value}")),
        _ => None,
    }
}

fn window(spec: &Node, notes: &mut Notes) -> Result<String, Unfit> {
    let windows = list(spec, "timeWindow")?;
    let Some(window) = windows.first() else { return Ok(String::new()) };
    if let Some(second) = windows.get(1) {
        notes.add(second.span, "its second time window: an SLO has one, and the first counts");
    }
    if window.get("calendar").is_some() || window.get("isRolling").and_then(scalar_text).as_deref() == Some("false") {
        notes.add(window.span, "its calendar window: the window of the budget rolls");
    }
    let text = window.get("duration").and_then(scalar_text).unwrap_or_default();
    Ok(match time_window(&text) {
        Some(window) => format!(", timeWindow: {window}"),
        None => {
            notes.add(window.span, format!("its window `{}`, which no policy can have", one_line(&text)));
            String::new()
        }
    })
}
