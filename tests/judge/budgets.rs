//! Budgets hold over any interleaving of three agents (promise 7): each reads the branch, decides from what it read, and pushes by
//! compare-and-swap, while the others do the same between any two of its steps.

use proptest::prelude::*;
use revertd::agent::{DecideAt, JudgedAction, judge};
use revertd::config::judge_file::CaseReader;
use serde_json::{Value, json};

/// The budgets of the policy: how many merges in how many seconds.
const LIMITS: [(usize, i64); 2] = [(1, 3600), (2, 14_400)];

#[derive(Clone, Copy, Debug)]
enum Step {
    Fetch,
    Decide,
    Push,
    Wait(i64),
}

/// One agent: how much of the branch it has read, and when it decided to merge on that.
#[derive(Clone, Copy, Default)]
struct Agent {
    read: usize,
    merges: Option<i64>,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        2 => Just(Step::Fetch),
        3 => Just(Step::Decide),
        3 => Just(Step::Push),
        1 => (60..4000_i64).prop_map(Step::Wait),
    ];
    prop::collection::vec((0..3_usize, step), 20..60)
}

/// A regression at `now` that is merged away where the budgets allow it, by who knows of the merges `seen` (in seconds).
fn decides_to_merge(seen: &[i64], now: i64) -> (JudgedAction, Option<String>) {
    let limits: Vec<Value> = LIMITS.iter().map(|(count, per)| json!({"count": count, "per": format!("{per}s")})).collect();
    let policy = json!({
        "apiVersion": "revertd.dev/v1alpha1", "kind": "RevertPolicy", "metadata": {"name": "a"},
        "spec": {
            "repository": "m", "paths": ["a/**"], "revert": {"mode": "merge"},
            "slos": [{"name": "up", "indicator": {"http": {"url": "http://a/", "unreachable": "unknown"}}}],
            "guardrails": {"cooldown": "0s", "limits": {"merge": limits}},
        },
    });
    let (landed, applied, broke) = ((now - 300) * 1000, (now - 270) * 1000, (now - 260) * 1000);
    let round = |number: i64| {
        let end = (now - 600 + number * 10) * 1000;
        json!({"policy": "a", "slo": "up", "start": end - 1000, "end": end, "good": end < broke})
    };
    let past = |(number, at): (usize, &i64)| json!({"at": at * 1000, "kind": "merged", "policies": ["a"], "suspects": [format!("{:040x}", number + 1)]});
    let case = json!({
        "id": "x", "now": now * 1000, "policies": [policy],
        "landings": [{
            "branch": "main", "earliest": landed - 5000, "latest": landed,
            "applied": {"a/default": {"earliest": applied - 5000, "latest": applied}},
            "changes": [{"commit": "f".repeat(40), "author": "Robin", "subject": "Change", "paths": ["a/deployment.yaml"]}],
        }],
        "rounds": (1..=60).map(round).collect::<Vec<_>>(),
        "history": seen.iter().enumerate().map(past).collect::<Vec<_>>(),
    });
    let answer = judge(&CaseReader::default().read(&case.to_string()).unwrap(), DecideAt::Now);
    (answer.action, answer.refusal)
}

/// When reverts were merged into the branch, in order.
fn play(steps: &[(usize, Step)]) -> Vec<i64> {
    let (mut branch, mut agents, mut now) = (Vec::new(), [Agent::default(); 3], 1_760_000_000);
    for (which, step) in steps {
        now += 1;
        let agent = &mut agents[*which];
        match step {
            Step::Fetch => *agent = Agent { read: branch.len(), merges: None },
            Step::Decide => {
                let (action, _) = decides_to_merge(&branch[..agent.read], now);
                agent.merges = (action == JudgedAction::Merge).then_some(now);
            }
            // The lease names the head that the decision was made from.
            Step::Push => {
                if let Some(at) = agent.merges.take().filter(|_| agent.read == branch.len()) {
                    branch.push(at);
                }
            }
            Step::Wait(seconds) => now += seconds,
        }
    }
    branch
}

#[test]
fn the_budget_alone_says_no() {
    let now = 1_760_000_000;
    assert_eq!(decides_to_merge(&[], now).0, JudgedAction::Merge);
    assert_eq!(decides_to_merge(&[now - 3599], now), (JudgedAction::Propose, Some("mergeBudget".to_owned())));
    assert_eq!(decides_to_merge(&[now - 3600], now).0, JudgedAction::Merge);
    assert_eq!(decides_to_merge(&[now - 9000, now - 3600], now), (JudgedAction::Propose, Some("mergeBudget".to_owned())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn budgets_hold_over_any_interleaving_of_three_agents(steps in steps()) {
        let merged = play(&steps);
        for (count, per) in LIMITS {
            for (first, at) in merged.iter().enumerate() {
                let within = merged[first..].iter().filter(|other| **other - at < per).count();
                prop_assert!(within <= count, "{within} merges in {per} s (limit {count}): {merged:?}");
            }
        }
    }
}
