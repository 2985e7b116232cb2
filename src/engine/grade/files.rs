//! From files to objects: what stands before and after is matched, also when an object moved to another file, and each pair is judged.

use std::collections::BTreeSet;

use super::super::manifest::{Identity, Node, objects, parse};
use super::super::ownership::is_kustomization;
use super::kinds::{Class, class};
use super::leaf::leaves;
use super::{Content, Judge, Level, PlannedFile, ReasonCode, Subject, application, fields, kustomization, values, workload};

/// What the service's other manifests say.
#[derive(Debug, Default)]
pub struct Around {
    /// The repositories of images that StatefulSets run.
    pub stateful_images: BTreeSet<String>,
    /// Whether a template of a chart makes a StatefulSet.
    pub has_stateful_template: bool,
}

/// A document with what it is in its file.
struct Item<'a> {
    path: &'a str,
    key: Key,
    root: &'a Node,
}

/// What makes two documents the same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Object(Identity, usize),
    Kustomization(usize),
    Other(usize),
}

struct Read<'a> {
    path: &'a str,
    before: Vec<Node>,
    after: Vec<Node>,
}

// === impl Around ===

impl Around {
    /// Reads what can be read; the rest is asked for the word alone.
    pub fn read(files: &[(&str, &str)]) -> Self {
        let mut around = Self::default();
        for (_, text) in files {
            let Ok(documents) = parse(text) else {
                around.has_stateful_template |= text.contains("kind: StatefulSet");
                continue;
            };
            for object in objects(&documents).iter().filter(|object| class(&object.identity) == Class::StatefulSet) {
                let images = workload::containers(object.root).into_iter().filter_map(|container| container.text_at(&["image"]));
                around.stateful_images.extend(images.map(|image| fields::Image::read(image).repository.to_owned()));
            }
        }
        around
    }
}

/// Judges every file of the plan.
pub fn judge(judge: &mut Judge<'_>) {
    let files: Vec<Read<'_>> = judge.question.files.iter().filter_map(|file| read(judge, file)).collect();
    let mut before: Vec<Item<'_>> = files.iter().flat_map(|file| items(file.path, &file.before)).collect();
    let mut after: Vec<Item<'_>> = files.iter().flat_map(|file| items(file.path, &file.after)).collect();
    let mut pairs = matched(&mut before, &mut after, |one, two| one.path == two.path && one.key == two.key);
    pairs.extend(matched(&mut before, &mut after, |one, two| match (&one.key, &two.key) {
        (Key::Object(one, _), Key::Object(two, _)) => one == two,
        _ => false,
    }));
    for (old, new) in pairs.iter().filter(|(old, new)| !old.root.says(new.root)) {
        judge.objects += 1;
        changed(judge, old, new);
    }
    for old in &before {
        judge.objects += 1;
        removed(judge, old);
    }
    for new in &after {
        judge.objects += 1;
        added(judge, new);
    }
}

/// Takes the pairs out of both lists.
fn matched<'a>(
    before: &mut Vec<Item<'a>>,
    after: &mut Vec<Item<'a>>,
    same: impl Fn(&Item<'a>, &Item<'a>) -> bool,
) -> Vec<(Item<'a>, Item<'a>)> {
    let mut pairs = Vec::new();
    for old in std::mem::take(before) {
        match after.iter().position(|new| same(&old, new)) {
            Some(index) => pairs.push((old, after.remove(index))),
            None => before.push(old),
        }
    }
    pairs
}

/// Both sides of a file; `None` where one cannot be read, which is a reason of its own.
fn read<'a>(judge: &mut Judge<'_>, file: &PlannedFile<'a>) -> Option<Read<'a>> {
    if file.before == file.after {
        return None;
    }
    let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| file.path.ends_with(ending)) || is_kustomization(file.path);
    let mut side = |content: Content<'_>, when: &str| {
        let why = match content {
            Content::Absent => return Some(Vec::new()),
            Content::Unreadable(why) => why.to_owned(),
            Content::Text(_) if !is_manifest => "it is neither YAML nor JSON by its name".to_owned(),
            Content::Text(text) => match parse(text) {
                Ok(documents) => return Some(documents),
                Err(why) => why.to_string(),
            },
        };
        judge.human(ReasonCode::Unreadable, &Subject::path(file.path), "", &format!("cannot be read {when}: {why}"));
        None
    };
    let (before, after) = (side(file.before, "before the plan"), side(file.after, "after it"));
    if before.is_none() || after.is_none() {
        judge.objects += 1;
    }
    Some(Read { path: file.path, before: before?, after: after? })
}

fn items<'a>(path: &'a str, documents: &'a [Node]) -> Vec<Item<'a>> {
    let mut found: Vec<Item<'a>> = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let known = if is_kustomization(path) { Vec::new() } else { objects(std::slice::from_ref(document)) };
        if known.is_empty() {
            let key = if is_kustomization(path) { Key::Kustomization(index) } else { Key::Other(index) };
            found.push(Item { path, key, root: document });
        }
        for object in known {
            let same = |item: &&Item<'_>| matches!(&item.key, Key::Object(identity, _) if *identity == object.identity);
            let number = found.iter().filter(same).count();
            found.push(Item { path, key: Key::Object(object.identity, number), root: object.root });
        }
    }
    found
}

fn changed(judge: &mut Judge<'_>, old: &Item<'_>, new: &Item<'_>) {
    let leaves = leaves(old.root, new.root);
    if old.root.get("sops").is_some() || new.root.get("sops").is_some() {
        judge.human(ReasonCode::Secret, &Subject::path(old.path), "", "is encrypted, so what it changes cannot be read");
        return;
    }
    match &old.key {
        Key::Kustomization(_) => kustomization::judge(judge, &Subject::path(old.path), old.root, new.root),
        Key::Other(_) => {
            let subject = Subject::path(old.path);
            for leaf in &leaves {
                values::judge(judge, &subject, leaf, &leaf.keys);
            }
        }
        Key::Object(identity, _) => object(judge, identity, old.root, new.root),
    }
}

/// Judges an object, or a patch of one, that stands on both sides.
pub fn object(judge: &mut Judge<'_>, identity: &Identity, before: &Node, after: &Node) {
    let (subject, class) = (Subject::of(identity), class(identity));
    touched(judge, &subject, class, "is changed");
    let leaves = leaves(before, after);
    match class {
        Class::Definition => definition(judge, &subject, before, after),
        Class::ConfigMap if before.text_at(&["immutable"]) == Some("true") => {
            judge.human(ReasonCode::Immutable, &subject, "immutable", "is set, so that Kubernetes does not let its data change");
        }
        _ => {}
    }
    for leaf in &leaves {
        fields::general(judge, &subject, class, leaf);
        match class {
            Class::Workload | Class::StatefulSet | Class::Job | Class::Model => workload::judge(judge, &subject, class, leaf),
            Class::HelmRelease | Class::Application | Class::FluxKustomization => application::judge(judge, &subject, class, leaf),
            Class::Service => fields::service(judge, &subject, leaf),
            Class::Volume => fields::volume(judge, &subject, leaf),
            Class::ConfigMap => {}
            _ => fields::protection(judge, &subject, leaf),
        }
    }
}

/// Kinds that need a human whatever changes in them.
fn touched(judge: &mut Judge<'_>, subject: &Subject, class: Class, what: &str) {
    let (code, why) = match class {
        Class::Secret => (ReasonCode::Secret, "and holds or makes a Secret"),
        Class::Rbac => (ReasonCode::Rbac, "and says who may do what"),
        Class::NetworkPolicy => (ReasonCode::NetworkPolicy, "and says who may talk to whom"),
        Class::Security => (ReasonCode::Security, "and protects something"),
        Class::Namespace => (ReasonCode::Security, "and its labels may carry policies"),
        Class::Volume => (ReasonCode::VolumeClaim, "and says how data is stored"),
        Class::Definition => (ReasonCode::CustomResourceDefinition, "and other objects depend on it"),
        Class::DataStore => (ReasonCode::DataStore, "and holds data"),
        Class::Job => (ReasonCode::Migration, "and a Job runs again when it is made anew"),
        Class::Health => (ReasonCode::HealthDefinition, "and says how health is measured"),
        Class::Source => (ReasonCode::Deployment, "and says where manifests come from"),
        Class::Unknown => (ReasonCode::UnknownKind, "and is of a kind that revertd does not know"),
        _ => return,
    };
    judge.human(code, subject, "", &format!("{what} {why}"));
}

/// A version that objects are stored in cannot go.
fn definition(judge: &mut Judge<'_>, subject: &Subject, before: &Node, after: &Node) {
    let versions = |root: &Node, stored: bool| -> BTreeSet<String> {
        let items = root.at(&["spec", "versions"]).map(Node::items).unwrap_or_default();
        let wanted = items.iter().filter(|version| !stored || version.text_at(&["storage"]) == Some("true"));
        wanted.filter_map(|version| version.text_at(&["name"])).map(str::to_owned).collect()
    };
    for gone in versions(before, true).difference(&versions(after, false)) {
        judge.say(
            ReasonCode::CustomResourceDefinition,
            Level::Refuse,
            subject,
            "spec.versions",
            &format!("no longer has {gone}, in which objects are stored"),
        );
    }
}

fn removed(judge: &mut Judge<'_>, item: &Item<'_>) {
    let Key::Object(identity, _) = &item.key else {
        judge.human(ReasonCode::DeletesObject, &Subject::path(item.path), "", "is deleted, or a document of it");
        return;
    };
    let (subject, class) = (Subject::of(identity), class(identity));
    let holds_claims = item.root.at(&["spec", "volumeClaimTemplates"]).is_some_and(|claims| !claims.is_empty());
    match class {
        Class::Namespace | Class::Volume | Class::Definition | Class::DataStore => {
            judge.say(ReasonCode::DeletesData, Level::Refuse, &subject, "", "is deleted, and with it what it holds");
        }
        Class::StatefulSet if holds_claims => {
            judge.say(ReasonCode::DeletesData, Level::Refuse, &subject, "", "is deleted, and it has volume claims");
        }
        _ => {
            judge.human(ReasonCode::DeletesObject, &subject, "", "is deleted, where the sync tool prunes");
            if matches!(class, Class::Secret | Class::Rbac | Class::NetworkPolicy | Class::Security) {
                touched(judge, &subject, class, "is deleted");
            }
        }
    }
}

fn added(judge: &mut Judge<'_>, item: &Item<'_>) {
    let Key::Object(identity, _) = &item.key else {
        let subject = Subject::path(item.path);
        judge.human(ReasonCode::UnknownKind, &subject, "", "is brought back, and is no Kubernetes object by itself");
        return;
    };
    let (subject, class) = (Subject::of(identity), class(identity));
    touched(judge, &subject, class, "is brought back");
    if item.root.at(&["spec", "volumeClaimTemplates"]).is_some_and(|claims| !claims.is_empty()) {
        judge.human(ReasonCode::VolumeClaim, &subject, "spec.volumeClaimTemplates", "make volume claims again");
    }
    if fields::is_hook(item.root) {
        judge.human(ReasonCode::Migration, &subject, "metadata.annotations", "make it a hook, which runs when it is made");
    }
}
