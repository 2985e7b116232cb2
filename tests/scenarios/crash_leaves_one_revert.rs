//! The agent stops between any two passes, or with an intent written and nothing done: one revert in the end, never two, never none.

use crate::support::{Health, World, policy};

#[test]
fn restarted_in_every_second_of_the_story() {
    for crash_at in 0..10 {
        let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
        world.break_checkout();
        for second in 0..10 {
            if second == crash_at {
                world.restart();
            }
            world.seconds(1);
        }
        assert_eq!(world.reverts(), 1, "restarted in second {crash_at}");
        assert_eq!(world.incidents().len(), 1);
    }
}

#[test]
fn an_intent_that_was_not_carried_out_is_decided_again() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.break_checkout();
    // The remote refuses the first push, as if it went down after the intent was written.
    let hook = world.root.join("remote.git/hooks/pre-receive");
    std::fs::write(&hook, "#!/bin/sh\ntest -e refused && exit 0\ntouch refused\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.until(10, |world| world.root.join("remote.git/refused").exists());
    assert_eq!(world.reverts(), 0);
    world.restart();
    world.seconds(2);
    assert_eq!(world.reverts(), 1);
}

#[test]
fn a_change_that_landed_while_the_agent_was_restarted_is_still_reverted() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    // The first listing that shows the change is the restarted agent's: when it landed is bounded by the last listing before.
    world.restart();
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(world.reverts(), 1, "{:?}", world.refusals());
}
