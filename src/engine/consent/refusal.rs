//! Why something that was said does not count, one sentence each. The same value goes to the reply, the journal and `explain`.

use crate::engine::command::CommandRefusal;
use crate::engine::id::PlanDigest;

use super::evidence::ProposalState;

/// Why something that was said does not count. The text is the sentence that is replied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsentRefusal {
    /// It cannot be read as a command.
    #[error(transparent)]
    Command(CommandRefusal),
    /// The author may not.
    #[error("You are not among the people who may say this here; the policy names them under `approval`.")]
    NotAllowed,
    /// It could not be found out whether the author may, or whether the comment is as it was written.
    #[error("This could not be checked with the forge ({0}), and what cannot be checked does not count; write it again in a while.")]
    Unknown(String),
    /// A cancel about which something could not be found out.
    #[error(
        "Whether you may cancel could not be checked with the forge, so the proposal is on hold instead; once it can be checked, `/revertd resume` lifts that."
    )]
    HeldInstead,
    /// It was changed since it was written.
    #[error("This comment was edited, so it does not count, whoever edited it; write a new one.")]
    Edited,
    /// It was folded away.
    #[error("This comment is hidden, so it does not count; write a new one.")]
    Minimised,
    /// It is older than the rules allow.
    #[error("This approval has expired; approve again if the plan is still right.")]
    Expired,
    /// It is from after now.
    #[error("This comment is dated in the future, so it does not count; the clocks of the forge and of revertd differ by minutes.")]
    FromTheFuture,
    /// The author of the change may not approve its revert here.
    #[error("You wrote the change that this undoes, and here somebody else has to say it.")]
    OwnChange,
    /// Nobody may force.
    #[error("Nobody may force here: the policy names no team under `approval.force`.")]
    NobodyForces,
    /// Another plan was shown when it was written.
    #[error("The plan is not the one that was shown when you wrote this; look at it again and write `/revertd approve {}`.", .0.as_str().get(..12).unwrap_or_default())]
    OtherPlan(PlanDigest),
    /// No plan was shown when it was written.
    #[error("This was written before the plan was shown, so it cannot mean it; look at the plan and approve again.")]
    NotShownYet,
    /// A review of another head.
    #[error("This review is of another commit than the one that would land now; review that one.")]
    OtherHead,
    /// Somebody else's commit is on the branch.
    #[error("The head of this branch is not revertd's own commit, so nothing said here lands it; it is yours to merge by hand.")]
    ForeignHead,
    /// Nothing to resume.
    #[error("Nothing is on hold that this could lift.")]
    NothingHeld,
    /// The proposal is not in the state that this needs.
    #[error("This proposal is {}, and this needs one that is {}.", words(*is), words(*needed))]
    State {
        /// What it is.
        is: ProposalState,
        /// What it would have to be.
        needed: ProposalState,
    },
}

fn words(state: ProposalState) -> &'static str {
    match state {
        ProposalState::Open => "open",
        ProposalState::Closed => "closed",
        ProposalState::Merged => "merged",
    }
}
