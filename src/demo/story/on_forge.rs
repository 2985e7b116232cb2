//! What people see and do on the forge in a story: the pull request with the one comment of revertd, and an answer.

use crate::demo::forge::{Pull, PullState};
use crate::demo::github::AGENT;
use crate::demo::picture;
use crate::engine::id::CommitId;

use super::{Stage, StoryError};

/// How an approving line begins.
const APPROVE: &str = "/revertd approve";
/// As many lines of a pull request are shown.
const FIRST_LINES: usize = 9;

/// A pull request of revertd as its reader finds it.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// The pull request.
    pub(super) pull: Pull,
    /// The first comment of revertd, which tells how things stand.
    pub(super) sticky: String,
    /// How many comments of revertd there are.
    pub(super) comments: usize,
    /// The address of its page.
    pub(super) page: String,
}

// === impl Reading ===

impl Reading {
    /// The line that approves, as the comment of revertd tells it.
    pub(super) fn approving_line(&self) -> Option<&str> {
        self.sticky.lines().map(str::trim).find(|line| line.starts_with(APPROVE))
    }

    /// The commit on the base that brought it.
    pub(super) fn merged(&self) -> Option<CommitId> {
        match self.pull.state {
            PullState::Merged { commit } => Some(commit),
            PullState::Open | PullState::Closed => None,
        }
    }

    /// The title and the first lines, as they read on the page.
    pub(super) fn shown(&self) -> String {
        let Pull { number, title, author, head_branch, base_branch, body, .. } = &self.pull;
        let heading = format!("{title} #{number}\n{author} wants to merge {head_branch} into {base_branch}\n\n");
        format!("{heading}{}", picture::markdown(body, FIRST_LINES))
    }
}

// === impl Stage ===

impl Stage {
    /// Waits until the pull request of a branch reads as wanted.
    pub(super) async fn reading(&self, branch: &str, what: &str, wanted: impl Fn(&Reading) -> bool) -> Result<Reading, StoryError> {
        self.until(what, || async {
            Ok(match self.look_at(branch).await? {
                Some(reading) if wanted(&reading) => Ok(reading),
                Some(reading) => Err(format!("{:?}, {}", reading.pull.state, reading.sticky.lines().next().unwrap_or("no comment"))),
                None => Err(format!("no pull request of `{branch}`")),
            })
        })
        .await
    }

    async fn look_at(&self, branch: &str) -> Result<Option<Reading>, StoryError> {
        let branch = branch.to_owned();
        let looked = self.world.on_github(move |github| {
            let Some(pull) = github.pulls()?.into_iter().find(|pull| pull.head_branch == branch) else { return Ok(None) };
            let written = github.comments(pull.number).into_iter().filter(|comment| comment.author == AGENT);
            let bodies: Vec<String> = written.map(|comment| comment.body).collect();
            let page = github.page(pull.number);
            Ok(Some(Reading { pull, sticky: bodies.first().cloned().unwrap_or_default(), comments: bodies.len(), page }))
        });
        looked.await?.map_err(StoryError::Forge)
    }

    /// A person comments on a pull request.
    pub(super) async fn comment(&self, login: String, number: u64, body: String) -> Result<(), StoryError> {
        self.world.on_github(move |github| github.comment(&login, number, &body).map(drop)).await?.map_err(StoryError::Forge)
    }
}
