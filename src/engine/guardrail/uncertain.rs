//! What leaves open whether the suspect was there when the breach began, or what undoing it would undo.

use std::time::Duration;

use super::{Refusal, RefusalCode, refuse, suspects};
use crate::engine::attribution::{Attribution, applied_fact, lag_of};
use crate::engine::situation::Situation;
use crate::engine::sync::applied::AppliedFact;
use crate::engine::time::spoken;

/// An agent or a sync source may be away so long, for a restart or an outage of the forge, before the time of what it then finds is too vague.
const AWAY: Duration = Duration::from_secs(300);

/// A suspect that was applied some time in a long span, with the onset inside: a breach has to begin *after* the change was applied (P1), and
/// the longer the span, the likelier something else began in it. The assumed lag is such a span too, and allowed.
pub(super) fn applied_in_a_long_span(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let limit = lag_of(&situation.service) + AWAY;
    let mut refusals = Vec::new();
    for (landing, change) in suspects(situation, attribution) {
        let fact = applied_fact(&situation.service, landing).map(|fact| fact.around(attribution.onset));
        let Some(AppliedFact::At { applied, .. }) = fact else { continue };
        let span = applied.by.since(applied.earliest());
        if applied.after.is_some() && span > limit && attribution.onset.earliest() < applied.by {
            refusals.push(refuse(
                RefusalCode::AppliedUnknown,
                format!(
                    "{} was applied some time within {} (limit {}), and the breach may have begun before.",
                    change.id.short(),
                    spoken(span),
                    spoken(limit)
                ),
            ));
        }
    }
    refusals
}

/// A merge of more than two lines: a revert against the first parent undoes all the others at once (G1).
pub(super) fn octopus(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let merges = suspects(situation, attribution).into_iter().filter(|(_, change)| change.parents.len() > 2);
    merges
        .map(|(_, change)| {
            refuse(
                RefusalCode::UncertainLanding,
                format!("{} merged {} lines of history at once (limit 2).", change.id.short(), change.parents.len()),
            )
        })
        .collect()
}
