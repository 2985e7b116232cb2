//! What the client reads about its own credentials and about the repository, without changing anything.

use revertd::engine::change::Person;
use revertd::forge::{Forge, Grants, OwnersFile, Readable, Role, Team, TeamSight};
use revertd::git::scratch::{FileEdit, Signed};

use crate::world::{World, main_branch};

#[test]
fn an_app_is_told_every_permission_of_its_installation() {
    let world = World::app();
    let access = world.forge.access(world.act(), &main_branch()).unwrap();
    let Grants::Listed(granted) = &access.grants else { panic!("{access:?}") };
    assert_eq!(granted.get("contents").map(String::as_str), Some("write"));
    assert_eq!((granted.len(), &access.role, access.ends), (7, &None, None));
    assert_eq!(world.lines(), ["GET /repos/acme/manifests/installation"]);
}

#[test]
fn a_token_is_known_by_what_its_reads_answer() {
    let world = World::new();
    let access = world.forge.access(world.act(), &main_branch()).unwrap();
    assert_eq!((access.role, access.clock), (Some(Role::Write), Some(world.now())));
    let Grants::Read(read) = access.grants else { panic!("{:?}", access.grants) };
    let refused: Vec<&str> = read.iter().filter(|(_, readable)| **readable == Readable::No).map(|(name, _)| name.as_str()).collect();
    assert_eq!(refused, ["administration", "repository_hooks", "secrets"]);
    assert!(world.state().requests().iter().all(|request| request.method == "GET"));
}

#[test]
fn an_administrator_reads_too_much() {
    let world = World::new();
    world.state().set_person("revertd-bot", revertd::demo::forge::Role::Admin);
    let access = world.forge.access(world.act(), &main_branch()).unwrap();
    assert_eq!(access.role, Some(Role::Admin));
    let Grants::Read(read) = access.grants else { panic!("{:?}", access.grants) };
    assert!(read.values().all(|readable| *readable == Readable::Yes), "{read:?}");
}

#[test]
fn a_team_that_is_not_shown_is_not_seen() {
    let world = World::new();
    let team = Team { organization: "acme".to_owned(), slug: "gone".to_owned() };
    assert_eq!(world.forge.team(world.act(), &team).unwrap(), TeamSight::NotSeen);
}

#[test]
fn owners_are_read_as_the_forge_reads_them() {
    let world = World::new();
    assert_eq!(world.forge.owners_file(world.act(), &main_branch()).unwrap(), OwnersFile::Absent);
    let edit = FileEdit::Write { path: "CODEOWNERS".to_owned(), content: b"* @acme/sre\n/apps/ robin\n".to_vec() };
    let person = Person { name: "Robin".to_owned(), email: "robin@acme.example".to_owned() };
    world.repository.commit("main", Signed { person: &person, at: world.now(), message: "Say who owns what" }, &[edit]).unwrap();
    let OwnersFile::Present { mistakes } = world.forge.owners_file(world.act(), &main_branch()).unwrap() else { panic!("there is one") };
    assert_eq!(mistakes, ["CODEOWNERS:2: Invalid owner"]);
}
