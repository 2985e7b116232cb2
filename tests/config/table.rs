//! Wrong files: a change to a valid one, with every finding that it gives.

/// What the JSON Schema says of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// It refuses the shape.
    Refuses,
    /// The rule needs more than a schema can say.
    Accepts,
    /// The text is no YAML, or the library reads it in another way.
    NotReached,
}

/// How the valid file is made wrong.
pub enum Edit {
    /// This text, which is there once, becomes that one.
    Replace(&'static str, &'static str),
    /// Another file altogether.
    Whole(&'static str),
}

/// A wrong file.
pub struct Case {
    /// What is wrong.
    pub name: &'static str,
    /// The valid file.
    pub base: &'static str,
    /// How it is made wrong.
    pub edit: Edit,
    /// What the JSON Schema says.
    pub schema: Schema,
    /// `LINE:COLUMN-END message; hint` of every finding, in order.
    pub findings: &'static [&'static str],
}

/// A valid agent file.
pub const AGENT: &str = "\
apiVersion: revertd.dev/v1alpha1
kind: Agent
spec:
  journal: {sqlite: journal.db}
  listen: 127.0.0.1:9464
  network: {allow: [10.0.0.0/8]}
  repositories:
    - name: manifests
      url: https://git.acme.example/manifests.git
      branch: main
      poll: 15s
      forge: {plain: {}}
      credentials: {username: x, passwordFile: token}
      commit: {name: revertd, email: revertd@acme.example}
  sync:
    - {name: cluster, lag: 3m}
  metrics:
    - {name: main, prometheus: {url: http://prometheus:9090, headers: {X-Scope-OrgID: hunter2}}}
  controls:
    - {http: {url: https://status.acme.example/}}
  environments: [{name: prod, maxMode: propose}]
  policies: []
  notifiers: [{name: oncall, slack: {channel: \"#$team-oncall\", tokenFile: slack}}]
";

/// A valid policy with the indicator `http`.
pub const POLICY: &str = "\
apiVersion: revertd.dev/v1alpha1
kind: RevertPolicy
metadata: {name: checkout}
spec:
  repository: manifests
  paths: [\"apps/checkout/**\"]
  slos:
    - name: up
      indicator: {http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}}
      objective: {timeWindow: 30d}
      alerts: [{failing: {count: 3, of: 5}}]
  breachWhen: any
  revert: {mode: propose, scope: commit, settle: 60s}
";

/// A valid policy with the indicator `prometheus`.
pub const METRICS: &str = "\
apiVersion: revertd.dev/v1alpha1
kind: RevertPolicy
metadata: {name: checkout}
spec:
  repository: manifests
  paths: [\"apps/checkout/**\"]
  slos:
    - name: errors
      indicator:
        prometheus:
          server: main
          good: 'sum(increase(http_ok[$window]))'
          total: 'sum(increase(http_all[$window]))'
          freshness: http_all
      objective: {target: 99.9%}
      alerts: [{burnRate: {factor: 14.4, long: 1h, short: 5m, sinceChange: true}, minEvents: 100}]
";

/// A valid policy that takes OpenSLO documents, with them in the same file.
pub const SLOS: &str = "\
apiVersion: revertd.dev/v1alpha1
kind: RevertPolicy
metadata: {name: checkout}
spec:
  repository: manifests
  paths: [\"apps/checkout/**\"]
  slos:
    - {openslo: answers}
    - {openslo: latency, server: main, role: corroborate}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: answers}
spec:
  service: checkout
  indicatorRef: good-answers
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: good-answers}
spec:
  ratioMetric:
    counter: true
    good: {metricSource: {metricSourceRef: main, type: Prometheus, spec: {query: http_ok}}}
    total: {metricSource: {metricSourceRef: main, type: Prometheus, spec: {query: http_all}}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: latency}
spec:
  service: checkout
  indicator:
    spec: {thresholdMetric: {metricSource: {type: Prometheus, spec: {query: 'max(seconds{app=\"checkout\"})'}}}}
  objectives: [{op: lte, value: 0.3}]
";

/// The table.
pub const CASES: &[Case] = &[
    Case {
        name: "unknown key, near",
        base: POLICY,
        edit: Edit::Replace("objective: {timeWindow: 30d}", "objective: {targett: 99.5%}"),
        schema: Schema::Refuses,
        findings: &["10:19-26 `targett` is no key of `objective`; did you mean `target`?"],
    },
    Case {
        name: "a context with a star in its middle",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "sync: {source: cluster, context: a/*/b}"),
        schema: Schema::Accepts,
        findings: &["12:36-41 `a/*/b` has a `*` that is not its end; write the begin of the context, and one `*` behind it"],
    },
    Case {
        name: "a context of a lag",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "sync: {source: cluster, context: a/*}"),
        schema: Schema::Accepts,
        findings: &["12:36-39 the source `cluster` is an assumed lag, which has no `context`; remove it, or name another source"],
    },
    Case {
        name: "a commit status source with keys",
        base: AGENT,
        edit: Edit::Replace("lag: 3m", "commitStatus: {context: x}"),
        schema: Schema::Refuses,
        findings: &[
            "16:23-35 warning: whoever may write statuses in the repository is believed about what runs; name who writes them: `commitStatus: {creator: acme-bot}`",
            "16:38-45 `context` is no key of `commitStatus`; it takes `creator`",
        ],
    },
    Case {
        name: "merging what the sync failed of",
        base: POLICY,
        edit: Edit::Replace("settle: 60s", "settle: 60s, onSyncFailure: merge"),
        schema: Schema::Refuses,
        findings: &["13:70-75 `onSyncFailure` is `propose` or `ignore`, and `merge` is not"],
    },
    Case {
        name: "unknown key, other spelling",
        base: POLICY,
        edit: Edit::Replace("settle: 60s", "attribute_within: 30m"),
        schema: Schema::Refuses,
        findings: &["13:42-58 `attribute_within` is no key of `revert`; did you mean `attributeWithin`?"],
    },
    Case {
        name: "unknown key, nothing near",
        base: POLICY,
        edit: Edit::Replace("settle: 60s", "colour: red"),
        schema: Schema::Refuses,
        findings: &[
            "13:42-48 `colour` is no key of `revert`; it takes `mode`, `scope`, `onSyncFailure`, `settle`, `attributeWithin` and `maxAge`",
        ],
    },
    Case {
        name: "unknown key at the top",
        base: POLICY,
        edit: Edit::Replace("metadata:", "metdata:"),
        schema: Schema::Refuses,
        findings: &["3:1-8 `metdata` is no key of the document; did you mean `metadata`?"],
    },
    Case {
        name: "unknown key of an object without keys",
        base: AGENT,
        edit: Edit::Replace("forge: {plain: {}}", "forge: {plain: {url: x}}"),
        schema: Schema::Refuses,
        findings: &["12:23-26 `url` is no key of `plain`; it takes no keys: write `{}`"],
    },
    Case {
        name: "the ratio of the example",
        base: POLICY,
        edit: Edit::Replace("timeWindow: 30d", "target: 99.9"),
        schema: Schema::Refuses,
        findings: &[
            "10:19-25 warning: a `target` beside `failing` feeds the error budget only: rounds are counted, not errors",
            "10:27-31 `target` is a ratio between 0 and 1 or a percentage, and 99.9 is neither; write `99.9%` or `0.999`",
        ],
    },
    Case {
        name: "ratio over 100 %",
        base: POLICY,
        edit: Edit::Replace("timeWindow: 30d", "target: 100.1%"),
        schema: Schema::Refuses,
        findings: &[
            "10:19-25 warning: a `target` beside `failing` feeds the error budget only: rounds are counted, not errors",
            "10:27-33 `target` is a ratio between 0 and 1 or a percentage, and `100.1%` is neither; write `99.9%` or `0.999`, with at most nine digits after the point of a ratio",
        ],
    },
    Case {
        name: "ratio of nothing",
        base: POLICY,
        edit: Edit::Replace("timeWindow: 30d", "target: 0"),
        schema: Schema::Refuses,
        findings: &[
            "10:19-25 warning: a `target` beside `failing` feeds the error budget only: rounds are counted, not errors",
            "10:27-28 `target` is over 0: with 0 nothing is ever bad",
        ],
    },
    Case {
        name: "ratio as a word",
        base: POLICY,
        edit: Edit::Replace("timeWindow: 30d", "target: high"),
        schema: Schema::Refuses,
        findings: &[
            "10:19-25 warning: a `target` beside `failing` feeds the error budget only: rounds are counted, not errors",
            "10:27-31 `target` is a ratio between 0 and 1 or a percentage, and `high` is neither; write `99.9%` or `0.999`, with at most nine digits after the point of a ratio",
        ],
    },
    Case {
        name: "duration without a unit",
        base: POLICY,
        edit: Edit::Replace("every: 10s", "every: 10"),
        schema: Schema::Refuses,
        findings: &["9:77-79 `every` is a duration, and `10` has no unit; write `10s`, `10m` or `10h`"],
    },
    Case {
        name: "duration with an unknown unit",
        base: POLICY,
        edit: Edit::Replace("every: 10s", "every: 10 sec"),
        schema: Schema::Refuses,
        findings: &["9:77-83 `every` is a duration, and `10 sec` is none; write a number and a unit: `500ms`, `10s`, `5m`, `1h30m`, `7d`"],
    },
    Case {
        name: "duration under the limit",
        base: POLICY,
        edit: Edit::Replace("every: 10s", "every: 1ms"),
        schema: Schema::Accepts,
        findings: &[
            "9:77-80 `every` is at least 100ms, and `1ms` is less",
            "9:77-80 warning: `timeout` is 2s and `every` is 1ms: slow answers delay the next round; write a shorter `timeout`",
        ],
    },
    Case {
        name: "duration over the limit",
        base: POLICY,
        edit: Edit::Replace("settle: 60s", "settle: 60d"),
        schema: Schema::Accepts,
        findings: &["13:50-53 `settle` is at most 1d, and `60d` is more"],
    },
    Case {
        name: "negative duration",
        base: POLICY,
        edit: Edit::Replace("settle: 60s", "settle: -60s"),
        schema: Schema::Refuses,
        findings: &["13:50-54 `settle` is a duration, and `-60s` is none; write a number and a unit: `500ms`, `10s`, `5m`, `1h30m`, `7d`"],
    },
    Case {
        name: "word, near",
        base: POLICY,
        edit: Edit::Replace("unreachable: bad", "unreachable: Bad"),
        schema: Schema::Refuses,
        findings: &["9:108-111 `unreachable` is `unknown` or `bad`, and `Bad` is not; did you mean `bad`?"],
    },
    Case {
        name: "word, far",
        base: POLICY,
        edit: Edit::Replace("mode: propose", "mode: automatic"),
        schema: Schema::Refuses,
        findings: &["13:18-27 `mode` is `observe`, `propose` or `merge`, and `automatic` is not"],
    },
    Case {
        name: "limits of what a revert touches",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  guardrails: {maxServices: 0, maxObjects: 100001}"),
        schema: Schema::Refuses,
        findings: &[
            "12:29-30 `maxServices` is a whole number from 1 to 10000, and `0` is not",
            "12:44-50 `maxObjects` is a whole number from 1 to 100000, and `100001` is not",
        ],
    },
    Case {
        name: "a render command that the operator does not define, and nobody who signs a question",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  guardrails: {render: lint, ask: {url: https://gate.acme.example/}}"),
        schema: Schema::Accepts,
        findings: &[
            "12:24-28 the agent file has no render command `lint`; only the agent file can say what is run: `render: [{name: …, command: […]}]`",
            "12:35-68 the agent file has no `ask`, so that nothing could sign the question; write `ask: {secretFile: …}` into the agent file",
        ],
    },
    Case {
        name: "a policy that says itself what is run",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  guardrails: {render: {command: [sh, -c, id]}}"),
        schema: Schema::Refuses,
        findings: &["12:24-47 `render` is a text, and this is an object"],
    },
    Case {
        name: "a state that no round reaches back to, and a question without an address",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  guardrails: {healthyFor: 7h, ask: {timeout: 31s}}"),
        schema: Schema::Refuses,
        findings: &[
            "12:28-30 `healthyFor` is at most 6h, and `7h` is more",
            "12:32-35 `ask` lacks the key `url`; `url`: The address that the signed question is sent to.",
            "12:37-51 the agent file has no `ask`, so that nothing could sign the question; write `ask: {secretFile: …}` into the agent file",
            "12:47-50 `timeout` is at most 30s, and `31s` is more",
        ],
    },
    Case {
        name: "gates of the agent that are none",
        base: AGENT,
        edit: Edit::Replace(
            "  policies: []",
            "  policies: []\n  stop: {issueLabel: \"a,b\"}\n  ask: {}\n  render: [{name: lint, command: []}, {name: lint, command: [x], timeout: 5m}]",
        ),
        schema: Schema::Refuses,
        findings: &[
            "23:22-27 `issueLabel` is the name of a label: at most 50 characters, without a comma",
            "23:22-27 no repository has a forge with issues: nobody could stop it by `issueLabel`; remove it; `.revertd/STOP` on the branch stops \
             it anywhere",
            "24:3-6 `ask` lacks the key `secretFile`; `secretFile`: The file with the secret that signs them (HMAC-SHA256), on its first line.",
            "25:34-36 `command` is empty, and at least one item is needed",
            "25:46-50 two items of `render` are named `lint`; the first is at line 25; give one of them another name",
            "25:75-77 `timeout` is at most 2m, and `5m` is more",
        ],
    },
    Case {
        name: "protected paths that are no globs",
        base: AGENT,
        edit: Edit::Replace("      poll: 15s", "      poll: 15s\n      protect: [\"a[\"]"),
        schema: Schema::Accepts,
        findings: &["12:17-21 an item of `protect` is a glob, and `a[` is none: unclosed character class; missing ']'"],
    },
    Case {
        name: "images that nothing could ever be",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  guardrails: {neverBackTo: [1.4.1, shop/checkout, \"a b\"]}"),
        schema: Schema::Accepts,
        findings: &[
            "12:37-50 `shop/checkout` has neither a tag nor a digest, so that nothing would ever match it; write `sha256:…`, `1.4.1` or \
             `shop/checkout:1.4.1`",
            "12:52-57 `a b` holds a character that no image has; write `sha256:…`, `1.4.1` or `shop/checkout:1.4.1`",
        ],
    },
    Case {
        name: "a part of a digest",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  guardrails: {neverBackTo: [\"sha256:4f53cda1\"]}"),
        schema: Schema::Accepts,
        findings: &[
            "12:30-47 `sha256:4f53cda1` is no whole digest, so that nothing would ever match it: `sha256:` with 64 digits, letters in lower \
             case; write `sha256:…`, `1.4.1` or `shop/checkout:1.4.1`",
        ],
    },
    Case {
        name: "text where a list is meant",
        base: POLICY,
        edit: Edit::Replace("paths: [\"apps/checkout/**\"]", "paths: apps/checkout/**"),
        schema: Schema::Refuses,
        findings: &["6:10-26 `paths` is a list, and this is a text; write `[\"apps/checkout/**\"]`"],
    },
    Case {
        name: "list where a text is meant",
        base: POLICY,
        edit: Edit::Replace("repository: manifests", "repository: [manifests]"),
        schema: Schema::Refuses,
        findings: &["5:15-26 `repository` is a text, and this is a list"],
    },
    Case {
        name: "number where a text is meant",
        base: POLICY,
        edit: Edit::Replace("name: checkout", "name: 2024"),
        schema: Schema::Refuses,
        findings: &["3:18-22 `name` is a text, and this is a number; put it into quotes: `\"2024\"`"],
    },
    Case {
        name: "empty list",
        base: POLICY,
        edit: Edit::Replace("paths: [\"apps/checkout/**\"]", "paths: []"),
        schema: Schema::Refuses,
        findings: &["6:10-12 `paths` is empty, and at least one item is needed"],
    },
    Case {
        name: "planned word for paths",
        base: POLICY,
        edit: Edit::Replace("paths: [\"apps/checkout/**\"]", "paths: auto"),
        schema: Schema::Refuses,
        findings: &["6:10-14 `paths`: `auto` is not supported yet; write a list"],
    },
    Case {
        name: "list where an object is meant",
        base: POLICY,
        edit: Edit::Replace("revert: {mode: propose, scope: commit, settle: 60s}", "revert: [mode, propose]"),
        schema: Schema::Refuses,
        findings: &[
            "13:11-26 `revert` is an object, and this is a list; it takes `mode`, `scope`, `onSyncFailure`, `settle`, `attributeWithin` and `maxAge`",
        ],
    },
    Case {
        name: "nothing where an object is meant",
        base: POLICY,
        edit: Edit::Replace(
            "indicator: {http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}}",
            "indicator:",
        ),
        schema: Schema::Refuses,
        findings: &["9:7-16 `indicator` is empty, and an object is meant; it takes `http`, `prometheus`, `alert` and `workload`"],
    },
    Case {
        name: "nothing where a text is meant",
        base: POLICY,
        edit: Edit::Replace("repository: manifests", "repository:"),
        schema: Schema::Refuses,
        findings: &["5:3-13 `repository` is empty; write a value or remove the key"],
    },
    Case {
        name: "name with capitals",
        base: POLICY,
        edit: Edit::Replace("name: checkout", "name: Checkout"),
        schema: Schema::Refuses,
        findings: &[
            "3:18-26 `name` is a name, and `Checkout` is none; a name has small letters, digits, `-` and `.`, begins and ends with a letter or digit, and has at most 63 characters",
        ],
    },
    Case {
        name: "glob that begins with a slash",
        base: POLICY,
        edit: Edit::Replace("apps/checkout/**", "/apps/checkout/**"),
        schema: Schema::Refuses,
        findings: &[
            "6:11-30 an item of `paths` is relative to the root of the repository, and `/apps/checkout/**` is not; write `apps/checkout/**`",
        ],
    },
    Case {
        name: "glob that ends with a slash",
        base: POLICY,
        edit: Edit::Replace("apps/checkout/**", "apps/checkout/"),
        schema: Schema::Refuses,
        findings: &["6:11-27 an item of `paths` is a glob, and `apps/checkout/` matches no file; write `apps/checkout/**`"],
    },
    Case {
        name: "negated glob",
        base: POLICY,
        edit: Edit::Replace("apps/checkout/**", "!apps/checkout/**"),
        schema: Schema::Refuses,
        findings: &[
            "6:11-30 an item of `paths` is a glob, and `!apps/checkout/**` is a negated one; put `apps/checkout/**` under `exclude`",
        ],
    },
    Case {
        name: "glob that does not parse",
        base: POLICY,
        edit: Edit::Replace("apps/checkout/**", "apps/[checkout"),
        schema: Schema::Accepts,
        findings: &["6:11-27 an item of `paths` is a glob, and `apps/[checkout` is none: unclosed character class; missing ']'"],
    },
    Case {
        name: "address without a scheme",
        base: POLICY,
        edit: Edit::Replace("url: https://checkout.acme.example/journey", "url: checkout.acme.example/journey"),
        schema: Schema::Refuses,
        findings: &[
            "9:31-60 `url` is an address, and `checkout.acme.example/journey` is none; write `http://host/path` or `https://host/path`",
        ],
    },
    Case {
        name: "address with a password",
        base: POLICY,
        edit: Edit::Replace("url: https://checkout.acme.example/journey", "url: https://probe:hunter2@checkout.acme.example/journey"),
        schema: Schema::Accepts,
        findings: &[
            "9:31-82 `url` holds credentials; take them out of the address; a metrics server takes `bearerTokenFile` or `headers`, a probe takes none",
        ],
    },
    Case {
        name: "status out of range",
        base: POLICY,
        edit: Edit::Replace("timeout: 2s", "expect: {status: [200, 2000]}"),
        schema: Schema::Refuses,
        findings: &["9:105-109 an item of `status` is a whole number from 100 to 599, and `2000` is not"],
    },
    Case {
        name: "count over of",
        base: POLICY,
        edit: Edit::Replace("failing: {count: 3, of: 5}", "failing: {count: 6, of: 5}"),
        schema: Schema::Accepts,
        findings: &["11:34-35 6 of the last 5 rounds cannot be bad; write `{count: 5, of: 6}`"],
    },
    Case {
        name: "count as a text",
        base: POLICY,
        edit: Edit::Replace("failing: {count: 3, of: 5}", "failing: {count: \"3\", of: 5}"),
        schema: Schema::Refuses,
        findings: &["11:34-37 `count` is a whole number from 1 to 1000, and `3` is not; write it without quotes"],
    },
    Case {
        name: "failing without of",
        base: POLICY,
        edit: Edit::Replace("failing: {count: 3, of: 5}", "failing: {count: 3}"),
        schema: Schema::Refuses,
        findings: &["11:17-24 `failing` lacks the key `of`; `of`: Among how many rounds."],
    },
    Case {
        name: "two rules in one alert",
        base: POLICY,
        edit: Edit::Replace("failing: {count: 3, of: 5}", "failing: {count: 3, of: 5}, burnRate: {factor: 2, long: 1h, short: 5m}"),
        schema: Schema::Refuses,
        findings: &["11:45-53 an item of `alerts` takes only one of `failing` and `burnRate`; remove the others"],
    },
    Case {
        name: "no rule in an alert",
        base: POLICY,
        edit: Edit::Replace("failing: {count: 3, of: 5}", "recover: {good: 5}"),
        schema: Schema::Refuses,
        findings: &["11:16-36 an item of `alerts` needs `failing` or `burnRate`"],
    },
    Case {
        name: "minEvents beside failing",
        base: POLICY,
        edit: Edit::Replace("failing: {count: 3, of: 5}", "failing: {count: 3, of: 5}, minEvents: 10"),
        schema: Schema::Refuses,
        findings: &["11:45-54 `minEvents` does not go with `failing`; remove it"],
    },
    Case {
        name: "the same alert twice",
        base: POLICY,
        edit: Edit::Replace(
            "[{failing: {count: 3, of: 5}}]",
            "[{failing: {count: 3, of: 5}}, {failing: {count: 3, of: 5}, upTo: propose}]",
        ),
        schema: Schema::Accepts,
        findings: &["11:46-89 the same rule is there twice; remove one of the two alerts"],
    },
    Case {
        name: "a further alert that cannot be",
        base: POLICY,
        edit: Edit::Replace(
            "[{failing: {count: 3, of: 5}}]",
            "[{failing: {count: 3, of: 5}}, {failing: {count: 9, of: 5}, upTo: propose}]",
        ),
        schema: Schema::Accepts,
        findings: &["11:64-65 9 of the last 5 rounds cannot be bad; write `{count: 5, of: 9}`"],
    },
    Case {
        name: "upTo that is no mode",
        base: POLICY,
        edit: Edit::Replace("{failing: {count: 3, of: 5}}", "{failing: {count: 3, of: 5}, upTo: page}"),
        schema: Schema::Refuses,
        findings: &["11:51-55 `upTo` is `observe`, `propose` or `merge`, and `page` is not"],
    },
    Case {
        name: "a role that there is not",
        base: POLICY,
        edit: Edit::Replace("    - name: up\n", "    - role: guard\n      name: up\n"),
        schema: Schema::Refuses,
        findings: &["8:13-18 `role` is `trigger`, `corroborate` or `report`, and `guard` is not"],
    },
    Case {
        name: "no SLO that can breach",
        base: POLICY,
        edit: Edit::Replace("    - name: up\n", "    - role: corroborate\n      name: up\n"),
        schema: Schema::Accepts,
        findings: &[
            "8:13-24 no SLO has the role `trigger`: nothing could ever breach; take `role` from one of them, or write `role: trigger`",
        ],
    },
    Case {
        name: "atLeast over those that can breach",
        base: POLICY,
        edit: Edit::Replace(
            "  breachWhen: any\n",
            "    - {name: more, role: report, indicator: {http: {url: https://a.example/, unreachable: bad}}}\n  breachWhen: {atLeast: 2}\n",
        ),
        schema: Schema::Accepts,
        findings: &["13:25-26 `atLeast` is 2, and the policy has 1 SLO that can breach: it could never breach"],
    },
    Case {
        name: "a workload of a kind that is not read",
        base: POLICY,
        edit: Edit::Replace(
            "http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}",
            "workload: {server: main, kind: Job, namespace: shop, name: checkout}",
        ),
        schema: Schema::Refuses,
        findings: &[
            "9:38-42 the agent file has no cluster `main`; there are no `metrics` of the kind `kubernetes`",
            "9:50-53 `kind` is `Deployment`, `StatefulSet` or `DaemonSet`, and `Job` is not",
        ],
    },
    Case {
        name: "a workload of a server that is no cluster",
        base: POLICY,
        edit: Edit::Replace(
            "http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}",
            "workload: {server: main, kind: Deployment, namespace: shop, name: checkout}",
        ),
        schema: Schema::Accepts,
        findings: &["9:38-42 the agent file has no cluster `main`; there are no `metrics` of the kind `kubernetes`"],
    },
    Case {
        name: "a workload without a name",
        base: POLICY,
        edit: Edit::Replace(
            "http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}",
            "workload: {server: main, kind: Deployment, namespace: shop}",
        ),
        schema: Schema::Refuses,
        findings: &[
            "9:19-27 `workload` lacks the key `name`; `name`: Its name.",
            "9:38-42 the agent file has no cluster `main`; there are no `metrics` of the kind `kubernetes`",
        ],
    },
    Case {
        name: "an alert without a name",
        base: POLICY,
        edit: Edit::Replace(
            "http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}",
            "alert: {server: main}",
        ),
        schema: Schema::Refuses,
        findings: &["9:19-24 `alert` lacks the key `name`; `name`: The name of the alerting rule."],
    },
    Case {
        name: "an alert of a server that there is not",
        base: POLICY,
        edit: Edit::Replace(
            "http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}",
            "alert: {server: mian, name: CheckoutErrors}",
        ),
        schema: Schema::Accepts,
        findings: &["9:35-39 the agent file has no metrics server `mian`; did you mean `main`?"],
    },
    Case {
        name: "an alert whose labels are no texts",
        base: POLICY,
        edit: Edit::Replace(
            "http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}",
            "alert: {server: main, name: CheckoutErrors, labels: [app]}",
        ),
        schema: Schema::Refuses,
        findings: &["9:71-76 `labels` is an object, and this is a list; write `{name: value}`"],
    },
    Case {
        name: "a cluster that is reached in two ways",
        base: AGENT,
        edit: Edit::Replace("  controls:\n", "    - {name: prod, kubernetes: {inCluster: {}, kubeconfig: config}}\n  controls:\n"),
        schema: Schema::Refuses,
        findings: &["19:48-58 `kubernetes` takes only one of `inCluster` and `kubeconfig`; remove the others"],
    },
    Case {
        name: "a cluster that is a metrics server as well",
        base: AGENT,
        edit: Edit::Replace(
            "  controls:\n",
            "    - {name: prod, kubernetes: {inCluster: {}}, prometheus: {url: http://prometheus:9090}}\n  controls:\n",
        ),
        schema: Schema::Refuses,
        findings: &["19:49-59 an item of `metrics` takes only one of `prometheus`, `alertmanager` and `kubernetes`; remove the others"],
    },
    Case {
        name: "max on http",
        base: POLICY,
        edit: Edit::Replace("timeWindow: 30d", "max: 3"),
        schema: Schema::Accepts,
        findings: &["10:24-25 `max` judges the value of a `query`, and this indicator has none; use `target`"],
    },
    Case {
        name: "two indicators",
        base: POLICY,
        edit: Edit::Replace("indicator: {http:", "indicator: {prometheus: {server: main, query: up, freshness: up}, http:"),
        schema: Schema::Refuses,
        findings: &["9:73-77 `indicator` takes only one of `http`, `prometheus`, `alert` and `workload`; remove the others"],
    },
    Case {
        name: "no indicator",
        base: POLICY,
        edit: Edit::Replace("http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}", ""),
        schema: Schema::Refuses,
        findings: &["9:7-16 `indicator` needs `http`, `prometheus`, `alert` or `workload`"],
    },
    Case {
        name: "planned indicator",
        base: POLICY,
        edit: Edit::Replace(
            "http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}",
            "json: {name: checkout}",
        ),
        schema: Schema::Refuses,
        findings: &["9:19-23 `json` is not supported yet; remove it"],
    },
    Case {
        name: "atLeast over the SLOs",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "breachWhen: {atLeast: 2}"),
        schema: Schema::Accepts,
        findings: &["12:25-26 `atLeast` is 2, and the policy has 1 SLO that can breach: it could never breach"],
    },
    Case {
        name: "breachWhen as a number",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "breachWhen: 2"),
        schema: Schema::Refuses,
        findings: &["12:15-16 `breachWhen` is `any`, `all` or an object, and `2` is neither; it takes `atLeast`"],
    },
    Case {
        name: "two SLOs of one name",
        base: POLICY,
        edit: Edit::Replace("slos:\n", "slos:\n    - {name: up, indicator: {http: {url: https://a.example/, unreachable: bad}}}\n"),
        schema: Schema::Accepts,
        findings: &["9:13-15 two items of `slos` are named `up`; the first is at line 8; give one of them another name"],
    },
    Case {
        name: "depends on itself",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "dependsOn: [checkout]"),
        schema: Schema::Accepts,
        findings: &["12:15-23 a policy cannot depend on itself; remove it"],
    },
    Case {
        name: "merge older than propose",
        base: POLICY,
        edit: Edit::Replace("settle: 60s", "maxAge: {merge: 2d, propose: 1d}"),
        schema: Schema::Accepts,
        findings: &[
            "13:58-60 `merge` is longer than `propose`: a change that is too old to propose cannot be merged away; make `propose` the longer of the two",
        ],
    },
    Case {
        name: "hold longer than recover",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "verify: {holdFor: 20m}"),
        schema: Schema::Accepts,
        findings: &[
            "12:21-24 `holdFor` is longer than `recoverWithin`: no recovery could be seen in time; make `recoverWithin` the longer of the two",
        ],
    },
    Case {
        name: "a check that is no SLO, near",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "verify: {checks: [upp]}"),
        schema: Schema::Accepts,
        findings: &["12:21-24 the policy has no SLO `upp`; did you mean `up`?"],
    },
    Case {
        name: "a check that is no SLO",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "verify: {checks: [up, backlog]}"),
        schema: Schema::Accepts,
        findings: &["12:25-32 the policy has no SLO `backlog`; `slos`: `up`"],
    },
    Case {
        name: "a check twice",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "verify: {checks: [up, up]}"),
        schema: Schema::Accepts,
        findings: &["12:25-27 `up` is there twice; remove one of the two"],
    },
    Case {
        name: "a check that could not pass in time",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "verify: {recoverWithin: 12s, holdFor: 10s, checks: [up]}"),
        schema: Schema::Accepts,
        findings: &[
            "12:55-57 `up` needs 5 good rounds after a revert, which take 50s: longer than 4 times `recoverWithin`, which are 48s; make `recoverWithin` longer, or `every` of the SLO shorter",
        ],
    },
    Case {
        name: "checks that are no list",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "verify: {checks: up}"),
        schema: Schema::Refuses,
        findings: &["12:20-22 `checks` is a list, and this is a text; write `[\"up\"]`"],
    },
    Case {
        name: "no instance",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "instances: []"),
        schema: Schema::Refuses,
        findings: &["12:14-16 `instances` is empty, and at least one item is needed"],
    },
    Case {
        name: "the same instance twice",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "instances: [{cluster: eu}, {cluster: eu}]"),
        schema: Schema::Accepts,
        findings: &["12:40-42 two items of `instances` are named `eu`; the first is at line 12; give one of them another `name`"],
    },
    Case {
        name: "an instance without a name",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "instances: [{labels: {a: b}}]"),
        schema: Schema::Accepts,
        findings: &["12:15-31 an instance needs a `cluster` or a `name`; write `cluster: eu-1`"],
    },
    Case {
        name: "a cluster that names no instance",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "instances: [{cluster: EU_1}]"),
        schema: Schema::Accepts,
        findings: &[
            "12:25-29 the cluster `EU_1` is no name for the instance; write a `name` of small letters, digits, `-` and `.` beside it",
        ],
    },
    Case {
        name: "a cluster with spaces",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "instances: [{name: eu, cluster: e u}]"),
        schema: Schema::Accepts,
        findings: &["12:35-38 `cluster` has letters, digits and `-._:/@`, and `e u` has others"],
    },
    Case {
        name: "a label with a name that is taken",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "instances: [{cluster: eu, labels: {env: x}}]"),
        schema: Schema::Accepts,
        findings: &["12:38-41 `$env` stands for something else already; give the label another name"],
    },
    Case {
        name: "unknown sync source of an instance",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "instances: [{cluster: eu, sync: argo}]"),
        schema: Schema::Accepts,
        findings: &["12:35-39 the agent file has no sync source `argo`; `sync`: `cluster`"],
    },
    Case {
        name: "an application of an assumed lag",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "instances: [{cluster: eu, application: a}]"),
        schema: Schema::Accepts,
        findings: &["12:29-40 `application` needs a sync source, and the policy assumes a lag; write `sync: <source>` beside it"],
    },
    Case {
        name: "an unknown variable in a query",
        base: METRICS,
        edit: Edit::Replace("freshness: http_all", "freshness: 'http_all{cluster=\"$clustr\"}'"),
        schema: Schema::Accepts,
        findings: &[
            "14:41-48 `freshness`: `$clustr` is no variable here; `$window` is there in queries; `$cluster` and labels come from `instances`, `$env` from `environment`",
        ],
    },
    Case {
        name: "an unknown variable in an address",
        base: POLICY,
        edit: Edit::Replace("https://checkout.acme", "https://checkout.$cluster.acme"),
        schema: Schema::Accepts,
        findings: &[
            "9:48-56 `url`: `$cluster` is no variable here; `$window` is there in queries; `$cluster` and labels come from `instances`, `$env` from `environment`",
        ],
    },
    Case {
        name: "an unknown variable in the cluster of a workload",
        base: POLICY,
        edit: Edit::Replace(
            "{http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}}",
            "{workload: {server: $clustr, kind: Deployment, namespace: shop, name: a}}",
        ),
        schema: Schema::Accepts,
        findings: &[
            "9:38-45 `server`: `$clustr` is no variable here; `$window` is there in queries; `$cluster` and labels come from `instances`, `$env` from `environment`",
        ],
    },
    Case {
        name: "a namespace that no variable can make a name",
        base: POLICY,
        edit: Edit::Replace(
            "{http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}}",
            "{workload: {server: main, kind: Deployment, namespace: Shop-$env, name: a}}",
        ),
        schema: Schema::Refuses,
        findings: &[
            "9:38-42 the agent file has no cluster `main`; there are no `metrics` of the kind `kubernetes`",
            "9:73-82 `namespace` is a name, and `Shop-$env` is none; a name has small letters, digits, `-` and `.`, begins and ends with a letter or digit, and has at most 63 characters",
            "9:78-82 `namespace`: `$env` is no variable here; `$window` is there in queries; `$cluster` and labels come from `instances`, `$env` from `environment`",
        ],
    },
    Case {
        name: "a creator that is no login",
        base: AGENT,
        edit: Edit::Replace("{name: cluster, lag: 3m}", "{name: cluster, commitStatus: {creator: {login: acme-bot}}}"),
        schema: Schema::Refuses,
        findings: &["16:47-64 `creator` is a text, and this is an object"],
    },
    Case {
        name: "a creator with an at sign",
        base: AGENT,
        edit: Edit::Replace("{name: cluster, lag: 3m}", "{name: cluster, commitStatus: {creator: '@acme-bot'}}"),
        schema: Schema::Accepts,
        findings: &["16:47-58 `creator` is a login, and `@acme-bot` is none; write `acme-bot`, or `acme-flux[bot]` for a GitHub App"],
    },
    Case {
        name: "a creator of several that is no login",
        base: AGENT,
        edit: Edit::Replace("{name: cluster, lag: 3m}", "{name: cluster, commitStatus: {creator: ['acme-flux[bot]', 'acme bot']}}"),
        schema: Schema::Accepts,
        findings: &["16:66-76 `creator` is a login, and `acme bot` is none; write `acme-bot`, or `acme-flux[bot]` for a GitHub App"],
    },
    Case {
        name: "commit statuses by nobody",
        base: AGENT,
        edit: Edit::Replace("{name: cluster, lag: 3m}", "{name: cluster, commitStatus: {creator: []}}"),
        schema: Schema::Accepts,
        findings: &["16:47-49 `creator` names nobody; name who writes the statuses: `creator: acme-bot`"],
    },
    Case {
        name: "sync both ways",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "sync: {lag: 3m, source: cluster}"),
        schema: Schema::Refuses,
        findings: &["12:19-25 `sync` takes only one of `lag` and `source`; remove the others"],
    },
    Case {
        name: "an assumed lag with something to follow",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "sync: {source: cluster, application: checkout}"),
        schema: Schema::Accepts,
        findings: &["12:40-48 the source `cluster` is an assumed lag, which has no `application`; remove it, or name another source"],
    },
    Case {
        name: "two things to follow",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "sync: {source: cluster, application: a, query: up}"),
        schema: Schema::Accepts,
        findings: &["12:50-52 `application` and `query` name two things to follow; remove one of the two"],
    },
    Case {
        name: "a project without an application",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "sync: {source: cluster, project: shop}"),
        schema: Schema::Accepts,
        findings: &["12:36-40 `project` only goes with `application`; remove it"],
    },
    Case {
        name: "something to follow without a source",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "sync: {lag: 3m, application: a}"),
        schema: Schema::Refuses,
        findings: &["12:19-30 `application` does not go with `lag`; remove it"],
    },
    Case {
        name: "a Kustomization without its namespace",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "sync: {source: cluster, kustomization: {name: a}}"),
        schema: Schema::Refuses,
        findings: &[
            "12:27-40 `kustomization` lacks the key `namespace`; `namespace`: Its namespace.",
            "12:42-51 the source `cluster` is an assumed lag, which has no `kustomization`; remove it, or name another source",
        ],
    },
    Case {
        name: "limit without its time",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "guardrails: {limits: {merge: {count: 1}}}"),
        schema: Schema::Refuses,
        findings: &["12:25-30 `merge` lacks the key `per`; `per`: In how long."],
    },
    Case {
        name: "negative limit",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "guardrails: {limits: {merge: [{count: -1, per: 1h}]}}"),
        schema: Schema::Refuses,
        findings: &["12:41-43 `count` is a whole number from 0 to 100000, and `-1` is not"],
    },
    Case {
        name: "label that is a number",
        base: POLICY,
        edit: Edit::Replace("{name: checkout}", "{name: checkout, labels: {tier: 1}}"),
        schema: Schema::Refuses,
        findings: &["3:43-44 `tier` of `labels` is a text, and this is a number; put it into quotes: `\"1\"`"],
    },
    Case {
        name: "link that is no address",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "links: {runbook: see wiki}"),
        schema: Schema::Refuses,
        findings: &["12:20-28 `runbook` of `links` is an address, and `see wiki` is none; write `http://host/path` or `https://host/path`"],
    },
    Case {
        name: "missing paths",
        base: POLICY,
        edit: Edit::Replace("  paths: [\"apps/checkout/**\"]\n", ""),
        schema: Schema::Refuses,
        findings: &[
            "4:1-5 `spec` lacks the key `paths`; `paths`: Globs for the paths that the service owns, matched against old and new path; `*` does not cross a `/`, `**` does.",
        ],
    },
    Case {
        name: "no kind",
        base: POLICY,
        edit: Edit::Replace("kind: RevertPolicy\n", ""),
        schema: Schema::Refuses,
        findings: &[
            "1:1-2 the document does not say what it is: it lacks the key `kind`; begin it with `apiVersion: revertd.dev/v1alpha1` and `kind: RevertPolicy` or `kind: Agent`",
        ],
    },
    Case {
        name: "kind, near",
        base: POLICY,
        edit: Edit::Replace("kind: RevertPolicy", "kind: RevertPolicies"),
        schema: Schema::Refuses,
        findings: &["2:7-21 `kind` is `Agent` or `RevertPolicy`, and `RevertPolicies` is neither; did you mean `RevertPolicy`?"],
    },
    Case {
        name: "planned kind",
        base: POLICY,
        edit: Edit::Replace("kind: RevertPolicy", "kind: PolicyClass"),
        schema: Schema::Refuses,
        findings: &["2:7-18 `kind: PolicyClass` is not supported yet; use `kind: RevertPolicy`"],
    },
    Case {
        name: "a policy that says it is OpenSLO",
        base: POLICY,
        edit: Edit::Replace("apiVersion: revertd.dev/v1alpha1", "apiVersion: openslo/v1"),
        schema: Schema::Refuses,
        findings: &["2:7-19 `RevertPolicy` is no kind of OpenSLO 1; did you mean `AlertPolicy`?"],
    },
    Case {
        name: "an OpenSLO document that is not there",
        base: SLOS,
        edit: Edit::Replace("openslo: answers}", "openslo: answer}"),
        schema: Schema::NotReached,
        findings: &["8:17-23 there is no OpenSLO document `answer`; did you mean `answers`?"],
    },
    Case {
        name: "an OpenSLO document twice",
        base: SLOS,
        edit: Edit::Replace("openslo: latency, server: main, role: corroborate", "openslo: answers"),
        schema: Schema::NotReached,
        findings: &[
            "9:17-24 `answers` is there twice; remove one of the two",
            "32:18-25 warning: no policy takes the SLO `latency`: nothing measures it; write `slos: [{openslo: latency}]` in the policy of the service `checkout`",
        ],
    },
    Case {
        name: "an OpenSLO document and an indicator",
        base: SLOS,
        edit: Edit::Replace("{openslo: answers}", "{openslo: answers, indicator: {http: {url: https://a, unreachable: bad}}}"),
        schema: Schema::NotReached,
        findings: &["8:26-35 an item of `slos` takes only one of `name` with `indicator` and `openslo`; remove the others"],
    },
    Case {
        name: "a name without an indicator",
        base: SLOS,
        edit: Edit::Replace("{openslo: answers}", "{name: answers}"),
        schema: Schema::NotReached,
        findings: &[
            "8:7-22 an item of `slos` lacks the key `indicator`; an item of `slos` needs `name` with `indicator` or `openslo`",
            "13:18-25 warning: no policy takes the SLO `answers`: nothing measures it; write `slos: [{openslo: answers}]` in the policy of the service `checkout`",
        ],
    },
    Case {
        name: "a key that does not go with OpenSLO",
        base: SLOS,
        edit: Edit::Replace("{openslo: answers}", "{openslo: answers, objective: {target: 99%}}"),
        schema: Schema::NotReached,
        findings: &["8:26-35 `objective` does not go with `openslo`; remove it"],
    },
    Case {
        name: "a server that an OpenSLO document names and nobody knows",
        base: SLOS,
        edit: Edit::Replace(
            "main, type: Prometheus, spec: {query: http_ok}}}\n    total: {metricSource: {metricSourceRef: main,",
            "thanos, type: Prometheus, spec: {query: http_ok}}}\n    total: {metricSource: {metricSourceRef: thanos,",
        ),
        schema: Schema::NotReached,
        findings: &[
            "28:45-51 the agent file has no metrics server `thanos`; `metrics`: `main`; or write another `server` beside `openslo` in the policy",
        ],
    },
    Case {
        name: "two data sources in one ratio",
        base: SLOS,
        edit: Edit::Replace("good: {metricSource: {metricSourceRef: main", "good: {metricSource: {metricSourceRef: thanos"),
        schema: Schema::NotReached,
        findings: &[
            "27:44-50 the SLO `answers` cannot be taken: its events are at the data source `thanos`, and all of them at `main`; write this SLO into the policy by hand",
        ],
    },
    Case {
        name: "a server beside OpenSLO that nobody knows",
        base: SLOS,
        edit: Edit::Replace("server: main, role", "server: mian, role"),
        schema: Schema::NotReached,
        findings: &["9:34-38 the agent file has no metrics server `mian`; did you mean `main`?"],
    },
    Case {
        name: "an SLI that is not there",
        base: SLOS,
        edit: Edit::Replace("indicatorRef: good-answers", "indicatorRef: good-answer"),
        schema: Schema::NotReached,
        findings: &["16:17-28 the SLO `answers` cannot be taken: there is no SLI `good-answer`; did you mean `good-answers`?"],
    },
    Case {
        name: "an alert policy that is not there",
        base: SLOS,
        edit: Edit::Replace(
            "  objectives: [{target: 0.999}]\n",
            "  objectives: [{target: 0.999}]\n  alertPolicies: [{alertPolicyRef: pag}]\n---\napiVersion: openslo/v1\nkind: AlertPolicy\nmetadata: {name: page}\nspec: {conditions: []}\n",
        ),
        schema: Schema::NotReached,
        findings: &["20:36-39 the SLO `answers` cannot be taken: there is no AlertPolicy `pag`; did you mean `page`?"],
    },
    Case {
        name: "an alert condition that is not there",
        base: SLOS,
        edit: Edit::Replace(
            "  objectives: [{target: 0.999}]\n",
            "  objectives: [{target: 0.999}]\n  alertPolicies: [{spec: {conditions: [{conditionRef: fast}]}}]\n",
        ),
        schema: Schema::NotReached,
        findings: &[
            "20:55-59 the SLO `answers` cannot be taken: there is no AlertCondition `fast`; put the document of the kind `AlertCondition` beside this one",
        ],
    },
    Case {
        name: "alert policies that are no list",
        base: SLOS,
        edit: Edit::Replace(
            "  objectives: [{target: 0.999}]\n",
            "  objectives: [{target: 0.999}]\n  alertPolicies: {alertPolicyRef: page}\n",
        ),
        schema: Schema::NotReached,
        findings: &["20:18-40 the SLO `answers` cannot be taken: its `alertPolicies` is a list, and this is an object"],
    },
    Case {
        name: "a time window that is no list",
        base: SLOS,
        edit: Edit::Replace("timeWindow: [{duration: 30d, isRolling: true}]", "timeWindow: {duration: 30d, isRolling: true}"),
        schema: Schema::NotReached,
        findings: &["17:15-47 the SLO `answers` cannot be taken: its `timeWindow` is a list, and this is an object"],
    },
    Case {
        name: "a time window that is a text",
        base: SLOS,
        edit: Edit::Replace("timeWindow: [{duration: 30d, isRolling: true}]", "timeWindow: [30d]"),
        schema: Schema::NotReached,
        findings: &["17:16-19 the SLO `answers` cannot be taken: an item of its `timeWindow` is an object, and this is a text"],
    },
    Case {
        name: "rounds that do not fit into the windows of an OpenSLO document",
        base: SLOS,
        edit: Edit::Replace("{openslo: answers}", "{openslo: answers, every: 2m}"),
        schema: Schema::NotReached,
        findings: &[
            "8:33-35 its alerts look back over 5m, which is no multiple of one round of 2m; write another `every`, or `alerts` beside it",
        ],
    },
    Case {
        name: "an unknown key beside OpenSLO",
        base: SLOS,
        edit: Edit::Replace("{openslo: answers}", "{openslo: answers, taregt: 1}"),
        schema: Schema::NotReached,
        findings: &["8:26-32 `taregt` is no key of an item of `slos`; did you mean `targets`?"],
    },
    Case {
        name: "a data source of the good events that nobody knows",
        base: SLOS,
        edit: Edit::Replace(
            "main, type: Prometheus, spec: {query: http_ok}}}\n    total: {metricSource: {metricSourceRef: main, type",
            "mian, type: Prometheus, spec: {query: http_ok}}}\n    total: {metricSource: {type",
        ),
        schema: Schema::NotReached,
        findings: &[
            "27:44-48 the agent file has no metrics server `mian`; did you mean `main`?; or write another `server` beside `openslo` in the policy",
        ],
    },
    Case {
        name: "a query of an OpenSLO document that does not close",
        base: SLOS,
        edit: Edit::Replace("query: http_ok", "query: 'sum(http_ok[5m]'"),
        schema: Schema::NotReached,
        findings: &[
            "27:82-99 warning: not carried over: a fixed range of its queries became `$window`",
            "27:82-99 `good` has a `(` without its counterpart",
        ],
    },
    Case {
        name: "the same query twice in OpenSLO",
        base: SLOS,
        edit: Edit::Replace("query: http_ok", "query: http_all"),
        schema: Schema::NotReached,
        findings: &["27:82-90 `good` and `total` are the same query: nothing is ever bad"],
    },
    Case {
        name: "an OpenSLO document without metrics of Prometheus",
        base: SLOS,
        edit: Edit::Replace(
            "indicator:\n    spec: {thresholdMetric: {metricSource: {type: Prometheus",
            "indicator:\n    spec: {thresholdMetric: {metricSource: {type: Datadog",
        ),
        schema: Schema::NotReached,
        findings: &[
            "36:51-58 the SLO `latency` cannot be taken: its metric source is `Datadog`, and only servers with the API of Prometheus are asked; write this SLO into the policy by hand",
        ],
    },
    Case {
        name: "an OpenSLO query whose metric is not found",
        base: SLOS,
        edit: Edit::Replace("'max(seconds{app=\"checkout\"})'", "vector(1)"),
        schema: Schema::NotReached,
        findings: &[
            "36:77-86 the SLO `latency` cannot be taken: no metric is found in its query; write `{openslo: latency, freshness: …}` in the policy, with the metric and its labels",
        ],
    },
    Case {
        name: "an OpenSLO document without a target",
        base: SLOS,
        edit: Edit::Replace("objectives: [{target: 0.999}]", "objectives: [{target: 99.9}]"),
        schema: Schema::NotReached,
        findings: &["19:16-30 the SLO `answers` cannot be taken: it has no target between 0 and 100 %"],
    },
    Case {
        name: "an OpenSLO document without objectives",
        base: SLOS,
        edit: Edit::Replace("  objectives: [{target: 0.999}]\n", ""),
        schema: Schema::NotReached,
        findings: &["15:3-10 the SLO `answers` cannot be taken: it has no `objectives`"],
    },
    Case {
        name: "an OpenSLO document without a service",
        base: SLOS,
        edit: Edit::Replace("metadata: {name: answers}\nspec:\n  service: checkout\n", "metadata: {name: answers}\nspec:\n"),
        schema: Schema::NotReached,
        findings: &["15:3-15 it lacks the key `service`, or that is no text"],
    },
    Case {
        name: "an OpenSLO document without a name",
        base: SLOS,
        edit: Edit::Replace("metadata: {name: latency}", "metadata: {displayName: latency}"),
        schema: Schema::NotReached,
        findings: &[
            "9:17-24 there is no OpenSLO document `latency`; OpenSLO documents of the kind `SLO` among the policy files: `answers`",
            "32:11-33 it lacks the key `name`, or that is no text",
        ],
    },
    Case {
        name: "a kind that OpenSLO does not have",
        base: SLOS,
        edit: Edit::Replace("kind: SLI", "kind: SLIs"),
        schema: Schema::NotReached,
        findings: &[
            "16:17-29 the SLO `answers` cannot be taken: there is no SLI `good-answers`; put the document of the kind `SLI` beside this one",
            "22:7-11 `SLIs` is no kind of OpenSLO 1; did you mean `SLI`?",
        ],
    },
    Case {
        name: "an OpenSLO version that is not read",
        base: SLOS,
        edit: Edit::Replace("apiVersion: openslo/v1\nkind: SLI", "apiVersion: openslo/v2alpha\nkind: SLI"),
        schema: Schema::NotReached,
        findings: &["21:13-28 this is no OpenSLO document of version 1: its `apiVersion` is not `openslo/v1`"],
    },
    Case {
        name: "two OpenSLO documents of one name",
        base: SLOS,
        edit: Edit::Replace("metadata: {name: latency}", "metadata: {name: answers}"),
        schema: Schema::NotReached,
        findings: &[
            "9:17-24 there is no OpenSLO document `latency`; OpenSLO documents of the kind `SLO` among the policy files: `answers`",
            "32:18-25 another SLO is named `answers`; it is first seen at policy.yaml:13; give one of them another name",
        ],
    },
    Case {
        name: "no SLOs and no OpenSLO document",
        base: POLICY,
        edit: Edit::Whole(
            "apiVersion: revertd.dev/v1alpha1\nkind: RevertPolicy\nmetadata: {name: a}\nspec: {repository: manifests, paths: [a/**]}\n",
        ),
        schema: Schema::Accepts,
        findings: &[
            "4:1-5 `spec` lacks the key `slos`; `slos`: how the service's health is measured; OpenSLO documents among the policy files can say it",
        ],
    },
    Case {
        name: "a variable of an OpenSLO query that nothing sets",
        base: SLOS,
        edit: Edit::Replace("query: http_ok", "query: 'sum(increase(http_ok{region=\"$region\"}[5m]))'"),
        schema: Schema::NotReached,
        findings: &[
            "27:82-128 warning: not carried over: a fixed range of its queries became `$window`",
            "27:112-119 `good`: `$region` is no variable here; `$window` is there in queries; `$cluster` and labels come from `instances`, `$env` from `environment`",
        ],
    },
    Case {
        name: "another apiVersion",
        base: POLICY,
        edit: Edit::Replace("apiVersion: revertd.dev/v1alpha1", "apiVersion: revertd.dev/v1"),
        schema: Schema::Refuses,
        findings: &["1:13-27 `apiVersion` is `revertd.dev/v1alpha1`, and `revertd.dev/v1` is not; did you mean `revertd.dev/v1alpha1`?"],
    },
    Case {
        name: "unknown repository",
        base: POLICY,
        edit: Edit::Replace("repository: manifests", "repository: manifest"),
        schema: Schema::Accepts,
        findings: &["5:15-23 the agent file has no repository `manifest`; did you mean `manifests`?"],
    },
    Case {
        name: "unknown environment",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "environment: staging"),
        schema: Schema::Accepts,
        findings: &["12:16-23 the agent file has no environment `staging`; `environments`: `prod`"],
    },
    Case {
        name: "unknown sync source",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "sync: {source: argo}"),
        schema: Schema::Accepts,
        findings: &["12:18-22 the agent file has no sync source `argo`; `sync`: `cluster`"],
    },
    Case {
        name: "unknown dependency",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "dependsOn: [payments]"),
        schema: Schema::Accepts,
        findings: &["12:15-23 there is no policy `payments`; policies: `checkout`"],
    },
    Case {
        name: "several mistakes at once",
        base: POLICY,
        edit: Edit::Replace("every: 10s, timeout: 2s", "every: 10, timeouts: 2s"),
        schema: Schema::Refuses,
        findings: &[
            "9:77-79 `every` is a duration, and `10` has no unit; write `10s`, `10m` or `10h`",
            "9:81-89 `timeouts` is no key of `http`; did you mean `timeout`?",
        ],
    },
    Case {
        name: "unknown metrics server",
        base: METRICS,
        edit: Edit::Replace("server: main", "server: mian"),
        schema: Schema::Accepts,
        findings: &["11:19-23 the agent file has no metrics server `mian`; did you mean `main`?"],
    },
    Case {
        name: "neither query nor good and total",
        base: METRICS,
        edit: Edit::Replace("          good: 'sum(increase(http_ok[$window]))'\n          total: 'sum(increase(http_all[$window]))'\n", ""),
        schema: Schema::Refuses,
        findings: &["10:9-19 `prometheus` needs `query` or `good` with `total`"],
    },
    Case {
        name: "good without total",
        base: METRICS,
        edit: Edit::Replace("          total: 'sum(increase(http_all[$window]))'\n", ""),
        schema: Schema::Refuses,
        findings: &["10:9-19 `prometheus` lacks the key `total`; `prometheus` needs `query` or `good` with `total`"],
    },
    Case {
        name: "query beside good",
        base: METRICS,
        edit: Edit::Replace("          good:", "          query: up\n          good:"),
        schema: Schema::Refuses,
        findings: &["13:11-15 `prometheus` takes only one of `query` and `good` with `total`; remove the others"],
    },
    Case {
        name: "good without $window",
        base: METRICS,
        edit: Edit::Replace("good: 'sum(increase(http_ok[$window]))'", "good: 'sum(increase(http_ok[1m]))'"),
        schema: Schema::Accepts,
        findings: &[
            "12:17-45 `good` does not use `$window`, over which its events are counted; write `good: sum(increase(http_requests_total{…}[$window]))`",
        ],
    },
    Case {
        name: "good is total",
        base: METRICS,
        edit: Edit::Replace("http_ok", "http_all"),
        schema: Schema::Accepts,
        findings: &["12:17-51 `good` and `total` are the same query: nothing is ever bad"],
    },
    Case {
        name: "brackets that do not match",
        base: METRICS,
        edit: Edit::Replace("good: 'sum(increase(http_ok[$window]))'", "good: 'sum(increase(http_ok[$window])'"),
        schema: Schema::Accepts,
        findings: &["12:17-49 `good` has a `(` without its counterpart"],
    },
    Case {
        name: "no freshness",
        base: METRICS,
        edit: Edit::Replace("          freshness: http_all\n", ""),
        schema: Schema::Refuses,
        findings: &[
            "10:9-19 `prometheus` lacks the key `freshness`; `freshness`: The selector whose newest sample says how old the data is; without it a service that has died reads 100 % for minutes.",
        ],
    },
    Case {
        name: "freshness is an expression",
        base: METRICS,
        edit: Edit::Replace("freshness: http_all", "freshness: 'max(http_all)'"),
        schema: Schema::Accepts,
        findings: &[
            "14:22-37 `freshness` is a plain selector, and this is an expression; write the metric and its labels: `http_requests_total{app=\"checkout\"}`",
        ],
    },
    Case {
        name: "targets is an expression",
        base: METRICS,
        edit: Edit::Replace("freshness: http_all", "freshness: http_all\n          targets: 'sum(up)'"),
        schema: Schema::Accepts,
        findings: &[
            "15:20-29 `targets` is a plain selector, and this is an expression; write the metric and its labels: `http_requests_total{app=\"checkout\"}`",
        ],
    },
    Case {
        name: "good and total without target",
        base: METRICS,
        edit: Edit::Replace("objective: {target: 99.9%}", "objective: {}"),
        schema: Schema::Accepts,
        findings: &["15:7-16 `burnRate` needs a `target`; write `objective: {target: 99.9%}`"],
    },
    Case {
        name: "burn rate over a value",
        base: METRICS,
        edit: Edit::Replace(
            "          good: 'sum(increase(http_ok[$window]))'\n          total: 'sum(increase(http_all[$window]))'\n",
            "          query: up\n",
        ),
        schema: Schema::Accepts,
        findings: &[
            "14:7-16 `query` gives a value, and the objective says not which is bad; write `max` or `min`",
            "15:17-25 `burnRate` needs good and total events, and `query` gives a value; use `failing`",
        ],
    },
    Case {
        name: "burn rate over single answers",
        base: POLICY,
        edit: Edit::Replace("failing: {count: 3, of: 5}", "burnRate: {factor: 2, long: 1h, short: 5m}, minEvents: 10"),
        schema: Schema::Accepts,
        findings: &[
            "11:17-25 `burnRate` needs good and total events, and each round of `http`, `alert` or `workload` is one answer; use `failing`, such as `failing: {count: 3, of: 5}`, or an indicator `prometheus` with `good` and `total`",
        ],
    },
    Case {
        name: "short window not shorter",
        base: METRICS,
        edit: Edit::Replace("short: 5m", "short: 1h"),
        schema: Schema::Accepts,
        findings: &[
            "16:59-61 the short window of 1h is not shorter than the long one of 1h; Google's pairs are 1h with 5m and 6h with 30m",
        ],
    },
    Case {
        name: "window shorter than a round",
        base: METRICS,
        edit: Edit::Replace("short: 5m", "short: 30s"),
        schema: Schema::Accepts,
        findings: &["16:59-62 the short window of 30s is shorter than one round of 1m"],
    },
    Case {
        name: "window of broken rounds",
        base: METRICS,
        edit: Edit::Replace("short: 5m", "short: 90s"),
        schema: Schema::Accepts,
        findings: &["16:59-62 the short window of 1m 30s is no multiple of one round of 1m; a window is a whole number of rounds"],
    },
    Case {
        name: "factor of zero",
        base: METRICS,
        edit: Edit::Replace("factor: 14.4", "factor: 0"),
        schema: Schema::Refuses,
        findings: &["16:36-37 `factor` is over 0, and `0` is not"],
    },
    Case {
        name: "no budget to burn",
        base: METRICS,
        edit: Edit::Replace("target: 99.9%", "target: 100%"),
        schema: Schema::Accepts,
        findings: &["15:27-31 a `target` of 100% leaves no error budget to burn; write `99.9%`"],
    },
    Case {
        name: "sinceChange as a word",
        base: METRICS,
        edit: Edit::Replace("sinceChange: true", "sinceChange: yes"),
        schema: Schema::Accepts,
        findings: &["16:76-79 `sinceChange` is `true` or `false`, and `yes` is not"],
    },
    Case {
        name: "repository without branch",
        base: AGENT,
        edit: Edit::Replace("      branch: main\n", ""),
        schema: Schema::Refuses,
        findings: &["8:7-11 an item of `repositories` lacks the key `branch`; `branch`: The watched branch."],
    },
    Case {
        name: "repository address with a token",
        base: AGENT,
        edit: Edit::Replace("url: https://git.acme.example/manifests.git", "url: https://ghp_hunter2@git.acme.example/manifests.git"),
        schema: Schema::Accepts,
        findings: &[
            "9:12-62 `url` holds credentials; take them out of the address and put the password or token into a file: `credentials: {passwordFile: …}`",
        ],
    },
    Case {
        name: "repository address that is a path",
        base: AGENT,
        edit: Edit::Replace("url: https://git.acme.example/manifests.git", "url: /srv/manifests.git"),
        schema: Schema::Accepts,
        findings: &["9:12-30 `url` is the address of a repository, and `/srv/manifests.git` is none; write `file:///srv/manifests.git`"],
    },
    Case {
        name: "branch with refs/heads",
        base: AGENT,
        edit: Edit::Replace("branch: main", "branch: refs/heads/main"),
        schema: Schema::Refuses,
        findings: &["10:15-30 `branch` is a branch without `refs/heads/`, and `refs/heads/main` has it; write `main`"],
    },
    Case {
        name: "branch of revertd",
        base: AGENT,
        edit: Edit::Replace("branch: main", "branch: revertd/0123"),
        schema: Schema::Refuses,
        findings: &["10:15-27 `branch` begins with `revertd/`, where proposals are written; name the branch that the sync tool follows"],
    },
    Case {
        name: "branch that Git refuses",
        base: AGENT,
        edit: Edit::Replace("branch: main", "branch: ma..in"),
        schema: Schema::Accepts,
        findings: &["10:15-21 `branch` is a branch, and Git takes no `ma..in` for one"],
    },
    Case {
        name: "poll too often",
        base: AGENT,
        edit: Edit::Replace("poll: 15s", "poll: 1ms"),
        schema: Schema::Accepts,
        findings: &["11:13-16 `poll` is at least 100ms, and `1ms` is less"],
    },
    Case {
        name: "both kinds of credentials",
        base: AGENT,
        edit: Edit::Replace("passwordFile: token", "passwordFile: token, sshKeyFile: id"),
        schema: Schema::Refuses,
        findings: &["13:55-65 `credentials` takes only one of `passwordFile` and `sshKeyFile`; remove the others"],
    },
    Case {
        name: "user beside a key",
        base: AGENT,
        edit: Edit::Replace("username: x, passwordFile: token", "username: x, sshKeyFile: id"),
        schema: Schema::Refuses,
        findings: &["13:21-29 `username` does not go with `sshKeyFile`; remove it"],
    },
    Case {
        name: "password in the file",
        base: AGENT,
        edit: Edit::Replace("passwordFile: token", "password: hunter2"),
        schema: Schema::Refuses,
        findings: &["13:34-42 `password` is no key of `credentials`; did you mean `passwordFile`?"],
    },
    Case {
        name: "planned forge",
        base: AGENT,
        edit: Edit::Replace("forge: {plain: {}}", "forge: {gitlab: {tokenFile: token}}"),
        schema: Schema::Refuses,
        findings: &["12:15-21 `gitlab` is not supported yet; remove it"],
    },
    Case {
        name: "GitHub without a way to authenticate",
        base: AGENT,
        edit: Edit::Replace("forge: {plain: {}}", "forge: {github: {}}"),
        schema: Schema::Refuses,
        findings: &["12:15-21 `github` needs `appId` with `privateKeyFile` or `tokenFile`"],
    },
    Case {
        name: "GitHub with a token and an App",
        base: AGENT,
        edit: Edit::Replace("forge: {plain: {}}", "forge: {github: {tokenFile: t, appId: 1, privateKeyFile: k, repository: a/b}}"),
        schema: Schema::Refuses,
        findings: &["12:38-43 `github` takes only one of `appId` with `privateKeyFile` and `tokenFile`; remove the others"],
    },
    Case {
        name: "GitHub repository without an owner",
        base: AGENT,
        edit: Edit::Replace("forge: {plain: {}}", "forge: {github: {tokenFile: t, repository: manifests}}"),
        schema: Schema::Accepts,
        findings: &[
            "12:50-59 `repository` is an owner and a name, and `manifests` is not; write `forge: {github: {repository: acme/manifests, …}}`",
        ],
    },
    Case {
        name: "GitHub repository that the address does not name",
        base: AGENT,
        edit: Edit::Replace("forge: {plain: {}}", "forge: {github: {tokenFile: t}}"),
        schema: Schema::Accepts,
        findings: &[
            "9:12-50 the address does not say which repository on GitHub it is; write `forge: {github: {repository: acme/manifests, …}}`",
        ],
    },
    Case {
        name: "planned journal",
        base: AGENT,
        edit: Edit::Replace("journal: {sqlite: journal.db}", "journal: {postgres: {urlFile: url}}"),
        schema: Schema::Refuses,
        findings: &["4:13-21 `postgres` is not supported yet; remove it"],
    },
    Case {
        name: "templates that are no directory",
        base: AGENT,
        edit: Edit::Replace("  policies: []", "  templates: [title.txt]\n  policies: []"),
        schema: Schema::Refuses,
        findings: &["22:14-25 `templates` is a text, and this is a list"],
    },
    Case {
        name: "listen without an address",
        base: AGENT,
        edit: Edit::Replace("listen: 127.0.0.1:9464", "listen: :9464"),
        schema: Schema::Accepts,
        findings: &["5:11-16 `listen` is an IP address and a port, and `:9464` is not; write `0.0.0.0:9464` for every interface"],
    },
    Case {
        name: "listen on a name",
        base: AGENT,
        edit: Edit::Replace("listen: 127.0.0.1:9464", "listen: localhost:9464"),
        schema: Schema::Accepts,
        findings: &["5:11-25 `listen` is an IP address and a port, and `localhost:9464` is not; write `127.0.0.1:9464`"],
    },
    Case {
        name: "range with host bits",
        base: AGENT,
        edit: Edit::Replace("10.0.0.0/8", "10.1.2.3/8"),
        schema: Schema::Accepts,
        findings: &[
            "6:21-31 an item of `allow` is a range of addresses, and `10.1.2.3/8` has bits set after its prefix; write `10.0.0.0/8`",
        ],
    },
    Case {
        name: "range without prefix",
        base: AGENT,
        edit: Edit::Replace("10.0.0.0/8", "10.1.2.3"),
        schema: Schema::Accepts,
        findings: &["6:21-29 an item of `allow` is a range of addresses, and `10.1.2.3` is none; write `10.1.2.3/32`"],
    },
    Case {
        name: "two repositories of one name",
        base: AGENT,
        edit: Edit::Replace("  sync:\n", "    - {name: manifests, url: git@h:b.git, branch: main}\n  sync:\n"),
        schema: Schema::Accepts,
        findings: &["15:14-23 two items of `repositories` are named `manifests`; the first is at line 8; give one of them another name"],
    },
    Case {
        name: "one branch watched twice",
        base: AGENT,
        edit: Edit::Replace("  sync:\n", "    - {name: again, url: https://git.acme.example/manifests.git, branch: main}\n  sync:\n"),
        schema: Schema::Accepts,
        findings: &[
            "15:74-78 repository `manifests` watches this branch already; watch a branch once: two would revert the same change twice",
        ],
    },
    Case {
        name: "Argo CD without a token",
        base: AGENT,
        edit: Edit::Replace("lag: 3m", "argocd: {url: https://argocd.example}"),
        schema: Schema::Refuses,
        findings: &[
            "16:23-29 `argocd` lacks the key `tokenFile`; `tokenFile`: The file that holds an API token on its first line; `get` on applications is enough.",
        ],
    },
    Case {
        name: "Argo CD's address with the API's path",
        base: AGENT,
        edit: Edit::Replace("lag: 3m", "argocd: {url: https://argocd.example/api/v1/, tokenFile: t}"),
        schema: Schema::Accepts,
        findings: &["16:37-67 `url` is the address of Argo CD, without `/api/v1`; write `https://argocd.example`"],
    },
    Case {
        name: "Flux both ways",
        base: AGENT,
        edit: Edit::Replace("lag: 3m", "flux: {inCluster: {}, kubeconfig: k}"),
        schema: Schema::Refuses,
        findings: &["16:45-55 `flux` takes only one of `inCluster` and `kubeconfig`; remove the others"],
    },
    Case {
        name: "a context without a kubeconfig",
        base: AGENT,
        edit: Edit::Replace("lag: 3m", "flux: {inCluster: {}, context: c}"),
        schema: Schema::Refuses,
        findings: &["16:45-52 `context` does not go with `inCluster`; remove it"],
    },
    Case {
        name: "a revision metric of an unknown server",
        base: AGENT,
        edit: Edit::Replace("lag: 3m", "revisionMetric: {server: mian}"),
        schema: Schema::Accepts,
        findings: &["16:48-52 the agent file has no metrics server `mian`; `metrics`: `main`"],
    },
    Case {
        name: "a source of no kind",
        base: AGENT,
        edit: Edit::Replace("{name: cluster, lag: 3m}", "{name: cluster}"),
        schema: Schema::Refuses,
        findings: &["16:7-22 an item of `sync` needs `lag`, `argocd`, `flux`, `commitStatus` or `revisionMetric`"],
    },
    Case {
        name: "a source of two kinds",
        base: AGENT,
        edit: Edit::Replace("lag: 3m", "lag: 3m, revisionMetric: {server: main}"),
        schema: Schema::Refuses,
        findings: &[
            "16:32-46 an item of `sync` takes only one of `lag`, `argocd`, `flux`, `commitStatus` and `revisionMetric`; remove the others",
        ],
    },
    Case {
        name: "metrics address with the API's path",
        base: AGENT,
        edit: Edit::Replace("url: http://prometheus:9090", "url: http://prometheus:9090/api/v1"),
        schema: Schema::Accepts,
        findings: &["18:38-67 `url` is the base address of the server, without `/api/v1`; write `http://prometheus:9090`"],
    },
    Case {
        name: "header with a bad name",
        base: AGENT,
        edit: Edit::Replace("X-Scope-OrgID: hunter2", "\"X Scope\": hunter2"),
        schema: Schema::Accepts,
        findings: &["18:72-81 a key with spaces or signs in it is not the name of a header"],
    },
    Case {
        name: "header of the client",
        base: AGENT,
        edit: Edit::Replace("X-Scope-OrgID: hunter2", "Host: hunter2"),
        schema: Schema::Accepts,
        findings: &["18:72-76 the header `Host` is written by the client itself; remove it"],
    },
    Case {
        name: "header that is a number",
        base: AGENT,
        edit: Edit::Replace("X-Scope-OrgID: hunter2", "X-Scope-OrgID: 42000042"),
        schema: Schema::Refuses,
        findings: &["18:87-95 the key `X-Scope-OrgID` of `headers` is a text, and this is a number; put it into quotes"],
    },
    Case {
        name: "headers misspelt",
        base: AGENT,
        edit: Edit::Replace("headers: {X-Scope-OrgID: hunter2}", "header: {X-Scope-OrgID: hunter2}"),
        schema: Schema::Refuses,
        findings: &["18:62-68 `header` is no key of `prometheus`; did you mean `headers`?"],
    },
    Case {
        name: "two notifiers of one name",
        base: AGENT,
        edit: Edit::Replace(
            "[{name: oncall, slack: {channel: \"#$team-oncall\", tokenFile: slack}}]",
            "[{name: a, teams: {webhookFile: x}}, {name: a, discord: {webhookFile: x}}]",
        ),
        schema: Schema::Accepts,
        findings: &["23:58-59 two items of `notifiers` are named `a`; the first is at line 23; give one of them another name"],
    },
    Case {
        name: "a notifier of two kinds",
        base: AGENT,
        edit: Edit::Replace(
            "[{name: oncall, slack: {channel: \"#$team-oncall\", tokenFile: slack}}]",
            "[{name: a, teams: {webhookFile: x}, discord: {webhookFile: x}}]",
        ),
        schema: Schema::Refuses,
        findings: &[
            "23:50-57 an item of `notifiers` takes only one of `slack`, `mattermost`, `discord`, `teams`, `pagerduty` and `webhook`; remove the others",
        ],
    },
    Case {
        name: "a notifier of no kind",
        base: AGENT,
        edit: Edit::Replace("[{name: oncall, slack: {channel: \"#$team-oncall\", tokenFile: slack}}]", "[{name: a}]"),
        schema: Schema::Refuses,
        findings: &["23:15-24 an item of `notifiers` needs `slack`, `mattermost`, `discord`, `teams`, `pagerduty` or `webhook`"],
    },
    Case {
        name: "a webhook's address in the file",
        base: AGENT,
        edit: Edit::Replace(
            "[{name: oncall, slack: {channel: \"#$team-oncall\", tokenFile: slack}}]",
            "[{name: a, slack: {webhookFile: https://hooks.slack.example/hunter2}}]",
        ),
        schema: Schema::Accepts,
        findings: &["23:46-81 `webhookFile` is an address, and a file or directory is meant"],
    },
    Case {
        name: "slack without a channel",
        base: AGENT,
        edit: Edit::Replace(
            "[{name: oncall, slack: {channel: \"#$team-oncall\", tokenFile: slack}}]",
            "[{name: a, slack: {tokenFile: x}}]",
        ),
        schema: Schema::Refuses,
        findings: &["23:25-30 `slack` lacks the key `channel`; `slack` needs `channel` with `tokenFile` or `webhookFile`"],
    },
    Case {
        name: "a token in the file",
        base: AGENT,
        edit: Edit::Replace(
            "[{name: oncall, slack: {channel: \"#$team-oncall\", tokenFile: slack}}]",
            "[{name: a, slack: {channel: \"#x\", token: xoxb-hunter2}}]",
        ),
        schema: Schema::Refuses,
        findings: &["23:48-53 `token` is no key of `slack`; did you mean `tokenFile`?"],
    },
    Case {
        name: "a channel that is none",
        base: AGENT,
        edit: Edit::Replace(
            "[{name: oncall, slack: {channel: \"#$team-oncall\", tokenFile: slack}}]",
            "[{name: a, slack: {channel: \"#on call\", tokenFile: x}}]",
        ),
        schema: Schema::Accepts,
        findings: &[
            "23:42-52 `channel` is no channel: `#on call` holds ' ', which no channel's name does; write `\"#oncall\"` or `\"#$team-oncall\"`",
        ],
    },
    Case {
        name: "a channel that is a comment",
        base: AGENT,
        edit: Edit::Replace(
            "[{name: oncall, slack: {channel: \"#$team-oncall\", tokenFile: slack}}]",
            "\n    - name: a\n      slack:\n        tokenFile: x\n        channel: #oncall",
        ),
        schema: Schema::Refuses,
        findings: &["27:9-16 `channel` is empty; write a value or remove the key"],
    },
    Case {
        name: "an unknown notifier",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  breachWhen: any\n  notify: [oncal]"),
        schema: Schema::Accepts,
        findings: &["13:12-17 the agent file has no notifier `oncal`; did you mean `oncall`?"],
    },
    Case {
        name: "a channel needs a label that the policy lacks",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  breachWhen: any\n  notify: [oncall]"),
        schema: Schema::Accepts,
        findings: &[
            "13:12-18 `oncall` has no channel for this policy: `#$team-oncall` needs the label `team`, which the policy does not have; write `metadata: {labels: {team: …}}`",
        ],
    },
    Case {
        name: "a channel needs another value of a label",
        base: POLICY,
        edit: Edit::Replace(
            "metadata: {name: checkout}\nspec:\n",
            "metadata: {name: checkout, labels: {team: \"@here\"}}\nspec:\n  notify: [oncall]\n",
        ),
        schema: Schema::Accepts,
        findings: &[
            "5:12-18 `oncall` has no channel for this policy: the label `team` is \"@here\", and `#$team-oncall` needs lower case letters, digits, `-` and `_` there; write `metadata: {labels: {team: …}}`",
        ],
    },
    Case {
        name: "a notifier twice",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  breachWhen: any\n  notify: [x, x]"),
        schema: Schema::Accepts,
        findings: &[
            "13:12-13 the agent file has no notifier `x`; `notifiers`: `oncall`",
            "13:15-16 `x` is there twice; remove one of the two",
        ],
    },
    Case {
        name: "policies as a text",
        base: AGENT,
        edit: Edit::Replace("policies: []", "policies: policies/"),
        schema: Schema::Refuses,
        findings: &["22:13-22 `policies` is a list, and this is a text; write `[\"policies/\"]`"],
    },
    Case {
        name: "no repository",
        base: AGENT,
        edit: Edit::Replace(
            "    - name: manifests\n      url: https://git.acme.example/manifests.git\n      branch: main\n      poll: 15s\n      forge: {plain: {}}\n      credentials: {username: x, passwordFile: token}\n      commit: {name: revertd, email: revertd@acme.example}\n",
            "    []\n",
        ),
        schema: Schema::Refuses,
        findings: &["8:5-7 `repositories` is empty, and at least one item is needed"],
    },
    Case {
        name: "e-mail without a host",
        base: AGENT,
        edit: Edit::Replace("email: revertd@acme.example", "email: revertd"),
        schema: Schema::Accepts,
        findings: &["14:38-45 `email` is an e-mail address, and `revertd` is none; write `revertd@acme.example`"],
    },
    Case {
        name: "tab",
        base: POLICY,
        edit: Edit::Replace("  repository: manifests", "\trepository: manifests"),
        schema: Schema::NotReached,
        findings: &["5:2-3 a tab cannot indent or separate here; use spaces"],
    },
    Case {
        name: "bracket not closed",
        base: POLICY,
        edit: Edit::Replace("alerts: [{failing: {count: 3, of: 5}}]", "alerts: [{failing: {count: 3, of: 5}}"),
        schema: Schema::NotReached,
        findings: &["12:13-14 the `[` of line 11 is still open here; add the `]` of the `[` at line 11"],
    },
    Case {
        name: "quote not closed",
        base: POLICY,
        edit: Edit::Replace("\"apps/checkout/**\"", "\"apps/checkout/**"),
        schema: Schema::NotReached,
        findings: &["6:11-12 a quoted text is not closed; add the closing quote; a text inside single quotes doubles its own: `'it''s'`"],
    },
    Case {
        name: "brackets crossed",
        base: POLICY,
        edit: Edit::Replace("{count: 3, of: 5}}]", "{count: 3, of: 5]}}"),
        schema: Schema::NotReached,
        findings: &["11:26-27 `{` is closed by `]`; close it with `}`"],
    },
    Case {
        name: "colon in a text",
        base: POLICY,
        edit: Edit::Replace("name: checkout", "name: checkout: blue"),
        schema: Schema::NotReached,
        findings: &[
            "3:26-27 an object in braces lacks a `,`, a `:` or its `}`; write `{one: 1, two: 2}`, with quotes round a text that holds `: `, `,` or a bracket",
        ],
    },
    Case {
        name: "wrong indentation",
        base: POLICY,
        edit: Edit::Replace("  repository: manifests", "   repository: manifests"),
        schema: Schema::NotReached,
        findings: &["6:3-4 a key with `:` is expected here; write `key: value`, indented like its neighbours"],
    },
    Case {
        name: "glob without quotes",
        base: POLICY,
        edit: Edit::Replace("[\"apps/checkout/**\"]", "[**/checkout]"),
        schema: Schema::NotReached,
        findings: &["6:11-22 an alias (`*name`) is not allowed; write the value out; a text that begins with `*` or `&` needs quotes"],
    },
    Case {
        name: "text that begins with an at sign",
        base: POLICY,
        edit: Edit::Replace("name: checkout", "name: @checkout"),
        schema: Schema::NotReached,
        findings: &["3:18-19 a text cannot begin with `@`; put it into quotes"],
    },
    Case {
        name: "alias",
        base: POLICY,
        edit: Edit::Replace("repository: manifests", "repository: *manifests"),
        schema: Schema::NotReached,
        findings: &["5:15-25 an alias (`*name`) is not allowed; write the value out; a text that begins with `*` or `&` needs quotes"],
    },
    Case {
        name: "anchor",
        base: POLICY,
        edit: Edit::Replace("repository: manifests", "repository: &name manifests"),
        schema: Schema::Accepts,
        findings: &["5:21-30 an anchor (`&name`) is not allowed; write the value out; a text that begins with `*` or `&` needs quotes"],
    },
    Case {
        name: "merge key",
        base: POLICY,
        edit: Edit::Replace("  repository: manifests", "  <<: {breachWhen: any}\n  repository: manifests"),
        schema: Schema::Accepts,
        findings: &["5:3-5 the merge key `<<` is not allowed; write the keys out: a reader sees what holds without looking elsewhere"],
    },
    Case {
        name: "tag",
        base: POLICY,
        edit: Edit::Replace("repository: manifests", "repository: !env MANIFESTS"),
        schema: Schema::Refuses,
        findings: &["5:20-29 a tag (`!name`) is not allowed; remove it; a text that begins with `!` needs quotes"],
    },
    Case {
        name: "duplicate key",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "breachWhen: any\n  repository: other"),
        schema: Schema::NotReached,
        findings: &["13:3-13 the key `repository` is there twice; it is first seen at line 5; remove one of the two"],
    },
    Case {
        name: "directive",
        base: POLICY,
        edit: Edit::Replace("apiVersion: revertd.dev/v1alpha1", "%YAML 1.2"),
        schema: Schema::NotReached,
        findings: &["1:1-2 a `%` directive is not allowed; remove the line"],
    },
    Case {
        name: "second document without a line",
        base: POLICY,
        edit: Edit::Replace("apiVersion: revertd.dev/v1alpha1", "a: 1\n...\napiVersion: revertd.dev/v1alpha1"),
        schema: Schema::NotReached,
        findings: &["3:1-2 another document begins here without a `---` line; put a line `---` between two documents"],
    },
    Case {
        name: "list as a key",
        base: POLICY,
        edit: Edit::Replace("breachWhen: any", "[breachWhen]: any"),
        schema: Schema::NotReached,
        findings: &["12:3-15 a key is a word, not a list or an object"],
    },
    Case {
        name: "NUL",
        base: POLICY,
        edit: Edit::Replace("repository: manifests", "repository: mani\0fests"),
        schema: Schema::NotReached,
        findings: &[
            "5:19-20 the character U+0000 is not allowed in a configuration file; save the file as UTF-8 text without control characters",
        ],
    },
    Case {
        name: "escape sequence",
        base: POLICY,
        edit: Edit::Replace("repository: manifests", "repository: \u{1b}[31mmanifests"),
        schema: Schema::NotReached,
        findings: &[
            "5:15-16 the character U+001B is not allowed in a configuration file; save the file as UTF-8 text without control characters",
        ],
    },
    Case {
        name: "a text for a document",
        base: POLICY,
        edit: Edit::Whole("hello\n"),
        schema: Schema::Refuses,
        findings: &[
            "1:1-2 a document is an object, and this is a text; begin it with `apiVersion: revertd.dev/v1alpha1` and `kind: RevertPolicy` or `kind: Agent`",
        ],
    },
    Case {
        name: "a list for a document",
        base: POLICY,
        edit: Edit::Whole("- hello\n"),
        schema: Schema::Refuses,
        findings: &[
            "1:1-2 a document is an object, and this is a list; begin it with `apiVersion: revertd.dev/v1alpha1` and `kind: RevertPolicy` or `kind: Agent`",
        ],
    },
    Case {
        name: "an empty file",
        base: POLICY,
        edit: Edit::Whole("# nothing\n---\n"),
        schema: Schema::Refuses,
        findings: &["0:0-0 the file holds no document; begin it with `apiVersion: revertd.dev/v1alpha1` and `kind: RevertPolicy`"],
    },
    Case {
        name: "a schedule with seconds",
        base: POLICY,
        edit: Edit::Replace("settle: 60s}\n", "settle: 60s}\n  guardrails: {hours: {merge: [{schedule: 0 0 18 * * 1, for: 15h}]}}\n"),
        schema: Schema::Accepts,
        findings: &[
            "14:43-55 `schedule` is a schedule, and this one has 6 fields, and 5 are meant: there are no seconds and no years; write `minute hour day-of-month month day-of-week`, as in `0 18 * * MON-FRI`",
        ],
    },
    Case {
        name: "a day that Quartz has",
        base: POLICY,
        edit: Edit::Replace("settle: 60s}\n", "settle: 60s}\n  guardrails: {hours: {merge: [{schedule: 0 9 L * *, for: 15h}]}}\n"),
        schema: Schema::Accepts,
        findings: &[
            "14:43-52 `schedule` is a schedule, and this one has `L` as its day of the month, which goes from 1 to 31; `L`, `W` and `#` are no part of a five-field schedule",
        ],
    },
    Case {
        name: "a time zone in the schedule",
        base: POLICY,
        edit: Edit::Replace("settle: 60s}\n", "settle: 60s}\n  guardrails: {maintenance: [{schedule: CRON_TZ=UTC 0 9 * * *, for: 1h}]}\n"),
        schema: Schema::Accepts,
        findings: &["14:41-62 `schedule` is a schedule, and this one holds a time zone; write it into the key `timeZone`"],
    },
    Case {
        name: "a time zone that is near",
        base: POLICY,
        edit: Edit::Replace(
            "settle: 60s}\n",
            "settle: 60s}\n  guardrails: {hours: {merge: [{schedule: 0 18 * * 1-5, timeZone: europe/berlin, for: 15h}]}}\n",
        ),
        schema: Schema::Accepts,
        findings: &["14:67-80 `timeZone` is the IANA name of a time zone, and `europe/berlin` is none; did you mean `Europe/Berlin`?"],
    },
    Case {
        name: "a time zone that is an abbreviation",
        base: POLICY,
        edit: Edit::Replace(
            "settle: 60s}\n",
            "settle: 60s}\n  guardrails: {hours: {merge: [{schedule: 0 18 * * 1-5, timeZone: PDT, for: 15h}]}}\n",
        ),
        schema: Schema::Accepts,
        findings: &["14:67-70 `timeZone` is the IANA name of a time zone, and `PDT` is none; write a name such as `Europe/Berlin`"],
    },
    Case {
        name: "a window without a length, on a day that no month has",
        base: POLICY,
        edit: Edit::Replace("settle: 60s}\n", "settle: 60s}\n  guardrails: {hours: {merge: [{schedule: 0 18 31 2 *}]}}\n"),
        schema: Schema::Refuses,
        findings: &[
            "14:32-55 an item of `merge` lacks the key `for`; `for`: How long it stays open, in real time.",
            "14:43-54 `schedule` is a schedule, and this one fits no day of any year; no month has that day",
        ],
    },
    Case {
        name: "hours that are too short to be any",
        base: POLICY,
        edit: Edit::Replace("settle: 60s}\n", "settle: 60s}\n  guardrails: {hours: {merge: [{schedule: 0 18 * * *, for: 15s}]}}\n"),
        schema: Schema::Accepts,
        findings: &["14:60-63 `for` is at least 1m, and `15s` is less"],
    },
    Case {
        name: "four eyes that are no flag",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  approval: {notAuthorOfChange: always}"),
        schema: Schema::Refuses,
        findings: &["12:33-39 `notAuthorOfChange` is `true` or `false`, and `always` is not"],
    },
    Case {
        name: "an approver that is a word other than codeowners",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  approval: {from: [codeowner]}"),
        schema: Schema::Refuses,
        findings: &["12:21-30 an item of `from` is `codeowners`, and `codeowner` is not; did you mean `codeowners`?"],
    },
    Case {
        name: "somebody who forces by a team without an organisation",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  approval: {force: [{team: sre}]}"),
        schema: Schema::Accepts,
        findings: &["12:29-32 `team` is an organisation and a team, and `sre` is not; write `acme/sre`"],
    },
    Case {
        name: "the owners cannot force",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  approval: {force: [codeowners]}"),
        schema: Schema::Refuses,
        findings: &["12:22-32 an item of `force` is an object, and this is a text; it takes `team`, `user` and `role`"],
    },
    Case {
        name: "silence without what then",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  approval: {ifSilent: {after: 15m}}"),
        schema: Schema::Refuses,
        findings: &[
            "12:14-22 `ifSilent` lacks the key `then`; `then`: `escalate` tells it again, `withdraw` takes the proposal back, `merge` counts the policy's own mode as `merge`: every ceiling and every other guardrail of the merge gate holds.",
        ],
    },
    Case {
        name: "silence that does what is not known",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  approval: {ifSilent: {after: 15m, then: approve}}"),
        schema: Schema::Refuses,
        findings: &["12:43-50 `then` is `escalate`, `withdraw` or `merge`, and `approve` is not"],
    },
    Case {
        name: "silence of no time",
        base: POLICY,
        edit: Edit::Replace("  breachWhen: any", "  approval: {ifSilent: {after: 0s, then: escalate}}"),
        schema: Schema::Accepts,
        findings: &["12:32-34 `after` is at least 1s, and `0s` is less"],
    },
];
