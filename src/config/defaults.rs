//! The defaults put into a tree, so that what reads it meets every key that has a value.

use super::diagnostic::Span;
use super::node::{Entry, Node, Origin, Scalar, Value};
use super::shape::{Field, Kind, Object, Presence};
use super::yaml::{Piece, parse};

/// The same object with every absent key that has a default, down to the last. A default stands where its object stands.
pub fn complete(shape: &'static Object, node: &Node) -> Node {
    let Value::Map(entries) = &node.value else { return node.clone() };
    let mut entries: Vec<Entry> = entries
        .iter()
        .map(|entry| {
            let value = shape.field(&entry.key).map_or_else(|| entry.value.clone(), |field| complete_value(&field.kind, &entry.value));
            Entry { value, ..entry.clone() }
        })
        .collect();
    for field in shape.built().filter(|field| node.get(field.name).is_none() && fits(shape, node, field)) {
        if let Some(value) = default_of(field, node.span) {
            let value = complete_value(&field.kind, &value);
            entries.push(Entry { key: field.name.to_owned(), span: node.span, value, origin: Origin::Default });
        }
    }
    Node { value: Value::Map(entries), span: node.span }
}

/// The default of a key as a tree that stands at `span`.
pub fn default_of(field: &Field, span: Span) -> Option<Node> {
    let Presence::Default(text) = field.presence else { return None };
    let mut node = parse(Piece { text, first_line: 1 }).ok().flatten()?;
    place(&mut node, span);
    Some(node)
}

/// Whether a default belongs to the way in which the object was written.
fn fits(shape: &Object, node: &Node, field: &Field) -> bool {
    let mut ways = shape.choice.iter().filter(|way| way.holds(field.name)).peekable();
    ways.peek().is_none() || ways.any(|way| way.needs.iter().any(|key| node.get(key).is_some()))
}

fn complete_value(kind: &Kind, node: &Node) -> Node {
    let list = |item: &Kind, items: &[Node]| Node {
        value: Value::List(items.iter().map(|node| complete_value(item, node)).collect()),
        span: node.span,
    };
    match (kind, &node.value) {
        (Kind::Object(shape), _) if node.scalar() == Some(Scalar::Null) && shape.may_be_empty() => {
            complete(shape, &Node { value: Value::Map(Vec::new()), span: node.span })
        }
        (Kind::Object(shape) | Kind::WordOr(_, shape) | Kind::TextOr(_, shape), Value::Map(_)) => complete(shape, node),
        (Kind::List(item, ..) | Kind::OneOrMany(item), Value::List(items)) => list(item, items),
        (Kind::OneOrMany(item), _) => list(item, std::slice::from_ref(node)),
        _ => node.clone(),
    }
}

fn place(node: &mut Node, span: Span) {
    node.span = span;
    match &mut node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter_mut().for_each(|item| place(item, span)),
        Value::Map(entries) => {
            for entry in entries {
                entry.span = span;
                entry.origin = Origin::Default;
                place(&mut entry.value, span);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;
    use crate::config::diagnostic::{Findings, Source};
    use crate::config::keys::{AGENT_DOCUMENT, POLICY_DOCUMENT};
    use crate::config::shape::Form;

    fn visit(shape: &'static Object, each: &mut impl FnMut(&'static Object, &'static Field)) {
        fn inside(kind: &'static Kind, each: &mut impl FnMut(&'static Object, &'static Field)) {
            match kind {
                Kind::Object(shape) | Kind::WordOr(_, shape) | Kind::TextOr(_, shape) => visit(shape, each),
                Kind::List(item, ..) | Kind::OneOrMany(item) => inside(item, each),
                _ => {}
            }
        }
        for field in shape.fields {
            each(shape, field);
            inside(&field.kind, each);
        }
    }

    #[test]
    fn every_default_is_valid_and_every_key_is_explained() {
        for document in [&AGENT_DOCUMENT, &POLICY_DOCUMENT] {
            visit(document, &mut |shape, field| {
                assert!(field.presence == Presence::Later || field.doc.ends_with('.'), "`{}` is not explained", field.name);
                assert_eq!(shape.fields.iter().filter(|other| other.name == field.name).count(), 1, "`{}` is there twice", field.name);
                let Presence::Default(text) = field.presence else { return };
                let node = default_of(field, Span::default()).expect(field.name);
                // Labels, links and headers have free keys; an empty one needs no check.
                if matches!(field.kind, Kind::Map(Form::Line | Form::HttpUrl | Form::Secret)) {
                    assert_eq!(text, "{}");
                    return;
                }
                let source = Source::new("default", text);
                let mut list = Vec::new();
                check::value(&field.kind, &node, field.name, Span::default(), &mut Findings::new(&source, &mut list));
                assert_eq!(list, [], "the default of `{}`", field.name);
            });
        }
    }
}
