//! What stands against undoing a change that broke the sync (design §7; E6). Nothing of it is measured, so the guardrails of rounds have no say.

use super::{OnBrokenSync, Refusal, RefusalCode, merge, propose, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::broken_sync::{Broke, other_failures};
use crate::engine::fate::SHARED_FATE_WINDOW;
use crate::engine::plan::CleanInverse;
use crate::engine::situation::Situation;
use crate::engine::time::spoken;

/// Why it may not be proposed; empty when it may. Of an incident of the sync, nothing that rounds told, and that other syncs fail with it.
pub fn may_propose(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let mut refusals = propose::may_propose(situation, attribution);
    if attribution.broke == Broke::Sync {
        refusals.retain(|refusal| refusal.code.row().on_broken_sync == OnBrokenSync::Holds);
        refusals.extend(other_syncs_fail(situation, attribution));
    }
    refusals
}

/// Why a clean inverse may not be force-merged, beyond the propose gate; empty when it may. Of an incident of the sync, that people decide,
/// and everything that rounds did not tell.
pub fn may_merge(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> Vec<Refusal> {
    let mut refusals = merge::may_merge(situation, attribution, inverse);
    if attribution.broke == Broke::Sync {
        refusals.retain(|refusal| refusal.code.row().on_broken_sync == OnBrokenSync::Holds);
        refusals.insert(0, only_the_sync(attribution));
    }
    refusals
}

/// The service runs on with what was applied before, so there is time for people: it is never merged without an approval.
fn only_the_sync(attribution: &Attribution) -> Refusal {
    refuse(
        RefusalCode::OnlyTheSync,
        format!(
            "The sync has failed since {}, and the service runs on with what was applied before: people decide whether that is undone.",
            attribution.onset.by
        ),
    )
}

/// Syncs of something else that no suspect touches fail since the same minutes (E4): a cluster that refuses everything, a server that cannot be
/// reached in words that do not say so. One is enough, because a sync that fails harms nothing yet.
fn other_syncs_fail(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let others = other_failures(situation, attribution, SHARED_FATE_WINDOW);
    let names: Vec<String> = others.iter().take(5).map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| {
        refuse(
            RefusalCode::SharedFate,
            format!(
                "The sync fails since the same {} for {} more that no suspect touches (limit 0): {}. This looks like trouble of the cluster or the \
                 sync tool, not like a commit.",
                spoken(SHARED_FATE_WINDOW),
                others.len(),
                names.join(", ")
            ),
        )
    })
}
