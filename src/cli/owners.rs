//! `revertd owners`: whose a path is, and why, by the policies of the agent file.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{Exit, Output, store};
use crate::config::Loaded;
use crate::engine::id::{CommitId, PolicyName};
use crate::engine::ownership::{How, NotFollowed, Ownership, Pulled};
use crate::git::{GitExecutable, LocalRepository, Mirror, Remote, ServicePaths};

/// Show whose a path is, with the chain of files that makes it so
///
/// A service owns the paths that its policy names, and what its kustomizations, releases and charts pull in from elsewhere. What a service
/// refers to and nobody can follow is named on standard error. Ends with 0, also when nobody owns the path.
#[derive(Debug, Args)]
pub struct OwnersArgs {
    /// The path, from the root of the repository
    path: String,
    /// The configured repository; needed where there are several
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// A local clone to look at instead of the agent's mirror
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// The commit to look at; the watched head, or the clone's HEAD, without it
    #[arg(long, value_name = "REVISION")]
    onto: Option<String>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    path: String,
    commit: CommitId,
    owners: Vec<OwnerAnswer>,
    /// What services refer to and nobody can follow: they may own more.
    not_followed: BTreeSet<NotFollowed>,
}

#[derive(Debug, Serialize)]
struct OwnerAnswer {
    service: PolicyName,
    /// By the policy's own paths, or through the chain.
    by: &'static str,
    chain: Vec<Pulled>,
    #[serde(skip)]
    sentence: String,
}

/// Runs the command.
pub(super) fn run(args: &OwnersArgs, config: &Path, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let repository = repository(&loaded, args.repository.as_deref())?;
    let services: Vec<ServicePaths> = loaded
        .policies
        .iter()
        .filter(|policy| policy.repository == repository.name)
        .map(|policy| ServicePaths { name: policy.name.clone(), paths: policy.paths.clone() })
        .collect();
    let (commit, ownership) = match &args.repo {
        Some(path) => {
            let clone = LocalRepository::open(path).with_context(|| format!("cannot open the clone {}", path.display()))?;
            let commit = clone.resolve(args.onto.as_deref().unwrap_or("HEAD"))?;
            (commit, clone.ownership(commit, &services)?)
        }
        None => in_mirror(&loaded, repository, args.onto.as_deref(), &services)?,
    };
    let answer = answer(args.path.trim_start_matches("./"), commit, &services, &ownership);
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?,
        Output::Text => show(&answer, out, err)?,
    }
    Ok(Exit::Done)
}

fn repository<'a>(loaded: &'a Loaded, name: Option<&str>) -> Result<&'a crate::config::agent::Repository> {
    let repositories = &loaded.agent.repositories;
    let names = || repositories.iter().map(|repository| format!("`{}`", repository.name)).collect::<Vec<_>>().join(", ");
    match (name, repositories.as_slice()) {
        (None, [one]) => Ok(one),
        (None, _) => Err(Failure::usage("there are several repositories", format!("name one with --repository: {}", names())).into()),
        (Some(name), _) => repositories
            .iter()
            .find(|repository| repository.name.as_str() == name)
            .ok_or_else(|| Failure::new(format!("there is no repository `{name}`"), format!("it has {}", names())).into()),
    }
}

/// Looks in the mirror that the agent keeps, at the head that it saw last. Nothing is fetched.
fn in_mirror(
    loaded: &Loaded,
    repository: &crate::config::agent::Repository,
    onto: Option<&str>,
    services: &[ServicePaths],
) -> Result<(CommitId, Ownership)> {
    let path = loaded.agent.mirror(&repository.name);
    if !path.join("HEAD").exists() {
        let sentence = format!("there is no mirror of `{}` yet", repository.name);
        return Err(Failure::new(sentence, "a running agent makes one; or name a clone: --repo PATH").into());
    }
    let remote = Remote { url: repository.url.clone(), branch: repository.branch.clone(), credentials: None };
    let mirror = Mirror::open(&path, remote, GitExecutable::find()?)?;
    let commit = match onto {
        Some(text) => text
            .parse::<CommitId>()
            .map_err(|_| Failure::usage(format!("`{text}` is no commit id"), "write all 40 digits, or name a clone: --repo PATH"))?,
        None => mirror.watched().context("the mirror has not seen the branch yet")?,
    };
    let ownership = mirror.ownership(Some(commit), commit, services)?;
    Ok((commit, ownership))
}

fn answer(path: &str, commit: CommitId, services: &[ServicePaths], ownership: &Ownership) -> Answer {
    let owners = ownership.owners(path).into_iter().map(|owner| {
        let sentence = owner.sentence();
        let (by, chain) = match owner.how {
            How::Paths => ("paths", Vec::new()),
            How::Through { chain, .. } => ("chain", chain),
        };
        OwnerAnswer { service: owner.service, by, chain, sentence }
    });
    let not_followed = services.iter().flat_map(|service| ownership.not_followed(&service.name)).cloned().collect();
    Answer { path: path.to_owned(), commit, owners: owners.collect(), not_followed }
}

fn show(answer: &Answer, out: &mut dyn Write, err: &mut dyn Write) -> Result<()> {
    if answer.owners.is_empty() {
        writeln!(out, "Nobody owns `{}` at {}.", answer.path, answer.commit.short())?;
    }
    for owner in &answer.owners {
        writeln!(out, "{}", owner.sentence)?;
    }
    for reference in &answer.not_followed {
        writeln!(err, "note: {}", reference.sentence())?;
    }
    Ok(())
}
