//! The unit: what it starts and how it is told to read its files again, what it may do, and what systemd itself says of it.

use std::collections::BTreeMap;

use clap::Parser;
use revertd::cli::{Cli, Exit};

use super::{PROGRAM, repository, succeeded, text, where_installed};

/// A worse figure than this is a loosened unit: `systemd-analyze security` calls 2.0 the end of what is well confined.
const MOST_EXPOSED: &str = "--threshold=20";

/// Every value of each setting, in order.
fn settings() -> BTreeMap<String, Vec<String>> {
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text("deploy/systemd/revertd.service").lines().filter(|line| !line.starts_with(['#', '[']) && !line.is_empty()) {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("`{line}` is no setting"));
        settings.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    settings
}

#[track_caller]
fn one(name: &str) -> String {
    let settings = settings();
    let [value] = settings.get(name).map_or(&[][..], Vec::as_slice) else { panic!("`{name}` stands once") };
    value.clone()
}

#[test]
fn it_starts_the_agent_with_arguments_that_it_takes() {
    let command = one("ExecStart");
    let mut words = command.split(' ').collect::<Vec<_>>();
    assert_eq!(words.remove(0), "/usr/local/bin/revertd");
    Cli::try_parse_from(["revertd"].into_iter().chain(words.iter().copied())).unwrap();
    assert_eq!(words[0], "run");
    assert_eq!(one("ExecReload"), "/bin/kill -HUP $MAINPID");
    assert_eq!(one("Type"), "exec");
}

#[test]
fn what_does_not_become_right_by_trying_again_is_not_tried_again() {
    assert_eq!(one("Restart"), "on-failure");
    assert_eq!(one("RestartPreventExitStatus"), format!("{} {}", Exit::Usage as u8, Exit::InvalidConfiguration as u8));
}

#[test]
fn it_has_nothing_but_its_state_and_its_credentials() {
    for (name, value) in [
        ("DynamicUser", "yes"),
        ("StateDirectory", "revertd"),
        ("StateDirectoryMode", "0700"),
        ("UMask", "0077"),
        ("LoadCredential", "token:/etc/revertd/secrets/token"),
        ("InaccessiblePaths", "-/etc/revertd/secrets"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("RestrictNamespaces", "yes"),
        ("SystemCallArchitectures", "native"),
    ] {
        assert_eq!(one(name), value, "{name}");
    }
    assert_eq!(settings()["SystemCallFilter"], ["@system-service", "~@privileged @resources"]);
    assert!(!settings().keys().any(|name| name == "ReadWritePaths" || name == "EnvironmentFile"), "secrets and writable paths");
    assert_eq!(one("Environment"), "HOME=/var/lib/revertd");
}

#[test]
fn systemd_finds_nothing_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("revertd.service");
    // It asks whether the program is there.
    std::fs::write(&unit, text("deploy/systemd/revertd.service").replace("/usr/local/bin/revertd", PROGRAM)).unwrap();
    let unit = unit.to_str().unwrap();
    let Some(verified) = where_installed("systemd-analyze", &["verify", "--man=no", unit]) else { return };
    assert_eq!(succeeded(&verified), "", "{}", repository("deploy/systemd/revertd.service").display());
    let judged = where_installed("systemd-analyze", &["security", "--offline=true", "--no-pager", MOST_EXPOSED, unit]).unwrap();
    succeeded(&judged);
}
