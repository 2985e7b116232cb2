//! The `prometheus` indicator: aligned rounds, each with its own proof of freshness (design §6).
//!
//! Every round covers one `every` and ends at a multiple of it. A live round asks instant queries with `time` at its end; a backfill
//! asks range queries whose first time is such an end and whose step is `every`, so that both evaluate the same expression at the same
//! times and give equal rounds. The alignment also keeps caches that round a range to its step from moving the times. A query that
//! refers to the range itself (`@ start()`, `@ end()`) breaks this, and has no place in an indicator.
//!
//! Prometheus stamps an answer with the time of evaluation, and an aggregate hides the age of its samples: minutes after the last pod
//! has died a ratio still reads 100 %. So the newest sample of the `freshness` selector is asked for in the same round. An indicator
//! without one cannot tell how old its data is; then only an empty answer is no data.
//!
//! `$version` is every version here; what each of them did is asked by `versions`.

use std::time::Duration;

use super::versions::VersionQueries;
use super::{Probe, RoundFuture, RoundsFuture, VersionsFuture};
use crate::engine::policy::{PrometheusIndicator, PrometheusQuery};
use crate::engine::round::{Decimal, Outcome, Round, Unknown};
use crate::engine::time::Timestamp;
use crate::net::client::NoAnswer;
use crate::net::prometheus::{Evaluated, Evaluations, PrometheusClient, QueryError};

/// The most rounds of one backfill; the newest of a longer time. Ninety days of rounds of ten seconds are fewer.
const LONGEST_BACKFILL: i64 = 1_000_000;

/// Asks one metrics server for one indicator.
#[derive(Clone, Debug)]
pub struct PrometheusProbe {
    client: PrometheusClient,
    every: Duration,
    max_staleness: Duration,
    freshness: Option<String>,
    targets: Option<String>,
    query: PrometheusQuery,
    versions: Option<VersionQueries>,
}

/// What the server said about one round.
#[derive(Clone, Debug, PartialEq)]
struct Evidence {
    /// The time of the newest sample in Unix seconds; `None` when the indicator does not ask for it.
    freshness: Option<Evaluated>,
    /// The highest `up` of the service's targets; `None` when the indicator does not ask for it.
    targets: Option<Evaluated>,
    answer: Answer,
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Value(Evaluated),
    Ratio { good: Evaluated, total: Evaluated },
}

/// What the server said about many rounds.
struct History {
    freshness: Option<Evaluations>,
    targets: Option<Evaluations>,
    answer: AnswerHistory,
}

enum AnswerHistory {
    Value(Evaluations),
    Ratio { good: Evaluations, total: Evaluations },
}

/// The end of the newest round that can be asked: the last multiple of `every` at or before `now` less `ingest_delay`.
pub fn last_end(now: Timestamp, every: Duration, ingest_delay: Duration) -> Timestamp {
    let step = step_millis(every);
    Timestamp((now - ingest_delay).millis().div_euclid(step).saturating_mul(step))
}

/// The ends of the rounds that lie whole between `from` and `to`, oldest first, and of too many the newest.
fn ends_within(from: Timestamp, to: Timestamp, every: Duration) -> impl Iterator<Item = Timestamp> {
    let step = step_millis(every);
    let from = from.millis().max(to.millis().saturating_sub(step.saturating_mul(LONGEST_BACKFILL)));
    // The first multiple of the step that is a whole step after `from`.
    let first = from.saturating_add(step).saturating_add(step - 1).div_euclid(step).saturating_mul(step);
    std::iter::successors(Some(first), move |end| end.checked_add(step)).take_while(move |end| *end <= to.millis()).map(Timestamp)
}

fn step_millis(every: Duration) -> i64 {
    i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1)
}

// === impl PrometheusProbe ===

impl PrometheusProbe {
    /// A probe of `indicator` through `client`, which is that of the indicator's server.
    pub fn new(client: PrometheusClient, indicator: &PrometheusIndicator) -> Self {
        // Every version, and what has no such label.
        Self::of_versions(client.clone(), indicator, ".*").telling(VersionQueries::new(client, indicator))
    }

    /// A probe of the versions that a regular expression matches. It stands in strings of PromQL of any kind, so that it may hold no quote
    /// and no backslash.
    pub(super) fn of_versions(client: PrometheusClient, indicator: &PrometheusIndicator, versions: &str) -> Self {
        let window = window(indicator.every);
        let fill = |query: &str| query.replace("$window", &window).replace("$version", versions);
        Self {
            client,
            every: indicator.every,
            max_staleness: indicator.max_staleness,
            freshness: indicator.freshness.as_deref().map(|selector| format!("max(timestamp({}))", fill(selector))),
            targets: indicator.targets.as_deref().map(|selector| format!("max({})", fill(selector))),
            query: match &indicator.query {
                PrometheusQuery::Value(query) => PrometheusQuery::Value(fill(query)),
                PrometheusQuery::Ratio { good, total } => PrometheusQuery::Ratio { good: fill(good), total: fill(total) },
            },
            versions: None,
        }
    }

    fn telling(self, versions: Option<VersionQueries>) -> Self {
        Self { versions, ..self }
    }

    async fn measure(&self, end: Timestamp) -> Round {
        let outcome = match self.evidence(end).await {
            Ok(evidence) => outcome(&evidence, end, self.max_staleness),
            Err(error) => unanswered(&error),
        };
        Round { start: end - self.every, end, outcome }
    }

    async fn evidence(&self, end: Timestamp) -> Result<Evidence, QueryError> {
        let answer = async {
            match &self.query {
                PrometheusQuery::Value(query) => Ok(Answer::Value(self.client.instant(query, end).await?)),
                PrometheusQuery::Ratio { good, total } => {
                    let (good, total) = tokio::try_join!(self.client.instant(good, end), self.client.instant(total, end))?;
                    Ok(Answer::Ratio { good, total })
                }
            }
        };
        let (freshness, targets, answer) =
            tokio::try_join!(self.asked(self.freshness.as_deref(), end), self.asked(self.targets.as_deref(), end), answer)?;
        Ok(Evidence { freshness, targets, answer })
    }

    /// The answer to a query that not every indicator has.
    async fn asked(&self, query: Option<&str>, end: Timestamp) -> Result<Option<Evaluated>, QueryError> {
        match query {
            Some(query) => self.client.instant(query, end).await.map(Some),
            None => Ok(None),
        }
    }

    async fn measure_past(&self, from: Timestamp, to: Timestamp) -> Vec<Round> {
        let ends: Vec<Timestamp> = ends_within(from, to, self.every).collect();
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else {
            return Vec::new();
        };
        let history = self.history(*first, *last).await;
        ends.iter()
            .map(|end| {
                let outcome = match &history {
                    Ok(history) => outcome(&history.at(*end), *end, self.max_staleness),
                    Err(error) => unanswered(error),
                };
                Round { start: *end - self.every, end: *end, outcome }
            })
            .collect()
    }

    async fn history(&self, first: Timestamp, last: Timestamp) -> Result<History, QueryError> {
        let range = |query| self.client.range(query, first, last, self.every);
        let freshness = match &self.freshness {
            Some(query) => Some(range(query).await?),
            None => None,
        };
        let targets = match &self.targets {
            Some(query) => Some(range(query).await?),
            None => None,
        };
        let answer = match &self.query {
            PrometheusQuery::Value(query) => AnswerHistory::Value(range(query).await?),
            PrometheusQuery::Ratio { good, total } => AnswerHistory::Ratio { good: range(good).await?, total: range(total).await? },
        };
        Ok(History { freshness, targets, answer })
    }
}

impl Probe for PrometheusProbe {
    fn round(&self, at: Timestamp) -> RoundFuture<'_> {
        Box::pin(self.measure(at))
    }

    /// The same rounds that [`Probe::round`] gives for the same ends, for filling windows at the start and for asking again what the
    /// server did not answer. A round that is still not answered is [`Unknown::ServerError`] again; a gap is a gap.
    fn backfill(&self, from: Timestamp, to: Timestamp) -> RoundsFuture<'_> {
        Box::pin(self.measure_past(from, to))
    }

    fn versions(&self, end: Timestamp) -> VersionsFuture<'_> {
        Box::pin(async move {
            match &self.versions {
                Some(versions) => Some(versions.told(end).await),
                None => None,
            }
        })
    }
}

// === impl History ===

impl History {
    fn at(&self, end: Timestamp) -> Evidence {
        let value = |evaluations: &Evaluations| evaluations.get(&end).cloned().unwrap_or(Evaluated::Nothing);
        Evidence {
            freshness: self.freshness.as_ref().map(value),
            targets: self.targets.as_ref().map(value),
            answer: match &self.answer {
                AnswerHistory::Value(values) => Answer::Value(value(values)),
                AnswerHistory::Ratio { good, total } => Answer::Ratio { good: value(good), total: value(total) },
            },
        }
    }
}

/// `$window`: `every` as a Prometheus duration.
fn window(every: Duration) -> String {
    match every.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

fn unanswered(error: &QueryError) -> Outcome {
    Outcome::Unknown(match error {
        QueryError::NoAnswer(NoAnswer::Refused { detail }) => Unknown::Refused { detail: detail.clone() },
        error => Unknown::ServerError { detail: error.to_string() },
    })
}

/// What a complete set of answers comes to. Pure, and the same for live and past rounds.
fn outcome(evidence: &Evidence, end: Timestamp, max_staleness: Duration) -> Outcome {
    judge(evidence, end, max_staleness).unwrap_or_else(|unknown| match unknown {
        Unknown::NoData | Unknown::Stale { .. } if are_down(evidence) => Outcome::targets_down(),
        unknown => Outcome::Unknown(unknown),
    })
}

/// Whether the server says that it has targets of the service and reaches none of them. Without any it says nothing.
fn are_down(evidence: &Evidence) -> bool {
    matches!(evidence.targets, Some(Evaluated::Number(highest)) if highest == 0.0)
}

fn judge(evidence: &Evidence, end: Timestamp, max_staleness: Duration) -> Result<Outcome, Unknown> {
    if let Some(newest) = &evidence.freshness {
        let newest = number(newest)?.ok_or(Unknown::NoData)?;
        // The cast saturates; a newest sample after the end of the round, as with skewed clocks, is fresh.
        let age = end.since(Timestamp((newest * 1000.0).round() as i64));
        if age > max_staleness {
            return Err(Unknown::Stale { age });
        }
    }
    match &evidence.answer {
        Answer::Value(value) => Ok(Outcome::Value(Decimal(number(value)?.ok_or(Unknown::NoData)?))),
        Answer::Ratio { good, total } => {
            let total = count("total", total)?.ok_or(Unknown::NoData)?;
            // Services that answer nothing but errors have no series of good events at all.
            let good = count("good", good)?.unwrap_or(0.0);
            Ok(Outcome::Counts { good: Decimal(good), total: Decimal(total) })
        }
    }
}

fn count(name: &str, evaluated: &Evaluated) -> Result<Option<f64>, Unknown> {
    let not = |detail: String| Unknown::NotANumber { detail: format!("`{name}` is {detail}") };
    match number(evaluated) {
        Ok(Some(events)) if events < 0.0 => Err(not(events.to_string())),
        Err(Unknown::NotANumber { detail }) => Err(not(detail)),
        other => other,
    }
}

/// A finite number, or none at all.
fn number(evaluated: &Evaluated) -> Result<Option<f64>, Unknown> {
    match evaluated {
        Evaluated::Nothing => Ok(None),
        Evaluated::Number(number) if number.is_finite() => Ok(Some(*number)),
        Evaluated::Number(number) => Err(Unknown::NotANumber { detail: number.to_string() }),
        Evaluated::Unusable(what) => Err(Unknown::NotANumber { detail: what.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::address::AddressRules;

    const END: Timestamp = Timestamp::from_secs(1_800_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn judged(newest_age: Option<f64>, answer: Answer) -> Outcome {
        let freshness = newest_age.map(|age| Evaluated::Number(END.secs() as f64 - age));
        outcome(&Evidence { freshness, targets: None, answer }, END, MINUTE)
    }

    #[test]
    fn no_data_is_bad_only_where_every_target_is_known_to_be_down() {
        use Evaluated::{Nothing, Number, Unusable};
        let found = |targets, freshness, total| {
            outcome(&Evidence { freshness: Some(freshness), targets, answer: ratio(Nothing, total) }, END, MINUTE)
        };
        let (fresh, old) = (Number(END.secs() as f64), Number(END.secs() as f64 - 90.0));
        let down = Outcome::targets_down();
        assert_eq!(found(Some(Number(0.0)), fresh.clone(), Nothing), down);
        assert_eq!(found(Some(Number(0.0)), old, Number(10.0)), down);
        assert_eq!(found(Some(Number(0.0)), fresh.clone(), Number(10.0)), counts(0.0, 10.0), "there is data");
        assert_eq!(found(Some(Number(0.0)), fresh.clone(), Number(f64::NAN)), not_a_number("`total` is NaN"));
        for targets in [None, Some(Nothing), Some(Number(1.0)), Some(Number(f64::NAN)), Some(Unusable("two series".into()))] {
            assert_eq!(found(targets, fresh.clone(), Nothing), Outcome::Unknown(Unknown::NoData));
        }
    }

    fn ratio(good: Evaluated, total: Evaluated) -> Answer {
        Answer::Ratio { good, total }
    }

    fn counts(good: f64, total: f64) -> Outcome {
        Outcome::Counts { good: Decimal(good), total: Decimal(total) }
    }

    fn not_a_number(detail: &str) -> Outcome {
        Outcome::Unknown(Unknown::NotANumber { detail: detail.into() })
    }

    #[test]
    fn counts_are_read_and_no_good_events_are_zero() {
        use Evaluated::{Nothing, Number, Unusable};
        let cases = [
            (ratio(Number(9.0), Number(10.0)), counts(9.0, 10.0)),
            (ratio(Nothing, Number(10.0)), counts(0.0, 10.0)),
            (ratio(Nothing, Number(0.0)), counts(0.0, 0.0)),
            (ratio(Number(10.2), Number(10.0)), counts(10.2, 10.0)),
            (ratio(Number(9.0), Nothing), Outcome::Unknown(Unknown::NoData)),
            (ratio(Nothing, Nothing), Outcome::Unknown(Unknown::NoData)),
            (ratio(Number(-1.0), Number(10.0)), not_a_number("`good` is -1")),
            (ratio(Number(1.0), Number(-10.0)), not_a_number("`total` is -10")),
            (ratio(Number(f64::NAN), Number(10.0)), not_a_number("`good` is NaN")),
            (ratio(Number(1.0), Number(f64::INFINITY)), not_a_number("`total` is inf")),
            (ratio(Unusable("2 series where one is meant".into()), Number(10.0)), not_a_number("`good` is 2 series where one is meant")),
        ];
        for (answer, outcome) in cases {
            assert_eq!(judged(Some(15.0), answer.clone()), outcome, "{answer:?}");
        }
    }

    #[test]
    fn a_value_is_one_finite_number() {
        assert_eq!(judged(Some(0.0), Answer::Value(Evaluated::Number(-0.5))), Outcome::Value(Decimal(-0.5)));
        assert_eq!(judged(Some(0.0), Answer::Value(Evaluated::Nothing)), Outcome::Unknown(Unknown::NoData));
        assert_eq!(judged(Some(0.0), Answer::Value(Evaluated::Number(f64::NAN))), not_a_number("NaN"));
        assert_eq!(judged(Some(0.0), Answer::Value(Evaluated::Unusable("a string".into()))), not_a_number("a string"));
    }

    #[test]
    fn old_samples_are_no_data_however_good_they_look() {
        let perfect = || ratio(Evaluated::Number(10.0), Evaluated::Number(10.0));
        assert_eq!(judged(Some(60.0), perfect()), counts(10.0, 10.0));
        assert_eq!(judged(Some(60.5), perfect()), Outcome::Unknown(Unknown::Stale { age: Duration::from_millis(60_500) }));
        assert_eq!(judged(Some(-5.0), perfect()), counts(10.0, 10.0));
        let nothing = Evidence { freshness: Some(Evaluated::Nothing), targets: None, answer: perfect() };
        assert_eq!(outcome(&nothing, END, MINUTE), Outcome::Unknown(Unknown::NoData));
    }

    #[test]
    fn ends_are_multiples_of_every() {
        let at = Timestamp::from_secs;
        assert_eq!(last_end(at(119), MINUTE, Duration::ZERO), at(60));
        assert_eq!(last_end(at(120), MINUTE, Duration::ZERO), at(120));
        assert_eq!(last_end(at(130), MINUTE, Duration::from_secs(30)), at(60));
        let ends = |from, to| ends_within(at(from), at(to), MINUTE).map(Timestamp::secs).collect::<Vec<_>>();
        assert_eq!(ends(60, 240), [120, 180, 240]);
        assert_eq!(ends(61, 239), [180]);
        assert_eq!(ends(60, 120), [120]);
        assert_eq!(ends(60, 119), Vec::<i64>::new());
        assert_eq!(ends(240, 60), Vec::<i64>::new());
        assert_eq!(ends_within(Timestamp(i64::MIN), at(0), MINUTE).count(), 1_000_000);
        assert_eq!(ends_within(Timestamp(i64::MIN), Timestamp(i64::MIN), MINUTE).count(), 0);
    }

    #[test]
    fn the_window_is_every() {
        assert_eq!(window(MINUTE), "60s");
        assert_eq!(window(Duration::from_millis(1500)), "1500ms");
        let indicator = PrometheusIndicator {
            server: crate::engine::id::MetricsName::new("main"),
            every: MINUTE,
            query: PrometheusQuery::Ratio { good: "sum(increase(g[$window]))".into(), total: "sum(increase(t[$window]))".into() },
            freshness: Some("t{app=\"x\"}".into()),
            max_staleness: MINUTE,
            targets: Some("up{app=\"x\"}".into()),
            version_label: None,
        };
        let client = PrometheusClient::new("http://127.0.0.1:9", Vec::new(), None, AddressRules::for_operator(), MINUTE).unwrap();
        let probe = PrometheusProbe::new(client, &indicator);
        assert_eq!(probe.freshness.as_deref(), Some("max(timestamp(t{app=\"x\"}))"));
        assert_eq!(probe.targets.as_deref(), Some("max(up{app=\"x\"})"));
        let filled = PrometheusQuery::Ratio { good: "sum(increase(g[60s]))".into(), total: "sum(increase(t[60s]))".into() };
        assert_eq!(probe.query, filled);
    }
}
