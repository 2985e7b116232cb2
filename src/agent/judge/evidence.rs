//! A case as the engine sees it at a time: rounds and controls that had ended, landings and applied facts that were known.

mod failing;
mod lines;

use std::cell::{OnceCell, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};

use self::failing::Tries;
use self::lines::{applied, controls, digest, entry, grade, landing, services};
use crate::agent::passing::Evidence;
use crate::agent::situations::OTHERS_BEFORE;
use crate::config::judge_file::{Case, ChangeLine, HistoryKind, HistoryLine, InverseStatus, LandingKind, LandingLine};
use crate::engine::attribution::{Attribution, attribute};
use crate::engine::change::{Change, ChangeKind};
use crate::engine::fact::ProposalClosing;
use crate::engine::grade::{self};
use crate::engine::id::{BranchName, CommitId, IncidentId, InstanceName, TreeId};
use crate::engine::landing::{Landing, Stop};
use crate::engine::plan::{CleanInverse, EarlierState, Inverse, InverseMethod, PlanKind, PlannedPath, proposal_key};
use crate::engine::policy::Policy;
use crate::engine::round::Round;
use crate::engine::shared::{Memo, Shared};
use crate::engine::situation::{
    ControlEvidence, History, InverseResult, MergedRevert, OpenedProposal, ProposalBranch, ProposalEvidence, ServiceEvidence, Signing,
    Situation, SloSeries,
};
use crate::engine::sync::applied::AppliedFact;
use crate::engine::time::{Interval, Timestamp};
use crate::engine::together::Findings;

/// Everything of a case in the engine's own words, in the order of time.
pub(super) struct CaseEvidence<'a> {
    case: &'a Case,
    /// Each instance of each policy: the policy's position, and the instance.
    places: Vec<(usize, InstanceName)>,
    /// The rounds in each of them.
    services: Vec<Vec<SloSeries>>,
    /// When each landing was applied there.
    applied: Vec<Vec<Applied>>,
    /// What failed there.
    tries: Vec<Tries>,
    controls: Vec<ControlEvidence>,
    landings: Vec<Landing>,
    kinds: Vec<LandingKind>,
    lines: BTreeMap<CommitId, &'a ChangeLine>,
    branch: BranchName,
    gathered: RefCell<Gathered>,
    undoings: Memo<Vec<CommitId>, Undoing>,
}

/// What was gathered for one time: every decision at that time is made from the same.
#[derive(Default)]
struct Gathered {
    now: Option<Timestamp>,
    landings: Shared<Vec<Landing>>,
    controls: OnceCell<Shared<Vec<ControlEvidence>>>,
    /// By the place, and by how many rounds of each series are left out because they are too old.
    services: Memo<(usize, Vec<usize>), Shared<ServiceEvidence>>,
}

/// What the lines of some suspects say of undoing them, whenever that is.
#[derive(Clone)]
struct Undoing {
    paths: Shared<Vec<PlannedPath>>,
    grade: Shared<grade::Grade>,
}

/// When a landing was applied somewhere.
#[derive(Clone, Copy)]
struct Applied {
    to: CommitId,
    earliest: Timestamp,
    /// Known from then on.
    latest: Timestamp,
    effective: Timestamp,
}

impl<'a> CaseEvidence<'a> {
    pub(super) fn of(case: &'a Case) -> Self {
        let observed = &case.observed;
        let mut lines: Vec<&LandingLine> = observed.landings.iter().collect();
        // Landings of the same time are told apart by what they brought, so that their order in the file says nothing.
        lines.sort_by_cached_key(|line| (line.latest, line.earliest, line.changes.last().map(|change| change.commit)));
        let branch = BranchName::new(lines.last().map_or("main", |line| line.branch.as_str()));
        let mut landings: Vec<Landing> = Vec::new();
        for line in &lines {
            let from = landings.last().map(|landing: &Landing| landing.to);
            landings.extend(case.policies.first().map(|policy| landing(line, from, policy)));
        }
        let instances =
            |(index, policy): (usize, &Policy)| policy.instances.iter().map(|instance| (index, instance.name.clone())).collect::<Vec<_>>();
        let places: Vec<(usize, InstanceName)> = case.policies.iter().enumerate().flat_map(instances).collect();
        Self {
            case,
            services: services(case, &places),
            applied: places.iter().map(|(index, name)| applied(&case.policies[*index], name, &lines, &landings)).collect(),
            tries: places.iter().map(|(index, name)| Tries::of(&case.policies[*index], name, &lines, &landings)).collect(),
            places,
            controls: controls(case),
            kinds: lines.iter().map(|line| line.kind).collect(),
            landings,
            lines: observed.landings.iter().flat_map(|landing| &landing.changes).map(|change| (change.commit, change)).collect(),
            branch,
            gathered: RefCell::default(),
            undoings: Memo::default(),
        }
    }

    /// The policy at a place.
    pub(super) fn policy(&self, index: usize) -> &Policy {
        &self.case.policies[self.places[index].0]
    }

    /// Every distinct end of a round or control up to `now`, in order.
    pub(super) fn ends(&self, now: Timestamp) -> Vec<Timestamp> {
        let rounds = self.services.iter().flatten().flat_map(|series| &series.rounds);
        let ends: BTreeSet<Timestamp> = rounds
            .chain(self.controls.iter().flat_map(|control| &control.rounds))
            .map(|round| round.end)
            .filter(|end| *end <= now)
            .collect();
        ends.into_iter().collect()
    }

    fn service_since(&self, index: usize, from: Timestamp, now: Timestamp) -> Shared<ServiceEvidence> {
        let too_old = |series: &SloSeries| known(&series.rounds, now).partition_point(|round| round.end <= from);
        let left_out: Vec<usize> = self.services[index].iter().map(too_old).collect();
        self.gathered_at(now).services.answer(&(index, left_out.clone()), || self.gather(index, &left_out, now).into())
    }

    fn gather(&self, index: usize, left_out: &[usize], now: Timestamp) -> ServiceEvidence {
        let policy = self.policy(index);
        let since = |(series, left_out): (&SloSeries, &usize)| SloSeries {
            slo: series.slo.clone(),
            rounds: known(&series.rounds, now)[*left_out..].to_vec(),
        };
        let series = self.services[index].iter().zip(left_out).map(since).collect();
        let measured = ServiceEvidence::measured(policy.clone(), self.places[index].1.clone(), series);
        let evidence = ServiceEvidence { applied: Some(self.facts(index, now)), ..measured };
        evidence.by_foremost_alerts(self.landings(now), now)
    }

    fn gathered_at(&self, now: Timestamp) -> RefMut<'_, Gathered> {
        let mut gathered = self.gathered.borrow_mut();
        if gathered.now != Some(now) {
            let landings = self.landings(now);
            // Most of the time nothing has landed since.
            if gathered.landings.len() != landings.len() {
                gathered.landings = landings.to_vec().into();
            }
            (gathered.now, gathered.services, gathered.controls) = (Some(now), Memo::default(), OnceCell::new());
        }
        gathered
    }

    fn controls_at(&self, now: Timestamp) -> Shared<Vec<ControlEvidence>> {
        let until_now = |control: &ControlEvidence| ControlEvidence {
            name: control.name.clone(),
            every: control.every,
            rounds: known(&control.rounds, now).to_vec(),
        };
        self.gathered_at(now).controls.get_or_init(|| self.controls.iter().map(until_now).collect()).clone()
    }

    fn stop(&self, landings: &[Landing]) -> Option<Stop> {
        let position = (0..landings.len()).rev().find(|position| self.kinds[*position] == LandingKind::Rewritten)?;
        let landing = &landings[position];
        Some(Stop::Rewritten { from: landing.from.unwrap_or(CommitId([0; 20])), to: landing.to })
    }

    fn past(&self, now: Timestamp) -> impl Iterator<Item = &HistoryLine> {
        self.case.observed.history.iter().filter(move |past| past.at <= now.millis())
    }

    fn history(&self, index: usize, now: Timestamp) -> History {
        let repository = &self.policy(index).repository;
        let mut history = History::default();
        for past in self.past(now) {
            let (policies, at) = (past.policies.clone(), Timestamp(past.at));
            match past.kind {
                HistoryKind::Merged => history.merged.push(MergedRevert {
                    repository: repository.clone(),
                    commit: CommitId(digest(&format!("merged at {at} {:?}", past.suspects))),
                    policies,
                    at,
                }),
                HistoryKind::Proposed => history.proposed.push(OpenedProposal {
                    repository: repository.clone(),
                    key: proposal_key(&self.branch, PlanKind::Revert, &past.suspects),
                    policies,
                    at,
                }),
                HistoryKind::Vetoed | HistoryKind::Held | HistoryKind::Undone => {}
            }
        }
        history.merged.sort_by_key(|merged| (merged.at, merged.commit));
        history
    }

    /// A person's no to the same suspects, whether it was a veto or a hold.
    fn proposal(&self, attribution: &Attribution, now: Timestamp) -> Option<ProposalEvidence> {
        let key = |suspects: &[CommitId]| proposal_key(&self.branch, PlanKind::Revert, suspects);
        let wanted = key(&attribution.suspects);
        let said_no = |past: &&HistoryLine| matches!(past.kind, HistoryKind::Vetoed | HistoryKind::Held) && key(&past.suspects) == wanted;
        self.past(now).find(said_no).map(|_| ProposalEvidence {
            key: wanted.clone(),
            closing: Some(ProposalClosing::Vetoed),
            branch: ProposalBranch::Absent,
            approvals: Vec::new(),
            holds: Vec::new(),
            failed: None,
            merge_rejected: None,
            silent_since: None,
        })
    }

    /// What undoing the suspects comes to, as the case says it, on what had landed by then.
    fn inverse(&self, situation: &Situation, attribution: &Attribution) -> Inverse {
        let suspects: Vec<&ChangeLine> = attribution.suspects.iter().filter_map(|id| self.lines.get(id).copied()).collect();
        let undone = |line: &&ChangeLine| line.inverse.status == InverseStatus::AlreadyUndone || self.is_undone(line.commit, situation);
        if suspects.iter().all(undone) {
            return Inverse::AlreadyUndone;
        }
        // A case says that Git conflicts, not what the files hold: as for a live agent, another way leads to a proposal (design §9).
        let conflicts = suspects.iter().any(|line| line.inverse.status == InverseStatus::Conflict);
        let exact = suspects.iter().all(|line| line.inverse.exact);
        let Undoing { paths, grade } = self.undoing(&suspects);
        Inverse::Clean(CleanInverse {
            base: situation.head,
            tree: TreeId(digest(&format!("{}{:?}", situation.head, attribution.suspects))),
            method: if exact { InverseMethod::Exact } else { InverseMethod::Merged },
            paths,
            kind: if conflicts { PlanKind::Values } else { PlanKind::Revert },
            account: None,
            grade: Some(grade),
            earlier: if suspects.iter().all(|line| line.inverse.ran_healthy) {
                EarlierState::Healthy
            } else {
                EarlierState::NotKnown("the file says that it never ran healthy".to_owned())
            },
            brings_back: Vec::new(),
            protected: Vec::new(),
            rendered: BTreeMap::new(),
        })
    }

    fn undoing(&self, suspects: &[&ChangeLine]) -> Undoing {
        let ids = suspects.iter().map(|line| line.commit).collect();
        self.undoings.answer(&ids, || {
            let named: BTreeSet<&String> = suspects.iter().flat_map(|line| &line.paths).collect();
            let planned =
                |path: &&String| PlannedPath { path: (*path).clone(), from: Some(entry(path, "now")), to: Some(entry(path, "before")) };
            Undoing { paths: named.iter().map(planned).collect(), grade: grade(suspects, self.case).into() }
        })
    }

    /// Whether somebody undid the commit: by a revert that landed and stands, or as the history says.
    fn is_undone(&self, commit: CommitId, situation: &Situation) -> bool {
        let changes: Vec<&Change> = situation.landings.iter().flat_map(|landing| &landing.changes).collect();
        is_reverted(commit, &changes)
            || self.past(situation.now).any(|past| past.kind == HistoryKind::Undone && past.suspects.contains(&commit))
    }
}

/// Whether any change of those that came later reverts a commit, and is not reverted itself.
fn is_reverted(commit: CommitId, later: &[&Change]) -> bool {
    later.iter().enumerate().any(|(place, change)| {
        matches!(&change.kind, ChangeKind::Revert { of } | ChangeKind::Reapply { of } if of.contains(&commit))
            && !is_reverted(change.id, &later[place + 1..])
    })
}

impl Evidence for CaseEvidence<'_> {
    fn services(&self) -> usize {
        self.services.len()
    }

    fn known_facts(&self, index: usize, now: Timestamp) -> usize {
        let rounds: usize = self.services[index].iter().map(|series| known(&series.rounds, now).len()).sum();
        let facts = |applied: &Applied| usize::from(applied.known(now).is_some()) + usize::from(applied.effective <= now);
        rounds + self.landings(now).len() + self.tries[index].known(now) + self.applied[index].iter().map(facts).sum::<usize>()
    }

    fn landings(&self, now: Timestamp) -> &[Landing] {
        &self.landings[..self.landings.partition_point(|landing| landing.landed.by <= now)]
    }

    fn service(&self, index: usize, now: Timestamp) -> Shared<ServiceEvidence> {
        self.service_since(index, Timestamp(i64::MIN), now)
    }

    fn situation(&self, index: usize, onset: Interval, now: Timestamp) -> (Situation, Option<Attribution>) {
        let from = onset.earliest() - OTHERS_BEFORE;
        let same = |other: &usize| self.places[*other].0 == self.places[index].0;
        let elsewhere = (0..self.services.len()).filter(|other| *other != index && same(other));
        let others = (0..self.services.len()).filter(|other| !same(other));
        let landings = self.gathered_at(now).landings.clone();
        let mut situation = Situation {
            now,
            incident: IncidentId::new(format!("{}-judged", self.service(index, now).named().replace('/', "-"))),
            service: self.service(index, now),
            elsewhere: elsewhere.map(|other| self.service(other, now)).collect(),
            others: others.map(|other| self.service_since(other, from - self.policy(other).longest_window(), now)).collect(),
            controls: self.controls_at(now),
            ceilings: Vec::new(),
            repository_limits: Default::default(),
            branch: self.branch.clone(),
            head: landings.last().map_or(CommitId([0; 20]), |landing| landing.to),
            stop: self.stop(&landings),
            pauses: Vec::new(),
            kill_switches: Vec::new(),
            landings,
            attribution: None,
            inverse: None,
            proposal: None,
            history: self.history(index, now),
            joint: Vec::new(),
            open_work: Vec::new(),
            signing: Signing::Own,
            asked: Vec::new(),
            findings: Findings::default(),
        };
        let attribution = attribute(&situation);
        if let Some(attribution) = attribution.as_ref().filter(|attribution| !attribution.suspects.is_empty()) {
            situation.inverse = Some(InverseResult::Built(self.inverse(&situation, attribution)));
            situation.proposal = self.proposal(attribution, now);
        }
        (situation, attribution)
    }

    fn broken_sync(&self, index: usize, now: Timestamp) -> Option<Situation> {
        self.accused_of_the_sync(index, now)
    }
}

impl Applied {
    /// What a sync source that is asked again and again has said by then. That a landing is there is not known before `latest`; that it was not
    /// is known up to `earliest`. Between both it may be the one that did it, and no other is blamed in its place.
    fn fact(self, now: Timestamp) -> AppliedFact {
        match self.known(now) {
            Some(applied) => AppliedFact::at(applied),
            None => AppliedFact::NotYet { until: self.earliest.min(now) },
        }
    }

    /// What was known of it at a time: its end moves on when the rollout is over.
    fn known(self, now: Timestamp) -> Option<Interval> {
        let by = if self.effective <= now { self.effective.max(self.latest) } else { self.latest };
        (self.latest <= now).then(|| Interval::new(self.earliest, by))
    }
}

/// The rounds that had ended by `now`.
fn known(rounds: &[Round], now: Timestamp) -> &[Round] {
    &rounds[..rounds.partition_point(|round| round.end <= now)]
}
