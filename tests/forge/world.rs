//! A repository with a proposal's branch on it, the fake that serves it, and the client that asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use revertd::demo::forge::{AppSettings, FakeGithub, FakeSettings, Fault, FaultKind, GithubState, Role};
use revertd::engine::change::Person;
use revertd::engine::id::{BranchName, CommitId};
use revertd::engine::time::Timestamp;
use revertd::forge::github::{Github, GithubAuth, GithubSettings, mutation_spacing};
use revertd::forge::{Call, Forge, ForgeProposal, NewProposal, ProposalNumber};
use revertd::git::scratch::{FileEdit, ScratchRepository, Signed};
use revertd::net::secret::Secret;

use crate::openapi::assert_valid;

/// The token of the machine user that the client is.
pub const TOKEN: &str = "github_pat_4b1f7c09e2d84a63canary";
/// The App's private key, made for tests.
pub const KEY: &str = include_str!("../../src/forge/github/test-key.pem");
/// The branch of the proposal.
pub const BRANCH: &str = "revertd/0123456789ab";

const BEGIN: i64 = 1_795_230_000;

pub struct World {
    pub fake: FakeGithub,
    pub repository: ScratchRepository,
    pub forge: Github,
    /// The head of `main` at the beginning.
    pub base: CommitId,
    /// The head of [`BRANCH`].
    pub head: CommitId,
    seconds: Arc<AtomicI64>,
    runtime: tokio::runtime::Runtime,
    root: tempfile::TempDir,
}

impl World {
    /// The client is a machine user with a token and may write.
    pub fn new() -> Self {
        Self::with(&GithubAuth::Token(Secret::new(TOKEN)))
    }

    /// The client is an App.
    pub fn app() -> Self {
        Self::with(&GithubAuth::App { id: 4711, private_key: Secret::new(KEY) })
    }

    fn with(auth: &GithubAuth) -> Self {
        let root = tempfile::tempdir().unwrap();
        let repository = ScratchRepository::init(&root.path().join("manifests.git"), "main").unwrap();
        commit(&repository, "main", BEGIN - 100, "checkout: 1.4.1", "image: checkout:1.4.1\n");
        let base = commit(&repository, "main", BEGIN - 50, "checkout: 1.4.2", "image: checkout:1.4.2\n");
        repository.create_branch(BRANCH, base).unwrap();
        let head = commit(&repository, BRANCH, BEGIN - 10, "Revert \"checkout: 1.4.2\"", "image: checkout:1.4.1\n");
        let seconds = Arc::new(AtomicI64::new(BEGIN));
        let clock = Arc::clone(&seconds);
        let permissions = ["checks", "contents", "issues", "pull_requests", "statuses"].map(|name| (name.to_owned(), "write".to_owned()));
        let fake = FakeGithub::start(FakeSettings {
            repository: repository.clone(),
            owner: "acme".to_owned(),
            name: "manifests".to_owned(),
            default_branch: "main".to_owned(),
            clock: Arc::new(move || Timestamp::from_secs(clock.load(Ordering::SeqCst))),
            people: [("revertd-bot", Role::Write), ("robin", Role::Write), ("kim", Role::Maintain), ("sam", Role::Read)]
                .map(|(login, role)| (login.to_owned(), role))
                .to_vec(),
            tokens: BTreeMap::from([(TOKEN.to_owned(), "revertd-bot".to_owned())]),
            app: Some(AppSettings {
                app_id: 4711,
                slug: "revertd-acme".to_owned(),
                installation_id: 815,
                permissions: BTreeMap::from(permissions)
                    .into_iter()
                    .chain([("members".to_owned(), "read".to_owned()), ("metadata".to_owned(), "read".to_owned())])
                    .collect(),
            }),
        })
        .unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let forge = Github::new(&settings(&fake, auth), runtime.handle().clone()).unwrap();
        Self { fake, repository, forge, base, head, seconds, runtime, root }
    }

    /// Another client of the same forge.
    pub fn client(&self, change: impl FnOnce(&mut GithubSettings)) -> Github {
        let mut settings = settings(&self.fake, &GithubAuth::Token(Secret::new(TOKEN)));
        change(&mut settings);
        Github::new(&settings, self.runtime.handle().clone()).unwrap()
    }

    /// A client that gives up soon, for answers that never come.
    pub fn impatient(&self) -> Github {
        self.client(|settings| settings.timeout = Duration::from_millis(700))
    }

    pub fn state(&self) -> &GithubState {
        self.fake.state()
    }

    /// A directory of the world's own.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join(name)
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.seconds.load(Ordering::SeqCst))
    }

    /// Lets time go by.
    pub fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn act(&self) -> Call {
        Call::act(self.now())
    }

    pub fn poll(&self) -> Call {
        Call::poll(self.now())
    }

    /// Somebody commits to a branch.
    pub fn commit(&self, branch: &str, subject: &str, content: &str) -> CommitId {
        commit(&self.repository, branch, self.now().secs(), subject, content)
    }

    /// Opens the proposal.
    pub fn opened(&self) -> ForgeProposal {
        self.forge.open(self.act(), &proposal()).unwrap().proposal
    }

    /// Something goes wrong with the next request of this kind.
    pub fn fault(&self, method: &str, path: &str, kind: FaultKind) {
        self.faults(method, path, kind, 1);
    }

    pub fn faults(&self, method: &str, path: &str, kind: FaultKind, times: u32) {
        self.state().arm(Fault { method: method.to_owned(), path: path.to_owned(), times, kind }).unwrap();
    }

    /// The requests since the last [`Self::forget`], as `METHOD path`.
    pub fn lines(&self) -> Vec<String> {
        self.state().requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// How many requests of this method went to paths with this end.
    pub fn count(&self, method: &str, end: &str) -> usize {
        self.state().requests().iter().filter(|request| request.method == method && request.path.ends_with(end)).count()
    }

    /// Checks the requests so far, and forgets them.
    pub fn forget(&self) {
        assert_valid(&self.state().requests());
        self.state().clear_requests();
    }

    pub fn number(&self) -> ProposalNumber {
        ProposalNumber(self.state().pulls().unwrap().first().unwrap().number)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_valid(&self.state().requests());
        }
    }
}

pub fn main_branch() -> BranchName {
    BranchName::new("main")
}

pub fn branch() -> BranchName {
    BranchName::new(BRANCH)
}

/// The proposal of these tests.
pub fn proposal() -> NewProposal {
    NewProposal { head: branch(), base: main_branch(), title: "Revert \"checkout: 1.4.2\"".to_owned(), body: "Because.".to_owned() }
}

fn settings(fake: &FakeGithub, auth: &GithubAuth) -> GithubSettings {
    GithubSettings {
        url: fake.url().to_owned(),
        owner: "acme".to_owned(),
        name: "manifests".to_owned(),
        expected: None,
        auth: auth.clone(),
        ca_file: None,
        proxy: None,
        timeout: Duration::from_secs(20),
        spacing: mutation_spacing(fake.url()),
    }
}

fn commit(repository: &ScratchRepository, branch: &str, at: i64, message: &str, content: &str) -> CommitId {
    let person = Person { name: "Robin".to_owned(), email: "robin@acme.example".to_owned() };
    let edit = FileEdit::Write { path: "apps/checkout/deploy.yaml".to_owned(), content: content.as_bytes().to_vec() };
    repository.commit(branch, Signed { person: &person, at: Timestamp::from_secs(at), message }, &[edit]).unwrap()
}
