//! Rules for the objects that deploy charts and kustomizations: Flux HelmReleases and Kustomizations, Argo CD Applications.

use super::super::manifest::parse;
use super::fields::{Identities, Image, Move, moved};
use super::kinds::Class;
use super::leaf::{Leaf, leaves};
use super::{Judge, ReasonCode, Subject, values};

/// Judges a field.
pub fn judge(judge: &mut Judge<'_>, subject: &Subject, class: Class, leaf: &Leaf<'_>) {
    let words = leaf.words();
    match (class, words.as_slice()) {
        (_, ["metadata", ..] | ["apiVersion"]) => {}
        (_, ["spec", "interval" | "timeout" | "retryInterval" | "maxHistory" | "revisionHistoryLimit", ..]) => {}
        (Class::HelmRelease, ["spec", "values", rest @ ..]) => value(judge, subject, leaf, rest),
        (Class::HelmRelease, ["spec", "chart", "spec", "version" | "chart"] | ["spec", "chartRef", ..]) => chart(judge, subject, leaf),
        (Class::FluxKustomization, ["spec", "images", ..]) => image(judge, subject, leaf),
        (Class::Application, ["spec", rest @ ..]) => match source(rest) {
            Some(["targetRevision" | "chart" | "path" | "repoURL"]) => chart(judge, subject, leaf),
            Some(["helm", "valuesObject", rest @ ..]) => value(judge, subject, leaf, rest),
            Some(["helm", "values"]) => values_text(judge, subject, leaf),
            Some(["helm", "parameters", name, "value"]) => {
                let keys: Vec<&str> = name.trim_matches(['[', ']']).split('.').collect();
                value(judge, subject, leaf, &keys);
            }
            Some(["kustomize", "images", ..]) => image(judge, subject, leaf),
            _ => deployment(judge, subject, leaf),
        },
        _ => deployment(judge, subject, leaf),
    }
}

/// What follows `source` or an item of `sources`.
fn source<'a, 'b>(words: &'b [&'a str]) -> Option<&'b [&'a str]> {
    match words {
        ["source", rest @ ..] | ["sources", _, rest @ ..] => Some(rest),
        _ => None,
    }
}

fn value(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>, keys: &[&str]) {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    values::judge(judge, subject, leaf, &keys);
}

/// Values as a block of text.
fn values_text(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    let (before, after) = leaf.texts();
    let read = |text: Option<&str>| text.and_then(|text| parse(text).ok());
    match (read(before).as_deref(), read(after).as_deref()) {
        (Some([before]), Some([after])) => {
            for inner in &leaves(before, after) {
                let field = format!("{}.{}", leaf.field, inner.field);
                values::judge(judge, subject, &Leaf { field, ..inner.clone() }, &inner.keys);
            }
        }
        _ => judge.human(ReasonCode::Unreadable, subject, &leaf.field, "cannot be read as values on both sides"),
    }
}

fn image(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    let (before, after) = leaf.texts();
    // Flux writes `newTag`, Argo CD `name=repository:tag`.
    let tag =
        |text: Option<&'_ str>| text.map(|text| if text.contains(':') { Image::read(text).tag.unwrap_or(text) } else { text }.to_owned());
    let name = leaf.keys.iter().find_map(|key| key.strip_prefix('[')).map(|name| name.trim_end_matches(']')).unwrap_or_default();
    let reference = after.filter(|text| text.contains(':')).map(|text| Image::read(text).repository).unwrap_or_default();
    let (before, after) = (tag(before), tag(after));
    let identities = if judge.around.stateful_images.contains(name) { Identities::Kept } else { Identities::NotKept };
    moved(
        judge,
        subject,
        Move { field: &leaf.field, names: [name, reference], before: before.as_deref(), after: after.as_deref(), identities },
    );
}

fn chart(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    judge.human(ReasonCode::Chart, subject, &leaf.field, "moves a chart or a source whose content cannot be read here");
}

fn deployment(judge: &mut Judge<'_>, subject: &Subject, leaf: &Leaf<'_>) {
    judge.human(ReasonCode::Deployment, subject, &leaf.field, "changes how it is deployed");
}
