//! What a plan does, read as Kubernetes objects before and after (design §9): `Deployment checkout: image shop/checkout 1.4.2 → 1.4.1`.
//!
//! Pure; `git/` hands in the texts. It reads what the manifests say, not what a cluster makes of them: nothing is rendered or defaulted, and a
//! file that does not parse is named with that. Values of Secrets are never shown; values of env, arguments, ConfigMaps and chart values are
//! for the proposal only, which has the repository's own access rules (design §9).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::id::sha256_hex;

mod scalars;

/// At most this many lines are said about one plan.
pub const MOST_LINES: usize = 50;
/// A value longer than this is cut, in characters.
const LONGEST_VALUE: usize = 80;

/// One file of a plan.
#[derive(Clone, Copy, Debug)]
pub struct FileChange<'a> {
    /// Its path.
    pub path: &'a str,
    /// What stands there; `None`: nothing.
    pub before: Option<&'a str>,
    /// What will stand there; `None`: nothing.
    pub after: Option<&'a str>,
}

/// One field of one object that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectChange {
    /// Its kind; `File` for what is no Kubernetes object.
    pub kind: String,
    /// Its namespace, where the manifest says one.
    pub namespace: Option<String>,
    /// Its name; the path of a file.
    pub name: String,
    /// What changes: `image shop/checkout`, `replicas`, `env LOG_LEVEL`; empty for the object as a whole.
    pub field: String,
    /// Its value before, shortened; `None`: it is not there.
    pub before: Option<String>,
    /// Its value after, shortened; `None`: it is not there.
    pub after: Option<String>,
    /// Who may read the values.
    pub audience: Audience,
}

/// Who may read the values of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Anybody who is told of the plan, a chat too.
    Everywhere,
    /// Who can read the proposal.
    ProposalOnly,
    /// Nobody; the values are not in the [`ObjectChange`] either.
    Nobody,
}

/// Where sentences about a plan are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the proposal.
    Proposal,
    /// In a chat, a page or a commit status.
    Chat,
}

/// Everything that a plan changes, file by file, object by object, field by field.
pub fn changes(files: &[FileChange<'_>]) -> Vec<ObjectChange> {
    files.iter().flat_map(changes_of_file).collect()
}

/// A path whose content is not read, or whose mode changes: Git's modes say what it is (a symbolic link, a submodule, a program).
pub fn entry_change(path: &str, before: Option<u32>, after: Option<u32>) -> ObjectChange {
    let mode = |mode: Option<u32>| mode.map(|mode| format!("{mode:06o}"));
    named("File", path).change("entry with Git's mode", mode(before), mode(after), Audience::Everywhere)
}

/// A sentence for each change, at most [`MOST_LINES`], then `and 12 more`.
pub fn sentences(changes: &[ObjectChange], place: Place) -> Vec<String> {
    let mut lines: Vec<String> = changes.iter().map(|change| change.sentence(place)).collect();
    // In a chat several values of one field can come to the same words.
    lines.dedup();
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn changes_of_file(file: &FileChange<'_>) -> Vec<ObjectChange> {
    if file.before == file.after {
        return Vec::new();
    }
    match (documents(file.path, file.before), documents(file.path, file.after)) {
        (Some(before), Some(after)) => {
            let keys: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
            keys.into_iter().flat_map(|key| changes_of_object(key, before.get(key), after.get(key))).collect()
        }
        _ => {
            let lines = |text: Option<&str>| text.map(|text| counted(text.lines().count()));
            let key = Key { kind: "File".to_owned(), namespace: None, name: file.path.to_owned(), number: 0 };
            vec![key.change("text (not readable as YAML)", lines(file.before), lines(file.after), Audience::Everywhere)]
        }
    }
}

/// What makes two documents the same object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: String,
    namespace: Option<String>,
    name: String,
    /// Counts documents that would be the same otherwise.
    number: usize,
}

/// `None` where the text is no YAML or JSON by its name or content.
fn documents(path: &str, text: Option<&str>) -> Option<BTreeMap<Key, Value>> {
    let Some(text) = text else { return Some(BTreeMap::new()) };
    if ![".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending)) {
        return None;
    }
    let mut open = serde_yaml::from_multiple::<Value>(text).ok()?;
    open.reverse();
    let mut found = BTreeMap::new();
    while let Some(document) = open.pop() {
        let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
        if let (true, Some(items)) = (kind.ends_with("List"), document.get("items").and_then(Value::as_array)) {
            open.extend(items.iter().rev().cloned());
            continue;
        }
        if document.is_null() {
            continue;
        }
        let mut key = key(path, &document);
        while found.contains_key(&key) {
            key.number += 1;
        }
        found.insert(key, document);
    }
    Some(found)
}

fn key(path: &str, document: &Value) -> Key {
    let metadata = |field: &str| document.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).map(shortened);
    let file = path.rsplit('/').next().unwrap_or(path);
    let is_kustomization = matches!(file, "kustomization.yaml" | "kustomization.yml" | "Kustomization");
    match (document.get("kind").and_then(Value::as_str), metadata("name")) {
        (Some("Kustomization" | "Component"), None) => named("kustomization", path),
        (None, _) if is_kustomization => named("kustomization", path),
        (Some(kind), Some(name)) => Key { kind: shortened(kind), namespace: metadata("namespace"), name, number: 0 },
        _ => named("File", path),
    }
}

fn named(kind: &str, path: &str) -> Key {
    Key { kind: kind.to_owned(), namespace: None, name: path.to_owned(), number: 0 }
}

fn changes_of_object(key: &Key, before: Option<&Value>, after: Option<&Value>) -> Vec<ObjectChange> {
    match (before, after) {
        (Some(_), None) => vec![key.change("", Some("there".to_owned()), None, Audience::Everywhere)],
        (None, Some(_)) => vec![key.change("", None, Some("there".to_owned()), Audience::Everywhere)],
        (None, None) => Vec::new(),
        (Some(before), Some(after)) => {
            let (before, after) = (scalars::by_path(before), scalars::by_path(after));
            let paths: BTreeSet<&Vec<String>> = before.keys().chain(after.keys()).collect();
            let containers = scalars::Containers::of(&paths);
            paths
                .into_iter()
                .filter(|path| before.get(*path) != after.get(*path))
                .map(|path| change_of_field(key, path, containers, before.get(path), after.get(path)))
                .collect()
        }
    }
}

fn change_of_field(
    key: &Key,
    path: &[String],
    containers: scalars::Containers,
    before: Option<&String>,
    after: Option<&String>,
) -> ObjectChange {
    let (field, audience) = scalars::field(&key.kind, path, containers);
    if let (true, Some(before), Some(after)) = (field == "image" || field.ends_with(" image"), before, after)
        && let (Some((repository, old)), Some((same, new))) = (image(before), image(after))
        && repository == same
    {
        return key.change(&format!("{field} {}", shortened(repository)), Some(shortened(old)), Some(shortened(new)), audience);
    }
    key.change(&field, before.map(|value| shown(value)), after.map(|value| shown(value)), audience)
}

/// Splits `registry:5000/shop/checkout:1.4.2` into the repository and the tag or digest.
fn image(reference: &str) -> Option<(&str, &str)> {
    if let Some((repository, digest)) = reference.split_once('@') {
        return Some((repository, digest));
    }
    let slash = reference.rfind('/').map_or(0, |position| position + 1);
    let colon = slash + reference.get(slash..)?.find(':')?;
    Some((reference.get(..colon)?, reference.get(colon + 1..)?))
}

/// One line: a text of several lines is named by its size and its digest.
fn shown(value: &str) -> String {
    let lines = value.lines().count();
    if lines > 1 { format!("{} ({})", counted(lines), sha256_hex(value.as_bytes()).get(..8).unwrap_or_default()) } else { shortened(value) }
}

fn counted(lines: usize) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}

fn shortened(value: &str) -> String {
    let flat: String = value.trim_end().chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    if flat.chars().nth(LONGEST_VALUE).is_none() {
        return if flat.is_empty() { "\"\"".to_owned() } else { flat };
    }
    flat.chars().take(LONGEST_VALUE).chain(['…']).collect()
}

impl Key {
    fn change(&self, field: &str, before: Option<String>, after: Option<String>, audience: Audience) -> ObjectChange {
        let hide = |value: Option<String>| if audience == Audience::Nobody { value.map(|_| String::new()) } else { value };
        ObjectChange {
            kind: self.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            field: field.to_owned(),
            before: hide(before),
            after: hide(after),
            audience,
        }
    }
}

impl ObjectChange {
    /// The change in one sentence, without the values that `place` may not show.
    pub fn sentence(&self, place: Place) -> String {
        let namespace = self.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let object = format!("{} {namespace}{}", self.kind, self.name);
        if self.field.is_empty() {
            return format!("{object} is {}", if self.after.is_some() { "added" } else { "removed" });
        }
        let hidden = self.audience == Audience::Nobody || (self.audience == Audience::ProposalOnly && place == Place::Chat);
        let field = &self.field;
        match (&self.before, &self.after) {
            (Some(_), Some(_)) if hidden => format!("{object}: {field} changes (value not shown)"),
            (None, Some(_)) if hidden => format!("{object}: {field} is added (value not shown)"),
            (Some(_), None) if hidden => format!("{object}: {field} is removed (value not shown)"),
            (Some(before), Some(after)) => format!("{object}: {field} {before} → {after}"),
            (None, Some(after)) => format!("{object}: {field} is added: {after}"),
            (Some(before), None) => format!("{object}: {field} is removed (was {before})"),
            (None, None) => format!("{object}: {field}"),
        }
    }
}

#[cfg(test)]
mod tests;
