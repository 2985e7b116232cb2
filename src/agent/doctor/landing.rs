//! How a revert would land by the rules of a branch: whether it may be force-merged and by which way, and what would refuse it. Pure.

use regex::Regex;

use super::report::{Finding, listed};
use crate::engine::id::BranchName;
use crate::engine::policy::Mode;
use crate::forge::{
    Allowance, BranchRules, Bypass, ClassicProtection, Demand, MergeMethods, PatternOn, PatternOperator, PatternRule, PatternSense,
};

/// What is known of a branch and of what would land on it.
pub(super) struct Landing<'a> {
    /// The watched branch.
    pub(super) branch: &'a BranchName,
    /// Its rules.
    pub(super) rules: &'a BranchRules,
    /// The rules of a proposal's branch.
    pub(super) own: &'a BranchRules,
    /// The name of such a branch.
    pub(super) own_branch: &'a BranchName,
    /// The ways to merge that the repository's settings allow.
    pub(super) methods: MergeMethods,
    /// The most that any policy may do here, after every ceiling.
    pub(super) mode: Mode,
    /// Whether there is a key to sign with.
    pub(super) signing: Signing,
    /// The message of a revert.
    pub(super) message: &'a str,
    /// The address in its author and committer.
    pub(super) email: &'a str,
}

/// Whether commits are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    /// With a key.
    Key,
    /// They are not.
    None,
}

/// How a revert could land without anybody's approval.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// A push that names the head which it replaces.
    Push,
    /// The merge call only, which comes with an approval.
    MergeCall,
    /// Not at all.
    Closed(String),
    /// It cannot be told.
    Unknown(String),
}

/// Judges how a revert would land.
pub(super) fn judge(landing: &Landing<'_>) -> Vec<Finding> {
    let mut findings = vec![force_merge(landing), merge_methods(landing)];
    findings.extend(queue(landing.rules));
    findings.extend(checks(landing.rules));
    findings.extend(reviews(landing.rules));
    findings.extend(signatures(landing));
    findings.extend(patterns(landing));
    findings.extend(own_branches(landing));
    findings
}

fn force_merge(landing: &Landing<'_>) -> Finding {
    let subject = "force-merge";
    let branch = landing.branch;
    let wanted = landing.mode == Mode::Merge;
    let fix = format!("put revertd on the bypass list of every rule set that covers `{branch}`, or keep the mode `propose`");
    match way(landing) {
        Way::Push if wanted => Finding::ok(subject, "works, by a push that names the head which it replaces"),
        Way::Push => {
            let sentence = format!("no policy asks for it, and nothing on the forge keeps these credentials from pushing to `{branch}`");
            Finding::warning(subject, sentence, format!("cover `{branch}` with a rule set that demands a pull request (deploy/github.md)"))
        }
        Way::MergeCall if wanted => {
            let sentence = "works for an approved pull request only, by the merge call: these credentials may pass the rules with a pull request and not with a push";
            let fix = format!(
                "set `bypass_mode: always` on every rule set that covers `{branch}`, or keep it so: without an approval it stays a proposal"
            );
            Finding::warning(subject, sentence, fix)
        }
        Way::Closed(why) if wanted && landing.rules.merge_queue == Demand::Yes => {
            Finding::problem(subject, format!("does not work: {why}"), "set the mode `propose`: an approved revert enters the queue")
        }
        Way::Closed(why) if wanted => Finding::problem(subject, format!("does not work, so every revert stays a proposal: {why}"), fix),
        Way::Unknown(why) if wanted => Finding::not_seen(subject, format!("whether it works: {why}"), fix),
        Way::MergeCall | Way::Closed(_) | Way::Unknown(_) => Finding::ok(subject, "no policy asks for it: a revert stays a proposal"),
    }
}

fn way(landing: &Landing<'_>) -> Way {
    let rules = landing.rules;
    if rules.merge_queue == Demand::Yes && !matches!(rules.bypass, Bypass::Always) {
        return Way::Closed("the branch has a merge queue, and a queue is never passed".to_owned());
    }
    match (rules.bypass, &rules.classic) {
        (_, ClassicProtection::Present { .. }) => {
            Way::Unknown("the branch has protection of the older kind, which only administrators may read".to_owned())
        }
        (Bypass::Always | Bypass::NothingToPass, ClassicProtection::None) => Way::Push,
        (Bypass::Always | Bypass::NothingToPass, ClassicProtection::Unknown) => {
            Way::Unknown("the forge does not say whether the branch has protection of the older kind".to_owned())
        }
        (Bypass::ByProposal, _) => Way::MergeCall,
        (Bypass::Unknown, _) => Way::Unknown("a rule set does not say whether these credentials may pass it".to_owned()),
        (Bypass::Never, _) => match demands(landing) {
            demands if demands.is_empty() => Way::Push,
            demands => Way::Closed(format!("the rules demand {}, and these credentials may not pass them", demands.join(" and "))),
        },
    }
}

/// What a push of one signed or unsigned commit does not meet.
fn demands(landing: &Landing<'_>) -> Vec<String> {
    let rules = landing.rules;
    let mut demands = Vec::new();
    if rules.proposal_only == Demand::Yes {
        demands.push("a pull request".to_owned());
    }
    if !rules.required_checks.is_empty() {
        demands.push("passed checks".to_owned());
    }
    if rules.locked == Demand::Yes {
        demands.push("a right to update".to_owned());
    }
    if rules.signatures == Demand::Yes && landing.signing == Signing::None {
        demands.push("signatures".to_owned());
    }
    demands
}

fn merge_methods(landing: &Landing<'_>) -> Finding {
    let subject = "merge methods";
    let MergeMethods { merge, squash, rebase } = landing.methods;
    let by_settings: Vec<(&str, Allowance)> = vec![("merge", merge), ("squash", squash), ("rebase", rebase)];
    if by_settings.iter().all(|(_, allowance)| *allowance == Allowance::Unknown) {
        let fix = "look under Settings, Pull Requests; they are told to who may push";
        return Finding::not_seen(subject, "which ones the repository allows", fix);
    }
    let allowed: Vec<&str> =
        by_settings.iter().filter(|(_, allowance)| *allowance != Allowance::Forbidden).map(|(name, _)| *name).collect();
    let left: Vec<&str> = allowed
        .iter()
        .copied()
        .filter(|name| landing.rules.merge_methods.as_ref().is_none_or(|only| only.iter().any(|one| one == name)))
        .filter(|name| landing.rules.linear_history == Demand::No || *name != "merge")
        .collect();
    // The first of them is what a pull request is merged with.
    match (allowed.first(), left.first()) {
        (_, None) => {
            let sentence = format!("none is left: the settings and the rules of `{}` allow no common one", landing.branch);
            Finding::problem(subject, sentence, "allow one in the repository's settings that the rules allow as well")
        }
        (Some(first), Some(other)) if first != other => {
            let sentence = format!("the repository's settings allow `{first}` and the rules of `{}` do not", landing.branch);
            let fix = format!("forbid `{first}` in the repository's settings too, so that `{other}` is used");
            Finding::warning(subject, sentence, fix)
        }
        _ => Finding::ok(subject, format!("{}; a pull request is merged with the first", listed(left, "and"))),
    }
}

fn queue(rules: &BranchRules) -> Option<Finding> {
    let sentence = "the branch has one: an approved pull request enters it and lands when the queue says so";
    let fix = "have the required checks run on `merge_group`, and set the time to wait for company to 0";
    (rules.merge_queue == Demand::Yes).then(|| Finding::warning("merge queue", sentence, fix))
}

fn checks(rules: &BranchRules) -> Option<Finding> {
    let classic = match &rules.classic {
        ClassicProtection::Present { checks } => checks.as_slice(),
        ClassicProtection::None | ClassicProtection::Unknown => &[],
    };
    let mut names: Vec<&str> = rules.required_checks.iter().map(|check| check.context.as_str()).collect();
    names.extend(classic.iter().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| Finding::ok("required checks", format!("a merge waits for {}", listed(names, "and"))))
}

fn reviews(rules: &BranchRules) -> Option<Finding> {
    let many = match rules.required_approvals {
        0 => return None,
        1 => "an approving review".to_owned(),
        many => format!("{many} approving reviews"),
    };
    if rules.bypass >= Bypass::ByProposal {
        return Some(Finding::ok("reviews", format!("the branch asks for {many}, which these credentials may pass")));
    }
    let sentence = format!("the branch asks for {many}: `/revertd approve` alone is no review, and the forge would refuse the merge");
    Some(Finding::warning(
        "reviews",
        sentence,
        "approve with a review, which revertd takes as an approval as well, or let revertd pass the rule",
    ))
}

fn signatures(landing: &Landing<'_>) -> Option<Finding> {
    let fix = "give revertd a key with `commit.signingKeyFile`, and register it as a signing key on the forge";
    match (landing.rules.signatures, landing.signing) {
        (Demand::No, _) => None,
        (Demand::Yes, Signing::None) if landing.rules.bypass == Bypass::Always => {
            Some(Finding::warning("signatures", "the branch asks for them, and there is no key: these credentials pass the rule", fix))
        }
        (Demand::Yes, Signing::None) => {
            let sentence = "the branch asks for them, and there is no key: the forge makes and signs the commits of proposals";
            Some(Finding::warning("signatures", sentence, fix))
        }
        (Demand::Yes, Signing::Key) => {
            let sentence = format!("whether the forge shows a commit with the key and {} as verified", landing.email);
            let fix = "register the key as a signing key of the account that has this address; the first proposal shows it";
            Some(Finding::not_seen("signatures", sentence, fix))
        }
    }
}

/// A dry build: the message of a revert, the addresses in it and the name of its branch against every pattern.
fn patterns(landing: &Landing<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let watched = landing.rules.patterns.iter().filter(|rule| rule.on != PatternOn::BranchName);
    // The message and the addresses are judged on the way into the proposal's branch as well.
    let own = landing.own.patterns.iter().filter(|rule| rule.on == PatternOn::BranchName || !landing.rules.patterns.contains(rule));
    let passes = landing.rules.bypass == Bypass::Always;
    for rule in watched.chain(own) {
        let (subject, text, fix) = match rule.on {
            PatternOn::CommitMessage => {
                ("commit messages", landing.message, "change the template `commit.txt`, or exempt revertd from the rule")
            }
            PatternOn::BranchName => ("branch names", landing.own_branch.as_str(), "exempt `revertd/**` from the rule"),
            PatternOn::AuthorEmail | PatternOn::CommitterEmail => {
                ("addresses", landing.email, "set `commit.email` to one that the rule takes")
            }
        };
        let demand = wording(rule);
        findings.push(match admits(rule, text) {
            Some(true) => Finding::ok(subject, format!("a revert meets the rule: {demand}")),
            Some(false) if passes => {
                Finding::ok(subject, format!("a revert does not meet a rule that these credentials may pass: {demand}"))
            }
            Some(false) => Finding::problem(subject, format!("a revert would be refused: {demand}"), fix),
            None => Finding::not_seen(subject, format!("whether a revert meets the rule: {demand}"), "try a revert in a sandbox"),
        });
    }
    findings
}

fn wording(rule: &PatternRule) -> String {
    let verb = match &rule.operator {
        PatternOperator::StartsWith => "start with",
        PatternOperator::EndsWith => "end with",
        PatternOperator::Contains => "contain",
        PatternOperator::Regex => "match",
        PatternOperator::Other(_) => "stand in an unknown relation to",
    };
    let sense = if rule.sense == PatternSense::MustMatch { "must" } else { "must not" };
    format!("it {sense} {verb} `{}`", rule.pattern)
}

/// Whether a rule takes a text; `None` where that cannot be told.
fn admits(rule: &PatternRule, text: &str) -> Option<bool> {
    let text = text.trim_end();
    let matches = match &rule.operator {
        PatternOperator::StartsWith => text.starts_with(&rule.pattern),
        PatternOperator::EndsWith => text.ends_with(&rule.pattern),
        PatternOperator::Contains => text.contains(&rule.pattern),
        // GitHub's expressions are RE2's, which these are as well, but for rare escapes.
        PatternOperator::Regex => Regex::new(&rule.pattern).ok()?.is_match(text),
        PatternOperator::Other(_) => return None,
    };
    Some(matches == (rule.sense == PatternSense::MustMatch))
}

fn own_branches(landing: &Landing<'_>) -> Option<Finding> {
    let subject = "proposals";
    let rules = landing.own;
    let fix = "put revertd on the bypass list of the rule set that covers `revertd/**`, or take the branches out of it";
    let stopped = !own_demands(rules).is_empty();
    match rules.bypass {
        Bypass::NothingToPass => {
            let sentence = "no rule keeps others from pushing to `revertd/**`; a head that revertd did not write is never merged";
            Some(Finding::ok(subject, sentence))
        }
        Bypass::Always => Some(Finding::ok(subject, "revertd may push to `revertd/**`")),
        Bypass::Never | Bypass::ByProposal if stopped => {
            let sentence = format!("revertd may not push to `revertd/**`: the rules demand {}", own_demands(rules).join(" and "));
            Some(Finding::problem(subject, sentence, fix))
        }
        Bypass::Unknown if stopped => Some(Finding::not_seen(subject, "whether revertd may pass the rules of `revertd/**`", fix)),
        Bypass::Never | Bypass::ByProposal | Bypass::Unknown => None,
    }
}

fn own_demands(rules: &BranchRules) -> Vec<&'static str> {
    let demands = [
        (rules.locked, "a right to update"),
        (rules.proposal_only, "a pull request"),
        (if rules.required_checks.is_empty() { Demand::No } else { Demand::Yes }, "passed checks"),
        (rules.merge_queue, "the merge queue"),
    ];
    demands.into_iter().filter(|(demand, _)| *demand == Demand::Yes).map(|(_, what)| what).collect()
}
