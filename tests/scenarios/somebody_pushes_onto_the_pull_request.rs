//! Somebody pushes onto the pull request's branch: revertd merges nothing of it, says so, and never pushes it again (failures F2 and A8).

use revertd::engine::incident::Phase;

use crate::support::World;

fn push_onto(world: &World) {
    let branch = world.branches()[0].clone();
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["checkout", "--quiet", "-B", "theirs", &format!("origin/{branch}")]);
    world.write("apps/checkout/extra.yaml", "kind: ConfigMap\n");
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", "One more thing"]);
    world.person(&["push", "--quiet", "origin", &format!("HEAD:{branch}")]);
}

fn is_disowned(world: &mut World) {
    world.seconds(4);
    assert_eq!((world.phase(), world.landings()), (Phase::Refused, 0));
    assert_eq!(world.refusals(), ["disowned"]);
    assert!(world.written()[0].contains("### Not revertd's any more"), "{:#?}", world.written());
    world.restart();
    world.seconds(4);
    assert_eq!((world.asked("PUT", "/merge"), world.landings(), world.branches().len()), (0, 0, 1));
}

#[test]
fn before_anybody_approved() {
    let mut world = World::with_pull_request();
    push_onto(&world);
    world.approve_on_github();
    is_disowned(&mut world);
}

#[test]
fn right_after_the_approval() {
    let mut world = World::with_pull_request();
    world.approve_on_github();
    push_onto(&world);
    is_disowned(&mut world);
}
