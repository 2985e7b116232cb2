//! `instances`: where a service runs, what is followed there, and whether every variable of a policy's queries is known everywhere.

use std::collections::BTreeMap;

use crate::engine::id::InstanceName;
use crate::engine::policy::Instance;
use crate::engine::variables::{RESERVED, VariableError, Variables};

use super::agent_file::Names;
use super::check::{listed, nearest};
use super::diagnostic::{Findings, quoted};
use super::form;
use super::shape::Form;
use super::sync_rules;
use super::view::View;

/// The instances of a policy: those that it names, or the one that it has without any. `None` where an error was found, now or before.
pub fn instances(
    spec: &View<'_>,
    labels: &BTreeMap<String, String>,
    names: Option<&Names>,
    findings: &mut Findings<'_>,
) -> Option<Vec<Instance>> {
    let views = spec.objects("instances");
    let environment = spec.text("environment");
    if views.is_empty() {
        // With an empty list of instances, which the checker has refused, there is none.
        let sync = sync_rules::sync(spec, names, findings).filter(|_| spec.node("instances").is_none());
        let instance = sync.map(|sync| Instance { name: InstanceName::default_instance(), cluster: None, labels: BTreeMap::new(), sync });
        variables(spec, &Variables::from_parts(labels, environment, &BTreeMap::new(), None), None, findings);
        return instance.map(|instance| vec![instance]);
    }
    unique(&views, findings);
    let mut instances = Vec::new();
    for view in &views {
        let own = view.map("labels").unwrap_or_default();
        reserved(view, findings);
        let cluster = cluster(view, findings);
        let variables = Variables::from_parts(labels, environment.clone(), &own, cluster.clone());
        self::variables(spec, &variables, name(view).as_deref(), findings);
        let sync = sync_rules::of_instance(view, spec, names, findings);
        let name = named(view, findings);
        instances.push(sync.zip(name).map(|(sync, name)| Instance { name: InstanceName::new(name), cluster, labels: own, sync }));
    }
    instances.into_iter().collect()
}

/// The name of an instance: its own, or that of its cluster.
fn name(view: &View<'_>) -> Option<String> {
    view.text("name").or_else(|| view.text("cluster"))
}

fn named(view: &View<'_>, findings: &mut Findings<'_>) -> Option<String> {
    if view.node("name").is_some() {
        return view.text("name");
    }
    let Some(cluster) = view.text("cluster") else {
        findings.error(view.at, "an instance needs a `cluster` or a `name`", "write `cluster: eu-1`".to_owned());
        return None;
    };
    if form::check(Form::Name, &cluster).is_err() {
        let message = format!("the cluster {} is no name for the instance", quoted(&cluster));
        findings.error(view.span("cluster"), message, "write a `name` of small letters, digits, `-` and `.` beside it".to_owned());
    }
    Some(cluster)
}

/// A cluster as it stands in sentences and queries.
fn cluster(view: &View<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let cluster = view.text("cluster")?;
    if !cluster.chars().all(|char| char.is_ascii_alphanumeric() || "-._:/@".contains(char)) {
        let message = format!("`cluster` has letters, digits and `-._:/@`, and {} has others", quoted(&cluster));
        findings.error(view.span("cluster"), message, None);
    }
    Some(cluster)
}

fn unique(views: &[View<'_>], findings: &mut Findings<'_>) {
    let span = |view: &View<'_>| view.span(if view.node("name").is_some() { "name" } else { "cluster" });
    let names = views.iter().filter_map(|view| Some((name(view)?, span(view))));
    super::agent_file::told_apart(names, "instances", "give one of them another `name`", findings);
}

fn reserved(view: &View<'_>, findings: &mut Findings<'_>) {
    for entry in view.object("labels").iter().flat_map(|labels| labels.entries()) {
        if RESERVED.contains(&entry.key.as_str()) {
            let message = format!("`${}` stands for something else already", entry.key);
            findings.error(entry.span, message, "give the label another name".to_owned());
        }
    }
}

/// Whether every variable of what is asked can be put in.
fn variables(spec: &View<'_>, variables: &Variables, instance: Option<&str>, findings: &mut Findings<'_>) {
    let mut wrong = |view: &View<'_>, key: &str, error: VariableError| {
        let place = instance.map(|name| format!(" for the instance {}", quoted(name))).unwrap_or_default();
        let name = error.name().to_owned();
        let span = findings.within(view.span(key), &[format!("${name}"), format!("${{{name}}}")]);
        findings.error(span, format!("`{key}`: {error}{place}"), hint(&error));
    };
    for slo in spec.objects("slos") {
        let Some(indicator) = slo.object("indicator") else { continue };
        if let Some(prometheus) = indicator.object("prometheus") {
            for key in ["query", "good", "total", "freshness"] {
                let Some(Err(error)) = prometheus.text(key).map(|text| variables.in_query(&text)) else { continue };
                wrong(&prometheus, key, error);
            }
        }
        if let Some(http) = indicator.object("http")
            && let Some(Err(error)) = http.text("url").map(|text| variables.in_address(&text))
        {
            wrong(&http, "url", error);
        }
        if let Some(labels) = indicator.object("alert").and_then(|alert| alert.object("labels")) {
            for entry in labels.entries() {
                let Some(Err(error)) = entry.value.text().map(|text| variables.in_text(text)) else { continue };
                wrong(&labels, &entry.key, error);
            }
        }
    }
    for sync in [spec.object("sync")].into_iter().chain(spec.objects("instances").iter().map(|view| view.object("sync"))).flatten() {
        let Some(Err(error)) = sync.text("query").map(|text| variables.in_query(&text)) else { continue };
        wrong(&sync, "query", error);
    }
}

fn hint(error: &VariableError) -> Option<String> {
    match error {
        VariableError::Unknown { name, known } => Some(match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `${near}`?"),
            None if known.is_empty() => {
                "`$window` is there in queries; `$cluster` and labels come from `instances`, `$env` from `environment`".to_owned()
            }
            None => {
                let known: Vec<String> = known.iter().map(|name| format!("`${name}`")).collect();
                format!("there are `$window` in queries, {}", listed(&known, "and"))
            }
        }),
        VariableError::OutsideQuotes { name } => Some(format!("write `\"${name}\"`: only inside a string its value can be escaped")),
        VariableError::Unfit { .. } => None,
    }
}
