//! GitHub acts and its answer is lost, or it does not act at all: always one pull request, one comment, one landing (failures F6, F8, F10).

use revertd::demo::forge::FaultKind;
use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

/// From the breach to the recovery with something going wrong, and with the process ended in between or not.
fn story(method: &str, path: &str, times: u32, kind: FaultKind, restarts: bool) {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.fault(method, path, times, kind);
    world.break_checkout();
    for _ in 0..12 {
        world.seconds(8);
        if restarts {
            world.restart();
        }
        if world.incidents().values().any(|incident| incident.proposal.is_some()) && world.proposal().sticky.is_some() {
            break;
        }
    }
    let what = format!("{method} {path} {kind:?} {restarts}");
    assert!(world.proposal().sticky.is_some(), "{what}");
    world.approve_on_github();
    for _ in 0..12 {
        world.seconds(8);
        if restarts {
            world.restart();
        }
        if world.landings() > 0 {
            break;
        }
    }
    world.set_health("checkout", Health::Good);
    world.until(60, |world| world.phase() == Phase::Recovered);
    world.seconds(12);
    assert_eq!((world.github().pulls().unwrap().len(), world.written().len(), world.landings()), (1, 1, 1), "{what}");
    assert!(world.written()[0].contains("### Recovered"), "{what}: {:#?}", world.written());
}

fn every_way(method: &str, path: &str) {
    for kind in [FaultKind::After(502), FaultKind::Before(502)] {
        for restarts in [false, true] {
            story(method, path, 1, kind, restarts);
        }
    }
}

#[test]
fn opening_the_pull_request() {
    every_way("POST", "/pulls");
}

#[test]
fn writing_the_sticky_comment() {
    every_way("POST", "/issues/*/comments");
}

#[test]
fn merging() {
    every_way("PUT", "/pulls/*/merge");
}

#[test]
fn editing_the_sticky_comment() {
    every_way("PATCH", "/issues/comments/*");
}

#[test]
fn each_twice_in_a_row() {
    for (method, path) in [("POST", "/pulls"), ("POST", "/issues/*/comments"), ("PUT", "/pulls/*/merge")] {
        story(method, path, 2, FaultKind::After(502), true);
    }
}

/// Every effect on the way hangs once: GitHub has acted, or has not, and the connection says nothing until the client gives up.
fn everything_hangs_once(kind: FaultKind) {
    let mut world = World::on_github_by(&["checkout"], &[policy("checkout", "propose", "")], "", "250ms");
    world.break_checkout();
    let effects = [
        ("POST", "/pulls"),
        ("POST", "/issues/*/comments"),
        ("PATCH", "/issues/comments/*"),
        ("POST", "/issues/*/labels"),
        ("POST", "/statuses/*"),
        ("PUT", "/pulls/*/merge"),
    ];
    for (method, path) in effects {
        world.fault(method, path, 1, kind);
    }
    let shown = |world: &World| world.proposal().sticky.is_some() && !world.written().is_empty();
    world.until(120, |world| world.incidents().values().any(|incident| incident.proposal.is_some()) && shown(world));
    world.approve_on_github();
    world.until(90, |world| world.landings() > 0);
    world.set_health("checkout", Health::Good);
    world.until(60, |world| world.phase() == Phase::Recovered);
    world.seconds(25);
    assert_eq!((world.github().pulls().unwrap().len(), world.written().len(), world.landings()), (1, 1, 1), "{kind:?}");
    assert!(world.written()[0].contains("### Recovered"), "{kind:?}: {:#?}", world.written());
    // Each was really asked: what hung is among them.
    for (method, end) in [("POST", "/pulls"), ("PUT", "/merge")] {
        assert!(world.asked(method, end) >= 1, "{method} {end}");
    }
}

#[test]
fn every_effect_hangs_after_github_acted() {
    everything_hangs_once(FaultKind::HangAfter);
}

#[test]
fn every_effect_hangs_and_github_did_nothing() {
    everything_hangs_once(FaultKind::HangBefore);
}

/// The lists do not show what was made a moment ago, and the answer to making it was lost as well (F8).
#[test]
fn lists_are_late_after_a_lost_answer() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.github().freeze_lists(6);
    world.fault("POST", "/pulls", 1, FaultKind::After(502));
    world.fault("POST", "/issues/*/comments", 1, FaultKind::After(502));
    world.break_checkout();
    world.seconds(90);
    assert_eq!((world.github().pulls().unwrap().len(), world.written().len()), (1, 1), "{:#?}", world.written());
}

/// A comment that comes a second time with another time of change is answered once (F10).
#[test]
fn a_comment_that_is_touched_is_answered_once() {
    let mut world = World::with_pull_request();
    let comment = world.comment("dana", "/revertd status");
    world.seconds(3);
    world.github().touch_comment(comment);
    world.seconds(3);
    world.github().touch_comment(comment);
    world.restart();
    world.seconds(3);
    assert_eq!(world.replies().len(), 1, "{:#?}", world.replies());
}
