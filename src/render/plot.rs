//! A service's rounds as a plot that forges draw: a mermaid chart of at most forty points.

use std::time::Duration;

use super::neutral::Markdown;
use crate::engine::policy::Slo;
use crate::engine::round::{Outcome, Round};
use crate::engine::slo::{Quality, quality};
use crate::engine::time::{Timestamp, spoken};

/// The most points of a plot; more are not told apart on a forge's page.
pub const MOST_POINTS: usize = 40;

/// What was measured from `from` to the newest round, with the onset at zero. Empty with fewer than two points that are known.
pub fn rounds(slo: &Slo, rounds: &[Round], onset: Timestamp, from: Timestamp) -> Option<Markdown> {
    let shown: Vec<&Round> = rounds.iter().filter(|round| round.end > from).collect();
    let (first, last) = (shown.first()?, shown.last()?);
    let span = last.end.since(first.end);
    let is_value = shown.iter().any(|round| matches!(round.outcome, Outcome::Value(_)));
    let points: Vec<Option<f64>> = shown.chunks(shown.len().div_ceil(MOST_POINTS)).map(|chunk| point(slo, chunk, is_value)).collect();
    let unknown = points.iter().filter(|point| point.is_none()).count();
    if span < Duration::from_secs(1) || points.len() - unknown < 2 {
        return None;
    }
    let mut before = points.iter().flatten().next().copied()?;
    let drawn: Vec<String> = points
        .iter()
        .map(|point| {
            before = point.unwrap_or(before);
            format!("{}", (before * 1e4).round() / 1e4)
        })
        .collect();
    // Seconds up to a quarter of an hour, minutes after that.
    let (unit, length) = if span < Duration::from_secs(900) { ("seconds", 1000.0) } else { ("minutes", 60_000.0) };
    let at = |time: Timestamp| ((time.millis() - onset.millis()) as f64 / length).round();
    let (what, scale) = if is_value { ("measured", String::new()) } else { ("failing %", " 0 --> 100".to_owned()) };
    let mut text = format!(
        "```mermaid\nxychart-beta\n    title \"{} of {}\"\n    x-axis \"{unit} since the breach began\" {} --> {}\n    y-axis \"{what}\"{scale}\n    line [{}]\n```",
        what.replace('%', "percent"),
        word(slo.name.as_str()),
        at(first.end),
        at(last.end),
        drawn.join(", ")
    );
    if unknown > 0 {
        text.push_str(&format!(
            "\n\n{unknown} of {} intervals over {} have no measurement; the line goes on from the one before.",
            points.len(),
            spoken(span)
        ));
    }
    Some(Markdown::trusted(text))
}

/// The mean of what is known.
fn point(slo: &Slo, chunk: &[&Round], is_value: bool) -> Option<f64> {
    let known: Vec<f64> = chunk
        .iter()
        .filter_map(|round| match (&round.outcome, quality(slo, round)) {
            (Outcome::Value(value), _) if is_value => Some(value.0),
            (Outcome::Counts { good, total }, _) if total.0 > 0.0 => Some((1.0 - (good.0 / total.0).clamp(0.0, 1.0)) * 100.0),
            (_, Quality::Unknown | Quality::Neither) => None,
            (_, Quality::Bad) if !is_value => Some(100.0),
            (_, Quality::Good) if !is_value => Some(0.0),
            _ => None,
        })
        .filter(|value| value.is_finite())
        .collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// A name that can neither end the title nor the block.
fn word(name: &str) -> String {
    name.chars().filter(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn rounds_become_at_most_forty_points() {
        let policy = samples::policy();
        let slo = &policy.slos[0];
        let rounds_of = |count: i64| -> Vec<Round> {
            (0..count)
                .map(|second| Round {
                    start: Timestamp::from_secs(second),
                    end: Timestamp::from_secs(second + 1),
                    outcome: if second < count / 2 { Outcome::Good("200".into()) } else { Outcome::Bad("500".into()) },
                })
                .collect()
        };
        insta::assert_snapshot!(rounds(slo, &rounds_of(6), Timestamp::from_secs(4), Timestamp(0)).unwrap().as_str(), @r#"
        ```mermaid
        xychart-beta
            title "failing percent of up"
            x-axis "seconds since the breach began" -3 --> 2
            y-axis "failing %" 0 --> 100
            line [0, 0, 0, 100, 100, 100]
        ```
        "#);
        let many = rounds(slo, &rounds_of(3601), Timestamp::from_secs(4), Timestamp(0)).unwrap();
        let line = many.as_str().lines().find(|line| line.trim_start().starts_with("line")).unwrap();
        assert!(line.matches(',').count() < MOST_POINTS && many.as_str().contains("minutes"), "{line}");
        assert_eq!(rounds(slo, &rounds_of(1), Timestamp(0), Timestamp(0)), None);
    }
}
