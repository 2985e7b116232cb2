//! Pushes. Each names the object that it expects to replace: a fast-forward check alone would bring back what a person rewound.

use super::{GitError, Mirror};
use crate::engine::approval::MergeGrant;
use crate::engine::id::{CommitId, ProposalKey};

/// What the remote made of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// The reference holds what was pushed.
    Pushed,
    /// The reference did not hold what was expected.
    StaleLease,
    /// The remote said no.
    Rejected {
        /// Its reason.
        reason: String,
    },
}

impl Mirror {
    /// Moves the branch of a proposal. `new` of `None` deletes it; `expected` of `None` means that it must not exist.
    ///
    /// # Errors
    /// A push whose outcome is not known: the caller looks at the remote.
    pub fn push_proposal(&self, key: &ProposalKey, new: Option<CommitId>, expected: Option<CommitId>) -> Result<PushOutcome, GitError> {
        self.push(&[Move { reference: of_proposal(key), new, expected }])
    }

    /// The same, and takes another branch of revertd's away with it, if that still holds what was seen there. Only the first decides how the
    /// push ended: the other one is tried again with the next push.
    ///
    /// # Errors
    /// As [`Self::push_proposal`].
    pub fn push_proposal_without(
        &self,
        key: &ProposalKey,
        new: Option<CommitId>,
        expected: Option<CommitId>,
        (other, seen): (&ProposalKey, CommitId),
    ) -> Result<PushOutcome, GitError> {
        let gone = Move { reference: of_proposal(other), new: None, expected: Some(seen) };
        self.push(&[Move { reference: of_proposal(key), new, expected }, gone])
    }

    /// Moves the watched branch from exactly the head that the grant was given for.
    ///
    /// # Errors
    /// As [`Self::push_proposal`].
    pub fn push_watched(&self, new: CommitId, grant: MergeGrant) -> Result<PushOutcome, GitError> {
        let onto = grant.onto();
        drop(grant);
        self.push(&[Move { reference: format!("refs/heads/{}", self.remote.branch), new: Some(new), expected: Some(onto) }])
    }

    /// Makes the moves in one push, and tells how the first one ended.
    fn push(&self, moves: &[Move]) -> Result<PushOutcome, GitError> {
        let text = |id: Option<CommitId>| id.map_or_else(String::new, |id| id.to_string());
        let lease = |one: &Move| format!("--force-with-lease={}:{}", one.reference, text(one.expected));
        let refspec = |one: &Move| format!("{}:{}", text(one.new), one.reference);
        let mut arguments = vec!["--porcelain".to_owned(), "--no-verify".to_owned()];
        arguments.extend(moves.iter().map(lease));
        arguments.push(self.remote.url.clone());
        arguments.extend(moves.iter().map(refspec));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = self.git.network(&self.path, &self.remote, "push", &arguments)?;
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        let names =
            |line: &&str, one: &Move| line.split('\t').nth(1).is_some_and(|moved| moved.rsplit(':').next() == Some(&*one.reference));
        match moves.first().and_then(|first| report.lines().find(|line| names(line, first))) {
            Some(line) => Ok(match outcome(line) {
                PushOutcome::Rejected { reason } => PushOutcome::Rejected { reason: format!("{reason}{}", remote_said(&output.stderr)) },
                outcome => outcome,
            }),
            None => Err(output.failure("push")),
        }
    }
}

/// One reference, what it shall hold, and what it is expected to hold.
struct Move {
    reference: String,
    new: Option<CommitId>,
    expected: Option<CommitId>,
}

fn of_proposal(key: &ProposalKey) -> String {
    format!("refs/heads/revertd/{key}")
}

/// What the remote's own programs said, at most three lines: a protected branch gives its reason there.
fn remote_said(stderr: &str) -> String {
    let lines: Vec<&str> =
        stderr.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
    if lines.is_empty() { String::new() } else { format!(": {}", lines.join(" ")) }
}

/// Reads one line of `git push --porcelain`: a flag, the references, and a summary with the reason in parentheses.
fn outcome(line: &str) -> PushOutcome {
    if !line.starts_with('!') {
        return PushOutcome::Pushed;
    }
    let summary = line.rsplit('\t').next().unwrap_or_default();
    if summary.contains("stale info") {
        return PushOutcome::StaleLease;
    }
    PushOutcome::Rejected { reason: summary.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::BranchName;
    use crate::git::scratch::ScratchRepository;
    use crate::git::{GitExecutable, Remote};

    #[test]
    fn the_report_of_a_push_is_read() {
        assert_eq!(outcome(" \tabc:refs/heads/main\t1..2"), PushOutcome::Pushed);
        assert_eq!(outcome("!\tabc:refs/heads/main\t[rejected] (stale info)"), PushOutcome::StaleLease);
        assert_eq!(
            outcome("!\tabc:refs/heads/main\t[remote rejected] (pre-receive hook declined)"),
            PushOutcome::Rejected { reason: "[remote rejected] (pre-receive hook declined)".into() }
        );
    }

    /// A plain push would be a fast-forward here, and would bring back what a person took away.
    #[test]
    fn a_branch_that_was_rewound_is_not_brought_back() {
        let directory = tempfile::tempdir().unwrap();
        let remote = ScratchRepository::init(&directory.path().join("remote.git"), "main").unwrap();
        let person = "committer Robin <robin@shop.example> 1700000000 +0000\n";
        let commit = |branch: &str, number: u32| {
            format!("commit refs/heads/{branch}\n{person}data 1\n{number}\nM 644 inline file\ndata 1\n{number}\n")
        };
        let stream = format!("{}{}{}", commit("main", 1), commit("main", 2), commit("main", 3));
        remote.fast_import(stream.as_bytes()).unwrap();
        let id = |revision: &str| remote.text(&["rev-parse", revision]).unwrap().trim().parse::<CommitId>().unwrap();
        let (older, listed, newer) = (id("main~2"), id("main~1"), id("main"));
        let key = ProposalKey::new("abc");
        remote.create_branch("revertd/abc", listed).unwrap();
        let description = Remote { url: remote.url(), branch: BranchName::new("main"), credentials: None };
        let mirror = Mirror::open(&directory.path().join("mirror.git"), description, GitExecutable::find().unwrap()).unwrap();
        let listing = mirror.list().unwrap();
        mirror.fetch(&listing).unwrap();
        assert_eq!(listing.proposals[&key], listed);
        remote.move_branch("revertd/abc", Some(listed), older).unwrap();
        assert_eq!(mirror.push_proposal(&key, Some(newer), Some(listed)).unwrap(), PushOutcome::StaleLease);
        assert_eq!(mirror.list().unwrap().proposals[&key], older);
        assert_eq!(mirror.push_proposal(&key, Some(newer), Some(older)).unwrap(), PushOutcome::Pushed);
    }
}
