//! Which ConfigMaps, Secrets and ServiceAccounts some documents define, themselves or through what makes them.

use std::collections::BTreeSet;

use super::super::manifest::{Node, objects};
use super::super::ownership::is_kustomization;
use super::{Defined, Definition, Referred};

/// Adds what the documents of a file define.
pub fn collect(path: &str, documents: &[Node], defined: &mut Defined) {
    let mut add = |kind: Referred, name: &str, definition: Definition| {
        defined.entry((kind, name.to_owned())).or_default().push(definition);
    };
    if is_kustomization(path) {
        for root in documents {
            for (field, kind) in [("configMapGenerator", Referred::ConfigMap), ("secretGenerator", Referred::Secret)] {
                for generator in root.get(field).map(Node::items).unwrap_or_default() {
                    if let Some(name) = generator.text_at(&["name"]) {
                        let namespace = generator.text_at(&["namespace"]).or_else(|| root.text_at(&["namespace"]));
                        add(kind, name, Definition { namespace: namespace.map(str::to_owned), keys: generated_keys(generator) });
                    }
                }
            }
        }
    }
    for object in objects(documents) {
        let identity = &object.identity;
        let root = object.root;
        let made = |fields: &[&[&str]]| {
            let keys = fields.iter().filter_map(|field| root.at(field)).flat_map(Node::entries).map(|entry| entry.key.clone());
            Definition { namespace: identity.namespace.clone(), keys: Some(keys.collect()) }
        };
        let unknown = || Definition { namespace: identity.namespace.clone(), keys: None };
        match (identity.group.as_str(), identity.kind.as_str()) {
            ("", "ConfigMap") => add(Referred::ConfigMap, &identity.name, made(&[&["data"], &["binaryData"]])),
            ("", "Secret") => add(Referred::Secret, &identity.name, made(&[&["data"], &["stringData"]])),
            ("", "ServiceAccount") => add(Referred::ServiceAccount, &identity.name, unknown()),
            ("bitnami.com", "SealedSecret") => {
                let name = root.text_at(&["spec", "template", "metadata", "name"]).unwrap_or(&identity.name);
                add(Referred::Secret, name, unknown());
            }
            ("external-secrets.io", "ExternalSecret") => {
                let name = root.text_at(&["spec", "target", "name"]).unwrap_or(&identity.name);
                add(Referred::Secret, name, unknown());
            }
            ("cert-manager.io", "Certificate") => {
                add(Referred::Secret, root.text_at(&["spec", "secretName"]).unwrap_or_default(), unknown());
            }
            ("secrets.hashicorp.com", _) => {
                add(Referred::Secret, root.text_at(&["spec", "destination", "name"]).unwrap_or_default(), unknown());
            }
            _ => {}
        }
    }
}

/// The keys that a generator makes; `None` where they stand in files that are read elsewhere.
fn generated_keys(generator: &Node) -> Option<BTreeSet<String>> {
    if generator.get("envs").is_some()
        || generator.get("env").is_some()
        || generator.text_at(&["behavior"]).is_some_and(|how| how != "create")
    {
        return None;
    }
    let texts = |field: &str| generator.get(field).map(Node::items).unwrap_or_default().iter().filter_map(Node::text);
    let literals = texts("literals").filter_map(|literal| literal.split_once('=').map(|(key, _)| key.to_owned()));
    let files = texts("files").map(|file| match file.split_once('=') {
        Some((key, _)) => key.to_owned(),
        None => file.rsplit('/').next().unwrap_or(file).to_owned(),
    });
    Some(literals.chain(files).collect())
}
