//! The Slack notifier against `emulate`, a stateful Slack of somebody else's making (npm, version 0.12.2). It needs Node 22.15 or newer.
//!
//! What it checks is that the calls mean to another reader of Slack's reference what they mean to us: names of channels, edits, threads,
//! metadata, errors. It does not check blocks, rates and the form of requests; the unit tests pin those.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use revertd::engine::id::PolicyName;
use revertd::engine::time::Timestamp;
use revertd::net::address::AddressRules;
use revertd::net::client::{Client, Request};
use revertd::net::secret::Secret;
use revertd::notify::channel::Channel;
use revertd::notify::slack::{Slack, SlackWebhook};
use revertd::notify::{Delivered, Found, Link, Message, MessageEvent, Notifier, NotifyError, Thread, Transport};
use serde_json::Value;

use crate::support::{ChildGuard, eventually, find_program, free_port, skip_or_fail};

const TOKEN: &str = "xoxb-canary-7f3a9c1d5e2b";
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

struct Emulated {
    url: String,
    folder: tempfile::TempDir,
    _server: ChildGuard,
}

/// Where npm put it: the folder that `REVERTD_EMULATE` names, or `target/tools/node_modules`.
fn modules() -> PathBuf {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/node_modules");
    std::env::var_os("REVERTD_EMULATE").map_or_else(installed, PathBuf::from)
}

async fn emulated() -> Option<Emulated> {
    let script = modules().join("emulate/dist/index.js");
    // A Node of npm's own, because a distribution's may be too old.
    let node = Some(modules().join("node/bin/node")).filter(|node| node.is_file()).or_else(|| find_program("node"));
    let (true, Some(node)) = (script.is_file(), node) else {
        skip_or_fail("emulate");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed.yaml");
    let seeded = format!(
        "slack:\n  team: {{name: acme}}\n  users: [{{name: ann, real_name: Ann}}]\n  channels: [{{name: shop-oncall}}, {{name: closed, is_private: true}}]\n  \
         tokens:\n    - {{token: {TOKEN}, type: bot, user: ann}}\n    - {{token: xoxb-narrow, type: bot, user: ann, scopes: [\"chat:write\"]}}\n  strict_scopes: true\n"
    );
    std::fs::write(&seed, seeded).unwrap();
    std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    std::fs::write(folder.path().join("narrow"), "xoxb-narrow\n").unwrap();
    let port = free_port();
    let mut command = Command::new(node);
    command.arg(script).args(["start", "--service", "slack", "--port", &port.to_string(), "--seed"]).arg(&seed).current_dir(folder.path());
    let server = ChildGuard::start(&mut command);
    eventually("emulate listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
    Some(Emulated { url: format!("http://127.0.0.1:{port}"), folder, _server: server })
}

impl Emulated {
    fn slack(&self, channel: &str, token: &str) -> Arc<Slack> {
        let transport = Transport::new(tokio::runtime::Handle::current()).unwrap();
        let token = self.folder.path().join(token);
        Arc::new(Slack::new(transport, &format!("{}/api", self.url), token, Channel::parse(channel).unwrap()))
    }

    /// What a method says to a client that is not the notifier.
    async fn ask(&self, method: &str, form: Vec<(&'static str, String)>) -> Value {
        let client = Client::new(AddressRules::for_operator()).unwrap();
        let request = Request::post_form(format!("{}/api/{method}", self.url), form, PATIENCE)
            .with_header("authorization", Secret::new(format!("Bearer {TOKEN}")));
        serde_json::from_slice(&client.send(&request).await.unwrap().body).unwrap()
    }

    async fn in_thread(&self, channel: &str, ts: &str) -> Vec<Value> {
        let answer = self.ask("conversations.replies", vec![("channel", channel.to_owned()), ("ts", ts.to_owned())]).await;
        answer["messages"].as_array().unwrap().clone()
    }
}

/// Calls block, so they have a thread that may.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(call).await.unwrap()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn message(event: MessageEvent, title: &str) -> Message {
    Message {
        key: format!("3f1c/{}", event.words()),
        thread: "3f1c".into(),
        event,
        service: Some(PolicyName::new("checkout")),
        labels: [("team".to_owned(), "shop".to_owned())].into(),
        title: title.into(),
        lines: vec!["failed 3 of the last 5 (limit 3): 503, 503, 500".into(), "by <!channel> & @here".into()],
        link: Some(Link { text: "Read and approve".into(), url: "https://git.example/x/pull/7#issuecomment-1".into() }),
        command: Some("/revertd approve 1a2b3c4d".into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_from_the_proposal_to_the_recovery() {
    let Some(emulated) = emulated().await else { return };
    let slack = emulated.slack("#$team-oncall", "token");
    let (first, last) = (message(MessageEvent::Proposed, "revert proposed"), message(MessageEvent::Recovered, "checkout recovered"));
    let delivered = {
        let (slack, first) = (Arc::clone(&slack), first.clone());
        blocking(move || slack.deliver(&first, None, now())).await.unwrap()
    };
    let Some(Thread::Slack { channel, ts, .. }) = delivered.thread.clone() else { panic!("{delivered:?}") };
    let thread = delivered.thread.clone();
    let (after, again) = {
        let (slack, last, thread) = (Arc::clone(&slack), last.clone(), thread.clone());
        blocking(move || (slack.deliver(&last, thread.as_ref(), now()), slack.deliver_again(&last, thread.as_ref(), now()))).await
    };
    assert_eq!((after.unwrap().thread, again.unwrap().thread), (thread.clone(), thread));
    let posted = emulated.in_thread(&channel, &ts).await;
    let [card, reply] = &posted[..] else { panic!("{posted:?}") };
    assert_eq!((&card["text"], &reply["text"]), (&"Now recovered: checkout recovered".into(), &"checkout recovered".into()));
    assert_eq!(card["metadata"]["event_payload"]["key"], "3f1c/proposed");
    assert!(card["edited"].is_object(), "{card}");
    assert_eq!(reply["thread_ts"], ts.as_str());
    assert_eq!(card["blocks"][1]["elements"][0]["url"], "https://git.example/x/pull/7#issuecomment-1");
    assert!(card["blocks"].to_string().contains("by <!channel> &\u{200b} @\u{200b}here"), "{card}");

    // A new process has neither the thread nor the channel's id, and finds the message all the same, in a private channel too.
    for channel in ["#shop-oncall", "#closed"] {
        let before = emulated.slack(channel, "token");
        let posted = {
            let first = first.clone();
            blocking(move || {
                before.find(&first, None, now()).and_then(|found| {
                    if found == Found::Absent { before.deliver(&first, None, now()) } else { before.deliver_again(&first, None, now()) }
                })
            })
            .await
            .unwrap()
        };
        let restarted = emulated.slack(channel, "token");
        let first = first.clone();
        let found = blocking(move || restarted.deliver_again(&first, None, now())).await.unwrap();
        assert_eq!(found, posted, "{channel}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_carry_slacks_codes() {
    let Some(emulated) = emulated().await else { return };
    let (nowhere, narrow) = (emulated.slack("#no-such-channel", "token"), emulated.slack("#shop-oncall", "narrow"));
    let first = message(MessageEvent::Proposed, "revert proposed");
    let (refused, searched) = blocking(move || (nowhere.deliver(&first, None, now()), narrow.find(&first, None, now()))).await;
    assert!(matches!(&refused, Err(NotifyError::Refused { code, .. }) if code == "channel_not_found"), "{refused:?}");
    assert_eq!(searched, Ok(Found::CannotTell));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incoming_webhook_posts() {
    let Some(emulated) = emulated().await else { return };
    let file = emulated.folder.path().join("webhook");
    std::fs::write(&file, format!("{}/services/T000000001/B000000001/X000000001\n", emulated.url)).unwrap();
    let webhook = SlackWebhook::new(Transport::new(tokio::runtime::Handle::current()).unwrap(), file);
    let delivered = blocking(move || webhook.deliver(&message(MessageEvent::Merged, "merged"), None, now())).await.unwrap();
    assert_eq!(delivered, Delivered { thread: None });
    let listed = emulated.ask("conversations.list", vec![]).await;
    let general = listed["channels"].as_array().unwrap().iter().find(|channel| channel["name"] == "general").unwrap()["id"].clone();
    let history = emulated.ask("conversations.history", vec![("channel", general.as_str().unwrap().to_owned())]).await;
    assert_eq!(history["messages"][0]["text"], "merged");
}
