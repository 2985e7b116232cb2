//! One way to undo a change that Git finds a conflict in: an edit that still stands as a whole goes back as a whole, and elsewhere each value that
//! the change set gets its old one back, in the file as it is now (design §9). Which values those are is `engine::values`'; here the files are
//! read and the tree is written.

use std::collections::BTreeMap;

use git2::{Oid, Repository, Tree};

use super::{Side, Step};
use crate::engine::change::Entry;
use crate::engine::id::EntryId;
use crate::engine::values::{self, Versions};
use crate::git::trees::{self, Standing, shown};
use crate::git::{GitError, objects, raw_id};

/// A tree, what it restores, and what it leaves.
type Restored = (Option<Oid>, Vec<String>, Vec<String>);

/// Gives the values that a change set their old ones back. The error that is no [`GitError`] is a sentence: why that cannot be done.
pub(super) fn restore_values(
    repository: &Repository,
    head: Option<&Tree<'_>>,
    step: &Step<'_>,
) -> Result<Result<Restored, String>, GitError> {
    let (mut back, mut restored, mut left) = (BTreeMap::new(), Vec::new(), Vec::new());
    let mut edited = Vec::new();
    for (path, difference) in trees::difference(repository, step.before.as_ref(), step.changed.as_ref())? {
        let now = match trees::look_up(repository, head, &path)? {
            Standing::File(entry) => Some(entry),
            Standing::Nothing => None,
            Standing::Directory => return Ok(Err(format!("`{}` is a directory now.", shown(&path)))),
        };
        match (difference.from, difference.to) {
            // An edit that still stands as a whole goes back as a whole, whatever the file is.
            (Some(from), Some(to)) if now == Some(to) => {
                restored.push(format!("`{}`", shown(&path)));
                back.insert(path, Some(from));
            }
            _ => edited.push((path, difference, now)),
        }
    }
    let read: Vec<(Side, Side, Side)> = edited
        .iter()
        .map(|(_, difference, now)| [difference.from, difference.to, *now].map(|entry| Side::read(repository, entry)).into())
        .collect();
    let names: Vec<String> = edited.iter().map(|(path, ..)| shown(path)).collect();
    for ((before, change, now), name) in read.iter().zip(&names) {
        if let Some(why) =
            [before, change, now].into_iter().find_map(|side| if let Side::Unreadable(why) = side { Some(why) } else { None })
        {
            return Ok(Err(format!("`{name}` cannot be read: {why}.")));
        }
    }
    let versions: Vec<Versions<'_>> = read
        .iter()
        .zip(&names)
        .map(|((before, change, now), path)| Versions { path, before: before.text(), change: change.text(), head: now.text() })
        .collect();
    let restorations = match values::restore_all(&versions) {
        Ok(restorations) => restorations,
        Err(why) => return Ok(Err(why.iter().take(3).map(|why| format!("{why}.")).collect::<Vec<_>>().join(" "))),
    };
    for restoration in restorations {
        let Some((path, difference, Some(now))) = edited.iter().find(|(path, ..)| shown(path) == restoration.path) else { continue };
        restored.extend(restoration.restored.iter().map(|scalar| format!("`{}` in `{}`", scalar.field, restoration.path)));
        left.extend(
            restoration
                .superseded
                .iter()
                .map(|scalar| format!("`{}` in `{}` has been set to something else since, and stays.", scalar.field, restoration.path)),
        );
        let blob = repository.blob(restoration.text.as_bytes()).map_err(objects("cannot write a file"))?;
        let mode = match (difference.from, difference.to) {
            (Some(from), Some(to)) if to.mode == now.mode => from.mode,
            _ => now.mode,
        };
        back.insert(path.clone(), Some(Entry { mode, id: EntryId(raw_id(blob)) }));
    }
    Ok(Ok((trees::with_entries(repository, head, &back)?, restored, left)))
}
