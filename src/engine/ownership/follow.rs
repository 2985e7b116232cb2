//! Breadth first from a service's own files to everything that they pull in: each path once, with the shortest chain, within bounds.

use std::collections::{BTreeSet, VecDeque};

use super::super::manifest::{objects, parse};
use super::place::{Depth, Reference, To, directory};
use super::{Closure, Link, MOST_FILES, MOST_STEPS, NotFollowed, Pulled, Tree, Why, helm, kustomize};

/// What the files in `own` pull in. Those that pull in nothing are not in the result, but for what another one pulls in.
pub fn follow(tree: Tree<'_>, own: BTreeSet<String>) -> Closure {
    let mut walk = Walk {
        tree,
        seen: own.clone(),
        open: own.into_iter().map(|path| (path, Vec::new())).collect(),
        read: 0,
        found: Closure::default(),
    };
    while let Some((path, chain)) = walk.open.pop_front() {
        walk.file(&path, &chain);
    }
    walk.found
}

struct Walk<'a> {
    tree: Tree<'a>,
    seen: BTreeSet<String>,
    open: VecDeque<(String, Vec<Pulled>)>,
    read: usize,
    found: Closure,
}

// === impl Walk ===

impl Walk<'_> {
    fn file(&mut self, path: &str, chain: &[Pulled]) {
        let can_pull_in = kustomize::is_kustomization(path) || [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending));
        // What somebody takes as bytes names nothing to follow, and the files of a chart are templates.
        let is_leaf =
            chain.last().is_some_and(|step| matches!(step.link, Link::GeneratorInput | Link::HelmValues | Link::ChartFile | Link::Schema));
        let is_chart = path.rsplit('/').next() == Some("Chart.yaml");
        if !can_pull_in || (is_leaf && !is_chart) {
            return;
        }
        self.read += 1;
        if self.read > MOST_FILES {
            self.nowhere(path, Link::Resource, path, Why::TooMuch);
            return;
        }
        let Some(text) = (self.tree.read)(path) else { return };
        let Ok(documents) = parse(&text) else {
            // A template of somebody's own chart says nothing about what it pulls in, but a kustomization would.
            if kustomize::is_kustomization(path) || is_chart {
                self.nowhere(path, Link::Resource, path, Why::Unreadable);
            }
            return;
        };
        let references: Vec<Reference> = if kustomize::is_kustomization(path) {
            documents.iter().flat_map(|root| kustomize::references(path, root)).collect()
        } else if is_chart {
            documents.iter().flat_map(|root| helm::dependencies(path, root)).collect()
        } else {
            objects(&documents).iter().flat_map(|object| helm::references(object, self.tree.addresses)).collect()
        };
        for reference in references {
            self.reference(path, chain, &reference);
        }
    }

    fn reference(&mut self, by: &str, chain: &[Pulled], reference: &Reference) {
        let link = reference.link;
        match &reference.to {
            To::Nowhere(why) => self.nowhere(by, link, &reference.written, *why),
            _ if chain.len() >= MOST_STEPS => self.nowhere(by, link, &reference.written, Why::TooMuch),
            To::Path(path) => {
                if (self.tree.read)(path).is_some() {
                    self.add(by, link, path, chain);
                    return;
                }
                match self.kustomization_in(path) {
                    Some(kustomization) => self.add(by, link, &kustomization, chain),
                    None if (self.tree.list)(path).is_empty() => self.nowhere(by, link, &reference.written, Why::NotThere),
                    None => self.nowhere(by, link, &reference.written, Why::NoKustomization),
                }
            }
            To::Chart(directory) => self.chart(by, link, directory, &reference.written, chain),
            To::Deployed { path, depth } => self.deployed(by, path, *depth, &reference.written, chain),
        }
    }

    fn deployed(&mut self, by: &str, path: &str, depth: Depth, written: &str, chain: &[Pulled]) {
        if let Some(kustomization) = self.kustomization_in(path) {
            self.add(by, Link::Deployed, &kustomization, chain);
        } else if (self.tree.read)(&joined(path, "Chart.yaml")).is_some() {
            self.chart(by, Link::Deployed, path, written, chain);
        } else {
            let files = (self.tree.list)(path);
            let files: Vec<String> =
                files.into_iter().filter(|file| depth == Depth::Whole || directory(file) == path).take(MOST_FILES).collect();
            if files.is_empty() {
                self.nowhere(by, Link::Deployed, written, Why::NotThere);
            }
            for file in files {
                self.add(by, Link::Deployed, &file, chain);
            }
        }
    }

    /// A chart is all files of its directory, through its `Chart.yaml`.
    fn chart(&mut self, by: &str, link: Link, directory: &str, written: &str, chain: &[Pulled]) {
        let top = joined(directory, "Chart.yaml");
        if (self.tree.read)(&top).is_none() {
            self.nowhere(by, link, written, Why::NotThere);
            return;
        }
        self.add(by, link, &top, chain);
        let step = Pulled { by: by.to_owned(), link, path: top.clone() };
        let chain: Vec<Pulled> = chain.iter().cloned().chain([step]).collect();
        for file in (self.tree.list)(directory).into_iter().take(MOST_FILES) {
            self.add(&top, Link::ChartFile, &file, &chain);
        }
    }

    fn add(&mut self, by: &str, link: Link, path: &str, chain: &[Pulled]) {
        if link.takes_bytes() {
            self.found.taken_as_bytes.insert(path.to_owned());
        }
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        if self.found.pulled.len() >= MOST_FILES {
            self.nowhere(by, link, path, Why::TooMuch);
            return;
        }
        let step = Pulled { by: by.to_owned(), link, path: path.to_owned() };
        let chain: Vec<Pulled> = chain.iter().cloned().chain([step]).collect();
        self.found.pulled.insert(path.to_owned(), chain.clone());
        self.open.push_back((path.to_owned(), chain));
    }

    fn kustomization_in(&self, directory: &str) -> Option<String> {
        kustomize::NAMES.iter().map(|name| joined(directory, name)).find(|path| (self.tree.read)(path).is_some())
    }

    fn nowhere(&mut self, by: &str, link: Link, reference: &str, why: Why) {
        if self.found.not_followed.len() < MOST_FILES {
            self.found.not_followed.insert(NotFollowed { by: by.to_owned(), reference: reference.to_owned(), link, why });
        }
    }
}

fn joined(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}
