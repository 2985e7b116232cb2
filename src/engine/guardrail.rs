//! The two gates (design §8): each guardrail is a small function that returns a refusal with the limit and the current figure.
//!
//! Here are the refusals themselves, the switches that hold for every gate, and what both gates count with.

mod ask;
mod beginning;
mod care;
mod climb;
mod codes;
mod corroboration;
mod fix;
mod growth;
mod instances;
mod lines;
mod load;
mod lost;
mod merge;
mod propose;
mod protect;
mod sync;
mod uncertain;
mod usual;
mod waiting;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::ask::asked;
pub use self::care::may_need_render;
pub use self::codes::{Automation, MadeBy, OnBrokenSync, RefusalCode, Row, UnderApproval};
pub use self::fix::fix_under_way;
pub use self::lines::ALL;
pub use self::merge::consent_grade;
pub use self::propose::{effective_mode, propose_budget};
pub use self::sync::{may_merge, may_propose};
pub use self::waiting::{is_up_to_rounds, waits_for_rounds};
use super::attribution::Attribution;
use super::change::Change;
use super::fact::ProposalClosing;
use super::landing::Landing;
use super::plan::CleanInverse;
use super::policy::Limit;
use super::situation::{Situation, WorkKind};
use super::time::{Timestamp, spoken};

/// Why not. The same value goes to the comment, the metric, the journal and `explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Which guardrail.
    pub code: RefusalCode,
    /// One full sentence with the limit and the current figure.
    pub sentence: String,
}

/// A refusal with its code.
fn refuse(code: RefusalCode, sentence: impl Into<String>) -> Refusal {
    Refusal { code, sentence: sentence.into() }
}

/// Stops, pauses, and what people did to the proposal.
pub fn switches(situation: &Situation) -> Vec<Refusal> {
    let policy = &situation.service.policy;
    let mut refusals = Vec::new();
    if let Some(stop) = &situation.stop {
        refusals.push(refuse(RefusalCode::RepositoryStopped, stop.sentence(&policy.repository, &situation.branch)));
    }
    refusals.extend(situation.kill_switches.iter().map(|switch| refuse(RefusalCode::KillSwitch, switch.sentence.as_str())));
    for pause in situation.pauses.iter().filter(|pause| pause.until > situation.now) {
        refusals.push(refuse(
            RefusalCode::Paused,
            format!("{} paused reverting until {}: {}.", pause.by, pause.until, pause.reason.trim_end_matches('.')),
        ));
    }
    match situation.proposal.as_ref().and_then(|proposal| proposal.closing.as_ref()) {
        Some(ProposalClosing::Vetoed) => {
            refusals.push(refuse(
                RefusalCode::Vetoed,
                "Somebody closed the proposal or deleted its branch; that is a veto, and it is not proposed again.",
            ));
        }
        Some(ProposalClosing::Disowned { head }) => refusals.push(refuse(
            RefusalCode::Disowned,
            format!("The proposal's branch holds {head}, which revertd did not write; the proposal now belongs to whoever pushed that."),
        )),
        Some(ProposalClosing::Withdrawn | ProposalClosing::Superseded) | None => {}
    }
    refusals
}

/// How long nothing is merged while somebody has a change of the same paths open: time for them to land it, or to hold ours.
const FIX_AWAITED: Duration = Duration::from_secs(600);

/// Somebody's own revert is open: theirs is supported, and none is opened beside it.
pub fn open_revert(situation: &Situation) -> Option<Refusal> {
    let theirs = situation.open_work.iter().find(|work| work.kind == WorkKind::Revert)?;
    Some(refuse(RefusalCode::OpenRevert, format!("{} has opened a revert in #{}; revertd opens none beside it.", theirs.by, theirs.number)))
}

/// Somebody works on the same paths: it is named, and merging waits for ten minutes. An approval was perhaps given before it was seen.
pub fn open_fix(situation: &Situation) -> Option<Refusal> {
    let work = situation.open_work.iter().find(|work| situation.now < work.seen + FIX_AWAITED)?;
    let what = match work.kind {
        WorkKind::Revert => "a revert of their own",
        WorkKind::SamePaths => "a change of the same files",
    };
    Some(refuse(
        RefusalCode::OpenFix,
        format!(
            "{} has {what} open in #{}, seen at {}; nothing is merged before {}.",
            work.by,
            work.number,
            work.seen,
            work.seen + FIX_AWAITED
        ),
    ))
}

/// Somebody holds the proposal. No approval lifts it: the holder or an approver resumes.
pub fn held(situation: &Situation) -> Option<Refusal> {
    let hold = situation.proposal.as_ref()?.holds.first()?;
    Some(refuse(
        RefusalCode::Held,
        format!("{} put the proposal on hold at {}; nothing is merged until it is resumed.", hold.login, hold.at),
    ))
}

/// Pushes for the proposal failed, and it is too early for the next one.
pub fn push_failed(situation: &Situation) -> Option<Refusal> {
    let failed = situation.proposal.as_ref()?.failed.as_ref()?;
    (situation.now < failed.retry_at()).then(|| {
        refuse(
            RefusalCode::PushFailed,
            format!("{} pushes in a row failed ({}); the next one is tried at {}.", failed.count, failed.why, failed.retry_at()),
        )
    })
}

/// Where the forge has to make the commit so that it is signed, what it cannot write: it makes regular files only, and what landed would not be
/// the plan (promise 5).
pub fn unsignable(situation: &Situation, inverse: &CleanInverse) -> Option<Refusal> {
    if situation.signing.is_own() {
        return None;
    }
    let why = inverse.paths.iter().find_map(|path| path.as_regular_file().err())?;
    let begin = format!("`{}` asks for signed commits, and without a `signingKeyFile` the forge has to make them", situation.branch);
    Some(refuse(
        RefusalCode::Unsignable,
        format!("{begin}; it cannot make this one: {why}. With a `signingKeyFile` revertd can propose it; else a person has to revert it."),
    ))
}

/// The landings and changes of the suspects, newest first.
fn suspects<'a>(situation: &'a Situation, attribution: &Attribution) -> Vec<(&'a Landing, &'a Change)> {
    attribution
        .suspects
        .iter()
        .filter_map(|id| {
            let landing = situation.landing_of(*id)?;
            Some((landing, landing.changes.iter().find(|change| change.id == *id)?))
        })
        .collect()
}

fn over(code: RefusalCode, what: &str, limits: &[Limit], times: &[Timestamp], now: Timestamp) -> Vec<Refusal> {
    limits
        .iter()
        .filter_map(|limit| {
            // A time in the future, after a clock step, counts as now: it never makes room.
            let used = times.iter().filter(|at| now.since(**at) < limit.per).count();
            (used >= limit.count as usize)
                .then(|| refuse(code, format!("{used} {what} in the last {} (limit {}).", spoken(limit.per), limit.count)))
        })
        .collect()
}

#[cfg(test)]
mod tests;
