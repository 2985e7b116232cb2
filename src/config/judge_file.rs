//! The lines that `revertd judge` reads: one incident a line, from what was typed to values that cannot be wrong.
//!
//! Only the form is judged here: names, times, known keys. What the values mean is the engine's; `agent/judge.rs` hands them to it. Times
//! are Unix milliseconds, ratios 0 to 1, and what is not known is null.

mod mistake;
mod schema;
mod time;

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
    /// The policies, valid as those of an agent are. Names of repositories and servers are not resolved.
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
    #[serde(deserialize_with = "time::millis")]
    now: i64,
    policies: Vec<serde_json::Value>,
    #[serde(default)]
    landings: Vec<LandingLine>,
    #[serde(default)]
    rounds: Vec<RoundLine>,
    #[serde(default)]
    controls: Vec<ControlLine>,
    #[serde(default)]
    history: Vec<HistoryLine>,
    #[serde(default)]
    expected: Option<Expected>,
}

/// One move of a watched branch.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a landing, which is an object")]
pub struct LandingLine {
    /// The branch.
    pub branch: String,
    /// The last moment at which it was known not to have landed; null where nothing bounds it.
    #[serde(default, deserialize_with = "time::some_millis")]
    pub earliest: Option<i64>,
    /// The first moment at which it was known to have landed.
    #[serde(deserialize_with = "time::millis")]
    pub latest: i64,
    /// How the move looks in the history.
    #[serde(default)]
    pub kind: LandingKind,
    /// When it was applied, by `policy/instance`; absent means not applied there.
    #[serde(default)]
    pub applied: BTreeMap<String, AppliedLine>,
    /// Its commits, oldest first.
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
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "when it was applied, which is an object")]
pub struct AppliedLine {
    /// The last moment at which it was known not to be applied.
    #[serde(deserialize_with = "time::millis")]
    pub earliest: i64,
    /// The first moment at which it was known to be applied.
    #[serde(deserialize_with = "time::millis")]
    pub latest: i64,
    /// When the sync tool first tried.
    #[serde(default, deserialize_with = "time::some_millis")]
    pub attempted: Option<i64>,
    /// When it was rolled out completely; `latest` without it.
    #[serde(default, deserialize_with = "time::some_millis")]
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
    /// It was tried and failed.
    Failed,
    /// The sync tool is paused.
    Paused,
}

/// One commit.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a change, which is an object")]
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
    #[serde(default = "one")]
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
    #[serde(default)]
    pub inverse: InverseLine,
}

/// What undoing a commit comes to.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "what undoing comes to, which is an object", default)]
pub struct InverseLine {
    /// Whether it applies.
    pub status: InverseStatus,
    /// Whether it was found by putting entries back.
    pub exact: bool,
    /// How much care it needs.
    pub grade: Grade,
    /// How many Kubernetes objects it changes.
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
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a round, which is an object")]
pub struct RoundLine {
    /// Which policy.
    pub policy: PolicyName,
    /// Which of its SLOs.
    pub slo: String,
    /// Where.
    #[serde(default = "default_instance")]
    pub instance: String,
    /// Its start.
    #[serde(deserialize_with = "time::millis")]
    pub start: i64,
    /// Its end.
    #[serde(deserialize_with = "time::millis")]
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
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a round of a control, which is an object")]
pub struct ControlLine {
    /// Which one.
    #[serde(default = "control")]
    pub name: String,
    /// Its start.
    #[serde(deserialize_with = "time::millis")]
    pub start: i64,
    /// Its end.
    #[serde(deserialize_with = "time::millis")]
    pub end: i64,
    /// Whether it answered; null for Unknown.
    #[serde(deserialize_with = "nullable")]
    pub good: Option<bool>,
}

/// Something that was done before.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "what was done before, which is an object")]
pub struct HistoryLine {
    /// When.
    #[serde(deserialize_with = "time::millis")]
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
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "what should be decided, which is an object")]
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
        check(&policies, &observed)?;
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
    let places: Vec<load::Place<'_>> = parsed.iter().flat_map(super::policies_of).collect();
    let (_, policies) = load::judge(None, &places, &mut list);
    if let Some(error) = list.iter().find(|diagnostic| diagnostic.is_error()) {
        let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
        return Err(InvalidCase(format!("{}: {}{hint}", error.file, error.message)));
    }
    if policies.len() != texts.len() {
        return Err(InvalidCase("each entry of `policies` is one RevertPolicy object".to_owned()));
    }
    Ok(policies)
}

fn check(policies: &[Policy], observed: &Observed) -> Result<(), InvalidCase> {
    let wrong = |text: &str| Err(InvalidCase(text.to_owned()));
    check_rounds(policies, &observed.rounds)?;
    if let Some(number) = observed.controls.iter().position(|control| control.end < control.start) {
        return wrong(&format!("controls[{number}]: a round of the control `{}` ends before it starts", observed.controls[number].name));
    }
    if policies.windows(2).any(|pair| pair[0].repository != pair[1].repository) {
        return wrong("the policies of one incident watch one repository");
    }
    if observed.landings.windows(2).any(|pair| pair[0].branch != pair[1].branch) {
        return wrong("the landings of one incident are of one branch");
    }
    for (number, landing) in observed.landings.iter().enumerate() {
        check_landing(policies, landing).map_err(|InvalidCase(text)| InvalidCase(format!("landings[{number}]: {text}")))?;
    }
    for (number, past) in observed.history.iter().enumerate() {
        for name in &past.policies {
            named(policies, name).map_err(|InvalidCase(text)| InvalidCase(format!("history[{number}]: {text}")))?;
        }
    }
    Ok(())
}

fn named<'a>(policies: &'a [Policy], name: &PolicyName) -> Result<&'a Policy, InvalidCase> {
    policies.iter().find(|policy| policy.name == *name).ok_or_else(|| InvalidCase(format!("there is no policy `{name}`")))
}

fn check_rounds(policies: &[Policy], rounds: &[RoundLine]) -> Result<(), InvalidCase> {
    let mut ends = std::collections::HashSet::new();
    for (number, round) in rounds.iter().enumerate() {
        let place = |InvalidCase(text): InvalidCase| InvalidCase(format!("rounds[{number}]: {text}"));
        let policy = named(policies, &round.policy).map_err(place)?;
        if !policy.measured().any(|slo| slo.name.as_str() == round.slo) {
            return Err(place(InvalidCase(format!("the policy `{}` has no SLO `{}`", policy.name, round.slo))));
        }
        if !policy.instances.iter().any(|instance| instance.name.as_str() == round.instance) {
            return Err(place(InvalidCase(format!("the policy `{}` has no instance `{}`", policy.name, round.instance))));
        }
        check_round(round).map_err(place)?;
        if !ends.insert((&round.policy, &round.slo, &round.instance, round.end)) {
            return Err(place(InvalidCase(format!("another round of `{}` `{}` ends at {} as well", round.policy, round.slo, round.end))));
        }
    }
    Ok(())
}

fn check_landing(policies: &[Policy], landing: &LandingLine) -> Result<(), InvalidCase> {
    let wrong = |text: String| Err(InvalidCase(text));
    if let Some(earliest) = landing.earliest.filter(|earliest| *earliest > landing.latest) {
        return wrong(format!("`earliest` {earliest} is after `latest` {}", landing.latest));
    }
    for (key, applied) in &landing.applied {
        let known = key.split_once('/').is_some_and(|(name, instance)| {
            policies.iter().any(|policy| policy.name.as_str() == name && policy.instances.iter().any(|at| at.name.as_str() == instance))
        });
        if !known {
            return wrong(format!("`applied` is by `policy/instance`, and there is no `{key}`"));
        }
        if applied.earliest > applied.latest {
            return wrong(format!("`applied` of `{key}`: `earliest` {} is after `latest` {}", applied.earliest, applied.latest));
        }
    }
    for name in landing.changes.iter().flat_map(|change| &change.services) {
        named(policies, name)?;
    }
    Ok(())
}

/// Prometheus extrapolates both counts on its own, so that the good ones may come out a little higher.
const EXTRAPOLATED: f64 = 1.05;

fn check_round(round: &RoundLine) -> Result<(), InvalidCase> {
    let place = || format!("the round of `{}` `{}` that ends at {}", round.policy, round.slo, round.end);
    if round.end < round.start {
        return Err(InvalidCase(format!("{} ends before it starts", place())));
    }
    let fits = match (&round.good, &round.value) {
        (Some(None), None) | (None, Some(_)) => round.total.is_none(),
        (Some(Some(Good::Whole(_))), None) => round.total.is_none(),
        (Some(Some(Good::Events(good))), None) => *good >= 0.0 && round.total.is_some_and(|total| total >= 0.0),
        _ => false,
    };
    if !fits {
        let message = "has neither `good` (true, false, null), nor `good` and `total` (events from 0), nor `value`";
        return Err(InvalidCase(format!("{} {message}", place())));
    }
    if let (Some(Some(Good::Events(good))), Some(total)) = (round.good, round.total)
        && good > total * EXTRAPOLATED + 1.0
    {
        return Err(InvalidCase(format!("{} has more good events ({good}) than events ({total})", place())));
    }
    let known = matches!((&round.good, &round.value), (Some(Some(_)), _) | (_, Some(Some(_))));
    if known && round.why.is_some() {
        return Err(InvalidCase(format!("{} is known and has a `why`", place())));
    }
    Ok(())
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
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Case, InvalidCase> {
        CaseReader::default().read(line)
    }

    const POLICY: &str = r#"{"apiVersion":"revertd.dev/v1alpha1","kind":"RevertPolicy","metadata":{"name":"a"},"spec":{"repository":"m","paths":["a/**"],"sync":{"source":"none of yours"},"slos":[{"name":"up","indicator":{"http":{"url":"http://a/","unreachable":"unknown"}}}]}}"#;

    fn case(rest: &str) -> Result<Case, InvalidCase> {
        read(&format!(r#"{{"id":"x","now":1000,"policies":[{POLICY}]{rest}}}"#))
    }

    #[test]
    fn a_policy_is_read_as_an_agent_reads_it_and_its_sync_is_ignored() {
        let case = case("").unwrap();
        assert_eq!(case.policies.len(), 1);
        assert_eq!(case.policies[0].name, PolicyName::new("a"));
    }

    #[test]
    fn a_null_is_unknown_and_an_absent_key_is_a_mistake() {
        let round = |rest: &str| case(&format!(r#","rounds":[{{"policy":"a","slo":"up","start":0,"end":10{rest}}}]"#));
        assert_eq!(round(r#","good":null"#).unwrap().observed.rounds[0].good, Some(None));
        assert_eq!(round(r#","good":3,"total":4"#).unwrap().observed.rounds[0].good, Some(Some(Good::Events(3.0))));
        for wrong in
            ["", r#","good":3"#, r#","good":true,"total":1"#, r#","good":true,"value":1"#, r#","good":true,"why":"stale""#, r#","god":1"#]
        {
            assert!(round(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        let message = |rest: &str| case(rest).unwrap_err().to_string();
        assert!(message(r#","rounds":[{"policy":"b","slo":"up","start":0,"end":1,"good":true}]"#).contains("no policy `b`"));
        assert!(message(r#","rounds":[{"policy":"a","slo":"down","start":0,"end":1,"good":true}]"#).contains("no SLO `down`"));
        assert!(
            message(r#","rounds":[{"policy":"a","slo":"up","instance":"eu","start":0,"end":1,"good":true}]"#).contains("no instance `eu`")
        );
        assert!(message(r#","controls":[{"start":2,"end":1,"good":true}]"#).contains("ends before it starts"));
        assert!(read(r#"{"id":"x","now":1,"policies":[{"kind":"Agent"}]}"#).is_err());
        assert!(read("nonsense").is_err());
    }

    #[test]
    fn a_mistake_is_named_with_its_place_and_in_words() {
        let message = |rest: &str| case(rest).unwrap_err().to_string();
        let begins = |rest: &str, sentence: &str| assert!(message(rest).starts_with(sentence), "{}", message(rest));
        let landing = |rest: &str| format!(r#","landings":[{{"branch":"main","earliest":1,"latest":2,"changes":[]{rest}}}]"#);
        begins(
            r#","rounds":[{"policy":"a","slo":"up","start":"5","end":1,"good":true}]"#,
            "`rounds[0].start`: invalid type: string \"5\", expected a time in whole Unix milliseconds",
        );
        begins(
            r#","rounds":[{"policy":"a","slo":"up","start":0,"end":1,"good":"yes"}]"#,
            "`rounds[0].good`: it is true, false, null or a number",
        );
        begins(r#","rounds":[5]"#, "`rounds[0]`: invalid type: integer `5`, expected a round, which is an object");
        begins(
            r#","rounds":[{"policy":"a","slo":"up","start":0,"end":1,"good":10,"total":5}]"#,
            "rounds[0]: the round of `a` `up` that ends at 1 has more good",
        );
        begins(&landing(r#","kind":"odd""#), "`landings[0].kind`: unknown value `odd`, expected one of `normal`");
        begins(
            &landing(r#","applied":{"a/default":{"earliest":9,"latest":3}}"#),
            "landings[0]: `applied` of `a/default`: `earliest` 9 is after",
        );
        begins(
            &landing(r#","applied":{"a/mars":{"earliest":1,"latest":3}}"#),
            "landings[0]: `applied` is by `policy/instance`, and there is no `a/mars`",
        );
        assert_eq!(read(r#"["x",5,[],[],[]]"#).unwrap_err().to_string(), "a line is an object, and this is a list");
        assert!(read("5").unwrap_err().to_string().contains("expected an incident, which is an object"));
        assert!(read(r#"{"id":"x""#).unwrap_err().to_string().starts_with("the JSON ends too early"));
    }

    #[test]
    fn a_time_is_whole_milliseconds_of_years_that_there_are() {
        let now = |text: &str| read(&format!(r#"{{"id":"x","now":{text},"policies":[{POLICY}]}}"#)).map(|case| case.now);
        assert_eq!(now("1760000900000.0"), Ok(1_760_000_900_000), "an integer for JSON Schema");
        for wrong in ["-1", "1.5", "253402300800000", "18446744073709551616", "1e300", "null", "\"5\""] {
            assert!(now(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn prometheus_may_count_a_little_more_good_ones_than_all() {
        assert!(case(r#","rounds":[{"policy":"a","slo":"up","start":0,"end":1,"good":1001.7,"total":1000}]"#).is_ok());
    }
}
