//! Whose a path is (design §7): a service owns its `paths`, and what its kustomizations, releases and charts pull in from elsewhere. Pure;
//! the texts come through two closures, so that only what is followed is ever read.
//!
//! It follows what is written and renders nothing. What it cannot follow (another repository, a template, a file that is not there) is named,
//! because then nobody can say that the service does not depend on it.

mod follow;
mod helm;
mod kustomize;
mod place;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::id::PolicyName;
use super::policy::{PathMatcher, PathSet};

pub use kustomize::is_kustomization;

/// The longest chain from a service's own file to what it pulls in.
pub const MOST_STEPS: usize = 24;
/// The most files that are read for one service.
pub const MOST_FILES: usize = 5_000;

/// A repository's files at one commit.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    /// The text of the file at a path; `None` for what is no file, no text or too large.
    pub read: &'a dyn Fn(&str) -> Option<Cow<'a, str>>,
    /// The paths of all files beneath a directory, from the root; empty for what is no directory. The empty path is the root.
    pub list: &'a dyn Fn(&str) -> Vec<String>,
    /// The addresses of this repository. A source that names another one is not followed; where there are none, any path that stands is.
    pub addresses: &'a [String],
}

/// How one file pulls in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Link {
    /// A kustomization's `resources` or `bases`.
    Resource,
    /// A kustomization's `components`.
    Component,
    /// A patch of a kustomization.
    Patch,
    /// `files` or `envs` of a generator of ConfigMaps or Secrets.
    GeneratorInput,
    /// `replacements` of a kustomization.
    Replacement,
    /// `generators`, `transformers` or `validators` of a kustomization.
    Plugin,
    /// `crds`, `openapi` or `configurations` of a kustomization.
    Schema,
    /// A value file of a chart.
    HelmValues,
    /// A chart in this repository.
    Chart,
    /// A file of such a chart.
    ChartFile,
    /// A `file://` dependency of a chart.
    ChartDependency,
    /// The path that an Argo CD Application or a Flux Kustomization deploys.
    Deployed,
}

/// One step of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    /// The file that pulls in.
    pub by: String,
    /// How.
    pub link: Link,
    /// What it pulls in.
    pub path: String,
}

/// Something that a service depends on and that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotFollowed {
    /// The file that names it.
    pub by: String,
    /// What it names, as written.
    pub reference: String,
    /// How.
    pub link: Link,
    /// Why it is not followed.
    pub why: Why,
}

/// Why something is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// It is in another repository or registry.
    Elsewhere,
    /// It is filled in later.
    Template,
    /// It leads out of the repository.
    Outside,
    /// Nothing is there, or what is there is no text.
    NotThere,
    /// The directory holds no kustomization.
    NoKustomization,
    /// The file that would say more cannot be read as YAML.
    Unreadable,
    /// The chain is over [`MOST_STEPS`], or the service over [`MOST_FILES`].
    TooMuch,
}

/// What a service owns at one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closure {
    /// What is pulled in beyond the service's paths, with the shortest chain to it.
    pub pulled: BTreeMap<String, Vec<Pulled>>,
    /// What could not be followed.
    pub not_followed: BTreeSet<NotFollowed>,
    /// The files whose bytes are used as they are, the service's own among them.
    pub taken_as_bytes: BTreeSet<String>,
}

/// What all services own before and after a change.
#[derive(Default)]
pub struct Ownership {
    services: BTreeMap<PolicyName, Owned>,
}

struct Owned {
    matcher: Rc<PathMatcher>,
    before: Closure,
    after: Closure,
}

/// A service that owns a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The service.
    pub service: PolicyName,
    /// Why it is its own.
    pub how: How,
}

/// Why a path is a service's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// By the policy's `paths`.
    Paths,
    /// By a chain of files.
    Through {
        /// From one of its own files to the path.
        chain: Vec<Pulled>,
        /// On which side of the change.
        when: When,
    },
}

/// On which side of a change something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Only before: the change cut the link.
    Before,
    /// Only after: the change made it.
    After,
    /// On both.
    Always,
}

/// What a service with these paths owns in a tree.
///
/// # Errors
/// A glob that does not parse; `config/` has refused those.
pub fn closure(paths: &PathSet, tree: Tree<'_>) -> Result<Closure, globset::Error> {
    let matcher = paths.matcher()?;
    let excluded = PathSet { include: paths.exclude.clone(), exclude: Vec::new() }.matcher()?;
    let own: BTreeSet<String> = roots(paths).iter().flat_map(|root| (tree.list)(root)).filter(|path| matcher.owns(path)).collect();
    let mut closure = follow::follow(tree, own);
    closure.pulled.retain(|path, _| !matcher.owns(path) && !excluded.owns(path));
    Ok(closure)
}

/// The directories beneath which a service's own paths are; the empty one is the root.
pub fn roots(paths: &PathSet) -> BTreeSet<String> {
    paths.include.iter().map(|glob| literal_directory(glob)).collect()
}

/// The directories of a glob before its first pattern.
fn literal_directory(glob: &str) -> String {
    let parts: Vec<&str> = glob.split('/').collect();
    let literal = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).count();
    parts.get(..literal.min(parts.len() - 1)).unwrap_or_default().join("/")
}

// === impl Ownership ===

impl Ownership {
    /// Adds a service with what it owns before and after a change.
    ///
    /// # Errors
    /// A glob that does not parse; `config/` has refused those.
    pub fn add(&mut self, service: PolicyName, paths: &PathSet, before: Closure, after: Closure) -> Result<(), globset::Error> {
        self.services.insert(service, Owned { matcher: paths.matcher()?, before, after });
        Ok(())
    }

    /// Everybody who owns a path, by name; nobody: the path is unmapped.
    pub fn owners(&self, path: &str) -> Vec<Owner> {
        self.services
            .iter()
            .filter_map(|(service, owned)| {
                let how = if owned.matcher.owns(path) { Some(How::Paths) } else { through(owned, path) };
                Some(Owner { service: service.clone(), how: how? })
            })
            .collect()
    }

    /// The services that own at least one of some paths: what `maxServices` counts.
    pub fn services_of<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> BTreeSet<PolicyName> {
        paths.into_iter().flat_map(|path| self.owners(path)).map(|owner| owner.service).collect()
    }

    /// What could not be followed for a service, on either side.
    pub fn not_followed(&self, service: &PolicyName) -> BTreeSet<&NotFollowed> {
        self.services.get(service).into_iter().flat_map(|owned| owned.before.not_followed.iter().chain(&owned.after.not_followed)).collect()
    }

    /// Whether a path goes somewhere as it is, byte for byte, so that no edit of it is cosmetic.
    pub fn is_taken_as_bytes(&self, path: &str) -> bool {
        self.services.values().any(|owned| [&owned.before, &owned.after].iter().any(|closure| closure.taken_as_bytes.contains(path)))
    }
}

fn through(owned: &Owned, path: &str) -> Option<How> {
    let (before, after) = (owned.before.pulled.get(path), owned.after.pulled.get(path));
    let when = match (before, after) {
        (Some(_), Some(_)) => When::Always,
        (Some(_), None) => When::Before,
        (None, _) => When::After,
    };
    after.or(before).map(|chain| How::Through { chain: chain.clone(), when })
}

// === words ===

impl Owner {
    /// `checkout: apps/checkout/kustomization.yaml lists bases/web/kustomization.yaml as a resource, which …`.
    pub fn sentence(&self) -> String {
        match &self.how {
            How::Paths => format!("{}: by its paths", self.service),
            How::Through { chain, when } => {
                let steps: Vec<String> = chain
                    .iter()
                    .enumerate()
                    .map(|(index, step)| {
                        let by = if index == 0 { step.by.as_str() } else { "which" };
                        format!("{by} {} {}", step.link.words(), step.path)
                    })
                    .collect();
                let when = match when {
                    When::Always => "",
                    When::Before => " (only before the change)",
                    When::After => " (only since the change)",
                };
                format!("{}: {}{when}", self.service, steps.join(", "))
            }
        }
    }
}

impl Link {
    /// Whether the bytes of the file are used, so that a comment in it counts.
    pub fn takes_bytes(self) -> bool {
        matches!(self, Self::GeneratorInput | Self::ChartFile)
    }

    /// What the file that pulls in does: `lists as a resource`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Resource => "lists as a resource",
            Self::Component => "lists as a component",
            Self::Patch => "patches with",
            Self::GeneratorInput => "generates a ConfigMap or Secret from",
            Self::Replacement => "takes replacements from",
            Self::Plugin => "generates or transforms with",
            Self::Schema => "takes a schema from",
            Self::HelmValues => "takes chart values from",
            Self::Chart => "installs the chart of",
            Self::ChartFile => "is the chart of",
            Self::ChartDependency => "depends on the chart of",
            Self::Deployed => "deploys",
        }
    }
}

impl NotFollowed {
    /// `apps/checkout/kustomization.yaml lists as a resource https://…, which is in another repository`.
    pub fn sentence(&self) -> String {
        let why = match self.why {
            Why::Elsewhere => "which is in another repository or registry",
            Why::Template => "which is filled in later",
            Why::Outside => "which leads out of the repository",
            Why::NotThere => "where nothing can be read",
            Why::NoKustomization => "which holds no kustomization",
            Why::Unreadable => "which cannot be read as YAML",
            Why::TooMuch => "which is more than is followed",
        };
        format!("{} {} {}, {why}", self.by, self.link.words(), self.reference)
    }
}

#[cfg(test)]
mod tests;
