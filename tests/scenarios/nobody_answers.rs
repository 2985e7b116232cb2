//! Nobody answers the pull request, and the policy says what happens then.

use revertd::demo::forge::{Fault, FaultKind};
use revertd::engine::fact::Event;
use revertd::engine::incident::Phase;

use crate::support::World;

fn silent(then: &str) -> World {
    World::with_pull_request_by(&format!("  approval: {{ifSilent: {{after: 10s, then: {then}}}}}\n"), |_| {})
}

fn endings(world: &World) -> usize {
    world.facts().iter().filter(|fact| matches!(fact.event, Event::SilenceEnded { .. })).count()
}

#[test]
fn it_is_told_again_once() {
    let mut world = silent("escalate");
    world.seconds(20);
    world.restart();
    world.seconds(10);
    assert_eq!((endings(&world), world.landings()), (1, 0));
    assert!(world.written()[0].contains("nobody had answered for 10s; told again"), "{}", world.written()[0]);
}

#[test]
fn it_is_taken_back() {
    let mut world = silent("withdraw");
    world.seconds(20);
    assert_eq!((endings(&world), world.landings(), world.branches().len()), (1, 0, 0));
    assert_eq!(world.phase(), Phase::Withdrawn);
    assert!(world.incident().sentence.unwrap().starts_with("nobody answered for 10s"));
    // The breach goes on, and is not proposed again.
    world.seconds(20);
    assert_eq!((world.incidents().len(), world.branches().len()), (1, 0));
}

#[test]
fn it_is_merged_where_the_whole_gate_holds() {
    let mut world = silent("merge");
    world.seconds(5);
    assert_eq!(world.landings(), 0);
    world.until(15, |world| world.landings() == 1);
    assert_eq!(endings(&world), 0);
}

#[test]
fn silence_merges_nothing_over_a_ceiling() {
    let mut world = World::with_pull_request_under("maxMode: propose", "  approval: {ifSilent: {after: 10s, then: merge}}\n");
    world.seconds(25);
    assert_eq!(world.landings(), 0, "{:#?}", world.incident().decision);
}

#[test]
fn an_answer_ends_the_silence() {
    for (then, said) in [("escalate", "/revertd hold"), ("withdraw", "/revertd hold"), ("merge", "/revertd hold")] {
        let mut world = silent(then);
        world.github().comment("dana", world.pull().number, said).unwrap();
        world.seconds(25);
        assert_eq!((endings(&world), world.landings(), world.branches().len()), (0, 0, 1), "{then}");
    }
}

#[test]
fn a_forge_that_cannot_be_heard_is_not_silent() {
    for then in ["escalate", "withdraw", "merge"] {
        let mut world = silent(then);
        world
            .github()
            .arm(Fault { method: "GET".into(), path: "/repos/*/*/issues/comments".into(), times: 1000, kind: FaultKind::Before(502) })
            .unwrap();
        world.seconds(60);
        assert_eq!((endings(&world), world.landings(), world.branches().len()), (0, 0, 1), "{then}");
    }
}
