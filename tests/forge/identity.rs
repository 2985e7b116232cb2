//! Which repository it is: renamed is followed, replaced is stopped.

use revertd::demo::forge::MergeMethod;
use revertd::engine::id::RepositoryName;
use revertd::forge::{AccountKind, Allowance, Forge, ForgeError, OpenedBy, RepositoryId, UserId, UserKind};

use crate::world::{World, branch, proposal};

#[test]
fn it_says_which_repository_and_who_asks() {
    let world = World::new();
    world.state().set_merge_methods(&[MergeMethod::Squash, MergeMethod::Rebase]);
    let identity = world.forge.identity(world.act()).unwrap();
    assert_eq!(identity.id, RepositoryId(world.state().repository_id()));
    assert_eq!((identity.owner.as_str(), identity.name.as_str()), ("acme", "manifests"));
    assert_eq!((identity.methods.merge, identity.methods.squash), (Allowance::Forbidden, Allowance::Allowed));
    assert_eq!(identity.own.user.login, "revertd-bot");
    assert_eq!(identity.own.user.id, UserId(world.state().account_id("revertd-bot").unwrap()));
    assert_eq!((identity.own.user.kind, identity.own.kind), (UserKind::User, AccountKind::Token));
}

#[test]
fn a_renamed_repository_is_followed_and_nothing_is_sent_twice() {
    let world = World::new();
    let before = world.forge.identity(world.act()).unwrap();
    world.state().rename("acme-platform", "deployments");
    let opened = world.forge.open(world.act(), &proposal()).unwrap();
    assert_eq!(opened.how, OpenedBy::ThisCall);
    assert_eq!(world.state().pulls().unwrap().len(), 1);
    let after = world.forge.identity(world.act()).unwrap();
    assert_eq!((after.id, after.owner.as_str(), after.name.as_str()), (before.id, "acme-platform", "deployments"));
    assert_eq!(world.forge.find(world.act(), &branch()).unwrap().len(), 1);
}

#[test]
fn a_repository_that_took_over_the_name_is_not_touched() {
    let world = World::new();
    world.opened();
    let expected = RepositoryId(world.state().repository_id());
    let found = RepositoryId(world.state().replace());
    let replaced = ForgeError::Replaced { expected, found };
    assert_eq!(world.forge.identity(world.act()).unwrap_err(), replaced);
    world.pass(61);
    world.state().clear_requests();
    assert_eq!(world.forge.close(world.act(), world.number()).unwrap_err(), replaced);
    assert_eq!(world.lines(), ["GET /repos/acme/manifests"]);
    // A client that starts anew knows the number from its settings.
    let another = world.client(|settings| settings.expected = Some(expected));
    assert_eq!(another.write_comment(world.act(), world.number(), "x").unwrap_err(), replaced);
}

#[test]
fn a_repository_that_is_not_there_is_not_found() {
    let world = World::new();
    let name = RepositoryName::new("nowhere");
    let client = world.client(|settings| settings.name = name.to_string());
    assert!(matches!(client.identity(world.act()), Err(ForgeError::NotFound { .. })));
    world.state().set_token("another", Some("stranger"));
    let client =
        world.client(|settings| settings.auth = revertd::forge::github::GithubAuth::Token(revertd::net::secret::Secret::new("another")));
    assert!(matches!(client.identity(world.act()), Err(ForgeError::NotFound { .. })));
}
