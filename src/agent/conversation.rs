//! What people say on the forge's proposals: comments and reviews are read, judged by `engine::consent` with what the forge says now, and
//! answered once each.
//!
//! The forge is asked once per poll whether there is anything new. Rights, edits and reviews are asked for only where something was said that
//! could count, and once more right before a merge: an approval is never remembered, it is found again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Result;
use tracing::{info, warn};

use super::Reconciler;
use crate::engine::approval::{Approval, ApprovalSource};
use crate::engine::command::Command;
use crate::engine::consent::{self, Consent, ConsentRules, FourEyes, Judged, Said, SaidId, Verdict, evaluate, needs_lookup};
use crate::engine::fact::{CommandAnswer, Event, ProposalClosing};
use crate::engine::id::{ProposalKey, RepositoryName};
use crate::engine::incident::{Incident, Proposal};
use crate::engine::situation::Signing;
use crate::engine::time::Timestamp;
use crate::forge::{
    Answered, Call, Comment, CommentCursor, CommentId, Forge, ForgeError, ForgeProposal, ProposalNumber, ProposalState, Reaction,
};
use crate::render;
use crate::render::neutral::Markdown;

use super::hearing::{Hearing, Questions, said_in_comment, said_in_review};
use super::impairment::Part;
use super::issue_stop::IssueWatch;
use super::open_work::Theirs;

/// The most replies to refused commands on one proposal in an hour (catalogue of failures A11).
const REPLIES_PER_HOUR: usize = 10;
/// A forge that fails is left alone for this long.
const QUIET_AFTER_FAILURE: std::time::Duration = std::time::Duration::from_secs(10);
/// Comments from this long before a proposal was opened are read: the forge's clock may be behind.
const CLOCKS_APART: std::time::Duration = std::time::Duration::from_secs(300);

/// A forge with what was heard on it so far.
pub(super) struct Conversation {
    /// The forge.
    pub(super) forge: Arc<dyn Forge>,
    /// Whether it has said which repository it is.
    pub(super) identified: bool,
    cursor: Option<CommentCursor>,
    /// Comments on our proposals, as last read.
    pub(super) heard: BTreeMap<CommentId, Comment>,
    /// When the next look is due.
    due: Timestamp,
    /// After a failure nothing is asked before then, except for a merge that waits.
    quiet_until: Timestamp,
    /// What everything that was said on a proposal came to, and when that was found.
    consents: BTreeMap<ProposalKey, Found>,
    /// What people have open beside us, as last seen.
    pub(super) theirs: BTreeMap<ProposalNumber, Theirs>,
    /// When that was last looked at.
    pub(super) looked_around: Option<Timestamp>,
    /// When the branch's rules were last asked for.
    pub(super) asked_rules: Option<Timestamp>,
    /// Who signs what is proposed, by the branch's rules, and when they were asked for that.
    pub(super) signing: Option<(Timestamp, Signing)>,
    /// What its issues say about stopping.
    pub(super) issues: Option<IssueWatch>,
}

/// What everything that was said on a proposal came to.
#[derive(Clone)]
struct Found {
    at: Timestamp,
    approval: Option<Approval>,
}

impl Conversation {
    pub(super) fn new(forge: Arc<dyn Forge>, now: Timestamp) -> Self {
        Self {
            forge,
            identified: false,
            cursor: None,
            heard: BTreeMap::new(),
            due: now,
            quiet_until: now,
            consents: BTreeMap::new(),
            theirs: BTreeMap::new(),
            looked_around: None,
            asked_rules: None,
            signing: None,
            issues: None,
        }
    }

    /// Whether the forge has failed a moment ago.
    pub(super) fn is_quiet(&self, now: Timestamp) -> bool {
        now < self.quiet_until
    }

    /// When everything that was said on a proposal was last found out.
    pub(super) fn heard_at(&self, key: &ProposalKey) -> Option<Timestamp> {
        self.consents.get(key).map(|found| found.at)
    }

    /// The approval that was found at the last look.
    pub(super) fn approval(&self, key: &ProposalKey) -> Option<Approval> {
        self.consents.get(key).and_then(|found| found.approval.clone())
    }
}

impl Reconciler {
    /// Looks at every forge that is due. A forge that does not answer is noted and asked again; nothing is known until then.
    pub(super) fn listen(&mut self, now: Timestamp) -> Result<()> {
        for index in 0..self.repositories.len() {
            let repository = &mut self.repositories[index];
            let poll = repository.config.poll;
            let Some(conversation) =
                repository.conversation.as_mut().filter(|conversation| conversation.due <= now && conversation.quiet_until <= now)
            else {
                continue;
            };
            conversation.due = now + poll;
            let name = repository.config.name.clone();
            let open = self.published(&name);
            let landed = self.landed_lately(&name, now);
            if open.is_empty() && landed.is_empty() {
                continue;
            }
            if let Err(error) = self.read_comments(index, &[open.as_slice(), &landed].concat(), now) {
                self.note_forge_failure(&name, &error, now)?;
                continue;
            }
            self.note_answer(&name, Part::Forge);
            for proposal in open {
                self.hear(&name, &proposal.key, Call::poll(now))?;
            }
            for proposal in landed {
                self.hear_landed(&name, &proposal, Call::poll(now))?;
            }
        }
        Ok(())
    }

    /// The open proposals of a repository that its forge knows.
    pub(super) fn published(&self, name: &RepositoryName) -> Vec<Proposal> {
        self.state
            .proposals
            .values()
            .filter(|proposal| proposal.repository.as_ref() == Some(name) && proposal.published.is_some())
            .filter(|proposal| proposal.closing.is_none() && proposal.landed.is_none())
            .cloned()
            .collect()
    }

    pub(super) fn read_comments(&mut self, index: usize, open: &[Proposal], now: Timestamp) -> Answered<()> {
        let Some(conversation) = self.repositories[index].conversation.as_mut() else { return Ok(()) };
        let first = open.iter().map(|proposal| proposal.opened_at).min().unwrap_or(now);
        let cursor = conversation.cursor.take().unwrap_or_else(|| CommentCursor::starting_after(first - CLOCKS_APART));
        let numbers: BTreeSet<u64> = open.iter().filter_map(|proposal| Some(proposal.published.as_ref()?.number)).collect();
        let (comments, next) = match conversation.forge.comments(Call::poll(now), &cursor) {
            Ok(read) => read,
            Err(error) => {
                conversation.cursor = Some(cursor);
                return Err(error);
            }
        };
        conversation.cursor = Some(next);
        conversation.heard.retain(|_, comment| numbers.contains(&comment.on.0));
        for comment in comments.into_iter().filter(|comment| numbers.contains(&comment.on.0)) {
            conversation.heard.insert(comment.id, comment);
        }
        Ok(())
    }

    /// Judges everything that was said on a proposal and answers what is new. Gives whether the forge answered.
    pub(super) fn hear(&mut self, name: &RepositoryName, key: &ProposalKey, call: Call) -> Result<()> {
        let Some(proposal) = self.state.proposals.get(key).cloned() else { return Ok(()) };
        let hearing = match self.gather(name, &proposal, call) {
            Ok(Some(hearing)) => hearing,
            Ok(None) => return Ok(()),
            Err(error) => {
                // What was found before may not hold any more.
                self.forget_approval(name, key);
                self.note_forge_failure(name, &error, call.now)?;
                return Ok(());
            }
        };
        if self.follow_on_forge(&proposal, &hearing.shown, call.now)? {
            return Ok(());
        }
        let (judged, holds, approval) = self.judge(&proposal, &hearing, call.now);
        if let Some(conversation) = self.conversation_mut(name) {
            conversation.consents.insert(key.clone(), Found { at: call.now, approval });
        }
        if holds != proposal.holds {
            self.record(call.now, vec![Event::HoldsChanged { proposal: key.clone(), holds }])?;
        }
        for (said, judged) in hearing.said.iter().zip(judged) {
            self.answer(name, &proposal, said, &judged, call)?;
        }
        Ok(())
    }

    /// Whether people have ended the proposal on the forge. What landed is seen in Git.
    fn follow_on_forge(&mut self, proposal: &Proposal, shown: &ForgeProposal, now: Timestamp) -> Result<bool> {
        if shown.state != ProposalState::Closed {
            return Ok(shown.state != ProposalState::Open);
        }
        let by = shown.closed_by.as_ref().map_or_else(|| "somebody".to_owned(), |user| user.login.clone());
        info!(proposal = %proposal.key, %by, "the proposal was closed: vetoed");
        self.record(now, vec![Event::ProposalClosed { proposal: proposal.key.clone(), how: ProposalClosing::Vetoed }])?;
        Ok(true)
    }

    /// What the forge says of a proposal and of everything that was said on it, now.
    pub(super) fn gather(&self, name: &RepositoryName, proposal: &Proposal, call: Call) -> Answered<Option<Hearing>> {
        let Some(conversation) = self.conversation(name) else { return Ok(None) };
        let (Some(published), Some(plan)) = (&proposal.published, proposal.plan_digest()) else { return Ok(None) };
        let number = ProposalNumber(published.number);
        let forge = &*conversation.forge;
        let identity = forge.identity(call)?;
        let shown = forge.get(call, number)?;
        let hour_ago = call.now - std::time::Duration::from_secs(3600);
        let replies = proposal.replies.iter().filter(|at| **at > hour_ago).count();
        let mut hearing = Hearing::new(&identity, shown, proposal, plan, REPLIES_PER_HOUR.saturating_sub(replies));
        let rules = self.consent_rules(name, proposal);
        let look = Questions {
            teams: rules.iter().flat_map(ConsentRules::teams).collect(),
            owners: rules.iter().any(ConsentRules::asks_owners).then(|| self.path_owners(name, proposal)),
        };
        for comment in conversation.heard.values().filter(|comment| comment.on == number) {
            if let Some(said) = said_in_comment(forge, call, &hearing.now, comment, &look) {
                hearing.said.push(said);
            }
        }
        for review in forge.reviews(call, number)? {
            if let Some(said) = said_in_review(forge, call, &hearing.now, &review, &look) {
                hearing.said.push(said);
            }
        }
        let counts = hearing.said.iter().any(|said| needs_lookup(&hearing.now, said));
        // `force` never comes from an author, whatever the rule for approvals is.
        if counts && rules.iter().any(|rules| rules.four_eyes != FourEyes::NotNeeded || !rules.force.is_empty()) {
            hearing.now.change_authors = self.change_authors(name, proposal, forge, call);
        }
        hearing.rules = rules;
        Ok(Some(hearing))
    }

    /// The rules of every policy that the proposal is for, as its incident opened with it and as it is now; all of them must be met.
    fn consent_rules(&self, name: &RepositoryName, proposal: &Proposal) -> Vec<ConsentRules> {
        let mut rules: Vec<ConsentRules> = Vec::new();
        for policy in proposal.incidents.iter().filter_map(|incident| self.policy_of(incident)) {
            let current = self.policies.iter().find(|current| current.name == policy.name).map(|current| current.approval.clone());
            // What silence does is no matter of who approves.
            let current = current.map(|rules| ConsentRules { if_silent: policy.approval.if_silent, ..rules });
            for one in std::iter::once(policy.approval).chain(current) {
                if !rules.contains(&one) {
                    rules.push(one);
                }
            }
        }
        self.rules_for_grade(name, proposal, rules)
    }

    /// One verdict for each thing that was said, the holds that stand, and the approval where every policy's rules are met.
    pub(super) fn judge(
        &self,
        proposal: &Proposal,
        hearing: &Hearing,
        now: Timestamp,
    ) -> (Vec<Judged>, Vec<consent::Hold>, Option<Approval>) {
        let consents: Vec<Consent> = hearing.rules.iter().map(|rules| evaluate(rules, &hearing.now, &hearing.said, now)).collect();
        let Some(first) = consents.first() else { return (Vec::new(), proposal.holds.clone(), None) };
        let judged = (0..first.judged.len())
            .map(|position| {
                let verdicts = consents.iter().filter_map(|consent| consent.judged.get(position));
                // One policy's refusal is everybody's.
                let refused = verdicts.clone().find(|judged| matches!(judged.verdict, Verdict::Refused(_)));
                refused.unwrap_or(&first.judged[position]).clone()
            })
            .collect();
        let holds = consents.iter().map(|consent| &consent.holds).max_by_key(|holds| holds.len()).cloned().unwrap_or_default();
        let approved: Option<Vec<_>> = consents.iter().map(|consent| consent.approved.as_ref()).collect();
        let approval = approved.and_then(|approved| {
            let expires = approved.iter().map(|approved| approved.expires).min()?;
            let mut by: Vec<&consent::Approver> = approved.iter().flat_map(|approved| &approved.by).collect();
            by.sort_by_key(|approver| (approver.at, approver.user));
            by.dedup_by_key(|approver| approver.user);
            Some(Approval {
                incident: proposal.incidents.first()?.clone(),
                proposal: proposal.key.clone(),
                plan: approved.first()?.plan.clone(),
                by: by.iter().map(|approver| approver.login.as_str()).collect::<Vec<_>>().join(" and "),
                source: ApprovalSource::Forge { said: by.iter().map(|approver| approver.said).collect() },
                // The forge's clock may be ahead of ours by a little.
                at: by.iter().map(|approver| approver.at).max()?.min(now),
                expires,
                force: approved.iter().find_map(|approved| approved.force.clone()),
            })
        });
        (judged, holds, approval)
    }

    /// Does what an accepted command asks for, and says what became of it, once.
    pub(super) fn answer(&mut self, name: &RepositoryName, proposal: &Proposal, said: &Said, judged: &Judged, call: Call) -> Result<()> {
        let call = Call::act(call.now);
        if proposal.answered.contains_key(&said.id) || judged.verdict == Verdict::Ignored {
            return Ok(());
        }
        let command = match (&judged.command, said.id) {
            (Some(command), _) => command.verb(),
            (None, SaidId::Review(_)) => "review",
            (None, SaidId::Comment(_)) => "unreadable",
        };
        let (answer, reply) = match (&judged.verdict, &judged.command) {
            (Verdict::Refused(refusal), _) => {
                (CommandAnswer::Refused { sentence: refusal.to_string() }, Some(render::reply::refused(&refusal.to_string())))
            }
            (_, Some(Command::Explain)) => (CommandAnswer::Accepted, Some(render::reply::explanation(&self.stories(proposal)))),
            (_, Some(Command::Status)) => (CommandAnswer::Accepted, Some(render::reply::standing(&self.stories(proposal)))),
            (_, Some(Command::Help)) => (CommandAnswer::Accepted, Some(render::reply::help())),
            (_, Some(Command::Reland { .. })) if proposal.brings_back() => {
                let sentence = "The change is back already, and nothing holds it up.";
                (CommandAnswer::Refused { sentence: sentence.to_owned() }, Some(render::reply::refused(sentence)))
            }
            (_, Some(Command::Reland { .. })) => (CommandAnswer::Accepted, Some(self.answer_to_reland(proposal))),
            (_, Some(command @ (Command::Retry | Command::Snooze(_)))) => {
                let sentence = format!("`/revertd {}` is not built yet.", command.verb());
                (CommandAnswer::Refused { sentence: sentence.clone() }, Some(render::reply::refused(&sentence)))
            }
            _ => (CommandAnswer::Accepted, None),
        };
        info!(proposal = %proposal.key, by = %said.author.login, %command, ?answer, "a command was judged");
        if answer == CommandAnswer::Accepted && judged.command == Some(Command::Cancel) {
            self.record(call.now, vec![Event::ProposalClosed { proposal: proposal.key.clone(), how: ProposalClosing::Vetoed }])?;
        }
        if let (CommandAnswer::Accepted, Some(Command::Reland { reason })) = (&answer, &judged.command) {
            self.note_reland(proposal, &said.author.login, reason, call.now)?;
        }
        let refused = matches!(answer, CommandAnswer::Refused { .. });
        if let Some(conversation) = self.conversation(name) {
            // The answer is a courtesy: it is tried once, and the record below keeps it from being written twice.
            if let Err(error) = reply_to(conversation, proposal, said, refused, reply.as_ref(), call) {
                warn!(proposal = %proposal.key, "a command could not be answered: {error}");
                if error.may_have_acted() {
                    // It is written down all the same: one answer too few is better than two.
                } else {
                    return Ok(());
                }
            }
        }
        let event = Event::CommandAnswered {
            proposal: proposal.key.clone(),
            said: said.id,
            by: said.author.login.clone(),
            command: command.to_owned(),
            answer,
        };
        self.record(call.now, vec![event])
    }

    /// Right before a merge: whether the approval that it was decided with still stands, asked of the forge anew.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(super) fn still_approved(&mut self, incident: &Incident, approval: &Approval, now: Timestamp) -> Result<bool> {
        if approval.source == ApprovalSource::CommandLine {
            return Ok(true);
        }
        let (name, key) = (incident.repository.clone(), approval.proposal.clone());
        let fresh = |reconciler: &Self| {
            reconciler.conversation(&name).and_then(|known| known.consents.get(&key)).is_some_and(|found| found.at >= now)
        };
        if !fresh(self) {
            self.hear(&name, &key, Call::act(now))?;
        }
        let stands =
            fresh(self) && self.conversation(&name).and_then(|known| known.approval(&key)).is_some_and(|found| found.plan == approval.plan);
        if !stands {
            info!(proposal = %key, "the approval does not stand any more; it is decided again");
        }
        Ok(stands && self.state.proposals.get(&key).is_some_and(|proposal| proposal.holds.is_empty() && proposal.closing.is_none()))
    }

    fn forget_approval(&mut self, name: &RepositoryName, key: &ProposalKey) {
        if let Some(conversation) = self.conversation_mut(name) {
            conversation.consents.remove(key);
        }
    }

    pub(super) fn conversation(&self, name: &RepositoryName) -> Option<&Conversation> {
        self.repository(name).and_then(|repository| repository.conversation.as_ref())
    }

    pub(super) fn conversation_mut(&mut self, name: &RepositoryName) -> Option<&mut Conversation> {
        self.repositories.iter_mut().find(|repository| repository.config.name == *name)?.conversation.as_mut()
    }
}

/// A reaction, and one sentence where there is something to say.
fn reply_to(
    conversation: &Conversation,
    proposal: &Proposal,
    said: &Said,
    refused: bool,
    reply: Option<&Markdown>,
    call: Call,
) -> Answered<()> {
    let forge = &*conversation.forge;
    if let SaidId::Comment(comment) = said.id {
        forge.react(call, CommentId(comment), if refused { Reaction::Confused } else { Reaction::ThumbsUp })?;
    }
    let (Some(reply), Some(published)) = (reply, &proposal.published) else { return Ok(()) };
    let number = ProposalNumber(published.number);
    let mark = render::reply::mark(said.id);
    // A crash between the reply and its record must not make a second one.
    if forge.own_comments(call, number)?.iter().any(|comment| comment.body.contains(&mark)) {
        return Ok(());
    }
    forge.write_comment(call, number, &render::reply::body(&said.author.login, reply, &mark))?;
    Ok(())
}

/// Says in the log why a forge could not be asked.
pub(super) fn sentence(error: &ForgeError) -> String {
    error.to_string()
}

impl Reconciler {
    pub(super) fn note_forge_failure(&mut self, name: &RepositoryName, error: &ForgeError, now: Timestamp) -> Result<()> {
        let sentence = sentence(error);
        match error {
            // It answered; it is this request that it did not like.
            ForgeError::NotFound { .. } | ForgeError::Conflict { .. } | ForgeError::Invalid { .. } => self.note_answer(name, Part::Forge),
            _ => self.note_silence(name, Part::Forge, &sentence, self.clock.now()),
        }
        let until = match error {
            ForgeError::RateLimited { until } => *until,
            _ => now + QUIET_AFTER_FAILURE,
        };
        if let Some(conversation) = self.conversation_mut(name) {
            conversation.quiet_until = until;
        }
        if self.status.forge_failed(name, &sentence) == crate::web::Change::New {
            warn!(repository = %name, "cannot ask the forge: {sentence}");
        }
        self.stop_if_replaced(name, error, now)
    }
}
