//! With a signing key, what revertd pushes is verified by `git verify-commit`; a key that it cannot use is refused with a sentence.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{World, policy};

/// A key made by `ssh-keygen`; `None` where that is not installed.
fn key(directory: &Path, kind: &[&str], passphrase: &str) -> Option<PathBuf> {
    let file = directory.join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-C", "revertd", "-N", passphrase]).args(kind).arg("-f").arg(&file).output();
    let Ok(made) = made else {
        let required = std::env::var_os("REVERTD_REQUIRE_SERVERS").is_some_and(|value| value == "1");
        assert!(!required, "`ssh-keygen` is not installed, and REVERTD_REQUIRE_SERVERS=1 requires it");
        println!("skipped: `ssh-keygen` is not installed");
        return None;
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(file)
}

fn signing_with(file: &Path, mode: &str) -> World {
    let commit = format!("      commit: {{name: revertd, email: revertd@shop.example, signingKeyFile: \"{}\"}}\n", file.display());
    World::without_agent(&["checkout"], &[policy("checkout", mode, "")], &commit, &[])
}

/// What `git verify-commit` says in the remote about a revision; the exit status is in it.
fn verified(world: &World, allowed: &Path, revision: &str) -> (bool, String) {
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(world.root.join("remote.git"))
        .args(["-c", &format!("gpg.ssh.allowedSignersFile={}", allowed.display()), "verify-commit", revision])
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")])
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn a_signed_revert_is_verified(kind: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let Some(file) = key(directory.path(), kind, "") else { return };
    let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
    let allowed = directory.path().join("allowed");
    std::fs::write(&allowed, format!("revertd@shop.example namespaces=\"git\" {public}")).unwrap();
    for mode in ["merge", "propose"] {
        let mut world = signing_with(&file, mode);
        world.restart();
        world.break_checkout();
        world.seconds(6);
        let revision = if mode == "merge" { "main".to_owned() } else { world.branches()[0].clone() };
        assert!(world.remote(&["log", "-1", "--format=%s", &revision]).starts_with("Revert "), "{:?}", world.subjects());
        let (good, words) = verified(&world, &allowed, &revision);
        assert!(good && words.contains("Good \"git\" signature for revertd@shop.example"), "{words}");
        assert!(!verified(&world, &allowed, "main~1").0 || mode == "propose", "only our own commit is signed");
        world.remote(&["fsck", "--strict"]);
    }
}

#[test]
fn with_an_ed25519_key() {
    a_signed_revert_is_verified(&["-t", "ed25519"]);
}

#[test]
fn with_an_rsa_key() {
    a_signed_revert_is_verified(&["-t", "rsa", "-b", "3072"]);
}

/// The intent fixes the commit's id, so an agent that was restarted must sign to the same bytes.
#[test]
fn the_same_bytes_are_signed_the_same_way() {
    use revertd::git::Signer;
    for kind in [["-t", "ed25519"].as_slice(), &["-t", "rsa", "-b", "3072"]] {
        let directory = tempfile::tempdir().unwrap();
        let Some(file) = key(directory.path(), kind, "") else { return };
        let mut world = signing_with(&file, "propose");
        world.restart();
        world.break_checkout();
        world.seconds(6);
        let branch = world.branches()[0].clone();
        let proposal = world.proposal();
        let text = proposal.latest_commit.unwrap();
        let identity = revertd::git::Identity { name: text.name, email: text.email, seconds: text.seconds, offset: "+0000".to_owned() };
        let draft = revertd::git::CommitDraft {
            tree: text.tree,
            parents: vec![text.base],
            message: text.message,
            author: identity.clone(),
            committer: identity,
        };
        let remote = revertd::git::Remote {
            url: format!("file://{}", world.root.join("remote.git").display()),
            branch: revertd::engine::id::BranchName::new("main"),
            credentials: None,
        };
        let git = revertd::git::GitExecutable::find().unwrap();
        let mirror = revertd::git::Mirror::open(&directory.path().join("mirror.git"), remote, git).unwrap();
        let again = mirror.build(&draft, Some(&Signer::from_openssh_file(&file).unwrap())).unwrap();
        assert_eq!(again.to_string(), world.remote(&["rev-parse", &branch]));
        assert_ne!(mirror.build(&draft, None).unwrap(), again);
    }
}

fn refused(kind: &[&str], passphrase: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = key(directory.path(), kind, passphrase)?;
    let sentence = signing_with(&file, "merge").try_restart().unwrap_err();
    assert!(sentence.starts_with("cannot use the signing key of the repository `manifests`: "), "{sentence}");
    assert!(sentence.contains(&file.display().to_string()), "{sentence}");
    Some(sentence)
}

#[test]
fn an_ecdsa_key_is_refused() {
    let Some(sentence) = refused(&["-t", "ecdsa"], "") else { return };
    assert!(
        sentence.contains("ecdsa") && sentence.ends_with("only ed25519 and RSA sign the same bytes the same way each time"),
        "{sentence}"
    );
}

#[test]
fn a_key_with_a_passphrase_is_refused() {
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let Some(sentence) = refused(&["-t", kind], "a secret") else { return };
        assert!(sentence.ends_with("has a passphrase, and nobody is there to type it"), "{sentence}");
    }
}

#[test]
fn a_file_that_is_no_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    for content in ["", "ssh-ed25519 AAAA\n", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"] {
        std::fs::write(&file, content).unwrap();
        let sentence = signing_with(&file, "merge").try_restart().unwrap_err();
        assert!(sentence.contains("as an OpenSSH private key"), "{sentence}");
    }
    std::fs::remove_file(&file).unwrap();
    let sentence = signing_with(&file, "merge").try_restart().unwrap_err();
    assert!(sentence.contains("as an OpenSSH private key"), "{sentence}");
}
