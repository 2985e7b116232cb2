//! What limits reverts: the guardrails of a policy and its budgets.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::assurance::Assurance;
use crate::engine::irrevertible::Never;
use crate::engine::schedule::RecurringWindow;
use crate::engine::time::millis;

/// `guardrails:` of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guardrails {
    /// No force-merge sooner than this after the last merged revert of the policy.
    #[serde(with = "millis")]
    pub cooldown: Duration,
    /// The policy's own budgets.
    pub limits: Limits,
    /// The windows in which a revert may be merged without an approval; always, where there is none. Absent in policies that were
    /// recorded before there were any, so that their digest stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merge_hours: Vec<RecurringWindow>,
    /// The same of newer versions of the policy, for an incident that opened with this one: one of each has to be open as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_hours: Vec<Vec<RecurringWindow>>,
    /// The windows in which breaches are expected, and neither proposed nor merged without an approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<RecurringWindow>,
    /// A revert that touches more services than this is not merged without an approval.
    #[serde(default = "default_max_services", skip_serializing_if = "is_default_max_services")]
    pub max_services: u32,
    /// A revert that changes more objects than this is not merged without an approval.
    #[serde(default = "default_max_objects", skip_serializing_if = "is_default_max_objects")]
    pub max_objects: u32,
    /// Digests, tags or images (`repository:tag`) that no revert goes back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_back_to: Vec<String>,
    /// Changes that are never reverted.
    #[serde(default, skip_serializing_if = "Never::is_empty")]
    pub never: Never,
    /// What vouches for the state that a merge leads to, and who is asked before it.
    #[serde(default, skip_serializing_if = "Assurance::is_default")]
    pub assurance: Assurance,
}

/// The most services that a revert touches, where the policy says nothing (design §8).
pub const MAX_SERVICES: u32 = 1;
/// The most objects that a revert changes, where the policy says nothing (design §8).
pub const MAX_OBJECTS: u32 = 20;

fn default_max_services() -> u32 {
    MAX_SERVICES
}

fn default_max_objects() -> u32 {
    MAX_OBJECTS
}

fn is_default_max_services(limit: &u32) -> bool {
    *limit == MAX_SERVICES
}

fn is_default_max_objects(limit: &u32) -> bool {
    *limit == MAX_OBJECTS
}

/// Budgets: at most so many in so long. Every entry holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// For proposals.
    pub propose: Vec<Limit>,
    /// For merged reverts.
    pub merge: Vec<Limit>,
}

/// At most `count` in any `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// How many; zero forbids.
    pub count: u32,
    /// In how long.
    #[serde(with = "millis")]
    pub per: Duration,
}
