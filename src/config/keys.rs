//! Every key that can be written, with its meaning, its limits and its default; and every key that is planned, which is refused.
//!
//! This is the whole reference of the agent file and of policies: the checker, the defaults and `revertd schema` are read from here.

use std::time::Duration;

use super::shape::{Alternative, Field, Form, Kind, Object};

/// The value of `apiVersion`.
pub const API_VERSION: &str = "revertd.dev/v1alpha1";

/// Kinds of documents that are planned.
pub const LATER_KINDS: &[&str] = &["PolicyClass", "RevertPolicySet"];

const NONE: Duration = Duration::ZERO;
const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}
const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

const NAME: Kind = Kind::Text(Form::Name);
const LINE: Kind = Kind::Text(Form::Line);
const PATH: Kind = Kind::Text(Form::Path);
const CHANNEL: Kind = Kind::Text(Form::Channel);
const MODES: &[&str] = &["observe", "propose", "merge"];
const ROLES: &[&str] = &["triage", "write", "maintain", "admin"];
const SILENCES: &[&str] = &["escalate", "withdraw", "merge"];
const BUDGETS: Kind = Kind::OneOrMany(&Kind::Object(&LIMIT));
const GLOBS: Kind = Kind::List(&Kind::Text(Form::Glob), 0, &[]);

/// `kind: Agent`.
pub static AGENT_DOCUMENT: Object = Object {
    doc: "The operator's file: credentials, hosts, limits and ceilings.",
    fields: &[
        Field::required("apiVersion", Kind::Word(&[API_VERSION]), "The version of this format."),
        Field::required("kind", Kind::Word(&["Agent"]), "What this document is."),
        Field::required("spec", Kind::Object(&AGENT), "What the agent watches, with which credentials and within which limits."),
    ],
    choice: &[],
};

/// `kind: RevertPolicy`.
pub static POLICY_DOCUMENT: Object = Object {
    doc: "One service's rules: its paths, its objectives and what may be done when they are missed.",
    fields: &[
        Field::required("apiVersion", Kind::Word(&[API_VERSION]), "The version of this format."),
        Field::required("kind", Kind::Word(&["RevertPolicy"]), "What this document is."),
        Field::required("metadata", Kind::Object(&METADATA), "The name and labels of the policy."),
        Field::required("spec", Kind::Object(&POLICY), "The rules."),
    ],
    choice: &[],
};

static METADATA: Object = Object {
    doc: "The name and labels of the policy.",
    fields: &[
        Field::required("name", NAME, "The name of the policy, which is the name of the service. No two policies share one."),
        Field::default("labels", Kind::Map(Form::Line), "{}", "Free labels."),
    ],
    choice: &[],
};

static AGENT: Object = Object {
    doc: "What the agent watches, with which credentials and within which limits.",
    fields: &[
        Field::required("journal", Kind::Object(&JOURNAL), "Where everything that happened is kept."),
        Field::optional("listen", Kind::Text(Form::Socket), "Where /healthz, /readyz and /metrics are served; nowhere without it."),
        Field::default("maxMode", Kind::Word(MODES), "propose", "The highest mode that any policy can reach."),
        Field::default("network", Kind::Object(&NETWORK), "{}", "Which private addresses may be probed."),
        Field::required("repositories", Kind::List(&Kind::Object(&REPOSITORY), 1, &[]), "The watched repositories."),
        Field::default("sync", Kind::List(&Kind::Object(&SYNC_SOURCE), 0, &[]), "[]", "Named sync sources that policies refer to."),
        Field::default("metrics", Kind::List(&Kind::Object(&METRICS), 0, &[]), "[]", "Metrics servers that policies refer to."),
        Field::default(
            "controls",
            Kind::List(&Kind::Object(&CONTROL), 0, &[]),
            "[]",
            "What must answer; when it does not, the agent itself is the one that is cut off, and nothing is reverted.",
        ),
        Field::default("environments", Kind::List(&Kind::Object(&ENVIRONMENT), 0, &[]), "[]", "Environments with ceilings of their own."),
        Field::default(
            "policies",
            Kind::List(&PATH, 0, &[]),
            "[]",
            "Policy files, and directories whose *.yaml and *.yml files are policies.",
        ),
        Field::optional(
            "templates",
            PATH,
            "A directory with templates of your own, each in place of the one that is built in: title.txt, proposal.md, sticky.md, commit.txt.",
        ),
        Field::default("notifiers", Kind::List(&Kind::Object(&NOTIFIER), 0, &[]), "[]", "Chats and pagers that policies refer to."),
        Field::default("stop", Kind::Object(&STOP), "{}", "Kill switches besides the file `.revertd/STOP` on a watched branch."),
    ],
    choice: &[],
};

static STOP: Object = Object {
    doc: "Kill switches besides the file `.revertd/STOP` on a watched branch. What cannot be read counts as a stop.",
    fields: &[
        Field::optional("file", PATH, "While this file is there, nothing is proposed or merged; its directory must be there."),
        Field::later("issueLabel"),
    ],
    choice: &[],
};

static JOURNAL: Object = Object {
    doc: "Where everything that happened is kept.",
    fields: &[
        Field::required("sqlite", PATH, "The file of the journal. Mirrors of the repositories live beside it."),
        Field::later("postgres"),
    ],
    choice: &[],
};

static NETWORK: Object = Object {
    doc: "Which private addresses may be probed.",
    fields: &[Field::default(
        "allow",
        Kind::List(&Kind::Text(Form::Network), 0, &[]),
        "[]",
        "Private ranges that policies may probe. Metadata addresses are never probed.",
    )],
    choice: &[],
};

static REPOSITORY: Object = Object {
    doc: "A watched repository.",
    fields: &[
        Field::required("name", NAME, "The name that policies use."),
        Field::required("url", Kind::Text(Form::GitUrl), "Its address, without a password: file://, http(s)://, ssh:// or user@host:path."),
        Field::required("branch", Kind::Text(Form::Branch), "The watched branch."),
        Field::default("poll", Kind::Duration(millis(100), days(1)), "15s", "The time from one look at the branch to the next."),
        Field::optional("maxMode", Kind::Word(MODES), "The highest mode that a policy can reach in this repository."),
        Field::default("forge", Kind::Object(&FORGE), "{plain: {}}", "Where proposals are made."),
        Field::optional(
            "credentials",
            Kind::Object(&CREDENTIALS),
            "How Git authenticates; the Git configuration of the agent's user without it.",
        ),
        Field::default("commit", Kind::Object(&COMMIT), "{}", "Who writes the reverts."),
        Field::default("limits", Kind::Object(&REPOSITORY_LIMITS), "{}", "The budgets of all policies of this repository together."),
        Field::later("protect"),
    ],
    choice: &[],
};

static FORGE: Object = Object {
    doc: "Where proposals are made.",
    fields: &[
        Field::optional("plain", Kind::Object(&PLAIN), "Plain Git: a proposal is a branch."),
        Field::optional("github", Kind::Object(&GITHUB), "GitHub: a proposal is a pull request."),
        Field::later("gitlab"),
        Field::later("forgejo"),
    ],
    choice: &[Alternative { needs: &["plain"], with: &[] }, Alternative { needs: &["github"], with: &[] }],
};

static PLAIN: Object = Object { doc: "Plain Git: a proposal is a branch.", fields: &[], choice: &[] };

static GITHUB: Object = Object {
    doc: "GitHub: a proposal is a pull request, and comments approve it. Git pushes use the same token unless `credentials` says otherwise.",
    fields: &[
        Field::default("url", Kind::Text(Form::HttpUrl), "https://github.com", "The address of GitHub, or of a GitHub Enterprise server."),
        Field::optional("repository", LINE, "Owner and name, `acme/manifests`; as in the address of the repository without it."),
        Field::optional("appId", Kind::Integer(1, i64::MAX), "The id of the GitHub App that the agent acts as."),
        Field::optional("privateKeyFile", PATH, "The private key of the App (PEM)."),
        Field::optional("tokenFile", PATH, "The file that holds a fine-grained token on its first line."),
        Field::optional("caFile", PATH, "Certificate authorities (PEM) that are trusted beside those of the system."),
        Field::optional("proxy", Kind::Text(Form::HttpUrl), "An HTTP proxy for the requests to GitHub."),
        Field::default("timeout", Kind::Duration(millis(100), minutes(1)), "10s", "The limit for one whole answer; a pass waits for it."),
    ],
    choice: &[
        Alternative { needs: &["appId", "privateKeyFile"], with: &["url", "repository", "caFile", "proxy", "timeout"] },
        Alternative { needs: &["tokenFile"], with: &["url", "repository", "caFile", "proxy", "timeout"] },
    ],
};

static CREDENTIALS: Object = Object {
    doc: "How Git authenticates. Files are read when they are needed, so that a rotated secret is picked up.",
    fields: &[
        Field::default("username", LINE, "x-access-token", "The user of HTTP basic authentication."),
        Field::optional("passwordFile", PATH, "The file that holds the password or token on its first line."),
        Field::optional("sshKeyFile", PATH, "The private SSH key."),
        Field::optional("knownHostsFile", PATH, "The host keys that are trusted; those of the agent's user without it."),
    ],
    choice: &[
        Alternative { needs: &["passwordFile"], with: &["username"] },
        Alternative { needs: &["sshKeyFile"], with: &["knownHostsFile"] },
    ],
};

static COMMIT: Object = Object {
    doc: "Who writes the reverts.",
    fields: &[
        Field::default("name", LINE, "revertd", "The author's and committer's name."),
        Field::default("email", Kind::Text(Form::Email), "revertd@localhost", "The author's and committer's address."),
        Field::optional("signingKeyFile", PATH, "An OpenSSH private key (ed25519 or RSA, without passphrase) to sign with."),
        Field::later("branchPrefix"),
        Field::later("subject"),
        Field::later("signOff"),
    ],
    choice: &[],
};

static REPOSITORY_LIMITS: Object = Object {
    doc: "The budgets of all policies of a repository together. Every window holds.",
    fields: &[
        Field::default("propose", BUDGETS, "{count: 10, per: 24h}", "At most so many proposals in so long."),
        Field::default("merge", BUDGETS, "[{count: 1, per: 1h}, {count: 4, per: 24h}]", "At most so many merged reverts in so long."),
    ],
    choice: &[],
};

static POLICY_LIMITS: Object = Object {
    doc: "The budgets of the policy. Every window holds.",
    fields: &[
        Field::default("propose", BUDGETS, "[]", "At most so many proposals in so long; only the repository's budget without it."),
        Field::default("merge", BUDGETS, "{count: 1, per: 6h}", "At most so many merged reverts in so long."),
    ],
    choice: &[],
};

static LIMIT: Object = Object {
    doc: "At most so many in so long.",
    fields: &[
        Field::required("count", Kind::Integer(0, 100_000), "How many; 0 forbids."),
        Field::required("per", Kind::Duration(seconds(1), days(366)), "In how long."),
    ],
    choice: &[],
};

static SYNC_SOURCE: Object = Object {
    doc: "A named sync source.",
    fields: &[
        Field::required("name", NAME, "The name that policies use."),
        Field::optional("lag", Kind::Duration(NONE, days(1)), "A change is assumed to be applied at the latest this long after it landed."),
        Field::optional("argocd", Kind::Object(&ARGOCD), "Argo CD, through its REST API; policies name the `application`."),
        Field::optional(
            "flux",
            Kind::Object(&FLUX),
            "Flux, through the Kubernetes API; policies name the `kustomization` or `helmRelease`.",
        ),
        Field::later("commitStatus"),
        Field::optional(
            "revisionMetric",
            Kind::Object(&REVISION_METRIC),
            "A metric with the running revision; policies write the `query`.",
        ),
    ],
    choice: &[
        Alternative { needs: &["lag"], with: &[] },
        Alternative { needs: &["argocd"], with: &[] },
        Alternative { needs: &["flux"], with: &[] },
        Alternative { needs: &["revisionMetric"], with: &[] },
    ],
};

static EMPTY: Object = Object { doc: "Nothing more is needed: `{}`.", fields: &[], choice: &[] };

static ARGOCD: Object = Object {
    doc: "An Argo CD.",
    fields: &[
        Field::required("url", Kind::Text(Form::HttpUrl), "Its address, without /api/v1."),
        Field::required("tokenFile", PATH, "The file that holds an API token on its first line; `get` on applications is enough."),
        Field::optional("caFile", PATH, "Certificate authorities (PEM) to trust instead of the system's."),
    ],
    choice: &[],
};

static FLUX: Object = Object {
    doc: "A cluster with Flux. `get` on Kustomizations, HelmReleases, HelmCharts and GitRepositories is enough.",
    fields: &[
        Field::optional("inCluster", Kind::Object(&EMPTY), "The cluster that the agent runs in, as its service account."),
        Field::optional("kubeconfig", PATH, "A kubeconfig with a token or a client certificate."),
        Field::optional("context", LINE, "One of its contexts; its current one without it."),
    ],
    choice: &[Alternative { needs: &["inCluster"], with: &[] }, Alternative { needs: &["kubeconfig"], with: &["context"] }],
};

static REVISION_METRIC: Object = Object {
    doc: "A metric with the running revision in a label.",
    fields: &[
        Field::required("server", NAME, "One of the agent's metrics servers."),
        Field::default("label", NAME, "revision", "The label that holds the whole commit id, alone or as `main@sha1:…`."),
    ],
    choice: &[],
};

static METRICS: Object = Object {
    doc: "A metrics server.",
    fields: &[
        Field::required("name", NAME, "The name that policies use."),
        Field::optional("prometheus", Kind::Object(&PROMETHEUS_SERVER), "A server with the HTTP API of Prometheus."),
        Field::optional("alertmanager", Kind::Object(&ALERTMANAGER), "An Alertmanager, for indicators `alert`: it knows silences."),
    ],
    choice: &[Alternative { needs: &["prometheus"], with: &[] }, Alternative { needs: &["alertmanager"], with: &[] }],
};

static ALERTMANAGER: Object = Object {
    doc: "An Alertmanager, for indicators `alert`. An alert that is silenced, inhibited or muted there is neither good nor bad.",
    fields: &[
        Field::required("url", Kind::Text(Form::HttpUrl), "Its base address, without /api/v2."),
        Field::default("headers", Kind::Map(Form::Secret), "{}", "Headers of every request. Their values are shown nowhere."),
        Field::optional("bearerTokenFile", PATH, "The file that holds a bearer token on its first line."),
        Field::default(
            "watchdog",
            LINE,
            "Watchdog",
            "The name of an alert that always fires. While it is absent, alerts do not reach the server, and everything is unknown.",
        ),
    ],
    choice: &[],
};

static PROMETHEUS_SERVER: Object = Object {
    doc: "A server with the HTTP API of Prometheus.",
    fields: &[
        Field::required("url", Kind::Text(Form::HttpUrl), "Its base address, without /api/v1."),
        Field::default("headers", Kind::Map(Form::Secret), "{}", "Headers of every request. Their values are shown nowhere."),
        Field::optional("bearerTokenFile", PATH, "The file that holds a bearer token on its first line."),
        Field::default(
            "ingestDelay",
            Kind::Duration(NONE, minutes(60)),
            "0s",
            "Rounds end that long before now, for servers that get samples late.",
        ),
    ],
    choice: &[],
};

static CONTROL: Object = Object {
    doc: "What must answer for the agent to believe its own probes.",
    fields: &[Field::required("http", Kind::Object(&CONTROL_HTTP), "The request.")],
    choice: &[],
};

static CONTROL_HTTP: Object = Object {
    doc: "The request of a control. It is sent with every round that it speaks for.",
    fields: &[
        Field::required("url", Kind::Text(Form::HttpUrl), "The address."),
        Field::default("timeout", Kind::Duration(millis(10), minutes(1)), "2s", "The limit for the whole answer."),
        Field::default("expect", Kind::Object(&EXPECT), "{}", "What a good answer is."),
    ],
    choice: &[],
};

static NOTIFIER: Object = Object {
    doc: "A chat or a pager. Tokens and webhook addresses are secrets: they stand in files, which are read for each message.",
    fields: &[
        Field::required("name", NAME, "The name that policies use."),
        Field::optional("slack", Kind::Object(&SLACK), "Slack, as an app or through an incoming webhook."),
        Field::optional("mattermost", Kind::Object(&MATTERMOST), "Mattermost, through an incoming webhook."),
        Field::optional("discord", Kind::Object(&DISCORD), "Discord, through a webhook of a channel."),
        Field::optional("teams", Kind::Object(&TEAMS), "Microsoft Teams, through the webhook of a workflow."),
        Field::optional("pagerduty", Kind::Object(&PAGERDUTY), "PagerDuty, through its Events API v2."),
        Field::optional("webhook", Kind::Object(&WEBHOOK), "Signed JSON for a receiver of your own."),
    ],
    choice: &[
        Alternative { needs: &["slack"], with: &[] },
        Alternative { needs: &["mattermost"], with: &[] },
        Alternative { needs: &["discord"], with: &[] },
        Alternative { needs: &["teams"], with: &[] },
        Alternative { needs: &["pagerduty"], with: &[] },
        Alternative { needs: &["webhook"], with: &[] },
    ],
};

static SLACK: Object = Object {
    doc: "Slack, as an app or through an incoming webhook. Only an app can go on in a thread.",
    fields: &[
        Field::optional("channel", CHANNEL, "The channel; `$team` or `${team}` stands for a label of the policy: `#$team-oncall`."),
        Field::optional("tokenFile", PATH, "The file that holds the bot token of the app on its first line."),
        Field::default("url", Kind::Text(Form::HttpUrl), "https://slack.com/api", "The address of the Web API; GovSlack has another."),
        Field::optional("webhookFile", PATH, "The file that holds the address of an incoming webhook on its first line."),
    ],
    choice: &[Alternative { needs: &["channel", "tokenFile"], with: &["url"] }, Alternative { needs: &["webhookFile"], with: &[] }],
};

static MATTERMOST: Object = Object {
    doc: "Mattermost, through an incoming webhook.",
    fields: &[
        Field::required("webhookFile", PATH, "The file that holds the address of the webhook on its first line."),
        Field::optional("channel", CHANNEL, "Another channel than the webhook's own; labels of the policy may stand in it, as in Slack's."),
    ],
    choice: &[],
};

static DISCORD: Object = Object {
    doc: "Discord, through a webhook of a channel.",
    fields: &[Field::required("webhookFile", PATH, "The file that holds the address of the webhook on its first line.")],
    choice: &[],
};

static TEAMS: Object = Object {
    doc: "Microsoft Teams, through the webhook of a workflow.",
    fields: &[Field::required("webhookFile", PATH, "The file that holds the address of the webhook on its first line.")],
    choice: &[],
};

static PAGERDUTY: Object = Object {
    doc: "PagerDuty, through its Events API v2.",
    fields: &[
        Field::required("routingKeyFile", PATH, "The file that holds the integration key on its first line."),
        Field::default(
            "url",
            Kind::Text(Form::HttpUrl),
            "https://events.pagerduty.com",
            "The address of the Events API; accounts in Europe have another.",
        ),
    ],
    choice: &[],
};

static WEBHOOK: Object = Object {
    doc: "Signed JSON for a receiver of your own.",
    fields: &[
        Field::required("urlFile", PATH, "The file that holds the receiver's address on its first line."),
        Field::required("secretFile", PATH, "The file that holds the secret to sign with (HMAC-SHA256) on its first line."),
    ],
    choice: &[],
};

static ENVIRONMENT: Object = Object {
    doc: "An environment with a ceiling of its own.",
    fields: &[
        Field::required("name", NAME, "The name that policies use."),
        Field::optional("maxMode", Kind::Word(MODES), "The highest mode that a policy can reach in this environment."),
    ],
    choice: &[],
};

static POLICY: Object = Object {
    doc: "One service's rules.",
    fields: &[
        Field::required("repository", NAME, "The repository that the paths are in, by the agent's name for it."),
        Field::optional("environment", NAME, "The environment whose ceiling holds."),
        Field::required(
            "paths",
            Kind::List(&Kind::Text(Form::Glob), 1, &["auto"]),
            "Globs for the paths that the service owns, matched against old and new path; `*` does not cross a `/`, `**` does.",
        ),
        Field::default("exclude", GLOBS, "[]", "Globs that take paths out again."),
        Field::default("sync", Kind::Object(&POLICY_SYNC), "{lag: 3m}", "How it is known which revision runs."),
        Field::default("dependsOn", Kind::List(&NAME, 0, &[]), "[]", "Policies of the services that this one needs."),
        Field::required("slos", Kind::List(&Kind::Object(&SLO), 1, &[]), "How the service's health is measured."),
        Field::default("breachWhen", Kind::WordOr(&["any", "all"], &AT_LEAST), "any", "How many of the SLOs make a breach."),
        Field::default("revert", Kind::Object(&REVERT), "{}", "What may be done about a breach."),
        Field::default("guardrails", Kind::Object(&GUARDRAILS), "{}", "What limits it."),
        Field::default("approval", Kind::Object(&APPROVAL), "{}", "How approvals work."),
        Field::default("verify", Kind::Object(&VERIFY), "{}", "How the recovery is judged."),
        Field::default("links", Kind::Map(Form::HttpUrl), "{}", "Addresses to show, by name."),
        Field::default("notify", Kind::List(&NAME, 0, &[]), "[]", "Which of the agent's notifiers are told."),
        Field::later("instances"),
    ],
    choice: &[],
};

static POLICY_SYNC: Object = Object {
    doc: "How it is known which revision runs.",
    fields: &[
        Field::optional("lag", Kind::Duration(NONE, days(1)), "A change is assumed to be applied at the latest this long after it landed."),
        Field::optional("source", NAME, "One of the agent's sync sources."),
        Field::optional("application", LINE, "The Argo CD application."),
        Field::optional("namespace", NAME, "The application's namespace, where Argo CD has applications in any."),
        Field::optional("project", LINE, "The application's project, where the token is a project's."),
        Field::optional("kustomization", Kind::Object(&NAMESPACED), "The Flux Kustomization."),
        Field::optional("helmRelease", Kind::Object(&NAMESPACED), "The Flux HelmRelease; a Kustomization must have applied it."),
        Field::later("context"),
        Field::optional("query", Kind::Text(Form::Query), "The PromQL query whose series carry the running revision."),
    ],
    choice: &[
        Alternative { needs: &["lag"], with: &[] },
        Alternative { needs: &["source"], with: &["application", "namespace", "project", "kustomization", "helmRelease", "query"] },
    ],
};

static NAMESPACED: Object = Object {
    doc: "An object in a cluster.",
    fields: &[Field::required("namespace", NAME, "Its namespace."), Field::required("name", LINE, "Its name.")],
    choice: &[],
};

static SLO: Object = Object {
    doc: "An indicator, its objective and its alert.",
    fields: &[
        Field::required("name", NAME, "Its name within the policy."),
        Field::required("indicator", Kind::Object(&INDICATOR), "How it is measured."),
        Field::default("objective", Kind::Object(&OBJECTIVE), "{}", "The target."),
        Field::default(
            "alerts",
            Kind::List(&Kind::Object(&ALERT), 1, &[]),
            "[{failing: {count: 3, of: 5}}]",
            "When it breaches; one alert per SLO.",
        ),
        Field::later("role"),
    ],
    choice: &[],
};

static INDICATOR: Object = Object {
    doc: "How health is measured.",
    fields: &[
        Field::optional("http", Kind::Object(&HTTP), "An HTTP request per round."),
        Field::optional("prometheus", Kind::Object(&PROMETHEUS), "A Prometheus query per round."),
        Field::later("workload"),
        Field::optional("alert", Kind::Object(&ALERT_INDICATOR), "Whether an alert of Prometheus, Mimir or Alertmanager fires."),
        Field::later("json"),
    ],
    choice: &[
        Alternative { needs: &["http"], with: &[] },
        Alternative { needs: &["prometheus"], with: &[] },
        Alternative { needs: &["alert"], with: &[] },
    ],
};

static ALERT_INDICATOR: Object = Object {
    doc: "Whether an alert fires, asked anew in each round. A silenced, inhibited, muted or pending alert is neither good nor bad; only an \
          Alertmanager knows silences.",
    fields: &[
        Field::required("server", NAME, "One of the agent's metrics servers."),
        Field::required("name", LINE, "The name of the alerting rule."),
        Field::default("labels", Kind::Map(Form::Line), "{}", "Labels that the alert must have, with exactly these values."),
        Field::default(
            "every",
            Kind::Duration(seconds(1), days(1)),
            "15s",
            "The time from the start of one round to the start of the next.",
        ),
        Field::default(
            "maxStaleness",
            Kind::Duration(seconds(1), days(1)),
            "2m",
            "A rule of a Prometheus that was last evaluated longer ago says nothing.",
        ),
    ],
    choice: &[],
};

static HTTP: Object = Object {
    doc: "An HTTP request per round. A complete answer that is not as expected is bad.",
    fields: &[
        Field::required(
            "url",
            Kind::Text(Form::HttpUrl),
            "The address of something that users do; a redirect is an answer with that status.",
        ),
        Field::default(
            "every",
            Kind::Duration(millis(100), days(1)),
            "10s",
            "The time from the start of one round to the start of the next.",
        ),
        Field::default("timeout", Kind::Duration(millis(10), minutes(1)), "2s", "The limit for the whole answer."),
        Field::default("expect", Kind::Object(&EXPECT), "{}", "What a good answer is."),
        Field::default(
            "unreachable",
            Kind::Word(&["unknown", "bad"]),
            "unknown",
            "What no complete answer means: not measured, or bad if every control answered in the same round.",
        ),
    ],
    choice: &[],
};

static EXPECT: Object = Object {
    doc: "What a good answer is.",
    fields: &[Field::default("status", Kind::List(&Kind::Integer(100, 599), 1, &[]), "[200]", "The status codes of a good answer.")],
    choice: &[],
};

static PROMETHEUS: Object = Object {
    doc: "A Prometheus query per round: one value, or good and total events.",
    fields: &[
        Field::required("server", NAME, "One of the agent's metrics servers."),
        Field::default(
            "every",
            Kind::Duration(seconds(1), days(1)),
            "1m",
            "The time from one round to the next and the length of `$window`; at least four scrapes.",
        ),
        Field::optional("query", Kind::Text(Form::Query), "One value, judged by `max` and `min` of the objective."),
        Field::optional("good", Kind::Text(Form::Query), "Good events over `$window`: `sum(increase(…[$window]))`."),
        Field::optional("total", Kind::Text(Form::Query), "All events over `$window`."),
        Field::required(
            "freshness",
            Kind::Text(Form::Selector),
            "The selector whose newest sample says how old the data is; without it a service that has died reads 100 % for minutes.",
        ),
        Field::default("maxStaleness", Kind::Duration(seconds(1), days(1)), "1m", "Older samples are no data."),
    ],
    choice: &[Alternative { needs: &["query"], with: &[] }, Alternative { needs: &["good", "total"], with: &[] }],
};

static OBJECTIVE: Object = Object {
    doc: "The target of an SLO.",
    fields: &[
        Field::optional("target", Kind::Ratio, "The share of good events or rounds: `99.5%` or `0.995`."),
        Field::optional("max", Kind::Number(None), "A value over this is bad."),
        Field::optional("min", Kind::Number(None), "A value under this is bad."),
        Field::optional("timeWindow", Kind::Duration(minutes(1), days(366)), "The window of the error budget; no alert uses it."),
    ],
    choice: &[],
};

static ALERT: Object = Object {
    doc: "When an SLO breaches and when it has recovered.",
    fields: &[
        Field::optional("failing", Kind::Object(&FAILING), "At least `count` of the last `of` rounds were bad."),
        Field::optional(
            "burnRate",
            Kind::Object(&BURN_RATE),
            "The error ratio is over factor × (1 − target) in both windows (Google SRE workbook, chapter 5).",
        ),
        Field::default("minEvents", Kind::Integer(0, 1_000_000_000_000), "100", "The fewest events in the long window that say anything."),
        Field::optional("recover", Kind::Object(&RECOVER), "When the breach has ended, instead of the alert's own way."),
        Field::later("upTo"),
    ],
    choice: &[
        Alternative { needs: &["failing"], with: &["recover"] },
        Alternative { needs: &["burnRate"], with: &["minEvents", "recover"] },
    ],
};

static FAILING: Object = Object {
    doc: "At least `count` of the last `of` rounds were bad.",
    fields: &[
        Field::required("count", Kind::Integer(1, 1000), "How many bad rounds."),
        Field::required("of", Kind::Integer(1, 1000), "Among how many rounds."),
    ],
    choice: &[],
};

static BURN_RATE: Object = Object {
    doc: "The error ratio is over factor × (1 − target) in both windows.",
    fields: &[
        Field::required("factor", Kind::Number(Some(0.0)), "How many times faster than sustainable."),
        Field::required("long", Kind::Duration(seconds(1), days(30)), "The long window."),
        Field::required("short", Kind::Duration(seconds(1), days(30)), "The short window."),
        Field::default("sinceChange", Kind::Flag, "false", "Whether the long window is cut at the newest change of the service."),
    ],
    choice: &[],
};

static RECOVER: Object = Object {
    doc: "When the breach has ended.",
    fields: &[Field::required("good", Kind::Integer(1, 1000), "After so many good rounds in a row.")],
    choice: &[],
};

static AT_LEAST: Object =
    Object { doc: "So many SLOs.", fields: &[Field::required("atLeast", Kind::Integer(1, 1000), "How many of the SLOs.")], choice: &[] };

static REVERT: Object = Object {
    doc: "What may be done about a breach.",
    fields: &[
        Field::default(
            "mode",
            Kind::Word(MODES),
            "propose",
            "Record only, open a proposal, or merge the revert when every gate allows it.",
        ),
        Field::default(
            "scope",
            Kind::Word(&["commit", "paths"]),
            "commit",
            "What of a change is reverted: the whole commit, or what it did to the paths that the service owns.",
        ),
        Field::default(
            "settle",
            Kind::Duration(NONE, days(1)),
            "60s",
            "Bad rounds that start during a rollout or this long after it count once they have lasted this long.",
        ),
        Field::default(
            "attributeWithin",
            Kind::Duration(seconds(1), days(7)),
            "30m",
            "A change applied longer than this before the breach is proposed at most.",
        ),
        Field::default("maxAge", Kind::Object(&MAX_AGE), "{}", "The oldest change that may be reverted, from landing to now."),
    ],
    choice: &[],
};

static MAX_AGE: Object = Object {
    doc: "The oldest change that may be reverted, from landing to now.",
    fields: &[
        Field::default("merge", Kind::Duration(seconds(1), days(366)), "2h", "By a merge."),
        Field::default("propose", Kind::Duration(seconds(1), days(366)), "24h", "By a proposal."),
    ],
    choice: &[],
};

static GUARDRAILS: Object = Object {
    doc: "What limits reverts.",
    fields: &[
        Field::default(
            "cooldown",
            Kind::Duration(NONE, days(30)),
            "30m",
            "No merge sooner than this after the last merged revert of the policy.",
        ),
        Field::default("limits", Kind::Object(&POLICY_LIMITS), "{}", "The budgets of the policy."),
        Field::default("hours", Kind::Object(&HOURS), "{}", "When reverts may be merged without an approval."),
        Field::default(
            "maintenance",
            Kind::List(&Kind::Object(&WINDOW), 0, &[]),
            "[]",
            "Windows in which breaches are expected: nothing is proposed or merged without an approval.",
        ),
        Field::default(
            "maxServices",
            Kind::Integer(1, 10_000),
            "1",
            "A revert that touches more services than this is not merged without an approval.",
        ),
        Field::default(
            "maxObjects",
            Kind::Integer(1, 100_000),
            "20",
            "A revert that changes more objects than this is not merged without an approval.",
        ),
        Field::later("healthyFor"),
        Field::default(
            "neverBackTo",
            Kind::List(&LINE, 0, &[]),
            "[]",
            "Digests (`sha256:…`), tags (`1.4.1`) or images (`shop/checkout:1.4.1`) that no revert goes back to: a revert that would is proposed, \
             and revertd never merges it, with or without an approval.",
        ),
        Field::default("never", Kind::Object(&NEVER), "{}", "Changes that are never reverted, and not proposed to be."),
        Field::later("ask"),
        Field::later("render"),
    ],
    choice: &[],
};

static NEVER: Object = Object {
    doc: "Changes that are never reverted, and not proposed to be.",
    fields: &[
        Field::default(
            "authors",
            Kind::List(&LINE, 0, &[]),
            "[]",
            "Names or addresses of authors as their commits say; upper and lower case are the same.",
        ),
        Field::default("paths", GLOBS, "[]", "Globs for paths: a change of one of them is never reverted."),
    ],
    choice: &[],
};

static HOURS: Object = Object {
    doc: "When reverts may be merged without an approval.",
    fields: &[Field::default(
        "merge",
        Kind::List(&Kind::Object(&WINDOW), 0, &[]),
        "[]",
        "The windows in which merging is allowed; always, without one. Proposals are made at any hour.",
    )],
    choice: &[],
};

static WINDOW: Object = Object {
    doc: "A window of time that opens again and again.",
    fields: &[
        Field::required(
            "schedule",
            Kind::Text(Form::Schedule),
            "When it opens: `minute hour day-of-month month day-of-week`, Monday is 1; as in `0 18 * * MON-FRI`.",
        ),
        Field::default(
            "timeZone",
            Kind::Text(Form::TimeZone),
            "Etc/UTC",
            "The IANA name of the zone whose clock the schedule means, as in `Europe/Berlin`.",
        ),
        Field::required("for", Kind::Duration(minutes(1), days(366)), "How long it stays open, in real time."),
    ],
    choice: &[],
};

static APPROVAL: Object = Object {
    doc: "How approvals work.",
    fields: &[
        Field::default("expires", Kind::Duration(seconds(1), days(30)), "4h", "How long an approval counts."),
        Field::default(
            "from",
            Kind::List(&Kind::WordOr(&["codeowners"], &APPROVER), 1, &[]),
            "[{role: write}]",
            "Who may approve by a comment or a review on the forge; any of these makes an approver.",
        ),
        Field::default("count", Kind::Integer(1, 20), "1", "How many different people."),
        Field::optional(
            "notAuthorOfChange",
            Kind::Flag,
            "Whether the author of the change may not approve its revert; without it, only where the revert is not an exact inverse of ordinary \
             manifests. The author never forces.",
        ),
        Field::default(
            "force",
            Kind::List(&Kind::Object(&APPROVER), 0, &[]),
            "[]",
            "Who may force with `/revertd force REASON`, which lifts the budgets too; nobody where it is empty.",
        ),
        Field::optional("ifSilent", Kind::Object(&IF_SILENT), "What happens when nobody answers."),
    ],
    choice: &[],
};

static IF_SILENT: Object = Object {
    doc: "What happens when nobody answers a proposal.",
    fields: &[
        Field::required(
            "after",
            Kind::Duration(seconds(1), days(7)),
            "How long nobody answers, from the moment at which it could be seen.",
        ),
        Field::required(
            "then",
            Kind::Word(SILENCES),
            "`escalate` tells it again, `withdraw` takes the proposal back, `merge` counts the policy's own mode as `merge`: every ceiling and \
             every other guardrail of the merge gate holds.",
        ),
    ],
    choice: &[],
};

static APPROVER: Object = Object {
    doc: "What makes a person an approver, asked of the forge at the time.",
    fields: &[
        Field::optional("team", LINE, "Members of this team, `organisation/team`."),
        Field::optional("user", LINE, "The account with this login."),
        Field::optional("role", Kind::Word(ROLES), "Who has at least this role in the repository."),
    ],
    choice: &[
        Alternative { needs: &["team"], with: &[] },
        Alternative { needs: &["user"], with: &[] },
        Alternative { needs: &["role"], with: &[] },
    ],
};

static VERIFY: Object = Object {
    doc: "How the recovery is judged.",
    fields: &[
        Field::default("recoverWithin", Kind::Duration(seconds(1), days(7)), "15m", "Not recovered when it has not by then."),
        Field::default("holdFor", Kind::Duration(seconds(1), days(7)), "3m", "Recovered once healthy for this long."),
        Field::later("checks"),
    ],
    choice: &[],
};
