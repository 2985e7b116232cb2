//! Whether a measured value climbed towards its limit before the change was applied, and would have reached it without the change (E5).
//!
//! A queue that fills or a load that grows takes a latency over its limit at some moment, and a change that was applied just before looks
//! guilty: no round before it was bad, and none need be worse than all others, because noise hides a slow climb. So the last rounds before
//! it are asked whether they climb at all (Mann 1945, Kendall 1938), and if they do, where that pace leads by the onset (Sen 1968).
//!
//! What was not measured stands for any value: it makes a climb likelier and its end higher, never the other way.

use super::beginning::USUAL;
use crate::engine::policy::{Objective, Slo};
use crate::engine::rank::{normal_tail, order};
use crate::engine::reading;
use crate::engine::round::{Decimal, Outcome, Round};
use crate::engine::time::Timestamp;

/// So many rounds are looked at, where that is no more than an hour: those of a baseline are all noise, and hours ago was another part of the
/// day.
const MOST_ROUNDS: usize = 30;

/// A climb is one that comes about by chance in one of a hundred steady series.
const SIGNIFICANCE: f64 = 0.01;

/// The climb has reached the limit where one round in ten would be over it: noise makes three of five of those before long.
const UNDER_IT: f64 = 0.9;

/// Where the rounds before `applied` lead by the onset, in words; `None` where they do not climb, or stay away from the limit, or measure no
/// value.
pub(super) fn reaches_limit(slo: &Slo, rounds: &[Round], applied: Timestamp, onset: Timestamp) -> Option<String> {
    let before = &rounds[..rounds.partition_point(|round| round.end < applied)];
    let count = rounds_looked_at(slo);
    let first = before.len().saturating_sub(count);
    let since = applied - slo.every() * u32::try_from(count + 1).ok()?;
    let newest = before[first..].iter().filter(|round| round.start >= since);
    let known: Vec<Point> = newest.filter_map(|round| Point::of(slo, round)).collect();
    let missing = count - known.len();
    // Rounds that are only good or bad have no pace.
    if known.is_empty() {
        return None;
    }
    let slope = climb(&known, missing)?;
    let mut led_to: Vec<f64> = known.iter().map(|point| point.badness + slope * (seconds(onset) - point.at)).collect();
    led_to.resize(count, f64::INFINITY);
    led_to.sort_by(f64::total_cmp);
    let high = led_to[(count as f64 * UNDER_IT) as usize];
    (high >= limit(&slo.objective)?).then(|| match value(&slo.objective, high) {
        _ if high.is_infinite() => {
            format!("{missing} of the {count} rounds before it were not measured, so that it may have climbed to the limit by itself")
        }
        value => format!("the {count} rounds before it climb, and at that pace one in ten reaches the limit by the onset{value}"),
    })
}

fn rounds_looked_at(slo: &Slo) -> usize {
    let of_an_hour = USUAL.as_millis() / slo.every().as_millis().max(1);
    usize::try_from(of_an_hour).unwrap_or(usize::MAX).min(MOST_ROUNDS).max(slo.baseline_rounds())
}

/// What a round measured: the middle of its time in seconds, and a number that is larger where it is worse.
struct Point {
    at: f64,
    badness: f64,
}

impl Point {
    fn of(slo: &Slo, round: &Round) -> Option<Self> {
        let Outcome::Value(_) = round.outcome else { return None };
        let badness = reading::readings(slo, std::slice::from_ref(round)).first()?.badness?;
        Some(Self { at: f64::midpoint(seconds(round.start), seconds(round.end)), badness })
    }
}

/// How fast the values climb, in the value's unit a second; `None` where they do not, or may only seem to.
///
/// The pace is the median of those of all pairs; a pair with a value that is missing rises without end.
fn climb(known: &[Point], missing: usize) -> Option<f64> {
    let count = (known.len() + missing) as f64;
    let pairs = |of: usize| of * of.saturating_sub(1) / 2;
    let unknown = pairs(known.len() + missing) - pairs(known.len());
    let mut rises = f64::from(u32::try_from(unknown).ok()?);
    let mut paces = Vec::with_capacity(pairs(known.len()) + unknown);
    for (position, late) in known.iter().enumerate() {
        for early in &known[..position] {
            rises += f64::from(order(Some(early.badness), Some(late.badness)).unwrap_or(1));
            // Rounds that a file lays over one another have no pace.
            let time = late.at - early.at;
            paces.push(if time > 0.0 { (late.badness - early.badness) / time } else { f64::INFINITY });
        }
    }
    let deviation = (count * (count - 1.0) * (2.0 * count + 5.0) / 18.0).sqrt();
    if normal_tail(rises / deviation) > SIGNIFICANCE {
        return None;
    }
    paces.resize(paces.len() + unknown, f64::INFINITY);
    paces.sort_by(f64::total_cmp);
    paces.get(paces.len() / 2).copied().filter(|pace| *pace > 0.0)
}

/// The badness at which a value is at its limit.
fn limit(objective: &Objective) -> Option<f64> {
    match (objective.max, objective.min) {
        (Some(_), Some(_)) => Some(0.0),
        (Some(Decimal(max)), None) => Some(max),
        (None, Some(Decimal(min))) => Some(-min),
        (None, None) => None,
    }
}

/// How a badness is said beside its limit; nothing where it is the distance to the nearer of two.
fn value(objective: &Objective, badness: f64) -> String {
    match (objective.max, objective.min) {
        (Some(Decimal(max)), None) => format!(" ({badness:.3}, max {max})"),
        (None, Some(Decimal(min))) => format!(" ({:.3}, min {min})", -badness),
        _ => String::new(),
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::policy::{Indicator, PrometheusQuery, sample};
    use crate::engine::round::Unknown;

    /// What is measured every ten seconds.
    fn slo(max: Option<f64>, min: Option<f64>) -> Slo {
        let objective = Objective { target: None, max: max.map(Decimal), min: min.map(Decimal), time_window: None };
        sample::measured("p95", Duration::from_secs(10), PrometheusQuery::Value("latency".to_owned()), objective)
    }

    /// Sixty rounds of ten seconds up to the change, and where they lead 20 s after it.
    fn led(slo: &Slo, outcome: impl Fn(i64) -> Outcome) -> Option<String> {
        let at = |number: i64| Timestamp::from_secs(number * 10);
        let rounds: Vec<Round> = (0..60).map(|number| Round { start: at(number), end: at(number + 1), outcome: outcome(number) }).collect();
        reaches_limit(slo, &rounds, at(60) + Duration::from_secs(5), at(62) + Duration::from_secs(5))
    }

    /// A value with noise of ±0.02.
    fn noisy(value: f64, number: i64) -> Outcome {
        Outcome::Value(Decimal(value + 0.02 * ((number * 7 % 11) as f64 / 5.0 - 1.0)))
    }

    #[test]
    fn a_climb_that_reaches_the_limit_by_itself_is_seen_through_its_noise() {
        let latency = slo(Some(0.3), None);
        let climb = |number: i64| noisy(0.15 + 0.0023 * number as f64, number);
        let words = "the 30 rounds before it climb, and at that pace one in ten reaches the limit by the onset (0.313, max 0.3)";
        assert_eq!(led(&latency, climb).as_deref(), Some(words));
        let free = slo(None, Some(10.0));
        let falls = |number: i64| noisy(13.0 - 0.0487 * number as f64, number);
        assert!(led(&free, falls).unwrap().ends_with(", min 10)"), "{:?}", led(&free, falls));
        assert!(led(&slo(Some(0.3), Some(0.1)), climb).is_some(), "towards the nearer of two limits");
    }

    #[test]
    fn what_does_not_climb_or_stays_away_from_the_limit_is_no_climb() {
        let latency = slo(Some(0.3), None);
        assert_eq!(led(&latency, |number| noisy(0.28, number)), None, "near the limit, and steady");
        assert_eq!(led(&latency, |number| noisy(0.1 + 0.001 * number as f64, number)), None, "it climbs, and is far away yet");
        assert_eq!(led(&latency, |number| noisy(0.29 - 0.001 * number as f64, number)), None, "it falls");
        assert_eq!(led(&latency, |_| Outcome::Good("200".to_owned())), None, "no value");
    }

    #[test]
    fn what_is_measured_rarely_is_not_asked_for_rounds_of_another_day() {
        let every = |seconds: u64| {
            let mut slo = slo(Some(0.3), None);
            let Indicator::Prometheus(indicator) = &mut slo.indicator else { unreachable!() };
            indicator.every = Duration::from_secs(seconds);
            rounds_looked_at(&slo)
        };
        assert_eq!([10, 120, 300, 3600].map(every), [30, 30, 12, 5]);
    }

    #[test]
    fn what_was_not_measured_may_have_been_the_climb() {
        let latency = slo(Some(0.3), None);
        let holes =
            |of: i64| led(&latency, |number| if number >= 60 - of { Outcome::Unknown(Unknown::NoData) } else { noisy(0.2, number) });
        assert_eq!(holes(3), None);
        let words = "8 of the 30 rounds before it were not measured, so that it may have climbed to the limit by itself";
        assert_eq!(holes(8).as_deref(), Some(words));
    }
}
