//! Whether the trouble is more than what the service does anyway (E1, E9): by chance since the change, and at the same hour every day.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::before_after;
use crate::engine::compare::{LEAST_EFFECT, SIGNIFICANCE, Shift};
use crate::engine::situation::Situation;

/// For a merge an SLO that breaches and is bad now got worse since the suspects were applied by more than chance explains.
pub(super) fn not_worse(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let (slo, comparison) = before_after::not_worse(situation, attribution)?;
    let sentence = match comparison.shift {
        Shift::TooFew => {
            format!("`{}` was measured too few times to tell (five beside five are enough, or three beside eight): {comparison}.", slo.name)
        }
        _ => format!(
            "`{}` is no worse since the change than chance explains: {comparison} (a merge needs an effect of {LEAST_EFFECT} with p up to \
             {SIGNIFICANCE}).",
            slo.name
        ),
    };
    Some(refuse(RefusalCode::NotWorse, sentence))
}

/// For a merge: it does not come and go as it did before the change.
pub(super) fn comes_and_goes(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let (slo, found) = before_after::comes_and_goes(situation, attribution)?;
    let sentence = format!(
        "`{}` can have been bad {} separate times in the hour before the change and {} times since it (limit 1; what was not measured \
         counts): it comes and goes.",
        slo.name, found.before, found.since
    );
    Some(refuse(RefusalCode::Unstable, sentence))
}

/// The same for a proposal, unless a revert of the policy was merged since: then it was a commit that did it the day before, and it may be one
/// again.
pub(super) fn same_hour_before_alone(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let name = &situation.service.policy.name;
    let (from, _) = before_after::day_before(attribution.onset, situation.now);
    let reverted = situation.history.merged.iter().any(|revert| revert.at > from && revert.policies.contains(name));
    same_hour_before(situation, attribution).filter(|_| !reverted)
}

/// The same trouble at the same hour of the day before, which was not over by now.
pub(super) fn same_hour_before(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let (slo, found) = before_after::same_hour_before(situation, attribution)?;
    let sentence = format!(
        "At the same hour of the day before {} of {} rounds of `{}` from {} to {} were bad or not measured. It is waited until ten minutes after that \
         trouble was over.",
        found.bad, found.rounds, slo.name, found.began, found.until
    );
    Some(refuse(RefusalCode::SameHourBefore, sentence))
}
