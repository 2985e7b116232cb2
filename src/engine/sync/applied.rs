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

impl Followed {
    /// What a decision is made from. A change that was tried and is not applied may be there in part, so that it is not known to be absent.
    pub fn fact(&self) -> AppliedFact {
        if let (Some(first), Some(last)) = (self.stays.first(), self.stays.last()) {
            return AppliedFact::At { applied: first.applied, left: last.left };
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

    #[test]
    fn what_was_tried_may_be_there_in_part() {
        let tried = Followed { attempted: Some(Interval::new(at(60), at(65))), ..followed() };
        assert!(matches!(tried.fact(), AppliedFact::Unknown { after: Some(after), .. } if after == at(60)));
    }
}
