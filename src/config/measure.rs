//! Durations and ratios from the way people write them.

use std::time::Duration;

use crate::engine::policy::Ratio;

use super::node::{Node, Scalar, Value};

/// How a duration is written, as a pattern.
pub const DURATION_PATTERN: &str = "^([0-9]+(ms|s|m|h|d|w))+$";

/// How a percentage is written, as a pattern.
pub const PERCENTAGE_PATTERN: &str = r"^(100(\.0{1,7})?|[0-9]{1,2}(\.[0-9]{1,7})?)%$";

/// A duration such as `90s` or `1h30m`; `None` for anything else and for what is too long to count.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_digit()).len();
        let count: u64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_lowercase()).len();
        let unit = match &rest[..letters] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        rest = &rest[letters..];
        total = total.checked_add(Duration::from_millis(count.checked_mul(unit)?))?;
    }
    (!text.is_empty()).then_some(total)
}

/// A ratio: a number between 0 and 1, or a percentage.
pub fn ratio(node: &Node) -> Option<Ratio> {
    let Value::Scalar { text, .. } = &node.value else { return None };
    let parts = match node.scalar()? {
        Scalar::Text(text) => percentage_parts(text.strip_suffix('%')?)?,
        Scalar::Integer(_) | Scalar::Number(_) => decimal_parts(text, 9)?,
        Scalar::Null | Scalar::Flag(_) => return None,
    };
    (parts <= Ratio::ONE).then_some(Ratio(parts))
}

fn percentage_parts(text: &str) -> Option<u64> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    (whole.len() <= 2 || whole == "100").then(|| decimal_parts(text, 7))?
}

/// `12.5` with 3 places is 12500. The arithmetic is on the digits, so that 0.999 is exactly 0.999.
fn decimal_parts(text: &str, places: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |text: &str| text.chars().all(|char| char.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || fraction.len() > places || (text.ends_with('.')) {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::{Piece, parse};

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("2w"), Some(Duration::from_secs(14 * 86_400)));
        for text in ["", "5", "5 m", "m", "-5m", "5M", "1.5h", "5µ", "99999999999999999999s", "9999999999999999w"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn ratios_are_exact() {
        let read = |text| ratio(&parse(Piece { text, first_line: 1 }).unwrap().unwrap());
        assert_eq!(read("99.9%"), Some(Ratio(999_000_000)));
        assert_eq!(read("0.999"), Some(Ratio(999_000_000)));
        assert_eq!(read("100%"), Some(Ratio(Ratio::ONE)));
        assert_eq!(read("1"), Some(Ratio(Ratio::ONE)));
        for text in ["99.9", "100.1%", "\"0.9\"", "-0.5", "1e-1", "'%'", "099%", "0.9999999999", ".5%", "true"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
