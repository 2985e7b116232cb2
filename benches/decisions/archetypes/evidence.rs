//! Nobody did anything: what is measured is wrong, or missing, or was so before.

use super::{Row, Truth, bad_change, fault, innocent_deploy_just_before, nobody};
use crate::world::{Effect, Measured, Sync, World};

pub const ARCHETYPES: &[Row] = &[
    ("flapping", "E1", flapping),
    ("metricsGap", "E2", metrics_gap),
    ("staleAfterDeploy", "E2", stale_after_deploy),
    ("isolation", "E3", isolation),
    ("isolationSomeControls", "E3", isolation_some_controls),
    ("breachBefore", "E5", breach_before),
    ("ledByBreach", "E5", led_by_breach),
    ("syncPaused", "E6", sync_paused),
    ("syncFailed", "E6", sync_failed),
    ("deployBlip", "E10", deploy_blip),
    ("lowTraffic", "E11", low_traffic),
    ("counterReset", "E14", counter_reset),
];

/// Bad and good in turn, all day.
fn flapping(world: &mut World) -> Truth {
    let (on, off) = (world.value("on"), world.value("off"));
    let mut time = world.random.exponential(off);
    while time < world.end {
        let long = world.random.exponential(on).max(10.0);
        let severity = world.value("severity");
        let effect = world.hurt(0, severity, time);
        world.effects.push(Effect { until: time + long, ..effect });
        time += long + world.random.exponential(off).max(30.0);
    }
    world.deploy(0, world.onset);
    nobody()
}

fn everywhere(world: &mut World, effect: impl Fn(usize) -> Effect) {
    let all: Vec<Effect> = (0..world.services.len()).map(effect).collect();
    world.effects.extend(all);
}

/// The metrics server is gone for a while, just after a deploy.
fn metrics_gap(world: &mut World) -> Truth {
    innocent_deploy_just_before(world);
    for service in &mut world.services {
        if service.measured == Measured::Probe {
            service.measured = Measured::Counts;
        }
    }
    let (from, until) = (world.onset, world.onset + world.value("long"));
    let only_metrics = |world: &World, service: usize| world.services[service].measured != Measured::ProbeAndCounts;
    let affected: Vec<usize> = (0..world.services.len()).filter(|service| only_metrics(world, *service)).collect();
    for service in affected {
        world.effects.push(Effect { silence: 1.0, until, why: "error", ..Effect::at(service, from) });
    }
    nobody()
}

/// The scrape of one service breaks after its deploy, and the service is well.
fn stale_after_deploy(world: &mut World) -> Truth {
    world.services[0].measured = if world.random.chance(0.5) { Measured::Counts } else { Measured::CountsAndLatency };
    innocent_deploy_just_before(world);
    let from = world.onset;
    world.effects.push(Effect { silence: 1.0, why: "stale", ..Effect::at(0, from) });
    nobody()
}

/// The agent is cut off: nothing answers it.
fn isolation(world: &mut World) -> Truth {
    world.controls = world.controls.max(1);
    innocent_deploy_just_before(world);
    let (from, until) = (world.onset, world.onset + world.random.between(120.0, 1200.0));
    everywhere(world, |service| Effect { silence: 1.0, until, why: "unreachable", ..Effect::at(service, from) });
    world.cut_off.push((from, until, 1.0));
    nobody()
}

/// A proxy between the agent and the services answers 502 to most of it, and some of the controls see it.
fn isolation_some_controls(world: &mut World) -> Truth {
    world.controls = world.controls.max(2);
    innocent_deploy_just_before(world);
    let (from, until) = (world.onset, world.onset + world.random.between(180.0, 1200.0));
    world.services[0].measured = Measured::Probe;
    let errors = world.random.between(0.7, 1.0);
    let probed: Vec<usize> = (0..world.services.len()).filter(|service| world.services[*service].measured == Measured::Probe).collect();
    for service in probed {
        world.effects.push(Effect { errors, until, ..Effect::at(service, from) });
    }
    world.cut_off.push((from, until, 0.4));
    nobody()
}

/// It was bad for minutes when the change was applied.
fn breach_before(world: &mut World) -> Truth {
    let ahead = world.value("ahead");
    fault(world, 0, world.onset - ahead);
    let change = world.change(&[0]);
    world.land_applied(world.onset, vec![change]);
    nobody()
}

/// It was bad for a minute or two when the change was applied.
fn led_by_breach(world: &mut World) -> Truth {
    let ahead = world.value("ahead");
    fault(world, 0, world.onset - ahead);
    if let Some(effect) = world.effects.last_mut() {
        effect.ramp = 1.0;
    }
    let change = world.change(&[0]);
    let landing = world.land_applied(world.onset, vec![change]);
    // It may have landed before or after the fault; it was applied after it.
    world.landings[landing].delay = world.landings[landing].delay.min(ahead * 2.0);
    world.landings[landing].at = world.onset - world.landings[landing].delay;
    nobody()
}

fn not_applied(world: &mut World, sync: Sync) -> Truth {
    let landing = innocent_deploy_just_before(world);
    world.landings[landing].sync = sync;
    // What was not rolled out does not hurt while it is rolled out either.
    let applied = world.applied(landing);
    world.effects.retain(|effect| effect.service != 0 || effect.from != applied);
    fault(world, 0, world.onset);
    nobody()
}

fn sync_paused(world: &mut World) -> Truth {
    not_applied(world, Sync::Paused)
}

fn sync_failed(world: &mut World) -> Truth {
    not_applied(world, Sync::Failed)
}

/// A rollout hurts while it lasts, and no longer.
fn deploy_blip(world: &mut World) -> Truth {
    let (landing, _) = bad_change(world, &[0]);
    let errors = world.value("blip");
    let (from, until) = (world.applied(landing), world.effective(landing));
    world.effects.push(Effect { errors, until, ..Effect::at(0, from) });
    nobody()
}

/// Hardly anybody comes, and now and then one of two requests fails.
fn low_traffic(world: &mut World) -> Truth {
    world.services[0].measured = Measured::Counts;
    let change = world.change(&[0]);
    world.land_applied(world.onset, vec![change]);
    nobody()
}

/// Counters start anew, or another server of a pair answers: a few rounds are absurd.
fn counter_reset(world: &mut World) -> Truth {
    if world.services[0].measured == Measured::Probe {
        world.services[0].measured = Measured::Counts;
    }
    innocent_deploy_just_before(world);
    let (from, long) = (world.onset, world.random.between(20.0, 70.0));
    let many = 1 + world.random.below(world.services.len());
    for service in 0..many {
        let errors = world.random.between(0.05, 1.0);
        let traffic = world.random.between(0.02, 2.0);
        world.effects.push(Effect { errors, traffic, until: from + long, ..Effect::at(service, from) });
        let silence = world.random.between(0.0, 0.6);
        world.effects.push(Effect { silence, until: from + long + 120.0, ..Effect::at(service, from + long) });
    }
    nobody()
}
