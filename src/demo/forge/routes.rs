//! Which REST request goes where, and what it needs to be allowed.

use serde_json::json;

use super::auth::{self, Need};
use super::reply::{Call, Handled, Reply, decoded};
use super::state::World;
use super::{comments, commits, faults, issues, merging, people, pulls, refs, rules, statuses};

/// Answers a REST request of a known caller.
pub(super) fn handle(world: &mut World, call: &Call) -> Handled {
    let segments: Vec<String> = call.path.trim_matches('/').split('/').map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["app"]) => auth::itself(world, call),
        ("POST", ["app", "installations", id, "access_tokens"]) => auth::access_token(world, call, id),
        ("GET", ["rate_limit"]) => faults::rate_limit(world, call.caller.budget()),
        ("GET", ["user"]) => match &call.caller {
            auth::Caller::Person(login) => people::viewer(world, login),
            _ => Err(Reply::error(403, "Resource not accessible by integration")),
        },
        ("GET", ["users", login]) => people::user(world, login),
        ("GET", ["orgs", organisation, "teams", team, "memberships", login]) => {
            world.require(&call.caller, Need::READ_MEMBERS)?;
            people::membership(world, call, organisation, team, login)
        }
        ("GET", ["orgs", organisation, "teams", team]) => {
            world.require(&call.caller, Need::READ_MEMBERS)?;
            people::team(world, organisation, team)
        }
        (_, ["repositories", id, rest @ ..]) if *id == world.repository_id.to_string() => repository(world, call, rest),
        (_, ["repos", owner, name, rest @ ..]) => {
            if owner.eq_ignore_ascii_case(&world.owner) && name.eq_ignore_ascii_case(&world.name) {
                repository(world, call, rest)
            } else {
                Err(moved(world, call, owner, name, rest))
            }
        }
        _ => Err(Reply::not_found()),
    }
}

/// A former name leads to the repository's id: 301 for what only reads, 307 for what must be sent again as it is.
fn moved(world: &World, call: &Call, owner: &str, name: &str, rest: &[&str]) -> Reply {
    if !world.former_names.contains(&(owner.to_lowercase(), name.to_lowercase())) {
        return Reply::not_found();
    }
    let tail: String = rest.iter().map(|segment| format!("/{segment}")).collect();
    let query: Vec<String> =
        call.query.iter().map(|(name, value)| format!("{}={}", super::reply::encoded(name), super::reply::encoded(value))).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let address = format!("{}/repositories/{}{tail}{mark}{}", world.root(), world.repository_id, query.join("&"));
    let status = if call.method == "GET" { 301 } else { 307 };
    let message = if status == 301 { "Moved Permanently" } else { "Temporary Redirect" };
    let body = serde_json::json!({"message": message, "url": address, "documentation_url": "https://docs.github.com/rest"});
    Reply::json(status, body).with("location", address)
}

/// Everything below one repository.
fn repository(world: &mut World, call: &Call, rest: &[&str]) -> Handled {
    if let ("GET", ["installation"]) = (call.method.as_str(), rest) {
        return auth::installation(world, call);
    }
    world.require(&call.caller, Need::METADATA)?;
    match rest {
        [] if call.method == "GET" => Ok(Reply::ok(super::repository::shown(world, &role(world, call)))),
        ["pulls", rest @ ..] => of_pulls(world, call, rest),
        ["issues", rest @ ..] => of_issues(world, call, rest),
        ["git", rest @ ..] => of_references(world, call, rest),
        ["statuses" | "commits" | "check-runs", ..] => of_commits(world, call, rest),
        rest if call.method == "GET" => reading(world, call, rest),
        _ => Err(Reply::not_found()),
    }
}

fn role(world: &World, call: &Call) -> people::Role {
    match &call.caller {
        auth::Caller::Person(login) => world.account(login).map_or(people::Role::None, |account| account.role.clone()),
        _ if world.require(&call.caller, Need::WRITE_CONTENTS).is_ok() => people::Role::Write,
        _ => people::Role::Read,
    }
}

fn reading(world: &World, call: &Call, rest: &[&str]) -> Handled {
    match rest {
        ["collaborators", login, "permission"] => people::permission(world, login),
        ["branches", branch @ ..] if !branch.is_empty() => {
            world.require(&call.caller, Need::READ_CONTENTS)?;
            commits::branch(world, &branch.join("/"))
        }
        ["rules", "branches", branch @ ..] if !branch.is_empty() => rules::for_branch(world, call, &branch.join("/")),
        ["keys" | "hooks"] | ["actions", "secrets"] => {
            world.require_administrator(&call.caller)?;
            Ok(Reply::ok(if rest == ["actions", "secrets"] { json!({"total_count": 0, "secrets": []}) } else { json!([]) }))
        }
        ["codeowners", "errors"] => {
            world.require(&call.caller, Need::READ_CONTENTS)?;
            commits::codeowners_errors(world, call)
        }
        ["rulesets"] => rules::list(world, call),
        ["rulesets", id] => rules::get(world, call, number(id)?),
        _ => Err(Reply::not_found()),
    }
}

fn number(text: &str) -> Result<u64, Reply> {
    text.parse().map_err(|_| Reply::not_found())
}

fn of_pulls(world: &mut World, call: &Call, rest: &[&str]) -> Handled {
    let need = match (call.method.as_str(), rest) {
        ("GET", _) => Need::READ_PULLS,
        // Who may read may review; whether the review counts is another matter.
        ("POST", [_, "reviews"]) => Need::REVIEW,
        ("PUT", [_, "merge"]) => Need::WRITE_CONTENTS,
        _ => Need::WRITE_PULLS,
    };
    // The author of a pull request may edit and close it with any role.
    let own = matches!((call.method.as_str(), rest), ("PATCH", [id]) if number(id)
        .is_ok_and(|id| world.pulls.get(&id).is_some_and(|pull| pull.author == call.caller.login())));
    if !own {
        world.require(&call.caller, need)?;
    }
    match (call.method.as_str(), rest) {
        ("GET", []) => pulls::list(world, call),
        ("POST", []) => pulls::create(world, call),
        ("GET", [id]) => pulls::get(world, number(id)?),
        ("PATCH", [id]) => pulls::update(world, call, number(id)?),
        ("GET", [id, "merge"]) => merging::is_merged(world, number(id)?),
        ("PUT", [id, "merge"]) => merging::merge(world, call, number(id)?),
        ("GET", [id, "files"]) => pulls::files(world, call, number(id)?),
        ("GET", [id, "reviews"]) => pulls::reviews(world, call, number(id)?),
        ("POST", [id, "reviews"]) => pulls::create_review(world, call, number(id)?),
        ("POST", [id, "requested_reviewers"]) => pulls::request_reviewers(world, call, number(id)?),
        _ => Err(Reply::not_found()),
    }
}

fn of_issues(world: &mut World, call: &Call, rest: &[&str]) -> Handled {
    let need = match (call.method.as_str(), rest) {
        ("GET", _) => Need::READ_ISSUES,
        (_, [_, "labels", ..]) => Need::LABEL,
        _ => Need::COMMENT,
    };
    world.require(&call.caller, need)?;
    match (call.method.as_str(), rest) {
        ("GET", []) => issues::list(world, call),
        ("GET", [id, "events"]) => issues::events(world, call, number(id)?),
        ("GET", ["comments"]) => comments::of_repository(world, call),
        ("GET", ["comments", id]) => comments::get(world, number(id)?),
        ("PATCH", ["comments", id]) => comments::update(world, call, number(id)?),
        ("DELETE", ["comments", id]) => comments::delete(world, call, number(id)?),
        ("GET", ["comments", id, "reactions"]) => comments::reactions(world, call, number(id)?),
        ("POST", ["comments", id, "reactions"]) => comments::react(world, call, number(id)?),
        ("GET", [id]) => pulls::issue(world, number(id)?),
        ("GET", [id, "comments"]) => comments::of_pull(world, call, number(id)?),
        ("POST", [id, "comments"]) => comments::create(world, call, number(id)?),
        ("GET", [id, "labels"]) => pulls::labels(world, call, number(id)?),
        ("POST", [id, "labels"]) => pulls::add_labels(world, call, number(id)?),
        ("DELETE", [id, "labels", name]) => pulls::remove_label(world, number(id)?, name),
        _ => Err(Reply::not_found()),
    }
}

fn of_references(world: &mut World, call: &Call, rest: &[&str]) -> Handled {
    world.require(&call.caller, if call.method == "GET" { Need::READ_CONTENTS } else { Need::WRITE_CONTENTS })?;
    match (call.method.as_str(), rest) {
        ("GET", ["ref", "heads", branch @ ..]) if !branch.is_empty() => refs::get(world, &branch.join("/")),
        ("POST", ["refs"]) => refs::create(world, call),
        ("PATCH", ["refs", "heads", branch @ ..]) if !branch.is_empty() => refs::update(world, call, &branch.join("/")),
        ("DELETE", ["refs", "heads", branch @ ..]) if !branch.is_empty() => refs::delete(world, call, &branch.join("/")),
        _ => Err(Reply::not_found()),
    }
}

fn of_commits(world: &mut World, call: &Call, rest: &[&str]) -> Handled {
    match (call.method.as_str(), rest) {
        ("POST", ["statuses", id]) => {
            world.require(&call.caller, Need::WRITE_STATUSES)?;
            statuses::create_status(world, call, id)
        }
        ("POST", ["check-runs"]) => statuses::create_check_run(world, call),
        // The name of a branch may hold slashes.
        ("GET", ["commits", name @ .., "status"]) if !name.is_empty() => {
            world.require(&call.caller, Need::READ_STATUSES)?;
            statuses::combined(world, call, &name.join("/"))
        }
        ("GET", ["commits", name @ .., "statuses"]) if !name.is_empty() => {
            world.require(&call.caller, Need::READ_STATUSES)?;
            statuses::listed(world, call, &name.join("/"))
        }
        ("GET", ["commits", name @ .., "check-runs"]) if !name.is_empty() => {
            world.require(&call.caller, Need::READ_CHECKS)?;
            statuses::check_runs(world, call, &name.join("/"))
        }
        ("GET", ["commits"]) => {
            world.require(&call.caller, Need::READ_CONTENTS)?;
            commits::list(world, call)
        }
        ("GET", ["commits", name @ ..]) if !name.is_empty() => {
            world.require(&call.caller, Need::READ_CONTENTS)?;
            commits::get(world, &name.join("/"))
        }
        _ => Err(Reply::not_found()),
    }
}
