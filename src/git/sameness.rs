//! A service's files in a tree, by object ids: at which heads they were the same as in another tree, and their content for who has to look.
//!
//! A service's files are what its paths name and what its kustomizations and charts pull in from elsewhere.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use git2::{Oid, Repository, Tree};
use sha2::{Digest, Sha256};

use super::owners::{Owners, Reading, ServicePaths};
use super::trees::{self, Standing};
use super::{GitError, Mirror, objects, oid, raw_oid};
use crate::engine::change::Entry;
use crate::engine::id::{CommitId, TreeId};
use crate::engine::ownership;
use crate::engine::policy::PathSet;

/// Answers about so many trees are kept.
const KEPT: usize = 8_192;
/// More of a service's files than this are not given to anybody.
const MOST_FILES: usize = 5_000;
/// Nor files that are larger together than this, in bytes.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// What the files of a service in a tree come to.
#[derive(Default)]
pub(super) struct Sameness {
    known: HashMap<(Oid, PathSet), [u8; 32]>,
}

/// A regular file of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFile {
    /// Its path.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl Mirror {
    /// Those of the heads at which the files of every one of the services are, by mode and id, those of the tree.
    ///
    /// # Errors
    /// Objects that are missing, or a glob that does not parse.
    pub fn same_files(&self, tree: TreeId, heads: &[CommitId], services: &[ServicePaths]) -> Result<Vec<CommitId>, GitError> {
        let repository = self.repository();
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sameness = self.sameness.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bench = Bench { repository: &repository, owners: &mut owners, reading: Reading::default(), address: &self.remote.url };
        let target = repository.find_tree(raw_oid(tree.0)).map_err(objects("cannot read the tree of the plan"))?;
        let wanted = services.iter().map(|service| sameness.of(&mut bench, &target, &service.paths)).collect::<Result<Vec<_>, _>>()?;
        let mut same = Vec::new();
        for head in heads {
            // One that is not there any more, as after a rewritten branch, is no state that can be compared.
            let Ok(Some(then)) = trees::tree_of(&repository, Some(oid(*head))) else { continue };
            let mut equal = true;
            for (service, wanted) in services.iter().zip(&wanted) {
                equal = equal && sameness.of(&mut bench, &then, &service.paths)? == *wanted;
            }
            if equal {
                same.push(*head);
            }
        }
        Ok(same)
    }

    /// The regular files of a service in a tree, sorted by path; links and submodules are left out.
    ///
    /// # Errors
    /// Objects that are missing, a glob that does not parse, or more files than anybody should be given.
    pub fn service_files(&self, tree: TreeId, service: &ServicePaths) -> Result<Vec<ServiceFile>, GitError> {
        let repository = self.repository();
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bench = Bench { repository: &repository, owners: &mut owners, reading: Reading::default(), address: &self.remote.url };
        let tree = repository.find_tree(raw_oid(tree.0)).map_err(objects("cannot read the tree of the plan"))?;
        let entries = bench.entries(&tree, &service.paths)?;
        let too_many = || GitError::Unsupported(format!("the service `{}` has too many files, or too large ones", service.name));
        if entries.len() > MOST_FILES {
            return Err(too_many());
        }
        let (mut files, mut bytes) = (Vec::new(), 0);
        for (path, entry) in entries.into_iter().filter(|(_, entry)| matches!(entry.mode, 0o100_644 | 0o100_755 | 0o100_664)) {
            let blob = repository.find_blob(raw_oid(entry.id.0)).map_err(objects(format!("cannot read {path}")))?;
            bytes += blob.size();
            if bytes > MOST_BYTES {
                return Err(too_many());
            }
            files.push(ServiceFile { path, content: blob.content().to_vec() });
        }
        Ok(files)
    }
}

/// What one question is answered with.
struct Bench<'a> {
    repository: &'a Repository,
    owners: &'a mut Owners,
    reading: Reading,
    address: &'a String,
}

impl Bench<'_> {
    /// What stands at each path of a service.
    fn entries(&mut self, tree: &Tree<'_>, paths: &PathSet) -> Result<BTreeMap<String, Entry>, GitError> {
        let known = self.owners.closure(self.repository, &mut self.reading, std::slice::from_ref(self.address), Some(tree), paths)?;
        let matcher = paths.matcher().map_err(|error| GitError::Unsupported(format!("a glob of a policy cannot be read: {error}")))?;
        let mut names: Vec<String> = known.closure.pulled.keys().cloned().collect();
        for root in ownership::roots(paths) {
            names.extend(self.reading.list(self.repository, tree, &root).into_iter().filter(|path| matcher.owns(path)));
        }
        let mut entries = BTreeMap::new();
        for name in names {
            if let Standing::File(entry) = trees::look_up(self.repository, Some(tree), name.as_bytes())? {
                entries.insert(name, entry);
            }
        }
        Ok(entries)
    }
}

impl Sameness {
    fn of(&mut self, bench: &mut Bench<'_>, tree: &Tree<'_>, paths: &PathSet) -> Result<[u8; 32], GitError> {
        let place = (tree.id(), paths.clone());
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        let mut digest = Sha256::new();
        for (path, entry) in bench.entries(tree, paths)? {
            // A path holds no zero byte, so that no two listings read alike.
            digest.update(path.as_bytes());
            digest.update([0]);
            digest.update(entry.mode.to_be_bytes());
            digest.update(entry.id.0);
        }
        let found: [u8; 32] = digest.finalize().into();
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        self.known.insert(place, found);
        Ok(found)
    }
}
