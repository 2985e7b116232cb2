//! The mode is `merge` and GitHub does not let revertd push the branch: the push is refused, the proposal says why, and an approval merges it
//! by GitHub's own call (failure F4).

use std::os::unix::fs::PermissionsExt;

use revertd::engine::incident::Phase;

use crate::support::{Health, World, policy};

#[test]
fn force_merge_falls_back() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "merge", "")]);
    let hook = world.root.join("remote.git/hooks/pre-receive");
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    let script = "#!/bin/sh\nwhile read old new name; do [ $name != refs/heads/main ] || { echo 'GH013: rule violations for main' >&2; exit 1; }; done\n";
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.until(30, |world| world.github().pulls().unwrap().len() == 1 && world.proposal().sticky.is_some());
    world.seconds(10);
    assert_eq!((world.phase(), world.landings()), (Phase::Proposed, 0));
    let refusal = world.incident().decision.unwrap().refusals[0].sentence.clone();
    assert!(refusal.contains("does not let revertd push `main`") && refusal.contains("GH013"), "{refusal}");
    world.approve_on_github();
    world.until(15, |world| world.landings() == 1);
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Recovered);
    assert_eq!((world.landings(), world.written().len()), (1, 1));
}
