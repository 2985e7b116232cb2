//! The watched branch is rewritten, or deleted: the automation of the repository stands still until a person accepts a head.

use revertd::engine::fact::Event;
use revertd::engine::id::RepositoryName;

use crate::support::{World, policy};

#[test]
fn branch_is_rewritten() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.seconds(8);
    world.bump("checkout", "1.4.0");
    world.seconds(2);
    world.remote(&["update-ref", "refs/heads/main", "main~1"]);
    world.person(&["reset", "--quiet", "--hard", "HEAD~1"]);
    world.break_checkout();
    world.seconds(8);
    assert_eq!(world.reverts(), 0);
    assert_eq!(world.refusals()[0], "repositoryStopped");
    let accept = world.remote_head().unwrap().parse().unwrap();
    world.say(Event::RepositoryResumed { repository: RepositoryName::new("manifests"), accept: Some(accept), by: "dana".into() });
    world.seconds(3);
    assert!(!world.refusals().contains(&"repositoryStopped".to_owned()), "{:?}", world.refusals());
}
