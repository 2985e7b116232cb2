use std::collections::BTreeMap;

use super::*;
use crate::engine::attribution::{Attribution, Candidate, Standing};
use crate::engine::broken_sync::Broke;
use crate::engine::consent::{Hold, Publication, SaidId, UserId};
use crate::engine::decision::DecisionRecord;
use crate::engine::fact::{CommandAnswer, CommitText, EffectAction, Event, Fact, Intent, Obstacle, ProposalClosing};
use crate::engine::guardrail::Refusal;
use crate::engine::id::{BranchName, CommitId, EffectId, InstanceName, NotifierName, PolicyName, SituationDigest, TreeId};
use crate::engine::message::Message;
use crate::engine::plan::{Plan, PlanKind};
use crate::engine::sync::follow::Finding;
use crate::engine::time::Interval;

const SUSPECT: CommitId = CommitId([0xab; 20]);
const HEAD: CommitId = CommitId([0x11; 20]);
const BEGIN: Timestamp = Timestamp::from_secs(1_795_230_000);

/// A journal in memory.
#[derive(Default)]
struct Story {
    state: State,
    facts: u64,
    forges: BTreeSet<RepositoryName>,
}

fn at(seconds: u64) -> Timestamp {
    BEGIN + Duration::from_secs(seconds)
}

fn manifests() -> RepositoryName {
    RepositoryName::new("manifests")
}

fn incident() -> IncidentId {
    IncidentId::new("checkout-0123456789")
}

fn plan() -> Plan {
    Plan::new(BranchName::new("main"), PlanKind::Revert, &[SUSPECT], &Vec::new().into())
}

impl Story {
    fn tell(&mut self, seconds: u64, event: Event) {
        let mut fact = Fact::after(None, at(seconds), event).unwrap();
        self.facts += 1;
        fact.sequence = self.facts;
        self.state.apply(&fact);
    }

    fn detected() -> Self {
        let mut story = Self::default();
        let onset = Interval::new(at(0), at(1));
        let (policy, instance) = (PolicyName::new("checkout"), InstanceName::default_instance());
        story.tell(
            3,
            Event::Detected {
                incident: incident(),
                policy,
                instance,
                cluster: None,
                repository: manifests(),
                onset,
                arithmetic: Vec::new(),
            },
        );
        let candidate = Candidate {
            commit: SUSPECT,
            subject: "checkout: 1.5.0".into(),
            landed: onset,
            applied: Some(onset),
            touches: Vec::new(),
            standing: Standing::Suspect,
            because: String::new(),
            evidence: None,
        };
        let attribution = Attribution { onset, candidates: vec![candidate], suspects: vec![SUSPECT], broke: Broke::Objectives };
        story.tell(3, Event::Attributed { incident: incident(), attribution });
        story
    }

    fn decided(&mut self, seconds: u64, verdict: DecisionVerdict, codes: &[RefusalCode]) {
        let refusals = codes.iter().map(|code| Refusal { code: *code, sentence: code.label() }).collect();
        let proposal = matches!(verdict, DecisionVerdict::Propose | DecisionVerdict::Merge).then(|| plan().key());
        let decision = DecisionRecord { verdict, proposal, plan: None, refusals, sentence: String::new() };
        self.tell(seconds, Event::Decided { incident: incident(), decision, situation: SituationDigest::new("0") });
    }

    /// The branch is on its way.
    fn intended(&mut self, seconds: u64) {
        self.decided(seconds, DecisionVerdict::Propose, &[RefusalCode::ModePropose]);
        let commit = CommitText {
            base: SUSPECT,
            tree: TreeId([1; 20]),
            message: String::new(),
            name: String::new(),
            email: String::new(),
            seconds: 0,
        };
        let intent = Intent {
            repository: manifests(),
            proposal: plan().key(),
            incidents: vec![incident()],
            action: EffectAction::OpenProposal,
            expected: None,
            new: Some(HEAD),
            plan: Some(plan()),
            commit: Some(commit),
            account: None,
        };
        self.tell(seconds, Event::Intended { effect: EffectId::new("1"), intent });
    }

    fn proposed() -> Self {
        let mut story = Self::detected();
        story.intended(5);
        story.tell(6, Event::Done { effect: EffectId::new("1") });
        story
    }

    fn news(&self, seconds: u64) -> Vec<News> {
        news(&self.state, Setting { now: at(seconds), forges: &self.forges })
    }

    /// The keys of the news, without the ids in them.
    fn keys(&self, seconds: u64) -> Vec<String> {
        let (plan, key) = (plan().digest().to_string(), plan().key().to_string());
        let short = |key_of: String| key_of.replace(&plan, "PLAN").replace(&key, "KEY").replace(incident().as_str(), "ID");
        self.news(seconds).into_iter().map(|news| short(news.key)).collect()
    }

    /// Has everything told that is new.
    fn told(&mut self, seconds: u64) -> Vec<String> {
        let keys = self.keys(seconds);
        for news in self.news(seconds) {
            self.tell(seconds, queued(&news.key, &news.thread));
        }
        assert_eq!(self.keys(seconds), Vec::<String>::new(), "it is told once");
        keys
    }

    fn landed(&mut self, seconds: u64, by: LandedBy) {
        let landed = Interval::new(at(seconds - 1), at(seconds));
        let plan_digest = plan().digest();
        self.tell(
            seconds,
            Event::RevertLanded {
                proposal: plan().key(),
                commit: HEAD,
                plan: plan_digest,
                landed,
                by,
                approved_by: Vec::new(),
                not_the_plan: vec![],
            },
        );
    }

    fn ended(&mut self, seconds: u64, ending: Ending) {
        self.tell(seconds, Event::Ended { incident: incident(), ending, sentence: String::new() });
    }
}

fn message(key: &str, thread: &str) -> Message {
    Message {
        key: key.to_owned(),
        thread: thread.to_owned(),
        event: MessageEvent::Proposed,
        service: None,
        labels: BTreeMap::new(),
        title: String::new(),
        lines: Vec::new(),
        link: None,
        command: None,
    }
}

fn oncall() -> NotifierName {
    NotifierName::new("oncall")
}

fn queued(key: &str, thread: &str) -> Event {
    Event::NotificationQueued { message: message(key, thread), notifiers: vec![oncall()] }
}

#[test]
fn a_story_is_told_step_by_step_and_each_step_once() {
    let mut story = Story::detected();
    assert_eq!(story.told(4), Vec::<String>::new(), "a breach is no news before something is made of it");
    story.intended(5);
    assert_eq!(story.told(5), Vec::<String>::new(), "nobody can read it yet");
    story.tell(6, Event::Done { effect: EffectId::new("1") });
    assert_eq!(story.told(6), ["KEY/proposed/PLAN"]);
    let said = |by: &str, number| Event::CommandAnswered {
        proposal: plan().key(),
        said: SaidId::Comment(number),
        by: by.to_owned(),
        command: "approve".to_owned(),
        answer: CommandAnswer::Accepted,
    };
    story.tell(20, said("robin", 1));
    assert_eq!(story.told(20), Vec::<String>::new(), "one of two is no approval");
    story.tell(21, said("dana", 2));
    story.decided(21, DecisionVerdict::Merge, &[]);
    let approved = story.news(21).remove(0).matter;
    assert_eq!(approved, Matter::Approved { proposal: plan().key(), by: "dana and robin".into() });
    assert_eq!(story.told(21), ["KEY/approved/PLAN"]);
    story.landed(22, LandedBy::Revertd);
    assert_eq!(story.told(22), ["KEY/merged"]);
    story.ended(90, Ending::Recovered);
    assert_eq!(story.news(90)[0].event, MessageEvent::Recovered);
    assert_eq!(story.told(90), ["ID/ended/KEY"]);
    assert!(story.news(90).is_empty());
}

#[test]
fn what_a_crash_kept_from_being_told_is_told_in_order() {
    let mut story = Story::proposed();
    story.tell(
        20,
        Event::CommandAnswered {
            proposal: plan().key(),
            said: SaidId::Comment(1),
            by: "robin".into(),
            command: "approve".into(),
            answer: CommandAnswer::Accepted,
        },
    );
    story.decided(20, DecisionVerdict::Merge, &[]);
    story.landed(20, LandedBy::Revertd);
    assert_eq!(story.keys(20), ["KEY/approved/PLAN", "KEY/merged"]);
    assert_eq!(story.keys(20 + 24 * 3600), Vec::<String>::new(), "a day later everybody knows");
}

#[test]
fn on_a_forge_a_proposal_is_told_once_its_comment_shows_this_plan() {
    let mut story = Story::proposed();
    story.forges.insert(manifests());
    assert_eq!(story.keys(7), Vec::<String>::new());
    let (proposal, url) = (plan().key(), "https://git.example/x/pull/7#issuecomment-1".to_owned());
    let written = |plan, seconds| Event::StickyWritten {
        proposal: proposal.clone(),
        comment: 1,
        url: url.clone(),
        digest: String::new(),
        shown: Some(Publication { at: at(seconds), plan, head: HEAD }),
    };
    story.tell(8, written(crate::engine::id::PlanDigest::new("another"), 8));
    assert_eq!(story.keys(8), Vec::<String>::new());
    story.tell(9, written(plan().digest(), 9));
    assert_eq!(story.keys(9), ["KEY/proposed/PLAN"]);
}

#[test]
fn it_waits_for_a_quarter_of_an_hour_unless_somebody_looked() {
    let mut story = Story::proposed();
    story.told(6);
    let due = 5 + 15 * 60;
    assert_eq!((story.keys(due - 1).len(), story.keys(due)), (0, vec!["KEY/waiting".to_owned()]));
    let hold = Hold { said: SaidId::Comment(4), by: UserId(4), login: "dana".into(), at: at(60) };
    story.tell(60, Event::HoldsChanged { proposal: plan().key(), holds: vec![hold] });
    assert_eq!(story.keys(due), Vec::<String>::new());
}

#[test]
fn a_refusal_is_told_where_a_person_can_do_something_and_once_it_lasts() {
    for (codes, told) in [
        (&[RefusalCode::Paused][..], Some("ID/refused/paused")),
        (&[RefusalCode::ControlsFailing], Some("ID/refused/controlsFailing")),
        (&[RefusalCode::RepositoryStopped, RefusalCode::Paused], Some("ID/refused/repositoryStopped")),
        (&[RefusalCode::ProposeBudget], Some("ID/refused/proposeBudget")),
        (&[RefusalCode::ModeObserve], None),
        (&[RefusalCode::NoSuspect], None),
        (&[RefusalCode::SharedFate], None),
    ] {
        let mut story = Story::detected();
        story.decided(4, DecisionVerdict::Refuse, codes);
        assert_eq!(story.keys(33), Vec::<String>::new());
        assert_eq!(story.keys(34), told.into_iter().map(str::to_owned).collect::<Vec<_>>(), "{codes:?}");
    }
    let mut waits = Story::detected();
    waits.decided(4, DecisionVerdict::Wait, &[RefusalCode::Paused]);
    assert_eq!(waits.keys(60), Vec::<String>::new());
}

#[test]
fn an_end_closes_what_was_told_and_opens_nothing() {
    let conflict = Ending::Refused { code: RefusalCode::Conflict.label() };
    let vetoed = Ending::Refused { code: RefusalCode::Vetoed.label() };
    // Ending, news where nothing was told before, event where the proposal was.
    for (ending, quiet, event) in [
        (Ending::Withdrawn, 0, MessageEvent::Recovered),
        (Ending::Superseded { by: None }, 0, MessageEvent::Recovered),
        (vetoed, 0, MessageEvent::Closed),
        (conflict, 1, MessageEvent::Refused),
        (Ending::Unverified, 0, MessageEvent::NotRecovered),
    ] {
        let mut silent = Story::detected();
        silent.decided(4, DecisionVerdict::Refuse, &[]);
        silent.ended(60, ending.clone());
        assert_eq!(silent.keys(60).len(), quiet, "{ending:?}");
        let mut story = Story::proposed();
        story.told(6);
        story.tell(59, Event::ProposalClosed { proposal: plan().key(), how: ProposalClosing::Withdrawn });
        story.ended(60, ending);
        let news = story.news(60);
        assert_eq!((news.len(), news[0].event, news[0].thread.clone()), (1, event, plan().key().to_string()));
    }
    let mut observed = Story::detected();
    observed.decided(4, DecisionVerdict::Refuse, &[RefusalCode::ModeObserve, RefusalCode::Conflict]);
    observed.ended(5, Ending::Refused { code: RefusalCode::Conflict.label() });
    assert_eq!(observed.keys(60), Vec::<String>::new(), "who only watches is told nothing");
}

#[test]
fn a_refusal_that_was_told_is_closed_in_its_own_thread_too() {
    let mut story = Story::detected();
    story.decided(4, DecisionVerdict::Refuse, &[RefusalCode::Paused]);
    assert_eq!(story.told(40), ["ID/refused/paused"]);
    story.intended(50);
    story.tell(51, Event::Done { effect: EffectId::new("1") });
    assert_eq!(story.told(51), ["KEY/proposed/PLAN"]);
    story.landed(60, LandedBy::Person);
    story.told(60);
    story.ended(90, Ending::Recovered);
    let mut threads: Vec<String> = story.news(90).into_iter().map(|news| news.thread).collect();
    threads.sort();
    let mut expected = vec![incident().to_string(), plan().key().to_string()];
    expected.sort();
    assert_eq!(threads, expected);
}

#[test]
fn a_revert_that_cannot_be_brought_out_is_told_with_why() {
    let unreachable = Impairment::Unreachable { repository: manifests() };
    let mut story = Story::detected();
    story.intended(5);
    assert_eq!(story.keys(100), Vec::<String>::new());
    story.tell(70, Event::Impaired { what: unreachable.clone(), sentence: "no route".into() });
    assert_eq!(story.told(70), ["agent/unreachable/manifests/1795230070000/impaired", "KEY/stranded/PLAN/1795230070000"]);
    story.tell(80, Event::Done { effect: EffectId::new("1") });
    story.tell(80, Event::Restored { what: unreachable });
    assert_eq!(story.told(80).len(), 2, "that it is over, and the proposal");
    story.tell(200, Event::Impaired { what: Impairment::Unreachable { repository: manifests() }, sentence: "no route".into() });
    assert!(story.told(200).contains(&"KEY/stranded/PLAN/1795230200000".to_owned()), "another outage is told, and the plan is the same");

    let mut refused = Story::detected();
    for round in 1..=3 {
        assert_eq!(refused.keys(10 * round), Vec::<String>::new());
        refused.intended(10 * round);
        let (cause, why) = (Obstacle::Rejected, "protected".to_owned());
        refused.tell(10 * round, Event::EffectRefused { effect: EffectId::new("1"), cause, why });
    }
    assert_eq!(refused.news(30)[0].matter, Matter::Stranded { proposal: plan().key(), why: "protected".into() });
}

#[test]
fn what_impaired_the_agent_is_over_only_for_those_who_heard_of_it() {
    let mut story = Story::default();
    story.tell(1, Event::Impaired { what: Impairment::Controls, sentence: "silent".into() });
    story.tell(2, Event::Restored { what: Impairment::Controls });
    assert_eq!(story.keys(2), Vec::<String>::new());
    story.tell(3, Event::Impaired { what: Impairment::Controls, sentence: "silent".into() });
    assert_eq!(story.told(3), ["agent/controls/1795230003000/impaired"]);
    story.tell(4, Event::Restored { what: Impairment::Controls });
    assert_eq!(story.told(4), ["agent/controls/1795230003000/restored"]);
    story.tell(5, Event::Impaired { what: Impairment::Controls, sentence: "again".into() });
    assert_eq!(story.told(5), ["agent/controls/1795230005000/impaired"], "each time is another");
}

#[test]
fn a_message_waits_until_it_is_delivered_or_dropped() {
    let mut story = Story::default();
    let (first, second) = (NotifierName::new("a"), NotifierName::new("b"));
    let key = "k@one".to_owned();
    let notifiers = vec![first.clone(), second.clone()];
    story.tell(1, Event::NotificationQueued { message: message(&key, "t@one"), notifiers });
    assert!(story.state.notifications.was_queued("k") && story.state.notifications.has_thread("t"));
    story.tell(2, Event::NotificationTried { key: key.clone(), notifier: first.clone() });
    let tried: Vec<_> =
        story.state.notifications.waiting().map(|(sequence, name, waiting)| (sequence, name.clone(), waiting.tried)).collect();
    assert_eq!(tried, [(1, first.clone(), Some(at(2))), (1, second.clone(), None)]);
    story.tell(3, Event::Notified { key: key.clone(), notifier: first.clone(), thread: Some("x".into()) });
    assert_eq!(story.state.notifications.thread(&first, "t@one"), Some("x"));
    assert_eq!(story.state.notifications.thread(&second, "t@one"), None);
    story.tell(4, Event::NotificationDropped { key, notifier: second, why: String::new() });
    assert_eq!(story.state.notifications.waiting().count(), 0);
    assert!(story.state.notifications.was_queued("k"));
}

#[test]
fn what_stands_in_the_way_of_a_revert_is_told_once_until_it_is_over() {
    let mut story = Story::detected();
    let finding = |finding| Event::SyncNoted { incident: incident(), commit: HEAD, instance: None, finding };
    let told = |story: &Story, seconds: u64| {
        let found = news(&story.state, Setting { now: at(seconds), forges: &story.forges });
        found.into_iter().filter(|news| news.event == MessageEvent::OutOfStep).map(|news| news.key).collect::<Vec<_>>()
    };
    story.tell(10, finding(Some(Finding::Paused)));
    assert_eq!(told(&story, 39), Vec::<String>::new(), "it may pass");
    let key = format!("{}/sync/{}/paused", incident(), HEAD.short());
    assert_eq!(told(&story, 40), [key]);
    story.tell(50, finding(None));
    assert_eq!(told(&story, 90), Vec::<String>::new());
}
