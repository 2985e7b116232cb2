//! A file on the agent's machine or on the watched branch stops everything, and what cannot be read counts as a stop.

use crate::support::{Health, World, policy};

/// What the world looks like when a bad change has just broken `checkout`.
fn with_stop_file(path: &str) -> World {
    World::with_agent(&["checkout"], &[policy("checkout", "merge", "")], &format!("  stop: {{file: \"{path}\"}}\n"))
}

#[test]
fn the_file_of_the_agents_machine_stops_and_starts() {
    let mut world = with_stop_file("ROOT/STOP");
    std::fs::write(world.root.join("STOP"), "").unwrap();
    world.break_checkout();
    world.seconds(6);
    assert_eq!((world.reverts(), world.branches().len()), (0, 0));
    assert_eq!(world.refusals(), ["killSwitch"]);
    assert!(world.incident().decision.unwrap().sentence.ends_with("is there: nothing is proposed or merged until somebody removes it."));
    std::fs::remove_file(world.root.join("STOP")).unwrap();
    world.seconds(1);
    assert_eq!(world.reverts(), 1);
}

#[test]
fn a_stop_file_that_cannot_be_looked_at_stops() {
    let mut world = with_stop_file("ROOT/volume/STOP");
    world.break_checkout();
    world.seconds(6);
    assert_eq!(world.reverts(), 0);
    assert!(world.incident().decision.unwrap().sentence.contains("cannot be read, which counts as a stop"));
    std::fs::create_dir(world.root.join("volume")).unwrap();
    world.seconds(1);
    assert_eq!(world.reverts(), 1);
}

#[test]
fn a_file_on_the_watched_branch_stops_until_a_commit_removes_it() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.write(".revertd/STOP", "We migrate the cluster.\n");
    world.commit("Stop reverting");
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!((world.reverts(), world.branches().len()), (0, 0));
    assert_eq!(world.refusals(), ["killSwitch"]);
    std::fs::remove_file(world.root.join("person/.revertd/STOP")).unwrap();
    world.commit("Go on");
    world.seconds(2);
    assert_eq!(world.branches().len() + world.reverts(), 1, "{:?}", world.incident().decision);
}

#[test]
fn an_approval_does_not_lift_it() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    assert_eq!(world.branches().len(), 1);
    world.write(".revertd/STOP", "");
    world.commit("Stop reverting");
    world.approve();
    world.seconds(3);
    assert_eq!(world.reverts(), 0);
    assert!(world.refusals().contains(&"killSwitch".to_owned()));
}
