//! One pull request, always: whatever happens to the request that opens it, and whatever the lists show.

use revertd::demo::forge::{FaultKind, MergeMethod};
use revertd::engine::id::BranchName;
use revertd::forge::{Forge, ForgeError, Listing, Mergeable, NewProposal, OpenedBy, ProposalNumber, ProposalState, UserId};

use crate::world::{World, branch, main_branch, proposal};

const PULLS: &str = "/repos/*/*/pulls";

#[test]
fn a_proposal_is_opened_and_found_again() {
    let world = World::new();
    assert_eq!(world.forge.find(world.act(), &branch()).unwrap(), []);
    let opened = world.forge.open(world.act(), &proposal()).unwrap();
    assert_eq!(opened.how, OpenedBy::ThisCall);
    let found = world.forge.find(world.act(), &branch()).unwrap();
    assert_eq!(found.len(), 1);
    let read = world.forge.get(world.act(), opened.proposal.number).unwrap();
    assert_eq!((found[0].number, read.number), (opened.proposal.number, opened.proposal.number));
    assert_eq!(
        (read.state, read.head, read.head_branch.clone(), read.base.clone()),
        (ProposalState::Open, world.head, branch(), main_branch())
    );
    assert_eq!((read.title.as_str(), read.body.as_str()), ("Revert \"checkout: 1.4.2\"", "Because."));
    assert_eq!(read.author.unwrap().id, UserId(world.state().account_id("revertd-bot").unwrap()));
    assert_eq!(read.url, world.state().page(read.number.0));
    // GitHub begins to compute it when it is asked for the first time.
    assert_eq!(read.mergeable, None);
    assert_eq!(world.forge.get(world.act(), read.number).unwrap().mergeable, Some(Mergeable::Clean));
    world.commit("main", "checkout: 1.4.3", "image: checkout:1.4.3\n");
    world.forge.get(world.act(), read.number).unwrap();
    assert_eq!(world.forge.get(world.act(), read.number).unwrap().mergeable, Some(Mergeable::Conflicting));
}

#[test]
fn a_second_one_is_the_first_one() {
    let world = World::new();
    let first = world.opened();
    let again = world.forge.open(world.act(), &NewProposal { title: "Another title".to_owned(), ..proposal() }).unwrap();
    assert_eq!((again.how, again.proposal.number, again.proposal.title), (OpenedBy::Found, first.number, first.title));
    assert_eq!(world.state().pulls().unwrap().len(), 1);
}

#[test]
fn whatever_becomes_of_the_request_there_is_one() {
    let kinds = [FaultKind::Before(502), FaultKind::After(502), FaultKind::After(500), FaultKind::HangBefore, FaultKind::HangAfter];
    for kind in kinds {
        let world = World::new();
        let forge = world.impatient();
        world.fault("POST", PULLS, kind);
        let first = forge.open(world.act(), &proposal());
        assert_eq!(world.count("POST", "/pulls"), 1, "{kind:?}: a POST is never sent twice");
        match kind {
            FaultKind::After(_) | FaultKind::HangAfter => assert_eq!(first.unwrap().how, OpenedBy::Found, "{kind:?}"),
            _ => {
                assert!(first.unwrap_err().may_have_acted(), "{kind:?}");
                assert_eq!(forge.open(world.act(), &proposal()).unwrap().how, OpenedBy::ThisCall);
            }
        }
        assert_eq!(forge.open(world.act(), &proposal()).unwrap().how, OpenedBy::Found);
        assert_eq!(world.state().pulls().unwrap().len(), 1, "{kind:?}");
    }
}

#[test]
fn a_stale_list_does_not_make_two() {
    let world = World::new();
    // The answer is lost, and for a while no list shows what there is.
    world.state().freeze_lists(4);
    world.fault("POST", PULLS, FaultKind::After(502));
    assert!(world.forge.open(world.act(), &proposal()).unwrap_err().may_have_acted());
    assert!(matches!(world.forge.open(world.act(), &proposal()), Err(ForgeError::Invalid { .. })), "it exists, and no list shows it");
    assert_eq!(world.forge.open(world.act(), &proposal()).unwrap().how, OpenedBy::Found);
    assert_eq!(world.state().pulls().unwrap().len(), 1);
    // The filtered list is late, and the list of the open ones is not.
    let late = World::new();
    late.state().freeze_lists(1);
    late.state().open("revertd-bot", branch().as_str(), "main", "x", "").unwrap();
    assert_eq!(late.forge.find(late.act(), &branch()).unwrap().len(), 1);
}

#[test]
fn what_cannot_be_proposed_is_not() {
    let world = World::new();
    let to = |head: &str, base: &str| NewProposal { head: BranchName::new(head), base: BranchName::new(base), ..proposal() };
    for new in [to("main", "main"), to("revertd/nothing", "main"), to(branch().as_str(), "release")] {
        world.state().clear_requests();
        assert!(matches!(world.forge.open(world.act(), &new), Err(ForgeError::Invalid { .. })), "{new:?}");
        assert_eq!(world.count("GET", "/pulls"), 0, "a plain refusal needs no look");
    }
    assert!(matches!(world.forge.get(world.act(), ProposalNumber(99)), Err(ForgeError::NotFound { .. })));
    assert!(world.state().pulls().unwrap().is_empty());
}

#[test]
fn title_and_text_are_edited() {
    let world = World::new();
    let number = world.opened().number;
    world.forge.edit(world.act(), number, "Revert \"x\"", "Another text.").unwrap();
    let read = world.forge.get(world.act(), number).unwrap();
    assert_eq!((read.title.as_str(), read.body.as_str()), ("Revert \"x\"", "Another text."));
    assert!(matches!(world.forge.edit(world.act(), number, "", ""), Err(ForgeError::Invalid { .. })));
}

#[test]
fn who_closed_it_is_told() {
    let closed_by = |world: &World| {
        let read = world.forge.get(world.act(), world.number()).unwrap();
        (read.state, read.closed_by.map(|user| user.login))
    };
    let own = World::new();
    let number = own.opened().number;
    own.forge.close(own.act(), number).unwrap();
    assert_eq!(closed_by(&own), (ProposalState::Closed, Some("revertd-bot".to_owned())));
    let person = World::new();
    let number = person.opened().number;
    person.state().close("kim", number.0).unwrap();
    assert_eq!(closed_by(&person), (ProposalState::Closed, Some("kim".to_owned())));
    let merged = World::new();
    let number = merged.opened().number;
    let commit = merged.state().merge("robin", number.0, MergeMethod::Squash).unwrap();
    assert_eq!(closed_by(&merged), (ProposalState::Merged { commit }, Some("robin".to_owned())));
    // A deleted branch closes it, and a push of its head lands it: nobody is named.
    let deleted = World::new();
    deleted.opened();
    deleted.repository.delete_branch(branch().as_str(), deleted.head).unwrap();
    assert_eq!(closed_by(&deleted), (ProposalState::Closed, None));
    let pushed = World::new();
    pushed.opened();
    pushed.repository.move_branch("main", Some(pushed.base), pushed.head).unwrap();
    assert_eq!(closed_by(&pushed), (ProposalState::Merged { commit: pushed.head }, None));
}

#[test]
fn its_head_follows_the_branch() {
    let world = World::new();
    let number = world.opened().number;
    let moved = world.commit(branch().as_str(), "somebody else's", "image: checkout:1.4.0\n");
    assert_eq!(world.forge.get(world.act(), number).unwrap().head, moved);
}

#[test]
fn labels_and_reviewers_are_added() {
    let world = World::new();
    let number = world.opened().number;
    world.state().label(number.0, "by hand").unwrap();
    let labels = ["revertd".to_owned(), "service: checkout".to_owned()];
    for _ in 0..2 {
        world.forge.add_labels(world.act(), number, &labels).unwrap();
    }
    assert_eq!(world.forge.get(world.act(), number).unwrap().labels, ["by hand", "revertd", "service: checkout"]);
    world.state().set_team_member("acme", "on-call", "kim", Some(revertd::demo::forge::Membership::Active));
    world.forge.request_reviewers(world.act(), number, &["robin".to_owned()], &["on-call".to_owned()]).unwrap();
    let pull = world.state().pulls().unwrap().remove(0);
    assert_eq!((pull.reviewers, pull.teams), (vec!["robin".to_owned()], vec!["on-call".to_owned()]));
    let stranger = world.forge.request_reviewers(world.act(), number, &["nobody".to_owned()], &[]);
    assert!(matches!(stranger, Err(ForgeError::Invalid { .. })));
    world.state().clear_requests();
    world.forge.request_reviewers(world.act(), number, &[], &[]).unwrap();
    world.forge.add_labels(world.act(), number, &[]).unwrap();
    assert!(world.lines().is_empty());
}

#[test]
fn a_withdrawn_one_is_opened_again() {
    let world = World::new();
    let number = world.opened().number;
    world.forge.close(world.act(), number).unwrap();
    world.forge.reopen(world.act(), number).unwrap();
    assert_eq!(world.forge.get(world.act(), number).unwrap().state, ProposalState::Open);
    world.forge.close(world.act(), number).unwrap();
    world.repository.delete_branch(branch().as_str(), world.head).unwrap();
    assert!(matches!(world.forge.reopen(world.act(), number), Err(ForgeError::Invalid { .. })));
}

#[test]
fn what_others_propose_is_seen_with_its_paths() {
    let world = World::new();
    let own = world.opened().number;
    world.repository.create_branch("fix", world.base).unwrap();
    world.commit("fix", "fix the checkout by hand", "image: checkout:1.4.3\n");
    let theirs = ProposalNumber(world.state().open("robin", "fix", "main", "Fix the checkout", "").unwrap());
    let open = world.forge.open_proposals(world.poll()).unwrap();
    assert_eq!(open.iter().map(|proposal| proposal.number).collect::<Vec<_>>(), [theirs, own]);
    assert_eq!(open[0].author.as_ref().unwrap().login, "robin");
    let changed = world.forge.changed_paths(world.poll(), theirs).unwrap();
    assert_eq!((changed.paths, changed.listing), (vec!["apps/checkout/deploy.yaml".to_owned()], Listing::Whole));
    world.state().close("robin", theirs.0).unwrap();
    assert_eq!(world.forge.open_proposals(world.poll()).unwrap().len(), 1);
}
