//! Rules for kustomizations: which objects they bring, which images and replicas they set, and what they patch.

use std::collections::BTreeSet;

use super::super::manifest::{Identity, Node, Value, parse};
use super::fields::{Identities, Move, fewer_replicas, moved};
use super::leaf::{Leaf, leaves};
use super::{Judge, ReasonCode, Subject, files, values};

/// Judges a kustomization that stands on both sides.
pub fn judge(judge: &mut Judge<'_>, subject: &Subject, before: &Node, after: &Node) {
    for field in ["resources", "bases", "components"] {
        listed(judge, subject, field, before.get(field), after.get(field));
    }
    inline_patches(judge, subject, before, after);
    let includes_selectors = |root: &Node| {
        let items = root.get("labels").map(Node::items).unwrap_or_default();
        items.iter().any(|item| item.text_at(&["includeSelectors"]) == Some("true"))
    };
    let sets_selectors = includes_selectors(before) || includes_selectors(after);
    for leaf in &leaves(before, after) {
        field(judge, subject, leaf, sets_selectors);
    }
}

/// What a list no longer names is deleted where the sync tool prunes; another repository brings what nobody here can read.
fn listed(judge: &mut Judge<'_>, subject: &Subject, field: &str, before: Option<&Node>, after: Option<&Node>) {
    let entries = |node: Option<&Node>| -> BTreeSet<String> {
        node.map(Node::items).unwrap_or_default().iter().filter_map(Node::text).map(str::to_owned).collect()
    };
    let (before, after) = (entries(before), entries(after));
    let is_remote =
        |entry: &str| entry.contains("://") || entry.contains("?ref=") || entry.starts_with("git@") || entry.starts_with("github.com/");
    for gone in before.difference(&after) {
        if is_remote(gone) {
            judge.human(ReasonCode::Chart, subject, field, &format!("no longer names {gone}, whose content is elsewhere"));
        } else {
            judge.human(ReasonCode::DeletesObject, subject, field, &format!("no longer names {gone}, and what it holds may be deleted"));
        }
    }
    for new in after.difference(&before).filter(|entry| is_remote(entry)) {
        judge.human(ReasonCode::Chart, subject, field, &format!("names {new}, whose content is elsewhere"));
    }
}

fn field(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>, sets_selectors: bool) {
    match leaf.words().as_slice() {
        ["resources" | "bases" | "components" | "commonAnnotations" | "metadata" | "apiVersion" | "kind", ..] => {}
        // Inline patches are judged as what they patch.
        ["patches" | "patchesJson6902", _, "patch"] | ["patchesStrategicMerge", ..] => {}
        ["images", name, what] => image(judge, subject, leaf, name.trim_matches(['[', ']']), what),
        ["replicas", name, "count"] => fewer_replicas(judge, subject, leaf, name.trim_matches(['[', ']'])),
        ["replicas" | "images", ..] => judge.human(ReasonCode::Deployment, subject, &leaf.field, "is not what it was before"),
        ["configMapGenerator", _, "name"] if leaf.after.is_none() => {
            judge.human(ReasonCode::DeletesObject, subject, &leaf.field, "is gone, and the ConfigMap that it makes may be deleted");
        }
        ["configMapGenerator", ..] => {}
        ["secretGenerator", ..] => judge.human(ReasonCode::Secret, subject, &leaf.field, "makes a Secret"),
        ["namespace" | "namePrefix" | "nameSuffix"] => {
            judge.human(ReasonCode::DeletesObject, subject, &leaf.field, "changes, so that all objects are made anew under other names");
        }
        ["commonLabels", ..] => judge.human(ReasonCode::Immutable, subject, &leaf.field, "goes into selectors, which cannot be changed"),
        ["labels", ..] if sets_selectors => {
            judge.human(ReasonCode::Immutable, subject, &leaf.field, "goes into selectors, which cannot be changed");
        }
        ["labels", ..] => {}
        ["helmCharts", _, "version" | "repo" | "name"] => {
            judge.human(ReasonCode::Chart, subject, &leaf.field, "moves a chart that cannot be read here");
        }
        ["helmCharts", _, "valuesInline", rest @ ..] => {
            let keys: Vec<String> = rest.iter().map(|key| (*key).to_owned()).collect();
            values::judge(judge, subject, leaf, &keys);
        }
        ["crds", ..] => judge.human(ReasonCode::CustomResourceDefinition, subject, &leaf.field, "names CustomResourceDefinitions"),
        _ => judge.human(ReasonCode::Deployment, subject, &leaf.field, "changes what the kustomization makes of its resources"),
    }
}

fn image(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>, name: &str, what: &str) {
    let (before, after) = leaf.texts();
    let is_stateful = |text: Option<&str>| text.is_some_and(|text| judge.around.stateful_images.contains(text));
    let keeps = judge.around.stateful_images.contains(name) || (what == "newName" && (is_stateful(before) || is_stateful(after)));
    let identities = if keeps { Identities::Kept } else { Identities::NotKept };
    let second = if what == "newName" { after.unwrap_or_default() } else { "" };
    // Another name is another image: its versions cannot be compared, but it says what it goes back to.
    let before = before.filter(|_| what != "newName");
    moved(judge, subject, Move { field: &leaf.field, names: [name, second], before, after, identities });
}

/// Patches that are written in the kustomization itself.
fn inline_patches(judge: &mut Judge<'_>, subject: &Subject, before: &Node, after: &Node) {
    for field in ["patches", "patchesJson6902", "patchesStrategicMerge"] {
        let side = |root: &Node| -> Vec<(Option<Identity>, String)> {
            root.get(field).map(Node::items).unwrap_or_default().iter().filter_map(inline).collect()
        };
        let (old, new) = (side(before), side(after));
        if old.len() != new.len() {
            judge.human(ReasonCode::Deployment, subject, field, "has more or fewer patches than before");
            continue;
        }
        for ((target, before), (_, after)) in old.iter().zip(&new).filter(|(old, new)| old.1 != new.1) {
            patch(judge, subject, field, target.as_ref(), before, after);
        }
    }
}

fn inline(item: &Node) -> Option<(Option<Identity>, String)> {
    let text = item.text().or_else(|| item.text_at(&["patch"]))?;
    let target = item.get("target").and_then(|target| {
        let text = |key: &str| target.text_at(&[key]).map(str::to_owned);
        Some(Identity {
            group: text("group").or_else(|| text("kind").map(|kind| usual_group(&kind).to_owned()))?,
            kind: text("kind")?,
            namespace: text("namespace"),
            name: text("name").unwrap_or_else(|| "*".to_owned()),
        })
    });
    Some((target, text.to_owned()))
}

/// The group that a target leaves out.
fn usual_group(kind: &str) -> &'static str {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => "apps",
        "Job" | "CronJob" => "batch",
        "HorizontalPodAutoscaler" => "autoscaling",
        "Ingress" | "NetworkPolicy" => "networking.k8s.io",
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => "rbac.authorization.k8s.io",
        "CustomResourceDefinition" => "apiextensions.k8s.io",
        _ => "",
    }
}

fn patch(judge: &mut Judge<'_>, subject: &Subject, field: &str, target: Option<&Identity>, before: &str, after: &str) {
    let (Ok(before), Ok(after)) = (parse(before), parse(after)) else {
        judge.human(ReasonCode::Unreadable, subject, field, "holds a patch that cannot be read");
        return;
    };
    let unclear = |judge: &mut Judge<'_>| judge.human(ReasonCode::Deployment, subject, field, "patches something else than before");
    let ([old], [new]) = (before.as_slice(), after.as_slice()) else { return unclear(judge) };
    let both = (Identity::of(old), Identity::of(new));
    match (&old.value, &new.value, target, both) {
        (Value::Map(_), Value::Map(_), Some(target), _) => files::object(judge, target, old, new),
        (Value::Map(_), Value::Map(_), None, (Some(one), Some(two))) if one == two => files::object(judge, &one, old, new),
        (Value::List(_), Value::List(_), Some(target), _) => match (applied(old), applied(new)) {
            (Some(old), Some(new)) => files::object(judge, target, &old, &new),
            _ => unclear(judge),
        },
        _ => unclear(judge),
    }
}

/// A list of JSON patch operations as the object that they say; `None` unless each sets a value.
fn applied(operations: &Node) -> Option<Node> {
    let mut root = Node { value: Value::Map(Vec::new()), place: operations.place.clone() };
    for operation in operations.items() {
        if !matches!(operation.text_at(&["op"])?, "replace" | "add") {
            return None;
        }
        let path = operation.text_at(&["path"])?.strip_prefix('/')?;
        let keys: Vec<String> = path.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
        if keys.len() > 32 {
            return None;
        }
        set(&mut root, &keys, operation.get("value")?);
    }
    Some(root)
}

/// Positions in lists become keys: both sides of a patch name the same ones.
fn set(node: &mut Node, keys: &[String], value: &Node) {
    let Some((first, rest)) = keys.split_first() else {
        *node = value.clone();
        return;
    };
    if !matches!(node.value, Value::Map(_)) {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return };
    let index = entries.iter().position(|entry| entry.key == *first).unwrap_or_else(|| {
        let empty = Node { value: Value::Map(Vec::new()), place: value.place.clone() };
        entries.push(super::super::manifest::Entry { key: first.clone(), value: empty });
        entries.len() - 1
    });
    if let Some(entry) = entries.get_mut(index) {
        set(&mut entry.value, rest, value);
    }
}
