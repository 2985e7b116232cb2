use serde_json::json;
use sha2::Digest;

use super::super::server_for_tests::*;
use super::*;
use crate::notify::MessageEvent;

fn at(server: &Server, transport: Transport) -> Webhook {
    Webhook::new(transport, server.webhook(&format!("/hook/{CANARY}{CANARY}?x={CANARY}")), server.file(&format!("key-{CANARY}")))
}

/// HMAC as RFC 2104 writes it down.
fn by_hand(key: &[u8], text: &[u8]) -> String {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    hex::encode(Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize())
}

#[test]
fn the_body_is_as_documented_and_signed() {
    let server = Server::start(|_| status(204, ""));
    let delivered = at(&server, server.transport.clone()).deliver(&proposed(), None, NOW).unwrap();
    assert_eq!(delivered, Delivered { thread: None });
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let seen = &seen[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", format!("/hook/{CANARY}{CANARY}?x={CANARY}").as_str()));
    assert_eq!(
        seen.json(),
        json!({
            "version": 1,
            "key": "3f1c/proposed",
            "time": "2026-11-21T03:04:05Z",
            "thread": "3f1c",
            "event": "proposed",
            "service": "checkout",
            "labels": {"team": "shop"},
            "title": "checkout: revert of image 1.4.2 proposed",
            "lines": ["failed 3 of the last 5 (limit 3): 503, 503, 500", "commit 0a1b2c3d4e by ann: bump & ship"],
            "link": {"text": "Read and approve", "url": "https://git.example/x/pull/7#issuecomment-1"},
            "command": "/revertd approve 1a2b3c4d",
        })
    );
    assert_eq!(seen.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(seen.headers["idempotency-key"], "3f1c/proposed");
    assert_eq!(seen.headers["x-revertd-timestamp"], "1795230245");
    let signed = format!("1795230245.{}", seen.body);
    assert_eq!(
        seen.headers["x-revertd-signature-256"],
        format!("sha256={}", by_hand(format!("key-{CANARY}").as_bytes(), signed.as_bytes()))
    );
}

#[test]
fn the_second_vector_of_rfc_4231_holds_by_hand() {
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(by_hand(b"Jefe", b"what do ya want for nothing?"), expected);
}

#[test]
fn a_message_about_the_agent_has_no_service() {
    let server = Server::start(|_| ok(""));
    let message = Message { service: None, link: None, command: None, event: MessageEvent::AgentImpaired, ..proposed() };
    at(&server, server.transport.clone()).deliver(&message, None, NOW).unwrap();
    let body = server.seen()[0].json();
    assert_eq!((&body["service"], &body["link"], &body["command"]), (&json!(null), &json!(null), &json!(null)));
    assert_eq!(body["event"], "agentImpaired");
}

#[test]
fn a_key_that_no_header_can_hold_is_refused_and_not_sent() {
    let server = Server::start(|_| ok(""));
    let error = at(&server, server.transport.clone()).deliver(&Message { key: "a\nb".into(), ..proposed() }, None, NOW).unwrap_err();
    assert!(matches!(&error, NotifyError::Refused { code, .. } if code == "address"), "{error:?}");
    assert!(server.seen().is_empty());
}

#[test]
fn failures_are_told() {
    check_failures(|server, transport| Box::new(at(server, transport)));
    let missing = Webhook::new(Server::start(|_| ok("")).transport, "/nonexistent/url".into(), "/nonexistent/key".into());
    assert!(matches!(missing.deliver(&proposed(), None, NOW), Err(NotifyError::Credentials { .. })));
}
