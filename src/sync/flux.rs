//! Flux, through the Kubernetes API: the status of a Kustomization or a HelmRelease, and of the GitRepository behind it. It reads three
//! kinds of objects with `get` and writes none.
//!
//! A Kustomization names commits itself. A HelmRelease does not: its revisions are versions of a chart. What brings a commit to it is the
//! Kustomization that applied the HelmRelease, which Flux writes into its labels, so that one is read too: the commit is attempted once
//! that Kustomization has put it there, and applied once the release of that generation is through.
//!
//! Source of the formats and of what they mean: the API reference and the specifications of Flux's kustomize, helm and source controllers
//! (`docs/spec`), and the order in which the kustomize controller writes its status.

mod decode;
mod helm;

use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;

use self::decode::{GitRepository, Kustomization};
use self::helm::{Chart, HelmChart, HelmRelease};
use super::{ReportFuture, SyncSource};
use crate::engine::sync::{ReportedRevision, SyncReport, SyncState};
use crate::engine::time::Timestamp;
use crate::net::kubernetes::KubernetesAccess;
use crate::net::server::{Refusal, Server, segment};

/// What of Flux is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FluxObject {
    /// `kustomize.toolkit.fluxcd.io/v1`.
    Kustomization {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// `helm.toolkit.fluxcd.io/v2`.
    HelmRelease {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// One object of one cluster.
#[derive(Debug)]
pub struct Flux {
    access: KubernetesAccess,
    object: FluxObject,
    /// What a HelmRelease last released: it names no commit, and after a rollback that is what runs.
    released: Mutex<Vec<ReportedRevision>>,
}

// === impl Flux ===

impl Flux {
    /// Follows one object of the cluster behind `access`.
    pub fn new(access: KubernetesAccess, object: FluxObject) -> Self {
        Self { access, object, released: Mutex::default() }
    }

    async fn ask(&self, now: Timestamp) -> SyncReport {
        match self.access.server() {
            Ok(server) => self.ask_server(&server, now).await,
            Err(why) => SyncReport::unknown(now, format!("Flux: {why}")),
        }
    }

    async fn ask_server(&self, server: &Server, now: Timestamp) -> SyncReport {
        let asked = match &self.object {
            FluxObject::Kustomization { namespace, name } => kustomization(server, namespace, name, now).await,
            FluxObject::HelmRelease { namespace, name } => self.helm_release(server, namespace, name, now).await,
        };
        asked.unwrap_or_else(|why| SyncReport::unknown(now, format!("Flux: {why}")))
    }

    async fn helm_release(&self, server: &Server, namespace: &str, name: &str, now: Timestamp) -> Result<SyncReport, String> {
        let release: HelmRelease = get(server, Kind::HelmRelease, namespace, name).await?;
        let owner = release.owner().ok_or_else(|| {
            format!("the HelmRelease `{namespace}/{name}` was not applied by a Kustomization, so no commit belongs to it")
        })?;
        let above = kustomization(server, &owner.namespace, &owner.name, now).await?;
        let chart = match release.chart()? {
            Chart::Elsewhere => None,
            Chart::OfGit(chart) => Some(get::<HelmChart>(server, Kind::HelmChart, &chart.namespace, &chart.name).await?),
        };
        // Read again, so that it is no older than what the Kustomization says it has applied.
        let release: HelmRelease = get(server, Kind::HelmRelease, namespace, name).await?;
        let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        let report = release.report(now, &above, chart.as_ref(), &released);
        if matches!(report.state, SyncState::Applied) && !report.applied.is_empty() {
            released.clone_from(&report.applied);
        }
        Ok(report)
    }
}

impl SyncSource for Flux {
    fn observe(&self, now: Timestamp) -> ReportFuture<'_> {
        Box::pin(self.ask(now))
    }
}

async fn kustomization(server: &Server, namespace: &str, name: &str, now: Timestamp) -> Result<SyncReport, String> {
    let kustomization: Kustomization = get(server, Kind::Kustomization, namespace, name).await?;
    let mut report = kustomization.report(now);
    // The source only tells why nothing new comes; a token that may not read it leaves that untold.
    if let Some(source) = kustomization.git_repository(namespace)
        && matches!(report.state, SyncState::Applied)
        && let Ok(repository) = get::<GitRepository>(server, Kind::GitRepository, &source.namespace, &source.name).await
        && let Some(state) = repository.trouble(&source.name)
    {
        report.state = state;
    }
    Ok(report)
}

/// What is read of a cluster: the API and the plural name of each kind. A role needs `get` on these and nothing else.
pub const READ: [(&str, &str); 4] = [
    ("kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
    ("helm.toolkit.fluxcd.io/v2", "helmreleases"),
    ("source.toolkit.fluxcd.io/v1", "helmcharts"),
    ("source.toolkit.fluxcd.io/v1", "gitrepositories"),
];

/// The kinds that are read, in the order of [`READ`].
#[derive(Clone, Copy, Debug)]
enum Kind {
    Kustomization,
    HelmRelease,
    HelmChart,
    GitRepository,
}

impl Kind {
    fn path(self) -> (&'static str, &'static str) {
        READ[self as usize]
    }
}

async fn get<T: DeserializeOwned>(server: &Server, kind: Kind, namespace: &str, name: &str) -> Result<T, String> {
    let (group, plural) = kind.path();
    let path = format!("/apis/{group}/namespaces/{}/{plural}/{}", segment(namespace), segment(name));
    server.get(&path).await.map_err(|refusal| match refusal {
        Refusal::Absent => format!("there is no {kind:?} `{namespace}/{name}`"),
        Refusal::Other(why) => format!("the {kind:?} `{namespace}/{name}`: {why}"),
    })
}

#[cfg(test)]
mod tests;
