//! `revertd explain`: the story of an incident, or of what was made of a commit.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::{Exit, Output, store};
use crate::engine::guardrail::{ALL, RefusalCode};
use crate::engine::incident::{Incident, State};
use crate::engine::landing::Landing;
use crate::render::report;

/// Tell the story of an incident, with the arithmetic and the gates that said no
///
/// For a commit, the stories of all incidents that name it as a candidate or as their revert. Without either, every guardrail that can say
/// no, with what it is about; for the name of one (`sharedFate`), that one.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// An incident, the beginning of its id, a commit (at least seven digits), or the name of a guardrail
    #[arg(value_name = "INCIDENT|COMMIT|GUARDRAIL")]
    what: Option<String>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
pub(super) fn run(args: &ExplainArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let named: Vec<RefusalCode> =
        ALL.iter().copied().filter(|code| args.what.as_ref().is_none_or(|what| code.label().eq_ignore_ascii_case(what))).collect();
    let Some(what) = args.what.as_ref().filter(|_| named.is_empty()) else {
        guardrails(&named, args.output, out)?;
        return Ok(Exit::Done);
    };
    let loaded = store::load(config)?;
    let state = store::fold(&store::facts(&loaded)?);
    let incidents = match find(&state, what) {
        Ok(incidents) => incidents,
        Err(error) => return innocent(&state, what, args.output, out)?.ok_or(error),
    };
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&incidents)?)?,
        Output::Text => {
            for (number, incident) in incidents.iter().enumerate() {
                if number > 0 {
                    writeln!(out)?;
                }
                writeln!(out, "{}", report::story(incident))?;
                for line in report::aftermath(&state, incident) {
                    writeln!(out, "{line}")?;
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// What guardrails are about, and what stands in for them.
fn guardrails(codes: &[RefusalCode], output: Output, out: &mut dyn Write) -> Result<()> {
    match output {
        Output::Json => {
            let listed: Vec<_> =
                codes.iter().map(|code| json!({"guardrail": code, "about": code.line(), "liftedBy": code.lifted_by()})).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&listed)?)?;
        }
        Output::Text => {
            for code in codes {
                writeln!(out, "{}\n  {} ({})", code.label(), code.line(), code.lifted_by())?;
            }
        }
    }
    Ok(())
}

/// A commit that was seen and that no incident names: what there is to say of it. `None` where no such commit was seen.
fn innocent(state: &State, what: &str, output: Output, out: &mut dyn Write) -> Result<Option<Exit>> {
    let Some(text) = commit_digits(what) else { return Ok(None) };
    let seen = |landing: &&Landing| landing.changes.iter().any(|change| change.id.to_string().starts_with(&text));
    let Some(landing) = state.landings().iter().find(seen) else { return Ok(None) };
    match output {
        Output::Json => writeln!(out, "[]")?,
        Output::Text => {
            for change in landing.changes.iter().filter(|change| change.id.to_string().starts_with(&text)) {
                let (branch, repository, landed) = (&landing.branch, &landing.repository, landing.landed);
                writeln!(
                    out,
                    "{} \"{}\" landed on `{branch}` of `{repository}` {landed}. No incident names it.",
                    change.id, change.subject
                )?;
            }
        }
    }
    Ok(Some(Exit::Done))
}

/// What may be the beginning of a commit's id.
fn commit_digits(text: &str) -> Option<String> {
    (text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

fn find<'a>(state: &'a State, text: &str) -> Result<Vec<&'a Incident>> {
    let by_commit: Vec<&Incident> = if let Some(text) = commit_digits(text) {
        let names = |id: &crate::engine::id::CommitId| id.to_string().starts_with(&text);
        let mentions = |incident: &&Incident| {
            incident.attribution.as_ref().is_some_and(|attribution| attribution.candidates.iter().any(|candidate| names(&candidate.commit)))
                || incident.landed.as_ref().is_some_and(|landed| names(&landed.commit))
        };
        state.incidents.values().filter(mentions).collect()
    } else {
        Vec::new()
    };
    if !by_commit.is_empty() {
        return Ok(by_commit);
    }
    let id = store::find_incident(state, text)?;
    match state.incidents.get(&id) {
        Some(incident) => Ok(vec![incident]),
        None => bail!("there is no incident `{id}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guardrail_is_listed_with_what_stands_in_for_it() {
        let (mut text, mut json) = (Vec::new(), Vec::new());
        guardrails(ALL, Output::Text, &mut text).unwrap();
        guardrails(ALL, Output::Json, &mut json).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), ALL.len() * 2);
        assert!(text.contains("askRefused\n  Who must be asked before a merge said no, "), "{text}");
        assert!(text.contains("(no approval stands in for it)"), "{text}");
        let listed: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(listed.as_array().unwrap().len(), ALL.len());
        assert_eq!(listed[0]["guardrail"], "repositoryStopped");
    }
}
