//! `revertd explain`: the story of an incident, or of what was made of a commit.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use super::failure::{Failure, exit_of};
use super::{Exit, Output, store};
use crate::config::diagnostic::{Diagnostics, quoted};
use crate::config::nearest;
use crate::engine::guardrail::{ALL, RefusalCode};
use crate::engine::incident::{Incident, State};
use crate::engine::landing::Landing;
use crate::journal::{Journal, SqliteJournal};
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
    told(args, what, config, out).map_err(|error| misspelt(what, error))
}

/// The error, or the guardrail that was meant where one is named nearly so. A configuration that is wrong is said in any case.
fn misspelt(what: &str, error: anyhow::Error) -> anyhow::Error {
    let labels: Vec<String> = ALL.iter().map(|code| code.label()).collect();
    let near = nearest(what, labels.iter().map(String::as_str));
    let is_wrong = error.downcast_ref::<Diagnostics>().is_some_and(|found| exit_of(&found.0) == Exit::InvalidConfiguration);
    match near.filter(|_| !is_wrong) {
        Some(near) => {
            let sentence = format!("there is no guardrail {}, and no incident is known by it", quoted(what));
            Failure::new(sentence, format!("did you mean `revertd explain {near}`?")).into()
        }
        None => error,
    }
}

/// The stories of the incidents that `what` names.
fn told(args: &ExplainArgs, what: &str, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let journal = SqliteJournal::open_read_only(&loaded.agent.journal).context("cannot read the journal")?;
    let state = store::fold(&journal.facts_after(0).context("cannot read the journal")?);
    let incidents = match find(&state, what) {
        Ok(incidents) => incidents,
        Err(error) => return innocent(&state, what, args.output, out)?.ok_or(error),
    };
    let (now, mut incidents) = (store::now(), incidents.into_iter().cloned().collect::<Vec<Incident>>());
    let measured = store::measured(&journal, &loaded.policies, now)?;
    // What an incident spent is written down when it ends.
    for open in incidents.iter_mut().filter(|incident| incident.ending.is_none()) {
        open.spending = store::spent(&loaded.policies, &measured, open, now);
    }
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
    use std::time::Duration;

    use super::*;
    use crate::engine::fact::Event;
    use crate::engine::id::{IncidentId, InstanceName, PolicyName, RepositoryName, SloName};
    use crate::engine::round::{Outcome, Round};
    use crate::engine::time::Interval;
    use crate::journal::{Series, StoredRound};

    /// An agent whose service is bad since a minute.
    fn agent_with_an_open_incident(folder: &Path) -> std::path::PathBuf {
        let config = folder.join("agent.yaml");
        let (agent, policy) = (
            "apiVersion: revertd.dev/v1alpha1\nkind: Agent\nspec:\n  journal: {sqlite: journal.db}\n  repositories:\n    - {name: manifests, \
             url: 'https://git.acme.example/m.git', branch: main, forge: {plain: {}}}\n  policies: [policy.yaml]\n",
            "apiVersion: revertd.dev/v1alpha1\nkind: RevertPolicy\nmetadata: {name: checkout}\nspec:\n  repository: manifests\n  paths: [a/**]\n  \
             slos: [{name: up, indicator: {http: {url: 'https://checkout.acme.example/', unreachable: unknown}}, objective: {target: 99%, \
             timeWindow: 30d}}]\n",
        );
        std::fs::write(&config, agent).unwrap();
        std::fs::write(folder.join("policy.yaml"), policy).unwrap();
        let journal = SqliteJournal::open_for_agent(&store::load(&config).unwrap().agent.journal).unwrap();
        let now = store::now();
        let (policy, instance) = (PolicyName::new("checkout"), InstanceName::default_instance());
        let series = Series { policy: Some(policy.clone()), instance: instance.clone(), slo: SloName::new("up") };
        let round = |number: u64| {
            let end = now - Duration::from_secs(10 * (40 - number));
            let outcome = if number > 34 { Outcome::Bad("503".to_owned()) } else { Outcome::Good("200".to_owned()) };
            StoredRound { series: series.clone(), round: Round { start: end, end, outcome } }
        };
        journal.append_rounds(&(1..40).map(round).collect::<Vec<_>>()).unwrap();
        let detected = Event::Detected {
            incident: IncidentId::new("checkout-0123456789"),
            policy,
            instance,
            cluster: None,
            repository: RepositoryName::new("manifests"),
            onset: Interval::new(now - Duration::from_secs(60), now - Duration::from_secs(50)),
            arithmetic: vec!["`up` failed 3 of the last 5".to_owned()],
        };
        journal.append(now, vec![detected]).unwrap();
        config
    }

    #[test]
    fn an_open_incident_says_what_it_has_spent_so_far() {
        let folder = tempfile::tempdir().unwrap();
        let config = agent_with_an_open_incident(folder.path());
        let explained = |output| {
            let mut out = Vec::new();
            run(&ExplainArgs { what: Some("checkout".to_owned()), output }, &config, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = explained(Output::Text);
        assert!(text.contains("\nbudget     This incident has spent "), "{text}");
        let json: serde_json::Value = serde_json::from_str(&explained(Output::Json)).unwrap();
        assert!(json[0]["spending"][0]["spent"].as_i64() > Some(0), "{json:#}");
    }

    #[test]
    fn a_guardrail_that_is_named_nearly_right_is_offered() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("agent.yaml");
        let said = |what: &str| {
            let args = ExplainArgs { what: Some(what.to_owned()), output: Output::Text };
            let mut said = Vec::new();
            crate::cli::print_failure(&run(&args, &missing, &mut Vec::new()).unwrap_err(), &mut said).unwrap();
            String::from_utf8(said).unwrap()
        };
        assert!(said("shardFate").ends_with("hint: did you mean `revertd explain sharedFate`?\n"), "{}", said("shardFate"));
        assert!(said("checkout-0123456789").contains("cannot read"), "{}", said("checkout-0123456789"));
        let config = agent_with_an_open_incident(folder.path());
        let args = ExplainArgs { what: Some("shardFate".to_owned()), output: Output::Text };
        assert!(run(&args, &config, &mut Vec::new()).unwrap_err().to_string().contains("no guardrail `shardFate`"));
    }

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
