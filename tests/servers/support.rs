//! What every test against a real server needs: to find it or say that it is not there, to start it, to wait for it, and to end it.

use std::fs::File;
use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The longest that a server may take for anything. Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with its owner, so that a failing test leaves none behind.
pub struct ChildGuard(Child);

/// Where a program is: on `PATH`, or where distributions put servers.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Says that a test is skipped because `name` is not installed.
///
/// # Panics
/// Where servers are required.
pub fn skip_or_fail(name: &str) {
    let required = std::env::var_os("REVERTD_REQUIRE_SERVERS").is_some_and(|value| value == "1");
    assert!(!required, "`{name}` is not installed, and REVERTD_REQUIRE_SERVERS=1 requires it");
    println!("skipped: `{name}` is not installed");
}

/// A loopback port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Tries until there is something, and returns it.
///
/// # Panics
/// After a minute: `what` did not happen.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl ChildGuard {
    /// Starts a server without input, its output thrown away.
    pub fn start(command: &mut Command) -> Self {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }

    /// Starts a program without input, everything that it says in a file.
    pub fn logging(command: &mut Command, log: File) -> Self {
        let started = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        Self(started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }

    /// Starts a program whose standard output is read.
    pub fn printing(command: &mut Command) -> (Self, ChildStdout) {
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = child.stdout.take().unwrap();
        (Self(child), output)
    }

    /// Starts a program that is written to and read from.
    pub fn talking(command: &mut Command) -> (Self, ChildStdin, ChildStdout) {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        (Self(child), input, output)
    }

    /// Waits for the end.
    pub async fn end(&mut self) -> ExitStatus {
        let child = std::sync::Mutex::new(self);
        eventually("the program ends", async || child.lock().unwrap().ended()).await
    }

    /// Whether the process is gone.
    pub fn has_ended(&mut self) -> bool {
        self.ended().is_some()
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real Prometheus that scrapes `target` on this host every second, with its files in `folder`, and its port; `None` where none is installed,
/// which was said.
pub fn prometheus_of(folder: &Path, job: &str, target: u16) -> Option<(ChildGuard, u16)> {
    let Some(program) = find_program("prometheus") else {
        skip_or_fail("prometheus");
        return None;
    };
    let (port, file) = (free_port(), folder.join("prometheus.yml"));
    let configuration = format!(
        "scrape_configs:\n  - job_name: {job}\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    \
         static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n"
    );
    std::fs::write(&file, configuration).unwrap();
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    Some((ChildGuard::start(&mut command), port))
}
