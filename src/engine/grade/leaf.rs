//! Differences down to single scalars, with their path as words that rules can match on.

use super::super::manifest::{Difference, Node, Step, Value, differences, shown_path};

/// A scalar, or a list that cannot be matched item by item, that differs.
#[derive(Clone, Debug)]
pub struct Leaf<'a> {
    /// The path, for people.
    pub field: String,
    /// The path in words: keys as they are, items of lists as `[name]` or `[0]`.
    pub keys: Vec<String>,
    /// Before; `None`: it is not there.
    pub before: Option<&'a Node>,
    /// After; `None`: it is not there.
    pub after: Option<&'a Node>,
}

impl Leaf<'_> {
    /// The last word of the path.
    pub fn last(&self) -> &str {
        self.keys.last().map(String::as_str).unwrap_or_default()
    }

    /// The path in words.
    pub fn words(&self) -> Vec<&str> {
        self.keys.iter().map(String::as_str).collect()
    }

    /// Whether a word of the path is one of these.
    pub fn has(&self, words: &[&str]) -> bool {
        self.keys.iter().any(|key| words.contains(&key.as_str()))
    }

    /// Both sides as texts; `None` for what is not there or no scalar.
    pub fn texts(&self) -> (Option<&str>, Option<&str>) {
        (self.before.and_then(Node::text), self.after.and_then(Node::text))
    }
}

/// Every leaf that differs between two values; a value that is only on one side differs in all of its leaves.
pub fn leaves<'a>(before: &'a Node, after: &'a Node) -> Vec<Leaf<'a>> {
    differences(before, after).into_iter().flat_map(expand).collect()
}

/// The leaves beneath a difference.
pub fn expand<'a>(difference: Difference<'a>) -> Vec<Leaf<'a>> {
    match (difference.before, difference.after) {
        (Some(only), None) => one_sided(only, difference.path, |node, path| leaf(path, Some(node), None)),
        (None, Some(only)) => one_sided(only, difference.path, |node, path| leaf(path, None, Some(node))),
        (before, after) => vec![leaf(&difference.path, before, after)],
    }
}

fn one_sided<'a>(node: &'a Node, path: Vec<Step>, make: impl Fn(&'a Node, &[Step]) -> Leaf<'a> + Copy) -> Vec<Leaf<'a>> {
    let beneath = |step: Step| path.iter().cloned().chain([step]).collect::<Vec<_>>();
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            entries.iter().flat_map(|entry| one_sided(&entry.value, beneath(Step::Key(entry.key.clone())), make)).collect()
        }
        Value::List(items) if !items.is_empty() => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| {
                let name = item.text_at(&["name"]).map(|name| Step::Named(name.to_owned()));
                one_sided(item, beneath(name.unwrap_or(Step::Index(index))), make)
            })
            .collect(),
        _ => vec![make(node, &path)],
    }
}

fn leaf<'a>(path: &[Step], before: Option<&'a Node>, after: Option<&'a Node>) -> Leaf<'a> {
    let keys = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Named(name) => format!("[{name}]"),
            Step::Index(index) => format!("[{index}]"),
        })
        .collect();
    Leaf { field: shown_path(path), keys, before, after }
}
