//! Documents as Kubernetes objects: what identifies one, and the items of a `List` one by one.

use super::Node;

/// What makes two documents the same object. The version of the API is no part of it: `v1beta1` and `v1` name one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The group of the API; empty for the core.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace, where the manifest names one.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// A document, or an item of a `List`, that names its kind.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    /// What identifies it.
    pub identity: Identity,
    /// What it says.
    pub root: &'a Node,
}

/// The objects among some documents, in their order. What names no kind or no name is none.
pub fn objects(documents: &[Node]) -> Vec<Object<'_>> {
    let mut open: Vec<&Node> = documents.iter().rev().collect();
    let mut found = Vec::new();
    while let Some(node) = open.pop() {
        let kind = node.text_at(&["kind"]).unwrap_or_default();
        if kind.ends_with("List") && !node.get("items").is_none_or(|items| items.items().is_empty()) {
            open.extend(node.get("items").map(Node::items).unwrap_or_default().iter().rev());
            continue;
        }
        if let Some(identity) = Identity::of(node) {
            found.push(Object { identity, root: node });
        }
    }
    found
}

impl Identity {
    /// What identifies a document; `None` where it names no kind or no name (`generateName` counts as one).
    pub fn of(node: &Node) -> Option<Self> {
        let version = node.text_at(&["apiVersion"]).unwrap_or_default();
        let name = node.text_at(&["metadata", "name"]).or_else(|| node.text_at(&["metadata", "generateName"]))?;
        Some(Self {
            group: version.split_once('/').map_or("", |(group, _)| group).to_owned(),
            kind: node.text_at(&["kind"])?.to_owned(),
            namespace: node.text_at(&["metadata", "namespace"]).map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

impl std::fmt::Display for Identity {
    /// `Deployment shop/checkout`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}
