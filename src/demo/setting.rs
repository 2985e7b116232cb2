//! What the operator and the teams of the demo write: the agent file and the policies, as the YAML that anybody would write.
//!
//! Their figures are quick, so that the whole demo ends in under a minute: rounds every half second where a real policy has ten seconds. The
//! rules are the real ones. The poll is no multiple or part of a round's time: in step with the probes, a listing would fall on the end of a round
//! again and again.

use std::io;
use std::path::{Path, PathBuf};

use super::github::{FULL_NAME, TOKEN};
use super::world::World;

/// The name of the watched repository in the agent file.
pub const REPOSITORY: &str = "manifests";
/// The journal, beside the agent file.
pub const JOURNAL: &str = "journal.db";
/// The file with the agent's token, beside the agent file.
const TOKEN_FILE: &str = "github-token";
/// A probe gives up after this; shorter than a slow service takes ([`super::workload::SLOW_ANSWER`]).
const PROBE_TIMEOUT: &str = "400ms";

/// The figures in which the policies of the demo differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyFigures {
    /// The service, which is the policy's name too.
    pub service: &'static str,
    /// `merge` or `propose`.
    pub mode: &'static str,
    /// Bad rounds that breach.
    pub count: u32,
    /// Of so many.
    pub of: u32,
}

/// An agent file and its policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The agent file.
    pub agent: String,
    /// The policy files with their names.
    pub policies: Vec<(String, String)>,
}

/// The policies of the shop that `merge`, `approve` and `human` share: one service for each story.
pub const SHOP_POLICIES: [PolicyFigures; 3] = [
    PolicyFigures { service: "checkout", mode: "merge", count: 3, of: 5 },
    PolicyFigures { service: "search", mode: "propose", count: 3, of: 5 },
    // Slower to judge than the person of that story is to revert.
    PolicyFigures { service: "catalog", mode: "merge", count: 8, of: 10 },
];

/// The policies of the zone that fails as a whole.
pub const ZONE_POLICIES: [PolicyFigures; 5] = [
    PolicyFigures { service: "checkout", mode: "merge", count: 3, of: 5 },
    PolicyFigures { service: "payments", mode: "merge", count: 3, of: 5 },
    PolicyFigures { service: "search", mode: "merge", count: 3, of: 5 },
    PolicyFigures { service: "catalog", mode: "merge", count: 3, of: 5 },
    PolicyFigures { service: "notifications", mode: "merge", count: 3, of: 5 },
];

// === impl Setting ===

impl Setting {
    /// The files for a world. A policy of a service that the world does not run is left out.
    pub fn new(world: &World, policies: &[PolicyFigures]) -> Self {
        let policies = policies.iter().filter_map(|figures| {
            let service = world.service(figures.service)?;
            Some((format!("{}.yaml", figures.service), policy(figures, &service.url())))
        });
        Self { agent: agent(&world.repository().url(), world.github_url(), &world.control_url()), policies: policies.collect() }
    }

    /// Writes `agent.yaml`, the forge's token and `policies/` into a directory, which is made; gives the path of the agent file.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, directory: &Path) -> io::Result<PathBuf> {
        let policies = directory.join("policies");
        std::fs::create_dir_all(&policies)?;
        for (name, text) in &self.policies {
            std::fs::write(policies.join(name), text)?;
        }
        std::fs::write(directory.join(TOKEN_FILE), TOKEN)?;
        let agent = directory.join("agent.yaml");
        std::fs::write(&agent, &self.agent)?;
        Ok(agent)
    }
}

fn agent(repository: &str, github: &str, control: &str) -> String {
    let (owner, name) = FULL_NAME;
    format!(
        r#"apiVersion: revertd.dev/v1alpha1
kind: Agent
spec:
  journal: {{sqlite: {JOURNAL}}}
  maxMode: merge
  network: {{allow: [127.0.0.0/8]}}
  repositories:
    - name: {REPOSITORY}
      url: "{repository}"
      branch: main
      poll: 300ms
      forge: {{github: {{url: "{github}", repository: {owner}/{name}, tokenFile: {TOKEN_FILE}}}}}
      commit: {{name: revertd, email: revertd@shop.example}}
      limits: {{propose: {{count: 10, per: 24h}}, merge: {{count: 4, per: 1h}}}}
  controls:
    - {{http: {{url: "{control}", timeout: {PROBE_TIMEOUT}}}}}
  policies: [policies/]
"#
    )
}

fn policy(figures: &PolicyFigures, url: &str) -> String {
    let PolicyFigures { service, mode, count, of } = figures;
    format!(
        r#"apiVersion: revertd.dev/v1alpha1
kind: RevertPolicy
metadata: {{name: {service}, labels: {{team: shop}}}}
spec:
  repository: {REPOSITORY}
  paths: ["apps/{service}/**"]
  sync: {{lag: 1s}}
  slos:
    - name: journey
      indicator:
        http: {{url: "{url}", every: 500ms, timeout: {PROBE_TIMEOUT}, expect: {{status: [200]}}, unreachable: bad}}
      alerts: [{{failing: {{count: {count}, of: {of}}}, recover: {{good: 4}}}}]
  revert: {{mode: {mode}, settle: 1s}}
  guardrails: {{cooldown: 10m, healthyFor: 2s}}
  verify: {{recoverWithin: 20s, holdFor: 3s}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::SHOP;
    use super::super::sync_tool::Pace;
    use super::super::world::clock;
    use super::*;
    use crate::config::load_agent;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_agent_takes_what_the_demo_writes() {
        let directory = tempfile::tempdir().unwrap();
        let world = World::start(&directory.path().join("shop.git"), &SHOP, Pace::default(), clock()).await.unwrap();
        for (name, figures) in [("shop", &SHOP_POLICIES[..]), ("zone", &ZONE_POLICIES[..])] {
            let path = Setting::new(&world, figures).write(&directory.path().join(name)).unwrap();
            let loaded = load_agent(&path).unwrap();
            assert_eq!(loaded.warnings, []);
            assert_eq!(loaded.policies.len(), figures.len());
            assert_eq!(loaded.agent.repositories[0].url, world.repository().url());
            for policy in &loaded.policies {
                let matcher = policy.paths.matcher().unwrap();
                assert!(matcher.owns(&format!("apps/{}/deployment.yaml", policy.name)));
            }
        }
        world.shutdown().await;
    }
}
