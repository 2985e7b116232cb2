//! A commit did it, and a person must look before it is undone: it cannot be told apart, it is not the plain inverse, or undoing it does more.

use serde_json::json;

use super::{Right, Row, Truth, bad_change, did_it, gets_worse};
use crate::world::{Effect, Measured, Targets, World};

pub const ARCHETYPES: &[Row] = &[
    ("severalInOneSync", "E7", several_in_one_sync),
    ("slowLeak", "E8", slow_leak),
    ("lateEffect", "E8", late_effect),
    ("guiltySecurityFix", "E12", guilty_security_fix),
    ("definitionChanged", "E13", definition_changed),
    ("conflict", "G2", conflict),
    ("laterDependentChange", "G3", later_dependent_change),
    ("dangerousInverse", "G4", dangerous_inverse),
    ("reapplied", "G6", reapplied),
    ("manyServices", "G7", many_services),
    ("manyObjects", "G7", many_objects),
    ("foxtrot", "G1", foxtrot),
    ("sharedBase", "G7", shared_base),
    ("guiltyDependency", "", guilty_dependency),
    ("neverHealthyThere", "", never_healthy_there),
    ("unknownLanding", "", unknown_landing),
    ("cooldown", "", cooldown),
    ("vanishing", "E2", vanishing),
];

/// The change of the first service with further keys; the most that is right is a proposal.
fn noted(world: &mut World, more: serde_json::Value) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    world.landings[landing].changes[0].more = more;
    gets_worse(world, landing);
    did_it(commit, Right::Propose)
}

fn several_in_one_sync(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    for _ in 1..world.value("changes") as usize {
        let change = world.change(&[0]);
        let place = world.random.below(world.landings[landing].changes.len() + 1);
        world.landings[landing].changes.insert(place, change);
    }
    did_it(commit, Right::Propose)
}

fn slow_leak(world: &mut World) -> Truth {
    if world.services[0].measured == Measured::Probe {
        world.services[0].measured = Measured::ProbeAndCounts;
    }
    let change = world.change(&[0]);
    let commit = change.commit.clone();
    // It begins to grow when it is applied and is seen much later.
    let ramp = world.value("ramp");
    let begins = world.onset - ramp * 0.6;
    world.land_applied(begins, vec![change]);
    let effect = world.hurt(0, 0.3, begins);
    let latency = if effect.latency > 1.0 { world.services[0].headroom * 2.0 } else { 1.0 };
    world.effects.push(Effect { ramp, latency, ..effect });
    did_it(commit, Right::Propose)
}

/// A cache runs out, a job starts: nothing is wrong until long after the rollout.
fn late_effect(world: &mut World) -> Truth {
    let (_, commit) = bad_change(world, &[0]);
    let severity = world.value("severity");
    let effect = world.hurt(0, severity, world.onset);
    world.effects.push(effect);
    did_it(commit, Right::Propose)
}

fn guilty_security_fix(world: &mut World) -> Truth {
    noted(world, json!({"security": true}))
}

/// The service is as it was; what is asked of it changed.
fn definition_changed(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    let path = format!("apps/{}/probe.yaml", world.services[0].name);
    world.landings[landing].changes[0].paths.push(path);
    world.landings[landing].changes[0].more = json!({"definitionChanged": true});
    gets_worse(world, landing);
    did_it(commit, Right::Propose)
}

/// A later bump on a neighbouring line.
fn conflict(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    let path = "environments/tags.yaml".to_owned();
    world.landings[landing].changes[0].paths.push(path.clone());
    world.landings[landing].changes[0].more = json!({"inverse": {"status": "conflict", "exact": false}});
    gets_worse(world, landing);
    let gap = world.value("gap");
    let mut bump = world.change(&[1]);
    bump.paths.push(path);
    world.land(world.landings[landing].at + gap, vec![bump]);
    did_it(commit, Right::Propose)
}

/// A later change of the same file builds on it.
fn later_dependent_change(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    world.landings[landing].changes[0].more = json!({"inverse": {"exact": false, "ranHealthy": false}});
    // It lands about when the damage begins to show, and is applied after that.
    let gap = world.value("gap");
    let applied = world.onset + world.random.between(40.0, 150.0);
    let mut change = world.change(&[0]);
    change.paths = world.landings[landing].changes[0].paths.clone();
    let later = world.land_applied(applied, vec![change]);
    world.landings[later].at = (world.onset - gap).max(world.landings[landing].at + 20.0);
    world.landings[later].delay = applied - world.landings[later].at;
    did_it(commit, Right::Propose)
}

fn dangerous_inverse(world: &mut World) -> Truth {
    noted(world, json!({"inverse": {"grade": "human"}}))
}

/// It was reverted before, and somebody brought it back.
fn reapplied(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    let (first, revert) = (world.random.object_id(), world.random.object_id());
    world.landings[landing].changes[0].more = json!({
        "message": format!("Reapply \"Change\"\n\nThis reverts commit {revert}.\n"), "reverts": revert});
    let long_ago = world.landings[landing].at - world.random.between(2.0, 20.0) * 3600.0;
    let at = world.moment(long_ago);
    world.history.push(json!({"at": at, "kind": "merged", "policies": [world.services[0].name.clone()], "suspects": [first]}));
    did_it(commit, Right::Propose)
}

/// A sweep over many services; one breaks.
fn many_services(world: &mut World) -> Truth {
    let services: Vec<usize> = (0..world.services.len().min(3 + world.random.below(4))).collect();
    let (landing, commit) = bad_change(world, &services);
    world.landings[landing].changes[0].more = json!({"inverse": {"objects": services.len()}});
    gets_worse(world, landing);
    did_it(commit, Right::Propose)
}

fn many_objects(world: &mut World) -> Truth {
    let objects = world.value("objects") as u32;
    noted(world, json!({"inverse": {"objects": objects}}))
}

fn foxtrot(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    world.landings[landing].kind = "foxtrot";
    world.landings[landing].changes[0].more = json!({"parents": 2});
    gets_worse(world, landing);
    did_it(commit, Right::Propose)
}

/// A base that several services are made from; all of them, or only one, get worse.
fn shared_base(world: &mut World) -> Truth {
    let services: Vec<usize> = (0..world.services.len().min(2 + world.random.below(3))).collect();
    let (landing, commit) = bad_change(world, &services);
    let names: Vec<String> = services.iter().map(|service| world.services[*service].name.clone()).collect();
    let change = &mut world.landings[landing].changes[0];
    change.paths = vec!["bases/web/deployment.yaml".to_owned()];
    change.more = json!({"services": names, "inverse": {"objects": services.len()}});
    gets_worse(world, landing);
    if world.random.chance(0.6) {
        for service in services.into_iter().skip(1) {
            let severity = world.value("severity");
            let effect = world.hurt(service, severity, world.onset);
            world.effects.push(effect);
        }
    }
    did_it(commit, Right::Propose)
}

/// A service breaks what needs it, and its own SLO does not show it.
fn guilty_dependency(world: &mut World) -> Truth {
    let change = world.change(&[1]);
    let commit = change.commit.clone();
    let delay = world.value("delay");
    world.land_applied(world.onset - delay, vec![change]);
    world.services[0].depends_on = vec![1];
    let severity = world.value("severity");
    let effect = world.hurt(0, severity, world.onset);
    world.effects.push(effect);
    did_it(commit, Right::Propose)
}

fn never_healthy_there(world: &mut World) -> Truth {
    noted(world, json!({"inverse": {"ranHealthy": false}}))
}

/// It was there when the agent first looked.
fn unknown_landing(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    world.landings[landing].bounded = false;
    gets_worse(world, landing);
    did_it(commit, Right::Propose)
}

/// A revert of the service was merged a moment ago.
fn cooldown(world: &mut World) -> Truth {
    let (landing, commit) = bad_change(world, &[0]);
    gets_worse(world, landing);
    let (ago, other) = (world.value("ago"), world.random.object_id());
    let at = world.moment(world.landings[landing].at - ago);
    world.history.push(json!({"at": at, "kind": "merged", "policies": [world.services[0].name.clone()], "suspects": [other]}));
    did_it(commit, Right::Propose)
}

/// A crash loop: a few errors while the last old pods go, then nothing is measured any more, while all else is.
fn vanishing(world: &mut World) -> Truth {
    if world.services[0].measured == Measured::Probe {
        world.services[0].measured = Measured::ProbeAndCounts;
    }
    let (landing, commit) = bad_change(world, &[0]);
    let alive = world.value("alive");
    gets_worse(world, landing);
    if let Some(effect) = world.effects.last_mut() {
        effect.ramp = 10.0;
    }
    world.effects.push(Effect { silence: 1.0, targets: Targets::Down, ..Effect::at(0, world.onset + alive) });
    did_it(commit, Right::Propose)
}
