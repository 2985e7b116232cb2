//! What releases and charts pull in: Flux HelmReleases and Kustomizations, Argo CD Applications, and the dependencies of a chart.

use super::super::manifest::{Node, Object};
use super::place::{Depth, Reference, To, directory, is_elsewhere, reference};
use super::{Link, Why};

/// What an object pulls in; nothing for kinds that pull in nothing.
pub fn references(object: &Object<'_>, addresses: &[String]) -> Vec<Reference> {
    let root = object.root;
    match (object.identity.group.as_str(), object.identity.kind.as_str()) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => helm_release(root),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => {
            // Without a path it is the root of its source, which would be everything.
            let path = root.text_at(&["spec", "path"]).filter(|path| !matches!(*path, "" | "." | "./"));
            path.map(|written| deployed(written, Depth::Whole)).into_iter().collect()
        }
        ("argoproj.io", "Application") => root.get("spec").map(|spec| application(spec, addresses)).unwrap_or_default(),
        ("argoproj.io", "ApplicationSet") => {
            root.at(&["spec", "template", "spec"]).map(|spec| application(spec, addresses)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Chart paths and value files begin at the root of the source.
fn helm_release(root: &Node) -> Vec<Reference> {
    let Some(chart) = root.at(&["spec", "chart", "spec"]) else {
        let written = root.text_at(&["spec", "chartRef", "name"]).unwrap_or_default().to_owned();
        return vec![Reference { link: Link::Chart, written, to: To::Nowhere(Why::Elsewhere) }];
    };
    let name = chart.text_at(&["chart"]).unwrap_or_default();
    if !matches!(chart.text_at(&["sourceRef", "kind"]), Some("GitRepository" | "Bucket")) {
        let source = chart.text_at(&["sourceRef", "name"]).unwrap_or_default();
        return vec![Reference { link: Link::Chart, written: format!("{name} of {source}"), to: To::Nowhere(Why::Elsewhere) }];
    }
    let mut found = vec![reference(Link::Chart, "", name, To::Chart)];
    let files = chart.get("valuesFiles").map(Node::items).unwrap_or_default();
    let files = files.iter().filter_map(Node::text).chain(chart.text_at(&["valuesFile"]));
    found.extend(files.map(|written| reference(Link::HelmValues, "", written, To::Path)));
    found
}

fn application(spec: &Node, addresses: &[String]) -> Vec<Reference> {
    let sources: Vec<&Node> = spec.get("source").into_iter().chain(spec.get("sources").map(Node::items).unwrap_or_default()).collect();
    sources.iter().flat_map(|source| application_source(source, &sources, addresses)).collect()
}

fn application_source(source: &Node, all: &[&Node], addresses: &[String]) -> Vec<Reference> {
    let address = source.text_at(&["repoURL"]).unwrap_or_default();
    let path = source.text_at(&["path"]);
    let mut found = Vec::new();
    let is_here = is_this_repository(address, addresses);
    match (path, source.text_at(&["chart"])) {
        (_, Some(chart)) => found.push(elsewhere(Link::Chart, &format!("{chart} of {address}"))),
        (Some(written), None) if !is_here => found.push(elsewhere(Link::Deployed, &format!("{written} of {address}"))),
        (Some(written), None) => {
            let recurse = source.text_at(&["directory", "recurse"]) == Some("true");
            found.push(deployed(written, if recurse { Depth::Whole } else { Depth::Direct }));
        }
        (None, None) => {}
    }
    for written in source.at(&["helm", "valueFiles"]).map(Node::items).unwrap_or_default().iter().filter_map(Node::text) {
        found.push(value_file(written, path, is_here, all, addresses));
    }
    found
}

/// `$values/apps/x.yaml` begins at the root of the source with `ref: values`, anything else at the source's own path.
fn value_file(written: &str, path: Option<&str>, is_here: bool, all: &[&Node], addresses: &[String]) -> Reference {
    let Some((name, rest)) = written.strip_prefix('$').and_then(|rest| rest.split_once('/')) else {
        return if is_here || is_elsewhere(written) {
            reference(Link::HelmValues, path.unwrap_or_default(), written, To::Path)
        } else {
            elsewhere(Link::HelmValues, written)
        };
    };
    let source = all.iter().find(|source| source.text_at(&["ref"]) == Some(name));
    let address = source.and_then(|source| source.text_at(&["repoURL"])).unwrap_or_default();
    if is_this_repository(address, addresses) {
        let mut found = reference(Link::HelmValues, "", rest, To::Path);
        found.written = written.to_owned();
        found
    } else {
        elsewhere(Link::HelmValues, written)
    }
}

/// What a chart at `path` (its `Chart.yaml`) depends on.
pub fn dependencies(path: &str, root: &Node) -> Vec<Reference> {
    let here = directory(path);
    let items = root.get("dependencies").map(Node::items).unwrap_or_default();
    // Without a repository it stands under `charts/`, among the chart's own files.
    let sources = items.iter().filter_map(|item| Some((item.text_at(&["name"]).unwrap_or_default(), item.text_at(&["repository"])?)));
    sources
        .map(|(name, address)| match address.strip_prefix("file://") {
            Some(written) => reference(Link::ChartDependency, here, written, To::Chart),
            None => elsewhere(Link::ChartDependency, &format!("{name} of {address}")),
        })
        .collect()
}

fn deployed(written: &str, depth: Depth) -> Reference {
    reference(Link::Deployed, "", written, |path| To::Deployed { path, depth })
}

fn elsewhere(link: Link, written: &str) -> Reference {
    let why = if written.contains("{{") { Why::Template } else { Why::Elsewhere };
    Reference { link, written: written.to_owned(), to: To::Nowhere(why) }
}

/// Whether an address is one of this repository's; any is where none is known.
fn is_this_repository(address: &str, addresses: &[String]) -> bool {
    addresses.is_empty() || addresses.iter().any(|known| plain(known) == plain(address))
}

/// `https://user@host/a/b.git` and `git@host:a/b` come to `host/a/b`.
fn plain(address: &str) -> String {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let address = address.rsplit_once('@').map_or(address, |(_, rest)| rest);
    address.trim_end_matches('/').trim_end_matches(".git").replace(':', "/").to_ascii_lowercase()
}
