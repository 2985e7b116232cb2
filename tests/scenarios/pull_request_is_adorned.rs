//! Labels, reviewers and statuses: each is tried once, none of them stops anything.

use revertd::demo::forge::{Fault, FaultKind, Membership};

use crate::support::{Health, World};

fn adorned(owners: &str) -> World {
    World::with_pull_request_by("", |world| {
        world.github().set_email("robin", "robin@shop.example");
        world.github().set_team_member("shop", "sre", "dana", Some(Membership::Active));
        world.write("CODEOWNERS", owners);
        world.commit("Say who owns what");
    })
}

/// The statuses on a commit: context, state and description, the newest last.
fn statuses(world: &World, commit: &str) -> Vec<(String, String, String)> {
    let all = world.github().statuses().into_iter().filter(|status| status.commit.to_string() == commit);
    all.map(|status| (status.context, status.state, status.description.unwrap_or_default())).collect()
}

fn asked(world: &World, path: &str) -> usize {
    world.github().requests().iter().filter(|request| request.method == "POST" && request.path.contains(path)).count()
}

#[test]
fn owners_are_asked_and_neither_the_author_nor_revertd_is() {
    let mut world = adorned("* @revertd @robin @dana @shop/sre @other/team\n");
    world.seconds(2);
    let request = world.github().requests().into_iter().find(|request| request.path.ends_with("/requested_reviewers")).unwrap();
    assert_eq!(request.body.unwrap(), serde_json::json!({"reviewers": ["dana"], "team_reviewers": ["sre"]}));
    assert_eq!(world.pull().labels, ["revertd"]);
}

#[test]
fn the_suspected_commit_and_the_head_carry_a_status_once() {
    let mut world = adorned("* @dana\n");
    world.seconds(2);
    let (suspect, head) = (world.remote_head().unwrap(), world.proposal().head.unwrap().to_string());
    let line = |context: &str, state: &str, text: &str| (context.to_owned(), state.to_owned(), text.to_owned());
    let proposed = line("revertd", "failure", "A revert of this commit is proposed.");
    assert_eq!(statuses(&world, &suspect), std::slice::from_ref(&proposed));
    let plan = world.proposal().plan_digest().unwrap();
    assert_eq!(statuses(&world, &head), [line("revertd/plan", "success", &format!("Plan {plan}"))]);
    world.restart();
    world.seconds(5);
    assert_eq!((asked(&world, "/statuses/"), asked(&world, "/requested_reviewers"), asked(&world, "/labels")), (2, 1, 1));
    world.github().comment("dana", world.pull().number, &world.approve_command()).unwrap();
    world.until(10, |world| world.landings() == 1);
    world.set_health("checkout", Health::Good);
    world.seconds(3);
    assert_eq!(statuses(&world, &suspect), [proposed, line("revertd", "failure", "This commit was reverted.")]);
}

#[test]
fn a_status_says_that_a_person_decided_against_it() {
    let mut world = adorned("* @dana\n");
    let suspect = world.remote_head().unwrap();
    world.github().comment("dana", world.pull().number, "/revertd cancel").unwrap();
    world.seconds(6);
    assert_eq!(statuses(&world, &suspect).pop().unwrap().2, "A person decided against reverting this commit.");
}

#[test]
fn a_forge_that_takes_no_decoration_stops_nothing_and_is_not_asked_again() {
    let mut world = World::with_pull_request_by("", |world| {
        for path in ["/repos/*/*/statuses/*", "/repos/*/*/issues/*/labels", "/repos/*/*/pulls/*/requested_reviewers"] {
            world.github().arm(Fault { method: "POST".into(), path: path.into(), times: 1000, kind: FaultKind::Before(503) }).unwrap();
        }
    });
    world.seconds(15);
    let tried = asked(&world, "/statuses/") + asked(&world, "/labels");
    assert!(tried >= 3 && world.pull().labels.is_empty() && world.github().statuses().is_empty(), "{tried}");
    world.restart();
    world.seconds(15);
    assert_eq!(asked(&world, "/statuses/") + asked(&world, "/labels"), tried);
    world.github().comment("dana", world.pull().number, &world.approve_command()).unwrap();
    world.until(15, |world| world.landings() == 1);
}
