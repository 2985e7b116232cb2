//! Opening, commenting: once, whatever is answered.

use serde_json::json;

use super::super::super::{ForgeError, OpenedBy, ProposalState};
use super::super::*;
use super::script::*;

const FIND: &str = "GET /repos/acme/manifests/pulls?state=all&head=acme%3Arevertd%2F0123456789ab&sort=created&direction=desc&per_page=100";
const OPEN_ONES: &str = "GET /repos/acme/manifests/pulls?state=open&sort=created&direction=desc&per_page=100";
const CREATE: &str = "POST /repos/acme/manifests/pulls";
const COMMENT: &str = "POST /repos/acme/manifests/issues/12/comments";

fn new() -> NewProposal {
    NewProposal { head: branch(), base: BranchName::new("main"), title: "Revert \"x\"".to_owned(), body: "why".to_owned() }
}

#[test]
fn a_proposal_is_opened_with_what_was_asked_for() {
    let script = Script::start();
    script.on(CREATE, [give(201, pull(12))]);
    let opened = script.github().open(act(), &new()).unwrap();
    assert_eq!((opened.how, opened.proposal.number), (OpenedBy::ThisCall, ProposalNumber(12)));
    assert_eq!((opened.proposal.state, opened.proposal.head), (ProposalState::Open, commit(HEAD)));
    let sent = script.seen().pop().unwrap();
    let asked =
        json!({ "title": "Revert \"x\"", "head": branch().as_str(), "base": "main", "body": "why", "maintainer_can_modify": false });
    assert_eq!(sent.body, asked);
    assert_eq!(sent.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(sent.headers["accept"], "application/vnd.github+json");
}

#[test]
fn a_post_is_never_sent_twice() {
    for bad in [give(502, json!({ "message": "Server Error" })), give(500, json!({})), Give::Hang, give(201, json!({ "number": "x" }))] {
        let script = Script::start();
        for line in [CREATE, COMMENT] {
            script.on(line, [bad.clone()]);
        }
        for line in [FIND, OPEN_ONES] {
            script.on(line, [give(200, json!([]))]);
        }
        let github = script.impatient();
        let error = github.open(act(), &new()).unwrap_err();
        assert!(error.may_have_acted(), "{error}");
        assert_eq!((script.count(CREATE), script.count(FIND), script.count(OPEN_ONES)), (1, 1, 1), "it looks, and posts once");
        let error = github.write_comment(act(), ProposalNumber(12), "story").unwrap_err();
        assert!(error.may_have_acted(), "{error}");
        assert_eq!(script.count(COMMENT), 1);
    }
}

#[test]
fn a_lost_answer_is_found_by_looking() {
    for bad in [give(502, json!({})), Give::Hang] {
        let script = Script::start();
        script.on(CREATE, [bad]);
        script.on(FIND, [give(200, json!([pull(12)]))]);
        let opened = script.impatient().open(act(), &new()).unwrap();
        assert_eq!((opened.how, opened.proposal.number), (OpenedBy::Found, ProposalNumber(12)));
        assert_eq!(script.count(CREATE), 1);
    }
}

#[test]
fn the_one_that_exists_is_found_also_past_a_late_filter() {
    let exists = json!({
        "message": "Validation Failed",
        "errors": [{ "resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:revertd/0123456789ab." }],
    });
    let script = Script::start();
    script.on(CREATE, [give(422, exists)]);
    script.on(FIND, [give(200, json!([]))]);
    let of_a_fork = changed(pull(9), json!({ "head": { "ref": branch().as_str(), "sha": HEAD, "repo": { "id": 8 } } }));
    script.on(OPEN_ONES, [give(200, json!([of_a_fork, pull(12)]))]);
    let opened = script.github().open(act(), &new()).unwrap();
    assert_eq!((opened.how, opened.proposal.number), (OpenedBy::Found, ProposalNumber(12)));
}

#[test]
fn another_refusal_is_told_in_its_own_words() {
    let script = Script::start();
    let gone = json!({ "message": "Validation Failed", "errors": [{ "resource": "PullRequest", "field": "head", "code": "invalid" }] });
    script.on(CREATE, [give(422, gone)]);
    let error = script.github().open(act(), &new()).unwrap_err();
    assert_eq!(error, ForgeError::Invalid { sentence: "Validation Failed: head invalid".to_owned() });
    assert_eq!(script.lines(), [CREATE]);
}

#[test]
fn closed_and_merged_ones_say_who() {
    let script = Script::start();
    let one = |number: u64| format!("GET /repos/acme/manifests/pulls/{number}");
    script.on(&one(1), [give(200, changed(pull(1), json!({ "state": "closed" })))]);
    script.on("GET /repos/acme/manifests/issues/1", [give(200, json!({ "closed_by": user("ada", 5, "User") }))]);
    let merged = json!({
        "state": "closed", "merged_at": "2026-11-21T03:00:00Z", "merge_commit_sha": LANDED, "merged_by": user("bob", 6, "User"),
        "mergeable": false,
    });
    script.on(&one(2), [give(200, changed(pull(2), merged))]);
    let github = script.github();
    let closed = github.get(act(), ProposalNumber(1)).unwrap();
    assert_eq!((closed.state, closed.closed_by.unwrap().id.0), (ProposalState::Closed, 5));
    let merged = github.get(act(), ProposalNumber(2)).unwrap();
    assert_eq!((merged.state, merged.closed_by.unwrap().id.0), (ProposalState::Merged { commit: commit(LANDED) }, 6));
    assert!(matches!(github.get(act(), ProposalNumber(3)), Err(ForgeError::NotFound { .. })));
}

#[test]
fn own_comments_are_told_by_the_authors_number() {
    let script = Script::start();
    let path = "GET /repos/acme/manifests/issues/12/comments?per_page=100";
    let namesake = changed(comment(2, "2026-11-21T03:00:00Z"), json!({ "user": user("revertd-bot", 98, "User") }));
    let own = changed(comment(3, "2026-11-21T03:00:00Z"), json!({ "user": user("renamed", 99, "User") }));
    let link = format!("<{}/x?page=2>; rel=\"next\", <{}/x?page=2>; rel=\"last\"", script.url, script.url);
    script.on(path, [give(200, json!([comment(1, "2026-11-21T03:00:00Z"), namesake])).with("link", link)]);
    script.on(&format!("{path}&page=2"), [give(200, json!([own]))]);
    let found = script.github().own_comments(act(), ProposalNumber(12)).unwrap();
    assert_eq!(found.iter().map(|comment| comment.id.0).collect::<Vec<_>>(), [3]);
}

#[test]
fn small_changes_are_sent_as_github_documents_them() {
    let script = Script::start();
    let expected = [
        ("PATCH /repos/acme/manifests/pulls/12", json!({ "title": "t", "body": "b" })),
        ("PATCH /repos/acme/manifests/pulls/12", json!({ "state": "closed" })),
        ("POST /repos/acme/manifests/issues/12/labels", json!({ "labels": ["revertd"] })),
        ("POST /repos/acme/manifests/pulls/12/requested_reviewers", json!({ "reviewers": ["ada"], "team_reviewers": ["sre"] })),
        ("PATCH /repos/acme/manifests/issues/comments/4", json!({ "body": "more" })),
        ("POST /repos/acme/manifests/issues/comments/4/reactions", json!({ "content": "+1" })),
    ];
    for (line, _) in &expected {
        script.on(line, [give(200, json!({}))]);
    }
    let (github, number) = (script.github(), ProposalNumber(12));
    github.edit(act(), number, "t", "b").unwrap();
    github.close(act(), number).unwrap();
    github.add_labels(act(), number, &["revertd".to_owned()]).unwrap();
    github.add_labels(act(), number, &[]).unwrap();
    github.request_reviewers(act(), number, &["ada".to_owned()], &["sre".to_owned()]).unwrap();
    github.edit_comment(act(), CommentId(4), "more").unwrap();
    github.react(act(), CommentId(4), Reaction::ThumbsUp).unwrap();
    let sent: Vec<_> = script.seen().into_iter().skip(1).map(|seen| (seen.line, seen.body)).collect();
    assert_eq!(sent, expected.map(|(line, body)| (line.to_owned(), body)));
}
