//! A chat that does not answer delays nothing, and is told once when it does; the others are told at once.

use std::time::{Duration, Instant};

use revertd::engine::fact::Event;
use revertd::engine::incident::Phase;

use crate::chat::{CHANNEL, Chat, Mood};
use crate::support::{Health, World, policy};

fn world(notifiers: &[String], mode: &str, notify: &str) -> World {
    let notifiers = format!("  notifiers: [{}]\n", notifiers.join(", "));
    World::with_agent(&["checkout"], &[policy("checkout", mode, &format!("  notify: [{notify}]\n"))], &notifiers)
}

fn breaks(world: &mut World) {
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
}

#[test]
fn a_silent_chat_delays_no_revert() {
    let chat = Chat::start();
    chat.set(Mood::Silent);
    let mut world = world(&[chat.slack("oncall", CHANNEL)], "merge", "oncall");
    breaks(&mut world);
    let begun = Instant::now();
    world.until(10, |world| world.reverts() == 1);
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
    assert!(begun.elapsed() < Duration::from_secs(9), "the passes waited for the chat: {:?}", begun.elapsed());
    assert!(chat.posts().is_empty());
    chat.set(Mood::Well);
    world.told_until(30, |_| chat.posts().len() == 2);
    world.told_seconds(3);
    assert_eq!(chat.told(), ["merged", "ended"]);
}

#[test]
fn a_chat_that_was_down_is_told_once() {
    let chat = Chat::start();
    chat.set(Mood::Down);
    let mut world = world(&[chat.slack("oncall", CHANNEL)], "propose", "oncall");
    breaks(&mut world);
    world.told_seconds(20);
    assert!(!world.branches().is_empty() && chat.posts().is_empty());
    let tried = chat.seen().len();
    assert!((2..=4).contains(&tried), "the pauses between attempts grow: {tried}");
    chat.set(Mood::Well);
    world.told_until(60, |_| !chat.posts().is_empty());
    world.told_seconds(30);
    assert_eq!(chat.told(), ["proposed"]);
}

#[test]
fn a_lost_answer_says_nothing_twice() {
    let chat = Chat::start();
    let mut world = world(&[chat.slack("oncall", CHANNEL)], "propose", "oncall");
    chat.once(Mood::LosesAnswers);
    breaks(&mut world);
    world.told_until(15, |_| !chat.posts().is_empty());
    world.told_seconds(10);
    assert_eq!(chat.told(), ["proposed"]);
    let told = world.facts().into_iter().filter(|fact| matches!(fact.event, Event::Notified { .. })).count();
    assert_eq!(told, 1);
}

#[test]
fn a_refusal_of_slack_is_an_error_that_waits_for_a_person() {
    let chat = Chat::start();
    let mut world = world(&[chat.slack("oncall", CHANNEL)], "propose", "oncall");
    chat.set(Mood::Refuses("not_in_channel"));
    breaks(&mut world);
    world.told_seconds(15);
    assert!(!world.facts().iter().any(|fact| matches!(fact.event, Event::Notified { .. } | Event::NotificationDropped { .. })));
    // Somebody invites the app.
    chat.set(Mood::Well);
    world.told_until(60, |_| !chat.posts().is_empty());
    assert_eq!(chat.told(), ["proposed"]);
}

#[test]
fn a_message_that_slack_does_not_take_is_dropped_with_its_reason() {
    let chat = Chat::start();
    let mut world = world(&[chat.slack("oncall", CHANNEL)], "propose", "oncall");
    chat.set(Mood::Refuses("invalid_blocks"));
    breaks(&mut world);
    world.told_seconds(10);
    let dropped: Vec<String> = world
        .facts()
        .into_iter()
        .filter_map(|fact| if let Event::NotificationDropped { why, .. } = fact.event { Some(why) } else { None })
        .collect();
    assert!(dropped.len() == 1 && dropped[0].contains("invalid_blocks"), "{dropped:?}");
    assert_eq!(chat.seen().len(), 1);
}

#[test]
fn of_two_chats_the_one_that_is_down_holds_up_nothing() {
    let (down, well) = (Chat::start(), Chat::start());
    down.set(Mood::Silent);
    let mut world = world(&[down.slack("first", CHANNEL), well.webhook("second")], "merge", "first, second");
    breaks(&mut world);
    world.until(10, |world| world.reverts() == 1);
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
    // Waiting for what is on its way would wait for the silent one as well.
    let deadline = Instant::now() + Duration::from_secs(9);
    while well.bodies("/hook/").len() < 2 && Instant::now() < deadline {
        world.seconds(1);
    }
    let events: Vec<String> = well.bodies("/hook/").iter().map(|body| body["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(events, ["merged", "recovered"]);
    assert!(down.posts().is_empty());
    down.set(Mood::Well);
    world.told_until(30, |_| down.posts().len() == 2);
    assert_eq!(well.bodies("/hook/").len(), 2);
}
