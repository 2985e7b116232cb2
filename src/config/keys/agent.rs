//! The keys of the agent file: repositories, forges, sync sources, servers, notifiers and environments.
//!
//! A table and nothing else: one entry for each key, with its meaning, its limits and its default.

use super::super::shape::{Alternative, Field, Form, Kind, Object};
use super::policy::EXPECT;
use super::{BUDGETS, CHANNEL, GLOBS, LINE, MODES, NAME, NONE, PATH, days, millis, minutes, seconds};

pub(super) static AGENT: Object = Object {
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
            "Files of policies and OpenSLO documents, and directories of such *.yaml and *.yml files.",
        ),
        Field::optional(
            "templates",
            PATH,
            "A directory with templates of your own, each in place of the one that is built in: title.txt, proposal.md, reapply.md, sticky.md, report.md, \
             commit.txt.",
        ),
        Field::default("notifiers", Kind::List(&Kind::Object(&NOTIFIER), 0, &[]), "[]", "Chats and pagers that policies refer to."),
        Field::default(
            "render",
            Kind::List(&Kind::Object(&RENDER), 0, &[]),
            "[]",
            "Commands that policies may name in `guardrails.render`; only this file can say what is run.",
        ),
        Field::optional("ask", Kind::Object(&ASKING), "How questions of `guardrails.ask` are signed; needed where a policy has one."),
        Field::default("stop", Kind::Object(&STOP), "{}", "Kill switches besides the file `.revertd/STOP` on a watched branch."),
    ],
    choice: &[],
};

static RENDER: Object = Object {
    doc: "A command that reads the files of a service as a revert would leave them, in a directory of its own, and ends with 0 if they are fine.",
    fields: &[
        Field::required("name", NAME, "The name that policies use."),
        Field::required(
            "command",
            Kind::List(&LINE, 1, &[]),
            "The program and its arguments, without a shell. `$policy` in an argument is the name of the policy.",
        ),
        Field::default(
            "timeout",
            Kind::Duration(millis(100), minutes(2)),
            "20s",
            "Then it is ended, and has not passed; a pass waits for it.",
        ),
    ],
    choice: &[],
};

static ASKING: Object = Object {
    doc: "How questions of `guardrails.ask` are signed.",
    fields: &[Field::required("secretFile", PATH, "The file with the secret that signs them (HMAC-SHA256), on its first line.")],
    choice: &[],
};

static STOP: Object = Object {
    doc: "Kill switches besides the file `.revertd/STOP` on a watched branch. What cannot be read counts as a stop.",
    fields: &[
        Field::optional("file", PATH, "While this file is there, nothing is proposed or merged; its directory must be there."),
        Field::optional(
            "issueLabel",
            LINE,
            "While an open issue has this label, put on by somebody who may write, nothing is proposed or merged in its repository. Needs a forge.",
        ),
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
        Field::default(
            "protect",
            GLOBS,
            "[]",
            "Globs for paths that no revert changes without an approval, as the agent's own manifests. Policies of revertd, continuous \
             integration and CODEOWNERS are protected in any case.",
        ),
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

pub(super) static POLICY_LIMITS: Object = Object {
    doc: "The budgets of the policy. Every window holds.",
    fields: &[
        Field::default("propose", BUDGETS, "[]", "At most so many proposals in so long; only the repository's budget without it."),
        Field::default("merge", BUDGETS, "{count: 1, per: 6h}", "At most so many merged reverts in so long."),
    ],
    choice: &[],
};

pub(super) static LIMIT: Object = Object {
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
        Field::optional(
            "commitStatus",
            Kind::Object(&COMMIT_STATUS),
            "What Flux's or Argo CD's notification controller writes on commits, read from the repository's forge; policies name the `context`.",
        ),
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
        Alternative { needs: &["commitStatus"], with: &[] },
        Alternative { needs: &["revisionMetric"], with: &[] },
    ],
};

static COMMIT_STATUS: Object = Object {
    doc: "Commit statuses of a sync tool. Where creators are named, nobody else is believed about what runs; without any, whoever writes them is.",
    fields: &[Field::optional(
        "creator",
        Kind::OneOrMany(&LINE),
        "The login, or the logins, that write them: `acme-bot`, or `acme-flux[bot]` for a GitHub App.",
    )],
    choice: &[],
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

static FLUX: Object =
    Object { doc: "A cluster with Flux. `get` on Kustomizations, HelmReleases, HelmCharts and GitRepositories is enough.", ..CLUSTER };

static CLUSTER: Object = Object {
    doc: "A cluster's API.",
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
        Field::optional(
            "kubernetes",
            Kind::Object(&CLUSTER),
            "A cluster's API, for indicators `workload`; it needs `get` on them and `list` on pods.",
        ),
    ],
    choice: &[
        Alternative { needs: &["prometheus"], with: &[] },
        Alternative { needs: &["alertmanager"], with: &[] },
        Alternative { needs: &["kubernetes"], with: &[] },
    ],
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
