//! Landing by the forge's own call, in every outcome, and the merge queue.

use revertd::demo::forge::{Bypass, BypassActor, BypassMode, FaultKind, MergeMethod as Method, Pattern, Role, Rule, Ruleset, StaleReviews};
use revertd::engine::id::CommitId;
use revertd::forge::github::GithubAuth;
use revertd::forge::{EnqueueOutcome, Forge, ForgeError, MergeCall, MergeMethod, MergeOutcome, ProposalState, QueueEntry, QueueState};
use revertd::net::secret::Secret;

use crate::grant::grant;
use crate::world::{World, branch, main_branch};

const MERGE: &str = "/repos/*/*/pulls/*/merge";

fn call(world: &World, method: MergeMethod) -> MergeCall {
    MergeCall {
        head: world.head,
        base: main_branch(),
        title: "Revert \"checkout: 1.4.2\"".to_owned(),
        message: format!("This reverts commit {}.\n\nRevertd-Plan: 0123", world.base),
        method,
    }
}

fn merged(world: &World, method: MergeMethod) -> MergeOutcome {
    world.forge.merge(world.act(), world.number(), &call(world, method), grant(world.base)).unwrap()
}

fn rule(world: &World, rule: Rule, bypass: Vec<Bypass>) -> u64 {
    world.state().add_ruleset(Ruleset { name: "main".to_owned(), branches: vec!["~DEFAULT_BRANCH".to_owned()], rules: vec![rule], bypass })
}

fn reviews(approvals: usize) -> Rule {
    Rule::PullRequest { approvals, stale_reviews: StaleReviews::Kept, methods: Vec::new() }
}

fn tree(world: &World, commit: CommitId) -> String {
    world.repository.text(&["rev-parse", &format!("{commit}^{{tree}}")]).unwrap()
}

#[test]
fn each_way_to_merge_lands_the_plan() {
    for (method, parents) in [(MergeMethod::Merge, 2), (MergeMethod::Squash, 1), (MergeMethod::Rebase, 1)] {
        let world = World::new();
        let number = world.opened().number;
        let MergeOutcome::Merged { commit } = merged(&world, method) else { panic!("{method:?} was not merged") };
        assert_eq!(world.forge.branch_head(world.act(), &main_branch()).unwrap(), Some(commit));
        assert_eq!(tree(&world, commit), tree(&world, world.head));
        let line = world.repository.log(&commit.to_string(), 1).unwrap().remove(0);
        assert_eq!((line.parents.len(), line.parents[0]), (parents, world.base), "{method:?}");
        if method != MergeMethod::Rebase {
            let message = world.repository.message(commit).unwrap();
            assert_eq!(
                message.trim_end(),
                format!("Revert \"checkout: 1.4.2\"\n\nThis reverts commit {}.\n\nRevertd-Plan: 0123", world.base)
            );
        }
        let read = world.forge.get(world.act(), number).unwrap();
        assert_eq!(read.state, ProposalState::Merged { commit });
        assert_eq!(read.closed_by.unwrap().login, "revertd-bot");
    }
}

#[test]
fn nothing_is_asked_when_the_base_is_another() {
    let world = World::new();
    world.opened();
    world.commit("main", "payments: 2.0", "image: checkout:1.4.2\nreplicas: 3\n");
    assert_eq!(merged(&world, MergeMethod::Merge), MergeOutcome::BaseModified);
    assert_eq!(world.count("PUT", "/merge"), 0);
}

#[test]
fn a_base_that_moves_during_the_call_is_told() {
    let world = World::new();
    world.opened();
    let (base, head) = (world.base, world.head);
    world.state().race(move |repository| repository.move_branch("main", Some(base), head).unwrap());
    // The push brought the very head, so it has landed: by somebody else.
    assert_eq!(merged(&world, MergeMethod::Squash), MergeOutcome::BaseModified);
    let world = World::new();
    world.opened();
    let other = world.state().open("robin", branch().as_str(), "main", "x", "").is_err();
    assert!(other);
    let base = world.base;
    world.state().race(move |repository| {
        let parent = repository.log(&base.to_string(), 1).unwrap()[0].parents[0];
        repository.move_branch("main", Some(base), parent).unwrap();
    });
    assert_eq!(merged(&world, MergeMethod::Merge), MergeOutcome::BaseModified);
    assert_ne!(world.repository.head("main").unwrap(), Some(world.base));
}

#[test]
fn a_head_that_moved_is_not_merged() {
    let world = World::new();
    world.opened();
    world.commit(branch().as_str(), "not ours", "image: checkout:evil\n");
    assert_eq!(merged(&world, MergeMethod::Merge), MergeOutcome::HeadModified);
    assert_eq!(world.repository.head("main").unwrap(), Some(world.base));
}

#[test]
fn a_conflict_is_not_mergeable() {
    let world = World::new();
    let number = world.opened().number;
    let base = world.commit("main", "checkout: 1.4.3", "image: checkout:1.4.3\n");
    let outcome = world.forge.merge(world.act(), number, &call(&world, MergeMethod::Merge), grant(base)).unwrap();
    assert!(matches!(outcome, MergeOutcome::NotMergeable { .. }), "{outcome:?}");
    world.state().close("kim", number.0).unwrap();
    let outcome = world.forge.merge(world.act(), number, &call(&world, MergeMethod::Merge), grant(base)).unwrap();
    assert!(matches!(outcome, MergeOutcome::NotMergeable { .. }), "a closed one as well: {outcome:?}");
}

#[test]
fn a_way_that_the_repository_does_not_allow_is_told() {
    let world = World::new();
    world.opened();
    world.state().set_merge_methods(&[Method::Squash]);
    for method in [MergeMethod::Merge, MergeMethod::Rebase] {
        assert!(matches!(merged(&world, method), MergeOutcome::MethodNotAllowed { .. }), "{method:?}");
    }
    assert!(matches!(merged(&world, MergeMethod::Squash), MergeOutcome::Merged { .. }));
}

#[test]
fn rules_block_and_say_which() {
    let cases = [
        (reviews(1), "approving review"),
        (Rule::RequiredStatusChecks(vec!["ci".to_owned()]), "\"ci\""),
        (Rule::RequiredLinearHistory, "merge commits"),
        (Rule::RequiredSignatures, "signatures"),
        (Rule::CommitMessagePattern(Pattern::StartsWith("OPS-".to_owned())), "message"),
        (Rule::Update, "protected"),
        (Rule::PullRequest { approvals: 0, stale_reviews: StaleReviews::Kept, methods: vec![Method::Rebase] }, "merg"),
    ];
    for (asked, word) in cases {
        let world = World::new();
        world.opened();
        rule(&world, asked.clone(), Vec::new());
        match merged(&world, MergeMethod::Merge) {
            MergeOutcome::Blocked { sentence } => assert!(sentence.contains(word), "{asked:?}: {sentence}"),
            other => panic!("{asked:?}: {other:?}"),
        }
        assert_eq!(world.repository.head("main").unwrap(), Some(world.base));
    }
}

#[test]
fn met_rules_do_not_block() {
    let world = World::new();
    let number = world.opened().number;
    rule(&world, reviews(1), Vec::new());
    rule(&world, Rule::RequiredStatusChecks(vec!["ci".to_owned(), "lint".to_owned()]), Vec::new());
    world.state().check(world.head, "ci", Some("success"));
    world.state().status("kim", world.head, "lint", "success");
    assert!(matches!(merged(&world, MergeMethod::Squash), MergeOutcome::Blocked { .. }));
    world.state().review("robin", number.0, revertd::demo::forge::ReviewState::Approved, "", None).unwrap();
    assert!(matches!(merged(&world, MergeMethod::Squash), MergeOutcome::Merged { .. }));
}

#[test]
fn a_bypass_actor_passes_the_rules() {
    for mode in [BypassMode::Always, BypassMode::PullRequest] {
        let world = World::new();
        world.opened();
        rule(&world, reviews(2), vec![Bypass { actor: BypassActor::Person("revertd-bot".to_owned()), mode }]);
        assert!(matches!(merged(&world, MergeMethod::Squash), MergeOutcome::Merged { .. }), "{mode:?}");
    }
}

#[test]
fn who_may_not_write_may_not_merge() {
    let world = World::new();
    let number = world.opened().number;
    world.state().set_token("reader", Some("sam"));
    let reader = world.client(|settings| settings.auth = GithubAuth::Token(Secret::new("reader")));
    let outcome = reader.merge(world.act(), number, &call(&world, MergeMethod::Merge), grant(world.base)).unwrap();
    assert!(matches!(outcome, MergeOutcome::Forbidden { .. }), "{outcome:?}");
    world.state().set_person("sam", Role::None);
    let unseen = reader.merge(world.act(), number, &call(&world, MergeMethod::Merge), grant(world.base));
    assert!(unseen.is_err() || unseen.unwrap() == MergeOutcome::BaseModified);
    assert_eq!(world.repository.head("main").unwrap(), Some(world.base));
}

#[test]
fn a_lost_answer_is_looked_up() {
    for kind in [FaultKind::After(502), FaultKind::HangAfter] {
        let world = World::new();
        let number = world.opened().number;
        let forge = world.impatient();
        world.fault("PUT", MERGE, kind);
        let outcome = forge.merge(world.act(), number, &call(&world, MergeMethod::Squash), grant(world.base)).unwrap();
        let landed = world.repository.head("main").unwrap().unwrap();
        assert_eq!(outcome, MergeOutcome::Merged { commit: landed }, "{kind:?}");
        // Asked again on the new base, it is still the same landing.
        let again = forge.merge(world.act(), number, &call(&world, MergeMethod::Squash), grant(landed)).unwrap();
        assert_eq!(again, outcome);
        assert_eq!(world.repository.head("main").unwrap(), Some(landed));
    }
    let world = World::new();
    let number = world.opened().number;
    world.fault("PUT", MERGE, FaultKind::Before(502));
    let error = world.forge.merge(world.act(), number, &call(&world, MergeMethod::Squash), grant(world.base)).unwrap_err();
    assert!(error.may_have_acted());
    assert_eq!(world.count("PUT", "/merge"), 1);
}

#[test]
fn a_merge_queue_is_entered_and_not_jumped() {
    let world = World::new();
    let number = world.opened().number;
    assert!(matches!(world.forge.enqueue(world.act(), number, world.head).unwrap(), EnqueueOutcome::Refused { .. }), "there is none");
    rule(&world, Rule::MergeQueue, Vec::new());
    assert_eq!(merged(&world, MergeMethod::Merge), MergeOutcome::MergeQueueRequired);
    assert_eq!(world.forge.enqueue(world.act(), number, world.base).unwrap(), EnqueueOutcome::HeadModified);
    for _ in 0..2 {
        assert_eq!(world.forge.enqueue(world.act(), number, world.head).unwrap(), EnqueueOutcome::Enqueued);
    }
    assert_eq!(world.state().queue(), [number.0]);
    let waiting = QueueEntry { position: 1, state: QueueState::Waiting };
    assert_eq!(world.forge.queue_entry(world.act(), number).unwrap(), Some(waiting));
    let commit = world.state().advance_queue().unwrap().unwrap();
    assert_eq!(world.forge.get(world.act(), number).unwrap().state, ProposalState::Merged { commit });
    assert_eq!(world.forge.queue_entry(world.act(), number).unwrap(), None);
}

#[test]
fn a_lost_answer_of_the_queue_is_found_there() {
    let world = World::new();
    let number = world.opened().number;
    rule(&world, Rule::MergeQueue, Vec::new());
    world.fault("POST", "/graphql", FaultKind::After(502));
    let lost = world.forge.enqueue(world.act(), number, world.head);
    assert!(matches!(lost, Err(ForgeError::Unreachable { .. })));
    assert_eq!(world.forge.enqueue(world.act(), number, world.head).unwrap(), EnqueueOutcome::Enqueued);
    assert_eq!(world.state().queue(), [number.0]);
}
