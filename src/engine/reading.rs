//! Rounds as numbers of which a larger one is worse, for rank statistics. Only the order of the numbers means anything.

use super::policy::{Objective, Slo};
use super::round::{Outcome, Round};
use super::slo::{self, Quality};
use super::time::Timestamp;
use super::window::{self, Sum};

/// One round as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// When the round began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// How bad it was: a larger number is worse. `None` where it was not measured.
    pub badness: Option<f64>,
}

/// The readings of an SLO's rounds, oldest first. A round without events (0 of 0) is none: there was nothing to measure.
///
/// Good is 0 and bad is 1; counts are their error ratio; a value is itself where `max` judges it, its negative where `min` does, and how
/// far it is outside the band where both do.
pub fn readings(slo: &Slo, rounds: &[Round]) -> Vec<Reading> {
    rounds
        .iter()
        .filter_map(|round| {
            let badness = match &round.outcome {
                Outcome::Good(_) => Some(0.0),
                Outcome::Bad(_) => Some(1.0),
                Outcome::Unknown(_) => None,
                Outcome::Value(value) => Some(value_badness(&slo.objective, value.0)),
                Outcome::Counts { good, total } => match window::counts(good.0, total.0) {
                    Sum { total, .. } if total <= 0.0 => return None,
                    sum => Some(sum.ratio()),
                },
            };
            Some(Reading { start: round.start, end: round.end, badness })
        })
        .collect()
}

/// The same as good (0) or bad (1) by the SLO's own limit, so that SLOs of different scales can be laid beside one another.
pub fn verdicts(slo: &Slo, rounds: &[Round]) -> Vec<Reading> {
    rounds
        .iter()
        .filter_map(|round| {
            let badness = match slo::quality(slo, round) {
                Quality::Good => Some(0.0),
                Quality::Bad => Some(1.0),
                Quality::Unknown => None,
                Quality::Neither => return None,
            };
            Some(Reading { start: round.start, end: round.end, badness })
        })
        .collect()
}

/// The readings that end in (`from`, `to`].
pub fn within(readings: &[Reading], from: Timestamp, to: Timestamp) -> &[Reading] {
    let first = readings.partition_point(|reading| reading.end <= from);
    &readings[first..readings.partition_point(|reading| reading.end <= to).max(first)]
}

fn value_badness(objective: &Objective, value: f64) -> f64 {
    match (objective.max, objective.min) {
        (Some(max), Some(min)) => (value - max.0).max(min.0 - value),
        (None, Some(_)) => -value,
        (Some(_) | None, None) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::round::Decimal;

    #[test]
    fn a_larger_number_is_worse_whichever_side_the_limit_is_on() {
        let limits = |max: Option<f64>, min: Option<f64>| Objective {
            target: None,
            max: max.map(Decimal),
            min: min.map(Decimal),
            time_window: None,
        };
        assert!(value_badness(&limits(Some(0.3), None), 0.5) > value_badness(&limits(Some(0.3), None), 0.2));
        assert!(value_badness(&limits(None, Some(10.0)), 3.0) > value_badness(&limits(None, Some(10.0)), 9.0));
        let band = limits(Some(5.0), Some(1.0));
        assert!(value_badness(&band, 0.0) > value_badness(&band, 3.0) && value_badness(&band, 7.0) > value_badness(&band, 3.0));
    }
}
