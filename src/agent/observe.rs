//! What the watched repositories show: one reference listing when nothing has changed, a fetch and the landing when something has.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use tracing::{info, warn};

use super::impairment::Part;
use super::{Clock, Conversation, Fetching, Reconciler, Repository};
use crate::config;
use crate::engine::fact::Event;
use crate::engine::id::{CommitId, RepositoryName};
use crate::engine::incident::ForgeRepository;
use crate::engine::landing::{Landing, LandingShape, Stop};
use crate::engine::time::{Interval, Timestamp};
use crate::forge::github::{Github, GithubAuth, GithubSettings, mutation_spacing};
use crate::forge::{Forge, RepositoryId};
use crate::git::{Credentials, GitExecutable, Listing, Mirror, Move, Remote, ServicePaths, Signer, Supplier};
use crate::net::secret::{Secret, read_secret_file, read_secret_text};
use crate::web::Change;

/// Opens the mirror of every configured repository, beside the journal.
pub(super) fn open_repositories(
    agent: &config::agent::Agent,
    known: &BTreeMap<RepositoryName, ForgeRepository>,
    clock: &Arc<dyn Clock>,
    now: Timestamp,
) -> Result<Vec<Repository>> {
    let git = GitExecutable::find()?;
    agent
        .repositories
        .iter()
        .map(|config| {
            let forge = forge_of(config, known.get(&config.name).map(|known| RepositoryId(known.id)))?;
            // Without credentials of its own, Git uses the forge's token; a local path needs none.
            let ours = config.credentials.as_ref().map(credentials);
            let forges =
                forge.clone().filter(|_| config.url.starts_with("http")).map(|forge| Credentials::Supplied(token_of(forge, clock.clone())));
            let remote = Remote { url: config.url.clone(), branch: config.branch.clone(), credentials: ours.or(forges) };
            let mirror = Mirror::open(&agent.mirror(&config.name), remote, git.clone())
                .with_context(|| format!("cannot open the mirror of the repository `{}`", config.name))?;
            let signer = config
                .commit
                .signing_key_file
                .as_ref()
                .map(|file| Signer::from_openssh_file(file))
                .transpose()
                .with_context(|| format!("cannot use the signing key of the repository `{}`", config.name))?;
            Ok(Repository {
                config: config.clone(),
                mirror: Arc::new(mirror),
                signer,
                listing: None,
                due: now,
                conversation: forge.map(|forge| Conversation::new(forge, now)),
            })
        })
        .collect()
}

/// The forge of a repository; none with plain Git. Nothing is asked yet.
pub(super) fn forge_of(config: &config::agent::Repository, expected: Option<RepositoryId>) -> Result<Option<Arc<dyn Forge>>> {
    let config::agent::Forge::Github(github) = &config.forge else { return Ok(None) };
    let doing = || format!("cannot set up GitHub for the repository `{}`", config.name);
    let auth = match &github.auth {
        config::agent::GithubAuth::App { app_id, private_key_file } => {
            GithubAuth::App { id: *app_id, private_key: read_secret_text(private_key_file).with_context(doing)? }
        }
        config::agent::GithubAuth::Token { token_file } => GithubAuth::Token(read_secret_file(token_file).with_context(doing)?),
    };
    let settings = GithubSettings {
        url: github.url.clone(),
        owner: github.owner.clone(),
        name: github.name.clone(),
        expected,
        auth,
        ca_file: github.ca_file.clone(),
        proxy: github.proxy.clone().map(Secret::new),
        timeout: github.timeout,
        spacing: mutation_spacing(&github.url),
    };
    let runtime = tokio::runtime::Handle::try_current().with_context(doing)?;
    Ok(Some(Arc::new(Github::new(&settings, runtime).with_context(doing)?)))
}

pub(super) fn token_of(forge: Arc<dyn Forge>, clock: Arc<dyn Clock>) -> Supplier {
    Supplier::new(move || {
        let credentials = forge.git_credentials(clock.now()).map_err(|error| error.to_string())?;
        Ok((credentials.username, credentials.password))
    })
}

pub(super) fn credentials(credentials: &config::agent::Credentials) -> Credentials {
    match credentials.clone() {
        config::agent::Credentials::Password { username, password_file } => Credentials::Password { username, password_file },
        config::agent::Credentials::SshKey { key_file, known_hosts_file } => Credentials::SshKey { key_file, known_hosts_file },
    }
}

impl Reconciler {
    /// Lists every repository that is due, and takes up what landed.
    pub(super) fn observe_repositories(&mut self, now: Timestamp) -> Result<()> {
        for index in 0..self.repositories.len() {
            if self.repositories[index].due <= now {
                self.repositories[index].due = now + self.repositories[index].config.poll;
                self.observe_repository(index, now)?;
            }
        }
        Ok(())
    }

    /// Lists one repository now. An unreachable remote is noted and is no error: nothing is known of it until the next listing.
    pub(super) fn observe_repository(&mut self, index: usize, now: Timestamp) -> Result<()> {
        let name = self.repositories[index].config.name.clone();
        let listing = match self.repositories[index].mirror.list() {
            Ok(listing) => listing,
            Err(error) => {
                self.note_poll_failure(&name, &anyhow::Error::new(error));
                return Ok(());
            }
        };
        // Only a listing that showed the head which is known bounds when the next one landed; others were taken during a stop or a failure.
        let known = self.state.heads.get(&name);
        let before = self.repositories[index].listing.as_ref().filter(|(_, old)| old.head.as_ref() == known).map(|(at, _)| *at);
        let changed = self.repositories[index].listing.as_ref().is_none_or(|(_, old)| *old != listing);
        let mirror = self.repositories[index].mirror.clone();
        let fetched = match (changed, self.fetching) {
            (false, _) => Ok(()),
            (true, Fetching::References) => mirror.fetch(&listing),
            (true, Fetching::ObjectsOnly) => mirror.fetch_objects(&listing),
        };
        if let Err(error) = fetched {
            self.note_poll_failure(&name, &anyhow::Error::new(error));
            return Ok(());
        }
        self.status.poll_succeeded(&name);
        self.note_answer(&name, Part::Remote);
        self.metrics.polled(&name, now);
        self.take_up(index, &listing, before, now)?;
        if let Some(head) = listing.head.filter(|head| self.state.heads.get(&name) == Some(head)) {
            // After a restart, this is what bounds from below when a change landed.
            self.journal.note_listing(&name, head, now).context("cannot note the listing")?;
        }
        self.repositories[index].listing = Some((now, listing));
        Ok(())
    }

    /// Turns a listing into facts: a landing, or a stop.
    fn take_up(&mut self, index: usize, listing: &Listing, before: Option<Timestamp>, now: Timestamp) -> Result<()> {
        let name = self.repositories[index].config.name.clone();
        let known = self.state.heads.get(&name).copied();
        if self.state.stops.contains_key(&name) {
            return Ok(());
        }
        match (known, listing.head) {
            (Some(last), None) => self.stop(index, Stop::Deleted { last }, now),
            (None, None) => {
                warn!(repository = %name, "the branch `{}` does not exist yet", self.repositories[index].config.branch);
                Ok(())
            }
            (Some(from), Some(to)) if from == to => Ok(()),
            (known, Some(to)) => self.land(index, known, to, before, now),
        }
    }

    fn land(&mut self, index: usize, from: Option<CommitId>, to: CommitId, before: Option<Timestamp>, now: Timestamp) -> Result<()> {
        let Repository { config, mirror, .. } = &self.repositories[index];
        let (name, branch, mirror) = (config.name.clone(), config.branch.clone(), mirror.clone());
        let found = match mirror.landing(from, to) {
            Ok(found) => found,
            Err(error) => {
                self.note_poll_failure(&name, &anyhow::Error::new(error));
                return Ok(());
            }
        };
        let (shape, mut changes) = match found {
            Move::Rewritten => {
                let Some(from) = from else { return Ok(()) };
                return self.stop(index, Stop::Rewritten { from, to }, now);
            }
            Move::Line(changes) => (LandingShape::Line, changes),
            Move::Foxtrot(change) => (LandingShape::Foxtrot, vec![*change]),
            Move::First(changes) => (LandingShape::First, changes),
        };
        if let Err(error) = mirror.mark_owners(&mut changes, &self.service_paths(&name)) {
            self.note_poll_failure(&name, &anyhow::Error::new(error));
            return Ok(());
        }
        // After a restart no listing of this process showed the old head; the journal noted the last one that did.
        let noted = self.journal.last_listing(&name).context("cannot read the last listing")?.filter(|(head, _)| Some(*head) == from);
        let after = before.or(noted.map(|(_, at)| at));
        let landed = match (shape, after) {
            (LandingShape::First, _) | (_, None) => Interval::unbounded(now),
            (_, Some(after)) => Interval::new(after, now),
        };
        for change in &changes {
            if shape != LandingShape::First {
                info!(repository = %name, commit = %change.id.short(), author = %change.author.name, "landed: {}", change.subject);
            }
        }
        self.record(now, vec![Event::Landed { landing: Landing { repository: name, branch, from, to, landed, shape, changes } }])
    }

    /// The services of a repository with their paths.
    pub(super) fn service_paths(&self, repository: &RepositoryName) -> Vec<ServicePaths> {
        let of_repository = self.policies.iter().filter(|policy| policy.repository == *repository);
        of_repository.map(|policy| ServicePaths { name: policy.name.clone(), paths: policy.paths.clone() }).collect()
    }

    pub(super) fn stop(&mut self, index: usize, stop: Stop, now: Timestamp) -> Result<()> {
        let config = &self.repositories[index].config;
        let (repository, branch) = (config.name.clone(), config.branch.clone());
        warn!(%repository, "{}", stop.sentence(&repository, &branch));
        self.record(now, vec![Event::RepositoryStopped { repository, branch, stop }])
    }

    /// Stops a repository because what landed is not the plan (P5).
    pub(super) fn stop_not_the_plan(
        &mut self,
        repository: &RepositoryName,
        commit: CommitId,
        paths: Vec<String>,
        now: Timestamp,
    ) -> Result<()> {
        let Some(index) = self.repositories.iter().position(|known| known.config.name == *repository) else { return Ok(()) };
        self.stop(index, Stop::NotThePlan { commit, paths }, now)
    }

    fn note_poll_failure(&mut self, name: &RepositoryName, error: &anyhow::Error) {
        let sentence = format!("{error:#}");
        self.note_silence(name, Part::Remote, &sentence, self.clock.now());
        if self.status.poll_failed(name, &sentence) == Change::New {
            warn!(repository = %name, "cannot read the repository: {sentence}");
        }
    }

    /// Lists a repository again now, because an effect has just moved it.
    pub(super) fn look_again(&mut self, repository: &RepositoryName, now: Timestamp) -> Result<()> {
        match self.repositories.iter().position(|known| known.config.name == *repository) {
            Some(index) => self.observe_repository(index, now),
            None => Ok(()),
        }
    }

    /// What the newest listings show, by repository.
    pub fn listings(&self) -> BTreeMap<RepositoryName, Listing> {
        self.repositories
            .iter()
            .filter_map(|repository| Some((repository.config.name.clone(), repository.listing.as_ref()?.1.clone())))
            .collect()
    }
}
