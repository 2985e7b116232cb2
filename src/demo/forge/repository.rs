//! The repository as GitHub's answers show it: once by itself, and once more within every pull request.

use serde_json::{Value, json};

use super::people::Role;
use super::pulls::PullState;
use super::state::{MergeMethod, World};

/// Where what belongs to the repository is found: the field, and the address below the repository's own.
const ADDRESSES: [(&str, &str); 35] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("trees_url", "/git/trees{/sha}"),
];

/// The repository, as somebody of this role sees it.
pub(super) fn shown(world: &World, role: &Role) -> Value {
    let (api, page) = (world.api(), world.page());
    let open = world.pulls.values().filter(|pull| pull.state == PullState::Open).count();
    let mut shown = json!({
        "id": world.repository_id,
        "node_id": node(world),
        "name": world.name,
        "full_name": world.full_name(),
        "private": true,
        "owner": world.user(&world.owner),
        "html_url": page,
        "description": null,
        "fork": false,
        "url": api,
        "homepage": null,
        "language": null,
        "license": null,
        "mirror_url": null,
        "archived": false,
        "disabled": false,
        "visibility": "private",
        "default_branch": world.default_branch,
        "clone_url": format!("{page}.git"),
        "git_url": world.repository.url(),
        "ssh_url": world.repository.url(),
        "svn_url": page,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "pushed_at": "2026-01-01T00:00:00Z",
        "permissions": role.permissions(),
        "web_commit_signoff_required": false,
    });
    for (field, path) in ADDRESSES {
        shown[field] = json!(format!("{api}{path}"));
    }
    shown["teams_url"] = json!(format!("{api}/teams"));
    for field in ["has_issues", "has_downloads", "has_projects", "has_wiki", "has_pages", "has_discussions"] {
        shown[field] = json!(field == "has_issues");
    }
    let nothing = ["forks", "forks_count", "network_count", "size", "stargazers_count", "subscribers_count", "watchers", "watchers_count"];
    for field in nothing {
        shown[field] = json!(0);
    }
    for field in ["open_issues", "open_issues_count"] {
        shown[field] = json!(open);
    }
    // Only who may write is told how things may be merged.
    if role.level() >= Role::Write.level() {
        add_settings(world, &mut shown);
    }
    shown
}

fn add_settings(world: &World, shown: &mut Value) {
    for (field, method) in [
        ("allow_merge_commit", MergeMethod::Merge),
        ("allow_squash_merge", MergeMethod::Squash),
        ("allow_rebase_merge", MergeMethod::Rebase),
    ] {
        shown[field] = json!(world.merge_methods.contains(&method));
    }
    for field in ["allow_auto_merge", "allow_update_branch", "delete_branch_on_merge"] {
        shown[field] = json!(false);
    }
    shown["squash_merge_commit_title"] = json!("COMMIT_OR_PR_TITLE");
    shown["squash_merge_commit_message"] = json!("COMMIT_MESSAGES");
    shown["merge_commit_title"] = json!("MERGE_MESSAGE");
    shown["merge_commit_message"] = json!("PR_TITLE");
}

/// The repository's id in GraphQL.
pub(super) fn node(world: &World) -> String {
    format!("R_{}", world.repository_id)
}
