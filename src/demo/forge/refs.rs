//! References by the API: reading, making, moving and deleting branches. What Git pushes does not come through here.

use serde_json::{Value, json};

use crate::engine::id::CommitId;
use crate::git::scratch::ScratchError;

use super::reply::{Call, Handled, Reply};
use super::rules::{Landing, forbidden};
use super::state::World;

fn shown(world: &World, branch: &str, id: CommitId) -> Value {
    json!({
        "ref": format!("refs/heads/{branch}"),
        "node_id": format!("REF_{}_{branch}", world.repository_id),
        "url": format!("{}/git/refs/heads/{branch}", world.api()),
        "object": {"type": "commit", "sha": id.to_string(), "url": format!("{}/git/commits/{id}", world.api())},
    })
}

/// `GET /repos/{owner}/{repo}/git/ref/heads/{branch}`.
pub(super) fn get(world: &World, branch: &str) -> Handled {
    world.heads.get(branch).map(|id| Reply::ok(shown(world, branch, *id))).ok_or_else(Reply::not_found)
}

/// `POST /repos/{owner}/{repo}/git/refs`.
pub(super) fn create(world: &mut World, call: &Call) -> Handled {
    let name = call.required("Reference", "ref")?;
    let branch = name.strip_prefix("refs/heads/").ok_or_else(|| Reply::error(422, "Reference name must start with 'refs/heads/'"))?;
    let id = world.commit(call.required("Reference", "sha")?).ok_or_else(|| Reply::error(422, "Object does not exist"))?;
    if world.heads.contains_key(branch) {
        return Err(Reply::error(422, "Reference already exists"));
    }
    allowed(world, call.caller.login(), branch, None, Some(id))?;
    world.repository.create_branch(branch, id).map_err(|_| Reply::error(422, "Reference could not be created"))?;
    let answer = shown(world, branch, id);
    world.observe()?;
    Ok(Reply::created(answer))
}

/// `PATCH /repos/{owner}/{repo}/git/refs/heads/{branch}`: checks that it is a fast-forward, and not where the branch was.
pub(super) fn update(world: &mut World, call: &Call, branch: &str) -> Handled {
    let id = world.commit(call.required("Reference", "sha")?).ok_or_else(|| Reply::error(422, "Object does not exist"))?;
    let from = *world.heads.get(branch).ok_or_else(|| Reply::error(422, "Reference does not exist"))?;
    let forced = call.body["force"].as_bool().unwrap_or(false);
    if !forced && !world.contains(id, from)? {
        return Err(Reply::error(422, "Update is not a fast forward"));
    }
    move_branch(world, call.caller.login(), branch, from, id)?;
    Ok(Reply::ok(shown(world, branch, id)))
}

/// `DELETE /repos/{owner}/{repo}/git/refs/heads/{branch}`.
pub(super) fn delete(world: &mut World, call: &Call, branch: &str) -> Handled {
    let at = *world.heads.get(branch).ok_or_else(|| Reply::error(422, "Reference does not exist"))?;
    allowed(world, call.caller.login(), branch, Some(at), None)?;
    world.repository.delete_branch(branch, at)?;
    world.observe()?;
    Ok(Reply::empty(204))
}

/// Moves a branch as somebody, if the rules let them and it still stands at `from`.
fn move_branch(world: &mut World, login: &str, branch: &str, from: CommitId, to: CommitId) -> Result<(), Reply> {
    allowed(world, login, branch, Some(from), Some(to))?;
    match world.repository.move_branch(branch, Some(from), to) {
        Err(ScratchError::Moved(_)) => return Err(Reply::error(409, "Reference cannot be updated")),
        moved => moved?,
    }
    world.observe()?;
    Ok(())
}

/// Whether the rules let somebody make, move or delete a branch.
pub(super) fn allowed(world: &World, login: &str, branch: &str, from: Option<CommitId>, to: Option<CommitId>) -> Result<(), Reply> {
    let violations = match (from, to) {
        (Some(from), Some(to)) => world.violations(branch, login, &Landing::Push { from, to })?,
        (None, Some(_)) if world.name_is_refused(branch, login) => vec!["Branch name must match the pattern.".to_owned()],
        (Some(_), None) if world.deletion_is_refused(branch, login) => vec!["Cannot delete this branch".to_owned()],
        _ => Vec::new(),
    };
    if violations.is_empty() { Ok(()) } else { Err(Reply::error(422, &forbidden(&violations))) }
}
