//! The way out of a conflict called `values` (design §9): each YAML scalar that a change set, and that still holds that value, gets its old
//! value back. Pure: texts in, texts out.
//!
//! The edit replaces the bytes of those scalars in the text of the head and touches nothing else, so comments, quotes and line ends stay.
//! The result is read again and must say what the head says but for those scalars: no rule about quoting has to be trusted. Anything that is
//! not a scalar, moved or cannot be told apart refuses the whole file; the other way out is the last known good state.

mod locate;
mod write;

use super::manifest::{Difference, Node, Unreadable, differences, parse, shown_path};
use locate::{Found, paired_documents};

/// One path that a change edited.
#[derive(Clone, Copy, Debug)]
pub struct Versions<'a> {
    /// The path.
    pub path: &'a str,
    /// What stood there before the change; `None`: nothing.
    pub before: Option<&'a str>,
    /// What the change left there; `None`: nothing.
    pub change: Option<&'a str>,
    /// What stands there at the head; `None`: nothing.
    pub head: Option<&'a str>,
}

/// What giving the old values back comes to for one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    /// The path.
    pub path: String,
    /// The text that shall stand there; equal to that of the head where nothing is left to restore.
    pub text: String,
    /// The scalars that get their old value back.
    pub restored: Vec<RestoredScalar>,
    /// The scalars that somebody has set to something else since, which stay.
    pub superseded: Vec<SupersededScalar>,
}

/// A scalar that gets its old value back. Its values may be secret; `object` decides who may read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredScalar {
    /// Where it is, for people: `images[checkout].newTag`.
    pub field: String,
    /// The value that the change set.
    pub from: String,
    /// The value that it gets back.
    pub to: String,
}

/// A scalar that holds neither the value that the change set nor the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupersededScalar {
    /// Where it is, for people.
    pub field: String,
}

/// Why the values of a path cannot be given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRestorable {
    /// The change or somebody since added or removed the file.
    #[error("`{0}` was added or removed, which is no edit of values")]
    AddedOrRemoved(String),
    /// One of the versions cannot be read.
    #[error("`{path}` cannot be read {side}: {why}")]
    Unreadable {
        /// The path.
        path: String,
        /// Which version.
        side: &'static str,
        /// Why.
        why: Unreadable,
    },
    /// The change did more than set scalars.
    #[error("the change added, removed or reshaped {field} in `{path}`, which is no edit of a value")]
    Reshaped {
        /// The path.
        path: String,
        /// What it reshaped.
        field: String,
    },
    /// A scalar is no longer where the change left it.
    #[error("{field} of `{path}` is no longer where the change left it")]
    Moved {
        /// The path.
        path: String,
        /// Where it was.
        field: String,
    },
    /// It cannot be told which scalar of the head is the one that the change set.
    #[error("which value of `{path}` is {field} cannot be told with certainty")]
    Ambiguous {
        /// The path.
        path: String,
        /// Which one is meant.
        field: String,
    },
    /// The edited text would say something else than what was meant.
    #[error("giving {field} of `{path}` its old value back would change more than that")]
    SaysMore {
        /// The path.
        path: String,
        /// The fields that were to be restored.
        field: String,
    },
}

/// Gives the old values back in every path of a change. Paths that stand at the head as before the change are left out.
///
/// # Errors
/// Every path whose values cannot be given back; then the whole change is not undone this way.
pub fn restore_all(files: &[Versions<'_>]) -> Result<Vec<Restoration>, Vec<NotRestorable>> {
    let (mut restored, mut refused) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|file| file.before != file.head) {
        match restore(file) {
            Ok(restoration) => restored.push(restoration),
            Err(error) => refused.push(error),
        }
    }
    if refused.is_empty() { Ok(restored) } else { Err(refused) }
}

/// Gives the old values back in one path.
///
/// # Errors
/// Why they cannot be given back.
pub fn restore(file: &Versions<'_>) -> Result<Restoration, NotRestorable> {
    let (Some(before), Some(change), Some(head)) = (file.before, file.change, file.head) else {
        return Err(NotRestorable::AddedOrRemoved(file.path.to_owned()));
    };
    let restoration = |text: &str| Restoration { path: file.path.to_owned(), text: text.to_owned(), restored: vec![], superseded: vec![] };
    let read = |text: &str, side| parse(text).map_err(|why| NotRestorable::Unreadable { path: file.path.to_owned(), side, why });
    let (old, new, now) = (read(before, "before the change")?, read(change, "as the change left it")?, read(head, "at the head")?);
    let mut result = restoration(head);
    let mut edits = Vec::new();
    let reshaped = || NotRestorable::Reshaped { path: file.path.to_owned(), field: "a document".to_owned() };
    for pair in paired_documents(&old, &new).ok_or_else(reshaped)? {
        for difference in differences(pair.before, pair.change) {
            let field = shown_path(&difference.path);
            let scalar = scalars(file.path, &difference)?;
            match locate::find(&now, &pair, &difference.path) {
                Found::None => return Err(NotRestorable::Moved { path: file.path.to_owned(), field }),
                Found::Unclear => return Err(NotRestorable::Ambiguous { path: file.path.to_owned(), field }),
                Found::One(node) if node.says(scalar.1) || write::same_text(node, scalar.1) => {
                    result.restored.push(RestoredScalar { field, from: text_of(scalar.1), to: text_of(scalar.0) });
                    edits.push(write::Edit { at: node, old: scalar.0, set: scalar.1 });
                }
                Found::One(node) if node.says(scalar.0) => {}
                Found::One(_) => result.superseded.push(SupersededScalar { field }),
            }
        }
    }
    let says_more = || NotRestorable::SaysMore {
        path: file.path.to_owned(),
        field: result.restored.iter().map(|scalar| scalar.field.as_str()).collect::<Vec<_>>().join(", "),
    };
    result.text = write::edited(write::Texts { before, change, head }, &now, &edits).ok_or_else(says_more)?;
    Ok(result)
}

/// The two scalars of a difference.
fn scalars<'a>(path: &str, difference: &Difference<'a>) -> Result<(&'a Node, &'a Node), NotRestorable> {
    match (difference.before, difference.after) {
        (Some(before), Some(after)) if before.scalar().is_some() && after.scalar().is_some() => Ok((before, after)),
        _ => Err(NotRestorable::Reshaped { path: path.to_owned(), field: shown_path(&difference.path) }),
    }
}

fn text_of(node: &Node) -> String {
    node.scalar().map(|scalar| scalar.text.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
