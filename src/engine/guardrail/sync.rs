//! What stands against undoing a change that broke the sync (design §7; E6). Nothing of it is measured, so the guardrails of rounds have no say.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::broken_sync::other_failures;
use crate::engine::fate::SHARED_FATE_WINDOW;
use crate::engine::situation::Situation;
use crate::engine::time::spoken;

/// The service runs on with what was applied before, so there is time for people: it is never merged without an approval.
pub(super) fn only_the_sync(attribution: &Attribution) -> Refusal {
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
pub(super) fn other_syncs_fail(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
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
