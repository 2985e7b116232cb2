//! A person reverts before revertd does: it leaves it alone, watches the recovery, and ends the incident as superseded.

use revertd::engine::fact::Ending;
use revertd::engine::incident::Phase;

use crate::support::{Health, World, deployment, policy};

#[test]
fn human_reverts_first() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.break_checkout();
    world.seconds(2);
    world.person(&["revert", "--no-edit", "HEAD"]);
    let human = world.person(&["rev-parse", "HEAD"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(3);
    assert_eq!(world.reverts(), 0, "{:?}", world.subjects());
    world.set_health("checkout", Health::Good);
    world.seconds(14);
    assert_eq!(world.phase(), Phase::Superseded, "{:#?}", world.incident());
    assert_eq!(world.remote_head().unwrap(), human);
    assert!(world.branches().is_empty());
}

#[test]
fn a_human_revert_while_a_proposal_is_open_takes_the_proposal_back() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.seconds(6);
    assert_eq!(world.branches().len(), 1);
    world.person(&["revert", "--no-edit", "HEAD"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(2);
    assert!(world.branches().is_empty(), "the proposal is not needed any more");
    world.set_health("checkout", Health::Good);
    world.seconds(14);
    assert_eq!(world.phase(), Phase::Superseded, "{:#?}", world.incident());
    assert_eq!(world.reverts(), 0);
}

/// Regression: the person's revert landed before the first bad round ended, and was itself the newest suspect.
#[test]
fn a_revert_of_a_suspect_is_no_suspect() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.person(&["revert", "--no-edit", "HEAD"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert!(world.reverts() == 0 && world.branches().is_empty(), "{:?}", world.subjects());
    world.set_health("checkout", Health::Good);
    world.seconds(14);
    assert_eq!(world.phase(), Phase::Superseded, "{:#?}", world.incident());
}

/// The person's revert was resolved by hand: it says what it undoes, and its content stood nowhere before.
#[test]
fn a_revert_that_was_resolved_by_hand_is_no_suspect() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.person(&["revert", "--no-edit", "HEAD"]);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.0.0").replace("replicas: 2", "replicas: 4"));
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--amend", "--no-edit"]);
    let human = world.person(&["rev-parse", "HEAD"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(world.remote_head().unwrap(), human, "{:?}", world.subjects());
    assert!(world.branches().is_empty(), "{:#?}", world.incident());
}

/// A hand edit that restores what stood before, without a word about it.
fn restores_by_hand(world: &mut World) -> String {
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.0.0"));
    world.commit("checkout: what we had last week")
}

/// Regression: only a commit that says `This reverts commit` was taken for a revert, and a hand edit was the newest suspect.
#[test]
fn a_hand_edit_that_restores_a_suspects_files_is_no_suspect() {
    for mode in ["merge", "propose"] {
        let mut world = World::new(&["checkout"], &[policy("checkout", mode, "")]);
        world.seconds(8);
        world.bump("checkout", "1.5.0");
        world.seconds(1);
        let human = restores_by_hand(&mut world);
        world.set_health("checkout", Health::Bad);
        world.seconds(6);
        assert!(world.reverts() == 0 && world.branches().is_empty(), "{:?}", world.subjects());
        world.set_health("checkout", Health::Good);
        world.seconds(14);
        assert_eq!(world.phase(), Phase::Superseded, "{:#?}", world.incident());
        assert_eq!(world.incident().ending, Some(Ending::Superseded { by: Some(human.parse().unwrap()) }));
        assert_eq!(world.remote_head().unwrap(), human);
    }
}

#[test]
fn a_hand_edit_while_the_incident_is_open_ends_it() {
    for (mode, bad_seconds) in [("merge", 2), ("propose", 6)] {
        let mut world = World::new(&["checkout"], &[policy("checkout", mode, "")]);
        world.break_checkout();
        world.seconds(bad_seconds);
        let human = restores_by_hand(&mut world);
        world.seconds(4);
        assert!(world.reverts() == 0 && world.branches().is_empty(), "{:?}", world.subjects());
        world.set_health("checkout", Health::Good);
        world.seconds(14);
        assert_eq!(world.incident().ending, Some(Ending::Superseded { by: Some(human.parse().unwrap()) }), "{:#?}", world.incident());
        assert_eq!(world.remote_head().unwrap(), human);
    }
}

/// The person puts one file back and leaves the other: what is left of the suspect is undone, their own commit never.
#[test]
fn what_a_person_left_is_undone_and_what_they_restored_stays() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.write("apps/checkout/service.yaml", "kind: Service\nport: 80\n");
    world.commit("checkout: a service");
    world.seconds(8);
    world.write("apps/checkout/service.yaml", "kind: Service\nport: 81\n");
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
    let bad = world.commit("checkout: 1.5.0 on another port");
    world.seconds(1);
    restores_by_hand(&mut world);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    let suspects: Vec<String> = world.incident().attribution.unwrap().suspects.iter().map(ToString::to_string).collect();
    assert_eq!(suspects, [bad]);
    let branch = world.branches()[0].clone();
    assert_eq!(world.remote(&["diff", "--name-only", "main", &branch]), "apps/checkout/service.yaml");
    assert!(world.remote(&["show", &format!("{branch}:apps/checkout/service.yaml")]).contains("port: 80"));
}
