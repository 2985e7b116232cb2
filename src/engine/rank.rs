//! Rank statistics of series with holes: what can be said whatever the missing values were.
//!
//! Everything here looks at the order of values only, so that no monotone transformation of them changes anything. A missing value
//! (`None`) stands for any value at all: sums over pairs give the least that holds for every completion, and the number of independent
//! observations is the least one. So a value that goes missing can make a statement weaker and never stronger.

use std::cmp::Ordering;

/// The most of a series' values that are taken for one another's echo: beyond it nothing could ever be said.
const HIGHEST_AUTOCORRELATION: f64 = 0.95;

/// The order of two values, as −1, 0 or 1; `None` where one is missing. A larger second value is 1.
pub fn order(first: Option<f64>, second: Option<f64>) -> Option<i32> {
    match second?.total_cmp(&first?) {
        Ordering::Less => Some(-1),
        Ordering::Equal => Some(0),
        Ordering::Greater => Some(1),
    }
}

/// The sum of [`order`] over all pairs of a value before and one after that are both known.
pub fn pair_sum(before: &[Option<f64>], after: &[Option<f64>]) -> i64 {
    let mut sorted: Vec<f64> = before.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let place = |end: usize| i64::try_from(end).unwrap_or(i64::MAX);
    let all = place(sorted.len());
    let against = |value: &f64| {
        let lower = place(sorted.partition_point(|other| other.total_cmp(value) == Ordering::Less));
        let not_higher = place(sorted.partition_point(|other| other.total_cmp(value) != Ordering::Greater));
        lower - (all - not_higher)
    };
    after.iter().flatten().map(against).sum()
}

/// How many values are known.
pub fn known(values: &[Option<f64>]) -> usize {
    values.iter().flatten().count()
}

/// The largest that the tie correction of the variance of a rank sum can be: 1 − Σ(t³ − t) ⁄ (n³ − n) over groups of t equal values
/// (Kruskal and Wallis 1952), with missing values equal to nothing.
pub fn tie_correction(values: &[Option<f64>]) -> f64 {
    let cubic = |count: usize| (count as f64).powi(3) - count as f64;
    if values.len() < 2 {
        return 1.0;
    }
    let tied: f64 = groups(values).into_iter().map(cubic).sum();
    1.0 - tied / cubic(values.len())
}

/// The sizes of the groups of equal known values.
fn groups(values: &[Option<f64>]) -> Vec<usize> {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|one, other| one.total_cmp(other) == Ordering::Equal).map(<[f64]>::len).collect()
}

/// The share of observations that count as independent, over segments whose levels may differ: (1 − ρ) ⁄ (1 + ρ) for an autoregression
/// of first order (Bayley and Hammersley 1946), ρ by the rank version of von Neumann's ratio (Bartels 1982), pooled over the segments.
///
/// Equal values count as if their order were drawn by lot, so that a constant segment has no autocorrelation. Missing values count as if
/// they were the echo of their neighbours: the share is the least one.
pub fn independent_share(segments: &[&[Option<f64>]]) -> f64 {
    let mut weighted = 0.0;
    let mut pairs = 0.0;
    for segment in segments.iter().filter(|segment| segment.len() > 1) {
        let weight = (segment.len() - 1) as f64;
        weighted += weight * autocorrelation(segment);
        pairs += weight;
    }
    if pairs == 0.0 {
        return 1.0;
    }
    let autocorrelation = (weighted / pairs).clamp(0.0, HIGHEST_AUTOCORRELATION);
    (1.0 - autocorrelation) / (1.0 + autocorrelation)
}

/// The highest that the autocorrelation of the ranks at lag one can be: 1 − mean (Rᵢ − Rᵢ₊₁)² ⁄ (n(n + 1) ⁄ 6), where the divisor is
/// what independent ranks give on average.
fn autocorrelation(values: &[Option<f64>]) -> f64 {
    let count = values.len() as f64;
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    // The mean rank and the size of a value's group, among the known values: two values are at least so far apart.
    let place = |value: f64| {
        let below = sorted.partition_point(|other| other.total_cmp(&value) == Ordering::Less);
        let up_to = sorted.partition_point(|other| other.total_cmp(&value) != Ordering::Greater);
        ((below + up_to + 1) as f64 / 2.0, (up_to - below) as f64)
    };
    let squares: f64 = values
        .windows(2)
        .filter_map(|pair| {
            let ((first, first_group), (second, second_group)) = (place(pair[0]?), place(pair[1]?));
            Some(if order(pair[0], pair[1]) == Some(0) {
                first_group * (first_group + 1.0) / 6.0
            } else {
                (first - second).powi(2) + (first_group.powi(2) - 1.0) / 12.0 + (second_group.powi(2) - 1.0) / 12.0
            })
        })
        .sum();
    1.0 - squares / (count - 1.0) / (count * (count + 1.0) / 6.0)
}

/// The probability that a standard normal variable is over `z` (Abramowitz and Stegun 1964, 26.2.17; the error is under 1e-7).
pub fn normal_tail(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_tail(-z);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial = t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial
}

/// The middle of the known values.
pub fn median(values: &[Option<f64>]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], upper) } else { upper })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn the_tail_agrees_with_the_tables() {
        for (z, tail) in [(0.0, 0.5), (1.0, 0.158_655_25), (1.959_964, 0.025), (2.575_829, 0.005), (-1.0, 0.841_344_75)] {
            assert!((normal_tail(z) - tail).abs() < 2e-7, "{z}: {}", normal_tail(z));
        }
    }

    #[test]
    fn ties_reduce_the_variance_by_their_share() {
        assert!((tie_correction(&some(&[1.0, 2.0, 3.0])) - 1.0).abs() < 1e-12);
        // 5 and 3 equal values of 8: 1 − (120 + 24) / 504.
        assert!((tie_correction(&some(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0])) - (1.0 - 144.0 / 504.0)).abs() < 1e-12);
    }

    #[test]
    fn a_trend_is_an_echo_and_a_constant_is_none() {
        let trend: Vec<f64> = (0..40).map(f64::from).collect();
        assert!(independent_share(&[&some(&trend)]) < 0.06);
        assert!((independent_share(&[&some(&[1.0; 30])]) - 1.0).abs() < 1e-12);
        // A zigzag is less than independent; no more than all observations ever count.
        let zigzag: Vec<f64> = (0..40).map(|index| f64::from(index % 2)).collect();
        assert!((independent_share(&[&some(&zigzag)]) - 1.0).abs() < 1e-12);
        // Two levels are no echo when each is its own segment.
        assert!((independent_share(&[&some(&[0.0; 20]), &some(&[1.0; 20])]) - 1.0).abs() < 1e-12);
        assert!(independent_share(&[&some(&[[0.0; 20], [1.0; 20]].concat())]) < 0.5);
    }

    #[test]
    fn the_middle_of_an_even_count_is_between() {
        assert_eq!(median(&some(&[3.0, 1.0, 2.0, 10.0])), Some(2.5));
        assert_eq!(median(&[None, Some(1.0)]), Some(1.0));
        assert_eq!(median(&[None]), None);
    }

    proptest! {
        #[test]
        fn the_sum_over_pairs_is_that_of_every_pair(
            before in proptest::collection::vec(proptest::option::weighted(0.8, -3..4_i32), 0..20),
            after in proptest::collection::vec(proptest::option::weighted(0.8, -3..4_i32), 0..20),
        ) {
            let values = |values: &[Option<i32>]| values.iter().map(|value| value.map(f64::from)).collect::<Vec<_>>();
            let (before, after) = (values(&before), values(&after));
            let every: i64 = before.iter().flat_map(|one| after.iter().filter_map(|other| order(*one, *other))).map(i64::from).sum();
            prop_assert_eq!(pair_sum(&before, &after), every);
        }

        #[test]
        fn a_missing_value_never_adds_independence_nor_ties(
            values in proptest::collection::vec(proptest::option::weighted(0.8, 0..5_i32), 2..30), at in 0..30_usize,
        ) {
            let before: Vec<Option<f64>> = values.iter().map(|value| value.map(f64::from)).collect();
            let mut after = before.clone();
            let at = at % after.len();
            after[at] = None;
            prop_assert!(independent_share(&[&after]) <= independent_share(&[&before]) + 1e-12);
            prop_assert!(tie_correction(&after) >= tie_correction(&before) - 1e-12);
        }
    }
}
