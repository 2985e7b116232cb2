//! The whole numbers of a line, among them its times in Unix milliseconds: as an integer or as a number without a fraction.
//!
//! JSON Schema calls `1760000900000.0` an integer, and tools that work with tables write it so.

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// The last millisecond of the year 9999.
pub(super) const LAST: i64 = 253_402_300_799_999;

/// A time.
pub(super) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_any(Millis)
}

/// A time or null.
pub(super) fn some_millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    deserializer.deserialize_option(SomeMillis)
}

/// A whole number.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    deserializer.deserialize_any(Whole)
}

struct Whole;

struct Millis;

struct SomeMillis;

impl Visitor<'_> for Millis {
    type Value = i64;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a time in whole Unix milliseconds")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
        if (0..=LAST).contains(&value) {
            return Ok(value);
        }
        Err(E::custom(format!("{value} is no time: they are Unix milliseconds from 0 to {LAST}")))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
        self.visit_i64(i64::try_from(value).unwrap_or(i64::MAX))
    }

    #[expect(clippy::cast_possible_truncation, reason = "what is too large is cut to the largest integer, which is refused")]
    fn visit_f64<E: Error>(self, value: f64) -> Result<i64, E> {
        if value.fract() != 0.0 {
            return Err(E::custom(format!("{value} is no time: they are whole Unix milliseconds")));
        }
        self.visit_i64(value as i64)
    }
}

impl Visitor<'_> for Whole {
    type Value = u32;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "a whole number from 0 to {}", u32::MAX)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u32, E> {
        u32::try_from(value).map_err(|_| E::custom(format!("{value} is no whole number from 0 to {}", u32::MAX)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u32, E> {
        self.visit_i64(i64::try_from(value).unwrap_or(i64::MAX))
    }

    #[expect(clippy::cast_possible_truncation, reason = "what is too large is cut to the largest integer, which is refused")]
    fn visit_f64<E: Error>(self, value: f64) -> Result<u32, E> {
        if value.fract() != 0.0 {
            return Err(E::custom(format!("{value} is no whole number from 0 to {}", u32::MAX)));
        }
        self.visit_i64(value as i64)
    }
}

impl<'de> Visitor<'de> for SomeMillis {
    type Value = Option<i64>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a time in whole Unix milliseconds, or null")
    }

    fn visit_none<E: Error>(self) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<i64>, D::Error> {
        millis(deserializer).map(Some)
    }
}
