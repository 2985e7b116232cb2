//! The two gates (design §8): each guardrail is a small function that returns a refusal with the limit and the current figure.
//!
//! Here are the refusals themselves, the switches that hold for every gate, and what both gates count with.

mod ask;
mod beginning;
mod care;
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

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::ask::asked;
pub use self::care::may_need_render;
pub use self::fix::fix_under_way;
pub use self::growth::is_still_open;
pub use self::lines::ALL;
pub use self::merge::consent_grade;
pub use self::propose::{effective_mode, propose_budget};
pub use self::sync::{may_merge, may_propose};
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

/// Which guardrail refused; a closed list. Its camelCase name is the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RefusalCode {
    /// The branch was rewritten or deleted, or what landed was not the plan.
    RepositoryStopped,
    /// A kill switch is on, or cannot be read.
    KillSwitch,
    /// A person paused reverting.
    Paused,
    /// The mode, or a ceiling, is `observe`.
    ModeObserve,
    /// The controls did not answer: the agent is the one that is cut off (E3).
    ControlsFailing,
    /// Services that no candidate touches breach too (E4).
    SharedFate,
    /// A service that the breaching one needs fails as well.
    DependencyFails,
    /// No healthy baseline stood before the change (E5).
    NoBaseline,
    /// A bad round was seen before the change can have been applied (E5).
    BreachBeforeChange,
    /// No candidate touches the service and can have done it.
    NoSuspect,
    /// The suspect is a revert by revertd.
    OwnRevert,
    /// The suspect asks for no automatic revert.
    OptedOut,
    /// The suspect is by somebody, or changes a path, that the policy keeps from being reverted.
    Irrevertible,
    /// The suspect is too old to be proposed.
    TooOldToPropose,
    /// The propose budget is used up.
    ProposeBudget,
    /// Undoing it conflicts.
    Conflict,
    /// It is undone already.
    AlreadyUndone,
    /// Somebody deleted the proposal's branch.
    Vetoed,
    /// Somebody else's commit is on the proposal's branch.
    Disowned,
    /// The inverse could not be built.
    InverseFailed,
    /// Somebody has a revert of their own open on the forge.
    OpenRevert,
    /// Somebody has a change of the same paths open on the forge, and it is not ten minutes since that was seen.
    OpenFix,
    /// Somebody holds the proposal.
    Held,
    /// Pushes failed, and it is too early for the next one.
    PushFailed,
    /// The remote does not let revertd push the watched branch.
    MergeRejected,
    /// The branch asks for signatures, revertd has no key, and the forge signs on a proposal's branch only.
    Unsigned,
    /// The forge would have to make the commit, and cannot write such a plan.
    Unsignable,
    /// The mode, or a ceiling, is `propose`.
    ModePropose,
    /// More than one suspect.
    SeveralSuspects,
    /// When a change was applied is not known: the sync source does not tell.
    AppliedUnknown,
    /// Only the sync fails, and the service runs on with what was applied before.
    OnlyTheSync,
    /// Somebody has taken the change out of the cluster by hand, while Git still has it.
    RolledBackByHand,
    /// A change that no policy owns is in the window.
    UnmappedChange,
    /// The landing is a foxtrot merge, or landed at an unknown time.
    UncertainLanding,
    /// Too much time between the last good round and the landing.
    BaselineTooOld,
    /// Applied too long before the onset.
    AppliedTooLongBefore,
    /// The suspect is too old to be force-merged.
    TooOldToMerge,
    /// An SLO of the policy is not known.
    SloUnknown,
    /// The breach is that nothing is measured any more and the targets are down.
    EvidenceLost,
    /// The newest round is bad, and not by more than chance explains.
    HardlyBad,
    /// The service is bad no more often since the change than chance explains (E1).
    NotWorse,
    /// The same trouble was there at the same hour of the day before, and not over by now (E9).
    SameHourBefore,
    /// A probe and a metric do not agree.
    KindsDisagree,
    /// An SLO of the role `corroborate` is healthy.
    NotCorroborated,
    /// Other services began to fail at the same time, and nothing that the suspect touches explains them.
    OthersFail,
    /// The load of the service changed when the breach began (E9).
    LoadChanged,
    /// The service has begun to fail again and again lately (E1).
    Unstable,
    /// An SLO was not good just before the change was applied (E5).
    MayHaveBegunBefore,
    /// By no SLO it is excluded that the breach began before the change was applied and was not seen (E5).
    MayHaveBegunUnseen,
    /// It cannot be told from something that grows slowly since the change was applied (E8).
    MayGrowSlowly,
    /// The suspect touches only a service that the breaching one needs.
    OfDependency,
    /// The service ran well with the change for longer than a baseline before the breach began (E8).
    RanWellWithIt,
    /// The service fails as well in an instance that had not applied the change.
    FailsWithoutIt,
    /// The service runs well with the change in another instance.
    RunsWellElsewhere,
    /// The suspect brings back what was reverted, or undoes something itself (G6).
    Oscillation,
    /// The suspect is a security change (E12).
    SecurityChange,
    /// The suspect changes how health is defined (E13).
    DefinitionChanged,
    /// The state that the inverse leads to is not known to have run healthy.
    NeverRanHealthy,
    /// The operator's render command did not pass on what it leads to, which is not known to have run healthy either.
    RenderFailed,
    /// The inverse touches policy files.
    PolicyFile,
    /// The inverse touches what the operator protects, or what the repository's own automation runs (S6).
    ProtectedPath,
    /// The plan is graded *needs a human*. Older journals name what was looked at before there were grades.
    #[serde(alias = "deletesFile", alias = "dangerousKind")]
    NeedsHuman,
    /// The plan is graded *refuse*: people may still merge it themselves.
    TooDangerous,
    /// A path of the plan was not looked at.
    NotGraded,
    /// The plan touches more services than the policy allows.
    MaxServices,
    /// The plan changes more objects than the policy allows.
    MaxObjects,
    /// The plan is not what `git revert` would write: restored values, the last known good state, or a part of the change.
    NotAPlainRevert,
    /// The change touches paths of a policy that is not breaching.
    TouchesHealthyService,
    /// The plan would bring an image back that the policy forbids.
    NeverBackTo,
    /// A later change touched the same files.
    LaterChange,
    /// Too soon after the last merged revert of the policy.
    Cooldown,
    /// A merge budget is used up.
    MergeBudget,
    /// Merging is not allowed at this hour.
    OutsideHours,
    /// A maintenance window is open: breaches are expected.
    Maintenance,
    /// A reverted change is brought back by people only.
    ReapplyIsForPeople,
    /// Nothing else stands against it, and who must be asked before a merge has not been.
    NotAsked,
    /// Who must be asked before a merge said no, or gave no answer that can be read.
    AskRefused,
}

/// A refusal with its code.
fn refuse(code: RefusalCode, sentence: impl Into<String>) -> Refusal {
    Refusal { code, sentence: sentence.into() }
}

impl RefusalCode {
    /// Whether an approval of the plan stands in for this guardrail of the merge gate (design §8).
    ///
    /// It never stands in for switches, budgets, or a plan that cannot be carried out.
    pub fn is_lifted_by_approval(self) -> bool {
        matches!(
            self,
            Self::ModePropose
                | Self::ControlsFailing
                | Self::SeveralSuspects
                | Self::AppliedUnknown
                | Self::OnlyTheSync
                | Self::RolledBackByHand
                | Self::UnmappedChange
                | Self::UncertainLanding
                | Self::BaselineTooOld
                | Self::AppliedTooLongBefore
                | Self::TooOldToMerge
                | Self::SloUnknown
                | Self::EvidenceLost
                | Self::HardlyBad
                | Self::NotWorse
                | Self::SameHourBefore
                | Self::KindsDisagree
                | Self::NotCorroborated
                | Self::OthersFail
                | Self::LoadChanged
                | Self::Unstable
                | Self::MayHaveBegunBefore
                | Self::MayHaveBegunUnseen
                | Self::MayGrowSlowly
                | Self::OfDependency
                | Self::RanWellWithIt
                | Self::RunsWellElsewhere
                | Self::Oscillation
                | Self::SecurityChange
                | Self::DefinitionChanged
                | Self::NeverRanHealthy
                | Self::RenderFailed
                | Self::PolicyFile
                | Self::ProtectedPath
                | Self::NeedsHuman
                | Self::NotGraded
                | Self::MaxServices
                | Self::MaxObjects
                | Self::NotAPlainRevert
                | Self::TouchesHealthyService
                | Self::LaterChange
                | Self::Cooldown
                | Self::MergeRejected
                | Self::Unsigned
                | Self::OutsideHours
                | Self::ReapplyIsForPeople
        )
    }

    /// Whether rounds make it or take it away: what more of them may yet tell.
    pub fn is_about_rounds(self) -> bool {
        matches!(
            self,
            Self::ControlsFailing
                | Self::SeveralSuspects
                | Self::UnmappedChange
                | Self::BaselineTooOld
                | Self::AppliedTooLongBefore
                | Self::SloUnknown
                | Self::EvidenceLost
                | Self::HardlyBad
                | Self::NotWorse
                | Self::SameHourBefore
                | Self::KindsDisagree
                | Self::OthersFail
                | Self::LoadChanged
                | Self::Unstable
                | Self::MayHaveBegunBefore
                | Self::MayHaveBegunUnseen
                | Self::MayGrowSlowly
                | Self::RanWellWithIt
        )
    }

    /// Whether a forced approval lifts it as well.
    pub fn is_lifted_by_force(self) -> bool {
        matches!(self, Self::MergeBudget | Self::OpenFix)
    }

    /// Whether the automation of the incident ends with it; other refusals are decided again in each pass.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Conflict
                | Self::AlreadyUndone
                | Self::Vetoed
                | Self::Disowned
                | Self::OwnRevert
                | Self::OptedOut
                | Self::Irrevertible
                | Self::TooOldToPropose
        )
    }

    /// The code as it stands in facts and metrics (`ownRevert`).
    pub fn label(self) -> String {
        // A unit variant always serialises to a string.
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
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
            situation
                .landings
                .iter()
                .filter(|landing| landing.repository == situation.service.policy.repository)
                .find_map(|landing| Some((landing, landing.changes.iter().find(|change| change.id == *id)?)))
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
