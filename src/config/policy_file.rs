//! `kind: RevertPolicy`: a checked and completed tree to a valid [`Policy`], with the rules that need more than one value and those that
//! need the agent file.

use std::collections::BTreeMap;

use crate::engine::broken_sync::OnSyncFailure;
use crate::engine::consent::{ApprovalSource, ConsentRules, FourEyes, IfSilent, Role, Silence};
use crate::engine::id::{EnvironmentName, NotifierName, PolicyName, RepositoryName, SloName};
use crate::engine::irrevertible::{self, Never};
use crate::engine::policy::{BreachWhen, Guardrails, Mode, PathSet, Policy, RevertRules, Scope, Slo, VerifyRules};
use crate::engine::schedule::RecurringWindow;
use crate::engine::time::spoken;
use crate::engine::verification::IMPROVING_FACTOR;

use super::agent_file::{Names, unique_names};
use super::check::{listed, nearest};
use super::diagnostic::{Findings, quoted};
use super::form;
use super::gates;
use super::node::Node;
use super::view::View;
use super::{instance_rules, slo_rules};

/// Reads a policy document; `None` where an error was found, now or before. `names` are the agent's, where an agent file is there.
pub fn read(root: &Node, names: Option<&Names>, findings: &mut Findings<'_>) -> Option<Policy> {
    let document = View::new(root, root.span);
    let (metadata, spec) = (document.object("metadata"), document.object("spec")?);
    unique_names(&spec, "slos", findings);
    let slos: Vec<Option<Slo>> = spec.objects("slos").iter().map(|view| slo_rules::read(view, findings)).collect();
    let triggers = slo_rules::triggers(&spec, findings);
    let breach_when = breach_when(&spec, triggers, findings);
    let revert = revert(&spec, findings);
    let verify = verify(&spec, &slos, findings);
    let name = metadata.and_then(|metadata| metadata.text("name"));
    depends_on(&spec, name.as_deref(), findings);
    let labels = metadata.and_then(|metadata| metadata.map("labels")).unwrap_or_default();
    notify(&spec, &labels, names, findings);
    if let Some(names) = names {
        references(&spec, names, findings);
    }
    let instances = instance_rules::instances(&spec, &labels, names, findings);
    let guardrails = spec.object("guardrails")?;
    never_back_to(&guardrails, findings);
    let approval = approval(&spec, findings);
    Some(Policy {
        name: PolicyName::new(name?),
        labels: metadata?.map("labels")?,
        repository: RepositoryName::new(spec.text("repository")?),
        environment: spec.text("environment").map(EnvironmentName::new),
        paths: PathSet { include: spec.texts("paths")?, exclude: spec.texts("exclude")? },
        instances: instances?,
        depends_on: spec.texts("dependsOn")?.into_iter().map(PolicyName::new).collect(),
        slos: slo_rules::of_role(&spec, &slos, "trigger")?,
        corroborating: slo_rules::of_role(&spec, &slos, "corroborate")?,
        reported: slo_rules::of_role(&spec, &slos, "report")?,
        breach_when: breach_when?,
        revert: revert?,
        guardrails: Guardrails {
            cooldown: guardrails.duration("cooldown")?,
            limits: guardrails.limits("limits")?,
            merge_hours: windows(&guardrails.object("hours")?, "merge")?,
            further_hours: Vec::new(),
            maintenance: windows(&guardrails, "maintenance")?,
            max_services: guardrails.integer("maxServices")?,
            max_objects: guardrails.integer("maxObjects")?,
            never_back_to: guardrails.texts("neverBackTo")?,
            never: never(&guardrails.object("never")?)?,
            assurance: gates::assurance(&guardrails, names, findings)?,
        },
        approval: approval?,
        verify: verify?,
        links: spec.map("links")?,
        notify: spec.texts("notify")?.into_iter().map(NotifierName::new).collect(),
    })
}

/// Reports services that the policy names and no policy of the agent is called.
pub fn unknown_dependencies(root: &Node, policies: &[String], findings: &mut Findings<'_>) {
    let Some(depends_on) = root.get("spec").and_then(|spec| spec.get("dependsOn")) else { return };
    for item in depends_on.items() {
        if let Some(name) = item.text().filter(|name| !policies.iter().any(|policy| policy == name)) {
            findings.error(item.span, format!("there is no policy {}", quoted(name)), instead(name, policies, "policies"));
        }
    }
}

fn depends_on(spec: &View<'_>, name: Option<&str>, findings: &mut Findings<'_>) {
    let Some(node) = spec.node("dependsOn") else { return };
    let mut seen: Vec<&str> = Vec::new();
    for item in node.items() {
        let Some(text) = item.text() else { continue };
        if Some(text) == name {
            findings.error(item.span, "a policy cannot depend on itself", "remove it".to_owned());
        } else if seen.contains(&text) {
            findings.error(item.span, format!("{} is there twice", quoted(text)), "remove one of the two".to_owned());
        }
        seen.push(text);
    }
}

/// Names that are there twice, that no notifier has, or whose channel needs a label that the policy does not have.
fn notify(spec: &View<'_>, labels: &BTreeMap<String, String>, names: Option<&Names>, findings: &mut Findings<'_>) {
    let Some(node) = spec.node("notify") else { return };
    let mut seen: Vec<&str> = Vec::new();
    for item in node.items() {
        let Some(text) = item.text() else { continue };
        if seen.contains(&text) {
            findings.error(item.span, format!("{} is there twice", quoted(text)), "remove one of the two".to_owned());
            continue;
        }
        seen.push(text);
        let Some(names) = names else { continue };
        match names.notifiers.iter().find(|(name, _)| name == text) {
            None => {
                let known: Vec<String> = names.notifiers.iter().map(|(name, _)| name.clone()).collect();
                let message = format!("the agent file has no notifier {}", quoted(text));
                findings.error(item.span, message, instead(text, &known, "`notifiers`"));
            }
            Some((_, Some(channel))) => {
                if let Err(error) = channel.resolve(labels) {
                    let hint = channel.labels().next().map(|label| format!("write `metadata: {{labels: {{{label}: …}}}}`"));
                    findings.error(item.span, format!("{} has no channel for this policy: {error}", quoted(text)), hint);
                }
            }
            Some((_, None)) => {}
        }
    }
}

fn breach_when(spec: &View<'_>, slos: usize, findings: &mut Findings<'_>) -> Option<BreachWhen> {
    let node = spec.node("breachWhen")?;
    match node.text() {
        Some("any") => Some(BreachWhen::Any),
        Some("all") => Some(BreachWhen::All),
        Some(_) => None,
        None => {
            let count: u32 = View::new(node, node.span).integer("atLeast")?;
            if slos < count as usize {
                let place = node.get("atLeast").map_or(node.span, |node| node.span);
                let plural = if slos == 1 { "SLO" } else { "SLOs" };
                findings.error(
                    place,
                    format!("`atLeast` is {count}, and the policy has {slos} {plural} that can breach: it could never breach"),
                    None,
                );
            }
            Some(BreachWhen::AtLeast(count))
        }
    }
}

fn revert(spec: &View<'_>, findings: &mut Findings<'_>) -> Option<RevertRules> {
    let revert = spec.object("revert")?;
    let max_age = revert.object("maxAge")?;
    let (merge, propose) = (max_age.duration("merge"), max_age.duration("propose"));
    if merge > propose && propose.is_some() {
        let message = "`merge` is longer than `propose`: a change that is too old to propose cannot be merged away".to_owned();
        findings.error(max_age.span("merge"), message, "make `propose` the longer of the two".to_owned());
    }
    Some(RevertRules {
        mode: revert.mode("mode")?,
        scope: if revert.text("scope")? == "paths" { Scope::Paths } else { Scope::Commit },
        on_sync_failure: if revert.text("onSyncFailure")? == "ignore" { OnSyncFailure::Ignore } else { OnSyncFailure::Propose },
        settle: revert.duration("settle")?,
        attribute_within: revert.duration("attributeWithin")?,
        max_age_merge: merge?,
        max_age_propose: propose?,
    })
}

fn approval(spec: &View<'_>, findings: &mut Findings<'_>) -> Option<ConsentRules> {
    let approval = spec.object("approval")?;
    let mut approvers = |key: &str| -> Option<Vec<ApprovalSource>> {
        let nodes = approval.node(key).map_or(&[][..], Node::items);
        let sources: Vec<Option<ApprovalSource>> = nodes
            .iter()
            .map(|node| match node.text() {
                Some("codeowners") => Some(ApprovalSource::Codeowners),
                _ => approver(&View::new(node, node.span), findings),
            })
            .collect();
        sources.into_iter().collect()
    };
    let (from, force) = (approvers("from"), approvers("force"));
    let if_silent = match approval.object("ifSilent") {
        Some(silent) => Some(IfSilent {
            after: silent.duration("after")?,
            then: match silent.text("then")?.as_str() {
                "escalate" => Silence::Escalate,
                "withdraw" => Silence::Withdraw,
                _ => Silence::Merge,
            },
        }),
        None => None,
    };
    Some(ConsentRules {
        from: from?,
        count: approval.integer("count")?,
        four_eyes: match approval.flag("notAuthorOfChange") {
            Some(true) => FourEyes::Needed,
            Some(false) => FourEyes::NotNeeded,
            None => FourEyes::UnlessSafe,
        },
        force: force?,
        if_silent,
        expires: approval.duration("expires")?,
    })
}

fn approver(view: &View<'_>, findings: &mut Findings<'_>) -> Option<ApprovalSource> {
    if let Some(team) = view.text("team") {
        if !team.split_once('/').is_some_and(|(organization, slug)| form::is_login(organization) && form::is_login(slug)) {
            let message = format!("`team` is an organisation and a team, and {} is not", quoted(&team));
            findings.error(view.span("team"), message, "write `acme/sre`".to_owned());
        }
        return Some(ApprovalSource::Team(team));
    }
    if let Some(user) = view.text("user") {
        if !form::is_login(&user) {
            let message = format!("`user` is a login, and {} is none", quoted(&user));
            findings.error(view.span("user"), message, "write it without `@`".to_owned());
        }
        return Some(ApprovalSource::User(user));
    }
    Some(ApprovalSource::Role(match view.text("role")?.as_str() {
        "triage" => Role::Triage,
        "write" => Role::Write,
        "maintain" => Role::Maintain,
        _ => Role::Admin,
    }))
}

fn verify(spec: &View<'_>, slos: &[Option<Slo>], findings: &mut Findings<'_>) -> Option<VerifyRules> {
    let verify = spec.object("verify")?;
    let (within, hold) = (verify.duration("recoverWithin")?, verify.duration("holdFor")?);
    if hold > within {
        let message = "`holdFor` is longer than `recoverWithin`: no recovery could be seen in time".to_owned();
        findings.error(verify.span("holdFor"), message, "make `recoverWithin` the longer of the two".to_owned());
    }
    checks(spec, &verify, slos, findings);
    let checks = verify.texts("checks")?.into_iter().map(SloName::new).collect();
    Some(VerifyRules { recover_within: within, hold_for: hold, checks })
}

/// Checks that are there twice, that are no SLO of the policy, or that could not pass in time: each needs so many rounds begun after the revert.
fn checks(spec: &View<'_>, verify: &View<'_>, slos: &[Option<Slo>], findings: &mut Findings<'_>) {
    let known: Vec<String> = spec.objects("slos").iter().filter_map(|slo| slo.text("name")).collect();
    let within = verify.duration("recoverWithin");
    let mut seen: Vec<&str> = Vec::new();
    for item in verify.node("checks").map_or(&[][..], Node::items) {
        let Some(text) = item.text() else { continue };
        if seen.contains(&text) {
            findings.error(item.span, format!("{} is there twice", quoted(text)), "remove one of the two".to_owned());
            continue;
        }
        seen.push(text);
        if !known.iter().any(|name| name == text) {
            findings.error(item.span, format!("the policy has no SLO {}", quoted(text)), instead(text, &known, "`slos`"));
            continue;
        }
        // One with an error of its own is not judged.
        let Some(slo) = slos.iter().flatten().find(|slo| slo.name.as_str() == text) else { continue };
        let rounds = slo.baseline_rounds();
        let needs = slo.every().saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
        let waits = within.map(|within| within.saturating_mul(IMPROVING_FACTOR));
        if let Some(waits) = waits.filter(|waits| needs > *waits) {
            let message = format!(
                "{} needs {rounds} good rounds after a revert, which take {}: longer than {IMPROVING_FACTOR} times `recoverWithin`, which are {}",
                quoted(text),
                spoken(needs),
                spoken(waits)
            );
            findings.error(item.span, message, "make `recoverWithin` longer, or `every` of the SLO shorter".to_owned());
        }
    }
}

/// Entries that could never match, which would be a guardrail that is not there.
fn never_back_to(guardrails: &View<'_>, findings: &mut Findings<'_>) {
    for item in guardrails.node("neverBackTo").map_or(&[][..], Node::items) {
        if let Some((text, why)) = item.text().and_then(|text| Some((text, irrevertible::is_no_image(text)?))) {
            let hint = "write `sha256:…`, `1.4.1` or `shop/checkout:1.4.1`".to_owned();
            findings.error(item.span, format!("{} {why}", quoted(text)), hint);
        }
    }
}

fn never(view: &View<'_>) -> Option<Never> {
    Some(Never { authors: view.texts("authors")?, paths: view.texts("paths")? })
}

fn windows(view: &View<'_>, key: &str) -> Option<Vec<RecurringWindow>> {
    let window = |view: &View<'_>| {
        Some(RecurringWindow { schedule: view.text("schedule")?, time_zone: view.text("timeZone")?, length: view.duration("for")? })
    };
    view.objects(key).iter().map(window).collect()
}

fn references(spec: &View<'_>, names: &Names, findings: &mut Findings<'_>) {
    let repositories: Vec<String> = names.repositories.iter().map(|(name, _)| name.clone()).collect();
    let environments: Vec<String> = names.environments.iter().map(|(name, _)| name.clone()).collect();
    let syncs: Vec<String> = names.syncs.iter().map(|(name, _)| name.clone()).collect();
    reference(spec, "repository", &repositories, "repository", "repositories", findings);
    reference(spec, "environment", &environments, "environment", "environments", findings);
    if let Some(sync) = spec.object("sync") {
        reference(&sync, "source", &syncs, "sync source", "sync", findings);
    }
    for instance in spec.objects("instances") {
        reference(&instance, "sync", &syncs, "sync source", "sync", findings);
        if let Some(sync) = instance.object("sync") {
            reference(&sync, "source", &syncs, "sync source", "sync", findings);
        }
    }
    for slo in spec.objects("slos") {
        let Some(indicator) = slo.object("indicator") else { continue };
        if let Some(prometheus) = indicator.object("prometheus") {
            reference(&prometheus, "server", &names.metrics, "metrics server", "metrics", findings);
        }
        if let Some(workload) = indicator.object("workload") {
            // With a variable, it is one in each instance.
            if workload.text("server").is_some_and(|server| !server.contains('$')) {
                reference(&workload, "server", &names.clusters, "cluster", "metrics` of the kind `kubernetes", findings);
            }
        }
        if let Some(alert) = indicator.object("alert") {
            let known: Vec<String> = names.metrics.iter().chain(&names.alertmanagers).cloned().collect();
            reference(&alert, "server", &known, "metrics server", "metrics", findings);
        }
    }
    ceiling(spec, names, findings);
}

fn reference(view: &View<'_>, key: &str, known: &[String], what: &str, list: &str, findings: &mut Findings<'_>) {
    let Some(name) = view.text(key).filter(|name| !known.contains(name)) else { return };
    let mut hint = instead(&name, known, &format!("`{list}`"));
    if view.span(key).file != 0 {
        hint.push_str("; or write another `server` beside `openslo` in the policy");
    }
    findings.error(view.span(key), format!("the agent file has no {what} {}", quoted(&name)), hint);
}

pub(super) fn instead(name: &str, known: &[String], list: &str) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("there are no {list}"),
        None => {
            let shown: Vec<String> = known.iter().take(8).map(|name| quoted(name)).collect();
            format!("{list}: {}", listed(&shown, "and"))
        }
    }
}

/// A mode over a ceiling is allowed, as the ceiling may be lifted later, but it does not do what it seems to.
fn ceiling(spec: &View<'_>, names: &Names, findings: &mut Findings<'_>) {
    let Some(revert) = spec.object("revert") else { return };
    let Some(mode) = revert.mode("mode") else { return };
    let named = |list: &[(String, Option<Mode>)], key: &str| {
        let name = spec.text(key)?;
        list.iter().find(|(other, _)| *other == name).and_then(|(name, mode)| mode.map(|mode| (format!("{key} `{name}`"), mode)))
    };
    let ceilings = [
        names.max_mode.map(|mode| ("the agent".to_owned(), mode)),
        named(&names.repositories, "repository"),
        named(&names.environments, "environment"),
    ];
    if let Some((whose, lowest)) = ceilings.into_iter().flatten().min_by_key(|(_, mode)| *mode).filter(|(_, lowest)| *lowest < mode) {
        let message = format!("`mode` is `{mode}`, and `maxMode` of {whose} is `{lowest}`: the policy acts as `{lowest}`");
        findings.warning(revert.span("mode"), message, None);
    }
}
