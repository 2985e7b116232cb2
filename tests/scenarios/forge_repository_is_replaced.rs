//! The repository on the forge is deleted, and another one stands under its name: nothing more is done there until a person has looked.
//! A renamed one is followed.

use revertd::engine::fact::Event;
use revertd::engine::id::{BranchName, RepositoryName};
use revertd::engine::landing::Stop;

use crate::support::{World, policy};

/// Checkout has an open pull request.
fn proposed() -> World {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.until(60, |world| !world.github().pulls().unwrap().is_empty() && !world.written().is_empty());
    world
}

fn stops(world: &World) -> Vec<Stop> {
    world
        .facts()
        .into_iter()
        .filter_map(|fact| if let Event::RepositoryStopped { stop, .. } = fact.event { Some(stop) } else { None })
        .collect()
}

fn identities(world: &World) -> Vec<(u64, String)> {
    let said = |event| if let Event::ForgeIdentified { id, name, .. } = event { Some((id, name)) } else { None };
    world.facts().into_iter().filter_map(|fact| said(fact.event)).collect()
}

#[test]
fn an_approval_in_another_repository_merges_nothing() {
    for restarted in [false, true] {
        let mut world = proposed();
        let (expected, _) = identities(&world)[0].clone();
        let found = world.github().replace();
        world.github().comment("dana", world.pull().number, "/revertd approve").unwrap();
        if restarted {
            world.restart();
        }
        // The client looks which repository it is once a minute.
        world.seconds(75);
        assert_eq!(stops(&world), [Stop::Replaced { expected, found }], "restarted: {restarted}");
        assert_eq!(world.reverts(), 0, "{:?}", world.subjects());
        let sentence = stops(&world)[0].sentence(&RepositoryName::new("manifests"), &BranchName::new("main"));
        assert!(sentence.contains("revertd resume manifests"), "{sentence}");
    }
}

#[test]
fn a_person_accepts_the_one_that_is_there_now() {
    let mut world = proposed();
    let found = world.github().replace();
    world.seconds(75);
    assert_eq!(stops(&world).len(), 1);
    world.say(Event::RepositoryResumed { repository: RepositoryName::new("manifests"), accept: None, by: "dana".into() });
    world.seconds(20);
    assert_eq!(identities(&world).last().unwrap().0, found);
    assert_eq!(stops(&world).len(), 1, "it goes on");
}

#[test]
fn a_renamed_repository_is_followed() {
    let mut world = proposed();
    let (id, _) = identities(&world)[0].clone();
    world.github().rename("shop", "gitops");
    world.github().comment("dana", world.pull().number, "/revertd approve").unwrap();
    world.seconds(20);
    assert!(world.incident().landed.is_some(), "{:#?}", world.incident());
    world.restart();
    world.seconds(5);
    assert!(stops(&world).is_empty());
    assert_eq!(identities(&world).last().unwrap(), &(id, "shop/gitops".to_owned()));
}
