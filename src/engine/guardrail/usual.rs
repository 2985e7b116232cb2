//! Whether the trouble is more than what the service does anyway (E1, E9): by chance since the change, and at the same hour every day.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::Attribution;
use crate::engine::before_after;
use crate::engine::compare::{LEAST_EFFECT, LEAST_ROUNDS, SIGNIFICANCE, Shift};
use crate::engine::situation::Situation;

/// For a merge an SLO that breaches and is bad now got worse since the suspects were applied by more than chance explains.
pub(super) fn not_worse(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let (slo, comparison) = before_after::not_worse(situation, attribution)?;
    let sentence = match comparison.shift {
        Shift::TooFew => {
            format!("`{}` was measured too few times since the change (at least {LEAST_ROUNDS}) or before it: {comparison}.", slo.name)
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
        "`{}` was bad {} separate times in the hour before the change and {} times since the breach began (limit 1): it comes and goes.",
        slo.name, found.before, found.since
    );
    Some(refuse(RefusalCode::Unstable, sentence))
}

/// The same trouble at the same hour of the day before, which was not over by now.
pub(super) fn same_hour_before(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let (slo, found) = before_after::same_hour_before(situation, attribution.onset)?;
    let sentence = format!(
        "`{}` was bad at the same hour of the day before as well: {} of {} rounds from {} to {} were not good. It is waited until ten minutes after \
         that trouble was over.",
        slo.name, found.bad, found.rounds, found.began, found.until
    );
    Some(refuse(RefusalCode::SameHourBefore, sentence))
}
