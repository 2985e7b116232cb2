//! What can happen, each as a function that changes a world and says the truth about it.
//!
//! The labels come from the world: which change has the effect, and whether undoing exactly it, without a person looking, would have been
//! right. No label is made from what was measured.

mod care;
mod evidence;
mod guilty;
mod people;
mod quiet;
mod weather;

use crate::world::{Effect, World};

/// What is true of an incident.
pub struct Truth {
    /// The commits that did it; none where no commit did.
    pub guilty: Vec<String>,
    /// The most that would be right to do.
    pub right: Right,
}

/// The most that would be right to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Nothing.
    Nothing,
    /// Ask a person to undo the guilty commit.
    Propose,
    /// Undo it.
    Merge,
}

impl Right {
    /// As it is written in the file.
    pub fn label(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Propose => "propose",
            Self::Merge => "merge",
        }
    }
}

/// A kind of incident.
pub struct Archetype {
    /// Its name, as in `ranges`.
    pub name: &'static str,
    /// The entry of the failure catalogue that it stands for, where there is one.
    pub id: &'static str,
    /// Changes a world on a good day.
    pub build: fn(&mut World) -> Truth,
    /// Whether it counts in the sums.
    pub counted: Counted,
}

/// Whether an archetype counts in the sums.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It does.
    Yes,
    /// It is shown apart: nothing in the file could tell.
    Apart,
}

/// Every archetype.
pub fn all() -> Vec<Archetype> {
    [guilty::ARCHETYPES, care::ARCHETYPES, people::ARCHETYPES, evidence::ARCHETYPES, weather::ARCHETYPES, quiet::ARCHETYPES]
        .into_iter()
        .flatten()
        .map(|&(name, id, build)| Archetype { name, id, build, counted: if name == "coincidence" { Counted::Apart } else { Counted::Yes } })
        .collect()
}

/// A row of a file's list.
type Row = (&'static str, &'static str, fn(&mut World) -> Truth);

/// Nobody did it.
fn nobody() -> Truth {
    Truth { guilty: Vec::new(), right: Right::Nothing }
}

/// One commit did it, and this is the most that would be right.
fn did_it(commit: String, right: Right) -> Truth {
    Truth { guilty: vec![commit], right }
}

/// The first service is changed so that the effect begins at the onset. Gives the landing's place and its commit.
fn bad_change(world: &mut World, services: &[usize]) -> (usize, String) {
    let change = world.change(services);
    let commit = change.commit.clone();
    let delay = world.value("delay");
    let landing = world.land_applied(world.onset - delay, vec![change]);
    (landing, commit)
}

/// The first service gets worse by what its change did, from the onset on, as its rollout goes on.
fn gets_worse(world: &mut World, landing: usize) {
    let severity = world.value("severity");
    let mut effect = world.hurt(0, severity, world.onset);
    effect.ramp = (world.effective(landing) - world.onset).max(1.0);
    world.effects.push(effect);
}

/// An innocent change of the first service, applied a `gap` before the onset.
fn innocent_deploy_just_before(world: &mut World) -> usize {
    let gap = world.value("gap");
    let change = world.change(&[0]);
    world.land_applied(world.onset - gap, vec![change])
}

/// A fault of one service that no commit has anything to do with.
fn fault(world: &mut World, service: usize, from: f64) {
    let severity = world.value("severity");
    let ramp = world.random.between(1.0, 45.0);
    let effect = world.hurt(service, severity, from);
    world.effects.push(Effect { ramp, ..effect });
}
