//! The kustomize component for Flux in the agent's own cluster: that it grants what is asked and nothing more, and fits the base.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{at, items, repository, succeeded, where_installed, yaml};

const COMPONENT: &str = "deploy/kustomize/flux";

fn object(file: &str) -> Value {
    yaml(&format!("{COMPONENT}/{file}"))
}

#[test]
fn the_role_gets_what_is_read_of_flux_and_nothing_else() {
    let role = object("clusterrole.yaml");
    let mut granted = BTreeSet::new();
    for rule in items(at(&role, "/rules")) {
        assert_eq!(rule["verbs"], json!(["get"]));
        let keys: Vec<&String> = rule.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["apiGroups", "resources", "verbs"]);
        for group in items(&rule["apiGroups"]) {
            granted.extend(items(&rule["resources"]).iter().map(|resource| (group.clone().to_string(), resource.to_string())));
        }
    }
    let quoted = |text: &str| Value::from(text).to_string();
    let read = revertd::sync::flux::READ.map(|(api, resource)| (quoted(api.split('/').next().unwrap()), quoted(resource)));
    assert_eq!(granted, BTreeSet::from(read));
}

#[test]
fn the_role_is_bound_to_the_account_of_the_pod() {
    let binding = object("clusterrolebinding.yaml");
    assert_eq!(at(&binding, "/roleRef/name"), at(&object("clusterrole.yaml"), "/metadata/name"));
    let account = yaml("deploy/kustomize/base/serviceaccount.yaml");
    assert_eq!(at(&binding, "/subjects"), &json!([{"kind": "ServiceAccount", "name": at(&account, "/metadata/name")}]));
    // The component is opt-in: the base has neither role nor token.
    assert_eq!(at(&object("deployment.yaml"), "/spec/template/spec"), &json!({"automountServiceAccountToken": true}));
}

#[test]
fn an_overlay_builds_with_it_and_names_its_namespace() {
    let overlay = tempfile::tempdir().unwrap();
    let copied = |from: &str, to: &str| {
        let copy = std::process::Command::new("cp").arg("-r").arg(repository(from)).arg(overlay.path().join(to)).status().unwrap();
        assert!(copy.success());
    };
    copied("deploy/kustomize/base", "base");
    copied(COMPONENT, "flux");
    let text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: ops\nresources: [base]\ncomponents: [flux]\n";
    std::fs::write(overlay.path().join("kustomization.yaml"), text).unwrap();
    let Some(built) = where_installed("kubectl", &["kustomize", overlay.path().to_str().unwrap()]) else { return };
    let built = succeeded(&built);
    assert!(built.contains("- kind: ServiceAccount\n  name: revertd\n  namespace: ops\n"), "{built}");
    assert!(built.contains("      automountServiceAccountToken: true\n") && built.contains("    - port: 6443\n"), "{built}");
}
