//! Where a reference leads: paths as they are written in manifests, made absolute within the repository.

use super::Why;

/// A reference that some file makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// How.
    pub link: super::Link,
    /// As written.
    pub written: String,
    /// Where it leads.
    pub to: To,
}

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// A file, or a directory with a kustomization.
    Path(String),
    /// The directory of a chart.
    Chart(String),
    /// A directory that a sync tool deploys, with a kustomization, a chart or plain manifests.
    Deployed {
        /// The directory.
        path: String,
        /// How much of it, where it holds plain manifests.
        depth: Depth,
    },
    /// It cannot be followed.
    Nowhere(Why),
}

/// How much of a directory of plain manifests is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The files in it.
    Direct,
    /// Everything beneath it.
    Whole,
}

/// The directory of a path; empty for a file at the root.
pub fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Joins a written path to a directory of the repository; `/` begins at its root.
///
/// # Errors
/// Why it leads to no path of this repository.
pub fn resolve(from: &str, written: &str) -> Result<String, Why> {
    if written.contains("{{") || written.contains("${") {
        return Err(Why::Template);
    }
    if is_elsewhere(written) {
        return Err(Why::Elsewhere);
    }
    let from = if written.starts_with('/') { "" } else { from };
    let mut parts: Vec<&str> = Vec::new();
    for part in from.split('/').chain(written.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(Why::Outside)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Whether it names another repository, as kustomize and Helm read it.
pub fn is_elsewhere(written: &str) -> bool {
    const HOSTS: [&str; 4] = ["github.com/", "gitlab.com/", "bitbucket.org/", "dev.azure.com/"];
    written.contains("://")
        || written.starts_with("git@")
        || written.starts_with("git::")
        || written.contains("?ref=")
        || written.contains("?version=")
        || HOSTS.iter().any(|host| written.starts_with(host))
}

/// A reference to a path relative to a directory.
pub fn reference(link: super::Link, from: &str, written: &str, to: impl FnOnce(String) -> To) -> Reference {
    let to = match resolve(from, written) {
        Ok(path) => to(path),
        Err(why) => To::Nowhere(why),
    };
    Reference { link, written: written.to_owned(), to }
}
