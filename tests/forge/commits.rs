//! Commits that the forge makes, whose accounts stand behind one, and pushes that Git makes with the forge's token.

use revertd::demo::forge::{FaultKind, Rule, Ruleset};
use revertd::engine::change::Entry;
use revertd::engine::id::{CommitId, EntryId, ProposalKey};
use revertd::engine::plan::PlannedPath;
use revertd::forge::{CommitOutcome, FileChange, Forge, ForgeCommit, ForgeError, MadeCommit, NewCommit, Signature, UserId};
use revertd::git::{Credentials, GitExecutable, Mirror, PushOutcome, Remote};

use crate::world::{BRANCH, World, main_branch, proposal};

const DEPLOY: &str = "apps/checkout/deploy.yaml";

fn entry(mode: u32) -> Option<Entry> {
    Some(Entry { mode, id: EntryId([1; 20]) })
}

fn change(path: &str, from: Option<Entry>, content: Option<&str>) -> FileChange {
    let to = content.and_then(|_| entry(0o100_644));
    FileChange { path: PlannedPath { path: path.to_owned(), from, to }, content: content.map(|text| text.as_bytes().to_vec()) }
}

fn new(parent: CommitId, changes: Vec<FileChange>) -> NewCommit {
    NewCommit {
        proposal: ProposalKey::new(BRANCH.trim_start_matches("revertd/")),
        parent,
        headline: "Revert \"checkout: 1.4.2\"".to_owned(),
        body: "This reverts …\n\nRevertd-Plan: 0123".to_owned(),
        changes,
    }
}

/// The branch of the proposal is there, and has nothing of its own yet.
fn world() -> World {
    let world = World::new();
    world.repository.move_branch(BRANCH, Some(world.head), world.base).unwrap();
    world
}

fn made(outcome: CommitOutcome) -> MadeCommit {
    match outcome {
        CommitOutcome::Made(made) => made,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_commit_is_made_on_the_proposals_branch_and_verified() {
    let world = world();
    let bytes = "image: checkout:1.4.1 # ä\n";
    let changes = vec![change(DEPLOY, entry(0o100_644), Some(bytes)), change("apps/checkout/new file.yaml", None, Some(""))];
    let commit = made(world.forge.create_commit(world.act(), &new(world.base, changes)).unwrap());
    assert_eq!(commit.signature, Signature::Verified);
    assert_eq!(world.repository.head(BRANCH).unwrap(), Some(commit.id));
    assert_eq!(world.repository.text(&["rev-parse", &format!("{}^{{tree}}", commit.id)]).unwrap().trim(), commit.tree.to_string());
    assert_eq!(world.repository.log(BRANCH, 1).unwrap()[0].parents, [world.base]);
    assert_eq!(world.repository.show_file(BRANCH, DEPLOY).unwrap().unwrap(), bytes.as_bytes());
    let message = world.repository.message(commit.id).unwrap();
    assert_eq!(message.trim_end(), "Revert \"checkout: 1.4.2\"\n\nThis reverts …\n\nRevertd-Plan: 0123");
    let removal = vec![change("apps/checkout/new file.yaml", entry(0o100_644), None)];
    let removed = made(world.forge.create_commit(world.act(), &new(commit.id, removal)).unwrap());
    assert_eq!(world.repository.files(BRANCH, "").unwrap().len(), 1);
    assert_eq!(world.repository.head(BRANCH).unwrap(), Some(removed.id));
    assert_eq!(world.repository.head("main").unwrap(), Some(world.base));
}

#[test]
fn a_signed_commit_may_land_where_signatures_are_asked_for() {
    let world = world();
    world.state().add_ruleset(Ruleset {
        name: "signed".to_owned(),
        branches: vec!["~ALL".to_owned()],
        rules: vec![Rule::RequiredSignatures],
        bypass: Vec::new(),
    });
    let changes = vec![change(DEPLOY, entry(0o100_644), Some("image: checkout:1.4.1\n"))];
    made(world.forge.create_commit(world.act(), &new(world.base, changes)).unwrap());
}

#[test]
fn a_branch_that_moved_gets_no_commit() {
    let world = World::new();
    let changes = vec![change(DEPLOY, entry(0o100_644), Some("image: checkout:1.4.0\n"))];
    assert_eq!(world.forge.create_commit(world.act(), &new(world.base, changes.clone())).unwrap(), CommitOutcome::HeadModified);
    assert_eq!(world.repository.head(BRANCH).unwrap(), Some(world.head));
    let elsewhere = NewCommit { proposal: ProposalKey::new("ffffffffffff"), ..new(world.base, changes) };
    assert!(matches!(world.forge.create_commit(world.act(), &elsewhere), Err(ForgeError::NotFound { .. })));
}

#[test]
fn a_lost_answer_does_not_make_two_commits() {
    for kind in [FaultKind::After(502), FaultKind::HangAfter] {
        let world = world();
        let forge = world.impatient();
        let changes = vec![change(DEPLOY, entry(0o100_644), Some("image: checkout:1.4.1\n"))];
        world.fault("POST", "/graphql", kind);
        assert!(forge.create_commit(world.act(), &new(world.base, changes.clone())).unwrap_err().may_have_acted());
        assert_eq!(forge.create_commit(world.act(), &new(world.base, changes)).unwrap(), CommitOutcome::HeadModified);
        let line = world.repository.log(BRANCH, 2).unwrap();
        assert_eq!((line[0].parents.as_slice(), line[1].id), ([world.base].as_slice(), world.base));
    }
}

#[test]
fn a_plan_with_modes_or_links_is_not_carried_out() {
    let world = world();
    let executable = FileChange {
        path: PlannedPath { path: "run.sh".to_owned(), from: entry(0o100_644), to: entry(0o100_755) },
        content: Some(Vec::new()),
    };
    for unsuitable in [executable, change("link", entry(0o120_000), Some("x")), change("module", entry(0o160_000), None)] {
        let good = change(DEPLOY, entry(0o100_644), Some("image: checkout:1.4.1\n"));
        let path = unsuitable.path.path.clone();
        match world.forge.create_commit(world.act(), &new(world.base, vec![good, unsuitable])).unwrap() {
            CommitOutcome::Unsuitable { sentence } => assert!(sentence.contains(&path), "{sentence}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(world.lines().is_empty());
}

#[test]
fn the_forge_refuses_what_is_not_there_to_remove() {
    let world = world();
    let outcome = world.forge.create_commit(world.act(), &new(world.base, vec![change("nowhere", entry(0o100_644), None)])).unwrap();
    assert!(matches!(outcome, CommitOutcome::Refused { .. }), "{outcome:?}");
    assert_eq!(world.repository.head(BRANCH).unwrap(), Some(world.base));
}

#[test]
fn accounts_behind_a_commit_are_told_by_id() {
    let world = World::new();
    let nobody = ForgeCommit { author: None, committer: None, signature: Signature::Unverified };
    assert_eq!(world.forge.commit(world.act(), world.base).unwrap(), nobody);
    world.state().set_email("robin", "robin@acme.example");
    let robin = UserId(world.state().account_id("robin").unwrap());
    let accounts = world.forge.commit(world.act(), world.base).unwrap();
    assert_eq!(accounts.author.map(|user| (user.login, user.id)), Some(("robin".to_owned(), robin)));
    assert_eq!(accounts.committer.map(|user| user.id), Some(robin));
    // What GitHub makes is the author's by the private address that GitHub gives out, and verified.
    let number = world.opened().number;
    let landed = world.state().merge("kim", number.0, revertd::demo::forge::MergeMethod::Squash).unwrap();
    let read = world.forge.commit(world.act(), landed).unwrap();
    assert_eq!((read.author.unwrap().login.as_str(), read.committer.unwrap().login.as_str()), ("revertd-bot", "web-flow"));
    assert_eq!(read.signature, Signature::Verified);
    assert!(matches!(world.forge.commit(world.act(), CommitId([9; 20])), Err(ForgeError::Invalid { .. } | ForgeError::NotFound { .. })));
    world.fault("GET", "/repos/*/*/commits/*", FaultKind::Before(500));
    world.commit("main", "another", "image: checkout:1.4.5\n");
    assert!(world.forge.commit(world.act(), world.head).is_err());
}

#[test]
fn what_git_pushes_with_the_token_is_what_the_forge_sees() {
    let world = World::app();
    world.repository.delete_branch(BRANCH, world.head).unwrap();
    let credentials = world.forge.git_credentials(world.now()).unwrap();
    let password_file = world.path("token");
    std::fs::write(&password_file, credentials.password.expose()).unwrap();
    let remote = Remote {
        url: world.repository.url(),
        branch: main_branch(),
        credentials: Some(Credentials::Password { username: credentials.username, password_file }),
    };
    let mirror = Mirror::open(&world.path("mirror.git"), remote, GitExecutable::find().unwrap()).unwrap();
    mirror.fetch(&mirror.list().unwrap()).unwrap();
    // The commit of the proposal is still in the repository, and becomes the mirror's by its id.
    let key = ProposalKey::new(BRANCH.trim_start_matches("revertd/"));
    world.repository.create_branch("main-next", world.head).unwrap();
    let listing = mirror.list().unwrap();
    assert!(listing.proposals.is_empty());
    let pushed = mirror.push_proposal(&key, Some(world.base), None).unwrap();
    assert_eq!(pushed, PushOutcome::Pushed);
    assert!(matches!(world.forge.open(world.act(), &proposal()), Err(ForgeError::Invalid { .. })), "no commits between");
    world.repository.move_branch(BRANCH, Some(world.base), world.head).unwrap();
    assert_eq!(world.opened().head, world.head);
    assert_eq!(mirror.push_proposal(&key, None, Some(world.head)).unwrap(), PushOutcome::Pushed);
    let closed = world.forge.get(world.act(), world.number()).unwrap();
    assert_eq!((closed.state, closed.closed_by), (revertd::forge::ProposalState::Closed, None));
}
