//! The alert policies and conditions of an SLO as burn rates.

use std::time::Duration;

use super::super::{Burn, PAGE_FACTOR, UpTo};
use super::{Notes, Unfit, list, one_line, referred, scalar_text, wrong};
use crate::config::diagnostic::quoted;
use crate::config::measure;
use crate::config::node::Node;

/// The burn rates that the SLO names, of which the quickest may go furthest; Google's quick one where it names none.
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
                Some(burn) => found.push((burn, condition)),
                None => notes.add(item.span, "an alert condition that is no burn rate over two minutes to 30 days"),
            }
        }
    }
    if let Some((quickest, _)) = found.iter_mut().min_by(|(one, _), (other, _)| one.quicker(other)) {
        quickest.up_to = UpTo::Merge;
        notes.comments.push("The source has one window; the short one is a twelfth of it, as Google's are.".to_owned());
        found.iter().for_each(|(burn, condition)| unsaid(burn, condition, notes));
        return Ok(found.into_iter().map(|(burn, _)| burn).collect());
    }
    if let Some(node) = spec.get("alertPolicies").filter(|_| !policies.is_empty()) {
        let sentence =
            format!("its alert policies, of which nothing is left: a burn rate of {PAGE_FACTOR} over 1h and 5m, which may merge");
        notes.add(node.span, sentence);
    }
    Ok(vec![Burn { factor: PAGE_FACTOR, long_minutes: 60, short_minutes: 5, up_to: UpTo::Merge }])
}

/// The burn rate of a condition, if it is one that a policy can have.
fn burn(condition: &Node) -> Option<Burn> {
    let inner = condition.get("condition")?;
    let upward = inner.get("op").and_then(Node::text).is_none_or(|op| matches!(op, "gt" | "gte"));
    if inner.get("kind").and_then(Node::text) != Some("burnrate") || !upward {
        return None;
    }
    let factor: f64 = scalar_text(inner.get("threshold")?)?.trim().parse().ok()?;
    let minutes = measure::duration(scalar_text(inner.get("lookbackWindow")?)?.trim())?.as_secs() / 60;
    let fits = factor.is_finite() && factor > 0.0 && (2..=43_200).contains(&minutes);
    fits.then_some(Burn { factor, long_minutes: minutes, short_minutes: minutes / 12, up_to: UpTo::Propose })
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
