//! Whether a service got worse with a change, and whether what the change did not touch stood still meanwhile.
//!
//! Before and after are compared by the rank test of Mann and Whitney (1947), with the tie correction of Kruskal and Wallis (1952), a
//! continuity correction, and the number of independent rounds in place of the number of rounds ([`rank::independent_share`]). The effect
//! is Cliff's delta (Cliff 1993): the share of pairs in which the later round is worse, less the share in which it is better. A shift needs
//! both, because many rounds make any difference significant and few make any difference large. The two judges of canaries that were read
//! have neither an echo's discount nor, in one of them, a least effect; their confidence of 98 % is kept.
//!
//! A negative control is something that the change cannot have reached: another service, another instance, an earlier version beside
//! the new one, the same hour of the day before. It stood still when the service shifted by more than it did, by the difference of both effects. A control that moved too, or
//! of which too little is known, never speaks for the change: of every kind of control that there is, more than half must have stood
//! still. So what was not measured, here or there, can only weaken the evidence (promise P2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::onset::{rounded, shown_probability};
use super::rank;
use super::reading::Reading;
use super::round::Decimal;

/// The fewest measured rounds on either side. They must also be so many that a perfect separation would be significant: five beside five,
/// or three beside eight.
pub const LEAST_ROUNDS: usize = 3;

/// The highest two-sided probability of a shift where there was none (Kayenta's judge has the same confidence, 0.98).
pub const SIGNIFICANCE: f64 = 0.02;

/// The least effect, as Cliff's delta: what Romano and others (2006) call medium.
pub const LEAST_EFFECT: f64 = 0.33;

/// How many standard errors the service's shift must be over that of a control: 95 %, one-sided.
const LEAST_LEAD: f64 = 1.644_853_626_951_472_2;

/// Two sides of a moment, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Measured rounds before.
    pub before: u32,
    /// Measured rounds after.
    pub after: u32,
    /// Bad rounds before: readings of 1 and more.
    pub bad_before: u32,
    /// Bad rounds after.
    pub bad_after: u32,
    /// Rounds on either side that were not measured.
    pub unknown: u32,
    /// Cliff's delta, from −1 (every round is better than every one before) to 1 (worse); pairs that are not wholly measured count 0.
    pub effect: Decimal,
    /// How much of it is open, because rounds were not measured: the true one lies within ± this.
    pub open: Decimal,
    /// The standard deviation that the effect has where nothing changed.
    pub deviation: Decimal,
    /// The two-sided probability of so large an effect where nothing changed.
    pub probability: Decimal,
    /// What it comes to.
    pub shift: Shift,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Shift {
    /// It got worse.
    Worse,
    /// It got better.
    Better,
    /// Nothing that chance does not explain.
    None,
    /// So few were measured that nothing can be told ([`LEAST_ROUNDS`]).
    TooFew,
}

/// Something that a change cannot have reached, measured over the same time (or the same hour of another day).
#[derive(Clone, Debug, PartialEq)]
pub struct Control<'a> {
    /// For a sentence: `` `payments` ``, `the day before`.
    pub name: String,
    /// What it is.
    pub kind: ControlKind,
    /// Its readings before.
    pub before: &'a [Reading],
    /// Its readings after.
    pub after: &'a [Reading],
}

/// What a negative control is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ControlKind {
    /// A service that no change in the window touches.
    OtherService,
    /// The same service at the same hour of the day before.
    DayBefore,
    /// The same service where the change was not applied.
    OtherInstance,
    /// The version of the service from before, beside the new one.
    OtherVersion,
}

/// How a control compares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlEvidence {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ControlKind,
    /// Its own before and after.
    pub comparison: Comparison,
    /// Whether it moved with the service.
    pub stance: Stance,
}

/// Whether a control moved with the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stance {
    /// The service shifted by more than it did.
    StoodStill,
    /// It got worse as well, and not by less than chance explains.
    MovedToo,
    /// Not enough is known.
    Unclear,
}

/// What the numbers say about a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What was compared, for a sentence.
    pub subject: String,
    /// Its before and after.
    pub comparison: Comparison,
    /// Every control.
    pub controls: Vec<ControlEvidence>,
    /// What it comes to.
    pub weight: Weight,
    /// One sentence with the figures.
    pub sentence: String,
}

/// What evidence comes to, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Weight {
    /// The service did not get worse, or too little is known.
    Nothing,
    /// It got worse, and the controls moved too or are unclear.
    Shared,
    /// It got worse, and there are no controls to tell.
    Alone,
    /// It got worse while the controls stood still.
    Specific,
}

// === one comparison ===

/// Compares the readings after a moment with those before it. Swapping both changes the sign of the effect and nothing else.
pub fn compare(before: &[Reading], after: &[Reading]) -> Comparison {
    let (before, after) = (values(before), values(after));
    let (known_before, known_after) = (rank::known(&before), rank::known(&after));
    let pairs = before.len() * after.len();
    let sum = rank::pair_sum(&before, &after);
    let open = pairs - known_before * known_after;
    let together = [before.as_slice(), &after].concat();
    let rounds = together.len() as f64;
    let correction = rank::tie_correction(&together);
    let share = rank::independent_share(&[&before, &after]);
    let variance = pairs as f64 * (rounds + 1.0) / 3.0 * correction / share;
    // The sum moves in steps of two.
    let least = (sum.unsigned_abs() as f64 - open as f64 - 1.0).max(0.0);
    let probability = if variance > 0.0 { (2.0 * rank::normal_tail(least / variance.sqrt())).min(1.0) } else { 1.0 };
    let of_pairs = |number: f64| if pairs > 0 { number / pairs as f64 } else { 0.0 };
    let (effect, open) = (of_pairs(sum as f64), of_pairs(open as f64));
    let shift = if !are_enough(known_before, known_after) {
        Shift::TooFew
    } else if probability > SIGNIFICANCE || effect.abs() - open < LEAST_EFFECT {
        Shift::None
    } else if effect > 0.0 {
        Shift::Worse
    } else {
        Shift::Better
    };
    Comparison {
        before: counted(known_before),
        after: counted(known_after),
        bad_before: counted(bad(&before)),
        bad_after: counted(bad(&after)),
        unknown: counted(together.len() - known_before - known_after),
        effect: Decimal(effect),
        open: Decimal(open),
        deviation: Decimal(of_pairs(variance.sqrt())),
        probability: Decimal(probability),
        shift,
    }
}

/// Whether a perfect separation of so many rounds would be significant, two-sided: 2 ⁄ C(n, k).
fn are_enough(before: usize, after: usize) -> bool {
    let (all, few) = (before + after, before.min(after));
    let separation: f64 = (0..few).map(|place| (few - place) as f64 / (all - place) as f64).product();
    few >= LEAST_ROUNDS && 2.0 * separation <= SIGNIFICANCE
}

fn values(readings: &[Reading]) -> Vec<Option<f64>> {
    readings.iter().map(|reading| reading.badness).collect()
}

fn bad(values: &[Option<f64>]) -> usize {
    values.iter().flatten().filter(|badness| **badness >= 1.0).count()
}

fn counted(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl fmt::Display for Comparison {
    /// `bad in 8 of 8 rounds since and in 1 of 60 before; effect 0.98, p under 0.001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bad_after, after, bad_before, before, unknown, effect, .. } = self;
        write!(f, "bad in {bad_after} of {after} rounds since and in {bad_before} of {before} before")?;
        if *unknown > 0 {
            write!(f, ", {unknown} not measured")?;
        }
        write!(f, "; effect {}, p {}", rounded(effect.0), shown_probability(self.probability.0))
    }
}

// === against controls ===

/// Compares a service with itself before the change, and with every control over the same time.
pub fn evidence(subject: &str, before: &[Reading], after: &[Reading], controls: &[Control<'_>]) -> Evidence {
    let comparison = compare(before, after);
    let controls: Vec<ControlEvidence> = controls
        .iter()
        .map(|control| {
            let own = compare(control.before, control.after);
            let stance = stance(&comparison, &own);
            ControlEvidence { name: control.name.clone(), kind: control.kind, comparison: own, stance }
        })
        .collect();
    let weight = match comparison.shift {
        Shift::Worse if controls.is_empty() => Weight::Alone,
        Shift::Worse if every_kind_stood_still(&controls) => Weight::Specific,
        Shift::Worse => Weight::Shared,
        Shift::Better | Shift::None | Shift::TooFew => Weight::Nothing,
    };
    let sentence = sentence(subject, &comparison, &controls);
    Evidence { subject: subject.to_owned(), comparison, controls, weight, sentence }
}

fn stance(subject: &Comparison, control: &Comparison) -> Stance {
    if control.shift == Shift::TooFew {
        return Stance::Unclear;
    }
    // The least lead that the service can have, whatever was not measured on either side.
    let lead = (subject.effect.0 - subject.open.0) - (control.effect.0 + control.open.0);
    let error = subject.deviation.0.hypot(control.deviation.0);
    if control.shift != Shift::Worse && lead > LEAST_LEAD * error && lead >= LEAST_EFFECT {
        Stance::StoodStill
    } else if control.shift == Shift::Worse {
        Stance::MovedToo
    } else {
        Stance::Unclear
    }
}

/// Whether of every kind of control that there is more than half stood still.
fn every_kind_stood_still(controls: &[ControlEvidence]) -> bool {
    [ControlKind::OtherService, ControlKind::DayBefore, ControlKind::OtherInstance, ControlKind::OtherVersion].into_iter().all(|kind| {
        let of_kind: Vec<&ControlEvidence> = controls.iter().filter(|control| control.kind == kind).collect();
        let still = of_kind.iter().filter(|control| control.stance == Stance::StoodStill).count();
        of_kind.is_empty() || still * 2 > of_kind.len()
    })
}

fn sentence(subject: &str, comparison: &Comparison, controls: &[ControlEvidence]) -> String {
    let verdict = match comparison.shift {
        Shift::Worse => "got worse",
        Shift::Better => "got better",
        Shift::None => "did not change by more than chance does",
        Shift::TooFew => "was measured too few times to tell",
    };
    let mut text = format!("`{subject}` {verdict} ({comparison})");
    if comparison.shift == Shift::Worse {
        let with = |stance: Stance| controls.iter().filter(move |control| control.stance == stance);
        let names = |stance: Stance| {
            let all: Vec<&str> = with(stance).take(4).map(|control| control.name.as_str()).collect();
            let more = with(stance).count().saturating_sub(all.len());
            if more > 0 { format!("{} and {more} more", all.join(", ")) } else { all.join(", ") }
        };
        match controls.len() {
            0 => text.push_str("; there is nothing to compare it with"),
            all => {
                let still = with(Stance::StoodStill).count();
                text.push_str(&format!("; {still} of {all} that the change does not reach stood still"));
                if still > 0 {
                    text.push_str(&format!(": {}", names(Stance::StoodStill)));
                }
            }
        }
        for (stance, words) in [(Stance::MovedToo, "got worse as well"), (Stance::Unclear, "cannot be told")] {
            if with(stance).next().is_some() {
                text.push_str(&format!("; {words}: {}", names(stance)));
            }
        }
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests;
