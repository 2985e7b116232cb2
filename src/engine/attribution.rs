//! Whose fault (design §7): changes × onset in, every candidate with its evidence out, "none of them" included.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::change::{Change, ChangeKind, Meaning};
use super::id::{CommitId, PolicyName, SloName};
use super::landing::{Landing, LandingShape};
use super::policy::{PathMatcher, Policy, Slo, Sync};
use super::situation::{ServiceEvidence, Situation};
use super::slo::{self, Baseline, Verdict};
use super::time::{Interval, Timestamp};

/// Every candidate with its evidence, and which of them are suspected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    /// When the breach began.
    pub onset: Interval,
    /// Every change in the window, newest first.
    pub candidates: Vec<Candidate>,
    /// The suspects whose undoing the plan is: those of one landing, newest first. Empty: none of them.
    pub suspects: Vec<CommitId>,
}

/// One change in the window, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Two untouched services that begin to fail this close to the onset share its fate (design §7).
pub const SHARED_FATE_WINDOW: Duration = Duration::from_secs(120);
/// At least this many untouched services must fail for an outage (design §7).
pub const SHARED_FATE_SERVICES: usize = 3;
/// A service without a known round in this long before the onset is left out of that count (design §7).
const SHARED_FATE_KNOWN_WITHIN: Duration = Duration::from_secs(3600);

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

/// The earliest possible apply time of the newest change that touches the service's paths: where `sinceChange` cuts.
pub fn newest_change(service: &ServiceEvidence, landings: &[Landing]) -> Option<Timestamp> {
    let policy = &service.policy;
    let matcher = policy.paths.matcher().ok()?;
    landings
        .iter()
        .filter(|landing| landing.repository == policy.repository && landing.shape != LandingShape::First)
        .filter(|landing| landing.changes.iter().any(|change| touches(&policy.name, &matcher, change)))
        .filter_map(|landing| applied(service, landing)?.after)
        .max()
}

/// When a landing was applied where the service runs; `None` where it was not.
pub fn applied(service: &ServiceEvidence, landing: &Landing) -> Option<Interval> {
    match &service.applied {
        Some(facts) => facts.get(&landing.to).copied(),
        None => Some(landing.landed.stretched(lag(&service.policy))),
    }
}

/// The longest assumed lag of a policy's instances.
pub fn lag(policy: &Policy) -> Duration {
    policy
        .instances
        .iter()
        .map(|instance| match instance.sync {
            Sync::Lag(lag) => lag,
        })
        .max()
        .unwrap_or_default()
}

/// Judges every change in the window (design §7). Pure: the same situation gives the same table.
pub fn attribute(situation: &Situation) -> Option<Attribution> {
    let service = &situation.service;
    let cut = newest_change(service, &situation.landings);
    let beginning = beginning(service, cut, situation.now)?;
    let window: Vec<&Landing> = situation
        .landings
        .iter()
        .filter(|landing| landing.repository == service.policy.repository)
        .filter(|landing| beginning.last_healthy.is_none_or(|healthy| applied(service, landing).unwrap_or(landing.landed).by >= healthy))
        .collect();
    let owners = owners(situation);
    let mut candidates: Vec<(usize, Candidate)> = Vec::new();
    let mut earlier: Vec<&Change> = Vec::new();
    for (number, landing) in window.iter().enumerate() {
        for change in &landing.changes {
            let undone = undoes_another(change, &window).or_else(|| puts_back(change, &earlier));
            candidates.push((number, judge(service, undone, landing, change, beginning.onset, &owners)));
            earlier.push(change);
        }
    }
    // The most likely landing is the newest that can have done it: the others had longer to show.
    let likely = candidates.iter().filter(|(_, candidate)| candidate.standing == Standing::Suspect).map(|(number, _)| *number).max();
    for (number, candidate) in &mut candidates {
        if candidate.standing == Standing::Suspect && Some(*number) != likely {
            candidate.standing = Standing::AlsoPossible;
            candidate.because = format!("{}; a later landing is more likely", candidate.because);
        }
    }
    candidates.reverse();
    let suspects =
        candidates.iter().filter(|(_, candidate)| candidate.standing == Standing::Suspect).map(|(_, candidate)| candidate.commit).collect();
    Some(Attribution { onset: beginning.onset, candidates: candidates.into_iter().map(|(_, candidate)| candidate).collect(), suspects })
}

/// Every policy of the service's repository with its compiled paths.
fn owners(situation: &Situation) -> Vec<(PolicyName, Rc<PathMatcher>)> {
    std::iter::once(&situation.service)
        .chain(&situation.others)
        .filter(|service| service.policy.repository == situation.service.policy.repository)
        .filter_map(|service| Some((service.policy.name.clone(), service.policy.paths.matcher().ok()?)))
        .collect()
}

fn touches(policy: &PolicyName, matcher: &PathMatcher, change: &Change) -> bool {
    change.paths.iter().any(|path| matcher.owns(&path.path)) || change.pulled_in_by.contains(policy)
}

fn judge(
    service: &ServiceEvidence,
    undone: Option<CommitId>,
    landing: &Landing,
    change: &Change,
    onset: Interval,
    owners: &[(PolicyName, Rc<PathMatcher>)],
) -> Candidate {
    let applied = applied(service, landing);
    let touched: Vec<PolicyName> =
        owners.iter().filter(|(name, matcher)| touches(name, matcher, change)).map(|(name, _)| name.clone()).collect();
    let (standing, because) = if let Some(undone) = undone {
        (Standing::RuledOut, format!("it undoes {}, which is in the window itself", undone.short()))
    } else if change.only_rewrites() {
        (Standing::RuledOut, "it changes only comments or white space".to_owned())
    } else if touched.is_empty() {
        (Standing::Unmapped, "no policy owns its paths".to_owned())
    } else if !touched.contains(&service.policy.name) {
        (Standing::RuledOut, format!("it touches only {}", names(&touched)))
    } else if let Some(applied) = applied {
        if onset.by < applied.earliest() {
            (Standing::RuledOut, format!("the breach began by {}, before it can have been applied", onset.by))
        } else {
            (Standing::Suspect, format!("it touches {} and was applied {applied}; the breach began {onset}", names(&touched)))
        }
    } else {
        (Standing::RuledOut, "it was not applied where the service runs".to_owned())
    };
    Candidate { commit: change.id, subject: change.subject.clone(), landed: landing.landed, applied, touches: touched, standing, because }
}

/// The change of the window that a revert undoes. Reverting the revert would bring the suspect back.
fn undoes_another(change: &Change, window: &[&Landing]) -> Option<CommitId> {
    let ChangeKind::Revert { of } = &change.kind else { return None };
    of.iter().copied().find(|id| window.iter().any(|landing| landing.changes.iter().any(|other| other.id == *id)))
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

fn names(policies: &[PolicyName]) -> String {
    policies.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What the baseline of the breach says (design §7): the last rounds that ended before the earliest landing in the window.
pub fn baseline(situation: &Situation, attribution: &Attribution) -> Option<(Slo, Baseline)> {
    let service = &situation.service;
    let cut = newest_change(service, &situation.landings);
    let beginning = beginning(service, cut, situation.now)?;
    let slo = service.policy.slos.iter().find(|slo| slo.name == beginning.slo)?;
    let before = attribution
        .candidates
        .iter()
        .filter(|candidate| matches!(candidate.standing, Standing::Suspect | Standing::AlsoPossible))
        .map(|candidate| candidate.landed.earliest())
        .min()?;
    Some((slo.clone(), slo::baseline(slo, service.rounds(&slo.name), before)))
}

/// How many services fail at once that no candidate touches (E4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFate {
    /// All services that were measured, the breaching one included.
    pub services: usize,
    /// Those of them that breach.
    pub breaching: usize,
    /// Services that no candidate touches and that do not need an affected one.
    pub untouched: usize,
    /// Those of them that breach, read with their unknown rounds as bad.
    pub untouched_breaching: Vec<PolicyName>,
    /// Those of them that are in trouble but do not breach yet, or have not been measured since the onset.
    pub untouched_undecided: Vec<PolicyName>,
}

impl SharedFate {
    /// Whether it is an outage of something that they share.
    pub fn is_outage(&self) -> bool {
        enough(self.untouched_breaching.len(), self.untouched)
    }

    /// Whether it would be one if the services that are in trouble turn out to breach.
    pub fn may_become_outage(&self) -> bool {
        !self.untouched_undecided.is_empty() && enough(self.untouched_breaching.len() + self.untouched_undecided.len(), self.untouched)
    }
}

fn enough(failing: usize, untouched: usize) -> bool {
    failing >= SHARED_FATE_SERVICES && failing * 4 >= untouched
}

/// Counts the services that share the breach's fate.
pub fn shared_fate(situation: &Situation, attribution: &Attribution) -> SharedFate {
    let onset = attribution.onset;
    let affected: BTreeSet<&PolicyName> = attribution
        .candidates
        .iter()
        .filter(|candidate| candidate.standing != Standing::RuledOut || !candidate.touches.is_empty())
        .flat_map(|candidate| &candidate.touches)
        .chain([&situation.service.policy.name])
        .collect();
    let mut fate = SharedFate { services: 1, breaching: 1, untouched: 0, untouched_breaching: Vec::new(), untouched_undecided: Vec::new() };
    for other in &situation.others {
        if !known_before(other, onset) {
            continue;
        }
        fate.services += 1;
        let trouble = trouble(other, onset, situation);
        fate.breaching += usize::from(trouble == Trouble::Breaching);
        if affected.contains(&other.policy.name)
            || depends_on_any(&other.policy, &affected, &situation.others)
            || has_own_change(other, onset, situation)
        {
            continue;
        }
        fate.untouched += 1;
        match trouble {
            Trouble::Breaching => fate.untouched_breaching.push(other.policy.name.clone()),
            Trouble::Undecided => fate.untouched_undecided.push(other.policy.name.clone()),
            Trouble::None => {}
        }
    }
    fate
}

fn known_before(service: &ServiceEvidence, onset: Interval) -> bool {
    let from = onset.earliest() - SHARED_FATE_KNOWN_WITHIN;
    service.series.iter().any(|series| series.rounds.iter().any(|round| round.is_known() && round.end > from && round.end <= onset.by))
}

/// How another service stands around the onset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Breaching,
    Undecided,
    None,
}

fn trouble(service: &ServiceEvidence, onset: Interval, situation: &Situation) -> Trouble {
    let cut = newest_change(service, &situation.landings);
    let early = onset.earliest() - SHARED_FATE_WINDOW;
    let late = onset.by + SHARED_FATE_WINDOW;
    let mut worst = Trouble::None;
    for slo in &service.policy.slos {
        let rounds = service.rounds(&slo.name);
        let began_near = slo::first_not_good(slo, rounds, early).is_some_and(|end| end <= late);
        let measured_since = rounds.last().is_some_and(|round| round.start >= onset.by);
        // As of any round since: services that share a fate do not recover in the same instant, and the last one to recover is not to blame.
        let since = rounds.partition_point(|round| round.end <= early);
        let breached = |length: usize| slo::breaches_with_unknown_as_bad(slo, &rounds[..length], cut, early, rounds[length - 1].end);
        if began_near && ((since + 1)..=rounds.len()).any(breached) {
            return Trouble::Breaching;
        }
        let still_bad = rounds.last().is_some_and(|round| slo::quality(slo, round) != slo::Quality::Good);
        if situation.now <= late && (!measured_since || (began_near && still_bad)) {
            worst = Trouble::Undecided;
        }
    }
    worst
}

fn depends_on_any(policy: &Policy, affected: &BTreeSet<&PolicyName>, all: &[ServiceEvidence]) -> bool {
    let mut seen: BTreeSet<&PolicyName> = BTreeSet::new();
    let mut open: Vec<&PolicyName> = policy.depends_on.iter().collect();
    while let Some(name) = open.pop() {
        if affected.contains(name) {
            return true;
        }
        if seen.insert(name) {
            open.extend(all.iter().filter(|service| service.policy.name == *name).flat_map(|service| &service.policy.depends_on));
        }
    }
    false
}

/// Whether a change of its own, applied shortly before the onset, can explain why it breaches.
fn has_own_change(service: &ServiceEvidence, onset: Interval, situation: &Situation) -> bool {
    let cut = newest_change(service, &situation.landings);
    cut.is_some_and(|change| {
        change <= onset.by + SHARED_FATE_WINDOW
            && change + service.policy.revert.attribute_within + lag(&service.policy) >= onset.earliest()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::change::{Entry, PathChange, Person};
    use crate::engine::id::EntryId;

    /// A path that goes from one content to another; 0 stands for nothing.
    fn path(name: &str, from: u8, to: u8) -> PathChange {
        let entry = |content: u8| (content > 0).then_some(Entry { mode: 0o100_644, id: EntryId([content; 20]) });
        PathChange { path: name.into(), from: entry(from), to: entry(to), meaning: Meaning::Changed }
    }

    fn change(number: u8, paths: Vec<PathChange>) -> Change {
        Change {
            id: CommitId([number; 20]),
            parents: Vec::new(),
            before: None,
            author: Person { name: "Robin".into(), email: "robin@shop.example".into() },
            subject: String::new(),
            kind: ChangeKind::Ordinary,
            paths,
            opt_out: None,
            plan: None,
            pulled_in_by: Vec::new(),
        }
    }

    fn undone(changes: &[Change]) -> Option<CommitId> {
        let (last, earlier) = changes.split_last().unwrap();
        puts_back(last, &earlier.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_change_that_puts_everything_back_undoes_what_changed_it() {
        let bump = change(1, vec![path("a", 1, 2), path("new", 0, 3)]);
        assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 1), path("new", 3, 0)])]), Some(bump.id));
        assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 1)])]), Some(bump.id), "a part of it");
        let again = change(2, vec![path("a", 2, 4)]);
        assert_eq!(undone(&[bump.clone(), again.clone(), change(3, vec![path("a", 4, 1)])]), Some(bump.id), "over what came between");
        assert_eq!(undone(&[bump, again.clone(), change(3, vec![path("a", 4, 2)])]), Some(again.id), "only the last of them");
    }

    #[test]
    fn what_a_change_brings_that_was_not_there_can_have_done_it() {
        let bump = change(1, vec![path("a", 1, 2)]);
        assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 3)])]), None, "a fix forward");
        assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 1), path("b", 1, 2)])]), None, "and something else");
        assert_eq!(undone(&[bump.clone(), change(2, vec![path("b", 2, 1)])]), None, "another path");
        assert_eq!(undone(&[change(2, vec![path("a", 2, 1)])]), None, "of a change that is not in the window");
        let mut executable = path("a", 2, 1);
        executable.to = executable.to.map(|entry| Entry { mode: 0o100_755, ..entry });
        assert_eq!(undone(&[bump, change(2, vec![executable])]), None, "another mode");
    }

    #[test]
    fn a_rewritten_comment_beside_it_brings_nothing() {
        let bump = change(1, vec![path("a", 1, 2)]);
        let comment = PathChange { meaning: Meaning::Same, ..path("b", 1, 2) };
        assert_eq!(undone(&[bump.clone(), change(2, vec![path("a", 2, 1), comment.clone()])]), Some(bump.id));
        assert_eq!(undone(&[bump, change(2, vec![comment])]), None);
    }
}
