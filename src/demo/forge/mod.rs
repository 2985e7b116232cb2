//! A stateful fake of GitHub over a real bare repository: what Git pushes is what its API sees, and what its API merges is what Git fetches.
//!
//! ```text
//! git push ─► bare repository ◄─ merge, refs, createCommitOnBranch ─┐
//!                   │ observed at the start of every request        │
//!                   ▼                                               │
//!              state (pulls, comments, people, rules) ◄─ routes ◄─ server ◄─ HTTP: /api/v3, /api/graphql, pages for people
//!                   ▲                                               ▲
//!                script (people, checks, …)                       faults (errors, lost answers, stale lists, limits)
//! ```
//!
//! It follows GitHub's documentation in paths, status codes, error bodies and field names, as GitHub Enterprise serves them (`/api/v3` and
//! `/api/graphql` below one address). It binds to loopback only. What it leaves out: webhooks, forks, and the Git transport (push to the
//! bare repository itself, which no rule guards; rules hold for what comes through the API).

mod auth;
mod chart;
mod comments;
mod commits;
mod faults;
mod graphql;
mod issues;
mod json;
mod markdown;
mod merging;
mod page;
mod people;
mod pulls;
mod refs;
mod reply;
mod repository;
mod routes;
mod rules;
mod script;
mod server;
mod state;
mod statuses;
mod style;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::git::scratch::{ScratchError, ScratchRepository};

pub use self::auth::AppSettings;
pub use self::comments::Comment;
pub use self::faults::{Budget, Fault, FaultKind};
pub use self::people::{Membership, Role};
pub use self::pulls::{Pull, PullState, Review, ReviewState};
pub use self::rules::{Bypass, BypassActor, BypassMode, Pattern, Rule, Ruleset, StaleReviews};
pub use self::script::ScriptError;
pub use self::server::RecordedRequest;
pub use self::state::{Clock, GithubState, MergeMethod};
pub use self::statuses::{CheckRun, CommitStatus};

use self::people::AccountKind;
use self::state::World;

/// What a fake starts from.
#[derive(Clone)]
pub struct FakeSettings {
    /// The bare repository that it serves.
    pub repository: ScratchRepository,
    /// The organisation that owns it.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// Its default branch.
    pub default_branch: String,
    /// Where the time comes from.
    pub clock: Clock,
    /// Who there is at the start, by login.
    pub people: Vec<(String, Role)>,
    /// Tokens, each with the login of one of the people.
    pub tokens: BTreeMap<String, String>,
    /// The App that is installed, if there is one.
    pub app: Option<AppSettings>,
}

/// Why a fake could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No port could be bound, or no thread started.
    #[error("cannot serve the fake forge on loopback")]
    Serve(#[from] io::Error),
    /// The repository could not be read.
    #[error("cannot read the repository of the fake forge")]
    Repository(#[from] ScratchError),
}

/// A running fake. It ends when it is dropped.
#[derive(Debug)]
pub struct FakeGithub {
    url: String,
    state: GithubState,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeGithub {
    /// Starts serving on a free port of loopback, on a thread of its own: no runtime is needed, and one that blocks does no harm.
    ///
    /// # Errors
    /// No port, no thread, or a repository that cannot be read.
    pub fn start(settings: FakeSettings) -> Result<Self, StartError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = state_of(settings, &url)?;
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = state.clone();
        let thread = std::thread::Builder::new().name("fake-github".to_owned()).spawn(move || {
            let mut ended = stopped.clone();
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let serving = axum::serve(listener, server::router(served, stopped));
                tokio::select! {
                    // A listener that fails has nobody to tell; requests fail, which is what a test sees.
                    _ = serving.into_future() => {}
                    _ = ended.wait_for(|stopped| *stopped) => {}
                }
            });
            // Requests that hang on purpose would be waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { url, state, stop, thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`; the API is at `/api/v3` and `/api/graphql` below it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The scripting side.
    pub fn state(&self) -> &GithubState {
        &self.state
    }

    /// Stops serving: open connections are cut, and the port is free afterwards.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Nobody listens any more when the thread has ended by itself.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for FakeGithub {
    fn drop(&mut self) {
        self.end();
    }
}

/// The state before the first request.
fn state_of(settings: FakeSettings, url: &str) -> Result<GithubState, ScratchError> {
    let mut world = World::new(settings.repository, settings.clock, &settings.owner, &settings.name, &settings.default_branch);
    url.clone_into(&mut world.url);
    for (login, role) in settings.people {
        world.add_account(&login, AccountKind::User, role);
    }
    world.credentials.tokens = settings.tokens;
    if let Some(app) = settings.app {
        world.install(app);
    }
    world.observe()?;
    Ok(GithubState(Arc::new(Mutex::new(world))))
}

#[cfg(test)]
mod tests;
