//! The mutations: `enqueuePullRequest`, `minimizeComment`, `createCommitOnBranch` and `updateRefs`.

use serde_json::{Map, Value, json};

use crate::engine::id::CommitId;
use crate::git::scratch::{FileEdit, ScratchError, Signed};

use super::super::auth::{Need, base64};
use super::super::merging::github;
use super::super::pulls::PullState;
use super::super::refs::allowed;
use super::super::reply::Call;
use super::super::rules::{Landing, Rule, forbidden};
use super::super::state::World;
use super::{Failure, comment_node, comment_of, entry_node, pull_of, unresolved};

/// One move of a reference.
struct Update {
    branch: String,
    from: Option<CommitId>,
    to: Option<CommitId>,
}

/// Carries a mutation out; `None` where there is none of this name.
pub(super) fn field(world: &mut World, call: &Call, name: &str, arguments: &Map<String, Value>) -> Option<Result<Value, Failure>> {
    let none = Value::Null;
    let input = arguments.get("input").unwrap_or(&none);
    let done = match name {
        "enqueuePullRequest" => enqueue(world, call, input),
        "minimizeComment" => minimise(world, call, input),
        "createCommitOnBranch" => create_commit(world, call, input),
        "updateRefs" => update_refs(world, call, input),
        _ => return None,
    };
    Some(done.map(|mut payload| {
        payload["clientMutationId"] = input["clientMutationId"].clone();
        payload
    }))
}

fn text<'a>(input: &'a Value, name: &str) -> Result<&'a str, Failure> {
    input[name].as_str().ok_or_else(|| {
        Failure::new("argumentLiteralsIncompatible", format!("Argument '{name}' on InputObject is required. Expected type String!"))
    })
}

fn enqueue(world: &mut World, call: &Call, input: &Value) -> Result<Value, Failure> {
    world.require(&call.caller, Need::WRITE_PULLS)?;
    let id = text(input, "pullRequestId")?;
    let pull = pull_of(world, id).ok_or_else(|| unresolved(id))?.clone();
    let refused = |message: &str| Failure::new("UNPROCESSABLE", message);
    if pull.state != PullState::Open {
        return Err(refused("Pull request is not open"));
    }
    if !world.rules_of(&pull.base_branch).any(|(_, _, rule)| *rule == Rule::MergeQueue) {
        return Err(refused("The merge queue is not enabled for this branch"));
    }
    if input["expectedHeadOid"].as_str().is_some_and(|head| head != pull.head.to_string()) {
        return Err(refused("Head branch was modified. Review and try the merge again."));
    }
    if world.queue.contains(&pull.number) {
        return Err(refused("Pull request is already in the queue"));
    }
    if input["jump"].as_bool() == Some(true) {
        world.queue.insert(0, pull.number);
    } else {
        world.queue.push(pull.number);
    }
    let position = world.queue.iter().position(|queued| *queued == pull.number).unwrap_or_default();
    Ok(json!({"__typename": "EnqueuePullRequestPayload", "mergeQueueEntry": entry_node(&pull, position)}))
}

fn minimise(world: &mut World, call: &Call, input: &Value) -> Result<Value, Failure> {
    let id = text(input, "subjectId")?;
    let reason = text(input, "classifier")?.to_owned();
    let comment = comment_of(world, id).ok_or_else(|| unresolved(id))?;
    let (comment_id, is_own) = (comment.id, comment.author == call.caller.login());
    if !is_own {
        world.require(&call.caller, Need::LABEL)?;
    }
    if let Some(comment) = world.comments.get_mut(&comment_id) {
        comment.minimized = Some(reason);
    }
    let shown = world.comments.get(&comment_id).map(|comment| comment_node(world, call, comment));
    Ok(json!({"__typename": "MinimizeCommentPayload", "minimizedComment": shown}))
}

// === createCommitOnBranch ===

fn create_commit(world: &mut World, call: &Call, input: &Value) -> Result<Value, Failure> {
    world.require(&call.caller, Need::WRITE_CONTENTS)?;
    let repository = text(&input["branch"], "repositoryNameWithOwner")?;
    if !repository.eq_ignore_ascii_case(&world.full_name()) {
        return Err(Failure::new("NOT_FOUND", format!("Could not resolve to a Repository with the name '{repository}'.")));
    }
    let name = text(&input["branch"], "branchName")?;
    let branch = name.strip_prefix("refs/heads/").unwrap_or(name).to_owned();
    let missing = || Failure::new("NOT_FOUND", format!("Branch \"{branch}\" does not exist"));
    let head = *world.heads.get(&branch).ok_or_else(missing)?;
    let expected = text(input, "expectedHeadOid")?;
    let stale = || {
        let message = format!("Expected branch to point to \"{expected}\" but it did not.  Pull and try again.");
        Failure::new("STALE_DATA", message)
    };
    if expected != head.to_string() {
        return Err(stale());
    }
    let headline = text(&input["message"], "headline")?;
    let message = match input["message"]["body"].as_str() {
        Some(body) if !body.is_empty() => format!("{headline}\n\n{body}"),
        _ => headline.to_owned(),
    };
    let edits = edits(&input["fileChanges"])?;
    for edit in &edits {
        if let FileEdit::Remove { path } = edit
            && world.repository.text(&["cat-file", "-e", &format!("{head}:{path}")]).is_err()
        {
            return Err(Failure::new("UNPROCESSABLE", format!("A path was requested for deletion which does not exist: {path}")));
        }
    }
    let tree = world.repository.edited_tree(Some(head), &edits).map_err(failed)?;
    let (author, committer, now) = (world.identity(call.caller.login()), github(), world.now());
    let by = |person| Signed { person, at: now, message: &message };
    let commit = world.repository.commit_object(&[head], tree, by(&author), by(&committer)).map_err(failed)?;
    world.signed.insert(commit);
    let violations = world.violations(&branch, call.caller.login(), &Landing::Push { from: head, to: commit }).map_err(failed)?;
    if !violations.is_empty() {
        return Err(Failure::new("UNPROCESSABLE", forbidden(&violations)));
    }
    match world.repository.move_branch(&branch, Some(head), commit) {
        Err(ScratchError::Moved(_)) => return Err(stale()),
        moved => moved.map_err(failed)?,
    }
    world.observe().map_err(failed)?;
    let shown = json!({
        "__typename": "Commit",
        "oid": commit.to_string(),
        "url": format!("{}/commit/{commit}", world.page()),
        "message": message,
        "messageHeadline": headline,
        "tree": {"__typename": "Tree", "oid": tree.to_string()},
        "parents": {"__typename": "CommitConnection", "totalCount": 1, "nodes": [{"__typename": "Commit", "oid": head.to_string()}]},
        "signature": {"__typename": "GpgSignature", "isValid": true, "wasSignedByGitHub": true, "state": "VALID"},
    });
    Ok(json!({"__typename": "CreateCommitOnBranchPayload", "commit": shown}))
}

fn failed(error: ScratchError) -> Failure {
    Failure::new("SERVICE_UNAVAILABLE", format!("Something went wrong while executing your query: {error}"))
}

fn edits(changes: &Value) -> Result<Vec<FileEdit>, Failure> {
    let list = |name: &str| changes[name].as_array().cloned().unwrap_or_default();
    let mut edits = Vec::new();
    for deletion in list("deletions") {
        edits.push(FileEdit::Remove { path: text(&deletion, "path")?.to_owned() });
    }
    for addition in list("additions") {
        let path = text(&addition, "path")?.to_owned();
        let content = base64(text(&addition, "contents")?)
            .ok_or_else(|| Failure::new("UNPROCESSABLE", format!("The contents of {path} are no base64")))?;
        edits.push(FileEdit::Write { path, content });
    }
    Ok(edits)
}

// === updateRefs ===

/// All of the moves or none: each is checked before the first is made, and what was made is taken back when a later one fails.
fn update_refs(world: &mut World, call: &Call, input: &Value) -> Result<Value, Failure> {
    world.require(&call.caller, Need::WRITE_CONTENTS)?;
    let id = text(input, "repositoryId")?;
    if id != super::super::repository::node(world) {
        return Err(unresolved(id));
    }
    let updates = input["refUpdates"].as_array().cloned().unwrap_or_default();
    let updates = updates.iter().map(|update| checked(world, update)).collect::<Result<Vec<Update>, _>>()?;
    // A reference that stays where it is only guards the others.
    for update in updates.iter().filter(|update| update.from != update.to) {
        allowed(world, call.caller.login(), &update.branch, update.from, update.to)?;
    }
    let mut made: Vec<&Update> = Vec::new();
    for update in &updates {
        if let Err(error) = put(world, &update.branch, update.from, update.to) {
            for update in made.iter().rev() {
                // What cannot be taken back was moved by somebody else since.
                let _ = put(world, &update.branch, update.to, update.from);
            }
            let message = format!("The reference refs/heads/{} was modified: {error}", update.branch);
            return Err(Failure::new("UNPROCESSABLE", message));
        }
        made.push(update);
    }
    // Only now: what is taken back again must not be seen as merged.
    world.observe().map_err(failed)?;
    Ok(json!({"__typename": "UpdateRefsPayload"}))
}

fn put(world: &World, branch: &str, from: Option<CommitId>, to: Option<CommitId>) -> Result<(), ScratchError> {
    match (from, to) {
        (from, Some(to)) => world.repository.move_branch(branch, from, to),
        (Some(from), None) => world.repository.delete_branch(branch, from),
        (None, None) => Ok(()),
    }
}

fn checked(world: &World, update: &Value) -> Result<Update, Failure> {
    let name = text(update, "name")?;
    let refused = |message: String| Failure::new("UNPROCESSABLE", message);
    let branch = name.strip_prefix("refs/heads/").ok_or_else(|| refused(format!("{name} is not a branch")))?.to_owned();
    let object = |field: &str| -> Result<Option<CommitId>, Failure> {
        match update[field].as_str() {
            None => Ok(None),
            Some(id) if id.bytes().all(|byte| byte == b'0') => Ok(None),
            Some(id) => world.commit(id).map(Some).ok_or_else(|| refused(format!("Object {id} does not exist"))),
        }
    };
    let (before, to) = (object("beforeOid")?, object("afterOid")?);
    let now = world.heads.get(&branch).copied();
    if update["beforeOid"].is_string() && before != now {
        return Err(refused(format!("The reference {name} was modified: it does not point to the expected object")));
    }
    let is_forced = update["force"].as_bool().unwrap_or(false);
    if let (Some(from), Some(to)) = (now, to)
        && !is_forced
        && !world.contains(to, from).map_err(failed)?
    {
        return Err(refused(format!("The update of {name} is not a fast forward")));
    }
    Ok(Update { branch, from: now, to })
}
