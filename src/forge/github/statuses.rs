//! The statuses and check runs on the newest commits of a branch, with what they say and when: what other tools tell of a commit.
//!
//! Each answer is kept and only confirmed as long as nothing changes, which GitHub does not count. Who wrote a status stands only in the list of
//! all of them, which is longer, so that it is read only where somebody asks who it was.

use serde::Deserialize;

use super::client::{Api, Reading, segment};
use super::wire::moment;
use crate::engine::id::{BranchName, CommitId};
use crate::forge::{Answered, Call, ForgeError, StatusOnCommit, StatusReading, StatusState};

/// How many commits are listed to find the newest of the first-parent line.
const LISTED: usize = 30;

#[derive(Deserialize)]
struct WireListed {
    sha: CommitId,
    parents: Vec<WireParent>,
}

#[derive(Deserialize)]
struct WireParent {
    sha: CommitId,
}

#[derive(Deserialize)]
struct WireStatuses {
    statuses: Vec<WireTold>,
}

#[derive(Deserialize)]
struct WireTold {
    context: String,
    state: String,
    description: Option<String>,
    updated_at: String,
    #[serde(default)]
    creator: Option<WireCreator>,
}

#[derive(Deserialize)]
struct WireCreator {
    login: String,
}

#[derive(Deserialize)]
struct WireApp {
    slug: Option<String>,
}

#[derive(Deserialize)]
struct WireRuns {
    check_runs: Vec<WireRun>,
}

#[derive(Deserialize)]
struct WireRun {
    name: String,
    status: String,
    conclusion: Option<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
    output: Option<WireOutput>,
    app: Option<WireApp>,
}

#[derive(Deserialize)]
struct WireOutput {
    title: Option<String>,
}

impl Api {
    pub(super) async fn branch_statuses(
        &self,
        call: Call,
        branch: &BranchName,
        most: usize,
        reading: StatusReading,
    ) -> Answered<Vec<StatusOnCommit>> {
        let what = format!("list the commits of {branch}");
        let path = format!("/commits?sha={}&per_page={LISTED}", segment(branch.as_str()));
        let (listed, _): (Vec<WireListed>, bool) = self.page(call, &what, &path, 1, Reading::Conditional).await?;
        let mut statuses = Vec::new();
        for commit in first_parents(&listed).into_iter().take(most) {
            statuses.extend(self.statuses_on(call, commit, reading).await?);
        }
        Ok(statuses)
    }

    async fn told_of(&self, call: Call, commit: CommitId, reading: StatusReading) -> Answered<Vec<WireTold>> {
        let what = format!("read the statuses of {}", commit.short());
        match reading {
            StatusReading::Newest => {
                let path = format!("/commits/{commit}/status?per_page=100");
                let pages: Vec<WireStatuses> = self.pages(call, &what, &path, Reading::Conditional).await?;
                Ok(pages.into_iter().flat_map(|page| page.statuses).collect())
            }
            StatusReading::WithCreators => {
                let path = format!("/commits/{commit}/statuses?per_page=100");
                let pages: Vec<Vec<WireTold>> = self.pages(call, &what, &path, Reading::Conditional).await?;
                Ok(pages.into_iter().flatten().collect())
            }
        }
    }

    async fn statuses_on(&self, call: Call, commit: CommitId, reading: StatusReading) -> Answered<Vec<StatusOnCommit>> {
        let what = format!("read the check runs of {}", commit.short());
        let told = self.told_of(call, commit, reading).await?.into_iter().map(|told| told.on(commit));
        let mut statuses = told.collect::<Answered<Vec<StatusOnCommit>>>()?;
        let path = format!("/commits/{commit}/check-runs?filter=latest&per_page=100");
        let pages: Vec<WireRuns> = match self.pages(call, &what, &path, Reading::Conditional).await {
            Ok(pages) => pages,
            // Tokens of people cannot be given the right to read check runs; tools that write them are Apps.
            Err(ForgeError::Forbidden { .. } | ForgeError::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        for run in pages.into_iter().flat_map(|page| page.check_runs) {
            statuses.extend(run.on(commit)?);
        }
        Ok(statuses)
    }
}

/// The first-parent line from the newest commit, as far as it is listed: what a merge brought was not on the branch by itself.
fn first_parents(listed: &[WireListed]) -> Vec<CommitId> {
    let mut line = Vec::new();
    let mut next = listed.first();
    while let Some(commit) = next {
        line.push(commit.sha);
        next = commit.parents.first().and_then(|parent| listed.iter().find(|other| other.sha == parent.sha));
    }
    line
}

// === impl WireTold, WireRun ===

impl WireTold {
    fn on(self, commit: CommitId) -> Answered<StatusOnCommit> {
        let state = match self.state.as_str() {
            "success" => StatusState::Success,
            "pending" => StatusState::Pending,
            "failure" => StatusState::Failure,
            _ => StatusState::Error,
        };
        let at = moment(&self.updated_at)?;
        let (description, creator) = (self.description.unwrap_or_default(), self.creator.map(|creator| creator.login));
        Ok(StatusOnCommit { commit, context: self.context, state, description, at, creator })
    }
}

impl WireRun {
    /// A run that tells no time says nothing of when, and one that did nothing says nothing of the commit.
    fn on(self, commit: CommitId) -> Answered<Option<StatusOnCommit>> {
        let state = match (self.status.as_str(), self.conclusion.as_deref()) {
            ("completed", Some("neutral" | "skipped")) => return Ok(None),
            ("completed", Some("success")) => StatusState::Success,
            ("completed", Some("cancelled" | "stale")) => StatusState::Error,
            ("completed", _) => StatusState::Failure,
            _ => StatusState::Pending,
        };
        let Some(at) = self.completed_at.or(self.started_at) else { return Ok(None) };
        let description = self.output.and_then(|output| output.title).unwrap_or_default();
        // As GitHub calls the account of an App.
        let creator = self.app.and_then(|app| app.slug).map(|slug| format!("{slug}[bot]"));
        Ok(Some(StatusOnCommit { commit, context: self.name, state, description, at: moment(&at)?, creator }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_branch_itself_was_is_followed() {
        let id = |number: u8| CommitId([number; 20]);
        let listed = |number, parents: &[u8]| WireListed {
            sha: id(number),
            parents: parents.iter().map(|parent| WireParent { sha: id(*parent) }).collect(),
        };
        let commits = [listed(5, &[3, 4]), listed(4, &[2]), listed(3, &[2]), listed(2, &[1])];
        assert_eq!(first_parents(&commits), [id(5), id(3), id(2)]);
        assert_eq!(first_parents(&[]), []);
    }
}
