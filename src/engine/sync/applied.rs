//! What a decision is given of a followed change: since when it is in the cluster, that it is not yet, or that this cannot be told.

use serde::{Deserialize, Serialize};

use super::follow::{Finding, Followed};
use crate::engine::id::CommitId;
use crate::engine::time::{Interval, Timestamp};

/// What is known of when a landing was put into an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AppliedFact {
    /// It was.
    At {
        /// When.
        applied: Interval,
        /// When it was taken out of the cluster, where it is not there any more although Git has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<Interval>,
        /// When it was out of the cluster in between, oldest first. Empty in what was recorded before it was kept.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gaps: Vec<Gap>,
    },
    /// It was not, when that was last said.
    NotYet {
        /// The last moment at which no revision with it had been tried.
        until: Timestamp,
    },
    /// It was tried, and the sync fails of it: something else is applied, and a part of it may be.
    Broke {
        /// It was not there before that, where anything is known.
        after: Option<Timestamp>,
        /// Since when the sync fails; without a beginning where it was never seen to go before.
        since: Interval,
        /// The revision that was tried; `None` where the tool could not even build one.
        tried: Option<CommitId>,
        /// What is applied instead.
        before: CommitId,
        /// What the tool says.
        why: String,
    },
    /// It cannot be told. Unknown narrows nothing but from below: what a source had said before still holds.
    Unknown {
        /// Not before that, where anything is known.
        after: Option<Timestamp>,
        /// Why not, in a few words.
        why: String,
    },
}

/// A time in which a change was not in the cluster, between two in which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// When it was taken out.
    pub left: Interval,
    /// When it was applied again.
    pub again: Interval,
}

// === impl AppliedFact, Followed ===

impl AppliedFact {
    /// That it was applied once, and is there since.
    pub fn at(applied: Interval) -> Self {
        Self::At { applied, left: None, gaps: Vec::new() }
    }

    /// What of it matters for a breach: of a change that was in and out of the cluster, the newest time in it that can have begun before the
    /// breach had.
    pub fn around(self, onset: Interval) -> Self {
        let Self::At { applied, left, gaps } = self else { return self };
        let before = gaps.iter().rposition(|gap| gap.again.earliest() <= onset.by);
        let next = before.map_or(0, |before| before + 1);
        Self::At {
            applied: before.map_or(applied, |before| gaps[before].again),
            left: gaps.get(next).map_or(left, |gap| Some(gap.left)),
            gaps: Vec::new(),
        }
    }
}

impl Followed {
    /// What a decision is made from. A change that was tried and is not applied may be there in part, so that it is not known to be absent.
    pub fn fact(&self) -> AppliedFact {
        if let (Some(first), Some(last)) = (self.stays.first(), self.stays.last()) {
            let pairs = self.stays.iter().zip(self.stays.iter().skip(1));
            let gaps = pairs.filter_map(|(one, next)| Some(Gap { left: one.left?, again: next.applied })).collect();
            return AppliedFact::At { applied: first.applied, left: last.left, gaps };
        }
        let after = self.landed.after.max(self.attempted.and_then(|attempted| attempted.after)).max(self.absent_until);
        if let (Some(Finding::BrokeTheSync { tried, before, why }), Some(since)) = (&self.finding, self.broke) {
            return AppliedFact::Broke { after, since, tried: *tried, before: *before, why: why.clone() };
        }
        match (&self.finding, self.attempted, self.absent_until) {
            (Some(Finding::Unknown { why }), _, _) => AppliedFact::Unknown { after, why: why.clone() },
            (_, None, Some(until)) => AppliedFact::NotYet { until },
            _ => AppliedFact::Unknown { after, why: "the sync tool has not said that it is applied".into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sync::follow::Stay;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    fn followed() -> Followed {
        Followed {
            landed: Interval::new(at(10), at(20)),
            attempted: None,
            stays: Vec::new(),
            absent_until: Some(at(60)),
            heard_until: Some(at(60)),
            broke: None,
            finding: Some(Finding::Waiting),
        }
    }

    #[test]
    fn a_source_that_went_silent_leaves_only_what_it_had_said() {
        assert_eq!(followed().fact(), AppliedFact::NotYet { until: at(60) });
        let silent = Followed { finding: Some(Finding::Unknown { why: "down".into() }), ..followed() };
        assert_eq!(silent.fact(), AppliedFact::Unknown { after: Some(at(60)), why: "down".into() });
    }

    fn between(after: i64, by: i64) -> Interval {
        Interval::new(at(after), at(by))
    }

    /// Applied at 100, rolled back by hand at 200, applied again at 300.
    fn in_and_out() -> AppliedFact {
        let stay = |applied: i64, left: Option<i64>| Stay {
            applied: between(applied, applied + 10),
            effective: None,
            left: left.map(|left| between(left, left + 10)),
        };
        Followed { stays: vec![stay(100, Some(200)), stay(300, None)], finding: None, ..followed() }.fact()
    }

    #[test]
    fn what_was_taken_out_before_a_breach_and_applied_again_since_was_not_there() {
        let once = |applied: Interval, left: Option<Interval>| AppliedFact::At { applied, left, gaps: Vec::new() };
        assert_eq!(in_and_out().around(between(250, 260)), once(between(100, 110), Some(between(200, 210))));
        assert_eq!(in_and_out().around(between(150, 160)), once(between(100, 110), Some(between(200, 210))));
        assert_eq!(in_and_out().around(between(290, 305)), once(between(300, 310), None), "it may have been there again");
        assert_eq!(in_and_out().around(between(3900, 3910)), once(between(300, 310), None));
        let whole = in_and_out();
        assert!(
            matches!(&whole, AppliedFact::At { applied, left: None, .. } if *applied == between(100, 110)),
            "as a whole it is there: {whole:?}"
        );
    }

    #[test]
    fn what_was_recorded_without_gaps_is_read() {
        let fact = AppliedFact::at(between(100, 110));
        let text = serde_json::to_string(&fact).unwrap();
        assert!(!text.contains("gaps"), "{text}");
        assert_eq!(serde_json::from_str::<AppliedFact>(&text).unwrap(), fact);
    }

    #[test]
    fn what_was_tried_may_be_there_in_part() {
        let tried = Followed { attempted: Some(Interval::new(at(60), at(65))), ..followed() };
        assert!(matches!(tried.fact(), AppliedFact::Unknown { after: Some(after), .. } if after == at(60)));
    }
}
