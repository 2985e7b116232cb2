//! The agent file once it is valid: the operator's credentials, hosts, limits and ceilings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::engine::channel::Channel;
use crate::engine::id::{BranchName, EnvironmentName, MetricsName, NotifierName, RenderName, RepositoryName, SyncName};
use crate::engine::policy::{HttpIndicator, Limits, Mode};

/// The agent file, valid by construction. Relative paths in it have been made relative to the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// The journal's SQLite file. Mirrors live beside it, in `mirrors/<repository>.git`.
    pub journal: PathBuf,
    /// Where `/healthz`, `/readyz` and `/metrics` are served; not at all without it.
    pub listen: Option<SocketAddr>,
    /// The agent's own ceiling.
    pub max_mode: Mode,
    /// Private ranges that may be probed. Metadata addresses never are.
    pub network_allow: Vec<IpNet>,
    /// The watched repositories; at least one.
    pub repositories: Vec<Repository>,
    /// Named sync sources.
    pub syncs: Vec<SyncSource>,
    /// Metrics servers.
    pub metrics: Vec<MetricsServer>,
    /// What must answer, else the agent is the one that is cut off. Only `url`, `timeout` and `expect_status` matter.
    pub controls: Vec<Control>,
    /// Chats and pagers.
    pub notifiers: Vec<Notifier>,
    /// Ceilings per environment.
    pub environments: Vec<Environment>,
    /// The directory with the operator's own templates, each in place of the one of its name; those that are built in without it.
    pub templates: Option<PathBuf>,
    /// The operator's kill switch: while this file is there, nothing is proposed or merged.
    pub stop_file: Option<PathBuf>,
    /// The label of the issue that is a kill switch in its repository.
    pub stop_issue_label: Option<String>,
    /// The commands that policies may name.
    pub renders: Vec<RenderCommand>,
    /// The file with the secret that signs questions before a merge.
    pub ask_secret_file: Option<PathBuf>,
    /// Policy files and directories.
    pub policies: Vec<PathBuf>,
}

/// A command that reads what a revert would leave and ends with 0 if it is fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderCommand {
    /// The name that policies use.
    pub name: RenderName,
    /// The program and its arguments; at least the program.
    pub command: Vec<String>,
    /// Its limit.
    pub timeout: Duration,
}

impl Agent {
    /// Where the mirror of a repository is kept: beside the journal.
    pub fn mirror(&self, repository: &RepositoryName) -> PathBuf {
        let directory = self.journal.parent().map(|parent| parent.join("mirrors")).unwrap_or_else(|| "mirrors".into());
        directory.join(format!("{repository}.git"))
    }
}

/// One watched repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// The operator's name for it.
    pub name: RepositoryName,
    /// `file://`, `http(s)://`, `ssh://` or `user@host:path`, without a password.
    pub url: String,
    /// The watched branch.
    pub branch: BranchName,
    /// Time from one reference listing to the next.
    pub poll: Duration,
    /// The repository's ceiling, where it has one.
    pub max_mode: Option<Mode>,
    /// Where proposals are made.
    pub forge: Forge,
    /// How to authenticate; the user's own Git configuration without it, or the forge's token where there is one.
    pub credentials: Option<Credentials>,
    /// Who writes the reverts.
    pub commit: CommitIdentity,
    /// The repository's budgets.
    pub limits: Limits,
    /// Globs for paths that no revert changes without an approval.
    pub protect: Vec<String>,
}

/// Where proposals are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forge {
    /// Plain Git: a proposal is a branch.
    Plain,
    /// GitHub: a proposal is a pull request.
    Github(Github),
}

/// A repository on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Github {
    /// `https://github.com`, or the address of a GitHub Enterprise server.
    pub url: String,
    /// Who owns the repository.
    pub owner: String,
    /// Its name there.
    pub name: String,
    /// How requests authenticate.
    pub auth: GithubAuth,
    /// Certificate authorities that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// An HTTP proxy.
    pub proxy: Option<String>,
    /// The limit for one whole answer. A pass waits for it.
    pub timeout: Duration,
}

/// How requests to GitHub authenticate. Files are read when they are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GithubAuth {
    /// As an App.
    App {
        /// Its id.
        app_id: u64,
        /// The file with its private key.
        private_key_file: PathBuf,
    },
    /// With a token.
    Token {
        /// The file with the token on its first line.
        token_file: PathBuf,
    },
}

/// How Git authenticates. Files are read when they are needed, so that a rotated secret is picked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// HTTP basic authentication.
    Password {
        /// The user, `x-access-token` for GitHub tokens.
        username: String,
        /// The file that holds the password or token on its first line.
        password_file: PathBuf,
    },
    /// SSH with a key of our own.
    SshKey {
        /// The private key.
        key_file: PathBuf,
        /// The host keys that are trusted; the user's own without it.
        known_hosts_file: Option<PathBuf>,
    },
}

/// Who writes the reverts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitIdentity {
    /// Author's and committer's name; default `revertd`.
    pub name: String,
    /// Author's and committer's address; default `revertd@localhost`.
    pub email: String,
    /// An OpenSSH private key (ed25519 or RSA, without passphrase) to sign with.
    pub signing_key_file: Option<PathBuf>,
}

/// A named sync source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSource {
    /// The name that policies use.
    pub name: SyncName,
    /// What it is.
    pub kind: SyncKind,
}

/// What a sync source is. Files are read when they are needed, so that a rotated secret is picked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncKind {
    /// A change is assumed to be applied at the latest this long after it landed.
    Lag(Duration),
    /// An Argo CD.
    ArgoCd {
        /// Its address, without `/api/v1`.
        url: String,
        /// The file with an API token on its first line.
        token_file: PathBuf,
        /// Certificate authorities in place of the system's.
        ca_file: Option<PathBuf>,
    },
    /// Flux, in the cluster that the agent runs in.
    FluxInCluster,
    /// Flux, in the cluster of a kubeconfig.
    FluxKubeconfig {
        /// The file.
        path: PathBuf,
        /// One of its contexts; its current one without it.
        context: Option<String>,
    },
    /// What a sync tool writes on the commits of the policy's repository, read from its forge.
    CommitStatus {
        /// The logins whose statuses count; everybody's without any.
        creators: Vec<String>,
    },
    /// A metric with the running revision in a label.
    RevisionMetric {
        /// The metrics server.
        server: MetricsName,
        /// The label.
        label: String,
    },
}

/// A metrics server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsServer {
    /// The name that policies use.
    pub name: MetricsName,
    /// Its base address, without `/api/v1`; empty for a cluster.
    pub url: String,
    /// Headers for every request. Values are shown nowhere.
    pub headers: Vec<(String, String)>,
    /// The file that holds a bearer token on its first line.
    pub bearer_token_file: Option<PathBuf>,
    /// Rounds end this long before now.
    pub ingest_delay: Duration,
    /// What it is.
    pub kind: MetricsKind,
}

/// What a metrics server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsKind {
    /// It has the HTTP API of Prometheus: queries, and alerts with their rules.
    Prometheus,
    /// An Alertmanager: alerts only, with their silences.
    Alertmanager {
        /// The alert that always fires. Without it, no alert says anything: its absence shows that alerts do not reach the server.
        watchdog: String,
    },
    /// A cluster's API: workloads only. It has no `url`: a kubeconfig or the pod's own environment says where it is.
    Kubernetes {
        /// The kubeconfig; the cluster that the agent runs in without it.
        kubeconfig: Option<PathBuf>,
        /// One of its contexts; its current one without it.
        context: Option<String>,
    },
}

/// What must answer for the agent to believe its own probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// `control-<n>`, counted from 1 in the order of the file.
    pub name: String,
    /// The request. `unreachable` is always `unknown`: silence of a control is never evidence.
    pub http: HttpIndicator,
}

/// A chat or a pager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifier {
    /// The name that policies use.
    pub name: NotifierName,
    /// Which, and where its secrets are.
    pub kind: NotifierKind,
}

/// A chat or a pager, and where its secrets are. Files are read for each message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifierKind {
    /// Slack, as an app.
    Slack {
        /// The address of the Web API.
        url: String,
        /// The file with the bot token.
        token_file: PathBuf,
        /// The channel.
        channel: Channel,
    },
    /// Slack, through an incoming webhook.
    SlackWebhook {
        /// The file with its address.
        webhook_file: PathBuf,
    },
    /// Mattermost, through an incoming webhook.
    Mattermost {
        /// The file with its address.
        webhook_file: PathBuf,
        /// Another channel than its own.
        channel: Option<Channel>,
    },
    /// Discord, through a webhook.
    Discord {
        /// The file with its address.
        webhook_file: PathBuf,
    },
    /// Microsoft Teams, through a workflow.
    Teams {
        /// The file with its address.
        webhook_file: PathBuf,
    },
    /// PagerDuty.
    PagerDuty {
        /// The address of the Events API.
        url: String,
        /// The file with the integration key.
        routing_key_file: PathBuf,
    },
    /// Signed JSON.
    Webhook {
        /// The file with the receiver's address.
        url_file: PathBuf,
        /// The file with the secret to sign with.
        secret_file: PathBuf,
    },
}

impl Notifier {
    /// The channel that it posts to, where one is written.
    pub fn channel(&self) -> Option<&Channel> {
        match &self.kind {
            NotifierKind::Slack { channel, .. } => Some(channel),
            NotifierKind::Mattermost { channel, .. } => channel.as_ref(),
            NotifierKind::SlackWebhook { .. }
            | NotifierKind::Discord { .. }
            | NotifierKind::Teams { .. }
            | NotifierKind::PagerDuty { .. }
            | NotifierKind::Webhook { .. } => None,
        }
    }
}

/// A named environment with a ceiling of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Its ceiling, where it has one.
    pub max_mode: Option<Mode>,
}
