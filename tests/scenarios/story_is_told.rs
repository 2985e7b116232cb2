//! A story is told in one thread, from the proposal to the recovery, and a proposal that nobody looks at is told again.

use std::time::Duration;

use revertd::engine::incident::Phase;

use crate::chat::{CANARY, CHANNEL, Chat};
use crate::support::{Health, TOKEN, World, deployment, policy};

/// What stands in a code block of a post.
fn code_block(post: &serde_json::Value) -> String {
    let blocks = post["blocks"].as_array().unwrap();
    let elements = blocks.iter().filter_map(|block| block["elements"].as_array()).flatten();
    let code = elements.filter(|element| element["type"] == "rich_text_preformatted").map(|element| element["elements"][0]["text"].clone());
    code.map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn config(value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: checkout}}\ndata: {{limit: {value}}}\n")
}

fn breaks(world: &mut World) {
    world.write("apps/checkout/config.yaml", &config("value-3b90"));
    world.commit("checkout: a limit");
    world.seconds(8);
    world.write("apps/checkout/config.yaml", &config("value-7c1e"));
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.commit("checkout: 1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
}

#[test]
fn story_is_told_in_one_thread() {
    let chat = Chat::start();
    let notifiers = format!("  notifiers: [{}]\n", chat.slack("oncall", CHANNEL));
    let mut world = World::on_github_with(&["checkout"], &[policy("checkout", "propose", "  notify: [oncall]\n")], &notifiers);
    breaks(&mut world);
    world.told_until(15, |_| !chat.posts().is_empty());
    let card = &chat.posts()[0];
    assert_eq!(card.body["text"], "A revert is proposed for checkout");
    let (pull, proposal) = (world.pull(), world.proposal());
    let sticky = &proposal.sticky.as_ref().unwrap().url;
    assert!(sticky.contains("#issuecomment-") && card.body.to_string().contains(sticky.as_str()), "{}", card.body);
    let command = code_block(&card.body);
    assert!(command.starts_with("/revertd approve "), "{}", card.body);
    assert!(card.body.to_string().contains("Suspected: "), "{}", card.body);

    world.github().comment("robin", pull.number, &command).unwrap();
    world.told_until(15, |world| world.phase() == Phase::Verifying || world.phase() == Phase::Merged);
    world.set_health("checkout", Health::Good);
    world.told_until(20, |world| world.phase() == Phase::Recovered);
    world.told_seconds(3);
    assert_eq!(chat.told(), ["proposed", "approved", "merged", "ended"]);
    let posts = chat.posts();
    assert!(posts[0].edited && posts[0].thread.is_none());
    assert!(posts[1..].iter().all(|post| post.thread.as_ref() == Some(&posts[0].ts)), "{posts:#?}");
    assert!(posts[1].body.to_string().contains("robin approved it."), "{}", posts[1].body);
    assert_eq!((&posts[3].body["text"], &posts[3].body["reply_broadcast"]), (&"checkout has recovered".into(), &true.into()));
    assert!(posts[3].body.to_string().contains("detect "), "{}", posts[3].body);
    assert!(code_block(&posts[0].body).is_empty(), "what there was to type is done: {}", posts[0].body);
    // Later passes and a restart have nothing to add.
    world.restart();
    world.told_seconds(5);
    assert_eq!(chat.told().len(), 4);
    // Neither secrets nor values of the manifests.
    let facts = format!("{:?}", world.facts());
    let sent: String = chat.seen().iter().map(|seen| seen.body.clone()).collect();
    for text in [&facts, &sent] {
        assert!(!text.contains(CANARY) && !text.contains(TOKEN));
    }
    assert!(!sent.contains("value-7c1e") && !sent.contains("value-3b90"), "{sent}");
    assert!(sent.contains("ConfigMap checkout"), "{sent}");
}

#[test]
fn a_merge_that_needed_nobody_is_told_from_its_beginning() {
    let chat = Chat::start();
    let notifiers = format!("  notifiers: [{}]\n", chat.slack("oncall", CHANNEL));
    let mut world = World::with_agent(&["checkout"], &[policy("checkout", "merge", "  notify: [oncall]\n")], &notifiers);
    breaks(&mut world);
    world.told_until(10, |world| world.reverts() == 1);
    world.set_health("checkout", Health::Good);
    world.told_until(20, |world| world.phase() == Phase::Recovered);
    world.told_seconds(2);
    assert_eq!(chat.told(), ["merged", "ended"]);
    let first = chat.posts()[0].body.to_string();
    assert!(!chat.bodies("/api/chat.postMessage")[0].to_string().contains("approve"), "{first}");
    for part in ["checkout: `up` failed 3", "Suspected: ", "Deployment checkout", "It landed as "] {
        assert!(chat.bodies("/api/chat.postMessage")[0].to_string().contains(part), "{part} is not in {first}");
    }
}

#[test]
fn a_proposal_that_waits_is_told_again_and_its_veto_ends_the_thread() {
    let chat = Chat::start();
    let notifiers = format!("  notifiers: [{}, {}]\n", chat.slack("oncall", CHANNEL), chat.pagerduty("pager"));
    let mut world = World::on_github_with(&["checkout"], &[policy("checkout", "propose", "  notify: [oncall, pager]\n")], &notifiers);
    breaks(&mut world);
    world.told_until(15, |_| !chat.posts().is_empty());
    world.pass_after(Duration::from_secs(14 * 60)).unwrap();
    assert_eq!(chat.told(), ["proposed"]);
    world.pass_after(Duration::from_secs(60)).unwrap();
    world.pass_after(Duration::from_secs(1)).unwrap();
    assert_eq!(chat.told(), ["proposed", "waiting"]);
    world.github().close("dana", world.pull().number).unwrap();
    world.told_seconds(4);
    assert_eq!(chat.told(), ["proposed", "waiting", "ended"]);
    assert_eq!(chat.posts()[2].body["text"], "The revert for checkout was closed by a person");
    let paged: Vec<String> = chat.bodies("/v2/enqueue").iter().map(|event| event["event_action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paged, ["trigger", "trigger", "resolve"]);
}

#[test]
fn each_team_is_told_in_its_own_channel() {
    let chat = Chat::start();
    let notifiers = format!("  notifiers: [{}]\n", chat.slack("teams", "#$team-oncall"));
    let policies = ["checkout", "payments"].map(|name| {
        let labelled = format!("metadata: {{name: {name}, labels: {{team: of-{name}}}}}");
        policy(name, "propose", "  notify: [teams]\n").replace(&format!("metadata: {{name: {name}}}"), &labelled)
    });
    let mut world = World::with_agent(&["checkout", "payments"], &policies, &notifiers);
    world.seconds(8);
    world.write("apps/payments/deployment.yaml", &deployment("payments", "2.0.0"));
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "2.0.0"));
    world.commit("both: 2.0.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.set_health("payments", Health::Bad);
    world.told_until(15, |_| chat.posts().len() == 2);
    world.told_seconds(3);
    let mut channels: Vec<String> = chat.posts().iter().map(|post| post.channel.clone()).collect();
    channels.sort();
    assert_eq!(channels, ["C0OF0CHECKOUT0ONCALL", "C0OF0PAYMENTS0ONCALL"]);
    // On plain Git there is no comment: it is approved in a shell.
    assert!(code_block(&chat.posts()[0].body).starts_with("revertd approve "), "{:?}", chat.posts());
}
