//! The agent file and policy files: from what was typed to values that cannot be wrong.
//!
//! ```text
//! bytes → node (tree with places) → check (against keys) → defaults → agent_file, policy_file → Agent, Policy
//! ```
//!
//! OpenSLO documents are no policies: `openslo` puts their SLOs into those that take them, each value at its place in its own file.
//!
//! `keys` describes every key once; the checker, the defaults and [`schema()`] are read from it. Every error of every document that
//! parses is reported, the first one of a document that does not, each with its place.

pub mod agent;
mod agent_file;
mod check;
mod defaults;
pub mod diagnostic;
mod files;
mod form;
mod gates;
pub mod import;
mod instance_rules;
pub mod judge_file;
mod keys;
mod load;
mod measure;
mod node;
mod openslo;
mod policy_file;
mod schema;
mod secrets;
mod shape;
mod slo_rules;
mod sync_rules;
mod syntax;
mod variable_rules;
mod view;
mod yaml;

use std::path::{Path, PathBuf};

use crate::engine::policy::Policy;

use agent::Agent;
use diagnostic::{Diagnostic, Diagnostics, Findings, Span, quoted};
use load::{DocumentKind, Parsed, Place};

pub use check::nearest;
pub use schema::schema;

/// A valid agent with its valid policies.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The agent.
    pub agent: Agent,
    /// Its policies, in the order of the files.
    pub policies: Vec<Policy>,
    /// What does not do what it seems to.
    pub warnings: Vec<Diagnostic>,
}

/// Reads an agent file and the policy files that it names, which are relative to it. Other documents of the agent file may be policies, and
/// OpenSLO documents may stand beside policies.
///
/// # Errors
/// Every finding, when at least one of them is an error; a file that cannot be read is one.
pub fn load_agent(path: &Path) -> Result<Loaded, Diagnostics> {
    let mut list = Vec::new();
    let bytes = files::read(path).map_err(|diagnostic| Diagnostics(vec![*diagnostic]))?;
    let mut parsed = vec![load::read(&path.display().to_string(), &bytes, &mut list)];
    read_named(&mut parsed, 0, &mut list);
    finish(&parsed, list)
}

/// The same from texts in memory: the agent file, and policy files by name. `policies` of the agent file is not followed.
///
/// # Errors
/// Every finding, when at least one of them is an error.
pub fn load_texts(agent: (&str, &str), policies: &[(String, String)]) -> Result<Loaded, Diagnostics> {
    let mut list = Vec::new();
    let mut parsed = vec![load::read(agent.0, agent.1.as_bytes(), &mut list)];
    parsed.extend(policies.iter().map(|(name, text)| load::read(name, text.as_bytes(), &mut list)));
    finish(&parsed, list)
}

/// Reads policy files, and directories of them, without an agent: names of repositories, servers and notifiers are not resolved. Agents
/// in them are passed over.
///
/// # Errors
/// Every finding, when at least one of them is an error; a file that cannot be read is one.
pub fn load_policies(paths: &[PathBuf]) -> Result<Vec<Policy>, Diagnostics> {
    let (parsed, mut list) = read_all(paths);
    let places: Vec<Place<'_>> = parsed.iter().flat_map(policies_and_slos_of).collect();
    let (_, policies) = load::judge(None, &places, &mut list);
    load::sort(&names(&parsed), &mut list);
    if list.iter().any(Diagnostic::is_error) { Err(Diagnostics(list)) } else { Ok(policies) }
}

/// Every document of files and directories, each file once, with what was wrong with it.
fn read_all(paths: &[PathBuf]) -> (Vec<Parsed>, Vec<Diagnostic>) {
    let (mut parsed, mut list) = (Vec::new(), Vec::new());
    for path in paths {
        match files::expand(path) {
            Ok(files) => files.iter().for_each(|file| read_once(file, &mut parsed, &mut list)),
            Err(diagnostic) => list.push(*diagnostic),
        }
    }
    (parsed, list)
}

/// Checks agent files, policy files and directories of them together. Policies are checked against the agent file that names them or,
/// where only one agent file is there, against that one; without an agent file, on their own.
pub fn check_paths(paths: &[PathBuf]) -> Vec<Diagnostic> {
    let (mut parsed, mut list) = read_all(paths);
    let mut named = Vec::new();
    for index in 0..parsed.len() {
        let files = read_named(&mut parsed, index, &mut list);
        if parsed[index].documents.iter().any(|document| document.kind == DocumentKind::Agent) {
            named.push((index, files));
        }
    }
    judge_groups(&parsed, &named, &mut list);
    load::sort(&names(&parsed), &mut list);
    list
}

/// Checks texts by name, without following `policies`; pure, for editors and tests.
pub fn check_texts(texts: &[(String, Vec<u8>)]) -> Vec<Diagnostic> {
    let mut list = Vec::new();
    let parsed: Vec<Parsed> = texts.iter().map(|(name, bytes)| load::read(name, bytes, &mut list)).collect();
    let agents: Vec<(usize, Vec<usize>)> =
        (0..parsed.len()).filter(|index| agent_of(&parsed[*index]).is_some()).map(|index| (index, Vec::new())).collect();
    judge_groups(&parsed, &agents, &mut list);
    load::sort(&names(&parsed), &mut list);
    list
}

fn names(parsed: &[Parsed]) -> Vec<String> {
    parsed.iter().map(|file| file.source.name().to_owned()).collect()
}

fn agent_of(file: &Parsed) -> Option<Place<'_>> {
    file.documents.iter().find(|document| document.kind == DocumentKind::Agent).map(|document| (file, document))
}

fn policies_and_slos_of(file: &Parsed) -> impl Iterator<Item = Place<'_>> {
    file.documents.iter().filter(|document| document.kind != DocumentKind::Agent).map(move |document| (file, document))
}

fn read_once(path: &Path, parsed: &mut Vec<Parsed>, list: &mut Vec<Diagnostic>) {
    if position(path, parsed).is_some() {
        return;
    }
    match files::read(path) {
        Ok(bytes) => parsed.push(load::read(&path.display().to_string(), &bytes, list)),
        Err(diagnostic) => list.push(*diagnostic),
    }
}

/// Where a file is among those that were read, whatever way it is named.
fn position(path: &Path, parsed: &[Parsed]) -> Option<usize> {
    let same = |name: &str| match (path.canonicalize(), Path::new(name).canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => Path::new(name) == path,
    };
    parsed.iter().position(|file| same(file.source.name()))
}

/// Reads the policy files that the agent file at `index` names; gives their positions.
fn read_named(parsed: &mut Vec<Parsed>, index: usize, list: &mut Vec<Diagnostic>) -> Vec<usize> {
    let mut wanted: Vec<(PathBuf, Span)> = Vec::new();
    if let Some((file, document)) = parsed.get(index).and_then(agent_of) {
        let entries = document.root.get("spec").and_then(|spec| spec.get("policies"));
        for item in entries.map_or(&[][..], |node| node.items()) {
            wanted.extend(item.text().map(|text| (file.directory.join(text), item.span)));
        }
    }
    let mut positions = Vec::new();
    for (path, span) in wanted {
        match files::expand(&path) {
            Ok(files) => {
                for file in files {
                    read_once(&file, parsed, list);
                    positions.extend(position(&file, parsed));
                }
            }
            Err(diagnostic) => {
                let at = list.len();
                Findings::new(&parsed[index].source, list).error(
                    span,
                    format!("{}: {}", quoted(&diagnostic.file), diagnostic.message),
                    None,
                );
                list[at].cause = diagnostic.cause;
            }
        }
    }
    positions
}

/// Judges each agent with the policies that belong to it, and the rest on their own.
fn judge_groups(parsed: &[Parsed], agents: &[(usize, Vec<usize>)], list: &mut Vec<Diagnostic>) {
    let claimed = |index: usize| agents.iter().any(|(agent, files)| *agent == index || files.contains(&index));
    let mut rest: Vec<usize> = (0..parsed.len()).filter(|index| !claimed(*index)).collect();
    for (index, files) in agents {
        let mut members = vec![*index];
        members.extend(files.iter().filter(|file| *file != index));
        if agents.len() == 1 {
            members.append(&mut rest);
        }
        let policies: Vec<Place<'_>> = members.iter().flat_map(|index| policies_and_slos_of(&parsed[*index])).collect();
        load::judge(agent_of(&parsed[*index]), &policies, list);
        further_agents(&parsed[*index], 1, list);
        files.iter().filter(|file| *file != index).for_each(|file| further_agents(&parsed[*file], 0, list));
    }
    let policies: Vec<Place<'_>> = rest.iter().flat_map(|index| policies_and_slos_of(&parsed[*index])).collect();
    load::judge(None, &policies, list);
}

/// Reports agent documents after the first `allowed` of a file.
fn further_agents(file: &Parsed, allowed: usize, list: &mut Vec<Diagnostic>) {
    for document in file.documents.iter().filter(|document| document.kind == DocumentKind::Agent).skip(allowed) {
        let message = "there is a second `kind: Agent`, and one agent reads one".to_owned();
        Findings::new(&file.source, list).error(document.root.span, message, "run one agent for each".to_owned());
    }
}

/// Judges an agent, which the first file holds, with all policies there are.
fn finish(parsed: &[Parsed], mut list: Vec<Diagnostic>) -> Result<Loaded, Diagnostics> {
    let agent = parsed.first().and_then(agent_of);
    let policies: Vec<Place<'_>> = parsed.iter().flat_map(policies_and_slos_of).collect();
    let (valid_agent, valid_policies) = load::judge(agent, &policies, &mut list);
    for (index, file) in parsed.iter().enumerate() {
        further_agents(file, usize::from(index == 0), &mut list);
    }
    if let (None, Some(file)) = (agent, parsed.first())
        && !list.iter().any(Diagnostic::is_error)
    {
        let start = Span { line: 1, column: 1, length: 1, file: 0 };
        let hint = "write an agent file with `kind: Agent`; policies go into files of their own or after a `---` line".to_owned();
        Findings::new(&file.source, &mut list).error(start, "the file holds no `kind: Agent`", hint);
    }
    load::sort(&names(parsed), &mut list);
    match valid_agent {
        Some(agent) if !list.iter().any(Diagnostic::is_error) => Ok(Loaded { agent, policies: valid_policies, warnings: list }),
        _ => Err(Diagnostics(list)),
    }
}
