//! The query client against a server of the test's own, which records what it is asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;

use super::*;

type Asked = Arc<Mutex<Vec<(String, BTreeMap<String, String>, Option<String>)>>>;
type Say = Arc<dyn Fn(&BTreeMap<String, String>) -> (StatusCode, String) + Send + Sync>;

struct Server {
    url: String,
    asked: Asked,
}

async fn answer(
    State((asked, say)): State<(Asked, Say)>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> impl IntoResponse {
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let said = say(&form);
    asked.lock().unwrap().push((uri.path().to_owned(), form, authorization));
    said
}

async fn server(say: impl Fn(&BTreeMap<String, String>) -> (StatusCode, String) + Send + Sync + 'static) -> Server {
    let asked = Asked::default();
    let say: Say = Arc::new(say);
    let router = Router::new().fallback(answer).with_state((Arc::clone(&asked), say));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/prefix/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Server { url, asked }
}

fn client(url: &str, token: Option<PathBuf>) -> PrometheusClient {
    PrometheusClient::new(
        url,
        vec![("x-scope".into(), "tenant-canary".into())],
        token,
        AddressRules::for_operator(),
        Duration::from_secs(20),
    )
    .unwrap()
}

fn scalar(value: &str) -> (StatusCode, String) {
    (StatusCode::OK, format!(r#"{{"status":"success","data":{{"resultType":"scalar","result":[0,"{value}"]}}}}"#))
}

#[tokio::test]
async fn an_instant_query_is_a_form_with_the_time_and_the_token_of_the_moment() {
    let server = server(|_| scalar("3")).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "first\n").unwrap();
    let client = client(&server.url, Some(token.clone()));
    assert_eq!(client.instant("up{a=\"b\"}", Timestamp(1_500_250)).await.unwrap(), Evaluated::Number(3.0));
    std::fs::write(&token, "second\n").unwrap();
    client.instant("up", Timestamp(0)).await.unwrap();

    let asked = server.asked.lock().unwrap();
    let (path, form, authorization) = &asked[0];
    assert_eq!(path, "/prefix/api/v1/query");
    assert_eq!((form["query"].as_str(), form["time"].as_str(), form["partial_response"].as_str()), ("up{a=\"b\"}", "1500.250", "false"));
    assert_eq!(authorization.as_deref(), Some("Bearer first"));
    assert_eq!(asked[1].2.as_deref(), Some("Bearer second"));
}

#[tokio::test]
async fn a_long_range_is_asked_in_parts_that_leave_nothing_out() {
    // Answers every step of the range that was asked, as a real server does.
    let server = server(|form| {
        let [start, end, step] = ["start", "end", "step"].map(|name| form[name].parse::<f64>().unwrap());
        let points: Vec<String> =
            (0..).map(|n| start + f64::from(n) * step).take_while(|at| *at <= end).map(|at| format!("[{at},\"1\"]")).collect();
        assert!(points.len() <= 11_000);
        (
            StatusCode::OK,
            format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"values":[{}]}}]}}}}"#, points.join(",")),
        )
    })
    .await;
    let step = Duration::from_secs(60);
    let end = Timestamp::from_secs(60 * 12_000 + 59);
    let range = client(&server.url, None).range("up", Timestamp::from_secs(60), end, step).await.unwrap();
    assert_eq!(range.len(), 12_000);
    assert!(range.keys().enumerate().all(|(n, at)| at.secs() == 60 * (n as i64 + 1)));
    assert_eq!(server.asked.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn an_answer_that_quotes_the_request_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "token-canary").unwrap();
    let server = server(|_| {
        let body = r#"{"status":"error","errorType":"auth","error":"Bearer token-canary for tenant-canary\n at http://u:p-canary@host"}"#;
        (StatusCode::UNAUTHORIZED, body.into())
    })
    .await;
    let error = client(&server.url, Some(token)).instant("up", Timestamp(0)).await.unwrap_err();
    assert_eq!(error.to_string(), "HTTP status 401, auth: Bearer [redacted] for [redacted] at http://[redacted]@host");
    assert!(!format!("{error:?}").contains("canary"));
}

#[tokio::test]
async fn what_is_no_complete_answer_is_an_error() {
    let long = server(|_| (StatusCode::OK, " ".repeat(ANSWER_LIMIT + 1))).await;
    assert!(matches!(client(&long.url, None).instant("up", Timestamp(0)).await, Err(QueryError::TooLong)));

    let moved = server(|_| (StatusCode::TEMPORARY_REDIRECT, String::new())).await;
    let error = client(&moved.url, None).instant("up", Timestamp(0)).await.unwrap_err();
    assert_eq!(error.to_string(), "HTTP status 307");

    let metadata = client("http://169.254.169.254:9090", None).instant("up", Timestamp(0)).await;
    assert!(matches!(metadata, Err(QueryError::NoAnswer(NoAnswer::Refused { .. }))), "{metadata:?}");

    let no_token = client(&moved.url, Some("/nonexistent/token".into())).instant("up", Timestamp(0)).await;
    assert!(matches!(no_token, Err(QueryError::Token(_))), "{no_token:?}");
    assert_eq!(moved.asked.lock().unwrap().len(), 1);
}
