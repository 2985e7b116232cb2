//! Pull requests and reviews as GitHub's answers show them.

use serde_json::{Value, json};

use crate::git::scratch::ScratchError;

use super::people::Role;
use super::pulls::{Pull, PullState, Review};
use super::repository;
use super::state::World;

/// A label.
pub(super) fn label(world: &World, name: &str) -> Value {
    let sum: u64 = name.bytes().map(u64::from).sum();
    json!({
        "id": 900_000 + sum,
        "node_id": format!("LA_{sum}"),
        "url": format!("{}/labels/{}", world.api(), super::reply::encoded(name)),
        "name": name,
        "color": "ededed",
        "default": false,
        "description": "",
    })
}

/// A team as it stands in other answers.
pub(super) fn team(world: &World, slug: &str) -> Value {
    let id: u64 = slug.bytes().map(u64::from).sum();
    json!({
        "id": id,
        "node_id": format!("T_{id}"),
        "name": slug,
        "slug": slug,
        "description": "",
        "privacy": "closed",
        "permission": "pull",
        "type": "organization",
        "url": format!("{}/organizations/{}/team/{id}", world.root(), world.owner),
        "html_url": format!("{}/orgs/{}/teams/{slug}", world.url, world.owner),
        "members_url": format!("{}/organizations/{}/team/{id}/members{{/member}}", world.root(), world.owner),
        "repositories_url": format!("{}/organizations/{}/team/{id}/repos", world.root(), world.owner),
        "parent": null,
    })
}

fn side(world: &World, branch: &str, id: &str) -> Value {
    json!({
        "label": format!("{}:{branch}", world.owner),
        "ref": branch,
        "sha": id,
        "user": world.user(&world.owner),
        "repo": repository::shown(world, &Role::Read),
    })
}

/// A pull request as lists show it.
pub(super) fn pull(world: &World, pull: &Pull) -> Value {
    let number = pull.number;
    let (api, page) = (format!("{}/pulls/{number}", world.api()), format!("{}/pull/{number}", world.page()));
    let issue = format!("{}/issues/{number}", world.api());
    let statuses = format!("{}/statuses/{}", world.api(), pull.head);
    let user = |login: &String| world.user(login);
    let mut links = json!({"self": {"href": api}, "html": {"href": page}, "issue": {"href": issue}});
    for (name, address) in [
        ("comments", format!("{issue}/comments")),
        ("review_comments", format!("{api}/comments")),
        ("review_comment", format!("{}/pulls/comments{{/number}}", world.api())),
        ("commits", format!("{api}/commits")),
        ("statuses", statuses.clone()),
    ] {
        links[name] = json!({"href": address});
    }
    json!({
        "id": pull.id,
        "node_id": pull.node(),
        "url": api,
        "html_url": page,
        "diff_url": format!("{page}.diff"),
        "patch_url": format!("{page}.patch"),
        "issue_url": issue,
        "commits_url": format!("{api}/commits"),
        "review_comments_url": format!("{api}/comments"),
        "review_comment_url": format!("{}/pulls/comments{{/number}}", world.api()),
        "comments_url": format!("{issue}/comments"),
        "statuses_url": statuses,
        "number": number,
        "state": if pull.state == PullState::Open { "open" } else { "closed" },
        "locked": false,
        "active_lock_reason": null,
        "title": pull.title,
        "user": world.user(&pull.author),
        "body": pull.body,
        "labels": pull.labels.iter().map(|name| label(world, name)).collect::<Vec<_>>(),
        "milestone": null,
        "created_at": pull.created.to_string(),
        "updated_at": pull.updated.to_string(),
        "closed_at": pull.ended.map(|at| at.to_string()),
        "merged_at": pull.ended.filter(|_| pull.is_merged()).map(|at| at.to_string()),
        "merge_commit_sha": pull.merge_commit().map(|id| id.to_string()),
        "assignee": null,
        "assignees": [],
        "requested_reviewers": pull.reviewers.iter().map(user).collect::<Vec<_>>(),
        "requested_teams": pull.teams.iter().map(|slug| team(world, slug)).collect::<Vec<_>>(),
        "head": side(world, &pull.head_branch, &pull.head.to_string()),
        "base": side(world, &pull.base_branch, &pull.base.to_string()),
        "author_association": world.association(&pull.author),
        "auto_merge": null,
        "draft": false,
        "_links": links,
    })
}

/// A pull request by itself, with what only this answer has.
pub(super) fn whole_pull(world: &World, shown: &Pull, mergeable: Option<bool>) -> Result<Value, ScratchError> {
    let base = shown.base;
    let (head, mut whole) = (shown.head, pull(world, shown));
    let files = super::pulls::changed_files(world, base, head)?;
    let comments = world.comments.values().filter(|comment| comment.number == shown.number).count();
    let merged = shown.is_merged();
    let state = match (shown.state == PullState::Open, mergeable) {
        (false, _) | (true, None) => "unknown",
        (true, Some(false)) => "dirty",
        (true, Some(true)) if world.blocked(shown)? => "blocked",
        (true, Some(true)) => "clean",
    };
    let extra = json!({
        "merged": merged,
        "mergeable": mergeable.filter(|_| shown.state == PullState::Open),
        "rebaseable": mergeable.filter(|_| shown.state == PullState::Open),
        "mergeable_state": state,
        "merged_by": shown.ended_by.as_ref().filter(|_| merged).map(|login| world.user(login)),
        "comments": comments,
        "review_comments": 0,
        "maintainer_can_modify": false,
        "commits": world.between(base, head)?.len(),
        "additions": files.iter().map(|file| file.additions).sum::<u64>(),
        "deletions": files.iter().map(|file| file.deletions).sum::<u64>(),
        "changed_files": files.len(),
    });
    if let (Some(whole), Value::Object(extra)) = (whole.as_object_mut(), extra) {
        whole.extend(extra);
    }
    Ok(whole)
}

/// A pull request as the issue that it also is.
pub(super) fn issue(world: &World, pull: &Pull) -> Value {
    let (api, page) = (format!("{}/issues/{}", world.api(), pull.number), format!("{}/pull/{}", world.page(), pull.number));
    json!({
        "id": pull.id + 1,
        "node_id": pull.node(),
        "url": api,
        "repository_url": world.api(),
        "labels_url": format!("{api}/labels{{/name}}"),
        "comments_url": format!("{api}/comments"),
        "events_url": format!("{api}/events"),
        "html_url": page,
        "number": pull.number,
        "state": if pull.state == PullState::Open { "open" } else { "closed" },
        "state_reason": null,
        "title": pull.title,
        "body": pull.body,
        "user": world.user(&pull.author),
        "labels": pull.labels.iter().map(|name| label(world, name)).collect::<Vec<_>>(),
        "assignee": null,
        "assignees": [],
        "milestone": null,
        "locked": false,
        "active_lock_reason": null,
        "comments": world.comments.values().filter(|comment| comment.number == pull.number).count(),
        "pull_request": {
            "url": format!("{}/pulls/{}", world.api(), pull.number),
            "html_url": page,
            "diff_url": format!("{page}.diff"),
            "patch_url": format!("{page}.patch"),
            "merged_at": pull.ended.filter(|_| pull.is_merged()).map(|at| at.to_string()),
        },
        "closed_at": pull.ended.map(|at| at.to_string()),
        "created_at": pull.created.to_string(),
        "updated_at": pull.updated.to_string(),
        "closed_by": pull.ended_by.as_ref().map(|login| world.user(login)),
        "author_association": world.association(&pull.author),
    })
}

/// A review.
pub(super) fn review(world: &World, number: u64, review: &Review) -> Value {
    let (api, page) = (format!("{}/pulls/{number}", world.api()), format!("{}/pull/{number}", world.page()));
    let anchor = format!("{page}#pullrequestreview-{}", review.id);
    json!({
        "id": review.id,
        "node_id": format!("PRR_{}", review.id),
        "user": world.user(&review.author),
        "body": review.body,
        "state": review.state.name(),
        "html_url": anchor,
        "pull_request_url": api,
        "_links": {"html": {"href": anchor}, "pull_request": {"href": api}},
        "submitted_at": review.at.to_string(),
        "commit_id": review.commit.to_string(),
        "author_association": world.association(&review.author),
    })
}
