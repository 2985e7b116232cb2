//! Who may do what now. Every doubt is an error, and none is a yes.

use revertd::demo::forge::{FaultKind, Membership as In, Role as Given};
use revertd::forge::{Forge, ForgeError, Membership, Role, Team, UserId};

use crate::world::World;

#[test]
fn permission_is_told_by_role_and_user_id() {
    let world = World::new();
    let custom = Given::Custom { name: "release-captain".to_owned(), base: Box::new(Given::Write) };
    let roles = [
        (Given::Admin, Role::Admin),
        (Given::Maintain, Role::Maintain),
        (Given::Write, Role::Write),
        (Given::Triage, Role::Triage),
        (Given::Read, Role::Read),
        (Given::None, Role::None),
        (custom, Role::Unknown("release-captain".to_owned())),
    ];
    for (given, role) in roles {
        let id = world.state().set_person("pat", given);
        let permission = world.forge.permission(world.act(), "pat").unwrap();
        assert_eq!((permission.user, permission.role), (UserId(id), role));
    }
    assert!(world.state().requests().iter().all(|request| request.if_none_match.is_none()), "never from a cache");
}

#[test]
fn a_name_that_changed_hands_has_another_id() {
    let world = World::new();
    let before = world.forge.permission(world.act(), "kim").unwrap().user;
    world.state().remove_account("kim");
    world.state().set_person("kim", Given::Admin);
    assert_ne!(world.forge.permission(world.act(), "kim").unwrap().user, before);
}

#[test]
fn an_unknown_or_failing_permission_is_an_error() {
    let world = World::new();
    assert!(matches!(world.forge.permission(world.act(), "nobody"), Err(ForgeError::NotFound { .. })));
    assert!(world.forge.permission(world.act(), "../../x").is_err());
    world.fault("GET", "/repos/*/*/collaborators/*/permission", FaultKind::Before(500));
    assert!(matches!(world.forge.permission(world.act(), "kim"), Err(ForgeError::Unreachable { .. })));
}

#[test]
fn a_team_has_active_members_only() {
    let world = World::new();
    let team = Team { organization: "acme".to_owned(), slug: "on-call".to_owned() };
    let state = world.state();
    state.set_team_member("acme", "on-call", "kim", Some(In::Active));
    state.set_team_member("acme", "on-call", "sam", Some(In::Pending));
    let membership = |login: &str| world.forge.team_member(world.act(), &team, login);
    assert_eq!(membership("kim").unwrap(), Membership::Active);
    assert_eq!(membership("sam").unwrap(), Membership::Pending);
    assert_eq!(membership("robin").unwrap(), Membership::No);
    let missing = Team { slug: "nowhere".to_owned(), ..team.clone() };
    assert_eq!(world.forge.team_member(world.act(), &missing, "kim").unwrap(), Membership::No);
    world.fault("GET", "/orgs/*/teams/*/memberships/*", FaultKind::Before(503));
    assert!(matches!(membership("kim"), Err(ForgeError::Unreachable { .. })));
    state.set_team_member("acme", "on-call", "kim", None);
    assert_eq!(membership("kim").unwrap(), Membership::No);
}
