//! The rules that others use, written from their documentation, over the very same lines.
//!
//! | rule | what it does | swept |
//! |---|---|---|
//! | Flagger | after each rollout, ten checks a minute apart; a check fails when the success rate of the minute is under 99 %, the latency is over its limit, or there is no value; at `failedChecks >= threshold` it rolls back | `threshold` (1 by default) |
//! | Argo Rollouts | after each rollout, ten measurements a minute apart, successful from a rate of 95 % on; it aborts at `failed > failureLimit`, and when more than four errors came in a row, which are tried again every 10 s | `failureLimit` (0 by default) |
//! | newest commit | that many bad rounds in a row of any SLO: the newest commit of the service did it | rounds |
//! | burn rate | `factor × (1 − target)` exceeded over 1 h and 5 min (Google SRE workbook, chapter 5): the newest commit of the service did it | factor (14.4) |
//!
//! The last two are given more than their documentation gives them: the newest commit *of the service*, not of the repository.

use serde_json::Value;

/// A rule with the values that its threshold is swept over.
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What is swept.
    pub threshold: &'static str,
    /// The values, the default first.
    pub sweep: &'static [f64],
    decide: fn(&Seen, usize, f64) -> Option<(i64, usize)>,
}

/// Every rule.
pub const RULES: &[Rule] = &[
    Rule { name: "Flagger", threshold: "threshold", sweep: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0], decide: flagger },
    Rule { name: "Argo Rollouts", threshold: "failureLimit", sweep: &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 9.0], decide: argo },
    Rule { name: "newest commit is guilty", threshold: "bad rounds", sweep: &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0], decide: newest },
    Rule {
        name: "burn rate, newest commit",
        threshold: "factor",
        sweep: &[14.4, 1.0, 3.0, 6.0, 20.0, 36.0, 60.0, 100.0],
        decide: burn_rate,
    },
];

/// Checks after a rollout, and the time from one to the next in milliseconds.
const CHECKS: i64 = 10;
const MINUTE: i64 = 60_000;

/// An incident as the rules see it.
pub struct Seen {
    services: Vec<Service>,
    landings: Vec<Landing>,
}

struct Service {
    series: Vec<Series>,
}

struct Series {
    target: f64,
    max: Option<f64>,
    rounds: Vec<Round>,
}

#[derive(Clone, Copy)]
struct Round {
    start: i64,
    end: i64,
    found: Found,
}

#[derive(Clone, Copy)]
enum Found {
    Events { bad: f64, total: f64 },
    Value(f64),
    Nothing,
}

struct Landing {
    latest: i64,
    /// Whose it is, when it was applied there, and the commit.
    of: Vec<(usize, i64, String)>,
    services: Vec<(usize, String)>,
}

impl Rule {
    /// The first thing that the rule does: when, and which commit it takes back.
    pub fn judge(&self, seen: &Seen, threshold: f64) -> Option<(i64, String)> {
        let first = (0..seen.services.len()).filter_map(|service| Some((service, (self.decide)(seen, service, threshold)?)));
        let (service, (at, landing)) = first.min_by_key(|(_, (at, _))| *at)?;
        let landing = &seen.landings[landing];
        let commit = landing.services.iter().rev().find(|(touched, _)| *touched == service)?.1.clone();
        Some((at, commit))
    }
}

impl Seen {
    /// Reads a line.
    pub fn of(case: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let policies = list(&case["policies"]);
        let names: Vec<&str> = policies.iter().map(|policy| policy["metadata"]["name"].as_str().unwrap_or_default()).collect();
        let mut services: Vec<Service> = policies
            .iter()
            .map(|policy| Service {
                series: list(&policy["spec"]["slos"])
                    .iter()
                    .map(|slo| Series {
                        target: slo["objective"]["target"].as_f64().unwrap_or(0.99),
                        max: slo["objective"]["max"].as_f64(),
                        rounds: Vec::new(),
                    })
                    .collect(),
            })
            .collect();
        let slos: Vec<Vec<String>> = policies
            .iter()
            .map(|policy| list(&policy["spec"]["slos"]).iter().map(|slo| slo["name"].as_str().unwrap_or_default().to_owned()).collect())
            .collect();
        for round in case["rounds"].as_array().into_iter().flatten() {
            let Some(service) = names.iter().position(|name| round["policy"] == **name) else { continue };
            let Some(series) = slos[service].iter().position(|slo| round["slo"] == **slo) else { continue };
            services[service].series[series].rounds.push(Round::of(round));
        }
        Self { services, landings: list(&case["landings"]).iter().map(|landing| Landing::of(landing, &names)).collect() }
    }

    /// The newest landing of a service that is known at a time.
    fn newest(&self, service: usize, at: i64) -> Option<usize> {
        let of_it = |landing: &&Landing| landing.latest <= at && landing.services.iter().any(|(touched, _)| *touched == service);
        self.landings.iter().rposition(|landing| of_it(&landing))
    }

    /// The rollouts of a service: when each was applied, and which landing it is.
    fn rollouts(&self, service: usize) -> Vec<(i64, usize)> {
        let mut rollouts: Vec<(i64, usize)> = self
            .landings
            .iter()
            .enumerate()
            .filter_map(|(number, landing)| Some((landing.of.iter().find(|(touched, ..)| *touched == service)?.1, number)))
            .collect();
        rollouts.sort_unstable();
        rollouts
    }
}

impl Round {
    fn of(round: &Value) -> Self {
        let found = match (&round["good"], round["total"].as_f64(), round["value"].as_f64()) {
            (Value::Bool(good), ..) => Found::Events { bad: f64::from(u8::from(!good)), total: 1.0 },
            (Value::Number(good), Some(total), _) => Found::Events { bad: total - good.as_f64().unwrap_or_default(), total },
            (.., Some(value)) => Found::Value(value),
            _ => Found::Nothing,
        };
        Self { start: round["start"].as_i64().unwrap_or_default(), end: round["end"].as_i64().unwrap_or_default(), found }
    }
}

impl Landing {
    fn of(landing: &Value, names: &[&str]) -> Self {
        let mut services = Vec::new();
        for change in landing["changes"].as_array().into_iter().flatten() {
            for (service, name) in names.iter().enumerate() {
                let prefix = format!("apps/{name}/");
                let by_path = change["paths"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|path| path.as_str().is_some_and(|path| path.starts_with(&prefix)));
                let by_base = change["services"].as_array().into_iter().flatten().any(|owned| owned == name);
                if by_path || by_base {
                    services.push((service, change["commit"].as_str().unwrap_or_default().to_owned()));
                }
            }
        }
        let of = services
            .iter()
            .filter_map(|(service, commit)| {
                let applied = &landing["applied"][format!("{}/default", names[*service])];
                let state = applied["state"].as_str().unwrap_or("applied");
                (state == "applied").then_some((*service, applied["latest"].as_i64()?, commit.clone()))
            })
            .collect();
        Self { latest: landing["latest"].as_i64().unwrap_or_default(), of, services }
    }
}

/// What a minute of one series shows: whether its rate of success or its latency is good enough; `None` without a value.
fn minute(series: &Series, from: i64, success: f64) -> Option<bool> {
    let (mut bad, mut total, mut worst) = (0.0, 0.0, None);
    let begin = series.rounds.partition_point(|round| round.end <= from);
    for round in series.rounds[begin..].iter().take_while(|round| round.end <= from + MINUTE) {
        match round.found {
            Found::Events { bad: failed, total: all } => (bad, total) = (bad + failed, total + all),
            Found::Value(value) => worst = Some(f64::max(value, worst.unwrap_or(0.0))),
            Found::Nothing => {}
        }
    }
    match (worst, series.max) {
        (Some(worst), Some(max)) => Some(worst <= max),
        _ if total > 0.0 => Some(1.0 - bad / total >= success),
        _ => None,
    }
}

/// Takes what a minute showed of each SLO, and says whether the rollout is over.
type Steps = Box<dyn FnMut(&[Option<bool>]) -> bool>;

/// Checks a rollout of a service minute by minute until the next one begins; gives the time at which `step` says that it is over.
fn analysis(seen: &Seen, service: usize, mut start: impl FnMut() -> Steps, success: f64) -> Option<(i64, usize)> {
    let rollouts = seen.rollouts(service);
    for (number, (applied, landing)) in rollouts.iter().enumerate() {
        let mut step = start();
        let next = rollouts.get(number + 1).map_or(i64::MAX, |(applied, _)| *applied);
        for check in 0..CHECKS {
            let end = applied + (check + 1) * MINUTE;
            let last =
                seen.services[service].series.iter().filter_map(|series| series.rounds.last()).map(|round| round.end).max().unwrap_or(0);
            if end >= next || end > last {
                break;
            }
            let found: Vec<Option<bool>> =
                seen.services[service].series.iter().map(|series| minute(series, end - MINUTE, success)).collect();
            if step(&found) {
                return Some((end, *landing));
            }
        }
    }
    None
}

fn flagger(seen: &Seen, service: usize, threshold: f64) -> Option<(i64, usize)> {
    let start = || -> Steps {
        let mut failed = 0.0;
        Box::new(move |found| {
            failed += f64::from(u8::from(found.iter().any(|check| *check != Some(true))));
            failed >= threshold
        })
    };
    analysis(seen, service, start, 0.99)
}

fn argo(seen: &Seen, service: usize, limit: f64) -> Option<(i64, usize)> {
    let start = || -> Steps {
        let mut failed: Vec<f64> = Vec::new();
        Box::new(move |found| {
            failed.resize(found.len(), 0.0);
            for (failed, check) in failed.iter_mut().zip(found) {
                *failed += f64::from(u8::from(*check == Some(false)));
            }
            // A minute without a value is six errors, one every 10 s, and the limit is four in a row.
            failed.iter().any(|failed| *failed > limit) || found.iter().any(Option::is_none)
        })
    };
    analysis(seen, service, start, 0.95)
}

fn newest(seen: &Seen, service: usize, rounds: f64) -> Option<(i64, usize)> {
    let breach = |series: &Series| {
        let mut row = 0.0;
        series.rounds.iter().find_map(|round| {
            let bad = match round.found {
                Found::Events { bad, total } => total > 0.0 && bad / total > 0.01,
                Found::Value(value) => series.max.is_some_and(|max| value > max),
                Found::Nothing => return None,
            };
            row = if bad { row + 1.0 } else { 0.0 };
            // Without a commit to blame the alert fires for nothing, and fires again.
            (row >= rounds).then(|| Some((round.end, seen.newest(service, round.end)?))).flatten()
        })
    };
    seen.services[service].series.iter().filter_map(breach).min()
}

fn burn_rate(seen: &Seen, service: usize, factor: f64) -> Option<(i64, usize)> {
    let fires = |series: &Series| {
        let limit = factor * (1.0 - series.target);
        // Sums up to each round, so that a window is a difference.
        let mut sums = vec![(0.0, 0.0)];
        for round in &series.rounds {
            let (bad, total) = match round.found {
                Found::Events { bad, total } => (bad, total),
                Found::Value(value) => (f64::from(u8::from(series.max.is_some_and(|max| value > max))), 1.0),
                Found::Nothing => (0.0, 0.0),
            };
            let (sum_bad, sum_total) = sums[sums.len() - 1];
            sums.push((sum_bad + bad, sum_total + total));
        }
        (0..series.rounds.len()).find_map(|number| {
            let end = series.rounds[number].end;
            let over = |window: i64| {
                let first = series.rounds.partition_point(|round| round.start < end - window);
                let (bad, total) = (sums[number + 1].0 - sums[first].0, sums[number + 1].1 - sums[first].1);
                total > 0.0 && bad / total > limit
            };
            (over(60 * MINUTE) && over(5 * MINUTE)).then(|| Some((end, seen.newest(service, end)?))).flatten()
        })
    };
    seen.services[service].series.iter().filter_map(fires).min()
}
