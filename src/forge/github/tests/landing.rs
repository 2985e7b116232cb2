//! Merging in all meanings of its answers, the queue, rules, checks and statuses.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::super::{
    Bypass, CheckState, ClassicProtection, Conclusion, Demand, ForgeError, MergeMethod, PatternOn, PatternSense, StatusState,
};
use super::super::merging::refusal;
use super::super::*;
use super::script::*;
use crate::engine::id::PlanDigest;

const MERGE: &str = "PUT /repos/acme/manifests/pulls/12/merge";
const BASE_HEAD: &str = "GET /repos/acme/manifests/git/ref/heads/main";
const PULL: &str = "GET /repos/acme/manifests/pulls/12";

fn call() -> MergeCall {
    MergeCall {
        head: commit(HEAD),
        base: BranchName::new("main"),
        title: "Revert \"x\"".to_owned(),
        message: "This reverts …".to_owned(),
        method: MergeMethod::Squash,
    }
}

fn grant() -> MergeGrant {
    MergeGrant::for_a_test(PlanDigest::new("plan"), commit(BASE))
}

fn script() -> Script {
    let script = Script::start();
    script.on(BASE_HEAD, [give(200, json!({ "ref": "refs/heads/main", "object": { "sha": BASE } }))]);
    script.on(PULL, [give(200, pull(12))]);
    script
}

fn merged_with(answer: Give) -> Answered<MergeOutcome> {
    let script = script();
    script.on(MERGE, [answer]);
    let outcome = script.impatient().merge(act(), ProposalNumber(12), &call(), grant());
    assert_eq!(script.count(MERGE), 1);
    outcome
}

#[test]
fn a_merge_pins_the_head_and_reads_the_base_first() {
    let script = script();
    script.on(MERGE, [give(200, json!({ "sha": LANDED, "merged": true, "message": "ok" }))]);
    let outcome = script.github().merge(act(), ProposalNumber(12), &call(), grant()).unwrap();
    assert_eq!(outcome, MergeOutcome::Merged { commit: commit(LANDED) });
    assert_eq!(script.lines(), [BASE_HEAD, MERGE]);
    let asked = json!({ "sha": HEAD, "commit_title": "Revert \"x\"", "commit_message": "This reverts …", "merge_method": "squash" });
    assert_eq!(script.seen().pop().unwrap().body, asked);
}

#[test]
fn a_base_that_moved_is_not_merged_onto() {
    for answer in [give(200, json!({ "object": { "sha": LANDED } })), give(404, json!({}))] {
        let script = script();
        script.on(BASE_HEAD, [answer]);
        let outcome = script.github().merge(act(), ProposalNumber(12), &call(), grant()).unwrap();
        assert_eq!((outcome, script.count(MERGE)), (MergeOutcome::BaseModified, 0));
    }
    let script = script();
    script.on(BASE_HEAD, [give(502, json!({}))]);
    assert!(script.github().merge(act(), ProposalNumber(12), &call(), grant()).is_err());
    assert_eq!(script.count(MERGE), 0);
}

#[test]
fn each_refusal_has_its_meaning() {
    let meaning = |status: u16, message: &str| {
        let outcome = refusal(StatusCode::from_u16(status).unwrap(), message.to_owned()).map(|outcome| format!("{outcome:?}"));
        outcome.map(|text| text.split_whitespace().next().unwrap_or_default().to_owned())
    };
    for (status, message, expected) in [
        (405, "Pull Request is not mergeable", "NotMergeable"),
        (405, "You're not authorized to push to this branch. Visit https://docs for more information.", "NotAuthorized"),
        (405, "Merge commits are not allowed on this repository.", "MethodNotAllowed"),
        (405, "Squash merges are not allowed on this repository.", "MethodNotAllowed"),
        (405, "Rebase merges are not allowed on this repository.", "MethodNotAllowed"),
        (405, "Repository rule violations found Changes must be made through the merge queue", "MergeQueueRequired"),
        (405, "Base branch was modified. Review and try the merge again.", "BaseModified"),
        (405, "At least 1 approving review is required by reviewers with write access.", "Blocked"),
        (405, "Required status check \"ci\" is expected.", "Blocked"),
        (405, "Pull Request is still a draft", "Refused"),
        (405, "A sentence that nobody has seen before", "Refused"),
        (409, "Head branch was modified. Review and try the merge again.", "HeadModified"),
        (409, "You're not authorized to push to this branch", "NotAuthorized"),
        (409, "Something else", "Refused"),
        (422, "Validation Failed", "Invalid"),
        (403, "Resource not accessible by integration", "Forbidden"),
    ] {
        assert_eq!(meaning(status, message).as_deref(), Some(expected), "{status} {message}");
    }
    assert_eq!(meaning(404, "Not Found"), None);
    let refused = merged_with(give(405, json!({ "message": "A sentence that nobody has seen before" }))).unwrap();
    assert_eq!(refused, MergeOutcome::Refused { sentence: "A sentence that nobody has seen before".to_owned() });
    assert!(matches!(merged_with(give(404, json!({}))), Err(ForgeError::NotFound { .. })));
    let head = merged_with(give(409, json!({ "message": "Head branch was modified. Review and try the merge again." })));
    assert_eq!(head.unwrap(), MergeOutcome::HeadModified);
}

#[test]
fn a_lost_answer_to_a_merge_is_looked_up_and_never_sent_again() {
    for answer in [give(502, json!({})), Give::Hang] {
        assert!(merged_with(answer).unwrap_err().may_have_acted());
    }
    let landed = |head: &str| {
        let merged = json!({
            "state": "closed", "merged_at": "2026-11-21T03:00:00Z", "merge_commit_sha": LANDED,
            "head": { "ref": "x", "sha": head, "repo": null },
        });
        changed(pull(12), merged)
    };
    for answer in [give(502, json!({})), give(405, json!({ "message": "Pull Request is not mergeable" }))] {
        let script = script();
        script.on(MERGE, [answer.clone()]);
        script.on(PULL, [give(200, landed(HEAD))]);
        let outcome = script.github().merge(act(), ProposalNumber(12), &call(), grant()).unwrap();
        assert_eq!((outcome, script.count(MERGE)), (MergeOutcome::Merged { commit: commit(LANDED) }, 1));
        script.on(PULL, [give(200, landed(LANDED))]);
        let outcome = script.github().merge(act(), ProposalNumber(12), &call(), grant());
        assert!(!matches!(outcome, Ok(MergeOutcome::Merged { .. })), "another head landed");
    }
}

#[test]
fn the_queue_is_entered_with_the_expected_head() {
    let entered = |answer: Value| {
        let script = script();
        script.on("POST /api/graphql", [give(200, answer)]);
        let outcome = script.github().enqueue(act(), ProposalNumber(12), commit(HEAD)).unwrap();
        assert_eq!(script.seen().pop().unwrap().body["variables"], json!({ "pull": "PR_12", "head": HEAD }));
        outcome
    };
    let failed =
        |message: &str| json!({ "data": { "enqueuePullRequest": null }, "errors": [{ "type": "UNPROCESSABLE", "message": message }] });
    assert_eq!(entered(json!({ "data": { "enqueuePullRequest": { "mergeQueueEntry": { "id": "1" } } } })), EnqueueOutcome::Enqueued);
    assert_eq!(entered(failed("Pull request is already in the queue")), EnqueueOutcome::Enqueued);
    assert_eq!(entered(failed("Expected head oid does not match")), EnqueueOutcome::HeadModified);
    let refused = EnqueueOutcome::Refused { sentence: "Pull request is in draft".to_owned() };
    assert_eq!(entered(failed("Pull request is in draft")), refused);
}

const RULES: &str = "GET /repos/acme/manifests/rules/branches/release%2F1?per_page=100";

fn ruleset(script: &Script, id: u64, bypass: &str) {
    let line = format!("GET /repos/acme/manifests/rulesets/{id}?includes_parents=true");
    script.on(&line, [give(200, json!({ "id": id, "current_user_can_bypass": bypass }))]);
}

#[test]
fn the_rules_of_all_rule_sets_are_joined() {
    let script = Script::start();
    let review = |set: u64, count: u64, methods: Value| {
        let parameters =
            json!({ "required_approving_review_count": count, "require_code_owner_review": true, "allowed_merge_methods": methods });
        json!({ "type": "pull_request", "ruleset_id": set, "parameters": parameters })
    };
    let checks = json!({ "required_status_checks": [{ "context": "ci", "integration_id": 3 }] });
    let pattern = json!({ "operator": "starts_with", "pattern": "revert:", "negate": false });
    script.on(
        RULES,
        [give(
            200,
            json!([
                review(1, 1, json!(["squash", "rebase"])),
                review(2, 2, json!(["squash"])),
                { "type": "required_status_checks", "ruleset_id": 1, "parameters": checks },
                { "type": "commit_message_pattern", "ruleset_id": 2, "parameters": pattern },
                { "type": "required_signatures", "ruleset_id": 2 },
                { "type": "merge_queue", "ruleset_id": 2, "parameters": {} },
                { "type": "something_new", "ruleset_id": 2 },
            ]),
        )],
    );
    ruleset(&script, 1, "always");
    ruleset(&script, 2, "pull_requests_only");
    let protection = json!({ "enabled": true, "required_status_checks": { "contexts": ["old-ci"] } });
    script.on("GET /repos/acme/manifests/branches/release%2F1", [give(200, json!({ "protection": protection }))]);
    let rules = script.github().branch_rules(act(), &BranchName::new("release/1")).unwrap().unwrap();
    assert_eq!((rules.required_approvals, rules.code_owner_review, rules.merge_methods), (2, Demand::Yes, Some(vec!["squash".to_owned()])));
    assert_eq!((rules.required_checks[0].context.as_str(), rules.required_checks[0].app), ("ci", Some(3)));
    assert_eq!((rules.signatures, rules.merge_queue, rules.linear_history), (Demand::Yes, Demand::Yes, Demand::No));
    assert_eq!((rules.patterns[0].on, rules.patterns[0].sense), (PatternOn::CommitMessage, PatternSense::MustMatch));
    assert_eq!(rules.bypass, Bypass::ByProposal, "the weaker of both");
    assert_eq!(rules.classic, ClassicProtection::Present { checks: vec!["old-ci".to_owned()] });
}

#[test]
fn one_rule_set_that_cannot_be_passed_blocks() {
    let script = Script::start();
    script.on(RULES, [give(200, json!([{ "type": "deletion", "ruleset_id": 1 }, { "type": "update", "ruleset_id": 2 }]))]);
    let github = script.github();
    let bypass = |call: Call| github.branch_rules(call, &BranchName::new("release/1")).unwrap().unwrap().bypass;
    ruleset(&script, 1, "always");
    assert_eq!(bypass(act()), Bypass::Unknown, "the second did not say");
    ruleset(&script, 2, "never");
    assert_eq!(bypass(act()), Bypass::Never);
    script.on(RULES, [give(200, json!([]))]);
    assert_eq!(bypass(act()), Bypass::NothingToPass);
    script.on(RULES, [give(404, json!({}))]);
    assert_eq!(github.branch_rules(act(), &BranchName::new("release/1")), Ok(None));
}

#[test]
fn checks_and_statuses_are_told_together() {
    let script = Script::start();
    let run = |id: u64, name: &str, status: &str, conclusion: Value| json!({ "id": id, "name": name, "status": status, "conclusion": conclusion, "app": { "id": 3 } });
    let runs = json!({ "total_count": 4, "check_runs": [
        run(2, "build", "completed", json!("success")), run(1, "build", "completed", json!("failure")),
        run(3, "test", "in_progress", json!(null)), run(4, "lint", "completed", json!("cancelled")),
    ] });
    script.on(&format!("GET /repos/acme/manifests/commits/{HEAD}/check-runs?filter=latest&per_page=100"), [give(200, runs)]);
    let statuses = json!({ "state": "pending", "statuses": [
        { "context": "old", "state": "success" }, { "context": "slow", "state": "pending" }, { "context": "bad", "state": "error" },
    ] });
    script.on(&format!("GET /repos/acme/manifests/commits/{HEAD}/status?per_page=100"), [give(200, statuses)]);
    let found = script.github().checks(act(), commit(HEAD)).unwrap();
    let told: Vec<_> = found.iter().map(|check| (check.context.as_str(), check.state, check.app)).collect();
    let expected = [
        ("build", CheckState::Passed, Some(3)),
        ("lint", CheckState::Failed, Some(3)),
        ("test", CheckState::Pending, Some(3)),
        ("old", CheckState::Passed, None),
        ("slow", CheckState::Pending, None),
        ("bad", CheckState::Failed, None),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_status_is_cut_and_a_check_run_needs_an_app() {
    let script = Script::start();
    script.on(&format!("POST /repos/acme/manifests/statuses/{HEAD}"), [give(201, json!({}))]);
    let github = script.github();
    let status = NewStatus { context: "revertd".to_owned(), state: StatusState::Failure, description: "x".repeat(200), target: None };
    github.set_status(act(), commit(HEAD), &status).unwrap();
    let sent = script.seen().pop().unwrap().body;
    assert_eq!((sent["description"].as_str().unwrap().chars().count(), sent.get("target_url")), (140, None));
    let run = NewCheckRun { name: "revertd".to_owned(), conclusion: Conclusion::Neutral, title: "t".to_owned(), summary: "s".to_owned() };
    assert!(matches!(github.check_run(act(), commit(HEAD), &run), Err(ForgeError::Forbidden { .. })));
    assert_eq!(github.capabilities().check_runs, CheckRuns::StatusOnly);
    assert_eq!(script.lines().len(), 1);
}
