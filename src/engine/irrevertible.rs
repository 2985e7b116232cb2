//! What an operator never wants undone, or never wants back: `guardrails.never` and `guardrails.neverBackTo`. Pure.
//!
//! What a plan brings back is looked for in the text of the files, not in the objects: an image can stand in a workload, a kustomization, the
//! values of a chart or a field that nobody here knows, and a guardrail that reads only some of them would fail open. So it refuses too
//! much rather than too little: a name in a comment counts as well.

use serde::{Deserialize, Serialize};

use super::change::Change;
use super::grade::{Content, PlannedFile};
use super::policy::PathSet;

/// `guardrails.never`: changes that are never reverted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Never {
    /// Names or addresses of authors, as their commits say; upper and lower case are the same.
    pub authors: Vec<String>,
    /// Globs for paths.
    pub paths: Vec<String>,
}

// === impl Never ===

impl Never {
    /// Whether it forbids nothing.
    pub fn is_empty(&self) -> bool {
        self.authors.is_empty() && self.paths.is_empty()
    }

    /// Adds what another one forbids.
    pub fn tighten(&mut self, other: &Self) {
        add(&mut self.authors, &other.authors);
        add(&mut self.paths, &other.paths);
    }

    /// Why a change is never reverted, as the end of a sentence without a full stop. Globs that do not parse match everything.
    pub fn forbids(&self, change: &Change) -> Option<String> {
        let is_author = |who: &&String| who.eq_ignore_ascii_case(&change.author.name) || who.eq_ignore_ascii_case(&change.author.email);
        if let Some(author) = self.authors.iter().find(is_author) {
            return Some(format!("it is by `{author}`, whose changes `guardrails.never` keeps"));
        }
        if self.paths.is_empty() {
            return None;
        }
        let matcher = PathSet { include: self.paths.clone(), exclude: Vec::new() }.matcher();
        let matches = |path: &str| matcher.as_ref().map_or(true, |matcher| matcher.owns(path));
        let path = change.paths.iter().find(|path| matches(&path.path))?;
        Some(format!("it changes `{}`, which `guardrails.never` keeps", path.path))
    }
}

/// Adds what is missing.
pub fn add(known: &mut Vec<String>, more: &[String]) {
    let missing: Vec<String> = more.iter().filter(|one| !known.contains(one)).cloned().collect();
    known.extend(missing);
}

/// What the files of a plan bring back of `forbidden`, a sentence each: digests (`sha256:…`), tags (`1.4.1`) or images (`shop/checkout:1.4.1`).
/// What stands there before the plan as often is not brought back by it. A file that cannot be read may bring anything.
pub fn brought_back(forbidden: &[String], files: &[PlannedFile<'_>]) -> Vec<String> {
    let mut sentences = Vec::new();
    for file in files.iter().filter(|_| !forbidden.is_empty()) {
        let before = match file.before {
            Content::Text(text) => text,
            Content::Absent | Content::Unreadable(_) => "",
        };
        let after = match file.after {
            Content::Text(text) => text,
            Content::Absent => continue,
            Content::Unreadable(why) => {
                sentences.push(format!("What `{}` would bring back cannot be said: {why}.", file.path));
                continue;
            }
        };
        for image in forbidden.iter().filter(|image| occurrences(image, after) > occurrences(image, before)) {
            sentences.push(format!("`{}` would go back to `{image}`, which `guardrails.neverBackTo` forbids.", file.path));
        }
    }
    sentences
}

/// Why a text names no digest, tag or image, as the end of a sentence; `None` where it does.
pub fn is_no_image(text: &str) -> Option<&'static str> {
    let known = |char: char| char.is_ascii_alphanumeric() || "._-:/@".contains(char);
    let last = text.rsplit_once([':', '@']).map_or(text, |(_, last)| last);
    match () {
        () if !text.chars().all(known) => Some("holds a character that no image has"),
        () if last.is_empty() || last.contains('/') => Some("has neither a tag nor a digest, so that nothing would ever match it"),
        () => is_no_digest(text),
    }
}

/// Why a text that begins as a digest is none that an image can have: a part of one, or one in capital letters, would match nothing.
fn is_no_digest(text: &str) -> Option<&'static str> {
    let (algorithm, digits) = text.rsplit_once('@').map_or(text, |(_, digest)| digest).split_once(':')?;
    let is_whole = |length: usize| digits.len() == length && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match algorithm.to_ascii_lowercase().as_str() {
        "sha256" if algorithm != "sha256" || !is_whole(64) => {
            Some("is no whole digest, so that nothing would ever match it: `sha256:` with 64 digits, letters in lower case")
        }
        "sha512" if algorithm != "sha512" || !is_whole(128) => {
            Some("is no whole digest, so that nothing would ever match it: `sha512:` with 128 digits, letters in lower case")
        }
        _ => None,
    }
}

/// How often a text holds a digest, a tag or an image. Of an image whose repository stands elsewhere in the text, as in a kustomization or in
/// values, the tag alone counts.
fn occurrences(image: &str, text: &str) -> usize {
    // Of `repository@digest` the digest says everything.
    let image = image.rsplit_once('@').map_or(image, |(_, digest)| digest);
    match image.rsplit_once(':').filter(|(repository, _)| *repository != "sha256" && *repository != "sha512") {
        Some((repository, tag)) if words(repository, text) > 0 => words(tag, text),
        Some(_) => 0,
        None => words(image, text),
    }
}

/// How often a word stands in a text with nothing on either side that would make it another tag, digest or repository.
fn words(word: &str, text: &str) -> usize {
    if word.is_empty() {
        return 0;
    }
    let joins = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    text.match_indices(word)
        .filter(|(at, _)| {
            let (before, after) = (text[..*at].chars().next_back(), text[at + word.len()..].chars().next());
            !before.is_some_and(joins) && !after.is_some_and(joins)
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brought(forbidden: &str, before: &str, after: &str) -> usize {
        let file = PlannedFile { path: "a.yaml", before: Content::Text(before), after: Content::Text(after) };
        brought_back(&[forbidden.to_owned()], &[file]).len()
    }

    #[test]
    fn what_comes_back_is_seen_wherever_it_stands() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for named in [&digest, &format!("shop/checkout@{digest}")] {
            assert_eq!(brought(named, "image: shop/checkout:1.5.0\n", &format!("image: shop/checkout@{digest}\n")), 1);
        }
        assert_eq!(brought("1.4.1", "image: shop/checkout:1.4.2\n", "image: \"shop/checkout:1.4.1\"\n"), 1);
        assert_eq!(brought("1.4.1", "tag: 1.4.2\n", "tag: '1.4.1'\n"), 1);
        let kustomization = |tag: &str| format!("images:\n- name: app\n  newName: shop/checkout\n  newTag: {tag}\n");
        assert_eq!(brought("shop/checkout:1.4.1", &kustomization("1.4.2"), &kustomization("1.4.1")), 1);
        assert_eq!(brought("shop/checkout:1.4.1", "image: eu.registry/shop/checkout:1\n", "image: eu.registry/shop/checkout:1.4.1\n"), 1);
    }

    #[test]
    fn what_is_another_tag_or_stood_there_before_does_not_come_back() {
        for other in ["1.4.10", "11.4.1", "1.4.1-rc1", "v1.4.1", "1.4.1.2"] {
            assert_eq!(brought("1.4.1", "image: a:2\n", &format!("image: a:{other}\n")), 0, "{other}");
        }
        assert_eq!(brought("1.4.1", "image: a:1.4.1\nreplicas: 2\n", "image: a:1.4.1\nreplicas: 1\n"), 0);
        assert_eq!(brought("shop/checkout:1.4.1", "image: shop/payments:1.4.2\n", "image: shop/payments:1.4.1\n"), 0);
        assert_eq!(brought("1.4.1", "image: a:1.4.1\n", ""), 0);
    }

    #[test]
    fn a_part_of_a_digest_or_one_in_capitals_is_refused() {
        let (short, long) = ("ab".repeat(32), "0f".repeat(64));
        for named in
            [format!("sha256:{short}"), format!("shop/checkout@sha256:{short}"), format!("a:1@sha512:{long}"), "a:sha256-x".to_owned()]
        {
            assert_eq!(is_no_image(&named), None, "{named}");
        }
        let (upper, zz) = (short.to_uppercase(), "zz".repeat(32));
        for named in [
            "sha256:4f53cda1".to_owned(),
            "shop/checkout@sha256:4f53cda1".to_owned(),
            "sha256:zz".to_owned(),
            format!("sha256:{zz}"),
            format!("SHA256:{upper}"),
            format!("SHA256:{short}"),
            format!("sha256:{upper}"),
            format!("sha256:{long}"),
            format!("sha512:{short}"),
        ] {
            assert!(is_no_image(&named).is_some_and(|why| why.contains("no whole digest")), "{named}");
        }
    }

    #[test]
    fn what_cannot_be_read_may_bring_anything() {
        let file = PlannedFile { path: "chart.tgz", before: Content::Absent, after: Content::Unreadable("it is not UTF-8") };
        let of = |forbidden: &[String]| brought_back(forbidden, &[file]);
        assert_eq!(of(&["1.4.1".to_owned()]), ["What `chart.tgz` would bring back cannot be said: it is not UTF-8."]);
        assert!(of(&[]).is_empty());
    }
}
