//! What was typed, as a tree with places. It knows scalars by YAML's core schema and nothing of how a text is read; that is
//! [`super::yaml`]'s.

use super::diagnostic::{Span, quoted};

/// A value and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What was typed.
    pub value: Value,
    /// Where: a scalar or a flow collection as far as it goes on its first line, a block collection at its first key or dash.
    pub span: Span,
}

/// What was typed.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A scalar after escape processing.
    Scalar {
        /// The text.
        text: String,
        /// Whether it can be anything but a text.
        style: Style,
        /// The line on which it ends.
        last_line: usize,
    },
    /// A list.
    List(Vec<Node>),
    /// An object in the order of the file; keys are distinct.
    Map(Vec<Entry>),
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: it may be a number, true, false or null.
    Plain,
    /// In quotes or as a block: a text.
    Quoted,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is.
    pub span: Span,
    /// The value.
    pub value: Node,
    /// Whether somebody wrote it.
    pub origin: Origin,
}

/// Whether a key was written or stands there by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the file.
    Typed,
    /// By [`super::defaults`].
    Default,
}

/// A scalar by the core schema of YAML 1.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// Another finite number.
    Number(f64),
    /// Anything else.
    Text(&'a str),
}

// === impl Node ===

impl Node {
    /// The value of a key of an object.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key of an object with its value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries of an object; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.value {
            Value::Scalar { text, style: Style::Quoted, .. } => Some(Scalar::Text(text)),
            Value::Scalar { text, style: Style::Plain, .. } => Some(plain(text)),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self.scalar() {
            Some(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The same at places that `place` makes of its own, down to the last.
    pub fn placed(mut self, place: &impl Fn(Span) -> Span) -> Node {
        self.span = place(self.span);
        self.value = match self.value {
            Value::List(items) => Value::List(items.into_iter().map(|item| item.placed(place)).collect()),
            Value::Map(entries) => Value::Map(
                entries.into_iter().map(|entry| Entry { span: place(entry.span), value: entry.value.placed(place), ..entry }).collect(),
            ),
            scalar @ Value::Scalar { .. } => scalar,
        };
        self
    }

    /// The same object with this value of a key, in the place of the one that it had.
    pub fn set(mut self, key: &str, span: Span, value: Node) -> Node {
        if let Value::Map(entries) = &mut self.value {
            let entry = Entry { key: key.to_owned(), span, value, origin: Origin::Typed };
            match entries.iter_mut().find(|entry| entry.key == key) {
                Some(old) => *old = entry,
                None => entries.push(entry),
            }
        }
        self
    }

    /// What it is, with its article.
    pub fn what(&self) -> &'static str {
        match (&self.value, self.scalar()) {
            (Value::List(_), _) => "a list",
            (Value::Map(_), _) => "an object",
            (_, Some(Scalar::Null) | None) => "empty",
            (_, Some(Scalar::Flag(_))) => "true or false",
            (_, Some(Scalar::Integer(_) | Scalar::Number(_))) => "a number",
            (_, Some(Scalar::Text(_))) => "a text",
        }
    }

    /// The same value as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match (&self.value, self.scalar()) {
            (Value::List(items), _) => items.iter().map(Node::to_json).collect(),
            (Value::Map(entries), _) => entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            (_, Some(Scalar::Flag(flag))) => flag.into(),
            (_, Some(Scalar::Integer(integer))) => integer.into(),
            (_, Some(Scalar::Number(number))) => number.into(),
            (_, Some(Scalar::Text(text))) => text.into(),
            (_, Some(Scalar::Null) | None) => serde_json::Value::Null,
        }
    }
}

/// A plain scalar by the core schema: only what JSON knows too is a number.
fn plain(text: &str) -> Scalar<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Flag(true),
        "false" | "False" | "FALSE" => return Scalar::Flag(false),
        _ => {}
    }
    if !is_json_number(text) {
        return Scalar::Text(text);
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Scalar::Integer(integer);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Scalar::Number(number),
        _ => Scalar::Text(text),
    }
}

/// Whether JSON would take it for a number: `.5`, `+5`, `010` and `0x10` mean different things to different readers of YAML.
fn is_json_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |text: &str| !text.is_empty() && text.chars().all(|char| char.is_ascii_digit());
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}

/// A key for a sentence. What is no plain word may be a value that lacks its colon, and so a secret: it is not repeated.
pub fn key_name(key: &str) -> String {
    let plain = key.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.' | '/' | '$'));
    if plain { quoted(key) } else { "with spaces or signs in it".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_json_knows_is_a_number() {
        for text in ["yes", "inf", ".inf", "nan", "-", "+", "1.2.3", "5m", "99.5%", "0x10", "010", ".5", "+5", "5."] {
            assert_eq!(plain(text), Scalar::Text(text));
        }
        assert_eq!(plain("1e3"), Scalar::Number(1000.0));
        assert_eq!(plain("99.9"), Scalar::Number(99.9));
    }
}
