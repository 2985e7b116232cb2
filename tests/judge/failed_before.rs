//! Another instance of the service that was in trouble before it had the change. And what was there, although it was held back.

use revertd::agent::{Answer, JudgedAction};
use serde_json::{Value, json};

use crate::not_measured::{answer, landing, merging, moment, policy, probe, refused, rounds};

/// The service in `eu` fails since a change; in `us` it fails from a second on, and has the change as told.
fn two_instances(from: i64, applied_in_us: bool) -> Answer {
    let mut checkout = policy("checkout", &[probe("up")], &merging());
    checkout["spec"]["instances"] = json!([{"name": "eu"}, {"name": "us"}]);
    let of = |instance: &str, from: i64| {
        let mut of = rounds("checkout", "up", (-7200, 120), 10, |second| (second < from).into());
        of.iter_mut().for_each(|round| round["instance"] = instance.into());
        of
    };
    let mut change = landing("a", "checkout", (-4, -2), &[]);
    let times = json!({"earliest": moment(-4), "latest": moment(-2)});
    change["applied"]["checkout/eu"] = times.clone();
    if applied_in_us {
        change["applied"]["checkout/us"] = times;
    }
    let mut all = vec![of("eu", 0), of("us", from)];
    let others = ["a", "b", "c", "d"];
    all.extend(others.map(|name| rounds(name, "up", (-7200, 120), 10, |_| true.into())));
    let policies: Vec<Value> = std::iter::once(checkout).chain(others.map(|name| policy(name, &[probe("up")], &merging()))).collect();
    answer(120, &policies, &[change], &all)
}

/// Regression: an instance that had failed for long before the change said nothing, and the change was merged away.
#[test]
fn an_instance_that_failed_before_it_had_the_change_leaves_it_to_people() {
    for applied_in_us in [false, true] {
        for from in [-3000, -300] {
            let failing = two_instances(from, applied_in_us);
            assert_eq!(refused(&failing), (JudgedAction::Propose, "failedElsewhereBefore"), "{applied_in_us}, {from}: {}", failing.why);
        }
    }
    let well = two_instances(120, false);
    assert_eq!(well.action, JudgedAction::Merge, "{}", well.why);
}

/// Regression: what was held back was taken for never applied, where a later landing that contains it was.
#[test]
fn what_was_held_back_is_there_with_a_later_landing() {
    let two = |state: &str| {
        let mut first = landing("a", "checkout", (-300, -290), &["checkout"]);
        first["applied"]["checkout/default"]["state"] = state.into();
        let second = landing("b", "checkout", (-4, -2), &["checkout"]);
        let up = rounds("checkout", "up", (-7200, 120), 10, |second| (second < 0).into());
        answer(120, &[policy("checkout", &[probe("up")], &merging())], &[first, second], &[up])
    };
    let held_back = two("paused");
    assert_eq!(refused(&held_back), (JudgedAction::Propose, "severalSuspects"), "{}", held_back.why);
    let applied = two("applied");
    assert_eq!(applied.action, JudgedAction::Merge, "the first one ran well: {}", applied.why);
}
