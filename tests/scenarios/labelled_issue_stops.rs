//! An open issue with the operator's label stops the automation, if somebody put it on who may write; what cannot be read stops it too.

use revertd::demo::forge::{FaultKind, Role};

use crate::chat::{CHANNEL, Chat};
use crate::support::{World, policy};

const STOP: &str = "  stop: {issueLabel: \"stop: revertd\"}\n";

fn world(mode: &str) -> World {
    World::on_github_with(&["checkout"], &[policy("checkout", mode, "")], STOP)
}

/// Whether a bad change was acted upon.
fn acts(world: &mut World) -> usize {
    world.break_checkout();
    world.seconds(6);
    world.reverts() + world.branches().len()
}

#[test]
fn an_issue_that_a_writer_labelled_stops_until_it_is_closed() {
    let mut world = world("merge");
    let issue = world.github().open_issue("mallory", "Please stop");
    assert!(world.github().label_issue("robin", issue, "Stop: Revertd"));
    assert_eq!(acts(&mut world), 0);
    assert_eq!(world.refusals(), ["killSwitch"]);
    let sentence = world.incident().decision.unwrap().sentence;
    assert!(sentence.starts_with(&format!("robin put the label `stop: revertd` on the issue #{issue}")), "{sentence}");
    assert!(world.github().close_issue(issue));
    world.seconds(2);
    assert_eq!(world.reverts(), 1, "{:?}", world.incident().decision);
}

#[test]
fn taking_the_label_off_ends_it() {
    let mut world = world("merge");
    let issue = world.github().open_issue("dana", "Maintenance");
    world.github().label_issue("dana", issue, "stop: revertd");
    assert_eq!(acts(&mut world), 0);
    world.github().unlabel_issue("dana", issue, "stop: revertd");
    world.seconds(2);
    assert_eq!(world.reverts(), 1);
}

#[test]
fn a_label_of_somebody_who_may_not_write_counts_for_nothing() {
    let mut world = world("merge");
    world.github().set_person("terry", Role::Triage);
    for login in ["mallory", "terry"] {
        let issue = world.github().open_issue(login, "I want it to stop");
        world.github().label_issue(login, issue, "stop: revertd");
    }
    let other = world.github().open_issue("dana", "Something else");
    world.github().label_issue("dana", other, "bug");
    assert_eq!(acts(&mut world), 1);
}

#[test]
fn who_put_it_on_last_counts() {
    let mut world = world("merge");
    let issue = world.github().open_issue("dana", "Maintenance");
    world.github().label_issue("dana", issue, "stop: revertd");
    world.github().unlabel_issue("dana", issue, "stop: revertd");
    world.github().label_issue("mallory", issue, "stop: revertd");
    assert_eq!(acts(&mut world), 1);
}

#[test]
fn what_cannot_be_read_stops() {
    // The list, who labelled it, and what they may do.
    for path in ["/issues", "/issues/*/events", "/collaborators/*/permission"] {
        let mut world = world("merge");
        let issue = world.github().open_issue("mallory", "Please stop");
        world.github().label_issue("mallory", issue, "stop: revertd");
        world.fault("GET", path, 1000, FaultKind::Before(403));
        assert_eq!(acts(&mut world), 0, "{path}");
        assert_eq!(world.refusals(), ["killSwitch"], "{path}");
        let sentence = world.incident().decision.unwrap().sentence;
        assert!(sentence.contains("cannot be read, which counts as a stop: "), "{sentence}");
    }
}

#[test]
fn an_account_that_is_gone_stops() {
    let mut world = world("merge");
    let issue = world.github().open_issue("robin", "Please stop");
    world.github().label_issue("robin", issue, "stop: revertd");
    world.github().remove_account("robin");
    assert_eq!(acts(&mut world), 0);
    assert!(world.incident().decision.unwrap().sentence.contains("cannot be read"));
}

#[test]
fn an_approval_does_not_lift_it_and_a_merge_is_looked_at_once_more() {
    let mut world = world("propose");
    world.break_checkout();
    world.until(15, |world| world.proposal_is_told());
    let issue = world.github().open_issue("dana", "Stop");
    world.github().label_issue("dana", issue, "stop: revertd");
    world.approve_on_github();
    world.seconds(10);
    assert_eq!(world.landings(), 0);
    assert!(world.refusals().contains(&"killSwitch".to_owned()));
}

#[test]
fn people_are_told_once_that_it_went_on_and_off_without_an_incident() {
    let chat = Chat::start();
    let more = format!("{STOP}  notifiers: [{}]\n", chat.slack("oncall", CHANNEL));
    let more = more.replace("stop: {", "stop: {file: \"ROOT/STOP\", ");
    let mut world = World::on_github_with(&["checkout"], &[policy("checkout", "merge", "  notify: [oncall]\n")], &more);
    world.told_seconds(3);
    assert_eq!(chat.posts().len(), 0);
    let issue = world.github().open_issue("dana", "Maintenance");
    world.github().label_issue("dana", issue, "stop: revertd");
    std::fs::write(world.root.join("STOP"), "").unwrap();
    world.told_seconds(5);
    world.restart();
    world.told_seconds(5);
    let texts = || chat.posts().iter().map(|post| post.body["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(), ["revertd is stopped", "revertd is stopped"], "one for each switch, and once over a restart");
    let sent: String = chat.seen().iter().map(|seen| seen.body.clone()).collect();
    assert!(sent.contains("dana put the label") && sent.contains("is there: nothing is proposed or merged"), "{sent}");
    world.github().close_issue(issue);
    std::fs::remove_file(world.root.join("STOP")).unwrap();
    world.told_seconds(5);
    let texts = texts();
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert_eq!(texts[2..], ["revertd goes on", "revertd goes on"]);
}

#[test]
fn the_file_on_the_branch_is_told_as_well() {
    let chat = Chat::start();
    let more = format!("  notifiers: [{}]\n", chat.slack("oncall", CHANNEL));
    let mut world = World::with_agent(&["checkout"], &[policy("checkout", "merge", "  notify: [oncall]\n")], &more);
    world.told_seconds(3);
    world.write(".revertd/STOP", "");
    world.commit("Stop reverting");
    world.told_seconds(3);
    std::fs::remove_file(world.root.join("person/.revertd/STOP")).unwrap();
    world.commit("Go on");
    world.told_seconds(3);
    let texts: Vec<_> = chat.posts().iter().map(|post| post.body["text"].as_str().unwrap().to_owned()).collect();
    // The first post is edited, as in every story that is over.
    assert_eq!(texts, ["Now recovered: revertd goes on", "revertd goes on"]);
    let sent: String = chat.seen().iter().map(|seen| seen.body.clone()).collect();
    assert!(sent.contains("revertd is stopped") && sent.contains("`.revertd/STOP` stands on `main`"), "{sent}");
}
