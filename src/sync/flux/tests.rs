//! From answers written after Flux's API reference; no cluster runs here.

use serde_json::{Value, json};

use super::super::testing::{Api, NOW, commit, oid};
use super::*;
use crate::engine::id::CommitId;
use crate::engine::sync::{AttemptShows, FailureCause, Rollout};

const KUSTOMIZATION: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/shop/kustomizations/checkout";
const REPOSITORY: &str = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/manifests";
const RELEASE: &str = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/shop/helmreleases/checkout";
const CHART: &str = "/apis/source.toolkit.fluxcd.io/v1/namespaces/shop/helmcharts/shop-checkout";

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 3,
        "lastTransitionTime": "2026-11-21T03:03:00Z"})
}

fn kustomization(attempted: &str, applied: &str, conditions: &[Value]) -> Value {
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "checkout", "namespace": "shop", "generation": 3},
        "spec": {"interval": "10m0s", "path": "./apps/checkout", "prune": true, "wait": true,
            "sourceRef": {"kind": "GitRepository", "name": "manifests", "namespace": "flux-system"}},
        "status": {"observedGeneration": 3, "lastAttemptedRevision": attempted, "lastAppliedRevision": applied, "conditions": conditions,
            "inventory": {"entries": []}},
    })
}

fn main_at(digit: char) -> String {
    format!("main@sha1:{}", oid(digit))
}

fn ready(digit: char) -> Value {
    kustomization(&main_at(digit), &main_at(digit), &[condition("Ready", "True", "ReconciliationSucceeded", "Applied revision")])
}

/// `b` was tried over `a`, and this came of it.
fn tried(conditions: &[Value]) -> Value {
    kustomization(&main_at('b'), &main_at('a'), conditions)
}

fn read(kustomization: &Value) -> SyncReport {
    serde_json::from_value::<Kustomization>(kustomization.clone()).unwrap().report(NOW)
}

fn commits(report: &SyncReport) -> Vec<CommitId> {
    report.applied.iter().map(|revision| revision.commit).collect()
}

fn attempted(report: &SyncReport) -> Option<CommitId> {
    report.attempted.as_ref().map(|revision| revision.commit)
}

fn unknown(report: &SyncReport) -> &str {
    assert!(report.applied.is_empty() && report.attempted.is_none());
    let SyncState::Unknown { why } = &report.state else { return "it is known" };
    why
}

/// A kubeconfig for the fake, which is asked over plain HTTP: the server is put together here and not read from a file.
async fn ask(api: &Api, object: &FluxObject) -> SyncReport {
    let token = crate::net::server::Material::Text(crate::net::secret::Secret::new("canary-7f3a"));
    let server = Server::new(&api.serve().await).with_token(Some(token));
    let flux = Flux::new(KubernetesAccess::Kubeconfig { path: "unused".into(), context: None }, object.clone());
    flux.ask_server(&server, NOW).await
}

fn checkout() -> FluxObject {
    FluxObject::Kustomization { namespace: "shop".into(), name: "checkout".into() }
}

fn release() -> FluxObject {
    FluxObject::HelmRelease { namespace: "shop".into(), name: "checkout".into() }
}

#[tokio::test]
async fn a_kustomization_is_read_with_its_source_and_nothing_else() {
    let api = Api::default();
    api.object(KUSTOMIZATION, &ready('a'));
    api.object(
        REPOSITORY,
        &json!({"spec": {}, "status": {"conditions": [condition("Ready", "True", "Succeeded", "stored artifact")],
        "artifact": {"revision": main_at('a')}}}),
    );
    let report = ask(&api, &checkout()).await;
    let revision = ReportedRevision::of(commit('a'));
    let expected = SyncReport {
        at: NOW,
        state: SyncState::Applied,
        shows: AttemptShows::AtBegin,
        attempted: Some(revision.clone()),
        applied: vec![revision],
        rollout: Rollout::Complete,
    };
    assert_eq!(report, expected);
    assert_eq!(api.asked(), [format!("GET {KUSTOMIZATION} Bearer canary-7f3a"), format!("GET {REPOSITORY} Bearer canary-7f3a")]);
}

#[tokio::test]
async fn a_source_that_stands_still_tells_why_nothing_new_comes() {
    let api = Api::default();
    api.object(KUSTOMIZATION, &ready('a'));
    api.object(REPOSITORY, &json!({"spec": {"suspend": true}}));
    let report = ask(&api, &checkout()).await;
    assert_eq!((report.state, report.applied.len()), (SyncState::Suspended, 1));
    let failed = condition("Ready", "False", "GitOperationFailed", "failed to checkout: authentication required");
    api.object(REPOSITORY, &json!({"spec": {}, "status": {"conditions": [failed]}}));
    let why = "the GitRepository `manifests`: GitOperationFailed: failed to checkout: authentication required".to_owned();
    assert_eq!(ask(&api, &checkout()).await.state, SyncState::Failed { why, cause: FailureCause::Elsewhere });
    // A token that may not read sources leaves that untold.
    api.answer(REPOSITORY, 403, r#"{"kind":"Status","message":"gitrepositories is forbidden"}"#);
    assert_eq!(ask(&api, &checkout()).await.state, SyncState::Applied);
}

#[tokio::test]
async fn what_is_no_answer_is_unknown_with_a_sentence_and_without_the_token() {
    let api = Api::default();
    let cases = [
        (404, "{}", "Flux: there is no Kustomization `shop/checkout`"),
        (
            401,
            r#"{"kind":"Status","message":"Unauthorized canary-7f3a"}"#,
            "Flux: the Kustomization `shop/checkout`: HTTP status 401, the token is not accepted: Unauthorized [redacted]",
        ),
        (
            403,
            r#"{"kind":"Status","message":"kustomizations is forbidden"}"#,
            "Flux: the Kustomization `shop/checkout`: HTTP status 403, the token may not read it: kustomizations is forbidden",
        ),
        (200, "{}", "Flux: the Kustomization `shop/checkout`: unreadable answer: missing field `spec` at line 1 column 2"),
    ];
    for (status, body, sentence) in cases {
        api.answer(KUSTOMIZATION, status, body);
        assert_eq!(unknown(&ask(&api, &checkout()).await), sentence);
    }
    let nowhere = KubernetesAccess::Kubeconfig { path: "/nonexistent/config".into(), context: None };
    let report = Flux::new(nowhere, checkout()).observe(NOW).await;
    assert!(unknown(&report).starts_with("Flux: the kubeconfig /nonexistent/config: No such file"));
}

#[test]
fn both_forms_of_a_revision_are_read() {
    for form in ["main@sha1:", "main/", "sha1:"] {
        let revision = format!("{form}{}", oid('a'));
        let report = read(&kustomization(&revision, &revision, &[condition("Ready", "True", "ReconciliationSucceeded", "")]));
        assert_eq!((commits(&report), attempted(&report)), (vec![commit('a')], Some(commit('a'))), "{form}");
    }
}

#[test]
fn an_artifact_of_a_registry_tells_the_commit_that_it_was_made_from() {
    let digest = |digit: char| format!("latest@sha256:{}", String::from(digit).repeat(64));
    let mut artifact = kustomization(&digest('1'), &digest('1'), &[condition("Ready", "True", "ReconciliationSucceeded", "")]);
    assert_eq!(unknown(&read(&artifact)), format!("Flux: its revision `{}` is no commit", digest('1')));
    artifact["status"]["lastAppliedOriginRevision"] = json!(main_at('a'));
    let report = read(&artifact);
    assert_eq!((commits(&report), attempted(&report)), (vec![commit('a')], Some(commit('a'))));
    // Of an artifact that was only tried, the commit is not known.
    artifact["status"]["lastAttemptedRevision"] = json!(digest('2'));
    let report = read(&artifact);
    assert_eq!((commits(&report), attempted(&report)), (vec![commit('a')], None));
}

#[test]
fn a_kustomization_that_checks_no_health_does_not_watch_the_roll_out() {
    let mut unwatched = ready('a');
    unwatched["spec"]["wait"] = json!(false);
    assert_eq!(read(&unwatched).rollout, Rollout::Unwatched);
    unwatched["spec"]["healthChecks"] = json!([]);
    assert_eq!(read(&unwatched).rollout, Rollout::Unwatched);
    unwatched["spec"]["healthChecks"] = json!([{"kind": "Deployment", "name": "checkout"}]);
    assert_eq!(read(&unwatched).rollout, Rollout::Complete);
}

#[test]
fn suspended_is_suspended_and_keeps_what_is_applied() {
    let mut suspended = ready('a');
    suspended["spec"]["suspend"] = json!(true);
    let report = read(&suspended);
    assert_eq!((&report.state, commits(&report)), (&SyncState::Suspended, vec![commit('a')]));
}

#[test]
fn under_way_is_in_the_cluster_once_health_is_checked() {
    let under_way = |message: &str| {
        let reconciling = condition("Reconciling", "True", "Progressing", message);
        read(&tried(&[reconciling, condition("Ready", "Unknown", "Progressing", "Reconciliation in progress")]))
    };
    let building = under_way(&format!("Building manifests for revision {} with a timeout of 1m0s", main_at('b')));
    assert_eq!(
        (&building.state, commits(&building), attempted(&building)),
        (&SyncState::Progressing, vec![commit('a')], Some(commit('b')))
    );
    let checking = under_way(&format!("Running health checks for revision {} with a timeout of 1m0s", main_at('b')));
    assert_eq!((commits(&checking), &checking.rollout), (vec![commit('b')], &Rollout::Progressing));
    // The message is about an earlier revision.
    let stale = under_way(&format!("Running health checks for revision {} with a timeout of 1m0s", main_at('c')));
    assert_eq!(commits(&stale), [commit('a')]);
}

#[test]
fn each_failure_says_of_what_and_whether_the_revision_is_in_the_cluster() {
    use FailureCause::{Elsewhere, Revision, Unclear};
    let invalid = "Deployment/shop/checkout dry-run failed (Invalid): spec.selector: field is immutable";
    let cases = [
        ("BuildFailed", "kustomize build failed: accumulating resources", Some(Revision), 'a', Some('b')),
        ("ReconciliationFailed", invalid, Some(Revision), 'a', Some('b')),
        ("ReconciliationFailed", "failed to get API group resources: connection refused", Some(Unclear), 'a', Some('b')),
        ("PruneFailed", "delete failed", Some(Unclear), 'b', Some('b')),
        ("HealthCheckFailed", "timeout waiting for: [Deployment/shop/checkout status: 'InProgress']", None, 'b', Some('b')),
        // What failed before the revision was named is not the one that stands there.
        ("ArtifactFailed", "kustomization path not found: stat /tmp/apps/checkout", Some(Revision), 'a', None),
        ("ArtifactFailed", "Source artifact not found, retrying in 30s", Some(Elsewhere), 'a', None),
        ("DependencyNotReady", "dependency 'flux-system/infra' is not ready", Some(Elsewhere), 'a', None),
        ("AccessDenied", "can't access 'GitRepository/other/manifests'", Some(Elsewhere), 'a', None),
        ("SomethingNew", "?", Some(Unclear), 'a', Some('b')),
    ];
    for (reason, message, cause, applied, named) in cases {
        let report = read(&tried(&[condition("Ready", "False", reason, message)]));
        let state = match cause {
            Some(cause) => SyncState::Failed { why: format!("{reason}: {message}"), cause },
            None => SyncState::Applied,
        };
        assert_eq!(report.state, state);
        assert_eq!((commits(&report), attempted(&report)), (vec![commit(applied)], named.map(commit)), "{reason}");
        assert_eq!(matches!(report.rollout, Rollout::Degraded { .. }), applied == 'b', "{reason}");
    }
    let canceled = read(&tried(&[condition("Ready", "False", "HealthCheckCanceled", "New reconciliation triggered")]));
    assert_eq!((&canceled.state, commits(&canceled)), (&SyncState::Progressing, vec![commit('b')]));
}

#[test]
fn what_is_said_of_an_earlier_generation_is_not_about_this_one() {
    for status in ["True", "False"] {
        let mut changed = tried(&[condition("Ready", status, "BuildFailed", "")]);
        changed["metadata"]["generation"] = json!(4);
        let report = read(&changed);
        assert_eq!((&report.state, commits(&report)), (&SyncState::Progressing, vec![commit('a')]));
    }
}

#[test]
fn a_kustomization_that_was_never_applied_has_nothing_applied() {
    let mut fresh = ready('a');
    fresh.as_object_mut().unwrap().remove("status");
    let report = read(&fresh);
    assert_eq!((report.state, report.applied, report.attempted), (SyncState::Progressing, Vec::new(), None));
}

fn helm(conditions: &[Value]) -> Value {
    json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "checkout", "namespace": "shop", "generation": 3,
            "labels": {"kustomize.toolkit.fluxcd.io/name": "checkout", "kustomize.toolkit.fluxcd.io/namespace": "shop"}},
        "spec": {"interval": "10m", "chart": {"spec": {"chart": "checkout", "version": "1.x",
            "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}, "values": {"replicas": 2}},
        "status": {"observedGeneration": 3, "lastAttemptedGeneration": 3, "lastAttemptedRevision": "1.4.2", "helmChart": "shop/shop-checkout",
            "history": [{"version": 7, "status": "deployed", "chartName": "checkout", "chartVersion": "1.4.2"}], "conditions": conditions},
    })
}

fn released() -> Value {
    helm(&[condition("Ready", "True", "UpgradeSucceeded", "Helm upgrade succeeded")])
}

async fn helm_report(release_object: &Value, above: &Value) -> SyncReport {
    let api = Api::default();
    api.object(RELEASE, release_object);
    api.object(KUSTOMIZATION, above);
    ask(&api, &release()).await
}

#[tokio::test]
async fn a_release_has_the_commit_of_the_kustomization_that_applied_it() {
    let report = helm_report(&released(), &ready('a')).await;
    assert_eq!((&report.state, commits(&report), attempted(&report)), (&SyncState::Applied, vec![commit('a')], Some(commit('a'))));
    assert_eq!(report.rollout, Rollout::Complete);
    for pointer in ["/install", "/upgrade"] {
        let mut unwatched = released();
        unwatched["spec"][&pointer[1..]] = json!({"disableWait": true});
        assert_eq!(helm_report(&unwatched, &ready('a')).await.rollout, Rollout::Unwatched);
    }
    let mut values = released();
    values["spec"]["valuesFrom"] = json!([{"kind": "ConfigMap", "name": "values"}]);
    assert_eq!(helm_report(&values, &ready('a')).await.rollout, Rollout::Unwatched);
}

#[tokio::test]
async fn a_generation_that_is_not_released_is_not_applied() {
    let mut waiting = released();
    waiting["metadata"]["generation"] = json!(4);
    let report = helm_report(&waiting, &ready('b')).await;
    assert_eq!((&report.state, commits(&report), attempted(&report)), (&SyncState::Progressing, vec![], None));
    waiting["status"]["lastAttemptedGeneration"] = json!(4);
    let report = helm_report(&waiting, &ready('b')).await;
    assert_eq!((&report.state, commits(&report), attempted(&report)), (&SyncState::Progressing, vec![], Some(commit('b'))));
    let mut suspended = released();
    suspended["spec"]["suspend"] = json!(true);
    assert_eq!(helm_report(&suspended, &ready('b')).await.state, SyncState::Suspended);
}

#[tokio::test]
async fn a_failed_upgrade_leaves_what_was_released_before() {
    let api = Api::default();
    let flux = Flux::new(KubernetesAccess::Kubeconfig { path: "unused".into(), context: None }, release());
    let server = Server::new(&api.serve().await);
    api.object(RELEASE, &released());
    api.object(KUSTOMIZATION, &ready('a'));
    assert_eq!(commits(&flux.ask_server(&server, NOW).await), [commit('a')]);
    api.object(KUSTOMIZATION, &ready('b'));
    let cases = [
        ("UpgradeFailed", "Helm upgrade failed: template: checkout/templates/deployment.yaml:7", "deployed", FailureCause::Revision, 'a'),
        ("UpgradeFailed", "Helm upgrade failed: context deadline exceeded", "failed", FailureCause::Revision, 'b'),
        ("TestFailed", "Helm test failed", "deployed", FailureCause::Revision, 'b'),
        ("RollbackSucceeded", "Helm rollback to previous release succeeded", "deployed", FailureCause::Revision, 'a'),
        ("DependencyNotReady", "dependency not ready", "deployed", FailureCause::Elsewhere, 'a'),
        ("SourceNotReady", "HelmChart is not ready", "deployed", FailureCause::Elsewhere, 'a'),
        ("SomethingNew", "?", "deployed", FailureCause::Unclear, 'a'),
    ];
    for (reason, message, status, cause, applied) in cases {
        let mut failed = helm(&[condition("Ready", "False", reason, message)]);
        failed["status"]["history"][0]["status"] = json!(status);
        api.object(RELEASE, &failed);
        let report = flux.ask_server(&server, NOW).await;
        assert_eq!(report.state, SyncState::Failed { why: format!("{reason}: {message}"), cause });
        assert_eq!((commits(&report), attempted(&report)), (vec![commit(applied)], Some(commit('b'))), "{reason}");
    }
    let waited = condition("Ready", "False", "UpgradeFailed", "context deadline exceeded");
    let mut remediated = helm(&[waited, condition("Remediated", "True", "RollbackSucceeded", "")]);
    remediated["status"]["history"][0]["status"] = json!("failed");
    api.object(RELEASE, &remediated);
    assert_eq!(commits(&flux.ask_server(&server, NOW).await), [commit('a')]);
}

#[tokio::test]
async fn a_kustomization_that_fails_keeps_everything_newer_from_its_releases() {
    let above = tried(&[condition("Ready", "False", "BuildFailed", "no such file")]);
    let report = helm_report(&released(), &above).await;
    let state = SyncState::Failed { why: "BuildFailed: no such file".into(), cause: FailureCause::Revision };
    assert_eq!((report.state.clone(), commits(&report), attempted(&report)), (state, vec![commit('a')], Some(commit('b'))));
    // While it applies a newer revision, the release may be at that one already.
    let under_way = tried(&[condition("Ready", "Unknown", "Progressing", "Reconciliation in progress")]);
    let report = helm_report(&released(), &under_way).await;
    assert_eq!((report.state.clone(), commits(&report), attempted(&report)), (SyncState::Applied, vec![commit('a')], Some(commit('b'))));
    let mut alone = released();
    alone["metadata"]["labels"] = json!({});
    let sentence = "Flux: the HelmRelease `shop/checkout` was not applied by a Kustomization, so no commit belongs to it";
    assert_eq!(unknown(&helm_report(&alone, &ready('a')).await), sentence);
}

#[tokio::test]
async fn a_chart_out_of_git_names_its_commit_or_is_unknown() {
    let mut of_git = released();
    of_git["spec"]["chart"]["spec"]["sourceRef"]["kind"] = json!("GitRepository");
    let sentence = "Flux: its chart comes from Git without `reconcileStrategy: Revision`, so it does not name the commit that it runs";
    assert_eq!(unknown(&helm_report(&of_git, &ready('a')).await), sentence);
    of_git["spec"]["chart"]["spec"]["reconcileStrategy"] = json!("Revision");
    let api = Api::default();
    api.object(KUSTOMIZATION, &ready('a'));
    let built = |digit| json!({"status": {"observedSourceArtifactRevision": main_at(digit)}});
    let cases = [
        ('a', format!("1.4.2+{}", &oid('a')[..12]), vec![commit('a')]),
        // The chart is of another commit than the object: a change must be in both before it is everywhere.
        ('b', format!("1.4.2+{}.1", &oid('b')[..12]), vec![commit('a'), commit('b')]),
        // The chart is newer than the release.
        ('b', format!("1.4.2+{}", &oid('a')[..12]), vec![]),
        ('b', "1.4.2".to_owned(), vec![]),
    ];
    for (chart, version, expected) in cases {
        of_git["status"]["lastAttemptedRevision"] = json!(version);
        api.object(RELEASE, &of_git);
        api.object(CHART, &built(chart));
        assert_eq!(commits(&ask(&api, &release()).await), expected, "{version}");
    }
}
