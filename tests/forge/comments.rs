//! Comments: one conditional request while nothing happens, everything new told once, and one comment read again before it is acted on.

use revertd::demo::forge::{FaultKind, ReviewState as Said};
use revertd::forge::{
    CommentCursor, CommentId, CommentNow, CommentState, Edited, Forge, ForgeError, Reaction, ReviewState, UserId, UserKind, Visibility,
};

use crate::world::World;

fn now_of(world: &World, id: u64) -> CommentNow {
    match world.forge.comment_state(world.act(), CommentId(id)).unwrap() {
        CommentState::There(now) => *now,
        CommentState::Gone => panic!("the comment is gone"),
    }
}

#[test]
fn a_quiet_poll_is_one_request_that_costs_nothing() {
    let world = World::new();
    let number = world.opened().number;
    world.state().comment("robin", number.0, "/revertd approve").unwrap();
    let (told, cursor) = world.forge.comments(world.poll(), &CommentCursor::default()).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].on, told[0].body.as_str()), (number, "/revertd approve"));
    assert_eq!(told[0].author.as_ref().unwrap().id, UserId(world.state().account_id("robin").unwrap()));
    let left = world.forge.rate().unwrap().remaining;
    world.forget();
    let mut quiet = cursor;
    for _ in 0..3 {
        let (told, next) = world.forge.comments(world.poll(), &quiet).unwrap();
        assert!(told.is_empty());
        quiet = next;
    }
    let requests = world.state().requests();
    assert_eq!(requests.iter().map(|request| request.status).collect::<Vec<_>>(), [Some(304); 3]);
    assert!(requests.iter().all(|request| request.if_none_match.is_some() && request.query == requests[0].query));
    assert_eq!(world.forge.rate().unwrap().remaining, left);
}

#[test]
fn what_is_new_or_changed_is_told_once() {
    let world = World::new();
    let number = world.opened().number.0;
    let first = world.state().comment("robin", number, "one").unwrap();
    let (_, cursor) = world.forge.comments(world.poll(), &CommentCursor::default()).unwrap();
    // Within the same second as the last known one.
    let second = world.state().comment("kim", number, "two").unwrap();
    let (told, cursor) = world.forge.comments(world.poll(), &cursor).unwrap();
    assert_eq!(told.iter().map(|comment| comment.id.0).collect::<Vec<_>>(), [second]);
    world.pass(5);
    world.state().edit_comment("robin", first, "one, edited").unwrap();
    let (told, cursor) = world.forge.comments(world.poll(), &cursor).unwrap();
    assert_eq!(told.iter().map(|comment| (comment.id.0, comment.body.as_str())).collect::<Vec<_>>(), [(first, "one, edited")]);
    world.state().delete_comment(second);
    let (told, cursor) = world.forge.comments(world.poll(), &cursor).unwrap();
    assert!(told.is_empty());
    // What stands in the journal is the same cursor.
    let kept: CommentCursor = serde_json::from_str(&serde_json::to_string(&cursor).unwrap()).unwrap();
    assert_eq!(kept, cursor);
}

#[test]
fn pages_are_read_up_to_a_known_comment() {
    let world = World::new();
    let number = world.opened().number.0;
    for index in 0..150 {
        world.pass(1);
        world.state().comment("robin", number, &format!("{index}")).unwrap();
    }
    let pages = |world: &World| world.state().requests().iter().filter(|request| request.path.ends_with("/issues/comments")).count();
    let (told, cursor) = world.forge.comments(world.poll(), &CommentCursor::default()).unwrap();
    assert_eq!((told.len(), pages(&world)), (150, 2));
    for index in 0..120 {
        world.pass(1);
        world.state().comment("kim", number, &format!("later {index}")).unwrap();
    }
    world.forget();
    let (told, cursor) = world.forge.comments(world.poll(), &cursor).unwrap();
    assert_eq!((told.len(), pages(&world)), (120, 2));
    world.pass(1);
    world.state().comment("kim", number, "the last").unwrap();
    world.forget();
    let (told, _) = world.forge.comments(world.poll(), &cursor).unwrap();
    assert_eq!((told.len(), pages(&world)), (1, 1));
    world.forget();
    let (told, _) = world.forge.comments(world.poll(), &CommentCursor::starting_after(world.now())).unwrap();
    assert_eq!((told.len(), pages(&world)), (0, 1), "what was there at the start is not read");
}

#[test]
fn a_failing_list_tells_nothing_and_loses_nothing() {
    let world = World::new();
    let number = world.opened().number.0;
    let (_, cursor) = world.forge.comments(world.poll(), &CommentCursor::default()).unwrap();
    world.state().comment("robin", number, "one").unwrap();
    world.fault("GET", "/repos/*/*/issues/comments", FaultKind::Before(502));
    assert!(matches!(world.forge.comments(world.poll(), &cursor), Err(ForgeError::Unreachable { .. })));
    assert_eq!(world.forge.comments(world.poll(), &cursor).unwrap().0.len(), 1);
}

#[test]
fn a_comment_is_read_as_it_stands_now() {
    let world = World::new();
    let number = world.opened().number;
    let id = world.state().comment("robin", number.0, "/revertd approve").unwrap();
    let now = now_of(&world, id);
    assert_eq!((now.last_edited, now.created_edit, now.visibility), (None, Edited::Never, Visibility::Shown));
    assert_eq!((now.comment.id, now.comment.on, now.comment.body.as_str()), (CommentId(id), number, "/revertd approve"));
    let author = now.comment.author.unwrap();
    assert_eq!(
        (author.login.as_str(), author.id, author.kind),
        ("robin", UserId(world.state().account_id("robin").unwrap()), UserKind::User)
    );
    // Touched is not edited.
    world.pass(30);
    world.state().touch_comment(id);
    let touched = now_of(&world, id);
    assert!(touched.comment.updated > touched.comment.created);
    assert_eq!((touched.last_edited, touched.created_edit), (None, Edited::Never));
    world.pass(30);
    world.state().edit_comment("kim", id, "/revertd force because").unwrap();
    let edited = now_of(&world, id);
    assert_eq!((edited.last_edited, edited.created_edit), (Some(world.now()), Edited::Edited));
    assert_eq!(edited.comment.body, "/revertd force because");
    world.state().minimise_comment(id, Some("OUTDATED"));
    assert_eq!(now_of(&world, id).visibility, Visibility::Minimised);
    world.state().minimise_comment(id, None);
    assert_eq!(now_of(&world, id).visibility, Visibility::Shown);
    world.state().delete_comment(id);
    assert_eq!(world.forge.comment_state(world.act(), CommentId(id)).unwrap(), CommentState::Gone);
}

#[test]
fn a_comment_that_cannot_be_read_is_an_error() {
    let world = World::new();
    let number = world.opened().number.0;
    let id = CommentId(world.state().comment("robin", number, "x").unwrap());
    for (method, path) in [("GET", "/repos/*/*/issues/comments/*"), ("POST", "/graphql")] {
        world.fault(method, path, FaultKind::Before(502));
        assert!(matches!(world.forge.comment_state(world.act(), id), Err(ForgeError::Unreachable { .. })), "{path}");
    }
}

#[test]
fn somebody_who_left_is_nobody() {
    let world = World::new();
    let number = world.opened().number.0;
    let id = world.state().comment("robin", number, "x").unwrap();
    world.state().remove_account("robin");
    assert_eq!(now_of(&world, id).comment.author, None);
}

#[test]
fn own_comments_are_written_once_and_found_again() {
    let world = World::new();
    let number = world.opened().number;
    world.state().comment("robin", number.0, "<!-- revertd --> forged").unwrap();
    let written = world.forge.write_comment(world.act(), number, "<!-- revertd --> mine").unwrap();
    assert_eq!(written.url, format!("{}#issuecomment-{}", world.state().page(number.0), written.id));
    for kind in [FaultKind::After(502), FaultKind::HangAfter] {
        let forge = world.impatient();
        world.fault("POST", "/repos/*/*/issues/*/comments", kind);
        assert!(forge.write_comment(world.act(), number, &format!("lost {kind:?}")).unwrap_err().may_have_acted());
    }
    let own: Vec<String> = world.forge.own_comments(world.act(), number).unwrap().into_iter().map(|comment| comment.body).collect();
    assert_eq!(own, ["<!-- revertd --> mine", "lost After(502)", "lost HangAfter"]);
    world.forge.edit_comment(world.act(), written.id, "edited").unwrap();
    assert_eq!(world.forge.own_comments(world.act(), number).unwrap()[0].body, "edited");
    assert!(matches!(world.forge.edit_comment(world.act(), CommentId(1), "x"), Err(ForgeError::NotFound { .. })));
    assert!(matches!(world.forge.write_comment(world.act(), number, " "), Err(ForgeError::Invalid { .. })));
}

#[test]
fn reactions_are_put_once() {
    let world = World::new();
    let number = world.opened().number.0;
    let id = CommentId(world.state().comment("robin", number, "/revertd approve").unwrap());
    for reaction in [Reaction::Eyes, Reaction::ThumbsUp, Reaction::Rocket, Reaction::Confused, Reaction::Eyes] {
        world.forge.react(world.act(), id, reaction).unwrap();
    }
    let reactions: Vec<String> = world.state().comments(number)[0].reactions.iter().map(|(_, _, reaction)| reaction.clone()).collect();
    assert_eq!(reactions, ["eyes", "+1", "rocket", "confused"]);
    assert!(matches!(world.forge.react(world.act(), CommentId(1), Reaction::Eyes), Err(ForgeError::NotFound { .. })));
}

#[test]
fn reviews_tell_for_which_head_they_were_given() {
    let world = World::new();
    let number = world.opened().number;
    assert_eq!(world.forge.reviews(world.act(), number).unwrap(), []);
    world.state().review("robin", number.0, Said::ChangesRequested, "no", Some(world.base)).unwrap();
    world.pass(1);
    let last = world.state().review("robin", number.0, Said::Approved, "", None).unwrap();
    world.state().review("sam", number.0, Said::Commented, "hm", None).unwrap();
    let reviews = world.forge.reviews(world.act(), number).unwrap();
    let told: Vec<_> = reviews.iter().map(|review| (review.state.clone(), review.commit)).collect();
    assert_eq!(
        told,
        [
            (ReviewState::ChangesRequested, Some(world.base)),
            (ReviewState::Approved, Some(world.head)),
            (ReviewState::Commented, Some(world.head))
        ]
    );
    assert_eq!((reviews[1].id, reviews[1].submitted), (last, Some(world.now())));
    assert_eq!(reviews[1].user.as_ref().unwrap().id, UserId(world.state().account_id("robin").unwrap()));
}
