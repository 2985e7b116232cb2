//! Journals that cannot be used: every command says what is wrong, why, and what to do.

use std::path::Path;
use std::process::{Command, Output};

use crate::binary::{Setting, World, text};
use crate::support::{ChildGuard, eventually, find_program};

/// An agent that ran for a moment, and its journal.
async fn recorded() -> World {
    let world = World::new().await;
    world.configure(&Setting::of("merge"));
    let running = world.start();
    world.healthy_answers(2).await;
    assert!(running.terminate().await.success());
    world
}

/// `error:`, `caused by:` and `hint:`, and the code 1.
fn assert_said(output: &Output, caused_by: &str, hint: &str) {
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    // Warnings about the configuration come before.
    let lines: Vec<&str> = said.lines().filter(|line| !line.contains(" WARN ")).collect();
    assert!(lines[0].starts_with("error: cannot "), "{said}");
    assert!(lines.iter().any(|line| line.starts_with("caused by: ") && line.contains(caused_by)), "{caused_by}: {said}");
    assert!(lines.last().unwrap().starts_with("hint: ") && said.contains(hint), "{hint}: {said}");
}

fn execute(journal: &Path, statement: &str) {
    rusqlite::Connection::open(journal).unwrap().execute_batch(statement).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_says_which_process_holds_the_journal() {
    let world = World::new().await;
    world.configure(&Setting::of("merge"));
    let mut running = world.start();
    world.healthy_answers(2).await;
    let second = world.command(&["run"]);
    assert_said(&second, &format!("(process {})", running.id()), "one agent");
    assert!(!running.has_ended());
    // The journal of an agent that was killed is free.
    drop(running);
    let running = world.start();
    world.healthy_answers(1).await;
    assert!(running.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_journal_a_newer_one_and_a_damaged_one_are_refused_by_every_command() {
    let world = recorded().await;
    let journal = world.file("state/journal.db");
    let good = std::fs::read(&journal).unwrap();
    let pause = ["pause", "--for", "1h", "--reason", "x"];
    let reading: [&[&str]; 6] = [&["status"], &["incidents"], &["explain", "x"], &["approve", "x"], &["resume"], &pause];
    let refused = |caused_by: &str, hint: &str, more: &[&[&str]]| {
        for command in reading.iter().chain(more) {
            assert_said(&world.command(command), caused_by, hint);
        }
    };
    let agent: [&[&str]; 2] = [&["run"], &["plan", "--for", "1s"]];

    execute(&journal, "PRAGMA user_version = 7");
    refused("has the schema 7, and this revertd knows ", "run the newer revertd", &agent);
    std::fs::write(&journal, &good).unwrap();
    execute(&journal, "UPDATE facts SET at = at + 1 WHERE sequence = 1");
    refused("the journal's chain is broken at fact 1", "restore the journal from a backup", &agent);
    std::fs::write(&journal, [b"not SQLite".repeat(20), good[200..].to_vec()].concat()).unwrap();
    refused("file is not a database", "restore the journal from a backup", &agent);
    std::fs::write(&journal, &good[..good.len() / 2]).unwrap();
    refused("malformed", "restore the journal from a backup", &[&["run"]]);
    std::fs::remove_file(&journal).unwrap();
    refused("there is no journal at ", "--config FILE", &[]);
    assert!(!journal.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_written_to_is_named() {
    let world = World::new().await;
    world.configure(&Setting::of("merge"));
    std::fs::remove_dir(world.file("state")).unwrap();
    std::fs::write(world.file("state"), "a file").unwrap();
    assert_said(&world.command(&["run"]), "state/journal.db.lock", "a file stands where a directory is needed");
    std::fs::remove_file(world.file("state")).unwrap();
    std::fs::create_dir_all(world.file("state/journal.db")).unwrap();
    assert_said(&world.command(&["run"]), "state/journal.db", "a directory stands where a file is needed");

    let Some(mut nobody) = as_nobody(&world) else { return };
    std::fs::remove_dir_all(world.file("state")).unwrap();
    assert_said(&nobody.arg("run").output().unwrap(), "Permission denied", "run it as the user that the agent runs as");
}

/// The program as a user who may write nowhere; root may write everywhere.
fn as_nobody(world: &World) -> Option<Command> {
    use std::os::unix::fs::PermissionsExt;
    let setpriv = find_program("setpriv")?;
    let is_root = text(&Command::new("id").arg("-u").output().unwrap().stdout).trim() == "0";
    if !is_root {
        println!("skipped: only root can become nobody");
        return None;
    }
    std::fs::set_permissions(world.file(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = world.program();
    let mut command = Command::new(setpriv);
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program.get_program()).args(program.get_args());
    Some(command)
}

/// A file that may not grow stands for a disk that is full: SQLite is told so by the operating system in both.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_stops_the_agent_and_no_fact_is_half_written() {
    let world = recorded().await;
    let program = world.program();
    let limited = |blocks: u32| {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"")).arg("sh").arg(program.get_program());
        command.args(program.get_args());
        for (name, value) in program.get_envs() {
            value.map(|value| command.env(name, value));
        }
        command
    };
    let pause = ["pause", "--for", "1h", "--reason", "x"];
    let refused = limited(1).args(pause).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).starts_with("error: cannot read the journal\ncaused by: "), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("\nhint: look at the disk"), "{}", text(&refused.stderr));
    world.assert_intact();
    assert_eq!(world.command(&pause).status.code(), Some(0));
    world.assert_intact();

    // Sixty-four kilobytes are soon used up by a log that SQLite has not yet taken over.
    let log = std::fs::File::create(world.file("full.log")).unwrap();
    let running = std::sync::Mutex::new(ChildGuard::logging(limited(64).arg("run"), log));
    let said = || std::fs::read_to_string(world.file("full.log")).unwrap();
    let full = || said().contains("the pass failed and is tried again") || running.lock().unwrap().has_ended();
    eventually("the disk is full", async || full().then_some(())).await;
    drop(running);
    assert!(said().contains("journal"), "{}", said());
    world.assert_intact();
}
