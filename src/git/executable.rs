//! The git executable: found once, version checked, and run in two ways.
//!
//! *Objects*: no global or system configuration and pinned merge settings, so that the same inputs give the same tree on every machine.
//! *Network*: the user's own configuration (proxies, SSH, credential helpers), but no hooks, no automatic maintenance and no prompts; and
//! where the credentials are ours, no credential helper but ours, so that nobody stores them.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Credentials, GitError, Remote, io};
use crate::net::redact::Redactor;
use crate::net::secret::{Secret, read_secret_file};

/// `merge-tree --write-tree` takes trees, and `attr.tree` object ids, from 2.45 on.
const OLDEST_VERSION: (u32, u32) = (2, 45);
/// A network command that lasts longer is ended.
const NETWORK_LIMIT: Duration = Duration::from_secs(120);
/// A local command that lasts longer is ended.
const LOCAL_LIMIT: Duration = Duration::from_secs(120);
/// More output than this is cut: a reference listing of a hundred thousand proposals is far below.
const OUTPUT_LIMIT: u64 = 64 << 20;

/// Settings that decide what a merge gives; pinned to what `git revert` does by default (G18).
const MERGE_SETTINGS: [&str; 5] = [
    "merge.renames=true",
    "merge.renameLimit=7000",
    "merge.directoryRenames=conflict",
    "merge.conflictStyle=merge",
    "diff.algorithm=histogram",
];

/// A git executable of a known version.
#[derive(Clone, Debug)]
pub struct GitExecutable {
    path: PathBuf,
    version: (u32, u32),
}

/// How a command ended.
pub(super) struct Output {
    pub(super) code: Option<i32>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl GitExecutable {
    /// The first `git` on PATH, if it is new enough.
    ///
    /// # Errors
    /// [`GitError::Executable`] with what was found and what is needed.
    pub fn find() -> Result<Self, GitError> {
        let path = PathBuf::from("git");
        let mut command = Command::new(&path);
        command.arg("--version");
        let output = run(command, "--version", None, LOCAL_LIMIT)
            .map_err(|error| GitError::Executable(format!("git 2.45 or newer must be first on PATH, and no git can be run: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match parse_version(&text) {
            Some(version) if version >= OLDEST_VERSION => Ok(Self { path, version }),
            _ => Err(GitError::Executable(format!("git 2.45 or newer must be first on PATH; the first one says `{text}`"))),
        }
    }

    /// Its version: major and minor number.
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    /// A command on objects: hermetic, in the repository at `directory`.
    pub(super) fn objects(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.env_clear();
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0")]);
        command.arg("--git-dir").arg(directory).args(["-c", "core.hooksPath=/dev/null"]);
        for setting in MERGE_SETTINGS {
            command.args(["-c", setting]);
        }
        command
    }

    /// Runs a command on objects and takes any exit code.
    pub(super) fn run_objects(&self, command: Command, name: &str) -> Result<Output, GitError> {
        run(command, name, None, LOCAL_LIMIT)
    }

    /// A command in a local clone, with the user's own configuration (identity, encoding).
    pub(super) fn local(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("-C").arg(directory).args(["-c", "core.hooksPath=/dev/null"]).env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    /// Runs a network command in the mirror at `directory`. Secrets never stand in arguments, and are taken out of what it says.
    pub(super) fn network(&self, directory: &Path, remote: &Remote, name: &str, args: &[&str]) -> Result<Output, GitError> {
        let mut command = Command::new(&self.path);
        for inherited in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_OBJECT_DIRECTORY",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_TRACE",
            "GIT_TRACE_CURL",
        ] {
            command.env_remove(inherited);
        }
        command.envs([("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_ASKPASS", "/bin/false"), ("SSH_ASKPASS", "/bin/false")]);
        command.arg("--git-dir").arg(directory);
        for setting in ["core.hooksPath=/dev/null", "maintenance.auto=false", "gc.auto=0", "push.gpgSign=false", "protocol.allow=never"] {
            command.args(["-c", setting]);
        }
        for protocol in ["file", "http", "https", "ssh"] {
            command.arg("-c").arg(format!("protocol.{protocol}.allow=always"));
        }
        let secret = authenticate(&mut command, remote)?;
        command.arg(name).args(args);
        let mut output = run(command, name, None, NETWORK_LIMIT)?;
        output.stderr = Redactor::new(secret).redact(&output.stderr);
        Ok(output)
    }
}

/// Gives a network command the remote's credentials.
fn authenticate(command: &mut Command, remote: &Remote) -> Result<Option<Secret>, GitError> {
    match &remote.credentials {
        None => {
            // The user's own SSH configuration holds, but it never waits for somebody to type.
            if std::env::var_os("GIT_SSH_COMMAND").is_none() {
                command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
            }
            Ok(None)
        }
        Some(Credentials::Password { username, password_file }) => {
            let secret = read_secret_file(password_file).map_err(|error| GitError::Credentials(error.to_string()))?;
            help_with(command, remote, username, &secret);
            Ok(Some(secret))
        }
        Some(Credentials::Supplied(supplier)) => {
            let (username, secret) = supplier.supply()?;
            help_with(command, remote, &username, &secret);
            Ok(Some(secret))
        }
        Some(Credentials::SshKey { key_file, known_hosts_file }) => {
            let mut ssh = format!("ssh -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes", quoted(key_file));
            if let Some(file) = known_hosts_file {
                ssh.push_str(&format!(" -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null", quoted(file)));
            }
            command.env("GIT_SSH_COMMAND", ssh);
            Ok(None)
        }
    }
}

/// Has git ask a helper of ours, and no other, for the remote's own host only: after a redirect elsewhere git asks again, and gets nothing.
fn help_with(command: &mut Command, remote: &Remote, username: &str, secret: &Secret) {
    command.args(["-c", "credential.helper="]);
    command.arg("-c").arg(format!(
        "credential.{}.helper=!f() {{ test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$REVERTD_GIT_USERNAME\" \"$REVERTD_GIT_PASSWORD\"; }}; f",
        origin(&remote.url)
    ));
    command.env("REVERTD_GIT_USERNAME", username).env("REVERTD_GIT_PASSWORD", secret.expose());
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |position| position + 3);
    url[host..].find('/').map_or(url, |slash| &url[..host + slash])
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Runs a command to its end or its limit, feeding `input`.
pub(super) fn run(mut command: Command, name: &str, input: Option<Vec<u8>>, limit: Duration) -> Result<Output, GitError> {
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(io(format!("run `git {name}`")))?;
    let writer = child.stdin.take().map(|mut stdin| {
        std::thread::spawn(move || {
            // A child that ends without reading everything says so by its exit code.
            let _ = stdin.write_all(&input.unwrap_or_default());
        })
    });
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let code = wait(&mut child, name, limit)?;
    if let Some(writer) = writer {
        let _ = writer.join();
    }
    let stdout = stdout.join().unwrap_or_default();
    let stderr = String::from_utf8_lossy(&stderr.join().unwrap_or_default()).trim().to_owned();
    Ok(Output { code, stdout, stderr })
}

fn reader<R: Read + Send + 'static>(stream: Option<R>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What could be read before an error is what there is to say.
            let _ = stream.take(OUTPUT_LIMIT).read_to_end(&mut bytes);
        }
        bytes
    })
}

fn wait(child: &mut Child, name: &str, limit: Duration) -> Result<Option<i32>, GitError> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait().map_err(io(format!("wait for `git {name}`")))? {
            return Ok(status.code());
        }
        if started.elapsed() > limit {
            // It may have ended in between; either way it is gone.
            let _ = child.kill();
            let _ = child.wait();
            return Err(GitError::TimedOut { command: name.to_owned(), seconds: limit.as_secs() });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

impl Output {
    /// Standard output, if the command ended with 0.
    pub(super) fn success(self, name: &str) -> Result<Vec<u8>, GitError> {
        if self.code == Some(0) {
            return Ok(self.stdout);
        }
        Err(self.failure(name))
    }

    pub(super) fn failure(&self, name: &str) -> GitError {
        let last: Vec<&str> = self.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        let detail = last[last.len().saturating_sub(3)..].join("; ");
        let code = self.code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        GitError::Command { command: name.to_owned(), detail: if detail.is_empty() { code } else { detail } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_git_says() {
        assert_eq!(parse_version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(parse_version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(parse_version("hub version 1"), None);
    }

    #[test]
    fn the_origin_of_a_url_is_scheme_host_and_port() {
        assert_eq!(origin("https://git.example:8443/acme/manifests.git"), "https://git.example:8443");
        assert_eq!(origin("https://git.example"), "https://git.example");
    }
}
