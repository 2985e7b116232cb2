//! What was reverted is on its way to another path: open pull requests that would bring it get a failing status, pushes that bring it are named in
//! the thread with what pins the automation, and a person lets it back in.

use revertd::demo::forge::FaultKind;
use revertd::engine::incident::Phase;

use crate::support::{Health, World, deployment, policy};

/// Somebody opens a pull request from the present main with this file. Gives its head.
fn opens(world: &mut World, branch: &str, path: &str, content: &str) -> String {
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["checkout", "--quiet", "-B", branch, "origin/main"]);
    world.write(path, content);
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", branch]);
    world.person(&["push", "--quiet", "origin", &format!("HEAD:{branch}")]);
    let head = world.person(&["rev-parse", "HEAD"]);
    world.person(&["checkout", "--quiet", "-B", "main", "origin/main"]);
    world.github().open("robin", branch, "main", branch, "").unwrap();
    head
}

/// The states of our status on a head, oldest first.
fn statuses(world: &World, head: &str) -> Vec<String> {
    let on_head = world.github().statuses().into_iter().filter(|status| status.commit.to_string() == head);
    on_head.filter(|status| status.context == "revertd/spread").map(|status| status.state).collect()
}

/// What was said in the thread about pushes.
fn named(world: &World) -> Vec<String> {
    let first = world.github().pulls().unwrap()[0].number;
    let comments = world.github().comments(first).into_iter().filter(|comment| comment.body.contains("<!-- revertd:spread "));
    comments.map(|comment| comment.body).collect()
}

fn push(world: &mut World, path: &str, content: &str) -> String {
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["reset", "--quiet", "--hard", "origin/main"]);
    world.write(path, content);
    world.commit(&format!("write {path}"))
}

#[test]
fn a_pull_request_with_the_same_image_is_marked_until_a_person_lets_it_in() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    world.break_checkout();
    world.until(15, |world| !world.branches().is_empty() && !world.proposal().shown.is_empty());
    let staging = opens(&mut world, "staging", "apps/staging/deployment.yaml", &deployment("checkout", "1.5.0"));
    let other = opens(&mut world, "other", "apps/payments/deployment.yaml", &deployment("payments", "1.5.0"));
    world.seconds(4);
    assert_eq!(statuses(&world, &staging), ["failure"], "while the incident is open");
    let description = world.github().statuses().into_iter().find(|status| status.commit.to_string() == staging);
    let description = description.and_then(|status| status.description).unwrap();
    assert!(description.contains("shop/checkout:1.5.0, which was reverted"), "{description}");
    let first = world.github().pulls().unwrap()[0].number;
    let digest = world.proposal().plan_digest().unwrap();
    world.github().comment("robin", first, &format!("/revertd approve {}", &digest.as_str()[..12])).unwrap();
    world.until(15, |world| world.landings() == 1);
    world.set_health("checkout", Health::Good);
    world.until(30, |world| world.phase() == Phase::Recovered);
    let newer = opens(&mut world, "newer", "apps/checkout/deployment.yaml", &deployment("checkout", "1.6.0"));
    world.restart();
    world.seconds(4);
    assert_eq!(statuses(&world, &staging), ["failure"], "it stands, and once, also over a restart");
    assert_eq!(statuses(&world, &newer), ["failure"], "a newer image of the reverted service");
    assert_eq!(statuses(&world, &other), Vec::<String>::new());
    world.github().comment("robin", first, "/revertd reland 1.6.0 has the fix").unwrap();
    world.seconds(4);
    assert_eq!(statuses(&world, &staging), ["failure", "success"]);
    assert_eq!(statuses(&world, &newer), ["failure", "success"]);
    let again = opens(&mut world, "again", "apps/canary/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.seconds(4);
    assert_eq!(statuses(&world, &again), Vec::<String>::new(), "it may come back");
}

#[test]
fn pushes_that_bring_it_back_are_named_twice_and_then_are_for_people() {
    let mut world = World::with_pull_request();
    world.approve_on_github();
    world.until(15, |world| world.landings() == 1);
    world.set_health("checkout", Health::Good);
    world.until(30, |world| world.phase() == Phase::Recovered);
    push(&mut world, "apps/payments/deployment.yaml", &deployment("payments", "1.5.0"));
    world.seconds(3);
    assert_eq!(named(&world), Vec::<String>::new());
    let commit = push(&mut world, "apps/staging/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.seconds(3);
    let said = named(&world);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains(&commit) && said[0].contains("`shop/checkout:1.5.0`, which was reverted"), "{}", said[0]);
    for automation in ["Argo CD Image Updater", "Flux", "Renovate", "Kargo", "CI job"] {
        assert!(said[0].contains(automation), "{}", said[0]);
    }
    world.restart();
    world.seconds(3);
    push(&mut world, "apps/canary/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.seconds(3);
    assert!(named(&world)[1].contains("a person has to stop what pushes it"), "{:#?}", named(&world));
    push(&mut world, "apps/more/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.seconds(3);
    assert_eq!(named(&world).len(), 2);
}

#[test]
fn a_status_that_cannot_be_taken_back_holds_nothing_up() {
    let mut world = World::with_pull_request();
    let (first, command) = (world.pull().number, world.approve_command());
    let staging = opens(&mut world, "staging", "apps/staging/deployment.yaml", &deployment("checkout", "1.5.0"));
    world.seconds(4);
    assert_eq!(statuses(&world, &staging), ["failure"]);
    world.github().comment("robin", first, &command).unwrap();
    world.until(15, |world| world.landings() == 1);
    world.set_health("checkout", Health::Good);
    world.until(30, |world| world.phase() == Phase::Recovered);
    // As for a commit that nothing points at any more.
    world.fault("POST", &format!("/statuses/{staging}"), 1000, FaultKind::Before(422));
    world.github().comment("robin", first, "/revertd reland 1.6.0 has the fix").unwrap();
    let pulls = |world: &World| world.github().pulls().unwrap().len();
    let before = pulls(&world);
    world.until(10, |world| pulls(world) == before + 1);
    world.seconds(30);
    let asked = world.asked("POST", &format!("/statuses/{staging}"));
    assert_eq!(asked, 2, "once to mark it, and once to take that back");
}

#[test]
fn a_head_that_cannot_be_marked_keeps_no_other_from_it() {
    let mut world = World::with_pull_request();
    let heads: Vec<String> = ["staging", "canary"]
        .map(|name| opens(&mut world, name, &format!("apps/{name}/deployment.yaml"), &deployment("checkout", "1.5.0")))
        .into();
    world.fault("POST", &format!("/statuses/{}", heads[0]), 1000, FaultKind::Before(403));
    world.fault("POST", &format!("/statuses/{}", heads[1]), 1, FaultKind::Before(403));
    world.restart();
    world.seconds(4);
    assert_eq!(heads.iter().map(|head| statuses(&world, head).len()).sum::<usize>(), 0);
    world.restart();
    world.seconds(4);
    assert_eq!((statuses(&world, &heads[0]).len(), statuses(&world, &heads[1])), (0, vec!["failure".to_owned()]));
    assert_eq!(world.asked("POST", &format!("/statuses/{}", heads[0])), 2, "once for each start of the agent");
}
