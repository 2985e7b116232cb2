//! The history of a mirror: what a move of the branch means, what a commit changed, and which reverts of ours are on the branch.

use std::sync::PoisonError;
use std::time::Duration;

use git2::{Commit, Oid, Repository, Sort};

use super::trees::{self, shown};
use super::{GitError, LandedPlan, Mirror, Move, commit_id, inverse, objects, oid};
use crate::engine::change::{Change, ChangeKind, Entry, Meaning, PathChange, Person, Reverted};
use crate::engine::cosmetic::{self, Use};
use crate::engine::id::{CommitId, PlanDigest, PolicyName, TreeId};
use crate::engine::plan::PlannedPath;
use crate::engine::time::Timestamp;

/// A push of more commits than this is taken as a landing of its newest ones; older ones are too many to be suspects.
const MOST_CHANGES: usize = 500;
/// At the first start, this many commits of the line are noted as having landed at an unknown time.
const FIRST_CHANGES: usize = 10;
/// Our own reverts are looked for in at most this many commits.
const MOST_SEARCHED: usize = 5000;
/// Committer dates of people's machines are not in order.
const SLACK: Duration = Duration::from_secs(24 * 3600);
/// A message is read up to this many bytes.
const MESSAGE_LIMIT: usize = 64 * 1024;

impl Mirror {
    /// What a move of the branch from one head to another means.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn landing(&self, from: Option<CommitId>, to: CommitId) -> Result<Move, GitError> {
        let repository = self.repository();
        let Some(from) = from else { return Ok(Move::First(line(&repository, None, oid(to), FIRST_CHANGES)?.unwrap_or_default())) };
        if let Some(changes) = line(&repository, Some(oid(from)), oid(to), MOST_CHANGES)? {
            return Ok(Move::Line(changes));
        }
        // A head that is gone from the mirror cannot be an ancestor of anything that is there.
        let is_ancestor = repository.find_commit(oid(from)).is_ok()
            && repository.graph_descendant_of(oid(to), oid(from)).map_err(objects("cannot compare two heads"))?;
        if is_ancestor {
            return Ok(Move::Foxtrot(Box::new(change(&repository, oid(to), Some(oid(from)))?)));
        }
        Ok(Move::Rewritten)
    }

    /// One commit, compared with its first parent.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn change(&self, id: CommitId) -> Result<Change, GitError> {
        let repository = self.repository();
        let parent = find(&repository, oid(id))?.parent_id(0).ok();
        change(&repository, oid(id), parent)
    }

    /// The text of a file; `None` for what is no regular file, no UTF-8, or over a megabyte.
    pub fn text(&self, entry: Entry) -> Option<String> {
        String::from_utf8(inverse::regular_file(&self.repository(), entry)?).ok()
    }

    /// A commit as its revert's message names it. `before` is what the revert goes back to: for a foxtrot merge not the first parent.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn reverted(&self, id: CommitId, before: Option<CommitId>) -> Result<Reverted, GitError> {
        let found = reverted(&self.repository(), id)?;
        Ok(Reverted { merge_parent: found.merge_parent.and(before), ..found })
    }

    /// Whether `ancestor` is `commit` or one of its ancestors.
    ///
    /// # Errors
    /// `commit` is missing. An ancestor that is missing is none.
    pub fn is_ancestor(&self, ancestor: CommitId, commit: CommitId) -> Result<bool, GitError> {
        let repository = self.repository();
        if ancestor == commit {
            return Ok(true);
        }
        if repository.find_commit(oid(ancestor)).is_err() {
            return Ok(false);
        }
        repository.graph_descendant_of(oid(commit), oid(ancestor)).map_err(objects("cannot compare two commits"))
    }

    /// The paths that differ between two commits, sorted.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn changed_paths(&self, from: CommitId, to: CommitId) -> Result<Vec<PlannedPath>, GitError> {
        let repository = self.repository();
        let (from, to) = (trees::tree_of(&repository, Some(oid(from)))?, trees::tree_of(&repository, Some(oid(to)))?);
        Ok(inverse::planned(&trees::difference(&repository, from.as_ref(), to.as_ref())?))
    }

    /// The paths that a branch changes since it left another, sorted; `None` where they have nothing in common.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn branch_changes(&self, branch: CommitId, from: CommitId) -> Result<Option<Vec<PlannedPath>>, GitError> {
        let base = {
            let repository = self.repository();
            match repository.merge_base(oid(branch), oid(from)) {
                Ok(base) => commit_id(base),
                Err(error) if error.code() == git2::ErrorCode::NotFound && find(&repository, oid(branch)).is_ok() => return Ok(None),
                Err(error) => return Err(objects("cannot find where a branch began")(error)),
            }
        };
        self.changed_paths(base, branch).map(Some)
    }

    /// Whether a commit is a proposal's (design §2): this one parent, this tree, and this plan in its message. Who made it and when does not
    /// matter. One that is missing is not.
    pub fn is_proposal(&self, commit: CommitId, base: CommitId, tree: TreeId, plan: &PlanDigest) -> bool {
        let repository = self.repository();
        let Ok(commit) = find(&repository, oid(commit)) else { return false };
        let parents: Vec<CommitId> = commit.parent_ids().map(commit_id).collect();
        parents == [base] && commit.tree_id().as_bytes() == tree.0 && plan_trailer(&message(&commit)).as_ref() == Some(plan)
    }

    /// Whether a commit carries a plan of revertd's. One that is missing does not.
    pub fn carries_plan(&self, commit: CommitId) -> bool {
        find(&self.repository(), oid(commit)).is_ok_and(|commit| plan_trailer(&message(&commit)).is_some())
    }

    /// The content of a regular file, up to a megabyte; `None` for anything else.
    pub fn content(&self, entry: Entry) -> Option<Vec<u8>> {
        inverse::regular_file(&self.repository(), entry)
    }

    /// Every commit reachable from `head` and not older than `since` (by committer date) that carries a `Revertd-Plan` trailer, newest first.
    ///
    /// The answer is kept until the head moves: an open incident asks in every pass.
    ///
    /// # Errors
    /// Objects that are missing.
    pub fn landed_plans(&self, head: CommitId, since: Timestamp) -> Result<Vec<LandedPlan>, GitError> {
        let mut kept = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let walked = match kept.take().filter(|walk| walk.head == head && walk.since <= since) {
            Some(walk) => walk,
            None => PlanWalk { head, since, found: walk_plans(&self.repository(), head, since)? },
        };
        let found = walked.found.iter().filter(|landed| landed.committed >= since - SLACK).cloned().collect();
        *kept = Some(walked);
        Ok(found)
    }
}

/// What the last walk for plans found.
pub(super) struct PlanWalk {
    head: CommitId,
    since: Timestamp,
    found: Vec<LandedPlan>,
}

fn walk_plans(repository: &Repository, head: CommitId, since: Timestamp) -> Result<Vec<LandedPlan>, GitError> {
    let doing = "cannot walk the history";
    let mut walk = repository.revwalk().map_err(objects(doing))?;
    walk.set_sorting(Sort::TIME).map_err(objects(doing))?;
    walk.push(oid(head)).map_err(objects(doing))?;
    let mut found = Vec::new();
    // A forge's merge commit tells the plan of the commit that it brings again: that is one revert.
    let mut brought: Vec<(CommitId, PlanDigest)> = Vec::new();
    for id in walk.take(MOST_SEARCHED) {
        let commit = find(repository, id.map_err(objects(doing))?)?;
        if commit.time().seconds() < (since - SLACK).secs() {
            break;
        }
        let message = message(&commit);
        if let Some(plan) = plan_trailer(&message) {
            brought.extend(commit.parent_ids().skip(1).map(|parent| (commit_id(parent), plan.clone())));
            let policies = trailers(&message, "Revertd-Policy").map(PolicyName::new).collect();
            let committed = Timestamp::from_secs(commit.time().seconds());
            found.push(LandedPlan { commit: commit_id(commit.id()), plan, policies, committed });
        }
    }
    // Afterwards: commits of one second come in any order.
    found.retain(|landed| !brought.iter().any(|(commit, plan)| *commit == landed.commit && *plan == landed.plan));
    Ok(found)
}

/// A commit as its revert's message names it.
pub(super) fn reverted(repository: &Repository, id: CommitId) -> Result<Reverted, GitError> {
    let commit = find(repository, oid(id))?;
    let merge_parent = (commit.parent_count() > 1).then(|| commit.parent_id(0).ok().map(commit_id)).flatten();
    Ok(Reverted { id, subject: message(&commit).trim_start_matches('\n').lines().next().unwrap_or_default().to_owned(), merge_parent })
}

/// The first-parent line from `to` back to `from`, oldest first; `None` where `from` is not on it. Without `from`, the newest commits.
fn line(repository: &Repository, from: Option<Oid>, to: Oid, most: usize) -> Result<Option<Vec<Change>>, GitError> {
    let mut ids = Vec::new();
    let mut next = Some(to);
    while let Some(id) = next.filter(|id| Some(*id) != from) {
        if from.is_none() && ids.len() == most {
            break;
        }
        let parent = find(repository, id)?.parent_id(0).ok();
        ids.push((id, parent));
        next = parent;
    }
    if from.is_some() && next.is_none() {
        return Ok(None);
    }
    ids.truncate(most);
    ids.reverse();
    ids.into_iter().map(|(id, parent)| change(repository, id, parent)).collect::<Result<Vec<_>, _>>().map(Some)
}

/// The message of a commit.
pub(super) fn message_at(repository: &Repository, id: CommitId) -> Result<String, GitError> {
    Ok(message(&find(repository, oid(id))?))
}

fn find(repository: &Repository, id: Oid) -> Result<Commit<'_>, GitError> {
    repository.find_commit(id).map_err(objects(format!("cannot read the commit {id}")))
}

fn change(repository: &Repository, id: Oid, before: Option<Oid>) -> Result<Change, GitError> {
    let commit = find(repository, id)?;
    let message = message(&commit);
    let (old, new) = (trees::tree_of(repository, before)?, trees::tree_of(repository, Some(id))?);
    let paths = trees::difference(repository, old.as_ref(), new.as_ref())?
        .into_iter()
        .map(|(path, difference)| {
            let shown = shown(&path);
            // Whether the bytes are used as they are, only the owners know: see `owners`.
            let text = |entry| String::from_utf8(inverse::regular_file(repository, entry)?).ok();
            let meaning = match (difference.from, difference.to) {
                (Some(from), Some(to)) if from.mode == to.mode => {
                    text(from).zip(text(to)).map_or(Meaning::Changed, |(old, new)| cosmetic::meaning(&shown, &old, &new, Use::Parsed))
                }
                _ => Meaning::Changed,
            };
            PathChange { path: shown, from: difference.from, to: difference.to, meaning }
        })
        .collect();
    let author = commit.author();
    let person = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().filter(|character| !character.is_control()).take(120).collect();
    Ok(Change {
        id: commit_id(id),
        parents: commit.parent_ids().map(commit_id).collect(),
        before: before.map(commit_id),
        author: Person { name: person(author.name_bytes()), email: person(author.email_bytes()) },
        subject: message
            .trim_start_matches('\n')
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|character| !character.is_control())
            .take(200)
            .collect(),
        kind: kind(commit.parent_count(), &message),
        paths,
        opt_out: opt_out(&message),
        plan: plan_trailer(&message),
        pulled_in_by: Vec::new(),
        concerns: Vec::new(),
    })
}

fn message(commit: &Commit<'_>) -> String {
    let bytes = commit.message_raw_bytes();
    String::from_utf8_lossy(&bytes[..bytes.len().min(MESSAGE_LIMIT)]).into_owned()
}

/// What a message says of its commit: what kind it is, the line that asks for no automatic revert, and the plan that it carries out.
pub fn read_message(parents: usize, message: &str) -> (ChangeKind, Option<String>, Option<PlanDigest>) {
    (kind(parents, message), opt_out(message), plan_trailer(message))
}

fn kind(parents: usize, message: &str) -> ChangeKind {
    if parents > 1 {
        return ChangeKind::Merge;
    }
    let of: Vec<CommitId> =
        message.lines().filter_map(|line| line.trim().strip_prefix("This reverts commit ")?.get(..40)?.parse().ok()).collect();
    match (of.is_empty(), message.trim_start().starts_with("Reapply \"")) {
        (true, _) => ChangeKind::Ordinary,
        (false, true) => ChangeKind::Reapply { of },
        (false, false) => ChangeKind::Revert { of },
    }
}

/// The line that asks for no automatic revert: a `Revertd: never` line, or `NOAUTOREVERT = true` as LUCI Bisection reads it.
fn opt_out(message: &str) -> Option<String> {
    message
        .lines()
        .find(|line| {
            let words: String = line.split_whitespace().collect();
            words.eq_ignore_ascii_case("revertd:never") || words.contains("NOAUTOREVERT=true")
        })
        .map(|line| line.trim().chars().filter(|character| !character.is_control()).take(100).collect())
}

/// The values of a trailer in the last paragraph of a message. The first paragraph is the title, and holds none.
fn trailers<'a>(message: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let last = message.trim().rsplit_once("\n\n").map_or("", |(_, last)| last);
    last.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix(": ").map(str::trim))
}

fn plan_trailer(message: &str) -> Option<PlanDigest> {
    let value = trailers(message, "Revertd-Plan").next()?;
    (value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| PlanDigest::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_paragraph_holds_trailers() {
        let plan = "a".repeat(64);
        assert_eq!(plan_trailer(&format!("Revert\n\nwhy\n\nReverts: x\nRevertd-Plan: {plan}\n")), Some(PlanDigest::new(&plan)));
        assert_eq!(plan_trailer(&format!("Revert\n\nRevertd-Plan: {plan}\n\nmore text\n")), None);
        assert_eq!(plan_trailer("Revert\n\nRevertd-Plan: abc\n"), None);
        assert_eq!(plan_trailer(&format!("Revertd-Plan: {plan}\n")), None);
        assert_eq!(plan_trailer(&format!("\n\nRevert\nRevertd-Plan: {plan}\n")), None);
    }

    #[test]
    fn a_merge_commit_and_what_it_brings_are_one_revert() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
        let signature = git2::Signature::new("robin", "robin@shop.example", &git2::Time::new(1_795_230_000, 0)).unwrap();
        let commit = |message: &str, parents: &[Oid]| {
            let parents: Vec<Commit<'_>> = parents.iter().map(|parent| repository.find_commit(*parent).unwrap()).collect();
            repository.commit(None, &signature, &signature, message, &tree, &parents.iter().collect::<Vec<_>>()).unwrap()
        };
        let revert = |byte: &str| format!("Revert\n\nRevertd-Plan: {}\n", byte.repeat(64));
        let base = commit("Add the services", &[]);
        let first = commit(&revert("a"), &[base]);
        let merged = commit(&revert("a"), &[base, first]);
        let again = commit(&revert("a"), &[merged]);
        let other = commit(&revert("b"), &[again]);
        let head = commit("Merge the branch", &[again, other]);
        let found = walk_plans(&repository, commit_id(head), Timestamp(0)).unwrap();
        let mut commits: Vec<CommitId> = found.iter().map(|landed| landed.commit).collect();
        let mut expected = [merged, again, other].map(commit_id);
        commits.sort_unstable();
        expected.sort_unstable();
        assert_eq!(commits, expected);
    }

    #[test]
    fn opting_out_is_seen_in_both_forms() {
        assert_eq!(opt_out("Bump\n\nRevertd: never\n").as_deref(), Some("Revertd: never"));
        assert_eq!(opt_out("Bump\n\nNOAUTOREVERT = true").as_deref(), Some("NOAUTOREVERT = true"));
        assert_eq!(opt_out("Bump the never-ending revertd"), None);
    }
}
