//! Comments and reviews: reading what is new in one request, reading one again before acting on it, answering.
//!
//! The list of a whole repository is read under one constant address, sorted by last update, so that its ETag confirms "nothing new" for
//! nothing; a `since` that moves on would make another address each time. Whether a text was edited only GraphQL says.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::{Api, Ask, Reading, broken};
use super::wire::{WireComment, WireReview, moment};
use crate::forge::{
    AccountKind, Answered, Call, Comment, CommentCursor, CommentId, CommentNow, CommentState, Edited, ForgeError, ProposalNumber, Reaction,
    Review, User, UserId, UserKind, Visibility,
};

/// Where a repository's comments are listed.
const COMMENTS: &str = "/issues/comments?sort=updated&direction=desc&per_page=100";

/// How many pages are read to find the first known comment. With more, the cursor is too old to be of use.
const MOST_PAGES: usize = 50;

/// What is asked about one comment.
const NODE: &str = "query($id: ID!) { node(id: $id) { ... on IssueComment { fullDatabaseId body lastEditedAt includesCreatedEdit isMinimized \
    author { __typename login ... on User { databaseId } ... on Bot { databaseId } ... on Organization { databaseId } \
    ... on Mannequin { databaseId } } } } }";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    // `databaseId` has 32 bits, and comments have more by now. GraphQL writes the wider number as a text.
    full_database_id: String,
    body: String,
    // A field that is absent is no "never": it must be there, if as null.
    #[serde(deserialize_with = "Option::deserialize")]
    last_edited_at: Option<String>,
    includes_created_edit: bool,
    is_minimized: bool,
    #[serde(deserialize_with = "Option::deserialize")]
    author: Option<Author>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(rename = "__typename")]
    kind: String,
    login: String,
    #[serde(rename = "databaseId")]
    id: Option<u64>,
}

impl Api {
    pub(super) async fn comments(&self, call: Call, cursor: &CommentCursor) -> Answered<(Vec<Comment>, CommentCursor)> {
        let what = "read the repository's comments";
        let mut fresh: Vec<Comment> = Vec::new();
        for page in 1..=MOST_PAGES {
            let (wires, goes_on): (Vec<WireComment>, bool) = self.page(call, what, COMMENTS, page, Reading::Conditional).await?;
            let comments = wires.into_iter().map(WireComment::comment).collect::<Answered<Vec<Comment>>>()?;
            let count = comments.len();
            // A page is read to its end, since comments of one second come in any order; and a comment that moved between two pages
            // while they were read is told once.
            let new = comments.into_iter().filter(|comment| !cursor.knows(comment.id, comment.updated)).collect::<Vec<_>>();
            let met_known = new.len() < count;
            for comment in new {
                if !fresh.iter().any(|told| told.id == comment.id) {
                    fresh.push(comment);
                }
            }
            if met_known || !goes_on {
                let next = cursor.after(&fresh);
                return Ok((fresh, next));
            }
        }
        Err(broken(format!("more than {MOST_PAGES} pages of comments that are not known; start reading later")))
    }

    pub(super) async fn comment_state(&self, call: Call, id: CommentId) -> Answered<CommentState> {
        let what = format!("read comment {id}");
        let wire: WireComment = match self.ask(call, &Ask::get(what.clone(), format!("/issues/comments/{id}")).fresh()).await {
            Err(ForgeError::NotFound { .. }) => return Ok(CommentState::Gone),
            answer => answer?,
        };
        let node = wire.node_id.clone();
        let mut comment = wire.comment()?;
        let data = match self.query(call, &what, NODE, json!({ "id": node })).await? {
            Ok(data) => data,
            Err(errors) if errors.iter().all(|error| error.kind.as_deref() == Some("NOT_FOUND")) => return Ok(CommentState::Gone),
            Err(errors) => return Err(ForgeError::Forbidden { sentence: errors.into_iter().map(|error| error.message).collect() }),
        };
        let node = match data.get("node") {
            Some(serde_json::Value::Null) => return Ok(CommentState::Gone),
            Some(node) => Node::deserialize(node).map_err(|error| broken(format!("{what}: {}", self.clean(&error.to_string()))))?,
            None => return Err(broken(what)),
        };
        if node.full_database_id != id.to_string() {
            return Err(broken(format!("{what}: another comment came")));
        }
        // Two reads of one comment: the later one counts, and an author that differs is nobody.
        comment.body = node.body;
        comment.author = node.author.and_then(Author::user).filter(|author| comment.author.as_ref().is_some_and(|one| one.id == author.id));
        let last_edited = node.last_edited_at.as_deref().map(moment).transpose()?;
        let created_edit = if node.includes_created_edit { Edited::Edited } else { Edited::Never };
        let visibility = if node.is_minimized { Visibility::Minimised } else { Visibility::Shown };
        Ok(CommentState::There(Box::new(CommentNow { comment, last_edited, created_edit, visibility })))
    }

    pub(super) async fn own_comments(&self, call: Call, number: ProposalNumber) -> Answered<Vec<Comment>> {
        let own = self.own(call).await?;
        let path = format!("/issues/{number}/comments?per_page=100");
        let wires: Vec<WireComment> = self.all(call, &format!("read the comments on {number}"), &path, Reading::Fresh).await?;
        let comments = wires.into_iter().map(WireComment::comment).collect::<Answered<Vec<Comment>>>()?;
        let is_own = |comment: &Comment| match own.kind {
            AccountKind::App { id } => {
                comment.through_app == Some(id) || comment.author.as_ref().is_some_and(|user| user.id == own.user.id)
            }
            AccountKind::Token => comment.author.as_ref().is_some_and(|user| user.id == own.user.id),
        };
        Ok(comments.into_iter().filter(is_own).collect())
    }

    pub(super) async fn write_comment(&self, call: Call, number: ProposalNumber, body: &str) -> Answered<Comment> {
        let path = format!("/issues/{number}/comments");
        let wire: WireComment =
            self.ask(call, &Ask::send(format!("comment on {number}"), Method::POST, path, json!({ "body": body }))).await?;
        wire.comment()
    }

    pub(super) async fn edit_comment(&self, call: Call, id: CommentId, body: &str) -> Answered<()> {
        let path = format!("/issues/comments/{id}");
        self.tell(call, &Ask::send(format!("edit comment {id}"), Method::PATCH, path, json!({ "body": body }))).await
    }

    pub(super) async fn react(&self, call: Call, id: CommentId, reaction: Reaction) -> Answered<()> {
        let content = match reaction {
            Reaction::Eyes => "eyes",
            Reaction::ThumbsUp => "+1",
            Reaction::Rocket => "rocket",
            Reaction::Confused => "confused",
        };
        let path = format!("/issues/comments/{id}/reactions");
        self.tell(call, &Ask::send(format!("react to comment {id}"), Method::POST, path, json!({ "content": content }))).await
    }

    pub(super) async fn reviews(&self, call: Call, number: ProposalNumber) -> Answered<Vec<Review>> {
        let path = format!("/pulls/{number}/reviews?per_page=100");
        let wires: Vec<WireReview> = self.all(call, &format!("read the reviews of {number}"), &path, Reading::Conditional).await?;
        wires.into_iter().map(WireReview::review).collect()
    }
}

impl Author {
    fn user(self) -> Option<User> {
        let kind = match self.kind.as_str() {
            "User" => UserKind::User,
            "Bot" => UserKind::Bot,
            _ => UserKind::Other(self.kind),
        };
        Some(User { login: self.login, id: UserId(self.id?), kind })
    }
}
