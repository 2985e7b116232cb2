//! The two gates (design §8): each guardrail is a small function that returns a refusal with the limit and the current figure.

use serde::{Deserialize, Serialize};

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
    /// A person paused reverting.
    Paused,
    /// The mode, or a ceiling, is `observe`.
    ModeObserve,
    /// The controls did not answer: the agent is the one that is cut off (E3).
    ControlsFailing,
    /// Services that no candidate touches breach too (E4).
    SharedFate,
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
    /// The mode, or a ceiling, is `propose`.
    ModePropose,
    /// More than one suspect.
    SeveralSuspects,
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
    /// A probe and a metric do not agree.
    KindsDisagree,
    /// The inverse touches policy files.
    PolicyFile,
    /// The inverse deletes a file.
    DeletesFile,
    /// A touched file does not parse, or holds a kind that is never force-merged.
    DangerousKind,
    /// The change touches paths of a policy that is not breaching.
    TouchesHealthyService,
    /// A later change touched the same files.
    LaterChange,
    /// Too soon after the last merged revert of the policy.
    Cooldown,
    /// A merge budget is used up.
    MergeBudget,
}
