//! Building the inverse beside what a user would run: `git revert` in a worktree, and `merge-tree` + `commit-tree` + `update-ref`.
//!
//! Generated repositories of 1k, 20k and 200k files, interleaved, medians of 15, in one run, as ratios. `--assert` fails below half of what is
//! aimed at (on 200k files 200 times the worktree, 3 times the plumbing, at most 4 times the time on 1k files).
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a repository that cannot be made is a failure, and the table is the result")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use revertd::engine::plan::Inverse;
use revertd::git::LocalRepository;
use revertd::render::commit::git_message;

const ROUNDS: usize = 15;
const SIZES: [usize; 3] = [1_000, 20_000, 200_000];

fn git(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(directory)
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory)
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "Robin"),
            ("GIT_AUTHOR_EMAIL", "robin@shop.example"),
            ("GIT_COMMITTER_NAME", "Robin"),
            ("GIT_COMMITTER_EMAIL", "robin@shop.example"),
        ]);
    command
}

fn text(directory: &Path, args: &[&str]) -> String {
    let output = git(directory, args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn path(file: usize) -> String {
    format!("apps/team-{:03}/service-{:03}/file-{:02}.yaml", file / 1000, file / 20 % 50, file % 20)
}

/// A repository of `files` manifests, and commits that change one of them each.
fn generate(root: &Path, files: usize) -> std::path::PathBuf {
    let name = format!("r{files}");
    text(root, &["init", "--quiet", "-b", "main", &name]);
    let work = root.join(name);
    let mut child = git(&work, &["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stream = std::io::BufWriter::new(child.stdin.take().unwrap());
    let manifest = |file: usize, tag: usize| {
        format!("kind: Deployment\nmetadata: {{name: s{file}}}\nspec:\n  replicas: 2\n  image: shop/s{file}:1.0.{tag}\n")
    };
    let begin = |stream: &mut dyn Write, number: usize| {
        write!(stream, "commit refs/heads/main\ncommitter Robin <robin@shop.example> {} +0000\ndata 6\nChange\n", 1_700_000_000 + number)
            .unwrap();
    };
    begin(&mut stream, 0);
    for file in 0..files {
        let content = manifest(file, 0);
        write!(stream, "M 644 inline {}\ndata {}\n{content}\n", path(file), content.len()).unwrap();
    }
    for number in 1..=ROUNDS + 10 {
        begin(&mut stream, number);
        let file = number * 37 % files;
        let content = manifest(file, number);
        write!(stream, "M 644 inline {}\ndata {}\n{content}\n", path(file), content.len()).unwrap();
    }
    stream.flush().unwrap();
    drop(stream);
    assert!(child.wait().unwrap().success());
    text(&work, &["reset", "--quiet", "--hard", "main"]);
    text(&work, &["config", "user.name", "Robin"]);
    text(&work, &["config", "user.email", "robin@shop.example"]);
    work
}

fn timed(run: impl FnOnce()) -> Duration {
    let started = Instant::now();
    run();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Medians in milliseconds: ours, the worktree, the plumbing.
fn measure(work: &Path) -> [f64; 3] {
    let repository = LocalRepository::open(work).unwrap();
    let head = text(work, &["rev-parse", "main"]);
    let base = repository.resolve(&head).unwrap();
    let (mut ours, mut worktree, mut plumbing) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let suspect = text(work, &["rev-parse", &format!("main~{}", round + 5)]);
        let mut built = String::new();
        ours.push(timed(|| {
            let commit = repository.resolve(&suspect).unwrap();
            if let Inverse::Clean(clean) = repository.inverse(commit, base).unwrap() {
                let message = git_message(&repository.reverted(commit).unwrap());
                repository.revert_id(base, clean.tree, &message).unwrap();
                built = clean.tree.to_string();
            }
        }));
        worktree.push(timed(|| {
            text(work, &["revert", "--no-edit", &suspect]);
        }));
        assert_eq!(built, text(work, &["rev-parse", "HEAD^{tree}"]), "both build the same tree");
        text(work, &["reset", "--quiet", "--hard", &head]);
        plumbing.push(timed(|| {
            let tree = text(work, &["merge-tree", "--write-tree", &format!("--merge-base={suspect}"), &head, &format!("{suspect}^")]);
            let commit = text(work, &["commit-tree", "-p", &head, "-m", "Revert", &tree]);
            text(work, &["update-ref", "refs/heads/plumbing", &commit]);
        }));
    }
    [median(ours), median(worktree), median(plumbing)]
}

fn main() {
    let asserting = std::env::args().any(|argument| argument == "--assert");
    let directory = tempfile::tempdir().unwrap();
    println!("{:>8} {:>12} {:>12} {:>12} {:>14} {:>14}", "files", "revertd ms", "worktree ms", "plumbing ms", "× worktree", "× plumbing");
    let mut results = Vec::new();
    for files in SIZES {
        let measured = measure(&generate(directory.path(), files));
        let [ours, worktree, plumbing] = measured;
        println!("{files:>8} {ours:>12.2} {worktree:>12.1} {plumbing:>12.2} {:>14.0} {:>14.1}", worktree / ours, plumbing / ours);
        results.push(measured);
    }
    let (small, large) = (results[0], results[2]);
    println!("time on 200k files over time on 1k files: {:.1}", large[0] / small[0]);
    if asserting {
        assert!(large[1] / large[0] >= 100.0, "not 100 times the worktree");
        assert!(large[2] / large[0] >= 1.5, "not 1.5 times the plumbing");
        assert!(large[0] / small[0] <= 8.0, "over 8 times the time on 1k files");
    }
}
