//! What a branch asks of what lands on it, and the state of what must have passed (catalogue of failures F5).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::client::{Api, Ask, Reading, segment};
use super::wire::{WireCheckRuns, WireCombined, WireReference};
use crate::engine::id::{BranchName, CommitId};
use crate::forge::{
    Answered, BranchRules, Bypass, Call, Check, CheckState, ClassicProtection, Demand, ForgeError, PatternOn, PatternOperator, PatternRule,
    PatternSense, RequiredCheck,
};

#[derive(Deserialize)]
struct WireRule {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    parameters: Value,
    ruleset_id: Option<u64>,
}

#[derive(Deserialize)]
struct WireRuleset {
    current_user_can_bypass: Option<String>,
}

#[derive(Deserialize)]
struct WireBranch {
    protection: Option<WireProtection>,
}

#[derive(Deserialize)]
struct WireProtection {
    #[serde(default)]
    enabled: bool,
    required_status_checks: Option<WireContexts>,
}

#[derive(Deserialize)]
struct WireContexts {
    #[serde(default)]
    contexts: Vec<String>,
}

#[derive(Deserialize)]
struct WireReviewRule {
    #[serde(default)]
    required_approving_review_count: u64,
    #[serde(default)]
    require_code_owner_review: bool,
    #[serde(default)]
    allowed_merge_methods: Vec<String>,
}

#[derive(Deserialize)]
struct WireChecksRule {
    #[serde(default)]
    required_status_checks: Vec<WireRequired>,
}

#[derive(Deserialize)]
struct WireRequired {
    context: String,
    integration_id: Option<u64>,
}

#[derive(Deserialize)]
struct WirePattern {
    operator: String,
    pattern: String,
    #[serde(default)]
    negate: bool,
}

impl Api {
    pub(super) async fn branch_head(&self, call: Call, branch: &BranchName) -> Answered<Option<CommitId>> {
        // Slashes stay: the reference is a path here.
        let path = branch.as_str().split('/').map(segment).collect::<Vec<_>>().join("/");
        let ask = Ask::get(format!("read the head of {branch}"), format!("/git/ref/heads/{path}")).fresh();
        match self.ask::<WireReference>(call, &ask).await {
            Ok(reference) => Ok(Some(reference.object.sha)),
            Err(ForgeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn branch_rules(&self, call: Call, branch: &BranchName) -> Answered<Option<BranchRules>> {
        let what = format!("read the rules of {branch}");
        let path = format!("/rules/branches/{}?per_page=100", segment(branch.as_str()));
        let wires: Vec<WireRule> = match self.all(call, &what, &path, Reading::Conditional).await {
            Err(ForgeError::NotFound { .. }) => return Ok(None),
            answer => answer?,
        };
        let mut rules = BranchRules::default();
        for wire in &wires {
            add(&mut rules, wire).map_err(|error| super::client::broken(format!("{what}: {}", self.clean(&error.to_string()))))?;
        }
        let sets: BTreeSet<u64> = wires.iter().filter_map(|wire| wire.ruleset_id).collect();
        rules.bypass = if wires.is_empty() { Bypass::NothingToPass } else { Bypass::Always };
        if wires.iter().any(|wire| wire.ruleset_id.is_none()) {
            rules.bypass = Bypass::Unknown;
        }
        for set in sets {
            rules.bypass = rules.bypass.min(self.bypass_of(call, set).await?);
        }
        rules.classic = self.classic_protection(call, branch).await?;
        Ok(Some(rules))
    }

    async fn bypass_of(&self, call: Call, set: u64) -> Answered<Bypass> {
        let ask = Ask::get(format!("read rule set {set}"), format!("/rulesets/{set}?includes_parents=true"));
        let told = match self.ask::<WireRuleset>(call, &ask).await {
            Ok(wire) => wire.current_user_can_bypass,
            Err(ForgeError::NotFound { .. } | ForgeError::Forbidden { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(match told.as_deref() {
            Some("always" | "exempt") => Bypass::Always,
            Some("pull_requests_only") => Bypass::ByProposal,
            Some("never") => Bypass::Never,
            _ => Bypass::Unknown,
        })
    }

    async fn classic_protection(&self, call: Call, branch: &BranchName) -> Answered<ClassicProtection> {
        let ask = Ask::get(format!("read branch {branch}"), format!("/branches/{}", segment(branch.as_str())));
        let protection = match self.ask::<WireBranch>(call, &ask).await {
            Ok(wire) => wire.protection,
            Err(ForgeError::NotFound { .. } | ForgeError::Forbidden { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(match protection {
            None => ClassicProtection::Unknown,
            Some(WireProtection { enabled: false, .. }) => ClassicProtection::None,
            Some(protection) => {
                ClassicProtection::Present { checks: protection.required_status_checks.map_or_else(Vec::new, |checks| checks.contexts) }
            }
        })
    }

    pub(super) async fn checks(&self, call: Call, commit: CommitId) -> Answered<Vec<Check>> {
        let what = format!("read the checks of {}", commit.short());
        // Of several runs with one name by one App, the newest counts.
        let mut runs: BTreeMap<(String, Option<u64>), (u64, CheckState)> = BTreeMap::new();
        let path = format!("/commits/{commit}/check-runs?filter=latest&per_page=100");
        let pages: Vec<WireCheckRuns> = self.pages(call, &what, &path, Reading::Conditional).await?;
        for run in pages.into_iter().flat_map(|page| page.check_runs) {
            let state = match (run.status.as_str(), run.conclusion.as_deref()) {
                ("completed", Some("success" | "neutral" | "skipped")) => CheckState::Passed,
                ("completed", _) => CheckState::Failed,
                _ => CheckState::Pending,
            };
            let newest = runs.entry((run.name.clone(), run.app())).or_insert((run.id, state));
            if run.id >= newest.0 {
                *newest = (run.id, state);
            }
        }
        let mut checks: Vec<Check> = runs.into_iter().map(|((context, app), (_, state))| Check { context, state, app }).collect();
        let path = format!("/commits/{commit}/status?per_page=100");
        let pages: Vec<WireCombined> = self.pages(call, &what, &path, Reading::Conditional).await?;
        checks.extend(pages.into_iter().flat_map(|page| page.statuses).map(|status| {
            let state = match status.state.as_str() {
                "success" => CheckState::Passed,
                "pending" => CheckState::Pending,
                _ => CheckState::Failed,
            };
            Check { context: status.context, state, app: None }
        }));
        Ok(checks)
    }
}

/// Adds what one rule asks. A rule that is not known asks for something that a merge will say; it changes nothing here.
fn add(rules: &mut BranchRules, wire: &WireRule) -> Result<(), serde_json::Error> {
    let yes = |asked| if asked { Demand::Yes } else { Demand::No };
    match wire.kind.as_str() {
        "pull_request" => {
            let rule = WireReviewRule::deserialize(&wire.parameters)?;
            rules.proposal_only = Demand::Yes;
            rules.required_approvals = rules.required_approvals.max(rule.required_approving_review_count);
            if rule.require_code_owner_review {
                rules.code_owner_review = yes(true);
            }
            if !rule.allowed_merge_methods.is_empty() {
                // Each rule set that names methods narrows them.
                let mut allowed = rules.merge_methods.take().unwrap_or_else(|| rule.allowed_merge_methods.clone());
                allowed.retain(|method| rule.allowed_merge_methods.contains(method));
                rules.merge_methods = Some(allowed);
            }
        }
        "required_status_checks" => {
            let rule = WireChecksRule::deserialize(&wire.parameters)?;
            for required in rule.required_status_checks {
                let check = RequiredCheck { context: required.context, app: required.integration_id };
                if !rules.required_checks.contains(&check) {
                    rules.required_checks.push(check);
                }
            }
        }
        "merge_queue" => rules.merge_queue = Demand::Yes,
        "required_signatures" => rules.signatures = Demand::Yes,
        "required_linear_history" => rules.linear_history = Demand::Yes,
        "update" => rules.locked = Demand::Yes,
        "commit_message_pattern" => rules.patterns.push(pattern(PatternOn::CommitMessage, &wire.parameters)?),
        "branch_name_pattern" => rules.patterns.push(pattern(PatternOn::BranchName, &wire.parameters)?),
        "commit_author_email_pattern" => rules.patterns.push(pattern(PatternOn::AuthorEmail, &wire.parameters)?),
        "committer_email_pattern" => rules.patterns.push(pattern(PatternOn::CommitterEmail, &wire.parameters)?),
        _ => {}
    }
    Ok(())
}

fn pattern(on: PatternOn, parameters: &Value) -> Result<PatternRule, serde_json::Error> {
    let wire = WirePattern::deserialize(parameters)?;
    let operator = match wire.operator.as_str() {
        "starts_with" => PatternOperator::StartsWith,
        "ends_with" => PatternOperator::EndsWith,
        "contains" => PatternOperator::Contains,
        "regex" => PatternOperator::Regex,
        _ => PatternOperator::Other(wire.operator),
    };
    let sense = if wire.negate { PatternSense::MustNotMatch } else { PatternSense::MustMatch };
    Ok(PatternRule { on, operator, sense, pattern: wire.pattern })
}
