//! Draws the one kind of diagram that proposals carry, a mermaid `xychart-beta` with one line, as a picture inside the page: no script draws it.
//!
//! What it cannot read stays the code block that it is.

use std::fmt::Write as _;

use super::page::escaped;

/// The size of the drawing, and the room for words left of and below it.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 48.0;
const BELOW: f64 = 44.0;
/// More points than this are no proposal's.
const MOST_POINTS: usize = 500;

/// What a chart says.
#[derive(Debug, PartialEq)]
struct Chart {
    title: String,
    x_axis: (String, String, String),
    y_axis: String,
    scale: Option<(f64, f64)>,
    line: Vec<f64>,
}

/// The drawing of a mermaid text as an SVG element; `None` for anything but a chart with one line.
pub(super) fn drawn(mermaid: &str) -> Option<String> {
    let chart = read(mermaid)?;
    let (low, high) = chart.scale.unwrap_or_else(|| range(&chart.line));
    let steps = (chart.line.len() - 1) as f64;
    let mut points = String::new();
    for (number, value) in chart.line.iter().enumerate() {
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        let _ = write!(points, "{:.1},{:.1} ", LEFT + number as f64 / steps * (WIDTH - LEFT), 8.0 + (1.0 - share) * (HEIGHT - 8.0));
    }
    let (what, first, last) = &chart.x_axis;
    let (base, middle) = (HEIGHT, LEFT + (WIDTH - LEFT) / 2.0);
    let label = escaped(&format!("{}: {}, {what} from {first} to {last}", chart.title, chart.y_axis));
    Some(format!(
        "<figure><figcaption>{}</figcaption><svg class=\"chart\" viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"{label}\">\
         <path class=\"axis\" d=\"M{LEFT} 8V{base}H{WIDTH}\"/><polyline points=\"{}\"/>\
         <text x=\"{edge}\" y=\"16\" text-anchor=\"end\">{high}</text><text x=\"{edge}\" y=\"{base}\" text-anchor=\"end\">{low}</text>\
         <text x=\"{LEFT}\" y=\"{under}\">{}</text><text x=\"{middle}\" y=\"{under}\" text-anchor=\"middle\">{}</text>\
         <text x=\"{WIDTH}\" y=\"{under}\" text-anchor=\"end\">{}</text></svg></figure>",
        escaped(&chart.title),
        HEIGHT + BELOW - 20.0,
        points.trim_end(),
        escaped(first),
        escaped(what),
        escaped(last),
        edge = LEFT - 8.0,
        under = HEIGHT + 18.0,
    ))
}

fn read(mermaid: &str) -> Option<Chart> {
    let mut lines = mermaid.lines().map(str::trim).filter(|line| !line.is_empty());
    if lines.next()? != "xychart-beta" {
        return None;
    }
    let (mut title, mut x_axis, mut y_axis, mut scale, mut line) = (String::new(), None, String::new(), None, None);
    for part in lines {
        if let Some(rest) = part.strip_prefix("title ") {
            title = quoted(rest)?.0.to_owned();
        } else if let Some(rest) = part.strip_prefix("x-axis ") {
            let (what, rest) = quoted(rest)?;
            let (first, last) = rest.split_once("-->")?;
            x_axis = Some((what.to_owned(), first.trim().to_owned(), last.trim().to_owned()));
        } else if let Some(rest) = part.strip_prefix("y-axis ") {
            let (what, rest) = quoted(rest)?;
            what.clone_into(&mut y_axis);
            scale = match rest.split_once("-->") {
                Some((low, high)) => Some((number(low)?, number(high)?)),
                None => None,
            };
        } else {
            let values = part.strip_prefix("line ")?.trim().strip_prefix('[')?.strip_suffix(']')?;
            if line.is_some() {
                return None;
            }
            line = Some(values.split(',').map(number).collect::<Option<Vec<f64>>>()?);
        }
    }
    let line = line.filter(|line| (2..=MOST_POINTS).contains(&line.len()))?;
    if scale.is_some_and(|(low, high)| high <= low) {
        return None;
    }
    Some(Chart { title, x_axis: x_axis?, y_axis, scale, line })
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    text.trim().strip_prefix('"')?.split_once('"')
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// From the least to the most, and never nothing between them.
fn range(line: &[f64]) -> (f64, f64) {
    let low = line.iter().copied().fold(f64::INFINITY, f64::min);
    let high = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if high > low { (low, high) } else { (low, low + 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHART: &str = "xychart-beta\n    title \"failing <b> of journey\"\n    x-axis \"seconds\" -5 --> 1\n    y-axis \"failing %\" 0 --> 100\n    \
                         line [0, 50, 100]\n";

    #[test]
    fn a_chart_becomes_a_picture_without_markup_of_its_own() {
        let drawing = drawn(CHART).unwrap();
        assert!(drawing.contains("points=\"48.0,150.0 344.0,79.0 640.0,8.0\""), "{drawing}");
        assert!(drawing.contains("failing &lt;b&gt; of journey") && !drawing.contains("<b>"), "{drawing}");
        // Without a scale the line fills the height.
        let free = CHART.replace(" 0 --> 100", "").replace("[0, 50, 100]", "[0.2, 0.2]");
        assert!(drawn(&free).unwrap().contains("48.0,150.0 640.0,150.0"));
    }

    #[test]
    fn what_is_no_such_chart_is_not_drawn() {
        for (old, new) in [
            ("xychart-beta", "flowchart LR"),
            ("[0, 50, 100]", "[0]"),
            ("[0, 50, 100]", "[0, NaN]"),
            ("0 --> 100", "100 --> 0"),
            ("x-axis \"seconds\" -5 --> 1", ""),
            ("title", "legend"),
        ] {
            assert_eq!(drawn(&CHART.replace(old, new)), None, "{new}");
        }
    }
}
