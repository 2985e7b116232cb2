//! What only a person should undo, however clear it is who did it (design §8; E12, E13, G6).

use std::time::Duration;

use super::{Refusal, RefusalCode, refuse};
use crate::engine::assurance::{Rendered, ran_healthy};
use crate::engine::attribution::Attribution;
use crate::engine::change::{Change, ChangeKind, Concern, PathChange};
use crate::engine::id::CommitId;
use crate::engine::landing::Landing;
use crate::engine::plan::{CleanInverse, EarlierState};
use crate::engine::situation::Situation;
use crate::engine::time::{Timestamp, spoken};

/// What the suspects are.
pub(super) fn suspects(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (landing, change) in super::suspects(situation, attribution) {
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
        if matches!(change.kind, ChangeKind::Ordinary | ChangeKind::Merge)
            && let Some((left_at, left_by)) = left_before(situation, landing, change)
        {
            refusals.push(refuse(
                RefusalCode::Oscillation,
                format!(
                    "{id} brings back the very files that {} left at {left_at}, {} before; going to and fro is for people.",
                    left_by.short(),
                    spoken(landing.landed.by.since(left_at))
                ),
            ));
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

/// A state that was left in so long and is there again goes to people (G6): a revert of a re-landed change is textually clean, and its message
/// need not say what it is.
const TO_AND_FRO: Duration = Duration::from_secs(7 * 24 * 3600);

/// When and by which commit the state was left that a change restores: mode and id of every path that it changes. `None` where any of them is
/// new, or nothing left it lately.
fn left_before(situation: &Situation, landing: &Landing, change: &Change) -> Option<(Timestamp, CommitId)> {
    let earlier: Vec<(Timestamp, &Change)> = situation
        .landings
        .iter()
        .filter(|other| other.repository == landing.repository && landing.landed.by.since(other.landed.by) <= TO_AND_FRO)
        .take_while(|other| other.to != landing.to)
        .flat_map(|other| other.changes.iter().map(|change| (other.landed.by, change)))
        // Of its own landing, what came before it.
        .chain(landing.changes.iter().take_while(|other| other.id != change.id).map(|other| (landing.landed.by, other)))
        .collect();
    let leaves = |path: &PathChange| {
        let left = |other: &PathChange| other.path == path.path && other.from == path.to && other.to != path.to;
        earlier.iter().rev().find(|(_, other)| other.paths.iter().any(left)).map(|(at, other)| (*at, other.id))
    };
    let changed = change.paths.iter().filter(|path| path.from != path.to);
    changed.map(leaves).collect::<Option<Vec<_>>>()?.into_iter().max_by_key(|(at, _)| *at)
}

/// What the inverse leads to: a state that ran healthy, or one that the operator's render command passed.
pub(super) fn plan(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> Vec<Refusal> {
    let Err(why) = earlier(situation, attribution, inverse) else { return Vec::new() };
    let policy = &situation.service.policy;
    let unproven = format!("The state that it leads to is not known to have run healthy: {why}");
    match (&policy.guardrails.assurance.render, inverse.rendered.get(&policy.name)) {
        (Some(name), Some(Rendered::Passed { by })) if by == name => Vec::new(),
        (Some(name), Some(Rendered::Failed { by, why })) if by == name => {
            vec![refuse(RefusalCode::RenderFailed, format!("{unproven}; and the render command `{name}` does not vouch for it: {why}."))]
        }
        (Some(name), _) => {
            vec![refuse(RefusalCode::NeverRanHealthy, format!("{unproven}; and the render command `{name}` has not been run on it."))]
        }
        (None, _) => vec![refuse(RefusalCode::NeverRanHealthy, format!("{unproven}."))],
    }
}

/// Whether only the policy's render command could vouch for the state that the inverse leads to.
pub fn may_need_render(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> bool {
    situation.service.policy.guardrails.assurance.render.is_some() && earlier(situation, attribution, inverse).is_err()
}

/// Whether the files that it leads to were applied before and healthy for `healthyFor`; else why not, without a full stop.
fn earlier(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> Result<(), String> {
    match &inverse.earlier {
        EarlierState::Healthy => Ok(()),
        EarlierState::NotKnown(why) => Err(why.clone()),
        EarlierState::Stood { heads } => {
            let needed = situation.service.policy.guardrails.assurance.healthy_for;
            if needed.is_zero() {
                // A policy that asks for no time still goes back to nothing but what stood before.
                return stood_before(situation, attribution, inverse);
            }
            ran_healthy(&situation.service, &situation.landings, heads, needed).map(|_| ())
        }
        EarlierState::NotLooked => stood_before(situation, attribution, inverse),
    }
}

/// Whether every path goes back to the very object that stood there before the suspects: that state ran, and the baseline says how well.
fn stood_before(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> Result<(), String> {
    let suspects = super::suspects(situation, attribution);
    for planned in &inverse.paths {
        // Newest first: the last one that touched the path is the oldest.
        let before = suspects.iter().rev().find_map(|(_, change)| change.paths.iter().find(|path| path.path == planned.path));
        if before.is_none_or(|before| before.from != planned.to) {
            return Err(format!("`{}` becomes what it was not before the suspects", planned.path));
        }
    }
    Ok(())
}
