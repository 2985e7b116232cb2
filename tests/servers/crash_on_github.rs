//! The real process over a fake GitHub, killed before and after each of its requests that change something, once and in pairs: it is started
//! again, and ends with one pull request, one sticky comment and one landing.
//!
//! Between the agent and the fake stands a proxy. At the chosen request it kills the agent: before the fake sees the request, or after the
//! fake has acted, so that the answer never arrives. Pushes are killed by the wrapper of `crash`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use revertd::agent::{Clock, SystemClock};
use revertd::demo::forge::{FakeGithub, FakeSettings, PullState, Role};
use revertd::git::scratch::ScratchRepository;

use crate::binary::{Running, Setting, World, git};

const TOKEN: &str = "github_pat_crash";
/// Longer than the agent waits for lists that are late, twice.
const PATIENCE: Duration = Duration::from_secs(150);
/// So many agents at a time.
const AT_ONCE: usize = 8;

/// When the agent dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The request does not arrive.
    Before,
    /// Its answer does not.
    After,
}

/// A request of the agent: method, and how its path ends or goes on.
type Effect = (&'static str, &'static str);

const OPEN: Effect = ("POST", "/pulls");
const LABEL: Effect = ("POST", "/labels");
const COMMENT: Effect = ("POST", "/comments");
const STATUS: Effect = ("POST", "/statuses/");
const REACT: Effect = ("POST", "/reactions");
const EDIT: Effect = ("PATCH", "/issues/comments/");
const MERGE: Effect = ("PUT", "/merge");

/// Forwards every request, and kills the agent at those that are chosen, each once.
struct Doom {
    target: String,
    client: reqwest::Client,
    agent: AtomicU32,
    kills: Mutex<Vec<(Effect, Moment)>>,
}

impl Doom {
    fn take(&self, method: &Method, path: &str) -> Option<Moment> {
        let mut kills = self.kills.lock().unwrap();
        let matches =
            |(verb, part): Effect| method.as_str() == verb && if part.ends_with('/') { path.contains(part) } else { path.ends_with(part) };
        // In pairs the second one counts once the first has happened.
        let (effect, moment) = *kills.first()?;
        if !matches(effect) {
            return None;
        }
        kills.remove(0);
        Some(moment)
    }

    fn kill(&self) {
        let agent = self.agent.load(Ordering::SeqCst).to_string();
        assert!(std::process::Command::new("kill").args(["-KILL", &agent]).status().unwrap().success());
    }
}

async fn forward(State(doom): State<Arc<Doom>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let moment = doom.take(&method, uri.path());
    if moment == Some(Moment::Before) {
        doom.kill();
        return std::future::pending().await;
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = doom.client.request(method, format!("{}{path}", doom.target)).body(body);
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    if moment == Some(Moment::After) {
        doom.kill();
        return std::future::pending().await;
    }
    let mut response = Response::builder().status(StatusCode::from_u16(answer.status().as_u16()).unwrap());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding" && *name != "content-length") {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// A process that is started again whenever it was killed.
struct Phoenix {
    doom: Arc<Doom>,
    running: Running,
    deaths: usize,
}

impl Phoenix {
    fn rise(&mut self, world: &World) {
        if self.running.has_ended() {
            self.deaths += 1;
            self.running = world.start();
            self.doom.agent.store(self.running.id(), Ordering::SeqCst);
        }
    }

    /// Waits for something, and starts the agent again where it dies.
    async fn until(&mut self, world: &World, what: &str, mut holds: impl FnMut() -> bool) {
        let begin = std::time::Instant::now();
        while !holds() {
            assert!(begin.elapsed() < PATIENCE, "not in time: {what}\n{:#?}\n{}", world.incidents(), world.log());
            self.rise(world);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// From the breach to the recovery, with these deaths.
async fn story(kills: Vec<(Effect, Moment)>) {
    let what = format!("{kills:?}");
    let expected = kills.len();
    let world = World::new().await;
    let clock = SystemClock;
    let fake = FakeGithub::start(FakeSettings {
        repository: ScratchRepository::init(&world.bare(), "main").unwrap(),
        owner: "shop".to_owned(),
        name: "manifests".to_owned(),
        default_branch: "main".to_owned(),
        clock: Arc::new(move || clock.now()),
        people: [("revertd", Role::Write), ("robin", Role::Write)].map(|(login, role)| (login.to_owned(), role)).into(),
        tokens: BTreeMap::from([(TOKEN.to_owned(), "revertd".to_owned())]),
        app: None,
    })
    .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let doom = Arc::new(Doom {
        target: fake.url().to_owned(),
        client: reqwest::Client::new(),
        agent: AtomicU32::new(0),
        kills: Mutex::new(kills),
    });
    tokio::spawn(axum::serve(listener, Router::new().fallback(forward).with_state(doom.clone())).into_future());
    std::fs::write(world.file("token"), TOKEN).unwrap();
    let mut setting = Setting::of("propose");
    setting.forge = format!("{{github: {{url: '{url}', repository: shop/manifests, tokenFile: token}}}}");
    world.configure(&setting);
    let running = world.start();
    doom.agent.store(running.id(), Ordering::SeqCst);
    let mut phoenix = Phoenix { doom: doom.clone(), running, deaths: 0 };
    world.break_service().await;

    let state = fake.state();
    let pulls = || state.pulls().unwrap();
    let stickies = || -> Vec<String> {
        let comments = pulls().into_iter().flat_map(|pull| state.comments(pull.number));
        comments.map(|comment| comment.body).filter(|body| body.contains("<!-- revertd:proposal ")).collect()
    };
    phoenix.until(&world, &format!("{what}: the sticky comment"), || !stickies().is_empty()).await;
    let command = stickies()[0].lines().find(|line| line.starts_with("/revertd approve ")).unwrap().to_owned();
    let number = pulls()[0].number;
    let landed = || matches!(pulls()[0].state, PullState::Merged { .. });
    let mut said: Option<std::time::Instant> = None;
    phoenix
        .until(&world, &format!("{what}: the landing"), || {
            // What was written before the text that it approves was known to be there is refused, and written again.
            if !landed() && said.is_none_or(|said| said.elapsed() > Duration::from_secs(8)) {
                said = Some(std::time::Instant::now());
                let _ = state.comment("robin", number, &command);
            }
            landed()
        })
        .await;
    phoenix.until(&world, &format!("{what}: the recovery"), || world.phases() == ["recovered"]).await;
    phoenix.until(&world, &format!("{what}: it is told"), || stickies().iter().any(|text| text.contains("### Recovered"))).await;
    let landings = git(&world.bare(), &["log", "--first-parent", "--format=%H", "--grep=^Revertd-Plan: ", "main"]).lines().count();
    assert_eq!((pulls().len(), stickies().len(), landings), (1, 1, 1), "{what}: {}", world.log());
    assert!(doom.kills.lock().unwrap().is_empty() && phoenix.deaths == expected, "{what}: {} deaths", phoenix.deaths);
    world.assert_intact();
}

/// Several at a time: each spends most of its time waiting.
async fn all(stories: Vec<Vec<(Effect, Moment)>>) {
    for some in stories.chunks(AT_ONCE) {
        let running: Vec<_> = some.iter().map(|kills| tokio::spawn(story(kills.clone()))).collect();
        for one in running {
            one.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_each_effect_on_github() {
    all([OPEN, LABEL, COMMENT, STATUS, REACT, EDIT, MERGE].map(|effect| vec![(effect, Moment::After)]).to_vec()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_each_effect_on_github() {
    all([OPEN, LABEL, COMMENT, STATUS, REACT, EDIT, MERGE].map(|effect| vec![(effect, Moment::Before)]).to_vec()).await;
}

/// Two of the three that must happen once, in the order in which they come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twice_on_github() {
    let moments = [Moment::Before, Moment::After];
    let mut stories = Vec::new();
    for (first, second) in [(OPEN, COMMENT), (OPEN, MERGE), (COMMENT, MERGE)] {
        for before in moments {
            for after in moments {
                stories.push(vec![(first, before), (second, after)]);
            }
        }
    }
    // The same twice: a request that never arrived is sent again.
    stories.extend([OPEN, COMMENT, MERGE].map(|effect| vec![(effect, Moment::Before), (effect, Moment::After)]));
    all(stories).await;
}
