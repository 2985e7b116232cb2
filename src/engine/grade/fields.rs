//! Rules for fields that mean the same in many kinds: images, replicas, resources, annotations of sync tools, protections.

use super::super::manifest::Node;
use super::kinds::{Class, is_data_store, is_operator};
use super::leaf::Leaf;
use super::quantity::{Direction, direction, quantity};
use super::{Judge, Level, ReasonCode, Subject};

/// The parts of an image reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Without tag and digest.
    pub repository: &'a str,
    /// The tag, where there is one.
    pub tag: Option<&'a str>,
    /// The digest, where there is one.
    pub digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// Splits `registry:5000/shop/checkout:1.4.2@sha256:…`.
    pub fn read(reference: &'a str) -> Self {
        let (rest, digest) = reference.split_once('@').map_or((reference, None), |(rest, digest)| (rest, Some(digest)));
        let name_at = rest.rfind('/').map_or(0, |slash| slash + 1);
        match rest.get(name_at..).and_then(|name| name.find(':')) {
            Some(colon) => {
                Self { repository: rest.get(..name_at + colon).unwrap_or_default(), tag: rest.get(name_at + colon + 1..), digest }
            }
            None => Self { repository: rest, tag: None, digest },
        }
    }
}

/// Whether something runs as a StatefulSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identities {
    /// Its replicas keep names and volumes.
    Kept,
    /// They do not, or nobody can say.
    NotKept,
}

/// A version that moves.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// The field.
    pub field: &'a str,
    /// What the names of images say that it is.
    pub names: [&'a str; 2],
    /// The version before.
    pub before: Option<&'a str>,
    /// The version after.
    pub after: Option<&'a str>,
    /// Whether it runs as a StatefulSet.
    pub identities: Identities,
}

/// What holds for a field of any kind.
pub fn general(judge: &mut Judge<'_>, subject: &Subject, class: Class, leaf: &Leaf<'_>) {
    let (before, after) = leaf.texts();
    // What a ConfigMap holds is somebody else's configuration, whatever its keys are called.
    if class == Class::ConfigMap && leaf.keys.first().is_some_and(|key| key == "data" || key == "binaryData") {
        return;
    }
    if [before, after].iter().flatten().any(|text| text.contains("{{")) {
        judge.human(ReasonCode::Unreadable, subject, &leaf.field, "is filled in later");
    }
    match leaf.words().as_slice() {
        ["apiVersion"] => judge.human(ReasonCode::Deployment, subject, "apiVersion", "changes, which the cluster may not serve"),
        ["metadata", "annotations" | "labels", key, ..] => metadata(judge, subject, key, leaf),
        ["metadata", "finalizers" | "ownerReferences", ..] => {
            judge.human(ReasonCode::Deployment, subject, &leaf.field, "changes what is deleted with it");
        }
        [.., "$patch"] => judge.human(ReasonCode::DeletesObject, subject, &leaf.field, "replaces or deletes what it patches"),
        [.., "image"] => image(judge, subject, class, leaf),
        _ => {}
    }
    replicas(judge, subject, leaf);
    resources(judge, subject, leaf);
}

/// Annotations with which sync tools decide what to prune, to skip and to run.
fn metadata(judge: &mut Judge<'_>, subject: &Subject, key: &str, leaf: &Leaf<'_>) {
    const TOOLS: [&str; 5] = ["argocd.argoproj.io/", "helm.sh/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "fluxcd.io/"];
    if key.contains("/hook") {
        judge.human(ReasonCode::Migration, subject, &leaf.field, "decides whether it runs as a hook");
    } else if TOOLS.iter().any(|tool| key.starts_with(tool)) && key != "helm.sh/chart" {
        judge.human(ReasonCode::Deployment, subject, &leaf.field, "tells the sync tool what to do with it");
    } else if ["auth", "whitelist", "allowlist", "ssl", "tls", "cors", "seccomp", "apparmor", "pod-security"]
        .iter()
        .any(|word| key.contains(word))
    {
        judge.human(ReasonCode::Security, subject, &leaf.field, "may be a protection");
    }
}

/// Whether annotations make it a hook of Helm or Argo CD.
pub fn is_hook(root: &Node) -> bool {
    root.at(&["metadata", "annotations"]).is_some_and(|annotations| annotations.entries().iter().any(|entry| entry.key.ends_with("/hook")))
}

fn image(judge: &mut Judge<'_>, subject: &Subject, class: Class, leaf: &Leaf<'_>) {
    let (Some(before), Some(after)) = leaf.texts() else { return };
    let (old, new) = (Image::read(before), Image::read(after));
    // A digest pins whatever tag stands beside it.
    let version = |image: Image<'_>| {
        let tag = image.tag.filter(|tag| image.digest.is_none() || !is_moving(tag));
        tag.or(image.digest).map(str::to_owned)
    };
    let (from, to) = (version(old), version(new));
    let same_repository = old.repository == new.repository;
    moved(
        judge,
        subject,
        Move {
            field: &leaf.field,
            names: [old.repository, new.repository],
            // Another repository numbers its versions in another way.
            before: from.as_deref().filter(|_| same_repository),
            after: to.as_deref(),
            identities: if class == Class::StatefulSet { Identities::Kept } else { Identities::NotKept },
        },
    );
}

/// Tags that name another image from day to day.
fn is_moving(tag: &str) -> bool {
    const MOVING: [&str; 11] = ["latest", "main", "master", "stable", "edge", "dev", "develop", "nightly", "production", "prod", "release"];
    MOVING.contains(&tag.to_ascii_lowercase().as_str())
}

/// What holds for a version that moves. Without a version after, nobody can say what it goes back to.
pub fn moved(judge: &mut Judge<'_>, subject: &Subject, version: Move<'_>) {
    let shown = |text: Option<&str>| text.unwrap_or("something else").to_owned();
    let goes = format!("goes from {} to {}", shown(version.before), shown(version.after));
    if version.after.is_none_or(is_moving) {
        judge.human(ReasonCode::ImageNotPinned, subject, version.field, &format!("{goes}, which does not say what it goes back to"));
    }
    let way = version.before.zip(version.after).map_or(Direction::Unclear, |(before, after)| direction(before, after));
    let may = match way {
        Direction::Forward => return,
        Direction::Back => "",
        Direction::Unclear => ", which may be older",
    };
    let names = version.names;
    if names.iter().any(|name| is_data_store(name)) {
        judge.human(ReasonCode::DataStore, subject, version.field, &format!("{goes}{may}, and it is a data store"));
    } else if names.iter().any(|name| is_operator(name)) || is_operator(subject.name()) {
        judge.human(ReasonCode::OperatorImage, subject, version.field, &format!("{goes}{may}, and it is an operator"));
    } else if version.identities == Identities::Kept {
        judge.human(ReasonCode::StatefulSetImage, subject, version.field, &format!("{goes}{may}, and it keeps state"));
    }
}

/// Fewer replicas, under every name that workloads, autoscalers, models and charts have for them.
pub fn replicas(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    const NAMES: [&str; 6] = ["replicas", "replicaCount", "minReplicas", "maxReplicas", "minReplicaCount", "maxReplicaCount"];
    if NAMES.contains(&leaf.last()) {
        fewer_replicas(judge, subject, leaf, subject.name());
    }
}

/// The rule behind [`replicas`] for a field that is known to be one; `workload` names what runs.
pub fn fewer_replicas(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>, workload: &str) {
    let is_workload = leaf.last() == "replicas" || leaf.last() == "count";
    let number = |node: Option<&Node>| node.and_then(Node::text).and_then(|text| text.parse::<u32>().ok());
    let running = judge
        .question
        .running
        .iter()
        .filter(|running| {
            is_workload && running.name == workload && subject.identity.as_ref().is_none_or(|identity| identity.kind == running.kind)
        })
        .map(|running| running.replicas)
        .max();
    let words = match (number(leaf.before), number(leaf.after)) {
        (_, Some(after)) if running.is_some_and(|running| after < running) => {
            Some(format!("becomes {after}, and {} run now", running.unwrap_or_default()))
        }
        (Some(before), Some(after)) if after < before => Some(format!("goes from {before} to {after}")),
        (Some(_), Some(_)) => None,
        (None, Some(after)) if running.is_some_and(|running| after >= running) => None,
        (None, Some(after)) => Some(format!("becomes {after} where nothing said how many, and more may run now")),
        _ => Some("is no longer said, and fewer may run".to_owned()),
    };
    if let Some(words) = words {
        judge.human(ReasonCode::FewerReplicas, subject, &leaf.field, &words);
    }
}

/// Lower requests or limits. No request is nothing, no limit is everything.
pub fn resources(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    let words = leaf.words();
    let [.., resources, side @ ("requests" | "limits"), _] = words.as_slice() else { return };
    if !resources.to_ascii_lowercase().ends_with("resources") {
        return;
    }
    let absent = if *side == "requests" { 0.0 } else { f64::INFINITY };
    let amount = |node: Option<&Node>| match node {
        None => Some(absent),
        Some(node) if node.is_empty() => Some(absent),
        Some(node) => node.text().and_then(quantity),
    };
    let shown = |node: Option<&Node>| node.and_then(Node::text).unwrap_or("nothing").to_owned();
    let goes = format!("goes from {} to {}", shown(leaf.before), shown(leaf.after));
    match (amount(leaf.before), amount(leaf.after)) {
        (Some(before), Some(after)) if after >= before => {}
        (Some(_), Some(_)) => judge.human(ReasonCode::FewerResources, subject, &leaf.field, &goes),
        _ => judge.human(ReasonCode::FewerResources, subject, &leaf.field, &format!("{goes}, which cannot be compared")),
    }
}

/// Fields of a Service that cannot change, or that open it.
pub fn service(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    match leaf.words().as_slice() {
        ["spec", "clusterIP" | "clusterIPs" | "ipFamilies" | "ipFamilyPolicy", ..] => {
            judge.human(ReasonCode::Immutable, subject, &leaf.field, "cannot be changed in place");
        }
        ["spec", "type" | "loadBalancerSourceRanges" | "externalIPs" | "loadBalancerIP", ..] => {
            judge.human(ReasonCode::Security, subject, &leaf.field, "says from where it can be reached");
        }
        _ => protection(judge, subject, leaf),
    }
}

/// A claim cannot shrink.
pub fn volume(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    let (Some(before), Some(after)) = leaf.texts() else { return };
    if leaf.words().ends_with(&["requests", "storage"]) && quantity(after) < quantity(before) {
        judge.say(
            ReasonCode::VolumeClaim,
            Level::Refuse,
            subject,
            &leaf.field,
            &format!("goes from {before} to {after}, and a volume cannot shrink"),
        );
    }
}

/// Fields that protect something in any kind.
pub fn protection(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    const WORDS: [&str; 13] = [
        "securityContext",
        "podSecurityContext",
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "hostPath",
        "hostUsers",
        "runtimeClassName",
        "automountServiceAccountToken",
        "imagePullSecrets",
        "tls",
        "jwt",
        "mtls",
    ];
    if leaf.has(&WORDS) {
        judge.human(ReasonCode::Security, subject, &leaf.field, "is a protection");
    }
}
