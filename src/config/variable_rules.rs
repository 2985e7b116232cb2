//! Variables of a policy: whether each is known in every instance and can be put where it stands.

use crate::engine::policy::Sync;
use crate::engine::variables::{VERSION, VariableError, Variables};

use super::agent_file::Names;
use super::check::{listed, nearest};
use super::diagnostic::{Findings, quoted};
use super::form;
use super::policy_file::instead;
use super::shape::Form;
use super::view::View;

/// Where a text with variables stands.
struct Place<'a> {
    variables: &'a Variables,
    /// The instance, where a policy names any.
    instance: Option<&'a str>,
}

/// Whether every variable of what is measured can be put in; `names` has the clusters that there are.
pub fn indicators(spec: &View<'_>, variables: &Variables, instance: Option<&str>, names: Option<&Names>, findings: &mut Findings<'_>) {
    let place = Place { variables, instance };
    for slo in spec.objects("slos") {
        let Some(indicator) = slo.object("indicator") else { continue };
        if let Some(prometheus) = indicator.object("prometheus") {
            let label = prometheus.text("versionLabel");
            for key in ["query", "good", "total", "freshness", "targets"] {
                let Some(Err(error)) = prometheus.text(key).map(|text| variables.in_query_of(&text, label.as_deref())) else { continue };
                place.wrong(&prometheus, key, &error, findings);
            }
        }
        if let Some(http) = indicator.object("http")
            && let Some(Err(error)) = http.text("url").map(|text| variables.in_address(&text))
        {
            place.wrong(&http, "url", &error, findings);
        }
        if let Some(labels) = indicator.object("alert").and_then(|alert| alert.object("labels")) {
            for entry in labels.entries() {
                let Some(Err(error)) = entry.value.text().map(|text| variables.in_text(text)) else { continue };
                place.wrong(&labels, &entry.key, &error, findings);
            }
        }
        if let Some(workload) = indicator.object("workload") {
            place.workload(&workload, names, findings);
        }
    }
}

/// What is followed in an instance, with every variable put in; `view` is where it is written. `None` where one cannot be.
pub fn followed(view: &View<'_>, sync: Sync, variables: &Variables, instance: Option<&str>, findings: &mut Findings<'_>) -> Option<Sync> {
    let Sync::Source { source, follows } = sync else { return Some(sync) };
    let place = Place { variables, instance };
    let mut fits = true;
    for (key, form) in [("application", Form::Line), ("project", Form::Line), ("context", Form::Line), ("namespace", Form::Name)] {
        fits &= view.node(key).is_none() || place.name(view, key, form, findings).is_some();
    }
    for object in ["kustomization", "helmRelease"].into_iter().filter_map(|key| view.object(key)) {
        fits &= place.name(&object, "namespace", Form::Name, findings).is_some();
        fits &= place.name(&object, "name", Form::Line, findings).is_some();
    }
    if let Some(Err(error)) = view.text("query").map(|text| variables.in_query(&text)) {
        place.wrong(view, "query", &error, findings);
        fits = false;
    }
    Some(Sync::Source { source, follows: variables.in_target(&follows).ok().filter(|_| fits)? })
}

// === impl Place ===

impl Place<'_> {
    fn wrong(&self, view: &View<'_>, key: &str, error: &VariableError, findings: &mut Findings<'_>) {
        let name = error.name().to_owned();
        let span = findings.within(view.span(key), &[format!("${name}"), format!("${{{name}}}")]);
        findings.error(span, format!("`{key}`: {error}{}", self.spoken()), hint(error));
    }

    fn workload(&self, workload: &View<'_>, names: Option<&Names>, findings: &mut Findings<'_>) {
        for (key, form) in [("namespace", Form::Name), ("name", Form::Line)] {
            self.name(workload, key, form, findings);
        }
        if !workload.text("server").is_some_and(|server| server.contains('$')) {
            return;
        }
        let Some(server) = self.name(workload, "server", Form::Name, findings) else { return };
        if let Some(names) = names.filter(|names| !names.clusters.contains(&server)) {
            let message = format!("the agent file has no cluster {}{}", quoted(&server), self.spoken());
            findings.error(workload.span("server"), message, instead(&server, &names.clusters, "`metrics` of the kind `kubernetes`"));
        }
    }

    /// A name with its variables put in; `None` where one cannot be, or where the name is none then.
    fn name(&self, view: &View<'_>, key: &str, form: Form, findings: &mut Findings<'_>) -> Option<String> {
        let text = view.text(key)?;
        let name = match self.variables.in_name(&text) {
            Ok(name) => name,
            Err(error) => {
                self.wrong(view, key, &error, findings);
                return None;
            }
        };
        // Without a `$` it was judged as it stands; with one, what is left of it may be no variable.
        if let (true, Err(complaint)) = (text.contains('$'), form::check(form, &name)) {
            findings.error(view.span(key), format!("`{key}` {}{}", complaint.says, self.spoken()), complaint.hint);
            return None;
        }
        Some(name)
    }

    fn spoken(&self) -> String {
        self.instance.map(|name| format!(" for the instance {}", quoted(name))).unwrap_or_default()
    }
}

fn hint(error: &VariableError) -> Option<String> {
    match error {
        VariableError::Unknown { name, known } => Some(match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `${near}`?"),
            None if name == VERSION => "name under `versionLabel` the label of the metric that tells versions apart".to_owned(),
            None if known.is_empty() => {
                "`$window` is there in queries; `$cluster` and labels come from `instances`, `$env` from `environment`".to_owned()
            }
            None => {
                let known: Vec<String> = known.iter().map(|name| format!("`${name}`")).collect();
                format!("there are `$window` in queries, {}", listed(&known, "and"))
            }
        }),
        VariableError::OutsideQuotes { name } => Some(format!("write `\"${name}\"`: only inside a string its value can be escaped")),
        VariableError::NotMatched { label, .. } => Some(format!("write `{label}=~\"$version\"`")),
        VariableError::Unfit { .. } => None,
    }
}
