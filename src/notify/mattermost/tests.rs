use super::super::server_for_tests::*;
use super::*;

fn at(server: &Server, transport: Transport, channel: Option<&str>) -> Mattermost {
    let channel = channel.map(|channel| Channel::parse(channel).unwrap());
    Mattermost::new(transport, server.webhook(&format!("/hooks/{CANARY}")), channel)
}

fn sent(message: &Message, channel: Option<&str>) -> Value {
    let server = Server::start(|_| ok("ok"));
    assert_eq!(at(&server, server.transport.clone(), channel).deliver(message, None, NOW).unwrap(), Delivered { thread: None });
    server.seen()[0].json()
}

#[test]
fn the_message_is_markdown() {
    let text = "**checkout: revert of image 1.4.2 proposed**

failed 3 of the last 5 \\(limit 3\\): 503, 503, 500

commit 0a1b2c3d4e by ann: bump &\u{200b} ship

```
/revertd approve 1a2b3c4d
```

[Read and approve](https://git.example/x/pull/7#issuecomment-1)";
    assert_eq!(sent(&proposed(), None), json!({"text": text}));
    assert_eq!(sent(&proposed(), Some("#$team-oncall")), json!({"text": text, "channel": "shop-oncall"}));
}

#[test]
fn hostile_text_has_no_effect() {
    let text = sent(&hostile(), None)["text"].as_str().unwrap().to_owned();
    let line = "\\<\\!channel\\> \\<@\u{200b}U1\\> @\u{200b}everyone @\u{200b}here &\u{200b}commat;all \\*\\*b\\*\\* \\[x\\]\\(http:\u{200b}//evil.example\\) \
                \\<https:\u{200b}//evil.example\\|y\\> www\u{200b}.evil.example \\#\u{200b}general \\`c\\` \\<at\\>z\\</at\\>";
    let expected = format!(
        "**{line}**\n\n{line}\n\n\\- x \\#\u{200b} y\n\n```\n/revertd approve 1a2beveryone\n```\n\n[{line}](https://git.example/a%3Eb%29c%7C%3C!here%3E)"
    );
    assert_eq!(text, expected);
    // Read as CommonMark there is one link, ours, and no code but the command.
    use pulldown_cmark::{Event, Tag};
    let events: Vec<Event> = pulldown_cmark::Parser::new(&text).collect();
    let (mut links, mut blocks) = (Vec::new(), 0);
    for event in &events {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => links.push(dest_url.to_string()),
            Event::Start(Tag::CodeBlock(_)) => blocks += 1,
            _ => {}
        }
    }
    assert_eq!((links, blocks), (vec!["https://git.example/a%3Eb%29c%7C%3C!here%3E".to_owned()], 1));
    let other = |event: &Event| {
        matches!(
            event,
            Event::Code(_) | Event::Html(_) | Event::InlineHtml(_) | Event::Start(Tag::Heading { .. } | Tag::Item | Tag::Image { .. })
        )
    };
    assert!(!events.iter().any(other), "{events:?}");
}

#[test]
fn a_missing_label_is_a_refusal_and_nothing_is_sent() {
    let server = Server::start(|_| ok("ok"));
    let error = at(&server, server.transport.clone(), Some("$squad")).deliver(&proposed(), None, NOW).unwrap_err();
    assert_eq!(error.to_string(), "`$squad` needs the label `squad`, which the policy does not have");
    assert!(server.seen().is_empty());
}

#[test]
fn failures_are_told() {
    check_failures(|server, transport| Box::new(at(server, transport, None)));
    let server = Server::start(|_| {
        status(404, r#"{"id":"web.incoming_webhook.channel.app_error","message":"Couldn't find the channel.","status_code":404}"#)
    });
    let error = at(&server, server.transport.clone(), None).deliver(&proposed(), None, NOW).unwrap_err();
    assert_eq!(error.to_string(), "Mattermost answered 404: Couldn't find the channel.");
}
