//! The real program with a bare repository, a policy, and a service whose health is decided by the manifest on `main`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use revertd::journal::{Journal, SqliteJournal};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{ChildGuard, eventually, find_program};

/// Where the manifest of the service stands.
const MANIFEST: &str = "apps/checkout/deployment.yaml";
/// The version that it runs first.
const GOOD: &str = "1.4.2";
/// The version that breaks the service.
pub const BAD: &str = "1.5.0";
/// What the manifest said is believed for so long.
const REMEMBERED: Duration = Duration::from_millis(100);
/// How every revert's message can be found.
const REVERT: &str = "--grep=This reverts commit";

/// A bare repository, a service that runs what stands in it, and the files of an agent.
pub struct World {
    folder: TempDir,
    service: Arc<Service>,
    port: u16,
    path: Option<PathBuf>,
    user: UserConfiguration,
}

/// Which Git configuration of its user the program finds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum UserConfiguration {
    /// None.
    None,
    /// `.gitconfig` in its home, which is the folder of the world.
    Home,
}

/// What differs between stories.
pub struct Setting {
    /// Of the policy: `merge` or `propose`.
    pub mode: &'static str,
    /// The remote, if it is not the bare repository itself.
    pub url: Option<String>,
    /// The repository's `credentials` in the agent file.
    pub credentials: Option<String>,
    /// The repository's `forge` in the agent file.
    pub forge: String,
    /// More sections of the agent file's `spec`, indented.
    pub agent: String,
    /// The policy's SLOs, if they are not the service's answers.
    pub slos: Option<String>,
}

/// The real program as an agent, ended with its owner.
pub struct Running {
    child: ChildGuard,
}

struct Service {
    bare: PathBuf,
    answers: AtomicU64,
    seen: Mutex<Option<(Instant, bool)>>,
    /// What the version from before does while the bad one is there.
    beside: Mutex<Beside>,
    /// Requests by version and status code.
    requests: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

/// What becomes of the good version once the bad one is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// It is gone.
    Gone,
    /// It runs on, and is well.
    Well,
    /// It runs on, and fails as well.
    Failing,
}

impl Setting {
    /// The usual story in one mode.
    pub fn of(mode: &'static str) -> Self {
        Self { mode, url: None, credentials: None, forge: "{plain: {}}".to_owned(), agent: String::new(), slos: None }
    }
}

impl Service {
    /// Whether `main` holds the bad version at present.
    fn is_broken(&self) -> bool {
        let mut seen = self.seen.lock().unwrap();
        match *seen {
            Some((at, broken)) if at.elapsed() < REMEMBERED => broken,
            _ => {
                let manifest = git(&self.bare, &["show", &format!("main:{MANIFEST}")]);
                let broken = manifest.contains(BAD);
                *seen = Some((Instant::now(), broken));
                broken
            }
        }
    }

    fn answer(&self) -> StatusCode {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if self.is_broken() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
    }

    /// Counters for a metrics server, of the versions that run: at each scrape ten more requests, which they share; those of one are all
    /// good or all bad.
    fn metrics(&self) -> String {
        let (earlier, broken) = (*self.beside.lock().unwrap(), self.is_broken());
        let running = match (broken, earlier) {
            (false, _) => vec![(GOOD, "200")],
            (true, Beside::Gone) => vec![(BAD, "500")],
            (true, Beside::Well) => vec![(BAD, "500"), (GOOD, "200")],
            (true, Beside::Failing) => vec![(BAD, "500"), (GOOD, "500")],
        };
        if !broken {
            self.answers.fetch_add(10, Ordering::Relaxed);
        }
        let share = 10 / running.len() as u64;
        let mut requests = self.requests.lock().unwrap();
        let mut lines = String::from("# TYPE http_requests_total counter\n");
        for (version, code) in running {
            for shown in ["200", "500"] {
                let count = requests.entry((version, shown)).or_default();
                *count += if shown == code { share } else { 0 };
                writeln!(lines, "http_requests_total{{version=\"{version}\",code=\"{shown}\"}} {count}").unwrap();
            }
        }
        lines
    }
}

impl World {
    /// The repository with a good version, and the service. Nothing is configured yet.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bare = folder.path().join("m.git");
        for args in [vec!["init", "--quiet", "--bare", "-b", "main", "m.git"], vec!["clone", "--quiet", "m.git", "work"]] {
            let made = hermetic(folder.path()).args(args).output().unwrap();
            assert!(made.status.success(), "{}", text(&made.stderr));
        }
        let service = Arc::new(Service {
            bare,
            answers: AtomicU64::new(0),
            seen: Mutex::new(None),
            beside: Mutex::new(Beside::Gone),
            requests: Mutex::default(),
        });
        let routes = Router::new()
            .route("/checkout", get(async |State(service): State<Arc<Service>>| service.answer()))
            .route("/metrics", get(async |State(service): State<Arc<Service>>| service.metrics()))
            .route("/control", get(async || StatusCode::OK))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let world = Self { folder, service, port, path: None, user: UserConfiguration::None };
        world.commit(GOOD);
        world
    }

    /// The good version runs on beside the bad one.
    pub fn runs_beside(&self, beside: Beside) {
        *self.service.beside.lock().unwrap() = beside;
    }

    /// Writes the agent file and the policy.
    pub fn configure(&self, setting: &Setting) {
        let port = self.port;
        let url = setting.url.clone().unwrap_or_else(|| format!("file://{}", self.bare().display()));
        let credentials = setting.credentials.as_deref().map(|text| format!("      credentials: {text}\n")).unwrap_or_default();
        let agent = format!(
            "apiVersion: revertd.dev/v1alpha1\nkind: Agent\nspec:\n  journal: {{sqlite: state/journal.db}}\n  maxMode: merge\n  \
             network: {{allow: [127.0.0.0/8]}}\n  repositories:\n    - name: manifests\n      url: \"{url}\"\n      branch: main\n      \
             poll: 300ms\n      forge: {}\n{credentials}  \
             controls: [{{http: {{url: 'http://127.0.0.1:{port}/control'}}}}]\n{}  policies: [policy.yaml]\n",
            setting.forge, setting.agent
        );
        let slos = setting.slos.clone().unwrap_or_else(|| {
            format!(
                "    - name: up\n      indicator:\n        http: {{url: 'http://127.0.0.1:{port}/checkout', every: 400ms, timeout: 350ms}}\n      \
                 alerts: [{{failing: {{count: 3, of: 5}}}}]\n"
            )
        });
        let policy = format!(
            "apiVersion: revertd.dev/v1alpha1\nkind: RevertPolicy\nmetadata:\n  name: checkout\nspec:\n  repository: manifests\n  \
             paths: [\"apps/checkout/**\"]\n  sync: {{lag: 500ms}}\n  slos:\n{slos}  revert: {{mode: {}, settle: 500ms}}\n  \
             guardrails: {{healthyFor: 0s}}\n  verify: {{recoverWithin: 40s, holdFor: 2s}}\n",
            setting.mode
        );
        std::fs::create_dir_all(self.file("state")).unwrap();
        std::fs::write(self.agent_file(), agent).unwrap();
        std::fs::write(self.file("policy.yaml"), policy).unwrap();
    }

    /// A file beside the agent file.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bare repository.
    pub fn bare(&self) -> PathBuf {
        self.service.bare.clone()
    }

    /// The port of the service.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The agent file.
    pub fn agent_file(&self) -> PathBuf {
        self.file("agent.yaml")
    }

    /// What the agent logged until now, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("agent.log")).unwrap_or_default()
    }

    /// Puts a folder in front of the agent's PATH.
    pub fn prefer(&mut self, folder: PathBuf) {
        self.path = Some(folder);
    }

    /// Lets the agent read `.gitconfig` in its home.
    pub fn with_user_configuration(&mut self) {
        self.user = UserConfiguration::Home;
    }

    /// The program with the agent file.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_revertd"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.path.iter().cloned().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).unwrap());
        command.env("HOME", self.folder.path()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        if self.user == UserConfiguration::Home {
            command.env_remove("GIT_CONFIG_GLOBAL").env_remove("XDG_CONFIG_HOME");
        }
        command.env("NO_COLOR", "1").env_remove("REVERTD_LOG").arg("-c").arg(self.agent_file());
        command
    }

    /// Starts the agent; its log is appended to a file.
    pub fn start(&self) -> Running {
        self.start_with(&[])
    }

    /// The same with more in its environment.
    pub fn start_with(&self, environment: &[(&str, &str)]) -> Running {
        let log = File::options().create(true).append(true).open(self.file("agent.log")).unwrap();
        Running { child: ChildGuard::logging(self.program().arg("run").envs(environment.iter().copied()), log) }
    }

    /// Runs a command beside the agent.
    pub fn command(&self, args: &[&str]) -> Output {
        self.program().args(args).output().unwrap()
    }

    /// Lands a version on `main`.
    pub fn commit(&self, version: &str) {
        let work = self.file("work");
        let manifest = work.join(MANIFEST);
        std::fs::create_dir_all(manifest.parent().unwrap()).unwrap();
        std::fs::write(manifest, format!("kind: Deployment\nspec:\n  image: checkout:{version}\n")).unwrap();
        let message = format!("checkout: {version}");
        for args in [vec!["add", "."], vec!["commit", "--quiet", "-m", &message], vec!["push", "--quiet", "origin", "HEAD:main"]] {
            let done = hermetic(&work).args(&args).output().unwrap();
            assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
        }
    }

    /// Waits until the agent has seen the service healthy, and lands the bad version. A baseline needs five whole rounds before the change.
    pub async fn break_service(&self) {
        self.break_service_after(10).await;
    }

    /// Lands the bad version after so many answers.
    pub async fn break_service_after(&self, answers: u64) {
        self.healthy_answers(answers).await;
        self.commit(BAD);
    }

    /// Waits for so many more answers of the service.
    pub async fn healthy_answers(&self, count: u64) {
        let before = self.service.answers.load(Ordering::Relaxed);
        self.until("the service is probed", || self.service.answers.load(Ordering::Relaxed) >= before + count).await;
    }

    /// How many reverts `main` holds.
    pub fn reverts(&self) -> usize {
        git(&self.bare(), &["log", "--format=%H", REVERT, "main"]).lines().count()
    }

    /// The branches of proposals.
    pub fn proposals(&self) -> String {
        git(&self.bare(), &["for-each-ref", "--format=%(refname:short)", "refs/heads/revertd"])
    }

    /// Every incident, as the program prints it.
    pub fn incidents(&self) -> Vec<Value> {
        let printed = self.command(&["incidents", "--output", "json"]);
        serde_json::from_slice(&printed.stdout).unwrap_or_default()
    }

    /// The phases of all incidents, newest first.
    pub fn phases(&self) -> Vec<String> {
        self.incidents().iter().map(|incident| incident["phase"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits for a phase of the only incident.
    pub async fn phase(&self, phase: &str) {
        self.until(&format!("the incident is {phase}"), || self.phases() == [phase]).await;
    }

    /// Approves the incident, as soon as its proposal is open.
    pub async fn approve(&self) {
        self.phase("proposed").await;
        let id = self.incidents()[0]["id"].as_str().unwrap().to_owned();
        let approved = self.command(&["approve", &id]);
        assert!(approved.status.success(), "{}", text(&approved.stderr));
    }

    /// Waits, and shows the log if it was in vain.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let waited = tokio::time::timeout(Duration::from_secs(45), eventually(what, async || holds().then_some(()))).await;
        assert!(waited.is_ok(), "not within 45 s: {what}\nincidents: {:#?}\nlog:\n{}", self.incidents(), self.log());
    }

    /// The end of every story: recovered, exactly one revert, the good version, and a journal whose chain is intact.
    pub async fn assert_recovered(&self) {
        self.phase("recovered").await;
        assert_eq!(self.reverts(), 1, "{}", self.log());
        assert!(!self.service.is_broken());
        self.assert_intact();
    }

    /// The journal can be read and every fact follows the one before.
    pub fn assert_intact(&self) {
        SqliteJournal::open_read_only(&self.file("state/journal.db")).unwrap().verify().unwrap();
    }
}

impl Running {
    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        self.child.signal(name);
    }

    /// Ends the agent as a supervisor does, and says how it ended.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        self.end().await
    }

    /// Waits for the end.
    pub async fn end(&mut self) -> ExitStatus {
        self.child.end().await
    }

    /// Whether the process is gone.
    pub fn has_ended(&mut self) -> bool {
        self.child.has_ended()
    }
}

/// Git with no configuration but this test's.
pub fn hermetic(directory: &Path) -> Command {
    let mut command = Command::new(find_program("git").unwrap());
    command.current_dir(directory).env("HOME", directory).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgSign=false"]);
    command
}

/// What git says about a bare repository.
pub fn git(bare: &Path, args: &[&str]) -> String {
    let output = hermetic(bare).arg("--git-dir").arg(bare).args(args).output().unwrap();
    text(&output.stdout)
}

/// What a program printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_reverts_and_sees_the_recovery() {
    let world = World::new().await;
    world.configure(&Setting::of("merge"));
    let mut running = world.start();
    world.break_service().await;
    world.assert_recovered().await;
    assert!(!running.has_ended());
}
