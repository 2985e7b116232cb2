//! One world: a repository with a forge over it, the services that it describes, their customers, a sync tool between them and a control that
//! always answers.
//!
//! The story's agent is no part of it. A world owns its tasks: they end with [`World::shutdown`], or when it is dropped.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::engine::id::CommitId;
use crate::engine::time::Timestamp;

use super::catalogue::Blueprint;
use super::forge::{FakeGithub, GithubState, StartError};
use super::github;
use super::repository::{DemoRepository, RepositoryError};
use super::services::{Running, Service, Zone, start_control};
use super::sync_tool::{self, Pace, SyncError, SyncStatus, Target};
use super::traffic::{self, Experience};

/// Why a world did not come up, or did not do what was waited for.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The repository could not be made or read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The forge could not start.
    #[error(transparent)]
    Forge(#[from] StartError),
    /// The first revision could not be applied.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// A port could not be bound.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[from] std::io::Error),
    /// A revision was not applied in time.
    #[error("{} was not applied within {} s{}", .commit.short(), .within.as_secs(), .failed.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    NotApplied {
        /// Which.
        commit: CommitId,
        /// How long it was waited for.
        within: Duration,
        /// What the sync tool said.
        failed: Option<String>,
    },
    /// A piece of work was cut off because the program ends.
    #[error("the program is shutting down")]
    ShuttingDown,
}

/// A running world.
#[derive(Debug)]
pub struct World {
    repository: DemoRepository,
    github: FakeGithub,
    services: Vec<(Service, Experience)>,
    control: SocketAddr,
    zone: watch::Sender<Zone>,
    sync: watch::Receiver<SyncStatus>,
    tasks: JoinSet<()>,
}

/// The time of the demo's people: this machine's clock.
pub fn clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

// === impl World ===

impl World {
    /// Makes the repository at `directory`, with a history that ends before `now`, and starts everything. All services run what its head says,
    /// warm, when this returns.
    ///
    /// # Errors
    /// git cannot be run, or a port cannot be bound.
    pub async fn start(directory: &Path, blueprints: &[Blueprint], pace: Pace, now: Timestamp) -> Result<Self, WorldError> {
        let (owned_directory, owned_blueprints) = (directory.to_owned(), blueprints.to_vec());
        let (repository, github, head, desired) = blocking(move || {
            let repository = DemoRepository::create(&owned_directory, &owned_blueprints, now)?;
            let head = repository.head()?;
            let desired = sync_tool::read(&repository, head, &owned_blueprints)?;
            let github = github::start(repository.scratch())?;
            Ok((repository, github, head, desired))
        })
        .await?;
        let mut tasks = JoinSet::new();
        let (zone, zone_receiver) = watch::channel(Zone::Up);
        let mut services = Vec::new();
        for (blueprint, desired) in blueprints.iter().zip(desired) {
            let first = Running { behaviour: desired.behaviour(blueprint), tag: desired.tag, warm_at: None };
            let service = Service::start(blueprint.name, first, zone_receiver.clone(), &mut tasks)?;
            let experience = traffic::start(service.address(), &mut tasks);
            services.push((service, experience));
        }
        let control = start_control(&mut tasks)?;
        let targets = services.iter().zip(blueprints);
        let targets = targets.map(|((service, _), blueprint)| Target { blueprint: *blueprint, rollout: service.rollout() }).collect();
        let (status, sync) = watch::channel(SyncStatus { applied: Some(head), failed: None });
        tasks.spawn(sync_tool::run(repository.clone(), targets, pace, status));
        Ok(Self { repository, github, services, control, zone, sync, tasks })
    }

    /// The repository.
    pub fn repository(&self) -> &DemoRepository {
        &self.repository
    }

    /// What happens on the forge beside the agent. Its calls block for some milliseconds; see [`World::on_github`].
    pub fn github(&self) -> &GithubState {
        self.github.state()
    }

    /// The address of the forge.
    pub fn github_url(&self) -> &str {
        self.github.url()
    }

    /// Somebody does or reads something on the forge, off the asynchronous threads.
    ///
    /// # Errors
    /// The program is shutting down.
    pub async fn on_github<T: Send + 'static>(&self, act: impl FnOnce(&GithubState) -> T + Send + 'static) -> Result<T, WorldError> {
        let github = self.github.state().clone();
        blocking(move || Ok(act(&github))).await
    }

    /// A person does something in the repository, off the asynchronous threads.
    ///
    /// # Errors
    /// What the person ran into.
    pub async fn person<T: Send + 'static>(
        &self,
        act: impl FnOnce(&DemoRepository) -> Result<T, RepositoryError> + Send + 'static,
    ) -> Result<T, WorldError> {
        let repository = self.repository.clone();
        blocking(move || Ok(act(&repository)?)).await
    }

    /// Every service, in the order of the blueprints.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().map(|(service, _)| service)
    }

    /// A service by name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services().find(|service| service.name() == name)
    }

    /// What the customers of a service saw.
    pub fn experience(&self, name: &str) -> Option<&Experience> {
        self.services.iter().find(|(service, _)| service.name() == name).map(|(_, experience)| experience)
    }

    /// The page that always answers.
    pub fn control_url(&self) -> String {
        format!("http://{}/", self.control)
    }

    /// Takes the whole zone down, or brings it back.
    pub fn set_zone(&self, zone: Zone) {
        self.zone.send_replace(zone);
    }

    /// What the sync tool last did.
    pub fn sync_status(&self) -> SyncStatus {
        self.sync.borrow().clone()
    }

    /// Waits until the sync tool has applied a commit.
    ///
    /// # Errors
    /// It has not within `within`.
    pub async fn until_applied(&self, commit: CommitId, within: Duration) -> Result<(), WorldError> {
        let mut sync = self.sync.clone();
        let applied = timeout(within, sync.wait_for(|status| status.applied == Some(commit))).await;
        if matches!(applied, Ok(Ok(_))) {
            return Ok(());
        }
        drop(applied);
        Err(WorldError::NotApplied { commit, within, failed: self.sync_status().failed.map(|(_, why)| why) })
    }

    /// Ends every task and gives the repository back.
    pub async fn shutdown(mut self) -> DemoRepository {
        self.tasks.shutdown().await;
        let Self { repository, github, .. } = self;
        // Ending it waits for its thread. What fails to end is cut off with the process.
        let _ = tokio::task::spawn_blocking(move || github.shutdown()).await;
        repository
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, WorldError> + Send + 'static) -> Result<T, WorldError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| WorldError::ShuttingDown)?
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::catalogue::SHOP;
    use super::super::history::person;
    use super::super::repository::Edit;
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);
    const PACE: Pace = Pace { poll: Duration::from_millis(20), lag: Duration::from_millis(20) };

    async fn world() -> (tempfile::TempDir, World) {
        let directory = tempfile::tempdir().unwrap();
        let world = World::start(&directory.path().join("shop.git"), &SHOP, PACE, clock()).await.unwrap();
        (directory, world)
    }

    async fn status(world: &World, service: &str) -> io::Result<u16> {
        traffic::get(world.service(service).unwrap().address(), "x-test").await
    }

    /// Asks until the answer is as wanted, or fails.
    async fn until(world: &World, service: &str, wanted: impl Fn(&io::Result<u16>) -> bool) {
        let asking = async {
            loop {
                let answer = status(world, service).await;
                if wanted(&answer) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let answered = timeout(DEADLINE, asking).await;
        assert!(answered.is_ok(), "{service} still answers {:?}", status(world, service).await);
    }

    async fn push(world: &World, path: &str, old: &str, new: &str) -> CommitId {
        let edit = [Edit::replace(path, old, new)];
        let commit = world.person(move |repository| repository.commit_and_push(&person(0), "change", &edit, clock())).await.unwrap();
        world.until_applied(commit, DEADLINE).await.unwrap();
        commit
    }

    async fn undo(world: &World, commit: CommitId) {
        let revert = world.person(move |repository| repository.revert_by_hand(&person(1), commit, "", clock())).await.unwrap();
        world.until_applied(revert, DEADLINE).await.unwrap();
    }

    fn is(code: u16) -> impl Fn(&io::Result<u16>) -> bool {
        move |answer| answer.as_ref().is_ok_and(|status| *status == code)
    }

    fn is_refused(answer: &io::Result<u16>) -> bool {
        answer.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_service_answers_when_the_world_is_up() {
        let (_directory, world) = world().await;
        for blueprint in &SHOP {
            assert_eq!(status(&world, blueprint.name).await.unwrap(), 200, "{}", blueprint.name);
            assert_eq!(world.service(blueprint.name).unwrap().good_probes_in_a_row(), 1);
        }
        assert_eq!(world.sync_status().applied, Some(world.repository().head().unwrap()));
        world.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bad_tag_answers_500_until_it_is_reverted() {
        let (_directory, world) = world().await;
        let bad = push(&world, "apps/checkout/deployment.yaml", "checkout:1.4.2", "checkout:1.5.0").await;
        assert_eq!(status(&world, "checkout").await.unwrap(), 500);
        assert_eq!(status(&world, "payments").await.unwrap(), 200);
        assert_eq!(world.service("checkout").unwrap().good_probes_in_a_row(), 0);
        let experience = world.experience("checkout").unwrap();
        let noticed = timeout(DEADLINE, async {
            while experience.bad_since(0) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        noticed.await.unwrap();
        undo(&world, bad).await;
        assert_eq!(status(&world, "checkout").await.unwrap(), 200);
        world.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_crash_loop_refuses_connections_and_comes_back_on_the_same_port() {
        let (_directory, world) = world().await;
        let address = world.service("payments").unwrap().address();
        for _ in 0..3 {
            let bad = push(&world, "apps/payments/deployment.yaml", "[\"serve\"]", "[\"server\"]").await;
            until(&world, "payments", is_refused).await;
            undo(&world, bad).await;
            until(&world, "payments", is(200)).await;
        }
        assert_eq!(world.service("payments").unwrap().address(), address);
        world.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_small_pool_answers_503_after_a_delay() {
        let (_directory, world) = world().await;
        push(&world, "apps/search/configmap.yaml", "\"24\"", "\"2\"").await;
        let begin = std::time::Instant::now();
        assert_eq!(status(&world, "search").await.unwrap(), 503);
        assert!(begin.elapsed() >= super::super::workload::SLOW_ANSWER);
        world.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_service_with_a_cache_comes_back_cold() {
        let (_directory, world) = world().await;
        let bad = push(&world, "apps/catalog/deployment.yaml", "[\"serve\"]", "[\"serv\"]").await;
        until(&world, "catalog", is_refused).await;
        undo(&world, bad).await;
        until(&world, "catalog", is(503)).await;
        until(&world, "catalog", is(200)).await;
        world.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn when_the_zone_is_down_every_service_fails_and_the_control_answers() {
        let (_directory, world) = world().await;
        world.set_zone(Zone::Down);
        for blueprint in &SHOP {
            assert_eq!(status(&world, blueprint.name).await.unwrap(), 503, "{}", blueprint.name);
        }
        let control = world.control_url();
        let control = control.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        // The control's only page is `/`; any answer from it shows that it is there.
        assert_eq!(traffic::get(control, "x-test").await.unwrap(), 404);
        world.set_zone(Zone::Up);
        assert_eq!(status(&world, "checkout").await.unwrap(), 200);
        world.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_applied_leaves_everything_as_it_was() {
        let (_directory, world) = world().await;
        let before = world.sync_status().applied;
        let edit = [Edit::replace("apps/checkout/deployment.yaml", "kind: Deployment", "kind: [")];
        let bad = world.person(move |repository| repository.commit_and_push(&person(0), "change", &edit, clock())).await.unwrap();
        let waited = timeout(DEADLINE, async {
            while world.sync_status().failed.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.unwrap();
        let status_now = world.sync_status();
        assert_eq!(status_now.applied, before);
        assert_eq!(status_now.failed.unwrap().0, bad);
        assert_eq!(status(&world, "checkout").await.unwrap(), 200);
        world.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_listens_after_the_end() {
        let (_directory, world) = world().await;
        let address = world.service("checkout").unwrap().address();
        world.shutdown().await;
        let gone = timeout(DEADLINE, async {
            while traffic::get(address, "x-test").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        gone.await.unwrap();
    }
}
