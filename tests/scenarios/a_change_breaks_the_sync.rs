//! A change that the sync tool fails of: nothing is bad, and nothing that is merged reaches the cluster any more. Its revert is proposed with the
//! tool's words, never merged by itself, and not where the sync fails for another reason.

use revertd::engine::afterwards::{BreachEnding, breach_end};
use revertd::engine::attribution::Standing;
use revertd::engine::broken_sync::Broke;
use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};
use crate::sync::{ArgoCd, Automation};

const REFUSED: &str = "one or more objects failed to apply, reason: Deployment.apps \"checkout\" is invalid: spec.selector: Invalid value: \
    \"canary-value-77\": field is immutable @everyone";

fn world_with(argo: &ArgoCd, mode: &str, more: &str) -> World {
    let world = World::with_agent(&["checkout"], &[ArgoCd::followed(&policy("checkout", mode, more))], &argo.lines());
    argo.runs(&world.remote_head().unwrap(), Automation::On);
    world
}

/// A world in which the sync fails of a bump, with the commits before it and of it.
fn broken(argo: &ArgoCd, mode: &str, more: &str) -> (World, String, String) {
    let mut world = world_with(argo, mode, more);
    let (before, commit) = breaks(argo, &mut world, REFUSED);
    (world, before, commit)
}

/// The sync of what ran well fails of a bump, in these words; gives the commits before it and of it.
fn breaks(argo: &ArgoCd, world: &mut World, why: &str) -> (String, String) {
    let before = world.remote_head().unwrap();
    argo.runs(&before, Automation::On);
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(2);
    argo.fails(&commit, &before, why);
    (before, commit)
}

#[test]
fn its_revert_is_proposed_and_not_merged() {
    let argo = ArgoCd::start();
    let (mut world, _, commit) = broken(&argo, "merge", "");
    world.seconds(20);
    assert_eq!((world.branches().len(), world.reverts()), (1, 0), "{:?}", world.refusals());
    assert_eq!(world.refusals()[0], "onlyTheSync");
    let incident = world.incident();
    let attribution = incident.attribution.clone().unwrap();
    assert_eq!((attribution.broke, attribution.candidates.len()), (Broke::Sync, 1));
    assert_eq!(attribution.candidates[0].standing, Standing::Suspect);
    assert_eq!(attribution.suspects[0].to_string(), commit);
    assert!(incident.arithmetic[0].contains("is invalid: spec.selector: Invalid value: (not shown): field is immutable"), "{incident:#?}");
    let message = world.remote(&["log", "-1", "--format=%B", &world.branches()[0]]);
    assert!(message.contains("checkout is not synced any more: the sync fails since"), "{message}");
    assert!(!message.contains("canary-value") && !message.contains("@everyone"), "{message}");
    assert_eq!(world.incidents().len(), 1);
}

#[test]
fn the_pull_request_says_that_the_service_runs_on() {
    let argo = ArgoCd::start();
    let mut world = World::on_github_with(&["checkout"], &[ArgoCd::followed(&policy("checkout", "propose", ""))], &argo.lines());
    breaks(&argo, &mut world, REFUSED);
    world.until(25, |world| world.branches().len() == 1);
    world.until(15, |world| !world.proposal().shown.is_empty());
    let body = world.pull().body;
    for said in [
        "`checkout` runs on with what was applied before, and its sync has failed since some time between",
        "field is immutable",
        "If the sync succeeds again without it, revertd takes it back. Until then nothing that is merged reaches the cluster.",
        "was measured healthy from",
        "people decide whether that is undone",
    ] {
        assert!(body.contains(said), "{said}:\n{body}");
    }
    assert!(!body.contains("canary-value") && !body.contains("@everyone"), "{body}");
    world.approve_on_github();
    world.until(15, |world| world.landings() == 1);
    world.seconds(3);
    assert_eq!(world.incident().sync, None, "that the sync fails of what was there before is no news");
    argo.runs(&world.remote_head().unwrap(), Automation::On);
    world.until(10, |world| world.phase() == Phase::Recovered);
    let sticky = world.written().remove(0);
    assert!(sticky.contains("The sync succeeds again: the revert was applied"), "{sticky}");
}

#[test]
fn the_sync_succeeds_again_once_the_revert_is_merged() {
    let argo = ArgoCd::start();
    let (mut world, _, _) = broken(&argo, "propose", "");
    world.until(20, |world| world.branches().len() == 1);
    world.approve();
    world.until(10, |world| world.reverts() == 1);
    world.seconds(3);
    assert_eq!(world.phase(), Phase::Merged);
    argo.runs(&world.remote_head().unwrap(), Automation::On);
    world.until(10, |world| world.phase() == Phase::Recovered);
    assert!(world.incident().sentence.unwrap().starts_with("the sync succeeds again: the revert was applied"));
}

#[test]
fn a_try_that_is_repeated_and_succeeds_is_let_go() {
    let argo = ArgoCd::start();
    let (mut world, _, commit) = broken(&argo, "propose", "");
    world.until(20, |world| world.branches().len() == 1);
    argo.runs(&commit, Automation::On);
    world.until(10, |world| world.phase() == Phase::Withdrawn);
    assert!(world.branches().is_empty());
    assert!(world.incident().sentence.unwrap().contains("the sync succeeds again"));
    // The same change opens no second story.
    argo.fails(&commit, &commit, REFUSED);
    world.seconds(20);
    assert_eq!(world.incidents().len(), 1);
}

#[test]
fn a_person_who_reverts_first_is_left_alone() {
    let argo = ArgoCd::start();
    let (mut world, _, commit) = broken(&argo, "propose", "  guardrails: {limits: {propose: {count: 0, per: 1h}}}\n");
    world.seconds(15);
    assert!(world.branches().is_empty());
    world.person(&["revert", "--no-edit", &commit]);
    world.person(&["push", "--quiet", "origin", "main"]);
    world.seconds(3);
    argo.runs(&world.remote_head().unwrap(), Automation::On);
    world.until(15, |world| world.phase() == Phase::Superseded);
    assert!(world.branches().is_empty());
}

#[test]
fn a_sync_that_failed_before_the_change_accuses_nobody() {
    let argo = ArgoCd::start();
    let mut world = world_with(&argo, "propose", "");
    let first = world.remote_head().unwrap();
    world.seconds(8);
    // Of something that no policy owns.
    world.write("cluster/quota.yaml", "kind: ResourceQuota\nmetadata: {name: a}\n");
    let quota = world.commit("Set a quota");
    world.seconds(2);
    argo.fails(&quota, &first, "Namespace \"shop\" not found");
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(2);
    argo.fails(&commit, &first, "Namespace \"shop\" not found");
    world.seconds(20);
    assert!(world.branches().is_empty() && world.incidents().is_empty());
}

#[test]
fn a_sync_that_was_failing_at_the_first_look_accuses_nobody() {
    let argo = ArgoCd::start();
    let mut world = world_with(&argo, "propose", "");
    let first = world.remote_head().unwrap();
    argo.goes_down();
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(2);
    argo.fails(&commit, &first, REFUSED);
    world.seconds(20);
    assert!(world.branches().is_empty() && world.incidents().is_empty());
}

#[test]
fn a_cluster_that_cannot_be_reached_accuses_nobody() {
    let argo = ArgoCd::start();
    let mut world = world_with(&argo, "propose", "");
    breaks(&argo, &mut world, "Get \"https://10.0.0.1:443/version\": dial tcp 10.0.0.1:443: connect: connection refused");
    world.seconds(20);
    assert!(world.branches().is_empty() && world.incidents().is_empty());
}

#[test]
fn all_applications_that_fail_at_once_are_no_commit() {
    let argo = ArgoCd::start();
    let policies = [ArgoCd::followed(&policy("checkout", "propose", "")), ArgoCd::followed_too(&policy("cart", "propose", ""), "cart")];
    let mut world = World::with_agent(&["checkout", "cart"], &policies, &argo.lines());
    let first = world.remote_head().unwrap();
    argo.runs(&first, Automation::On);
    argo.runs_too("cart", &first);
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(2);
    let message = "admission webhook \"policy.example\" denied the request";
    argo.fails(&commit, &first, message);
    argo.fails_too("cart", &commit, &first, message);
    world.seconds(20);
    assert!(world.branches().is_empty());
    assert_eq!(world.refusals_of("checkout"), ["sharedFate"]);
    // Once the other one is well, it was this change.
    argo.runs_too("cart", &commit);
    world.until(10, |world| world.branches().len() == 1);
}

#[test]
fn a_try_that_fails_for_a_moment_is_waited_for() {
    let argo = ArgoCd::start();
    let slow = policy("checkout", "propose", "").replace("settle: 1s", "settle: 30s");
    let mut world = World::with_agent(&["checkout"], &[ArgoCd::followed(&slow)], &argo.lines());
    breaks(&argo, &mut world, REFUSED);
    world.seconds(20);
    assert!(world.branches().is_empty());
    assert!(world.incident().decision.unwrap().sentence.contains("that counts once it has lasted 30s"));
    world.seconds(20);
    assert_eq!(world.branches().len(), 1);
}

#[test]
fn a_policy_can_leave_it_alone() {
    let argo = ArgoCd::start();
    let off = policy("checkout", "propose", "").replace("settle: 1s", "settle: 1s, onSyncFailure: ignore");
    let mut world = World::with_agent(&["checkout"], &[ArgoCd::followed(&off)], &argo.lines());
    breaks(&argo, &mut world, REFUSED);
    world.seconds(20);
    assert!(world.branches().is_empty() && world.incidents().is_empty());
}

#[test]
fn a_part_that_was_applied_and_breaks_the_service_is_an_incident_of_its_own() {
    let argo = ArgoCd::start();
    let (mut world, _, commit) = broken(&argo, "merge", "");
    world.until(20, |world| world.branches().len() == 1);
    world.set_health("checkout", Health::Bad);
    world.until(15, |world| world.incidents().len() == 2);
    world.seconds(5);
    assert_eq!((world.branches().len(), world.reverts()), (1, 0), "one proposal for both, and nothing is merged");
    for incident in world.incidents().values() {
        assert_eq!(incident.attribution.as_ref().unwrap().suspects[0].to_string(), commit);
    }
}

#[test]
fn a_breach_that_is_seen_in_the_same_moment_is_the_same_story() {
    let argo = ArgoCd::start();
    let mut world = world_with(&argo, "propose", "");
    world.seconds(8);
    let before = world.remote_head().unwrap();
    let commit = world.bump("checkout", "1.5.0");
    argo.fails(&commit, &before, REFUSED);
    // Bad for the third time when the source is asked next.
    world.set_health("checkout", Health::Bad);
    world.seconds(2);
    assert_eq!(world.incidents().len(), 0);
    world.seconds(1);
    let incident = world.incident();
    assert_eq!(incident.broke(), Broke::Objectives);
    assert_eq!(incident.attribution.unwrap().suspects[0].to_string(), commit);
    world.seconds(20);
    assert_eq!(world.incidents().len(), 1);
}

/// How what was broken by the first incident ended.
fn ended(world: &World) -> Option<BreachEnding> {
    let state = world.state();
    let first = state.incidents.values().min_by_key(|incident| incident.detected_at)?;
    breach_end(&state, first).map(|end| end.ending)
}

#[test]
fn a_veto_of_a_broken_sync_is_over_once_it_syncs_again() {
    let argo = ArgoCd::start();
    let (mut world, before, commit) = broken(&argo, "propose", "");
    world.until(20, |world| world.branches().len() == 1);
    let branch = world.branches()[0].clone();
    world.remote(&["update-ref", "-d", &format!("refs/heads/{branch}")]);
    world.until(10, |world| world.phase() == Phase::Refused);
    world.seconds(30);
    assert_eq!(ended(&world), None, "the service is well all along, and the sync fails");
    // The same change breaks the service too, as of a part that was applied: that says nothing of the sync.
    world.set_health("checkout", Health::Bad);
    world.until(15, |world| world.incidents().len() == 2);
    world.seconds(5);
    assert_eq!(ended(&world), None);
    world.set_health("checkout", Health::Good);
    argo.fails(&commit, &before, REFUSED);
    world.seconds(20);
    assert_eq!(ended(&world), None);
    argo.runs(&commit, Automation::On);
    world.until(10, |world| ended(world) == Some(BreachEnding::ByItself));
}

#[test]
fn a_sync_that_fails_with_the_revert_too_is_ended_by_who_fixes_it() {
    let argo = ArgoCd::start();
    let (mut world, before, _) = broken(&argo, "propose", "");
    world.until(20, |world| world.branches().len() == 1);
    world.approve();
    world.until(10, |world| world.reverts() == 1);
    let revert = world.remote_head().unwrap();
    argo.fails(&revert, &before, REFUSED);
    world.until(120, |world| world.phase() == Phase::Unverified);
    world.seconds(20);
    assert_eq!(ended(&world), None, "it fails on, whoever is healthy");
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["reset", "--quiet", "--hard", "origin/main"]);
    let fix = world.bump("checkout", "1.5.1");
    world.seconds(2);
    argo.runs(&fix, Automation::On);
    world.until(10, |world| ended(world) == Some(BreachEnding::FixForward));
}
