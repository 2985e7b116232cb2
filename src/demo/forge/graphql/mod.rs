//! GraphQL, for what REST cannot tell or do: whether a comment was edited or hidden, the merge queue, moving references by
//! compare-and-swap, and commits that GitHub signs.
//!
//! Each field of a type is made in full, and then cut down to what the document selects; a field that a type does not have is an error,
//! as on GitHub. Errors come with the status 200.

mod document;
mod mutations;

use serde_json::{Map, Value, json};

use super::auth::Need;
use super::comments::Comment;
use super::pulls::{Pull, PullState};
use super::reply::{Body, Call, Handled, Reply};
use super::state::World;

use document::Selection;

/// An error in the answer.
struct Failure {
    kind: &'static str,
    message: String,
}

impl Failure {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// A refusal by REST's rules says the same here.
impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        let kind = match reply.status {
            403 => "FORBIDDEN",
            404 => "NOT_FOUND",
            _ => "UNPROCESSABLE",
        };
        let message = match &reply.body {
            Body::Json(body) => {
                let detail = body["errors"][0]["message"].as_str().or_else(|| body["message"].as_str());
                detail.unwrap_or_default().to_owned()
            }
            Body::Html(_) | Body::Empty => String::new(),
        };
        Self { kind, message }
    }
}

/// `POST /api/graphql`.
pub(super) fn handle(world: &mut World, call: &Call) -> Handled {
    if call.method != "POST" {
        return Err(Reply::not_found());
    }
    let query = call.text("query").ok_or_else(|| Reply::error(400, "A query attribute must be specified and must be a string."))?;
    let none = Map::new();
    let variables = call.body["variables"].as_object().unwrap_or(&none);
    let operation = match document::parse(query, variables) {
        Ok(operation) => operation,
        Err(message) => return Ok(Reply::ok(json!({"errors": [{"message": message}]}))),
    };
    let (mut data, mut errors) = (Map::new(), Vec::new());
    for selection in &operation.selections {
        let Selection::Field { name, alias, arguments, selections } = selection else { continue };
        let made =
            if operation.is_mutation { mutations::field(world, call, name, arguments) } else { query_field(world, call, name, arguments) };
        let kind = if operation.is_mutation { "Mutation" } else { "Query" };
        let selected = match made {
            Some(made) => made.and_then(|value| select(&value, selections)),
            None => Err(Failure::new("undefinedField", format!("Field '{name}' doesn't exist on type '{kind}'"))),
        };
        match selected {
            Ok(value) => {
                data.insert(alias.clone(), value);
            }
            Err(failure) => {
                data.insert(alias.clone(), Value::Null);
                errors.push(json!({"type": failure.kind, "path": [alias], "message": failure.message}));
            }
        }
    }
    Ok(Reply::ok(if errors.is_empty() { json!({"data": data}) } else { json!({"data": data, "errors": errors}) }))
}

/// Cuts a value down to what is selected of it.
fn select(value: &Value, selections: &[Selection]) -> Result<Value, Failure> {
    match value {
        Value::Array(list) => list.iter().map(|value| select(value, selections)).collect(),
        Value::Object(object) => {
            let kind = object.get("__typename").and_then(Value::as_str).unwrap_or_default();
            if selections.is_empty() {
                return Err(Failure::new("selectionMismatch", format!("Field must have selections (type '{kind}' has them)")));
            }
            let mut selected = Map::new();
            gather(object, kind, selections, &mut selected)?;
            Ok(Value::Object(selected))
        }
        scalar if selections.is_empty() || scalar.is_null() => Ok(scalar.clone()),
        _ => Err(Failure::new("selectionMismatch", "Selections can't be made on scalars")),
    }
}

fn gather(object: &Map<String, Value>, kind: &str, selections: &[Selection], into: &mut Map<String, Value>) -> Result<(), Failure> {
    for selection in selections {
        match selection {
            Selection::Fragment { on, selections } => {
                // Interfaces that the types here belong to.
                if on == kind || matches!(on.as_str(), "Node" | "Comment" | "Minimizable" | "Actor" | "Closable") {
                    gather(object, kind, selections, into)?;
                }
            }
            Selection::Field { name, alias, selections, .. } => {
                let value = object
                    .get(name)
                    .ok_or_else(|| Failure::new("undefinedField", format!("Field '{name}' doesn't exist on type '{kind}'")))?;
                into.insert(alias.clone(), select(value, selections)?);
            }
        }
    }
    Ok(())
}

// === queries ===

fn query_field(world: &mut World, call: &Call, name: &str, arguments: &Map<String, Value>) -> Option<Result<Value, Failure>> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    Some(match name {
        "viewer" => Ok(actor(world, call.caller.login())),
        "node" => node(world, call, text("id")),
        "repository" => repository(world, call, text("owner"), text("name")),
        "rateLimit" => {
            let now = world.now();
            let budget = *world.faults.budget(&format!("{} graphql", call.caller.budget()), now);
            let remaining = budget.remaining;
            Ok(
                json!({"__typename": "RateLimit", "limit": budget.limit, "cost": 1, "remaining": remaining, "resetAt": budget.reset.to_string()}),
            )
        }
        _ => return None,
    })
}

fn unresolved(id: &str) -> Failure {
    Failure::new("NOT_FOUND", format!("Could not resolve to a node with the global id of '{id}'"))
}

fn node(world: &World, call: &Call, id: &str) -> Result<Value, Failure> {
    world.require(&call.caller, Need::METADATA)?;
    if let Some(comment) = comment_of(world, id) {
        return Ok(comment_node(world, call, comment));
    }
    if let Some(pull) = pull_of(world, id) {
        return Ok(pull_node(world, pull));
    }
    if id == super::repository::node(world) {
        return Ok(repository_node(world));
    }
    Err(unresolved(id))
}

fn comment_of<'a>(world: &'a World, node: &str) -> Option<&'a Comment> {
    world.comments.get(&node.strip_prefix("IC_")?.parse().ok()?)
}

fn pull_of<'a>(world: &'a World, node: &str) -> Option<&'a Pull> {
    world.pulls.values().find(|pull| pull.node() == node)
}

fn repository(world: &mut World, call: &Call, owner: &str, name: &str) -> Result<Value, Failure> {
    world.require(&call.caller, Need::METADATA)?;
    let is_it = owner.eq_ignore_ascii_case(&world.owner) && name.eq_ignore_ascii_case(&world.name);
    if is_it {
        return Ok(repository_node(world));
    }
    Err(Failure::new("NOT_FOUND", format!("Could not resolve to a Repository with the name '{owner}/{name}'.")))
}

/// Null for an account that is gone, which REST shows as `ghost`.
fn actor(world: &World, login: &str) -> Value {
    if world.account(login).is_none() {
        return Value::Null;
    }
    let user = world.user(login);
    json!({
        "__typename": user["type"],
        // GraphQL leaves the suffix of an App's login out.
        "login": user["login"].as_str().unwrap_or_default().trim_end_matches("[bot]"),
        "databaseId": user["id"],
        "id": user["node_id"],
        "url": user["html_url"],
        "resourcePath": format!("/{}", user["login"].as_str().unwrap_or_default()),
        "avatarUrl": user["avatar_url"],
    })
}

/// GraphQL's `Int` has 32 bits. A wider id is null there; `fullDatabaseId` has it.
fn narrow(id: u64) -> Option<i32> {
    i32::try_from(id).ok()
}

fn comment_node(world: &World, call: &Call, comment: &Comment) -> Value {
    let edited = comment.edited.as_ref();
    json!({
        "__typename": "IssueComment",
        "id": format!("IC_{}", comment.id),
        "databaseId": narrow(comment.id),
        "fullDatabaseId": comment.id.to_string(),
        "url": world.comment_page(comment),
        "body": comment.body,
        "author": actor(world, &comment.author),
        "authorAssociation": world.association(&comment.author),
        "createdAt": comment.created.to_string(),
        "updatedAt": comment.updated.to_string(),
        "publishedAt": comment.created.to_string(),
        "lastEditedAt": edited.map(|(_, at)| at.to_string()),
        // Only true of an edit within a grace period that is not recorded as one of its own.
        "includesCreatedEdit": edited.is_some(),
        "editor": edited.map(|(login, _)| actor(world, login)),
        "isMinimized": comment.minimized.is_some(),
        "minimizedReason": comment.minimized.as_ref().map(|reason| reason.to_lowercase()),
        "viewerDidAuthor": comment.author == call.caller.login(),
        "createdViaEmail": false,
        "issue": {"__typename": "Issue", "number": comment.number},
        "pullRequest": world.pulls.get(&comment.number).map(|pull| pull_node(world, pull)),
    })
}

fn pull_node(world: &World, pull: &Pull) -> Value {
    let position = world.queue.iter().position(|queued| *queued == pull.number);
    json!({
        "__typename": "PullRequest",
        "id": pull.node(),
        "databaseId": narrow(pull.id),
        "fullDatabaseId": pull.id.to_string(),
        "number": pull.number,
        "url": format!("{}/pull/{}", world.page(), pull.number),
        "title": pull.title,
        "body": pull.body,
        "state": match pull.state {
            PullState::Open => "OPEN",
            PullState::Closed => "CLOSED",
            PullState::Merged { .. } => "MERGED",
        },
        "closed": pull.state != PullState::Open,
        "merged": pull.is_merged(),
        "mergedBy": pull.ended_by.as_ref().filter(|_| pull.is_merged()).map(|login| actor(world, login)),
        "mergeCommit": pull.merge_commit().map(|id| json!({"__typename": "Commit", "oid": id.to_string()})),
        "author": actor(world, &pull.author),
        "headRefName": pull.head_branch,
        "headRefOid": pull.head.to_string(),
        "baseRefName": pull.base_branch,
        "baseRefOid": world.heads.get(&pull.base_branch).unwrap_or(&pull.base).to_string(),
        "isDraft": false,
        "isInMergeQueue": position.is_some(),
        "mergeQueueEntry": position.map(|position| entry_node(pull, position)),
        "createdAt": pull.created.to_string(),
        "updatedAt": pull.updated.to_string(),
    })
}

/// An entry of the merge queue.
fn entry_node(pull: &Pull, position: usize) -> Value {
    json!({
        "__typename": "MergeQueueEntry",
        "id": format!("MQE_{}", pull.id),
        "position": position + 1,
        "state": "QUEUED",
        "jump": false,
        "solo": false,
        "enqueuedAt": pull.updated.to_string(),
    })
}

fn repository_node(world: &World) -> Value {
    let default = world.default_branch.as_str();
    let target = world.heads.get(default).map(|id| json!({"__typename": "Commit", "oid": id.to_string()}));
    json!({
        "__typename": "Repository",
        "id": super::repository::node(world),
        "databaseId": world.repository_id,
        "name": world.name,
        "nameWithOwner": world.full_name(),
        "url": world.page(),
        "isPrivate": true,
        "isArchived": false,
        "defaultBranchRef": {"__typename": "Ref", "name": default, "target": target},
    })
}
