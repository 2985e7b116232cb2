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
        self.push(&format!("refs/heads/revertd/{key}"), new, expected)
    }

    /// Moves the watched branch from exactly the head that the grant was given for.
    ///
    /// # Errors
    /// As [`Self::push_proposal`].
    pub fn push_watched(&self, new: CommitId, grant: MergeGrant) -> Result<PushOutcome, GitError> {
        let onto = grant.onto();
        drop(grant);
        self.push(&format!("refs/heads/{}", self.remote.branch), Some(new), Some(onto))
    }

    fn push(&self, reference: &str, new: Option<CommitId>, expected: Option<CommitId>) -> Result<PushOutcome, GitError> {
        let text = |id: Option<CommitId>| id.map_or_else(String::new, |id| id.to_string());
        let lease = format!("--force-with-lease={reference}:{}", text(expected));
        let refspec = format!("{}:{reference}", text(new));
        let output =
            self.git.network(&self.path, &self.remote, "push", &["--porcelain", "--no-verify", &lease, &self.remote.url, &refspec])?;
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        match report.lines().find(|line| line.contains(reference) && line.contains('\t')) {
            Some(line) => Ok(outcome(line)),
            None => Err(output.failure("push")),
        }
    }
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

    #[test]
    fn the_report_of_a_push_is_read() {
        assert_eq!(outcome(" \tabc:refs/heads/main\t1..2"), PushOutcome::Pushed);
        assert_eq!(outcome("!\tabc:refs/heads/main\t[rejected] (stale info)"), PushOutcome::StaleLease);
        assert_eq!(
            outcome("!\tabc:refs/heads/main\t[remote rejected] (pre-receive hook declined)"),
            PushOutcome::Rejected { reason: "[remote rejected] (pre-receive hook declined)".into() }
        );
    }
}
