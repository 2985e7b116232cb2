use std::collections::BTreeMap;
use std::time::Duration;

use super::landing::{self, Landing, Signing};
use super::people;
use super::permissions::{self, Teams};
use super::report::{Finding, Report, Section};
use crate::engine::id::BranchName;
use crate::engine::policy::Mode;
use crate::engine::time::Timestamp;
use crate::forge::{
    Access, AccountKind, Allowance, BranchRules, Bypass, ClassicProtection, Demand, Grants, MergeMethods, OwnersFile, PatternOn,
    PatternOperator, PatternRule, PatternSense, Readable, RequiredCheck, Role, TeamSight,
};

const NOW: Timestamp = Timestamp::from_secs(1_795_230_000);

/// The findings as people read them.
fn shown(findings: Vec<Finding>) -> String {
    let report = Report { sections: vec![Section { about: "x".into(), findings }] };
    let mut out = Vec::new();
    crate::cli::doctor::text(&report, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).take_while(|line| !line.is_empty()).map(|line| &line[2..]).collect();
    lines.join("\n")
}

fn granted(permissions: &[(&str, &str)]) -> Access {
    let listed = permissions.iter().map(|(name, access)| ((*name).to_owned(), (*access).to_owned())).collect();
    Access { grants: Grants::Listed(listed), role: None, ends: None, clock: None }
}

const WHOLE: [(&str, &str); 6] = [
    ("contents", "write"),
    ("pull_requests", "write"),
    ("issues", "write"),
    ("statuses", "write"),
    ("checks", "write"),
    ("metadata", "read"),
];
const APP: AccountKind = AccountKind::App { id: 4711 };

#[test]
fn an_app_with_what_it_needs_is_in_order() {
    insta::assert_snapshot!(shown(permissions::judge(&granted(&WHOLE), APP, Teams::None, NOW)), @"ok        permissions: the App has what it needs, and nothing that it must not have");
}

#[test]
fn what_an_app_lacks_and_what_it_has_too_much_is_named() {
    let access = granted(&[
        ("contents", "read"),
        ("pull_requests", "write"),
        ("statuses", "write"),
        ("checks", "write"),
        ("administration", "write"),
        ("workflows", "write"),
        ("pages", "write"),
        ("packages", "read"),
    ]);
    insta::assert_snapshot!(shown(permissions::judge(&access, APP, Teams::Named, NOW)), @r"
    problem   permissions: has `contents: read` and needs `contents: write`: nothing can be pushed or merged
              → grant it on the App's page, and accept the new permissions of the installation
    problem   permissions: lacks `issues: write`: no comment can be read or answered
              → grant it on the App's page, and accept the new permissions of the installation
    problem   permissions: lacks `members: read`: nobody is known to be in a team, so no approval by a team counts
              → grant it on the App's page, or name users or roles in the policies
    warning   permissions: has `administration: write`: it could change the very rules that hold it
              → take it away on the App's page
    warning   permissions: has `pages: write`, which revertd does not need
              → take it away on the App's page
    warning   permissions: has `workflows: write`: a stolen key could run code in your CI
              → take it away on the App's page
    ");
}

#[test]
fn a_token_of_the_older_kind_is_told_what_it_opens() {
    let access = |scopes: &[&str]| Access {
        grants: Grants::Scopes(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
        role: Some(Role::Admin),
        ends: Some(NOW + Duration::from_secs(3 * 24 * 3600)),
        clock: None,
    };
    insta::assert_snapshot!(shown(permissions::judge(&access(&["repo", "workflow", "delete_repo"]), AccountKind::Token, Teams::None, NOW)), @r"
    warning   permissions: it is a token of the older kind, which opens every repository of its owner
              → use a GitHub App, or a fine-grained token for the repositories with manifests
    warning   permissions: the token has the scopes `workflow` and `delete_repo`, which revertd does not need
              → take them away
    warning   role: the token's account administers the repository: it could change the very rules that hold it
              → use a machine user with the role `write`, or a GitHub App
    warning   token: the token ends at 2026-11-24T03:00:00Z, in 3d
              → make a new token, and put it in the old one's place: the file is read when the agent starts
    ");
    insta::assert_snapshot!(shown(permissions::judge(&access(&[]), AccountKind::Token, Teams::None, NOW)), @r"
    problem   permissions: the token has no scope, and `repo` is needed
              → use a GitHub App, or a fine-grained token
    warning   permissions: it is a token of the older kind, which opens every repository of its owner
              → use a GitHub App, or a fine-grained token for the repositories with manifests
    warning   role: the token's account administers the repository: it could change the very rules that hold it
              → use a machine user with the role `write`, or a GitHub App
    warning   token: the token ends at 2026-11-24T03:00:00Z, in 3d
              → make a new token, and put it in the old one's place: the file is read when the agent starts
    ");
}

#[test]
fn a_fine_grained_token_is_judged_by_what_reads_answer() {
    let names = ["contents", "pull_requests", "issues", "statuses", "checks", "administration", "repository_hooks", "secrets"];
    let access = |yes: &[&str], role| Access {
        grants: Grants::Read(
            names.iter().map(|name| ((*name).to_owned(), if yes.contains(name) { Readable::Yes } else { Readable::No })).collect(),
        ),
        role: Some(role),
        ends: Some(NOW + Duration::from_secs(90 * 24 * 3600)),
        clock: None,
    };
    insta::assert_snapshot!(shown(permissions::judge(&access(&names[..5], Role::Write), AccountKind::Token, Teams::None, NOW)), @r"
    ok        permissions: the token reads what it needs, and nothing that was tried beyond it
    not seen  permissions: what the token may write, beyond pushing: GitHub lists nothing for such a token
              → compare the token's page with deploy/github.md: `pull_requests`, `issues` and `statuses` need write, and nothing else but `contents`
    ok        role: the token's account may push
    ok        token: the token ends at 2027-02-19T03:00:00Z
    ");
    let odd = access(&["contents", "pull_requests", "issues", "checks", "secrets"], Role::Read);
    insta::assert_snapshot!(shown(permissions::judge(&odd, AccountKind::Token, Teams::None, NOW)), @r"
    problem   permissions: the token may not read `statuses`: required statuses cannot be read, and the suspected commit gets none
              → give it to the token
    warning   permissions: the token may read `secrets`: it could replace what your CI deploys with
              → take it away from the token
    not seen  permissions: what the token may write, beyond pushing: GitHub lists nothing for such a token
              → compare the token's page with deploy/github.md: `pull_requests`, `issues` and `statuses` need write, and nothing else but `contents`
    problem   role: the token's account may not push to the repository
              → give the account the role `write`
    ok        token: the token ends at 2027-02-19T03:00:00Z
    ");
}

/// A branch without any rule, that force-merges.
fn open() -> BranchRules {
    BranchRules { bypass: Bypass::NothingToPass, classic: ClassicProtection::None, ..BranchRules::default() }
}

fn all() -> MergeMethods {
    MergeMethods { merge: Allowance::Allowed, squash: Allowance::Allowed, rebase: Allowance::Allowed }
}

fn judged(rules: &BranchRules, own: &BranchRules, methods: MergeMethods, mode: Mode, signing: Signing) -> String {
    let landing = Landing {
        branch: &BranchName::new("main"),
        rules,
        own,
        own_branch: &BranchName::new("revertd/000000000000"),
        methods,
        mode,
        signing,
        message: "Revert \"checkout: 1.5.0\"\n\nThis reverts commit abab.\n",
        email: "revertd@acme.example",
    };
    shown(landing::judge(&landing))
}

/// Only the line about force-merging.
fn force_merge(rules: &BranchRules, mode: Mode, signing: Signing) -> String {
    judged(rules, &open(), all(), mode, signing).lines().take_while(|line| !line.contains("merge methods")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_branch_without_rules_is_merged_by_a_push() {
    insta::assert_snapshot!(judged(&open(), &open(), all(), Mode::Merge, Signing::None), @r"
    ok        force-merge: works, by a push that names the head which it replaces
    ok        merge methods: `merge`, `squash` and `rebase`; a pull request is merged with the first
    ok        proposals: no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged
    ");
    insta::assert_snapshot!(force_merge(&open(), Mode::Propose, Signing::None), @r"
    warning   force-merge: no policy asks for it, and nothing on the forge keeps these credentials from pushing to `main`
              → cover `main` with a rule set that demands a pull request (deploy/github.md)
    ");
}

#[test]
fn the_way_to_force_merge_follows_the_bypass() {
    let ruled = |bypass| BranchRules {
        proposal_only: Demand::Yes,
        required_checks: vec![RequiredCheck { context: "ci".into(), app: None }],
        signatures: Demand::Yes,
        bypass,
        ..open()
    };
    insta::assert_snapshot!(force_merge(&ruled(Bypass::Always), Mode::Merge, Signing::None), @"ok        force-merge: works, by a push that names the head which it replaces");
    insta::assert_snapshot!(force_merge(&ruled(Bypass::ByProposal), Mode::Merge, Signing::None), @r"
    warning   force-merge: works for an approved pull request only, by the merge call: these credentials may pass the rules with a pull request and not with a push
              → set `bypass_mode: always` on every rule set that covers `main`, or keep it so: without an approval it stays a proposal
    ");
    insta::assert_snapshot!(force_merge(&ruled(Bypass::Never), Mode::Merge, Signing::Key), @r"
    problem   force-merge: does not work, so every revert stays a proposal: the rules demand a pull request and passed checks, and these credentials may not pass them
              → put revertd on the bypass list of every rule set that covers `main`, or keep the mode `propose`
    ");
    insta::assert_snapshot!(force_merge(&ruled(Bypass::Never), Mode::Propose, Signing::None), @"ok        force-merge: no policy asks for it: a revert stays a proposal");
    insta::assert_snapshot!(force_merge(&ruled(Bypass::Unknown), Mode::Merge, Signing::None), @r"
    not seen  force-merge: whether it works: a rule set does not say whether these credentials may pass it
              → put revertd on the bypass list of every rule set that covers `main`, or keep the mode `propose`
    ");
    // Rules that forbid rewinding and deleting stand in no revert's way.
    insta::assert_snapshot!(force_merge(&BranchRules { bypass: Bypass::Never, ..open() }, Mode::Merge, Signing::None), @"ok        force-merge: works, by a push that names the head which it replaces");
}

#[test]
fn a_queue_and_older_protection_close_the_way() {
    let queue = BranchRules { merge_queue: Demand::Yes, bypass: Bypass::ByProposal, ..open() };
    insta::assert_snapshot!(judged(&queue, &open(), all(), Mode::Merge, Signing::None), @r"
    problem   force-merge: does not work: the branch has a merge queue, and a queue is never passed
              → set the mode `propose`: an approved revert enters the queue
    ok        merge methods: `merge`, `squash` and `rebase`; a pull request is merged with the first
    warning   merge queue: the branch has one: an approved pull request enters it and lands when the queue says so
              → have the required checks run on `merge_group`, and set the time to wait for company to 0
    ok        proposals: no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged
    ");
    let classic = BranchRules { classic: ClassicProtection::Present { checks: vec!["ci".into()] }, ..open() };
    insta::assert_snapshot!(judged(&classic, &open(), all(), Mode::Merge, Signing::None), @r"
    not seen  force-merge: whether it works: the branch has protection of the older kind, which only administrators may read
              → put revertd on the bypass list of every rule set that covers `main`, or keep the mode `propose`
    ok        merge methods: `merge`, `squash` and `rebase`; a pull request is merged with the first
    ok        required checks: a merge waits for `ci`
    ok        proposals: no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged
    ");
    assert!(
        force_merge(&BranchRules { classic: ClassicProtection::Unknown, ..open() }, Mode::Merge, Signing::None).starts_with("not seen")
    );
}

#[test]
fn reviews_and_signatures_that_are_asked_for_are_named() {
    let rules = BranchRules { required_approvals: 2, signatures: Demand::Yes, proposal_only: Demand::Yes, bypass: Bypass::Never, ..open() };
    insta::assert_snapshot!(judged(&rules, &open(), all(), Mode::Propose, Signing::None), @r"
    ok        force-merge: no policy asks for it: a revert stays a proposal
    ok        merge methods: `merge`, `squash` and `rebase`; a pull request is merged with the first
    warning   reviews: the branch asks for 2 approving reviews: `/revertd approve` alone is no review, and the forge would refuse the merge
              → approve with a review, which revertd takes as an approval as well, or let revertd pass the rule
    warning   signatures: the branch asks for them, and there is no key: the forge makes and signs the commits of proposals
              → give revertd a key with `commit.signingKeyFile`, and register it as a signing key on the forge
    ok        proposals: no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged
    ");
    insta::assert_snapshot!(judged(&rules, &open(), all(), Mode::Propose, Signing::Key), @r"
    ok        force-merge: no policy asks for it: a revert stays a proposal
    ok        merge methods: `merge`, `squash` and `rebase`; a pull request is merged with the first
    warning   reviews: the branch asks for 2 approving reviews: `/revertd approve` alone is no review, and the forge would refuse the merge
              → approve with a review, which revertd takes as an approval as well, or let revertd pass the rule
    not seen  signatures: whether the forge shows a commit with the key and revertd@acme.example as verified
              → register the key as a signing key of the account that has this address; the first proposal shows it
    ok        proposals: no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged
    ");
}

#[test]
fn settings_and_rules_have_to_leave_a_way_to_merge() {
    let methods = |merge, squash| MergeMethods { merge, squash, rebase: Allowance::Forbidden };
    let (yes, no) = (Allowance::Allowed, Allowance::Forbidden);
    let line = |rules: &BranchRules, methods| {
        let text = judged(rules, &open(), methods, Mode::Propose, Signing::None);
        text.lines().skip_while(|line| !line.contains("merge methods")).take(2).collect::<Vec<_>>().join("\n")
    };
    let linear = BranchRules { linear_history: Demand::Yes, ..open() };
    insta::assert_snapshot!(line(&linear, methods(yes, yes)), @r"
    warning   merge methods: the repository's settings allow `merge` and the rules of `main` do not
              → forbid `merge` in the repository's settings too, so that `squash` is used
    ");
    insta::assert_snapshot!(line(&linear, methods(yes, no)), @r"
    problem   merge methods: none is left: the settings and the rules of `main` allow no common one
              → allow one in the repository's settings that the rules allow as well
    ");
    let squash_only = BranchRules { merge_methods: Some(vec!["squash".into()]), ..open() };
    insta::assert_snapshot!(line(&squash_only, methods(no, yes)), @r"
    ok        merge methods: `squash`; a pull request is merged with the first
    ok        proposals: no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged
    ");
    let unknown = MergeMethods { merge: Allowance::Unknown, squash: Allowance::Unknown, rebase: Allowance::Unknown };
    insta::assert_snapshot!(line(&open(), unknown), @r"
    not seen  merge methods: which ones the repository allows
              → look under Settings, Pull Requests; they are told to who may push
    ");
}

#[test]
fn a_message_that_a_rule_would_refuse_is_found_by_building_one() {
    let rule = |on, operator, sense, pattern: &str| PatternRule { on, operator, sense, pattern: pattern.to_owned() };
    let (must, must_not) = (PatternSense::MustMatch, PatternSense::MustNotMatch);
    let patterns = vec![
        rule(PatternOn::CommitMessage, PatternOperator::Regex, must, "^[A-Z]+-[0-9]+: "),
        rule(PatternOn::CommitMessage, PatternOperator::Contains, must_not, "WIP"),
        rule(PatternOn::CommitMessage, PatternOperator::Regex, must, "(?<=x)y"),
        rule(PatternOn::AuthorEmail, PatternOperator::EndsWith, must, "@acme.example"),
        rule(PatternOn::CommitterEmail, PatternOperator::EndsWith, must, "@corp.example"),
        // The watched branch has its name already.
        rule(PatternOn::BranchName, PatternOperator::StartsWith, must, "main"),
    ];
    let own = BranchRules {
        patterns: vec![rule(PatternOn::BranchName, PatternOperator::StartsWith, must, "feature/")],
        bypass: Bypass::Never,
        ..open()
    };
    let rules = BranchRules { patterns: patterns.clone(), bypass: Bypass::Never, ..open() };
    let text = judged(&rules, &own, all(), Mode::Propose, Signing::None);
    insta::assert_snapshot!(text.lines().skip_while(|line| !line.contains("commit messages")).collect::<Vec<_>>().join("\n"), @r"
    problem   commit messages: a revert would be refused: it must match `^[A-Z]+-[0-9]+: `
              → change the template `commit.txt`, or exempt revertd from the rule
    ok        commit messages: a revert meets the rule: it must not contain `WIP`
    not seen  commit messages: whether a revert meets the rule: it must match `(?<=x)y`
              → try a revert in a sandbox
    ok        addresses: a revert meets the rule: it must end with `@acme.example`
    problem   addresses: a revert would be refused: it must end with `@corp.example`
              → set `commit.email` to one that the rule takes
    problem   branch names: a revert would be refused: it must start with `feature/`
              → exempt `revertd/**` from the rule
    ");
    let passing = BranchRules { patterns: patterns[..1].to_vec(), bypass: Bypass::Always, ..open() };
    let text = judged(&passing, &open(), all(), Mode::Propose, Signing::None);
    assert!(text.contains("ok        commit messages: a revert does not meet a rule that these credentials may pass"), "{text}");
}

#[test]
fn a_rule_over_the_branches_of_revertd_must_let_it_push() {
    let line = |own: &BranchRules| {
        let text = judged(&open(), own, all(), Mode::Propose, Signing::None);
        text.lines().skip_while(|line| !line.contains("proposals:")).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(line(&BranchRules { locked: Demand::Yes, bypass: Bypass::Never, ..open() }), @r"
    problem   proposals: revertd may not push to `revertd/**`: the rules demand a right to update
              → put revertd on the bypass list of the rule set that covers `revertd/**`, or take the branches out of it
    ");
    insta::assert_snapshot!(line(&BranchRules { locked: Demand::Yes, bypass: Bypass::Always, ..open() }), @"ok        proposals: revertd may push to `revertd/**`");
    insta::assert_snapshot!(line(&open()), @"ok        proposals: no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged");
}

#[test]
fn owners_and_teams_that_policies_count_on_have_to_be_there() {
    let mut policy = crate::render::samples::policy();
    insta::assert_snapshot!(shown(vec![
        people::judge_owners(&OwnersFile::Absent, &open(), std::iter::once(&policy)),
        people::judge_owners(&OwnersFile::Absent, &BranchRules { code_owner_review: Demand::Yes, ..open() }, std::iter::once(&policy)),
        people::judge_owners(&OwnersFile::Present { mistakes: vec!["CODEOWNERS:3: Unknown owner".into()] }, &open(), std::iter::once(&policy)),
    ]), @r"
    ok        CODEOWNERS: there is none, and nothing asks for one: no reviewers are requested
    warning   CODEOWNERS: there is none, and the branch asks for reviews by owners: nobody is asked
              → write one
    warning   CODEOWNERS: it has a mistake, and the forge skips that line: `CODEOWNERS:3: Unknown owner`
              → mend them
    ");
    policy.approval.from.push(crate::engine::consent::ApprovalSource::Codeowners);
    insta::assert_snapshot!(shown(vec![people::judge_owners(&OwnersFile::Absent, &open(), std::iter::once(&policy))]), @r"
    problem   CODEOWNERS: there is none, and the policy `checkout` has its owners approve
              → write one, or name roles, teams or users under `approval.from`
    ");
    let names = BTreeMap::from([("shop/sre", TeamSight::There), ("shop/gone", TeamSight::NotSeen)]);
    let found = people::judge_teams(&["shop/sre", "shop/gone", "sre"].map(str::to_owned).into(), |team| {
        Ok(names[format!("{}/{}", team.organization, team.slug).as_str()])
    });
    insta::assert_snapshot!(shown(found), @r"
    problem   teams: `shop/gone` is not there, or not shown to these credentials: no approval by it counts
              → mend the name in the policy, or give the credentials `members: read`
    ok        teams: `shop/sre` is seen
    problem   teams: `sre` names no organisation
              → write `organisation/team` in the policy
    ");
}
