//! Typed access to a completed tree. A value that is absent or was refused by the checker is `None`, so that rules over several values
//! can still be applied to the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::policy::{Limit, Limits, Mode, Ratio};

use super::diagnostic::Span;
use super::measure;
use super::node::{Entry, Node, Origin, Scalar};

/// An object of a completed tree, and where it is.
#[derive(Clone, Copy)]
pub struct View<'a> {
    node: &'a Node,
    /// Where the key that holds it is.
    pub at: Span,
}

impl<'a> View<'a> {
    /// An object; `at` is where findings about it as a whole go.
    pub fn new(node: &'a Node, at: Span) -> Self {
        Self { node, at }
    }

    /// A key of an object that is a key itself.
    pub fn object(&self, key: &str) -> Option<View<'a>> {
        self.node.entry(key).map(|entry| View::new(&entry.value, entry.span))
    }

    /// The objects of a list.
    pub fn objects(&self, key: &str) -> Vec<View<'a>> {
        self.node.get(key).map_or(&[][..], Node::items).iter().map(|node| View::new(node, node.span)).collect()
    }

    /// The value of a key.
    pub fn node(&self, key: &str) -> Option<&'a Node> {
        self.node.get(key)
    }

    /// A key that somebody wrote.
    pub fn typed(&self, key: &str) -> Option<&'a Entry> {
        self.node.entry(key).filter(|entry| entry.origin == Origin::Typed)
    }

    /// The keys.
    pub fn entries(&self) -> &'a [Entry] {
        self.node.entries()
    }

    /// Where the value of a key is; where the object is, without one.
    pub fn span(&self, key: &str) -> Span {
        self.node.get(key).map_or(self.at, |node| node.span)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.node.get(key)?.text().map(str::to_owned)
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Option<Vec<String>> {
        self.node.get(key)?.items().iter().map(|node| node.text().map(str::to_owned)).collect()
    }

    /// An object with free keys.
    pub fn map(&self, key: &str) -> Option<BTreeMap<String, String>> {
        let entries = self.node.get(key)?.entries();
        entries.iter().map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned()))).collect()
    }

    /// A duration.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        measure::duration(self.node.get(key)?.text()?)
    }

    /// A ratio.
    pub fn ratio(&self, key: &str) -> Option<Ratio> {
        measure::ratio(self.node.get(key)?)
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.node.get(key)?.scalar()? {
            #[expect(clippy::cast_precision_loss, reason = "a limit or factor beyond 2^53 is no case that anybody has")]
            Scalar::Integer(integer) => Some(integer as f64),
            Scalar::Number(number) => Some(number),
            _ => None,
        }
    }

    /// A whole number.
    pub fn integer<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        match self.node.get(key)?.scalar()? {
            Scalar::Integer(integer) => T::try_from(integer).ok(),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.node.get(key)?.scalar()? {
            Scalar::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    /// A mode.
    pub fn mode(&self, key: &str) -> Option<Mode> {
        match self.node.get(key)?.text()? {
            "observe" => Some(Mode::Observe),
            "propose" => Some(Mode::Propose),
            "merge" => Some(Mode::Merge),
            _ => None,
        }
    }

    /// `limits`.
    pub fn limits(&self, key: &str) -> Option<Limits> {
        let limits = self.object(key)?;
        let read = |key| -> Option<Vec<Limit>> {
            limits.objects(key).iter().map(|limit| Some(Limit { count: limit.integer("count")?, per: limit.duration("per")? })).collect()
        };
        Some(Limits { propose: read("propose")?, merge: read("merge")? })
    }
}
