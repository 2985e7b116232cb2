//! A person pauses reverting: nothing is done until the pause is over, and then it is decided anew.

use std::time::Duration;

use revertd::engine::fact::Event;

use crate::support::{Health, World, policy};

#[test]
fn pause_holds_and_ends_by_itself() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    let until = world.now() + Duration::from_secs(12);
    world.say(Event::Paused { repository: None, until, reason: "migration".into(), by: "dana".into() });
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!((world.reverts(), world.refusals()[0].as_str()), (0, "paused"));
    let sentence = world.incident().decision.unwrap().sentence;
    assert!(sentence.contains("dana paused reverting until") && sentence.contains("migration"), "{sentence}");
    world.seconds(8);
    assert_eq!(world.reverts(), 1);
}
