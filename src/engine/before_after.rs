//! What the rounds say about a suspect (design §7): how often the service was bad before and since it was applied, beside what it cannot have
//! reached.
//!
//! Rounds are read as good or bad by their own SLO, so that services of different scales can be laid beside one another; when in a series of
//! values the service got worse is [`super::onset`]'s. The comparison itself is [`super::compare`]'s. Negative controls are the services that
//! no change in the window touches, the other instances that had not applied the suspects, the version from before that runs beside the new one
//! ([`super::versions`]), and the same hours of the day before.
//!
//! For a merge an SLO that breaches must have got worse since the suspects were applied by more than chance (`NotWorse`): an alert asks for a
//! few bad rounds, and a service that is bad now and then has those by itself. What was in the same trouble at the same hour of the day
//! before is no commit (`SameHourBefore`): a job, a backup, people who come to work. That holds while the trouble of the day before lasted, so
//! that what goes on longer is decided then.

use std::time::Duration;

use super::attribution::{Attribution, Beginning, Candidate, Standing, breaching};
use super::compare::{self, Comparison, Control, ControlKind, Evidence};
use super::elsewhere;
use super::fate;
use super::policy::Slo;
use super::reading::{self, Reading};
use super::round::Round;
use super::situation::{ServiceEvidence, Situation};
use super::slo::{self, Quality};
use super::time::{Interval, Timestamp};
use super::versions;

/// The rounds of so long before are compared with those of as long since.
const HOUR: Duration = Duration::from_secs(3600);
/// So many other services are laid beside the breaching one; more say no more.
const MOST_SERVICES: usize = 12;
/// From one day to the next.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// What runs at the same hour every day begins and ends up to so much earlier or later.
const SAME_HOUR: Duration = Duration::from_secs(600);
/// Of so many rounds in a row of the day before …
const TELLING_ROUNDS: usize = 5;
/// … so many that were not good are a trouble.
const TELLING_BAD: usize = 3;

/// The times that are compared.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// Before this it was not applied.
    pub(super) applied: Timestamp,
    /// From here on it was, if it did it: what is not known to the minute was applied before the breach began.
    pub(super) effective: Timestamp,
    now: Timestamp,
}

impl Span {
    /// `None` where nothing says that it was not applied before a time.
    pub(super) fn of(applied: Interval, onset: Interval, now: Timestamp) -> Option<Self> {
        let after = applied.after?;
        Some(Self { applied: after, effective: applied.by.min(onset.earliest()).max(after), now })
    }

    fn earlier(self, by: Duration) -> Self {
        Self { applied: self.applied - by, effective: self.effective - by, now: self.now - by }
    }

    /// The rounds that ended in the hour before, and those that began since, up to an hour. Those in which it may have been applied are left out.
    fn sides(self, readings: &[Reading]) -> (&[Reading], &[Reading]) {
        let after = reading::within(readings, self.effective, self.now.min(self.effective + HOUR));
        let began = after.partition_point(|reading| reading.start < self.effective);
        (reading::within(readings, self.applied - HOUR, self.applied), &after[began..])
    }

    /// The same for rounds.
    pub(super) fn rounds(self, rounds: &[Round]) -> (&[Round], &[Round]) {
        let within = |from: Timestamp, to: Timestamp| {
            let first = rounds.partition_point(|round| round.end <= from);
            &rounds[first..rounds.partition_point(|round| round.end <= to).max(first)]
        };
        let after = within(self.effective, self.now.min(self.effective + HOUR));
        let began = after.partition_point(|round| round.start < self.effective);
        (within(self.applied - HOUR, self.applied), &after[began..])
    }
}

/// Of so many landings that can have done it, what the rounds say is worked out.
const MOST_WEIGHED: usize = 4;

/// Lays the rounds before and since, with every negative control, beside each candidate that can have done it, by the SLO that began first. Of
/// several that were applied at once, the newest has it for all.
pub fn weigh(situation: &Situation, beginning: &Beginning, candidates: &mut [Candidate]) {
    let Some(slo) = situation.service.policy.slos.iter().find(|slo| slo.name == beginning.slo) else { return };
    let mut weighed: Vec<Option<Interval>> = Vec::new();
    for position in 0..candidates.len() {
        let candidate = &candidates[position];
        let can_have = matches!(candidate.standing, Standing::Suspect | Standing::AlsoPossible);
        if can_have && weighed.len() < MOST_WEIGHED && !weighed.contains(&candidate.applied) {
            weighed.push(candidate.applied);
            candidates[position].evidence = of_candidate(situation, slo, beginning.onset, candidate, candidates);
        }
    }
}

/// `None` where it is not known when it was applied.
fn of_candidate(situation: &Situation, slo: &Slo, onset: Interval, candidate: &Candidate, candidates: &[Candidate]) -> Option<Evidence> {
    let service = &situation.service;
    let span = Span::of(candidate.applied?, onset, situation.now)?;
    let own = reading::verdicts(slo, &service.rounds_of_two_days(&slo.name));
    let others = others(situation, candidates, span);
    let elsewhere = without_it(situation, candidate, span);
    let earlier = earlier_versions(service, slo, span);
    let mut controls: Vec<Control<'_>> = Vec::new();
    let kinds = [(ControlKind::OtherService, &others), (ControlKind::OtherInstance, &elsewhere), (ControlKind::OtherVersion, &earlier)];
    for (kind, series) in kinds {
        controls.extend(series.iter().map(|(name, readings)| {
            let (before, after) = span.sides(readings);
            Control { name: name.clone(), kind, before, after }
        }));
    }
    let (before, after) = span.earlier(DAY).sides(&own);
    if !before.is_empty() && !after.is_empty() {
        controls.push(Control { name: "the day before".to_owned(), kind: ControlKind::DayBefore, before, after });
    }
    let (before, after) = span.sides(&own);
    Some(compare::evidence(slo.name.as_str(), before, after, &controls))
}

/// Services that no change in the window touches and that do not need the breaching one, each with its worst SLO.
fn others(situation: &Situation, candidates: &[Candidate], span: Span) -> Vec<(String, Vec<Reading>)> {
    let is_touched = |other: &ServiceEvidence| candidates.iter().any(|candidate| candidate.touches.contains(&other.policy.name));
    situation
        .others
        .iter()
        .filter(|other| !is_touched(other) && !fate::needs(&other.policy, &situation.service.policy.name, &situation.others))
        .take(MOST_SERVICES)
        .filter_map(|other| Some((format!("`{}`", other.named()), worst(other, span)?)))
        .collect()
}

/// The same service where the candidate was not applied.
fn without_it(situation: &Situation, candidate: &Candidate, span: Span) -> Vec<(String, Vec<Reading>)> {
    let brought = |other: &ServiceEvidence| elsewhere::lacks(other, &situation.landings, candidate.commit);
    let lacking = situation.elsewhere.iter().filter(|other| brought(other));
    lacking.filter_map(|other| Some((format!("`{}`", other.named()), worst(other, span)?))).collect()
}

/// The versions of the service from before that still run beside a new one.
fn earlier_versions(service: &ServiceEvidence, slo: &Slo, span: Span) -> Vec<(String, Vec<Reading>)> {
    let earlier = versions::earlier(service, slo, span).into_iter();
    earlier.map(|earlier| (format!("version `{}`", earlier.version), reading::verdicts(slo, &earlier.rounds))).collect()
}

/// The readings of the SLO that got worse most.
fn worst(service: &ServiceEvidence, span: Span) -> Option<Vec<Reading>> {
    let effect = |readings: &[Reading]| {
        let (before, after) = span.sides(readings);
        compare::compare(before, after).effect.0
    };
    let all = service.policy.slos.iter().map(|slo| reading::verdicts(slo, service.rounds(&slo.name)));
    all.max_by(|one, other| effect(one).total_cmp(&effect(other)))
}

// === for a merge ===

/// The breaching SLO that is the least likely to have got no worse, with its before and after, where none of those that are bad now got worse by
/// more than chance; `None` where one did, where the newest round of the one that did is not bad, or where it is not known when the suspects
/// were applied.
pub fn not_worse<'a>(situation: &'a Situation, attribution: &Attribution) -> Option<(&'a Slo, Comparison)> {
    let suspects = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let applied = suspects.filter_map(|candidate| candidate.applied).min_by_key(|applied| applied.earliest())?;
    let span = Span::of(applied, attribution.onset, situation.now)?;
    let compared: Vec<(&Slo, Comparison)> = breaching(&situation.service, &situation.landings, situation.now)
        .map(|slo| {
            let readings = reading::verdicts(slo, situation.service.rounds(&slo.name));
            let (before, after) = span.sides(&readings);
            (slo, compare::compare(before, after))
        })
        .collect();
    let got_worse = |(slo, comparison): &(&Slo, Comparison)| {
        comparison.shift == compare::Shift::Worse && slo::is_clearly_bad_now(slo, situation.service.rounds(&slo.name))
    };
    if compared.iter().any(got_worse) {
        return None;
    }
    let not_worse = compared.into_iter().filter(|(_, comparison)| comparison.shift != compare::Shift::Worse);
    not_worse.min_by(|(_, one), (_, other)| one.probability.0.total_cmp(&other.probability.0))
}

// === what comes and goes ===

/// How often a service that comes and goes was bad, by the SLO of which more is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComesAndGoes {
    /// Separate times in the hour before the suspects were applied.
    pub before: usize,
    /// Separate times since the suspects were applied.
    pub since: usize,
}

/// A second trouble in the hour before says that the service is not steady, and a second one since that this is no other.
const SEVERAL: usize = 2;

/// The SLO that was bad several separate times in the hour before the suspects were applied, and is so again since: a change that breaks
/// something stays broken. The bad rounds of one trouble are one another's echo and count once.
pub fn comes_and_goes<'a>(situation: &'a Situation, attribution: &Attribution) -> Option<(&'a Slo, ComesAndGoes)> {
    let service = &situation.service;
    let suspects = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let applied = suspects.filter_map(|candidate| candidate.applied?.after).min()?;
    let began = began(attribution, situation.now);
    service.policy.slos.iter().find_map(|slo| {
        let rounds = service.rounds(&slo.name);
        let place = |time: Timestamp| rounds.partition_point(|round| round.end <= time);
        let before = troubles(slo, &rounds[place(applied - HOUR)..place(applied)], Newest::Counts);
        let since = troubles(slo, &rounds[place(began)..], Newest::MayBeEither);
        (before >= SEVERAL && since >= SEVERAL).then_some((slo, ComesAndGoes { before, since }))
    })
}

/// What the newest of some rounds says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Newest {
    /// What was measured.
    Counts,
    /// The next one may be the other way: a good round after bad ones is no reason to act.
    MayBeEither,
}

/// The most separate times that rounds can have been bad, whatever those were that were not measured (promise P2).
fn troubles(slo: &Slo, rounds: &[Round], newest: Newest) -> usize {
    let mut count = 0;
    let mut is_bad = false;
    for (position, round) in rounds.iter().enumerate() {
        let open = newest == Newest::MayBeEither && position + 1 == rounds.len();
        let was_bad = is_bad;
        is_bad = match slo::quality(slo, round) {
            Quality::Neither => continue,
            Quality::Unknown => !was_bad,
            Quality::Good | Quality::Bad if open => !was_bad,
            quality => quality == Quality::Bad,
        };
        count += usize::from(is_bad && !was_bad);
    }
    count
}

/// When the trouble may have begun: no later than the first suspect was applied, within the last hour. The onset alone is where the rounds say,
/// and moves behind a bad one that goes missing (promise P2).
fn began(attribution: &Attribution, now: Timestamp) -> Timestamp {
    let suspects = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let applied = suspects.filter_map(|candidate| candidate.applied?.after).min();
    let onset = attribution.onset.earliest();
    applied.map_or(onset, |applied| onset.min(applied.max(now - HOUR)))
}

// === the same hour of the day before ===

/// The time of the day before that is looked at, for an incident that began with `onset`.
pub fn day_before(onset: Interval, now: Timestamp) -> (Timestamp, Timestamp) {
    (onset.earliest().min(now - HOUR) - DAY - SAME_HOUR - HOUR, now - DAY + SAME_HOUR)
}

/// What an SLO did at the same hour of the day before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameHour {
    /// The first round that was not good.
    pub began: Timestamp,
    /// The last one, up to ten minutes after the same moment.
    pub until: Timestamp,
    /// Rounds that were not good, of those in between.
    pub bad: usize,
    /// The rounds in between.
    pub rounds: usize,
}

/// The SLO that was in trouble at the same hour of the day before, which came from an hour that was mostly good and was not over by the same
/// moment. What was not measured counts as bad in the trouble, and as good before it (promise P2). Every SLO that can open an incident is asked,
/// and not those that breach: which of them do hangs on rounds of today that may go missing.
pub fn same_hour_before<'a>(situation: &'a Situation, attribution: &Attribution) -> Option<(&'a Slo, SameHour)> {
    let began = began(attribution, situation.now);
    situation.service.policy.slos.iter().find_map(|slo| {
        let rounds = situation.service.rounds_of_two_days(&slo.name);
        same_hour(slo, &rounds, began - DAY, situation.now - DAY).map(|found| (slo, found))
    })
}

fn same_hour(slo: &Slo, rounds: &[Round], onset: Timestamp, now: Timestamp) -> Option<SameHour> {
    let within = |from: Timestamp, to: Timestamp| {
        &rounds[rounds.partition_point(|round| round.end <= from)..rounds.partition_point(|round| round.end <= to)]
    };
    let from = onset - SAME_HOUR;
    // Not only the hour before that: a beginning that is found earlier, because a round went missing, takes nothing away.
    let is_mostly_good = |to: Timestamp| {
        let before = within(to - HOUR, to);
        before.iter().filter(|round| slo::quality(slo, round) == Quality::Bad).count() * 2 <= before.len()
    };
    let came_from_good = || std::iter::once(from).chain(within(from, now).iter().map(|round| round.end)).any(is_mostly_good);
    let recent = within(from, now + SAME_HOUR);
    let is_trouble = |round: &&Round| matches!(slo::quality(slo, round), Quality::Bad | Quality::Unknown);
    let told = recent.windows(TELLING_ROUNDS).any(|rounds| rounds.iter().filter(is_trouble).count() >= TELLING_BAD);
    let (first, last) = (recent.iter().position(|round| is_trouble(&round))?, recent.iter().rposition(|round| is_trouble(&round))?);
    let lasts = recent[last].end >= now - SAME_HOUR;
    (told && lasts && came_from_good()).then(|| SameHour {
        began: recent[first].end,
        until: recent[last].end,
        bad: recent[first..=last].iter().filter(is_trouble).count(),
        rounds: last - first + 1,
    })
}

#[cfg(test)]
mod tests;
