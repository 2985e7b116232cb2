//! Just enough of PromQL to turn the queries of other tools into counts over `$window`. It knows quotes, ranges and names, and no grammar: what
//! it does not understand it refuses, and the importer says so.

/// A character with whether it is inside a quoted text.
fn marked(text: &str) -> Vec<(char, bool)> {
    let (mut quote, mut escape) = (None, false);
    text.chars()
        .map(|char| match quote {
            Some(_) if escape => {
                escape = false;
                (char, true)
            }
            Some(open) => {
                escape = char == '\\' && open != '`';
                if char == open {
                    quote = None;
                }
                (char, true)
            }
            None => {
                if matches!(char, '"' | '\'' | '`') {
                    quote = Some(char);
                }
                (char, quote.is_some())
            }
        })
        .collect()
}

/// The query on one line, without comments.
pub fn tidy(text: &str) -> String {
    let mut tidy = String::new();
    for line in text.lines() {
        let mut line_text: String = String::new();
        for (char, quoted) in marked(line) {
            if char == '#' && !quoted {
                break;
            }
            line_text.push(char);
        }
        let line_text = line_text.trim();
        if !line_text.is_empty() {
            if !tidy.is_empty() {
                tidy.push(' ');
            }
            tidy.push_str(line_text);
        }
    }
    tidy
}

/// What the ranges of a query were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// Templates that the other tool fills in.
    Templates,
    /// Fixed ones, which `$window` replaced.
    Fixed,
}

/// The number of events over `$window`: every range becomes `$window`, and `rate` and `irate` become `increase`. What is more than sums of
/// counts is refused: `rate(x[5m]) * 300` would count everything 300 times, and a few events would pass for many.
///
/// # Errors
/// Why it cannot be done, as the end of a sentence.
pub fn over_window(text: &str) -> Result<(String, Ranges), &'static str> {
    let mut result = String::new();
    let mut ranges = None;
    let mut range: Option<String> = None;
    for (char, quoted) in marked(text) {
        match (&mut range, char) {
            (None, '[') if !quoted => range = Some(String::new()),
            (Some(content), ']') if !quoted => {
                let template = content.contains("{{") || content.contains('$');
                if content.contains(':') {
                    return Err("it holds a subquery");
                }
                ranges = match (ranges, template) {
                    (Some(Ranges::Fixed), _) | (_, false) => Some(Ranges::Fixed),
                    (_, true) => Some(Ranges::Templates),
                };
                result.push_str("[$window]");
                range = None;
            }
            (Some(content), _) => content.push(char),
            (None, _) => result.push(char),
        }
    }
    let ranges = ranges.ok_or("it has no range")?;
    only_counts(&result)?;
    Ok((replace_function(&replace_function(&result, "irate"), "rate"), ranges))
}

/// The functions that count events over a range, and what only adds such counts up.
const COUNTING: &[&str] = &["sum", "rate", "irate", "increase", "sum_over_time", "count_over_time", "histogram_count"];

/// Reports what makes a query anything else than sums of counts over ranges, joined by `+`, `-` and `or`.
fn only_counts(text: &str) -> Result<(), &'static str> {
    const OTHER: &str = "it is no sum of `rate`, `increase`, `sum_over_time` or `count_over_time` over a range";
    let characters = marked(text);
    let visible = |at: usize| characters.get(at).filter(|(_, quoted)| !quoted).map(|(char, _)| *char);
    let spaces = |at: usize| characters[at.min(characters.len())..].iter().take_while(|(char, _)| char.is_whitespace()).count();
    // The place after the next such character.
    let after = |at: usize, wanted: char| {
        characters[at..].iter().position(|(char, quoted)| *char == wanted && !quoted).map(|length| at + length + 1).ok_or(OTHER)
    };
    let mut at = 0;
    while at < characters.len() {
        match visible(at).ok_or(OTHER)? {
            '*' | '/' | '%' | '^' => return Err("it multiplies or divides its counts"),
            '(' | ')' | '+' | '-' => at += 1,
            char if char.is_whitespace() => at += 1,
            '[' => at = after(at, ']')?,
            '{' => {
                at = after(at, '}')?;
                at += spaces(at);
                visible(at).filter(|char| *char == '[').ok_or(OTHER)?;
            }
            char if part_of_name(char) => {
                let length = characters[at..].iter().take_while(|(char, quoted)| !quoted && part_of_name(*char)).count();
                let word: String = characters[at..at + length].iter().map(|(char, _)| char.to_ascii_lowercase()).collect();
                at += length;
                at += spaces(at);
                match (word.as_str(), visible(at)) {
                    ("by" | "without" | "on" | "ignoring", Some('(')) => at = after(at, ')')?,
                    ("vector", Some('(')) => {
                        let end = after(at, ')')?;
                        let number: String = characters[at + 1..end - 1].iter().map(|(char, _)| *char).collect();
                        at = if number.trim() == "0" { end } else { return Err(OTHER) };
                    }
                    ("or", _) | (_, Some('{' | '[')) => {}
                    ("sum", Some(next)) if next.is_ascii_alphabetic() => {}
                    (function, Some('(')) if COUNTING.contains(&function) => {}
                    _ => return Err(OTHER),
                }
            }
            _ => return Err(OTHER),
        }
    }
    Ok(())
}

fn part_of_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | ':')
}

/// The query with every call of a function replaced by one of `increase`.
fn replace_function(text: &str, name: &str) -> String {
    let characters = marked(text);
    let name: Vec<char> = name.chars().collect();
    let mut result = String::new();
    let mut at = 0;
    while at < characters.len() {
        let here = characters[at..].iter().zip(&name).filter(|((char, quoted), wanted)| char == *wanted && !quoted).count() == name.len();
        let before = at.checked_sub(1).is_none_or(|before| !part_of_name(characters[before].0));
        let after = characters[at..].iter().skip(name.len()).map(|(char, _)| *char).find(|char| !char.is_whitespace()) == Some('(');
        if here && before && after {
            result.push_str("increase");
            at += name.len();
        } else {
            result.push(characters[at].0);
            at += 1;
        }
    }
    result
}

/// The first metric that a query selects, with its labels: a name before `{` or `[`, or a query that is nothing but a name.
pub fn selector(text: &str) -> Option<String> {
    let characters = marked(text);
    let mut at = 0;
    while at < characters.len() {
        let start = at;
        while at < characters.len() && !characters[at].1 && part_of_name(characters[at].0) {
            at += 1;
        }
        let name: String = characters[start..at].iter().map(|(char, _)| *char).collect();
        match characters.get(at) {
            Some(('{', false)) if characters.get(at + 1).is_none_or(|(char, _)| *char != '{') => {
                let length = characters[at..].iter().position(|(char, quoted)| *char == '}' && !quoted)?;
                return Some(characters[start..=at + length].iter().map(|(char, _)| *char).collect());
            }
            Some(('[', false)) if !name.is_empty() => return Some(name),
            None if !name.is_empty() && start == 0 => return Some(name),
            _ => at = at.max(start + 1),
        }
    }
    None
}

/// The query as one series: unchanged where it is one sum over everything, else summed.
pub fn single(text: &str) -> String {
    let whole = text.strip_prefix("sum(").is_some_and(|rest| {
        let mut depth = 1;
        let mut inside = marked(rest).into_iter();
        let closed = inside.by_ref().any(|(char, quoted)| {
            match char {
                '(' if !quoted => depth += 1,
                ')' if !quoted => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        closed && inside.next().is_none()
    });
    if whole { text.to_owned() } else { format!("sum({text})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_the_window_and_rates_become_numbers() {
        let cases = [
            ("sum(rate(http{code=~\"5..\"}[{{.window}}]))", "sum(increase(http{code=~\"5..\"}[$window]))", Ranges::Templates),
            ("sum(irate(http[{{ .window }}]))", "sum(increase(http[$window]))", Ranges::Templates),
            ("sum(rate (a:rate5m[5m]))", "sum(increase (a:rate5m[$window]))", Ranges::Fixed),
            ("sum(increase(my_rate{a=\"rate([1m]\"}[5m]))", "sum(increase(my_rate{a=\"rate([1m]\"}[$window]))", Ranges::Fixed),
        ];
        for (from, to, ranges) in cases {
            assert_eq!(over_window(from), Ok((to.to_owned(), ranges)), "{from}");
        }
        assert_eq!(over_window("http_requests_total"), Err("it has no range"));
        assert_eq!(over_window("max_over_time(x[5m:1m])"), Err("it holds a subquery"));
    }

    #[test]
    fn what_is_more_than_sums_of_counts_is_no_count() {
        for query in [
            "sum(rate(http[5m])) * 300",
            "sum(rate(http[{{.window}}])) * 300",
            "300 * sum(rate(http[5m]))",
            "sum(increase(http[5m])) / 300",
            "sum(avg_over_time(http[5m]))",
            "histogram_quantile(0.9, sum by (le) (rate(seconds_bucket[5m])))",
            "avg(rate(http[5m]))",
            "sum(rate(http[5m])) + 7",
            "sum(rate(http[5m])) > 5",
            "sum(rate(http[5m])) - sum(all)",
            "sum(rate(http[5m])) - sum(all{a=\"b\"})",
            "sum(rate(http[5m])) or vector(300)",
            "sum(rate(http[5m] offset 1d))",
        ] {
            assert!(over_window(query).is_err(), "{query}");
        }
        for query in [
            "sum by (job) (rate(http{path=~\"/a*/b\"}[5m]))",
            "sum(rate(http[5m])) BY (job)",
            "sum(increase(a[1m])) - (sum without (x) (increase(b{x=\"1\"} [1m])) OR on() vector(0))",
            "(sum(sum_over_time(up[5m])) + sum(count_over_time({__name__=\"x\"}[5m])))",
            "histogram_count(sum(rate(seconds[5m])))",
        ] {
            assert!(over_window(query).is_ok(), "{query}");
        }
    }

    #[test]
    fn the_first_selector_is_found() {
        for (query, found) in [
            ("sum(rate(http{code=~\"5..}\"}[5m]))", Some("http{code=~\"5..}\"}")),
            ("sum by (job) (rate(http[5m]))", Some("http")),
            ("sum(rate({__name__=\"x\"}[5m]))", Some("{__name__=\"x\"}")),
            ("up", Some("up")),
            ("sum(up)", None),
            ("", None),
        ] {
            assert_eq!(selector(query).as_deref(), found, "{query}");
        }
    }

    #[test]
    fn a_query_is_summed_once() {
        assert_eq!(single("sum(a)"), "sum(a)");
        assert_eq!(single("sum(a) / sum(b)"), "sum(sum(a) / sum(b))");
        assert_eq!(single("sum by (x) (a)"), "sum(sum by (x) (a))");
    }

    #[test]
    fn comments_and_lines_go_and_quotes_stay() {
        assert_eq!(tidy("  sum( # all\n\n  x{a=\"#1\"}\n)\n"), "sum( x{a=\"#1\"} )");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (tidy(&text), over_window(&text), selector(&text), single(&text));
        }
    }
}
