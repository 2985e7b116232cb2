//! `revertd doctor` names what is wrong on GitHub, and leaves everything as it was.

use std::collections::BTreeMap;
use std::path::Path;

use revertd::demo::forge::{Bypass, BypassActor, BypassMode, MergeMethod, Pattern, Role, Rule, Ruleset, StaleReviews};

use crate::support::{World, policy};

fn world(mode: &str) -> World {
    World::on_github(&["checkout"], &[policy("checkout", mode, "")])
}

fn ruleset(rules: Vec<Rule>, bypass: Vec<Bypass>) -> Ruleset {
    Ruleset { name: "main".into(), branches: vec!["refs/heads/main".into()], rules, bypass }
}

/// Every file below a directory with its content.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn doctor_writes_nothing_anywhere() {
    let mut world = World::with_pull_request();
    world.seconds(2);
    world.github().clear_requests();
    let (remote, state) = (files(&world.root.join("remote.git")), files(&world.root.join("state")));
    let report = world.doctor();
    assert!(report.sections.len() >= 4, "{report:#?}");
    let asked = world.github().requests();
    assert!(asked.len() > 10 && asked.iter().all(|request| request.method == "GET"), "{asked:#?}");
    assert!(remote == files(&world.root.join("remote.git")), "the remote was touched");
    assert!(state == files(&world.root.join("state")), "the journal or a mirror was touched");
}

#[test]
fn a_repository_in_order_says_so() {
    let world = world("merge");
    insta::assert_snapshot!(world.examined("repository manifests"), @r"
    repository manifests
      ok        remote: `main` is at 902c5dc24f
      ok        push: the remote talks to these credentials about pushes
      ok        identity: shop/manifests is repository 190000011; revertd acts as revertd
      ok        permissions: the token reads what it needs, and nothing that was tried beyond it
      not seen  permissions: what the token may write, beyond pushing: GitHub lists nothing for such a token
                → compare the token's page with deploy/github.md: `pull_requests`, `issues` and `statuses` need write, and nothing else but `contents`
      ok        role: the token's account may push
      ok        clock: within 30s of the forge's
      ok        force-merge: works, by a push that names the head which it replaces
      ok        merge methods: `merge`, `squash` and `rebase`; a pull request is merged with the first
      ok        proposals: no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged
      ok        CODEOWNERS: there is none, and nothing asks for one: no reviewers are requested
      ok        rate budget: 4984 of 5000 requests are left until 2026-11-21T04:00:00Z
      not seen  hooks: pre-receive hooks and push rules of the server: they judge a push when it comes
                → have one harmless change proposed: `revertd revert SHA --dry-run` shows what would be pushed
    ");
}

#[test]
fn rules_that_nobody_may_pass_leave_proposals_only() {
    let world = world("merge");
    let rules = vec![
        Rule::PullRequest { approvals: 1, stale_reviews: StaleReviews::Kept, methods: vec![MergeMethod::Squash] },
        Rule::RequiredStatusChecks(vec!["render".into()]),
        Rule::RequiredSignatures,
        Rule::CommitMessagePattern(Pattern::StartsWith("OPS-".into())),
    ];
    world.github().add_ruleset(ruleset(rules, Vec::new()));
    insta::assert_snapshot!(world.examined("repository manifests"), @r"
    repository manifests
      ok        remote: `main` is at 902c5dc24f
      ok        push: the remote talks to these credentials about pushes
      ok        identity: shop/manifests is repository 190000011; revertd acts as revertd
      ok        permissions: the token reads what it needs, and nothing that was tried beyond it
      not seen  permissions: what the token may write, beyond pushing: GitHub lists nothing for such a token
                → compare the token's page with deploy/github.md: `pull_requests`, `issues` and `statuses` need write, and nothing else but `contents`
      ok        role: the token's account may push
      ok        clock: within 30s of the forge's
      problem   force-merge: does not work, so every revert stays a proposal: the rules demand a pull request and passed checks and signatures, and these credentials may not pass them
                → put revertd on the bypass list of every rule set that covers `main`, or keep the mode `propose`
      warning   merge methods: the repository's settings allow `merge` and the rules of `main` do not
                → forbid `merge` in the repository's settings too, so that `squash` is used
      ok        required checks: a merge waits for `render`
      warning   reviews: the branch asks for an approving review: `/revertd approve` alone is no review, and the forge would refuse the merge
                → approve with a review, which revertd takes as an approval as well, or let revertd pass the rule
      warning   signatures: the branch asks for them, and there is no key: the forge makes and signs the commits of proposals
                → give revertd a key with `commit.signingKeyFile`, and register it as a signing key on the forge
      problem   commit messages: a revert would be refused: it must start with `OPS-`
                → change the template `commit.txt`, or exempt revertd from the rule
      ok        proposals: no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged
      ok        CODEOWNERS: there is none, and nothing asks for one: no reviewers are requested
      not seen  bypass: who else may pass the rules: the forge tells it to administrators only
                → with an administrator's token: `gh api repos/OWNER/NAME/rulesets/ID --jq .bypass_actors`
      ok        rate budget: 4983 of 5000 requests are left until 2026-11-21T04:00:00Z
      not seen  hooks: pre-receive hooks and push rules of the server: they judge a push when it comes
                → have one harmless change proposed: `revertd revert SHA --dry-run` shows what would be pushed
    ");
}

#[test]
fn a_bypass_with_pull_requests_only_needs_an_approval() {
    let world = world("merge");
    let rules = vec![Rule::PullRequest { approvals: 1, stale_reviews: StaleReviews::Kept, methods: Vec::new() }];
    let bypass = Bypass { actor: BypassActor::Person("revertd".into()), mode: BypassMode::PullRequest };
    world.github().add_ruleset(ruleset(rules, vec![bypass]));
    let text = world.examined("repository manifests");
    assert!(text.contains("warning   force-merge: works for an approved pull request only"), "{text}");
}

#[test]
fn too_much_is_a_finding_as_well() {
    let world = world("propose");
    world.github().set_person("revertd", Role::Admin);
    let text = world.examined("repository manifests");
    for expected in ["may read `administration`", "may read `secrets`", "account administers the repository"] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains("problem "), "{text}");
}

#[test]
fn an_account_that_may_only_read_cannot_propose() {
    let world = world("propose");
    world.github().set_person("revertd", Role::Read);
    let text = world.examined("repository manifests");
    assert!(text.contains("problem   role: the token's account may not push to the repository"), "{text}");
}

#[test]
fn a_token_that_is_not_accepted_and_a_name_that_changed_are_named() {
    let world = world("propose");
    world.github().rename("shop", "infrastructure");
    let text = world.examined("repository manifests");
    assert!(text.contains("warning   identity: shop/manifests is called shop/infrastructure now"), "{text}");
    world.github().set_token(crate::support::TOKEN, None);
    let text = world.examined("repository manifests");
    assert!(text.contains("problem   forge: the forge does not accept the credentials: Bad credentials"), "{text}");
}

#[test]
fn teams_and_owners_that_a_policy_counts_on_are_asked_after() {
    let mut world =
        World::on_github(&["checkout"], &[policy("checkout", "propose", "  approval: {from: [{team: shop/sre}, {team: shop/gone}]}\n")]);
    world.github().set_team_member("shop", "sre", "dana", Some(revertd::demo::forge::Membership::Active));
    world.write(".github/CODEOWNERS", "* @shop/sre\n/apps/checkout/ dana\n");
    world.commit("Say who owns what");
    let text = world.examined("repository manifests");
    for expected in
        ["ok        teams: `shop/sre` is seen", "problem   teams: `shop/gone` is not there", "warning   CODEOWNERS: it has a mistake"]
    {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn a_service_or_a_control_that_does_not_answer_is_a_problem() {
    let world = world("propose");
    let text = world.examined("controls") + &world.examined("policy checkout");
    assert!(text.contains("problem   control-1: http://127.0.0.1:1/control: no complete answer"), "{text}");
    assert!(text.contains("problem   slo up: no complete answer"), "{text}");
}
