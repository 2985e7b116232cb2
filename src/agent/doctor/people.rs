//! Who can approve: the teams that policies name, and the owners of files. Pure, but for asking after each team.

use std::collections::BTreeSet;

use super::report::{Finding, listed};
use crate::engine::consent::ApprovalSource;
use crate::engine::policy::Policy;
use crate::forge::{Answered, BranchRules, Demand, OwnersFile, Team, TeamSight};

/// The most mistakes in a file that are quoted.
const MOST_MISTAKES: usize = 5;

/// The teams that these policies name.
pub(super) fn teams<'a>(policies: impl Iterator<Item = &'a Policy>) -> BTreeSet<String> {
    policies.flat_map(|policy| policy.approval.teams()).collect()
}

/// One finding for each team.
pub(super) fn judge_teams(names: &BTreeSet<String>, ask: impl Fn(&Team) -> Answered<TeamSight>) -> Vec<Finding> {
    names.iter().map(|name| team(name, &ask)).collect()
}

fn team(name: &str, ask: &impl Fn(&Team) -> Answered<TeamSight>) -> Finding {
    let subject = "teams";
    let Some((organization, slug)) = name.split_once('/') else {
        return Finding::problem(subject, format!("`{name}` names no organisation"), "write `organisation/team` in the policy");
    };
    match ask(&Team { organization: organization.to_owned(), slug: slug.to_owned() }) {
        Ok(TeamSight::There) => Finding::ok(subject, format!("`{name}` is seen")),
        Ok(TeamSight::NotSeen) => {
            let sentence = format!("`{name}` is not there, or not shown to these credentials: no approval by it counts");
            Finding::problem(subject, sentence, "mend the name in the policy, or give the credentials `members: read`")
        }
        Err(error) => Finding::not_seen(subject, format!("`{name}`: {error}"), "run this again"),
    }
}

/// Judges `CODEOWNERS` by who asks for it.
pub(super) fn judge_owners<'a>(file: &OwnersFile, rules: &BranchRules, mut policies: impl Iterator<Item = &'a Policy>) -> Finding {
    let subject = "CODEOWNERS";
    let policy = policies.find(|policy| policy.approval.from.contains(&ApprovalSource::Codeowners)).map(|policy| &policy.name);
    match (file, policy, rules.code_owner_review) {
        (OwnersFile::Absent, Some(policy), _) => {
            let sentence = format!("there is none, and the policy `{policy}` has its owners approve");
            Finding::problem(subject, sentence, "write one, or name roles, teams or users under `approval.from`")
        }
        (OwnersFile::Absent, None, Demand::Yes) => {
            let sentence = "there is none, and the branch asks for reviews by owners: nobody is asked";
            Finding::warning(subject, sentence, "write one")
        }
        (OwnersFile::Absent, None, Demand::No) => {
            Finding::ok(subject, "there is none, and nothing asks for one: no reviewers are requested")
        }
        (OwnersFile::Present { mistakes }, ..) if mistakes.is_empty() => Finding::ok(subject, "it has no mistake"),
        (OwnersFile::Present { mistakes }, ..) => {
            let quoted = listed(mistakes.iter().take(MOST_MISTAKES).map(String::as_str), "and");
            let sentence = format!("it has {} mistakes, and the forge skips those lines: {quoted}", mistakes.len());
            Finding::warning(
                subject,
                sentence.replacen("1 mistakes, and the forge skips those lines", "a mistake, and the forge skips that line", 1),
                "mend them",
            )
        }
    }
}
