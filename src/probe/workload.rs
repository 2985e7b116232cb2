//! The `workload` indicator: asks a cluster's API how many pods of a Deployment, StatefulSet or DaemonSet are ready (design §6).
//!
//! One round is one `get` of the object, and a `list` of its pods where it is not wholly ready. Nothing is written. Whatever is no complete
//! answer is unknown. What an answer means is [`crate::engine::workload`]'s to say.

mod decode;

use std::time::Instant;

use self::decode::{DaemonSet, Deployment, PodList, Reported, Seen, StatefulSet};
use super::{Probe, RoundFuture};
use crate::engine::policy::{WorkloadIndicator, WorkloadKind};
use crate::engine::round::{Outcome, Round, Unknown};
use crate::engine::time::Timestamp;
use crate::engine::workload::{Pods, WorkloadReport, outcome};
use crate::net::kubernetes::KubernetesAccess;
use crate::net::server::{Refusal, Server, segment};

/// So many pods are asked for at a time.
const PODS_AT_A_TIME: usize = 200;
/// So often at most: of a workload with more pods not all are known.
const MOST_LISTS: usize = 10;

/// Asks one cluster for one workload.
#[derive(Clone, Debug)]
pub struct WorkloadProbe {
    access: KubernetesAccess,
    kind: WorkloadKind,
    namespace: String,
    name: String,
}

// === impl WorkloadProbe ===

impl WorkloadProbe {
    /// A probe of the workload that `indicator` names, in the cluster behind `access`.
    pub fn new(access: KubernetesAccess, indicator: &WorkloadIndicator) -> Self {
        let WorkloadIndicator { kind, namespace, name, .. } = indicator;
        Self { access, kind: *kind, namespace: namespace.clone(), name: name.clone() }
    }

    async fn measure(&self, start: Timestamp) -> Round {
        let begun = Instant::now();
        let report = match self.access.server() {
            Ok(server) => self.report(&server, start).await,
            Err(why) => Err(why),
        };
        let outcome = report.map_or_else(|detail| Outcome::Unknown(Unknown::Cluster { detail }), |report| outcome(&report));
        Round { start, end: start + begun.elapsed(), outcome }
    }

    async fn report(&self, server: &Server, now: Timestamp) -> Result<WorkloadReport, String> {
        let Reported { mut report, selector } = self.object(server).await?;
        if !report.is_whole() && report.observed_generation >= report.generation && report.desired > 0 {
            let mut seen = Seen::default();
            let read = match selector {
                Ok(selector) => self.pods(server, &selector, now, &mut seen).await,
                Err(why) => Err(why),
            };
            // The controller of a Deployment says itself what is late.
            if self.kind != WorkloadKind::Deployment {
                report.late = seen.late;
            }
            report.pods = match read {
                Err(why) if seen.troubled.is_empty() => Pods::Unread(why),
                _ => Pods::Troubled(seen.troubled),
            };
        }
        Ok(report)
    }

    async fn object(&self, server: &Server) -> Result<Reported, String> {
        let plural = match self.kind {
            WorkloadKind::Deployment => "deployments",
            WorkloadKind::StatefulSet => "statefulsets",
            WorkloadKind::DaemonSet => "daemonsets",
        };
        let path = format!("/apis/apps/v1/namespaces/{}/{plural}/{}", segment(&self.namespace), segment(&self.name));
        let asked = match self.kind {
            WorkloadKind::Deployment => server.get::<Deployment>(&path).await.map(Deployment::report),
            WorkloadKind::StatefulSet => server.get::<StatefulSet>(&path).await.map(StatefulSet::report),
            WorkloadKind::DaemonSet => server.get::<DaemonSet>(&path).await.map(DaemonSet::report),
        };
        asked.map_err(|refusal| match refusal {
            Refusal::Absent => format!("there is no {} `{}/{}`", self.kind, self.namespace, self.name),
            Refusal::Other(why) => format!("the {} `{}/{}`: {why}", self.kind, self.namespace, self.name),
        })
    }

    /// Reads all the pods; the error says why some of them were not read.
    async fn pods(&self, server: &Server, selector: &str, now: Timestamp, seen: &mut Seen) -> Result<(), String> {
        let path =
            format!("/api/v1/namespaces/{}/pods?limit={PODS_AT_A_TIME}&labelSelector={}", segment(&self.namespace), segment(selector));
        let mut asked = path.clone();
        for _ in 0..MOST_LISTS {
            let list = server.get::<PodList>(&asked).await.map_err(|refusal| match refusal {
                Refusal::Absent => format!("there is no namespace `{}`", self.namespace),
                Refusal::Other(why) => format!("its pods: {why}"),
            })?;
            let Some(next) = list.add_to(seen, now) else { return Ok(()) };
            asked = format!("{path}&continue={}", segment(&next));
        }
        Err(format!("its pods: they are more than {}", PODS_AT_A_TIME * MOST_LISTS))
    }
}

impl Probe for WorkloadProbe {
    /// One round. A cluster keeps no history of a workload's status, so there is no backfill.
    fn round(&self, at: Timestamp) -> RoundFuture<'_> {
        Box::pin(self.measure(at))
    }
}

#[cfg(test)]
mod tests;
