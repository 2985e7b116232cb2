//! Stop the spread (design §13): what was reverted must not come back by another way while nobody has said that it may.
//!
//! What a plan takes away is looked for in what others bring: the same image, the same content or the same lines anywhere, and for the reverted
//! service a newer image of the same repository. Pure; `git/` hands in the texts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::grade::{Content, PlannedFile};
use super::id::{CommitId, EntryId, ProposalKey};
use super::incident::{Proposal, State};
use super::irrevertible::brought_back;
use super::object::{self, FileChange};
use super::plan::PlannedPath;

/// How often a push that brings it back is said in the thread: once, and once more. After that it is for people.
pub const SAID_AT_MOST: usize = 2;

/// What was seen on its way, or there, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Spreading {
    /// Somebody's open proposal would bring it; its head was given a failing status.
    Marked {
        /// The number of theirs.
        number: u64,
        /// Its head.
        head: CommitId,
        /// What it would bring, in one sentence.
        why: String,
    },
    /// The failing status on such a head was taken back.
    Released {
        /// The number of theirs.
        number: u64,
        /// Its head.
        head: CommitId,
    },
    /// A commit of the watched branch brought it; that was said in the thread of the proposal.
    Pushed {
        /// The commit.
        commit: CommitId,
        /// What it brought, in one sentence.
        why: String,
    },
}

/// One file with its texts on both sides; `None` where nothing stands, or what is there is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTexts {
    /// The path with modes and ids.
    pub path: PlannedPath,
    /// The text before.
    pub before: Option<String>,
    /// The text after.
    pub after: Option<String>,
}

/// What a plan takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cargo {
    /// The images that it takes away, as `repository:tag` or `repository@digest`.
    pub images: Vec<String>,
    /// Image repositories with the tag that it goes back to.
    restored: Vec<(String, String)>,
    contents: BTreeSet<EntryId>,
    patches: Vec<Lines>,
}

/// Which lines a change adds, and how often; those that it removes count down. Where they stand does not matter.
type Lines = BTreeMap<String, i64>;

/// The proposals whose change must not spread: those of open incidents, and those whose revert landed, until a person lets the change back.
pub fn watched(state: &State) -> Vec<&Proposal> {
    let is_open = |proposal: &Proposal| {
        let mut incidents = proposal.incidents.iter().filter_map(|id| state.incidents.get(id));
        proposal.closing.is_none() && incidents.any(|incident| incident.ending.is_none())
    };
    let is_back = |proposal: &Proposal| {
        let back = proposal.plan.as_ref().map(super::afterwards::key_of_return);
        back.and_then(|key| state.proposals.get(&key)).is_some_and(|back| back.landed.is_some())
    };
    state
        .proposals
        .values()
        .filter(|proposal| proposal.plan.is_some() && !proposal.brings_back())
        .filter(|proposal| (proposal.landed.is_some() || is_open(proposal)) && !is_back(proposal))
        .filter(|proposal| state.aftermath.reland(&proposal.key).is_none())
        .collect()
}

/// The failing statuses that stand on heads of others, by the proposal that they are for.
pub fn marks(state: &State, key: &ProposalKey) -> Vec<(u64, CommitId)> {
    let mut marks = Vec::new();
    for (what, _) in state.aftermath.spreading(key) {
        match what {
            Spreading::Marked { number, head, .. } => marks.push((*number, *head)),
            Spreading::Released { number, head } => marks.retain(|mark| mark != &(*number, *head)),
            Spreading::Pushed { .. } => {}
        }
    }
    marks
}

// === impl Cargo ===

impl Cargo {
    /// What a plan takes away, whose files hold it before and not after.
    pub fn of(plan: &[FileTexts]) -> Self {
        let mut cargo = Self::default();
        for file in plan {
            // A file that stood there before the suspect as it is now is not its cargo.
            cargo.contents.extend(file.path.from.map(|entry| entry.id));
            let brought = lines(file.after.as_deref(), file.before.as_deref());
            if !brought.is_empty() {
                cargo.patches.push(brought);
            }
            let (bad, good) = (images(file.before.as_deref()), images(file.after.as_deref()));
            cargo.images.extend(bad.difference(&good).cloned());
            cargo.restored.extend(good.difference(&bad).filter_map(|image| split(image)));
            let texts = FileChange { path: &file.path.path, before: file.before.as_deref(), after: file.after.as_deref() };
            for change in object::changes(&[texts]) {
                let Some(repository) = change.field.strip_prefix("image ") else { continue };
                cargo.images.extend(change.before.map(|tag| joined(repository, &tag)));
                cargo.restored.extend(change.after.map(|tag| (repository.to_owned(), tag)));
            }
        }
        cargo.images.sort_unstable();
        cargo.images.dedup();
        cargo
    }

    /// What of it others bring with their files, in one sentence without a full stop; `None` for nothing. `is_own` says whether a path is the
    /// reverted service's.
    pub fn found_in(&self, files: &[FileTexts], is_own: impl Fn(&str) -> bool) -> Option<String> {
        files.iter().find_map(|file| {
            let path = &file.path.path;
            let content = |text: &Option<String>| text.clone().unwrap_or_default();
            let (before, after) = (content(&file.before), content(&file.after));
            let planned = PlannedFile { path, before: Content::Text(&before), after: Content::Text(&after) };
            if let Some(image) = self.images.iter().find(|image| !brought_back(std::slice::from_ref(image), &[planned]).is_empty()) {
                return Some(format!("`{path}` brings the image `{image}`, which was reverted"));
            }
            if file.path.to.is_some_and(|entry| self.contents.contains(&entry.id)) {
                return Some(format!("`{path}` would be what was reverted"));
            }
            if self.patches.contains(&lines(Some(&before), Some(&after))) {
                return Some(format!("`{path}` gets the same change as the one that was reverted"));
            }
            if !is_own(path) {
                return None;
            }
            let (had, has) = (images(file.before.as_deref()), images(file.after.as_deref()));
            let newer = has.difference(&had).find(|image| self.is_newer(image))?;
            Some(format!("`{path}` brings `{newer}`, a newer image of the service that was reverted"))
        })
    }

    /// Whether an image is of a repository that was taken back, and not known to be as old as what it was taken back to.
    fn is_newer(&self, image: &str) -> bool {
        let Some((repository, tag)) = split(image) else { return false };
        let of_repository = self.restored.iter().filter(|(known, _)| *known == repository);
        of_repository.into_iter().any(|(_, restored)| match (version(&tag), version(restored)) {
            (Some(brought), Some(restored)) => brought > restored,
            _ => tag != *restored,
        })
    }
}

fn joined(repository: &str, tag: &str) -> String {
    if tag.starts_with("sha256:") { format!("{repository}@{tag}") } else { format!("{repository}:{tag}") }
}

fn split(image: &str) -> Option<(String, String)> {
    let (repository, tag) = image.rsplit_once('@').or_else(|| image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')))?;
    Some((repository.to_owned(), tag.to_owned()))
}

/// The numbers of a tag such as `1.4.10` or `v1.4.10`; `None` for anything else, which has no order that everybody agrees on.
fn version(tag: &str) -> Option<Vec<u64>> {
    tag.strip_prefix('v').unwrap_or(tag).split('.').map(|part| part.parse().ok()).collect()
}

/// The images that stand in a text after `image:`.
fn images(text: Option<&str>) -> BTreeSet<String> {
    let named = text.unwrap_or_default().lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image:"));
    named.map(|value| value.trim().trim_matches(['"', '\'']).to_owned()).filter(|value| split(value).is_some()).collect()
}

/// How often each line stands more often after than before; lines that moved are none.
fn lines(before: Option<&str>, after: Option<&str>) -> Lines {
    let mut counts = Lines::new();
    for (text, by) in [(before, -1), (after, 1)] {
        for line in text.unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty()) {
            *counts.entry(line.to_owned()).or_default() += by;
        }
    }
    counts.retain(|_, count| *count != 0);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::change::Entry;

    fn file(path: &str, before: &str, after: &str) -> FileTexts {
        let entry = |text: &str| {
            let mut id = [0; 20];
            id[..8].copy_from_slice(&(text.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte))).to_be_bytes());
            (!text.is_empty()).then_some(Entry { mode: 0o100_644, id: EntryId(id) })
        };
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        FileTexts {
            path: PlannedPath { path: path.to_owned(), from: entry(before), to: entry(after) },
            before: text(before),
            after: text(after),
        }
    }

    fn deployment(image: &str, replicas: u32) -> String {
        format!("kind: Deployment\nspec:\n  replicas: {replicas}\n  image: {image}\n")
    }

    /// The revert of checkout from 1.5.0 to 1.4.2.
    fn cargo() -> Cargo {
        Cargo::of(&[file("apps/checkout/a.yaml", &deployment("shop/checkout:1.5.0", 2), &deployment("shop/checkout:1.4.2", 2))])
    }

    fn found(path: &str, before: &str, after: &str) -> Option<String> {
        cargo().found_in(&[file(path, before, after)], |path| path.starts_with("apps/checkout/"))
    }

    #[test]
    fn the_same_image_is_seen_at_any_path() {
        let staging = found("apps/staging/b.yaml", &deployment("shop/checkout:1.4.0", 1), &deployment("shop/checkout:1.5.0", 1));
        assert_eq!(staging.unwrap(), "`apps/staging/b.yaml` brings the image `shop/checkout:1.5.0`, which was reverted");
        let kustomization = |tag: &str| format!("images:\n- name: shop/checkout\n  newTag: {tag}\n");
        assert!(found("k.yaml", &kustomization("1.4.0"), &kustomization("1.5.0")).is_some());
        assert_eq!(found("k.yaml", &kustomization("1.5.0"), &kustomization("1.5.0")), None, "it stood there before");
        assert_eq!(found("k.yaml", &kustomization("1.5.0"), &kustomization("1.4.0")), None);
    }

    #[test]
    fn the_same_lines_are_the_same_patch() {
        let config = |pool: u32| format!("kind: ConfigMap\ndata:\n  POOL: \"{pool}\"\n");
        let cargo = Cargo::of(&[file("apps/checkout/c.yaml", &config(2), &config(24))]);
        let found = |path: &str, before: &str, after: &str| cargo.found_in(&[file(path, before, after)], |_| false);
        assert!(found("apps/payments/c.yaml", &format!("# theirs\n{}", config(24)), &format!("# theirs\n{}", config(2))).is_some());
        assert_eq!(found("apps/payments/c.yaml", &config(24), &config(12)), None);
        assert!(found("apps/payments/new.yaml", "", &config(2)).is_some(), "the same content");
    }

    #[test]
    fn a_newer_image_is_held_up_only_for_the_reverted_service() {
        let to =
            |path: &str, tag: &str| found(path, &deployment("shop/checkout:1.4.2", 2), &deployment(&format!("shop/checkout:{tag}"), 2));
        assert!(to("apps/checkout/a.yaml", "1.6.0").unwrap().contains("a newer image"));
        assert!(to("apps/checkout/a.yaml", "main-4f2a").is_some(), "what has no order may be newer");
        assert_eq!(to("apps/checkout/a.yaml", "1.4.1"), None, "an older one is no spread");
        assert_eq!(to("apps/payments/a.yaml", "1.6.0"), None);
        assert_eq!(found("apps/checkout/a.yaml", &deployment("shop/checkout:1.4.2", 2), &deployment("shop/checkout:1.4.2", 9)), None);
    }
}
