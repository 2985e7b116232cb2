//! Checks recorded requests and answers against GitHub's own OpenAPI description: is there such an operation, does it know each parameter
//! and each field of the body, are the required ones there and of the right type, and is the answer one that it documents.
//!
//! The description is npm's `@octokit/openapi`, which `tests/run` installs into `target/tools`; `REVERTD_OPENAPI` names another file. It
//! is an OpenAPI 3.0 document, whose schemas are JSON Schema of draft 4 with one word of their own, `nullable`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::{Draft, Validator};
use revertd::demo::forge::RecordedRequest;
use serde_json::{Map, Value, json};

/// Where `tests/run` puts the description.
const INSTALLED: &str = "target/tools/node_modules/@octokit/openapi/generated/api.github.com.json";

/// GitHub's description of its API.
pub struct Description {
    document: Value,
    operations: Vec<Operation>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One method of one path.
struct Operation {
    method: String,
    template: Vec<String>,
    description: Value,
}

/// A request whose operation is known.
struct Matched<'a> {
    operation: &'a Operation,
    path_parameters: Vec<(String, String)>,
}

/// The description, read once; `None` where it is not installed, which is said.
///
/// # Panics
/// Where `REVERTD_REQUIRE_SERVERS=1` requires it, or the file is no such description.
pub fn description() -> Option<&'static Description> {
    static READ: OnceLock<Option<Description>> = OnceLock::new();
    let read = READ.get_or_init(|| {
        let named = std::env::var_os("REVERTD_OPENAPI").map(PathBuf::from);
        let path = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(INSTALLED));
        if !path.is_file() {
            let required = std::env::var_os("REVERTD_REQUIRE_SERVERS").is_some_and(|value| value == "1");
            assert!(!required, "{} is not there, and REVERTD_REQUIRE_SERVERS=1 requires it", path.display());
            println!("skipped: GitHub's OpenAPI description is not installed (npm package @octokit/openapi)");
            return None;
        }
        Some(Description::new(serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()))
    });
    read.as_ref()
}

/// Checks every request that a fake has recorded.
///
/// # Panics
/// With every finding, if there is one.
pub fn assert_valid(requests: &[RecordedRequest]) {
    let Some(description) = description() else { return };
    let findings: BTreeSet<String> = requests.iter().flat_map(|request| description.findings(request)).collect();
    assert!(findings.is_empty(), "against GitHub's OpenAPI description:\n{}", findings.into_iter().collect::<Vec<_>>().join("\n"));
}

// === impl Description ===

impl Description {
    /// Reads a parsed description.
    pub fn new(mut document: Value) -> Self {
        for part in ["schemas", "parameters", "responses"] {
            draft_4(&mut document["components"][part]);
        }
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, description) in methods.as_object().unwrap() {
                let mut description = description.clone();
                draft_4(&mut description);
                let template = path.trim_matches('/').split('/').map(str::to_owned).collect();
                operations.push(Operation { method: method.to_uppercase(), template, description });
            }
        }
        Self { document, operations, validators: Mutex::default() }
    }

    /// What is not as the description says; nothing for a good exchange.
    pub fn findings(&self, request: &RecordedRequest) -> Vec<String> {
        let name = format!("{} {}", request.method, request.path);
        let mut findings = headers(request);
        if request.path == "/graphql" {
            let query = request.body.as_ref().and_then(|body| body["query"].as_str());
            if query.is_none() {
                findings.push("a GraphQL request has a text as its query".to_owned());
            }
        } else if let Some(redirected) = request.path.strip_prefix("/repositories/") {
            // Where a renamed repository's redirect leads: the same operations under an id, which the description leaves out.
            let rest = redirected.split_once('/').map_or(String::new(), |(_, rest)| format!("/{rest}"));
            let same = RecordedRequest { path: format!("/repos/o/r{rest}"), ..request.clone() };
            return self.findings(&same);
        } else {
            match self.operation(request) {
                Some(matched) => {
                    self.parameters(&matched, request, &mut findings);
                    self.body(matched.operation, request, &mut findings);
                    self.answer(matched.operation, request, &mut findings);
                }
                // A path that GitHub does not have is one that it answers with 404.
                None => findings.push("there is no such operation".to_owned()),
            }
        }
        findings.into_iter().map(|finding| format!("{name}: {finding}")).collect()
    }

    /// The operation with the most fixed segments that fits.
    fn operation(&self, request: &RecordedRequest) -> Option<Matched<'_>> {
        let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let fitting = self.operations.iter().filter(|operation| operation.method == request.method).filter_map(|operation| {
            let path_parameters = fitted(&operation.template, &path)?;
            Some(Matched { operation, path_parameters })
        });
        fitting.max_by_key(|matched| matched.operation.template.iter().filter(|segment| !segment.starts_with('{')).count())
    }

    fn parameters(&self, matched: &Matched<'_>, request: &RecordedRequest, findings: &mut Vec<String>) {
        let none = Vec::new();
        let declared = matched.operation.description["parameters"].as_array().unwrap_or(&none);
        let declared: Vec<&Value> = declared.iter().map(|parameter| self.resolved(parameter)).collect();
        let find = |place: &str, name: &str| declared.iter().find(|known| known["in"] == place && known["name"] == name);
        let given = |place: &str| if place == "path" { &matched.path_parameters } else { &request.query };
        for place in ["path", "query"] {
            let mut seen = BTreeSet::new();
            for (name, text) in given(place) {
                let Some(parameter) = find(place, name) else {
                    findings.push(format!("unknown {place} parameter `{name}`"));
                    continue;
                };
                if !seen.insert(name) {
                    findings.push(format!("{place} parameter `{name}` is there twice"));
                }
                let value = typed(self.resolved(&parameter["schema"]), text);
                findings.extend(self.faults(&parameter["schema"], &value).map(|fault| format!("{place} parameter `{name}`: {fault}")));
            }
            for parameter in declared.iter().filter(|known| known["in"] == place && known["required"] == true) {
                if !given(place).iter().any(|(name, _)| parameter["name"] == *name) {
                    findings.push(format!("{place} parameter {} is missing", parameter["name"]));
                }
            }
        }
    }

    fn body(&self, operation: &Operation, request: &RecordedRequest, findings: &mut Vec<String>) {
        let described = &operation.description["requestBody"];
        let schema = &described["content"]["application/json"]["schema"];
        match (&request.body, schema.is_null()) {
            (None, _) if described["required"] == true => findings.push("the body is missing".to_owned()),
            (None, _) => {}
            (Some(_), true) => findings.push("there is a body, and none is described".to_owned()),
            (Some(body), false) => {
                findings.extend(self.faults(schema, body).map(|fault| format!("body: {fault}")));
                let mut known = BTreeSet::new();
                let is_closed = self.properties(schema, &mut known);
                for field in body.as_object().into_iter().flat_map(Map::keys).filter(|field| is_closed && !known.contains(*field)) {
                    findings.push(format!("body: unknown field `{field}`"));
                }
            }
        }
    }

    /// The answer has a documented status and body. Errors of all operations that their own lists leave out (401, a limit's 403, a
    /// repository that cannot be seen) have the general form.
    fn answer(&self, operation: &Operation, request: &RecordedRequest, findings: &mut Vec<String>) {
        let Some(status) = request.status else { return };
        if status == 304 || status >= 500 {
            return;
        }
        let described = &operation.description["responses"][status.to_string()];
        let basic = json!({ "$ref": "#/components/schemas/basic-error" });
        let schema = match self.resolved(described) {
            Value::Null if status < 300 => {
                findings.push(format!("status {status} is not described"));
                return;
            }
            Value::Null => &basic,
            // Some operations name an error's status and leave out that it has the general form as well.
            response if status >= 400 && response["content"].is_null() => &basic,
            response => &response["content"]["application/json"]["schema"],
        };
        match (&request.answer, schema.is_null()) {
            (None, true) => {}
            (None, false) => findings.push(format!("the answer {status} has no body")),
            (Some(_), true) => findings.push(format!("the answer {status} has a body, and none is described")),
            (Some(answer), false) => {
                findings.extend(self.faults(schema, answer).map(|fault| format!("answer {status}: {fault}")));
            }
        }
    }

    /// Collects the fields that a schema names, and says whether it is meant to name all.
    fn properties(&self, schema: &Value, into: &mut BTreeSet<String>) -> bool {
        let schema = self.resolved(schema);
        into.extend(schema["properties"].as_object().into_iter().flat_map(Map::keys).cloned());
        let mut is_closed = !matches!(&schema["additionalProperties"], Value::Bool(true) | Value::Object(_));
        for word in ["allOf", "anyOf", "oneOf"] {
            for part in schema[word].as_array().into_iter().flatten() {
                is_closed &= self.properties(part, into);
            }
        }
        is_closed
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.document.pointer(pointer).map_or(&Value::Null, |target| self.resolved(target)),
            None => value,
        }
    }

    fn faults(&self, schema: &Value, value: &Value) -> impl Iterator<Item = String> + use<> {
        let key = schema.to_string();
        let mut validators = self.validators.lock().unwrap();
        let validator = validators.entry(key).or_insert_with(|| Arc::new(self.validator(schema)));
        let faults: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{} at `{}`", shortened(&error.to_string()), error.instance_path())).collect();
        faults.into_iter()
    }

    /// A schema together with the parts of the description that it leads to, and no others: the whole has 13 MB.
    fn validator(&self, schema: &Value) -> Validator {
        let mut parts: BTreeMap<String, Value> = BTreeMap::new();
        let mut open = vec![schema.clone()];
        while let Some(next) = open.pop() {
            references(&next, &mut |reference| {
                let name = reference.strip_prefix("#/components/schemas/").unwrap().to_owned();
                if let Entry::Vacant(place) = parts.entry(name) {
                    let target = self.document["components"]["schemas"][place.key()].clone();
                    open.push(target.clone());
                    place.insert(target);
                }
            });
        }
        let whole = json!({ "allOf": [schema], "components": { "schemas": parts } });
        jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true).build(&whole).unwrap()
    }
}

/// What every request to GitHub carries.
fn headers(request: &RecordedRequest) -> Vec<String> {
    let mut findings = Vec::new();
    let mut expect = |is_there: bool, finding: &str| {
        if !is_there {
            findings.push(finding.to_owned());
        }
    };
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    expect(header("accept").is_some_and(|accept| accept.contains("application/vnd.github+json")), "`accept` asks for another format");
    expect(header("user-agent").is_some_and(|agent| !agent.is_empty()), "GitHub refuses a request without `user-agent`");
    expect(header("authorization") == Some("Bearer …"), "`authorization` is no bearer token");
    expect(header("x-github-api-version") == Some("2022-11-28"), "the version of the API is not pinned");
    let is_json = header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    expect(request.body.is_none() || is_json, "`content-type` is not JSON's");
    findings
}

/// The parameters of a path that fits a template. A reference's name may span several segments.
fn fitted(template: &[String], path: &[&str]) -> Option<Vec<(String, String)>> {
    let Some((first, rest)) = template.split_first() else { return path.is_empty().then(Vec::new) };
    let Some(name) = first.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
        return if path.first() == Some(&first.as_str()) { fitted(rest, path.get(1..)?) } else { None };
    };
    let longest = if name == "ref" { path.len() } else { 1 };
    (1..=longest.min(path.len())).find_map(|length| {
        let (value, behind) = path.split_at(length);
        let mut parameters = fitted(rest, behind)?;
        parameters.insert(0, (name.to_owned(), value.join("/")));
        Some(parameters)
    })
}

/// A parameter's text as the type that its schema asks for; what does not parse stays a text, which the schema then refuses.
fn typed(schema: &Value, text: &str) -> Value {
    let has = |kind: &str| schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|known| known == kind));
    match text {
        text if has("integer") => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        "true" | "false" if has("boolean") => json!(text == "true"),
        text => json!(text),
    }
}

fn shortened(text: &str) -> String {
    if text.len() > 300 { format!("{}…", text.chars().take(300).collect::<String>()) } else { text.to_owned() }
}

fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                found(reference);
            }
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Turns `nullable` into what draft 4 calls it, and leaves examples out, which are large and no schemas.
fn draft_4(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|name, value| !((name == "example" || name == "examples") && !value.get("type").is_some_and(Value::is_string)));
            object.values_mut().for_each(draft_4);
            if object.get("nullable") == Some(&Value::Bool(true)) {
                object.remove("nullable");
                let schema = Value::Object(std::mem::take(object));
                *value = json!({ "anyOf": [schema, { "type": "null" }] });
            }
        }
        Value::Array(list) => list.iter_mut().for_each(draft_4),
        _ => {}
    }
}
