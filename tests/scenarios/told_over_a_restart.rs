//! The agent stops at any moment of a telling: nothing is lost, and nothing is said twice where the chat can tell.

use std::time::Duration;

use revertd::engine::fact::Event;
use revertd::engine::incident::Phase;

use crate::chat::{CHANNEL, Chat, Mood};
use crate::support::{Health, World, policy};

fn world(chat: &Chat) -> World {
    let notifiers = format!("  notifiers: [{}]\n", chat.slack("oncall", CHANNEL));
    let mut world = World::with_agent(&["checkout"], &[policy("checkout", "merge", "  notify: [oncall]\n")], &notifiers);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world
}

#[test]
fn restarted_in_every_second_of_the_story() {
    for crash_at in 0..14 {
        let chat = Chat::start();
        let mut world = world(&chat);
        for second in 0..16 {
            if second == crash_at {
                // Without waiting: what is on its way may arrive and is not recorded.
                world.seconds(1);
                world.restart();
            }
            world.told_seconds(1);
            if world.reverts() == 1 {
                world.set_health("checkout", Health::Good);
            }
        }
        world.told_until(30, |_| chat.posts().len() >= 2);
        world.told_seconds(8);
        assert_eq!(world.phase(), Phase::Recovered);
        assert_eq!(chat.told(), ["merged", "ended"], "restarted in second {crash_at}");
    }
}

#[test]
fn sent_and_not_recorded() {
    let chat = Chat::start();
    let mut world = world(&chat);
    world.until(10, |world| world.facts().iter().any(|fact| matches!(fact.event, Event::NotificationTried { .. })));
    // The message goes out, and the agent ends before the answer is written down.
    while chat.posts().is_empty() {
        std::thread::yield_now();
    }
    world.restart();
    world.told_seconds(10);
    assert_eq!(chat.told()[..1], ["merged"]);
    assert_eq!(chat.told().iter().filter(|event| *event == "merged").count(), 1);
    let told = world.facts().into_iter().filter(|fact| matches!(fact.event, Event::Notified { .. })).count();
    assert!(told >= 1);
}

#[test]
fn queued_and_not_sent() {
    let chat = Chat::start();
    chat.set(Mood::Down);
    let mut world = world(&chat);
    world.told_until(10, |world| world.facts().iter().any(|fact| matches!(fact.event, Event::NotificationQueued { .. })));
    world.restart();
    chat.set(Mood::Well);
    world.pass_after(Duration::from_secs(10)).unwrap();
    assert_eq!(chat.told()[..1], ["merged"]);
}

#[test]
fn a_notifier_that_is_new_hears_nothing_old() {
    let chat = Chat::start();
    let mut world = world(&chat);
    world.told_until(10, |_| !chat.posts().is_empty());
    let added: Vec<_> = world.facts().into_iter().filter(|fact| matches!(fact.event, Event::NotifierAdded { .. })).collect();
    let queued = world.facts().into_iter().find(|fact| matches!(fact.event, Event::NotificationQueued { .. })).unwrap();
    assert!(added.len() == 1 && added[0].at < queued.at);
}
