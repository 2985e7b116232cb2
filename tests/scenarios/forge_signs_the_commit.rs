//! The branch asks for signed commits and revertd has no key: GitHub makes the proposal's commit and signs it. What it made is recognised by
//! parent, tree and plan, and nothing is pushed to the branch itself.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use revertd::demo::forge::{Fault, FaultKind, PullState, Rule, Ruleset};
use revertd::engine::fact::{EffectAction, Event};
use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

fn asking_for_signatures(mode: &str) -> World {
    let world = World::on_github(&["checkout"], &[policy("checkout", mode, "")]);
    let rules = vec![Rule::RequiredSignatures];
    world.github().add_ruleset(Ruleset {
        name: "signed".to_owned(),
        branches: vec!["~DEFAULT_BRANCH".to_owned()],
        rules,
        bypass: Vec::new(),
    });
    world
}

/// How many commits GitHub was asked to make.
fn asked_to_sign(world: &World) -> usize {
    let asks = |body: &serde_json::Value| body["query"].as_str().is_some_and(|query| query.contains("createCommitOnBranch"));
    world.github().requests().iter().filter(|request| request.body.as_ref().is_some_and(asks)).count()
}

/// How many of those it made.
fn made(world: &World) -> usize {
    world.remote(&["log", "--all", "--format=%H %cn", "--grep=^Revertd-Plan: "]).lines().filter(|line| line.ends_with(" GitHub")).count()
}

fn is_told(world: &World) -> bool {
    world.incidents().values().any(|incident| incident.proposal.is_some()) && world.proposal().sticky.is_some()
}

/// The proposal's commit is GitHub's, the plan on the present base, and its only branch is the proposal's.
fn is_signed(world: &World) {
    let (proposal, pull) = (world.proposal(), world.pull());
    assert_eq!(world.branches(), [format!("revertd/{}", proposal.key)]);
    let shown = world.remote(&["show", "--no-patch", "--format=%H %cn %P", &world.branches()[0]]);
    assert_eq!(shown, format!("{} GitHub {}", pull.head, world.remote_head().unwrap()));
    assert_eq!(proposal.head, Some(pull.head));
    let plan = proposal.plan.unwrap();
    assert!(world.remote(&["log", "-1", "--format=%B", &world.branches()[0]]).contains(&format!("Revertd-Plan: {}", plan.digest())));
    let restored = world.remote(&["show", &format!("{}:apps/checkout/deployment.yaml", pull.head)]);
    assert!(restored.contains("shop/checkout:1.0.0"), "{restored}");
}

fn lands(mut world: World) {
    world.approve_on_github();
    world.until(40, |world| world.landings() == 1);
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
    world.seconds(2);
    assert!(matches!(world.pull().state, PullState::Merged { .. }));
    assert_eq!((world.landings(), world.written().len(), world.branches().len()), (1, 1, 0), "{:#?}", world.written());
}

#[test]
fn it_is_opened_and_approved() {
    let mut world = asking_for_signatures("propose");
    world.break_checkout();
    world.until(15, is_told);
    is_signed(&world);
    world.restart();
    world.seconds(5);
    assert_eq!((asked_to_sign(&world), made(&world)), (1, 1));
    lands(world);
}

#[test]
fn force_merge_falls_back_and_says_why() {
    let mut world = asking_for_signatures("merge");
    world.break_checkout();
    world.until(15, is_told);
    world.seconds(10);
    assert_eq!((world.phase(), world.landings(), asked_to_sign(&world)), (Phase::Proposed, 0, 1));
    assert_eq!(world.refusals(), ["unsigned"]);
    let refusal = world.incident().decision.unwrap().refusals[0].sentence.clone();
    assert!(refusal.contains("`main` asks for signed commits and there is no `signingKeyFile`"), "{refusal}");
    let pushed = |event: &Event| matches!(event, Event::Intended { intent, .. } if intent.action == EffectAction::Merge);
    assert!(!world.facts().iter().any(|fact| pushed(&fact.event)), "nothing is pushed to the branch in vain");
    is_signed(&world);
    lands(world);
}

/// The branch is never put back to its base on the way: that would close the pull request.
#[test]
fn the_base_moves_and_it_is_signed_anew() {
    let mut world = asking_for_signatures("propose");
    world.break_checkout();
    world.until(15, is_told);
    let (first, number) = (world.pull().head, world.pull().number);
    world.write("README.md", "Shop\n");
    world.commit("Say what this is");
    world.until(10, |world| world.pull().head != first);
    world.seconds(3);
    is_signed(&world);
    assert_eq!((world.pull().number, world.pull().state, asked_to_sign(&world)), (number, PullState::Open, 2));
    lands(world);
}

#[test]
fn the_answer_is_lost_after_github_acted() {
    for (kind, made_in_vain) in [(FaultKind::After(502), 0), (FaultKind::Before(502), 1)] {
        for restarts in [false, true] {
            let mut world = asking_for_signatures("propose");
            world.github().arm(Fault { method: "POST".into(), path: "/graphql".into(), times: 1, kind }).unwrap();
            world.break_checkout();
            for _ in 0..8 {
                world.seconds(3);
                if restarts {
                    world.restart();
                }
            }
            is_signed(&world);
            assert_eq!((asked_to_sign(&world), made(&world)), (1 + made_in_vain, 1), "{kind:?} {restarts}");
            lands(world);
        }
    }
}

/// The commit is made, and the process ends before the proposal's branch holds it.
#[test]
fn a_crash_in_between_makes_no_second_commit() {
    let mut world = asking_for_signatures("propose");
    let hook = world.root.join("remote.git/hooks/pre-receive");
    let script =
        "#!/bin/sh\nwhile read old new name; do case $name in refs/heads/revertd/*-signing) ;; refs/heads/revertd/*) exit 1;; esac; done\n";
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.break_checkout();
    world.until(15, |world| made(world) == 1);
    world.restart();
    world.seconds(3);
    assert_eq!(world.github().pulls().unwrap().len(), 0);
    std::fs::remove_file(&hook).unwrap();
    world.restart();
    world.until(40, is_told);
    is_signed(&world);
    assert_eq!((asked_to_sign(&world), made(&world)), (1, 1));
    lands(world);
}

/// What GitHub makes are regular files: nothing is proposed that would not be the plan (P5).
#[test]
fn a_plan_that_changes_a_mode_is_refused() {
    for what in ["mode", "link"] {
        let mut world = asking_for_signatures("propose");
        world.seconds(8);
        let file = world.root.join("person/apps/checkout/deployment.yaml");
        match what {
            "mode" => std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap(),
            _ => {
                std::fs::remove_file(&file).unwrap();
                std::os::unix::fs::symlink(Path::new("elsewhere.yaml"), &file).unwrap();
            }
        }
        world.commit("checkout: another mode");
        world.seconds(1);
        world.set_health("checkout", Health::Bad);
        world.seconds(10);
        assert_eq!(world.refusals(), ["unsignable"], "{what}");
        let sentence = world.incident().decision.unwrap().sentence;
        assert!(
            sentence.contains("`apps/checkout/deployment.yaml` changes its mode from 1") && sentence.contains("signingKeyFile"),
            "{sentence}"
        );
        assert_eq!((asked_to_sign(&world), world.branches().len()), (0, 0), "{what}");
    }
}

/// Somebody else's commit on the branch where GitHub would make ours is left there.
#[test]
fn a_strangers_branch_is_not_overwritten() {
    let mut world = asking_for_signatures("propose");
    world.seconds(8);
    let bumped = world.bump("checkout", "1.5.0").parse().unwrap();
    let branch = revertd::engine::id::BranchName::new("main");
    let key = revertd::engine::plan::proposal_key(&branch, revertd::engine::plan::PlanKind::Revert, &[bumped]);
    world.person(&["switch", "--quiet", "-c", "mine"]);
    world.person(&["commit", "--quiet", "--allow-empty", "--message", "Mine"]);
    let mine = world.person(&["rev-parse", "HEAD"]);
    world.person(&["push", "--quiet", "origin", &format!("mine:refs/heads/revertd/{key}-signing")]);
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(15);
    assert_eq!(world.remote(&["rev-parse", &format!("revertd/{key}-signing")]), mine);
    assert_eq!((asked_to_sign(&world), world.branches().len()), (0, 1));
    let failed = world.proposal().failed.unwrap().why;
    assert!(failed.contains("which revertd did not write"), "{failed}");
}
