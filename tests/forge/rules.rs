//! What a branch asks of what lands on it, and who may pass.

use revertd::demo::forge::{
    Bypass as Passing, BypassActor, BypassMode, FaultKind, MergeMethod, Pattern, Role, Rule, Ruleset, StaleReviews,
};
use revertd::engine::id::BranchName;
use revertd::forge::{
    BranchRules, Bypass, ClassicProtection, Demand, Forge, PatternOn, PatternOperator, PatternRule, PatternSense, RequiredCheck,
};

use crate::world::{World, branch, main_branch};

fn add(world: &World, rules: Vec<Rule>, bypass: Vec<Passing>) {
    world.state().add_ruleset(Ruleset { name: "rules".to_owned(), branches: vec!["~DEFAULT_BRANCH".to_owned()], rules, bypass });
}

fn rules(world: &World) -> BranchRules {
    world.forge.branch_rules(world.act(), &main_branch()).unwrap().unwrap()
}

#[test]
fn a_branch_without_rules_asks_for_nothing() {
    let world = World::new();
    let expected = BranchRules { bypass: Bypass::NothingToPass, classic: ClassicProtection::None, ..BranchRules::default() };
    assert_eq!(rules(&world), expected);
}

#[test]
fn every_kind_of_rule_is_read() {
    let world = World::new();
    add(
        &world,
        vec![
            Rule::PullRequest {
                approvals: 2,
                stale_reviews: StaleReviews::Dismissed,
                methods: vec![MergeMethod::Squash, MergeMethod::Rebase],
            },
            Rule::RequiredStatusChecks(vec!["ci / build".to_owned()]),
            Rule::MergeQueue,
            Rule::RequiredLinearHistory,
            Rule::RequiredSignatures,
            Rule::NonFastForward,
            Rule::Deletion,
            Rule::Update,
            Rule::CommitMessagePattern(Pattern::Contains("OPS-".to_owned())),
            Rule::BranchNamePattern(Pattern::ContainsNot("tmp".to_owned())),
        ],
        Vec::new(),
    );
    add(
        &world,
        vec![Rule::PullRequest { approvals: 1, stale_reviews: StaleReviews::Kept, methods: vec![MergeMethod::Squash] }],
        Vec::new(),
    );
    let read = rules(&world);
    assert_eq!((read.required_approvals, read.proposal_only, read.code_owner_review), (2, Demand::Yes, Demand::No));
    assert_eq!(read.required_checks, [RequiredCheck { context: "ci / build".to_owned(), app: None }]);
    assert_eq!((read.merge_queue, read.linear_history, read.signatures, read.locked), (Demand::Yes, Demand::Yes, Demand::Yes, Demand::Yes));
    assert_eq!(read.merge_methods.unwrap(), ["squash"]);
    let pattern = |on, sense, pattern: &str| PatternRule { on, operator: PatternOperator::Contains, sense, pattern: pattern.to_owned() };
    assert_eq!(
        read.patterns,
        [
            pattern(PatternOn::CommitMessage, PatternSense::MustMatch, "OPS-"),
            pattern(PatternOn::BranchName, PatternSense::MustNotMatch, "tmp")
        ]
    );
    assert_eq!(read.bypass, Bypass::Never);
    let other = world.forge.branch_rules(world.act(), &branch()).unwrap().unwrap();
    assert_eq!((other.merge_queue, other.bypass), (Demand::No, Bypass::NothingToPass), "they hold for the default branch only");
}

#[test]
fn the_weakest_bypass_counts() {
    let me = |mode| vec![Passing { actor: BypassActor::Person("revertd-bot".to_owned()), mode }];
    let world = World::new();
    add(&world, vec![Rule::RequiredLinearHistory], me(BypassMode::Always));
    assert_eq!(rules(&world).bypass, Bypass::Always);
    add(&world, vec![Rule::RequiredSignatures], me(BypassMode::PullRequest));
    assert_eq!(rules(&world).bypass, Bypass::ByProposal);
    add(&world, vec![Rule::NonFastForward], vec![Passing { actor: BypassActor::Role(Role::Admin), mode: BypassMode::Always }]);
    assert_eq!(rules(&world).bypass, Bypass::Never);
}

#[test]
fn a_failing_read_of_rules_is_no_absence_of_rules() {
    for path in ["/repos/*/*/rules/branches/*", "/repos/*/*/rulesets/*", "/repos/*/*/branches/*"] {
        let world = World::new();
        add(&world, vec![Rule::MergeQueue], Vec::new());
        world.fault("GET", path, FaultKind::Before(500));
        assert!(world.forge.branch_rules(world.act(), &main_branch()).is_err(), "{path}");
    }
}

#[test]
fn the_head_of_a_branch_is_read_fresh() {
    let world = World::new();
    let head = |name: &str| world.forge.branch_head(world.act(), &BranchName::new(name)).unwrap();
    assert_eq!((head("main"), head(branch().as_str()), head("nowhere")), (Some(world.base), Some(world.head), None));
    let moved = world.commit("main", "more", "image: checkout:1.4.4\n");
    assert_eq!(head("main"), Some(moved));
    assert!(world.state().requests().iter().all(|request| request.if_none_match.is_none()));
}
