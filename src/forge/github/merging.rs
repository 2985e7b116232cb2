//! Landing a proposal by GitHub's own call, and what is written about a commit.
//!
//! The call pins the head and cannot pin the base, so the base is read right before it and compared with the grant. Its refusals are
//! told apart by their words, since 405 means six things; words that are not known stop (catalogue of failures F4).

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::client::{Api, Ask, Reply, broken};
use super::wire::WireMerged;
use crate::engine::approval::MergeGrant;
use crate::engine::id::CommitId;
use crate::forge::{
    Answered, Call, Conclusion, EnqueueOutcome, ForgeError, MergeCall, MergeMethod, MergeOutcome, NewCheckRun, NewStatus, ProposalNumber,
    ProposalState, QueueEntry, QueueState, StatusState,
};

/// The most characters that GitHub takes as a status's description.
const LONGEST_DESCRIPTION: usize = 140;

const ENQUEUE: &str = "mutation($pull: ID!, $head: GitObjectID!) { enqueuePullRequest(input: { pullRequestId: $pull, expectedHeadOid: \
    $head }) { mergeQueueEntry { id state position } } }";

const QUEUED: &str = "query($pull: ID!) { node(id: $pull) { ... on PullRequest { mergeQueueEntry { position state } } } }";

#[derive(Deserialize)]
struct Queued {
    // Absent is no "not in the queue": it must be there, if as null.
    #[serde(rename = "mergeQueueEntry", deserialize_with = "Option::deserialize")]
    entry: Option<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    position: u64,
    state: String,
}

impl Api {
    pub(super) async fn merge(&self, call: Call, number: ProposalNumber, merge: &MergeCall, grant: MergeGrant) -> Answered<MergeOutcome> {
        if self.branch_head(call, &merge.base).await? != Some(grant.onto()) {
            return Ok(MergeOutcome::BaseModified);
        }
        let method = match merge.method {
            MergeMethod::Merge => "merge",
            MergeMethod::Squash => "squash",
            MergeMethod::Rebase => "rebase",
        };
        let body = json!({
            "sha": merge.head.to_string(),
            "commit_title": merge.title,
            "commit_message": merge.message,
            "merge_method": method,
        });
        let ask = Ask::send(format!("merge pull request {number}"), Method::PUT, format!("/pulls/{number}/merge"), body);
        let answer = match self.exchange(call, &ask).await {
            Ok(reply) if reply.status.is_success() => self.parsed::<WireMerged>(&ask, &reply).map(|wire| match wire.merged {
                true => MergeOutcome::Merged { commit: wire.sha },
                false => MergeOutcome::Refused { sentence: self.sentence(&reply) },
            }),
            Ok(reply) => self.merge_refused(&ask, &reply),
            Err(error) => Err(error),
        };
        // It may have landed all the same: by a call whose answer was lost, this one or one before.
        let look = match &answer {
            Ok(MergeOutcome::NotMergeable { .. } | MergeOutcome::Refused { .. }) => true,
            Err(error) => error.may_have_acted(),
            Ok(_) => false,
        };
        match look {
            true => Ok(match self.landed(call, number, merge.head).await {
                Some(commit) => MergeOutcome::Merged { commit },
                None => answer?,
            }),
            false => answer,
        }
    }

    /// The commit as which a proposal with this head has landed, as far as that can be read.
    async fn landed(&self, call: Call, number: ProposalNumber, head: CommitId) -> Option<CommitId> {
        let ask = Ask::get(format!("read pull request {number}"), format!("/pulls/{number}")).fresh();
        let proposal = self.ask::<super::wire::WirePull>(call, &ask).await.and_then(super::wire::WirePull::proposal).ok()?;
        match proposal.state {
            ProposalState::Merged { commit } if proposal.head == head => Some(commit),
            _ => None,
        }
    }

    fn merge_refused(&self, ask: &Ask, reply: &Reply) -> Answered<MergeOutcome> {
        let sentence = self.sentence(reply);
        let outcome = refusal(reply.status, sentence);
        match outcome {
            Some(outcome) => Ok(outcome),
            None => Err(self.refused(ask, reply)),
        }
    }

    pub(super) async fn enqueue(&self, call: Call, number: ProposalNumber, head: CommitId) -> Answered<EnqueueOutcome> {
        let pull = self.pull(call, number).await?;
        let variables = json!({ "pull": pull.node_id, "head": head.to_string() });
        let errors = match self.query(call, &format!("enqueue pull request {number}"), ENQUEUE, variables).await? {
            Ok(_) => return Ok(EnqueueOutcome::Enqueued),
            Err(errors) => errors,
        };
        let sentence = errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" ");
        let lower = sentence.to_ascii_lowercase();
        Ok(if lower.contains("already in the queue") || lower.contains("already queued") || lower.contains("already in the merge queue") {
            EnqueueOutcome::Enqueued
        } else if lower.contains("expected head") || lower.contains("head branch was modified") || lower.contains("head sha") {
            EnqueueOutcome::HeadModified
        } else {
            EnqueueOutcome::Refused { sentence }
        })
    }

    pub(super) async fn queue_entry(&self, call: Call, number: ProposalNumber) -> Answered<Option<QueueEntry>> {
        let what = format!("read where pull request {number} is in the merge queue");
        let pull = self.pull(call, number).await?;
        let data = match self.query(call, &what, QUEUED, json!({ "pull": pull.node_id })).await? {
            Ok(data) => data,
            Err(errors) => {
                return Err(ForgeError::Forbidden {
                    sentence: errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "),
                });
            }
        };
        let queued = Queued::deserialize(&data["node"]).map_err(|error| broken(format!("{what}: {}", self.clean(&error.to_string()))))?;
        Ok(queued.entry.map(|entry| QueueEntry {
            position: entry.position,
            state: match entry.state.as_str() {
                "AWAITING_CHECKS" | "LOCKED" | "MERGEABLE" | "QUEUED" => QueueState::Waiting,
                "UNMERGEABLE" => QueueState::Unmergeable,
                _ => QueueState::Other(entry.state),
            },
        }))
    }

    pub(super) async fn set_status(&self, call: Call, commit: CommitId, status: &NewStatus) -> Answered<()> {
        let state = match status.state {
            StatusState::Pending => "pending",
            StatusState::Success => "success",
            StatusState::Failure => "failure",
            StatusState::Error => "error",
        };
        let mut body = json!({ "state": state, "context": status.context, "description": cut(&status.description, LONGEST_DESCRIPTION) });
        if let Some(target) = &status.target {
            body["target_url"] = json!(target);
        }
        let what = format!("set the status of {}", commit.short());
        self.tell(call, &Ask::send(what, Method::POST, format!("/statuses/{commit}"), body)).await
    }

    pub(super) async fn check_run(&self, call: Call, commit: CommitId, run: &NewCheckRun) -> Answered<()> {
        if !self.authority.is_app() {
            return Err(ForgeError::Forbidden { sentence: "check runs can be written by GitHub Apps only".to_owned() });
        }
        let conclusion = match run.conclusion {
            Conclusion::Success => "success",
            Conclusion::Failure => "failure",
            Conclusion::Neutral => "neutral",
            Conclusion::ActionRequired => "action_required",
        };
        let body = json!({
            "name": run.name,
            "head_sha": commit.to_string(),
            "status": "completed",
            "conclusion": conclusion,
            "output": { "title": run.title, "summary": run.summary },
        });
        self.tell(call, &Ask::send(format!("write a check run on {}", commit.short()), Method::POST, "/check-runs", body)).await
    }
}

/// What a refused merge call means; `None` for a status that is no refusal of a merge.
pub(super) fn refusal(status: StatusCode, sentence: String) -> Option<MergeOutcome> {
    let lower = sentence.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    let by_words = || {
        if says(&["merge queue"]) {
            Some(MergeOutcome::MergeQueueRequired)
        } else if says(&["base branch was modified"]) {
            Some(MergeOutcome::BaseModified)
        } else if says(&["head branch was modified", "head sha didn't match"]) {
            Some(MergeOutcome::HeadModified)
        } else if says(&["not authorized to push", "not authorised to push"]) {
            Some(MergeOutcome::NotAuthorized { sentence: sentence.clone() })
        } else if says(&["commits are not allowed", "merges are not allowed", "merging is not allowed", "merge method"]) {
            Some(MergeOutcome::MethodNotAllowed { sentence: sentence.clone() })
        } else if says(&["required status check", "review is required", "reviews are required", "rule violations", "protected branch"]) {
            Some(MergeOutcome::Blocked { sentence: sentence.clone() })
        } else if says(&["not mergeable", "merge conflict"]) {
            Some(MergeOutcome::NotMergeable { sentence: sentence.clone() })
        } else {
            None
        }
    };
    match status {
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::CONFLICT => Some(by_words().unwrap_or(MergeOutcome::Refused { sentence })),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Some(by_words().unwrap_or(MergeOutcome::Invalid { sentence })),
        StatusCode::FORBIDDEN => Some(by_words().unwrap_or(MergeOutcome::Forbidden { sentence })),
        _ => None,
    }
}

/// The first characters of a text, with a sign where something is missing.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_cut_by_characters() {
        assert_eq!(cut("é", 140), "é");
        assert_eq!(cut(&"é".repeat(140), 140).chars().count(), 140);
        let long = cut(&"é".repeat(141), 140);
        assert!(long.chars().count() == 140 && long.ends_with('…'));
    }
}
