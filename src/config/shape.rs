//! The language in which the keys are described, once: [`super::keys`] is written in it, and the checker, the defaults and the JSON Schema
//! are read from it. It says nothing about any key itself.

use std::time::Duration;

/// An object: its keys, and which of them stand for one another.
#[derive(Debug)]
pub struct Object {
    /// What it is, in a sentence.
    pub doc: &'static str,
    /// Its keys.
    pub fields: &'static [Field],
    /// Ways to write it, of which exactly one holds; empty where the keys are independent.
    pub choice: &'static [Alternative],
}

/// One way to write an object.
#[derive(Debug)]
pub struct Alternative {
    /// The keys that it needs.
    pub needs: &'static [&'static str],
    /// Keys that may stand beside them, and in no other alternative that does not name them.
    pub with: &'static [&'static str],
}

/// A key.
#[derive(Debug)]
pub struct Field {
    /// As it is written.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub doc: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What happens without it.
    pub presence: Presence,
}

/// What happens without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is an error.
    Required,
    /// Nothing stands in for it.
    Optional,
    /// This stands in for it, as it would be written.
    Default(&'static str),
    /// The key is planned and refused until it is built.
    Later,
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text of some form.
    Text(Form),
    /// One of some words.
    Word(&'static [&'static str]),
    /// A duration such as `5m`, between two limits.
    Duration(Duration, Duration),
    /// A share: a number between 0 and 1 or a percentage.
    Ratio,
    /// A number over a limit, or any number.
    Number(Option<f64>),
    /// A whole number between two limits.
    Integer(i64, i64),
    /// `true` or `false`.
    Flag,
    /// A list of at least so many items. The words are planned to stand in its place.
    List(&'static Kind, usize, &'static [&'static str]),
    /// One item, or a list of them.
    OneOrMany(&'static Kind),
    /// Free keys with values of one form.
    Map(Form),
    /// An object.
    Object(&'static Object),
    /// A word or an object.
    WordOr(&'static [&'static str], &'static Object),
    /// A text of some form, or an object.
    TextOr(Form, &'static Object),
    /// Refused before its value matters.
    Nothing,
}

/// The form of a text. `super::form` holds the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Anything but nothing, on one line.
    Line,
    /// `[a-z0-9]([-a-z0-9.]*[a-z0-9])?`, at most 63 characters.
    Name,
    /// The same, with variables.
    VariableName,
    /// A file or directory.
    Path,
    /// An `http` or `https` address without credentials.
    HttpUrl,
    /// The same, with variables.
    ProbedUrl,
    /// The address of a Git repository without a password.
    GitUrl,
    /// A branch without `refs/heads/`.
    Branch,
    /// A glob for paths in the repository.
    Glob,
    /// An IP address and a port.
    Socket,
    /// A range of addresses.
    Network,
    /// An e-mail address.
    Email,
    /// A PromQL expression.
    Query,
    /// A PromQL selector.
    Selector,
    /// The name of a label of a metric.
    LabelName,
    /// A schedule of five fields.
    Schedule,
    /// The IANA name of a time zone.
    TimeZone,
    /// A channel of a chat, or the template of one.
    Channel,
    /// The value of a header: shown nowhere.
    Secret,
}

// === impl Object, Field ===

impl Object {
    /// The key of that name, also one that is planned.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether nothing after its key means the same as `{}`: people comment out every key of an object and leave its name.
    pub fn may_be_empty(&self) -> bool {
        self.choice.is_empty() && self.fields.iter().all(|field| field.presence != Presence::Required)
    }

    /// The keys that can be used.
    pub fn built(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().filter(|field| field.presence != Presence::Later)
    }
}

impl Alternative {
    /// Whether a key belongs to it.
    pub fn holds(&self, key: &str) -> bool {
        self.needs.contains(&key) || self.with.contains(&key)
    }
}

impl Field {
    /// A key that must be there.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, doc, kind, presence: Presence::Required }
    }

    /// A key that nothing stands in for.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, doc, kind, presence: Presence::Optional }
    }

    /// A key with a default, as it would be written.
    pub const fn default(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { name, doc, kind, presence: Presence::Default(default) }
    }

    /// A key that is planned.
    pub const fn later(name: &'static str) -> Self {
        Self { name, doc: "", kind: Kind::Nothing, presence: Presence::Later }
    }
}
