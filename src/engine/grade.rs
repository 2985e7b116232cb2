//! How dangerous a plan is (design §9): *safe*, *needs a human* or *refuse*, with a reason for each field that makes it so. Pure.
//!
//! It compares the objects that the plan's files hold at the head with those that they would hold. Only what is known to be harmless is safe: a
//! kind, a file or a value that nobody here can judge needs a human. Texts of objects are untrusted; sentences name kinds, names and fields,
//! and of values only those of images, versions, replicas and resources.

mod application;
mod fields;
mod files;
mod kinds;
mod kustomization;
mod later;
mod leaf;
mod quantity;
mod values;
mod workload;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::cosmetic::Use;
use super::id::PolicyName;
use super::manifest::Identity;

/// The most reasons that are kept; the level and the counts are those of all.
pub const MOST_REASONS: usize = 50;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing.
    Absent,
    /// A text.
    Text(&'a str),
    /// Something that is no text, no regular file or too large; why.
    Unreadable(&'a str),
}

/// One file of a plan.
#[derive(Clone, Copy, Debug)]
pub struct PlannedFile<'a> {
    /// Its path.
    pub path: &'a str,
    /// What stands there at the head.
    pub before: Content<'a>,
    /// What the plan puts there.
    pub after: Content<'a>,
}

/// A file of the service that changed after the suspects.
#[derive(Clone, Copy, Debug)]
pub struct LaterFile<'a> {
    /// Its path.
    pub path: &'a str,
    /// What stood there when the newest suspect had landed.
    pub then: Content<'a>,
    /// What stands there at the head.
    pub now: Content<'a>,
    /// Whether it is parsed, or goes into a ConfigMap or a chart as it is.
    pub used: Use,
}

/// How many replicas of a workload run now, where a source knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The kind of the workload.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// How many.
    pub replicas: u32,
}

/// A plan that is to be graded.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    /// Every file that the plan changes.
    pub files: &'a [PlannedFile<'a>],
    /// The service's other manifests as the plan leaves them, path and text: they tell which workloads use an image.
    pub around: &'a [(&'a str, &'a str)],
    /// What changed later in the service.
    pub later: &'a [LaterFile<'a>],
    /// What runs now.
    pub running: &'a [Running],
    /// The services that own a path of the plan ([`super::ownership::Ownership::services_of`]).
    pub services: BTreeSet<PolicyName>,
}

/// How dangerous a plan is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grade {
    /// The level of the gravest reason.
    pub level: Level,
    /// Why; the gravest first, at most [`MOST_REASONS`].
    pub reasons: Vec<Reason>,
    /// How many more reasons there are.
    pub more: usize,
    /// How many objects it changes; a kustomization or a value file counts as one.
    pub objects: usize,
    /// The services that it touches.
    pub services: BTreeSet<PolicyName>,
    /// The paths that were looked at; one that is missing here was not judged.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub paths: BTreeSet<String>,
}

/// What may happen to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// It may be merged where all else allows it.
    Safe,
    /// Only with an approval.
    Human,
    /// Never by revertd; people can still merge it themselves.
    Refuse,
}

/// One thing that is dangerous about a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// What kind of danger.
    pub code: ReasonCode,
    /// How grave.
    pub level: Level,
    /// The object (`Deployment shop/checkout`) or the path.
    pub object: String,
    /// The field; empty for the object as a whole.
    pub field: String,
    /// One full sentence that names both.
    pub sentence: String,
}

/// What is dangerous about a plan; a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReasonCode {
    /// An object goes, and with it what holds data or other objects (G4).
    DeletesData,
    /// An object goes, or is no longer listed.
    DeletesObject,
    /// A CustomResourceDefinition changes.
    CustomResourceDefinition,
    /// The image of a StatefulSet goes back, or perhaps does.
    StatefulSetImage,
    /// The image of an operator goes back, or perhaps does.
    OperatorImage,
    /// A data store goes back, or perhaps does.
    DataStore,
    /// A chart or a remote base moves, whose content nobody here can read.
    Chart,
    /// A Secret is touched, or what makes one.
    Secret,
    /// A field changes that Kubernetes does not let change.
    Immutable,
    /// A Job or a migration runs again, or is changed.
    Migration,
    /// A volume claim or what stores it is touched.
    VolumeClaim,
    /// Who may talk to whom changes (E12).
    NetworkPolicy,
    /// Who may do what changes (E12).
    Rbac,
    /// A protection changes: security contexts, admission, authentication (E12).
    Security,
    /// It says how health is measured.
    HealthDefinition,
    /// Fewer replicas than now, or perhaps fewer.
    FewerReplicas,
    /// Fewer resources than now, or perhaps fewer.
    FewerResources,
    /// The ConfigMap of a workload changed after the suspect.
    ConfigMapChangedLater,
    /// What the image goes back to is not said, or moves.
    ImageNotPinned,
    /// How something is deployed changes: pruning, sources, sync.
    Deployment,
    /// A kind that nobody here knows.
    UnknownKind,
    /// A file that cannot be read, or a value that is filled in later.
    Unreadable,
}

/// Grades a plan.
pub fn grade(question: &Question<'_>) -> Grade {
    let mut judge = Judge { question, around: files::Around::read(question.around), reasons: BTreeSet::new(), objects: 0 };
    files::judge(&mut judge);
    later::judge(&mut judge);
    let objects = judge.objects;
    let mut reasons: Vec<Reason> = judge.reasons.into_iter().collect();
    reasons.sort_by(|one, two| two.level.cmp(&one.level).then_with(|| one.cmp(two)));
    let level = reasons.first().map_or(Level::Safe, |reason| reason.level);
    let more = reasons.len().saturating_sub(MOST_REASONS);
    reasons.truncate(MOST_REASONS);
    let paths = question.files.iter().map(|file| file.path.to_owned()).collect();
    Grade { level, reasons, more, objects, services: question.services.clone(), paths }
}

/// The judgement while it is made.
struct Judge<'q> {
    question: &'q Question<'q>,
    around: files::Around,
    reasons: BTreeSet<Reason>,
    objects: usize,
}

/// What a reason is about.
#[derive(Clone, Debug)]
struct Subject {
    /// As people read it.
    shown: String,
    /// The object, where it is one.
    identity: Option<Identity>,
}

impl Subject {
    fn of(identity: &Identity) -> Self {
        Self { shown: cut(&identity.to_string()), identity: Some(identity.clone()) }
    }

    fn path(path: &str) -> Self {
        Self { shown: cut(path), identity: None }
    }

    fn name(&self) -> &str {
        self.identity.as_ref().map(|identity| identity.name.as_str()).unwrap_or_default()
    }
}

/// Names are somebody else's text: one line, of bounded length.
fn cut(text: &str) -> String {
    let flat = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    flat.take(160).collect()
}

// === impl Judge, Grade, Reason ===

impl Judge<'_> {
    /// Records that `field` of `subject` `does` something: `{subject}: {field} {does}.`
    fn say(&mut self, code: ReasonCode, level: Level, subject: &Subject, field: &str, does: &str) {
        let (object, field) = (subject.shown.clone(), cut(field));
        let separator = if field.is_empty() { "" } else { ": " };
        let sentence = format!("{object}{separator}{field} {}.", cut(does));
        self.reasons.insert(Reason { code, level, object, field, sentence });
    }

    fn human(&mut self, code: ReasonCode, subject: &Subject, field: &str, does: &str) {
        self.say(code, Level::Human, subject, field, does);
    }
}

impl Grade {
    /// The reasons of one level in words: the first three, then how many more. Empty where there is none.
    pub fn words_of(&self, level: Level) -> String {
        let all: Vec<&Reason> = self.reasons.iter().filter(|reason| reason.level == level).collect();
        let mut said: Vec<String> = all.iter().take(3).map(|reason| reason.sentence.trim_end_matches('.').to_owned()).collect();
        let rest = all.len().saturating_sub(3) + if self.level == level { self.more } else { 0 };
        said.extend((rest > 0).then(|| format!("and {rest} more")));
        said.join("; ")
    }

    /// `safe`, or the level with its reasons: `needs a human (…; …)`.
    pub fn words(&self) -> String {
        let reasons: Vec<&str> = self.reasons.iter().take(3).map(|reason| reason.sentence.trim_end_matches('.')).collect();
        let rest = self.reasons.len() - reasons.len() + self.more;
        let and_more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
        match self.level {
            Level::Safe => "safe".to_owned(),
            Level::Human => format!("needs a human ({}{and_more})", reasons.join("; ")),
            Level::Refuse => format!("refuse ({}{and_more})", reasons.join("; ")),
        }
    }

    /// What is over the policy's limits, a sentence each.
    pub fn over(&self, max_services: usize, max_objects: usize) -> Vec<String> {
        let mut over = Vec::new();
        if self.services.len() > max_services {
            let names: Vec<&str> = self.services.iter().take(10).map(PolicyName::as_str).collect();
            over.push(format!("It touches {} services ({}); the limit is {max_services}.", self.services.len(), names.join(", ")));
        }
        if self.objects > max_objects {
            over.push(format!("It changes {} objects; the limit is {max_objects}.", self.objects));
        }
        over
    }

    /// Whether it changes who may do, reach or read what (E12): then it is proposed and never merged without an approval.
    pub fn is_security_change(&self) -> bool {
        self.reasons.iter().any(|reason| reason.code.is_security())
    }
}

impl ReasonCode {
    /// Whether an attacker could gain from the revert (E12).
    pub fn is_security(self) -> bool {
        matches!(self, Self::NetworkPolicy | Self::Rbac | Self::Security | Self::Secret)
    }
}

#[cfg(test)]
mod tests;
