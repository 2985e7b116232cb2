//! What the credentials may do against what revertd needs: what is missing, and what is too much. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::report::{Finding, listed};
use crate::engine::time::{Timestamp, spoken};
use crate::forge::{Access, AccountKind, Grants, Readable, Role};

/// What is needed of each permission, and what does not work without it.
const NEEDED: [(&str, &str, &str); 5] = [
    ("contents", "write", "nothing can be pushed or merged"),
    ("pull_requests", "write", "no pull request can be opened"),
    ("issues", "write", "no comment can be read or answered"),
    ("statuses", "write", "required statuses cannot be read, and the suspected commit gets none"),
    ("checks", "write", "required checks cannot be read, and the plan's digest gets none"),
];

/// What revertd must not have, and why.
const TOO_MUCH: [(&str, &str); 8] = [
    ("administration", "it could change the very rules that hold it"),
    ("workflows", "a stolen key could run code in your CI"),
    ("actions", "it could start, stop and approve runs"),
    ("secrets", "it could replace what your CI deploys with"),
    ("environments", "it could open the gates of deployments"),
    ("deployments", "revertd writes Git and nothing else"),
    ("repository_hooks", "it could send your events elsewhere"),
    ("organization_administration", "nothing that revertd does is about the organisation"),
];

/// What else is in order to have: `metadata` comes with every App, and `members` tells who is in a team.
const HARMLESS: [&str; 2] = ["metadata", "members"];

/// A token that ends sooner than this is worth a word.
const ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Whether any policy names a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Teams {
    /// One does.
    Named,
    /// None does.
    None,
}

/// Judges what the credentials may do.
pub(super) fn judge(access: &Access, kind: AccountKind, teams: Teams, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &access.grants {
        Grants::Listed(granted) => installation(granted, teams, &mut findings),
        Grants::Scopes(scopes) => classic(scopes, &mut findings),
        Grants::Read(read) => fine_grained(read, &mut findings),
    }
    if kind == AccountKind::Token {
        findings.extend(role(access.role.as_ref()));
        findings.extend(end(access.ends, now));
    }
    findings
}

fn installation(granted: &BTreeMap<String, String>, teams: Teams, findings: &mut Vec<Finding>) {
    let before = findings.len();
    for (name, access, otherwise) in NEEDED {
        match granted.get(name).map(String::as_str) {
            Some(has) if has == access || has == "admin" => {}
            found => {
                let sentence = match found {
                    Some(has) => format!("has `{name}: {has}` and needs `{name}: {access}`: {otherwise}"),
                    None => format!("lacks `{name}: {access}`: {otherwise}"),
                };
                let fix = "grant it on the App's page, and accept the new permissions of the installation";
                findings.push(Finding::problem("permissions", sentence, fix));
            }
        }
    }
    if teams == Teams::Named && !granted.contains_key("members") {
        let sentence = "lacks `members: read`: nobody is known to be in a team, so no approval by a team counts";
        findings.push(Finding::problem("permissions", sentence, "grant it on the App's page, or name users or roles in the policies"));
    }
    for (name, access) in granted {
        if let Some((_, why)) = TOO_MUCH.iter().find(|(other, _)| other == name) {
            findings.push(Finding::warning("permissions", format!("has `{name}: {access}`: {why}"), "take it away on the App's page"));
        } else if access != "read" && NEEDED.iter().all(|(needed, ..)| needed != name) && !HARMLESS.contains(&name.as_str()) {
            findings.push(Finding::warning(
                "permissions",
                format!("has `{name}: {access}`, which revertd does not need"),
                "take it away on the App's page",
            ));
        }
    }
    if findings.len() == before {
        findings.push(Finding::ok("permissions", "the App has what it needs, and nothing that it must not have"));
    }
}

/// A token of the older kind opens every repository of its owner, whatever its scopes are.
fn classic(scopes: &[String], findings: &mut Vec<Finding>) {
    if !scopes.iter().any(|scope| scope == "repo") {
        let sentence = match scopes {
            [] => "the token has no scope, and `repo` is needed".to_owned(),
            scopes => format!("the token has the scopes {}, and `repo` is needed", listed(scopes.iter().map(String::as_str), "and")),
        };
        findings.push(Finding::problem("permissions", sentence, "use a GitHub App, or a fine-grained token"));
    }
    let sentence = "it is a token of the older kind, which opens every repository of its owner";
    findings.push(Finding::warning(
        "permissions",
        sentence,
        "use a GitHub App, or a fine-grained token for the repositories with manifests",
    ));
    let more: Vec<&str> = scopes.iter().map(String::as_str).filter(|scope| !["repo", "read:org"].contains(scope)).collect();
    if !more.is_empty() {
        let sentence = format!("the token has the scopes {}, which revertd does not need", listed(more, "and"));
        findings.push(Finding::warning("permissions", sentence, "take them away"));
    }
}

fn fine_grained(read: &BTreeMap<String, Readable>, findings: &mut Vec<Finding>) {
    let may_read = |name: &str| read.get(name) == Some(&Readable::Yes);
    let before = findings.len();
    for (name, _, otherwise) in NEEDED {
        if !may_read(name) {
            findings.push(Finding::problem("permissions", format!("the token may not read `{name}`: {otherwise}"), "give it to the token"));
        }
    }
    for (name, why) in TOO_MUCH {
        if may_read(name) {
            findings.push(Finding::warning("permissions", format!("the token may read `{name}`: {why}"), "take it away from the token"));
        }
    }
    if findings.len() == before {
        findings.push(Finding::ok("permissions", "the token reads what it needs, and nothing that was tried beyond it"));
    }
    let sentence = "what the token may write, beyond pushing: GitHub lists nothing for such a token";
    let fix = "compare the token's page with deploy/github.md: `pull_requests`, `issues` and `statuses` need write, and nothing else but `contents`";
    findings.push(Finding::not_seen("permissions", sentence, fix));
}

fn role(role: Option<&Role>) -> Option<Finding> {
    match role? {
        Role::Admin => {
            let sentence = "the token's account administers the repository: it could change the very rules that hold it";
            Some(Finding::warning("role", sentence, "use a machine user with the role `write`, or a GitHub App"))
        }
        Role::Maintain | Role::Write => Some(Finding::ok("role", "the token's account may push")),
        Role::Triage | Role::Read | Role::None => {
            let sentence = "the token's account may not push to the repository";
            Some(Finding::problem("role", sentence, "give the account the role `write`"))
        }
        Role::Unknown(name) => {
            Some(Finding::not_seen("role", format!("what the role `{name}` may do"), "give the account the role `write`"))
        }
    }
}

fn end(ends: Option<Timestamp>, now: Timestamp) -> Option<Finding> {
    let ends = ends?;
    let left = ends.since(now);
    let fix = "make a new token, and put it in the old one's place: the file is read when the agent starts";
    Some(if ends <= now + ENDS_SOON {
        Finding::warning("token", format!("the token ends at {ends}, in {}", spoken(left)), fix)
    } else {
        Finding::ok("token", format!("the token ends at {ends}"))
    })
}
