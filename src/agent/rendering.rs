//! Runs the operator's render command on what a revert would leave, where nothing else vouches for that (`guardrails.render`, design §8).
//!
//! What is run stands in the operator's file alone, and is run without a shell. It gets the files of the service in a directory of its own, and
//! an environment with nothing of the agent's in it: no token, no key, no home. Links are left out, so that no file leads out of the directory.
//! The content is what many people can write to the repository, which the command has to stand; how long it runs and what it may say is bounded.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tracing::info;

use super::Reconciler;
use crate::config::agent::RenderCommand;
use crate::engine::assurance::Rendered;
use crate::engine::attribution::attribute;
use crate::engine::guardrail::may_need_render;
use crate::engine::id::{PolicyName, RenderName, TreeId};
use crate::engine::plan::{CleanInverse, Inverse};
use crate::engine::policy::Policy;
use crate::engine::situation::{InverseResult, Situation};
use crate::engine::time::{Timestamp, spoken};
use crate::engine::together::joint_situations;
use crate::git::{ServiceFile, ServicePaths};

/// What is kept of a command's output, in bytes: its end.
const KEPT_OUTPUT: usize = 4096;
/// The most characters of its last line that are told.
const LONGEST_LINE: usize = 200;
/// One that did not pass is run again after this long: what it reads beside the files may have changed.
const AGAIN_AFTER: Duration = Duration::from_secs(300);
/// Results that are kept.
const RESULTS_KEPT: usize = 64;

/// What commands said, by what they were given. One that passed need not be run again for the same files.
#[derive(Debug, Default)]
pub(super) struct Renders {
    known: BTreeMap<(TreeId, PolicyName, RenderName), (Rendered, Timestamp)>,
}

impl Reconciler {
    /// Has every policy's command look at the plan, where only that could vouch for it. The results are part of the situation.
    pub(super) fn render(&mut self, situation: &mut Situation) {
        let attribution = situation.attribution.clone().or_else(|| attribute(situation));
        let (Some(InverseResult::Built(Inverse::Clean(inverse))), Some(attribution)) = (&situation.inverse, attribution) else { return };
        let joint = joint_situations(situation);
        let all = std::iter::once((&*situation, &attribution)).chain(joint.iter().map(|theirs| (&theirs.situation, &theirs.attribution)));
        let needed: Vec<Policy> = all
            .filter(|(theirs, attribution)| may_need_render(theirs, attribution, inverse))
            .map(|(theirs, _)| theirs.service.policy.clone())
            .collect();
        let inverse = inverse.clone();
        let rendered: BTreeMap<PolicyName, Rendered> =
            needed.iter().filter_map(|policy| Some((policy.name.clone(), self.rendered(policy, &inverse, situation.now)?))).collect();
        if !rendered.is_empty() {
            situation.inverse = Some(InverseResult::Built(Inverse::Clean(CleanInverse { rendered, ..inverse })));
        }
    }

    fn rendered(&mut self, policy: &Policy, inverse: &CleanInverse, now: Timestamp) -> Option<Rendered> {
        let by = policy.guardrails.assurance.render.clone()?;
        let place = (inverse.tree, policy.name.clone(), by.clone());
        if let Some((known, at)) = self.renders.known.get(&place)
            && (matches!(known, Rendered::Passed { .. }) || now.since(*at) < AGAIN_AFTER)
        {
            return Some(known.clone());
        }
        let found = match self.run_render(policy, &by, inverse.tree) {
            Ok(()) => Rendered::Passed { by },
            Err(why) => Rendered::Failed { by, why },
        };
        info!(policy = %policy.name, tree = %inverse.tree, "the render command looked at what the revert leads to: {found:?}");
        if self.renders.known.len() >= RESULTS_KEPT {
            self.renders.known.clear();
        }
        self.renders.known.insert(place, (found.clone(), now));
        Some(found)
    }

    /// Whether it passes; else why not, without a full stop.
    fn run_render(&self, policy: &Policy, name: &RenderName, tree: TreeId) -> Result<(), String> {
        let command = self.config.renders.iter().find(|known| known.name == *name);
        let command = command.ok_or_else(|| "the agent file does not define it".to_owned())?;
        let repository = self.repository(&policy.repository).ok_or_else(|| "its repository is not configured any more".to_owned())?;
        let service = ServicePaths { name: policy.name.clone(), paths: policy.paths.clone() };
        let files = repository.mirror.service_files(tree, &service).map_err(|error| format!("its files cannot be read: {error}"))?;
        run(command, &policy.name, &files)
    }
}

/// Runs a command on files; the error says why it did not pass, without a full stop.
fn run(render: &RenderCommand, policy: &PolicyName, files: &[ServiceFile]) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| format!("no directory could be made for it: {error}"))?;
    let (work, home) = (directory.path().join("files"), directory.path().join("home"));
    lay_out(&work, files).and_then(|()| std::fs::create_dir(&home)).map_err(|error| format!("its files could not be written: {error}"))?;
    let Some((program, arguments)) = render.command.split_first() else { return Err("it names no program".to_owned()) };
    let mut command = Command::new(program);
    command
        .args(arguments.iter().map(|argument| argument.replace("$policy", policy.as_str())))
        .current_dir(&work)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("LC_ALL", "C.UTF-8")
        .env("REVERTD_POLICY", policy.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What it starts is ended with it, however it ends.
        .process_group(0);
    let mut child = command.spawn().map_err(|error| format!("`{program}` could not be run: {error}"))?;
    let said = [end_of(child.stdout.take()), end_of(child.stderr.take())];
    let ended = wait(&child, render.timeout);
    let status = end_group(&mut child).and_then(|status| Ok(ended?.then_some(status)));
    let [stdout, stderr] = said.map(|ending| ending.recv_timeout(Duration::from_secs(1)).unwrap_or_default());
    let last = last_line(&stderr).or_else(|| last_line(&stdout));
    let with_last = |why: String| last.as_ref().map_or(why.clone(), |last| format!("{why}: {last}"));
    match status {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(with_last(status.code().map_or("a signal ended it".to_owned(), |code| format!("it ended with {code}")))),
        Ok(None) => Err(with_last(format!("it did not end within {}", spoken(render.timeout)))),
        Err(error) => Err(format!("it could not be waited for: {error}")),
    }
}

fn lay_out(work: &Path, files: &[ServiceFile]) -> std::io::Result<()> {
    std::fs::create_dir(work)?;
    for file in files {
        // Git has no such names; a tree that was made by hand may.
        if file.path.split('/').any(|part| matches!(part, "" | "." | ".." | ".git")) {
            continue;
        }
        let path = work.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, &file.content)?;
    }
    Ok(())
}

/// Waits until it ends, for so long; whether it did. Its end is left to be taken: until then its number, and that of its group, stay its own.
fn wait(child: &Child, limit: Duration) -> std::io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    while waitid(WaitId::Pid(Pid::from_child(child)), options)?.is_none() {
        if started.elapsed() > limit {
            return Ok(false);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    Ok(true)
}

/// Ends the command, which has not been waited for, and what it started and left behind. How it ended, if it had.
fn end_group(child: &mut Child) -> std::io::Result<ExitStatus> {
    // There may be nothing left, which is what is wanted.
    let _ = rustix::process::kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.kill();
    child.wait()
}

/// Reads a stream to its end on a thread of its own and keeps the end of it: something that it started may hold the stream open for ever.
fn end_of<R: Read + Send + 'static>(stream: Option<R>) -> std::sync::mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut kept: Vec<u8> = Vec::new();
        let mut chunk = [0; 4096];
        if let Some(mut stream) = stream {
            while let Ok(count @ 1..) = stream.read(&mut chunk) {
                kept.extend_from_slice(&chunk[..count]);
                kept.drain(..kept.len().saturating_sub(KEPT_OUTPUT));
            }
        }
        let _ = sender.send(kept);
    });
    receiver
}

/// The last line that says something, harmless in any text: it may quote what anybody wrote into the repository.
fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().map(crate::render::neutral::flat).find(|line| !line.trim().is_empty())?;
    let quoted = line.trim().trim_end_matches('.').replace('`', "'");
    let mut short: String = quoted.chars().take(LONGEST_LINE).collect();
    if short.len() < quoted.len() {
        short.push('…');
    }
    Some(format!("`{short}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(script: &str, timeout: Duration) -> Result<(), String> {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let files = [
            ServiceFile { path: "apps/checkout/deployment.yaml".to_owned(), content: b"kind: Deployment\n".to_vec() },
            ServiceFile { path: "apps/../../escaped".to_owned(), content: b"x".to_vec() },
        ];
        run(&RenderCommand { name: RenderName::new("test"), command, timeout }, &PolicyName::new("checkout"), &files)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn it_passes_with_nought_and_fails_with_its_last_line() {
        assert_eq!(said("grep -q Deployment apps/checkout/deployment.yaml && test \"$REVERTD_POLICY\" = checkout", LONG), Ok(()));
        assert_eq!(
            said("echo first >&2; echo 'no `such` @team field.' >&2; echo; exit 3", LONG),
            Err("it ended with 3: `no 'such' @team field`".to_owned())
        );
        assert_eq!(said("test ! -e ../escaped && test ! -e ../../escaped", LONG), Ok(()));
        let missing = RenderCommand { name: RenderName::new("test"), command: vec!["revertd-no-such-program".to_owned()], timeout: LONG };
        assert!(run(&missing, &PolicyName::new("checkout"), &[]).unwrap_err().starts_with("`revertd-no-such-program` could not be run"));
    }

    #[test]
    fn it_gets_nothing_of_the_agents_environment() {
        let kept = "env | cut -d= -f1 | grep -v -e '^PATH$' -e '^HOME$' -e '^TMPDIR$' -e '^LC_ALL$' -e '^REVERTD_POLICY$' -e '^PWD$' -e '^OLDPWD$' -e '^_$' -e '^SHLVL$'";
        assert_eq!(said(&format!("! {{ {kept}; }}"), LONG), Ok(()), "cargo sets dozens of others for this test");
    }

    #[test]
    fn one_that_does_not_end_is_ended_with_what_it_started() {
        let started = Instant::now();
        let said = said("echo working; sleep 600 & sleep 600", Duration::from_millis(200));
        assert_eq!(said, Err("it did not end within 200ms: `working`".to_owned()));
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    }

    #[test]
    fn what_it_leaves_behind_is_ended_with_it() {
        // Until then it would hold the streams open, and what was said would not be known.
        assert_eq!(said("echo working; sleep 600 & exit 3", LONG), Err("it ended with 3: `working`".to_owned()));
    }

    #[test]
    fn what_it_says_is_bounded() {
        let said = said("yes 'a long line that goes on' | head -c 3000000 >&2; exit 1", LONG);
        assert!(said.unwrap_err().len() < 300);
    }
}
