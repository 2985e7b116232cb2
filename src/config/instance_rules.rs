//! `instances`: where a service runs and what is followed there.

use std::collections::BTreeMap;

use crate::engine::id::InstanceName;
use crate::engine::policy::Instance;
use crate::engine::variables::{RESERVED, Variables};

use super::agent_file::Names;
use super::diagnostic::{Findings, quoted};
use super::form;
use super::shape::Form;
use super::sync_rules;
use super::variable_rules;
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
        let variables = Variables::from_parts(labels, environment, &BTreeMap::new(), None);
        variable_rules::indicators(spec, &variables, None, names, findings);
        let sync = spec.object("sync").and_then(|view| variable_rules::followed(&view, sync?, &variables, None, findings))?;
        return Some(vec![Instance { name: InstanceName::default_instance(), cluster: None, labels: BTreeMap::new(), sync }]);
    }
    unique(&views, findings);
    let mut instances = Vec::new();
    for view in &views {
        let own = view.map("labels").unwrap_or_default();
        reserved(view, findings);
        let cluster = cluster(view, findings);
        let variables = Variables::from_parts(labels, environment.clone(), &own, cluster.clone());
        let place = name(view);
        variable_rules::indicators(spec, &variables, place.as_deref(), names, findings);
        let sync = sync_rules::of_instance(view, spec, names, findings);
        let followed = followed(view, spec);
        let sync = followed.and_then(|followed| variable_rules::followed(&followed, sync?, &variables, place.as_deref(), findings));
        let name = named(view, findings);
        instances.push(sync.zip(name).map(|(sync, name)| Instance { name: InstanceName::new(name), cluster, labels: own, sync }));
    }
    instances.into_iter().collect()
}

/// Where it is written what is followed in an instance: beside its name, in its own `sync`, or in that of the policy.
fn followed<'a>(view: &View<'a>, spec: &View<'a>) -> Option<View<'a>> {
    if view.typed("application").is_some() || view.text("sync").is_some() {
        return Some(*view);
    }
    view.object("sync").or_else(|| spec.object("sync"))
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
