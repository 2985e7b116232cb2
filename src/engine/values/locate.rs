//! Which scalar of the head is the one that a change set: by keys and names where there are any, and otherwise only where it is certain.

use super::super::manifest::{Identity, Node, Step, identifying_key};

/// A document before a change and after it, with what finds it at the head.
pub struct Pair<'a> {
    /// Before.
    pub before: &'a Node,
    /// After.
    pub change: &'a Node,
    /// What finds it at the head.
    pub address: Address,
}

/// What finds a document among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// What makes it the same object; no other document of the file has it.
    Object(Identity),
    /// Its position among so many.
    Position {
        /// From 0.
        at: usize,
        /// How many documents the file holds.
        of: usize,
    },
}

/// What was found at the head.
pub enum Found<'a> {
    /// Nothing.
    None,
    /// Something, but perhaps not the right thing.
    Unclear,
    /// The value.
    One(&'a Node),
}

/// The documents before and after a change, matched; `None` where it added or removed one.
pub fn paired_documents<'a>(before: &'a [Node], change: &'a [Node]) -> Option<Vec<Pair<'a>>> {
    if before.len() != change.len() {
        return None;
    }
    let of = before.len();
    match (identities(before), identities(change)) {
        (Some(old), Some(new)) => old
            .into_iter()
            .zip(before)
            .map(|(identity, before)| {
                let position = new.iter().position(|other| *other == identity)?;
                Some(Pair { before, change: change.get(position)?, address: Address::Object(identity) })
            })
            .collect(),
        (None, None) => {
            let pair = |(at, (before, change))| Pair { before, change, address: Address::Position { at, of } };
            Some(before.iter().zip(change).enumerate().map(pair).collect())
        }
        _ => None,
    }
}

/// The identities of some documents; `None` unless each has one of its own.
fn identities(documents: &[Node]) -> Option<Vec<Identity>> {
    let found: Vec<Identity> = documents.iter().map(Identity::of).collect::<Option<_>>()?;
    let distinct: std::collections::BTreeSet<&Identity> = found.iter().collect();
    (distinct.len() == found.len()).then_some(found)
}

/// Finds the value at `path` of a document of the head, walking the change's two sides beside it.
pub fn find<'a>(head: &'a [Node], pair: &Pair<'_>, path: &[Step]) -> Found<'a> {
    let (mut before, mut change) = (pair.before, pair.change);
    let mut here = match document(head, pair) {
        Found::One(root) => root,
        other => return other,
    };
    for step in path {
        let next = match step {
            Step::Key(key) => (before.get(key), change.get(key), here.get(key).map_or(Found::None, Found::One)),
            Step::Named(name) => {
                let Some(key) = identifying_key(&[before.items(), change.items()]) else { return Found::Unclear };
                let named = |list: &Node| list.items().iter().position(|item| item.text_at(&[key]) == Some(name));
                let at = |list| named(list).and_then(|index| list.items().get(index));
                let fitting: Vec<&Node> = here.items().iter().filter(|item| item.text_at(&[key]) == Some(name)).collect();
                (at(before), at(change), one(&fitting))
            }
            Step::Index(index) => {
                let found = at_position(before.items(), change.items(), here.items(), *index);
                (before.items().get(*index), change.items().get(*index), found)
            }
        };
        match next {
            (Some(old), Some(new), Found::One(node)) => (before, change, here) = (old, new, node),
            (_, _, Found::None) => return Found::None,
            _ => return Found::Unclear,
        }
    }
    Found::One(here)
}

fn document<'a>(head: &'a [Node], pair: &Pair<'_>) -> Found<'a> {
    match &pair.address {
        Address::Object(identity) => {
            one(&head.iter().filter(|document| Identity::of(document).as_ref() == Some(identity)).collect::<Vec<_>>())
        }
        Address::Position { at, of } => match head.get(*at) {
            // Alone in its file it cannot be taken for another; among several it must not have moved.
            Some(document) if head.len() == *of && (*of == 1 || document.says(pair.change)) => Found::One(document),
            Some(_) => Found::Unclear,
            None => Found::None,
        },
    }
}

fn one<'a>(fitting: &[&'a Node]) -> Found<'a> {
    match fitting {
        [] => Found::None,
        [node] => Found::One(node),
        _ => Found::Unclear,
    }
}

/// An item of a list whose items have no names.
fn at_position<'a>(before: &[Node], change: &[Node], head: &'a [Node], index: usize) -> Found<'a> {
    let (Some(old), Some(new)) = (before.get(index), change.get(index)) else { return Found::Unclear };
    // `shop/checkout:1.4.2` names itself.
    if let (Some(name), Some(same)) = (own_name(old), own_name(new))
        && name == same
        && change.iter().filter(|item| own_name(item) == Some(name)).count() == 1
    {
        return one(&head.iter().filter(|item| own_name(item) == Some(name)).collect::<Vec<_>>());
    }
    let others_stand = head.len() == change.len()
        && head.iter().zip(change).enumerate().all(|(position, (here, there))| position == index || here.says(there));
    match head.get(index) {
        Some(here) if others_stand => Found::One(here),
        _ => Found::Unclear,
    }
}

/// The part of a scalar before its last `:`, `=` or `@`, where what follows can be a version.
fn own_name(node: &Node) -> Option<&str> {
    let text = node.text()?;
    let at = text.rfind([':', '=', '@'])?;
    let (name, version) = (text.get(..at)?, text.get(at + 1..)?);
    (!name.is_empty() && !version.is_empty() && !version.contains('/')).then_some(name)
}
