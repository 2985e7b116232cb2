//! What puts back what another change did, and what does not.

use super::*;
use crate::engine::change::{Entry, PathChange, Person};
use crate::engine::id::EntryId;

/// A path that goes from one content to another; 0 stands for nothing.
fn path(name: &str, from: u8, to: u8) -> PathChange {
    let entry = |content: u8| (content > 0).then_some(Entry { mode: 0o100_644, id: EntryId([content; 20]) });
    PathChange { path: name.into(), from: entry(from), to: entry(to), meaning: Meaning::Changed }
}

fn change(number: u8, paths: Vec<PathChange>) -> Change {
    Change {
        id: CommitId([number; 20]),
        parents: Vec::new(),
        before: None,
        author: Person { name: "Robin".into(), email: "robin@shop.example".into() },
        subject: String::new(),
        kind: ChangeKind::Ordinary,
        paths: paths.into(),
        opt_out: None,
        plan: None,
        pulled_in_by: Vec::new(),
        concerns: Vec::new(),
    }
}

fn undone(changes: &[Change]) -> Option<CommitId> {
    let (last, earlier) = changes.split_last().unwrap();
    puts_back(last, &earlier.iter().collect::<Vec<_>>())
}

#[test]
fn a_change_that_puts_everything_back_undoes_what_changed_it() {
    let bump = change(1, vec![path("a", 1, 2), path("new", 0, 3)]);
    assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 1), path("new", 3, 0)])]), Some(bump.id));
    assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 1)])]), Some(bump.id), "a part of it");
    let again = change(2, vec![path("a", 2, 4)]);
    assert_eq!(undone(&[bump.clone(), again.clone(), change(3, vec![path("a", 4, 1)])]), Some(bump.id), "over what came between");
    assert_eq!(undone(&[bump, again.clone(), change(3, vec![path("a", 4, 2)])]), Some(again.id), "only the last of them");
}

#[test]
fn what_a_change_brings_that_was_not_there_can_have_done_it() {
    let bump = change(1, vec![path("a", 1, 2)]);
    assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 3)])]), None, "a fix forward");
    assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 1), path("b", 1, 2)])]), None, "and something else");
    assert_eq!(undone(&[bump.clone(), change(2, vec![path("b", 2, 1)])]), None, "another path");
    assert_eq!(undone(&[change(2, vec![path("a", 2, 1)])]), None, "of a change that is not in the window");
    let mut executable = path("a", 2, 1);
    executable.to = executable.to.map(|entry| Entry { mode: 0o100_755, ..entry });
    assert_eq!(undone(&[bump, change(2, vec![executable])]), None, "another mode");
}

#[test]
fn a_rewritten_comment_beside_it_brings_nothing() {
    let bump = change(1, vec![path("a", 1, 2)]);
    let comment = PathChange { meaning: Meaning::Same, ..path("b", 1, 2) };
    assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 1), comment.clone()])]), Some(bump.id));
    assert_eq!(undone(&[bump, change(2, vec![comment])]), None);
}
