//! Nothing is the matter.

use super::{Row, Truth, nobody};
use crate::world::World;

pub const ARCHETYPES: &[Row] = &[("healthyDay", "", healthy_day), ("noisyDay", "", healthy_day), ("diurnal", "", diurnal)];

/// Changes land, and all is well.
fn healthy_day(world: &mut World) -> Truth {
    for _ in 0..1 + world.random.below(4) {
        let at = world.random.between(600.0, world.end - 600.0);
        world.deploy(0, at);
    }
    nobody()
}

/// The load follows the hour, and the latency the load.
fn diurnal(world: &mut World) -> Truth {
    world.swing = world.value("swing");
    healthy_day(world)
}
