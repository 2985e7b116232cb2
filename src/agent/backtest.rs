//! Runs policies over the history of a metrics server and of a branch, and compares what would have been done with what people did.
//!
//! `past` turns the history into what the engine is given at a time, and `passing` asks the engine at the end of every round, as a live agent
//! does; what is done about an incident here (a proposal stands, a merge ends it) is only remembered. What happened, happened: a merge of the
//! backtest does not make the service well, and people's revert lands when it did. Nothing is written anywhere.

mod past;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use self::past::Past;
use super::passing::{Evidence as _, Incidents, Standing, decided_at};
use crate::engine::attribution;
use crate::engine::backtest::{Deed, Incident, LeftOut, MeasuredSeries, People, Report, Scope, Suspect, parts, report};
use crate::engine::decision::{Action, Decision};
use crate::engine::human_revert::{Origin, Spoken, human_reverts};
use crate::engine::id::{BranchName, CommitId, InstanceName};
use crate::engine::policy::{Indicator, Policy, Slo};
use crate::engine::round::{Outcome, Round, Unknown};
use crate::engine::situation::SloSeries;
use crate::engine::time::Timestamp;
use crate::engine::variables::{VariableError, Variables};
use crate::git::{GitError, PastCommit, PastRepository, read_message};
use crate::net::prometheus::{Evaluated, PrometheusClient, QueryError};
use crate::probe::Probe as _;
use crate::probe::prometheus::{PrometheusProbe, last_end};

/// So many rounds are asked at once. Prometheus refuses more than 11,000 points for each series.
const ROUNDS_AT_ONCE: u32 = 4_000;
/// The newest samples may still be on their way.
const NEWEST_LEFT_OUT: Duration = Duration::from_secs(60);
/// The rounds whose time is shown as one step.
const TOLD_EVERY: usize = 1_000;

/// What is run over what.
pub struct Backtest {
    /// The clone.
    pub repository: PathBuf,
    /// The revision whose first-parent line is looked at.
    pub revision: String,
    /// The policies; all of one repository.
    pub policies: Vec<Policy>,
    /// The metrics server. It stands in for every server that the policies name.
    pub metrics: PrometheusClient,
    /// The beginning.
    pub since: Timestamp,
    /// The end.
    pub now: Timestamp,
}

/// How far a backtest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, in a few words.
    pub doing: &'static str,
    /// Steps that are done.
    pub done: usize,
    /// All steps.
    pub of: usize,
}

/// Why there is no backtest.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The clone cannot be read.
    #[error("cannot read the clone")]
    Clone(#[source] GitError),
    /// The history of the clone cannot be read.
    #[error("cannot read the history of the branch")]
    History(#[source] GitError),
    /// No SLO has a history.
    #[error("no SLO of the policies has a history: only `prometheus` indicators have one")]
    NothingRecorded,
    /// The metrics server does not answer.
    #[error("cannot ask the metrics server")]
    Unreachable(#[source] QueryError),
    /// What answers is no metrics server.
    #[error("what answers at that address is no Prometheus: {detail}")]
    NotPrometheus {
        /// What it answered.
        detail: String,
    },
    /// One SLO's history could not be read.
    #[error("cannot read the history of the SLO `{slo}` of the policy `{policy}`: {detail}")]
    Measure {
        /// The policy.
        policy: String,
        /// The SLO.
        slo: String,
        /// What the server said.
        detail: String,
    },
    /// The server knows nothing of the whole time.
    #[error("the metrics server has no value for any SLO in that time")]
    NoValues,
    /// A task could not be finished.
    #[error("the replay was broken off")]
    BrokenOff,
}

/// Reads both histories and runs the policies over them. Slow: `tell` hears how far it is.
///
/// # Errors
/// A clone, branch or metrics server that cannot be read; no SLO with a history; no value in the whole time.
pub async fn backtest(mut asked: Backtest, mut tell: impl FnMut(Progress) + Send + 'static) -> Result<Report, BacktestError> {
    let repository = PastRepository::open(&asked.repository).map_err(BacktestError::Clone)?;
    let head = repository.resolve(&asked.revision).map_err(BacktestError::Clone)?;
    let branch = repository.branch(&asked.revision).map_err(BacktestError::Clone)?;
    let left_out = leave_out(&mut asked.policies);
    asked.policies = in_each_instance(&asked.policies)?;
    if asked.policies.iter().all(|policy| policy.slos.is_empty()) {
        return Err(BacktestError::NothingRecorded);
    }
    // A policy without a measured SLO still owns its paths; it comes after those that are decided about.
    asked.policies.sort_by_key(|policy| policy.slos.is_empty());
    is_prometheus(&asked).await?;
    let services = measure(&asked, &mut tell).await?;
    let series = measured(&asked.policies, &services);
    if series.iter().all(|series| series.known == 0) {
        return Err(BacktestError::NoValues);
    }
    let replayed =
        tokio::task::spawn_blocking(move || replay(&asked, &repository, (head, branch), services, (series, left_out), &mut tell));
    replayed.await.map_err(|_| BacktestError::BrokenOff)?
}

/// Takes the SLOs without a history out of the policies, and names them.
fn leave_out(policies: &mut [Policy]) -> Vec<LeftOut> {
    let mut left_out = Vec::new();
    for policy in policies {
        let name = policy.name.clone();
        policy.reported.clear();
        let mut recorded = |slo: &Slo| {
            let recorded = matches!(slo.indicator, Indicator::Prometheus(_));
            if !recorded {
                left_out.push(LeftOut { policy: name.clone(), slo: slo.name.clone() });
            }
            recorded
        };
        policy.slos.retain(&mut recorded);
        policy.corroborating.retain(&mut recorded);
    }
    left_out
}

/// Each policy once for each of its instances, with its queries as they are asked there.
fn in_each_instance(policies: &[Policy]) -> Result<Vec<Policy>, BacktestError> {
    let mut places = Vec::new();
    for (policy, instance) in policies.iter().flat_map(|policy| policy.instances.iter().map(move |instance| (policy, instance))) {
        let mut place = Policy { instances: vec![instance.clone()], ..policy.clone() };
        let variables = Variables::of(policy, instance);
        for slo in place.slos.iter_mut().chain(&mut place.corroborating) {
            let wrong = |error: VariableError| BacktestError::Measure {
                policy: policy.name.to_string(),
                slo: slo.name.to_string(),
                detail: error.to_string(),
            };
            slo.indicator = variables.in_indicator(&slo.indicator).map_err(wrong)?.of_all_versions();
        }
        places.push(place);
    }
    Ok(places)
}

/// Where a policy that was taken apart into its instances runs.
fn place_of(policy: &Policy) -> InstanceName {
    policy.instances.first().map_or_else(InstanceName::default_instance, |instance| instance.name.clone())
}

async fn is_prometheus(asked: &Backtest) -> Result<(), BacktestError> {
    match asked.metrics.instant("vector(1)", asked.now).await {
        Ok(Evaluated::Number(1.0)) => Ok(()),
        Ok(other) => Err(BacktestError::NotPrometheus { detail: format!("it says that `vector(1)` is {other:?}") }),
        Err(error @ (QueryError::NoAnswer(_) | QueryError::Token(_))) => Err(BacktestError::Unreachable(error)),
        Err(error) => Err(BacktestError::NotPrometheus { detail: error.to_string() }),
    }
}

/// The rounds of every SLO, asked in parts.
async fn measure(asked: &Backtest, tell: &mut (impl FnMut(Progress) + Send)) -> Result<Vec<Vec<SloSeries>>, BacktestError> {
    let ranges = |every: Duration| {
        let to = last_end(asked.now, every, NEWEST_LEFT_OUT);
        parts(last_end(asked.since, every, Duration::ZERO), to, every, ROUNDS_AT_ONCE)
    };
    let of = asked.policies.iter().flat_map(Policy::judged).map(|slo| ranges(slo.every()).len()).sum();
    let mut done = 0;
    let mut services = Vec::new();
    for policy in &asked.policies {
        let mut series = Vec::new();
        for slo in policy.judged() {
            let Indicator::Prometheus(indicator) = &slo.indicator else { continue };
            let probe = PrometheusProbe::new(asked.metrics.clone(), indicator);
            let mut rounds = Vec::new();
            for (from, to) in ranges(slo.every()) {
                tell(Progress { doing: "asking the metrics server", done, of });
                let part = probe.backfill(from, to).await;
                if let Some(detail) = unanswered(&part) {
                    return Err(BacktestError::Measure { policy: policy.name.to_string(), slo: slo.name.to_string(), detail });
                }
                rounds.extend(part);
                done += 1;
            }
            series.push(SloSeries { slo: slo.name.clone(), rounds });
        }
        services.push(series);
    }
    tell(Progress { doing: "asking the metrics server", done, of });
    Ok(services)
}

/// What the server said where it did not answer: a gap in what is asked is no gap in the history.
fn unanswered(rounds: &[Round]) -> Option<String> {
    rounds.iter().find_map(|round| match &round.outcome {
        Outcome::Unknown(Unknown::ServerError { detail } | Unknown::Refused { detail }) => Some(detail.clone()),
        _ => None,
    })
}

fn measured(policies: &[Policy], services: &[Vec<SloSeries>]) -> Vec<MeasuredSeries> {
    let of = |(policy, series): (&Policy, &Vec<SloSeries>)| -> Vec<MeasuredSeries> {
        let one = |series: &SloSeries| MeasuredSeries {
            policy: policy.name.clone(),
            instance: place_of(policy),
            slo: series.slo.clone(),
            rounds: series.rounds.len(),
            known: series.rounds.iter().filter(|round| round.is_known()).count(),
        };
        series.iter().map(one).collect()
    };
    policies.iter().zip(services).flat_map(of).collect()
}

/// Runs the policies over what was read.
fn replay(
    asked: &Backtest,
    repository: &PastRepository,
    (head, branch): (CommitId, BranchName),
    services: Vec<Vec<SloSeries>>,
    (series, left_out): (Vec<MeasuredSeries>, Vec<LeftOut>),
    tell: &mut impl FnMut(Progress),
) -> Result<Report, BacktestError> {
    let commits = commits(asked, repository, head, tell)?;
    let spoken: Vec<Spoken> = commits.iter().map(spoken).collect();
    let inside = |commit: &&Spoken| commit.at >= asked.since;
    let scope = Scope {
        since: asked.since,
        until: asked.now,
        branch: branch.clone(),
        commits: spoken.iter().filter(inside).count(),
        reverts_by_revertd: spoken.iter().filter(inside).filter(|commit| commit.origin == Origin::Revertd).count(),
        series,
        left_out,
        landing_times: "commitDates",
    };
    let ends: BTreeSet<Timestamp> = services.iter().flatten().flat_map(|series| &series.rounds).map(|round| round.end).collect();
    let subjects = commits.iter().map(|commit| (commit.change.id, commit.change.subject.clone())).collect();
    let mut past = Past::new(&asked.policies, services, commits, branch, repository).map_err(BacktestError::History)?;
    let mut incidents = Incidents::remembering(past.services());
    let mut book = Book { open: vec![None; past.services()], written: Vec::new(), subjects };
    for (position, end) in ends.iter().enumerate() {
        if position.is_multiple_of(TOLD_EVERY) {
            tell(Progress { doing: "deciding", done: position, of: ends.len() });
        }
        let decided = decided_at(&past, *end, &mut incidents);
        book.open_new(&asked.policies, &incidents);
        for (index, decision) in decided {
            book.enter(index, &decision, *end);
            past.carry_out(index, &decision, *end);
            if let Action::Merge { .. } = decision.action {
                incidents.end(index);
            }
        }
        book.close_ended(&incidents, &mut past, *end);
    }
    tell(Progress { doing: "deciding", done: ends.len(), of: ends.len() });
    Ok(report(scope, book.written, human_reverts(&spoken)))
}

/// The commits of the line, oldest first. One lands no earlier than its parent, whatever their dates say.
fn commits(
    asked: &Backtest,
    repository: &PastRepository,
    head: CommitId,
    tell: &mut impl FnMut(Progress),
) -> Result<Vec<PastCommit>, BacktestError> {
    let ids = repository.line(head, asked.since - super::situations::LANDINGS_KEPT).map_err(BacktestError::History)?;
    let mut commits: Vec<PastCommit> = Vec::with_capacity(ids.len());
    for (position, id) in ids.iter().enumerate() {
        if position.is_multiple_of(50) {
            tell(Progress { doing: "reading commits", done: position, of: ids.len() });
        }
        let mut commit = repository.commit(*id).map_err(BacktestError::History)?;
        if let Some(parent) = commits.last() {
            commit.committed = commit.committed.max(parent.committed);
        }
        commits.push(commit);
    }
    tell(Progress { doing: "reading commits", done: ids.len(), of: ids.len() });
    Ok(commits)
}

fn spoken(commit: &PastCommit) -> Spoken {
    let ours = commit.messages.iter().any(|message| read_message(1, message).2.is_some());
    Spoken {
        commit: commit.change.id,
        at: commit.committed,
        author: commit.change.author.name.clone(),
        messages: commit.messages.clone(),
        brought: commit.brought.clone(),
        origin: if ours { Origin::Revertd } else { Origin::Person },
    }
}

/// What is written down about incidents.
struct Book {
    /// For each policy, the onset of its newest incident and its place among those that are written down.
    open: Vec<Option<Page>>,
    written: Vec<Incident>,
    subjects: std::collections::BTreeMap<CommitId, String>,
}

#[derive(Clone, Copy)]
struct Page {
    began: Timestamp,
    place: usize,
}

impl Book {
    /// Begins a page for every incident that has none.
    fn open_new(&mut self, policies: &[Policy], incidents: &Incidents) {
        for (index, policy) in policies.iter().enumerate() {
            let Some((onset, _)) = incidents.newest(index) else { continue };
            if self.open[index].is_some_and(|page| page.began == onset.by) {
                continue;
            }
            self.open[index] = Some(Page { began: onset.by, place: self.written.len() });
            self.written.push(Incident {
                policy: policy.name.clone(),
                instance: place_of(policy),
                began: onset.by,
                ended: None,
                deed: Deed::None,
                proposed_at: None,
                merged_at: None,
                suspects: Vec::new(),
                refusal: None,
                why: String::new(),
                candidates: Vec::new(),
                people: People::Nothing,
            });
        }
    }

    fn enter(&mut self, index: usize, decision: &Decision, now: Timestamp) {
        let Some(incident) = self.open[index].and_then(|page| self.written.get_mut(page.place)) else { return };
        let deed = match decision.action {
            Action::Nothing => Deed::None,
            Action::Propose { .. } => Deed::Propose,
            Action::Merge { .. } => Deed::Merge,
        };
        if let Some(attribution) = &decision.attribution {
            let of_service = |candidate: &&attribution::Candidate| candidate.touches.contains(&incident.policy);
            for candidate in attribution.candidates.iter().filter(of_service).map(|candidate| candidate.commit) {
                if !incident.candidates.contains(&candidate) {
                    incident.candidates.push(candidate);
                }
            }
        }
        // What was done stands; what was thought before and after it does not.
        if deed < incident.deed || (deed == Deed::None && decision.attribution.is_none()) {
            return;
        }
        if deed > Deed::None {
            incident.proposed_at.get_or_insert(now);
        }
        if deed == Deed::Merge {
            incident.merged_at.get_or_insert(now);
        }
        incident.deed = deed;
        incident.refusal = decision.record.refusals.first().map(|refusal| refusal.code.label());
        incident.why.clone_from(&decision.record.sentence);
        let suspects = decision.attribution.iter().flat_map(|attribution| &attribution.suspects);
        incident.suspects =
            suspects.map(|commit| Suspect { commit: *commit, subject: self.subjects.get(commit).cloned().unwrap_or_default() }).collect();
    }

    /// Ends the page of every incident that is over and whose service does not breach any more.
    fn close_ended(&mut self, incidents: &Incidents, past: &mut Past<'_>, now: Timestamp) {
        for (index, page) in self.open.iter().enumerate() {
            let Some(incident) = page.and_then(|page| self.written.get_mut(page.place)) else { continue };
            let over = incidents.newest(index).is_some_and(|(_, standing)| standing == Standing::Over);
            if over {
                past.forget_proposal(index);
            }
            if incident.ended.is_none() && over && !incidents.breaches(index) {
                incident.ended = Some(now);
            }
        }
    }
}
