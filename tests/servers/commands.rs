//! The commands beside a running agent, and without one: what they print for people and for programs, and how they end.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::binary::{Setting, World, git, text};
use crate::support::ChildGuard;

/// What a command printed as JSON; it must have ended with 0.
fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The whole of what a command said on standard error; it must have ended with 1 and printed nothing else.
fn failure(output: &Output) -> String {
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    text(&output.stderr)
}

/// An agent that has seen the repository and ended again.
async fn watched(mode: &'static str) -> World {
    let world = World::new().await;
    world.configure(&Setting::of(mode));
    let running = world.start();
    world.healthy_answers(3).await;
    assert!(running.terminate().await.success());
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_a_proposal_as_the_commands_tell_it() {
    let world = World::new().await;
    world.configure(&Setting::of("propose"));
    let running = world.start();
    world.break_service().await;
    world.phase("proposed").await;
    let bad = git(&world.bare(), &["rev-parse", "main"]).trim().to_owned();
    let good = git(&world.bare(), &["rev-parse", "main~"]).trim().to_owned();
    let incident = world.incidents()[0].clone();
    let id = incident["id"].as_str().unwrap();

    let status = json(&world.command(&["status", "--output", "json"]));
    assert_eq!((&status["agentRuns"], &status["repositories"][0]["head"]), (&Value::Bool(true), &Value::from(bad.as_str())));
    assert_eq!(status["services"][0]["slos"][0]["verdict"], "breaching", "{status:#}");
    assert_eq!((&status["openIncidents"][0]["id"], &status["pauses"]), (&incident["id"], &serde_json::json!([])));
    let shown = text(&world.command(&["status"]).stdout);
    assert!(shown.starts_with("The agent runs (") && shown.contains("One incident is open:\n"), "{shown}");
    watch(&world).await;

    let listed = text(&world.command(&["incidents"]).stdout);
    assert!(listed.lines().count() == 1 && listed.contains(id) && listed.contains(" proposed "), "{listed}");
    for name in [id, &id[..id.len() - 1], &bad, &bad[..8], &bad[..8].to_uppercase()] {
        assert_eq!(json(&world.command(&["explain", name, "--output", "json"]))[0]["id"], incident["id"], "{name}");
    }
    let story = text(&world.command(&["explain", &bad]).stdout);
    for part in ["breach ", "suspect ", "decision ", "proposal   revertd/", "(limit 3)", &bad[..8]] {
        assert!(story.contains(part), "{part}: {story}");
    }
    let innocent = text(&world.command(&["explain", &good]).stdout);
    assert!(innocent.starts_with(&good) && innocent.contains("\"checkout: 1.4.2\" landed on `main`"), "{innocent}");
    assert_eq!(json(&world.command(&["explain", &good, "--output", "json"])), serde_json::json!([]));
    for command in ["explain", "approve"] {
        let said = failure(&world.command(&[command, "0123456789abcdef"]));
        assert_eq!(said, "error: there is no incident `0123456789abcdef`\nhint: `revertd incidents` lists them\n");
    }

    assert!(running.terminate().await.success());
    let approved = json(&world.command(&["approve", id, "--output", "json"]));
    assert_eq!((&approved["agentRuns"], &approved["approvedBefore"]), (&Value::Bool(false), &Value::Bool(false)));
    assert_eq!(approved["approval"]["by"], whoami().as_str());
    let again = text(&world.command(&["approve", id]).stdout);
    assert!(again.contains("It had been approved before.\nNo agent runs on this journal: "), "{again}");
    let _running = world.start();
    world.assert_recovered().await;
    let late = failure(&world.command(&["approve", id]));
    assert_eq!(
        late,
        format!("error: the incident `{id}` is past approving: it is recovered\nhint: `revertd explain {id}` tells how it came\n")
    );
    let story = text(&world.command(&["explain", id]).stdout);
    assert!(story.contains("\nended      recovered at ") && story.contains("\ntiming     detect "), "{story}");
}

/// `status --watch` prints a line each time, and ends on SIGINT.
async fn watch(world: &World) {
    let mut command = world.program();
    command.args(["status", "--watch", "--output", "json"]).stdout(Stdio::piped());
    let (mut watching, output) = ChildGuard::printing(&mut command);
    let lines = tokio::task::spawn_blocking(move || BufReader::new(output).lines().take(2).collect::<Result<Vec<_>, _>>());
    for line in lines.await.unwrap().unwrap() {
        let status: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(status["agentRuns"], true);
    }
    watching.signal("INT");
    assert_eq!(watching.end().await.code(), Some(0));
}

fn whoami() -> String {
    text(&std::process::Command::new("id").arg("-un").output().unwrap().stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_says_why_and_ends_by_itself() {
    let world = World::new().await;
    world.configure(&Setting::of("merge"));
    let _running = world.start();
    world.healthy_answers(8).await;
    let paused = json(&world.command(&["pause", "manifests", "--for", "6s", "--reason", "database\nmove", "--output", "json"]));
    assert_eq!(paused["pause"]["reason"], "database move");
    assert_eq!((&paused["pause"]["by"], &paused["agentRuns"]), (&Value::from(whoami()), &Value::Bool(true)));
    world.break_service_after(0).await;
    let refused = || world.incidents().iter().any(|incident| incident["decision"].to_string().contains("database move"));
    world.until("the pause refuses, and says why", refused).await;
    assert_eq!(world.reverts(), 0);
    world.assert_recovered().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resume_ends_what_it_is_asked_to_and_says_what_goes_on() {
    let world = watched("merge").await;
    let said = |args: &[&str]| text(&world.command(args).stdout);
    let resumed = |args: &[&str]| json(&world.command(args));
    let absent = "No agent runs on this journal: it takes effect when one is started.\n";
    assert_eq!(said(&["resume"]), "Nothing is paused.\n");
    assert_eq!(said(&["resume", "manifests"]), "Nothing is paused in `manifests` alone.\n");

    assert!(said(&["pause", "--for", "1h", "--reason", "night"]).ends_with(absent));
    let one = said(&["resume", "manifests"]);
    assert!(one.starts_with("Nothing is paused in `manifests` alone.\nThe pause in all repositories goes on until "), "{one}");
    assert!(said(&["status"]).contains("paused in all repositories until "));
    said(&["pause", "manifests", "--for", "1h", "--reason", "day"]);
    let all = resumed(&["resume", "--output", "json"]);
    assert_eq!((&all["unpaused"], &all["stillPaused"]), (&serde_json::json!([null, "manifests"]), &serde_json::json!([])));
    assert_eq!(json(&world.command(&["status", "--output", "json"]))["pauses"], serde_json::json!([]));
    said(&["pause", "manifests", "--for", "1h", "--reason", "day"]);
    assert_eq!(said(&["resume", "manifests"]), format!("The pause in `manifests` is over.\n{absent}"));

    // The branch is deleted while nobody looks.
    let head = git(&world.bare(), &["rev-parse", "main"]).trim().to_owned();
    git(&world.bare(), &["update-ref", "-d", "refs/heads/main"]);
    let running = world.start();
    let stopped = || json(&world.command(&["status", "--output", "json"]))["repositories"][0]["stop"].is_object();
    world.until("the repository stops", stopped).await;
    assert!(said(&["status"]).contains("  stopped: "));
    assert!(failure(&world.command(&["resume", "manifests"])).contains("--accept <oid>"));
    assert!(said(&["resume"]).contains("`manifests` stands still all the same"));
    git(&world.bare(), &["update-ref", "refs/heads/main", &head]);
    let accepted = resumed(&["resume", "manifests", "--accept", &head, "--output", "json"]);
    assert_eq!((&accepted["resumed"], &accepted["agentRuns"]), (&serde_json::json!(["manifests"]), &Value::Bool(true)));
    world.until("the stop is over", || !stopped()).await;
    assert!(running.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_told_what_to_write() {
    let world = watched("merge").await;
    let oid = "0123456789012345678901234567890123456789";
    for (args, code, word) in [
        (&["pause", "--for", "0s", "--reason", "x"][..], 2, "between a moment and 30 days"),
        (&["pause", "--for", "31d", "--reason", "x"], 2, "between a moment and 30 days"),
        (&["pause", "--for", "soon", "--reason", "x"], 2, "such as `90s`, `30m` or `2h`"),
        (&["pause", "--for", "1h", "--reason", " "], 2, "needs a reason"),
        (&["pause", "--for", "1h"], 2, "--reason <TEXT>"),
        (&["pause", "nowhere", "--for", "1h", "--reason", "x"], 1, "hint: it has `manifests`"),
        (&["resume", "nowhere"], 1, "hint: it has `manifests`"),
        (&["resume", "--accept", oid], 2, "hint: name it: `revertd resume REPOSITORY --accept <oid>`"),
        (&["resume", "manifests", "--accept", oid], 1, "nothing is stopped there"),
        (&["resume", "manifests", "--accept", "main"], 2, "'--accept <OID>'"),
        (&["status", "--output", "yaml"], 2, "[possible values: text, json]"),
        (&["--log", "revertd=loud", "status"], 2, "write `error`, `warn`, `info` or `debug`"),
        (&["check"], 2, "takes no --config; name the files as arguments"),
        (&["schema"], 2, "takes no --config"),
        (&["judge", "cases.jsonl"], 2, "takes no --config; name the lines as an argument"),
        (&["import", "sloth", "slo.yaml"], 2, "takes no --config; name the document as an argument"),
        (&["plan", "--for", "x"], 2, "such as `90s`"),
    ] {
        let output = world.command(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.starts_with("error: ") && said.contains(word), "{args:?}: {said}");
    }
    assert_eq!(text(&world.command(&["incidents"]).stdout), "There are no incidents.\n");
    assert_eq!(json(&world.command(&["incidents", "--output", "json"])), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_ends_by_what_it_finds() {
    let world = watched("propose").await;
    let output = world.command(&["doctor", "--output", "json"]);
    let report = serde_json::from_slice::<Value>(&output.stdout).unwrap();
    let verdicts: Vec<&str> = report["sections"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|section| section["findings"].as_array().unwrap())
        .map(|finding| finding["verdict"].as_str().unwrap())
        .collect();
    assert!(verdicts.len() > 5 && !verdicts.contains(&"problem"), "{report:#}");
    assert_eq!(output.status.code(), Some(0));
    let agent = world.agent_file();
    let bare = world.bare().display().to_string();
    let configured = std::fs::read_to_string(&agent).unwrap();
    assert!(configured.contains(&bare), "{configured}");
    std::fs::write(&agent, configured.replace(&bare, &format!("{bare}.gone"))).unwrap();
    let output = world.command(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("  problem   remote: ") && shown.contains("1 problem, "), "{shown}");
    std::fs::write(&agent, configured.replace("repositories:", "repositorys:")).unwrap();
    let output = world.command(&["doctor"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(5), 0), "{}", text(&output.stderr));
}
