//! What only a person should undo, however clear it is who did it (design §8; E12, E13, G6).

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::change::{ChangeKind, Concern};
use crate::engine::plan::{CleanInverse, EarlierState};
use crate::engine::situation::Situation;

/// What the suspects are.
pub(super) fn suspects(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (_, change) in super::suspects(situation, attribution) {
        let id = change.id.short();
        match &change.kind {
            ChangeKind::Reapply { .. } => refusals.push(refuse(
                RefusalCode::Oscillation,
                format!("{id} brings back what was reverted before; a second revert of the same thing is for people."),
            )),
            ChangeKind::Revert { .. } => refusals.push(refuse(
                RefusalCode::Oscillation,
                format!("{id} is a revert itself; undoing it brings back what somebody took away, which is for people."),
            )),
            ChangeKind::Ordinary | ChangeKind::Merge => {}
        }
        for concern in &change.concerns {
            refusals.push(match concern {
                Concern::Security => refuse(
                    RefusalCode::SecurityChange,
                    format!("{id} is a security change; somebody may want it undone, so people decide."),
                ),
                Concern::HealthDefinition => refuse(
                    RefusalCode::DefinitionChanged,
                    format!("{id} changes how the health of its service is defined; it may have changed the judge and not the service."),
                ),
            });
        }
    }
    refusals
}

/// What the inverse leads to.
pub(super) fn plan(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let earlier = match &inverse.earlier {
        EarlierState::NotLooked => stood_before(situation, attribution, inverse),
        looked => looked.clone(),
    };
    if let EarlierState::NotKnown(why) = &earlier {
        refusals.push(refuse(RefusalCode::NeverRanHealthy, format!("The state that it leads to is not known to have run healthy: {why}.")));
    }
    refusals
}

/// Whether every path goes back to the very object that stood there before the suspects: that state ran, and the baseline says how well.
fn stood_before(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> EarlierState {
    let suspects = super::suspects(situation, attribution);
    for planned in &inverse.paths {
        // Newest first: the last one that touched the path is the oldest.
        let before = suspects.iter().rev().find_map(|(_, change)| change.paths.iter().find(|path| path.path == planned.path));
        if before.is_none_or(|before| before.from != planned.to) {
            return EarlierState::NotKnown(format!("`{}` becomes what it was not before the suspects", planned.path));
        }
    }
    EarlierState::Healthy
}
