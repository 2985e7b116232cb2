//! Two secrets are planted, and looked for in everything that the agent writes, says, serves, and passes to other processes.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::binary::{Setting, World, text};
use crate::support::free_port;

const PASSWORD: &str = "canary-password-7d1f0c93";
const BEARER: &str = "canary-bearer-52e8ab47";

/// What a server was shown in the header `Authorization`.
type Shown = Arc<Mutex<Vec<String>>>;

/// A rude server: it refuses everybody, and says what it was given.
#[derive(Clone)]
struct Rude {
    secret: &'static str,
    shown: Shown,
}

/// Starts a server that knows one of the secrets.
async fn rude_server(secret: &'static str, shown: Shown) -> u16 {
    let answer = async |State(Rude { secret, shown }): State<Rude>, request: Request| {
        let given = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let said = given.clone().unwrap_or_default();
        shown.lock().unwrap().extend(given);
        (StatusCode::UNAUTHORIZED, [("WWW-Authenticate", "Basic realm=\"git\"")], format!("refused: {said} {secret}"))
    };
    let routes = Router::new().fallback(get(answer).post(answer)).with_state(Rude { secret, shown });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    port
}

/// Every form in which a secret may be written down.
fn forms() -> Vec<Vec<u8>> {
    let basic = |text: &str| {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let group = |bytes: &[u8]| {
            let number = bytes.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - bytes.len()));
            (0..=bytes.len()).map(|place| DIGITS[number >> (18 - 6 * place) & 63]).collect::<Vec<u8>>()
        };
        text.as_bytes().chunks(3).flat_map(group).collect::<Vec<u8>>()
    };
    vec![PASSWORD.into(), BEARER.into(), basic(PASSWORD), basic(&format!("x-access-token:{PASSWORD}")), basic(BEARER)]
}

fn assert_clean(place: &str, bytes: &[u8]) {
    for form in forms() {
        let found = bytes.windows(form.len()).any(|window| window == form);
        assert!(!found, "{place} holds {}", String::from_utf8_lossy(&form));
    }
}

/// Every file below a folder.
fn assert_folder_clean(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_folder_clean(&path);
        } else if let Ok(bytes) = std::fs::read(&path) {
            assert_clean(&path.display().to_string(), &bytes);
        }
    }
}

/// The arguments of a process and of all that descend from it, again and again until told to end; how many had a git among them.
fn watch_arguments(process: u32, ending: &AtomicBool) -> usize {
    let mut gits = 0;
    while !ending.load(Ordering::Relaxed) {
        let mut family = vec![process];
        let mut next = 0;
        while let Some(id) = family.get(next).copied() {
            next += 1;
            let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            assert_clean(&format!("the arguments of process {id}: {}", String::from_utf8_lossy(&arguments)), &arguments);
            gits += usize::from(arguments.starts_with(b"git\0"));
            for thread in std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
                let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
                family.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
        }
        // Much shorter than any git lives.
        std::thread::sleep(Duration::from_millis(1));
    }
    gits
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secrets_go_to_their_own_hosts_and_nowhere_else() {
    let world = World::new().await;
    let (to_git, to_metrics) = (Shown::default(), Shown::default());
    let (git_port, metrics_port) = (rude_server(PASSWORD, to_git.clone()).await, rude_server(BEARER, to_metrics.clone()).await);
    let listen = free_port();
    std::fs::write(world.file("token"), format!("{PASSWORD}\n")).unwrap();
    std::fs::write(world.file("bearer"), format!("{BEARER}\n")).unwrap();
    let mut setting = Setting::of("merge");
    setting.url = Some(format!("http://127.0.0.1:{git_port}/m.git"));
    setting.credentials = Some("{username: x-access-token, passwordFile: token}".to_owned());
    setting.agent = format!(
        "  listen: 127.0.0.1:{listen}\n  metrics: [{{name: main, prometheus: {{url: 'http://127.0.0.1:{metrics_port}', bearerTokenFile: bearer}}}}]\n"
    );
    setting.slos = Some(
        "    - name: errors\n      indicator: {prometheus: {server: main, every: 1s, query: up, freshness: up}}\n      objective: {max: 1}\n      \
         alerts: [{failing: {count: 3, of: 5}}]\n"
            .to_owned(),
    );
    world.configure(&setting);

    let running = world.start_with(&[("REVERTD_LOG", "trace"), ("RUST_LOG", "trace"), ("GIT_TRACE", "1"), ("GIT_CURL_VERBOSE", "1")]);
    let ending = Arc::new(AtomicBool::new(false));
    let (process, ended) = (running.id(), ending.clone());
    let arguments = std::thread::spawn(move || watch_arguments(process, &ended));
    let both = || to_git.lock().unwrap().len() >= 3 && to_metrics.lock().unwrap().len() >= 3;
    world.until("both servers were shown their secret", both).await;
    for path in ["healthz", "readyz", "metrics"] {
        let served = reqwest::get(format!("http://127.0.0.1:{listen}/{path}")).await.unwrap().text().await.unwrap();
        assert_clean(path, served.as_bytes());
    }
    for command in
        [&["status"][..], &["status", "--output", "json"], &["plan", "--for", "1s"], &["--log", "trace", "plan", "--output", "json"]]
    {
        let output = world.command(command);
        assert_clean(&format!("{command:?}: {}", text(&output.stderr)), &[output.stdout, output.stderr].concat());
    }
    tokio::time::timeout(Duration::from_secs(10), running.terminate()).await.unwrap();
    ending.store(true, Ordering::Relaxed);
    assert!(arguments.join().unwrap() > 0, "no git was seen");

    // Each secret went to its own host only, and the search would have found it there.
    assert!(to_git.lock().unwrap().iter().all(|given| given.as_bytes().windows(20).any(|part| forms()[3].starts_with(part))));
    assert!(to_metrics.lock().unwrap().iter().all(|given| *given == format!("Bearer {BEARER}")));
    assert!(world.log().contains("TRACE") || world.log().contains("DEBUG"), "the log is not as loud as it should be");
    assert_clean("the log", world.log().as_bytes());
    assert_folder_clean(&world.file("state"));
}
