//! `kind: Agent`: a checked and completed tree to a valid [`Agent`], with the rules that need more than one value.

use std::path::Path;
use std::time::Duration;

use crate::engine::channel::Channel;
use crate::engine::id::{BranchName, EnvironmentName, MetricsName, NotifierName, RepositoryName};
use crate::engine::policy::{HttpIndicator, Mode, Unreachable};

use super::agent::{
    Agent, CommitIdentity, Control, Credentials, Environment, Forge, Github, GithubAuth, MetricsKind, MetricsServer, Notifier,
    NotifierKind, Repository, SyncSource,
};
use super::diagnostic::{Findings, Span, quoted};
use super::form;
use super::gates;
use super::node::{Node, key_name};
use super::sync_rules::{self, Origin};
use super::view::View;

/// The names that policies may use, as far as they could be read.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The agent's ceiling.
    pub max_mode: Option<Mode>,
    /// Repositories with their ceilings.
    pub repositories: Vec<(String, Option<Mode>)>,
    /// Repositories without a forge.
    pub plain: Vec<String>,
    /// Environments with their ceilings.
    pub environments: Vec<(String, Option<Mode>)>,
    /// Sync sources with what a policy must know of them.
    pub syncs: Vec<(String, Origin)>,
    /// Metrics servers that answer queries.
    pub metrics: Vec<String>,
    /// Alertmanagers, which know alerts only.
    pub alertmanagers: Vec<String>,
    /// Clusters, which know workloads only.
    pub clusters: Vec<String>,
    /// Notifiers with their channels.
    pub notifiers: Vec<(String, Option<Channel>)>,
    /// Render commands.
    pub renders: Vec<String>,
    /// Whether questions before a merge can be signed.
    pub signs_questions: bool,
}

/// A request is sent with every round of another indicator; this stands where an indicator has its own pace.
const CONTROL_PACE: Duration = Duration::from_secs(10);

/// Headers that the HTTP client writes itself.
const OWN_HEADERS: &[&str] = &["host", "content-length", "transfer-encoding", "connection"];

// === impl Names ===

impl Names {
    /// Reads the names from an agent document, whatever else is wrong with it.
    pub fn of(root: &Node) -> Self {
        let Some(spec) = View::new(root, root.span).object("spec") else { return Self::default() };
        let named = |key| spec.objects(key).into_iter().filter_map(|view| view.text("name").map(|name| (name, view)));
        Self {
            max_mode: spec.mode("maxMode"),
            repositories: named("repositories").map(|(name, view)| (name, view.mode("maxMode"))).collect(),
            plain: named("repositories").filter(|(_, view)| is_plain(view)).map(|(name, _)| name).collect(),
            environments: named("environments").map(|(name, view)| (name, view.mode("maxMode"))).collect(),
            syncs: named("sync").map(|(name, view)| (name, Origin::of(&view))).collect(),
            metrics: named("metrics")
                .filter(|(_, view)| view.object("alertmanager").or(view.object("kubernetes")).is_none())
                .map(|(name, _)| name)
                .collect(),
            alertmanagers: named("metrics").filter(|(_, view)| view.object("alertmanager").is_some()).map(|(name, _)| name).collect(),
            clusters: named("metrics").filter(|(_, view)| view.object("kubernetes").is_some()).map(|(name, _)| name).collect(),
            notifiers: named("notifiers").map(|(name, view)| (name, channel_of(&view))).collect(),
            renders: named("render").map(|(name, _)| name).collect(),
            signs_questions: spec.object("ask").is_some(),
        }
    }

    /// Whether the repository of a policy has no forge.
    pub fn is_plain(&self, policy: &View<'_>) -> bool {
        policy.text("repository").is_some_and(|name| self.plain.contains(&name))
    }
}

fn is_plain(repository: &View<'_>) -> bool {
    repository.object("forge").is_some_and(|forge| forge.object("plain").is_some())
}

/// Reads an agent document; `None` where an error was found, now or before.
pub fn read(root: &Node, directory: &Path, findings: &mut Findings<'_>) -> Option<Agent> {
    let spec = View::new(root, root.span).object("spec")?;
    for key in ["repositories", "sync", "metrics", "notifiers", "environments", "render"] {
        unique_names(&spec, key, findings);
    }
    watched_once(&spec, findings);
    let repositories: Vec<Option<Repository>> =
        spec.objects("repositories").iter().map(|view| repository(view, directory, findings)).collect();
    let metrics: Vec<Option<MetricsServer>> = spec.objects("metrics").iter().map(|view| server(view, directory, findings)).collect();
    let controls: Vec<Option<Control>> = spec.objects("controls").iter().enumerate().map(|(index, view)| control(index, view)).collect();
    let servers: Vec<String> = spec.objects("metrics").iter().filter_map(|view| view.text("name")).collect();
    let syncs: Vec<Option<SyncSource>> =
        spec.objects("sync").iter().map(|view| sync_rules::source(view, directory, &servers, findings)).collect();
    let environment =
        |view: &View<'_>| Some(Environment { name: EnvironmentName::new(view.text("name")?), max_mode: view.mode("maxMode") });
    let networks = spec.object("network")?.texts("allow")?;
    Some(Agent {
        journal: directory.join(spec.object("journal")?.text("sqlite")?),
        listen: spec.text("listen").and_then(|text| text.parse().ok()),
        max_mode: spec.mode("maxMode")?,
        network_allow: networks.iter().map(|text| form::network(text).ok()).collect::<Option<_>>()?,
        repositories: repositories.into_iter().collect::<Option<_>>()?,
        syncs: syncs.into_iter().collect::<Option<_>>()?,
        metrics: metrics.into_iter().collect::<Option<_>>()?,
        controls: controls.into_iter().collect::<Option<_>>()?,
        notifiers: spec.objects("notifiers").iter().map(|view| notifier(view, directory)).collect::<Option<_>>()?,
        environments: spec.objects("environments").iter().map(environment).collect::<Option<_>>()?,
        templates: spec.text("templates").map(|path| directory.join(path)),
        stop_file: spec.object("stop").and_then(|stop| stop.text("file")).map(|path| directory.join(path)),
        stop_issue_label: gates::issue_label(&spec, findings),
        renders: gates::renders(&spec)?,
        ask_secret_file: spec.object("ask").and_then(|ask| ask.text("secretFile")).map(|path| directory.join(path)),
        policies: spec.texts("policies")?.iter().map(|path| directory.join(path)).collect(),
    })
}

/// Reports names that are there twice in a list of named objects.
pub fn unique_names(view: &View<'_>, key: &str, findings: &mut Findings<'_>) {
    let items = view.objects(key);
    let names = items.iter().filter_map(|item| Some((item.text("name")?, item.span("name"))));
    told_apart(names, key, "give one of them another name", findings);
}

/// Reports names of the items of `key` that are there twice.
pub fn told_apart(names: impl Iterator<Item = (String, Span)>, key: &str, advice: &str, findings: &mut Findings<'_>) {
    let mut seen: Vec<(String, usize)> = Vec::new();
    for (name, span) in names {
        match seen.iter().find(|(other, _)| *other == name) {
            Some((_, line)) => {
                let message = format!("two items of `{key}` are named {}; the first is at line {line}", quoted(&name));
                findings.error(span, message, advice.to_owned());
            }
            None => seen.push((name, span.line)),
        }
    }
}

fn watched_once(spec: &View<'_>, findings: &mut Findings<'_>) {
    let mut seen: Vec<(Option<String>, Option<String>, Option<String>)> = Vec::new();
    for item in spec.objects("repositories") {
        let (name, url, branch) = (item.text("name"), item.text("url"), item.text("branch"));
        let same = url.is_some() && branch.is_some();
        if let Some((Some(first), ..)) =
            seen.iter().find(|(_, other_url, other_branch)| same && *other_url == url && *other_branch == branch)
        {
            let message = format!("repository {} watches this branch already", quoted(first));
            findings.error(item.span("branch"), message, "watch a branch once: two would revert the same change twice".to_owned());
        }
        seen.push((name, url, branch));
    }
}

fn repository(view: &View<'_>, directory: &Path, findings: &mut Findings<'_>) -> Option<Repository> {
    let commit = view.object("commit")?;
    let forge = forge(view, directory, findings);
    Some(Repository {
        name: RepositoryName::new(view.text("name")?),
        url: view.text("url")?,
        branch: BranchName::new(view.text("branch")?),
        poll: view.duration("poll")?,
        max_mode: view.mode("maxMode"),
        forge: forge?,
        credentials: match view.object("credentials") {
            Some(view) => Some(credentials(&view, directory)?),
            None => None,
        },
        commit: CommitIdentity {
            name: commit.text("name")?,
            email: commit.text("email")?,
            signing_key_file: commit.text("signingKeyFile").map(|path| directory.join(path)),
        },
        limits: view.limits("limits")?,
        protect: view.texts("protect")?,
    })
}

fn forge(repository: &View<'_>, directory: &Path, findings: &mut Findings<'_>) -> Option<Forge> {
    let Some(github) = repository.object("forge")?.object("github") else { return Some(Forge::Plain) };
    let auth = match github.text("tokenFile") {
        Some(path) => GithubAuth::Token { token_file: directory.join(path) },
        None => {
            let app_id = github.integer("appId")?;
            GithubAuth::App { app_id, private_key_file: directory.join(github.text("privateKeyFile")?) }
        }
    };
    let written = github.text("repository");
    let Some((owner, name)) = written.clone().or_else(|| path_of(&repository.text("url")?)).as_deref().and_then(owner_and_name) else {
        let (place, message) = match written {
            Some(text) => (github.span("repository"), format!("`repository` is an owner and a name, and {} is not", quoted(&text))),
            None => (repository.span("url"), "the address does not say which repository on GitHub it is".to_owned()),
        };
        findings.error(place, message, "write `forge: {github: {repository: acme/manifests, …}}`".to_owned());
        return None;
    };
    let url = github.text("url")?.trim_end_matches('/').to_owned();
    let ca_file = github.text("caFile").map(|path| directory.join(path));
    let timeout = github.duration("timeout")?;
    Some(Forge::Github(Github { url, owner, name, auth, ca_file, proxy: github.text("proxy"), timeout }))
}

/// The path of a Git address that names a host: `acme/manifests.git`.
fn path_of(url: &str) -> Option<String> {
    let path = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?.1,
        None => url.split_once(':')?.1,
    };
    Some(path.to_owned())
}

/// The two parts of `acme/manifests`, with or without `.git`.
fn owner_and_name(path: &str) -> Option<(String, String)> {
    let path = path.trim_matches('/');
    let (owner, name) = path.strip_suffix(".git").unwrap_or(path).split_once('/')?;
    let fits =
        |part: &str| !part.is_empty() && part.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char)) && part != "..";
    (fits(owner) && fits(name)).then(|| (owner.to_owned(), name.to_owned()))
}

fn credentials(view: &View<'_>, directory: &Path) -> Option<Credentials> {
    if let Some(path) = view.text("passwordFile") {
        return Some(Credentials::Password { username: view.text("username")?, password_file: directory.join(path) });
    }
    Some(Credentials::SshKey {
        key_file: directory.join(view.text("sshKeyFile")?),
        known_hosts_file: view.text("knownHostsFile").map(|path| directory.join(path)),
    })
}

fn server(view: &View<'_>, directory: &Path, findings: &mut Findings<'_>) -> Option<MetricsServer> {
    if let Some(manager) = view.object("alertmanager") {
        return alertmanager(view, &manager, directory, findings);
    }
    if let Some(cluster) = view.object("kubernetes") {
        return kubernetes(view, &cluster, directory);
    }
    let prometheus = view.object("prometheus")?;
    let base = base_address(&prometheus, "/api/v1", findings);
    let ingest_delay = prometheus.duration("ingestDelay")?;
    asked_over_http(view, &prometheus, base?, directory).map(|server| MetricsServer { ingest_delay, ..server })
}

fn alertmanager(view: &View<'_>, manager: &View<'_>, directory: &Path, findings: &mut Findings<'_>) -> Option<MetricsServer> {
    let base = base_address(manager, "/api/v2", findings);
    let kind = MetricsKind::Alertmanager { watchdog: manager.text("watchdog")? };
    asked_over_http(view, manager, base?, directory).map(|server| MetricsServer { kind, ..server })
}

/// The address of a server. `api` is what people copy along with it.
fn base_address(server: &View<'_>, api: &str, findings: &mut Findings<'_>) -> Option<String> {
    headers(server, findings);
    let url = server.text("url");
    if let Some(base) = url.as_deref().and_then(|url| url.trim_end_matches('/').strip_suffix(api)) {
        let hint = format!("write {}", quoted(base));
        findings.error(server.span("url"), format!("`url` is the base address of the server, without `{api}`"), hint);
    }
    url
}

fn asked_over_http(view: &View<'_>, server: &View<'_>, url: String, directory: &Path) -> Option<MetricsServer> {
    Some(MetricsServer {
        name: MetricsName::new(view.text("name")?),
        url,
        headers: server.map("headers")?.into_iter().collect(),
        bearer_token_file: server.text("bearerTokenFile").map(|path| directory.join(path)),
        ingest_delay: Duration::ZERO,
        kind: MetricsKind::Prometheus,
    })
}

fn kubernetes(view: &View<'_>, cluster: &View<'_>, directory: &Path) -> Option<MetricsServer> {
    let kubeconfig = cluster.text("kubeconfig").map(|path| directory.join(path));
    Some(MetricsServer {
        name: MetricsName::new(view.text("name")?),
        url: String::new(),
        headers: Vec::new(),
        bearer_token_file: None,
        ingest_delay: Duration::ZERO,
        kind: MetricsKind::Kubernetes { kubeconfig, context: cluster.text("context") },
    })
}

/// The channel of a notifier, whatever else is wrong with it.
fn channel_of(view: &View<'_>) -> Option<Channel> {
    let text = ["slack", "mattermost"].into_iter().find_map(|kind| view.object(kind)?.text("channel"))?;
    Channel::parse(&text).ok()
}

fn notifier(view: &View<'_>, directory: &Path) -> Option<Notifier> {
    let (key, kind) = ["slack", "mattermost", "discord", "teams", "pagerduty", "webhook"]
        .into_iter()
        .find_map(|key| view.object(key).map(|object| (key, object)))?;
    let file = |name: &str| kind.text(name).map(|path| directory.join(path));
    let webhook_file = file("webhookFile");
    let kind = match key {
        "slack" => match webhook_file {
            Some(webhook_file) => NotifierKind::SlackWebhook { webhook_file },
            None => NotifierKind::Slack { url: kind.text("url")?, token_file: file("tokenFile")?, channel: channel_of(view)? },
        },
        "mattermost" => NotifierKind::Mattermost { webhook_file: webhook_file?, channel: channel_of(view) },
        "discord" => NotifierKind::Discord { webhook_file: webhook_file? },
        "teams" => NotifierKind::Teams { webhook_file: webhook_file? },
        "pagerduty" => NotifierKind::PagerDuty { url: kind.text("url")?, routing_key_file: file("routingKeyFile")? },
        _ => NotifierKind::Webhook { url_file: file("urlFile")?, secret_file: file("secretFile")? },
    };
    Some(Notifier { name: NotifierName::new(view.text("name")?), kind })
}

fn headers(prometheus: &View<'_>, findings: &mut Findings<'_>) {
    let Some(headers) = prometheus.object("headers") else { return };
    let mut seen: Vec<String> = Vec::new();
    for entry in headers.entries() {
        let name = entry.key.to_ascii_lowercase();
        let token = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_|~".contains(char);
        if !entry.key.chars().all(token) {
            findings.error(entry.span, format!("a key {} is not the name of a header", key_name(&entry.key)), None);
        } else if OWN_HEADERS.contains(&name.as_str()) {
            findings.error(
                entry.span,
                format!("the header {} is written by the client itself", quoted(&entry.key)),
                "remove it".to_owned(),
            );
        } else if seen.contains(&name) {
            findings.error(entry.span, format!("the header {} is there twice", quoted(&entry.key)), "remove one of the two".to_owned());
        } else if name == "authorization" && prometheus.typed("bearerTokenFile").is_some() {
            let message = "`bearerTokenFile` writes the header `Authorization` too".to_owned();
            findings.error(entry.span, message, "remove one of the two".to_owned());
        } else if name == "authorization" {
            let hint = "put a bearer token into a file and name it: `bearerTokenFile`".to_owned();
            findings.warning(entry.span, "a secret stands in the configuration file", hint);
        }
        seen.push(name);
    }
}

fn control(index: usize, view: &View<'_>) -> Option<Control> {
    let http = view.object("http")?;
    Some(Control {
        name: format!("control-{}", index + 1),
        http: HttpIndicator {
            url: http.text("url")?,
            every: CONTROL_PACE,
            timeout: http.duration("timeout")?,
            expect_status: statuses(&http)?,
            unreachable: Unreachable::Unknown,
        },
    })
}

/// `expect: {status: […]}`.
pub fn statuses(http: &View<'_>) -> Option<Vec<u16>> {
    http.object("expect")?
        .node("status")?
        .items()
        .iter()
        .map(|node| {
            let Some(super::node::Scalar::Integer(status)) = node.scalar() else { return None };
            u16::try_from(status).ok()
        })
        .collect()
}
