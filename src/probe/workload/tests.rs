//! Against a server that gives the answers that the Kubernetes API reference describes.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::engine::id::MetricsName;
use crate::net::secret::Secret;
use crate::net::server::Material;
use crate::net::testing::Api;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/checkout";
const PODS: &str = "/api/v1/namespaces/shop/pods?limit=200&labelSelector=app%3Dcheckout%2Ctier%20in%20%28web%2Capi%29";

const NOW: Timestamp = Timestamp::from_secs(1_795_230_600); // 2026-11-21T03:10:00Z

/// Answers by address: `answering(&[(path, status, body)])`.
fn answering(answers: &[(&str, u16, &Value)]) -> Api {
    let api = Api::default();
    answers.iter().for_each(|(path, status, body)| api.answer(path, *status, body.to_string()));
    api
}

fn probe(kind: WorkloadKind) -> WorkloadProbe {
    let indicator = WorkloadIndicator {
        server: MetricsName::new("prod"),
        every: Duration::from_secs(15),
        kind,
        namespace: "shop".into(),
        name: "checkout".into(),
    };
    WorkloadProbe::new(KubernetesAccess::Kubeconfig { path: "/nonexistent/config".into(), context: None }, &indicator)
}

/// What is found over plain HTTP: the server is put together here and not read from a kubeconfig.
async fn found(api: &Api, kind: WorkloadKind) -> Outcome {
    let server = Server::new(&api.serve().await).with_token(Some(Material::Text(Secret::new("canary-7f3a"))));
    let report = probe(kind).report(&server, NOW).await;
    report.map_or_else(|detail| Outcome::Unknown(Unknown::Cluster { detail }), |report| outcome(&report))
}

fn deployment(replicas: u64, status: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout", "namespace": "shop", "generation": 3},
        "spec": {
            "replicas": replicas, "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": "checkout"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["web", "api"]}]},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        },
        "status": status,
    })
}

fn progressing(reason: &str, message: &str) -> Value {
    json!([{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
           {"type": "Progressing", "status": "True", "reason": reason, "message": message}])
}

fn pod(name: &str, container: &Value) -> Value {
    json!({"metadata": {"name": name}, "status": {"phase": "Running", "containerStatuses": [container]}})
}

/// A pod that is not ready, made at some time.
fn made(at: &str) -> Value {
    json!({"metadata": {"name": "checkout-0", "creationTimestamp": at},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
            "containerStatuses": [{"name": "app", "ready": false, "restartCount": 0, "state": {"running": {}}}]}})
}

fn crashing() -> Value {
    json!({"name": "app", "ready": false, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s"}},
           "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}})
}

#[tokio::test]
async fn a_whole_deployment_is_one_question() {
    let status = json!({"observedGeneration": 3, "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4,
        "conditions": progressing("NewReplicaSetAvailable", "")});
    let api = answering(&[(DEPLOYMENT, 200, &deployment(4, &status))]);
    assert_eq!(found(&api, WorkloadKind::Deployment).await, Outcome::Good("4 of 4 ready".into()));
    assert_eq!(api.asked(), [format!("GET {DEPLOYMENT} Bearer canary-7f3a")]);
}

#[tokio::test]
async fn a_new_pod_that_crashes_is_found_behind_the_old_ones() {
    let status = json!({"observedGeneration": 3, "replicas": 5, "updatedReplicas": 1, "readyReplicas": 4, "unavailableReplicas": 1,
        "conditions": progressing("ReplicaSetUpdated", "")});
    let healthy = json!({"name": "app", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-11-21T03:04:05Z"}}});
    let mut leaving = pod("checkout-old", &crashing());
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-21T03:04:05Z");
    let api = answering(&[(DEPLOYMENT, 200, &deployment(4, &status))]);
    api.object(PODS, &json!({"items": [pod("checkout-1", &healthy), leaving]}));
    assert_eq!(found(&api, WorkloadKind::Deployment).await, Outcome::Good("4 of 4 ready, 1 updated".into()));
    api.object(PODS, &json!({"items": [pod("checkout-1", &healthy), pod("checkout-2", &crashing())]}));
    assert_eq!(
        found(&api, WorkloadKind::Deployment).await,
        Outcome::Bad("4 of 4 ready, 1 updated; checkout-2: CrashLoopBackOff, exit code 137, OOMKilled".into())
    );
    // In the moments in which it runs again.
    let running = json!({"name": "app", "ready": false, "restartCount": 4, "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}});
    api.object(PODS, &json!({"items": [pod("checkout-2", &running)]}));
    assert_eq!(
        found(&api, WorkloadKind::Deployment).await,
        Outcome::Bad("4 of 4 ready, 1 updated; checkout-2: restarted 4 times, exit code 1".into())
    );
}

#[tokio::test]
async fn a_rollout_leaves_as_many_as_its_strategy_says() {
    let status = |ready: u64| {
        json!({"observedGeneration": 3, "replicas": 5, "updatedReplicas": 2, "readyReplicas": ready,
            "conditions": progressing("ReplicaSetUpdated", "")})
    };
    for (ready, good) in [(3, true), (2, false)] {
        let api = answering(&[(DEPLOYMENT, 200, &deployment(4, &status(ready))), (PODS, 200, &json!({"items": []}))]);
        assert_eq!(matches!(found(&api, WorkloadKind::Deployment).await, Outcome::Good(_)), good, "{ready}");
    }
    let mut recreate = deployment(4, &status(3));
    recreate["spec"]["strategy"] = json!({"type": "Recreate"});
    let api = answering(&[(DEPLOYMENT, 200, &recreate), (PODS, 200, &json!({"items": []}))]);
    assert!(matches!(found(&api, WorkloadKind::Deployment).await, Outcome::Bad(_)));
    let stuck = json!({"observedGeneration": 3, "replicas": 5, "updatedReplicas": 1, "readyReplicas": 4,
        "conditions": progressing("ProgressDeadlineExceeded", "ReplicaSet \"checkout-7f\" has timed out progressing.")});
    let api = answering(&[(DEPLOYMENT, 200, &deployment(4, &stuck)), (PODS, 200, &json!({"items": []}))]);
    assert_eq!(
        found(&api, WorkloadKind::Deployment).await,
        Outcome::Bad("4 of 4 ready, 1 updated; ReplicaSet \"checkout-7f\" has timed out progressing.".into())
    );
}

#[tokio::test]
async fn a_status_of_an_earlier_version_says_nothing() {
    let status = json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4});
    let api = answering(&[(DEPLOYMENT, 200, &deployment(4, &status))]);
    let words = found(&api, WorkloadKind::Deployment).await.words();
    assert_eq!(words, "unknown: the status is of generation 2, and 3 is asked for");
}

#[tokio::test]
async fn sets_are_read_as_well() {
    let stateful = |updated: u64, partition: u64| {
        json!({"metadata": {"name": "checkout", "generation": 1},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "checkout"}},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}},
            "status": {"observedGeneration": 1, "replicas": 3, "readyReplicas": 2, "currentReplicas": 3 - updated, "updatedReplicas": updated,
                "currentRevision": "checkout-1", "updateRevision": "checkout-2"}})
    };
    let path = "/apis/apps/v1/namespaces/shop/statefulsets/checkout";
    let pods = "/api/v1/namespaces/shop/pods?limit=200&labelSelector=app%3Dcheckout";
    let (starting, late) = (made("2026-11-21T03:04:05Z"), made("2026-11-21T02:59:00Z"));
    for (updated, partition, pod, expected) in [
        (1, 0, &starting, Outcome::Good("2 of 3 ready, 1 updated".into())),
        // The last pod of the rollout counts as updated once it is made.
        (3, 0, &starting, Outcome::Good("2 of 3 ready, 3 updated".into())),
        (1, 2, &starting, Outcome::Good("2 of 3 ready, 1 updated".into())),
        // What never becomes ready is bad in the end.
        (1, 0, &late, Outcome::Bad("2 of 3 ready, 1 updated, 1 not within 10m".into())),
        (3, 0, &late, Outcome::Bad("2 of 3 ready, 3 updated, 1 not within 10m".into())),
        (1, 2, &late, Outcome::Bad("2 of 3 ready, 1 updated, 1 not within 10m".into())),
    ] {
        let api = answering(&[(path, 200, &stateful(updated, partition)), (pods, 200, &json!({"items": [pod]}))]);
        assert_eq!(found(&api, WorkloadKind::StatefulSet).await, expected);
    }
    let forbidden = answering(&[(path, 200, &stateful(3, 0)), (pods, 403, &json!({}))]);
    let said = found(&forbidden, WorkloadKind::StatefulSet).await.words();
    assert!(said.starts_with("unknown: cluster (its pods: HTTP status 403"), "whether it starts shows in its pods only: {said}");
    let daemons = |ready: u64, updated: u64| {
        json!({"metadata": {"name": "checkout", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "checkout"}}, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}},
        "status": {"observedGeneration": 1, "desiredNumberScheduled": 11, "currentNumberScheduled": 11, "numberReady": ready,
            "updatedNumberScheduled": updated, "numberUnavailable": 11 - ready, "numberMisscheduled": 0}})
    };
    for (ready, updated, items, expected) in [
        (9, 5, vec![&starting, &starting], Outcome::Good("9 of 11 ready, 5 updated".into())),
        (9, 11, vec![&starting, &starting], Outcome::Good("9 of 11 ready, 11 updated".into())),
        (9, 11, vec![&starting, &late], Outcome::Bad("9 of 11 ready, 11 updated, 1 not within 10m".into())),
        (8, 11, vec![&starting, &starting, &starting], Outcome::Bad("8 of 11 ready, 11 updated".into())),
    ] {
        let path = "/apis/apps/v1/namespaces/shop/daemonsets/checkout";
        let api = answering(&[(path, 200, &daemons(ready, updated)), (pods, 200, &json!({"items": items}))]);
        assert_eq!(found(&api, WorkloadKind::DaemonSet).await, expected);
    }
}

#[tokio::test]
async fn pods_behind_the_first_two_hundred_count_too() {
    let status = json!({"observedGeneration": 3, "replicas": 300, "updatedReplicas": 20, "readyReplicas": 300,
        "conditions": progressing("ReplicaSetUpdated", "")});
    let api = answering(&[(DEPLOYMENT, 200, &deployment(300, &status))]);
    let first = json!({"metadata": {"continue": "a=b"}, "items": []});
    api.object(PODS, &first);
    api.object(&format!("{PODS}&continue=a%3Db"), &json!({"metadata": {"continue": ""}, "items": [pod("checkout-2", &crashing())]}));
    let said = found(&api, WorkloadKind::Deployment).await;
    assert_eq!(said, Outcome::Bad("300 of 300 ready, 20 updated; checkout-2: CrashLoopBackOff, exit code 137, OOMKilled".into()));
    // A list that does not end is not known to be well.
    api.object(&format!("{PODS}&continue=a%3Db"), &first);
    let said = found(&api, WorkloadKind::Deployment).await.words();
    assert_eq!(said, "unknown: cluster (its pods: they are more than 2000)");
}

#[tokio::test]
async fn what_is_no_answer_is_unknown() {
    let absent = found(&Api::default(), WorkloadKind::Deployment).await.words();
    assert_eq!(absent, "unknown: cluster (there is no Deployment `shop/checkout`)");
    let forbidden = json!({"kind": "Status", "message": "deployments.apps \"checkout\" is forbidden for canary-7f3a", "code": 403});
    let said = found(&answering(&[(DEPLOYMENT, 403, &forbidden)]), WorkloadKind::Deployment).await.words();
    assert!(said.contains("403") && said.contains("is forbidden") && !said.contains("canary"), "{said}");
    // Without the pods, old ones that serve hide new ones that crash.
    let status = json!({"observedGeneration": 3, "replicas": 5, "updatedReplicas": 1, "readyReplicas": 4});
    let api = answering(&[(DEPLOYMENT, 200, &deployment(4, &status)), (PODS, 403, &forbidden)]);
    let said = found(&api, WorkloadKind::Deployment).await.words();
    assert!(said.starts_with("unknown: cluster (its pods: HTTP status 403"), "{said}");
    let said = probe(WorkloadKind::Deployment).round(Timestamp(0)).await.outcome.words();
    assert!(said.starts_with("unknown: cluster (the kubeconfig /nonexistent/config:"), "{said}");
}
