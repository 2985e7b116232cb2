//! The check against GitHub's OpenAPI description can fail: each kind of mistake in a request or an answer is found. The requests of the
//! client itself are checked where they are made, in `tests/forge`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "the helpers of tests fail as tests do")]

#[path = "../support/openapi.rs"]
mod openapi;

use std::collections::BTreeMap;

use revertd::demo::forge::RecordedRequest;
use revertd::engine::time::Timestamp;
use serde_json::{Value, json};

use openapi::{Description, assert_valid, description};

fn headers() -> BTreeMap<String, String> {
    let headers = [
        ("accept", "application/vnd.github+json"),
        ("user-agent", "revertd"),
        ("authorization", "Bearer …"),
        ("x-github-api-version", "2022-11-28"),
        ("content-type", "application/json"),
    ];
    headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn request(method: &str, path: &str, query: &[(&str, &str)], body: Option<Value>) -> RecordedRequest {
    RecordedRequest {
        at: Timestamp::from_secs(0),
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body,
        if_none_match: None,
        headers: headers(),
        status: None,
        answer: None,
    }
}

fn answered(status: u16, answer: Option<Value>) -> RecordedRequest {
    RecordedRequest { status: Some(status), answer, ..request("GET", "/repos/o/r/git/ref/heads/a/b", &[], None) }
}

fn found(description: &Description, request: &RecordedRequest, expected: &str) {
    let findings = description.findings(request);
    assert!(findings.iter().any(|finding| finding.contains(expected)), "{expected}: {findings:?}");
}

fn reference() -> Value {
    let sha = "a".repeat(40);
    json!({
        "ref": "refs/heads/a/b",
        "node_id": "x",
        "url": "https://github.example/a",
        "object": { "type": "commit", "sha": sha, "url": "https://github.example/b" },
    })
}

#[test]
fn good_requests_have_no_findings() {
    let good = [
        request("GET", "/repos/o/r/issues/comments", &[("sort", "updated"), ("direction", "desc"), ("per_page", "100")], None),
        request("POST", "/repos/o/r/pulls", &[], Some(json!({ "title": "t", "head": "h", "base": "main", "body": "b" }))),
        request("POST", "/repos/o/r/issues/1/labels", &[], Some(json!({ "labels": ["a"] }))),
        request("GET", "/repos/o/r/rules/branches/revertd%2Fabc", &[], None),
        request("POST", "/graphql", &[], Some(json!({ "query": "query { viewer { login } }" }))),
        request("GET", "/repositories/12/issues/comments", &[("page", "2")], None),
        answered(200, Some(reference())),
        answered(404, Some(json!({ "message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404" }))),
        answered(304, None),
        answered(502, None),
    ];
    assert_valid(&good);
}

#[test]
fn each_mistake_in_a_request_is_found() {
    let Some(known) = description() else { return };
    let comments = |query: &[(&str, &str)]| request("GET", "/repos/o/r/issues/comments", query, None);
    found(known, &request("GET", "/repos/o/r/nothing/here", &[], None), "no such operation");
    found(known, &request("PUT", "/repos/o/r/pulls", &[], None), "no such operation");
    found(known, &request("GET", "/repos/o/r/pulls/abc", &[], None), "path parameter `pull_number`");
    found(known, &comments(&[("head", "a")]), "unknown query parameter `head`");
    found(known, &comments(&[("sort", "newest")]), "query parameter `sort`");
    found(known, &comments(&[("per_page", "many")]), "query parameter `per_page`");
    found(known, &comments(&[("since", "yesterday")]), "query parameter `since`");
    found(known, &comments(&[("page", "1"), ("page", "2")]), "twice");
    let open = |body: Option<Value>| request("POST", "/repos/o/r/pulls", &[], body);
    found(known, &open(None), "the body is missing");
    found(known, &open(Some(json!({ "title": "t", "head": "h" }))), "\"base\" is a required property");
    found(known, &open(Some(json!({ "title": 1, "head": "h", "base": "main" }))), "at `/title`");
    found(known, &open(Some(json!({ "title": "t", "head": "h", "base": "main", "boddy": "b" }))), "unknown field `boddy`");
    found(known, &request("PUT", "/repos/o/r/pulls/1/merge", &[], Some(json!({ "merge_method": "fast" }))), "is not valid under any");
    found(known, &request("GET", "/repos/o/r/pulls/1", &[], Some(json!({}))), "none is described");
    found(known, &request("POST", "/graphql", &[], Some(json!({ "variables": {} }))), "a text as its query");
}

#[test]
fn each_missing_header_is_found() {
    let Some(known) = description() else { return };
    let good = request("POST", "/repos/o/r/pulls", &[], Some(json!({ "title": "t", "head": "h", "base": "main" })));
    assert_eq!(known.findings(&good), Vec::<String>::new());
    for name in headers().into_keys() {
        let mut without = good.clone();
        without.headers.remove(&name);
        assert_eq!(known.findings(&without).len(), 1, "{name}");
    }
}

#[test]
fn each_mistake_in_an_answer_is_found() {
    let Some(known) = description() else { return };
    found(known, &answered(202, Some(json!({}))), "status 202 is not described");
    found(known, &answered(200, None), "has no body");
    let mut without = reference();
    without.as_object_mut().unwrap().remove("object");
    found(known, &answered(200, Some(without)), "\"object\" is a required property");
    let mut wrong = reference();
    wrong["url"] = json!(7);
    found(known, &answered(200, Some(wrong)), "at `/url`");
    found(known, &answered(404, Some(json!({ "message": 404 }))), "answer 404");
}

#[test]
fn a_finding_fails_the_test_that_made_the_request() {
    let failed = std::panic::catch_unwind(|| assert_valid(&[request("GET", "/repos/o/r/nothing/here", &[], None)])).is_err();
    assert_eq!(failed, description().is_some());
}
