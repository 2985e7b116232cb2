//! The alert policies and conditions of an SLO as burn rates.

use super::super::{Burn, PAGE_FACTOR, UpTo};
use super::{Notes, named, scalar_text};
use crate::config::measure;
use crate::config::node::Node;

/// The burn rates that the SLO names, of which the quickest may go furthest; Google's quick one where it names none.
pub(super) fn burns(spec: &Node, roots: &[Node], notes: &mut Notes) -> Vec<Burn> {
    let mut burns: Vec<Burn> = Vec::new();
    for item in spec.get("alertPolicies").map_or(&[][..], Node::items) {
        let Some(policy) = resolve(item, "AlertPolicy", "alertPolicyRef", roots) else {
            notes.add(item.span, "an alert policy that is not there");
            continue;
        };
        for item in policy.get("spec").and_then(|spec| spec.get("conditions")).map_or(&[][..], Node::items) {
            let Some(condition) = resolve(item, "AlertCondition", "conditionRef", roots) else {
                notes.add(item.span, "an alert condition that is not there");
                continue;
            };
            match burn(condition) {
                Some(burn) => burns.push(burn),
                None => notes.add(item.span, "an alert condition that is no burn rate over two minutes to 30 days"),
            }
        }
    }
    match burns.iter_mut().max_by(|one, other| one.factor.total_cmp(&other.factor)) {
        Some(quickest) => {
            quickest.up_to = UpTo::Merge;
            notes.comments.push("The source has one window; the short one is a twelfth of it, as Google's are.".to_owned());
        }
        None => burns.push(Burn { factor: PAGE_FACTOR, long_minutes: 60, short_minutes: 5, up_to: UpTo::Merge }),
    }
    burns
}

/// The burn rate of a condition, if it is one that a policy can have.
fn burn(condition: &Node) -> Option<Burn> {
    let inner = condition.get("spec")?.get("condition")?;
    let upward = inner.get("op").and_then(Node::text).is_none_or(|op| matches!(op, "gt" | "gte"));
    if inner.get("kind").and_then(Node::text) != Some("burnrate") || !upward {
        return None;
    }
    let factor: f64 = scalar_text(inner.get("threshold")?)?.trim().parse().ok()?;
    let minutes = measure::duration(scalar_text(inner.get("lookbackWindow")?)?.trim())?.as_secs() / 60;
    let fits = factor.is_finite() && factor > 0.0 && (2..=43_200).contains(&minutes);
    fits.then_some(Burn { factor, long_minutes: minutes, short_minutes: minutes / 12, up_to: UpTo::Propose })
}

/// An item that is what it names, or refers to it.
fn resolve<'a>(item: &'a Node, kind: &str, reference: &str, roots: &'a [Node]) -> Option<&'a Node> {
    match item.get(reference).and_then(scalar_text) {
        Some(name) => named(roots, kind, &name),
        None => item.get("spec").map(|_| item),
    }
}
