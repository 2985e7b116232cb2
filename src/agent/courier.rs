//! Carries messages to chats and pagers beside the pass: a thread for each notifier, because its calls block, with a queue that is bounded.
//!
//! The pass hands over and collects, and waits for nothing: a chat that is down or slow delays no revert, and no other chat. What is lost
//! here, as when the process ends, is in the journal and is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::config::agent::{Notifier as Configured, NotifierKind};
use crate::engine::id::NotifierName;
use crate::engine::message::Message;
use crate::engine::time::Timestamp;
use crate::notify::outbox::Attempt;
use crate::notify::{Delivered, Notifier, NotifyError, Thread, Transport, discord, mattermost, pagerduty, slack, teams, webhook};

/// The most messages that wait for one notifier's thread. More wait in the journal.
const QUEUE: usize = 8;

/// One delivery that shall be made.
pub(super) struct Job {
    /// What.
    pub(super) message: Message,
    /// What continues its thread.
    pub(super) thread: Option<Thread>,
    /// Whether it may have arrived already.
    pub(super) attempt: Attempt,
    /// The time that the message is dated with.
    pub(super) now: Timestamp,
}

/// How a delivery ended.
pub(super) struct Returned {
    /// To whom.
    pub(super) notifier: NotifierName,
    /// [`Message::key`].
    pub(super) key: String,
    /// [`Message::thread`].
    pub(super) thread: String,
    /// What came of it.
    pub(super) result: Result<Delivered, NotifyError>,
}

/// Every notifier with its thread.
pub(super) struct Courier {
    lines: BTreeMap<NotifierName, SyncSender<Job>>,
    /// Threads of stories that are being told at this moment.
    underway: BTreeSet<(NotifierName, String)>,
    returns: Sender<Returned>,
    returned: Receiver<Returned>,
}

impl Courier {
    /// The threads of these notifiers. Nothing is asked and no secret is read yet.
    ///
    /// # Errors
    /// There is no runtime for their requests, or a thread cannot be started.
    pub(super) fn new(notifiers: &[Configured]) -> Result<Self> {
        let (returns, returned) = channel();
        let mut courier = Self { lines: BTreeMap::new(), underway: BTreeSet::new(), returns, returned };
        courier.replace(notifiers)?;
        Ok(courier)
    }

    /// Puts others in their place. What is being delivered at this moment still returns.
    ///
    /// # Errors
    /// As [`Self::new`]; then everything stays as it was.
    pub(super) fn replace(&mut self, notifiers: &[Configured]) -> Result<()> {
        let mut lines = BTreeMap::new();
        if let Some(first) = notifiers.first() {
            let doing = || format!("cannot set up the notifier `{}`", first.name);
            let runtime = tokio::runtime::Handle::try_current().with_context(doing)?;
            let transport = Transport::new(runtime).with_context(doing)?;
            for configured in notifiers {
                lines.insert(configured.name.clone(), self.line(configured, &transport)?);
            }
        }
        self.lines = lines;
        Ok(())
    }

    /// A thread that ends once its queue is dropped and empty.
    fn line(&self, configured: &Configured, transport: &Transport) -> Result<SyncSender<Job>> {
        let notifier = open(configured, transport);
        let (jobs, queue) = sync_channel::<Job>(QUEUE);
        let (name, returns) = (configured.name.clone(), self.returns.clone());
        let deliver = move || {
            for job in queue {
                let result = deliver(&*notifier, &job);
                let Message { key, thread, .. } = job.message;
                // Nobody waits any more when the agent is ending.
                if returns.send(Returned { notifier: name.clone(), key, thread, result }).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name(format!("tell {}", configured.name))
            .spawn(deliver)
            .with_context(|| format!("cannot start the thread of the notifier `{}`", configured.name))?;
        Ok(jobs)
    }

    /// Whether there is a notifier of this name.
    pub(super) fn knows(&self, notifier: &NotifierName) -> bool {
        self.lines.contains_key(notifier)
    }

    /// Whether something of this thread is being told to this notifier: then nothing else of it may be.
    pub(super) fn is_underway(&self, notifier: &NotifierName, thread: &str) -> bool {
        self.underway.contains(&(notifier.clone(), thread.to_owned()))
    }

    /// Hands a message over; gives whether its notifier's queue had room for it.
    pub(super) fn hand_over(&mut self, notifier: &NotifierName, job: Job) -> bool {
        let place = (notifier.clone(), job.message.thread.clone());
        let taken = self.lines.get(notifier).is_some_and(|line| line.try_send(job).is_ok());
        if taken {
            self.underway.insert(place);
        }
        taken
    }

    /// A delivery that has ended, without waiting.
    pub(super) fn collect(&mut self) -> Option<Returned> {
        let returned = self.returned.try_recv().ok()?;
        self.note(&returned);
        Some(returned)
    }

    /// The next delivery that ends before `deadline`, if one is underway.
    pub(super) fn wait(&mut self, deadline: Instant) -> Option<Returned> {
        if self.underway.is_empty() {
            return None;
        }
        let patience = deadline.saturating_duration_since(Instant::now());
        match self.returned.recv_timeout(patience.max(Duration::from_millis(1))) {
            Ok(returned) => {
                self.note(&returned);
                Some(returned)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    fn note(&mut self, returned: &Returned) {
        self.underway.remove(&(returned.notifier.clone(), returned.thread.clone()));
    }
}

fn deliver(notifier: &dyn Notifier, job: &Job) -> Result<Delivered, NotifyError> {
    match job.attempt {
        Attempt::First => notifier.deliver(&job.message, job.thread.as_ref(), job.now),
        Attempt::Again => notifier.deliver_again(&job.message, job.thread.as_ref(), job.now),
    }
}

fn open(configured: &Configured, transport: &Transport) -> Arc<dyn Notifier> {
    let transport = transport.clone();
    match configured.kind.clone() {
        NotifierKind::Slack { url, token_file, channel } => Arc::new(slack::Slack::new(transport, &url, token_file, channel)),
        NotifierKind::SlackWebhook { webhook_file } => Arc::new(slack::SlackWebhook::new(transport, webhook_file)),
        NotifierKind::Mattermost { webhook_file, channel } => Arc::new(mattermost::Mattermost::new(transport, webhook_file, channel)),
        NotifierKind::Discord { webhook_file } => Arc::new(discord::Discord::new(transport, webhook_file)),
        NotifierKind::Teams { webhook_file } => Arc::new(teams::Teams::new(transport, webhook_file)),
        NotifierKind::PagerDuty { url, routing_key_file } => Arc::new(pagerduty::PagerDuty::new(transport, &url, routing_key_file)),
        NotifierKind::Webhook { url_file, secret_file } => Arc::new(webhook::Webhook::new(transport, url_file, secret_file)),
    }
}
