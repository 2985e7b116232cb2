//! Merging a pull request: the order in which GitHub looks for reasons not to, and the commits that a merge writes.
//!
//! A merge moves the base by compare-and-swap from the head that its commit was made on; who was slower is told so.

use serde_json::json;

use crate::engine::change::Person;
use crate::engine::id::CommitId;
use crate::git::scratch::{ScratchError, Signed};

use super::pulls::{Pull, PullState};
use super::reply::{Call, Handled, Reply};
use super::rules::{Landing, forbidden};
use super::state::{MergeMethod, World};

/// What somebody asks for.
pub(super) struct Merge<'a> {
    pub(super) method: MergeMethod,
    /// The head that they have seen, if they say which.
    pub(super) head: Option<&'a str>,
    pub(super) title: Option<&'a str>,
    pub(super) message: Option<&'a str>,
}

const NOT_MERGEABLE: &str = "Pull Request is not mergeable";

// === impl World ===

impl World {
    /// Merges a pull request as somebody, and gives the commit on the base.
    pub(super) fn merge(&mut self, login: &str, number: u64, merge: &Merge<'_>) -> Result<CommitId, Reply> {
        let pull = self.pull(number)?.clone();
        if pull.state != PullState::Open {
            return Err(Reply::error(405, NOT_MERGEABLE));
        }
        if merge.head.is_some_and(|head| head != pull.head.to_string()) {
            return Err(Reply::error(409, "Head branch was modified. Review and try the merge again."));
        }
        if !self.merge_methods.contains(&merge.method) {
            let sentence = match merge.method {
                MergeMethod::Merge => "Merge commits are not allowed on this repository.",
                MergeMethod::Squash => "Squash merges are not allowed on this repository.",
                MergeMethod::Rebase => "Rebase merges are not allowed on this repository.",
            };
            return Err(Reply::error(405, sentence));
        }
        let message = self.message(&pull, merge)?;
        let violations =
            self.violations(&pull.base_branch, login, &Landing::Merge { pull: &pull, method: merge.method, message: &message })?;
        if !violations.is_empty() {
            return Err(Reply::error(405, &forbidden(&violations)));
        }
        self.land(login, &pull, merge.method, &message)
    }

    /// Merges without asking the rules, as the merge queue does when its turn has come.
    pub(super) fn land(&mut self, login: &str, pull: &Pull, method: MergeMethod, message: &str) -> Result<CommitId, Reply> {
        let base = *self.heads.get(&pull.base_branch).ok_or_else(|| Reply::error(405, NOT_MERGEABLE))?;
        let commit = match self.merge_commit(login, pull, base, method, message) {
            Err(ScratchError::Conflict { .. }) => return Err(Reply::error(405, NOT_MERGEABLE)),
            made => made?,
        };
        if let Some(race) = self.race.take() {
            race(&self.repository);
        }
        match self.repository.move_branch(&pull.base_branch, Some(base), commit) {
            Err(ScratchError::Moved(_)) => {
                self.observe()?;
                return Err(Reply::error(405, "Base branch was modified. Review and try the merge again."));
            }
            moved => moved?,
        }
        if method != MergeMethod::Rebase {
            self.signed.insert(commit);
        }
        let now = self.now();
        self.pull_mut(pull.number)?.merged(commit, Some(login.to_owned()), now);
        self.queue.retain(|queued| *queued != pull.number);
        // The same commit may have brought other pull requests along.
        self.observe()?;
        Ok(commit)
    }

    fn merge_commit(&self, login: &str, pull: &Pull, base: CommitId, method: MergeMethod, message: &str) -> Result<CommitId, ScratchError> {
        let (now, merger, github) = (self.now(), self.identity(login), github());
        let by = |person| Signed { person, at: now, message };
        if method == MergeMethod::Rebase {
            return self.rebase(&merger, pull, base);
        }
        let tree = self.repository.merged_tree(&[&base.to_string(), &pull.head.to_string()])?;
        if method == MergeMethod::Merge {
            return self.repository.commit_object(&[base, pull.head], tree, by(&merger), by(&github));
        }
        let author = self.identity(&pull.author);
        self.repository.commit_object(&[base], tree, by(&author), by(&github))
    }

    fn rebase(&self, merger: &Person, pull: &Pull, base: CommitId) -> Result<CommitId, ScratchError> {
        let mut head = base;
        for commit in self.between(base, pull.head)? {
            let line = self.repository.log(&commit.to_string(), 1)?;
            let Some(line) = line.into_iter().next() else { continue };
            let [parent] = line.parents[..] else { continue };
            let tree = self.repository.merged_tree(&[&format!("--merge-base={parent}"), &head.to_string(), &commit.to_string()])?;
            let message = self.repository.message(commit)?;
            let author = Signed { person: &line.author, at: line.at, message: &message };
            head = self.repository.commit_object(&[head], tree, author, Signed { person: merger, at: self.now(), message: "" })?;
        }
        Ok(head)
    }

    /// The message that the merge will have. What is asked for is taken as it is; the rest is GitHub's default.
    fn message(&self, pull: &Pull, merge: &Merge<'_>) -> Result<String, ScratchError> {
        let (title, body) = match merge.method {
            MergeMethod::Rebase => return Ok(String::new()),
            MergeMethod::Merge => {
                (format!("Merge pull request #{} from {}/{}", pull.number, self.owner, pull.head_branch), pull.title.clone())
            }
            MergeMethod::Squash => self.squash_message(pull)?,
        };
        let title = merge.title.map_or(title, str::to_owned);
        let body = merge.message.map_or(body, str::to_owned);
        Ok(if body.is_empty() { title } else { format!("{title}\n\n{body}") })
    }

    /// One commit gives its own message, several a list of theirs under the pull request's title.
    fn squash_message(&self, pull: &Pull) -> Result<(String, String), ScratchError> {
        let commits = self.between(pull.base, pull.head)?;
        let messages = commits.iter().map(|commit| self.repository.message(*commit)).collect::<Result<Vec<_>, _>>()?;
        if let [message] = messages.as_slice() {
            let (subject, body) = message.split_once('\n').unwrap_or((message, ""));
            return Ok((format!("{subject} (#{})", pull.number), body.trim_start().to_owned()));
        }
        let list: Vec<String> = messages.iter().map(|message| format!("* {message}")).collect();
        Ok((format!("{} (#{})", pull.title, pull.number), list.join("\n\n")))
    }

    /// How an account signs a commit that it makes on the web.
    pub(super) fn identity(&self, login: &str) -> Person {
        let id = self.account(login).map_or(0, |account| account.id);
        Person { name: login.to_owned(), email: format!("{id}+{login}@users.noreply.github.com") }
    }

    /// The merge queue merges the first pull request that is in it. `None` where it is empty.
    pub(super) fn advance_queue(&mut self) -> Result<Option<CommitId>, Reply> {
        let Some(number) = self.queue.first().copied() else { return Ok(None) };
        let pull = self.pull(number)?.clone();
        let merge = Merge { method: MergeMethod::Merge, head: None, title: None, message: None };
        let message = self.message(&pull, &merge)?;
        self.land("github-merge-queue[bot]", &pull, merge.method, &message).map(Some)
    }
}

/// The committer of what is made on the web.
pub(super) fn github() -> Person {
    Person { name: "GitHub".to_owned(), email: "noreply@github.com".to_owned() }
}

// === handlers ===

/// `GET /repos/{owner}/{repo}/pulls/{number}/merge`: 204 when it was merged.
pub(super) fn is_merged(world: &World, number: u64) -> Handled {
    if world.pull(number)?.is_merged() { Ok(Reply::empty(204)) } else { Err(Reply::not_found()) }
}

/// `PUT /repos/{owner}/{repo}/pulls/{number}/merge`.
pub(super) fn merge(world: &mut World, call: &Call, number: u64) -> Handled {
    let method = match call.text("merge_method") {
        None => MergeMethod::Merge,
        Some(text) => MergeMethod::parse(text).ok_or_else(|| Reply::invalid("PullRequest", "merge_method", "invalid"))?,
    };
    let merge = Merge { method, head: call.text("sha"), title: call.text("commit_title"), message: call.text("commit_message") };
    let commit = world.merge(call.caller.login(), number, &merge)?;
    Ok(Reply::ok(json!({"sha": commit.to_string(), "merged": true, "message": "Pull Request successfully merged"})))
}
