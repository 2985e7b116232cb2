//! A sync tool's words, as they are kept: on one line, short, and without the values that a cluster repeats when it refuses an object.
//!
//! They come from manifests and servers and go into proposals. Whatever shows them takes their Markdown away; what must not be kept at all is
//! taken out here, before anything is written down (promise P10).

/// The longest text of a sync tool that is kept, in characters.
const LONGEST_WORDS: usize = 240;

/// What stands for something that was taken out.
const NOT_SHOWN: &str = "(not shown)";

/// After these words the Kubernetes API repeats the value that it refuses (`field.Error` in apimachinery), which may be a Secret's.
const BEFORE_A_VALUE: &[&str] = &["Invalid value: ", "Unsupported value: ", "Duplicate value: "];

/// A source's words on one line, without control characters, without refused values and passwords of addresses, and short.
pub fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let clean = without_passwords(&without_values(&clean)).split_whitespace().collect::<Vec<_>>().join(" ");
    match clean.char_indices().nth(LONGEST_WORDS) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

/// Takes out what follows the words before a value, up to where the value ends for certain.
fn without_values(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    loop {
        let next = BEFORE_A_VALUE.iter().filter_map(|words| Some(rest.find(words)? + words.len())).min();
        let Some(start) = next else { return kept + rest };
        kept.push_str(&rest[..start]);
        kept.push_str(NOT_SHOWN);
        rest = &rest[start + value_length(&rest[start..])..];
    }
}

/// How long the value at the begin of a text is: a quoted string to its closing quote, a plain number or word to the next `: `, anything else
/// (a map, an object) to the end of the text.
fn value_length(text: &str) -> usize {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut escaped = false;
        for (place, character) in quoted.char_indices() {
            match character {
                '"' if !escaped => return place + 2,
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        return text.len();
    }
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "+-.".contains(character);
    let plain = text.find(|character| !is_plain(character)).unwrap_or(text.len());
    if plain > 0 && (plain == text.len() || text[plain..].starts_with(": ")) { plain } else { text.len() }
}

/// `https://user:password@host` without what stands before the `@`.
fn without_passwords(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(place) = rest.find("://") {
        let (head, tail) = rest.split_at(place + 3);
        kept.push_str(head);
        let authority =
            tail.find(|character: char| character == '/' || character == '"' || character.is_whitespace()).unwrap_or(tail.len());
        rest = match tail[..authority].rfind('@') {
            Some(at) => &tail[at + 1..],
            None => tail,
        };
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_tool_are_one_short_line() {
        assert_eq!(one_line("a\n\tb\u{1b}[31m  c"), "a b [31m c");
        assert_eq!(one_line(&"ü".repeat(1000)).chars().count(), LONGEST_WORDS + 1);
    }

    #[test]
    fn values_that_a_cluster_refuses_are_not_kept() {
        let kept = |text: &str| one_line(&format!("Secret \"db\" is invalid: {text}"));
        let begin = "Secret \"db\" is invalid: data[password]: Invalid value: (not shown)";
        assert_eq!(kept("data[password]: Invalid value: \"hunter2 \\\"x\\\" y\": must be base64"), format!("{begin}: must be base64"));
        assert_eq!(kept("data[password]: Invalid value: map[string]interface {}{\"a\":\"hunter2\"}: no"), begin);
        assert_eq!(kept("data[password]: Invalid value: \"hunter2"), begin);
        assert_eq!(kept("data[password]: Invalid value: "), begin);
        let ports = "spec.ports[0].port: Invalid value: (not shown): must be between 1 and 65535, a: Duplicate value: (not shown)";
        assert_eq!(
            kept("spec.ports[0].port: Invalid value: -1: must be between 1 and 65535, a: Duplicate value: \"x\""),
            format!("Secret \"db\" is invalid: {ports}")
        );
    }

    #[test]
    fn passwords_of_addresses_are_not_kept() {
        let text = "cannot fetch https://bot:p@ss@git.example/shop.git: 403, nor \"http://x@y\", only https://git.example/a@b";
        assert_eq!(one_line(text), "cannot fetch https://git.example/shop.git: 403, nor \"http://y\", only https://git.example/a@b");
    }
}
