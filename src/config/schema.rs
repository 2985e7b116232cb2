//! The JSON Schema (draft 2020-12) of the agent file and of policies, from the same description that the checker reads.
//!
//! What the checker accepts, the schema accepts. The schema is looser where a rule needs two values or arithmetic.

use serde_json::{Map, Value, json};

use super::defaults::default_of;
use super::diagnostic::Span;
use super::import::openslo;
use super::keys::{AGENT_DOCUMENT, POLICY_DOCUMENT};
use super::measure::{DURATION_PATTERN, PERCENTAGE_PATTERN};
use super::shape::{Alternative, Field, Form, Kind, Object, Presence};

/// The schema of one document of any file.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "revertd: one document of an agent file or policy file",
        "type": "object",
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": "Agent"}}},
        "then": {"$ref": "#/$defs/Agent"},
        "else": policy_or_slo(&json!({"$ref": "#/$defs/OpenSLO"}), &json!({"$ref": "#/$defs/RevertPolicy"})),
        "$defs": {"Agent": object(&AGENT_DOCUMENT), "RevertPolicy": object(&POLICY_DOCUMENT), "OpenSLO": open_slo()},
    })
}

/// The schema of one policy, or of an OpenSLO document that a policy takes.
pub fn policy() -> Value {
    policy_or_slo(&open_slo(), &object(&POLICY_DOCUMENT))
}

fn policy_or_slo(slo: &Value, policy: &Value) -> Value {
    json!({"if": {"required": ["apiVersion"], "properties": {"apiVersion": {"type": "string", "pattern": "^openslo(\\.com)?/"}}}, "then": slo, "else": policy})
}

/// No more than revertd reads of every OpenSLO document: OpenSLO has a schema of its own.
fn open_slo() -> Value {
    let named = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": ["string", "number", "boolean"]}}});
    let of_service = json!({"type": "object", "required": ["service"]});
    json!({
        "type": "object",
        "description": "An OpenSLO document of version 1, which policies can take SLOs from.",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {"apiVersion": enumeration(openslo::API_VERSIONS), "kind": enumeration(openslo::KINDS), "metadata": named},
        "if": {"properties": {"kind": {"const": "SLO"}}},
        "then": {"required": ["spec"], "properties": {"spec": of_service}},
    })
}

fn object(shape: &'static Object) -> Value {
    let properties: Map<String, Value> = shape.built().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<&str> = shape.built().filter(|field| field.presence == Presence::Required).map(|field| field.name).collect();
    let mut schema = json!({
        "type": if shape.may_be_empty() { json!(["object", "null"]) } else { json!("object") },
        "description": shape.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if !shape.choice.is_empty() {
        let ways: Vec<Value> = shape.choice.iter().map(|way| alternative(shape, way)).collect();
        schema["oneOf"] = ways.into();
    }
    schema
}

fn alternative(shape: &Object, way: &Alternative) -> Value {
    let others: Vec<Value> = shape
        .fields
        .iter()
        .map(|field| field.name)
        .filter(|name| !way.holds(name) && shape.choice.iter().any(|other| other.holds(name)))
        .map(|name| json!({"required": [name]}))
        .collect();
    json!({"required": way.needs, "not": {"anyOf": others}})
}

fn property(field: &'static Field) -> Value {
    let mut schema = kind(&field.kind);
    schema["description"] = field.doc.into();
    if let Some(default) = default_of(field, Span::default()) {
        schema["default"] = default.to_json();
    }
    schema
}

fn kind(kind_of: &'static Kind) -> Value {
    match kind_of {
        Kind::Text(form) => text(*form),
        Kind::Word(words) => enumeration(words),
        Kind::Duration(..) => json!({"type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "5m", "1h30m"]}),
        Kind::Ratio => json!({"anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            {"type": "string", "pattern": PERCENTAGE_PATTERN},
        ]}),
        Kind::Number(Some(over)) => json!({"type": "number", "exclusiveMinimum": over}),
        Kind::Number(None) => json!({"type": "number"}),
        Kind::Integer(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::List(item, least, _) => json!({"type": "array", "items": kind(item), "minItems": least}),
        Kind::OneOrMany(item) => json!({"anyOf": [kind(item), {"type": "array", "items": kind(item)}]}),
        Kind::Map(form) => json!({"type": "object", "additionalProperties": text(*form)}),
        Kind::Object(shape) => object(shape),
        Kind::WordOr(words, shape) => json!({"anyOf": [enumeration(words), object(shape)]}),
        Kind::TextOr(form, shape) => json!({"anyOf": [text(*form), object(shape)]}),
        Kind::Nothing => json!(false),
    }
}

fn enumeration(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

fn text(form: Form) -> Value {
    match form {
        Form::Name => json!({"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 63}),
        Form::VariableName => json!({"type": "string", "pattern": "^[a-z0-9$]([-a-zA-Z0-9._${}]*[a-zA-Z0-9_}])?$"}),
        Form::LabelName => json!({"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}),
        Form::HttpUrl | Form::ProbedUrl => json!({"type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://"}),
        Form::Glob => json!({"type": "string", "pattern": "^[^/!]", "not": {"pattern": "/$"}}),
        Form::Branch => json!({"type": "string", "minLength": 1, "not": {"pattern": "^(refs/heads/|revertd/)"}}),
        _ => json!({"type": "string", "minLength": 1}),
    }
}
