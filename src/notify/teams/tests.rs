use super::super::server_for_tests::*;
use super::*;

fn at(server: &Server, transport: Transport) -> Teams {
    Teams::new(transport, server.webhook(&format!("/workflows/{CANARY}{CANARY}/triggers/manual/paths/invoke?sig={CANARY}{CANARY}")))
}

fn sent(message: &Message) -> Value {
    let server = Server::start(|_| status(202, ""));
    assert_eq!(at(&server, server.transport.clone()).deliver(message, None, NOW).unwrap(), Delivered { thread: None });
    server.seen()[0].json()
}

#[test]
fn the_card_has_its_envelope() {
    assert_eq!(
        sent(&proposed()),
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "msteams": {"width": "Full"},
                    "body": [
                        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "checkout: revert of image 1.4.2 proposed", "weight": "Bolder", "size": "Medium"}]},
                        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "failed 3 of the last 5 (limit 3): 503, 503, 500"}]},
                        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "commit 0a1b2c3d4e by ann: bump &\u{200b} ship"}]},
                        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "/revertd approve 1a2b3c4d", "fontType": "Monospace"}]},
                    ],
                    "actions": [{"type": "Action.OpenUrl", "title": "Read and approve", "url": "https://git.example/x/pull/7#issuecomment-1"}],
                },
            }],
        })
    );
}

#[test]
fn hostile_text_stays_in_literal_runs() {
    let card = &sent(&hostile())["attachments"][0]["content"];
    let body = card["body"].as_array().unwrap();
    assert!(body.iter().all(|block| block["type"] == "RichTextBlock"), "{card}");
    let said = card.to_string();
    assert!(
        !said.contains("\"entities\"") && !said.contains("http://evil") && !said.contains("www.evil") && !said.contains("@everyone"),
        "{said}"
    );
    assert_eq!(body.last().unwrap()["inlines"][0]["text"], "/revertd approve 1a2beveryone");
    assert_eq!(card["actions"][0]["url"], "https://git.example/a%3Eb%29c%7C%3C!here%3E");
}

#[test]
fn an_address_that_is_none_makes_no_button() {
    let message = Message { link: Some(crate::notify::Link { text: "x".into(), url: "javascript:alert(1)".into() }), ..proposed() };
    assert_eq!(sent(&message)["attachments"][0]["content"]["actions"], json!([]));
}

#[test]
fn failures_are_told() {
    check_failures(|server, transport| Box::new(at(server, transport)));
}
