//! Error budgets: how much of an SLO's is left, how fast it burns, and what an incident spent of it.
//!
//! A budget is the share 1 − target of the events of a window (Google SRE workbook, chapter 2), an event being one of a round of counts, or
//! one round that is good or bad by the objective. What was not measured counts neither way, and how long that was is said beside every
//! figure: a budget over a window with holes is that of the time that was measured.
//!
//! A window of weeks has more rounds than are kept. They are counted by the hour before they are forgotten ([`Hour`]), and a window that begins
//! before the rounds that there are takes whole hours: it may be longer by a part of one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::SloName;
use super::policy::{Alert, AlertRule, Ratio, Slo};
use super::round::{Decimal, Outcome, Round, count};
use super::slo::{Quality, percent, quality};
use super::time::{Timestamp, spoken};
use super::window::{self, Sum};

/// The length of an [`Hour`].
pub const HOUR: Duration = Duration::from_secs(3600);

/// The events of one hour of an SLO's rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hour {
    /// When it began: a whole hour since the epoch.
    pub start: Timestamp,
    /// Failed events.
    pub bad: Decimal,
    /// All events.
    pub total: Decimal,
    /// How much of it no known round covers.
    pub missing: Duration,
}

/// What is known of an SLO: the hours that were counted and the rounds that there are, both from old to new.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Hours that were counted.
    pub hours: &'a [Hour],
    /// Rounds.
    pub rounds: &'a [Round],
}

/// What an incident spent of a budget and what is left of it, for the journal: shares in millionths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spending {
    /// Whose budget.
    pub slo: SloName,
    /// The incident's share of the failures that the window allows. `None` without any event.
    pub spent: Option<i64>,
    /// The share that was left then; negative when it was overspent.
    pub left: Option<i64>,
    /// One sentence.
    pub sentence: String,
}

/// The events of a window and what of it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Failed events.
    pub bad: Decimal,
    /// All events.
    pub total: Decimal,
    /// The length of the window.
    #[serde(with = "super::time::millis")]
    pub window: Duration,
    /// How much of it no known round covers.
    #[serde(with = "super::time::millis")]
    pub missing: Duration,
}

/// An error budget at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Whose.
    pub slo: SloName,
    /// The target.
    pub target: Ratio,
    /// What was counted.
    pub tally: Tally,
    /// The failures that the target allows among the events that there were.
    pub allowed: Decimal,
    /// The share that is left: 1 at first, 0 when it is spent, negative when it is overspent. `None` without any event.
    pub left: Option<Decimal>,
    /// One sentence.
    pub sentence: String,
}

/// How fast a budget burns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Burn {
    /// What was counted.
    pub tally: Tally,
    /// How many times as fast as the target allows; 1 spends the budget exactly by the end of its window. `None` without any event.
    pub rate: Option<Decimal>,
    /// One sentence.
    pub sentence: String,
}

/// What an incident spent of a budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    /// What was counted from its onset to its end.
    pub tally: Tally,
    /// Its failures as a share of those that the budget's window allows. `None` without any event in that window.
    pub share: Option<Decimal>,
    /// One sentence.
    pub sentence: String,
}

/// What is left of the SLO's budget at `now`; `None` where it has no target, one of 100 %, or no window.
pub fn left(slo: &Slo, record: Record<'_>, now: Timestamp) -> Option<Budget> {
    let (target, window) = (target(slo)?, slo.objective.time_window?);
    let tally = record.tally(slo, now - window, now);
    let allowed = tally.total.0 * target.complement();
    let left = share_of(tally.bad.0, allowed).map(|spent| 1.0 - spent);
    let spoken_window = spoken(window);
    let figures = format!(
        "{} failures in the last {spoken_window}, where {target} of {} events allows {}",
        count(tally.bad.0),
        count(tally.total.0),
        count(allowed)
    );
    let sentence = match left {
        None => {
            format!("The error budget of `{}` is not known: no event was measured in the last {spoken_window}{}.", slo.name, tally.holes())
        }
        Some(left) if left < 0.0 => format!("The error budget of `{}` is overspent: {figures}{}.", slo.name, tally.holes()),
        Some(left) => format!("{} of the error budget of `{}` is left: {figures}{}.", percent(left), slo.name, tally.holes()),
    };
    Some(Budget { slo: slo.name.clone(), target, tally, allowed: Decimal(allowed), left: left.map(Decimal), sentence })
}

/// How fast the SLO's budget burned over the last `window`; `None` where it has no target, or one of 100 %.
pub fn burn(slo: &Slo, record: Record<'_>, window: Duration, now: Timestamp) -> Option<Burn> {
    let target = target(slo)?;
    let tally = record.tally(slo, now - window, now);
    let rate = share_of(tally.bad.0, tally.total.0 * target.complement());
    let sentence = match rate {
        None => format!(
            "How fast `{}` burns its error budget is not known: no event was measured in the last {}{}.",
            slo.name,
            spoken(window),
            tally.holes()
        ),
        Some(rate) => format!(
            "`{}` burned its error budget {} times as fast as {target} allows over the last {}: {} of {} events failed{}.",
            slo.name,
            tenths(rate),
            spoken(window),
            count(tally.bad.0),
            count(tally.total.0),
            tally.holes()
        ),
    };
    Some(Burn { tally, rate: rate.map(Decimal), sentence })
}

/// What an incident from `onset` to `end` spent of the budget of the window that ends with it; `None` where the SLO has no target, one of 100 %, or no window.
pub fn spent(slo: &Slo, record: Record<'_>, onset: Timestamp, end: Timestamp) -> Option<Spent> {
    let (target, window) = (target(slo)?, slo.objective.time_window?);
    let during = record.tally(slo, onset, end);
    let whole = record.tally(slo, end - window, end);
    let allowed = whole.total.0 * target.complement();
    let share = share_of(during.bad.0, allowed);
    let sentence = match share {
        None => format!("What it spent of the error budget of `{}` is not known: no event was measured{}.", slo.name, whole.holes()),
        Some(share) => format!(
            "It spent {} of the error budget of `{}`: {} failures in {}, where {target} allows {} in {}{}.",
            percent(share),
            slo.name,
            count(during.bad.0),
            spoken(during.window),
            count(allowed),
            spoken(window),
            whole.holes()
        ),
    };
    Some(Spent { tally: during, share: share.map(Decimal), sentence })
}

/// What an incident that began at `onset` has spent at `now`, with what is left; `None` where the SLO has no budget.
pub fn spending(slo: &Slo, record: Record<'_>, onset: Timestamp, now: Timestamp) -> Option<Spending> {
    let (spent, budget) = (spent(slo, record, onset, now)?, left(slo, record, now)?);
    let window = spoken(budget.tally.window);
    let sentence = match (spent.share, budget.left) {
        (Some(share), Some(left)) => {
            let left = if left.0 < 0.0 { "nothing is left".to_owned() } else { format!("{} is left", percent(left.0)) };
            format!(
                "This incident has spent {} of the {window} error budget of `{}`; {left}{}.",
                percent(share.0),
                slo.name,
                budget.tally.holes()
            )
        }
        _ => format!("What this incident has spent of the error budget of `{}` is not known: no event was measured.", slo.name),
    };
    let millionths = |share: Decimal| (share.0 * 1e6).round() as i64;
    Some(Spending { slo: slo.name.clone(), spent: spent.share.map(millionths), left: budget.left.map(millionths), sentence })
}

/// The windows over which burn is shown: those of the SLO's burn rates, and without any an hour, six and a day; none longer than the budget's.
pub fn windows(slo: &Slo) -> Vec<Duration> {
    let of_alert = |alert: &Alert| match alert.rule {
        AlertRule::BurnRate { long, short, .. } => vec![short, long],
        AlertRule::Failing { .. } => Vec::new(),
    };
    let mut windows: Vec<Duration> = slo.alerts().flat_map(of_alert).collect();
    if windows.is_empty() {
        windows = vec![HOUR, HOUR * 6, HOUR * 24];
    }
    windows.retain(|window| slo.objective.time_window.is_none_or(|longest| *window <= longest));
    windows.sort_unstable();
    windows.dedup();
    windows
}

/// The beginning of the hour that a time is in.
pub fn hour_of(time: Timestamp) -> Timestamp {
    let length = i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX);
    Timestamp(time.millis().div_euclid(length) * length)
}

/// Counts one hour.
pub fn hour(slo: &Slo, rounds: &[Round], start: Timestamp) -> Hour {
    let end = start + HOUR;
    let Tally { bad, total, mut missing, .. } = tally(slo, rounds, start, end);
    let over = rounds.partition_point(|round| round.end <= end);
    let known = rounds[..over].iter().rev().find(|round| round.is_known()).map_or(start, |round| round.end.max(start));
    // The hour is over: what lies after its last round was measured only if the next one stands for it.
    let measured = |round: &Round| round.is_known() && round.end - slo.longest_gap() <= known;
    if end.since(known) <= slo.longest_gap() && !rounds.get(over).is_some_and(measured) {
        missing += end.since(known);
    }
    Hour { start, bad, total, missing }
}

impl Record<'_> {
    /// Counts the events from `from` to `to`: from the rounds as far back as there are any, and from whole hours before.
    pub fn tally(&self, slo: &Slo, from: Timestamp, to: Timestamp) -> Tally {
        let first = self.rounds.first().map_or(to, |round| round.start);
        let older = self.hours.iter().filter(|hour| hour.start < first && hour.start + HOUR > from && hour.start < to);
        let older: Vec<&Hour> = older.collect();
        let Some(newest) = older.last() else { return tally(slo, self.rounds, from, to) };
        // The rounds of an hour that was counted are not counted again.
        let counted = (newest.start + HOUR).min(to);
        let mut sum = tally(slo, self.rounds, counted, to);
        let begin = hour_of(from);
        let hours = u32::try_from(counted.since(begin).as_secs().div_ceil(3600)).unwrap_or(u32::MAX);
        sum.missing += HOUR.saturating_mul(hours.saturating_sub(u32::try_from(older.len()).unwrap_or(u32::MAX)));
        for hour in older {
            (sum.bad.0, sum.total.0) = (sum.bad.0 + hour.bad.0, sum.total.0 + hour.total.0);
            sum.missing += hour.missing;
        }
        sum.window = to.since(from);
        sum.missing = sum.missing.min(sum.window);
        sum
    }
}

/// Counts the events of the rounds that end in (`from`, `to`], and what of that time no known round covers.
pub fn tally(slo: &Slo, rounds: &[Round], from: Timestamp, to: Timestamp) -> Tally {
    let first = rounds.partition_point(|round| round.end <= from);
    let inside = &rounds[first..rounds.partition_point(|round| round.end <= to).max(first)];
    let mut sum = Sum::default();
    let mut missing = Duration::ZERO;
    let mut covered_to = from;
    for round in inside.iter().filter(|round| round.is_known()) {
        let events = events(slo, round);
        sum.bad += events.bad;
        sum.total += events.total;
        // A probe's round is short, and stands for the time since the round before it.
        let covers_from = round.start.min(round.end - slo.longest_gap());
        missing += covers_from.since(covered_to);
        covered_to = covered_to.max(round.end);
    }
    // A round that is not over yet is not missing.
    let tail = to.since(covered_to);
    if tail > slo.longest_gap() {
        missing += tail;
    }
    Tally { bad: Decimal(sum.bad), total: Decimal(sum.total), window: to.since(from), missing }
}

fn events(slo: &Slo, round: &Round) -> Sum {
    if let Outcome::Counts { good, total } = &round.outcome {
        return window::counts(good.0, total.0);
    }
    match quality(slo, round) {
        Quality::Good => Sum { bad: 0.0, total: 1.0 },
        Quality::Bad => Sum { bad: 1.0, total: 1.0 },
        Quality::Neither | Quality::Unknown => Sum::default(),
    }
}

/// Failures as a share of those that are allowed; `None` where none are, because there were no events.
fn share_of(bad: f64, allowed: f64) -> Option<f64> {
    (allowed > 0.0).then(|| bad / allowed)
}

/// The target, where it leaves a budget: 100 % leaves none.
fn target(slo: &Slo) -> Option<Ratio> {
    slo.objective.target.filter(|target| target.complement() > 0.0)
}

/// A number with at most one digit after the point.
fn tenths(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

impl Tally {
    /// What was not measured, as the end of a sentence; nothing where all was.
    fn holes(&self) -> String {
        if self.missing.is_zero() {
            String::new()
        } else {
            format!(" ({} of {} were not measured)", spoken(self.missing), spoken(self.window))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::id::MetricsName;
    use crate::engine::policy::{
        Alert, AlertRule, HttpIndicator, Indicator, Mode, Objective, PrometheusIndicator, PrometheusQuery, Unreachable,
    };
    use crate::engine::round::Unknown;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    fn slo(indicator: Indicator) -> Slo {
        Slo {
            name: SloName::new("errors"),
            indicator,
            objective: Objective { target: Some(Ratio(999_000_000)), max: None, min: None, time_window: Some(DAY) },
            alert: Alert { rule: AlertRule::Failing { count: 3, of: 5 }, recover_good: None, up_to: Mode::Merge },
            further: Vec::new(),
        }
    }

    fn counts_slo() -> Slo {
        slo(Indicator::Prometheus(PrometheusIndicator {
            server: MetricsName::new("main"),
            every: MINUTE,
            query: PrometheusQuery::Ratio { good: "good".to_owned(), total: "total".to_owned() },
            freshness: None,
            max_staleness: MINUTE,
            targets: None,
            version_label: None,
        }))
    }

    fn probe_slo() -> Slo {
        slo(Indicator::Http(HttpIndicator {
            url: "http://checkout".to_owned(),
            every: MINUTE,
            timeout: Duration::from_secs(2),
            expect_status: vec![200],
            unreachable: Unreachable::Bad,
        }))
    }

    fn of(rounds: &[Round]) -> Record<'_> {
        Record { hours: &[], rounds }
    }

    /// A round of 1,000 events for each minute of the day before [`NOW`].
    fn day(bad: impl Fn(u32) -> Option<f64>) -> Vec<Round> {
        (0..1440)
            .map(|minute| {
                let end = NOW - MINUTE * (1439 - minute);
                let outcome = match bad(minute) {
                    Some(bad) => Outcome::Counts { good: Decimal(1000.0 - bad), total: Decimal(1000.0) },
                    None => Outcome::Unknown(Unknown::NoData),
                };
                Round { start: end - MINUTE, end, outcome }
            })
            .collect()
    }

    #[test]
    fn half_of_it_is_left() {
        let rounds = day(|minute| Some(if minute % 2 == 0 { 1.0 } else { 0.0 }));
        let budget = left(&counts_slo(), of(&rounds), NOW).unwrap();
        assert!((budget.left.unwrap().0 - 0.5).abs() < 1e-9);
        assert_eq!(
            budget.sentence,
            "50% of the error budget of `errors` is left: 720 failures in the last 1d, where 99.9% of 1440000 events allows 1440."
        );
    }

    #[test]
    fn what_was_not_measured_counts_neither_way_and_is_said() {
        let rounds = day(|minute| (minute >= 90).then_some(0.0));
        let budget = left(&counts_slo(), of(&rounds), NOW).unwrap();
        assert_eq!((budget.left, budget.tally.missing), (Some(Decimal(1.0)), MINUTE * 90));
        assert!(budget.sentence.ends_with("allows 1350 (1h 30m of 1d were not measured)."), "{}", budget.sentence);
        let nothing = left(&counts_slo(), of(&[]), NOW).unwrap();
        assert_eq!(nothing.left, None);
        assert_eq!(
            nothing.sentence,
            "The error budget of `errors` is not known: no event was measured in the last 1d (1d of 1d were not measured)."
        );
    }

    #[test]
    fn an_incident_overspends_it_and_burns_fast() {
        let rounds = day(|minute| Some(if minute >= 1430 { 500.0 } else { 0.0 }));
        let budget = left(&counts_slo(), of(&rounds), NOW).unwrap();
        assert!(budget.left.unwrap().0 < -2.0);
        assert!(budget.sentence.starts_with("The error budget of `errors` is overspent: 5000 failures"), "{}", budget.sentence);
        assert_eq!(
            burn(&counts_slo(), of(&rounds), MINUTE * 60, NOW).unwrap().sentence,
            "`errors` burned its error budget 83.3 times as fast as 99.9% allows over the last 1h: 5000 of 60000 events failed."
        );
        let incident = spent(&counts_slo(), of(&rounds), NOW - MINUTE * 10, NOW).unwrap();
        assert_eq!(
            incident.sentence,
            "It spent 347.2% of the error budget of `errors`: 5000 failures in 10m, where 99.9% allows 1440 in 1d."
        );
    }

    #[test]
    fn rounds_of_a_probe_are_counted_and_cover_the_time_between_them() {
        let rounds: Vec<Round> = (0..1440)
            .map(|minute| {
                let start = NOW - MINUTE * (1439 - minute) - Duration::from_millis(30);
                let outcome = if minute == 700 { Outcome::Bad("503".to_owned()) } else { Outcome::Good("200".to_owned()) };
                Round { start, end: start + Duration::from_millis(30), outcome }
            })
            .collect();
        let budget = left(&probe_slo(), of(&rounds), NOW).unwrap();
        assert_eq!((budget.tally.total, budget.tally.bad, budget.tally.missing), (Decimal(1440.0), Decimal(1.0), Duration::ZERO));
    }

    #[test]
    fn hours_stand_for_rounds_that_are_gone() {
        let rounds = day(|minute| (minute % 7 != 0).then_some(f64::from(minute % 3)));
        let slo = counts_slo();
        let begin = hour_of(NOW - DAY);
        let hours: Vec<Hour> = (0..24).map(|number| hour(&slo, &rounds, begin + HOUR * number)).collect();
        let newest = &rounds[1440 - 90..];
        let whole = left(&slo, of(&rounds), NOW).unwrap();
        let kept = left(&slo, Record { hours: &hours, rounds: newest }, NOW).unwrap();
        let share = |budget: &Budget| budget.left.unwrap().0;
        assert!((share(&whole) - share(&kept)).abs() < 1e-9, "{} {}", whole.sentence, kept.sentence);
        assert_eq!((kept.tally.total, kept.tally.missing), (whole.tally.total, whole.tally.missing));
        // An hour that was not counted is missing.
        let gap = left(&slo, Record { hours: &hours[1..], rounds: newest }, NOW).unwrap();
        assert_eq!(gap.tally.missing, whole.tally.missing + HOUR - hours[0].missing);
    }

    #[test]
    fn an_incident_and_what_is_left_are_one_sentence() {
        let rounds = day(|minute| Some(if minute >= 1430 { 50.0 } else { 0.0 }));
        let spending = spending(&counts_slo(), of(&rounds), NOW - MINUTE * 10, NOW).unwrap();
        assert_eq!(spending.sentence, "This incident has spent 34.7% of the 1d error budget of `errors`; 65.3% is left.");
        assert_eq!((spending.spent, spending.left), (Some(347_222), Some(652_778)));
    }

    #[test]
    fn burn_is_shown_over_the_windows_of_the_alerts() {
        let mut slo = counts_slo();
        assert_eq!(windows(&slo), [HOUR, HOUR * 6, DAY]);
        slo.objective.time_window = Some(HOUR * 6);
        assert_eq!(windows(&slo), [HOUR, HOUR * 6]);
    }

    #[test]
    fn without_a_target_or_a_window_there_is_no_budget() {
        let mut slo = counts_slo();
        slo.objective.time_window = None;
        assert!(left(&slo, of(&[]), NOW).is_none() && burn(&slo, of(&[]), MINUTE, NOW).is_some());
        slo.objective.target = None;
        assert!(burn(&slo, of(&[]), MINUTE, NOW).is_none() && spent(&slo, of(&[]), NOW, NOW).is_none());
    }

    proptest! {
        #[test]
        fn a_failure_more_never_leaves_more(bad in proptest::collection::vec(0..1000_u32, 1..50), at in 0..50_usize) {
            let rounds = |bad: &[u32]| day(|minute| Some(f64::from(bad[minute as usize % bad.len()])));
            let mut bad = bad;
            let first = left(&counts_slo(), of(&rounds(&bad)), NOW).unwrap().left.unwrap();
            let at = at % bad.len();
            bad[at] += 1;
            prop_assert!(left(&counts_slo(), of(&rounds(&bad)), NOW).unwrap().left.unwrap() <= first);
        }
    }
}
