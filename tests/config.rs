//! What people write, from outside: a table of wrong files with the exact finding for each, the shipped examples, and input that was not
//! written by people.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use revertd::config::agent::SyncKind;
use revertd::config::diagnostic::{Diagnostic, Diagnostics};
use revertd::config::{check_paths, check_texts, load_agent, load_texts, schema};
use revertd::engine::broken_sync::OnSyncFailure;
use revertd::engine::id::{MetricsName, SyncName};
use revertd::engine::policy::{AlertRule, Indicator, Mode, Sync, SyncTarget};
use revertd::engine::variables::Variables;
use serde_json::Value;

#[path = "config/openslo.rs"]
mod openslo;
#[path = "config/table.rs"]
mod table;

use table::{AGENT, CASES, Case, Edit, METRICS, POLICY, SLOS, Schema};

/// `LINE:COLUMN-END severity: message; hint`, without the severity for errors.
fn line_of(diagnostic: &Diagnostic) -> String {
    let severity = if diagnostic.is_error() { "" } else { "warning: " };
    let hint = diagnostic.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    let end = diagnostic.column + diagnostic.length;
    format!("{}:{}-{end} {severity}{}{hint}", diagnostic.line, diagnostic.column, diagnostic.message)
}

fn text_of(case: &Case) -> String {
    match case.edit {
        Edit::Whole(text) => text.to_owned(),
        Edit::Replace(from, to) => {
            assert_eq!(case.base.matches(from).count(), 1, "{}: the base holds `{from}` once", case.name);
            case.base.replace(from, to)
        }
    }
}

/// A wrong policy is checked together with the valid agent; a wrong agent alone with a valid policy.
fn findings(case: &Case) -> Vec<Diagnostic> {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let wrong = text_of(case);
    let files = if case.base == AGENT {
        vec![file("agent.yaml", &wrong), file("policy.yaml", POLICY)]
    } else {
        vec![file("agent.yaml", AGENT), file("policy.yaml", &wrong)]
    };
    let wrong_file = if case.base == AGENT { "agent.yaml" } else { "policy.yaml" };
    check_texts(&files).into_iter().filter(|diagnostic| diagnostic.file == wrong_file).collect()
}

fn validator() -> jsonschema::Validator {
    jsonschema::options().with_draft(jsonschema::Draft::Draft202012).build(&schema()).unwrap()
}

/// By the YAML library's own deserialiser, so that the tree of `config` is not judged by itself.
fn json_of(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok()
}

#[test]
fn every_wrong_file_gives_its_sentence() {
    let mut wrong = String::new();
    for case in CASES {
        let found: Vec<String> = findings(case).iter().map(line_of).collect();
        if found != case.findings {
            let _ = writeln!(wrong, "{}\n  expected {:#?}\n  found {found:#?}", case.name, case.findings);
        }
        if !findings(case).iter().any(Diagnostic::is_error) {
            let _ = writeln!(wrong, "{}: accepted", case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(CASES.len() >= 45);
}

#[test]
fn what_is_shown_holds_no_secret() {
    for case in CASES {
        let shown: String = findings(case).iter().map(|found| format!("{found}{}", serde_json::to_string(found).unwrap())).collect();
        assert!(!shown.contains("hunter2") && !shown.contains("42000042"), "{}:\n{shown}", case.name);
    }
}

#[test]
fn the_schema_refuses_wrong_shapes_and_accepts_what_is_valid() {
    let validator = validator();
    for text in [AGENT, POLICY, METRICS] {
        let errors: Vec<String> = validator.iter_errors(&json_of(text).unwrap()).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    for case in CASES.iter().filter(|case| case.schema != Schema::NotReached) {
        let json = json_of(&text_of(case)).unwrap_or_else(|| panic!("{}: does not parse", case.name));
        assert_eq!(!validator.is_valid(&json), case.schema == Schema::Refuses, "{}", case.name);
    }
}

#[test]
fn a_dollar_that_begins_no_variable_is_in_no_name() {
    let indicator = "{http: {url: https://checkout.acme.example/journey, every: 10s, timeout: 2s, unreachable: bad}}";
    for name in ["shop-$", "$1", "${1}", "shop-$window"] {
        let workload = format!("{{workload: {{server: main, kind: Deployment, namespace: '{name}', name: a}}}}");
        let followed = format!("sync: {{source: cluster, kustomization: {{namespace: '{name}', name: a}}}}");
        for text in [POLICY.replace(indicator, &workload), POLICY.replace("breachWhen: any", &followed)] {
            let found = check_texts(&[("policy.yaml".to_owned(), text.into_bytes())]);
            let errors: Vec<&str> = found.iter().filter(|found| found.is_error()).map(|found| found.message.as_str()).collect();
            assert_eq!(errors, [format!("`namespace` is a name, and `{name}` is none")]);
        }
    }
}

#[test]
fn the_bases_are_valid_without_a_warning() {
    for policy in [POLICY, METRICS, SLOS] {
        let loaded = load_texts(("agent.yaml", AGENT), &[("policy.yaml".to_owned(), policy.to_owned())]).unwrap();
        let warnings: Vec<String> = loaded.warnings.iter().map(line_of).collect();
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(loaded.policies.len(), 1);
    }
}

#[test]
fn a_finding_looks_like_this() {
    let case = CASES.iter().find(|case| case.name == "the ratio of the example").unwrap();
    let found = findings(case).into_iter().find(Diagnostic::is_error).unwrap();
    insta::assert_snapshot!(found.to_string(), @r"
    error: `target` is a ratio between 0 and 1 or a percentage, and 99.9 is neither
      --> policy.yaml:10:27
        |
     10 |       objective: {target: 99.9}
        |                           ^^^^
    hint: write `99.9%` or `0.999`
    ");
}

// === Planned keys ===

/// A planned key with the place where it would stand: base, text of the base, the same text with the key.
const PLANNED: &[(&str, &str, &str, &str)] = &[
    ("postgres", AGENT, "sqlite: journal.db", "sqlite: journal.db, postgres: {}"),
    ("gitlab", AGENT, "plain: {}", "gitlab: {}"),
    ("forgejo", AGENT, "plain: {}", "forgejo: {}"),
    ("branchPrefix", AGENT, "commit: {", "commit: {branchPrefix: x/, "),
    ("subject", AGENT, "commit: {", "commit: {subject: x, "),
    ("signOff", AGENT, "commit: {", "commit: {signOff: true, "),
    ("json", POLICY, "indicator: {", "indicator: {json: {}, "),
];

#[test]
fn every_planned_key_is_refused_and_is_not_in_the_schema() {
    let validator = validator();
    for (key, base, from, to) in PLANNED {
        assert_eq!(base.matches(from).count(), 1, "{key}");
        let text = base.replace(from, to);
        let found = check_texts(&[("x.yaml".to_owned(), text.clone().into_bytes())]);
        let errors: Vec<&str> = found.iter().filter(|found| found.is_error()).map(|found| found.message.as_str()).collect();
        assert_eq!(errors, [format!("`{key}` is not supported yet")], "{key}");
        assert!(!validator.is_valid(&json_of(&text).unwrap()), "{key}");
    }
    let keys: BTreeSet<&str> = PLANNED.iter().map(|(key, ..)| *key).collect();
    assert_eq!(keys.len(), PLANNED.len());
}

// === The shipped examples ===

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn shipped() -> Vec<PathBuf> {
    ["policies/shortest.yaml", "policies/http.yaml", "policies/prometheus.yaml", "deploy/agent.yaml"].map(|path| root().join(path)).into()
}

#[test]
fn the_shipped_files_are_valid_and_match_the_schema() {
    let loaded = load_agent(&root().join("deploy/agent.yaml")).unwrap();
    assert_eq!(loaded.policies.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["payments", "search", "checkout"]);
    assert_eq!(check_paths(&[root().join("policies"), root().join("deploy")]).iter().filter(|found| found.is_error()).count(), 0);
    let validator = validator();
    for path in shipped() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(validator.is_valid(&json_of(&text).unwrap()), "{}", path.display());
    }
}

/// The file with its commented keys in force: `# key: value` lines whose value is no example.
fn with_defaults_written(text: &str) -> (String, usize) {
    let mut examples = false;
    let mut count = 0;
    let lines = text.lines().map(|line| {
        let bare = line.trim_start();
        let Some(comment) = bare.strip_prefix("# ") else {
            examples = false;
            return line.to_owned();
        };
        let key = comment.split_once(": ").map_or("", |(key, _)| key);
        let is_key = !key.is_empty() && key.chars().all(char::is_alphanumeric) && key.starts_with(|char: char| char.is_ascii_lowercase());
        if !is_key || ["propose: open", "observe: record"].iter().any(|prose| comment.starts_with(prose)) {
            examples = comment.contains("(example)");
            return line.to_owned();
        }
        if examples {
            return line.to_owned();
        }
        count += 1;
        format!("{}{comment}", &line[..line.len() - bare.len()])
    });
    (lines.collect::<Vec<_>>().join("\n"), count)
}

#[test]
fn the_commented_defaults_are_the_real_ones() {
    let agent = std::fs::read_to_string(root().join("deploy/agent.yaml")).unwrap();
    let policies: Vec<(String, String)> = ["policies/http.yaml", "policies/prometheus.yaml"]
        .map(|path| (path.to_owned(), std::fs::read_to_string(root().join(path)).unwrap()))
        .into();
    let plain = load_texts(("agent.yaml", &agent), &policies).unwrap();
    let (agent_written, agent_count) = with_defaults_written(&agent);
    let written: Vec<(String, (String, usize))> = policies.iter().map(|(name, text)| (name.clone(), with_defaults_written(text))).collect();
    assert_eq!((agent_count, written[0].1.1, written[1].1.1), (13, 31, 4), "every commented default is seen");
    let written: Vec<(String, String)> = written.into_iter().map(|(name, (text, _))| (name, text)).collect();
    let written = load_texts(("agent.yaml", &agent_written), &written).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(written.agent, plain.agent);
    assert_eq!(written.policies, plain.policies);
}

/// The names of all properties of a schema.
fn keys_of(schema: &Value, keys: &mut BTreeSet<String>) {
    let named = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    keys.extend(named.map(|(key, _)| key.clone()));
    match schema {
        Value::Object(parts) => parts.values().for_each(|part| keys_of(part, keys)),
        Value::Array(parts) => parts.iter().for_each(|part| keys_of(part, keys)),
        _ => {}
    }
}

#[test]
fn a_check_may_take_longer_than_recover_within() {
    let policy = POLICY.replace("breachWhen: any", "verify: {recoverWithin: 40s, holdFor: 20s, checks: [up]}");
    let loaded = load_texts(("agent.yaml", AGENT), &[("policy.yaml".to_owned(), policy)]).unwrap();
    assert_eq!(loaded.policies[0].verify.checks.len(), 1);
}

#[test]
fn every_key_stands_in_the_shipped_files() {
    let text: String = shipped().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let words: BTreeSet<&str> = text.split(|char: char| !char.is_alphanumeric()).collect();
    let mut keys = BTreeSet::new();
    keys_of(&schema(), &mut keys);
    let missing: Vec<&String> = keys.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(keys.len() > 100 && missing.is_empty(), "{missing:?} of {}", keys.len());
}

#[test]
fn the_examples_that_are_commented_out_are_valid() {
    for path in shipped() {
        let text = std::fs::read_to_string(&path).unwrap().replace("(example)", "");
        let (written, _) = with_defaults_written(&text);
        let found = check_texts(&[(path.display().to_string(), written.into_bytes())]);
        let errors: Vec<String> = found.iter().filter(|found| found.is_error()).map(ToString::to_string).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn every_kind_of_sync_source_is_read_with_what_a_policy_follows_of_it() {
    let sources = "    - {name: argo, argocd: {url: https://argocd.acme.example, tokenFile: argo, caFile: /etc/ca.pem}}
    - {name: inside, flux: {inCluster: {}}}
    - {name: outside, flux: {kubeconfig: kubeconfig, context: prod}}
    - {name: builds, revisionMetric: {server: main}}
    - {name: statuses, commitStatus: {creator: [acme-bot, 'acme-flux[bot]']}}
";
    let agent = AGENT.replace("    - {name: cluster, lag: 3m}\n", &format!("    - {{name: cluster, lag: 3m}}\n{sources}"));
    let follows = |sync: &str| {
        let policy = POLICY.replace("  breachWhen: any", &format!("  sync: {sync}"));
        let loaded = load_texts(("/etc/revertd/agent.yaml", &agent), &[("policy.yaml".to_owned(), policy)]).unwrap();
        (loaded.agent.syncs, loaded.policies[0].instances[0].sync.clone())
    };
    let (syncs, sync) = follows("{source: cluster}");
    assert_eq!(sync, Sync::Lag(Duration::from_secs(180)));
    let kinds: Vec<SyncKind> = syncs.into_iter().map(|source| source.kind).collect();
    let expected = [
        SyncKind::Lag(Duration::from_secs(180)),
        SyncKind::ArgoCd {
            url: "https://argocd.acme.example".into(),
            token_file: "/etc/revertd/argo".into(),
            ca_file: Some("/etc/ca.pem".into()),
        },
        SyncKind::FluxInCluster,
        SyncKind::FluxKubeconfig { path: "/etc/revertd/kubeconfig".into(), context: Some("prod".into()) },
        SyncKind::RevisionMetric { server: MetricsName::new("main"), label: "revision".into() },
        SyncKind::CommitStatus { creators: vec!["acme-bot".into(), "acme-flux[bot]".into()] },
    ];
    assert_eq!(kinds, expected);
    let (namespace, name) = ("shop".to_owned(), "checkout".to_owned());
    let application = |namespace, project| SyncTarget::Application { name: "checkout".into(), namespace, project };
    let cases = [
        ("argo", "application: checkout", application(None, None)),
        ("argo", "application: checkout, namespace: a, project: b", application(Some("a".into()), Some("b".into()))),
        (
            "inside",
            "kustomization: {namespace: shop, name: checkout}",
            SyncTarget::Kustomization { namespace: namespace.clone(), name: name.clone() },
        ),
        ("outside", "helmRelease: {namespace: shop, name: checkout}", SyncTarget::HelmRelease { namespace, name }),
        ("builds", "query: 'count by (revision) (up)'", SyncTarget::Query("count by (revision) (up)".into())),
    ];
    for (source, keys, expected) in cases {
        let (_, sync) = follows(&format!("{{source: {source}, {keys}}}"));
        assert_eq!(sync, Sync::Source { source: SyncName::new(source), follows: expected });
    }
    let refused = [
        ("{source: argo}", "the source `argo` needs `application`"),
        ("{source: statuses}", "the source `statuses` needs `context`"),
        ("{source: statuses, context: 'a/*'}", "the repository of this policy is plain Git, which has no commit statuses"),
        ("{source: inside}", "the source `inside` needs `kustomization` or `helmRelease`"),
        ("{source: inside, application: a}", "the source `inside` follows `kustomization` or `helmRelease`, not `application`"),
        ("{source: builds, application: a}", "the source `builds` follows `query`, not `application`"),
    ];
    for (sync, sentence) in refused {
        let policy = POLICY.replace("  breachWhen: any", &format!("  sync: {sync}"));
        let found = load_texts(("agent.yaml", &agent), &[("policy.yaml".to_owned(), policy)]).unwrap_err();
        let messages: Vec<&str> = found.0.iter().filter(|found| found.is_error()).map(|found| found.message.as_str()).collect();
        assert_eq!(messages, [sentence]);
    }
}

#[test]
fn commit_statuses_are_followed_by_their_context() {
    let agent = AGENT
        .replace("https://git.acme.example/manifests.git", "https://github.com/acme/manifests.git")
        .replace("forge: {plain: {}}", "forge: {github: {tokenFile: token}}")
        .replace("{name: cluster, lag: 3m}", "{name: statuses, commitStatus: {creator: acme-bot}}");
    let policy = POLICY.replace("  breachWhen: any", "  sync: {source: statuses, context: kustomization/checkout/*}");
    let loaded = load_texts(("agent.yaml", &agent), &[("policy.yaml".to_owned(), policy)]).unwrap();
    let follows = SyncTarget::Context("kustomization/checkout/*".into());
    assert_eq!(loaded.policies[0].instances[0].sync, Sync::Source { source: SyncName::new("statuses"), follows });
}

#[test]
fn a_sync_that_fails_is_proposed_about_unless_the_policy_says_no() {
    let of = |more: &str| {
        let policy = POLICY.replace("settle: 60s", &format!("settle: 60s{more}"));
        load_texts(("agent.yaml", AGENT), &[("policy.yaml".to_owned(), policy)]).unwrap().policies.remove(0).revert.on_sync_failure
    };
    assert_eq!([of(""), of(", onSyncFailure: propose")], [OnSyncFailure::Propose; 2]);
    assert_eq!(of(", onSyncFailure: ignore"), OnSyncFailure::Ignore);
}

#[test]
fn instances_are_read_with_what_is_followed_in_each() {
    let agent = AGENT.replace(
        "    - {name: cluster, lag: 3m}\n",
        "    - {name: cluster, lag: 3m}\n    - {name: argo, argocd: {url: https://argocd.acme.example, tokenFile: argo}}\n",
    );
    let read = |keys: &str| {
        let policy = POLICY.replace("  breachWhen: any", keys);
        load_texts(("agent.yaml", &agent), &[("policy.yaml".to_owned(), policy)]).map(|loaded| loaded.policies[0].instances.clone())
    };
    let application = |name: &str| Sync::Source {
        source: SyncName::new("argo"),
        follows: SyncTarget::Application { name: name.into(), namespace: None, project: None },
    };
    let keys = "  sync: {source: argo, application: checkout}
  instances:
    - {cluster: eu-1, application: checkout-eu}
    - {name: us, cluster: 'arn:aws:eks:us-1', labels: {region: us}, sync: argo, application: checkout-us}
    - {name: ap, sync: cluster}
    - {name: lab, sync: {lag: 5s}}
    - {name: same}";
    let instances = read(keys).unwrap();
    let found: Vec<(&str, Option<&str>, &Sync)> =
        instances.iter().map(|instance| (instance.name.as_str(), instance.cluster.as_deref(), &instance.sync)).collect();
    let (eu, us, same) = (application("checkout-eu"), application("checkout-us"), application("checkout"));
    let (lag, short) = (Sync::Lag(Duration::from_secs(180)), Sync::Lag(Duration::from_secs(5)));
    let expected = [
        ("eu-1", Some("eu-1"), &eu),
        ("us", Some("arn:aws:eks:us-1"), &us),
        ("ap", None, &lag),
        ("lab", None, &short),
        ("same", None, &same),
    ];
    assert_eq!(found, expected);
    assert_eq!(instances[1].labels["region"], "us");
    let refused = read("  instances: [{cluster: eu, sync: {source: argo}, application: a}]").unwrap_err();
    assert_eq!(refused.0[0].message, "`application` stands inside of `sync`, where that is an object");
}

#[test]
fn a_variable_is_known_in_every_instance_and_stands_inside_quotes() {
    let check = |instances: &str, freshness: &str| {
        let policy = METRICS
            .replace("  slos:", &format!("  environment: prod\n  instances: {instances}\n  slos:"))
            .replace("freshness: http_all", &format!("freshness: {freshness}"));
        let loaded = load_texts(("agent.yaml", AGENT), &[("policy.yaml".to_owned(), policy)]);
        let errors = |found: Diagnostics| {
            found.0.into_iter().filter(Diagnostic::is_error).map(|found| format!("{}:{} {}", found.line, found.column, found.message))
        };
        loaded.err().into_iter().flat_map(errors).collect::<Vec<String>>()
    };
    let two = "[{cluster: eu, labels: {region: europe}}, {name: us, cluster: us-1}]";
    assert_eq!(check(two, "'http_all{cluster=\"$cluster\",env=~\"^${env}$\"}'"), Vec::<String>::new());
    assert_eq!(check(two, "'http_all{region=\"$region\"}'"), ["16:40 `freshness`: `$region` is no variable here for the instance `us`"]);
    assert_eq!(
        check("[{cluster: eu}]", "'http_all{region=$cluster}'"),
        ["16:39 `freshness`: `$cluster` stands outside of quotes for the instance `eu`"]
    );
    assert_eq!(
        check("[{cluster: eu}]", "|\n            http_all{\n              region=\"$regoin\"}"),
        ["18:23 `freshness`: `$regoin` is no variable here for the instance `eu`"]
    );
}

/// The metrics servers of an agent with two clusters and an Argo CD, and a policy of two instances whose workload and application have variables.
fn workload_of(server: &str, namespace: &str, application: &str) -> Result<revertd::engine::policy::Policy, Vec<String>> {
    let agent = AGENT
        .replace(
            "  metrics:\n",
            "  metrics:\n    - {name: eu, kubernetes: {kubeconfig: eu}}\n    - {name: us-1, kubernetes: {kubeconfig: us}}\n",
        )
        .replace("    - {name: cluster, lag: 3m}\n", "    - {name: argo, argocd: {url: https://argocd.acme.example, tokenFile: argo}}\n");
    let policy = format!(
        "apiVersion: revertd.dev/v1alpha1\nkind: RevertPolicy\nmetadata: {{name: checkout}}\nspec:\n  repository: manifests\n  \
         environment: prod\n  paths: [a/**]\n  sync: {{source: argo, application: {application}}}\n  \
         instances: [{{cluster: eu, labels: {{region: europe}}}}, {{name: us, cluster: us-1, labels: {{region: America}}}}]\n  \
         slos: [{{name: up, indicator: {{workload: {{server: {server}, kind: Deployment, namespace: {namespace}, name: checkout}}}}}}]\n"
    );
    let loaded = load_texts(("agent.yaml", &agent), &[("policy.yaml".to_owned(), policy)]);
    let line = |found: Diagnostic| format!("{}:{} {}; {}", found.line, found.column, found.message, found.hint.unwrap_or_default());
    loaded.map(|mut loaded| loaded.policies.remove(0)).map_err(|found| found.0.into_iter().filter(Diagnostic::is_error).map(line).collect())
}

#[test]
fn the_cluster_of_a_workload_and_what_is_followed_are_named_by_variables() {
    let policy = workload_of("$cluster", "'shop-${env}'", "checkout-$region").unwrap();
    let named: Vec<(String, String)> = policy
        .instances
        .iter()
        .map(|instance| {
            let Ok(Indicator::Workload(workload)) = Variables::of(&policy, instance).in_indicator(&policy.slos[0].indicator) else {
                panic!("{instance:?}")
            };
            let Sync::Source { follows: SyncTarget::Application { name, .. }, .. } = &instance.sync else { panic!("{instance:?}") };
            (format!("{}/{}", workload.server, workload.namespace), name.clone())
        })
        .collect();
    let expected = [("eu/shop-prod", "checkout-europe"), ("us-1/shop-prod", "checkout-America")];
    assert_eq!(named, expected.map(|(server, name)| (server.to_owned(), name.to_owned())));
}

#[test]
fn a_name_with_a_variable_is_one_that_there_is_in_every_instance() {
    let wrong = |server, namespace, application| workload_of(server, namespace, application).unwrap_err();
    assert_eq!(
        wrong("$region", "shop", "a"),
        [
            "10:52 the agent file has no cluster `europe` for the instance `eu`; `metrics` of the kind `kubernetes`: `eu` and `us-1`",
            "10:52 `server` is a name, and `America` is none for the instance `us`; a name has small letters, digits, `-` and `.`, begins and \
             ends with a letter or digit, and has at most 63 characters",
        ]
    );
    assert_eq!(wrong("$clustr", "shop", "a").len(), 2);
    assert_eq!(
        wrong("eu", "shop", "checkout-$regoin")[0],
        "8:46 `application`: `$regoin` is no variable here for the instance `eu`; did you mean `$region`?"
    );
    assert_eq!(wrong("eu", "$windows", "a").len(), 2);
}

#[test]
fn the_shortest_policy_has_every_default() {
    let shortest = std::fs::read_to_string(root().join("policies/shortest.yaml")).unwrap();
    let loaded = load_texts(("agent.yaml", AGENT), &[("shortest.yaml".to_owned(), shortest)]).unwrap();
    let policy = &loaded.policies[0];
    assert_eq!(policy.revert.mode, Mode::Propose);
    assert_eq!(policy.instances[0].sync, Sync::Lag(Duration::from_secs(180)));
    assert_eq!(policy.slos[0].alert.rule, AlertRule::Failing { count: 3, of: 5 });
    assert_eq!(policy.slos[0].every(), Duration::from_secs(10));
    assert_eq!(policy.guardrails.limits.merge.len(), 1);
    assert!(policy.guardrails.limits.propose.is_empty());
    assert_eq!(loaded.agent.repositories[0].limits.merge.len(), 2);
}

// === Warnings ===

#[test]
fn what_does_not_do_what_it_seems_to_is_a_warning() {
    let cases = [
        (POLICY, ", unreachable: bad", "", "without `unreachable`, a service that does not answer at all is unknown and never a breach"),
        (POLICY, "/journey", "/healthz", "`healthz` says that a process lives, not that it serves its users"),
        (
            POLICY,
            "timeWindow: 30d",
            "target: 99%",
            "a `target` beside `failing` feeds the error budget only: rounds are counted, not errors",
        ),
        (POLICY, "every: 10s", "every: 1s", "`timeout` is 2s and `every` is 1s: slow answers delay the next round"),
        (
            POLICY,
            "mode: propose",
            "mode: merge",
            "`mode` is `merge`, and `maxMode` of the agent is `propose`: the policy acts as `propose`",
        ),
        (METRICS, "sum(increase(http_ok[", "sum(rate(http_ok[", "`good` is a number of events, and `rate(` gives events per second"),
        (METRICS, "99.9%", "90%", "14.4 × (1 − 90%) is 1 or more: no error ratio is ever over it, and the alert never fires"),
    ];
    for (base, from, to, message) in cases {
        let text = base.replace(from, to);
        assert_ne!(text, base);
        let loaded = load_texts(("agent.yaml", AGENT), &[("policy.yaml".to_owned(), text)]).unwrap_or_else(|found| panic!("{found}"));
        assert!(loaded.warnings.iter().any(|found| found.message == message), "{message}\n{:#?}", loaded.warnings);
    }
    let anybody = AGENT.replace("{name: cluster, lag: 3m}", "{name: cluster, commitStatus: {}}");
    let loaded = load_texts(("agent.yaml", &anybody), &[("policy.yaml".to_owned(), POLICY.to_owned())]).unwrap();
    let message = "whoever may write statuses in the repository is believed about what runs";
    assert_eq!(loaded.warnings.iter().filter(|found| found.message == message).count(), 1, "{:#?}", loaded.warnings);
    let secret = AGENT.replace("X-Scope-OrgID: hunter2", "Authorization: Bearer hunter2");
    let loaded = load_texts(("agent.yaml", &secret), &[("policy.yaml".to_owned(), POLICY.to_owned())]).unwrap();
    let warning = loaded.warnings.iter().find(|found| found.message == "a secret stands in the configuration file").unwrap();
    assert!(!warning.to_string().contains("hunter2"));
}

// === Between files ===

#[test]
fn documents_of_one_file_are_judged_each_on_its_own() {
    let broken = "kind: RevertPolicy\nspec: [\n";
    let text = format!("{AGENT}---\n{broken}---\n{}", POLICY.replace("every: 10s", "every: 10"));
    let found: Vec<String> = check_texts(&[("all.yaml".to_owned(), text.into_bytes())]).iter().map(line_of).collect();
    let start = AGENT.lines().count() + 1;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with(&format!("{}:", start + 2)) && found[0].contains("not closed"), "{}", found[0]);
    assert!(found[1].contains("has no unit"), "{}", found[1]);
}

#[test]
fn two_policies_of_one_name_are_refused_with_both_places() {
    let policies = [("a.yaml".to_owned(), POLICY.to_owned()), ("b.yaml".to_owned(), POLICY.to_owned())];
    let found = load_texts(("agent.yaml", AGENT), &policies).unwrap_err();
    let error = found.0.iter().find(|found| found.is_error()).unwrap();
    assert_eq!(
        (error.file.as_str(), error.message.as_str()),
        ("b.yaml", "another policy is named `checkout`; it is first seen at a.yaml:3")
    );
}

#[test]
fn an_agent_file_reads_what_it_names_relative_to_itself() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    std::fs::create_dir(directory.path().join("policies")).unwrap();
    write("agent.yaml", &AGENT.replace("policies: []", "policies: [policies, missing.yaml]"));
    write("policies/checkout.yml", POLICY);
    write("policies/notes.txt", "not: [yaml");
    write("policies/.hidden.yaml", "not: [yaml");
    let found = load_agent(&directory.path().join("agent.yaml")).unwrap_err();
    let errors: Vec<&Diagnostic> = found.0.iter().filter(|found| found.is_error()).collect();
    assert_eq!(errors.len(), 1, "{found}");
    assert!(errors[0].message.ends_with("missing.yaml`: cannot read the path: no such file or directory"), "{}", errors[0].message);

    write("agent.yaml", &AGENT.replace("policies: []", "policies: [policies]\n  templates: words"));
    let loaded = load_agent(&directory.path().join("agent.yaml")).unwrap();
    assert_eq!(loaded.agent.journal, directory.path().join("journal.db"));
    assert_eq!(loaded.agent.templates, Some(directory.path().join("words")));
    assert_eq!(loaded.policies[0].name.as_str(), "checkout");
    // The policies alone know no repository; together with the agent they do.
    write("policies/checkout.yml", &POLICY.replace("repository: manifests", "repository: other"));
    assert!(!check_paths(&[directory.path().join("policies")]).iter().any(Diagnostic::is_error));
    assert!(check_paths(&[directory.path().join("policies"), directory.path().join("agent.yaml")]).iter().any(Diagnostic::is_error));
}

#[test]
fn one_agent_file_is_one_agent() {
    let twice = format!("{AGENT}---\n{AGENT}");
    assert!(load_texts(("agent.yaml", &twice), &[]).unwrap_err().to_string().contains("second `kind: Agent`"));
    assert!(load_texts(("agent.yaml", POLICY), &[]).unwrap_err().to_string().contains("the file holds no `kind: Agent`"));
    assert!(load_texts(("agent.yaml", AGENT), &[("b.yaml".to_owned(), AGENT.to_owned())]).is_err());
}

#[test]
fn check_ends_with_the_documented_exit_codes() {
    use revertd::cli::check::{CheckArgs, run};
    use revertd::cli::exit::Exit;
    use revertd::cli::output::Output;
    let directory = tempfile::tempdir().unwrap();
    let exit = |path: &Path, output| {
        let mut out = Vec::new();
        let exit = run(&CheckArgs { paths: vec![path.to_path_buf()], output }, &mut out).unwrap();
        (exit, String::from_utf8(out).unwrap())
    };
    let file = directory.path().join("policy.yaml");
    std::fs::write(&file, POLICY).unwrap();
    assert_eq!(exit(&file, Output::Text).0, Exit::Done);
    std::fs::write(&file, POLICY.replace("every: 10s", "every: 10")).unwrap();
    let (code, text) = exit(&file, Output::Text);
    assert_eq!(code, Exit::InvalidConfiguration);
    assert!(text.contains("hint: write `10s`, `10m` or `10h`") && text.ends_with("1 error, 0 warnings\n"), "{text}");
    let json: Value = serde_json::from_str(&exit(&file, Output::Json).1).unwrap();
    assert_eq!(json["diagnostics"].as_array().unwrap().iter().filter(|found| found["severity"] == "error").count(), 1);
    assert_eq!(exit(&directory.path().join("none.yaml"), Output::Text).0, Exit::Error);
}

// === Input that nobody wrote ===

fn only_error(bytes: &[u8]) -> (usize, usize, String) {
    let found = check_texts(&[("x.yaml".to_owned(), bytes.to_vec())]);
    assert_eq!(found.len(), 1, "{found:#?}");
    (found[0].line, found[0].column, found[0].message.clone())
}

#[test]
fn hostile_files_are_refused_at_once() {
    assert_eq!(only_error(b"a: 1\nb: \xff\xfe\n"), (2, 4, "the file is not UTF-8 text".into()));
    assert_eq!(only_error(b"\xff\xfek\0i\0").2, "the file is not UTF-8 text");
    assert_eq!(only_error("a".repeat(300 * 1024).as_bytes()).2, "the file is larger than 256 KiB");
    assert_eq!(only_error(b"a: \"\0\"").2, "the character U+0000 is not allowed in a configuration file");
    let deep = "lists and objects are nested more than 32 deep";
    assert_eq!(only_error(format!("{}{}", "{a: ".repeat(100), "}".repeat(100)).as_bytes()).2, deep);
    assert_eq!(only_error("[".repeat(200 * 1024).as_bytes()).2, deep);
    assert_eq!(only_error("- ".repeat(100 * 1024).as_bytes()).2, deep);
    let bomb = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n";
    assert_eq!(only_error(bomb.as_bytes()), (1, 7, "an anchor (`&name`) is not allowed".into()));
    assert_eq!(only_error(format!("[{}]", "x,".repeat(100_000)).as_bytes()).2, "the document holds more than 20000 values");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check_texts(&[("x.yaml".to_owned(), bytes)]);
    }

    #[test]
    fn yaml_like_texts_never_panic(text in "[ \\-:\\[\\]{}#&*!|>'\"%@`,?a-z0-9\\n\\t~<=.]{0,200}") {
        for found in check_texts(&[("x.yaml".to_owned(), text.into_bytes())]) {
            prop_assert!(!found.to_string().is_empty());
        }
    }

    /// Cuts, doubles and overwrites parts of valid files: what comes out is judged, shown and, where it is accepted, in the schema.
    #[test]
    fn mutations_of_valid_files_never_panic(which in 0usize..4, at in any::<prop::sample::Index>(), length in 0usize..60, with in "[ -:\\[\\]{}#&*!|'\",a-z0-9\\n]{0,12}") {
        let base = [AGENT, POLICY, METRICS, SLOS][which];
        let start = at.index(base.len());
        let end = (start + length).min(base.len());
        prop_assume!(base.is_char_boundary(start) && base.is_char_boundary(end));
        let text = format!("{}{with}{}", &base[..start], &base[end..]);
        let found = check_texts(&[("x.yaml".to_owned(), text.clone().into_bytes())]);
        for found in &found {
            prop_assert!(!found.to_string().is_empty());
        }
        if !found.iter().any(Diagnostic::is_error)
            && let Some(json) = json_of(&text)
        {
            let errors: Vec<String> = validator().iter_errors(&json).map(|error| error.to_string()).collect();
            prop_assert!(errors.is_empty(), "accepted, but not by the schema: {errors:?}\n{text}");
        }
    }
}
