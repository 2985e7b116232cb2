//! Undoing suspects for a service: Git's own inverse, or where that conflicts the first other way that works (design §9), and how dangerous
//! the result is. What a way leaves and what it undoes besides is written down with it; none of them guesses.

mod old_values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use git2::{Oid, Repository, Tree};

use self::old_values::restore_values;
use super::inverse::{self, Undone, Workshop};
use super::owners::{self, Owners, Reading, ServicePaths};
use super::trees::{self, Difference, PathBytes, Standing, shown};
use super::{GitError, Mirror, Undo, objects, oid};
use crate::engine::change::Entry;
use crate::engine::coherence;
use crate::engine::cosmetic::Use;
use crate::engine::grade::{self, Content, Grade, LaterFile, PlannedFile, Question};
use crate::engine::id::{CommitId, PolicyName};
use crate::engine::irrevertible;
use crate::engine::ownership::{self, Ownership};
use crate::engine::plan::{Account, AlsoUndone, CleanInverse, Inverse, InverseMethod, PlanKind};
use crate::engine::policy::{PathSet, Scope};

/// The answers that are kept.
const ANSWERS_KEPT: usize = 16;
/// Of more files than this, it is not checked whether references between them still hold.
const MOST_TEXTS: usize = 3_000;
/// The most things that are named in an account; the proposal has limits, and so has a reader.
const MOST_NAMED: usize = 50;

/// What is asked about some suspects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoQuestion {
    /// What the inverse is built on.
    pub onto: CommitId,
    /// What is undone, newest first.
    pub changes: Vec<Undo>,
    /// Whether all of it, or only what `of` owns.
    pub scope: Scope,
    /// The services that breach because of it.
    pub of: Vec<PolicyName>,
    /// Every service of the repository.
    pub services: Vec<ServicePaths>,
    /// The last revision at which all of `of` were seen healthy, where one is known.
    pub good: Option<CommitId>,
    /// What landed since then and is not undone by itself, newest first.
    pub later: Vec<LaterChange>,
    /// What no plan brings back: digests, tags or images.
    pub never_back_to: Vec<String>,
    /// Globs for the paths that the operator keeps from being merged without a person.
    pub protect: Vec<String>,
}

/// A change that landed after the good revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterChange {
    /// The commit.
    pub commit: CommitId,
    /// The first line of its message.
    pub subject: String,
    /// The paths that it changed.
    pub paths: Vec<String>,
}

impl Mirror {
    /// Undoes suspects on a base for the services that breach because of them; graded.
    ///
    /// # Errors
    /// Objects that are missing, a git that fails, or a glob that does not parse. A conflict that no way leads out of is no error.
    pub fn undo(&self, question: &UndoQuestion) -> Result<Inverse, GitError> {
        let mut kept = self.undone.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = kept.iter().find(|(asked, _)| asked == question) {
            return Ok(known.clone());
        }
        let repository = self.repository();
        let mut bench = Bench {
            workshop: Workshop { repository: &repository, git: &self.git, directory: &self.path },
            question,
            addresses: std::slice::from_ref(&self.remote.url),
            owners: self.owners.lock().unwrap_or_else(PoisonError::into_inner),
            reading: Reading::default(),
        };
        let answer = bench.undo()?;
        if kept.len() >= ANSWERS_KEPT {
            kept.remove(0);
        }
        kept.push((question.clone(), answer.clone()));
        Ok(answer)
    }
}

/// Everything that one question is answered with.
struct Bench<'a> {
    workshop: Workshop<'a>,
    question: &'a UndoQuestion,
    addresses: &'a [String],
    owners: MutexGuard<'a, Owners>,
    reading: Reading,
}

/// A tree that one of the ways leads to.
struct Outcome {
    tree: Option<Oid>,
    method: InverseMethod,
    kind: PlanKind,
    account: Account,
}

/// One change as the trees after and before it.
struct Step<'r> {
    undo: Undo,
    changed: Option<Tree<'r>>,
    before: Option<Tree<'r>>,
}

// === impl Bench ===

impl<'a> Bench<'a> {
    fn undo(&mut self) -> Result<Inverse, GitError> {
        let repository = self.workshop.repository;
        let base = trees::tree_of(repository, Some(oid(self.question.onto)))?;
        let (steps, mut account) = self.steps()?;
        let kind = if account.left.is_empty() { PlanKind::Revert } else { PlanKind::Paths };
        let (by_git, conflicts) = self.by_git(base.as_ref(), &steps)?;
        account.conflicts = conflicts;
        let mut tried = Vec::new();
        if let Some((tree, method)) = by_git {
            account.restored = self.restored(base.as_ref(), tree)?;
            let outcome = Outcome { tree, method, kind, account: account.clone() };
            match self.finish(base.as_ref(), outcome)? {
                Ok(inverse) => return Ok(inverse),
                Err(why) => tried.push(format!("Undoing only the service's part: {why}")),
            }
        } else {
            match self.by_values(base.as_ref(), &steps, &account)? {
                Ok(outcome) => match self.finish(base.as_ref(), outcome)? {
                    Ok(inverse) => return Ok(inverse),
                    Err(why) => tried.push(format!("Giving the old values back: {why}")),
                },
                Err(why) => tried.push(format!("Giving the old values back: {why}")),
            }
        }
        match self.last_known_good(base.as_ref(), &steps, &account)? {
            Ok(outcome) => match self.finish(base.as_ref(), outcome)? {
                Ok(inverse) => return Ok(inverse),
                Err(why) => tried.push(format!("Going back to the last state seen healthy: {why}")),
            },
            Err(why) => tried.push(format!("Going back to the last state seen healthy: {why}")),
        }
        Ok(Inverse::Conflict { paths: account.conflicts, tried })
    }

    /// The changes, for `scope: paths` less what the services do not own; the account says what that is.
    fn steps(&mut self) -> Result<(Vec<Step<'a>>, Account), GitError> {
        let repository = self.workshop.repository;
        let (mut whole, mut own, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for undo in &self.question.changes {
            let tree = |commit: Option<CommitId>| trees::tree_of(repository, commit.map(oid));
            let (changed, before) = (tree(Some(undo.commit))?, tree(undo.before)?);
            if self.question.scope == Scope::Paths {
                let ownership = self.ownership(before.as_ref(), changed.as_ref())?;
                let difference = trees::difference(repository, before.as_ref(), changed.as_ref())?;
                let (mine, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    difference.into_iter().partition(|(path, _)| self.owns(&ownership, &shown(path)));
                left.extend(others.keys().map(|path| format!("What {} did to `{}` stays.", undo.commit.short(), shown(path))));
                if !mine.is_empty() {
                    let back = mine.into_iter().map(|(path, difference)| (path, difference.from)).collect();
                    let restricted = trees::with_entries(repository, changed.as_ref(), &back)?;
                    let restricted = restricted.map(|id| find_tree(repository, id)).transpose()?;
                    own.push(Step { undo: *undo, changed: changed.clone(), before: restricted });
                }
            }
            whole.push(Step { undo: *undo, changed, before });
        }
        // What the service only depends on in a way that nobody sees is undone as a whole.
        if own.is_empty() || left.is_empty() {
            return Ok((whole, Account::default()));
        }
        Ok((own, Account { left: named(left), ..Account::default() }))
    }

    /// What `git revert` would write, or the paths in which it conflicts.
    #[expect(clippy::type_complexity, reason = "the tree with how it was found, and the conflicts")]
    fn by_git(&self, base: Option<&Tree<'_>>, steps: &[Step<'_>]) -> Result<(Option<(Option<Oid>, InverseMethod)>, Vec<String>), GitError> {
        let (mut current, mut method) = (base.map(Tree::id), InverseMethod::Exact);
        for step in steps {
            match inverse::undo_one(self.workshop, current, step.undo, step.changed.as_ref(), step.before.as_ref())? {
                Undone::Clean(tree, InverseMethod::Exact) => current = tree,
                Undone::Clean(tree, InverseMethod::Merged) => (current, method) = (tree, InverseMethod::Merged),
                Undone::Conflict(paths) => return Ok((None, paths)),
            }
        }
        Ok((Some((current, method)), Vec::new()))
    }

    /// Each change by Git where that is clean, else by giving the values that it set their old ones back.
    fn by_values(&self, base: Option<&Tree<'_>>, steps: &[Step<'_>], account: &Account) -> Result<Result<Outcome, String>, GitError> {
        let repository = self.workshop.repository;
        let mut account = account.clone();
        let mut conflicts: BTreeSet<String> = account.conflicts.iter().cloned().collect();
        let mut current = base.map(Tree::id);
        for step in steps {
            match inverse::undo_one(self.workshop, current, step.undo, step.changed.as_ref(), step.before.as_ref())? {
                Undone::Clean(tree, _) => current = tree,
                Undone::Conflict(paths) => {
                    conflicts.extend(paths);
                    let tree = current.map(|id| find_tree(repository, id)).transpose()?;
                    match restore_values(repository, tree.as_ref(), step)? {
                        Ok((tree, restored, left)) => {
                            current = tree;
                            account.restored.extend(restored);
                            account.left.extend(left);
                        }
                        Err(why) => return Ok(Err(why)),
                    }
                }
            }
        }
        if account.restored.is_empty() && !account.left.is_empty() {
            return Ok(Err("every value that it set has been set to something else since.".to_owned()));
        }
        account.conflicts = conflicts.into_iter().collect();
        account.restored = named(account.restored);
        account.left = named(account.left);
        Ok(Ok(Outcome { tree: current, method: InverseMethod::Merged, kind: PlanKind::Values, account }))
    }

    /// The services' paths as of the last revision that was seen healthy.
    fn last_known_good(
        &mut self,
        base: Option<&Tree<'_>>,
        steps: &[Step<'_>],
        account: &Account,
    ) -> Result<Result<Outcome, String>, GitError> {
        let repository = self.workshop.repository;
        let Some(good) = self.question.good else {
            return Ok(Err("no revision is known at which the service was seen healthy.".to_owned()));
        };
        let Ok(then) = trees::tree_of(repository, Some(oid(good))) else { return Ok(Err(format!("{good} is not there any more."))) };
        let ownership = self.ownership(then.as_ref(), base)?;
        let back: BTreeMap<PathBytes, Option<Entry>> = trees::difference(repository, base, then.as_ref())?
            .into_iter()
            .filter(|(path, _)| self.owns(&ownership, &shown(path)))
            .map(|(path, difference)| (path, difference.to))
            .collect();
        let mut left = Vec::new();
        let mut undoes = false;
        for step in steps {
            for (path, difference) in trees::difference(repository, step.before.as_ref(), step.changed.as_ref())? {
                undoes |= back.contains_key(&path);
                if !back.contains_key(&path) && trees::look_up(repository, base, &path)? == standing(difference.to) {
                    left.push(format!("What {} did to `{}` stays.", step.undo.commit.short(), shown(&path)));
                }
            }
        }
        if !undoes {
            return Ok(Err("that would undo nothing of the change.".to_owned()));
        }
        let paths: BTreeSet<String> = back.keys().map(|path| shown(path)).collect();
        let also_undone = self.question.later.iter().filter(|later| later.paths.iter().any(|path| paths.contains(path)));
        left.extend(account.left.iter().cloned());
        let account = Account {
            conflicts: account.conflicts.clone(),
            restored: named(paths.iter().map(|path| format!("`{path}`")).collect()),
            left: named(left),
            good: Some(good),
            also_undone: also_undone
                .map(|later| AlsoUndone { commit: later.commit, subject: later.subject.clone() })
                .take(MOST_NAMED)
                .collect(),
        };
        let tree = trees::with_entries(repository, base, &back)?;
        Ok(Ok(Outcome { tree, method: InverseMethod::Exact, kind: PlanKind::LastKnownGood, account }))
    }

    /// Checks that a result holds together, where part of what the branch holds goes back, and grades it.
    fn finish(&mut self, base: Option<&Tree<'_>>, outcome: Outcome) -> Result<Result<Inverse, String>, GitError> {
        let repository = self.workshop.repository;
        let clean = inverse::clean(repository, self.question.onto, base, outcome.tree, outcome.method)?;
        let Some(clean) = clean else { return Ok(Ok(Inverse::AlreadyUndone)) };
        let result = outcome.tree.map(|id| find_tree(repository, id)).transpose()?;
        let ownership = self.ownership(base, result.as_ref())?;
        let touched = ownership.services_of(clean.paths.iter().map(|path| path.path.as_str()));
        let services: BTreeSet<PolicyName> = touched.iter().chain(&self.question.of).cloned().collect();
        let after = self.texts(result.as_ref(), &services)?;
        if outcome.kind != PlanKind::Revert {
            let (Some(before), Some(after)) = (self.texts(base, &services)?, &after) else {
                return Ok(Err(format!("the services have over {MOST_TEXTS} files, and whether it holds together cannot be checked.")));
            };
            let broken = coherence::check(&borrowed(&before), &borrowed(after)).broken;
            if !broken.is_empty() {
                let sentences: Vec<String> = broken.iter().take(3).map(coherence::BrokenReference::sentence).collect();
                return Ok(Err(sentences.join(" ")));
            }
        }
        let sides = sides(repository, trees::difference(repository, base, result.as_ref())?);
        let files: Vec<PlannedFile<'_>> =
            sides.iter().map(|side| PlannedFile { path: &side.path, before: side.from.content(), after: side.to.content() }).collect();
        let grade = Some(self.grade(base, &files, &ownership, touched, &after.unwrap_or_default())?.into());
        let brings_back = irrevertible::brought_back(&self.question.never_back_to, &files);
        let protected = self.protected(&clean)?;
        let account = (outcome.kind != PlanKind::Revert).then(|| Box::new(outcome.account));
        Ok(Ok(Inverse::Clean(CleanInverse { kind: outcome.kind, account, grade, brings_back, protected, ..clean })))
    }

    /// The paths of a plan that the operator protects.
    fn protected(&self, clean: &CleanInverse) -> Result<Vec<String>, GitError> {
        if self.question.protect.is_empty() {
            return Ok(Vec::new());
        }
        let globs = PathSet { include: self.question.protect.clone(), exclude: Vec::new() };
        let matcher = globs.matcher().map_err(|error| GitError::Unsupported(format!("a glob of `protect` cannot be read: {error}")))?;
        Ok(clean.paths.iter().filter(|path| matcher.owns(&path.path)).map(|path| path.path.clone()).collect())
    }

    fn grade(
        &mut self,
        base: Option<&Tree<'_>>,
        files: &[PlannedFile<'_>],
        ownership: &Ownership,
        services: BTreeSet<PolicyName>,
        around: &[(String, String)],
    ) -> Result<Grade, GitError> {
        let repository = self.workshop.repository;
        let newest = trees::tree_of(repository, self.question.changes.first().map(|undo| oid(undo.commit)))?;
        let since: BTreeMap<PathBytes, Difference> = trees::difference(repository, newest.as_ref(), base)?
            .into_iter()
            .filter(|(path, _)| ownership.owners(&shown(path)).iter().any(|owner| services.contains(&owner.service)))
            .collect();
        let since = sides(repository, since);
        let later: Vec<LaterFile<'_>> = since
            .iter()
            .map(|side| LaterFile {
                path: &side.path,
                then: side.from.content(),
                now: side.to.content(),
                used: if ownership.is_taken_as_bytes(&side.path) { Use::Bytes } else { Use::Parsed },
            })
            .collect();
        Ok(grade::grade(&Question { files, around: &borrowed(around), later: &later, running: &[], services }))
    }

    fn ownership(&mut self, before: Option<&Tree<'_>>, after: Option<&Tree<'_>>) -> Result<Ownership, GitError> {
        let repository = self.workshop.repository;
        owners::between(repository, &mut self.owners, &mut self.reading, self.addresses, (before, after), &self.question.services)
    }

    fn owns(&self, ownership: &Ownership, path: &str) -> bool {
        ownership.owners(path).iter().any(|owner| self.question.of.contains(&owner.service))
    }

    /// The manifests of some services, with what they pull in; `None` where they are too many.
    fn texts(&mut self, tree: Option<&Tree<'_>>, services: &BTreeSet<PolicyName>) -> Result<Option<Vec<(String, String)>>, GitError> {
        let repository = self.workshop.repository;
        let Some(tree) = tree else { return Ok(Some(Vec::new())) };
        let mut paths = BTreeSet::new();
        for service in self.question.services.iter().filter(|service| services.contains(&service.name)) {
            let known = self.owners.closure(repository, &mut self.reading, self.addresses, Some(tree), &service.paths)?;
            paths.extend(known.closure.pulled.keys().cloned());
            let Ok(matcher) = service.paths.matcher() else { continue };
            for root in ownership::roots(&service.paths) {
                paths.extend(self.reading.list(repository, tree, &root).into_iter().filter(|path| matcher.owns(path)));
            }
        }
        if paths.len() > MOST_TEXTS {
            return Ok(None);
        }
        Ok(Some(paths.into_iter().filter_map(|path| Some((path.clone(), owners::text_at(repository, tree, &path)?))).collect()))
    }

    /// The paths that a tree restores; for Git's own way, where the account says no more.
    fn restored(&self, base: Option<&Tree<'_>>, tree: Option<Oid>) -> Result<Vec<String>, GitError> {
        let repository = self.workshop.repository;
        let result = tree.map(|id| find_tree(repository, id)).transpose()?;
        let difference = trees::difference(repository, base, result.as_ref())?;
        Ok(named(difference.keys().map(|path| format!("`{}`", shown(path))).collect()))
    }
}

fn find_tree(repository: &Repository, id: Oid) -> Result<Tree<'_>, GitError> {
    repository.find_tree(id).map_err(objects("cannot read a tree"))
}

fn standing(entry: Option<Entry>) -> Standing {
    entry.map_or(Standing::Nothing, Standing::File)
}

fn borrowed(texts: &[(String, String)]) -> Vec<(&str, &str)> {
    texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect()
}

/// At most so many, then how many more.
fn named(mut things: Vec<String>) -> Vec<String> {
    if things.len() > MOST_NAMED {
        let more = things.len() - MOST_NAMED;
        things.truncate(MOST_NAMED);
        things.push(format!("and {more} more"));
    }
    things
}

/// Both sides of a path, read.
struct Sides {
    path: String,
    from: Side,
    to: Side,
}

enum Side {
    Absent,
    Text(String),
    Unreadable(&'static str),
}

impl Side {
    fn read(repository: &Repository, entry: Option<Entry>) -> Self {
        let Some(entry) = entry else { return Self::Absent };
        match inverse::regular_file(repository, entry).map(String::from_utf8) {
            Some(Ok(text)) => Self::Text(text),
            Some(Err(_)) => Self::Unreadable("it is not UTF-8"),
            None => Self::Unreadable("it is no regular file, or larger than 1 MiB"),
        }
    }

    fn content(&self) -> Content<'_> {
        match self {
            Self::Absent => Content::Absent,
            Self::Text(text) => Content::Text(text),
            Self::Unreadable(why) => Content::Unreadable(why),
        }
    }

    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

fn sides(repository: &Repository, difference: BTreeMap<PathBytes, Difference>) -> Vec<Sides> {
    let read = |entry| Side::read(repository, entry);
    difference.into_iter().map(|(path, both)| Sides { path: shown(&path), from: read(both.from), to: read(both.to) }).collect()
}

#[cfg(test)]
mod tests;
