//! A revert is effective when it is so in every instance (design §13): what became of it elsewhere joins the verdict where the breach was.

use super::{Recovery, RecoveryStanding};

/// What became of the revert in one other instance of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Which, for a sentence: `` `us` (cluster `us-1`) ``.
    pub place: String,
    /// How the recovery would stand there.
    pub recovery: Recovery,
    /// What stands in the way there, a sentence, where something does.
    pub hindrance: Option<String>,
}

/// The verdict of the instance that breached, or that the revert is not effective in all others yet, which names the first that still runs the
/// other version. Nothing is judged before: the same service may answer from there.
pub fn everywhere(own: Recovery, others: &[Elsewhere]) -> Recovery {
    let waits = |recovery: &Recovery| matches!(recovery.standing, RecoveryStanding::Landed | RecoveryStanding::NotEffective);
    if own.standing == RecoveryStanding::NotEffective {
        return own;
    }
    let hindered = others.iter().filter(|other| waits(&other.recovery)).find_map(|other| Some((other, other.hindrance.as_ref()?)));
    if let Some((other, hindrance)) = hindered {
        let sentence = format!("{} still runs the other version: {hindrance}", other.place);
        return Recovery { standing: RecoveryStanding::NotEffective, sentence, ..own };
    }
    match others.iter().find(|other| waits(&other.recovery)) {
        Some(other) if !waits(&own) => {
            let sentence = format!("in {}, {}", other.place, other.recovery.sentence);
            Recovery { standing: RecoveryStanding::Landed, sentence, ..own }
        }
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::{Interval, Timestamp};

    fn recovery(standing: RecoveryStanding, sentence: &str) -> Recovery {
        let at = Timestamp::from_secs(10);
        Recovery { standing, effective: Interval::new(at, at), sentence: sentence.into(), unpassed: None }
    }

    fn other(place: &str, standing: RecoveryStanding, hindrance: Option<&str>) -> Elsewhere {
        Elsewhere { place: place.into(), recovery: recovery(standing, "it is on its way"), hindrance: hindrance.map(str::to_owned) }
    }

    #[test]
    fn nothing_is_judged_before_it_is_effective_everywhere() {
        let healthy = || recovery(RecoveryStanding::Recovered, "healthy");
        let done = other("`eu`", RecoveryStanding::Watching, None);
        assert_eq!(everywhere(healthy(), std::slice::from_ref(&done)), healthy());
        let found = everywhere(healthy(), &[done.clone(), other("`us`", RecoveryStanding::Landed, None)]);
        assert_eq!((found.standing, found.sentence.as_str()), (RecoveryStanding::Landed, "in `us`, it is on its way"));
        let stuck = other("`ap`", RecoveryStanding::Landed, Some("automatic sync is off"));
        let found = everywhere(healthy(), &[done, other("`us`", RecoveryStanding::Landed, None), stuck]);
        assert_eq!(found.standing, RecoveryStanding::NotEffective);
        assert_eq!(found.sentence, "`ap` still runs the other version: automatic sync is off");
    }

    #[test]
    fn what_hindered_it_and_is_over_hinders_no_more() {
        let over = other("`us`", RecoveryStanding::Recovered, Some("automatic sync was off"));
        let healthy = recovery(RecoveryStanding::Recovered, "healthy");
        assert_eq!(everywhere(healthy.clone(), &[over]), healthy);
    }
}
