//! Tells people what happened: finds the news, writes the messages down, hands them to the couriers and collects how they ended.
//!
//! The pass does this last and waits for no chat. What is told is decided by `engine::telling`, when it is sent by `notify::outbox`, what it
//! says by `render::chat`; this file only brings them together, and gives each message to the notifiers of its policies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use tracing::{info, warn};

use super::Reconciler;
use super::courier::{Courier, Job, Returned};
use crate::engine::fact::Event;
use crate::engine::id::{NotifierName, PolicyName, ProposalKey, RepositoryName};
use crate::engine::incident::Proposal;
use crate::engine::message::{Link, Message};
use crate::engine::policy::Policy;
use crate::engine::telling::{Impairment, Matter, News, Setting, news};
use crate::engine::time::Timestamp;
use crate::notify::outbox::{self, Attempt, Failure, Pending};
use crate::notify::{Delivered, NotifyError, Thread};
use crate::render::chat::{self, ChatText, Ready};
use crate::web::Delivery;

/// The couriers, and what is known of attempts that need not outlive the process.
pub(super) struct Teller {
    pub(super) courier: Courier,
    attempts: BTreeMap<(NotifierName, String), Progress>,
    /// Deliveries that ended while nothing could be written down.
    unrecorded: Vec<Returned>,
}

/// How the attempts at one message to one notifier went, in this process.
#[derive(Clone, Debug)]
struct Progress {
    attempts: u32,
    tried_at: Timestamp,
    failure: Option<Failure>,
}

/// Messages to the same channel: what a channel's labels come to, and for whom.
type Audience = BTreeMap<(String, BTreeMap<String, String>), (Vec<NotifierName>, Option<PolicyName>)>;

impl Teller {
    pub(super) fn new(courier: Courier) -> Self {
        Self { courier, attempts: BTreeMap::new(), unrecorded: Vec::new() }
    }
}

impl Reconciler {
    /// The last step of a pass: what was delivered is written down, what is new is queued, and what is due is handed over.
    pub(super) fn tell(&mut self, now: Timestamp) -> Result<()> {
        while let Some(returned) = self.teller.unrecorded.pop().or_else(|| self.teller.courier.collect()) {
            self.note_delivery(returned, now)?;
        }
        let notifies = !self.config.notifiers.is_empty();
        if notifies {
            self.note_notifiers(now)?;
        }
        self.note_switches(now)?;
        if notifies {
            self.ask_silent_forges(now)?;
            self.note_impairments(now)?;
            self.queue_news(now)?;
        }
        self.hand_over(now)
    }

    /// Waits for the deliveries that are underway, for at most as long as `patience`, and writes down how they ended. What has not
    /// ended by then counts as something that may have arrived.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn await_deliveries(&mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while let Some(returned) = self.teller.courier.wait(deadline) {
            self.note_delivery(returned, self.clock.now())?;
        }
        Ok(())
    }

    /// What happened before a notifier was there is not told to it.
    fn note_notifiers(&mut self, now: Timestamp) -> Result<()> {
        let known = &self.state.notifications;
        let new: Vec<Event> = self
            .config
            .notifiers
            .iter()
            .filter(|notifier| known.known_since(&notifier.name).is_none())
            .map(|notifier| Event::NotifierAdded { notifier: notifier.name.clone() })
            .collect();
        self.record(now, new)
    }

    fn note_impairments(&mut self, now: Timestamp) -> Result<()> {
        let standing = self.impairments(now);
        let known = &self.state.notifications;
        let new = standing.iter().filter(|(what, _)| known.impaired(what).is_none());
        let mut events: Vec<Event> =
            new.map(|(what, sentence)| Event::Impaired { what: what.clone(), sentence: sentence.clone() }).collect();
        let over = known.impairments().filter(|(what, impaired)| impaired.restored.is_none() && !self.stands(what, &standing));
        events.extend(over.map(|(what, _)| Event::Restored { what: what.clone() }));
        for event in &events {
            match event {
                Event::Impaired { what, sentence } => warn!(what = what.label(), "the agent is impaired: {sentence}"),
                Event::Restored { what } => info!(what = what.label(), "the agent is not impaired any more"),
                _ => {}
            }
        }
        self.record(now, events)
    }

    /// Queues what was not yet, each message once for every channel that it goes to.
    fn queue_news(&mut self, now: Timestamp) -> Result<()> {
        let forges: BTreeSet<RepositoryName> = self
            .repositories
            .iter()
            .filter(|repository| repository.conversation.is_some())
            .map(|repository| repository.config.name.clone())
            .collect();
        for item in news(&self.state, Setting { now, forges: &forges }) {
            let audience = self.audience(&self.concerned(&item.matter), Some(item.at));
            if audience.is_empty() {
                continue;
            }
            let Some((text, link)) = self.text_about(&item.matter) else { continue };
            let events = audience.into_iter().map(|((address, labels), (notifiers, service))| Event::NotificationQueued {
                message: message(&item, &text, link.clone(), &address, labels, service.filter(|_| !item.matter.is_about_agent())),
                notifiers,
            });
            info!(key = %item.key, "to be told: {}", text.title);
            self.record(now, events.collect())?;
        }
        Ok(())
    }

    /// The policies whose notifiers are told, as they stand in the files now.
    fn concerned(&self, matter: &Matter) -> Vec<&Policy> {
        let of = |incidents: &[crate::engine::id::IncidentId]| {
            let names: Vec<&PolicyName> =
                incidents.iter().filter_map(|id| self.state.incidents.get(id)).map(|incident| &incident.policy).collect();
            self.policies.iter().filter(|policy| names.contains(&&policy.name)).collect()
        };
        match matter {
            Matter::Proposed(key)
            | Matter::Waiting(key)
            | Matter::Escalated(key)
            | Matter::Merged(key)
            | Matter::Stranded { proposal: key, .. }
            | Matter::Approved { proposal: key, .. } => self.state.proposals.get(key).map(|known| of(&known.incidents)).unwrap_or_default(),
            Matter::Ended(incident) | Matter::Refused(incident) | Matter::OutOfStep(incident) => of(std::slice::from_ref(incident)),
            Matter::Impaired { what, .. } | Matter::Restored(what) => self.policies_of(what),
        }
    }

    pub(super) fn policies_of(&self, what: &Impairment) -> Vec<&Policy> {
        self.policies.iter().filter(|policy| what.repository().is_none_or(|repository| policy.repository == *repository)).collect()
    }

    /// Who is told, by channel. Notifiers without a channel that labels fill share one message. `at`: those that were there then.
    pub(super) fn audience(&self, policies: &[&Policy], at: Option<Timestamp>) -> Audience {
        let mut audience = Audience::new();
        for policy in policies {
            for name in &policy.notify {
                let Some(notifier) = self.config.notifiers.iter().find(|notifier| notifier.name == *name) else { continue };
                let late = at.is_some_and(|at| self.state.notifications.known_since(name).is_none_or(|since| at < since));
                if late {
                    continue;
                }
                let templated = notifier.channel().filter(|channel| channel.labels().next().is_some());
                let place = match templated.map(|channel| channel.resolve(&policy.labels)) {
                    None => (String::new(), BTreeMap::new()),
                    Some(Ok(address)) => (format!("@{address}"), policy.labels.clone()),
                    // Checked when the files were loaded.
                    Some(Err(_)) => continue,
                };
                let (names, service) = audience.entry(place).or_insert_with(|| (Vec::new(), Some(policy.name.clone())));
                if !names.contains(name) {
                    names.push(name.clone());
                }
                // A message for several services is about none of them alone.
                if service.as_ref() != Some(&policy.name) {
                    *service = None;
                }
            }
        }
        audience
    }

    fn text_about(&self, matter: &Matter) -> Option<(ChatText, Option<Link>)> {
        let of = |key: &ProposalKey, text: &dyn Fn(&crate::render::proposal::ProposalView<'_>) -> ChatText| {
            let proposal = self.state.proposals.get(key)?;
            let stories = self.told_stories(proposal);
            let mut view = self.view(proposal, &stories);
            view.objects = self.object_changes(proposal);
            Some((text(&view), link(proposal)))
        };
        match matter {
            Matter::Proposed(key) => of(key, &chat::proposed),
            Matter::Waiting(key) => of(key, &chat::waiting),
            Matter::Escalated(key) => of(key, &chat::escalated),
            Matter::Merged(key) => of(key, &chat::merged),
            Matter::Approved { proposal, by } => of(proposal, &|view| chat::approved(view, by)),
            Matter::Stranded { proposal, why } => {
                let known = self.state.proposals.get(proposal)?;
                let repository = self.repository(known.repository.as_ref()?)?;
                let mirror = self.config.mirror(&repository.config.name).display().to_string();
                let (_, commit) = *known.commits.last()?;
                let config = &repository.config;
                let ready = Ready { commit, mirror: &mirror, remote: &config.url, branch: config.branch.as_str() };
                of(proposal, &|view| chat::stranded(view, why, ready))
            }
            Matter::Ended(incident) | Matter::Refused(incident) | Matter::OutOfStep(incident) => {
                let incident = self.state.incidents.get(incident)?;
                let link = incident.proposal.as_ref().and_then(|key| self.state.proposals.get(key)).and_then(link);
                let text = match matter {
                    Matter::Ended(_) => chat::ended(incident),
                    Matter::OutOfStep(_) => chat::out_of_step(incident),
                    _ => chat::refused(incident),
                };
                Some((text, link))
            }
            Matter::Impaired { what: Impairment::Switched { .. }, sentence } => Some((chat::switched_off(sentence), None)),
            Matter::Impaired { sentence, .. } => Some((chat::agent_impaired(sentence), None)),
            Matter::Restored(what) => {
                let sentence = self.state.notifications.impairments().find(|(known, _)| *known == what)?.1.sentence.clone();
                let is_switch = matches!(what, Impairment::Switched { .. });
                Some((if is_switch { chat::switched_on(&sentence) } else { chat::agent_restored(&sentence) }, None))
            }
        }
    }

    /// Gives what is due to the couriers. The first attempt is written down before it is made.
    fn hand_over(&mut self, now: Timestamp) -> Result<()> {
        let due = outbox::due(&self.pending(), now);
        for given_up in due.given_up {
            let notifier = NotifierName::new(given_up.notifier);
            warn!(%notifier, key = given_up.key, "not told: {}", given_up.sentence);
            self.metrics.notification(&notifier, Delivery::Dropped);
            self.drop_message(given_up.key, notifier, given_up.sentence, now)?;
        }
        for send in due.send {
            let notifier = NotifierName::new(send.notifier);
            if !self.teller.courier.knows(&notifier) {
                let why = format!("there is no notifier `{notifier}` in the agent file any more");
                self.drop_message(send.key, notifier, why, now)?;
                continue;
            }
            if send.attempt == Attempt::First {
                self.record(now, vec![Event::NotificationTried { key: send.key.clone(), notifier: notifier.clone() }])?;
            }
            let Some(waiting) = self.waiting(&send.key, &notifier) else { continue };
            let message = waiting.message.clone();
            let thread = self.state.notifications.thread(&notifier, &message.thread).and_then(|text| serde_json::from_str(text).ok());
            if self.teller.courier.hand_over(&notifier, Job { message, thread, attempt: send.attempt, now }) {
                let progress =
                    self.teller.attempts.entry((notifier, send.key)).or_insert(Progress { attempts: 0, tried_at: now, failure: None });
                (progress.attempts, progress.tried_at, progress.failure) = (progress.attempts + 1, now, None);
            }
        }
        Ok(())
    }

    /// Everything that waits and is not being delivered, with nothing that comes after in the same thread.
    fn pending(&self) -> Vec<Pending> {
        let waiting = self.state.notifications.waiting();
        let resting = waiting.filter(|(_, notifier, waiting)| !self.teller.courier.is_underway(notifier, &waiting.message.thread));
        resting
            .map(|(sequence, notifier, waiting)| {
                let progress = self.teller.attempts.get(&(notifier.clone(), waiting.message.key.clone()));
                Pending {
                    sequence,
                    notifier: notifier.to_string(),
                    key: waiting.message.key.clone(),
                    thread: waiting.message.thread.clone(),
                    since: waiting.since,
                    // After a restart only the first is known of.
                    attempts: progress.map_or(0, |progress| progress.attempts).max(u32::from(waiting.tried.is_some())),
                    tried_at: progress.map(|progress| progress.tried_at).or(waiting.tried),
                    failure: progress.and_then(|progress| progress.failure.clone()),
                }
            })
            .collect()
    }

    fn waiting(&self, key: &str, notifier: &NotifierName) -> Option<&crate::engine::telling::Waiting> {
        let mut waiting = self.state.notifications.waiting();
        waiting.find(|(_, other, waiting)| *other == notifier && waiting.message.key == key).map(|(_, _, waiting)| waiting)
    }

    fn note_delivery(&mut self, returned: Returned, now: Timestamp) -> Result<()> {
        let Returned { notifier, key, result, .. } = returned;
        match result {
            Ok(delivered) => self.note_delivered(notifier, key, &delivered, now),
            Err(error) => {
                self.note_failed(notifier, key, &error, now);
                Ok(())
            }
        }
    }

    fn note_delivered(&mut self, notifier: NotifierName, key: String, delivered: &Delivered, now: Timestamp) -> Result<()> {
        info!(%notifier, key, "told");
        self.metrics.notification(&notifier, Delivery::Delivered);
        self.teller.attempts.remove(&(notifier.clone(), key.clone()));
        if self.waiting(&key, &notifier).is_none() {
            self.note_alarmed(notifier, &key);
            return Ok(());
        }
        let thread = delivered.thread.as_ref().map(|thread: &Thread| serde_json::to_string(thread)).transpose()?;
        self.record(now, vec![Event::Notified { key, notifier, thread }])
    }

    fn note_failed(&mut self, notifier: NotifierName, key: String, error: &NotifyError, now: Timestamp) {
        self.metrics.notification(&notifier, Delivery::Failed);
        let failure = Failure::of(error, now);
        if let Some(progress) = self.teller.attempts.get_mut(&(notifier.clone(), key.clone())) {
            warn!(%notifier, key, attempts = progress.attempts, "not told yet: {error}");
            progress.failure = Some(failure);
        }
    }

    /// Deliveries that have ended, while nothing can be written down: those that are in the journal are kept for later.
    pub(super) fn collect_unrecorded(&mut self) {
        while let Some(returned) = self.teller.courier.collect() {
            match (self.waiting(&returned.key, &returned.notifier), &returned.result) {
                (Some(_), _) => self.teller.unrecorded.push(returned),
                (None, Ok(_)) => self.note_alarmed(returned.notifier, &returned.key),
                (None, Err(error)) => warn!(notifier = %returned.notifier, key = returned.key, "not told: {error}"),
            }
        }
    }

    fn drop_message(&mut self, key: String, notifier: NotifierName, why: String, now: Timestamp) -> Result<()> {
        self.teller.attempts.remove(&(notifier.clone(), key.clone()));
        self.record(now, vec![Event::NotificationDropped { key, notifier, why }])
    }
}

fn message(
    news: &News,
    text: &ChatText,
    link: Option<Link>,
    address: &str,
    labels: BTreeMap<String, String>,
    service: Option<PolicyName>,
) -> Message {
    Message {
        key: format!("{}{address}", news.key),
        thread: format!("{}{address}", news.thread),
        event: news.event,
        service,
        labels,
        title: text.title.clone(),
        lines: text.lines.clone(),
        link,
        command: text.command.clone(),
    }
}

/// The proposal's comment, where there is one; else its page.
fn link(proposal: &Proposal) -> Option<Link> {
    let open = proposal.landed.is_none() && proposal.closing.is_none();
    let sticky = proposal.sticky.as_ref().map(|sticky| sticky.url.clone());
    let url = sticky.or_else(|| proposal.published.as_ref().map(|published| published.url.clone()))?;
    Some(Link { text: if open { "Read and approve" } else { "Read the story" }.to_owned(), url })
}
