//! The proposal is a pull request: a reviewer approves it by a comment, it is merged, and its sticky comment says how the service recovered.

use revertd::engine::fact::LandedBy;
use revertd::engine::incident::Phase;

use crate::support::{Health, World};

#[test]
fn comment_approves_the_pull_request() {
    let mut world = World::with_pull_request();
    let pull = world.pull();
    assert_eq!(pull.title, "Revert \"checkout: 1.5.0\" (checkout)");
    for part in ["```mermaid", "`checkout: 1.5.0` by Robin", "Deployment checkout: image", "1.5.0 → 1.0.0", "measured healthy from"] {
        assert!(pull.body.contains(part), "{part} is not in\n{}", pull.body);
    }
    world.github().comment("robin", pull.number, &world.approve_command()).unwrap();
    world.until(10, |world| world.landings() == 1);
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
    world.seconds(2);
    let written = world.written();
    assert_eq!(written.len(), 1, "an approval is answered by what it does: {written:#?}");
    for part in ["### Recovered", "Approved by robin", "detect ", "decide ", "act ", "verify "] {
        assert!(written[0].contains(part), "{part} is not in\n{}", written[0]);
    }
    assert!(!written[0].contains("/revertd approve"), "there is nothing to approve any more");
    assert_eq!(world.landings(), 1);
    // revertd made the call, and says who allowed it.
    let landed = world.incident().landed.unwrap();
    assert_eq!((landed.by, landed.approved_by), (LandedBy::Revertd, vec!["robin".to_owned()]));
    assert!(written[0].contains("merged by revertd, approved by robin."), "{}", written[0]);
    assert_eq!(world.effects("merge_on_forge"), ["outcome=\"merged\"} 1"]);
    for awkward in ["0ms", "0 of 0", " ago"] {
        assert!(!written[0].contains(awkward) && !pull.body.contains(awkward), "{awkward}: {}", written[0]);
    }
}

/// At once after the landing there is nothing to compare yet, and the comment says so in words.
#[test]
fn that_nothing_was_measured_yet_is_said_in_words() {
    let mut world = World::with_pull_request();
    world.github().comment("robin", world.pull().number, &world.approve_command()).unwrap();
    world.until(10, |world| world.landings() == 1);
    world.until(10, |world| world.phase() == Phase::Verifying);
    world.seconds(1);
    let written = &world.written()[0];
    assert!(written.contains("Nothing was measured yet since the revert became effective at 2026-"), "{written}");
    assert!(!written.contains("0 of 0") && !written.contains("0ms"), "{written}");
}
