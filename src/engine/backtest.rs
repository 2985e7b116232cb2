//! What a backtest found, and the arithmetic of its summary (design §14): what would have been done, against what people did.
//!
//! Reverts that people made are the labels. An incident agrees with them when they took back a commit that its plan undoes; it is wrong
//! when they took back another change of the service meanwhile; otherwise nobody reverted for it, and only people know whether they should have.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::human_revert::HumanRevert;
use super::id::{BranchName, CommitId, InstanceName, PolicyName, SloName};
use super::time::Timestamp;

/// Everything that a backtest found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was looked at.
    pub scope: Scope,
    /// The figures.
    pub summary: Summary,
    /// Every incident, in the order of time.
    pub incidents: Vec<Incident>,
    /// Every revert that a person made, in the order of time.
    pub human_reverts: Vec<Label>,
}

/// What a backtest looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Its beginning.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// The branch.
    pub branch: BranchName,
    /// The commits of its first-parent line in that time.
    pub commits: usize,
    /// The reverts among them that revertd made.
    pub reverts_by_revertd: usize,
    /// What was measured.
    pub series: Vec<MeasuredSeries>,
    /// What could not be, because nothing recorded it.
    pub left_out: Vec<LeftOut>,
    /// How landing times were found.
    pub landing_times: &'static str,
}

/// One SLO that was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeasuredSeries {
    /// The policy.
    pub policy: PolicyName,
    /// Where, of a policy that names instances.
    #[serde(skip_serializing_if = "InstanceName::is_default")]
    pub instance: InstanceName,
    /// Its SLO.
    pub slo: SloName,
    /// The rounds of the whole time.
    pub rounds: usize,
    /// Those that the metrics server has a value for.
    pub known: usize,
}

/// One SLO that has no history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The policy.
    pub policy: PolicyName,
    /// Its SLO.
    pub slo: SloName,
}

/// What would have been done about an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Deed {
    /// Nothing.
    None,
    /// A proposal.
    Propose,
    /// A proposal, landed without waiting for anybody.
    Merge,
}

/// One breach of one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// The policy.
    pub policy: PolicyName,
    /// Where, of a policy that names instances.
    #[serde(skip_serializing_if = "InstanceName::is_default")]
    pub instance: InstanceName,
    /// The end of its first bad round.
    pub began: Timestamp,
    /// When it did not breach any more; `None` where it still did at the end.
    pub ended: Option<Timestamp>,
    /// What would have been done.
    pub deed: Deed,
    /// When it would have been proposed.
    pub proposed_at: Option<Timestamp>,
    /// When it would have been merged.
    pub merged_at: Option<Timestamp>,
    /// What the plan undoes, newest first; of an incident without one, what was suspected.
    pub suspects: Vec<Suspect>,
    /// The guardrail that stood first against more.
    pub refusal: Option<String>,
    /// One sentence.
    pub why: String,
    /// Every change of the service that was looked at.
    #[serde(skip)]
    pub candidates: Vec<CommitId>,
    /// What people did; set by [`report`].
    pub people: People,
}

/// A commit that a plan undoes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// The commit.
    pub commit: CommitId,
    /// The first line of its message. Untrusted text.
    pub subject: String,
}

/// What people did about an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "did")]
pub enum People {
    /// They reverted no change that has to do with it.
    #[default]
    Nothing,
    /// They reverted a suspect.
    RevertedSuspect {
        /// Their revert.
        commit: CommitId,
        /// When it landed.
        at: Timestamp,
        /// How much later than the first deed, in milliseconds; `None` where nothing would have been done.
        #[serde(rename = "laterMillis")]
        later: Option<i64>,
    },
    /// They reverted another change of the service, and no suspect.
    RevertedOther {
        /// Their revert.
        commit: CommitId,
        /// When it landed.
        at: Timestamp,
    },
}

/// One revert of a person, and whether revertd would have made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Label {
    /// The revert.
    #[serde(flatten)]
    pub revert: HumanRevert,
    /// Whether it would have been proposed.
    pub found: Found,
    /// Why not, where it would not.
    pub why: Option<String>,
}

/// Whether revertd would have made a revert that a person made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Found {
    /// It would have proposed it.
    Proposed,
    /// There was an incident, and nothing was done.
    Refused,
    /// No service that is measured breached.
    NoBreach,
    /// Its message names no commit of the line.
    Unresolved,
}

/// The figures of a backtest. Incidents that share their suspects are one revert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Breaches, one for each policy.
    pub incidents: usize,
    /// Reverts that would have been proposed, those that were merged among them.
    pub proposed: usize,
    /// Reverts that would have been merged without waiting for anybody.
    pub merged: usize,
    /// Of those proposed, how many people made by hand.
    pub agreed: usize,
    /// Of those proposed, how many stood against another revert by people.
    pub wrong: usize,
    /// Of those proposed, how many nobody made.
    pub nobody: usize,
    /// Of those merged, how many nobody made, or people made another instead.
    pub merged_against_people: usize,
    /// How much sooner than people, as the median of those that agree, in milliseconds; negative where people were sooner.
    pub median_sooner_millis: Option<i64>,
    /// Reverts that people made, as far as their messages say of what.
    pub human_reverts: usize,
    /// Of those, how many would have been proposed.
    pub human_reverts_found: usize,
}

/// Compares incidents with what people reverted. `reverts` are those of the whole line, oldest first; those before `scope.since` count for
/// nothing.
pub fn report(scope: Scope, mut incidents: Vec<Incident>, reverts: Vec<HumanRevert>) -> Report {
    let reverts: Vec<HumanRevert> = reverts.into_iter().filter(|revert| revert.at >= scope.since).collect();
    incidents.sort_by(|one, other| (one.began, &one.policy, &one.instance).cmp(&(other.began, &other.policy, &other.instance)));
    for incident in &mut incidents {
        incident.people = people(incident, &reverts);
    }
    let human_reverts: Vec<Label> = reverts.into_iter().map(|revert| label(revert, &incidents)).collect();
    let summary = summary(&incidents, &human_reverts);
    Report { scope, summary, incidents, human_reverts }
}

/// What people did about one incident. The first revert of a suspect counts, else the first of another candidate while the breach lasted.
fn people(incident: &Incident, reverts: &[HumanRevert]) -> People {
    let suspected = |revert: &&HumanRevert| {
        revert.at >= incident.began && revert.undoes.iter().any(|id| incident.suspects.iter().any(|suspect| suspect.commit == *id))
    };
    if let Some(revert) = reverts.iter().find(suspected) {
        let later = incident.acted_at().map(|at| revert.at.millis().saturating_sub(at.millis()));
        return People::RevertedSuspect { commit: revert.commit, at: revert.at, later };
    }
    let of_service =
        |revert: &&HumanRevert| incident.lasted_at(revert.at) && revert.undoes.iter().any(|id| incident.candidates.contains(id));
    match reverts.iter().find(of_service) {
        Some(revert) => People::RevertedOther { commit: revert.commit, at: revert.at },
        None => People::Nothing,
    }
}

fn label(revert: HumanRevert, incidents: &[Incident]) -> Label {
    let is_of = |incident: &&Incident| revert.undoes.iter().any(|id| incident.candidates.contains(id)) && incident.began <= revert.at;
    let undoes_suspect = |incident: &&Incident| incident.suspects.iter().any(|suspect| revert.undoes.contains(&suspect.commit));
    let of: Vec<&Incident> = incidents.iter().filter(|incident| is_of(incident) || undoes_suspect(incident)).collect();
    let (found, why) = if revert.undoes.is_empty() {
        (Found::Unresolved, Some("Its message names no commit of this branch.".to_owned()))
    } else if of.iter().any(|incident| incident.deed > Deed::None && undoes_suspect(incident) && incident.began <= revert.at) {
        (Found::Proposed, None)
    } else if let Some(incident) = of.iter().rev().find(|incident| incident.lasted_at(revert.at)) {
        (Found::Refused, Some(incident.why.clone()))
    } else {
        (Found::NoBreach, Some("No SLO that was measured breached then.".to_owned()))
    };
    Label { revert, found, why }
}

fn summary(incidents: &[Incident], labels: &[Label]) -> Summary {
    let mut reverts: BTreeMap<Vec<CommitId>, Vec<&Incident>> = BTreeMap::new();
    for incident in incidents.iter().filter(|incident| incident.deed > Deed::None) {
        reverts.entry(incident.suspects.iter().map(|suspect| suspect.commit).collect()).or_default().push(incident);
    }
    let mut summary = Summary {
        incidents: incidents.len(),
        proposed: reverts.len(),
        human_reverts: labels.iter().filter(|label| label.found != Found::Unresolved).count(),
        human_reverts_found: labels.iter().filter(|label| label.found == Found::Proposed).count(),
        ..Summary::default()
    };
    let mut sooner = Vec::new();
    for same in reverts.values() {
        let merged = same.iter().any(|incident| incident.deed == Deed::Merge);
        summary.merged += usize::from(merged);
        // The first of the incidents that share the revert would have made it.
        let first = same
            .iter()
            .filter_map(|incident| match incident.people {
                People::RevertedSuspect { later, .. } => Some(later.unwrap_or(0)),
                _ => None,
            })
            .max();
        if let Some(later) = first {
            summary.agreed += 1;
            sooner.push(later);
            continue;
        }
        summary.merged_against_people += usize::from(merged);
        if same.iter().any(|incident| matches!(incident.people, People::RevertedOther { .. })) {
            summary.wrong += 1;
        } else {
            summary.nobody += 1;
        }
    }
    summary.median_sooner_millis = median(sooner);
    summary
}

/// The middle value; the mean of the two in the middle where there are as many on both sides.
fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *values.get(values.len() / 2 - 1)?;
    Some(lower.midpoint(upper))
}

/// The times over which a range is asked, so that no answer holds more than `points` for each series. Both ends are multiples of `every`
/// where `from` and `to` are; together the parts cover the range once.
pub fn parts(from: Timestamp, to: Timestamp, every: Duration, points: u32) -> Vec<(Timestamp, Timestamp)> {
    let long = every.max(Duration::from_millis(1)) * points.max(1);
    let starts = std::iter::successors(Some(from), |start| Some(*start + long)).take_while(|start| *start < to);
    starts.map(|start| (start, (start + long).min(to))).collect()
}

impl Incident {
    /// When the first thing would have been done.
    pub fn acted_at(&self) -> Option<Timestamp> {
        self.proposed_at.into_iter().chain(self.merged_at).min()
    }

    fn lasted_at(&self, at: Timestamp) -> bool {
        self.began <= at && self.ended.is_none_or(|ended| at <= ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> CommitId {
        CommitId([byte; 20])
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_secs(minute * 60)
    }

    fn scope() -> Scope {
        Scope {
            since: at(0),
            until: at(1000),
            branch: BranchName::new("main"),
            commits: 0,
            reverts_by_revertd: 0,
            series: Vec::new(),
            left_out: Vec::new(),
            landing_times: "commitDates",
        }
    }

    /// An incident from a minute to half an hour later, acted on two minutes after its beginning.
    fn incident(policy: &str, began: i64, deed: Deed, suspects: &[u8]) -> Incident {
        Incident {
            policy: PolicyName::new(policy),
            instance: InstanceName::default_instance(),
            began: at(began),
            ended: Some(at(began + 30)),
            deed,
            proposed_at: (deed > Deed::None).then(|| at(began + 2)),
            merged_at: (deed == Deed::Merge).then(|| at(began + 4)),
            suspects: suspects.iter().map(|byte| Suspect { commit: id(*byte), subject: String::new() }).collect(),
            refusal: None,
            why: "Because.".to_owned(),
            candidates: suspects.iter().map(|byte| id(*byte)).chain([id(99)]).collect(),
            people: People::Nothing,
        }
    }

    fn revert(commit: u8, minute: i64, undoes: &[u8]) -> HumanRevert {
        HumanRevert { commit: id(commit), at: at(minute), author: String::new(), undoes: undoes.iter().map(|byte| id(*byte)).collect() }
    }

    fn found(report: &Report) -> Vec<Found> {
        report.human_reverts.iter().map(|label| label.found).collect()
    }

    #[test]
    fn agreeing_wrong_and_lonely_reverts_are_told_apart() {
        let incidents = vec![
            incident("a", 10, Deed::Merge, &[1]),
            incident("a", 100, Deed::Propose, &[2]),
            incident("a", 200, Deed::Merge, &[3]),
            incident("a", 300, Deed::None, &[]),
        ];
        let report = report(scope(), incidents, vec![revert(11, 35, &[1]), revert(12, 120, &[99])]);
        let expected = Summary {
            incidents: 4,
            proposed: 3,
            merged: 2,
            agreed: 1,
            wrong: 1,
            nobody: 1,
            merged_against_people: 1,
            median_sooner_millis: Some(23 * 60_000),
            human_reverts: 2,
            human_reverts_found: 1,
        };
        assert_eq!(report.summary, expected);
        assert_eq!(report.incidents[0].people, People::RevertedSuspect { commit: id(11), at: at(35), later: Some(23 * 60_000) });
        assert_eq!(report.incidents[1].people, People::RevertedOther { commit: id(12), at: at(120) });
        assert_eq!(found(&report), [Found::Proposed, Found::Refused]);
    }

    #[test]
    fn incidents_of_one_revert_are_one_and_the_quickest_of_them_made_it() {
        let mut slow = incident("b", 12, Deed::Propose, &[1]);
        slow.policy = PolicyName::new("b");
        let report = report(scope(), vec![incident("a", 10, Deed::Merge, &[1]), slow], vec![revert(11, 22, &[1])]);
        assert_eq!((report.summary.incidents, report.summary.proposed, report.summary.merged, report.summary.agreed), (2, 1, 1, 1));
        assert_eq!(report.summary.median_sooner_millis, Some(10 * 60_000));
    }

    #[test]
    fn a_revert_that_was_missed_says_why() {
        let reverts = vec![revert(11, 5, &[7]), revert(12, 20, &[99]), revert(13, 40, &[]), revert(14, -5, &[1])];
        let report = report(scope(), vec![incident("a", 10, Deed::None, &[])], reverts);
        assert_eq!(found(&report), [Found::NoBreach, Found::Refused, Found::Unresolved]);
        assert_eq!(report.human_reverts[1].why.as_deref(), Some("Because."));
        assert_eq!((report.summary.human_reverts, report.summary.human_reverts_found), (2, 0));
    }

    #[test]
    fn a_revert_from_before_the_breach_agrees_with_nothing() {
        let report = report(scope(), vec![incident("a", 10, Deed::Propose, &[1])], vec![revert(11, 5, &[1])]);
        assert_eq!((report.summary.agreed, report.summary.nobody, report.summary.human_reverts_found), (0, 1, 0));
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(Vec::new()), None);
        assert_eq!(median(vec![5, -1, 3]), Some(3));
        assert_eq!(median(vec![1, 4, 10, 2]), Some(3));
    }

    #[test]
    fn the_parts_of_a_range_cover_it_once_and_none_is_too_long() {
        let every = Duration::from_secs(30);
        for length in [30, 90, 30 * 11_000, 30 * 11_001, 90 * 24 * 3600] {
            let (from, to) = (Timestamp::from_secs(600), Timestamp::from_secs(600 + length));
            let parts = parts(from, to, every, 5_000);
            assert_eq!((parts.first().map(|part| part.0), parts.last().map(|part| part.1)), (Some(from), Some(to)));
            assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0));
            assert!(parts.iter().all(|(start, end)| start < end && end.since(*start).as_secs() / 30 <= 5_000));
        }
        assert!(parts(at(5), at(5), every, 10).is_empty());
    }
}
