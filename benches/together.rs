//! Many policies that breach at once after one change of all of them, beside as many incidents of one policy each.
//!
//! Whoever decides a hundred incidents of one change looks at a hundred services a hundred times. What that may cost is told by the same policies
//! alone: each with its own change, decided one after the other in the same run. The table shows both, and how many times as long it takes
//! to see them together. `--assert` fails where a hundred take over twenty times as long as alone.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a case that cannot be made is a failure, and the table is the result")]

use std::time::Instant;

use revertd::agent::{DecideAt, JudgedAction, judge};
use revertd::config::judge_file::CaseReader;
use serde_json::{Value, json};

const RUNS: usize = 5;
const POLICIES: [usize; 3] = [10, 30, 100];
/// At most so many times as long as the same policies alone.
const LIMIT: f64 = 20.0;

/// One round each ten seconds for an hour; the change is five minutes old.
const NOW: i64 = 1_760_003_600_000;
const EVERY: i64 = 10_000;
const ROUNDS: i64 = 360;
const LANDED: i64 = NOW - 340_000;
/// The first breach; the others begin with the following rounds, one round apart and over again.
const ONSET: i64 = NOW - 300_000;
const ONSETS: i64 = 4;

fn policy(number: usize) -> Value {
    json!({
        "apiVersion": "revertd.dev/v1alpha1",
        "kind": "RevertPolicy",
        "metadata": {"name": format!("service-{number}")},
        "spec": {
            "repository": "manifests",
            "paths": [format!("apps/service-{number}/**")],
            "slos": [{
                "name": "up",
                "indicator": {"http": {"url": format!("https://service-{number}.shop.example/"), "every": "10s"}},
                "objective": {"target": "99.5%"},
            }],
            "revert": {"mode": "merge"},
        },
    })
}

/// A line with these policies, all of which breach after one change of all.
fn line(numbers: std::ops::Range<usize>) -> String {
    let applied: serde_json::Map<String, Value> = numbers
        .clone()
        .map(|number| (format!("service-{number}/default"), json!({"earliest": LANDED + 5_000, "latest": LANDED + 20_000})))
        .collect();
    let paths: Vec<String> = numbers.clone().map(|number| format!("apps/service-{number}/deployment.yaml")).collect();
    let round = |number: usize, place: i64| {
        let end = NOW - (ROUNDS - 1 - place) * EVERY;
        let good = end < ONSET + number as i64 % ONSETS * EVERY;
        json!({"policy": format!("service-{number}"), "slo": "up", "instance": "default", "start": end - 300, "end": end, "good": good})
    };
    let rounds: Vec<Value> = numbers.clone().flat_map(|number| (0..ROUNDS).map(move |place| round(number, place))).collect();
    let control = |place: i64| {
        let end = NOW - (ROUNDS - 1 - place) * EVERY;
        json!({"name": "dns", "start": end - 300, "end": end, "good": true})
    };
    let change =
        json!({"commit": "4d".repeat(20), "author": "Robin", "subject": "Bump the base", "paths": paths, "message": "Bump the base"});
    json!({
        "id": "together",
        "now": NOW,
        "policies": numbers.map(policy).collect::<Vec<_>>(),
        "landings": [{"branch": "main", "earliest": LANDED - 5_000, "latest": LANDED, "applied": applied, "changes": [change]}],
        "rounds": rounds,
        "controls": (0..ROUNDS).map(control).collect::<Vec<_>>(),
    })
    .to_string()
}

/// Milliseconds for deciding these lines, without reading them.
fn timed(lines: &[String]) -> f64 {
    let mut reader = CaseReader::default();
    let cases: Vec<_> = lines.iter().map(|line| reader.read(line).unwrap()).collect();
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            for case in &cases {
                assert!(judge(case, DecideAt::Now).action > JudgedAction::None, "every one of them is pinned on the change");
            }
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

fn main() {
    let asserting = std::env::args().any(|argument| argument == "--assert");
    println!("{:>10} {:>12} {:>12} {:>10}", "policies", "at once ms", "alone ms", "× alone");
    let mut last = 0.0;
    for policies in POLICIES {
        let together = timed(&[line(0..policies)]);
        let alone = timed(&(0..policies).map(|number| line(number..number + 1)).collect::<Vec<_>>());
        last = together / alone;
        println!("{policies:>10} {together:>12.1} {alone:>12.1} {last:>10.1}");
    }
    if asserting {
        assert!(last <= LIMIT, "{} policies at once take over {LIMIT} times as long as alone", POLICIES[POLICIES.len() - 1]);
    }
}
