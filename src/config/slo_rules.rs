//! One SLO: what its indicator, objective and alert must have of one another, and what would not do what it seems to.

use std::time::Duration;

use crate::engine::alert_source::AlertSelector;
use crate::engine::id::{MetricsName, SloName};
use crate::engine::policy::{
    Alert, AlertIndicator, AlertRule, HttpIndicator, Indicator, Objective, PrometheusIndicator, PrometheusQuery, SinceChange, Slo,
    Unreachable, WorkloadIndicator, WorkloadKind,
};
use crate::engine::round::Decimal;
use crate::engine::time::spoken;

use super::agent_file::statuses;
use super::diagnostic::Findings;
use super::view::View;

/// Last parts of paths that say whether a process lives, not whether it serves.
const LIVENESS: &[&str] = &["healthz", "livez", "readyz", "health", "live", "ready", "liveness", "readiness", "ping", "-", "healthy"];

/// What a round of an indicator gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    /// Good or bad.
    Answer,
    /// A number.
    Value,
    /// Good and total events.
    Counts,
}

/// Reads an SLO; `None` where an error was found, now or before.
pub fn read(view: &View<'_>, findings: &mut Findings<'_>) -> Option<Slo> {
    let indicator = view.object("indicator")?;
    let (http, prometheus) = (indicator.object("http"), indicator.object("prometheus"));
    let (asked, workload) = (indicator.object("alert"), indicator.object("workload"));
    let (gives, every) = match (&http, &prometheus) {
        (None, None) => (Gives::Answer, asked.as_ref().or(workload.as_ref())?.duration("every")),
        (Some(http), None) => (Gives::Answer, http.duration("every")),
        // The checker has refused it; what it gives is not known.
        (None, Some(prometheus))
            if prometheus.node("query").is_some() && prometheus.node("good").or(prometheus.node("total")).is_some() =>
        {
            return None;
        }
        (None, Some(prometheus)) if prometheus.node("query").is_some() => (Gives::Value, prometheus.duration("every")),
        (None, Some(prometheus)) => (Gives::Counts, prometheus.duration("every")),
        _ => return None,
    };
    if let Some(http) = &http {
        http_rules(http, findings);
    }
    if let Some(prometheus) = &prometheus {
        prometheus_rules(prometheus, findings);
    }
    let alerts = view.objects("alerts");
    if let Some(objective) = view.object("objective") {
        objective_rules(gives, &objective, &alerts, findings);
        for burn in alerts.iter().filter_map(|alert| alert.object("burnRate")).filter(|_| gives == Gives::Counts) {
            burn_rules(&burn, every, &objective, findings);
        }
    }
    for failing in alerts.iter().filter_map(|alert| alert.object("failing")) {
        failing_rules(&failing, findings);
    }
    same_twice(&alerts, findings);
    let mut alerts = alerts.iter().map(read_alert).collect::<Option<Vec<Alert>>>()?.into_iter();
    Some(Slo {
        name: SloName::new(view.text("name")?),
        indicator: match (http, prometheus) {
            (Some(http), _) => Indicator::Http(http_indicator(&http)?),
            (_, Some(prometheus)) => Indicator::Prometheus(prometheus_indicator(&prometheus)?),
            (None, None) if workload.is_some() => Indicator::Workload(workload_indicator(&workload?)?),
            (None, None) => Indicator::Alert(alert_indicator(&asked?)?),
        },
        objective: objective(&view.object("objective")?)?,
        alert: alerts.next()?,
        further: alerts.collect(),
    })
}

/// How many SLOs can breach. None is an error: nothing would ever open an incident.
pub fn triggers(spec: &View<'_>, findings: &mut Findings<'_>) -> usize {
    let slos = spec.objects("slos");
    // A role that cannot be read was refused as such.
    let triggers = slos.iter().filter(|slo| !matches!(slo.text("role").as_deref(), Some("corroborate" | "report"))).count();
    if let Some(first) = slos.first().filter(|_| triggers == 0) {
        let hint = "take `role` from one of them, or write `role: trigger`".to_owned();
        findings.error(first.span("role"), "no SLO has the role `trigger`: nothing could ever breach", hint);
    }
    triggers
}

/// The SLOs of one role; `None` where one of them could not be read.
pub fn of_role(spec: &View<'_>, slos: &[Option<Slo>], role: &str) -> Option<Vec<Slo>> {
    let views = spec.objects("slos");
    slos.iter().zip(&views).filter(|(_, view)| view.text("role").as_deref() == Some(role)).map(|(slo, _)| slo.clone()).collect()
}

/// Two alerts with the same rule: the second says nothing.
fn same_twice(alerts: &[View<'_>], findings: &mut Findings<'_>) {
    let rules: Vec<Option<Alert>> = alerts.iter().map(read_alert).collect();
    for (place, alert) in alerts.iter().enumerate() {
        let same = |other: &&Option<Alert>| matches!((other, &rules[place]), (Some(other), Some(rule)) if other.rule == rule.rule);
        if rules[..place].iter().any(|other| same(&other)) {
            findings.error(alert.at, "the same rule is there twice", "remove one of the two alerts".to_owned());
        }
    }
}

fn http_rules(http: &View<'_>, findings: &mut Findings<'_>) {
    if http.typed("unreachable").is_none() {
        let hint = "write `unreachable: bad` if the service must answer, or `unreachable: unknown` to keep it so".to_owned();
        findings.warning(http.at, "without `unreachable`, a service that does not answer at all is unknown and never a breach", hint);
    }
    if let Some(url) = http.text("url") {
        let path = url.split_once("://").map_or("", |(_, rest)| rest).split(['?', '#']).next().unwrap_or_default();
        let last = path.split_once('/').map_or("", |(_, path)| path.trim_end_matches('/')).rsplit('/').next().unwrap_or_default();
        if LIVENESS.contains(&last) {
            let message = format!("`{last}` says that a process lives, not that it serves its users");
            findings.warning(http.span("url"), message, "probe an address of something that users do".to_owned());
        }
    }
    let (every, timeout) = (http.duration("every"), http.duration("timeout"));
    if let (Some(every), Some(timeout)) = (every, timeout)
        && every < timeout
    {
        let message = format!("`timeout` is {} and `every` is {}: slow answers delay the next round", spoken(timeout), spoken(every));
        findings.warning(http.span("every"), message, "write a shorter `timeout`".to_owned());
    }
}

fn prometheus_rules(prometheus: &View<'_>, findings: &mut Findings<'_>) {
    for key in ["good", "total"] {
        let Some(text) = prometheus.text(key) else { continue };
        if !text.contains("$window") {
            let hint = format!("write `{key}: sum(increase(http_requests_total{{…}}[$window]))`");
            findings.error(prometheus.span(key), format!("`{key}` does not use `$window`, over which its events are counted"), hint);
        }
        if calls_rate(&text) && !text.contains("increase(") {
            let hint = "use `increase(` with the same range".to_owned();
            findings.warning(prometheus.span(key), format!("`{key}` is a number of events, and `rate(` gives events per second"), hint);
        }
    }
    if let (Some(good), Some(total)) = (prometheus.text("good"), prometheus.text("total"))
        && good == total
    {
        findings.error(prometheus.span("good"), "`good` and `total` are the same query: nothing is ever bad", None);
    }
    if let Some(label) = prometheus.text("versionLabel") {
        for key in ["query", "good", "total"] {
            if prometheus.text(key).is_some_and(|text| !text.contains("$version") && !text.contains("${version}")) {
                let message = format!("`{key}` does not use `$version`, and `versionLabel` tells versions apart by it");
                findings.error(prometheus.span(key), message, format!("match the label in it: `{{…, {label}=~\"$version\"}}`"));
            }
        }
    }
}

/// Whether an expression calls `rate` or `irate`.
fn calls_rate(text: &str) -> bool {
    let before = |at: usize| text[..at].chars().next_back();
    text.match_indices("rate(").any(|(at, _)| match before(at) {
        Some('i') => !text[..at - 1].ends_with(|char: char| char.is_alphanumeric() || matches!(char, '_' | ':')),
        Some(char) => !(char.is_alphanumeric() || matches!(char, '_' | ':')),
        None => true,
    })
}

fn objective_rules(gives: Gives, objective: &View<'_>, alerts: &[View<'_>], findings: &mut Findings<'_>) {
    let burn = || alerts.iter().filter_map(|alert| Some((alert, alert.object("burnRate")?)));
    for key in ["max", "min"].into_iter().filter(|_| gives != Gives::Value) {
        if objective.node(key).is_some() {
            let message = format!("`{key}` judges the value of a `query`, and this indicator has none");
            findings.error(objective.span(key), message, "use `target`".to_owned());
        }
    }
    let needs_target = gives == Gives::Counts;
    match gives {
        // A second rule beside `failing` is refused as such.
        Gives::Answer => {
            for (_, burn) in burn().filter(|(alert, _)| alert.node("failing").is_none()) {
                let hint = "use `failing`, such as `failing: {count: 3, of: 5}`, or an indicator `prometheus` with `good` and `total`";
                findings.error(
                    burn.at,
                    "`burnRate` needs good and total events, and each round of `http`, `alert` or `workload` is one answer",
                    hint.to_owned(),
                );
            }
        }
        Gives::Value => {
            for (_, burn) in burn() {
                findings.error(burn.at, "`burnRate` needs good and total events, and `query` gives a value", "use `failing`".to_owned());
            }
            if objective.node("max").is_none() && objective.node("min").is_none() {
                findings.error(
                    objective.at,
                    "`query` gives a value, and the objective says not which is bad",
                    "write `max` or `min`".to_owned(),
                );
            }
            if let (Some(min), Some(max)) = (objective.number("min"), objective.number("max"))
                && min > max
            {
                findings.error(objective.span("min"), "`min` is over `max`: every value would be bad", None);
            }
        }
        Gives::Counts => {
            if objective.node("target").is_none() {
                let why = if burn().next().is_some() { "`burnRate`" } else { "an indicator with `good` and `total`" };
                findings.error(objective.at, format!("{why} needs a `target`"), "write `objective: {target: 99.9%}`".to_owned());
            }
        }
    }
    if let Some(target) = objective.typed("target").filter(|_| !needs_target && alerts.iter().any(|alert| alert.node("failing").is_some()))
    {
        findings.warning(target.span, "a `target` beside `failing` feeds the error budget only: rounds are counted, not errors", None);
    }
}

fn burn_rules(burn: &View<'_>, every: Option<Duration>, objective: &View<'_>, findings: &mut Findings<'_>) {
    let (long, short) = (burn.duration("long"), burn.duration("short"));
    if let (Some(long), Some(short)) = (long, short)
        && short >= long
    {
        let message = format!("the short window of {} is not shorter than the long one of {}", spoken(short), spoken(long));
        findings.error(burn.span("short"), message, "Google's pairs are 1h with 5m and 6h with 30m".to_owned());
    }
    for (key, window) in [("long", long), ("short", short)] {
        let (Some(window), Some(every)) = (window, every.filter(|every| !every.is_zero())) else { continue };
        if window < every {
            let message = format!("the {key} window of {} is shorter than one round of {}", spoken(window), spoken(every));
            findings.error(burn.span(key), message, None);
        } else if window.as_millis() % every.as_millis() != 0 {
            let message = format!("the {key} window of {} is no multiple of one round of {}", spoken(window), spoken(every));
            findings.error(burn.span(key), message, "a window is a whole number of rounds".to_owned());
        }
    }
    let Some(target) = objective.ratio("target") else { return };
    if target.complement() <= 0.0 {
        findings.error(objective.span("target"), "a `target` of 100% leaves no error budget to burn", "write `99.9%`".to_owned());
    } else if let Some(factor) = burn.number("factor").filter(|factor| factor * target.complement() >= 1.0) {
        let message = format!("{factor} × (1 − {target}) is 1 or more: no error ratio is ever over it, and the alert never fires");
        let most = ((1.0 / target.complement()) * 10.0).ceil() / 10.0;
        findings.warning(burn.span("factor"), message, format!("write a factor under {most}, or a higher target"));
    }
}

fn failing_rules(failing: &View<'_>, findings: &mut Findings<'_>) {
    if let (Some(count), Some(of)) = (failing.integer::<u32>("count"), failing.integer::<u32>("of"))
        && count > of
    {
        let hint = format!("write `{{count: {of}, of: {count}}}`");
        findings.error(failing.span("count"), format!("{count} of the last {of} rounds cannot be bad"), hint);
    }
}

fn http_indicator(http: &View<'_>) -> Option<HttpIndicator> {
    Some(HttpIndicator {
        url: http.text("url")?,
        every: http.duration("every")?,
        timeout: http.duration("timeout")?,
        expect_status: statuses(http)?,
        unreachable: match http.text("unreachable")?.as_str() {
            "unknown" => Unreachable::Unknown,
            "bad" => Unreachable::Bad,
            _ => return None,
        },
    })
}

fn prometheus_indicator(prometheus: &View<'_>) -> Option<PrometheusIndicator> {
    Some(PrometheusIndicator {
        server: MetricsName::new(prometheus.text("server")?),
        every: prometheus.duration("every")?,
        query: match prometheus.text("query") {
            Some(query) => PrometheusQuery::Value(query),
            None => PrometheusQuery::Ratio { good: prometheus.text("good")?, total: prometheus.text("total")? },
        },
        freshness: Some(prometheus.text("freshness")?),
        max_staleness: prometheus.duration("maxStaleness")?,
        targets: prometheus.text("targets"),
        version_label: prometheus.text("versionLabel"),
    })
}

fn alert_indicator(alert: &View<'_>) -> Option<AlertIndicator> {
    Some(AlertIndicator {
        server: MetricsName::new(alert.text("server")?),
        every: alert.duration("every")?,
        selector: AlertSelector { name: alert.text("name")?, labels: alert.map("labels")? },
        max_staleness: alert.duration("maxStaleness")?,
    })
}

fn workload_indicator(workload: &View<'_>) -> Option<WorkloadIndicator> {
    Some(WorkloadIndicator {
        server: MetricsName::new(workload.text("server")?),
        every: workload.duration("every")?,
        kind: match workload.text("kind")?.as_str() {
            "Deployment" => WorkloadKind::Deployment,
            "StatefulSet" => WorkloadKind::StatefulSet,
            "DaemonSet" => WorkloadKind::DaemonSet,
            _ => return None,
        },
        namespace: workload.text("namespace")?,
        name: workload.text("name")?,
    })
}

/// A value that is there and cannot be read makes the whole objective unreadable.
fn objective(view: &View<'_>) -> Option<Objective> {
    let number = |key: &str| match view.node(key) {
        Some(_) => view.number(key).map(|number| Some(Decimal(number))),
        None => Some(None),
    };
    let target = match view.node("target") {
        Some(_) => Some(view.ratio("target")?),
        None => None,
    };
    let time_window = match view.node("timeWindow") {
        Some(_) => Some(view.duration("timeWindow")?),
        None => None,
    };
    Some(Objective { target, max: number("max")?, min: number("min")?, time_window })
}

fn read_alert(alert: &View<'_>) -> Option<Alert> {
    let recover_good = match alert.object("recover") {
        Some(recover) => Some(recover.integer("good")?),
        None => None,
    };
    let rule = if let Some(failing) = alert.object("failing") {
        AlertRule::Failing { count: failing.integer("count")?, of: failing.integer("of")? }
    } else {
        let burn = alert.object("burnRate")?;
        AlertRule::BurnRate {
            factor: Decimal(burn.number("factor")?),
            long: burn.duration("long")?,
            short: burn.duration("short")?,
            since_change: if burn.flag("sinceChange")? { SinceChange::Cut } else { SinceChange::Whole },
            min_events: alert.integer("minEvents")?,
        }
    };
    Some(Alert { rule, recover_good, up_to: alert.mode("upTo")? })
}
