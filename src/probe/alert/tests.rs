//! The probe against a server that says what it is told to say.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;
use crate::net::address::AddressRules;

/// 2027-01-15T08:00:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn probe(address: SocketAddr, api: AlertApi) -> AlertProbe {
    let server = AlertServer {
        url: format!("http://{address}/"),
        api,
        headers: vec![("X-Scope-OrgID".to_owned(), Secret::new("hunter2"))],
        bearer_token_file: None,
    };
    let labels = BTreeMap::from([("app".to_owned(), "checkout".to_owned())]);
    let selector = AlertSelector { name: "Too \"many\" errors".to_owned(), labels };
    AlertProbe::new(Client::new(AddressRules::for_operator()).unwrap(), server, selector, Duration::from_secs(60), Duration::from_secs(5))
}

/// An Alertmanager with this answer.
async fn managed(answer: &'static str) -> Outcome {
    let router = Router::new().route(
        "/api/v2/alerts",
        get(move |uri: Uri, headers: HeaderMap| async move {
            assert!(uri.query().unwrap().ends_with("&filter=alertname%3D%22Too%20%5C%22many%5C%22%20errors%22"), "{uri}");
            assert_eq!(headers["x-scope-orgid"], "hunter2");
            answer
        }),
    );
    probe(serve(router).await, AlertApi::Alertmanager { watchdog: None }).round(NOW).await.outcome
}

/// A Prometheus with these answers for rules and alerts.
async fn ruled(rules: &'static str, alerts: &'static str) -> Outcome {
    let router =
        Router::new().route("/api/v1/rules", get(move || async move { rules })).route("/api/v1/alerts", get(move || async move { alerts }));
    probe(serve(router).await, AlertApi::Prometheus).round(NOW).await.outcome
}

fn unknown(outcome: Outcome) -> String {
    match outcome {
        Outcome::Unknown(unknown) => unknown.to_string(),
        other => format!("known: {other:?}"),
    }
}

const LABELS: &str = r#""labels": {"alertname": "Too \"many\" errors", "app": "checkout"}"#;

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn manager_answer(status: &str) -> &'static str {
    leaked(format!(
        r#"[{{{LABELS}, "annotations": {{}}, "status": {status}, "startsAt": "2027-01-15T07:58:00.5Z", "endsAt": "2027-01-15T08:04:00Z",
            "updatedAt": "2027-01-15T07:59:00Z", "fingerprint": "a1", "receivers": [{{"name": "oncall"}}]}}]"#
    ))
}

#[tokio::test]
async fn an_alertmanager_tells_what_fires_and_what_is_silenced() {
    let fires = managed(manager_answer(r#"{"state": "active", "silencedBy": [], "inhibitedBy": []}"#)).await;
    assert_eq!(fires, Outcome::Bad("`Too \"many\" errors` fires since 2027-01-15T07:58:00.500Z".to_owned()));
    let silenced = managed(manager_answer(r#"{"state": "suppressed", "silencedBy": ["4a6b"], "inhibitedBy": []}"#)).await;
    assert_eq!(unknown(silenced), "`Too \"many\" errors` is silenced by 4a6b");
    let inhibited = managed(manager_answer(r#"{"state": "suppressed", "silencedBy": [], "inhibitedBy": ["c0"]}"#)).await;
    assert_eq!(unknown(inhibited), "`Too \"many\" errors` is inhibited by c0");
    let muted = managed(manager_answer(r#"{"state": "suppressed", "silencedBy": [], "inhibitedBy": [], "mutedBy": ["night"]}"#)).await;
    assert_eq!(unknown(muted), "`Too \"many\" errors` is muted by night");
    let unprocessed = managed(manager_answer(r#"{"state": "unprocessed", "silencedBy": [], "inhibitedBy": []}"#)).await;
    assert_eq!(unknown(unprocessed), "`Too \"many\" errors` is unprocessed");
    assert_eq!(managed("[]").await, Outcome::Good("`Too \"many\" errors` does not fire".to_owned()));
}

#[tokio::test]
async fn without_its_watchdog_an_alertmanager_says_nothing() {
    let watchdog = AlertSelector { name: "Watchdog".to_owned(), labels: BTreeMap::new() };
    let answer = |fires: &'static str| {
        Router::new().route(
            "/api/v2/alerts",
            get(move |uri: Uri| async move { if uri.query().unwrap().contains("Watchdog") { fires } else { "[]" } }),
        )
    };
    let api = || AlertApi::Alertmanager { watchdog: Some(watchdog.clone()) };
    let absent = probe(serve(answer("[]")).await, api()).round(NOW).await.outcome;
    assert_eq!(unknown(absent), "the alert `Watchdog`, which always fires, is absent: alerts do not reach the server");
    let there = r#"[{"labels": {"alertname": "Watchdog"}, "status": {"state": "active"}}]"#;
    assert!(matches!(probe(serve(answer(there)).await, api()).round(NOW).await.outcome, Outcome::Good(_)));
}

fn rules(rule: &str) -> &'static str {
    leaked(format!(r#"{{"status": "success", "data": {{"groups": [{{"name": "g", "rules": [{rule}]}}]}}}}"#))
}

fn alerts(alerts: &str) -> &'static str {
    leaked(format!(r#"{{"status": "success", "data": {{"alerts": [{alerts}]}}}}"#))
}

#[tokio::test]
async fn a_prometheus_tells_what_fires_and_whether_the_rule_lives() {
    let rule = |health: &str, at: &str| {
        rules(&format!(
            r#"{{"name": "Other", "health": "err"}}, {{"name": "Too \"many\" errors", "health": "{health}", "lastEvaluation": "{at}", "lastError": "no such metric hunter2"}}"#
        ))
    };
    let living = || rule("ok", "2027-01-15T07:59:30.123456789Z");
    let alert = |state: &str| {
        alerts(&format!(r#"{{{LABELS}, "annotations": {{}}, "state": "{state}", "activeAt": "2027-01-15T07:58:00Z", "value": "1e+00"}}"#))
    };
    assert_eq!(ruled(living(), alert("firing")).await, Outcome::Bad("`Too \"many\" errors` fires since 2027-01-15T07:58:00Z".to_owned()));
    assert_eq!(unknown(ruled(living(), alert("pending")).await), "`Too \"many\" errors` is pending");
    assert_eq!(ruled(living(), alerts("")).await, Outcome::Good("`Too \"many\" errors` does not fire".to_owned()));
    assert_eq!(unknown(ruled(rules(""), alerts("")).await), "no data");
    assert!(unknown(ruled(rule("ok", "2027-01-15T07:50:00Z"), alerts("")).await).starts_with("newest sample is 10m"));
    let failing = unknown(ruled(rule("err", "2027-01-15T07:59:30Z"), alert("firing")).await);
    assert!(failing.contains("the rule cannot be evaluated: no such metric") && !failing.contains("hunter2"), "{failing}");
    assert!(unknown(ruled(rule("unknown", GO_ZERO_TIME), alerts("")).await).contains("cannot be evaluated"));
}

#[tokio::test]
async fn whatever_is_no_complete_answer_is_unknown() {
    for answer in ["", "{", "{}", "[{}]", "null", r#"{"status": "error", "error": "hunter2"}"#] {
        let found = unknown(managed(answer).await);
        assert!(found.starts_with("metrics server (unreadable answer"), "{answer}: {found}");
        let found = unknown(ruled(answer, answer).await);
        assert!(found.starts_with("metrics server (") && !found.contains("hunter2"), "{answer}: {found}");
    }
    let sick = Router::new().route("/api/v2/alerts", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "warming up for hunter2") }));
    let outcome = probe(serve(sick).await, AlertApi::Alertmanager { watchdog: None }).round(NOW).await.outcome;
    let said = unknown(outcome);
    assert!(said.starts_with("metrics server (503: warming up for") && !said.contains("hunter2"), "{said}");
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    assert!(unknown(probe(nobody, AlertApi::Prometheus).round(NOW).await.outcome).starts_with("metrics server ("));
}
