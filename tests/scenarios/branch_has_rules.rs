//! What the watched branch asks for: checks, reviews, a merge queue, ways to merge (failures F4, F5 and F9). Nothing is forced that the rules
//! do not let revertd pass, and nothing is called in vain.

use revertd::demo::forge::{FaultKind, MergeMethod, PullState, ReviewState, Rule, Ruleset, StaleReviews};
use revertd::engine::fact::LandedBy;
use revertd::engine::incident::Phase;

use crate::support::{Health, World};

fn with_rules(rules: Vec<Rule>) -> World {
    let world = World::with_pull_request();
    let set = Ruleset { name: "main".to_owned(), branches: vec!["~DEFAULT_BRANCH".to_owned()], rules, bypass: Vec::new() };
    world.github().add_ruleset(set);
    world
}

fn recovers(mut world: World) {
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
    world.seconds(2);
    assert!(matches!(world.pull().state, PullState::Merged { .. }));
    assert_eq!((world.landings(), world.written().len()), (1, 1), "{:#?}", world.written());
    assert!(world.written()[0].contains("### Recovered"), "{:#?}", world.written());
}

#[test]
fn required_checks_are_waited_for() {
    let mut world = with_rules(vec![Rule::RequiredStatusChecks(vec!["ci".to_owned()])]);
    let head = world.pull().head;
    world.approve_on_github();
    world.seconds(6);
    assert!(world.written()[0].contains("`ci` (not reported yet)"), "{}", world.written()[0]);
    world.github().status("dana", head, "ci", "pending");
    world.seconds(3);
    assert!(world.written()[0].contains("`ci` (pending)"), "{}", world.written()[0]);
    assert_eq!((world.asked("PUT", "/merge"), world.landings()), (0, 0), "nothing is called in vain");
    world.restart();
    world.github().status("dana", head, "ci", "success");
    world.until(6, |world| world.landings() == 1);
    recovers(world);
}

#[test]
fn checks_that_never_pass_are_told_after_half_an_hour() {
    let mut world = with_rules(vec![Rule::RequiredStatusChecks(vec!["ci".to_owned()])]);
    world.github().status("dana", world.pull().head, "ci", "failure");
    world.approve_on_github();
    world.seconds(5);
    assert!(world.written()[0].contains("`ci` (failed)"), "{}", world.written()[0]);
    world.seconds(1810);
    assert!(world.written()[0].contains("Somebody has to see to them"), "{}", world.written()[0]);
    assert_eq!((world.asked("PUT", "/merge"), world.landings(), world.written().len()), (0, 0, 1));
}

/// The comment is revertd's approval and not GitHub's: where the branch asks for a review, GitHub says so and it is told.
#[test]
fn a_required_review_is_asked_for() {
    let rule = Rule::PullRequest { approvals: 1, stale_reviews: StaleReviews::Dismissed, methods: Vec::new() };
    let mut world = with_rules(vec![rule]);
    world.approve_on_github();
    world.seconds(30);
    assert_eq!(world.landings(), 0);
    assert!(world.written()[0].contains("The last try did not work"), "{}", world.written()[0]);
    assert!(world.written()[0].contains("### Approved, and not merged yet"), "{}", world.written()[0]);
    assert!(world.asked("PUT", "/merge") <= 6, "{} calls in half a minute", world.asked("PUT", "/merge"));
    world.github().review("dana", world.pull().number, ReviewState::Approved, "", None).unwrap();
    world.until(60, |world| world.landings() == 1);
    recovers(world);
}

#[test]
fn a_review_of_the_head_is_enough() {
    let rule = Rule::PullRequest { approvals: 1, stale_reviews: StaleReviews::Dismissed, methods: Vec::new() };
    let mut world = with_rules(vec![rule]);
    world.github().review("dana", world.pull().number, ReviewState::Approved, "", None).unwrap();
    world.until(10, |world| world.landings() == 1);
    recovers(world);
}

#[test]
fn a_merge_queue_is_entered() {
    let mut world = with_rules(vec![Rule::MergeQueue]);
    world.approve_on_github();
    world.until(10, |world| world.github().queue().len() == 1);
    world.seconds(20);
    assert!(world.written()[0].contains("### In the merge queue"), "{}", world.written()[0]);
    assert_eq!((world.asked("PUT", "/merge"), world.landings()), (0, 0));
    world.github().advance_queue().unwrap();
    world.seconds(3);
    assert_eq!(world.reverts(), 1);
    let landed = world.incident().landed.unwrap();
    assert_eq!((landed.by, landed.approved_by), (LandedBy::Revertd, vec!["robin".to_owned()]));
    assert_eq!(world.effects("enqueue"), ["outcome=\"enqueued\"} 1"]);
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
}

/// The base moves while it waits there: a push would take it out, so it is left alone.
#[test]
fn what_waits_in_the_queue_is_not_pushed_anew() {
    let mut world = with_rules(vec![Rule::MergeQueue]);
    world.approve_on_github();
    world.until(10, |world| world.github().queue().len() == 1);
    let head = world.pull().head;
    world.write("README.md", "Shop\n");
    world.commit("Say what this is");
    world.seconds(5);
    assert_eq!((world.pull().head, world.github().queue().len()), (head, 1));
    world.github().advance_queue().unwrap();
    world.seconds(3);
    assert_eq!(world.reverts(), 1);
}

#[test]
fn a_squash_only_repository() {
    let mut world = World::with_pull_request();
    world.github().set_merge_methods(&[MergeMethod::Squash]);
    world.approve_on_github();
    world.until(100, |world| world.landings() == 1);
    recovers(world);
}

#[test]
fn a_linear_history() {
    let mut world = with_rules(vec![Rule::RequiredLinearHistory]);
    world.approve_on_github();
    world.until(10, |world| world.landings() == 1);
    assert_eq!(world.remote(&["rev-list", "--merges", "--count", "main"]), "0");
    recovers(world);
}

#[test]
fn only_rebasing_is_allowed() {
    let rule = Rule::PullRequest { approvals: 0, stale_reviews: StaleReviews::Kept, methods: vec![MergeMethod::Rebase] };
    let mut world = with_rules(vec![rule]);
    world.approve_on_github();
    world.until(10, |world| world.landings() == 1);
    recovers(world);
}

/// Words of a refusal that nobody knows: it is tried again ever more seldom, and what GitHub said is told.
#[test]
fn a_refusal_of_any_kind_makes_no_storm() {
    for status in [403, 405, 409, 422] {
        let mut world = World::with_pull_request();
        world.fault("PUT", "/pulls/*/merge", 1000, FaultKind::Before(status));
        world.approve_on_github();
        world.seconds(60);
        let calls = world.asked("PUT", "/merge");
        assert!((1..=6).contains(&calls), "{calls} calls in a minute after {status}");
        assert!(world.written()[0].contains("The last try did not work"), "{status}: {}", world.written()[0]);
        assert_eq!((world.landings(), world.written().len()), (0, 1));
        world.github().disarm();
        world.until(120, |world| world.landings() == 1);
    }
}

/// F9: GitHub says `null` while it works out whether a pull request merges. That is no "no", and nothing is merged on it.
#[test]
fn f9_that_github_does_not_know_yet_is_waited_for() {
    for restarts in [false, true] {
        let mut world = World::with_pull_request();
        world.github().forget_mergeability(1000);
        world.approve_on_github();
        world.seconds(10);
        if restarts {
            world.restart();
        }
        world.seconds(10);
        assert_eq!((world.asked("PUT", "/merge"), world.landings()), (0, 0), "nothing is merged on `null`");
        assert!(world.written()[0].contains("has not worked out yet whether it merges"), "{}", world.written()[0]);
        assert!(world.proposal().failed.is_none(), "it is no failure");
        world.github().forget_mergeability(0);
        world.until(10, |world| world.landings() == 1);
        recovers(world);
    }
}
