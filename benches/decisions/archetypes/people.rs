//! A commit did it, and doing something about it is not, or no longer, revertd's.

use serde_json::json;

use super::{Right, Row, Truth, bad_change, did_it, gets_worse};
use crate::world::World;

pub const ARCHETYPES: &[Row] = &[
    ("alreadyUndone", "G5", already_undone),
    ("ownRevert", "G6", own_revert),
    ("rewritten", "G8", rewritten),
    ("humanRevert", "G10", human_revert),
    ("fixForward", "G10", fix_forward),
    ("optedOut", "B3", opted_out),
    ("vetoed", "F1", vetoed),
];

/// The guilty change, with further keys; nothing is right to do.
fn left_alone(world: &mut World, more: serde_json::Value) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    world.landings[landing].changes[0].more = more;
    gets_worse(world, landing);
    did_it(commit, Right::Nothing)
}

fn already_undone(world: &mut World) -> Truth {
    left_alone(world, json!({"inverse": {"status": "alreadyUndone"}}))
}

fn own_revert(world: &mut World) -> Truth {
    let (of, plan) = (world.random.object_id(), world.random.object_id() + "0123456789abcdef01234567");
    let message = format!("Revert \"Change\"\n\nThis reverts commit {of}.\n\nRevertd-Plan: {plan}\n");
    left_alone(world, json!({"message": message, "reverts": of}))
}

/// Somebody rewrote the branch.
fn rewritten(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    world.landings[landing].kind = "rewritten";
    gets_worse(world, landing);
    did_it(commit, Right::Nothing)
}

/// Somebody was watching and reverts at once.
fn human_revert(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    let reaction = world.value("reaction");
    let mut revert = world.change(&[0]);
    revert.paths = world.landings[landing].changes[0].paths.clone();
    revert.more = json!({"reverts": commit, "message": format!("Revert \"Change\"\n\nThis reverts commit {commit}.\n")});
    let landed = world.land(world.onset + reaction, vec![revert]);
    over(world, landed);
    did_it(commit, Right::Nothing)
}

/// Somebody was watching and fixes it at once.
fn fix_forward(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    let reaction = world.value("reaction");
    let mut fix = world.change(&[0]);
    fix.paths = world.landings[landing].changes[0].paths.clone();
    fix.more = json!({"inverse": {"ranHealthy": false}});
    world.landings[landing].changes[0].more = json!({"inverse": {"status": "conflict", "exact": false}});
    let landed = world.land(world.onset + reaction, vec![fix]);
    over(world, landed);
    did_it(commit, Right::Nothing)
}

/// What the guilty change did ends when the landing is rolled out.
fn over(world: &mut World, landing: usize) {
    let until = world.effective(landing);
    for effect in world.effects.iter_mut().filter(|effect| effect.service == 0 && effect.until.is_infinite()) {
        effect.until = until;
    }
}

fn opted_out(world: &mut World) -> Truth {
    left_alone(world, json!({"message": "Change\n\nRevertd: never\n"}))
}

/// Somebody said no to undoing it.
fn vetoed(world: &mut World) -> Truth {
    let truth = left_alone(world, json!({}));
    let kind = if world.random.chance(0.5) { "vetoed" } else { "held" };
    let at = world.moment(world.onset);
    world.history.push(json!({"at": at, "kind": kind, "policies": [world.services[0].name.clone()], "suspects": truth.guilty}));
    truth
}
