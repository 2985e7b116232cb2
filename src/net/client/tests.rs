//! The client against real servers on this host, among them ones that misbehave on purpose.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::resolve::Addresses;
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// A resolver with one answer for every name, which counts how often it is asked.
struct Script {
    answers: Vec<IpAddr>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn new(answers: &[&str]) -> Arc<Self> {
        Arc::new(Self { answers: answers.iter().map(|address| address.parse().unwrap()).collect(), asked: Mutex::default() })
    }
}

impl Lookup for Script {
    fn addresses(&self, host: String) -> Addresses {
        self.asked.lock().unwrap().push(host);
        let answers = self.answers.clone();
        Box::pin(async move { Ok(answers) })
    }
}

fn loopback_allowed() -> AddressRules {
    AddressRules::for_policies(vec!["127.0.0.0/8".parse().unwrap()])
}

fn client() -> Client {
    Client::new(loopback_allowed()).unwrap()
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A server that reads the request's head and then writes these bytes, and goes on with `more` for ever if there is any.
async fn raw(first: Vec<u8>, more: Option<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (first, more) = (first.clone(), more.clone());
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                stream.write_all(&first).await?;
                while let Some(more) = &more {
                    stream.write_all(more).await?;
                }
                io::Result::Ok(())
            });
        }
    });
    address
}

async fn ask(address: SocketAddr) -> Result<Answer, NoAnswer> {
    client().send(&Request::get(format!("http://{address}/"), PATIENCE)).await
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let router = Router::new()
        .route("/", get(|| async { (StatusCode::FOUND, [("location", "/elsewhere")], "moved") }))
        .route("/elsewhere", get(|| async { "followed" }));
    let answer = ask(serve(router).await).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (302, b"moved".as_slice()));
}

#[tokio::test]
async fn a_form_and_its_headers_arrive() {
    let router =
        Router::new().route("/", post(|headers: http::HeaderMap, body: String| async move { format!("{:?} {body}", headers["x-scope"]) }));
    let url = format!("http://{}/", serve(router).await);
    let request = Request::post_form(url, vec![("query", "sum(a{b=\"c\"})".into())], PATIENCE).with_header("X-Scope", Secret::new("acme"));
    assert_eq!(client().send(&request).await.unwrap().body, b"\"acme\" query=sum%28a%7Bb%3D%22c%22%7D%29");
    assert!(!format!("{request:?}").contains("acme"));
}

#[tokio::test]
async fn json_arrives_as_the_bytes_that_were_given_with_each_method() {
    let echo = |method: http::Method, headers: http::HeaderMap, body: String| async move {
        (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "30")], format!("{method} {:?} {body}", headers["content-type"]))
    };
    let address = serve(Router::new().route("/", axum::routing::any(echo))).await;
    let methods =
        [(Method::Post, "POST"), (Method::Put, "PUT"), (Method::Patch, "PATCH"), (Method::Delete, "DELETE"), (Method::Get, "GET")];
    for (method, name) in methods {
        let request = Request::with_json(method, format!("http://{address}/"), br#"{ "a":1}"#.to_vec(), PATIENCE);
        let answer = client().send(&request).await.unwrap();
        assert_eq!(String::from_utf8(answer.body.clone()).unwrap(), format!("{name} \"application/json; charset=utf-8\" {{ \"a\":1}}"));
        assert_eq!((answer.status, answer.header("retry-after"), answer.header("etag")), (429, Some("30"), None));
    }
}

#[tokio::test]
async fn a_secret_address_is_shown_nowhere() {
    for url in ["http://127.0.0.1:1/canary-7f3a", "canary-7f3a:x", "canary-7f3a", "http://u:canary-7f3a@10.0.0.1/", "http://[canary-7f3a"] {
        let request = Request::with_json_to_secret(Method::Post, Secret::new(url), b"{\"canary-7f3a\":1}".to_vec(), PATIENCE);
        let error = client().send(&request).await.unwrap_err();
        let said = format!("{request:?} {error} {error:?}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    // Bound but not listening: nobody else can take the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    assert_eq!(ask(address).await, Err(NoAnswer::Connect { detail: "connection refused".into() }));
}

#[tokio::test]
async fn a_body_that_stops_short_is_no_complete_answer() {
    let address = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_vec(), None).await;
    let error = ask(address).await.unwrap_err();
    assert!(matches!(&error, NoAnswer::Broken { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_never_ends_runs_out_of_time() {
    for first in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nslow"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let held = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(first.as_bytes()).await.unwrap();
            // Kept open until the test drops the task.
            std::future::pending::<()>().await;
        });
        let limit = Duration::from_millis(60);
        let outcome = client().send(&Request::get(format!("http://{address}/"), limit)).await;
        assert_eq!(outcome, Err(NoAnswer::TimedOut { after: limit }));
        assert_eq!(outcome.unwrap_err().to_string(), "timed out after 60ms");
        held.abort();
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_and_its_status_counts() {
    let address = raw(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), Some(vec![b'x'; 8192])).await;
    let answer = ask(address).await.unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.length), (200, BODY_LIMIT, BodyLength::Cut));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let router = Router::new().route("/", get(|| async { "x".repeat(BODY_LIMIT) }));
    let answer = ask(serve(router).await).await.unwrap();
    assert_eq!((answer.body.len(), answer.length), (BODY_LIMIT, BodyLength::Whole));
}

#[tokio::test]
async fn nothing_is_decompressed_or_asked_for_compressed() {
    let router = Router::new().route(
        "/",
        get(|headers: http::HeaderMap| async move {
            assert!(!headers.contains_key("accept-encoding"));
            ([("content-encoding", "gzip")], b"\x1f\x8b\x08 not really".to_vec())
        }),
    );
    assert_eq!(ask(serve(router).await).await.unwrap().body, b"\x1f\x8b\x08 not really");
}

#[tokio::test]
async fn endless_headers_are_given_up() {
    let address = raw(b"HTTP/1.1 200 OK\r\n".to_vec(), Some(format!("x: {}\r\n", "y".repeat(1000)).into_bytes())).await;
    let error = ask(address).await.unwrap_err();
    assert!(matches!(&error, NoAnswer::Broken { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_not_http_is_no_answer() {
    let address = raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), None).await;
    assert!(matches!(ask(address).await, Err(NoAnswer::Broken { .. })));
}

#[tokio::test]
async fn an_encrypted_request_to_a_plain_server_is_a_tls_error() {
    let address = raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), None).await;
    let error = client().send(&Request::get(format!("https://{address}/"), PATIENCE)).await.unwrap_err();
    assert!(error.to_string().starts_with("TLS: "), "{error:?}");
}

#[tokio::test]
async fn refused_literals_never_reach_the_network() {
    let script = Script::new(&["127.0.0.1"]);
    let client = Client::with_lookup(loopback_allowed(), Arc::clone(&script) as Arc<dyn Lookup>).unwrap();
    let urls = [
        "http://169.254.169.254/latest/meta-data",
        "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/",
        "http://10.0.0.1/",
        "http://[fd00:ec2::254]/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "not an address",
    ];
    for url in urls {
        let outcome = client.send(&Request::get(url, PATIENCE)).await;
        assert!(matches!(outcome, Err(NoAnswer::Refused { .. })), "{url}: {outcome:?}");
    }
    assert!(script.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_name_with_one_refused_address_is_refused() {
    for addresses in
        [&["169.254.169.254"][..], &["127.0.0.1", "169.254.169.254"], &["127.0.0.1", "fd00:ec2::254"], &["10.0.0.1", "127.0.0.1"]]
    {
        let client = Client::with_lookup(loopback_allowed(), Script::new(addresses)).unwrap();
        let outcome = client.send(&Request::get("http://checkout.example/", PATIENCE)).await;
        assert!(matches!(outcome, Err(NoAnswer::Refused { .. })), "{addresses:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_and_connected_to_as_judged() {
    let router = Router::new().route("/", get(|| async { "here" }));
    let port = serve(router).await.port();
    let script = Script::new(&["127.0.0.1"]);
    let client = Client::with_lookup(loopback_allowed(), Arc::clone(&script) as Arc<dyn Lookup>).unwrap();
    for round in 1..=2 {
        let answer = client.send(&Request::get(format!("http://checkout.example:{port}/"), PATIENCE)).await.unwrap();
        assert_eq!(answer.body, b"here");
        // Nothing is kept: the next round asks again, and judges again.
        assert_eq!(script.asked.lock().unwrap().len(), round);
    }
}

#[tokio::test]
async fn a_name_without_addresses_is_a_dns_error() {
    let client = Client::with_lookup(loopback_allowed(), Script::new(&[])).unwrap();
    let error = client.send(&Request::get("http://checkout.example/", PATIENCE)).await.unwrap_err();
    assert_eq!(error.to_string(), "DNS: the name has no address");
}

#[tokio::test]
async fn no_error_shows_the_credentials_of_an_address() {
    let client = Client::with_lookup(loopback_allowed(), Script::new(&[])).unwrap();
    for url in
        ["http://user:canary@checkout.example/", "http://user:canary@10.0.0.1/", "http://user:canary@exa mple/", "canary://user:x@host/"]
    {
        let error = client.send(&Request::get(url, PATIENCE)).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("user:"), "{error:?}");
    }
    let request = Request::get("http://127.0.0.1:1/", PATIENCE).with_header("authorization", Secret::new("canary\nvalue"));
    let error = client.send(&request).await.unwrap_err();
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    assert!(sensitive("authorization", &Secret::new("canary")).unwrap().is_sensitive());
}

/// Runs another test of this binary in a process with these variables, which a running process cannot change safely.
fn run_with(test: &str, variables: &[(&str, &str)]) {
    let ran = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("net::client::tests::{test}")])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_proxy_from_the_environment_is_not_used() {
    let proxy = "http://127.0.0.1:1";
    let variables = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"].map(|name| (name, proxy));
    run_with("a_redirect_is_an_answer_and_is_not_followed", &variables);
}

#[test]
fn without_certificate_authorities_plain_requests_work_and_encrypted_ones_fail() {
    let variables = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    run_with("a_redirect_is_an_answer_and_is_not_followed", &variables);
    run_with("an_encrypted_request_to_a_plain_server_is_a_tls_error", &variables);
}
