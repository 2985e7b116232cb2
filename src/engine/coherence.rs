//! Whether a result still holds together (design §9): no reference is left to a ConfigMap, a Secret or a ServiceAccount, or to a key of one,
//! that the result no longer has. Pure; the texts of the service's manifests are handed in as they stand at the head and in the result.
//!
//! It is asked after undoing part of what a branch holds (`values`, `lastKnownGood`, `scope: paths`), where each file is right by itself and the
//! whole may not be. What was never in the repository (a Secret that somebody makes by hand) is no break: only what goes is looked for.

mod defined;
mod referred;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::manifest::parse;

/// What workloads refer to by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Referred {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret, or what makes one.
    Secret,
    /// A ServiceAccount.
    ServiceAccount,
}

/// A reference that the result no longer satisfies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokenReference {
    /// The file of the object that refers.
    pub path: String,
    /// That object (`Deployment shop/checkout`).
    pub object: String,
    /// The kind of what it refers to.
    pub kind: Referred,
    /// The name of it.
    pub name: String,
    /// The key that is gone, where the object itself is still there.
    pub key: Option<String>,
}

/// What the check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coherence {
    /// The references that are left over.
    pub broken: BTreeSet<BrokenReference>,
    /// Files of the result that cannot be read, so that what they refer to is not known.
    pub unread: BTreeSet<String>,
}

/// Objects that are there, by kind and name: the keys that they have in each namespace, `None` where those cannot be known.
type Defined = BTreeMap<(Referred, String), Vec<Definition>>;

/// One object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Definition {
    namespace: Option<String>,
    keys: Option<BTreeSet<String>>,
}

/// Compares what the result refers to with what it still has. Both sides are paths with texts, kustomizations among them.
pub fn check(head: &[(&str, &str)], result: &[(&str, &str)]) -> Coherence {
    let (mut had, mut has, mut coherence) = (Defined::new(), Defined::new(), Coherence::default());
    for (path, text) in head {
        if let Ok(documents) = parse(text) {
            defined::collect(path, &documents, &mut had);
        }
    }
    let mut references = Vec::new();
    for (path, text) in result {
        let Ok(documents) = parse(text) else {
            if is_manifest(path) {
                coherence.unread.insert((*path).to_owned());
            }
            continue;
        };
        defined::collect(path, &documents, &mut has);
        references.extend(referred::references(path, &documents));
    }
    for reference in references {
        let named = (reference.kind, reference.name.clone());
        let fits = |definition: &&Definition| may_be_one(definition.namespace.as_deref(), reference.namespace.as_deref());
        let of = |defined: &Defined| -> Vec<Definition> { defined.get(&named).into_iter().flatten().filter(fits).cloned().collect() };
        let (before, after) = (of(&had), of(&has));
        let broken = |key: Option<String>| BrokenReference {
            path: reference.path.clone(),
            object: reference.object.clone(),
            kind: reference.kind,
            name: reference.name.clone(),
            key,
        };
        if after.is_empty() {
            if !before.is_empty() {
                coherence.broken.insert(broken(None));
            }
        } else if let Some(key) = &reference.key
            && before.iter().any(|definition| definition.keys.as_ref().is_none_or(|keys| keys.contains(key)))
            && after.iter().all(|definition| definition.keys.as_ref().is_some_and(|keys| !keys.contains(key)))
        {
            coherence.broken.insert(broken(Some(key.clone())));
        }
    }
    coherence
}

/// A namespace that is not said is set by something else, and may be any.
fn may_be_one(one: Option<&str>, two: Option<&str>) -> bool {
    one.zip(two).is_none_or(|(one, two)| one == two)
}

fn is_manifest(path: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending))
}

// === impl BrokenReference, Coherence ===

impl BrokenReference {
    /// `Deployment shop/checkout refers to the ConfigMap settings, which the result no longer has.`
    pub fn sentence(&self) -> String {
        let kind = match self.kind {
            Referred::ConfigMap => "ConfigMap",
            Referred::Secret => "Secret",
            Referred::ServiceAccount => "ServiceAccount",
        };
        match &self.key {
            None => format!("{} refers to the {kind} {}, which the result no longer has.", self.object, self.name),
            Some(key) => {
                format!("{} refers to the key {key} of the {kind} {}, which the result no longer has.", self.object, self.name)
            }
        }
    }
}

impl Coherence {
    /// Whether the result holds together as far as it can be read.
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USES: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: shop}
spec:
  template:
    spec:
      serviceAccountName: checkout
      imagePullSecrets: [{name: pull}]
      volumes:
      - {name: a, configMap: {name: files}}
      - {name: b, secret: {secretName: certs}}
      - {name: c, projected: {sources: [{configMap: {name: more}}, {secret: {name: extra}}]}}
      - {name: d, configMap: {name: maybe, optional: true}}
      containers:
      - name: app
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: env}}]
        env:
        - {name: A, valueFrom: {configMapKeyRef: {name: keys, key: a}}}
        - {name: B, valueFrom: {secretKeyRef: {name: password, key: p}}}
";

    fn map(kind: &str, name: &str, keys: &str) -> String {
        format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}\ndata: {{{keys}}}\n")
    }

    fn names(coherence: &Coherence) -> Vec<String> {
        coherence.broken.iter().map(|broken| broken.name.clone()).collect()
    }

    #[test]
    fn every_reference_that_loses_its_object_is_found() {
        let wanted = [
            ("ConfigMap", "files"),
            ("ConfigMap", "keys"),
            ("ConfigMap", "maybe"),
            ("ConfigMap", "more"),
            ("ConfigMap", "settings"),
            ("Secret", "certs"),
            ("Secret", "env"),
            ("Secret", "extra"),
            ("Secret", "password"),
            ("Secret", "pull"),
            ("ServiceAccount", "checkout"),
        ];
        let objects: Vec<String> = wanted.iter().map(|(kind, name)| map(kind, name, "a: x, p: y")).collect();
        let all = objects.join("---\n");
        assert!(check(&[("a.yaml", USES), ("b.yaml", &all)], &[("a.yaml", USES), ("b.yaml", &all)]).holds());
        let found = check(&[("a.yaml", USES), ("b.yaml", &all)], &[("a.yaml", USES)]);
        let expected: Vec<&str> = wanted.iter().map(|(_, name)| *name).filter(|name| *name != "maybe").collect();
        assert_eq!(names(&found), expected);
        assert_eq!(
            found.broken.first().unwrap().sentence(),
            "Deployment shop/checkout refers to the ConfigMap files, which the result no longer has."
        );
        // One at a time.
        for (gone, (_, name)) in wanted.iter().enumerate().filter(|(_, (_, name))| *name != "maybe") {
            let rest: Vec<String> = objects.iter().enumerate().filter(|(index, _)| *index != gone).map(|(_, text)| text.clone()).collect();
            let found = check(&[("a.yaml", USES), ("b.yaml", &all)], &[("a.yaml", USES), ("b.yaml", &rest.join("---\n"))]);
            assert_eq!(names(&found), [*name]);
        }
    }

    #[test]
    fn what_was_never_here_is_no_break() {
        assert!(check(&[("a.yaml", USES)], &[("a.yaml", USES)]).holds());
        assert!(check(&[("b.yaml", &map("ConfigMap", "settings", ""))], &[]).holds(), "and what nobody refers to may go");
    }

    #[test]
    fn a_key_that_goes_is_found() {
        let (with, without) = (map("ConfigMap", "keys", "a: x"), map("ConfigMap", "keys", "b: x"));
        let found = check(&[("a.yaml", USES), ("b.yaml", &with)], &[("a.yaml", USES), ("b.yaml", &without)]);
        assert_eq!(found.broken.first().unwrap().key.as_deref(), Some("a"));
        assert!(check(&[("a.yaml", USES), ("b.yaml", &without)], &[("a.yaml", USES), ("b.yaml", &without)]).holds());
    }

    #[test]
    fn generators_and_makers_of_secrets_count() {
        let generator =
            "configMapGenerator: [{name: settings, literals: [a=1]}, {name: keys, envs: [x.env]}]\nsecretGenerator: [{name: env}]\n";
        let sealed = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: password}\nspec: {encryptedData: {p: x}}\n";
        let external = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: other}\nspec: {target: {name: certs}}\n";
        let head = [("a.yaml", USES), ("kustomization.yaml", generator), ("s.yaml", sealed), ("e.yaml", external)];
        assert!(check(&head, &head).holds());
        assert_eq!(names(&check(&head, &[("a.yaml", USES)])), ["keys", "settings", "certs", "env", "password"]);
        // The same names from plain objects instead.
        let plain = ["keys", "settings"].map(|name| map("ConfigMap", name, "a: x")).join("---\n");
        assert_eq!(names(&check(&head, &[("a.yaml", USES), ("b.yaml", &plain)])), ["certs", "env", "password"]);
    }

    #[test]
    fn another_namespace_is_another_object() {
        let there = "kind: ConfigMap\nmetadata: {name: settings, namespace: other}\n";
        let here = "kind: ConfigMap\nmetadata: {name: settings, namespace: shop}\n";
        assert!(check(&[("a.yaml", USES), ("b.yaml", there)], &[("a.yaml", USES)]).holds());
        assert_eq!(names(&check(&[("a.yaml", USES), ("b.yaml", here)], &[("a.yaml", USES), ("b.yaml", there)])), ["settings"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let found = check(&[], &[("a.yaml", "{{ .x }}"), ("run.sh", "a: [")]);
        assert_eq!(found.unread, ["a.yaml".to_owned()].into());
        let cron = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {jobTemplate: {spec: {template: {spec: {serviceAccountName: x}}}}}\n";
        let account = "kind: ServiceAccount\nmetadata: {name: x}\n";
        assert_eq!(names(&check(&[("a.yaml", cron), ("b.yaml", account)], &[("a.yaml", cron)])), ["x"]);
    }
}
