//! OpenSLO documents beside policies, as people have them in their repositories.

use revertd::config::diagnostic::{Diagnostic, Diagnostics};
use revertd::config::import::{Format, Options, import};
use revertd::config::{Loaded, check_paths, check_texts, load_policies, load_texts};
use revertd::engine::policy::{AlertRule, Indicator, Policy, Slo};

use super::table::{AGENT, SLOS};
use super::{json_of, line_of, validator};

/// A policy with these keys of `spec` beside its repository and its paths.
fn policy(keys: &str) -> String {
    format!(
        "apiVersion: revertd.dev/v1alpha1\nkind: RevertPolicy\nmetadata: {{name: checkout}}\nspec:\n  repository: manifests\n  \
         paths: [\"apps/checkout/**\"]\n{keys}"
    )
}

/// What a team that uses OpenSLO has: an SLO with an alert policy of its own, a condition that others share, and a data source.
const DOCUMENTS: &str = "\
apiVersion: openslo/v1
kind: DataSource
metadata: {name: main}
spec:
  type: Prometheus
  connectionDetails: {url: http://prometheus:9090, accessKey: hunter2}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: checkout, displayName: Checkout}
spec:
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast-burn}
spec:
  severity: page
  condition: {kind: burnrate, op: gte, threshold: 14, lookbackWindow: 1h, alertAfter: 0m}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: on-call}
spec: {target: slack}
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout-availability
  displayName: Availability of the checkout
spec:
  description: Orders that are taken.
  service: checkout
  indicator:
    metadata:
      name: good-orders
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            metricSourceRef: main
            spec:
              query: sum(rate(http_requests_total{app=\"checkout\",code!~\"5..\"}[5m]))
        total:
          metricSource:
            metricSourceRef: main
            spec:
              query: sum(rate(http_requests_total{app=\"checkout\"}[5m]))
  timeWindow:
    - duration: 4w
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: Orders
      target: 0.995
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: burn}
      spec:
        alertWhenBreaching: true
        conditions:
          - conditionRef: fast-burn
          - kind: AlertCondition
            metadata: {name: slow-burn}
            spec:
              severity: ticket
              condition: {kind: burnrate, op: gte, threshold: 2, lookbackWindow: 6h, alertAfter: 0m}
        notificationTargets:
          - targetRef: on-call
";

/// The same by hand.
const BY_HAND: &str = "  slos:
    - name: checkout-availability
      indicator:
        prometheus:
          server: main
          good: 'sum(increase(http_requests_total{app=\"checkout\",code!~\"5..\"}[$window]))'
          total: 'sum(increase(http_requests_total{app=\"checkout\"}[$window]))'
          freshness: 'http_requests_total{app=\"checkout\"}'
      objective: {target: 99.5%, timeWindow: 28d}
      alerts:
        - {burnRate: {factor: 14, long: 1h, short: 5m, sinceChange: true}}
        - {burnRate: {factor: 2, long: 6h, short: 30m}, upTo: propose}
";

fn load(policy: &str, documents: &str) -> Result<Loaded, Diagnostics> {
    let files = [("policy.yaml".to_owned(), policy.to_owned()), ("slo.yaml".to_owned(), documents.to_owned())];
    load_texts(("agent.yaml", AGENT), &files[..if documents.is_empty() { 1 } else { 2 }])
}

fn only(policy: &str, documents: &str) -> (Policy, Vec<String>) {
    let mut loaded = load(policy, documents).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(loaded.policies.len(), 1);
    (loaded.policies.remove(0), placed(&loaded.warnings))
}

/// What an import is told beside the documents.
fn options() -> Options {
    Options { repository: "manifests".to_owned(), paths: vec!["apps/{service}/**".to_owned()], server: "main".to_owned() }
}

/// The findings with their files.
fn placed(found: &[Diagnostic]) -> Vec<String> {
    found.iter().map(|found| format!("{} {}", found.file, line_of(found))).collect()
}

fn refused(policy: &str, documents: &str) -> Vec<String> {
    let found = load(policy, documents).unwrap_err();
    placed(&found.0.into_iter().filter(Diagnostic::is_error).collect::<Vec<_>>())
}

/// A document of the kind `SLO` with a value of a query.
fn value_slo(name: &str, service: &str, source: &str) -> String {
    format!(
        "---\napiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: {name}}}\nspec:\n  service: {service}\n  indicator: {{spec: {{thresholdMetric: \
         {{metricSource: {source}}}}}}}\n  objectives: [{{op: lt, value: 0.3}}]\n"
    )
}

#[test]
fn a_document_gives_the_policy_that_one_would_write_by_hand() {
    let (by_hand, _) = only(&policy(BY_HAND), "");
    let range = "slo.yaml 43:22-84 warning: not carried over: a fixed range of its queries became `$window`";
    for keys in ["  slos: [{openslo: checkout-availability}]\n", ""] {
        let (taken, warnings) = only(&policy(keys), DOCUMENTS);
        assert_eq!(taken, by_hand, "{keys}");
        assert_eq!(warnings, [range], "{keys}");
    }
}

#[test]
fn the_order_of_files_and_documents_does_not_matter() {
    let (policy, slo) = (("policy.yaml".to_owned(), policy("")), ("slo.yaml".to_owned(), DOCUMENTS.to_owned()));
    let one = load_texts(("agent.yaml", AGENT), &[policy.clone(), slo.clone()]).unwrap();
    let other = load_texts(("agent.yaml", AGENT), &[slo, policy.clone()]).unwrap();
    let same_file = format!("{AGENT}---\n{DOCUMENTS}---\n{}", policy.1);
    let together = load_texts(("agent.yaml", &same_file), &[]).unwrap();
    assert_eq!((&one.policies, &one.policies), (&other.policies, &together.policies));
}

#[test]
fn keys_beside_the_name_go_before_those_of_the_document() {
    let keys = "  slos:
    - openslo: checkout-availability
      server: main
      every: 2m
      freshness: up
      maxStaleness: 3m
      targets: 'up{app=\"checkout\"}'
      role: trigger
      alerts: [{burnRate: {factor: 10, long: 30m, short: 4m}}]
    - {openslo: p95, role: corroborate}
";
    let documents = format!("{DOCUMENTS}{}", value_slo("p95", "other", "{metricSourceRef: main, spec: {query: 'max(x{a=\"b\"})'}}"));
    let (policy, _) = only(&policy(keys), &documents);
    let [slo] = &policy.slos[..] else { panic!("{:?}", policy.slos) };
    let Indicator::Prometheus(prometheus) = &slo.indicator else { panic!("{slo:?}") };
    assert_eq!((prometheus.every.as_secs(), prometheus.max_staleness.as_secs()), (120, 180));
    assert_eq!((prometheus.freshness.as_deref(), prometheus.targets.as_deref()), (Some("up"), Some("up{app=\"checkout\"}")));
    assert!(matches!(slo.alert.rule, AlertRule::BurnRate { factor, .. } if (factor.0 - 10.0).abs() < 1e-9) && slo.further.is_empty());
    assert_eq!(policy.corroborating.iter().map(|slo| slo.name.as_str()).collect::<Vec<_>>(), ["p95"]);
}

#[test]
fn several_objectives_are_several_slos_and_none_takes_a_name_that_is_there() {
    let several = DOCUMENTS.replace("      target: 0.995\n", "      target: 0.995\n    - target: 0.9\n");
    let names = |policy: &Policy| policy.slos.iter().map(|slo: &Slo| slo.name.as_str().to_owned()).collect::<Vec<_>>();
    let (by_service, _) = only(&policy(""), &several);
    assert_eq!(names(&by_service), ["checkout-availability", "checkout-availability-2"]);
    let keys = "  slos:\n    - openslo: checkout-availability\n    - {name: checkout-availability, indicator: {http: {url: https://a, unreachable: bad}}}\n";
    let (beside, _) = only(&policy(keys), DOCUMENTS);
    assert_eq!(names(&beside), ["checkout-availability-2", "checkout-availability"]);
}

#[test]
fn what_nobody_takes_is_said_and_what_cannot_be_measured_is_left_out_of_a_service() {
    let documents = [
        DOCUMENTS.to_owned(),
        value_slo("billing-errors", "billing", "{metricSourceRef: main, spec: {query: 'x{}'}}"),
        value_slo("traces", "checkout", "{type: Datadog, spec: {query: x}}"),
    ]
    .concat();
    let (taken, warnings) = only(&policy(""), &documents);
    assert_eq!(taken.slos.len(), 1);
    assert_eq!(
        warnings[1..],
        [
            "slo.yaml 73:18-32 warning: no policy takes the SLO `billing-errors`: nothing measures it; write `slos: [{openslo: billing-errors}]` in the policy of the service `billing`",
            "slo.yaml 84:61-68 warning: the SLO `traces` is left out: its metric source is `Datadog`, and only servers with the API of Prometheus are asked; write this SLO into the policy by hand",
        ]
    );
    assert_eq!(
        refused(&policy("  slos: [{openslo: traces}]\n"), &documents),
        [
            "slo.yaml 84:61-68 the SLO `traces` cannot be taken: its metric source is `Datadog`, and only servers with the API of Prometheus are asked; write this SLO into the policy by hand"
        ]
    );
    let only_that = value_slo("traces", "checkout", "{type: Datadog, spec: {query: x}}");
    assert_eq!(
        refused(&policy(""), &only_that),
        ["policy.yaml 4:1-5 no OpenSLO document of the service `checkout` can be measured; write `slos` in the policy"]
    );
}

#[test]
fn a_data_source_says_of_what_kind_a_metric_is() {
    let documents = DOCUMENTS.replace("  type: Prometheus\n", "  type: CloudWatch\n");
    let found = refused(&policy("  slos: [{openslo: checkout-availability}]\n"), &documents);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("slo.yaml 5:9-19 the SLO `checkout-availability` cannot be taken: its metric source is `CloudWatch`"),
        "{found:?}"
    );
}

#[test]
fn an_slo_without_a_data_source_asks_the_only_server_there_is() {
    let documents = value_slo("p95", "checkout", "{type: Prometheus, spec: {query: 'x{}'}}");
    let (taken, warnings) = only(&policy(""), &documents);
    let Indicator::Prometheus(prometheus) = &taken.slos[0].indicator else { panic!("{taken:?}") };
    assert_eq!((prometheus.server.as_str(), warnings.len()), ("main", 0));
    let two = AGENT.replace("  controls:", "    - {name: other, prometheus: {url: http://other:9090}}\n  controls:");
    let found = load_texts(("agent.yaml", &two), &[("a.yaml".to_owned(), policy("")), ("slo.yaml".to_owned(), documents)]).unwrap_err();
    assert_eq!(
        placed(&found.0),
        [
            "slo.yaml 7:54-94 it names no data source, and the agent file has not exactly one; write `metricSourceRef`, or `server` beside `openslo` in the policy"
        ]
    );
}

#[test]
fn files_on_the_disk_are_read_alike_by_check_and_by_backtest() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("policy.yaml", &policy(""));
    write("slo.yaml", DOCUMENTS);
    let paths = [directory.path().to_path_buf()];
    let (by_hand, _) = only(&policy(BY_HAND), "");
    assert_eq!(load_policies(&paths).unwrap(), [by_hand]);
    assert_eq!(check_paths(&paths).len(), 1, "the range");
    write("slo.yaml", &DOCUMENTS.replace("service: checkout", "service: chekcout"));
    let found = check_paths(&paths);
    let errors: Vec<&str> = found.iter().filter(|found| found.is_error()).map(|found| found.message.as_str()).collect();
    assert_eq!(errors, ["`spec` lacks the key `slos`, and no OpenSLO document has the service `checkout`"]);
    for hint in ["did you mean `chekcout`?", "did you mean `service: checkout`?"] {
        assert!(found.iter().any(|found| found.hint.as_deref() == Some(hint)), "{hint}");
    }
}

#[test]
fn connections_of_data_sources_are_shown_in_no_form() {
    let block = "spec:\n  type: Prometheus\n  connectionDetails: {url: http://prometheus:9090, accessKey: hunter2}\n";
    let on_the_line_of_a_finding = DOCUMENTS.replace(block, "spec: {type: CloudWatch, connectionDetails: {accessKey: hunter2}}\n");
    let misspelt = on_the_line_of_a_finding.replace("connectionDetails", "connectionDetials");
    let unreadable = DOCUMENTS.replace("accessKey: hunter2}", "accessKey: hunter2, accessKey: hunter2}");
    for text in [on_the_line_of_a_finding, misspelt, unreadable] {
        assert_eq!(text.matches("hunter2").count(), text.matches("accessKey").count());
        let taken = format!("{}---\n{text}", policy("  slos: [{openslo: checkout-availability}]\n"));
        let checked = check_texts(&[("slo.yaml".to_owned(), taken.into_bytes())]);
        let imported = import(Format::OpenSlo, "slo.yaml", text.as_bytes(), &options());
        assert!(!imported.text.contains("hunter2"), "{}", imported.text);
        for found in [checked, imported.findings] {
            let shown: String = found.iter().map(|found| format!("{found}{}", serde_json::to_string(found).unwrap())).collect();
            assert!(shown.contains("CloudWatch") || shown.contains("is there twice"), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

#[test]
fn what_of_alerts_is_not_carried_over_is_said() {
    let warnings = |documents: &str| -> Vec<String> {
        let (_, warnings) = only(&policy(""), documents);
        let told = warnings.iter().filter_map(|warning| warning.split_once("warning: not carried over: "));
        told.map(|(_, sentence)| sentence.to_owned()).filter(|sentence| !sentence.contains("`$window`")).collect()
    };
    assert_eq!(warnings(DOCUMENTS), Vec::<String>::new());
    for (from, to, expected) in [
        ("lookbackWindow: 1h, alertAfter: 0m", "lookbackWindow: 1h, alertAfter: 5m", "the `alertAfter` of `5m`: the alert does not wait"),
        ("severity: page", "severity: P1", "the severity `P1` of an alert condition: the quickest alert may do whatever the policy allows"),
        ("severity: ticket", "severity: page", "the severity `page` of an alert condition: a slower alert proposes at most"),
        ("target: 0.995", "target: 0.9", "a burn rate of 14: with its target none is over 10, so that 5 stands for it"),
        ("threshold: 2,", "threshold: 14,", "a burn rate of 14 over 360m: a quicker alert fires at a factor of 14 already"),
    ] {
        assert_eq!(DOCUMENTS.matches(from).count(), 1, "{from}");
        assert_eq!(warnings(&DOCUMENTS.replace(from, to)), [expected]);
    }
    assert_eq!(
        warnings(&DOCUMENTS.replace("alertWhenBreaching: true", "alertWhenBreaching: false")),
        [
            "its alert policies, of which nothing is left; a burn rate of 14.4 over 1h and 5m stands for them and may merge",
            "an alert policy that does not alert when its conditions are breached",
        ]
    );
}

#[test]
fn alert_policies_of_what_has_no_events_are_said_and_a_misspelt_one_is_an_error() {
    let value = value_slo("p95", "checkout", "{metricSourceRef: main, spec: {query: 'x{}'}}");
    let alerting = |name: &str| {
        format!(
            "{value}  alertPolicies: [{{alertPolicyRef: {name}}}]\n---\napiVersion: openslo/v1\nkind: AlertPolicy\nmetadata: {{name: page}}\n\
             spec: {{conditions: []}}\n"
        )
    };
    let (_, warnings) = only(&policy(""), &alerting("page"));
    assert_eq!(
        warnings,
        ["slo.yaml 9:18-42 warning: not carried over: its alert policies: a value has no burn rate, so that 3 bad rounds of 5 alert"]
    );
    assert_eq!(
        refused(&policy(""), &alerting("pag")),
        ["slo.yaml 9:36-39 the SLO `p95` cannot be taken: there is no AlertPolicy `pag`; did you mean `page`?"]
    );
}

#[test]
fn a_small_value_keeps_its_digits() {
    let documents = value_slo("p95", "checkout", "{metricSourceRef: main, spec: {query: 'x{}'}}").replace("value: 0.3", "value: 1e-7");
    let (taken, _) = only(&policy(""), &documents);
    assert_eq!(taken.slos[0].objective.max.map(|max| max.0), Some(1e-7));
}

#[test]
fn a_misspelt_alert_policy_leaves_the_slo_out_of_an_import() {
    let documents = DOCUMENTS.replace("conditionRef: fast-burn", "conditionRef: fats-burn");
    let imported = import(Format::OpenSlo, "slo.yaml", documents.as_bytes(), &options());
    assert_eq!(imported.policies, 0);
    let found = imported.findings.iter().find(|found| found.message.contains("there is no AlertCondition `fats-burn`")).unwrap();
    assert_eq!(found.hint.as_deref(), Some("did you mean `fast-burn`?"));
}

#[test]
fn a_range_of_all_events_is_found_at_their_query() {
    let documents = SLOS.split_once("---\n").unwrap().1.replace("query: http_all", "query: 'sum(increase(http_all[5m]))'");
    let (_, warnings) = only(&policy("  slos: [{openslo: answers}, {openslo: latency, server: main}]\n"), &documents);
    assert_eq!(warnings, ["slo.yaml 18:83-112 warning: not carried over: a fixed range of its queries became `$window`"]);
}

#[test]
fn the_schema_accepts_the_documents() {
    let validator = validator();
    for text in [DOCUMENTS, SLOS] {
        for document in text.split("---\n") {
            let errors: Vec<String> = validator.iter_errors(&json_of(document).unwrap()).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{document}");
        }
    }
    for wrong in ["apiVersion: openslo/v2\nkind: SLO\n", "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: a}\nspec: {}\n"] {
        assert!(!validator.is_valid(&json_of(wrong).unwrap()), "{wrong}");
    }
}
