//! What is worth telling, and what was told: the news that the state holds, less those that are written down as queued.
//!
//! News are found in the state that facts add up to, not in the steps between two states: a crash between a step and its telling loses
//! nothing, and each is told once because its key is written down with the message. Only transitions are news; what just goes on is not.

mod back;
mod notifications;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::notifications::{Impaired, Notifications, Waiting};
use super::consent::Silence;
use super::decision::DecisionVerdict;
use super::fact::{Ending, LandedBy};
use super::guardrail::RefusalCode;
use super::id::{IncidentId, ProposalKey, RepositoryName};
use super::incident::{Incident, Proposal, State};
use super::message::MessageEvent;
use super::switch::SwitchKind;
use super::time::Timestamp;

/// A proposal that nobody has approved or closed for so long is told again: the time after which design §5's example escalates.
pub const WAITING_AFTER: Duration = Duration::from_secs(15 * 60);
/// What keeps the agent from its work counts once it has lasted this long: a retry or two is no news.
pub const IMPAIRED_AFTER: Duration = Duration::from_secs(60);
/// A refusal that may pass counts once it has stood this long.
const REFUSED_AFTER: Duration = Duration::from_secs(30);
/// What is older was learnt elsewhere; it is as long as a message is tried.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// So many pushes in a row that failed are no mishap.
const FAILED_PUSHES: u32 = 3;

/// What keeps the agent from its work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Impairment {
    /// The automation of a repository stands still.
    Stopped {
        /// Which.
        repository: RepositoryName,
    },
    /// A repository's remote does not answer Git.
    Unreachable {
        /// Which.
        repository: RepositoryName,
    },
    /// A repository's remote answers, and its forge does not.
    ForgeSilent {
        /// Which.
        repository: RepositoryName,
    },
    /// Somebody stopped it by a kill switch, or one cannot be read.
    Switched {
        /// Where; everywhere, for the file on the agent's machine.
        repository: Option<RepositoryName>,
        /// Which.
        switch: SwitchKind,
    },
    /// The controls do not answer as they should.
    Controls,
    /// No pass succeeds, as when the journal cannot be written. Never written down, for that reason.
    Passes,
}

/// One thing that happened and that people want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Names it: per proposal or incident, event and plan.
    pub key: String,
    /// The story that it belongs to: the key of the proposal, or the id of the incident where there is none.
    pub thread: String,
    /// What kind of message it makes.
    pub event: MessageEvent,
    /// What happened.
    pub matter: Matter,
    /// When.
    pub at: Timestamp,
}

/// What happened, to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// A revert stands as a proposal, and people can read it.
    Proposed(ProposalKey),
    /// A revert is ready, and it cannot be brought to where people read it.
    Stranded {
        /// Of which proposal.
        proposal: ProposalKey,
        /// Why, in one sentence.
        why: String,
    },
    /// Nobody has approved or closed it for long.
    Waiting(ProposalKey),
    /// Nobody has answered it for as long as a policy waits.
    Escalated(ProposalKey),
    /// People allowed it.
    Approved {
        /// Which.
        proposal: ProposalKey,
        /// Who.
        by: String,
    },
    /// It is on the watched branch.
    Merged(ProposalKey),
    /// An incident is over.
    Ended(IncidentId),
    /// Nothing is done about an incident, and a person has something to do.
    Refused(IncidentId),
    /// What Git says is not what runs: a revert is not picked up, or the suspect was taken out of the cluster by hand.
    OutOfStep(IncidentId),
    /// The agent cannot work as it should.
    Impaired {
        /// In what.
        what: Impairment,
        /// Why.
        sentence: String,
    },
    /// It can again.
    Restored(Impairment),
}

/// What is not in the state and matters.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The time.
    pub now: Timestamp,
    /// Repositories whose proposals are shown on a forge: there a proposal is told once its comment can be linked to.
    pub forges: &'a BTreeSet<RepositoryName>,
}

/// Everything that the state holds and that was not queued yet, oldest first. Pure.
pub fn news(state: &State, setting: Setting<'_>) -> Vec<News> {
    // Everything that is in the journal is looked at in each pass, and most of it is long over.
    let recent = |incident: &Incident| incident.ended_at.is_none_or(|ended| setting.now.since(ended) < FRESH);
    let lives = |proposal: &&Proposal| proposal.incidents.iter().filter_map(|id| state.incidents.get(id)).any(recent);
    let mut news: Vec<News> = state
        .proposals
        .values()
        .filter(lives)
        .flat_map(|proposal| of_proposal(state, proposal, setting))
        .chain(state.incidents.values().filter(|incident| recent(incident)).flat_map(|incident| of_incident(state, incident, setting)))
        .chain(state.notifications.impairments().flat_map(|(what, impaired)| of_impairment(state, what, impaired)))
        .filter(|news| setting.now.since(news.at) < FRESH && !state.notifications.was_queued(&news.key))
        .collect();
    // What happened in the same moment is told in the order of the story.
    news.sort_by_key(|news| (news.at, order(&news.matter)));
    news
}

fn order(matter: &Matter) -> u8 {
    match matter {
        Matter::Impaired { .. } => 0,
        Matter::Stranded { .. } => 1,
        Matter::Proposed(_) => 2,
        Matter::Refused(_) | Matter::Waiting(_) | Matter::Escalated(_) => 3,
        Matter::Approved { .. } => 4,
        Matter::Merged(_) => 5,
        Matter::OutOfStep(_) => 6,
        Matter::Restored(_) => 7,
        Matter::Ended(_) => 8,
    }
}

fn of_proposal(state: &State, proposal: &Proposal, setting: Setting<'_>) -> Vec<News> {
    if proposal.brings_back() {
        return back::of_return(state, proposal, setting);
    }
    let Some(plan) = proposal.plan_digest() else { return Vec::new() };
    let stories: Vec<&Incident> = proposal.incidents.iter().filter_map(|id| state.incidents.get(id)).collect();
    let key = &proposal.key;
    let mut found = Vec::new();
    let mut say = |name: &str, event, matter, at| {
        found.push(News { key: format!("{key}/{name}"), thread: key.to_string(), event, matter, at });
    };
    let open = proposal.closing.is_none() && proposal.landed.is_none() && stories.iter().any(|story| story.ending.is_none());
    if open && is_readable(proposal, setting) {
        say(&format!("proposed/{plan}"), MessageEvent::Proposed, Matter::Proposed(key.clone()), readable_since(proposal));
        let since = readable_since(proposal) + WAITING_AFTER;
        let escalated = proposal.silence.filter(|ended| ended.then == Silence::Escalate);
        if let Some(ended) = escalated {
            say("escalated", MessageEvent::Escalated, Matter::Escalated(key.clone()), ended.at);
        }
        // What was told louder is not told once more.
        if escalated.is_none()
            && since <= setting.now
            && proposal.approvals.is_empty()
            && proposal.holds.is_empty()
            && approvers(proposal).is_empty()
        {
            say("waiting", MessageEvent::Waiting, Matter::Waiting(key.clone()), since);
        }
    }
    if open && let Some(Stranded { why, at, outage }) = stranded(state, proposal, setting) {
        let matter = Matter::Stranded { proposal: key.clone(), why };
        // Another outage is told again, also with the same plan.
        let outage = outage.map(|since| format!("/{}", since.millis())).unwrap_or_default();
        say(&format!("stranded/{plan}{outage}"), MessageEvent::AgentImpaired, matter, at.max(proposal.opened_at));
    }
    let allowed = stories.iter().find_map(|story| {
        let merging = story.decision.as_ref().is_some_and(|decision| decision.verdict == DecisionVerdict::Merge);
        story.decision_at.filter(|_| merging)
    });
    if let (Some(at), by) = (allowed, approvers(proposal))
        && !by.is_empty()
    {
        let matter = Matter::Approved { proposal: key.clone(), by: by.into_iter().collect::<Vec<_>>().join(" and ") };
        say(&format!("approved/{plan}"), MessageEvent::Approved, matter, at);
    }
    let landed = stories.iter().filter_map(|story| story.landed.as_ref()).find(|landed| landed.by != LandedBy::HumanRevert);
    if let Some(landed) = landed {
        say("merged", MessageEvent::Merged, Matter::Merged(key.clone()), landed.at);
    }
    found
}

/// Whether people can read the proposal as it stands: its branch is there and, on a forge, so is its comment with this plan.
fn is_readable(proposal: &Proposal, setting: Setting<'_>) -> bool {
    let on_forge = proposal.repository.as_ref().is_some_and(|name| setting.forges.contains(name));
    let shown = proposal.sticky.is_some() && proposal.shown.last().map(|shown| &shown.plan) == proposal.plan_digest().as_ref();
    proposal.head.is_some() && (!on_forge || shown)
}

fn readable_since(proposal: &Proposal) -> Timestamp {
    proposal.shown.last().map_or(proposal.opened_at, |shown| shown.at.max(proposal.opened_at))
}

/// A revert that is built is not where people read it.
struct Stranded {
    /// Why, in one sentence.
    why: String,
    /// Since when.
    at: Timestamp,
    /// When the outage began that keeps it; `None` where the remote answers and refuses.
    outage: Option<Timestamp>,
}

fn stranded(state: &State, proposal: &Proposal, setting: Setting<'_>) -> Option<Stranded> {
    let repository = proposal.repository.clone()?;
    proposal.latest_commit.as_ref()?;
    let remote = state.notifications.impaired(&Impairment::Unreachable { repository: repository.clone() });
    let forge = state.notifications.impaired(&Impairment::ForgeSilent { repository });
    if let Some(impaired) = remote.or(forge) {
        // Where both are silent it is one outage.
        let outage = [remote, forge].into_iter().flatten().map(|impaired| impaired.since).min();
        return Some(Stranded { why: impaired.sentence.clone(), at: impaired.since, outage });
    }
    let failed = proposal.failed.as_ref().filter(|failed| failed.count >= FAILED_PUSHES && !is_readable(proposal, setting))?;
    Some(Stranded { why: failed.why.clone(), at: failed.last, outage: None })
}

/// Who allowed the proposal, by what was accepted of them.
fn approvers(proposal: &Proposal) -> BTreeSet<&str> {
    let typed = proposal.approvals.iter().map(|approval| approval.by.as_str());
    let said = proposal.told.iter().filter(|told| told.allows());
    typed.chain(said.map(|told| told.by.as_str())).collect()
}

fn of_incident(state: &State, incident: &Incident, setting: Setting<'_>) -> Vec<News> {
    let id = &incident.id;
    let mut found = Vec::new();
    let refusals =
        incident.decision.iter().filter(|decision| decision.verdict == DecisionVerdict::Refuse).flat_map(|known| &known.refusals);
    if let (Some(refusal), Some(at), None) =
        (refusals.clone().find(|refusal| asks_for_people(refusal.code)), incident.decision_at, &incident.ending)
        && at + REFUSED_AFTER <= setting.now
        && incident.landed.is_none()
    {
        let key = format!("{id}/refused/{}", refusal.code.label());
        found.push(News { key, thread: story_of(state, incident), event: MessageEvent::Refused, matter: Matter::Refused(id.clone()), at });
    }
    if let (Some(note), None) = (&incident.sync, &incident.ending)
        && note.at + REFUSED_AFTER <= setting.now
    {
        let place = note.instance.as_ref().map(|instance| format!("/{instance}")).unwrap_or_default();
        let key = format!("{id}/sync/{}/{}{place}", note.commit.short(), note.finding.label());
        let (thread, matter) = (story_of(state, incident), Matter::OutOfStep(id.clone()));
        found.push(News { key, thread, event: MessageEvent::OutOfStep, matter, at: note.at });
    }
    let (Some(ending), Some(at)) = (&incident.ending, incident.ended_at) else { return found };
    let event = match ending {
        Ending::Recovered | Ending::Withdrawn | Ending::Superseded { .. } => MessageEvent::Recovered,
        Ending::NotRecovered | Ending::NotEffective | Ending::Unverified => MessageEvent::NotRecovered,
        Ending::Refused { code } if *code == RefusalCode::Vetoed.label() || *code == RefusalCode::Disowned.label() => MessageEvent::Closed,
        Ending::Refused { .. } => MessageEvent::Refused,
    };
    // What ended without a word needs none for its end, but where a person has something to do.
    let own = id.to_string();
    let threads: BTreeSet<String> = incident.proposal.iter().map(ToString::to_string).chain([own]).collect();
    let mut told: Vec<String> = threads.into_iter().filter(|thread| is_told(state, incident, thread)).collect();
    let only_recorded = refusals.clone().any(|refusal| refusal.code == RefusalCode::ModeObserve);
    if told.is_empty() && event == MessageEvent::Refused && !only_recorded {
        told.push(story_of(state, incident));
    }
    let ended =
        told.into_iter().map(|thread| News { key: format!("{id}/ended/{thread}"), thread, event, matter: Matter::Ended(id.clone()), at });
    found.extend(ended);
    found
}

/// Where an incident is told that has nothing on a proposal yet: there, if its proposal was told; else on its own.
fn story_of(state: &State, incident: &Incident) -> String {
    let proposal = incident.proposal.as_ref().map(ToString::to_string).filter(|thread| state.notifications.has_thread(thread));
    proposal.unwrap_or_else(|| incident.id.to_string())
}

/// Whether something was told of this incident in a thread: all that is told of its proposal, or its own.
fn is_told(state: &State, incident: &Incident, thread: &str) -> bool {
    let merged = incident.landed.as_ref().is_some_and(|landed| landed.by != LandedBy::HumanRevert)
        && incident.proposal.as_ref().is_some_and(|key| key.to_string() == thread);
    merged || state.notifications.has_thread(thread)
}

/// Refusals that stand in the way of a revert and that a person can take away. A breach that is pinned on nothing has its own alerts.
fn asks_for_people(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::RepositoryStopped
            | RefusalCode::Paused
            | RefusalCode::ControlsFailing
            | RefusalCode::EvidenceLost
            | RefusalCode::ProposeBudget
            | RefusalCode::InverseFailed
            | RefusalCode::Unsignable
    )
}

fn of_impairment(state: &State, what: &Impairment, impaired: &Impaired) -> Vec<News> {
    let thread = format!("agent/{}/{}", what.label(), impaired.since.millis());
    let key = format!("{thread}/impaired");
    let Some(restored) = impaired.restored else {
        let matter = Matter::Impaired { what: what.clone(), sentence: impaired.sentence.clone() };
        return vec![News { key, thread, event: MessageEvent::AgentImpaired, matter, at: impaired.since }];
    };
    if !state.notifications.has_thread(&thread) {
        return Vec::new();
    }
    let (key, matter) = (format!("{thread}/restored"), Matter::Restored(what.clone()));
    vec![News { key, thread, event: MessageEvent::Recovered, matter, at: restored }]
}

// === impl Matter, Impairment ===

impl Matter {
    /// Whether it is about the agent and no service.
    pub fn is_about_agent(&self) -> bool {
        matches!(self, Self::Impaired { .. } | Self::Restored(_))
    }
}

impl Impairment {
    /// As it stands in keys and logs.
    pub fn label(&self) -> String {
        match self {
            Self::Stopped { repository } => format!("stopped/{repository}"),
            Self::Unreachable { repository } => format!("unreachable/{repository}"),
            Self::ForgeSilent { repository } => format!("forge/{repository}"),
            Self::Switched { repository: None, switch } => format!("switch/{}", switch.label()),
            Self::Switched { repository: Some(repository), switch } => format!("switch/{}/{repository}", switch.label()),
            Self::Controls => "controls".to_owned(),
            Self::Passes => "passes".to_owned(),
        }
    }

    /// The repository that it is about; `None` where it is about all.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Stopped { repository } | Self::Unreachable { repository } | Self::ForgeSilent { repository } => Some(repository),
            Self::Switched { repository, .. } => repository.as_ref(),
            Self::Controls | Self::Passes => None,
        }
    }
}

#[cfg(test)]
mod tests;
