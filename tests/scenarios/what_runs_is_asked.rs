//! What runs is asked of the sync tool and not guessed: a change counts from when it was applied, one that is not applied is innocent, and where
//! the tool does not tell, nothing is merged.

use std::time::Duration;

use revertd::engine::attribution::{Candidate, Standing};
use revertd::engine::fact::Event;
use revertd::engine::incident::Phase;

use crate::chat::{CHANNEL, Chat};
use crate::support::{Health, World, policy};
use crate::sync::{ArgoCd, Automation, Builds, Flux, Reconciling};

/// A world whose sync tool runs what was there first.
fn world(argo: &ArgoCd, mode: &str) -> World {
    world_with(argo, mode, "", "")
}

fn world_with(argo: &ArgoCd, mode: &str, agent: &str, more: &str) -> World {
    let world = World::with_agent(&["checkout"], &[ArgoCd::followed(&policy("checkout", mode, more))], &format!("{}{agent}", argo.lines()));
    argo.runs(&world.remote_head().unwrap(), Automation::On);
    world
}

/// The one candidate for the breach.
fn candidate(world: &World) -> Candidate {
    let candidates = world.incident().attribution.unwrap().candidates;
    assert_eq!(candidates.len(), 1, "{candidates:#?}");
    candidates.into_iter().next().unwrap()
}

/// A world in which a bump was synced just now.
fn bumped(argo: &ArgoCd, mode: &str) -> (World, String) {
    let mut world = world(argo, mode);
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    argo.runs(&commit, Automation::On);
    (world, commit)
}

#[test]
fn a_change_counts_from_when_it_was_applied() {
    let argo = ArgoCd::start();
    let mut world = world(&argo, "merge");
    world.seconds(8);
    let landed = world.now();
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(240);
    argo.runs(&commit, Automation::On);
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.until(15, |world| world.reverts() == 1);
    let suspect = candidate(&world);
    let applied = suspect.applied.unwrap();
    assert_eq!(suspect.standing, Standing::Suspect);
    assert!(applied.earliest() >= landed + Duration::from_secs(235), "{}", suspect.because);
    assert!(applied.by <= landed + Duration::from_secs(246), "{}", suspect.because);
    assert!(suspect.landed.by <= landed + Duration::from_secs(1));
}

#[test]
fn a_change_that_is_not_applied_yet_is_innocent() {
    let argo = ArgoCd::start();
    let mut world = world(&argo, "merge");
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.seconds(30);
    assert!(world.branches().is_empty() && world.reverts() == 0);
    assert_eq!(world.refusals(), ["breachBeforeChange"]);
    let innocent = candidate(&world);
    assert_eq!(innocent.standing, Standing::RuledOut);
    assert!(innocent.because.starts_with("it was not applied yet at "), "{}", innocent.because);
}

#[test]
fn nothing_is_merged_while_the_tool_does_not_answer() {
    let argo = ArgoCd::start();
    let mut world = world(&argo, "merge");
    world.seconds(8);
    argo.goes_down();
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(60);
    assert_eq!(world.reverts(), 0);
    assert_eq!(world.branches().len(), 1, "it is proposed");
    assert_eq!(world.refusals(), ["appliedUnknown"]);
    let refusal = world.incident().decision.unwrap().refusals.remove(0);
    assert!(refusal.sentence.contains("Argo CD: HTTP status 503: it is being upgraded"), "{}", refusal.sentence);
}

#[test]
fn it_is_merged_once_the_tool_tells_when_it_was_applied() {
    let argo = ArgoCd::start();
    let mut world = world(&argo, "merge");
    world.seconds(8);
    argo.goes_down();
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(15);
    assert_eq!((world.reverts(), world.branches().len()), (0, 1));
    argo.runs(&commit, Automation::On);
    world.until(10, |world| world.reverts() == 1);
}

#[test]
fn when_it_was_applied_is_known_after_a_restart() {
    let argo = ArgoCd::start();
    let (mut world, _) = bumped(&argo, "merge");
    world.seconds(4);
    argo.goes_down();
    world.restart();
    world.set_health("checkout", Health::Bad);
    world.seconds(15);
    assert_eq!(world.reverts(), 1, "{:?} {:#?}", world.refusals(), world.incident().attribution);
    let reported = world.facts().iter().filter(|fact| matches!(fact.event, Event::SyncReported { .. })).count();
    assert_eq!(reported, 2, "only what is new is written down");
}

#[test]
fn a_paused_sync_is_told_once_with_what_to_do() {
    let argo = ArgoCd::start();
    let chat = Chat::start();
    let notifiers = format!("  notifiers: [{}]\n", chat.slack("oncall", CHANNEL));
    let mut world = world_with(&argo, "merge", &notifiers, "  notify: [oncall]\n");
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(1);
    argo.runs(&commit, Automation::Off);
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.told_until(15, |world| world.reverts() == 1);
    world.told_seconds(90);
    let noted: Vec<String> =
        chat.posts().iter().map(|post| post.body.to_string()).filter(|body| body.contains("is not applied in")).collect();
    assert_eq!(noted.len(), 1, "{noted:#?}");
    assert!(noted[0].contains("automatic sync is off"), "{}", noted[0]);
    assert!(noted[0].contains("until somebody syncs or switches it on"), "{}", noted[0]);
    assert_eq!(world.phase(), Phase::Merged, "it is not judged before it is applied");
    assert!(world.incident().sync.is_some());
    argo.runs(&world.remote_head().unwrap(), Automation::Off);
    world.set_health("checkout", Health::Good);
    world.told_until(20, |world| world.phase() == Phase::Recovered);
}

#[test]
fn a_cluster_that_was_rolled_back_by_hand_keeps_the_proposal() {
    let argo = ArgoCd::start();
    let mut world = world(&argo, "propose");
    let first = world.remote_head().unwrap();
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    argo.runs(&commit, Automation::On);
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.until(15, |world| world.branches().len() == 1);
    argo.runs(&first, Automation::Off);
    world.seconds(6);
    world.set_health("checkout", Health::Good);
    world.seconds(30);
    assert_eq!(world.phase(), Phase::Proposed);
    assert_eq!(world.branches().len(), 1, "the next sync would bring it back");
    let note = world.incident().sync.unwrap();
    let sentence = note.sentence(&world.incident().instance);
    assert!(sentence.contains("runs the older") && sentence.contains("while Git still has"), "{sentence}");
    world.approve();
    world.until(10, |world| world.reverts() == 1);
}

#[test]
fn a_service_that_is_well_while_the_tool_is_silent_keeps_the_proposal() {
    let argo = ArgoCd::start();
    let (mut world, commit) = bumped(&argo, "propose");
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.until(15, |world| world.branches().len() == 1);
    argo.goes_down();
    world.set_health("checkout", Health::Good);
    world.seconds(30);
    assert_eq!((world.phase(), world.incident().sync), (Phase::Proposed, None), "perhaps it was rolled back by hand; too early to say so");
    world.seconds(40);
    let sentence = world.incident().sync.unwrap().sentence(&world.incident().instance);
    assert!(sentence.contains("if somebody rolled it back by hand, Git still has"), "{sentence}");
    assert_eq!(world.branches().len(), 1);
    // The change runs, so it is well with it.
    argo.runs(&commit, Automation::On);
    world.until(10, |world| world.phase() == Phase::Withdrawn);
}

#[test]
fn without_a_source_the_withdrawal_says_what_is_not_known() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.until(15, |world| world.branches().len() == 1);
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Withdrawn);
    let sentence = world.incident().sentence.unwrap();
    assert!(sentence.contains("nothing tells what runs: if somebody rolled it back by hand, Git still has"), "{sentence}");
}

#[test]
fn a_revert_that_nothing_is_heard_of_is_told_once() {
    let argo = ArgoCd::start();
    let chat = Chat::start();
    let notifiers = format!("  notifiers: [{}]\n", chat.slack("oncall", CHANNEL));
    let mut world = world_with(&argo, "propose", &notifiers, "  notify: [oncall]\n");
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    argo.runs(&commit, Automation::On);
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.told_until(15, |world| world.branches().len() == 1);
    argo.goes_down();
    world.approve();
    world.told_until(10, |world| world.reverts() == 1);
    world.pass_after(Duration::from_secs(700)).unwrap();
    world.told_seconds(3);
    world.pass_after(Duration::from_secs(700)).unwrap();
    let told: Vec<String> = chat.posts().iter().map(|post| post.body.to_string()).filter(|body| body.contains("cannot be told")).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("Whether the revert for checkout is applied is not told") && told[0].contains("mend the sync source"),
        "{}",
        told[0]
    );
}

#[test]
fn flux_tells_when_a_change_was_applied_and_that_the_revert_is_not() {
    let Some(flux) = Flux::start() else { return };
    let mut world = World::on_github_with(&["checkout"], &[Flux::followed(&policy("checkout", "propose", ""))], &flux.lines());
    flux.runs(&world.remote_head().unwrap(), Reconciling::Goes);
    world.seconds(8);
    let landed = world.now();
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(30);
    flux.runs(&commit, Reconciling::Goes);
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.until(15, |world| world.branches().len() == 1);
    world.until(15, |world| !world.proposal().shown.is_empty());
    let suspect = candidate(&world);
    assert!(suspect.applied.unwrap().earliest() >= landed + Duration::from_secs(25), "{}", suspect.because);
    world.approve_on_github();
    flux.runs(&commit, Reconciling::IsSuspended);
    world.until(15, |world| world.landings() == 1);
    world.seconds(10);
    let sticky = world.written().remove(0);
    assert!(
        sticky.contains("reconciling is suspended, and nothing that is merged reaches the cluster until somebody resumes it"),
        "{sticky}"
    );
    flux.runs(&world.remote_head().unwrap(), Reconciling::Goes);
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
    assert!(!world.written().remove(0).contains("suspended"));
}

#[test]
fn doctor_says_whether_the_tool_tells_what_runs() {
    let argo = ArgoCd::start();
    let world = world(&argo, "propose");
    let commit = world.remote_head().unwrap();
    let short = &commit[..10];
    assert_eq!(world.examined("sync sources"), format!("sync sources\n  ok        checkout: it runs {short}"));
    argo.runs(&commit, Automation::Off);
    assert!(world.examined("sync sources").contains(&format!("warning   checkout: it runs {short}; automatic sync is off")));
    argo.goes_down();
    let down = world.examined("sync sources");
    assert!(down.contains("problem   checkout: what runs is not told: Argo CD: HTTP status 503: it is being upgraded"), "{down}");
}

#[test]
fn a_metric_tells_when_a_change_runs() {
    let builds = Builds::start();
    let mut world = World::with_agent(&["checkout"], &[Builds::followed(&policy("checkout", "propose", ""))], &builds.lines());
    builds.run(&world.remote_head().unwrap());
    world.seconds(8);
    let landed = world.now();
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(20);
    builds.run(&commit);
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.until(15, |world| world.branches().len() == 1);
    let applied = candidate(&world).applied.unwrap();
    assert!(applied.by > landed + Duration::from_secs(20), "{applied}");
}
