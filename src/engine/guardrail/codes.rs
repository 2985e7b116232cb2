//! Every guardrail's code, and one table of what follows from it: what an approval does to its refusal, what makes it, whether the incident's
//! automation ends with it, and whether it holds where only the sync broke.
//!
//! One table and no lists: each of these was a list of its own once, and a code that was missing in one of them was seen by nobody. The `match`
//! names every code, so that a new one does not compile without its row. What the codes mean in words stands in `lines.rs`.

use serde::{Deserialize, Serialize};

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
    /// The alerts that fire go no further than this (`upTo`), and another one of the policy would.
    AlertUpTo,
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
    /// An SLO was not good just before the change was applied, or climbed to its limit by itself (E5).
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
    /// The service was in trouble in another instance before that had the change.
    FailedElsewhereBefore,
    /// The service runs well with the change in another instance.
    RunsWellElsewhere,
    /// The version from before the change, which runs beside the new one, fails as well.
    EarlierVersionFails,
    /// What the versions of the service did is not known.
    VersionsUnknown,
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

/// What an approval of the plan does to a refusal (design §8). It never lifts switches, `hold`, or a plan that cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnderApproval {
    /// The approval stands in for it.
    Lifts,
    /// Only a forced approval does.
    OnlyForced,
    /// It stands.
    Stands,
}

/// What makes a refusal, and so what can make it or take it away before the next pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    /// Rounds of any service or control, alone or beside the times at which changes were applied: one more round can take it away, and one that
    /// was not measured can make it.
    Rounds,
    /// Which changes are suspected, and what their undoing does. Rounds decide only where they may still choose other suspects.
    Change,
    /// Modes, switches, and what people said or have open.
    People,
    /// The branch and its remote.
    Repository,
    /// The hour, and what was done lately.
    Clock,
}

/// Whether the automation of an incident ends with a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Automation {
    /// It is decided again in each pass.
    GoesOn,
    /// Nothing more is done about the incident.
    Ends,
}

/// What becomes of a refusal where only the sync broke and no round is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBrokenSync {
    /// It holds.
    Holds,
    /// It judges rounds, which say nothing there.
    Falls,
}

/// What follows from a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What an approval does to it.
    pub under_approval: UnderApproval,
    /// What makes it.
    pub made_by: MadeBy,
    /// Whether the incident's automation ends with it.
    pub automation: Automation,
    /// What becomes of it where only the sync broke.
    pub on_broken_sync: OnBrokenSync,
}

const fn row(under_approval: UnderApproval, made_by: MadeBy, automation: Automation, on_broken_sync: OnBrokenSync) -> Row {
    Row { under_approval, made_by, automation, on_broken_sync }
}

impl RefusalCode {
    /// The code's row of the table.
    #[expect(clippy::too_many_lines, reason = "a table, one line for each guardrail")]
    #[expect(clippy::match_same_arms, reason = "one row for each guardrail reads better than groups of them")]
    pub fn row(self) -> Row {
        use Automation::{Ends, GoesOn};
        use MadeBy::{Change, Clock, People, Repository, Rounds};
        use OnBrokenSync::{Falls, Holds};
        use UnderApproval::{Lifts, OnlyForced, Stands};
        match self {
            Self::RepositoryStopped => row(Stands, Repository, GoesOn, Holds),
            Self::KillSwitch => row(Stands, People, GoesOn, Holds),
            Self::Paused => row(Stands, People, GoesOn, Holds),
            Self::ModeObserve => row(Stands, People, GoesOn, Holds),
            Self::ControlsFailing => row(Lifts, Rounds, GoesOn, Holds),
            Self::SharedFate => row(Stands, Rounds, GoesOn, Holds),
            Self::DependencyFails => row(Stands, Rounds, GoesOn, Falls),
            Self::NoBaseline => row(Stands, Rounds, GoesOn, Falls),
            Self::BreachBeforeChange => row(Stands, Rounds, GoesOn, Falls),
            Self::NoSuspect => row(Stands, Rounds, GoesOn, Falls),
            Self::OwnRevert => row(Stands, Change, Ends, Holds),
            Self::OptedOut => row(Stands, Change, Ends, Holds),
            Self::Irrevertible => row(Stands, Change, Ends, Holds),
            Self::TooOldToPropose => row(Stands, Change, Ends, Holds),
            Self::ProposeBudget => row(Stands, Clock, GoesOn, Holds),
            Self::Conflict => row(Stands, Change, Ends, Holds),
            Self::AlreadyUndone => row(Stands, Change, Ends, Holds),
            Self::Vetoed => row(Stands, People, Ends, Holds),
            Self::Disowned => row(Stands, People, Ends, Holds),
            Self::InverseFailed => row(Stands, Change, GoesOn, Holds),
            Self::OpenRevert => row(Stands, People, GoesOn, Holds),
            Self::OpenFix => row(OnlyForced, People, GoesOn, Holds),
            Self::Held => row(Stands, People, GoesOn, Holds),
            Self::PushFailed => row(Stands, Repository, GoesOn, Holds),
            Self::MergeRejected => row(Lifts, Repository, GoesOn, Holds),
            Self::Unsigned => row(Lifts, Repository, GoesOn, Holds),
            Self::Unsignable => row(Stands, Change, GoesOn, Holds),
            Self::ModePropose => row(Lifts, People, GoesOn, Holds),
            Self::AlertUpTo => row(Lifts, Rounds, GoesOn, Holds),
            Self::SeveralSuspects => row(Lifts, Rounds, GoesOn, Holds),
            Self::AppliedUnknown => row(Lifts, Rounds, GoesOn, Falls),
            Self::OnlyTheSync => row(Lifts, Change, GoesOn, Holds),
            Self::RolledBackByHand => row(Lifts, Rounds, GoesOn, Holds),
            Self::UnmappedChange => row(Lifts, Rounds, GoesOn, Holds),
            Self::UncertainLanding => row(Lifts, Change, GoesOn, Holds),
            Self::BaselineTooOld => row(Lifts, Rounds, GoesOn, Falls),
            Self::AppliedTooLongBefore => row(Lifts, Rounds, GoesOn, Falls),
            Self::TooOldToMerge => row(Lifts, Change, GoesOn, Holds),
            Self::SloUnknown => row(Lifts, Rounds, GoesOn, Falls),
            Self::EvidenceLost => row(Lifts, Rounds, GoesOn, Holds),
            Self::HardlyBad => row(Lifts, Rounds, GoesOn, Falls),
            Self::NotWorse => row(Lifts, Rounds, GoesOn, Falls),
            Self::SameHourBefore => row(Lifts, Rounds, GoesOn, Falls),
            Self::KindsDisagree => row(Lifts, Rounds, GoesOn, Falls),
            Self::NotCorroborated => row(Lifts, Rounds, GoesOn, Falls),
            Self::OthersFail => row(Lifts, Rounds, GoesOn, Falls),
            Self::LoadChanged => row(Lifts, Rounds, GoesOn, Falls),
            Self::Unstable => row(Lifts, Rounds, GoesOn, Falls),
            Self::MayHaveBegunBefore => row(Lifts, Rounds, GoesOn, Falls),
            Self::MayHaveBegunUnseen => row(Lifts, Rounds, GoesOn, Falls),
            Self::MayGrowSlowly => row(Lifts, Rounds, GoesOn, Falls),
            Self::OfDependency => row(Lifts, Rounds, GoesOn, Holds),
            Self::RanWellWithIt => row(Lifts, Rounds, GoesOn, Falls),
            Self::FailsWithoutIt => row(Stands, Rounds, GoesOn, Holds),
            Self::FailedElsewhereBefore => row(Lifts, Rounds, GoesOn, Holds),
            Self::RunsWellElsewhere => row(Lifts, Rounds, GoesOn, Holds),
            Self::EarlierVersionFails => row(Lifts, Rounds, GoesOn, Falls),
            Self::VersionsUnknown => row(Lifts, Rounds, GoesOn, Falls),
            Self::Oscillation => row(Lifts, Change, GoesOn, Holds),
            Self::SecurityChange => row(Lifts, Change, GoesOn, Holds),
            Self::DefinitionChanged => row(Lifts, Change, GoesOn, Holds),
            Self::NeverRanHealthy => row(Lifts, Rounds, GoesOn, Holds),
            Self::RenderFailed => row(Lifts, Rounds, GoesOn, Holds),
            Self::PolicyFile => row(Lifts, Change, GoesOn, Holds),
            Self::ProtectedPath => row(Lifts, Change, GoesOn, Holds),
            Self::NeedsHuman => row(Lifts, Change, GoesOn, Holds),
            Self::TooDangerous => row(Stands, Change, GoesOn, Holds),
            Self::NotGraded => row(Lifts, Change, GoesOn, Holds),
            Self::MaxServices => row(Lifts, Change, GoesOn, Holds),
            Self::MaxObjects => row(Lifts, Change, GoesOn, Holds),
            Self::NotAPlainRevert => row(Lifts, Change, GoesOn, Holds),
            Self::TouchesHealthyService => row(Lifts, Rounds, GoesOn, Holds),
            Self::NeverBackTo => row(Stands, Change, GoesOn, Holds),
            Self::LaterChange => row(Lifts, Change, GoesOn, Holds),
            Self::Cooldown => row(Lifts, Clock, GoesOn, Holds),
            Self::MergeBudget => row(OnlyForced, Clock, GoesOn, Holds),
            Self::OutsideHours => row(Lifts, Clock, GoesOn, Holds),
            Self::Maintenance => row(Stands, Clock, GoesOn, Holds),
            Self::ReapplyIsForPeople => row(Lifts, People, GoesOn, Holds),
            Self::NotAsked => row(Stands, People, GoesOn, Holds),
            Self::AskRefused => row(Stands, People, GoesOn, Holds),
        }
    }

    /// Whether an approval of the plan stands in for this guardrail of the merge gate (design §8).
    pub fn is_lifted_by_approval(self) -> bool {
        self.row().under_approval == UnderApproval::Lifts
    }

    /// Whether a forced approval lifts what an approval alone does not.
    pub fn is_lifted_by_force(self) -> bool {
        self.row().under_approval == UnderApproval::OnlyForced
    }

    /// Whether the automation of the incident ends with it; other refusals are decided again in each pass.
    pub fn is_final(self) -> bool {
        self.row().automation == Automation::Ends
    }

    /// The code as it stands in facts and metrics (`ownRevert`).
    pub fn label(self) -> String {
        // A unit variant always serialises to a string.
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ALL;
    use super::*;

    #[test]
    fn the_columns_do_not_contradict_each_other() {
        for code in ALL {
            let row = code.row();
            let judges_rounds = row.on_broken_sync == OnBrokenSync::Falls;
            assert!(!judges_rounds || row.made_by == MadeBy::Rounds, "{code:?} judges rounds and is not made by them");
            let ends = row.automation == Automation::Ends;
            assert!(!ends || row.under_approval == UnderApproval::Stands, "{code:?} ends the automation: nothing is left to approve");
            assert!(!ends || row.made_by != MadeBy::Rounds, "{code:?} ends the automation, and the next round may take it away");
        }
    }
}
