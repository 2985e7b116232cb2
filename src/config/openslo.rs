//! OpenSLO documents beside policies: which policy takes which, and its SLOs with theirs in their place.
//!
//! Such a document says what is healthy and nothing about Git, so that it is no policy. A policy names the SLOs that it takes, or has no
//! `slos` and takes those of its service. What a document means is the importer's to say; every value keeps the place that it has in its
//! own file.

use std::collections::BTreeSet;

use crate::engine::time::spoken;

use super::agent_file::Names;
use super::check::{self, nearest};
use super::defaults::complete;
use super::diagnostic::{Diagnostic, Findings, Source, Span, quoted};
use super::import::openslo::{self as source, Reason, Translated, Unfit};
use super::import::{free_name, name_of};
use super::keys::SLO;
use super::load::{Place, Soundness};
use super::measure;
use super::node::{Entry, Node, Origin, Value};
use super::policy_file::instead;
use super::yaml::{Piece, parse};

/// The server of an SLO that names none, where no agent file says which there are: then names of servers are not resolved.
const UNRESOLVED_SERVER: &str = "main";

/// The OpenSLO documents that policies can take SLOs from.
pub struct Catalogue<'a> {
    /// At places whose file numbers are those of `sources`, from 1.
    roots: Vec<Node>,
    sound: Vec<Soundness>,
    sources: Vec<&'a Source>,
}

/// The SLOs of one policy with those of OpenSLO documents in their place.
pub struct Expanded {
    /// The policy.
    pub root: Node,
    /// Whether all of them could be put there.
    pub soundness: Soundness,
}

/// Who named an SLO.
#[derive(Clone, Copy)]
enum Taken<'n> {
    /// An item of `slos`.
    ByName(&'n Node),
    /// Nobody: it is of the policy's service.
    ByService,
}

/// The work on one policy.
struct Work<'w, 'f> {
    catalogue: &'w Catalogue<'w>,
    servers: Option<&'w [String]>,
    findings: &'w mut Findings<'f>,
    taken: &'w mut BTreeSet<usize>,
    slos: Vec<Node>,
    names: BTreeSet<String>,
}

// === impl Catalogue ===

impl<'a> Catalogue<'a> {
    /// The documents of some files.
    pub fn new(places: &[Place<'a>]) -> Self {
        let numbered = |(index, (_, document)): (usize, &Place<'a>)| document.root.clone().placed(&|span| Span { file: index + 1, ..span });
        Self {
            roots: places.iter().enumerate().map(numbered).collect(),
            sound: places.iter().map(|(_, document)| document.soundness).collect(),
            sources: places.iter().map(|(file, _)| &file.source).collect(),
        }
    }

    /// The files of the documents, for findings about their places.
    pub fn sources(&self) -> &[&'a Source] {
        &self.sources
    }

    /// The policy with the SLOs that it takes; their indices are added to `taken`.
    pub fn expand(&self, root: &Node, names: Option<&Names>, taken: &mut BTreeSet<usize>, findings: &mut Findings<'_>) -> Expanded {
        let before = findings.errors();
        let Some(spec) = root.entry("spec").filter(|entry| matches!(entry.value.value, Value::Map(_))) else {
            return Expanded { root: root.clone(), soundness: Soundness::Broken };
        };
        let list = spec.value.get("slos");
        let items = list.map_or(&[][..], Node::items);
        if list.is_some() && items.iter().all(|item| item.get("openslo").is_none()) {
            return Expanded { root: root.clone(), soundness: Soundness::Sound };
        }
        let typed = items.iter().filter(|item| item.get("openslo").is_none()).filter_map(|item| item.get("name")?.text());
        let names = names.map(|names| names.metrics.as_slice());
        let mut work =
            Work { catalogue: self, servers: names, findings, taken, slos: Vec::new(), names: typed.map(str::to_owned).collect() };
        match list {
            Some(_) => work.named(items),
            None => work.of_service(root, spec),
        }
        let slos = Node { value: Value::List(work.slos), span: list.map_or(spec.span, |list| list.span) };
        let expanded = spec.value.clone().set("slos", slos.span, slos);
        let soundness = if findings.errors() == before { Soundness::Sound } else { Soundness::Broken };
        Expanded { root: root.clone().set("spec", spec.span, expanded), soundness }
    }

    /// Reports documents that share kind and name, and SLOs that none of the policies takes.
    pub fn judge(&self, taken: &BTreeSet<usize>, policies: &[String], list: &mut Vec<Diagnostic>) {
        let Some(first) = self.sources.first() else { return };
        let mut findings = Findings::new(first, list).with(&self.sources);
        for (index, root) in self.roots.iter().enumerate() {
            let Some(name) = source::name(root) else { continue };
            let span = name_span(root);
            let kind = root.get("kind").and_then(Node::text);
            let same = |other: &&Node| other.get("kind").and_then(Node::text) == kind && source::name(other).as_ref() == Some(&name);
            if let Some(other) = self.roots[..index].iter().find(same) {
                let seen = name_span(other);
                let place = self.sources.get(seen.file - 1).map_or("", |source| source.name());
                let message =
                    format!("another {} is named {}; it is first seen at {place}:{}", kind.unwrap_or("document"), quoted(&name), seen.line);
                findings.error(span, message, "give one of them another name".to_owned());
            } else if source::is_slo(root) && self.sound[index] == Soundness::Sound && !taken.contains(&index) {
                let service = source::service(root).unwrap_or_default();
                let near = nearest(&service, policies.iter().map(String::as_str)).filter(|near| *near != name_of(&service));
                let hint = match near {
                    Some(near) => format!("did you mean `service: {near}`?"),
                    None => format!("write `slos: [{{openslo: {name}}}]` in the policy of the service {}", quoted(&service)),
                };
                findings.warning(span, format!("no policy takes the SLO {}: nothing measures it", quoted(&name)), hint);
            }
        }
    }

    /// The SLOs with their indices.
    fn slos(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.roots.iter().enumerate().filter(|(_, root)| source::is_slo(root))
    }
}

fn name_span(root: &Node) -> Span {
    root.get("metadata").and_then(|metadata| metadata.get("name")).map_or(root.span, |name| name.span)
}

// === impl Work ===

impl Work<'_, '_> {
    /// The items of `slos`, each with what it names in its place.
    fn named(&mut self, items: &[Node]) {
        let mut seen: Vec<&str> = Vec::new();
        for item in items {
            let Some(reference) = item.get("openslo") else {
                self.slos.push(item.clone());
                continue;
            };
            let before = self.slos.len();
            self.one(item, reference, &mut seen);
            if self.slos.len() == before {
                // Its role counts, so that no second sentence says that no SLO can breach.
                self.slos.push(item.clone());
            }
        }
    }

    /// What one item names.
    fn one<'n>(&mut self, item: &'n Node, reference: &'n Node, seen: &mut Vec<&'n str>) {
        let catalogue = self.catalogue;
        // What is no text was refused as such.
        let Some(name) = reference.text() else { return };
        if seen.contains(&name) {
            return self.findings.error(reference.span, format!("{} is there twice", quoted(name)), "remove one of the two".to_owned());
        }
        seen.push(name);
        let index_of = |name: &str| catalogue.slos().find(|(_, root)| source::name(root).as_deref() == Some(name)).map(|(index, _)| index);
        if let Some(index) = index_of(name) {
            if ["name", "indicator", "objective"].iter().any(|key| item.get(key).is_some()) {
                // Refused as such.
                self.taken.insert(index);
                return;
            }
            return self.take(index, Taken::ByName(item));
        }
        let known: BTreeSet<String> = catalogue.slos().filter_map(|(_, root)| source::name(root)).collect();
        let known: Vec<String> = known.into_iter().collect();
        self.taken.extend(nearest(name, known.iter().map(String::as_str)).and_then(index_of));
        let hint = instead(name, &known, "OpenSLO documents of the kind `SLO` among the policy files");
        self.findings.error(reference.span, format!("there is no OpenSLO document {}", quoted(name)), hint);
    }

    /// The SLOs of the policy's service, for a policy without `slos`.
    fn of_service(&mut self, root: &Node, spec: &Entry) {
        let catalogue = self.catalogue;
        let policy = root.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::text).unwrap_or_default();
        let service = |root: &Node| source::service(root).map(|service| name_of(&service));
        let own: Vec<usize> =
            catalogue.slos().filter(|(_, root)| service(root).as_deref() == Some(policy)).map(|(index, _)| index).collect();
        if !own.is_empty() {
            let before = self.findings.errors();
            own.into_iter().for_each(|index| self.take(index, Taken::ByService));
            if self.slos.is_empty() && self.findings.errors() == before {
                let message = format!("no OpenSLO document of the service {} can be measured", quoted(policy));
                self.findings.error(spec.span, message, "write `slos` in the policy".to_owned());
            }
            return;
        }
        // A misspelt `slos` was reported as such.
        if spec.value.entries().iter().any(|entry| nearest(&entry.key, ["slos"].into_iter()).is_some()) {
            return;
        }
        let known: BTreeSet<String> = catalogue.slos().filter_map(|(_, root)| service(root)).collect();
        if known.is_empty() {
            let hint = "`slos`: how the service's health is measured; OpenSLO documents among the policy files can say it".to_owned();
            return self.findings.error(spec.span, "`spec` lacks the key `slos`", hint);
        }
        let known: Vec<String> = known.into_iter().collect();
        let message = format!("`spec` lacks the key `slos`, and no OpenSLO document has the service {}", quoted(policy));
        self.findings.error(spec.span, message, instead(policy, &known, "services of OpenSLO documents"));
    }

    /// Adds what the objectives of an SLO become.
    fn take(&mut self, index: usize, taken: Taken<'_>) {
        self.taken.insert(index);
        let catalogue = self.catalogue;
        let root = &catalogue.roots[index];
        if catalogue.sound[index] == Soundness::Broken {
            // What is wrong with it was reported; the policy cannot be used without it.
            return;
        }
        let freshness = match taken {
            Taken::ByName(item) => item.get("freshness").and_then(Node::text),
            Taken::ByService => None,
        };
        for (translated, _) in source::translate(root, &catalogue.roots, freshness) {
            match translated {
                Ok(translated) => self.add(translated, taken),
                Err(unfit) => self.unfit(&source::name(root).unwrap_or_default(), unfit, taken),
            }
        }
    }

    fn unfit(&mut self, name: &str, unfit: Unfit, taken: Taken<'_>) {
        let hint = unfit.hint.or_else(|| match unfit.reason {
            Reason::Wrong => None,
            Reason::Beyond => Some("write this SLO into the policy by hand".to_owned()),
            Reason::NoFreshness => Some(format!("write `{{openslo: {name}, freshness: …}}` in the policy, with the metric and its labels")),
        });
        match (taken, unfit.reason) {
            (Taken::ByService, Reason::Beyond | Reason::NoFreshness) => {
                self.findings.warning(unfit.span, format!("the SLO {} is left out: {}", quoted(name), unfit.why), hint);
            }
            _ => self.findings.error(unfit.span, format!("the SLO {} cannot be taken: {}", quoted(name), unfit.why), hint),
        }
    }

    /// Adds an SLO, with the keys of the item that names it instead of its own.
    fn add(&mut self, translated: Translated, taken: Taken<'_>) {
        let Translated { mut draft, places, notes } = translated;
        for (span, sentence) in notes {
            self.findings.warning(span, format!("not carried over: {sentence}"), None);
        }
        let own_server = match taken {
            Taken::ByName(item) => item.get("server").and_then(Node::text),
            Taken::ByService => None,
        };
        let server = match (own_server, &draft.server, self.servers) {
            (Some(server), ..) => server.to_owned(),
            (None, Some(server), _) => server.clone(),
            (None, None, None) => UNRESOLVED_SERVER.to_owned(),
            (None, None, Some([only])) => only.clone(),
            (None, None, Some(_)) => {
                let hint = "write `metricSourceRef`, or `server` beside `openslo` in the policy".to_owned();
                return self.findings.error(places.server, "it names no data source, and the agent file has not exactly one", hint);
            }
        };
        draft.comments.clear();
        draft.name = free_name(&draft.name, |name| self.names.contains(name));
        let subject = format!("the SLO `{}`", draft.name);
        let read = parse(Piece { text: &draft.to_yaml(&server), first_line: 1 }).ok().flatten();
        let Some(slo) = read.and_then(|list| list.get("slos").and_then(|slos| slos.items().first().cloned())) else {
            return self.findings.error(places.objective, format!("{subject} cannot be read"), "write it by hand".to_owned());
        };
        let before = self.findings.errors();
        if let Taken::ByName(item) = taken {
            self.rounds_fit(item, &slo);
        }
        let slo = with_item(at_its_places(slo, &places), taken);
        check::object(&SLO, &slo, &subject, places.objective, self.findings);
        if self.findings.errors() == before {
            self.names.insert(draft.name);
            self.slos.push(complete(&SLO, &slo));
        }
    }

    /// Whether the windows of a document's own alerts are whole numbers of rounds, where the item that names it says how long one is.
    fn rounds_fit(&mut self, item: &Node, slo: &Node) {
        let is_typed = |key| item.entry(key).is_some_and(|entry| entry.origin == Origin::Typed);
        let Some(node) = item.get("every").filter(|_| !is_typed("alerts")) else { return };
        // What is no duration was refused as such.
        let Some(every) = node.text().and_then(measure::duration).filter(|every| !every.is_zero()) else { return };
        let burns = slo.get("alerts").map_or(&[][..], Node::items).iter().filter_map(|alert| alert.get("burnRate"));
        let mut windows =
            burns.flat_map(|burn| ["short", "long"].into_iter().filter_map(move |key| measure::duration(burn.get(key)?.text()?)));
        if let Some(window) = windows.find(|window| window.as_millis() % every.as_millis() != 0) {
            let message = format!("its alerts look back over {}, which is no multiple of one round of {}", spoken(window), spoken(every));
            self.findings.error(node.span, message, "write another `every`, or `alerts` beside it".to_owned());
        }
    }
}

/// A translated SLO whose parts stand where they come from.
fn at_its_places(slo: Node, places: &source::Places) -> Node {
    let slo = slo.placed(&|_| places.objective);
    let queries =
        [("good", places.good), ("total", places.total), ("query", places.good), ("freshness", places.total), ("server", places.server)];
    let move_key = |node: Node, key: &str, span: Span| match node.get(key).cloned() {
        Some(value) => node.set(key, span, value.placed(&|_| span)),
        None => node,
    };
    let slo = move_key(slo, "name", places.name);
    let Some(prometheus) = slo.get("indicator").and_then(|indicator| indicator.get("prometheus")).cloned() else { return slo };
    let prometheus = queries.into_iter().fold(prometheus, |node, (key, span)| move_key(node, key, span));
    with_prometheus(slo, prometheus)
}

fn with_prometheus(slo: Node, prometheus: Node) -> Node {
    let span = prometheus.span;
    let indicator = Node { value: Value::Map(Vec::new()), span }.set("prometheus", span, prometheus);
    slo.set("indicator", span, indicator)
}

/// The SLO with the keys of the item that names it.
fn with_item(mut slo: Node, taken: Taken<'_>) -> Node {
    let Taken::ByName(item) = taken else { return slo };
    // What else is written there was refused as such.
    let beside = SLO.choice.iter().find(|way| way.needs.contains(&"openslo")).map_or(&[][..], |way| way.with);
    for entry in item.entries().iter().filter(|entry| entry.origin == Origin::Typed) {
        let of_slo = matches!(entry.key.as_str(), "alerts" | "role");
        if !of_slo && !beside.contains(&entry.key.as_str()) {
            continue;
        }
        let prometheus = slo.get("indicator").and_then(|indicator| indicator.get("prometheus")).cloned();
        slo = match prometheus.filter(|_| !of_slo) {
            Some(prometheus) => with_prometheus(slo, prometheus.set(&entry.key, entry.span, entry.value.clone())),
            None => slo.set(&entry.key, entry.span, entry.value.clone()),
        };
    }
    slo
}
