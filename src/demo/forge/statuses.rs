//! Commit statuses and check runs: what stands on a commit, and what a required check comes to.

use serde_json::{Value, json};

use crate::engine::id::CommitId;
use crate::engine::time::Timestamp;

use super::auth::{Caller, app_json};
use super::reply::{Call, Handled, Reply, paged};
use super::state::World;

/// The longest description of a status.
const LONGEST_DESCRIPTION: usize = 140;

/// A status on a commit; of one context the last one counts.
#[derive(Clone, Debug)]
pub struct CommitStatus {
    /// The commit.
    pub commit: CommitId,
    /// What it is about.
    pub context: String,
    /// `error`, `failure`, `pending` or `success`.
    pub state: String,
    /// A sentence.
    pub description: Option<String>,
    /// Where there is more.
    pub target: Option<String>,
    /// Who set it.
    pub author: String,
    pub(super) id: u64,
    pub(super) at: Timestamp,
}

/// A check run; of one name the last one counts.
#[derive(Clone, Debug)]
pub struct CheckRun {
    /// The commit.
    pub commit: CommitId,
    /// Its name.
    pub name: String,
    /// `success`, `failure`, `neutral` and so on; `None` while it runs.
    pub conclusion: Option<String>,
    /// The title of its output.
    pub title: String,
    /// The summary of its output, in Markdown.
    pub summary: String,
    pub(super) id: u64,
    pub(super) at: Timestamp,
    pub(super) details: Option<String>,
    pub(super) external_id: String,
}

/// What a required check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Missing,
    Pending,
    Success,
    Failure,
}

// === impl World ===

impl World {
    /// What statuses and check runs of this name say about a commit.
    pub(super) fn standing(&self, commit: CommitId, context: &str) -> Standing {
        if let Some(check) = self.checks.iter().rev().find(|check| check.commit == commit && check.name == context) {
            return match check.conclusion.as_deref() {
                None => Standing::Pending,
                Some("success" | "neutral" | "skipped") => Standing::Success,
                Some(_) => Standing::Failure,
            };
        }
        match self.statuses.iter().rev().find(|status| status.commit == commit && status.context == context) {
            None => Standing::Missing,
            Some(status) => match status.state.as_str() {
                "success" => Standing::Success,
                "pending" => Standing::Pending,
                _ => Standing::Failure,
            },
        }
    }

    fn shown_status(&self, status: &CommitStatus) -> Value {
        json!({
            "url": format!("{}/statuses/{}", self.api(), status.commit),
            "avatar_url": self.user(&status.author)["avatar_url"],
            "id": status.id,
            "node_id": format!("SC_{}", status.id),
            "state": status.state,
            "description": status.description,
            "target_url": status.target,
            "context": status.context,
            "created_at": status.at.to_string(),
            "updated_at": status.at.to_string(),
        })
    }

    fn shown_check(&self, check: &CheckRun) -> Value {
        let api = format!("{}/check-runs/{}", self.api(), check.id);
        let ended = check.conclusion.as_ref().map(|_| check.at.to_string());
        json!({
            "id": check.id,
            "head_sha": check.commit.to_string(),
            "node_id": format!("CR_{}", check.id),
            "external_id": check.external_id,
            "url": api,
            "html_url": format!("{}/runs/{}", self.page(), check.id),
            "details_url": check.details,
            "status": if ended.is_some() { "completed" } else { "in_progress" },
            "conclusion": check.conclusion,
            "started_at": check.at.to_string(),
            "completed_at": ended,
            "output": {
                "title": check.title,
                "summary": check.summary,
                "text": null,
                "annotations_count": 0,
                "annotations_url": format!("{api}/annotations"),
            },
            "name": check.name,
            "check_suite": {"id": check.id + 1},
            "app": self.credentials.app.as_ref().map(|app| app_json(self, app)),
            "pull_requests": [],
        })
    }
}

fn commit(world: &World, name: &str) -> Result<CommitId, Reply> {
    world.resolve(name).ok_or_else(|| Reply::error(422, &format!("No commit found for SHA: {name}")))
}

// === handlers: statuses ===

/// `POST /repos/{owner}/{repo}/statuses/{sha}`.
pub(super) fn create_status(world: &mut World, call: &Call, id: &str) -> Handled {
    let commit = world.commit(id).ok_or_else(|| Reply::error(422, &format!("No commit found for SHA: {id}")))?;
    let state = call.required("Status", "state")?;
    if !["error", "failure", "pending", "success"].contains(&state) {
        return Err(Reply::invalid("Status", "state", "inclusion"));
    }
    let description = call.text("description");
    if description.is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        let sentence = format!("description is too long (maximum is {LONGEST_DESCRIPTION} characters)");
        return Err(Reply::invalid_because("Status", &sentence));
    }
    let status = CommitStatus {
        commit,
        context: call.text("context").unwrap_or("default").to_owned(),
        state: state.to_owned(),
        description: description.map(str::to_owned),
        target: call.text("target_url").map(str::to_owned),
        author: call.caller.login().to_owned(),
        id: world.next_id(),
        at: world.now(),
    };
    let mut shown = world.shown_status(&status);
    shown["creator"] = world.user(&status.author);
    world.statuses.push(status);
    Ok(Reply::created(shown))
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/status`: the last status of each context, and the worst of them.
pub(super) fn combined(world: &World, call: &Call, name: &str) -> Handled {
    let commit = commit(world, name)?;
    let mut last: Vec<&CommitStatus> = Vec::new();
    for status in world.statuses.iter().rev().filter(|status| status.commit == commit) {
        if !last.iter().any(|known| known.context == status.context) {
            last.push(status);
        }
    }
    let any = |states: &[&str]| last.iter().any(|status| states.contains(&status.state.as_str()));
    let state = match (any(&["error", "failure"]), last.is_empty() || any(&["pending"])) {
        (true, _) => "failure",
        (false, true) => "pending",
        (false, false) => "success",
    };
    let total = last.len();
    let (entries, link) = paged(&world.root(), call, last);
    let reply = Reply::ok(json!({
        "state": state,
        "statuses": entries.into_iter().map(|status| world.shown_status(status)).collect::<Vec<_>>(),
        "sha": commit.to_string(),
        "total_count": total,
        "repository": super::repository::shown(world, &super::people::Role::Read),
        "commit_url": format!("{}/commits/{commit}", world.api()),
        "url": format!("{}/commits/{commit}/status", world.api()),
    }));
    Ok(match link {
        Some(link) => reply.with("link", link),
        None => reply,
    })
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/statuses`: every status, newest first, with who set it.
pub(super) fn listed(world: &World, call: &Call, name: &str) -> Handled {
    let commit = commit(world, name)?;
    let all: Vec<&CommitStatus> = world.statuses.iter().rev().filter(|status| status.commit == commit).collect();
    let (entries, link) = paged(&world.root(), call, all);
    let shown = |status: &CommitStatus| {
        let mut shown = world.shown_status(status);
        shown["creator"] = world.user(&status.author);
        shown
    };
    let reply = Reply::ok(entries.into_iter().map(shown).collect::<Vec<_>>().into());
    Ok(match link {
        Some(link) => reply.with("link", link),
        None => reply,
    })
}

// === handlers: check runs ===

/// `GET /repos/{owner}/{repo}/commits/{ref}/check-runs`.
pub(super) fn check_runs(world: &World, call: &Call, name: &str) -> Handled {
    let commit = commit(world, name)?;
    let latest = call.parameter("filter").unwrap_or("latest") == "latest";
    let mut runs: Vec<&CheckRun> = Vec::new();
    for check in world.checks.iter().rev().filter(|check| check.commit == commit) {
        let wanted = call.parameter("check_name").is_none_or(|name| name == check.name);
        if wanted && !(latest && runs.iter().any(|known| known.name == check.name)) {
            runs.push(check);
        }
    }
    let total = runs.len();
    let (entries, link) = paged(&world.root(), call, runs);
    let shown: Vec<Value> = entries.into_iter().map(|check| world.shown_check(check)).collect();
    let reply = Reply::ok(json!({"total_count": total, "check_runs": shown}));
    Ok(match link {
        Some(link) => reply.with("link", link),
        None => reply,
    })
}

/// `POST /repos/{owner}/{repo}/check-runs`: for Apps only.
pub(super) fn create_check_run(world: &mut World, call: &Call) -> Handled {
    match &call.caller {
        Caller::Installation { permissions, .. } if permissions.get("checks").is_some_and(|access| access == "write") => {}
        Caller::Installation { .. } => return Err(Reply::error(403, "Resource not accessible by integration")),
        _ => return Err(Reply::error(403, "You must authenticate via a GitHub App.")),
    }
    let name = call.required("CheckRun", "name")?.to_owned();
    let id = call.required("CheckRun", "head_sha")?;
    let commit = world.commit(id).ok_or_else(|| Reply::error(422, &format!("No commit found for SHA: {id}")))?;
    let conclusion = call.text("conclusion").map(str::to_owned);
    if call.text("status") == Some("completed") && conclusion.is_none() {
        return Err(Reply::invalid("CheckRun", "conclusion", "missing_field"));
    }
    let output = |field: &str| call.body["output"][field].as_str().unwrap_or_default().to_owned();
    let check = CheckRun {
        commit,
        name,
        conclusion,
        title: output("title"),
        summary: output("summary"),
        id: world.next_id(),
        at: world.now(),
        details: call.text("details_url").map(str::to_owned),
        external_id: call.text("external_id").unwrap_or_default().to_owned(),
    };
    let shown = world.shown_check(&check);
    world.checks.push(check);
    Ok(Reply::created(shown))
}
