//! Somebody has a revert of their own open: it gets one supporting comment, and revertd opens none beside it; if theirs is closed without
//! landing, that is a veto (promise P8).

use revertd::demo::forge::{FaultKind, MergeMethod};
use revertd::engine::incident::Phase;

use crate::support::{Health, World, deployment, policy};

/// Checkout has broken, and `login` has opened this before revertd decides. Gives the number of theirs.
fn opened_by(world: &mut World, login: &str, title: &str, body: &str) -> u64 {
    world.seconds(8);
    let bump = world.bump("checkout", "1.5.0");
    world.person(&["checkout", "--quiet", "-B", "undo"]);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.0.0"));
    world.person(&["commit", "--quiet", "--all", "--message", "Back to 1.0.0"]);
    world.person(&["push", "--quiet", "--force", "origin", "HEAD:undo"]);
    world.person(&["checkout", "--quiet", "-B", "main", "origin/main"]);
    let number = world.github().open(login, "undo", "main", title, &body.replace("{bump}", &bump)).unwrap();
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    number
}

fn supporting(world: &World, number: u64) -> Vec<String> {
    let ours = world.github().comments(number).into_iter().filter(|comment| comment.author == "revertd");
    ours.map(|comment| comment.body).collect()
}

fn world() -> World {
    World::on_github(&["checkout"], &[policy("checkout", "merge", "")])
}

#[test]
fn theirs_is_supported_once_and_lands() {
    let mut world = world();
    let theirs = opened_by(&mut world, "dana", "Revert \"checkout: 1.5.0\"", "");
    world.seconds(15);
    world.restart();
    world.seconds(10);
    let said = supporting(&world, theirs);
    assert_eq!((said.len(), world.github().pulls().unwrap().len(), world.reverts()), (1, 1, 0), "{said:#?}");
    assert!(
        said[0].contains("comes to the same revert") && said[0].contains("failed 5 of the last 5") || said[0].contains("failed 3"),
        "{said:#?}"
    );
    world.github().merge("dana", theirs, MergeMethod::Merge).unwrap();
    world.seconds(2);
    world.set_health("checkout", Health::Good);
    world.until(20, |world| world.phase() == Phase::Superseded);
    assert_eq!((supporting(&world, theirs).len(), world.github().pulls().unwrap().len(), world.reverts()), (1, 1, 0));
}

#[test]
fn theirs_is_closed_without_landing() {
    let mut world = world();
    let theirs = opened_by(&mut world, "dana", "Back", "This reverts commit {bump}.");
    world.seconds(8);
    world.github().close("dana", theirs).unwrap();
    world.until(10, |world| world.phase() == Phase::Refused);
    world.restart();
    world.seconds(8);
    assert_eq!((world.github().pulls().unwrap().len(), world.reverts()), (1, 0), "an abandoned revert is a veto");
}

#[test]
fn the_answer_to_the_comment_is_lost() {
    for kind in [FaultKind::After(502), FaultKind::Before(502)] {
        let mut world = world();
        world.fault("POST", "/issues/*/comments", 1, kind);
        let theirs = opened_by(&mut world, "dana", "Revert \"checkout: 1.5.0\"", "");
        world.seconds(8);
        world.restart();
        world.seconds(60);
        assert_eq!((supporting(&world, theirs).len(), world.github().pulls().unwrap().len()), (1, 1), "{kind:?}");
    }
}

/// Words alone keep revertd from nothing: whoever may not write is no reason to wait.
#[test]
fn a_strangers_revert_changes_nothing() {
    let mut world = world();
    let theirs = opened_by(&mut world, "mallory", "Revert \"checkout: 1.5.0\"", "This reverts commit {bump}.");
    world.until(15, |world| world.reverts() == 1);
    assert_eq!(supporting(&world, theirs).len(), 0);
}

/// A change of the same files is perhaps a fix: it is named, and merging waits for ten minutes, approved or not.
#[test]
fn a_fix_of_the_same_files_makes_the_merge_wait() {
    let mut world = World::on_github(&["checkout"], &[policy("checkout", "propose", "")]);
    let theirs = opened_by(&mut world, "dana", "checkout: 1.5.1", "Should do it.");
    world.until(15, |world| world.github().pulls().unwrap().len() == 2);
    world.seconds(2);
    let ours = world.github().pulls().unwrap()[1].number;
    let sticky = |world: &World| world.github().comments(ours).into_iter().find(|comment| comment.author == "revertd").unwrap().body;
    assert!(sticky(&world).contains(&format!("dana has a change of the same files open in \\#\u{200b}{theirs}")), "{}", sticky(&world));
    let command = sticky(&world).lines().find(|line| line.starts_with("/revertd approve ")).unwrap().to_owned();
    world.github().comment("robin", ours, &command).unwrap();
    world.seconds(30);
    assert_eq!(world.landings(), 0);
    world.until(620, |world| world.landings() == 1);
    assert_eq!(supporting(&world, theirs).len(), 0);
}

/// It was closed again: there is nothing to wait for.
#[test]
fn a_fix_that_is_given_up_is_not_waited_for() {
    let mut world = world();
    let theirs = opened_by(&mut world, "dana", "checkout: 1.5.1", "Should do it.");
    world.seconds(10);
    assert_eq!(world.reverts(), 0, "it is proposed, and not merged");
    world.github().close("dana", theirs).unwrap();
    world.until(10, |world| world.landings() == 1);
}
