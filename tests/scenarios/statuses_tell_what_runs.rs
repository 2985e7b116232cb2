//! What runs is read from the statuses that the sync tools' notification controllers write on commits: no access to a cluster is needed.

use std::time::Duration;

use revertd::demo::forge::FaultKind;
use revertd::engine::id::CommitId;
use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

const SOURCE: &str = "  sync: [{name: statuses, commitStatus: {}}]\n";
const BY_ROBIN: &str = "  sync: [{name: statuses, commitStatus: {creator: [Robin, 'acme-flux[bot]']}}]\n";
const CONTEXT: &str = "kustomization/checkout/0c9c2e41";

fn followed(mode: &str) -> String {
    policy("checkout", mode, "").replace("sync: {lag: 2s}", "sync: {source: statuses, context: \"kustomization/checkout/*\"}")
}

fn world(mode: &str) -> World {
    let world = World::on_github_with(&["checkout"], &[followed(mode)], SOURCE);
    says(&world, &world.remote_head().unwrap(), "success", "reconciliation succeeded");
    world
}

fn says(world: &World, commit: &str, state: &str, reason: &str) {
    say(world, "robin", commit, state, reason);
}

fn say(world: &World, login: &str, commit: &str, state: &str, reason: &str) {
    let commit: CommitId = commit.parse().unwrap();
    world.github().status_saying(login, commit, CONTEXT, state, Some(reason));
    // Another cluster's, which nobody follows here.
    world.github().status("robin", commit, "kustomization/cart/77", "failure");
}

#[test]
fn a_change_counts_from_when_the_status_says_that_it_was_applied() {
    let mut world = world("propose");
    world.seconds(8);
    let landed = world.now();
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(30);
    says(&world, &commit, "success", "reconciliation succeeded");
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.until(15, |world| world.branches().len() == 1);
    let attribution = world.incident().attribution.unwrap();
    let applied = attribution.candidates[0].applied.unwrap();
    assert!(applied.by >= landed + Duration::from_secs(29) && applied.by <= landed + Duration::from_secs(37), "{applied}");
    world.until(15, |world| !world.proposal().shown.is_empty());
    world.approve_on_github();
    world.until(15, |world| world.landings() == 1);
    world.set_health("checkout", Health::Good);
    world.seconds(8);
    assert_eq!(world.phase(), Phase::Merged, "nothing says that the revert is applied");
    says(&world, &world.remote_head().unwrap(), "success", "reconciliation succeeded");
    world.until(20, |world| world.phase() == Phase::Recovered);
    let problems = world.problems();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn looking_again_costs_nothing_while_nothing_changes() {
    let mut world = world("propose");
    world.seconds(20);
    let requests = world.github().requests();
    let of_statuses = || requests.iter().filter(|request| request.path.ends_with("/status"));
    assert!(of_statuses().count() >= 4, "{}", of_statuses().count());
    let answered = of_statuses().filter(|request| request.status == Some(200)).count();
    assert!(answered <= 2, "{answered} of {} were sent whole", of_statuses().count());
}

#[test]
fn a_change_that_flux_cannot_build_is_a_suspect_of_that() {
    let mut world = world("merge");
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(2);
    says(&world, &commit, "failure", "build failed");
    world.until(25, |world| world.branches().len() == 1);
    assert_eq!(world.landings(), 0);
    assert!(world.incident().arithmetic[0].contains("(build failed)"), "{:?}", world.incident().arithmetic);
}

#[test]
fn statuses_that_cannot_be_read_are_unknown() {
    let mut world = world("merge");
    world.seconds(8);
    world.fault("GET", "/commits/*/status", 1000, FaultKind::Before(502));
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(70);
    assert_eq!(world.landings(), 0);
    assert!(world.refusals().contains(&"appliedUnknown".to_owned()), "{:?}", world.refusals());
}

#[test]
fn a_status_by_somebody_else_is_no_answer() {
    let mut world = World::on_github_with(&["checkout"], &[followed("merge")], BY_ROBIN);
    says(&world, &world.remote_head().unwrap(), "success", "reconciliation succeeded");
    world.seconds(8);
    let commit = world.bump("checkout", "1.5.0");
    world.seconds(2);
    say(&world, "dana", &commit, "success", "reconciliation succeeded");
    world.seconds(6);
    world.set_health("checkout", Health::Bad);
    world.seconds(40);
    assert_eq!(world.landings(), 0, "whether it is applied nobody has said who counts");
    assert!(world.refusals().contains(&"appliedUnknown".to_owned()), "{:?}", world.refusals());
    // What somebody else writes after it does not hide it.
    says(&world, &commit, "success", "reconciliation succeeded");
    say(&world, "dana", &commit, "failure", "build failed");
    world.seconds(6);
    assert!(
        world.examined("sync sources").ends_with(&format!("checkout: it runs {}", &commit[..10])),
        "{}",
        world.examined("sync sources")
    );
    let problems = world.problems();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn doctor_reads_the_statuses() {
    let world = world("propose");
    let short = &world.remote_head().unwrap()[..10];
    assert_eq!(world.examined("sync sources"), format!("sync sources\n  ok        checkout: it runs {short}"));
}
