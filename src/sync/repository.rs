//! Whether two addresses name one Git repository, for applications that read several.

/// Whether two addresses name one repository. People and tools write one repository in many ways: with `https://`, `ssh://` or
/// `user@host:`, with or without user, `.git` and a slash at the end. Only host and path count, and the host's case does not.
pub(super) fn same_repository(one: &str, other: &str) -> bool {
    let one = parts(one);
    !one.1.is_empty() && one == parts(other)
}

fn parts(address: &str) -> (String, &str) {
    let address = address.trim();
    let (host, path) = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        None => address.split_once(':').unwrap_or(("", address)),
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((host, "22" | "80" | "443")) => host,
        _ => host,
    };
    let path = path.trim_matches('/');
    (host.to_ascii_lowercase(), path.strip_suffix(".git").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_is_written_in_many_ways() {
        let ways = [
            "https://github.com/acme/manifests.git",
            "https://GitHub.com/acme/manifests",
            "https://bot:secret@github.com/acme/manifests/",
            "ssh://git@github.com:22/acme/manifests.git",
            "git@github.com:acme/manifests.git",
        ];
        for way in ways {
            assert!(same_repository(ways[0], way), "{way}");
        }
        for other in [
            "https://github.com/acme/manifests2.git",
            "https://gitlab.com/acme/manifests.git",
            "https://github.com:8443/acme/manifests.git",
            "https://github.com/ACME/manifests",
            "https://github.com",
            "",
        ] {
            assert!(!same_repository(ways[0], other), "{other}");
        }
        assert!(!same_repository("", ""));
        assert!(same_repository("file:///srv/m.git", "/srv/m"));
    }
}
