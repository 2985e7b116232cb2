//! Points and intervals of time as plain numbers.
//!
//! The engine never reads a clock: every function that needs the time takes `now`. Times are Unix milliseconds, so that facts hold
//! integers only and a recorded situation decides the same way on any machine.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// What is known of when something happened: after `after` (the last moment at which it was not so) and at the latest by `by` (the
/// first moment at which it was). `after` is `None` where nothing bounds it from below, as for a change that was there before revertd was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interval {
    /// The last moment at which it was known not to have happened.
    pub after: Option<Timestamp>,
    /// The first moment at which it was known to have happened.
    pub by: Timestamp,
}

// === impl Timestamp ===

impl Timestamp {
    /// The moment `seconds` after the epoch.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time from `earlier` to here; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(duration)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with milliseconds only where there are any: `2026-11-21T03:04:05Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(time) = chrono::DateTime::from_timestamp_millis(self.0) else {
            return write!(f, "{} ms", self.0);
        };
        let format = if self.0.rem_euclid(1000) == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
        write!(f, "{}", time.format(format))
    }
}

// === impl Interval ===

impl Interval {
    /// Something that happened after `after` and by `by`.
    pub const fn new(after: Timestamp, by: Timestamp) -> Self {
        Self { after: Some(after), by }
    }

    /// Something that was there at `by` and may have been there for ever.
    pub const fn unbounded(by: Timestamp) -> Self {
        Self { after: None, by }
    }

    /// The earliest moment at which it can have happened; the beginning of time where nothing bounds it.
    pub fn earliest(self) -> Timestamp {
        self.after.unwrap_or(Timestamp(i64::MIN))
    }

    /// The same interval with its end moved `later` on, as by an assumed lag.
    pub fn stretched(self, later: Duration) -> Self {
        Self { after: self.after, by: self.by + later }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Some(after) if after == self.by => write!(f, "at {after}"),
            Some(after) => write!(f, "between {after} and {}", self.by),
            None => write!(f, "at an unknown time before {}", self.by),
        }
    }
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A duration the way people say it: `1h 5m`, `90ms`, `2m 30s`; at most two units, so that sentences stay short.
pub fn spoken(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    if millis < 1000 {
        return format!("{millis}ms");
    }
    if millis < 10_000 && !millis.is_multiple_of(1000) {
        return format!("{:.1}s", duration.as_secs_f64()).replace(".0s", "s");
    }
    let seconds = duration.as_secs();
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let words: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    words.join(" ")
}

/// Serde for durations as whole milliseconds, for `#[serde(with = "crate::engine::time::millis")]`.
pub mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes whole milliseconds.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// Reads whole milliseconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// The same for durations that may be absent.
pub mod optional_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes whole milliseconds, or nothing.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
    }

    /// Reads whole milliseconds, or nothing.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_with_two_units_at_most() {
        let said: Vec<String> =
            [0, 90, 1500, 2001, 6000, 65_000, 3_900_000, 90_061_000].map(|millis| spoken(Duration::from_millis(millis))).into();
        assert_eq!(said, ["0s", "90ms", "1.5s", "2s", "6s", "1m 5s", "1h 5m", "1d 1h"]);
    }

    #[test]
    fn a_time_is_shown_in_rfc_3339() {
        assert_eq!(Timestamp::from_secs(1_795_230_245).to_string(), "2026-11-21T03:04:05Z");
        assert_eq!(Timestamp(1_795_230_245_250).to_string(), "2026-11-21T03:04:05.250Z");
    }
}
