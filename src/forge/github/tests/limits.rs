//! Limits, credentials and their secrecy, time.

use serde_json::{Value, json};

use super::super::super::{AccountKind, Conclusion, ForgeError, UserId};
use super::super::*;
use super::script::*;

const PULL: &str = "GET /repos/acme/manifests/pulls/12";
const KEY: &str = include_str!("../test-key.pem");

fn left(body: Value, remaining: u64) -> Give {
    give(200, body)
        .with("x-ratelimit-limit", "5000")
        .with("x-ratelimit-remaining", remaining.to_string())
        .with("x-ratelimit-reset", (NOW.secs() + 600).to_string())
}

#[test]
fn polls_are_shed_before_the_budget_is_gone() {
    let script = Script::start();
    script.on(PULL, [left(pull(12), 999)]);
    let github = script.github();
    assert_eq!(github.rate(), None);
    github.get(Call::poll(NOW), ProposalNumber(12)).unwrap();
    assert_eq!(github.rate().unwrap().remaining, 999);
    let shed = github.get(Call::poll(NOW), ProposalNumber(12)).unwrap_err();
    assert_eq!(shed, ForgeError::RateLimited { until: NOW + Duration::from_secs(600) });
    assert_eq!(script.count(PULL), 1);
    github.get(act(), ProposalNumber(12)).unwrap();
    github.get(Call::poll(NOW + Duration::from_secs(601)), ProposalNumber(12)).unwrap();
    assert_eq!(script.count(PULL), 3);
}

#[test]
fn retry_after_is_kept_by_everybody() {
    let script = Script::start();
    let limited = give(403, json!({ "message": "You have exceeded a secondary rate limit." })).with("retry-after", "30");
    script.on("PATCH /repos/acme/manifests/pulls/12", [limited, give(200, pull(12))]);
    script.on(PULL, [give(200, pull(12))]);
    let github = script.github();
    let until = NOW + Duration::from_secs(30);
    for _ in 0..2 {
        assert_eq!(github.close(act(), ProposalNumber(12)), Err(ForgeError::RateLimited { until }));
        assert_eq!(github.get(act(), ProposalNumber(12)), Err(ForgeError::RateLimited { until }));
    }
    assert_eq!(script.lines(), ["PATCH /repos/acme/manifests/pulls/12"]);
    github.close(Call::act(until), ProposalNumber(12)).unwrap();
}

#[test]
fn graphql_says_its_limit_with_status_200() {
    let script = Script::start();
    script.on(PULL, [give(200, pull(12))]);
    let limited = json!({ "errors": [{ "type": "RATE_LIMITED", "message": "API rate limit exceeded" }] });
    script.on("POST /api/graphql", [give(200, limited)]);
    let error = script.github().enqueue(act(), ProposalNumber(12), commit(HEAD)).unwrap_err();
    assert_eq!(error, ForgeError::RateLimited { until: NOW + Duration::from_secs(60) });
}

#[test]
fn changes_are_spaced() {
    let script = Script::start();
    script.on("PATCH /repos/acme/manifests/pulls/12", [give(200, pull(12))]);
    let spacing = Duration::from_millis(60);
    let github = script.with(&GithubSettings { spacing, ..script.settings() });
    let began = std::time::Instant::now();
    for _ in 0..3 {
        github.close(act(), ProposalNumber(12)).unwrap();
    }
    assert!(began.elapsed() >= spacing * 2);
}

#[test]
fn a_forge_that_does_not_answer_is_given_up() {
    let script = Script::start();
    script.on(PULL, [Give::Hang]);
    let error = script.impatient().get(act(), ProposalNumber(12)).unwrap_err();
    assert_eq!(error, ForgeError::TimedOut { after: Duration::from_millis(300) });
    let nobody = script.with(&GithubSettings { url: "http://127.0.0.1:9".to_owned(), ..script.settings() });
    let error = nobody.get(act(), ProposalNumber(12)).unwrap_err();
    assert_eq!(error, ForgeError::Unreachable { detail: "connection refused".to_owned() });
}

const INSTALLATION: &str = "GET /repos/acme/manifests/installation";
const MINT: &str = "POST /app/installations/42/access_tokens";

fn minted(token: &str, minutes: i64) -> Give {
    give(201, json!({ "token": token, "expires_at": (NOW + Duration::from_secs(minutes.unsigned_abs() * 60)).to_string() }))
}

fn app(script: &Script) -> Github {
    script.on(INSTALLATION, [give(200, json!({ "id": 42, "app_id": 7, "app_slug": "revertd", "suspended_at": null }))]);
    script.on("GET /users/revertd%5Bbot%5D", [give(200, user("revertd[bot]", 77, "Bot"))]);
    script.on(PULL, [give(200, pull(12))]);
    let auth = GithubAuth::App { id: 7, private_key: Secret::new(KEY) };
    script.with(&GithubSettings { auth, ..script.settings() })
}

/// The authorization of every request of a kind.
fn authorizations(script: &Script, line: &str) -> Vec<String> {
    let of = script.seen().into_iter().filter(|seen| seen.line == line);
    of.map(|seen| seen.headers["authorization"].to_str().unwrap().to_owned()).collect()
}

#[test]
fn an_app_gets_tokens_for_the_one_repository_and_renews_them() {
    let script = Script::start();
    script.on(MINT, [minted("ghs_first-canary", 60), minted("ghs_second-canary", 120)]);
    let github = app(&script);
    github.get(act(), ProposalNumber(12)).unwrap();
    let jwt = &authorizations(&script, INSTALLATION)[0];
    assert!(jwt.starts_with("Bearer ey") && jwt.split('.').count() == 3, "signed by the App's key");
    assert_eq!(script.seen()[1].body, json!({ "repositories": ["manifests"] }), "the number is not known yet");
    let credentials = github.git_credentials(NOW + Duration::from_secs(54 * 60)).unwrap();
    assert_eq!((credentials.username.as_str(), credentials.password.expose()), ("x-access-token", "ghs_first-canary"));
    assert_eq!(script.count(MINT), 1);
    let late = NOW + Duration::from_secs(56 * 60);
    github.get(Call::act(late), ProposalNumber(12)).unwrap();
    assert_eq!(github.git_credentials(late).unwrap().password.expose(), "ghs_second-canary");
    assert_eq!((script.count(MINT), script.count(INSTALLATION)), (2, 1));
    let scope = script.seen().into_iter().rfind(|seen| seen.line == MINT).unwrap().body;
    assert_eq!(scope, json!({ "repository_ids": [7] }));
    assert_eq!(authorizations(&script, PULL), ["Bearer ghs_first-canary", "Bearer ghs_second-canary"]);
}

#[test]
fn a_token_that_is_refused_is_renewed_once() {
    let script = Script::start();
    script.on(MINT, [minted("ghs_first-canary", 60), minted("ghs_second-canary", 60)]);
    let github = app(&script);
    let refused = give(401, json!({ "message": "Bad credentials" }));
    script.on(PULL, [refused.clone(), give(200, pull(12))]);
    github.get(act(), ProposalNumber(12)).unwrap();
    assert_eq!(authorizations(&script, PULL), ["Bearer ghs_first-canary", "Bearer ghs_second-canary"]);
    script.on(PULL, [refused.clone()]);
    assert!(matches!(github.get(act(), ProposalNumber(12)), Err(ForgeError::Unauthorized { .. })));
    assert_eq!(script.count(PULL), 4);
    // A person's token cannot be renewed.
    let script = Script::start();
    script.on(PULL, [refused]);
    assert!(matches!(script.github().get(act(), ProposalNumber(12)), Err(ForgeError::Unauthorized { .. })));
    assert_eq!(script.count(PULL), 1);
}

#[test]
fn an_app_knows_itself_and_writes_check_runs() {
    let script = Script::start();
    script.on(MINT, [minted("ghs_first-canary", 60)]);
    script.on("POST /repos/acme/manifests/check-runs", [give(201, json!({}))]);
    let github = app(&script);
    let own = github.identity(act()).unwrap().own;
    assert_eq!((own.kind, own.user.id), (AccountKind::App { id: 7 }, UserId(77)));
    assert_eq!(github.capabilities().check_runs, CheckRuns::Offered);
    let run = NewCheckRun { name: "revertd".to_owned(), conclusion: Conclusion::Success, title: "t".to_owned(), summary: "s".to_owned() };
    github.check_run(act(), commit(HEAD), &run).unwrap();
    let sent = script.seen().pop().unwrap().body;
    assert_eq!((&sent["head_sha"], &sent["status"], &sent["conclusion"]), (&json!(HEAD), &json!("completed"), &json!("success")));
}

#[test]
fn an_app_that_is_not_installed_or_suspended_says_so() {
    let script = Script::start();
    let github = app(&script);
    script.on(INSTALLATION, [give(404, json!({ "message": "Not Found" }))]);
    let error = github.get(act(), ProposalNumber(12)).unwrap_err();
    assert!(error.to_string().contains("find the App's installation on the repository"), "{error}");
    script.on(INSTALLATION, [give(200, json!({ "id": 42, "app_id": 7, "app_slug": "x", "suspended_at": "2026-11-21T03:00:00Z" }))]);
    let error = github.get(act(), ProposalNumber(12)).unwrap_err();
    assert!(error.to_string().contains("suspended"), "{error}");
}

#[test]
fn no_secret_is_shown() {
    let script = Script::start();
    let mut shown = format!("{:?} {:?}", script.settings(), script.github());
    // A proxy that says back what it was sent.
    for status in [400, 401, 403, 404, 409, 422, 500] {
        script.on(PULL, [give(status, json!({ "message": format!("bad header: Bearer {TOKEN}") }))]);
        let error = script.github().get(act(), ProposalNumber(12)).unwrap_err();
        shown.push_str(&format!("{error} {error:?}"));
    }
    script.on(PULL, [give(200, json!({ "number": TOKEN }))]);
    let error = script.github().get(act(), ProposalNumber(12)).unwrap_err();
    shown.push_str(&format!("{error} {error:?}"));
    let script = Script::start();
    script.on(MINT, [give(201, json!({ "token": { "ghs_first-canary": 1 }, "expires_at": "x" })), minted("ghs_first-canary", 60)]);
    let github = app(&script);
    let error = github.get(act(), ProposalNumber(12)).unwrap_err();
    shown.push_str(&format!("{error} {error:?}"));
    script.on(PULL, [give(403, json!({ "message": "no: ghs_first-canary" }))]);
    let error = github.get(act(), ProposalNumber(12)).unwrap_err();
    shown.push_str(&format!("{error} {error:?} {github:?} {:?}", github.git_credentials(NOW)));
    let auth = GithubAuth::App { id: 7, private_key: Secret::new("canary-key") };
    let bad = Github::new(&GithubSettings { auth, ..script.settings() }, script.runtime.handle().clone()).unwrap_err();
    shown.push_str(&format!("{bad} {bad:?}"));
    let auth = GithubAuth::Token(Secret::new("canary\nkey"));
    let bad = Github::new(&GithubSettings { auth, ..script.settings() }, script.runtime.handle().clone()).unwrap_err();
    shown.push_str(&format!("{bad} {bad:?}"));
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("[redacted]"));
}

#[test]
fn the_api_is_where_the_address_says() {
    let roots = |url: &str| GithubSettings { url: url.to_owned(), ..Script::start().settings() }.roots();
    assert_eq!(roots("https://github.com/"), ("https://api.github.com".to_owned(), "https://api.github.com".to_owned()));
    let own = ("https://git.acme.example/api/v3".to_owned(), "https://git.acme.example/api".to_owned());
    assert_eq!(roots("https://git.acme.example/"), own);
}
