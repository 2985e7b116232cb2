//! What a kustomization pulls in, field by field (kustomize 5, and the fields that it deprecated).

use super::super::manifest::Node;
use super::place::{Reference, To, directory, reference, resolve};
use super::{Link, Why};

/// The names under which kustomize looks for a kustomization in a directory.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Whether a path is a kustomization by its name.
pub fn is_kustomization(path: &str) -> bool {
    NAMES.contains(&path.rsplit('/').next().unwrap_or(path))
}

/// What a kustomization at `path` pulls in.
pub fn references(path: &str, root: &Node) -> Vec<Reference> {
    let here = directory(path);
    let local = |link: Link, written: &str| reference(link, here, written, To::Path);
    let mut found = Vec::new();
    for (field, link) in [
        ("resources", Link::Resource),
        ("bases", Link::Resource),
        ("components", Link::Component),
        ("patchesStrategicMerge", Link::Patch),
        ("crds", Link::Schema),
        ("configurations", Link::Schema),
        ("generators", Link::Plugin),
        ("transformers", Link::Plugin),
        ("validators", Link::Plugin),
    ] {
        found.extend(texts(root.get(field)).filter(|written| !is_inline(written)).map(|written| local(link, written)));
    }
    for (field, link) in [("patches", Link::Patch), ("patchesJson6902", Link::Patch), ("replacements", Link::Replacement)] {
        let items = root.get(field).map(Node::items).unwrap_or_default();
        found.extend(items.iter().filter_map(|item| item.text_at(&["path"])).map(|written| local(link, written)));
    }
    found.extend(root.text_at(&["openapi", "path"]).map(|written| local(Link::Schema, written)));
    for field in ["configMapGenerator", "secretGenerator"] {
        for generator in root.get(field).map(Node::items).unwrap_or_default() {
            // `key=path` names the key.
            let files = texts(generator.get("files")).map(|written| written.split_once('=').map_or(written, |(_, path)| path));
            let inputs = files.chain(texts(generator.get("envs"))).chain(generator.text_at(&["env"]));
            found.extend(inputs.map(|written| local(Link::GeneratorInput, written)));
        }
    }
    found.extend(charts(here, root));
    found
}

/// `helmCharts`, which come from a repository or from `helmGlobals.chartHome`.
fn charts(here: &str, root: &Node) -> Vec<Reference> {
    let home = root.text_at(&["helmGlobals", "chartHome"]).unwrap_or("charts");
    let mut found = Vec::new();
    for chart in root.get("helmCharts").map(Node::items).unwrap_or_default() {
        let values = chart.text_at(&["valuesFile"]).into_iter().chain(texts(chart.get("additionalValuesFiles")));
        found.extend(values.map(|written| reference(Link::HelmValues, here, written, To::Path)));
        let name = chart.text_at(&["name"]).unwrap_or_default();
        found.push(match chart.text_at(&["repo"]) {
            Some(repository) => {
                Reference { link: Link::Chart, written: format!("{name} of {repository}"), to: To::Nowhere(Why::Elsewhere) }
            }
            None => {
                let written = format!("{home}/{name}");
                let to = resolve(here, &written).map_or_else(To::Nowhere, To::Chart);
                Reference { link: Link::Chart, written, to }
            }
        });
    }
    for generator in root.get("helmChartInflationGenerator").map(Node::items).unwrap_or_default() {
        found.extend(generator.text_at(&["values"]).map(|written| reference(Link::HelmValues, here, written, To::Path)));
    }
    found
}

fn texts(list: Option<&Node>) -> impl Iterator<Item = &str> {
    list.map(Node::items).unwrap_or_default().iter().filter_map(Node::text)
}

/// A manifest written where a path could stand.
fn is_inline(written: &str) -> bool {
    written.contains('\n') || written.trim_start().starts_with(['{', '['])
}
