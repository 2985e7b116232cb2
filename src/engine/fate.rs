//! Who else fails (E4): services that no suspect reaches and that began to fail when the breach did.
//!
//! A change of one service explains that service and those that say that they need it. Another one that begins to fail in the same minutes
//! has another cause, or the same one, which then is not the change. Rounds that were not measured count as bad here: a service of which
//! nothing is known any more never clears a change (promise P2).

use std::collections::BTreeSet;
use std::time::Duration;

use super::attribution::{Attribution, Standing, applied_fact, needed};
use super::id::PolicyName;
use super::landing::Landing;
use super::likelihood::{CHI_SQUARED_98, likelihood_ratio};
use super::policy::{Policy, Slo};
use super::round::Round;
use super::shared::Shared;
use super::situation::{ServiceEvidence, Situation};
use super::slo::{self, Quality};
use super::sync::applied::AppliedFact;
use super::time::{Interval, Timestamp};
use super::window::Sum;

/// Services that begin to fail this close to the onset share its fate (design §7).
pub const SHARED_FATE_WINDOW: Duration = Duration::from_secs(120);
/// At least this many untouched services must fail for an outage, whatever is usual (design §7).
pub const SHARED_FATE_SERVICES: usize = 3;
/// A service without a known round in this long before the onset is left out (design §7).
const KNOWN_WITHIN: Duration = Duration::from_secs(3600);
/// How long before the onset it is counted how often services begin to fail: as long as their rounds are kept for a decision.
const USUAL_BEFORE: Duration = Duration::from_secs(2 * 3600);
/// So many of the first rounds of a trouble tell whether it is one.
const TELLING_ROUNDS: usize = 3;
/// So many of them must not be good: one bad round is chance.
const TELLING_BAD: usize = 2;
/// No round for so many times `every` is no late one.
const SILENT_AFTER: u32 = 3;
/// Fewer failing services than an outage needs are one as well, where so many at once are less likely than this by chance.
pub const SIGNIFICANCE: f64 = 0.05;

/// How many services fail at once that no suspect reaches.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedFate {
    /// All services that were measured, the breaching one included.
    pub services: usize,
    /// Those of them that began to fail around the onset, the breaching one included.
    pub breaching: usize,
    /// Services that no suspect touches, that do not need an affected one and that were not just changed themselves.
    pub untouched: usize,
    /// Those of them that began to fail around the onset.
    pub untouched_breaching: Vec<PolicyName>,
    /// Those of them of which it cannot be told yet.
    pub untouched_undecided: Vec<PolicyName>,
    /// Every service that began to fail around the onset, or got worse since, and that neither a suspect nor a declared need explains, its own
    /// changes or not.
    pub unexplained: Vec<PolicyName>,
    /// The same for those that had a round that was not good around the onset, and too few since to tell.
    pub unexplained_undecided: Vec<PolicyName>,
    /// The services that the breaching one says it needs and that are in trouble as well: what is wrong with them explains it.
    pub needed_failing: Vec<PolicyName>,
    /// How many untouched services begin to fail in as long a time on average, by the time before.
    pub usual: f64,
}

impl SharedFate {
    /// Whether it is an outage of something that they share: three services and a quarter of them (design §7), or so many as by chance
    /// hardly ever fail together.
    pub fn is_outage(&self) -> bool {
        let failing = self.untouched_breaching.len();
        self.are_many(failing) || self.is_rare(failing)
    }

    /// Whether it would be one if the services that are in trouble turn out to fail.
    pub fn may_become_outage(&self) -> bool {
        let failing = self.untouched_breaching.len() + self.untouched_undecided.len();
        !self.untouched_undecided.is_empty() && (self.are_many(failing) || self.is_rare(failing))
    }

    /// Whether so many are three services and a quarter of those that no change touched.
    pub fn are_many(&self, failing: usize) -> bool {
        failing >= SHARED_FATE_SERVICES && failing * 4 >= self.untouched
    }

    /// Whether so many at once are rarer than [`SIGNIFICANCE`].
    fn is_rare(&self, failing: usize) -> bool {
        failing > 0 && self.chance(failing) <= SIGNIFICANCE
    }

    /// How likely it is that so many or more begin to fail at once by chance, 0 to 1: Poisson, about [`SharedFate::usual`].
    pub fn chance(&self, failing: usize) -> f64 {
        let mut term = (-self.usual).exp();
        let mut fewer = 0.0;
        for count in 0..failing {
            fewer += term;
            term *= self.usual / (count + 1) as f64;
        }
        (1.0 - fewer).max(0.0)
    }
}

/// Counts the services that share the breach's fate.
pub fn shared_fate(situation: &Situation, attribution: &Attribution) -> SharedFate {
    let onset = attribution.onset;
    let affected: BTreeSet<&PolicyName> = attribution
        .candidates
        .iter()
        .filter(|candidate| candidate.standing == Standing::Suspect)
        .flat_map(|candidate| &candidate.touches)
        .chain([&situation.service.policy.name])
        .collect();
    let mut fate = SharedFate {
        services: 1,
        breaching: 1,
        untouched: 0,
        untouched_breaching: Vec::new(),
        untouched_undecided: Vec::new(),
        unexplained: Vec::new(),
        unexplained_undecided: Vec::new(),
        needed_failing: Vec::new(),
        usual: 0.0,
    };
    let needed: BTreeSet<&PolicyName> =
        needed(&situation.service.policy, &situation.others).into_iter().map(|service| &service.policy.name).collect();
    let mut starts = 0;
    for (other, around) in worst_of_each(situation, onset) {
        let (trouble, began) = around.trouble;
        fate.services += 1;
        fate.breaching += usize::from(trouble == Trouble::Failing);
        if needed.contains(&other.policy.name) && trouble > Trouble::None && began.is_some() {
            fate.needed_failing.push(other.policy.name.clone());
        }
        if affected.contains(&other.policy.name) || depends_on_any(&other.policy, &affected, &situation.others) {
            continue;
        }
        match (trouble, began) {
            _ if other.found().got_worse.answer(&onset, || got_worse(other, onset)) => fate.unexplained.push(other.policy.name.clone()),
            (Trouble::Failing, _) => fate.unexplained.push(other.policy.name.clone()),
            // Its next rounds tell. A change of its own may explain it, and what they share as well.
            (Trouble::Undecided, Some(_)) => fate.unexplained_undecided.push(other.policy.name.clone()),
            _ => {}
        }
        if began.is_some() && is_of_own_rollouts(&other.policy.name, situation, onset) {
            continue;
        }
        fate.untouched += 1;
        let early = onset.earliest() - SHARED_FATE_WINDOW;
        starts += other.found().usual_starts.answer(&early, || usual_starts(other, early));
        match trouble {
            Trouble::Failing => fate.untouched_breaching.push(other.policy.name.clone()),
            Trouble::Undecided => fate.untouched_undecided.push(other.policy.name.clone()),
            Trouble::None => {}
        }
    }
    fate.usual = usual(situation, onset, starts);
    fate
}

/// Each other service that was measured, where it stands worst: it counts once, in however many instances it runs. They
/// follow one another.
fn worst_of_each(situation: &Situation, onset: Interval) -> Vec<(&Shared<ServiceEvidence>, Around)> {
    let mut services: Vec<(&Shared<ServiceEvidence>, Around)> = Vec::new();
    for other in &situation.others {
        let found = found_around(other, situation, onset);
        if !found.known_before {
            continue;
        }
        match services.last_mut().filter(|(known, _)| known.policy.name == other.policy.name) {
            Some(known) if found.trouble.0 > known.1.trouble.0 => *known = (other, found),
            Some(_) => {}
            None => services.push((other, found)),
        }
    }
    services
}

fn found_around(other: &Shared<ServiceEvidence>, situation: &Situation, onset: Interval) -> Around {
    other.found().around.answer(&(onset, situation.now), || Around::of(other, onset, situation.now))
}

/// Whether a service had a known round in the hour before an onset.
pub(super) fn known_before(service: &ServiceEvidence, onset: Interval) -> bool {
    let from = onset.earliest() - KNOWN_WITHIN;
    service.series.iter().any(|series| series.rounds.iter().any(|round| round.is_known() && round.end > from && round.end <= onset.by))
}

/// Whether the last two rounds of any SLO in the hour up to a time were not good. Rounds that were not measured are no good ones, and a round
/// without events is none. What comes after them takes nothing back, so that one good round more raises no action.
pub(super) fn was_in_trouble(other: &ServiceEvidence, until: Timestamp) -> bool {
    let in_trouble = |slo: &Slo| {
        let before = other.rounds(&slo.name).iter().rev().filter(|round| round.end <= until);
        let recent = before.take_while(|round| round.end > until - KNOWN_WITHIN);
        let last: Vec<Quality> =
            recent.map(|round| slo::quality(slo, round)).filter(|quality| *quality != Quality::Neither).take(TELLING_BAD).collect();
        last.len() == TELLING_BAD && !last.contains(&Quality::Good)
    };
    other.policy.slos.iter().any(in_trouble)
}

/// What the rounds of another service say around an onset. Every incident of a pass asks it of every other service.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    known_before: bool,
    trouble: (Trouble, Option<Timestamp>),
}

impl Around {
    fn of(service: &ServiceEvidence, onset: Interval, now: Timestamp) -> Self {
        Self { known_before: known_before(service, onset), trouble: trouble(service, onset, now) }
    }
}

/// How another service stands around the onset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// Nothing is wrong that began then.
    None,
    /// It is too early to tell.
    Undecided,
    /// It began to fail then.
    Failing,
}

fn around(onset: Interval) -> (Timestamp, Timestamp) {
    (onset.earliest() - SHARED_FATE_WINDOW, onset.by + SHARED_FATE_WINDOW)
}

fn is_trouble(slo: &Slo, round: &Round) -> bool {
    matches!(slo::quality(slo, round), Quality::Bad | Quality::Unknown)
}

/// Whether a service began to fail around the onset, and the end of its first round that was not good.
pub(super) fn trouble(service: &ServiceEvidence, onset: Interval, now: Timestamp) -> (Trouble, Option<Timestamp>) {
    let mut worst = (Trouble::None, None);
    for slo in &service.policy.slos {
        let found = trouble_of(slo, service.rounds(&slo.name), onset, now);
        if found.0 > worst.0 {
            worst = found;
        }
    }
    worst
}

fn trouble_of(slo: &Slo, rounds: &[Round], onset: Interval, now: Timestamp) -> (Trouble, Option<Timestamp>) {
    let (early, late) = around(onset);
    let since = rounds.partition_point(|round| round.end <= early);
    let since = over_until(slo, rounds, since, onset);
    // What was bad long before is another story.
    if since >= TELLING_BAD && rounds[since - TELLING_BAD..since].iter().all(|round| slo::quality(slo, round) == Quality::Bad) {
        return (Trouble::None, None);
    }
    let measured_to = rounds.last().map_or(early, |round| round.end);
    // Any of them may be where it began: what fails two requests of three has a good round or two soon after its first bad one.
    let beginnings = (since..rounds.len()).filter(|place| rounds[*place].end <= late && is_trouble(slo, &rounds[*place]));
    // As of its first rounds: services that share a fate do not recover in the same instant, and the last one to recover is not to blame.
    let told = beginnings.map(|place| (told(slo, &rounds[place..], now), Some(rounds[place].end)));
    if let Some(worst) =
        told.filter(|(trouble, _)| *trouble > Trouble::None).max_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)))
    {
        return worst;
    }
    // Watched for as long as others may follow, or three of its own rounds where those are shorter.
    let watched = onset.by + SHARED_FATE_WINDOW.min(slo.every() * 3);
    if measured_to >= watched {
        return (Trouble::None, None);
    }
    // What is only late is waited for.
    let is_silent = now > late + slo.every() && now.since(measured_to) > slo.every() * SILENT_AFTER;
    let was_measured = rounds.iter().any(|round| round.is_known() && round.end > onset.earliest() - KNOWN_WITHIN);
    match (is_silent, was_measured) {
        (false, _) => (Trouble::Undecided, None),
        // Rounds that are missing are rounds that were not measured: they clear nobody.
        (true, true) => (Trouble::Failing, Some(measured_to.max(early) + slo.every())),
        (true, false) => (Trouble::None, None),
    }
}

/// What the first rounds of a trouble, and those after it, tell of it.
fn told(slo: &Slo, telling: &[Round], now: Timestamp) -> Trouble {
    let bad = telling.iter().take(TELLING_ROUNDS).filter(|round| is_trouble(slo, round)).count();
    if bad >= TELLING_BAD {
        return Trouble::Failing;
    }
    if telling.len() >= TELLING_ROUNDS {
        return Trouble::None;
    }
    // One that is not measured any more does not clear anybody.
    let silent = telling.last().is_some_and(|round| now.since(round.end) > slo.every() * SILENT_AFTER);
    if silent { Trouble::Failing } else { Trouble::Undecided }
}

/// Whether a service got worse about when the breach began, by its rounds since then beside those of the hour before: two that were not good
/// since two minutes before the onset, or one since the onset with what came after it, where that is too many for chance. This is for a merge; it asks neither when in
/// that time it began nor whether it lasted. A single bad round is outweighed by some eight good ones.
///
/// What was not measured counts as bad since, and as good before.
fn got_worse(service: &ServiceEvidence, onset: Interval) -> bool {
    let early = onset.earliest() - SHARED_FATE_WINDOW;
    let of = |bad: usize, rounds: &[Round]| Sum { bad: bad as f64, total: rounds.len() as f64 };
    let worse = |slo: &Slo| {
        let rounds = service.rounds(&slo.name);
        let before =
            &rounds[rounds.partition_point(|round| round.end <= early - KNOWN_WITHIN)..rounds.partition_point(|round| round.end <= early)];
        let bad_before = before.iter().filter(|round| slo::quality(slo, round) == Quality::Bad).count();
        let first_bad = rounds.iter().position(|round| round.end > onset.earliest() && is_trouble(slo, round)).unwrap_or(rounds.len());
        let first_early = rounds.partition_point(|round| round.end <= early);
        [(first_early, TELLING_BAD), (first_bad, 1)].into_iter().any(|(first, least)| {
            let since = &rounds[first..];
            let bad = since.iter().filter(|round| is_trouble(slo, round)).count();
            bad >= least && likelihood_ratio(of(bad_before, before), of(bad, since)) > CHI_SQUARED_98
        })
    };
    service.policy.slos.iter().any(worse)
}

/// The round from which on trouble may be that of the breach: what was over before the breach began, as three good rounds in a row say, is not.
fn over_until(slo: &Slo, rounds: &[Round], since: usize, onset: Interval) -> usize {
    let until = rounds.partition_point(|round| round.end <= onset.earliest());
    let mut good = 0;
    let mut over = since;
    for (place, round) in rounds.iter().enumerate().take(until).skip(since) {
        good = if slo::quality(slo, round) == Quality::Good { good + 1 } else { 0 };
        if good >= TELLING_ROUNDS {
            over = place + 1;
        }
    }
    over
}

/// How often a service began to fail in the two hours before a time.
pub fn usual_starts(service: &ServiceEvidence, early: Timestamp) -> usize {
    let starts = |slo: &Slo| {
        let rounds = service.rounds(&slo.name);
        let from = rounds.partition_point(|round| round.end <= early - USUAL_BEFORE);
        let before = &rounds[from..rounds.partition_point(|round| round.end <= early).max(from)];
        let mut count = 0;
        let mut place = 0;
        while place < before.len() {
            let telling = &before[place..(place + TELLING_ROUNDS).min(before.len())];
            if is_trouble(slo, &telling[0]) && telling.iter().filter(|round| is_trouble(slo, round)).count() >= TELLING_BAD {
                count += 1;
                // A trouble is over at the first good round after it was told.
                place += TELLING_ROUNDS;
                while before.get(place).is_some_and(|round| is_trouble(slo, round)) {
                    place += 1;
                }
            } else {
                place += 1;
            }
        }
        count
    };
    service.policy.slos.iter().map(starts).max().unwrap_or_default()
}

/// So many starts in the time before, as a rate for a time as long as that around the onset. Half a start is added, because none in so
/// short a time does not mean that there are none (Jeffreys).
fn usual(situation: &Situation, onset: Interval, starts: usize) -> f64 {
    let (early, late) = around(onset);
    let first =
        situation.others.iter().flat_map(|other| &other.series).filter_map(|series| series.rounds.first()).map(|round| round.end).min();
    let seen = early.since(first.unwrap_or(early)).min(USUAL_BEFORE).as_secs_f64();
    let long = late.since(early).as_secs_f64();
    if seen > 0.0 { (starts as f64 + 0.5) * long / seen } else { f64::INFINITY }
}

/// Whether a policy says that it needs a service, or needs one that does.
pub(super) fn needs(policy: &Policy, name: &PolicyName, all: &[Shared<ServiceEvidence>]) -> bool {
    depends_on_any(policy, &BTreeSet::from([name]), all)
}

fn depends_on_any(policy: &Policy, affected: &BTreeSet<&PolicyName>, all: &[Shared<ServiceEvidence>]) -> bool {
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

/// Whether every trouble of a service around the onset began while a change of its own was rolled out, in each instance and by each SLO: what
/// that cannot explain of one of them has another cause.
fn is_of_own_rollouts(name: &PolicyName, situation: &Situation, onset: Interval) -> bool {
    let instances =
        situation.others.iter().filter(|other| other.policy.name == *name && found_around(other, situation, onset).known_before);
    instances.flat_map(|other| other.policy.slos.iter().map(move |slo| (other, slo))).all(|(other, slo)| {
        let rounds = other.rounds(&slo.name);
        let (_, Some(began)) = trouble_of(slo, rounds, onset, situation.now) else { return true };
        // A round that was not measured may have been the beginning or good: both lie in the rollout, and so does the first that is known.
        let (_, late) = around(onset);
        let mut beginnings = rounds.iter().filter(|round| round.end >= began && round.end <= late && is_trouble(slo, round));
        let last = beginnings.clone().find(|round| slo::quality(slo, round) == Quality::Bad).or_else(|| beginnings.next_back());
        last.is_some_and(|last| is_own_rollout(other, Interval::new(began, last.end), &situation.landings))
    })
}

/// Whether all of a time lies in the rollout of a change of the service's own that is known to have been applied.
fn is_own_rollout(service: &ServiceEvidence, time: Interval, landings: &[Landing]) -> bool {
    landings
        .iter()
        .filter(|landing| landing.repository == service.policy.repository)
        .filter(|landing| landing.changes.iter().any(|change| change.touches(&service.policy)))
        .any(|landing| match applied_fact(service, landing) {
            Some(AppliedFact::At { applied, .. }) => {
                applied.after.is_some_and(|after| after <= time.earliest()) && time.by <= applied.by + service.policy.revert.settle
            }
            // A source that is silent excuses nobody.
            Some(AppliedFact::Unknown { .. } | AppliedFact::Broke { .. } | AppliedFact::NotYet { .. }) | None => false,
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::change::{Change, ChangeKind, Meaning, PathChange, Person};
    use crate::engine::id::{BranchName, CommitId, InstanceName, SyncName};
    use crate::engine::landing::LandingShape;
    use crate::engine::policy::{Sync, SyncTarget, sample};

    fn fate(untouched: usize, failing: usize, usual: f64) -> SharedFate {
        let names = (0..failing).map(|number| PolicyName::new(format!("service-{number}"))).collect();
        SharedFate {
            services: untouched + 1,
            breaching: failing + 1,
            untouched,
            untouched_breaching: names,
            untouched_undecided: Vec::new(),
            unexplained: Vec::new(),
            unexplained_undecided: Vec::new(),
            needed_failing: Vec::new(),
            usual,
        }
    }

    #[test]
    fn one_that_fails_at_once_tells_only_where_that_is_rare() {
        assert!(fate(8, 1, 0.03).is_outage(), "none failed in two hours");
        assert!(!fate(200, 1, 0.3).is_outage(), "in a large fleet one always does");
        assert!(!fate(8, 0, 0.0).is_outage());
        assert!(!fate(8, 1, f64::INFINITY).is_outage(), "nothing was seen before");
    }

    #[test]
    fn three_and_a_quarter_are_an_outage_whatever_is_usual() {
        assert!(fate(12, 3, 9.0).is_outage());
        assert!(!fate(13, 3, 9.0).is_outage());
        assert!(!fate(4, 2, 9.0).is_outage());
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    /// Whether trouble at second 25 is of the rollout of a change that landed from second 0 to 10, by what is known of its apply.
    fn is_excused(sync: &Sync, applied: Option<AppliedFact>) -> bool {
        let mut policy = sample::policy(&["eu"]);
        policy.instances[0].sync = sync.clone();
        let path = PathChange { path: "apps/checkout/deployment.yaml".into(), from: None, to: None, meaning: Meaning::Changed };
        let change = Change {
            id: CommitId([1; 20]),
            parents: Vec::new(),
            before: None,
            author: Person { name: "Robin".into(), email: "robin@shop.example".into() },
            subject: String::new(),
            kind: ChangeKind::Ordinary,
            paths: vec![path].into(),
            opt_out: None,
            plan: None,
            pulled_in_by: Vec::new(),
            concerns: Vec::new(),
        };
        let landing = Landing {
            repository: policy.repository.clone(),
            branch: BranchName::new("main"),
            from: None,
            to: CommitId([1; 20]),
            landed: Interval::new(at(0), at(10)),
            shape: LandingShape::Line,
            changes: vec![change],
        };
        let applied = applied.map(|fact| BTreeMap::from([(landing.to, fact)]));
        let service = ServiceEvidence { applied, ..ServiceEvidence::measured(policy, InstanceName::new("eu"), Vec::new()) };
        is_own_rollout(&service, Interval::new(at(25), at(25)), &[landing])
    }

    /// Regression: what a silent source leaves open was counted as its rollout, for minutes.
    #[test]
    fn a_source_that_says_nothing_excuses_no_trouble() {
        let follows = SyncTarget::Application { name: "checkout".to_owned(), namespace: None, project: None };
        let source = Sync::Source { source: SyncName::new("argo"), follows };
        let applied = |by: i64| AppliedFact::at(Interval::new(at(12), at(by)));
        assert!(is_excused(&source, Some(applied(24))));
        assert!(!is_excused(&source, Some(applied(14))), "the rollout was over");
        assert!(!is_excused(&source, Some(AppliedFact::Unknown { after: Some(at(12)), why: "down".to_owned() })));
        assert!(!is_excused(&source, None), "it has not been asked");
        assert!(is_excused(&Sync::Lag(Duration::from_secs(15)), None), "where none is named, the lag is assumed");
    }
}
