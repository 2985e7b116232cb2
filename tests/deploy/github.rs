//! The page on GitHub: that its permissions are told once, that its address asks for exactly them, and that its examples are valid.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kubernetes::assert_is_valid;
use super::{at, items, repository, text};

const PAGE: &str = "deploy/github.md";

/// The rows of the table under a heading, each as its cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = text(PAGE);
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let section = rest.split("\n## ").next().unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect::<Vec<_>>();
    section.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

/// What the App may do: permission to access.
fn permissions() -> BTreeMap<String, String> {
    table("What the App may do").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

/// The fenced blocks of a language, without the indentation of their fence.
fn blocks(language: &str) -> Vec<String> {
    let page = text(PAGE);
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == format!("```{language}") {
            let indentation = line.len() - line.trim_start().len();
            let inside = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```"));
            blocks.push(inside.map(|line| format!("{}\n", line.get(indentation..).unwrap_or_default())).collect());
        }
    }
    blocks
}

#[test]
fn every_permission_has_its_reason_and_none_is_on_both_lists() {
    let allowed = permissions();
    assert_eq!(allowed.len(), table("What the App may do").len());
    let expected = [
        ("checks", "write"),
        ("contents", "write"),
        ("issues", "write"),
        ("members", "read"),
        ("metadata", "read"),
        ("pull_requests", "write"),
        ("statuses", "write"),
    ];
    assert_eq!(allowed, expected.map(|(name, access)| (name.to_owned(), access.to_owned())).into());
    for row in table("What the App may do").iter().chain(&table("What the App must not have")) {
        assert!(row.last().unwrap().ends_with('.'), "{row:?}");
    }
    let refused: Vec<String> = table("What the App must not have").into_iter().map(|row| row[0].clone()).collect();
    for dangerous in ["administration", "workflows", "actions", "secrets", "environments", "organization_administration"] {
        assert!(refused.iter().any(|name| name == dangerous), "{dangerous}");
    }
    assert!(refused.iter().all(|name| !allowed.contains_key(name)), "{refused:?}");
}

#[test]
fn the_address_asks_for_exactly_these_permissions() {
    let page = text(PAGE);
    let (_, rest) = page.split_once("<https://github.com/organizations/ACME/settings/apps/new?").unwrap();
    let query = rest.split('>').next().unwrap();
    let mut asked: BTreeMap<String, String> =
        query.split('&').map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()).collect();
    for (name, value) in
        [("name", "revertd-ACME"), ("url", "https%3A%2F%2Fgithub.com%2FACME"), ("public", "false"), ("webhook_active", "false")]
    {
        assert_eq!(asked.remove(name).as_deref(), Some(value));
    }
    assert_eq!(asked, permissions());
}

/// The stand-in for GitHub asks for a permission with each call, as GitHub does.
#[test]
fn no_call_needs_a_permission_that_the_page_does_not_give() {
    let allowed = permissions();
    let Ok(source) = std::fs::read_to_string(repository("src/demo/forge/auth.rs")) else { return };
    let needs: Vec<&str> = source.split("permission: \"").skip(1).collect();
    assert!(needs.len() > 5);
    for need in needs {
        let (permission, rest) = need.split_once("\", access: \"").unwrap();
        let access = rest.split('"').next().unwrap();
        let given = allowed.get(permission).unwrap_or_else(|| panic!("`{permission}` is needed and not on the page"));
        assert!(given == "write" || given == access, "`{permission}: {access}` is needed, and the page gives {given}");
    }
}

#[test]
fn the_rules_let_the_app_pass_only_where_that_is_said() {
    let rulesets: Vec<Value> = blocks("json").iter().map(|block| serde_json::from_str(block).unwrap()).collect();
    let [propose, branches, merge] = &rulesets[..] else { panic!("{rulesets:#?}") };
    let app = |mode: &str| json!([{"actor_id": 12345, "actor_type": "Integration", "bypass_mode": mode}]);
    assert_eq!(at(propose, "/bypass_actors"), &json!([]));
    assert_eq!(at(branches, "/bypass_actors"), &app("always"));
    assert_eq!(at(branches, "/conditions/ref_name/include"), &json!(["refs/heads/revertd/**"]));
    assert_eq!(at(merge, "/bypass_actors"), &app("pull_request"));
    assert_eq!(
        (at(propose, "/rules"), at(propose, "/conditions")),
        (at(merge, "/rules"), at(merge, "/conditions")),
        "they differ in the bypass alone"
    );
    for ruleset in &rulesets {
        assert_eq!((at(ruleset, "/target"), at(ruleset, "/enforcement")), (&json!("branch"), &json!("active")));
        assert!(!items(&ruleset["rules"]).is_empty());
    }
    let never: Vec<Vec<String>> = table("Rules: force-merge").into_iter().filter(|row| row[0] == "exempt").collect();
    assert_eq!(never.first().map(|row| row[2].as_str()), Some("never"));
}

#[test]
fn the_branches_in_the_rules_are_those_that_are_pushed() {
    assert!(text("src/git/push.rs").contains("\"refs/heads/revertd/{key}\""));
}

#[test]
fn the_examples_for_the_agent_file_pass_its_check() {
    let yaml = blocks("yaml");
    let [agent, token] = &yaml[..] else { panic!("{yaml:#?}") };
    assert_is_valid(agent);
    let line = agent.lines().find(|line| line.trim_start().starts_with("forge: ")).unwrap();
    assert_is_valid(&agent.replace(line.trim_start(), token.trim()));
}

#[test]
fn links_within_the_page_lead_somewhere() {
    let page = text(PAGE);
    let slug = |heading: &str| heading.to_lowercase().replace(' ', "-").replace([':', ','], "");
    let headings: Vec<String> = page.lines().filter_map(|line| line.strip_prefix("## ")).map(slug).collect();
    let targets: Vec<&str> = page.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(!targets.is_empty());
    for target in targets {
        assert!(headings.iter().any(|heading| heading == target), "{target} is none of {headings:?}");
    }
}
