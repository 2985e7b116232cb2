//! What keeps the agent from its work: repositories that stand still, remotes and forges that do not answer, controls that fail, and
//! passes that do not succeed.
//!
//! How long something has failed is known to this process alone; that people were told of it is in the journal. When it is the journal
//! that fails, they are told without it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::courier::Job;
use super::{Reconciler, control_series};
use crate::engine::fact::Event;
use crate::engine::id::{NotifierName, RepositoryName};
use crate::engine::message::{Message, MessageEvent};
use crate::engine::round::Outcome;
use crate::engine::telling::{IMPAIRED_AFTER, Impairment};
use crate::engine::time::{Timestamp, spoken};
use crate::forge::Call;
use crate::notify::outbox::Attempt;
use crate::render::chat::{self, ChatText};

/// How the keys of messages about passes begin.
const ABOUT_PASSES: &str = "agent/passes/";
/// How often people are told again that no pass succeeds, where that could not be delivered.
const TRIED_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_secs(30);

/// What is asked of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Its references, by Git.
    Remote,
    /// Its proposals, by the forge.
    Forge,
}

/// Something that fails, from the first failure to the newest.
#[derive(Clone, Debug)]
struct Failing {
    since: Timestamp,
    last: Timestamp,
    sentence: String,
}

/// What fails at this moment.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    repositories: BTreeMap<(RepositoryName, Part), Failing>,
    /// What has answered in this process and has not failed since.
    answered: BTreeSet<(RepositoryName, Part)>,
    passes: Option<Failing>,
    /// Who was given the message about the passes, and who has not taken it.
    alarmed: BTreeSet<NotifierName>,
    alarm_due: Option<Timestamp>,
}

impl Failing {
    fn long(&self) -> bool {
        self.last.since(self.since) >= IMPAIRED_AFTER
    }
}

impl Reconciler {
    /// A repository or its forge did not answer.
    pub(super) fn note_silence(&mut self, name: &RepositoryName, part: Part, sentence: &str, now: Timestamp) {
        let place = (name.clone(), part);
        self.trouble.answered.remove(&place);
        let failing = self.trouble.repositories.entry(place);
        let failing = failing.or_insert_with(|| Failing { since: now, last: now, sentence: String::new() });
        (failing.last, failing.sentence) = (now, sentence.to_owned());
    }

    /// It did.
    pub(super) fn note_answer(&mut self, name: &RepositoryName, part: Part) {
        let place = (name.clone(), part);
        self.trouble.repositories.remove(&place);
        self.trouble.answered.insert(place);
    }

    /// Asks forges that people believe silent, where nothing else asks them.
    pub(super) fn ask_silent_forges(&mut self, now: Timestamp) -> Result<()> {
        let silent = self.repositories.iter().filter(|repository| {
            let name = repository.config.name.clone();
            let answered = self.trouble.answered.contains(&(name.clone(), Part::Forge));
            !answered && self.state.notifications.impaired(&Impairment::ForgeSilent { repository: name }).is_some()
        });
        let asked: Vec<_> = silent
            .filter_map(|repository| {
                let conversation = repository.conversation.as_ref().filter(|known| !known.is_quiet(now))?;
                Some((repository.config.name.clone(), conversation.forge.branch_head(Call::poll(now), &repository.config.branch)))
            })
            .collect();
        for (name, answer) in asked {
            match answer {
                Ok(_) => self.note_answer(&name, Part::Forge),
                Err(error) => self.note_forge_failure(&name, &error, now)?,
            }
        }
        Ok(())
    }

    /// Everything that has kept the agent from its work for long, each with a sentence.
    pub(super) fn impairments(&self, now: Timestamp) -> BTreeMap<Impairment, String> {
        let mut found = BTreeMap::new();
        for repository in &self.repositories {
            let (name, branch) = (&repository.config.name, &repository.config.branch);
            if let Some(stop) = self.state.stops.get(name) {
                found.insert(Impairment::Stopped { repository: name.clone() }, stop.sentence(name, branch));
            }
            let silent = |part, what: &str| {
                let failing = self.trouble.repositories.get(&(name.clone(), part)).filter(|failing| failing.long())?;
                Some(format!("{what} `{name}` has not answered since {}: {}", failing.since, failing.sentence))
            };
            // Where both fail, the one without which nothing can be pushed is said.
            if let Some(sentence) = silent(Part::Remote, "the remote of") {
                found.insert(Impairment::Unreachable { repository: name.clone() }, sentence);
            } else if let Some(sentence) = silent(Part::Forge, "the forge of") {
                found.insert(Impairment::ForgeSilent { repository: name.clone() }, sentence);
            }
        }
        if let Some(sentence) = self.failing_controls(now) {
            found.insert(Impairment::Controls, sentence);
        }
        found
    }

    /// Whether something that was told of still holds. A silence ends with an answer to this process, however long nobody asked.
    pub(super) fn stands(&self, what: &Impairment, standing: &BTreeMap<Impairment, String>) -> bool {
        let silent =
            |name: &RepositoryName, part| self.repository(name).is_some() && !self.trouble.answered.contains(&(name.clone(), part));
        standing.contains_key(what)
            || match what {
                Impairment::Unreachable { repository } => silent(repository, Part::Remote),
                Impairment::ForgeSilent { repository } => silent(repository, Part::Forge),
                // Those are followed by `switches`.
                Impairment::Switched { .. } => true,
                Impairment::Stopped { .. } | Impairment::Controls | Impairment::Passes => false,
            }
    }

    fn failing_controls(&self, now: Timestamp) -> Option<String> {
        let failing = |name: &str| {
            let rounds = self.rounds.since(&control_series(name), now - IMPAIRED_AFTER * 2);
            let run = rounds.iter().rev().take_while(|round| !matches!(round.outcome, Outcome::Good(_))).last()?;
            let newest = rounds.last()?;
            (newest.end.since(run.start) >= IMPAIRED_AFTER).then(|| format!("{name} ({})", newest.outcome.words()))
        };
        let names: Vec<String> = self.config.controls.iter().filter_map(|control| failing(&control.name)).collect();
        (!names.is_empty()).then(|| {
            format!(
                "the controls have not answered as they should for {}, so nothing is reverted: {}",
                spoken(IMPAIRED_AFTER),
                names.join(", ")
            )
        })
    }

    /// A pass did not succeed. When none does for long, people are told past the journal, which may be what fails.
    pub(super) fn note_failed_pass(&mut self, sentence: String, now: Timestamp) {
        self.collect_unrecorded();
        let failing = self.trouble.passes.get_or_insert_with(|| Failing { since: now, last: now, sentence: String::new() });
        (failing.last, failing.sentence) = (now, sentence);
        let failing = failing.clone();
        if !failing.long() || self.trouble.alarm_due.is_some_and(|due| now < due) {
            return;
        }
        self.trouble.alarm_due = Some(now + TRIED_AGAIN_AFTER);
        let why = format!("no pass has succeeded since {}, and nothing is reverted until one does: {}", failing.since, failing.sentence);
        for (message, notifiers) in self.about_passes(failing.since, MessageEvent::AgentImpaired, &chat::agent_impaired(&why)) {
            for notifier in notifiers.iter().filter(|notifier| !self.trouble.alarmed.contains(notifier)) {
                // It may have arrived: the record that would say so cannot be written.
                let job = Job { message: message.clone(), thread: None, attempt: Attempt::Again, now };
                self.teller.courier.hand_over(notifier, job);
            }
        }
    }

    /// A pass succeeded: who was told that none does is told that they do.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(super) fn note_good_pass(&mut self, now: Timestamp) -> Result<()> {
        let Some(failing) = self.trouble.passes.take() else { return Ok(()) };
        self.trouble.alarm_due = None;
        let alarmed = std::mem::take(&mut self.trouble.alarmed);
        let text = chat::agent_restored("no pass succeeded, and now they do");
        let events = self.about_passes(failing.since, MessageEvent::Recovered, &text).into_iter().filter_map(|(message, notifiers)| {
            let notifiers: Vec<NotifierName> = notifiers.into_iter().filter(|notifier| alarmed.contains(notifier)).collect();
            (!notifiers.is_empty()).then_some(Event::NotificationQueued { message, notifiers })
        });
        self.record(now, events.collect())
    }

    /// A message that was written down nowhere arrived.
    pub(super) fn note_alarmed(&mut self, notifier: NotifierName, key: &str) {
        if key.starts_with(ABOUT_PASSES) && self.trouble.passes.is_some() {
            self.trouble.alarmed.insert(notifier);
        }
    }

    /// A message about the passes, for each channel that it goes to.
    fn about_passes(&self, since: Timestamp, event: MessageEvent, text: &ChatText) -> Vec<(Message, Vec<NotifierName>)> {
        let what = if event == MessageEvent::Recovered { "restored" } else { "impaired" };
        let thread = format!("{ABOUT_PASSES}{}", since.millis());
        let audience = self.audience(&self.policies_of(&Impairment::Passes), None).into_iter();
        audience
            .map(|((address, labels), (notifiers, _))| {
                let message = Message {
                    key: format!("{thread}/{what}{address}"),
                    thread: format!("{thread}{address}"),
                    event,
                    service: None,
                    labels,
                    title: text.title.clone(),
                    lines: text.lines.clone(),
                    link: None,
                    command: None,
                };
                (message, notifiers)
            })
            .collect()
    }
}
