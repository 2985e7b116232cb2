//! The alert policies and conditions of an SLO as burn rates.

use std::time::Duration;

use super::super::{Burn, PAGE_FACTOR, UpTo};
use super::{Notes, Unfit, list, one_line, referred, scalar_text, wrong};
use crate::config::diagnostic::quoted;
use crate::config::measure;
use crate::config::node::Node;

/// The burn rates that the SLO names, of which the quickest that is no ticket may go furthest; Google's quick one where it names none.
///
/// # Errors
/// What is not written as OpenSLO does it, or refers to a document that is not there: another alert than the meant one would stand for it.
pub(super) fn burns(spec: &Node, roots: &[Node], notes: &mut Notes) -> Result<Vec<Burn>, Unfit> {
    let mut found: Vec<(Burn, &Node)> = Vec::new();
    let policies = list(spec, "alertPolicies")?;
    for item in policies {
        let policy = resolve(item, "AlertPolicy", "alertPolicyRef", roots)?;
        let conditions = list(policy, "conditions")?;
        if let Some(node) = policy.get("alertWhenBreaching").filter(|node| scalar_text(node).as_deref() == Some("false")) {
            notes.add(node.span, "an alert policy that does not alert when its conditions are breached");
            continue;
        }
        for item in conditions {
            let condition = resolve(item, "AlertCondition", "conditionRef", roots)?;
            match burn(condition) {
                Ok(burn) => found.push((burn, condition)),
                Err(why) => notes.add(item.span, format!("an alert condition {why}")),
            }
        }
    }
    // What is to become a ticket wakes nobody, and must not merge either.
    let pages = |(_, condition): &&mut (Burn, &Node)| {
        !condition.get("severity").and_then(scalar_text).is_some_and(|severity| severity.trim().eq_ignore_ascii_case("ticket"))
    };
    if let Some((quickest, _)) = found.iter_mut().filter(pages).min_by(|(one, _), (other, _)| one.quicker(other)) {
        quickest.up_to = UpTo::Merge;
    }
    if !found.is_empty() {
        notes.comments.push("The source has one window; the short one is a twelfth of it, as Google's are.".to_owned());
        found.iter().for_each(|(burn, condition)| unsaid(burn, condition, notes));
        return Ok(found.into_iter().map(|(burn, _)| burn).collect());
    }
    if let Some(node) = spec.get("alertPolicies").filter(|_| !policies.is_empty()) {
        let sentence = format!(
            "its alert policies, of which nothing is left; a burn rate of {PAGE_FACTOR} over 1h and 5m stands for them and may merge"
        );
        notes.add(node.span, sentence);
    }
    Ok(vec![Burn { factor: PAGE_FACTOR, long_minutes: 60, short_minutes: 5, up_to: UpTo::Merge }])
}

/// The burn rate of a condition, if it is one that a policy can have.
///
/// # Errors
/// What stands against it, as the end of a sentence.
fn burn(condition: &Node) -> Result<Burn, String> {
    let inner = condition.get("condition").ok_or("without a `condition`")?;
    let said = |key: &str| inner.get(key).and_then(scalar_text).map(|text| text.trim().to_owned());
    let wrong = |key: &str, wanted: &str| match said(key) {
        Some(text) => format!("whose `{key}` is {} and not {wanted}", quoted(&one_line(&text))),
        None => format!("without `{key}`"),
    };
    if said("kind").as_deref() != Some("burnrate") {
        return Err(wrong("kind", "`burnrate`"));
    }
    if said("op").is_some_and(|op| !matches!(op.as_str(), "gt" | "gte")) {
        return Err(wrong("op", "`gt` or `gte`"));
    }
    let factor = said("threshold").and_then(|text| text.parse().ok()).filter(|factor: &f64| factor.is_finite() && *factor > 0.0);
    let factor = factor.ok_or_else(|| wrong("threshold", "a number over 0"))?;
    let window = said("lookbackWindow").and_then(|text| measure::duration(&text)).map(|window| window.as_secs() / 60);
    let minutes = window.filter(|minutes| (2..=43_200).contains(minutes));
    let minutes = minutes.ok_or_else(|| wrong("lookbackWindow", "two minutes to 30 days"))?;
    Ok(Burn { factor, long_minutes: minutes, short_minutes: minutes / 12, up_to: UpTo::Propose })
}

/// Notes what a condition says that its burn rate does not. How far an alert may go follows from its quickness, as a severity usually does.
fn unsaid(burn: &Burn, condition: &Node, notes: &mut Notes) {
    let (usual, becomes) = match burn.up_to {
        UpTo::Merge => ("page", "the quickest alert may do whatever the policy allows"),
        UpTo::Propose | UpTo::Observe => ("ticket", "a slower alert proposes at most"),
    };
    let differs = |(_, severity): &(_, String)| !severity.trim().eq_ignore_ascii_case(usual);
    let said = |node: Option<&Node>| node.and_then(|node| Some((node.span, scalar_text(node)?)));
    if let Some((span, severity)) = said(condition.get("severity")).filter(differs) {
        notes.add(span, format!("the severity {} of an alert condition: {becomes}", quoted(&one_line(&severity))));
    }
    let waits = |(_, after): &(_, String)| measure::duration(after.trim()) != Some(Duration::ZERO);
    if let Some((span, after)) = said(condition.get("condition").and_then(|inner| inner.get("alertAfter"))).filter(waits) {
        notes.add(span, format!("the `alertAfter` of {}: the alert does not wait", quoted(&one_line(&after))));
    }
}

/// The `spec` of an item: its own, or that of the document that it refers to.
fn resolve<'a>(item: &'a Node, kind: &str, reference: &str, roots: &'a [Node]) -> Result<&'a Node, Unfit> {
    if let Some(reference) = item.get(reference) {
        return referred(roots, kind, reference);
    }
    item.get("spec").ok_or_else(|| wrong(item.span, format!("an {kind} has neither a `spec` nor is it named with `{reference}`")))
}
