//! Rules for what runs containers, and for KServe models.

use super::super::manifest::Node;
use super::fields::{Identities, Move, moved, protection};
use super::kinds::{Class, is_migration};
use super::leaf::Leaf;
use super::{Judge, ReasonCode, Subject};

/// Judges a field of a workload or a model.
pub fn judge(judge: &mut Judge<'_>, subject: &Subject, class: Class, leaf: &Leaf<'_>) {
    protection(judge, subject, leaf);
    let words = leaf.words();
    match (class, words.as_slice()) {
        (Class::StatefulSet, ["spec", "volumeClaimTemplates", ..]) => {
            judge.human(ReasonCode::VolumeClaim, subject, &leaf.field, "cannot be changed in place, and volume claims come from it");
        }
        (Class::StatefulSet, ["spec", "serviceName" | "podManagementPolicy", ..])
        | (Class::Workload | Class::StatefulSet | Class::Job, ["spec", "selector", ..]) => {
            judge.human(ReasonCode::Immutable, subject, &leaf.field, "cannot be changed in place");
        }
        (Class::Job, ["spec", "template" | "completions" | "completionMode" | "podFailurePolicy", ..]) => {
            judge.human(ReasonCode::Immutable, subject, &leaf.field, "cannot be changed in place");
        }
        (Class::Model, _) => model(judge, subject, leaf),
        _ => {}
    }
    if leaf.has(&["persistentVolumeClaim", "volumeClaimTemplate"]) {
        judge.human(ReasonCode::VolumeClaim, subject, &leaf.field, "says which volume claim it uses");
    }
    if matches!(leaf.last(), "serviceAccountName" | "serviceAccount") {
        judge.human(ReasonCode::Rbac, subject, &leaf.field, "says with whose rights it runs");
    }
    if class != Class::Job {
        migration(judge, subject, leaf);
    }
}

/// A container, or a whole CronJob, that migrates data.
fn migration(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    let place = leaf.keys.iter().position(|key| key == "initContainers" || key == "containers");
    let container = place.and_then(|place| leaf.keys.get(place + 1));
    let (before, after) = leaf.texts();
    let says = [Some(subject.name()), container.map(String::as_str)].into_iter().flatten().any(is_migration)
        || (place.is_some() && [before, after].into_iter().flatten().any(is_migration));
    if says {
        judge.human(ReasonCode::Migration, subject, &leaf.field, "belongs to a migration by its name");
    }
}

/// Where a model comes from, and what serves it.
fn model(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    if subject.identity.as_ref().is_some_and(|identity| identity.kind == "ClusterServingRuntime") {
        judge.human(ReasonCode::Deployment, subject, &leaf.field, "serves models of the whole cluster");
    }
    if matches!(leaf.last(), "storageUri" | "modelUri" | "runtimeVersion") {
        let (before, after) = leaf.texts();
        let version = |text: Option<&'_ str>| text.and_then(|text| text.trim_end_matches('/').rsplit('/').next()).map(str::to_owned);
        let (before, after) = (version(before), version(after));
        let names = ["", ""];
        let identities = Identities::NotKept;
        moved(judge, subject, Move { field: &leaf.field, names, before: before.as_deref(), after: after.as_deref(), identities });
    }
}

/// The pods of a workload or a model, wherever its kind says what they are.
pub fn pods(root: &Node) -> Vec<&Node> {
    const TEMPLATES: [&[&str]; 6] = [
        &["spec", "template", "spec"],
        &["spec", "jobTemplate", "spec", "template", "spec"],
        &["spec"],
        &["spec", "predictor"],
        &["spec", "transformer"],
        &["spec", "explainer"],
    ];
    TEMPLATES.iter().filter_map(|path| root.at(path)).collect()
}

/// The containers of a workload or a model.
pub fn containers(root: &Node) -> Vec<&Node> {
    pods(root)
        .into_iter()
        .flat_map(|pod| {
            let listed = ["containers", "initContainers"].into_iter().filter_map(|list| pod.get(list)).flat_map(Node::items);
            // A predictor's `model` is a container of its own.
            listed.chain(pod.get("model"))
        })
        .collect()
}
