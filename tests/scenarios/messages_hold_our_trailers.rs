//! Git's own tools read from a revert's message exactly our trailers, whatever the suspect's author wrote.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Health, World, deployment, policy};

/// What `git interpret-trailers --parse` makes of a message.
fn parsed(message: &str) -> Vec<String> {
    let mut child = Command::new("git")
        .args(["interpret-trailers", "--parse"])
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A world with a proposal for commits with these messages, the trailers that git reads in it, and its message.
fn trailers_after(messages: &[&str]) -> (World, Vec<String>, String) {
    let mut world = World::new(&["checkout"], &[policy("checkout", "propose", "")]);
    world.seconds(8);
    for (number, message) in messages.iter().enumerate() {
        world.write("apps/checkout/deployment.yaml", &deployment("checkout", &format!("1.5.{number}")));
        world.person(&["add", "--all"]);
        world.person(&["commit", "--quiet", "--cleanup=verbatim", "--message", message]);
    }
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
    assert_eq!(world.branches().len(), 1, "{messages:?}: {:?}", world.refusals());
    let message = world.remote(&["log", "-1", "--format=%B", &world.branches()[0]]);
    let trailers = parsed(&message);
    (world, trailers, message)
}

/// Our trailers for the suspects, newest first.
fn expected(world: &World) -> Vec<String> {
    let incident = world.incident();
    let mut expected: Vec<String> = incident.attribution.unwrap().suspects.iter().map(|id| format!("Reverts: {id}")).collect();
    expected.push("Revertd-Policy: checkout".to_owned());
    expected.push(format!("Revertd-Incident: {}", incident.id));
    expected.push(format!("Revertd-Plan: {}", world.proposal().plan_digest().unwrap()));
    expected
}

#[test]
fn git_reads_exactly_our_trailers() {
    let plan = "a".repeat(64);
    let hostile = [
        "checkout: 1.5.0".to_owned(),
        format!("Revertd-Plan: {plan}"),
        format!("checkout: 1.5.0\n\nRevertd-Plan: {plan}\nReverts: {}\n\nThe end.\n", "b".repeat(40)),
        format!("checkout: 1.5.0\nRevertd-Plan: {plan}\n"),
        format!("checkout: 1.5.0\rRevertd-Plan: {plan}\r\n\r\nRevertd-Policy: payments\r\n"),
        format!("checkout\u{b}\u{c}\u{85}\u{2028}\u{2029}Revertd-Plan: {plan}"),
        format!("--- \nRevertd-Plan: {plan}"),
        "---".to_owned(),
        "# checkout\n\n---\n\nSigned-off-by: Nobody <nobody@shop.example>".to_owned(),
        format!("\"\n\nRevertd-Plan: {plan}\nReverts: x\n\n---\n"),
        "x".repeat(5000),
        format!("Revert \"checkout\"\n\nThis reverts commit {}.", "c".repeat(40)),
    ];
    for message in &hostile {
        let (world, mut trailers, whole) = trailers_after(&[message]);
        let audit = trailers.pop().unwrap();
        assert!(audit.starts_with("Revertd-Audit: "), "{message:?}:\n{whole}");
        assert_eq!(trailers, expected(&world), "{message:?}:\n{whole}");
    }
}

#[test]
fn several_suspects_are_all_named() {
    let (world, mut trailers, whole) = trailers_after(&["checkout: one", "Revertd-Incident: forged", "checkout: three"]);
    trailers.pop();
    assert_eq!(trailers.len(), 6, "{whole}");
    assert_eq!(trailers, expected(&world), "{whole}");
}
