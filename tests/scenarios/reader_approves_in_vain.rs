//! Somebody without the right to approves: nothing lands, and they are told why, once.

use crate::support::World;

#[test]
fn reader_approves_in_vain() {
    let mut world = World::with_pull_request();
    world.github().comment("mallory", world.pull().number, &world.approve_command()).unwrap();
    world.seconds(12);
    let replies = world.replies();
    assert_eq!((replies.len(), world.landings()), (1, 0), "{replies:#?}");
    assert!(replies[0].starts_with("To **mallory**:\n\n") && !replies[0].contains('@'), "{}", replies[0]);
    assert!(world.written()[0].contains("mallory: `approve`, refused"), "{}", world.written()[0]);
}

#[test]
fn an_answer_is_not_repeated_after_a_restart() {
    let mut world = World::with_pull_request();
    world.github().comment("mallory", world.pull().number, "/revertd approve").unwrap();
    world.seconds(3);
    world.restart();
    world.seconds(6);
    assert_eq!((world.replies().len(), world.written().len()), (1, 2));
}

#[test]
fn an_edited_approval_counts_no_more() {
    let mut world = World::with_pull_request();
    let number = world.pull().number;
    let comment = world.github().comment("robin", number, "Looks right to me.").unwrap();
    world.seconds(2);
    world.github().edit_comment("mallory", comment, "/revertd approve").unwrap();
    world.seconds(6);
    assert_eq!(world.landings(), 0, "{:#?}", world.written());
}
