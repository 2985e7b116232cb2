//! Comments, people, and which repository it is.

use serde_json::{Value, json};

use super::super::super::{Edited, ForgeError, Role, UserId, Visibility};
use super::super::*;
use super::script::*;

const COMMENTS: &str = "GET /repos/acme/manifests/issues/comments?sort=updated&direction=desc&per_page=100";

fn ids(comments: &[Comment]) -> Vec<u64> {
    comments.iter().map(|comment| comment.id.0).collect()
}

#[test]
fn nothing_new_is_confirmed_by_the_etag() {
    let script = Script::start();
    let first = give(200, json!([comment(2, "2026-11-21T03:00:02Z"), comment(1, "2026-11-21T03:00:01Z")])).with("etag", "W/\"a\"");
    let changed = give(200, json!([comment(1, "2026-11-21T03:00:09Z"), comment(2, "2026-11-21T03:00:02Z")])).with("etag", "W/\"b\"");
    script.on(COMMENTS, [first.clone(), first, changed]);
    let github = script.github();
    let poll = Call::poll(NOW);
    let (new, cursor) = github.comments(poll, &CommentCursor::default()).unwrap();
    assert_eq!(ids(&new), [2, 1]);
    let (new, cursor) = github.comments(poll, &cursor).unwrap();
    assert!(new.is_empty());
    let asked: Vec<_> = script.seen().into_iter().filter(|seen| seen.line == COMMENTS).collect();
    assert!(asked[0].headers.get("if-none-match").is_none());
    assert_eq!(asked[1].headers["if-none-match"], "W/\"a\"");
    let (new, _) = github.comments(poll, &cursor).unwrap();
    assert_eq!(ids(&new), [1], "a comment that was touched again is told again");
}

#[test]
fn reading_goes_on_until_a_known_comment_and_no_further() {
    let script = Script::start();
    let page = |ids: &[u64]| json!(ids.iter().map(|id| comment(*id, &format!("2026-11-21T03:00:{id:02}Z"))).collect::<Vec<_>>());
    let next = |body: Value| give(200, body).with("link", "<https://elsewhere.example/?page=9>; rel=\"next\"");
    script.on(COMMENTS, [next(page(&[9, 8]))]);
    script.on(&format!("{COMMENTS}&page=2"), [next(page(&[8, 7, 3]))]);
    let known = CommentCursor::starting_after(Timestamp::from_secs(0)).after(&[parsed(&script, 3)]);
    let (new, next_cursor) = script.github().comments(act(), &known).unwrap();
    assert_eq!(ids(&new), [9, 8, 7], "8 moved to the second page meanwhile and is told once");
    assert_eq!(script.lines(), [COMMENTS.to_owned(), format!("{COMMENTS}&page=2")]);
    assert!(next_cursor.knows(CommentId(9), new[0].updated) && !next_cursor.knows(CommentId(9), new[0].updated + Duration::from_secs(1)));
}

/// A comment as the client reads it.
fn parsed(script: &Script, id: u64) -> Comment {
    let path = format!("POST /repos/acme/manifests/issues/{id}/comments");
    script.on(&path, [give(201, comment(id, &format!("2026-11-21T03:00:{id:02}Z")))]);
    let told = Script::start();
    told.on(&path, [give(201, comment(id, &format!("2026-11-21T03:00:{id:02}Z")))]);
    told.github().write_comment(act(), ProposalNumber(id), "x").unwrap()
}

#[test]
fn a_cursor_stays_small_and_forgets_nothing_old() {
    let script = Script::start();
    let template = parsed(&script, 1);
    let at = |number: u64| Comment { id: CommentId(number), updated: NOW + Duration::from_secs(number), ..template.clone() };
    let many: Vec<Comment> = (0..1000).map(at).collect();
    let cursor = CommentCursor::default().after(&many);
    assert!(many.iter().all(|comment| cursor.knows(comment.id, comment.updated)));
    assert!(!cursor.knows(CommentId(5), NOW + Duration::from_secs(5000)));
    assert!(serde_json::to_string(&cursor).unwrap().len() < 8000);
}

#[test]
fn a_bad_answer_is_not_kept() {
    let script = Script::start();
    let gone = give(404, json!({ "message": "Not Found" })).with("etag", "\"x\"");
    script.on(COMMENTS, [gone, give(200, json!([comment(1, "2026-11-21T03:00:01Z")])).with("etag", "\"y\"")]);
    let github = script.github();
    assert!(github.comments(act(), &CommentCursor::default()).is_err());
    assert_eq!(ids(&github.comments(act(), &CommentCursor::default()).unwrap().0), [1]);
    assert!(script.seen().iter().all(|seen| seen.headers.get("if-none-match").is_none_or(|tag| tag != "\"x\"")));
}

fn node(changes: Value) -> Value {
    let node = json!({
        "fullDatabaseId": "4", "body": "/revertd approve", "lastEditedAt": null, "includesCreatedEdit": false, "isMinimized": false,
        "author": { "__typename": "User", "login": "ada", "databaseId": 5 },
    });
    json!({ "data": { "node": changed(node, changes) } })
}

fn state_after(answer: Value) -> Answered<CommentState> {
    let script = Script::start();
    script.on("GET /repos/acme/manifests/issues/comments/4", [give(200, comment(4, "2026-11-21T03:00:00Z"))]);
    script.on("POST /api/graphql", [give(200, answer)]);
    let state = script.github().comment_state(act(), CommentId(4));
    assert_eq!(script.seen().pop().unwrap().body["variables"], json!({ "id": "IC_4" }));
    state
}

#[test]
fn a_comment_is_read_again_with_what_happened_to_it() {
    let there = |answer| match state_after(answer).unwrap() {
        CommentState::There(now) => *now,
        CommentState::Gone => unreachable!("it is there"),
    };
    let plain = there(node(json!({})));
    assert_eq!((plain.last_edited, plain.created_edit, plain.visibility), (None, Edited::Never, Visibility::Shown));
    assert_eq!(plain.comment.author.unwrap().id, UserId(5));
    let edited = there(node(json!({ "lastEditedAt": "2026-11-21T03:00:05Z", "body": "other" })));
    assert!(edited.last_edited.is_some() && edited.comment.body == "other");
    assert_eq!(there(node(json!({ "includesCreatedEdit": true }))).created_edit, Edited::Edited);
    assert_eq!(there(node(json!({ "isMinimized": true }))).visibility, Visibility::Minimised);
    assert_eq!(there(node(json!({ "author": null }))).comment.author, None);
    let other = json!({ "author": { "__typename": "User", "login": "ada", "databaseId": 6 } });
    assert_eq!(there(node(other)).comment.author, None, "two reads that name different authors name nobody");
}

#[test]
fn a_comment_that_is_gone_or_not_told_whole_is_never_there() {
    assert_eq!(state_after(json!({ "data": { "node": null } })).unwrap(), CommentState::Gone);
    let missing = json!({ "data": { "node": null }, "errors": [{ "type": "NOT_FOUND", "message": "Could not resolve to a node" }] });
    assert_eq!(state_after(missing).unwrap(), CommentState::Gone);
    assert!(matches!(state_after(json!({ "errors": [{ "message": "Something went wrong" }] })), Err(ForgeError::Forbidden { .. })));
    for field in ["lastEditedAt", "includesCreatedEdit", "isMinimized", "author", "fullDatabaseId"] {
        let mut answer = node(json!({}));
        answer["data"]["node"].as_object_mut().unwrap().remove(field);
        assert!(matches!(state_after(answer), Err(ForgeError::Answer { .. })), "{field}");
    }
    assert!(state_after(node(json!({ "fullDatabaseId": "9" }))).is_err());
    let script = Script::start();
    assert_eq!(script.github().comment_state(act(), CommentId(4)).unwrap(), CommentState::Gone);
}

#[test]
fn a_permission_is_the_exact_role_and_every_doubt_is_an_error() {
    let asked = |status: u16, body: Value| {
        let script = Script::start();
        script.on("GET /repos/acme/manifests/collaborators/ada%5Bbot%5D/permission", [give(status, body)]);
        script.github().permission(act(), "ada[bot]")
    };
    let told = |permission: &str, role: Value| {
        asked(200, json!({ "permission": permission, "role_name": role, "user": user("ada", 5, "User") }))
            .map(|told| (told.user.0, told.role))
    };
    assert_eq!(told("write", json!("maintain")).unwrap(), (5, Role::Maintain));
    assert_eq!(told("read", json!("triage")).unwrap(), (5, Role::Triage));
    assert_eq!(told("admin", json!("deployer")).unwrap(), (5, Role::Unknown("deployer".to_owned())));
    assert_eq!(told("write", json!(null)).unwrap(), (5, Role::Write));
    assert_eq!(told("none", json!("none")).unwrap(), (5, Role::None));
    assert!(matches!(asked(404, json!({})), Err(ForgeError::NotFound { .. })));
    assert!(matches!(asked(403, json!({ "message": "no" })), Err(ForgeError::Forbidden { .. })));
    assert!(matches!(asked(500, json!({})), Err(ForgeError::Unreachable { .. })));
    assert!(matches!(asked(200, json!({ "permission": "admin", "role_name": "admin", "user": null })), Err(ForgeError::Answer { .. })));
    assert!(matches!(asked(200, json!("admin")), Err(ForgeError::Answer { .. })));
}

#[test]
fn only_an_active_membership_is_one() {
    let asked = |status: u16, body: Value| {
        let script = Script::start();
        script.on("GET /orgs/acme/teams/sre/memberships/ada", [give(status, body)]);
        let team = Team { organization: "acme".to_owned(), slug: "sre".to_owned() };
        script.github().team_member(act(), &team, "ada")
    };
    assert_eq!(asked(200, json!({ "state": "active" })), Ok(Membership::Active));
    assert_eq!(asked(200, json!({ "state": "pending" })), Ok(Membership::Pending));
    assert_eq!(asked(404, json!({})), Ok(Membership::No));
    for (status, body) in [(200, json!({ "state": "odd" })), (200, json!({})), (403, json!({})), (502, json!({}))] {
        assert!(asked(status, body).is_err());
    }
}

#[test]
fn a_repository_that_was_replaced_is_not_touched() {
    let script = Script::start();
    let github = script.with(&GithubSettings { expected: Some(RepositoryId(6)), ..script.settings() });
    let replaced = ForgeError::Replaced { expected: RepositoryId(6), found: RepositoryId(7) };
    assert_eq!(github.identity(act()), Err(replaced.clone()));
    assert_eq!(github.write_comment(act(), ProposalNumber(12), "x"), Err(replaced));
    assert!(script.lines().is_empty());
    // Without an expected number the first one that answers is the one.
    let script = Script::start();
    script.on("GET /repos/acme/manifests", [give(200, repository(7, "manifests")), give(200, repository(8, "manifests"))]);
    let github = script.github();
    assert_eq!(github.identity(act()).unwrap().id, RepositoryId(7));
    let later = Call::act(NOW + Duration::from_secs(61));
    assert!(matches!(github.write_comment(later, ProposalNumber(12), "x"), Err(ForgeError::Replaced { .. })));
}

#[test]
fn a_repository_that_was_renamed_is_followed() {
    let script = Script::start();
    let moved =
        |status: u16, path: &str| give(status, json!({ "message": "Moved" })).with("location", format!("{}/api/v3{path}", script.url));
    script.on("GET /repos/acme/manifests", [moved(301, "/repositories/7")]);
    script.on("GET /repositories/7", [give(200, repository(7, "deploy"))]);
    script.on("GET /repos/acme/deploy/pulls/12", [give(200, pull(12))]);
    let github = script.with(&GithubSettings { expected: Some(RepositoryId(7)), ..script.settings() });
    let identity = github.identity(act()).unwrap();
    assert_eq!((identity.name.as_str(), identity.own.user.id), ("deploy", UserId(99)));
    github.get(act(), ProposalNumber(12)).unwrap();
    // A rename between two looks: a POST is answered with a redirect, which is no effect, and sent once more.
    let script = Script::start();
    let moved = |status: u16, path: &str| give(status, json!({})).with("location", format!("{}/api/v3{path}", script.url));
    script.on("GET /repos/acme/manifests", [give(200, repository(7, "manifests")), moved(301, "/repositories/7")]);
    script.on("GET /repositories/7", [give(200, repository(7, "deploy"))]);
    script.on("POST /repos/acme/manifests/issues/12/comments", [moved(307, "/repositories/7/issues/12/comments")]);
    script.on("POST /repos/acme/deploy/issues/12/comments", [give(201, comment(1, "2026-11-21T03:00:00Z"))]);
    script.github().write_comment(act(), ProposalNumber(12), "x").unwrap();
}

#[test]
fn a_redirect_elsewhere_is_not_followed() {
    let (script, elsewhere) = (Script::start(), Script::start());
    for away in [format!("{}/api/v3/repositories/7", elsewhere.url), "//elsewhere.example/x".to_owned(), String::new()] {
        script.on("GET /repos/acme/manifests", [give(301, json!({})).with("location", away)]);
        assert!(matches!(script.github().identity(act()), Err(ForgeError::Answer { .. })));
    }
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn a_labelled_issue_names_who_put_the_label_on_last() {
    let script = Script::start();
    let person = |login: &str, id: u64| json!({ "login": login, "id": id, "type": "User" });
    let event =
        |event: &str, label: &str, actor: Value| json!({ "event": event, "actor": actor, "label": { "name": label, "color": "x" } });
    let issues = json!([{ "number": 7 }, { "number": 8, "pull_request": {} }, { "number": 9 }]);
    script.on("GET /repos/acme/manifests/issues?state=open&labels=stop%3A%20revertd&per_page=100", [give(200, issues)]);
    let events = json!([
        event("labeled", "stop: revertd", person("dana", 1)),
        event("unlabeled", "stop: revertd", person("dana", 1)),
        event("labeled", "Stop: Revertd", person("robin", 2)),
        event("labeled", "bug", person("mallory", 3)),
        { "event": "closed", "actor": person("mallory", 3) },
    ]);
    script.on("GET /repos/acme/manifests/issues/7/events?per_page=100", [give(200, events)]);
    script
        .on("GET /repos/acme/manifests/issues/9/events?per_page=100", [give(200, json!([event("labeled", "stop: revertd", Value::Null)]))]);
    let found = script.github().labelled_issues(act(), "stop: revertd").unwrap();
    let told: Vec<_> = found.iter().map(|issue| (issue.number, issue.labelled_by.as_ref().map(|user| user.login.as_str()))).collect();
    assert_eq!(told, [(7, Some("robin")), (9, None)], "a pull request is no issue, and nobody is made up");
}
