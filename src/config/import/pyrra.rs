//! Pyrra's documents: `kind: ServiceLevelObjective`, one objective each.

use super::{Burn, Importer, QueryDraft, SloDraft, UpTo, burn_rates, name_of, one_line, percentage, promql, scalar_text, time_window};
use crate::config::measure;
use crate::config::node::Node;

/// Pyrra's burn rates, with their windows for 28 days. The first two are critical to it and the others are warnings.
const BURNS: [Burn; 4] = [
    Burn { factor: 14.0, long_minutes: 60, short_minutes: 5, up_to: UpTo::Merge },
    Burn { factor: 7.0, long_minutes: 360, short_minutes: 30, up_to: UpTo::Propose },
    Burn { factor: 2.0, long_minutes: 1440, short_minutes: 120, up_to: UpTo::Observe },
    Burn { factor: 1.0, long_minutes: 5760, short_minutes: 360, up_to: UpTo::Observe },
];

/// The longest window of a burn rate in a policy, in minutes.
const LONGEST: u64 = 43_200;

/// The days for which Pyrra's windows are as they are.
const DAYS: f64 = 28.0;

/// Reads every document.
pub fn import(roots: &[Node], importer: &mut Importer<'_, '_>) {
    for root in roots {
        if root.get("kind").and_then(Node::text) != Some("ServiceLevelObjective") {
            importer.findings.error(root.span, "this is no document of Pyrra: its kind is not `ServiceLevelObjective`", None);
            continue;
        }
        let (Some(metadata), Some(spec)) = (root.get("metadata"), root.get("spec")) else {
            importer.findings.error(root.span, "it lacks `metadata` or `spec`", None);
            continue;
        };
        let Some(name) = importer.text(metadata, "name") else { continue };
        if let Some(draft) = read(&name, spec, importer) {
            // A document is one objective and says not which service's: each becomes a policy of its own.
            importer.add(&name, metadata.get("labels"), spec.span, draft);
        }
    }
}

fn read(name: &str, spec: &Node, importer: &mut Importer<'_, '_>) -> Option<SloDraft> {
    let target = importer.text(spec, "target")?;
    let Some((target, allowed)) = percentage(&target) else {
        importer.skip(spec.span, format!("`{name}` is left out: its target is no percentage between 0 and 100"));
        return None;
    };
    let mut comments: Vec<String> = spec.get("description").and_then(scalar_text).map(|text| one_line(&text)).into_iter().collect();
    comments.push("Several objectives of one service belong into one policy: move this SLO to the others.".to_owned());
    let indicator = spec.get("indicator").or_else(|| {
        importer.skip(spec.span, format!("`{name}` is left out: it has no `indicator`"));
        None
    })?;
    let (good, total, freshness) = match query(indicator) {
        Ok(found) => found,
        Err(why) => {
            importer.skip(indicator.span, format!("`{name}` is left out: {why}"));
            return None;
        }
    };
    for entry in indicator.entries() {
        if let Some(grouping) = entry.value.entry("grouping").filter(|grouping| !grouping.value.items().is_empty()) {
            let labels: Vec<String> = grouping.value.items().iter().filter_map(scalar_text).collect();
            let sentence = format!("its grouping by {}: all groups are counted together", labels.join(", "));
            importer.note(&mut comments, grouping.span, sentence);
        }
    }
    let window_text = spec.get("window").and_then(scalar_text).unwrap_or_else(|| "4w".to_owned());
    let window = time_window(&window_text);
    if window.is_none() {
        importer.note(&mut comments, spec.span, format!("its window `{}`, which no policy can have", one_line(&window_text)));
    }
    if let Some(alerting) = spec.entry("alerting") {
        importer.note(&mut comments, alerting.span, "its `alerting`: the burn rates are its usual ones");
    }
    let days = window.as_deref().and_then(measure::duration).map_or(DAYS, |window| window.as_secs_f64() / 86_400.0);
    // Whole minutes, as Pyrra rounds them.
    let scaled = |minutes: u64| ((minutes as f64 * days / DAYS).round() as u64).min(LONGEST);
    let burns = BURNS.map(|burn| Burn { long_minutes: scaled(burn.long_minutes), short_minutes: scaled(burn.short_minutes), ..burn });
    let (alerts, changes) = burn_rates(burns.to_vec(), allowed);
    changes.into_iter().for_each(|sentence| importer.note(&mut comments, spec.span, sentence));
    let window = window.map(|window| format!(", timeWindow: {window}")).unwrap_or_default();
    Some(SloDraft {
        name: name_of(name),
        comments,
        server: None,
        query: QueryDraft::Ratio { good, total },
        freshness,
        objective: format!("{{target: {target}{window}}}"),
        alerts,
    })
}

/// Good events, all events and the selector of the latter.
fn query(indicator: &Node) -> Result<(String, String, String), String> {
    let metric = |node: &Node, key: &str| -> Result<String, String> {
        let found = node.get(key).and_then(|metric| metric.get("metric")).and_then(scalar_text).map(|text| promql::tidy(&text));
        found.filter(|text| is_selector(text)).ok_or_else(|| format!("its `{key}.metric` is no plain selector"))
    };
    let increase = |selector: &str| format!("sum(increase({selector}[$window]))");
    if let Some(ratio) = indicator.get("ratio") {
        let (bad, all) = (metric(ratio, "errors")?, metric(ratio, "total")?);
        let total = increase(&all);
        return Ok((super::good_from_bad(&increase(&bad), &total), total, all));
    }
    if let Some(latency) = indicator.get("latency") {
        let (good, all) = (metric(latency, "success")?, metric(latency, "total")?);
        return Ok((increase(&good), increase(&all), all));
    }
    if let Some(native) = indicator.get("latencyNative") {
        let all = metric(native, "total")?;
        let limit = native.get("latency").and_then(scalar_text).and_then(|text| measure::duration(text.trim()));
        let limit = limit.ok_or("its `latency` is no duration")?.as_secs_f64();
        let summed = increase(&all);
        let total = format!("histogram_count({summed})");
        return Ok((format!("histogram_fraction(0, {limit}, {summed}) * {total}"), total, all));
    }
    if let Some(gauge) = indicator.get("bool_gauge") {
        let found = gauge.get("metric").and_then(scalar_text).map(|text| promql::tidy(&text));
        let all = found.filter(|text| is_selector(text)).ok_or("its `bool_gauge.metric` is no plain selector")?;
        return Ok((format!("sum(sum_over_time({all}[$window]))"), format!("sum(count_over_time({all}[$window]))"), all));
    }
    Err("its `indicator` is none of `ratio`, `latency`, `latencyNative` and `bool_gauge`".to_owned())
}

fn is_selector(text: &str) -> bool {
    promql::selector(text).as_deref() == Some(text)
}
