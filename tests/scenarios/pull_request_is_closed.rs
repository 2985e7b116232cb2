//! A person closes the pull request: that is a veto for good, and the sticky comment says so (failure F1).

use revertd::engine::incident::Phase;

use crate::support::{Health, World, deployment, policy};

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

/// The same change breaks another service a little later: the veto holds for that one too, after a restart as well.
#[test]
fn a_second_breach_of_the_same_change_is_not_proposed() {
    let policies = ["checkout", "payments"].map(|name| policy(name, "propose", ""));
    let mut world = World::on_github(&["checkout", "payments"], &policies);
    world.seconds(8);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.write("apps/payments/deployment.yaml", &deployment("payments", "1.5.0"));
    world.commit("Everything: 1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    // Not known in between, so that it was never healthy with the change.
    world.set_health("payments", Health::Unknown);
    world.until(15, |world| world.github().pulls().unwrap().len() == 1);
    world.github().close("dana", world.pull().number).unwrap();
    world.seconds(3);
    world.restart();
    world.set_health("payments", Health::Bad);
    world.seconds(12);
    assert_eq!(world.incidents().len(), 2, "the second breach is an incident of its own");
    assert!(world.incidents().values().all(|incident| incident.phase == Phase::Refused), "{:#?}", world.incidents());
    assert_eq!((world.github().pulls().unwrap().len(), world.landings()), (1, 0));
}

/// An approval does not bring it back.
#[test]
fn an_approval_after_the_veto_lands_nothing() {
    let mut world = World::with_pull_request();
    let command = world.approve_command();
    world.github().close("dana", world.pull().number).unwrap();
    world.comment("robin", &command);
    world.seconds(6);
    assert_eq!((world.phase(), world.landings()), (Phase::Refused, 0));
}
