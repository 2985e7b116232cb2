//! What each guardrail means, in one line for somebody who has not seen it before: what `revertd explain` lists.

use super::{RefusalCode, UnderApproval};

/// Every guardrail, in the order in which they are declared.
pub const ALL: &[RefusalCode] = &[
    RefusalCode::RepositoryStopped,
    RefusalCode::KillSwitch,
    RefusalCode::Paused,
    RefusalCode::ModeObserve,
    RefusalCode::ControlsFailing,
    RefusalCode::SharedFate,
    RefusalCode::DependencyFails,
    RefusalCode::NoBaseline,
    RefusalCode::BreachBeforeChange,
    RefusalCode::NoSuspect,
    RefusalCode::OwnRevert,
    RefusalCode::OptedOut,
    RefusalCode::Irrevertible,
    RefusalCode::TooOldToPropose,
    RefusalCode::ProposeBudget,
    RefusalCode::Conflict,
    RefusalCode::AlreadyUndone,
    RefusalCode::Vetoed,
    RefusalCode::Disowned,
    RefusalCode::InverseFailed,
    RefusalCode::OpenRevert,
    RefusalCode::OpenFix,
    RefusalCode::Held,
    RefusalCode::PushFailed,
    RefusalCode::MergeRejected,
    RefusalCode::Unsigned,
    RefusalCode::Unsignable,
    RefusalCode::OnlyTheSync,
    RefusalCode::EvidenceLost,
    RefusalCode::NotCorroborated,
    RefusalCode::FailsWithoutIt,
    RefusalCode::FailedElsewhereBefore,
    RefusalCode::RunsWellElsewhere,
    RefusalCode::EarlierVersionFails,
    RefusalCode::VersionsUnknown,
    RefusalCode::ReapplyIsForPeople,
    RefusalCode::HardlyBad,
    RefusalCode::NotWorse,
    RefusalCode::SameHourBefore,
    RefusalCode::ModePropose,
    RefusalCode::AlertUpTo,
    RefusalCode::SeveralSuspects,
    RefusalCode::AppliedUnknown,
    RefusalCode::RolledBackByHand,
    RefusalCode::UnmappedChange,
    RefusalCode::UncertainLanding,
    RefusalCode::BaselineTooOld,
    RefusalCode::AppliedTooLongBefore,
    RefusalCode::TooOldToMerge,
    RefusalCode::SloUnknown,
    RefusalCode::KindsDisagree,
    RefusalCode::OthersFail,
    RefusalCode::LoadChanged,
    RefusalCode::Unstable,
    RefusalCode::MayHaveBegunBefore,
    RefusalCode::MayHaveBegunUnseen,
    RefusalCode::MayGrowSlowly,
    RefusalCode::OfDependency,
    RefusalCode::RanWellWithIt,
    RefusalCode::Oscillation,
    RefusalCode::SecurityChange,
    RefusalCode::DefinitionChanged,
    RefusalCode::NeverRanHealthy,
    RefusalCode::RenderFailed,
    RefusalCode::PolicyFile,
    RefusalCode::ProtectedPath,
    RefusalCode::NeedsHuman,
    RefusalCode::TooDangerous,
    RefusalCode::NotGraded,
    RefusalCode::MaxServices,
    RefusalCode::MaxObjects,
    RefusalCode::NotAPlainRevert,
    RefusalCode::TouchesHealthyService,
    RefusalCode::NeverBackTo,
    RefusalCode::LaterChange,
    RefusalCode::Cooldown,
    RefusalCode::MergeBudget,
    RefusalCode::OutsideHours,
    RefusalCode::Maintenance,
    RefusalCode::NotAsked,
    RefusalCode::AskRefused,
];

impl RefusalCode {
    /// What the guardrail is about, in one sentence; the refusal itself has the figures.
    #[expect(clippy::too_many_lines, reason = "a table, one line for each guardrail")]
    pub fn line(self) -> &'static str {
        match self {
            Self::RepositoryStopped => {
                "The watched branch was rewritten or deleted, or what landed was not what was planned: a person looks, and runs `revertd resume`."
            }
            Self::KillSwitch => {
                "Somebody stopped revertd by a file, by `.revertd/STOP` on the branch or by a labelled issue; a switch that cannot be read counts as on."
            }
            Self::Paused => "Somebody ran `revertd pause`; it ends by itself, or with `revertd resume`.",
            Self::ModeObserve => "The policy, or a ceiling above it, says `observe`: what happens is only recorded.",
            Self::ControlsFailing => {
                "The controls do not answer either, so it may be the agent that is cut off, and not the service that is down."
            }
            Self::SharedFate => {
                "Services that no change touched fail at the same time: that looks like an outage of something that they share."
            }
            Self::DependencyFails => "A service that this one needs (`dependsOn`) fails as well; what is wrong is decided there.",
            Self::NoBaseline => {
                "The service was not seen healthy just before the change, so that nothing says that the change made it worse."
            }
            Self::BreachBeforeChange => "The service was bad before the change can have been applied: the change cannot have done it.",
            Self::NoSuspect => "No change touches the service and can have done it.",
            Self::OwnRevert => "The suspect is a revert by revertd, which it never reverts itself.",
            Self::OptedOut => "The commit says that it must not be reverted automatically (`Revertd: never`).",
            Self::Irrevertible => "The policy keeps changes by this author, or of this path, from being reverted (`guardrails.never`).",
            Self::TooOldToPropose => "The change landed too long ago to be proposed for a revert (`revert.maxAge.propose`).",
            Self::ProposeBudget => "So many reverts were proposed lately that people should look first (`limits.propose`).",
            Self::Conflict => "Git cannot undo the change, because later changes touch the same lines, and nothing is guessed.",
            Self::AlreadyUndone => "The change has been undone already; reverting it would change nothing.",
            Self::Vetoed => "Somebody closed the proposal or deleted its branch: that is a no for good.",
            Self::Disowned => "Somebody pushed a commit of their own onto the proposal's branch: it is theirs now.",
            Self::InverseFailed => "The revert could not be built, for a reason that the sentence says.",
            Self::OpenRevert => "Somebody has a revert of their own open; revertd supports it and opens none beside it.",
            Self::OpenFix => "Somebody has a change of the same files open, perhaps a fix; a merge waits ten minutes for them.",
            Self::Held => "Somebody wrote `/revertd hold`: nothing is merged until it is resumed.",
            Self::PushFailed => "Pushes failed a moment ago; the next one is tried after a pause.",
            Self::MergeRejected => "The remote does not let revertd push to the watched branch, so that people merge.",
            Self::Unsigned => "The branch asks for signed commits and revertd has no key: the forge signs a proposal, and people merge it.",
            Self::Unsignable => {
                "The forge would have to make the commit, and it cannot write this one (a mode or a symbolic link changes)."
            }
            Self::OnlyTheSync => {
                "Only the sync fails of the change, and the service runs on with what was applied before: there is time for people."
            }
            Self::EvidenceLost => {
                "Nothing is measured any more and the service's own targets are down: that is proposed about, and people merge."
            }
            Self::NotCorroborated => "An objective of the role `corroborate` is well, so that the breach may be one of the measurement.",
            Self::FailsWithoutIt => "The service fails as well in an instance that had not applied the change: it fails without it.",
            Self::EarlierVersionFails => {
                "The version from before the change runs beside the new one and fails as well: what both share is the likelier cause."
            }
            Self::VersionsUnknown => {
                "The policy tells versions by a label, and what they did is not known: nothing says that only the new one fails."
            }
            Self::FailedElsewhereBefore => {
                "The service failed in another instance before the change was applied there: it may be the same trouble here."
            }
            Self::RunsWellElsewhere => {
                "The service runs well with the change in another instance: something else may be wrong here, and people look."
            }
            Self::ReapplyIsForPeople => "A reverted change is brought back by people only.",
            Self::HardlyBad => {
                "The newest round is no worse than chance explains: the trouble may be over, and only the alert remembers it."
            }
            Self::ModePropose => "The policy, or a ceiling above it, says `propose`: a person merges.",
            Self::AlertUpTo => "The alert that fires may go no further than this (`upTo`); another alert of the policy may.",
            Self::SeveralSuspects => "More than one change can have done it, and a merge needs exactly one suspect.",
            Self::AppliedUnknown => {
                "What runs in the cluster is not known, so neither is whether the change was there when the breach began."
            }
            Self::RolledBackByHand => "Somebody has taken the change out of the cluster by hand; the revert waits for a person.",
            Self::UnmappedChange => "A change that no policy owns landed in the same time, and may have done it.",
            Self::UncertainLanding => {
                "When or how the change landed is not certain: it was there at the first start, or came with a merge the wrong way round."
            }
            Self::BaselineTooOld => "Too much time lies between the last good measurement and the landing.",
            Self::AppliedTooLongBefore => "The service ran with the change for long before it broke (`revert.attributeWithin`).",
            Self::TooOldToMerge => "The change landed too long ago to be merged away without a person (`revert.maxAge.merge`).",
            Self::SloUnknown => "An objective of the policy could not be measured, and what is not known is no reason to merge.",
            Self::NotWorse => {
                "Since the change the service was not bad so much more often than in the hour before it that chance does not explain it."
            }
            Self::SameHourBefore => {
                "The same trouble was there at the same hour of the day before: a job or the load of that hour is the likelier cause."
            }
            Self::KindsDisagree => "The policy measures by probes and by metrics, and only one of both kinds says that the service is bad.",
            Self::OthersFail => "Another service began to fail at the same time, and the suspect does not explain it.",
            Self::LoadChanged => "The load rose when the service broke, so the load may have done it.",
            Self::Unstable => "The service breaks again and again, with or without a change.",
            Self::MayHaveBegunBefore => {
                "The service was not quite good before the change, or on its way to a limit: it may have begun earlier."
            }
            Self::MayHaveBegunUnseen => "It cannot be excluded yet that the trouble began before the change and was missed by luck.",
            Self::MayGrowSlowly => "It may be something that grows slowly, as a leak does, and not what the change did.",
            Self::OfDependency => "The suspect changes only a service that this one needs.",
            Self::RanWellWithIt => "The service ran well with the change at first, for longer than a baseline.",
            Self::Oscillation => "The change brings back what was there before, or is a revert itself: going to and fro is for people.",
            Self::SecurityChange => "The change is about security, and somebody may want it gone: people decide.",
            Self::DefinitionChanged => "The change is about how health is measured: it may have changed the judge and not the service.",
            Self::NeverRanHealthy => {
                "The files that the revert leads to were not seen running healthy for long enough (`guardrails.healthyFor`)."
            }
            Self::RenderFailed => "The operator's render command does not pass on what the revert leads to (`guardrails.render`).",
            Self::PolicyFile => "The revert changes a policy of revertd itself.",
            Self::ProtectedPath => {
                "The revert changes what the operator protects (`protect`), or files that the repository's own automation follows."
            }
            Self::NeedsHuman => {
                "What the revert does to the objects can do harm (deleted objects, CRDs, Secrets, fewer replicas): a person looks."
            }
            Self::TooDangerous => {
                "What the revert does can destroy data or access: revertd does not merge it, with or without an approval."
            }
            Self::NotGraded => "A file of the revert could not be read as what it is, so nothing says that it is harmless.",
            Self::MaxServices => "The revert touches more services than the policy allows (`guardrails.maxServices`).",
            Self::MaxObjects => "The revert changes more objects than the policy allows (`guardrails.maxObjects`).",
            Self::NotAPlainRevert => "Git's own revert conflicts or is not what is wanted, and another way is proposed for people to read.",
            Self::TouchesHealthyService => "The change also touches a service that is well, and undoing it could break that one.",
            Self::NeverBackTo => "The revert would bring an image back that the policy forbids (`guardrails.neverBackTo`).",
            Self::LaterChange => "Another change has touched the same files since.",
            Self::Cooldown => "A revert for this policy was merged a short while ago (`guardrails.cooldown`).",
            Self::MergeBudget => "So many reverts were merged lately that people should look first (`limits.merge`).",
            Self::OutsideHours => "The policy allows merging only at other hours (`guardrails.hours`).",
            Self::Maintenance => "A maintenance window is open, in which breaches are expected (`guardrails.maintenance`).",
            Self::NotAsked => {
                "Nothing else stands against the merge, and who must be asked before it has not been asked yet (`guardrails.ask`)."
            }
            Self::AskRefused => "Who must be asked before a merge said no, or gave no answer that can be read (`guardrails.ask`).",
        }
    }

    /// What can stand in for it, in a few words.
    pub fn lifted_by(self) -> &'static str {
        match self.row().under_approval {
            UnderApproval::Lifts => "an approval stands in for it",
            UnderApproval::OnlyForced => "only a forced approval stands in for it",
            UnderApproval::Stands => "no approval stands in for it",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names in the declaration, which no list can keep in step with by itself.
    fn declared() -> BTreeSet<String> {
        let source = include_str!("codes.rs");
        let body = source.split("pub enum RefusalCode {").nth(1).unwrap().split("\n}\n").next().unwrap();
        body.lines()
            .filter_map(|line| line.trim().strip_suffix(','))
            .filter(|name| name.chars().all(char::is_alphanumeric))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_guardrail_has_a_line_of_its_own() {
        assert_eq!(ALL.iter().map(|code| format!("{code:?}")).collect::<BTreeSet<_>>(), declared());
        let lines: BTreeSet<&str> = ALL.iter().map(|code| code.line()).collect();
        assert_eq!(lines.len(), ALL.len(), "no two say the same");
        for code in ALL {
            let line = code.line();
            assert!(line.ends_with('.') && line.len() > 30 && !line.contains('\n'), "{code:?}: {line}");
        }
    }

    #[test]
    fn no_approval_stands_in_for_a_switch_or_for_who_is_asked() {
        for code in [RefusalCode::KillSwitch, RefusalCode::Held, RefusalCode::TooDangerous, RefusalCode::NotAsked, RefusalCode::AskRefused]
        {
            assert_eq!(code.lifted_by(), "no approval stands in for it");
            assert!(!code.is_lifted_by_force());
        }
        assert_eq!(RefusalCode::MergeBudget.lifted_by(), "only a forced approval stands in for it");
    }
}
