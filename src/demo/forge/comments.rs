//! Comments of pull requests, and the reactions to them.
//!
//! Two things about edits are as on GitHub: a reaction or a minimisation may move `updated_at` without an edit, and only GraphQL's
//! `lastEditedAt` tells of one.

use serde_json::{Value, json};

use crate::engine::time::Timestamp;

use super::auth::{Caller, Need};
use super::pulls::LONGEST_BODY;
use super::reply::{Call, Handled, Reply, listed};
use super::state::World;

/// The reactions that there are.
const REACTIONS: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

/// A comment.
#[derive(Clone, Debug)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// The pull request.
    pub number: u64,
    /// Who wrote it.
    pub author: String,
    /// The text, in Markdown.
    pub body: String,
    pub(super) by_app: bool,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// Who edited it last, and when.
    pub edited: Option<(String, Timestamp)>,
    /// Why it is hidden, if it is: `SPAM`, `OFF_TOPIC`, `OUTDATED` and so on.
    pub minimized: Option<String>,
    /// Login and reaction.
    pub reactions: Vec<(u64, String, String)>,
}

// === impl World ===

impl World {
    /// Writes a comment and gives its id.
    pub(super) fn write_comment(&mut self, author: &str, number: u64, body: &str, by_app: bool) -> Result<u64, Reply> {
        check_body(body)?;
        let (id, now) = (self.next_id(), self.now());
        self.pull_mut(number)?.updated = now;
        let comment = Comment {
            id,
            number,
            author: author.to_owned(),
            body: body.to_owned(),
            by_app,
            created: now,
            updated: now,
            edited: None,
            minimized: None,
            reactions: Vec::new(),
        };
        self.comments.insert(id, comment);
        Ok(id)
    }

    /// Edits a comment, as somebody.
    pub(super) fn rewrite_comment(&mut self, editor: &str, id: u64, body: &str) -> Result<(), Reply> {
        check_body(body)?;
        let now = self.now();
        let comment = self.comments.get_mut(&id).ok_or_else(Reply::not_found)?;
        // Saving the same text is no edit.
        if comment.body != body {
            body.clone_into(&mut comment.body);
            comment.edited = Some((editor.to_owned(), now));
            comment.updated = now;
        }
        Ok(())
    }

    fn comment(&self, id: u64) -> Result<&Comment, Reply> {
        self.comments.get(&id).ok_or_else(Reply::not_found)
    }

    /// The comment's page.
    pub(super) fn comment_page(&self, comment: &Comment) -> String {
        format!("{}/pull/{}#issuecomment-{}", self.page(), comment.number, comment.id)
    }

    fn shown_comment(&self, comment: &Comment) -> Value {
        let api = format!("{}/issues/comments/{}", self.api(), comment.id);
        let app = self.credentials.app.as_ref().filter(|_| comment.by_app);
        let mut reactions = json!({"url": format!("{api}/reactions"), "total_count": comment.reactions.len()});
        for name in REACTIONS {
            reactions[name] = json!(comment.reactions.iter().filter(|(_, _, reaction)| reaction == name).count());
        }
        json!({
            "id": comment.id,
            "node_id": format!("IC_{}", comment.id),
            "url": api,
            "html_url": self.comment_page(comment),
            "issue_url": format!("{}/issues/{}", self.api(), comment.number),
            "user": self.user(&comment.author),
            "created_at": comment.created.to_string(),
            "updated_at": comment.updated.to_string(),
            "author_association": self.association(&comment.author),
            "body": comment.body,
            "performed_via_github_app": app.map(|app| super::auth::app_json(self, app)),
            "reactions": reactions,
        })
    }
}

fn check_body(body: &str) -> Result<(), Reply> {
    if body.trim().is_empty() {
        return Err(Reply::invalid_because("IssueComment", "Body cannot be blank"));
    }
    if body.chars().count() > LONGEST_BODY {
        return Err(Reply::invalid_because("IssueComment", &format!("body is too long (maximum is {LONGEST_BODY} characters)")));
    }
    Ok(())
}

// === handlers ===

/// `GET /repos/{owner}/{repo}/issues/comments`.
pub(super) fn of_repository(world: &mut World, call: &Call) -> Handled {
    let stale = world.faults.stale_comments();
    let mut comments: Vec<&Comment> =
        stale.as_ref().unwrap_or(&world.comments).values().filter(|comment| is_since(call, comment)).collect();
    // Without `sort`, GitHub orders by id and does not read `direction`.
    match call.parameter("sort") {
        Some("updated") => comments.sort_by_key(|comment| (comment.updated, comment.id)),
        Some(_) => comments.sort_by_key(|comment| (comment.created, comment.id)),
        None => {}
    }
    if call.parameter("sort").is_some() && call.parameter("direction").unwrap_or("desc") == "desc" {
        comments.reverse();
    }
    Ok(listed(&world.root(), call, comments.into_iter().map(|comment| world.shown_comment(comment)).collect()))
}

/// `GET /repos/{owner}/{repo}/issues/{number}/comments`: oldest first.
pub(super) fn of_pull(world: &mut World, call: &Call, number: u64) -> Handled {
    world.pull(number)?;
    let stale = world.faults.stale_comments();
    let all = stale.as_ref().unwrap_or(&world.comments).values();
    let shown =
        all.filter(|comment| comment.number == number && is_since(call, comment)).map(|comment| world.shown_comment(comment)).collect();
    Ok(listed(&world.root(), call, shown))
}

/// Texts of one form compare as the times that they mean.
fn is_since(call: &Call, comment: &Comment) -> bool {
    call.parameter("since").is_none_or(|since| comment.updated.to_string().as_str() >= since)
}

/// `POST /repos/{owner}/{repo}/issues/{number}/comments`.
pub(super) fn create(world: &mut World, call: &Call, number: u64) -> Handled {
    let body = call.required("IssueComment", "body")?;
    let by_app = matches!(call.caller, Caller::Installation { .. });
    let id = world.write_comment(call.caller.login(), number, body, by_app)?;
    let shown = world.shown_comment(world.comment(id)?);
    let address = shown["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::created(shown).with("location", address))
}

/// `GET /repos/{owner}/{repo}/issues/comments/{id}`.
pub(super) fn get(world: &World, id: u64) -> Handled {
    Ok(Reply::ok(world.shown_comment(world.comment(id)?)))
}

/// Everybody may change their own comments; those of others need the right to write.
fn may_change(world: &World, call: &Call, id: u64) -> Result<(), Reply> {
    if world.comment(id)?.author == call.caller.login() { Ok(()) } else { world.require(&call.caller, Need::WRITE_PULLS) }
}

/// `PATCH /repos/{owner}/{repo}/issues/comments/{id}`.
pub(super) fn update(world: &mut World, call: &Call, id: u64) -> Handled {
    may_change(world, call, id)?;
    world.rewrite_comment(call.caller.login(), id, call.required("IssueComment", "body")?)?;
    get(world, id)
}

/// `DELETE /repos/{owner}/{repo}/issues/comments/{id}`.
pub(super) fn delete(world: &mut World, call: &Call, id: u64) -> Handled {
    may_change(world, call, id)?;
    world.comments.remove(&id);
    Ok(Reply::empty(204))
}

fn shown_reaction(world: &World, comment: &Comment, (id, login, content): &(u64, String, String)) -> Value {
    json!({
        "id": id,
        "node_id": format!("REA_{id}"),
        "user": world.user(login),
        "content": content,
        "created_at": comment.updated.to_string(),
    })
}

/// `GET /repos/{owner}/{repo}/issues/comments/{id}/reactions`.
pub(super) fn reactions(world: &World, call: &Call, id: u64) -> Handled {
    let comment = world.comment(id)?;
    let wanted = |reaction: &&(u64, String, String)| call.parameter("content").is_none_or(|content| content == reaction.2);
    let shown = comment.reactions.iter().filter(wanted).map(|reaction| shown_reaction(world, comment, reaction)).collect();
    Ok(listed(&world.root(), call, shown))
}

/// `POST /repos/{owner}/{repo}/issues/comments/{id}/reactions`: 201, and 200 where the caller has reacted so before.
pub(super) fn react(world: &mut World, call: &Call, id: u64) -> Handled {
    let content = call.required("Reaction", "content")?.to_owned();
    if !REACTIONS.contains(&content.as_str()) {
        return Err(Reply::invalid("Reaction", "content", "invalid"));
    }
    let (login, new) = (call.caller.login().to_owned(), world.next_id());
    let comment = world.comments.get_mut(&id).ok_or_else(Reply::not_found)?;
    let position = comment.reactions.iter().position(|(_, by, reaction)| *by == login && *reaction == content);
    let (status, position) = match position {
        Some(position) => (200, position),
        None => {
            comment.reactions.push((new, login, content));
            (201, comment.reactions.len() - 1)
        }
    };
    let comment = world.comment(id)?;
    let shown = comment.reactions.get(position).map(|reaction| shown_reaction(world, comment, reaction));
    Ok(Reply::json(status, shown.unwrap_or_default()))
}
