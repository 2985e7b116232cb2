//! Shallow, SHA-256 and reftable repositories: what cannot be worked with gets a sentence, and nothing is reverted.

use std::process::Command;

use revertd::git::LocalRepository;

use crate::support::{Health, World, policy};

fn world(init: &[&str]) -> World {
    let mut world = World::without_agent(&["checkout"], &[policy("checkout", "merge", "")], "", init);
    world.restart();
    world
}

/// Nothing is known of a repository that cannot be read, whatever its service does.
fn is_left_alone(mut world: World, sentence: &str) {
    world.seconds(8);
    let problems = world.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("the repository `manifests` cannot be read: ") && problems[0].contains(sentence), "{problems:?}");
    world.set_health("checkout", Health::Bad);
    world.seconds(8);
    assert!(world.branches().is_empty() && world.reverts() == 0);
}

#[test]
fn a_sha256_remote() {
    is_left_alone(world(&["--object-format=sha256"]), "the remote uses SHA-256 object ids, which revertd does not work with");
}

#[test]
fn a_shallow_remote() {
    let mut world = world(&[]);
    world.bump("checkout", "1.1.0");
    world.bump("checkout", "1.2.0");
    // What an operator has who cloned with `--depth 1` and serves that.
    let whole = world.root.join("whole.git");
    std::fs::rename(world.root.join("remote.git"), &whole).unwrap();
    let url = format!("file://{}", whole.display());
    world.person(&["clone", "--quiet", "--bare", "--depth", "1", &url, "../remote.git"]);
    is_left_alone(world, "the remote is a shallow clone, and reverts need the whole history");
}

/// How a remote keeps its references is its own matter.
#[test]
fn a_reftable_remote_is_as_good_as_any() {
    let mut world = world(&["--ref-format=reftable"]);
    world.break_checkout();
    world.seconds(6);
    assert_eq!(world.reverts(), 1, "{:?}", world.problems());
}

#[test]
fn a_mirror_that_somebody_replaced() {
    for (init, sentence) in [
        (["--object-format=sha256"], "uses SHA-256 object ids, which revertd does not work with"),
        (["--ref-format=reftable"], "keeps its references as a reftable, which revertd does not work with"),
    ] {
        let mut world = world(&[]);
        let mirror = world.root.join("state/mirrors/manifests.git");
        std::fs::remove_dir_all(&mirror).unwrap();
        world.person(&[&["init", "--quiet", "--bare"], init.as_slice(), &[mirror.to_str().unwrap()]].concat());
        let said = world.try_restart().unwrap_err();
        assert!(said.starts_with("cannot open the mirror of the repository `manifests`: ") && said.ends_with(sentence), "{said}");
    }
}

#[test]
fn a_local_clone() {
    let world = world(&[]);
    world.person(&["commit", "--quiet", "--allow-empty", "--message", "another"]);
    let person = format!("file://{}", world.root.join("person").display());
    for (name, make, sentence) in [
        (
            "shallow",
            ["clone", "--depth=1", &person].as_slice(),
            "is a shallow clone, and reverts need the whole history: run `git fetch --unshallow`",
        ),
        ("sha256", &["init", "--object-format=sha256"], "uses SHA-256 object ids, which revertd does not work with"),
        ("reftable", &["init", "--ref-format=reftable"], "keeps its references as a reftable, which revertd does not work with"),
    ] {
        let path = world.root.join(name);
        let made = Command::new("git").args(make).arg(&path).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let said = LocalRepository::open(&path).err().unwrap().to_string();
        assert!(said.ends_with(sentence), "{said}");
    }
}
