//! Alerts of a monitoring system as evidence: what a round of the `alert` indicator is, given what the server said.
//!
//! An alert that fires is bad. One that is silenced, inhibited, muted or pending is neither good nor bad: somebody or something says that it
//! does not count now. No alert is good only where the server shows that it would know: Prometheus and Mimir show the rule and when it was
//! evaluated; an Alertmanager shows nothing of the kind, and an alert that always fires (a watchdog) stands for it where there is one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::round::{Outcome, Unknown};
use super::time::Timestamp;

/// The label that holds an alert's name.
const NAME_LABEL: &str = "alertname";

/// Which alerts are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSelector {
    /// The name of the alerting rule.
    pub name: String,
    /// Labels that the alert must have, with exactly these values.
    pub labels: BTreeMap<String, String>,
}

/// An alert that the server reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveAlert {
    /// All its labels, its name among them.
    pub labels: BTreeMap<String, String>,
    /// Since when it is active.
    pub since: Option<Timestamp>,
    /// When it ends or ended, where the server says.
    pub until: Option<Timestamp>,
    /// Its state.
    pub state: AlertState,
}

/// The state of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// It fires.
    Firing,
    /// It does not count now; the text says why, for people: `silenced by 4a6b…`.
    Suppressed(String),
}

/// What the server knows of the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleKnowledge {
    /// It does not know rules, and no watchdog is named.
    NotKept,
    /// The watchdog that stands for the way from the rules to here is absent.
    WatchdogAbsent(AlertSelector),
    /// The watchdog fires.
    WatchdogFires,
    /// There is no rule of that name.
    Missing,
    /// Evaluating it failed.
    Failing(String),
    /// It was evaluated, last at this time.
    Evaluated(Timestamp),
}

/// Everything that one answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertReport {
    /// The active alerts, also those that are not meant.
    pub alerts: Vec<ActiveAlert>,
    /// What is known of the rule.
    pub rule: RuleKnowledge,
}

impl AlertSelector {
    /// Whether an alert is meant.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get(NAME_LABEL) == Some(&self.name) && self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }
}

/// What a round is, given the answer at `at`. A rule that was last evaluated more than `max_staleness` before says nothing.
pub fn outcome(selector: &AlertSelector, report: &AlertReport, at: Timestamp, max_staleness: Duration) -> Outcome {
    if let Some(unknown) = untrusted(&report.rule, at, max_staleness) {
        return Outcome::Unknown(unknown);
    }
    let meant: Vec<&ActiveAlert> =
        report.alerts.iter().filter(|alert| selector.selects(&alert.labels) && alert.until.is_none_or(|until| until > at)).collect();
    let firing: Vec<&&ActiveAlert> = meant.iter().filter(|alert| alert.state == AlertState::Firing).collect();
    if !firing.is_empty() {
        let since = firing.iter().filter_map(|alert| alert.since).min().map(|since| format!(" since {since}")).unwrap_or_default();
        let count = if firing.len() > 1 { format!(" ({} alerts)", firing.len()) } else { String::new() };
        return Outcome::Bad(format!("`{}` fires{since}{count}", selector.name));
    }
    let why = meant.iter().find_map(|alert| match &alert.state {
        AlertState::Suppressed(why) => Some(why),
        AlertState::Firing => None,
    });
    match why {
        Some(why) => Outcome::Unknown(Unknown::Undecided { detail: format!("`{}` is {why}", selector.name) }),
        None => Outcome::Good(format!("`{}` does not fire", selector.name)),
    }
}

/// Why the server's alerts say nothing about the service.
fn untrusted(rule: &RuleKnowledge, at: Timestamp, max_staleness: Duration) -> Option<Unknown> {
    match rule {
        RuleKnowledge::NotKept | RuleKnowledge::WatchdogFires => None,
        RuleKnowledge::WatchdogAbsent(watchdog) => Some(Unknown::Undecided {
            detail: format!("the alert `{}`, which always fires, is absent: alerts do not reach the server", watchdog.name),
        }),
        RuleKnowledge::Missing => Some(Unknown::NoData),
        RuleKnowledge::Failing(detail) => Some(Unknown::ServerError { detail: format!("the rule cannot be evaluated: {detail}") }),
        RuleKnowledge::Evaluated(last) => {
            let age = at.since(*last);
            (age > max_staleness).then_some(Unknown::Stale { age })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn alert(app: &str, state: AlertState) -> ActiveAlert {
        let since = Some(NOW - MINUTE * 5);
        ActiveAlert { labels: labels(&[("alertname", "Errors"), ("app", app), ("pod", "1")]), since, until: None, state }
    }

    fn judge(alerts: &[ActiveAlert], rule: RuleKnowledge) -> Outcome {
        let selector = AlertSelector { name: "Errors".to_owned(), labels: labels(&[("app", "checkout")]) };
        outcome(&selector, &AlertReport { alerts: alerts.to_vec(), rule }, NOW, MINUTE)
    }

    fn silenced() -> AlertState {
        AlertState::Suppressed("silenced by 7".to_owned())
    }

    #[test]
    fn what_fires_is_bad_and_what_is_silenced_is_unknown() {
        let fires = alert("checkout", AlertState::Firing);
        assert_eq!(
            judge(std::slice::from_ref(&fires), RuleKnowledge::NotKept),
            Outcome::Bad("`Errors` fires since 2027-01-15T07:55:00Z".to_owned())
        );
        let quiet = alert("checkout", silenced());
        let undecided = Outcome::Unknown(Unknown::Undecided { detail: "`Errors` is silenced by 7".to_owned() });
        assert_eq!(judge(std::slice::from_ref(&quiet), RuleKnowledge::NotKept), undecided);
        // A silence for one of two does not hide the other.
        assert!(
            matches!(judge(&[quiet, fires.clone(), fires], RuleKnowledge::NotKept), Outcome::Bad(text) if text.ends_with("(2 alerts)"))
        );
    }

    #[test]
    fn other_alerts_and_those_that_have_ended_are_not_meant() {
        let good = Outcome::Good("`Errors` does not fire".to_owned());
        assert_eq!(judge(&[alert("payments", AlertState::Firing)], RuleKnowledge::WatchdogFires), good);
        let ended = ActiveAlert { until: Some(NOW), ..alert("checkout", AlertState::Firing) };
        assert_eq!(judge(&[ended], RuleKnowledge::NotKept), good);
    }

    #[test]
    fn no_alert_is_good_only_where_the_rule_is_there_and_evaluated() {
        assert!(matches!(judge(&[], RuleKnowledge::Evaluated(NOW - MINUTE)), Outcome::Good(_)));
        let age = MINUTE + Duration::from_secs(1);
        assert_eq!(judge(&[], RuleKnowledge::Evaluated(NOW - age)), Outcome::Unknown(Unknown::Stale { age }));
        assert_eq!(judge(&[], RuleKnowledge::Missing), Outcome::Unknown(Unknown::NoData));
        let watchdog = AlertSelector { name: "Watchdog".to_owned(), labels: BTreeMap::new() };
        for rule in [RuleKnowledge::Failing("parse error".to_owned()), RuleKnowledge::WatchdogAbsent(watchdog)] {
            assert!(matches!(judge(&[alert("checkout", AlertState::Firing)], rule), Outcome::Unknown(_)));
        }
    }
}
