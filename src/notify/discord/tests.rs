use super::super::server_for_tests::*;
use super::*;
use crate::notify::Opening;

fn at(server: &Server, transport: Transport, query: &str) -> Discord {
    Discord::new(transport, server.webhook(&format!("/api/webhooks/1/{CANARY}{query}")))
}

fn posted() -> Reply {
    ok(r#"{"id":"115","channel_id":"9"}"#)
}

fn thread() -> Thread {
    Thread::Discord { message: "115".into(), opening: Opening::of(&proposed()) }
}

#[test]
fn the_first_message_is_posted_and_its_id_kept() {
    let server = Server::start(|_| posted());
    let delivered = at(&server, server.transport.clone(), "").deliver(&proposed(), None, NOW).unwrap();
    assert_eq!(delivered.thread, Some(thread()));
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let seen = &seen[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", format!("/api/webhooks/1/{CANARY}?wait=true").as_str()));
    let content = "**checkout: revert of image 1.4.2 proposed**
failed 3 of the last 5 \\(limit 3\\): 503, 503, 500
commit 0a1b2c3d4e by ann: bump &\u{200b} ship
```
/revertd approve 1a2b3c4d
```
[Read and approve](<https://git.example/x/pull/7#issuecomment-1>)";
    assert_eq!(seen.json(), json!({"content": content, "allowed_mentions": {"parse": []}, "flags": 4}));
}

#[test]
fn the_story_edits_the_first_message_and_posts_its_news() {
    let server = Server::start(|_| posted());
    let delivered = at(&server, server.transport.clone(), "?thread_id=5").deliver(&recovered(), Some(&thread()), NOW).unwrap();
    assert_eq!(delivered.thread, Some(thread()));
    let seen = server.seen();
    let paths: Vec<String> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.path.replace(CANARY, "T"))).collect();
    assert_eq!(paths, ["PATCH /api/webhooks/1/T/messages/115?thread_id=5", "POST /api/webhooks/1/T?thread_id=5&wait=true"]);
    let card = "**checkout: revert of image 1.4.2 proposed**
*Now recovered: checkout recovered*
failed 3 of the last 5 \\(limit 3\\): 503, 503, 500
commit 0a1b2c3d4e by ann: bump &\u{200b} ship
[Read and approve](<https://git.example/x/pull/7#issuecomment-1>)";
    assert_eq!(seen[0].json(), json!({"content": card, "allowed_mentions": {"parse": []}, "flags": 4}));
    assert_eq!(seen[1].json()["content"], "**checkout recovered**\ndetect 6s, decide 100ms, act 2m, verify 3m");
}

#[test]
fn a_first_message_that_is_gone_hides_no_news() {
    let server =
        Server::start(|seen| if seen.method == "PATCH" { status(404, r#"{"message":"Unknown Message","code":10008}"#) } else { posted() });
    at(&server, server.transport.clone(), "").deliver(&recovered(), Some(&thread()), NOW).unwrap();
    assert_eq!(server.seen().len(), 2);
    let failing = Server::start(|seen| if seen.method == "PATCH" { status(500, "") } else { posted() });
    let error = at(&failing, failing.transport.clone(), "").deliver(&recovered(), Some(&thread()), NOW).unwrap_err();
    assert!(error.is_temporary());
    assert_eq!(failing.seen().len(), 1);
}

#[test]
fn hostile_text_has_no_effect() {
    let server = Server::start(|_| posted());
    at(&server, server.transport.clone(), "").deliver(&hostile(), None, NOW).unwrap();
    let body = server.seen()[0].json();
    assert_eq!(body["allowed_mentions"], json!({"parse": []}));
    let content = body["content"].as_str().unwrap();
    let line = "\\<\\!channel\\> \\<@\u{200b}U1\\> @\u{200b}everyone @\u{200b}here &\u{200b}commat;all \\*\\*b\\*\\* \\[x\\]\\(http:\u{200b}//evil.example\\) \
                \\<https:\u{200b}//evil.example\\|y\\> www\u{200b}.evil.example \\#\u{200b}general \\`c\\` \\<at\\>z\\</at\\>";
    assert!(content.contains(&format!("\n{line}\n\\- x \\#\u{200b} y\n```\n/revertd approve 1a2beveryone\n```\n[")), "{content}");
    assert!(content.ends_with("](<https://git.example/a%3Eb%29c%7C%3C!here%3E>)"), "{content}");
}

#[test]
fn a_message_fits_whatever_it_says() {
    let long = Message { title: "*".repeat(3000), lines: vec!["*".repeat(700); 9], command: Some("c".repeat(900)), ..proposed() };
    let edited = Opening { title: "[".repeat(900), ..Opening::of(&long) };
    for card in [Card::first(&long), Card::edited(&long, &edited)] {
        let content = content(&card);
        assert!(units(&content) <= 2000, "{}", units(&content));
        assert!(content.ends_with("[Read and approve](<https://git.example/x/pull/7#issuecomment-1>)"));
        assert!(content.contains("lines more\n"), "{content}");
    }
}

#[test]
fn failures_are_told() {
    check_failures(|server, transport| Box::new(at(server, transport, "")));
    for (answer, sentence) in
        [("{}", "Discord took the message and did not say which it is"), (r#"{"id":"../x"}"#, "Discord named the message by what is no id")]
    {
        let server = Server::start(move |_| ok(answer));
        let error = at(&server, server.transport.clone(), "").deliver(&proposed(), None, NOW).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.is_temporary()), (sentence, true));
    }
    let gone = Server::start(|_| status(404, r#"{"message":"Unknown Webhook","code":10015}"#));
    let error = at(&gone, gone.transport.clone(), "").deliver(&recovered(), Some(&thread()), NOW).unwrap_err();
    assert_eq!(error.to_string(), "Discord answered 404: Unknown Webhook");
}
