//! Pull requests: finding one's own again, opening one exactly once, changing it (catalogue of failures F6, F8).

use http::{Method, StatusCode};
use serde_json::json;

use super::client::{Api, Ask, Reading, segment};
use super::wire::{WireClosed, WireFile, WirePull};
use crate::engine::id::BranchName;
use crate::forge::{
    Answered, Call, ChangedPaths, ForgeProposal, Listing, NewProposal, Opened, OpenedBy, ProposalNumber, ProposalState, User,
};

/// Where the open ones are listed.
const OPEN: &str = "/pulls?state=open&sort=created&direction=desc&per_page=100";

/// How many files of a pull request GitHub lists at most.
const MOST_FILES: usize = 3000;

impl Api {
    pub(super) async fn find(&self, call: Call, head: &BranchName) -> Answered<Vec<ForgeProposal>> {
        let place = self.place_now(call).await?;
        let repository = place.id.map_or(0, |id| id.0);
        let filter = segment(&format!("{}:{head}", place.owner));
        let what = format!("find the pull requests from {head}");
        let filtered = format!("/pulls?state=all&head={filter}&sort=created&direction=desc&per_page=100");
        let mut pulls: Vec<WirePull> = self.all(call, &what, &filtered, Reading::Fresh).await?;
        pulls.retain(|pull| pull.comes_from(head, repository));
        if pulls.is_empty() {
            // The filter reads an index that is late; the list of open ones is another.
            pulls = self.all(call, &what, OPEN, Reading::Conditional).await?;
            pulls.retain(|pull| pull.comes_from(head, repository));
        }
        pulls.sort_by_key(|pull| std::cmp::Reverse(pull.number));
        pulls.into_iter().map(WirePull::proposal).collect()
    }

    pub(super) async fn get(&self, call: Call, number: ProposalNumber) -> Answered<ForgeProposal> {
        let mut proposal = self.pull(call, number).await?.proposal()?;
        if proposal.state == ProposalState::Closed {
            // Only the issue says who closed it.
            let ask = Ask::get(format!("read who closed pull request {number}"), format!("/issues/{number}"));
            let closed: WireClosed = self.ask(call, &ask).await?;
            proposal.closed_by = closed.closed_by.map(User::from);
        }
        Ok(proposal)
    }

    pub(super) async fn pull(&self, call: Call, number: ProposalNumber) -> Answered<WirePull> {
        self.ask(call, &Ask::get(format!("read pull request {number}"), format!("/pulls/{number}"))).await
    }

    pub(super) async fn open(&self, call: Call, new: &NewProposal) -> Answered<Opened> {
        let body = json!({
            "title": new.title,
            "head": new.head.as_str(),
            "base": new.base.as_str(),
            "body": new.body,
            "maintainer_can_modify": false,
        });
        let ask = Ask::send(format!("open a pull request from {}", new.head), Method::POST, "/pulls", body);
        let error = match self.exchange(call, &ask).await {
            Ok(reply) if reply.status.is_success() => match self.parsed::<WirePull>(&ask, &reply).and_then(WirePull::proposal) {
                Ok(proposal) => return Ok(Opened { proposal, how: OpenedBy::ThisCall }),
                Err(error) => error,
            },
            Ok(reply) => {
                let exists = reply.status == StatusCode::UNPROCESSABLE_ENTITY
                    && self.sentence(&reply).to_ascii_lowercase().contains("pull request already exists");
                let error = self.refused(&ask, &reply);
                if !exists {
                    return Err(error);
                }
                error
            }
            Err(error) if error.may_have_acted() => error,
            Err(error) => return Err(error),
        };
        // What the look says is worth more than that it failed.
        let found = self.find(call, &new.head).await.unwrap_or_default();
        let open = found.into_iter().find(|proposal| proposal.state == ProposalState::Open && proposal.base == new.base);
        open.map(|proposal| Opened { proposal, how: OpenedBy::Found }).ok_or(error)
    }

    pub(super) async fn edit(&self, call: Call, number: ProposalNumber, title: &str, body: &str) -> Answered<()> {
        let body = json!({ "title": title, "body": body });
        self.tell(call, &Ask::send(format!("edit pull request {number}"), Method::PATCH, format!("/pulls/{number}"), body)).await
    }

    pub(super) async fn close(&self, call: Call, number: ProposalNumber) -> Answered<()> {
        let body = json!({ "state": "closed" });
        self.tell(call, &Ask::send(format!("close pull request {number}"), Method::PATCH, format!("/pulls/{number}"), body)).await
    }

    pub(super) async fn reopen(&self, call: Call, number: ProposalNumber) -> Answered<()> {
        let body = json!({ "state": "open" });
        self.tell(call, &Ask::send(format!("reopen pull request {number}"), Method::PATCH, format!("/pulls/{number}"), body)).await
    }

    pub(super) async fn open_proposals(&self, call: Call) -> Answered<Vec<ForgeProposal>> {
        let pulls: Vec<WirePull> = self.all(call, "read the open pull requests", OPEN, Reading::Conditional).await?;
        pulls.into_iter().map(WirePull::proposal).collect()
    }

    pub(super) async fn changed_paths(&self, call: Call, number: ProposalNumber) -> Answered<ChangedPaths> {
        let what = format!("read the files of pull request {number}");
        let files: Vec<WireFile> = self.all(call, &what, &format!("/pulls/{number}/files?per_page=100"), Reading::Conditional).await?;
        let listing = if files.len() < MOST_FILES { Listing::Whole } else { Listing::Cut };
        let mut paths: Vec<String> = files.into_iter().flat_map(|file| [Some(file.filename), file.previous_filename]).flatten().collect();
        paths.sort_unstable();
        paths.dedup();
        Ok(ChangedPaths { paths, listing })
    }

    pub(super) async fn add_labels(&self, call: Call, number: ProposalNumber, labels: &[String]) -> Answered<()> {
        if labels.is_empty() {
            return Ok(());
        }
        let ask = Ask::send(
            format!("label pull request {number}"),
            Method::POST,
            format!("/issues/{number}/labels"),
            json!({ "labels": labels }),
        );
        self.tell(call, &ask).await
    }

    pub(super) async fn request_reviewers(&self, call: Call, number: ProposalNumber, users: &[String], teams: &[String]) -> Answered<()> {
        if users.is_empty() && teams.is_empty() {
            return Ok(());
        }
        let ask = Ask::send(
            format!("request reviews of pull request {number}"),
            Method::POST,
            format!("/pulls/{number}/requested_reviewers"),
            json!({ "reviewers": users, "team_reviewers": teams }),
        );
        self.tell(call, &ask).await
    }
}
