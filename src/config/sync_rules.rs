//! `sync`: which of an agent's sources says what a policy runs, and the rules that need both files.

use std::path::Path;
use std::time::Duration;

use crate::engine::id::{MetricsName, SyncName};
use crate::engine::policy::{Sync, SyncTarget};

use super::agent::{SyncKind, SyncSource};
use super::agent_file::Names;
use super::diagnostic::{Findings, Span, quoted};
use super::form;
use super::view::View;

/// The keys of a policy's `sync` that say what of a source is followed.
const TARGETS: &[&str] = &["application", "kustomization", "helmRelease", "context", "query"];

/// Keys that only stand beside `application`.
const OF_APPLICATION: &[&str] = &["namespace", "project"];

/// What a policy must know of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An assumed lag.
    Lag(Duration),
    /// A tool, with the keys of which a policy names one.
    Tool(&'static [&'static str]),
}

impl Origin {
    /// Reads it from an agent's source, whatever else is wrong with it.
    pub fn of(view: &View<'_>) -> Self {
        let has = |key| view.node(key).is_some();
        match () {
            () if has("argocd") => Self::Tool(&["application"]),
            () if has("flux") => Self::Tool(&["kustomization", "helmRelease"]),
            () if has("commitStatus") => Self::Tool(&["context"]),
            () if has("revisionMetric") => Self::Tool(&["query"]),
            () => Self::Lag(view.duration("lag").unwrap_or_default()),
        }
    }
}

/// One of the agent's sources. `metrics` are the names of its metrics servers.
pub fn source(view: &View<'_>, directory: &Path, metrics: &[String], findings: &mut Findings<'_>) -> Option<SyncSource> {
    let kind = if let Some(argocd) = view.object("argocd") {
        let url = argocd.text("url")?;
        if let Some(base) = url.trim_end_matches('/').strip_suffix("/api/v1") {
            let hint = format!("write {}", quoted(base));
            findings.error(argocd.span("url"), "`url` is the address of Argo CD, without `/api/v1`", hint);
        }
        let token_file = directory.join(argocd.text("tokenFile")?);
        SyncKind::ArgoCd { url, token_file, ca_file: argocd.text("caFile").map(|path| directory.join(path)) }
    } else if let Some(flux) = view.object("flux") {
        match flux.text("kubeconfig") {
            Some(path) => SyncKind::FluxKubeconfig { path: directory.join(path), context: flux.text("context") },
            None => SyncKind::FluxInCluster,
        }
    } else if let Some(status) = view.object("commitStatus") {
        SyncKind::CommitStatus { creators: creators(&status, findings) }
    } else if let Some(metric) = view.object("revisionMetric") {
        let server = metric.text("server")?;
        if !metrics.contains(&server) {
            let known: Vec<String> = metrics.iter().map(|name| quoted(name)).collect();
            let hint = if known.is_empty() { "there are no `metrics`".to_owned() } else { format!("`metrics`: {}", known.join(", ")) };
            findings.error(metric.span("server"), format!("the agent file has no metrics server {}", quoted(&server)), hint);
        }
        SyncKind::RevisionMetric { server: MetricsName::new(server), label: metric.text("label")? }
    } else {
        SyncKind::Lag(view.duration("lag")?)
    };
    Some(SyncSource { name: SyncName::new(view.text("name")?), kind })
}

/// Who is believed about commit statuses. One item is a list in a completed tree.
fn creators(status: &View<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let Some(node) = status.node("creator") else {
        let message = "whoever may write statuses in the repository is believed about what runs";
        findings.warning(status.at, message, "name who writes them: `commitStatus: {creator: acme-bot}`".to_owned());
        return Vec::new();
    };
    let creators = status.texts("creator").unwrap_or_default();
    // It would say that everybody is believed.
    if node.items().is_empty() {
        findings.error(node.span, "`creator` names nobody", "name who writes the statuses: `creator: acme-bot`".to_owned());
    }
    for (item, creator) in node.items().iter().zip(&creators) {
        if !form::is_login(creator.strip_suffix("[bot]").unwrap_or(creator)) {
            let message = format!("`creator` is a login, and {} is none", quoted(creator));
            findings.error(item.span, message, "write `acme-bot`, or `acme-flux[bot]` for a GitHub App".to_owned());
        }
    }
    creators
}

/// A policy's `sync`. Without an agent file nothing says what kind its source is; then only what is written is read.
pub fn sync(spec: &View<'_>, names: Option<&Names>, findings: &mut Findings<'_>) -> Option<Sync> {
    of_object(&spec.object("sync")?, spec, names, findings)
}

/// The same of an instance: its own, the name of a source with an application beside it, or that of the policy.
pub fn of_instance(instance: &View<'_>, spec: &View<'_>, names: Option<&Names>, findings: &mut Findings<'_>) -> Option<Sync> {
    if let Some(source) = instance.text("sync") {
        return followed(source, instance.span("sync"), instance, spec, names, findings);
    }
    let own = instance.object("sync");
    let Some(application) = instance.typed("application") else { return of_object(&own.or(spec.object("sync"))?, spec, names, findings) };
    if let Some(own) = own {
        let message = "`application` stands inside of `sync`, where that is an object".to_owned();
        findings.error(own.at, message, "write it there, or the name of the source alone".to_owned());
        return None;
    }
    let Some(source) = spec.object("sync").and_then(|sync| sync.text("source")) else {
        let message = "`application` needs a sync source, and the policy assumes a lag".to_owned();
        findings.error(application.span, message, "write `sync: <source>` beside it".to_owned());
        return None;
    };
    followed(source, application.span, instance, spec, names, findings)
}

fn of_object(sync: &View<'_>, spec: &View<'_>, names: Option<&Names>, findings: &mut Findings<'_>) -> Option<Sync> {
    match sync.text("source") {
        Some(source) => followed(source, sync.span("source"), sync, spec, names, findings),
        None => sync.duration("lag").map(Sync::Lag),
    }
}

/// What of a source is followed, by the keys of `sync`; `at` is where the source is named, `spec` the policy.
fn followed(
    source: String,
    at: Span,
    sync: &View<'_>,
    spec: &View<'_>,
    names: Option<&Names>,
    findings: &mut Findings<'_>,
) -> Option<Sync> {
    let written: Vec<&'static str> = TARGETS.iter().copied().filter(|key| sync.typed(key).is_some()).collect();
    if let Some(second) = written.get(1) {
        let message = format!("`{}` and `{second}` name two things to follow", written[0]);
        findings.error(sync.span(second), message, "remove one of the two".to_owned());
        return None;
    }
    if let Some(key) = OF_APPLICATION.iter().find(|key| sync.typed(key).is_some() && !written.contains(&"application")) {
        findings.error(sync.span(key), format!("`{key}` only goes with `application`"), "remove it".to_owned());
        return None;
    }
    if let Some(context) = sync.text("context").filter(|context| context.strip_suffix('*').unwrap_or(context).contains('*')) {
        let message = format!("{} has a `*` that is not its end", quoted(&context));
        findings.error(sync.span("context"), message, "write the begin of the context, and one `*` behind it".to_owned());
        return None;
    }
    let Some(names) = names else {
        let follows = written.first().and_then(|key| target(sync, key));
        return Some(follows.map_or(Sync::Lag(Duration::ZERO), |follows| Sync::Source { source: SyncName::new(source), follows }));
    };
    let origin = names.syncs.iter().find(|(name, _)| *name == source).map(|(_, origin)| *origin)?;
    match (origin, written.first()) {
        (Origin::Lag(lag), None) => Some(Sync::Lag(lag)),
        (Origin::Lag(_), Some(key)) => {
            let message = format!("the source {} is an assumed lag, which has no `{key}`", quoted(&source));
            findings.error(sync.span(key), message, "remove it, or name another source".to_owned());
            None
        }
        (Origin::Tool(_), Some(&"context")) if names.is_plain(spec) => {
            let message = "the repository of this policy is plain Git, which has no commit statuses".to_owned();
            findings.error(sync.span("source"), message, "name another source, or write `lag`".to_owned());
            None
        }
        (Origin::Tool(takes), Some(key)) if takes.contains(key) => {
            Some(Sync::Source { source: SyncName::new(source), follows: target(sync, key)? })
        }
        (Origin::Tool(takes), written) => {
            let takes = format!("`{}`", takes.join("` or `"));
            let (place, message) = match written {
                Some(key) => (sync.span(key), format!("the source {} follows {takes}, not `{key}`", quoted(&source))),
                None => (at, format!("the source {} needs {takes}", quoted(&source))),
            };
            findings.error(place, message, format!("write {takes}"));
            None
        }
    }
}

fn target(sync: &View<'_>, key: &str) -> Option<SyncTarget> {
    let object = || {
        let object = sync.object(key)?;
        Some((object.text("namespace")?, object.text("name")?))
    };
    match key {
        "application" => {
            Some(SyncTarget::Application { name: sync.text(key)?, namespace: sync.text("namespace"), project: sync.text("project") })
        }
        "kustomization" => object().map(|(namespace, name)| SyncTarget::Kustomization { namespace, name }),
        "helmRelease" => object().map(|(namespace, name)| SyncTarget::HelmRelease { namespace, name }),
        "context" => sync.text(key).map(SyncTarget::Context),
        _ => sync.text(key).map(SyncTarget::Query),
    }
}
