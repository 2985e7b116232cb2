//! When a service got worse, by the order of its rounds alone: an interval that holds the change point.
//!
//! The threshold of an objective dates a slow decline too late and a stray bad round too early; a change point does neither. It is one
//! point: of a service that went bad, recovered and went bad again, the caller passes the rounds since the recovery.
//!
//! For each split of the n rounds into m before and n − m after, Uₘ is the sum over all pairs of one round before and one after of −1, 0
//! or 1 as the later one is better, the same or worse. That there is a change point at all is Pettitt's test (Pettitt 1979), one-sided:
//! p = exp(−6 U² ⁄ (n³ + n²)) for the largest Uₘ, with U² multiplied by the share of independent observations and divided by the tie
//! correction ([`rank`]). Where it is: every split that is not told from a better one by the likelihood ratio at 95 %, Zₘ² − Zₜ² ≤ 3.84,
//! with Z = U ⁄ √(m(n − m)(n + 1) ⁄ 3) (profile sets for change points: Siegmund 1988).
//!
//! A round that was not measured counts in each pair as whatever makes the statement weakest. So it can widen the interval or make it
//! vanish, and never narrow it.

use serde::{Deserialize, Serialize};

use super::rank;
use super::reading::Reading;
use super::round::Decimal;
use super::time::{Interval, Timestamp};

/// The fewest measured rounds that say anything; of fewer, even a perfect step is not significant.
pub const LEAST_ROUNDS: usize = 8;

/// The most rounds that are looked at: the newest. The work grows with the square.
pub const MOST_ROUNDS: usize = 400;

/// The highest probability of so large a step where nothing changed.
pub const SIGNIFICANCE: f64 = 0.05;

/// The 95 % quantile of the chi-squared distribution with one degree of freedom.
const CHI_SQUARED_95: f64 = 3.841_458_820_694_124;

/// That and when a series got worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangePoint {
    /// From the start of the last round that can still be of the old kind to the end of the first one that must be of the new one. A
    /// round may turn bad anywhere inside itself.
    pub interval: Interval,
    /// The end of the first round of the new kind, by the likeliest split.
    pub likeliest: Timestamp,
    /// The probability of so large a step where nothing changed; at most [`SIGNIFICANCE`].
    pub probability: Decimal,
    /// The arithmetic.
    pub sentence: String,
}

/// Finds where the readings, oldest first, got worse; `None` where too few are known or no step is significant.
pub fn change_point(readings: &[Reading]) -> Option<ChangePoint> {
    let readings = &readings[readings.len().saturating_sub(MOST_ROUNDS)..];
    let values: Vec<Option<f64>> = readings.iter().map(|reading| reading.badness).collect();
    let known = rank::known(&values);
    if known < LEAST_ROUNDS {
        return None;
    }
    let all = Pairs { rounds: values.len(), known };
    let splits = splits(&values, &all);
    let probability = splits.iter().map(|split| split.probability).fold(1.0, f64::min);
    if probability > SIGNIFICANCE {
        return None;
    }
    let possible: Vec<&Split> = splits.iter().filter(|split| !splits.iter().any(|better| better.excludes(split, &all))).collect();
    let (first, last) = (possible.first()?, possible.last()?);
    let likeliest = possible.iter().max_by(|one, other| one.z.total_cmp(&other.z))?;
    // What was not measured at either end may be of either kind.
    let after = readings[..first.at].iter().rev().find(|reading| reading.badness.is_some()).map(|reading| reading.start);
    let by = readings[last.at..].iter().find(|reading| reading.badness.is_some()).or(readings.last())?.end;
    let (before, since) = values.split_at(likeliest.at);
    let sentence = format!(
        "it got worse {}: median {} over {} rounds before and {} over {} since (p = {}, {} of {} rounds count as independent{})",
        Interval { after, by },
        rank::median(before).map_or_else(|| "unknown".to_owned(), rounded),
        rank::known(before),
        rank::median(since).map_or_else(|| "unknown".to_owned(), rounded),
        rank::known(since),
        shown_probability(probability),
        (likeliest.share * known as f64).round(),
        known,
        if known < values.len() { format!("; {} were not measured", values.len() - known) } else { String::new() },
    );
    Some(ChangePoint {
        interval: Interval { after, by },
        likeliest: readings[likeliest.at].end,
        probability: Decimal(probability),
        sentence,
    })
}

/// A number for people.
pub(super) fn rounded(number: f64) -> String {
    let digits = if number.abs() >= 100.0 { 0 } else { 3 };
    let text = format!("{number:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A probability for people: nobody believes more zeros.
pub(super) fn shown_probability(probability: f64) -> String {
    if probability < 0.001 { "under 0.001".to_owned() } else { format!("{probability:.3}") }
}

/// One way to split the rounds.
struct Split {
    /// How many rounds are before.
    at: usize,
    /// How many of them are measured.
    known_before: usize,
    /// 1 ⁄ √(m(n − m)(n + 1) ⁄ 3).
    scale: f64,
    /// U over measured pairs ⁄ its standard deviation, without ties and echoes.
    z: f64,
    /// The least that it can be, whatever was not measured.
    least_z: f64,
    /// The share of independent observations, divided by the tie correction.
    weight: f64,
    share: f64,
    probability: f64,
}

/// How many rounds there are, and how many of them are measured.
struct Pairs {
    rounds: usize,
    known: usize,
}

fn splits(values: &[Option<f64>], all: &Pairs) -> Vec<Split> {
    let count = all.rounds;
    let correction = rank::tie_correction(values).max(f64::EPSILON);
    let mut sum = 0_i64;
    let mut known_before = 0;
    (1..count)
        .map(|at| {
            // The round moves from after to before: its pairs with the rounds before go, those with the rounds after come.
            let moved = values[at - 1];
            let pairs =
                |others: &[Option<f64>]| -> i64 { others.iter().filter_map(|other| rank::order(moved, *other)).map(i64::from).sum() };
            sum += pairs(&values[..at - 1]) + pairs(&values[at..]);
            known_before += usize::from(moved.is_some());
            let n = count as f64;
            let scale = 1.0 / (at as f64 * (n - at as f64) * (n + 1.0) / 3.0).sqrt();
            let unknown_pairs = (at * (count - at) - known_before * (all.known - known_before)) as f64;
            let least = sum as f64 - unknown_pairs;
            let share = rank::independent_share(&[&values[..at], &values[at..]]);
            let weight = share / correction;
            let probability = (-6.0 * least.max(0.0).powi(2) * weight / (n.powi(3) + n.powi(2))).exp();
            Split { at, known_before, scale, z: sum as f64 * scale, least_z: least * scale, weight, share, probability }
        })
        .collect()
}

impl Split {
    /// Whether this split is better than the other by more than chance, whatever was not measured. A split after which things got better
    /// counts like one that changes nothing.
    fn excludes(&self, other: &Self, all: &Pairs) -> bool {
        if self.at == other.at {
            return false;
        }
        let lead = (self.z - other.z - self.doubt_between(other, all)).min(self.least_z);
        let sum = self.least_z + other.least_z.max(0.0);
        lead > 0.0 && lead * sum * self.weight > CHI_SQUARED_95
    }

    /// The most that pairs with a round that was not measured can change of the difference of both Z.
    fn doubt_between(&self, other: &Self, all: &Pairs) -> f64 {
        let (low, high) = if self.at < other.at { (self, other) } else { (other, self) };
        let (between, known_between) = (high.at - low.at, high.known_before - low.known_before);
        let (after, known_after) = (all.rounds - high.at, all.known - high.known_before);
        let unknown = |pairs: usize, known: usize| (pairs - known) as f64;
        let both = unknown(low.at * after, low.known_before * known_after);
        let only_low = unknown(low.at * between, low.known_before * known_between);
        let only_high = unknown(between * after, known_between * known_after);
        (low.scale - high.scale).abs() * both + low.scale * only_low + high.scale * only_high
    }
}

#[cfg(test)]
mod tests;
