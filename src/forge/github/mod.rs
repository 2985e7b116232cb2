//! GitHub and GitHub Enterprise Server over octocrab; the only place that names it.
//!
//! A GitHub App or a token; one connection with kept answers for reads and one without for everything else; no retries by the library.
//! What a call may cost and what its answer means is `client`'s, one file each says what is asked for what concern, and `wire` has the
//! parts of answers that are read.

mod access;
mod auth;
mod budget;
mod cache;
mod client;
mod comments;
mod commits;
mod issues;
mod merging;
mod people;
mod proposals;
mod rules;
mod statuses;
mod wire;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use octocrab::{Octocrab, OctocrabBuilder};
use tokio::runtime::Handle;

use self::auth::Authority;
use self::budget::Budget;
use self::cache::Cache;
use self::client::{Api, Place};
use super::{
    Access, Answered, BranchRules, Bypassing, Call, Capabilities, CasBase, CasHead, ChangedPaths, Check, CheckRuns, Comment, CommentCursor,
    CommentId, CommentState, CommitOutcome, EditSignal, EnqueueOutcome, Forge, ForgeCommit, ForgeProposal, GitCredentials, Identity,
    LabelledIssue, Membership, MergeCall, MergeOutcome, MergeQueues, NewCheckRun, NewCommit, NewProposal, NewStatus, Opened, OwnersFile,
    Permission, ProposalNumber, QueueEntry, Rate, Reaction, RepositoryId, Review, StatusOnCommit, StatusReading, Team, TeamSight,
};
use crate::engine::approval::MergeGrant;
use crate::engine::id::{BranchName, CommitId};
use crate::engine::time::Timestamp;
use crate::net::redact::without_user_information;
use crate::net::secret::Secret;
use crate::net::transport::{Transport, TransportSettings};

/// The time between two requests that change something: GitHub asks for at least a second.
pub const MUTATION_SPACING: Duration = Duration::from_secs(1);

/// The version of the API whose answers are read here. An Enterprise server that is older than versions does not read the header.
const API_VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");

/// The time between two changes for a server at this address: [`MUTATION_SPACING`], and none for one on this machine's own loopback, which
/// is never GitHub but what plays it in the demo and in tests.
pub fn mutation_spacing(url: &str) -> Duration {
    let host = url.strip_prefix("http://").and_then(|rest| rest.split(['/', ':']).next());
    if matches!(host, Some("127.0.0.1" | "localhost")) { Duration::ZERO } else { MUTATION_SPACING }
}

/// Which repository on which GitHub, and as whom.
#[derive(Clone)]
pub struct GithubSettings {
    /// `https://github.com`, or the root of an Enterprise server. The API is at `https://api.github.com`, or `<url>/api/v3` and
    /// `<url>/api/graphql`.
    pub url: String,
    /// The owner's name when this was written.
    pub owner: String,
    /// The repository's name when this was written.
    pub name: String,
    /// The repository's number, once it is known. Another repository under the name is then never touched. Without it the first one
    /// that answers is the one.
    pub expected: Option<RepositoryId>,
    /// As whom.
    pub auth: GithubAuth,
    /// Certificate authorities in PEM, trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy's address, which may carry user information.
    pub proxy: Option<Secret>,
    /// The time that one request has with its answer.
    pub timeout: Duration,
    /// The least time between two requests that change something; see [`mutation_spacing`].
    pub spacing: Duration,
}

/// As whom GitHub is asked.
#[derive(Clone, Debug)]
pub enum GithubAuth {
    /// A GitHub App that is installed on the repository.
    App {
        /// Its number.
        id: u64,
        /// Its private key in PEM.
        private_key: Secret,
    },
    /// A token; best a fine-grained one.
    Token(Secret),
}

/// The client could not be set up. Says why in one sentence, without the key or the token.
#[derive(Debug, thiserror::Error)]
pub enum GithubSetupError {
    /// The connection cannot be set up.
    #[error("cannot set up the connection to {url}")]
    Transport {
        /// Where to.
        url: String,
        /// Why.
        source: crate::net::transport::TransportError,
    },
    /// The App's private key cannot be used.
    #[error("the private key of the GitHub App is no RSA key in PEM")]
    Key,
    /// The token holds what no header can.
    #[error("the GitHub token holds characters that no token has")]
    Token,
    /// The library does not take the address.
    #[error("cannot use {url} as the address of GitHub")]
    Address {
        /// The address.
        url: String,
    },
}

/// One repository on GitHub. Blocks on a runtime, so its methods are called from a thread that is none of the runtime's own.
pub struct Github {
    api: Api,
    runtime: Handle,
}

// === impl GithubSettings ===

impl GithubSettings {
    /// The roots of REST and GraphQL, without a slash at the end. octocrab appends `/graphql` to the second.
    fn roots(&self) -> (String, String) {
        let url = self.url.trim_end_matches('/');
        match url {
            "https://github.com" | "https://www.github.com" | "https://api.github.com" => {
                ("https://api.github.com".to_owned(), "https://api.github.com".to_owned())
            }
            root => (format!("{root}/api/v3"), format!("{root}/api")),
        }
    }
}

impl fmt::Debug for GithubSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GithubSettings")
            .field("url", &without_user_information(&self.url))
            .field("owner", &self.owner)
            .field("name", &self.name)
            .field("expected", &self.expected)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

// === impl Github ===

impl Github {
    /// Sets the client up. Nothing is asked yet. `runtime` has its own threads: a current-thread runtime that nobody drives never answers.
    ///
    /// # Errors
    /// The address, the certificates, the proxy, the key or the token cannot be used.
    pub fn new(settings: &GithubSettings, runtime: Handle) -> Result<Self, GithubSetupError> {
        let url = without_user_information(&settings.url);
        let (root, graph_root) = settings.roots();
        let transport_settings = TransportSettings {
            url: root.clone(),
            ca_file: settings.ca_file.clone(),
            proxy: settings.proxy.clone(),
            timeout: settings.timeout,
        };
        let transport = Transport::new(&transport_settings).map_err(|source| GithubSetupError::Transport { url: url.clone(), source })?;
        let cache = Cache::default();
        // octocrab starts a task for each connection.
        let guard = runtime.enter();
        let built = |root: &str, configure: &dyn Fn(Builder) -> Builder| -> Result<Octocrab, GithubSetupError> {
            let unusable = |_| GithubSetupError::Address { url: url.clone() };
            let accept = "application/vnd.github+json".to_owned();
            let builder = Octocrab::builder().base_uri(root).map_err(unusable)?.add_header(http::header::ACCEPT, accept);
            let builder = builder.add_header(http::HeaderName::from_static(API_VERSION.0), API_VERSION.1.to_owned());
            configure(builder).build_with_reqwest(transport.library()).map_err(unusable)
        };
        let reads = built(&root, &|builder| builder.cache(cache.clone()))?;
        let writes = built(&root, &|builder| builder)?;
        let graph = built(&graph_root, &|builder| builder)?;
        let authority = match &settings.auth {
            GithubAuth::Token(token) if usable(token) => Authority::token_of_a_user(token.clone()),
            GithubAuth::Token(_) => return Err(GithubSetupError::Token),
            GithubAuth::App { id, private_key } => {
                let key = octocrab::auth::EncodingKey::from_rsa_pem(private_key.expose().as_bytes());
                let key = key.map_err(|_| GithubSetupError::Key)?;
                Authority::app(built(&root, &|builder| builder.app((*id).into(), key.clone()))?)
            }
        };
        drop(guard);
        let place = Place { owner: settings.owner.clone(), name: settings.name.clone(), id: settings.expected, checked: None };
        let api = Api {
            authority,
            reads,
            writes,
            graph,
            cache,
            budget: Mutex::new(Budget::default()),
            place: Mutex::new(place),
            own: Mutex::default(),
            spacing: settings.spacing,
            spacer: tokio::sync::Mutex::default(),
            root,
            timeout: settings.timeout,
        };
        Ok(Self { api, runtime })
    }

    fn wait<T>(&self, answer: impl Future<Output = Answered<T>>) -> Answered<T> {
        self.runtime.block_on(answer)
    }
}

type Builder = OctocrabBuilder<octocrab::NoSvc, octocrab::DefaultOctocrabBuilderConfig, octocrab::NoAuth, octocrab::NotLayerReady>;

/// Whether a token can stand in a header. octocrab would panic or fail at the first request.
fn usable(token: &Secret) -> bool {
    !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

impl fmt::Debug for Github {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Github").field("root", &self.api.root).field("place", &self.api.place()).finish_non_exhaustive()
    }
}

impl Forge for Github {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            cas_base: CasBase::ByPushOnly,
            cas_head: CasHead::InMergeCall,
            bypass: Bypassing::MergeCallAndPush,
            edit_signal: EditSignal::LastEdited,
            check_runs: if self.api.authority.is_app() { CheckRuns::Offered } else { CheckRuns::StatusOnly },
            merge_queue: MergeQueues::Offered,
        }
    }

    fn rate(&self) -> Option<Rate> {
        self.api.budget().rate()
    }

    fn git_credentials(&self, now: Timestamp) -> Answered<GitCredentials> {
        let token = self.wait(self.api.authority.token(&self.api, now))?;
        Ok(GitCredentials { username: "x-access-token".to_owned(), password: token.secret, expires: token.expires })
    }

    fn identity(&self, call: Call) -> Answered<Identity> {
        self.wait(self.api.identity(call))
    }

    fn labelled_issues(&self, call: Call, label: &str) -> Answered<Vec<LabelledIssue>> {
        self.wait(self.api.labelled_issues(call, label))
    }

    fn find(&self, call: Call, head: &BranchName) -> Answered<Vec<ForgeProposal>> {
        self.wait(self.api.find(call, head))
    }

    fn get(&self, call: Call, number: ProposalNumber) -> Answered<ForgeProposal> {
        self.wait(self.api.get(call, number))
    }

    fn open(&self, call: Call, new: &NewProposal) -> Answered<Opened> {
        self.wait(self.api.open(call, new))
    }

    fn edit(&self, call: Call, number: ProposalNumber, title: &str, body: &str) -> Answered<()> {
        self.wait(self.api.edit(call, number, title, body))
    }

    fn close(&self, call: Call, number: ProposalNumber) -> Answered<()> {
        self.wait(self.api.close(call, number))
    }

    fn reopen(&self, call: Call, number: ProposalNumber) -> Answered<()> {
        self.wait(self.api.reopen(call, number))
    }

    fn open_proposals(&self, call: Call) -> Answered<Vec<ForgeProposal>> {
        self.wait(self.api.open_proposals(call))
    }

    fn changed_paths(&self, call: Call, number: ProposalNumber) -> Answered<ChangedPaths> {
        self.wait(self.api.changed_paths(call, number))
    }

    fn add_labels(&self, call: Call, number: ProposalNumber, labels: &[String]) -> Answered<()> {
        self.wait(self.api.add_labels(call, number, labels))
    }

    fn request_reviewers(&self, call: Call, number: ProposalNumber, users: &[String], teams: &[String]) -> Answered<()> {
        self.wait(self.api.request_reviewers(call, number, users, teams))
    }

    fn comments(&self, call: Call, cursor: &CommentCursor) -> Answered<(Vec<Comment>, CommentCursor)> {
        self.wait(self.api.comments(call, cursor))
    }

    fn comment_state(&self, call: Call, id: CommentId) -> Answered<CommentState> {
        self.wait(self.api.comment_state(call, id))
    }

    fn own_comments(&self, call: Call, number: ProposalNumber) -> Answered<Vec<Comment>> {
        self.wait(self.api.own_comments(call, number))
    }

    fn write_comment(&self, call: Call, number: ProposalNumber, body: &str) -> Answered<Comment> {
        self.wait(self.api.write_comment(call, number, body))
    }

    fn edit_comment(&self, call: Call, id: CommentId, body: &str) -> Answered<()> {
        self.wait(self.api.edit_comment(call, id, body))
    }

    fn react(&self, call: Call, id: CommentId, reaction: Reaction) -> Answered<()> {
        self.wait(self.api.react(call, id, reaction))
    }

    fn reviews(&self, call: Call, number: ProposalNumber) -> Answered<Vec<Review>> {
        self.wait(self.api.reviews(call, number))
    }

    fn permission(&self, call: Call, login: &str) -> Answered<Permission> {
        self.wait(self.api.permission(call, login))
    }

    fn team_member(&self, call: Call, team: &Team, login: &str) -> Answered<Membership> {
        self.wait(self.api.team_member(call, team, login))
    }

    fn branch_head(&self, call: Call, branch: &BranchName) -> Answered<Option<CommitId>> {
        self.wait(self.api.branch_head(call, branch))
    }

    fn branch_rules(&self, call: Call, branch: &BranchName) -> Answered<Option<BranchRules>> {
        self.wait(self.api.branch_rules(call, branch))
    }

    fn checks(&self, call: Call, commit: CommitId) -> Answered<Vec<Check>> {
        self.wait(self.api.checks(call, commit))
    }

    fn branch_statuses(&self, call: Call, branch: &BranchName, most: usize, reading: StatusReading) -> Answered<Vec<StatusOnCommit>> {
        self.wait(self.api.branch_statuses(call, branch, most, reading))
    }

    fn merge(&self, call: Call, number: ProposalNumber, merge: &MergeCall, grant: MergeGrant) -> Answered<MergeOutcome> {
        self.wait(self.api.merge(call, number, merge, grant))
    }

    fn enqueue(&self, call: Call, number: ProposalNumber, head: CommitId) -> Answered<EnqueueOutcome> {
        self.wait(self.api.enqueue(call, number, head))
    }

    fn queue_entry(&self, call: Call, number: ProposalNumber) -> Answered<Option<QueueEntry>> {
        self.wait(self.api.queue_entry(call, number))
    }

    fn create_commit(&self, call: Call, new: &NewCommit) -> Answered<CommitOutcome> {
        self.wait(self.api.create_commit(call, new))
    }

    fn commit(&self, call: Call, commit: CommitId) -> Answered<ForgeCommit> {
        self.wait(self.api.commit(call, commit))
    }

    fn set_status(&self, call: Call, commit: CommitId, status: &NewStatus) -> Answered<()> {
        self.wait(self.api.set_status(call, commit, status))
    }

    fn check_run(&self, call: Call, commit: CommitId, run: &NewCheckRun) -> Answered<()> {
        self.wait(self.api.check_run(call, commit, run))
    }

    fn access(&self, call: Call, branch: &BranchName) -> Answered<Access> {
        self.wait(self.api.access(call, branch))
    }

    fn team(&self, call: Call, team: &Team) -> Answered<TeamSight> {
        self.wait(self.api.team(call, team))
    }

    fn owners_file(&self, call: Call, branch: &BranchName) -> Answered<OwnersFile> {
        self.wait(self.api.owners_file(call, branch))
    }
}

#[cfg(test)]
mod tests;
