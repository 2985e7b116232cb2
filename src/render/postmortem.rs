//! The report of one incident for the postmortem: what was measured, which change and why, what was done by whom, how it ended, and when.
//!
//! Blameless: it speaks of changes and what they did. Everything in it is recorded; what is not known is said to be.

use std::collections::BTreeMap;

use serde::Serialize;

use super::candidate::CandidateContext;
use super::neutral::{self, Markdown};
use super::proposal::{as_sentence, links_of};
use super::report;
use super::templates::{TemplateError, Templates};
use crate::engine::afterwards::{self, Afterwards};
use crate::engine::budget::Spending;
use crate::engine::fact::{CommandAnswer, EffectAction, Ending, Event, Fact, Intent, ProposalClosing};
use crate::engine::id::{EffectId, ProposalKey};
use crate::engine::incident::{Incident, Proposal, State};
use crate::engine::policy::Policy;
use crate::engine::spread::Spreading;
use crate::engine::time::{Timestamp, spoken};
use crate::engine::verification::RecoveryStanding;

/// The template.
pub(super) const TEMPLATE: &str = "report.md";

/// What a report is made from.
#[derive(Clone, Debug)]
pub struct ReportView<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// Everything that the facts add up to.
    pub state: &'a State,
    /// Every fact, in order.
    pub facts: &'a [Fact],
    /// The policy as it stands in the files now, where it still does.
    pub policy: Option<&'a Policy>,
    /// What it spent of the error budgets; none where that is not known.
    pub spent: Vec<Spending>,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What happened, in one sentence. Untrusted text stands in it as it is.
    pub what: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ReportContext {
    title: Markdown,
    facts: Vec<RowContext>,
    timeline: Vec<MomentContext>,
    timing: Markdown,
    arithmetic: Vec<Markdown>,
    budget: Vec<Markdown>,
    suspects: Vec<CandidateContext>,
    others: Vec<CandidateContext>,
    done: Vec<Markdown>,
    gates: Vec<Markdown>,
    left: Vec<Markdown>,
    links: Vec<Markdown>,
}

#[derive(Debug, Serialize)]
struct RowContext {
    name: Markdown,
    value: Markdown,
}

#[derive(Debug, Serialize)]
struct MomentContext {
    at: Markdown,
    what: Markdown,
}

/// The report as Markdown.
///
/// # Errors
/// The template does not fit, which is excluded when it is loaded.
pub fn text(templates: &Templates, view: &ReportView<'_>) -> Result<String, TemplateError> {
    let text = templates.render(TEMPLATE, &ReportContext::new(view))?;
    // Parts that are left out leave their empty lines behind.
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    Ok(format!("{}\n", lines.join("\n").trim_end()))
}

/// Everything that happened to an incident and to its proposals, in the order of time.
pub fn timeline(view: &ReportView<'_>) -> Vec<Moment> {
    let incident = view.incident;
    let suspects = incident.attribution.as_ref().map(|attribution| attribution.suspects.as_slice()).unwrap_or_default();
    let mut moments: Vec<Moment> = Vec::new();
    for landing in view.state.landings().iter().filter(|landing| landing.repository == incident.repository) {
        for change in landing.changes.iter().filter(|change| suspects.contains(&change.id)) {
            let what = format!("{} `{}` landed on `{}`.", change.id.short(), change.subject, landing.branch);
            moments.push(Moment { at: landing.landed.by, what });
        }
    }
    moments.push(Moment { at: incident.onset.by, what: format!("The breach began: {}.", incident.onset) });
    let mut telling = Telling { keys: keys(view), view, intents: BTreeMap::new() };
    for fact in view.facts {
        if let Some(what) = telling.of(fact) {
            moments.push(Moment { at: fact.at, what });
        }
    }
    moments.sort_by_key(|moment| moment.at);
    moments
}

/// The incident's proposal, and the one that brings back what that took away.
fn keys(view: &ReportView<'_>) -> Vec<ProposalKey> {
    let original = proposal(view);
    let back = original.and_then(|original| original.plan.as_ref()).map(afterwards::key_of_return);
    original.map(|original| original.key.clone()).into_iter().chain(back).collect()
}

fn proposal<'a>(view: &ReportView<'a>) -> Option<&'a Proposal> {
    view.incident.proposal.as_ref().and_then(|key| view.state.proposals.get(key))
}

/// Goes through the facts.
struct Telling<'a> {
    keys: Vec<ProposalKey>,
    view: &'a ReportView<'a>,
    intents: BTreeMap<EffectId, &'a Intent>,
}

impl<'a> Telling<'a> {
    /// What a fact tells of this story; nothing for one of another story, or one that is no news to a reader.
    fn of(&mut self, fact: &'a Fact) -> Option<String> {
        let id = &self.view.incident.id;
        match &fact.event {
            Event::Detected { incident, arithmetic, .. } if incident == id => {
                Some(format!("The breach was seen: {}.", arithmetic.join("; ")))
            }
            Event::Attributed { incident, attribution } if incident == id => Some(match attribution.suspects.as_slice() {
                [] => "No change was suspected.".to_owned(),
                suspects => format!("Suspected: {}.", suspects.iter().map(|id| id.short()).collect::<Vec<_>>().join(", ")),
            }),
            Event::Decided { incident, decision, .. } if incident == id => Some(as_sentence(&decision.sentence)),
            Event::Verified { incident, recovery } if incident == id => {
                Some(format!("{}: {}.", standing(recovery.standing), recovery.sentence.trim_end_matches('.')))
            }
            Event::SyncNoted { incident, commit, instance, finding: Some(finding) } if incident == id => {
                let place = instance.as_ref().unwrap_or(&self.view.incident.instance);
                Some(as_sentence(&finding.sentence(*commit, place)))
            }
            Event::Ended { incident, ending, sentence } if incident == id => {
                Some(format!("The incident ended, {}: {}.", ended(ending), sentence.trim_end_matches('.')))
            }
            Event::Intended { effect, intent } if self.keys.contains(&intent.proposal) => {
                self.intents.insert(effect.clone(), intent);
                None
            }
            Event::Done { effect } => self.intents.get(effect).and_then(|intent| carried_out(intent)),
            Event::EffectRefused { effect, why, .. } => {
                let intent = self.intents.get(effect)?;
                matches!(intent.action, EffectAction::Merge | EffectAction::MergeOnForge)
                    .then(|| format!("It could not be merged: {}.", why.trim_end_matches('.')))
            }
            Event::NotificationQueued { message, notifiers } => {
                let own = |key: &str| message.thread == key || message.thread.starts_with(&format!("{key}@"));
                let names: Vec<String> = notifiers.iter().map(ToString::to_string).collect();
                (own(id.as_str()) || self.keys.iter().any(|key| own(key.as_str())))
                    .then(|| format!("Told to {}: {}.", names.join(", "), message.title.trim_end_matches('.')))
            }
            event => self.of_proposal(event),
        }
    }

    fn of_proposal(&self, event: &Event) -> Option<String> {
        let ours = |key: &ProposalKey| self.keys.contains(key);
        match event {
            Event::Approved { approval } if ours(&approval.proposal) => {
                Some(format!("{} approved the plan {}.", approval.by, approval.plan.as_str().get(..12).unwrap_or_default()))
            }
            Event::ProposalPublished { proposal, number, .. } if ours(proposal) => {
                Some(format!("The forge shows the proposal as #{number}."))
            }
            Event::CommandAnswered { proposal, by, command, answer, .. } if ours(proposal) => Some(match answer {
                CommandAnswer::Accepted => format!("{by} wrote `{command}`, and it was done."),
                CommandAnswer::Refused { sentence } => format!("{by} wrote `{command}`, which was refused: {sentence}"),
            }),
            Event::SilenceEnded { proposal, since, .. } if ours(proposal) => Some(format!("Nobody had answered since {since}.")),
            Event::TheirsSupported { proposal, number, by } if ours(proposal) => {
                Some(format!("{by} had opened a revert of their own, #{number}; revertd supported it."))
            }
            Event::Waits { proposal, why: Some(why) } if ours(proposal) => Some(as_sentence(why)),
            Event::ProposalClosed { proposal, how } if ours(proposal) => Some(closed(how)),
            Event::RevertLanded { proposal, commit, landed, .. } if ours(proposal) => Some(format!("{} landed {landed}.", commit.short())),
            Event::Afterwards { what } => self.afterwards(what),
            _ => None,
        }
    }

    fn afterwards(&self, what: &Afterwards) -> Option<String> {
        match what {
            Afterwards::BreachEnded { incident, ending, sentence, .. } if *incident == self.view.incident.id => {
                Some(format!("The breach ended {}: {}.", ending.words(), sentence.trim_end_matches('.')))
            }
            Afterwards::FalseRevert { proposal, .. } if self.keys.contains(proposal) => {
                Some("The revert was found to have changed nothing.".to_owned())
            }
            Afterwards::RelandAsked { proposal, by, reason } if self.keys.contains(proposal) => {
                Some(format!("{by} asked for the change to be brought back: {}.", reason.trim_end_matches('.')))
            }
            Afterwards::Decided { proposal, decision, .. } if self.keys.contains(proposal) => Some(as_sentence(&decision.sentence)),
            Afterwards::Spreading { proposal, what } if self.keys.contains(proposal) => Some(match what {
                Spreading::Marked { number, why, .. } => format!("#{number} was given a failing status: {}.", why.trim_end_matches('.')),
                Spreading::Released { number, .. } => format!("The failing status of #{number} was taken back."),
                Spreading::Pushed { commit, why } => format!("{} was pushed: {}.", commit.short(), why.trim_end_matches('.')),
            }),
            _ => None,
        }
    }
}

fn standing(standing: RecoveryStanding) -> &'static str {
    match standing {
        RecoveryStanding::Landed => "Not in effect yet",
        RecoveryStanding::Watching => "In effect",
        RecoveryStanding::Improving => "Improving",
        RecoveryStanding::Recovered => "Recovered",
        RecoveryStanding::NotEffective => "Not in effect",
        RecoveryStanding::NotRecovered => "Not recovered",
        RecoveryStanding::Unverified => "Not verified",
    }
}

fn ended(ending: &Ending) -> &'static str {
    match ending {
        Ending::Recovered => "recovered",
        Ending::NotRecovered => "not recovered",
        Ending::NotEffective => "not effective",
        Ending::Unverified => "unverified",
        Ending::Withdrawn => "withdrawn",
        Ending::Refused { .. } => "refused",
        Ending::Superseded { .. } => "superseded",
    }
}

fn closed(how: &ProposalClosing) -> String {
    match how {
        ProposalClosing::Vetoed => "A person closed the proposal: a veto.".to_owned(),
        ProposalClosing::Disowned { head } => format!("Somebody pushed {} onto the proposal; it is theirs.", head.short()),
        ProposalClosing::Withdrawn => "revertd took the proposal back.".to_owned(),
        ProposalClosing::Superseded => "The proposal was not needed any more.".to_owned(),
    }
}

fn carried_out(intent: &Intent) -> Option<String> {
    let new = intent.new.map(|id| id.short()).unwrap_or_default();
    Some(match intent.action {
        EffectAction::OpenProposal => format!("The proposal was opened as revertd/{} with {new}.", intent.proposal),
        EffectAction::UpdateProposal => format!("The proposal was built anew as {new}, because the branch had moved."),
        EffectAction::Merge => format!("revertd pushed {new} to the watched branch."),
        EffectAction::MergeOnForge => format!("revertd had the forge merge {new}."),
        EffectAction::Enqueue => "The proposal entered the merge queue.".to_owned(),
        EffectAction::Sign | EffectAction::DeleteProposal | EffectAction::Publish | EffectAction::WriteSticky | EffectAction::Support => {
            return None;
        }
    })
}

// === impl ReportContext ===

impl ReportContext {
    /// For trying a template out: with everything, and with as little as there can be.
    pub(super) fn samples() -> Vec<Self> {
        let word = || Markdown::trusted("x");
        let empty = || Self {
            title: word(),
            facts: Vec::new(),
            timeline: Vec::new(),
            timing: word(),
            arithmetic: Vec::new(),
            budget: Vec::new(),
            suspects: Vec::new(),
            others: Vec::new(),
            done: Vec::new(),
            gates: Vec::new(),
            left: Vec::new(),
            links: Vec::new(),
        };
        let full = Self {
            facts: vec![RowContext { name: word(), value: word() }],
            timeline: vec![MomentContext { at: word(), what: word() }],
            arithmetic: vec![word()],
            budget: vec![word()],
            suspects: vec![CandidateContext::sample()],
            others: vec![CandidateContext::sample()],
            done: vec![word()],
            gates: vec![word()],
            left: vec![word()],
            links: vec![word()],
            ..empty()
        };
        vec![full, empty()]
    }

    fn new(view: &ReportView<'_>) -> Self {
        let incident = view.incident;
        let attribution = incident.attribution.as_ref();
        let suspects = attribution.map(|attribution| attribution.suspects.as_slice()).unwrap_or_default();
        let candidates = attribution.map(|attribution| attribution.candidates.as_slice()).unwrap_or_default();
        let told = |is_suspect: bool| {
            let wanted = candidates.iter().filter(|candidate| suspects.contains(&candidate.commit) == is_suspect);
            wanted.map(|candidate| CandidateContext::new(candidate, &as_sentence(&candidate.words()))).collect()
        };
        let sentences = |sentences: Vec<String>| sentences.iter().map(|text| neutral::sentence(text)).collect::<Vec<Markdown>>();
        let gates: Vec<String> =
            incident.decision.iter().flat_map(|decision| &decision.refusals).map(|known| known.sentence.clone()).collect();
        let mut arithmetic: Vec<String> = incident.arithmetic.iter().map(|text| as_sentence(text)).collect();
        arithmetic.extend(incident.recovery.iter().map(|recovery| as_sentence(&recovery.sentence)));
        Self {
            title: Markdown::trusted(format!("Incident {}", neutral::code(incident.id.as_str()).as_str())),
            facts: rows(view),
            timeline: timeline(view)
                .iter()
                .map(|moment| MomentContext { at: Markdown::trusted(moment.at.to_string()), what: neutral::sentence(&moment.what) })
                .collect(),
            timing: timing(incident),
            arithmetic: sentences(arithmetic),
            budget: sentences(budget(view)),
            suspects: told(true),
            others: told(false),
            done: sentences(done(view)),
            gates: sentences(gates),
            left: sentences(left(view)),
            links: links(view),
        }
    }
}

fn rows(view: &ReportView<'_>) -> Vec<RowContext> {
    let incident = view.incident;
    let end = afterwards::breach_end(view.state, incident);
    let ended = end.as_ref().map_or_else(
        || "not yet, as far as is known".to_owned(),
        |end| format!("{}, seen at {}{}", end.ending.words(), end.at, end.by.map(|by| format!(" ({by})")).unwrap_or_default()),
    );
    let rows = [
        ("Service", neutral::code(incident.policy.as_str())),
        ("Where", neutral::code(incident.instance.as_str())),
        ("Repository", neutral::code(incident.repository.as_str())),
        ("The breach began", Markdown::trusted(incident.onset.to_string())),
        ("It was seen", Markdown::trusted(incident.detected_at.to_string())),
        ("The incident is", Markdown::trusted(incident.phase.words())),
        ("The breach ended", Markdown::trusted(ended)),
    ];
    rows.into_iter().map(|(name, value)| RowContext { name: Markdown::trusted(name), value }).collect()
}

fn timing(incident: &Incident) -> Markdown {
    let parts = report::timing(&incident.durations());
    let whole =
        incident.ended_at.map(|ended| format!(" From the onset to the end of the incident: {}.", spoken(ended.since(incident.onset.by))));
    let parts = if parts.is_empty() { "Nothing of it is known".to_owned() } else { as_sentence(&parts).trim_end_matches('.').to_owned() };
    Markdown::trusted(format!("{parts}.{}", whole.unwrap_or_default()))
}

fn budget(view: &ReportView<'_>) -> Vec<String> {
    if view.spent.is_empty() {
        return vec![
            "What it spent of an error budget is not known: no objective has one, or its rounds are not kept any more.".to_owned(),
        ];
    }
    view.spent.iter().map(|spent| spent.sentence.clone()).collect()
}

/// The plan, who allowed it, and what landed.
fn done(view: &ReportView<'_>) -> Vec<String> {
    let incident = view.incident;
    let mut lines = Vec::new();
    let Some(proposal) = proposal(view) else {
        let why = incident.decision.as_ref().map_or_else(|| "it was not decided".to_owned(), |decision| decision.sentence.clone());
        return vec![format!("No revert was proposed: {}.", why.trim_end_matches('.'))];
    };
    if let Some(plan) = &proposal.plan {
        let paths: Vec<String> = plan.paths.iter().take(10).map(|path| format!("`{}`", path.path)).collect();
        let more = plan.paths.len().saturating_sub(10);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("The plan `{}` changes {}{more}.", plan.digest(), paths.join(", ")));
    }
    let allowed: Vec<String> = proposal.allowed_by().iter().map(|(by, at)| format!("{by} at {at}")).collect();
    lines.push(if allowed.is_empty() { "Nobody approved it.".to_owned() } else { format!("Approved by {}.", allowed.join(", ")) });
    lines.push(match &incident.landed {
        Some(landed) => format!("{} landed {}, {}.", landed.commit, landed.landed, report::landed_by(landed)),
        None => "No revert landed.".to_owned(),
    });
    lines.extend(proposal.remark().map(|remark| as_sentence(&remark)));
    lines
}

/// What people still have to do.
fn left(view: &ReportView<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if afterwards::breach_end(view.state, view.incident).is_none() {
        lines.push("The breach goes on, as far as is known.".to_owned());
    }
    if view.incident.phase == crate::engine::incident::Phase::Recovered {
        lines.push(
            "The revert undid manifests only: not what was written to databases, messages that were sent, or migrations that ran."
                .to_owned(),
        );
    }
    for key in keys(view).iter().skip(1).filter(|key| view.state.proposals.get(*key).is_some_and(Proposal::is_open)) {
        lines.push(format!("revertd/{key} would bring the change back, and waits for an approval."));
    }
    let record = afterwards::track_record(view.state, &view.incident.policy, view.incident.proposal.as_ref());
    lines.push(as_sentence(&record.sentence(&view.incident.policy)));
    lines
}

fn links(view: &ReportView<'_>) -> Vec<Markdown> {
    let policy = view.policy.map(|policy| &policy.links);
    let mut links = policy.map(|links| links_of(links.iter())).unwrap_or_default();
    let pages = keys(view).into_iter().filter_map(|key| view.state.proposals.get(&key)?.published.as_ref());
    let named: Vec<(String, String)> = pages.map(|published| (format!("Proposal {}", published.number), published.url.clone())).collect();
    links.extend(links_of(named.iter().map(|(name, url)| (name, url))));
    links
}

#[cfg(test)]
mod tests {
    use super::super::samples::{HEAD, Story, Words, at};
    use super::*;
    use crate::engine::fact::LandedBy;
    use crate::engine::time::Interval;

    fn view(story: &Story) -> ReportView<'_> {
        ReportView {
            incident: &story.state.incidents[&story.incident()],
            state: &story.state,
            facts: &story.facts,
            policy: Some(&story.policy),
            spent: Vec::new(),
        }
    }

    #[test]
    fn a_report_tells_the_story_with_times_evidence_and_who_allowed_what() {
        let templates = Templates::built_in().unwrap();
        let mut story = Story::proposed(Words::honest());
        let plan = story.view().proposal.plan_digest().unwrap();
        let landed = Interval::new(at(130), at(131));
        let (proposal, by, approved_by, not_the_plan) = (story.key(), LandedBy::Revertd, vec!["robin".to_owned()], Vec::new());
        story.tell(131, Event::RevertLanded { proposal, commit: HEAD, plan, landed, by, approved_by, not_the_plan });
        let sentence = "healthy for 5m (needs 5m): the last 300 rounds were good".to_owned();
        story.tell(500, Event::Ended { incident: story.incident(), ending: Ending::Recovered, sentence });
        let text = text(&templates, &view(&story)).unwrap();
        let mut from = 0;
        // In this order.
        for part in [
            "# Incident `checkout-0123456789`",
            "| The breach ended | by revertd, seen at 2026-11-21T03:08:20Z",
            "| 2026-11-21T03:01:41Z | The breach began: ",
            "| 2026-11-21T03:01:43Z | The breach was seen: `up` 5 of 5 rounds failed (HTTP 500). |",
            "| 2026-11-21T03:01:46Z | The proposal was opened as revertd/",
            "landed between 2026-11-21T03:02:10Z and 2026-11-21T03:02:11Z. |",
            "| 2026-11-21T03:08:20Z | The incident ended, recovered: healthy for 5m",
            "Detect 2s, decide 1s, act 27s, verify ",
            "Suspected:\n\n* abababababababababababababababababababab `checkout: 1.5.0`",
            "Ruled out, or not decided on:\n\n* cdcdcdcdcd",
            "The plan `5df0fac76b936419b2fb16a4c76451aec89235bb6aa160b2fda46d4ed2b0db61` changes `apps/checkout/deployment.yaml`.",
            "merged by revertd, approved by robin",
            "What stood against merging it at once:",
            "[runbook](<https://wiki.shop.example/checkout>)",
            "[Proposal 7](<https://github.com/shop/manifests/pull/7>)",
        ] {
            let found = text[from..].find(part);
            assert!(found.is_some(), "{part}\n{text}");
            from += found.unwrap();
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        let templates = Templates::built_in().unwrap();
        let story = Story::proposed(Words::honest());
        let text = text(&templates, &view(&story)).unwrap();
        for sentence in ["The breach goes on, as far as is known.", "Nobody approved it.", "No revert landed.", "error budget is not known"]
        {
            assert!(text.contains(sentence), "{sentence}\n{text}");
        }
    }

    #[test]
    fn nothing_that_somebody_else_wrote_has_an_effect() {
        let templates = Templates::built_in().unwrap();
        for hostile in neutral::tests::HOSTILE {
            let story = Story::proposed(Words::all(hostile));
            let found: Vec<String> = neutral::tests::effects(&text(&templates, &view(&story)).unwrap())
                .into_iter()
                .filter(|effect| {
                    !["link https://wiki.shop.example/checkout", "link https://github.com/shop/manifests/pull/7"].contains(&effect.as_str())
                })
                .collect();
            assert!(found.is_empty(), "{hostile:?}: {found:?}");
        }
    }
}
