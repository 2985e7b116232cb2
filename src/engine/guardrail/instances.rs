//! What the other instances of the policy say (design §7): one that fails without the change speaks against it, and one that runs well with
//! it leaves a merge to people.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::elsewhere::{Says, elsewhere};
use crate::engine::situation::{ServiceEvidence, Situation};

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
