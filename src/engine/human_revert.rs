//! Which commits people took back, by the messages of their reverts: the labels that a backtest is scored by.
//!
//! Git, GitHub and conventional commits each have their own words for a revert; all of them are read. What brings a reverted change back
//! (`Reapply "…"`, `Revert "Revert …"`) blames nothing and is no label, and neither is what revertd itself wrote.

use std::collections::BTreeMap;

use serde::Serialize;

use super::id::CommitId;
use super::time::Timestamp;

/// The fewest digits by which a message may name a commit: those that Git itself abbreviates to.
const FEWEST_DIGITS: usize = 7;

/// One commit of the watched line, as far as its messages say what it takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The commit.
    pub commit: CommitId,
    /// When it landed.
    pub at: Timestamp,
    /// Who wrote it. Untrusted text.
    pub author: String,
    /// Its message and, for a merge, those of the commits that it brought.
    pub messages: Vec<String>,
    /// The commits that it brought, besides itself.
    pub brought: Vec<CommitId>,
    /// Whether revertd wrote it, by its trailer.
    pub origin: Origin,
}

/// Who wrote a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody.
    Person,
    /// revertd.
    Revertd,
}

/// A revert that a person made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HumanRevert {
    /// The revert, as it stands on the watched line.
    pub commit: CommitId,
    /// When it landed.
    pub at: Timestamp,
    /// Who wrote it. Untrusted text.
    pub author: String,
    /// What it takes back, on the watched line; empty where its message names nothing that is there.
    pub undoes: Vec<CommitId>,
}

/// What one message says that it takes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Named {
    commits: Vec<String>,
    numbers: Vec<String>,
    subjects: Vec<String>,
}

/// The reverts that people made, oldest first. `line` is the watched line, oldest first.
pub fn human_reverts(line: &[Spoken]) -> Vec<HumanRevert> {
    let mut places = BTreeMap::new();
    let mut found = Vec::new();
    for (position, spoken) in line.iter().enumerate() {
        if spoken.origin == Origin::Person {
            let named: Vec<Named> = spoken.messages.iter().filter_map(|message| named(message)).collect();
            if !named.is_empty() {
                let mut undoes: Vec<CommitId> = named.iter().flat_map(|named| resolve(named, &line[..position], &places)).collect();
                undoes.sort_unstable();
                undoes.dedup();
                found.push(HumanRevert { commit: spoken.commit, at: spoken.at, author: spoken.author.clone(), undoes });
            }
        }
        for id in spoken.brought.iter().chain([&spoken.commit]) {
            places.insert(id.to_string(), spoken.commit);
        }
    }
    found
}

/// What a message names, by its most exact words; only earlier commits can be meant.
fn resolve(named: &Named, earlier: &[Spoken], places: &BTreeMap<String, CommitId>) -> Vec<CommitId> {
    let by_id = |digits: &String| {
        let mut matching = places.range(digits.clone()..).take_while(|(id, _)| id.starts_with(digits.as_str()));
        // Two commits that begin alike: nothing tells which is meant.
        matching.next().filter(|_| matching.next().is_none()).map(|(_, commit)| *commit)
    };
    let commits: Vec<CommitId> = named.commits.iter().filter_map(by_id).collect();
    if !commits.is_empty() {
        return commits;
    }
    let newest = |is: &dyn Fn(&str) -> bool| {
        earlier.iter().rev().find(|spoken| spoken.messages.first().is_some_and(|message| is(subject(message)))).map(|spoken| spoken.commit)
    };
    let by_number = |number: &String| {
        let (squashed, merged) = (format!("(#{number})"), format!("Merge pull request #{number} "));
        newest(&|subject| subject.ends_with(&squashed) || subject.starts_with(&merged))
    };
    let numbers: Vec<CommitId> = named.numbers.iter().filter_map(by_number).collect();
    if !numbers.is_empty() {
        return numbers;
    }
    let by_subject = |wanted: &String| {
        newest(&|subject| subject == wanted).or_else(|| newest(&|subject| without_number(subject) == without_number(wanted)))
    };
    named.subjects.iter().filter_map(by_subject).collect()
}

/// What a message says that it takes back; `None` where it is no revert.
fn named(message: &str) -> Option<Named> {
    let title = subject(message);
    if title.starts_with("Reapply \"") || title.starts_with("Revert \"Revert \"") || title.starts_with("Revert \"Reapply \"") {
        return None;
    }
    let mut found = Named::default();
    for line in message.lines().map(str::trim) {
        if let Some(quoted) = line.strip_prefix("Revert \"").and_then(|rest| rest.rsplit_once('"')) {
            found.subjects.push(quoted.0.to_owned());
        } else if let Some(rest) = line.strip_prefix("This reverts ") {
            // `reversing changes made to` names the side that stays.
            found.commits.extend(digits(rest.split("reversing").next().unwrap_or_default()));
        } else if let Some(rest) = ["Reverts:", "Revert-of:", "Reverts "].iter().find_map(|words| line.strip_prefix(words)) {
            found.commits.extend(digits(rest));
            found.numbers.extend(number(rest));
        }
    }
    if let Some(rest) = title.strip_prefix("revert: ").or_else(|| title.strip_prefix("Revert: ")) {
        found.subjects.push(rest.to_owned());
    }
    (found != Named::default()).then_some(found)
}

/// The commits that are named by their digits.
fn digits(text: &str) -> Vec<String> {
    text.split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| (FEWEST_DIGITS..=40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::to_ascii_lowercase)
        .collect()
}

/// The number of a pull request in `owner/name#12` or `#12`.
fn number(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('#')?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!number.is_empty()).then_some(number)
}

fn subject(message: &str) -> &str {
    message.trim_start().lines().next().unwrap_or_default().trim_end()
}

/// A subject without the ` (#12)` that a squash appends.
fn without_number(subject: &str) -> &str {
    match subject.rsplit_once(" (#") {
        Some((before, number)) if number.strip_suffix(')').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) => before,
        _ => subject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> CommitId {
        CommitId([byte; 20])
    }

    fn said(byte: u8, message: &str) -> Spoken {
        Spoken {
            commit: id(byte),
            at: Timestamp(i64::from(byte)),
            author: "Robin".to_owned(),
            messages: vec![message.to_owned()],
            brought: Vec::new(),
            origin: Origin::Person,
        }
    }

    fn labels(line: &[Spoken]) -> Vec<(CommitId, Vec<CommitId>)> {
        human_reverts(line).into_iter().map(|revert| (revert.commit, revert.undoes)).collect()
    }

    #[test]
    fn every_way_to_say_it_is_read() {
        let bad = "ab".repeat(20);
        let deploy = said(0xab, "Bump checkout to 1.5.0 (#12)\n\nSigned-off-by: a\n");
        for message in [
            format!("Revert \"Bump\"\n\nThis reverts commit {bad}.\n"),
            format!("Oh no\n\nThis reverts commit {}, which broke it.", &bad[..7]),
            format!("Back\n\nThis reverts commit {bad}, reversing\nchanges made to {}.", "c".repeat(40)),
            format!("Roll back\n\nReverts: {bad}\n"),
            "Revert \"Bump checkout to 1.5.0 (#12)\" (#13)".to_owned(),
            "Revert \"Bump checkout to 1.5.0\"".to_owned(),
            "revert: Bump checkout to 1.5.0".to_owned(),
            "Merge pull request #13 from shop/revert-12-bump\n\nRevert \"Bump checkout to 1.5.0\"".to_owned(),
            "Back again\n\nReverts shop/manifests#12\n".to_owned(),
        ] {
            assert_eq!(labels(&[deploy.clone(), said(2, &message)]), [(id(2), vec![id(0xab)])], "{message}");
        }
    }

    #[test]
    fn what_brings_a_change_back_or_only_talks_is_no_label() {
        let deploy = said(0xab, "Bump");
        for message in [
            format!("Reapply \"Bump\"\n\nThis reverts commit {}.", "ab".repeat(20)),
            format!("Revert \"Revert \"Bump\"\"\n\nThis reverts commit {}.", "ab".repeat(20)),
            "Document how a revert works".to_owned(),
            "Bump again".to_owned(),
        ] {
            assert_eq!(labels(&[deploy.clone(), said(2, &message)]), [], "{message}");
        }
        let ours = Spoken { origin: Origin::Revertd, ..said(2, "Revert \"Bump\"") };
        assert_eq!(labels(&[deploy, ours]), []);
    }

    #[test]
    fn only_what_landed_before_can_be_meant_and_the_newest_of_that_name() {
        let revert = said(3, "Revert \"Bump\"");
        assert_eq!(labels(&[said(1, "Bump"), said(2, "Bump"), revert.clone(), said(4, "Bump")]), [(id(3), vec![id(2)])]);
        assert_eq!(labels(&[revert]), [(id(3), Vec::new())]);
        // Both begin with the same digits.
        let mut twin = [0xab; 20];
        twin[19] = 0;
        let twins =
            [said(0xab, "One"), Spoken { commit: CommitId(twin), ..said(2, "Other") }, said(3, "Back\n\nThis reverts commit abababab.")];
        assert_eq!(labels(&twins), [(id(3), Vec::new())]);
    }

    #[test]
    fn what_a_merge_brought_stands_for_the_merge_on_both_sides() {
        let merge = Spoken { brought: vec![id(0xab)], ..said(1, "Merge branch 'deploy'") };
        let back = Spoken {
            messages: vec!["Merge branch 'hotfix'".to_owned(), format!("Revert \"Bump\"\n\nThis reverts commit {}.", "ab".repeat(20))],
            ..said(2, "")
        };
        assert_eq!(labels(&[merge, back]), [(id(2), vec![id(1)])]);
    }
}
