//! Argo CD, through its REST API: `GET /api/v1/applications/{name}`, never with `refresh`, so that nothing is asked of it but what it
//! knows already.
//!
//! Source of the format and of what it means: Argo CD's API types (`pkg/apis/application/v1alpha1`) and its user guide, pages "Automated
//! Sync Policy", "Multiple Sources" and "Source Hydrator".

mod decode;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use self::decode::Application;
use super::{ReportFuture, SyncSource};
use crate::engine::id::CommitId;
use crate::engine::sync::SyncReport;
use crate::engine::time::Timestamp;
use crate::net::server::{Material, Refusal, Server, segment};

/// Of so many rendered commits it is remembered from which dry commit they came.
const REMEMBERED: usize = 256;

/// How one Argo CD is reached.
#[derive(Clone, Debug)]
pub struct ArgoCdAccess {
    /// Its address, without `/api/v1`.
    pub url: String,
    /// The file with an API token on its first line.
    pub token_file: PathBuf,
    /// The certificate authorities that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// One application of one Argo CD.
#[derive(Debug)]
pub struct ArgoCd {
    server: Server,
    path: String,
    application: String,
    repository: String,
    /// Rendered commit → dry commit, as the hydrator told it. Argo CD only tells the newest pair.
    rendered: Mutex<Rendered>,
}

/// Rendered and dry commits, the pair that was told last at the end.
#[derive(Debug, Default)]
struct Rendered(Vec<(CommitId, CommitId)>);

// === impl Rendered ===

impl Rendered {
    fn learn(&mut self, pairs: Vec<(CommitId, CommitId)>) {
        for pair in pairs {
            self.0.retain(|(rendered, _)| *rendered != pair.0);
            self.0.push(pair);
        }
        let surplus = self.0.len().saturating_sub(REMEMBERED);
        self.0.drain(..surplus);
    }

    fn dry(&self, rendered: CommitId) -> Option<CommitId> {
        self.0.iter().find(|(known, _)| *known == rendered).map(|(_, dry)| *dry)
    }
}

// === impl ArgoCd ===

impl ArgoCd {
    /// The application of that name. `namespace` where Argo CD has applications in any namespace, and `project` where the token is a
    /// project's. `repository` is the watched repository's address, which tells the sources of an application with several apart.
    pub fn new(access: &ArgoCdAccess, application: &str, namespace: Option<&str>, project: Option<&str>, repository: &str) -> Self {
        let server = Server::new(&access.url)
            .with_token(Some(Material::File(access.token_file.clone())))
            .with_authorities(access.ca_file.clone().map(Material::File));
        let parameters: Vec<String> = [("appNamespace", namespace), ("project", project)]
            .into_iter()
            .filter_map(|(key, value)| value.map(|value| format!("{key}={}", segment(value))))
            .collect();
        let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
        Self {
            server,
            path: format!("/api/v1/applications/{}{query}", segment(application)),
            application: application.to_owned(),
            repository: repository.to_owned(),
            rendered: Mutex::default(),
        }
    }

    async fn ask(&self, now: Timestamp) -> SyncReport {
        match self.server.get::<Application>(&self.path).await {
            Ok(application) => {
                let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
                rendered.learn(application.rendered());
                application.report(now, &self.repository, &rendered)
            }
            Err(Refusal::Absent) => SyncReport::unknown(now, format!("Argo CD: there is no application `{}`", self.application)),
            Err(Refusal::Other(why)) => SyncReport::unknown(now, format!("Argo CD: {why}")),
        }
    }
}

impl SyncSource for ArgoCd {
    fn observe(&self, now: Timestamp) -> ReportFuture<'_> {
        Box::pin(self.ask(now))
    }
}

#[cfg(test)]
mod tests;
