//! The inverse against `git revert` in a worktree, on random histories: trees and commit ids of what is clean, paths of what conflicts.
//!
//! 2,000 reverts by default; `REVERTD_DIFFERENTIAL=100000` asks for more. The seed of a history is printed with every mismatch.
#![expect(clippy::unwrap_used, reason = "a history that cannot be made is a failure, and the counts are the result")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

/// Commits of one history.
const COMMITS: usize = 36;
/// What the commits of a history do; each is a class of its own.
const CLASSES: [&str; 10] = ["edit", "add", "delete", "rename", "directory", "mode", "symlink", "attributes", "line", "merge"];

/// splitmix64 (Steele, Lea, Flood 2014): small, seeded, good enough to shuffle with.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

/// A tree as `fast-import` is told it: mode and content by path.
type Tree = BTreeMap<String, (&'static str, String)>;

struct History {
    stream: Vec<u8>,
    /// The class of each commit, by mark.
    classes: Vec<&'static str>,
}

fn lines(random: &mut Random, count: usize) -> String {
    (0..count).fold(String::new(), |text, number| text + &format!("line {number}: {}\n", random.below(1000)))
}

fn first_tree(random: &mut Random) -> Tree {
    let mut tree = Tree::new();
    for app in 0..4 {
        for file in ["deployment.yaml", "service.yaml", "config.txt"] {
            tree.insert(format!("apps/app-{app}/{file}"), ("100644", lines(random, 12)));
        }
    }
    let tags = (0..12).fold(String::new(), |text, number| text + &format!("service-{number}: 1.0.{number}\n"));
    tree.insert("tags.yaml".into(), ("100644", tags));
    tree.insert("docs/notes.txt".into(), ("100644", lines(random, 8)));
    tree
}

fn pick(random: &mut Random, tree: &Tree, wanted: impl Fn(&str, &(&'static str, String)) -> bool) -> Option<String> {
    let paths: Vec<&String> = tree.iter().filter(|(path, entry)| wanted(path, entry)).map(|(path, _)| path).collect();
    (!paths.is_empty()).then(|| paths[random.below(paths.len())].clone())
}

fn is_file(_: &str, entry: &(&'static str, String)) -> bool {
    entry.0 != "120000"
}

/// Changes the tree the way a class does.
fn change(random: &mut Random, tree: &mut Tree, class: &str) {
    match class {
        "edit" => {
            if let Some(path) = pick(random, tree, |path, entry| is_file(path, entry) && path != "tags.yaml" && path != ".gitattributes") {
                let entry = tree.get_mut(&path).unwrap();
                let mut text: Vec<String> = entry.1.lines().map(str::to_owned).collect();
                let at = random.below(text.len());
                if let Some(line) = text.get_mut(at) {
                    *line = format!("edited {}", random.below(1000));
                }
                entry.1 = text.join("\n") + "\n";
            }
        }
        "add" => {
            let path = format!("apps/app-{}/added-{}.yaml", random.below(6), random.below(1000));
            tree.insert(path, ("100644", lines(random, 6)));
        }
        "delete" => {
            if let Some(path) = pick(random, tree, |path, entry| is_file(path, entry) && path.starts_with("apps/")) {
                tree.remove(&path);
            }
        }
        "rename" => {
            if let Some(path) = pick(random, tree, |path, entry| is_file(path, entry) && path.starts_with("apps/")) {
                let entry = tree.remove(&path).unwrap();
                tree.insert(format!("{path}.moved-{}", random.below(100)), entry);
            }
        }
        "directory" => {
            let from = format!("apps/app-{}/", random.below(6));
            let to = format!("apps/moved-{}/", random.below(100));
            let moved: Vec<String> = tree.keys().filter(|path| path.starts_with(&from)).cloned().collect();
            for path in moved {
                let entry = tree.remove(&path).unwrap();
                tree.insert(path.replacen(&from, &to, 1), entry);
            }
        }
        "mode" => {
            if let Some(path) = pick(random, tree, is_file) {
                let entry = tree.get_mut(&path).unwrap();
                entry.0 = if entry.0 == "100644" { "100755" } else { "100644" };
            }
        }
        "symlink" => {
            let path = format!("links/link-{}", random.below(4));
            tree.insert(path, ("120000", format!("../apps/app-{}", random.below(100))));
        }
        "attributes" => {
            if random.below(3) == 0 {
                let rules = [
                    "*.txt text\n",
                    "*.txt -text\n",
                    "*.txt text eol=crlf\n",
                    "*.yaml merge=union\n",
                    "docs/* text=auto\n*.txt merge=binary\n",
                ];
                tree.insert(".gitattributes".into(), ("100644", rules[random.below(rules.len())].to_owned()));
            } else if let Some(path) = pick(random, tree, |path, entry| is_file(path, entry) && path.ends_with(".txt")) {
                let entry = tree.get_mut(&path).unwrap();
                let unix = entry.1.replace("\r\n", "\n");
                entry.1 = if entry.1 == unix { unix.replace('\n', "\r\n") } else { unix };
            }
        }
        _ => {
            // One line for each service: a neighbour's bump is what makes most reverts conflict.
            let entry = tree.get_mut("tags.yaml").unwrap();
            let mut text: Vec<String> = entry.1.lines().map(str::to_owned).collect();
            let at = random.below(text.len());
            text[at] = format!("service-{at}: 1.{}.{}", random.below(100), random.below(100));
            entry.1 = text.join("\n") + "\n";
        }
    }
}

fn emit(stream: &mut Vec<u8>, mark: usize, message: &str, parents: &[usize], tree: &Tree) {
    let person = format!("Robin <robin@shop.example> {} +0100", 1_700_000_000 + mark);
    write!(stream, "commit refs/heads/main\nmark :{mark}\nauthor {person}\ncommitter {person}\ndata {}\n{message}\n", message.len())
        .unwrap();
    for (number, parent) in parents.iter().enumerate() {
        writeln!(stream, "{} :{parent}", if number == 0 { "from" } else { "merge" }).unwrap();
    }
    writeln!(stream, "deleteall").unwrap();
    for (path, (mode, content)) in tree {
        write!(stream, "M {mode} inline {path}\ndata {}\n{content}\n", content.len()).unwrap();
    }
}

fn history(seed: u64) -> History {
    let mut random = Random(seed);
    let mut tree = first_tree(&mut random);
    let (mut stream, mut classes) = (Vec::new(), vec!["first"]);
    emit(&mut stream, 1, "Begin", &[], &tree);
    let mut head = 1;
    while classes.len() < COMMITS {
        let class = CLASSES[random.below(CLASSES.len())];
        let mark = classes.len() + 1;
        if class == "merge" {
            // A side branch of one commit, merged: both sides change other files, so that the merge itself is clean.
            let (mut side, before) = (tree.clone(), tree.clone());
            change(&mut random, &mut side, "add");
            change(&mut random, &mut side, "edit");
            emit(&mut stream, mark, "On a side branch", &[head], &side);
            classes.push("side");
            tree = side;
            debug_assert_ne!(before, tree);
            emit(&mut stream, mark + 1, "Merge the side branch", &[head, mark], &tree);
            classes.push("merge");
            head = mark + 1;
            continue;
        }
        change(&mut random, &mut tree, class);
        emit(&mut stream, mark, &format!("A change of the class {class}"), &[head], &tree);
        classes.push(class);
        head = mark;
    }
    History { stream, classes }
}

fn hermetic(directory: &Path, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(directory)
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory)
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("LC_ALL", "C"),
            ("GIT_AUTHOR_NAME", "Dana"),
            ("GIT_AUTHOR_EMAIL", "dana@shop.example"),
            ("GIT_AUTHOR_DATE", "1795230000 +0100"),
            ("GIT_COMMITTER_NAME", "Sam"),
            ("GIT_COMMITTER_EMAIL", "sam@shop.example"),
            ("GIT_COMMITTER_DATE", "1795230060 +0200"),
        ]);
    command
}

fn feed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}

fn git(directory: &Path, args: &[&str]) -> Output {
    hermetic(directory, "git", args).output().unwrap()
}

fn text(directory: &Path, args: &[&str]) -> String {
    let output = git(directory, args);
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What one side says of one revert.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Clean {
        tree: String,
        commit: String,
    },
    Conflict(Vec<String>),
    AlreadyUndone,
    /// Git would not begin: a file that was committed with other line endings than its attributes say always looks modified in a worktree.
    WorktreeInTheWay,
}

/// What `git revert` does in the worktree, which is left as it was.
fn reverted_by_git(worktree: &Path, head: &str, commit: &str, is_merge: bool) -> Answer {
    let mut args = vec!["revert", "--no-edit"];
    if is_merge {
        args.extend(["-m", "1"]);
    }
    args.push(commit);
    let output = git(worktree, &args);
    let answer = if output.status.success() {
        Answer::Clean { tree: text(worktree, &["rev-parse", "HEAD^{tree}"]), commit: text(worktree, &["rev-parse", "HEAD"]) }
    } else {
        let unmerged = text(worktree, &["ls-files", "--unmerged", "-z", "--format=%(path)"]);
        let mut paths: Vec<String> = unmerged.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        paths.sort_unstable();
        paths.dedup();
        if !paths.is_empty() {
            Answer::Conflict(paths)
        } else if String::from_utf8_lossy(&output.stderr).contains("local changes") {
            Answer::WorktreeInTheWay
        } else if String::from_utf8_lossy(&output.stderr).contains("could not revert") {
            // Git does not know where a file of a moved directory belongs, and leaves no path unmerged.
            Answer::Conflict(Vec::new())
        } else {
            Answer::AlreadyUndone
        }
    };
    // Quitting forgets the revert in progress; there may be none.
    git(worktree, &["revert", "--quit"]);
    text(worktree, &["reset", "--quiet", "--hard", head]);
    text(worktree, &["clean", "--quiet", "-ffdx"]);
    answer
}

fn read(line: &Value) -> Answer {
    let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    match line["status"].as_str() {
        Some("clean") => Answer::Clean { tree: field("tree"), commit: field("commit") },
        Some("conflict") => {
            Answer::Conflict(line["conflicts"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned()).collect())
        }
        Some("alreadyUndone") => Answer::AlreadyUndone,
        other => Answer::Conflict(vec![format!("error {other:?}: {}", field("error"))]),
    }
}

#[derive(Default)]
struct Counts {
    reverts: usize,
    in_the_way: usize,
    exact: usize,
    by_class: BTreeMap<(&'static str, &'static str), usize>,
    mismatches: Vec<String>,
}

fn compare(seed: u64, counts: &Mutex<Counts>) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let History { stream, classes } = history(seed);
    text(root, &["init", "--quiet", "-b", "main", "work"]);
    let work = root.join("work");
    let imported = feed(hermetic(&work, "git", &["fast-import", "--quiet", "--export-marks=.git/marks"]), &stream);
    assert!(imported.status.success(), "seed {seed}: {}", String::from_utf8_lossy(&imported.stderr));
    text(&work, &["reset", "--quiet", "--hard", "main"]);
    let marks: BTreeMap<usize, String> = std::fs::read_to_string(work.join(".git/marks"))
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix(':')?.split_once(' '))
        .map(|(mark, id)| (mark.parse().unwrap(), id.to_owned()))
        .collect();
    let head = text(&work, &["rev-parse", "HEAD"]);
    let cases: Vec<(&'static str, &String)> = classes
        .iter()
        .enumerate()
        .filter(|(_, class)| CLASSES.contains(class))
        .map(|(index, class)| (*class, &marks[&(index + 1)]))
        .collect();
    let input: String = cases.iter().map(|(_, commit)| format!("{commit} {head}\n")).collect();
    let binary = env!("CARGO_BIN_EXE_revertd");
    let answered = feed(hermetic(&work, binary, &["revert", "--stdin", "--dry-run", "--repo", ".", "--output", "json"]), input.as_bytes());
    assert_eq!(answered.status.code(), Some(0), "{}", String::from_utf8_lossy(&answered.stderr));
    let answers: Vec<Value> = String::from_utf8(answered.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), cases.len());
    for ((class, commit), answer) in cases.iter().zip(&answers) {
        let (ours, theirs) = (read(answer), reverted_by_git(&work, &head, commit, *class == "merge"));
        let outcome = match theirs {
            Answer::Clean { .. } => "clean",
            Answer::Conflict(_) => "conflict",
            Answer::AlreadyUndone => "undone",
            Answer::WorktreeInTheWay => "in the way",
        };
        let mut counts = counts.lock().unwrap();
        if theirs == Answer::WorktreeInTheWay {
            counts.in_the_way += 1;
            continue;
        }
        counts.reverts += 1;
        counts.exact += usize::from(answer["method"] == "exact");
        *counts.by_class.entry((class, outcome)).or_default() += 1;
        if ours != theirs {
            counts.mismatches.push(format!("seed {seed}, {class} {commit}:\n  ours {ours:?}\n  git  {theirs:?}"));
        }
    }
}

#[test]
fn the_inverse_is_what_git_revert_would_do() {
    let wanted: usize = std::env::var("REVERTD_DIFFERENTIAL").ok().and_then(|text| text.parse().ok()).unwrap_or(2000);
    let counts = Mutex::new(Counts::default());
    let first = std::env::var("REVERTD_DIFFERENTIAL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let seed = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while counts.lock().unwrap().reverts < wanted {
                    compare(seed.fetch_add(1, Ordering::SeqCst), &counts);
                }
            });
        }
    });
    let Counts { reverts, in_the_way, exact, by_class, mismatches } = counts.into_inner().unwrap();
    println!("{reverts} reverts, {exact} by the exact path; {in_the_way} more that a worktree did not allow");
    let mut conflicts = 0;
    for class in CLASSES {
        let count = |outcome: &'static str| by_class.get(&(class, outcome)).copied().unwrap_or_default();
        let (clean, conflict, undone) = (count("clean"), count("conflict"), count("undone"));
        println!("{class:>10}: {clean:6} clean {conflict:6} conflict {undone:6} undone");
        conflicts += conflict;
        assert!(clean + conflict + undone >= 50, "the class {class} has too few cases");
    }
    assert!(mismatches.is_empty(), "{} of {reverts} differ:\n{}", mismatches.len(), mismatches[..mismatches.len().min(5)].join("\n"));
    assert!(in_the_way * 20 <= reverts, "{in_the_way} could not be compared");
    assert!(conflicts * 10 >= reverts, "only {conflicts} of {reverts} conflict");
    assert!(exact * 5 >= reverts, "the exact path was taken in {exact} of {reverts} only");
}
