//! A workload whose ConfigMap changed after the suspect: the old version has never run with the new configuration.

use std::collections::BTreeSet;

use super::super::cosmetic::Use;
use super::super::manifest::{Identity, Node, objects, parse};
use super::super::ownership::is_kustomization;
use super::kinds::{Class, class};
use super::{Content, Judge, LaterFile, PlannedFile, ReasonCode, Subject, workload};

/// Which ConfigMap a later change touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Touched {
    /// One of this name.
    Named(String),
    /// One that the file goes into, or that cannot be told.
    Some(String),
}

/// Judges every workload that the plan changes, itself or by its image.
pub fn judge(judge: &mut Judge<'_>) {
    let touched: BTreeSet<Touched> = judge.question.later.iter().flat_map(touched).collect();
    if touched.is_empty() {
        return;
    }
    for file in judge.question.files.iter().filter(|file| file.before != file.after) {
        let documents = after(file);
        let known: Vec<_> = objects(&documents).into_iter().filter(|object| runs_pods(&object.identity)).collect();
        for object in &known {
            let names = config_maps(object.root);
            let subject = Subject::of(&object.identity);
            for map in &touched {
                match map {
                    Touched::Named(name) if names.contains(name.as_str()) => say(judge, &subject, &format!("ConfigMap {name}")),
                    Touched::Named(_) => {}
                    // A workload that uses none cannot use this one.
                    Touched::Some(path) if !names.is_empty() => say(judge, &subject, path),
                    Touched::Some(_) => {}
                }
            }
        }
        // An image that a kustomization, a release or a value file sets: which ConfigMap its workload uses is not said there.
        let deploys = objects(&documents).iter().any(|object| deploys_others(&object.identity));
        let is_value_file = !documents.is_empty() && objects(&documents).is_empty();
        if known.is_empty() && (is_kustomization(file.path) || deploys || is_value_file) {
            for map in &touched {
                let what = match map {
                    Touched::Named(name) => format!("ConfigMap {name}"),
                    Touched::Some(path) => path.clone(),
                };
                say(judge, &Subject::path(file.path), &what);
            }
        }
    }
}

fn say(judge: &mut Judge<'_>, subject: &Subject, what: &str) {
    judge.human(ReasonCode::ConfigMapChangedLater, subject, "", &format!("goes back, and {what} changed after it"));
}

fn after(file: &PlannedFile<'_>) -> Vec<Node> {
    match file.after {
        Content::Text(text) => parse(text).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn runs_pods(identity: &Identity) -> bool {
    matches!(class(identity), Class::Workload | Class::StatefulSet | Class::Job | Class::Model)
}

fn deploys_others(identity: &Identity) -> bool {
    matches!(class(identity), Class::HelmRelease | Class::Application | Class::FluxKustomization)
}

fn touched(file: &LaterFile<'_>) -> Vec<Touched> {
    if file.then == file.now {
        return Vec::new();
    }
    let path = || Touched::Some(file.path.to_owned());
    if file.used == Use::Bytes {
        return vec![path()];
    }
    let read = |content: Content<'_>| match content {
        Content::Absent => Some(Vec::new()),
        Content::Text(text) => parse(text).ok(),
        Content::Unreadable(_) => None,
    };
    let (Some(then), Some(now)) = (read(file.then), read(file.now)) else { return vec![path()] };
    let mut found = Vec::new();
    if is_kustomization(file.path) {
        let generators = |documents: &[Node]| documents.first().and_then(|root| root.get("configMapGenerator")).cloned();
        match (generators(&then), generators(&now)) {
            (None, None) => {}
            (Some(then), Some(now)) if then.says(&now) => {}
            (then, now) => {
                let lists = [then, now];
                let names = lists.iter().flatten().flat_map(Node::items).filter_map(|item| item.text_at(&["name"]));
                found.extend(names.map(|name| Touched::Named(name.to_owned())));
            }
        }
    }
    let maps = |documents: &[Node]| -> Vec<(Identity, Node)> {
        let all = objects(documents).into_iter().filter(|object| class(&object.identity) == Class::ConfigMap);
        all.map(|object| (object.identity.clone(), object.root.clone())).collect()
    };
    let (then, now) = (maps(&then), maps(&now));
    let stands = |list: &[(Identity, Node)], (identity, root): &(Identity, Node)| {
        list.iter().any(|(other, data)| other == identity && data.says(root))
    };
    found.extend(then.iter().filter(|map| !stands(&now, map)).map(|(identity, _)| Touched::Named(identity.name.clone())));
    found.extend(now.iter().filter(|map| !stands(&then, map)).map(|(identity, _)| Touched::Named(identity.name.clone())));
    found
}

/// The ConfigMaps that a workload names: in the environment of its containers, and in its volumes.
fn config_maps(root: &Node) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut add = |name: Option<&str>| names.extend(name.map(str::to_owned));
    for container in workload::containers(root) {
        for variable in container.get("env").map(Node::items).unwrap_or_default() {
            add(variable.text_at(&["valueFrom", "configMapKeyRef", "name"]));
        }
        for source in container.get("envFrom").map(Node::items).unwrap_or_default() {
            add(source.text_at(&["configMapRef", "name"]));
        }
    }
    for pod in workload::pods(root) {
        for volume in pod.get("volumes").map(Node::items).unwrap_or_default() {
            add(volume.text_at(&["configMap", "name"]));
            for source in volume.at(&["projected", "sources"]).map(Node::items).unwrap_or_default() {
                add(source.text_at(&["configMap", "name"]));
            }
        }
    }
    names
}
