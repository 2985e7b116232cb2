//! What stands out about a change where a service runs, and its sentence for people, with what to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::id::{CommitId, InstanceName};
use crate::engine::time::{Interval, spoken};

/// What stands out about a change in an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Finding {
    /// The attempt of a revision with it fails, the one before without it was applied: the change itself is a suspect of that.
    BrokeTheSync {
        /// The revision that was tried; `None` where the tool could not even build one.
        tried: Option<CommitId>,
        /// What is applied instead.
        before: CommitId,
        /// What the tool says.
        why: String,
    },
    /// It was applied and then a revision without it was: somebody rolled back by hand, and Git still has it.
    RolledBack {
        /// What was applied.
        from: CommitId,
        /// What is now.
        to: CommitId,
        /// Whether `to` is an older revision of the same line.
        direction: Direction,
        /// When.
        at: Interval,
    },
    /// It is not applied because the sync fails for another reason, or for one that cannot be told.
    SyncFailed {
        /// What the tool says.
        why: String,
    },
    /// It is not applied because automatic sync is off.
    Paused,
    /// It is not applied because reconciling is suspended.
    Suspended,
    /// It landed, nothing stands in its way, and it was not tried in the time that it should have been.
    Stuck {
        /// How long ago it landed at the latest, in milliseconds.
        #[serde(with = "crate::engine::time::millis")]
        waited: Duration,
    },
    /// It landed, and the hydrator that renders what the sync tool applies has not rendered it in the time that it should have.
    NotRendered {
        /// How long ago it landed at the latest, in milliseconds.
        #[serde(with = "crate::engine::time::millis")]
        waited: Duration,
    },
    /// It landed, and the source has told nothing for so long that people should look.
    Silent {
        /// How long ago it landed at the latest, in milliseconds.
        #[serde(with = "crate::engine::time::millis")]
        waited: Duration,
        /// Why nothing is told.
        why: String,
    },
    /// The service is well again, and what runs is not told: it may have been rolled back by hand, while Git still has the change.
    MayBeRolledBack {
        /// Why nothing is told.
        why: String,
    },
    /// It is on its way.
    Waiting,
    /// What runs cannot be told.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Which way a rollback went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// To an ancestor.
    Older,
    /// To a revision of another line, or one that cannot be compared.
    Elsewhere,
}

// === impl Finding ===

impl Finding {
    /// Whether it is worth telling people, once: something that does not pass by itself.
    pub fn is_news(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Unknown { .. })
    }

    /// As it stands in keys of messages: its kind, and not its figures.
    pub fn label(&self) -> &'static str {
        match self {
            Self::BrokeTheSync { .. } => "brokeTheSync",
            Self::RolledBack { .. } => "rolledBack",
            Self::SyncFailed { .. } => "syncFailed",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Stuck { .. } => "stuck",
            Self::NotRendered { .. } => "notRendered",
            Self::Silent { .. } => "silent",
            Self::MayBeRolledBack { .. } => "mayBeRolledBack",
            Self::Waiting => "waiting",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// One sentence for people, with what to do where there is something.
    pub fn sentence(&self, change: CommitId, instance: &InstanceName) -> String {
        let change = change.short();
        match self {
            Self::BrokeTheSync { tried, before, why } => {
                let tried = tried.map_or_else(|| "the new revision cannot be built".into(), |tried| format!("{} fails", tried.short()));
                let before = before.short();
                format!("{change} broke the sync in `{instance}`: {tried} ({why}), and {before}, without it, was applied before")
            }
            Self::RolledBack { from, to, direction, at } => {
                let what = match direction {
                    Direction::Older => "the older",
                    Direction::Elsewhere => "another revision,",
                };
                let (from, to) = (from.short(), to.short());
                format!(
                    "`{instance}` runs {what} {to} instead of {from} again ({at}), while Git still has {change}: \
                     the next sync would bring it back, so merge the revert before automatic sync is switched on again"
                )
            }
            Self::SyncFailed { why } => format!("{change} is not applied in `{instance}`: the sync fails ({why})"),
            Self::Paused => format!(
                "{change} is not applied in `{instance}`: automatic sync is off, and nothing that is merged reaches the cluster until \
                     somebody syncs or switches it on"
            ),
            Self::Suspended => format!(
                "{change} is not applied in `{instance}`: reconciling is suspended, and nothing that is merged reaches the cluster until \
                     somebody resumes it"
            ),
            Self::Stuck { waited } => format!(
                "{change} landed {} ago and `{instance}` has not tried it: look at the sync tool, or ask it for a sync",
                spoken(*waited)
            ),
            Self::NotRendered { waited } => format!(
                "{change} landed {} ago and is not rendered for `{instance}`: look at the hydrator, because nothing is applied before it has \
                     written the rendered commit",
                spoken(*waited)
            ),
            Self::Silent { waited, why } => format!(
                "{change} landed {} ago and whether `{instance}` has applied it cannot be told ({why}): look there yourself, and mend the \
                     sync source",
                spoken(*waited)
            ),
            Self::MayBeRolledBack { why } => format!(
                "the service is well again, and what `{instance}` runs cannot be told ({why}): if somebody rolled it back by hand, Git still \
                     has {change}, so the proposal stays until the sync source answers or somebody closes it"
            ),
            Self::Waiting => format!("{change} is on its way to `{instance}`"),
            Self::Unknown { why } => format!("what `{instance}` runs cannot be told: {why}"),
        }
    }
}
