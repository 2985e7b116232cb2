//! What every OpenSLO document must have, and what an SLO has that OpenSLO does not know.

use super::super::text;
use super::{API_VERSIONS, KINDS};
use crate::config::check::{listed, nearest};
use crate::config::diagnostic::{Findings, quoted};
use crate::config::node::{Entry, Node};

/// The keys of the `spec` of an SLO in OpenSLO 1.
const SPEC_KEYS: &[&str] =
    &["description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod", "objectives", "alertPolicies"];

/// Reports what no OpenSLO document can be without.
pub fn form(root: &Node, findings: &mut Findings<'_>) {
    let version = root.get("apiVersion");
    if !version.and_then(Node::text).is_some_and(|version| API_VERSIONS.contains(&version)) {
        let span = version.map_or(root.span, |version| version.span);
        return findings.error(span, "this is no OpenSLO document of version 1: its `apiVersion` is not `openslo/v1`", None);
    }
    let Some(kind) = text(root, "kind", findings) else { return };
    if !KINDS.contains(&kind.as_str()) {
        let span = root.get("kind").map_or(root.span, |kind| kind.span);
        let known: Vec<String> = KINDS.iter().map(|kind| format!("`{kind}`")).collect();
        let hint = nearest(&kind, KINDS.iter().copied())
            .map_or_else(|| format!("it has {}", listed(&known, "and")), |near| format!("did you mean `{near}`?"));
        return findings.error(span, format!("{} is no kind of OpenSLO 1", quoted(&kind)), hint);
    }
    if let Some(metadata) = object(root, "metadata", findings) {
        text(metadata, "name", findings);
    }
    if kind == "SLO"
        && let Some(spec) = object(root, "spec", findings)
    {
        text(spec, "service", findings);
        spec.entries().iter().filter(|entry| !SPEC_KEYS.contains(&entry.key.as_str())).for_each(|entry| unknown(entry, findings));
    }
}

/// A required object; says what is missing where it is not there.
fn object<'a>(root: &'a Node, key: &str, findings: &mut Findings<'_>) -> Option<&'a Node> {
    let found = root.get(key).filter(|node| !node.entries().is_empty());
    if found.is_none() {
        findings.error(root.get(key).map_or(root.span, |node| node.span), format!("it lacks the key `{key}`, or that is no object"), None);
    }
    found
}

/// Says that a key is dropped. Without its alert policies another alert would stand for them, which may merge: these must not be dropped.
fn unknown(entry: &Entry, findings: &mut Findings<'_>) {
    let near = nearest(&entry.key, SPEC_KEYS.iter().copied());
    let hint = near.map(|near| format!("did you mean `{near}`?"));
    let key = quoted(&entry.key);
    if near == Some("alertPolicies") {
        findings.error(entry.span, format!("{key} is no key of an SLO in OpenSLO 1"), hint);
    } else {
        findings.warning(entry.span, format!("not carried over: {key}, which is no key of an SLO in OpenSLO 1"), hint);
    }
}
