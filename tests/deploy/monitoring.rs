//! The alerts and the dashboard: that every metric, label and value that they ask for is one that the agent exposes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use revertd::engine::decision::DecisionVerdict;
use revertd::engine::fact::EffectAction;
use revertd::engine::guardrail::{Refusal, RefusalCode};
use revertd::engine::id::{NotifierName, PolicyName, RepositoryName, SloName};
use revertd::engine::slo::Verdict;
use revertd::web::{Delivery, Metrics, Standing};
use serde_json::{Value, json};

use super::{NOW, at, items, repository, succeeded, text, where_installed, yaml};

const ALERTS: &str = "deploy/monitoring/alerts.yaml";
const PLAYED: &str = "deploy/monitoring/alerts.test.yaml";
const DASHBOARD: &str = "deploy/monitoring/dashboard.json";

/// Labels that the scraping server adds, and that of histograms.
const ADDED: [&str; 3] = ["job", "instance", "le"];

/// Labels whose values are names that people give.
const NAMED: [&str; 5] = ["policy", "slo", "repository", "version", "notifier"];

/// The labels of each exposed series with their values.
type Exposed = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn exposed() -> Exposed {
    let metrics = Metrics::new();
    let (policy, slo, manifests) = (PolicyName::new("checkout"), SloName::new("up"), RepositoryName::new("manifests"));
    metrics.pass(Duration::from_millis(20));
    let refusal = Refusal { code: RefusalCode::RepositoryStopped, sentence: String::new() };
    for verdict in [DecisionVerdict::Wait, DecisionVerdict::Refuse, DecisionVerdict::Propose, DecisionVerdict::Merge] {
        metrics.decision(verdict, std::slice::from_ref(&refusal));
    }
    for action in [EffectAction::OpenProposal, EffectAction::UpdateProposal, EffectAction::DeleteProposal, EffectAction::Merge] {
        metrics.effect(action, "pushed");
    }
    metrics.round(Some(&policy), &slo, "good");
    for outcome in [Delivery::Delivered, Delivery::Failed, Delivery::Dropped] {
        metrics.notification(&NotifierName::new("oncall"), outcome);
    }
    metrics.polled(&manifests, NOW);
    metrics.standing(&[(manifests, Standing::Going)], 0, 0);
    metrics.slo_state(&policy, &slo, Verdict::Healthy);
    let mut exposed = Exposed::new();
    for line in metrics.encode().lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
        let labels = exposed.entry(name.to_owned()).or_default();
        let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(inside, _)| inside);
        for (label, _, value) in matchers(inside) {
            labels.entry(label).or_default().insert(value);
        }
    }
    exposed
}

/// `a="b",c=~"d"` as label, operator and value.
fn matchers(inside: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut rest = inside;
    while let Some((before, after)) = rest.split_once('"') {
        let (value, after) = after.split_once('"').unwrap();
        let name_ends = before.find(['=', '!']).unwrap();
        found.push((before[..name_ends].trim_start_matches(',').trim().to_owned(), before[name_ends..].to_owned(), value.to_owned()));
        rest = after;
    }
    found
}

/// The names in an expression that are the agent's, each with what stands in the braces behind it.
fn asked(expression: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (start, _) in expression.match_indices("revertd_") {
        let rest = &expression[start..];
        let end = rest.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_')).unwrap_or(rest.len());
        let inside = rest[end..].strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(inside, _)| inside);
        found.push((rest[..end].to_owned(), inside.to_owned()));
    }
    found
}

/// The labels that an expression groups by.
fn grouped(expression: &str) -> BTreeSet<String> {
    let groups = expression.split("by (").skip(1).map(|rest| rest.split(')').next().unwrap());
    groups.flat_map(|group| group.split(',').map(|label| label.trim().to_owned())).collect()
}

fn assert_is_exposed(expression: &str, exposed: &Exposed) {
    let asked = asked(expression);
    assert!(!asked.is_empty(), "`{expression}` asks for nothing of the agent's");
    let mut known: BTreeSet<&str> = ADDED.into();
    for (name, inside) in &asked {
        let labels = exposed.get(name).unwrap_or_else(|| panic!("`{expression}`: {name} is not exposed, but {:?}", exposed.keys()));
        known.extend(labels.keys().map(String::as_str));
        for (label, operator, value) in matchers(inside) {
            assert!(ADDED.contains(&label.as_str()) || labels.contains_key(&label), "`{expression}`: {name} has no label {label}");
            let literal = !value.is_empty() && !value.contains(['$', '*', '+', '.']);
            if literal && !NAMED.contains(&label.as_str()) && !ADDED.contains(&label.as_str()) {
                let values = if operator.contains('~') { value.split('|').collect() } else { vec![value.as_str()] };
                for value in values {
                    let told = labels[&label].contains(value) || (label == "outcome" && is_an_outcome(value));
                    assert!(told, "`{expression}`: {label} of {name} is never {value}");
                }
            }
        }
    }
    for label in grouped(expression) {
        assert!(known.contains(label.as_str()), "`{expression}` groups by {label}, which nothing in it has");
    }
}

/// Outcomes are words of the agent, which counts them.
fn is_an_outcome(word: &str) -> bool {
    let files = ["src/agent/execute.rs", "src/agent/mod.rs"];
    files.iter().any(|file| text(file).contains(&format!("=> \"{word}\"")))
}

fn alerts() -> Vec<Value> {
    let groups = yaml(ALERTS);
    items(at(&groups, "/groups")).iter().flat_map(|group| items(&group["rules"]).to_vec()).collect()
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).unwrap();
    items(at(&dashboard, "/panels")).to_vec()
}

/// Every expression of the dashboard, with its legend.
fn drawn() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).unwrap();
    let words = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut drawn: Vec<(String, String)> = panels()
        .iter()
        .flat_map(|panel| items(&panel["targets"]).to_vec())
        .map(|target| (words(&target, "expr"), words(&target, "legendFormat")))
        .collect();
    drawn.extend(items(at(&dashboard, "/annotations/list")).iter().map(|annotation| (words(annotation, "expr"), String::new())));
    drawn
}

/// An expression as Prometheus reads it, Grafana's variables filled in.
fn filled(expression: &str) -> String {
    expression.replace("$__rate_interval", "5m").replace("$__range", "6h").replace("$job", ".*").replace("$policy", ".*")
}

#[test]
fn alerts_ask_for_what_is_exposed_and_say_what_to_do() {
    let (exposed, played) = (exposed(), text(PLAYED));
    assert!(alerts().len() >= 8);
    for alert in alerts() {
        let name = at(&alert, "/alert").as_str().unwrap();
        assert_is_exposed(at(&alert, "/expr").as_str().unwrap(), &exposed);
        assert!(["critical", "warning"].contains(&at(&alert, "/labels/severity").as_str().unwrap()), "{name}");
        assert!(!at(&alert, "/annotations/summary").as_str().unwrap().is_empty());
        assert!(at(&alert, "/annotations/description").as_str().unwrap().ends_with('.'), "{name}");
        assert!(played.matches(name).count() >= 2, "{name} is played neither quiet nor firing");
    }
}

#[test]
fn every_metric_is_watched_or_shown() {
    let mut used = BTreeSet::new();
    for expression in
        alerts().iter().map(|alert| alert["expr"].as_str().unwrap().to_owned()).chain(drawn().into_iter().map(|(expression, _)| expression))
    {
        used.extend(asked(&expression).into_iter().map(|(name, _)| name));
    }
    let part_of_a_histogram = |name: &str| ["_sum", "_count"].iter().any(|end| name.ends_with(end));
    let unused: Vec<String> = exposed().into_keys().filter(|name| !used.contains(name) && !part_of_a_histogram(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn the_dashboard_draws_what_is_exposed() {
    let exposed = exposed();
    for (expression, legend) in drawn() {
        assert_is_exposed(&expression, &exposed);
        for label in legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
            assert!(grouped(&expression).contains(label), "the legend `{legend}` names {label}, by which `{expression}` does not group");
        }
    }
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).unwrap();
    let variables: Vec<&str> =
        items(at(&dashboard, "/templating/list")).iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(variables, ["datasource", "job", "policy"]);
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel:#}");
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        for cell in (place("y")..place("y") + place("h")).flat_map(|y| (place("x")..place("x") + place("w")).map(move |x| (x, y))) {
            assert!(cell.0 < 24 && taken.insert(cell), "{} overlaps or does not fit", panel["title"]);
        }
        if panel["type"] != "row" {
            assert_eq!(at(&panel, "/datasource/uid"), "${datasource}");
            assert!(!items(&panel["targets"]).is_empty() && panel["description"].as_str().unwrap().ends_with('.'), "{}", panel["title"]);
        }
    }
}

/// `promtool`, which is there wherever real servers are.
fn promtool(arguments: &[&str]) -> Option<String> {
    let output = where_installed("promtool", arguments);
    let required = std::env::var_os("REVERTD_REQUIRE_SERVERS").is_some_and(|value| value == "1");
    assert!(output.is_some() || !required, "`promtool` is not installed, and REVERTD_REQUIRE_SERVERS=1 requires it");
    output.map(|output| succeeded(&output))
}

#[test]
fn prometheus_takes_the_alerts_and_they_fire_when_they_should() {
    let Some(checked) = promtool(&["check", "rules", repository(ALERTS).to_str().unwrap()]) else { return };
    assert!(checked.contains(&format!("{} rules found", alerts().len())), "{checked}");
    promtool(&["test", "rules", repository(PLAYED).to_str().unwrap()]);
}

#[test]
fn prometheus_takes_what_the_dashboard_asks() {
    let record =
        |(number, (expression, _)): (usize, (String, String))| json!({"record": format!("drawn:{number}"), "expr": filled(&expression)});
    let rules: Vec<Value> = drawn().into_iter().enumerate().map(record).collect();
    assert!(rules.len() > 10 && !rules.iter().any(|rule| rule["expr"].as_str().unwrap().contains('$')), "{rules:#?}");
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    // JSON is YAML.
    std::fs::write(file.path(), json!({"groups": [{"name": "drawn", "rules": rules}]}).to_string()).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()]);
}
