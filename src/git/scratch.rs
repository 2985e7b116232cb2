//! A bare repository of one's own, and what people do in it: for `revertd demo` and for tests.
//!
//! Never for a watched repository. It plays the other side, a forge on which people commit, merge and revert by hand, so it shares no code
//! with the mirror that is tested against it. Every command is hermetic: no system, global or environment configuration, no hooks, no
//! prompts, names and dates as given. The same calls give the same object ids on any machine.
//!
//! Calls block for some milliseconds each (a few short git processes); asynchronous callers move them off their threads.

mod answer;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::engine::change::Person;
use crate::engine::id::{CommitId, TreeId};
use crate::engine::time::Timestamp;

use answer::{batch, commit_id, failed, log_line, subcommand, tree_id, unexpected};

/// Why something could not be done in a scratch repository.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The directory could not be made.
    #[error("cannot make the directory {}", .path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// git could not be started, or its pipes broke.
    #[error("cannot run `git {command}`")]
    Run {
        /// The subcommand.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// git said no.
    #[error("`git {command}` failed: {stderr}")]
    Failed {
        /// The subcommand.
        command: String,
        /// What it wrote to its standard error.
        stderr: String,
    },
    /// git answered something that could not be read.
    #[error("`git {command}` answered what was not expected: {answer}")]
    Answer {
        /// The subcommand.
        command: String,
        /// The beginning of the answer.
        answer: String,
    },
    /// The branch is not there.
    #[error("there is no branch `{0}`")]
    NoBranch(String),
    /// Somebody else moved the branch meanwhile; it was left as it is.
    #[error("the branch `{0}` moved meanwhile")]
    Moved(String),
    /// What was to be combined conflicts; the branch was left as it was.
    #[error("it conflicts in {}", .paths.join(", "))]
    Conflict {
        /// The paths.
        paths: Vec<String>,
    },
}

/// What one commit does to one file. Files are regular and not executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileEdit {
    /// Puts a file there, whether or not there was one.
    Write {
        /// The path from the repository's root, with `/`.
        path: String,
        /// The whole content.
        content: Vec<u8>,
    },
    /// Takes a file away.
    Remove {
        /// The path from the repository's root, with `/`.
        path: String,
    },
}

/// Who does something, when, and what the commit says about it.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Author and committer.
    pub person: &'a Person,
    /// Both dates, in whole seconds, in UTC.
    pub at: Timestamp,
    /// The message.
    pub message: &'a str,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The commit.
    pub id: CommitId,
    /// Its parents, in order.
    pub parents: Vec<CommitId>,
    /// Who wrote it.
    pub author: Person,
    /// The author's date.
    pub at: Timestamp,
    /// The first line of the message.
    pub subject: String,
}

/// A bare repository that belongs to the caller.
#[derive(Clone, Debug)]
pub struct ScratchRepository {
    directory: PathBuf,
}

static INDEX_NUMBER: AtomicU64 = AtomicU64::new(0);

// === impl ScratchRepository: the repository ===

impl ScratchRepository {
    /// Makes an empty bare repository, with files for references and `branch` as its `HEAD`. Directories above are made too.
    ///
    /// # Errors
    /// The directory cannot be made, or git cannot be run.
    pub fn init(directory: &Path, branch: &str) -> Result<Self, ScratchError> {
        std::fs::create_dir_all(directory).map_err(|source| ScratchError::Directory { path: directory.to_owned(), source })?;
        let directory = directory.canonicalize().map_err(|source| ScratchError::Directory { path: directory.to_owned(), source })?;
        let repository = Self { directory };
        // An empty template: a user's template directory could bring hooks and attributes.
        repository.text(&["init", "--quiet", "--bare", "--template=", "--ref-format=files", "-b", branch, "."])?;
        Ok(repository)
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its `file://` address; bytes that are special in an address are escaped, which git undoes.
    pub fn url(&self) -> String {
        let mut url = String::from("file://");
        for byte in self.directory.as_os_str().as_encoded_bytes() {
            if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
                url.push(char::from(*byte));
            } else {
                let _ = write!(url, "%{byte:02X}");
            }
        }
        url
    }

    /// Reads a `git fast-import` stream: one process for a history of any length.
    ///
    /// # Errors
    /// The stream is refused; references may then stand as they did.
    pub fn fast_import(&self, stream: &[u8]) -> Result<(), ScratchError> {
        // A limit of 1 keeps the pack: many loose objects would cost more than the import.
        self.run(&["-c", "fastimport.unpackLimit=1", "fast-import", "--quiet"], &[], stream).map(drop)
    }

    /// Checks every object and reference.
    ///
    /// # Errors
    /// What `git fsck --strict` found.
    pub fn fsck(&self) -> Result<(), ScratchError> {
        self.text(&["fsck", "--strict", "--no-dangling", "--no-progress"]).map(drop)
    }

    /// Runs any git command in the repository and gives its standard output, for what has no method here.
    ///
    /// # Errors
    /// git cannot be run or fails.
    pub fn text(&self, arguments: &[&str]) -> Result<String, ScratchError> {
        Ok(String::from_utf8_lossy(&self.run(arguments, &[], b"")?).into_owned())
    }
}

// === impl ScratchRepository: reading ===

impl ScratchRepository {
    /// The head of a branch; `None` when there is no such branch.
    ///
    /// # Errors
    /// git cannot be run or answers nonsense.
    pub fn head(&self, branch: &str) -> Result<Option<CommitId>, ScratchError> {
        let name = format!("refs/heads/{branch}");
        Ok(self.branches()?.into_iter().find(|(reference, _)| *reference == name).map(|(_, id)| id))
    }

    /// Every branch with its full reference name, sorted.
    ///
    /// # Errors
    /// git cannot be run or answers nonsense.
    pub fn branches(&self) -> Result<Vec<(String, CommitId)>, ScratchError> {
        let arguments = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/"];
        let listing = self.text(&arguments)?;
        listing
            .lines()
            .map(|line| {
                let (id, name) = line.split_once(' ').ok_or_else(|| unexpected(&arguments, line))?;
                Ok((name.to_owned(), commit_id(&arguments, id)?))
            })
            .collect()
    }

    /// The newest `limit` commits that `revision` reaches, newest first.
    ///
    /// # Errors
    /// The revision does not exist.
    pub fn log(&self, revision: &str, limit: usize) -> Result<Vec<LogLine>, ScratchError> {
        let count = format!("--max-count={limit}");
        let format = "--format=%H%x1f%P%x1f%an%x1f%ae%x1f%at%x1f%s";
        let arguments = ["log", "-z", "--topo-order", &count, format, "--end-of-options", revision, "--"];
        let log = self.text(&arguments)?;
        log.split('\0').filter(|record| !record.is_empty()).map(|record| log_line(&arguments, record)).collect()
    }

    /// The file at a path; `None` when there is none.
    ///
    /// # Errors
    /// The revision does not exist.
    pub fn show_file(&self, revision: &str, path: &str) -> Result<Option<Vec<u8>>, ScratchError> {
        Ok(self.files(revision, path)?.into_iter().find(|(found, _)| found == path).map(|(_, content)| content))
    }

    /// Every file at or below a path (empty: all of them) with its content, sorted by path. Paths that are no UTF-8 have their bytes replaced.
    ///
    /// # Errors
    /// The revision does not exist.
    pub fn files(&self, revision: &str, below: &str) -> Result<Vec<(String, Vec<u8>)>, ScratchError> {
        let mut arguments = vec!["ls-tree", "-r", "-z", "--full-tree", revision, "--"];
        arguments.extend((!below.is_empty()).then_some(below));
        let listing = self.text(&arguments)?;
        let mut paths = Vec::new();
        let mut ids = String::new();
        for entry in listing.split('\0').filter(|entry| !entry.is_empty()) {
            let (about, path) = entry.split_once('\t').ok_or_else(|| unexpected(&arguments, entry))?;
            if let [_, "blob", id] = about.split(' ').collect::<Vec<_>>()[..] {
                paths.push(path.to_owned());
                ids.push_str(id);
                ids.push('\n');
            }
        }
        let answer = self.run(&["cat-file", "--batch"], &[], ids.as_bytes())?;
        Ok(paths.into_iter().zip(batch(&answer)?).collect())
    }

    /// The whole message of a commit.
    ///
    /// # Errors
    /// The commit does not exist.
    pub fn message(&self, commit: CommitId) -> Result<String, ScratchError> {
        self.text(&["log", "--max-count=1", "--format=%B", &commit.to_string()]).map(|message| message.trim_end().to_owned())
    }

    /// What a commit changed against its first parent, as a unified diff with two lines of context.
    ///
    /// # Errors
    /// The commit does not exist or has no parent.
    pub fn patch(&self, commit: CommitId) -> Result<String, ScratchError> {
        self.text(&["diff-tree", "-p", "-U2", "--no-color", "--no-ext-diff", "--no-textconv", &format!("{commit}^1"), &commit.to_string()])
    }
}

// === impl ScratchRepository: writing, as people do ===

impl ScratchRepository {
    /// Commits onto a branch, which is made when it is not there. The branch moves only if it still stands where the commit was made on.
    ///
    /// # Errors
    /// git fails, or the branch moved meanwhile.
    pub fn commit(&self, branch: &str, signed: Signed<'_>, edits: &[FileEdit]) -> Result<CommitId, ScratchError> {
        let head = self.head(branch)?;
        let tree = self.edited_tree(head, edits)?;
        self.land(branch, head, head.as_slice(), tree, signed)
    }

    /// Starts a branch at a commit.
    ///
    /// # Errors
    /// There is such a branch, or no such commit.
    pub fn create_branch(&self, branch: &str, at: CommitId) -> Result<(), ScratchError> {
        self.move_branch(branch, None, at)
    }

    /// Deletes a branch, if it still stands at `at`.
    ///
    /// # Errors
    /// It does not.
    pub fn delete_branch(&self, branch: &str, at: CommitId) -> Result<(), ScratchError> {
        self.text(&["update-ref", "-d", &format!("refs/heads/{branch}"), &at.to_string()]).map(drop)
    }

    /// Moves a branch from `from` (`None`: it must not be there) to `to`, also where that is no fast-forward.
    ///
    /// # Errors
    /// It does not stand at `from`.
    pub fn move_branch(&self, branch: &str, from: Option<CommitId>, to: CommitId) -> Result<(), ScratchError> {
        let old = from.map_or_else(|| "0".repeat(40), |id| id.to_string());
        match self.text(&["update-ref", &format!("refs/heads/{branch}"), &to.to_string(), &old]) {
            // A lock that somebody else holds for a moment is such a move as well.
            Err(ScratchError::Failed { stderr, .. }) if stderr.contains("cannot lock ref") => Err(ScratchError::Moved(branch.to_owned())),
            moved => moved.map(drop),
        }
    }

    /// Merges one branch into another with a merge commit, also where a fast-forward would do.
    ///
    /// # Errors
    /// There is no such branch, or they conflict.
    pub fn merge(&self, source: &str, into: &str, signed: Signed<'_>) -> Result<CommitId, ScratchError> {
        let ours = self.head(into)?.ok_or_else(|| ScratchError::NoBranch(into.to_owned()))?;
        let theirs = self.head(source)?.ok_or_else(|| ScratchError::NoBranch(source.to_owned()))?;
        let tree = self.merged_tree(&[&ours.to_string(), &theirs.to_string()])?;
        self.land(into, Some(ours), &[ours, theirs], tree, signed)
    }

    /// Reverts a commit on a branch as `git revert` would, against the first parent where it is a merge. The commit must have a parent.
    ///
    /// # Errors
    /// There is no such branch, or it conflicts.
    pub fn revert(&self, branch: &str, commit: CommitId, signed: Signed<'_>) -> Result<CommitId, ScratchError> {
        let head = self.head(branch)?.ok_or_else(|| ScratchError::NoBranch(branch.to_owned()))?;
        let base = format!("--merge-base={commit}");
        let tree = self.merged_tree(&[&base, &head.to_string(), &format!("{commit}^1")])?;
        self.land(branch, Some(head), &[head], tree, signed)
    }

    /// Writes the tree that a commit's tree becomes with these edits (of nothing without a commit). No branch moves.
    ///
    /// # Errors
    /// git fails, as for a path that cannot be.
    pub fn edited_tree(&self, head: Option<CommitId>, edits: &[FileEdit]) -> Result<TreeId, ScratchError> {
        let number = INDEX_NUMBER.fetch_add(1, Ordering::Relaxed);
        let index = self.directory.join(format!("scratch-index-{}-{number}", std::process::id()));
        let environment = [("GIT_INDEX_FILE", index.clone().into_os_string())];
        let tree = self.edited_tree_in(&environment, head, edits);
        // It may never have been made; what is left of it says nothing.
        let _ = std::fs::remove_file(&index);
        tree
    }

    fn edited_tree_in(&self, environment: &[(&str, OsString)], head: Option<CommitId>, edits: &[FileEdit]) -> Result<TreeId, ScratchError> {
        if let Some(head) = head {
            self.run(&["read-tree", &head.to_string()], environment, b"")?;
        }
        let mut listing = Vec::new();
        for edit in edits {
            match edit {
                FileEdit::Write { path, content } => {
                    let id = self.run(&["hash-object", "-w", "--stdin"], &[], content)?;
                    let id = String::from_utf8_lossy(&id).trim().to_owned();
                    let _ = write!(listing, "100644 {id}\t{path}\0");
                }
                FileEdit::Remove { path } => {
                    let _ = write!(listing, "0 {}\t{path}\0", "0".repeat(40));
                }
            }
        }
        self.run(&["update-index", "-z", "--index-info"], environment, &listing)?;
        let arguments = ["write-tree"];
        tree_id(&arguments, &String::from_utf8_lossy(&self.run(&arguments, environment, b"")?))
    }

    /// Writes the tree that `git merge-tree` makes of these sides: two revisions, after a `--merge-base=` where they have no common one. No
    /// branch moves.
    ///
    /// # Errors
    /// They conflict, or git fails.
    pub fn merged_tree(&self, sides: &[&str]) -> Result<TreeId, ScratchError> {
        let mut arguments = vec!["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z"];
        arguments.extend(sides);
        let output = self.output(&arguments, &[], b"")?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut parts = answer.split('\0').filter(|part| !part.is_empty());
        match output.status.code() {
            Some(0) => tree_id(&arguments, parts.next().unwrap_or_default()),
            Some(1) => Err(ScratchError::Conflict { paths: parts.skip(1).map(str::to_owned).collect() }),
            _ => Err(failed(&arguments, &output)),
        }
    }

    fn land(
        &self,
        branch: &str,
        old: Option<CommitId>,
        parents: &[CommitId],
        tree: TreeId,
        signed: Signed<'_>,
    ) -> Result<CommitId, ScratchError> {
        let commit = self.commit_object(parents, tree, signed, signed)?;
        self.move_branch(branch, old, commit)?;
        Ok(commit)
    }

    /// Writes a commit that no branch has yet. The message is the author's; the committer's is not read.
    ///
    /// # Errors
    /// There is no such parent or tree, or git fails.
    pub fn commit_object(
        &self,
        parents: &[CommitId],
        tree: TreeId,
        author: Signed<'_>,
        committer: Signed<'_>,
    ) -> Result<CommitId, ScratchError> {
        let tree = tree.to_string();
        let parents: Vec<String> = parents.iter().map(ToString::to_string).collect();
        let mut arguments = vec!["commit-tree", &tree];
        arguments.extend(parents.iter().flat_map(|parent| ["-p", parent]));
        let date = |signed: Signed<'_>| OsString::from(format!("@{} +0000", signed.at.secs()));
        let environment = [
            ("GIT_AUTHOR_NAME", OsString::from(&author.person.name)),
            ("GIT_AUTHOR_EMAIL", OsString::from(&author.person.email)),
            ("GIT_AUTHOR_DATE", date(author)),
            ("GIT_COMMITTER_NAME", OsString::from(&committer.person.name)),
            ("GIT_COMMITTER_EMAIL", OsString::from(&committer.person.email)),
            ("GIT_COMMITTER_DATE", date(committer)),
        ];
        let message = format!("{}\n", author.message.trim_end());
        let answer = self.run(&arguments, &environment, message.as_bytes())?;
        commit_id(&arguments, &String::from_utf8_lossy(&answer))
    }
}

// === running git ===

impl ScratchRepository {
    fn run(&self, arguments: &[&str], environment: &[(&str, OsString)], input: &[u8]) -> Result<Vec<u8>, ScratchError> {
        let output = self.output(arguments, environment, input)?;
        if output.status.success() { Ok(output.stdout) } else { Err(failed(arguments, &output)) }
    }

    fn output(&self, arguments: &[&str], environment: &[(&str, OsString)], input: &[u8]) -> Result<Output, ScratchError> {
        let cannot = |source| ScratchError::Run { command: subcommand(arguments), source };
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_")) {
            command.env_remove(name);
        }
        command
            .current_dir(&self.directory)
            .args(["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.quotePath=false"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_DIR", &self.directory)
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(cannot)?;
        let stdin = child.stdin.take();
        // A thread of its own writes: git may fill its output before it has read all of its input.
        let (written, output) = thread::scope(|scope| {
            let writer = scope.spawn(move || stdin.map_or(Ok(()), |mut stdin| stdin.write_all(input)));
            let output = child.wait_with_output();
            (writer.join().unwrap_or(Ok(())), output)
        });
        let output = output.map_err(cannot)?;
        // A git that fails early closes its input; its own words are the better error then.
        if output.status.success() {
            written.map_err(cannot)?;
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        Person { name: "Mara Lind".into(), email: "mara@shop.example".into() }
    }

    fn signed<'a>(person: &'a Person, message: &'a str) -> Signed<'a> {
        Signed { person, at: Timestamp::from_secs(1_700_000_000), message }
    }

    fn write(path: &str, content: &str) -> FileEdit {
        FileEdit::Write { path: path.into(), content: content.into() }
    }

    #[test]
    fn the_same_calls_give_the_same_ids_anywhere() {
        let heads: Vec<CommitId> = ["one", "two words%"]
            .iter()
            .map(|name| {
                let directory = tempfile::tempdir().unwrap();
                let repository = ScratchRepository::init(&directory.path().join(name), "main").unwrap();
                repository.commit("main", signed(&person(), "one"), &[write("a/ä b.yaml", "a: 1\n")]).unwrap();
                repository.commit("main", signed(&person(), "two\n\nwith a body"), &[write("c", "c\n")]).unwrap();
                assert!(repository.directory().join("refs/heads/main").is_file());
                repository.head("main").unwrap().unwrap()
            })
            .collect();
        assert_eq!(heads[0], heads[1]);
        assert_eq!(heads[0].to_string(), "a49f07581f09f8813393aa23b2125c9983dcf7f1");
    }

    #[test]
    fn a_revert_and_a_merge_are_what_git_makes_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let repository = ScratchRepository::init(directory.path(), "main").unwrap();
        let person = person();
        let first = repository.commit("main", signed(&person, "first"), &[write("a", "1\n"), write("b", "1\n")]).unwrap();
        repository.create_branch("topic", first).unwrap();
        repository.commit("topic", signed(&person, "topic"), &[write("b", "2\n")]).unwrap();
        let bad = repository.commit("main", signed(&person, "bad"), &[write("a", "2\n")]).unwrap();
        let merge = repository.merge("topic", "main", signed(&person, "Merge topic")).unwrap();
        assert_eq!(repository.log("main", 1).unwrap()[0].parents[0], bad);
        assert_eq!(repository.log("main", 1).unwrap()[0].parents.len(), 2);
        repository.revert("main", bad, signed(&person, "Revert \"bad\"")).unwrap();
        repository.revert("main", merge, signed(&person, "Revert \"Merge topic\"")).unwrap();
        assert_eq!(repository.files("main", "").unwrap(), [("a".to_owned(), b"1\n".to_vec()), ("b".to_owned(), b"1\n".to_vec())]);
        repository.commit("main", signed(&person, "later"), &[write("a", "3\n")]).unwrap();
        assert!(
            matches!(repository.revert("main", bad, signed(&person, "again")), Err(ScratchError::Conflict { paths }) if paths == ["a"])
        );
        repository.fsck().unwrap();
    }

    #[test]
    fn a_branch_moves_only_from_where_it_was_seen() {
        let directory = tempfile::tempdir().unwrap();
        let repository = ScratchRepository::init(directory.path(), "main").unwrap();
        let person = person();
        let first = repository.commit("main", signed(&person, "first"), &[write("a", "1\n")]).unwrap();
        let second = repository.commit("main", signed(&person, "second"), &[write("a", "2\n")]).unwrap();
        assert!(matches!(repository.move_branch("main", Some(first), first), Err(ScratchError::Moved(branch)) if branch == "main"));
        assert!(repository.create_branch("main", first).is_err());
        assert!(repository.delete_branch("main", first).is_err());
        assert_eq!(repository.head("main").unwrap(), Some(second));
        assert_eq!(repository.head("other").unwrap(), None);
    }

    #[test]
    fn its_address_can_be_fetched_from_whatever_it_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let repository = ScratchRepository::init(&directory.path().join("a b%c"), "main").unwrap();
        let head = repository.commit("main", signed(&person(), "first"), &[write("a", "1\n")]).unwrap();
        assert!(repository.url().ends_with("/a%20b%25c"));
        let listing = repository.text(&["ls-remote", &repository.url()]).unwrap();
        assert!(listing.contains(&head.to_string()));
    }

    #[test]
    fn files_come_with_their_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let repository = ScratchRepository::init(directory.path(), "main").unwrap();
        let bytes = vec![0, 10, 13, 255, 10];
        let edits = [FileEdit::Write { path: "x/bytes".into(), content: bytes.clone() }, write("x/empty", "")];
        repository.commit("main", signed(&person(), "first"), &edits).unwrap();
        assert_eq!(repository.show_file("main", "x/bytes").unwrap(), Some(bytes));
        assert_eq!(repository.show_file("main", "x/empty").unwrap(), Some(Vec::new()));
        assert_eq!(repository.show_file("main", "x").unwrap(), None);
        repository.commit("main", signed(&person(), "second"), &[FileEdit::Remove { path: "x/bytes".into() }]).unwrap();
        assert_eq!(repository.files("main", "x").unwrap().len(), 1);
    }
}
