//! A GitHub App: its key, its installation on the repository, and tokens for that one repository that are renewed in time.

use revertd::forge::github::GithubAuth;
use revertd::forge::{AccountKind, Forge, ForgeError, UserKind};
use revertd::net::secret::Secret;

use crate::world::{KEY, World};

const TOKENS: &str = "/access_tokens";

#[test]
fn the_installation_is_found_and_its_token_is_for_the_repository() {
    let world = World::app();
    let identity = world.forge.identity(world.act()).unwrap();
    assert_eq!(identity.own.kind, AccountKind::App { id: 4711 });
    assert_eq!((identity.own.user.login.as_str(), identity.own.user.kind), ("revertd-acme[bot]", UserKind::Bot));
    assert_eq!(
        world.lines(),
        [
            "GET /repos/acme/manifests/installation",
            "POST /app/installations/815/access_tokens",
            "GET /repos/acme/manifests",
            "GET /users/revertd-acme%5Bbot%5D"
        ]
    );
    let asked = world.state().requests().remove(1).body.unwrap();
    assert_eq!(asked, serde_json::json!({ "repositories": ["manifests"] }));
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let world = World::app();
    let first = world.forge.git_credentials(world.now()).unwrap();
    assert_eq!(first.username, "x-access-token");
    assert_eq!(first.expires.unwrap().since(world.now()).as_secs(), 3600);
    world.pass(3600 - 5 * 60 - 1);
    assert_eq!(world.forge.git_credentials(world.now()).unwrap().password.expose(), first.password.expose());
    world.pass(1);
    let second = world.forge.git_credentials(world.now()).unwrap();
    assert_ne!(second.password.expose(), first.password.expose());
    assert_eq!(world.count("POST", TOKENS), 2);
    assert_eq!(world.count("GET", "/installation"), 1);
    // The repository's number is known after the first look, and names it from then on.
    world.opened();
    world.pass(3600);
    world.forge.get(world.act(), world.number()).unwrap();
    let bodies: Vec<_> =
        world.state().requests().into_iter().filter(|request| request.path.ends_with(TOKENS)).filter_map(|request| request.body).collect();
    assert_eq!(bodies.last().unwrap(), &serde_json::json!({ "repository_ids": [world.state().repository_id()] }));
}

#[test]
fn a_token_that_was_revoked_is_replaced_once() {
    let world = World::app();
    world.opened();
    world.state().revoke_installation_tokens();
    world.forge.edit(world.act(), world.number(), "Another title", "x").unwrap();
    assert_eq!(world.count("POST", TOKENS), 2);
    assert_eq!(world.state().pulls().unwrap()[0].title, "Another title");
}

#[test]
fn what_the_app_writes_is_its_own() {
    let world = World::app();
    let number = world.opened().number;
    let written = world.forge.write_comment(world.act(), number, "mine").unwrap();
    assert_eq!(written.through_app, Some(4711));
    world.state().comment("robin", number.0, "a person's").unwrap();
    let own: Vec<String> = world.forge.own_comments(world.act(), number).unwrap().into_iter().map(|comment| comment.body).collect();
    assert_eq!(own, ["mine"]);
}

#[test]
fn another_app_is_not_accepted() {
    let world = World::app();
    let stranger = world.client(|settings| settings.auth = GithubAuth::App { id: 1, private_key: Secret::new(KEY) });
    assert!(matches!(stranger.identity(world.act()), Err(ForgeError::Unauthorized { .. })));
}

#[test]
fn a_token_that_is_not_known_is_not_accepted() {
    let world = World::new();
    let stranger = world.client(|settings| settings.auth = GithubAuth::Token(Secret::new("ghp_unknown")));
    assert!(matches!(stranger.identity(world.act()), Err(ForgeError::Unauthorized { .. })));
    assert_eq!(world.lines().len(), 1);
}
