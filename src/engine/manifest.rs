//! Manifests as documents: a tree that keeps order, quoting and the bytes of every scalar, and what a file says in short. Pure.
//!
//! The rules that judge or edit manifests (`grade`, `ownership`, `values`, `coherence`, `cosmetic`) all read this tree, so that one file
//! means one thing. It reads what is written: nothing is rendered or defaulted. A file that it cannot read is a value of its own, because
//! what cannot be read must never pass for harmless.

mod difference;
mod object;
mod parser;

pub use difference::{Difference, Step, differences, identifying_key, shown_path};
pub use object::{Identity, Object, objects};
pub use parser::parse;

use std::collections::HashMap;
use std::ops::Range;

/// The largest file that is read, in bytes; generated CRDs come near it.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting of lists and maps; the schemas of CRDs reach about forty.
pub const MAX_DEPTH: usize = 64;
/// The most values in one file, those that aliases repeat among them.
pub const MAX_NODES: usize = 100_000;

/// One value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub place: Place,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Value {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file; keys are distinct.
    Map(Vec<Entry>),
}

/// A scalar after escape processing. A plain `1` and a quoted `"1"` are not equal: one is a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scalar {
    /// The text.
    pub text: String,
    /// Whether it can be anything but a text.
    pub style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Style {
    /// Without quotes: it may be a number, a truth value or null.
    Plain,
    /// In quotes or as a block: a text.
    Text,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Node,
}

/// Where a value stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The bytes of a scalar with its quotes, or from where a collection begins to where it ends.
    pub bytes: Range<usize>,
    /// Whether those bytes hold this value alone.
    pub origin: Origin,
}

/// Whether a value stands where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is written there.
    Written,
    /// An alias or a merge key brings it from elsewhere; its place is that of what brings it.
    Aliased,
}

/// Why a file cannot be read as a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A Helm or Go template.
    Template,
    /// Over [`MAX_BYTES`], [`MAX_DEPTH`] or [`MAX_NODES`].
    TooLarge,
    /// Not YAML; the line, and what is wrong.
    NotYaml {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

// === impl Node ===

impl Node {
    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The value at the end of some keys of nested maps.
    pub fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text of the scalar at the end of some keys; `None` for null as well.
    pub fn text_at(&self, keys: &[&str]) -> Option<&str> {
        self.at(keys).and_then(Self::text)
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar that is not null.
    pub fn text(&self) -> Option<&str> {
        self.scalar().filter(|scalar| !scalar.is_null()).map(|scalar| scalar.text.as_str())
    }

    /// Whether it says nothing: null, or an empty map or list.
    pub fn is_empty(&self) -> bool {
        match &self.value {
            Value::Scalar(scalar) => scalar.is_null(),
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
        }
    }

    /// Whether two values say the same: the order of keys and where they stand do not matter.
    pub fn says(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Scalar(one), Value::Scalar(two)) => one == two || (one.is_null() && two.is_null()),
            (Value::List(one), Value::List(two)) => one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.says(two)),
            (Value::Map(one), Value::Map(two)) => {
                let mut by_key: HashMap<&str, &Self> = two.iter().map(|entry| (entry.key.as_str(), &entry.value)).collect();
                one.len() == two.len()
                    && one.iter().all(|entry| by_key.remove(entry.key.as_str()).is_some_and(|value| entry.value.says(value)))
            }
            _ => false,
        }
    }

    /// Every scalar beneath it, in the order of the file.
    pub fn scalars(&self) -> Vec<&Self> {
        match &self.value {
            Value::Scalar(_) => vec![self],
            Value::List(items) => items.iter().flat_map(Self::scalars).collect(),
            Value::Map(entries) => entries.iter().flat_map(|entry| entry.value.scalars()).collect(),
        }
    }
}

impl Scalar {
    /// Whether it is null: nothing, `~` or `null` without quotes.
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

// === impl Unreadable ===

impl std::fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Template => formatter.write_str("it is a template"),
            Self::TooLarge => write!(formatter, "it is over {} MiB, {MAX_NODES} values or {MAX_DEPTH} levels", MAX_BYTES / 1024 / 1024),
            Self::NotYaml { line, why } => write!(formatter, "line {line} does not parse as YAML: {why}"),
        }
    }
}
