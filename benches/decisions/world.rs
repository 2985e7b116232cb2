//! The small world beneath an incident: services with a true error rate and latency, a stream of landings, a sync tool, probes that sample.
//!
//! The truth is here: which effect a change has, when it begins, what else happens. Probes see only samples of it. What is written out is
//! JSON of the form that `revertd judge` reads; nothing of the engine is used or known here.

use serde_json::{Value, json};

use crate::random::Random;
use crate::ranges::Draw;

/// One world, in seconds from its start.
pub struct World {
    /// Where all chance comes from.
    pub random: Random,
    /// Where parameters come from.
    pub draw: Draw,
    /// The services; the first is the one that the story is about.
    pub services: Vec<Service>,
    /// What landed.
    pub landings: Vec<Landing>,
    /// What is the matter, and where.
    pub effects: Vec<Effect>,
    /// When no control answers: from, until, and the share of controls.
    pub cut_off: Vec<(f64, f64, f64)>,
    /// What was done before.
    pub history: Vec<Value>,
    /// When the story begins.
    pub onset: f64,
    /// When the world ends.
    pub end: f64,
    /// How many controls there are.
    pub controls: usize,
    /// How much of the load follows the hour.
    pub swing: f64,
    /// The days of which there are rounds, by the second in which each begins: one agent in three has kept those of the day before.
    pub days: &'static [f64],
    epoch: i64,
    /// How far into the day the world begins, in seconds.
    pub phase: f64,
}

/// How a service is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// A request every 30 s.
    Probe,
    /// Good and total events each minute.
    Counts,
    /// Both.
    ProbeAndCounts,
    /// Events, and a latency every 30 s.
    CountsAndLatency,
}

/// The day of the story.
const TODAY: &[f64] = &[0.0];
/// That one and the day before, at the same hours.
pub const TWO_DAYS: &[f64] = &[-86_400.0, 0.0];

/// One service.
pub struct Service {
    /// Its name, which is its policy's.
    pub name: String,
    /// How it is measured.
    pub measured: Measured,
    /// The share of requests that fail on a good day.
    pub base_error: f64,
    /// Requests in a second.
    pub rate: f64,
    /// Its 95th percentile on a good day, in seconds.
    pub latency: f64,
    /// How much worse the latency may be.
    pub headroom: f64,
    /// The share of requests that shall succeed.
    pub target: f64,
    /// Whether its policy says which targets are its own.
    pub names_targets: bool,
    /// The services that it says it needs.
    pub depends_on: Vec<usize>,
}

/// One move of the branch, with one sync.
pub struct Landing {
    /// When it really landed.
    pub at: f64,
    /// How long the sync tool takes.
    pub delay: f64,
    /// How long the rollout takes.
    pub rollout: f64,
    /// Whether it was applied.
    pub sync: Sync,
    /// `normal`, `foxtrot` or `rewritten`.
    pub kind: &'static str,
    /// Whether it is known when it landed.
    pub bounded: bool,
    /// Its commits.
    pub changes: Vec<Change>,
}

/// What the sync tool did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// It applied it.
    Applied,
    /// It is paused.
    Paused,
    /// It tried and failed.
    Failed,
}

/// One commit.
#[derive(Clone)]
pub struct Change {
    /// Its id.
    pub commit: String,
    /// The services whose paths it touches.
    pub touches: Vec<usize>,
    /// Paths beyond those of the services.
    pub paths: Vec<String>,
    /// Further keys of the change, as they are written.
    pub more: Value,
}

/// Something that changes how a service does.
#[derive(Clone)]
pub struct Effect {
    /// Which service.
    pub service: usize,
    /// When it begins.
    pub from: f64,
    /// When it is over.
    pub until: f64,
    /// How long it takes to be in full force.
    pub ramp: f64,
    /// Requests that fail because of it, as a share.
    pub errors: f64,
    /// The latency is this many times as high.
    pub latency: f64,
    /// There are this many times as many requests.
    pub traffic: f64,
    /// Rounds that measure nothing because of it, as a share.
    pub silence: f64,
    /// What such a round says.
    pub why: &'static str,
    /// Whether the metrics server reaches the service's targets meanwhile.
    pub targets: Targets,
}

/// Whether the metrics server reaches a service's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// It does, or the question is not asked.
    Up,
    /// It reaches none.
    Down,
}

impl Effect {
    /// Nothing, from a time on.
    pub fn at(service: usize, from: f64) -> Self {
        Self {
            service,
            from,
            until: f64::INFINITY,
            ramp: 1.0,
            errors: 0.0,
            latency: 1.0,
            traffic: 1.0,
            silence: 0.0,
            why: "empty",
            targets: Targets::Up,
        }
    }

    /// How much of it there is at a time, from 0 to 1.
    pub fn level(&self, time: f64) -> f64 {
        if time < self.from || time >= self.until { 0.0 } else { ((time - self.from) / self.ramp.max(1.0)).min(1.0) }
    }
}

impl World {
    /// A world on a good day: services, and commits of other services now and then.
    pub fn new(mut random: Random, draw: Draw) -> Self {
        let before = draw.value(&mut random, "before");
        let end = before + draw.value(&mut random, "after");
        let count = draw.value(&mut random, "services") as usize;
        let services = (0..count).map(|number| Service::new(number, &mut random, &draw)).collect();
        let controls = if random.chance(0.75) { 1 + random.below(3) } else { 0 };
        // A whole number of half minutes, somewhere in two years.
        let epoch = (1_760_000_000 + random.below(60_000_000) as i64) / 30 * 30 * 1000;
        let phase = random.between(0.0, 86_400.0);
        let mut world = Self {
            random,
            draw,
            services,
            landings: Vec::new(),
            effects: Vec::new(),
            cut_off: Vec::new(),
            history: Vec::new(),
            onset: before,
            end,
            controls,
            swing: 0.15,
            days: if epoch / 60_000 % 3 == 0 { TWO_DAYS } else { TODAY },
            epoch,
            phase,
        };
        // One team in two knows what its targets are.
        for (number, service) in world.services.iter_mut().enumerate() {
            service.names_targets = (epoch / 30_000 + number as i64) % 2 == 0;
        }
        world.dependencies();
        world.background();
        world
    }

    /// A parameter of this archetype.
    pub fn value(&mut self, name: &str) -> f64 {
        self.draw.value(&mut self.random, name)
    }

    /// Services need one another now and then; half of that is written down. The first service needs none unless a story says so.
    fn dependencies(&mut self) {
        for service in 2..self.services.len() {
            if self.random.chance(0.25) {
                let needed = 1 + self.random.below(service - 1);
                self.services[service].depends_on.push(needed);
            }
        }
    }

    /// Innocent commits of other services, and now and then one of no service.
    fn background(&mut self) {
        let gap = self.value("backgroundGap");
        let mut time = self.random.exponential(gap);
        while time < self.end {
            if self.random.chance(0.06) {
                self.land_unmapped(time);
            } else {
                let service = 1 + self.random.below(self.services.len() - 1);
                self.deploy(service, time);
            }
            time += self.random.exponential(gap).max(5.0);
        }
    }

    /// An innocent change of a service; gives the place of its landing.
    pub fn deploy(&mut self, service: usize, at: f64) -> usize {
        let change = self.change(&[service]);
        self.land(at, vec![change])
    }

    /// A change that belongs to no service.
    pub fn land_unmapped(&mut self, at: f64) -> usize {
        let mut change = self.change(&[]);
        let paths = ["README.md", "docs/runbook.md", "ci/lint.yaml", "infrastructure/ingress/values.yaml"];
        change.paths.push(paths[self.random.below(paths.len())].to_owned());
        self.land(at, vec![change])
    }

    /// A landing of some changes.
    pub fn land(&mut self, at: f64, changes: Vec<Change>) -> usize {
        let delay = self.value("applyDelay");
        self.land_with(at, delay, changes)
    }

    /// A landing that is applied at a time.
    pub fn land_applied(&mut self, applied: f64, changes: Vec<Change>) -> usize {
        let delay = self.value("applyDelay");
        self.land_with(applied - delay, delay, changes)
    }

    /// Each rollout may hurt a little while it lasts.
    fn land_with(&mut self, at: f64, delay: f64, changes: Vec<Change>) -> usize {
        let rollout = self.value("rollout");
        for service in changes.iter().flat_map(|change| change.touches.clone()).collect::<Vec<_>>() {
            if self.random.chance(0.4) {
                let errors = self.value("blip");
                let from = at + delay;
                self.effects.push(Effect { until: from + rollout, errors, ..Effect::at(service, from) });
            }
        }
        self.landings.push(Landing { at, delay, rollout, sync: Sync::Applied, kind: "normal", bounded: true, changes });
        self.landings.len() - 1
    }

    /// A commit that touches some services.
    pub fn change(&mut self, services: &[usize]) -> Change {
        let paths = services
            .iter()
            .map(|service| {
                let files = ["deployment.yaml", "deployment.yaml", "config.yaml", "values.yaml", "hpa.yaml"];
                format!("apps/{}/{}", self.services[*service].name, files[self.random.below(files.len())])
            })
            .collect();
        Change { commit: self.random.object_id(), touches: services.to_vec(), paths, more: json!({}) }
    }

    /// When a landing was applied.
    pub fn applied(&self, landing: usize) -> f64 {
        self.landings[landing].at + self.landings[landing].delay
    }

    /// When a landing was rolled out completely.
    pub fn effective(&self, landing: usize) -> f64 {
        self.applied(landing) + self.landings[landing].rollout
    }

    /// What is bad enough for this service to be seen by how it is measured, from 0 (just) to 1 (everything fails).
    pub fn hurt(&mut self, service: usize, severity: f64, from: f64) -> Effect {
        let it = &self.services[service];
        let noticed = 14.4 * (1.0 - it.target);
        let least = match it.measured {
            Measured::Probe => 0.65,
            Measured::Counts | Measured::CountsAndLatency => (noticed * 2.5).min(0.8),
            Measured::ProbeAndCounts => (noticed * 4.0).min(0.6),
        };
        let latency = if it.measured == Measured::CountsAndLatency { 1.0 + severity * 2.0 } else { 1.0 };
        Effect { errors: least + (1.0 - least) * severity, latency, ..Effect::at(service, from) }
    }

    /// A source of chance for the day before, so that having its rounds changes nothing of the story.
    pub fn chance_of_another_day(&self) -> Random {
        Random::new(self.epoch.unsigned_abs(), 1)
    }

    /// A time of the world in Unix milliseconds, as it is written.
    pub fn moment(&self, time: f64) -> i64 {
        self.epoch + (time * 1000.0) as i64
    }
}

impl Service {
    fn new(number: usize, random: &mut Random, draw: &Draw) -> Self {
        let names = [
            "checkout",
            "payments",
            "search",
            "cart",
            "catalogue",
            "login",
            "profile",
            "shipping",
            "stock",
            "mail",
            "prices",
            "images",
            "reviews",
        ];
        let measured = match random.below(20) {
            0..3 => Measured::Probe,
            3..7 => Measured::Counts,
            7..14 => Measured::ProbeAndCounts,
            _ => Measured::CountsAndLatency,
        };
        Self {
            name: names[number % names.len()].to_owned(),
            measured,
            base_error: draw.value(random, "baseError"),
            rate: draw.value(random, "rate"),
            latency: random.between(0.05, 0.4),
            headroom: draw.value(random, "headroom"),
            target: if random.chance(0.7) { 0.999 } else { 0.995 },
            names_targets: false,
            depends_on: Vec::new(),
        }
    }
}
