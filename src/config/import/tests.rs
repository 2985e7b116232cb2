//! Documents as the three tools' documentation describes them, and what is printed for each.

use super::*;
use crate::config::check_texts;

fn options() -> Options {
    Options { repository: "manifests".to_owned(), paths: vec!["apps/{service}/**".to_owned()], server: "main".to_owned() }
}

/// Imports and checks that what is printed is a valid policy file.
fn imported(format: Format, text: &str) -> (String, Vec<String>) {
    let imported = import(format, "slo.yaml", text.as_bytes(), &options());
    let said: Vec<String> = imported.findings.iter().map(|found| format!("{}: {}", found.line, found.message)).collect();
    if imported.policies > 0 {
        let found = check_texts(&[("policies.yaml".to_owned(), imported.text.clone().into_bytes())]);
        let errors: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{}\n{}", errors.join("\n"), imported.text);
    }
    (imported.text, said)
}

const SLOTH: &str = "\
apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
metadata: {name: checkout-slos, namespace: monitoring}
spec:
  service: Checkout
  labels: {owner: shop, tier: \"2\"}
  slos:
    - name: requests-availability
      objective: 99.9
      description: Requests that are answered.
      sli:
        events:
          errorQuery: sum(rate(http_requests_total{app=\"checkout\",code=~\"(5..|429)\"}[{{.window}}]))
          totalQuery: sum(rate(http_requests_total{app=\"checkout\"}[{{.window}}]))
      alerting:
        name: CheckoutErrors
        pageAlert: {labels: {severity: page}}
        ticketAlert: {disable: true}
    - name: wifi
      objective: 95
      sli:
        raw:
          errorRatioQuery: |
            1 - (
              sum(sum_over_time(satisfaction_ratio[{{.window}}])) # good
              / sum(count_over_time(satisfaction_ratio[{{.window}}]))
            )
      alerting: {}
    - name: plugin
      objective: 99
      sli: {plugin: {id: sloth-common/http, options: {}}}
";

#[test]
fn sloth_in_kubernetes() {
    let (text, said) = imported(Format::Sloth, SLOTH);
    assert_eq!(
        text,
        "---
# The source calls the service \"Checkout\".
apiVersion: revertd.dev/v1alpha1
kind: RevertPolicy
metadata:
  name: 'checkout'
  labels:
    'owner': 'shop'
    'tier': '2'
spec:
  # Which repository and which paths make the service, the source does not say.
  repository: 'manifests'
  paths: ['apps/checkout/**']
  slos:
    # Requests that are answered.
    # The source switches `ticketAlert` off.
    - name: 'requests-availability'
      indicator:
        prometheus:
          server: 'main'
          good: 'sum(increase(http_requests_total{app=\"checkout\"}[$window])) - (sum(increase(http_requests_total{app=\"checkout\",code=~\"(5..|429)\"}[$window])) or vector(0))'
          total: 'sum(increase(http_requests_total{app=\"checkout\"}[$window]))'
          freshness: 'http_requests_total{app=\"checkout\"}'
      objective: {target: 99.9%, timeWindow: 30d}
      alerts:
        - {burnRate: {factor: 14.4, long: 60m, short: 5m, sinceChange: true}}
        - {burnRate: {factor: 6, long: 360m, short: 30m}, upTo: propose}
    # Not carried over: its target of 95%: a ratio without its events has no burn rate, so that a fixed `max` stands for it.
    - name: 'wifi'
      indicator:
        prometheus:
          server: 'main'
          query: '1 - ( sum(sum_over_time(satisfaction_ratio[$window])) / sum(count_over_time(satisfaction_ratio[$window])) )'
          freshness: 'satisfaction_ratio'
      objective: {max: 0.5}
      alerts: [{failing: {count: 3, of: 5}}]
"
    );
    assert_eq!(
        said,
        [
            "22: its target of 95%: a ratio without its events has no burn rate, so that a fixed `max` stands for it",
            "31: the SLO `plugin` is left out: its `sli` is a plugin, whose query only Sloth knows",
        ]
    );
}

#[test]
fn sloth_on_the_command_line() {
    let text = "\
version: prometheus/v1
service: myservice
slos:
  - name: requests
    objective: 99.95
    sli:
      events:
        error_query: sum by (job) (rate(errors_total[5m]))
        total_query: sum by (job) (rate(requests_total[5m]))
    alerting: {page_alert: {disable: true}}
";
    let (text, said) = imported(Format::Sloth, text);
    assert!(text.contains("total: 'sum(sum by (job) (increase(requests_total[$window])))'"), "{text}");
    assert!(text.contains("target: 99.95%"), "{text}");
    assert_eq!(said, ["7: a fixed range of its queries became `$window`"]);
}

#[test]
fn pyrra_in_its_four_forms() {
    let document = |name: &str, indicator: &str, more: &str| {
        format!(
            "apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}, labels: {{team: shop}}}}\nspec:\n  \
             target: '99.5'\n  window: 2w\n  indicator: {indicator}\n{more}---\n"
        )
    };
    let text = [
        document("errors", "{ratio: {errors: {metric: 'http{code=~\"5..\"}'}, total: {metric: http}, grouping: [route]}}", ""),
        document("latency", "{latency: {success: {metric: 'seconds_bucket{le=\"0.1\"}'}, total: {metric: seconds_count}}}", ""),
        document("native", "{latencyNative: {latency: 200ms, total: {metric: seconds}}}", "  alerting: {name: Slow}\n"),
        document("up", "{bool_gauge: {metric: 'up{job=\"x\"}'}}", ""),
        document("what", "{other: {}}", ""),
    ]
    .concat();
    let (text, said) = imported(Format::Pyrra, &text);
    assert_eq!(text.matches("kind: RevertPolicy").count(), 4);
    for expected in [
        "good: 'sum(increase(http[$window])) - (sum(increase(http{code=~\"5..\"}[$window])) or vector(0))'",
        "good: 'sum(increase(seconds_bucket{le=\"0.1\"}[$window]))'",
        "good: 'histogram_fraction(0, 0.2, sum(increase(seconds[$window]))) * histogram_count(sum(increase(seconds[$window])))'",
        "good: 'sum(sum_over_time(up{job=\"x\"}[$window]))'",
        "objective: {target: 99.5%, timeWindow: 2w}",
        "alerts:\n        - {burnRate: {factor: 14, long: 30m, short: 3m, sinceChange: true}}\n        - {burnRate: {factor: 7, long: 180m, short: 15m}, upTo: propose}\n",
        "        - {burnRate: {factor: 1, long: 2880m, short: 180m}, upTo: observe}\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(
        said,
        [
            "7: its grouping by route: all groups are counted together",
            "24: its `alerting`: the burn rates are its usual ones",
            "40: `what` is left out: its `indicator` is none of `ratio`, `latency`, `latencyNative` and `bool_gauge`",
        ]
    );
}

const OPENSLO: &str = "\
apiVersion: openslo/v1
kind: Service
metadata: {name: web, labels: {team: [shop], tier: '1'}}
spec: {description: The shop.}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: good-answers}
spec:
  ratioMetric:
    counter: true
    good: {metricSource: {metricSourceRef: Thanos, type: Prometheus, spec: {query: 'sum(http_requests{code!~\"5..\"})'}}}
    total: {metricSource: {metricSourceRef: Thanos, type: Prometheus, spec: {query: http_requests}}}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast}
spec: {severity: page, condition: {kind: burnrate, op: gte, threshold: 10, lookbackWindow: 2h, alertAfter: 0m}}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: page}
spec: {alertWhenBreaching: true, conditions: [{conditionRef: fast}], notificationTargets: [{targetRef: oncall}]}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: answers}
spec:
  service: web
  indicatorRef: good-answers
  timeWindow: [{duration: 1M, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.995}]
  alertPolicies: [{alertPolicyRef: page}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: latency}
spec:
  service: web
  budgetingMethod: Timeslices
  indicator:
    metadata: {name: p95}
    spec: {thresholdMetric: {metricSource: {type: Prometheus, spec: {query: 'histogram_quantile(0.95, sum by (le) (rate(seconds_bucket[5m])))'}}}}
  objectives: [{op: lte, value: 0.3, target: 0.95, timeSliceTarget: 0.9, timeSliceWindow: 1m}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: elsewhere}
spec: {service: web, indicatorRef: missing, objectives: [{target: 0.9}]}
";

#[test]
fn openslo_with_references() {
    let (text, said) = imported(Format::OpenSlo, OPENSLO);
    assert_eq!(text.matches("kind: RevertPolicy").count(), 1);
    for expected in [
        "  name: 'web'\n  labels:\n    'tier': '1'\n",
        "server: 'thanos'\n          good: 'sum(increase(http_requests{code!~\"5..\"}[$window]))'\n          total: 'sum(increase(http_requests[$window]))'",
        "objective: {target: 99.5%, timeWindow: 30d}\n      alerts: [{burnRate: {factor: 10, long: 120m, short: 10m, sinceChange: true}}]",
        "freshness: 'seconds_bucket'\n      objective: {max: 0.3}",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(
        said,
        [
            "41: its budgeting by time slices: events are counted",
            "45: its target of 95%: of a value, rounds are counted and not events",
            "50: the SLO `elsewhere` is left out: there is no SLI `missing`",
        ]
    );
}

/// As the operator OSKO keeps them in Kubernetes: another group, another server with the same API, and no word on what the values are.
#[test]
fn openslo_in_kubernetes_with_several_burn_rates() {
    let text = "\
apiVersion: openslo.com/v1
kind: SLO
metadata: {name: ingestion}
spec:
  service: mimir
  indicator:
    metadata: {name: fast}
    spec:
      ratioMetric:
        good: {metricSource: {metricSourceRef: infra, type: Mimir, spec: {query: 'seconds_bucket{le=\"0.5\"}'}}}
        total: {metricSource: {metricSourceRef: infra, type: Mimir, spec: {query: 'seconds_count{}'}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  objectives: [{target: '0.99'}]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: burn}
      spec:
        conditions:
          - {kind: AlertCondition, metadata: {name: slow}, spec: {severity: ticket, condition: {kind: burnrate, op: gte, threshold: 2, lookbackWindow: 6h}}}
          - {kind: AlertCondition, metadata: {name: fast}, spec: {severity: page, condition: {kind: burnrate, op: gte, threshold: 14, lookbackWindow: 1h}}}
";
    let (text, said) = imported(Format::OpenSlo, text);
    for expected in [
        "server: 'infra'\n          good: 'sum(increase(seconds_bucket{le=\"0.5\"}[$window]))'",
        "objective: {target: 99%, timeWindow: 28d}\n      alerts:\n        - {burnRate: {factor: 14, long: 60m, short: 5m, sinceChange: true}}\n        \
         - {burnRate: {factor: 2, long: 360m, short: 30m}, upTo: propose}\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn what_is_something_else_is_an_error_with_its_place() {
    for (format, text, expected) in [
        (
            Format::Sloth,
            "kind: ServiceLevelObjective\n",
            "1: this is no document of Sloth: neither `kind: PrometheusServiceLevel` nor `version: prometheus/v1`",
        ),
        (Format::Pyrra, "kind: SLO\n", "1: this is no document of Pyrra: its kind is not `ServiceLevelObjective`"),
        (
            Format::OpenSlo,
            "apiVersion: openslo/v1alpha\nkind: SLO\n",
            "1: this is no OpenSLO document of version 1: its `apiVersion` is not `openslo/v1`",
        ),
        (
            Format::OpenSlo,
            "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: a}\n",
            "0: the file holds nothing that a policy can be made of",
        ),
        (Format::OpenSlo, "a: [\n", "1: `[` is not closed"),
    ] {
        let found = import(format, "slo.yaml", text.as_bytes(), &options());
        let said: Vec<String> = found.findings.iter().map(|found| format!("{}: {}", found.line, found.message)).collect();
        assert_eq!(said, [expected]);
        assert!(found.findings[0].is_error() && found.policies == 0);
    }
}

#[test]
fn a_target_that_could_never_fire_gets_a_factor_that_can() {
    let text = SLOTH.replace("objective: 99.9\n", "objective: 90\n");
    let (text, said) = imported(Format::Sloth, &text);
    let changed = "a burn rate of 14.4: with its target none is over 10, so that 5 stands for it";
    assert!(said.iter().any(|sentence| sentence.ends_with(changed)), "{said:?}");
    assert!(text.contains("target: 90%, timeWindow: 30d}\n      alerts: [{burnRate: {factor: 5,"), "{text}");
}

#[test]
fn what_sloth_alerts_nobody_of_does_not_merge() {
    let off = "alerting: {pageAlert: {disable: true}, ticketAlert: {disable: true}}";
    let (text, said) = imported(Format::Sloth, &SLOTH.replace("alerting: {}", off));
    assert!(text.contains("objective: {max: 0.5}\n      alerts: [{failing: {count: 3, of: 5}, upTo: observe}]"), "{text}");
    let off = "    - {name: quiet, objective: 99, sli: {events: {errorQuery: 'sum(rate(bad[{{.window}}]))', totalQuery: 'sum(rate(all[{{.window}}]))'}}, alerting: {pageAlert: {disable: true}, ticketAlert: {disable: true}}}\n";
    let (text, quiet) = imported(Format::Sloth, &format!("{SLOTH}{off}"));
    assert!(text.contains("alerts: [{burnRate: {factor: 14.4, long: 60m, short: 5m}, upTo: observe}]"), "{text}");
    for said in [said, quiet] {
        assert!(
            said.iter().any(|sentence| sentence.ends_with("that all its alerts are off: a policy needs one, which only observes")),
            "{said:?}"
        );
    }
}

#[test]
fn a_ticket_of_openslo_does_not_merge() {
    let ticket = OPENSLO.replace("severity: page", "severity: ticket");
    let (text, said) = imported(Format::OpenSlo, &ticket);
    assert!(text.contains("alerts: [{burnRate: {factor: 10, long: 120m, short: 10m}, upTo: propose}]"), "{text}");
    assert!(said.iter().all(|sentence| !sentence.contains("severity")), "{said:?}");
    // The quickest that is no ticket may.
    let both = OPENSLO.replace("conditions: [{conditionRef: fast}]", "conditions: [{conditionRef: fast}, {conditionRef: slow}]")
        + "---\napiVersion: openslo/v1\nkind: AlertCondition\nmetadata: {name: slow}\nspec: {severity: ticket, condition: {kind: burnrate, op: gte, threshold: 20, lookbackWindow: 1h}}\n";
    let (text, _) = imported(Format::OpenSlo, &both);
    assert!(text.contains("{burnRate: {factor: 20, long: 60m, short: 5m}, upTo: propose}"), "{text}");
    assert!(text.contains("{burnRate: {factor: 10, long: 120m, short: 10m, sinceChange: true}}"), "{text}");
}

#[test]
fn a_key_that_openslo_does_not_have_is_said() {
    let found = |from: &str, to: &str| {
        let text = OPENSLO.replace(from, to);
        import(Format::OpenSlo, "slo.yaml", text.as_bytes(), &options()).findings
    };
    let policies = found("  alertPolicies: [", "  alertPolices: [");
    let error = policies.iter().find(|found| found.is_error()).unwrap();
    assert_eq!(error.message, "`alertPolices` is no key of an SLO in OpenSLO 1");
    assert_eq!(error.hint.as_deref(), Some("did you mean `alertPolicies`?"));
    for (from, to, near) in
        [("  timeWindow: [", "  timeWindows: [", "timeWindow"), ("  budgetingMethod: O", "  budgettingMethod: O", "budgetingMethod")]
    {
        let warnings = found(from, to);
        assert!(warnings.iter().any(|found| !found.is_error() && found.hint == Some(format!("did you mean `{near}`?"))), "{warnings:?}");
    }
    let second = found("timeWindow: [{duration: 1M, isRolling: true}]", "timeWindow: [{duration: 1M, isRolling: true}, {duration: 1w}]");
    assert!(second.iter().any(|found| found.message.starts_with("its second time window")), "{second:?}");
}

#[test]
fn what_is_no_burn_rate_is_said_by_its_key() {
    let said = |from: &str, to: &str| {
        let (_, said) = imported(Format::OpenSlo, &OPENSLO.replace(from, to));
        assert!(
            said.iter().any(|sentence| sentence.contains("a burn rate of 14.4 over 1h and 5m stands for them and may merge")),
            "{said:?}"
        );
        said.join("\n")
    };
    assert!(said("kind: burnrate", "kind: burnRate").contains("an alert condition whose `kind` is `burnRate` and not `burnrate`"));
    assert!(said("op: gte, threshold", "op: lte, threshold").contains("an alert condition whose `op` is `lte` and not `gt` or `gte`"));
    assert!(said("threshold: 10", "threshold: ten").contains("an alert condition whose `threshold` is `ten` and not a number over 0"));
    assert!(said(", lookbackWindow: 2h", "").contains("an alert condition without `lookbackWindow`"));
    let (_, said) = imported(Format::OpenSlo, &OPENSLO.replace("objectives: [{target: 0.995}]", "objectives: {target: 0.995}"));
    assert!(said.iter().any(|sentence| sentence.contains("its `objectives` is a list, and this is")), "{said:?}");
}

#[test]
fn a_name_that_is_a_number_is_written_as_a_text() {
    let (text, _) = imported(Format::Sloth, &SLOTH.replace("service: Checkout", "service: '2024'"));
    assert!(text.contains("  name: '2024'\n"), "{text}");
}

proptest::proptest! {
    #[test]
    fn whatever_is_replaced_the_result_is_valid_or_said(at in 0..2000_usize, with in "[-a-z0-9:{}'\" \\[\\]\n]{0,6}", which in 0..2_usize) {
        let (format, text) = [(Format::Sloth, SLOTH), (Format::OpenSlo, OPENSLO)][which];
        let mut at = at % text.len();
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let changed = format!("{}{with}{}", &text[..at], &text[(at + 1).min(text.len())..]);
        let found = import(format, "slo.yaml", changed.as_bytes(), &options());
        if found.policies > 0 {
            let errors: Vec<String> = check_texts(&[("policies.yaml".to_owned(), found.text.clone().into_bytes())])
                .iter().filter(|found| found.is_error()).map(ToString::to_string).collect();
            proptest::prop_assert!(errors.is_empty(), "{}\n{}", errors.join("\n"), found.text);
        } else {
            proptest::prop_assert!(!found.findings.is_empty());
        }
    }
}
