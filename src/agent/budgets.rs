//! The error budgets of a running agent: counts each SLO's rounds by the hour before they are forgotten, and says what is left and what an
//! incident spent. What is a budget and what is spent is [`engine::budget`](crate::engine::budget)'s to say.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Reconciler, Rounds, series_in};
use crate::engine::budget::{self, HOUR, Hour, Record, Spending, hour_of};
use crate::engine::id::InstanceName;
use crate::engine::incident::Incident;
use crate::engine::policy::{Policy, Slo};
use crate::engine::time::{Timestamp, spoken};
use crate::journal::{Series, StoredHour};

/// An hour is counted so long after it was over: rounds that a metrics server did not answer for are asked again.
const LATE: Duration = Duration::from_secs(600);

/// The hours that were counted, by series, from old to new.
#[derive(Debug, Default)]
pub struct Budgets {
    hours: BTreeMap<Series, Vec<Hour>>,
}

impl Budgets {
    /// Takes up hours that the journal kept, by their beginning.
    pub fn restore(&mut self, stored: Vec<StoredHour>) {
        for StoredHour { series, hour } in stored {
            self.hours.entry(series).or_default().push(hour);
        }
    }

    /// Counts the hours that are over and were not counted, of every SLO with a budget; gives them.
    pub fn count(&mut self, policies: &[Policy], rounds: &Rounds, now: Timestamp) -> Vec<StoredHour> {
        let over = hour_of(now - LATE);
        let mut counted = Vec::new();
        for policy in policies {
            let with_budget = |instance| policy.measured().filter(|slo| window(slo).is_some()).map(move |slo| (instance, slo));
            for (instance, slo) in policy.instances.iter().flat_map(with_budget) {
                let series = series_in(&policy.name, &instance.name, &slo.name);
                let of_series = rounds.since(&series, Timestamp(i64::MIN));
                let Some(first) = of_series.first().map(|round| hour_of(round.end)) else { continue };
                let hours = self.hours.entry(series.clone()).or_default();
                let mut next = hours.last().map_or(first, |newest| (newest.start + HOUR).max(first));
                while next < over {
                    // An hour without a round is a gap, and a gap needs no entry.
                    let after = of_series.partition_point(|round| round.end <= next);
                    if of_series.get(after).is_some_and(|round| round.end <= next + HOUR) {
                        let hour = budget::hour(slo, of_series, next);
                        hours.push(hour);
                        counted.push(StoredHour { series: series.clone(), hour });
                    }
                    next = next + HOUR;
                }
                let kept = now - window(slo).unwrap_or_default() - HOUR;
                hours.drain(..hours.partition_point(|hour| hour.start < kept));
            }
        }
        counted
    }

    /// What is known of one SLO in an instance.
    pub fn record<'a>(&'a self, rounds: &'a Rounds, policy: &Policy, instance: &InstanceName, slo: &Slo) -> Record<'a> {
        let series = series_in(&policy.name, instance, &slo.name);
        let hours = self.hours.get(&series).map_or(&[][..], Vec::as_slice);
        Record { hours, rounds: rounds.since(&series, Timestamp(i64::MIN)) }
    }

    /// What an incident of a policy has spent of the budgets of its SLOs until `until`.
    pub fn spending(&self, rounds: &Rounds, policy: &Policy, incident: &Incident, until: Timestamp) -> Vec<Spending> {
        // The first bad round ends with the onset, and is the first that counts.
        let from = incident.onset.after.unwrap_or(incident.onset.by - Duration::from_millis(1));
        policy.judged().filter_map(|slo| budget::spending(slo, self.record(rounds, policy, &incident.instance, slo), from, until)).collect()
    }

    /// How the budget of one SLO stands in an instance, and how fast it burned over each window; nothing where it has none.
    pub fn standing(
        &self,
        rounds: &Rounds,
        policy: &Policy,
        instance: &InstanceName,
        slo: &Slo,
        now: Timestamp,
    ) -> Option<(budget::Budget, Vec<budget::Burn>)> {
        let record = self.record(rounds, policy, instance, slo);
        let burns = budget::windows(slo).into_iter().filter_map(|window| budget::burn(slo, record, window, now)).collect();
        Some((budget::left(slo, record, now)?, burns))
    }
}

/// The longest window of a budget, with the hour that it may begin in.
pub fn longest(policies: &[Policy]) -> Duration {
    policies.iter().flat_map(Policy::measured).filter_map(window).max().unwrap_or_default() + HOUR * 2
}

fn window(slo: &Slo) -> Option<Duration> {
    slo.objective.target?;
    slo.objective.time_window
}

/// The standing of a budget on one line: `62% of the error budget of 30d is left; burned 1.2 times over 1h, 0.4 times over 6h`.
pub fn line(budget: &budget::Budget, burns: &[budget::Burn]) -> String {
    let rates: Vec<String> = burns
        .iter()
        .filter_map(|burn| Some(format!("{:.1} times as fast as it may over {}", burn.rate?.0, spoken(burn.tally.window))))
        .collect();
    if rates.is_empty() { budget.sentence.clone() } else { format!("{} It burned {}.", budget.sentence, rates.join(", ")) }
}

impl Reconciler {
    /// What an incident has spent of the budgets of its SLOs.
    pub(super) fn spending(&self, incident: &Incident, now: Timestamp) -> Vec<Spending> {
        self.policy_of(&incident.id).map_or_else(Vec::new, |policy| self.budgets.spending(&self.rounds, &policy, incident, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::Ratio;
    use crate::engine::round::{Outcome, Round};
    use crate::render::samples;

    #[test]
    fn an_hour_is_counted_once_and_outlives_its_rounds() {
        let mut policy = samples::policy();
        let objective = &mut policy.slos[0].objective;
        (objective.target, objective.time_window) = (Some(Ratio(990_000_000)), Some(HOUR * 24 * 30));
        let (mut rounds, mut budgets) = (Rounds::default(), Budgets::default());
        let series = series_in(&policy.name, &policy.instances[0].name, &policy.slos[0].name);
        let begin = hour_of(Timestamp::from_secs(1_800_000_000));
        for second in 1..=7200 {
            let end = begin + Duration::from_secs(second);
            let outcome = if second % 200 == 0 { Outcome::Bad("503".to_owned()) } else { Outcome::Good("200".to_owned()) };
            rounds.add(series.clone(), Round { start: end, end, outcome });
        }
        let policies = [policy];
        let now = begin + HOUR * 2 + LATE;
        assert_eq!(budgets.count(&policies, &rounds, begin + HOUR).len(), 0, "it may not be over");
        let counted = budgets.count(&policies, &rounds, now);
        assert_eq!(
            counted.iter().map(|stored| (stored.hour.start, stored.hour.bad.0, stored.hour.total.0)).collect::<Vec<_>>(),
            [(begin, 18.0, 3600.0), (begin + HOUR, 18.0, 3600.0)]
        );
        assert_eq!(budgets.count(&policies, &rounds, now), []);
        rounds.prune(|_| begin + HOUR * 2);
        let slo = &policies[0].slos[0];
        let (budget, burns) = budgets.standing(&rounds, &policies[0], &policies[0].instances[0].name, slo, now).unwrap();
        assert!(
            line(&budget, &burns).starts_with("50% of the error budget of `up` is left: 36 failures in the last 30d"),
            "{}",
            line(&budget, &burns)
        );
        // After a restart the journal's hours are taken up, and not counted again.
        let mut restored = Budgets::default();
        restored.restore(counted);
        assert_eq!(restored.count(&policies, &rounds, now + HOUR), []);
        assert_eq!(restored.standing(&rounds, &policies[0], &policies[0].instances[0].name, slo, now), Some((budget, burns)));
    }
}
