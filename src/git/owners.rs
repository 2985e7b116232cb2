//! Who owns the paths of a tree: reads for [`crate::engine::ownership`] what it follows, and keeps what was found, with everything that it
//! depends on, so that a landing costs what it touches and not what the repository holds.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use git2::{ObjectType, Oid, Repository, Tree};

use super::trees::{self, Standing, shown};
use super::{GitError, Mirror, inverse, objects, oid};
use crate::engine::change::{Change, Meaning};
use crate::engine::id::{CommitId, PolicyName};
use crate::engine::ownership::{self, Closure, How, Ownership};
use crate::engine::policy::PathSet;

/// What is kept for each service: the tree before and after a change, and those of a plan.
const TREES_KEPT: usize = 6;
/// Services whose policies are gone are forgotten together, once there are so many.
const SERVICES_KEPT: usize = 5_000;
/// At most so many files of one directory are listed; a service with more is not followed beyond them.
const MOST_LISTED: usize = 200_000;

/// A service with the paths that its policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePaths {
    /// Its policy.
    pub name: PolicyName,
    /// The paths.
    pub paths: PathSet,
}

/// What was found before.
#[derive(Default)]
pub(super) struct Owners {
    known: HashMap<PathSet, Vec<(Oid, Arc<Known>)>>,
}

/// What a service owns in a tree, and what that depends on.
pub(super) struct Known {
    pub(super) closure: Closure,
    read: BTreeSet<String>,
    listed: BTreeSet<String>,
}

/// What is read for one question, and never twice.
#[derive(Default)]
pub(super) struct Reading {
    listings: RefCell<HashMap<(Oid, String), Vec<String>>>,
    differences: HashMap<(Oid, Oid), Arc<Vec<String>>>,
}

impl Mirror {
    /// What services own before and after a change.
    ///
    /// # Errors
    /// Objects that are missing, or a glob that does not parse.
    pub fn ownership(&self, before: Option<CommitId>, after: CommitId, services: &[ServicePaths]) -> Result<Ownership, GitError> {
        // In this order everywhere, or two threads wait for each other.
        let repository = self.repository();
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        ownership(&repository, &mut owners, std::slice::from_ref(&self.remote.url), (before, after), services)
    }

    /// Notes on changes which services pull their paths in, and which edits are not cosmetic because the bytes of the file are used.
    ///
    /// # Errors
    /// As [`Self::ownership`].
    pub fn mark_owners(&self, changes: &mut [Change], services: &[ServicePaths]) -> Result<(), GitError> {
        for change in changes {
            mark(change, &self.ownership(change.before, change.id, services)?);
        }
        Ok(())
    }
}

fn mark(change: &mut Change, ownership: &Ownership) {
    let through = |path: &str| ownership.owners(path).into_iter().filter(|owner| matches!(owner.how, How::Through { .. }));
    let services: BTreeSet<PolicyName> = change.paths.iter().flat_map(|path| through(&path.path)).map(|owner| owner.service).collect();
    change.pulled_in_by = services.into_iter().collect();
    for path in change.paths.iter_mut().filter(|path| path.meaning == Meaning::Same && path.from != path.to) {
        if ownership.is_taken_as_bytes(&path.path) {
            path.meaning = Meaning::Changed;
        }
    }
}

pub(super) fn ownership(
    repository: &Repository,
    owners: &mut Owners,
    addresses: &[String],
    (before, after): (Option<CommitId>, CommitId),
    services: &[ServicePaths],
) -> Result<Ownership, GitError> {
    let (before, after) = (trees::tree_of(repository, before.map(oid))?, trees::tree_of(repository, Some(oid(after)))?);
    between(repository, owners, &mut Reading::default(), addresses, (before.as_ref(), after.as_ref()), services)
}

/// What services own in two trees.
pub(super) fn between(
    repository: &Repository,
    owners: &mut Owners,
    reading: &mut Reading,
    addresses: &[String],
    (before, after): (Option<&Tree<'_>>, Option<&Tree<'_>>),
    services: &[ServicePaths],
) -> Result<Ownership, GitError> {
    let mut found = Ownership::default();
    for service in services {
        let (old, new) = (
            owners.closure(repository, reading, addresses, before, &service.paths)?,
            owners.closure(repository, reading, addresses, after, &service.paths)?,
        );
        found.add(service.name.clone(), &service.paths, old.closure.clone(), new.closure.clone()).map_err(|error| glob(&error))?;
    }
    Ok(found)
}

fn glob(error: &globset::Error) -> GitError {
    GitError::Unsupported(format!("a glob of a policy cannot be read: {error}"))
}

// === impl Owners, Known, Reading ===

impl Owners {
    /// What a service owns in a tree.
    pub(super) fn closure(
        &mut self,
        repository: &Repository,
        reading: &mut Reading,
        addresses: &[String],
        tree: Option<&Tree<'_>>,
        paths: &PathSet,
    ) -> Result<Arc<Known>, GitError> {
        let Some(tree) = tree else { return Ok(Arc::new(Known::nothing())) };
        if let Some(known) = self.known.get(paths).and_then(|known| known.iter().find(|(id, _)| *id == tree.id())) {
            return Ok(known.1.clone());
        }
        let mut found = None;
        if let Some((id, known)) = self.known.get(paths).and_then(|known| known.last())
            && !reading.difference(repository, *id, tree)?.iter().any(|path| known.depends_on(path))
        {
            found = Some(known.clone());
        }
        let found = match found {
            Some(known) => known,
            None => Arc::new(Known::find(repository, reading, addresses, tree, paths)?),
        };
        if self.known.len() >= SERVICES_KEPT {
            self.known.clear();
        }
        let kept = self.known.entry(paths.clone()).or_default();
        if kept.len() >= TREES_KEPT {
            kept.remove(0);
        }
        kept.push((tree.id(), found.clone()));
        Ok(found)
    }
}

impl Known {
    fn nothing() -> Self {
        Self { closure: Closure::default(), read: BTreeSet::new(), listed: BTreeSet::new() }
    }

    fn find(repository: &Repository, reading: &Reading, addresses: &[String], tree: &Tree<'_>, paths: &PathSet) -> Result<Self, GitError> {
        let (read, listed) = (RefCell::new(BTreeSet::new()), RefCell::new(BTreeSet::new()));
        let text = |path: &str| {
            read.borrow_mut().insert(path.to_owned());
            text_at(repository, tree, path).map(Cow::Owned)
        };
        let list = |directory: &str| {
            listed.borrow_mut().insert(directory.to_owned());
            reading.list(repository, tree, directory)
        };
        let closure = ownership::closure(paths, ownership::Tree { read: &text, list: &list, addresses }).map_err(|error| glob(&error))?;
        Ok(Self { closure, read: read.into_inner(), listed: listed.into_inner() })
    }

    fn depends_on(&self, path: &str) -> bool {
        let beneath = |directory: &String| {
            directory.is_empty() || path.strip_prefix(directory.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.read.contains(path) || self.listed.iter().any(beneath)
    }
}

impl Reading {
    /// All files beneath a directory.
    pub(super) fn list(&self, repository: &Repository, tree: &Tree<'_>, directory: &str) -> Vec<String> {
        let key = (tree.id(), directory.to_owned());
        if let Some(known) = self.listings.borrow().get(&key) {
            return known.clone();
        }
        let mut found = Vec::new();
        let root = if directory.is_empty() {
            Some(tree.clone())
        } else {
            let entry = tree.get_path(std::path::Path::new(directory)).ok().filter(|entry| entry.kind() == Some(ObjectType::Tree));
            entry.and_then(|entry| repository.find_tree(entry.id()).ok())
        };
        if let Some(root) = root {
            files(repository, &root, directory, &mut found);
        }
        self.listings.borrow_mut().insert(key, found.clone());
        found
    }

    fn difference(&mut self, repository: &Repository, from: Oid, to: &Tree<'_>) -> Result<Arc<Vec<String>>, GitError> {
        if let Some(known) = self.differences.get(&(from, to.id())) {
            return Ok(known.clone());
        }
        let old = repository.find_tree(from).map_err(objects("cannot read a tree"))?;
        let changed = trees::difference(repository, Some(&old), Some(to))?;
        let paths = Arc::new(changed.keys().map(|path| shown(path)).collect::<Vec<_>>());
        self.differences.insert((from, to.id()), paths.clone());
        Ok(paths)
    }
}

fn files(repository: &Repository, tree: &Tree<'_>, directory: &str, found: &mut Vec<String>) {
    for entry in tree {
        if found.len() >= MOST_LISTED {
            return;
        }
        // A name that is no UTF-8 can be named by no manifest.
        let Some(name) = std::str::from_utf8(entry.name_bytes()).ok() else { continue };
        let path = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
        match entry.kind() {
            Some(ObjectType::Tree) => {
                if let Ok(subtree) = repository.find_tree(entry.id()) {
                    files(repository, &subtree, &path, found);
                }
            }
            Some(ObjectType::Blob) => found.push(path),
            _ => {}
        }
    }
}

/// The text of a regular file.
pub(super) fn text_at(repository: &Repository, tree: &Tree<'_>, path: &str) -> Option<String> {
    match trees::look_up(repository, Some(tree), path.as_bytes()).ok()? {
        Standing::File(entry) => String::from_utf8(inverse::regular_file(repository, entry)?).ok(),
        Standing::Nothing | Standing::Directory => None,
    }
}
