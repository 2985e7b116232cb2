//! How long a merge waits for rounds before it becomes a proposal.
//!
//! Right after the onset hardly anything can be told yet, and the next rounds may allow the merge: it is waited for them, and nothing is done.
//! Promise P2 holds here as well: a round that was not measured never ends the waiting with a proposal. So it is waited on every refusal that
//! a round can make, and not only on those that more rounds are likely to take away; and how long it is waited is counted so that a round that
//! was not measured makes it longer and never shorter.

use super::{MadeBy, Refusal};
use crate::engine::attribution::{Attribution, needed, newest_change};
use crate::engine::broken_sync::Broke;
use crate::engine::policy::{AlertRule, Slo};
use crate::engine::round::Round;
use crate::engine::situation::Situation;
use crate::engine::slo::{self, Quality, Verdict};
use crate::engine::time::Timestamp;

/// Why to wait: nothing but a few more rounds may stand between this and a merge.
pub fn waits_for_rounds(situation: &Situation, attribution: &Attribution, blocking: &[Refusal]) -> Option<String> {
    let first = blocking.first()?;
    (is_up_to_rounds(situation, attribution, blocking) && is_still_open(situation))
        .then(|| format!("It is waited for more rounds: {}", first.sentence))
}

/// Whether rounds can take away everything that stands against merging.
pub fn is_up_to_rounds(situation: &Situation, attribution: &Attribution, blocking: &[Refusal]) -> bool {
    blocking.iter().all(|refusal| match refusal.code.row().made_by {
        MadeBy::Rounds => true,
        MadeBy::Change => may_suspect_others(situation, attribution),
        MadeBy::People | MadeBy::Repository | MadeBy::Clock => false,
    })
}

/// Whether rounds may yet make other changes the suspects, whose undoing is another plan: one that is not suspected touches the service, or one
/// that it needs. What no sync source or owner explains is reverted in no case, and is not asked for here.
fn may_suspect_others(situation: &Situation, attribution: &Attribution) -> bool {
    let policy = &situation.service.policy;
    let needed = needed(policy, &situation.others);
    let others = attribution.candidates.iter().filter(|candidate| !attribution.suspects.contains(&candidate.commit));
    let mut touched = others.flat_map(|candidate| &candidate.touches);
    attribution.broke == Broke::Objectives
        && touched.any(|name| *name == policy.name || needed.iter().any(|service| service.policy.name == *name))
}

/// Whether it is too early to tell, as of the first bad round: for as long as a baseline, rounds that come may tell. Where an SLO has several
/// alerts, as long as the shortest of theirs.
fn is_still_open(situation: &Situation) -> bool {
    let service = &situation.service;
    let cut = newest_change(service, &situation.landings);
    let alone = |slo: &Slo| slo.alerts().map(|alert| slo.with_only(alert)).collect::<Vec<Slo>>();
    let slos = &service.policy.slos;
    let enough = slos.iter().filter_map(|slo| alone(slo).iter().map(Slo::baseline_length).min()).max();
    // Every alert that fires, and not the one that the SLO is judged by: which one that is hangs on rounds too.
    let fires = |slo: &Slo| slo::assess(slo, service.rounds(&slo.name), cut, situation.now).verdict == Verdict::Breaching;
    let firing = slos.iter().flat_map(alone).filter(fires);
    let began = firing.filter_map(|slo| first_bad(&slo, service.rounds(&slo.name))).min();
    enough.zip(began).is_some_and(|(enough, began)| situation.now.since(began) < enough)
}

/// The end of the first bad round since the newest stretch without one, where that is so long that nothing fired in it.
///
/// Not the onset: that begins at the last Healthy assessment, which a round that was not measured can take away, so that an earlier blip became
/// the beginning.
fn first_bad(slo: &Slo, rounds: &[Round]) -> Option<Timestamp> {
    let quiet = match slo.alert.rule {
        AlertRule::Failing { .. } => slo.baseline_rounds(),
        AlertRule::BurnRate { short, .. } => {
            slo.baseline_rounds().max(usize::try_from(short.as_millis() / slo.every().as_millis().max(1)).unwrap_or(usize::MAX))
        }
    };
    let (mut first, mut without) = (None, 0);
    for round in rounds.iter().rev() {
        if slo::quality(slo, round) == Quality::Bad {
            (first, without) = (Some(round.end), 0);
        } else {
            without += 1;
        }
        if without >= quiet {
            break;
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::sample;
    use crate::engine::round::{Outcome, Unknown};

    /// A round of ten seconds for each letter: `g`ood, `b`ad or unknown.
    fn rounds(text: &str) -> Vec<Round> {
        let round = |(number, letter): (usize, char)| {
            let outcome = match letter {
                'g' => Outcome::Good("200".into()),
                'b' => Outcome::Bad("503".into()),
                _ => Outcome::Unknown(Unknown::NoData),
            };
            Round { start: Timestamp::from_secs(number as i64 * 10), end: Timestamp::from_secs(number as i64 * 10 + 10), outcome }
        };
        text.chars().enumerate().map(round).collect()
    }

    fn began(text: &str) -> Option<i64> {
        first_bad(&sample::policy(&["default"]).slos[0], &rounds(text)).map(|end| end.millis() / 10_000)
    }

    #[test]
    fn a_blip_before_a_quiet_stretch_is_another_story() {
        assert_eq!(began("gggggbgggggbbb"), Some(12));
        assert_eq!(began("gggggbggg?gbbb"), Some(12), "not measured is not bad");
        assert_eq!(began("gggggbggggbbb"), Some(6), "four rounds are no stretch");
        assert_eq!(began("ggggg"), None);
    }

    #[test]
    fn what_was_not_measured_makes_the_wait_no_shorter() {
        for pattern in 0..1 << 12 {
            let text: String = (0..12).map(|place| if pattern >> place & 1 == 1 { 'b' } else { 'g' }).collect();
            for place in 0..12 {
                let mut without = text.clone();
                without.replace_range(place..=place, "?");
                let (before, after) = (began(&text), began(&without));
                assert!(after.is_none() || after >= before, "{text} {before:?}, {without} {after:?}");
            }
        }
    }
}
