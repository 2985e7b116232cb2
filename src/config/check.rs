//! A tree against the description of its keys: every unknown, planned, missing or ill-formed key and value, all of them in one go.
//!
//! It knows no key by name. What needs two keys to judge is in [`super::agent_file`] and [`super::policy_file`].

use std::time::Duration;

use crate::engine::time::spoken;

use super::diagnostic::{Findings, Span, quoted};
use super::form;
use super::measure;
use super::node::{Entry, Node, Scalar, Value, key_name};
use super::shape::{Alternative, Field, Form, Kind, Object, Presence};

const DURATION_HINT: &str = "write a number and a unit: `500ms`, `10s`, `5m`, `1h30m`, `7d`";

/// Checks an object. `subject` names it in sentences (`` `spec` ``); `at` is where a missing key is reported.
pub fn object(shape: &'static Object, node: &Node, subject: &str, at: Span, findings: &mut Findings<'_>) {
    if !matches!(node.value, Value::Map(_)) {
        return not_an_object(shape, node, subject, at, findings);
    }
    let mut planned = false;
    let mut meant = Vec::new();
    for entry in node.entries() {
        match shape.field(&entry.key) {
            None => meant.extend(unknown_key(shape, entry, subject, findings)),
            Some(field) if field.presence == Presence::Later => {
                planned = true;
                findings.error(entry.span, format!("`{}` is not supported yet", field.name), "remove it".to_owned());
            }
            Some(field) => value(&field.kind, &entry.value, &format!("`{}`", field.name), entry.span, findings),
        }
    }
    // A planned key stands where a built one is missing: one sentence is enough.
    if planned {
        return;
    }
    // So is one about a key that is only misspelt.
    let missing = |field: &&Field| field.presence == Presence::Required && node.get(field.name).is_none() && !meant.contains(&field.name);
    for field in shape.built().filter(missing) {
        findings.error(at, format!("{subject} lacks the key `{}`", field.name), format!("`{}`: {}", field.name, field.doc));
    }
    if !shape.choice.iter().any(|way| meant.iter().any(|key| way.holds(key))) {
        choice(shape, node, subject, at, findings);
    }
}

/// The nearest of some words, where one is near.
pub fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let normal =
        |text: &str| -> String { text.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).take(64).collect() };
    let typed = normal(typed);
    let near = |word: &&str| {
        let word = normal(word);
        if typed.chars().count() >= 4 && word.starts_with(&typed) {
            return Some(1);
        }
        let distance = strsim::damerau_levenshtein(&typed, &word);
        (distance <= (typed.chars().count() / 3).max(1)).then_some(distance)
    };
    words.filter_map(|word| near(&word).map(|distance| (distance, word))).min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

fn not_an_object(shape: &'static Object, node: &Node, subject: &str, at: Span, findings: &mut Findings<'_>) {
    let place = if node.scalar() == Some(Scalar::Null) { at } else { node.span };
    let message = if node.scalar() == Some(Scalar::Null) {
        format!("{subject} is empty, and an object is meant")
    } else {
        format!("{subject} is an object, and this is {}", node.what())
    };
    findings.error(place, message, keys_hint(shape));
}

/// Reports an unknown key; gives the key that was meant, if one is near.
fn unknown_key(shape: &'static Object, entry: &Entry, subject: &str, findings: &mut Findings<'_>) -> Option<&'static str> {
    let near = nearest(&entry.key, shape.built().map(|field| field.name));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => keys_hint(shape),
    };
    // An address in a key is a value that lacks its colon, and a webhook's is a secret.
    let key = if entry.key.contains("://") { "what stands here".to_owned() } else { quoted(&entry.key) };
    findings.error(entry.span, format!("{key} is no key of {subject}"), hint);
    near
}

fn keys_hint(shape: &'static Object) -> String {
    let keys: Vec<String> = shape.built().map(|field| format!("`{}`", field.name)).collect();
    if keys.is_empty() { "it takes no keys: write `{}`".to_owned() } else { format!("it takes {}", listed(&keys, "and")) }
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed(items: &[String], last: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., end] => format!("{} {last} {end}", most.join(", ")),
    }
}

fn choice(shape: &'static Object, node: &Node, subject: &str, at: Span, findings: &mut Findings<'_>) {
    if shape.choice.is_empty() {
        return;
    }
    let started = |way: &&Alternative| way.needs.iter().any(|key| node.get(key).is_some());
    let ways: Vec<String> =
        shape.choice.iter().map(|way| listed(&way.needs.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>(), "with")).collect();
    let chosen: Vec<&Alternative> = shape.choice.iter().filter(started).collect();
    match chosen[..] {
        [] => findings.error(at, format!("{subject} needs {}", listed(&ways, "or")), None),
        [way] => {
            for key in way.needs.iter().filter(|key| node.get(key).is_none()) {
                findings.error(at, format!("{subject} lacks the key `{key}`"), format!("{subject} needs {}", listed(&ways, "or")));
            }
            let stray = |entry: &&Entry| shape.choice.iter().any(|other| other.holds(&entry.key)) && !way.holds(&entry.key);
            for entry in node.entries().iter().filter(stray) {
                findings.error(entry.span, format!("`{}` does not go with `{}`", entry.key, way.needs[0]), "remove it".to_owned());
            }
        }
        _ => {
            let second =
                node.entries().iter().filter(|entry| shape.choice.iter().any(|way| way.needs.contains(&entry.key.as_str()))).nth(1);
            let place = second.map_or(at, |entry| entry.span);
            findings.error(place, format!("{subject} takes only one of {}", listed(&ways, "and")), "remove the others".to_owned());
        }
    }
}

/// Checks a value of a kind. `at` is the key that holds it.
pub fn value(kind: &Kind, node: &Node, subject: &str, at: Span, findings: &mut Findings<'_>) {
    if node.scalar() == Some(Scalar::Null) && !matches!(kind, Kind::Object(_)) {
        findings.error(at, format!("{subject} is empty"), "write a value or remove the key".to_owned());
        return;
    }
    match kind {
        Kind::Text(form) => text(*form, node, subject, findings),
        Kind::Word(words) => word(words, node, subject, findings),
        Kind::Duration(least, most) => duration(*least, *most, node, subject, findings),
        Kind::Ratio => ratio(node, subject, findings),
        Kind::Number(over) => number(*over, node, subject, findings),
        Kind::Integer(least, most) => integer(*least, *most, node, subject, findings),
        Kind::Flag => flag(node, subject, findings),
        Kind::List(item, least, planned) => list(item, *least, planned, node, subject, findings),
        Kind::OneOrMany(item) => match &node.value {
            Value::List(_) => list(item, 0, &[], node, subject, findings),
            _ => value(item, node, subject, at, findings),
        },
        Kind::Map(form) => map(*form, node, subject, findings),
        Kind::Object(shape) if node.scalar() == Some(Scalar::Null) && shape.may_be_empty() => {}
        Kind::Object(shape) => object(shape, node, subject, at, findings),
        Kind::WordOr(words, shape) => match &node.value {
            Value::Map(_) => object(shape, node, subject, at, findings),
            _ if node.text().is_some() => word(words, node, subject, findings),
            _ => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                let message = format!("{subject} is {} or an object, and {} is neither", words.join(", "), typed(node));
                findings.error(node.span, message, keys_hint(shape));
            }
        },
        Kind::TextOr(form, shape) => match &node.value {
            Value::Map(_) => object(shape, node, subject, at, findings),
            Value::Scalar { .. } => text(*form, node, subject, findings),
            Value::List(_) => {
                findings.error(node.span, format!("{subject} is a text or an object, and this is {}", node.what()), keys_hint(shape));
            }
        },
        Kind::Nothing => {}
    }
}

/// What was typed, for a sentence: scalars as they are, collections by what they are.
fn typed(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, .. } => quoted(text),
        _ => format!("this {}", if matches!(node.value, Value::List(_)) { "list" } else { "object" }),
    }
}

fn text(form: Form, node: &Node, subject: &str, findings: &mut Findings<'_>) {
    let Some(text) = node.text() else {
        let hint = match (&node.value, form) {
            (Value::Scalar { .. }, Form::Secret) => Some("put it into quotes".to_owned()),
            (Value::Scalar { text, .. }, _) => Some(format!("put it into quotes: `\"{text}\"`")),
            _ => None,
        };
        findings.error(node.span, format!("{subject} is a text, and this is {}", node.what()), hint);
        return;
    };
    if let Err(complaint) = form::check(form, text) {
        findings.error(node.span, format!("{subject} {}", complaint.says), complaint.hint);
    }
}

fn word(words: &'static [&'static str], node: &Node, subject: &str, findings: &mut Findings<'_>) {
    let known: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let found = node.text().and_then(|text| words.iter().find(|word| **word == text));
    match found {
        Some(_) => {}
        None => {
            let near = node.text().and_then(|text| nearest(text, words.iter().copied()));
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            findings.error(node.span, format!("{subject} is {}, and {} is not", listed(&known, "or"), typed(node)), hint);
        }
    }
}

fn duration(least: Duration, most: Duration, node: &Node, subject: &str, findings: &mut Findings<'_>) {
    let parsed = node.text().and_then(measure::duration);
    match parsed {
        Some(duration) if duration < least => {
            findings.error(node.span, format!("{subject} is at least {}, and {} is less", spoken(least), typed(node)), None);
        }
        Some(duration) if duration > most => {
            findings.error(node.span, format!("{subject} is at most {}, and {} is more", spoken(most), typed(node)), None);
        }
        Some(_) => {}
        None => {
            let (why, hint) = match node.scalar() {
                Some(Scalar::Integer(number)) if number > 0 => ("has no unit", format!("write `{number}s`, `{number}m` or `{number}h`")),
                _ => ("is none", DURATION_HINT.to_owned()),
            };
            findings.error(node.span, format!("{subject} is a duration, and {} {why}", typed(node)), hint);
        }
    }
}

fn ratio(node: &Node, subject: &str, findings: &mut Findings<'_>) {
    match measure::ratio(node) {
        Some(ratio) if ratio.0 == 0 => findings.error(node.span, format!("{subject} is over 0: with 0 nothing is ever bad"), None),
        Some(_) => {}
        None => {
            let typed_text = match &node.value {
                Value::Scalar { text, .. } => text.as_str(),
                _ => "",
            };
            let percent = typed_text.parse::<f64>().ok().filter(|number| *number > 1.0 && *number <= 100.0);
            let as_ratio = percent.map(|number| format!("{:.9}", number / 100.0));
            let hint = match as_ratio {
                Some(ratio) => format!("write `{typed_text}%` or `{}`", ratio.trim_end_matches('0').trim_end_matches('.')),
                None => "write `99.9%` or `0.999`, with at most nine digits after the point of a ratio".to_owned(),
            };
            let what = match &node.value {
                Value::Scalar { text, .. } if node.text().is_none() => text.clone(),
                _ => typed(node),
            };
            findings.error(node.span, format!("{subject} is a ratio between 0 and 1 or a percentage, and {what} is neither"), hint);
        }
    }
}

fn number(over: Option<f64>, node: &Node, subject: &str, findings: &mut Findings<'_>) {
    let meant = node.text().and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite());
    let hint = meant.map(|number| format!("write `{number}`, without quotes"));
    #[expect(clippy::cast_precision_loss, reason = "a limit or factor beyond 2^53 is no case that anybody has")]
    let number = match node.scalar() {
        Some(Scalar::Integer(integer)) => integer as f64,
        Some(Scalar::Number(number)) => number,
        _ => return findings.error(node.span, format!("{subject} is a number, and {} is not", typed(node)), hint),
    };
    if let Some(over) = over.filter(|over| number <= *over) {
        findings.error(node.span, format!("{subject} is over {over}, and {} is not", typed(node)), None);
    }
}

fn integer(least: i64, most: i64, node: &Node, subject: &str, findings: &mut Findings<'_>) {
    if !matches!(node.scalar(), Some(Scalar::Integer(integer)) if (least..=most).contains(&integer)) {
        let quotes = node.text().is_some_and(|text| text.parse::<i64>().is_ok_and(|integer| (least..=most).contains(&integer)));
        let hint = quotes.then(|| "write it without quotes".to_owned());
        findings.error(node.span, format!("{subject} is a whole number from {least} to {most}, and {} is not", typed(node)), hint);
    }
}

fn flag(node: &Node, subject: &str, findings: &mut Findings<'_>) {
    if !matches!(node.scalar(), Some(Scalar::Flag(_))) {
        findings.error(node.span, format!("{subject} is `true` or `false`, and {} is not", typed(node)), None);
    }
}

fn list(item: &Kind, least: usize, planned: &[&str], node: &Node, subject: &str, findings: &mut Findings<'_>) {
    if let Some(word) = node.text().filter(|text| planned.contains(text)) {
        findings.error(node.span, format!("{subject}: `{word}` is not supported yet"), "write a list".to_owned());
        return;
    }
    let Value::List(items) = &node.value else {
        let hint = match &node.value {
            Value::Scalar { text, .. } if text.len() <= 60 && text.is_ascii() && !text.contains(['\n', '@']) => {
                format!("write `[\"{text}\"]`")
            }
            Value::Scalar { .. } => "write a list".to_owned(),
            _ => "begin each item with `- `".to_owned(),
        };
        let hint = if matches!((&node.value, node.scalar()), (_, Some(Scalar::Integer(_)))) { hint.replace('"', "") } else { hint };
        findings.error(node.span, format!("{subject} is a list, and this is {}", node.what()), hint);
        return;
    };
    if items.len() < least {
        findings.error(node.span, format!("{subject} is empty, and at least one item is needed"), None);
    }
    for node in items {
        let subject = format!("an item of {subject}");
        value(item, node, &subject, node.span, findings);
    }
}

fn map(form: Form, node: &Node, subject: &str, findings: &mut Findings<'_>) {
    let Value::Map(entries) = &node.value else {
        return findings.error(
            node.span,
            format!("{subject} is an object, and this is {}", node.what()),
            "write `{name: value}`".to_owned(),
        );
    };
    for entry in entries {
        if entry.key.is_empty() || entry.key.chars().count() > 253 || entry.key.contains('\n') {
            findings.error(entry.span, format!("this cannot be a key of {subject}: it is empty, too long or has several lines"), None);
        }
        let item = match form {
            Form::Secret => format!("the key {} of {subject}", key_name(&entry.key)),
            _ => format!("{} of {subject}", quoted(&entry.key)),
        };
        value(&Kind::Text(form), &entry.value, &item, entry.span, findings);
    }
}
