//! Who wrote the change does not approve its revert alone where the policy says so, and the owners of the touched paths approve where it
//! says that.

use revertd::demo::forge::Membership;

use crate::support::World;

/// A proposal whose change robin wrote, by an address that the forge knows as hers.
fn of_robin(more: &str) -> World {
    World::with_pull_request_by(more, |world| world.github().set_email("robin", "robin@shop.example"))
}

fn says(world: &mut World, login: &str, text: &str) {
    world.github().comment(login, world.pull().number, text).unwrap();
    world.seconds(8);
}

#[test]
fn the_author_approves_an_exact_inverse_at_night() {
    let mut world = of_robin("");
    let command = world.approve_command();
    says(&mut world, "robin", &command);
    assert_eq!(world.landings(), 1, "{:#?}", world.written());
}

#[test]
fn the_author_does_not_approve_where_four_eyes_are_asked_for() {
    let mut world = of_robin("  approval: {notAuthorOfChange: true}\n");
    let command = world.approve_command();
    says(&mut world, "robin", &command);
    assert_eq!(world.landings(), 0);
    assert!(world.replies()[0].contains("You wrote the change that this undoes"), "{:#?}", world.replies());
    says(&mut world, "dana", &command);
    assert_eq!(world.landings(), 1, "{:#?}", world.written());
}

#[test]
fn an_author_whom_the_forge_does_not_know_is_a_no() {
    let mut world = World::with_pull_request_by("  approval: {notAuthorOfChange: true}\n", |_| {});
    let command = world.approve_command();
    says(&mut world, "dana", &command);
    assert_eq!(world.landings(), 0);
    assert!(world.replies()[0].contains("has no account on the forge"), "{:#?}", world.replies());
}

#[test]
fn a_merge_does_not_hide_who_wrote_what_it_brought() {
    let mut world =
        World::on_github(&["checkout"], &[crate::support::policy("checkout", "propose", "  approval: {notAuthorOfChange: true}\n")]);
    world.github().set_email("robin", "robin@shop.example");
    world.github().set_email("dana", "dana@shop.example");
    world.seconds(8);
    world.person(&["switch", "--quiet", "--create", "bump"]);
    world.write("apps/checkout/deployment.yaml", &crate::support::deployment("checkout", "1.5.0"));
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", "checkout: 1.5.0"]);
    world.person(&["switch", "--quiet", "main"]);
    let merge = ["-c", "user.name=Dana", "merge", "--quiet", "--no-ff", "--message", "Merge the bump", "bump"];
    world.person(&merge);
    // The one who merged is another than the one who wrote.
    world.person(&["commit", "--quiet", "--amend", "--no-edit", "--author", "Dana <dana@shop.example>"]);
    world.person(&["push", "--quiet", "origin", "main"]);
    world.seconds(1);
    world.set_health("checkout", crate::support::Health::Bad);
    world.until(15, |world| world.github().pulls().unwrap().len() == 1 && !world.written().is_empty());
    let command = world.approve_command();
    says(&mut world, "robin", &command);
    assert_eq!(world.landings(), 0, "{:#?}", world.written());
    assert!(world.replies()[0].contains("You wrote the change that this undoes"), "{:#?}", world.replies());
}

#[test]
fn who_may_force_is_not_who_wrote_it() {
    let mut world = of_robin("  approval: {force: [{team: shop/sre}]}\n");
    for login in ["robin", "dana"] {
        world.github().set_team_member("shop", "sre", login, Some(Membership::Active));
    }
    says(&mut world, "robin", "/revertd force the shop is down");
    assert_eq!(world.landings(), 0);
    assert!(world.replies()[0].contains("You wrote the change that this undoes"), "{:#?}", world.replies());
    says(&mut world, "dana", "/revertd force the shop is down");
    assert_eq!(world.landings(), 1, "{:#?}", world.written());
}

#[test]
fn nobody_forces_where_no_team_is_named() {
    let mut world = of_robin("");
    says(&mut world, "dana", "/revertd force the shop is down");
    assert_eq!(world.landings(), 0);
    assert!(world.replies()[0].contains("Nobody may force here"), "{:#?}", world.replies());
}

/// Owners as the file says, read from the watched branch.
fn owned(file: &str) -> World {
    World::with_pull_request_by("  approval: {from: [codeowners]}\n", |world| {
        world.write(".github/CODEOWNERS", file);
        world.commit("Say who owns what");
        world.github().set_team_member("shop", "sre", "dana", Some(Membership::Active));
        world.github().set_team_member("shop", "sre", "robin", Some(Membership::Pending));
    })
}

#[test]
fn an_owner_of_the_touched_paths_approves() {
    let mut world = owned("* @robin\n/apps/checkout/ @dana\n");
    let command = world.approve_command();
    says(&mut world, "robin", &command);
    assert_eq!(world.landings(), 0, "the last match counts: {:#?}", world.written());
    says(&mut world, "dana", &command);
    assert_eq!(world.landings(), 1, "{:#?}", world.written());
}

#[test]
fn a_member_of_an_owning_team_approves_and_one_who_is_only_invited_does_not() {
    let mut world = owned("/apps/ @shop/sre\n");
    let command = world.approve_command();
    says(&mut world, "robin", &command);
    assert_eq!(world.landings(), 0, "{:#?}", world.written());
    says(&mut world, "dana", &command);
    assert_eq!(world.landings(), 1, "{:#?}", world.written());
}

#[test]
fn a_path_that_nobody_owns_is_approved_by_nobody() {
    let mut world = owned("* @dana\n/apps/checkout/\n");
    let command = world.approve_command();
    says(&mut world, "dana", &command);
    assert_eq!(world.landings(), 0, "{:#?}", world.written());
    assert!(world.replies()[0].contains("not among the people"), "{:#?}", world.replies());
}

#[test]
fn who_owns_what_is_read_from_the_watched_branch_as_it_is_now() {
    let mut world = owned("/apps/ @robin\n");
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["reset", "--quiet", "--hard", "origin/main"]);
    world.write(".github/CODEOWNERS", "/apps/ @dana\n");
    world.commit("Dana owns it now");
    world.seconds(4);
    let command = world.approve_command();
    says(&mut world, "robin", &command);
    assert_eq!(world.landings(), 0, "{:#?}", world.written());
    says(&mut world, "dana", &command);
    assert_eq!(world.landings(), 1, "{:#?}", world.written());
}
