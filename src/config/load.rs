//! Texts to a valid agent with its policies: reads documents, applies the rules of each, then those between files. It touches no file
//! system; [`super::files`] does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::engine::policy::Policy;

use super::agent::Agent;
use super::agent_file::{self, Names};
use super::check::{self, nearest};
use super::defaults::complete;
use super::diagnostic::{Cause, Diagnostic, Findings, Source, Span, quoted};
use super::import::openslo;
use super::keys::{AGENT_DOCUMENT, API_VERSION, LATER_KINDS, POLICY_DOCUMENT};
use super::node::{Node, Value};
use super::openslo::Catalogue;
use super::policy_file;
use super::secrets;
use super::shape::Object;
use super::yaml::{MAX_BYTES, parse, pieces};

/// A file whose documents have each been checked on their own.
pub struct Parsed {
    /// The name and the lines that may be shown.
    pub source: Source,
    /// Where relative paths start.
    pub directory: PathBuf,
    /// The documents that parse and have a known kind.
    pub documents: Vec<Document>,
}

/// One document, completed by its defaults.
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// The tree.
    pub root: Node,
    /// Whether it has no error of its own.
    pub soundness: Soundness,
}

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// `kind: Agent`.
    Agent,
    /// `kind: RevertPolicy`.
    Policy,
    /// Any kind of OpenSLO: policies take SLOs from it.
    OpenSlo,
}

/// Whether a document has errors of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// None.
    Sound,
    /// Some, which are reported.
    Broken,
}

/// A document with its file.
pub type Place<'a> = (&'a Parsed, &'a Document);

/// Reads the documents of one file and checks each on its own.
pub fn read(name: &str, bytes: &[u8], list: &mut Vec<Diagnostic>) -> Parsed {
    let directory = Path::new(name).parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let text = match decode(name, bytes) {
        Ok(text) => text,
        Err(diagnostic) => {
            list.push(*diagnostic);
            return Parsed { source: Source::new(name, ""), directory, documents: Vec::new() };
        }
    };
    let before = list.len();
    let (source, roots) = trees(name, &text, list);
    let mut findings = Findings::new(&source, list);
    let found = roots.len();
    let documents: Vec<Document> = roots.into_iter().filter_map(|root| document(&root, &mut findings)).collect();
    if found == 0 && list.len() == before {
        let hint = Some(format!("begin it with `apiVersion: {API_VERSION}` and `kind: RevertPolicy`"));
        list.push(Diagnostic::whole_file(Cause::Content, name, "the file holds no document".to_owned(), hint));
    }
    Parsed { source, directory, documents }
}

/// The documents of a text, and its lines with every secret masked. What is no document is reported.
pub(super) fn trees(name: &str, text: &str, list: &mut Vec<Diagnostic>) -> (Source, Vec<Node>) {
    let mut source = Source::new(name, text);
    let mut roots = Vec::new();
    let mut broken = Vec::new();
    for piece in pieces(text) {
        match parse(piece) {
            Ok(Some(root)) => {
                secrets::mask_tree(&root, &mut source);
                roots.push(root);
            }
            Ok(None) => {}
            Err(error) => {
                secrets::hide_text(piece, &mut source);
                broken.push(error);
            }
        }
    }
    let mut findings = Findings::new(&source, list);
    for error in broken {
        findings.error(error.span, error.message, error.hint);
    }
    (source, roots)
}

/// Applies the rules between values and between files. The agent is `None` where it has errors or there is none; `others` are policies and
/// OpenSLO documents.
pub fn judge(agent: Option<Place<'_>>, others: &[Place<'_>], list: &mut Vec<Diagnostic>) -> (Option<Agent>, Vec<Policy>) {
    let names = agent.map(|(_, document)| Names::of(&document.root));
    let valid_agent = agent.and_then(|(file, document)| {
        let read = agent_file::read(&document.root, &file.directory, &mut Findings::new(&file.source, list));
        read.filter(|_| document.soundness == Soundness::Sound)
    });
    let of_kind = |kind: DocumentKind| -> Vec<Place<'_>> { others.iter().filter(|(_, other)| other.kind == kind).copied().collect() };
    let (policies, catalogue) = (of_kind(DocumentKind::Policy), Catalogue::new(&of_kind(DocumentKind::OpenSlo)));
    let known: Vec<String> = policies.iter().filter_map(|(_, document)| policy_name(document).map(|(name, _)| name)).collect();
    let mut valid = Vec::new();
    let mut taken = BTreeSet::new();
    for (file, document) in &policies {
        let mut findings = Findings::new(&file.source, list).with(catalogue.sources());
        let expanded = catalogue.expand(&document.root, names.as_ref(), &mut taken, &mut findings);
        let policy = policy_file::read(&expanded.root, names.as_ref(), &mut findings);
        if names.is_some() {
            policy_file::unknown_dependencies(&document.root, &known, &mut findings);
        }
        valid.extend(policy.filter(|_| document.soundness == Soundness::Sound && expanded.soundness == Soundness::Sound));
    }
    unique_policies(&policies, list);
    catalogue.judge(&taken, &known, list);
    if let (Some((file, document)), true) = (agent, policies.is_empty()) {
        let message = "the agent has no policies: it watches, and reverts nothing";
        Findings::new(&file.source, list).warning(document.root.span, message, "name policy files under `policies`".to_owned());
    }
    (valid_agent, valid)
}

/// Puts findings into the order of the files, and of the places in each; drops repetitions.
pub fn sort(files: &[String], list: &mut Vec<Diagnostic>) {
    let rank = |diagnostic: &Diagnostic| files.iter().position(|file| *file == diagnostic.file).unwrap_or(usize::MAX);
    list.sort_by_cached_key(|diagnostic| (rank(diagnostic), diagnostic.line, diagnostic.column));
    let mut seen = std::collections::HashSet::new();
    list.retain(|found| seen.insert((found.file.clone(), found.line, found.column, found.message.clone())));
}

pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<String, Box<Diagnostic>> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file is larger than {} KiB", MAX_BYTES / 1024);
        return Err(Box::new(Diagnostic::whole_file(Cause::Content, name, message, Some("split it into several files".to_owned()))));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.replace("\r\n", "\n").replace('\r', "\n")),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).replace("\r\n", "\n").replace('\r', "\n");
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
            let message = "the file is not UTF-8 text".to_owned();
            let hint = Some("save it as UTF-8".to_owned());
            let whole = Diagnostic::whole_file(Cause::Content, name, message, hint);
            Err(Box::new(Diagnostic { line: before.matches('\n').count() + 1, column, length: 1, ..whole }))
        }
    }
}

fn document(root: &Node, findings: &mut Findings<'_>) -> Option<Document> {
    let start = Span { length: 1, ..root.span };
    if !matches!(root.value, Value::Map(_)) {
        let hint = format!("begin it with `apiVersion: {API_VERSION}` and `kind: RevertPolicy` or `kind: Agent`");
        findings.error(start, format!("a document is an object, and this is {}", root.what()), hint);
        return None;
    }
    let version = root.get("apiVersion").and_then(Node::text);
    if version.is_some_and(|version| version.starts_with("openslo/") || version.starts_with("openslo.com/")) {
        let before = findings.errors();
        openslo::form(root, findings);
        let soundness = if findings.errors() == before { Soundness::Sound } else { Soundness::Broken };
        return Some(Document { kind: DocumentKind::OpenSlo, root: root.clone(), soundness });
    }
    let (kind, shape) = match root.get("kind").and_then(Node::text) {
        Some("Agent") => (DocumentKind::Agent, &AGENT_DOCUMENT),
        Some("RevertPolicy") => (DocumentKind::Policy, &POLICY_DOCUMENT),
        other => {
            unknown_kind(root, other, start, findings);
            return None;
        }
    };
    Some(checked(kind, shape, root, start, findings))
}

fn unknown_kind(root: &Node, kind: Option<&str>, start: Span, findings: &mut Findings<'_>) {
    let Some(node) = root.get("kind") else {
        let hint = format!("begin it with `apiVersion: {API_VERSION}` and `kind: RevertPolicy` or `kind: Agent`");
        return findings.error(start, "the document does not say what it is: it lacks the key `kind`", hint);
    };
    let kind = kind.unwrap_or_default();
    if LATER_KINDS.contains(&kind) {
        return findings.error(node.span, format!("`kind: {kind}` is not supported yet"), "use `kind: RevertPolicy`".to_owned());
    }
    let hint = nearest(kind, ["Agent", "RevertPolicy"].into_iter()).map(|near| format!("did you mean `{near}`?"));
    findings.error(node.span, format!("`kind` is `Agent` or `RevertPolicy`, and {} is neither", quoted(kind)), hint);
}

fn checked(kind: DocumentKind, shape: &'static Object, root: &Node, start: Span, findings: &mut Findings<'_>) -> Document {
    let before = findings.errors();
    check::object(shape, root, "the document", start, findings);
    let soundness = if findings.errors() == before { Soundness::Sound } else { Soundness::Broken };
    Document { kind, root: complete(shape, root), soundness }
}

fn policy_name(document: &Document) -> Option<(String, Span)> {
    let name = document.root.get("metadata")?.get("name")?;
    Some((name.text()?.to_owned(), name.span))
}

fn unique_policies(policies: &[Place<'_>], list: &mut Vec<Diagnostic>) {
    let mut seen: Vec<(String, String)> = Vec::new();
    for (file, document) in policies {
        let Some((name, span)) = policy_name(document) else { continue };
        match seen.iter().find(|(other, _)| *other == name) {
            Some((_, first)) => {
                let message = format!("another policy is named {}; it is first seen at {first}", quoted(&name));
                Findings::new(&file.source, list).error(span, message, "give one of them another name".to_owned());
            }
            None => seen.push((name, format!("{}:{}", file.source.name(), span.line))),
        }
    }
}
