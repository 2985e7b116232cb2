//! The real process is killed before and after each of its effects, started again, and ends with exactly one revert.
//!
//! A wrapper named `git` stands first on the agent's PATH. It counts one verb in a file and kills its parent, which is the agent, at
//! the chosen call.

use std::os::unix::fs::PermissionsExt;

use crate::binary::{Running, Setting, World};
use crate::support::find_program;

/// When the agent dies.
#[derive(Clone, Copy)]
enum Moment {
    Before,
    After,
}

/// A world whose agent dies at the `nth` call of a verb, once.
async fn doomed(mode: &'static str, verb: &str, nth: u32, moment: Moment) -> World {
    let mut world = World::new().await;
    world.configure(&Setting::of(mode));
    let count = world.file("count");
    std::fs::write(&count, "0").unwrap();
    let git = find_program("git").unwrap();
    let (before, after) = match moment {
        Moment::Before => ("kill -KILL $PPID; exit 1", ""),
        Moment::After => ("", "kill -KILL $PPID; exit 1"),
    };
    // The verb is the first word that is neither an option nor the value of one.
    let script = format!(
        r#"verb= skip=
for word in "$@"; do
  if [ -n "$skip" ]; then skip=; continue; fi
  case "$word" in --git-dir|-c|-C) skip=1;; -*) ;; *) verb=$word; break;; esac
done
[ "$verb" = "{verb}" ] || exec "{git}" "$@"
count=$(($(cat "{count}") + 1))
echo $count > "{count}"
[ $count -eq {nth} ] || exec "{git}" "$@"
{before}
"{git}" "$@"
{after}"#,
        git = git.display(),
        count = count.display(),
    );
    wrap_git(&mut world, &script);
    world
}

/// Puts a wrapper first on the agent's PATH that runs `script` and then the real git. `{folder}` is the world's folder.
pub fn wrap_git(world: &mut World, script: &str) {
    let folder = world.file("wrapper");
    std::fs::create_dir(&folder).unwrap();
    let script = script.replace("{folder}", &world.file("").display().to_string());
    let wrapper = folder.join("git");
    std::fs::write(&wrapper, format!("#!/bin/sh\n{script}\nexec \"{}\" \"$@\"\n", find_program("git").unwrap().display())).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.prefer(folder);
}

/// Waits for the death, and starts the agent again.
async fn start_again(world: &World, running: Running) -> Running {
    let dead = std::sync::Mutex::new(running);
    world.until("the agent is killed", || dead.lock().unwrap().has_ended()).await;
    assert!(world.reverts() <= 1);
    world.start()
}

/// Breach, death at the push of the merge, recovery.
async fn merge_story(moment: Moment) {
    let world = doomed("merge", "push", 1, moment).await;
    let running = world.start();
    world.break_service().await;
    let mut running = start_again(&world, running).await;
    world.assert_recovered().await;
    assert!(!running.has_ended());
}

/// Breach, proposal, approval, merge, the branch deleted; death at the `nth` of these pushes.
async fn propose_story(nth: u32, moment: Moment) {
    let world = doomed("propose", "push", nth, moment).await;
    let mut running = world.start();
    world.break_service().await;
    if nth == 1 {
        running = start_again(&world, running).await;
    }
    world.approve().await;
    if nth > 1 {
        running = start_again(&world, running).await;
    }
    world.assert_recovered().await;
    world.until("the proposal's branch is deleted", || world.proposals().is_empty()).await;
    assert!(!running.has_ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_merge_is_pushed() {
    merge_story(Moment::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_merge_was_pushed() {
    merge_story(Moment::After).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_proposal_is_pushed() {
    propose_story(1, Moment::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_proposal_was_pushed() {
    propose_story(1, Moment::After).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_approved_merge_is_pushed() {
    propose_story(2, Moment::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_approved_merge_was_pushed() {
    propose_story(2, Moment::After).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_branch_is_deleted() {
    propose_story(3, Moment::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_branch_was_deleted() {
    propose_story(3, Moment::After).await;
}

/// The first fetch is the one of the start. One at a later landing loses the baseline: nobody knows then when the change landed.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_the_first_fetch() {
    for moment in [Moment::Before, Moment::After] {
        let world = doomed("merge", "fetch", 1, moment).await;
        let _running = start_again(&world, world.start()).await;
        world.break_service().await;
        world.assert_recovered().await;
    }
}
