//! Whether somebody is mending it already (G10): a human fix-forward ends the automation, and one that has landed needs time to show.

use std::time::Duration;

use super::{FIX_AWAITED, suspects};
use crate::engine::attribution::{Attribution, applied};
use crate::engine::change::{Change, Meaning};
use crate::engine::landing::Landing;
use crate::engine::situation::Situation;
use crate::engine::time::spoken;

/// Why to wait: a change of the service that touches the suspects' files can have landed after the breach began, and has not been applied for
/// as long as `settle`. It is waited for ten minutes from when it landed at most, as for a fix that is only open. If the breach goes on after that it was no fix.
pub fn fix_under_way(situation: &Situation, attribution: &Attribution) -> Option<String> {
    let settle = situation.service.policy.revert.settle;
    let files: Vec<&str> = suspects(situation, attribution).iter().flat_map(|(_, change)| paths(change)).collect();
    let is_fix = |change: &&Change| change.touches(&situation.service.policy) && paths(change).any(|path| files.contains(&path));
    situation.landings_since_suspected(attribution).skip(1).filter(|landing| landing.landed.by > attribution.onset.earliest()).find_map(
        |landing| {
            let fix = landing.changes.iter().find(is_fix)?;
            (!had_its_time(situation, landing, settle)).then(|| {
                format!(
                    "{} changed the same files since the breach began; it is waited until it has been applied for {}.",
                    fix.id.short(),
                    spoken(settle)
                )
            })
        },
    )
}

fn paths(change: &Change) -> impl Iterator<Item = &str> {
    change.paths.iter().filter(|path| path.meaning == Meaning::Changed).map(|path| path.path.as_str())
}

fn had_its_time(situation: &Situation, landing: &Landing, settle: Duration) -> bool {
    let over = applied(&situation.service, landing).is_some_and(|applied| applied.by + settle <= situation.now);
    over || landing.landed.by + FIX_AWAITED <= situation.now
}
