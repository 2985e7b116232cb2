//! Commits and branches as the API shows them: who is behind a commit, whether it is verified, and whether its branch is protected.

use serde_json::{Value, json};

use crate::engine::change::Person;
use crate::engine::id::CommitId;
use crate::engine::time::Timestamp;
use crate::git::scratch::ScratchError;

use super::reply::{Call, Handled, Reply, paged};
use super::state::World;

/// A person and a date as a commit's header has them.
fn header(line: &str) -> Option<(Person, Timestamp)> {
    let (name, rest) = line.split_once(" <")?;
    let (email, date) = rest.split_once("> ")?;
    let seconds = date.split(' ').next()?.parse().ok()?;
    Some((Person { name: name.to_owned(), email: email.to_owned() }, Timestamp::from_secs(seconds)))
}

fn shown(world: &World, id: CommitId) -> Result<Value, ScratchError> {
    let raw = world.repository.text(&["cat-file", "commit", &id.to_string()])?;
    let fields: Vec<&str> = raw.lines().take_while(|line| !line.is_empty()).collect();
    let field = |name: &str| fields.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let (author, committer) = (header(field("author ")), header(field("committer ")));
    let (api, page) = (world.api(), format!("{}/commit", world.page()));
    let tree = field("tree ");
    let signed = |person: &Option<(Person, Timestamp)>| {
        person.as_ref().map(|(person, at)| json!({"name": person.name, "email": person.email, "date": at.to_string()}))
    };
    let account = |person: &Option<(Person, Timestamp)>| {
        let found = person.as_ref().and_then(|(person, _)| world.account_of(&person.email));
        found.map(|account| world.user(&account.login))
    };
    let is_verified = world.is_verified(id)?;
    let parents: Vec<Value> = fields
        .iter()
        .filter_map(|line| line.strip_prefix("parent "))
        .map(|parent| json!({"sha": parent, "url": format!("{api}/commits/{parent}"), "html_url": format!("{page}/{parent}")}))
        .collect();
    Ok(json!({
        "sha": id.to_string(),
        "node_id": format!("C_{id}"),
        "commit": {
            "author": signed(&author),
            "committer": signed(&committer),
            "message": world.repository.message(id)?.trim_end(),
            "tree": {"sha": tree, "url": format!("{api}/git/trees/{tree}")},
            "url": format!("{api}/git/commits/{id}"),
            "comment_count": 0,
            "verification": {
                "verified": is_verified,
                "reason": if is_verified { "valid" } else { "unsigned" },
                "signature": null,
                "payload": null,
                "verified_at": null,
            },
        },
        "url": format!("{api}/commits/{id}"),
        "html_url": format!("{page}/{id}"),
        "comments_url": format!("{api}/commits/{id}/comments"),
        "author": account(&author),
        "committer": account(&committer),
        "parents": parents,
    }))
}

/// `GET /repos/{owner}/{repo}/commits`: those that a branch or a commit has, newest first.
pub(super) fn list(world: &World, call: &Call) -> Handled {
    let head = world.resolve(call.parameter("sha").unwrap_or(&world.default_branch)).ok_or_else(Reply::not_found)?;
    let told = world.repository.text(&["rev-list", &head.to_string()])?;
    let commits: Vec<CommitId> = told.lines().filter_map(|line| line.parse().ok()).collect();
    let (commits, link) = paged(&world.root(), call, commits);
    let reply = Reply::ok(Value::Array(commits.into_iter().map(|commit| shown(world, commit)).collect::<Result<_, _>>()?));
    Ok(match link {
        Some(link) => reply.with("link", link),
        None => reply,
    })
}

/// `GET /repos/{owner}/{repo}/commits/{ref}`. Its files are left out.
pub(super) fn get(world: &World, name: &str) -> Handled {
    let commit = world.resolve(name).ok_or_else(|| Reply::error(422, &format!("No commit found for SHA: {name}")))?;
    Ok(Reply::ok(shown(world, commit)?))
}

/// `GET /repos/{owner}/{repo}/branches/{branch}`. Rule sets are no protection of the older kind, of which there is none here; they only
/// show in `protected`.
pub(super) fn branch(world: &World, branch: &str) -> Handled {
    let head = *world.heads.get(branch).ok_or_else(|| Reply::error(404, "Branch not found"))?;
    let commit = shown(world, head)?;
    let address = format!("{}/branches/{}", world.api(), super::reply::encoded(branch));
    Ok(Reply::ok(json!({
        "name": branch,
        "commit": commit,
        "_links": {"self": address, "html": format!("{}/tree/{branch}", world.page())},
        "protected": world.rules_of(branch).next().is_some(),
        "protection": {
            "enabled": false,
            "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []},
        },
        "protection_url": format!("{address}/protection"),
    })))
}

/// Where a `CODEOWNERS` may be, in the order in which GitHub looks.
const OWNERS: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];

/// `GET /repos/{owner}/{repo}/codeowners/errors`. Of all mistakes it knows one: an owner that is neither a name nor an address.
pub(super) fn codeowners_errors(world: &World, call: &Call) -> Handled {
    let head = world.resolve(call.parameter("ref").unwrap_or(&world.default_branch)).ok_or_else(Reply::not_found)?.to_string();
    for path in OWNERS {
        let Some(content) = world.repository.show_file(&head, path)? else { continue };
        let text = String::from_utf8_lossy(&content).into_owned();
        let wrong = |line: &str| line.split_whitespace().skip(1).any(|owner| !owner.contains('@'));
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with(['#', '[', '^']) && wrong(line));
        let mistakes: Vec<_> = lines
            .map(|(index, line)| {
                json!({
                    "line": index + 1, "column": 1, "kind": "Invalid owner", "source": line, "suggestion": null,
                    "message": format!("Invalid owner on line {}: {line}", index + 1), "path": path,
                })
            })
            .collect();
        return Ok(Reply::ok(json!({ "errors": mistakes })));
    }
    Err(Reply::not_found())
}
