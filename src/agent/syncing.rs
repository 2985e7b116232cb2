//! Asks the sync sources that policies follow, on tasks of their own beside the probes: a source that is slow or down delays no pass. What they
//! said is handed over; what it means for a change is said in `following`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::sync::mpsc;

use super::following::Place;
use super::probing::servers;
use super::statuses::Boards;
use crate::config::agent::{Agent, SyncKind};
use crate::engine::policy::{Instance, Policy, Sync, SyncTarget};
use crate::engine::sync::SyncReport;
use crate::engine::time::Timestamp;
use crate::net::kubernetes::{KubernetesAccess, SERVICE_ACCOUNT};
use crate::sync::SyncSource;
use crate::sync::argocd::{ArgoCd, ArgoCdAccess};
use crate::sync::commit_status::CommitStatusSource;
use crate::sync::flux::{Flux, FluxObject};
use crate::sync::revision_metric::RevisionMetric;

/// Time from one question to the next, so that a change is rarely seen later than a round after it was applied.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(5);

/// The source of one instance of a policy.
struct Asked {
    place: Place,
    source: Arc<dyn SyncSource>,
    due: Timestamp,
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Idle,
    /// Its answer is on the way; it is not asked twice at a time.
    Underway,
}

/// Every sync source that a policy follows, with its next due time.
pub struct Syncing {
    asked: Vec<Asked>,
    sender: mpsc::UnboundedSender<(Place, SyncReport)>,
    receiver: mpsc::UnboundedReceiver<(Place, SyncReport)>,
}

impl Syncing {
    /// The sources of a configuration; each is asked at once.
    ///
    /// # Errors
    /// A metrics server or a forge whose client cannot be made, or a source that the agent file does not name.
    pub fn new(agent: &Agent, policies: &[Policy], now: Timestamp) -> Result<Self> {
        let (mut asked, mut boards) = (Vec::new(), Boards::default());
        for policy in policies {
            for instance in &policy.instances {
                let source = source(agent, policy, instance, &mut boards)
                    .with_context(|| format!("cannot follow what the policy `{}` runs in `{}`", policy.name, instance.name))?;
                let place = (policy.name.clone(), instance.name.clone());
                asked.extend(source.map(|source| Asked { place, source, due: now, standing: Standing::Idle }));
            }
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        Ok(Self { asked, sender, receiver })
    }

    /// Asks every source that is due at `now` and has answered the question before.
    pub fn start_due(&mut self, now: Timestamp) {
        for asked in self.asked.iter_mut().filter(|asked| asked.due <= now && asked.standing == Standing::Idle) {
            (asked.due, asked.standing) = (now + ASK_EVERY, Standing::Underway);
            let (place, source, sender) = (asked.place.clone(), asked.source.clone(), self.sender.clone());
            tokio::spawn(async move {
                let report = source.observe(now).await;
                // The receiver is gone only when the agent is ending.
                let _ = sender.send((place, report));
            });
        }
    }

    /// When the next source is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.asked.iter().filter(|asked| asked.standing == Standing::Idle).map(|asked| asked.due).min()
    }

    /// The next answer; waits for ever where nothing is followed.
    pub async fn next(&mut self) -> Option<(Place, SyncReport)> {
        let answer = self.receiver.recv().await;
        self.note(answer.as_ref());
        answer
    }

    /// An answer that is already there.
    pub fn try_next(&mut self) -> Option<(Place, SyncReport)> {
        let answer = self.receiver.try_recv().ok();
        self.note(answer.as_ref());
        answer
    }

    /// Waits for every source that was asked.
    pub async fn finish(&mut self) -> Vec<(Place, SyncReport)> {
        let mut answers = Vec::new();
        while self.asked.iter().any(|asked| asked.standing == Standing::Underway) {
            answers.extend(self.next().await);
        }
        answers
    }

    fn note(&mut self, answer: Option<&(Place, SyncReport)>) {
        if let Some((place, _)) = answer {
            self.asked.iter_mut().filter(|asked| asked.place == *place).for_each(|asked| asked.standing = Standing::Idle);
        }
    }
}

/// The source that an instance of a policy follows; none where a lag is assumed.
fn source(agent: &Agent, policy: &Policy, instance: &Instance, boards: &mut Boards) -> Result<Option<Arc<dyn SyncSource>>> {
    let Sync::Source { source, follows } = &instance.sync else { return Ok(None) };
    let named = agent.syncs.iter().find(|known| known.name == *source);
    let kind = &named.ok_or_else(|| anyhow!("there is no sync source `{source}` in the agent file"))?.kind;
    let mismatch = || anyhow!("the sync source `{source}` is of another kind than what is followed");
    Ok(Some(match kind {
        SyncKind::Lag(_) => return Err(mismatch()),
        SyncKind::ArgoCd { url, token_file, ca_file } => {
            let SyncTarget::Application { name, namespace, project } = follows else { return Err(mismatch()) };
            let access = ArgoCdAccess { url: url.clone(), token_file: token_file.clone(), ca_file: ca_file.clone() };
            let watched = agent.repositories.iter().find(|repository| repository.name == policy.repository);
            let repository = watched.map_or("", |repository| repository.url.as_str());
            Arc::new(ArgoCd::new(&access, name, namespace.as_deref(), project.as_deref(), repository))
        }
        SyncKind::FluxInCluster => Arc::new(Flux::new(in_cluster()?, flux_object(follows).ok_or_else(mismatch)?)),
        SyncKind::FluxKubeconfig { path, context } => {
            let access = KubernetesAccess::Kubeconfig { path: path.clone(), context: context.clone() };
            Arc::new(Flux::new(access, flux_object(follows).ok_or_else(mismatch)?))
        }
        SyncKind::CommitStatus { creators } => {
            let SyncTarget::Context(context) = follows else { return Err(mismatch()) };
            Arc::new(CommitStatusSource::new(boards.reader(agent, &policy.repository, creators)?, context.as_str()))
        }
        SyncKind::RevisionMetric { server, label } => {
            let SyncTarget::Query(query) = follows else { return Err(mismatch()) };
            let (client, _) = servers(agent)?
                .remove(server.as_str())
                .ok_or_else(|| anyhow!("there is no metrics server `{server}` in the agent file"))?;
            Arc::new(RevisionMetric::new(client, query, label.as_str()))
        }
    }))
}

/// As Kubernetes tells every container of a pod.
pub(super) fn in_cluster() -> Result<KubernetesAccess> {
    let outside = || anyhow!("`inCluster` works in a pod only: `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` are not set");
    let host = std::env::var("KUBERNETES_SERVICE_HOST").map_err(|_| outside())?;
    let port = std::env::var("KUBERNETES_SERVICE_PORT").ok().and_then(|port| port.parse().ok()).ok_or_else(outside)?;
    Ok(KubernetesAccess::InCluster { host, port, folder: SERVICE_ACCOUNT.into() })
}

fn flux_object(follows: &SyncTarget) -> Option<FluxObject> {
    match follows.clone() {
        SyncTarget::Kustomization { namespace, name } => Some(FluxObject::Kustomization { namespace, name }),
        SyncTarget::HelmRelease { namespace, name } => Some(FluxObject::HelmRelease { namespace, name }),
        SyncTarget::Application { .. } | SyncTarget::Query(_) | SyncTarget::Context(_) => None,
    }
}
