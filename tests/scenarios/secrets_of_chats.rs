//! The secrets of chats and pagers go to their own hosts and stand nowhere else, also when a chat quotes them in its refusal.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::chat::{CANARY, CHANNEL, Chat, Mood};
use crate::support::{Health, World, policy};

/// Everything that is logged by any thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn assert_clean(place: &str, bytes: &[u8]) {
    let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    assert!(!found, "{place} holds a secret");
}

fn assert_folder_clean(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_folder_clean(&path);
        } else {
            assert_clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn secrets_of_chats_stand_nowhere() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let chat = Chat::start();
    let notifiers = [chat.slack("slack", CHANNEL), chat.pagerduty("pager"), chat.webhook("hook")].join(", ");
    let notify = "  notify: [slack, pager, hook]\n";
    let mut world = World::with_agent(&["checkout"], &[policy("checkout", "merge", notify)], &format!("  notifiers: [{notifiers}]\n"));
    // Each way of failing, and then of succeeding.
    for mood in [Mood::Quotes, Mood::Quotes, Mood::Quotes, Mood::LosesAnswers, Mood::LosesAnswers, Mood::Down] {
        chat.once(mood);
    }
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.told_seconds(40);
    let logged = log.0.lock().unwrap().clone();
    let text = String::from_utf8_lossy(&logged).into_owned();
    for part in ["not told yet", "told", "TRACE"] {
        assert!(text.contains(part), "{part} is not in the log");
    }
    assert_clean("the log", &logged);
    assert_clean("the facts", format!("{:?}", world.facts()).as_bytes());
    assert_folder_clean(&world.root);
    // The search would have found them: they went to their own host.
    let sent = chat.seen();
    assert!(sent.iter().any(|seen| seen.authorization.contains(CANARY)) && sent.iter().any(|seen| seen.body.contains(CANARY)));
}
