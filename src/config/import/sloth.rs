//! Sloth's documents: `kind: PrometheusServiceLevel` in Kubernetes, `version: prometheus/v1` on the command line (the same, in snake case).

use super::promql::{self, Ranges};
use super::{
    Burn, Importer, PAGE_FACTOR, QueryDraft, SloDraft, UpTo, burn_rates, failing, highest_ratio, name_of, one_line, percentage, scalar_text,
};
use crate::config::node::Node;

/// Sloth's default window of an objective.
const WINDOW: &str = "30d";

/// Sloth's burn rates of a page and of a ticket (Google SRE workbook, chapter 5).
const PAGE: [Burn; 2] = [
    Burn { factor: PAGE_FACTOR, long_minutes: 60, short_minutes: 5, up_to: UpTo::Merge },
    Burn { factor: 6.0, long_minutes: 360, short_minutes: 30, up_to: UpTo::Propose },
];
const TICKET: [Burn; 2] = [
    Burn { factor: 3.0, long_minutes: 1440, short_minutes: 120, up_to: UpTo::Observe },
    Burn { factor: 1.0, long_minutes: 4320, short_minutes: 360, up_to: UpTo::Observe },
];

/// Reads every document.
pub fn import(roots: &[Node], importer: &mut Importer<'_, '_>) {
    for root in roots {
        let spec = if root.get("kind").and_then(Node::text) == Some("PrometheusServiceLevel") {
            root.get("spec")
        } else if root.get("version").and_then(Node::text).is_some_and(|version| version.starts_with("prometheus/")) {
            Some(root)
        } else {
            let message = "this is no document of Sloth: neither `kind: PrometheusServiceLevel` nor `version: prometheus/v1`";
            importer.findings.error(root.span, message, None);
            continue;
        };
        let Some(spec) = spec else {
            importer.findings.error(root.span, "it lacks the key `spec`", None);
            continue;
        };
        let Some(service) = importer.text(spec, "service") else { continue };
        for slo in spec.get("slos").map_or(&[][..], Node::items) {
            if let Some(draft) = read(slo, importer) {
                importer.add(&service, spec.get("labels"), slo.span, draft);
            }
        }
    }
}

/// A key in either spelling.
fn either<'a>(node: &'a Node, camel: &str, snake: &str) -> Option<&'a Node> {
    node.get(camel).or_else(|| node.get(snake))
}

fn read(slo: &Node, importer: &mut Importer<'_, '_>) -> Option<SloDraft> {
    let name = importer.text(slo, "name")?;
    let objective = importer.text(slo, "objective")?;
    let mut comments: Vec<String> = slo.get("description").and_then(scalar_text).map(|text| one_line(&text)).into_iter().collect();
    let Some((target, allowed)) = percentage(&objective) else {
        importer.skip(slo.span, format!("the SLO `{name}` is left out: its objective is no percentage between 0 and 100"));
        return None;
    };
    let sli = slo.get("sli").or_else(|| {
        importer.skip(slo.span, format!("the SLO `{name}` is left out: it has no `sli`"));
        None
    })?;
    let found = if let Some(events) = sli.get("events") {
        events_query(events)
    } else if let Some(raw) = sli.get("raw") {
        raw_query(raw)
    } else {
        Err("its `sli` is a plugin, whose query only Sloth knows".to_owned())
    };
    let (query, freshness, ranges) = match found {
        Ok(found) => found,
        Err(why) => {
            importer.skip(sli.span, format!("the SLO `{name}` is left out: {why}"));
            return None;
        }
    };
    if ranges == Ranges::Fixed {
        importer.note(&mut comments, sli.span, "a fixed range of its queries became `$window`");
    }
    let burns = burns(slo, importer, &mut comments);
    let (objective, alerts) = match &query {
        QueryDraft::Ratio { .. } => {
            let (alerts, changes) = burn_rates(burns, allowed);
            changes.into_iter().for_each(|sentence| importer.note(&mut comments, slo.span, sentence));
            (format!("{{target: {target}, timeWindow: {WINDOW}}}"), alerts)
        }
        QueryDraft::Value(_) => {
            let sentence =
                format!("its target of {target}: a ratio without its events has no burn rate, so that a fixed `max` stands for it");
            importer.note(&mut comments, sli.span, sentence);
            (format!("{{max: {}}}", highest_ratio(allowed)), vec![failing(&burns)])
        }
    };
    Some(SloDraft { name: name_of(&name), comments, server: None, query, freshness, objective, alerts })
}

/// The burn rates that the source does not switch off. Where that is none, one that only observes: what is to wake nobody must not merge.
fn burns(slo: &Node, importer: &mut Importer<'_, '_>, comments: &mut Vec<String>) -> Vec<Burn> {
    let mut burns = Vec::new();
    let alerting = slo.get("alerting");
    for (camel, snake, of_kind) in [("pageAlert", "page_alert", PAGE), ("ticketAlert", "ticket_alert", TICKET)] {
        let disable = alerting.and_then(|alerting| either(alerting, camel, snake)).and_then(|alert| alert.get("disable"));
        if disable.and_then(scalar_text).as_deref() == Some("true") {
            comments.push(format!("The source switches `{camel}` off."));
        } else {
            burns.extend(of_kind);
        }
    }
    if burns.is_empty() {
        let span = alerting.map_or(slo.span, |alerting| alerting.span);
        importer.note(comments, span, "that all its alerts are off: a policy needs one, which only observes");
        burns.push(Burn { up_to: UpTo::Observe, ..PAGE[0] });
    }
    burns
}

type Found = Result<(QueryDraft, String, Ranges), String>;

fn events_query(events: &Node) -> Found {
    let text = |camel, snake| {
        either(events, camel, snake).and_then(scalar_text).map(|text| promql::tidy(&text)).ok_or_else(|| format!("it has no `{camel}`"))
    };
    let counted = |query: &str| promql::over_window(query).map_err(|why| format!("its query cannot be counted over a window: {why}"));
    let ((bad, bad_ranges), (total, ranges)) =
        (counted(&text("errorQuery", "error_query")?)?, counted(&text("totalQuery", "total_query")?)?);
    let freshness = promql::selector(&total).ok_or("no metric is found in its total query")?;
    let (bad, total) = (promql::single(&bad), promql::single(&total));
    let ranges = if bad_ranges == Ranges::Fixed { bad_ranges } else { ranges };
    Ok((QueryDraft::Ratio { good: super::good_from_bad(&bad, &total), total }, freshness, ranges))
}

fn raw_query(raw: &Node) -> Found {
    let text = either(raw, "errorRatioQuery", "error_ratio_query").and_then(scalar_text).ok_or("it has no `errorRatioQuery`")?;
    let query = text_over_window(&promql::tidy(&text));
    let freshness = promql::selector(&query).ok_or("no metric is found in its query")?;
    Ok((QueryDraft::Value(query), freshness, Ranges::Templates))
}

/// The query with Sloth's template filled in by `$window`; a ratio of rates needs no other change.
fn text_over_window(query: &str) -> String {
    let mut text = query.to_owned();
    for template in ["{{.window}}", "{{ .window }}", "{{.window }}", "{{ .window}}"] {
        text = text.replace(template, "$window");
    }
    text
}
