//! Issues that are no pull requests, with who put labels on them and took them off. Lists of issues show pull requests as well, as GitHub's do.

use serde_json::{Value, json};

use super::json;
use super::pulls::PullState;
use super::reply::{Call, Handled, Reply, listed};
use super::state::{GithubState, World};
use crate::engine::time::Timestamp;

/// An issue.
#[derive(Clone, Debug)]
pub(super) struct Issue {
    id: u64,
    number: u64,
    author: String,
    title: String,
    created: Timestamp,
    closed: Option<Timestamp>,
    labels: Vec<String>,
    events: Vec<LabelEvent>,
}

/// Somebody put a label on, or took it off.
#[derive(Clone, Debug)]
struct LabelEvent {
    id: u64,
    actor: String,
    event: &'static str,
    label: String,
    at: Timestamp,
}

// === handlers ===

/// `GET /repos/{owner}/{repo}/issues`, with the parameters `state` and `labels`.
pub(super) fn list(world: &World, call: &Call) -> Handled {
    let wanted: Vec<String> = call.parameter("labels").map(|labels| labels.split(',').map(str::to_lowercase).collect()).unwrap_or_default();
    let state = call.parameter("state").unwrap_or("open").to_owned();
    let fits = |open: bool, labels: &[String]| {
        let has = |name: &String| labels.iter().any(|label| label.to_lowercase() == *name);
        (state == "all" || (state == "open") == open) && wanted.iter().all(has)
    };
    let issues = world.issues.values().filter(|issue| fits(issue.closed.is_none(), &issue.labels));
    let pulls = world.pulls.values().filter(|pull| fits(pull.state == PullState::Open, &pull.labels));
    let mut shown: Vec<(u64, Value)> = issues.map(|issue| (issue.number, world.shown_issue(issue))).collect();
    shown.extend(pulls.map(|pull| (pull.number, json::issue(world, pull))));
    shown.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    Ok(listed(&world.root(), call, shown.into_iter().map(|(_, issue)| issue).collect()))
}

/// `GET /repos/{owner}/{repo}/issues/{number}/events`; of a pull request none are remembered.
pub(super) fn events(world: &World, call: &Call, number: u64) -> Handled {
    let Some(issue) = world.issues.get(&number) else {
        return if world.pulls.contains_key(&number) { Ok(listed(&world.root(), call, Vec::new())) } else { Err(Reply::not_found()) };
    };
    let shown = issue.events.iter().map(|event| {
        json!({
            "id": event.id,
            "node_id": format!("LE_{}", event.id),
            "url": format!("{}/issues/events/{}", world.api(), event.id),
            "actor": world.user(&event.actor),
            "event": event.event,
            "commit_id": null,
            "commit_url": null,
            "created_at": event.at.to_string(),
            "performed_via_github_app": null,
            "label": {"name": event.label, "color": "ededed"},
        })
    });
    Ok(listed(&world.root(), call, shown.collect()))
}

// === impl World ===

impl World {
    fn shown_issue(&self, issue: &Issue) -> Value {
        let (api, page) = (format!("{}/issues/{}", self.api(), issue.number), format!("{}/issues/{}", self.page(), issue.number));
        json!({
            "id": issue.id,
            "node_id": format!("I_{}", issue.id),
            "url": api,
            "repository_url": self.api(),
            "labels_url": format!("{api}/labels{{/name}}"),
            "comments_url": format!("{api}/comments"),
            "events_url": format!("{api}/events"),
            "html_url": page,
            "number": issue.number,
            "state": if issue.closed.is_none() { "open" } else { "closed" },
            "state_reason": null,
            "title": issue.title,
            "body": null,
            "user": self.user(&issue.author),
            "labels": issue.labels.iter().map(|name| json::label(self, name)).collect::<Vec<_>>(),
            "assignee": null,
            "assignees": [],
            "milestone": null,
            "locked": false,
            "active_lock_reason": null,
            "comments": 0,
            "closed_at": issue.closed.map(|at| at.to_string()),
            "created_at": issue.created.to_string(),
            "updated_at": issue.events.last().map_or(issue.created, |event| event.at).to_string(),
            "author_association": self.association(&issue.author),
        })
    }
}

// === impl GithubState: what people do ===

impl GithubState {
    /// A person opens an issue and gets its number.
    pub fn open_issue(&self, login: &str, title: &str) -> u64 {
        let mut world = self.locked();
        let (id, number, created) = (world.next_id(), world.next_number(), world.now());
        let (author, title) = (login.to_owned(), title.to_owned());
        let issue = Issue { id, number, author, title, created, closed: None, labels: Vec::new(), events: Vec::new() };
        world.issues.insert(number, issue);
        number
    }

    /// Somebody puts a label on an issue. Says whether there is such an issue.
    pub fn label_issue(&self, login: &str, number: u64, label: &str) -> bool {
        self.label_event(login, number, label, "labeled")
    }

    /// Somebody takes a label off. Says whether there is such an issue.
    pub fn unlabel_issue(&self, login: &str, number: u64, label: &str) -> bool {
        self.label_event(login, number, label, "unlabeled")
    }

    /// Somebody closes an issue. Says whether there is one.
    pub fn close_issue(&self, number: u64) -> bool {
        let mut world = self.locked();
        let now = world.now();
        world.issues.get_mut(&number).map(|issue| issue.closed = Some(now)).is_some()
    }

    fn label_event(&self, login: &str, number: u64, label: &str, event: &'static str) -> bool {
        let mut world = self.locked();
        let (id, at) = (world.next_id(), world.now());
        let Some(issue) = world.issues.get_mut(&number) else { return false };
        issue.labels.retain(|known| !known.eq_ignore_ascii_case(label));
        if event == "labeled" {
            issue.labels.push(label.to_owned());
        }
        issue.events.push(LabelEvent { id, actor: login.to_owned(), event, label: label.to_owned(), at });
        true
    }
}
