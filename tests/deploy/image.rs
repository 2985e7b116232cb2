//! The image: what it is built from, what it holds, as whom it runs, and whether its health check tells health.

use std::collections::BTreeSet;
use std::process::Command;

use super::{NOW, Served, repository, text};

/// The Dockerfile as its instructions, continued lines joined, without comments.
fn instructions() -> Vec<(String, String)> {
    let lines: Vec<String> = text("deploy/Dockerfile").lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let whole = joined.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|line| !line.is_empty());
    whole.map(|line| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.to_owned())).unwrap()).collect()
}

fn all(name: &str) -> Vec<String> {
    instructions().into_iter().filter(|(instruction, _)| instruction == name).map(|(_, rest)| rest).collect()
}

/// What stands for `name=` or behind the option `--name` in some text.
fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    let (_, rest) = text.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {text}"));
    rest.split_whitespace().next().unwrap()
}

/// The port that the image's health check asks and that it exposes.
pub fn port() -> u16 {
    let exposed: u16 = all("EXPOSE")[0].parse().unwrap();
    assert!(all("HEALTHCHECK")[0].contains(&format!("/dev/tcp/127.0.0.1/{exposed} ")), "the health check asks another port");
    exposed
}

/// The user and group that the image runs as.
pub fn user() -> (u64, u64) {
    let users = all("USER");
    let (user, group) = users.last().unwrap().split_once(':').unwrap();
    (user.parse().unwrap(), group.parse().unwrap())
}

/// The folder that outlives the container.
pub fn volume() -> String {
    all("VOLUME")[0].clone()
}

#[test]
fn the_stages_are_the_oldest_rust_that_builds_and_debian_13() {
    let version =
        text("Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = ").map(|text| text.trim_matches('"').to_owned()));
    assert_eq!(all("FROM"), [format!("rust:{}-trixie AS build", version.unwrap()), "debian:trixie-slim".to_owned()]);
    let run = all("RUN");
    assert_eq!(run[0], "cargo build --locked --release");
    let last = instructions().iter().rposition(|(name, _)| name == "FROM").unwrap();
    let copied: Vec<(String, String)> = instructions()[last..].iter().filter(|(name, _)| name == "COPY").cloned().collect();
    assert_eq!(copied[0].1, "--from=build /build/target/release/revertd /usr/local/bin/revertd");
}

#[test]
fn nothing_is_installed_beside_git_ssh_and_certificates() {
    let run = all("RUN")[1].clone();
    let (_, rest) = run.split_once("install --yes --no-install-recommends ").unwrap();
    let (packages, _) = rest.split_once(" && ").unwrap();
    assert_eq!(packages.split(' ').collect::<Vec<_>>(), ["ca-certificates", "git", "openssh-client"]);
    assert_eq!(run.matches("apt-get install").count(), 1);
}

#[test]
fn it_runs_as_a_user_of_its_own_that_owns_its_volume() {
    let (user, group) = user();
    assert!(user >= 1000 && group >= 1000, "{user}:{group}");
    let run = all("RUN")[1].clone();
    assert_eq!((after(&run, "useradd --uid "), after(&run, "groupadd --gid ")), (user.to_string().as_str(), group.to_string().as_str()));
    assert!(run.contains(&format!("install -d -o {user} -g {group} -m 0700 {}", volume())), "{run}");
    assert_eq!(after(&run, "--home-dir "), volume());
    assert_eq!(after(&all("ENV")[0], "HOME="), volume());
    let position = |name: &str| instructions().iter().position(|(instruction, _)| instruction == name).unwrap();
    assert!(position("USER") < position("ENTRYPOINT"));
    assert_eq!((all("ENTRYPOINT"), all("CMD")), (vec![r#"["revertd"]"#.to_owned()], vec![r#"["run"]"#.to_owned()]));
}

#[test]
fn what_it_copies_is_in_the_context_and_what_the_source_includes_is_copied() {
    let ignore = text(".dockerignore");
    let mut lines = ignore.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    assert_eq!(lines.next(), Some("*"), "everything is left out first");
    let context: BTreeSet<&str> = lines.map(|line| line.strip_prefix('!').unwrap()).collect();
    let mut copied = BTreeSet::new();
    for copy in all("COPY").iter().filter(|copy| !copy.starts_with("--from")) {
        let mut words: Vec<&str> = copy.split(' ').collect();
        words.pop();
        copied.extend(words.into_iter().map(str::to_owned));
    }
    assert_eq!(copied, context.iter().map(|name| (*name).to_owned()).collect());
    for name in &copied {
        assert!(repository(name).exists(), "{name}");
    }
    for file in sources(&repository("src")) {
        let source = std::fs::read_to_string(&file).unwrap();
        for included in source.split("include_str!(\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let found = file.parent().unwrap().join(included).canonicalize().unwrap();
            let root = repository(".").canonicalize().unwrap();
            let top = found.strip_prefix(&root).unwrap().components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
            assert!(copied.contains(&top), "{} includes {included}, and the image is built without {top}", file.display());
        }
    }
}

fn sources(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(sources(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    found
}

#[test]
fn the_health_check_tells_a_living_agent_from_one_that_is_not() {
    let check = all("HEALTHCHECK")[0].clone();
    let (_, arguments) = check.split_once(" CMD ").unwrap();
    let arguments: Vec<String> = serde_json::from_str(arguments).unwrap();
    let healthy = |port: u16| {
        let arguments: Vec<String> =
            arguments.iter().map(|text| text.replace(&format!("/{}", self::port()), &format!("/{port}"))).collect();
        Command::new(&arguments[0]).args(&arguments[1..]).output().unwrap().status.success()
    };
    let served = Served::start();
    assert!(!healthy(served.address.port()), "no pass has ended");
    served.status.pass_ended(NOW);
    assert!(healthy(served.address.port()));
    let port = served.address.port();
    drop(served);
    assert!(!healthy(port), "nobody listens");
}
