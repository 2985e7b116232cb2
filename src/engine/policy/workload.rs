//! The `workload` indicator of a policy.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::id::MetricsName;
use crate::engine::time::millis;

/// What the answers of one round of a workload may take together: the object, and its pods where it is not wholly ready.
pub const WORKLOAD_ANSWERS: Duration = Duration::from_secs(20);

/// Whether a workload of a cluster is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadIndicator {
    /// Which cluster, by the name of a `kubernetes` server; with variables until it is put into an instance.
    pub server: MetricsName,
    /// Time from the start of one round to the start of the next.
    #[serde(with = "millis")]
    pub every: Duration,
    /// What it is.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The kinds of `apps/v1` that keep pods running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        })
    }
}
