//! What is written about a commit, and the state of what must have passed.

use revertd::demo::forge::FaultKind;
use revertd::engine::id::CommitId;
use revertd::forge::{CheckRuns, CheckState, Conclusion, Forge, ForgeError, NewCheckRun, NewStatus, StatusReading, StatusState};

use crate::world::{World, main_branch};

fn status(state: StatusState, description: &str) -> NewStatus {
    NewStatus {
        context: "revertd".to_owned(),
        state,
        description: description.to_owned(),
        target: Some("https://revertd.acme.example/incidents/1".to_owned()),
    }
}

fn run() -> NewCheckRun {
    NewCheckRun {
        name: "revertd".to_owned(),
        conclusion: Conclusion::ActionRequired,
        title: "Waiting for an approval".to_owned(),
        summary: "Plan `0123`".to_owned(),
    }
}

#[test]
fn statuses_are_written_and_the_last_one_counts() {
    let world = World::new();
    let states = [
        (StatusState::Pending, "pending"),
        (StatusState::Success, "success"),
        (StatusState::Failure, "failure"),
        (StatusState::Error, "error"),
    ];
    for (state, name) in states {
        world.forge.set_status(world.act(), world.base, &status(state, "Reverted by #1")).unwrap();
        let written = world.state().statuses().pop().unwrap();
        assert_eq!((written.commit, written.context.as_str(), written.state.as_str()), (world.base, "revertd", name));
    }
    let checks = world.forge.checks(world.act(), world.base).unwrap();
    assert_eq!(checks.iter().map(|check| (check.context.as_str(), check.state)).collect::<Vec<_>>(), [("revertd", CheckState::Failed)]);
    world.forge.set_status(world.act(), world.base, &status(StatusState::Success, &"é".repeat(300))).unwrap();
    assert_eq!(world.state().statuses().pop().unwrap().description.unwrap().chars().count(), 140);
    let unknown = world.forge.set_status(world.act(), CommitId([9; 20]), &status(StatusState::Success, "x"));
    assert!(matches!(unknown, Err(ForgeError::Invalid { .. })));
}

#[test]
fn every_check_is_told_once_with_its_state() {
    let world = World::new();
    let state = world.state();
    state.check(world.head, "build", Some("failure"));
    state.check(world.head, "build", Some("success"));
    state.check(world.head, "lint", Some("skipped"));
    state.check(world.head, "deploy", None);
    state.check(world.head, "scan", Some("timed_out"));
    state.status("kim", world.head, "legacy", "pending");
    state.check(world.base, "elsewhere", Some("failure"));
    let mut checks = world.forge.checks(world.act(), world.head).unwrap();
    checks.sort_by(|one, other| one.context.cmp(&other.context));
    let told: Vec<_> = checks.iter().map(|check| (check.context.as_str(), check.state)).collect();
    assert_eq!(
        told,
        [
            ("build", CheckState::Passed),
            ("deploy", CheckState::Pending),
            ("legacy", CheckState::Pending),
            ("lint", CheckState::Passed),
            ("scan", CheckState::Failed)
        ]
    );
}

#[test]
fn what_other_tools_wrote_on_a_branch_is_told_commit_by_commit() {
    let world = World::app();
    let state = world.state();
    let newer = world.commit("main", "Bump", "2");
    let context = "kustomization/checkout/0c9c2e41";
    state.status_saying("kim", world.base, context, "success", Some("reconciliation succeeded"));
    state.status_saying("kim", newer, context, "pending", None);
    world.pass(60);
    state.status_saying("kim", newer, context, "failure", Some("build failed"));
    state.check(newer, "continuous-delivery/checkout", Some("success"));
    // A proposal's commit is not on the branch.
    state.status("kim", world.head, context, "success");
    let told = world.forge.branch_statuses(world.poll(), &main_branch(), 10, StatusReading::Newest).unwrap();
    let told: Vec<_> =
        told.iter().map(|status| (status.commit, status.context.as_str(), status.state, status.description.as_str())).collect();
    assert_eq!(
        told,
        [
            (newer, context, StatusState::Failure, "build failed"),
            (newer, "continuous-delivery/checkout", StatusState::Success, "continuous-delivery/checkout"),
            (world.base, context, StatusState::Success, "reconciliation succeeded"),
        ]
    );
    let only_newest = world.forge.branch_statuses(world.poll(), &main_branch(), 1, StatusReading::Newest).unwrap();
    assert!(only_newest.iter().all(|status| status.commit == newer) && only_newest.len() == 2);
    let at = only_newest.iter().find(|status| status.context == context).unwrap().at;
    assert_eq!(at, world.now(), "the newest of a context counts, with its time");
    // A token that may not read check runs reads the statuses all the same.
    world.fault("GET", "/repos/*/*/commits/*/check-runs", FaultKind::Before(403));
    assert_eq!(world.forge.branch_statuses(world.poll(), &main_branch(), 1, StatusReading::Newest).unwrap().len(), 1);
}

#[test]
fn a_check_run_that_did_nothing_is_not_taken_for_a_success() {
    let world = World::app();
    let newer = world.commit("main", "Bump", "2");
    for conclusion in ["skipped", "neutral"] {
        world.state().check(newer, "continuous-delivery/checkout", Some(conclusion));
        assert_eq!(world.forge.branch_statuses(world.poll(), &main_branch(), 1, StatusReading::Newest).unwrap(), [], "{conclusion}");
    }
}

#[test]
fn every_status_is_read_with_who_wrote_it_where_that_is_asked() {
    let world = World::app();
    let state = world.state();
    let context = "kustomization/checkout/0c9c2e41";
    state.status_saying("kim", world.base, context, "success", Some("reconciliation succeeded"));
    world.pass(60);
    state.status_saying("robin", world.base, context, "failure", Some("build failed"));
    state.check(world.base, "continuous-delivery/checkout", Some("success"));
    let told = world.forge.branch_statuses(world.poll(), &main_branch(), 1, StatusReading::WithCreators).unwrap();
    let told: Vec<_> = told.iter().map(|status| (status.state, status.creator.as_deref())).collect();
    assert_eq!(told[..2], [(StatusState::Failure, Some("robin")), (StatusState::Success, Some("kim"))], "a newer one hides none");
    assert!(told[2].1.is_some_and(|login| login.ends_with("[bot]")), "{told:?}");
}

#[test]
fn an_app_writes_check_runs_and_a_token_does_not() {
    let app = World::app();
    assert_eq!(app.forge.capabilities().check_runs, CheckRuns::Offered);
    app.forge.check_run(app.act(), app.head, &run()).unwrap();
    let written = app.state().checks().pop().unwrap();
    assert_eq!((written.commit, written.name.as_str(), written.conclusion.as_deref()), (app.head, "revertd", Some("action_required")));
    assert_eq!((written.title.as_str(), written.summary.as_str()), ("Waiting for an approval", "Plan `0123`"));
    let told = app.forge.checks(app.act(), app.head).unwrap();
    assert_eq!((told[0].app, told[0].state), (Some(4711), CheckState::Failed));
    let token = World::new();
    assert_eq!(token.forge.capabilities().check_runs, CheckRuns::StatusOnly);
    assert!(matches!(token.forge.check_run(token.act(), token.head, &run()), Err(ForgeError::Forbidden { .. })));
    assert!(token.lines().is_empty());
}
