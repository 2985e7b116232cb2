//! Versions and quantities, compared only as far as that is certain.

use std::cmp::Ordering;

/// Which way a version moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To a lower one.
    Back,
    /// To a higher one.
    Forward,
    /// It cannot be told.
    Unclear,
}

/// Which way a tag moves: its numbers are compared from the left until they differ. A first difference that is no number tells nothing.
pub fn direction(before: &str, after: &str) -> Direction {
    let parts = |version: &str| -> Vec<String> {
        let version = version.strip_prefix('v').unwrap_or(version);
        version.split(['.', '-', '+', '_']).map(str::to_owned).collect()
    };
    let (before, after) = (parts(before), parts(after));
    // `20240102` is a date, which orders; `0f3c` and a commit's forty digits are no numbers.
    let number = |part: Option<&String>| part.filter(|part| part.len() <= 14).and_then(|part| part.parse::<u64>().ok());
    if number(before.first()).is_none() || number(after.first()).is_none() {
        return Direction::Unclear;
    }
    for index in 0..before.len().max(after.len()) {
        let (one, two) = (before.get(index), after.get(index));
        if one == two {
            continue;
        }
        return match (number(one), number(two)) {
            (Some(one), Some(two)) => match one.cmp(&two) {
                Ordering::Greater => Direction::Back,
                Ordering::Less => Direction::Forward,
                Ordering::Equal => continue,
            },
            _ => Direction::Unclear,
        };
    }
    Direction::Unclear
}

/// A Kubernetes quantity as a number (`500m`, `1Gi`, `1e3`); `None` for what is none.
pub fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let text = text.trim();
    if let Some((number, factor)) = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor))) {
        return finite(number).map(|number| number * factor);
    }
    finite(text)
}

fn finite(text: &str) -> Option<f64> {
    // `inf` and `nan` are numbers to Rust alone.
    text.starts_with(|character: char| character.is_ascii_digit() || character == '.')
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_far_as_is_certain() {
        for (before, after, expected) in [
            ("1.4.2", "1.4.1", Direction::Back),
            ("v1.10.0", "v1.9.3", Direction::Back),
            ("1.9.3", "v1.10.0", Direction::Forward),
            ("16-alpine", "15-alpine", Direction::Back),
            ("20240102-abc", "20240103-def", Direction::Forward),
            ("1.0.0", "1.0.0-rc1", Direction::Unclear),
            ("main-1", "main-2", Direction::Unclear),
            ("1.2-alpine", "1.2-debian", Direction::Unclear),
            ("latest", "1.2", Direction::Unclear),
            ("1.2", "1.2", Direction::Unclear),
        ] {
            assert_eq!(direction(before, after), expected, "{before} {after}");
        }
    }

    #[test]
    fn quantities_are_numbers() {
        assert_eq!(quantity("500m"), Some(0.5));
        assert_eq!(quantity("1Gi"), Some(1_073_741_824.0));
        assert_eq!(quantity("1e3"), Some(1000.0));
        assert!(quantity("128Mi") > quantity("100M"));
        assert_eq!([quantity("inf"), quantity("-1"), quantity("x"), quantity("")], [None; 4]);
    }
}
