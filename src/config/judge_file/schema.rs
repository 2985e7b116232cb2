//! The JSON Schema (draft 2020-12) of one line that `revertd judge` reads.

use serde_json::{Value, json};

use super::super::schema as policy_schema;
use super::number::LAST;

/// The schema of one line.
pub fn schema() -> Value {
    let policy = policy_schema::policy();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "revertd judge: one incident, one line",
        "type": "object",
        "required": ["id", "now", "policies"],
        "additionalProperties": false,
        "properties": {
            "id": {"type": "string", "description": "A name that the answer repeats."},
            "now": time("When it is decided."),
            "policies": {"type": "array", "items": policy,
                "description": "Each policy as it stands in its file, and the OpenSLO documents that they take. Names of repositories, environments and servers are not resolved; `sync` is ignored."},
            "landings": {"type": "array", "items": landing()},
            "rounds": {"type": "array", "items": round(),
                "description": "Probe results. The time before an SLO's first round is Unknown. No two rounds of one SLO end at the same time."},
            "controls": {"type": "array", "items": control(),
                "description": "A control belongs to a round when their times overlap. None at all means that none are configured."},
            "history": {"type": "array", "items": history()},
            "expected": {"type": ["object", "null"], "required": ["action"], "additionalProperties": false,
                "description": "What should be decided. It is never looked at.",
                "properties": {"action": {"enum": ["none", "propose", "merge"]}, "suspects": {"type": "array", "items": commit()}}},
        },
    })
}

fn landing() -> Value {
    json!({
        "type": "object",
        "required": ["branch", "latest", "changes"],
        "additionalProperties": false,
        "properties": {
            "branch": {"type": "string"},
            "earliest": nullable(time("The last moment at which it had not landed; null, or left out, where nothing bounds it.")),
            "latest": time("The first moment at which it had landed. It is not seen before."),
            "kind": {"enum": ["normal", "foxtrot", "rewritten"], "default": "normal"},
            "applied": {"type": "object",
                "description": "By `policy/instance`. An absent entry means: not applied there.",
                "additionalProperties": {
                    "type": "object", "required": ["earliest", "latest"], "additionalProperties": false,
                    "properties": {
                        "earliest": time("The last moment at which it was not applied, or had not failed."),
                        "latest": time("The first moment at which it was applied, or had failed. It is not known before."),
                        "attempted": nullable(time("When applying was first tried.")),
                        "effective": nullable(time("When it was rolled out completely; `latest` without it.")),
                        "state": {"enum": ["applied", "failed", "paused"], "default": "applied",
                            "description": "`failed`: the sync tool tried it and failed, and it is not applied there before a later landing is. Where what \
                                was tried before it was applied, the change broke the sync: that is proposed to be undone, and never merged. Of \
                                several that were first tried together, write the same times at each. `paused`: not applied there before a later landing is."},
                    }}},
            "changes": {"type": "array", "items": change(), "description": "Oldest first."},
        },
    })
}

fn change() -> Value {
    json!({
        "type": "object",
        "required": ["commit", "author", "subject", "paths"],
        "additionalProperties": false,
        "properties": {
            "commit": commit(),
            "author": {"type": "string"},
            "subject": {"type": "string"},
            "paths": {"type": "array", "items": {"type": "string"}},
            "message": {"type": "string", "default": ""},
            "parents": {"type": "integer", "minimum": 0, "maximum": u32::MAX, "default": 1},
            "reverts": nullable(commit()),
            "services": {"type": "array", "items": {"type": "string"}, "default": [],
                "description": "Policies that own one of its paths through a base, besides those whose `paths` match."},
            "cosmetic": flag("Whether it changed only comments or white space."),
            "definitionChanged": flag("Whether it changed how the health of its service is measured."),
            "security": flag("Whether it is a security fix."),
            "inverse": {"type": "object", "additionalProperties": false, "properties": {
                "status": {"enum": ["clean", "conflict", "alreadyUndone"], "default": "clean"},
                "exact": {"type": "boolean", "default": true},
                "grade": {"enum": ["safe", "human", "refuse"], "default": "safe"},
                "objects": {"type": "integer", "minimum": 0, "maximum": u32::MAX, "default": 1},
                "ranHealthy": {"type": "boolean", "default": true},
            }},
        },
    })
}

fn round() -> Value {
    json!({
        "type": "object",
        "required": ["policy", "slo", "start", "end"],
        "additionalProperties": false,
        "properties": {
            "policy": {"type": "string"},
            "slo": {"type": "string"},
            "instance": {"type": "string", "default": "default"},
            "start": time("Its start."),
            "end": time("Its end. It is not seen before."),
            "good": {"type": ["boolean", "number", "null"], "description": "Whether it was good, or how many events were; null for Unknown."},
            "total": {"type": ["number", "null"], "minimum": 0},
            "value": {"type": ["number", "null"]},
            "why": {"enum": ["stale", "empty", "error", "unreachable", null], "description": "Why it is Unknown."},
            "targetsScraped": {"type": ["boolean", "null"], "description": "Whether the metrics server reached the service's own targets (`up`). `false` with `why` `stale` or `empty`, where the indicator names its `targets`, is a bad round and not an Unknown one."},
        },
        "oneOf": [
            {"required": ["good", "total"], "properties": {"good": {"type": "number", "minimum": 0}, "total": {"type": "number"}}, "not": {"required": ["value"]}},
            {"required": ["good"], "properties": {"good": {"type": ["boolean", "null"]}, "total": {"type": "null"}}, "not": {"required": ["value"]}},
            {"required": ["value"], "properties": {"total": {"type": "null"}}, "not": {"required": ["good"]}},
        ],
    })
}

fn control() -> Value {
    json!({
        "type": "object",
        "required": ["start", "end", "good"],
        "additionalProperties": false,
        "properties": {
            "name": {"type": "string", "default": "control"},
            "start": time("Its start."),
            "end": time("Its end."),
            "good": {"type": ["boolean", "null"], "description": "Whether it answered; null for Unknown."},
        },
    })
}

fn history() -> Value {
    json!({
        "type": "object",
        "required": ["at", "kind", "policies", "suspects"],
        "additionalProperties": false,
        "properties": {
            "at": time("When."),
            "kind": {"enum": ["proposed", "merged", "vetoed", "held", "undone"]},
            "policies": {"type": "array", "items": {"type": "string"}},
            "suspects": {"type": "array", "items": commit()},
        },
    })
}

fn commit() -> Value {
    json!({"type": "string", "pattern": "^[0-9a-fA-F]{40}$"})
}

fn time(what: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": LAST, "description": format!("{what} In Unix milliseconds.")})
}

fn flag(what: &str) -> Value {
    json!({"type": "boolean", "default": false, "description": what})
}

fn nullable(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::judge_file::CaseReader;

    /// Every key that there is.
    fn whole() -> Value {
        let policy = json!({"apiVersion": "revertd.dev/v1alpha1", "kind": "RevertPolicy", "metadata": {"name": "checkout"}, "spec": {
            "repository": "manifests", "paths": ["apps/checkout/**"],
            "slos": [{"name": "availability", "indicator": {"http": {"url": "https://checkout.example/", "unreachable": "unknown"}},
                    "objective": {"target": "99%"}},
                {"name": "p95", "indicator": {"prometheus": {"server": "main", "query": "p95", "freshness": "p95"}}, "objective": {"max": 0.5}}]}});
        let suspect = "0123456789abcdef0123456789abcdef01234567";
        let round = |rest: Value| {
            let mut round = json!({"policy": "checkout", "slo": "availability", "instance": "default", "start": 0});
            if let (Some(round), Some(rest)) = (round.as_object_mut(), rest.as_object()) {
                round.extend(rest.clone());
            }
            round
        };
        json!({
            "id": "x", "now": 1_760_000_900_000_i64, "policies": [policy],
            "landings": [{"branch": "main", "earliest": null, "latest": 5, "kind": "foxtrot",
                "applied": {"checkout/default": {"earliest": 5, "latest": 6, "attempted": 5, "effective": 9, "state": "applied"}},
                "changes": [{"commit": suspect, "author": "Robin", "subject": "Change", "paths": ["apps/checkout/deployment.yaml"], "message": "Change",
                    "parents": 2, "reverts": null, "services": ["checkout"], "cosmetic": false, "definitionChanged": false, "security": false,
                    "inverse": {"status": "clean", "exact": true, "grade": "safe", "objects": 1, "ranHealthy": true}}]}],
            "rounds": [round(json!({"end": 1, "good": true})), round(json!({"end": 2, "good": null, "why": "stale", "targetsScraped": true})),
                round(json!({"end": 3, "good": 987, "total": 1000})), round(json!({"end": 4, "slo": "p95", "value": 0.41}))],
            "controls": [{"name": "forge", "start": 0, "end": 1, "good": null}],
            "history": [{"at": 1, "kind": "vetoed", "policies": ["checkout"], "suspects": [suspect]}],
            "expected": {"action": "propose", "suspects": [suspect]},
        })
    }

    #[test]
    fn what_is_documented_is_accepted_by_schema_and_reader() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&whole()).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        CaseReader::default().read(&whole().to_string()).unwrap();
    }

    /// The keys that have no default, and nothing else.
    #[test]
    fn the_shortest_line_is_accepted_by_schema_and_reader() {
        let mut line = whole();
        let suspect = "0123456789abcdef0123456789abcdef01234567";
        line["landings"] = json!([{"branch": "main", "earliest": 1_760_000_000_000_i64, "latest": 1_760_000_010_000_i64,
            "applied": {"checkout/default": {"earliest": 1_760_000_000_000_i64, "latest": 1_760_000_190_000_i64}},
            "changes": [{"commit": suspect, "author": "Robin", "subject": "Change", "paths": ["apps/checkout/deployment.yaml"]}]}]);
        line["controls"] = json!([{"start": 0, "end": 1, "good": true}]);
        line["now"] = json!(1_760_000_900_000.0);
        line["landings"][0]["changes"][0]["parents"] = json!(1.0);
        line["landings"][0]["changes"][0]["inverse"] = json!({"objects": 2.0});
        if let Some(line) = line.as_object_mut() {
            line.remove("history");
            line.remove("expected");
        }
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&line).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        CaseReader::default().read(&line.to_string()).unwrap();
    }

    #[test]
    fn what_may_be_left_out_or_null_is_so_for_schema_and_reader() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for (object, key) in [
            ("/landings/0", "earliest"),
            ("/landings/0/applied/checkout~1default", "attempted"),
            ("/landings/0/applied/checkout~1default", "effective"),
            ("/landings/0/changes/0", "reverts"),
            ("/rounds/0", "total"),
            ("/rounds/1", "why"),
            ("/rounds/1", "targetsScraped"),
            ("", "expected"),
        ] {
            for value in [None, Some(Value::Null)] {
                let mut case = whole();
                let place = case.pointer_mut(object).and_then(Value::as_object_mut).unwrap();
                place.remove(key);
                place.extend(value.map(|value| (key.to_owned(), value)));
                assert!(validator.is_valid(&case), "{object} {key}");
                CaseReader::default().read(&case.to_string()).unwrap();
            }
        }
    }

    #[test]
    fn what_the_schema_refuses_the_reader_refuses() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for (place, value) in [
            ("/rounds/0/good", json!("yes")),
            ("/rounds/0/end", json!("soon")),
            ("/now", json!(-1)),
            ("/now", json!(1.5)),
            ("/landings/0/latest", json!(1e18)),
            ("/landings/0/kind", json!("strange")),
            ("/landings/0/changes/0/commit", json!("0123")),
            ("/landings/0", json!(["main", 5, 5, "normal", {}, []])),
            ("/landings/0/changes/0", json!(["0123456789abcdef0123456789abcdef01234567", "Robin", "Change", []])),
            ("/landings/0/changes/0/inverse", json!(["clean", true, "safe", 1, true])),
            ("/landings/0/changes/0/parents", json!(1.5)),
            ("/landings/0/changes/0/parents", json!(4_294_967_296_u64)),
            ("/rounds/0", json!({"policy": "checkout", "slo": "availability", "start": 0, "end": 1, "good": true, "total": 5})),
            ("/rounds/2/total", json!(null)),
            ("/controls/0", json!({"start": 0, "end": 1})),
            ("/expected/action", json!("revert")),
            ("/policies/0", json!({"kind": "RevertPolicy"})),
        ] {
            let mut case = whole();
            *case.pointer_mut(place).unwrap() = value;
            assert!(!validator.is_valid(&case), "{place}");
            assert!(CaseReader::default().read(&case.to_string()).is_err(), "{place}");
        }
    }
}
