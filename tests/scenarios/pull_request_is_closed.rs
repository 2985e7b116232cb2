//! A person closes the pull request: that is a veto for good, and the sticky comment says so.

use revertd::engine::incident::Phase;

use crate::support::World;

#[test]
fn pull_request_is_closed() {
    let mut world = World::with_pull_request();
    let number = world.pull().number;
    world.github().close("dana", number).unwrap();
    world.seconds(10);
    assert_eq!((world.phase(), world.landings(), world.pull().number), (Phase::Refused, 0, number));
    assert!(world.written()[0].contains("### Closed by a person"), "{:#?}", world.written());
    world.restart();
    world.seconds(6);
    assert_eq!((world.pull().number, world.written().len()), (number, 1));
}
