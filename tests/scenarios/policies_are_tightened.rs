//! A policy gets stricter while an incident is open: that holds at once. What it newly allows is for new incidents.

use crate::support::{World, policy};

fn approved_by(login: &str, rules: &str) -> World {
    let mut world = World::with_pull_request();
    world.restart_with(&[policy("checkout", "propose", &format!("  approval: {rules}\n"))]);
    world.seconds(2);
    world.github().comment(login, world.pull().number, &world.approve_command()).unwrap();
    world.seconds(12);
    world
}

#[test]
fn who_may_not_approve_any_more_approves_nothing() {
    let replaced = approved_by("robin", "{from: [{user: dana}]}");
    assert_eq!((replaced.landings(), replaced.replies().len()), (0, 1), "{:#?}", replaced.replies());
    assert_eq!(approved_by("dana", "{from: [{user: dana}]}").landings(), 1, "by both versions");
    assert_eq!(approved_by("robin", "{count: 2}").landings(), 0);
}
