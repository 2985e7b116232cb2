//! More comments than a page holds, and a text that is longer than GitHub takes (failures F12 and A16).

use crate::support::{Health, World, policy};

/// The approval stands among more comments than two pages hold, all written within one second.
#[test]
fn an_approval_among_250_comments_is_found() {
    let mut world = World::with_pull_request();
    for number in 0..125 {
        world.comment("mallory", &format!("me too {number}"));
    }
    world.approve_on_github();
    for number in 0..125 {
        world.comment("mallory", &format!("me three {number}"));
    }
    world.until(10, |world| world.landings() == 1);
    assert_eq!(world.replies().len(), 0);
}

/// A hold that comes with them is not lost either, also by an agent that was started anew.
#[test]
fn a_hold_among_250_comments_is_found() {
    let mut world = World::with_pull_request();
    world.comment("dana", "/revertd hold");
    for number in 0..250 {
        world.comment("mallory", &format!("me too {number}"));
    }
    world.restart();
    world.approve_on_github();
    world.seconds(8);
    assert_eq!(world.landings(), 0);
}

#[test]
fn a_change_of_many_files_is_told_within_githubs_limit() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.seconds(8);
    for number in 0..400 {
        let name = format!("apps/checkout/parts/{}-{number}.yaml", "a-rather-long-name-of-a-manifest-".repeat(5));
        world.write(&name, &crate::support::deployment(&format!("part-{number}"), "1.0.0"));
    }
    world.commit("checkout: in parts");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.until(20, |world| world.github().pulls().unwrap().len() == 1);
    let body = world.pull().body;
    assert!(body.chars().count() <= 65_536, "{} characters", body.chars().count());
    assert!(body.contains("400"), "{body}");
}
