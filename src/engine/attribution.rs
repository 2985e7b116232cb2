//! Whose fault (design §7): changes × onset in, every candidate with its evidence out, "none of them" included.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::before_after;
use super::broken_sync::Broke;
use super::change::{Change, ChangeKind, Meaning};
use super::compare::Evidence;
use super::elsewhere;
use super::id::{CommitId, PolicyName, SloName};
use super::landing::Landing;
use super::onset;
use super::policy::{Instance, Policy, Slo, Sync};
use super::reading;
use super::round::Round;
use super::shared::Shared;
use super::situation::{ServiceEvidence, Situation};
use super::slo::{self, Baseline, Verdict};
use super::sync::applied::AppliedFact;
use super::sync::assumed;
use super::time::{Interval, Timestamp};

/// Every candidate with its evidence, and which of them are suspected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    /// When the breach began.
    pub onset: Interval,
    /// Every change in the window, newest first.
    pub candidates: Vec<Candidate>,
    /// The suspects whose undoing the plan is: those of one landing, newest first. Empty: none of them.
    pub suspects: Vec<CommitId>,
    /// What broke. Absent in what was recorded before there was a choice.
    #[serde(default, skip_serializing_if = "Broke::is_default")]
    pub broke: Broke,
}

/// One change in the window, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The commit.
    pub commit: CommitId,
    /// Its subject.
    pub subject: String,
    /// When it landed.
    pub landed: Interval,
    /// When it was applied; `None` where it was not.
    pub applied: Option<Interval>,
    /// The policies whose paths it touches.
    pub touches: Vec<PolicyName>,
    /// What the evidence says.
    pub standing: Standing,
    /// Why, in one sentence.
    pub because: String,
    /// What the rounds say of it: before and since it was applied, beside what it cannot have reached. Of several that were applied at once
    /// the newest has it for all; what cannot have done it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

impl Candidate {
    /// Why, with what the rounds say; without a full stop.
    pub fn words(&self) -> String {
        match &self.evidence {
            Some(evidence) => format!("{}; {}", self.because, evidence.sentence.trim_end_matches('.')),
            None => self.because.clone(),
        }
    }
}

/// What the evidence says about a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Touches the service, can have done it, and is of the most likely landing.
    Suspect,
    /// Touches the service and can have done it, but is of another landing than the suspects.
    AlsoPossible,
    /// Cannot have done it, or does not touch the service.
    RuledOut,
    /// No policy owns its paths: named, never reverted, stops a force-merge.
    Unmapped,
}

/// When the service was last healthy, when the breach began, and what stood before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The SLO that began first.
    pub slo: SloName,
    /// The end of the last Healthy assessment before the breach; `None` where it never was.
    pub last_healthy: Option<Timestamp>,
    /// When the breach began.
    pub onset: Interval,
}

impl Beginning {
    /// Whether the breach is that of an incident which began with `onset`: the service has not been Healthy since, or the breach began before the
    /// service had recovered from it, and only an alert with a long memory says so now.
    pub fn is_of(&self, onset: Interval, recovered: Option<Timestamp>) -> bool {
        self.last_healthy.is_none_or(|healthy| healthy <= onset.by) || recovered.is_some_and(|recovered| self.onset.by <= recovered)
    }
}

/// When the breach of a service began: of its breaching SLOs, the one whose first bad round ended first.
///
/// `None` where no SLO breaches or none has a bad round.
pub fn beginning(service: &ServiceEvidence, cut: Option<Timestamp>, now: Timestamp) -> Option<Beginning> {
    let beginnings = service.policy.slos.iter().filter_map(|slo| {
        let rounds = service.rounds(&slo.name);
        if slo::assess(slo, rounds, cut, now).verdict != Verdict::Breaching {
            return None;
        }
        let last_healthy = slo::last_healthy(slo, rounds, cut);
        let onset = slo::onset(slo, rounds, last_healthy)?.interval;
        Some(Beginning { slo: slo.name.clone(), last_healthy, onset })
    });
    beginnings.min_by_key(|beginning| beginning.onset.by)
}

/// The SLOs of a service that breach now, of those that can open an incident.
pub fn breaching<'a>(
    service: &'a ServiceEvidence,
    landings: &[Landing],
    now: Timestamp,
) -> impl Iterator<Item = &'a Slo> + Clone + use<'a> {
    let cut = newest_change(service, landings);
    let is_breaching = move |slo: &&Slo| slo::assess(slo, service.rounds(&slo.name), cut, now).verdict == Verdict::Breaching;
    service.policy.slos.iter().filter(is_breaching)
}

/// The earliest possible apply time of the newest change that touches the service's paths: where `sinceChange` cuts. A change that was applied
/// at an unknown time (what was there at a first start) cuts nothing.
pub fn newest_change(service: &ServiceEvidence, landings: &[Landing]) -> Option<Timestamp> {
    let policy = &service.policy;
    landings
        .iter()
        .filter(|landing| landing.repository == policy.repository)
        .filter(|landing| landing.changes.iter().any(|change| change.touches(policy)))
        .filter_map(|landing| applied(service, landing)?.after)
        .max()
}

/// When a landing was applied where the service runs; `None` where it was not. Where a sync source cannot tell, it is what would be assumed
/// without one, and not before what the source had said earlier: the time is for looking, and nothing is merged by it.
pub fn applied(service: &ServiceEvidence, landing: &Landing) -> Option<Interval> {
    applied_by(service, landing, applied_fact(service, landing)?)
}

/// The same for a breach: where it was in and out of the cluster, the time of it that matters.
pub fn applied_around(service: &ServiceEvidence, landing: &Landing, onset: Interval) -> Option<Interval> {
    applied_by(service, landing, applied_fact(service, landing)?.around(onset))
}

fn applied_by(service: &ServiceEvidence, landing: &Landing, fact: AppliedFact) -> Option<Interval> {
    match fact {
        AppliedFact::At { applied, .. } => Some(applied),
        AppliedFact::NotYet { .. } => None,
        AppliedFact::Unknown { after, .. } | AppliedFact::Broke { after, .. } => {
            let assumed = assumed(landing.landed, lag_of(service));
            let after = assumed.after.max(after);
            Some(Interval { after, by: after.map_or(assumed.by, |after| assumed.by.max(after)) })
        }
    }
}

/// What is known of when a landing was applied where the service runs; `None` where it is known that it never was.
pub fn applied_fact(service: &ServiceEvidence, landing: &Landing) -> Option<AppliedFact> {
    let sync = service.place().or(service.policy.instances.first()).map(|instance| &instance.sync);
    let follows_a_source = matches!(sync, Some(Sync::Source { .. }));
    match &service.applied {
        Some(facts) => facts.get(&landing.to).cloned(),
        None if follows_a_source => {
            Some(AppliedFact::Unknown { after: landing.landed.after, why: "the sync source has not been asked".into() })
        }
        None => Some(AppliedFact::at(assumed(landing.landed, lag_of(service)))),
    }
}

/// What is assumed where a sync source is named and nothing is known from it: the default of `lag` (design §5).
const ASSUMED_LAG: Duration = Duration::from_secs(180);

/// The assumed lag of the instance that the evidence is about; of a policy that has no such instance any more, the longest of all.
pub fn lag_of(service: &ServiceEvidence) -> Duration {
    let lag = |instance: &Instance| match instance.sync {
        Sync::Lag(lag) => lag,
        Sync::Source { .. } => ASSUMED_LAG,
    };
    match service.place() {
        Some(instance) => lag(instance),
        None => service.policy.instances.iter().map(lag).max().unwrap_or_default(),
    }
}

/// Judges every change in the window (design §7). Pure: the same situation gives the same table.
pub fn attribute(situation: &Situation) -> Option<Attribution> {
    let service = &situation.service;
    let cut = newest_change(service, &situation.landings);
    let beginning = beginning(service, cut, situation.now)?;
    let window = window(situation, &beginning);
    let owners = owners(situation);
    let mut candidates: Vec<(usize, Candidate)> = Vec::new();
    let (mut earlier, mut undoings): (Vec<&Change>, Vec<CommitId>) = (Vec::new(), Vec::new());
    for (number, landing) in window.iter().enumerate() {
        for change in &landing.changes {
            // What undoes an undoing brings the undone change back: that can have done it.
            let undone = undoes_another(change, &window)
                .filter(|id| !undoings.contains(id) && !is_undoing(*id, &window))
                .or_else(|| puts_back(change, &earlier));
            if let Some(undone) = undone
                && was_applied_before(service, landing, beginning.onset)
                && let Some((_, gone)) = candidates.iter_mut().find(|(_, candidate)| candidate.commit == undone)
                && gone.standing == Standing::Suspect
            {
                gone.standing = Standing::RuledOut;
                gone.because = format!("{} had undone it before the breach began", change.id.short());
            }
            candidates.push((number, judge(service, undone, landing, change, beginning.onset, &owners)));
            match undone {
                Some(_) => undoings.push(change.id),
                None => earlier.push(change),
            }
        }
    }
    if !candidates.iter().any(|(_, candidate)| candidate.standing == Standing::Suspect) {
        blame_a_dependency(situation, &window, beginning.onset, &undoings, &mut candidates);
    }
    let likely = most_likely(service, &beginning, &candidates);
    for (number, candidate) in &mut candidates {
        if candidate.standing == Standing::Suspect && Some(*number) != likely {
            candidate.standing = Standing::AlsoPossible;
            candidate.because = format!("{}; another landing is more likely", candidate.because);
        }
    }
    candidates.reverse();
    let suspects =
        candidates.iter().filter(|(_, candidate)| candidate.standing == Standing::Suspect).map(|(_, candidate)| candidate.commit).collect();
    let mut candidates: Vec<Candidate> = candidates.into_iter().map(|(_, candidate)| candidate).collect();
    before_after::weigh(situation, &beginning, &mut candidates);
    let mut attribution = Attribution { onset: beginning.onset, candidates, suspects, broke: Broke::Objectives };
    let remarks = elsewhere::remarks(situation, &attribution);
    for candidate in attribution.candidates.iter_mut().filter(|candidate| candidate.standing == Standing::Suspect) {
        candidate.because.push_str(&remarks);
    }
    Some(attribution)
}

/// Whether it is known that a landing was applied before the breach began.
fn was_applied_before(service: &ServiceEvidence, landing: &Landing, onset: Interval) -> bool {
    let fact = applied_fact(service, landing).map(|fact| fact.around(onset));
    matches!(fact, Some(AppliedFact::At { applied, .. }) if applied.by <= onset.earliest())
}

/// The landings that can have to do with the breach: those that were applied at most `attributeWithin` before the onset. (Design §7 let the
/// window begin at the last Healthy assessment. That is the wrong clock: a change whose effect shows a few rounds after its rollout, with a
/// healthy assessment in between, was no candidate at all, and an Unknown round that took the assessment away brought it back.) Where
/// nothing says when a landing was applied, it is one unless the service was assessed Healthy since it was first seen.
fn window<'a>(situation: &'a Situation, beginning: &Beginning) -> Vec<&'a Landing> {
    let service = &situation.service;
    let within = service.policy.revert.attribute_within;
    let can_matter = |landing: &&Landing| {
        let applied = applied_around(service, landing, beginning.onset).unwrap_or(landing.landed);
        match applied.after {
            Some(_) => applied.by + within >= beginning.onset.earliest(),
            None => beginning.last_healthy.is_none_or(|healthy| applied.by >= healthy),
        }
    };
    situation.landings.iter().filter(|landing| landing.repository == service.policy.repository).filter(can_matter).collect()
}

/// Where no change of the service itself can have done it: the one change of a service that it says it needs, where it was applied just before
/// the breach. Only one: of several, nothing tells which. It is proposed and never merged, because the service that it touches may be well.
/// What somebody undid there is not brought back.
fn blame_a_dependency(
    situation: &Situation,
    window: &[&Landing],
    onset: Interval,
    undoings: &[CommitId],
    candidates: &mut [(usize, Candidate)],
) {
    let mut needed = needed(&situation.service.policy, &situation.others);
    // Of a service that runs in several instances, the one beside this one is needed, where there is one.
    needed.sort_by_key(|other| other.instance != situation.service.instance);
    let mut possible = Vec::new();
    for (position, (number, candidate)) in candidates.iter().enumerate() {
        let touched = needed.iter().find(|other| candidate.touches.contains(&other.policy.name));
        let (Standing::RuledOut, Some(other)) = (candidate.standing, touched) else { continue };
        let Some(applied) = window.get(*number).and_then(|landing| applied_around(other, landing, onset)) else { continue };
        let just_before = applied.earliest() <= onset.by && !is_longer_than_a_baseline(&situation.service, onset, applied);
        let rewrites = window
            .get(*number)
            .is_some_and(|landing| landing.changes.iter().any(|change| change.id == candidate.commit && change.only_rewrites()));
        if just_before && !rewrites {
            possible.push((position, applied));
        }
    }
    if let [(position, applied)] = possible[..]
        && let Some((_, candidate)) = candidates.get_mut(position)
        && !undoings.contains(&candidate.commit)
    {
        candidate.standing = Standing::Suspect;
        candidate.applied = Some(applied);
        candidate.because = format!(
            "it touches {}, which `{}` needs, and was applied {applied}; the breach began {onset}",
            names(&candidate.touches),
            situation.service.policy.name
        );
    }
}

/// Every service that a policy says it needs, and those that they need, in each instance.
pub fn needed<'a>(policy: &Policy, all: &'a [Shared<ServiceEvidence>]) -> Vec<&'a ServiceEvidence> {
    let mut found: Vec<&ServiceEvidence> = Vec::new();
    let mut open: Vec<&PolicyName> = policy.depends_on.iter().collect();
    while let Some(name) = open.pop() {
        if !found.iter().any(|known| known.policy.name == *name) {
            let services = all.iter().filter(|service| service.policy.name == *name);
            open.extend(services.clone().flat_map(|service| &service.policy.depends_on));
            found.extend(services.map(|service| &**service));
        }
    }
    found
}

/// Of the landings that can have done it, the newest that was applied before the breach had begun: the others had longer to show. It had
/// begun by the end of the first bad round, or by the change point of the rounds where that is earlier: a decline crosses its limit later.
/// Where all were applied after that, the newest of all.
fn most_likely(service: &ServiceEvidence, beginning: &Beginning, candidates: &[(usize, Candidate)]) -> Option<usize> {
    let mut possible: Vec<(usize, Timestamp)> = candidates
        .iter()
        .filter(|(_, candidate)| candidate.standing == Standing::Suspect)
        .map(|(number, candidate)| (*number, candidate.applied.unwrap_or(candidate.landed).earliest()))
        .collect();
    possible.dedup();
    let newest = possible.iter().map(|(number, _)| *number).max()?;
    if possible.len() < 2 {
        return Some(newest);
    }
    let moment = likeliest_moment(service, beginning);
    possible.iter().filter(|(_, applied)| *applied <= moment).map(|(number, _)| *number).max().or(Some(newest))
}

/// Where the change point is looked for, before the onset.
const CHANGE_POINT_BEFORE: Duration = Duration::from_secs(1800);

fn likeliest_moment(service: &ServiceEvidence, beginning: &Beginning) -> Timestamp {
    let onset = beginning.onset;
    let Some(slo) = service.policy.slos.iter().find(|slo| slo.name == beginning.slo) else { return onset.by };
    let rounds = service.rounds(&slo.name);
    // What was bad before the service was healthy again is another story, with another beginning.
    let is_over = |round: &&Round| {
        beginning.last_healthy.is_some_and(|healthy| round.end <= healthy) && slo::quality(slo, round) == slo::Quality::Bad
    };
    let over = rounds.iter().rev().find(is_over).map(|round| round.end);
    let from = over.unwrap_or(Timestamp(i64::MIN)).max(onset.earliest() - CHANGE_POINT_BEFORE);
    let readings = reading::readings(slo, rounds);
    let recent = reading::within(&readings, from, Timestamp(i64::MAX));
    onset::change_point(recent).map_or(onset.by, |point| onset.by.min(point.likeliest))
}

/// Every policy of the service's repository.
fn owners(situation: &Situation) -> Vec<&Policy> {
    let mut owners: Vec<&Policy> = Vec::new();
    let services = std::iter::once(&situation.service).chain(&situation.others);
    for service in services.filter(|service| service.policy.repository == situation.service.policy.repository) {
        // Once for all of its instances, which follow one another.
        if owners.last().is_none_or(|known| known.name != service.policy.name) {
            owners.push(&service.policy);
        }
    }
    owners
}

fn judge(
    service: &ServiceEvidence,
    undone: Option<CommitId>,
    landing: &Landing,
    change: &Change,
    onset: Interval,
    owners: &[&Policy],
) -> Candidate {
    let applied = applied_around(service, landing, onset);
    let touched: Vec<PolicyName> = owners.iter().filter(|policy| change.touches(policy)).map(|policy| policy.name.clone()).collect();
    let (standing, because) = if let Some(undone) = undone {
        (Standing::RuledOut, format!("it undoes {}, which is in the window itself", undone.short()))
    } else if change.only_rewrites() {
        (Standing::RuledOut, "it changes only comments or white space".to_owned())
    } else if touched.is_empty() {
        (Standing::Unmapped, "no policy owns its paths".to_owned())
    } else if !touched.contains(&service.policy.name) {
        (Standing::RuledOut, format!("it touches only {}", names(&touched)))
    } else {
        by_its_applying(service, landing, onset, &names(&touched))
    };
    Candidate {
        commit: change.id,
        subject: change.subject.clone(),
        landed: landing.landed,
        applied,
        touches: touched,
        standing,
        because,
        evidence: None,
    }
}

/// What the time says of a change that touches the service: whether it was there when the breach began.
fn by_its_applying(service: &ServiceEvidence, landing: &Landing, onset: Interval, touched: &str) -> (Standing, String) {
    let fact = applied_fact(service, landing).map(|fact| fact.around(onset));
    match (fact, applied_around(service, landing, onset)) {
        (Some(AppliedFact::NotYet { until }), _) if onset.by <= until => {
            (Standing::RuledOut, format!("it was not applied yet at {until}, and the breach had begun by {}", onset.by))
        }
        (Some(AppliedFact::NotYet { until }), _) => {
            let known = format!("it was not applied yet at {until}, and whether it was when the breach began {onset} is not known");
            (Standing::Suspect, format!("it touches {touched}; {known}"))
        }
        (Some(AppliedFact::At { left: Some(left), .. }), _) if left.by <= onset.earliest() => {
            (Standing::RuledOut, format!("it was taken out of the cluster {left}, before the breach began {onset}"))
        }
        (_, Some(applied)) if onset.by < applied.earliest() => {
            (Standing::RuledOut, format!("the breach began by {}, before it can have been applied", onset.by))
        }
        (Some(AppliedFact::Unknown { why, .. }), Some(_)) => {
            (Standing::Suspect, format!("it touches {touched}; when it was applied is not known ({why}); the breach began {onset}"))
        }
        (Some(AppliedFact::Broke { why, .. }), Some(_)) => (
            Standing::Suspect,
            format!("it touches {touched}; the sync fails of it ({why}) and may have applied a part; the breach began {onset}"),
        ),
        (_, Some(applied)) => (Standing::Suspect, format!("it touches {touched} and was applied {applied}; the breach began {onset}")),
        (_, None) => (Standing::RuledOut, "it was not applied where the service runs".to_owned()),
    }
}

/// The change of the window that a revert undoes. Reverting the revert would bring the suspect back.
fn undoes_another(change: &Change, window: &[&Landing]) -> Option<CommitId> {
    let ChangeKind::Revert { of } = &change.kind else { return None };
    of.iter().copied().find(|id| window.iter().any(|landing| landing.changes.iter().any(|other| other.id == *id)))
}

/// Whether a change of the window says itself that it undoes something, which may be older than the window.
fn is_undoing(id: CommitId, window: &[&Landing]) -> bool {
    let mut changes = window.iter().flat_map(|landing| &landing.changes);
    changes.any(|change| change.id == id && matches!(change.kind, ChangeKind::Revert { .. }))
}

/// The newest earlier change of the window that a change undoes by hand: everything that it changes is put back, mode and id, to what stood
/// before some earlier change. It brings nothing that was not there already, so undoing it could only bring those changes back.
fn puts_back(change: &Change, earlier: &[&Change]) -> Option<CommitId> {
    let mut newest = None;
    for path in change.paths.iter().filter(|path| path.meaning == Meaning::Changed) {
        let undone =
            earlier.iter().rposition(|other| other.paths.iter().any(|before| before.path == path.path && before.from == path.to))?;
        newest = newest.max(Some(undone));
    }
    newest.map(|position| earlier[position].id)
}

/// Names of policies, for a sentence.
pub fn names(policies: &[PolicyName]) -> String {
    policies.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What the baseline of the breach says (design §7): the last rounds that ended before the suspects can have been applied.
///
/// From the apply and not from the landing: between both the change does nothing, so that what was bad then was bad without it, and where a
/// sync source tells the one, the other need not be known.
pub fn baseline(situation: &Situation, attribution: &Attribution) -> Option<(Slo, Baseline)> {
    let service = &situation.service;
    let cut = newest_change(service, &situation.landings);
    let beginning = beginning(service, cut, situation.now)?;
    let slo = service.policy.slos.iter().find(|slo| slo.name == beginning.slo)?;
    let before = attribution
        .candidates
        .iter()
        .filter(|candidate| candidate.standing == Standing::Suspect)
        .map(|candidate| candidate.applied.unwrap_or(candidate.landed).earliest())
        .min()?;
    Some((slo.clone(), slo::baseline(slo, service.rounds(&slo.name), before)))
}

/// How long after a change was effective the breach began, where that is longer than a baseline is: then the service ran as well with the
/// change as it has to have run before it, and the change is no better explained by the breach than by chance (E8). Counted in time and not
/// in good rounds, so that a round that was not measured makes it longer and never shorter.
pub fn ran_well_with(situation: &Situation, attribution: &Attribution, candidate: &Candidate) -> Option<Duration> {
    let service = &situation.service;
    // Where no source says when it was applied, it was by the end of the assumed lag.
    let applied = candidate.applied.unwrap_or(candidate.landed.stretched(lag_of(service)));
    is_longer_than_a_baseline(service, attribution.onset, applied).then(|| attribution.onset.by.since(applied.by))
}

fn is_longer_than_a_baseline(service: &ServiceEvidence, onset: Interval, applied: Interval) -> bool {
    service.policy.slos.iter().map(Slo::baseline_length).max().is_some_and(|longest| onset.by.since(applied.by) > longest)
}

#[cfg(test)]
mod tests;
