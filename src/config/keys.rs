//! Every key that can be written, with its meaning, its limits and its default; and every key that is planned, which is refused.
//!
//! This is the whole reference of the agent file and of policies: the checker, the defaults and `revertd schema` are read from here.

mod agent;
mod policy;

use std::time::Duration;

use self::agent::{AGENT, LIMIT};
use self::policy::POLICY;
pub use self::policy::SLO;
use super::shape::{Field, Form, Kind, Object};

/// The value of `apiVersion`.
pub const API_VERSION: &str = "revertd.dev/v1alpha1";

/// Kinds of documents that are planned.
pub const LATER_KINDS: &[&str] = &["PolicyClass", "RevertPolicySet"];

const NONE: Duration = Duration::ZERO;
const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}
const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

const NAME: Kind = Kind::Text(Form::Name);
const VARIABLE_NAME: Kind = Kind::Text(Form::VariableName);
const LINE: Kind = Kind::Text(Form::Line);
const PATH: Kind = Kind::Text(Form::Path);
const CHANNEL: Kind = Kind::Text(Form::Channel);
const MODES: &[&str] = &["observe", "propose", "merge"];
const ROLES: &[&str] = &["triage", "write", "maintain", "admin"];
const SILENCES: &[&str] = &["escalate", "withdraw", "merge"];
const BUDGETS: Kind = Kind::OneOrMany(&Kind::Object(&LIMIT));
const GLOBS: Kind = Kind::List(&Kind::Text(Form::Glob), 0, &[]);

/// `kind: Agent`.
pub static AGENT_DOCUMENT: Object = Object {
    doc: "The operator's file: credentials, hosts, limits and ceilings.",
    fields: &[
        Field::required("apiVersion", Kind::Word(&[API_VERSION]), "The version of this format."),
        Field::required("kind", Kind::Word(&["Agent"]), "What this document is."),
        Field::required("spec", Kind::Object(&AGENT), "What the agent watches, with which credentials and within which limits."),
    ],
    choice: &[],
};

/// `kind: RevertPolicy`.
pub static POLICY_DOCUMENT: Object = Object {
    doc: "One service's rules: its paths, its objectives and what may be done when they are missed.",
    fields: &[
        Field::required("apiVersion", Kind::Word(&[API_VERSION]), "The version of this format."),
        Field::required("kind", Kind::Word(&["RevertPolicy"]), "What this document is."),
        Field::required("metadata", Kind::Object(&METADATA), "The name and labels of the policy."),
        Field::required("spec", Kind::Object(&POLICY), "The rules."),
    ],
    choice: &[],
};

static METADATA: Object = Object {
    doc: "The name and labels of the policy.",
    fields: &[
        Field::required("name", NAME, "The name of the policy, which is the name of the service. No two policies share one."),
        Field::default("labels", Kind::Map(Form::Line), "{}", "Free labels."),
    ],
    choice: &[],
};
