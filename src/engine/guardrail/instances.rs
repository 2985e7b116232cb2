//! What the other instances and the other versions of the service say (design §7): an instance that fails without the change speaks against it;
//! one that failed before it or runs well with it, and an earlier version that fails as well, leave a merge to people.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::elsewhere::{Says, elsewhere};
use crate::engine::situation::{ServiceEvidence, Situation};
use crate::engine::versions;

/// It cannot be the change, or not the change alone, where the same service begins to fail without it.
pub(super) fn fails_without_it(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let id = attribution.suspects.first()?.short();
    let refusal = |(other, says): (&ServiceEvidence, Says)| {
        let words = (says == Says::FailsWithout).then(|| other.words())?;
        let sentence = format!("{words} began to fail with it, and {id} was not applied there: what both share is the likelier cause.");
        Some(refuse(RefusalCode::FailsWithoutIt, sentence))
    };
    elsewhere(situation, attribution).into_iter().find_map(refusal)
}

/// What has been wrong elsewhere since before the change may be what is wrong here now.
pub(super) fn failed_elsewhere_before(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let id = attribution.suspects.first()?.short();
    let refusal = |(other, says): (&ServiceEvidence, Says)| {
        let words = (says == Says::FailedBefore).then(|| other.words())?;
        let sentence =
            format!("{words} was in trouble before {id} was there: it may be the same trouble here; a person merges the revert.");
        Some(refuse(RefusalCode::FailedElsewhereBefore, sentence))
    };
    elsewhere(situation, attribution).into_iter().find_map(refusal)
}

/// Why only one of two instances fails with the change, people find out. What was not measured there counts as well (promise P2): it does not
/// say that the change is bad there too.
pub(super) fn runs_well_elsewhere(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let id = attribution.suspects.first()?.short();
    let refusal = |(other, says): (&ServiceEvidence, Says)| {
        let Says::RunsWellWith { since } = says else { return None };
        let sentence = format!("{} runs {id} since {since} and is not known to fail; a person merges the revert.", other.words());
        Some(refuse(RefusalCode::RunsWellElsewhere, sentence))
    };
    elsewhere(situation, attribution).into_iter().find_map(refusal)
}

/// The version from before the change, beside the new one, must not fail as well.
pub(super) fn earlier_version_fails(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let id = attribution.suspects.first()?.short();
    let found = versions::earlier_fails(situation, attribution)?;
    let sentence = format!(
        "Version `{}`, which ran before {id} and runs beside it, was bad or not measured in {} of {} rounds of `{}` since {id} was applied, and bad in \
         {} of {} in the hour before (limit 1, or twice as often); a person merges the revert.",
        found.version, found.bad_since, found.since, found.slo, found.bad_before, found.before
    );
    Some(refuse(RefusalCode::EarlierVersionFails, sentence))
}

/// Where a policy tells versions apart, what they did must be known.
pub(super) fn versions_unknown(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let (slo, label, why) = versions::not_known(situation, attribution)?;
    let sentence = format!("`{}` tells versions by the label `{label}`, and what they did is not known: {why}.", slo.name);
    Some(refuse(RefusalCode::VersionsUnknown, sentence))
}
