//! The scalars of a document by path, and what a path means to people in an object of some kind.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Audience;

/// Deeper than this a document is shown as text: no manifest is, and recursion must end.
const DEEPEST: usize = 40;

/// Whether a workload's containers must be named to be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containers {
    /// One at most.
    One,
    /// Several.
    Several,
}

impl Containers {
    /// Over both sides of a change.
    pub fn of(paths: &BTreeSet<&Vec<String>>) -> Self {
        let name = |path: &&Vec<String>| {
            let start = path.iter().position(|step| step.ends_with("ontainers"))?;
            path.get(start..start + 2).map(<[String]>::to_vec)
        };
        let found: BTreeSet<Vec<String>> = paths.iter().filter_map(name).collect();
        if found.len() > 1 { Self::Several } else { Self::One }
    }
}

/// Every scalar by its path. Items of a list are named by what names them in Kubernetes (`name`, else a key of similar use), else by number;
/// a list of scalars is one value.
pub fn by_path(document: &Value) -> BTreeMap<Vec<String>, String> {
    let mut found = BTreeMap::new();
    collect(document, &mut Vec::new(), &mut found);
    found
}

fn collect(value: &Value, path: &mut Vec<String>, found: &mut BTreeMap<Vec<String>, String>) {
    let is_deep = path.len() >= DEEPEST;
    let mut enter = |step: String, value: &Value| {
        path.push(step);
        collect(value, path, found);
        path.pop();
    };
    match value {
        Value::Object(map) if !map.is_empty() && !is_deep => {
            for (key, value) in map {
                enter(key.clone(), value);
            }
        }
        Value::Array(items) if !is_deep && items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (number, item) in items.iter().enumerate() {
                let name = ["name", "key", "mountPath", "containerPort", "host", "path"].iter().find_map(|key| text(item.get(*key)?));
                enter(format!("[{}]", name.unwrap_or_else(|| number.to_string())), item);
            }
        }
        scalar => {
            found.insert(path.clone(), text(scalar).unwrap_or_else(|| scalar.to_string()));
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(_) | Value::Array(_) => None,
        other => Some(other.to_string()),
    }
}

/// What a path is called, and who may read its values.
pub fn field(kind: &str, path: &[String], containers: Containers) -> (String, Audience) {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    let (name, audience) = match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "CronJob" | "Pod" | "Rollout" => workload(&steps, containers),
        "Secret" | "SealedSecret" | "ExternalSecret" => (dotted(steps.strip_prefix(&["metadata"]).unwrap_or(&steps)), Audience::Nobody),
        "ConfigMap" => config_map(&steps),
        "HelmRelease" => helm_release(&steps),
        "kustomization" => kustomization(&steps),
        _ => (dotted(&steps), by_meaning(&steps)),
    };
    (name, audience.max(if names_a_secret(&steps) { Audience::Nobody } else { Audience::Everywhere }))
}

fn workload(steps: &[&str], containers: Containers) -> (String, Audience) {
    let start = steps.iter().position(|step| matches!(*step, "containers" | "initContainers" | "ephemeralContainers"));
    let Some((start, [container, rest @ ..])) = start.and_then(|start| Some((start, steps.get(start + 1..)?))) else {
        let rest = steps.strip_prefix(&["spec"]).unwrap_or(steps);
        // Annotations hold whatever a tool puts there, whole manifests among it.
        let audience = if steps.contains(&"annotations") { Audience::ProposalOnly } else { Audience::Everywhere };
        return (dotted(rest), audience);
    };
    let init = if steps.get(start) == Some(&"initContainers") { "init container" } else { "container" };
    let owner = match containers {
        Containers::One => String::new(),
        Containers::Several => format!("{init} {} ", container.trim_matches(['[', ']'])),
    };
    match rest {
        ["image"] => (format!("{owner}image"), Audience::Everywhere),
        ["env", variable, ..] => (format!("{owner}env {}", variable.trim_matches(['[', ']'])), Audience::ProposalOnly),
        ["args" | "command" | "envFrom" | "lifecycle", ..] => (format!("{owner}{}", dotted(rest)), Audience::ProposalOnly),
        ["livenessProbe" | "readinessProbe" | "startupProbe", ..] => (format!("{owner}{}", dotted(rest)), Audience::ProposalOnly),
        _ => (format!("{owner}{}", dotted(rest)), Audience::Everywhere),
    }
}

fn config_map(steps: &[&str]) -> (String, Audience) {
    match steps {
        ["data" | "binaryData", key @ ..] => (format!("key {}", dotted(key)), Audience::ProposalOnly),
        _ => (dotted(steps), Audience::ProposalOnly),
    }
}

fn helm_release(steps: &[&str]) -> (String, Audience) {
    match steps {
        ["spec", "chart", "spec", "version"] => ("chart version".to_owned(), Audience::Everywhere),
        ["spec", "chart", "spec", "chart"] => ("chart".to_owned(), Audience::Everywhere),
        ["spec", "values", value @ ..] => (format!("value {}", dotted(value)), by_meaning(value)),
        _ => (dotted(steps.strip_prefix(&["spec"]).unwrap_or(steps)), by_meaning(steps)),
    }
}

fn kustomization(steps: &[&str]) -> (String, Audience) {
    match steps {
        ["images", image, what] => (format!("image {} {what}", image.trim_matches(['[', ']'])), Audience::Everywhere),
        ["replicas", workload, "count"] => (format!("replicas {}", workload.trim_matches(['[', ']'])), Audience::Everywhere),
        ["resources" | "components" | "bases"] => (dotted(steps), Audience::Everywhere),
        ["secretGenerator", ..] => (dotted(steps), Audience::Nobody),
        _ => (dotted(steps), Audience::ProposalOnly),
    }
}

/// Outside of the kinds that are known, a value is for everywhere only if what it says is harmless by its name.
fn by_meaning(steps: &[&str]) -> Audience {
    const HARMLESS: [&str; 14] = [
        "image",
        "tag",
        "digest",
        "repository",
        "version",
        "replicas",
        "replicaCount",
        "targetRevision",
        "revision",
        "cpu",
        "memory",
        "newTag",
        "newName",
        "count",
    ];
    if steps.last().is_some_and(|last| HARMLESS.contains(last)) { Audience::Everywhere } else { Audience::ProposalOnly }
}

/// Whether a name says that the value is a secret, wherever it stands: people put them into values files and plain env.
fn names_a_secret(steps: &[&str]) -> bool {
    const WORDS: [&str; 11] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "privatekey",
        "accesskey",
        "credential",
        "dsn",
        "connectionstring",
    ];
    // A reference to a Secret is a name, and which Secret is used is worth showing.
    let is_reference = steps.last().is_some_and(|last| matches!(*last, "name" | "secretName" | "secretRef" | "key" | "optional"));
    !is_reference
        && steps.iter().any(|step| {
            let plain: String = step.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
            WORDS.iter().any(|word| plain.contains(word))
        })
}

fn dotted(steps: &[&str]) -> String {
    let mut name = String::new();
    for step in steps {
        if !name.is_empty() && !step.starts_with('[') {
            name.push('.');
        }
        name.push_str(step);
    }
    super::shortened(&name)
}
