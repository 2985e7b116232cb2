//! Something broke, and no commit of a watched service did it.

use serde_json::json;

use super::{Row, Truth, fault, innocent_deploy_just_before, nobody};
use crate::world::{Effect, Measured, TWO_DAYS, World};

pub const ARCHETYPES: &[Row] = &[
    ("outageAfterDeploy", "E4", outage_after_deploy),
    ("partialOutage", "E4", partial_outage),
    ("sharedDependency", "E4", shared_dependency),
    ("trafficSpike", "E9", traffic_spike),
    ("inducedAfterSecurityFix", "E12", induced_after_security_fix),
    ("independentFault", "", independent_fault),
    ("cosmetic", "", cosmetic),
    ("retryStorm", "", retry_storm),
    ("unmappedGuilty", "", unmapped_guilty),
    ("neighbourBusy", "", neighbour_busy),
    ("nightlyJob", "", nightly_job),
    ("coincidence", "", coincidence),
];

fn hit(world: &mut World, service: usize) {
    let (spread, severity) = (world.value("spread"), world.value("severity"));
    let from = world.onset + world.random.between(0.0, spread);
    let effect = world.hurt(service, severity, from);
    world.effects.push(Effect { ramp: 20.0, ..effect });
}

/// Everything fails, just after a deploy.
fn outage_after_deploy(world: &mut World) -> Truth {
    innocent_deploy_just_before(world);
    for service in 0..world.services.len() {
        hit(world, service);
    }
    nobody()
}

/// Some of the services fail, one of them just deployed.
fn partial_outage(world: &mut World) -> Truth {
    innocent_deploy_just_before(world);
    hit(world, 0);
    let share = world.value("share");
    let count = ((world.services.len() as f64 * share) as usize).max(4).min(world.services.len());
    for service in 1..count {
        hit(world, service);
    }
    nobody()
}

/// A database that nobody here owns fails; two or three services need it, and one of them was just deployed.
fn shared_dependency(world: &mut World) -> Truth {
    innocent_deploy_just_before(world);
    hit(world, 0);
    for service in 1..2 + world.random.below(2) {
        hit(world, service);
    }
    nobody()
}

/// Many more people come, to every service, and one that was changed lately cannot take it.
fn traffic_spike(world: &mut World) -> Truth {
    if world.services[0].measured == Measured::Probe {
        world.services[0].measured = Measured::ProbeAndCounts;
    }
    innocent_deploy_just_before(world);
    let traffic = world.value("traffic");
    for service in 0..world.services.len() {
        let (from, share) = (world.onset - 60.0, world.random.between(0.5, 1.0));
        world.effects.push(Effect { traffic: 1.0 + (traffic - 1.0) * share, latency: 1.25, ramp: 120.0, ..Effect::at(service, from) });
    }
    fault(world, 0, world.onset);
    nobody()
}

/// Somebody floods the service that was just secured, so that the fix is taken back.
fn induced_after_security_fix(world: &mut World) -> Truth {
    if world.services[0].measured == Measured::Probe {
        world.services[0].measured = Measured::ProbeAndCounts;
    }
    let landing = innocent_deploy_just_before(world);
    world.landings[landing].changes[0].more = json!({"security": true});
    let (traffic, from) = (world.value("traffic"), world.onset);
    world.effects.push(Effect { traffic, ramp: 60.0, ..Effect::at(0, from) });
    fault(world, 0, from);
    nobody()
}

/// A node dies, a certificate runs out: one service fails, long after its last change.
fn independent_fault(world: &mut World) -> Truth {
    let distance = world.value("distance");
    let change = world.change(&[0]);
    world.land_applied(world.onset - distance, vec![change]);
    fault(world, 0, world.onset);
    nobody()
}

/// The only change of the service is one of comments.
fn cosmetic(world: &mut World) -> Truth {
    let landing = innocent_deploy_just_before(world);
    world.landings[landing].changes[0].more = json!({"cosmetic": true});
    fault(world, 0, world.onset);
    nobody()
}

/// An outage ends, and the retries that it left keep one service down, which was changed meanwhile.
fn retry_storm(world: &mut World) -> Truth {
    let (outage, storm) = (world.value("outage"), world.value("storm"));
    let (from, until) = (world.onset - outage, world.onset);
    for service in 0..world.services.len() {
        let severity = world.value("severity");
        let mut effect = world.hurt(service, severity, from);
        effect.until = if service == 0 { until + storm } else { until };
        world.effects.push(effect);
    }
    let landed = from + world.random.between(0.1, 0.9) * outage;
    world.deploy(0, landed);
    nobody()
}

/// A change that no policy owns broke several services; one of them had a change of its own at about the same time.
fn unmapped_guilty(world: &mut World) -> Truth {
    let landing = innocent_deploy_just_before(world);
    let at = world.landings[landing].at + world.random.between(-20.0, 60.0);
    world.land_unmapped(at.min(world.onset - 5.0));
    for service in 0..(3 + world.random.below(3)).min(world.services.len()) {
        let late = world.random.between(0.0, 10.0);
        fault(world, service, world.onset + late);
    }
    nobody()
}

/// A fault of one service while its neighbours are changed all the time.
fn neighbour_busy(world: &mut World) -> Truth {
    let gap = world.value("gap");
    let mut time = world.onset - gap;
    for _ in 0..2 + world.random.below(4) {
        let neighbour = 1 + world.random.below(world.services.len() - 1);
        world.deploy(neighbour, time);
        time -= world.random.exponential(120.0) + 10.0;
    }
    fault(world, 0, world.onset);
    nobody()
}

/// A job that runs at the same hour every day is too much for one service, which was changed shortly before.
fn nightly_job(world: &mut World) -> Truth {
    innocent_deploy_just_before(world);
    let (severity, long, late) = (world.value("severity"), world.value("long"), world.value("late"));
    world.days = TWO_DAYS;
    for from in [world.onset, world.onset + TWO_DAYS[0] + late] {
        let effect = world.hurt(0, severity, from);
        world.effects.push(Effect { ramp: 15.0, until: from + long, ..effect });
    }
    nobody()
}

/// A fault so soon after an innocent change of the same service that nothing in the file can tell.
fn coincidence(world: &mut World) -> Truth {
    independent_fault(world)
}
