//! From what a forge says to what `engine::consent` judges: the proposal now, and each thing that was said with what was looked up about it.
//!
//! A look-up that fails is `Unknown`, never a guess; nothing is looked up about what cannot count.

use std::collections::{BTreeMap, BTreeSet};

use super::owners::{PathOwners, ownership};
use crate::engine::consent::{
    self, Author, AuthorKind, ConsentRules, Edit, Form, Head, HeadWriter, Lookup, ProposalNow, Said, SaidId, Visibility, needs_lookup,
};
use crate::engine::id::PlanDigest;
use crate::engine::incident::Proposal;
use crate::engine::time::Timestamp;
use crate::forge::{
    Answered, Call, Comment, CommentState, Edited, Forge, ForgeProposal, Identity, Membership, ProposalState, Review, ReviewState, Role,
    Team, User, UserKind,
};

/// A proposal as the forge shows it, with everything that was said on it.
pub(super) struct Hearing {
    /// As the forge shows it.
    pub(super) shown: ForgeProposal,
    /// As it is judged.
    pub(super) now: ProposalNow,
    /// Everything that was said.
    pub(super) said: Vec<Said>,
    /// The rules of every policy that the proposal is for, for its plan as it is.
    pub(super) rules: Vec<ConsentRules>,
}

/// What has to be looked up about who says something.
pub(super) struct Questions {
    /// Membership in these teams.
    pub(super) teams: BTreeSet<String>,
    /// The owners of every path of the plan, where a policy asks for them.
    pub(super) owners: Option<PathOwners>,
}

impl Hearing {
    pub(super) fn new(identity: &Identity, shown: ForgeProposal, proposal: &Proposal, plan: PlanDigest, replies_left: usize) -> Self {
        let ours = proposal.commits.iter().any(|(_, commit)| *commit == shown.head);
        let now = ProposalNow {
            repository: consent::RepositoryId(identity.id.0),
            number: consent::ProposalNumber(shown.number.0),
            state: match shown.state {
                ProposalState::Open => consent::ProposalState::Open,
                ProposalState::Closed => consent::ProposalState::Closed,
                ProposalState::Merged { .. } => consent::ProposalState::Merged,
            },
            head: Lookup::Known(Head { commit: shown.head, writer: if ours { HeadWriter::Revertd } else { HeadWriter::SomebodyElse } }),
            plan,
            published: proposal.shown.clone(),
            change_authors: Lookup::Unknown("the authors' accounts were not asked for".to_owned()),
            own: identity.own.user.id,
            answered: proposal.answered.clone(),
            holds: proposal.holds.clone(),
            replies_left,
        };
        Self { shown, now, said: Vec::new(), rules: Vec::new() }
    }
}

/// A comment with what was looked up about it; `None` for one without an author.
pub(super) fn said_in_comment(
    forge: &dyn Forge,
    call: Call,
    proposal: &ProposalNow,
    comment: &Comment,
    questions: &Questions,
) -> Option<Said> {
    let mut said = said(
        SaidId::Comment(comment.id.0),
        proposal,
        Form::Comment,
        author(comment.author.as_ref()?, comment.through_app),
        comment.created,
    );
    said.body.clone_from(&comment.body);
    if !needs_lookup(proposal, &said) {
        return Some(said);
    }
    match forge.comment_state(call, comment.id) {
        Ok(CommentState::Gone) => said.visibility = Lookup::Known(Visibility::Gone),
        Ok(CommentState::There(now)) => {
            let changed = now.last_edited.is_some() || now.created_edit == Edited::Edited || now.comment.body != comment.body;
            said.edit = Lookup::Known(if changed { Edit::Edited } else { Edit::Never });
            said.visibility = Lookup::Known(match now.visibility {
                crate::forge::Visibility::Shown => Visibility::Shown,
                crate::forge::Visibility::Minimised => Visibility::Minimised,
            });
        }
        Err(error) => {
            said.edit = Lookup::Unknown(error.to_string());
            said.visibility = Lookup::Unknown(error.to_string());
        }
    }
    look_up_person(forge, call, &mut said, questions);
    Some(said)
}

/// A review with what was looked up about it; `None` for one that says nothing.
pub(super) fn said_in_review(
    forge: &dyn Forge,
    call: Call,
    proposal: &ProposalNow,
    review: &Review,
    questions: &Questions,
) -> Option<Said> {
    let state = match review.state {
        ReviewState::Approved => consent::ReviewState::Approved,
        ReviewState::ChangesRequested => consent::ReviewState::ChangesRequested,
        ReviewState::Dismissed => consent::ReviewState::Dismissed,
        ReviewState::Commented | ReviewState::Pending | ReviewState::Other(_) => return None,
    };
    let (user, head, at) = (review.user.as_ref()?, review.commit?, review.submitted?);
    let mut said = said(SaidId::Review(review.id), proposal, Form::Review { state, head }, author(user, None), at);
    // A review's text is not read, and the list shows its verdict as it stands now.
    said.edit = Lookup::Known(Edit::Never);
    said.visibility = Lookup::Known(Visibility::Shown);
    if needs_lookup(proposal, &said) {
        look_up_person(forge, call, &mut said, questions);
    }
    Some(said)
}

fn said(id: SaidId, proposal: &ProposalNow, form: Form, author: Author, at: Timestamp) -> Said {
    let unknown = || "it was not asked for".to_owned();
    Said {
        id,
        repository: proposal.repository,
        proposal: proposal.number,
        form,
        author,
        body: String::new(),
        at,
        edit: Lookup::Unknown(unknown()),
        visibility: Lookup::Unknown(unknown()),
        permission: Lookup::Unknown(unknown()),
        teams: BTreeMap::new(),
        codeowner: Lookup::Unknown("CODEOWNERS was not read".to_owned()),
    }
}

fn author(user: &User, through_app: Option<u64>) -> Author {
    let kind = match (&user.kind, through_app) {
        (UserKind::User, None) => AuthorKind::Person,
        (UserKind::User, Some(_)) => AuthorKind::ThroughApp,
        (UserKind::Bot | UserKind::Other(_), _) => AuthorKind::Bot,
    };
    Author { id: user.id, login: user.login.clone(), kind }
}

fn look_up_person(forge: &dyn Forge, call: Call, said: &mut Said, questions: &Questions) {
    let login = said.author.login.clone();
    said.permission = known(forge.permission(call, &login)).and_then(|permission| {
        let role = match permission.role {
            Role::Admin => consent::Role::Admin,
            Role::Maintain => consent::Role::Maintain,
            Role::Write => consent::Role::Write,
            Role::Triage => consent::Role::Triage,
            Role::Read => consent::Role::Read,
            Role::None => consent::Role::None,
            Role::Unknown(word) => return Lookup::Unknown(format!("`{word}` is no role that revertd knows")),
        };
        Lookup::Known(consent::Permission { user: permission.user, role })
    });
    for name in &questions.teams {
        let membership = match name.split_once('/') {
            Some((organization, slug)) => {
                known(forge.team_member(call, &Team { organization: organization.to_owned(), slug: slug.to_owned() }, &login))
            }
            None => Lookup::Unknown(format!("`{name}` names no organisation")),
        };
        let membership = membership.and_then(|membership| {
            Lookup::Known(match membership {
                Membership::Active => consent::Membership::Active,
                Membership::Pending => consent::Membership::Pending,
                Membership::No => consent::Membership::No,
            })
        });
        said.teams.insert(name.clone(), membership);
    }
    if let Some(owners) = &questions.owners {
        said.codeowner = ownership(owners, said, forge, call);
    }
}

fn known<T>(answer: Answered<T>) -> Lookup<T> {
    match answer {
        Ok(value) => Lookup::Known(value),
        Err(error) => Lookup::Unknown(error.to_string()),
    }
}
