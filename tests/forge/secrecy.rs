//! No token in any text that anybody could see.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use revertd::demo::forge::FaultKind;
use revertd::forge::github::{GithubAuth, GithubSettings, mutation_spacing};
use revertd::forge::{Call, CommentCursor, Forge, ProposalNumber};
use revertd::net::secret::Secret;

use crate::world::{KEY, TOKEN, World};

/// Everything that is logged from now on in this process, by the libraries as well.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every error of a few calls, with its causes.
fn spoken(forge: &impl Forge, call: Call) -> String {
    let mut text = String::new();
    let number = ProposalNumber(99);
    let mut add = |result: Result<String, revertd::forge::ForgeError>| {
        if let Err(error) = result {
            writeln!(text, "{error} {error:?}").unwrap();
        }
    };
    add(forge.identity(call).map(|identity| format!("{identity:?}")));
    add(forge.get(call, number).map(|proposal| format!("{proposal:?}")));
    add(forge.comments(call, &CommentCursor::default()).map(|told| format!("{told:?}")));
    add(forge.write_comment(call, number, "x").map(|comment| format!("{comment:?}")));
    add(forge.permission(call, "kim").map(|permission| format!("{permission:?}")));
    text
}

#[test]
fn no_token_is_shown() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).init();
    tracing::info!("the log is read");
    for world in [World::new(), World::app()] {
        let credentials = world.forge.git_credentials(world.now()).unwrap();
        let mut text = format!("{:?} {credentials:?} {:?} {:?}", world.forge, world.fake, world.state());
        for status in [400, 401, 403, 404, 409, 422, 500, 503] {
            world.faults("*", "/**", FaultKind::Before(status), 2);
            text.push_str(&spoken(&world.forge, world.act()));
            world.state().disarm();
        }
        let gone = world.client(|settings| settings.url = "http://127.0.0.1:9".to_owned());
        text.push_str(&spoken(&gone, world.act()));
        write!(text, "{:?}", world.state().requests()).unwrap();
        assert!(text.contains("the forge cannot be reached"), "{text}");
        let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
        assert!(logged.contains("the log is read"));
        for secret in [TOKEN, credentials.password.expose(), KEY.lines().nth(3).unwrap()] {
            assert!(!text.contains(secret), "{text}");
            assert!(!logged.contains(secret), "a log shows a secret");
        }
        world.state().clear_requests();
    }
}

#[test]
fn settings_are_shown_without_secrets() {
    for auth in [GithubAuth::Token(Secret::new(TOKEN)), GithubAuth::App { id: 1, private_key: Secret::new(KEY) }] {
        let settings = GithubSettings {
            url: "https://user:canary-pass@github.acme.example".to_owned(),
            owner: "acme".to_owned(),
            name: "manifests".to_owned(),
            expected: None,
            auth,
            ca_file: None,
            proxy: Some(Secret::new("http://user:canary-proxy@proxy:3128")),
            timeout: std::time::Duration::from_secs(1),
            spacing: mutation_spacing("https://github.com"),
        };
        let text = format!("{settings:?}");
        assert!(!text.contains("canary") && !text.contains(KEY.lines().nth(3).unwrap()), "{text}");
    }
}
