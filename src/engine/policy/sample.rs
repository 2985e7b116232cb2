//! A policy and SLOs for tests of the engine, which imports nothing that could read one.

use std::time::Duration;

use serde_json::json;

use super::{Alert, AlertRule, Indicator, Mode, Objective, Policy, PrometheusIndicator, PrometheusQuery, Slo};
use crate::engine::id::{MetricsName, SloName};

/// `checkout` with the SLO `up`, by HTTP every ten seconds, in some instances with a lag of nothing.
pub fn policy(instances: &[&str]) -> Policy {
    let instance = |name: &str| json!({"name": name, "sync": {"lag": 0}});
    serde_json::from_value(json!({
        "name": "checkout", "labels": {}, "repository": "manifests", "environment": null,
        "paths": {"include": ["apps/checkout/**"], "exclude": []},
        "instances": instances.iter().map(|name| instance(name)).collect::<Vec<_>>(), "dependsOn": [],
        "slos": [{
            "name": "up",
            "indicator": {"http": {"url": "http://a/", "every": 10_000, "timeout": 2000, "expectStatus": [200], "unreachable": "unknown"}},
            "objective": {"target": null, "max": null, "min": null},
            "alert": {"rule": {"failing": {"count": 3, "of": 5}}, "recoverGood": null},
        }],
        "breachWhen": "any",
        "revert": {"mode": "merge", "settle": 1000, "attributeWithin": 1_800_000, "maxAgeMerge": 7_200_000, "maxAgePropose": 86_400_000},
        "guardrails": {"cooldown": 0, "limits": {"propose": [], "merge": []}},
        "approval": {"from": [], "count": 1, "fourEyes": "unlessSafe", "force": [], "expires": 0},
        "verify": {"recoverWithin": 60_000, "holdFor": 10_000}, "links": {},
    }))
    .unwrap()
}

/// An SLO that a metrics server measures, of which three of five rounds breach.
pub fn measured(name: &str, every: Duration, query: PrometheusQuery, objective: Objective) -> Slo {
    let indicator = PrometheusIndicator {
        server: MetricsName::new("main"),
        every,
        query,
        freshness: None,
        max_staleness: Duration::from_secs(60),
        targets: None,
        version_label: None,
    };
    Slo {
        name: SloName::new(name),
        indicator: Indicator::Prometheus(indicator),
        objective,
        alert: Alert { rule: AlertRule::Failing { count: 3, of: 5 }, recover_good: None, up_to: Mode::Merge },
        further: Vec::new(),
    }
}
