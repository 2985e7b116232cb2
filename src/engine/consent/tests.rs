use proptest::prelude::*;

use super::*;
use crate::engine::id::CommitId;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const HEAD: CommitId = CommitId([1; 20]);

fn digest() -> PlanDigest {
    PlanDigest::new("a".repeat(64))
}

fn rules() -> ConsentRules {
    ConsentRules {
        from: vec![ApprovalSource::Role(Role::Write), ApprovalSource::Team("acme/sre".into()), ApprovalSource::Codeowners],
        force: vec![ApprovalSource::Team("acme/sre".into())],
        ..ConsentRules::default()
    }
}

fn proposal() -> ProposalNow {
    ProposalNow {
        repository: RepositoryId(7),
        number: ProposalNumber(42),
        state: ProposalState::Open,
        head: Lookup::Known(Head { commit: HEAD, writer: HeadWriter::Revertd }),
        plan: digest(),
        published: vec![Publication { at: NOW - Duration::from_secs(600), plan: digest(), head: HEAD }],
        change_authors: Lookup::Known(BTreeSet::from([UserId(3)])),
        own: UserId(1),
        answered: BTreeMap::new(),
        holds: Vec::new(),
        replies_left: 10,
    }
}

fn said(number: u64, user: u64, body: &str) -> Said {
    Said {
        id: SaidId::Comment(number),
        repository: RepositoryId(7),
        proposal: ProposalNumber(42),
        form: Form::Comment,
        author: Author { id: UserId(user), login: format!("user{user}"), kind: AuthorKind::Person },
        body: body.to_owned(),
        at: NOW - Duration::from_secs(300 - number),
        edit: Lookup::Known(Edit::Never),
        visibility: Lookup::Known(Visibility::Shown),
        permission: Lookup::Known(Permission { user: UserId(user), role: Role::Write }),
        teams: BTreeMap::from([("acme/sre".to_owned(), Lookup::Known(Membership::Active))]),
        codeowner: Lookup::Known(Ownership::Owner),
    }
}

#[test]
fn a_flood_that_cannot_count_needs_no_lookup() {
    let proposal = ProposalNow { answered: BTreeMap::from([(SaidId::Comment(4), Answer::Refused)]), ..proposal() };
    let asks = |said: &Said| needs_lookup(&proposal, said);
    assert!(asks(&said(1, 2, "/revertd approve")));
    assert!(!asks(&said(1, 2, "thanks")));
    assert!(!asks(&said(1, 2, "/revertd nonsense")));
    assert!(!asks(&said(4, 2, "/revertd approve")), "it was answered");
    assert!(!asks(&said(1, 1, "/revertd approve")), "revertd itself");
    assert!(!asks(&Said { proposal: ProposalNumber(1), ..said(1, 2, "/revertd approve") }));
}

#[test]
fn an_approval_says_who_and_until_when() {
    let consent = evaluate(&rules(), &proposal(), &[said(1, 2, "/revertd approve")], NOW);
    let approved = consent.approved.unwrap();
    assert_eq!((approved.plan, approved.by[0].user, approved.force), (digest(), UserId(2), None));
    assert_eq!(approved.expires, NOW - Duration::from_secs(299) + Duration::from_secs(4 * 3600));
}

#[test]
fn a_force_carries_its_reason() {
    let consent = evaluate(&rules(), &proposal(), &[said(1, 2, "/revertd force budget is spent")], NOW);
    assert_eq!(consent.approved.unwrap().force.as_deref(), Some("budget is spent"));
}

/// Regression: the hold that a cancel became was resumed, and the approval before it counted again.
#[test]
fn a_cancel_that_cannot_be_checked_is_not_resumed_away() {
    let mut said = [said(1, 2, "/revertd approve"), said(2, 3, "/revertd cancel"), said(3, 2, "/revertd resume")];
    assert_eq!(evaluate(&rules(), &proposal(), &said, NOW).approved, None);
    said[1].permission = Lookup::Unknown("503".to_owned());
    said[1].teams = BTreeMap::from([("acme/sre".to_owned(), Lookup::Unknown("503".to_owned()))]);
    said[1].codeowner = Lookup::Unknown("503".to_owned());
    let consent = evaluate(&rules(), &proposal(), &said, NOW);
    assert_eq!((consent.approved, consent.holds), (None, Vec::new()));
}

fn known<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Lookup<T>> {
    prop_oneof![9 => prop::sample::select(values).prop_map(Lookup::Known), 1 => Just(Lookup::Unknown("503".to_owned()))]
}

fn any_said() -> impl Strategy<Value = Said> {
    let bodies = vec![
        "/revertd approve",
        "/revertd approve",
        "/revertd approve aaaaaaaa",
        "/revertd hold",
        "/revertd resume",
        "/revertd cancel",
        "/revertd force the site is down",
        "hello",
    ];
    let forms = vec![
        Form::Comment,
        Form::Comment,
        Form::Comment,
        Form::Review { state: ReviewState::Approved, head: HEAD },
        Form::Review { state: ReviewState::ChangesRequested, head: HEAD },
    ];
    let lookups = (
        known(vec![Edit::Never, Edit::Never, Edit::Never, Edit::Edited]),
        known(vec![Visibility::Shown, Visibility::Shown, Visibility::Minimised, Visibility::Gone]),
        known(vec![Role::None, Role::Read, Role::Triage, Role::Write, Role::Write]),
        known(vec![Membership::Active, Membership::No]),
        known(vec![Ownership::Owner, Ownership::NotOwner]),
    );
    (1_u64..12, 2_u64..6, prop::sample::select(bodies), prop::sample::select(forms), lookups).prop_map(
        |(number, user, body, form, (edit, visibility, role, team, codeowner))| {
            let permission = match role {
                Lookup::Known(role) => Lookup::Known(Permission { user: UserId(user), role }),
                Lookup::Unknown(why) => Lookup::Unknown(why),
            };
            let id = if form == Form::Comment { SaidId::Comment(number) } else { SaidId::Review(number) };
            let teams = BTreeMap::from([("acme/sre".to_owned(), team)]);
            Said { id, form, edit, visibility, permission, teams, codeowner, ..said(number, user, body) }
        },
    )
}

fn blind<T>(lookup: &mut Lookup<T>) {
    *lookup = Lookup::Unknown("cut off".to_owned());
}

/// Replaces one lookup by Unknown.
fn blinded(proposal: &ProposalNow, said: &[Said], which: usize) -> (ProposalNow, Vec<Said>) {
    let (mut proposal, mut said) = (proposal.clone(), said.to_vec());
    let position = which / 5;
    match (said.get_mut(position), which % 5) {
        (Some(one), 0) => blind(&mut one.edit),
        (Some(one), 1) => blind(&mut one.visibility),
        (Some(one), 2) => blind(&mut one.permission),
        (Some(one), 3) => one.teams.values_mut().for_each(blind),
        (Some(one), _) => blind(&mut one.codeowner),
        (None, 0) => blind(&mut proposal.head),
        (None, _) => blind(&mut proposal.change_authors),
    }
    (proposal, said)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_cannot_be_looked_up_never_adds_an_approval(
        said in prop::collection::vec(any_said(), 0..7), count in 1_u32..3, four_eyes in prop::bool::ANY,
    ) {
        let four_eyes = if four_eyes { FourEyes::Needed } else { FourEyes::NotNeeded };
        let rules = ConsentRules { count, four_eyes, ..rules() };
        let before = evaluate(&rules, &proposal(), &said, NOW);
        for which in 0..(said.len() + 1) * 5 {
            let (blind_proposal, blind_said) = blinded(&proposal(), &said, which);
            let after = evaluate(&rules, &blind_proposal, &blind_said, NOW);
            prop_assert!(after.approved.is_none() || before.approved.is_some(), "{which}: {before:?} became {after:?}");
            let accounts = |consent: &Consent| consent.approvers.iter().map(|approver| approver.user).collect::<BTreeSet<_>>();
            prop_assert!(accounts(&after).is_subset(&accounts(&before)));
        }
    }

    #[test]
    fn a_hold_beats_any_approval(said in prop::collection::vec(any_said(), 0..7)) {
        let consent = evaluate(&rules(), &proposal(), &said, NOW);
        prop_assert!(consent.holds.is_empty() || consent.approved.is_none());
    }

    #[test]
    fn the_order_of_reading_says_nothing(said in prop::collection::vec(any_said(), 0..7)) {
        let mut unique: Vec<Said> = Vec::new();
        for one in said {
            if unique.iter().all(|other| other.id != one.id) {
                unique.push(one);
            }
        }
        let forwards = evaluate(&rules(), &proposal(), &unique, NOW);
        unique.reverse();
        let backwards = evaluate(&rules(), &proposal(), &unique, NOW);
        prop_assert_eq!((forwards.approved, forwards.holds), (backwards.approved, backwards.holds));
    }
}
