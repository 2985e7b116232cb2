//! `revertd revert --dry-run` on clones of every shape, beside what `git revert` itself makes of the same commit.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::hermetic;

/// Who commits, and when. Git and revertd are given the same.
const IDENTITY: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "Zoë Ångström"),
    ("GIT_AUTHOR_EMAIL", "zoe@example.com"),
    ("GIT_AUTHOR_DATE", "1700000000 +0530"),
    ("GIT_COMMITTER_NAME", "ops <night> shift"),
    ("GIT_COMMITTER_EMAIL", "ops@example.com"),
    ("GIT_COMMITTER_DATE", "1700000123 -0800"),
];

/// A clone with a history that has every outcome.
struct Story {
    folder: TempDir,
    root: String,
    /// Edits what a later commit edits again.
    buried: String,
    /// Undone by a later commit.
    undone: String,
    /// That later commit, a `git revert`.
    reverting: String,
    merge: String,
    /// The newest change, which can be undone as it is.
    newest: String,
}

impl Story {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clone = folder.path().join("clone");
        std::fs::create_dir(&clone).unwrap();
        git(&clone, &["init", "--quiet", "-b", "main"]);
        let root = commit(&clone, &[("apps/a.yaml", "image: a:1\n"), ("apps/b.yaml", "image: b:1\n"), ("readme", "hello\n")], "root");
        let buried = commit(&clone, &[("apps/a.yaml", "image: a:2\n")], "a: 2");
        let undone = commit(&clone, &[("apps/b.yaml", "image: b:2\n")], "b: 2");
        commit(&clone, &[("apps/a.yaml", "image: a:3\n")], "a: 3");
        git(&clone, &["revert", "--no-edit", &undone]);
        let reverting = git(&clone, &["rev-parse", "HEAD"]);
        git(&clone, &["checkout", "--quiet", "-b", "side"]);
        commit(&clone, &[("apps/side.yaml", "image: side:1\n")], "side");
        git(&clone, &["checkout", "--quiet", "main"]);
        commit(&clone, &[("readme", "hello again\n")], "words");
        git(&clone, &["merge", "--quiet", "--no-ff", "-m", "merge side", "side"]);
        let merge = git(&clone, &["rev-parse", "HEAD"]);
        let newest = commit(&clone, &[("apps/c.yaml", "image: c:1\n"), ("readme", "bye\n")], "c: 1");
        Self { folder, root, buried, undone, reverting, merge, newest }
    }

    fn clone(&self) -> PathBuf {
        self.file("clone")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The id of the commit that `git revert` makes on the head of a copy.
    fn reverted_by_git(&self, commit: &str, more: &[&str]) -> String {
        let copy = tempfile::tempdir().unwrap();
        let source = self.clone().display().to_string();
        git(copy.path(), &["clone", "--quiet", "--no-hardlinks", &source, "."]);
        let done = hermetic(copy.path()).envs(IDENTITY).args(["revert", "--no-edit"]).args(more).arg(commit).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        git(copy.path(), &["rev-parse", "HEAD"])
    }
}

fn git(directory: &Path, args: &[&str]) -> String {
    let done = hermetic(directory)
        .envs([("GIT_AUTHOR_DATE", "1690000000 +0000"), ("GIT_COMMITTER_DATE", "1690000000 +0000")])
        .args(args)
        .output()
        .unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

fn commit(clone: &Path, files: &[(&str, &str)], message: &str) -> String {
    for (name, content) in files {
        let file = clone.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    git(clone, &["add", "--all"]);
    git(clone, &["commit", "--quiet", "-m", message]);
    git(clone, &["rev-parse", "HEAD"])
}

fn revertd(repository: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_revertd"));
    command.envs(IDENTITY).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env_remove("REVERTD_CONFIG").env_remove("REVERTD_LOG").args(["revert", "--repo"]).arg(repository);
    command
}

/// Runs it on one commit and reads the answer; every file of the clone must be as it was.
fn answer(repository: &Path, args: &[&str]) -> (Value, Option<i32>) {
    let before = everything(repository);
    let output = revertd(repository).args(["--dry-run", "--output", "json"]).args(args).output().unwrap();
    assert_untouched(repository, &before);
    let printed = serde_json::from_slice(&output.stdout);
    (printed.unwrap_or_else(|error| panic!("{error}: {output:?}")), output.status.code())
}

/// The content of every file below a folder. The time of change is left out: git renews that of objects which it would write again.
fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
            found.insert(path, Vec::new());
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// Nothing was written, made or taken away, with the names of what was.
fn assert_untouched(folder: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) {
    let after = everything(folder);
    let differs = |name: &&PathBuf| before.get(*name) != after.get(*name);
    let touched: std::collections::BTreeSet<&PathBuf> = before.keys().chain(after.keys()).filter(differs).collect();
    assert!(touched.is_empty(), "touched: {touched:?}");
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_clean_inverse_is_the_commit_that_git_revert_makes() {
    let story = Story::new();
    let head = git(&story.clone(), &["rev-parse", "HEAD"]);
    for (commit, more) in [(&story.newest, &[][..]), (&story.reverting, &[]), (&story.merge, &["-m", "1"])] {
        let expected = story.reverted_by_git(commit, more);
        let (answer, code) = answer(&story.clone(), &[commit]);
        assert_eq!((answer["status"].as_str(), code), (Some("clean"), Some(0)), "{answer}");
        assert_eq!(answer["base"], head);
        assert_eq!(answer["commit"], expected, "{answer}");
        assert_eq!((&answer["conflicts"], &answer["error"]), (&Value::Array(Vec::new()), &Value::Null));
        assert!(answer["message"].as_str().unwrap().contains(commit.as_str()), "{answer}");
    }
}

#[test]
fn a_root_commit_takes_its_files_away() {
    let story = Story::new();
    let (on_itself, code) = answer(&story.clone(), &[&story.root, "--onto", &story.root]);
    assert_eq!((on_itself["status"].as_str(), code), (Some("clean"), Some(0)));
    assert_eq!(on_itself["tree"], "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "the empty tree");
    assert_eq!(on_itself["base"], story.root.as_str());
    // Two of its files were changed since, and the third is as it was.
    let (later, code) = answer(&story.clone(), &[&story.root]);
    assert_eq!((later["status"].as_str(), code), (Some("conflict"), Some(3)));
    assert_eq!(later["conflicts"], serde_json::json!(["apps/a.yaml", "readme"]));
}

#[test]
fn a_conflict_and_an_undone_commit_have_no_commit() {
    let story = Story::new();
    for (commit, status, code, conflicts) in
        [(&story.buried, "conflict", 3, &["apps/a.yaml"][..]), (&story.undone, "alreadyUndone", 0, &[])]
    {
        // Onto the revert itself: later changes to the same file are another matter.
        let (answer, ended) = answer(&story.clone(), &[commit, "--onto", &story.reverting]);
        assert_eq!((answer["status"].as_str(), ended), (Some(status), Some(code)), "{answer}");
        assert_eq!((&answer["commit"], &answer["tree"]), (&Value::Null, &Value::Null));
        assert_eq!(answer["conflicts"], serde_json::json!(conflicts));
        assert_eq!(answer["base"], story.reverting.as_str());
        assert!(answer["message"].as_str().unwrap().contains("This reverts commit"));
    }
}

#[test]
fn what_names_no_commit_is_an_error() {
    let story = Story::new();
    for (args, word) in [
        (&["nothing"][..], "`nothing`"),
        (&["0123456789012345678901234567890123456789"], "0123456789"),
        (&["HEAD:readme"], "`HEAD:readme`"),
        (&["HEAD", "--onto", "nothing"], "`nothing`"),
        (&["HEAD^{tree}"], "`HEAD^{tree}`"),
    ] {
        let (answer, code) = answer(&story.clone(), args);
        assert_eq!((answer["status"].as_str(), code), (Some("error"), Some(1)), "{args:?}");
        assert!(answer["error"].as_str().unwrap().contains(word), "{answer}");
        assert_eq!(answer["commit"], Value::Null);
        let text = revertd(&story.clone()).arg("--dry-run").args(args).output().unwrap();
        assert_eq!((text.status.code(), text.stdout.len()), (Some(1), 0));
        assert!(said(&text).starts_with("error: ") && said(&text).contains(word), "{}", said(&text));
    }
    let nowhere = revertd(&story.file("nowhere")).args(["--dry-run", "HEAD"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(said(&nowhere).starts_with("error: cannot open the clone "), "{}", said(&nowhere));
}

#[test]
fn for_people_it_shows_the_same() {
    let story = Story::new();
    let shown = |commit: &str| revertd(&story.clone()).args(["--dry-run", commit]).output().unwrap();
    let clean = String::from_utf8(shown(&story.newest).stdout).unwrap();
    assert!(clean.starts_with("clean on ") && clean.contains("\n\nRevert \"c: 1\"\n\nThis reverts commit "), "{clean}");
    let conflict = shown(&story.buried);
    assert_eq!((conflict.status.code(), conflict.stdout.as_slice()), (Some(3), &b"conflict in one path:\n  apps/a.yaml\n"[..]));
}

#[test]
fn without_dry_run_it_is_wrong_usage() {
    let story = Story::new();
    for args in [&["HEAD"][..], &["--stdin"], &["--dry-run"], &["--dry-run", "--stdin", "HEAD"], &["--dry-run", "--config", "x", "HEAD"]] {
        let output = revertd(&story.clone()).args(args).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
        assert!(said(&output).starts_with("error: "), "{}", said(&output));
    }
    let output = revertd(&story.clone()).arg("HEAD").output().unwrap();
    assert_eq!(said(&output), "error: `revertd revert` shows what a revert would be and makes none\nhint: add --dry-run\n");
}

#[test]
fn clones_of_every_shape_give_the_same_commit() {
    let story = Story::new();
    let expected = story.reverted_by_git(&story.newest, &[]);
    let clone = story.clone();
    git(&clone, &["worktree", "add", "--quiet", "--detach", "../linked", "HEAD"]);
    git(&clone, &["checkout", "--quiet", "side"]);
    git(story.folder.path(), &["clone", "--quiet", "--bare", "--branch", "main", "clone", "bare.git"]);
    git(&story.file("bare.git"), &["symbolic-ref", "HEAD", "refs/heads/main"]);
    git(story.folder.path(), &["clone", "--quiet", "--shared", "--branch", "main", "clone", "shared"]);
    git(story.folder.path(), &["clone", "--quiet", "--shared", "--branch", "main", "shared", "shared twice"]);
    git(story.folder.path(), &["clone", "--quiet", "--shared", "--bare", "--branch", "main", "clone", "relative.git"]);
    std::fs::write(story.file("relative.git/objects/info/alternates"), "../../clone/.git/objects\n").unwrap();
    git(&story.file("relative.git"), &["symbolic-ref", "HEAD", "refs/heads/main"]);
    git(story.folder.path(), &["clone", "--quiet", "--bare", "--branch", "main", "clone", "packed.git"]);
    git(&story.file("packed.git"), &["symbolic-ref", "HEAD", "refs/heads/main"]);
    git(&story.file("packed.git"), &["gc", "--quiet"]);
    for name in ["linked", "linked/apps", "bare.git", "shared", "shared twice", "relative.git", "packed.git"] {
        let before = everything(&clone);
        let (answer, code) = answer(&story.file(name), &[&story.newest]);
        assert_eq!((answer["commit"].as_str(), code), (Some(expected.as_str()), Some(0)), "{name}: {answer}");
        assert_untouched(&clone, &before);
    }
}

/// Nine hundred commits in one go: among so many, some share their first four digits.
fn ambiguous(clone: &Path) -> String {
    let mut stream = String::new();
    for number in 0..900 {
        let message = format!("commit {number}");
        stream.push_str("commit refs/heads/many\n");
        stream.push_str(&format!("committer A <a@example.com> {} +0000\ndata {}\n{message}\n", 1_690_000_000 + number, message.len()));
    }
    let mut import = hermetic(clone).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    let ids = git(clone, &["rev-list", "many"]);
    let mut ids: Vec<&str> = ids.lines().collect();
    ids.sort_unstable();
    ids.windows(2).find(|pair| pair[0][..4] == pair[1][..4]).map(|pair| pair[0][..4].to_owned()).unwrap()
}

#[test]
fn each_line_of_standard_input_is_answered_in_its_place() {
    let story = Story::new();
    let prefix = ambiguous(&story.clone());
    let (newest, buried, undone, reverting) = (&story.newest, &story.buried, &story.undone, &story.reverting);
    let lines: Vec<(Vec<u8>, &str)> = vec![
        (format!("{newest} main").into(), "clean"),
        (Vec::new(), "error"),
        (newest.to_string().into(), "error"),
        (format!("{newest} main main").into(), "error"),
        (b"0123456789012345678901234567890123456789 main".to_vec(), "error"),
        (format!("{prefix} main").into(), "error"),
        (b"\xff\xfe\x00\x07 \xc3\x28".to_vec(), "error"),
        (b"HEAD\0 main".to_vec(), "error"),
        (b"--all --help".to_vec(), "error"),
        (format!("  {buried}\tmain\r").into(), "conflict"),
        (format!("{undone} {reverting}").into(), "alreadyUndone"),
        ("x".repeat(100_000).into(), "error"),
        (format!("{} main", &newest[..10]).into(), "clean"),
    ];
    let before = everything(&story.clone());
    let mut child = revertd(&story.clone())
        .args(["--dry-run", "--stdin", "--output", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // The last line has no end.
    let text: Vec<u8> = lines.iter().map(|(line, _)| line.as_slice()).collect::<Vec<_>>().join(&b'\n');
    let writer = std::thread::spawn(move || input.write_all(&text));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_untouched(&story.clone(), &before);
    let answers: Vec<Value> = String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), lines.len());
    for (answer, (line, status)) in answers.iter().zip(&lines) {
        assert_eq!(answer["status"], *status, "{}: {answer}", String::from_utf8_lossy(line));
        assert_eq!(answer["commit"].is_string(), *status == "clean", "{answer}");
        assert_eq!(answer["error"].is_string(), *status == "error", "{answer}");
    }
    assert_eq!(answers[0]["commit"], answers[lines.len() - 1]["commit"]);
    assert_eq!(answers[9]["conflicts"], serde_json::json!(["apps/a.yaml"]));
}

#[test]
fn no_lines_are_no_answers() {
    let story = Story::new();
    let output = revertd(&story.clone()).args(["--dry-run", "--stdin"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len(), said(&output)), (Some(0), 0, String::new()));
}
