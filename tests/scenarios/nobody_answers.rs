//! Nobody answers the pull request, and the policy says what happens then.

use std::time::Duration;

use revertd::demo::forge::{Fault, FaultKind};
use revertd::engine::fact::Event;
use revertd::engine::incident::Phase;

use crate::chat::{CHANNEL, Chat};
use crate::support::{World, policy};

fn silent(then: &str) -> World {
    World::with_pull_request_by(&format!("  approval: {{ifSilent: {{after: 10s, then: {then}}}}}\n"), |_| {})
}

fn endings(world: &World) -> usize {
    world.facts().iter().filter(|fact| matches!(fact.event, Event::SilenceEnded { .. })).count()
}

#[test]
fn it_is_told_again_once() {
    let mut world = silent("escalate");
    world.seconds(20);
    world.restart();
    world.seconds(10);
    assert_eq!((endings(&world), world.landings()), (1, 0));
    assert!(world.written()[0].contains("nobody had answered for 10s; told again, louder"), "{}", world.written()[0]);
}

/// In the chat to everybody and not to the thread alone; at the pager as another alert, because one that is open is not notified again.
#[test]
fn chats_and_pagers_are_told_louder_once() {
    let chat = Chat::start();
    let notifiers = format!("  notifiers: [{}, {}]\n", chat.slack("oncall", CHANNEL), chat.pagerduty("pager"));
    let rules = "  notify: [oncall, pager]\n  approval: {ifSilent: {after: 10s, then: escalate}}\n";
    let mut world = World::on_github_with(&["checkout"], &[policy("checkout", "propose", rules)], &notifiers);
    world.break_checkout();
    world.told_until(40, |_| chat.told().len() >= 2);
    world.restart();
    // Longer than what is told again without a rule.
    world.pass_after(Duration::from_secs(1000)).unwrap();
    world.told_seconds(3);
    assert_eq!(chat.told(), ["proposed", "escalated"]);
    let loud = &chat.posts()[1];
    assert_eq!(loud.body["text"], "Nobody answers: the revert for checkout still waits");
    assert_eq!((loud.thread.as_ref(), &loud.body["reply_broadcast"]), (Some(&chat.posts()[0].ts), &true.into()));
    assert!(loud.body.to_string().contains("Nobody has answered for 10s"), "{}", loud.body);
    let alerts = |chat: &Chat| -> Vec<(String, String, String)> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let told = chat.bodies("/v2/enqueue");
        told.iter().map(|body| (text(&body["event_action"]), text(&body["dedup_key"]), text(&body["payload"]["severity"]))).collect()
    };
    let (key, told) = (world.proposal().key.to_string(), alerts(&chat));
    let of = |action: &str, key: &str, severity: &str| (action.to_owned(), key.to_owned(), severity.to_owned());
    let escalated = format!("{key}/escalated");
    assert_eq!(told, [of("trigger", &key, "warning"), of("trigger", &escalated, "critical")]);
    world.approve_on_github();
    world.told_until(15, |world| world.landings() == 1);
    world.told_seconds(2);
    assert!(alerts(&chat).contains(&of("acknowledge", &escalated, "")), "{:?}", alerts(&chat));
}

#[test]
fn it_is_taken_back() {
    let mut world = silent("withdraw");
    world.seconds(20);
    assert_eq!((endings(&world), world.landings(), world.branches().len()), (1, 0, 0));
    assert_eq!(world.phase(), Phase::Withdrawn);
    assert!(world.incident().sentence.unwrap().starts_with("nobody answered for 10s"));
    // The breach goes on, and is not proposed again.
    world.seconds(20);
    assert_eq!((world.incidents().len(), world.branches().len()), (1, 0));
}

#[test]
fn it_is_merged_where_the_whole_gate_holds() {
    let mut world = silent("merge");
    world.seconds(5);
    assert_eq!(world.landings(), 0);
    world.until(15, |world| world.landings() == 1);
    assert_eq!(endings(&world), 0);
}

#[test]
fn silence_merges_nothing_over_a_ceiling() {
    let mut world = World::with_pull_request_under("maxMode: propose", "  approval: {ifSilent: {after: 10s, then: merge}}\n");
    world.seconds(25);
    assert_eq!(world.landings(), 0, "{:#?}", world.incident().decision);
}

#[test]
fn an_answer_ends_the_silence() {
    for (then, said) in [("escalate", "/revertd hold"), ("withdraw", "/revertd hold"), ("merge", "/revertd hold")] {
        let mut world = silent(then);
        world.github().comment("dana", world.pull().number, said).unwrap();
        world.seconds(25);
        assert_eq!((endings(&world), world.landings(), world.branches().len()), (0, 0, 1), "{then}");
    }
}

#[test]
fn a_forge_that_cannot_be_heard_is_not_silent() {
    for then in ["escalate", "withdraw", "merge"] {
        let mut world = silent(then);
        world
            .github()
            .arm(Fault { method: "GET".into(), path: "/repos/*/*/issues/comments".into(), times: 1000, kind: FaultKind::Before(502) })
            .unwrap();
        world.seconds(60);
        assert_eq!((endings(&world), world.landings(), world.branches().len()), (0, 0, 1), "{then}");
    }
}
