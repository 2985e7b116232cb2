//! Incidents as text, for `explain`, `incidents` and `status`.

use std::time::Duration;

use super::neutral::flat;
use crate::engine::attribution::Standing;
use crate::engine::fact::LandedBy;
use crate::engine::incident::{Durations, Incident, LandedRevert};
use crate::engine::time::spoken;

/// The story of one incident with the arithmetic and the gates that said no.
pub fn story(incident: &Incident) -> String {
    let mut lines =
        vec![format!("{}: {} in `{}`, {}", incident.id, incident.policy, incident.repository, incident.phase.words()), String::new()];
    lines.push(format!("breach     began {}, seen at {}", incident.onset, incident.detected_at));
    lines.extend(incident.arithmetic.iter().map(|sentence| format!("           {}", flat(sentence))));
    if let Some(attribution) = &incident.attribution {
        for candidate in &attribution.candidates {
            let standing = match candidate.standing {
                Standing::Suspect => "suspect   ",
                Standing::AlsoPossible => "possible  ",
                Standing::RuledOut => "ruled out ",
                Standing::Unmapped => "unmapped  ",
            };
            lines.push(format!("{standing} {} \"{}\": {}", candidate.commit.short(), flat(&candidate.subject), flat(&candidate.because)));
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
