//! What was told, to whom, and what still waits: folded from facts.

use std::collections::{BTreeMap, BTreeSet};

use super::Impairment;
use crate::engine::fact::Event;
use crate::engine::id::NotifierName;
use crate::engine::message::Message;
use crate::engine::time::Timestamp;

/// What was told and what waits to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    known: BTreeMap<NotifierName, Timestamp>,
    keys: BTreeSet<String>,
    stories: BTreeSet<String>,
    waiting: BTreeMap<(u64, NotifierName), Waiting>,
    threads: BTreeMap<(NotifierName, String), String>,
    impairments: BTreeMap<Impairment, Impaired>,
}

/// A message that one notifier has not taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What.
    pub message: Message,
    /// Since when.
    pub since: Timestamp,
    /// When its first attempt began; such a message may have arrived.
    pub tried: Option<Timestamp>,
}

/// Something that keeps the agent from its work, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impaired {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub sentence: String,
    /// When it was over; `None`: it goes on.
    pub restored: Option<Timestamp>,
}

/// The story that a message's key and thread belong to: what comes before the address of one channel.
fn story(text: &str) -> &str {
    text.split_once('@').map_or(text, |(story, _)| story)
}

// === impl Notifications ===

impl Notifications {
    /// Folds one fact in.
    pub(in crate::engine) fn apply(&mut self, sequence: u64, at: Timestamp, event: &Event) {
        match event {
            Event::NotifierAdded { notifier } => {
                self.known.entry(notifier.clone()).or_insert(at);
            }
            Event::Impaired { what, sentence } => {
                self.impairments.insert(what.clone(), Impaired { since: at, sentence: sentence.clone(), restored: None });
            }
            Event::Restored { what } => {
                if let Some(impaired) = self.impairments.get_mut(what) {
                    impaired.restored = impaired.restored.or(Some(at));
                }
            }
            Event::NotificationQueued { message, notifiers } => {
                self.keys.insert(story(&message.key).to_owned());
                self.stories.insert(story(&message.thread).to_owned());
                for notifier in notifiers {
                    let waiting = Waiting { message: message.clone(), since: at, tried: None };
                    self.waiting.insert((sequence, notifier.clone()), waiting);
                }
            }
            Event::NotificationTried { key, notifier } => {
                if let Some((_, waiting)) = self.find(key, notifier) {
                    waiting.tried = waiting.tried.or(Some(at));
                }
            }
            Event::Notified { key, notifier, thread } => {
                let Some((place, waiting)) = self.find(key, notifier) else { return };
                let story = waiting.message.thread.clone();
                if let Some(thread) = thread {
                    self.threads.insert((notifier.clone(), story), thread.clone());
                }
                self.waiting.remove(&place);
            }
            Event::NotificationDropped { key, notifier, .. } => {
                if let Some((place, _)) = self.find(key, notifier) {
                    self.waiting.remove(&place);
                }
            }
            _ => {}
        }
    }

    fn find(&mut self, key: &str, notifier: &NotifierName) -> Option<((u64, NotifierName), &mut Waiting)> {
        let found = self.waiting.iter_mut().find(|((_, other), waiting)| other == notifier && waiting.message.key == key);
        found.map(|(place, waiting)| (place.clone(), waiting))
    }

    /// Since when a notifier stands in the agent file.
    pub fn known_since(&self, notifier: &NotifierName) -> Option<Timestamp> {
        self.known.get(notifier).copied()
    }

    /// Whether news with this key were queued.
    pub fn was_queued(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Whether anything was queued in this thread.
    pub fn has_thread(&self, thread: &str) -> bool {
        self.stories.contains(thread)
    }

    /// What waits, in the order in which it was queued, each with its place in that order.
    pub fn waiting(&self) -> impl Iterator<Item = (u64, &NotifierName, &Waiting)> {
        self.waiting.iter().map(|((sequence, notifier), waiting)| (*sequence, notifier, waiting))
    }

    /// What continues a thread with a notifier.
    pub fn thread(&self, notifier: &NotifierName, thread: &str) -> Option<&str> {
        self.threads.get(&(notifier.clone(), thread.to_owned())).map(String::as_str)
    }

    /// Everything that keeps or kept the agent from its work, the newest of each kind.
    pub fn impairments(&self) -> impl Iterator<Item = (&Impairment, &Impaired)> {
        self.impairments.iter()
    }

    /// What keeps the agent from its work in this respect now.
    pub fn impaired(&self, what: &Impairment) -> Option<&Impaired> {
        self.impairments.get(what).filter(|impaired| impaired.restored.is_none())
    }
}
