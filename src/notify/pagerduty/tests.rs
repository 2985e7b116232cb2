use std::time::Duration;

use super::super::server_for_tests::*;
use super::*;

fn at(server: &Server, transport: Transport) -> PagerDuty {
    PagerDuty::new(transport, &server.url, server.file(CANARY))
}

/// What is sent for a message, with its path.
fn sent(message: &Message) -> (String, Value) {
    let server = Server::start(|_| status(202, r#"{"status":"success","message":"Event processed","dedup_key":"3f1c"}"#));
    assert_eq!(at(&server, server.transport.clone()).deliver(message, None, NOW).unwrap(), Delivered { thread: None });
    let seen = server.seen().remove(0);
    let body = seen.json();
    (format!("{} {}", seen.method, seen.path), body)
}

#[test]
fn what_needs_somebody_is_triggered() {
    let (path, body) = sent(&proposed());
    assert_eq!(path, "POST /v2/enqueue");
    assert_eq!(
        body,
        json!({
            "routing_key": CANARY,
            "event_action": "trigger",
            "dedup_key": "3f1c",
            "client": "revertd",
            "payload": {
                "summary": "checkout: revert of image 1.4.2 proposed",
                "source": "checkout",
                "severity": "warning",
                "timestamp": "2026-11-21T03:04:05Z",
                "component": "checkout",
                "custom_details": {
                    "event": "proposed",
                    "details": ["failed 3 of the last 5 (limit 3): 503, 503, 500", "commit 0a1b2c3d4e by ann: bump &\u{200b} ship"],
                    "command": "/revertd approve 1a2b3c4d",
                },
            },
            "links": [{"href": "https://git.example/x/pull/7#issuecomment-1", "text": "Read and approve"}],
        })
    );
    for (event, severity) in [
        (MessageEvent::Waiting, "warning"),
        (MessageEvent::OutOfStep, "warning"),
        (MessageEvent::Refused, "error"),
        (MessageEvent::NotRecovered, "critical"),
        (MessageEvent::AgentImpaired, "critical"),
    ] {
        let (_, body) = sent(&Message { event, ..proposed() });
        assert_eq!((&body["event_action"], &body["payload"]["severity"]), (&json!("trigger"), &json!(severity)));
    }
}

#[test]
fn what_somebody_did_quiets_it_under_the_same_key() {
    for (event, action) in [(MessageEvent::Approved, "acknowledge"), (MessageEvent::Recovered, "resolve")] {
        let (path, body) = sent(&Message { event, ..proposed() });
        assert_eq!(path, "POST /v2/enqueue");
        assert_eq!(body, json!({"routing_key": CANARY, "event_action": action, "dedup_key": "3f1c"}));
    }
}

/// An alert that is open is not notified again: only another one wakes somebody a second time.
#[test]
fn what_is_escalated_is_an_alert_of_its_own_and_ends_with_the_story() {
    let server = Server::start(|_| status(202, "{}"));
    let pager = at(&server, server.transport.clone());
    let escalated = pager.deliver(&Message { event: MessageEvent::Escalated, ..proposed() }, None, NOW).unwrap().thread;
    let body = server.seen().remove(0).json();
    assert_eq!((&body["dedup_key"], &body["payload"]["severity"]), (&json!("3f1c/escalated"), &json!("critical")));
    for (event, action) in [(MessageEvent::Approved, "acknowledge"), (MessageEvent::Closed, "resolve")] {
        let before = server.seen().len();
        pager.deliver(&Message { event, ..proposed() }, escalated.as_ref(), NOW).unwrap();
        let seen: Vec<Value> = server.seen()[before..].iter().map(|seen| seen.json()).collect();
        let quieted = |key: &str| json!({"routing_key": CANARY, "event_action": action, "dedup_key": key});
        assert_eq!(seen, [quieted("3f1c"), quieted("3f1c/escalated")]);
    }
}

#[test]
fn a_merge_is_a_change_and_no_alert() {
    let message = Message { event: MessageEvent::Merged, lines: vec![], command: None, link: None, ..proposed() };
    let (path, body) = sent(&message);
    assert_eq!(path, "POST /v2/change/enqueue");
    assert_eq!(
        body,
        json!({
            "routing_key": CANARY,
            "payload": {
                "summary": "checkout: revert of image 1.4.2 proposed",
                "source": "checkout",
                "timestamp": "2026-11-21T03:04:05Z",
                "custom_details": {"event": "merged", "details": [], "command": null},
            },
            "links": [],
        })
    );
}

#[test]
fn limits_of_length_are_kept() {
    let long = Message { thread: "x".repeat(300), title: "y".repeat(2000), lines: vec!["z".repeat(9000)], ..proposed() };
    let (_, body) = sent(&long);
    assert_eq!(body["dedup_key"].as_str().map(str::len), Some(64));
    assert_eq!(body["payload"]["summary"].as_str().map(|summary| summary.chars().count()), Some(1024));
    assert_eq!(body["payload"]["custom_details"]["details"], json!(["… and one line more"]));
}

#[test]
fn failures_are_told() {
    check_failures(|server, transport| Box::new(at(server, transport)));
    let server = Server::start(|_| {
        status(400, r#"{"status":"invalid event","message":"Event object is invalid","errors":["'routing_key' is missing"]}"#)
    });
    let error = at(&server, server.transport.clone()).deliver(&proposed(), None, NOW).unwrap_err();
    assert_eq!(error.to_string(), "PagerDuty answered 400: Event object is invalid: 'routing_key' is missing");
    assert_eq!(error.remedy(), crate::notify::Remedy::Nothing);
    let limited = Server::start(|_| status(429, ""));
    let error = at(&limited, limited.transport.clone()).deliver(&proposed(), None, NOW).unwrap_err();
    assert_eq!(error, NotifyError::RateLimited { retry_after: None::<Duration> });
}
