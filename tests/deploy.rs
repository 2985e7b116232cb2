//! What is shipped in `deploy/` against the program that it deploys, so that neither drifts from the other: files parse, the shipped agent file
//! passes the real check, probes ask for routes that exist, metrics have the names that are exposed, and permissions are told once.
//!
//! What only foreign programs can say (`promtool`, `systemd-analyze`, `kubectl`) is asked where they are installed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the helpers of tests fail as tests do")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use revertd::engine::time::Timestamp;
use revertd::web::{AgentStatus, Metrics};
use serde_json::Value;

#[path = "deploy/flux.rs"]
mod flux;
#[path = "deploy/github.rs"]
mod github;
#[path = "deploy/image.rs"]
mod image;
#[path = "deploy/kubernetes.rs"]
mod kubernetes;
#[path = "deploy/monitoring.rs"]
mod monitoring;
#[path = "deploy/systemd.rs"]
mod systemd;

/// The program that is deployed.
const PROGRAM: &str = env!("CARGO_BIN_EXE_revertd");

/// A path in the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML document as JSON.
fn yaml(path: &str) -> Value {
    serde_yaml::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a YAML document holds at a JSON pointer.
#[track_caller]
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Runs a program that may not be installed: `None` where it is not.
fn where_installed(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: `{program}` is not installed");
            None
        }
        Err(error) => panic!("cannot run {program}: {error}"),
    }
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    said
}

/// The agent's web server on a loopback port, ended with its owner.
struct Served {
    address: SocketAddr,
    status: AgentStatus,
    _runtime: tokio::runtime::Runtime,
}

/// When the served agent believes to be.
const NOW: Timestamp = Timestamp(1_700_000_000_000);

impl Served {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let status = AgentStatus::default();
        runtime.spawn(revertd::web::serve(listener, status.clone(), Metrics::new(), || NOW));
        Self { address, status, _runtime: runtime }
    }

    /// The status code of a GET.
    fn get(&self, path: &str) -> u16 {
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(connection, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}
