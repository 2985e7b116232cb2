//! The `workload` indicator: asks a cluster's API how many pods of a Deployment, StatefulSet or DaemonSet are ready (design §6).
//!
//! One round is one `get` of the object, and one `list` of its pods where it is not wholly ready. Nothing is written. Whatever is no complete
//! answer is unknown. What an answer means is [`crate::engine::workload`]'s to say.

mod decode;

use std::time::Instant;

use self::decode::{DaemonSet, Deployment, PodList, Reported, StatefulSet};
use super::{Probe, RoundFuture};
use crate::engine::policy::{WorkloadIndicator, WorkloadKind};
use crate::engine::round::{Outcome, Round, Unknown};
use crate::engine::time::Timestamp;
use crate::engine::workload::{Pods, WorkloadReport, outcome};
use crate::net::kubernetes::KubernetesAccess;
use crate::net::server::{Refusal, Server, segment};

/// So many pods are looked at: what one change breaks shows in the first of them.
const MOST_PODS: usize = 200;

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
            Ok(server) => self.report(&server).await,
            Err(why) => Err(why),
        };
        let outcome = report.map_or_else(|detail| Outcome::Unknown(Unknown::Cluster { detail }), |report| outcome(&report));
        Round { start, end: start + begun.elapsed(), outcome }
    }

    async fn report(&self, server: &Server) -> Result<WorkloadReport, String> {
        let Reported { mut report, selector } = self.object(server).await?;
        if !report.is_whole() && report.observed_generation >= report.generation && report.desired > 0 {
            report.pods = self.pods(server, selector).await;
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

    async fn pods(&self, server: &Server, selector: Result<String, String>) -> Pods {
        let selector = match selector {
            Ok(selector) => selector,
            Err(why) => return Pods::Unread(why),
        };
        let path = format!("/api/v1/namespaces/{}/pods?limit={MOST_PODS}&labelSelector={}", segment(&self.namespace), segment(&selector));
        match server.get::<PodList>(&path).await {
            Ok(list) => Pods::Troubled(list.troubled()),
            Err(Refusal::Absent) => Pods::Unread(format!("there is no namespace `{}`", self.namespace)),
            Err(Refusal::Other(why)) => Pods::Unread(format!("its pods: {why}")),
        }
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
