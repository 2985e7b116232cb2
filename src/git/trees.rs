//! Trees: the difference of two, pruned by subtree id, and a tree with some paths put to other entries. Both cost what the changed paths
//! cost, however large the repository is: libgit2's own difference and revert read or write an index of everything.

use std::collections::BTreeMap;

use git2::{ObjectType, Oid, Repository, Tree};

use super::{GitError, objects, raw_id, raw_oid};
use crate::engine::change::Entry;
use crate::engine::id::EntryId;

/// A path as bytes; Git's paths need be no UTF-8.
pub(super) type PathBytes = Vec<u8>;

/// What one path holds on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) from: Option<Entry>,
    pub(super) to: Option<Entry>,
}

/// Mode and id of one name in two trees.
type Sides = [Option<(i32, Oid)>; 2];

/// The mode of a directory.
const DIRECTORY: i32 = 0o040_000;

/// The tree of a commit, or the empty tree without one.
pub(super) fn tree_of(repository: &Repository, commit: Option<Oid>) -> Result<Option<Tree<'_>>, GitError> {
    commit
        .map(|id| repository.find_commit(id).and_then(|commit| commit.tree()).map_err(objects(format!("cannot read the tree of {id}"))))
        .transpose()
}

/// What differs between two trees.
pub(super) fn difference(
    repository: &Repository,
    from: Option<&Tree<'_>>,
    to: Option<&Tree<'_>>,
) -> Result<BTreeMap<PathBytes, Difference>, GitError> {
    let mut found = BTreeMap::new();
    walk(repository, from, to, &mut Vec::new(), &mut found)?;
    Ok(found)
}

fn walk(
    repository: &Repository,
    from: Option<&Tree<'_>>,
    to: Option<&Tree<'_>>,
    prefix: &mut Vec<u8>,
    found: &mut BTreeMap<PathBytes, Difference>,
) -> Result<(), GitError> {
    if from.map(Tree::id) == to.map(Tree::id) {
        return Ok(());
    }
    // Keyed by name and kind: a file that became a directory is a removal and additions.
    let mut names: BTreeMap<(PathBytes, bool), Sides> = BTreeMap::new();
    for (side, tree) in [from, to].into_iter().enumerate() {
        for entry in tree.iter().flat_map(|tree| tree.iter()) {
            let mode = entry.filemode_raw();
            names.entry((entry.name_bytes().to_vec(), mode == DIRECTORY)).or_default()[side] = Some((mode, entry.id()));
        }
    }
    for ((name, is_directory), [old, new]) in names {
        if old == new {
            continue;
        }
        let length = prefix.len();
        prefix.extend_from_slice(&name);
        if is_directory {
            let subtree = |entry: Option<(i32, Oid)>| {
                entry.map(|(_, id)| repository.find_tree(id).map_err(objects(format!("cannot read the tree {id}")))).transpose()
            };
            let (old, new) = (subtree(old)?, subtree(new)?);
            prefix.push(b'/');
            walk(repository, old.as_ref(), new.as_ref(), prefix, found)?;
        } else {
            found.insert(prefix.clone(), Difference { from: old.map(entry), to: new.map(entry) });
        }
        prefix.truncate(length);
    }
    Ok(())
}

fn entry((mode, id): (i32, Oid)) -> Entry {
    Entry { mode: mode.cast_unsigned(), id: EntryId(raw_id(id)) }
}

/// What stands at a path: a file, a directory, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Nothing,
    Directory,
    File(Entry),
}

/// Looks a path up in a tree.
pub(super) fn look_up(repository: &Repository, tree: Option<&Tree<'_>>, path: &[u8]) -> Result<Standing, GitError> {
    let Some(tree) = tree else { return Ok(Standing::Nothing) };
    let (name, rest) = match path.iter().position(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
        None => (path, None),
    };
    let Some(found) = tree.get_name_bytes(name) else { return Ok(Standing::Nothing) };
    let is_directory = found.filemode_raw() == DIRECTORY;
    match (rest, is_directory) {
        (Some(rest), true) => {
            let subtree = repository.find_tree(found.id()).map_err(objects("cannot read a tree"))?;
            look_up(repository, Some(&subtree), rest)
        }
        (Some(_), false) => Ok(Standing::Nothing),
        (None, true) => Ok(Standing::Directory),
        (None, false) => Ok(Standing::File(entry((found.filemode_raw(), found.id())))),
    }
}

/// Writes the tree that `tree` becomes when each path holds the given entry, or nothing. Directories left empty disappear.
///
/// `None`: nothing is left.
pub(super) fn with_entries(
    repository: &Repository,
    tree: Option<&Tree<'_>>,
    entries: &BTreeMap<PathBytes, Option<Entry>>,
) -> Result<Option<Oid>, GitError> {
    let mut here: Vec<(&[u8], Option<Entry>)> = Vec::new();
    let mut below: BTreeMap<&[u8], BTreeMap<PathBytes, Option<Entry>>> = BTreeMap::new();
    for (path, entry) in entries {
        match path.iter().position(|byte| *byte == b'/') {
            Some(slash) => {
                below.entry(&path[..slash]).or_default().insert(path[slash + 1..].to_vec(), *entry);
            }
            None => here.push((path, *entry)),
        }
    }
    let mut builder = repository.treebuilder(tree).map_err(objects("cannot build a tree"))?;
    for (name, entry) in here {
        match entry {
            Some(entry) => {
                builder.insert(name, raw_oid(entry.id.0), entry.mode.cast_signed()).map_err(objects("cannot put an entry into a tree"))?;
            }
            None => remove(&mut builder, name)?,
        }
    }
    for (name, entries) in below {
        let existing = tree.and_then(|tree| tree.get_name_bytes(name)).filter(|entry| entry.kind() == Some(ObjectType::Tree));
        let subtree = existing.map(|entry| repository.find_tree(entry.id())).transpose().map_err(objects("cannot read a tree"))?;
        match with_entries(repository, subtree.as_ref(), &entries)? {
            Some(id) => {
                builder.insert(name, id, DIRECTORY).map_err(objects("cannot put a directory into a tree"))?;
            }
            None => remove(&mut builder, name)?,
        }
    }
    if builder.is_empty() {
        return Ok(None);
    }
    builder.write().map(Some).map_err(objects("cannot write a tree"))
}

fn remove(builder: &mut git2::TreeBuilder<'_>, name: &[u8]) -> Result<(), GitError> {
    if builder.get(name).map_err(objects("cannot read a tree that is being built"))?.is_some() {
        builder.remove(name).map_err(objects("cannot take an entry out of a tree"))?;
    }
    Ok(())
}

/// A path for people and plans: as it is where it is plain UTF-8, else quoted the way Git quotes it, so that two paths never look alike.
pub(super) fn shown(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) if !text.starts_with('"') && !text.chars().any(char::is_control) => text.to_owned(),
        _ => {
            let mut quoted = String::from("\"");
            for byte in path {
                match byte {
                    b'"' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
                    0x20..=0x7e => quoted.push(char::from(*byte)),
                    _ => quoted.push_str(&format!("\\{byte:03o}")),
                }
            }
            quoted.push('"');
            quoted
        }
    }
}
