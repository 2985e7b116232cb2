//! The lines that `revertd judge` reads: one incident a line, from what was typed to values that cannot be wrong.
//!
//! Only the form is judged here: the keys and values of a line, and in `check` whether its names and times fit together. What the values
//! mean is the engine's; `agent/judge.rs` hands them to it. Times are Unix milliseconds, ratios 0 to 1, and what is not known is null.

mod check;
mod mistake;
mod number;
mod object;
mod schema;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::load;
use crate::engine::id::{CommitId, PolicyName};
use crate::engine::policy::Policy;

pub use schema::schema as judge_schema;

/// Why a line cannot be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCase(String);

/// One incident.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name that the answer repeats.
    pub id: String,
    /// When it is decided, in Unix milliseconds.
    pub now: i64,
    /// The policies, valid as those of an agent are. Names of repositories and servers are not resolved, and
    /// `versionLabel` is ignored.
    pub policies: Vec<Policy>,
    /// Everything that was observed.
    pub observed: Observed,
    /// What should be decided; the judge never looks at it.
    pub expected: Option<Expected>,
}

/// What was observed of one incident.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Moves of watched branches.
    pub landings: Vec<LandingLine>,
    /// Probe results.
    pub rounds: Vec<RoundLine>,
    /// Results of the controls.
    pub controls: Vec<ControlLine>,
    /// What was done before.
    pub history: Vec<HistoryLine>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an incident, which is an object")]
struct CaseLine {
    id: String,
    #[serde(deserialize_with = "number::millis")]
    now: i64,
    #[serde(deserialize_with = "object::values")]
    policies: Vec<serde_json::Value>,
    #[serde(default, deserialize_with = "object::list")]
    landings: Vec<LandingLine>,
    #[serde(default, deserialize_with = "object::list")]
    rounds: Vec<RoundLine>,
    #[serde(default, deserialize_with = "object::list")]
    controls: Vec<ControlLine>,
    #[serde(default, deserialize_with = "object::list")]
    history: Vec<HistoryLine>,
    #[serde(default, deserialize_with = "object::optional")]
    expected: Option<Expected>,
}

/// One move of a watched branch.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LandingLine {
    /// The branch.
    pub branch: String,
    /// The last moment at which it was known not to have landed; null where nothing bounds it.
    #[serde(default, deserialize_with = "number::some_millis")]
    pub earliest: Option<i64>,
    /// The first moment at which it was known to have landed.
    #[serde(deserialize_with = "number::millis")]
    pub latest: i64,
    /// How the move looks in the history.
    #[serde(default)]
    pub kind: LandingKind,
    /// When it was applied, by `policy/instance`; absent means not applied there.
    #[serde(default, deserialize_with = "object::map")]
    pub applied: BTreeMap<String, AppliedLine>,
    /// Its commits, oldest first.
    #[serde(deserialize_with = "object::list")]
    pub changes: Vec<ChangeLine>,
}

/// How a move looks in the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LandingKind {
    /// The old head is on the first-parent line of the new one.
    #[default]
    Normal,
    /// The branch was merged into another line, which became the branch.
    Foxtrot,
    /// The old head is no ancestor of the new one.
    Rewritten,
}

/// What the sync tool did with a landing in one instance.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppliedLine {
    /// The last moment at which it was known not to be applied, or not to have failed.
    #[serde(deserialize_with = "number::millis")]
    pub earliest: i64,
    /// The first moment at which it was known to be applied, or to have failed.
    #[serde(deserialize_with = "number::millis")]
    pub latest: i64,
    /// When the sync tool first tried.
    #[serde(default, deserialize_with = "number::some_millis")]
    pub attempted: Option<i64>,
    /// When it was rolled out completely; `latest` without it.
    #[serde(default, deserialize_with = "number::some_millis")]
    pub effective: Option<i64>,
    /// How it went.
    #[serde(default)]
    pub state: AppliedState,
}

/// How applying went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AppliedState {
    /// It was applied.
    #[default]
    Applied,
    /// It was tried and failed: it is not there before a later landing is.
    Failed,
    /// The sync tool is paused.
    Paused,
}

/// One commit.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeLine {
    /// Its id.
    pub commit: CommitId,
    /// Who wrote it.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// The paths that it changed.
    pub paths: Vec<String>,
    /// The whole message.
    #[serde(default)]
    pub message: String,
    /// How many parents it has.
    #[serde(default = "one", deserialize_with = "number::whole")]
    pub parents: u32,
    /// The commit that it reverts.
    #[serde(default)]
    pub reverts: Option<CommitId>,
    /// Services that own one of its paths through a base, besides those whose `paths` match.
    #[serde(default)]
    pub services: Vec<PolicyName>,
    /// Whether it changed only comments or white space.
    #[serde(default)]
    pub cosmetic: bool,
    /// Whether it changed how the health of its service is defined.
    #[serde(default)]
    pub definition_changed: bool,
    /// Whether it is a security fix.
    #[serde(default)]
    pub security: bool,
    /// What undoing it comes to.
    #[serde(default, deserialize_with = "object::one")]
    pub inverse: InverseLine,
}

/// What undoing a commit comes to.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct InverseLine {
    /// Whether it applies.
    pub status: InverseStatus,
    /// Whether it was found by putting entries back.
    pub exact: bool,
    /// How much care it needs.
    pub grade: Grade,
    /// How many Kubernetes objects it changes.
    #[serde(deserialize_with = "number::whole")]
    pub objects: u32,
    /// Whether the state that it leads to was applied and healthy before.
    pub ran_healthy: bool,
}

/// Whether an inverse applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InverseStatus {
    /// It does.
    Clean,
    /// It does not.
    Conflict,
    /// The head stands already where it would lead.
    AlreadyUndone,
}

/// How much care an inverse needs (design §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grade {
    /// None.
    Safe,
    /// A person must look.
    Human,
    /// Nobody should.
    Refuse,
}

/// One probe result: exactly one of `good` alone, `good` with `total`, and `value`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoundLine {
    /// Which policy.
    pub policy: PolicyName,
    /// Which of its SLOs.
    pub slo: String,
    /// Where.
    #[serde(default = "default_instance")]
    pub instance: String,
    /// Its start.
    #[serde(deserialize_with = "number::millis")]
    pub start: i64,
    /// Its end.
    #[serde(deserialize_with = "number::millis")]
    pub end: i64,
    /// true, false, a count, or null for Unknown.
    #[serde(default, deserialize_with = "present")]
    pub good: Option<Option<Good>>,
    /// All events.
    #[serde(default)]
    pub total: Option<f64>,
    /// A measured value, or null for Unknown.
    #[serde(default, deserialize_with = "present")]
    pub value: Option<Option<f64>>,
    /// Why it is Unknown.
    #[serde(default)]
    pub why: Option<WhyUnknown>,
    /// Whether the metrics server reached the service's own targets (`up`); absent is yes. With `why` `stale` or `empty`, and an indicator
    /// that names its `targets`, no is bad and not Unknown.
    #[serde(default)]
    pub targets_scraped: Option<bool>,
}

/// What a round found good.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "it is true, false, null or a number of events")]
pub enum Good {
    /// Whether the whole round was.
    Whole(bool),
    /// How many events were.
    Events(f64),
}

/// Why a round is Unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhyUnknown {
    /// The newest sample is too old.
    Stale,
    /// The query returned nothing.
    Empty,
    /// The metrics server failed.
    Error,
    /// No complete answer.
    Unreachable,
}

/// One result of a control.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlLine {
    /// Which one.
    #[serde(default = "control")]
    pub name: String,
    /// Its start.
    #[serde(deserialize_with = "number::millis")]
    pub start: i64,
    /// Its end.
    #[serde(deserialize_with = "number::millis")]
    pub end: i64,
    /// Whether it answered; null for Unknown.
    #[serde(deserialize_with = "nullable")]
    pub good: Option<bool>,
}

/// Something that was done before.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryLine {
    /// When.
    #[serde(deserialize_with = "number::millis")]
    pub at: i64,
    /// What.
    pub kind: HistoryKind,
    /// For which policies.
    pub policies: Vec<PolicyName>,
    /// Which commits it was about.
    pub suspects: Vec<CommitId>,
}

/// What was done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HistoryKind {
    /// revertd proposed.
    Proposed,
    /// A revert of revertd was merged.
    Merged,
    /// A person said no.
    Vetoed,
    /// A person said: not now.
    Held,
    /// A person undid the suspects.
    Undone,
}

/// What should be decided.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expected {
    /// The action.
    pub action: ExpectedAction,
    /// The guilty commits.
    #[serde(default)]
    pub suspects: Vec<CommitId>,
}

/// What should be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExpectedAction {
    /// Nothing.
    None,
    /// A proposal.
    Propose,
    /// A force-merge.
    Merge,
}

/// Reads lines. It remembers the policies that it has read, because many lines hold the same ones.
#[derive(Debug, Default)]
pub struct CaseReader {
    known: BTreeMap<String, Vec<Policy>>,
}

/// So many sets of policies are remembered.
const POLICIES_KEPT: usize = 64;

// === impl InverseLine, CaseReader ===

impl Default for InverseLine {
    fn default() -> Self {
        Self { status: InverseStatus::Clean, exact: true, grade: Grade::Safe, objects: 1, ran_healthy: true }
    }
}

impl CaseReader {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence: no JSON, an unknown key, a policy that `revertd check` refuses, a round of a policy, SLO or
    /// instance that is not there, an end before its start.
    pub fn read(&mut self, line: &str) -> Result<Case, InvalidCase> {
        if line.starts_with('[') {
            // Serde would take the values of the keys in their order.
            return Err(InvalidCase("a line is an object, and this is a list".to_owned()));
        }
        let line: CaseLine = serde_json::from_str(line).map_err(|error| InvalidCase(mistake::sentence(line, &error)))?;
        let policies = self.policies(line.policies)?;
        let observed = Observed { landings: line.landings, rounds: line.rounds, controls: line.controls, history: line.history };
        check::check(&policies, &observed)?;
        Ok(Case { id: line.id, now: line.now, policies, observed, expected: line.expected })
    }

    fn policies(&mut self, mut documents: Vec<serde_json::Value>) -> Result<Vec<Policy>, InvalidCase> {
        for document in &mut documents {
            // What says what runs is `applied` of each landing.
            if let Some(spec) = document.get_mut("spec").and_then(serde_json::Value::as_object_mut) {
                spec.remove("sync");
                for instance in spec.get_mut("instances").and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
                    instance.as_object_mut().map(|instance| (instance.remove("sync"), instance.remove("application")));
                }
            }
        }
        let texts: Vec<String> = documents.iter().map(ToString::to_string).collect();
        let key = texts.join("\n");
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let policies = read_policies(&texts)?;
        if self.known.len() >= POLICIES_KEPT {
            self.known.clear();
        }
        self.known.insert(key, policies.clone());
        Ok(policies)
    }
}

/// JSON is YAML: the one loader of policies reads them, so that no rule about them is written twice.
fn read_policies(texts: &[String]) -> Result<Vec<Policy>, InvalidCase> {
    let mut list = Vec::new();
    let parsed: Vec<load::Parsed> =
        texts.iter().enumerate().map(|(index, text)| load::read(&format!("policies[{index}]"), text.as_bytes(), &mut list)).collect();
    let places: Vec<load::Place<'_>> = parsed.iter().flat_map(super::policies_and_slos_of).collect();
    let (_, mut policies) = load::judge(None, &places, &mut list);
    if let Some(error) = list.iter().find(|diagnostic| diagnostic.is_error()) {
        let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
        return Err(InvalidCase(format!("{}: {}{hint}", error.file, error.message)));
    }
    if policies.len() != places.iter().filter(|(_, document)| document.kind == load::DocumentKind::Policy).count()
        || places.len() != texts.len()
    {
        return Err(InvalidCase(
            "each entry of `policies` is one RevertPolicy object, or an OpenSLO one that such a policy takes".to_owned(),
        ));
    }
    // A line has the rounds of a service and not of each of its versions.
    for slo in policies.iter_mut().flat_map(|policy| &mut policy.slos) {
        slo.indicator = slo.indicator.clone().of_all_versions();
    }
    Ok(policies)
}

/// `Some(None)` for a null that was written, `None` only where the key is absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A key that must be written, but may be null.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Option::deserialize(deserializer)
}

fn one() -> u32 {
    1
}

fn default_instance() -> String {
    "default".to_owned()
}

fn control() -> String {
    "control".to_owned()
}

#[cfg(test)]
mod tests;
