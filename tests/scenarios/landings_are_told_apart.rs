//! How a push looks in the history: merges, foxtrot merges, rebase-merged pull requests and pushes of many commits.

use revertd::engine::incident::Phase;

use crate::support::{Health, World, deployment, policy};

fn world(mode: &str) -> World {
    let mut world = World::new(&["checkout", "payments"], &[policy("checkout", mode, ""), policy("payments", mode, "")]);
    world.seconds(8);
    world.person(&["fetch", "--quiet", "origin"]);
    world.person(&["checkout", "--quiet", "-B", "main", "origin/main"]);
    world
}

fn commit(world: &World, message: &str) -> String {
    world.person(&["add", "--all"]);
    world.person(&["commit", "--quiet", "--message", message]);
    world.person(&["rev-parse", "HEAD"])
}

/// Checkout breaks after what was pushed.
fn breaks(world: &mut World) {
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.seconds(6);
}

fn tree(world: &World, revision: &str) -> String {
    world.remote(&["rev-parse", &format!("{revision}^{{tree}}")])
}

/// What `git revert` itself writes for a commit on the head of the person's clone.
fn message_of_git(world: &World, arguments: &[&str]) -> String {
    world.person(&["checkout", "--quiet", "--detach", "origin/main"]);
    world.person(&[&["revert", "--no-edit"], arguments].concat());
    let message = world.person(&["log", "-1", "--format=%B"]);
    world.person(&["checkout", "--quiet", "main"]);
    message
}

#[test]
fn a_merge_is_reverted_against_its_first_parent() {
    let mut world = world("merge");
    world.person(&["checkout", "--quiet", "-b", "feature"]);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0-rc1"));
    commit(&world, "checkout: a candidate");
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
    commit(&world, "checkout: 1.5.0");
    world.person(&["checkout", "--quiet", "main"]);
    world.write("apps/payments/deployment.yaml", &deployment("payments", "2.0.0"));
    commit(&world, "payments: 2.0.0");
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(5);
    let old_head = world.remote_head().unwrap();
    world.person(&["merge", "--quiet", "--no-ff", "--message", "Merge branch 'feature'", "feature"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    let merge = world.remote_head().unwrap();
    let of_git = message_of_git(&world, &["-m", "1", &merge]);
    breaks(&mut world);
    assert_eq!(world.remote(&["rev-parse", "main^"]), merge, "{:?}", world.refusals());
    assert_eq!(tree(&world, "main"), tree(&world, &old_head));
    let message = world.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(message.starts_with(&format!("{of_git}\n\n")), "git:\n{of_git}\n\nrevertd:\n{message}");
    assert!(of_git.contains(&format!("This reverts commit {merge}, reversing\nchanges made to {old_head}.")), "{of_git}");
}

/// `git revert -m 1` of the new head would delete what main had brought meanwhile.
#[test]
fn a_foxtrot_merge_is_one_change_and_only_proposed() {
    let mut world = world("merge");
    world.person(&["checkout", "--quiet", "-b", "feature"]);
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0-rc1"));
    commit(&world, "checkout: a candidate");
    world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
    commit(&world, "checkout: 1.5.0");
    world.person(&["checkout", "--quiet", "main"]);
    for name in ["one", "two", "three"] {
        world.write(&format!("apps/payments/{name}.yaml"), &format!("kind: ConfigMap\nmetadata: {{name: {name}}}\n"));
        commit(&world, &format!("payments: {name}"));
    }
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    world.seconds(8);
    let old_head = world.remote_head().unwrap();
    world.person(&["checkout", "--quiet", "feature"]);
    world.person(&["merge", "--quiet", "--no-ff", "--message", "Merge branch 'main' into feature", "main"]);
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    let foxtrot = world.remote_head().unwrap();
    assert_eq!(world.remote(&["rev-parse", "main^2"]), old_head);
    breaks(&mut world);
    assert_eq!((world.phase(), world.reverts()), (Phase::Proposed, 0), "{:?}", world.refusals());
    assert!(world.refusals().contains(&"uncertainLanding".to_owned()), "{:?}", world.refusals());
    let suspects: Vec<String> = world.incident().attribution.unwrap().suspects.iter().map(ToString::to_string).collect();
    assert_eq!(suspects, [foxtrot.as_str()], "the landing is one change");
    let branch = world.branches()[0].clone();
    assert_eq!(tree(&world, &branch), tree(&world, &old_head), "what main had brought stays");
    let paths: Vec<String> = world.proposal().plan.unwrap().paths.iter().map(|path| path.path.clone()).collect();
    assert_eq!(paths, ["apps/checkout/deployment.yaml"]);
    let message = world.remote(&["log", "-1", "--format=%B", &branch]);
    assert!(message.contains(&format!("This reverts commit {foxtrot}, reversing\nchanges made to {old_head}.")), "{message}");
    world.approve();
    world.seconds(1);
    assert_eq!(tree(&world, "main"), tree(&world, &old_head));
}

#[test]
fn a_rebase_merged_pull_request_is_undone_as_one_commit() {
    let mut world = world("merge");
    let old_head = world.remote_head().unwrap();
    let mut commits = Vec::new();
    for (message, content) in [
        ("checkout: 1.5.0", deployment("checkout", "1.5.0")),
        ("checkout: three replicas", deployment("checkout", "1.5.0").replace("replicas: 2", "replicas: 3")),
        ("checkout: 1.5.1", deployment("checkout", "1.5.1").replace("replicas: 2", "replicas: 3")),
    ] {
        world.write("apps/checkout/deployment.yaml", &content);
        commits.push(commit(&world, message));
    }
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    breaks(&mut world);
    assert_eq!((world.phase(), world.reverts()), (Phase::Proposed, 0));
    assert_eq!(world.refusals()[0], "severalSuspects");
    let branch = world.branches()[0].clone();
    assert_eq!(tree(&world, &branch), tree(&world, &old_head));
    assert_eq!(world.remote(&["rev-parse", &format!("{branch}^")]), commits[2], "one commit on the head");
    let message = world.remote(&["log", "-1", "--format=%B", &branch]);
    let reverts: Vec<&str> = message.lines().filter(|line| line.starts_with("This reverts commit ")).collect();
    let newest_first: Vec<String> = commits.iter().rev().map(|id| format!("This reverts commit {id}.")).collect();
    assert_eq!(reverts, newest_first);
}

#[test]
fn of_a_push_of_many_commits_the_one_that_touches_the_service_is_reverted() {
    let mut world = world("merge");
    let mut bad = String::new();
    for number in 0..40 {
        if number == 17 {
            world.write("apps/checkout/deployment.yaml", &deployment("checkout", "1.5.0"));
            bad = commit(&world, "checkout: 1.5.0");
        } else {
            world.write("apps/payments/deployment.yaml", &deployment("payments", &format!("2.0.{number}")));
            commit(&world, &format!("payments: 2.0.{number}"));
        }
    }
    world.person(&["push", "--quiet", "origin", "HEAD:main"]);
    let head = world.remote_head().unwrap();
    let of_git = message_of_git(&world, &[&bad]);
    breaks(&mut world);
    let attribution = world.incident().attribution.unwrap();
    assert_eq!((attribution.candidates.len(), attribution.suspects.len()), (40, 1));
    assert_eq!(world.remote(&["rev-parse", "main^"]), head, "{:?}", world.refusals());
    assert_eq!(world.remote(&["diff", "--name-only", &head, "main"]), "apps/checkout/deployment.yaml");
    assert_eq!(world.remote(&["show", "main:apps/checkout/deployment.yaml"]), deployment("checkout", "1.0.0").trim());
    assert!(world.remote(&["log", "-1", "--format=%B", "main"]).starts_with(&format!("{of_git}\n\n")));
}
