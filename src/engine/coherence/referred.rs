//! Which ConfigMaps, Secrets and ServiceAccounts the pods of some documents refer to. Optional references need nothing.

use super::super::manifest::{Node, Object, objects};
use super::Referred;

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The file.
    pub path: String,
    /// The object that refers, for people.
    pub object: String,
    /// The namespace of both.
    pub namespace: Option<String>,
    /// The kind of what it refers to.
    pub kind: Referred,
    /// The name.
    pub name: String,
    /// The key of it, where one is named.
    pub key: Option<String>,
}

/// Everything that the documents of a file refer to.
pub fn references(path: &str, documents: &[Node]) -> Vec<Reference> {
    objects(documents).iter().flat_map(|object| of_object(path, object)).collect()
}

fn of_object(path: &str, object: &Object<'_>) -> Vec<Reference> {
    // The places where kinds keep a pod; a predictor of KServe is one.
    const PODS: [&[&str]; 4] =
        [&["spec"], &["spec", "template", "spec"], &["spec", "jobTemplate", "spec", "template", "spec"], &["spec", "predictor"]];
    let mut found = Vec::new();
    let mut add = |kind: Referred, source: Option<&Node>, field: &str, key: Option<&str>| {
        let Some(source) = source.filter(|source| source.text_at(&["optional"]) != Some("true")) else { return };
        let Some(name) = source.text_at(&[field]) else { return };
        found.push(Reference {
            path: path.to_owned(),
            object: object.identity.to_string(),
            namespace: object.identity.namespace.clone(),
            kind,
            name: name.to_owned(),
            key: key.map(str::to_owned),
        });
    };
    for pod in PODS.iter().filter_map(|place| object.root.at(place)) {
        add(Referred::ServiceAccount, Some(pod), "serviceAccountName", None);
        for secret in list(pod, "imagePullSecrets") {
            add(Referred::Secret, Some(secret), "name", None);
        }
        for volume in list(pod, "volumes") {
            add(Referred::ConfigMap, volume.get("configMap"), "name", None);
            add(Referred::Secret, volume.get("secret"), "secretName", None);
            for source in volume.get("projected").map(|projected| list(projected, "sources")).unwrap_or_default() {
                add(Referred::ConfigMap, source.get("configMap"), "name", None);
                add(Referred::Secret, source.get("secret"), "name", None);
            }
        }
        let containers = ["containers", "initContainers", "ephemeralContainers"].into_iter().flat_map(|field| list(pod, field));
        for container in containers.chain(pod.get("model")) {
            for source in list(container, "envFrom") {
                add(Referred::ConfigMap, source.get("configMapRef"), "name", None);
                add(Referred::Secret, source.get("secretRef"), "name", None);
            }
            for variable in list(container, "env") {
                for (field, kind) in [("configMapKeyRef", Referred::ConfigMap), ("secretKeyRef", Referred::Secret)] {
                    let source = variable.at(&["valueFrom", field]);
                    add(kind, source, "name", source.and_then(|source| source.text_at(&["key"])));
                }
            }
        }
    }
    found
}

fn list<'a>(node: &'a Node, field: &str) -> &'a [Node] {
    node.get(field).map(Node::items).unwrap_or_default()
}
