//! Keeps a reverted change from coming back by another way: a failing status on open proposals that would bring it, and a comment in the thread
//! about pushes that did. What counts as the same is `engine::spread`'s.

use std::collections::BTreeSet;

use anyhow::Result;
use tracing::{info, warn};

use super::issue_stop::concerns_one_request;
use super::open_work::is_theirs;
use super::publishing::with_mark;
use super::{Reconciler, Repository};
use crate::engine::afterwards::Afterwards;
use crate::engine::change::{Change, Entry};
use crate::engine::fact::Event;
use crate::engine::id::{CommitId, ProposalKey, RepositoryName};
use crate::engine::incident::Proposal;
use crate::engine::plan::PlannedPath;
use crate::engine::policy::Policy;
use crate::engine::spread::{self, Cargo, FileTexts, Spreading};
use crate::engine::time::Timestamp;
use crate::forge::{Answered, Call, Forge, ForgeProposal, NewStatus, ProposalNumber, StatusState};
use crate::git::Mirror;
use crate::render;
use crate::render::spread::Time;

/// The name of the status on what would bring a reverted change back.
const STATUS: &str = "revertd/spread";
/// So many of the newest open proposals are looked at.
const NEWEST: usize = 30;
/// A change of more files than this is not looked through.
const MOST_FILES: usize = 200;

/// What this process has looked at already.
#[derive(Debug, Default)]
pub(super) struct Seen {
    heads: BTreeSet<(ProposalKey, CommitId)>,
    pushes: BTreeSet<(ProposalKey, CommitId)>,
    looked: Option<Timestamp>,
}

impl Reconciler {
    /// Looks at what is open and at what was pushed, and takes back what stands for nothing any more.
    pub(super) fn stop_the_spread(&mut self, now: Timestamp) -> Result<()> {
        self.release_marks(now)?;
        let watched: Vec<Proposal> = spread::watched(&self.state).into_iter().cloned().collect();
        let poll = self.repositories.iter().map(|repository| repository.config.poll).min().unwrap_or_default();
        let is_due = self.spread.looked.is_none_or(|looked| now.since(looked) >= poll);
        for proposal in &watched {
            self.name_pushes(proposal, now)?;
        }
        if !is_due {
            return Ok(());
        }
        self.spread.looked = Some(now);
        let names: BTreeSet<RepositoryName> = watched.iter().filter_map(|proposal| proposal.repository.clone()).collect();
        for name in names {
            let Some(theirs) = self.open_of_others(&name, now)? else { continue };
            for proposal in watched.iter().filter(|proposal| proposal.repository.as_ref() == Some(&name)) {
                self.mark_open(&name, proposal, &theirs, now)?;
            }
        }
        Ok(())
    }

    /// The newest proposals that others have open for the watched branch; `None` where the forge cannot be asked now.
    fn open_of_others(&mut self, name: &RepositoryName, now: Timestamp) -> Result<Option<Vec<ForgeProposal>>> {
        let Some(repository) = self.repository(name) else { return Ok(None) };
        let base = repository.config.branch.clone();
        let Some(conversation) = repository.conversation.as_ref().filter(|conversation| !conversation.is_quiet(now)) else {
            return Ok(None);
        };
        match conversation.forge.open_proposals(Call::poll(now)) {
            Ok(open) => Ok(Some(open.into_iter().filter(|proposal| is_theirs(proposal, &base)).take(NEWEST).collect())),
            Err(error) => self.note_forge_failure(name, &error, now).map(|()| None),
        }
    }

    /// The commits that landed since the suspects and bring again what they brought.
    fn name_pushes(&mut self, proposal: &Proposal, now: Timestamp) -> Result<()> {
        let (Some(name), Some(plan)) = (&proposal.repository, &proposal.plan) else { return Ok(()) };
        let since = proposal.opened_at;
        let of_repository = self.state.landings().iter().filter(|landing| landing.repository == *name && landing.landed.by > since);
        let new: Vec<Change> = of_repository
            .flat_map(|landing| &landing.changes)
            .filter(|change| !change.is_by_revertd() && !plan.suspects.contains(&change.id) && Some(change.id) != proposal.landed)
            .filter(|change| !self.spread.pushes.contains(&(proposal.key.clone(), change.id)))
            .cloned()
            .collect();
        for change in new {
            self.spread.pushes.insert((proposal.key.clone(), change.id));
            let known = |what: &Spreading| matches!(what, Spreading::Pushed { commit, .. } if *commit == change.id);
            if self.state.aftermath.spreading(&proposal.key).iter().any(|(what, _)| known(what)) {
                continue;
            }
            let paths = change.paths.iter().map(|path| PlannedPath { path: path.path.clone(), from: path.from, to: path.to });
            let Some((why, cargo)) = self.found_in(proposal, &paths.collect::<Vec<_>>()) else { continue };
            warn!(proposal = %proposal.key, commit = %change.id, "a reverted change was pushed again: {why}");
            self.say_push(name, proposal, &change, &why, &cargo, now)?;
            let what = Spreading::Pushed { commit: change.id, why };
            self.record(now, vec![Event::Afterwards { what: Afterwards::Spreading { proposal: proposal.key.clone(), what } }])?;
        }
        Ok(())
    }

    /// Says it in the thread, once and once more.
    fn say_push(
        &mut self,
        name: &RepositoryName,
        proposal: &Proposal,
        change: &Change,
        why: &str,
        cargo: &Cargo,
        now: Timestamp,
    ) -> Result<()> {
        let pushes =
            self.state.aftermath.spreading(&proposal.key).iter().filter(|(what, _)| matches!(what, Spreading::Pushed { .. })).count();
        let Some(published) = proposal.published.as_ref().filter(|_| pushes < spread::SAID_AT_MOST) else { return Ok(()) };
        let Some(forge) = self.conversation(name).map(|conversation| conversation.forge.clone()) else { return Ok(()) };
        let time = if pushes + 1 == spread::SAID_AT_MOST { Time::Last } else { Time::First };
        let (number, mark) = (ProposalNumber(published.number), render::spread::mark(&proposal.key, change.id));
        let text = render::spread::pushed(change.id, &change.author.name, why, cargo.images.first().map(String::as_str), time, &mark);
        // A crash between the comment and its record must not make a second one.
        let said = with_mark(&*forge, number, &mark, now).and_then(|known| match known {
            Some(_) => Ok(()),
            None => forge.write_comment(Call::act(now), number, &text).map(|_| ()),
        });
        // It is written down all the same: one comment too few is better than two.
        said.or_else(|error| self.note_forge_failure(name, &error, now))
    }

    /// Puts a failing status on what people and automations have open.
    fn mark_open(&mut self, name: &RepositoryName, proposal: &Proposal, theirs: &[ForgeProposal], now: Timestamp) -> Result<()> {
        let Some(forge) = self.conversation(name).map(|conversation| conversation.forge.clone()) else { return Ok(()) };
        let marks = spread::marks(&self.state, &proposal.key);
        let new: Vec<&ForgeProposal> = theirs
            .iter()
            .filter(|theirs| !self.spread.heads.contains(&(proposal.key.clone(), theirs.head)))
            .filter(|theirs| !marks.contains(&(theirs.number.0, theirs.head)))
            .collect();
        for theirs in new {
            let Some(paths) = self.branch_changes(name, theirs.head) else { continue };
            if let Some((why, _)) = self.found_in(proposal, &paths) {
                info!(proposal = %proposal.key, theirs = theirs.number.0, "it would bring a reverted change back: {why}");
                let target = proposal.published.as_ref().map(|published| published.url.clone());
                match set(&*forge, theirs.head, StatusState::Failure, render::spread::status(&why), target, now) {
                    Ok(()) => {
                        let what = Spreading::Marked { number: theirs.number.0, head: theirs.head, why };
                        self.record(now, vec![Event::Afterwards { what: Afterwards::Spreading { proposal: proposal.key.clone(), what } }])?;
                    }
                    // The others can be marked all the same; this one is left until the agent starts anew.
                    Err(error) if concerns_one_request(&error) => {
                        warn!(proposal = %proposal.key, theirs = theirs.number.0, "what would bring a reverted change back could not be marked: {error}");
                    }
                    Err(error) => return self.note_forge_failure(name, &error, now),
                }
            }
            self.spread.heads.insert((proposal.key.clone(), theirs.head));
        }
        Ok(())
    }

    /// What a branch of others changes; `None` where it cannot be read.
    fn branch_changes(&self, name: &RepositoryName, head: CommitId) -> Option<Vec<PlannedPath>> {
        let onto = self.listing(name)?.head?;
        let mirror = &self.repository(name)?.mirror;
        let read = |mirror: &Mirror| mirror.branch_changes(head, onto);
        let found = read(mirror).or_else(|_| mirror.fetch_commits(&[head]).and_then(|()| read(mirror)));
        match found {
            Ok(paths) => paths,
            Err(error) => {
                warn!(repository = %name, "cannot read {}: {error}", head.short());
                None
            }
        }
    }

    /// What of a proposal's cargo stands in some changes, and the cargo.
    fn found_in(&self, proposal: &Proposal, paths: &[PlannedPath]) -> Option<(String, Cargo)> {
        let repository = self.repository(proposal.repository.as_ref()?)?;
        let plan = proposal.plan.as_ref()?;
        if paths.len() > MOST_FILES || plan.paths.len() > MOST_FILES {
            return None;
        }
        let cargo = Cargo::of(&texts(repository, &plan.paths));
        let policies: Vec<Policy> = proposal.incidents.iter().filter_map(|incident| self.policy_of(incident)).collect();
        let matchers: Vec<_> = policies.iter().filter_map(|policy| policy.paths.matcher().ok()).collect();
        let why = cargo.found_in(&texts(repository, paths), |path| matchers.iter().any(|matcher| matcher.owns(path)))?;
        Some((why, cargo))
    }

    /// Takes the failing statuses back that are for what may come back.
    fn release_marks(&mut self, now: Timestamp) -> Result<()> {
        let watched: BTreeSet<ProposalKey> = spread::watched(&self.state).into_iter().map(|proposal| proposal.key.clone()).collect();
        let over = self.state.proposals.values().filter(|proposal| !watched.contains(&proposal.key));
        let marked: Vec<(Proposal, Vec<(u64, CommitId)>)> = over
            .map(|proposal| (proposal.clone(), spread::marks(&self.state, &proposal.key)))
            .filter(|(_, marks)| !marks.is_empty())
            .collect();
        for (proposal, marks) in marked {
            let Some(name) = &proposal.repository else { continue };
            let Some(conversation) = self.conversation(name).filter(|conversation| !conversation.is_quiet(now)) else { continue };
            let forge = conversation.forge.clone();
            let target = proposal.published.as_ref().map(|published| published.url.clone());
            for (number, head) in marks {
                let sentence = "What was reverted may come back.".to_owned();
                match set(&*forge, head, StatusState::Success, sentence, target.clone(), now) {
                    Ok(()) => {}
                    // It is written down all the same: what is asked for in every pass would keep the forge from being told anything else.
                    Err(error) if concerns_one_request(&error) => {
                        warn!(proposal = %proposal.key, number, "a status could not be taken back: {error}");
                    }
                    Err(error) => {
                        self.note_forge_failure(name, &error, now)?;
                        break;
                    }
                }
                let what = Spreading::Released { number, head };
                self.record(now, vec![Event::Afterwards { what: Afterwards::Spreading { proposal: proposal.key.clone(), what } }])?;
            }
        }
        Ok(())
    }
}

fn texts(repository: &Repository, paths: &[PlannedPath]) -> Vec<FileTexts> {
    let text = |entry: Option<Entry>| entry.and_then(|entry| repository.mirror.text(entry));
    paths.iter().map(|path| FileTexts { path: path.clone(), before: text(path.from), after: text(path.to) }).collect()
}

fn set(forge: &dyn Forge, head: CommitId, state: StatusState, description: String, target: Option<String>, now: Timestamp) -> Answered<()> {
    forge.set_status(Call::act(now), head, &NewStatus { context: STATUS.to_owned(), state, description, target })
}
