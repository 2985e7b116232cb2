//! The demo's services: real HTTP servers on the loopback interface whose health follows what their manifests say.
//!
//! A service keeps its port for as long as it lives. While it is down the port is bound and nobody listens, so that connections are refused
//! and no other process can take the port. Every answer closes its connection: a client that keeps one open would otherwise go on
//! being served by a process that is gone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONNECTION, HeaderMap};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::workload::{Behaviour, SLOW_ANSWER};

/// The path of a service that a customer walks, as opposed to one that says only that the process lives.
pub const JOURNEY: &str = "/journey";
/// The header that the demo's own customers send, so that a probe's requests can be told from theirs.
pub const CUSTOMER_HEADER: &str = "x-demo-customer";
/// The most connections that wait to be accepted.
const BACKLOG: u32 = 128;
/// How often, and how long apart, a port that was just given up is taken again.
const REBIND: (u32, Duration) = (100, Duration::from_millis(20));

/// Whether the zone that all services run in works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// It does.
    Up,
    /// Every service answers 503, whatever its manifests say.
    Down,
}

/// What runs at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The tag that it answers with.
    pub tag: String,
    /// How it answers.
    pub behaviour: Behaviour,
    /// Until when it answers 503 because its caches are cold.
    pub warm_at: Option<Instant>,
}

/// One service.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    address: SocketAddr,
    running: watch::Sender<Running>,
    probes: Arc<Probes>,
}

/// Counts the answers to requests that are not the demo's own customers'.
#[derive(Debug, Default)]
struct Probes {
    good_in_a_row: AtomicU32,
}

/// What the handler of a service needs.
#[derive(Clone)]
struct Context {
    name: &'static str,
    running: watch::Receiver<Running>,
    zone: watch::Receiver<Zone>,
    probes: Arc<Probes>,
}

// === impl Service ===

impl Service {
    /// Binds a port and starts to answer; its tasks live in `tasks` and end with them.
    ///
    /// # Errors
    /// No port can be bound.
    pub fn start(name: &'static str, first: Running, zone: watch::Receiver<Zone>, tasks: &mut JoinSet<()>) -> std::io::Result<Self> {
        let socket = reserve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = socket.local_addr()?;
        let port = if is_down(&first) { Port::Reserved(socket) } else { Port::Open(socket.listen(BACKLOG)?) };
        let (running, receiver) = watch::channel(first);
        let probes = Arc::new(Probes::default());
        tasks.spawn(serve(port, address, Context { name, running: receiver, zone, probes: Arc::clone(&probes) }));
        Ok(Self { name, address, running, probes })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens when it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its journey.
    pub fn url(&self) -> String {
        format!("http://{}{JOURNEY}", self.address)
    }

    /// What runs now.
    pub fn running(&self) -> Running {
        self.running.borrow().clone()
    }

    /// Where a sync tool puts what shall run.
    pub fn rollout(&self) -> watch::Sender<Running> {
        self.running.clone()
    }

    /// How many requests in a row, up to the newest, were answered with 200; those of the demo's customers are not counted.
    pub fn good_probes_in_a_row(&self) -> u32 {
        self.probes.good_in_a_row.load(Ordering::Relaxed)
    }
}

/// Answers 200 on `/` for as long as it lives: the page whose silence would mean that the one who asks is cut off.
///
/// # Errors
/// No port can be bound.
pub fn start_control(tasks: &mut JoinSet<()>) -> std::io::Result<SocketAddr> {
    let listener = reserve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/", get(|| async { answer(StatusCode::OK, "status page: everything here answers") }));
    tasks.spawn(listen(listener, router));
    Ok(address)
}

/// A port that is ours.
enum Port {
    /// Bound, but nobody listens: connections are refused.
    Reserved(TcpSocket),
    /// Listening.
    Open(TcpListener),
}

async fn serve(mut port: Port, address: SocketAddr, context: Context) {
    let mut running = context.running.clone();
    let router = Router::new().route(JOURNEY, get(journey)).with_state(context);
    loop {
        if running.wait_for(|running| !is_down(running)).await.is_err() {
            return;
        }
        let listener = match port {
            Port::Reserved(socket) => socket.listen(BACKLOG),
            Port::Open(listener) => Ok(listener),
        };
        let Ok(listener) = listener else { return };
        let mut server = JoinSet::new();
        server.spawn(listen(listener, router.clone()));
        if running.wait_for(is_down).await.is_err() {
            return;
        }
        server.shutdown().await;
        let Some(socket) = reserve_again(address).await else { return };
        port = Port::Reserved(socket);
    }
}

fn is_down(running: &Running) -> bool {
    matches!(running.behaviour, Behaviour::Down(_))
}

async fn listen(listener: TcpListener, router: Router) {
    // `serve` accepts for ever; it ends when its task is aborted.
    let _ = axum::serve(listener, router).await;
}

fn reserve(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A connection that is still being closed can hold the port for a moment.
async fn reserve_again(address: SocketAddr) -> Option<TcpSocket> {
    for _ in 0..REBIND.0 {
        if let Ok(socket) = reserve(address) {
            return Some(socket);
        }
        tokio::time::sleep(REBIND.1).await;
    }
    None
}

async fn journey(State(context): State<Context>, headers: HeaderMap) -> Response {
    let running = context.running.borrow().clone();
    let (status, text) = if *context.zone.borrow() == Zone::Down {
        (StatusCode::SERVICE_UNAVAILABLE, "the zone is down".to_owned())
    } else {
        match &running.behaviour {
            Behaviour::Broken(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.clone()),
            Behaviour::Slow(why) => {
                tokio::time::sleep(SLOW_ANSWER).await;
                (StatusCode::SERVICE_UNAVAILABLE, why.clone())
            }
            // Accepted just before it went down.
            Behaviour::Down(why) => (StatusCode::SERVICE_UNAVAILABLE, why.clone()),
            Behaviour::Healthy if running.warm_at.is_some_and(|warm| Instant::now() < warm) => {
                (StatusCode::SERVICE_UNAVAILABLE, "the caches are cold".to_owned())
            }
            Behaviour::Healthy => (StatusCode::OK, format!("{} {}", context.name, running.tag)),
        }
    };
    if !headers.contains_key(CUSTOMER_HEADER) {
        if status == StatusCode::OK {
            context.probes.good_in_a_row.fetch_add(1, Ordering::Relaxed);
        } else {
            context.probes.good_in_a_row.store(0, Ordering::Relaxed);
        }
    }
    answer(status, text)
}

fn answer(status: StatusCode, text: impl Into<String>) -> Response {
    let mut response = (status, format!("{}\n", text.into())).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
