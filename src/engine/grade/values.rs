//! Rules for the values of a chart. Nothing is rendered: what a value does is read from its name, which charts keep to by custom.

use super::fields::{Identities, Move, fewer_replicas, moved, resources};
use super::kinds::is_data_store;
use super::leaf::Leaf;
use super::{Judge, ReasonCode, Subject};

/// Words in the path of a value, in lower case without signs, and what they say it is.
const MEANINGS: [(&[&str], ReasonCode, &str); 8] = [
    (
        &["persistence", "persistentvolume", "volumeclaim", "storageclass", "storagesize", "pvc"],
        ReasonCode::VolumeClaim,
        "says how data is stored",
    ),
    (&["networkpolic", "authorizationpolic"], ReasonCode::NetworkPolicy, "says who may talk to whom"),
    (&["rbac", "serviceaccount", "clusterrole"], ReasonCode::Rbac, "says who may do what"),
    (
        &[
            "securitycontext",
            "podsecurity",
            "privileged",
            "hostnetwork",
            "hostpid",
            "seccomp",
            "oidc",
            "oauth",
            "tls",
            "whitelist",
            "sourceranges",
        ],
        ReasonCode::Security,
        "is a protection by its name",
    ),
    (&["password", "secret", "token", "credential", "apikey", "privatekey"], ReasonCode::Secret, "is or names a secret by its name"),
    (&["migrat", "flyway", "liquibase", "hooks"], ReasonCode::Migration, "belongs to a migration by its name"),
    (&["matchlabels", "selectorlabels", "clusterip", "nameoverride"], ReasonCode::Immutable, "sets what cannot be changed in place"),
    (&["crds", "installcrd"], ReasonCode::CustomResourceDefinition, "decides about CustomResourceDefinitions"),
];

/// Judges a value at `keys` of a chart's values; `leaf` holds its two sides and the field for people.
pub fn judge(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>, keys: &[String]) {
    let (before, after) = leaf.texts();
    if [before, after].iter().flatten().any(|text| text.contains("{{")) {
        judge.human(ReasonCode::Unreadable, subject, &leaf.field, "is filled in later");
    }
    let plain: Vec<String> =
        keys.iter().map(|key| key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()).collect();
    for (words, code, what) in MEANINGS {
        if plain.iter().any(|key| words.iter().any(|word| key.contains(word))) {
            judge.human(code, subject, &leaf.field, what);
        }
    }
    let last = plain.last().map(String::as_str).unwrap_or_default();
    match last {
        "replicas" | "replicacount" | "minreplicas" | "maxreplicas" | "minreplicacount" | "maxreplicacount" => {
            fewer_replicas(judge, subject, leaf, subject.name());
        }
        "enabled" if plain.iter().any(|key| key.contains("autoscal") || key == "hpa" || key == "keda") => {
            judge.human(ReasonCode::FewerReplicas, subject, &leaf.field, "decides who sets the number of replicas");
        }
        "tag" | "imagetag" | "digest" | "version" | "image" | "repository" | "registry" => image(judge, subject, leaf, keys, last),
        _ => {}
    }
    resources(judge, subject, leaf);
}

fn image(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>, keys: &[String], last: &str) {
    let (before, after) = leaf.texts();
    let store = keys.iter().find(|key| is_data_store(key)).map(String::as_str);
    let repositories = if matches!(last, "image" | "repository") { [before, after].map(Option::unwrap_or_default) } else { ["", ""] };
    let names: Vec<String> = repositories.iter().map(|text| super::fields::Image::read(text).repository.to_owned()).collect();
    let identities = if judge.around.has_stateful_template { Identities::Kept } else { Identities::NotKept };
    // A whole reference holds its tag; a repository or a registry alone holds none, and which image it then is cannot be said.
    let part = |text: Option<&'_ str>| match (last, text) {
        ("image", Some(text)) => super::fields::Image::read(text).tag.or(super::fields::Image::read(text).digest).map(str::to_owned),
        ("repository" | "registry", text) => text.map(|text| format!("{text}, whatever its tag")),
        (_, text) => text.map(str::to_owned),
    };
    // An application's own `version: 2` or a key with only one side is no image that moves.
    if last == "version" && store.is_none() {
        return;
    }
    let (old, new) = (part(before), part(after));
    let first = names.first().map(String::as_str).unwrap_or_default();
    let second = store.or(names.get(1).map(String::as_str)).unwrap_or_default();
    moved(judge, subject, Move { field: &leaf.field, names: [first, second], before: old.as_deref(), after: new.as_deref(), identities });
}
