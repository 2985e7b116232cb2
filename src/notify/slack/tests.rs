use std::sync::Arc;
use std::time::Duration;

use super::super::server_for_tests::{Reply, *};
use super::*;
use crate::notify::MessageEvent;

const CHANNEL: &str = "C024BE91L";

/// As much of Slack as is asked here: one channel, `#shop-oncall`.
#[derive(Default)]
struct State {
    messages: Vec<Value>,
    /// The method whose next answer is lost after its effect.
    lose: Option<&'static str>,
    /// Errors instead of an effect, by method.
    errors: Vec<(&'static str, &'static str)>,
    calls: Vec<String>,
    /// The channel is known by its id only, as private ones may be.
    by_id_only: bool,
}

impl State {
    fn answer(&mut self, seen: &Seen) -> Reply {
        let method = seen.path.trim_start_matches("/api/").to_owned();
        assert_eq!((seen.method.as_str(), seen.headers["authorization"].as_str()), ("POST", format!("Bearer {CANARY}").as_str()));
        self.calls.push(method.clone());
        if let Some((_, error)) = self.errors.iter().find(|(failing, _)| *failing == method) {
            return ok(json!({"ok": false, "error": error, "needed": "channels:history"}).to_string());
        }
        let body = self.effect(&method, seen);
        if self.lose.take_if(|losing| *losing == method).is_some() { Reply::Lost } else { ok(body.to_string()) }
    }

    fn effect(&mut self, method: &str, seen: &Seen) -> Value {
        let of_thread = |message: &Value, ts: &str| message["ts"] == ts || message["thread_ts"] == ts;
        match method {
            "chat.postMessage" => {
                let mut message = seen.json();
                assert!(["#shop-oncall", CHANNEL].contains(&message["channel"].as_str().unwrap()));
                if self.by_id_only && message["channel"] != CHANNEL {
                    return json!({"ok": false, "error": "channel_not_found"});
                }
                let ts = format!("1795230245.{:06}", self.messages.len());
                message["ts"] = json!(ts);
                self.messages.push(message);
                json!({"ok": true, "channel": CHANNEL, "ts": ts})
            }
            "chat.update" => {
                let new = seen.json();
                let Some(message) = self.messages.iter_mut().find(|message| message["ts"] == new["ts"]) else {
                    return json!({"ok": false, "error": "message_not_found"});
                };
                *message = new;
                json!({"ok": true, "channel": CHANNEL})
            }
            "conversations.list" => match (seen.form()["types"].as_str(), seen.form().get("cursor")) {
                ("public_channel", None) => {
                    json!({"ok": true, "channels": [{"id": "C0", "name": "general"}], "response_metadata": {"next_cursor": "page2"}})
                }
                ("public_channel", Some(_)) => json!({"ok": true, "channels": [{"id": "C1", "name": "random"}]}),
                _ => json!({"ok": true, "channels": [{"id": CHANNEL, "name": "shop-oncall"}], "response_metadata": {"next_cursor": ""}}),
            },
            "conversations.history" => {
                assert_eq!(seen.form()["channel"], CHANNEL);
                assert_eq!(seen.form()["oldest"], (NOW.secs() - 25 * 3600).to_string());
                let found: Vec<&Value> = self.messages.iter().filter(|message| message["thread_ts"].is_null()).collect();
                json!({"ok": true, "messages": found})
            }
            "conversations.replies" => {
                let ts = seen.form()["ts"].clone();
                let found: Vec<&Value> = self.messages.iter().filter(|message| of_thread(message, &ts)).collect();
                if found.is_empty() { json!({"ok": false, "error": "thread_not_found"}) } else { json!({"ok": true, "messages": found}) }
            }
            _ => json!({"ok": false, "error": "unknown_method"}),
        }
    }
}

struct Fake {
    server: Server,
    state: Arc<Mutex<State>>,
    slack: Slack,
}

fn fake(state: State) -> Fake {
    let state = Arc::new(Mutex::new(state));
    let shared = Arc::clone(&state);
    let server = Server::start(move |seen| shared.lock().unwrap().answer(seen));
    let slack = at(&server, server.transport.clone());
    Fake { server, state, slack }
}

fn at(server: &Server, transport: Transport) -> Slack {
    Slack::new(transport, &format!("{}/api/", server.url), server.file(CANARY), Channel::parse("#$team-oncall").unwrap())
}

impl Fake {
    fn messages(&self) -> Vec<Value> {
        self.state.lock().unwrap().messages.clone()
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }
}

fn thread(ts: &str) -> Thread {
    Thread::Slack { channel: CHANNEL.into(), ts: ts.into(), opening: Opening::of(&proposed()) }
}

#[test]
fn the_first_message_is_a_card_with_a_button_and_the_command() {
    let fake = fake(State::default());
    let delivered = fake.slack.deliver(&proposed(), None, NOW).unwrap();
    assert_eq!(delivered.thread, Some(thread("1795230245.000000")));
    assert_eq!(
        fake.server.seen()[0].json(),
        json!({
            "channel": "#shop-oncall",
            "text": "checkout: revert of image 1.4.2 proposed",
            "blocks": [
                {"type": "rich_text", "elements": [
                    {"type": "rich_text_section", "elements": [
                        {"type": "text", "text": "checkout: revert of image 1.4.2 proposed", "style": {"bold": true}},
                        {"type": "text", "text": "\nfailed 3 of the last 5 (limit 3): 503, 503, 500\ncommit 0a1b2c3d4e by ann: bump &\u{200b} ship"},
                    ]},
                    {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "/revertd approve 1a2b3c4d"}]},
                ]},
                {"type": "actions", "elements": [{
                    "type": "button",
                    "action_id": "open",
                    "text": {"type": "plain_text", "text": "Read and approve", "emoji": false},
                    "url": "https://git.example/x/pull/7#issuecomment-1",
                }]},
            ],
            "metadata": {"event_type": "revertd_message", "event_payload": {"key": "3f1c/proposed"}},
            "parse": "none",
            "link_names": false,
            "mrkdwn": false,
            "unfurl_links": false,
            "unfurl_media": false,
        })
    );
}

#[test]
fn the_story_edits_the_card_and_goes_on_in_the_thread() {
    let fake = fake(State::default());
    let mut thread = fake.slack.deliver(&proposed(), None, NOW).unwrap().thread;
    let merged = Message { event: MessageEvent::Merged, key: "3f1c/merged".into(), title: "merged <!channel>".into(), ..recovered() };
    for message in [merged, recovered()] {
        thread = fake.slack.deliver(&message, thread.as_ref(), NOW).unwrap().thread;
        assert_eq!(thread, Some(self::thread("1795230245.000000")));
    }
    assert_eq!(fake.calls(), ["chat.postMessage", "chat.update", "chat.postMessage", "chat.update", "chat.postMessage"]);
    let messages = fake.messages();
    assert_eq!(messages.len(), 3);
    let (card, merged, last) = (&messages[0], &messages[1], &messages[2]);
    // The card keeps what broke and its own key, says where the story stands, and no more what to type.
    assert_eq!(card["metadata"]["event_payload"]["key"], "3f1c/proposed");
    assert_eq!(card["text"], "Now recovered: checkout recovered");
    assert_eq!(
        card["blocks"][0]["elements"],
        json!([{"type": "rich_text_section", "elements": [
            {"type": "text", "text": "checkout: revert of image 1.4.2 proposed", "style": {"bold": true}},
            {"type": "text", "text": "\nNow recovered: checkout recovered", "style": {"italic": true}},
            {"type": "text", "text": "\nfailed 3 of the last 5 (limit 3): 503, 503, 500\ncommit 0a1b2c3d4e by ann: bump &\u{200b} ship"},
        ]}])
    );
    assert_eq!(card["blocks"][1]["elements"][0]["url"], "https://git.example/x/pull/7#issuecomment-1");
    assert_eq!((&merged["thread_ts"], &merged["reply_broadcast"]), (&json!("1795230245.000000"), &json!(null)));
    assert_eq!(merged["text"], "merged &lt;!channel&gt;");
    assert_eq!((&last["thread_ts"], &last["reply_broadcast"]), (&json!("1795230245.000000"), &json!(true)));
    assert_eq!(last["metadata"]["event_payload"]["key"], "3f1c/recovered");
}

#[test]
fn a_retry_after_a_lost_answer_sends_no_second_message() {
    let fake = fake(State::default());
    let lose = |method| fake.state.lock().unwrap().lose = Some(method);
    // The first message: its channel's id is not known yet, and is looked up over pages and kinds of channels.
    lose("chat.postMessage");
    assert!(matches!(fake.slack.deliver(&proposed(), None, NOW), Err(NotifyError::Unreachable { .. })));
    let delivered = fake.slack.deliver_again(&proposed(), None, NOW).unwrap();
    assert_eq!(delivered.thread, Some(thread("1795230245.000000")));
    let searched = ["conversations.list", "conversations.list", "conversations.list", "conversations.history"];
    assert_eq!(fake.calls()[1..], searched);
    // A reply.
    lose("chat.postMessage");
    fake.slack.deliver(&recovered(), delivered.thread.as_ref(), NOW).unwrap_err();
    assert_eq!(fake.slack.deliver_again(&recovered(), delivered.thread.as_ref(), NOW).unwrap(), delivered);
    assert_eq!(fake.calls(), ["chat.update", "chat.postMessage", "conversations.replies"]);
    // An edit whose answer was lost is made again, because its reply is not there.
    lose("chat.update");
    let refused = Message { key: "3f1c/refused".into(), ..recovered() };
    fake.slack.deliver(&refused, delivered.thread.as_ref(), NOW).unwrap_err();
    fake.slack.deliver_again(&refused, delivered.thread.as_ref(), NOW).unwrap();
    assert_eq!(fake.calls(), ["chat.update", "conversations.replies", "chat.update", "chat.postMessage"]);
    let keys: Vec<Value> = fake.messages().iter().map(|message| message["metadata"]["event_payload"]["key"].clone()).collect();
    assert_eq!(keys, ["3f1c/proposed", "3f1c/recovered", "3f1c/refused"]);
}

#[test]
fn what_never_arrived_is_sent_by_the_retry() {
    let fake = fake(State::default());
    let delivered = fake.slack.deliver_again(&proposed(), None, NOW).unwrap();
    fake.slack.deliver_again(&recovered(), delivered.thread.as_ref(), NOW).unwrap();
    assert_eq!(fake.messages().len(), 2);
    assert_eq!(fake.slack.find(&Message { key: "other".into(), ..proposed() }, None, NOW), Ok(Found::Absent));
}

#[test]
fn a_key_of_another_app_is_not_ours() {
    let posted = json!({"ts": "1", "metadata": {"event_type": "other", "event_payload": {"key": "3f1c/proposed"}}});
    let fake = fake(State { messages: vec![posted, json!({"ts": "2", "text": "3f1c/proposed"})], ..State::default() });
    assert_eq!(fake.slack.find(&proposed(), None, NOW), Ok(Found::Absent));
}

#[test]
fn an_app_that_may_not_search_says_a_thing_rather_twice_than_never() {
    let fake = fake(State { errors: vec![("conversations.history", "missing_scope")], ..State::default() });
    assert_eq!(fake.slack.find(&proposed(), None, NOW), Ok(Found::CannotTell));
    fake.slack.deliver_again(&proposed(), None, NOW).unwrap();
    assert_eq!(fake.messages().len(), 1);
}

#[test]
fn a_search_that_fails_for_now_sends_nothing() {
    let fake = fake(State { errors: vec![("conversations.history", "internal_error")], ..State::default() });
    let error = fake.slack.deliver_again(&proposed(), None, NOW).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.is_temporary()), ("Slack failed: internal_error", true));
    assert!(fake.messages().is_empty());
}

#[test]
fn a_deleted_card_hides_no_news() {
    let fake = fake(State { errors: vec![("chat.update", "message_not_found")], ..State::default() });
    let gone = thread("1.0");
    assert_eq!(fake.slack.deliver(&recovered(), Some(&gone), NOW).unwrap().thread, Some(gone));
    assert_eq!(fake.messages()[0]["thread_ts"], "1.0");
}

#[test]
fn a_channel_that_is_not_found_by_its_name_is_found_by_its_id() {
    let fake = fake(State { by_id_only: true, ..State::default() });
    assert_eq!(fake.slack.deliver(&proposed(), None, NOW).unwrap().thread, Some(thread("1795230245.000000")));
    let listed = ["conversations.list", "conversations.list", "conversations.list"];
    assert_eq!(fake.calls(), [&["chat.postMessage"][..], &listed, &["chat.postMessage"]].concat());
    assert_eq!(fake.messages().len(), 1);
}

#[test]
fn where_the_thread_is_gone_a_new_one_begins() {
    let server = Server::start(|seen| match (seen.path.as_str(), seen.json().get("thread_ts")) {
        ("/api/chat.update", _) => ok(r#"{"ok":false,"error":"message_not_found"}"#),
        (_, Some(_)) => ok(r#"{"ok":false,"error":"thread_not_found"}"#),
        _ => ok(r#"{"ok":true,"channel":"C024BE91L","ts":"9.0"}"#),
    });
    let delivered = at(&server, server.transport.clone()).deliver(&recovered(), Some(&thread("1.0")), NOW).unwrap();
    assert_eq!(delivered.thread, Some(Thread::Slack { channel: CHANNEL.into(), ts: "9.0".into(), opening: Opening::of(&recovered()) }));
}

#[test]
fn a_card_that_cannot_be_edited_for_now_holds_the_reply_back() {
    let fake = fake(State { errors: vec![("chat.update", "internal_error")], ..State::default() });
    assert!(fake.slack.deliver(&recovered(), Some(&thread("1.0")), NOW).unwrap_err().is_temporary());
    assert!(fake.messages().is_empty());
}

#[test]
fn not_ok_is_an_error_with_slacks_code_and_what_to_do() {
    for (code, sentence) in [
        (
            "channel_not_found",
            "there is no such channel, or it is private and the app is not in it; invite the app (channel_not_found, needed: channels:history)",
        ),
        (
            "invalid_auth",
            "Slack does not accept the token; put a new bot token (xoxb-…) into its file (invalid_auth, needed: channels:history)",
        ),
        ("something_new", "Slack refused (something_new, needed: channels:history)"),
    ] {
        let fake = fake(State { errors: vec![("chat.postMessage", code)], ..State::default() });
        let error = fake.slack.deliver(&proposed(), None, NOW).unwrap_err();
        assert_eq!(error, NotifyError::Refused { code: code.into(), sentence: sentence.into() });
    }
    let fake = fake(State { errors: vec![("chat.postMessage", "ratelimited")], ..State::default() });
    assert_eq!(fake.slack.deliver(&proposed(), None, NOW), Err(NotifyError::RateLimited { retry_after: None }));
}

#[test]
fn an_answer_that_is_none_of_slacks_is_said() {
    for (body, sentence) in [
        ("<html>", "Slack's answer is not readable: expected value at line 1 column 1"),
        (r#"{"ok":true}"#, "Slack took the message and did not say where it stands"),
        (r#"{"ok":true,"channel":{"id":"C1"},"ts":"1"}"#, "Slack took the message and did not say where it stands"),
    ] {
        let server = Server::start(move |_| ok(body));
        let error = at(&server, server.transport.clone()).deliver(&proposed(), None, NOW).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.is_temporary()), (sentence, true));
    }
    let server = Server::start(|_| ok(r#"{"ok":false}"#));
    let error = at(&server, server.transport.clone()).deliver(&proposed(), None, NOW).unwrap_err();
    assert_eq!(error.to_string(), "Slack refused (no error code)");
}

#[test]
fn hostile_text_stays_in_literal_elements() {
    let message = hostile();
    let first = content(&Card::first(&message), "k");
    let edited = content(&Card::edited(&message, &Opening::of(&message)), "k");
    for body in [first, edited] {
        let text = body["text"].as_str().unwrap();
        assert!(!text.contains(['<', '>']) && !text.contains("@here") && !text.contains("://"), "{text}");
        let said = body["blocks"].to_string();
        for effect in
            ["\"mrkdwn\"", "\"type\":\"link\"", "\"type\":\"user", "\"type\":\"broadcast\"", "http://evil", "@everyone", "www.evil"]
        {
            assert!(!said.contains(effect), "{effect}: {said}");
        }
        assert_eq!(body["blocks"][1]["elements"][0]["url"], "https://git.example/a%3Eb%29c%7C%3C!here%3E");
        assert!(body["blocks"][1]["elements"][0]["text"]["text"].as_str().unwrap().chars().count() <= 75);
    }
    let empty = Message { title: " ".into(), lines: vec![], link: None, command: Some("\n".into()), ..proposed() };
    let bold = json!([{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "proposed", "style": {"bold": true}}]}]}]);
    assert_eq!(blocks(&Card::first(&empty)), bold);
}

#[test]
fn failures_are_told() {
    check_failures(|server, transport| Box::new(at(server, transport)));
    check_failures(|server, transport| Box::new(SlackWebhook::new(transport, server.webhook(&format!("/services/T0/B0/{CANARY}")))));
}

#[test]
fn an_incoming_webhook_gets_text_and_blocks() {
    let server = Server::start(|_| ok("ok"));
    let webhook = SlackWebhook::new(server.transport.clone(), server.webhook(&format!("/services/T0/B0/{CANARY}")));
    assert_eq!(webhook.deliver(&proposed(), None, NOW).unwrap(), Delivered { thread: None });
    assert_eq!(webhook.find(&proposed(), None, NOW), Ok(Found::CannotTell));
    let body = server.seen()[0].json();
    let card = Card::first(&proposed()).title.to_owned();
    assert_eq!(body["text"], card);
    assert_eq!(body["blocks"], blocks(&Card::first(&proposed())));
    assert_eq!((&body["unfurl_links"], body.get("channel")), (&json!(false), None));
    for (code, said, sentence) in [
        (404, "no_service", "the webhook was removed or may not post any more; make a new one (no_service)"),
        (400, "invalid_payload", "Slack refused (invalid_payload)"),
        (200, "maintenance", "the webhook answered \"maintenance\" instead of ok"),
    ] {
        let server = Server::start(move |_| status(code, said));
        let error = SlackWebhook::new(server.transport.clone(), server.webhook("/services/x")).deliver(&proposed(), None, NOW).unwrap_err();
        assert_eq!(error.to_string(), sentence);
    }
}

#[test]
fn a_thread_reads_back_what_it_stores() {
    let text = serde_json::to_string(&thread("1.0")).unwrap();
    assert!(text.starts_with(r#"{"slack":{"channel":"C024BE91L","ts":"1.0","opening":{"key":"3f1c/proposed","#), "{text}");
    assert_eq!(serde_json::from_str::<Thread>(&text).unwrap(), thread("1.0"));
}

#[test]
fn the_runtime_may_be_gone_and_the_caller_may_be_one_of_its_tasks() {
    let server = Server::start(|_| ok(r#"{"ok":true,"channel":"C024BE91L","ts":"9.0"}"#));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let slack = at(&server, Transport::new(runtime.handle().clone()).unwrap());
    assert!(runtime.block_on(async { slack.deliver(&proposed(), None, NOW) }).is_ok());
    runtime.shutdown_timeout(Duration::ZERO);
    assert_eq!(slack.deliver(&proposed(), None, NOW), Err(NotifyError::Unreachable { detail: "the agent is stopping".into() }));
}
