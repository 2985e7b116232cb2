//! The keys of a policy: paths, objectives, what may be reverted, what limits it, who approves and how a recovery is judged.
//!
//! A table and nothing else: one entry for each key, with its meaning, its limits and its default.

use super::super::shape::{Alternative, Field, Form, Kind, Object};
use super::agent::POLICY_LIMITS;
use super::{GLOBS, LINE, MODES, NAME, NONE, ROLES, SILENCES, VARIABLE_NAME, days, millis, minutes, seconds};

pub(super) static POLICY: Object = Object {
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
        Field::optional(
            "slos",
            Kind::List(&Kind::Object(&SLO), 1, &[]),
            "How the service's health is measured; without it, by every OpenSLO document whose `service` is the name of the policy.",
        ),
        Field::default("breachWhen", Kind::WordOr(&["any", "all"], &AT_LEAST), "any", "How many of the SLOs make a breach."),
        Field::default("revert", Kind::Object(&REVERT), "{}", "What may be done about a breach."),
        Field::default("guardrails", Kind::Object(&GUARDRAILS), "{}", "What limits it."),
        Field::default("approval", Kind::Object(&APPROVAL), "{}", "How approvals work."),
        Field::default("verify", Kind::Object(&VERIFY), "{}", "How the recovery is judged."),
        Field::default("links", Kind::Map(Form::HttpUrl), "{}", "Addresses to show, by name."),
        Field::default("notify", Kind::List(&NAME, 0, &[]), "[]", "Which of the agent's notifiers are told."),
        Field::optional(
            "instances",
            Kind::List(&Kind::Object(&INSTANCE), 1, &[]),
            "Where the service runs, if in more than one place: each is measured and followed on its own.",
        ),
    ],
    choice: &[],
};

static INSTANCE: Object = Object {
    doc: "One place where the service runs. `$cluster`, `$env` and its labels can be used in queries, inside quotes, in addresses, and in the \
          names of workloads, of their servers and of what is followed.",
    fields: &[
        Field::optional("name", NAME, "Its name; that of its cluster without one."),
        Field::optional("cluster", LINE, "The cluster: `$cluster`."),
        Field::default("labels", Kind::Map(Form::Line), "{}", "Labels, each a variable: `$region`. They go before those of the policy."),
        Field::optional(
            "sync",
            Kind::TextOr(Form::Name, &POLICY_SYNC),
            "How it is known which revision runs there: one of the agent's sync sources, or an object as for the policy, which stands in for it.",
        ),
        Field::optional("application", LINE, "The Argo CD application there, where `sync` is no object."),
    ],
    choice: &[],
};

static POLICY_SYNC: Object = Object {
    doc: "How it is known which revision runs.",
    fields: &[
        Field::optional("lag", Kind::Duration(NONE, days(1)), "A change is assumed to be applied at the latest this long after it landed."),
        Field::optional("source", NAME, "One of the agent's sync sources."),
        Field::optional("application", LINE, "The Argo CD application."),
        Field::optional("namespace", VARIABLE_NAME, "The application's namespace, where Argo CD has applications in any."),
        Field::optional("project", LINE, "The application's project, where the token is a project's."),
        Field::optional("kustomization", Kind::Object(&NAMESPACED), "The Flux Kustomization."),
        Field::optional("helmRelease", Kind::Object(&NAMESPACED), "The Flux HelmRelease; a Kustomization must have applied it."),
        Field::optional(
            "context",
            LINE,
            "The context of the commit statuses, as `kustomization/checkout/*` or `continuous-delivery/checkout`; `*` only at its end.",
        ),
        Field::optional("query", Kind::Text(Form::Query), "The PromQL query whose series carry the running revision."),
    ],
    choice: &[
        Alternative { needs: &["lag"], with: &[] },
        Alternative {
            needs: &["source"],
            with: &["application", "namespace", "project", "kustomization", "helmRelease", "context", "query"],
        },
    ],
};

static NAMESPACED: Object = Object {
    doc: "An object in a cluster.",
    fields: &[Field::required("namespace", VARIABLE_NAME, "Its namespace."), Field::required("name", LINE, "Its name.")],
    choice: &[],
};

pub static SLO: Object = Object {
    doc: "An indicator, its objective and its alert; or an OpenSLO document that says them.",
    fields: &[
        Field::optional("name", NAME, "Its name within the policy."),
        Field::optional("indicator", Kind::Object(&INDICATOR), "How it is measured."),
        Field::optional("openslo", LINE, "An OpenSLO document of the kind `SLO` among the policy files, by its name."),
        Field::optional("server", NAME, "One of the agent's metrics servers, instead of the document's data source."),
        Field::optional(
            "every",
            Kind::Duration(seconds(1), days(1)),
            "The time from one round to the next and the length of `$window`, instead of `1m`.",
        ),
        Field::optional("freshness", Kind::Text(Form::Selector), "Says how old the data is, instead of the first metric of its query."),
        Field::optional("maxStaleness", Kind::Duration(seconds(1), days(1)), "Older samples are no data, instead of `1m`."),
        Field::optional("targets", Kind::Text(Form::Selector), "The selector of the service's own scrape targets."),
        Field::default("objective", Kind::Object(&OBJECTIVE), "{}", "The target."),
        Field::default(
            "alerts",
            Kind::List(&Kind::Object(&ALERT), 1, &[]),
            "[{failing: {count: 3, of: 5}}]",
            "When it breaches; of several that fire, the one that may reach the most. Beside `openslo`, instead of what the document gives: \
             the burn rates of its alert policies; without any, 14.4 over 1h and 5m, which may merge; `failing: {count: 3, of: 5}` for a raw \
             ratio or a threshold.",
        ),
        Field::default(
            "role",
            Kind::Word(&["trigger", "corroborate", "report"]),
            "trigger",
            "Whether it can breach; or opens no incident, and a merge without an approval needs it not healthy; or is only shown.",
        ),
    ],
    choice: &[
        Alternative { needs: &["name", "indicator"], with: &["objective"] },
        Alternative { needs: &["openslo"], with: &["server", "every", "freshness", "maxStaleness", "targets"] },
    ],
};

static INDICATOR: Object = Object {
    doc: "How health is measured.",
    fields: &[
        Field::optional("http", Kind::Object(&HTTP), "An HTTP request per round."),
        Field::optional("prometheus", Kind::Object(&PROMETHEUS), "A Prometheus query per round."),
        Field::optional("alert", Kind::Object(&ALERT_INDICATOR), "Whether an alert of Prometheus, Mimir or Alertmanager fires."),
        Field::optional("workload", Kind::Object(&WORKLOAD), "Whether a Deployment, StatefulSet or DaemonSet is ready."),
        Field::later("json"),
    ],
    choice: &[
        Alternative { needs: &["http"], with: &[] },
        Alternative { needs: &["prometheus"], with: &[] },
        Alternative { needs: &["alert"], with: &[] },
        Alternative { needs: &["workload"], with: &[] },
    ],
};

static WORKLOAD: Object = Object {
    doc: "Whether a workload of a cluster is ready: bad when fewer pods are ready than it asks for (during a rollout, than its strategy allows), \
          when pods crash again and again, or when a rollout does not get on.",
    fields: &[
        Field::required("server", VARIABLE_NAME, "One of the agent's servers of the kind `kubernetes`; with instances, as `$cluster`."),
        Field::required("kind", Kind::Word(&["Deployment", "StatefulSet", "DaemonSet"]), "What it is."),
        Field::required("namespace", VARIABLE_NAME, "Its namespace."),
        Field::required("name", LINE, "Its name."),
        Field::default(
            "every",
            Kind::Duration(seconds(1), days(1)),
            "15s",
            "The time from the start of one round to the start of the next.",
        ),
    ],
    choice: &[],
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
            Kind::Text(Form::ProbedUrl),
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

pub(super) static EXPECT: Object = Object {
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
        Field::optional(
            "targets",
            Kind::Text(Form::Selector),
            "The selector of the service's own scrape targets, such as `up{app=\"checkout\"}`: no data while all of them are down is bad, at most for a proposal.",
        ),
        Field::optional(
            "versionLabel",
            Kind::Text(Form::LabelName),
            "The label of the metric that tells versions apart: the version from before a change is laid beside the new one. The queries have it as `version=~\"$version\"`.",
        ),
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
        Field::default("upTo", Kind::Word(MODES), "merge", "The highest mode that this alert alone can reach."),
    ],
    choice: &[
        Alternative { needs: &["failing"], with: &["recover", "upTo"] },
        Alternative { needs: &["burnRate"], with: &["minEvents", "recover", "upTo"] },
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
            "onSyncFailure",
            Kind::Word(&["propose", "ignore"]),
            "propose",
            "What is done about a change that the sync fails of: its revert is proposed, or nothing. It is never merged without an approval.",
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
        Field::default(
            "healthyFor",
            Kind::Duration(NONE, minutes(360)),
            "30m",
            "A revert is merged without an approval only where it leads back to files that were seen applied and healthy for this long at a time. \
             With 0s they only have to be those that stood before the suspects.",
        ),
        Field::default(
            "neverBackTo",
            Kind::List(&LINE, 0, &[]),
            "[]",
            "Digests (`sha256:…`), tags (`1.4.1`) or images (`shop/checkout:1.4.1`) that no revert goes back to: a revert that would is proposed, \
             and revertd never merges it, with or without an approval.",
        ),
        Field::default("never", Kind::Object(&NEVER), "{}", "Changes that are never reverted, and not proposed to be."),
        Field::optional("ask", Kind::Object(&ASK), "Who is asked right before a merge, with or without an approval, and may only refuse."),
        Field::optional(
            "render",
            NAME,
            "One of the agent's `render` commands: where it passes on the result, the result need not have run healthy before.",
        ),
    ],
    choice: &[],
};

static ASK: Object = Object {
    doc: "Who is asked right before a merge, with or without an approval. Only the answer `{\"allow\": true}` with the status 200 is a yes; no \
          answer, a redirect and anything else is a no.",
    fields: &[
        Field::required("url", Kind::Text(Form::HttpUrl), "The address that the signed question is sent to."),
        Field::default("timeout", Kind::Duration(millis(100), seconds(30)), "5s", "The limit for the whole answer; a pass waits for it."),
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
        Field::default(
            "checks",
            Kind::List(&NAME, 0, &[]),
            "[]",
            "SLOs of any role that must be healthy too before a revert counts as recovered.",
        ),
    ],
    choice: &[],
};
