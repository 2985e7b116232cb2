//! What people have open on the forge beside revertd: reverts of their own, and changes of the same files (promise P8).
//!
//! Text that says "revert" is only believed from somebody who may write, about a proposal that changes the plan's paths and no others: else a
//! stranger could keep revertd from proposing. Somebody's own revert gets one comment, and none of ours beside it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use tracing::info;

use super::Reconciler;
use super::conversation::Conversation;
use super::publishing::with_mark;
use crate::engine::decision::DecisionRecord;
use crate::engine::fact::{EffectAction, Event, Intent, Obstacle, ProposalClosing};
use crate::engine::guardrail::RefusalCode;
use crate::engine::id::{BranchName, CommitId, EffectId, ProposalKey, canonical_json, sha256_hex};
use crate::engine::incident::Incident;
use crate::engine::landing::Landing;
use crate::engine::situation::{OpenWork, Situation, WorkKind};
use crate::engine::time::Timestamp;
use crate::forge::{Answered, Call, ChangedPaths, Forge, ForgeProposal, Listing, ProposalNumber, ProposalState, Role};
use crate::render;

/// So many of the newest open proposals are looked at: somebody who works on the breach has opened theirs lately.
const NEWEST: usize = 30;

/// Somebody's open proposal, with what was looked up about it.
pub(super) struct Theirs {
    proposal: ForgeProposal,
    by: String,
    paths: ChangedPaths,
    standing: Standing,
    seen: Timestamp,
}

/// Whether what somebody opens can make revertd wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// They may write to the repository.
    Writes,
    /// They may not, or that is not known.
    DoesNot,
}

impl Reconciler {
    /// Looks what people have open wherever there is an incident to decide. A forge that does not answer leaves what was seen before.
    pub(super) fn look_around(&mut self, now: Timestamp) -> Result<()> {
        for index in 0..self.repositories.len() {
            let repository = &self.repositories[index];
            let (name, base, poll) = (repository.config.name.clone(), repository.config.branch.clone(), repository.config.poll);
            let incidents: Vec<&Incident> = self
                .state
                .incidents
                .values()
                .filter(|incident| incident.repository == name && incident.ending.is_none() && incident.landed.is_none())
                .collect();
            let matchers: Vec<_> = incidents
                .iter()
                .filter_map(|incident| self.policy_of(&incident.id))
                .filter_map(|policy| policy.paths.matcher().ok())
                .collect();
            let supported = self.supported(&name);
            let Some(conversation) = self.repositories[index].conversation.as_mut() else { continue };
            let is_due = conversation.looked_around.is_none_or(|looked| now.since(looked) >= poll) && !conversation.is_quiet(now);
            if matchers.is_empty() || !is_due {
                continue;
            }
            conversation.looked_around = Some(now);
            let touches = |path: &str| matchers.iter().any(|matcher| matcher.owns(path));
            let looked = conversation.look_at_theirs(&base, &touches, now).and_then(|()| {
                let states = supported.into_iter().map(|(key, number)| Ok((key, conversation.forge.get(Call::poll(now), number)?.state)));
                states.collect::<Answered<Vec<_>>>()
            });
            match looked {
                Ok(states) => {
                    for (key, _) in states.into_iter().filter(|(_, state)| *state == ProposalState::Closed) {
                        info!(proposal = %key, "somebody's own revert was closed without landing: vetoed");
                        self.record(now, vec![Event::ProposalClosed { proposal: key, how: ProposalClosing::Vetoed }])?;
                    }
                }
                Err(error) => self.note_forge_failure(&name, &error, now)?,
            }
        }
        Ok(())
    }

    /// The proposals that are not opened because somebody has a revert open, with the number of that.
    fn supported(&self, name: &crate::engine::id::RepositoryName) -> Vec<(ProposalKey, ProposalNumber)> {
        let proposals = self.state.proposals.values().filter(|proposal| proposal.repository.as_ref() == Some(name));
        proposals
            .filter(|proposal| proposal.closing.is_none() && proposal.landed.is_none())
            .filter_map(|proposal| Some((proposal.key.clone(), ProposalNumber(proposal.theirs?))))
            .collect()
    }

    /// Supports somebody's own revert with one comment, where nothing else stands against ours.
    pub(super) fn support(&mut self, incident: &Incident, situation: &Situation, record: &DecisionRecord, now: Timestamp) -> Result<()> {
        let only = matches!(record.refusals.as_slice(), [refusal] if refusal.code == RefusalCode::OpenRevert);
        let work = situation.open_work.iter().find(|work| work.kind == WorkKind::Revert);
        let (true, Some(work), Some(key)) = (only, work, &record.proposal) else { return Ok(()) };
        let known = self.state.proposals.get(key);
        if known.is_some_and(|known| known.theirs.is_some() || known.failed.as_ref().is_some_and(|failed| now < failed.retry_at()))
            || self.has_open_effect(key)
        {
            return Ok(());
        }
        let conversation = self.conversation(&incident.repository).filter(|conversation| !conversation.is_quiet(now));
        let Some(forge) = conversation.map(|conversation| conversation.forge.clone()) else { return Ok(()) };
        let intent = Intent {
            repository: incident.repository.clone(),
            proposal: key.clone(),
            incidents: vec![incident.id.clone()],
            action: EffectAction::Support,
            expected: None,
            new: None,
            plan: None,
            commit: None,
            account: None,
        };
        let effect =
            EffectId::new(&sha256_hex(format!("{}\n{now}", canonical_json(&intent).context("cannot name an effect")?).as_bytes())[..16]);
        self.record(now, vec![Event::Intended { effect: effect.clone(), intent }])?;
        let mark = render::reply::support_mark(key);
        let number = ProposalNumber(work.number);
        let written = with_mark(&*forge, number, &mark, now).and_then(|found| match found {
            Some(_) => Ok(()),
            None => forge.write_comment(Call::act(now), number, &render::reply::support(incident, &mark)).map(|_| ()),
        });
        match written {
            Ok(()) => {
                info!(proposal = %key, theirs = work.number, by = %work.by, "somebody's own revert is open; it is supported");
                let supported = Event::TheirsSupported { proposal: key.clone(), number: work.number, by: work.by.clone() };
                self.record(now, vec![Event::Done { effect }, supported])
            }
            Err(error) => {
                self.note_forge_failure(&incident.repository, &error, now)?;
                if error.may_have_acted() {
                    return Ok(());
                }
                self.refuse_effect(effect, Obstacle::Rejected, error.to_string(), now)
            }
        }
    }
}

impl Conversation {
    /// Reads the newest open proposals of other people; of each head once.
    fn look_at_theirs(&mut self, base: &BranchName, touches: &dyn Fn(&str) -> bool, now: Timestamp) -> Answered<()> {
        let call = Call::poll(now);
        let own = self.forge.identity(call)?.own.user.id;
        let open = self.forge.open_proposals(call)?;
        let theirs = open.into_iter().filter(|proposal| is_theirs(proposal, base));
        let mut known: BTreeMap<ProposalNumber, Theirs> = std::mem::take(&mut self.theirs);
        let mut next = BTreeMap::new();
        let mut result = Ok(());
        for proposal in theirs.take(NEWEST) {
            let Some(author) = proposal.author.clone().filter(|author| author.id != own) else { continue };
            let before = known.remove(&proposal.number);
            let seen = before.as_ref().map_or(now, |before| before.seen);
            let looked = match before.filter(|before| before.proposal.head == proposal.head && before.standing == Standing::Writes) {
                Some(before) => Ok(Theirs { proposal, ..before }),
                None => look_at(&*self.forge, call, proposal, touches, &author, seen),
            };
            match looked {
                Ok(theirs) => {
                    next.insert(theirs.proposal.number, theirs);
                }
                Err(error) => result = Err(error),
            }
        }
        self.theirs = next;
        result
    }

    /// What of it changes these paths. `suspects` are what a revert of it would name.
    pub(super) fn open_work(&self, landings: &[Landing], suspects: &[CommitId], paths: &[&str]) -> Vec<OpenWork> {
        let named: Vec<(CommitId, &str)> = landings
            .iter()
            .flat_map(|landing| &landing.changes)
            .filter(|change| suspects.contains(&change.id))
            .map(|change| (change.id, change.subject.as_str()))
            .collect();
        let writers = self.theirs.values().filter(|theirs| theirs.standing == Standing::Writes);
        writers
            .filter(|theirs| theirs.paths.paths.iter().any(|path| paths.contains(&path.as_str())))
            .map(|theirs| {
                let same = theirs.paths.listing == Listing::Whole
                    && theirs.paths.paths.len() == paths.len()
                    && theirs.paths.paths.iter().all(|path| paths.contains(&path.as_str()));
                let says = named.iter().any(|(id, subject)| says_revert(&theirs.proposal.title, &theirs.proposal.body, *id, subject));
                OpenWork {
                    number: theirs.proposal.number.0,
                    url: theirs.proposal.url.clone(),
                    by: theirs.by.clone(),
                    kind: if same && says { WorkKind::Revert } else { WorkKind::SamePaths },
                    seen: theirs.seen,
                }
            })
            .collect()
    }
}

/// Whether a proposal for the watched branch comes from a branch that is not revertd's, whoever opened it.
pub(super) fn is_theirs(proposal: &ForgeProposal, base: &BranchName) -> bool {
    proposal.base == *base && !proposal.head_branch.as_str().starts_with("revertd/")
}

fn look_at(
    forge: &dyn Forge,
    call: Call,
    proposal: ForgeProposal,
    touches: &dyn Fn(&str) -> bool,
    author: &crate::forge::User,
    seen: Timestamp,
) -> Answered<Theirs> {
    let paths = forge.changed_paths(call, proposal.number)?;
    // Nothing is asked about the authors of what does not concern the breach.
    let writes = paths.paths.iter().any(|path| touches(path)) && {
        let permission = forge.permission(call, &author.login)?;
        permission.user == author.id && matches!(permission.role, Role::Admin | Role::Maintain | Role::Write)
    };
    let standing = if writes { Standing::Writes } else { Standing::DoesNot };
    Ok(Theirs { proposal, by: author.login.clone(), paths, standing, seen })
}

/// Whether a proposal says that it reverts a commit: as Git words it, or as the forge's own button does (`Revert "…"`, `Reverts owner/name#7`).
fn says_revert(title: &str, body: &str, commit: CommitId, subject: &str) -> bool {
    let (plain, number) = match subject.rsplit_once(" (#").and_then(|(plain, rest)| Some((plain, rest.strip_suffix(')')?))) {
        Some((plain, number)) => (plain, Some(number)),
        None => (subject, subject.strip_prefix("Merge pull request #").and_then(|rest| rest.split(' ').next())),
    };
    let quoted = title.strip_prefix("Revert \"").and_then(|rest| rest.strip_suffix('"'));
    let by_number = number.is_some_and(|number| {
        body.lines().filter_map(|line| line.trim().strip_prefix("Reverts ")).any(|what| what.ends_with(&format!("#{number}")))
    });
    body.contains(&format!("This reverts commit {commit}"))
        || quoted.is_some_and(|quoted| quoted == subject || quoted == plain)
        || by_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revert_is_known_by_what_git_and_the_forge_write() {
        let commit = CommitId([0xaa; 20]);
        let says = |title: &str, body: &str, subject: &str| says_revert(title, body, commit, subject);
        assert!(says("Back", &format!("This reverts commit {commit}."), "checkout: 1.5.0"));
        assert!(says("Revert \"checkout: 1.5.0\"", "", "checkout: 1.5.0"));
        assert!(says("Revert \"checkout: 1.5.0\"", "", "checkout: 1.5.0 (#12)"));
        assert!(says("Undo", "Reverts shop/manifests#12", "Merge pull request #12 from shop/checkout"));
        assert!(!says("Revert \"checkout: 1.4.0\"", "Reverts shop/manifests#112", "checkout: 1.5.0 (#12)"));
        assert!(!says("checkout: 1.5.1", "", "checkout: 1.5.0"));
    }
}
