//! A grant to merge, had the only way there is: the engine decides, on an approval of exactly this plan.

use revertd::config;
use revertd::engine::approval::{Approval, ApprovalSource, MergeGrant};
use revertd::engine::attribution::Attribution;
use revertd::engine::broken_sync::Broke;
use revertd::engine::decision::{Action, decide};
use revertd::engine::id::{BranchName, CommitId, IncidentId, InstanceName, TreeId};
use revertd::engine::plan::{CleanInverse, Inverse, InverseMethod, Plan, PlanKind};
use revertd::engine::policy::{Limits, Mode};
use revertd::engine::situation::{Ceiling, History, InverseResult, ProposalBranch, ProposalEvidence, ServiceEvidence, Signing, Situation};
use revertd::engine::time::{Interval, Timestamp};
use revertd::engine::together::Findings;

const AGENT: &str = "apiVersion: revertd.dev/v1alpha1\nkind: Agent\nspec:\n  journal: {sqlite: /tmp/unused.db}\n  repositories:\n    \
    - {name: manifests, url: \"file:///unused\", branch: main}\n";
const POLICY: &str = "apiVersion: revertd.dev/v1alpha1\nkind: RevertPolicy\nmetadata: {name: checkout}\nspec:\n  repository: manifests\n  \
    paths: [\"apps/checkout/**\"]\n  sync: {lag: 2s}\n  slos:\n    - name: up\n      indicator: {http: {url: \"http://127.0.0.1:1/\", every: 1s, \
    timeout: 500ms}}\n      alerts: [{failing: {count: 3, of: 5}}]\n  revert: {mode: propose}\n";

/// A grant to land something on this head.
pub fn grant(onto: CommitId) -> MergeGrant {
    let now = Timestamp::from_secs(1_795_230_000);
    let loaded = config::load_texts(("agent.yaml", AGENT), &[("policy.yaml".to_owned(), POLICY.to_owned())]).unwrap();
    let policy = loaded.policies.into_iter().next().unwrap();
    let branch = BranchName::new("main");
    let inverse = inverse(onto);
    let plan = Plan::new(branch.clone(), PlanKind::Revert, &[onto], &inverse.paths);
    let incident = IncidentId::new("1");
    let approval = Approval {
        incident: incident.clone(),
        proposal: plan.key(),
        plan: plan.digest(),
        by: "robin".to_owned(),
        source: ApprovalSource::CommandLine,
        force: None,
        at: now,
        expires: Timestamp::from_secs(now.secs() + 3600),
    };
    let attribution =
        Attribution { onset: Interval { after: None, by: now }, candidates: Vec::new(), suspects: vec![onto], broke: Broke::Objectives };
    let situation = Situation {
        now,
        incident,
        service: ServiceEvidence::measured(policy, InstanceName::new("default"), Vec::new()).into(),
        elsewhere: Vec::new(),
        others: Vec::new(),
        controls: Vec::new().into(),
        ceilings: vec![Ceiling { of: "the agent".to_owned(), max_mode: Mode::Merge }],
        repository_limits: Limits::default(),
        branch,
        head: onto,
        stop: None,
        pauses: Vec::new(),
        kill_switches: Vec::new(),
        landings: Vec::new().into(),
        attribution: Some(attribution),
        inverse: Some(InverseResult::Built(Inverse::Clean(inverse))),
        proposal: Some(proposal(&plan, approval)),
        history: History::default(),
        joint: Vec::new(),
        open_work: Vec::new(),
        signing: Signing::Own,
        asked: Vec::new(),
        findings: Findings::default(),
    };
    let decision = decide(&situation);
    match decision.action {
        Action::Merge { grant, .. } => grant,
        other => panic!("an approved plan is merged, not {other:?}: {:?}", decision.record),
    }
}

fn inverse(onto: CommitId) -> CleanInverse {
    CleanInverse {
        base: onto,
        tree: TreeId([1; 20]),
        method: InverseMethod::Exact,
        paths: Vec::new().into(),
        kind: PlanKind::Revert,
        account: None,
        grade: None,
        earlier: revertd::engine::plan::EarlierState::NotLooked,
        brings_back: Vec::new(),
        protected: Vec::new(),
        rendered: std::collections::BTreeMap::new(),
    }
}

fn proposal(plan: &Plan, approval: Approval) -> ProposalEvidence {
    ProposalEvidence {
        key: plan.key(),
        closing: None,
        branch: ProposalBranch::Present,
        approvals: vec![approval],
        holds: Vec::new(),
        failed: None,
        merge_rejected: None,
        silent_since: None,
    }
}
