//! What was seen of a world: probes that sample its truth, an agent that polls, and the lines that are written down of it.

use serde_json::{Value, json};

use crate::world::{Change, Measured, Service, Sync, Targets, World};

/// How a service does at one moment.
struct State {
    errors: f64,
    latency: f64,
    traffic: f64,
    silence: f64,
    why: &'static str,
    targets: Targets,
}

impl World {
    /// Writes the incident down as it was seen.
    pub fn observe(mut self, id: &str, guilty: &[String], action: &str) -> Value {
        let mut rounds = Vec::new();
        let (noise, correlation, latency_noise) = (self.value("noise"), self.value("correlation"), self.value("latencyNoise"));
        for &day in self.days {
            let another = self.chance_of_another_day();
            let of_the_story = (day < 0.0).then(|| std::mem::replace(&mut self.random, another));
            for service in 0..self.services.len() {
                let measured = self.services[service].measured;
                if matches!(measured, Measured::Probe | Measured::ProbeAndCounts) {
                    self.probe(service, day, &mut rounds);
                }
                if measured != Measured::Probe {
                    self.count(service, day, noise, correlation, &mut rounds);
                }
                if measured == Measured::CountsAndLatency {
                    self.latencies(service, day, latency_noise, correlation, &mut rounds);
                }
            }
            if let Some(random) = of_the_story {
                self.random = random;
            }
        }
        let controls = self.answers();
        let landings = self.seen_landings();
        let policies: Vec<Value> = self.services.iter().map(|service| service.policy(&self.services)).collect();
        json!({
            "id": id,
            "now": self.moment(self.end),
            "policies": policies,
            "landings": landings,
            "rounds": rounds,
            "controls": controls,
            "history": self.history,
            "expected": {"action": action, "suspects": guilty},
        })
    }

    /// A request each half minute.
    fn probe(&mut self, service: usize, day: f64, rounds: &mut Vec<Value>) {
        let name = self.services[service].name.clone();
        for number in 1..(self.end / 30.0) as usize {
            let time = day + number as f64 * 30.0;
            let state = self.state(service, time, 0.0);
            let (start, end) = (self.moment(time) - 200, self.moment(time));
            let mut round = json!({"policy": name, "slo": "probe", "start": start, "end": end});
            // A metrics server that fails or is late says nothing about a probe.
            let silent = if matches!(state.why, "error" | "stale") { 0.0 } else { state.silence };
            if self.random.chance(silent) {
                round["good"] = Value::Null;
                round["why"] = "unreachable".into();
            } else {
                round["good"] = (!self.random.chance(state.errors)).into();
            }
            rounds.push(round);
        }
    }

    /// Events of each minute. Their rate of failure wanders (an autoregressive process of first order).
    fn count(&mut self, service: usize, day: f64, noise: f64, correlation: f64, rounds: &mut Vec<Value>) {
        let name = self.services[service].name.clone();
        let mut wobble = 0.0;
        for number in 1..(self.end / 60.0) as usize {
            let time = day + number as f64 * 60.0;
            wobble = correlation * wobble + noise * (1.0 - correlation * correlation).sqrt() * self.random.normal();
            // What happens within the minute is seen as its mean, by quarters.
            let (mut total, mut bad, mut silence, mut why, mut targets) = (0.0, 0.0, 0.0, "empty", Targets::Up);
            for quarter in 0..4 {
                let state = self.state(service, time - 60.0 + 7.5 + 15.0 * f64::from(quarter), wobble);
                let events = self.random.poisson(state.traffic * 15.0);
                bad += self.random.binomial(events, state.errors);
                total += events;
                (silence, why, targets) = (state.silence, state.why, state.targets);
            }
            let mut round = json!({"policy": name, "slo": "errors", "start": self.moment(time - 60.0), "end": self.moment(time)});
            if self.random.chance(silence) {
                round["good"] = Value::Null;
                round["why"] = why.into();
                round["targetsScraped"] = (targets == Targets::Up).into();
            } else {
                round["good"] = (total - bad).into();
                round["total"] = total.into();
            }
            rounds.push(round);
        }
    }

    /// A latency each half minute; it wanders as well.
    fn latencies(&mut self, service: usize, day: f64, noise: f64, correlation: f64, rounds: &mut Vec<Value>) {
        let name = self.services[service].name.clone();
        let mut wobble = 0.0;
        for number in 1..(self.end / 30.0) as usize {
            let time = day + number as f64 * 30.0;
            wobble = correlation * wobble + noise * (1.0 - correlation * correlation).sqrt() * self.random.normal();
            let state = self.state(service, time - 15.0, 0.0);
            let mut round = json!({"policy": name, "slo": "latency", "start": self.moment(time - 30.0), "end": self.moment(time)});
            if self.random.chance(state.silence) {
                round["value"] = Value::Null;
                round["why"] = state.why.into();
                round["targetsScraped"] = (state.targets == Targets::Up).into();
            } else {
                round["value"] = ((state.latency * wobble.exp() * 1e5).round() / 1e5).into();
            }
            rounds.push(round);
        }
    }

    /// What the controls answered.
    fn answers(&mut self) -> Vec<Value> {
        let names = ["forge", "status-page", "metrics"];
        let mut answers = Vec::new();
        for (control, name) in names.iter().enumerate().take(self.controls) {
            for number in 1..(self.end / 30.0) as usize {
                let time = number as f64 * 30.0;
                let cut = self
                    .cut_off
                    .iter()
                    .any(|(from, until, share)| time >= *from && time < *until && (control as f64) < (share * self.controls as f64).ceil());
                let lost = self.random.chance(0.00005);
                let good = if cut || lost { Value::Null } else { true.into() };
                answers.push(json!({"name": name, "start": self.moment(time) - 200, "end": self.moment(time), "good": good}));
            }
        }
        answers
    }

    /// The landings as the agent saw them, one after another: what is seen was not there at the poll before.
    fn seen_landings(&mut self) -> Vec<Value> {
        let mut order: Vec<usize> = (0..self.landings.len()).collect();
        order.sort_by(|one, other| self.landings[*one].at.total_cmp(&self.landings[*other].at));
        let mut polled = f64::NEG_INFINITY;
        let mut seen = Vec::new();
        for number in order {
            let (poll, at) = (self.value("poll"), self.landings[number].at);
            let before = (at - self.random.between(0.0, poll)).max(polled);
            polled = (before + poll).max(at).max(polled + 1.0);
            seen.push(self.landing(number, before, polled, poll));
        }
        seen
    }

    /// A landing that two polls lie round.
    fn landing(&mut self, number: usize, before: f64, after: f64, poll: f64) -> Value {
        let (applied, effective) = (self.applied(number), self.effective(number));
        let noticed = self.random.between(1.0, poll);
        let landing = &self.landings[number];
        let mut facts = serde_json::Map::new();
        let mut touched: Vec<usize> = landing.changes.iter().flat_map(|change| change.touches.clone()).collect();
        touched.sort_unstable();
        touched.dedup();
        for service in touched {
            let (earliest, latest) = (self.moment(applied - 1.0), self.moment(applied + noticed));
            let fact = match landing.sync {
                Sync::Applied => {
                    json!({"earliest": earliest, "latest": latest, "attempted": earliest, "effective": self.moment(effective).max(latest)})
                }
                Sync::Paused => continue,
                Sync::Failed => json!({"earliest": earliest, "latest": latest, "attempted": earliest, "state": "failed"}),
            };
            facts.insert(format!("{}/default", self.services[service].name), fact);
        }
        let changes: Vec<Value> = landing.changes.iter().map(Change::written).collect();
        let earliest = if landing.bounded { json!(self.moment(before)) } else { Value::Null };
        json!({"branch": "main", "earliest": earliest, "latest": self.moment(after), "kind": landing.kind, "applied": facts, "changes": changes})
    }

    fn state(&self, service: usize, time: f64, wobble: f64) -> State {
        let it = &self.services[service];
        let day = (std::f64::consts::TAU * (time + self.phase) / 86_400.0).sin();
        let mut state = State {
            errors: (it.base_error * wobble.exp()).min(0.5),
            latency: it.latency * (1.0 + 0.5 * self.swing * day),
            traffic: it.rate * (1.0 + self.swing * day),
            silence: 0.0,
            why: "empty",
            targets: Targets::Up,
        };
        for effect in self.effects.iter().filter(|effect| effect.service == service) {
            let level = effect.level(time);
            if level > 0.0 {
                state.errors = 1.0 - (1.0 - state.errors) * (1.0 - effect.errors * level);
                state.latency *= 1.0 + (effect.latency - 1.0) * level;
                state.traffic *= 1.0 + (effect.traffic - 1.0) * level;
                if effect.silence * level > state.silence {
                    state.silence = effect.silence * level;
                    (state.why, state.targets) = (effect.why, effect.targets);
                }
            }
        }
        state
    }
}

impl Change {
    fn written(&self) -> Value {
        let mut change = json!({
            "commit": self.commit,
            "author": "Robin",
            "subject": "Change",
            "paths": self.paths,
        });
        if let (Some(change), Some(more)) = (change.as_object_mut(), self.more.as_object()) {
            change.extend(more.clone());
        }
        change
    }
}

impl Service {
    /// The policy of the service, as its team would write it.
    fn policy(&self, all: &[Self]) -> Value {
        let mut slos = Vec::new();
        if matches!(self.measured, Measured::Probe | Measured::ProbeAndCounts) {
            slos.push(json!({
                "name": "probe",
                "indicator": {"http": {"url": format!("https://{}.shop.example/journey", self.name), "every": "30s", "unreachable": "unknown"}},
                "alerts": [{"failing": {"count": 3, "of": 5}}],
            }));
        }
        if self.measured != Measured::Probe {
            let mut prometheus = json!({"server": "main", "every": "1m", "good": "sum(increase(good[$window]))",
                "total": "sum(increase(total[$window]))", "freshness": "total"});
            if self.names_targets {
                prometheus["targets"] = format!("up{{app=\"{}\"}}", self.name).into();
            }
            slos.push(json!({
                "name": "errors",
                "indicator": {"prometheus": prometheus},
                "objective": {"target": self.target},
                "alerts": [{"burnRate": {"factor": 14.4, "long": "1h", "short": "5m", "sinceChange": true}, "minEvents": 100}],
            }));
        }
        if self.measured == Measured::CountsAndLatency {
            slos.push(json!({
                "name": "latency",
                "indicator": {"prometheus": {"server": "main", "every": "30s", "query": "p95", "freshness": "total"}},
                "objective": {"max": (self.latency * self.headroom * 1e5).round() / 1e5},
                "alerts": [{"failing": {"count": 3, "of": 5}}],
            }));
        }
        json!({
            "apiVersion": "revertd.dev/v1alpha1",
            "kind": "RevertPolicy",
            "metadata": {"name": self.name},
            "spec": {
                "repository": "manifests",
                "paths": [format!("apps/{}/**", self.name)],
                "dependsOn": self.depends_on.iter().map(|needed| all[*needed].name.clone()).collect::<Vec<_>>(),
                "slos": slos,
                "revert": {"mode": "merge"},
            },
        })
    }
}
