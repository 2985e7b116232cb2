//! The one comment on a proposal that is edited as the story goes on: where it stands, what to type, who did what.
//!
//! Its text depends on recorded facts and on the policies alone, never on the time: the agent edits it when its digest changes, and not in
//! every pass.

use serde::Serialize;

use super::neutral::{self, Markdown};
use super::proposal::{ProposalView, ServiceView, approve_command, as_sentence, who_approves};
use super::report;
use super::templates::{TemplateError, Templates};
use crate::engine::broken_sync::Broke;
use crate::engine::consent::{ConsentRules, Silence};
use crate::engine::decision::DecisionRecord;
use crate::engine::fact::{CommandAnswer, ProposalClosing};
use crate::engine::id::ProposalKey;
use crate::engine::incident::{EndedSilence, Phase, Proposal};
use crate::engine::time::spoken;

/// The template.
pub(super) const TEMPLATE: &str = "sticky.md";
/// The most lines about what people did; the newest stay.
const MOST_HAPPENED: usize = 30;

#[derive(Debug, Serialize)]
pub(super) struct StickyContext {
    state: Markdown,
    explanation: Markdown,
    approve: Option<ApproveContext>,
    stops: Vec<Markdown>,
    holds: Vec<ByContext>,
    approvals: Vec<ByContext>,
    services: Vec<ServiceContext>,
    happened: Vec<Markdown>,
    plan: Option<Markdown>,
}

#[derive(Debug, Serialize)]
struct ApproveContext {
    who: Markdown,
    command: Markdown,
}

#[derive(Debug, Serialize)]
struct ByContext {
    by: Markdown,
    at: Markdown,
}

#[derive(Debug, Serialize)]
struct ServiceContext {
    name: Markdown,
    phase: Markdown,
    recovery: Option<Markdown>,
    sync: Option<Markdown>,
    timing: Option<Markdown>,
}

/// Marks the one comment of a proposal. Forges do not show it; what stands in comments of people is never looked at for it.
pub fn mark(key: &ProposalKey) -> String {
    format!("<!-- revertd:proposal {key} -->")
}

/// The comment, at most 65,536 characters, with its mark.
///
/// # Errors
/// The template does not fit, which is excluded when it is loaded.
pub fn text(templates: &Templates, view: &ProposalView<'_>) -> Result<String, TemplateError> {
    let mark = mark(&view.proposal.key);
    let text = templates.render(TEMPLATE, &StickyContext::new(view))?;
    Ok(super::within_limit(&format!("{mark}\n{}\n", text.trim_end()), ""))
}

// === impl StickyContext ===

impl StickyContext {
    /// For trying a template out: with everything, and with as little as there can be.
    pub(super) fn samples() -> Vec<Self> {
        let word = || Markdown::trusted("x");
        let by = || ByContext { by: word(), at: word() };
        let full = Self {
            state: word(),
            explanation: word(),
            approve: Some(ApproveContext { who: word(), command: word() }),
            stops: vec![word()],
            holds: vec![by()],
            approvals: vec![by()],
            services: vec![ServiceContext {
                name: word(),
                phase: word(),
                recovery: Some(word()),
                sync: Some(word()),
                timing: Some(word()),
            }],
            happened: vec![word()],
            plan: Some(word()),
        };
        let empty = Self {
            state: word(),
            explanation: word(),
            approve: None,
            stops: Vec::new(),
            holds: Vec::new(),
            approvals: Vec::new(),
            services: vec![ServiceContext { name: word(), phase: word(), recovery: None, sync: None, timing: None }],
            happened: Vec::new(),
            plan: None,
        };
        vec![full, empty]
    }

    fn new(view: &ProposalView<'_>) -> Self {
        let proposal = view.proposal;
        let is_open = proposal.closing.is_none() && proposal.landed.is_none();
        let rules: Vec<&ConsentRules> = view.services.iter().map(|service| &service.policy.approval).collect();
        let (state, explanation) = standing(view);
        let is_over = view.back.is_none() && view.services.iter().all(|service| service.incident.ending.is_some());
        let command = approve_command(proposal).filter(|_| is_open && !is_over);
        Self {
            state: Markdown::trusted(state),
            explanation,
            approve: command.map(|command| ApproveContext { who: who_approves(&rules), command: Markdown::trusted(command) }),
            stops: if is_open { stops(view) } else { Vec::new() },
            holds: if is_open {
                proposal
                    .holds
                    .iter()
                    .map(|hold| ByContext { by: neutral::plain(&hold.login), at: Markdown::trusted(hold.at.to_string()) })
                    .collect()
            } else {
                Vec::new()
            },
            approvals: approvals(proposal),
            services: view
                .services
                .iter()
                .map(|service| ServiceContext {
                    name: neutral::code(&service.incident.service()),
                    phase: Markdown::trusted(service.incident.phase.words()),
                    recovery: recovery(service.incident),
                    sync: out_of_step(service.incident),
                    timing: Some(report::timing(&service.incident.durations())).filter(|timing| !timing.is_empty()).map(Markdown::trusted),
                })
                .collect(),
            happened: happened(proposal),
            plan: proposal.plan_digest().map(|plan| Markdown::trusted(plan.to_string())),
        }
    }
}

/// Where it stands, in a few words and in a sentence.
fn standing(view: &ProposalView<'_>) -> (&'static str, Markdown) {
    let proposal = view.proposal;
    let own = |state, sentence: &str| (state, Markdown::trusted(sentence));
    match (&proposal.closing, proposal.landed) {
        (_, Some(commit)) if view.back.is_some() => (
            "Merged; the change is back",
            Markdown::trusted(format!("It landed as {commit}. What is on its way again is not held up any more.")),
        ),
        (_, Some(commit)) => landed(view, &commit.to_string()),
        (Some(ProposalClosing::Vetoed), None) => own("Closed by a person", "revertd leaves it closed, and proposes this revert no more."),
        (Some(ProposalClosing::Disowned { head }), None) => (
            "Not revertd's any more",
            Markdown::trusted(format!(
                "{head} was pushed onto its branch by somebody else. revertd merges nothing of it; the branch is yours."
            )),
        ),
        (Some(ProposalClosing::Withdrawn), None) => {
            let of_sync = |service: &ServiceView<'_>| service.incident.broke() == Broke::Sync;
            own(
                "Taken back",
                match view.services.iter().any(of_sync) {
                    true => "The sync succeeds again without it.",
                    false => "The service is healthy again without it.",
                },
            )
        }
        (Some(ProposalClosing::Superseded), None) => own("Not needed any more", "A person was first."),
        (None, None) if !proposal.holds.is_empty() => own("Held", "Nothing is merged while somebody holds it."),
        (None, None) if proposal.enqueued.is_some() && proposal.enqueued == proposal.head => {
            own("In the merge queue", "It lands when the queue's rules are met.")
        }
        (None, None) if is_approved(view) && stops(view).is_empty() => own("Approved", "It is merged as soon as the branch lets it."),
        (None, None) if is_approved(view) => own("Approved, and not merged yet", "What stands against merging it is said below."),
        (None, None) if view.back.is_some() => own(
            "Waits for an approval",
            "revertd has written what takes its own revert back, and merges it when it is approved. Only people bring a change back.",
        ),
        (None, None) => own(
            "Waits for an approval",
            "revertd has written the exact inverse of the suspected change, and merges it when it is approved.",
        ),
    }
}

/// Whether an approval counts: then nothing is left in the decision that one would lift.
fn is_approved(view: &ProposalView<'_>) -> bool {
    let mut decisions = view.decisions().into_iter();
    let is_lifted = |decision: &DecisionRecord| decision.refusals.iter().any(|refusal| refusal.code.is_lifted_by_approval());
    (view.back.is_none() && view.services.iter().any(|service| service.incident.phase == Phase::Approved))
        || (!view.proposal.allowed_by().is_empty() && !decisions.any(is_lifted))
}

fn landed(view: &ProposalView<'_>, commit: &str) -> (&'static str, Markdown) {
    let phases: Vec<Phase> = view.services.iter().map(|service| service.incident.phase).collect();
    let state = if phases.contains(&Phase::NotRecovered) {
        "Merged, and not recovered"
    } else if !phases.is_empty() && phases.iter().all(|phase| *phase == Phase::Recovered) {
        "Recovered"
    } else if phases.contains(&Phase::NotEffective) {
        "Merged, and not in effect"
    } else if phases.contains(&Phase::Unverified) {
        "Merged; whether it recovered is not known"
    } else {
        "Merged; the recovery is watched"
    };
    let landed = view.services.iter().find_map(|service| service.incident.landed.as_ref());
    let by = landed.map(|landed| format!(", {}", neutral::plain(&report::landed_by(landed)).as_str())).unwrap_or_default();
    (state, Markdown::trusted(format!("The revert landed as {commit}{by}.")))
}

/// What stands against merging beside a missing approval, once each.
fn stops(view: &ProposalView<'_>) -> Vec<Markdown> {
    let mut said = Vec::new();
    for refusal in view.decisions().into_iter().flat_map(|decision| &decision.refusals) {
        let sentence = neutral::sentence(&refusal.sentence);
        if !refusal.code.is_lifted_by_approval() && !said.contains(&sentence) {
            said.push(sentence);
        }
    }
    said.extend(view.proposal.waits.as_ref().map(|waits| neutral::sentence(&waits.why)));
    if let Some(failed) = &view.proposal.failed {
        said.push(Markdown::trusted(format!("The last try did not work: {}", neutral::sentence(&failed.why).as_str())));
    }
    said
}

/// Who has allowed the plan that is shown now.
fn approvals(proposal: &Proposal) -> Vec<ByContext> {
    proposal.allowed_by().into_iter().map(|(by, at)| ByContext { by: neutral::plain(by), at: Markdown::trusted(at.to_string()) }).collect()
}

/// What stands out where the service runs, as long as the story goes on.
fn out_of_step(incident: &crate::engine::incident::Incident) -> Option<Markdown> {
    let note = incident.sync.as_ref().filter(|_| incident.ending.is_none())?;
    let mut sentence = note.sentence(&incident.instance);
    sentence.push('.');
    Some(neutral::sentence(&sentence))
}

fn recovery(incident: &crate::engine::incident::Incident) -> Option<Markdown> {
    let sentence = incident.sentence.as_ref().or_else(|| incident.recovery.as_ref().map(|recovery| &recovery.sentence))?;
    Some(neutral::sentence(&as_sentence(sentence)))
}

fn happened(proposal: &Proposal) -> Vec<Markdown> {
    let skipped = proposal.told.len().saturating_sub(MOST_HAPPENED);
    proposal.told[skipped..]
        .iter()
        .map(|told| {
            let (by, command) = (neutral::plain(&told.by), neutral::code(&told.command));
            let answer = match &told.answer {
                CommandAnswer::Accepted => Markdown::trusted("done"),
                CommandAnswer::Refused { sentence } => Markdown::trusted(format!("refused. {}", neutral::sentence(sentence).as_str())),
            };
            Markdown::trusted(format!("{}, {}: {}, {}", told.at, by.as_str(), command.as_str(), answer.as_str()))
        })
        .chain(proposal.silence.map(silence))
        .collect()
}

fn silence(ended: EndedSilence) -> Markdown {
    let what = match ended.then {
        Silence::Escalate => "told again, louder",
        Silence::Withdraw => "taken back",
        Silence::Merge => "merged",
    };
    Markdown::trusted(format!("{}: nobody had answered for {}; {what}", ended.at, spoken(ended.at.since(ended.since))))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{HEAD, Story, Words, at};
    use super::*;
    use crate::engine::consent::{Hold, SaidId, UserId};
    use crate::engine::fact::{Ending, Event, LandedBy};
    use crate::engine::time::Interval;
    use crate::engine::verification::{Recovery, RecoveryStanding};

    fn told(story: &Story) -> String {
        text(&Templates::built_in().unwrap(), &story.view()).unwrap()
    }

    fn answered(story: &Story, number: u64, by: &str, command: &str, answer: CommandAnswer) -> Event {
        Event::CommandAnswered {
            proposal: story.key(),
            said: SaidId::Comment(number),
            by: by.to_owned(),
            command: command.to_owned(),
            answer,
        }
    }

    #[test]
    fn it_says_what_to_type_who_holds_it_and_what_stands_against_it() {
        let mut story = Story::proposed(Words::honest());
        let refused = CommandAnswer::Refused { sentence: "`mallory` may not approve.".to_owned() };
        let (approved, no) =
            (answered(&story, 2, "robin", "approve", CommandAnswer::Accepted), answered(&story, 3, "mallory", "approve", refused));
        story.tell(120, approved);
        story.tell(121, no);
        let hold = Hold { said: SaidId::Comment(4), by: UserId(4), login: "dana".to_owned(), at: at(125) };
        story.tell(126, Event::HoldsChanged { proposal: story.key(), holds: vec![hold] });
        insta::assert_snapshot!(told(&story), @r"
        <!-- revertd:proposal c0db89ac7db7 -->
        ### Held

        Nothing is merged while somebody holds it.

        Who approves: somebody with the role `write` or more, or a member of `shop/sre`. Write this in a comment, on a line of its own:

        ```text
        /revertd approve 5df0fac76b93
        ```

        * The mode of `checkout` is propose.
        * Held by dana since 2026-11-21T03:02:05Z. `/revertd resume` lifts it.
        * Approved by robin at 2026-11-21T03:02:00Z.

        **`checkout`**: proposed. Time: detect 2s, decide 1s.

        <details><summary>Who did what</summary>

        * 2026-11-21T03:02:00Z, robin: `approve`, done
        * 2026-11-21T03:02:01Z, mallory: `approve`, refused. `mallory` may not approve.

        </details>

        Plan `5df0fac76b936419b2fb16a4c76451aec89235bb6aa160b2fda46d4ed2b0db61`
        ");
    }

    #[test]
    fn it_ends_with_how_the_service_recovered_and_how_long_it_took() {
        let mut story = Story::proposed(Words::honest());
        let plan = story.view().proposal.plan_digest().unwrap();
        let landed = Interval::new(at(130), at(131));
        story.tell(
            131,
            Event::RevertLanded {
                proposal: story.key(),
                commit: HEAD,
                plan,
                landed,
                by: LandedBy::Person,
                approved_by: Vec::new(),
                not_the_plan: Vec::new(),
            },
        );
        let recovery = Recovery {
            standing: RecoveryStanding::Improving,
            effective: landed,
            sentence: "1 of 9 rounds were bad".to_owned(),
            unpassed: None,
        };
        story.tell(140, Event::Verified { incident: story.incident(), recovery });
        assert!(
            told(&story).contains("### Merged; the recovery is watched") && told(&story).contains("1 of 9 rounds were bad."),
            "{}",
            told(&story)
        );
        let sentence = "healthy for 5m (needs 5m): the last 300 rounds were good".to_owned();
        story.tell(440, Event::Ended { incident: story.incident(), ending: Ending::Recovered, sentence });
        insta::assert_snapshot!(told(&story), @r"
        <!-- revertd:proposal c0db89ac7db7 -->
        ### Recovered

        The revert landed as 1111111111111111111111111111111111111111, merged by a person.


        **`checkout`**: recovered. Healthy for 5m (needs 5m): the last 300 rounds were good. Time: detect 2s, decide 1s, act 27s, verify 5m 9s.

        Plan `5df0fac76b936419b2fb16a4c76451aec89235bb6aa160b2fda46d4ed2b0db61`
        ");
    }

    #[test]
    fn an_approval_of_an_older_plan_is_history() {
        let mut story = Story::proposed(Words::honest());
        // Written before the plan was shown.
        let early = answered(&story, 2, "robin", "approve", CommandAnswer::Accepted);
        story.tell(90, early);
        assert!(!told(&story).contains("Approved by robin") && told(&story).contains("robin: `approve`, done"), "{}", told(&story));
    }

    #[test]
    fn every_way_to_close_says_what_follows() {
        for (how, words) in [
            (ProposalClosing::Vetoed, "leaves it closed"),
            (ProposalClosing::Disowned { head: HEAD }, "the branch is yours"),
            (ProposalClosing::Withdrawn, "healthy again"),
            (ProposalClosing::Superseded, "A person was first"),
        ] {
            let mut story = Story::proposed(Words::honest());
            story.tell(130, Event::ProposalClosed { proposal: story.key(), how });
            let text = told(&story);
            assert!(text.contains(words) && !text.contains("/revertd approve"), "{text}");
            assert!(text.starts_with(&mark(&story.key())));
        }
    }
}
