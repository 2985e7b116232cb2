//! A workload's status as evidence: what a round of the `workload` indicator is, given what the cluster said (design §6).
//!
//! Pods that are ready can serve; that is all that readiness says. Outside a rollout as many have to be ready as the workload asks for, and during
//! one as many as its own strategy leaves. Pods that crash again and again, or that cannot start, are bad even where the old ones still serve: the
//! change that brought them does not work. A status that is about an earlier version of the workload says nothing of this one.
//!
//! A pod counts as updated when it is made, and as ready when it has started: the rollout of a StatefulSet or DaemonSet goes on until the last one
//! is ready. Nothing tells of these two that a rollout does not get on, as the progress deadline of a Deployment does, so a pod that had
//! [`TIME_TO_START`] and is not ready is not left out any more.
//!
//! Source of the fields and of their meaning: the Kubernetes API reference, `apps/v1`, and the documentation of the three kinds.

use std::time::Duration;

use super::round::{Outcome, Unknown};
use super::time::spoken;

/// What a pod of a StatefulSet or DaemonSet gets to become ready, from when it was made. As long as a Deployment gets where nothing is said
/// (`progressDeadlineSeconds`).
pub const TIME_TO_START: Duration = Duration::from_secs(600);

/// What the API says of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadReport {
    /// `metadata.generation`: how often what is asked for has changed.
    pub generation: u64,
    /// `status.observedGeneration`: which of them the status is about.
    pub observed_generation: u64,
    /// Pods that it asks for.
    pub desired: u64,
    /// Pods that are ready.
    pub ready: u64,
    /// Pods of the newest version.
    pub updated: u64,
    /// Whether pods are being replaced.
    pub rollout: Rollout,
    /// Pods of a StatefulSet or DaemonSet that are not ready although they had [`TIME_TO_START`]; as far as they were read.
    pub late: u64,
    /// Its pods; asked for only where not every pod is ready and of the newest version.
    pub pods: Pods,
}

/// Whether the pods of a workload are being replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// They are not.
    Complete,
    /// They are.
    Underway {
        /// So many may be missing meanwhile, by its strategy.
        max_unavailable: u64,
    },
    /// They were to be, and it does not get on; what the controller says.
    Stuck(String),
}

/// What is known of a workload's pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pods {
    /// They were not asked for.
    NotAsked,
    /// Those that crash again and again or cannot start.
    Troubled(Vec<TroubledPod>),
    /// They could not be read; why.
    Unread(String),
}

/// A pod that crashes again and again or cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TroubledPod {
    /// Its name.
    pub name: String,
    /// What its container says: `CrashLoopBackOff, exit code 1`.
    pub why: String,
}

impl WorkloadReport {
    /// Whether every pod is ready and of the newest version, so that no pod needs to be looked at.
    pub fn is_whole(&self) -> bool {
        self.rollout == Rollout::Complete && self.ready >= self.desired
    }

    fn words(&self) -> String {
        let ready = format!("{} of {} ready", self.ready, self.desired);
        match &self.rollout {
            Rollout::Complete => ready,
            Rollout::Underway { .. } if self.late > 0 => {
                format!("{ready}, {} updated, {} not within {}", self.updated, self.late, spoken(TIME_TO_START))
            }
            Rollout::Underway { .. } | Rollout::Stuck(_) => format!("{ready}, {} updated", self.updated),
        }
    }
}

/// What a round is, given the answer.
pub fn outcome(report: &WorkloadReport) -> Outcome {
    if report.observed_generation < report.generation {
        let detail = format!("the status is of generation {}, and {} is asked for", report.observed_generation, report.generation);
        return Outcome::Unknown(Unknown::Undecided { detail });
    }
    if report.desired == 0 {
        return Outcome::Unknown(Unknown::Undecided { detail: "no pods are asked for".to_owned() });
    }
    let words = report.words();
    if let Pods::Troubled(pods) = &report.pods
        && let Some(first) = pods.first()
    {
        let more = if pods.len() > 1 { format!(", and {} more", pods.len() - 1) } else { String::new() };
        return Outcome::Bad(format!("{words}; {}: {}{more}", first.name, first.why));
    }
    let needed = match &report.rollout {
        Rollout::Stuck(why) => return Outcome::Bad(format!("{words}; {why}")),
        Rollout::Complete => report.desired,
        Rollout::Underway { max_unavailable } => {
            let starting = report.desired.saturating_sub(report.ready).saturating_sub(report.late);
            report.desired.saturating_sub(starting.min(*max_unavailable))
        }
    };
    match &report.pods {
        _ if report.ready < needed => Outcome::Bad(words),
        // Ready old pods hide new ones that crash.
        Pods::Unread(why) => Outcome::Unknown(Unknown::Cluster { detail: why.clone() }),
        Pods::NotAsked | Pods::Troubled(_) => Outcome::Good(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ready: u64) -> WorkloadReport {
        WorkloadReport {
            generation: 7,
            observed_generation: 7,
            desired: 4,
            ready,
            updated: 4,
            rollout: Rollout::Complete,
            late: 0,
            pods: Pods::NotAsked,
        }
    }

    fn underway(ready: u64, pods: Pods) -> WorkloadReport {
        WorkloadReport { updated: 1, rollout: Rollout::Underway { max_unavailable: 1 }, pods, ..report(ready) }
    }

    #[test]
    fn every_pod_has_to_be_ready() {
        assert_eq!(outcome(&report(4)), Outcome::Good("4 of 4 ready".to_owned()));
        assert_eq!(outcome(&report(3)), Outcome::Bad("3 of 4 ready".to_owned()));
    }

    #[test]
    fn during_a_rollout_as_many_as_the_strategy_leaves() {
        let none = || Pods::Troubled(Vec::new());
        assert_eq!(outcome(&underway(3, none())), Outcome::Good("3 of 4 ready, 1 updated".to_owned()));
        assert_eq!(outcome(&underway(2, none())), Outcome::Bad("2 of 4 ready, 1 updated".to_owned()));
        let stuck = WorkloadReport { rollout: Rollout::Stuck("ReplicaSet has timed out progressing.".to_owned()), ..underway(4, none()) };
        assert_eq!(outcome(&stuck), Outcome::Bad("4 of 4 ready, 1 updated; ReplicaSet has timed out progressing.".to_owned()));
    }

    #[test]
    fn a_pod_that_had_its_time_to_start_is_not_left_out_of_a_rollout() {
        let none = || Pods::Troubled(Vec::new());
        let late = |ready, late| outcome(&WorkloadReport { late, ..underway(ready, none()) });
        assert_eq!(late(3, 1), Outcome::Bad("3 of 4 ready, 1 updated, 1 not within 10m".to_owned()));
        assert_eq!(late(4, 0), Outcome::Good("4 of 4 ready, 1 updated".to_owned()));
        // Ready since the pods were read, or the status is older than they are.
        assert_eq!(late(4, 1), Outcome::Good("4 of 4 ready, 1 updated, 1 not within 10m".to_owned()));
    }

    #[test]
    fn new_pods_that_crash_are_bad_behind_old_ones_that_serve() {
        let pod = TroubledPod { name: "checkout-7f".to_owned(), why: "CrashLoopBackOff, exit code 1".to_owned() };
        assert_eq!(
            outcome(&underway(4, Pods::Troubled(vec![pod.clone(), pod]))),
            Outcome::Bad("4 of 4 ready, 1 updated; checkout-7f: CrashLoopBackOff, exit code 1, and 1 more".to_owned())
        );
    }

    #[test]
    fn what_is_not_about_this_version_or_not_known_is_unknown() {
        let stale = WorkloadReport { observed_generation: 6, ..report(0) };
        let off = WorkloadReport { desired: 0, ..report(0) };
        for report in [stale, off, underway(4, Pods::Unread("HTTP status 403".to_owned()))] {
            assert!(matches!(outcome(&report), Outcome::Unknown(_)), "{report:?}");
        }
        assert!(matches!(outcome(&underway(2, Pods::Unread("HTTP status 403".to_owned()))), Outcome::Bad(_)), "too few are too few");
    }
}
