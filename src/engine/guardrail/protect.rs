//! Paths that no revert changes without a person (S6): what the repository's own automation runs, who owns what, and what the operator protects.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::plan::CleanInverse;

/// Directories whose files are run by continuous integration, or say who may approve what.
const DIRECTORIES: [&str; 10] = [
    ".github/",
    ".gitlab/",
    ".forgejo/",
    ".gitea/",
    ".circleci/",
    ".buildkite/",
    ".tekton/",
    ".woodpecker/",
    ".azure-pipelines/",
    ".teamcity/",
];

/// Files of the same kind, wherever they stand.
const FILES: [&str; 12] = [
    "codeowners",
    "jenkinsfile",
    ".gitlab-ci.yml",
    ".gitlab-ci.yaml",
    ".travis.yml",
    ".drone.yml",
    ".drone.yaml",
    ".woodpecker.yml",
    ".woodpecker.yaml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    ".gitattributes",
];

/// The paths of a plan that only a person merges.
pub(super) fn protected(inverse: &CleanInverse) -> Vec<Refusal> {
    let followed = || inverse.paths.iter().map(|path| &path.path).filter(|path| is_automation(path)).cloned().collect();
    let automation = inverse
        .paths
        .found()
        .automation
        .get_or_init(followed)
        .iter()
        .map(|path| refuse(RefusalCode::ProtectedPath, format!("It changes `{path}`, which the repository's own automation follows.")));
    let operators = inverse.protected.iter().filter(|path| !is_automation(path)).map(|path| {
        refuse(RefusalCode::ProtectedPath, format!("It changes `{path}`, which `protect` keeps from being merged without a person."))
    });
    automation.chain(operators).collect()
}

/// Whether a file is run by continuous integration, or says who may approve what. Upper and lower case are the same here: a file system may
/// not tell them apart.
fn is_automation(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    DIRECTORIES.iter().any(|directory| path.starts_with(directory) || path.contains(&format!("/{directory}")))
        || path.rsplit('/').next().is_some_and(|name| FILES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_repository_runs_is_known_by_its_place() {
        for path in [".github/workflows/deploy.yaml", "CODEOWNERS", "docs/CODEOWNERS", "apps/.circleci/config.yml", "ci/Jenkinsfile"] {
            assert!(is_automation(path), "{path}");
        }
        for path in ["apps/checkout/deployment.yaml", "apps/github/service.yaml", "x.github/a.yaml"] {
            assert!(!is_automation(path), "{path}");
        }
    }
}
