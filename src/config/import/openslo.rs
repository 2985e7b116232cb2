//! OpenSLO v1: `SLO` documents with what they refer to (`SLI`, `AlertPolicy`, `AlertCondition`), inline or by name, in one file.
//!
//! `DataSource` gives the name of the metrics server, `Service` its labels; `AlertNotificationTarget` has no counterpart.

use super::promql::{self, Ranges};
use super::{
    Burn, FAILING, Importer, PAGE_FACTOR, QueryDraft, SloDraft, UpTo, burn_rates, highest_ratio, name_of, one_line, percentage, plain,
    scalar_text, time_window,
};
use crate::config::measure;
use crate::config::node::Node;

/// Kinds that a policy has no use for, or that are looked up by the name that refers to them.
const OTHER_KINDS: &[&str] = &["SLI", "AlertPolicy", "AlertCondition", "Service", "DataSource", "AlertNotificationTarget"];

/// Reads every SLO.
pub fn import(roots: &[Node], importer: &mut Importer<'_, '_>) {
    for root in roots {
        let version = root.get("apiVersion").and_then(Node::text);
        let kind = root.get("kind").and_then(Node::text).unwrap_or_default();
        // The second is the group under which the operator OSKO keeps the same documents in Kubernetes.
        if !matches!(version, Some("openslo/v1" | "openslo.com/v1")) {
            importer.findings.error(root.span, "this is no OpenSLO document of version 1: its `apiVersion` is not `openslo/v1`", None);
        } else if kind == "SLO" {
            slo(root, roots, importer);
        } else if !OTHER_KINDS.contains(&kind) {
            importer.findings.error(root.span, "this is no kind of OpenSLO 1", None);
        }
    }
}

/// The document of a kind and name.
fn named<'a>(roots: &'a [Node], kind: &str, name: &str) -> Option<&'a Node> {
    let is = |root: &&Node| {
        root.get("kind").and_then(Node::text) == Some(kind)
            && root.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::text) == Some(name)
    };
    roots.iter().find(is)
}

fn slo(root: &Node, roots: &[Node], importer: &mut Importer<'_, '_>) {
    let Some(spec) = root.get("spec") else {
        return importer.findings.error(root.span, "it lacks the key `spec`", None);
    };
    let Some(metadata) = root.get("metadata") else {
        return importer.findings.error(root.span, "it lacks the key `metadata`", None);
    };
    let (Some(name), Some(service)) = (importer.text(metadata, "name"), importer.text(spec, "service")) else { return };
    let reference = spec.get("indicatorRef").and_then(scalar_text);
    let indicator = match &reference {
        Some(reference) => named(roots, "SLI", reference),
        None => spec.get("indicator"),
    };
    let Some(indicator) = indicator.and_then(|indicator| indicator.get("spec")) else {
        let which = reference.map_or_else(|| "an `indicator`".to_owned(), |reference| format!("the SLI `{}`", one_line(&reference)));
        return importer.skip(spec.span, format!("the SLO `{name}` is left out: {which} is not in the file"));
    };
    let objectives = spec.get("objectives").map_or(&[][..], Node::items);
    if objectives.is_empty() {
        importer.skip(spec.span, format!("the SLO `{name}` is left out: it has no `objectives`"));
    }
    for objective in objectives {
        let Some(draft) = one(&name, spec, indicator, objective, roots, importer) else { continue };
        importer.add(&service, metadata.get("labels"), objective.span, draft);
        let service_labels =
            named(roots, "Service", &service).and_then(|service| service.get("metadata")).and_then(|node| node.get("labels"));
        importer.policy(&service, service_labels);
    }
}

/// One objective of an SLO.
fn one(name: &str, spec: &Node, indicator: &Node, objective: &Node, roots: &[Node], importer: &mut Importer<'_, '_>) -> Option<SloDraft> {
    let mut comments: Vec<String> = spec.get("description").and_then(scalar_text).map(|text| one_line(&text)).into_iter().collect();
    let measured = match measured(indicator) {
        Ok(measured) => measured,
        Err(why) => {
            importer.skip(indicator.span, format!("the SLO `{name}` is left out: {why}"));
            return None;
        }
    };
    if measured.ranges == Ranges::Fixed {
        importer.note(&mut comments, indicator.span, "a fixed range of its queries became `$window`");
    }
    if spec.get("budgetingMethod").and_then(Node::text).is_some_and(|method| method != "Occurrences") {
        let span = spec.get("budgetingMethod").map_or(spec.span, |node| node.span);
        importer.note(&mut comments, span, "its budgeting by time slices: events are counted");
    }
    let window = window(spec, &mut comments, importer);
    let target = target(objective);
    let (objective_text, alerts) = match measured.sort {
        Sort::Counts => {
            let Some((target, allowed)) = target else {
                importer.skip(objective.span, format!("the SLO `{name}` is left out: it has no target between 0 and 100 %"));
                return None;
            };
            let alerts = burn_rates(burns(spec, roots, &mut comments, importer), allowed);
            (format!("{{target: {target}{window}}}"), alerts)
        }
        Sort::FailureRatio => {
            let Some((target, allowed)) = target else {
                importer.skip(objective.span, format!("the SLO `{name}` is left out: it has no target between 0 and 100 %"));
                return None;
            };
            let sentence =
                format!("its target of {target}: a ratio without its events has no burn rate, so that a fixed `max` stands for it");
            importer.note(&mut comments, objective.span, sentence);
            (format!("{{max: {}}}", highest_ratio(allowed)), vec![FAILING.to_owned()])
        }
        Sort::Threshold => {
            let bound = threshold(objective).or_else(|| {
                importer.skip(objective.span, format!("the SLO `{name}` is left out: its objective has no `op` with a `value`"));
                None
            })?;
            if let Some((target, _)) = target {
                let sentence = format!("its target of {target}: of a value, rounds are counted and not events");
                importer.note(&mut comments, objective.span, sentence);
            }
            (format!("{{{bound}}}"), vec![FAILING.to_owned()])
        }
    };
    Some(SloDraft {
        name: name_of(name),
        comments,
        server: measured.server,
        query: measured.query,
        freshness: measured.freshness,
        objective: objective_text,
        alerts,
    })
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
    ranges: Ranges,
    server: Option<String>,
}

fn measured(indicator: &Node) -> Result<Measured, String> {
    if let Some(threshold) = indicator.get("thresholdMetric") {
        let (query, server) = source(threshold)?;
        let freshness = promql::selector(&query).ok_or("no metric is found in its query")?;
        return Ok(Measured { sort: Sort::Threshold, query: QueryDraft::Value(query), freshness, ranges: Ranges::Templates, server });
    }
    let ratio = indicator.get("ratioMetric").ok_or("it has neither `thresholdMetric` nor `ratioMetric`")?;
    if let Some(raw) = ratio.get("raw") {
        let (query, server) = source(raw)?;
        let freshness = promql::selector(&query).ok_or("no metric is found in its query")?;
        let query = match ratio.get("rawType").and_then(Node::text) {
            Some("success") => format!("1 - ({query})"),
            Some("failure") => query,
            _ => return Err("its `rawType` is neither `success` nor `failure`".to_owned()),
        };
        return Ok(Measured { sort: Sort::FailureRatio, query: QueryDraft::Value(query), freshness, ranges: Ranges::Templates, server });
    }
    let (total, server) = source(ratio.get("total").ok_or("it has no `total`")?)?;
    let freshness = promql::selector(&total).ok_or("no metric is found in its `total`")?;
    let (total, ranges) = counted(&total, counts_up(ratio, &total))?;
    let (good, good_ranges) = if let Some(good) = ratio.get("good") {
        let good = source(good)?.0;
        counted(&good, counts_up(ratio, &good))?
    } else {
        let bad = ratio.get("bad").ok_or("it has neither `good` nor `bad`")?;
        let bad = source(bad)?.0;
        let (bad, ranges) = counted(&bad, counts_up(ratio, &bad))?;
        (super::good_from_bad(&bad, &total), ranges)
    };
    let ranges = if good_ranges == Ranges::Fixed { good_ranges } else { ranges };
    Ok(Measured { sort: Sort::Counts, query: QueryDraft::Ratio { good, total }, freshness, ranges, server })
}

/// The query of a metric source and the name of its data source, where it has one.
fn source(metric: &Node) -> Result<(String, Option<String>), String> {
    let source = metric.get("metricSource").ok_or("a metric has no `metricSource`")?;
    if let Some(kind) = source.get("type").and_then(Node::text).filter(|kind| !speaks_promql(kind)) {
        return Err(format!("its metric source is `{}`, and only servers with the API of Prometheus are asked", one_line(kind)));
    }
    let spec = source.get("spec").ok_or("a metric source has no `spec`")?;
    let query = ["query", "promql", "expr"].into_iter().find_map(|key| spec.get(key)).and_then(scalar_text);
    let query = query.map(|query| promql::tidy(&query)).filter(|query| !query.is_empty()).ok_or("a metric source has no `query`")?;
    Ok((query, source.get("metricSourceRef").and_then(scalar_text).map(|name| name_of(&name))))
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
fn counted(query: &str, counter: bool) -> Result<(String, Ranges), String> {
    match promql::over_window(query) {
        Ok((query, ranges)) => Ok((promql::single(&query), ranges)),
        Err(why) => {
            let selector = promql::selector(query).filter(|selector| *query == *selector || *query == format!("sum({selector})"));
            match selector {
                Some(selector) if counter => Ok((format!("sum(increase({selector}[$window]))"), Ranges::Templates)),
                Some(_) => Err("its events are no counters, and cannot be counted over a window".to_owned()),
                None => Err(format!("its query cannot be counted over a window: {why}")),
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
        "lt" | "lte" => Some(format!("max: {}", plain(value))),
        "gt" | "gte" => Some(format!("min: {}", plain(value))),
        _ => None,
    }
}

fn window(spec: &Node, comments: &mut Vec<String>, importer: &mut Importer<'_, '_>) -> String {
    let Some(window) = spec.get("timeWindow").and_then(|windows| windows.items().first()) else { return String::new() };
    if window.get("calendar").is_some() || window.get("isRolling").and_then(scalar_text).as_deref() == Some("false") {
        importer.note(comments, window.span, "its calendar window: the window of the budget rolls");
    }
    let text = window.get("duration").and_then(scalar_text).unwrap_or_default();
    match time_window(&text) {
        Some(window) => format!(", timeWindow: {window}"),
        None => {
            importer.note(comments, window.span, format!("its window `{}`, which no policy can have", one_line(&text)));
            String::new()
        }
    }
}

/// The burn rates that the SLO names, of which the quickest may go furthest; Google's quick one where it names none.
fn burns(spec: &Node, roots: &[Node], comments: &mut Vec<String>, importer: &mut Importer<'_, '_>) -> Vec<Burn> {
    let mut burns: Vec<Burn> = Vec::new();
    let policies = spec.get("alertPolicies").map_or(&[][..], Node::items);
    for (policy, _) in policies.iter().filter_map(|item| resolve(item, "AlertPolicy", "alertPolicyRef", roots)) {
        for item in policy.get("spec").and_then(|spec| spec.get("conditions")).map_or(&[][..], Node::items) {
            let Some((condition, span)) = resolve(item, "AlertCondition", "conditionRef", roots) else {
                importer.note(comments, item.span, "an alert condition that is not in the file");
                continue;
            };
            let inner = condition.get("spec").and_then(|spec| spec.get("condition"));
            let number =
                inner.and_then(|inner| inner.get("threshold")).and_then(scalar_text).and_then(|text| text.trim().parse::<f64>().ok());
            let minutes = inner
                .and_then(|inner| inner.get("lookbackWindow"))
                .and_then(scalar_text)
                .and_then(|text| measure::duration(text.trim()))
                .map(|window| window.as_secs() / 60);
            let is_burn = inner.and_then(|inner| inner.get("kind")).and_then(Node::text) == Some("burnrate");
            let upward = inner.and_then(|inner| inner.get("op")).and_then(Node::text).is_none_or(|op| matches!(op, "gt" | "gte"));
            match (number.filter(|number| number.is_finite() && *number > 0.0), minutes.filter(|minutes| (2..=43_200).contains(minutes))) {
                (Some(factor), Some(minutes)) if is_burn && upward => {
                    burns.push(Burn { factor, long_minutes: minutes, short_minutes: minutes / 12, up_to: UpTo::Propose });
                }
                _ => importer.note(comments, span, "an alert condition that is no burn rate over two minutes to 30 days"),
            }
        }
    }
    match burns.iter_mut().max_by(|one, other| one.factor.total_cmp(&other.factor)) {
        Some(quickest) => {
            quickest.up_to = UpTo::Merge;
            comments.push("The source has one window; the short one is a twelfth of it, as Google's are.".to_owned());
        }
        None => burns.push(Burn { factor: PAGE_FACTOR, long_minutes: 60, short_minutes: 5, up_to: UpTo::Merge }),
    }
    burns
}

/// An item that is what it names, or refers to it.
fn resolve<'a>(item: &'a Node, kind: &str, reference: &str, roots: &'a [Node]) -> Option<(&'a Node, crate::config::diagnostic::Span)> {
    match item.get(reference).and_then(scalar_text) {
        Some(name) => named(roots, kind, &name).map(|node| (node, item.span)),
        None => item.get("spec").map(|_| (item, item.span)),
    }
}
