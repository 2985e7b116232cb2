//! The remote does not take what revertd pushes: a refused merge becomes a proposal, and a remote that takes nothing is not hammered.

use revertd::engine::fact::{EffectAction, Event};
use revertd::engine::guardrail::RefusalCode;
use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

fn refusing(references: &str) -> World {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    let hook = world.root.join("remote.git/hooks/pre-receive");
    let script = format!(
        "#!/bin/sh\nwhile read old new name; do case $name in {references}) echo \"$name is protected\" >&2; exit 1;; esac; done\nexit 0\n"
    );
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(8);
    world
}

fn pushes(world: &World, wanted: EffectAction) -> usize {
    world.facts().iter().filter(|fact| matches!(&fact.event, Event::Intended { intent, .. } if intent.action == wanted)).count()
}

#[test]
fn a_protected_branch_turns_the_merge_into_a_proposal() {
    let mut world = refusing("refs/heads/main");
    world.seconds(30);
    assert_eq!(pushes(&world, EffectAction::Merge), 2, "a merge that was refused twice is not tried again");
    assert_eq!((world.phase(), world.branches().len(), world.reverts()), (Phase::Proposed, 1, 0));
    let refusal = world.incident().decision.unwrap().refusals[0].clone();
    assert_eq!(refusal.code, RefusalCode::MergeRejected);
    assert!(refusal.sentence.contains("pre-receive hook declined"), "{}", refusal.sentence);
    assert!(refusal.sentence.contains("refs/heads/main is protected"), "{}", refusal.sentence);
}

#[test]
fn an_approved_merge_is_tried_again_with_growing_pauses() {
    let mut world = refusing("refs/heads/main");
    world.approve();
    world.seconds(60);
    let tried = pushes(&world, EffectAction::Merge);
    assert!((3..=6).contains(&tried), "{tried} pushes in a minute");
    std::fs::remove_file(world.root.join("remote.git/hooks/pre-receive")).unwrap();
    world.seconds(60);
    assert_eq!(world.reverts(), 1);
}

#[test]
fn a_remote_that_takes_nothing_is_asked_with_growing_pauses() {
    let mut world = refusing("*");
    world.seconds(60);
    let tried = pushes(&world, EffectAction::OpenProposal) + pushes(&world, EffectAction::Merge);
    assert!((3..=7).contains(&tried), "{tried} pushes in a minute");
    assert!(world.refusals().contains(&"pushFailed".to_owned()), "{:?}", world.refusals());
    std::fs::remove_file(world.root.join("remote.git/hooks/pre-receive")).unwrap();
    world.seconds(60);
    assert_eq!((world.phase(), world.branches().len()), (Phase::Proposed, 1));
}
