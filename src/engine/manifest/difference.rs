//! What differs between two documents, down to the scalars. Items of a list are matched by what names them, so that a neighbour's edit or a
//! new item in front does not shift the rest.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Node, Value};

/// Keys that name an item of a list in Kubernetes and its tools, the most telling first.
const NAMING: [&str; 7] = ["name", "key", "mountPath", "containerPort", "host", "path", "id"];

/// One step from a document to a value in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// The item of a list that this value names.
    Named(String),
    /// The item of a list at this position, from 0.
    Index(usize),
}

/// A value that is not the same on both sides.
#[derive(Clone, Debug)]
pub struct Difference<'a> {
    /// Where it is.
    pub path: Vec<Step>,
    /// Before; `None`: it is not there.
    pub before: Option<&'a Node>,
    /// After; `None`: it is not there.
    pub after: Option<&'a Node>,
}

/// Everything that differs, in the order of `before`, then what only `after` has. A list whose items cannot be matched differs as a whole.
pub fn differences<'a>(before: &'a Node, after: &'a Node) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    collect(before, after, &mut Vec::new(), &mut found);
    found
}

/// The key that names the items of all these lists: each item has it, and within a list no two share a value.
pub fn identifying_key(lists: &[&[Node]]) -> Option<&'static str> {
    NAMING.into_iter().find(|key| {
        lists.iter().all(|items| {
            let mut seen = BTreeSet::new();
            items.iter().all(|item| item.text_at(&[key]).is_some_and(|name| seen.insert(name)))
        })
    })
}

/// A path for people: `spec.containers[app].image`.
pub fn shown_path(path: &[Step]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            Step::Key(key) if shown.is_empty() => shown.push_str(key),
            Step::Key(key) => shown.push_str(&format!(".{key}")),
            Step::Named(name) => shown.push_str(&format!("[{name}]")),
            Step::Index(index) => shown.push_str(&format!("[{index}]")),
        }
    }
    shown
}

fn collect<'a>(before: &'a Node, after: &'a Node, path: &mut Vec<Step>, found: &mut Vec<Difference<'a>>) {
    match (&before.value, &after.value) {
        (Value::Map(_), Value::Map(_)) => {
            let side = |node: &'a Node| node.entries().iter().map(|entry| (entry.key.as_str(), &entry.value)).collect::<Vec<_>>();
            pairs(&side(before), &side(after), |key| Step::Key(key.to_owned()), path, found);
        }
        (Value::List(one), Value::List(two)) => {
            if let Some(key) = identifying_key(&[one, two]).filter(|_| !(one.is_empty() && two.is_empty())) {
                let side = |items: &'a [Node]| items.iter().filter_map(|item| Some((item.text_at(&[key])?, item))).collect::<Vec<_>>();
                pairs(&side(one), &side(two), |name| Step::Named(name.to_owned()), path, found);
            } else if one.len() == two.len() {
                for (index, (one, two)) in one.iter().zip(two).enumerate() {
                    path.push(Step::Index(index));
                    collect(one, two, path, found);
                    path.pop();
                }
            } else {
                found.push(Difference { path: path.clone(), before: Some(before), after: Some(after) });
            }
        }
        _ if before.says(after) => {}
        _ => found.push(Difference { path: path.clone(), before: Some(before), after: Some(after) }),
    }
}

fn pairs<'a>(
    before: &[(&'a str, &'a Node)],
    after: &[(&'a str, &'a Node)],
    step: impl Fn(&str) -> Step,
    path: &mut Vec<Step>,
    found: &mut Vec<Difference<'a>>,
) {
    let by_name: HashMap<&str, &'a Node> = after.iter().copied().collect();
    let mut left: BTreeMap<&str, ()> = after.iter().map(|(name, _)| (*name, ())).collect();
    for (name, node) in before {
        path.push(step(name));
        left.remove(name);
        match by_name.get(name) {
            Some(other) => collect(node, other, path, found),
            None => found.push(Difference { path: path.clone(), before: Some(node), after: None }),
        }
        path.pop();
    }
    for (name, node) in after.iter().filter(|(name, _)| left.contains_key(name)) {
        path.push(step(name));
        found.push(Difference { path: path.clone(), before: None, after: Some(node) });
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn paths(before: &str, after: &str) -> Vec<String> {
        let (before, after) = (parse(before).unwrap(), parse(after).unwrap());
        differences(&before[0], &after[0]).iter().map(|difference| shown_path(&difference.path)).collect()
    }

    #[test]
    fn items_are_matched_by_their_names() {
        let before = "images:\n- {name: a, tag: 1}\n- {name: b, tag: 1}\n";
        assert_eq!(
            paths(before, "images:\n- {name: new, tag: 1}\n- {name: b, tag: 2}\n- {name: a, tag: 1}\n"),
            ["images[b].tag", "images[new]"]
        );
        assert_eq!(paths(before, "images:\n- {name: a, tag: 1}\n"), ["images[b]"]);
    }

    #[test]
    fn what_has_no_name_is_matched_by_position_or_not_at_all() {
        assert_eq!(paths("a: [x, y]\n", "a: [x, z]\n"), ["a[1]"]);
        assert_eq!(paths("a: [x, y]\n", "a: [x]\n"), ["a"]);
        assert_eq!(paths("a: {b: 1}\n", "a: 1\n"), ["a"]);
        assert_eq!(paths("a: []\nb: ~\n", "b:\na: []\n"), [""; 0]);
    }
}
