//! One commit did it, it can be undone as it is, and nothing stands against that.

use serde_json::json;

use super::{Right, Row, Truth, bad_change, did_it, gets_worse};
use crate::world::{Effect, Measured, World};

pub const ARCHETYPES: &[Row] = &[
    ("errors", "", errors),
    ("latency", "", latency),
    ("totalFailure", "", total_failure),
    ("partialRollout", "", partial_rollout),
    ("configOnly", "", config_only),
    ("slowSync", "E6", errors),
    ("lowTrafficRegression", "E11", low_traffic_regression),
    ("neighbourCommit", "", neighbour_commit),
    ("mergeCommit", "G1", merge_commit),
    ("cascade", "", cascade),
    ("cascadeWithDecoy", "", cascade_with_decoy),
    ("gapsWhileGuilty", "E14", gaps_while_guilty),
    ("cosmeticBeside", "", cosmetic_beside),
    ("guiltyThenInnocent", "E7", guilty_then_innocent),
    ("innocentThenGuilty", "E7", innocent_then_guilty),
];

fn errors(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    did_it(commit, Right::Merge)
}

fn latency(world: &mut World) -> Truth {
    world.services[0].measured = Measured::CountsAndLatency;
    let (landing, commit) = bad_change(world, &[0]);
    // Over what is allowed by so much.
    let latency = world.services[0].headroom * world.value("factor");
    let ramp = (world.effective(landing) - world.onset).max(1.0);
    world.effects.push(Effect { latency, ramp, ..Effect::at(0, world.onset) });
    did_it(commit, Right::Merge)
}

fn total_failure(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    did_it(commit, Right::Merge)
}

/// Only some of the replicas ever get the new version.
fn partial_rollout(world: &mut World) -> Truth {
    if world.services[0].measured == Measured::Probe {
        world.services[0].measured = Measured::ProbeAndCounts;
    }
    let (landing, commit) = bad_change(world, &[0]);
    let errors = world.value("share");
    let ramp = (world.effective(landing) - world.onset).max(1.0);
    world.effects.push(Effect { errors, ramp, ..Effect::at(0, world.onset) });
    did_it(commit, Right::Merge)
}

fn config_only(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    let path = format!("apps/{}/config.yaml", world.services[0].name);
    world.landings[landing].changes[0].paths = vec![path];
    gets_worse(world, landing);
    did_it(commit, Right::Merge)
}

fn low_traffic_regression(world: &mut World) -> Truth {
    world.services[0].measured = Measured::Counts;
    world.services[0].base_error /= 10.0;
    errors(world)
}

/// A neighbour's commit lands at the same time.
fn neighbour_commit(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    let neighbour = 1 + world.random.below(world.services.len() - 1);
    if world.random.chance(0.5) {
        let change = world.change(&[neighbour]);
        world.landings[landing].changes.insert(0, change);
    } else {
        let apart = world.random.between(-120.0, 120.0);
        world.deploy(neighbour, world.landings[landing].at + apart);
    }
    did_it(commit, Right::Merge)
}

fn merge_commit(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    world.landings[landing].changes[0].more = json!({"parents": 2});
    gets_worse(world, landing);
    did_it(commit, Right::Merge)
}

/// Those that need the broken service fail with it. Their policies say that they need it: what is needed in secret looks like a shared cause.
fn fall_out(world: &mut World) {
    let count = 1 + world.random.below(3.min(world.services.len() - 2));
    let errors_of_first = world.effects.last().map_or(0.5, |effect| effect.errors);
    for service in 1..=count {
        world.services[service].depends_on = vec![0];
        let (share, lag) = (world.value("share"), world.value("lag"));
        let errors = errors_of_first.max(0.3) * share;
        let from = world.onset + lag;
        world.effects.push(Effect { errors, ramp: 30.0, ..Effect::at(service, from) });
    }
}

fn cascade(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    fall_out(world);
    did_it(commit, Right::Merge)
}

/// One of those that fail with it was changed as well, and has nothing to do with it.
fn cascade_with_decoy(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    fall_out(world);
    let gap = world.value("gap");
    let change = world.change(&[1]);
    world.land_applied(world.onset - gap, vec![change]);
    did_it(commit, Right::Merge)
}

/// The metrics server is not always there.
fn gaps_while_guilty(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    for service in 0..world.services.len() {
        let silence = world.value("missing");
        world.effects.push(Effect { silence, why: "error", ..Effect::at(service, -1.0e6) });
    }
    did_it(commit, Right::Merge)
}

/// A change of comments lands beside the guilty one.
fn cosmetic_beside(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    let mut change = world.change(&[0]);
    change.paths = vec![format!("apps/{}/notes.yaml", world.services[0].name)];
    change.more = json!({"cosmetic": true});
    world.landings[landing].changes.push(change);
    did_it(commit, Right::Merge)
}

/// Another change of the same service lands when the damage is done and shows.
fn guilty_then_innocent(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    let gap = world.value("gap");
    let mut change = world.change(&[0]);
    change.paths = vec![format!("apps/{}/alerts.yaml", world.services[0].name)];
    world.land(world.onset + gap, vec![change]);
    did_it(commit, Right::Merge)
}

/// Another change of the same service was rolled out before, and all was well until the guilty one was.
fn innocent_then_guilty(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    let gap = world.value("gap");
    let applied = world.applied(landing);
    let change = world.change(&[0]);
    let before = world.land_applied(applied - gap, vec![change]);
    // They are on the branch in the order in which they were applied.
    world.landings[before].at = world.landings[before].at.min(world.landings[landing].at - 20.0);
    did_it(commit, Right::Merge)
}
