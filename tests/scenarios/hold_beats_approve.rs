//! Somebody holds the pull request: an approval waits until the hold is lifted.

use crate::support::World;

#[test]
fn hold_beats_approve() {
    let mut world = World::with_pull_request();
    let number = world.pull().number;
    world.github().comment("dana", number, "/revertd hold").unwrap();
    world.seconds(2);
    world.github().comment("robin", number, &world.approve_command()).unwrap();
    world.seconds(6);
    assert_eq!(world.landings(), 0, "{:#?}", world.written());
    for part in ["### Held", "Held by dana since", "Approved by robin"] {
        assert!(world.written()[0].contains(part), "{part} is not in\n{}", world.written()[0]);
    }
    world.github().comment("dana", number, "/revertd resume").unwrap();
    world.until(10, |world| world.landings() == 1);
}
