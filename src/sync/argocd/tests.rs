//! From answers written after Argo CD's API types; no Argo CD runs here.

use serde_json::{Value, json};

use super::super::testing::{Api, NOW, commit, oid, token};
use super::*;
use crate::engine::sync::{AttemptShows, FailureCause, ReportedRevision, Rollout, SyncState};

const REPOSITORY: &str = "https://github.com/acme/manifests.git";
const PATH: &str = "/api/v1/applications/checkout-prod";

/// An application that was synced to `a` and is healthy.
fn application() -> Value {
    json!({
        "metadata": {"name": "checkout-prod", "namespace": "argocd", "generation": 7},
        "spec": {
            "project": "shop",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
            "source": {"repoURL": REPOSITORY, "path": "apps/checkout", "targetRevision": "main"},
            "syncPolicy": {"automated": {"prune": true, "selfHeal": true}, "retry": {"limit": 5}},
        },
        "status": {
            "sync": {"status": "Synced", "revision": oid('a'), "comparedTo": {"source": {"repoURL": REPOSITORY}, "destination": {}}},
            "health": {"status": "Healthy", "lastTransitionTime": "2026-11-21T03:01:10Z"},
            "history": [
                {"id": 3, "revision": oid('9'), "deployedAt": "2026-11-20T10:00:00Z", "source": {"repoURL": REPOSITORY}},
                {"id": 4, "revision": oid('a'), "deployedAt": "2026-11-21T03:01:00Z", "source": {"repoURL": REPOSITORY}},
            ],
            "operationState": {
                "phase": "Succeeded",
                "message": "successfully synced (all tasks run)",
                "operation": {"sync": {"revision": oid('a'), "prune": true}, "initiatedBy": {"automated": true}, "retry": {"limit": 5}},
                "syncResult": {"revision": oid('a'), "resources": [], "source": {"repoURL": REPOSITORY}},
                "startedAt": "2026-11-21T03:00:50Z",
                "finishedAt": "2026-11-21T03:01:00Z",
            },
            "reconciledAt": "2026-11-21T03:04:00Z",
            "resources": [{"kind": "Deployment", "name": "checkout", "status": "Synced", "health": {"status": "Healthy"}}],
        },
    })
}

/// The same with other values at some places.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut application = application();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = application.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Value::Null => drop(parent.remove(key)),
            value => drop(parent.insert(key.to_owned(), value.clone())),
        }
    }
    application
}

/// Automatic sync found `b` and is at it or has failed.
fn tried(phase: &str, message: &str) -> Value {
    let operation = json!({
        "phase": phase, "message": message, "startedAt": "2026-11-21T03:03:00Z",
        "operation": {"sync": {"revision": oid('b')}}, "syncResult": {"revision": oid('b')},
    });
    with(&[("/status/operationState", operation), ("/status/sync", json!({"status": "OutOfSync", "revision": oid('b')}))])
}

fn source(url: &str, folder: &tempfile::TempDir) -> ArgoCd {
    let access = ArgoCdAccess { url: format!("{url}/"), token_file: token(folder), ca_file: None };
    ArgoCd::new(&access, "checkout-prod", None, None, REPOSITORY)
}

fn read(application: &Value) -> SyncReport {
    read_knowing(application, &Rendered::default())
}

fn read_knowing(application: &Value, rendered: &Rendered) -> SyncReport {
    serde_json::from_value::<Application>(application.clone()).unwrap().report(NOW, REPOSITORY, rendered)
}

fn second(text: &str) -> Option<Timestamp> {
    crate::net::server::end_of_second(text)
}

fn commits(report: &SyncReport) -> Vec<CommitId> {
    report.applied.iter().map(|revision| revision.commit).collect()
}

fn failed(report: &SyncReport) -> (&str, FailureCause) {
    let SyncState::Failed { why, cause } = &report.state else { return ("it has not failed", FailureCause::Elsewhere) };
    (why, *cause)
}

fn unknown(report: &SyncReport) -> &str {
    assert!(report.applied.is_empty() && report.attempted.is_none());
    let SyncState::Unknown { why } = &report.state else { return "it is known" };
    why
}

#[tokio::test]
async fn an_application_is_asked_once_with_its_token_and_without_refresh() {
    let (api, folder) = (Api::default(), tempfile::tempdir().unwrap());
    api.object(PATH, &application());
    let source = source(&api.serve().await, &folder);
    let report = source.observe(NOW).await;
    let expected = SyncReport {
        at: NOW,
        state: SyncState::Applied,
        shows: AttemptShows::AtBegin,
        attempted: Some(ReportedRevision::of(commit('a')).at(second("2026-11-21T03:00:50Z"))),
        applied: vec![ReportedRevision::of(commit('a')).at(second("2026-11-21T03:01:00Z"))],
        rollout: Rollout::Complete,
    };
    assert_eq!(report, expected);
    assert_eq!(api.asked(), [format!("GET {PATH} Bearer canary-7f3a")]);
    assert!(!format!("{source:?}").contains("canary"));
}

#[tokio::test]
async fn namespace_and_project_go_into_the_query() {
    let (api, folder) = (Api::default(), tempfile::tempdir().unwrap());
    let access = ArgoCdAccess { url: api.serve().await, token_file: token(&folder), ca_file: None };
    let source = ArgoCd::new(&access, "a/b", Some("team-a"), Some("shop"), REPOSITORY);
    let report = source.observe(NOW).await;
    assert_eq!(unknown(&report), "Argo CD: there is no application `a/b`");
    assert_eq!(api.asked(), ["GET /api/v1/applications/a%2Fb?appNamespace=team-a&project=shop Bearer canary-7f3a"]);
}

#[tokio::test]
async fn what_is_no_answer_is_unknown_with_a_sentence_and_without_the_token() {
    let (api, folder) = (Api::default(), tempfile::tempdir().unwrap());
    let asked = source(&api.serve().await, &folder);
    let cases = [
        (
            401,
            r#"{"error":"invalid session: token canary-7f3a","code":16,"message":"invalid session: token canary-7f3a"}"#,
            "Argo CD: HTTP status 401, the token is not accepted: invalid session: token [redacted]",
        ),
        (
            403,
            r#"{"error":"permission denied","code":7,"message":"permission denied"}"#,
            "Argo CD: HTTP status 403, the token may not read it: permission denied",
        ),
        (404, "{}", "Argo CD: there is no application `checkout-prod`"),
        (302, "", "Argo CD: HTTP status 302"),
        (503, "<html>canary-7f3a</html>", "Argo CD: HTTP status 503"),
        (200, "<html>", "Argo CD: unreadable answer: expected value at line 1 column 1"),
        (
            200,
            r#"{"spec":"canary-7f3a"}"#,
            "Argo CD: unreadable answer: invalid type: string \"[redacted]\", expected struct Spec at line 1 column 21",
        ),
        (200, r#"{"spec":{}}"#, "Argo CD: the application has no source"),
    ];
    for (status, body, sentence) in cases {
        api.answer(PATH, status, body);
        assert_eq!(unknown(&asked.observe(NOW).await), sentence);
    }
    api.answer(PATH, 200, format!("[{}", "[".repeat(9 * 1024 * 1024)));
    assert_eq!(unknown(&asked.observe(NOW).await), "Argo CD: the answer is longer than 8 MiB");
    std::fs::remove_file(folder.path().join("token")).unwrap();
    assert!(unknown(&asked.observe(NOW).await).starts_with("Argo CD: cannot read the secret file "));
    let nobody = source("http://127.0.0.1:9", &folder);
    token(&folder);
    assert_eq!(unknown(&nobody.observe(NOW).await), "Argo CD: connection refused");
}

#[test]
fn an_operation_that_runs_is_an_attempt_of_its_revision() {
    let running = tried("Running", "waiting for completion of hook batch/Job/migrate");
    let report = read(&running);
    assert_eq!((&report.state, &report.rollout), (&SyncState::Progressing, &Rollout::Progressing));
    assert_eq!(report.attempted, Some(ReportedRevision::of(commit('b')).at(second("2026-11-21T03:03:00Z"))));
    // Until it has ended, what the history says last is applied.
    assert_eq!(report.applied, [ReportedRevision::of(commit('a')).at(second("2026-11-21T03:01:00Z"))]);
    let mut asked = running;
    asked.pointer_mut("/status/operationState").unwrap().as_object_mut().unwrap().remove("syncResult");
    assert_eq!(read(&asked).attempted.unwrap().commit, commit('b'));
    // A retry keeps the time of the first attempt.
    asked.pointer_mut("/status/operationState").unwrap()["retryCount"] = json!(2);
    assert_eq!(read(&asked).attempted, Some(ReportedRevision::of(commit('b'))));
}

#[test]
fn a_failed_operation_says_of_what() {
    use FailureCause::{Elsewhere, Revision, Unclear};
    let cases = [
        ("Failed", "one or more objects failed to apply, reason: Deployment.apps \"checkout\" is invalid", Revision),
        ("Failed", "Get \"https://10.0.0.1/api\": dial tcp 10.0.0.1:443: connect: connection refused", Elsewhere),
        ("Error", "ComparisonError: Manifest generation error (cached): `kustomize build` failed exit status 1", Revision),
        ("Error", "Failed to get destination cluster: no such cluster", Unclear),
        ("Error", "rpc error: code = Unavailable desc = connection error", Elsewhere),
    ];
    for (phase, message, cause) in cases {
        let report = read(&tried(phase, message));
        assert_eq!(failed(&report), (message, cause));
        assert_eq!(report.attempted.as_ref().unwrap().commit, commit('b'));
        assert_eq!(commits(&report), [commit('a')]);
    }
}

#[test]
fn a_revision_that_cannot_be_compared_was_tried_without_a_name() {
    let message = "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = \
                   Manifest generation error (cached): `kustomize build <path to cached source>` failed exit status 1: Error: accumulating";
    let broken = with(&[
        ("/status/conditions", json!([{"type": "ComparisonError", "message": message, "lastTransitionTime": "2026-11-21T03:03:00Z"}])),
        ("/status/sync", json!({"status": "Unknown", "comparedTo": {}})),
    ]);
    let report = read(&broken);
    assert_eq!(failed(&report).1, FailureCause::Revision);
    assert_eq!(report.attempted, None);
    assert_eq!(commits(&report), [commit('a')]);
}

#[test]
fn automatic_sync_that_is_off_is_paused() {
    for change in [
        ("/spec/syncPolicy", Value::Null),
        ("/spec/syncPolicy/automated", Value::Null),
        ("/spec/syncPolicy/automated", json!({"enabled": false, "prune": true})),
    ] {
        let report = read(&with(&[change]));
        assert_eq!((&report.state, commits(&report)), (&SyncState::Paused, vec![commit('a')]));
    }
    assert_eq!(read(&with(&[("/spec/syncPolicy/automated", json!({"enabled": true}))])).state, SyncState::Applied);
    assert_eq!(read(&with(&[("/spec/syncPolicy/automated", json!({}))])).state, SyncState::Applied);
}

#[test]
fn a_rollback_by_hand_shows_the_older_revision_as_applied() {
    let rolled_back = with(&[
        ("/spec/syncPolicy/automated", Value::Null),
        ("/status/sync", json!({"status": "OutOfSync", "revision": oid('a')})),
        ("/status/operationState/syncResult/revision", json!(oid('9'))),
        ("/status/operationState/operation/sync/revision", json!(oid('9'))),
    ]);
    let report = read(&rolled_back);
    assert_eq!((&report.state, commits(&report)), (&SyncState::Paused, vec![commit('9')]));
}

#[test]
fn a_newer_revision_that_is_in_sync_needs_no_operation() {
    let report = read(&with(&[("/status/sync/revision", json!(oid('c')))]));
    assert_eq!(report.state, SyncState::Applied);
    // Its time is not that of the operation before.
    assert_eq!(report.applied, [ReportedRevision::of(commit('c'))]);
    let behind = read(&with(&[("/status/sync", json!({"status": "OutOfSync", "revision": oid('c')}))]));
    assert_eq!(commits(&behind), [commit('a')]);
}

#[test]
fn a_dry_run_or_a_part_of_an_application_applies_no_revision() {
    let resources = json!([{"kind": "ConfigMap", "name": "checkout"}]);
    for change in [("dryRun", json!(true)), ("resources", resources)] {
        let mut partial = tried("Succeeded", "successfully synced");
        partial.pointer_mut("/status/operationState/operation/sync").unwrap()[change.0] = change.1;
        let report = read(&partial);
        assert_eq!(commits(&report), [commit('a')], "{}", change.0);
        assert_eq!(report.attempted.is_none(), change.0 == "dryRun");
    }
}

#[test]
fn health_is_how_far_the_roll_out_is() {
    let health = |status: &str| read(&with(&[("/status/health", json!({"status": status, "message": "2 of 3 ready"}))])).rollout;
    assert_eq!(health("Healthy"), Rollout::Complete);
    assert_eq!(health("Progressing"), Rollout::Progressing);
    assert_eq!(health("Suspended"), Rollout::Progressing);
    assert_eq!(health("Degraded"), Rollout::Degraded { why: "2 of 3 ready".into() });
    assert_eq!(health("Missing"), Rollout::Degraded { why: "2 of 3 ready".into() });
    assert_eq!(health("Unknown"), Rollout::Unknown);
    assert_eq!(health("Splendid"), Rollout::Unknown);
    assert_eq!(read(&with(&[("/status/health", Value::Null)])).rollout, Rollout::Unknown);
}

#[test]
fn of_several_sources_the_watched_repositorys_counts() {
    let chart = json!({"repoURL": "https://charts.acme.example", "chart": "checkout", "targetRevision": "1.4.2"});
    let values = json!({"repoURL": "git@github.com:acme/manifests.git", "targetRevision": "main", "ref": "values"});
    let several = |sources: Value, revisions: Value| {
        read(&with(&[
            ("/spec/source", Value::Null),
            ("/spec/sources", sources),
            ("/status/sync", json!({"status": "Synced", "revisions": revisions})),
            ("/status/operationState/syncResult", json!({"revision": "", "revisions": revisions})),
        ]))
    };
    let report = several(json!([chart, values]), json!(["1.4.2", oid('a')]));
    assert_eq!((commits(&report), report.attempted.unwrap().commit), (vec![commit('a')], commit('a')));
    // Two sources of the repository at one commit are one revision; at two commits they are two, and no one attempt.
    let report = several(json!([values, chart, values]), json!([oid('a'), "1.4.2", oid('a')]));
    assert_eq!(commits(&report), [commit('a')]);
    let report = several(json!([values, values]), json!([oid('a'), oid('b')]));
    assert_eq!((commits(&report), report.attempted), (vec![commit('a'), commit('b')], None));
    let report = several(json!([chart]), json!(["1.4.2"]));
    assert_eq!(unknown(&report), "Argo CD: none of the application's sources is the watched repository");
    let report = several(json!([chart, values]), json!(["1.4.2"]));
    assert_eq!(unknown(&report), "Argo CD: the application has other sources now than when it was synced");
}

#[test]
fn a_revision_that_is_no_commit_is_unknown() {
    let report = read(&with(&[("/status/sync/revision", json!("1.4.2"))]));
    assert_eq!(unknown(&report), "Argo CD: its revision `1.4.2` is no commit");
}

/// `d` was rendered from `a`.
fn hydrated() -> Vec<(&'static str, Value)> {
    vec![
        ("/spec/source", Value::Null),
        (
            "/spec/sourceHydrator",
            json!({
                "drySource": {"repoURL": REPOSITORY, "targetRevision": "main", "path": "apps/checkout"},
                "syncSource": {"targetBranch": "env/prod", "path": "checkout"},
            }),
        ),
        ("/status/sync/revision", json!(oid('d'))),
        ("/status/operationState/syncResult/revision", json!(oid('d'))),
        (
            "/status/sourceHydrator",
            json!({
                "lastSuccessfulOperation": {"drySHA": oid('a'), "hydratedSHA": oid('d')},
                "currentOperation": {"phase": "Hydrated", "message": "", "drySHA": oid('a'), "hydratedSHA": oid('d')},
            }),
        ),
    ]
}

#[tokio::test]
async fn a_rendered_revision_is_brought_back_to_its_dry_commit_and_the_pair_is_remembered() {
    let (api, folder) = (Api::default(), tempfile::tempdir().unwrap());
    let source = source(&api.serve().await, &folder);
    api.object(PATH, &with(&hydrated()));
    let report = source.observe(NOW).await;
    assert_eq!((report.applied[0].commit, report.applied[0].rendered), (commit('a'), Some(commit('d'))));
    assert_eq!(report.attempted.as_ref().unwrap().commit, commit('a'));
    // The hydrator went on to `b` → `e`, and the cluster still runs `d`.
    let newer = json!({"lastSuccessfulOperation": {"drySHA": oid('b'), "hydratedSHA": oid('e')}});
    let next = with(&[hydrated(), vec![("/status/sourceHydrator", newer)]].concat());
    api.object(PATH, &next);
    assert_eq!(commits(&source.observe(NOW).await), [commit('a')]);
    // Who never saw the pair does not guess.
    assert_eq!(unknown(&read(&next)), "Argo CD: the hydrator no longer tells from which commit it rendered dddddddddd");
}

#[test]
fn a_revision_that_cannot_be_rendered_is_a_failed_attempt() {
    let failed_rendering = json!({
        "lastSuccessfulOperation": {"drySHA": oid('a'), "hydratedSHA": oid('d')},
        "currentOperation": {"phase": "Failed", "message": "Manifest generation error: no such file", "drySHA": oid('b')},
    });
    let application = with(&[hydrated(), vec![("/status/sourceHydrator", failed_rendering)]].concat());
    let mut known = Rendered::default();
    known.learn(vec![(commit('d'), commit('a'))]);
    let report = read_knowing(&application, &known);
    assert_eq!(failed(&report), ("the hydrator: Manifest generation error: no such file", FailureCause::Revision));
    assert_eq!((report.attempted.unwrap().commit, report.applied[0].commit), (commit('b'), commit('a')));
}

#[test]
fn so_many_rendered_commits_are_remembered() {
    let mut rendered = Rendered::default();
    let id = |number: usize| CommitId(std::array::from_fn(|place| if place == 0 { 7 } else { u8::try_from(number).unwrap() }));
    rendered.learn((0..REMEMBERED).map(|number| (id(number), commit('a'))).collect());
    rendered.learn(vec![(id(0), commit('b')), (commit('c'), commit('b'))]);
    assert_eq!(rendered.0.len(), REMEMBERED);
    assert_eq!((rendered.dry(id(0)), rendered.dry(commit('c')), rendered.dry(id(1))), (Some(commit('b')), Some(commit('b')), None));
}

#[test]
fn an_application_that_was_never_synced_has_nothing_applied() {
    let report = read(&with(&[("/status", json!({"sync": {"status": "OutOfSync", "revision": oid('a')}}))]));
    assert_eq!((report.attempted, report.applied, report.rollout), (None, Vec::new(), Rollout::Unknown));
    assert!(read(&with(&[("/status", Value::Null)])).applied.is_empty());
}
