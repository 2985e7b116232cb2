//! Gathers what is told about a proposal: its stories and policies, what the plan changes by the mirror, and the rounds.
//!
//! What is said of it is `render`'s. What a mirror does not show is left out of the text: a text that is missing a line is better than no proposal.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Reconciler, series_in};
use crate::engine::assurance::{heads_to_compare, ran_healthy};
use crate::engine::attribution::Attribution;
use crate::engine::broken_sync::Broke;
use crate::engine::change::Entry;
use crate::engine::id::CommitId;
use crate::engine::incident::{Incident, Proposal};
use crate::engine::object::{self, FileChange, ObjectChange};
use crate::engine::policy::{Policy, Slo};
use crate::engine::slo::{Quality, quality};
use crate::engine::time::{Interval, Timestamp};
use crate::git::ServicePaths;
use crate::render::neutral::Markdown;
use crate::render::proposal::{Author, ProposalView, ServiceView};
use crate::render::templates::{OwnTemplate, Templates};
use crate::render::{self, plot};

/// The most files whose content is compared; a plan of more is named by its paths.
const MOST_FILES: usize = 200;
/// Plots for at most this many services.
const MOST_PLOTS: usize = 3;

/// The templates of a directory, each in place of the one of its name; those that are built in without one.
///
/// # Errors
/// A directory or a file that cannot be read, or a template that cannot be used.
pub fn templates(directory: Option<&Path>) -> Result<Templates> {
    let Some(directory) = directory else { return Ok(Templates::built_in()?) };
    let reading = || format!("cannot read the templates in {}", directory.display());
    let mut own = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
            bail!("{} is no name of a template", path.display());
        };
        // A mounted ConfigMap has such entries.
        if name.starts_with('.') {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read the template {}", path.display()))?;
        own.push(OwnTemplate { path: path.display().to_string(), name, text });
    }
    Ok(Templates::with(&own)?)
}

impl Reconciler {
    /// Title and text of a proposal.
    pub(super) fn text_of(&self, proposal: &Proposal, now: Timestamp) -> Result<(String, String)> {
        let stories = self.told_stories(proposal);
        let mut view = self.view(proposal, &stories);
        view.objects = self.object_changes(proposal);
        for service in view.services.iter_mut().take(MOST_PLOTS) {
            service.plot = self.plot(service.incident, service.policy);
        }
        for service in &mut view.services {
            service.healthy = self.restored(proposal, service.incident, service.policy, now);
            let spending = self.budgets.spending(&self.rounds, service.policy, service.incident, now);
            service.budgets = spending.into_iter().filter(|spending| spending.spent.is_some()).map(|spending| spending.sentence).collect();
        }
        let title = render::proposal::title(&self.templates, &view).context("cannot write the proposal's title")?;
        let body = match &view.back {
            Some(_) => render::back::body(&self.templates, &view),
            None => render::proposal::body(&self.templates, &view),
        };
        let body = body.context("cannot write the proposal's text")?;
        Ok((title, body))
    }

    /// The sticky comment of a proposal, which depends on what is recorded alone.
    pub(super) fn sticky_of(&self, proposal: &Proposal) -> Result<String> {
        let stories = self.told_stories(proposal);
        render::sticky::text(&self.templates, &self.view(proposal, &stories)).context("cannot write the comment on the proposal")
    }

    /// Every story of the proposal whose policy is known.
    pub(super) fn told_stories(&self, proposal: &Proposal) -> Vec<(&Incident, Policy)> {
        self.stories(proposal).into_iter().filter_map(|incident| Some((incident, self.policy_of(&incident.id)?))).collect()
    }

    pub(super) fn view<'a>(&'a self, proposal: &'a Proposal, stories: &'a [(&'a Incident, Policy)]) -> ProposalView<'a> {
        let services = stories
            .iter()
            .map(|(incident, policy)| ServiceView { incident, policy, plot: None, healthy: None, budgets: Vec::new() })
            .collect();
        let record = self.track_records(proposal, stories);
        ProposalView { proposal, services, authors: self.authors(stories), objects: Vec::new(), record, back: self.back_view(proposal) }
    }

    fn authors(&self, stories: &[(&Incident, Policy)]) -> BTreeMap<CommitId, Author> {
        let suspects: Vec<CommitId> = stories
            .iter()
            .filter_map(|(incident, _)| incident.attribution.as_ref())
            .flat_map(|attribution| attribution.candidates.iter())
            .map(|candidate| candidate.commit)
            .collect();
        let changes = self.state.landings().iter().flat_map(|landing| &landing.changes);
        changes
            .filter(|change| suspects.contains(&change.id))
            .map(|change| (change.id, Author { name: change.author.name.clone(), login: None }))
            .collect()
    }

    pub(super) fn object_changes(&self, proposal: &Proposal) -> Vec<ObjectChange> {
        let (Some(plan), Some(repository)) = (&proposal.plan, proposal.repository.as_ref().and_then(|name| self.repository(name))) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        for path in plan.paths.iter().take(MOST_FILES) {
            // `None`: it is there and cannot be read; `Some(None)`: nothing is there.
            let text = |entry: Option<Entry>| entry.map_or(Some(None), |entry| repository.mirror.text(entry).map(Some));
            let modes = (path.from.map(|entry| entry.mode), path.to.map(|entry| entry.mode));
            let is_kept = matches!(modes, (Some(before), Some(after)) if before != after);
            match (text(path.from), text(path.to)) {
                (Some(before), Some(after)) => {
                    changes.extend(object::changes(&[FileChange { path: &path.path, before: before.as_deref(), after: after.as_deref() }]));
                    changes.extend(is_kept.then(|| object::entry_change(&path.path, modes.0, modes.1)));
                }
                _ => changes.push(object::entry_change(&path.path, modes.0, modes.1)),
            }
        }
        changes
    }

    /// The rounds of the first objective that breaches, from as long before the onset as its longest window.
    fn plot(&self, incident: &Incident, policy: &Policy) -> Option<Markdown> {
        if incident.broke() == Broke::Sync {
            return None;
        }
        let breaching = |slo: &&Slo| incident.arithmetic.iter().any(|sentence| sentence.starts_with(&format!("`{}` ", slo.name)));
        let slo = policy.slos.iter().find(breaching).or_else(|| policy.slos.first())?;
        let before = slo.longest_window().max(slo.every() * 10);
        let from = incident.onset.by - before;
        plot::rounds(slo, self.rounds.since(&series_in(&policy.name, &incident.instance, &slo.name), from), incident.onset.by, from)
    }

    /// When the service ran healthy with the very files that the proposal restores; `None` where they never stood, or nothing is known.
    fn restored(&self, proposal: &Proposal, incident: &Incident, policy: &Policy, now: Timestamp) -> Option<Interval> {
        let repository = proposal.repository.as_ref().and_then(|name| self.repository(name))?;
        let tree = proposal.latest_commit.as_ref()?.tree;
        let service = self.evidence(policy, &incident.instance, now);
        let landings = self.state.landings();
        let own = ServicePaths { name: policy.name.clone(), paths: policy.paths.clone() };
        let heads = repository.mirror.same_files(tree, &heads_to_compare(&service, landings), &[own]).ok()?;
        if heads.is_empty() {
            return None;
        }
        let ran = |needed| ran_healthy(&service, landings, &heads, needed).ok();
        ran(policy.guardrails.assurance.healthy_for).or_else(|| ran(Duration::ZERO)).or_else(|| self.healthy(incident, policy, now))
    }

    /// The last stretch of good rounds of every objective before the suspects landed.
    fn healthy(&self, incident: &Incident, policy: &Policy, now: Timestamp) -> Option<Interval> {
        let landed = incident.attribution.as_ref().and_then(before_suspects).unwrap_or_else(|| incident.onset.earliest()).min(now);
        let mut healthy: Option<Interval> = None;
        for slo in &policy.slos {
            let rounds = self.rounds.since(&series_in(&policy.name, &incident.instance, &slo.name), Timestamp(i64::MIN));
            let before = &rounds[..rounds.partition_point(|round| round.end <= landed)];
            let good = before.iter().rposition(|round| quality(slo, round) != Quality::Good).map_or(0, |position| position + 1);
            let (first, last) = (before.get(good)?, before.last()?);
            let known = healthy.unwrap_or(Interval::new(first.start, last.end));
            healthy = Some(Interval::new(known.earliest().max(first.start), known.by.min(last.end)));
        }
        healthy.filter(|healthy| healthy.earliest() < healthy.by)
    }
}

/// The last moment at which no suspect had landed.
fn before_suspects(attribution: &Attribution) -> Option<Timestamp> {
    let suspects = attribution.candidates.iter().filter(|candidate| attribution.suspects.contains(&candidate.commit));
    suspects.filter_map(|candidate| candidate.landed.after).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_replaces_single_templates_and_a_wrong_one_is_named_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("title.txt", "ops: {{ subject }}");
        std::fs::create_dir(directory.path().join("..data")).unwrap();
        templates(Some(directory.path())).unwrap();
        write("title.txt", "ops:\n{{ subjekt }}");
        let error = templates(Some(directory.path())).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:2: ", directory.path().join("title.txt").display())), "{error}");
        std::fs::remove_file(directory.path().join("title.txt")).unwrap();
        write("README.md", "");
        assert!(format!("{:#}", templates(Some(directory.path())).unwrap_err()).contains("there is no template of this name"));
        assert!(templates(Some(&directory.path().join("missing"))).is_err());
        templates(None).unwrap();
    }
}
