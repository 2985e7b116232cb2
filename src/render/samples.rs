//! A story for the tests of this module: checkout breaches after its image was bumped.

use std::collections::BTreeMap;
use std::time::Duration;

use super::proposal::{Author, ProposalView, ServiceView};
use crate::engine::attribution::{Attribution, Candidate, Standing};
use crate::engine::broken_sync::{Broke, OnSyncFailure};
use crate::engine::change::Entry;
use crate::engine::consent::{ApprovalSource, ConsentRules, FourEyes, Publication, Role};
use crate::engine::decision::{DecisionRecord, DecisionVerdict};
use crate::engine::fact::{CommitText, Event, Fact, Intent};
use crate::engine::guardrail::{Refusal, RefusalCode};
use crate::engine::id::{
    BranchName, CommitId, EffectId, EntryId, IncidentId, InstanceName, PolicyName, ProposalKey, RepositoryName, SituationDigest, SloName,
    TreeId,
};
use crate::engine::incident::State;
use crate::engine::object::{FileChange, ObjectChange, changes};
use crate::engine::plan::{Plan, PlanKind, PlannedPath};
use crate::engine::policy::{
    Alert, AlertRule, BreachWhen, Guardrails, HttpIndicator, Indicator, Instance, Limits, Mode, Objective, PathSet, Policy, RevertRules,
    Scope, Slo, Sync, Unreachable, VerifyRules,
};
use crate::engine::time::{Interval, Timestamp};

pub const SUSPECT: CommitId = CommitId([0xab; 20]);
pub const OTHER: CommitId = CommitId([0xcd; 20]);
pub const HEAD: CommitId = CommitId([0x11; 20]);
pub const BEGIN: Timestamp = Timestamp::from_secs(1_795_230_000);

/// `BEGIN` and this many seconds.
pub fn at(seconds: u64) -> Timestamp {
    BEGIN + Duration::from_secs(seconds)
}

/// The words in a story that come from outside.
#[derive(Clone, Debug)]
pub struct Words {
    pub subject: String,
    pub author: String,
    pub path: String,
    pub arithmetic: String,
    pub refusal: String,
}

impl Words {
    pub fn honest() -> Self {
        Self {
            subject: "checkout: 1.5.0".into(),
            author: "Dana Doe".into(),
            path: "apps/checkout/deployment.yaml".into(),
            arithmetic: "`up` 5 of 5 rounds failed (HTTP 500)".into(),
            refusal: "The mode of `checkout` is propose.".into(),
        }
    }

    /// The same words everywhere.
    pub fn all(text: &str) -> Self {
        Self { subject: text.into(), author: text.into(), path: text.into(), arithmetic: text.into(), refusal: text.into() }
    }
}

pub fn policy() -> Policy {
    Policy {
        name: PolicyName::new("checkout"),
        labels: BTreeMap::new(),
        repository: RepositoryName::new("manifests"),
        environment: None,
        paths: PathSet { include: vec!["apps/checkout/**".into()], exclude: Vec::new() },
        instances: vec![Instance {
            name: InstanceName::default_instance(),
            cluster: None,
            labels: BTreeMap::new(),
            sync: Sync::Lag(Duration::from_secs(180)),
        }],
        depends_on: Vec::new(),
        slos: vec![Slo {
            name: SloName::new("up"),
            indicator: Indicator::Http(HttpIndicator {
                url: "http://checkout.example/healthz".into(),
                every: Duration::from_secs(1),
                timeout: Duration::from_millis(500),
                expect_status: vec![200],
                unreachable: Unreachable::Unknown,
            }),
            objective: Objective { target: None, max: None, min: None, time_window: None },
            alert: Alert { rule: AlertRule::Failing { count: 3, of: 5 }, recover_good: None, up_to: Mode::Merge },
            further: Vec::new(),
        }],
        corroborating: Vec::new(),
        reported: Vec::new(),
        breach_when: BreachWhen::Any,
        revert: RevertRules {
            on_sync_failure: OnSyncFailure::Propose,
            mode: Mode::Propose,
            scope: Scope::Commit,
            settle: Duration::from_secs(60),
            attribute_within: Duration::from_secs(3600),
            max_age_merge: Duration::from_secs(3600),
            max_age_propose: Duration::from_secs(86_400),
        },
        guardrails: Guardrails {
            cooldown: Duration::from_secs(600),
            limits: Limits::default(),
            merge_hours: Vec::new(),
            further_hours: Vec::new(),
            maintenance: Vec::new(),
            max_services: 1,
            max_objects: 20,
            never_back_to: Vec::new(),
            never: crate::engine::irrevertible::Never::default(),
            assurance: crate::engine::assurance::Assurance::default(),
        },
        approval: ConsentRules {
            from: vec![ApprovalSource::Role(Role::Write), ApprovalSource::Team("shop/sre".into())],
            count: 1,
            four_eyes: FourEyes::NotNeeded,
            force: Vec::new(),
            if_silent: None,
            expires: Duration::from_secs(4 * 3600),
        },
        verify: VerifyRules { recover_within: Duration::from_secs(900), hold_for: Duration::from_secs(300), checks: Vec::new() },
        links: BTreeMap::from([("runbook".to_owned(), "https://wiki.shop.example/checkout".to_owned())]),
        notify: Vec::new(),
    }
}

/// A story as facts tell it; it goes on with [`Story::tell`].
pub struct Story {
    pub state: State,
    pub policy: Policy,
    pub words: Words,
    pub facts: Vec<Fact>,
}

impl Story {
    /// A proposal that was published and waits.
    pub fn proposed(words: Words) -> Self {
        let mut story = Self { state: State::default(), policy: policy(), words, facts: Vec::new() };
        let incident = IncidentId::new("checkout-0123456789");
        let onset = Interval::new(at(100), at(101));
        story.tell(
            103,
            Event::Detected {
                incident: incident.clone(),
                policy: PolicyName::new("checkout"),
                instance: InstanceName::default_instance(),
                cluster: None,
                repository: RepositoryName::new("manifests"),
                onset,
                arithmetic: vec![story.words.arithmetic.clone()],
            },
        );
        let candidate = |commit, standing, subject: &str| Candidate {
            commit,
            subject: subject.to_owned(),
            landed: Interval::new(at(90), at(91)),
            applied: Some(Interval::new(at(90), at(95))),
            touches: vec![PolicyName::new("checkout")],
            standing,
            because: format!("it changed {} right before the breach", story.words.path),
            evidence: None,
        };
        let attribution = Attribution {
            onset,
            candidates: vec![
                candidate(SUSPECT, Standing::Suspect, &story.words.subject),
                candidate(OTHER, Standing::RuledOut, &story.words.subject),
            ],
            suspects: vec![SUSPECT],
            broke: Broke::Objectives,
        };
        story.tell(103, Event::Attributed { incident: incident.clone(), attribution });
        let plan = story.plan();
        let decision = DecisionRecord {
            verdict: DecisionVerdict::Propose,
            proposal: Some(plan.key()),
            plan: Some(plan.digest()),
            refusals: vec![
                Refusal { code: RefusalCode::ModePropose, sentence: story.words.refusal.clone() },
                Refusal { code: RefusalCode::Paused, sentence: story.words.refusal.clone() },
            ],
            sentence: format!("It is proposed, not merged: {}", story.words.refusal),
        };
        story.tell(104, Event::Decided { incident, decision, situation: SituationDigest::new("0".repeat(64)) });
        story.publish(&plan);
        story
    }

    /// The branch is pushed, and the forge shows the proposal and its comment.
    fn publish(&mut self, plan: &Plan) {
        let intent = Intent {
            repository: RepositoryName::new("manifests"),
            proposal: plan.key(),
            incidents: vec![self.incident()],
            action: crate::engine::fact::EffectAction::OpenProposal,
            expected: None,
            new: Some(HEAD),
            commit: Some(CommitText {
                base: SUSPECT,
                tree: TreeId([1; 20]),
                message: super::neutral::harmless(&format!("Revert \"{}\"", self.words.subject)),
                name: "revertd".into(),
                email: "revertd@localhost".into(),
                seconds: 0,
            }),
            plan: Some(plan.clone()),
            account: None,
        };
        self.tell(105, Event::Intended { effect: EffectId::new("1"), intent });
        self.tell(106, Event::Done { effect: EffectId::new("1") });
        let (proposal, url) = (plan.key(), "https://github.com/shop/manifests/pull/7".to_owned());
        self.tell(107, Event::ProposalPublished { proposal: proposal.clone(), number: 7, url: url.clone(), plan: plan.digest() });
        let shown = Some(Publication { at: at(108), plan: plan.digest(), head: HEAD });
        self.tell(108, Event::StickyWritten { proposal, comment: 1, url, digest: String::new(), shown });
    }

    fn plan(&self) -> Plan {
        let entry = |byte| Some(Entry { mode: 0o100_644, id: EntryId([byte; 20]) });
        let paths = vec![PlannedPath { path: self.words.path.clone(), from: entry(1), to: entry(2) }].into();
        Plan::new(BranchName::new("main"), PlanKind::Revert, &[SUSPECT], &paths)
    }

    pub fn key(&self) -> ProposalKey {
        self.plan().key()
    }

    pub fn incident(&self) -> IncidentId {
        IncidentId::new("checkout-0123456789")
    }

    /// Adds a fact, this many seconds after the beginning.
    pub fn tell(&mut self, seconds: u64, event: Event) {
        let mut fact = Fact::after(None, at(seconds), event).unwrap();
        fact.sequence = self.facts.len() as u64 + 1;
        self.state.apply(&fact);
        self.facts.push(fact);
    }

    /// What is told of it now.
    pub fn view(&self) -> ProposalView<'_> {
        let author = |login: Option<&str>| Author { name: self.words.author.clone(), login: login.map(str::to_owned) };
        ProposalView {
            proposal: &self.state.proposals[&self.key()],
            services: vec![ServiceView {
                incident: &self.state.incidents[&self.incident()],
                policy: &self.policy,
                plot: None,
                healthy: Some(Interval::new(at(0), at(90))),
                budgets: vec!["This incident has spent 3.1% of the 30d error budget of `up`; 62% is left.".to_owned()],
            }],
            authors: BTreeMap::from([(SUSPECT, author(None)), (OTHER, author(None))]),
            objects: self.objects(),
            record: vec![crate::engine::afterwards::TrackRecord::default().sentence(&self.policy.name)],
            back: None,
        }
    }

    fn objects(&self) -> Vec<ObjectChange> {
        let name = serde_json::to_string(&self.words.path).unwrap();
        let manifest = |tag: &str, level: &str| {
            format!(
                "kind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n      containers:\n        - name: web\n          \
                 image: shop/checkout:{tag}\n          env: [{{name: LEVEL, value: {level}}}]\n"
            )
        };
        changes(&[FileChange { path: "a.yaml", before: Some(&manifest("1.5.0", "CANARY1")), after: Some(&manifest("1.4.2", "CANARY2")) }])
    }
}
