//! `revertd plan` with the real program: what it says, how it ends, and that it leaves nothing behind but objects.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};

use revertd::engine::time::Timestamp;
use revertd::journal::{Journal, SqliteJournal};
use serde_json::Value;

use crate::binary::{BAD, Setting, World, git, text};

/// What a plan printed for the one policy.
fn planned(output: &Output) -> Value {
    let all: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    all[0].clone()
}

/// Every reference of the mirror, with the files that only a writing fetch leaves.
fn references(world: &World) -> String {
    let mirror = world.file("state/mirrors/manifests.git");
    let left = ["FETCH_HEAD", "packed-refs", "shallow"].map(|name| mirror.join(name).exists());
    format!("{:?} {}", left, git(&mirror, &["for-each-ref"]))
}

/// The facts, the rounds and the last listing of a journal.
fn recorded(journal: &Path) -> BTreeMap<&'static str, String> {
    let journal = SqliteJournal::open_read_only(journal).unwrap();
    let listing = journal.last_listing(&revertd::engine::id::RepositoryName::new("manifests")).unwrap();
    BTreeMap::from([
        ("facts", format!("{:?}", journal.facts_after(0).unwrap())),
        ("rounds", format!("{:?}", journal.rounds_since(Timestamp(0)).unwrap())),
        ("listing", format!("{listing:?}")),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_do_is_zero_and_leaves_the_journal_and_the_references_alone() {
    let world = World::new().await;
    world.configure(&Setting::of("merge"));
    let running = world.start();
    world.healthy_answers(7).await;
    assert!(running.terminate().await.success());
    world.commit("1.4.3");
    let journal = world.file("state/journal.db");
    let before = (recorded(&journal), references(&world), std::fs::read(&journal).unwrap());

    let output = world.command(&["plan", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let plan = planned(&output);
    assert_eq!((&plan["decision"], &plan["policy"]), (&Value::Null, &Value::from("checkout")));
    assert_eq!(plan["assessments"][0]["verdict"], "healthy", "{plan}");
    assert!(text(&world.command(&["plan"]).stdout).contains("nothing is to be done"));

    assert_eq!((recorded(&journal), references(&world), std::fs::read(&journal).unwrap()), before);
    // Its objects were fetched all the same: the plan was made from the new head.
    let head = git(&world.bare(), &["rev-parse", "main"]);
    let mirror = world.file("state/mirrors/manifests.git");
    assert_eq!(git(&mirror, &["cat-file", "-t", head.trim()]), "commit\n");
    assert_eq!(world.reverts() + world.proposals().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_journal_it_measures_first_and_would_act() {
    let world = World::new().await;
    world.configure(&Setting::of("propose"));
    let none = world.command(&["plan"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("\nhint: measure first: `revertd plan --for 2m`"), "{}", text(&none.stderr));

    let mut command = world.program();
    command.args(["plan", "--for", "9s", "--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    world.break_service().await;
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    let plan = planned(&output);
    assert_eq!(output.status.code(), Some(3), "{plan:#}");
    assert_eq!(plan["decision"]["verdict"], "propose");
    let bad = git(&world.bare(), &["rev-parse", "main"]);
    assert_eq!(plan["attribution"]["suspects"], serde_json::json!([bad.trim()]), "{plan:#}");

    assert!(!world.file("state/journal.db").exists() && !world.file("state/journal.db.lock").exists());
    assert!(!references(&world).contains("refs/"), "{}", references(&world));
    assert_eq!((world.reverts(), world.proposals()), (0, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_that_no_change_explains_is_refused() {
    let world = World::new().await;
    world.configure(&Setting::of("merge"));
    world.commit(BAD);
    let output = world.command(&["plan", "--for", "2s", "--output", "json"]);
    let plan = planned(&output);
    assert_eq!(output.status.code(), Some(4), "{plan:#}");
    assert_eq!(plan["decision"]["verdict"], "refuse");
    assert!(!plan["decision"]["sentence"].as_str().unwrap().is_empty());
    assert_eq!(world.reverts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_and_a_bad_journal_are_not_planned_from() {
    let world = World::new().await;
    world.configure(&Setting::of("merge"));
    std::fs::write(world.file("state/journal.db"), "no database at all, but a file of some length").unwrap();
    let damaged = world.command(&["plan", "--for", "1s"]);
    assert_eq!((damaged.status.code(), damaged.stdout.len()), (Some(1), 0));
    assert!(text(&damaged.stderr).contains("\nhint: restore the journal from a backup"), "{}", text(&damaged.stderr));

    let policy = std::fs::read_to_string(world.file("policy.yaml")).unwrap();
    std::fs::write(world.file("policy.yaml"), policy.replace("mode: merge", "mode: marge")).unwrap();
    for command in ["plan", "run", "status", "incidents"] {
        let refused = world.command(&[command]);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(5), 0), "{command}");
        let said = text(&refused.stderr);
        assert!(said.contains("policy.yaml:14:") && said.contains("marge"), "{said}");
    }
    let nowhere = world.program().args(["plan", "--config", "/nowhere/agent.yaml"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(text(&nowhere.stderr).contains("\nhint: name the agent file with --config FILE"), "{}", text(&nowhere.stderr));
}
