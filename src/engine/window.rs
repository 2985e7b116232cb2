//! Sums of counts over windows of time, what of a window is covered by known rounds, and Wilson's bound.

use super::round::{Outcome, Round};
use super::time::Timestamp;

/// The quantile of the standard normal distribution for a one-sided 95 % bound.
const Z_95: f64 = 1.644_853_626_951_472_2;

/// Events in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// Failed events.
    pub bad: f64,
    /// All events.
    pub total: f64,
}

/// What of a window known rounds cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All of it.
    Whole,
    /// Not all of it, and why.
    Partial(String),
}

/// One round's counts: `good` is capped at `total`, because `increase` extrapolates both on their own.
pub fn counts(good: f64, total: f64) -> Sum {
    let total = total.max(0.0);
    Sum { bad: (total - good.max(0.0)).max(0.0), total }
}

/// The sum over the rounds that end in (`from`, `to`], and what of that time they cover. Rounds are ordered by their end.
pub fn sum(rounds: &[Round], from: Timestamp, to: Timestamp) -> (Sum, Coverage) {
    let inside = &rounds[rounds.partition_point(|round| round.end <= from)..rounds.partition_point(|round| round.end <= to)];
    let mut sum = Sum::default();
    let mut covered_to = from;
    let mut missing = None;
    for round in inside {
        match &round.outcome {
            Outcome::Counts { good, total } => {
                let counts = counts(good.0, total.0);
                sum.bad += counts.bad;
                sum.total += counts.total;
            }
            _ => missing = missing.or_else(|| Some(format!("the round that ended at {} is {}", round.end, round.outcome.words()))),
        }
        if round.start > covered_to {
            missing = missing.or_else(|| Some(format!("no round covers {covered_to} to {}", round.start)));
        }
        covered_to = covered_to.max(round.end);
    }
    if covered_to < to {
        missing = missing.or_else(|| Some(format!("no round covers {covered_to} to {to}")));
    }
    (sum, missing.map_or(Coverage::Whole, Coverage::Partial))
}

impl Sum {
    /// The share of failed events; zero without events.
    pub fn ratio(self) -> f64 {
        if self.total > 0.0 { self.bad / self.total } else { 0.0 }
    }

    /// The lower end of Wilson's one-sided 95 % interval for the share of failed events (Wilson 1927); zero without events.
    pub fn wilson_lower(self) -> f64 {
        self.wilson(-1.0)
    }

    /// The upper end; one without events.
    pub fn wilson_upper(self) -> f64 {
        if self.total > 0.0 { self.wilson(1.0) } else { 1.0 }
    }

    fn wilson(self, side: f64) -> f64 {
        if self.total <= 0.0 {
            return 0.0;
        }
        let (share, z2) = (self.ratio(), Z_95 * Z_95);
        let centre = share + z2 / (2.0 * self.total);
        let spread = Z_95 * (share * (1.0 - share) / self.total + z2 / (4.0 * self.total * self.total)).sqrt();
        ((centre + side * spread) / (1.0 + z2 / self.total)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::round::{Decimal, Unknown};

    fn round(end: i64, outcome: Outcome) -> Round {
        let end = Timestamp::from_secs(end);
        Round { start: end - Duration::from_secs(60), end, outcome }
    }

    fn failed(end: i64, bad: f64, total: f64) -> Round {
        round(end, Outcome::Counts { good: Decimal(total - bad), total: Decimal(total) })
    }

    #[test]
    fn wilson_agrees_with_values_computed_elsewhere() {
        // 5 of 10: centre (0.5 + 2.70554/20) / 1.270554, spread 1.644854 × sqrt(0.025 + 2.70554/400) / 1.270554.
        let sum = Sum { bad: 5.0, total: 10.0 };
        assert!((sum.wilson_lower() - 0.269_275).abs() < 1e-4, "{}", sum.wilson_lower());
        assert!((sum.wilson_upper() - 0.730_725).abs() < 1e-4, "{}", sum.wilson_upper());
        assert_eq!(Sum { bad: 0.0, total: 10.0 }.wilson_lower(), 0.0);
        assert_eq!(Sum::default().wilson_lower(), 0.0);
    }

    #[test]
    fn a_window_with_a_gap_or_an_unknown_round_is_not_whole() {
        let whole = [failed(60, 1.0, 100.0), failed(120, 2.0, 100.0)];
        let (sum_of, coverage) = sum(&whole, Timestamp(0), Timestamp::from_secs(120));
        assert_eq!((sum_of, coverage), (Sum { bad: 3.0, total: 200.0 }, Coverage::Whole));
        let gap = [failed(60, 1.0, 100.0), failed(180, 2.0, 100.0)];
        assert!(matches!(sum(&gap, Timestamp(0), Timestamp::from_secs(180)).1, Coverage::Partial(_)));
        let unknown = [failed(60, 1.0, 100.0), round(120, Outcome::Unknown(Unknown::NoData))];
        assert!(matches!(sum(&unknown, Timestamp(0), Timestamp::from_secs(120)).1, Coverage::Partial(_)));
    }

    #[test]
    fn good_over_total_counts_as_no_failure() {
        assert_eq!(counts(100.4, 100.0), Sum { bad: 0.0, total: 100.0 });
    }
}
