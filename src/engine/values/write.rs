//! Scalars replaced by their bytes. What comes out is read again and must say exactly what was meant.

use std::ops::Range;

use super::super::manifest::{Entry, Node, Origin, Scalar, Style, Value, parse};

/// One scalar of the head that gets another value.
pub struct Edit<'a> {
    /// The scalar of the head.
    pub at: &'a Node,
    /// The value before the change, with its place in that text.
    pub old: &'a Node,
    /// The value that the change set, with its place in that text.
    pub set: &'a Node,
}

/// The three texts that places point into.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    /// Before the change.
    pub before: &'a str,
    /// As the change left it.
    pub change: &'a str,
    /// At the head.
    pub head: &'a str,
}

/// The text of the head with the edits made; `None` where it would not say exactly what the head says but for them.
pub fn edited(texts: Texts<'_>, documents: &[Node], edits: &[Edit<'_>]) -> Option<String> {
    let mut replacements: Vec<(Range<usize>, String, &Scalar)> = edits
        .iter()
        .map(|edit| Some((edit.at.place.bytes.clone(), replacement(texts, edit)?, edit.old.scalar()?)))
        .collect::<Option<_>>()?;
    replacements.sort_by_key(|(bytes, _, _)| bytes.start);
    let mut text = String::with_capacity(texts.head.len());
    let mut position = 0;
    for (bytes, replacement, _) in &replacements {
        text.push_str(texts.head.get(position..bytes.start)?);
        text.push_str(replacement);
        position = bytes.end;
    }
    text.push_str(texts.head.get(position..)?);
    let meant: Vec<Node> = documents.iter().map(|document| with(document, &replacements)).collect();
    let result = parse(&text).ok()?;
    (result.len() == meant.len() && result.iter().zip(&meant).all(|(result, meant)| result.says(meant))).then_some(text)
}

/// Whether two scalars are the same text although one is in quotes: `v1.4.2` and `"v1.4.2"`, but never `1` and `"1"`.
pub fn same_text(one: &Node, two: &Node) -> bool {
    matches!((one.scalar(), two.scalar()), (Some(one), Some(two)) if one.text == two.text && (one.style == two.style || is_surely_text(&one.text)))
}

/// The bytes that stand for the old value: as they stood before the change, in the quotes that the head uses now.
fn replacement(texts: Texts<'_>, edit: &Edit<'_>) -> Option<String> {
    if edit.at.place.origin == Origin::Aliased {
        return None;
    }
    let raw = |text: &'_ str, node: &Node| text.get(node.place.bytes.clone()).map(str::to_owned);
    let (old, set, here) = (raw(texts.before, edit.old)?, raw(texts.change, edit.set)?, raw(texts.head, edit.at)?);
    let value = edit.old.scalar()?;
    let text = if unix_ends(&here) == unix_ends(&set) {
        unix_ends(&old).replace('\n', if texts.head.contains("\r\n") { "\r\n" } else { "\n" })
    } else if value.text.contains(['\n', '\r']) {
        return None;
    } else if here.starts_with('\'') {
        format!("'{}'", value.text.replace('\'', "''"))
    } else if here.starts_with('"') && !value.text.chars().any(char::is_control) {
        format!("\"{}\"", value.text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        old
    };
    // An empty value has no bytes: what comes in its place needs room after the colon.
    let needs_room = here.is_empty() && texts.head.get(..edit.at.place.bytes.start)?.ends_with([':', '-']);
    Some(if needs_room { format!(" {text}") } else { text })
}

fn unix_ends(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// The same document with the replaced scalars' old values.
fn with(node: &Node, replacements: &[(Range<usize>, String, &Scalar)]) -> Node {
    let value = match &node.value {
        Value::List(items) => Value::List(items.iter().map(|item| with(item, replacements)).collect()),
        Value::Map(entries) => {
            Value::Map(entries.iter().map(|entry| Entry { key: entry.key.clone(), value: with(&entry.value, replacements) }).collect())
        }
        Value::Scalar(scalar) => {
            let found = (node.place.origin == Origin::Written)
                .then(|| replacements.binary_search_by_key(&node.place.bytes.start, |(bytes, _, _)| bytes.start).ok())
                .flatten()
                .and_then(|index| replacements.get(index));
            match found {
                // In other quotes than before the change it must still be the same text, and nothing else.
                Some((bytes, text, old)) if *bytes == node.place.bytes => Value::Scalar(Scalar {
                    text: old.text.clone(),
                    style: if old.style == Style::Plain && text.starts_with(['\'', '"']) && is_surely_text(&old.text) {
                        Style::Text
                    } else {
                        old.style
                    },
                }),
                _ => Value::Scalar(scalar.clone()),
            }
        }
    };
    Node { value, place: node.place.clone() }
}

/// Whether every reader of YAML 1.1 and 1.2 takes it for a text with and without quotes.
fn is_surely_text(text: &str) -> bool {
    const WORDS: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "~", ""];
    let lower = text.to_ascii_lowercase();
    let dots = text.matches('.').count();
    let is_date = text.len() >= 8 && text.starts_with(|character: char| character.is_ascii_digit()) && text.matches('-').count() >= 2;
    let may_be_number = text.starts_with(|character: char| character.is_ascii_digit() || "+-.".contains(character))
        && dots < 2
        && text.chars().all(|character| character.is_ascii_hexdigit() || "+-._:xXoOinfINFa".contains(character));
    !WORDS.contains(&lower.as_str()) && !is_date && !may_be_number
}
