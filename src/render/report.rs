//! Incidents as text, for `explain`, `incidents` and `status`.

use std::time::Duration;

use super::neutral::flat;
use crate::engine::afterwards;
use crate::engine::attribution::Standing;
use crate::engine::broken_sync::Broke;
use crate::engine::fact::LandedBy;
use crate::engine::id::PolicyName;
use crate::engine::incident::{Durations, Incident, LandedRevert, State};
use crate::engine::time::spoken;

/// The story of one incident with the arithmetic and the gates that said no.
pub fn story(incident: &Incident) -> String {
    let mut lines =
        vec![format!("{}: {} in `{}`, {}", incident.id, incident.service(), incident.repository, incident.phase.words()), String::new()];
    let what = match incident.broke() {
        Broke::Objectives => "breach     began",
        Broke::Sync => "sync       fails since",
    };
    lines.push(format!("{what} {}, seen at {}", incident.onset, incident.detected_at));
    lines.extend(incident.arithmetic.iter().map(|sentence| format!("           {}", flat(sentence))));
    if let Some(attribution) = &incident.attribution {
        for candidate in &attribution.candidates {
            let standing = match candidate.standing {
                Standing::Suspect => "suspect   ",
                Standing::AlsoPossible => "possible  ",
                Standing::RuledOut => "ruled out ",
                Standing::Unmapped => "unmapped  ",
            };
            lines.push(format!("{standing} {} \"{}\": {}", candidate.commit.short(), flat(&candidate.subject), flat(&candidate.words())));
        }
        if attribution.suspects.is_empty() {
            lines.push("suspect    none of the changes".to_owned());
        }
    }
    if let Some(decision) = &incident.decision {
        lines.push(format!("decision   {}", flat(&decision.sentence)));
        lines.extend(decision.refusals.iter().map(|refusal| format!("gate       {}: {}", refusal.code.label(), flat(&refusal.sentence))));
    }
    if let Some(key) = &incident.proposal {
        lines.push(format!("proposal   revertd/{key}"));
    }
    if let Some(landed) = &incident.landed {
        lines.push(format!("landed     {} {}, {}", landed.commit, landed.landed, flat(&landed_by(landed))));
    }
    if let Some(recovery) = &incident.recovery {
        lines.push(format!("recovery   {}", flat(&recovery.sentence)));
    }
    if let (Some(note), None) = (&incident.sync, &incident.ending) {
        lines.push(format!("sync       {}", flat(&note.sentence(&incident.instance))));
    }
    lines.extend(incident.spending.iter().map(|spending| format!("budget     {}", flat(&spending.sentence))));
    if let (Some(sentence), Some(at)) = (&incident.sentence, incident.ended_at) {
        lines.push(format!("ended      {} at {at}: {}", incident.phase.words(), flat(sentence)));
    }
    let timing = timing(&incident.durations());
    if !timing.is_empty() {
        lines.push(format!("timing     {timing}"));
    }
    lines.join("\n")
}

/// What came after an incident: how its breach ended, whether its revert had been in vain, and who asked for the change to come back.
pub fn aftermath(state: &State, incident: &Incident) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(end) = afterwards::breach_end(state, incident) {
        let by = end.by.map(|commit| format!(" ({})", commit.short())).unwrap_or_default();
        lines.push(format!("breach     ended {}{by}, seen at {}", end.ending.words(), end.at));
    }
    let Some(proposal) = incident.proposal.as_ref().and_then(|key| state.proposals.get(key)) else { return lines };
    if let Some(found) = state.aftermath.false_revert(&proposal.key) {
        lines.push(format!("false      the revert changed nothing, judged at {}; it counts against {}", found.at, names(&found.policies)));
    }
    if let Some(reland) = state.aftermath.reland(&proposal.key) {
        lines.push(format!("reland     {} asked for it at {}: {}", flat(&reland.by), reland.at, flat(&reland.reason)));
    }
    let back = proposal.plan.as_ref().filter(|_| !proposal.brings_back()).map(afterwards::key_of_return);
    if let Some(back) = back.and_then(|key| state.proposals.get(&key)) {
        let standing = match (back.landed, &back.closing) {
            (Some(commit), _) => format!("landed as {commit}"),
            (None, Some(_)) => "was closed".to_owned(),
            (None, None) => "waits for an approval".to_owned(),
        };
        lines.push(format!("back       revertd/{} brings the change back; it {standing}", back.key));
    }
    lines
}

fn names(policies: &[PolicyName]) -> String {
    policies.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn took(duration: Duration) -> String {
    if duration.is_zero() { "at once".to_owned() } else { spoken(duration) }
}

/// Who brought a revert, and who allowed it: `merged by revertd, approved by robin`. The names are untrusted.
pub fn landed_by(landed: &LandedRevert) -> String {
    match (landed.by, landed.approved_by.as_slice()) {
        (LandedBy::Revertd, []) => "merged by revertd".to_owned(),
        (LandedBy::Revertd, names) => format!("merged by revertd, approved by {}", names.join(" and ")),
        (LandedBy::Person, _) => "merged by a person".to_owned(),
        (LandedBy::HumanRevert, _) => "a person's own revert".to_owned(),
    }
}

/// `detect 6s, decide 100ms, act 200ms, verify 5s`, as far as it got.
pub fn timing(durations: &Durations) -> String {
    [("detect", durations.detect), ("decide", durations.decide), ("act", durations.act), ("verify", durations.verify)]
        .into_iter()
        .filter_map(|(name, duration)| duration.map(|duration| format!("{name} {}", took(duration))))
        .collect::<Vec<_>>()
        .join(", ")
}
